//! Products of matrices: strides instead of transposed copies.
//!
//! The order in which a product is summed depends on its shape alone, never on the number of threads.

use std::sync::Once;

use gemm::Parallelism;
use rayon::prelude::*;

use super::workers::Leader;

/// Up to so many rows the columns of a product are shared by threads, this many at a time.
const FEW_ROWS: usize = 1_024;
const COLUMNS: usize = 128;

/// Up to so many times its own width `gemm` reads weights where they are, on one thread. By itself it does so up to 8
/// times; rows of 8 kB then share few places of the cache, and 24 rows take longer than 96 do.
const UNPACKED: usize = 2;
static ONCE: Once = Once::new();

/// A matrix inside a slice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) n_rows: usize,
    pub(super) n_columns: usize,
    /// From a row to the next, and from a column to the next.
    pub(super) strides: [usize; 2],
}

/// A matrix to be written.
#[derive(Debug)]
pub(super) struct MatrixMut<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) n_rows: usize,
    pub(super) n_columns: usize,
    pub(super) strides: [usize; 2],
}

/// What happens to the numbers that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    Over,
    Add,
}

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    One,
    All,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows follow each other.
    pub(super) fn rows(values: &'a [f32], n_rows: usize, n_columns: usize) -> Self {
        Matrix { values, n_rows, n_columns, strides: [n_columns, 1] }
    }

    /// A row, of a matrix whose columns follow each other.
    #[inline(always)]
    pub(super) fn row(&self, at: usize) -> &'a [f32] {
        &self.values[at * self.strides[0]..][..self.n_columns]
    }

    pub(super) fn transposed(self) -> Self {
        let [row, column] = self.strides;
        Matrix { n_rows: self.n_columns, n_columns: self.n_rows, strides: [column, row], ..self }
    }
}

impl<'a> MatrixMut<'a> {
    pub(super) fn rows(values: &'a mut [f32], n_rows: usize, n_columns: usize) -> Self {
        MatrixMut { values, n_rows, n_columns, strides: [n_columns, 1] }
    }
}

/// `out = scale lhs rhs`, or that added to `out`.
///
/// # Panics
/// If the shapes do not fit each other or their slices.
pub(super) fn product(
    out: MatrixMut<'_>,
    (lhs, rhs): (Matrix<'_>, Matrix<'_>),
    scale: f32,
    write: Write,
    threads: Threads,
) {
    assert!(
        out.n_rows == lhs.n_rows && out.n_columns == rhs.n_columns && lhs.n_columns == rhs.n_rows,
        "shapes of a product"
    );
    if out.n_rows == 0 || out.n_columns == 0 {
        return;
    }
    for (length, n_rows, n_columns, strides) in [
        (out.values.len(), out.n_rows, out.n_columns, out.strides),
        (lhs.values.len(), lhs.n_rows, lhs.n_columns, lhs.strides),
        (rhs.values.len(), rhs.n_rows, rhs.n_columns, rhs.strides),
    ] {
        assert!(
            n_rows == 0 || n_columns == 0 || last(n_rows, n_columns, strides) < length,
            "a matrix in a slice"
        );
    }
    ONCE.call_once(|| gemm::set_lhs_packing_threshold_single_thread(UNPACKED));
    // Rows that overlap would be written twice.
    assert!(out.strides[1] == 1 && out.strides[0] >= out.n_columns, "rows of a product");
    let to = Target(out.values.as_mut_ptr());
    let (n_rows, n_columns, row) = (out.n_rows, out.n_columns, out.strides[0]);
    let block = |first: usize, n_columns: usize, parallelism: Parallelism| {
        let rhs_values = &rhs.values[(first * rhs.strides[1]).min(rhs.values.len())..];
        let stride = |strides: [usize; 2]| strides.map(|stride| stride as isize);
        let ([lhs_row, lhs_column], [rhs_row, rhs_column]) = (stride(lhs.strides), stride(rhs.strides));
        // SAFETY: every element of the three matrices lies in its slice, as asserted, and so do those of some columns.
        // `out` is borrowed exclusively, so no element of it is read through `lhs` or `rhs`, and blocks share no column.
        unsafe {
            gemm::gemm(
                n_rows,
                n_columns,
                lhs.n_columns,
                to.column(first),
                1,
                row as isize,
                write == Write::Add,
                lhs.values.as_ptr(),
                lhs_column,
                lhs_row,
                rhs_values.as_ptr(),
                rhs_column,
                rhs_row,
                1.0,
                scale,
                false,
                false,
                false,
                parallelism,
            );
        }
    };
    match threads {
        Threads::One => block(0, n_columns, Parallelism::None),
        // Its own way to share the work leaves half of two cores idle where there are few rows.
        Threads::All if n_rows <= FEW_ROWS => {
            let leader = Leader::here();
            (0..n_columns.div_ceil(COLUMNS)).into_par_iter().for_each(|at| {
                leader.keep_off();
                let first = at * COLUMNS;
                block(first, COLUMNS.min(n_columns - first), Parallelism::None);
            });
        }
        Threads::All => block(0, n_columns, Parallelism::Rayon(0)),
    }
}

/// Where a product is written by several threads.
pub(super) struct Target(pub(super) *mut f32);

// SAFETY: each thread writes columns of its own.
unsafe impl Sync for Target {}

impl Target {
    /// The top of a column.
    pub(super) fn column(&self, column: usize) -> *mut f32 {
        self.0.wrapping_add(column)
    }
}

/// Where the last element of a matrix stands.
fn last(n_rows: usize, n_columns: usize, [row, column]: [usize; 2]) -> usize {
    (n_rows - 1).saturating_mul(row).saturating_add((n_columns - 1).saturating_mul(column))
}

#[cfg(test)]
mod tests {
    use super::super::check::draw;
    use super::*;

    #[test]
    fn products_of_any_strides_are_those_of_the_definition() {
        for [n, k, m] in [[1, 1, 1], [3, 5, 2], [17, 33, 9], [65, 7, 130], [40, 90, 300], [1_030, 9, 140]] {
            let numbers = |n: usize, seed| draw(n, seed).into_iter().map(|x| x as f32).collect::<Vec<_>>();
            // Gaps of three numbers between rows, and the right-hand side column by column.
            let (lhs, rhs) = (numbers(n * (k + 3), 1), numbers(k * m, 2));
            let lhs = Matrix { values: &lhs, n_rows: n, n_columns: k, strides: [k + 3, 1] };
            let rhs = Matrix::rows(&rhs, m, k).transposed();
            let before = numbers(n * (m + 2), 3);
            for write in [Write::Over, Write::Add] {
                let mut out = before.clone();
                let to = MatrixMut { values: &mut out, n_rows: n, n_columns: m, strides: [m + 2, 1] };
                product(to, (lhs, rhs), 0.5, write, Threads::All);
                for (at, (out, before)) in out.iter().zip(&before).enumerate() {
                    let (i, j) = (at / (m + 2), at % (m + 2));
                    let of = |x: Matrix<'_>, i: usize, j: usize| {
                        f64::from(x.values[i * x.strides[0] + j * x.strides[1]])
                    };
                    let sum = || (0..k).map(|c| of(lhs, i, c) * of(rhs, c, j)).sum::<f64>();
                    let due = match write {
                        _ if j >= m => f64::from(*before),
                        Write::Over => 0.5 * sum(),
                        Write::Add => f64::from(*before) + 0.5 * sum(),
                    };
                    assert!((f64::from(*out) - due).abs() < 1e-5, "{n} {k} {m}, {i} {j}: {out} for {due}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "a matrix in a slice")]
    fn a_matrix_that_leaves_its_slice_is_refused() {
        let (x, mut out) = ([1.0; 6], [0.0; 4]);
        let lhs = Matrix { values: &x, n_rows: 2, n_columns: 3, strides: [4, 1] };
        let rhs = Matrix::rows(&x, 3, 2);
        product(MatrixMut::rows(&mut out, 2, 2), (lhs, rhs), 1.0, Write::Over, Threads::One);
    }
}
