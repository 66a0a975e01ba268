//! The settings of a training, the same for every family that is trained by gradient.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::optimiser::OptimiserKind;
use super::schedule::Schedule;
use super::trainer::TrainOptions;
use crate::{Error, Result};

/// Settings of a training; what is open is the family's choice.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `epochs` | 10 | passes over the windows, at most | 1 to 100,000 |
/// | `patience` | 3 | epochs in a row without a lower loss of validation, after which training stops; the best weights are kept | 1 to 100,000 |
/// | `batch_size` | 32 | windows of a step | 1 to 65,536 |
/// | `stride` | 1 | every how many steps of a series a window begins | 1 to 100,000 |
/// | `learning_rate` | 0.001 | the largest of the schedule | above 0, at most 1 |
/// | `schedule` | constant | how the learning rate changes | constant, step-decay, halving, cosine, one-cycle, plateau |
/// | `optimiser` | adam | who takes the steps | adam, adamw |
/// | `weight_decay` | 0 | decay of the weights | 0 to 1 |
/// | `clip` | 0 | the length that all gradients together are cut down to; 0 for as they are | at least 0 |
/// | `time_limit` | none | seconds after which training stops, but for a last pass of validation; what is best so far is kept. A `cosine` or `one-cycle` whose steps do not all fit comes to its end by then | above 0, at most 31,536,000 |
/// | `seed` | 1 | of the first weights, the order of the windows and dropout | |
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Passes over the windows, at most.
    pub epochs: Option<usize>,
    /// Epochs without a better one, after which training stops.
    pub patience: Option<usize>,
    /// Windows of a step.
    pub batch_size: Option<usize>,
    /// Every how many steps of a series a window begins.
    pub stride: Option<usize>,
    /// The largest learning rate.
    pub learning_rate: Option<f64>,
    /// How the learning rate changes.
    pub schedule: Option<Schedule>,
    /// Who takes the steps.
    pub optimiser: Option<OptimiserKind>,
    /// Decay of the weights.
    pub weight_decay: Option<f64>,
    /// The length that all gradients together are cut down to.
    pub clip: Option<f64>,
    /// Seconds after which training stops.
    pub time_limit: Option<f64>,
    /// Seed of everything random.
    pub seed: Option<u64>,
}

const MOST_EPOCHS: usize = 100_000;
const LARGEST_BATCH: usize = 65_536;
/// A year.
const LONGEST: f64 = 31_536_000.0;

impl TrainingConfig {
    /// The settings with every open choice made: by the family, or else by the table. Only a time limit stays open.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the first setting that is out of its range.
    pub fn resolve(&self, family: &TrainingConfig) -> Result<Self> {
        let resolved = TrainingConfig {
            epochs: self.epochs.or(family.epochs).or(Some(10)),
            patience: self.patience.or(family.patience).or(Some(3)),
            batch_size: self.batch_size.or(family.batch_size).or(Some(32)),
            stride: self.stride.or(family.stride).or(Some(1)),
            learning_rate: self.learning_rate.or(family.learning_rate).or(Some(0.001)),
            schedule: self.schedule.or(family.schedule).or(Some(Schedule::Constant)),
            optimiser: self.optimiser.or(family.optimiser).or(Some(OptimiserKind::Adam)),
            weight_decay: self.weight_decay.or(family.weight_decay).or(Some(0.0)),
            clip: self.clip.or(family.clip).or(Some(0.0)),
            time_limit: self.time_limit.or(family.time_limit),
            seed: self.seed.or(family.seed).or(Some(1)),
        };
        resolved.check()?;
        Ok(resolved)
    }

    /// Checks the settings that are not open.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the first one that is out of its range.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("epochs", self.epochs, MOST_EPOCHS),
            ("patience", self.patience, MOST_EPOCHS),
            ("batch_size", self.batch_size, LARGEST_BATCH),
            ("stride", self.stride, MOST_EPOCHS),
        ];
        for (field, value, most) in counts {
            if let Some(bad) = value.filter(|value| !(1..=most).contains(value)) {
                return Err(Error::option(field, bad, format!("it must be from 1 to {most}")));
            }
        }
        let number = |field: &str, value: Option<f64>, is_good: fn(f64) -> bool, rule: &str| {
            let bad = value.filter(|value| !is_good(*value));
            bad.map_or(Ok(()), |bad| Err(Error::option(field, bad, rule)))
        };
        let rule = "it must be above 0 and at most 1";
        number("learning_rate", self.learning_rate, |x| x > 0.0 && x <= 1.0, rule)?;
        number("weight_decay", self.weight_decay, |x| (0.0..=1.0).contains(&x), "it must be from 0 to 1")?;
        number("clip", self.clip, |x| x >= 0.0 && x.is_finite(), "it must be 0, for none, or more")?;
        let rule = "it must be above 0 and at most 31536000 seconds, a year";
        number("time_limit", self.time_limit, |x| x > 0.0 && x <= LONGEST, rule)
    }

    /// What [`train`](super::train) takes of resolved settings; `series` is whose network it is, for messages.
    pub(crate) fn options<'a>(&self, series: &'a str) -> TrainOptions<'a> {
        let default = TrainOptions::default();
        TrainOptions {
            series,
            n_epochs: self.epochs.unwrap_or(default.n_epochs),
            patience: self.patience,
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            schedule: self.schedule.unwrap_or(default.schedule),
            optimiser: self.optimiser.unwrap_or_default(),
            weight_decay: self.weight_decay.unwrap_or_default(),
            clip: self.clip.filter(|clip| *clip > 0.0),
            seed: self.seed.unwrap_or(default.seed),
            time_limit: self.time_limit.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            checkpoint: None,
            cancel: None,
            now: default.now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_choices_are_the_familys_and_then_the_tables() {
        let family = TrainingConfig {
            learning_rate: Some(1e-4),
            schedule: Some(Schedule::Halving),
            ..TrainingConfig::default()
        };
        let own = TrainingConfig { epochs: Some(6), clip: Some(0.5), ..TrainingConfig::default() };
        let resolved = own.resolve(&family).unwrap();
        let options = resolved.options("load");
        assert_eq!((options.n_epochs, options.patience, options.schedule), (6, Some(3), Schedule::Halving));
        assert_eq!((options.clip, options.time_limit), (Some(0.5), None));
        assert!((options.learning_rate - 1e-4).abs() < 1e-18);
        assert_eq!(resolved.resolve(&TrainingConfig::default()).unwrap(), resolved);
        assert_eq!(family.resolve(&own).unwrap().options("load").clip, Some(0.5));
        assert_eq!(family.resolve(&family).unwrap().options("load").clip, None);
    }

    /// A family's own settings with these beside them.
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Family {
        width: Option<usize>,
        #[serde(flatten)]
        training: TrainingConfig,
    }

    #[test]
    fn families_have_these_settings_beside_their_own() {
        let family: Family = serde_json::from_str(r#"{"width": 8, "clip": 0.5}"#).unwrap();
        assert_eq!((family.width, family.training.clip), (Some(8), Some(0.5)));
        let json = serde_json::to_value(&family).unwrap();
        assert!(json.get("learning_rate").is_some_and(serde_json::Value::is_null), "{json}");
        assert_eq!(serde_json::from_value::<Family>(json).unwrap(), family);
        let message = serde_json::from_str::<Family>(r#"{"widht": 8}"#).unwrap_err().to_string();
        assert!(message.contains("unknown field `widht`"), "{message}");
    }

    #[test]
    fn settings_out_of_range_are_refused_with_the_rule() {
        for (json, said) in [
            (r#"{"epochs": 0}"#, "epochs is 0, but it must be from 1 to 100000"),
            (r#"{"patience": 100001}"#, "patience is 100001"),
            (r#"{"batch_size": 0}"#, "batch_size is 0"),
            (r#"{"learning_rate": 0}"#, "learning_rate is 0, but it must be above 0"),
            (r#"{"learning_rate": 1.5}"#, "learning_rate is 1.5"),
            (r#"{"weight_decay": -1}"#, "weight_decay is -1"),
            (r#"{"clip": -0.1}"#, "clip is -0.1"),
            (r#"{"time_limit": 1e9}"#, "time_limit is 1000000000"),
        ] {
            let config: TrainingConfig = serde_json::from_str(json).unwrap();
            let message = config.resolve(&TrainingConfig::default()).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
        for (json, said) in [
            (r#"{"epoch": 1}"#, "unknown field `epoch`"),
            (r#"{"optimiser": "sgd"}"#, "expected `adam` or `adamw`"),
            (r#"{"schedule": "sometimes"}"#, "plateau"),
        ] {
            let message = serde_json::from_str::<TrainingConfig>(json).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }
}
