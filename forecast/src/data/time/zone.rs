//! The zone that stamps are told in: from instants to the clock on the wall and back.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The zone that a time index is told in.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Zone {
    /// Local stamps without a zone; counted as if they were UTC.
    #[default]
    Local,
    /// Instants, told in this zone.
    Named(TimeZone),
}

impl Zone {
    /// The zone of an IANA name, `UTC`, or a fixed offset such as `+01:00`.
    ///
    /// # Errors
    /// [`Error::BadOption`] if no such zone is known.
    pub fn named(name: &str) -> Result<Self> {
        if name.starts_with(['+', '-']) {
            let stamp = format!("1970-01-01T00:00:00{name}");
            let pieces = jiff::fmt::temporal::Pieces::parse(&stamp);
            if let Some(offset) = pieces.ok().and_then(|pieces| pieces.to_numeric_offset()) {
                return Ok(Zone::Named(TimeZone::fixed(offset)));
            }
        }
        TimeZone::get(name).map(Zone::Named).map_err(|_| {
            Error::option(
                "tz",
                format!("\"{name}\""),
                "it must be an IANA name such as Europe/Rome, UTC, or an offset such as +01:00",
            )
        })
    }

    /// The civil time of an instant in this zone.
    pub(in crate::data) fn civil(&self, nanos: i64) -> DateTime {
        // Every i64 of nanoseconds lies inside the range of a time stamp.
        let stamp = Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH);
        match self {
            Zone::Local => TimeZone::UTC.to_datetime(stamp),
            Zone::Named(zone) => zone.to_datetime(stamp),
        }
    }

    /// The instant of a civil time in this zone, in nanoseconds since 1970; `None` beyond 1677-2262.
    pub(crate) fn nanos(&self, civil: DateTime) -> Option<i64> {
        let zone = match self {
            Zone::Local => &TimeZone::UTC,
            Zone::Named(zone) => zone,
        };
        i64::try_from(zone.to_timestamp(civil).ok()?.as_nanosecond()).ok()
    }

    /// The instant of a civil time in this zone, in nanoseconds since 1970; where clocks leave the time out, the
    /// instant at which they do, so that later times never come first.
    pub(in crate::data) fn edge(&self, civil: DateTime) -> i128 {
        let zone = match self {
            Zone::Local => &TimeZone::UTC,
            Zone::Named(zone) => zone,
        };
        let ambiguous = zone.to_ambiguous_timestamp(civil);
        let is_left_out = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let instant = ambiguous.compatible().unwrap_or(Timestamp::MAX);
        let after = instant.checked_add(SignedDuration::from_nanos(1)).unwrap_or(instant);
        let change = is_left_out.then(|| zone.preceding(after).next()).flatten();
        change.map_or(instant, |change| change.timestamp()).as_nanosecond()
    }

    /// The dates before and after each change of the clocks in the years 1677 to 2262.
    pub(in crate::data) fn clock_changes(&self) -> Vec<(Date, Date)> {
        let Zone::Named(zone) = self else { return Vec::new() };
        let Ok(first) = Timestamp::from_nanosecond(i128::from(i64::MIN)) else { return Vec::new() };
        let stamps = zone.following(first).map(|change| i64::try_from(change.timestamp().as_nanosecond()));
        let dates = |stamp: i64| (self.civil(stamp - 1).date(), self.civil(stamp).date());
        stamps.map_while(Result::ok).map(dates).collect()
    }

    /// True if days in this zone may have other than 24 hours.
    #[must_use]
    pub fn has_uneven_days(&self) -> bool {
        matches!(self, Zone::Named(zone) if zone.to_fixed_offset().is_err())
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        match zone {
            Zone::Local => String::new(),
            Zone::Named(zone) => match (zone.iana_name(), zone.to_fixed_offset()) {
                (Some(name), _) => name.to_string(),
                (None, Ok(offset)) => offset.to_string(),
                (None, Err(_)) => "UTC".to_string(),
            },
        }
    }
}

impl TryFrom<String> for Zone {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        if name.is_empty() { Ok(Zone::Local) } else { Zone::named(&name) }
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", String::from(self.clone()))
    }
}

/// A stamp as text in a zone: `2014-12-31 23:00:00`, and the offset where there is one.
pub(crate) fn format_stamp(stamp: i64, zone: &Zone) -> String {
    let civil = zone.civil(stamp);
    let (date, time) = (civil.date(), civil.time());
    match zone {
        Zone::Local => format!("{date} {time}"),
        Zone::Named(zone) => {
            let instant = Timestamp::from_nanosecond(i128::from(stamp)).unwrap_or(Timestamp::UNIX_EPOCH);
            let seconds = zone.to_offset(instant).seconds();
            if seconds == 0 {
                return format!("{date}T{time}Z");
            }
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.abs() / 60;
            format!("{date}T{time}{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_survive_their_names() {
        for name in ["", "UTC", "Europe/Rome", "-07:00", "+05:30"] {
            let zone = Zone::try_from(name.to_string()).unwrap();
            assert_eq!(Zone::try_from(String::from(zone.clone())).unwrap(), zone, "{name}");
        }
        assert!(Zone::named("Mars/Olympus").unwrap_err().to_string().contains("IANA"));
    }
}
