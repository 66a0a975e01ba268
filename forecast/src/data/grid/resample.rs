//! Irregular rows onto a regular grid by an aggregation: each step holds the rows from its stamp up to the next.

use ndarray::Array2;

use super::aggregate::Aggregation;
use super::regular::{Columns, Regular, spanning};
use crate::data::covariates::{OnGrid, Policy, n_rows_of_series};
use crate::data::ingest::rows::SeriesRows;
use crate::data::panel::RowCounts;
use crate::data::series::Series;
use crate::data::time::index::TimeIndex;
use crate::data::time::stamp::Axis;
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

/// Aggregates the rows of a series in steps that begin at round times: multiples of the step since midnight,
/// days at midnight, weeks on Monday, months on their first day, all in the zone of the stamps.
pub(in crate::data) fn resample(
    rows: &SeriesRows<'_>,
    axis: &Axis,
    step: Step,
    columns: Columns<'_>,
    aggregation: Aggregation,
) -> Result<Regular> {
    let first = rows.stamps.first().copied().unwrap_or(0);
    let out_of_range = || {
        let rule = format!(
            "series \"{}\" begins at {}, near the end of what can be told",
            rows.id,
            axis.tell(first)
        );
        Error::option("freq", step, rule)
    };
    let start = floor(first, step, &axis.zone).ok_or_else(out_of_range)?;
    let index = TimeIndex::new(start, step, axis.zone.clone(), 0);
    let last = bin(&index, rows.stamps.last().copied().unwrap_or(first), 0);
    // The bound on the length of a grid holds for its last step.
    let ends = [index.stamp(last)];
    let index = spanning(index, &SeriesRows { stamps: &ends, ..rows.clone() }, axis)?;

    let channels = columns.channels;
    let n_rows = n_rows_of_series(rows, channels.len(), columns.covariates);
    let last_stamp = rows.stamps[..n_rows].last().copied().unwrap_or(index.start);
    let n_steps = if n_rows == rows.len() { index.len } else { bin(&index, last_stamp, 0) + 1 };
    let mut covariates = OnGrid::new(columns.covariates, rows, channels.len(), [n_steps, index.len]);
    let index = TimeIndex { len: n_steps, ..index };

    let empty = if aggregation == Aggregation::Count { 0.0 } else { f64::NAN };
    let mut values = Array2::from_elem((index.len, channels.len()), empty); // (step, channel)
    let mut counts = RowCounts { rows: rows.len(), out_of_order: rows.out_of_order, ..RowCounts::default() };
    counts.duplicates = rows.stamps.windows(2).filter(|pair| pair[0] == pair[1]).count();
    let (mut at, mut position, mut n_filled) = (0, 0, 0);
    while at < rows.len() {
        position = bin(&index, rows.stamps[at], position);
        let next = index.stamp(position + 1);
        let end = at + rows.stamps[at..].partition_point(|stamp| *stamp < next).max(1);
        covariates.set(position, at..end, Policy::of_resampling(aggregation));
        if position < n_steps {
            for channel in 0..channels.len() {
                values[[position, channel]] = aggregation.merge(&rows.column(channel)[at..end]);
            }
            n_filled += 1;
        } else {
            counts.ahead += 1;
        }
        at = end;
    }
    counts.absent = index.len - n_filled;
    counts.resampled = rows.len() - n_filled - counts.ahead;
    let covariates = covariates.finish(&index, axis)?;
    let series = Series::new(rows.id, index, values, channels)?.with_covariates(covariates)?;
    Ok(Regular { series, counts })
}

/// The step that a stamp lies in, at or after the step `from`.
fn bin(index: &TimeIndex, stamp: i64, from: usize) -> usize {
    let mut bin = index.position_before(stamp).max(from);
    // Calendar steps are counted by their mean length first.
    while bin > from && index.stamp(bin) > stamp {
        bin -= 1;
    }
    while index.stamp(bin + 1) <= stamp && index.stamp(bin + 1) > index.stamp(bin) {
        bin += 1;
    }
    bin
}

/// The last round time at or before a stamp; `None` beyond the range of stamps.
fn floor(stamp: i64, step: Step, zone: &Zone) -> Option<i64> {
    const DAY: i64 = 86_400_000_000_000;
    let days = match step {
        Step::Index(step) => return stamp.div_euclid(step).checked_mul(step),
        Step::Nanos(nanos) if nanos % DAY != 0 => {
            let midnight = zone.nanos(zone.civil(stamp).date().at(0, 0, 0, 0))?;
            return midnight.checked_add((stamp - midnight).div_euclid(nanos).checked_mul(nanos)?);
        }
        Step::Nanos(nanos) => nanos / DAY,
        Step::Days(days) => i64::from(days),
        Step::Months(months) => {
            let date = zone.civil(stamp).date();
            let month = 12 * i64::from(date.year()) + i64::from(date.month()) - 1;
            let month = month.div_euclid(months.into()) * i64::from(months);
            let year = i16::try_from(month.div_euclid(12)).ok()?;
            let first = jiff::civil::Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
            return zone.nanos(first.at(0, 0, 0, 0));
        }
    };
    // Weeks begin on Monday: 1970-01-05 was one.
    let monday = jiff::civil::date(1970, 1, 5);
    let date = zone.civil(stamp).date();
    let since = i64::from(date.since(monday).ok()?.get_days());
    let floor = since.div_euclid(days).checked_mul(days)?;
    let floor = monday.checked_add(jiff::Span::new().try_days(floor).ok()?).ok()?;
    zone.nanos(floor.at(0, 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use crate::{Panel, ReadOptions};

    fn resampled(csv: &str, freq: &str, aggregation: &str) -> (Vec<String>, Vec<f64>) {
        let options = ReadOptions {
            freq: Some(freq.parse().unwrap()),
            aggregate: Some(aggregation.parse().unwrap()),
            ..ReadOptions::default()
        };
        let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &options).unwrap();
        let series = &panel.series()[0];
        let stamps = series.index().stamps().map(|stamp| series.index().format(stamp)).collect();
        (stamps, series.values().column(0).to_vec())
    }

    const CSV: &str = "ds,y\n2024-01-30 10:07:13,1\n2024-01-30 10:09:59,2\n2024-01-30 10:10:00,4\n2024-01-30 10:26:00,8\n2024-01-30 10:26:00,16\n";

    #[test]
    fn steps_begin_at_round_times_and_empty_ones_are_missing() {
        let (stamps, means) = resampled(CSV, "5min", "mean");
        assert_eq!((stamps[0].as_str(), stamps.len()), ("2024-01-30 10:05:00", 5));
        assert_eq!((means[0], means[1], means[4]), (1.5, 4.0, 12.0));
        assert!(means[2].is_nan() && means[3].is_nan());
        assert_eq!(resampled(CSV, "5min", "count").1, [2.0, 1.0, 0.0, 0.0, 2.0]);
        assert_eq!(resampled(CSV, "1h", "sum"), (vec!["2024-01-30 10:00:00".to_string()], vec![31.0]));
        assert_eq!(resampled(CSV, "MS", "last"), (vec!["2024-01-01 00:00:00".to_string()], vec![16.0]));
        assert_eq!(resampled(CSV, "W", "first").0, ["2024-01-29 00:00:00"]);
    }

    #[test]
    fn months_hold_the_rows_that_a_calendar_gives_them() {
        let days: String = (0..120)
            .map(|day| {
                let date = jiff::civil::date(2024, 1, 1).checked_add(jiff::Span::new().days(day)).unwrap();
                format!("{date},1\n")
            })
            .collect();
        assert_eq!(resampled(&format!("ds,y\n{days}"), "MS", "count").1, [31.0, 29.0, 31.0, 29.0]);
    }
}
