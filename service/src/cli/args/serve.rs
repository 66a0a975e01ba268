//! What can be typed: the server and the demo.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// A model file; load.longcast is served as models/load. May be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) model: Vec<PathBuf>,
    /// The folder for what outlives the process: sessions, in FOLDER/sessions. Made if it is not there; without it
    /// sessions live in memory only.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) host: IpAddr,
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 50051)]
    pub(crate) port: u16,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder to write to; made if it is not there.
    #[arg(short, long, value_name = "FOLDER", default_value = "longcast-demo")]
    pub(crate) output: PathBuf,
}
