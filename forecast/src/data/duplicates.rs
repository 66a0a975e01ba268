//! What to do with several rows for one stamp.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The policy for several rows of one series with one stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Refuse them, naming the series and the stamp.
    #[default]
    Error,
    /// Keep the row that comes first in the file.
    First,
    /// Keep the row that comes last in the file.
    Last,
    /// The mean of the observed values.
    Mean,
}

impl Duplicates {
    /// One value out of the rows that share a stamp, in file order; NaN if none was observed.
    pub(crate) fn merge(self, rows: impl Iterator<Item = f64>) -> f64 {
        let mut observed = rows.filter(|v| !v.is_nan());
        match self {
            Duplicates::Error | Duplicates::First => observed.next().unwrap_or(f64::NAN),
            Duplicates::Last => observed.last().unwrap_or(f64::NAN),
            Duplicates::Mean => {
                let (sum, n) = observed.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
                sum / n
            }
        }
    }
}

impl FromStr for Duplicates {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "error" => Ok(Duplicates::Error),
            "first" => Ok(Duplicates::First),
            "last" => Ok(Duplicates::Last),
            "mean" => Ok(Duplicates::Mean),
            _ => Err(Error::option(
                "duplicates",
                format!("\"{text}\""),
                "it must be error, first, last or mean",
            )),
        }
    }
}

impl fmt::Display for Duplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Duplicates::Error => "error",
            Duplicates::First => "first",
            Duplicates::Last => "last",
            Duplicates::Mean => "mean",
        })
    }
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn merging_skips_missing_values() {
        let rows = [f64::NAN, 1.0, 5.0, f64::NAN];
        let merge = |policy: Duplicates| policy.merge(rows.into_iter());
        assert_eq!([Duplicates::First, Duplicates::Last, Duplicates::Mean].map(merge), [1.0, 5.0, 3.0]);
        assert!(Duplicates::Mean.merge([f64::NAN].into_iter()).is_nan());
    }
}
