//! The sections that the server itself reads, with the table of their keys.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::setting::{Kind, Setting};
use super::values::Values;
use crate::registry::RegistryLimits;

const HOUR: u64 = 3_600_000;

const fn count(
    key: &'static str,
    default: &'static str,
    min: u64,
    max: u64,
    meaning: &'static str,
) -> Setting {
    Setting { key, kind: Kind::Count { min, max }, default, meaning }
}

const fn bytes(
    key: &'static str,
    default: &'static str,
    min: u64,
    max: u64,
    meaning: &'static str,
) -> Setting {
    Setting { key, kind: Kind::Bytes { min, max }, default, meaning }
}

const fn time(
    key: &'static str,
    default: &'static str,
    min_ms: u64,
    max_ms: u64,
    meaning: &'static str,
) -> Setting {
    Setting { key, kind: Kind::Time { min_ms, max_ms }, default, meaning }
}

const fn other(key: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Setting {
    Setting { key, kind, default, meaning }
}

/// The keys of this file, in the order of the documentation.
pub(super) const SETTINGS: &[Setting] = &[
    other("server.host", Kind::Address, "127.0.0.1", "the address that callers connect to"),
    count("server.port", "50051", 0, 65_535, "its port; 0 takes a free one"),
    other(
        "server.data",
        Kind::Path,
        "",
        "the folder of models, sessions and jobs; without one nothing outlives the process",
    ),
    count("server.threads", "0", 0, 1024, "threads that compute forecasts; 0 is one for each processor"),
    count("server.io_threads", "0", 0, 1024, "threads that serve connections; 0 is one for each processor"),
    time("server.drain", "10s", 0, HOUR, "how long calls under way get once the server is told to stop"),
    other("admin.host", Kind::Address, "127.0.0.1", "the address of the admin port"),
    count(
        "admin.port",
        "",
        0,
        65_535,
        "its port, for ModelAdminService, /livez, /readyz and /metrics; 0 takes a free one, and where it is not set there is none",
    ),
    other(
        "admin.tls",
        Kind::Switch,
        "true",
        "whether the admin port uses the certificates of `tls` too, where they are set",
    ),
    other(
        "tls.certificate",
        Kind::Path,
        "",
        "the server's certificate chain, PEM; with `tls.key` it switches TLS on",
    ),
    other("tls.key", Kind::Path, "", "its private key, PEM"),
    other(
        "tls.client_ca",
        Kind::Path,
        "",
        "certificates that clients' own have to be signed by, PEM; switches mutual TLS on",
    ),
    time("tls.reload", "10s", 100, HOUR, "how often the files are looked at for a change"),
    time("tls.handshake", "10s", 100, 600_000, "how long a client may take for its handshake"),
    count("limits.connections", "1024", 1, 1_000_000, "open connections"),
    count("limits.streams", "256", 1, 1_000_000, "open streams of one connection"),
    count(
        "limits.calls_per_connection",
        "64",
        1,
        1_000_000,
        "calls of one connection that are answered at a time, long streams not counted",
    ),
    bytes("limits.unary_bytes", "16 MiB", 1024, 1 << 31, "a request that is one message"),
    bytes("limits.stream_bytes", "4 MiB", 1024, 1 << 31, "one message of a stream of requests"),
    bytes("limits.header_bytes", "16 KiB", 1024, 1 << 20, "the headers of one call"),
    bytes("limits.request_memory", "512 MiB", 1 << 20, 1 << 40, "requests in memory, all together"),
    bytes(
        "limits.process_memory",
        "0",
        0,
        1 << 44,
        "memory of the process beyond which new work is refused; 0 is no bound",
    ),
    count("limits.queued_calls", "1024", 1, 1_000_000, "forecasts that wait for a thread"),
    time(
        "limits.queue_time",
        "2s",
        1,
        HOUR,
        "how long they may have to wait, by the cost of those before them",
    ),
    time(
        "limits.call_time",
        "60s",
        1,
        24 * HOUR,
        "a call that is no stream, whatever deadline its client sets",
    ),
    count("limits.batch_series", "10000", 1, 1_000_000, "series of one BatchForecast call"),
    count("limits.horizon", "1000000", 1, 1_000_000, "steps ahead of one forecast"),
    count("limits.paths", "100", 1, 1000, "quantiles and intervals of one forecast, together"),
    time(
        "limits.keepalive",
        "30s",
        1000,
        HOUR,
        "after this silence a connection is asked whether it is there",
    ),
    time("limits.keepalive_timeout", "10s", 100, HOUR, "and closed if it does not answer for so long"),
    time("limits.idle", "10min", 1000, 24 * HOUR, "after this long without a call a connection is closed"),
    time("limits.greeting", "30s", 100, HOUR, "a connection that has not made a call by then is closed"),
    time(
        "limits.stall",
        "60s",
        100,
        24 * HOUR,
        "a client that does not read an answer for so long loses its connection",
    ),
    count(
        "batching.series",
        "16",
        1,
        256,
        "series that a neural model forecasts in one pass; 1 switches batching off",
    ),
    time("batching.delay", "2ms", 0, 1000, "how long a series may wait for others to join it"),
    bytes("registry.file_bytes", "1 GiB", 1024, 1 << 42, "one model file"),
    bytes("registry.stored_bytes", "64 GiB", 1024, 1 << 50, "all model files"),
    bytes("registry.resident_bytes", "4 GiB", 1024, 1 << 44, "the files of the models in memory"),
    other("log.format", Kind::Choice(&["text", "json"]), "text", "how lines of the log look"),
    other(
        "log.level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        "info",
        "what is logged; RUST_LOG is finer, and wins",
    ),
];

/// `server` and `admin`.
#[derive(Debug, Clone)]
pub struct Listening {
    /// Where callers connect to.
    pub address: SocketAddr,
    /// Where operators do; `None` where there is no admin port.
    pub admin: Option<SocketAddr>,
    /// Whether the admin port uses TLS where the other one does.
    pub is_admin_tls: bool,
    /// What outlives the process.
    pub data: Option<PathBuf>,
    /// Threads that compute.
    pub threads: usize,
    /// Threads that serve connections.
    pub io_threads: usize,
    /// How long calls get once the server stops.
    pub drain: Duration,
}

/// `tls`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signs clients' certificates.
    pub client_ca: Option<PathBuf>,
    /// How often the files are looked at.
    pub reload: Duration,
    /// How long a handshake may take.
    pub handshake: Duration,
}

/// `limits` and `batching`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Open streams of a connection.
    pub streams: u32,
    /// Calls of a connection that are answered at a time.
    pub calls_per_connection: usize,
    /// Bytes of a unary request.
    pub unary_bytes: usize,
    /// Bytes of a message of a stream.
    pub stream_bytes: usize,
    /// Bytes of the headers of a call.
    pub header_bytes: u32,
    /// Bytes of all requests in memory.
    pub request_memory: u64,
    /// Bytes of the process; 0 is no bound.
    pub process_memory: u64,
    /// Forecasts that wait.
    pub queued_calls: usize,
    /// How long they may have to.
    pub queue_time: Duration,
    /// The longest call.
    pub call_time: Duration,
    /// Series of a batch.
    pub batch_series: usize,
    /// Steps ahead.
    pub horizon: usize,
    /// Quantiles and intervals.
    pub paths: usize,
    /// Silence before a ping.
    pub keepalive: Duration,
    /// Silence after it.
    pub keepalive_timeout: Duration,
    /// Time without a call before a connection is closed.
    pub idle: Duration,
    /// Time until the first call of a connection.
    pub greeting: Duration,
    /// How long an answer may wait to be read.
    pub stall: Duration,
    /// Series of one pass of a network.
    pub pass_series: usize,
    /// How long the first of them waits.
    pub pass_delay: Duration,
}

/// `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// One JSON object a line.
    pub is_json: bool,
    /// The level.
    pub level: String,
}

impl Listening {
    pub(super) fn of(values: &Values) -> Self {
        let port = |key: &str| u16::try_from(values.number(key)).unwrap_or(0);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = |key: &str| Some(values.count(key)).filter(|n| *n > 0).unwrap_or(processors);
        let admin = SocketAddr::new(values.address("admin.host"), port("admin.port"));
        Listening {
            address: SocketAddr::new(values.address("server.host"), port("server.port")),
            admin: values.is_set("admin.port").then_some(admin),
            is_admin_tls: values.switch("admin.tls"),
            data: values.path("server.data"),
            threads: threads("server.threads"),
            io_threads: threads("server.io_threads"),
            drain: values.time("server.drain"),
        }
    }
}

impl TlsFiles {
    /// `None` where TLS is off; the error is a rule that the keys break together.
    pub(super) fn of(values: &Values) -> Result<Option<Self>, &'static str> {
        let path = |key: &str| values.path(key);
        match (path("tls.certificate"), path("tls.key"), path("tls.client_ca")) {
            (Some(certificate), Some(key), client_ca) => Ok(Some(TlsFiles {
                certificate,
                key,
                client_ca,
                reload: values.time("tls.reload"),
                handshake: values.time("tls.handshake"),
            })),
            (None, None, None) => Ok(None),
            (None, None, Some(_)) => {
                Err("tls.client_ca is set, but mutual TLS needs tls.certificate and tls.key too")
            }
            _ => Err("tls.certificate and tls.key belong together; set both or neither"),
        }
    }
}

impl Limits {
    pub(super) fn of(values: &Values) -> Self {
        let small = |key: &str| u32::try_from(values.number(key)).unwrap_or(u32::MAX);
        Limits {
            connections: values.count("limits.connections"),
            streams: small("limits.streams"),
            calls_per_connection: values.count("limits.calls_per_connection"),
            unary_bytes: values.count("limits.unary_bytes"),
            stream_bytes: values.count("limits.stream_bytes"),
            header_bytes: small("limits.header_bytes"),
            request_memory: values.number("limits.request_memory"),
            process_memory: values.number("limits.process_memory"),
            queued_calls: values.count("limits.queued_calls"),
            queue_time: values.time("limits.queue_time"),
            call_time: values.time("limits.call_time"),
            batch_series: values.count("limits.batch_series"),
            horizon: values.count("limits.horizon"),
            paths: values.count("limits.paths"),
            keepalive: values.time("limits.keepalive"),
            keepalive_timeout: values.time("limits.keepalive_timeout"),
            idle: values.time("limits.idle"),
            greeting: values.time("limits.greeting"),
            stall: values.time("limits.stall"),
            pass_series: values.count("batching.series"),
            pass_delay: values.time("batching.delay"),
        }
    }
}

pub(super) fn registry_limits(values: &Values) -> RegistryLimits {
    RegistryLimits {
        file_bytes: values.number("registry.file_bytes"),
        stored_bytes: values.number("registry.stored_bytes"),
        resident_bytes: values.number("registry.resident_bytes"),
    }
}

impl Logging {
    pub(super) fn of(values: &Values) -> Self {
        Logging { is_json: values.text("log.format") == "json", level: values.text("log.level").to_string() }
    }
}
