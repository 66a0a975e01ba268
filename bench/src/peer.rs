//! Peers: Python scripts that stay alive and answer one line of JSON with another.
//!
//! A peer imports and prepares once, so that a question measures the work alone and can be asked in turn with ours.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::environment::{Python, own_path};
use crate::error::{Error, Result};

/// Settings of numpy's linear algebra that belong to the machine, not to the peer: left alone it finds the best.
const FORCED_KERNELS: [&str; 2] = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

/// A script of `bench/peers/`, part of this program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    name: &'static str,
    text: &'static str,
}

/// Runs commands and measures them; needs no packages.
pub(crate) const PROCESSES: Script =
    Script { name: "processes.py", text: include_str!("../peers/processes.py") };
/// Windows and lag matrices by numpy and statsmodels.
pub(crate) const WINDOWS: Script = Script { name: "windows.py", text: include_str!("../peers/windows.py") };

/// Autoregressions by numpy, scipy, scikit-learn and statsmodels.
pub(crate) const ARNET: Script = Script { name: "arnet.py", text: include_str!("../peers/arnet.py") };
/// One autoregression by numpy or statsmodels in a process of its own.
pub(crate) const ARNET_ONCE: Script =
    Script { name: "arnet_once.py", text: include_str!("../peers/arnet_once.py") };
/// AR-Net as its paper trains it.
pub(crate) const ARNET_TORCH: Script =
    Script { name: "arnet_torch.py", text: include_str!("../peers/arnet_torch.py") };

/// A stream of observations by numpy.
pub(crate) const STREAM: Script = Script { name: "stream.py", text: include_str!("../peers/stream.py") };

/// Forecasts over gRPC by Python.
pub(crate) const GRPC_SERVER: Script =
    Script { name: "grpc_server.py", text: include_str!("../peers/grpc_server.py") };

/// Seasonal naive over a panel by pandas and statsforecast.
pub(crate) const PANEL: Script = Script { name: "panel.py", text: include_str!("../peers/panel.py") };

/// Informer, an encoder and attention by PyTorch.
pub(crate) const INFORMER: Script =
    Script { name: "informer.py", text: include_str!("../peers/informer.py") };

impl Script {
    /// What Python runs.
    pub(crate) fn text(self) -> &'static str {
        self.text
    }
}
/// Layers of S4, S4D and SGConv by PyTorch.
pub(crate) const SSM: Script = Script { name: "ssm.py", text: include_str!("../peers/ssm.py") };

/// A script that is running.
#[derive(Debug)]
pub(crate) struct Peer {
    name: &'static str,
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts a script.
    ///
    /// # Errors
    /// [`Error::NoPython`] if the interpreter does not start.
    pub(crate) fn start(python: &Python, script: Script) -> Result<Self> {
        let mut command = Command::new(&python.path);
        command.args(["-I", "-c", script.text]).stdin(Stdio::piped()).stdout(Stdio::piped());
        for variable in FORCED_KERNELS {
            command.env_remove(variable);
        }
        let process = command.spawn().map_err(|error| Error::NoPython { reason: error.to_string() })?;
        Self::running(script.name, process)
    }

    /// Starts this program with these arguments, which answers like a script.
    ///
    /// # Errors
    /// [`Error::File`] if it does not start.
    pub(crate) fn own(arguments: &[&str]) -> Result<Self> {
        let program = own_path()?;
        let process = Command::new(&program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::file("cannot run", &program, error))?;
        Self::running("forecast-bench", process)
    }

    fn running(name: &'static str, mut process: Child) -> Result<Self> {
        match (process.stdin.take(), process.stdout.take()) {
            (Some(questions), Some(answers)) => {
                Ok(Peer { name, process, questions, answers: BufReader::new(answers) })
            }
            _ => Err(Error::Peer { peer: name, reason: "it has no pipes".to_string() }),
        }
    }

    /// The answer to one question.
    ///
    /// # Errors
    /// [`Error::Peer`] if the script ended or its answer is not of the type expected.
    pub(crate) fn ask<T: DeserializeOwned>(&mut self, question: &impl Serialize) -> Result<T> {
        let name = self.name;
        let fail = |reason: String| Error::Peer { peer: name, reason };
        let question = serde_json::to_string(question)?;
        let mut answer = String::new();
        writeln!(self.questions, "{question}")
            .and_then(|()| self.questions.flush())
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(|error| fail(error.to_string()))?;
        serde_json::from_str(&answer).map_err(|error| fail(format!("{error} in {answer:?}")))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It holds nothing that needs an orderly end; without the wait it would stay behind as a zombie.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
