//! A thousand reloads: memory stays where it was. A test crate of its own, since memory is that of the process.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

use std::sync::Arc;

use forecast::data::{Series, TimeIndex, Zone};
use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel};
use longcast::operation::Config;
use longcast::registry::Registry;
use ndarray::Array2;

/// Reloads before memory is looked at for the first time, and after.
const WARM: usize = 100;
const MORE: usize = 1000;
/// What an allocator may keep for itself.
const SLACK_KIB: u64 = 8 << 10;

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn model(order: &str) -> Model {
    let n = 2000;
    let index = TimeIndex::new(0, "1h".parse().unwrap(), Zone::Local, n);
    let values =
        Array2::from_shape_fn((n, 1), |(i, _)| 10.0 + (i as f64 * 0.26).sin() + (0.37 * (i * i) as f64).sin());
    let series = Series::new("load", index, values, &["y".to_string()]).unwrap();
    let panel = Panel::new(vec!["y".to_string()], vec![series]).unwrap();
    let config = ModelConfig::parse("ar").unwrap().with("order", order).unwrap();
    Model::fit(&config, &panel, &FitOptions { horizon: Some(24), ..FitOptions::default() }).unwrap().model
}

#[test]
fn a_thousand_reloads_leave_memory_flat() {
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("reloads-{}", std::process::id()));
    let registry = Registry::open(&folder, Config::default().registry).unwrap();
    let (one, two) = (model("24"), model("48"));
    let history = one.history()[0].clone();
    let names = [&one, &two]
        .map(|model| registry.add("load", &model.to_bytes().unwrap(), "").unwrap().revision().to_string());
    let reload = |n: usize| {
        for i in 0..n {
            let loaded = registry.serve(&names[i % 2], true).unwrap();
            assert!(Arc::ptr_eq(&loaded, &registry.resolve("models/load").unwrap()));
            loaded.model.forecast_series(&history, &ForecastOptions::default()).unwrap();
        }
    };
    reload(WARM);
    let before = resident_kib();
    reload(MORE);
    let after = resident_kib();
    assert!(after < before + SLACK_KIB, "{before} KiB before {MORE} reloads, {after} KiB after");
    std::fs::remove_dir_all(&folder).unwrap();
}
