//! Jobs over restarts of the server, wanted and not.

use std::time::Duration;

use forecast_proto::v1;
use forecast_proto::v1::JobState;

use crate::exchange::{LIMIT, Served, config, network, series, spec, training};
use crate::run::{Folder, wave};

/// The revision that a training ends in when nothing disturbs it.
async fn undisturbed(name: &str, request: v1::CreateTrainingJobRequest) -> String {
    let folder = Folder::new(name);
    let mut served = Served::open(folder.path(), &config()).await;
    let job = served.train(request).await;
    served.ended(&job.name).await.model_revision
}

#[tokio::test(flavor = "multi_thread")]
async fn a_training_goes_on_after_restarts_and_ends_in_the_same_revision() {
    let request = training(network("40"));
    let whole = undisturbed("whole", request.clone()).await;
    let folder = Folder::new("restarts");
    let mut seen = Vec::new();
    for restart in 0..3u64 {
        let mut served = Served::open(folder.path(), &config()).await;
        if restart == 0 {
            served.train(request.clone()).await;
        }
        let watch = v1::WatchTrainingJobRequest {
            name: "trainingJobs/1".to_string(),
            after_event: seen.last().copied().unwrap_or(0),
        };
        let mut events = served.trainings.watch_training_job(watch).await.unwrap().into_inner();
        // Some steps further each time.
        for _ in 0..60 {
            let event = tokio::time::timeout(LIMIT, events.message()).await.unwrap().unwrap().unwrap();
            seen.push(event.event);
        }
        let jobs = served.jobs.clone();
        let stop = tokio::task::spawn_blocking(move || jobs.stop());
        // Whoever watches is told what there still is, and then to come back.
        loop {
            match tokio::time::timeout(LIMIT, events.message()).await.unwrap() {
                Ok(Some(event)) => seen.push(event.event),
                Ok(None) => panic!("the job is not over"),
                Err(status) => {
                    assert_eq!(status.code(), tonic::Code::Unavailable, "{status}");
                    break;
                }
            }
        }
        stop.await.unwrap();
    }
    let mut served = Served::open(folder.path(), &config()).await;
    let rest = served.events("trainingJobs/1", *seen.last().unwrap()).await;
    seen.extend(rest.iter().map(|event| event.event));
    assert_eq!(seen, (1..=seen.len() as u64).collect::<Vec<_>>());
    let job = rest.last().unwrap().training_job.as_ref().unwrap();
    assert_eq!((job.state(), job.attempt_count), (JobState::Succeeded, 4));
    assert_eq!(job.model_revision, whole);
    let step = |event: &v1::WatchTrainingJobResponse| event.metrics.get("step").copied();
    assert!(rest.iter().filter_map(step).next().unwrap() > 10.0, "it began anew");
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_run_after_a_restart_each_once() {
    let folder = Folder::new("waiting");
    {
        let mut served = Served::open(folder.path(), &config()).await;
        served.train(training(network("100000"))).await;
        for order in ["3", "4", "5"] {
            served.train(training(spec("ar", &[("order", order)]))).await;
        }
        served.stop().await;
    }
    let mut served = Served::open(folder.path(), &config()).await;
    let request = v1::CancelTrainingJobRequest { name: "trainingJobs/1".to_string() };
    served.trainings.cancel_training_job(request).await.unwrap();
    let mut started = Vec::new();
    for id in 2..=4 {
        let job = served.ended(&format!("trainingJobs/{id}")).await;
        assert_eq!((job.state(), job.attempt_count), (JobState::Succeeded, 1));
        let at = job.start_time.unwrap();
        started.push((at.seconds, at.nanos));
    }
    assert!(started.is_sorted(), "{started:?}");
    // Numbers are not given out twice.
    assert_eq!(served.train(training(spec("naive", &[]))).await.name, "trainingJobs/5");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_test_tells_each_fold_once_over_a_restart() {
    let request = || v1::CreateBacktestJobRequest {
        inline_series: (0..4).map(|at| series(&format!("s{at}"), wave(700, at))).collect(),
        spec: Some(v1::BacktestSpec {
            horizon: 6,
            n_windows: 12,
            refit_every: 1,
            models: vec![v1::TrainingSpec { horizon: 0, ..spec("ar", &[("order", "24")]) }],
            ..v1::BacktestSpec::default()
        }),
        ..v1::CreateBacktestJobRequest::default()
    };
    let folder = Folder::new("backtest-restart");
    let mut served = Served::open(folder.path(), &config()).await;
    served.evaluations.create_backtest_job(request()).await.unwrap();
    let watch = v1::WatchBacktestJobRequest { name: "backtestJobs/1".to_string(), after_event: 0 };
    let mut events = served.evaluations.watch_backtest_job(watch.clone()).await.unwrap().into_inner();
    let mut n_folds = 0;
    while n_folds < 10 {
        let event = tokio::time::timeout(LIMIT, events.message()).await.unwrap().unwrap().unwrap();
        n_folds += event.fold_scores.len();
    }
    served.stop().await;

    let mut served = Served::open(folder.path(), &config()).await;
    let mut events = served.evaluations.watch_backtest_job(watch).await.unwrap().into_inner();
    let mut folds = Vec::new();
    let mut last = None;
    while let Some(event) = tokio::time::timeout(LIMIT, events.message()).await.unwrap().unwrap() {
        let fold = event.fold_scores.first().map(|fold| fold.model.clone());
        folds.extend(fold.map(|model| (model, event.series_id.clone(), event.origin_unix_nano)));
        last = event.backtest_job;
    }
    assert_eq!(last.unwrap().state(), JobState::Succeeded);
    assert_eq!(folds.len(), 2 * 4 * 12);
    folds.sort();
    folds.dedup();
    assert_eq!(folds.len(), 2 * 4 * 12);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_half_written_is_cleaned_up_and_what_is_damaged_is_left_alone() {
    let folder = Folder::new("damaged");
    {
        let mut served = Served::open(folder.path(), &config()).await;
        served.train(training(spec("naive", &[]))).await;
        served.ended("trainingJobs/1").await;
        served.stop().await;
    }
    let jobs = folder.join("jobs/training");
    std::fs::create_dir_all(jobs.join(".unfinished-9")).unwrap();
    std::fs::create_dir_all(jobs.join("7")).unwrap();
    std::fs::write(jobs.join("7/request.bin"), b"\xff\xff\xff").unwrap();
    // A line that a crash has torn.
    let log = jobs.join("1/events.jsonl");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.extend(b"{\"number\":99,\"ti");
    std::fs::write(&log, bytes).unwrap();
    let mut served = Served::open(folder.path(), &config()).await;
    assert_eq!(served.ended("trainingJobs/1").await.state(), JobState::Succeeded);
    assert!(!jobs.join(".unfinished-9").exists() && jobs.join("7").exists());
    assert_eq!(served.train(training(spec("naive", &[]))).await.name, "trainingJobs/8");
}

/// The program, killed without a word while a training runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_goes_on_with_the_training_at_the_next_start() {
    let request = training(network("40"));
    let whole = undisturbed("killed-whole", request.clone()).await;
    let folder = Folder::new("killed");
    let start = || crate::run::Served::with(&folder, "serve --data data --port 0");
    let connect = |address: String| async move {
        let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).unwrap();
        v1::training_service_client::TrainingServiceClient::new(channel.connect().await.unwrap())
    };
    let mut last_event = 0;
    {
        let mut served = start();
        let mut client = connect(served.address.clone()).await;
        client.create_training_job(request).await.unwrap();
        let watch = v1::WatchTrainingJobRequest { name: "trainingJobs/1".to_string(), after_event: 0 };
        let mut events = client.watch_training_job(watch).await.unwrap().into_inner();
        // As soon as there is a checkpoint; a fast machine has none before it is done. Each of the 40 epochs is an event.
        let checkpoint = folder.join("data/jobs/training/1/state.training");
        while last_event < 4 || (!checkpoint.exists() && last_event < 20) {
            let event = tokio::time::timeout(LIMIT, events.message()).await.unwrap().unwrap().unwrap();
            last_event = event.event;
            assert_ne!(event.training_job.unwrap().state(), JobState::Succeeded);
        }
        served.kill();
    }
    let served = start();
    let mut client = connect(served.address.clone()).await;
    let watch = v1::WatchTrainingJobRequest { name: "trainingJobs/1".to_string(), after_event: last_event };
    let mut events = client.watch_training_job(watch).await.unwrap().into_inner();
    let mut job = None;
    while let Some(event) = tokio::time::timeout(LIMIT, events.message()).await.unwrap().unwrap() {
        assert_eq!(event.event, last_event + 1);
        last_event = event.event;
        job = event.training_job;
    }
    let job = job.unwrap();
    assert_eq!((job.state(), job.attempt_count), (JobState::Succeeded, 2));
    assert_eq!(job.model_revision, whole);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(served.terminate().code(), Some(0));
}
