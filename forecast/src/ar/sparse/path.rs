//! Solutions along a path of decreasing strength of the penalty, each started from the one before.

use super::descent::{Descent, Stop};
use super::options::{Lambdas, PathOptions, Penalty, Refit};
use super::problem::Problem;
use super::refit::SupportFactor;
use crate::Result;

/// One point of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The strength of the penalty.
    pub lambda: f64,
    /// Shape `(column)`; a lag that is left out is exactly zero.
    pub weights: Vec<f64>,
    /// The constant, free of the penalty.
    pub intercept: f64,
    /// Columns whose weight is not zero, ascending; column 0 is lag 1.
    pub support: Vec<usize>,
    /// The sum of squared errors of these weights on the rows that they were fitted on.
    pub sse: f64,
    /// False if `max_sweeps` were used up.
    pub is_converged: bool,
}

/// Each threshold is this share of the one before.
const RATIO: f64 = 0.9;
const MOST_AUTO: usize = 100;
/// Standard errors of a weight that may enter last.
const LAST_STANDARD_ERRORS: f64 = 2.0;

/// Solutions from the strongest penalty to the weakest.
///
/// The regulariser has local minima: those found are minima in each weight, reached from the sparse side.
///
/// # Errors
/// [`Error::BadOption`](crate::Error::BadOption) for a setting out of its range.
pub fn path(problem: &Problem<'_>, options: &PathOptions) -> Result<Vec<Solution>> {
    options.check()?;
    let stop = Stop { tolerance: options.tolerance, max_sweeps: options.max_sweeps };
    let mut walk =
        Walk { problem, options, stop, descent: Descent::new(problem), factor: SupportFactor::default() };
    match &options.lambdas {
        Lambdas::Auto => Ok(walk.down(0.0)),
        Lambdas::Given(lambdas) => {
            let mut lambdas = lambdas.clone();
            lambdas.sort_by(|a, b| b.total_cmp(a));
            if matches!(options.penalty, Penalty::ArNet(_)) {
                walk.down(lambdas[0]);
            }
            Ok(lambdas.into_iter().map(|lambda| walk.at(lambda)).collect())
        }
    }
}

/// The way down the path, with what one solution leaves to the next.
#[derive(Debug)]
struct Walk<'p> {
    problem: &'p Problem<'p>,
    options: &'p PathOptions,
    stop: Stop,
    descent: Descent<'p>,
    factor: SupportFactor,
}

impl Walk<'_> {
    /// The solutions of `Auto` as far as their strength is above `floor`, of which the first has no lag.
    fn down(&mut self, floor: f64) -> Vec<Solution> {
        let (least_variance, _) = self.problem.variance_range();
        let mut threshold = self.problem.covariances.iter().fold(0.0, |most: f64, c| most.max(c.abs()));
        let mut solutions = Vec::new();
        loop {
            let lambda = self.options.penalty.lambda_of_threshold(self.problem, least_variance, threshold);
            if floor > 0.0 && lambda <= floor {
                break;
            }
            let solution = self.at(lambda);
            if solution.support.len() > self.options.most_lags {
                break;
            }
            solutions.push(solution);
            threshold *= RATIO;
            // Of a covariance with the residual. Other lags explain of a lag, which has neighbours on both sides, at
            // least the share that they explain of the target; what is left is the variance that its weight acts on.
            let mse = self.descent.mse();
            let left = least_variance * mse / self.problem.energy_per_row;
            let standard_error = (mse * left / self.problem.n_rows() as f64).sqrt();
            // Not above it: the standard error may be zero, infinite or no number where nothing varies.
            let goes_on = threshold > LAST_STANDARD_ERRORS * standard_error;
            if solutions.len() == MOST_AUTO || !goes_on {
                break;
            }
        }
        solutions
    }

    fn at(&mut self, lambda: f64) -> Solution {
        let problem = self.problem;
        let is_converged = self.descent.minimise(&self.options.penalty.scalar(problem, lambda), &self.stop);
        let (found, mse) = match self.options.refit {
            Refit::None => (self.descent.weights().collect::<Vec<_>>(), self.descent.mse()),
            Refit::Support => {
                let columns: Vec<usize> = self.descent.weights().map(|(column, _)| column).collect();
                self.factor.solve(problem, &columns)
            }
        };
        let mut weights = vec![0.0; problem.n_columns()];
        for (column, weight) in &found {
            weights[*column] = *weight;
        }
        let support = (0..weights.len()).filter(|j| weights[*j] != 0.0).collect();
        let (intercept, sse) = (problem.intercept(&weights), mse * problem.n_rows() as f64);
        Solution { lambda, weights, intercept, support, sse, is_converged }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::sparse::Regulariser;
    use linfa::Dataset;
    use linfa::traits::Fit;
    use linfa_elasticnet::ElasticNet;
    use ndarray::{Array1, Array2, Axis};

    fn design(n: usize, p: usize) -> (Array2<f64>, Array1<f64>) {
        let x = Array2::from_shape_fn((n, p), |(t, j)| {
            3.0 + (t as f64 * (0.7 + 0.31 * j as f64)).sin() + ((t * (j + 3)) % 13) as f64 / 6.0
        });
        let y =
            Array1::from_shape_fn(n, |t| x[[t, 0]] - 0.4 * x[[t, p / 2]] + ((t * t * 7) % 29) as f64 / 20.0);
        (x, y)
    }

    fn given(penalty: Penalty, lambdas: &[f64]) -> PathOptions {
        let (lambdas, refit) = (Lambdas::Given(lambdas.to_vec()), Refit::None);
        let base = PathOptions::default();
        PathOptions { penalty, lambdas, refit, tolerance: 1e-12, max_sweeps: 100_000, ..base }
    }

    #[test]
    fn the_elastic_net_is_that_of_linfa() {
        for (n, p) in [(60, 1), (100, 8), (150, 25)] {
            let (x, y) = design(n, p);
            let problem = Problem::from_rows(x.view(), y.view()).unwrap();
            // That crate subtracts the mean of the target only.
            let centred = &x - &x.mean_axis(Axis(0)).unwrap();
            let data = Dataset::new(centred, y.clone());
            for l1_ratio in [0.0, 0.2, 0.9, 1.0] {
                let solutions =
                    path(&problem, &given(Penalty::ElasticNet { l1_ratio }, &[0.005, 0.3, 0.05])).unwrap();
                assert_eq!(solutions.len(), 3);
                for ours in solutions {
                    let theirs = ElasticNet::params().penalty(ours.lambda).l1_ratio(l1_ratio);
                    let theirs = theirs.tolerance(1e-13).max_iterations(100_000).fit(&data).unwrap();
                    let case = format!("{n} {p} {l1_ratio} {}", ours.lambda);
                    for (a, b) in ours.weights.iter().zip(theirs.hyperplane()) {
                        assert!((a - b).abs() < 1e-9, "{case}: {a} is not {b}");
                    }
                    assert!(ours.is_converged, "{case}");
                }
            }
        }
    }

    fn objective(problem: &Problem<'_>, penalty: &Regulariser, s: &Solution) -> f64 {
        problem.sse(&s.weights, s.intercept) / problem.n_rows() as f64 + s.lambda * penalty.value(&s.weights)
    }

    #[test]
    fn no_change_of_one_weight_betters_the_objective_of_the_paper() {
        for regulariser in [Regulariser::default(), Regulariser { c1: 2.0, c2: 2.0 }] {
            let (x, y) = design(150, 12);
            let problem = Problem::from_rows(x.view(), y.view()).unwrap();
            for solution in path(&problem, &given(Penalty::ArNet(regulariser), &[1.0, 0.1, 0.01])).unwrap() {
                let best = objective(&problem, &regulariser, &solution);
                assert!(
                    (solution.sse / problem.sse(&solution.weights, solution.intercept) - 1.0).abs() < 1e-10
                );
                for column in 0..12 {
                    for i in -2_000..=2_000 {
                        let mut other = solution.clone();
                        other.weights[column] = f64::from(i) / 1_000.0;
                        other.intercept = problem.intercept(&other.weights);
                        assert!(
                            objective(&problem, &regulariser, &other) >= best - 1e-12,
                            "column {column} {i}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn the_path_begins_without_a_lag_and_soon_has_one() {
        let (x, y) = design(300, 20);
        let problem = Problem::from_rows(x.view(), y.view()).unwrap();
        for penalty in [Penalty::ArNet(Regulariser::default()), Penalty::ElasticNet { l1_ratio: 1.0 }] {
            let path = path(&problem, &PathOptions { penalty, ..PathOptions::default() }).unwrap();
            // At once where all variances are equal.
            let first = path.iter().position(|solution| !solution.support.is_empty());
            assert!((1..=4).contains(&first.unwrap()), "{penalty:?}: {first:?}");
            assert!(path.windows(2).all(|pair| pair[0].lambda > pair[1].lambda));
            assert!((path[0].intercept - y.mean().unwrap()).abs() < 1e-12);
            assert!((2..=MOST_AUTO).contains(&path.len()));
        }
    }

    #[test]
    fn the_path_ends_before_it_has_too_many_lags() {
        let (x, y) = design(300, 20);
        let problem = Problem::from_rows(x.view(), y.view()).unwrap();
        let all = path(&problem, &PathOptions::default()).unwrap();
        let few = path(&problem, &PathOptions { most_lags: 4, ..PathOptions::default() }).unwrap();
        assert!(few.iter().all(|solution| solution.support.len() <= 4));
        assert!(all.len() > few.len() && all[..few.len()] == few && all[few.len()].support.len() > 4);
    }

    #[test]
    fn a_refit_is_least_squares_on_the_lags_that_are_left() {
        let (x, y) = design(200, 10);
        let problem = Problem::from_rows(x.view(), y.view()).unwrap();
        for solution in path(&problem, &PathOptions::default()).unwrap() {
            let errors = &y - &x.dot(&Array1::from(solution.weights.clone())) - solution.intercept;
            assert!(errors.mean().unwrap().abs() < 1e-12);
            for column in &solution.support {
                assert!((errors.dot(&x.column(*column)) / 200.0).abs() < 1e-11, "{solution:?}");
            }
            assert!((errors.dot(&errors) / solution.sse - 1.0).abs() < 1e-10);
        }
    }

    #[test]
    fn constant_data_have_a_path_without_lags() {
        let (x, y) = design(50, 3);
        let flat = Array1::from_elem(50, 0.1);
        for (x, y) in [(x, flat), (Array2::from_elem((50, 3), 0.3), y)] {
            let problem = Problem::from_rows(x.view(), y.view()).unwrap();
            for lambdas in [Lambdas::Auto, Lambdas::Given(vec![0.5, 0.0])] {
                let path = path(&problem, &PathOptions { lambdas, ..PathOptions::default() }).unwrap();
                assert!(path.iter().all(|s| s.support.is_empty() && s.is_converged), "{path:?}");
                assert!((path[0].intercept - y.mean().unwrap()).abs() < 1e-12);
            }
        }
    }
}
