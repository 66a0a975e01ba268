//! Errors on the wire: a code, a reason of a closed list, and the path of the field.

use std::collections::HashMap;

use forecast::Error;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// The domain of every [`Reason`].
pub(crate) const DOMAIN: &str = "longcast";

/// Why a call failed: a closed list, sent as `ErrorInfo.reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A field breaks a rule.
    FieldInvalid,
    /// No model has this name.
    ModelNotFound,
    /// The model was not fitted on this series and its series do not share coefficients.
    SeriesUnknown,
    /// The history is shorter than what the model looks back.
    HistoryTooShort,
    /// No value of the history was observed.
    AllMissing,
    /// The model cannot give intervals as wide as asked for.
    NotCalibrated,
    /// No training or back-test has this name.
    JobNotFound,
    /// The job has not ended.
    JobNotOver,
    /// As many jobs wait as may.
    JobQueueFull,
    /// A model could not be fitted to the data.
    FitFailed,
    /// No data set has this name.
    DatasetNotFound,
    /// A data set of this name has another content.
    DatasetExists,
    /// There is no room for the data set.
    DatasetTooLarge,
    /// The data set cannot be read.
    DatasetUnusable,
    /// Bytes are not those that their checksum belongs to.
    ChecksumMismatch,
    /// The server is about to stop.
    Draining,
    /// The server is to blame.
    Internal,
}

impl Reason {
    /// Every reason, for the table in the documentation and its test.
    pub const ALL: [Reason; 17] = [
        Reason::FieldInvalid,
        Reason::ModelNotFound,
        Reason::SeriesUnknown,
        Reason::HistoryTooShort,
        Reason::AllMissing,
        Reason::NotCalibrated,
        Reason::JobNotFound,
        Reason::JobNotOver,
        Reason::JobQueueFull,
        Reason::FitFailed,
        Reason::DatasetNotFound,
        Reason::DatasetExists,
        Reason::DatasetTooLarge,
        Reason::DatasetUnusable,
        Reason::ChecksumMismatch,
        Reason::Draining,
        Reason::Internal,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Reason::FieldInvalid => "FIELD_INVALID",
            Reason::ModelNotFound => "MODEL_NOT_FOUND",
            Reason::SeriesUnknown => "SERIES_UNKNOWN",
            Reason::HistoryTooShort => "HISTORY_TOO_SHORT",
            Reason::AllMissing => "ALL_MISSING",
            Reason::NotCalibrated => "NOT_CALIBRATED",
            Reason::JobNotFound => "JOB_NOT_FOUND",
            Reason::JobNotOver => "JOB_NOT_OVER",
            Reason::JobQueueFull => "JOB_QUEUE_FULL",
            Reason::FitFailed => "FIT_FAILED",
            Reason::DatasetNotFound => "DATASET_NOT_FOUND",
            Reason::DatasetExists => "DATASET_EXISTS",
            Reason::DatasetTooLarge => "DATASET_TOO_LARGE",
            Reason::DatasetUnusable => "DATASET_UNUSABLE",
            Reason::ChecksumMismatch => "CHECKSUM_MISMATCH",
            Reason::Draining => "DRAINING",
            Reason::Internal => "INTERNAL",
        }
    }

    /// The gRPC code that goes with it.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Reason::FieldInvalid | Reason::AllMissing => Code::InvalidArgument,
            Reason::ModelNotFound | Reason::JobNotFound | Reason::DatasetNotFound => Code::NotFound,
            Reason::DatasetExists => Code::AlreadyExists,
            Reason::JobQueueFull | Reason::DatasetTooLarge => Code::ResourceExhausted,
            Reason::JobNotOver | Reason::FitFailed | Reason::DatasetUnusable => Code::FailedPrecondition,
            Reason::ChecksumMismatch => Code::DataLoss,
            Reason::Draining => Code::Unavailable,
            Reason::SeriesUnknown | Reason::HistoryTooShort | Reason::NotCalibrated => {
                Code::FailedPrecondition
            }
            Reason::Internal => Code::Internal,
        }
    }

    /// A status about no field.
    pub(crate) fn says(self, message: &str) -> Status {
        status(self, Vec::new(), message.to_string(), &[])
    }

    /// A status about one field.
    pub(crate) fn at(self, field: &str, message: &str) -> Status {
        status(self, vec![FieldViolation::new(field, message)], format!("{field}: {message}"), &[])
    }
}

/// A status with everything that belongs to it.
fn status(
    reason: Reason,
    violations: Vec<FieldViolation>,
    message: String,
    metadata: &[(&str, String)],
) -> Status {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| ((*key).to_string(), value.clone())).collect();
    let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, metadata);
    if !violations.is_empty() {
        details.set_bad_request(violations);
    }
    Status::with_error_details(reason.code(), message, details)
}

/// Several fields at once, all of them in the details.
pub(crate) fn invalid(violations: Vec<FieldViolation>, series_id: &str) -> Status {
    let first = violations.first().map_or_else(String::new, |v| format!("{}: {}", v.field, v.description));
    let message = match violations.len() {
        0 | 1 => first,
        n => format!("{first} (and {} more)", n - 1),
    };
    status(Reason::FieldInvalid, violations, message, &[("series_id", series_id.to_string())])
}

/// A status about a resource that is not there.
pub(crate) fn not_found(reason: Reason, kind: &str, name: &str, what: &str) -> Status {
    let message = format!("unknown \"{name}\": {what}");
    let mut details = ErrorDetails::with_error_info(reason.name(), DOMAIN, HashMap::new());
    details.set_resource_info(kind, name, "", message.clone());
    Status::with_error_details(reason.code(), message, details)
}

pub(super) fn model_not_found(name: &str, known: &[&str]) -> Status {
    let known: Vec<String> = known.iter().map(|name| format!("models/{name}")).collect();
    let message = format!("unknown model \"{name}\"; this server holds {}", known.join(", "));
    let mut details = ErrorDetails::with_error_info(Reason::ModelNotFound.name(), DOMAIN, HashMap::new());
    details.set_resource_info("longcast.v1.Model", name, "", message.clone());
    Status::with_error_details(Code::NotFound, message, details)
}

/// An error of the library about `series`, the path of one series in the request.
pub(crate) fn from_error(error: &Error, path: &str) -> Status {
    let field = |name: &str| format!("{path}.{name}");
    let (reason, at, metadata) = match error {
        Error::HistoryTooShort { series, steps, lookback } => (
            Reason::HistoryTooShort,
            field("values"),
            vec![
                ("series_id", series.clone()),
                ("required", lookback.to_string()),
                ("actual", steps.to_string()),
            ],
        ),
        Error::AllMissing { series, .. } => {
            (Reason::AllMissing, field("values"), vec![("series_id", series.clone())])
        }
        Error::Infinite { series, .. } | Error::WrongChannels { series, .. } => {
            (Reason::FieldInvalid, field("values"), vec![("series_id", series.clone())])
        }
        Error::WrongStep { series, .. } => {
            (Reason::FieldInvalid, field("axis"), vec![("series_id", series.clone())])
        }
        Error::UnknownSeries { series, .. } => {
            (Reason::SeriesUnknown, field("series_id"), vec![("series_id", series.clone())])
        }
        Error::NotCalibrated { asked, .. } => {
            let option = asked.split(' ').next().unwrap_or_default();
            (Reason::NotCalibrated, spec_field(option), Vec::new())
        }
        Error::BadOption { field, .. } => (Reason::FieldInvalid, spec_field(field), Vec::new()),
        _ => {
            tracing::error!(%error, "a forecast failed");
            return status(Reason::Internal, Vec::new(), error.to_string(), &[]);
        }
    };
    let violation = FieldViolation::new(at, error.to_string());
    status(reason, vec![violation], error.to_string(), &metadata)
}

/// What a setting of the library is called in a request.
fn spec_field(option: &str) -> String {
    match option {
        "level" => "spec.interval_coverages".to_string(),
        "quantile" => "spec.quantile_levels".to_string(),
        other => format!("spec.{other}"),
    }
}

pub(crate) fn internal(message: &str) -> Status {
    tracing::error!(message, "a call failed");
    status(Reason::Internal, Vec::new(), message.to_string(), &[])
}
