//! Exact least squares for long orders, without the Gram matrix: conjugate gradients on its displacement structure.
//!
//! In reversed time a stretch `r_0 .. r_(n-1)` has the Gram matrix of its lags `a, b = 1 .. p`
//!
//! `G = T - H H' - U U'`,
//!
//! `T_ab = sum_s r_s r_(s+|a-b|)` over the whole stretch, `H_aj = r_(a-j)` for `j <= a` what its head has too much,
//! `U_ac = r_(n-c+a)` for `c > a` its tail (Kailath, Kung & Morf, *J. Math. Anal. Appl.* 68, 1979). All are Toeplitz,
//! so a product with `G` takes a few Fourier transforms of `2 p` numbers. The gradients are conditioned by `T^-1`, which
//! Levinson's recursion and the formula of Gohberg and Semencul (1972) give: `T^-1 = (A A' - B B') / s^2`, lower
//! triangular with first columns `(1, -w_1, .., -w_(p-1))` and `(0, -w_(p-1), .., -w_1)`. Heads and tails are small
//! beside a long stretch, so that few steps do. O(n log p + p^2) time, O(n) memory.

use super::autocorrelation::{YuleWalker, autocovariances};
use super::toeplitz::{Side, Triangles};
use crate::Result;
use crate::data::mix;

/// Steps, at most: more of them mean that the conditioning does not hold.
const MOST_STEPS: usize = 60;
/// Solutions are improved by what they leave of the right side so often.
const N_REFINEMENTS: usize = 3;
/// Steps end when this share is left, as conditioned.
const SHARE_LEFT: f64 = 1e-10;
/// The share of a solution that may be wrong.
const TOLERANCE: f64 = 1e-10;
/// Stretches with ends of their own, at most: each costs a few transforms a step.
const MOST_RUNS: usize = 8;

/// Weights of the least-squares solution, lag 1 first, and the intercept, of stretches that have together about the
/// mean zero; `ridge` as a share of the mean diagonal. `None` if the gradients do not lead there: the lags may depend
/// on each other.
pub(super) fn weights(runs: &[&[f64]], order: usize, ridge: f64) -> Result<Option<(Vec<f64>, f64)>> {
    let runs: Vec<Vec<f64>> =
        runs.iter().filter(|run| run.len() > order).map(|run| run.iter().rev().copied().collect()).collect();
    if runs.is_empty() || runs.len() > MOST_RUNS {
        return Ok(None);
    }
    let Some(system) = System::new(&runs, order, ridge)? else { return Ok(None) };
    // A direction that nothing tells would not show for a right side that the lags themselves have made.
    let probe: Vec<f64> =
        (0..order as u64).map(|i| (mix(i) >> 11) as f64 / (1u64 << 53) as f64 - 0.5).collect();
    let (Some(weights), Some(_)) = (system.solve(&system.cross)?, system.solve(&probe)?) else {
        return Ok(None);
    };
    let explained: f64 = weights.iter().zip(&system.means).map(|(weight, mean)| weight * mean).sum();
    Ok(Some((weights, system.target_mean - explained)))
}

/// The centred normal equations.
struct System {
    order: usize,
    n_rows: f64,
    /// Of each lag over the rows.
    means: Vec<f64>, // (order)
    target_mean: f64,
    /// Products of each lag with the target, centred.
    cross: Vec<f64>, // (order)
    gram: Triangles,
    inverse: Triangles,
}

impl System {
    fn new(runs: &[Vec<f64>], order: usize, ridge: f64) -> Result<Option<Self>> {
        let slices: Vec<&[f64]> = runs.iter().map(Vec::as_slice).collect();
        let mut whole = autocovariances(&slices, order)?; // (order + 1)
        let rows = |run: &Vec<f64>| run.len() - order;
        let n_rows = runs.iter().map(rows).sum::<usize>() as f64;
        let mut cross = vec![0.0; order];
        let mut means = vec![0.0; order + 1];
        let mut squares = vec![0.0; order + 1];
        for run in runs {
            let (m, tail) = (rows(run), &run[rows(run)..]);
            // What the rows beyond the last one have of the products with the target, by the formula of `U U'` for a = 0.
            for (lag, cross) in (1..=order).zip(&mut cross) {
                *cross -= tail[..order - lag].iter().zip(&tail[lag..]).map(|(a, b)| a * b).sum::<f64>();
            }
            let mut sum: f64 = run[..m].iter().sum();
            let mut square = dot(&run[..m], &run[..m]);
            for (a, (mean, all)) in means.iter_mut().zip(&mut squares).enumerate() {
                *mean += sum / n_rows;
                *all += square;
                sum += run.get(m + a).map_or(0.0, |last| last - run[a]);
                square += run.get(m + a).map_or(0.0, |last| last * last - run[a] * run[a]);
            }
        }
        let target_mean = means.remove(0);
        for ((cross, whole), mean) in cross.iter_mut().zip(&whole[1..]).zip(&means) {
            *cross += whole - n_rows * mean * target_mean;
        }
        whole.truncate(order);
        let variances = squares[1..].iter().zip(&means).map(|(square, mean)| square - n_rows * mean * mean);
        let diagonal = whole[0];
        whole[0] += ridge * variances.sum::<f64>() / order as f64;
        let Some(levinson) = YuleWalker::solve(&whole) else { return Ok(None) };
        let scale = levinson.squared_errors.last().copied().unwrap_or(0.0);
        if scale.is_nan() || scale <= f64::EPSILON * diagonal {
            return Ok(None);
        }
        let mut gram = Triangles::new(order, -1.0);
        gram.add_symmetric(&whole)?;
        for run in runs {
            gram.add(&run[..order], Side::Lower)?;
            let last = run.iter().rev().take(order - 1).copied();
            gram.add(&std::iter::once(0.0).chain(last).collect::<Vec<_>>(), Side::Upper)?;
        }
        let filter = levinson.weights.iter().map(|weight| -weight);
        let mut inverse = Triangles::new(order, 1.0 / scale);
        inverse.add(&std::iter::once(1.0).chain(filter.clone()).collect::<Vec<_>>(), Side::Lower)?;
        inverse.add(&std::iter::once(0.0).chain(filter.rev()).collect::<Vec<_>>(), Side::LowerLess)?;
        Ok(Some(System { order, n_rows, means, target_mean, cross, gram, inverse }))
    }

    /// `G v`, centred.
    fn product(&self, v: &[f64]) -> Result<Vec<f64>> {
        let mut product = self.gram.product(v)?;
        let along = self.n_rows * dot(&self.means, v);
        product.iter_mut().zip(&self.means).for_each(|(product, mean)| *product -= along * mean);
        Ok(product)
    }

    /// The solution for a right side; `None` if too much of it may be wrong.
    fn solve(&self, right: &[f64]) -> Result<Option<Vec<f64>>> {
        let mut solution = vec![0.0; self.order];
        let mut left = right.to_vec();
        for _ in 0..N_REFINEMENTS {
            let step = self.descend(&left)?;
            solution.iter_mut().zip(&step).for_each(|(solution, step)| *solution += step);
            let product = self.product(&solution)?;
            left = right.iter().zip(&product).map(|(right, product)| right - product).collect();
        }
        // What is left, solved for without heads and tails, is about what is wrong.
        let wrong = self.inverse.product(&left)?;
        let is_solved = dot(&wrong, &wrong) <= TOLERANCE * TOLERANCE * dot(&solution, &solution);
        Ok(is_solved.then_some(solution))
    }

    /// Conjugate gradients (Hestenes and Stiefel 1952), conditioned by `T^-1`, as far as they lead.
    fn descend(&self, right: &[f64]) -> Result<Vec<f64>> {
        let mut solution = vec![0.0; self.order];
        let mut left = right.to_vec();
        let mut conditioned = self.inverse.product(&left)?;
        let mut direction = conditioned.clone();
        let first = dot(&left, &conditioned);
        let mut size = first;
        for _ in 0..MOST_STEPS {
            let product = self.product(&direction)?;
            let curvature = dot(&direction, &product);
            if !(size > 0.0 && curvature > 0.0) {
                break;
            }
            let step = size / curvature;
            solution.iter_mut().zip(&direction).for_each(|(x, d)| *x += step * d);
            left.iter_mut().zip(&product).for_each(|(left, product)| *left -= step * product);
            conditioned = self.inverse.product(&left)?;
            let next = dot(&left, &conditioned);
            if next <= SHARE_LEFT * SHARE_LEFT * first {
                break;
            }
            let share = next / size;
            direction.iter_mut().zip(&conditioned).for_each(|(d, z)| *d = z + share * *d);
            size = next;
        }
        Ok(solution)
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::cholesky::Cholesky;
    use crate::ar::gram::lagged_moments;
    use forecast_datasets::ArProcess;

    fn process(n: usize, coefficients: &[f64]) -> Vec<f64> {
        let process = ArProcess { coefficients: coefficients.to_vec(), ..ArProcess::default() };
        let mut values = process.generate(n, 5).unwrap();
        let mean = values.iter().sum::<f64>() / n as f64;
        values.iter_mut().for_each(|value| *value -= mean);
        values
    }

    #[test]
    fn products_are_those_with_the_gram_matrix_and_its_inverse_conditions_it() {
        for (values, order) in [(process(300, &[0.5]), 17), (process(911, &[0.2, 0.3, -0.5]), 130)] {
            let runs = [values[..100.max(order + 9)].to_vec(), values[100.max(order + 9) + 1..].to_vec()];
            let slices = [&runs[0][..], &runs[1]];
            let reversed: Vec<Vec<f64>> =
                runs.iter().map(|run| run.iter().rev().copied().collect()).collect();
            let system = System::new(&reversed, order, 0.0).unwrap().unwrap();
            let centred = lagged_moments(&slices, order, 1).unwrap().centred();
            for (ours, due) in system.cross.iter().zip(&centred.cross) {
                assert!((ours - due).abs() < 1e-9, "{ours} {due}");
            }
            let v: Vec<f64> = (0..order).map(|i| ((i * i) % 7) as f64 - 3.0).collect();
            let due = centred.gram.dot(&ndarray::Array1::from(v.clone()));
            for (ours, due) in system.product(&v).unwrap().iter().zip(&due) {
                assert!((ours - due).abs() < 1e-8, "{ours} {due}");
            }
            // T^-1 T v = v: without heads and tails.
            let mut toeplitz = Triangles::new(order, 0.0);
            toeplitz.symmetric.clone_from(&system.gram.symmetric);
            let back = system.inverse.product(&toeplitz.product(&v).unwrap()).unwrap();
            assert!(back.iter().zip(&v).all(|(a, b)| (a - b).abs() < 1e-9), "{back:?}");
        }
    }

    #[test]
    fn solutions_are_those_of_the_factor_of_the_whole_matrix() {
        let near_one = process(20_000, &[1.6, -0.61]);
        for (values, order) in [
            (process(1_000, &[0.2, 0.3, -0.5]), 200),
            (process(5_000, &[0.2, 0.3, -0.5]), 1_001),
            (near_one, 300),
        ] {
            let half = values.len() / 2;
            for runs in [vec![&values[..]], vec![&values[..half - 7], &values[half..]]] {
                if runs.iter().any(|run| run.len() < 2 * order) {
                    continue;
                }
                let moments = lagged_moments(&runs, order, 1).unwrap();
                let centred = moments.centred();
                let due = Cholesky::new(&centred.gram, 0.0).unwrap().unwrap().solve(&centred.cross).unwrap();
                let (ours, intercept) = weights(&runs, order, 0.0).unwrap().unwrap();
                for (ours, due) in ours.iter().zip(&due) {
                    assert!((ours - due).abs() < 1e-9, "{order}: {ours} {due}");
                }
                assert!((intercept - moments.intercepts(&due)[0]).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn lags_that_depend_on_each_other_are_left_to_others() {
        let wave: Vec<f64> = (0..4_000).map(|t| (t as f64 * 0.3).sin()).collect();
        assert_eq!(weights(&[&wave], 300, 0.0).unwrap(), None);
        assert_eq!(weights(&[&[0.0; 900]], 300, 0.0).unwrap(), None);
        assert_eq!(weights(&[&wave[..300]], 300, 0.0).unwrap(), None);
    }
}
