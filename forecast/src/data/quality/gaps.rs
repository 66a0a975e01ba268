//! Gaps: runs of steps without an observed value, and the one that has to be told.

use std::ops::Range;

use crate::data::panel::RowCounts;
use crate::data::series::Series;

/// A gap of this share of the steps of a series is told with its place.
const LONG_SHARE: f64 = 0.05;
/// One of fewer steps is not: weekends of daily data are short.
const FEWEST: usize = 10;

/// The steps of the longest run of `true` (missing), the first of several that are as long; `None` without any.
pub(in crate::data) fn longest_gap(values: impl Iterator<Item = bool>) -> Option<Range<usize>> {
    let mut longest: Option<Range<usize>> = None;
    let mut start = 0;
    for (step, is_missing) in values.enumerate() {
        if !is_missing {
            start = step + 1;
        } else if longest.as_ref().is_none_or(|gap| gap.len() < step + 1 - start) {
            longest = Some(start..step + 1);
        }
    }
    longest
}

/// A note on the longest stretch of any series without rows, if it is long for its series.
pub(in crate::data) fn longest_gap_note(series: &[Series], counts: &[RowCounts]) -> Option<String> {
    let is_long = |n_missing: usize, series: &Series| {
        n_missing >= FEWEST && n_missing as f64 > LONG_SHARE * series.n_steps() as f64
    };
    let gaps = series.iter().zip(counts).filter(|(series, counts)| is_long(counts.absent, series));
    let gaps = gaps.filter_map(|(series, _)| {
        let rows = series.values();
        let gap = longest_gap(rows.rows().into_iter().map(|row| row.iter().all(|value| value.is_nan())))?;
        is_long(gap.len(), series).then_some((series, gap))
    });
    // The first of several that are as long.
    let (series, gap) = gaps.reduce(|a, b| if b.1.len() > a.1.len() { b } else { a })?;
    let index = series.index();
    Some(format!(
        "series \"{}\" has no row for {} steps ({}), from {} to {}",
        series.id(),
        gap.len(),
        index.frequency().span(gap.len()),
        index.format(index.stamp(gap.start)),
        index.format(index.stamp(gap.end - 1))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Panel, ReadOptions};

    #[test]
    fn the_first_of_the_longest_runs_is_found() {
        let longest = |text: &str| longest_gap(text.bytes().map(|byte| byte == b'.'));
        for (text, gap) in
            [("", None), ("xx", None), ("x..x..", Some(1..3)), ("..", Some(0..2)), (".x..", Some(2..4))]
        {
            assert_eq!(longest(text), gap, "{text}");
        }
    }

    #[test]
    fn a_long_gap_is_noted_with_its_place_and_a_short_one_is_not() {
        let read = |n: i32, kept: &dyn Fn(i32) -> bool| {
            let rows: String = (0..n).filter(|step| kept(*step)).map(|step| format!("{step},1\n")).collect();
            let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default());
            panel.unwrap().report().notes.clone()
        };
        let note = "series \"y\" has no row for 11 steps (11 steps), from 40 to 50";
        assert_eq!(read(200, &|step| !(40..51).contains(&step)), [note]);
        assert!(read(220, &|step| !(40..51).contains(&step)).is_empty());
        assert!(read(100, &|step| !(40..49).contains(&step)).is_empty());
        assert!(read(200, &|step| step % 10 != 5).is_empty());
    }
}
