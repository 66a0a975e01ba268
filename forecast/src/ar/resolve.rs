//! What `ar` chooses where a setting is open, and which settings go together.

use super::anchor::Anchor;
use super::config::{ArConfig, Method, Strategy};
use super::defaults::{
    MOST_DIRECT_STEPS, lookbacks as default_lookbacks, order as default_order, strategy as default_strategy,
};
use super::penalty::PenaltyKind;
use super::solve::Member;
use crate::model::{Shape, check_count};
use crate::{Error, Result};

/// Steps before that covariates enter with, at most.
const MOST_COVARIATE_LAGS: usize = 1_000;
/// Look-backs of one model, at most.
const MOST_LOOKBACKS: usize = 16;

impl ArConfig {
    /// The settings with every open choice made.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting is out of range or does not go with another.
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        let is_textbook = self.order.is_some() && self.lookbacks.is_none();
        let is_about_one_step = self.criterion.is_some() || self.stability > 0;
        let strategy = match (self.strategy, is_textbook || is_about_one_step || self.is_autocorrelation()) {
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
        let is_plain = is_textbook || strategy == Strategy::Recursive || self.difference.is_some();
        // Differences leave windows where they are, as an anchor does.
        let is_open = strategy == Strategy::Direct && self.difference.is_some();
        let is_longest_of_several = |lookback: &usize| lookbacks.len() > 1 && *lookback == longest;
        let ridge = each("ridge", self.ridge.as_deref(), lookbacks.len())?;
        let ridge = ridge.or_else(|| (is_plain && !is_open).then(|| vec![0.0; lookbacks.len()]));
        let anchor = |lookback: &usize| match is_plain {
            true => Anchor::None,
            false if is_longest_of_several(lookback) => Anchor::Mean,
            false => Anchor::Last,
        };
        let anchor = each("anchor", self.anchor.as_deref(), lookbacks.len())?
            .unwrap_or_else(|| lookbacks.iter().map(anchor).collect::<Vec<_>>());
        let has_season = strategy == Strategy::Direct
            && self.difference.is_none()
            && (2..=longest / 2).contains(&shape.season_length)
            && anchor.iter().any(|anchor| *anchor != Anchor::None);
        let ridge_season = match self.ridge_season {
            None if strategy == Strategy::Direct => Some(if has_season { shape.season_length } else { 0 }),
            given => given,
        };
        let resolved = ArConfig {
            order: Some(longest),
            ridge_season,
            strategy: Some(strategy),
            pool_channels: Some(self.pool_channels.unwrap_or(strategy == Strategy::Direct)),
            lookbacks: Some(lookbacks),
            anchor: Some(anchor),
            ridge,
            ..self.clone()
        };
        let resolved = if self.is_sparse() { resolved.resolve_penalty() } else { resolved };
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
            season: self.ridge_season.filter(|season| (1..=lookback / 2).contains(season)),
        };
        lookbacks.iter().enumerate().map(|(i, lookback)| at(i, *lookback)).collect()
    }

    /// Steps that have coefficients of their own when a horizon is fitted.
    pub(super) fn n_steps(&self, horizon: usize) -> usize {
        match self.strategy {
            Some(Strategy::Direct) => self.direct_steps.unwrap_or(horizon).clamp(1, MOST_DIRECT_STEPS),
            _ => 1,
        }
    }

    /// Lags that differences take.
    pub(super) fn n_differenced(&self) -> usize {
        self.difference.iter().flatten().fold(0, |sum: usize, steps| sum.saturating_add(*steps))
    }

    /// Differences leave a lag of every look-back; direct steps are few, and belong to a direct model.
    fn check_steps(&self) -> Result<()> {
        let taken = self.n_differenced();
        let shortest = self.members().iter().map(|member| member.lookback).min().unwrap_or(1);
        if self.difference.iter().flatten().any(|steps| *steps == 0) || taken >= shortest {
            let steps = self.difference.iter().flatten().map(usize::to_string).collect::<Vec<_>>().join(",");
            let rule = format!("steps must be at least 1, and fewer in all than the {shortest} lags");
            return Err(Error::option("difference", steps, rule));
        }
        let is_direct = self.strategy == Some(Strategy::Direct);
        match self.direct_steps {
            Some(steps) if !is_direct || !(1..=MOST_DIRECT_STEPS).contains(&steps) => {
                let rule = format!("it must be from 1 to {MOST_DIRECT_STEPS}, with strategy = direct");
                Err(Error::option("direct_steps", steps, rule))
            }
            _ => Ok(()),
        }
    }

    /// True if weights are driven to zero.
    pub(crate) fn is_sparse(&self) -> bool {
        self.penalty.is_some_and(|penalty| penalty != PenaltyKind::None)
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
        let longest = self.order.unwrap_or(1);
        let has_anchor = self.anchor.iter().flatten().any(|anchor| *anchor != Anchor::None);
        let is_refused = |season: &usize| *season > 0 && (!has_anchor || *season > longest / 2);
        if let Some(season) = self.ridge_season.filter(is_refused) {
            let rule = format!(
                "it goes with an anchor, and must be at most half the longest look-back of {longest}"
            );
            return Err(Error::option("ridge_season", season, rule));
        }
        let is_one = matches!(self.members()[..], [Member { anchor: Anchor::None, ridge: Some(ridge), .. }] if ridge <= 0.0);
        let is_one = is_one && self.strategy == Some(Strategy::Recursive);
        self.check_penalty()?;
        self.check_steps()?;
        if let Some(shrinkage) = self.shrinkage {
            shrinkage.check()?;
            if self.pooled {
                let rule = "pooled coefficients are those of all already; leave one of the two out";
                return Err(Error::option("shrinkage", "set", rule));
            }
        }
        if self.covariate_lags > MOST_COVARIATE_LAGS {
            let rule = format!("it must be at most {MOST_COVARIATE_LAGS}");
            return Err(Error::option("covariate_lags", self.covariate_lags, rule));
        }
        let rule = "it goes with one recursive look-back without anchor and ridge";
        match self.criterion {
            Some(criterion) if !is_one && !self.is_sparse() => {
                Err(Error::option("criterion", criterion.name(), rule))
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
    use super::super::order::Criterion;
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
        let [Member { lookback: 24, anchor: Anchor::None, ridge: Some(ridge), season: None }] =
            textbook.members()[..]
        else {
            panic!("{textbook:?}")
        };
        assert!(ridge.abs() < 1e-12);
        let open = resolved(&[], &hours).unwrap();
        assert_eq!((open.strategy, open.order), (Some(Strategy::Direct), Some(720)));
        let members: Vec<_> =
            open.members().iter().map(|m| (m.lookback, m.anchor, m.ridge, m.season)).collect();
        assert_eq!(members, [(336, Anchor::Last, None, Some(24)), (720, Anchor::Mean, None, Some(24))]);
        for config in [textbook, open] {
            assert_eq!(config.resolve(&hours).unwrap(), config, "a choice that is made stays");
        }
    }

    #[test]
    fn what_a_penalty_leaves_open_depends_on_the_strategy() {
        let hours = shape("1h", 24, 17_000);
        let direct = resolved(&[("penalty", "sparse")], &hours).unwrap();
        assert_eq!(
            (direct.strategy, direct.lookbacks.clone()),
            (Some(Strategy::Direct), Some(vec![336, 720]))
        );
        assert_eq!((direct.criterion, direct.penalty), (None, Some(PenaltyKind::Forward)));
        // Those of `ar`, whose forecasts its lags tell; a quarter of the lags, of which one is the anchor's.
        assert_eq!(direct.anchor, Some(vec![Anchor::Last, Anchor::Mean]));
        assert_eq!(direct.choice().unwrap().unwrap().most_lags, 178);
        let weak = resolved(&[("penalty", "sparse"), ("lambda", "0.1")], &hours).unwrap();
        assert_eq!((weak.strategy, weak.penalty), (Some(Strategy::Direct), Some(PenaltyKind::Lasso)));
        let recursive = resolved(&[("penalty", "lasso"), ("order", "2000")], &hours).unwrap();
        let kind = |config: &ArConfig| (config.strategy, config.penalty);
        assert_eq!(kind(&recursive), (Some(Strategy::Recursive), Some(PenaltyKind::Lasso)));
        let paper = resolved(&[("penalty", "sparse"), ("order", "2000")], &hours).unwrap();
        assert_eq!(kind(&paper), (Some(Strategy::Recursive), Some(PenaltyKind::ArNet)));
        assert_eq!((recursive.criterion, recursive.l1_ratio), (Some(Criterion::Ebic), None));
        let given = resolved(&[("penalty", "elastic-net"), ("lambda", "0.1")], &hours).unwrap();
        assert_eq!((given.criterion, given.l1_ratio), (None, Some(0.5)));
        for config in [direct, recursive, given] {
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
            (vec![("lookbacks", "24,48"), ("ridge_season", "25")], "ridge_season is 25"),
            (vec![("order", "48"), ("ridge_season", "24")], "ridge_season is 24"),
            (vec![("anchor", "first")], "\"first\" is no anchor"),
            (vec![("lookbacks", "3;5")], "cannot read \"3;5\""),
            (vec![("criterion", "aic"), ("strategy", "direct")], "criterion is aic"),
            (vec![("criterion", "bic"), ("order", "9"), ("ridge", "1")], "criterion is bic"),
            (vec![("method", "autocorrelation"), ("lookbacks", "3,5")], "method is autocorrelation"),
            (vec![("criterion", "validation"), ("strategy", "direct")], "criterion is validation"),
            (vec![("order", "24"), ("difference", "24")], "difference is 24"),
            (vec![("difference", "0")], "difference is 0"),
            (vec![("order", "9"), ("direct_steps", "3")], "with strategy = direct"),
            (vec![("direct_steps", "0")], "direct_steps is 0"),
            (vec![("covariate_lags", "1001")], "covariate_lags is 1001"),
            (vec![("shrinkage", "1.5")], "shrinkage is 1.5"),
            (vec![("shrinkage", "0.5"), ("pooled", "true")], "leave one of the two out"),
            (vec![("lambda", "1")], "lambda is 1, but it goes with a penalty"),
            (vec![("criterion", "ebic")], "it goes with a penalty"),
            (vec![("penalty", "ridge")], "penalty is"),
            (vec![("penalty", "forward"), ("order", "9")], "it goes with strategy = direct"),
            (vec![("penalty", "forward"), ("lambda", "1"), ("strategy", "direct")], "most_lags alone"),
            (vec![("penalty", "forward"), ("l1_ratio", "0.5"), ("strategy", "direct")], "l1_ratio is 0.5"),
            (vec![("penalty", "ar-net"), ("density", "0")], "above 0 and at most 1"),
            (vec![("penalty", "ar-net"), ("density", "1.5")], "density is 1.5"),
            (vec![("penalty", "lasso"), ("density", "0.5")], "it goes with penalty = ar-net"),
            (vec![("penalty", "lasso"), ("lambda", "-1")], "lambda is -1"),
            (vec![("penalty", "ar-net"), ("lambda", "1"), ("density", "0.5")], "leave one of them out"),
            (vec![("penalty", "ar-net"), ("lambda", "1"), ("criterion", "bic")], "it chooses lambda"),
            (vec![("penalty", "elastic-net"), ("l1_ratio", "0")], "l1_ratio is 0"),
            (vec![("penalty", "ar-net"), ("most_lags", "0")], "most_lags is 0"),
            (vec![("penalty", "ar-net"), ("order", "9"), ("anchor", "mean")], "anchor is mean"),
            (vec![("penalty", "ar-net"), ("criterion", "aic")], "bic, ebic or validation"),
            (
                vec![("penalty", "ar-net"), ("criterion", "bic"), ("strategy", "direct")],
                "direct steps keep most_lags",
            ),
            (vec![("penalty", "ar-net"), ("stability", "5"), ("strategy", "direct")], "stability is 5"),
            (vec![("penalty", "ar-net"), ("method", "autocorrelation")], "goes with least-squares"),
        ] {
            let message = resolved(&settings, &hours).unwrap_err().to_string();
            assert!(message.contains(said), "{settings:?}: {message}");
        }
        let listed = resolved(&[("lookbacks", "[3, 5]"), ("ridge", "0.5"), ("anchor", "last,mean")], &hours);
        let listed = listed.unwrap();
        assert_eq!((listed.lookbacks, listed.ridge), (Some(vec![3, 5]), Some(vec![0.5, 0.5])));
    }
}
