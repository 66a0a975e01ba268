//! Requests that nobody would send: bytes that are no message, and messages full of odd values. Whatever comes, the
//! server answers, never with its own fault, and goes on.

use std::path::Path;

use bytes::Bytes;
use forecast_proto::v1;
use prost::Message;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tonic::Code;
use tonic::transport::Channel;

use crate::exchange::{Running, ask, hourly_model, request, series};
use crate::raw::call;
use crate::run::wave;

/// Cases of one run; `LONGCAST_FUZZ_CASES` looks longer.
const CASES: usize = 3000;
const FORECAST: &str = "/longcast.v1.ForecastService/Forecast";
const OTHERS: [&str; 6] = [
    "/longcast.v1.ForecastService/BatchForecast",
    "/longcast.v1.ForecastService/StreamForecast",
    "/longcast.v1.ModelService/GetModel",
    "/longcast.v1.ModelService/ListModels",
    "/longcast.v1.ModelService/ListModelRevisions",
    "/longcast.v1.ServerService/GetServerInfo",
];

fn n_cases() -> usize {
    std::env::var("LONGCAST_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES)
}

/// The requests that mutation starts from: those of the folder, and a plain one.
fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/server/corpus");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut corpus: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    corpus.push(request(&series("load", wave(40, 1))).encode_to_vec());
    corpus
}

/// Flips, cuts, doubles and splices.
fn mutated(corpus: &[Vec<u8>], draw: &mut ChaCha8Rng) -> Vec<u8> {
    let mut pick = |n: usize| (draw.next_u64() % n.max(1) as u64) as usize;
    let mut bytes = corpus[pick(corpus.len())].clone();
    for _ in 0..1 + pick(6) {
        let at = pick(bytes.len());
        match pick(6) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << pick(8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, pick(256) as u8),
            3 => {
                let other = &corpus[pick(corpus.len())];
                let (from, to) = (pick(other.len()), pick(other.len()));
                let part = other[from.min(to)..from.max(to)].to_vec();
                bytes.splice(at..at, part);
            }
            4 if bytes.len() > at + 8 => {
                let odd = [f64::INFINITY, f64::NAN, f64::MAX, f64::MIN_POSITIVE, -0.0][pick(5)];
                bytes[at..at + 8].copy_from_slice(&odd.to_le_bytes());
            }
            _ if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => {}
        }
    }
    bytes
}

async fn check(channel: &Channel, path: &'static str, bytes: Vec<u8>) {
    let outcome = call(channel, path, Bytes::from(bytes.clone()), None).await;
    if let Err(status) = outcome {
        assert!(
            !matches!(status.code(), Code::Internal | Code::Unknown | Code::Unavailable),
            "{path}: {status:?} for {bytes:02x?}"
        );
        assert!(!status.details().is_empty(), "{path}: {status:?} has no reason");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_request_are_refused_and_the_server_goes_on() {
    let model = hourly_model();
    let running = Running::with(&[("load", &model)], &[("limits.horizon", "500")]).await;
    let channel = running.channel().await;
    let corpus = corpus();
    let mut draw = ChaCha8Rng::seed_from_u64(7);
    for bytes in &corpus {
        check(&channel, FORECAST, bytes.clone()).await;
    }
    for case in 0..n_cases() {
        let bytes = mutated(&corpus, &mut draw);
        let path = if case % 4 == 0 { OTHERS[case / 4 % OTHERS.len()] } else { FORECAST };
        check(&channel, path, bytes).await;
    }
    ask(&mut running.client().await, request(&series("load", wave(100, 1)))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_values_in_every_field_are_refused_and_the_server_goes_on() {
    let model = hourly_model();
    let running = Running::with(&[("load", &model)], &[("limits.horizon", "500")]).await;
    let channel = running.channel().await;
    let mut draw = ChaCha8Rng::seed_from_u64(8);
    for _ in 0..n_cases() / 3 {
        let mut pick = |n: usize| (draw.next_u64() % n as u64) as usize;
        let mut asked = request(&series("load", wave(30, 1)));
        let spec = asked.spec.as_mut().unwrap();
        spec.horizon = [0, -1, 1, 500, 501, i32::MAX, i32::MIN][pick(7)];
        spec.interval_band = [0, 1, 2, 3, -1][pick(5)];
        spec.quantile_levels = vec![[0.5, 0.0, 1.0, -0.0, f64::NAN, 1e-300][pick(6)]; pick(130)];
        let series = asked.series.as_mut().unwrap();
        series.series_id = ["", "load", "\u{0}", "ä\u{202e}"][pick(4)].to_string();
        let at = pick(30);
        series.values[at] = [f64::NAN, f64::INFINITY, f64::MAX, -f64::MAX, 5e-324, 1.0][pick(6)];
        series.values.truncate([0, 1, 23, 24, 30][pick(5)]);
        if let Some(v1::time_axis::Axis::Regular(axis)) =
            series.axis.as_mut().and_then(|axis| axis.axis.as_mut())
        {
            axis.start_unix_nano = [0, i64::MIN, i64::MAX, -1, 1_704_067_200_000_000_000][pick(5)];
            axis.step_count = [0, 1, -1, i32::MAX, i32::MIN][pick(5)];
            axis.time_zone = ["", "UTC", "Europe/Berlin", "Nowhere/At_all", "+25:00"][pick(5)].to_string();
            axis.opening = ["", "", "", "Mon-Fri", "Mon 25:00-26:00"][pick(5)].to_string();
            axis.step = [
                Some(v1::regular_axis::Step::StepNano(3_600_000_000_000)),
                Some(v1::regular_axis::Step::StepNano(0)),
                Some(v1::regular_axis::Step::StepNano(i64::MIN)),
                Some(v1::regular_axis::Step::CalendarStep(99)),
                None,
            ][pick(5)];
        }
        check(&channel, FORECAST, asked.encode_to_vec()).await;
    }
}
