//! Small real data sets with source, licence and sha256, and seeded synthetic generators.
//!
//! The files are part of the compiled program, so a data set is at hand wherever the program runs.
//!
//! | module | what |
//! |---|---|
//! | [`manifest`] | what is known about each set: [`all`], [`find`], [`default_dataset`], [`Dataset`] |
//! | [`bundle`] | the files: [`Dataset::bytes`], checked on every load, and [`Dataset::csv`] |
//! | [`synthetic`] | [`ArProcess`], [`Seasonal`], [`Needle`]: same seed, same bits on every machine |
//!
//! The licence of the code does not cover the data: `LICENSES.md` beside this crate names creator,
//! source, licence and changes of each file, and [`Dataset`] carries the same facts.
//!
//! # Example
//! ```
//! let electricity = forecast_datasets::default_dataset()?;
//! let csv = electricity.csv()?;
//! assert!(csv.starts_with(b"timestamp,load\n2012-01-01 00:00:00,1300.576\n"));
//!
//! let error = forecast_datasets::find("electrcity").unwrap_err();
//! assert!(error.to_string().starts_with(r#"no data set is named "electrcity"; known names: "#));
//! # Ok::<(), forecast_datasets::DatasetError>(())
//! ```

pub mod bundle;
mod error;
pub mod manifest;
pub mod synthetic;

pub use error::DatasetError;
pub use manifest::{Column, Dataset, all, default_dataset, find};
pub use synthetic::{ArProcess, Needle, Season, Seasonal};
