//! What the calendar knows ahead: time features, Fourier terms, and holidays of a user's file.
//!
//! [`CalendarFeatures`] puts them into the columns of one matrix, for any range of a
//! [`TimeIndex`](super::TimeIndex), the future included.

mod cycle;
mod features;
mod fourier;
mod holidays;
mod tables;
mod time_feature;

pub(crate) use cycle::Cycle;
pub use features::CalendarFeatures;
pub use fourier::FourierTerm;
pub use holidays::Holidays;
pub use tables::{CalendarTable, calendar_positions};
pub use time_feature::{TimeFeature, TimeFeatures};
