//! `longcast backtest`: several cutoffs, several models, seasonal naive always beside them.

use forecast::ModelConfig;
use forecast::eval::{BacktestOptions, Scores, backtest};

use super::args::BacktestArguments;
use super::console::{Console, columns};
use super::failure::Failure;
use super::output::{self, Outputs};
use super::{backtest_charts, covariates, input};

pub(crate) fn run(arguments: &BacktestArguments, console: &Console) -> Result<(), Failure> {
    output::check_table(arguments.output.as_deref(), arguments.format.as_deref())?;
    output::check_table(arguments.scores.as_deref(), None)?;
    output::check_chart(arguments.plot.as_deref())?;
    output::check_chart(arguments.plot_horizon.as_deref())?;
    let written = [&arguments.output, &arguments.scores, &arguments.plot, &arguments.plot_horizon];
    output::check_apart(&[&arguments.data], &written.map(|path| path.as_deref()))?;
    input::check_levels(&arguments.level)?;
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
    let names: Vec<&str> = configs.iter().map(ModelConfig::name).collect();
    covariates::note_unused(&panel, &names, console);
    let result = {
        let _progress = console.progress(format!("back-testing over {} windows", options.n_windows));
        backtest(&configs, &panel, &options)?
    };
    let scores = result.scores();
    let rows = result.table();
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.output {
        outputs.add_table(path, &rows, arguments.format.as_deref())?;
    }
    if let Some(path) = &arguments.scores {
        outputs.add_table(path, &scores.table(), None)?;
    }
    if let Some(path) = &arguments.plot {
        outputs.add(path, backtest_charts::against_actuals(&rows, None)?);
    }
    if let Some(path) = &arguments.plot_horizon {
        outputs.add(path, backtest_charts::error_by_step(&rows)?);
    }
    // Files first: whoever reads our output may stop reading.
    outputs.write(console)?;
    console.say(format!(
        "{} windows x {} series, horizon {}, season {}",
        options.n_windows,
        panel.series().len(),
        result.horizon,
        result.season_length
    ))?;
    say(&scores, console)?;
    console.json(&scores)
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
