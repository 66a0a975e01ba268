//! A virtual environment with the client's packages and the stubs made from `proto/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::run::try_finish;

static MAKING: Mutex<()> = Mutex::new(());
static N_MADE: AtomicUsize = AtomicUsize::new(0);
const REQUIREMENTS: &str = include_str!("../python/requirements.txt");
/// In the environment once it is complete: the requirements that it was made from.
const MARK: &str = "made-from.txt";

/// Where Python, its packages and the stubs are.
#[derive(Debug)]
pub(crate) struct Environment {
    python: PathBuf,
    stubs: PathBuf,
}

impl Environment {
    /// The environment, made now if it is not there or was made from other requirements.
    ///
    /// The error says what this machine lacks: Python, its `venv`, or the packages.
    pub(crate) fn ready() -> Result<Self, String> {
        // One test of this process makes it, the others wait.
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-client");
        let python = folder.join("bin/python");
        let is_made = fs::read_to_string(folder.join(MARK)).is_ok_and(|made_from| made_from == REQUIREMENTS);
        if !is_made || quietly(Command::new(&python).arg("--version")).is_err() {
            make(&folder)?;
        }
        // The stubs are made anew for every test: they are what is tested.
        let n = N_MADE.fetch_add(1, Ordering::Relaxed);
        let stubs = folder.join(format!("stubs-{}-{n}", std::process::id()));
        let environment = Environment { python, stubs };
        environment.make_stubs();
        Ok(environment)
    }

    fn make_stubs(&self) {
        fs::create_dir_all(&self.stubs).unwrap();
        let protos = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
        let names = fs::read_dir(protos.join("longcast/v1")).unwrap();
        let names = names
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "proto"));
        let mut compiler = Command::new(&self.python);
        compiler.args(["-m", "grpc_tools.protoc", "-I"]).arg(&protos);
        compiler.arg("--python_out").arg(&self.stubs).arg("--grpc_python_out").arg(&self.stubs).args(names);
        quietly(&mut compiler).unwrap_or_else(|error| panic!("the protos do not compile: {error}"));
    }

    /// `client.py` with arguments.
    pub(crate) fn client(&self, arguments: &[&str]) -> Command {
        self.script("client.py", arguments)
    }

    /// A script of `tests/python` with arguments.
    pub(crate) fn script(&self, name: &str, arguments: &[&str]) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(name);
        let mut command = Command::new(&self.python);
        command.arg("-B").arg(script).args(arguments).env("PYTHONPATH", &self.stubs);
        // A proxy of the machine has no business with a server on loopback.
        for name in ["http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "GRPC_PROXY"] {
            command.env_remove(name);
        }
        command
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.stubs);
    }
}

/// Makes the environment beside its place and moves it there whole.
fn make(folder: &Path) -> Result<(), String> {
    let unfinished = folder.with_extension(std::process::id().to_string());
    quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&unfinished))
        .map_err(|error| format!("python3 makes no virtual environment: {error}"))?;
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/requirements.txt");
    let mut install = Command::new(unfinished.join("bin/python"));
    install
        .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--requirement"])
        .arg(requirements);
    let installed =
        quietly(&mut install).map_err(|error| format!("pip cannot install the packages: {error}"));
    if installed.is_ok() {
        fs::write(unfinished.join(MARK), REQUIREMENTS).unwrap();
        let _ = fs::remove_dir_all(folder);
        if fs::rename(&unfinished, folder).is_ok() {
            return Ok(());
        }
    }
    // Another run of the tests may have put the same there in the meantime.
    fs::remove_dir_all(&unfinished).unwrap();
    installed
}

/// Runs a command to its end; the error is what it said.
fn quietly(command: &mut Command) -> Result<(), String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let run = try_finish(command).map_err(|error| error.to_string())?;
    if run.code == Some(0) { Ok(()) } else { Err(run.stderr) }
}
