//! What can be typed: the server and the demo.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use crate::cli::failure::Failure;

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// A model file; load.longcast is served as models/load. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Vec<PathBuf>,
    /// A configuration file in TOML; the environment (LONGCAST_SERVER_PORT and so on) and flags win over it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Read and check the configuration, and do nothing else.
    #[arg(long)]
    pub(crate) check_config: bool,
    /// A folder for models, sessions and jobs; without one nothing outlives the process.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1].
    #[arg(long)]
    pub(crate) host: Option<IpAddr>,
    /// The port to listen on; 0 takes a free one [default: 50051].
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// The port of operators: metrics, probes, changes of the registry; 0 takes a free one [default: none].
    #[arg(long)]
    pub(crate) admin_port: Option<u16>,
    /// Any key of the configuration, such as limits.call_time=5s. May be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

impl ServeArguments {
    /// What the flags say of the configuration.
    pub(crate) fn settings(&self) -> Result<Vec<(&str, String)>, Failure> {
        let mut settings = Vec::new();
        for pair in &self.set {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(Failure::option(
                    "set",
                    pair,
                    "it must be KEY=VALUE, such as limits.call_time=5s",
                ));
            };
            settings.push((key, value.to_string()));
        }
        settings.extend(self.data.as_ref().map(|data| ("server.data", data.display().to_string())));
        settings.extend(self.host.map(|host| ("server.host", host.to_string())));
        settings.extend(self.port.map(|port| ("server.port", port.to_string())));
        settings.extend(self.admin_port.map(|port| ("admin.port", port.to_string())));
        Ok(settings)
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder to write to; made if it is not there.
    #[arg(short, long, value_name = "FOLDER", default_value = "longcast-demo")]
    pub(crate) output: PathBuf,
}
