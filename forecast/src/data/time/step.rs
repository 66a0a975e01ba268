//! The step of a time index: fixed, calendar, or a plain count.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// The distance between two neighbouring stamps of a regular series.
///
/// Parses and prints the usual aliases: pandas old and new (`h`, `H`, `15min`, `15T`, `D`, `MS`),
/// polars (`1h`, `15m`, `1mo`), and a bare integer for an integer index.
///
/// # Example
/// ```
/// use forecast::Step;
/// assert_eq!("15T".parse::<Step>()?, "15m".parse::<Step>()?);
/// assert_eq!("H".parse::<Step>()?.to_string(), "1h");
/// assert_eq!("MS".parse::<Step>()?, Step::Months(1));
/// assert!("0h".parse::<Step>().is_err());
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Step {
    /// A fixed number of nanoseconds.
    Nanos(i64),
    /// Calendar days in a named zone, which may have 23 or 25 hours.
    Days(i32),
    /// Calendar months; a quarter is 3, a year 12.
    Months(i32),
    /// A plain integer index.
    Index(i64),
}

impl Step {
    /// The length in nanoseconds if it is fixed, an average for calendar steps, 0 for an integer index.
    #[must_use]
    pub fn approximate_nanos(self) -> i64 {
        match self {
            Step::Nanos(nanos) => nanos,
            Step::Days(days) => i64::from(days) * DAY,
            // The mean Gregorian month has 365.2425 / 12 days.
            Step::Months(months) => i64::from(months) * 2_629_746 * SECOND,
            Step::Index(_) => 0,
        }
    }

    /// True if the step leads forward, as every step that is parsed does.
    #[must_use]
    pub fn is_positive(self) -> bool {
        match self {
            Step::Nanos(step) | Step::Index(step) => step > 0,
            Step::Days(step) | Step::Months(step) => step > 0,
        }
    }

    /// The step that is `n` of these, if it can be told.
    pub(crate) fn times(self, n: usize) -> Option<Self> {
        let long = i64::try_from(n).ok()?;
        let short = i32::try_from(n).ok()?;
        match self {
            Step::Nanos(step) => step.checked_mul(long).map(Step::Nanos),
            Step::Index(step) => step.checked_mul(long).map(Step::Index),
            Step::Days(step) => step.checked_mul(short).map(Step::Days),
            Step::Months(step) => step.checked_mul(short).map(Step::Months),
        }
    }

    /// A span of `steps` steps in words: `168 steps of 1h` is `7 days`.
    ///
    /// # Example
    /// ```
    /// use forecast::Step;
    /// assert_eq!("1h".parse::<Step>()?.span(168), "7 days");
    /// assert_eq!("15min".parse::<Step>()?.span(2), "30 min");
    /// # Ok::<(), forecast::Error>(())
    /// ```
    #[must_use]
    pub fn span(self, steps: usize) -> String {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        match self {
            Step::Nanos(nanos) => spell_nanos(nanos.saturating_mul(steps)),
            Step::Days(days) => count(i64::from(days) * steps, "day"),
            Step::Months(months) if i64::from(months) * steps % 12 == 0 => {
                count(i64::from(months) * steps / 12, "year")
            }
            Step::Months(months) => count(i64::from(months) * steps, "month"),
            Step::Index(step) => count(step * steps, "step"),
        }
    }

    /// A span in words where steps within days are not counted through the night: `30 open hours`.
    pub(in crate::data) fn open_span(self, steps: usize) -> String {
        let n = i64::try_from(steps).unwrap_or(i64::MAX);
        match self {
            Step::Nanos(nanos) if nanos < DAY => {
                spell_hours(nanos.saturating_mul(n)).replacen(' ', " open ", 1)
            }
            _ => count(n, "open day"),
        }
    }
}

/// Weeks are left out: people say 7 days, 14 days.
fn spell_nanos(nanos: i64) -> String {
    if nanos % DAY == 0 && nanos >= DAY {
        return count(nanos / DAY, "day");
    }
    spell_hours(nanos)
}

/// The same in hours at most.
fn spell_hours(nanos: i64) -> String {
    let units =
        [(3600 * SECOND, "hour"), (60 * SECOND, " min"), (SECOND, " s"), (1_000_000, " ms"), (1_000, " us")];
    for (unit, name) in units {
        if nanos % unit == 0 && nanos >= unit {
            return match name.strip_prefix(' ') {
                Some(symbol) => format!("{} {symbol}", nanos / unit),
                None => count(nanos / unit, name),
            };
        }
    }
    format!("{nanos} ns")
}

fn count(n: i64, unit: &str) -> String {
    if n == 1 { format!("1 {unit}") } else { format!("{n} {unit}s") }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Step::Nanos(nanos) => {
                let units = [
                    (DAY, "D"),
                    (3600 * SECOND, "h"),
                    (60 * SECOND, "min"),
                    (SECOND, "s"),
                    (1_000_000, "ms"),
                    (1_000, "us"),
                    (1, "ns"),
                ];
                let (unit, name) = units.into_iter().find(|(unit, _)| nanos % unit == 0).unwrap_or((1, "ns"));
                write!(f, "{}{name}", nanos / unit)
            }
            Step::Days(days) => write!(f, "{days}D"),
            Step::Months(months) if months % 12 == 0 => write!(f, "{}y", months / 12),
            Step::Months(months) if months % 3 == 0 => write!(f, "{}q", months / 3),
            Step::Months(months) => write!(f, "{months}mo"),
            Step::Index(step) => write!(f, "{step}"),
        }
    }
}

impl FromStr for Step {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::option(
                "freq",
                format!("\"{text}\""),
                "it must be a positive number and a unit (ns, us, ms, s, min, h, D, W, mo, q, y), for example 15min or 1h, or a positive integer for an integer index",
            )
        };
        let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
        let number = &text[..text.len() - digits.len()];
        let n: i64 = if number.is_empty() { 1 } else { number.parse().map_err(|_| bad())? };
        if n < 1 {
            return Err(bad());
        }
        let nanos = |unit: i64| n.checked_mul(unit).map(Step::Nanos).ok_or_else(bad);
        let months = |unit: i64| {
            n.checked_mul(unit).and_then(|m| i32::try_from(m).ok()).map(Step::Months).ok_or_else(bad)
        };
        match digits {
            "" if !number.is_empty() => Ok(Step::Index(n)),
            "ns" | "N" => nanos(1),
            "us" | "U" => nanos(1_000),
            "ms" | "L" => nanos(1_000_000),
            "s" | "S" | "sec" => nanos(SECOND),
            "min" | "m" | "T" => nanos(60 * SECOND),
            "h" | "H" | "hour" => nanos(3600 * SECOND),
            "D" | "d" | "day" => nanos(DAY),
            "W" | "w" => nanos(7 * DAY),
            "MS" | "M" | "ME" | "mo" => months(1),
            "QS" | "Q" | "QE" | "q" => months(3),
            "YS" | "Y" | "YE" | "AS" | "A" | "y" => months(12),
            _ => Err(bad()),
        }
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        match step {
            // The calendar day is told from the day of 24 hours in files.
            Step::Days(days) => format!("{days}civil_day"),
            other => other.to_string(),
        }
    }
}

impl TryFrom<String> for Step {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        match text.strip_suffix("civil_day").and_then(|days| days.parse().ok()) {
            Some(days) if days > 0 => Ok(Step::Days(days)),
            _ => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_prints_what_it_parses() {
        for text in ["1ns", "250us", "20ms", "1s", "15min", "1h", "1D", "7D", "1mo", "1q", "2y", "1", "5"] {
            assert_eq!(text.parse::<Step>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn files_keep_calendar_days_apart_from_days_of_24_hours() {
        for step in [Step::Days(1), Step::Nanos(DAY), Step::Months(3), Step::Index(1)] {
            assert_eq!(Step::try_from(String::from(step)).unwrap(), step);
        }
    }

    #[test]
    fn zero_overflow_and_unknown_units_are_errors() {
        for text in ["0h", "", "fortnight", "-1h", "99999999999999999D"] {
            let message = text.parse::<Step>().unwrap_err().to_string();
            assert!(message.contains("freq is") && message.contains("15min"), "{message}");
        }
    }

    #[test]
    fn spans_are_said_in_words() {
        let minute = Step::Nanos(60 * SECOND);
        assert_eq!(minute.span(1440), "1 day");
        assert_eq!(minute.span(90), "90 min");
        assert_eq!(Step::Months(1).span(24), "2 years");
        assert_eq!(Step::Index(1).span(3), "3 steps");
    }
}
