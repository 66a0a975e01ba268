//! The experiments of the paper, and the needle: what the solved AR-Net finds where the truth is known.

use forecast_datasets::{ArProcess, Needle};
use ndarray::{Array1, Array2};

use super::{Criterion, PathOptions, Penalty, Problem, Regulariser, Solution, path, select};
use crate::ar::moments::Moments;

/// Statistics of the lags 1 to `p` of a series: the first row of the Gram matrix by definition, the others from
/// their neighbour along the diagonal, whose sum has one row more at one end and one less at the other.
fn moments(y: &[f64], p: usize) -> Moments {
    let n = y.len();
    let product = |lag: usize, other: usize| -> f64 {
        y[p - lag..n - lag].iter().zip(&y[p - other..n - other]).map(|(a, b)| a * b).sum()
    };
    let mut gram = Array2::zeros((p, p));
    for j in 0..p {
        gram[[0, j]] = product(1, 1 + j);
    }
    for i in 1..p {
        for j in i..p {
            gram[[i, j]] = gram[[i - 1, j - 1]] + y[p - 1 - i] * y[p - 1 - j] - y[n - 1 - i] * y[n - 1 - j];
        }
    }
    for i in 1..p {
        for j in 0..i {
            gram[[i, j]] = gram[[j, i]];
        }
    }
    Moments {
        gram,
        cross: Array2::from_shape_fn((p, 1), |(j, _)| product(0, 1 + j)),
        energy: Array1::from_elem(1, product(0, 0)),
        column_sums: Array1::from_shape_fn(p, |j| y[p - 1 - j..n - 1 - j].iter().sum()),
        target_sums: Array1::from_elem(1, y[p..].iter().sum()),
        rows: n - p,
    }
}

fn solved(y: &[f64], p: usize, options: &PathOptions) -> Solution {
    let moments = moments(y, p);
    let problem = Problem::of(&moments, 0).unwrap();
    let path = path(&problem, options).unwrap();
    assert!(path.iter().all(|solution| solution.is_converged));
    select(&problem, &path, Criterion::default()).unwrap().clone()
}

/// The paper's symmetric total percentage error of coefficients.
fn stpe(found: &[f64], truth: &[f64]) -> f64 {
    let truth = truth.iter().copied().chain(std::iter::repeat(0.0));
    let (wrong, total) = found.iter().zip(truth).fold((0.0, 0.0), |(wrong, total), (found, truth)| {
        (wrong + (found - truth).abs(), total + (found + truth).abs())
    });
    100.0 * wrong / total
}

#[test]
fn statistics_by_recursion_are_those_of_the_lag_matrix() {
    let y = ArProcess { coefficients: vec![0.5], ..ArProcess::default() }.generate(300, 1).unwrap();
    for p in [1, 2, 17] {
        let x = Array2::from_shape_fn((300 - p, p), |(t, j)| y[t + p - 1 - j]);
        let naive = Problem::from_rows(x.view(), Array1::from(y[p..].to_vec()).view()).unwrap();
        let moments = moments(&y, p);
        let ours = Problem::of(&moments, 0).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-12;
        assert!((0..p * p).all(|i| close(ours.covariance(i / p, i % p), naive.covariance(i / p, i % p))));
        assert!(ours.covariances.iter().zip(&naive.covariances).all(|(a, b)| close(*a, *b)));
        assert!(close(ours.sse(&vec![0.1; p], 0.2) / 300.0, naive.sse(&vec![0.1; p], 0.2) / 300.0));
    }
}

/// The paper's sparsity experiment: an AR(3), 100,000 values, orders up to 1,000. Least squares has 60 % at order
/// 1,000.
#[test]
fn the_papers_process_is_found_at_any_order() {
    const TRUTH: [f64; 3] = [0.2, 0.3, -0.5];
    let process = ArProcess { coefficients: TRUTH.to_vec(), ..ArProcess::default() };
    for p in [10, 100, 1_000] {
        let solutions: Vec<Solution> = (0..5)
            .map(|seed| solved(&process.generate(100_000, seed).unwrap(), p, &PathOptions::default()))
            .collect();
        let errors: Vec<f64> = solutions.iter().map(|s| stpe(&s.weights, &TRUTH)).collect();
        let n_exact = solutions.iter().filter(|s| s.support == [0, 1, 2]).count();
        println!("order {p}: sTPE {errors:.2?} %, {n_exact} of 5 supports are right");
        assert!(errors.iter().sum::<f64>() / 5.0 <= 1.5 && n_exact >= 4);
    }
}

#[test]
fn lags_with_gaps_between_them_are_found() {
    let mut truth = vec![0.0; 21];
    (truth[0], truth[2], truth[9]) = (0.2, 0.3, -0.5);
    let process = ArProcess { coefficients: truth.clone(), ..ArProcess::default() };
    let series = process.generate(100_000, 1).unwrap();
    let later = Penalty::ArNet(Regulariser { c1: 2.0, c2: 2.0 });
    for penalty in [PathOptions::default().penalty, later, Penalty::ElasticNet { l1_ratio: 1.0 }] {
        let solution = solved(&series, 200, &PathOptions { penalty, ..PathOptions::default() });
        assert_eq!(solution.support, [0, 2, 9], "{penalty:?}");
        assert!(stpe(&solution.weights, &truth) < 1.5);
    }
}

#[test]
fn the_needle_and_only_it_is_found() {
    for (lag, p, n_steps) in [(1_000, 1_000, 20_000), (1_000, 1_200, 100_000), (5_000, 5_200, 100_000)] {
        let series = Needle { lag, ..Needle::default() }.generate(n_steps, 3).unwrap();
        let solution = solved(&series, p, &PathOptions::default());
        assert_eq!(solution.support, [lag - 1]);
        assert!((solution.weights[lag - 1] - 0.9).abs() < 0.01, "{}", solution.weights[lag - 1]);
    }
}
