//! Fits AR on the bundled electricity load and forecasts the next day. Build with
//! `cargo build --release --workspace --examples`, run `target/release/examples/quickstart`.

// An example says what it does on standard output.
#![allow(clippy::print_stdout)]

use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = forecast_datasets::default_dataset()?;
    let panel = Panel::read_csv(&data.csv()?, &data.file, &ReadOptions::default())?;

    let config = ModelConfig::parse("ar")?.with("order", "168")?;
    let fitted = Model::fit(&config, &panel, &FitOptions { horizon: Some(24), ..FitOptions::default() })?;
    println!("MASE {:.3}, seasonal naive {:.3}", fitted.report.mase, fitted.report.seasonal_naive_mase);

    let options = ForecastOptions { horizon: 24, levels: vec![80.0], ..ForecastOptions::default() };
    let forecast = &fitted.model.forecast(&panel, &options)?[0];
    let interval = &forecast.intervals[0];
    for (step, stamp) in forecast.index.stamps().enumerate() {
        let (lower, upper) = (interval.lower[[step, 0]], interval.upper[[step, 0]]);
        println!(
            "{}  {:7.1}  [{lower:.1}, {upper:.1}]",
            forecast.index.format(stamp),
            forecast.mean[[step, 0]]
        );
    }
    Ok(())
}
