//! The time features of Informer: numbers in [-0.5, 0.5] that say where in the minute, day, week and year a
//! step lies.
//!
//! Each is `(part - first) / (n - 1) - 0.5`, where `n` parts is the most that there can be: 31 days of a month,
//! 366 days of a year, 53 weeks (Zhou et al., 2021, <https://arxiv.org/abs/2012.07436>, and its code,
//! `utils/timefeatures.py`).

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use crate::Step;

/// Which time features are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFeatures {
    /// None.
    #[default]
    None,
    /// Those that Informer uses for the step, see [`TimeFeature::of_step`].
    Informer,
    /// Positions in the tables that Informer uses for the step, see
    /// [`CalendarTable::of_step`](crate::data::CalendarTable::of_step).
    Tables,
}

/// One number that tells a part of a civil time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFeature {
    /// `second / 59 - 0.5`.
    SecondOfMinute,
    /// `minute / 59 - 0.5`.
    MinuteOfHour,
    /// `hour / 23 - 0.5`.
    HourOfDay,
    /// `weekday / 6 - 0.5`, Monday is 0.
    DayOfWeek,
    /// `(day - 1) / 30 - 0.5`.
    DayOfMonth,
    /// `(day of the year - 1) / 365 - 0.5`.
    DayOfYear,
    /// `(ISO 8601 week - 1) / 52 - 0.5`.
    WeekOfYear,
    /// `(month - 1) / 11 - 0.5`.
    MonthOfYear,
}

/// The longest unit of time that divides a step; none for an integer index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    /// A second or less.
    Second,
}

impl Unit {
    pub(super) fn of_step(step: Step) -> Option<Self> {
        const SECOND: i64 = 1_000_000_000;
        const DAY: i64 = 86_400 * SECOND;
        Some(match step {
            Step::Index(_) => return None,
            Step::Months(months) if months % 12 == 0 => Unit::Year,
            Step::Months(_) => Unit::Month,
            Step::Days(days) if days % 7 == 0 => Unit::Week,
            Step::Days(_) => Unit::Day,
            Step::Nanos(nanos) if nanos % (7 * DAY) == 0 => Unit::Week,
            Step::Nanos(nanos) if nanos % DAY == 0 => Unit::Day,
            Step::Nanos(nanos) if nanos % (3600 * SECOND) == 0 => Unit::Hour,
            Step::Nanos(nanos) if nanos % (60 * SECOND) == 0 => Unit::Minute,
            Step::Nanos(_) => Unit::Second,
        })
    }
}

impl TimeFeature {
    /// The features that Informer uses for a step, in its order.
    ///
    /// | longest unit that divides the step | features |
    /// |---|---|
    /// | year, and an integer index | none |
    /// | month | month of year |
    /// | week (7 days) | day of month, week of year |
    /// | day | day of week, day of month, day of year |
    /// | hour | hour of day, and those of a day |
    /// | minute | minute of hour, and those of an hour |
    /// | second and below | second of minute, and those of a minute |
    ///
    /// # Example
    /// ```
    /// use forecast::data::TimeFeature;
    /// let names: Vec<_> = TimeFeature::of_step("1h".parse()?).iter().map(|f| f.name()).collect();
    /// assert_eq!(names, ["hour-of-day", "day-of-week", "day-of-month", "day-of-year"]);
    /// assert!(TimeFeature::of_step("1y".parse()?).is_empty());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    #[must_use]
    pub fn of_step(step: Step) -> &'static [Self] {
        const FINE: [TimeFeature; 6] = [
            TimeFeature::SecondOfMinute,
            TimeFeature::MinuteOfHour,
            TimeFeature::HourOfDay,
            TimeFeature::DayOfWeek,
            TimeFeature::DayOfMonth,
            TimeFeature::DayOfYear,
        ];
        match Unit::of_step(step) {
            None | Some(Unit::Year) => &[],
            Some(Unit::Month) => &[TimeFeature::MonthOfYear],
            Some(Unit::Week) => &[TimeFeature::DayOfMonth, TimeFeature::WeekOfYear],
            Some(Unit::Day) => &FINE[3..],
            Some(Unit::Hour) => &FINE[2..],
            Some(Unit::Minute) => &FINE[1..],
            Some(Unit::Second) => &FINE,
        }
    }

    /// The name of its column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TimeFeature::SecondOfMinute => "second-of-minute",
            TimeFeature::MinuteOfHour => "minute-of-hour",
            TimeFeature::HourOfDay => "hour-of-day",
            TimeFeature::DayOfWeek => "day-of-week",
            TimeFeature::DayOfMonth => "day-of-month",
            TimeFeature::DayOfYear => "day-of-year",
            TimeFeature::WeekOfYear => "week-of-year",
            TimeFeature::MonthOfYear => "month-of-year",
        }
    }

    /// The feature of a civil time, in [-0.5, 0.5].
    #[must_use]
    pub fn value(self, at: DateTime) -> f64 {
        match self {
            TimeFeature::SecondOfMinute => f64::from(at.second()) / 59.0 - 0.5,
            TimeFeature::MinuteOfHour => f64::from(at.minute()) / 59.0 - 0.5,
            TimeFeature::HourOfDay => f64::from(at.hour()) / 23.0 - 0.5,
            TimeFeature::DayOfWeek => f64::from(at.weekday().to_monday_zero_offset()) / 6.0 - 0.5,
            TimeFeature::DayOfMonth => f64::from(at.day() - 1) / 30.0 - 0.5,
            TimeFeature::DayOfYear => f64::from(at.day_of_year() - 1) / 365.0 - 0.5,
            TimeFeature::WeekOfYear => f64::from(at.date().iso_week_date().week() - 1) / 52.0 - 0.5,
            TimeFeature::MonthOfYear => f64::from(at.month() - 1) / 11.0 - 0.5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CalendarFeatures, CalendarTable, TimeIndex, Zone, calendar_positions};
    use ndarray::Array2;
    use serde_json::Value;

    fn at(text: &str) -> DateTime {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_and_the_last_of_each_part_are_minus_and_plus_a_half() {
        let first = at("2024-01-01T00:00:00"); // a Monday
        let last = at("2028-12-31T23:59:59"); // a Sunday, of a leap year
        for feature in TimeFeature::of_step(Step::Nanos(1)).iter().chain([&TimeFeature::MonthOfYear]) {
            assert!((feature.value(first) + 0.5).abs() < 1e-15, "{feature:?}");
            assert!((feature.value(last) - 0.5).abs() < 1e-15, "{feature:?}");
        }
        assert!((TimeFeature::WeekOfYear.value(at("2021-01-03T00:00:00")) - 0.5).abs() < 1e-15); // week 53
    }

    #[test]
    fn a_step_of_several_units_has_the_features_of_its_longest_whole_unit() {
        for (step, as_step) in
            [("90min", "1min"), ("36h", "1h"), ("14D", "7D"), ("10D", "1D"), ("1500ms", "1s"), ("1q", "1mo")]
        {
            let [found, expected] = [step, as_step].map(|step| TimeFeature::of_step(step.parse().unwrap()));
            assert_eq!(found, expected, "{step}");
        }
        assert_eq!(TimeFeature::of_step(Step::Days(7)), TimeFeature::of_step("1W".parse().unwrap()));
        assert!(TimeFeature::of_step(Step::Index(1)).is_empty());
    }

    /// The file says how it was made.
    #[test]
    fn time_features_and_tables_equal_those_of_informer_in_every_zone() {
        let file: Value =
            serde_json::from_str(include_str!("../../../tests/golden/calendar_features.json")).unwrap();
        let cases = file["cases"].as_array().unwrap();
        assert!(cases.len() >= 15);
        let informer = CalendarFeatures { time: TimeFeatures::Informer, ..CalendarFeatures::default() };
        let list = |value: &Value| value.as_array().unwrap().clone();
        for case in cases {
            let (zone, step) = (case["zone"].as_str().unwrap(), case["step"].as_str().unwrap());
            let stamps: Vec<i64> = list(&case["stamps"]).iter().map(|v| v.as_i64().unwrap()).collect();
            let zone = Zone::try_from(zone.to_string()).unwrap();
            let step = match step.parse().unwrap() {
                Step::Nanos(86_400_000_000_000) if zone.has_uneven_days() => Step::Days(1),
                step => step,
            };
            let index = TimeIndex::new(stamps[0], step, zone, 2);
            assert_eq!(stamps, (0..stamps.len()).map(|i| index.stamp(i)).collect::<Vec<_>>(), "{case}");
            assert_eq!(Value::from(informer.names(index.step)), case["names"], "{case}");
            let found = {
                let mut out = Array2::from_elem((stamps.len(), informer.n_columns(index.step)), f64::NAN);
                informer.fill(&index, 0..stamps.len(), out.view_mut()).unwrap();
                out
            };
            let tables = CalendarTable::of_step(index.step);
            let mut positions = Array2::zeros((stamps.len(), tables.len()));
            calendar_positions(&index, 0..stamps.len(), positions.view_mut()).unwrap();
            for i in 0..stamps.len() {
                let expected = list(&case["features"][i]);
                assert_eq!(expected.len(), found.ncols());
                for (a, b) in found.row(i).iter().zip(&expected) {
                    assert!((a - b.as_f64().unwrap()).abs() < 1e-12, "{case} row {i}: {a} {b}");
                }
                let positions: Value = positions.row(i).to_vec().into();
                assert_eq!(positions, case["tables"][i], "{case} row {i}");
            }
        }
    }
}
