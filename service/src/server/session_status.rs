//! What sessions refuse, on the wire.

use std::time::Duration;

use tonic::Status;

use super::reason::Reason;
use super::status::{from_error, internal};
use crate::session::{Refusal, SessionError};

const SESSION: &str = "longcast.v1.Session";
/// A disk that refuses is asked again after this.
const STORAGE_RETRY: Duration = Duration::from_secs(1);

impl From<SessionError> for Status {
    fn from(error: SessionError) -> Self {
        let message = error.to_string();
        match error {
            SessionError::Field { field, rule } => Reason::FieldInvalid.at(&field, &rule),
            SessionError::Batch { field, rule } => {
                Reason::FieldInvalid.at(&format!("observations.{field}"), &rule)
            }
            SessionError::Library(error, path) => from_error(&error, &path),
            SessionError::Model(status) => *status,
            SessionError::NotFound(name) => Reason::SessionNotFound.of_resource(SESSION, &name, message),
            SessionError::Exists(name) => Reason::SessionExists.of_resource(SESSION, &name, message),
            SessionError::NotStreamable { .. } => Reason::ModelNotStreamable.status(message, &[]),
            SessionError::Gap { expected, got } => Reason::SequenceGap
                .status(message, &[("expected", expected.to_string()), ("got", got.to_string())]),
            SessionError::Fenced { epoch, own } => Reason::SessionFenced
                .status(message, &[("epoch", epoch.to_string()), ("own", own.to_string())]),
            SessionError::Attached => Reason::SessionAttached.status(message, &[]),
            SessionError::Etag { expected, got } => {
                Reason::EtagMismatch.status(message, &[("expected", expected), ("got", got)])
            }
            SessionError::Quota { subject, .. } => Reason::LimitReached.quota(subject, message, None),
            SessionError::SlowReader(_) => Reason::SlowReader.status(message, &[]),
            SessionError::Storage(_) => Reason::StorageFailed.retry_after(message, STORAGE_RETRY),
            SessionError::NoStorage => Reason::StorageMissing.status(message, &[]),
            SessionError::Damaged { .. } => Reason::SessionDamaged.status(message, &[]),
            SessionError::Draining(millis) => {
                Reason::Draining.retry_after(message, Duration::from_millis(millis))
            }
            SessionError::Internal(_) => internal(&message),
        }
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Late => Reason::ObservationLate,
            Refusal::Duplicate => Reason::ObservationDuplicate,
            Refusal::Gap => Reason::ObservationGap,
            Refusal::OffGrid => Reason::ObservationOffGrid,
            Refusal::TimeRequired => Reason::TimeRequired,
            Refusal::Infinite => Reason::ValueInfinite,
            Refusal::SeriesIndex => Reason::SeriesIndexInvalid,
        }
    }
}
