//! The settings of `ar`; `resolve.rs` says what is chosen where they are open.

use serde::{Deserialize, Serialize};

use super::anchor::Anchor;
use super::list;
use super::order::Criterion;
use super::penalty::PenaltyKind;
use super::shrink::Shrinkage;
use crate::data::{FourierTerm, Step};

/// Settings of `ar`.
///
/// Settings of each look-back may be one value for all, or one for each.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `order` | the longest look-back | lags; given alone, the model is the textbook's: one step fitted by least squares, followed recursively | at least 1 |
/// | `lookbacks` | 336 and 720, at most a twentieth and a tenth of the steps | look-backs; the forecast is the mean over them | 1 to 16 of them |
/// | `strategy` | direct; recursive if only `order` is given | how further steps follow | recursive, direct |
/// | `anchor` | last, and mean for the longest of several; none if only `order` is given | what is subtracted from each window and added to its forecast, for each look-back | none, last, mean |
/// | `ridge` | 0.1, unless another share from 0.0001 to 1 is better by a hundredth on the last fifth of the training range; 0 if recursive | what is added to the diagonal of the Gram matrix, as a share of its mean, for each look-back | at least 0 |
/// | `ridge_season` | the season of the data if direct, without differences, and a look-back holds two; else 0 | the ridge draws each step half-way from the anchor towards the window's own mean at the same place in a season of so many steps; a lag that a penalty leaves out takes its share of that mean with it; 0: to the anchor alone | at most half the longest look-back; with an anchor |
/// | `pooled` | false | one set of coefficients for all series, so that new ones can be forecast | |
/// | `shrinkage` | none | how far the coefficients of each series are drawn towards those of all | validation, or a share from 0 to 1; not pooled |
/// | `pool_channels` | if direct | one set of coefficients for all channels | |
/// | `criterion` | none; with a penalty ebic if recursive | the order, up to `order`, or the lags along the path of the penalty, that this is smallest at | recursive: aic, bic, validation; with a penalty bic, ebic, validation |
/// | `difference` | none | the series is modelled by its differences over so many steps, one after the other: `1`, or `24,1`; the order counts the lags that they take | fewer than the order in all |
/// | `direct_steps` | the horizon of the fit, at most 1,440 | steps that have coefficients of their own; those beyond follow from forecasts, block after block | 1 to 1,440; direct |
/// | `fourier` | none | seasons as sines and cosines that the series is regressed on, such as `1D:4,7D:3`, or none | as [`FourierTerm`] |
/// | `half_life` | none | the age at which a step counts half where the series is regressed on seasons, trend and covariates: a duration such as `90D`, or a count of steps; seasons alone are then kept as a whole, also by a penalty | positive |
/// | `trend` | none | a line through time that the series is regressed on | none, linear |
/// | `covariates` | use | whether the series is regressed on the covariates that the data declare | use, ignore |
/// | `covariate_lags` | 0 | covariates enter with so many steps before as well; past ones from the horizon of the fit on | at most 1,000 |
/// | `penalty` | none; for the model ar-net its own if recursive, forward if direct, with `lambda` lasso | what drives weights to exactly zero; forward: lags are taken one after another, each time the one that tells most | none, ar-net, lasso, elastic-net, sparse; direct: forward |
/// | `lambda` | chosen by `criterion`; if direct, as weak as `most_lags` allows | the strength of the penalty, on scaled values | at least 0 |
/// | `density` | chosen by `criterion` | the share of lags that are expected to matter, which tells `lambda` as the paper has it | above 0, at most 1; with ar-net |
/// | `l1_ratio` | 0.5 | the share of the lasso in an elastic net | 0 to 1 |
/// | `most_lags` | a quarter of the longest look-back, at most 256 | lags that a penalty leaves of each step, at most; if direct, those that tell best what the forecast of all lags says, and the anchor's | at least 1 |
/// | `stability` | 0 | pairs of random halves of the data from which the lags of a penalty are chosen anew, to tell how often each is | at most 10,000; recursive |
/// | `method` | least-squares | least squares over complete windows, or the autocorrelations alone | least-squares, autocorrelation |
/// | `unstable` | keep | what becomes of a recursion that grows without bound | keep, project |
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArConfig {
    /// How many lags the model looks at.
    pub order: Option<usize>,
    /// The look-backs whose forecasts are averaged.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub lookbacks: Option<Vec<usize>>,
    /// How steps after the first are forecast.
    #[serde(default)]
    pub strategy: Option<Strategy>,
    /// What is subtracted from each window, one for each look-back.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub anchor: Option<Vec<Anchor>>,
    /// Share of the mean diagonal that is added to the diagonal, one for each look-back.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub ridge: Option<Vec<f64>>,
    /// The season towards whose mean in the window a ridge draws, in steps; 0 for none.
    #[serde(default)]
    pub ridge_season: Option<usize>,
    /// True if all series share one set of coefficients.
    #[serde(default)]
    pub pooled: bool,
    /// How far the coefficients of each series are drawn towards those of all.
    #[serde(default)]
    pub shrinkage: Option<Shrinkage>,
    /// True if all channels share one set of coefficients.
    #[serde(default)]
    pub pool_channels: Option<bool>,
    /// What the order is chosen by.
    #[serde(default)]
    pub criterion: Option<Criterion>,
    /// How coefficients are fitted.
    #[serde(default)]
    pub method: Method,
    /// What becomes of a recursion that grows without bound.
    #[serde(default)]
    pub unstable: Unstable,
    /// Steps that differences are taken over.
    #[serde(default, deserialize_with = "list::deserialize")]
    pub difference: Option<Vec<usize>>,
    /// Steps that have coefficients of their own.
    #[serde(default)]
    pub direct_steps: Option<usize>,
    /// Seasons that the series is regressed on.
    #[serde(default, deserialize_with = "list::deserialize_or_none")]
    pub fourier: Option<Vec<FourierTerm>>,
    /// The age at which a step counts half in the regression.
    #[serde(default, deserialize_with = "list::deserialize_span")]
    pub half_life: Option<Step>,
    /// The line through time that the series is regressed on.
    #[serde(default)]
    pub trend: Trend,
    /// Whether the series is regressed on the covariates of the data.
    #[serde(default)]
    pub covariates: UseCovariates,
    /// Steps before that covariates enter with as well.
    #[serde(default)]
    pub covariate_lags: usize,
    /// What drives weights to exactly zero.
    #[serde(default)]
    pub penalty: Option<PenaltyKind>,
    /// The strength of the penalty.
    #[serde(default)]
    pub lambda: Option<f64>,
    /// The share of lags that are expected to matter.
    #[serde(default)]
    pub density: Option<f64>,
    /// The share of the lasso in an elastic net.
    #[serde(default)]
    pub l1_ratio: Option<f64>,
    /// Lags that a penalty may leave, at most.
    #[serde(default)]
    pub most_lags: Option<usize>,
    /// Pairs of halves of the data that lags are chosen from anew.
    #[serde(default)]
    pub stability: usize,
}

/// How steps after the first are forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// From the model's own forecasts, one step after the other.
    Recursive,
    /// Each step by coefficients of its own, up to the horizon of the fit; then block after block.
    Direct,
}

/// A line through time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trend {
    /// None: forecasts return to the mean, or stay near their anchor.
    #[default]
    None,
    /// It goes on as it went over the training range.
    Linear,
}

/// Whether covariates that the data declare are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UseCovariates {
    /// The series is regressed on them, or a network takes them as inputs.
    #[default]
    Use,
    /// They are left aside.
    Ignore,
}

/// How coefficients are fitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Least squares over all complete windows.
    #[default]
    LeastSquares,
    /// The equations of Yule and Walker: faster, always stable, biased for short series.
    Autocorrelation,
}

/// What becomes of a recursion that grows without bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unstable {
    /// It stays as it was fitted, with a warning.
    #[default]
    Keep,
    /// Its roots are drawn inside of the unit circle.
    Project,
}
