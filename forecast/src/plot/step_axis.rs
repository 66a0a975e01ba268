//! Ticks along steps ahead or lags: at multiples that mean something, told in words.

use super::frame::{Axis, Tick};
use super::time_ticks::ROUND_SECONDS;
use super::value_axis::grouped;
use crate::Step;
use crate::data::Frequency;

/// An axis of the steps 1 to `n` with labels such as `24 (1 day)`.
pub(super) fn step_axis(frequency: &Frequency, n: usize) -> Axis {
    let n = n.max(1);
    let spacing = spacing(frequency, n);
    let ticks = (1..=n / spacing)
        .map(|i| i * spacing)
        .map(|at| Tick { at: at as f64, label: label(frequency, at), context: None })
        .collect();
    Axis { lo: 0.5, hi: n as f64 + 0.5, ticks }
}

/// A step count and its span: `24 (1 day)`; the count alone for an integer index.
fn label(frequency: &Frequency, steps: usize) -> String {
    let count = grouped(steps as f64, 0);
    match frequency.step {
        Step::Index(_) => count,
        _ => format!("{count} ({})", frequency.span(steps)),
    }
}

/// What one step is, for the title of the axis: `steps of 1 hour`.
pub(super) fn steps_of(frequency: &Frequency) -> String {
    match frequency.step {
        Step::Index(_) => "steps".to_string(),
        _ => format!("steps of {}", frequency.span(1)),
    }
}

/// Steps between ticks: a round span of time if one gives a good number of ticks, else a round number.
fn spacing(frequency: &Frequency, n: usize) -> usize {
    let open = frequency.slots_of_week_and_day();
    let round: Vec<usize> = match frequency.step {
        // What is closed is not counted, so that open days and weeks are the round spans.
        _ if open.is_some() => open
            .into_iter()
            .flat_map(|(week, day)| {
                [day, day.map(|day| 2 * day)].into_iter().flatten().chain([week, 2 * week, 4 * week])
            })
            .collect(),
        Step::Nanos(nanos) if nanos > 0 => ROUND_SECONDS
            .map(|seconds| seconds * 1_000_000_000)
            .into_iter()
            .filter(|span| span % nanos == 0)
            .filter_map(|span| usize::try_from(span / nanos).ok())
            .collect(),
        Step::Days(days) if days > 0 => {
            [1, 2, 7, 14, 28].into_iter().filter(|d| d % days == 0).map(|d| (d / days) as usize).collect()
        }
        Step::Months(months) if months > 0 => [1, 2, 3, 6, 12, 24, 60, 120]
            .into_iter()
            .filter(|m| m % months == 0)
            .map(|m| (m / months) as usize)
            .collect(),
        _ => Vec::new(),
    };
    let cost = |spacing: usize, odd: f64| {
        let count = n / spacing;
        let bounds = if (4..=10).contains(&count) { 0.0 } else { 4.0 };
        (count.max(1) as f64 / 7.0).ln().abs() + odd + bounds
    };
    let numbers = (0..10).flat_map(|k| [1, 2, 5].map(|m| m * 10usize.pow(k)));
    // A round number of steps is the second choice: 50 steps of 15 minutes mean little.
    let odd = if round.is_empty() { 0.0 } else { 0.7 };
    round
        .iter()
        .map(|spacing| (*spacing, cost(*spacing, 0.0)))
        .chain(numbers.map(|spacing| (spacing, cost(spacing, odd))))
        .filter(|(spacing, _)| *spacing <= n)
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(1, |(spacing, _)| spacing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(frequency: &str, n: usize) -> Vec<String> {
        step_axis(&frequency.parse().unwrap(), n).ticks.into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn a_week_of_hours_is_divided_by_days() {
        assert_eq!(labels("1h", 168)[..2], ["24 (1 day)", "48 (2 days)"]);
        assert_eq!(labels("1h", 168).len(), 7);
        assert_eq!(labels("15min", 96)[0], "12 (3 hours)");
        assert_eq!(labels("1mo", 36)[0], "6 (6 months)");
        assert_eq!(labels("1", 336)[0], "50");
        assert_eq!(labels("1h, Mon-Fri 09:00-17:00", 120)[..2], ["16 (2 open days)", "32 (4 open days)"]);
        assert_eq!(labels("B", 30)[0], "5 (1 week)");
    }

    #[test]
    fn every_length_has_few_ticks_inside() {
        for step in ["20ms", "1s", "7s", "10min", "1h", "1D", "1mo", "1q", "1", "B"] {
            for n in [1, 2, 3, 5, 12, 24, 37, 168, 672, 1440, 5000] {
                let axis = step_axis(&step.parse().unwrap(), n);
                let count = axis.ticks.len();
                assert!(count <= 10 && count >= n.min(4), "{step} x {n}: {count}");
                assert!(axis.ticks.iter().all(|t| t.at >= 1.0 && t.at <= n as f64));
            }
        }
    }
}
