//! The log: lines for people or for programs, on standard error.

use tracing_subscriber::EnvFilter;

use super::config::Logging;

/// Begins to log; `RUST_LOG` says what, where it is set. Does nothing if something logs already.
pub fn start(logging: &Logging) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(&logging.level));
    let builder = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    // A second subscriber is refused, and the first goes on.
    let _ = match logging.is_json {
        true => builder.json().flatten_event(true).try_init(),
        false => builder.try_init(),
    };
}
