//! The settings of the network of Informer, and the two published configurations by name.

use serde::{Deserialize, Serialize};

use crate::ar::UseCovariates;
use crate::nn::{Head, HeadKind, IntervalKind, Normalisation, PointLoss, USUAL_LEVELS, list};
use crate::{Error, Result};

/// Settings of the network; how it is trained is said elsewhere.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `lookback` | 96 | steps that the encoder sees | 1 to 65,536 |
/// | `label_length` | 48 | last steps of the lookback that the decoder starts from | 0 to `lookback` |
/// | `d_model` | 512 | width of the network | 1 to 8,192, divisible by the heads |
/// | `n_heads` | 8 | heads of self-attention | 1 to `d_model` |
/// | `cross_heads` | `n_heads` | heads of cross attention | 1 to `d_model` |
/// | `d_ff` | 2048 | width of the two-layer network after each attention | 1 to 32,768 |
/// | `encoder_layers` | prob, prob | attention of each encoder layer | 1 to 32 of prob, full |
/// | `decoder_layers` | prob | masked self-attention of each decoder layer | 1 to 32 of prob, full |
/// | `cross_attention` | full | attention from the decoder to the encoder | prob, full |
/// | `stacks` | none | layers of encoder `i`, which reads the last `lookback / 2^i` steps; 0 leaves it out | at most 8; the deepest has all of `encoder_layers`, others the first of them |
/// | `factor` | 5 | `c`: `c ceil(ln L)` keys are sampled and as many queries attend | 1 to 1,000 |
/// | `distil` | true | the sequence is halved between encoder layers | |
/// | `mix` | false | the heads of the decoder's self-attention are merged as the reference code does, see below | |
/// | `dropout` | 0.05 | share of activations set to 0 while training | at least 0, below 1 |
/// | `activation` | gelu | of the two-layer network | gelu, relu |
/// | `embedding` | timeF | time marks: features in a linear layer, or tables of sines, or tables that are learned | timeF, fixed, learned |
/// | `normalisation` | none | of each window by its own values: not at all, by the last one, or by mean and spread | none, last-value, revin |
/// | `head` | point | what is forecast of each value: a number, quantiles, or a distribution | point, quantiles, gaussian, student-t |
/// | `loss` | mse | what a point head minimises | mse, mae, huber |
/// | `quantiles` | 0.1, 0.5, 0.9 | of a head of quantiles; the forecast is the median, or what lies nearest | 1 to 99, rising, between 0 and 1 |
/// | `intervals` | conformal | intervals come from the errors on the validation range, or are those of the head | conformal, head |
/// | `mask` | true if the training range has missing values, else false | whether each value was observed is an input of its own | |
/// | `covariates` | use | whether the covariates that the data declare are inputs: those known ahead and static ones beside the time marks (of embedding timeF), past ones beside the values of the lookback | use, ignore |
/// | `samples` | seeded | keys that measure a query: drawn by the seed, or all of them | seeded, all |
/// | `seed` | 1 | of the first weights, of sampled keys and of dropout | |
///
/// # `mix`
/// The reference code does not undo a transpose before it merges the heads of the decoder's self-attention: row `t`
/// of the result then holds values of other steps, of one head only, so the layer is not causal and its heads do not
/// stand side by side. Its weights expect this layout (they were trained with it, and the published numbers were made
/// with it), so imported weights may need `mix`; there is no other reason to turn it on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InformerConfig {
    /// Steps that the encoder sees.
    pub lookback: usize,
    /// Last steps of the lookback that the decoder starts from.
    pub label_length: usize,
    /// Width of the network.
    pub d_model: usize,
    /// Heads of self-attention.
    pub n_heads: usize,
    /// Heads of cross attention, where they differ.
    pub cross_heads: Option<usize>,
    /// Width of the two-layer network after each attention.
    pub d_ff: usize,
    /// Attention of each encoder layer.
    #[serde(deserialize_with = "list::deserialize")]
    pub encoder_layers: Vec<AttentionKind>,
    /// Masked self-attention of each decoder layer.
    #[serde(deserialize_with = "list::deserialize")]
    pub decoder_layers: Vec<AttentionKind>,
    /// Attention from the decoder to the encoder.
    pub cross_attention: AttentionKind,
    /// Layers of several encoders, on the last `lookback`, `lookback / 2`, ... steps; empty is one encoder.
    #[serde(deserialize_with = "list::deserialize")]
    pub stacks: Vec<usize>,
    /// How many keys are sampled and how many queries attend.
    pub factor: usize,
    /// True if the sequence is halved between encoder layers.
    pub distil: bool,
    /// True if the decoder's heads are merged as the reference code does.
    pub mix: bool,
    /// Share of activations set to 0 while training.
    pub dropout: f64,
    /// Of the two-layer network after each attention.
    pub activation: FeedForwardActivation,
    /// How time marks enter.
    pub embedding: EmbeddingKind,
    /// Of each window by its own values.
    pub normalisation: Normalisation,
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
    /// Which keys measure a query.
    pub samples: SampledKeys,
    /// Of the first weights, of sampled keys and of dropout.
    pub seed: u64,
}

/// What an attention layer computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AttentionKind {
    /// ProbSparse: only the queries that single out some keys attend.
    Prob,
    /// Every query attends to every key.
    Full,
}

/// The activation of a two-layer network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeedForwardActivation {
    /// `max(0, x)`.
    Relu,
    /// `x Phi(x)`.
    #[default]
    Gelu,
}

/// How time marks are embedded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EmbeddingKind {
    /// A linear layer on features in [-0.5, 0.5].
    #[default]
    #[serde(rename = "timeF", alias = "time-f")]
    TimeF,
    /// Tables of sines and cosines, one for each part of the calendar.
    #[serde(rename = "fixed")]
    Fixed,
    /// Tables that are learned, one for each part of the calendar.
    #[serde(rename = "learned")]
    Learned,
}

/// Which keys measure the queries of ProbSparse attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampledKeys {
    /// As many as the factor says, drawn by the seed: anew in each training step, always the same when forecasting.
    #[default]
    Seeded,
    /// All of them, so that nothing is left to chance.
    All,
}

const LONGEST: usize = 65_536;
const WIDEST: usize = 8_192;
const WIDEST_FF: usize = 32_768;
const MOST_LAYERS: usize = 32;
const MOST_STACKS: usize = 8;
const LARGEST_FACTOR: usize = 1_000;
/// Weights of the network, at most.
const MOST_WEIGHTS: usize = 1 << 28;

impl Default for InformerConfig {
    fn default() -> Self {
        InformerConfig {
            lookback: 96,
            label_length: 48,
            d_model: 512,
            n_heads: 8,
            cross_heads: None,
            d_ff: 2048,
            encoder_layers: vec![AttentionKind::Prob; 2],
            decoder_layers: vec![AttentionKind::Prob],
            cross_attention: AttentionKind::Full,
            stacks: Vec::new(),
            factor: 5,
            distil: true,
            mix: false,
            dropout: 0.05,
            activation: FeedForwardActivation::Gelu,
            embedding: EmbeddingKind::TimeF,
            normalisation: Normalisation::None,
            head: HeadKind::Point,
            loss: PointLoss::Mse,
            quantiles: USUAL_LEVELS.to_vec(),
            intervals: IntervalKind::Conformal,
            mask: None,
            covariates: UseCovariates::Use,
            samples: SampledKeys::Seeded,
            seed: 1,
        }
    }
}

impl InformerConfig {
    /// The names of the published configurations.
    pub const PRESETS: [&'static str; 2] = ["paper", "code"];

    /// A published configuration.
    ///
    /// `paper` is table 7 of its appendix: an encoder of 3 layers and one of 1 layer on the last quarter of the input,
    /// 2 decoder layers, 16 heads of width 32, 8 of width 64 in cross attention, dropout 0.1. `code` has the defaults of
    /// the reference code, but for `mix`, which it has on.
    ///
    /// # Errors
    /// [`Error::BadOption`] lists the known names.
    ///
    /// # Example
    /// ```
    /// use forecast::informer::InformerConfig;
    /// let paper = InformerConfig::preset("paper")?;
    /// assert_eq!((paper.n_heads, paper.cross_heads, paper.stacks), (16, Some(8), vec![3, 0, 1]));
    /// let error = InformerConfig::preset("large").unwrap_err().to_string();
    /// assert_eq!(error, "preset is large, but it must be one of paper, code");
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn preset(name: &str) -> Result<Self> {
        match name {
            "paper" => Ok(InformerConfig {
                n_heads: 16,
                cross_heads: Some(8),
                encoder_layers: vec![AttentionKind::Prob; 3],
                decoder_layers: vec![AttentionKind::Prob; 2],
                stacks: vec![3, 0, 1],
                dropout: 0.1,
                ..Self::default()
            }),
            "code" => Ok(Self::default()),
            _ => {
                let rule = format!("it must be one of {}", Self::PRESETS.join(", "));
                Err(Error::option("preset", name, rule))
            }
        }
    }

    /// Checks the range of every setting.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the first setting that is out of range.
    pub fn check(&self) -> Result<()> {
        let within = |field: &str, value: usize, least: usize, most: usize| match value {
            value if (least..=most).contains(&value) => Ok(()),
            _ => Err(Error::option(field, value, format!("it must be from {least} to {most}"))),
        };
        within("lookback", self.lookback, 1, LONGEST)?;
        if self.label_length > self.lookback {
            let rule =
                format!("the decoder starts from steps of the lookback; use at most {}", self.lookback);
            return Err(Error::option("label_length", self.label_length, rule));
        }
        within("d_model", self.d_model, 1, WIDEST)?;
        within("d_ff", self.d_ff, 1, WIDEST_FF)?;
        for (field, n_heads) in [("n_heads", self.n_heads), ("cross_heads", self.cross_heads())] {
            within(field, n_heads, 1, self.d_model)?;
            if !self.d_model.is_multiple_of(n_heads) {
                let rule = format!("it must divide d_model, which is {}", self.d_model);
                return Err(Error::option(field, n_heads, rule));
            }
        }
        within("number of encoder_layers", self.encoder_layers.len(), 1, MOST_LAYERS)?;
        within("number of decoder_layers", self.decoder_layers.len(), 1, MOST_LAYERS)?;
        within("factor", self.factor, 1, LARGEST_FACTOR)?;
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::option("dropout", self.dropout, "it must be at least 0 and below 1"));
        }
        self.check_stacks()?;
        let head = self.head()?;
        head.check_used(&self.quantiles)?;
        head.check_intervals(self.intervals)?;
        let n_layers =
            self.encoders().iter().map(|(_, depth)| depth).sum::<usize>() + 2 * self.decoder_layers.len();
        let of_layer = self.d_model * (7 * self.d_model + 2 * self.d_ff);
        if n_layers.saturating_mul(of_layer) > MOST_WEIGHTS {
            let rule = format!(
                "no network has more than {MOST_WEIGHTS} weights; use a smaller one, or fewer layers"
            );
            return Err(Error::option("d_model", self.d_model, rule));
        }
        Ok(())
    }

    fn check_stacks(&self) -> Result<()> {
        if self.stacks.is_empty() {
            return Ok(());
        }
        if self.stacks.len() > MOST_STACKS {
            let rule = format!("it must be at most {MOST_STACKS}");
            return Err(Error::option("number of stacks", self.stacks.len(), rule));
        }
        let listed = || self.stacks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let deepest = self.stacks.iter().copied().max().unwrap_or(0);
        if deepest != self.encoder_layers.len() {
            let rule = format!(
                "the deepest must have as many layers as encoder_layers, {}",
                self.encoder_layers.len()
            );
            return Err(Error::option("stacks", listed(), rule));
        }
        if self.lookback >> (self.stacks.len() - 1) == 0 {
            let rule = format!(
                "the last one would see none of the {} steps of the lookback; use fewer",
                self.lookback
            );
            return Err(Error::option("stacks", listed(), rule));
        }
        Ok(())
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

    /// True if whether each value was observed is an input.
    pub(super) fn tells_missing(&self) -> bool {
        self.mask == Some(true)
    }

    /// Heads of cross attention.
    pub(super) fn cross_heads(&self) -> usize {
        self.cross_heads.unwrap_or(self.n_heads)
    }

    /// Steps that each encoder reads, and its layers.
    pub(super) fn encoders(&self) -> Vec<(usize, usize)> {
        if self.stacks.is_empty() {
            return vec![(self.lookback, self.encoder_layers.len())];
        }
        let halved = |(i, depth): (usize, &usize)| (self.lookback >> i, *depth);
        self.stacks.iter().enumerate().map(halved).filter(|(_, depth)| *depth > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<InformerConfig, String> {
        let config: InformerConfig = serde_json::from_str(json).map_err(|error| error.to_string())?;
        config.check().map_err(|error| error.to_string())?;
        Ok(config)
    }

    #[test]
    fn presets_are_within_their_ranges_and_survive_json() {
        for name in InformerConfig::PRESETS {
            let config = InformerConfig::preset(name).unwrap();
            config.check().unwrap();
            assert_eq!(parsed(&serde_json::to_string(&config).unwrap()).unwrap(), config);
        }
        assert_eq!(InformerConfig::preset("paper").unwrap().encoders(), [(96, 3), (24, 1)]);
        assert_eq!(InformerConfig::preset("code").unwrap().encoders(), [(96, 2)]);
    }

    #[test]
    fn lists_are_read_from_text_and_from_lists() {
        let text = parsed(r#"{"encoder_layers": "prob, full,prob", "stacks": "3,2,1"}"#).unwrap();
        let list = parsed(r#"{"encoder_layers": ["prob", "full", "prob"], "stacks": [3, 2, 1]}"#).unwrap();
        assert_eq!((&text, text.encoders()), (&list, vec![(96, 3), (48, 2), (24, 1)]));
        assert_eq!(text.encoder_layers[1], AttentionKind::Full);
        let one = parsed(r#"{"encoder_layers": "full", "stacks": 1, "embedding": "timeF"}"#).unwrap();
        assert_eq!((one.encoder_layers, one.stacks), (vec![AttentionKind::Full], vec![1]));
        assert!(parsed(r#"{"encoder_layers": "full", "stacks": ""}"#).unwrap().stacks.is_empty());
    }

    #[test]
    fn settings_out_of_range_are_refused_with_the_rule() {
        for (json, said) in [
            (r#"{"lookback": 0}"#, "lookback is 0, but it must be from 1 to 65536"),
            (
                r#"{"label_length": 97}"#,
                "label_length is 97, but the decoder starts from steps of the lookback; use at most 96",
            ),
            (r#"{"factor": 0}"#, "factor is 0, but it must be from 1"),
            (r#"{"d_model": 12}"#, "n_heads is 8, but it must divide d_model, which is 12"),
            (r#"{"cross_heads": 3}"#, "cross_heads is 3, but it must divide d_model"),
            (r#"{"n_heads": 0}"#, "n_heads is 0"),
            (r#"{"d_ff": 0}"#, "d_ff is 0"),
            (r#"{"d_model": 8192, "d_ff": 32768}"#, "no network has more than"),
            (r#"{"encoder_layers": []}"#, "number of encoder_layers is 0"),
            (r#"{"decoder_layers": ""}"#, "number of decoder_layers is 0"),
            (r#"{"encoder_layers": "prob,sparse"}"#, "unknown variant `sparse`, expected `prob` or `full`"),
            (
                r#"{"stacks": [3, 2, 1]}"#,
                "stacks is 3,2,1, but the deepest must have as many layers as encoder_layers, 2",
            ),
            (r#"{"stacks": "2,1", "lookback": 1, "label_length": 0}"#, "would see none of the 1 steps"),
            (r#"{"stacks": [0]}"#, "stacks is 0, but the deepest"),
            (r#"{"dropout": 1}"#, "dropout is 1, but it must be at least 0 and below 1"),
            (r#"{"dropout": -0.1}"#, "dropout is -0.1"),
            (r#"{"embedding": "time"}"#, "unknown variant `time`"),
            (r#"{"d_modle": 64}"#, "unknown field `d_modle`"),
        ] {
            let message = parsed(json).unwrap_err();
            assert!(message.contains(said), "{json}: {message}");
        }
    }
}
