//! `longcast serve` as a process that ends with the test, whatever happens.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Folder, LIMIT, command};

/// A running server on a free loopback port.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    /// `127.0.0.1:PORT`, as the first line of its standard output says.
    pub(crate) address: String,
    // Open as long as the server runs, so that it can write.
    _stdout: BufReader<ChildStdout>,
}

impl Served {
    /// Starts the server on a model file of the folder and waits for its first line.
    pub(crate) fn start(folder: &Folder, model: &str) -> Self {
        Self::with(folder, &format!("serve --model {model} --port 0"))
    }

    /// Starts the server with arguments and waits for its first line.
    pub(crate) fn with(folder: &Folder, arguments: &str) -> Self {
        let mut command = command(folder, arguments);
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let _ = stdout.read_line(&mut line);
            let _ = send.send((line, stdout));
        });
        let Ok((line, stdout)) = receive.recv_timeout(LIMIT) else {
            let _ = child.kill();
            panic!("the server said nothing");
        };
        let address = line.trim_end().rsplit(' ').next().unwrap_or_default().to_string();
        let served = Served { child, address, _stdout: stdout };
        assert!(line.starts_with("serving "), "{line:?}");
        assert!(served.address.parse::<std::net::SocketAddr>().is_ok(), "{line:?}");
        served
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a termination signal and waits for the end.
    pub(crate) fn terminate(self) -> ExitStatus {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.ended()
    }

    /// Waits for the end, which something has asked for.
    pub(crate) fn ended(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(15), "the server still runs");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
