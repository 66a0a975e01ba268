//! What is wrong with a request is told with the path of the field.

use forecast_proto::v1;

use crate::exchange::{Served, config, refusal, series, spec, training};
use crate::run::{Folder, wave};

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_of_a_training_is_named() {
    let folder = Folder::new("refused");
    let mut served = Served::open(folder.path(), &config()).await;
    let base = || training(spec("ar", &[("order", "24")]));
    let with_spec = |change: &dyn Fn(&mut v1::TrainingSpec)| {
        let mut request = base();
        change(request.spec.as_mut().unwrap());
        request
    };
    let with_values = |at: usize, value: f64| {
        let mut request = base();
        request.inline_series.push(series("second", wave(400, 2)));
        request.inline_series[1].values[at] = value;
        request
    };
    let pair = |name: &str, value: &str| [(name.to_string(), value.to_string())].into();
    let mut other_step = base();
    other_step.inline_series.push(series("second", wave(400, 2)));
    if let Some(v1::time_axis::Axis::Regular(axis)) =
        other_step.inline_series[1].axis.as_mut().and_then(|axis| axis.axis.as_mut())
    {
        axis.step = Some(v1::regular_axis::Step::StepNano(60_000_000_000));
    }
    let no_data = v1::CreateTrainingJobRequest { inline_series: Vec::new(), ..base() };
    let both = v1::CreateTrainingJobRequest { dataset: "datasets/x".to_string(), ..base() };
    let dataset = |name: &str| v1::CreateTrainingJobRequest { dataset: name.to_string(), ..no_data.clone() };
    let cases = [
        (v1::CreateTrainingJobRequest { model: "load".to_string(), ..base() }, "model"),
        (v1::CreateTrainingJobRequest { model: "models/../x".to_string(), ..base() }, "model"),
        (v1::CreateTrainingJobRequest { spec: None, ..base() }, "spec"),
        (no_data.clone(), "dataset"),
        (both, "inline_series"),
        (dataset("x"), "dataset"),
        (with_spec(&|spec| spec.family = "arima".to_string()), "spec.family"),
        (with_spec(&|spec| spec.settings = pair("ordre", "3")), "spec.settings[\"ordre\"]"),
        (with_spec(&|spec| spec.settings = pair("order", "many")), "spec.settings[\"order\"]"),
        (with_spec(&|spec| spec.horizon = -1), "spec.horizon"),
        (with_spec(&|spec| spec.season_length = -1), "spec.season_length"),
        (with_spec(&|spec| spec.validation_share = 1.5), "spec.validation_share"),
        (with_spec(&|spec| spec.validation_share = f64::NAN), "spec.validation_share"),
        (with_spec(&|spec| spec.scaling = "big".to_string()), "spec.scaling"),
        (
            with_spec(&|spec| spec.time_limit = Some(prost_types::Duration { seconds: 5, nanos: 0 })),
            "spec.time_limit",
        ),
        (with_spec(&|spec| spec.read_options = pair("freq", "1h")), "spec.read_options"),
        (with_spec(&|spec| spec.read_options = pair("frq", "1h")), "spec.read_options[\"frq\"]"),
        (v1::CreateTrainingJobRequest { request_id: "x".repeat(129), ..base() }, "request_id"),
        (with_values(17, f64::INFINITY), "inline_series[1].values[17]"),
        (other_step, "inline_series[1].axis.regular"),
    ];
    for (request, field) in cases {
        for validate_only in [true, false] {
            let request = v1::CreateTrainingJobRequest { validate_only, ..request.clone() };
            let status = served.trainings.create_training_job(request).await.expect_err(field);
            let (reason, fields) = refusal(&status);
            assert_eq!(reason, "FIELD_INVALID", "{field}: {status}");
            assert!(fields.contains(&field.to_string()), "{field}: {fields:?}");
        }
    }
    let status = served.trainings.create_training_job(dataset("datasets/nothing")).await.unwrap_err();
    assert_eq!((status.code(), refusal(&status).0.as_str()), (tonic::Code::NotFound, "DATASET_NOT_FOUND"));
    // Several at once, and nothing was started.
    let bad = with_spec(&|spec| (spec.horizon, spec.season_length) = (-1, -2));
    let status = served.trainings.create_training_job(bad).await.unwrap_err();
    assert_eq!(refusal(&status).1, ["spec.horizon", "spec.season_length"]);
    let valid = v1::CreateTrainingJobRequest { validate_only: true, ..base() };
    let answer = served.train(valid).await;
    assert!(answer.name.is_empty() && answer.spec.is_some());
    let all = served
        .trainings
        .list_training_jobs(v1::ListTrainingJobsRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert!(all.training_jobs.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_field_of_a_back_test_is_named() {
    let folder = Folder::new("refused-backtest");
    let mut served = Served::open(folder.path(), &config()).await;
    let base =
        || v1::BacktestSpec { horizon: 6, models: vec![spec("ar", &[])], ..v1::BacktestSpec::default() };
    let ridge = v1::TrainingSpec { scaling: "robust".to_string(), ..spec("drift", &[]) };
    let cases = [
        (v1::BacktestSpec { horizon: 0, ..base() }, "spec.horizon"),
        (v1::BacktestSpec { n_windows: -1, ..base() }, "spec.n_windows"),
        (v1::BacktestSpec { n_windows: 10_001, ..base() }, "spec.n_windows"),
        (v1::BacktestSpec { step_size: -1, ..base() }, "spec.step_size"),
        (v1::BacktestSpec { gap: -1, ..base() }, "spec.gap"),
        (v1::BacktestSpec { refit_every: -1, ..base() }, "spec.refit_every"),
        (v1::BacktestSpec { interval_coverages: vec![0.8, 1.0], ..base() }, "spec.interval_coverages[1]"),
        (v1::BacktestSpec { metrics: vec!["mape".into(), "luck".into()], ..base() }, "spec.metrics[1]"),
        (v1::BacktestSpec { models: Vec::new(), ..base() }, "spec.models"),
        (v1::BacktestSpec { models: vec![spec("ar", &[]), ridge], ..base() }, "spec.models[1]"),
        (v1::BacktestSpec { models: vec![spec("arima", &[])], ..base() }, "spec.models[0].family"),
    ];
    for (spec, field) in cases {
        let request = v1::CreateBacktestJobRequest {
            inline_series: vec![series("load", wave(400, 1))],
            spec: Some(spec),
            ..v1::CreateBacktestJobRequest::default()
        };
        let status = served.evaluations.create_backtest_job(request).await.expect_err(field);
        let (reason, fields) = refusal(&status);
        assert_eq!(reason, "FIELD_INVALID", "{field}: {status}");
        assert!(fields.contains(&field.to_string()), "{field}: {fields:?}");
    }
    let request = v1::CreateBacktestJobRequest {
        inline_series: vec![series("load", wave(400, 1))],
        spec: Some(v1::BacktestSpec { model: "models/nobody".to_string(), ..base() }),
        ..v1::CreateBacktestJobRequest::default()
    };
    let status = served.evaluations.create_backtest_job(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
}
