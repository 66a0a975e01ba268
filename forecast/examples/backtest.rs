//! Back-tests AR against the baselines on the bundled electricity load. Build with
//! `cargo build --release --workspace --examples`, run `target/release/examples/backtest`.

// An example says what it does on standard output.
#![allow(clippy::print_stdout)]

use forecast::eval::{BacktestOptions, backtest};
use forecast::{ModelConfig, Panel, ReadOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = forecast_datasets::default_dataset()?;
    let panel = Panel::read_csv(&data.csv()?, &data.file, &ReadOptions::default())?;
    let order = std::env::args().nth(1).unwrap_or_else(|| "168".to_string());
    let models = [ModelConfig::parse("naive")?, ModelConfig::parse("ar")?.with("order", &order)?];
    let options = BacktestOptions {
        horizon: 168,
        n_windows: 26,
        levels: vec![80.0, 95.0],
        ..BacktestOptions::default()
    };
    let result = backtest(&models, &panel, &options)?;
    let scores = result.scores();
    println!("{:<12} {}", "", result.models.join("  "));
    for metric in scores.metrics() {
        println!("{metric:<12} {:.4?}", scores.mean(metric));
    }
    Ok(())
}
