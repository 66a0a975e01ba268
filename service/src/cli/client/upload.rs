//! `longcast client datasets`, and the upload that trainings begin with.

use std::path::Path;

use forecast_proto::v1;
use forecast_proto::v1::training_service_client::TrainingServiceClient;
use forecast_proto::v1::upload_dataset_request::Payload;
use futures_util::stream;
use longcast::crc32c;
use sha2::{Digest, Sha256};
use tonic::Request;

use super::connect::{Connection, Transport, refused};
use crate::cli::args::DatasetsAction;
use crate::cli::console::{self, Console};
use crate::cli::failure::Failure;

/// Bytes of a chunk: with its frame it stays below a mebibyte.
const CHUNK: usize = 512 << 10;
/// Digits of the SHA-256 that name a data set.
const DIGITS: usize = 16;

pub(crate) async fn run(
    connection: &Connection,
    action: &DatasetsAction,
    console: &Console,
) -> Result<(), Failure> {
    let mut client = TrainingServiceClient::new(connection.open().await?);
    match action {
        DatasetsAction::List => list(connection, &mut client, console).await,
        DatasetsAction::Upload { file, name } => {
            let stored = upload(&mut client, file, name.as_deref()).await?;
            console.say(format!("{} ({} bytes)", stored.name, stored.size_bytes))?;
            console.json(&serde_json::json!({ "dataset": stored.name, "bytes": stored.size_bytes }))
        }
        DatasetsAction::Delete { dataset } => {
            let request = v1::DeleteDatasetRequest { name: dataset.clone() };
            client.delete_dataset(connection.request(request)).await.map_err(|status| refused(&status))?;
            console.say(format!("deleted {dataset}"))
        }
    }
}

async fn list(
    connection: &Connection,
    client: &mut TrainingServiceClient<Transport>,
    console: &Console,
) -> Result<(), Failure> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListDatasetsRequest { page_size: 1_000, page_token };
        let page = client.list_datasets(connection.request(request)).await;
        let page = page.map_err(|status| refused(&status))?.into_inner();
        all.extend(page.datasets);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let rows: Vec<Vec<String>> = std::iter::once(vec!["name".to_string(), "bytes".to_string()])
        .chain(all.iter().map(|set| vec![set.name.clone(), set.size_bytes.to_string()]))
        .collect();
    for line in console::columns(&rows) {
        console.say(line)?;
    }
    let all: Vec<_> =
        all.iter().map(|set| serde_json::json!({ "name": set.name, "bytes": set.size_bytes })).collect();
    console.json(&all)
}

/// The data set that a call names: one of the server, or a file that is uploaded now. The same file again is the same
/// data set.
pub(crate) async fn dataset(
    client: &mut TrainingServiceClient<Transport>,
    named: &str,
    console: &Console,
) -> Result<String, Failure> {
    if named.starts_with("datasets/") {
        return Ok(named.to_string());
    }
    let stored = {
        let _progress = console.progress(format!("uploading {named}"));
        upload(client, Path::new(named), None).await?
    };
    console.note(format!("uploaded {named} as {}", stored.name));
    Ok(stored.name)
}

/// Sends a file.
async fn upload(
    client: &mut TrainingServiceClient<Transport>,
    path: &Path,
    name: Option<&str>,
) -> Result<v1::Dataset, Failure> {
    let format = format(path)?;
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::User(format!("cannot read \"{}\": {error}", path.display())))?;
    let sha256 = Sha256::digest(&bytes).to_vec();
    let digits: String = sha256.iter().map(|byte| format!("{byte:02x}")).take(DIGITS / 2).collect();
    let header = v1::DatasetHeader {
        dataset_id: name.map_or(digits, str::to_string),
        file_format: format.to_string(),
        size_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        sha256,
        channels: Vec::new(),
    };
    let n_chunks = bytes.len().div_ceil(CHUNK);
    let chunks = (0..n_chunks).map(move |at| {
        let start = at * CHUNK;
        let data = bytes[start..bytes.len().min(start + CHUNK)].to_vec();
        let crc32c = crc32c(&data);
        Payload::FileChunk(v1::DatasetChunk { offset: start as i64, data, crc32c })
    });
    let messages = std::iter::once(Payload::Header(header)).chain(chunks);
    let messages = messages.map(|payload| v1::UploadDatasetRequest { payload: Some(payload) });
    let answer = client.upload_dataset(Request::new(stream::iter(messages))).await;
    let stored = answer.map_err(|status| refused(&status))?.into_inner().stored;
    stored.ok_or_else(|| Failure::Internal("the server sent no data set".to_string()))
}

/// What the server calls the format of a file.
fn format(path: &Path) -> Result<&'static str, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let known = [
        ("csv", &[".csv", ".txt", ".tsv", ".csv.gz"][..]),
        ("parquet", &[".parquet", ".pq"]),
        ("arrow", &[".arrow", ".feather", ".ipc"]),
        ("json", &[".json", ".ndjson", ".jsonl"]),
    ];
    let found = known.iter().find(|(_, ends)| ends.iter().any(|end| name.ends_with(end)));
    found.map(|(format, _)| *format).ok_or_else(|| {
        let rule = "its extension names no format: use csv, parquet, arrow or json";
        Failure::option("the data", format!("\"{}\"", path.display()), rule)
    })
}
