//! Seasons: which are usual for a step, and which one stands out in the data.

use crate::data::panel::Panel;
use crate::data::time::frequency::Frequency;
use crate::data::time::step::Step;

/// A season has to explain at least this much autocorrelation to stand out.
const WEAKEST: f64 = 0.2;
/// A longer season repeats the shorter ones inside it, so it has to be stronger by this much.
const MARGIN: f64 = 0.03;
/// Seasons of data that are needed to see one.
const FEWEST: usize = 3;
/// Series that the season of a panel is told from.
const SERIES_LOOKED_AT: usize = 64;

/// The seasons that people have: minute, hour, day, week, year, in steps, the shortest first. With an opening,
/// those of its week, and of its day if all open days have as many steps.
///
/// # Example
/// ```
/// use forecast::data::usual_seasons;
/// assert_eq!(usual_seasons(&"1h".parse()?), [24, 168]);
/// assert_eq!(usual_seasons(&"MS".parse()?), [12]);
/// assert_eq!(usual_seasons(&"1h, Mon-Fri 09:00-17:00".parse()?), [8, 40]);
/// # Ok::<(), forecast::Error>(())
/// ```
#[must_use]
pub fn usual_seasons(frequency: &Frequency) -> Vec<usize> {
    const MINUTE: i64 = 60_000_000_000;
    const DAY: i64 = 1440 * MINUTE;
    if let Some((week, day)) = frequency.slots_of_week_and_day() {
        let mut seasons: Vec<usize> = day.into_iter().chain([week]).filter(|season| *season > 1).collect();
        seasons.dedup();
        return seasons;
    }
    match frequency.step {
        Step::Nanos(DAY) | Step::Days(1) => vec![7, 365],
        Step::Nanos(nanos) => [MINUTE, 60 * MINUTE, DAY, 7 * DAY, 364 * DAY]
            .into_iter()
            .filter(|season| season % nanos == 0 && *season >= 4 * nanos)
            // A year matters for weeks; for anything shorter the week comes first.
            .filter(|season| *season < 300 * DAY || nanos >= DAY)
            .filter_map(|season| usize::try_from(season / nanos).ok())
            .collect(),
        Step::Months(months @ (1 | 3)) => vec![12 / months.unsigned_abs() as usize],
        Step::Days(_) | Step::Months(_) | Step::Index(_) => Vec::new(),
    }
}

/// The season of a panel in steps: the usual one that correlates most, 1 if none stands out.
///
/// At least three seasons of data are needed to see one.
#[must_use]
pub fn season_length(panel: &Panel) -> usize {
    let looked_at = &panel.series()[..panel.series().len().min(SERIES_LOOKED_AT)];
    let mut best = (WEAKEST, 1);
    for season in usual_seasons(&panel.frequency()) {
        let mut strengths = Vec::new();
        for series in looked_at.iter().filter(|series| series.n_steps() >= FEWEST * season) {
            let columns = series.values();
            strengths.extend(columns.columns().into_iter().map(|c| season_strength(&c.to_vec(), season)));
        }
        let strength = strengths.iter().sum::<f64>() / strengths.len().max(1) as f64;
        let margin = if best.1 > 1 { MARGIN } else { 0.0 };
        if strength > best.0 + margin {
            best = (strength, season);
        }
    }
    best.1
}

/// How much a series (NaN where missing) repeats after `season` steps, from -1 to 1: the autocorrelation at
/// that lag once the moving average over a season is taken off. Slow movements and random walks score near
/// or below zero, a clean season near one.
pub(crate) fn season_strength(values: &[f64], season: usize) -> f64 {
    autocorrelation(&without_level(values, season), season)
}

/// Values less their centred moving average over `width` steps.
fn without_level(values: &[f64], width: usize) -> Vec<f64> {
    let mut sums = Vec::with_capacity(values.len() + 1);
    sums.push((0.0, 0.0));
    let mut total = (0.0, 0.0);
    for value in values.iter() {
        if !value.is_nan() {
            total = (total.0 + value, total.1 + 1.0);
        }
        sums.push(total);
    }
    let level = |i: usize| {
        let (from, to) = (i.saturating_sub(width / 2), (i + width.div_ceil(2)).min(values.len()));
        (sums[to].0 - sums[from].0) / (sums[to].1 - sums[from].1)
    };
    values.iter().enumerate().map(|(i, value)| value - level(i)).collect()
}

/// The sample autocorrelation of `values` at `lag`, over the pairs that were both observed; 0 if there is no
/// such pair or no variance.
fn autocorrelation(values: &[f64], lag: usize) -> f64 {
    let observed = values.iter().filter(|v| !v.is_nan());
    let (sum, n) = observed.clone().fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    let mean = sum / n;
    let variance = observed.map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let pairs = values.iter().zip(values.iter().skip(lag)).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (products, n_pairs) =
        pairs.fold((0.0, 0.0), |(sum, n), (a, b)| (sum + (a - mean) * (b - mean), n + 1.0));
    let correlation = products / n_pairs / variance;
    if correlation.is_finite() { correlation } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_season_correlates_with_itself_also_through_gaps() {
        let mut values: Vec<f64> = (0..400).map(|i| f64::from(i % 7)).collect();
        values[13] = f64::NAN;
        values[200..220].fill(f64::NAN);
        assert!((autocorrelation(&values, 7) - 1.0).abs() < 0.01);
        assert!(autocorrelation(&values, 3) < 0.0);
        assert!(season_strength(&values, 7) > 0.9);
    }

    #[test]
    fn trends_and_random_walks_have_no_season() {
        let trend: Vec<f64> = (0..2_000).map(f64::from).collect();
        assert!(season_strength(&trend, 24) < WEAKEST);
        let noise = forecast_datasets::ArProcess { noise_std: 1.0, ..Default::default() };
        let mut level = 0.0;
        let walk: Vec<f64> = noise
            .generate(20_000, 3)
            .unwrap()
            .iter()
            .map(|e| {
                level += e;
                level
            })
            .collect();
        for season in [24, 168] {
            assert!(season_strength(&walk, season) < WEAKEST / 2.0);
        }
    }

    #[test]
    fn opening_times_have_the_seasons_of_their_week() {
        for (frequency, seasons) in [
            ("B", &[5][..]),
            ("1h, Mon-Fri 09:00-17:00", &[8, 40]),
            ("30min, Mon-Fri 09:00-12:00, 13:00-17:00", &[14, 70]),
            ("1h, Mon-Fri 09:00-17:00; Sat 10:00-14:00", &[44]),
            ("1h, Sat 10:00-14:00", &[4]),
            ("1D, Mon", &[]),
        ] {
            assert_eq!(usual_seasons(&frequency.parse().unwrap()), seasons, "{frequency}");
        }
    }

    #[test]
    fn constant_and_empty_series_have_none() {
        assert!(season_strength(&[2.0; 9], 1).abs() < 1e-12);
        assert!(season_strength(&[f64::NAN; 9], 2).abs() < 1e-12);
    }
}
