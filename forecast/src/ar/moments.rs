//! What least squares needs of the data: sums of squares and products, never the lag matrix.

use ndarray::{Array1, Array2};

/// Second-order statistics of a least-squares problem: all that the linear family needs of the data.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    /// `X'X`, shape `(column, column)`.
    pub(crate) gram: Array2<f64>,
    /// `X'Y`, shape `(column, target)`.
    pub(crate) cross: Array2<f64>,
    /// The diagonal of `Y'Y`, shape `(target)`.
    pub(crate) energy: Array1<f64>,
    /// Shape `(column)`.
    pub(crate) column_sums: Array1<f64>,
    /// Shape `(target)`.
    pub(crate) target_sums: Array1<f64>,
    pub(crate) rows: usize,
}
