//! What probes and Prometheus ask the admin port for.

use http::{Response, StatusCode};

use super::answer::Answer;
use super::gate::{Shared, plain};

/// `/livez`: the process answers. `/readyz`: it takes calls. `/metrics`.
///
/// Overload changes neither of the first two: who is overloaded is alive, and taking it out of service would only
/// overload the others.
pub(super) fn answer(path: &str, shared: &Shared) -> Response<Answer> {
    match path {
        "/livez" => plain(StatusCode::OK, "ok\n".to_string()),
        "/readyz" => match shared.drain.until() {
            None => plain(StatusCode::OK, "ok\n".to_string()),
            Some(_) => plain(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_string()),
        },
        "/metrics" => {
            let help = "Bytes of requests in memory.";
            let used = i64::try_from(shared.budget.used()).unwrap_or(i64::MAX);
            shared.metrics.gauge("longcast_request_bytes", help, &[]).set(used);
            plain(StatusCode::OK, shared.metrics.render())
        }
        _ => plain(StatusCode::NOT_FOUND, "there are /livez, /readyz and /metrics\n".to_string()),
    }
}
