//! The connection of a client: address, TLS, token, time limits.

use std::path::Path;
use std::time::Duration;

use longcast::server::Reason;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;

use crate::cli::args::ConnectionArguments;
use crate::cli::failure::Failure;

/// Bytes of one answer.
pub(crate) const LARGEST_ANSWER: usize = 64 << 20;

/// Where to connect to, and how.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    endpoint: Endpoint,
    address: String,
    identity: Identification,
    /// Of a call with one answer.
    timeout: Duration,
}

/// Puts the token into every call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identification {
    token: Option<MetadataValue<Ascii>>,
}

impl tonic::service::Interceptor for Identification {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// A connection that is open, as clients take it.
pub(crate) type Transport = InterceptedService<Channel, Identification>;

impl Connection {
    pub(crate) fn new(arguments: &ConnectionArguments) -> Result<Self, Failure> {
        let with_tls = [&arguments.ca, &arguments.cert, &arguments.key].iter().any(|file| file.is_some());
        let address = match arguments.address.split_once("://") {
            Some(_) => arguments.address.clone(),
            None => format!("{}://{}", if with_tls { "https" } else { "http" }, arguments.address),
        };
        let bad = |what: &dyn std::fmt::Display| {
            Failure::option("--address", format!("\"{}\"", arguments.address), &what.to_string())
        };
        let timeout = Duration::try_from_secs_f64(arguments.timeout)
            .ok()
            .filter(|timeout| !timeout.is_zero())
            .ok_or_else(|| Failure::option("--timeout", arguments.timeout, "it must be seconds above 0"))?;
        let mut endpoint = Endpoint::from_shared(address.clone())
            .map_err(|error| bad(&format!("it must be host:port or a URL ({error})")))?
            .connect_timeout(timeout)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10))
            .tcp_nodelay(true);
        if address.starts_with("https://") {
            endpoint = endpoint.tls_config(tls(arguments)?).map_err(|error| bad(&error))?;
        } else if with_tls {
            return Err(bad(&"it is not https, but certificates are given: leave one of the two out"));
        }
        let token = arguments.token.as_ref().map(|token| format!("Bearer {token}").parse()).transpose();
        let token = token
            .map_err(|_| Failure::User("--token holds characters that no header may have".to_string()))?;
        let token = token.map(|mut token: MetadataValue<Ascii>| {
            token.set_sensitive(true);
            token
        });
        Ok(Connection { endpoint, address, identity: Identification { token }, timeout })
    }

    /// A connection without a token to an address of this machine.
    pub(crate) fn plain(address: std::net::SocketAddr) -> Result<Self, Failure> {
        Connection::new(&ConnectionArguments {
            address: address.to_string(),
            token: None,
            ca: None,
            cert: None,
            key: None,
            timeout: 30.0,
        })
    }

    /// Connects.
    pub(crate) async fn open(&self) -> Result<Transport, Failure> {
        let channel = self.endpoint.connect().await.map_err(|error| {
            let mut reason = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(inner) = source {
                reason = inner.to_string();
                source = inner.source();
            }
            Failure::User(format!(
                "cannot connect to {}: {reason}; check the address, and that the server runs",
                self.address
            ))
        })?;
        Ok(InterceptedService::new(channel, self.identity.clone()))
    }

    /// A message as a call with one answer and a time limit.
    pub(crate) fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }
}

fn tls(arguments: &ConnectionArguments) -> Result<ClientTlsConfig, Failure> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| Failure::User(format!("cannot read \"{}\": {error}", path.display())))
    };
    let mut config = ClientTlsConfig::new();
    config = match &arguments.ca {
        Some(path) => config.ca_certificate(Certificate::from_pem(read(path)?)),
        None => config.with_native_roots(),
    };
    match (&arguments.cert, &arguments.key) {
        (Some(cert), Some(key)) => Ok(config.identity(Identity::from_pem(read(cert)?, read(key)?))),
        (None, None) => Ok(config),
        _ => Err(Failure::User("--cert and --key belong together: give both, or neither".to_string())),
    }
}

/// What the server said, for people: every field that it names, and when to try again.
pub(crate) fn refused(status: &Status) -> Failure {
    let details = status.get_error_details();
    let mut text = format!("the server answered {}", code(status.code()));
    if let Some(info) = details.error_info() {
        text += &format!(" ({})", info.reason);
    }
    text += &format!(": {}", status.message());
    if let Some(request) = details.bad_request() {
        for violation in request.field_violations.iter().skip(1) {
            text += &format!("\n  {}: {}", violation.field, violation.description);
        }
    }
    if let Some(wait) = details.retry_info().and_then(|retry| retry.retry_delay) {
        text += &format!("; try again after {wait:?}");
    }
    let is_ours = matches!(status.code(), Code::Internal | Code::Unknown | Code::DataLoss)
        && details.error_info().is_none_or(|info| info.reason == Reason::Internal.name());
    if is_ours { Failure::Internal(text) } else { Failure::User(text) }
}

/// A code as the documentation of gRPC writes it.
pub(crate) fn code(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

/// True if the same call may go well on another connection.
pub(crate) fn may_be_retried(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal)
        && status.get_error_details().error_info().is_none_or(|info| info.reason == Reason::Draining.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_grpc_writes_them() {
        assert_eq!(code(Code::InvalidArgument), "INVALID_ARGUMENT");
        assert_eq!(code(Code::NotFound), "NOT_FOUND");
        assert_eq!(code(Code::Ok), "OK");
    }

    #[test]
    fn bad_addresses_and_certificates_without_tls_are_refused() {
        let arguments = |address: &str, ca: Option<&str>| ConnectionArguments {
            address: address.to_string(),
            token: None,
            ca: ca.map(Into::into),
            cert: None,
            key: None,
            timeout: 1.0,
        };
        let refusal = |address, ca| match Connection::new(&arguments(address, ca)) {
            Err(Failure::User(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(refusal("a b", None).contains("--address"));
        assert!(refusal("http://localhost:1", Some("ca.pem")).contains("not https"));
        assert!(refusal("localhost:1", Some("no/such.pem")).contains("no/such.pem"));
        let endless = ConnectionArguments { timeout: f64::NAN, ..arguments("localhost:1", None) };
        assert!(Connection::new(&endless).is_err());
    }
}
