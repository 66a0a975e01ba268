//! The gRPC services, and how they are put together into a server.

mod batching;
mod convert;
mod covariates;
mod forecast_service;
mod forecasting;
mod model_admin_service;
mod model_messages;
mod model_service;
mod reason;
mod reflection;
mod run;
mod server_service;
mod shadow;
mod status;

pub use convert::{from_message, to_message, to_series_message};
pub use reason::Reason;
pub use run::{Server, ServerError};

pub(crate) use status::{DOMAIN, internal};
