//! `longcast fit`: a model from data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use forecast::data::Frequency;
use forecast::nn::{Control, HeadKind, PointLoss, TrainingEvent};
use forecast::plot::LossCurveChart;
use forecast::{FitReport, Model, ModelConfig, Step};
use indicatif::HumanDuration;
use serde_json::json;

use super::args::FitArguments;
use super::console::Console;
use super::failure::Failure;
use super::{covariates, input, output};

pub(crate) fn run(arguments: &FitArguments, console: &Console) -> Result<(), Failure> {
    output::check(Some(&arguments.output))?;
    output::check_apart(&[&arguments.data], &[Some(&arguments.output)])?;
    let base = match &arguments.config {
        Some(path) => input::config_file(path)?,
        None => ModelConfig::parse(&arguments.model)?,
    };
    let mut config = input::configs(vec![base], &arguments.fitting)?.remove(0);
    if let Some(seconds) = arguments.time_limit {
        config = config.with("time_limit", &seconds.to_string())?;
    }
    let mut options = input::fit_options(&arguments.fitting, arguments.horizon, &arguments.unit)?;
    options.device = arguments.device.parse()?;
    let state = training_file(&arguments.output);
    if config.is_trained_once() {
        (options.checkpoint, options.resume) = (Some(state.clone()), arguments.resume);
    } else if arguments.resume {
        return Err(Failure::option(
            "resume",
            config.name(),
            "its fit has nothing to go on from: leave it out",
        ));
    }
    let panel = input::read(&arguments.data, &arguments.input, console)?;
    covariates::note_unused(&panel, &[&config], console);
    let fitted = {
        let progress = console.progress(format!("fitting {}", config.name()));
        let mut watch = |event: &TrainingEvent| {
            progress.say(told(config.name(), event));
            Control::Continue
        };
        Model::fit_watched(&config, &panel, &options, &mut watch)?
    };
    let charts = arguments.plot_losses.iter().map(|path| Ok((path, losses(&config, &fitted.report)?)));
    for (path, chart) in charts.collect::<Result<Vec<_>, Failure>>()? {
        output::file(path, chart, console)?;
    }
    output::file(&arguments.output, fitted.model.to_bytes()?, console)?;
    // A training that is done has nothing left to go on with; one that cannot be removed does no harm.
    let _ = std::fs::remove_file(&state);
    for warning in &fitted.report.warnings {
        console.note(format!("warning: {}", warning.message));
    }
    say(&fitted.model, &fitted.report, console)?;
    console.json(&json!({ "output": arguments.output, "header": fitted.model.header() }))
}

/// Where the state of a training lies until it is done.
fn training_file(output: &Path) -> PathBuf {
    let mut name = output.as_os_str().to_owned();
    name.push(".training");
    PathBuf::from(name)
}

/// Where a training stands, in a line.
fn told(model: &str, event: &TrainingEvent) -> String {
    let at = event.progress();
    format!(
        "training {model}: epoch {} of {}, batch {} of {}, loss {:.4}, {:.0} windows a second, {} left",
        at.epoch,
        at.n_epochs,
        at.batch,
        at.n_batches,
        at.loss,
        at.windows_per_second,
        HumanDuration(Duration::from_secs_f64(at.seconds_left.clamp(0.0, 1e9))),
    )
}

/// The chart of a training's losses.
fn losses(config: &ModelConfig, report: &FitReport) -> Result<Vec<u8>, Failure> {
    let Some(report) = &report.training else {
        let rule = "its fit tells no losses: leave it out";
        return Err(Failure::option("plot-losses", config.name(), rule));
    };
    let chart = LossCurveChart {
        title: format!("{}: losses by epoch", config.name()),
        loss_label: loss_label(config).to_string(),
        report: report.clone(),
    };
    Ok(chart.render()?)
}

/// What a training has minimised.
fn loss_label(config: &ModelConfig) -> &'static str {
    let (head, loss) = match config {
        ModelConfig::Informer(settings) => (settings.network.head, settings.network.loss),
        _ => (HeadKind::Point, PointLoss::Mse),
    };
    match (head, loss) {
        (HeadKind::Point, PointLoss::Mse) => "mean squared error (scaled)",
        (HeadKind::Point, PointLoss::Mae) => "mean absolute error (scaled)",
        (HeadKind::Point, PointLoss::Huber) => "Huber's loss (scaled)",
        (HeadKind::Quantiles, _) => "pinball loss (scaled)",
        (HeadKind::Gaussian | HeadKind::StudentT, _) => "negative log likelihood (scaled)",
    }
}

/// What was fitted and how it did, in a few lines.
pub(crate) fn say(model: &Model, report: &FitReport, console: &Console) -> Result<(), Failure> {
    let header = model.header();
    console.say(format!(
        "{}: looks back {}, season {}, intervals up to {} ahead",
        header.config.name(),
        steps(model.lookback(), &header.frequency()),
        header.season_length,
        steps(header.horizon, &header.frequency()),
    ))?;
    if let Some(training) = &report.training {
        let kept = training
            .best_epoch
            .map_or("those of the last step".to_string(), |epoch| format!("epoch {epoch}"));
        console.say(format!(
            "trained {} weights for {} epochs in {:.1} s, {:.0} windows a second; kept {kept}",
            training.n_parameters,
            training.losses.len(),
            training.seconds,
            training.windows_per_second,
        ))?;
    }
    console.say(format!(
        "validation, {} windows: MASE {:.3} (seasonal naive {:.3}), MAE {:.4} (seasonal naive {:.4})",
        report.n_windows, report.mase, report.seasonal_naive_mase, report.mae, report.seasonal_naive_mae
    ))
}

/// `168 steps (7 days)`.
fn steps(n: usize, frequency: &Frequency) -> String {
    let unit = if n == 1 { "step" } else { "steps" };
    match frequency.step {
        Step::Index(_) => format!("{n} {unit}"),
        _ => format!("{n} {unit} ({})", frequency.span(n)),
    }
}
