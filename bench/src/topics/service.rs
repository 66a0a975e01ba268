//! The gRPC service under load, client and server on one machine: unary forecasts beside Python's grpcio and a bare
//! tonic echo, observations into sessions, latency at half load and while a training runs, many sessions over a restart.

use std::time::{Duration, Instant};

use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions, Series};
use forecast_datasets::{Season, Seasonal};
use forecast_proto::v1;
use forecast_proto::v1::session_service_client::SessionServiceClient;
use forecast_proto::v1::training_service_client::TrainingServiceClient;
use serde::{Deserialize, Serialize};

use super::Setting;
use crate::console;
use crate::environment::{Python, own_path};
use crate::error::{Error, Result};
use crate::load::echo::HORIZON;
use crate::load::server::{Server, connect};
use crate::load::sessions::{self, Load};
use crate::load::unary::{Calls, Outcome};
use crate::measure::Spread;
use crate::peer::{GRPC_SERVER, Peer};
use crate::process::longcast;
use crate::record::Record;
use crate::scratch::Scratch;

/// Steps of the history of a call, and lags of the model.
const HISTORY: usize = 168;
const ORDER: usize = 24;
const HOUR: i64 = 3_600_000_000_000;
const AT_A_TIME: usize = 16;
/// A family of the state space, if the library has it.
const STATE_SPACE: &str = "s4d";

/// How long everything is measured.
struct Pace {
    n_rounds: usize,
    unary: Duration,
    half_load: Duration,
    sessions: Duration,
    n_live: usize,
    /// Observations after which the cost of one is compared with that of the first.
    n_long: u64,
}

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let seconds = Duration::from_secs;
    let pace = match setting.is_quick {
        true => Pace {
            n_rounds: 1,
            unary: seconds(1),
            half_load: seconds(2),
            sessions: seconds(2),
            n_live: 200,
            n_long: 400_000,
        },
        false => Pace {
            n_rounds: 3,
            unary: seconds(4),
            half_load: seconds(10),
            sessions: seconds(60),
            n_live: 10_000,
            n_long: 10_000_000,
        },
    };
    let scratch = Scratch::new("service")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Unexpected(format!("no runtime: {error}")))?;
    let work = Work::new(setting, &scratch)?;
    let mut records = Vec::new();
    records.extend(runtime.block_on(unary(setting, &pace, &work))?);
    records.extend(runtime.block_on(observations(&pace, &work))?);
    records.push(runtime.block_on(live_sessions(&pace, &work))?);
    Ok(records)
}

/// The model, its file, and a request.
struct Work {
    longcast: std::path::PathBuf,
    folder: std::path::PathBuf,
    model: Model,
    request: v1::ForecastRequest,
}

impl Work {
    fn new(setting: &Setting, scratch: &Scratch) -> Result<Self> {
        let season = |period: f64, amplitude: f64| Season { period, amplitude, phase: 0.5 };
        let recipe = Seasonal {
            level: 100.0,
            slope: 0.0,
            seasons: vec![season(24.0, 10.0), season(12.0, 4.0)],
            noise_std: 1.0,
        };
        let values = recipe.generate(4_000, 1).map_err(|error| Error::Unexpected(error.to_string()))?;
        let start = 1_704_067_200i64;
        let rows: String = values
            .iter()
            .enumerate()
            .map(|(hour, value)| format!("{},{value}\n", start + hour as i64 * 3_600))
            .collect();
        let panel =
            Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "hours.csv", &ReadOptions::default())?;
        // Pooled: sessions have series that the model has not seen.
        let config = ModelConfig::parse("ar")?.with("order", &ORDER.to_string())?.with("pooled", "true")?;
        let options = FitOptions { horizon: Some(HORIZON), ..FitOptions::default() };
        let model = Model::fit(&config, &panel, &options)?.model;
        let folder = scratch.folder().to_path_buf();
        model.save(folder.join("load.longcast"))?;
        let csv = folder.join("hours.csv");
        std::fs::write(&csv, format!("ds,y\n{rows}"))
            .map_err(|error| Error::file("cannot write", &csv, error))?;
        let request = request(&panel.series()[0].tail(HISTORY));
        Ok(Work { longcast: longcast(setting.longcast.as_deref())?, folder, model, request })
    }

    fn file(&self) -> String {
        self.folder.join("load.longcast").display().to_string()
    }

    /// The server with the model, in memory.
    fn serve(&self) -> Result<Server> {
        Server::longcast(&self.longcast, &["--model", &self.file()])
    }
}

fn request(history: &Series) -> v1::ForecastRequest {
    let axis = v1::RegularAxis {
        start_unix_nano: history.index().start,
        step: Some(v1::regular_axis::Step::StepNano(HOUR)),
        ..v1::RegularAxis::default()
    };
    let series = v1::Series {
        series_id: history.id().to_string(),
        axis: Some(v1::TimeAxis { axis: Some(v1::time_axis::Axis::Regular(axis)) }),
        values: history.values().iter().copied().collect(),
        covariates: Vec::new(),
    };
    v1::ForecastRequest {
        model: "models/load".to_string(),
        series: Some(series),
        spec: Some(v1::ForecastSpec { horizon: HORIZON as i32, ..v1::ForecastSpec::default() }),
    }
}

#[derive(Debug, Serialize)]
struct Question<'a> {
    descriptors: &'a std::path::Path,
    weights: Vec<f64>,
    intercept: f64,
    center: f64,
    scale: f64,
}

#[derive(Debug, Deserialize)]
struct Answer {
    port: u16,
}

/// The Python server, with the weights of our model; its answer has to be ours.
fn python(work: &Work) -> Result<(Peer, String)> {
    let descriptors = work.folder.join("descriptors.bin");
    std::fs::write(&descriptors, forecast_proto::FILE_DESCRIPTOR_SET)
        .map_err(|error| Error::file("cannot write", &descriptors, error))?;
    let (intercept, weights) = work.model.coefficients(0, 0).unwrap_or_default();
    let mut peer = Peer::start(&Python::with_packages()?, GRPC_SERVER)?;
    // Weights are those of the units of the series.
    let question = Question { descriptors: &descriptors, weights, intercept, center: 0.0, scale: 1.0 };
    let answer: Answer = peer.ask(&question)?;
    Ok((peer, format!("127.0.0.1:{}", answer.port)))
}

/// Throughput beside the peers, latency at half of it, and while a training runs.
async fn unary(setting: &Setting, pace: &Pace, work: &Work) -> Result<Vec<Record>> {
    let ours = work.serve()?;
    let mut echo = std::process::Command::new(own_path()?);
    let echo = Server::start(echo.arg("echo"))?;
    let peer = if setting.has_peers { Some(python(work)?) } else { None };
    let mut sides = vec![Calls::new(ours.address(), work.request.clone()).await?];
    sides.push(Calls::new(echo.address(), work.request.clone()).await?);
    if let Some((_, address)) = &peer {
        sides.push(Calls::new(address, work.request.clone()).await?);
    }
    console::note(format!(
        "service: {} rounds of unary calls, {AT_A_TIME} at a time, in turn",
        pace.n_rounds
    ));
    let mut per_second: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
    for round in 0..=pace.n_rounds {
        for (side, figures) in sides.iter().zip(&mut per_second) {
            let outcome = checked(side.at_a_time(AT_A_TIME, pace.unary).await?)?;
            if round > 0 {
                figures.push(outcome.per_second());
            }
        }
    }
    let micros = |figures: &[f64]| Spread::of(figures.iter().map(|per_second| 1e6 / per_second));
    let mut records = Vec::new();
    if let Some(theirs) = per_second.get(2) {
        records.push(
            Record::new("unary_ar_vs_grpcio", "us/call", micros(&per_second[0]))
                .beside("Python grpcio (asyncio) and numpy", micros(theirs))
                .ratio_at_least(6.0),
        );
    }
    records.push(
        Record::new("unary_ar_vs_tonic_echo", "us/call", micros(&per_second[0]))
            .beside("a bare tonic echo", micros(&per_second[1]))
            .ratio_at_least(0.6),
    );
    drop((echo, peer));
    let half = Spread::of(per_second[0].iter().copied()).median / 2.0;
    let alone = checked(sides[0].at_rate(half, pace.half_load).await?)?;
    let p99 = |outcome: &Outcome| Spread::of([outcome.latencies.quantile_ms(0.99)]);
    records.push(Record::new("p99_ms_half_load", "ms", p99(&alone)).at_most(2.0));
    records.push(while_training(pace, work, ours, &sides[0], half, &alone).await?);
    Ok(records)
}

/// The same load while a training computes on the server.
async fn while_training(
    pace: &Pace,
    work: &Work,
    ours: Server,
    calls: &Calls,
    per_second: f64,
    alone: &Outcome,
) -> Result<Record> {
    let mut trainings = TrainingServiceClient::new(ours.connect().await?);
    let settings = [("epochs", "1000"), ("hidden", "64")];
    let spec = v1::TrainingSpec {
        family: "neural-ar".to_string(),
        settings: settings.map(|(name, value)| (name.to_string(), value.to_string())).into(),
        ..v1::TrainingSpec::default()
    };
    let mut series = work.request.series.clone().unwrap_or_default();
    // Long enough that the training outlasts the measurement.
    series.values = (0..50_000)
        .map(|hour| 100.0 + f64::from(hour % 24) + f64::from(hour * 7_919 % 1_009) / 500.0)
        .collect();
    let request = v1::CreateTrainingJobRequest {
        model: "models/other".to_string(),
        inline_series: vec![series],
        spec: Some(spec),
        ..v1::CreateTrainingJobRequest::default()
    };
    let fail = |status: tonic::Status| Error::Unexpected(format!("no training: {status}"));
    let job = trainings
        .create_training_job(request)
        .await
        .map_err(fail)?
        .into_inner()
        .training_job
        .unwrap_or_default();
    let begin = Instant::now();
    let state = |job: Option<v1::TrainingJob>| job.map_or(v1::JobState::Unspecified, |job| job.state());
    loop {
        let asked = v1::GetTrainingJobRequest { name: job.name.clone() };
        let now = state(trainings.get_training_job(asked).await.map_err(fail)?.into_inner().training_job);
        if now == v1::JobState::Running {
            break;
        }
        if begin.elapsed() > Duration::from_secs(10) {
            return Err(Error::Unexpected(format!("the training is {}", now.as_str_name())));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let beside = checked(calls.at_rate(per_second, pace.half_load).await?)?;
    let asked = v1::GetTrainingJobRequest { name: job.name.clone() };
    let still = state(trainings.get_training_job(asked).await.map_err(fail)?.into_inner().training_job);
    if still != v1::JobState::Running {
        return Err(Error::Unexpected(format!(
            "the training was {} before the measurement was over",
            still.as_str_name()
        )));
    }
    let asked = v1::CancelTrainingJobRequest { name: job.name };
    trainings.cancel_training_job(asked).await.map_err(fail)?;
    let growth = beside.latencies.quantile_ms(0.99) / alone.latencies.quantile_ms(0.99);
    Ok(Record::new("p99_growth_while_training", "x", Spread::of([growth])).at_most(2.0))
}

fn checked(outcome: Outcome) -> Result<Outcome> {
    match outcome.n_failed {
        0 => Ok(outcome),
        n => Err(Error::Unexpected(format!("{n} calls failed"))),
    }
}

/// Observations in columns: throughput, latency of acknowledgements, memory, and the cost after many.
async fn observations(pace: &Pace, work: &Work) -> Result<Vec<Record>> {
    let server = work.serve()?;
    let load = Load {
        model: "models/load".to_string(),
        n_sessions: 2,
        n_series: 64,
        batch: 4_096,
        on_their_way: 4 * 4_096,
        start: 1_704_067_200_000_000_000,
        step: HOUR,
    };
    console::note(format!("service: observations into sessions for {:?}", pace.sessions));
    // What grows at first, such as pools of memory, has grown.
    sessions::run(server.address(), &load, "warm", pace.sessions / 10).await?;
    let before = server.resident_bytes();
    let outcome = sessions::run(server.address(), &load, "long", pace.sessions).await?;
    let growth = server.resident_bytes().zip(before).map(|(after, before)| (after - before).max(0.0) / 1e6);
    let mut records = vec![
        Record::new("observations_per_second_ar", "1/s", Spread::of([outcome.per_second()])).at_least(1e6),
        Record::new("ack_p99_ms", "ms", Spread::of([outcome.latencies.quantile_ms(0.99)])).at_most(20.0),
    ];
    records.extend(
        growth.map(|growth| Record::new("session_memory_growth", "MB", Spread::of([growth])).at_most(16.0)),
    );
    records.push(flat(pace, &server, &load).await?);
    server.stop()?;
    records.extend(state_space(pace, work).await?);
    Ok(records)
}

/// What an observation costs after many, by what it did at first.
async fn flat(pace: &Pace, server: &Server, load: &Load) -> Result<Record> {
    let load = Load { n_sessions: 1, ..load.clone() };
    let part = pace.n_long / 10;
    let costs = sessions::by_parts(server.address(), &load, "flat", part, 10).await?;
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else {
        return Err(Error::Unexpected("nothing was measured".to_string()));
    };
    Ok(Record::new("observation_cost_growth", "x", Spread::of([last / first])).at_most(1.1))
}

/// The same with a state space model, where the library has one.
async fn state_space(pace: &Pace, work: &Work) -> Result<Option<Record>> {
    let Ok(config) = ModelConfig::parse(STATE_SPACE) else {
        console::note(format!(
            "service: no {STATE_SPACE} in this build; observations_per_second_s4d is left out"
        ));
        return Ok(None);
    };
    let config = config.with("epochs", "1")?;
    let csv = work.folder.join("hours.csv");
    let panel = Panel::read(&csv, &ReadOptions::default())?;
    let options = FitOptions { horizon: Some(HORIZON), ..FitOptions::default() };
    let file = work.folder.join("state.longcast");
    Model::fit(&config, &panel, &options)?.model.save(&file)?;
    let file = file.display().to_string();
    let server = Server::longcast(&work.longcast, &["--model", &file])?;
    let load = Load {
        model: "models/state".to_string(),
        n_sessions: 2,
        n_series: 8,
        batch: 256,
        on_their_way: 1_024,
        start: 1_704_067_200_000_000_000,
        step: HOUR,
    };
    sessions::run(server.address(), &load, "warm", pace.sessions / 10).await?;
    let outcome = sessions::run(server.address(), &load, "long", pace.sessions / 4).await?;
    let spread = Spread::of([outcome.per_second()]);
    Ok(Some(Record::new("observations_per_second_s4d", "1/s", spread).at_least(20_000.0)))
}

/// Many sessions that are kept on disk, and the time from the start of the server to the first answer with all of them.
async fn live_sessions(pace: &Pace, work: &Work) -> Result<Record> {
    let data = work.folder.join("data");
    let (data, file) = (data.display().to_string(), work.file());
    let server = Server::longcast(&work.longcast, &["--data", &data, "--model", &file])?;
    let load = Load {
        model: "models/load".to_string(),
        n_sessions: 0,
        n_series: 1,
        batch: 64,
        on_their_way: 64,
        start: 1_704_067_200_000_000_000,
        step: HOUR,
    };
    console::note(format!("service: {} sessions over a restart", pace.n_live));
    let channel = server.connect().await?;
    let n_tasks = 32;
    let tasks: Vec<_> = (0..n_tasks)
        .map(|task| {
            let (mut client, load, n_live) =
                (SessionServiceClient::new(channel.clone()), load.clone(), pace.n_live);
            tokio::spawn(async move {
                for at in (task..n_live).step_by(n_tasks) {
                    let id = format!("live-{at}");
                    sessions::create(&mut client, &load, &id, v1::Durability::Async).await?;
                    sessions::observe(&mut client, &load, &id).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| Error::Unexpected(error.to_string()))??;
    }
    drop(channel);
    server.stop()?;
    let begin = Instant::now();
    let server = Server::longcast(&work.longcast, &["--data", &data])?;
    let mut client = SessionServiceClient::new(connect(server.address()).await?);
    for at in [0, pace.n_live / 2, pace.n_live - 1] {
        let name = format!("sessions/live-{at}");
        let request = v1::GetSessionRequest { name, include_figures: false };
        let answer = client.get_session(request).await;
        let session = answer.map_err(|status| Error::Unexpected(format!("a session is gone: {status}")))?;
        let applied = session.into_inner().session.unwrap_or_default().applied_through;
        if applied != load.batch as u64 {
            return Err(Error::Unexpected(format!(
                "session {at} has {applied} observations after the restart"
            )));
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    server.stop()?;
    Ok(Record::new("restart_seconds_live_sessions", "s", Spread::of([seconds])).at_most(5.0))
}
