//! Holds metrics, autoregression and AR-Net's regulariser to numbers made with reference code; `golden/README.md`
//! says which.
//!
//! The files come from the folder that the environment variable `LONGCAST_GOLDEN` names, else from
//! `tests/golden`. Every size is read from the file, so files of other sizes and seeds can be dropped in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a golden file that cannot be read is a failed test"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use forecast::ar::sparse::{self, Lambdas, PathOptions, Problem, Ramp, Refit, Regulariser, Strength};
use forecast::data::{Scaling, Series, TimeIndex};
use forecast::eval::metrics;
use forecast::{FitOptions, Model, ModelConfig, Panel, Step};
use ndarray::Array2;
use safetensors::SafeTensors;
use serde_json::Value;

/// Every matching file, sorted; none is a failure, because then nothing would be compared.
fn golden_files(prefix: &str, extension: &str) -> Vec<PathBuf> {
    let in_tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("LONGCAST_GOLDEN").map_or(in_tree, PathBuf::from);
    let is_wanted = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(prefix) && name.ends_with(extension)
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("cannot list {}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(is_wanted)
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no {prefix}*{extension} in {}", folder.display());
    files
}

#[test]
fn metrics_golden() {
    for path in golden_files("metrics_", ".json") {
        println!("read {}", path.display());
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let variants = file["variants"].as_object().unwrap();
        assert!(!variants.is_empty(), "{}", path.display());
        for (name, variant) in variants {
            let case = format!("{} {name}", path.display());
            Variant::new(&file["config"], variant, &case).check(variant);
        }
    }
}

/// One table of targets and forecasts, and what it takes to score it.
struct Variant<'a> {
    case: &'a str,
    season_length: usize,
    quantiles: Vec<f64>,
    train: BTreeMap<String, Vec<f64>>,
    /// By series, then by column.
    test: BTreeMap<String, BTreeMap<String, Vec<f64>>>,
}

/// A list of numbers; `null` is a missing value.
fn numbers(value: &Value) -> Vec<f64> {
    let cells = value.as_array().unwrap();
    cells.iter().map(|v| v.as_f64().unwrap_or(f64::NAN)).collect()
}

fn by_name<T>(value: &Value, read: impl Fn(&Value) -> T) -> BTreeMap<String, T> {
    let entries = value.as_object().unwrap().iter();
    entries.map(|(name, value)| (name.clone(), read(value))).collect()
}

impl<'a> Variant<'a> {
    fn new(config: &Value, variant: &Value, case: &'a str) -> Self {
        let size = |key: &str| usize::try_from(config[key].as_u64().unwrap()).unwrap();
        let this = Variant {
            case,
            season_length: size("seasonality"),
            quantiles: numbers(&config["quantiles"]),
            train: by_name(&variant["train"], numbers),
            test: by_name(&variant["test"], |columns| by_name(columns, numbers)),
        };
        assert_eq!(this.test.len(), size("series"), "{case}");
        assert!(this.train.values().all(|y| y.len() == size("train_steps")), "{case}");
        let mut columns = this.test.values().flat_map(BTreeMap::values);
        assert!(columns.all(|column| column.len() == size("steps")), "{case}");
        this
    }

    /// Our value of the metric that the golden file calls `metric`.
    fn ours(&self, metric: &str, model: &str, series: &str) -> f64 {
        let columns = &self.test[series];
        let column = |suffix: &str| &columns[&format!("{model}{suffix}")][..];
        let (y, train) = (&columns["y"][..], &self.train[series][..]);
        let quantile_loss = |q: f64| metrics::quantile_loss(y, column(&quantile_column(q)), q);
        let (name, parameter) = metric.rsplit_once('_').unwrap_or((metric, ""));
        match (metric, name) {
            ("mae", _) => metrics::mae(y, column("")),
            ("mse", _) => metrics::mse(y, column("")),
            ("rmse", _) => metrics::rmse(y, column("")),
            ("mape", _) => metrics::mape(y, column("")),
            ("smape", _) => metrics::smape(y, column("")),
            ("wape" | "nd", _) => metrics::wape(y, column("")),
            ("mase", _) => metrics::mase(y, column(""), metrics::naive_scale(train, self.season_length)),
            ("rmsse" | "msse", _) => {
                let scale = metrics::naive_square_scale(train, self.season_length);
                let rmsse = metrics::rmsse(y, column(""), scale);
                if metric == "msse" { rmsse * rmsse } else { rmsse }
            }
            ("scaled_crps", _) => {
                let paths: Vec<(f64, &[f64])> =
                    self.quantiles.iter().map(|q| (*q, column(&quantile_column(*q)))).collect();
                metrics::wql(y, &paths)
            }
            ("mqloss", _) => mean(self.quantiles.iter().map(|q| quantile_loss(*q))),
            (_, "quantile_loss") => quantile_loss(parameter.parse().unwrap()),
            (_, "coverage" | "winkler") => {
                let lower = column(&format!("-lo-{parameter}"));
                let upper = column(&format!("-hi-{parameter}"));
                if name == "coverage" {
                    metrics::coverage(y, lower, upper)
                } else {
                    metrics::winkler(y, lower, upper, parameter.parse().unwrap())
                }
            }
            _ => panic!("{}: no metric of ours is called {metric}", self.case),
        }
    }

    fn check(&self, variant: &Value) {
        // Our rule is that a missing target counts nowhere, as if its row were dropped. What the reference
        // counts otherwise when the row stays in is listed, and left out there.
        let differs = &variant["differs_when_rows_are_dropped"];
        let mut n_compared = 0;
        for section in ["utilsforecast", "utilsforecast_rows_dropped"] {
            for (metric, models) in variant[section].as_object().into_iter().flatten() {
                for (model, values) in models.as_object().unwrap() {
                    let ours = |series: &String| self.ours(metric, model, series);
                    for (series, expected) in values.as_object().unwrap() {
                        let key = format!("{metric}/{model}/{series}");
                        if section == "utilsforecast" && differs.get(&key).is_some() {
                            continue;
                        }
                        let ours = match series.as_str() {
                            "mean" => mean(self.test.keys().map(ours)),
                            _ => ours(series),
                        };
                        let case = format!("{} {section} {key}", self.case);
                        assert_close(ours, expected.as_f64().unwrap_or(f64::NAN), &case);
                        n_compared += 1;
                    }
                    assert_eq!(values.as_object().unwrap().len(), self.test.len() + 1);
                }
            }
        }
        assert!(n_compared > 0, "{}: nothing was compared", self.case);
        self.check_smape_of_gluonts(&variant["gluonts"]["smape"]);
    }

    /// Our documentation says that GluonTS's sMAPE is twice ours; it has none where a step is 0/0 or missing.
    fn check_smape_of_gluonts(&self, golden: &Value) {
        for (model, values) in golden.as_object().into_iter().flatten() {
            for (series, expected) in values.as_object().unwrap() {
                if let Some(expected) = expected.as_f64() {
                    let case = format!("{} gluonts smape/{model}/{series}", self.case);
                    assert_close(2.0 * self.ours("smape", model, series), expected, &case);
                }
            }
        }
    }
}

/// `-q10` for 0.1: percent without the digits that multiplying by 100 may add.
fn quantile_column(q: f64) -> String {
    format!("-q{}", (q * 1e9).round() / 1e7)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / n
}

/// 1e-12 relative is what the golden files recommend: both sides round sums of a few float64 values.
fn assert_close(ours: f64, golden: f64, case: &str) {
    let is_close = (ours - golden).abs() <= 1e-12 * golden.abs();
    assert!(is_close || (ours.is_nan() && golden.is_nan()), "{case}: {ours} is not {golden}");
}

#[test]
fn ar_golden() {
    for path in golden_files("arnet_series", ".safetensors") {
        println!("read {}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        let config = config_of(&bytes);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let series = panel(&read(&tensors, "series"));
        assert_eq!(series.series()[0].n_steps() as u64, config["n"].as_u64().unwrap());
        let orders = config["p"].as_array().unwrap();
        assert!(!orders.is_empty(), "{}", path.display());
        for order in orders {
            let golden = read(&tensors, &format!("p{order}.coef_with_intercept"));
            for scaling in [Scaling::None, Scaling::Standard, Scaling::Robust, Scaling::MinMax] {
                let difference = largest_difference(&fit(&series, order, scaling), &golden);
                println!("order {order}, {scaling:?}: largest difference {difference:e}");
                // The golden file's tolerance for float64. Householder QR is backward stable: its relative
                // error is near 2.2e-16 times the condition number of the lag matrix, which is the root of
                // the Gram matrix's 2 (order 3) to 15 (order 20). Measured: at most 4.3e-16.
                assert!(difference <= 1e-11, "order {order}, {scaling:?}: {difference:e}");
            }
        }
    }
}

#[test]
fn arnet_regulariser_golden() {
    for path in golden_files("arnet_regulariser", ".safetensors") {
        println!("read {}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        let config = config_of(&bytes);
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let close = |ours: &[f64], name: &str| {
            let golden = read(&tensors, name);
            assert_eq!(ours.len(), golden.len(), "{name}");
            for (ours, golden) in ours.iter().zip(&golden) {
                // What the golden file recommends for float64.
                assert!((ours - golden).abs() <= 1e-12 * golden.abs(), "{name}: {ours} is not {golden}");
            }
        };
        let weights = read_f32(&tensors, "w");
        let pairs = config["c1_c2"].as_array().unwrap();
        assert!(!pairs.is_empty(), "{}", path.display());
        for pair in pairs {
            let constants = numbers(pair);
            let regulariser = Regulariser { c1: constants[0], c2: constants[1] };
            let name = |what: &str| format!("c1_{}_c2_{}.{what}", constants[0], constants[1]);
            close(&[regulariser.value(&weights)], &name("reg_f64"));
            let each: Vec<f64> = weights.iter().map(|w| regulariser.value(&[*w])).collect();
            close(&each, &name("elementwise_f64"));
            close(&regulariser.gradient(&weights), &name("grad_f64"));
        }
        let densities = read(&tensors, "density");
        let each = |rule: Strength| densities.iter().map(move |d| rule.lambda(*d).unwrap());
        close(&each(Strength::Original).collect::<Vec<f64>>(), "lambda_v0_1");
        let noises = read(&tensors, "noise");
        let by_noise =
            |d: f64| noises.iter().map(move |noise| Strength::Revised { noise: *noise }.lambda(d).unwrap());
        close(&densities.iter().copied().flat_map(by_noise).collect::<Vec<f64>>(), "lambda_max");
        // The schedule is that of density 0.3, whose strength it ends with.
        let n_epochs = usize::try_from(config["n_epoch"].as_u64().unwrap()).unwrap();
        let progress = read(&tensors, "schedule.progress");
        let largest = Strength::Revised { noise: 1.0 }.lambda(0.3).unwrap();
        let ramp: Vec<f64> =
            progress.iter().map(|progress| largest * Ramp::Quadratic.share(*progress, n_epochs)).collect();
        close(&ramp, "schedule.lambda");
    }
}

/// With a penalty of zero, the solved AR-Net is least squares, and its support everything.
#[test]
fn arnet_without_a_penalty_golden() {
    for path in golden_files("arnet_series", ".safetensors") {
        let bytes = std::fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let y = read(&tensors, "series");
        let config = config_of(&bytes);
        for p in config["p"].as_array().unwrap() {
            let p = usize::try_from(p.as_u64().unwrap()).unwrap();
            let x = Array2::from_shape_fn((y.len() - p, p), |(t, j)| y[t + p - 1 - j]);
            let problem = Problem::from_rows(x.view(), ndarray::ArrayView1::from(&y[p..])).unwrap();
            let golden = read(&tensors, &format!("p{p}.coef_with_intercept"));
            let sse = read(&tensors, &format!("p{p}.sse"))[1];
            for refit in [Refit::Support, Refit::None] {
                let lambdas = Lambdas::Given(vec![0.0]);
                let options = PathOptions { lambdas, refit, tolerance: 1e-13, ..PathOptions::default() };
                let solution = sparse::path(&problem, &options).unwrap().remove(0);
                let mut ours = solution.weights;
                ours.push(solution.intercept);
                let difference = largest_difference(&ours, &golden);
                assert!(difference <= 1e-9, "order {p}, {refit:?}: {difference:e}");
                assert!((solution.sse / sse - 1.0).abs() < 1e-9, "order {p}, {refit:?}: {}", solution.sse);
            }
        }
    }
}

fn read_f32(tensors: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = tensors.tensor(name).unwrap();
    let (numbers, rest) = view.data().as_chunks::<4>();
    assert!(view.dtype() == safetensors::Dtype::F32 && rest.is_empty(), "{name}");
    numbers.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes))).collect()
}

/// The sizes that a file was made with.
fn config_of(bytes: &[u8]) -> Value {
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let about = &metadata.metadata().as_ref().unwrap()["golden"];
    serde_json::from_str::<Value>(about).unwrap()["config"].clone()
}

fn read(tensors: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = tensors.tensor(name).unwrap();
    let (numbers, rest) = view.data().as_chunks::<8>();
    assert!(view.dtype() == safetensors::Dtype::F64 && rest.is_empty(), "{name}");
    numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn panel(values: &[f64]) -> Panel {
    let index = TimeIndex::new(0, Step::Index(1), Default::default(), values.len());
    let channels = ["y".to_string()];
    let values = Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap();
    let series = Series::new("series", index, values, &channels).unwrap();
    Panel::new(channels.to_vec(), vec![series]).unwrap()
}

/// Weights with lag 1 first, then the intercept. A refit uses every complete row, as the golden solution does.
fn fit(panel: &Panel, order: &Value, scaling: Scaling) -> Vec<f64> {
    let config = ModelConfig::parse("ar").unwrap();
    let config = config.with("order", &order.to_string()).unwrap();
    let options = FitOptions { horizon: Some(1), scaling, refit: true, ..FitOptions::default() };
    let model = Model::fit(&config, panel, &options).unwrap().model;
    let (intercept, mut weights) = model.coefficients(0, 0).unwrap();
    weights.push(intercept);
    weights
}

fn largest_difference(ours: &[f64], golden: &[f64]) -> f64 {
    assert_eq!(ours.len(), golden.len());
    let differences = ours.iter().zip(golden).map(|(a, b)| (a - b).abs());
    // A NaN must not get lost, as it would in `f64::max`.
    differences.fold(0.0, |most, d| if d <= most { most } else { d })
}
