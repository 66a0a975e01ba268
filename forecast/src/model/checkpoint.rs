//! The `.longcast` file: a safetensors file whose one metadata entry, `longcast`, holds our header.
//!
//! The header begins with the SHA-256 of the whole file, taken with its own 64 digits replaced by zeros, so a
//! change of any byte is noticed. Every size in the file is checked against the length of the file before
//! anything is allocated. Files are written whole or not at all.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, Array3};
use safetensors::tensor::{SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::digest::{NO_DIGEST, check_digest, digest_position, seal};
use super::header::{FORMAT_VERSION, Header, Stretch};
use super::regressed::Stored;
use super::tensor::{Tensor, Tensors};
use super::{LoadShape, Model, Parts, Shape};
use crate::data::{Calendar, InputColumns, Scaler, Series, TimeIndex};
use crate::eval::conformal::{Calibration, Paths};
use crate::regression::{Regression, Regressors};
use crate::{Error, Result, file};

/// No model file is larger than this.
const MAX_FILE: u64 = 4 << 30;
const KEY: &str = "longcast";

/// The metadata entry. The digest has to come first, see [`digest`](super::digest).
#[derive(Serialize, Deserialize)]
struct Entry<H> {
    sha256: String,
    format: u64,
    header: H,
}

impl Model {
    /// Saves the model to one self-describing file, written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; a file that was there before stays as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        file::write_atomically(path, &self.to_bytes()?)
    }

    /// Loads a model saved by this or any earlier version.
    ///
    /// # Errors
    /// [`Error::NotAModel`], [`Error::FormatTooNew`], or [`Error::Damaged`] with what is wrong.
    ///
    /// # Example
    /// ```
    /// let error = forecast::Model::load("nowhere.longcast").unwrap_err().to_string();
    /// assert!(error.starts_with("cannot read \"nowhere.longcast\""));
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if let Some(length) = path.metadata().ok().map(|m| m.len()).filter(|length| *length > MAX_FILE) {
            let reason = format!("it has {length} bytes, more than the limit of {MAX_FILE}");
            return Err(Error::Damaged { path: path.to_path_buf(), reason });
        }
        Self::from_bytes(&file::read(path)?, path)
    }

    /// The bytes of the model file; the same model gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let entry = Entry { sha256: NO_DIGEST.to_string(), format: FORMAT_VERSION, header: self.header() };
        let entry = serde_json::to_string(&entry).map_err(|error| internal(&error))?;
        let encoded = |(name, tensor): (String, Tensor)| (name, tensor.encode(), tensor.shape);
        let tensors: Vec<_> = self.tensors().into_iter().map(encoded).collect();
        let views = tensors
            .iter()
            .map(|(name, (dtype, bytes), shape)| {
                Ok((name.as_str(), TensorView::new(*dtype, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| internal(&error))?;
        let metadata = HashMap::from([(KEY.to_string(), entry)]);
        let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
        seal(&mut bytes).ok_or_else(|| internal(&"the header has no digest"))?;
        Ok(bytes)
    }

    /// The SHA-256 of the model file, as the file states it: models are equal where it is.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn digest(&self) -> Result<String> {
        let bytes = self.to_bytes()?;
        let at = digest_position(&bytes);
        let digits = at.and_then(|at| std::str::from_utf8(&bytes[at..at + 64]).ok());
        digits.map(str::to_string).ok_or_else(|| Error::Internal("the header has no digest".to_string()))
    }

    /// A model from the bytes of its file; `path` names it in messages.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = |reason: String| Error::Damaged { path: path.to_path_buf(), reason };
        let entry = read_entry(bytes, path)?;
        check_digest(bytes, &entry.sha256).map_err(damaged)?;
        let header: Header = serde_json::from_value(entry.header)
            .map_err(|error| damaged(format!("its header does not parse: {error}")))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(error.to_string()))?;
        let tensors = read_tensors(&file).map_err(damaged)?;
        assemble(header, &tensors).map_err(|error| damaged(error.to_string()))
    }

    fn tensors(&self) -> Tensors {
        let parts = &self.parts;
        let (n_slots, n_channels) = (parts.scalers.len(), parts.header.channels.len());
        let scalers = Array3::from_shape_fn((n_slots, n_channels, 2), |(slot, channel, i)| {
            let scaler = &parts.scalers[slot][channel];
            if i == 0 { scaler.center } else { scaler.spread }
        });
        let values: Vec<f64> =
            parts.history.iter().flat_map(|s| s.values().iter().copied().collect::<Vec<_>>()).collect();
        let history = Tensor::new(vec![values.len() / n_channels.max(1), n_channels], values);
        let mut tensors = parts.family.tensors();
        if let Some(regression) = &parts.regression {
            tensors.extend(regression.tensors());
            tensors.extend(Stored::tensors(regression.regressors().schema(), &parts.history));
        }
        if let Some(inputs) = &parts.inputs {
            let scalers = inputs.scalers().iter().flat_map(|scaler| [scaler.center, scaler.spread]);
            let scalers = Tensor::new(vec![inputs.scalers().len(), 2], scalers.collect());
            tensors.insert("inputs.scalers".to_string(), scalers);
            tensors.extend(Stored::tensors(inputs.schema(), &parts.history));
        }
        tensors.insert("scalers".to_string(), Tensor::from(&scalers));
        tensors.insert("calibration.scores".to_string(), Tensor::from(&parts.calibration.scores));
        tensors.insert("calibration.spread".to_string(), Tensor::from(&parts.calibration.spread));
        if let Some(paths) = &parts.calibration.paths {
            let values = parts.calibration.long_run_weight.clone();
            let weights = Tensor::new(vec![values.len()], values);
            tensors.insert("calibration.long_run_weight".to_string(), weights);
            tensors.insert("calibration.paths".to_string(), Tensor::from(&paths.scores));
            tensors.insert("calibration.reach".to_string(), Tensor::from(&paths.reach));
        }
        tensors.insert("history".to_string(), history);
        tensors
    }
}

/// The metadata entry, once it is known that the file is ours, whole, and of a version that can be read.
fn read_entry(bytes: &[u8], path: &Path) -> Result<Entry<serde_json::Value>> {
    let not_a_model =
        |reason: &str| Error::NotAModel { path: path.to_path_buf(), reason: reason.to_string() };
    let damaged = |reason: String| Error::Damaged { path: path.to_path_buf(), reason };
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(not_a_model("it is shorter than 8 bytes"));
    };
    let length = u64::from_le_bytes(*length);
    if rest.first() != Some(&b'{') {
        return Err(not_a_model("it does not start like one"));
    }
    if length > rest.len() as u64 {
        return Err(damaged(format!(
            "it is cut off: its header has {length} bytes, but only {} follow",
            rest.len()
        )));
    }
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| match error {
        safetensors::SafeTensorError::MetadataIncompleteBuffer => damaged(format!(
            "it is cut off or has bytes too many: it has {} bytes, which is not what its header says",
            bytes.len()
        )),
        other => damaged(format!("its header does not parse: {other}")),
    })?;
    let entry = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let entry = entry.ok_or_else(|| not_a_model("it is a safetensors file without a longcast header"))?;
    let value: serde_json::Value = serde_json::from_str(entry)
        .map_err(|error| damaged(format!("its header does not parse: {error}")))?;
    // The version comes first: a later format may change everything else.
    let found = value.get("format").and_then(serde_json::Value::as_u64);
    match found {
        Some(found) if found > FORMAT_VERSION => {
            Err(Error::FormatTooNew { path: path.to_path_buf(), found, supported: FORMAT_VERSION })
        }
        None | Some(0) => Err(damaged("its header names no format version".to_string())),
        Some(_) => serde_json::from_value(value)
            .map_err(|error| damaged(format!("its header does not parse: {error}"))),
    }
}

fn read_tensors(file: &SafeTensors<'_>) -> Result<Tensors, String> {
    file.iter()
        .map(|(name, view)| {
            let wrong = || format!("tensor {name} holds {:?} where f32 or f64 is due", view.dtype());
            Ok((name.to_string(), Tensor::decode(&view).ok_or_else(wrong)?))
        })
        .collect()
}

fn take<'a>(tensors: &'a Tensors, name: &str, rank: usize) -> Result<&'a Tensor> {
    tensors
        .get(name)
        .filter(|tensor| tensor.shape.len() == rank)
        .ok_or_else(|| Error::Internal(format!("tensor {name} is missing or has the wrong rank")))
}

/// A model from parts whose shapes are checked against each other.
fn assemble(header: Header, tensors: &Tensors) -> Result<Model> {
    let wrong = |what: &str| Error::Internal(format!("{what} does not fit the header"));
    let (n_series, n_channels) = (header.series.len(), header.channels.len());
    if n_series == 0 || n_channels == 0 || header.history.len() != n_series {
        return Err(wrong("the list of series"));
    }
    // A saved configuration has no open choice left; this checks its ranges.
    let shape = Shape {
        season_length: header.season_length,
        frequency: header.frequency(),
        n_steps: 0,
        horizon: header.horizon,
        n_series: header.series.len(),
        stretches: Vec::new(),
        // What a file does not say was not chosen.
        has_gaps: false,
        seed: header.seed,
    };
    let config = header.config.resolve(&shape)?;

    let scalers = take(tensors, "scalers", 3)?;
    if scalers.shape != [n_series + 1, n_channels, 2] {
        return Err(wrong("tensor scalers"));
    }
    let scalers = scalers
        .values()
        .chunks(2 * n_channels)
        .map(|slot| slot.chunks(2).map(|s| Scaler { center: s[0], spread: s[1] }).collect())
        .collect();

    let calibration = calibration(&header, tensors)?;

    let stored_values = take(tensors, "history", 2)?;
    let total = header.history.iter().try_fold(0usize, |sum, stretch| sum.checked_add(stretch.len));
    if stored_values.shape[1] != n_channels || total != Some(stored_values.shape[0]) {
        return Err(wrong("tensor history"));
    }
    if header.history.iter().any(|stretch| stretch.len < config.lookback()) {
        return Err(wrong("the stored history"));
    }
    let values = stored_values.values();
    let shape = |error: ndarray::ShapeError| Error::Internal(error.to_string());
    let calendar =
        header.opening.as_ref().map(|o| Calendar::new(o, header.step, &header.zone)).transpose()?;
    let mut at = 0;
    let mut history = Vec::with_capacity(n_series);
    let inputs = inputs(&header, tensors)?;
    let schema = header.regressors.as_ref().map(Regressors::schema).or(header.inputs.as_ref());
    let stored = schema.map(|schema| Stored::of(schema, tensors));
    let mut covariates = stored.transpose()?.flatten();
    for (id, Stretch { start, len, origin }) in header.series.iter().zip(&header.history) {
        let part = values[at * n_channels..(at + len) * n_channels].to_vec();
        at += len;
        let index = TimeIndex::new(*start, header.step, header.zone.clone(), *len);
        let index = TimeIndex { origin: *origin, ..index };
        let index = calendar.as_ref().map_or(Ok(index.clone()), |calendar| index.on(calendar))?;
        let part = Array2::from_shape_vec((*len, n_channels), part).map_err(shape)?;
        let series = Series::new(id.clone(), index, part, &header.channels)?;
        history.push(match &mut covariates {
            Some(stored) => stored.next(series)?,
            None => series,
        });
    }

    let n_slots = if config.is_shared() { 1 } else { n_series };
    let shape = LoadShape {
        n_slots,
        n_channels,
        horizon: header.horizon,
        step: header.step,
        inputs: inputs.as_ref().map(InputColumns::widths).unwrap_or_default(),
    };
    let family = config.load(tensors, shape)?;
    let regression = match &header.regressors {
        Some(regressors) => {
            let shape = (n_slots, n_channels, regressors.n_columns(header.step));
            Some(Regression::load(regressors, tensors, shape)?)
        }
        None => None,
    };
    let parts = Parts::new(header, family, scalers, (regression, inputs), calibration, history);
    Ok(Model { parts: Arc::new(parts) })
}

/// The covariates that a network takes, with the scalers of its training.
fn inputs(header: &Header, tensors: &Tensors) -> Result<Option<InputColumns>> {
    let Some(schema) = &header.inputs else { return Ok(None) };
    let wrong = || Error::Internal("tensor inputs.scalers does not fit the header".to_string());
    if !header.config.is_trained_once() || header.regressors.is_some() {
        return Err(Error::Internal(format!("{} takes no inputs", header.config.name())));
    }
    let scalers = take(tensors, "inputs.scalers", 2)?;
    let values = scalers.values();
    if scalers.shape[1] != 2 || values.chunks(2).any(|scaler| !(scaler[0].is_finite() && scaler[1] > 0.0)) {
        return Err(wrong());
    }
    let scalers = values.chunks(2).map(|scaler| Scaler { center: scaler[0], spread: scaler[1] }).collect();
    InputColumns::with_scalers(schema, scalers).and_then(InputColumns::checked).map(Some).map_err(|_| wrong())
}

/// The calibration, with its shapes checked against the header; files of format 1 hold the scores of steps only.
fn calibration(header: &Header, tensors: &Tensors) -> Result<Calibration> {
    let wrong = || Error::Internal("the calibration does not fit the header".to_string());
    let (n_slots, n_channels) = (header.series.len() + 1, header.channels.len());
    let scores = |name: &str| {
        let tensor = take(tensors, name, 3)?;
        if tensor.shape[..2] != [n_channels, header.horizon] {
            return Err(wrong());
        }
        let shape = (n_channels, header.horizon, tensor.shape[2]);
        Array3::from_shape_vec(shape, tensor.values().into_owned()).map_err(|_| wrong())
    };
    let spread = take(tensors, "calibration.spread", 2)?;
    if spread.shape != [n_slots, n_channels] || header.recency.is_some_and(|recency| !recency.is_sound()) {
        return Err(wrong());
    }
    let mut long_run_weight = vec![f64::INFINITY; n_channels];
    let paths = match header.recency {
        None => None,
        Some(_) => {
            long_run_weight = take(tensors, "calibration.long_run_weight", 1)?.values().into_owned();
            if long_run_weight.len() != n_channels || !long_run_weight.iter().all(|weight| *weight > 0.0) {
                return Err(wrong());
            }
            let reach = scores("calibration.reach")?;
            if reach.dim().2 != 2 {
                return Err(wrong());
            }
            Some(Paths { scores: scores("calibration.paths")?, reach })
        }
    };
    Ok(Calibration {
        scores: scores("calibration.scores")?,
        spread: Array2::from_shape_vec((n_slots, n_channels), spread.values().into_owned())
            .map_err(|_| wrong())?,
        long_run_weight,
        paths,
        recency: header.recency,
    })
}
