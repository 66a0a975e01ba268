//! Series that came in messages, as a panel.

use forecast::data::{Frequency, Opening, Zone};
use forecast::{Panel, Step};
use forecast_proto::v1;
use tonic::Status;

use super::request::refused;
use crate::server::convert::from_message;
use crate::server::status::from_error;

/// The names of channels; one channel is called `y` unless it was named.
pub(super) fn channel_names(names: &[String]) -> Vec<String> {
    if names.is_empty() { vec!["y".to_string()] } else { names.to_vec() }
}

/// The panel of some series; `None` of no series.
///
/// # Errors
/// `INVALID_ARGUMENT` with the fields below `path` that break a rule.
pub(super) fn panel(series: &[v1::Series], channels: &[String], path: &str) -> Result<Option<Panel>, Status> {
    let Some(first) = series.first() else { return Ok(None) };
    let expected = frequency(first);
    let mut checked = Vec::with_capacity(series.len());
    for (at, message) in series.iter().enumerate() {
        checked.push(one(message.clone(), &format!("{path}[{at}]"), channels, &expected)?);
    }
    Panel::new(channels.to_vec(), checked).map(Some).map_err(|error| from_error(&error, path))
}

/// One series of a panel whose steps are known.
///
/// # Errors
/// As [`panel`].
pub(super) fn one(
    message: v1::Series,
    path: &str,
    channels: &[String],
    expected: &Frequency,
) -> Result<forecast::Series, Status> {
    let own = frequency(&message);
    if own != *expected {
        let rule = format!("its steps are {own}, but those of the first series are {expected}");
        return Err(refused(&format!("{path}.axis.regular"), &rule));
    }
    if !message.covariates.is_empty() {
        let rule =
            "series to train on have no covariates: upload a file, and name its columns in read_options";
        return Err(refused(&format!("{path}.covariates"), rule));
    }
    from_message(message, path, channels, expected)
}

/// The steps that a message says, as far as it says them; the rest is for the conversion to refuse.
pub(super) fn frequency(message: &v1::Series) -> Frequency {
    let unknown = Frequency::from(Step::Nanos(1));
    let Some(v1::time_axis::Axis::Regular(axis)) = message.axis.as_ref().and_then(|axis| axis.axis.as_ref())
    else {
        return unknown;
    };
    let count = axis.step_count.max(1);
    let zone = match axis.time_zone.as_str() {
        "" => Zone::Local,
        name => Zone::named(name).unwrap_or(Zone::Local),
    };
    // A day has 24 hours wherever clocks do not change.
    let days = |n: i32| match i64::from(count).checked_mul(i64::from(n) * 86_400_000_000_000) {
        Some(nanos) if !zone.has_uneven_days() => Step::Nanos(nanos),
        _ => Step::Days(count.saturating_mul(n)),
    };
    let step = match axis.step {
        Some(v1::regular_axis::Step::StepNano(nanos)) => Step::Nanos(nanos),
        Some(v1::regular_axis::Step::CalendarStep(unit)) => match v1::CalendarStep::try_from(unit) {
            Ok(v1::CalendarStep::Day) => days(1),
            Ok(v1::CalendarStep::Week) => days(7),
            Ok(v1::CalendarStep::Month) => Step::Months(count),
            Ok(v1::CalendarStep::Quarter) => Step::Months(count.saturating_mul(3)),
            Ok(v1::CalendarStep::Year) => Step::Months(count.saturating_mul(12)),
            Ok(v1::CalendarStep::Unspecified) | Err(_) => return unknown,
        },
        None => return unknown,
    };
    Frequency { step, opening: axis.opening.parse::<Opening>().ok() }
}
