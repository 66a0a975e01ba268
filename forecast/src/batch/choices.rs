//! What is decided once for all series, from the first of them.

use serde::{Deserialize, Serialize};

use super::BatchOptions;
use crate::data::{self, CovariateSchema, Frequency, Panel, SeriesOutcome};
use crate::model::Shape;
use crate::{ModelConfig, Result, Series};

/// Series that choices are made from.
pub(super) const SERIES_LOOKED_AT: usize = 64;

/// The choices of one run; a run that goes on keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Choices {
    /// Steps of one season.
    pub(super) season_length: usize,
    /// Step and opening of every series.
    pub(super) frequency: Frequency,
    /// The models with every open choice made.
    pub(super) models: Vec<ModelConfig>,
    /// How many series there are, as far as names in the output depend on it: one, or more.
    pub(super) n_series: usize,
}

impl Choices {
    /// The season that stands out in the first series, and settings for a series of median length.
    ///
    /// # Errors
    /// [`Error::BadOption`](crate::Error::BadOption) if a setting of a model is out of range.
    pub(super) fn make(
        first: &[SeriesOutcome],
        (channels, schema): (&[String], &CovariateSchema),
        frequency: Frequency,
        options: &BatchOptions,
    ) -> Result<Self> {
        let series: Vec<Series> = first.iter().filter_map(|one| one.series.as_ref().ok()).cloned().collect();
        let mut lengths: Vec<usize> = series.iter().map(Series::n_steps).collect();
        lengths.sort_unstable();
        let n_steps = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
        let (stretches, has_gaps) = (Shape::stretches(&series), Shape::has_gaps(&series));
        let season_length = match options.fit.season_length {
            Some(given) => given,
            None if series.is_empty() => 1,
            None => data::season_length(&Panel::of(channels.to_vec(), schema.clone(), series)?),
        };
        let shape = Shape {
            season_length,
            frequency: frequency.clone(),
            n_steps,
            horizon: options.forecast.horizon,
            n_series: 1,
            stretches,
            has_gaps,
            seed: options.fit.seed,
        };
        let models = options.models.iter().map(|model| model.resolve(&shape)).collect::<Result<_>>()?;
        Ok(Choices { season_length, frequency, models, n_series: first.len().min(2) })
    }
}
