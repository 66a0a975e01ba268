//! The settings of `ar`, and what is chosen where they are open.

use serde::{Deserialize, Serialize};

use super::anchor::Anchor;
use super::defaults::{
    MOST_DIRECT_STEPS, lookbacks as default_lookbacks, order as default_order, strategy as default_strategy,
};
use super::list;
use super::order::Criterion;
use super::solve::Member;
use crate::model::{Shape, check_count};
use crate::{Error, Result};

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
/// | `ridge` | 0.1, unless another share from 0.0001 to 1 is better by a hundredth on the last fifth of the training range; 0 if recursive | what is added to the diagonal of the Gram matrix, as a share of its mean, for each look-back | at least 0 |
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
                (None, false) => default_strategy(shape, if self.pooled { 1 } else { shape.n_series }),
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
        resolved.check()?;
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

    /// Ridges are numbers; order selection and the autocorrelation method are about one plain recursion.
    pub(super) fn check(&self) -> Result<()> {
        let ridges = self.ridge.iter().flatten();
        if let Some(bad) = ridges.copied().find(|ridge| !(*ridge >= 0.0 && ridge.is_finite())) {
            return Err(Error::option("ridge", bad, "it must be a number that is not negative"));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelConfig;
    use crate::ar::defaults::tests::shape;

    fn resolved(settings: &[(&str, &str)], shape: &Shape) -> Result<ArConfig> {
        let mut config = ModelConfig::parse("ar")?;
        for (key, value) in settings {
            config = config.with(key, value)?;
        }
        match config {
            ModelConfig::Ar(config) => config.resolve(shape),
            _ => Err(Error::Internal(String::new())),
        }
    }

    #[test]
    fn an_order_alone_is_the_textbooks_model_and_nothing_at_all_a_direct_one() {
        let hours = shape("1h", 24, 17_000);
        let textbook = resolved(&[("order", "24")], &hours).unwrap();
        assert_eq!((textbook.strategy, textbook.pool_channels), (Some(Strategy::Recursive), Some(false)));
        let [Member { lookback: 24, anchor: Anchor::None, ridge: Some(ridge) }] = textbook.members()[..]
        else {
            panic!("{textbook:?}")
        };
        assert!(ridge.abs() < 1e-12);
        let open = resolved(&[], &hours).unwrap();
        assert_eq!((open.strategy, open.order), (Some(Strategy::Direct), Some(720)));
        let members: Vec<_> = open.members().iter().map(|m| (m.lookback, m.anchor, m.ridge)).collect();
        assert_eq!(members, [(336, Anchor::Last, None), (720, Anchor::Mean, None)]);
        for config in [textbook, open] {
            assert_eq!(config.resolve(&hours).unwrap(), config, "a choice that is made stays");
        }
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused_with_the_rule() {
        let hours = shape("1h", 24, 17_000);
        for (settings, said) in [
            (vec![("order", "0")], "order is 0"),
            (vec![("lookbacks", "[]")], "number of lookbacks is 0"),
            (vec![("lookbacks", "3,0")], "lookbacks is 0"),
            (vec![("lookbacks", "3,5"), ("order", "4")], "it must be the longest of lookbacks"),
            (vec![("lookbacks", "3,5"), ("ridge", "1,2,3")], "one for each of the 2 lookbacks"),
            (vec![("ridge", "-1")], "ridge is -1"),
            (vec![("anchor", "first")], "\"first\" is no anchor"),
            (vec![("lookbacks", "3;5")], "cannot read \"3;5\""),
            (vec![("criterion", "aic"), ("strategy", "direct")], "criterion is aic"),
            (vec![("criterion", "bic"), ("order", "9"), ("ridge", "1")], "criterion is bic"),
            (vec![("method", "autocorrelation"), ("lookbacks", "3,5")], "method is autocorrelation"),
        ] {
            let message = resolved(&settings, &hours).unwrap_err().to_string();
            assert!(message.contains(said), "{settings:?}: {message}");
        }
        let listed = resolved(&[("lookbacks", "[3, 5]"), ("ridge", "0.5"), ("anchor", "last,mean")], &hours);
        let listed = listed.unwrap();
        assert_eq!((listed.lookbacks, listed.ridge), (Some(vec![3, 5]), Some(vec![0.5, 0.5])));
    }
}
