//! What `ar` chooses where nothing is said: how far it looks back, and whether steps have coefficients of their own.

use super::config::Strategy;
use super::segments::n_windows;
use crate::data::usual_seasons;
use crate::model::Shape;

/// The default order lies between these.
const SHORTEST_DEFAULT_ORDER: usize = 24;
const LONGEST_DEFAULT_ORDER: usize = 336;
/// The default look-backs of direct forecasts, at most.
const DEFAULT_LOOKBACKS: [usize; 2] = [336, 720];
/// And leaves at least this many steps for each lag.
const STEPS_PER_LAG: usize = 10;
/// By default direct forecasts look back at least so far, in steps, have at least so many complete rows for each lag,
/// and at most so many coefficients.
const SHORTEST_DIRECT: usize = 4;
const ROWS_PER_LAG: usize = 4;
const MOST_DIRECT_NUMBERS: usize = 32_000_000;
/// Steps that have coefficients of their own, at most; steps beyond follow block by block.
pub(super) const MOST_DIRECT_STEPS: usize = 1_440;

/// Direct where there is room for look-back and horizon, and coefficients of all series fit into memory.
pub(super) fn strategy(shape: &Shape, n_slots: usize) -> Strategy {
    let n_numbers = shape.horizon.saturating_mul(DEFAULT_LOOKBACKS[1]).saturating_mul(n_slots);
    let is_direct = n_numbers <= MOST_DIRECT_NUMBERS && lookbacks(shape).is_some();
    if is_direct { Strategy::Direct } else { Strategy::Recursive }
}

/// Look-backs of two weeks and a month of hours, less for short series and those with gaps: each has several complete
/// rows for each lag.
pub(super) fn lookbacks(shape: &Shape) -> Option<Vec<usize>> {
    let horizon = shape.horizon.clamp(1, MOST_DIRECT_STEPS);
    let has_rows = |lookback: &usize| {
        let enough = |lengths: &Vec<usize>| n_windows(lengths, lookback + horizon) >= ROWS_PER_LAG * lookback;
        shape.stretches.iter().all(enough)
    };
    let longest = DEFAULT_LOOKBACKS[1].min(shape.n_steps / STEPS_PER_LAG);
    let shorter = |lookback: &usize| Some(lookback - lookback.div_ceil(4));
    let mut candidates = std::iter::successors(Some(longest), shorter).take_while(|l| *l >= SHORTEST_DIRECT);
    let long = candidates.find(has_rows)?;
    let short = DEFAULT_LOOKBACKS[0].min(long.div_ceil(2));
    Some(if short == long { vec![long] } else { vec![short, long] })
}

/// The longest of one or two seasons that is not too long for a lag matrix and leaves enough rows.
pub(super) fn order(shape: &Shape) -> usize {
    let longest = LONGEST_DEFAULT_ORDER.min(shape.n_steps / STEPS_PER_LAG);
    let seasons = usual_seasons(&shape.frequency).into_iter().chain([shape.season_length]);
    let lags = seasons.flat_map(|season| [season, 2 * season]).filter(|lags| *lags <= longest);
    lags.max().unwrap_or(0).max(SHORTEST_DEFAULT_ORDER.min(longest)).max(1)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::ar) fn shape(step: &str, season_length: usize, n_steps: usize) -> Shape {
        let frequency = step.parse::<crate::Step>().unwrap().into();
        let stretches = vec![vec![n_steps]];
        Shape {
            season_length,
            frequency,
            n_steps,
            horizon: 24,
            n_series: 1,
            stretches,
            has_gaps: false,
            seed: 1,
        }
    }

    #[test]
    fn the_default_order_is_a_season_or_two_of_what_the_data_can_bear() {
        let chosen =
            |step: &str, season_length: usize, n_steps: usize| order(&shape(step, season_length, n_steps));
        assert_eq!(chosen("1h", 24, 26_304), 336);
        assert_eq!(chosen("1h", 24, 2_000), 168);
        assert_eq!(chosen("15min", 96, 10_000), 192);
        assert_eq!(chosen("5min", 288, 50_000), 288);
        assert_eq!(chosen("1D", 7, 3_000), 24);
        assert_eq!(chosen("1", 1, 100), 10);
        assert_eq!(chosen("1", 1, 5), 1);
    }

    #[test]
    fn short_series_gaps_and_many_series_get_what_they_can_bear() {
        let chosen = |shape: &Shape| lookbacks(shape).unwrap();
        assert_eq!(chosen(&shape("1h", 24, 1_000)), [50, 100]);
        assert_eq!(chosen(&shape("1h", 24, 50)), [3, 5]);
        // A hundred stretches of 100 steps have 6 windows each of 71 + 24, none of 95 + 24.
        let gaps = Shape { stretches: vec![vec![100; 100]], ..shape("1h", 24, 10_000) };
        let long = chosen(&gaps)[1];
        assert_eq!(long, 71);
        // Where no window has room for a day, the recursion takes one step at a time.
        let short = Shape { stretches: vec![vec![20; 100]], ..shape("1h", 24, 2_000) };
        assert_eq!((lookbacks(&short), strategy(&short, 1)), (None, Strategy::Recursive));
        let hours = shape("1h", 24, 17_000);
        assert_eq!(strategy(&hours, 1_000), Strategy::Direct);
        assert_eq!(strategy(&hours, 10_000), Strategy::Recursive);
    }
}
