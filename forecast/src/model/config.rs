//! The closed list of model families and their settings.

use std::path::Path;

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Family, LoadShape, Tensors, Training};
use crate::ar::neural::{self, NeuralArConfig};
use crate::ar::{self, ArConfig, PenaltyKind, UseCovariates};
use crate::baseline::{self, DriftConfig, NaiveConfig, SeasonalNaiveConfig, WindowMeanConfig};
use crate::data::{Frequency, Series};
use crate::informer::{self, InformerSettings};
use crate::nn::{Control, TrainingEvent};
use crate::ssm::{self, SsmSettings};
use crate::{Error, Result};

/// What defaults are told from.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Steps of one season.
    pub(crate) season_length: usize,
    /// Step and opening of the data.
    pub(crate) frequency: Frequency,
    /// Steps of the shortest series.
    pub(crate) n_steps: usize,
    /// Steps ahead that the model is fitted for.
    pub(crate) horizon: usize,
    /// Series of one model.
    pub(crate) n_series: usize,
    /// Lengths of the complete stretches of each series and channel.
    pub(crate) stretches: Vec<Vec<usize>>,
    /// Whether a value of the training range is missing.
    pub(crate) has_gaps: bool,
    /// Of what is random, unless a family is told its own.
    pub(crate) seed: u64,
}

impl Shape {
    /// Lengths of the stretches without a missing value, of every channel of these series.
    pub(crate) fn stretches<'a>(series: impl IntoIterator<Item = &'a Series>) -> Vec<Vec<usize>> {
        let lengths = |column: ArrayView1<'_, f64>| {
            let values = column.to_vec();
            values.split(|value| value.is_nan()).map(<[f64]>::len).filter(|length| *length > 0).collect()
        };
        let of_series =
            |series: &'a Series| series.values().columns().into_iter().map(lengths).collect::<Vec<_>>();
        series.into_iter().flat_map(of_series).collect()
    }

    /// True if any of these series lacks a value.
    pub(crate) fn has_gaps<'a>(series: impl IntoIterator<Item = &'a Series>) -> bool {
        series.into_iter().any(|series| series.values().iter().any(|value| value.is_nan()))
    }
}

/// A model family with its settings.
///
/// # Example
/// ```
/// use forecast::ModelConfig;
/// let config = ModelConfig::parse("ar")?.with("order", "168")?;
/// assert_eq!(config.name(), "ar");
/// let error = ModelConfig::parse("arima").unwrap_err().to_string();
/// assert!(error.contains("known models are naive, seasonal-naive"));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "kebab-case")]
pub enum ModelConfig {
    /// The last value.
    Naive(NaiveConfig),
    /// The value one season ago.
    SeasonalNaive(SeasonalNaiveConfig),
    /// The line through the first and the last value of the lookback.
    Drift(DriftConfig),
    /// The mean of the lookback.
    WindowMean(WindowMeanConfig),
    /// Autoregression by least squares: the textbook's, or direct, anchored and shrunk.
    Ar(ArConfig),
    /// Sparse autoregression: AR-Net's objective, solved exactly, with weights that are exactly zero.
    ArNet(ArConfig),
    /// Autoregression trained by gradient descent: AR-Net.
    NeuralAr(NeuralArConfig),
    /// ProbSparse encoder-decoder, all channels and a long horizon in one pass.
    Informer(InformerSettings),
    /// State spaces and global convolutions: the longest memory, and streams that never read a step twice.
    Ssm(SsmSettings),
}

impl ModelConfig {
    /// The names of all families.
    pub const NAMES: [&'static str; 9] =
        ["naive", "seasonal-naive", "drift", "window-mean", "ar", "ar-net", "neural-ar", "informer", "ssm"];

    /// The default settings of the family with this name.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] lists the known names.
    pub fn parse(name: &str) -> Result<Self> {
        match name {
            "naive" => Ok(ModelConfig::Naive(NaiveConfig::default())),
            "seasonal-naive" => Ok(ModelConfig::SeasonalNaive(SeasonalNaiveConfig::default())),
            "drift" => Ok(ModelConfig::Drift(DriftConfig::default())),
            "window-mean" => Ok(ModelConfig::WindowMean(WindowMeanConfig::default())),
            "ar" => Ok(ModelConfig::Ar(ArConfig::default())),
            "ar-net" => Ok(ModelConfig::ArNet(ArConfig::default())),
            "neural-ar" => Ok(ModelConfig::NeuralAr(NeuralArConfig::default())),
            "informer" => Ok(ModelConfig::Informer(InformerSettings::default())),
            "ssm" => Ok(ModelConfig::Ssm(SsmSettings::default())),
            _ => Err(Error::UnknownModel { name: name.to_string(), known: Self::NAMES.join(", ") }),
        }
    }

    /// The name of the family, as in output columns.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            ModelConfig::Naive(_) => "naive",
            ModelConfig::SeasonalNaive(_) => "seasonal-naive",
            ModelConfig::Drift(_) => "drift",
            ModelConfig::WindowMean(_) => "window-mean",
            ModelConfig::Ar(_) => "ar",
            ModelConfig::ArNet(_) => "ar-net",
            ModelConfig::NeuralAr(_) => "neural-ar",
            ModelConfig::Informer(_) => "informer",
            ModelConfig::Ssm(_) => "ssm",
        }
    }

    /// The names of the settings, in alphabetical order.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        let settings = serde_json::to_value(self).ok();
        let names = settings.as_ref().and_then(Value::as_object).into_iter().flat_map(|map| map.keys());
        let mut names: Vec<String> = names.filter(|name| *name != "model").cloned().collect();
        names.sort();
        names
    }

    /// The same settings with one changed; `value` is text such as `168` or `true`.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the family has no such setting or the value does not fit it.
    pub fn with(&self, key: &str, value: &str) -> Result<Self> {
        let internal = |error: serde_json::Error| Error::Internal(error.to_string());
        let mut settings = serde_json::to_value(self).map_err(internal)?;
        let value: Value = serde_json::from_str(value).unwrap_or_else(|_| Value::from(value));
        let Some(map) = settings.as_object_mut() else {
            return Err(Error::Internal("settings are not a map".to_string()));
        };
        let known = self.settings();
        if key == "model" || !map.contains_key(key) {
            let rule = if known.is_empty() {
                format!("{} has no settings", self.name())
            } else {
                format!("the settings of {} are {}", self.name(), known.join(", "))
            };
            return Err(Error::option(key, value, rule));
        }
        map.insert(key.to_string(), value.clone());
        serde_json::from_value(settings).map_err(|error| Error::option(key, value, error.to_string()))
    }

    /// The same settings with every open choice made.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a setting is out of range.
    pub(crate) fn resolve(&self, shape: &Shape) -> Result<Self> {
        let season_length = shape.season_length;
        let season = |own: Option<usize>| own.unwrap_or(season_length);
        Ok(match self {
            ModelConfig::Naive(config) => ModelConfig::Naive(config.clone()),
            ModelConfig::SeasonalNaive(config) => {
                let season_length = check_count("season_length", season(config.season_length))?;
                ModelConfig::SeasonalNaive(SeasonalNaiveConfig { season_length: Some(season_length) })
            }
            ModelConfig::Drift(config) => {
                let lookback = config.lookback.unwrap_or(season_length.max(24));
                if check_count("lookback", lookback)? < 2 {
                    return Err(Error::option("lookback", lookback, "a drift needs at least 2 steps"));
                }
                ModelConfig::Drift(DriftConfig { lookback: Some(lookback) })
            }
            ModelConfig::WindowMean(config) => {
                let lookback = check_count("lookback", season(config.lookback))?;
                ModelConfig::WindowMean(WindowMeanConfig { lookback: Some(lookback) })
            }
            ModelConfig::Ar(config) => ModelConfig::Ar(config.resolve(shape)?),
            ModelConfig::ArNet(config) => {
                let penalty = config.penalty.or(Some(PenaltyKind::Sparse));
                ModelConfig::ArNet(ArConfig { penalty, ..config.clone() }.resolve(shape)?)
            }
            ModelConfig::NeuralAr(config) => ModelConfig::NeuralAr(config.resolve(shape)?),
            ModelConfig::Informer(settings) => ModelConfig::Informer(settings.resolve(shape)?),
            ModelConfig::Ssm(settings) => ModelConfig::Ssm(settings.resolve(shape)?),
        })
    }

    /// The settings with what a fit chose by the data.
    pub(crate) fn with_chosen(mut self, family: &dyn Family) -> Self {
        if let (ModelConfig::Ar(config) | ModelConfig::ArNet(config), Some(ridges)) =
            (&mut self, family.ridges())
        {
            config.ridge = config.ridge.take().or(Some(ridges));
        }
        self
    }

    /// Steps that the resolved configuration looks back.
    pub(crate) fn lookback(&self) -> usize {
        match self {
            ModelConfig::Naive(_) => 1,
            ModelConfig::SeasonalNaive(config) => config.season_length.unwrap_or(1),
            ModelConfig::Drift(DriftConfig { lookback })
            | ModelConfig::WindowMean(WindowMeanConfig { lookback }) => lookback.unwrap_or(1),
            ModelConfig::Ar(config) | ModelConfig::ArNet(config) => config.order.unwrap_or(1),
            ModelConfig::NeuralAr(config) => config.order.unwrap_or(1),
            ModelConfig::Informer(settings) => settings.network.lookback,
            ModelConfig::Ssm(settings) => settings.lookback(),
        }
    }

    /// True if the family looks at covariates that the data declare.
    #[must_use]
    pub fn uses_covariates(&self) -> bool {
        self.takes_inputs() || self.regressed().is_some_and(|config| config.covariates == UseCovariates::Use)
    }

    /// True for a network that takes the covariates of a step as inputs of their own.
    pub(crate) fn takes_inputs(&self) -> bool {
        let covariates = match self {
            ModelConfig::Informer(settings) => settings.network.covariates,
            ModelConfig::Ssm(settings) => settings.network.covariates,
            _ => UseCovariates::Ignore,
        };
        covariates == UseCovariates::Use
    }

    /// What the series is regressed on before it is modelled.
    pub(crate) fn regressed(&self) -> Option<&ArConfig> {
        match self {
            ModelConfig::Ar(config) | ModelConfig::ArNet(config) => Some(config),
            _ => None,
        }
    }

    /// True if the family learns from values, and how they differ: a constant series teaches it nothing.
    pub(crate) fn learns(&self) -> bool {
        matches!(self, ModelConfig::Ar(_) | ModelConfig::ArNet(_) | ModelConfig::NeuralAr(_))
            || self.is_trained_once()
    }

    /// True if every forecast is a value as it was.
    pub(crate) fn repeats(&self) -> bool {
        matches!(self, ModelConfig::Naive(_) | ModelConfig::SeasonalNaive(_))
    }

    /// The settings with every size that the weights of another program tell.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the family takes none; what is wrong with the weights.
    pub(crate) fn of_weights(&self, path: &Path, horizon: Option<usize>) -> Result<Self> {
        match (self, horizon) {
            (ModelConfig::Informer(settings), Some(horizon)) => {
                Ok(ModelConfig::Informer(settings.of_weights(path, horizon)?))
            }
            (ModelConfig::Informer(_), None) => {
                Err(Error::option("horizon", "open", "say how many steps the weights forecast"))
            }
            _ => {
                let rule = format!("{} takes no weights of other programs", self.name());
                Err(Error::option("weights", path.display(), rule))
            }
        }
    }

    /// True if a fit takes so long that there is only one, which keeps the weights that do best on the validation
    /// range.
    #[must_use]
    pub fn is_trained_once(&self) -> bool {
        matches!(self, ModelConfig::Informer(_) | ModelConfig::Ssm(_))
    }

    /// True if intervals are those of the distribution that a network forecasts, not of its errors.
    pub(crate) fn has_own_intervals(&self) -> bool {
        match self {
            ModelConfig::Informer(settings) => settings.network.has_own_intervals(),
            ModelConfig::Ssm(settings) => settings.network.has_own_intervals(),
            _ => false,
        }
    }

    /// True if all series share one set of parameters, so that new series can be forecast.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match self {
            ModelConfig::Ar(config) | ModelConfig::ArNet(config) => config.pooled,
            ModelConfig::NeuralAr(config) => config.pooled,
            _ => true,
        }
    }

    /// Fits the resolved configuration; a training by gradient tells `watch` how it goes.
    pub(crate) fn fit(
        &self,
        training: &Training<'_>,
        watch: &mut dyn FnMut(&TrainingEvent) -> Control,
    ) -> Result<Box<dyn Family>> {
        match self {
            ModelConfig::Ar(config) | ModelConfig::ArNet(config) => Ok(Box::new(ar::fit(config, training)?)),
            ModelConfig::NeuralAr(config) => Ok(Box::new(neural::fit(config, training)?)),
            ModelConfig::Informer(settings) => Ok(Box::new(informer::fit(settings, training, watch)?)),
            ModelConfig::Ssm(settings) => ssm::fit(settings, training, watch),
            _ => self.baseline().map(|family| Box::new(family) as Box<dyn Family>),
        }
    }

    /// Makes the family from its tensors.
    pub(crate) fn load(&self, tensors: &Tensors, shape: LoadShape) -> Result<Box<dyn Family>> {
        let LoadShape { n_slots, n_channels, .. } = shape;
        match self {
            ModelConfig::Ar(config) | ModelConfig::ArNet(config) => {
                Ok(Box::new(ar::load(config, tensors, n_slots, n_channels)?))
            }
            ModelConfig::NeuralAr(config) => {
                Ok(Box::new(neural::load(config, tensors, n_slots, n_channels)?))
            }
            ModelConfig::Informer(settings) => Ok(Box::new(informer::load(settings, tensors, shape)?)),
            ModelConfig::Ssm(settings) => ssm::load(settings, tensors, shape),
            _ => self.baseline().map(|family| Box::new(family) as Box<dyn Family>),
        }
    }

    fn baseline(&self) -> Result<baseline::Baseline> {
        let rule = match self {
            ModelConfig::Naive(_) | ModelConfig::SeasonalNaive(_) => baseline::Rule::Repeat,
            ModelConfig::Drift(_) => baseline::Rule::Drift,
            ModelConfig::WindowMean(_) => baseline::Rule::Mean,
            ModelConfig::Ar(_)
            | ModelConfig::ArNet(_)
            | ModelConfig::NeuralAr(_)
            | ModelConfig::Informer(_)
            | ModelConfig::Ssm(_) => {
                return Err(Error::Internal(format!("{} is not a baseline", self.name())));
            }
        };
        Ok(baseline::Baseline::new(rule, self.lookback()))
    }
}

/// No count of steps is larger: it bounds what a setting can make us allocate.
const MOST_STEPS: usize = 10_000_000;

/// The value, if it is a number of steps that can be dealt with.
pub(crate) fn check_count(field: &str, value: usize) -> Result<usize> {
    match value {
        0 => Err(Error::option(field, value, "it must be at least 1")),
        1..=MOST_STEPS => Ok(value),
        _ => Err(Error::option(field, value, format!("it must be at most {MOST_STEPS}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_itself_and_survives_json() {
        for name in ModelConfig::NAMES {
            let config = ModelConfig::parse(name).unwrap();
            assert_eq!(config.name(), name);
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), config, "{json}");
        }
    }

    #[test]
    fn settings_that_do_not_exist_or_do_not_fit_are_named() {
        let ar = ModelConfig::parse("ar").unwrap();
        let message = ar.with("ordre", "3").unwrap_err().to_string();
        assert!(
            message.contains("ordre is 3, but the settings of ar are anchor, covariate_lags, covariates"),
            "{message}"
        );
        assert!(ar.with("order", "many").unwrap_err().to_string().contains("order"));
        let zero = ar
            .with("order", "0")
            .unwrap()
            .resolve(&Shape {
                season_length: 24,
                frequency: crate::Step::Index(1).into(),
                n_steps: 99,
                horizon: 1,
                n_series: 1,
                stretches: Vec::new(),
                has_gaps: false,
                seed: 1,
            })
            .unwrap_err()
            .to_string();
        assert!(zero.contains("order is 0"), "{zero}");
    }
}
