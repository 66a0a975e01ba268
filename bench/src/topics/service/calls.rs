//! Unary forecasts: throughput beside the peers, latency at half of it, beside the floor's, and while a training runs and
//! models are loaded.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::model_admin_service_client::ModelAdminServiceClient;
use forecast_proto::v1::training_service_client::TrainingServiceClient;

use super::work::Work;
use super::{Pace, python};
use crate::console;
use crate::environment::own_path;
use crate::error::{Error, Result};
use crate::load::server::{Server, connect};
use crate::load::unary::{CONNECTIONS, Calls, Outcome};
use crate::measure::Spread;
use crate::record::Record;
use crate::topics::Setting;

/// Calls on their way.
const AT_A_TIME: usize = 16;
/// Stretches that a latency is the median of: a moment in which the machine does something else is in one of them.
const N_STRETCHES: u32 = 5;

/// From one load of a model to the next.
const BETWEEN_LOADS: Duration = Duration::from_millis(20);

/// Throughput beside the peers, latency at half of it, and while a training runs and models are loaded.
///
/// `other` is the model that is loaded meanwhile.
pub(super) async fn unary(setting: &Setting, pace: &Pace, work: &Work, other: &Work) -> Result<Vec<Record>> {
    let (ours, admin) = work.serve_with_admin()?;
    let mut echo = std::process::Command::new(own_path()?);
    let echo = Server::start(echo.arg("echo"))?;
    let peer = if setting.has_peers { Some(python::start(work)?) } else { None };
    let mut sides = vec![Calls::new(ours.address(), work.request.clone(), CONNECTIONS).await?];
    sides.push(Calls::new(echo.address(), work.request.clone(), CONNECTIONS).await?);
    if let Some((_, address)) = &peer {
        sides.push(Calls::new(address, work.request.clone(), CONNECTIONS).await?);
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
    drop(peer);
    let half = Spread::of(per_second[0].iter().copied()).median / 2.0;
    let [alone, floor] = p99s([&sides[0], &sides[1]], half, pace).await?;
    drop(echo);
    let record = Record::new("p99_ms_half_load", "ms", alone).beside("a bare tonic echo", floor);
    records.push(record.at_most(2.0));
    let reloads = Reloads { admin, revision: other.import(&admin)? };
    records.push(while_training(pace, work, ours, (&sides[0], half), reloads, alone).await?);
    Ok(records)
}

/// The 99th percentiles of the latencies of some servers in turn at a fixed rate, in milliseconds.
async fn p99s<const N: usize>(sides: [&Calls; N], per_second: f64, pace: &Pace) -> Result<[Spread; N]> {
    let mut figures = [const { Vec::new() }; N];
    for _ in 0..N_STRETCHES {
        for (side, figures) in sides.iter().zip(&mut figures) {
            let outcome = checked(side.at_rate(per_second, pace.half_load / N_STRETCHES).await?)?;
            figures.push(outcome.latencies.quantile_ms(0.99));
        }
    }
    Ok(figures.map(Spread::of))
}

/// A model that is loaded and taken out of memory again, over and over.
struct Reloads {
    /// The admin port.
    admin: SocketAddr,
    revision: String,
}

impl Reloads {
    /// Goes on until it fails or is aborted; counts.
    async fn run(self, n_loads: Arc<AtomicU64>) -> Result<()> {
        let mut admin = ModelAdminServiceClient::new(connect(&self.admin.to_string()).await?);
        let fail = |status: tonic::Status| Error::Unexpected(format!("a model was not loaded: {status}"));
        let name = self.revision;
        loop {
            let load = v1::LoadModelRevisionRequest { name: name.clone(), make_default: false };
            admin.load_model_revision(load).await.map_err(fail)?;
            n_loads.fetch_add(1, Ordering::Relaxed);
            let unload = v1::UnloadModelRevisionRequest { name: name.clone(), ..Default::default() };
            admin.unload_model_revision(unload).await.map_err(fail)?;
            tokio::time::sleep(BETWEEN_LOADS).await;
        }
    }
}

/// The same load while a training computes on the server and models are loaded.
async fn while_training(
    pace: &Pace,
    work: &Work,
    ours: Server,
    (calls, per_second): (&Calls, f64),
    reloads: Reloads,
    alone: Spread,
) -> Result<Record> {
    let mut trainings = TrainingServiceClient::new(ours.connect().await?);
    let settings = [("epochs", "1000"), ("hidden", "[64]")];
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
    let n_loads = Arc::new(AtomicU64::new(0));
    let loading = tokio::spawn(reloads.run(Arc::clone(&n_loads)));
    let [beside] = p99s([calls], per_second, pace).await?;
    if loading.is_finished() {
        loading.await.map_err(|error| Error::Unexpected(error.to_string()))??;
    } else {
        loading.abort();
    }
    if n_loads.load(Ordering::Relaxed) == 0 {
        return Err(Error::Unexpected("no model was loaded during the measurement".to_string()));
    }
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
    let growth = beside.median / alone.median;
    Ok(Record::new("p99_growth_while_training", "x", Spread::of([growth])).at_most(2.0))
}

fn checked(outcome: Outcome) -> Result<Outcome> {
    match outcome.n_failed {
        0 => Ok(outcome),
        n => Err(Error::Unexpected(format!("{n} calls failed"))),
    }
}
