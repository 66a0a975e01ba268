//! The gRPC server: models by name, the forecast service, health, reflection, and a bounded shutdown.

pub(crate) mod convert;
mod evaluation_service;
mod forecast_service;
mod job_events;
mod job_pages;
mod models;
mod reason;
mod run;
pub(crate) mod status;
mod training_service;

pub use convert::{from_message, to_message, to_series_message};
pub use evaluation_service::Evaluations;
pub use models::Models;
pub use reason::Reason;
pub use run::{Server, ServerError};
pub use training_service::Trainings;
