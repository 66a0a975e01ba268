//! Trainings from the request to the revision.

use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
use forecast_proto::v1;
use forecast_proto::v1::JobState;

use crate::exchange::{Served, config, network, refusal, series, spec, training};
use crate::run::{Folder, hourly, wave};

#[tokio::test(flavor = "multi_thread")]
async fn a_training_ends_in_the_model_that_the_library_fits() {
    let folder = Folder::new("training");
    let mut served = Served::open(folder.path(), &config()).await;
    let job = served.train(training(spec("ar", &[("order", "24")]))).await;
    assert_eq!(job.name, "trainingJobs/1");
    assert!(matches!(job.state(), JobState::Queued | JobState::Running), "{job:?}");
    let job = served.ended("trainingJobs/1").await;
    assert_eq!((job.state(), job.attempt_count), (JobState::Succeeded, 1));
    assert!((job.progress - 1.0).abs() < 1e-12 && job.metrics["validation_mase"] > 0.0, "{job:?}");
    assert!(job.start_time.is_some() && job.end_time.is_some());

    let read = ReadOptions::default();
    let panel = Panel::read_csv(hourly(&wave(500, 1)).as_bytes(), "load.csv", &read).unwrap();
    let config = ModelConfig::parse("ar").unwrap().with("order", "24").unwrap();
    let options = FitOptions { horizon: Some(6), ..FitOptions::default() };
    let loaded = served.registry.resolve("models/load").unwrap();
    assert_eq!(loaded.revision(), job.model_revision);
    let ours = Model::fit(&config, &panel, &options).unwrap().model;
    let weights = |model: &Model| model.coefficients(0, 0).unwrap();
    assert_eq!(weights(&loaded.model), weights(&ours));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_stored_and_does_not_answer_unless_that_was_asked_for() {
    let folder = Folder::new("stored");
    let mut served = Served::open(folder.path(), &config()).await;
    let first = training(spec("ar", &[("order", "24")]));
    served.train(first.clone()).await;
    let first = served.ended("trainingJobs/1").await.model_revision;
    let second = v1::CreateTrainingJobRequest {
        make_default: false,
        spec: Some(spec("ar", &[("order", "12")])),
        ..training(spec("ar", &[]))
    };
    served.train(second).await;
    let second = served.ended("trainingJobs/2").await.model_revision;
    assert_ne!(first, second);
    assert_eq!(served.registry.resolve("models/load").unwrap().revision(), first);
    assert_eq!(served.registry.load(&second).unwrap().revision(), second);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_is_the_same_job_and_another_one_is_refused() {
    let folder = Folder::new("request-id");
    let request = v1::CreateTrainingJobRequest {
        request_id: "nightly-7".to_string(),
        ..training(spec("ar", &[("order", "24"), ("pooled", "true"), ("ridge", "0.1")]))
    };
    {
        let mut served = Served::open(folder.path(), &config()).await;
        assert_eq!(served.train(request.clone()).await.name, "trainingJobs/1");
        served.ended("trainingJobs/1").await;
        for _ in 0..5 {
            assert_eq!(served.train(request.clone()).await.name, "trainingJobs/1");
        }
        served.stop().await;
    }
    // Over a restart too.
    let mut served = Served::open(folder.path(), &config()).await;
    assert_eq!(served.train(request.clone()).await.name, "trainingJobs/1");
    let other = v1::CreateTrainingJobRequest { model: "models/other".to_string(), ..request };
    let status = served.trainings.create_training_job(other).await.unwrap_err();
    assert_eq!(refusal(&status), ("FIELD_INVALID".to_string(), vec!["request_id".to_string()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_numbered_and_whoever_goes_on_misses_none() {
    let folder = Folder::new("events");
    let mut served = Served::open(folder.path(), &config()).await;
    let job = served.train(training(network("4"))).await;
    let live = served.events(&job.name, 0).await;
    let numbers: Vec<u64> = live.iter().map(|event| event.event).collect();
    assert_eq!(numbers, (1..=live.len() as u64).collect::<Vec<_>>());
    assert!(live.len() > 20, "{} events", live.len());
    for after in [0, 1, 7, live.len() as u64 - 1, live.len() as u64] {
        let later = served.events(&job.name, after).await;
        assert_eq!(later, live[after as usize..], "after {after}");
    }
    let losses: Vec<f64> =
        live.iter().filter_map(|event| event.metrics.get("validation_loss").copied()).collect();
    assert_eq!(losses.len(), 4);
    assert!(live.iter().any(|event| event.time_left.is_some()));
    assert!(live.windows(2).all(|pair| {
        let progress = |event: &v1::WatchTrainingJobResponse| event.training_job.as_ref().unwrap().progress;
        progress(&pair[0]) <= progress(&pair[1])
    }));
    let last = live.last().unwrap().training_job.as_ref().unwrap();
    assert_eq!(last.state(), JobState::Succeeded);
    assert_eq!(last.last_event, live.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_every_job_once_the_newest_first() {
    let folder = Folder::new("pages");
    let mut served = Served::open(folder.path(), &config()).await;
    for at in 0..7 {
        let model = format!("models/m{}", at % 2);
        served.train(v1::CreateTrainingJobRequest { model, ..training(spec("naive", &[])) }).await;
    }
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListTrainingJobsRequest { page_size: 3, page_token, filter: String::new() };
        let page = served.trainings.list_training_jobs(request).await.unwrap().into_inner();
        assert!(page.training_jobs.len() <= 3);
        names.extend(page.training_jobs.into_iter().map(|job| job.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        // A job that is made meanwhile is on no later page.
        if names.len() == 3 {
            served.train(training(spec("naive", &[]))).await;
        }
    }
    assert_eq!(names, (1..=7).rev().map(|id| format!("trainingJobs/{id}")).collect::<Vec<_>>());
    let filter = "models/m1".to_string();
    let request = v1::ListTrainingJobsRequest { page_size: 2, page_token: String::new(), filter };
    let page = served.trainings.list_training_jobs(request).await.unwrap().into_inner();
    let of_model: Vec<&str> = page.training_jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(of_model, ["trainingJobs/6", "trainingJobs/4"]);
    // A token belongs to its list.
    let request = v1::ListTrainingJobsRequest { page_token: page.next_page_token, ..Default::default() };
    let status = served.trainings.list_training_jobs(request).await.unwrap_err();
    assert_eq!(refusal(&status).1, ["page_token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fit_that_the_data_do_not_allow_is_told_with_the_series() {
    let folder = Folder::new("failed");
    let mut served = Served::open(folder.path(), &config()).await;
    let mut request = training(spec("ar", &[]));
    request.inline_series.push(series("flat", vec![5.0; 500]));
    served.train(request).await;
    let job = served.ended("trainingJobs/1").await;
    assert_eq!(job.state(), JobState::Failed);
    let error = job.error.unwrap();
    assert!(error.message.contains("series \"flat\" is constant"), "{}", error.message);
    assert!(error.details.iter().any(|any| any.type_url.ends_with("google.rpc.ErrorInfo")));
    // It can be removed, and the server goes on.
    let request = v1::DeleteTrainingJobRequest { name: job.name.clone() };
    served.trainings.delete_training_job(request).await.unwrap();
    let request = v1::GetTrainingJobRequest { name: job.name };
    let status = served.trainings.get_training_job(request).await.unwrap_err();
    assert_eq!(refusal(&status).0, "JOB_NOT_FOUND");
    served.train(training(spec("naive", &[]))).await;
    assert_eq!(served.ended("trainingJobs/2").await.state(), JobState::Succeeded);
}
