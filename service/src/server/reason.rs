//! Why a call failed: a closed list, sent as `ErrorInfo.reason`.

use tonic::Code;

macro_rules! reasons {
    ($($variant:ident, $name:literal, $code:ident, $when:literal;)*) => {
        /// Why a call failed: a closed list, sent as `ErrorInfo.reason`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reason {
            $(#[doc = $when] $variant,)*
        }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];

            /// The name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)* }
            }

            /// The gRPC code that goes with it.
            #[must_use]
            pub fn code(self) -> Code {
                match self { $(Reason::$variant => Code::$code,)* }
            }

            /// When it is sent, for the documentation.
            #[must_use]
            pub fn when(self) -> &'static str {
                match self { $(Reason::$variant => $when,)* }
            }
        }
    };
}

reasons! {
    FieldInvalid, "FIELD_INVALID", InvalidArgument, "a field breaks a rule; all violations, up to 100, are listed";
    AllMissing, "ALL_MISSING", InvalidArgument, "no value of the history was observed";
    CovariatesMissing, "COVARIATES_MISSING", InvalidArgument, "a column that is known ahead does not reach to the end of the forecast";
    MessageInvalid, "MESSAGE_INVALID", InvalidArgument, "the bytes are no message of this call";
    MessageTooLarge, "MESSAGE_TOO_LARGE", ResourceExhausted, "a message is larger than the server takes; `GetServerInfo` says how much it does";
    ModelNotFound, "MODEL_NOT_FOUND", NotFound, "no model has this name; with `ResourceInfo`";
    RevisionNotFound, "REVISION_NOT_FOUND", NotFound, "the model has no such revision; with `ResourceInfo`";
    AliasNotFound, "ALIAS_NOT_FOUND", NotFound, "the model has no such alias; with `ResourceInfo`";
    ModelNotLoaded, "MODEL_NOT_LOADED", FailedPrecondition, "it is stored, but not in memory";
    ModelInUse, "MODEL_IN_USE", FailedPrecondition, "an alias or sessions still need it";
    SeriesUnknown, "SERIES_UNKNOWN", FailedPrecondition, "the model has coefficients for each series, and none for this one";
    HistoryTooShort, "HISTORY_TOO_SHORT", FailedPrecondition, "metadata `required` and `actual`";
    NotCalibrated, "NOT_CALIBRATED", FailedPrecondition, "the interval is wider than the calibration supports";
    JobNotFound, "JOB_NOT_FOUND", NotFound, "no training or back-test has this name; with `ResourceInfo`";
    JobNotOver, "JOB_NOT_OVER", FailedPrecondition, "the job has not ended; cancel it first";
    JobQueueFull, "JOB_QUEUE_FULL", ResourceExhausted, "as many jobs wait as may; with `QuotaFailure` and `RetryInfo`";
    FitFailed, "FIT_FAILED", FailedPrecondition, "in a job: the data cannot be fitted or back-tested as asked; metadata `series_id` where one is to blame";
    DatasetNotFound, "DATASET_NOT_FOUND", NotFound, "no data set has this name; with `ResourceInfo`";
    DatasetExists, "DATASET_EXISTS", AlreadyExists, "a data set of this name has another content";
    DatasetTooLarge, "DATASET_TOO_LARGE", ResourceExhausted, "there is no room for the data set; with `QuotaFailure`";
    DatasetUnusable, "DATASET_UNUSABLE", FailedPrecondition, "in a job: the file of a data set cannot be read as asked";
    EtagMismatch, "ETAG_MISMATCH", Aborted, "it has changed since the caller read it; metadata `expected` and `got`";
    FileCorrupt, "FILE_CORRUPT", DataLoss, "a file is damaged, or does not fit its checksum";
    LimitReached, "LIMIT_REACHED", ResourceExhausted, "the caller would hold more than the server allows; with `QuotaFailure`";
    TokenMissing, "TOKEN_MISSING", Unauthenticated, "the server asks for a token, and none was sent";
    TokenUnknown, "TOKEN_UNKNOWN", Unauthenticated, "the server does not know the token";
    ScopeMissing, "SCOPE_MISSING", PermissionDenied, "the token has not the scope of this call; metadata `scope`";
    MethodUnknown, "METHOD_UNKNOWN", Unimplemented, "there is no such call on this port";
    Overloaded, "OVERLOADED", Unavailable, "more work waits than the server takes; with `RetryInfo` and the trailer `grpc-retry-pushback-ms`";
    Draining, "DRAINING", Unavailable, "the server is about to stop; with `RetryInfo` and the trailer";
    DeadlineExceeded, "DEADLINE_EXCEEDED", DeadlineExceeded, "the time of the client or of the server was over; metadata `stage`: queue, compute or write";
    SessionNotFound, "SESSION_NOT_FOUND", NotFound, "no session has this name; with `ResourceInfo`";
    SessionExists, "SESSION_EXISTS", AlreadyExists, "a session has this name already; with `ResourceInfo`";
    ModelNotStreamable, "MODEL_NOT_STREAMABLE", FailedPrecondition, "the model reads its window again with every forecast, and `allow_window_reread` is not set";
    SequenceGap, "SEQUENCE_GAP", OutOfRange, "observations are missing before this batch; metadata `expected` and `got`";
    SessionFenced, "SESSION_FENCED", Aborted, "another writer has taken the session over; metadata `epoch` and `own`";
    SessionAttached, "SESSION_ATTACHED", FailedPrecondition, "a stream writes to the session, and the call has no newer epoch";
    SlowReader, "SLOW_READER", ResourceExhausted, "the stream was read too slowly for every forecast to be sent";
    StorageFailed, "STORAGE_FAILED", Unavailable, "the log of sessions cannot be written, as on a full disk; with `RetryInfo` and the trailer";
    StorageMissing, "STORAGE_MISSING", FailedPrecondition, "the server keeps sessions in memory only, and the session asks for more";
    SessionDamaged, "SESSION_DAMAGED", DataLoss, "what is stored of the session has a hole, or its model is gone";
    ObservationLate, "OBSERVATION_LATE", OutOfRange, "its time stamp lies before the last step of its series (in the stream)";
    ObservationDuplicate, "OBSERVATION_DUPLICATE", OutOfRange, "its time stamp is that of the last step (in the stream)";
    ObservationGap, "OBSERVATION_GAP", OutOfRange, "its time stamp leaves steps out (in the stream)";
    ObservationOffGrid, "OBSERVATION_OFF_GRID", OutOfRange, "its time stamp lies between two steps (in the stream)";
    TimeRequired, "TIME_REQUIRED", InvalidArgument, "the series has no start yet, and the observation no time stamp (in the stream)";
    ValueInfinite, "VALUE_INFINITE", InvalidArgument, "a value of the observation is infinite (in the stream)";
    SeriesIndexInvalid, "SERIES_INDEX_INVALID", InvalidArgument, "the session has no such series (in the stream)";
    Internal, "INTERNAL", Internal, "our fault";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_reason() {
        let table: String = Reason::ALL
            .iter()
            .map(|reason| {
                // As the wire calls it: INVALID_ARGUMENT.
                let code = format!("{:?}", reason.code());
                let spelled: String = code
                    .chars()
                    .enumerate()
                    .flat_map(|(i, c)| {
                        let gap = (i > 0 && c.is_uppercase()).then_some('_');
                        gap.into_iter().chain(c.to_uppercase())
                    })
                    .collect();
                format!("| `{}` | {spelled} | {} |\n", reason.name(), reason.when())
            })
            .collect();
        let text = include_str!("../../README.md");
        assert!(text.contains(&table), "put this into service/README.md:\n{table}");
    }
}
