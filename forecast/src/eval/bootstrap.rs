//! Stationary bootstrap of windows, and of series: how far a mean could lie from where it would be on other data.
//!
//! A resample of `n` windows is made of blocks of consecutive windows that begin anywhere, have geometric lengths with
//! mean `length`, and go on at the first window after the last one (Politis and Romano 1994): errors of windows that
//! follow each other stay together, and every window is as likely as any other. All series share the windows of a
//! resample, because what is hard to forecast for one is often hard for all (Gonçalves 2011, for panels); where there
//! are several series, they are drawn with replacement too.

/// Windows and series of a back-test, and how they are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Design {
    /// Cutoffs of each series.
    pub(super) n_windows: usize,
    /// Cutoffs of each series that do not overlap.
    pub(super) n_apart: usize,
    pub(super) n_series: usize,
    /// Mean length of a block.
    pub(super) length: usize,
}

/// How often each window and each series is in a resample.
#[derive(Debug, Clone)]
pub(super) struct Resample {
    pub(super) windows: Vec<f64>,
    pub(super) series: Vec<f64>,
}

/// Fewer windows than this, those that overlap counted once, tell nothing about noise.
const FEWEST_WINDOWS: usize = 8;
/// The normal quantile of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

impl Design {
    /// Blocks of `n_windows^(1/3)` windows, the order that Politis and Romano find best, or of as many as overlap.
    pub(super) fn new(n_windows: usize, step_size: usize, horizon: usize, n_series: usize) -> Self {
        let cube_root = (1..=n_windows).find(|root| root.pow(3) >= n_windows).unwrap_or(1);
        let overlap = horizon.div_ceil(step_size.max(1));
        let n_apart = 1 + (n_windows - 1).saturating_mul(step_size) / horizon.max(1);
        let length = cube_root.max(overlap).min(n_windows);
        Design { n_windows, n_apart: n_apart.min(n_windows), n_series, length }
    }

    /// Windows of all series that do not overlap.
    pub(super) fn n_total(&self) -> usize {
        self.n_apart.saturating_mul(self.n_series)
    }

    /// True if there are enough windows for an interval.
    pub(super) fn is_enough(&self) -> bool {
        self.n_total() >= FEWEST_WINDOWS
    }

    /// Resample number `number`, which depends on no other.
    pub(super) fn resample(&self, seed: u64, number: u64) -> Resample {
        let mut draws = Draws::new(seed, number);
        let mut windows = vec![0.0; self.n_windows];
        let mut at = 0;
        for i in 0..self.n_windows {
            let begins = i == 0 || draws.below(self.length) == 0;
            at = if begins { draws.below(self.n_windows) } else { (at + 1) % self.n_windows };
            windows[at] += 1.0;
        }
        let mut series = vec![0.0; self.n_series];
        if self.n_series == 1 {
            series[0] = 1.0;
        } else {
            for _ in 0..self.n_series {
                series[draws.below(self.n_series)] += 1.0;
            }
        }
        Resample { windows, series }
    }

    /// The 95 % interval around an estimate, from its values on many resamples: their 2.5 and 97.5 percentiles, moved
    /// away from the estimate as far as a t interval with the spread of a sample is wider than a normal one with the
    /// spread of a resample, which is smaller (after Hesterberg 2015, section 3.2). `None` if less than half of the resamples have a value.
    pub(super) fn interval(&self, estimate: f64, values: &[f64]) -> Option<(f64, f64)> {
        let sorted = crate::data::sorted(values.iter().copied().filter(|value| value.is_finite()).collect());
        if !self.is_enough() || !estimate.is_finite() || 2 * sorted.len() < values.len() {
            return None;
        }
        let away = |bound: f64| estimate + self.widening() * (bound - estimate);
        Some((away(quantile(&sorted, 0.025)), away(quantile(&sorted, 0.975))))
    }

    fn widening(&self) -> f64 {
        let (n, lost) = if self.n_apart >= self.n_series {
            // Deviations from a mean are each other's opposite by 1/n, and blocks hold 2 length - 1 of such pairs for
            // each window, itself counted.
            (self.n_apart, (2 * self.length - 1) as f64 / self.n_windows as f64)
        } else {
            (self.n_series, 1.0 / self.n_series as f64)
        };
        // What series add to the spread makes up for the rest where windows are that few.
        student((n - 1) as f64) / Z / (1.0 - lost.min(0.5)).sqrt()
    }
}

/// The 97.5 % quantile of Student's t distribution by its expansion (Fisher and Cornish 1960), within 1 % from 3
/// degrees of freedom on.
fn student(freedom: f64) -> f64 {
    let z = Z;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
    ];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) / freedom) + z
}

/// The quantile `q` of sorted values, between its two neighbours; NaN if there are none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * sorted.len().saturating_sub(1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(a), Some(b)) => a + (b - a) * (at - low as f64),
        _ => f64::NAN,
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014), begun anew for each resample.
struct Draws(u64);

impl Draws {
    fn new(seed: u64, number: u64) -> Self {
        let mut of_seed = Draws(seed);
        Draws(of_seed.next() ^ Draws(number).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below `n`, which is at least 1; the bias is below `n / 2^64`.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Draws {
        /// A normal deviate, as nearly as the sum of twelve uniform ones.
        fn normal(&mut self) -> f64 {
            (0..12).map(|_| (self.next() >> 11) as f64 / (1u64 << 53) as f64).sum::<f64>() - 6.0
        }
    }

    /// Differences of the windows of some series around 1: each window follows the one before it by `memory`, and
    /// has a share of its variance in common with the same window of the other series.
    fn differences(design: &Design, memory: f64, common: f64, draws: &mut Draws) -> Vec<Vec<f64>> {
        let mut path = || {
            let mut x = draws.normal();
            let mut next = || {
                x = memory * x + (1.0 - memory * memory).sqrt() * draws.normal();
                x
            };
            (0..design.n_windows).map(|_| next()).collect::<Vec<f64>>()
        };
        let shared = path();
        let around = |(own, all): (&f64, &f64)| 1.0 + (1.0 - common).sqrt() * own + common.sqrt() * all;
        (0..design.n_series).map(|_| path().iter().zip(&shared).map(around).collect()).collect()
    }

    fn mean(values: &[Vec<f64>], resample: &Resample) -> f64 {
        let of = |values: &Vec<f64>| {
            values.iter().zip(&resample.windows).map(|(v, n)| v * n).sum::<f64>() / values.len() as f64
        };
        let sum: f64 = values.iter().zip(&resample.series).map(|(values, n)| n * of(values)).sum();
        sum / values.len() as f64
    }

    fn interval(design: &Design, values: &[Vec<f64>], seed: u64) -> (f64, f64) {
        let all = Resample { windows: vec![1.0; design.n_windows], series: vec![1.0; design.n_series] };
        let resampled: Vec<f64> = (0..400).map(|i| mean(values, &design.resample(seed, i))).collect();
        design.interval(mean(values, &all), &resampled).unwrap()
    }

    /// The share of 400 trials whose interval holds the true difference has a standard error of 1 to 2 points. Windows
    /// that follow each other cost a few points, as blocks are never long enough; a common part can only be seen over
    /// several cutoffs, so a single one gets none here.
    #[test]
    fn intervals_hold_the_true_difference_about_as_often_as_they_say() {
        for (n_windows, n_series, memory, common, fewest) in [
            (8, 1, 0.0, 0.0, 0.88),
            (24, 1, 0.0, 0.0, 0.88),
            (100, 1, 0.4, 0.0, 0.85),
            (12, 5, 0.0, 0.5, 0.88),
            (24, 20, 0.3, 0.5, 0.85),
            (1, 30, 0.0, 0.0, 0.88),
        ] {
            let design = Design::new(n_windows, 1, 1, n_series);
            let mut draws = Draws::new(7, n_windows as u64);
            let held = (0..400).filter(|trial| {
                let values = differences(&design, memory, common, &mut draws);
                let (lower, upper) = interval(&design, &values, *trial);
                (lower..=upper).contains(&1.0)
            });
            let share = held.count() as f64 / 400.0;
            println!("{n_windows} windows, {n_series} series, memory {memory}, common {common}: {share}");
            assert!((fewest..=0.995).contains(&share), "{n_windows} x {n_series}: {share}");
        }
    }

    #[test]
    fn intervals_shrink_with_the_root_of_the_number_of_windows() {
        let width = |n_windows: usize| {
            let design = Design::new(n_windows, 1, 1, 1);
            let values = differences(&design, 0.0, 0.0, &mut Draws::new(3, 0));
            let (lower, upper) = interval(&design, &values, 1);
            upper - lower
        };
        let ratio = width(25) / width(2_500);
        assert!((7.0..16.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_resample_is_made_of_blocks_and_depends_on_its_number_only() {
        let design = Design { n_windows: 1_000, n_apart: 1_000, n_series: 3, length: 50 };
        let resample = design.resample(1, 5);
        assert_eq!(resample.windows.iter().sum::<f64>() as usize, 1_000);
        assert_eq!(resample.series.iter().sum::<f64>() as usize, 3);
        assert_eq!(resample.windows, design.resample(1, 5).windows);
        assert!(resample.windows != design.resample(1, 6).windows);
        assert!(resample.windows != design.resample(2, 5).windows);
        // Neighbours are drawn together: single draws would give about 500 changes.
        let changes = resample.windows.windows(2).filter(|pair| pair[0].total_cmp(&pair[1]).is_ne()).count();
        assert!((10..80).contains(&changes), "{changes}");
    }

    #[test]
    fn windows_that_overlap_lengthen_blocks_and_count_once() {
        let design = Design::new(24, 1, 24, 1);
        assert_eq!((design.length, design.n_apart), (24, 1));
        assert!(!design.is_enough() && design.interval(0.0, &[0.0; 100]).is_none());
        let design = Design::new(24, 6, 12, 2);
        assert_eq!((design.length, design.n_apart, design.n_total()), (3, 12, 24));
        // Steps longer than the horizon leave room between windows, but make no more of them.
        assert_eq!(Design::new(10, 100, 1, 1).n_apart, 10);
        assert_eq!(Design::new(1, 1, 1, 1).n_apart, 1);
    }

    #[test]
    fn the_quantile_of_t_is_near_that_of_tables() {
        for (freedom, table) in [(3.0, 3.182), (7.0, 2.365), (23.0, 2.069), (1e9, 1.960)] {
            assert!((student(freedom) / table - 1.0).abs() < 0.011, "{freedom}: {}", student(freedom));
        }
    }
}
