//! What a family is told beside the values of a series.

use crate::data::{InputRows, TimeIndex};

/// The stamps of a series, and the covariates of its steps for families that take some.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beside<'a> {
    /// From the first step that is counted to the last that was observed.
    pub(crate) index: &'a TimeIndex,
    /// Of the steps that are asked for, by their place on the index. Rows of what is known in the past only may be there
    /// of steps that were not observed: nobody who forecasts looks at them.
    pub(crate) inputs: Option<&'a InputRows>,
}

impl<'a> Beside<'a> {
    /// With the covariates of a model that has some.
    pub(crate) fn new(index: &'a TimeIndex, inputs: Option<&'a InputRows>) -> Self {
        Beside { index, inputs }
    }
}

impl<'a> From<&'a TimeIndex> for Beside<'a> {
    fn from(index: &'a TimeIndex) -> Self {
        Beside { index, inputs: None }
    }
}
