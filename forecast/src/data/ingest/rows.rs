//! The rows of all series, compact: sorted by series, then by stamp.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{ArcArray1, ArcArray2, Slice};
use rayon::prelude::*;

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
    /// False if no value of the targets is infinite.
    pub(in crate::data) has_infinite: bool,
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
    /// One array a column; series without a gap share it.
    values: Vec<ArcArray1<f64>>,
    has_infinite: bool,
    /// Rows of each series that were older than a row before them.
    out_of_order: Vec<usize>,
    /// The distance of all neighbouring stamps of each series, if they have one.
    spacing: Vec<Option<i64>>,
    bad: BTreeMap<u32, BadCell>,
}

/// The rows of one series.
#[derive(Debug, Clone)]
pub(in crate::data) struct SeriesRows<'a> {
    pub(in crate::data) id: &'a str,
    pub(in crate::data) stamps: &'a [i64],
    pub(in crate::data) out_of_order: usize,
    /// The distance of all neighbouring stamps, if they have one and it is not 0.
    pub(in crate::data) spacing: Option<i64>,
    pub(in crate::data) values: &'a [ArcArray1<f64>],
    /// False if no value of the targets is infinite, in any series.
    pub(in crate::data) has_infinite: bool,
    pub(in crate::data) range: Range<usize>,
}

impl Unsorted {
    /// Sorts the rows.
    pub(in crate::data) fn sorted(self) -> Rows {
        let Unsorted { ids, runs, mut stamps, mut values, has_infinite, bad } = self;
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
        let Stamps { values: all, axis } = &mut stamps;
        let mut rest = &mut all[..];
        let mut of_series = Vec::with_capacity(ids.len());
        let starts = std::iter::once(0).chain(ends.iter().copied());
        for (start, end) in starts.clone().zip(&ends) {
            let (first, others) = rest.split_at_mut(end - start);
            of_series.push(first);
            rest = others;
        }
        let ordered = of_series.into_par_iter().map(|stamps| {
            if axis.is_clock {
                second_time(stamps, &axis.zone);
            }
            let spacing = spacing(stamps);
            (if spacing.is_some() { 0 } else { count_late(stamps) }, spacing)
        });
        let (out_of_order, mut spacings): (Vec<usize>, Vec<Option<i64>>) = ordered.unzip();
        for (at, start) in starts.enumerate().take(ends.len()).filter(|(at, _)| out_of_order[*at] > 0) {
            let range = start..ends[at];
            sort_by_stamp(&mut stamps.values[range.clone()], &mut values, range.clone());
            spacings[at] = spacing(&stamps.values[range]);
        }
        let values = values.into_iter().map(ArcArray1::from_vec).collect();
        Rows { ids, ends, stamps, values, has_infinite, out_of_order, spacing: spacings, bad }
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
            spacing: self.spacing[at],
            values: &self.values,
            has_infinite: self.has_infinite,
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
        let values = self.values[column].as_slice().unwrap_or_default();
        values.get(self.range.clone()).unwrap_or_default()
    }

    /// The values of the first columns, shape `(row, column)`; those of one column are shared, not copied.
    pub(in crate::data) fn first_columns(&self, n_columns: usize) -> ArcArray2<f64> {
        if let (1, [only, ..]) = (n_columns, self.values) {
            let mut values = only.clone();
            values.slice_axis_inplace(ndarray::Axis(0), Slice::from(self.range.clone()));
            return values.insert_axis(ndarray::Axis(1));
        }
        let columns: Vec<&[f64]> = (0..n_columns).map(|column| self.column(column)).collect();
        ArcArray2::from_shape_fn((self.len(), n_columns), |(row, column)| columns[column][row])
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

/// The distance of all neighbouring stamps, if they have one and are sorted.
fn spacing(stamps: &[i64]) -> Option<i64> {
    let [first, second, ..] = stamps else { return None };
    let distance = second.checked_sub(*first).filter(|distance| *distance > 0)?;
    // Without a way out of the loop, it is done several stamps at a time.
    let others =
        stamps.iter().zip(&stamps[1..]).fold(0, |others, (a, b)| others | (b.wrapping_sub(*a) ^ distance));
    // Sums that wrap around are not sorted.
    let span = i128::from(*stamps.last()?) - i128::from(*first);
    let n_steps = stamps.len() as i128 - 1;
    (others == 0 && span == n_steps * i128::from(distance)).then_some(distance)
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
            has_infinite: true,
            bad: BTreeMap::new(),
        };
        let rows = unsorted.sorted();
        let (a, b) = (rows.series(0), rows.series(1));
        assert_eq!((a.stamps, a.column(0)), (&[1, 2, 3, 3][..], &[10.0, 20.0, 30.0, 31.0][..]));
        assert_eq!((b.stamps, b.column(0)), (&[5, 6][..], &[50.0, 60.0][..]));
        assert_eq!((a.out_of_order, b.out_of_order, rows.n_rows()), (2, 0, 6));
        assert_eq!((a.spacing, b.spacing), (None, Some(1)));
        let groups: Vec<_> = a.by_stamp().collect();
        assert_eq!(groups, [(1, 0..1), (2, 1..2), (3, 2..4)]);
    }
    #[test]
    fn the_distance_of_neighbours_is_told_if_there_is_only_one() {
        for (stamps, expected) in [
            (&[1, 3, 5, 7][..], Some(2)),
            (&[1, 3][..], Some(2)),
            (&[1, 3, 5, 8][..], None),
            (&[1, 1, 1][..], None),
            (&[5, 3, 1][..], None),
            (&[7][..], None),
            (&[][..], None),
            (&[i64::MIN, i64::MAX][..], None),
            // Every sum wraps around.
            (&[0, i64::MAX, -2][..], None),
        ] {
            assert_eq!(spacing(stamps), expected, "{stamps:?}");
        }
    }

    #[test]
    fn one_column_is_shared_and_several_are_side_by_side() {
        let unsorted = Unsorted {
            ids: vec!["a".into(), "b".into()],
            runs: vec![(0, 1), (1, 2)],
            stamps: Stamps { values: vec![1, 1, 2], axis: Axis::new(Zone::Local) },
            values: vec![vec![1.0, 2.0, 3.0], vec![10.0, 20.0, 30.0]],
            has_infinite: true,
            bad: BTreeMap::new(),
        };
        let rows = unsorted.sorted();
        let b = rows.series(1);
        assert_eq!(b.first_columns(2), ndarray::arr2(&[[2.0, 20.0], [3.0, 30.0]]));
        let one = b.first_columns(1);
        assert_eq!(one, ndarray::arr2(&[[2.0], [3.0]]));
        assert_eq!(one.as_slice().unwrap().as_ptr(), b.column(0).as_ptr());
    }
}
