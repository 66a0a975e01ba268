//! Model files load for ever: files saved by earlier versions are kept here, and have to forecast the same bits.
//!
//! `files/<name>-v<format>.longcast` is a model as it was saved then, `files/<name>-v<format>.json` its forecast:
//! the bits of every number in hexadecimal. When the format changes, the old files stay, and files of the new
//! version are added beside them:
//!
//! ```sh
//! LONGCAST_REGENERATE_FILES=1 cargo test --release --workspace --test model_files
//! ```
//!
//! writes the files that are not there, and fails if all are. It writes over none: whoever means to replace a
//! file, because its version was never released, deletes it and its `.json` first.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests outside of test functions; what fails in them is a failed test"
)]

use std::path::{Path, PathBuf};

use forecast::data::{CovariateDeclaration, CovariateFlags};
use forecast::model::FORMAT_VERSION;
use forecast::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_datasets::{Season, Seasonal};
use serde_json::{Value, json};

const HORIZON: usize = 6;
/// The first format that files of `ssm` have.
const FIRST_OF_SSM: u64 = 6;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

/// The models of this version, and the first version that had them.
fn models() -> [(&'static str, ModelConfig, u64); 11] {
    let with =
        |model: &str, key: &str, value: &str| ModelConfig::parse(model).unwrap().with(key, value).unwrap();
    let small = [
        ("lookback", "24"),
        ("label_length", "12"),
        ("d_model", "8"),
        ("n_heads", "2"),
        ("d_ff", "8"),
        ("encoder_layers", "prob"),
        ("epochs", "1"),
    ];
    let informer = ModelConfig::parse("informer").unwrap();
    let informer = small.iter().fold(informer, |config, (key, value)| config.with(key, value).unwrap());
    let small =
        [("lookback", "24"), ("d_model", "4"), ("d_state", "4"), ("epochs", "1"), ("kernel_dim", "4")];
    let ssm = ModelConfig::parse("ssm").unwrap();
    let ssm = small.iter().fold(ssm, |config, (key, value)| config.with(key, value).unwrap());
    let window = ssm.with("mixer", "sgconv").unwrap().with("normalisation", "last-value").unwrap();
    let quantiles = ssm.with("head", "quantiles").unwrap().with("intervals", "head").unwrap();
    [
        ("ssm-covariates", ssm.clone(), FIRST_OF_SSM),
        ("informer-covariates", informer.clone(), 6),
        ("ssm-quantiles", quantiles, FIRST_OF_SSM),
        ("ssm", ssm, FIRST_OF_SSM),
        ("ssm-window", window, FIRST_OF_SSM),
        ("informer", informer, 5),
        ("ar", with("ar", "order", "3"), 1),
        ("ar-net", with("ar-net", "order", "30"), 4),
        ("ar-fourier", with("ar", "order", "3").with("fourier", "1D:2").unwrap(), 4),
        ("ar-direct", with("ar", "lookbacks", "3,5").with("pooled", "true").unwrap(), 3),
        ("seasonal-naive", with("seasonal-naive", "season_length", "24"), 1),
    ]
}

/// Two short hourly series in Rome, over a clock change, with a gap.
fn panel() -> Panel {
    let mut csv = "unique_id,ds,y\n".to_string();
    for (seed, id) in [(1, "Dora"), (2, "Stura di Lanzo")] {
        let season = Season { period: 24.0, amplitude: 5.0, phase: 0.0 };
        let recipe = Seasonal { level: 40.0, slope: 0.01, seasons: vec![season], noise_std: 1.0 };
        let start: jiff::Timestamp = "2024-03-25T00:00:00Z".parse().unwrap();
        for (hour, value) in (0..).zip(recipe.generate(200, seed).unwrap()) {
            if !(90..93).contains(&hour) {
                csv += &format!("{id},{},{value}\n", start + jiff::SignedDuration::from_hours(hour));
            }
        }
    }
    let zone = Some(forecast::data::Zone::named("Europe/Rome").unwrap());
    Panel::read_csv(csv.as_bytes(), "rivers.csv", &ReadOptions { zone, ..ReadOptions::default() }).unwrap()
}

/// The same rivers with rain that is known ahead, what kind of day it is, the water above, and their valley.
fn panel_with_covariates() -> Panel {
    let bare = panel();
    let mut csv = "unique_id,ds,y,rain,day,above,valley\n".to_string();
    for (at, series) in bare.series().iter().enumerate() {
        let (index, n) = (series.index(), series.n_steps());
        for step in 0..n + HORIZON {
            let (rain, day) = ((step * step + 3 * at) % 17, ["work", "free"][step / 24 % 2]);
            let (y, above) = match step < n {
                true => (series.values()[[step, 0]].to_string(), ((step * 7) % 23).to_string()),
                false => Default::default(),
            };
            let y = if y == "NaN" { String::new() } else { y };
            let stamp = index.format(index.stamp(step));
            csv += &format!("{},{stamp},{y},{rain},{day},{above},{}\n", series.id(), ["Susa", "Lanzo"][at]);
        }
    }
    let flags = CovariateFlags {
        future_col: vec!["rain".into(), "day".into()],
        past_col: vec!["above".into()],
        static_col: vec!["valley".into()],
        categorical_col: vec!["day".into(), "valley".into()],
    };
    let covariates = CovariateDeclaration::default().with_flags(&flags).unwrap();
    let zone = Some(forecast::data::Zone::named("Europe/Rome").unwrap());
    let target_columns = vec!["y".to_string()];
    let options = ReadOptions { zone, covariates, target_columns, ..ReadOptions::default() };
    Panel::read_csv(csv.as_bytes(), "rivers.csv", &options).unwrap()
}

fn forecasts(model: &Model) -> Vec<Forecast> {
    let options = ForecastOptions {
        horizon: HORIZON,
        levels: vec![80.0],
        quantiles: vec![0.1, 0.5],
        ..Default::default()
    };
    model.forecast_next(&options).unwrap()
}

fn hex<'a>(values: impl IntoIterator<Item = &'a f64>) -> Vec<String> {
    values.into_iter().map(|v| format!("{:016x}", v.to_bits())).collect()
}

/// Everything that a forecast says, with the bits of its numbers.
fn told(forecasts: &[Forecast]) -> Value {
    let one = |forecast: &Forecast| {
        let stamps = forecast.index.stamps().map(|stamp| forecast.index.format(stamp));
        let bounds = |bound: fn(&forecast::model::Interval) -> &ndarray::Array2<f64>| {
            forecast.intervals.iter().map(|interval| hex(bound(interval))).collect::<Vec<_>>()
        };
        json!({
            "series": forecast.series,
            "channels": forecast.channels,
            "stamps": stamps.collect::<Vec<_>>(),
            "mean": hex(&forecast.mean),
            "lower": bounds(|interval| &interval.lower),
            "upper": bounds(|interval| &interval.upper),
            "quantiles": forecast.quantiles.iter().map(|path| hex(&path.values)).collect::<Vec<_>>(),
        })
    };
    Value::Array(forecasts.iter().map(one).collect())
}

fn saved_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).unwrap_or_else(|error| panic!("tests/files: {error}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "longcast"));
    files.sort();
    files
}

/// Writes the files of this version that are not there, if the environment asks for it.
fn regenerate() {
    if std::env::var_os("LONGCAST_REGENERATE_FILES").is_none_or(|value| value != "1") {
        return;
    }
    std::fs::create_dir_all(folder()).unwrap();
    let is_missing = |path: &PathBuf| !path.exists() && !path.with_extension("json").exists();
    let panels = [panel(), panel_with_covariates()];
    let mut n_written = 0;
    for (name, config, _) in models() {
        let panel = &panels[usize::from(name.ends_with("covariates"))];
        let path = folder().join(format!("{name}-v{FORMAT_VERSION}.longcast"));
        if is_missing(&path) {
            let options =
                FitOptions { horizon: Some(HORIZON), unit: "m3/s".to_string(), ..FitOptions::default() };
            let model = Model::fit(&config, panel, &options).unwrap().model;
            model.save(&path).unwrap();
            let text = serde_json::to_string_pretty(&told(&forecasts(&model))).unwrap();
            std::fs::write(path.with_extension("json"), text + "\n").unwrap();
            n_written += 1;
        }
    }
    assert!(
        n_written > 0,
        "every file of format {FORMAT_VERSION} is there and stays as it is; to replace one whose version was never \
         released, delete it and its .json first"
    );
}

/// Both tests read the files, so the first of them waits for a regeneration to end, or starts it.
fn ready() {
    static READY: std::sync::Once = std::sync::Once::new();
    READY.call_once(regenerate);
}

#[test]
fn every_model_file_ever_saved_loads_and_forecasts_the_same_bits() {
    ready();
    let files = saved_files();
    for (name, _, first) in models() {
        for version in first..=FORMAT_VERSION {
            let path = folder().join(format!("{name}-v{version}.longcast"));
            assert!(files.contains(&path), "there is no {name} of format {version} in tests/files");
        }
    }
    for path in files {
        println!("read {}", path.display());
        let model = Model::load(&path).unwrap_or_else(|error| panic!("{error}"));
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name.starts_with(model.header().config.name()), "{name}");
        let expected = std::fs::read(path.with_extension("json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        assert!(expected.as_array().is_some_and(|forecasts| !forecasts.is_empty()), "{name}");
        match model.header().config.is_trained_once() {
            // The sums of 32 bits are in the order that the processor's vectors have.
            true => assert_close(&told(&forecasts(&model)), &expected),
            false => assert_eq!(told(&forecasts(&model)), expected, "{name}"),
        }
    }
}

/// The same but for numbers, told by their bits, that differ by a ten-thousandth.
fn assert_close(ours: &Value, expected: &Value) {
    match (ours, expected) {
        (Value::Array(ours), Value::Array(expected)) => {
            assert_eq!(ours.len(), expected.len());
            ours.iter().zip(expected).for_each(|(ours, expected)| assert_close(ours, expected));
        }
        (Value::Object(ours), Value::Object(expected)) => {
            assert!(ours.keys().eq(expected.keys()));
            ours.values().zip(expected.values()).for_each(|(ours, expected)| assert_close(ours, expected));
        }
        (Value::String(ours), Value::String(expected)) if ours.len() == 16 && !ours.contains(['-', ' ']) => {
            let number = |text: &str| f64::from_bits(u64::from_str_radix(text, 16).unwrap());
            let (ours, expected) = (number(ours), number(expected));
            assert!((ours - expected).abs() <= 1e-4 * expected.abs(), "{ours} for {expected}");
        }
        _ => assert_eq!(ours, expected),
    }
}

/// What an old file says about itself has to stay readable too.
#[test]
fn the_headers_of_the_first_version_still_say_what_they_said() {
    ready();
    for (name, config, _) in models().into_iter().filter(|(_, _, first)| *first == 1) {
        let model = Model::load(folder().join(format!("{name}-v1.longcast"))).unwrap();
        let header = model.header();
        assert_eq!((&header.config, &header.longcast[..]), (&config, "0.1.0"));
        assert_eq!(header.series, ["Dora", "Stura di Lanzo"]);
        assert_eq!((&header.channels[..], &header.unit[..]), (&["y".to_string()][..], "m3/s"));
        assert_eq!((header.step.to_string(), header.horizon), ("1h".to_string(), HORIZON));
        assert_eq!(header.zone, forecast::data::Zone::named("Europe/Rome").unwrap());
        let ends: Vec<String> = model.history().iter().map(|s| s.index().format(s.index().end())).collect();
        assert_eq!(ends, ["2024-04-02T09:00:00+02:00"; 2], "{name}");
        // The gap is still a gap.
        assert_eq!(model.history()[0].n_steps() - model.history()[0].n_observed(0), 3, "{name}");
    }
}
