//! Observations that were not taken as they are.

use super::series::{Fit, SeriesState};
use super::settings::TimeAction;

/// Kinds of trouble that one batch tells apart, at most; all are counted in the figures.
const MOST_TROUBLES: usize = 100;

/// Why an observation was not taken as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its stamp lies before the last step.
    Late,
    /// Its stamp is that of the last step.
    Duplicate,
    /// Its stamp leaves steps out.
    Gap,
    /// Its stamp lies between two steps.
    OffGrid,
    /// The series has no start, and it brings no stamp.
    TimeRequired,
    /// A value is infinite.
    Infinite,
    /// There is no such series.
    SeriesIndex,
}

/// Observations of one series and batch that were not taken as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The sequence number of the first one.
    pub sequence: u64,
    /// Its series; none if there is no such series.
    pub series: Option<usize>,
    /// Why.
    pub refusal: Refusal,
    /// What was done.
    pub action: TimeAction,
    /// How many there are.
    pub count: u64,
    /// The first one in a sentence.
    pub message: String,
}

/// What is wrong with a stamp, in a sentence.
pub(super) fn misfit(series: &SeriesState, stamp: i64, fit: Fit) -> String {
    let Some(index) = series.state.as_ref().map(forecast::State::index) else { return String::new() };
    let (told, next) = (index.format(stamp), index.format(series.next_stamp));
    let what = match fit {
        Fit::Late => "lies before its last step".to_string(),
        Fit::Duplicate => "is that of its last step".to_string(),
        Fit::OffGrid => format!("lies between two of its steps of {}", index.frequency()),
        Fit::Gap(n) => format!("leaves {n} of its steps out"),
        Fit::Next => "is the next one".to_string(),
    };
    format!("the time stamp {told} of series \"{}\" {what}; {next} is next", series.id)
}

/// Adds one observation to the trouble of its kind.
pub(super) fn tell(
    troubles: &mut Vec<Trouble>,
    (sequence, series, refusal, action): (u64, Option<usize>, Refusal, TimeAction),
    message: impl FnOnce() -> String,
) {
    let is_known = |t: &&mut Trouble| t.series == series && t.refusal == refusal && t.action == action;
    if let Some(known) = troubles.iter_mut().find(is_known) {
        known.count += 1;
    } else if troubles.len() < MOST_TROUBLES {
        troubles.push(Trouble { sequence, series, refusal, action, count: 1, message: message() });
    }
}
