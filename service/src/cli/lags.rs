//! What the commands that tell lags share: which series and channel, which lags first, and numbers below each other.

use std::path::Path;

use forecast::data::Frequency;
use serde::Serialize;

use super::args::LagArguments;
use super::console::{Console, columns};
use super::failure::Failure;
use super::{charts, output};

/// Digits of the largest number of a column.
const DIGITS: i32 = 5;

/// Refuses what could not be written in the end.
pub(crate) fn check_outputs(arguments: &LagArguments, inputs: &[&Path]) -> Result<(), Failure> {
    if arguments.output.is_some() {
        output::check_table(arguments.output.as_deref(), arguments.format.as_deref())?;
    } else if let Some(format) = &arguments.format {
        return Err(Failure::option("--format", format, "it is that of the file of -o; give that too"));
    }
    output::check_chart(arguments.plot.as_deref())?;
    output::check_apart(inputs, &[arguments.output.as_deref(), arguments.plot.as_deref()])
}

/// The series and channel that were asked for, the first of them by default.
pub(crate) fn find<'a>(
    series: impl Iterator<Item = &'a str> + Clone,
    channels: &[String],
    arguments: &LagArguments,
) -> Result<(usize, usize), Failure> {
    let (at, of_series) = charts::find(series, channels, arguments.series.as_deref(), "--series")?;
    let Some(wanted) = &arguments.channel else { return Ok((at, of_series)) };
    match channels.iter().position(|channel| channel == wanted) {
        Some(channel) => Ok((at, channel)),
        None => {
            let rule = format!("the channels are {}", channels.join(", "));
            Err(Failure::option("--channel", wanted, &rule))
        }
    }
}

/// Says rows as columns below a header, the row of the largest size first; what is beyond the `top` ones is told as a
/// last row by `rest`, which gets their positions.
pub(crate) fn say_largest(
    header: &[&str],
    rows: Vec<Vec<String>>,
    sizes: &[f64],
    top: usize,
    rest: impl FnOnce(&[usize]) -> Vec<String>,
    console: &Console,
) -> Result<(), Failure> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|a, b| sizes[*b].abs().total_cmp(&sizes[*a].abs()).then(a.cmp(b)));
    let (told, others) = order.split_at(top.min(order.len()));
    let mut table = vec![header.iter().map(ToString::to_string).collect()];
    table.extend(told.iter().map(|at| rows[*at].clone()));
    if !others.is_empty() {
        table.push(rest(others));
    }
    columns(&table).iter().try_for_each(|line| console.say(format!("  {line}")))
}

/// A lag and its length in words: `168 = 7 days`.
pub(crate) fn told(frequency: &Frequency, lag: usize) -> String {
    frequency.lag_in_words(lag).map_or_else(|| lag.to_string(), |words| format!("{lag} = {words}"))
}

/// The decimals with which the largest of some numbers has [`DIGITS`] digits.
pub(crate) fn decimals(values: impl IntoIterator<Item = f64>) -> usize {
    let largest = values.into_iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest <= 0.0 {
        return 0;
    }
    let magnitude = largest.log10().floor().clamp(-12.0, 12.0) as i32;
    usize::try_from(DIGITS - 1 - magnitude).unwrap_or(0)
}

/// What a model is regressed on, the largest first: the header, then a line for each column.
pub(crate) fn say_columns(
    header: [&str; 2],
    columns: &[(String, f64)],
    top: usize,
    number: impl Fn(f64) -> String,
    console: &Console,
) -> Result<(), Failure> {
    if columns.is_empty() {
        return Ok(());
    }
    let rows = columns.iter().map(|(name, value)| vec![name.clone(), number(*value)]).collect();
    let sizes: Vec<f64> = columns.iter().map(|(_, value)| *value).collect();
    let rest = |others: &[usize]| vec![format!("other columns: {}", others.len()), String::new()];
    say_largest(&header, rows, &sizes, top, rest, console)
}

/// A column that a model is regressed on, in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct Column<'a> {
    name: &'a str,
    /// What one unit of it adds, or what it adds to a forecast.
    value: f64,
}

pub(crate) fn regressed_on(columns: &[(String, f64)]) -> Vec<Column<'_>> {
    columns.iter().map(|(name, value)| Column { name, value: *value }).collect()
}

/// How many there are, with their name: `1 lag`, `168 lags`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_number_has_five_digits_and_the_others_its_decimals() {
        for (values, expected) in [
            (vec![0.93, -0.001], 5),
            (vec![2345.678, 1.0], 1),
            (vec![123_456_789.0], 0),
            (vec![1.0], 4),
            (vec![0.0], 0),
            (vec![f64::NAN, f64::INFINITY], 0),
            (vec![1e-300], 16),
        ] {
            assert_eq!(decimals(values.clone()), expected, "{values:?}");
        }
    }
}
