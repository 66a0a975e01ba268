//! More calls than the server can answer: some are answered, the others learn when to try again, and nobody is harmed.

use std::time::Duration;

use forecast_proto::v1;
use futures_util::future::join_all;
use longcast::server::Reason;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::errors::details;
use crate::exchange::{Running, in_time};
use crate::operations::{slow_model, slow_series};

fn slow_request() -> v1::ForecastRequest {
    let spec = v1::ForecastSpec { horizon: 1, ..v1::ForecastSpec::default() };
    v1::ForecastRequest { series: Some(slow_series()), spec: Some(spec), ..v1::ForecastRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused_with_a_hint_and_the_server_stays_healthy() {
    let settings =
        [("server.threads", "1"), ("limits.queued_calls", "8"), ("limits.calls_per_connection", "256")];
    let running = Running::with(&[("slow", &slow_model())], &settings).await;
    let client = running.client().await;
    let mut health = HealthClient::new(running.channel().await);
    let calls = (0..160).map(|_| {
        let mut client = client.clone();
        async move { in_time(client.forecast(slow_request())).await.map(|_| ()) }
    });
    let check = async {
        let request = HealthCheckRequest { service: String::new() };
        in_time(health.check(request)).await.unwrap().into_inner().status()
    };
    let (outcomes, status) = tokio::join!(join_all(calls), check);
    assert_eq!(status, ServingStatus::Serving);
    let n_answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    assert!(n_answered >= 8, "{n_answered} of 160 were answered");
    assert!(!refused.is_empty(), "160 calls fit into a queue of 8");
    for status in refused {
        let details = details(&status, Reason::Overloaded);
        let hint = details.retry_info().and_then(|info| info.retry_delay).unwrap();
        assert!(hint >= Duration::from_millis(20) && hint <= Duration::from_secs(10), "{hint:?}");
        let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap();
        let pushback: u64 = pushback.to_str().unwrap().parse().unwrap();
        assert_eq!(u128::from(pushback), hint.as_millis());
    }
    in_time(client.clone().forecast(slow_request())).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_memory_have_a_bound_of_their_own() {
    let settings = [("limits.request_memory", "1 MiB")];
    let running = Running::with(&[("slow", &slow_model())], &settings).await;
    let mut client = running.client().await;
    let mut large = slow_request();
    large.series.as_mut().unwrap().values = vec![1.0; 200_000];
    let status = in_time(client.forecast(large)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    details(&status, Reason::Overloaded);
    for _ in 0..50 {
        in_time(client.forecast(slow_request())).await.unwrap();
    }
}
