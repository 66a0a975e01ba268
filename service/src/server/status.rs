//! Errors on the wire: a code, a reason of a closed list, the path of the field, when to try again.

use std::collections::HashMap;
use std::time::Duration;

use forecast::Error;
use tonic::Status;
use tonic::metadata::MetadataValue;
use tonic_types::{ErrorDetails, FieldViolation, QuotaViolation, StatusExt};

use super::reason::Reason;
use crate::registry::RegistryError;

/// The domain of every [`Reason`].
pub(crate) const DOMAIN: &str = "longcast";
/// The trailer by which a client's library learns when to try again, in milliseconds.
pub(crate) const PUSHBACK: &str = "grpc-retry-pushback-ms";

impl Reason {
    /// A status about one field.
    pub(crate) fn at(self, field: &str, message: &str) -> Status {
        status(self, vec![FieldViolation::new(field, message)], format!("{field}: {message}"), &[])
    }

    /// A status that is about no field.
    pub(crate) fn status(self, message: impl Into<String>, metadata: &[(&str, String)]) -> Status {
        status(self, Vec::new(), message.into(), metadata)
    }

    /// A status about something with a name, such as `("longcast.v1.Session", "sessions/a")`.
    pub(crate) fn of_resource(self, kind: &str, name: &str, message: impl Into<String>) -> Status {
        let message = message.into();
        let mut details = ErrorDetails::with_error_info(self.name(), DOMAIN, HashMap::new());
        details.set_resource_info(kind, name, "", message.clone());
        Status::with_error_details(self.code(), message, details)
    }

    /// A status that goes away by itself: `RetryInfo` and the trailer say when to try again.
    pub(crate) fn retry_after(self, message: impl Into<String>, after: Duration) -> Status {
        let mut details = ErrorDetails::with_error_info(self.name(), DOMAIN, HashMap::new());
        details.set_retry_info(Some(after));
        let mut status = Status::with_error_details(self.code(), message, details);
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        status.metadata_mut().insert(PUSHBACK, MetadataValue::from(millis));
        status
    }

    /// A limit of what the caller may hold is reached: `QuotaFailure`, and `RetryInfo` where waiting helps.
    pub(crate) fn quota(self, subject: &str, message: impl Into<String>, after: Option<Duration>) -> Status {
        let message = message.into();
        let mut details = ErrorDetails::with_error_info(self.name(), DOMAIN, HashMap::new());
        details.set_quota_failure(vec![QuotaViolation::new(subject, message.clone())]);
        if after.is_some() {
            details.set_retry_info(after);
        }
        Status::with_error_details(self.code(), message, details)
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
        Error::MissingAhead { .. } => (Reason::CovariatesMissing, field("covariates"), Vec::new()),
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

impl From<RegistryError> for Status {
    fn from(error: RegistryError) -> Self {
        let message = error.to_string();
        match error {
            RegistryError::BadName { field, .. } => {
                status(Reason::FieldInvalid, vec![FieldViolation::new(field, message.clone())], message, &[])
            }
            RegistryError::NotFound { kind, name, .. } => {
                let (reason, resource) = match kind {
                    "model" => (Reason::ModelNotFound, "longcast.v1.Model"),
                    "alias" => (Reason::AliasNotFound, "longcast.v1.Model"),
                    _ => (Reason::RevisionNotFound, "longcast.v1.ModelRevision"),
                };
                reason.of_resource(resource, &name, message)
            }
            RegistryError::NotLoaded { .. } => Reason::ModelNotLoaded.status(message, &[]),
            RegistryError::InUse { .. } => Reason::ModelInUse.status(message, &[]),
            RegistryError::EtagMismatch { expected, got, .. } => {
                Reason::EtagMismatch.status(message, &[("expected", expected), ("got", got)])
            }
            RegistryError::Corrupt { .. } => Reason::FileCorrupt.status(message, &[]),
            RegistryError::Full { what, .. } => Reason::LimitReached.quota(what, message, None),
            RegistryError::Io { .. } => internal(&message),
            RegistryError::Model(error) if error.is_user_error() => Reason::FileCorrupt.status(message, &[]),
            RegistryError::Model(_) => internal(&message),
        }
    }
}

/// A status as a message, for errors that are values in a stream.
pub(crate) fn to_rpc_status(status: &Status) -> tonic_types::Status {
    use prost::Message;
    // The details of a status are an encoded `google.rpc.Status`.
    tonic_types::Status::decode(status.details()).unwrap_or_else(|_| tonic_types::Status {
        code: status.code().into(),
        message: status.message().to_string(),
        details: Vec::new(),
    })
}
