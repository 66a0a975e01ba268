//! One series: an id, a regular time index, and values with their mask.

use std::ops::Range;

use ndarray::{ArcArray2, Array2, ArrayView2, s};

use crate::data::covariates::Covariates;
use crate::data::time::index::TimeIndex;
use crate::{Error, Result};

/// A regular, checked series of one or more channels.
///
/// Missing values are NaN, so the values are their own mask; infinities are not allowed in.
/// Clones and slices share the values.
#[derive(Debug, Clone)]
pub struct Series {
    id: String,
    index: TimeIndex,
    values: ArcArray2<f64>, // (step, channel)
    covariates: Covariates,
}

impl Series {
    /// A series from its parts.
    ///
    /// # Shapes
    /// `values`: `(index.len, channel)`, NaN where missing.
    ///
    /// # Errors
    /// [`Error::Infinite`] names the first infinite value; [`Error::Internal`] if the lengths differ.
    pub fn new(
        id: impl Into<String>,
        index: TimeIndex,
        values: Array2<f64>,
        channels: &[String],
    ) -> Result<Self> {
        Self::shared(id, index, values.into_shared(), channels)
    }

    /// The same of values that others may hold too.
    pub(in crate::data) fn shared(
        id: impl Into<String>,
        index: TimeIndex,
        values: ArcArray2<f64>,
        channels: &[String],
    ) -> Result<Self> {
        let series = Self::finite(id, index, values, channels)?;
        // Without a way out of the loop, several values are checked at a time.
        if series.values.iter().fold(false, |is_infinite, v| is_infinite | v.is_infinite()) {
            let found = series.values.indexed_iter().find(|(_, v)| v.is_infinite());
            let (step, channel) = found.map_or((0, 0), |(at, _)| at);
            let stamp = series.index.format(series.index.stamp(step));
            return Err(Error::Infinite { series: series.id, channel: channels[channel].clone(), stamp });
        }
        Ok(series)
    }

    /// The same of values that are known to be finite or missing.
    pub(in crate::data) fn finite(
        id: impl Into<String>,
        index: TimeIndex,
        values: ArcArray2<f64>,
        channels: &[String],
    ) -> Result<Self> {
        let id = id.into();
        if values.dim() != (index.len, channels.len()) {
            return Err(Error::Internal(format!(
                "series \"{id}\" has values of shape {:?} for {} stamps and {} channels",
                values.dim(),
                index.len,
                channels.len()
            )));
        }
        let covariates = Covariates::none(index.len);
        Ok(Series { id, index, values, covariates })
    }

    /// The same series with covariates, which have to have its steps.
    pub fn with_covariates(self, covariates: Covariates) -> Result<Self> {
        if covariates.n_steps() != self.n_steps() {
            return Err(Error::Internal(format!(
                "series \"{}\" has {} steps, its covariates {}",
                self.id,
                self.n_steps(),
                covariates.n_steps()
            )));
        }
        Ok(Series { covariates, ..self })
    }

    /// The same series and covariates with other values.
    ///
    /// # Errors
    /// As [`Series::new`].
    pub(crate) fn with_values(&self, values: Array2<f64>, channels: &[String]) -> Result<Self> {
        Series::new(self.id(), self.index.clone(), values, channels)?.with_covariates(self.covariates.clone())
    }

    /// The name of the series.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The stamps.
    #[must_use]
    pub fn index(&self) -> &TimeIndex {
        &self.index
    }

    /// The covariates; of the panel's schema, none by default.
    #[must_use]
    pub fn covariates(&self) -> &Covariates {
        &self.covariates
    }

    /// How many steps there are, missing ones included.
    #[must_use]
    pub fn n_steps(&self) -> usize {
        self.index.len
    }

    /// The values, NaN where missing. Shape `(step, channel)`.
    #[must_use]
    pub fn values(&self) -> ArrayView2<'_, f64> {
        self.values.view()
    }

    /// The values of a channel side by side, if that is how they stand in memory: of one channel always.
    pub(crate) fn channel(&self, channel: usize) -> Option<&[f64]> {
        (self.values.ncols() == 1 && channel == 0).then(|| self.values.as_slice()).flatten()
    }

    /// True where a value was observed.
    #[must_use]
    pub fn is_observed(&self, step: usize, channel: usize) -> bool {
        !self.values[[step, channel]].is_nan()
    }

    /// How many values of a channel were observed.
    #[must_use]
    pub fn n_observed(&self, channel: usize) -> usize {
        self.values.column(channel).iter().filter(|v| !v.is_nan()).count()
    }

    /// The part at `range` of steps, clipped to the series; shares the values. Of the covariates, what is known
    /// ahead stays, also beyond the end of the part.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.n_steps());
        let range = range.start.min(end)..end;
        Series {
            id: self.id.clone(),
            index: self.index.slice(range.clone()),
            values: self.values.clone().slice_move(s![range.clone(), ..]),
            covariates: self.covariates.slice(range),
        }
    }

    /// A copy that does not keep the values alive that a slice was cut from.
    #[must_use]
    pub fn compact(&self) -> Self {
        Series {
            values: self.values.to_owned().into_shared(),
            covariates: self.covariates.compact(),
            ..self.clone()
        }
    }

    /// The last `n` steps, or all if there are fewer.
    #[must_use]
    pub fn tail(&self, n: usize) -> Self {
        self.slice(self.n_steps().saturating_sub(n)..self.n_steps())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn index(len: usize) -> TimeIndex {
        TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), len)
    }

    #[test]
    fn slices_share_values_and_move_the_index() {
        let series =
            Series::new("a", index(4), array![[1.0], [f64::NAN], [3.0], [4.0]], &["y".into()]).unwrap();
        let tail = series.tail(3);
        assert_eq!(tail.values.as_ptr(), pointer_to(&series, 1));
        assert_eq!(tail.index().format(tail.index().start), "1970-01-01 01:00:00");
        assert!(!tail.is_observed(0, 0) && tail.n_observed(0) == 2);
    }

    fn pointer_to(series: &Series, step: usize) -> *const f64 {
        &series.values[[step, 0]]
    }

    #[test]
    fn infinite_values_are_named() {
        let error = Series::new("a", index(2), array![[1.0], [f64::INFINITY]], &["y".into()]);
        let message = error.unwrap_err().to_string();
        assert!(message.contains("\"a\"") && message.contains("1970-01-01 01:00:00"), "{message}");
    }
}
