//! What data sets hold: those that a job keeps in its folder, and those that come with the program.

use std::fs;
use std::io;
use std::path::Path;

use forecast::data::Format;
use forecast::{Panel, ReadOptions};
use forecast_proto::v1;
use prost::Message;
use tonic::Status;

use super::datasets::{ABOUT, About, DATA, io_status, unknown};
use super::names::segment;
use super::series::panel;
use crate::server::Reason;
use crate::server::status::{from_error, internal};

/// The panel of a data set that a job keeps in its folder, or that comes with the program.
///
/// # Errors
/// What is wrong with the data.
pub(super) fn read(name: &str, job: &Path, options: &ReadOptions) -> Result<Panel, Status> {
    if !job.join(ABOUT).is_file() {
        let set = segment(name, "datasets").and_then(|id| forecast_datasets::find(id).ok());
        let set = set.ok_or_else(|| unknown(name))?;
        let csv = set.csv().map_err(|error| internal(&error.to_string()))?;
        return Panel::read_csv(&csv, &set.file, options).map_err(|error| unreadable(&error));
    }
    let about = read_about(job).map_err(io_status)?;
    let path = job.join(DATA);
    if about.file_format.is_empty() {
        let bytes = fs::read(path).map_err(io_status)?;
        let mut rest = &bytes[..];
        let mut series = Vec::new();
        while !rest.is_empty() {
            let one = v1::Series::decode_length_delimited(&mut rest);
            series.push(one.map_err(|error| internal(&format!("the stored data set is damaged: {error}")))?);
        }
        let panel = panel(&series, &about.channels, "series")?;
        return panel.ok_or_else(|| internal("the stored data set is empty"));
    }
    let format = about.file_format.parse::<Format>().map_err(|error| unreadable(&error))?;
    let options = ReadOptions { format: Some(format), ..options.clone() };
    Panel::read(path, &options).map_err(|error| unreadable(&error))
}

/// What is wrong with a data set, whatever the field of the request.
fn unreadable(error: &forecast::Error) -> Status {
    match error.is_user_error() {
        true => Reason::DatasetUnusable.status(error.to_string(), &[]),
        false => from_error(error, "dataset"),
    }
}

pub(super) fn read_about(folder: &Path) -> io::Result<About> {
    Ok(serde_json::from_slice(&fs::read(folder.join(ABOUT))?)?)
}

/// What is known of a data set that comes with the program.
pub(super) fn bundled(id: &str) -> Option<About> {
    let set = forecast_datasets::find(id).ok()?;
    let bytes = set.bytes().ok()?;
    Some(About {
        file_format: "csv".to_string(),
        channels: Vec::new(),
        n_series: 0,
        n_values: 0,
        sha256: hex_bytes(&set.sha256),
        n_bytes: bytes.len() as u64,
        created: 0,
    })
}

fn hex_bytes(hex: &str) -> Vec<u8> {
    let (pairs, _) = hex.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .filter_map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}
