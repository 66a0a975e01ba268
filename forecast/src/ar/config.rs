//! The settings of `ar`, and what is chosen where they are open.

use serde::{Deserialize, Serialize};

use super::anchor::Anchor;
use super::list;
use super::order::Criterion;
use super::segments::n_windows;
use super::solve::Member;
use crate::data::usual_seasons;
use crate::model::{Shape, check_count};
use crate::{Error, Result};

/// The default order lies between these.
const SHORTEST_DEFAULT_ORDER: usize = 24;
const LONGEST_DEFAULT_ORDER: usize = 336;
/// The default look-backs of direct forecasts, at most.
const DEFAULT_LOOKBACKS: [usize; 2] = [336, 720];
/// And leaves at least this many steps for each lag.
const STEPS_PER_LAG: usize = 10;
/// Direct forecasts look back at least so far by default, in steps, and have at most so many coefficients.
const SHORTEST_DIRECT: usize = 4;
const MOST_DIRECT_NUMBERS: usize = 32_000_000;
/// Look-backs of one model, at most.
const MOST_LOOKBACKS: usize = 16;

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
/// | `ridge` | from 0.0001 to 1, what does best on the last fifth of the training range; 0 if recursive | what is added to the diagonal of the Gram matrix, as a share of its mean, for each look-back | at least 0 |
/// | `pooled` | false | one set of coefficients for all series, so that new ones can be forecast | |
/// | `pool_channels` | if direct | one set of coefficients for all channels | |
/// | `criterion` | none | the order, up to `order`, that this is smallest at | aic, bic; recursive, one look-back, no ridge |
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
    /// True if all series share one set of coefficients.
    #[serde(default)]
    pub pooled: bool,
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

impl ArConfig {
    /// The settings with every open choice made.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting is out of range or does not go with another.
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        let is_textbook = self.order.is_some() && self.lookbacks.is_none();
        let strategy =
            match (self.strategy, is_textbook || self.criterion.is_some() || self.is_autocorrelation()) {
                (Some(strategy), _) => strategy,
                (None, true) => Strategy::Recursive,
                (None, false) => default_strategy(shape),
            };
        let lookbacks = match (&self.lookbacks, self.order) {
            (Some(lookbacks), _) => lookbacks.clone(),
            (None, Some(order)) => vec![order],
            (None, None) if strategy == Strategy::Recursive => vec![default_order(shape)],
            (None, None) => default_lookbacks(shape).unwrap_or_else(|| vec![default_order(shape)]),
        };
        if lookbacks.is_empty() || lookbacks.len() > MOST_LOOKBACKS {
            let rule = format!("there must be from 1 to {MOST_LOOKBACKS}");
            return Err(Error::option("number of lookbacks", lookbacks.len(), rule));
        }
        let field = if is_textbook { "order" } else { "lookbacks" };
        for lookback in &lookbacks {
            check_count(field, *lookback)?;
        }
        let longest = lookbacks.iter().copied().max().unwrap_or(1);
        if let Some(order) = self.order.filter(|order| *order != longest) {
            return Err(Error::option("order", order, "it must be the longest of lookbacks, or left out"));
        }
        // Given an order and nothing else, the model is the textbook's.
        let is_plain = is_textbook || strategy == Strategy::Recursive;
        let is_longest_of_several = |lookback: &usize| lookbacks.len() > 1 && *lookback == longest;
        let ridge = each("ridge", self.ridge.as_deref(), lookbacks.len())?;
        if let Some(bad) = ridge.iter().flatten().find(|ridge| !(**ridge >= 0.0 && ridge.is_finite())) {
            return Err(Error::option("ridge", bad, "it must be a number that is not negative"));
        }
        let ridge = ridge.or_else(|| is_plain.then(|| vec![0.0; lookbacks.len()]));
        let anchor = |lookback: &usize| match is_plain {
            true => Anchor::None,
            false if is_longest_of_several(lookback) => Anchor::Mean,
            false => Anchor::Last,
        };
        let anchor = each("anchor", self.anchor.as_deref(), lookbacks.len())?
            .unwrap_or_else(|| lookbacks.iter().map(anchor).collect());
        let resolved = ArConfig {
            order: Some(longest),
            strategy: Some(strategy),
            pool_channels: Some(self.pool_channels.unwrap_or(strategy == Strategy::Direct)),
            lookbacks: Some(lookbacks),
            anchor: Some(anchor),
            ridge,
            ..self.clone()
        };
        resolved.check_together()?;
        Ok(resolved)
    }

    /// The look-backs with their settings; of a resolved configuration all of them.
    pub(super) fn members(&self) -> Vec<Member> {
        let lookbacks = self.lookbacks.clone().unwrap_or_else(|| vec![self.order.unwrap_or(1)]);
        let at = |i: usize, lookback: usize| Member {
            lookback,
            anchor: self.anchor.as_ref().and_then(|anchor| anchor.get(i)).copied().unwrap_or(Anchor::None),
            ridge: self.ridge.as_ref().and_then(|ridge| ridge.get(i)).copied(),
        };
        lookbacks.iter().enumerate().map(|(i, lookback)| at(i, *lookback)).collect()
    }

    /// Steps that have coefficients of their own when a horizon is fitted.
    pub(super) fn n_steps(&self, horizon: usize) -> usize {
        match self.strategy {
            Some(Strategy::Direct) => horizon.clamp(1, MOST_DIRECT_STEPS),
            _ => 1,
        }
    }

    fn is_autocorrelation(&self) -> bool {
        self.method == Method::Autocorrelation
    }

    /// Order selection and the autocorrelation method are about one plain recursion.
    fn check_together(&self) -> Result<()> {
        let is_one = matches!(self.members()[..], [Member { anchor: Anchor::None, ridge: Some(ridge), .. }] if ridge <= 0.0);
        let is_one = is_one && self.strategy == Some(Strategy::Recursive);
        let rule = "it goes with one recursive look-back without anchor and ridge";
        match self.criterion {
            Some(criterion) if !is_one => {
                let name = format!("{criterion:?}").to_lowercase();
                Err(Error::option("criterion", name, rule))
            }
            _ if self.is_autocorrelation() && !is_one => {
                Err(Error::option("method", "autocorrelation", rule))
            }
            _ => Ok(()),
        }
    }
}

/// Steps that have coefficients of their own, at most; steps beyond follow block by block.
pub(super) const MOST_DIRECT_STEPS: usize = 1_440;

/// One value for each of `n`, from one for all or one for each.
fn each<T: Clone>(field: &'static str, given: Option<&[T]>, n: usize) -> Result<Option<Vec<T>>> {
    match given {
        None => Ok(None),
        Some([one]) => Ok(Some(vec![one.clone(); n])),
        Some(several) if several.len() == n => Ok(Some(several.to_vec())),
        Some(several) => {
            let rule = format!("there must be one, or one for each of the {n} lookbacks");
            Err(Error::option(format!("number of values of {field}"), several.len(), rule))
        }
    }
}

/// Direct where there is room for look-back and horizon, and coefficients of all series fit into memory.
fn default_strategy(shape: &Shape) -> Strategy {
    let n_numbers = shape.horizon.saturating_mul(DEFAULT_LOOKBACKS[1]).saturating_mul(shape.n_series);
    let is_direct = n_numbers <= MOST_DIRECT_NUMBERS && default_lookbacks(shape).is_some();
    if is_direct { Strategy::Direct } else { Strategy::Recursive }
}

/// Look-backs of two weeks and a month of hours, less for short series and those with gaps: at least half of the
/// observed steps of each series have to be targets.
fn default_lookbacks(shape: &Shape) -> Option<Vec<usize>> {
    let horizon = shape.horizon.clamp(1, MOST_DIRECT_STEPS);
    let is_kept = |lookback: usize| {
        shape
            .stretches
            .iter()
            .all(|lengths| 2 * n_windows(lengths, lookback + horizon) >= lengths.iter().sum::<usize>())
    };
    let longest = DEFAULT_LOOKBACKS[1].min(shape.n_steps / STEPS_PER_LAG);
    let mut candidates = std::iter::successors(Some(longest), |lookback| Some(lookback / 2));
    let long =
        candidates.by_ref().take_while(|lookback| *lookback >= SHORTEST_DIRECT).find(|l| is_kept(*l))?;
    let short = DEFAULT_LOOKBACKS[0].min(long.div_ceil(2));
    Some(if short == long { vec![long] } else { vec![short, long] })
}

/// The longest of one or two seasons that is not too long for a lag matrix and leaves enough rows.
fn default_order(shape: &Shape) -> usize {
    let longest = LONGEST_DEFAULT_ORDER.min(shape.n_steps / STEPS_PER_LAG);
    let seasons = usual_seasons(&shape.frequency).into_iter().chain([shape.season_length]);
    let lags = seasons.flat_map(|season| [season, 2 * season]).filter(|lags| *lags <= longest);
    lags.max().unwrap_or(0).max(SHORTEST_DEFAULT_ORDER.min(longest)).max(1)
}
