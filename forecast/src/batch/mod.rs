//! Many series: each is fitted and forecast on its own, a shard at a time, in bounded memory, and a run that is
//! ended goes on where it stopped.
//!
//! The series of the input, in its order, are cut into parts of a fixed number. A part is computed in parallel
//! and put beside the output, in a folder `<output>.parts`, whole or not at all; at the end the parts become the
//! one output file, a row group each, and the folder goes. So the bytes of the output depend neither on the
//! number of threads, nor on the memory, nor on how often the run was ended and begun again. Within a part
//! nothing is kept, and a part is put away while the next one is computed: what is computed twice is at most one
//! part and what was computed beside its writing.
//!
//! Season and settings that were left open are decided once, from the first 64 series; `horizon` is what
//! intervals are calibrated for. With those, the numbers of a series are those of [`Model::fit`](crate::Model::fit)
//! on it alone and [`Model::forecast`](crate::Model::forecast).

mod choices;
mod identity;
mod journal;
mod memory;
mod part;
mod run;
mod sink;
mod source;
mod work;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::data::{Format, Step};
use crate::model::check_count;
use crate::{Error, FitOptions, ForecastOptions, ModelConfig, ReadOptions, Result};

pub use memory::MemoryLimit;
pub use run::run;

/// Rows of a part, at most, unless one series has more.
const ROWS_A_PART: usize = 240_000;
/// Series of a part by default, at most.
const SERIES_A_PART: usize = 1_000;

/// What to do with every series.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `models` | none | the models; each has columns of its own | at least one, each once |
/// | `forecast` | 24 steps | horizon, levels and quantiles | as for one series |
/// | `fit` | | how to fit; `horizon` is that of `forecast` | as for one series |
/// | `read` | | how to read | |
/// | `format` | Parquet | the format of the output | all but JSON |
/// | `errors` | `<stem of the output>.errors.csv` | where failures go | |
/// | `memory_limit` | half of the machine's | bytes that the run may take | at least 64 MiB |
/// | `series_per_part` | 1,000, less if their rows are more than 240,000 | series whose results are kept together | at least 1 |
/// | `restart` | no | throw away what an unfinished run left | |
#[derive(Debug, Clone)]
pub struct BatchOptions {
    /// The models, fitted to each series.
    pub models: Vec<ModelConfig>,
    /// Horizon, levels and quantiles.
    pub forecast: ForecastOptions,
    /// How to fit.
    pub fit: FitOptions,
    /// How to read the data.
    pub read: ReadOptions,
    /// The format of the output.
    pub format: Format,
    /// The CSV file for what failed, written only if something did.
    pub errors: Option<PathBuf>,
    /// What the run may take of the machine's memory.
    pub memory_limit: MemoryLimit,
    /// Series of a part.
    pub series_per_part: Option<usize>,
    /// True if what an unfinished run left is thrown away.
    pub restart: bool,
}

impl Default for BatchOptions {
    fn default() -> Self {
        BatchOptions {
            models: Vec::new(),
            forecast: ForecastOptions::default(),
            fit: FitOptions::default(),
            read: ReadOptions::default(),
            format: Format::Parquet,
            errors: None,
            memory_limit: MemoryLimit::default(),
            series_per_part: None,
            restart: false,
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Series that are done, those of an earlier start included.
    pub n_done: usize,
    /// Series that an earlier start had done.
    pub n_resumed: usize,
    /// Series in all, as far as can be told from the rows that are still to be read.
    pub n_expected: Option<usize>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchReport {
    /// Series in the data.
    pub n_series: usize,
    /// Series that at least one model forecast.
    pub n_forecast: usize,
    /// Rows of the errors file: one for each series and model that failed, one for a series that could not be read.
    pub n_errors: usize,
    /// Rows of the output.
    pub n_rows: usize,
    /// Series that an earlier start of this run had done.
    pub n_resumed: usize,
    /// The step of every series.
    pub step: Step,
    /// Steps of one season.
    pub season_length: usize,
    /// The models with every open choice made.
    pub models: Vec<ModelConfig>,
    /// The output; `None` if no series could be forecast: then none is written.
    pub output: Option<PathBuf>,
    /// The errors file; `None` if nothing failed.
    pub errors: Option<PathBuf>,
}

/// Where failures go by default: `week.parquet` has `week.errors.csv`.
///
/// # Example
/// ```
/// use std::path::Path;
/// assert_eq!(forecast::batch::errors_beside(Path::new("out/week.parquet")), Path::new("out/week.errors.csv"));
/// ```
#[must_use]
pub fn errors_beside(output: &Path) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}.errors.csv"))
}

impl BatchOptions {
    /// Checks what can be checked without data, so that it is not told once for every series.
    fn check(&self) -> Result<()> {
        let names: Vec<&str> = self.models.iter().map(ModelConfig::name).collect();
        if names.is_empty() {
            return Err(Error::option("models", 0, "there must be at least one"));
        }
        if let Some(name) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(Error::option("model", name.1, "each may be asked for once"));
        }
        let ForecastOptions { horizon, levels, quantiles, .. } = &self.forecast;
        check_count("horizon", *horizon)?;
        self.series_per_part.map_or(Ok(1), |n| check_count("series_per_part", n))?;
        self.fit.check()?;
        check_fractions("level", levels, 100.0)?;
        check_fractions("quantile", quantiles, 1.0)?;
        if self.format == Format::Json {
            return Err(Error::UnknownFormat {
                input: "json".to_string(),
                known: "csv, tsv, parquet, arrow, feather or ipc",
            });
        }
        Ok(())
    }

    /// The series of a part.
    fn series_per_part(&self, n_channels: usize) -> usize {
        let rows = self.forecast.horizon.saturating_mul(n_channels).max(1);
        self.series_per_part.unwrap_or((ROWS_A_PART / rows).clamp(1, SERIES_A_PART))
    }

    /// Everything that the results depend on, by name.
    fn settings(&self) -> Map<String, Value> {
        let (forecast, fit, read) = (&self.forecast, &self.fit, &self.read);
        let settings = [
            ("models", json!(self.models)),
            ("horizon", json!(forecast.horizon)),
            ("levels", json!(forecast.levels)),
            ("quantiles", json!(forecast.quantiles)),
            ("validation", json!(fit.validation)),
            ("scaling", json!(fit.scaling)),
            ("calibration windows", json!(fit.calibration_windows)),
            ("season length", json!(fit.season_length)),
            ("refit", json!(fit.refit)),
            ("seed", json!(fit.seed)),
            ("id column", json!(read.id_column)),
            ("time column", json!(read.time_column)),
            ("target columns", json!(read.target_columns)),
            ("freq", json!(read.freq)),
            ("zone", json!(read.zone)),
            ("opening", json!(read.opening)),
            ("duplicates", json!(format!("{:?}", read.duplicates))),
            ("out of order", json!(format!("{:?}", read.out_of_order))),
            ("aggregate", json!(read.aggregate.map(|aggregation| aggregation.to_string()))),
            ("time format", json!(read.time_format)),
            ("input format", json!(format!("{:?}", read.format))),
            ("band", json!(format!("{:?}", forecast.band))),
            ("format", json!(format!("{:?}", self.format))),
            ("series per part", json!(self.series_per_part)),
        ];
        settings.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }
}

/// Each names columns, so each lies within its range and comes once.
fn check_fractions(field: &str, values: &[f64], most: f64) -> Result<()> {
    for (at, value) in values.iter().enumerate() {
        if !(*value > 0.0 && *value < most) {
            return Err(Error::option(
                field,
                value,
                format!("it must lie between 0 and {most}, both excluded"),
            ));
        }
        if values[..at].contains(value) {
            return Err(Error::option(field, value, "each may be asked for once"));
        }
    }
    Ok(())
}
