//! `longcast backtest`: several cutoffs, several models, seasonal naive always beside them.

use forecast::ModelConfig;
use forecast::eval::{BacktestOptions, Scores, backtest};

use super::args::BacktestArguments;
use super::console::{Console, columns};
use super::failure::Failure;
use super::{charts, input, output};

pub(crate) fn run(arguments: &BacktestArguments, console: &Console) -> Result<(), Failure> {
    if let Some(path) = &arguments.output {
        output::format(Some(path), arguments.format.as_deref())?;
    }
    if let Some(path) = &arguments.scores {
        output::format(Some(path), None)?;
    }
    let models =
        arguments.model.iter().map(|name| ModelConfig::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let configs = input::configs(models, &arguments.fitting)?;
    let options = BacktestOptions {
        horizon: arguments.horizon,
        n_windows: arguments.n_windows,
        step_size: arguments.step_size,
        refit: arguments.refit.parse()?,
        levels: arguments.level.clone(),
        fit: input::fit_options(&arguments.fitting, None, "")?,
    };
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    let result = {
        let _progress = console.progress(format!("back-testing over {} windows", options.n_windows));
        backtest(&configs, &panel, &options)?
    };
    let scores = result.scores();
    console.say(format!(
        "{} windows x {} series, horizon {}, season {}",
        options.n_windows,
        panel.series().len(),
        result.horizon,
        result.season_length
    ))?;
    say(&scores, console)?;
    console.json(&scores)?;
    let rows = result.table();
    if let Some(path) = &arguments.output {
        output::table(&rows, Some(path), arguments.format.as_deref(), console)?;
    }
    if let Some(path) = &arguments.scores {
        output::table(&scores.table(), Some(path), None, console)?;
    }
    if let Some(path) = &arguments.plot {
        output::file(path, &charts::backtest(&rows, None)?, console)?;
    }
    if let Some(path) = &arguments.plot_horizon {
        output::file(path, &charts::horizon_error(&rows)?, console)?;
    }
    Ok(())
}

/// The mean of every metric over the series, a row each.
pub(crate) fn say(scores: &Scores, console: &Console) -> Result<(), Failure> {
    let mut rows = vec![std::iter::once(String::new()).chain(scores.models.iter().cloned()).collect()];
    for metric in scores.metrics() {
        let values = scores.mean(metric).into_iter().map(|value| format!("{value:.4}"));
        rows.push(std::iter::once(metric.to_string()).chain(values).collect::<Vec<_>>());
    }
    columns(&rows).iter().try_for_each(|line| console.say(line))
}
