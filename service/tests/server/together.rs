//! Many calls at once say what the same calls say one after the other.

use forecast_proto::v1;
use tonic::transport::Channel;

use crate::exchange::{Client, Running, in_time, request, series};
use crate::run::{bits, wave};
use crate::session_client::{Sessions, hours, new_session, result};
use crate::sessions::serve;

const N_SESSIONS: usize = 100;
const N_CALLS: usize = 5;
const N_FORECASTS: usize = 400;

/// The bits that one forecast gave.
async fn forecast(channel: Channel, i: usize) -> Vec<u64> {
    let asked = request(&series(&format!("s{i}"), wave(30 + i % 50, i as u64)));
    let forecast =
        in_time(Client::new(channel).forecast(asked)).await.unwrap().into_inner().forecast.unwrap();
    assert_eq!(forecast.series_id, format!("s{i}"));
    bits(&forecast.mean)
}

/// The bits that a session gave, call after call.
async fn session(channel: Channel, i: usize) -> Vec<u64> {
    let mut client = Sessions::new(channel);
    let mut new = new_session(&format!("s{i}"));
    new.history[0].series_id = format!("s{i}");
    in_time(client.create_session(new)).await.unwrap();
    let mut all = Vec::new();
    for call in 0..N_CALLS {
        let first = 1 + 3 * call as u64;
        let mut observations = hours(first, 3);
        observations.values.iter_mut().for_each(|value| *value += i as f64);
        let session = format!("sessions/s{i}");
        let observe =
            v1::ObserveRequest { session, epoch: 0, observations: Some(observations), return_forecast: true };
        let answer = in_time(client.observe(observe)).await.unwrap().into_inner();
        assert_eq!(answer.ack.unwrap().applied_through, first + 2);
        let forecast = result(&answer.updates[0]);
        assert_eq!(forecast.series_id, format!("s{i}"));
        all.extend(bits(&forecast.mean));
    }
    all
}

async fn channels(running: &Running) -> Vec<Channel> {
    let mut channels = Vec::new();
    for _ in 0..8 {
        channels.push(running.channel().await);
    }
    channels
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_mixed_calls_at_once_equal_the_same_calls_in_sequence() {
    let (running, _) = serve().await;
    let channels = channels(&running.running).await;
    let at = |i: usize| channels[i % channels.len()].clone();
    let sessions: Vec<_> = (0..N_SESSIONS).map(|i| tokio::spawn(session(at(i), i))).collect();
    let forecasts: Vec<_> = (0..N_FORECASTS).map(|i| tokio::spawn(forecast(at(i), i))).collect();
    let mut at_once = Vec::new();
    for task in sessions.into_iter().chain(forecasts) {
        at_once.push(task.await.unwrap());
    }
    let (other, _) = serve().await;
    let channel = other.running.channel().await;
    let mut in_sequence = Vec::new();
    for i in 0..N_SESSIONS {
        in_sequence.push(session(channel.clone(), i).await);
    }
    for i in 0..N_FORECASTS {
        in_sequence.push(forecast(channel.clone(), i).await);
    }
    assert_eq!(N_SESSIONS * (1 + N_CALLS) + N_FORECASTS, 1000);
    for (i, (at_once, alone)) in at_once.iter().zip(&in_sequence).enumerate() {
        assert!(at_once == alone, "call {i}");
    }
}
