//! Data sets: uploaded in chunks or series, bounded, checked, deleted.

use forecast_proto::v1;
use forecast_proto::v1::JobState;
use forecast_proto::v1::upload_dataset_request::Payload;
use longcast::crc32c;
use longcast::jobs::JobsConfig;
use sha2::{Digest, Sha256};
use tokio_stream::iter;
use tonic::Status;

use crate::exchange::{Served, config, network, refusal, series, spec, training};
use crate::run::{Folder, hourly, wave};

async fn upload(served: &mut Served, messages: Vec<Payload>) -> Result<v1::Dataset, Status> {
    let messages = messages.into_iter().map(|payload| v1::UploadDatasetRequest { payload: Some(payload) });
    let messages: Vec<_> = messages.collect();
    let answer = served.trainings.upload_dataset(iter(messages)).await?;
    Ok(answer.into_inner().stored.unwrap())
}

fn header(id: &str, bytes: &[u8]) -> v1::DatasetHeader {
    v1::DatasetHeader {
        dataset_id: id.to_string(),
        file_format: "csv".to_string(),
        size_bytes: bytes.len() as i64,
        sha256: Sha256::digest(bytes).to_vec(),
        channels: Vec::new(),
    }
}

/// A file in chunks of some bytes.
fn file(id: &str, bytes: &[u8], size: usize) -> Vec<Payload> {
    let chunks = bytes.chunks(size).enumerate().map(|(at, data)| {
        let crc32c = crc32c(data);
        Payload::FileChunk(v1::DatasetChunk { offset: (at * size) as i64, data: data.to_vec(), crc32c })
    });
    std::iter::once(Payload::Header(header(id, bytes))).chain(chunks).collect()
}

fn on(dataset: &str, spec: v1::TrainingSpec) -> v1::CreateTrainingJobRequest {
    v1::CreateTrainingJobRequest { dataset: dataset.to_string(), inline_series: Vec::new(), ..training(spec) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_in_chunks_and_the_same_series_train_the_same_model() {
    let folder = Folder::new("uploads");
    let mut served = Served::open(folder.path(), &config()).await;
    let bytes = hourly(&wave(500, 1)).into_bytes();
    let stored = upload(&mut served, file("hours", &bytes, 1_000)).await.unwrap();
    assert_eq!((stored.name.as_str(), stored.size_bytes), ("datasets/hours", bytes.len() as i64));
    assert_eq!(stored.sha256, Sha256::digest(&bytes).to_vec());
    let ids = v1::DatasetHeader { dataset_id: "series".to_string(), ..v1::DatasetHeader::default() };
    let messages = vec![Payload::Header(ids), Payload::Series(series("load", wave(500, 1)))];
    let stored = upload(&mut served, messages).await.unwrap();
    assert_eq!((stored.series_count, stored.point_count), (1, 500));

    served.train(on("datasets/hours", spec("ar", &[("order", "24")]))).await;
    served.train(on("datasets/series", spec("ar", &[("order", "24")]))).await;
    served.train(training(spec("ar", &[("order", "24")]))).await;
    let mut weights = Vec::new();
    for id in 1..=3 {
        let job = served.ended(&format!("trainingJobs/{id}")).await;
        assert_eq!(job.state(), JobState::Succeeded, "{:?}", job.error);
        let model = served.registry.load(&job.model_revision).unwrap().model.clone();
        weights.push(model.coefficients(0, 0).unwrap());
    }
    assert_eq!(weights[0], weights[1]);
    assert_eq!(weights[1], weights[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn data_sets_that_come_with_the_program_are_there_and_options_of_reading_hold() {
    let folder = Folder::new("bundled");
    let mut served = Served::open(folder.path(), &config()).await;
    let all = served.trainings.list_datasets(v1::ListDatasetsRequest::default()).await.unwrap().into_inner();
    assert!(all.datasets.iter().any(|set| set.name == "datasets/electricity"));
    // The column of stamps has another name, and there is one column too many.
    let rows: String = wave(400, 1)
        .iter()
        .enumerate()
        .map(|(hour, y)| format!("{},{y},{}\n", 1_704_067_200 + hour * 3_600, -y))
        .collect();
    let bytes = format!("when,y,other\n{rows}").into_bytes();
    upload(&mut served, file("named", &bytes, 1 << 19)).await.unwrap();
    let options = [("time-col", "when"), ("target-col", "y")];
    let read_options = options.map(|(name, value)| (name.to_string(), value.to_string())).into();
    served.train(on("datasets/named", v1::TrainingSpec { read_options, ..spec("naive", &[]) })).await;
    let job = served.ended("trainingJobs/1").await;
    assert_eq!(job.state(), JobState::Succeeded, "{:?}", job.error);
    let model = served.registry.load(&job.model_revision).unwrap().model.clone();
    assert_eq!(model.header().channels, ["y"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_too_large_or_incomplete_leaves_nothing_behind() {
    let folder = Folder::new("bad-uploads");
    let small =
        JobsConfig { dataset_bytes: 10_000, all_datasets_bytes: 15_000, most_datasets: 2, ..config() };
    let mut served = Served::open(folder.path(), &small).await;
    let bytes = hourly(&wave(100, 1)).into_bytes();
    let change = |at: usize, change: &dyn Fn(&mut v1::DatasetChunk)| {
        let mut messages = file("x", &bytes, 1_000);
        if let Payload::FileChunk(chunk) = &mut messages[at] {
            change(chunk);
        }
        messages
    };
    let with_header = |change: &dyn Fn(&mut v1::DatasetHeader)| {
        let mut messages = file("x", &bytes, 1_000);
        if let Payload::Header(header) = &mut messages[0] {
            change(header);
        }
        messages
    };
    let mut short = file("x", &bytes, 1_000);
    short.pop();
    let mut without_header = file("x", &bytes, 1_000);
    without_header.remove(0);
    let infinite = {
        let mut values = wave(50, 1);
        values[3] = f64::INFINITY;
        let header = v1::DatasetHeader { dataset_id: "x".to_string(), ..v1::DatasetHeader::default() };
        vec![
            Payload::Header(header),
            Payload::Series(series("a", wave(50, 1))),
            Payload::Series(series("b", values)),
        ]
    };
    for (messages, reason, field) in [
        (change(2, &|chunk| chunk.data[5] ^= 1), "FILE_CORRUPT", ""),
        (change(2, &|chunk| chunk.offset += 1), "FIELD_INVALID", "file_chunk.offset"),
        (
            change(2, &|chunk| (chunk.data, chunk.crc32c) = (Vec::new(), 0)),
            "FIELD_INVALID",
            "file_chunk.data",
        ),
        (with_header(&|header| header.sha256[0] ^= 1), "FILE_CORRUPT", ""),
        (with_header(&|header| header.sha256.truncate(5)), "FIELD_INVALID", "header.sha256"),
        (with_header(&|header| header.size_bytes += 1), "FIELD_INVALID", "header.size_bytes"),
        (with_header(&|header| header.size_bytes -= 1), "FIELD_INVALID", "file_chunk"),
        (with_header(&|header| header.size_bytes = 10_001), "DATASET_TOO_LARGE", ""),
        (with_header(&|header| header.file_format = "xls".into()), "FIELD_INVALID", "header.file_format"),
        (with_header(&|header| header.dataset_id = "../x".into()), "FIELD_INVALID", "header.dataset_id"),
        (short, "FIELD_INVALID", "header.size_bytes"),
        (without_header, "FIELD_INVALID", "header"),
        (infinite, "FIELD_INVALID", "series[1].values[3]"),
    ] {
        let status = upload(&mut served, messages).await.expect_err(field);
        let (found, fields) = refusal(&status);
        assert_eq!(found, reason, "{status}");
        assert_eq!(fields.first().map_or("", String::as_str), field);
    }
    // The room that was taken is free again.
    upload(&mut served, file("a", &bytes, 1_000)).await.unwrap();
    upload(&mut served, file("b", &bytes, 700)).await.unwrap();
    let status = upload(&mut served, file("c", &bytes, 700)).await.unwrap_err();
    assert_eq!(refusal(&status).0, "DATASET_TOO_LARGE");
    let left = std::fs::read_dir(folder.join("jobs/datasets")).unwrap();
    let mut left: Vec<String> =
        left.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    left.sort();
    assert_eq!(left, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_stands_for_one_content_and_a_job_keeps_its_data_when_it_is_deleted() {
    let folder = Folder::new("names");
    let mut served = Served::open(folder.path(), &config()).await;
    let (bytes, other) = (hourly(&wave(500, 1)).into_bytes(), hourly(&wave(500, 2)).into_bytes());
    upload(&mut served, file("hours", &bytes, 5_000)).await.unwrap();
    upload(&mut served, file("hours", &bytes, 900)).await.unwrap();
    let status = upload(&mut served, file("hours", &other, 900)).await.unwrap_err();
    assert_eq!((status.code(), refusal(&status).0.as_str()), (tonic::Code::AlreadyExists, "DATASET_EXISTS"));
    let status = upload(&mut served, file("electricity", &other, 900)).await.unwrap_err();
    assert_eq!(refusal(&status).0, "DATASET_EXISTS");
    // It waits behind another one while its data set goes.
    let first = served.train(training(network("100000"))).await;
    served.train(on("datasets/hours", spec("naive", &[]))).await;
    let request = v1::DeleteDatasetRequest { name: "datasets/hours".to_string() };
    served.trainings.delete_dataset(request.clone()).await.unwrap();
    let status = served.trainings.delete_dataset(request).await.unwrap_err();
    assert_eq!(refusal(&status).0, "DATASET_NOT_FOUND");
    let status =
        served.trainings.create_training_job(on("datasets/hours", spec("naive", &[]))).await.unwrap_err();
    assert_eq!(refusal(&status).0, "DATASET_NOT_FOUND");
    let request = v1::CancelTrainingJobRequest { name: first.name };
    served.trainings.cancel_training_job(request).await.unwrap();
    assert_eq!(served.ended("trainingJobs/2").await.state(), JobState::Succeeded);
    upload(&mut served, file("hours", &other, 900)).await.unwrap();
}
