//! One value out of several: for rows that share a stamp, or a step of a coarser grid.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// How several values become one. Missing values (NaN) do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// The mean of the observed values.
    Mean,
    /// Their sum; missing if there is none.
    Sum,
    /// The first in time, in the order of the file where stamps are equal.
    First,
    /// The last in time, in the order of the file where stamps are equal.
    Last,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// How many there are; 0 where there is none, also in a step without rows.
    Count,
}

/// The policy for several rows of one series with one stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Refuse them, naming the series and the stamp.
    #[default]
    Error,
    /// Make one value of them.
    Merge(Aggregation),
}

/// The policy for rows that are older than a row before them in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutOfOrder {
    /// Sort them, and report how many there were.
    #[default]
    Sort,
    /// Refuse them, naming the series and the stamp.
    Error,
}

impl Aggregation {
    const ALL: [(&'static str, Aggregation); 7] = [
        ("mean", Aggregation::Mean),
        ("sum", Aggregation::Sum),
        ("first", Aggregation::First),
        ("last", Aggregation::Last),
        ("min", Aggregation::Min),
        ("max", Aggregation::Max),
        ("count", Aggregation::Count),
    ];

    /// One value out of several, in order; NaN if none was observed (0 for a count).
    pub(crate) fn merge(self, values: &[f64]) -> f64 {
        let mut observed = values.iter().copied().filter(|v| !v.is_nan());
        match self {
            Aggregation::First => observed.next().unwrap_or(f64::NAN),
            Aggregation::Last => observed.next_back().unwrap_or(f64::NAN),
            // NaN is never the smaller or the larger one.
            Aggregation::Min => observed.fold(f64::NAN, f64::min),
            Aggregation::Max => observed.fold(f64::NAN, f64::max),
            Aggregation::Count => observed.count() as f64,
            Aggregation::Sum | Aggregation::Mean => {
                let (sum, n) = observed.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
                match self {
                    _ if n < 1.0 => f64::NAN,
                    Aggregation::Mean if (sum / n).is_finite() => sum / n,
                    // The sum is too large for a number, the mean is not.
                    Aggregation::Mean => values.iter().filter(|v| !v.is_nan()).map(|v| v / n).sum(),
                    _ => sum,
                }
            }
        }
    }
}

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|(name, _)| *name == text);
        known.map(|(_, aggregation)| *aggregation).ok_or_else(|| {
            let rule = "it must be mean, sum, first, last, min, max or count";
            Error::option("aggregate", format!("\"{text}\""), rule)
        })
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::ALL.iter().find(|(_, aggregation)| aggregation == self);
        f.write_str(known.map_or("", |(name, _)| name))
    }
}

impl FromStr for Duplicates {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "error" {
            return Ok(Duplicates::Error);
        }
        text.parse().map(Duplicates::Merge).map_err(|_| {
            let rule = "it must be error, mean, sum, first, last, min, max or count";
            Error::option("duplicates", format!("\"{text}\""), rule)
        })
    }
}

impl FromStr for OutOfOrder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "sort" => Ok(OutOfOrder::Sort),
            "error" => Ok(OutOfOrder::Error),
            _ => Err(Error::option("out-of-order", format!("\"{text}\""), "it must be sort or error")),
        }
    }
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn merging_skips_missing_values() {
        let values = [f64::NAN, 1.0, 6.0, 2.0, f64::NAN];
        let expected = [3.0, 9.0, 1.0, 2.0, 1.0, 6.0, 3.0];
        for ((name, aggregation), expected) in Aggregation::ALL.into_iter().zip(expected) {
            assert_eq!(aggregation.merge(&values), expected, "{name}");
            assert_eq!(name.parse::<Aggregation>().unwrap().to_string(), name);
            let empty = aggregation.merge(&[f64::NAN]);
            assert!(if aggregation == Aggregation::Count { empty == 0.0 } else { empty.is_nan() });
        }
        assert_eq!(Aggregation::Mean.merge(&[f64::MAX, f64::NAN, f64::MAX]), f64::MAX);
        assert!("median".parse::<Aggregation>().unwrap_err().to_string().contains("mean, sum"));
    }
}
