//! The order in which windows are visited: in time, or shuffled without keeping a list of them.
//!
//! A shuffle is a permutation of `0..n` that is computed one element at a time, so it takes the same few bytes
//! for ten windows and for ten billion: a balanced Feistel network (Luby and Rackoff, "How to construct
//! pseudorandom permutations from pseudorandom functions", SIAM J. Comput. 17(2), 1988) over the next power of
//! four, and cycle walking, which steps over what lies beyond `n` (Black and Rogaway, "Ciphers with arbitrary
//! finite domains", CT-RSA 2002, section 3). Round function and round keys are the mixing function and the
//! stream of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
//! It is statistically even, not secret.

use crate::data::random::mix;

/// The order in which the windows of a set are visited.
///
/// # Example
/// ```
/// use forecast::{Panel, ReadOptions, data::{WindowOrder, WindowSet, WindowSpec}};
/// let rows: String = (0..9).map(|i| format!("{i},{i}\n")).collect();
/// let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
/// let spec = WindowSpec { lookback: 2, horizon: 1, stride: 1 };
/// let set = WindowSet::new(spec, &panel, [0..9])?;
/// let cutoffs = |order| set.windows(order).map(|(_, window)| window.cutoff).collect::<Vec<_>>();
/// assert_eq!(cutoffs(WindowOrder::InTime), [2, 3, 4, 5, 6, 7, 8]);
/// let mut shuffled = cutoffs(WindowOrder::Shuffled { seed: 1, epoch: 0 });
/// assert_ne!(shuffled, cutoffs(WindowOrder::Shuffled { seed: 1, epoch: 1 }));
/// shuffled.sort();
/// assert_eq!(shuffled, cutoffs(WindowOrder::InTime)); // each window once
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WindowOrder {
    /// Series by series in the panel's order, and the windows of each oldest first.
    #[default]
    InTime,
    /// Each window once, in an order that looks random: the first `k` are a sample without replacement.
    ///
    /// The order depends on these two numbers and on how many windows there are, on nothing else.
    Shuffled {
        /// Any number; the same one gives the same orders.
        seed: u64,
        /// The pass over the windows, from 0: each has an order of its own.
        epoch: u64,
    },
}

impl WindowOrder {
    /// The permutation that takes positions in this order to numbers of windows; `None` if it changes nothing.
    pub(crate) fn permutation(self, n: usize) -> Option<Permutation> {
        match self {
            WindowOrder::InTime => None,
            WindowOrder::Shuffled { seed, epoch } => Some(Permutation::new(n, seed, epoch)),
        }
    }
}

/// As many rounds as NIST's FF1 has, which works on small domains too (SP 800-38G).
const N_ROUNDS: usize = 10;

/// A permutation of `0..n`.
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    n: usize,
    half_bits: u32,
    keys: [u64; N_ROUNDS],
}

impl Permutation {
    fn new(n: usize, seed: u64, epoch: u64) -> Self {
        let bits = usize::BITS - n.saturating_sub(1).leading_zeros();
        // Mixing the seed first keeps neighbouring seeds and epochs from meeting in their sum.
        let mut state = mix(mix(seed.wrapping_add(GAMMA)) ^ epoch);
        let keys = std::array::from_fn(|_| {
            state = state.wrapping_add(GAMMA);
            mix(state)
        });
        Permutation { n, half_bits: bits.div_ceil(2), keys }
    }

    /// Where the element at `position`, which has to be below `n`, goes.
    #[inline]
    pub(crate) fn at(&self, position: usize) -> usize {
        // The network permutes all of its domain, so a walk that starts below n comes back to there: after
        // four steps on average at most, because the domain is smaller than 4 n.
        let mut to = self.network(position as u64);
        while to >= self.n as u64 {
            to = self.network(to);
        }
        to as usize
    }

    fn network(&self, x: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1; // at most 32 bits
        let (mut left, mut right) = (x >> self.half_bits, x & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right.wrapping_add(key)) & mask));
        }
        (left << self.half_bits) | right
    }
}

/// The odd number closest to 2^64 over the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(n: usize, seed: u64, epoch: u64) -> Vec<usize> {
        let permutation = Permutation::new(n, seed, epoch);
        (0..n).map(|position| permutation.at(position)).collect()
    }

    /// Pearson's statistic of counts that should all be the same.
    fn chi_square(counts: &[usize]) -> f64 {
        let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        counts.iter().map(|n| (*n as f64 - expected).powi(2) / expected).sum()
    }

    /// Asserts that counts are as even as chance makes them: their statistic has a mean of `freedom` and a
    /// variance of twice that, and lies five standard deviations above it in about one case of a million.
    fn assert_even(counts: &[usize], freedom: usize, case: &str) {
        let (found, freedom) = (chi_square(counts), freedom as f64);
        assert!(found < freedom + 5.0 * (2.0 * freedom).sqrt() + 5.0, "{case}: {found} for {freedom}");
    }

    #[test]
    fn every_number_comes_exactly_once() {
        let sizes = (1..70).chain([255, 256, 257, 1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 7_919, 65_537]);
        for n in sizes.chain([1_000_000]) {
            for (seed, epoch) in [(0, 0), (7, 3)] {
                let mut is_seen = vec![false; n];
                shuffled(n, seed, epoch).into_iter().for_each(|number| is_seen[number] = true);
                assert!(is_seen.iter().all(|seen| *seen), "{n} numbers, seed {seed}, epoch {epoch}");
            }
        }
    }

    #[test]
    fn the_largest_set_is_walked_too() {
        for n in [usize::MAX, usize::MAX / 2 + 2] {
            let permutation = Permutation::new(n, 1, 0);
            let mut first: Vec<usize> = (0..1_000).map(|position| permutation.at(position)).collect();
            first.sort_unstable();
            first.dedup();
            assert!(first.len() == 1_000 && first.iter().all(|number| *number < n));
        }
    }

    #[test]
    fn seeds_and_epochs_have_orders_of_their_own_and_repeat_them() {
        let orders: Vec<_> =
            (0..20).flat_map(|seed| (0..20).map(move |epoch| shuffled(100, seed, epoch))).collect();
        let distinct: std::collections::HashSet<_> = orders.iter().collect();
        assert_eq!(distinct.len(), orders.len());
        assert_eq!(shuffled(100, 19, 19), orders[399]);
        // Two orders agree in one place on average, as two random ones do.
        let agree = |a: &[usize], b: &[usize]| a.iter().zip(b).filter(|(a, b)| a == b).count();
        let agreements: usize = orders.windows(2).map(|pair| agree(&pair[0], &pair[1])).sum();
        assert!((300..500).contains(&agreements), "{agreements} for 399 pairs");
    }

    #[test]
    fn orders_are_those_of_an_implementation_in_python_and_stay_so() {
        assert_eq!(shuffled(10, 42, 0), FIRST_EPOCH);
        assert_eq!(shuffled(10, 42, 1), SECOND_EPOCH);
    }

    const FIRST_EPOCH: [usize; 10] = [3, 1, 7, 8, 9, 2, 6, 4, 0, 5];
    const SECOND_EPOCH: [usize; 10] = [5, 6, 3, 0, 8, 4, 7, 9, 1, 2];

    #[test]
    fn each_number_is_as_likely_at_each_position() {
        const N_SEEDS: u64 = 20_000;
        for n in [2, 3, 4, 5, 7, 12, 16, 17] {
            // Seeds vary for one epoch, then epochs for one seed.
            for of_draw in [|draw| (draw, 0), |draw| (5, draw)] {
                let mut counts = vec![0; n * n];
                for (seed, epoch) in (0..N_SEEDS).map(of_draw) {
                    for (position, number) in shuffled(n, seed, epoch).into_iter().enumerate() {
                        counts[position * n + number] += 1;
                    }
                }
                assert_even(&counts, (n - 1) * (n - 1), &format!("positions of {n}"));
            }
        }
    }

    #[test]
    fn each_order_of_few_and_each_pair_of_neighbours_of_many_is_as_likely() {
        const N_SEEDS: u64 = 24_000;
        for n in [3, 4] {
            let mut counts = std::collections::BTreeMap::new();
            (0..N_SEEDS).for_each(|seed| *counts.entry(shuffled(n, seed, 0)).or_insert(0) += 1);
            let counts: Vec<usize> = counts.into_values().collect();
            assert_eq!(counts.len(), (1..=n).product::<usize>());
            assert_even(&counts, counts.len() - 1, &format!("orders of {n}"));
        }
        const N: usize = 20;
        let mut counts = vec![0; N * N];
        for seed in 0..N_SEEDS {
            let order = shuffled(N, seed, 0);
            counts[order[6] * N + order[7]] += 1;
        }
        counts.retain(|n| *n > 0); // no number follows itself
        assert_eq!(counts.len(), N * (N - 1));
        assert_even(&counts, counts.len() - 1, "neighbours");
    }
}
