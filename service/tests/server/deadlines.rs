//! Deadlines: the smaller of the client's and the server's, with the stage in which it passed.

use std::time::{Duration, Instant};

use forecast_proto::v1;
use longcast::server::{Reason, to_series_message};
use tonic::Request;

use crate::errors::details;
use crate::exchange::{Running, hourly_model, in_time, request, series};
use crate::operations::{LOOKBACK, slow_model, slow_series};
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
async fn the_deadline_of_the_client_ends_its_call_and_names_the_stage() {
    let running = Running::with(&[("slow", &slow_model())], &[("server.threads", "1")]).await;
    let client = running.client().await;
    // What is computed first keeps the others in the queue.
    let calls = (0..4).map(|_| {
        let mut client = client.clone();
        async move { in_time(client.forecast(timed("3m"))).await.unwrap_err() }
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
    let settings = [("limits.call_time", "1ms"), ("server.threads", "1")];
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
    let running = Running::with(&[("slow", &slow_model())], &[("server.threads", "1")]).await;
    let mut client = running.client().await;
    let batch = v1::BatchForecastRequest {
        series: vec![to_series_message(&series("load", wave(LOOKBACK, 1))); 1]
            .into_iter()
            .chain(vec![slow_series(); 2000])
            .collect(),
        spec: Some(v1::ForecastSpec { horizon: 1, ..v1::ForecastSpec::default() }),
        ordered: true,
        ..v1::BatchForecastRequest::default()
    };
    let mut batch = Request::new(batch);
    batch.metadata_mut().insert("grpc-timeout", "1500m".parse().unwrap());
    let mut answers = in_time(client.batch_forecast(batch)).await.unwrap().into_inner();
    let mut n = 0;
    let status = loop {
        match in_time(answers.message()).await {
            Ok(Some(_)) => n += 1,
            Ok(None) => panic!("2,000 slow series came in time"),
            Err(status) => break status,
        }
    };
    assert!(n > 0 && n < 2000, "{n}");
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
