//! Which solution of a path: by an information criterion, or by the error on other rows, of which again only the
//! second-order statistics are needed.

use super::path::Solution;
use super::problem::Problem;
use crate::{Error, Result};

/// What the chosen solution makes smallest.
#[derive(Debug, Clone, Copy)]
pub enum Criterion<'a> {
    /// `n ln(SSE / n) + k ln n + 2 gamma ln C(p, k)` with `k` lags of `p` on `n` rows, the SSE being that of the
    /// solution, so of the refitted weights where the path refits.
    ///
    /// `gamma` 0 is Schwarz's criterion (BIC), by which about one of 1,500 useless lags gets in at 100,000 rows. The
    /// extended criterion (Chen and Chen 2008, *Extended Bayesian information criteria*) counts how many supports of
    /// that size there are; the default, 1, lets in none of thousands.
    Bic {
        /// In `[0, 1]`.
        gamma: f64,
    },
    /// The sum of squared errors on these rows.
    Validation(&'a Problem<'a>),
}

impl Default for Criterion<'_> {
    fn default() -> Self {
        Criterion::Bic { gamma: 1.0 }
    }
}

/// The solution with the smallest value of the criterion; of equal ones, the first, which has the strongest penalty.
///
/// # Errors
/// [`Error::BadOption`] for a `gamma` outside `[0, 1]`, an empty path, or rows with other columns.
pub fn select<'s>(
    problem: &Problem<'_>,
    path: &'s [Solution],
    criterion: Criterion<'_>,
) -> Result<&'s Solution> {
    let p = problem.n_columns();
    match criterion {
        Criterion::Bic { gamma } if !(0.0..=1.0).contains(&gamma) => {
            return Err(Error::option("gamma", gamma, "it must be from 0 to 1"));
        }
        Criterion::Validation(other) if other.n_columns() != p => {
            let rule = format!("the solutions have {p}: build both with the same order");
            return Err(Error::option("columns of the validation rows", other.n_columns(), rule));
        }
        _ => {}
    }
    if let Some(other) = path.iter().find(|solution| solution.weights.len() != p) {
        let rule = format!("the problem has {p} columns");
        return Err(Error::option("weights of a solution", other.weights.len(), rule));
    }
    let value = |solution: &Solution| match criterion {
        Criterion::Bic { gamma } => bic(problem, solution, gamma),
        Criterion::Validation(other) => other.sse(&solution.weights, solution.intercept),
    };
    let mut best: Option<(f64, &Solution)> = None;
    for solution in path {
        let value = value(solution);
        if best.is_none_or(|(least, _)| value < least) {
            best = Some((value, solution));
        }
    }
    best.map(|(_, solution)| solution).ok_or_else(|| Error::option("path", "[]", "it must have a solution"))
}

fn bic(problem: &Problem<'_>, solution: &Solution, gamma: f64) -> f64 {
    let (n, k) = (problem.n_rows() as f64, solution.support.len());
    // A perfect fit is as good as rounding lets it be; a constant target leaves nothing to explain.
    let floor = f64::MIN_POSITIVE.max(f64::EPSILON * problem.energy_per_row);
    let fit = n * (solution.sse / n).max(floor).ln();
    fit + k as f64 * n.ln() + 2.0 * gamma * ln_choose(problem.n_columns(), k)
}

/// `ln (p! / (k! (p - k)!))`.
fn ln_choose(p: usize, k: usize) -> f64 {
    (1..=k).map(|i| ((p - k + i) as f64 / i as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::sparse::{PathOptions, path};
    use forecast_datasets::ArProcess;
    use ndarray::{Array1, Array2};

    /// Lags 1 to `p` of an AR(2) process, from `rows` rows on.
    fn problem(p: usize, rows: usize, seed: u64) -> Problem<'static> {
        let process = ArProcess { coefficients: vec![0.5, -0.3], ..ArProcess::default() };
        let y = process.generate(rows + p, seed).unwrap();
        let x = Array2::from_shape_fn((rows, p), |(t, j)| y[t + p - 1 - j]);
        Problem::from_rows(x.view(), Array1::from(y[p..].to_vec()).view()).unwrap()
    }

    #[test]
    fn the_process_that_made_the_data_is_chosen() {
        let (train, other) = (problem(15, 3_000, 1), problem(15, 3_000, 2));
        let path = path(&train, &PathOptions::default()).unwrap();
        assert!(path.iter().any(|s| s.support.is_empty()) && path.iter().any(|s| s.support.len() > 2));
        assert_eq!(select(&train, &path, Criterion::default()).unwrap().support, [0, 1]);
        let by_validation = select(&train, &path, Criterion::Validation(&other)).unwrap();
        assert!(by_validation.support.starts_with(&[0, 1]), "{:?}", by_validation.support);
        let sse = |s: &Solution| other.sse(&s.weights, s.intercept);
        assert!(path.iter().all(|s| sse(by_validation) <= sse(s)));
    }

    #[test]
    fn noise_has_no_lag() {
        let y = ArProcess::default().generate(2_050, 3).unwrap();
        let x = Array2::from_shape_fn((2_000, 50), |(t, j)| y[t + 49 - j]);
        let problem = Problem::from_rows(x.view(), Array1::from(y[50..].to_vec()).view()).unwrap();
        let path = path(&problem, &PathOptions::default()).unwrap();
        assert!(select(&problem, &path, Criterion::default()).unwrap().support.is_empty());
    }

    #[test]
    fn the_criterion_is_its_formula() {
        let problem = problem(6, 200, 4);
        let path = path(&problem, &PathOptions::default()).unwrap();
        for s in &path {
            let n = 200.0f64;
            let supports = [1.0, 6.0, 15.0, 20.0, 15.0, 6.0, 1.0f64][s.support.len()];
            let formula = n * (s.sse / n).ln() + s.support.len() as f64 * n.ln() + 2.0 * 0.3 * supports.ln();
            assert!((bic(&problem, s, 0.3) - formula).abs() < 1e-9);
        }
    }

    #[test]
    fn bad_choices_are_named() {
        let (problem, other) = (problem(4, 50, 1), problem(5, 50, 1));
        let path = path(&problem, &PathOptions::default()).unwrap();
        let message = |path, criterion| select(&problem, path, criterion).unwrap_err().to_string();
        assert!(message(&path, Criterion::Bic { gamma: -1.0 }).contains("gamma"));
        assert!(message(&path, Criterion::Validation(&other)).contains("same order"));
        assert!(message(&[], Criterion::default()).contains("path"));
        assert!(select(&other, &path, Criterion::default()).is_err());
    }
}
