//! Coordinate descent on the columns that matter, from second-order statistics.
//!
//! Minimises `1/2 w'Aw - b'w + sum_j P(w_j)`, `A` and `b` being the centred Gram matrix and cross products divided by
//! the rows (Friedman, Hastie, Tibshirani 2010, *Regularization paths*, section 2.2, with any scalar penalty in
//! place of the l1 norm). Each step solves one weight exactly, so the objective never rises. Sweeps run over the
//! columns that have ever been non-zero, on their own small matrix; then the residual covariance of all columns is
//! brought up to date and those whose weight would leave zero enter, the strongest first. Sweeps that take long are
//! helped by Newton steps (`newton.rs`).

use super::newton::newton_step;
use super::problem::Problem;
use super::scalar::{Scalar, Thresholds};

/// Each time that so many sweeps did not suffice, all weights move at once.
const SWEEPS_PER_NEWTON: usize = 8;

/// When the descent stops.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// The largest step of a sweep, in standard deviations of the target that the fitted values move.
    pub(super) tolerance: f64,
    pub(super) max_sweeps: usize,
}

/// Weights that move from one strength of the penalty to the next.
#[derive(Debug)]
pub(super) struct Descent<'p> {
    problem: &'p Problem<'p>,
    /// `b - Aw`, of all columns, as of `synced`.
    residual: Vec<f64>,
    /// Columns that have ever been non-zero, in order of entry. The rest of the lists follow this order.
    active: Vec<usize>,
    is_active: Vec<bool>,
    weights: Vec<f64>,
    synced: Vec<f64>,
    /// `b - Aw` of the active columns, always current.
    inner: Vec<f64>,
    /// `A` on the active columns.
    block: Vec<Vec<f64>>,
}

impl<'p> Descent<'p> {
    /// Starts with all weights zero.
    pub(super) fn new(problem: &'p Problem<'p>) -> Self {
        Descent {
            problem,
            residual: problem.covariances.clone(),
            active: Vec::new(),
            is_active: vec![false; problem.n_columns()],
            weights: Vec::new(),
            synced: Vec::new(),
            inner: Vec::new(),
            block: Vec::new(),
        }
    }

    /// Minimises from where the weights are, and returns whether no weight would move by more than the tolerance
    /// (false once the sweeps are used up).
    pub(super) fn minimise(&mut self, scalar: &Scalar, stop: &Stop) -> bool {
        let tolerance = stop.tolerance * self.problem.energy_per_row.sqrt();
        let (least, largest) = self.problem.variance_range();
        let scalar = scalar.between(least, largest);
        let mut n_sweeps = 0;
        // The residual is that of the last solution: most columns that enter at all are seen at once.
        self.admit(&scalar);
        loop {
            let mut is_converged = false;
            while !is_converged && n_sweeps < stop.max_sweeps {
                n_sweeps += 1;
                is_converged = self.sweep(&scalar) <= tolerance;
                if !is_converged && n_sweeps % SWEEPS_PER_NEWTON == 0 {
                    self.newton(&scalar);
                }
            }
            self.sync();
            if !(is_converged && self.admit(&scalar)) {
                return is_converged;
            }
        }
    }

    /// The weights that are not zero, with their columns, in order of entry.
    pub(super) fn weights(&self) -> impl Iterator<Item = (usize, f64)> {
        self.active.iter().copied().zip(self.weights.iter().copied()).filter(|(_, w)| *w != 0.0)
    }

    /// Mean squared error with the best intercept: `y'y - b'w - (b - Aw)'w`.
    pub(super) fn mse(&self) -> f64 {
        let covariances = &self.problem.covariances;
        let explained: f64 = self.weights().map(|(j, w)| w * (covariances[j] + self.residual[j])).sum();
        (self.problem.energy_per_row - explained).max(0.0)
    }

    /// One step for each active column; returns the largest, as the standard deviation that it moves fitted values.
    fn sweep(&mut self, scalar: &Thresholds) -> f64 {
        let mut largest: f64 = 0.0;
        for k in 0..self.active.len() {
            let (a, old) = (self.block[k][k], self.weights[k]);
            let new = scalar.minimiser(a, self.inner[k] + a * old, old);
            let step = new - old;
            if step != 0.0 {
                self.weights[k] = new;
                for (inner, a) in self.inner.iter_mut().zip(&self.block[k]) {
                    *inner -= step * a;
                }
                largest = largest.max(step.abs() * a.sqrt());
            }
        }
        largest
    }

    /// Moves all weights that are not zero at once, if that betters the objective.
    fn newton(&mut self, scalar: &Thresholds) {
        let Some(steps) = newton_step(&self.block, &self.inner, &self.weights, scalar) else { return };
        for (k, step) in steps.iter().enumerate().filter(|(_, step)| **step != 0.0) {
            self.weights[k] += step;
            for (inner, a) in self.inner.iter_mut().zip(&self.block[k]) {
                *inner -= step * a;
            }
        }
    }

    /// Brings the residual covariance of all columns up to date.
    fn sync(&mut self) {
        let n = self.problem.n_rows() as f64;
        let mut of_mean = 0.0;
        for (k, j) in self.active.iter().enumerate() {
            let step = self.weights[k] - self.synced[k];
            if step != 0.0 {
                of_mean += step * self.problem.mean(*j);
                let step = step / n;
                for (residual, product) in self.residual.iter_mut().zip(self.problem.products(*j)) {
                    *residual -= step * product;
                }
            }
        }
        if of_mean != 0.0 {
            for (j, residual) in self.residual.iter_mut().enumerate() {
                *residual += of_mean * self.problem.mean(j);
            }
        }
        self.synced.clone_from(&self.weights);
        for (inner, j) in self.inner.iter_mut().zip(&self.active) {
            *inner = self.residual[*j];
        }
    }

    /// Makes columns active whose weight would leave zero; returns whether there are any.
    fn admit(&mut self, scalar: &Thresholds) -> bool {
        let variances = &self.problem.variances;
        let would_leave = |j: &usize| {
            let (u, a) = (self.residual[*j], variances[*j]);
            a > 0.0 && !self.is_active[*j] && scalar.minimiser(a, u, 0.0) != 0.0
        };
        let mut entering: Vec<usize> = (0..variances.len()).filter(would_leave).collect();
        let gain = |j: &usize| self.residual[*j] * self.residual[*j] / variances[*j];
        entering.sort_by(|i, j| gain(j).total_cmp(&gain(i)).then(i.cmp(j)));
        for j in &entering {
            let row: Vec<f64> = self.active.iter().map(|i| self.problem.covariance(*j, *i)).collect();
            for (of_other, a) in self.block.iter_mut().zip(&row) {
                of_other.push(*a);
            }
            self.block.push(row);
            self.active.push(*j);
            self.is_active[*j] = true;
            if let Some(own) = self.block.last_mut() {
                own.push(variances[*j]);
            }
            self.weights.push(0.0);
            self.synced.push(0.0);
            self.inner.push(self.residual[*j]);
        }
        !entering.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::sparse::Regulariser;
    use ndarray::{Array1, Array2};

    const STOP: Stop = Stop { tolerance: 1e-13, max_sweeps: 10_000 };

    fn problem(p: usize, shift: f64) -> Problem<'static> {
        let x = Array2::from_shape_fn((120, p), |(t, j)| {
            shift + (t as f64 * (0.7 + 0.31 * j as f64)).sin() + ((t * (j + 3)) % 13) as f64 / 6.0
        });
        let noise = |t: usize| ((t * t * 7) % 29) as f64 / 20.0;
        let y = Array1::from_shape_fn(120, |t| shift + x[[t, 0]] - 0.4 * x[[t, p - 1]] + noise(t));
        Problem::from_rows(x.view(), y.view()).unwrap()
    }

    /// One weight after the other over all columns, nothing kept between steps.
    fn naive(problem: &Problem<'_>, scalar: &Scalar, start: &[f64]) -> Vec<f64> {
        let mut weights = start.to_vec();
        let (least, largest) = problem.variance_range();
        let scalar = scalar.between(least, largest);
        for _ in 0..5_000 {
            for j in 0..weights.len() {
                let others = (0..weights.len()).filter(|i| *i != j);
                let explained: f64 = others.map(|i| problem.covariance(i, j) * weights[i]).sum();
                weights[j] = scalar.minimiser(problem.variances[j], problem.covariances[j] - explained, 0.0);
            }
        }
        weights
    }

    fn dense(descent: &Descent<'_>, p: usize) -> Vec<f64> {
        let mut weights = vec![0.0; p];
        descent.weights().for_each(|(j, w)| weights[j] = w);
        weights
    }

    #[test]
    fn the_elastic_net_is_that_of_plain_coordinate_descent() {
        for (p, shift) in [(1, 0.0), (2, 3.0), (7, -20.0), (12, 0.5)] {
            let problem = problem(p, shift);
            let mut descent = Descent::new(&problem);
            for strength in [1.0, 0.2, 0.05, 0.01] {
                let scalar = Scalar::Elastic { l1: 0.9 * strength, l2: 0.1 * strength };
                assert!(descent.minimise(&scalar, &STOP));
                let (ours, naive) = (dense(&descent, p), naive(&problem, &scalar, &vec![0.0; p]));
                for (a, b) in ours.iter().zip(&naive) {
                    assert!(
                        (a - b).abs() < 1e-9 && (*a == 0.0) == (*b == 0.0),
                        "{p} {strength}: {ours:?} {naive:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn no_weight_of_the_regularised_solution_would_move_and_its_error_is_right() {
        let problem = problem(9, 2.0);
        let mut descent = Descent::new(&problem);
        for k in [0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4] {
            let scalar = Scalar::Saturating { regulariser: Regulariser::default(), k };
            assert!(descent.minimise(&scalar, &STOP));
            let ours = dense(&descent, 9);
            for (a, b) in ours.iter().zip(&naive(&problem, &scalar, &ours)) {
                assert!((a - b).abs() < 1e-10, "{k}: {ours:?}");
            }
            let sse = problem.sse(&ours, problem.intercept(&ours));
            assert!((descent.mse() * 120.0 / sse - 1.0).abs() < 1e-10, "{k}");
        }
        assert!(descent.weights().count() > 1);
    }

    #[test]
    fn sweeps_that_are_used_up_are_told() {
        let problem = problem(12, 0.0);
        let scalar = Scalar::Elastic { l1: 1e-6, l2: 0.0 };
        assert!(!Descent::new(&problem).minimise(&scalar, &Stop { tolerance: 1e-15, max_sweeps: 3 }));
    }
}
