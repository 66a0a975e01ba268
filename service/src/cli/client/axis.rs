//! The axis of a message, as an index.

use forecast::data::{Opening, Zone};
use forecast::{Step, TimeIndex};
use forecast_proto::v1;

use crate::cli::failure::Failure;

/// The index of `len` steps of an axis; `is_integer` where stamps are whole numbers rather than times.
pub(crate) fn index(axis: Option<&v1::TimeAxis>, len: usize, is_integer: bool) -> Result<TimeIndex, Failure> {
    let bad = || Failure::Internal("the server sent a forecast without a time axis".to_string());
    let Some(v1::time_axis::Axis::Regular(axis)) = axis.and_then(|axis| axis.axis.as_ref()) else {
        return Err(bad());
    };
    let count = axis.step_count.max(1);
    let step = match axis.step {
        Some(v1::regular_axis::Step::StepNano(nanos)) if is_integer => Step::Index(nanos),
        Some(v1::regular_axis::Step::StepNano(nanos)) => Step::Nanos(nanos),
        Some(v1::regular_axis::Step::CalendarStep(unit)) => match v1::CalendarStep::try_from(unit) {
            Ok(v1::CalendarStep::Day) => Step::Days(count),
            Ok(v1::CalendarStep::Week) => Step::Days(count.saturating_mul(7)),
            Ok(v1::CalendarStep::Month) => Step::Months(count),
            Ok(v1::CalendarStep::Quarter) => Step::Months(count.saturating_mul(3)),
            Ok(v1::CalendarStep::Year) => Step::Months(count.saturating_mul(12)),
            _ => return Err(bad()),
        },
        None => return Err(bad()),
    };
    let zone = match axis.time_zone.as_str() {
        "" => Zone::Local,
        name => Zone::named(name)?,
    };
    let index = TimeIndex::new(axis.start_unix_nano, step, zone, len);
    Ok(match axis.opening.as_str() {
        "" => index,
        text => index.with_opening(&text.parse::<Opening>()?)?,
    })
}
