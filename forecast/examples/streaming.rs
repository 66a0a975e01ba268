//! Observations one at a time, a forecast after each. Build with
//! `cargo build --release --workspace --examples`, run `target/release/examples/streaming`.

// An example says what it does on standard output.
#![allow(clippy::print_stdout)]

use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = forecast_datasets::default_dataset()?;
    let panel = Panel::read_csv(&data.csv()?, &data.file, &ReadOptions::default())?;
    let series = &panel.series()[0];
    let cutoff = series.n_steps() - 12;

    let past = panel.map_in_order(|series| series.slice(0..cutoff));
    let config = ModelConfig::parse("ar")?.with("order", "168")?;
    let model = Model::fit(&config, &past, &FitOptions { horizon: Some(1), ..FitOptions::default() })?.model;

    // The state is a value: it can be cloned, saved and restored.
    let mut state = model.start(&past.series()[0])?;
    let next = ForecastOptions { horizon: 1, ..ForecastOptions::default() };
    for step in cutoff..series.n_steps() {
        let forecast = model.forecast_from(&state, &next)?.mean[[0, 0]];
        let observed = series.values()[[step, 0]];
        println!("forecast {forecast:8.1}   observed {observed:8.1}");
        model.observe(&mut state, &[observed])?;
    }
    Ok(())
}
