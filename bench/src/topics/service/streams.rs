//! Sessions: observations in columns, the cost of one after many, many sessions over a restart.

use std::time::Instant;

use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_proto::v1;
use forecast_proto::v1::session_service_client::SessionServiceClient;

use super::Pace;
use super::work::{HOUR, Work};
use crate::console;
use crate::error::{Error, Result};
use crate::load::echo::HORIZON;
use crate::load::server::{Server, connect};
use crate::load::sessions::{self, Load};
use crate::measure::Spread;
use crate::record::Record;

/// The family of state spaces, and its layer that is measured.
const STATE_SPACE: &str = "ssm";
const MIXER: &str = "s4d";
/// Every how many steps a window of its training begins: what it forecasts does not matter.
const STRIDE: &str = "7";

/// Sessions whose cost is followed over many observations.
const N_LONG_SESSIONS: usize = 5;

/// Observations in columns: throughput, latency of acknowledgements, memory, and the cost after many.
pub(super) async fn observations(pace: &Pace, work: &Work) -> Result<Vec<Record>> {
    // With a data folder sessions are durable: every message is in the log before it is acknowledged.
    let data = work.folder.join("durable").display().to_string();
    let server = Server::longcast(&work.longcast, &["--data", &data, "--model", &work.file()])?;
    let load = Load {
        model: "models/load".to_string(),
        n_sessions: 2,
        n_series: 64,
        batch: 4_096,
        // One message is taken while the next one comes.
        on_their_way: 2 * 4_096,
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
    records.push(state_space(pace, work).await?);
    Ok(records)
}

/// What an observation costs after many, by what it did at first; of several sessions, since a part takes a fraction of a
/// second.
async fn flat(pace: &Pace, server: &Server, load: &Load) -> Result<Record> {
    let load = Load { n_sessions: 1, ..load.clone() };
    let part = pace.n_long / 10;
    let mut growths = Vec::new();
    for at in 0..N_LONG_SESSIONS {
        let costs = sessions::by_parts(server.address(), &load, &format!("flat-{at}"), part, 10).await?;
        let (Some(first), Some(last)) = (costs.first(), costs.last()) else {
            return Err(Error::Unexpected("nothing was measured".to_string()));
        };
        growths.push(last / first);
    }
    Ok(Record::new("observation_cost_growth", "x", Spread::of(growths)).at_most(1.1))
}

/// The same with a state space model of the default size.
async fn state_space(pace: &Pace, work: &Work) -> Result<Record> {
    let config = ModelConfig::parse(STATE_SPACE)?.with("mixer", MIXER)?;
    let config = config.with("epochs", "1")?.with("stride", STRIDE)?;
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
    Ok(Record::new("observations_per_second_s4d", "1/s", spread).at_least(20_000.0))
}

/// Many sessions that are kept on disk, and the time from the start of the server to the first answer with all of them.
pub(super) async fn live_sessions(pace: &Pace, work: &Work) -> Result<Record> {
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
