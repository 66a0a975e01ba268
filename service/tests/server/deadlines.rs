//! Deadlines: the smaller of the client's and the server's, with the stage in which it passed.

use std::time::{Duration, Instant};

use forecast_proto::v1;
use longcast::server::{Reason, to_series_message};
use tonic::Request;

use crate::errors::details;
use crate::exchange::{Running, hourly_model, in_time, request, series};
use crate::operations::{slow_model, slow_series};
use crate::run::wave;

fn slow_request() -> v1::ForecastRequest {
    let spec = v1::ForecastSpec { horizon: 1, ..v1::ForecastSpec::default() };
    v1::ForecastRequest { series: Some(slow_series()), spec: Some(spec), ..v1::ForecastRequest::default() }
}

fn timed(timeout: &str) -> Request<v1::ForecastRequest> {
    let mut request = Request::new(slow_request());
    request.metadata_mut().insert("grpc-timeout", timeout.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_names_the_stage_in_which_it_passed() {
    // The client's own timer, which runs beside the server's, would say CANCELLED: the server's limit is used here.
    let settings = [("server.threads", "1"), ("limits.call_time", "3ms")];
    let running = Running::with(&[("slow", &slow_model())], &settings).await;
    let client = running.client().await;
    // What is computed first keeps the others in the queue.
    let calls = (0..4).map(|_| {
        let mut client = client.clone();
        async move { in_time(client.forecast(slow_request())).await.unwrap_err() }
    });
    let mut stages = Vec::new();
    for status in futures_util::future::join_all(calls).await {
        let details = details(&status, Reason::DeadlineExceeded);
        stages.push(details.error_info().unwrap().metadata["stage"].clone());
    }
    assert!(stages.iter().all(|stage| ["queue", "compute"].contains(&stage.as_str())), "{stages:?}");
    assert!(stages.iter().any(|stage| stage == "queue"), "{stages:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_time_counts_where_the_client_has_more_or_none() {
    let settings = [("limits.call_time", "2ms"), ("server.threads", "1")];
    let running = Running::with(&[("slow", &slow_model())], &settings).await;
    let mut client = running.client().await;
    let start = Instant::now();
    for asked in [Request::new(slow_request()), timed("10S")] {
        let status = in_time(client.forecast(asked)).await.unwrap_err();
        details(&status, Reason::DeadlineExceeded);
    }
    assert!(start.elapsed() < Duration::from_secs(9));
    let status = in_time(client.forecast(timed("soon"))).await.unwrap_err();
    details(&status, Reason::FieldInvalid);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_a_stream_ends_it_in_the_middle() {
    let running = Running::start(&[("load", &hourly_model())]).await;
    let mut client = running.client().await;
    // 200 answers of 160 kB each: more than a client takes that does not read.
    let mut batch = Request::new(v1::BatchForecastRequest {
        series: vec![to_series_message(&series("load", wave(100, 1))); 200],
        spec: Some(v1::ForecastSpec { horizon: 20_000, ..v1::ForecastSpec::default() }),
        ordered: true,
        ..v1::BatchForecastRequest::default()
    });
    // The client's own timer ends with the headers of the answer.
    batch.metadata_mut().insert("grpc-timeout", "3S".parse().unwrap());
    let mut answers = in_time(client.batch_forecast(batch)).await.unwrap().into_inner();
    in_time(answers.message()).await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_millis(3500)).await;
    let mut n = 1;
    let status = loop {
        match in_time(answers.message()).await {
            Ok(Some(_)) => n += 1,
            Ok(None) => panic!("all came in spite of the deadline"),
            Err(status) => break status,
        }
    };
    assert!(n < 200, "{n}");
    details(&status, Reason::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_time_is_not_disturbed_by_its_deadline() {
    let model = hourly_model();
    let running = Running::start(&[("load", &model)]).await;
    let mut client = running.client().await;
    for _ in 0..20 {
        let mut asked = Request::new(request(&series("load", wave(100, 1))));
        asked.set_timeout(Duration::from_secs(20));
        in_time(client.forecast(asked)).await.unwrap();
    }
}
