//! Longcast's library: forecasts fine-grained time series (seconds to hours) with long memory.
//!
//! Data flows one way: file, [`Panel`], [`Series`], [`Window`](data::Window), [`Model`], [`Forecast`].
//!
//! ```
//! use forecast::{FitOptions, ForecastOptions, Model, ModelConfig, Panel, ReadOptions};
//!
//! # fn main() -> forecast::Result<()> {
//! let rows: String = (0..400)
//!     .map(|hour| {
//!         let day = 1 + hour / 24;
//!         let y = 100.0 + [0.0, 5.0, 9.0, 5.0][hour % 4] + (hour as f64 * 0.7).sin();
//!         format!("2024-01-{day:02} {:02}:00:00,{y}\n", hour % 24)
//!     })
//!     .collect();
//! let csv = format!("ds,y\n{rows}");
//! let panel = Panel::read_csv(csv.as_bytes(), "load.csv", &ReadOptions::default())?;
//!
//! let config = ModelConfig::parse("ar")?.with("order", "4")?;
//! let fitted = Model::fit(&config, &panel, &FitOptions { horizon: Some(4), ..FitOptions::default() })?;
//! let options = ForecastOptions { horizon: 4, levels: vec![80.0], ..ForecastOptions::default() };
//! let forecasts = fitted.model.forecast(&panel, &options)?;
//! assert_eq!(forecasts[0].mean.dim(), (4, 1)); // (horizon, channel)
//! # Ok(())
//! # }
//! ```
//!
//! Work is shared by the threads of the usual pool of `rayon`, or of the one that calls. On Linux, those that have taken
//! part in a forecast of a network keep off one processor each from then on, that of the thread that led it.

mod error;
mod file;
mod kernels;
mod regression;

pub mod ar;
pub mod baseline;
pub mod batch;
pub mod data;
pub mod eval;
pub mod informer;
pub mod model;
pub mod nn;
#[cfg(feature = "plot")]
pub mod plot;
pub mod ssm;
pub mod workload;

pub use data::{Panel, ReadOptions, Series, Step, TimeIndex};
pub use error::{Error, Result};
pub use file::{remove_unfinished_files, write_all_atomically, write_atomically};
pub use model::{
    Adaptive, AdaptiveOptions, Band, Cancel, Coefficients, Explanation, FitOptions, FitReport, Fitted,
    Forecast, ForecastOptions, Model, ModelConfig, State, table,
};
