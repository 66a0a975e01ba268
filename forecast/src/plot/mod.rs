//! Charts as PNG: pure data in, bytes out; no file is read or written here.
//!
//! | chart | shows |
//! |---|---|
//! | [`FanChart`] | history, forecast and its intervals |
//! | [`BacktestChart`] | forecasts of several models from many cutoffs, against what came |
//! | [`HorizonErrorChart`] | the error of several models by step ahead |
//! | [`CalibrationChart`] | the share of values inside the intervals of several models, against their levels |
//! | [`SampleChart`] | a few forecasts side by side, such as the best, the median and the worst |
//! | [`CoefficientChart`] | the coefficients of an autoregression by lag |
//! | [`ContributionChart`] | what each past value adds to one forecast |
//! | [`GrowthChart`] | how a quantity grows with a size, by orders of magnitude |
//! | [`LossCurveChart`] | the losses of a training by epoch, of training and validation |
//! | [`AttentionChart`] | what each head of a network's attention layers looks at in one window |
//! | [`MissingMap`] | where observations are missing |
//!
//! Every chart is 1200 x 675 pixels, in colours that survive colour-blindness. The same data give the same bytes.
//! This is the only folder that names `plotters`, which places and draws the text and the areas;
//! layout, ticks and smooth lines are ours.
//!
//! # Example
//! ```
//! use forecast::{Step, TimeIndex, data::Zone};
//! use forecast::plot::{Band, FanChart, Line};
//!
//! let index = TimeIndex::new(0, "1h".parse::<Step>()?, Zone::default(), 3);
//! let future = index.future(2);
//! let chart = FanChart {
//!     title: "Load of next two hours".to_string(),
//!     value_label: "load (kWh)".to_string(),
//!     history: Line::new(index, vec![1.0, f64::NAN, 3.0]),
//!     forecast: Line::new(future.clone(), vec![4.0, 5.0]),
//!     bands: vec![Band { level: 80.0, lower: vec![3.0, 3.5], upper: vec![5.0, 6.5] }],
//!     actual: None,
//! };
//! assert!(chart.render()?.starts_with(b"\x89PNG"));
//!
//! // A line has as many values as stamps.
//! let chart = FanChart { forecast: Line::new(future, vec![4.0]), ..chart };
//! assert!(chart.render().unwrap_err().is_user_error());
//! # Ok::<(), forecast::Error>(())
//! ```

mod attention;
mod backtest;
mod calibration;
mod canvas;
mod coefficients;
mod contributions;
mod fan;
mod frame;
mod growth;
mod horizon;
mod legend;
mod line;
mod loss_curves;
mod missing;
mod sample;
mod stems;
mod step_axis;
mod strip;
mod stroke;
mod text;
mod theme;
mod time_axis;
mod time_ticks;
mod time_unit;
mod value_axis;

pub use attention::AttentionChart;
pub use backtest::{BacktestChart, BacktestModel};
pub use calibration::CalibrationChart;
pub use coefficients::CoefficientChart;
pub use contributions::ContributionChart;
pub use fan::FanChart;
pub use growth::GrowthChart;
pub use horizon::HorizonErrorChart;
pub use line::{Band, Line};
pub use loss_curves::LossCurveChart;
pub use missing::MissingMap;
pub use sample::SampleChart;
