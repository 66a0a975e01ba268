//! Columns of scores beside each other in order: which rows are compared does not depend on what they hold, so a row of
//! registers is compared at a time and no branch has to be foreseen.

use pulp::{Arch, Simd, WithSimd};

use super::lanes::LANES;

/// Rows that are put in order without leaving the registers.
const BLOCK: usize = 16;

/// Bounds of scores, a lane for each step.
#[derive(Debug)]
pub(super) struct Within<'a> {
    pub(super) lowest: [f64; LANES],
    pub(super) highest: [f64; LANES],
    /// What the score of each row is multiplied by to be the error as it was, which lies within the bounds.
    pub(super) ratios: &'a [f64],
}

/// What becomes of numbers before they are sorted.
#[derive(Debug, Default)]
pub(super) struct Before<'a> {
    /// What each row is divided by; none where it is scores already.
    pub(super) scales: &'a [f64],
    pub(super) within: Option<Within<'a>>,
}

/// Puts the scores of each column in ascending order, once they are scaled and within bounds, and returns how many there
/// are; those that are missing or infinite come last. Zeros have no sign afterwards.
pub(super) fn sort(rows: &mut Vec<[f64; LANES]>, before: &Before<'_>) -> [usize; LANES] {
    let n = rows.len();
    rows.resize(n.next_multiple_of(BLOCK), [f64::NAN; LANES]);
    let n_known = Arch::new().dispatch(Sort { rows, before });
    rows.truncate(n);
    n_known.map(|n_known| n_known as usize)
}

struct Sort<'a> {
    /// Whole blocks.
    rows: &'a mut [[f64; LANES]],
    before: &'a Before<'a>,
}

impl WithSimd for Sort<'_> {
    /// Scores of each lane.
    type Output = [f64; LANES];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        for (row, scale) in self.rows.iter_mut().zip(self.before.scales) {
            row.iter_mut().for_each(|number| *number /= scale);
        }
        if let Some(within) = &self.before.within {
            bound(simd, self.rows, within);
        }
        let (scores, _) = S::as_mut_simd_f64s(self.rows.as_flattened_mut());
        let n_known = known(simd, scores);
        for register in 0..LANES / S::F64_LANES {
            order::<S>(simd, scores, register);
        }
        n_known
    }
}

/// Scores within bounds that reach at least to the error as it was; what is missing stays so.
#[inline(always)]
fn bound<S: Simd>(simd: S, rows: &mut [[f64; LANES]], within: &Within<'_>) {
    let (lowest, _) = S::as_simd_f64s(&within.lowest);
    let (highest, _) = S::as_simd_f64s(&within.highest);
    for (row, ratio) in rows.iter_mut().zip(within.ratios) {
        let (row, _) = S::as_mut_simd_f64s(row);
        let ratio = simd.splat_f64s(*ratio);
        for (score, (lowest, highest)) in row.iter_mut().zip(lowest.iter().zip(highest)) {
            let as_it_was = simd.mul_f64s(*score, ratio);
            let lowest = simd.min_f64s(as_it_was, *lowest);
            let highest = simd.max_f64s(as_it_was, *highest);
            *score = simd.select_f64s(simd.less_than_f64s(*score, lowest), lowest, *score);
            *score = simd.select_f64s(simd.less_than_f64s(highest, *score), highest, *score);
        }
    }
}

/// Counts the finite scores of each lane, and puts infinity in place of the others.
#[inline(always)]
fn known<S: Simd>(simd: S, scores: &mut [S::f64s]) -> [f64; LANES] {
    let (zero, one, infinity) = (simd.splat_f64s(0.0), simd.splat_f64s(1.0), simd.splat_f64s(f64::INFINITY));
    let mut n_known = [0.0; LANES];
    let (counts, _) = S::as_mut_simd_f64s(&mut n_known);
    for row in scores.chunks_exact_mut(counts.len()) {
        for (score, count) in row.iter_mut().zip(counts.iter_mut()) {
            let is_known = simd.less_than_f64s(simd.abs_f64s(*score), infinity);
            *count = simd.add_f64s(*count, simd.select_f64s(is_known, one, zero));
            // Zeros of either sign are equal for registers, which would keep one of two twice.
            *score = simd.add_f64s(simd.select_f64s(is_known, *score, infinity), zero);
        }
    }
    n_known
}

/// Bitonic merges (Batcher 1968; Knuth, *The Art of Computer Programming* 5.3.4) of the scores that stand in one of the
/// registers of each row: every comparison puts the smaller one first, so infinity stays at the end.
#[inline(always)]
fn order<S: Simd>(simd: S, scores: &mut [S::f64s], register: usize) {
    let width = LANES / S::F64_LANES;
    let n = scores.len() / width;
    for rows in scores.chunks_exact_mut(BLOCK * width) {
        let mut block = block::<S>(rows, register);
        sort_block(simd, &mut block);
        put_back::<S>(rows, register, &block);
    }
    let mut size = BLOCK;
    while size < n {
        size *= 2;
        for start in (0..n).step_by(size) {
            let last = start + size - 1;
            for row in start + (last + 1).saturating_sub(n)..start + size / 2 {
                exchange::<S>(simd, scores, row * width + register, (start + last - row) * width + register);
            }
        }
        let mut distance = size / 4;
        while distance >= BLOCK {
            for start in (0..n.saturating_sub(distance)).step_by(2 * distance) {
                for row in start..(start + distance).min(n - distance) {
                    exchange::<S>(simd, scores, row * width + register, (row + distance) * width + register);
                }
            }
            distance /= 2;
        }
        for rows in scores.chunks_exact_mut(BLOCK * width) {
            let mut block = block::<S>(rows, register);
            merge_block(simd, &mut block);
            put_back::<S>(rows, register, &block);
        }
    }
}

#[inline(always)]
fn block<S: Simd>(rows: &[S::f64s], register: usize) -> [S::f64s; BLOCK] {
    let mut block = [rows[register]; BLOCK];
    for (score, row) in block.iter_mut().zip(rows.chunks_exact(LANES / S::F64_LANES)) {
        *score = row[register];
    }
    block
}

#[inline(always)]
fn put_back<S: Simd>(rows: &mut [S::f64s], register: usize, block: &[S::f64s; BLOCK]) {
    for (score, row) in block.iter().zip(rows.chunks_exact_mut(LANES / S::F64_LANES)) {
        row[register] = *score;
    }
}

#[inline(always)]
fn sort_block<S: Simd>(simd: S, block: &mut [S::f64s; BLOCK]) {
    mirrored::<S, 2>(simd, block);
    mirrored::<S, 4>(simd, block);
    apart::<S, 1>(simd, block);
    mirrored::<S, 8>(simd, block);
    apart::<S, 2>(simd, block);
    apart::<S, 1>(simd, block);
    mirrored::<S, 16>(simd, block);
    apart::<S, 4>(simd, block);
    apart::<S, 2>(simd, block);
    apart::<S, 1>(simd, block);
}

/// The last steps of a merge.
#[inline(always)]
fn merge_block<S: Simd>(simd: S, block: &mut [S::f64s; BLOCK]) {
    apart::<S, 8>(simd, block);
    apart::<S, 4>(simd, block);
    apart::<S, 2>(simd, block);
    apart::<S, 1>(simd, block);
}

/// Compares the first with the last of each `N` rows, the second with the last but one, and so on.
#[inline(always)]
fn mirrored<S: Simd, const N: usize>(simd: S, block: &mut [S::f64s; BLOCK]) {
    for pair in 0..BLOCK / 2 {
        let (start, row) = (pair / (N / 2) * N, pair % (N / 2));
        exchange::<S>(simd, block, start + row, start + N - 1 - row);
    }
}

/// Compares rows that stand `N` apart.
#[inline(always)]
fn apart<S: Simd, const N: usize>(simd: S, block: &mut [S::f64s; BLOCK]) {
    for pair in 0..BLOCK / 2 {
        let row = pair / N * 2 * N + pair % N;
        exchange::<S>(simd, block, row, row + N);
    }
}

/// The smaller of each two scores goes to the first place.
#[inline(always)]
fn exchange<S: Simd>(simd: S, scores: &mut [S::f64s], first: usize, second: usize) {
    let (a, b) = (scores[first], scores[second]);
    (scores[first], scores[second]) = (simd.min_f64s(a, b), simd.max_f64s(a, b));
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are moved, not computed")]
mod tests {
    use super::*;

    fn rows(n: usize) -> Vec<[f64; LANES]> {
        let number = |row: usize, lane: usize| match (row * 7_919 + lane * 104_729) % 211 {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => -0.0,
            3 => f64::NAN,
            n => n as f64 % 97.0 - 50.0,
        };
        (0..n).map(|row| std::array::from_fn(|lane| number(row, lane))).collect()
    }

    fn finite(rows: &[[f64; LANES]], lane: usize) -> Vec<f64> {
        rows.iter().map(|row| row[lane]).filter(|score| score.is_finite()).collect()
    }

    #[test]
    fn columns_of_any_length_are_sorted_as_each_alone() {
        for n in (0..70).chain([111, 112, 113, 127, 128, 129, 500, 1_025]) {
            let mut rows = rows(n);
            let expected: Vec<Vec<f64>> =
                (0..LANES).map(|lane| crate::data::sorted(finite(&rows, lane))).collect();
            let n_known = sort(&mut rows, &Before::default());
            assert_eq!(rows.len(), n);
            for (lane, expected) in expected.into_iter().enumerate() {
                let column: Vec<f64> = rows.iter().map(|row| row[lane]).collect();
                assert_eq!(column[..n_known[lane]], expected, "{n}");
                assert!(column[n_known[lane]..].iter().all(|score| *score == f64::INFINITY), "{n}");
                assert!(column.iter().all(|score| *score != 0.0 || score.is_sign_positive()));
            }
        }
    }

    #[test]
    fn scores_lie_within_bounds_that_reach_to_the_error_as_it_was() {
        for (score, ratio, expected) in [
            (1.0, 0.5, 1.0),
            (9.0, 1.0 / 9.0, 3.0),
            (9.0, 4.0 / 9.0, 4.0),
            (-9.0, 1.0 / 9.0, -2.0),
            (-9.0, 4.0 / 9.0, -4.0),
            // Where the scale has become smaller, errors do with it.
            (9.0, 20.0 / 9.0, 9.0),
            (-9.0, 20.0 / 9.0, -9.0),
        ] {
            let mut rows = vec![[score; LANES], [f64::NAN; LANES]];
            let within = Within { lowest: [-2.0; LANES], highest: [3.0; LANES], ratios: &[ratio, 1.0] };
            let before = Before { within: Some(within), ..Before::default() };
            assert_eq!(sort(&mut rows, &before), [1; LANES]);
            assert_eq!(rows[0], [expected; LANES], "{score} {ratio}");
            // The same from errors that are three times as large.
            let mut rows = vec![[3.0 * score; LANES], [f64::NAN; LANES]];
            assert_eq!(sort(&mut rows, &Before { scales: &[3.0; 2], ..before }), [1; LANES]);
            assert_eq!(rows[0], [expected; LANES], "{score} {ratio}");
        }
    }
}
