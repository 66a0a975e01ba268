//! What is asked for: a model, its file, a request.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions, Series};
use forecast_datasets::{Season, Seasonal};
use forecast_proto::v1;

use crate::error::{Error, Result};
use crate::load::echo::HORIZON;
use crate::load::server::Server;
use crate::process::longcast;
use crate::scratch::Scratch;
use crate::topics::Setting;

/// What a call asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Of the model and of its file.
    name: &'static str,
    /// Lags of the model.
    order: usize,
    /// Steps that come with a call.
    history: usize,
    horizon: usize,
    /// Whether intervals are asked for: the errors of a hundred forecasts before the cutoff enter them.
    has_intervals: bool,
}

/// A forecast that takes the server about as long as its message.
pub(super) const SHORT: Size =
    Size { name: "load", order: 24, history: 168, horizon: HORIZON, has_intervals: false };
/// One that takes it a hundred times as long.
pub(super) const LONG: Size =
    Size { name: "long", order: 336, history: 1_008, horizon: 336, has_intervals: true };
/// A step, in nanoseconds.
pub(super) const HOUR: i64 = 3_600_000_000_000;

/// The model, its file, and a request.
pub(super) struct Work {
    /// Of the model on the server.
    name: &'static str,
    pub(super) longcast: PathBuf,
    pub(super) folder: PathBuf,
    file: PathBuf,
    pub(super) model: Model,
    pub(super) request: v1::ForecastRequest,
}

impl Work {
    pub(super) fn new(setting: &Setting, scratch: &Scratch, size: Size) -> Result<Self> {
        let season = |period: f64, amplitude: f64| Season { period, amplitude, phase: 0.5 };
        let recipe = Seasonal {
            level: 100.0,
            slope: 0.0,
            seasons: vec![season(24.0, 10.0), season(12.0, 4.0)],
            noise_std: 1.0,
        };
        let values = recipe.generate(4_000, 1).map_err(|error| Error::Unexpected(error.to_string()))?;
        let start = 1_704_067_200i64;
        let rows: String = values
            .iter()
            .enumerate()
            .map(|(hour, value)| format!("{},{value}\n", start + hour as i64 * 3_600))
            .collect();
        let panel =
            Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "hours.csv", &ReadOptions::default())?;
        // Pooled: sessions have series that the model has not seen.
        let config =
            ModelConfig::parse("ar")?.with("order", &size.order.to_string())?.with("pooled", "true")?;
        let options = FitOptions { horizon: Some(size.horizon), ..FitOptions::default() };
        let model = Model::fit(&config, &panel, &options)?.model;
        let folder = scratch.folder().to_path_buf();
        let file = folder.join(format!("{}.longcast", size.name));
        model.save(&file)?;
        let csv = folder.join("hours.csv");
        std::fs::write(&csv, format!("ds,y\n{rows}"))
            .map_err(|error| Error::file("cannot write", &csv, error))?;
        let request = request(&panel.series()[0].tail(size.history), size);
        Ok(Work {
            name: size.name,
            longcast: longcast(setting.longcast.as_deref())?,
            folder,
            file,
            model,
            request,
        })
    }

    pub(super) fn file(&self) -> String {
        self.file.display().to_string()
    }

    /// The server with the model, in memory.
    pub(super) fn serve(&self) -> Result<Server> {
        Server::longcast(&self.longcast, &["--model", &self.file()])
    }

    /// The server with the model and a registry on disk, and its admin port.
    pub(super) fn serve_with_admin(&self) -> Result<(Server, SocketAddr)> {
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let admin = free.map_err(|error| Error::Unexpected(format!("no free port: {error}")))?;
        let (port, data) = (admin.port().to_string(), self.folder.join("registry").display().to_string());
        let arguments = ["--model", &self.file(), "--data", &data, "--admin-port", &port];
        Ok((Server::longcast(&self.longcast, &arguments)?, admin))
    }

    /// Sends the model to a server, which does not load it; the name of the revision.
    pub(super) fn import(&self, admin: &SocketAddr) -> Result<String> {
        let admin = admin.to_string();
        let arguments = ["--json", "client", "admin", "import", self.name, &self.file(), "--address", &admin];
        let told = Command::new(&self.longcast).args(arguments).stderr(Stdio::inherit()).output();
        let told = told.map_err(|error| Error::Unexpected(format!("cannot import a model: {error}")))?;
        let revision: serde_json::Value = serde_json::from_slice(&told.stdout)?;
        let name = revision["name"].as_str().map(String::from);
        name.ok_or_else(|| Error::Unexpected("the server did not name the revision".to_string()))
    }
}

fn request(history: &Series, size: Size) -> v1::ForecastRequest {
    let axis = v1::RegularAxis {
        start_unix_nano: history.index().start,
        step: Some(v1::regular_axis::Step::StepNano(HOUR)),
        ..v1::RegularAxis::default()
    };
    let series = v1::Series {
        series_id: history.id().to_string(),
        axis: Some(v1::TimeAxis { axis: Some(v1::time_axis::Axis::Regular(axis)) }),
        values: history.values().iter().copied().collect(),
        covariates: Vec::new(),
    };
    v1::ForecastRequest {
        model: format!("models/{}", size.name),
        series: Some(series),
        spec: Some(v1::ForecastSpec {
            horizon: size.horizon as i32,
            interval_coverages: if size.has_intervals { vec![0.8] } else { Vec::new() },
            ..v1::ForecastSpec::default()
        }),
    }
}
