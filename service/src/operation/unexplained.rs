//! Errors that the transport makes by itself, with the reason that every error of ours has.

use http::HeaderMap;
use tonic::{Code, Status};

use crate::server::Reason;

/// The code of an answer's headers or trailers. An error without details gets those that it should have had.
pub(crate) fn explain(headers: &mut HeaderMap) -> Code {
    let Some(code) = headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes())) else {
        return Code::Ok;
    };
    if code == Code::Ok || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return code;
    }
    let Some(status) = Status::from_header_map(headers) else { return code };
    let explained = explained(&status);
    for name in [Status::GRPC_STATUS, Status::GRPC_MESSAGE] {
        headers.remove(name);
    }
    let code = explained.code();
    // Headers that cannot be written are those of a message that is not ours; the code stays.
    let _ = explained.add_header(headers);
    code
}

fn explained(status: &Status) -> Status {
    let message = status.message();
    match status.code() {
        Code::OutOfRange if message.contains("too large") => Reason::MessageTooLarge.status(message, &[]),
        Code::Internal if message.contains("decode") || message.contains("Missing request message") => {
            Reason::MessageInvalid.status(message, &[])
        }
        Code::Unimplemented => {
            let message = if message.is_empty() { "there is no such call on this port" } else { message };
            Reason::MethodUnknown.status(message, &[])
        }
        // Health and reflection, and streams that break off, speak for themselves.
        code => {
            let details = tonic_types::ErrorDetails::with_error_info(
                spelled(code),
                crate::server::DOMAIN,
                std::collections::HashMap::new(),
            );
            <tonic::Status as tonic_types::StatusExt>::with_error_details(code, message, details)
        }
    }
}

/// A code as the wire calls it.
pub(crate) fn spelled(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
