//! How figures are taken: candidates in turn, after one unmeasured round, told by their median.

use std::fs;

use crate::error::Result;

/// One side of a comparison: a call does the work once and returns what it measured.
pub(crate) type Candidate<'a, T> = Box<dyn FnMut() -> Result<T> + 'a>;

/// The least, the middle and the greatest of some figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) min: f64,
    /// The middle one, or the mean of the two in the middle; the mean of all where [`Spread::around_mean`] made it.
    pub(crate) median: f64,
    /// The greatest.
    pub(crate) max: f64,
}

impl Spread {
    /// The spread of `values`; all NaN if there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |position: usize| values.get(position).copied().unwrap_or(f64::NAN);
        let last = values.len().saturating_sub(1);
        Spread { min: at(0), median: f64::midpoint(at(last / 2), at(last.div_ceil(2))), max: at(last) }
    }

    /// The same with the mean in place of the middle, for figures of a few seeds.
    pub(crate) fn around_mean(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        Spread { median: values.iter().sum::<f64>() / values.len() as f64, ..Spread::of(values) }
    }
}

/// Runs all candidates in turn, one unmeasured round and then `n_runs` rounds.
///
/// Taking turns spreads whatever else the machine does over all of them.
///
/// # Shapes
/// `(candidate, run)`.
///
/// # Errors
/// The first error of a candidate.
pub(crate) fn in_turn<T>(n_runs: usize, candidates: &mut [Candidate<'_, T>]) -> Result<Vec<Vec<T>>> {
    let mut measured: Vec<Vec<T>> = candidates.iter().map(|_| Vec::with_capacity(n_runs)).collect();
    for round in 0..=n_runs {
        for (candidate, measured) in candidates.iter_mut().zip(&mut measured) {
            let figure = candidate()?;
            if round > 0 {
                measured.push(figure);
            }
        }
    }
    Ok(measured)
}

/// The resident memory of this process in bytes; `None` where the system does not tell.
///
/// `smaps_rollup` counts pages; `statm` and `status` only tell a per-processor estimate.
pub(crate) fn resident_bytes() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let kib: f64 =
        text.lines().find_map(|line| line.strip_prefix("Rss:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

/// Begins a new peak of this process's memory; false where the system cannot.
pub(crate) fn reset_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// The peak of this process's resident memory in bytes; `None` where the system does not tell.
pub(crate) fn peak_bytes() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let kib: f64 =
        text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_two() {
        assert_eq!(Spread::of([3.0, 1.0, 10.0]), Spread { min: 1.0, median: 3.0, max: 10.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 100.0]), Spread { min: 1.0, median: 3.0, max: 100.0 });
        assert_eq!(Spread::of([7.0]), Spread { min: 7.0, median: 7.0, max: 7.0 });
        assert!(Spread::of([]).median.is_nan());
        assert_eq!(Spread::around_mean([3.0, 1.0, 11.0]), Spread { min: 1.0, median: 5.0, max: 11.0 });
    }

    #[test]
    fn candidates_take_turns_and_the_first_round_does_not_count() {
        let calls = RefCell::new(String::new());
        let candidate = |name: char| -> Candidate<'_, usize> {
            let calls = &calls;
            Box::new(move || {
                calls.borrow_mut().push(name);
                Ok(calls.borrow().len())
            })
        };
        let measured = in_turn(2, &mut [candidate('a'), candidate('b')]).unwrap();
        assert_eq!(calls.borrow().as_str(), "ababab");
        assert_eq!(measured, [[3, 5], [4, 6]]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn resident_memory_sees_pages_that_are_touched() {
        let before = resident_bytes().unwrap();
        let block = std::hint::black_box(vec![1u8; 64 << 20]);
        let growth = resident_bytes().unwrap() - before;
        drop(block);
        // Other tests of this process allocate and free meanwhile.
        assert!((40e6..400e6).contains(&growth), "{growth}");
    }
}
