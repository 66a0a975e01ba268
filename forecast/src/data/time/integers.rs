//! Time stamps that are integers: epochs, dates such as 20240531, or a plain index. The first of them decide.

use jiff::tz::TimeZone;

use super::civil::compact;
use super::clock::{Clock, NoInstant};
use super::stamp::{Axis, Stamps};
use super::zone::Zone;
use crate::{Error, Result};

/// What integers of a time column are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Integers {
    Index,
    /// Since 1970, in a unit of so many nanoseconds.
    Epoch {
        unit: &'static str,
        nanos: i64,
    },
    /// Such as 20240531, told in a zone.
    Dates(Zone),
}

const UNITS: [(i64, &str, i64); 4] = [
    (100_000_000_000_000_000, "ns", 1),
    (100_000_000_000_000, "us", 1_000),
    (100_000_000_000, "ms", 1_000_000),
    (100_000_000, "s", 1_000_000_000),
];

impl Integers {
    /// An epoch in s, ms, us or ns, told by the size of the smallest, or a plain index below 10^8; dates, if all are
    /// such as 20240531. `zone` is the one that the user named.
    pub(crate) fn of(values: &[i64], zone: Option<&Zone>, force_index: bool) -> Self {
        if force_index {
            return Integers::Index;
        }
        if values.len() > 1 && values.iter().all(|date| compact(*date).is_some()) {
            let zone = zone.cloned().unwrap_or(Zone::Local);
            // Where clocks are put forward at midnight, days are told without the zone.
            let mut clock = Clock::new(&zone);
            let has_midnight = |date: &i64| clock.instant(compact(*date).unwrap_or_default()).is_ok();
            let have_midnights = values.iter().all(has_midnight);
            return Integers::Dates(if have_midnights { zone } else { Zone::Local });
        }
        let smallest = values.iter().copied().min().unwrap_or(0);
        let unit = UNITS.iter().find(|(least, ..)| smallest >= *least);
        match unit {
            Some((_, unit, nanos)) if values.iter().all(|v| v.checked_mul(*nanos).is_some()) => {
                Integers::Epoch { unit, nanos: *nanos }
            }
            _ => Integers::Index,
        }
    }

    /// Stamps of integers of this kind.
    ///
    /// # Errors
    /// [`Error::BadOption`] names the first that is of no such kind.
    pub(crate) fn stamps(&self, mut values: Vec<i64>, zone: Option<Zone>) -> Result<Stamps> {
        let other = |value: i64, what: &str| {
            let rule = format!("the rows before it have {what}; give --freq 1 for a plain index");
            Error::option("a time stamp", value, rule)
        };
        match self {
            Integers::Index => Ok(Stamps { values, axis: Axis { is_index: true, ..Axis::new(Zone::Local) } }),
            Integers::Epoch { unit, nanos } => {
                for value in &mut values {
                    let told = value.checked_mul(*nanos);
                    *value = told.ok_or_else(|| other(*value, &format!("an epoch in {unit}")))?;
                }
                let notes = vec![format!("the time stamps are an epoch in {unit}")];
                let zone = zone.unwrap_or(Zone::Named(TimeZone::UTC));
                Ok(Stamps { values, axis: Axis { notes, ..Axis::new(zone) } })
            }
            Integers::Dates(zone) => {
                let mut clock = Clock::new(zone);
                for value in &mut values {
                    let date = compact(*value).ok_or(NoInstant::OutOfRange);
                    let instant = date.and_then(|date| clock.instant(date));
                    *value = instant.map_err(|why| match why {
                        NoInstant::OutOfRange => other(*value, "dates such as 20240531"),
                        NoInstant::Skipped => other(*value, "dates that begin at midnight, leave out --tz"),
                    })?;
                }
                let note = "the time stamps are dates such as 20240531; give --freq 1 for a plain index";
                Ok(Stamps { values, axis: Axis { notes: vec![note.to_string()], ..Axis::new(zone.clone()) } })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[i64], force_index: bool) -> Stamps {
        Integers::of(values, None, force_index).stamps(values.to_vec(), None).unwrap()
    }

    #[test]
    fn integers_are_epochs_by_size_or_an_index() {
        let ms = read(&[1_700_000_000_000, 1_700_000_060_000], false);
        assert_eq!(ms.values[1] - ms.values[0], 60_000_000_000);
        assert!(!ms.axis.is_index);
        assert!(read(&[1, 2, 3], false).axis.is_index);
        let dates = read(&[20_240_229, 20_240_301], false);
        assert_eq!(dates.values[1] - dates.values[0], 86_400_000_000_000);
        assert!(dates.axis.notes[0].contains("--freq 1 for a plain index"));
        assert!(read(&[20_240_229, 20_240_230], false).axis.is_index);
        assert!(read(&[20_240_229, 20_240_301], true).axis.is_index);
        assert!(read(&[1_700_000_000], true).axis.is_index);
    }

    #[test]
    fn later_integers_are_what_the_first_ones_were_or_named() {
        let dates = Integers::of(&[20_240_229, 20_240_301], None, false);
        let one = dates.stamps(vec![20_240_302], None).unwrap();
        assert!(!one.axis.is_index && one.values[0] % 86_400_000_000_000 == 0);
        let message = dates.stamps(vec![20_240_302, 20_240_232], None).unwrap_err().to_string();
        assert!(message.contains("20240232") && message.contains("dates such as 20240531"), "{message}");
        // Later series of an epoch may begin before 1973, those of an index reach beyond 10^8.
        let seconds = Integers::of(&[1_700_000_000, 1_700_000_060], None, false);
        assert_eq!(seconds.stamps(vec![60], None).unwrap().values, [60_000_000_000]);
        assert!(Integers::of(&[1, 2], None, false).stamps(vec![1_700_000_000], None).unwrap().axis.is_index);
        let message = seconds.stamps(vec![i64::MAX], None).unwrap_err().to_string();
        assert!(message.contains("an epoch in s"), "{message}");
    }
}
