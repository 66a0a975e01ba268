//! A server that is measured: a process that says its address on its first line and ends with the measurement.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use tonic::transport::{Channel, Endpoint};

use crate::error::{Error, Result};

/// Waits at most so long for the end of a server that was told to stop.
const STOPPING: Duration = Duration::from_secs(30);

/// A server in a process of its own.
#[derive(Debug)]
pub(crate) struct Server {
    process: Child,
    // Open as long as the server runs, so that it can write.
    _stdout: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    /// Starts a command and reads its address: the last word of its first line.
    ///
    /// # Errors
    /// [`Error::Unexpected`] if it does not start or says something else.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let fail = |reason: String| Error::Unexpected(format!("the server {name} did not start: {reason}"));
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| fail(error.to_string()))?;
        let stdout = process.stdout.take().ok_or_else(|| fail("it has no output".to_string()))?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line).map_err(|error| fail(error.to_string()))?;
        let address = line.trim_end().rsplit(' ').next().unwrap_or_default().to_string();
        let server = Server { process, _stdout: stdout, address };
        match server.address.parse::<std::net::SocketAddr>() {
            Ok(_) => Ok(server),
            Err(_) => Err(fail(format!("it said {line:?}"))),
        }
    }

    /// `longcast serve` on a free port, without an admin port.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub(crate) fn longcast(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("serve").args(["--port", "0"]).args(arguments).env("RUST_LOG", "error");
        Self::start(&mut command)
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A connection.
    ///
    /// # Errors
    /// [`Error::Unexpected`].
    pub(crate) async fn connect(&self) -> Result<Channel> {
        connect(&self.address).await
    }

    /// The resident memory of the process in bytes; `None` where the system does not tell.
    pub(crate) fn resident_bytes(&self) -> Option<f64> {
        let path = format!("/proc/{}/smaps_rollup", self.process.id());
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
        let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1024.0)
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Errors
    /// [`Error::Unexpected`] if it does not.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = self.process.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status();
        told.map_err(|error| Error::Unexpected(format!("cannot stop the server: {error}")))?;
        let begin = Instant::now();
        while begin.elapsed() < STOPPING {
            if self.process.try_wait().is_ok_and(|status| status.is_some()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(Error::Unexpected(format!("the server still runs {STOPPING:?} after it was told to stop")))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A connection to an address.
///
/// # Errors
/// [`Error::Unexpected`].
pub(crate) async fn connect(address: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let endpoint = endpoint.map_err(|error| Error::Unexpected(error.to_string()))?.tcp_nodelay(true);
    endpoint
        .connect()
        .await
        .map_err(|error| Error::Unexpected(format!("cannot connect to {address}: {error}")))
}
