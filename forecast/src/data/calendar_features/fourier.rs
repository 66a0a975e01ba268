//! Fourier terms: a season of any length as a few sines and cosines.
//!
//! Column pair `k = 1 ..= order` is `sin(2 pi k t / period)`, `cos(2 pi k t / period)`, where `t` is the time on
//! the clock since 1970, the count of months for monthly steps, or the integer of an integer index: two series
//! that start at different stamps agree, and a daily season follows the clock through daylight saving.

use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Step};

/// The most sines of one set of terms.
pub(super) const MOST_HARMONICS: usize = 1_000;
const DAY: i64 = 86_400_000_000_000;
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// A season and how many of its harmonics to use; written `1D:4`.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `period` | none | the season: a duration (`1D`, `8766h`, `1y`), or a count of steps (`168`) | over 2 steps |
/// | `order` | none | sines, and as many cosines | 1 to half the steps of the period, at most 1000 |
///
/// A year or month counts as its mean length (365.2425 days, a twelfth of it) unless the steps are months. With
/// an order of exactly half the period, the last pair alternates and one of the two may be zero everywhere.
///
/// # Example
/// ```
/// use forecast::data::FourierTerm;
/// let term: FourierTerm = "1D:2".parse()?;
/// assert_eq!(term.names().collect::<Vec<_>>(), ["sin-1D-1", "cos-1D-1", "sin-1D-2", "cos-1D-2"]);
/// assert!(term.check("1h".parse()?).is_ok());
/// assert!(term.check("12h".parse()?).is_err()); // two steps a day show one harmonic
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct FourierTerm {
    /// The season: a duration, or a count of steps as [`Step::Index`].
    pub period: Step,
    /// How many sines, and as many cosines.
    pub order: usize,
}

/// A period in the unit that the stamps of an index are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    period: i64,
    /// The step in that unit.
    step: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    /// Nanoseconds of civil time.
    Nanos,
    /// Calendar months.
    Months,
    /// The integers of an integer index.
    Integers,
}

impl FourierTerm {
    /// The names of the columns: `sin-1D-1`, `cos-1D-1`, `sin-1D-2`, ...
    pub fn names(&self) -> impl Iterator<Item = String> + '_ {
        (1..=self.order)
            .flat_map(|k| [format!("sin-{}-{k}", self.period), format!("cos-{}-{k}", self.period)])
    }

    /// Nothing, if the term can be told on a grid of this step.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the order is 0 or more than half the steps of a period, or if the period is a
    /// duration and the index counts integers.
    pub fn check(&self, step: Step) -> Result<()> {
        self.clock(step).map(|_| ())
    }

    /// The period on the clock of an index, checked.
    pub(super) fn clock(&self, step: Step) -> Result<Clock> {
        let bad = |rule: &str| Error::option("fourier", self, rule);
        let nanos = |period: i64, step: i64| Clock { unit: Unit::Nanos, period, step };
        let clock = match (self.period, step) {
            (Step::Index(n), _) => {
                let (unit, step) = match step {
                    Step::Nanos(step) => (Unit::Nanos, step),
                    Step::Days(days) => (Unit::Nanos, i64::from(days) * DAY),
                    Step::Months(months) => (Unit::Months, i64::from(months)),
                    Step::Index(step) => (Unit::Integers, step),
                };
                let period = n.checked_mul(step).ok_or_else(|| bad("the period is too long"))?;
                Clock { unit, period, step }
            }
            (_, Step::Index(_)) => {
                return Err(bad(
                    "an integer index has no durations; give the period in steps, for example 24:3",
                ));
            }
            (Step::Months(period), Step::Months(step)) => {
                Clock { unit: Unit::Months, period: period.into(), step: step.into() }
            }
            (period, step) => nanos(period.approximate_nanos(), step.approximate_nanos()),
        };
        if self.order == 0 || clock.period <= 0 || clock.step <= 0 {
            return Err(bad("period and order must be at least 1"));
        }
        let most = usize::try_from(clock.period / clock.step / 2).unwrap_or(usize::MAX);
        match most {
            0 => Err(bad(&format!("the period must be at least two steps of {step}"))),
            _ if self.order > most => Err(bad(&format!(
                "beyond half the steps of a period the columns repeat; with steps of {step} use an order of at most {most}"
            ))),
            _ => Ok(clock),
        }
    }
}

impl Clock {
    /// The smallest orders from which on two terms share a column; none if they never do.
    pub(super) fn meets(self, other: Self) -> Option<(i64, i64)> {
        // k / period = l / other.period for the first time at the periods over their greatest common divisor.
        let divisor = greatest_common_divisor(self.period, other.period);
        (self.unit == other.unit).then_some((self.period / divisor, other.period / divisor))
    }

    /// The shortest period that both come back together after; `None` if they are counted in different units, or it is
    /// longer than any count.
    pub(super) fn together(self, other: Self) -> Option<Self> {
        let times = other.period / greatest_common_divisor(self.period, other.period);
        let period = self.period.checked_mul(times)?;
        (self.unit == other.unit && self.step == other.step).then_some(Clock { period, ..self })
    }

    /// Steps of a period, and the step in the unit of phases; `None` if the period is no whole number of steps.
    pub(super) fn steps(self) -> Option<(usize, i64)> {
        let n = usize::try_from(self.period / self.step).ok()?;
        (self.period % self.step == 0).then_some((n, self.step))
    }

    /// The same place in this period, of a place in a longer one that is a multiple of it.
    pub(super) fn within(self, phase: i64) -> i64 {
        phase.rem_euclid(self.period)
    }

    /// Where a step lies in the period: from 0 to the period, exact however far the stamp is.
    pub(super) fn phase(self, stamp: i64, civil: Option<DateTime>) -> i64 {
        match (self.unit, civil) {
            (Unit::Nanos, Some(at)) => {
                let since = at.duration_since(EPOCH).as_nanos().rem_euclid(self.period.into());
                i64::try_from(since).unwrap_or(0)
            }
            (Unit::Months, Some(at)) => {
                let months = 12 * (i64::from(at.year()) - 1970) + i64::from(at.month()) - 1;
                months.rem_euclid(self.period)
            }
            (Unit::Integers, _) | (_, None) => stamp.rem_euclid(self.period),
        }
    }

    /// Writes the sine and the cosine of each harmonic of a phase: `sin, cos, sin, cos, ...`.
    pub(super) fn fill<'a>(self, phase: i64, cells: impl Iterator<Item = &'a mut f64>) {
        let period = self.period.unsigned_abs();
        let (mut turned, mut cosine) = (0, None);
        for cell in cells {
            if let Some(cosine) = cosine.take() {
                *cell = cosine;
                continue;
            }
            // Reduced in integers, to half a turn either way, before anything is rounded.
            turned += phase.unsigned_abs();
            turned -= if turned >= period { period } else { 0 };
            let turn = if 2 * turned > period {
                -((period - turned) as f64 / period as f64)
            } else {
                turned as f64 / period as f64
            };
            let (sin, cos) = (TAU * turn).sin_cos();
            *cell = sin;
            cosine = Some(cos);
        }
    }
}

fn greatest_common_divisor(mut a: i64, mut b: i64) -> i64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

impl fmt::Display for FourierTerm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.period, self.order)
    }
}

impl FromStr for FourierTerm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || {
            Error::option(
                "fourier",
                format!("\"{text}\""),
                "it must be a period and an order, for example 1D:4, or 168:3 for 168 steps",
            )
        };
        let (period, order) = text.split_once(':').ok_or_else(bad)?;
        let period: Step = period.trim().parse().map_err(|_| bad())?;
        let order = order.trim().parse().map_err(|_| bad())?;
        if order > MOST_HARMONICS {
            let rule = format!("use an order of at most {MOST_HARMONICS}");
            return Err(Error::option("fourier", format!("\"{text}\""), rule));
        }
        Ok(FourierTerm { period, order })
    }
}

impl From<FourierTerm> for String {
    fn from(term: FourierTerm) -> Self {
        term.to_string()
    }
}

impl TryFrom<String> for FourierTerm {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(term: &str, step: &str) -> Result<Clock> {
        term.parse::<FourierTerm>().and_then(|term| term.clock(step.parse().unwrap()))
    }

    fn error(term: &str, step: &str) -> String {
        clock(term, step).unwrap_err().to_string()
    }

    #[test]
    fn terms_print_what_they_parse() {
        for text in ["1D:4", "168:3", "1y:10", "8766h:1"] {
            assert_eq!(text.parse::<FourierTerm>().unwrap().to_string(), text);
        }
        for text in ["1D", "1D:", ":3", "1D:-1", "1 fortnight:2", "0:1", ""] {
            let message = text.parse::<FourierTerm>().unwrap_err().to_string();
            assert!(message.contains("1D:4"), "{message}");
        }
    }

    #[test]
    fn columns_equal_the_formula_near_1970() {
        let clock = clock("168:80", "1h").unwrap();
        for hour in 0..400 {
            let mut cells = [0.0; 160];
            clock.fill(clock.phase(0, Some(EPOCH + jiff::Span::new().hours(hour))), cells.iter_mut());
            for (at, pair) in cells.chunks(2).enumerate() {
                let angle = TAU * (at + 1) as f64 * hour as f64 / 168.0;
                assert!((pair[0] - angle.sin()).abs() < 1e-11 && (pair[1] - angle.cos()).abs() < 1e-11);
            }
        }
    }

    #[test]
    fn far_stamps_are_as_exact_as_near_ones() {
        let clock = clock("1D:7", "1s").unwrap();
        let noon_plus_one = |date: &str| format!("{date}T12:00:01").parse::<DateTime>().unwrap();
        let row = |at: DateTime| {
            let mut cells = [0.0; 14];
            clock.fill(clock.phase(0, Some(at)), cells.iter_mut());
            cells.map(f64::to_bits)
        };
        let near = row(noon_plus_one("1970-01-01"));
        assert_eq!(near, row(noon_plus_one("2261-12-31")));
        assert_eq!(near, row(noon_plus_one("1678-01-01")));
    }

    #[test]
    fn months_and_integers_are_counted_not_measured() {
        let months = clock("1y:6", "1mo").unwrap();
        assert_eq!(months, clock("12:6", "1mo").unwrap());
        let phase = |date: &str| months.phase(0, Some(date.parse().unwrap()));
        assert_eq!((phase("2024-01-31"), phase("1969-12-01")), (0, 11));
        let integers = clock("7:3", "5").unwrap(); // 7 steps of 5
        assert_eq!((integers.phase(36, None), integers.phase(-1, None)), (1, 34));
    }

    #[test]
    fn orders_that_repeat_columns_are_errors_with_the_largest_order() {
        assert!(clock("1D:12", "1h").is_ok());
        assert!(error("1D:13", "1h").ends_with("with steps of 1h use an order of at most 12"));
        assert!(error("1D:1", "1D").contains("at least two steps of 1D"));
        assert!(error("7D:1", "MS").contains("at least two steps"));
        assert!(error("1D:0", "1h").contains("at least 1"));
        assert!(error("1D:1", "1").contains("in steps"));
        assert!("1y:1001".parse::<FourierTerm>().unwrap_err().to_string().contains("at most 1000"));
        assert!(error("9223372036854775807:1", "1h").contains("too long"));
    }

    #[test]
    fn terms_meet_where_their_harmonics_are_one_frequency() {
        let [day, week] = ["1D:2", "7D:2"].map(|term| clock(term, "1h").unwrap());
        assert_eq!(day.meets(week), Some((1, 7)));
        assert_eq!(clock("10:2", "1h").unwrap().meets(clock("4:2", "1h").unwrap()), Some((5, 2)));
    }
}
