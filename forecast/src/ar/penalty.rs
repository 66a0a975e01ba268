//! The settings of a penalty, which drives weights to exactly zero: what is chosen where they are open, and what goes
//! with what.

use serde::{Deserialize, Serialize};

use super::anchor::Anchor;
use super::choose::{Choice, Strength};
use super::config::{ArConfig, Method, Strategy};
use super::order::Criterion;
use super::sparse::{self, Penalty, Regulariser};
use crate::{Error, Result};

/// What drives weights to zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PenaltyKind {
    /// Nothing.
    #[default]
    None,
    /// AR-Net's regulariser: steep at zero, and it lets go of large weights (arXiv 1911.12436).
    ArNet,
    /// The sum of sizes (Tibshirani 1996).
    Lasso,
    /// Sizes and squares (Zou and Hastie 2005).
    ElasticNet,
    /// No penalty, but lags one after another, each time the one that tells most (Chen, Cowan and Grant 1991).
    Forward,
    /// What finds lags best: AR-Net's for one step, where a few lags are true; one after another for many, where they
    /// tell the forecast of all lags, in which there is no noise.
    Sparse,
}

/// Pairs of halves, at most.
const MOST_PAIRS: usize = 10_000;

/// Of the lags one in so many may stay, and so many at most, where nothing is said.
const ONE_IN: usize = 4;
const MOST_LAGS: usize = 256;

impl ArConfig {
    /// The settings of a penalty with every open choice made.
    pub(super) fn resolve_penalty(self) -> Self {
        let is_given = self.lambda.is_some() || self.density.is_some();
        let penalty = match (self.penalty, self.strategy) {
            (Some(PenaltyKind::Sparse), Some(Strategy::Direct)) if !is_given => PenaltyKind::Forward,
            (Some(PenaltyKind::Sparse), Some(Strategy::Direct)) if self.density.is_none() => {
                PenaltyKind::Lasso
            }
            (Some(PenaltyKind::Sparse), _) => PenaltyKind::ArNet,
            (penalty, _) => penalty.unwrap_or_default(),
        };
        let is_chosen = !is_given && self.strategy != Some(Strategy::Direct);
        ArConfig {
            criterion: self.criterion.or_else(|| is_chosen.then_some(Criterion::Ebic)),
            l1_ratio: self.l1_ratio.or_else(|| (penalty == PenaltyKind::ElasticNet).then_some(0.5)),
            penalty: Some(penalty),
            ..self
        }
    }

    /// How lags are chosen; `None` where all stay.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a density out of its range.
    pub(super) fn choice(&self) -> Result<Option<Choice>> {
        let penalty = match self.penalty.unwrap_or_default() {
            PenaltyKind::None => return Ok(None),
            PenaltyKind::ArNet | PenaltyKind::Sparse => Penalty::ArNet(Regulariser::default()),
            PenaltyKind::Lasso | PenaltyKind::Forward => Penalty::ElasticNet { l1_ratio: 1.0 },
            PenaltyKind::ElasticNet => Penalty::ElasticNet { l1_ratio: self.l1_ratio.unwrap_or(0.5) },
        };
        let is_direct = self.strategy == Some(Strategy::Direct);
        let strength = match (self.lambda, self.density) {
            (Some(lambda), _) => Strength::Lambda(lambda),
            (None, Some(density)) => Strength::Lambda(sparse::Strength::Original.lambda(density)?),
            (None, None) if self.penalty == Some(PenaltyKind::Forward) => Strength::Forward,
            (None, None) if is_direct => Strength::Weakest,
            (None, None) => Strength::Chosen(self.criterion.unwrap_or(Criterion::Ebic)),
        };
        let order = self.order.unwrap_or(1);
        let usual = match is_direct {
            // Of anchored windows, which have one dimension less; one is the anchor's.
            true => (order.saturating_sub(1) / ONE_IN).saturating_sub(1),
            false => order.div_ceil(ONE_IN),
        };
        let most_lags = self.most_lags.unwrap_or(usual.clamp(1, MOST_LAGS));
        Ok(Some(Choice { penalty, strength, most_lags }))
    }

    /// Numbers are in their ranges, and what belongs to a penalty comes with one.
    pub(super) fn check_penalty(&self) -> Result<()> {
        let is_direct = self.strategy == Some(Strategy::Direct);
        let refused = |field: &str, value: String, rule: &str| Err(Error::option(field, value, rule));
        if !self.is_sparse() {
            let given = [
                ("lambda", self.lambda.map(|value| value.to_string())),
                ("density", self.density.map(|value| value.to_string())),
                ("l1_ratio", self.l1_ratio.map(|value| value.to_string())),
                ("most_lags", self.most_lags.map(|value| value.to_string())),
                ("stability", (self.stability > 0).then(|| self.stability.to_string())),
                ("criterion", (self.criterion == Some(Criterion::Ebic)).then(|| "ebic".to_string())),
            ];
            return match given.into_iter().find_map(|(field, value)| Some((field, value?))) {
                Some((field, value)) => {
                    refused(field, value, "it goes with a penalty: ar-net, lasso or elastic-net")
                }
                None => Ok(()),
            };
        }
        if self.penalty == Some(PenaltyKind::Forward) {
            if !is_direct {
                let rule =
                    "it goes with strategy = direct; recursive steps take ar-net, lasso or elastic-net";
                return refused("penalty", "forward".to_string(), rule);
            }
            let given = [("lambda", self.lambda), ("density", self.density), ("l1_ratio", self.l1_ratio)];
            if let Some((field, value)) = given.into_iter().find_map(|(field, value)| Some((field, value?))) {
                let rule = "penalty = forward takes most_lags alone; leave it out, or use lasso";
                return refused(field, value.to_string(), rule);
            }
        }
        if let Some(lambda) = self.lambda.filter(|lambda| !(lambda.is_finite() && *lambda >= 0.0)) {
            return refused("lambda", lambda.to_string(), "it must be a number that is not negative");
        }
        self.choice()?;
        if let Some(ratio) = self.l1_ratio.filter(|ratio| !(0.001..=1.0).contains(ratio)) {
            return refused(
                "l1_ratio",
                ratio.to_string(),
                "it must be from 0.001 to 1; ridge leaves no lag out",
            );
        }
        if self.most_lags == Some(0) {
            return refused("most_lags", "0".to_string(), "it must be at least 1");
        }
        if self.stability > MOST_PAIRS || (self.stability > 0 && is_direct) {
            let rule = format!("it must be at most {MOST_PAIRS}, with strategy = recursive");
            return refused("stability", self.stability.to_string(), &rule);
        }
        if let (Some(lambda), Some(_)) = (self.lambda, self.density) {
            return refused("lambda", lambda.to_string(), "density tells it; leave one of them out");
        }
        if let Some(density) = self.density.filter(|_| self.penalty != Some(PenaltyKind::ArNet)) {
            return refused("density", density.to_string(), "it goes with penalty = ar-net; give lambda");
        }
        if self.method == Method::Autocorrelation {
            return refused("method", "autocorrelation".to_string(), "a penalty goes with least-squares");
        }
        if !is_direct && self.anchor.iter().flatten().any(|anchor| *anchor == Anchor::Mean) {
            let rule =
                "a mean has all lags, of which a penalty leaves some; use last or none, or direct steps";
            return refused("anchor", "mean".to_string(), rule);
        }
        match self.criterion {
            Some(criterion) if self.lambda.is_some() || self.density.is_some() => refused(
                "criterion",
                criterion.name().to_string(),
                "it chooses lambda; leave lambda and density out",
            ),
            Some(criterion) if is_direct => {
                let rule = "it chooses the lags of one step; direct steps keep most_lags of them";
                refused("criterion", criterion.name().to_string(), rule)
            }
            Some(Criterion::Aic) => {
                refused("criterion", "aic".to_string(), "with a penalty it must be bic, ebic or validation")
            }
            _ => Ok(()),
        }
    }
}
