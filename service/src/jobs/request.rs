//! What was asked for: kept with the job as it was sent, checked before the job is made.

use std::io;
use std::path::Path;

use forecast::{FitOptions, ModelConfig};
use forecast_proto::v1;
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::Status;
use tonic_types::FieldViolation;

use super::job::{Brief, Kind, Task};
use super::names::{is_id, segment};
use super::spec::{Violations, backtest_options, fit_options, read_options};
use crate::server::status::invalid;

/// Characters of a `request_id`.
const LONGEST_REQUEST_ID: usize = 128;
/// Models that one back-test compares.
const MOST_MODELS: usize = 16;
/// Channels that inline series have.
const MOST_CHANNELS: usize = 1_000;

/// A request for a job.
#[derive(Debug, Clone, PartialEq)]
pub enum JobRequest {
    /// For a training.
    Training(v1::CreateTrainingJobRequest),
    /// For a back-test.
    Backtest(v1::CreateBacktestJobRequest),
}

impl JobRequest {
    /// What kind of job it asks for.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            JobRequest::Training(_) => Kind::Training,
            JobRequest::Backtest(_) => Kind::Backtest,
        }
    }

    /// Reads what [`JobRequest::to_bytes`] gave.
    pub(super) fn read(kind: Kind, path: &Path) -> io::Result<Self> {
        let bytes = std::fs::read(path)?;
        let bad = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        Ok(match kind {
            Kind::Training => {
                JobRequest::Training(v1::CreateTrainingJobRequest::decode(&bytes[..]).map_err(bad)?)
            }
            Kind::Backtest => {
                JobRequest::Backtest(v1::CreateBacktestJobRequest::decode(&bytes[..]).map_err(bad)?)
            }
        })
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match self {
            JobRequest::Training(request) => request.encode_to_vec(),
            JobRequest::Backtest(request) => request.encode_to_vec(),
        }
    }

    pub(super) fn request_id(&self) -> &str {
        match self {
            JobRequest::Training(request) => &request.request_id,
            JobRequest::Backtest(request) => &request.request_id,
        }
    }

    pub(super) fn dataset(&self) -> &str {
        match self {
            JobRequest::Training(request) => &request.dataset,
            JobRequest::Backtest(request) => &request.dataset,
        }
    }

    /// The series that came with it, and the names of their channels.
    pub(super) fn inline(&self) -> (&[v1::Series], Vec<String>) {
        let (series, channels) = match self {
            JobRequest::Training(request) => (&request.inline_series, &request.channels),
            JobRequest::Backtest(request) => (&request.inline_series, &request.channels),
        };
        (series, super::series::channel_names(channels))
    }

    /// What stays in memory of it.
    pub(super) fn brief(&self) -> Brief {
        let task = match self {
            JobRequest::Training(request) => Task::Training {
                model: request.model.clone(),
                spec: request.spec.clone().unwrap_or_default(),
                makes_default: request.make_default,
            },
            JobRequest::Backtest(request) => Task::Backtest(request.spec.clone().unwrap_or_default()),
        };
        Brief {
            task,
            dataset: self.dataset().to_string(),
            request_id: self.request_id().to_string(),
            // Encoded again the same message gives the same bytes, but for the order in maps.
            digest: self.digest(),
        }
    }

    /// The same for the same request, whatever the order of its maps.
    fn digest(&self) -> [u8; 32] {
        let mut sorted = self.clone();
        let specs: Vec<&mut v1::TrainingSpec> = match &mut sorted {
            JobRequest::Training(request) => request.spec.iter_mut().collect(),
            JobRequest::Backtest(request) => {
                request.spec.iter_mut().flat_map(|spec| spec.models.iter_mut()).collect()
            }
        };
        let mut hash = Sha256::new();
        for spec in specs {
            for map in [&mut spec.settings, &mut spec.read_options] {
                let mut entries: Vec<(String, String)> = map.drain().collect();
                entries.sort();
                hash.update(format!("{entries:?}"));
            }
        }
        hash.update(sorted.to_bytes());
        hash.finalize().into()
    }

    /// Checks everything that can be told without the data set.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` with every field that breaks a rule.
    pub(super) fn check(&self) -> Result<(), Status> {
        let mut broken = Violations::default();
        let (series, channels) = self.inline();
        match (self.dataset(), series.len()) {
            ("", 0) => broken.add("dataset", "it is required, unless there are inline_series".to_string()),
            ("", _) => {}
            (name, 0) if segment(name, "datasets").is_none_or(|id| !is_id(id)) => {
                broken.add("dataset", format!("it is \"{name}\", but must be datasets/{{d}}"));
            }
            (_, 0) => {}
            _ => broken.add("inline_series", "there is a dataset too: give one of the two".to_string()),
        }
        if channels.len() > MOST_CHANNELS {
            broken.add("channels", format!("there are {}, at most {MOST_CHANNELS} may be", channels.len()));
        }
        if self.request_id().chars().count() > LONGEST_REQUEST_ID {
            broken.add("request_id", format!("it has more than {LONGEST_REQUEST_ID} characters"));
        }
        match self {
            JobRequest::Training(request) => check_training(request, &mut broken),
            JobRequest::Backtest(request) => check_backtest(request, &mut broken),
        }
        broken.into_result()?;
        super::series::panel(series, &channels, "inline_series").map(|_| ())
    }
}

fn check_training(request: &v1::CreateTrainingJobRequest, broken: &mut Violations) {
    match segment(&request.model, "models") {
        Some(id) if is_id(id) => {}
        _ => broken.add(
            "model",
            format!(
                "it is \"{}\", but must be models/{{m}} with 1 to 63 letters, digits, -, _ or .",
                request.model
            ),
        ),
    }
    match &request.spec {
        None => broken.add("spec", "it is required".to_string()),
        Some(spec) => {
            model_config(spec, "spec", broken);
            fit_options(spec, "spec", broken);
            read_options(spec, "spec", broken);
            if !request.inline_series.is_empty() && !spec.read_options.is_empty() {
                broken
                    .add("spec.read_options", "they are for files, but there are inline_series".to_string());
            }
        }
    }
}

fn check_backtest(request: &v1::CreateBacktestJobRequest, broken: &mut Violations) {
    let Some(spec) = &request.spec else {
        broken.add("spec", "it is required".to_string());
        return;
    };
    backtest_options(spec, broken);
    if spec.models.len() > MOST_MODELS {
        broken.add("spec.models", format!("there are {}, at most {MOST_MODELS} may be", spec.models.len()));
        return;
    }
    for (at, model) in spec.models.iter().enumerate() {
        let path = format!("spec.models[{at}]");
        model_config(model, &path, broken);
        fit_options(model, &path, broken);
        read_options(model, &path, broken);
        // One fit serves all models of a back-test.
        if at > 0 && !is_fitted_alike(model, &spec.models[0]) {
            let rule = "all models of a back-test share horizon, validation_share, season_length, scaling, seed, \
                        time_limit and read_options: make them those of spec.models[0]";
            broken.add(&path, rule.to_string());
        }
    }
}

fn is_fitted_alike(one: &v1::TrainingSpec, other: &v1::TrainingSpec) -> bool {
    let shared = |spec: &v1::TrainingSpec| v1::TrainingSpec {
        family: String::new(),
        settings: Default::default(),
        ..spec.clone()
    };
    shared(one) == shared(other)
}

/// The family with its settings; what is wrong with them goes to `broken`.
pub(super) fn model_config(
    spec: &v1::TrainingSpec,
    path: &str,
    broken: &mut Violations,
) -> Option<ModelConfig> {
    /// Settings of one family.
    const MOST_SETTINGS: usize = 100;
    let mut config = match ModelConfig::parse(&spec.family) {
        Ok(config) => config,
        Err(error) => {
            broken.add(&format!("{path}.family"), error.to_string());
            return None;
        }
    };
    if spec.settings.len() > MOST_SETTINGS {
        let rule = format!("there are {}, at most {MOST_SETTINGS} may be", spec.settings.len());
        broken.add(&format!("{path}.settings"), rule);
        return None;
    }
    // In one order, a preset before what is said beside it.
    let mut settings: Vec<(&String, &String)> = spec.settings.iter().collect();
    settings.sort_by_key(|(name, _)| (*name != "preset", *name));
    for (name, value) in settings {
        match config.with(name, value) {
            Ok(changed) => config = changed,
            Err(error) => broken.add(&format!("{path}.settings[\"{name}\"]"), error.to_string()),
        }
    }
    if let Some(limit) = &spec.time_limit {
        let seconds = limit.seconds as f64 + f64::from(limit.nanos) / 1e9;
        match config.with("time_limit", &seconds.to_string()) {
            Ok(changed) if seconds > 0.0 => config = changed,
            Ok(_) => broken.add(&format!("{path}.time_limit"), "it must be longer than 0".to_string()),
            Err(error) => broken.add(&format!("{path}.time_limit"), error.to_string()),
        }
    }
    Some(config)
}

/// A single violation as a status.
pub(super) fn refused(field: &str, rule: &str) -> Status {
    invalid(vec![FieldViolation::new(field, rule)], "")
}

/// The options of a fit that has been checked.
pub(super) fn checked_fit(spec: &v1::TrainingSpec, path: &str) -> Result<(ModelConfig, FitOptions), Status> {
    let mut broken = Violations::default();
    let config = model_config(spec, path, &mut broken);
    let options = fit_options(spec, path, &mut broken);
    broken.into_result()?;
    config.map(|config| (config, options)).ok_or_else(|| refused(path, "it names no model"))
}
