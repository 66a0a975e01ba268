//! Why a session does not do what it was asked for.

use tonic::Status;

/// Why a session does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// A field of the request breaks a rule.
    #[error("{field}: {rule}")]
    Field {
        /// Its path from the request.
        field: String,
        /// The rule.
        rule: String,
    },
    /// A column of a batch does not fit the others.
    #[error("{field}: {rule}")]
    Batch {
        /// The column.
        field: &'static str,
        /// The rule.
        rule: String,
    },
    /// The library refuses; with the path of the field that it refuses.
    #[error("{0}")]
    Library(#[source] Box<forecast::Error>, String),
    /// The registry refuses.
    #[error("{}", .0.message())]
    Model(Box<Status>),
    /// No session has this name.
    #[error("unknown session \"{0}\"; create it first")]
    NotFound(String),
    /// A session has this name already.
    #[error("there is a session \"{0}\" already; delete it first, or choose another name")]
    Exists(String),
    /// The model reads its window again with every forecast.
    #[error(
        "the model \"{revision}\" reads its whole window again with every forecast{}; set allow_window_reread to accept \
         the cost",
        .hindrance.as_ref().map(|setting| format!(" ({setting})")).unwrap_or_default()
    )]
    NotStreamable {
        /// Of the model.
        revision: String,
        /// The setting that keeps it from streaming, and what to use instead.
        hindrance: Option<String>,
    },
    /// The batch begins above the next sequence number.
    #[error("sequence {got} came, but {expected} is next; send again from there")]
    Gap {
        /// What would be taken.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// Somebody else has taken the session over.
    #[error("epoch {epoch} has taken the session over; this writer has epoch {own}")]
    Fenced {
        /// The epoch that holds.
        epoch: u64,
        /// The epoch that does not.
        own: u64,
    },
    /// A stream writes to the session.
    #[error("a stream writes to the session; give a newer epoch to take it over")]
    Attached,
    /// The etag is not the present one.
    #[error("etag \"{got}\" is not the present one, \"{expected}\"; read the session again")]
    Etag {
        /// The present one.
        expected: String,
        /// What came.
        got: String,
    },
    /// A quota of the server is used up.
    #[error(
        "{subject} would be {wanted}, but at most {limit} are allowed; delete sessions, or raise the limit"
    )]
    Quota {
        /// What is limited.
        subject: &'static str,
        /// What it would be.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// A reader was too slow.
    #[error("{0} forecasts wait for this reader; read faster, or let them be conflated")]
    SlowReader(usize),
    /// The disk does not take what it should keep.
    #[error("the log of sessions cannot be written: {0}; nothing is acknowledged until it can")]
    Storage(String),
    /// The server keeps no sessions on disk.
    #[error(
        "the server keeps sessions in memory only; use DURABILITY_MEMORY, or give it a folder for sessions"
    )]
    NoStorage,
    /// What is stored of the session has a hole.
    #[error("what is stored of the session \"{name}\" is damaged: {reason}; delete it and create it again")]
    Damaged {
        /// The session.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The server stops.
    #[error("the server is about to stop; reconnect in {0} ms")]
    Draining(u64),
    /// Our fault.
    #[error("{0}")]
    Internal(String),
}
