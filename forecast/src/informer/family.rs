//! Informer as a family: its settings beside those of its training, fitting and loading.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::config::{EmbeddingKind, InformerConfig};
use super::import::{Imported, import};
use super::maps::AttentionMap;
use super::network::{Informer, Shape as NetworkShape};
use super::pass::Mode;
use super::weights::{from_tensors, of_network, to_tensors};
use crate::ar::UseCovariates;
use crate::data::{CalendarFeatures, InputColumns, InputWidths, Step, TimeFeatures};
use crate::model::{LoadShape, Shape, Tensors, Training};
use crate::nn::{
    Control, Head, HeadKind, Inputs, Network, NeuralFamily, Normalisation, Pass, Schedule, TrainingConfig,
    TrainingEvent, WindowMap, fit as train,
};
use crate::{Error, Result};

/// Settings of `informer`: those of the network ([`InformerConfig`]) and of its training ([`TrainingConfig`]) side by
/// side.
///
/// Where nothing is said, the network is small enough for two cores: `d_model` 64, `d_ff` 256, `n_heads` 4, each window
/// relative to its last value, trained at a learning rate of 0.0005. `preset` fills what is left at these defaults with a published configuration: `code`, or
/// `paper`, at the learning rate of 0.0001 that both have. Both halve the learning rate after each of at most 6 epochs,
/// of 32 windows a step, and stop after 3 epochs without a better one.
///
/// # Example
/// ```
/// use forecast::ModelConfig;
/// let config = ModelConfig::parse("informer")?.with("preset", "code")?.with("lookback", "48")?;
/// let json = serde_json::to_value(&config).unwrap();
/// assert_eq!((&json["d_model"], &json["lookback"]), (&512.into(), &48.into()));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Map<String, Value>", try_from = "Map<String, Value>")]
pub struct InformerSettings {
    /// The network.
    pub network: InformerConfig,
    /// How it is trained.
    pub training: TrainingConfig,
}

impl Default for InformerSettings {
    fn default() -> Self {
        let network = InformerConfig {
            d_model: 64,
            n_heads: 4,
            d_ff: 256,
            normalisation: Normalisation::LastValue,
            ..InformerConfig::default()
        };
        let training = TrainingConfig { seed: Some(network.seed), ..TrainingConfig::default() };
        InformerSettings { network, training }
    }
}

/// The learning rate of a small network, and of the published ones.
const SMALL_RATE: f64 = 5e-4;
const PUBLISHED_RATE: f64 = 1e-4;

impl From<InformerSettings> for Map<String, Value> {
    fn from(settings: InformerSettings) -> Self {
        let mut all = map(&settings.network);
        all.extend(map(&settings.training).into_iter().filter(|(key, _)| key != "seed"));
        all.insert("preset".to_string(), Value::Null);
        all
    }
}

impl TryFrom<Map<String, Value>> for InformerSettings {
    type Error = String;

    fn try_from(mut given: Map<String, Value>) -> Result<Self, String> {
        let default = InformerSettings::default();
        let mut training = TrainingConfig::default();
        let mut base = map(&default.network);
        match given.remove("preset") {
            None | Some(Value::Null) => {}
            Some(name) => {
                let name = name.as_str().map_or_else(|| name.to_string(), str::to_string);
                let preset = InformerConfig::preset(&name).map_err(|error| error.to_string())?;
                // Of a whole configuration, what is at its default is left open.
                if base.keys().all(|key| given.contains_key(key)) {
                    given.retain(|key, value| base.get(key) != Some(&*value));
                }
                base = map(&preset);
                training.learning_rate = Some(PUBLISHED_RATE);
            }
        }
        let mut of_training = map(&training);
        for (key, value) in given {
            match of_training.get_mut(&key) {
                // One seed for all.
                Some(_) if key == "seed" => {
                    base.insert(key, value);
                }
                Some(_) if value.is_null() => {}
                Some(known) => *known = value,
                None => {
                    base.insert(key, value);
                }
            }
        }
        let network: InformerConfig =
            serde_json::from_value(Value::Object(base)).map_err(|error| error.to_string())?;
        of_training.insert("seed".to_string(), network.seed.into());
        let training =
            serde_json::from_value(Value::Object(of_training)).map_err(|error| error.to_string())?;
        Ok(InformerSettings { network, training })
    }
}

fn map(of: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(of) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

impl InformerSettings {
    /// The settings with every open choice made.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting is out of range.
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        self.network.check()?;
        let usual = TrainingConfig {
            epochs: Some(6),
            patience: Some(3),
            learning_rate: Some(SMALL_RATE),
            schedule: Some(Schedule::Halving),
            seed: Some(self.network.seed),
            ..TrainingConfig::default()
        };
        let training = self.training.resolve(&usual)?;
        let mask = self.network.mask.unwrap_or(shape.has_gaps);
        Ok(InformerSettings {
            network: InformerConfig { mask: Some(mask), ..self.network.clone() },
            training,
        })
    }

    /// What every setting is, and the data, by name: what a checkpoint belongs to.
    fn about(&self, training: &Training<'_>) -> BTreeMap<String, String> {
        let all = Map::from(self.clone()).into_iter().filter(|(key, _)| key != "time_limit");
        let mut about: BTreeMap<String, String> = all.map(|(key, value)| (key, value.to_string())).collect();
        about.insert("model".to_string(), "informer".to_string());
        about.insert("horizon".to_string(), training.horizon.to_string());
        about.insert("channels".to_string(), training.channels.join(", "));
        about.insert("data".to_string(), training.fingerprint.to_string());
        // Another device rounds in another way.
        about.insert("device".to_string(), training.device.to_string());
        about
    }
}

/// What the calendar says of a step: features or tables of the reference code, nothing of an integer index.
fn calendar(network: &InformerConfig, step: Step) -> CalendarFeatures {
    let time = match (step, network.embedding) {
        (Step::Index(_), _) => TimeFeatures::None,
        (_, EmbeddingKind::TimeF) => TimeFeatures::Informer,
        (_, EmbeddingKind::Fixed | EmbeddingKind::Learned) => TimeFeatures::Tables,
    };
    CalendarFeatures { time, ..CalendarFeatures::default() }
}

impl InformerSettings {
    /// These settings with every size that a checkpoint of a network for this horizon tells, for data without covariates.
    ///
    /// # Errors
    /// As [`import`].
    pub(crate) fn of_weights(&self, path: &Path, horizon: usize) -> Result<Self> {
        let network = import(path, &self.network, horizon, &Device::flex())?.config;
        // The reference code tells neither what is missing nor covariates.
        let mask = network.mask.or(Some(false));
        let network = InformerConfig { mask, covariates: UseCovariates::Ignore, ..network };
        Ok(InformerSettings { network, training: self.training.clone() })
    }
}

/// Trains one network on all series.
///
/// # Errors
/// [`Error::BadOption`] for settings, [`Error::TooShort`], [`Error::Diverged`], those of a checkpoint.
pub(crate) fn fit(
    settings: &InformerSettings,
    training: &Training<'_>,
    watch: &mut dyn FnMut(&TrainingEvent) -> Control,
) -> Result<NeuralFamily<Informer>> {
    let Some(first) = training.series.first() else {
        return Err(Error::Internal("a training without series".to_string()));
    };
    let (n_channels, step) = (training.channels.len(), first.index().step);
    let calendar = calendar(&settings.network, step);
    let widths = training.inputs.map(InputColumns::widths).unwrap_or_default();
    check_embedding(settings.network.embedding, widths)?;
    let n_marks = calendar.n_columns(step) + widths.known;
    let (n_past, n_outputs) = (widths.past, n_channels);
    let shape = NetworkShape { n_channels, n_marks, n_past, n_outputs, horizon: training.horizon };
    if let Some(path) = training.weights {
        let Imported { network, .. } = import(path, &settings.network, shape.horizon, &Device::flex())?;
        check_shape(shape, network.shape())?;
        let tensors = to_tensors(&network)?;
        let network = network.for_forecasts();
        return Ok(NeuralFamily { network, calendar, n_channels, widths, tensors, report: None });
    }
    let network = Informer::new(&settings.network, shape, &training.device.device()?.autodiff())?;
    let about = settings.about(training);
    let trained = train(network, training, &calendar, &settings.training, &about, watch)?;
    let tensors = to_tensors(&trained.network)?;
    // What forecasts is on a device without gradients.
    let network = from_tensors(Informer::empty(&settings.network, shape, &Device::flex())?, &tensors)?;
    let network = network.for_forecasts();
    let report = Some(trained.report);
    Ok(NeuralFamily { network, calendar, n_channels, widths, tensors, report })
}

/// That covariates which are known ahead, or never change, have a layer that takes numbers.
fn check_embedding(embedding: EmbeddingKind, widths: InputWidths) -> Result<()> {
    let value = match embedding {
        EmbeddingKind::Fixed => "fixed",
        EmbeddingKind::Learned => "learned",
        EmbeddingKind::TimeF => return Ok(()),
    };
    if widths.known == 0 {
        return Ok(());
    }
    let rule = "its tables take parts of the calendar alone, and covariates that are known ahead or static are \
                numbers beside them; use timeF, or covariates = ignore";
    Err(Error::option("embedding", value, rule))
}

/// That a checkpoint takes and gives what the data have.
fn check_shape(data: NetworkShape, checkpoint: NetworkShape) -> Result<()> {
    for (field, of_data, of_checkpoint) in [
        ("channels", data.n_channels, checkpoint.n_channels),
        ("time marks", data.n_marks, checkpoint.n_marks),
        ("outputs", data.n_outputs, checkpoint.n_outputs),
    ] {
        if of_data != of_checkpoint {
            let rule = format!("the checkpoint was trained on {of_checkpoint}");
            return Err(Error::option(format!("the number of {field} of the data"), of_data, rule));
        }
    }
    Ok(())
}

/// A network from its tensors.
///
/// # Errors
/// [`Error::Internal`] with the tensor whose shape is wrong; the caller knows the file.
pub(crate) fn load(
    settings: &InformerSettings,
    tensors: &Tensors,
    of: LoadShape,
) -> Result<NeuralFamily<Informer>> {
    let calendar = calendar(&settings.network, of.step);
    let LoadShape { n_channels, horizon, inputs: widths, .. } = of;
    check_embedding(settings.network.embedding, widths)?;
    let n_marks = calendar.n_columns(of.step) + widths.known;
    let shape = NetworkShape { n_channels, n_marks, n_past: widths.past, n_outputs: n_channels, horizon };
    let network = from_tensors(Informer::empty(&settings.network, shape, &Device::flex())?, tensors)?;
    let network = network.for_forecasts();
    let tensors = of_network(tensors);
    Ok(NeuralFamily { network, calendar, n_channels, widths, tensors, report: None })
}

impl Network for Informer {
    fn lookback(&self) -> usize {
        self.config().lookback
    }

    fn horizon(&self) -> usize {
        self.shape().horizon
    }

    fn forward(&self, inputs: Inputs, pass: Pass) -> Tensor<3> {
        // Of a distribution its location, of quantiles the one in the middle.
        let at = match self.config().head {
            HeadKind::Quantiles => (self.head_of().n_outputs() - 1) / 2,
            HeadKind::Point | HeadKind::Gaussian | HeadKind::StudentT => 0,
        };
        self.parameters(inputs, pass).narrow(3, at, 1).squeeze_dim(3)
    }

    fn head(&self) -> &Head {
        self.head_of()
    }

    fn parameters(&self, inputs: Inputs, pass: Pass) -> Tensor<4> {
        let mode = match pass {
            Pass::Training { step } => Mode::training(step),
            Pass::Evaluation => Mode::evaluation(),
        };
        let ([x_enc, marks_enc, x_dec, marks_dec], map) = self.prepare(inputs);
        let outputs = self.forward(x_enc, marks_enc, x_dec, marks_dec, mode);
        let ([n_batch, horizon, _], n_outputs) = (outputs.dims(), self.shape().n_outputs);
        let head = self.head_of();
        if self.config().head == HeadKind::Point {
            return map.restore(outputs).unsqueeze_dim(3);
        }
        let outputs = outputs.reshape([n_batch, horizon, n_outputs, head.n_outputs()]);
        head.denormalise(head.parameters(outputs), &map)
    }

    fn has_own_intervals(&self) -> bool {
        self.config().has_own_intervals()
    }

    fn attention(&self, inputs: Inputs) -> Result<Vec<AttentionMap>> {
        let ([x_enc, marks_enc, x_dec, marks_dec], _) = self.prepare(inputs);
        self.attention_maps(x_enc, marks_enc, x_dec, marks_dec)
    }
}

impl Informer {
    /// Values and marks of the encoder, then of the decoder, and the way back from the normalised values.
    fn prepare(&self, inputs: Inputs) -> ([Tensor<3>; 4], WindowMap) {
        let (lookback, horizon) = (self.config().lookback, self.shape().horizon);
        let label_length = self.config().label_length;
        let mask = inputs.observed();
        let Inputs { values, known_ahead, past, .. } = inputs;
        let (values, map) = self.normaliser().normalise(values, mask.clone());
        let known = known_ahead.unwrap_or_else(|| {
            // A network without marks does not look at them.
            Tensor::zeros([values.dims()[0], lookback + horizon, 1], &values.device())
        });
        let marks_enc = known.clone().narrow(1, 0, lookback);
        let marks_dec = known.narrow(1, lookback - label_length, label_length + horizon);
        let mask = Some(mask).filter(|_| self.config().tells_missing());
        let values = match [Some(values), mask, past].into_iter().flatten().collect::<Vec<_>>() {
            mut only if only.len() == 1 => only.remove(0),
            several => Tensor::cat(several, 2),
        };
        let x_dec = self.decoder_input(&values);
        ([values, marks_enc, x_dec, marks_dec], map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelConfig;

    fn config(settings: &[(&str, &str)]) -> Result<InformerSettings> {
        let mut config = ModelConfig::parse("informer")?;
        for (key, value) in settings {
            config = config.with(key, value)?;
        }
        match config {
            ModelConfig::Informer(settings) => settings.resolve(&shape(false)),
            _ => Err(Error::Internal(String::new())),
        }
    }

    fn shape(has_gaps: bool) -> Shape {
        Shape {
            season_length: 24,
            frequency: Step::Index(1).into(),
            n_steps: 9_000,
            horizon: 24,
            n_series: 1,
            stretches: Vec::new(),
            has_gaps,
            seed: 1,
        }
    }

    #[test]
    fn what_is_missing_is_told_where_something_is_unless_it_is_said() {
        let mask = |given: Option<bool>, has_gaps| {
            let mut settings = InformerSettings::default();
            settings.network.mask = given;
            settings.resolve(&shape(has_gaps)).unwrap().network.mask
        };
        assert_eq!((mask(None, false), mask(None, true)), (Some(false), Some(true)));
        assert_eq!((mask(Some(true), false), mask(Some(false), true)), (Some(true), Some(false)));
    }

    #[test]
    fn settings_of_network_and_training_stand_side_by_side() {
        let settings =
            config(&[("d_model", "32"), ("epochs", "2"), ("seed", "7"), ("encoder_layers", "full")]).unwrap();
        assert_eq!((settings.network.d_model, settings.network.seed), (32, 7));
        assert_eq!((settings.training.epochs, settings.training.seed), (Some(2), Some(7)));
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<InformerSettings>(&json).unwrap(), settings);
    }

    #[test]
    fn a_preset_fills_what_is_left_at_its_default() {
        let paper = config(&[("lookback", "48"), ("preset", "paper")]).unwrap();
        assert_eq!((paper.network.d_model, paper.network.lookback, paper.network.n_heads), (512, 48, 16));
        assert_eq!(paper.training.learning_rate, Some(PUBLISHED_RATE));
        let settings = [("preset", "code"), ("normalisation", "last-value")];
        assert_eq!(config(&settings).unwrap().network.normalisation, Normalisation::LastValue);
        let text = r#"{"preset":"code","d_model":64,"normalisation":"last-value"}"#;
        let given: InformerSettings = serde_json::from_str(text).unwrap();
        assert_eq!((given.network.d_model, given.network.d_ff), (64, 2048));
        assert_eq!(given.network.normalisation, Normalisation::LastValue);
        let small = config(&[]).unwrap();
        assert_eq!((small.network.d_model, small.training.learning_rate), (64, Some(SMALL_RATE)));
    }

    #[test]
    fn what_does_not_fit_is_told_with_the_setting() {
        for (settings, said) in [
            (vec![("d_modle", "3")], "the settings of informer are activation, batch_size"),
            (vec![("preset", "large")], "it must be one of paper, code"),
            (vec![("label_length", "97")], "label_length is 97"),
            (vec![("epochs", "0")], "epochs is 0"),
            (vec![("optimiser", "sgd")], "adam"),
        ] {
            let message = config(&settings).unwrap_err().to_string();
            assert!(message.contains(said), "{settings:?}: {message}");
        }
    }
}
