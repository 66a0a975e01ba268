//! The settings of the forecaster around the mixers.

use serde::{Deserialize, Serialize};

use super::{Direction, MixerConfig};
use crate::ar::UseCovariates;
use crate::nn::{Head, HeadKind, IntervalKind, Normalisation, PointLoss, USUAL_LEVELS, list};
use crate::{Error, Result};

/// Settings of the network around its mixers, which have [their own](MixerConfig).
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `lookback` | twice the longest usual season of at most 336 steps, at least 96, at most a quarter of the shortest series | steps of a window, after which a stream forecasts as well as any | 1 to 2,000,000 |
/// | `d_model` | 64 | width of the network | 1 to 2,048 |
/// | `n_layers` | 2 | blocks | 1 to 32 |
/// | `dropout` | 0.2 | share of activations set to 0 while training | at least 0, below 1 |
/// | `decoder` | direct | how the horizon is forecast: all steps from the last state, or as unknown steps that follow the window | direct, mask |
/// | `channels` | independent | whether each channel is a sequence of its own for one network, or all are mixed | independent, mixed |
/// | `normalisation` | none | of each window by its own values: none (the training range has scaled them), by the last one, or by mean and spread | none, last-value, revin |
/// | `anchor` | last-value | what forecasts are relative to where windows are not normalised | last-value, none |
/// | `head` | point | what is forecast of each value: a number, quantiles, or a distribution | point, quantiles, gaussian, student-t |
/// | `loss` | mse | what a point head minimises | mse, mae, huber |
/// | `quantiles` | 0.1, 0.5, 0.9 | of a head of quantiles; the forecast is the median, or what lies nearest | 1 to 99, rising, between 0 and 1 |
/// | `intervals` | conformal | intervals come from the errors on the validation range, or are those of the head, which knows of missing values what `mask` tells it | conformal, head |
/// | `mask` | true if the training range has missing values, else false | whether each value was observed is an input of its own; a stream then takes a missing value for 0, as in training, not for its own forecast, which is better where gaps are many | |
/// | `covariates` | use | whether the covariates that the data declare are inputs: those known ahead of every step seen and of those to forecast, static ones of all of them, past ones of those seen | use, ignore |
/// | `norm` | none | what a block does first | none, layer |
/// | `calendar` | none | what is told of time | none, features |
/// | `streaming` | auto | how a stream goes on: step by step where settings allow it, only so, or by reading the window again | auto, step, window |
/// | `recurrence` | exact | what `sgconv` streams by: the convolution itself, with a state as long as the lookback, or a recurrence of low order that is close to it, how close is told after fitting | exact, reduced |
/// | `max_order` | 64 | order of that recurrence, at most | 1 to 512 |
/// | `seed` | 1 | of the first weights and of dropout | |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SsmConfig {
    /// Steps of a window.
    pub lookback: Option<usize>,
    /// Width of the network.
    pub d_model: usize,
    /// Blocks.
    pub n_layers: usize,
    /// Share of activations set to 0 while training.
    pub dropout: f64,
    /// How the horizon is forecast.
    pub decoder: Decoder,
    /// Whether channels are mixed.
    pub channels: ChannelMixing,
    /// Of each window by its own values.
    pub normalisation: Normalisation,
    /// What forecasts are relative to where windows are not normalised.
    pub anchor: Anchor,
    /// What is forecast of each value.
    pub head: HeadKind,
    /// What a point head minimises.
    pub loss: PointLoss,
    /// The levels of a head of quantiles.
    #[serde(deserialize_with = "list::deserialize")]
    pub quantiles: Vec<f64>,
    /// Where intervals come from.
    pub intervals: IntervalKind,
    /// True if whether each value was observed is an input of its own.
    pub mask: Option<bool>,
    /// Whether covariates that the data declare are inputs.
    pub covariates: UseCovariates,
    /// What a block does first.
    pub norm: BlockNorm,
    /// What is told of time.
    pub calendar: CalendarUse,
    /// How a stream goes on.
    pub streaming: Streaming,
    /// What `sgconv` streams by.
    pub recurrence: RecurrenceForm,
    /// Order of a reduced recurrence, at most.
    pub max_order: usize,
    /// Of the first weights and of dropout.
    pub seed: u64,
}

/// How a horizon is forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decoder {
    /// All steps by a linear map of the last state.
    #[default]
    Direct,
    /// The window is followed by as many unknown steps, whose states are mapped to their forecasts, as S4's authors do
    /// against Informer.
    Mask,
}

/// Whether channels see each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelMixing {
    /// Each channel is a sequence of its own; all share the weights.
    #[default]
    Independent,
    /// All channels enter one sequence.
    Mixed,
}

/// What forecasts are relative to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Anchor {
    /// The last value of the window.
    #[default]
    LastValue,
    /// Nothing.
    None,
}

/// What a block does first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockNorm {
    /// Nothing: the size of values goes through.
    #[default]
    None,
    /// Layer norm.
    Layer,
}

/// What the network is told of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CalendarUse {
    /// Nothing.
    #[default]
    None,
    /// Time features of every step seen, and of those to forecast.
    Features,
}

/// How a stream goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Streaming {
    /// Step by step where the other settings allow it, else by the window.
    #[default]
    Auto,
    /// Step by step: other settings that prevent it are refused.
    Step,
    /// By reading the window again for each forecast.
    Window,
}

/// What a global convolution streams by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecurrenceForm {
    /// The convolution itself, with a state as long as the lookback.
    #[default]
    Exact,
    /// A recurrence of low order that is close to it.
    Reduced,
}

const LONGEST: usize = 2_000_000;
const WIDEST: usize = 2_048;
const MOST_LAYERS: usize = 32;
const HIGHEST_ORDER: usize = 512;
/// Numbers of the weights of a layer, and of the activations of a batch in it, at most.
const MOST_NUMBERS: usize = 1 << 28;
/// The longest season that the default lookback holds twice, and the shortest default lookback.
const LONGEST_SEASON: usize = 336;
const SHORTEST_DEFAULT: usize = 96;

impl Default for SsmConfig {
    fn default() -> Self {
        SsmConfig {
            lookback: None,
            d_model: 64,
            n_layers: 2,
            dropout: 0.2,
            decoder: Decoder::Direct,
            channels: ChannelMixing::Independent,
            normalisation: Normalisation::None,
            anchor: Anchor::LastValue,
            head: HeadKind::Point,
            loss: PointLoss::Mse,
            quantiles: USUAL_LEVELS.to_vec(),
            intervals: IntervalKind::Conformal,
            mask: None,
            covariates: UseCovariates::Use,
            norm: BlockNorm::None,
            calendar: CalendarUse::None,
            streaming: Streaming::Auto,
            recurrence: RecurrenceForm::Exact,
            max_order: 64,
            seed: 1,
        }
    }
}

impl SsmConfig {
    /// The lookback where nothing is said: long enough for two of the longest usual season that is not too long.
    pub(crate) fn default_lookback(usual_seasons: &[usize], season_length: usize, n_steps: usize) -> usize {
        let seasons = usual_seasons.iter().copied().chain([season_length]);
        let longest = seasons.filter(|season| *season <= LONGEST_SEASON).max().unwrap_or(1);
        let most = if n_steps == 0 { usize::MAX } else { (n_steps / 4).max(1) };
        (2 * longest).max(SHORTEST_DEFAULT).min(most)
    }

    /// Checks the range of every setting.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the first setting that is out of range.
    pub fn check(&self) -> Result<()> {
        let within = |field: &str, value: usize, most: usize| match value {
            value if (1..=most).contains(&value) => Ok(()),
            _ => Err(Error::option(field, value, format!("it must be from 1 to {most}"))),
        };
        if let Some(lookback) = self.lookback.filter(|steps| !(1..=LONGEST).contains(steps)) {
            let rule =
                format!("it must be from 1 to {LONGEST}; a stream remembers further back than its lookback");
            return Err(Error::option("lookback", lookback, rule));
        }
        within("d_model", self.d_model, WIDEST)?;
        within("n_layers", self.n_layers, MOST_LAYERS)?;
        within("max_order", self.max_order, HIGHEST_ORDER)?;
        if !(self.dropout >= 0.0 && self.dropout < 1.0) {
            return Err(Error::option("dropout", self.dropout, "it must be at least 0 and below 1"));
        }
        let head = self.head()?;
        head.check_used(&self.quantiles)?;
        head.check_intervals(self.intervals)
    }

    /// The head.
    ///
    /// # Errors
    /// [`Error::BadOption`] for levels of quantiles that are out of range.
    pub(super) fn head(&self) -> Result<Head> {
        Head::new(self.head, self.loss, &self.quantiles)
    }

    /// True if intervals are those of the head.
    pub(crate) fn has_own_intervals(&self) -> bool {
        self.intervals == IntervalKind::Head
    }

    /// That a network of these sizes is not too large.
    ///
    /// # Errors
    /// [`Error::BadOption`] with `d_model`.
    pub(crate) fn check_size(&self, n_inputs: usize, n_outputs: usize) -> Result<()> {
        let blocks = self.n_layers.saturating_mul(2 * self.d_model + 8);
        let rows = n_inputs.saturating_add(n_outputs).saturating_add(blocks);
        if rows.saturating_mul(self.d_model) > MOST_NUMBERS {
            let rule = format!(
                "layers of {rows} rows would hold more than {MOST_NUMBERS} numbers; use a smaller one"
            );
            return Err(Error::option("d_model", self.d_model, rule));
        }
        Ok(())
    }

    /// That the activations of a batch are not too large: the numbers of each layer of `batch_size` windows, each of so
    /// many sequences of so many steps.
    ///
    /// # Errors
    /// [`Error::BadOption`] with `batch_size`.
    pub(crate) fn check_batch(&self, batch_size: usize, n_sequences: usize, n_steps: usize) -> Result<()> {
        let of_window = n_sequences.max(1).saturating_mul(n_steps.max(1)).saturating_mul(self.d_model);
        if of_window.saturating_mul(batch_size) <= MOST_NUMBERS {
            return Ok(());
        }
        let most = MOST_NUMBERS / of_window;
        let advice = match most {
            0 => "even one is too large; use a shorter lookback or a smaller d_model".to_string(),
            most => format!("use at most {most}, or a smaller d_model"),
        };
        let rule = format!(
            "windows of {n_steps} steps would fill every layer with more than {MOST_NUMBERS} numbers; {advice}"
        );
        Err(Error::option("batch_size", batch_size, rule))
    }

    /// That the outputs of a batch are not too large: those of `batch_size` windows of so many values each.
    ///
    /// # Errors
    /// [`Error::BadOption`] with `batch_size`.
    pub(crate) fn check_outputs(&self, batch_size: usize, n_values: usize) -> Result<()> {
        let of_window = self.head()?.n_outputs().saturating_mul(n_values.max(1));
        if of_window.saturating_mul(batch_size) <= MOST_NUMBERS {
            return Ok(());
        }
        let advice = match MOST_NUMBERS / of_window {
            0 => "even one is too large; use a shorter horizon or fewer quantiles".to_string(),
            most => format!("use at most {most}, a shorter horizon or fewer quantiles"),
        };
        let rule =
            format!("forecasts of {n_values} values would be more than {MOST_NUMBERS} numbers; {advice}");
        Err(Error::option("batch_size", batch_size, rule))
    }

    /// The setting that keeps a network from streaming step by step, with its value and what to use instead; `None`
    /// for one that streams.
    pub(crate) fn hinders_streaming(
        &self,
        mixer: &MixerConfig,
    ) -> Option<(&'static str, &'static str, &'static str)> {
        if mixer.direction == Direction::Both {
            return Some(("direction", "both", "a layer that reads backwards has no recurrence; use causal"));
        }
        if self.decoder == Decoder::Mask {
            let rule = "unknown steps follow the whole window; use decoder direct";
            return Some(("decoder", "mask", rule));
        }
        match self.normalisation {
            Normalisation::None => None,
            Normalisation::LastValue => Some((
                "normalisation",
                "last-value",
                "it changes with every window; use none, with anchor last-value",
            )),
            Normalisation::RevIn => {
                Some(("normalisation", "revin", "it changes with every window; use none"))
            }
        }
    }

    /// Whether a stream goes on step by step.
    ///
    /// # Errors
    /// [`Error::BadOption`] if that is asked for, with the setting that prevents it and what to use.
    pub(crate) fn streams_by_step(&self, mixer: &MixerConfig) -> Result<bool> {
        match (self.streaming, self.hinders_streaming(mixer)) {
            (Streaming::Window, _) | (Streaming::Auto, Some(_)) => Ok(false),
            (_, None) => Ok(true),
            (Streaming::Step, Some((field, value, rule))) => {
                Err(Error::option(field, value, format!("with streaming step {rule}")))
            }
        }
    }

    /// True if whether each value was observed is an input.
    pub(crate) fn tells_missing(&self) -> bool {
        self.mask == Some(true)
    }

    /// True if forecasts are relative to the last value.
    pub(crate) fn is_anchored(&self) -> bool {
        self.normalisation == Normalisation::None && self.anchor == Anchor::LastValue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_lookback_holds_two_seasons_and_fits_the_data() {
        // Hours, five minutes (a week of which is too long), days, and few steps.
        assert_eq!(SsmConfig::default_lookback(&[24, 168], 24, 10_000), 336);
        assert_eq!(SsmConfig::default_lookback(&[12, 288, 2_016], 288, 50_000), 576);
        assert_eq!(SsmConfig::default_lookback(&[7], 7, 5_000), 96);
        assert_eq!(SsmConfig::default_lookback(&[24, 168], 24, 200), 50);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let message = |config: SsmConfig| config.check().unwrap_err().to_string();
        assert!(message(SsmConfig { lookback: Some(0), ..SsmConfig::default() }).contains("lookback is 0"));
        assert!(message(SsmConfig { d_model: 4_000, ..SsmConfig::default() }).contains("d_model is 4000"));
        assert!(message(SsmConfig { dropout: 1.0, ..SsmConfig::default() }).contains("dropout is 1"));
        assert!(SsmConfig::default().check().is_ok());
        let long = |batch_size| SsmConfig::default().check_batch(batch_size, 7, 20_000);
        long(29).unwrap();
        let said = long(30).unwrap_err().to_string();
        assert!(said.contains("batch_size is 30") && said.contains("use at most 29"), "{said}");
        let said = SsmConfig::default().check_batch(1, 3, 2_000_000).unwrap_err().to_string();
        assert!(said.contains("even one is too large"), "{said}");
        // Two weeks of minutes of seven channels, 99 numbers each.
        let quantiles: Vec<f64> = (1..100).map(|i| f64::from(i) / 100.0).collect();
        let wide = SsmConfig { head: HeadKind::Quantiles, quantiles, ..SsmConfig::default() };
        wide.check_outputs(19, 7 * 20_160).unwrap();
        let said = wide.check_outputs(32, 7 * 20_160).unwrap_err().to_string();
        assert!(said.contains("batch_size is 32") && said.contains("use at most 19, a shorter"), "{said}");
        let large = SsmConfig { d_model: 2_048, ..SsmConfig::default() };
        assert!(large.check_size(1, 200_000).unwrap_err().to_string().contains("d_model is 2048"));
    }

    #[test]
    fn what_cannot_stream_says_why_and_what_to_use() {
        let mixer = MixerConfig::default();
        let base = SsmConfig { streaming: Streaming::Step, ..SsmConfig::default() };
        let check = |config: SsmConfig, mixer: &MixerConfig, said: &str| {
            let message = config.streams_by_step(mixer).unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
            let auto = SsmConfig { streaming: Streaming::Auto, ..config };
            assert!(!auto.streams_by_step(mixer).unwrap());
        };
        check(SsmConfig { decoder: Decoder::Mask, ..base.clone() }, &mixer, "decoder is mask");
        let last = SsmConfig { normalisation: Normalisation::LastValue, ..base.clone() };
        check(last, &mixer, "use none, with anchor last-value");
        let both = MixerConfig { direction: Direction::Both, ..MixerConfig::default() };
        check(base.clone(), &both, "direction is both");
        assert!(base.streams_by_step(&mixer).unwrap());
        let window = SsmConfig { streaming: Streaming::Window, ..base };
        assert!(!window.streams_by_step(&mixer).unwrap());
    }
}
