//! `longcast data`: the bundled data sets.

use std::path::Path;

use forecast::data::Format;
use forecast_datasets::Dataset;
use serde_json::json;

use super::args::{DataAction, DataArguments};
use super::console::{Console, columns};
use super::failure::Failure;
use super::output;

pub(crate) fn run(arguments: &DataArguments, console: &Console) -> Result<(), Failure> {
    match &arguments.action {
        DataAction::List => list(console),
        DataAction::Show { name } => show(forecast_datasets::find(name)?, console),
        DataAction::Export { name, output } => {
            output::check(output.as_deref())?;
            output.as_deref().map_or(Ok(()), is_csv)?;
            let csv = forecast_datasets::find(name)?.csv()?;
            match output {
                Some(path) => output::file(path, csv.into_owned(), console),
                None => console.bytes(&csv),
            }
        }
    }
}

/// That a file is not named as if it were of another format, for a data set is written as it came.
fn is_csv(path: &Path) -> Result<(), Failure> {
    let is_gzipped = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    match Format::of_path(path) {
        Ok(format) if format != Format::Csv || is_gzipped => Err(Failure::option(
            "output",
            path.display(),
            "a data set is written as CSV; name it .csv, then `longcast clean FILE.csv -o FILE.parquet` makes another \
             format of it",
        )),
        _ => Ok(()),
    }
}

fn list(console: &Console) -> Result<(), Failure> {
    let all = forecast_datasets::all()?;
    let mut rows = vec![["name", "step", "rows", "target", "title"].map(String::from).to_vec()];
    for set in all {
        let rows_and_default = set.rows.to_string();
        rows.push(vec![
            set.name.clone(),
            set.step.clone(),
            rows_and_default,
            set.target.clone(),
            set.title.clone(),
        ]);
    }
    columns(&rows).iter().try_for_each(|line| console.say(line))?;
    console.json(&all.iter().map(facts).collect::<Vec<_>>())
}

fn facts(set: &Dataset) -> serde_json::Value {
    let columns: Vec<_> = set
        .columns
        .iter()
        .map(|column| json!({ "name": column.name, "unit": column.unit, "meaning": column.meaning }))
        .collect();
    json!({
        "name": set.name, "file": set.file, "title": set.title, "description": set.description,
        "creator": set.creator, "source": set.source, "source_url": set.source_url,
        "license": set.license, "license_url": set.license_url, "changes": set.changes,
        "step": set.step, "rows": set.rows, "time_column": set.time_column, "target": set.target,
        "season_length": set.season_length, "missing_at": set.missing_at, "sha256": set.sha256,
        "columns": columns,
    })
}

fn show(set: &Dataset, console: &Console) -> Result<(), Failure> {
    console.say(format!("{}: {}", set.name, set.title))?;
    console.say(&set.description)?;
    console.say("")?;
    let season = set.season_length.map_or_else(|| "none".to_string(), |season| season.to_string());
    let facts_to_say = [
        ("step", set.step.clone()),
        ("rows", set.rows.to_string()),
        ("season length", season),
        ("time column", set.time_column.clone()),
        ("target", set.target.clone()),
        ("creator", set.creator.clone()),
        ("source", format!("{} <{}>", set.source, set.source_url)),
        ("licence", format!("{} <{}>", set.license, set.license_url)),
        ("changes", set.changes.clone()),
        ("sha256", set.sha256.clone()),
    ];
    for (name, value) in facts_to_say {
        console.say(format!("{name:<14} {value}"))?;
    }
    if !set.missing_at.is_empty() {
        console.say(format!("{:<14} {}", "missing at", set.missing_at.join(", ")))?;
    }
    console.say("columns")?;
    for column in &set.columns {
        console.say(format!("  {:<24} {:<14} {}", column.name, column.unit, column.meaning))?;
    }
    console.json(&facts(set))
}
