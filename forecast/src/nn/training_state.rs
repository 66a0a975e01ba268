//! The checkpoint of a training: everything from which a run that was killed goes on to the same bits.
//!
//! A safetensors file of weights, best weights and the optimiser's means; its one metadata entry holds, in JSON, a
//! digest of the file, what the training is about, and where it stands. It is written whole or not at all, so there
//! is always the last one or the one before.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::optimiser::Moments;
use super::parameters::Parameter;
use super::report::TrainingReport;
use super::schedule::PlateauState;
use crate::model::digest::{NO_DIGEST, check_digest, seal};
use crate::{Error, Result, file};

/// Where a training keeps its state.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckpointOptions<'a> {
    /// The file; its folder has to exist.
    pub(crate) path: &'a Path,
    /// Written after each epoch, and within one as soon as the last time is so long ago.
    pub(crate) every: Duration,
    /// What becomes of a file that is there already.
    pub(crate) begin: Begin,
    /// What the training is about, by name: every setting of the network and a fingerprint of the data. What
    /// differs is told by its name.
    pub(crate) about: &'a BTreeMap<String, String>,
}

/// How a training with a checkpoint begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Begin {
    /// From the start; a checkpoint that is there is replaced.
    #[default]
    Anew,
    /// From the checkpoint; from the start if there is none yet.
    Resume,
}

/// Where a training stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Epochs that are done.
    pub(super) epoch: usize,
    /// Batches of the next one that are done.
    pub(super) batch_idx: usize,
    /// The sum of their losses, each times its weight.
    pub(super) loss_sum: f64,
    /// The sum of their weights.
    pub(super) weight_sum: f64,
    /// The learning rate of the last step.
    pub(super) learning_rate: f64,
    /// How many places the schedule is ahead of the steps, on its way to a time limit.
    #[serde(default)]
    pub(super) places_ahead: f64,
    /// The lowest loss of validation.
    pub(super) best_loss: Option<f64>,
    pub(super) plateau: PlateauState,
    pub(super) report: TrainingReport,
}

/// The state of a training.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TrainingState {
    pub(super) position: Position,
    pub(super) network: Vec<Parameter>,
    pub(super) best: Option<Vec<Parameter>>,
    pub(super) moments: Vec<Moments>,
}

/// The metadata entry; the digest comes first.
#[derive(Serialize, Deserialize)]
struct Entry {
    sha256: String,
    format: u64,
    about: BTreeMap<String, String>,
    position: Position,
    /// Steps of the optimiser, one number for each tensor.
    n_steps: Vec<u64>,
    has_best: bool,
}

const KEY: &str = "longcast-training";
const FORMAT: u64 = 1;
/// No checkpoint is larger than this.
const MAX_FILE: u64 = 16 << 30;

/// Writes a checkpoint, whole or not at all.
///
/// # Errors
/// [`Error::Io`] if it cannot be written; the one before stays as it was.
pub(super) fn save(state: &TrainingState, path: &Path, about: &BTreeMap<String, String>) -> Result<()> {
    let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
    let entry = Entry {
        sha256: NO_DIGEST.to_string(),
        format: FORMAT,
        about: about.clone(),
        position: state.position.clone(),
        n_steps: state.moments.iter().map(|moments| moments.n_steps).collect(),
        has_best: state.best.is_some(),
    };
    let entry = serde_json::to_string(&entry).map_err(|error| internal(&error))?;
    let mut tensors: Vec<(String, &[usize], Vec<u8>)> = Vec::new();
    for (i, Parameter { path, shape, values }) in state.network.iter().enumerate() {
        tensors.push((format!("network.{path}"), shape, bytes(values)));
        if let Some(best) = state.best.as_ref().and_then(|best| best.get(i)) {
            tensors.push((format!("best.{path}"), shape, bytes(&best.values)));
        }
        if let Some(moments) = state.moments.get(i).filter(|moments| moments.n_steps > 0) {
            tensors.push((format!("mean.{path}"), shape, bytes(&moments.mean)));
            tensors.push((format!("square.{path}"), shape, bytes(&moments.square)));
        }
    }
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape.to_vec(), bytes).map(|view| (name.as_str(), view))
        })
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| internal(&error))?;
    let metadata = HashMap::from([(KEY.to_string(), entry)]);
    let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(|error| internal(&error))?;
    seal(&mut bytes).ok_or_else(|| internal(&"the header has no digest"))?;
    file::write_atomically(path, &bytes)
}

/// The state in a checkpoint of the same training, whose tensors are those of `network`; `None` if there is no file.
///
/// # Errors
/// [`Error::BadOption`] with the first field of `about` that differs; [`Error::Unreadable`] for a file that is none
/// of ours, cut off, altered, or of another network; [`Error::Io`].
pub(super) fn load(
    path: &Path,
    about: &BTreeMap<String, String>,
    network: &[Parameter],
) -> Result<Option<TrainingState>> {
    let length = match path.metadata() {
        Ok(metadata) => metadata.len(),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { action: "cannot read", path: path.to_path_buf(), source }),
    };
    let unreadable = |reason: String| Error::Unreadable {
        input: path.display().to_string(),
        format: "a training checkpoint",
        reason: format!("{reason}; remove it to train from the start"),
    };
    if length > MAX_FILE {
        let reason = format!("it has {length} bytes, more than the limit of {MAX_FILE}");
        return Err(unreadable(reason));
    }
    let bytes = file::read(path)?;
    let entry = read_entry(&bytes).map_err(unreadable)?;
    if let Some((field, ours, theirs)) = difference(about, &entry.about) {
        let rule = format!(
            "the checkpoint \"{}\" was made with {theirs}; train with that, or remove the file to train from the start",
            path.display()
        );
        return Err(Error::option(field, ours, rule));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| unreadable(error.to_string()))?;
    assemble(entry, &tensors, network).map(Some).map_err(unreadable)
}

fn read_entry(bytes: &[u8]) -> Result<Entry, String> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| format!("it is cut off or damaged ({error})"))?;
    let entry = metadata.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
    let entry = entry.ok_or("it is a safetensors file of something else")?;
    let parse = |error: serde_json::Error| format!("its header does not parse: {error}");
    let value: serde_json::Value = serde_json::from_str(entry).map_err(parse)?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(FORMAT) => {}
        found => return Err(format!("its format is {found:?}, but this program reads {FORMAT}")),
    }
    let entry: Entry = serde_json::from_value(value).map_err(parse)?;
    check_digest(bytes, &entry.sha256)?;
    Ok(entry)
}

/// The first field that differs, with both values.
fn difference<'a>(
    ours: &'a BTreeMap<String, String>,
    theirs: &'a BTreeMap<String, String>,
) -> Option<(&'a str, &'a str, &'a str)> {
    let of = |map: &'a BTreeMap<String, String>, key: &str| map.get(key).map_or("not set", String::as_str);
    let keys = ours.keys().chain(theirs.keys());
    keys.map(|key| (key.as_str(), of(ours, key), of(theirs, key))).find(|(_, a, b)| a != b)
}

fn assemble(entry: Entry, tensors: &SafeTensors<'_>, network: &[Parameter]) -> Result<TrainingState, String> {
    let values = |kind: &str, Parameter { path, shape, .. }: &Parameter| {
        let name = format!("{kind}.{path}");
        let view = tensors.tensor(&name).ok();
        let view = view.filter(|view| view.dtype() == Dtype::F32 && view.shape() == shape);
        let view = view.ok_or_else(|| format!("it has no tensor {name} of shape {shape:?}"))?;
        let numbers = view.data().as_chunks::<4>().0.iter();
        Ok::<Vec<f32>, String>(numbers.map(|bytes| f32::from_le_bytes(*bytes)).collect())
    };
    let all = |kind: &str| {
        let named =
            |parameter: &Parameter| Ok(Parameter { values: values(kind, parameter)?, ..parameter.clone() });
        network.iter().map(named).collect::<Result<Vec<Parameter>, String>>()
    };
    if entry.n_steps.len() != network.len() {
        return Err(format!(
            "it is of {} tensors, but the network has {}",
            entry.n_steps.len(),
            network.len()
        ));
    }
    let moments = network.iter().zip(&entry.n_steps).map(|(parameter, n_steps)| match n_steps {
        0 => Ok(Moments::default()),
        n_steps => Ok(Moments {
            n_steps: *n_steps,
            mean: values("mean", parameter)?,
            square: values("square", parameter)?,
        }),
    });
    Ok(TrainingState {
        network: all("network")?,
        best: entry.has_best.then(|| all("best")).transpose()?,
        moments: moments.collect::<Result<_, String>>()?,
        position: entry.position,
    })
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> TrainingState {
        let parameter = |path: &str, n: usize| {
            let values = (0..n).map(|i| (i as f32).sin() / 3.0).collect();
            Parameter { path: path.into(), shape: vec![n], values }
        };
        let network = vec![parameter("layers.0.weight", 5), parameter("scale", 1)];
        let moments = Moments { n_steps: 7, mean: vec![0.1; 5], square: vec![0.2; 5] };
        TrainingState {
            position: Position {
                epoch: 3,
                loss_sum: 0.1 + 0.2,
                best_loss: Some(1.0 / 3.0),
                ..Position::default()
            },
            best: Some(network.clone()),
            network,
            moments: vec![moments, Moments::default()],
        }
    }

    fn about(rate: &str) -> BTreeMap<String, String> {
        BTreeMap::from([("data".into(), "abc".into()), ("learning_rate".into(), rate.into())])
    }

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("longcast-training-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn what_is_loaded_is_what_was_saved() {
        let folder = folder("saved");
        let path = folder.join("a.training");
        let mut state = state();
        assert_eq!(load(&path, &about("0.1"), &state.network).unwrap(), None);
        for with_best in [true, false] {
            state.best = state.best.filter(|_| with_best);
            save(&state, &path, &about("0.1")).unwrap();
            assert_eq!(load(&path, &about("0.1"), &state.network).unwrap().as_ref(), Some(&state));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn other_trainings_and_damaged_files_are_refused_with_the_fix() {
        let folder = folder("refused");
        let path = folder.join("a.training");
        let state = state();
        save(&state, &path, &about("0.1")).unwrap();
        let refused = |about, network: &[Parameter]| load(&path, &about, network).unwrap_err().to_string();
        let message = refused(about("0.2"), &state.network);
        assert!(message.starts_with("learning_rate is 0.2, but the checkpoint"), "{message}");
        assert!(message.contains("was made with 0.1; train with that, or remove the file"), "{message}");
        let more = BTreeMap::from_iter(about("0.1").into_iter().chain([("width".into(), "8".into())]));
        assert!(refused(more, &state.network).starts_with("width is 8, but the checkpoint"));
        let mut wider = state.network.clone();
        wider[1].shape = vec![2];
        assert!(refused(about("0.1"), &wider).contains("it has no tensor network.scale of shape [2]"));

        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut altered = whole.clone();
            altered[at] ^= 4;
            std::fs::write(&path, &altered).unwrap();
            let message = refused(about("0.1"), &state.network);
            assert!(message.contains("remove it to train from the start"), "{at}: {message}");
            std::fs::write(&path, &whole[..at]).unwrap();
            let message = refused(about("0.1"), &state.network);
            assert!(message.contains("remove it to train from the start"), "{at}: {message}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
