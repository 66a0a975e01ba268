//! Scores in order, and the few outermost of them, without a comparison of floating-point numbers more than needed.

/// Up to this rank the outermost numbers are kept in order while the others pass by.
const FEW: usize = 16;
/// How much further in the outermost numbers of the next sample are looked for, as a share of the distance between
/// those of the last.
const WIDER: f64 = 0.15;

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

/// Finds the outermost numbers of samples that resemble each other, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct Outermost {
    /// Where the outermost numbers of the next sample are looked for first: below and above these.
    guess: Option<(f64, f64)>,
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Outermost {
    /// The `k`-th smallest and the `k`-th largest of numbers without NaN; `k` lies between 1 and their number.
    pub(super) fn find(&mut self, values: &[f64], k: usize) -> (f64, f64) {
        let (lowest, highest) = self.among_the_likely(values, k).unwrap_or_else(|| self.among_all(values, k));
        let slack = WIDER * (highest - lowest);
        self.guess = Some((lowest + slack, highest - slack));
        (lowest, highest)
    }

    /// `None` if fewer than `k` are as far out as is guessed.
    fn among_the_likely(&mut self, values: &[f64], k: usize) -> Option<(f64, f64)> {
        let (low, high) = self.guess.filter(|_| k <= FEW)?;
        self.below.resize(values.len().max(self.below.len()), 0.0);
        self.above.resize(values.len().max(self.above.len()), 0.0);
        let (mut n_below, mut n_above) = (0, 0);
        // Written always and counted where it applies: no branch that cannot be foreseen.
        for value in values {
            self.below[n_below] = *value;
            n_below += usize::from(*value <= low);
            self.above[n_above] = -*value;
            n_above += usize::from(*value >= high);
        }
        let enough = n_below >= k && n_above >= k;
        enough.then(|| (smallest(&self.below[..n_below], k), -smallest(&self.above[..n_above], k)))
    }

    fn among_all(&mut self, values: &[f64], k: usize) -> (f64, f64) {
        self.below.clear();
        self.below.extend_from_slice(values);
        if k <= FEW {
            let lowest = smallest(&self.below, k);
            self.below.iter_mut().for_each(|value| *value = -*value);
            return (lowest, -smallest(&self.below, k));
        }
        let (_, lowest, _) = self.below.select_nth_unstable_by(k - 1, f64::total_cmp);
        let lowest = *lowest;
        let (_, highest, _) = self.below.select_nth_unstable_by(values.len() - k, f64::total_cmp);
        (lowest, *highest)
    }
}

/// The `k`-th smallest of numbers, `k` at most [`FEW`]. Every number passes all that are kept, the smaller of two
/// staying: again no branch that cannot be foreseen.
fn smallest(values: &[f64], k: usize) -> f64 {
    let mut kept = [f64::INFINITY; FEW];
    for value in values {
        let mut passing = *value;
        for slot in &mut kept[..k] {
            let (stays, goes) = if *slot < passing { (*slot, passing) } else { (passing, *slot) };
            (*slot, passing) = (stays, goes);
        }
    }
    kept[k - 1]
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
        let mut outermost = Outermost::default();
        for n in [1, 2, 5, 31, 200] {
            for (k, shift) in (1..=n).filter(|k| *k < 20 || k % 37 == 0 || *k == n).zip(0..) {
                // A guess from samples that are nothing like it makes no difference.
                let values: Vec<f64> = numbers(n)
                    .into_iter()
                    .map(|v| v * 1.01f64.powi(shift) + f64::from(shift % 5 * 9))
                    .collect();
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                assert_eq!(outermost.find(&values, k), (sorted[k - 1], sorted[n - k]), "{k} of {n}");
            }
        }
        let found = outermost.find(&[f64::INFINITY, 1.0, f64::NEG_INFINITY], 1);
        assert_eq!(found, (f64::NEG_INFINITY, f64::INFINITY));
        assert_eq!(outermost.find(&[2.0, 1.0, 3.0], 1), (1.0, 3.0));
    }
}
