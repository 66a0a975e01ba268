//! Where stamps lie along a horizontal axis.

use super::frame::Axis;
use super::time_ticks::{integer_ticks, time_ticks};
use crate::data::{TimeIndex, Zone};
use crate::{Error, Result, Step};

/// Where stamps lie along an axis of time, or of integers.
#[derive(Debug, Clone)]
pub(super) struct TimeAxis {
    /// Positions are counted from here, because stamps in nanoseconds exceed the precision of `f64`.
    origin: i64,
    /// The axis, in nanoseconds or integers from the origin.
    pub(super) axis: Axis,
    /// What the axis shows: `time (UTC)`.
    pub(super) title: String,
}

impl TimeAxis {
    /// The axis that holds the stamps of all `indexes`, from the first to the last.
    ///
    /// With `whole_steps` it ends one step after the last stamp: each stamp is where its step begins.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no stamp at all, or if times and integers are mixed.
    pub(super) fn new(indexes: &[&TimeIndex], whole_steps: WholeSteps) -> Result<Self> {
        let filled: Vec<_> = indexes.iter().filter(|index| index.len > 0).collect();
        let Some(first) = filled.first() else {
            return Err(Error::option("chart", "empty", "it needs at least one time stamp"));
        };
        let integer = |index: &TimeIndex| matches!(index.step, Step::Index(_));
        if filled.iter().any(|index| integer(index) != integer(first)) {
            let rule = "either all or none of them may be an integer index";
            return Err(Error::option("chart", "a mix of time indexes", rule));
        }
        let lo = filled.iter().map(|index| index.start).min().unwrap_or(first.start);
        let mut hi = filled.iter().map(|index| index.end()).max().unwrap_or(first.start);
        let width = step_width(first);
        if whole_steps == WholeSteps::Yes {
            hi = hi.saturating_add(width as i64);
        }
        // A single stamp stands in the middle of two steps.
        let room = match (i128::from(hi) - i128::from(lo)) as f64 {
            0.0 => width.max(1.0),
            // So that the first and the last of few points keep away from the edges.
            range if range < width * 40.0 && whole_steps == WholeSteps::No => width / 2.0,
            _ => 0.0,
        };
        let (from, to) = (-room, (i128::from(hi) - i128::from(lo)) as f64 + room);
        let ticks = if integer(first) {
            integer_ticks(lo, from, to)
        } else {
            time_ticks(lo, from, to, width, &first.zone)
        };
        Ok(TimeAxis { origin: lo, axis: Axis { lo: from, hi: to, ticks }, title: title(first) })
    }

    /// The position of a stamp on the axis.
    pub(super) fn at(&self, stamp: i64) -> f64 {
        (i128::from(stamp) - i128::from(self.origin)) as f64
    }
}

/// Whether the last step is drawn with its length, or as a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WholeSteps {
    Yes,
    No,
}

/// The length of a step on the axis; about, where the calendar decides.
pub(super) fn step_width(index: &TimeIndex) -> f64 {
    match index.step {
        Step::Index(step) => step as f64,
        step => step.approximate_nanos() as f64,
    }
}

fn title(index: &TimeIndex) -> String {
    match (&index.step, &index.zone) {
        (Step::Index(_), _) => "step".to_string(),
        (_, Zone::Local) => "time".to_string(),
        (_, zone) => match String::from(zone.clone()) {
            offset if offset.starts_with(['+', '-']) => {
                format!("time (UTC{})", offset.replace('-', "\u{2212}"))
            }
            name => format!("time ({name})"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_single_stamps() {
        let index = |len| TimeIndex::new(1000, Step::Index(5), Zone::Local, len);
        let axis = TimeAxis::new(&[&index(100)], WholeSteps::No).unwrap();
        assert_eq!(
            axis.axis.ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(),
            ["1,000", "1,100", "1,200", "1,300", "1,400"]
        );
        assert_eq!(axis.title, "step");
        let zoned =
            |name: &str| TimeIndex { step: Step::Nanos(1), zone: Zone::named(name).unwrap(), ..index(4) };
        assert_eq!(title(&zoned("-07:00")), "time (UTC\u{2212}07)");
        assert_eq!(title(&zoned("Europe/Rome")), "time (Europe/Rome)");
        let single = TimeAxis::new(&[&index(1)], WholeSteps::No).unwrap();
        assert!(single.axis.lo < 0.0 && single.axis.hi > 0.0);
        assert!(
            TimeAxis::new(&[&index(0)], WholeSteps::No).unwrap_err().to_string().contains("at least one")
        );
        let time = TimeIndex { step: Step::Nanos(1), ..index(4) };
        assert!(TimeAxis::new(&[&index(4), &time], WholeSteps::No).is_err());
    }

    #[test]
    fn the_ends_of_representable_time_do_no_harm() {
        let index = TimeIndex::new(i64::MAX - 10, Step::Nanos(86_400_000_000_000), Zone::Local, 9);
        assert!(TimeAxis::new(&[&index], WholeSteps::Yes).is_ok());
        let index = TimeIndex::new(i64::MIN, Step::Nanos(i64::MAX), Zone::Local, 3);
        assert!(TimeAxis::new(&[&index], WholeSteps::Yes).is_ok());
    }
}
