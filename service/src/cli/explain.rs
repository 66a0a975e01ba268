//! `longcast explain`: one forecast, split into what each past value adds to it.

use std::path::{Path, PathBuf};

use forecast::data::Cells;
use forecast::model::ValueOrigin;
use forecast::{Explanation, Model, Step};
use serde::Serialize;

use super::args::ExplainArguments;
use super::console::Console;
use super::failure::Failure;
use super::lags::{self, Column, decimals, told};
use super::output::Outputs;
use super::{charts, input};

/// The whole explanation, as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: &'a str,
    series: &'a str,
    channel: &'a str,
    step: usize,
    ds: String,
    forecast: f64,
    /// The forecast if every lag were at `center`.
    base: f64,
    center: f64,
    contributions: Vec<Row>,
    /// What each column that the model is regressed on adds.
    columns: Vec<Column<'a>>,
}

/// One lag.
#[derive(Debug, Serialize)]
struct Row {
    lag: usize,
    ds: String,
    /// From there to the forecast, in words.
    before: Option<String>,
    value: f64,
    filled: bool,
    weight: f64,
    contribution: f64,
}

pub(crate) fn run(arguments: &ExplainArguments, console: &Console) -> Result<(), Failure> {
    let inputs: Vec<&Path> =
        [Some(&arguments.model), arguments.data.as_ref(), arguments.input.future.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
    lags::check_outputs(&arguments.lags, &inputs)?;
    let model = Model::load(&arguments.model)?;
    let panel = match &arguments.data {
        Some(path) => {
            let panel = input::read_for(&model, path, &arguments.input, console)?;
            let channels = &model.header().channels;
            Some(if panel.channels().len() > 1 { panel.select_channels(channels)? } else { panel })
        }
        None => input::history_with_future(&model, &arguments.input)?,
    };
    let histories = panel.as_ref().map_or(model.history(), |panel| panel.series());
    let ids = histories.iter().map(forecast::Series::id);
    let (at, channel) = lags::find(ids, &model.header().channels, &arguments.lags)?;
    let explanation = model.explain(&histories[at], channel, arguments.lags.step)?;
    for warning in &explanation.warnings {
        console.note(format!("warning: series \"{}\": {}", explanation.series, warning.message));
    }
    let label = model.header().label(&explanation.series, histories.len(), channel)?;
    let report = Report::of(&explanation, &model);
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.lags.output {
        outputs.add_table(path, &table(&explanation, &report, &label), arguments.lags.format.as_deref())?;
    }
    if let Some(path) = &arguments.lags.plot {
        outputs.add(path, charts::contributions(&model, &explanation, &label)?);
    }
    outputs.write(console)?;
    say(&model, &explanation, &report, (&label, arguments.lags.top), console)?;
    console.json(&report)
}

impl<'a> Report<'a> {
    fn of(explanation: &'a Explanation, model: &'a Model) -> Self {
        let index = &explanation.window;
        let frequency = model.header().frequency();
        let row = |c: &forecast::model::Contribution| Row {
            lag: c.lag,
            ds: index.format(c.stamp),
            before: frequency.lag_in_words(c.lag + explanation.step - 1),
            value: c.value,
            filled: c.origin == ValueOrigin::Filled,
            weight: c.weight,
            contribution: c.contribution,
        };
        Report {
            model: model.header().config.name(),
            series: &explanation.series,
            channel: &explanation.channel,
            step: explanation.step,
            ds: index.format(explanation.stamp),
            forecast: explanation.forecast,
            base: explanation.base,
            center: explanation.center,
            contributions: explanation.contributions.iter().map(row).collect(),
            columns: lags::regressed_on(&explanation.columns),
        }
    }
}

/// One row a lag: `base`, what it is regressed on and the sum of `contribution` make `forecast`.
fn table(explanation: &Explanation, report: &Report<'_>, label: &str) -> Vec<(String, Cells)> {
    let rows = &report.contributions;
    let n = rows.len();
    let whole = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let stamps = |stamps: Vec<i64>| match explanation.window.step {
        Step::Index(_) => Cells::Integers(stamps),
        _ => Cells::Stamps(stamps, explanation.window.zone.clone()),
    };
    let numbers = |of: &dyn Fn(&Row) -> f64| Cells::Numbers(rows.iter().map(of).collect());
    let before = rows.iter().map(|row| row.before.clone().unwrap_or_default()).collect();
    let regressed: f64 = explanation.columns.iter().map(|(_, contribution)| contribution).sum();
    let columns = [
        ("unique_id", Cells::Text(vec![label.to_string(); n])),
        ("ds", stamps(vec![explanation.stamp; n])),
        ("step", Cells::Integers(vec![whole(report.step); n])),
        ("forecast", numbers(&|_| report.forecast)),
        ("base", numbers(&|_| report.base)),
        ("regressed", numbers(&|_| regressed)),
        ("lag", Cells::Integers(rows.iter().map(|row| whole(row.lag)).collect())),
        ("lag_ds", stamps(explanation.contributions.iter().map(|c| c.stamp).collect())),
        ("before", Cells::Text(before)),
        ("value", numbers(&|row| row.value)),
        ("filled", Cells::Integers(rows.iter().map(|row| i64::from(row.filled)).collect())),
        ("weight", numbers(&|row| row.weight)),
        ("contribution", numbers(&|row| row.contribution)),
    ];
    let is_there = |(name, _): &(&str, Cells)| *name != "regressed" || !explanation.columns.is_empty();
    columns.into_iter().filter(is_there).map(|(name, cells)| (name.to_string(), cells)).collect()
}

/// The largest contributions, for people.
fn say(
    model: &Model,
    explanation: &Explanation,
    report: &Report<'_>,
    (label, top): (&str, usize),
    console: &Console,
) -> Result<(), Failure> {
    let rows = &report.contributions;
    let contributions = || rows.iter().map(|row| row.contribution);
    let places = decimals(contributions().chain([report.forecast, report.base]));
    let number = |value: f64| format!("{value:.places$}");
    let unit = &model.header().unit;
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let step = told(&model.header().frequency(), report.step);
    let forecast = number(report.forecast);
    console.say(format!(
        "{label}: forecast {forecast}{unit} for {} (step {step}) by {}",
        report.ds, report.model
    ))?;
    let all = if rows.len() == 1 { "the lag".to_string() } else { format!("all {} lags", rows.len()) };
    console.say(format!(
        "  = base {}{unit}, the forecast if {all} were at {}, {}and {:+.places$}{unit} by these values:",
        number(report.base),
        number(report.center),
        match &explanation.columns[..] {
            [] => String::new(),
            columns => {
                let sum: f64 = columns.iter().map(|(_, contribution)| contribution).sum();
                format!("{sum:+.places$}{unit} by {}, ", lags::count(columns.len(), "column"))
            }
        },
        contributions().sum::<f64>(),
    ))?;
    let value_places = decimals(rows.iter().map(|row| row.value));
    let weight_places = decimals(rows.iter().map(|row| row.weight));
    let cells = |row: &Row| {
        let value = format!("{:.value_places$}{}", row.value, if row.filled { " filled" } else { "" });
        vec![
            row.ds.clone(),
            row.before.clone().unwrap_or_else(|| (row.lag + report.step - 1).to_string()),
            value,
            format!("{:.weight_places$}", row.weight),
            format!("{:+.places$}", row.contribution),
        ]
    };
    let sizes: Vec<f64> = contributions().collect();
    let rest = |others: &[usize]| {
        let sum: f64 = others.iter().map(|at| sizes[*at]).sum();
        let name = format!("other lags: {}", others.len());
        vec![name, String::new(), String::new(), String::new(), format!("{sum:+.places$}")]
    };
    let header = ["lag", "before", "value", "weight", "contribution"];
    lags::say_largest(&header, rows.iter().map(cells).collect(), &sizes, top, rest, console)?;
    let signed = |value: f64| format!("{value:+.places$}");
    lags::say_columns(["regressed on", "contribution"], &explanation.columns, top, signed, console)
}
