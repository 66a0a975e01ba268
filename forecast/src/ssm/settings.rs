//! The settings of `ssm`: those of the network, of its mixers and of its training, side by side.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::config::{ChannelMixing, RecurrenceForm, SsmConfig, Streaming};
use super::{MixerConfig, MixerKind};
use crate::data::usual_seasons;
use crate::model::{Shape, Training};
use crate::nn::{OptimiserKind, Schedule, TrainingConfig};
use crate::{Error, Result};

/// Settings of `ssm`: those of the network ([`SsmConfig`]), of its mixers ([`MixerConfig`], whose kind is called
/// `mixer`) and of its training ([`TrainingConfig`]) side by side.
///
/// # Example
/// ```
/// use forecast::ModelConfig;
/// let config = ModelConfig::parse("ssm")?.with("mixer", "sgconv")?.with("epochs", "3")?;
/// let json = serde_json::to_value(&config).unwrap();
/// assert_eq!((&json["mixer"], &json["epochs"]), (&"sgconv".into(), &3.into()));
/// assert!(ModelConfig::parse("ssm")?.with("mixer", "mamba").is_err());
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Map<String, Value>", try_from = "Map<String, Value>")]
pub struct SsmSettings {
    /// The network around the mixers.
    pub network: SsmConfig,
    /// What mixes steps.
    pub mixer: MixerConfig,
    /// How all of it is trained.
    pub training: TrainingConfig,
}

/// What the kind of a mixer is called among all settings.
const KIND: (&str, &str) = ("kind", "mixer");

impl Default for SsmSettings {
    fn default() -> Self {
        let network = SsmConfig::default();
        let training = TrainingConfig { seed: Some(network.seed), ..TrainingConfig::default() };
        SsmSettings { network, mixer: MixerConfig::default(), training }
    }
}

impl From<SsmSettings> for Map<String, Value> {
    fn from(settings: SsmSettings) -> Self {
        let mut all = map(&settings.network);
        let mixer = map(&settings.mixer).into_iter();
        all.extend(mixer.map(|(key, value)| (if key == KIND.0 { KIND.1.to_string() } else { key }, value)));
        all.extend(map(&settings.training).into_iter().filter(|(key, _)| key != "seed"));
        all
    }
}

impl TryFrom<Map<String, Value>> for SsmSettings {
    type Error = String;

    fn try_from(given: Map<String, Value>) -> Result<Self, String> {
        let default = SsmSettings::default();
        let mut of_network = map(&default.network);
        let mut of_mixer = map(&default.mixer);
        let mut of_training = map(&default.training);
        for (key, value) in given {
            let key = if key == KIND.1 { KIND.0.to_string() } else { key };
            let of = match &key {
                key if key != "seed" && of_training.contains_key(key) => &mut of_training,
                key if of_mixer.contains_key(key) => &mut of_mixer,
                // What nobody knows is refused by the network.
                _ => &mut of_network,
            };
            of.insert(key, value);
        }
        let network: SsmConfig = parse(of_network)?;
        of_training.insert("seed".to_string(), network.seed.into());
        Ok(SsmSettings { network, mixer: parse(of_mixer)?, training: parse(of_training)? })
    }
}

fn map(of: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn parse<T: serde::de::DeserializeOwned>(map: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(map)).map_err(|error| error.to_string())
}

/// The longest kernel that is reduced to a few states: fitting them takes memory for every lag.
const LONGEST_REDUCED: usize = 65_536;

/// Passes over the windows.
const EPOCHS: usize = 10;

/// Sequences of an epoch, at most, where the stride is open.
const MOST_SEQUENCES: usize = 16_384;

impl SsmSettings {
    /// The settings with every open choice made.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting is out of range.
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        let lookback = self.network.lookback.unwrap_or_else(|| {
            SsmConfig::default_lookback(&usual_seasons(&shape.frequency), shape.season_length, shape.n_steps)
        });
        let mask = self.network.mask.unwrap_or(shape.has_gaps);
        let network = SsmConfig { lookback: Some(lookback), mask: Some(mask), ..self.network.clone() };
        network.check()?;
        let mixer = self.mixer.resolved(lookback);
        mixer.check("")?;
        self.check_used()?;
        let epochs = self.training.epochs.unwrap_or(EPOCHS);
        let schedule = self.training.schedule.unwrap_or(Schedule::OneCycle);
        // What is best comes at the end, where the learning rate does: a training that stopped before would not see it.
        let ends_low = matches!(schedule, Schedule::OneCycle | Schedule::Cosine);
        let usual = TrainingConfig {
            epochs: Some(epochs),
            patience: ends_low.then_some(epochs),
            learning_rate: Some(1e-3),
            schedule: Some(schedule),
            optimiser: Some(OptimiserKind::AdamW),
            weight_decay: Some(0.01),
            clip: Some(1.0),
            stride: Some(default_stride(shape, network.channels)),
            seed: Some(network.seed),
            ..TrainingConfig::default()
        };
        let training = self.training.resolve(&usual)?;
        Ok(SsmSettings { network, mixer, training })
    }

    /// Refuses settings that would do nothing beside the others.
    fn check_used(&self) -> Result<()> {
        let (network, mixer) = (&self.network, &self.mixer);
        let is_global = mixer.kind == MixerKind::SgConv;
        let unused = |field: &str, value: &str, rule: &str| Err(Error::option(field, value, rule));
        if network.recurrence == RecurrenceForm::Reduced && !is_global {
            let rule = "s4 and s4d stream exactly by the state that they have; it is for mixer sgconv";
            return unused("recurrence", "reduced", rule);
        }
        if network.recurrence == RecurrenceForm::Reduced && network.streaming == Streaming::Window {
            let rule = "with streaming window nothing recurs; use streaming auto";
            return unused("recurrence", "reduced", rule);
        }
        if network.recurrence == RecurrenceForm::Reduced && self.lookback() > LONGEST_REDUCED {
            let rule =
                format!("a kernel of more than {LONGEST_REDUCED} steps is too long to be reduced; use exact");
            return unused("recurrence", "reduced", &rule);
        }
        if let (true, Some(init)) = (is_global, mixer.init) {
            return unused("init", init.name(), "sgconv has no state; it is for s4 and s4d");
        }
        if is_global && mixer.discretisation.is_some() {
            return unused("discretisation", "set", "sgconv has no state; it is for s4 and s4d");
        }
        Ok(())
    }

    /// The setting that keeps a model from streaming step by step, its value and what to use instead.
    pub(crate) fn hinders_streaming(&self) -> Option<String> {
        let found = self.network.hinders_streaming(&self.mixer);
        let by_choice = (self.network.streaming == Streaming::Window).then_some((
            "streaming",
            "window",
            "that is how it was asked to go on; use auto",
        ));
        found.or(by_choice).map(|(field, value, rule)| format!("{field} is {value}: {rule}"))
    }

    /// Steps that a resolved configuration looks back.
    pub(crate) fn lookback(&self) -> usize {
        self.network.lookback.unwrap_or(1)
    }

    /// What every setting is, and the data, by name: what a checkpoint belongs to.
    pub(super) fn about(&self, training: &Training<'_>) -> BTreeMap<String, String> {
        let all = Map::from(self.clone()).into_iter().filter(|(key, _)| key != "time_limit");
        let mut about: BTreeMap<String, String> = all.map(|(key, value)| (key, value.to_string())).collect();
        about.insert("model".to_string(), "ssm".to_string());
        about.insert("horizon".to_string(), training.horizon.to_string());
        about.insert("channels".to_string(), training.channels.join(", "));
        about.insert("data".to_string(), training.fingerprint.to_string());
        // Another device rounds in another way.
        about.insert("device".to_string(), training.device.to_string());
        about
    }
}

/// Every how many steps a window begins, so that an epoch of long series does not take for ever; without a factor in
/// common with the season, so that all its phases are seen.
fn default_stride(shape: &Shape, channels: ChannelMixing) -> usize {
    // Every channel of every series has its stretches; independent ones are sequences of their own.
    let of_window = match channels {
        ChannelMixing::Independent => shape.stretches.len().max(shape.n_series),
        ChannelMixing::Mixed => shape.n_series,
    };
    let n_sequences = shape.n_steps.saturating_mul(of_window.max(1));
    let fewest = n_sequences.div_ceil(MOST_SEQUENCES).max(1);
    let season = shape.season_length.max(1);
    (fewest..fewest + season).find(|stride| gcd(*stride, season) == 1).unwrap_or(fewest)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::HeadKind;
    use crate::{ModelConfig, Step};

    fn config(settings: &[(&str, &str)]) -> Result<SsmSettings> {
        let mut config = ModelConfig::parse("ssm")?;
        for (key, value) in settings {
            config = config.with(key, value)?;
        }
        match config {
            ModelConfig::Ssm(settings) => settings.resolve(&shape(9_000)),
            _ => Err(Error::Internal(String::new())),
        }
    }

    fn shape(n_steps: usize) -> Shape {
        Shape {
            season_length: 24,
            frequency: "1h".parse::<Step>().unwrap().into(),
            n_steps,
            horizon: 24,
            n_series: 1,
            stretches: Vec::new(),
            has_gaps: false,
            seed: 1,
        }
    }

    #[test]
    fn settings_of_network_mixer_and_training_stand_side_by_side() {
        let settings =
            config(&[("d_model", "32"), ("mixer", "s4"), ("d_state", "16"), ("epochs", "2"), ("seed", "7")])
                .unwrap();
        assert_eq!((settings.network.d_model, settings.network.seed, settings.lookback()), (32, 7, 336));
        assert_eq!((settings.mixer.kind, settings.mixer.d_state), (MixerKind::S4, 16));
        assert_eq!((settings.training.epochs, settings.training.seed), (Some(2), Some(7)));
        // Time steps follow the lookback, and a schedule that ends low is not left before.
        assert_eq!((settings.mixer.dt_min, settings.mixer.dt_max), (Some(4.0 / 336.0), Some(0.1)));
        assert_eq!(
            (settings.training.schedule, settings.training.patience),
            (Some(Schedule::OneCycle), Some(2))
        );
        let constant = config(&[("schedule", "constant")]).unwrap().training;
        assert_eq!((constant.epochs, constant.patience), (Some(10), Some(3)));
        let of_quantiles = config(&[("head", "quantiles"), ("quantiles", "0.2,0.8")]).unwrap().network;
        assert_eq!((of_quantiles.head, &of_quantiles.quantiles[..]), (HeadKind::Quantiles, &[0.2, 0.8][..]));
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<SsmSettings>(&json).unwrap(), settings);
    }

    #[test]
    fn what_is_missing_is_told_where_something_is_unless_it_is_said() {
        let mask = |given: Option<&str>, has_gaps| {
            let ssm = ModelConfig::parse("ssm").unwrap();
            let ssm = given.map_or(ssm.clone(), |given| ssm.with("mask", given).unwrap());
            match ssm.resolve(&Shape { has_gaps, ..shape(9_000) }).unwrap() {
                ModelConfig::Ssm(settings) => settings.network.mask,
                _ => None,
            }
        };
        assert_eq!((mask(None, false), mask(None, true)), (Some(false), Some(true)));
        assert_eq!((mask(Some("true"), false), mask(Some("false"), true)), (Some(true), Some(false)));
        assert_eq!(mask(Some("null"), true), Some(true));
    }

    #[test]
    fn what_does_not_fit_is_told_with_the_setting() {
        for (settings, said) in [
            (vec![("d_modle", "3")], "the settings of ssm are anchor, batch_size"),
            (vec![("mixer", "mamba")], "mamba"),
            (vec![("d_state", "7")], "d_state is 7"),
            (vec![("dt_min", "0.5"), ("dt_max", "0.1")], "dt_min is 0.5"),
            (vec![("epochs", "0")], "epochs is 0"),
            (vec![("lookback", "0")], "lookback is 0"),
            (vec![("head", "normal")], "student-t"),
            (vec![("head", "quantiles"), ("quantiles", "0.5,0.1")], "they must rise"),
            (vec![("head", "quantiles"), ("quantiles", "")], "number of quantiles is 0"),
            (vec![("intervals", "head")], "intervals is head, but a point head has none"),
            (vec![("recurrence", "reduced")], "recurrence is reduced, but s4 and s4d stream exactly"),
            (vec![("mixer", "sgconv"), ("init", "lin")], "init is lin, but sgconv has no state"),
            (
                vec![("mixer", "sgconv"), ("recurrence", "reduced"), ("lookback", "65537")],
                "too long to be reduced; use exact",
            ),
        ] {
            let message = config(&settings).unwrap_err().to_string();
            assert!(message.contains(said), "{settings:?}: {message}");
        }
    }

    #[test]
    fn windows_of_long_series_begin_every_few_steps_at_all_phases_of_the_season() {
        let stride = |n| default_stride(&shape(n), ChannelMixing::Independent);
        assert_eq!([9_000, 16_384, 20_000, 100_000].map(stride), [1, 1, 5, 7]);
        // Seven channels are seven sequences, or one.
        let wide = Shape { stretches: vec![vec![8_640]; 7], ..shape(8_640) };
        assert_eq!(default_stride(&wide, ChannelMixing::Independent), 5);
        assert_eq!(default_stride(&wide, ChannelMixing::Mixed), 1);
    }
}
