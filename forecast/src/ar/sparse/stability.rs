//! How often each lag is chosen from random halves of the data.
//!
//! Stability selection (Meinshausen and Bühlmann 2010) in complementary pairs (Shah and Samworth 2013): blocks of
//! time are split into halves at random, lags are chosen from each half on its own, and a lag that is chosen nearly
//! always is there, while one that comes and goes is luck. A half is the sum of the statistics of its blocks.

use rayon::prelude::*;

use super::options::PathOptions;
use super::path::path;
use super::problem::Problem;
use super::select::{Criterion, select};
use crate::{Error, Result};

/// Settings of [`stability`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `n_pairs` | 25 | pairs of halves | 1 to 10,000 |
/// | `seed` | 0 | which halves | |
/// | `path` | as [`PathOptions`] | how each half is solved | |
/// | `gamma` | 1 | of the criterion that chooses, see [`Criterion::Bic`] | 0 to 1 |
#[derive(Debug, Clone, PartialEq)]
pub struct StabilityOptions {
    /// Pairs of halves.
    pub n_pairs: usize,
    /// Which halves.
    pub seed: u64,
    /// How each half is solved.
    pub path: PathOptions,
    /// Of the criterion that chooses.
    pub gamma: f64,
}

impl Default for StabilityOptions {
    fn default() -> Self {
        StabilityOptions { n_pairs: 25, seed: 0, path: PathOptions::default(), gamma: 1.0 }
    }
}

const MOST_PAIRS: usize = 10_000;

/// The share of halves from which each column is chosen, in `[0, 1]`; the same for any number of threads.
///
/// The blocks are stretches of time, long against the memory of the series, of about the same number of rows; of an
/// odd number, each pair leaves one out.
///
/// # Errors
/// [`Error::BadOption`] for fewer than two blocks, or a setting out of its range; [`Error::Internal`] for blocks
/// with different columns.
pub fn stability(blocks: &[Problem<'_>], options: &StabilityOptions) -> Result<Vec<f64>> {
    if blocks.len() < 2 {
        return Err(Error::option(
            "blocks",
            blocks.len(),
            "there must be at least 2 to be split into halves",
        ));
    }
    if !(1..=MOST_PAIRS).contains(&options.n_pairs) {
        return Err(Error::option("n_pairs", options.n_pairs, format!("it must be from 1 to {MOST_PAIRS}")));
    }
    let n_halves = 2 * options.n_pairs;
    let supports: Vec<Vec<usize>> = (0..n_halves)
        .into_par_iter()
        .map(|i| {
            let order = shuffled(blocks.len(), options.seed, i as u64 / 2);
            let size = blocks.len() / 2;
            let half = if i % 2 == 0 { &order[..size] } else { &order[size..2 * size] };
            let half: Vec<&Problem<'_>> = half.iter().map(|block| &blocks[*block]).collect();
            let problem = Problem::sum(&half)?;
            let path = path(&problem, &options.path)?;
            Ok(select(&problem, &path, Criterion::Bic { gamma: options.gamma })?.support.clone())
        })
        .collect::<Result<_>>()?;
    let mut counts = vec![0usize; blocks[0].n_columns()];
    for column in supports.into_iter().flatten() {
        counts[column] += 1;
    }
    Ok(counts.into_iter().map(|count| count as f64 / n_halves as f64).collect())
}

/// Numbers below `n` in the order of random keys, which depend on the seed, the pair and the number only.
fn shuffled(n: usize, seed: u64, pair: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|i| (mixed(mixed(mixed(seed) ^ pair) ^ *i as u64), *i));
    order
}

/// A step of SplitMix64 (Steele, Lea and Flood 2014).
fn mixed(counter: u64) -> u64 {
    let counter = counter.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast_datasets::ArProcess;
    use ndarray::{Array1, Array2};

    const P: usize = 12;

    /// Ten blocks of 300 rows of a process with a strong lag 1 and a lag 3 too weak for a half.
    fn blocks() -> Vec<Problem<'static>> {
        let process = ArProcess { coefficients: vec![0.6, 0.0, 0.08], ..ArProcess::default() };
        let y = process.generate(3_000 + P, 5).unwrap();
        let block = |b: usize| {
            let x = Array2::from_shape_fn((300, P), |(t, j)| y[300 * b + t + P - 1 - j]);
            let target = Array1::from_shape_fn(300, |t| y[300 * b + t + P]);
            Problem::from_rows(x.view(), target.view()).unwrap()
        };
        (0..10).map(block).collect()
    }

    #[test]
    fn strong_lags_are_always_chosen_weak_ones_at_times_and_useless_ones_hardly_ever() {
        let found = stability(&blocks(), &StabilityOptions::default()).unwrap();
        assert_eq!(found.len(), P);
        assert!((found[0] - 1.0).abs() < 1e-15, "{found:?}");
        assert!(found[2] > 0.2 && found[2] < 1.0, "{found:?}");
        let others = (0..P).filter(|j| ![0, 1, 2].contains(j)).map(|j| found[j]);
        assert!(others.fold(0.0, f64::max) < found[2], "{found:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_frequencies_on_any_number_of_threads() {
        let (blocks, options) = (blocks(), StabilityOptions { n_pairs: 4, ..StabilityOptions::default() });
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| stability(&blocks, &options)).unwrap()
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn halves_are_drawn_anew_for_each_pair_and_seed() {
        let orders: Vec<Vec<usize>> = (0..20).map(|pair| shuffled(10, 7, pair)).collect();
        let mut distinct = orders.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), 20);
        assert!(orders[0] == shuffled(10, 7, 0) && orders[0] != shuffled(10, 8, 0));
        // Each block is in the first half of about half of the pairs.
        for block in 0..10 {
            let n = (0..1_000).filter(|pair| shuffled(10, 1, *pair)[..5].contains(&block)).count();
            assert!((430..570).contains(&n), "block {block}: {n}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let message = |blocks: &[Problem<'_>], n_pairs| {
            let options = StabilityOptions { n_pairs, ..StabilityOptions::default() };
            stability(blocks, &options).unwrap_err().to_string()
        };
        let blocks = blocks();
        assert!(message(&blocks[..1], 5).contains("blocks"));
        assert!(message(&blocks, 0).contains("n_pairs") && message(&blocks, usize::MAX).contains("n_pairs"));
        let options = StabilityOptions { gamma: 2.0, ..StabilityOptions::default() };
        assert!(stability(&blocks, &options).unwrap_err().to_string().contains("gamma"));
    }
}
