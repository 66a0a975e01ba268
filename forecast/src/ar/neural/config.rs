//! The settings of `neural-ar`, and what is chosen where they are open.

use serde::{Deserialize, Serialize};

use crate::ar::anchor::Anchor;
use crate::ar::config::Strategy;
use crate::ar::defaults::{MOST_DIRECT_STEPS, lookbacks, order as default_order, strategy};
use crate::ar::list;
use crate::ar::segments::n_windows;
use crate::ar::sparse::{Ramp, Regulariser, Strength};
use crate::model::{Shape, check_count};
use crate::nn::Schedule;
use crate::{Error, Result};

/// Settings of `neural-ar`.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `order` | 336, at most about a twentieth of the steps | lags; given alone, the model is the paper's: one step, followed recursively | at least 1 |
/// | `strategy` | direct; recursive if only `order` is given | how further steps follow | recursive, direct |
/// | `anchor` | last; none if recursive | what is subtracted from each window and added to its forecast | none, last, mean |
/// | `hidden` | none | widths of hidden layers | at most 4, each 1 to 4,096 |
/// | `recipe` | revised | the release of the reference code whose constants are taken: `original` is the paper's | original, revised |
/// | `density` | 1 | share of lags that are expected to matter; below 1 the weights are regularised | above 0, at most 1; 1 with hidden layers |
/// | `loss` | mse | mean of squared errors, or Huber's, quadratic up to 1 | mse, huber |
/// | `epochs` | 20, or as many as make 2,000 steps; 10 if original | passes over the windows | 1 to 100,000 |
/// | `batch_size` | 32, doubled up to 256 where an epoch had more than 512 steps; 128 if original | windows of a step | 1 to 65,536 |
/// | `learning_rate` | 0.003; 0.0002 if original | the largest of the schedule | above 0, at most 1 |
/// | `schedule` | one-cycle; step-decay if original | how the learning rate changes | constant, step-decay, halving, cosine, one-cycle, plateau |
/// | `pooled` | false | one network for all series, so that new ones can be forecast | |
/// | `pool_channels` | if direct | one network for all channels | |
/// | `seed` | that of the fit | of the first weights and the order of the windows | |
///
/// `original`: `R` with the constants 3 and 3, `lambda = 0.02 (1 / density - 1)` growing by a tenth in each of the
/// first ten epochs. `revised`: 2 and 2, `0.01 (1 / density - 1)` growing quadratically over the first half.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeuralArConfig {
    /// How many lags the network looks at.
    pub order: Option<usize>,
    /// How steps after the first are forecast.
    pub strategy: Option<Strategy>,
    /// What is subtracted from each window.
    pub anchor: Option<Anchor>,
    /// Widths of hidden layers.
    #[serde(deserialize_with = "list::deserialize")]
    pub hidden: Option<Vec<usize>>,
    /// Whose constants are taken where nothing else is said.
    pub recipe: Recipe,
    /// The share of lags that are expected to matter.
    pub density: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Passes over the windows.
    pub epochs: Option<usize>,
    /// Windows of a step.
    pub batch_size: Option<usize>,
    /// The largest learning rate.
    pub learning_rate: Option<f64>,
    /// How the learning rate changes.
    pub schedule: Option<Schedule>,
    /// True if all series share one network.
    pub pooled: bool,
    /// True if all channels share one network.
    pub pool_channels: Option<bool>,
    /// Seed of the first weights and of the order of the windows; that of the fit if open.
    pub seed: Option<u64>,
}

/// A release of the reference code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// The code of the paper.
    Original,
    /// The later package.
    #[default]
    Revised,
}

/// What is minimised, as a mean over windows and steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// The squared error.
    #[default]
    Mse,
    /// Half of the squared error up to an error of 1, and the absolute error less one half beyond (Huber 1964).
    Huber,
}

const MOST_HIDDEN: usize = 4;
const WIDEST: usize = 4_096;
const MOST_EPOCHS: usize = 100_000;
const LARGEST_BATCH: usize = 65_536;
/// Weights of one network, and values of one batch, at most.
const MOST_NUMBERS: usize = 1 << 26;
/// Short series are passed over until there are so many steps, but no more often than this.
const FEWEST_STEPS: usize = 2_000;
const MOST_DEFAULT_EPOCHS: usize = 1_000;
/// Where there are more windows, a step takes more of them: most of its time goes to the weights.
const MOST_DEFAULT_BATCHES: usize = 512;

impl Default for NeuralArConfig {
    fn default() -> Self {
        NeuralArConfig {
            order: None,
            strategy: None,
            anchor: None,
            hidden: None,
            recipe: Recipe::default(),
            density: 1.0,
            loss: Loss::default(),
            epochs: None,
            batch_size: None,
            learning_rate: None,
            schedule: None,
            pooled: false,
            pool_channels: None,
            seed: None,
        }
    }
}

impl NeuralArConfig {
    /// The settings with every open choice made.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting is out of range or does not go with another.
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        let strategy = match (self.strategy, self.order) {
            (Some(strategy), _) => strategy,
            (None, Some(_)) => Strategy::Recursive,
            (None, None) => strategy(shape, if self.pooled { 1 } else { shape.n_series }),
        };
        let is_direct = strategy == Strategy::Direct;
        let shortest = |lookbacks: Vec<usize>| lookbacks.into_iter().min();
        let order = self.order.unwrap_or_else(|| {
            let of_direct = lookbacks(shape).filter(|_| is_direct).and_then(shortest);
            of_direct.unwrap_or_else(|| default_order(shape))
        });
        let order = check_count("order", order)?;
        let is_revised = self.recipe == Recipe::Revised;
        let pool_channels = self.pool_channels.unwrap_or(is_direct);
        let anchor = if is_direct { Anchor::Last } else { Anchor::None };
        let schedule = if is_revised { Schedule::OneCycle } else { Schedule::StepDecay };
        let resolved = NeuralArConfig {
            order: Some(order),
            strategy: Some(strategy),
            anchor: Some(self.anchor.unwrap_or(anchor)),
            learning_rate: Some(self.learning_rate.unwrap_or(if is_revised { 0.003 } else { 2e-4 })),
            schedule: Some(self.schedule.unwrap_or(schedule)),
            pool_channels: Some(pool_channels),
            seed: self.seed.or(Some(shape.seed)),
            ..self.clone()
        };
        let n_windows = resolved.fewest_windows(shape);
        let batch_size = self.batch_size.unwrap_or_else(|| match self.recipe {
            Recipe::Original => 128,
            Recipe::Revised => n_windows.div_ceil(MOST_DEFAULT_BATCHES).next_power_of_two().clamp(32, 256),
        });
        let resolved = NeuralArConfig { batch_size: Some(batch_size), ..resolved };
        resolved.check(shape.horizon)?;
        let epochs = self.epochs.unwrap_or_else(|| match self.recipe {
            Recipe::Original => 10,
            Recipe::Revised => {
                let n_batches = n_windows.div_ceil(batch_size).max(1);
                FEWEST_STEPS.div_ceil(n_batches).clamp(20, MOST_DEFAULT_EPOCHS)
            }
        });
        if !(1..=MOST_EPOCHS).contains(&epochs) {
            return Err(Error::option("epochs", epochs, format!("it must be from 1 to {MOST_EPOCHS}")));
        }
        Ok(NeuralArConfig { epochs: Some(epochs), ..resolved })
    }

    /// Steps that have outputs of their own when a horizon is fitted.
    pub(super) fn n_steps(&self, horizon: usize) -> usize {
        match self.strategy {
            Some(Strategy::Direct) => horizon.clamp(1, MOST_DIRECT_STEPS),
            _ => 1,
        }
    }

    /// The widths between layers, from the lags to the outputs.
    pub(super) fn widths(&self, n_steps: usize) -> Vec<usize> {
        let hidden = self.hidden.iter().flatten().copied();
        std::iter::once(self.order.unwrap_or(1)).chain(hidden).chain([n_steps]).collect()
    }

    /// `R`, `lambda` and how it grows; `None` if all lags are expected to matter.
    pub(super) fn regularisation(&self) -> Result<Option<(Regulariser, f64, Ramp)>> {
        let (regulariser, strength, ramp) = match self.recipe {
            Recipe::Original => (Regulariser::default(), Strength::Original, Ramp::Linear { delay: 10 }),
            Recipe::Revised => {
                (Regulariser { c1: 2.0, c2: 2.0 }, Strength::Revised { noise: 1.0 }, Ramp::Quadratic)
            }
        };
        let lambda = strength.lambda(self.density)?;
        Ok((self.density < 1.0).then_some((regulariser, lambda, ramp)))
    }

    /// Complete windows that the network with the fewest is trained on.
    fn fewest_windows(&self, shape: &Shape) -> usize {
        let width = self.order.unwrap_or(1).saturating_add(self.n_steps(shape.horizon));
        let of_columns: Vec<usize> =
            shape.stretches.iter().map(|lengths| n_windows(lengths, width)).collect();
        let n_channels = (of_columns.len() / shape.n_series.max(1)).max(1);
        let n_together = match (self.pooled, self.pool_channels == Some(true)) {
            (true, true) => of_columns.len().max(1),
            (false, true) => n_channels,
            (false, false) => 1,
            // The columns of a channel lie apart from each other; about as many as there are series.
            (true, false) => shape.n_series.max(1),
        };
        of_columns.chunks(n_together).map(|columns| columns.iter().sum()).min().unwrap_or(0)
    }

    fn check(&self, horizon: usize) -> Result<()> {
        let hidden = self.hidden.as_deref().unwrap_or_default();
        if hidden.len() > MOST_HIDDEN {
            let rule = format!("it must be at most {MOST_HIDDEN}");
            return Err(Error::option("number of hidden layers", hidden.len(), rule));
        }
        if let Some(bad) = hidden.iter().find(|width| !(1..=WIDEST).contains(*width)) {
            return Err(Error::option("hidden", bad, format!("it must be from 1 to {WIDEST}")));
        }
        if self.density < 1.0 && !hidden.is_empty() {
            let rule = "it must be 1 with hidden layers: only weights of lags are regularised";
            return Err(Error::option("density", self.density, rule));
        }
        self.regularisation()?;
        let rate = self.learning_rate.unwrap_or(1.0);
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(Error::option("learning_rate", rate, "it must be above 0 and at most 1"));
        }
        let batch_size = self.batch_size.unwrap_or(1);
        if !(1..=LARGEST_BATCH).contains(&batch_size) {
            let rule = format!("it must be from 1 to {LARGEST_BATCH}");
            return Err(Error::option("batch_size", batch_size, rule));
        }
        let widths = self.widths(self.n_steps(horizon));
        let n_weights = widths.windows(2).fold(0, |sum: usize, pair| sum.saturating_add(pair[0] * pair[1]));
        let most = MOST_NUMBERS / widths.iter().copied().max().unwrap_or(1);
        if n_weights > MOST_NUMBERS || batch_size > most {
            let order = self.order.unwrap_or(1);
            let rule =
                format!("no network has more than {MOST_NUMBERS} weights, no batch more values; use fewer");
            return Err(Error::option("order", order, rule));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelConfig;
    use crate::ar::defaults::tests::shape;

    fn resolved(settings: &[(&str, &str)], shape: &Shape) -> Result<NeuralArConfig> {
        let mut config = ModelConfig::parse("neural-ar")?;
        for (key, value) in settings {
            config = config.with(key, value)?;
        }
        match config {
            ModelConfig::NeuralAr(config) => config.resolve(shape),
            _ => Err(Error::Internal(String::new())),
        }
    }

    #[test]
    fn an_order_alone_is_the_papers_model_and_nothing_at_all_a_direct_one() {
        let hours = shape("1h", 24, 17_000);
        let paper = resolved(&[("order", "24")], &hours).unwrap();
        assert_eq!((paper.strategy, paper.anchor), (Some(Strategy::Recursive), Some(Anchor::None)));
        let open = resolved(&[], &hours).unwrap();
        assert_eq!((open.strategy, open.anchor), (Some(Strategy::Direct), Some(Anchor::Last)));
        assert_eq!((open.order, open.epochs, open.widths(24)), (Some(336), Some(20), vec![336, 24]));
        let deep = resolved(&[("hidden", "64,32")], &hours).unwrap();
        assert_eq!(deep.widths(24), [336, 64, 32, 24]);
        // Unlike those that are open, choices that are made do not depend on the data.
        let nothing = Shape { n_steps: 0, stretches: Vec::new(), ..hours };
        for config in [paper, open, deep] {
            assert_eq!(config.resolve(&nothing).unwrap(), config);
        }
    }

    #[test]
    fn recipes_have_the_constants_of_their_release() {
        let hours = shape("1h", 24, 12_000);
        let of = |recipe| resolved(&[("recipe", recipe), ("density", "0.1")], &hours).unwrap();
        let (original, revised) = (of("original"), of("revised"));
        let chosen = |c: &NeuralArConfig| (c.epochs, c.batch_size, c.learning_rate, c.schedule);
        assert_eq!(chosen(&original), (Some(10), Some(128), Some(2e-4), Some(Schedule::StepDecay)));
        assert_eq!(chosen(&revised), (Some(20), Some(32), Some(0.003), Some(Schedule::OneCycle)));
        let (r, lambda, ramp) = original.regularisation().unwrap().unwrap();
        assert_eq!((r, ramp), (Regulariser { c1: 3.0, c2: 3.0 }, Ramp::Linear { delay: 10 }));
        assert!((lambda - 0.18).abs() < 1e-12);
        let (r, lambda, ramp) = revised.regularisation().unwrap().unwrap();
        assert_eq!((r, ramp), (Regulariser { c1: 2.0, c2: 2.0 }, Ramp::Quadratic));
        assert!((lambda - 0.09).abs() < 1e-8);
        assert!(resolved(&[], &hours).unwrap().regularisation().unwrap().is_none());
    }

    #[test]
    fn short_series_are_passed_over_more_often_and_long_ones_in_larger_steps() {
        let epochs = |n_steps| resolved(&[], &shape("1h", 24, n_steps)).unwrap().epochs.unwrap();
        // 1,000 steps: order 50, horizon 24, 927 windows in 29 batches.
        assert_eq!((epochs(1_000), epochs(20_000)), (69, 20));
        let batch_size = |n_steps| resolved(&[], &shape("1h", 24, n_steps)).unwrap().batch_size.unwrap();
        assert_eq!([1_000, 16_000, 30_000, 1_000_000].map(batch_size), [32, 32, 64, 256]);
        assert!(epochs(100) > 300 && epochs(30) == 1_000, "{} {}", epochs(100), epochs(30));
    }

    #[test]
    fn settings_out_of_range_are_refused_with_the_rule() {
        let hours = shape("1h", 24, 17_000);
        for (settings, said) in [
            (vec![("order", "0")], "order is 0"),
            (vec![("order", "10000000"), ("strategy", "direct")], "no network has more than"),
            (vec![("hidden", "32,0")], "hidden is 0, but it must be from 1 to 4096"),
            (vec![("hidden", "1,1,1,1,1")], "number of hidden layers is 5"),
            (vec![("density", "0")], "density is 0"),
            (vec![("density", "0.5"), ("hidden", "8")], "it must be 1 with hidden layers"),
            (vec![("learning_rate", "0")], "learning_rate is 0"),
            (vec![("batch_size", "0")], "batch_size is 0"),
            (vec![("epochs", "0")], "epochs is 0"),
            (vec![("epochs", "1000000")], "it must be from 1 to 100000"),
            (vec![("schedule", "sometimes")], "unknown variant `sometimes`"),
        ] {
            let message = resolved(&settings, &hours).unwrap_err().to_string();
            assert!(message.contains(said), "{settings:?}: {message}");
        }
    }
}
