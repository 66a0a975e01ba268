//! `longcast backtest`: several cutoffs, several models, seasonal naive always beside them.

use std::path::Path;

use forecast::data::Cells;
use forecast::eval::{
    Backtest, BacktestOptions, FailedSeries, Intervals, Leaderboard, LeaderboardOptions, OnError, Scores,
    backtest,
};
use forecast::{ModelConfig, Panel};
use serde::Serialize;

use super::args::BacktestArguments;
use super::console::Console;
use super::failure::Failure;
use super::output::{self, Outputs};
use super::{backtest_charts, covariates, input, leaderboard, sample_chart};

/// What `--json` gives.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    scores: &'a Scores,
    leaderboard: &'a Leaderboard,
    failed: &'a [FailedSeries],
}

pub(crate) fn run(arguments: &BacktestArguments, console: &Console) -> Result<(), Failure> {
    check_outputs(arguments)?;
    input::check_levels(&arguments.level)?;
    let ranking = LeaderboardOptions { metric: arguments.metric.clone(), ..LeaderboardOptions::default() };
    ranking.check(&arguments.level)?;
    let models =
        arguments.model.iter().map(|name| ModelConfig::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let configs = input::configs(models, &arguments.fitting)?;
    let options = BacktestOptions {
        horizon: arguments.horizon,
        n_windows: arguments.n_windows,
        step_size: arguments.step_size,
        gap: arguments.gap,
        training: arguments.training.parse()?,
        refit: arguments.refit.parse()?,
        on_error: if arguments.errors.is_some() { OnError::LeaveOut } else { OnError::Stop },
        levels: arguments.level.clone(),
        intervals: if arguments.adaptive { Intervals::Adaptive } else { Intervals::Fitted },
        fit: input::fit_options(&arguments.fitting, None, "")?,
    };
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    covariates::note_unused(&panel, &configs.iter().collect::<Vec<_>>(), console);
    let result = {
        let _progress = console.progress(format!("back-testing over {} windows", options.n_windows));
        backtest(&configs, &panel, &options).map_err(|error| explained(error, &panel, &options))?
    };
    let scores = result.scores();
    let board = result.leaderboard(&ranking)?;
    write(arguments, &result, &scores, console)?;
    say(&result, arguments.errors.as_deref(), console)?;
    leaderboard::say_scores(&scores, console)?;
    leaderboard::say(&board, console)?;
    console.json(&Report { scores: &scores, leaderboard: &board, failed: &result.failed })
}

/// Refuses outputs that could not be written in the end.
fn check_outputs(arguments: &BacktestArguments) -> Result<(), Failure> {
    output::check_table(arguments.output.as_deref(), arguments.format.as_deref())?;
    let tables = [&arguments.scores, &arguments.scores_by_step, &arguments.errors];
    for table in tables {
        output::check_table(table.as_deref(), None)?;
    }
    let charts =
        [&arguments.plot, &arguments.plot_horizon, &arguments.plot_calibration, &arguments.plot_sample];
    for chart in charts {
        output::check_chart(chart.as_deref())?;
    }
    let written = std::iter::once(&arguments.output).chain(tables).chain(charts);
    output::check_apart(&[&arguments.data], &written.map(|path| path.as_deref()).collect::<Vec<_>>())
}

/// What can be done where one of several series cannot be tested.
fn explained(error: forecast::Error, panel: &Panel, options: &BacktestOptions) -> Failure {
    let is_one_of_many =
        error.series().is_some() && panel.series().len() > 1 && options.on_error == OnError::Stop;
    match Failure::from(error) {
        Failure::User(message) if is_one_of_many => {
            Failure::User(format!("{message}; or leave such series out with --errors FILE"))
        }
        failure => failure,
    }
}

/// Writes every file that was asked for, or none.
fn write(
    arguments: &BacktestArguments,
    result: &Backtest,
    scores: &Scores,
    console: &Console,
) -> Result<(), Failure> {
    let rows = result.table();
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.output {
        outputs.add_table(path, &rows, arguments.format.as_deref())?;
    }
    if let Some(path) = &arguments.scores {
        outputs.add_table(path, &scores.table(), None)?;
    }
    if let Some(path) = &arguments.scores_by_step {
        outputs.add_table(path, &result.scores_by_step()?.table(), None)?;
    }
    if let Some(path) = &arguments.errors {
        let column =
            |of: fn(&FailedSeries) -> &String| Cells::Text(result.failed.iter().map(of).cloned().collect());
        let table = [
            ("unique_id".to_string(), column(|failed| &failed.series)),
            ("error".to_string(), column(|failed| &failed.error)),
        ];
        outputs.add_table(path, &table, None)?;
    }
    if let Some(path) = &arguments.plot {
        outputs.add(path, backtest_charts::against_actuals(&rows, None)?);
    }
    if let Some(path) = &arguments.plot_horizon {
        outputs.add(path, backtest_charts::error_by_step(&rows)?);
    }
    if let Some(path) = &arguments.plot_calibration {
        outputs.add(path, backtest_charts::calibration(&rows)?);
    }
    if let Some(path) = &arguments.plot_sample {
        outputs.add(path, sample_chart::sample(&rows)?);
    }
    // Files first: whoever reads our output may stop reading.
    outputs.write(console)
}

/// One line about what was tested, and one about what was not.
fn say(result: &Backtest, errors: Option<&Path>, console: &Console) -> Result<(), Failure> {
    let gap = if result.gap == 0 { String::new() } else { format!(" after a gap of {}", result.gap) };
    let n_series = result.panel().series().len();
    console.say(format!(
        "{} windows x {n_series} series, horizon {}{gap}, season {}",
        result.n_windows, result.horizon, result.season_length
    ))?;
    match (result.failed.len(), errors) {
        (0, _) | (_, None) => Ok(()),
        (n, Some(path)) => {
            let (kept, what) = match result.is_wide {
                true => (result.panel().channels().len(), "channels"),
                false => (n_series, "series"),
            };
            console.say(format!("{n} of {} {what} left out; {} says why", n + kept, path.display()))
        }
    }
}
