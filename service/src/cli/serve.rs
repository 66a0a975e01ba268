//! `longcast serve`: forecasts over gRPC.

use std::net::SocketAddr;
use std::sync::Arc;

use longcast::server::{Models, Server};
use longcast::session::{Store, StoreOptions};
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
    let sessions = match &arguments.data {
        None => Store::in_memory(StoreOptions::default()),
        Some(folder) => {
            let folder = folder.join("sessions");
            Store::open(&folder, &models, StoreOptions::default()).map_err(|source| {
                Failure::from(forecast::Error::Io { action: "cannot use", path: folder, source })
            })?
        }
    };
    runtime()?.block_on(async {
        let server = Server::bind(address, models).await?.with_sessions(Arc::new(sessions));
        let address = server.address()?;
        // Before anyone is told that we serve: a signal may follow at once.
        let stop = stop_signal()?;
        console.say(format!("serving {names} on {address}"))?;
        console.json(&serde_json::json!({ "address": address.to_string() }))?;
        server.run(stop).await?;
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

/// A future that is ready at an interrupt or a termination signal; signals count from this call on.
#[cfg(unix)]
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind: SignalKind| {
        signal(kind).map_err(|error| Failure::Internal(format!("cannot listen for signals: {error}")))
    };
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// A future that is ready at an interrupt.
#[cfg(not(unix))]
fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    // Without a handler the default action ends the process, which is what was asked for.
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
