//! The complete windows of some columns as batches: one array of 32-bit values, of which windows are views.

use burn::tensor::{Device, Tensor, TensorData};

use crate::ar::anchor::Anchor;
use crate::ar::segments::complete_runs;
use crate::data::{Permutation, WindowOrder};

/// Windows of `order` lags and `n_steps` targets, numbered from 0.
#[derive(Debug)]
pub(super) struct Lagged {
    /// The stretches that have a window, one after the other.
    values: Vec<f32>,
    /// The number of each stretch's first window, and where it begins.
    spans: Vec<(usize, usize)>,
    n_windows: usize,
    order: usize,
    n_steps: usize,
    anchor: Anchor,
    permutation: Option<Permutation>,
}

impl Lagged {
    /// The windows of these columns, missing values NaN; stretches without one are left out.
    pub(super) fn new(columns: &[Vec<f64>], order: usize, n_steps: usize, anchor: Anchor) -> Self {
        let width = order + n_steps;
        let (mut values, mut spans, mut n_windows) = (Vec::new(), Vec::new(), 0);
        for run in columns.iter().flat_map(|column| complete_runs(column)).filter(|run| run.len() >= width) {
            spans.push((n_windows, values.len()));
            n_windows += run.len() - width + 1;
            values.extend(run.iter().map(|value| *value as f32));
        }
        Lagged { values, spans, n_windows, order, n_steps, anchor, permutation: None }
    }

    pub(super) fn n_windows(&self) -> usize {
        self.n_windows
    }

    /// From now on windows come in this order.
    pub(super) fn arrange(&mut self, order: WindowOrder) {
        self.permutation = order.permutation(self.n_windows);
    }

    /// Lags, oldest first, and targets of the windows at these positions of the order, less their anchors. Shapes
    /// `(batch, order)` and `(batch, n_steps)`.
    pub(super) fn batch(&self, positions: std::ops::Range<usize>, device: &Device) -> [Tensor<2>; 2] {
        let n_rows = positions.len();
        let mut lags = Vec::with_capacity(n_rows * self.order);
        let mut targets = Vec::with_capacity(n_rows * self.n_steps);
        for position in positions {
            let window = self.window(self.permutation.as_ref().map_or(position, |p| p.at(position)));
            let (input, label) = window.split_at(self.order);
            let anchor = match self.anchor {
                Anchor::None => 0.0,
                Anchor::Last => input[self.order - 1],
                Anchor::Mean => (input.iter().map(|x| f64::from(*x)).sum::<f64>() / self.order as f64) as f32,
            };
            lags.extend(input.iter().map(|x| x - anchor));
            targets.extend(label.iter().map(|y| y - anchor));
        }
        let tensor = |values, width| Tensor::from_data(TensorData::new(values, [n_rows, width]), device);
        [tensor(lags, self.order), tensor(targets, self.n_steps)]
    }

    fn window(&self, number: usize) -> &[f32] {
        let after = self.spans.partition_point(|(first, _)| *first <= number);
        let (first, begin) = self.spans[after - 1];
        let begin = begin + number - first;
        &self.values[begin..begin + self.order + self.n_steps]
    }
}

#[cfg(test)]
// Whole numbers are exact.
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    fn column(n: usize, first: usize) -> Vec<f64> {
        (0..n).map(|i| ((first + i) * (first + i) % 41) as f64).collect()
    }

    /// Every window of every column, one by one.
    fn naive(columns: &[Vec<f64>], order: usize, n_steps: usize, anchor: Anchor) -> Vec<Vec<f32>> {
        let complete = columns.iter().flat_map(|column| column.windows(order + n_steps));
        let complete = complete.filter(|window| window.iter().all(|value| !value.is_nan()));
        let anchored = |window: &[f64]| {
            let a = match anchor {
                Anchor::None => 0.0,
                Anchor::Last => window[order - 1],
                Anchor::Mean => window[..order].iter().sum::<f64>() / order as f64,
            };
            window.iter().map(|value| (value - a) as f32).collect()
        };
        complete.map(anchored).collect()
    }

    #[test]
    fn batches_hold_every_complete_window_once_and_no_other() {
        let mut gappy = column(30, 3);
        (gappy[2], gappy[14], gappy[15]) = (f64::NAN, f64::NAN, f64::NAN);
        let columns = [column(12, 0), gappy, column(4, 9), Vec::new(), vec![f64::NAN; 9]];
        let device = Device::flex();
        for (order, n_steps, anchor) in [(4, 1, Anchor::None), (3, 2, Anchor::Last), (4, 3, Anchor::Mean)] {
            let mut windows = Lagged::new(&columns, order, n_steps, anchor);
            let expected = naive(&columns, order, n_steps, anchor);
            assert_eq!(windows.n_windows(), expected.len());
            let rows = |windows: &Lagged| {
                let mut rows = Vec::new();
                for begin in (0..windows.n_windows()).step_by(5) {
                    let end = windows.n_windows().min(begin + 5);
                    let [lags, targets] = windows.batch(begin..end, &device);
                    let all: Vec<f32> = Tensor::cat(vec![lags, targets], 1).into_data().iter().collect();
                    rows.extend(all.chunks(order + n_steps).map(<[f32]>::to_vec));
                }
                rows
            };
            let in_time = rows(&windows);
            assert!(
                in_time.iter().flatten().zip(expected.iter().flatten()).all(|(a, b)| (a - b).abs() < 1e-5)
            );
            windows.arrange(WindowOrder::Shuffled { seed: 1, epoch: 0 });
            let mut shuffled = rows(&windows);
            assert_ne!(shuffled, in_time);
            let (mut sorted, by) = (in_time, |a: &Vec<f32>, b: &Vec<f32>| a.partial_cmp(b).unwrap());
            shuffled.sort_by(by);
            sorted.sort_by(by);
            assert_eq!(shuffled, sorted);
        }
        assert_eq!(Lagged::new(&columns, 40, 1, Anchor::None).n_windows(), 0);
    }
}
