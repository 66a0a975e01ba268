//! `longcast inspect`: the data-quality report.

use forecast::data::{ChannelQuality, CovariateQuality, Quality, SeriesQuality};

use super::args::InspectArguments;
use super::console::{Console, columns};
use super::failure::Failure;
use super::{charts, input, output};

/// Series that are told one by one; the rest only in JSON.
const MOST_SERIES: usize = 20;
/// Covariates, and categories of each, that are told; the rest only in JSON.
const MOST_COVARIATES: usize = 50;
const MOST_CATEGORIES: usize = 5;

pub(crate) fn run(arguments: &InspectArguments, console: &Console) -> Result<(), Failure> {
    output::check_chart(arguments.plot.as_deref())?;
    output::check_apart(&[&arguments.data], &[arguments.plot.as_deref()])?;
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    let quality = Quality::of(&panel);
    // The file first: whoever reads our output may stop reading.
    if let Some(path) = &arguments.plot {
        output::file(path, charts::missing_map(&panel)?, console)?;
    }
    for left_out in quality.left_out.iter().take(MOST_SERIES) {
        console.say(format!("{}: left out: {}", left_out.unique_id, left_out.error))?;
    }
    for series in quality.series.iter().take(MOST_SERIES) {
        show(series, &quality, console)?;
    }
    if quality.series.len() > MOST_SERIES {
        let rest = quality.series.len() - MOST_SERIES;
        console.say(format!("... and {rest} more series; --json tells all of them"))?;
    }
    show_covariates(&quality.covariates, console)?;
    console.json(&quality)
}

fn show_covariates(covariates: &[CovariateQuality], console: &Console) -> Result<(), Failure> {
    if covariates.is_empty() {
        return Ok(());
    }
    let header = ["covariate", "known", "kind", "observed", "missing", "ahead", "values"];
    let mut rows = vec![header.map(String::from).to_vec()];
    rows.extend(covariates.iter().take(MOST_COVARIATES).map(covariate_row));
    columns(&rows).iter().try_for_each(|line| console.say(line))?;
    if covariates.len() > MOST_COVARIATES {
        let rest = covariates.len() - MOST_COVARIATES;
        console.say(format!("... and {rest} more covariates; --json tells all of them"))?;
    }
    Ok(())
}

fn covariate_row(covariate: &CovariateQuality) -> Vec<String> {
    let values = match (&covariate.categories[..], covariate.min, covariate.max) {
        ([], Some(min), Some(max)) => format!("{} to {}", short(min), short(max)),
        ([], _, _) => "-".to_string(),
        (categories, _, _) => {
            let told = categories.iter().take(MOST_CATEGORIES).map(|(name, n)| format!("{name}: {n}"));
            let more = categories.len().saturating_sub(MOST_CATEGORIES);
            let more = (more > 0).then(|| format!("{more} more"));
            told.chain(more).collect::<Vec<_>>().join(", ")
        }
    };
    vec![
        covariate.covariate.clone(),
        covariate.known.to_string(),
        covariate.kind.to_string(),
        covariate.n_observed.to_string(),
        covariate.n_missing.to_string(),
        covariate.n_ahead.to_string(),
        values,
    ]
}

fn show(series: &SeriesQuality, quality: &Quality, console: &Console) -> Result<(), Failure> {
    console.say(format!(
        "{}: {} to {}, {} rows on {} steps of {}",
        series.unique_id,
        series.start,
        series.end,
        series.n_rows,
        series.n_steps,
        quality.frequency()
    ))?;
    console.say(format!(
        "  {} absent, {} duplicate, {} out of order; season {}; look back {} steps",
        series.n_absent,
        series.n_duplicates,
        series.n_out_of_order,
        match quality.season_length {
            1 => "none stands out".to_string(),
            season => format!("{season} steps ({})", quality.frequency().span(season)),
        },
        quality.recommended_lookback
    ))?;
    let worst = series.channels.iter().rev().max_by_key(|channel| channel.longest_gap);
    if let Some((channel, (from, to))) = worst.and_then(|c| Some((c, c.longest_gap_at.as_ref()?))) {
        let span = quality.frequency().span(channel.longest_gap);
        let gap = format!("{} steps ({span}), {from} to {to}", channel.longest_gap);
        console.say(format!("  longest gap: {gap}, of {}", channel.channel))?;
    }
    let header = [
        "channel", "observed", "missing", "gaps", "longest", "zeros", "flat run", "outliers", "min",
        "median", "max", "seasons",
    ];
    let mut rows = vec![header.map(String::from).to_vec()];
    rows.extend(series.channels.iter().map(row));
    columns(&rows).iter().try_for_each(|line| console.say(format!("  {line}")))
}

fn row(channel: &ChannelQuality) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_string(), short);
    let seasons = channel.seasons.iter().map(|(season, strength)| format!("{season}: {strength:.2}"));
    vec![
        channel.channel.clone(),
        channel.n_observed.to_string(),
        channel.n_missing.to_string(),
        channel.n_gaps.to_string(),
        channel.longest_gap.to_string(),
        channel.n_zeros.to_string(),
        channel.longest_constant_run.to_string(),
        channel.n_outliers.to_string(),
        number(channel.min),
        number(channel.median),
        number(channel.max),
        seasons.collect::<Vec<_>>().join(", "),
    ]
}

/// A number with six significant digits at most.
fn short(value: f64) -> String {
    let magnitude = if value.abs() == 0.0 { 0.0 } else { value.abs().log10().floor() };
    let decimals = (5.0 - magnitude).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn numbers_are_short_and_close() {
        let cases =
            [(0.0, "0"), (72.38050000000001, "72.3805"), (-22.70599937, "-22.706"), (26304.0, "26304")];
        for (value, text) in cases {
            assert_eq!(short(value), text);
        }
        assert_eq!(short(1_234_567.8), "1234568");
        assert_eq!(short(0.000_123_456_7), "0.000123457");
    }
}
