//! Jobs that are cancelled.

use std::time::Duration;

use forecast_proto::v1;
use forecast_proto::v1::JobState;

use crate::exchange::{LIMIT, Served, config, network, refusal, spec, training};
use crate::run::Folder;

#[tokio::test(flavor = "multi_thread")]
async fn a_running_training_ends_within_a_step_of_being_cancelled() {
    let folder = Folder::new("cancel");
    let mut served = Served::open(folder.path(), &config()).await;
    let job = served.train(training(network("100000"))).await;
    let request = v1::WatchTrainingJobRequest { name: job.name.clone(), after_event: 0 };
    let mut events = served.trainings.watch_training_job(request).await.unwrap().into_inner();
    let mut n_after = None;
    let mut last = None;
    let all = async {
        while let Some(event) = events.message().await.unwrap() {
            if event.metrics.contains_key("step") && n_after.is_none() {
                let request = v1::CancelTrainingJobRequest { name: job.name.clone() };
                let cancelled =
                    served.trainings.cancel_training_job(request.clone()).await.unwrap().into_inner();
                assert!(!cancelled.training_job.unwrap().name.is_empty());
                // Twice does no harm.
                served.trainings.cancel_training_job(request).await.unwrap();
            }
            if event.message == "asked to end" {
                n_after = Some(0);
            } else if let Some(n) = &mut n_after {
                *n += 1;
            }
            last = event.training_job;
        }
    };
    tokio::time::timeout(LIMIT, all).await.unwrap();
    let last = last.unwrap();
    assert_eq!(last.state(), JobState::Cancelled);
    assert!(last.model_revision.is_empty() && last.error.is_none());
    // The step that it was cancelled in, and the end.
    assert!(n_after.unwrap() <= 2, "{n_after:?} events after the cancellation");
    assert!(served.registry.resolve("models/load").is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_is_cancelled_at_once_and_the_others_keep_their_order() {
    let folder = Folder::new("cancel-queued");
    let mut served = Served::open(folder.path(), &config()).await;
    let first = served.train(training(network("100000"))).await;
    let second = served.train(training(spec("naive", &[]))).await;
    let third = served.train(training(spec("drift", &[]))).await;
    // The first one leaves the queue at some time.
    let begin = std::time::Instant::now();
    loop {
        let request = v1::GetTrainingJobRequest { name: third.name.clone() };
        let job =
            served.trainings.get_training_job(request).await.unwrap().into_inner().training_job.unwrap();
        if job.queue_position == 1 {
            break;
        }
        assert!(begin.elapsed() < LIMIT);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let request = v1::CancelTrainingJobRequest { name: second.name.clone() };
    let job = served.trainings.cancel_training_job(request).await.unwrap().into_inner().training_job.unwrap();
    assert_eq!(job.state(), JobState::Cancelled);
    let request = v1::DeleteTrainingJobRequest { name: third.name.clone() };
    let status = served.trainings.delete_training_job(request).await.unwrap_err();
    assert_eq!(refusal(&status).0, "JOB_NOT_OVER");
    let request = v1::CancelTrainingJobRequest { name: first.name };
    served.trainings.cancel_training_job(request).await.unwrap();
    assert_eq!(served.ended(&third.name).await.state(), JobState::Succeeded);
    assert_eq!(served.ended(&second.name).await.attempt_count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_job_too_many_is_refused_with_a_hint_when_to_try_again() {
    let folder = Folder::new("queue-full");
    let few = longcast::jobs::JobsConfig { most_queued: 2, ..config() };
    let mut served = Served::open(folder.path(), &few).await;
    let first = served.train(training(network("100000"))).await;
    let mut status = None;
    for _ in 0..4 {
        match served.trainings.create_training_job(training(spec("naive", &[]))).await {
            Ok(_) => {}
            Err(refused) => status = Some(refused),
        }
    }
    let status = status.unwrap();
    assert_eq!(
        (status.code(), refusal(&status).0.as_str()),
        (tonic::Code::ResourceExhausted, "JOB_QUEUE_FULL")
    );
    let request = v1::CancelTrainingJobRequest { name: first.name };
    served.trainings.cancel_training_job(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cancelled_stays_cancelled_over_a_restart() {
    let folder = Folder::new("cancel-restart");
    {
        let mut served = Served::open(folder.path(), &config()).await;
        let job = served.train(training(network("100000"))).await;
        let request = v1::CancelTrainingJobRequest { name: job.name.clone() };
        served.trainings.cancel_training_job(request).await.unwrap();
        served.stop().await;
    }
    let mut served = Served::open(folder.path(), &config()).await;
    assert_eq!(served.ended("trainingJobs/1").await.state(), JobState::Cancelled);
}
