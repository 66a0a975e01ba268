//! Why a command failed, and whose fault it was.

use longcast::operation::ConfigError;
use longcast::registry::RegistryError;
use longcast::server::ServerError;

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The input or the call was wrong: exit code 2.
    User(String),
    /// We are to blame: exit code 1.
    Internal(String),
    /// Whoever reads our output has closed it: nothing to say.
    OutputClosed,
}

impl Failure {
    /// A setting of the command line that breaks a rule.
    pub(crate) fn option(field: &str, value: impl std::fmt::Display, rule: &str) -> Self {
        Failure::User(format!("{field} is {value}, but {rule}"))
    }
}

impl From<forecast::Error> for Failure {
    fn from(error: forecast::Error) -> Self {
        if error.is_user_error() {
            Failure::User(error.to_string())
        } else {
            Failure::Internal(error.to_string())
        }
    }
}

impl From<forecast_datasets::DatasetError> for Failure {
    fn from(error: forecast_datasets::DatasetError) -> Self {
        match error {
            forecast_datasets::DatasetError::UnknownName { .. } => Failure::User(error.to_string()),
            other => Failure::Internal(other.to_string()),
        }
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Bind { .. } | ServerError::Tls(_) | ServerError::Sessions { .. } => {
                Failure::User(error.to_string())
            }
            other => Failure::Internal(other.to_string()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Failure::User(error.to_string())
    }
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Model(error) => error.into(),
            other => Failure::User(other.to_string()),
        }
    }
}

impl From<tonic::Status> for Failure {
    fn from(status: tonic::Status) -> Self {
        Failure::Internal(format!("the server answered {:?}: {}", status.code(), status.message()))
    }
}
