//! Splits of a series into training, validation and test labels.

use std::ops::Range;

use crate::data::series::Series;
use crate::data::time::frequency::Frequency;
use crate::data::time::step::Step;
use crate::{Error, Result};

/// How to split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SplitRule {
    /// Shares of the steps, each in `[0, 1]`, together at most 1; the rest is for testing.
    Ratio {
        /// Share of the training range.
        train: f64,
        /// Share of the validation range.
        validation: f64,
    },
    /// The stamps (as in the series' index) at which validation and testing begin.
    Dates {
        /// First stamp of the validation range.
        validation: i64,
        /// First stamp of the test range.
        test: i64,
    },
    /// The months of the ETT benchmark: 12 for training, 4 for validation, 4 for testing, of 30 days each;
    /// what follows is not used (Informer's code, `data_loader.py`).
    EttMonths,
}

/// Steps of a series whose values are the labels of each part; inputs may reach back further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Training range.
    pub train: Range<usize>,
    /// Validation range.
    pub validation: Range<usize>,
    /// Test range.
    pub test: Range<usize>,
}

impl SplitRule {
    /// The three ranges of a series.
    ///
    /// # Errors
    /// [`Error::BadOption`] if shares or stamps are out of range or the series does not cover the months.
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions, data::SplitRule};
    /// let rows: String = (0..10).map(|i| format!("{i},{i}\n")).collect();
    /// let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// let split = SplitRule::Ratio { train: 0.7, validation: 0.1 }.split(&panel.series()[0])?;
    /// assert_eq!((split.train, split.validation, split.test), (0..7, 7..8, 8..10));
    /// assert!(SplitRule::Ratio { train: 0.7, validation: 0.4 }.split(&panel.series()[0]).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn split(&self, series: &Series) -> Result<Split> {
        let n = series.n_steps();
        let (train, validation, test) = match *self {
            SplitRule::Ratio { train, validation } => {
                if !(train >= 0.0 && validation >= 0.0 && train + validation <= 1.0) {
                    return Err(Error::option(
                        "split",
                        format!("{train}/{validation}"),
                        "shares must lie in [0, 1] and add up to at most 1",
                    ));
                }
                let end = |share: f64| ((share * n as f64).round() as usize).min(n);
                (end(train), end(train + validation), n)
            }
            SplitRule::Dates { validation, test } => {
                let index = series.index();
                let at = |stamp: i64| index.stamps().position(|s| s >= stamp).unwrap_or(n);
                if validation > test || at(validation) == n || at(validation) == 0 {
                    return Err(Error::option(
                        "split",
                        format!("{} / {}", index.format(validation), index.format(test)),
                        format!(
                            "validation must begin before testing and inside series \"{}\" ({} to {})",
                            series.id(),
                            index.format(index.start),
                            index.format(index.end())
                        ),
                    ));
                }
                (at(validation), at(test), n)
            }
            SplitRule::EttMonths => {
                let month = steps_in_30_days(&series.index().frequency())?;
                if n < 20 * month {
                    return Err(Error::option(
                        "split",
                        "ett",
                        format!(
                            "series \"{}\" has {n} steps, but 20 months of 30 days need {}",
                            series.id(),
                            20 * month
                        ),
                    ));
                }
                (12 * month, 16 * month, 20 * month)
            }
        };
        Ok(Split { train: 0..train, validation: train..validation, test: validation..test })
    }
}

fn steps_in_30_days(frequency: &Frequency) -> Result<usize> {
    const DAYS_30: i64 = 30 * 86_400_000_000_000;
    let step = frequency.step;
    if frequency.opening.is_some() {
        let rule = "the ETT split counts months of 30 whole days; split by shares or dates where there is an opening";
        return Err(Error::option("split", "ett", rule));
    }
    match step {
        Step::Nanos(nanos) if DAYS_30 % nanos == 0 => usize::try_from(DAYS_30 / nanos)
            .map_err(|_| Error::option("freq", step, "it must be shorter than a month")),
        Step::Days(1) => Ok(30),
        _ => Err(Error::option("freq", step, "the ETT split needs a step that divides 30 days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::TimeIndex;
    use ndarray::Array2;

    fn series(step: &str, n: usize) -> Series {
        let index = TimeIndex::new(0, step.parse().unwrap(), Default::default(), n);
        Series::new("s", index, Array2::zeros((n, 1)), &["y".into()]).unwrap()
    }

    #[test]
    fn ett_months_are_the_rows_of_the_informer_code() {
        let split = SplitRule::EttMonths.split(&series("1h", 17_420)).unwrap();
        assert_eq!((split.train, split.validation, split.test), (0..8_640, 8_640..11_520, 11_520..14_400));
        let minutes = SplitRule::EttMonths.split(&series("15min", 69_680)).unwrap();
        assert_eq!(minutes.test, 46_080..57_600);
        assert!(SplitRule::EttMonths.split(&series("1h", 100)).unwrap_err().to_string().contains("14400"));
        let index = series("1h", 100).index().clone().with_opening(&"Mon-Sun".parse().unwrap()).unwrap();
        let open = Series::new("s", index, Array2::zeros((100, 1)), &["y".into()]).unwrap();
        assert!(
            SplitRule::EttMonths.split(&open).unwrap_err().to_string().contains("where there is an opening")
        );
    }

    #[test]
    fn dates_split_at_the_first_stamp_not_before_them() {
        const HOUR: i64 = 3_600_000_000_000;
        let split = SplitRule::Dates { validation: 4 * HOUR, test: 7 * HOUR - 1 };
        let split = split.split(&series("1h", 10)).unwrap();
        assert_eq!((split.train, split.validation, split.test), (0..4, 4..7, 7..10));
        let beyond = SplitRule::Dates { validation: 99 * HOUR, test: 99 * HOUR };
        assert!(beyond.split(&series("1h", 10)).is_err());
    }
}
