//! The gRPC services, and how they are put together into a server.

mod batching;
pub(crate) mod convert;
mod covariates;
mod evaluation_service;
mod forecast_service;
mod forecasting;
mod job_events;
mod job_pages;
mod model_admin_service;
mod model_messages;
mod model_service;
mod reason;
mod reflection;
mod run;
mod server_service;
mod session_convert;
mod session_create;
mod session_ends;
mod session_input;
mod session_message;
mod session_metrics;
mod session_models;
mod session_policy;
mod session_service;
mod session_status;
mod session_stream;
mod session_watch;
mod shadow;
pub(crate) mod status;
mod training_service;

pub use convert::{from_message, to_message, to_series_message};
pub use evaluation_service::Evaluations;
pub use reason::Reason;
pub use run::{Server, ServerError};
pub use training_service::Trainings;

pub(crate) use status::{DOMAIN, internal};
