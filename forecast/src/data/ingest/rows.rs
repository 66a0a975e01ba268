//! The rows of all series, compact: sorted by series, then by stamp.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::data::files::frame::BadCell;
use crate::data::time::clock::second_time;
use crate::data::time::stamp::Stamps;

/// Rows as they were read: a series code, a stamp and a value for each column.
#[derive(Debug)]
pub(in crate::data) struct Unsorted {
    /// Ids by code, in the order of their first rows.
    pub(in crate::data) ids: Vec<String>,
    /// Codes of the rows, each with how many neighbours have it.
    pub(in crate::data) runs: Vec<(u32, usize)>,
    pub(in crate::data) stamps: Stamps,
    /// One vector a column.
    pub(in crate::data) values: Vec<Vec<f64>>,
    /// The first cell of a series, by its code, that could not be read; its series are left out.
    pub(in crate::data) bad: BTreeMap<u32, BadCell>,
}

/// The same rows, those of one series side by side and in the order of their stamps; rows that share a stamp
/// stay in the order of the file.
#[derive(Debug)]
pub(in crate::data) struct Rows {
    ids: Vec<String>,
    /// Where the rows of each series end.
    ends: Vec<usize>,
    pub(in crate::data) stamps: Stamps,
    values: Vec<Vec<f64>>,
    /// Rows of each series that were older than a row before them.
    out_of_order: Vec<usize>,
    bad: BTreeMap<u32, BadCell>,
}

/// The rows of one series.
#[derive(Debug, Clone)]
pub(in crate::data) struct SeriesRows<'a> {
    pub(in crate::data) id: &'a str,
    pub(in crate::data) stamps: &'a [i64],
    pub(in crate::data) out_of_order: usize,
    pub(in crate::data) values: &'a [Vec<f64>],
    pub(in crate::data) range: Range<usize>,
}

impl Unsorted {
    /// Sorts the rows.
    pub(in crate::data) fn sorted(self) -> Rows {
        let Unsorted { ids, runs, mut stamps, mut values, bad } = self;
        let mut ends = vec![0usize; ids.len()];
        for (code, n) in &runs {
            ends[*code as usize] += n;
        }
        let mut total = 0;
        for end in &mut ends {
            total += *end;
            *end = total;
        }
        if !runs.is_sorted_by_key(|run| run.0) {
            let order = grouped(&runs, &ends);
            gather(&mut stamps.values, &order);
            values.iter_mut().for_each(|column| gather(column, &order));
        }
        drop(runs);
        let mut out_of_order = Vec::with_capacity(ids.len());
        let mut start = 0;
        for end in &ends {
            let range = start..*end;
            let of_series = &mut stamps.values[range.clone()];
            if stamps.axis.is_clock {
                second_time(of_series, &stamps.axis.zone);
            }
            let late = count_late(of_series);
            if late > 0 {
                sort_by_stamp(of_series, &mut values, range);
            }
            out_of_order.push(late);
            start = *end;
        }
        Rows { ids, ends, stamps, values, out_of_order, bad }
    }
}

impl Rows {
    pub(in crate::data) fn n_rows(&self) -> usize {
        self.stamps.values.len()
    }

    pub(in crate::data) fn n_series(&self) -> usize {
        self.ids.len()
    }

    /// True if a column has no value at all.
    pub(in crate::data) fn is_missing(&self, column: usize) -> bool {
        self.values[column].iter().all(|value| value.is_nan())
    }

    /// Forgets the columns that are not marked.
    pub(in crate::data) fn keep_columns(&mut self, keep: &[bool]) {
        let mut keep = keep.iter();
        self.values.retain(|_| keep.next().copied().unwrap_or(true));
    }

    pub(in crate::data) fn series(&self, at: usize) -> SeriesRows<'_> {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        let range = start..self.ends[at];
        SeriesRows {
            id: &self.ids[at],
            stamps: &self.stamps.values[range.clone()],
            out_of_order: self.out_of_order[at],
            values: &self.values,
            range,
        }
    }

    pub(in crate::data) fn all(&self) -> impl Iterator<Item = SeriesRows<'_>> + Clone {
        (0..self.n_series()).map(|at| self.series(at))
    }

    /// The series whose cells could all be read; all if there is none.
    pub(in crate::data) fn usable(&self) -> impl Iterator<Item = SeriesRows<'_>> + Clone {
        let none_is = self.bad.len() == self.n_series();
        (0..self.n_series())
            .filter(move |at| none_is || self.bad_cell(*at).is_none())
            .map(|at| self.series(at))
    }

    /// The first cell of a series that could not be read.
    pub(in crate::data) fn bad_cell(&self, at: usize) -> Option<&BadCell> {
        self.bad.get(&u32::try_from(at).ok()?)
    }
}

impl<'a> SeriesRows<'a> {
    pub(in crate::data) fn len(&self) -> usize {
        self.range.len()
    }

    /// The values of a column.
    pub(in crate::data) fn column(&self, column: usize) -> &'a [f64] {
        &self.values[column][self.range.clone()]
    }

    /// Ranges of rows that share a stamp, oldest first.
    pub(in crate::data) fn by_stamp(&self) -> impl Iterator<Item = (i64, Range<usize>)> + 'a {
        let mut start = 0;
        self.stamps.chunk_by(|a, b| a == b).map(move |same| {
            let range = start..start + same.len();
            start = range.end;
            (same[0], range)
        })
    }
}

/// Where each row of the grouped order comes from; rows of one series stay in order.
fn grouped(runs: &[(u32, usize)], ends: &[usize]) -> Vec<u32> {
    let mut next: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    let mut order = vec![0; ends.last().copied().unwrap_or(0)];
    let mut row = 0;
    for (code, n) in runs {
        let at = &mut next[*code as usize];
        for place in &mut order[*at..*at + n] {
            *place = row;
            row += 1;
        }
        *at += n;
    }
    order
}

fn gather<T: Copy>(column: &mut Vec<T>, order: &[u32]) {
    *column = order.iter().map(|row| column[*row as usize]).collect();
}

/// How many stamps are older than one before them.
fn count_late(stamps: &[i64]) -> usize {
    if stamps.is_sorted() {
        return 0;
    }
    let mut newest = i64::MIN;
    let mut late = 0;
    for stamp in stamps {
        late += usize::from(*stamp < newest);
        newest = newest.max(*stamp);
    }
    late
}

fn sort_by_stamp(stamps: &mut [i64], values: &mut [Vec<f64>], range: Range<usize>) {
    let mut order: Vec<usize> = (0..stamps.len()).collect();
    // Stable: rows that share a stamp stay in the order of the file.
    order.sort_by_key(|row| stamps[*row]);
    stamps.copy_from_slice(&order.iter().map(|row| stamps[*row]).collect::<Vec<_>>());
    for column in values {
        let column = &mut column[range.clone()];
        column.copy_from_slice(&order.iter().map(|row| column[*row]).collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Zone;
    use crate::data::time::stamp::Axis;

    #[test]
    fn rows_are_grouped_and_sorted_and_late_ones_counted() {
        let unsorted = Unsorted {
            ids: vec!["a".into(), "b".into()],
            runs: vec![(0, 1), (1, 1), (0, 1), (1, 1), (0, 2)],
            stamps: Stamps { values: vec![3, 5, 1, 6, 2, 3], axis: Axis::new(Zone::Local) },
            values: vec![vec![30.0, 50.0, 10.0, 60.0, 20.0, 31.0]],
            bad: BTreeMap::new(),
        };
        let rows = unsorted.sorted();
        let (a, b) = (rows.series(0), rows.series(1));
        assert_eq!((a.stamps, a.column(0)), (&[1, 2, 3, 3][..], &[10.0, 20.0, 30.0, 31.0][..]));
        assert_eq!((b.stamps, b.column(0)), (&[5, 6][..], &[50.0, 60.0][..]));
        assert_eq!((a.out_of_order, b.out_of_order, rows.n_rows()), (2, 0, 6));
        let groups: Vec<_> = a.by_stamp().collect();
        assert_eq!(groups, [(1, 0..1), (2, 1..2), (3, 2..4)]);
    }
}
