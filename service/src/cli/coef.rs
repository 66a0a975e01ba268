//! `longcast coef`: what an autoregression has learned, lag by lag.

use forecast::data::Cells;
use forecast::{Coefficients, Model};
use serde::Serialize;

use super::args::CoefArguments;
use super::console::Console;
use super::failure::Failure;
use super::lags::{self, Column, count, decimals, told};
use super::output::Outputs;
use super::{charts, input};

/// The level of confidence intervals by default, in percent.
pub(crate) const LEVEL: f64 = 95.0;

/// Everything that is known, as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    series: &'a str,
    channel: &'a str,
    step: usize,
    lookback: usize,
    intercept: f64,
    /// Of the intervals; `None` where there are none.
    level: Option<f64>,
    lags: Vec<Row>,
    /// What one unit of each column that the model is regressed on adds.
    columns: Vec<Column<'a>>,
}

/// One lag.
#[derive(Debug, Serialize)]
struct Row {
    lag: usize,
    /// In words.
    span: Option<String>,
    weight: f64,
    standard_error: Option<f64>,
    lo: Option<f64>,
    hi: Option<f64>,
    /// Share of fits that chose it.
    frequency: Option<f64>,
}

pub(crate) fn run(arguments: &CoefArguments, console: &Console) -> Result<(), Failure> {
    lags::check_outputs(&arguments.lags, &[&arguments.model])?;
    let level = arguments.level.unwrap_or(LEVEL);
    input::check_levels(&[level])?;
    let model = Model::load(&arguments.model)?;
    let header = model.header();
    let ids = header.series.iter().map(String::as_str);
    let (series, channel) = lags::find(ids, &header.channels, &arguments.lags)?;
    let coefficients = model.coefficients_at(series, channel, arguments.lags.step)?;
    let intervals = model.coefficient_intervals(series, channel, level)?;
    if intervals.is_none() && arguments.level.is_some() {
        console.note(
            "note: the model has no standard errors; they are known of recursive models without anchor",
        );
    }
    let frequency = header.frequency();
    let row = |c: &forecast::model::Coefficient| {
        let interval = intervals.as_ref().and_then(|all| all.get(c.lag - 1));
        Row {
            lag: c.lag,
            span: frequency.lag_in_words(c.lag),
            weight: c.weight,
            standard_error: c.standard_error,
            lo: interval.map(|(lo, _)| *lo),
            hi: interval.map(|(_, hi)| *hi),
            frequency: c.frequency,
        }
    };
    let report = Report {
        model: header.config.name(),
        series: &coefficients.series,
        channel: &coefficients.channel,
        step: coefficients.step,
        lookback: coefficients.lookback,
        intercept: coefficients.intercept,
        level: intervals.is_some().then_some(level),
        lags: coefficients.lags.iter().map(row).collect(),
        columns: lags::regressed_on(&coefficients.columns),
    };
    let label = header.label(&coefficients.series, header.series.len(), channel)?;
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.lags.output {
        outputs.add_table(path, &table(&report, &label), arguments.lags.format.as_deref())?;
    }
    if let Some(path) = &arguments.lags.plot {
        outputs.add(path, charts::coefficients(&model, (series, channel), coefficients.step, level)?);
    }
    outputs.write(console)?;
    say(&model, &coefficients, &report, (&label, arguments.lags.top), console)?;
    console.json(&report)
}

/// One row a lag; what is not known of any has no column.
fn table(report: &Report<'_>, label: &str) -> Vec<(String, Cells)> {
    let rows = &report.lags;
    let whole = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let numbers = |of: &dyn Fn(&Row) -> Option<f64>| {
        Cells::Numbers(rows.iter().map(|row| of(row).unwrap_or(f64::NAN)).collect())
    };
    let spans = rows.iter().map(|row| row.span.clone().unwrap_or_default()).collect();
    let mut table = vec![
        ("unique_id".to_string(), Cells::Text(vec![label.to_string(); rows.len()])),
        ("step".to_string(), Cells::Integers(vec![whole(report.step); rows.len()])),
        ("intercept".to_string(), Cells::Numbers(vec![report.intercept; rows.len()])),
        ("lag".to_string(), Cells::Integers(rows.iter().map(|row| whole(row.lag)).collect())),
        ("span".to_string(), Cells::Text(spans)),
        ("weight".to_string(), numbers(&|row| Some(row.weight))),
    ];
    if let Some(level) = report.level {
        table.push(("standard_error".to_string(), numbers(&|row| row.standard_error)));
        table.push((format!("lo-{level}"), numbers(&|row| row.lo)));
        table.push((format!("hi-{level}"), numbers(&|row| row.hi)));
    }
    if rows.iter().any(|row| row.frequency.is_some()) {
        table.push(("frequency".to_string(), numbers(&|row| row.frequency)));
    }
    table
}

/// The largest weights, for people.
fn say(
    model: &Model,
    coefficients: &Coefficients,
    report: &Report<'_>,
    (label, top): (&str, usize),
    console: &Console,
) -> Result<(), Failure> {
    let frequency = model.header().frequency();
    let rows = &report.lags;
    let of = match coefficients.n_steps {
        Some(1) => "one set for every step ahead".to_string(),
        Some(n) => format!("step {} of {n}", told(&frequency, report.step)),
        None => format!("step {}", told(&frequency, report.step)),
    };
    let weights = || rows.iter().map(|row| row.weight);
    let places = decimals(weights());
    let number = |value: f64| format!("{value:.places$}");
    let (n, sum) = (count(rows.len(), "lag"), number(weights().sum()));
    let looks_back =
        if rows.len() < report.lookback { format!(" of {}", report.lookback) } else { String::new() };
    let intercept = format!("{:.*}", decimals([report.intercept]).min(6), report.intercept);
    console.say(format!(
        "{label}: {n}{looks_back} of {}, {of}; weights add up to {sum}, intercept {intercept}",
        report.model
    ))?;
    let with_distance = coefficients.n_steps != Some(1) && report.step > 1;
    let bounds = report.level.map(|level| (format!("lo-{level}"), format!("hi-{level}")));
    let with_frequency = rows.iter().any(|row| row.frequency.is_some());
    let mut header = vec!["lag", "weight"];
    if with_distance {
        header.insert(1, "before the step");
    }
    if let Some((lo, hi)) = &bounds {
        header.extend(["standard error", lo.as_str(), hi.as_str()]);
    }
    if with_frequency {
        header.push("chosen");
    }
    let cells = |row: &Row| {
        let mut cells = vec![told(&frequency, row.lag)];
        if with_distance {
            let distance = coefficients.distance(row.lag);
            cells.push(frequency.lag_in_words(distance).unwrap_or_else(|| distance.to_string()));
        }
        cells.push(number(row.weight));
        if bounds.is_some() {
            cells.extend([row.standard_error, row.lo, row.hi].map(|v| v.map(number).unwrap_or_default()));
        }
        cells.extend(row.frequency.map(|share| format!("{:.0} %", share * 100.0)));
        cells
    };
    let sizes: Vec<f64> = weights().collect();
    let rest = |others: &[usize]| {
        let mut cells = vec![format!("other lags: {}", others.len())];
        if with_distance {
            cells.push(String::new());
        }
        cells.push(number(others.iter().map(|at| sizes[*at]).sum()));
        cells
    };
    lags::say_largest(&header, rows.iter().map(cells).collect(), &sizes, top, rest, console)?;
    let places = decimals(coefficients.columns.iter().map(|(_, weight)| *weight));
    let number = |value: f64| format!("{value:.places$}");
    lags::say_columns(["regressed on", "one unit adds"], &coefficients.columns, top, number, console)
}
