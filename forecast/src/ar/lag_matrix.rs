//! The lag matrix, made: the slow, obvious reference of the tests.

use ndarray::{Array2, Axis, Zip};

use super::moments::Moments;

/// Complete windows of one series, one a row.
#[derive(Debug)]
pub(super) struct LagMatrix {
    /// Lag 1 first. Shape `(row, order)`.
    pub(super) lags: Array2<f64>,
    /// Step 1 first. Shape `(row, horizon)`.
    pub(super) targets: Array2<f64>,
}

impl LagMatrix {
    pub(super) fn new(values: &[f64], order: usize, horizon: usize) -> Self {
        let (mut lags, mut targets) = (Vec::new(), Vec::new());
        for window in values.windows(order + horizon).filter(|window| !window.iter().any(|v| v.is_nan())) {
            lags.extend(window[..order].iter().rev());
            targets.extend(&window[order..]);
        }
        let n = targets.len() / horizon;
        LagMatrix {
            lags: Array2::from_shape_vec((n, order), lags).unwrap(),
            targets: Array2::from_shape_vec((n, horizon), targets).unwrap(),
        }
    }

    pub(super) fn moments(&self) -> Moments {
        Moments {
            gram: self.lags.t().dot(&self.lags),
            cross: self.lags.t().dot(&self.targets),
            energy: self.targets.columns().into_iter().map(|y| y.dot(&y)).collect(),
            column_sums: self.lags.sum_axis(Axis(0)),
            target_sums: self.targets.sum_axis(Axis(0)),
            rows: self.lags.nrows(),
        }
    }
}

/// Panics where two moments differ by more than the tolerance.
pub(super) fn assert_close(a: &Moments, b: &Moments, tolerance: f64) {
    let close = |a: f64, b: f64| (a - b).abs() <= tolerance;
    assert_eq!(a.rows, b.rows);
    for (a, b) in [(&a.gram, &b.gram), (&a.cross, &b.cross)] {
        assert!(Zip::from(a).and(b).all(|a, b| close(*a, *b)), "{a}\n{b}");
    }
    for (a, b) in [(&a.energy, &b.energy), (&a.column_sums, &b.column_sums), (&a.target_sums, &b.target_sums)]
    {
        assert!(Zip::from(a).and(b).all(|a, b| close(*a, *b)), "{a}\n{b}");
    }
}
