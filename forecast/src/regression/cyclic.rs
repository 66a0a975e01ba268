//! Regression on columns that come back after some steps, such as a daily cycle: everything that a row needs is a sum
//! over the rows of its place in the cycle, and a filtered column comes back as the column does.
//!
//! With `x_p` the columns at place `p` and `w` a filter, the filtered columns are `x_p - sum_i w_i x_(p-i)`, so that
//! `X'X = sum_p c_p x_p x_p'` and `X'y = sum_p x_p sum_(t at p) y_t`: O(n) for a series of `n` steps and
//! O(places columns^2) for all, where rows one by one are O(n columns^2).

use ndarray::{Array1, Array2, ArrayView1, Axis, s};

use super::columns::Regressors;
use super::solve::{Sums, standard};
use super::whiten::filtered;
use crate::data::{Cycle, Scaler, Series};

/// Series on the cycle of their columns.
#[derive(Debug)]
pub(super) struct Cyclic {
    /// Standardised. Shape `(place, column)`.
    columns: Array2<f64>,
    /// The place of each step of each series.
    places: Vec<Vec<usize>>,
    /// What a row counts that is followed by so many; empty if all count the same.
    counts: Vec<f64>,
    standards: Vec<Scaler>,
}

impl Cyclic {
    /// `None` if there are other columns, or a step lies between two places.
    pub(super) fn of(regressors: &Regressors, series: &[Series]) -> Option<Self> {
        let cycle = regressors.cycle(series.first()?.index())?;
        let of_one = |one: &Series| -> Option<Vec<usize>> {
            (0..one.n_steps()).map(|step| cycle.at(one.index(), step)).collect()
        };
        let places = series.iter().map(of_one).collect::<Option<Vec<_>>>()?;
        let longest = places.iter().map(Vec::len).max().unwrap_or(0);
        let counts = match regressors.counts_alike() {
            true => Vec::new(),
            false => (0..longest).map(|n_after| regressors.row_weight(n_after)).collect(),
        };
        let standards = standards(&cycle, &places);
        let mut columns = Array2::zeros((cycle.n_rows(), standards.len()));
        for (at, mut to) in columns.outer_iter_mut().enumerate() {
            for ((to, value), scaler) in to.iter_mut().zip(cycle.row(at)).zip(&standards) {
                *to = scaler.scale(*value);
            }
        }
        Some(Cyclic { columns, places, counts, standards })
    }

    /// Center and spread of each column over all steps.
    pub(super) fn standards(&self) -> &[Scaler] {
        &self.standards
    }

    /// The sums over the filtered rows of one channel of some of the series.
    pub(super) fn sums(&self, series: &[Series], first: usize, channel: usize, filter: &[f64]) -> Sums {
        let (n_places, k) = self.columns.dim();
        let white = self.white(filter);
        // Of the rows at each place: what they count, and what their targets add up to.
        let (mut counts, mut targets) = (vec![0.0; n_places], vec![0.0; n_places]);
        let (mut energy, mut total) = (0.0, 0.0);
        let mut sums = Sums::new(k);
        for (one, places) in series.iter().zip(&self.places[first..]) {
            let values = one.values().column(channel).to_vec();
            let mut start = 0;
            for run in values.split(|value| value.is_nan()) {
                if run.len() > filter.len() {
                    // Steps since the last one whose place does not follow that of the step before.
                    let mut regular = 0;
                    let goes_on = |t: usize| places[t] == (places[t - 1] + 1) % n_places;
                    for t in start + 1..=start + filter.len() {
                        regular = if goes_on(t) { regular + 1 } else { 0 };
                    }
                    for (row, y) in filtered(run, filter).into_iter().enumerate() {
                        let t = start + filter.len() + row;
                        if row > 0 {
                            regular = if goes_on(t) { regular + 1 } else { 0 };
                        }
                        let count = self.counts.get(values.len() - t - 1).copied().unwrap_or(1.0);
                        if regular >= filter.len() {
                            counts[places[t]] += count;
                            targets[places[t]] += count * y;
                            energy += count * y * y;
                            total += count * y;
                        } else {
                            sums.add(self.one_white(places, t, filter).view(), y, count);
                        }
                        sums.n += 1;
                    }
                }
                start += run.len() + 1;
            }
        }
        let counted = &white * &ArrayView1::from(&counts).insert_axis(Axis(1));
        let mut block = sums.products.slice_mut(s![..k, ..k]);
        block += &white.t().dot(&counted);
        let cross = white.t().dot(&ArrayView1::from(&targets));
        for (column, value) in cross.iter().enumerate() {
            sums.products[[column, k]] += value;
            sums.products[[k, column]] += value;
        }
        sums.products[[k, k]] += energy;
        let mut of_columns = sums.sums.slice_mut(s![..k]);
        of_columns += &counted.sum_axis(Axis(0));
        sums.sums[k] += total;
        sums.count += counts.iter().sum::<f64>();
        sums
    }

    /// What the columns do not explain, one vector a series.
    pub(super) fn errors(
        &self,
        series: &[Series],
        first: usize,
        channel: usize,
        weights: &Array1<f64>,
    ) -> Vec<Vec<f64>> {
        let explained = self.columns.dot(weights); // (place)
        let of_one = |(one, places): (&Series, &Vec<usize>)| {
            one.values()
                .column(channel)
                .iter()
                .zip(places)
                .map(|(value, at)| value - explained[*at])
                .collect()
        };
        series.iter().zip(&self.places[first..]).map(of_one).collect()
    }

    /// The filtered columns of places that follow each other. Shape `(place, column)`.
    fn white(&self, filter: &[f64]) -> Array2<f64> {
        let n = self.columns.nrows();
        let mut white = self.columns.clone();
        for (lag, weight) in filter.iter().enumerate() {
            let by = (lag + 1) % n;
            for at in 0..n {
                white.row_mut(at).scaled_add(-weight, &self.columns.row((at + n - by) % n));
            }
        }
        white
    }

    /// The filtered columns of one step.
    fn one_white(&self, places: &[usize], t: usize, filter: &[f64]) -> Array1<f64> {
        let mut row = self.columns.row(places[t]).to_owned();
        for (lag, weight) in filter.iter().enumerate() {
            row.scaled_add(-weight, &self.columns.row(places[t - lag - 1]));
        }
        row
    }
}

/// As [`super::solve::standards`], of places that are counted.
fn standards(cycle: &Cycle, places: &[Vec<usize>]) -> Vec<Scaler> {
    let mut counts = vec![0.0; cycle.n_rows()];
    places.iter().flatten().for_each(|at| counts[*at] += 1.0);
    let n: f64 = f64::max(counts.iter().sum(), 1.0);
    let rows = || counts.iter().enumerate().map(|(at, count)| (cycle.row(at), *count));
    let n_columns = cycle.row(0).len();
    let of_column = |column: usize| {
        let center = rows().map(|(row, count)| count * row[column]).sum::<f64>() / n;
        let square = |(row, count): (ArrayView1<'_, f64>, f64)| count * (row[column] - center).powi(2);
        standard(center, (rows().map(square).sum::<f64>() / n).sqrt(), true)
    };
    (0..n_columns).map(of_column).collect()
}
