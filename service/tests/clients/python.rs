//! The Python examples: grpcio, grpcio-health-checking, grpclib.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::run::finish;
use crate::server::{Setting, numbers};
use crate::{needed, quietly, without_proxies};

const REQUIREMENTS: &str = include_str!("../../examples/python/requirements.txt");
/// In the environment once it is complete: the requirements that it was made from.
const MARK: &str = "made-from.txt";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python")
}

/// The environment of the examples, made now if it is not there or was made from other requirements.
pub(crate) fn environment() -> Result<PathBuf, String> {
    static MADE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MADE.get_or_init(make).clone()
}

fn make() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples-python");
    if fs::read_to_string(folder.join(MARK)).is_ok_and(|made_from| made_from == REQUIREMENTS) {
        return Ok(folder);
    }
    // Beside its place, and moved there whole. A virtual environment holds its own path, so it is made anew there.
    quietly(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
        .map_err(|error| format!("python3 makes no virtual environment: {error}"))?;
    let mut install = Command::new(folder.join("bin/python"));
    install
        .args(["-m", "pip", "install", "--quiet", "--requirement"])
        .arg(examples().join("requirements.txt"));
    quietly(&mut install).map_err(|error| format!("pip cannot install the packages: {error}"))?;
    fs::write(folder.join(MARK), REQUIREMENTS).unwrap();
    Ok(folder)
}

/// What an example prints.
pub(crate) fn example(script: &str, arguments: &[&str], folder: &Path) -> Option<Value> {
    let environment = needed(environment())?;
    let mut command = Command::new(environment.join("bin/python"));
    command.arg("-B").arg(examples().join(script)).args(arguments).current_dir(folder);
    without_proxies(&mut command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(finish(&mut command).succeeded().json())
}

#[test]
fn grpcio_forecasts_streams_and_trains() {
    let setting = Setting::new("grpcio");
    let (address, folder) = (setting.served.address.as_str(), setting.folder.path());
    let Some(forecast) = example("forecast.py", &[address, "models/load", "load.csv", "24"], folder) else {
        return;
    };
    assert_eq!(forecast["health"], "SERVING");
    assert_eq!(numbers(&forecast["mean"]), setting.mean);
    assert_eq!(numbers(&forecast["lower"]), setting.lower);
    assert_eq!(forecast["refused"]["code"], "INVALID_ARGUMENT");
    assert_eq!(forecast["refused"]["reason"], "FIELD_INVALID");
    assert_eq!(forecast["refused"]["fields"], serde_json::json!(["spec.horizon"]));

    let session = example("session.py", &[address, "models/load", "load.csv"], folder).unwrap();
    assert_eq!(
        (&session["resumed"], &session["applied"], &session["as_of"]),
        (&301.into(), &600.into(), &600.into())
    );
    assert_eq!(numbers(&session["mean"]), setting.mean[..3]);

    let trained = example("train.py", &[address, "models/trained", "load.csv"], folder).unwrap();
    assert_eq!(trained["state"], "JOB_STATE_SUCCEEDED");
    assert_eq!(trained["job"], trained["again"]);
    let numbers: Vec<u64> =
        trained["events"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let answer = example("forecast.py", &[address, "models/trained", "load.csv", "24"], folder).unwrap();
    assert_eq!(answer["revision"], trained["revision"]);
}

#[test]
fn grpclib_forecasts() {
    let setting = Setting::new("grpclib");
    let (host, port) = setting.served.address.split_once(':').unwrap();
    let arguments = [host, port, "models/load", "load.csv"];
    let Some(answer) = example("with_grpclib.py", &arguments, setting.folder.path()) else { return };
    assert_eq!(numbers(&answer["mean"]), setting.mean);
    let batch = answer["batch"].as_array().unwrap();
    assert_eq!(batch.len(), 3);
    assert!(batch.iter().all(|mean| numbers(mean) == setting.mean));
    assert_eq!(answer["refused"], "NOT_FOUND");
}
