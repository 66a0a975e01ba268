//! When a series is open: the days and hours of a week, and dates that are closed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::{Error, Result};

/// Intervals that one day may have, and dates that may be closed.
const MOST_INTERVALS: usize = 24;
const MOST_CLOSED: usize = 10_000;
/// Closed dates that are named in messages; more are counted.
const MOST_NAMED: usize = 3;
/// Bytes of a text that an error repeats.
const LONGEST_VALUE: usize = 80;

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MINUTES: u16 = 24 * 60;
const DAY: i64 = 86_400_000_000_000;
const EXAMPLE: &str = "it must name days and hours, for example Mon-Fri 09:00-12:00, 13:00-17:00; Sat 10:00-14:00; closed 2024-12-25";

/// The weekly opening times of a series, in the local time of its zone, and dates on which it stays closed.
///
/// What is closed has no step: it is absent, not missing. As text: rules separated by `;`, each the days and, if
/// not the whole day, the hours, whose end is excluded and may be `24:00`; then the closed dates. Clones share
/// what they hold.
///
/// # Example
/// ```
/// use forecast::data::Opening;
/// let shop: Opening = "mon-thu 8:00-18:00; Fri 08:00-14:00; closed 2024-12-26, 2024-12-25".parse()?;
/// assert_eq!(shop.to_string(), "Mon-Thu 08:00-18:00; Fri 08:00-14:00; closed 2024-12-25, 2024-12-26");
/// assert_eq!("Mon-Fri".parse::<Opening>()?, Opening::business_days());
/// let bar = "Fri-Sat 18:00-02:00".parse::<Opening>().unwrap_err().to_string();
/// assert!(bar.ends_with("split them at midnight: Fri-Sat 18:00-24:00; Sat-Sun 00:00-02:00"));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Opening {
    rules: Arc<Rules>,
}

#[derive(PartialEq, Eq)]
struct Rules {
    /// The intervals of each day from Monday on, in order.
    days: [Vec<Hours>; 7],
    /// In order, each once.
    closed: Vec<Date>,
}

/// From `open` to before `close`, in minutes of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) struct Hours {
    pub(in crate::data) open: u16,
    pub(in crate::data) close: u16,
}

impl Hours {
    pub(in crate::data) const WHOLE_DAY: Hours = Hours { open: 0, close: MINUTES };
}

impl Opening {
    /// Monday to Friday, the whole day.
    #[must_use]
    pub fn business_days() -> Self {
        let day = |weekday: usize| if weekday < 5 { vec![Hours::WHOLE_DAY] } else { Vec::new() };
        Opening { rules: Arc::new(Rules { days: std::array::from_fn(day), closed: Vec::new() }) }
    }

    /// The dates that are closed, in order.
    #[must_use]
    pub fn closed(&self) -> &[Date] {
        &self.rules.closed
    }

    /// The intervals of each day that hold slots of a step, from Monday on. A step of a day has one slot in the
    /// whole of an open day, whatever the hours.
    pub(in crate::data) fn intervals(&self, step: i64) -> [Vec<Hours>; 7] {
        std::array::from_fn(|weekday| match &self.rules.days[weekday][..] {
            [] => Vec::new(),
            _ if step == DAY => vec![Hours::WHOLE_DAY],
            hours => hours.to_vec(),
        })
    }

    /// How many slots of a step each day has from Monday on, where clocks do not change.
    pub(in crate::data) fn slots(&self, step: i64) -> [i64; 7] {
        let slots = |hours: &Hours| (i64::from(hours.close - hours.open) * (DAY / 1440) - 1) / step + 1;
        self.intervals(step).map(|hours| hours.iter().map(slots).sum())
    }

    /// The same for messages, where a long list of closed dates is counted.
    pub(in crate::data) fn short(&self) -> String {
        if self.closed().len() <= MOST_NAMED {
            return self.to_string();
        }
        format!("{}; closed on {} dates", self.week(), self.closed().len())
    }

    fn week(&self) -> String {
        let days = &self.rules.days;
        let mut rules: Vec<String> = Vec::new();
        for (first, hours) in days.iter().enumerate() {
            // Days with the same hours are told where the first of them is.
            if hours.is_empty() || days[..first].contains(hours) {
                continue;
            }
            let alike: Vec<usize> = (first..7).filter(|day| days[*day] == *hours).collect();
            rules.push(spell_rule(&alike, hours));
        }
        rules.join("; ")
    }
}

/// The length in nanoseconds of a step that opening times can have.
///
/// # Errors
/// [`Error::BadOption`] if it does not divide a day.
pub(in crate::data) fn step_within_days(step: Step) -> Result<i64> {
    match step {
        Step::Nanos(nanos) if nanos > 0 && DAY % nanos == 0 => Ok(nanos),
        Step::Days(1) => Ok(DAY),
        _ => Err(Error::option(
            "freq",
            step,
            "with an opening it must divide a day, such as 15min, 1h or 1D; give another --freq, or leave out --open",
        )),
    }
}

fn spell_rule(days: &[usize], hours: &[Hours]) -> String {
    let runs = days.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [only] => NAMES[*only].to_string(),
        _ => format!("{}-{}", NAMES[run[0]], NAMES[run[run.len() - 1]]),
    });
    let days = runs.collect::<Vec<_>>().join(", ");
    if hours == [Hours::WHOLE_DAY] {
        return days;
    }
    format!("{days} {}", hours.iter().map(Hours::to_string).collect::<Vec<_>>().join(", "))
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Hours { open, close } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", open / 60, open % 60, close / 60, close % 60)
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.week())?;
        for (i, date) in self.closed().iter().enumerate() {
            write!(f, "{}{date}", if i == 0 { "; closed " } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening({self})")
    }
}

impl From<Opening> for String {
    fn from(opening: Opening) -> Self {
        opening.to_string()
    }
}

impl TryFrom<String> for Opening {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl FromStr for Opening {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut days: [Vec<Hours>; 7] = Default::default();
        let mut closed = Vec::new();
        for rule in text.split(';').map(str::trim) {
            match rule.strip_prefix("closed ") {
                Some(dates) => read_dates(dates, &mut closed)?,
                None => read_rule(rule, &mut days)?,
            }
        }
        if days.iter().all(Vec::is_empty) {
            return Err(bad(text, "it names no open day; Mon-Sun stands for all"));
        }
        closed.sort_unstable();
        closed.dedup();
        Ok(Opening { rules: Arc::new(Rules { days, closed }) })
    }
}

fn bad(text: &str, rule: impl Into<String>) -> Error {
    let end = (0..=text.len().min(LONGEST_VALUE)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let rest = if end < text.len() { "..." } else { "" };
    Error::option("opening", format!("\"{}{rest}\"", &text[..end]), rule)
}

fn read_dates(text: &str, closed: &mut Vec<Date>) -> Result<()> {
    for date in text.split(',').map(str::trim) {
        if closed.len() == MOST_CLOSED {
            return Err(bad(text, format!("at most {MOST_CLOSED} dates may be closed")));
        }
        let rule = "closed dates must be written as 2024-12-25, with commas between them";
        closed.push(Date::strptime("%Y-%m-%d", date).map_err(|_| bad(date, rule))?);
    }
    Ok(())
}

/// Adds a rule such as `Mon-Fri 09:00-12:00, 13:00-17:00` to the days that it names.
fn read_rule(rule: &str, days: &mut [Vec<Hours>; 7]) -> Result<()> {
    let at = rule.find(|c: char| c.is_ascii_digit()).unwrap_or(rule.len());
    let (names, hours) = rule.split_at(at);
    let named = read_days(names).ok_or_else(|| bad(rule, EXAMPLE))?;
    let hours = match hours {
        "" => vec![Hours::WHOLE_DAY],
        hours => hours.split(',').map(|text| read_hours(text.trim(), rule, &named)).collect::<Result<_>>()?,
    };
    for day in named {
        let open = &mut days[day];
        open.extend(&hours);
        if open.len() > MOST_INTERVALS {
            return Err(bad(rule, format!("a day may have at most {MOST_INTERVALS} intervals")));
        }
        open.sort_unstable_by_key(|hours| hours.open);
        if let Some(pair) = open.windows(2).find(|pair| pair[0].close > pair[1].open) {
            return Err(bad(rule, format!("{} and {} overlap on {}", pair[0], pair[1], NAMES[day])));
        }
    }
    Ok(())
}

/// The days of a list such as `Mon, Wed-Fri`; a range may go over Sunday.
fn read_days(text: &str) -> Option<Vec<usize>> {
    let day = |name: &str| NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim()));
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        days.extend((first..=first + (last + 7 - first) % 7).map(|day| day % 7));
    }
    Some(days)
}

fn read_hours(text: &str, rule: &str, days: &[usize]) -> Result<Hours> {
    let (open, close) = text
        .split_once('-')
        .and_then(|(open, close)| Some((read_minute(open)?, read_minute(close)?)))
        .filter(|(open, _)| *open < MINUTES)
        .ok_or_else(|| bad(rule, EXAMPLE))?;
    if open < close {
        return Ok(Hours { open, close });
    }
    if close == 0 {
        let until = Hours { open, close: MINUTES };
        return Err(bad(rule, format!("midnight at the end of a day is 24:00: {until}")));
    }
    let mut next: Vec<usize> = days.iter().map(|day| (day + 1) % 7).collect();
    next.sort_unstable();
    let (evening, morning) = (Hours { open, close: MINUTES }, Hours { open: 0, close });
    let (evening, morning) = (spell_rule(days, &[evening]), spell_rule(&next, &[morning]));
    Err(bad(rule, format!("hours must end after they begin; split them at midnight: {evening}; {morning}")))
}

/// A time such as `9:30` in minutes, `24:00` included.
fn read_minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str, longest: usize| {
        (text.len() <= longest && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u16>().ok())
            .flatten()
    };
    let (hour, minute) = (number(hour, 2)?, number(minute, 2).filter(|n| minute.len() == 2 && *n < 60)?);
    Some(60 * hour + minute).filter(|minutes| *minutes <= MINUTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<Opening>().unwrap_err().to_string()
    }

    #[test]
    fn what_is_printed_parses_to_the_same() {
        for (text, printed) in [
            ("Mon-Fri", "Mon-Fri"),
            ("Mon-Fri 09:00-17:00", "Mon-Fri 09:00-17:00"),
            ("mon , WED-thu 9:00-12:00,13:00-17:30", "Mon, Wed-Thu 09:00-12:00, 13:00-17:30"),
            ("Sat 10:00-14:00; Mon-Fri 00:00-24:00", "Mon-Fri; Sat 10:00-14:00"),
            ("Fri 13:00-24:00; Fri 00:00-13:00", "Fri 00:00-13:00, 13:00-24:00"),
            ("Sun-Tue 09:00-10:00; Sat 09:00-10:00", "Mon-Tue, Sat-Sun 09:00-10:00"),
            (
                "Mon; closed 2025-01-01, 2024-12-25; closed 2025-01-01; Sun",
                "Mon, Sun; closed 2024-12-25, 2025-01-01",
            ),
        ] {
            let opening: Opening = text.parse().unwrap();
            assert_eq!(opening.to_string(), printed);
            assert_eq!(printed.parse::<Opening>().unwrap(), opening);
            let json = serde_json::to_string(&opening).unwrap();
            assert_eq!(json, format!("\"{printed}\""));
            assert_eq!(serde_json::from_str::<Opening>(&json).unwrap(), opening);
        }
    }

    #[test]
    fn what_cannot_be_read_is_told_with_an_example() {
        for text in [
            "",
            ";",
            "Mon;",
            "Fun",
            "Mon-",
            "Mon 9-17",
            "Mon 09:00",
            "Mon 09:60-10:00",
            "09:00-17:00",
            "Mon 24:00-24:00",
        ] {
            let message = refused(text);
            assert!(message.starts_with("opening is") && message.contains("Mon-Fri 09:00"), "{message}");
        }
        assert!(refused("Mon 23:00-25:00").contains("Mon-Fri 09:00"));
        assert!(refused("Mon; closed 25.12.2024").contains("2024-12-25"));
        assert!(refused("closed 2024-12-25").contains("Mon-Sun"));
    }

    #[test]
    fn hours_over_midnight_and_overlaps_name_the_fix() {
        assert_eq!(
            refused("Mon-Fri 22:00-06:00"),
            "opening is \"Mon-Fri 22:00-06:00\", but hours must end after they begin; split them at midnight: \
             Mon-Fri 22:00-24:00; Tue-Sat 00:00-06:00"
        );
        assert!(refused("Sun 22:00-06:00").ends_with("Sun 22:00-24:00; Mon 00:00-06:00"));
        assert!(refused("Mon 18:00-00:00").ends_with("24:00: 18:00-24:00"));
        assert!(
            refused("Mon-Fri 09:00-12:00; Wed 11:30-13:00")
                .contains("09:00-12:00 and 11:30-13:00 overlap on Wed")
        );
        assert!(refused("Mon-Fri; Fri").contains("overlap on Fri"));
    }

    #[test]
    fn lists_have_bounds_and_long_ones_are_counted() {
        let quarters: Vec<String> = (0..25).map(|i| format!("{i:02}:00-{i:02}:30")).collect();
        assert!("Mon ".to_string().parse::<Opening>().is_ok());
        assert!(format!("Mon {}", quarters[..24].join(", ")).parse::<Opening>().is_ok());
        let halves: Vec<String> = (0..25)
            .map(|i| format!("{:02}:{:02}-{:02}:{:02}", i / 2, i % 2 * 30, i / 2, i % 2 * 30 + 20))
            .collect();
        assert!(refused(&format!("Mon {}", halves.join(", "))).contains("at most 24"));
        let dates = |n: usize| vec!["2024-12-25"; n].join(", ");
        assert!(refused(&format!("Mon; closed {}", dates(10_001))).contains("at most 10000"));
        let four: Opening = "Mon-Fri; closed 2024-01-01, 2024-04-01, 2024-12-25, 2024-12-26".parse().unwrap();
        assert_eq!(four.short(), "Mon-Fri; closed on 4 dates");
    }

    #[test]
    fn slots_count_the_starts_that_fit() {
        let shop: Opening = "Mon-Thu 09:00-12:30, 13:00-17:00; Sat 10:00-10:01".parse().unwrap();
        assert_eq!(shop.slots(DAY / 24), [8, 8, 8, 8, 0, 1, 0]);
        assert_eq!(shop.slots(DAY), [1, 1, 1, 1, 0, 1, 0]);
    }

    #[test]
    fn steps_have_to_divide_a_day() {
        for (text, is_ok) in
            [("1D", true), ("15min", true), ("7h", false), ("2D", false), ("1mo", false), ("5", false)]
        {
            assert_eq!(step_within_days(text.parse().unwrap()).is_ok(), is_ok, "{text}");
        }
        assert!(step_within_days(Step::Days(1)).is_ok() && step_within_days(Step::Days(7)).is_err());
    }
}
