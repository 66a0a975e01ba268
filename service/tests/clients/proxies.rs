//! nginx and haproxy in front of the server, as HTTP/2 proxies.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::needed;
use crate::python::example;
use crate::server::{Setting, numbers};

/// A proxy that ends with the test.
struct Proxy {
    process: Child,
    address: String,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts a program and waits until it listens.
fn start(program: &str, arguments: &[&str], folder: &Path, port: u16) -> Result<Proxy, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let process = command.spawn().map_err(|error| format!("{program} does not start: {error}"))?;
    let mut proxy = Proxy { process, address: format!("127.0.0.1:{port}") };
    let begin = Instant::now();
    while TcpStream::connect(&proxy.address).is_err() {
        if let Some(status) = proxy.process.try_wait().unwrap() {
            return Err(format!("{program} ended with {status}"));
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{program} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(proxy)
}

fn nginx(setting: &Setting) -> Result<Proxy, String> {
    let (folder, port) = (setting.folder.path(), free_port());
    let own = folder.display();
    // Streams of days need limits of days; bodies of any size go through as they come.
    let text = format!(
        "daemon off; master_process off; pid {own}/nginx.pid; error_log {own}/nginx.log;\n\
         events {{}}\n\
         http {{\n\
           access_log off; client_body_temp_path {own}/body; proxy_temp_path {own}/proxy;\n\
           fastcgi_temp_path {own}/fastcgi; uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;\n\
           server {{\n\
             listen 127.0.0.1:{port} http2;\n\
             client_max_body_size 0; grpc_read_timeout 1d; grpc_send_timeout 1d; client_body_timeout 1d;\n\
             location / {{ grpc_pass grpc://{}; }}\n\
           }}\n\
         }}\n",
        setting.served.address
    );
    setting.folder.write("nginx.conf", text);
    let config = setting.folder.join("nginx.conf").display().to_string();
    start("nginx", &["-p", &own.to_string(), "-c", &config], folder, port)
}

fn haproxy(setting: &Setting) -> Result<Proxy, String> {
    let port = free_port();
    let text = format!(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 1d\n  timeout server 1d\n\
         frontend grpc\n  bind 127.0.0.1:{port} proto h2\n  default_backend longcast\n\
         backend longcast\n  server one {} proto h2\n",
        setting.served.address
    );
    setting.folder.write("haproxy.cfg", text);
    let config = setting.folder.join("haproxy.cfg").display().to_string();
    start("haproxy", &["-f", &config, "-db"], setting.folder.path(), port)
}

/// A forecast, an error with its details, a training that is watched, and a session that is cut and resumed.
fn check(setting: &Setting, proxy: &Proxy) {
    let (address, folder) = (proxy.address.as_str(), setting.folder.path());
    let Some(forecast) = example("forecast.py", &[address, "models/load", "load.csv", "24"], folder) else {
        return;
    };
    assert_eq!(numbers(&forecast["mean"]), setting.mean);
    assert_eq!(forecast["refused"]["reason"], "FIELD_INVALID");
    assert_eq!(forecast["refused"]["fields"], serde_json::json!(["spec.horizon"]));
    let session = example("session.py", &[address, "models/load", "load.csv"], folder).unwrap();
    // What was sent just before the cut may still be on its way through the proxy: the number is the server's.
    assert!((1..=301).contains(&session["resumed"].as_u64().unwrap()), "{session}");
    assert_eq!(session["applied"], 600);
    assert_eq!(numbers(&session["mean"]), setting.mean[..3]);
    let trained = example("train.py", &[address, "models/trained", "load.csv"], folder).unwrap();
    assert_eq!(trained["state"], "JOB_STATE_SUCCEEDED");
}

#[test]
fn everything_goes_through_nginx() {
    let setting = Setting::new("nginx");
    if let Some(proxy) = needed(nginx(&setting)) {
        check(&setting, &proxy);
    }
}

#[test]
fn everything_goes_through_haproxy() {
    let setting = Setting::new("haproxy");
    if let Some(proxy) = needed(haproxy(&setting)) {
        check(&setting, &proxy);
    }
}
