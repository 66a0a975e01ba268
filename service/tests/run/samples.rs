//! Small made-up data: the same numbers on every machine.

use forecast::{Step, TimeIndex, data::Zone};
use forecast_datasets::{Season, Seasonal};

/// A daily wave of hours with noise, around 100.
pub(crate) fn wave(n: usize, seed: u64) -> Vec<f64> {
    let season = |period: f64, amplitude: f64| Season { period, amplitude, phase: 0.5 };
    let recipe = Seasonal {
        level: 100.0,
        slope: 0.0,
        seasons: vec![season(24.0, 10.0), season(12.0, 4.0)],
        noise_std: 1.0,
    };
    recipe.generate(n, seed).unwrap()
}

/// The first `n` hours of 2024, as text.
pub(crate) fn stamps(n: usize) -> Vec<String> {
    let step: Step = "1h".parse().unwrap();
    let index = TimeIndex::new(1_704_067_200_000_000_000, step, Zone::Local, n);
    index.stamps().map(|stamp| index.format(stamp)).collect()
}

/// `ds,y`: an hourly series from 2024 on.
pub(crate) fn hourly(values: &[f64]) -> String {
    let rows = stamps(values.len()).into_iter().zip(values).map(|(stamp, y)| format!("{stamp},{y}\n"));
    format!("ds,y\n{}", rows.collect::<String>())
}
