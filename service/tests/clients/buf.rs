//! `buf curl`, which learns the calls from the server's reflection.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::run::{Run, finish};
use crate::server::{Setting, numbers};
use crate::{needed, python, without_proxies};

fn curl(setting: &Setting, call: &str, request: &Value) -> Option<Run> {
    let environment = needed(python::environment())?;
    let mut command = Command::new(environment.join("bin/buf"));
    let url = format!("http://{}/{call}", setting.served.address);
    command
        .args(["curl", "--protocol", "grpc", "--http2-prior-knowledge", "--data", &request.to_string(), &url])
        .current_dir(setting.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    without_proxies(&mut command);
    Some(finish(&mut command))
}

#[test]
fn buf_curl_forecasts_and_is_told_what_is_wrong() {
    let setting = Setting::new("buf");
    let axis = json!({ "regular": { "startUnixNano": "1704067200000000000", "stepNano": "3600000000000" } });
    let series = json!({ "seriesId": "load", "axis": axis, "values": crate::run::wave(600, 1) });
    let request =
        |horizon: i32| json!({ "model": "models/load", "series": series, "spec": { "horizon": horizon } });
    let call = "longcast.v1.ForecastService/Forecast";
    let Some(answer) = curl(&setting, call, &request(24)) else { return };
    assert_eq!(numbers(&answer.succeeded().json()["forecast"]["mean"]), setting.mean);
    let refused = curl(&setting, call, &request(-1)).unwrap();
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("invalid_argument"), "{}", refused.stderr);
    let models =
        curl(&setting, "longcast.v1.ModelService/ListModels", &json!({})).unwrap().succeeded().json();
    assert_eq!(models["models"][0]["name"], "models/load");
    let info =
        curl(&setting, "longcast.v1.ServerService/GetServerInfo", &json!({})).unwrap().succeeded().json();
    assert!(info["limits"]["maxHorizon"].as_i64().unwrap() > 0);
}
