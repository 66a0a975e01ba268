//! How far back a lag reaches, in words: 25 steps of an hour are `1 day 1 hour`.

use super::frequency::Frequency;
use super::step::Step;

/// Units of time from the longest on, in nanoseconds.
const CLOCK: [(i128, &str); 7] = [
    (86_400_000_000_000, "day"),
    (3_600_000_000_000, "hour"),
    (60_000_000_000, "minute"),
    (1_000_000_000, "second"),
    (1_000_000, "millisecond"),
    (1_000, "microsecond"),
    (1, "nanosecond"),
];

impl Frequency {
    /// The length of a lag in words, every unit of it; `None` for an integer index, whose steps have no length.
    ///
    /// With an opening, open steps alone are counted, and the words say so: `1 open day 2 open hours`. A week of them
    /// is a week, unless dates are closed.
    ///
    /// # Example
    /// ```
    /// use forecast::data::Frequency;
    /// let words = |freq: &str, lag| Ok::<_, forecast::Error>(freq.parse::<Frequency>()?.lag_in_words(lag));
    /// assert_eq!(words("1h", 168)?.as_deref(), Some("7 days"));
    /// assert_eq!(words("1h", 25)?.as_deref(), Some("1 day 1 hour"));
    /// assert_eq!(words("B", 7)?.as_deref(), Some("1 week 2 open days"));
    /// assert_eq!(words("1", 7)?, None);
    /// # Ok::<(), forecast::Error>(())
    /// ```
    #[must_use]
    pub fn lag_in_words(&self, lag: usize) -> Option<String> {
        let steps = i128::try_from(lag).ok()?;
        let Some((week, day)) = self.slots_of_week_and_day() else {
            return match self.step {
                Step::Nanos(nanos) => Some(spell(steps * i128::from(nanos), &CLOCK, "")),
                Step::Days(days) => Some(spell(steps * i128::from(days), &[(1, "day")], "")),
                Step::Months(months) => {
                    Some(spell(steps * i128::from(months), &[(12, "year"), (1, "month")], ""))
                }
                Step::Index(_) => None,
            };
        };
        let (week, day) = (i128::try_from(week).ok()?, day.and_then(|day| i128::try_from(day).ok()));
        let is_whole = self.opening.as_ref().is_none_or(|opening| opening.closed().is_empty());
        let mut rest = steps;
        let mut words = Vec::new();
        for (unit, name, open) in
            [(Some(week), "week", if is_whole { "" } else { "open " }), (day, "day", "open ")]
        {
            if let Some(unit) = unit.filter(|unit| *unit > 0 && rest >= *unit) {
                words.push(spell(rest / unit, &[(1, name)], open));
                rest %= unit;
            }
        }
        if let (Step::Nanos(nanos), true) = (self.step, rest > 0) {
            words.push(spell(rest * i128::from(nanos), &CLOCK[1..], "open "));
        }
        Some(words.join(" "))
    }
}

/// A count of the smallest of `units` in all of them, with a word before each.
fn spell(count: i128, units: &[(i128, &str)], before: &str) -> String {
    let mut rest = count;
    let mut words = Vec::new();
    for (unit, name) in units {
        let n = rest / unit;
        if n > 0 {
            words.push(format!("{n} {before}{name}{}", if n == 1 { "" } else { "s" }));
        }
        rest %= unit;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(freq: &str, lag: usize) -> Option<String> {
        freq.parse::<Frequency>().unwrap().lag_in_words(lag)
    }

    #[test]
    fn lags_are_told_in_every_unit_that_they_have() {
        for (freq, lag, expected) in [
            ("1h", 1, "1 hour"),
            ("1h", 24, "1 day"),
            ("1h", 25, "1 day 1 hour"),
            ("1h", 168, "7 days"),
            ("15min", 3, "45 minutes"),
            ("15min", 101, "1 day 1 hour 15 minutes"),
            ("90s", 1, "1 minute 30 seconds"),
            ("20ms", 60, "1 second 200 milliseconds"),
            ("250us", 1, "250 microseconds"),
            ("7ns", 1, "7 nanoseconds"),
            ("7D", 2, "14 days"),
            ("1mo", 12, "1 year"),
            ("1mo", 26, "2 years 2 months"),
            ("1q", 5, "1 year 3 months"),
            ("1y", 1, "1 year"),
        ] {
            assert_eq!(words(freq, lag).as_deref(), Some(expected), "{lag} steps of {freq}");
        }
        assert_eq!(Frequency::from(Step::Days(1)).lag_in_words(7).as_deref(), Some("7 days"));
        assert_eq!(words("5", 3), None);
    }

    #[test]
    fn lags_of_an_opening_count_open_steps_and_say_so() {
        let office = "1h, Mon-Fri 09:00-17:00";
        for (freq, lag, expected) in [
            ("B", 5, "1 week"),
            ("B", 6, "1 week 1 open day"),
            ("1D, Mon-Fri; closed 2024-12-25", 10, "2 open weeks"),
            (office, 3, "3 open hours"),
            (office, 8, "1 open day"),
            (office, 53, "1 week 1 open day 5 open hours"),
            ("1h, Mon-Fri 09:00-17:00; Sat 10:00-14:00", 46, "1 week 2 open hours"),
            ("30min, Mon-Fri 09:00-17:00", 3, "1 open hour 30 open minutes"),
        ] {
            assert_eq!(words(freq, lag).as_deref(), Some(expected), "{lag} steps of {freq}");
        }
    }

    #[test]
    fn the_longest_lag_has_words_too() {
        assert!(words("1y", usize::MAX).is_some_and(|words| words.ends_with("years")));
        assert!(words("B", usize::MAX).is_some());
    }
}
