//! Stopping with open streams, and with a client that does not listen.

use std::time::{Duration, Instant};

use forecast_proto::v1;
use forecast_proto::v1::stream_forecast_request::Payload;
use longcast::server::Reason;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::errors::details;
use crate::exchange::{Running, ask, hourly_model, in_time, request, series, spec};
use crate::raw::Deaf;
use crate::run::wave;

fn open() -> v1::StreamForecastRequest {
    let open = v1::StreamForecastOpen { model: "models/load".to_string(), spec: Some(spec()) };
    v1::StreamForecastRequest { payload: Some(Payload::Open(open)), correlation_id: 0 }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_end_and_a_client_that_does_not_listen_is_cut_off() {
    let model = hourly_model();
    let running = Running::with(&[("load", &model)], &[("server.drain", "2s")]).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        let client = running.client().await;
        for _ in 0..200 {
            let (send, receive) = mpsc::channel(4);
            send.send(open()).await.unwrap();
            let answers =
                in_time(client.clone().stream_forecast(ReceiverStream::new(receive))).await.unwrap();
            streams.push((send, answers.into_inner()));
        }
    }
    let mut deaf = Deaf::connect(running.address).await;
    deaf.begin("/longcast.v1.ForecastService/StreamForecast").await;
    // Let its call arrive before the server stops.
    let mut client = running.client().await;
    ask(&mut client, request(&series("load", wave(100, 1)))).await.unwrap();

    let start = Instant::now();
    let stopped = running.stop();
    for (_send, mut answers) in streams {
        assert!(matches!(in_time(answers.message()).await, Ok(None)), "a stream broke off");
    }
    in_time(stopped).await.unwrap();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(20), "it took {took:?} to stop, with a bound of 2 s");
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_come_too_late_are_refused_and_do_not_hold_up_the_stop() {
    let model = hourly_model();
    let running = Running::with(&[("load", &model)], &[("server.drain", "5s")]).await;
    let client = running.client().await;
    // A stream that is not over holds the connection open.
    let (send, receive) = mpsc::channel(4);
    send.send(open()).await.unwrap();
    let answers = in_time(client.clone().stream_forecast(ReceiverStream::new(receive))).await.unwrap();
    let start = Instant::now();
    let stopped = running.stop();
    let mut last = None;
    for _ in 0..2000 {
        if let Err(status) = ask(&mut client.clone(), request(&series("load", wave(100, 1)))).await {
            last = Some(status);
            break;
        }
    }
    let status = last.expect("calls go on for ever after the stop");
    // Either the call is refused with when to try again, or its connection says goodbye before.
    if !status.details().is_empty() {
        details(&status, Reason::Draining);
    }
    drop((send, answers));
    in_time(stopped).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(30));
}
