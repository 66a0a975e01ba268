//! Micro-batches: networks forecast what arrives together in one pass, and each series gets what it gets alone.

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::exchange::{Running, ask, check_equal, fit, hourly_model, in_time, options, request, series};
use crate::run::wave;

/// A network that is trained in a second.
fn network() -> forecast::Model {
    let settings = [
        ("lookback", "48"),
        ("label_length", "24"),
        ("d_model", "16"),
        ("n_heads", "2"),
        ("d_ff", "32"),
        ("epochs", "1"),
    ];
    fit("informer", &settings, &["y"], vec![series("load", wave(600, 1))])
}

async fn metrics(running: &Running) -> String {
    let mut stream = tokio::net::TcpStream::connect(running.admin.unwrap()).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: longcast\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    in_time(stream.read_to_string(&mut text)).await.unwrap();
    text
}

fn count(text: &str, name: &str) -> u64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name} in {text}"));
    line.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_together_is_one_pass_and_each_gets_what_it_gets_alone() {
    let (network, linear) = (network(), hourly_model());
    let settings = [("admin.port", "0"), ("batching.delay", "50ms"), ("batching.series", "8")];
    let running = Running::with(&[("network", &network), ("linear", &linear)], &settings).await;
    let client = running.client().await;
    let calls = (0..40).map(|i| {
        let mut client = client.clone();
        let (network, linear) = (network.clone(), linear.clone());
        async move {
            let history = series("load", wave(60 + i as usize, i));
            let mut asked = request(&history);
            let model = if i % 4 == 3 { &linear } else { &network };
            asked.model = if i % 4 == 3 { "models/linear" } else { "models/network" }.to_string();
            // A spec of its own is a pass of its own.
            let mut options = options();
            if i % 4 == 2 {
                options.horizon = 7;
                asked.spec.as_mut().unwrap().horizon = 7;
            }
            let message = ask(&mut client, asked).await.unwrap();
            check_equal(&message, &model.forecast_series(&history, &options).unwrap());
        }
    });
    join_all(calls).await;
    let text = metrics(&running).await;
    assert_eq!(count(&text, "longcast_pass_series_total"), 30);
    let passes = count(&text, "longcast_passes_total");
    assert!((4..=15).contains(&passes), "30 series in {passes} passes of at most 8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_that_cannot_be_forecast_disturbs_no_other_of_its_pass() {
    let network = network();
    let running = Running::with(&[("load", &network)], &[("batching.delay", "50ms")]).await;
    let client = running.client().await;
    let calls = (0..8).map(|i| {
        let mut client = client.clone();
        let network = network.clone();
        async move {
            // Every other history is too short.
            let history = series("load", wave(if i % 2 == 0 { 60 } else { 20 }, i));
            let outcome = ask(&mut client, request(&history)).await;
            match network.forecast_series(&history, &options()) {
                Ok(expected) => check_equal(&outcome.unwrap(), &expected),
                Err(_) => assert_eq!(outcome.unwrap_err().code(), tonic::Code::FailedPrecondition),
            }
        }
    });
    join_all(calls).await;
}
