//! What is asked for: a model, its file, a request.

use std::path::PathBuf;

use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions, Series};
use forecast_datasets::{Season, Seasonal};
use forecast_proto::v1;

use crate::error::{Error, Result};
use crate::load::echo::HORIZON;
use crate::load::server::Server;
use crate::process::longcast;
use crate::scratch::Scratch;
use crate::topics::Setting;

/// Steps of the history of a call, and lags of the model.
const HISTORY: usize = 168;
const ORDER: usize = 24;
/// A step, in nanoseconds.
pub(super) const HOUR: i64 = 3_600_000_000_000;

/// The model, its file, and a request.
pub(super) struct Work {
    pub(super) longcast: PathBuf,
    pub(super) folder: PathBuf,
    pub(super) model: Model,
    pub(super) request: v1::ForecastRequest,
}

impl Work {
    pub(super) fn new(setting: &Setting, scratch: &Scratch) -> Result<Self> {
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
        let config = ModelConfig::parse("ar")?.with("order", &ORDER.to_string())?.with("pooled", "true")?;
        let options = FitOptions { horizon: Some(HORIZON), ..FitOptions::default() };
        let model = Model::fit(&config, &panel, &options)?.model;
        let folder = scratch.folder().to_path_buf();
        model.save(folder.join("load.longcast"))?;
        let csv = folder.join("hours.csv");
        std::fs::write(&csv, format!("ds,y\n{rows}"))
            .map_err(|error| Error::file("cannot write", &csv, error))?;
        let request = request(&panel.series()[0].tail(HISTORY));
        Ok(Work { longcast: longcast(setting.longcast.as_deref())?, folder, model, request })
    }

    pub(super) fn file(&self) -> String {
        self.folder.join("load.longcast").display().to_string()
    }

    /// The server with the model, in memory.
    pub(super) fn serve(&self) -> Result<Server> {
        Server::longcast(&self.longcast, &["--model", &self.file()])
    }
}

fn request(history: &Series) -> v1::ForecastRequest {
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
        model: "models/load".to_string(),
        series: Some(series),
        spec: Some(v1::ForecastSpec { horizon: HORIZON as i32, ..v1::ForecastSpec::default() }),
    }
}
