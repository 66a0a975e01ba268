//! Scores in order, and the few outermost of them, without a branch that cannot be foreseen.

/// Sorts numbers by integers that compare as the numbers do, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    keys: Vec<i64>,
    sorted: Vec<f64>,
}

impl Sorter {
    /// Numbers in the order of [`f64::total_cmp`], NaN left out.
    pub(super) fn sorted(&mut self, values: impl Iterator<Item = f64>) -> &mut Vec<f64> {
        let Sorter { keys, sorted } = self;
        keys.clear();
        keys.extend(values.map(key));
        let n_missing = keys.iter().filter(|key| **key == MISSING).count();
        keys.sort_unstable();
        keys.truncate(keys.len() - n_missing);
        sorted.clear();
        sorted.extend(keys.iter().map(|key| number(*key)));
        sorted
    }
}

/// The key of what is missing, which no number has: it comes last.
const MISSING: i64 = i64::MAX;

/// An integer that compares with others as the numbers do by [`f64::total_cmp`].
fn key(value: f64) -> i64 {
    if value.is_nan() { MISSING } else { flip(value.to_bits().cast_signed()) }
}

/// The number of a key.
fn number(key: i64) -> f64 {
    f64::from_bits(flip(key).cast_unsigned())
}

fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The `k`-th smallest and the `k`-th largest of numbers without NaN, which are put into another order; `k` lies
/// between 1 and their number.
pub(super) fn outermost(values: &mut [f64], k: usize) -> (f64, f64) {
    let largest = values.len() - k;
    let (_, lowest, _) = values.select_nth_unstable_by(k - 1, f64::total_cmp);
    let lowest = *lowest;
    let (_, highest, _) = values.select_nth_unstable_by(largest, f64::total_cmp);
    (lowest, *highest)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "numbers are moved, not computed")]
mod tests {
    use super::*;

    fn numbers(n: usize) -> Vec<f64> {
        (0..n).map(|i| ((i * 7919) % 101) as f64 * if i % 3 == 0 { -0.5 } else { 0.25 }).collect()
    }

    #[test]
    fn sorted_numbers_are_those_of_total_cmp_to_the_bit() {
        let special = [0.0, -0.0, f64::MIN_POSITIVE, -5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let mut sorter = Sorter::default();
        for n in [0, 1, 2, 19, 64, 257] {
            let values: Vec<f64> = numbers(n).into_iter().chain(special).collect();
            let mut expected: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
            expected.sort_by(f64::total_cmp);
            assert_eq!(bits(sorter.sorted(values.into_iter())), bits(&expected));
        }
        assert!(sorter.sorted([f64::NAN, -f64::NAN].into_iter()).is_empty());
    }

    #[test]
    fn the_outermost_numbers_are_those_of_the_sorted_ones() {
        for n in [1, 2, 5, 31, 200] {
            for k in (1..=n).filter(|k| *k < 20 || k % 37 == 0 || *k == n) {
                let mut values = numbers(n);
                let sorted = crate::data::sorted(values.clone());
                assert_eq!(outermost(&mut values, k), (sorted[k - 1], sorted[n - k]), "{k} of {n}");
            }
        }
        let found = outermost(&mut [f64::INFINITY, 1.0, f64::NEG_INFINITY], 1);
        assert_eq!(found, (f64::NEG_INFINITY, f64::INFINITY));
    }
}
