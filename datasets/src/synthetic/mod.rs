//! Seeded generators of series whose behaviour is known exactly.
//!
//! | generator | what | what it tests |
//! |---|---|---|
//! | [`ArProcess`] | autoregression of any order | that fitted coefficients are the true ones |
//! | [`Seasonal`] | trend, several seasons, noise | that forecasts follow seasons |
//! | [`Needle`] | one value `k` steps back decides the next | that a model sees `k` steps back |
//!
//! Same parameters, same seed: same bits on every machine. The random numbers come from
//! ChaCha8, a counter-based generator, by `seed_from_u64`. What is computed from them uses only
//! operations that IEEE 754 rounds exactly (`+ - * /`, square root, remainder), in a fixed order;
//! logarithm and sine are made of these, because those of the system's library differ in the last
//! bit from one machine to the next. A test holds the generators to stored bits.
//!
//! # Example
//! ```
//! use forecast_datasets::Needle;
//!
//! let needle = Needle { lag: 500, ..Needle::default() };
//! let series = needle.generate(10_000, 7)?;
//! assert_eq!(series.len(), 10_000);
//! assert_eq!(series, needle.generate(10_000, 7)?);
//!
//! let error = Needle { coefficient: 1.0, ..needle }.generate(10, 7).unwrap_err();
//! assert_eq!(error.to_string(), "coefficient must be inside (-1, 1), but is 1");
//! # Ok::<(), forecast_datasets::DatasetError>(())
//! ```

mod ar_process;
mod check;
mod elementary;
mod needle;
mod noise;
mod seasonal;
mod stationarity;

#[cfg(test)]
mod sample;

pub use ar_process::ArProcess;
pub use needle::Needle;
pub use seasonal::{Season, Seasonal};
