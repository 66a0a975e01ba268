//! `longcast demo`: the main job on bundled data, from a file's bytes to an answer over gRPC.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use forecast::data::Quality;
use forecast::eval::{BacktestOptions, backtest};
use forecast::{FitOptions, Forecast, ForecastOptions, Model, ModelConfig, Panel, ReadOptions, table};
use forecast_proto::v1;
use longcast::operation::Config;
use longcast::registry::Registry;
use longcast::server::Server;
use tokio::sync::oneshot;

use super::args::DemoArguments;
use super::console::Console;
use super::failure::Failure;
use super::output::Outputs;
use super::{charts, client, fit, leaderboard, serve};

/// A week of hours.
const HORIZON: usize = 168;
/// Weeks that are back-tested.
const N_WINDOWS: usize = 24;
const LEVELS: [f64; 2] = [80.0, 95.0];

pub(crate) fn run(arguments: &DemoArguments, console: &Console) -> Result<(), Failure> {
    let start = Instant::now();
    let folder = &arguments.output;
    if folder.exists() && !folder.is_dir() {
        return Err(Failure::User(format!(
            "cannot make the folder \"{}\": a file has that name",
            folder.display()
        )));
    }
    let set = forecast_datasets::default_dataset()?;
    let unit = set.columns.iter().find(|column| column.name == set.target).map(|column| column.unit.clone());
    let panel = Panel::read_csv(&set.csv()?, &set.file, &ReadOptions::default())?;
    console.say(format!("1. data     {} ({}; longcast data show {})", set.title, set.license, set.name))?;
    console.say(format!("            {}", quality_line(&panel)))?;

    let config = ModelConfig::parse("ar")?;
    let options = BacktestOptions {
        horizon: HORIZON,
        n_windows: N_WINDOWS,
        levels: LEVELS.to_vec(),
        ..BacktestOptions::default()
    };
    console.say(format!("2. backtest the last {N_WINDOWS} weeks, a week ahead from each cutoff"))?;
    let tested = {
        let _progress = console.progress("back-testing");
        backtest(std::slice::from_ref(&config), &panel, &options)?
    };
    let scores = tested.scores();
    leaderboard::say_scores(&scores, console)?;

    let options =
        FitOptions { horizon: Some(HORIZON), unit: unit.unwrap_or_default(), ..FitOptions::default() };
    console.say("3. fit      ar on all steps")?;
    let fitted = {
        let _progress = console.progress("fitting");
        Model::fit(&config, &panel, &options)?
    };
    fit::say(&fitted.model, &fitted.report, console)?;
    let model_file = folder.join("demo.longcast");

    let spec = ForecastOptions { horizon: HORIZON, levels: LEVELS.to_vec(), ..ForecastOptions::default() };
    let bytes = fitted.model.to_bytes()?;
    let model = Model::from_bytes(&bytes, &model_file)?;
    let forecasts = model.forecast(&panel, &spec)?;
    let columns = table(&forecasts, config.name());
    console.say(format!(
        "4. forecast the week from {}, with 80 and 95 % intervals",
        forecasts[0].index.format(forecasts[0].index.start)
    ))?;
    let (csv, png) = (folder.join("forecast.csv"), folder.join("forecast.png"));
    // The folder comes last, so that an interrupted run leaves nothing.
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::User(format!("cannot make the folder \"{}\": {error}", folder.display()))
    })?;
    let mut outputs = Outputs::default();
    outputs.add_table(&csv, &columns, None)?;
    outputs.add(&png, charts::fan(&model, &panel.series()[0], &forecasts[0], 0)?);
    outputs.add(&model_file, bytes);
    outputs.write(console)?;

    let answer = ask_a_server(&model_file, &panel, &spec)?;
    check_equal(&answer.forecast, &forecasts[0])?;
    console.say(format!(
        "5. serve    the same week asked of {} on {}: all {} numbers equal, bit for bit",
        answer.forecast.model_revision,
        answer.address,
        numbers(&answer.forecast).len()
    ))?;
    let seconds = start.elapsed().as_secs_f64();
    console.say(format!("done in {seconds:.1} s; the results are in {}", folder.display()))?;
    console.json(&serde_json::json!({
        "folder": folder, "scores": scores, "header": model.header(), "seconds": seconds,
    }))
}

fn quality_line(panel: &Panel) -> String {
    let quality = Quality::of(panel);
    let series = &quality.series[0];
    let channel = &series.channels[0];
    format!(
        "{} to {}, {} steps of {}, {} missing in {} gaps, {} duplicates, {} zeros, season {} ({})",
        series.start,
        series.end,
        series.n_steps,
        quality.frequency(),
        channel.n_missing,
        channel.n_gaps,
        series.n_duplicates,
        channel.n_zeros,
        quality.season_length,
        quality.frequency().span(quality.season_length)
    )
}

struct Answer {
    address: SocketAddr,
    forecast: v1::Forecast,
}

/// Starts a server on a free port, asks it for a forecast through a client, and stops it.
fn ask_a_server(model_file: &Path, panel: &Panel, spec: &ForecastOptions) -> Result<Answer, Failure> {
    let config = Config::read(None, [], [("server.port", "0".to_string())])?;
    let registry = Registry::in_memory(config.registry);
    let id = model_file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    registry.add_file(&id, model_file)?;
    let name = format!("models/{id}");
    serve::runtime(config.listening.io_threads)?.block_on(async {
        let server = Server::bind(config, registry).await?;
        let address = server.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async move {
            // Dropping the sender stops the server too.
            let _ = stopped.await;
        }));
        let forecast = client::ask(address, &name, &panel.series()[0], spec).await;
        drop(stop);
        running.await.map_err(|error| Failure::Internal(format!("the server panicked: {error}")))??;
        Ok(Answer { address, forecast: forecast? })
    })
}

/// Every number of an answer: means, then bounds.
fn numbers(message: &v1::Forecast) -> Vec<u64> {
    let bounds = message.intervals.iter().flat_map(|interval| interval.lower.iter().chain(&interval.upper));
    message.mean.iter().chain(bounds).map(|value| value.to_bits()).collect()
}

fn check_equal(message: &v1::Forecast, forecast: &Forecast) -> Result<(), Failure> {
    let bounds = forecast.intervals.iter().flat_map(|interval| interval.lower.iter().chain(&interval.upper));
    let ours: Vec<u64> = forecast.mean.iter().chain(bounds).map(|value| value.to_bits()).collect();
    if numbers(message) == ours {
        return Ok(());
    }
    Err(Failure::Internal("the server's forecast differs from the library's; please report it".to_string()))
}
