//! One Newton step for all weights that are not zero: where columns are nearly combinations of each other, sweeps over
//! single weights creep, and this does not.

use super::refit::dot;
use super::scalar::Thresholds;

/// The step to the minimum of the second-order model of `1/2 w'Aw - b'w + sum P(w_j)` over the weights that are not
/// zero, for each weight; `None` if there is none, a weight would change its sign, or the objective would not fall.
///
/// `block` is `A`, `residual` is `b - Aw`.
pub(super) fn newton_step(
    block: &[Vec<f64>],
    residual: &[f64],
    weights: &[f64],
    scalar: &Thresholds,
) -> Option<Vec<f64>> {
    let support: Vec<usize> = (0..weights.len()).filter(|i| weights[*i] != 0.0).collect();
    let mut rows: Vec<Vec<f64>> = Vec::with_capacity(support.len());
    let mut step: Vec<f64> = Vec::with_capacity(support.len());
    // Cholesky, and the forward substitution with it.
    for (i, column) in support.iter().enumerate() {
        let (slope, curvature) = scalar.slopes(weights[*column].abs());
        let mut row: Vec<f64> = Vec::with_capacity(i + 1);
        for (other, of_other) in support.iter().zip(&rows) {
            let known = dot(&row, &of_other[..row.len()]);
            row.push((block[*column][*other] - known) / of_other[row.len()]);
        }
        let pivot = block[*column][*column] + curvature - dot(&row, &row);
        if pivot.is_nan() || pivot <= 1e-12 * block[*column][*column] {
            return None;
        }
        let falls = residual[*column] - slope.copysign(weights[*column]);
        step.push((falls - dot(&row, &step)) / pivot.sqrt());
        row.push(pivot.sqrt());
        rows.push(row);
    }
    for i in (0..step.len()).rev() {
        step[i] /= rows[i][i];
        let known = step[i];
        for (earlier, l) in step[..i].iter_mut().zip(&rows[i]) {
            *earlier -= known * l;
        }
    }
    let mut share = 1.0f64;
    for (column, step) in support.iter().zip(&step) {
        if weights[*column] * (weights[*column] + step) <= 0.0 {
            share = share.min(-weights[*column] / step);
        }
    }
    let (mut steps, mut change) = (vec![0.0; weights.len()], 0.0);
    for (column, step) in support.iter().zip(&step) {
        let (old, mut new) = (weights[*column], weights[*column] + share * step);
        if share < 1.0 && new.abs() <= 1e-14 * old.abs() {
            new = 0.0;
        }
        steps[*column] = new - old;
        change += scalar.value(new.abs()) - scalar.value(old.abs());
    }
    for column in &support {
        let moved: f64 = support.iter().map(|other| block[*column][*other] * steps[*other]).sum();
        change += steps[*column] * (moved / 2.0 - residual[*column]);
    }
    (change < 0.0).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::sparse::{Regulariser, scalar::Scalar};

    /// Two columns that are nearly the same, and a third.
    fn block() -> Vec<Vec<f64>> {
        vec![vec![1.0, 0.999, 0.15], vec![0.999, 1.0, 0.14], vec![0.15, 0.14, 2.0]]
    }

    fn residual(b: [f64; 3], w: &[f64]) -> Vec<f64> {
        let moved = |row: &Vec<f64>| -> f64 { row.iter().zip(w).map(|(a, w)| a * w).sum() };
        block().iter().zip(b).map(|(row, b)| b - moved(row)).collect()
    }

    #[test]
    fn one_step_solves_the_elastic_net_on_its_support() {
        let scalar = Scalar::Elastic { l1: 0.1, l2: 0.05 }.between(1.0, 2.0);
        let (b, start) = ([1.5, 1.45, 0.0], [0.9, 0.2, 0.0]);
        let step = newton_step(&block(), &residual(b, &start), &start, &scalar).unwrap();
        let solved: Vec<f64> = start.iter().zip(&step).map(|(w, s)| w + s).collect();
        let after = residual(b, &solved);
        assert!(step[2] == 0.0 && solved[0] > 0.0 && solved[1] > 0.0);
        for i in 0..2 {
            assert!((after[i] - 0.1 - 0.05 * solved[i]).abs() < 1e-12, "{solved:?} {after:?}");
        }
    }

    #[test]
    fn steps_lead_to_a_stationary_point_of_the_regularised_problem() {
        let scalar = Scalar::Saturating { regulariser: Regulariser::default(), k: 1e-3 }.between(1.0, 2.0);
        let (b, mut w) = ([1.5142, 1.5133, 0.417], vec![0.9, 0.5, 0.3]); // A (0.7, 0.8, 0.1)
        let mut n_steps = 0;
        while let Some(step) = newton_step(&block(), &residual(b, &w), &w, &scalar) {
            w.iter_mut().zip(&step).for_each(|(w, s)| *w += s);
            n_steps += 1;
            assert!(n_steps < 20);
        }
        assert!(n_steps > 1);
        for (residual, w) in residual(b, &w).iter().zip(&w) {
            // As near as the objective tells, whose changes are squares of these.
            assert!((residual - scalar.slopes(w.abs()).0.copysign(*w)).abs() < 1e-7);
        }
    }

    #[test]
    fn steps_end_at_zero_and_there_is_none_without_a_minimum() {
        let elastic = Scalar::Elastic { l1: 0.1, l2: 0.0 }.between(1.0, 2.0);
        let step = newton_step(&block(), &[-5.0, 0.0, 0.0], &[0.1, 0.0, 0.0], &elastic);
        assert_eq!(step, Some(vec![-0.1, 0.0, 0.0]));
        let steep = Scalar::Saturating { regulariser: Regulariser::default(), k: 1.0 }.between(1.0, 2.0);
        assert_eq!(newton_step(&block(), &[0.1, 0.0, 0.0], &[0.01, 0.0, 0.0], &steep), None);
        assert_eq!(newton_step(&block(), &[0.5; 3], &[0.0; 3], &elastic), None);
    }
}
