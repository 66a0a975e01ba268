//! What probes and Prometheus see on the admin port.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::exchange::{Running, ask, hourly_model, in_time, request, series};
use crate::run::wave;

/// Status and body of a GET.
async fn get(running: &Running, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(running.admin.unwrap()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: longcast\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    in_time(stream.read_to_string(&mut text)).await.unwrap();
    let code = text.split(' ').nth(1).unwrap().parse().unwrap();
    (code, text.split_once("\r\n\r\n").unwrap().1.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_are_answered_on_the_admin_port_only() {
    let model = hourly_model();
    let running = Running::with(&[("load", &model)], &[("admin.port", "0")]).await;
    let mut client = running.client().await;
    let history = series("load", wave(100, 1));
    for _ in 0..3 {
        ask(&mut client, request(&history)).await.unwrap();
    }
    let mut wrong = request(&history);
    wrong.model = "models/other".to_string();
    ask(&mut client, wrong).await.unwrap_err();

    assert_eq!(get(&running, "/livez").await, (200, "ok\n".to_string()));
    assert_eq!(get(&running, "/readyz").await, (200, "ok\n".to_string()));
    assert_eq!(get(&running, "/secret").await.0, 404);
    let (code, text) = get(&running, "/metrics").await;
    assert_eq!(code, 200);
    for line in [
        "longcast_calls_total{method=\"/longcast.v1.ForecastService/Forecast\",code=\"OK\"} 3",
        "longcast_calls_total{method=\"/longcast.v1.ForecastService/Forecast\",code=\"NOT_FOUND\"} 1",
        "longcast_forecast_seconds_count{stage=\"compute\"} 3",
        "longcast_forecast_seconds_count{stage=\"queue\"} 3",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
    // Ids of series are no labels.
    assert!(!text.contains("series_id") && !text.contains("\"load\""), "{text}");

    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: longcast\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    // The port of callers speaks HTTP/2 and nothing else.
    let _ = in_time(stream.read_to_end(&mut bytes)).await;
    assert!(!String::from_utf8_lossy(&bytes).contains("longcast_calls_total"));
}
