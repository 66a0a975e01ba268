//! A model that the protocol has fitted.

use std::ops::Range;

use crate::data::{InputRows, Scaler, Scaling, Series};
use crate::informer::AttentionMap;
use crate::model::{Beside, Family, prime};
use crate::nn::TrainingReport;
use crate::{Error, Result};

/// A fitted model, before it is scored.
#[derive(Debug)]
pub struct LtsfModel<'a> {
    pub(super) family: &'a dyn Family,
    pub(super) scaled: &'a Series,
    /// Of every step, for a network that takes covariates.
    pub(super) inputs: Option<&'a InputRows>,
    pub(super) test: Range<usize>,
}

impl LtsfModel<'_> {
    /// How it was trained, if it was by gradient.
    #[must_use]
    pub fn training(&self) -> Option<&TrainingReport> {
        self.family.training_report()
    }

    /// What its attention layers look at in window `window` of the test range, from 0; empty for models without such
    /// layers.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the test range has no such window.
    pub fn attention(&self, window: usize) -> Result<Vec<AttentionMap>> {
        if window >= self.test.len() {
            let rule = format!("the test range has {} steps to forecast from", self.test.len());
            return Err(Error::option("window", window, rule));
        }
        let history = self.scaled.slice(0..self.test.start + window);
        let as_it_is = vec![Scaler::of_values(Scaling::None, &[]); history.values().ncols()];
        let (memory, _) = prime(self.family, 0, &history, &as_it_is, self.family.lookback(), self.inputs);
        self.family.attention(&memory, Beside::new(history.index(), self.inputs))
    }
}
