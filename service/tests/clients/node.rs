//! The Node example: @grpc/grpc-js.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::run::finish;
use crate::server::{Setting, numbers};
use crate::{needed, quietly, without_proxies};

const PACKAGE: &str = include_str!("../../examples/node/package.json");
const SCRIPT: &str = include_str!("../../examples/node/client.mjs");

/// A folder with the example and its packages, made now if it is not there.
fn environment() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("examples-node");
    let mark = folder.join("made-from.json");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("client.mjs"), SCRIPT).unwrap();
    if fs::read_to_string(&mark).is_ok_and(|made_from| made_from == PACKAGE) {
        return Ok(folder);
    }
    fs::write(folder.join("package.json"), PACKAGE).unwrap();
    let mut install = Command::new("npm");
    install.args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&folder);
    quietly(&mut install).map_err(|error| format!("npm cannot install the packages: {error}"))?;
    fs::write(mark, PACKAGE).unwrap();
    Ok(folder)
}

#[test]
fn node_forecasts_and_streams() {
    let setting = Setting::new("node");
    let Some(folder) = needed(environment()) else { return };
    let mut command = Command::new("node");
    command
        .arg(folder.join("client.mjs"))
        .args([setting.served.address.as_str(), "models/load", "load.csv"])
        .env("LONGCAST_PROTO", Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto"))
        .current_dir(setting.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    without_proxies(&mut command);
    let answer = finish(&mut command).succeeded().json();
    assert_eq!(numbers(&answer["mean"]), setting.mean);
    assert_eq!(answer["refused"], "NOT_FOUND");
    assert_eq!(answer["asOf"], 600);
    assert_eq!(numbers(&answer["streamed"]), setting.mean[..3]);
}
