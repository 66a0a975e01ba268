//! `longcast bench ltsf`: the literature's long-horizon protocol, baselines always beside the models.

use forecast::data::SplitRule;
use forecast::eval::{Ltsf, LtsfOptions, LtsfScore};
use forecast::{FitOptions, ModelConfig, Panel};
use serde::Serialize;

use super::args::{BenchArguments, Features, LtsfArguments, Protocol};
use super::bench_data::Source;
use super::console::{Console, columns};
use super::failure::Failure;
use super::output::{self, Outputs};
use super::{input, memory};

/// What a row has to be read with.
const REMARK: &str = "Errors are on values scaled by the training range, over every window of the test range. \
    Published tables are no bar, many drop windows or choose by the test range: compare with the baselines above.";

pub(crate) fn run(arguments: &BenchArguments, console: &Console) -> Result<(), Failure> {
    match &arguments.protocol {
        Protocol::Ltsf(arguments) => ltsf(arguments, console),
    }
}

fn ltsf(arguments: &LtsfArguments, console: &Console) -> Result<(), Failure> {
    let configs = configs(arguments)?;
    let data_dir = arguments.data_dir.as_deref();
    let sources =
        arguments.data.iter().map(|name| Source::find(name, data_dir)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<_> = sources.iter().filter_map(Source::path).collect();
    output::check(arguments.json.as_deref())?;
    output::check_apart(&files, &[arguments.json.as_deref()])?;
    if arguments.target.is_some() && !arguments.features.contains(&Features::Univariate) {
        let rule = "it is forecast alone with --features S only; add that";
        return Err(Failure::option("--target", quoted(arguments.target.as_deref()), rule));
    }

    let mut benches = Vec::new();
    for source in &sources {
        let panel = source.read(arguments, console)?;
        for features in &arguments.features {
            benches.push(Bench::run(source, *features, &panel, &configs, arguments, console)?);
        }
    }
    let rows: Vec<Row<'_>> = benches.iter().flat_map(Bench::rows).collect();
    let mut outputs = Outputs::default();
    if let Some(path) = &arguments.json {
        let mut json = serde_json::to_vec_pretty(&rows)
            .map_err(|error| Failure::Internal(format!("cannot write JSON: {error}")))?;
        json.push(b'\n');
        outputs.add(path, json);
    }
    // Files first: whoever reads our output may stop reading.
    outputs.write(console)?;
    benches.iter().try_for_each(|bench| bench.say(console))?;
    console.say(REMARK)?;
    console.json(&rows)
}

/// The models that were asked for, with the lookback that was typed, behind the baselines.
fn configs(arguments: &LtsfArguments) -> Result<Vec<ModelConfig>, Failure> {
    let mut configs =
        arguments.models.iter().map(|name| ModelConfig::parse(name)).collect::<Result<Vec<_>, _>>()?;
    if let Some(lookback) = arguments.lookback {
        let keys = ["lookback", "order"];
        configs = input::set_where_known(configs, &keys, &lookback.to_string(), "--lookback")?;
    }
    configs = input::set_all(configs, &arguments.set)?;
    Ok(Ltsf::with_baselines(&configs))
}

/// Every model on one data set.
struct Bench {
    data: String,
    features: Features,
    title: String,
    /// Each with the peak memory of its run in MB, by horizon and then in the order of the models.
    scores: Vec<(LtsfScore, Option<f64>)>,
    /// True if the peak is that of the model alone.
    is_peak_its_own: bool,
}

/// One row of the file, as the literature's tables have it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    data: &'a str,
    model: &'a str,
    horizon: usize,
    mse: f64,
    mae: f64,
    windows: usize,
    lookback: usize,
    seed: u64,
    fit_seconds: f64,
    features: &'static str,
}

impl Bench {
    fn run(
        source: &Source,
        features: Features,
        panel: &Panel,
        configs: &[ModelConfig],
        arguments: &LtsfArguments,
        console: &Console,
    ) -> Result<Self, Failure> {
        let alone = match features {
            Features::Multivariate => None,
            Features::Univariate => {
                Some(panel.select_channels(&[target(source, panel.channels(), arguments)?])?)
            }
        };
        let panel = alone.as_ref().unwrap_or(panel);
        let options = LtsfOptions {
            horizons: arguments.horizons.clone(),
            split: split_rule(arguments.split.as_deref(), &source.name)?,
            season_length: arguments.season_length,
        };
        let ltsf = Ltsf::new(panel, &options)?;
        let split = ltsf.split();
        let channels = match panel.channels() {
            [one] => one.clone(),
            several => format!("{} channels", several.len()),
        };
        let title = format!(
            "{} {} ({}): {} steps for training, {} for validation, {} for testing; season {}",
            source.name,
            features.letter(),
            channels,
            split.train.len(),
            split.validation.len(),
            split.test.len(),
            ltsf.season_length()
        );
        let (mut scores, mut is_peak_its_own) = (Vec::new(), true);
        for config in configs {
            let _progress = console.progress(format!("{title}: {}", config.name()));
            is_peak_its_own &= memory::reset_peak();
            let scored = ltsf.score(config)?;
            let peak = memory::peak_mb();
            scores.extend(scored.into_iter().map(|score| (score, peak)));
        }
        // Stable: the models of one horizon stay in order.
        scores.sort_by_key(|(score, _)| score.horizon);
        Ok(Bench { data: source.name.clone(), features, title, scores, is_peak_its_own })
    }

    fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.scores.iter().map(|(score, _)| Row {
            data: &self.data,
            model: &score.model,
            horizon: score.horizon,
            mse: score.mse,
            mae: score.mae,
            windows: score.n_windows,
            lookback: score.lookback,
            // No family makes a random choice yet.
            seed: FitOptions::default().seed,
            fit_seconds: score.fit_seconds,
            features: self.features.letter(),
        })
    }

    fn say(&self, console: &Console) -> Result<(), Failure> {
        let peak = if self.is_peak_its_own { "peak MB" } else { "peak MB (whole run)" };
        let header =
            ["model", "horizon", "mse", "mae", "windows", "lookback", "parameters", "fit seconds", peak];
        let mut table = vec![header.map(String::from).to_vec()];
        table.extend(self.scores.iter().map(|(score, peak)| {
            vec![
                score.model.clone(),
                score.horizon.to_string(),
                format!("{:.4}", score.mse),
                format!("{:.4}", score.mae),
                score.n_windows.to_string(),
                score.lookback.to_string(),
                score.n_parameters.to_string(),
                format!("{:.2}", score.fit_seconds),
                peak.map_or_else(|| "-".to_string(), |mb| format!("{mb:.0}")),
            ]
        }));
        console.say(&self.title)?;
        columns(&table).iter().try_for_each(|line| console.say(line))?;
        let longest = self.scores.last().map_or((0, 0), |(score, _)| (score.n_missing, score.horizon));
        if longest.0 > 0 {
            console.say(format!(
                "{} labels of horizon {} are missing and count nowhere",
                longest.0, longest.1
            ))?;
        }
        console.say("")
    }
}

/// The channel that is forecast alone.
fn target(source: &Source, channels: &[String], arguments: &LtsfArguments) -> Result<String, Failure> {
    match &arguments.target {
        Some(name) if channels.contains(name) => Ok(name.clone()),
        Some(_) => {
            let rule = format!("the channels of {} are {}", source.name, channels.join(", "));
            Err(Failure::option("--target", quoted(arguments.target.as_deref()), &rule))
        }
        None => source
            .target(channels)
            .ok_or_else(|| Failure::Internal(format!("{} has no channels", source.name))),
    }
}

/// The months of ETT for files of that name, the literature's shares for all others, or what was asked for.
fn split_rule(asked: Option<&str>, name: &str) -> Result<SplitRule, Failure> {
    let shares = |text: &str| -> Option<SplitRule> {
        let (train, validation) = text.split_once(',')?;
        let share = |text: &str| text.trim().parse().ok();
        Some(SplitRule::Ratio { train: share(train)?, validation: share(validation)? })
    };
    match asked {
        Some("ett") => Ok(SplitRule::EttMonths),
        Some(text) => shares(text).ok_or_else(|| {
            let rule = "it must be ett or the shares of training and validation, such as 0.7,0.1";
            Failure::option("--split", quoted(asked), rule)
        }),
        None if name.starts_with("ETTh") || name.starts_with("ETTm") => Ok(SplitRule::EttMonths),
        None => Ok(LtsfOptions::default().split),
    }
}

fn quoted(text: Option<&str>) -> String {
    format!("\"{}\"", text.unwrap_or_default())
}
