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

/// Connections that calls are spread over.
const CONNECTIONS: usize = 2;
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
}

impl Outcome {
    /// Answers in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.n() as f64 / self.seconds
    }
}

/// Calls of a server, all with one request.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    clients: Vec<ForecastServiceClient<Channel>>,
    request: v1::ForecastRequest,
}

impl Calls {
    /// Connects.
    ///
    /// # Errors
    /// [`Error::Unexpected`] if there is no connection, or the first call fails.
    pub(crate) async fn new(address: &str, request: v1::ForecastRequest) -> Result<Self> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(ForecastServiceClient::new(connect(address).await?));
        }
        let calls = Calls { clients, request };
        let first = calls.clients[0].clone().forecast(calls.request.clone()).await;
        let answer = first.map_err(|status| Error::Unexpected(format!("the first call failed: {status}")))?;
        match answer.into_inner().forecast.map(|forecast| forecast.mean.len()) {
            Some(super::echo::HORIZON) => Ok(calls),
            found => Err(Error::Unexpected(format!("the first answer has {found:?} steps"))),
        }
    }

    /// `n_at_a_time` calls on their way, each followed by the next, for a time.
    pub(crate) async fn at_a_time(&self, n_at_a_time: usize, duration: Duration) -> Result<Outcome> {
        let begin = Instant::now();
        let end = begin + duration;
        let tasks: Vec<_> = (0..n_at_a_time)
            .map(|at| {
                let (mut client, request) = (self.clients[at % CONNECTIONS].clone(), self.request.clone());
                tokio::spawn(async move {
                    let (mut latencies, mut n_failed) = (Latencies::new()?, 0);
                    while Instant::now() < end {
                        let begin = Instant::now();
                        match client.forecast(request.clone()).await {
                            Ok(_) => latencies.record(begin.elapsed()),
                            Err(_) => n_failed += 1,
                        }
                    }
                    Ok::<_, Error>((latencies, n_failed))
                })
            })
            .collect();
        let (mut latencies, mut n_failed) = (Latencies::new()?, 0);
        for task in tasks {
            let (own, failed) = task.await.map_err(|error| Error::Unexpected(error.to_string()))??;
            latencies.add(&own);
            n_failed += failed;
        }
        Ok(Outcome { latencies, seconds: begin.elapsed().as_secs_f64(), n_failed })
    }

    /// Calls at a fixed rate for a time. A latency counts from when the call was due, so that a server that makes
    /// calls wait cannot hide it.
    pub(crate) async fn at_rate(&self, per_second: f64, duration: Duration) -> Result<Outcome> {
        let n_calls = (per_second * duration.as_secs_f64()) as u64;
        let room = Arc::new(Semaphore::new(MOST_ON_THEIR_WAY));
        let n_failed = Arc::new(AtomicU64::new(0));
        let latencies = Arc::new(Mutex::new(Latencies::new()?));
        let begin = Instant::now();
        let pace = {
            let (calls, n_failed, latencies) = (self.clone(), Arc::clone(&n_failed), Arc::clone(&latencies));
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
                    let (latencies, n_failed) = (Arc::clone(&latencies), Arc::clone(&n_failed));
                    handle.spawn(async move {
                        for at in now {
                            let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                                n_failed.fetch_add(1, Ordering::Relaxed);
                                continue;
                            };
                            let due = begin + Duration::from_secs_f64(at as f64 / per_second);
                            let mut client = calls.clients[at as usize % CONNECTIONS].clone();
                            let request = calls.request.clone();
                            let (latencies, n_failed) = (Arc::clone(&latencies), Arc::clone(&n_failed));
                            tokio::spawn(async move {
                                match client.forecast(request).await {
                                    Ok(_) => {
                                        latencies
                                            .lock()
                                            .unwrap_or_else(PoisonError::into_inner)
                                            .record(due.elapsed());
                                    }
                                    Err(_) => drop(n_failed.fetch_add(1, Ordering::Relaxed)),
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
        let n_failed = n_failed.load(Ordering::Relaxed);
        Ok(Outcome { latencies, seconds: begin.elapsed().as_secs_f64(), n_failed })
    }
}
