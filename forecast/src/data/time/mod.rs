//! Time: stamps as people write them, steps, opening times, and the index of a series.

pub(super) mod business_days;
pub(super) mod calendar;
pub(super) mod civil;
pub(super) mod clock;
pub(super) mod frequency;
pub(super) mod index;
pub(super) mod integers;
mod lag_words;
pub(super) mod opening;
pub(super) mod stamp;
pub(super) mod step;
pub(super) mod zone;
