//! The Python that peers run in: a virtual environment with pinned packages beside the build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::console;
use crate::error::{Error, Result};

/// Packages, and the folder of the virtual environment that holds them.
#[derive(Debug, Clone, Copy)]
struct Packages {
    requirements: &'static str,
    file: &'static str,
    folder: &'static str,
}

const USUAL: Packages = Packages {
    requirements: include_str!("../peers/requirements.txt"),
    file: "bench/peers/requirements.txt",
    folder: "bench-venv",
};
const TORCH: Packages = Packages {
    requirements: include_str!("../peers/requirements-torch.txt"),
    file: "bench/peers/requirements-torch.txt",
    folder: "bench-torch-venv",
};
const OLDEST: (u32, u32) = (3, 11);

/// An interpreter.
#[derive(Debug, Clone)]
pub(crate) struct Python {
    /// Its program.
    pub(crate) path: PathBuf,
    version: String,
}

impl Python {
    /// The `python3` that stands first in `PATH`; enough for scripts that need no packages.
    ///
    /// # Errors
    /// [`Error::NoPython`] if there is none or it does not run.
    pub(crate) fn system() -> Result<Self> {
        let fail = |reason: String| Error::NoPython { reason };
        // Its own name for itself, past the shims of version managers.
        let script = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
        let output = Command::new("python3")
            .args(["-I", "-c", script])
            .output()
            .map_err(|error| fail(error.to_string()))?;
        if !output.status.success() {
            return Err(fail(String::from_utf8_lossy(&output.stderr).trim().to_string()));
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.lines().collect::<Vec<_>>()[..] {
            [path, version] => Ok(Python { path: path.into(), version: version.to_string() }),
            _ => Err(fail(format!("it said {text:?}"))),
        }
    }

    /// The one with the pinned packages; made at first use and after every change of the pins.
    ///
    /// It lives in `bench-venv` in the target folder that this program was built to.
    ///
    /// # Errors
    /// [`Error::NoPython`], [`Error::OldPython`]; [`Error::Environment`] if venv or pip fails.
    pub(crate) fn with_packages() -> Result<Self> {
        Self::with(USUAL)
    }

    /// The one with PyTorch, in `bench-torch-venv` beside it.
    ///
    /// # Errors
    /// As [`Python::with_packages`].
    pub(crate) fn with_torch() -> Result<Self> {
        Self::with(TORCH)
    }

    fn with(packages: Packages) -> Result<Self> {
        let system = Python::system()?;
        if !is_new_enough(&system.version) {
            return Err(Error::OldPython { found: system.version });
        }
        let folder = folder_beside(&own_path()?, packages.folder);
        let stamp_path = folder.join("forecast-bench-stamp.txt");
        let stamp = stamp(&system, packages.requirements);
        let path = folder.join("bin").join("python");
        if fs::read_to_string(&stamp_path).is_ok_and(|found| found == stamp) && path.exists() {
            return Ok(Python { path, ..system });
        }
        console::note(format!("installing the peers' packages into {} ...", folder.display()));
        let listed = folder.join("requirements.txt");
        run(
            Command::new(&system.path).args(["-m", "venv", "--clear"]).arg(&folder),
            &folder,
            "make a virtual environment",
        )?;
        fs::write(&listed, packages.requirements)
            .map_err(|error| Error::file("cannot write", &listed, error))?;
        let mut pip = Command::new(&path);
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--requirement"]).arg(&listed);
        run(&mut pip, &folder, &format!("install the packages of {}", packages.file))?;
        // Last, so that an interrupted run starts afresh.
        fs::write(&stamp_path, &stamp).map_err(|error| Error::file("cannot write", &stamp_path, error))?;
        Ok(Python { path, ..system })
    }
}

/// This program.
pub(crate) fn own_path() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::file("cannot find the program", "forecast-bench", error))
}

/// `TARGET/NAME` for the program `TARGET/release/forecast-bench`.
fn folder_beside(program: &Path, name: &str) -> PathBuf {
    program.ancestors().nth(2).unwrap_or(Path::new(".")).join(name)
}

/// What a finished environment was made of; any difference has it made again.
fn stamp(python: &Python, requirements: &str) -> String {
    format!("# python {} at {}\n{requirements}", python.version, python.path.display())
}

fn is_new_enough(version: &str) -> bool {
    let parts: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    matches!(parts[..], [major, minor, ..] if (major, minor) >= OLDEST)
}

fn run(command: &mut Command, folder: &Path, action: &str) -> Result<()> {
    let fail = |reason| Error::Environment {
        action: action.to_string(),
        folder: folder.display().to_string(),
        reason,
    };
    let output = command.output().map_err(|error| fail(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    // venv complains on standard output, pip on standard error.
    let text = [output.stdout, output.stderr].concat();
    Err(fail(String::from_utf8_lossy(&text).trim().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(version: &str) -> Python {
        Python { path: "bin/python3".into(), version: version.into() }
    }

    #[test]
    fn the_environment_is_made_again_after_a_change_of_a_pin_or_of_python() {
        let made = stamp(&python("3.11"), "numpy==2.4.6\n");
        assert_eq!(made, stamp(&python("3.11"), "numpy==2.4.6\n"));
        assert_ne!(made, stamp(&python("3.11"), "numpy==2.4.7\n"));
        assert_ne!(made, stamp(&python("3.12"), "numpy==2.4.6\n"));
    }

    #[test]
    fn every_requirement_is_pinned() {
        for Packages { requirements, .. } in [USUAL, TORCH] {
            let lines: Vec<&str> =
                requirements.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
            assert!(lines.len() > 2 && lines.iter().all(|line| line.contains("==")), "{lines:?}");
        }
    }

    #[test]
    fn versions_compare_as_numbers() {
        let accepted = ["3.9", "3.11", "3.12", "4.0", "2.7", "x"].map(is_new_enough);
        assert_eq!(accepted, [false, true, true, true, false, false]);
    }

    #[test]
    fn the_environment_lies_in_the_target_folder() {
        let folder = folder_beside(Path::new("target/release/forecast-bench"), "bench-venv");
        assert_eq!(folder, Path::new("target/bench-venv"));
    }
}
