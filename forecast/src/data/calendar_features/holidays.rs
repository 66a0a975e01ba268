//! Holidays of a user's file: for each name, the days on which it is 1.
//!
//! The file has the columns that Prophet's has: `ds` (the day), `holiday` (its name), and optionally
//! `lower_window` and `upper_window`, days before (negative) and after that count too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

use crate::data::Cells;
use crate::{Error, Result};

/// The most names of a file; each is a column.
const MOST_NAMES: usize = 1_000;
/// The most days of all names together.
const MOST_DAYS: usize = 1_000_000;
/// The widest window either way, in days.
const WIDEST: i32 = 366;
/// Days that an index can hold, 1677 to 2262, lie this close to 1970.
const FARTHEST: i32 = 107_000;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Named sets of civil days, by name.
///
/// # Example
/// ```
/// use forecast::data::{Cells, Holidays};
/// let table = [
///     ("ds".to_string(), Cells::Text(vec!["2024-12-25".into(), "2025-12-25".into()])),
///     ("holiday".to_string(), Cells::Text(vec!["christmas".into(), "christmas".into()])),
///     ("lower_window".to_string(), Cells::Numbers(vec![-1.0, -1.0])),
/// ];
/// let holidays = Holidays::from_table(&table, "holidays.csv")?;
/// assert_eq!(holidays.names().collect::<Vec<_>>(), ["christmas"]);
/// assert!(holidays.is_on("christmas", "2024-12-24".parse().unwrap()));
/// assert!(!holidays.is_on("christmas", "2024-12-26".parse().unwrap()));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Holidays {
    /// Days since 1970, each once.
    days: BTreeMap<String, BTreeSet<i32>>,
}

impl Holidays {
    /// The holidays of a table, as [`decode`](crate::data::decode) gives it.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`] if `ds` or `holiday` is not there; [`Error::BadStamp`] if a day cannot be read;
    /// [`Error::BadOption`] with the row and the value otherwise: a name that is missing, a window that is not
    /// whole, has the wrong sign or is wider than a year, too many names, or a column that is not known.
    pub fn from_table(table: &[(String, Cells)], input: &str) -> Result<Self> {
        const KNOWN: [&str; 4] = ["ds", "holiday", "lower_window", "upper_window"];
        if let Some((name, _)) = table.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
            let rule = format!("the columns of a holiday file are {}; remove it", KNOWN.join(", "));
            return Err(Error::option(format!("column of \"{input}\""), format!("\"{name}\""), rule));
        }
        let column = |name: &str| table.iter().find(|(known, _)| known == name).map(|(_, cells)| cells);
        let needed = |name: &str| {
            column(name).ok_or_else(|| Error::NoSuchColumn {
                input: input.to_string(),
                column: name.to_string(),
                columns: table.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
            })
        };
        let (ds, holiday) = (needed("ds")?, needed("holiday")?);
        let (lower, upper) = (column("lower_window"), column("upper_window"));
        let mut days: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
        let mut n_days = 0;
        for row in 0..ds.len() {
            let bad = |column: &str, value: &str, rule: &str| {
                let place = format!("\"{input}\", row {}: {column}", row + 1);
                Error::option(place, format!("\"{value}\""), rule)
            };
            let day = day(ds, row).map_err(|value| Error::BadStamp {
                input: input.to_string(),
                row: row + 1,
                column: "ds".to_string(),
                value,
                expected: "a day such as 2024-12-25, between the years 1678 and 2262",
            })?;
            let name = holiday.present(row).ok_or_else(|| bad("holiday", "", "each day needs a name"))?;
            let window = |column: &str, cells: Option<&Cells>, range: [i32; 2]| {
                let Some(text) = cells.and_then(|cells| cells.present(row)) else { return Ok(0) };
                let days = text.parse().ok().filter(|days| (range[0]..=range[1]).contains(days));
                let rule = format!("it must be a whole number of days from {} to {}", range[0], range[1]);
                days.ok_or_else(|| bad(column, &text, &rule))
            };
            let first = day + window("lower_window", lower, [-WIDEST, 0])?;
            let last = day + window("upper_window", upper, [0, WIDEST])?;
            if days.len() == MOST_NAMES && !days.contains_key(&*name) {
                let rule = format!("there may be at most {MOST_NAMES} names, each is a column");
                return Err(bad("holiday", &name, &rule));
            }
            let known = days.entry(name.to_string()).or_default();
            n_days += (first..=last).filter(|day| known.insert(*day)).count();
            if n_days > MOST_DAYS {
                return Err(bad("holiday", &name, &format!("there may be at most {MOST_DAYS} days in all")));
            }
        }
        Ok(Holidays { days })
    }

    /// True if there is no holiday.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The names, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.days.keys().map(String::as_str)
    }

    /// True if `name` is on a day.
    #[must_use]
    pub fn is_on(&self, name: &str, day: Date) -> bool {
        self.days.get(name).is_some_and(|days| days.contains(&number(day)))
    }

    /// The last day of any name; none if there is no holiday.
    #[must_use]
    pub fn last_day(&self) -> Option<Date> {
        let last = self.days.values().filter_map(BTreeSet::last).max()?;
        EPOCH.checked_add(jiff::Span::new().try_days(*last).ok()?).ok()
    }

    /// Writes 1 for each name, in order, that is on the day of a civil time, else 0.
    pub(super) fn fill<'a>(&self, at: DateTime, cells: impl Iterator<Item = &'a mut f64>) {
        let day = number(at.date());
        for (days, cell) in self.days.values().zip(cells) {
            *cell = f64::from(u8::from(days.contains(&day)));
        }
    }
}

/// Days since 1970.
fn number(day: Date) -> i32 {
    // Every date of the calendar lies inside the range.
    i32::try_from(day.duration_since(EPOCH).as_secs() / 86_400).unwrap_or(i32::MAX)
}

/// The day in a row of `ds`, as days since 1970; the cell's text if it is none.
fn day(ds: &Cells, row: usize) -> Result<i32, String> {
    let text = match ds {
        Cells::Text(cells) => cells[row].trim().to_string(),
        other => other.text(row).unwrap_or_default().into_owned(),
    };
    let at = text.parse::<DateTime>().ok().filter(|at| at.time() == jiff::civil::Time::midnight());
    at.map(|at| number(at.date())).filter(|day| day.abs() < FARTHEST).ok_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Format, decode};

    fn read(csv: &str) -> Result<Holidays> {
        Holidays::from_table(&decode(csv.as_bytes(), "h.csv", Format::Csv).unwrap(), "h.csv")
    }

    fn error(csv: &str) -> String {
        read(csv).unwrap_err().to_string()
    }

    #[test]
    fn windows_widen_the_day_over_the_ends_of_months_and_leap_days() {
        let csv =
            "ds,holiday,lower_window,upper_window\n2024-03-01,a,-1,0\n2023-03-01,a,-1,\n2024-12-31,b,0,1\n";
        let holidays = read(csv).unwrap();
        assert_eq!(holidays.names().collect::<Vec<_>>(), ["a", "b"]);
        let is_on = |name: &str, day: &str| holidays.is_on(name, day.parse().unwrap());
        for (name, day, expected) in [
            ("a", "2024-02-29", true),
            ("a", "2024-02-28", false),
            ("a", "2023-02-28", true),
            ("a", "2024-03-02", false),
            ("b", "2025-01-01", true),
            ("b", "2024-12-30", false),
            ("c", "2024-12-31", false),
        ] {
            assert_eq!(is_on(name, day), expected, "{name} {day}");
        }
        assert_eq!(holidays.last_day(), Some("2025-01-01".parse().unwrap()));
        assert_eq!(read("ds,holiday\n2024-03-01 00:00:00,a\n").unwrap().names().len(), 1);
    }

    #[test]
    fn holidays_survive_json() {
        let holidays = read("ds,holiday,upper_window\n2024-12-25,christmas,2\n1960-01-06,7,0\n").unwrap();
        let json = serde_json::to_string(&holidays).unwrap();
        assert_eq!(json, r#"{"7":[-3648],"christmas":[20082,20083,20084]}"#);
        assert_eq!(serde_json::from_str::<Holidays>(&json).unwrap(), holidays);
    }

    #[test]
    fn parquet_with_days_reads_as_text_with_days() {
        let stamps = Cells::Stamps(vec![86_400_000_000_000], crate::data::Zone::Local);
        let name = Cells::Text(vec!["a".into()]);
        let holidays = Holidays::from_table(&[("ds".into(), stamps), ("holiday".into(), name)], "h.parquet");
        assert_eq!(holidays.unwrap(), read("ds,holiday\n1970-01-02,a\n").unwrap());
    }

    #[test]
    fn mistakes_name_row_and_value() {
        let header = "ds,holiday,lower_window,upper_window\n2024-01-01,a,0,0\n";
        for (row, parts) in [
            ("2024-02-30,a,0,0", ["row 2", "\"2024-02-30\"", "a day such as 2024-12-25"]),
            ("2024-01-01 07:00:00,a,0,0", ["row 2", "07:00:00", "a day"]),
            ("1492-10-12,a,0,0", ["row 2", "1492", "1678"]),
            (",a,0,0", ["row 2", "\"\"", "a day"]),
            ("2024-02-01,,0,0", ["row 2", "holiday", "needs a name"]),
            ("2024-02-01,a,1,0", ["row 2", "lower_window is \"1\"", "from -366 to 0"]),
            ("2024-02-01,a,0,1.5", ["row 2", "upper_window is \"1.5\"", "whole number"]),
            ("2024-02-01,a,0,9999", ["row 2", "\"9999\"", "0 to 366"]),
        ] {
            let message = error(&format!("{header}{row}\n"));
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
        assert!(error("ds,name\n2024-01-01,a\n").contains("\"name\""));
        assert!(error("ds\n2024-01-01\n").contains("no column \"holiday\""));
    }
}
