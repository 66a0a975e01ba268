//! A flag by which a caller ends a computation that it has no more use for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// Ends fits and back-tests from another thread: long computations look at it every so often, and return
/// [`Error::Cancelled`] soon after it was set. The default can never be set.
///
/// A training by gradient that has a checkpoint writes it before it ends, so that the same call with `resume` goes on
/// from there.
///
/// # Example
/// ```
/// use forecast::{Cancel, Error, FitOptions};
///
/// let cancel = Cancel::new();
/// let options = FitOptions { cancel: cancel.clone(), ..FitOptions::default() };
/// cancel.cancel();
/// assert!(options.cancel.is_cancelled());
/// assert!(!Cancel::default().is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Option<Arc<AtomicBool>>);

impl Cancel {
    /// A flag that is not set yet; its clones are the same flag.
    #[must_use]
    pub fn new() -> Self {
        Cancel(Some(Arc::default()))
    }

    /// Sets the flag, for ever. That of [`Cancel::default`] stays as it is.
    pub fn cancel(&self) {
        if let Some(flag) = &self.0 {
            flag.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// # Errors
    /// [`Error::Cancelled`] if it was set.
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Two are equal if they are the same flag, or none.
impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(theirs)) => Arc::ptr_eq(own, theirs),
            (own, theirs) => own.is_none() && theirs.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Panel, Series};
    use crate::eval::{BacktestOptions, backtest};
    use crate::nn::{Control, TrainingEvent};
    use crate::{FitOptions, Model, ModelConfig, Step, TimeIndex};
    use ndarray::Array2;

    fn panel(n_series: usize, n_steps: usize) -> Panel {
        let channels = vec!["y".to_string()];
        let series = (0..n_series).map(|at| {
            let value = |i: usize| ((i % 24) as f64 + at as f64).sin() + ((i * i + at) % 17) as f64 / 40.0;
            let values = Array2::from_shape_fn((n_steps, 1), |(i, _)| value(i));
            let hour = Step::Nanos(3_600_000_000_000);
            let index = TimeIndex::new(0, hour, crate::data::Zone::Local, n_steps);
            Series::new(format!("s{at}"), index, values, &channels).unwrap()
        });
        let series = series.collect();
        Panel::new(channels, series).unwrap()
    }

    fn config(name: &str, settings: &[(&str, &str)]) -> ModelConfig {
        let config = ModelConfig::parse(name).unwrap();
        settings.iter().fold(config, |config, (key, value)| config.with(key, value).unwrap())
    }

    fn cancelled() -> FitOptions {
        let cancel = Cancel::new();
        cancel.cancel();
        FitOptions { cancel, horizon: Some(4), ..FitOptions::default() }
    }

    #[test]
    fn a_fit_that_was_cancelled_before_it_began_gives_no_model() {
        for name in ModelConfig::NAMES {
            let error = Model::fit(&config(name, &[]), &panel(2, 600), &cancelled()).unwrap_err();
            assert!(matches!(error, Error::Cancelled), "{name}: {error}");
        }
    }

    #[test]
    fn a_back_test_that_was_cancelled_gives_no_scores() {
        let options = BacktestOptions { fit: cancelled(), horizon: 4, n_windows: 2, ..Default::default() };
        let error = backtest(&[config("naive", &[])], &panel(2, 300), &options).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
    }

    /// Not one step more, though thousands were left.
    #[test]
    fn a_training_ends_with_the_step_that_it_was_cancelled_in() {
        let small =
            [("lookback", "16"), ("label_length", "8"), ("d_model", "8"), ("n_heads", "1"), ("epochs", "9")];
        let config = config("informer", &small);
        let cancel = Cancel::new();
        let options = FitOptions { cancel: cancel.clone(), horizon: Some(4), ..FitOptions::default() };
        let mut n_steps = 0;
        let mut watch = |_: &TrainingEvent| {
            n_steps += 1;
            if n_steps == 3 {
                cancel.cancel();
            }
            Control::Continue
        };
        let error = Model::fit_watched(&config, &panel(1, 600), &options, &mut watch).unwrap_err();
        assert!(matches!(error, Error::Cancelled), "{error}");
        assert_eq!(n_steps, 3);
    }
}
