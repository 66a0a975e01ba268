//! The load generator: calls and sessions against a server in a process of its own.

pub(crate) mod echo;
pub(crate) mod latency;
pub(crate) mod server;
pub(crate) mod sessions;
pub(crate) mod unary;
