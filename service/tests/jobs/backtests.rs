//! Back-tests beside those of the library.

use std::collections::BTreeMap;

use forecast::eval::{BacktestOptions, backtest};
use forecast::{ModelConfig, Panel, ReadOptions};
use forecast_proto::v1;
use forecast_proto::v1::JobState;

use crate::exchange::{LIMIT, Served, config, series, spec, training};
use crate::run::{Folder, hourly, wave};

async fn ended(
    served: &mut Served,
    request: v1::CreateBacktestJobRequest,
) -> (v1::BacktestJob, Vec<v1::WatchBacktestJobResponse>) {
    let job =
        served.evaluations.create_backtest_job(request).await.unwrap().into_inner().backtest_job.unwrap();
    let watch = v1::WatchBacktestJobRequest { name: job.name, after_event: 0 };
    let mut stream = served.evaluations.watch_backtest_job(watch).await.unwrap().into_inner();
    let mut events = Vec::new();
    while let Some(event) = tokio::time::timeout(LIMIT, stream.message()).await.unwrap().unwrap() {
        events.push(event);
    }
    (events.last().unwrap().backtest_job.clone().unwrap(), events)
}

fn request(spec: v1::BacktestSpec) -> v1::CreateBacktestJobRequest {
    v1::CreateBacktestJobRequest {
        inline_series: vec![series("load", wave(600, 1))],
        spec: Some(spec),
        ..v1::CreateBacktestJobRequest::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scores_are_those_of_the_library_and_folds_add_up_to_them() {
    let folder = Folder::new("backtest");
    let mut served = Served::open(folder.path(), &config()).await;
    let spec = v1::BacktestSpec {
        horizon: 12,
        n_windows: 5,
        gap: 2,
        interval_coverages: vec![0.8],
        models: vec![v1::TrainingSpec { horizon: 0, ..spec("ar", &[("order", "24")]) }],
        ..v1::BacktestSpec::default()
    };
    let (job, events) = ended(&mut served, request(spec)).await;
    assert_eq!(job.state(), JobState::Succeeded);

    let panel =
        Panel::read_csv(hourly(&wave(600, 1)).as_bytes(), "load.csv", &ReadOptions::default()).unwrap();
    let models = [ModelConfig::parse("ar").unwrap().with("order", "24").unwrap()];
    let options = BacktestOptions {
        horizon: 12,
        n_windows: 5,
        gap: 2,
        levels: vec![80.0],
        ..BacktestOptions::default()
    };
    let scores = backtest(&models, &panel, &options).unwrap().scores();
    let own: BTreeMap<&str, &v1::ModelScores> = job.scores.iter().map(|of| (of.model.as_str(), of)).collect();
    assert_eq!(own.len(), 2);
    for row in &scores.rows {
        for (model, value) in scores.models.iter().zip(&row.values) {
            assert_eq!(own[model.as_str()].scores[&row.metric].to_bits(), value.to_bits(), "{model} {row:?}");
        }
    }
    assert_eq!(own["ar"].forecast_count, 5);
    // The best comes first.
    assert!(job.scores[0].scores["mase"] <= job.scores[1].scores["mase"]);
    let folds: Vec<&v1::ModelScores> = events.iter().flat_map(|event| &event.fold_scores).collect();
    let maes: Vec<f64> =
        folds.iter().filter(|fold| fold.model == "ar").map(|fold| fold.scores["mae"]).collect();
    assert_eq!(maes.len(), 5);
    assert!((maes.iter().sum::<f64>() / 5.0 - own["ar"].scores["mae"]).abs() < 1e-9);
    assert!(
        events.iter().filter(|event| !event.fold_scores.is_empty()).all(|event| event.origin_unix_nano > 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_model_is_scored_as_it_is_and_metrics_can_be_chosen() {
    let folder = Folder::new("backtest-stored");
    let mut served = Served::open(folder.path(), &config()).await;
    served.train(training(spec("ar", &[("order", "24"), ("pooled", "true")]))).await;
    served.ended("trainingJobs/1").await;
    let spec = v1::BacktestSpec {
        horizon: 6,
        n_windows: 3,
        metrics: vec!["mae".to_string(), "mase".to_string()],
        model: "models/load".to_string(),
        ..v1::BacktestSpec::default()
    };
    let (job, _) = ended(&mut served, request(spec)).await;
    assert_eq!(job.state(), JobState::Succeeded, "{:?}", job.error);
    let ar = job.scores.iter().find(|of| of.model == "ar").unwrap();
    assert_eq!(ar.scores.len(), 2);
    // Its forecasts, one by one.
    let model = served.registry.resolve("models/load").unwrap().model.clone();
    let values = wave(600, 1);
    let panel = Panel::read_csv(hourly(&values).as_bytes(), "load.csv", &ReadOptions::default()).unwrap();
    let mut errors = Vec::new();
    for cutoff in [582, 588, 594] {
        let options = forecast::ForecastOptions { horizon: 6, ..Default::default() };
        let forecast = model.forecast_series(&panel.series()[0].slice(0..cutoff), &options).unwrap();
        errors.extend(forecast.mean.iter().zip(&values[cutoff..]).map(|(mean, value)| (mean - value).abs()));
    }
    let mae = errors.iter().sum::<f64>() / errors.len() as f64;
    assert!((ar.scores["mae"] - mae).abs() < 1e-9, "{} {mae}", ar.scores["mae"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_test_that_is_cancelled_ends() {
    let folder = Folder::new("backtest-cancel");
    let mut served = Served::open(folder.path(), &config()).await;
    let spec = v1::BacktestSpec {
        horizon: 6,
        n_windows: 400,
        step_size: 1,
        refit_every: 1,
        models: vec![v1::TrainingSpec { horizon: 0, ..spec("ar", &[("order", "24")]) }],
        ..v1::BacktestSpec::default()
    };
    let job = served
        .evaluations
        .create_backtest_job(request(spec))
        .await
        .unwrap()
        .into_inner()
        .backtest_job
        .unwrap();
    let watch = v1::WatchBacktestJobRequest { name: job.name.clone(), after_event: 0 };
    let mut stream = served.evaluations.watch_backtest_job(watch).await.unwrap().into_inner();
    let mut last = None;
    while let Some(event) = tokio::time::timeout(LIMIT, stream.message()).await.unwrap().unwrap() {
        if event.message == "begun" {
            let request = v1::CancelBacktestJobRequest { name: job.name.clone() };
            served.evaluations.cancel_backtest_job(request).await.unwrap();
        }
        last = event.backtest_job;
    }
    assert_eq!(last.unwrap().state(), JobState::Cancelled);
}
