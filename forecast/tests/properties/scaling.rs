//! Scalers: what is scaled comes back, and only the range that was asked for is looked at.

use forecast::data::{Scaler, Scaling};

use crate::random::Draws;
use crate::{grid, panel};

const KINDS: [Scaling; 4] = [Scaling::Standard, Scaling::Robust, Scaling::MinMax, Scaling::None];

#[test]
fn unscale_inverts_scale() {
    for seed in 0..200 {
        let mut draws = Draws::new(seed);
        // Levels and spreads over 24 orders of magnitude, each of its own.
        let magnitude = |draws: &mut Draws| 10f64.powi(draws.between(0, 24) as i32 - 12);
        let (level, spread) = (magnitude(&mut draws) * (draws.unit() - 0.5), magnitude(&mut draws));
        let n = draws.between(1, 100);
        let values: Vec<f64> = (0..n)
            .map(|_| if draws.chance(10) { f64::NAN } else { level + spread * (draws.unit() - 0.5) })
            .collect();
        for kind in KINDS {
            let scaler = Scaler::of_values(kind, &values);
            assert!(scaler.spread.is_normal() && scaler.spread > 0.0, "seed {seed}, {kind:?}: {scaler:?}");
            for v in values.iter().filter(|v| !v.is_nan()) {
                let back = scaler.unscale(scaler.scale(*v));
                // Four operations round by at most half an ulp of numbers no larger than these.
                let bound = 4.0 * f64::EPSILON * (v.abs() + scaler.center.abs());
                assert!((back - v).abs() <= bound, "seed {seed}, {kind:?}: {back} is not {v}");
            }
        }
    }
}

#[test]
fn missing_values_stay_missing() {
    for kind in KINDS {
        let scaler = Scaler::of_values(kind, &[1.0, f64::NAN, 3.0]);
        assert!(scaler.scale(f64::NAN).is_nan() && scaler.unscale(f64::NAN).is_nan(), "{kind:?}");
    }
}

#[test]
fn a_scaler_looks_at_its_range_and_nothing_else() {
    for seed in 0..50 {
        let mut draws = Draws::new(5_000 + seed);
        let index = grid("1h".parse().unwrap(), "", "2024-01-01T00:00:00", 60);
        let values: Vec<f64> = (0..60).map(|_| draws.unit()).collect();
        let (start, end) = (draws.between(0, 25), draws.between(30, 60));
        let mut wild = values.clone();
        wild[..start].fill(1e9);
        wild[end..].fill(-1e9);
        let fitted = |values: &[f64], kind| {
            let panel = panel(&[("s".to_string(), index.clone(), values.to_vec())]);
            Scaler::fit(kind, &panel.series()[0], start..end)
        };
        for kind in KINDS {
            assert_eq!(fitted(&values, kind), fitted(&wild, kind), "seed {seed}, {kind:?}");
        }
    }
}
