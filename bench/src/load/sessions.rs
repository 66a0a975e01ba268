//! Observations into sessions, in columns, as fast as they are acknowledged.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::session_service_client::SessionServiceClient;
use forecast_proto::v1::stream_session_request::Payload;
use forecast_proto::v1::stream_session_response::Payload as Answer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Channel;

use super::latency::Latencies;
use super::server::connect;
use crate::error::{Error, Result};

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// The model.
    pub(crate) model: String,
    /// Sessions, each on a connection of its own.
    pub(crate) n_sessions: usize,
    /// Series of each.
    pub(crate) n_series: usize,
    /// Observations of one message; less where the server takes less.
    pub(crate) batch: usize,
    /// Observations on their way in one session, at most; less where the server takes less.
    pub(crate) on_their_way: usize,
    /// The first time stamp, and the step.
    pub(crate) start: i64,
    pub(crate) step: i64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Observations that were acknowledged.
    pub(crate) n: u64,
    pub(crate) seconds: f64,
    /// From sending a message to the acknowledgement of its last observation.
    pub(crate) latencies: Latencies,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.n as f64 / self.seconds
    }
}

fn refused(status: &Status) -> Error {
    Error::Unexpected(format!("the server refused observations: {status}"))
}

/// Makes sessions and sends observations for a time.
///
/// # Errors
/// [`Error::Unexpected`] if the server refuses something.
pub(crate) async fn run(address: &str, load: &Load, name: &str, duration: Duration) -> Result<Outcome> {
    let mut tasks = Vec::new();
    let begin = Instant::now();
    for at in 0..load.n_sessions {
        let client = SessionServiceClient::new(connect(address).await?);
        let (load, id) = (load.clone(), format!("{name}-{at}"));
        let end = begin + duration;
        tasks
            .push(tokio::spawn(async move { one(client, &load, &id, &mut |_| Instant::now() >= end).await }));
    }
    let (mut n, mut latencies) = (0, Latencies::new()?);
    for task in tasks {
        let (own, of_session) = task.await.map_err(|error| Error::Unexpected(error.to_string()))??;
        n += own;
        latencies.add(&of_session);
    }
    Ok(Outcome { n, seconds: begin.elapsed().as_secs_f64(), latencies })
}

/// Makes a session that forecasts when it is asked.
///
/// # Errors
/// As [`run`].
pub(crate) async fn create(
    client: &mut SessionServiceClient<Channel>,
    load: &Load,
    id: &str,
    durability: v1::Durability,
) -> Result<()> {
    let axis = v1::RegularAxis {
        start_unix_nano: load.start,
        step: Some(v1::regular_axis::Step::StepNano(load.step)),
        ..v1::RegularAxis::default()
    };
    let axis = v1::TimeAxis { axis: Some(v1::time_axis::Axis::Regular(axis)) };
    let history = (0..load.n_series).map(|series| v1::Series {
        series_id: format!("s{series}"),
        axis: Some(axis.clone()),
        ..v1::Series::default()
    });
    let request = v1::CreateSessionRequest {
        session_id: id.to_string(),
        model: load.model.clone(),
        history: history.collect(),
        spec: Some(v1::ForecastSpec { horizon: 1, ..v1::ForecastSpec::default() }),
        emit: Some(v1::EmitPolicy {
            when: Some(v1::emit_policy::When::OnRequest(true)),
            slow_consumer: v1::SlowConsumer::Unspecified.into(),
        }),
        durability: durability.into(),
        ..v1::CreateSessionRequest::default()
    };
    client.create_session(request).await.map(|_| ()).map_err(|status| refused(&status))
}

/// One message of observations, acknowledged.
///
/// # Errors
/// As [`run`].
pub(crate) async fn observe(client: &mut SessionServiceClient<Channel>, load: &Load, id: &str) -> Result<()> {
    let request = v1::ObserveRequest {
        session: format!("sessions/{id}"),
        observations: Some(Rows::of(load, load.batch).message(1)),
        ..v1::ObserveRequest::default()
    };
    client.observe(request).await.map(|_| ()).map_err(|status| refused(&status))
}

/// The seconds that each of some equal parts of a stream takes.
///
/// # Errors
/// As [`run`].
pub(crate) async fn by_parts(
    address: &str,
    load: &Load,
    id: &str,
    part: u64,
    n_parts: usize,
) -> Result<Vec<f64>> {
    let client = SessionServiceClient::new(connect(address).await?);
    let mut parts = Vec::new();
    let mut begin = Instant::now();
    let mut each = |acknowledged: u64| {
        if acknowledged >= part * (parts.len() as u64 + 1) {
            parts.push(begin.elapsed().as_secs_f64());
            begin = Instant::now();
        }
        parts.len() >= n_parts
    };
    one(client, load, id, &mut each).await?;
    Ok(parts)
}

/// What every message holds.
#[derive(Debug)]
struct Rows {
    series_index: Vec<u32>,
    values: Vec<f64>,
}

impl Rows {
    fn of(load: &Load, n: usize) -> Self {
        Rows {
            series_index: (0..n).map(|row| (row % load.n_series) as u32).collect(),
            values: (0..n).map(|row| ((row * 7_919) % 1_009) as f64 / 100.0).collect(),
        }
    }

    fn message(&self, first_sequence: u64) -> v1::ObservationBatch {
        v1::ObservationBatch {
            first_sequence,
            series_index: self.series_index.clone(),
            values: self.values.clone(),
            ..v1::ObservationBatch::default()
        }
    }
}

/// Sends until `is_over` says so of what was acknowledged.
async fn one(
    mut client: SessionServiceClient<Channel>,
    load: &Load,
    id: &str,
    is_over: &mut (dyn FnMut(u64) -> bool + Send),
) -> Result<(u64, Latencies)> {
    create(&mut client, load, id, v1::Durability::Unspecified).await?;
    let (send, requests) = mpsc::channel(8);
    let gone = || Error::Unexpected("the stream of observations ended".to_string());
    let tell = |payload: Payload| send.send(v1::StreamSessionRequest { payload: Some(payload) });
    let open = v1::OpenSession { session: format!("sessions/{id}"), epoch: 0 };
    tell(Payload::Open(open)).await.map_err(|_| gone())?;
    let answers = client.stream_session(ReceiverStream::new(requests)).await;
    let mut answers = answers.map_err(|status| refused(&status))?.into_inner();
    let first = answers.message().await.map_err(|status| refused(&status))?;
    let Some(Answer::Opened(opened)) = first.and_then(|first| first.payload) else { return Err(gone()) };
    let within = |most: i32, wanted: usize| {
        usize::try_from(most).ok().filter(|n| *n > 0).map_or(wanted, |n| n.min(wanted))
    };
    let batch = within(opened.max_batch_observations, load.batch);
    let on_their_way = within(opened.max_unacked_observations, load.on_their_way) as u64;
    let rows = Rows::of(load, batch);
    let (mut sent, mut acknowledged) = (0u64, 0u64);
    let mut waiting: VecDeque<(u64, Instant)> = VecDeque::new();
    let mut latencies = Latencies::new()?;
    loop {
        let is_over = is_over(acknowledged);
        if !is_over && sent + batch as u64 - acknowledged <= on_their_way {
            let message = rows.message(sent + 1);
            sent += batch as u64;
            waiting.push_back((sent, Instant::now()));
            tell(Payload::Observations(message)).await.map_err(|_| gone())?;
            continue;
        }
        if is_over && acknowledged >= sent {
            return Ok((acknowledged, latencies));
        }
        match answers.message().await.map_err(|status| refused(&status))?.and_then(|answer| answer.payload) {
            Some(Answer::Ack(ack)) => {
                acknowledged = ack.applied_through;
                while waiting.front().is_some_and(|(last, _)| *last <= acknowledged) {
                    if let Some((_, begin)) = waiting.pop_front() {
                        latencies.record(begin.elapsed());
                    }
                }
            }
            Some(Answer::ObservationError(error)) => {
                let status = error.status.unwrap_or_default();
                return Err(Error::Unexpected(format!("an observation was refused: {}", status.message)));
            }
            Some(_) => {}
            None => return Err(gone()),
        }
    }
}
