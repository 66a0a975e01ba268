//! Columns of numbers beside each other, a row of registers at a time: each lane is a column of its own, so nothing is
//! compared that does not belong together and no branch depends on what is found.

use pulp::{Simd, WithSimd};

/// Columns that are looked at together.
pub(super) const LANES: usize = 8;
/// The k-th outermost are found for k up to this.
pub(super) const FEW: usize = 16;

/// The `k`-th smallest and the `k`-th largest number of each column; `k` lies between 1 and the number of rows, and is
/// at most [`FEW`]. There must be no NaN. For callers that are compiled for the processor already.
#[inline(always)]
pub(super) fn outermost<S: Simd>(simd: S, rows: &[[f64; LANES]], k: usize) -> ([f64; LANES], [f64; LANES]) {
    Outermost { rows, k }.with_simd(simd)
}

struct Outermost<'a> {
    rows: &'a [[f64; LANES]],
    k: usize,
}

impl WithSimd for Outermost<'_> {
    type Output = ([f64; LANES], [f64; LANES]);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        match self.k {
            ..=2 => self.kept::<S, 2>(simd),
            3..=5 => self.kept::<S, 5>(simd),
            6..=8 => self.kept::<S, 8>(simd),
            _ => self.kept::<S, FEW>(simd),
        }
    }
}

impl Outermost<'_> {
    /// Every number passes all that are kept, the more outer of two staying.
    #[inline(always)]
    fn kept<S: Simd, const N: usize>(self, simd: S) -> ([f64; LANES], [f64; LANES]) {
        let (numbers, _) = S::as_simd_f64s(self.rows.as_flattened());
        let (mut smallest, mut largest) = ([0.0; LANES], [0.0; LANES]);
        // Registers of some of the lanes, or of all.
        let n_registers = LANES / S::F64_LANES;
        for register in 0..n_registers {
            let mut low = [simd.splat_f64s(f64::INFINITY); N];
            let mut high = [simd.splat_f64s(f64::NEG_INFINITY); N];
            for number in numbers.iter().skip(register).step_by(n_registers) {
                let (mut rising, mut falling) = (*number, *number);
                for (low, high) in low.iter_mut().zip(&mut high) {
                    (*low, rising) = (simd.min_f64s(*low, rising), simd.max_f64s(*low, rising));
                    (*high, falling) = (simd.max_f64s(*high, falling), simd.min_f64s(*high, falling));
                }
            }
            let lanes = register * S::F64_LANES..(register + 1) * S::F64_LANES;
            simd.partial_store_f64s(&mut smallest[lanes.clone()], low[self.k - 1]);
            simd.partial_store_f64s(&mut largest[lanes], high[self.k - 1]);
        }
        (smallest, largest)
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are moved, not computed")]
mod tests {
    use pulp::Arch;

    use super::*;

    #[test]
    fn the_outermost_of_each_column_are_those_of_the_sorted_one() {
        let number = |row: usize, lane: usize| ((row * 7_919 + lane * 104_729) % 211) as f64 - 100.0;
        for n in [1, 2, 5, 16, 17, 112] {
            let rows: Vec<[f64; LANES]> =
                (0..n).map(|row| std::array::from_fn(|lane| number(row, lane))).collect();
            for k in 1..=n.min(FEW) {
                let (low, high) = Arch::new().dispatch(Outermost { rows: &rows, k });
                for lane in 0..LANES {
                    let sorted = crate::data::sorted(rows.iter().map(|row| row[lane]).collect());
                    assert_eq!((low[lane], high[lane]), (sorted[k - 1], sorted[n - k]), "{k} of {n}");
                }
            }
        }
    }
}
