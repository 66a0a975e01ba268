//! The gRPC server: models by name, the forecast service, health, reflection, and a bounded shutdown.

mod convert;
mod forecast_service;
mod models;
mod reason;
mod run;
mod session_convert;
mod session_create;
mod session_ends;
mod session_input;
mod session_message;
mod session_policy;
mod session_pool;
mod session_service;
mod session_status;
mod session_stream;
mod session_watch;
mod status;

pub use convert::{from_message, to_message, to_series_message};
pub use models::Models;
pub use reason::Reason;
pub use run::{Server, ServerError};
pub use session_service::DrainNotice;
