//! `longcast serve`: forecasts over gRPC.

use std::net::SocketAddr;

use longcast::server::{Models, Server};
use tracing_subscriber::EnvFilter;

use super::args::ServeArguments;
use super::console::Console;
use super::failure::Failure;

pub(crate) fn run(arguments: &ServeArguments, console: &Console) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter).init();
    let mut models = Models::default();
    for path in &arguments.model {
        models.load(path)?;
    }
    let address = SocketAddr::new(arguments.host, arguments.port);
    let names = models.names().join(", ");
    runtime()?.block_on(async {
        let server = Server::bind(address, models).await?;
        let address = server.address()?;
        console.say(format!("serving {names} on {address}"))?;
        console.json(&serde_json::json!({ "address": address.to_string() }))?;
        server.run(stop_signal()).await?;
        Ok(())
    })
}

/// A runtime for connections; computing happens elsewhere.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Internal(format!("cannot start the runtime: {error}")))
}

/// Ready at an interrupt or a termination signal.
async fn stop_signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler the default action ends the process, which is what was asked for.
    let _ = interrupt.await;
}
