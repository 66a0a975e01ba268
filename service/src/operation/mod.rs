//! What keeps the server up: configuration, certificates, tokens, bounds, deadlines, metrics, stopping.

pub mod access;
mod answer;
pub mod background;
mod budget;
mod call;
pub mod compute;
mod config;
mod connection;
mod connections;
mod deadline;
mod drain;
mod gate;
mod health;
mod log;
mod metrics;
mod monitor;
mod process;
mod threads;
mod tls;
mod tokens;
mod unexplained;
mod workers;

pub use config::{
    Config, ConfigError, Kind, Limits, Listening, Logging, Setting, TlsFiles, TokenEntry, Values, settings,
};
pub use drain::{Drain, Until};
pub use log::start as start_log;
pub use metrics::{Counter, Gauge, Histogram, Metrics};
pub use tls::TlsError;

pub(crate) use budget::Budget;
pub(crate) use connections::Connections;
pub(crate) use gate::{Gate, Seen, Shared};
pub(crate) use health::Health;
pub(crate) use process::Memory;
pub(crate) use tls::Tls;
pub(crate) use tokens::Tokens;
