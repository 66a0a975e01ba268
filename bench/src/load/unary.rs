//! Unary calls: as many as go with some at a time, or at a fixed rate whatever the answers do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::forecast_service_client::ForecastServiceClient;
use tokio::sync::Semaphore;
use tonic::transport::Channel;

use super::latency::Latencies;
use super::server::connect;
use crate::error::{Error, Result};

/// Connections that calls are usually spread over.
pub(crate) const CONNECTIONS: usize = 2;
/// Calls that are on their way at a fixed rate, at most: one more counts as an error.
const MOST_ON_THEIR_WAY: usize = 10_000;

/// Calls at a fixed rate that are due within this time of each other are sent together.
const AT_ONCE: Duration = Duration::from_micros(200);

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of the calls that were answered, from when they were due.
    pub(crate) latencies: Latencies,
    /// From the first call to the last answer.
    pub(crate) seconds: f64,
    /// Calls that were not answered, or with an error.
    pub(crate) n_failed: u64,
    /// Those of them that the server refused with when to try again.
    pub(crate) n_hinted: u64,
    /// Those that were not sent, since too many were on their way.
    pub(crate) n_unsent: u64,
}

/// Calls that failed; fields as of [`Outcome`].
#[derive(Debug, Default)]
struct Failed {
    all: AtomicU64,
    hinted: AtomicU64,
    unsent: AtomicU64,
}

impl Failed {
    fn add(&self, status: &tonic::Status) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let is_hinted = status.metadata().contains_key("grpc-retry-pushback-ms");
        self.hinted.fetch_add(u64::from(is_hinted), Ordering::Relaxed);
    }

    fn add_unsent(&self) {
        self.all.fetch_add(1, Ordering::Relaxed);
        self.unsent.fetch_add(1, Ordering::Relaxed);
    }

    fn outcome(&self, latencies: Latencies, begin: Instant) -> Outcome {
        let [n_failed, n_hinted, n_unsent] =
            [&self.all, &self.hinted, &self.unsent].map(|count| count.load(Ordering::Relaxed));
        Outcome { latencies, seconds: begin.elapsed().as_secs_f64(), n_failed, n_hinted, n_unsent }
    }
}

impl Outcome {
    /// Answers in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.n() as f64 / self.seconds
    }

    /// Calls that were answered with an error.
    pub(crate) fn n_refused(&self) -> u64 {
        self.n_failed - self.n_unsent
    }
}

/// Calls of a server, all with one request.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    clients: Vec<ForecastServiceClient<Channel>>,
    request: v1::ForecastRequest,
}

impl Calls {
    /// Connects, so many times.
    ///
    /// # Errors
    /// [`Error::Unexpected`] if there is no connection, or the first call fails.
    pub(crate) async fn new(address: &str, request: v1::ForecastRequest, n: usize) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..n.max(1) {
            clients.push(ForecastServiceClient::new(connect(address).await?));
        }
        let calls = Calls { clients, request };
        let first = calls.clients[0].clone().forecast(calls.request.clone()).await;
        let answer = first.map_err(|status| Error::Unexpected(format!("the first call failed: {status}")))?;
        let due = calls.request.spec.as_ref().map_or(0, |spec| spec.horizon as usize);
        match answer.into_inner().forecast.map(|forecast| forecast.mean.len()) {
            Some(found) if found == due => Ok(calls),
            found => Err(Error::Unexpected(format!("the first answer has {found:?} steps"))),
        }
    }

    /// `n_at_a_time` calls on their way, each followed by the next, for a time.
    pub(crate) async fn at_a_time(&self, n_at_a_time: usize, duration: Duration) -> Result<Outcome> {
        let begin = Instant::now();
        let end = begin + duration;
        let failed = Arc::new(Failed::default());
        let tasks: Vec<_> = (0..n_at_a_time)
            .map(|at| {
                let (mut client, request) =
                    (self.clients[at % self.clients.len()].clone(), self.request.clone());
                let failed = Arc::clone(&failed);
                tokio::spawn(async move {
                    let mut latencies = Latencies::new()?;
                    while Instant::now() < end {
                        let begin = Instant::now();
                        match client.forecast(request.clone()).await {
                            Ok(_) => latencies.record(begin.elapsed()),
                            Err(status) => failed.add(&status),
                        }
                    }
                    Ok::<_, Error>(latencies)
                })
            })
            .collect();
        let mut latencies = Latencies::new()?;
        for task in tasks {
            latencies.add(&task.await.map_err(|error| Error::Unexpected(error.to_string()))??);
        }
        Ok(failed.outcome(latencies, begin))
    }

    /// Calls at a fixed rate for a time. A latency counts from when the call was due, so that a server that makes
    /// calls wait cannot hide it.
    pub(crate) async fn at_rate(&self, per_second: f64, duration: Duration) -> Result<Outcome> {
        let n_calls = (per_second * duration.as_secs_f64()) as u64;
        let room = Arc::new(Semaphore::new(MOST_ON_THEIR_WAY));
        let failed = Arc::new(Failed::default());
        let latencies = Arc::new(Mutex::new(Latencies::new()?));
        let begin = Instant::now();
        let pace = {
            let (calls, failed, latencies) = (self.clone(), Arc::clone(&failed), Arc::clone(&latencies));
            let (handle, room) = (tokio::runtime::Handle::current(), Arc::clone(&room));
            // A thread that sleeps wakes up within a few hundredths of a millisecond; the timers of the runtime
            // within one. What is due at about the same time is sent in one go.
            move || {
                let mut at = 0;
                while at < n_calls {
                    let due = begin + Duration::from_secs_f64(at as f64 / per_second);
                    if let Some(wait) = due.checked_duration_since(Instant::now()) {
                        std::thread::sleep(wait.max(AT_ONCE));
                    }
                    let until = (begin.elapsed().as_secs_f64() * per_second) as u64;
                    let now = at..until.clamp(at + 1, n_calls);
                    at = now.end;
                    let (calls, room) = (calls.clone(), Arc::clone(&room));
                    let (latencies, failed) = (Arc::clone(&latencies), Arc::clone(&failed));
                    handle.spawn(async move {
                        for at in now {
                            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                                failed.add_unsent();
                                continue;
                            };
                            let due = begin + Duration::from_secs_f64(at as f64 / per_second);
                            let mut client = calls.clients[at as usize % calls.clients.len()].clone();
                            let request = calls.request.clone();
                            let (latencies, failed) = (Arc::clone(&latencies), Arc::clone(&failed));
                            tokio::spawn(async move {
                                match client.forecast(request).await {
                                    Ok(_) => {
                                        latencies
                                            .lock()
                                            .unwrap_or_else(PoisonError::into_inner)
                                            .record(due.elapsed());
                                    }
                                    Err(status) => failed.add(&status),
                                }
                                drop(permit);
                            });
                        }
                    });
                }
            }
        };
        let panicked = |_| Error::Unexpected("the thread that paces calls panicked".to_string());
        let paced = tokio::task::spawn_blocking(pace);
        paced.await.map_err(panicked)?;
        // All permits are back with the last answer; what was only just due takes its permit meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let all = u32::try_from(MOST_ON_THEIR_WAY).unwrap_or(u32::MAX);
        let _all = room.acquire_many(all).await.map_err(|error| Error::Unexpected(error.to_string()))?;
        let latencies = latencies.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(failed.outcome(latencies, begin))
    }
}
