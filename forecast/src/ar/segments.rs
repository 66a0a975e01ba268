//! Complete stretches of series: what a lagged regression can use when incomplete rows are dropped.

/// The stretches without a missing value, in order.
pub(super) fn complete_runs(values: &[f64]) -> impl Iterator<Item = &[f64]> {
    values.split(|value| value.is_nan()).filter(|run| !run.is_empty())
}

/// Windows of `width` steps, one step apart, in stretches of these lengths.
pub(super) fn n_windows(lengths: &[usize], width: usize) -> usize {
    lengths.iter().map(|length| (length + 1).saturating_sub(width)).sum()
}

/// The longest order that has a complete row of `order` lags and `horizon` targets for each of its coefficients;
/// 0 if none has.
pub(super) fn longest_order(lengths: &[usize], horizon: usize) -> usize {
    // A longer order has ever fewer rows.
    let fits = |order: usize| n_windows(lengths, order.saturating_add(horizon)) > order;
    let (mut low, mut high) = (0, lengths.iter().copied().max().unwrap_or(0));
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_stretches_between_missing_values() {
        let values = [f64::NAN, 1.0, 2.0, f64::NAN, f64::NAN, 3.0];
        let runs: Vec<&[f64]> = complete_runs(&values).collect();
        assert_eq!(runs, [&[1.0, 2.0][..], &[3.0]]);
        assert_eq!(complete_runs(&[f64::NAN; 3]).count(), 0);
    }

    #[test]
    fn windows_and_the_longest_order_are_those_of_counting() {
        assert_eq!([n_windows(&[5, 2], 2), n_windows(&[5, 2], 3), n_windows(&[], 1)], [5, 3, 0]);
        for lengths in [vec![90], vec![10, 4, 30], vec![2], vec![]] {
            for horizon in [1, 3] {
                let fits = |order: &usize| n_windows(&lengths, order + horizon) > *order;
                let counted = (1..100).take_while(fits).last().unwrap_or(0);
                assert_eq!(longest_order(&lengths, horizon), counted, "{lengths:?} {horizon}");
            }
        }
    }
}
