//! A data set on its way in: bounded, checked against its checksums, there whole or not at all.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use forecast::data::Frequency;
use forecast_proto::v1;
use forecast_proto::v1::upload_dataset_request::Payload;
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;

use super::datasets::{ABOUT, About, DATA, Datasets, io_status, sync_folder};
use super::event::now;
use super::names::is_id;
use super::request::refused;
use super::series;
use crate::crc32c;
use crate::server::Reason;

/// Bytes of one chunk.
const LARGEST_CHUNK: usize = 1 << 20;
/// The formats of files.
const FORMATS: [&str; 4] = ["csv", "parquet", "arrow", "json"];

/// An upload under way; dropped before [`Upload::finish`] it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    sets: &'a Datasets,
    header: v1::DatasetHeader,
    channels: Vec<String>,
    folder: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    n_bytes: u64,
    n_reserved: u64,
    n_series: u64,
    n_values: u64,
    /// Of the first series.
    frequency: Option<Frequency>,
}

impl<'a> Upload<'a> {
    pub(super) fn begin(
        sets: &'a Datasets,
        header: v1::DatasetHeader,
        folder: PathBuf,
    ) -> Result<Self, Status> {
        check(&header, sets.config().dataset_bytes)?;
        fs::create_dir_all(&folder).map_err(io_status)?;
        let file = File::create(folder.join(DATA)).map_err(io_status)?;
        Ok(Upload {
            sets,
            channels: series::channel_names(&header.channels),
            header,
            folder,
            file: BufWriter::new(file),
            hash: Sha256::new(),
            n_bytes: 0,
            n_reserved: 0,
            n_series: 0,
            n_values: 0,
            frequency: None,
        })
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `DATA_LOSS` for a checksum, `RESOURCE_EXHAUSTED` for one byte too many.
    pub(crate) fn take(&mut self, message: v1::UploadDatasetRequest) -> Result<(), Status> {
        match message.payload {
            Some(Payload::FileChunk(chunk)) => self.chunk(&chunk),
            Some(Payload::Series(series)) => self.series(series),
            Some(Payload::Header(_)) => Err(refused("header", "it comes once, in the first message")),
            None => Err(refused("payload", "it is required")),
        }
    }

    fn chunk(&mut self, chunk: &v1::DatasetChunk) -> Result<(), Status> {
        if self.header.file_format.is_empty() {
            return Err(refused("file_chunk", "the header has no file_format, so series are expected"));
        }
        if u64::try_from(chunk.offset) != Ok(self.n_bytes) {
            let rule = format!("it is {}, but {} bytes came before", chunk.offset, self.n_bytes);
            return Err(refused("file_chunk.offset", &rule));
        }
        if !(1..=LARGEST_CHUNK).contains(&chunk.data.len()) {
            let rule = format!("it has {} bytes, but must have 1 to {LARGEST_CHUNK}", chunk.data.len());
            return Err(refused("file_chunk.data", &rule));
        }
        let found = crc32c(&chunk.data);
        if found != chunk.crc32c {
            let rule = format!(
                "the chunk at {} has the CRC-32C {found:08x}, but {:08x} was sent with it; send it again",
                chunk.offset, chunk.crc32c
            );
            return Err(Reason::FileCorrupt.status(rule, &[]));
        }
        if self.n_bytes + chunk.data.len() as u64 > size(&self.header) {
            let rule = format!("size_bytes is {}, but more bytes came", self.header.size_bytes);
            return Err(refused("file_chunk", &rule));
        }
        self.write(&chunk.data)
    }

    fn series(&mut self, message: v1::Series) -> Result<(), Status> {
        if !self.header.file_format.is_empty() {
            return Err(refused("series", "the header has a file_format, so chunks are expected"));
        }
        let expected = self.frequency.get_or_insert_with(|| series::frequency(&message)).clone();
        let path = format!("series[{}]", self.n_series);
        let bytes = message.encode_length_delimited_to_vec();
        let checked = series::one(message, &path, &self.channels, &expected)?;
        self.n_series += 1;
        self.n_values += checked.values().len() as u64;
        self.write(&bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Status> {
        let n_bytes = self.n_bytes + bytes.len() as u64;
        let most = self.sets.config().dataset_bytes;
        if n_bytes > most {
            return Err(Reason::DatasetTooLarge.quota(
                "datasets",
                format!("a data set may have {most} bytes; send less"),
                None,
            ));
        }
        self.sets.reserve(bytes.len() as u64)?;
        self.n_reserved += bytes.len() as u64;
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(io_status)?;
        self.n_bytes = n_bytes;
        Ok(())
    }

    /// Compares what came with what was announced and puts the data set in its place.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` if bytes are missing, `DATA_LOSS` for another checksum, and those of the place.
    pub(crate) fn finish(mut self) -> Result<v1::Dataset, Status> {
        let is_file = !self.header.file_format.is_empty();
        if is_file && self.n_bytes != size(&self.header) {
            let rule = format!("it is {}, but {} bytes came", self.header.size_bytes, self.n_bytes);
            return Err(refused("header.size_bytes", &rule));
        }
        if self.n_bytes == 0 {
            return Err(refused("series", "there is none; send at least one"));
        }
        let sha256 = std::mem::take(&mut self.hash).finalize().to_vec();
        if is_file && sha256 != self.header.sha256 {
            return Err(Reason::FileCorrupt.status("the file has another SHA-256 than the header says", &[]));
        }
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).map_err(io_status)?;
        let about = About {
            file_format: self.header.file_format.clone(),
            channels: if is_file { Vec::new() } else { self.channels.clone() },
            n_series: self.n_series,
            n_values: self.n_values,
            sha256,
            n_bytes: self.n_bytes,
            created: now(),
        };
        let text = serde_json::to_vec(&about).map_err(|error| io_status(error.into()))?;
        forecast::write_atomically(self.folder.join(ABOUT), &text)
            .map_err(|error| crate::server::status::internal(&error.to_string()))?;
        sync_folder(&self.folder).map_err(io_status)?;
        // The room is that of the data set from here on.
        self.sets.release(std::mem::take(&mut self.n_reserved));
        self.sets.settle(&self.header.dataset_id, about, &self.folder)
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        self.sets.release(self.n_reserved);
        // It is not there any more once it was put in its place.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn size(header: &v1::DatasetHeader) -> u64 {
    u64::try_from(header.size_bytes).unwrap_or(0)
}

fn check(header: &v1::DatasetHeader, most: u64) -> Result<(), Status> {
    if !is_id(&header.dataset_id) {
        let rule = format!("it is \"{}\", but must be 1 to 63 letters, digits, -, _ or .", header.dataset_id);
        return Err(refused("header.dataset_id", &rule));
    }
    if header.file_format.is_empty() {
        return Ok(());
    }
    if !FORMATS.contains(&header.file_format.as_str()) {
        let rule = format!("it is \"{}\", but must be one of {}", header.file_format, FORMATS.join(", "));
        return Err(refused("header.file_format", &rule));
    }
    if size(header) == 0 {
        let rule = format!("it is {}, but a file must have at least 1 byte", header.size_bytes);
        return Err(refused("header.size_bytes", &rule));
    }
    if size(header) > most {
        let rule =
            format!("header.size_bytes is {}, but a data set may have {most} bytes", header.size_bytes);
        return Err(Reason::DatasetTooLarge.quota("datasets", rule, None));
    }
    match header.sha256.len() {
        32 => Ok(()),
        n => Err(refused("header.sha256", &format!("it has {n} bytes, but must have 32"))),
    }
}
