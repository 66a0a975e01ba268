//! Clients that no one here wrote, each on its own and through proxies: the examples, and what people have at hand.
//!
//! What a machine lacks is said and passed over, except in CI, where everything has to be there.

// Helpers outside of `#[test]` functions fail a test by panicking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../run/mod.rs"]
mod run;

mod buf;
mod node;
mod proxies;
mod python;
mod server;

/// What is needed, or the reason why it is not here; in CI it has to be.
pub(crate) fn needed<T>(found: Result<T, String>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(reason) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs this client: {reason}");
            println!("SKIPPED: {reason}");
            None
        }
    }
}

/// Runs a command to its end; the error is what it said.
pub(crate) fn quietly(command: &mut std::process::Command) -> Result<(), String> {
    use std::process::Stdio;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let run = run::try_finish(command).map_err(|error| error.to_string())?;
    if run.code == Some(0) { Ok(()) } else { Err(run.stderr) }
}

/// A proxy of the machine has no business with a server on loopback.
pub(crate) fn without_proxies(command: &mut std::process::Command) {
    for name in ["http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "GRPC_PROXY"] {
        command.env_remove(name);
    }
}
