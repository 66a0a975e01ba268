//! Scores in order, and the few outermost of them, without a comparison of floating-point numbers more than needed.

/// Up to this rank the outermost numbers are kept in order while the others pass by.
const FEW: usize = 16;

/// Sorts numbers by integers that compare as the numbers do, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Sorter {
    keys: Vec<i64>,
}

impl Sorter {
    /// Sorts in the order of [`f64::total_cmp`], bit for bit.
    pub(super) fn sort(&mut self, values: &mut [f64]) {
        self.keys.clear();
        self.keys.extend(values.iter().map(|value| flip(value.to_bits().cast_signed())));
        self.keys.sort_unstable();
        for (value, key) in values.iter_mut().zip(&self.keys) {
            *value = f64::from_bits(flip(*key).cast_unsigned());
        }
    }
}

/// From the bits of a number to an integer of its rank, and back.
fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

/// The `k`-th smallest and the `k`-th largest of numbers without NaN; `k` lies between 1 and their number. Their
/// order is lost.
pub(super) fn outermost(values: &mut [f64], k: usize) -> (f64, f64) {
    let n = values.len();
    if k > FEW {
        let (_, lowest, _) = values.select_nth_unstable_by(k - 1, f64::total_cmp);
        let lowest = *lowest;
        let (_, highest, _) = values.select_nth_unstable_by(n - k, f64::total_cmp);
        return (lowest, *highest);
    }
    let (mut lowest, mut highest) = ([f64::INFINITY; FEW], [f64::NEG_INFINITY; FEW]);
    for value in values {
        if *value < lowest[k - 1] {
            let mut at = k - 1;
            while at > 0 && lowest[at - 1] > *value {
                lowest[at] = lowest[at - 1];
                at -= 1;
            }
            lowest[at] = *value;
        }
        if *value > highest[k - 1] {
            let mut at = k - 1;
            while at > 0 && highest[at - 1] < *value {
                highest[at] = highest[at - 1];
                at -= 1;
            }
            highest[at] = *value;
        }
    }
    (lowest[k - 1], highest[k - 1])
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
        let special = [0.0, -0.0, f64::MIN_POSITIVE, -5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::MAX];
        let mut sorter = Sorter::default();
        for n in [0, 1, 2, 19, 64, 257] {
            let mut found: Vec<f64> = numbers(n).into_iter().chain(special).collect();
            let mut expected = found.clone();
            expected.sort_by(f64::total_cmp);
            sorter.sort(&mut found);
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&found), bits(&expected));
        }
    }

    #[test]
    fn the_outermost_numbers_are_those_of_the_sorted_ones() {
        for n in [1, 2, 5, 31, 200] {
            let mut sorted = numbers(n);
            sorted.sort_by(f64::total_cmp);
            for k in (1..=n).filter(|k| *k < 20 || k % 37 == 0 || *k == n) {
                assert_eq!(outermost(&mut numbers(n), k), (sorted[k - 1], sorted[n - k]), "{k} of {n}");
            }
        }
    }
}
