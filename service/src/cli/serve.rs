//! `longcast serve`: forecasts over gRPC.

use longcast::operation::{Config, start_log};
use longcast::registry::Registry;
use longcast::server::Server;

use super::args::ServeArguments;
use super::console::Console;
use super::failure::Failure;

pub(crate) fn run(arguments: &ServeArguments, console: &Console) -> Result<(), Failure> {
    // What is no text is no setting of ours.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let config = Config::read(arguments.config.as_deref(), variables, arguments.settings()?)?;
    if arguments.check_config {
        console.say("the configuration is fine")?;
        return console.json(&serde_json::json!({ "config": "fine" }));
    }
    start_log(&config.logging);
    let registry = registry(&config, arguments)?;
    let io_threads = config.listening.io_threads;
    let runtime = runtime(io_threads)?;
    let served: Result<(), Failure> = runtime.block_on(async {
        let names = registry.names().join(", ");
        let server = Server::bind(config, registry).await?;
        let (address, admin) = (server.address(), server.admin_address());
        // Before anyone is told that we serve: a signal may follow at once.
        let stop = stop_signal()?;
        if let Some(admin) = admin {
            tracing::info!(%admin, "admin port");
        }
        console.say(format!("serving {names} on {address}"))?;
        let admin = admin.map(|admin| admin.to_string());
        console.json(&serde_json::json!({ "address": address.to_string(), "admin": admin }))?;
        server.run(stop).await?;
        Ok(())
    });
    // What was cut off is not waited for.
    runtime.shutdown_background();
    served
}

/// The models of the data folder and of the command line.
fn registry(config: &Config, arguments: &ServeArguments) -> Result<Registry, Failure> {
    let registry = match &config.listening.data {
        Some(folder) => Registry::open(folder, config.registry)?,
        None => Registry::in_memory(config.registry),
    };
    let mut given = Vec::new();
    for path in &arguments.model {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if given.contains(&name) {
            let rule = format!("another model is served as models/{name}; rename one of the files");
            return Err(Failure::option("model", path.display(), &rule));
        }
        registry.add_file(&name, path)?;
        given.push(name);
    }
    if registry.names().is_empty() && config.listening.data.is_none() {
        return Err(Failure::User(
            "there is nothing to serve; give --model FILE or --data FOLDER".to_string(),
        ));
    }
    Ok(registry)
}

/// A runtime for connections; computing happens elsewhere.
pub(crate) fn runtime(n_threads: usize) -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(n_threads)
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
