//! How often a series has a step: the distance between stamps, and when it is open.

use std::fmt;
use std::str::FromStr;

use super::opening::{Opening, step_within_days};
use super::step::Step;
use crate::{Error, Result};

const DAY: i64 = 86_400_000_000_000;

/// A step, and the opening that it is counted in.
///
/// Parses what [`Step`] parses, `B` for business days, and a step with its opening. Printing is for people: a
/// long list of closed dates is counted.
///
/// # Example
/// ```
/// use forecast::data::Frequency;
/// let business: Frequency = "B".parse()?;
/// assert_eq!(business, "1D, Mon-Fri".parse()?);
/// assert_eq!(business.to_string(), "1D, Mon-Fri");
/// assert_eq!(business.span(10), "2 weeks");
/// assert!("7h, Mon-Fri".parse::<Frequency>().is_err());
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Frequency {
    /// The distance between stamps.
    pub step: Step,
    /// When the series is open; always if `None`.
    pub opening: Option<Opening>,
}

impl Frequency {
    /// How many slots each day of the week has, from Monday on; `None` without an opening.
    fn slots(&self) -> Option<[i64; 7]> {
        let opening = self.opening.as_ref()?;
        Some(opening.slots(step_within_days(self.step).ok()?))
    }

    /// Slots of a week, and of an open day if all have as many; `None` without an opening.
    pub(crate) fn slots_of_week_and_day(&self) -> Option<(usize, Option<usize>)> {
        let slots = self.slots()?;
        let mut open = slots.into_iter().filter(|slots| *slots > 0);
        let first = open.next()?;
        let day = open.all(|slots| slots == first).then_some(first);
        Some((
            usize::try_from(slots.iter().sum::<i64>()).ok()?,
            day.and_then(|day| usize::try_from(day).ok()),
        ))
    }

    /// Steps of a year of 365 days, about; `None` for an integer index.
    pub(crate) fn steps_of_year(&self) -> Option<usize> {
        let steps = match (self.slots(), self.step.approximate_nanos()) {
            (Some(slots), _) => slots.iter().sum::<i64>().saturating_mul(365) / 7,
            (None, 0) => return None,
            (None, nanos) => 365 * DAY / nanos,
        };
        Some(usize::try_from(steps).unwrap_or(usize::MAX))
    }

    /// A span of `steps` steps in words, as [`Step::span`]; with an opening in weeks, in open days, or in open
    /// time.
    ///
    /// # Example
    /// ```
    /// use forecast::data::Frequency;
    /// let office: Frequency = "1h, Mon-Fri 09:00-17:00".parse()?;
    /// assert_eq!((office.span(40), office.span(16)), ("1 week".to_string(), "2 open days".to_string()));
    /// assert_eq!(office.span(12), "12 open hours");
    /// # Ok::<(), forecast::Error>(())
    /// ```
    #[must_use]
    pub fn span(&self, steps: usize) -> String {
        let whole = |unit: usize, name: &str| {
            let n = steps.checked_div(unit).filter(|n| *n > 0 && steps.is_multiple_of(unit))?;
            Some(if n == 1 { format!("1 {name}") } else { format!("{n} {name}s") })
        };
        match self.slots_of_week_and_day() {
            None => self.step.span(steps),
            Some((week, day)) => whole(week, "week")
                .or_else(|| whole(day?, "open day"))
                .unwrap_or_else(|| self.step.open_span(steps)),
        }
    }
}

impl From<Step> for Frequency {
    fn from(step: Step) -> Self {
        Frequency { step, opening: None }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.step)?;
        self.opening.as_ref().map_or(Ok(()), |opening| write!(f, ", {}", opening.short()))
    }
}

impl FromStr for Frequency {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if matches!(text, "B" | "b" | "1B" | "1b") {
            return Ok(Frequency { step: Step::Nanos(DAY), opening: Some(Opening::business_days()) });
        }
        if let Some((step, opening)) = text.split_once(',') {
            let frequency = Frequency { step: step.parse()?, opening: Some(opening.trim().parse()?) };
            step_within_days(frequency.step)?;
            return Ok(frequency);
        }
        text.parse::<Step>().map(Frequency::from).map_err(|error| match error {
            Error::BadOption { field, value, rule } => {
                Error::BadOption { field, value, rule: rule + ", or B for business days" }
            }
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn business_days_are_days_from_monday_to_friday() {
        for text in ["B", "b", "1B", "1D, Mon-Fri", "D,mon-fri"] {
            let frequency: Frequency = text.parse().unwrap();
            assert_eq!(frequency.step, "1D".parse().unwrap());
            assert_eq!(frequency.opening, Some(Opening::business_days()), "{text}");
        }
    }

    #[test]
    fn other_text_is_a_step_with_or_without_an_opening() {
        for text in ["15min", "1mo", "1", "1h, Mon-Fri 09:00-17:00; Sat 10:00-14:00; closed 2024-12-25"] {
            assert_eq!(text.parse::<Frequency>().unwrap().to_string(), text);
        }
        for (text, named) in
            [("2B", "B for business days"), ("1h, Funday", "Mon-Fri"), ("1mo, Mon", "divide a day")]
        {
            let message = text.parse::<Frequency>().unwrap_err().to_string();
            assert!(message.contains(named), "{message}");
        }
    }

    #[test]
    fn years_and_spans_count_what_is_open() {
        let frequency = |text: &str| text.parse::<Frequency>().unwrap();
        assert_eq!(frequency("B").steps_of_year(), Some(260));
        assert_eq!(frequency("1h").steps_of_year(), Some(8_760));
        assert_eq!(frequency("1h, Mon-Fri 09:00-17:00").steps_of_year(), Some(2_085));
        assert_eq!(frequency("1").steps_of_year(), None);
        let uneven = frequency("1h, Mon-Fri 09:00-17:00; Sat 10:00-14:00");
        assert_eq!((uneven.span(44), uneven.span(48)), ("1 week".to_string(), "48 open hours".to_string()));
        assert_eq!(
            (frequency("B").span(3), frequency("B").span(1)),
            ("3 open days".to_string(), "1 open day".to_string())
        );
        assert_eq!(frequency("30min, Mon 09:00-12:00; Tue 09:00-10:00").span(3), "90 open min");
    }
}
