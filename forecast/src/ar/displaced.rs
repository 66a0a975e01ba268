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
//! beside a long stretch, so that few steps do. Standard errors take a few right sides more, since the diagonal of the
//! inverse follows from its displacement too. O(n log p + p^2) time, O(n) memory.

use faer::Mat;
use faer::linalg::solvers::DenseSolveCore;
use rayon::prelude::*;

use super::autocorrelation::{YuleWalker, autocovariances};
use super::inference::standard_errors;
use super::toeplitz::{Side, Triangles};
use crate::Result;
use crate::data::mix;

/// Steps, at most: more of them mean that the conditioning does not hold.
const MOST_STEPS: usize = 60;
/// Solutions are improved by what they leave of the right side until it is little, so often at most.
const MOST_DESCENTS: usize = 3;
/// Steps end when this share is left, as conditioned.
const SHARE_LEFT: f64 = 1e-10;
/// The share of a solution that may be wrong.
const TOLERANCE: f64 = 1e-10;
/// The recursion of the diagonal ends within this share of where the last windows alone say it does.
const CLOSES: f64 = 1e-6;
/// Stretches with ends of their own, at most: each costs a few transforms a step.
const MOST_RUNS: usize = 8;

/// The least-squares solution.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    /// Lag 1 first. Shape `(order)`.
    pub(super) weights: Vec<f64>,
    pub(super) intercept: f64,
    /// Of the weights; `None` with a ridge, or where no row is left over.
    pub(super) errors: Option<Vec<f64>>,
}

/// The solution for stretches that have together about the mean zero; `ridge` as a share of the mean diagonal. `None`
/// if the gradients do not lead there: the lags may depend on each other.
pub(super) fn solve(runs: &[&[f64]], order: usize, ridge: f64) -> Result<Option<Found>> {
    let runs: Vec<Vec<f64>> =
        runs.iter().filter(|run| run.len() > order).map(|run| run.iter().rev().copied().collect()).collect();
    if runs.is_empty() || runs.len() > MOST_RUNS {
        return Ok(None);
    }
    let Some(system) = System::new(&runs, order, ridge)? else { return Ok(None) };
    // A direction that nothing tells would not show for a right side that the lags themselves have made.
    let probe: Vec<f64> =
        (0..order as u64).map(|i| (mix(i) >> 11) as f64 / (1u64 << 53) as f64 - 0.5).collect();
    let solve = |right| system.solve(right, About::Means);
    let (weights, probed) = rayon::join(|| solve(&system.cross), || solve(&probe));
    let (Some(weights), Some(_)) = (weights?, probed?) else { return Ok(None) };
    let mut errors = None;
    if ridge <= 0.0 {
        let Some(diagonal) = system.inverse_diagonal()? else { return Ok(None) };
        let squared_error = system.energy - dot(&weights, &system.cross);
        errors = standard_errors(squared_error.max(0.0), system.n_rows as usize, &diagonal);
    }
    let explained = dot(&weights, &system.means);
    Ok(Some(Found { weights, intercept: system.target_mean - explained, errors }))
}

/// The normal equations.
struct System {
    order: usize,
    n_rows: f64,
    /// Of each lag over the rows.
    means: Vec<f64>, // (order)
    target_mean: f64,
    /// Products of each lag with the target, about the means.
    cross: Vec<f64>, // (order)
    /// The sum of squares of the target, about its mean.
    energy: f64,
    /// Products of the target and of each lag but the last with the last lag, about zero.
    with_last: Vec<f64>, // (order)
    /// The sum of squares of the last lag, about zero.
    last_energy: f64,
    /// The first and the last `order` numbers of each stretch.
    ends: Vec<[Vec<f64>; 2]>,
    gram: Triangles,
    inverse: Triangles,
}

/// What products are taken about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Zero,
    Means,
}

impl System {
    fn new(runs: &[Vec<f64>], order: usize, ridge: f64) -> Result<Option<Self>> {
        let slices: Vec<&[f64]> = runs.iter().map(Vec::as_slice).collect();
        let mut whole = autocovariances(&slices, order)?; // (order + 1)
        let rows = |run: &Vec<f64>| run.len() - order;
        let n_rows = runs.iter().map(rows).sum::<usize>() as f64;
        // Products of a stretch are those of its rows, and those within its last `order` numbers with the target, or
        // within its first ones with the last lag.
        let ends: Vec<[Vec<f64>; 2]> =
            runs.iter().map(|run| [run[..order].to_vec(), run[rows(run)..].to_vec()]).collect();
        let within = |end: usize| {
            let ends: Vec<&[f64]> = ends.iter().map(|both| &both[end][..]).collect();
            autocovariances(&ends, order)
        };
        let (of_heads, of_tails) = (within(0)?, within(1)?);
        let mut cross: Vec<f64> =
            whole[1..].iter().zip(&of_tails[1..]).map(|(all, tail)| all - tail).collect();
        let with_last = whole.iter().zip(&of_heads).skip(1).map(|(all, head)| all - head).rev().collect();
        let mut means = vec![0.0; order + 1];
        let mut squares = vec![0.0; order + 1];
        for run in runs {
            let m = rows(run);
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
        cross.iter_mut().zip(&means).for_each(|(cross, mean)| *cross -= n_rows * mean * target_mean);
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
        Ok(Some(System {
            order,
            n_rows,
            energy: squares[0] - n_rows * target_mean * target_mean,
            last_energy: squares[order],
            means,
            target_mean,
            cross,
            with_last,
            ends,
            gram,
            inverse,
        }))
    }

    /// `G v`.
    fn product(&self, v: &[f64], about: About) -> Result<Vec<f64>> {
        let mut product = self.gram.product(v)?;
        if about == About::Means {
            let along = self.n_rows * dot(&self.means, v);
            product.iter_mut().zip(&self.means).for_each(|(product, mean)| *product -= along * mean);
        }
        Ok(product)
    }

    /// The diagonal of the inverse of `G` about the means, of a system without a ridge; `None` if it cannot be told.
    ///
    /// With the target as lag 0, the products of lags 0 to p, `W`, hold `G` at their end and at their beginning `F = G +
    /// H H' - L L'`, of the windows one step earlier: `H` the first windows of the stretches, `L` the ones after their
    /// last. Both ways of bordering give the diagonal of the inverse of `W`: from `G` by `f = (1, -G^-1 c)`, from `F` by
    /// `b = (-F^-1 d, 1)`, with `c` and `d` the products with lag 0 and lag p. So one element follows from the one
    /// before it (Kailath, Kung & Morf 1979). `F^-1` and the means by the formula of Woodbury.
    fn inverse_diagonal(&self) -> Result<Option<Vec<f64>>> {
        let p = self.order;
        let lift = self.n_rows * self.target_mean;
        let with_target: Vec<f64> =
            self.cross.iter().zip(&self.means).map(|(c, mean)| c + lift * mean).collect();
        let mut rights = vec![&with_target, &self.with_last, &self.means];
        rights.extend(self.ends.iter().flatten());
        let solved: Vec<Option<Vec<f64>>> =
            rights.into_par_iter().map(|right| self.solve(right, About::Zero)).collect::<Result<_>>()?;
        let Some(solved) = solved.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let (from_target, from_last, from_means) = (&solved[0], &solved[1], &solved[2]);
        let (ends, of_ends): (Vec<&Vec<f64>>, _) = (self.ends.iter().flatten().collect(), &solved[3..]);
        let n = ends.len();
        let signs = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let small =
            Mat::from_fn(n, n, |i, j| dot(ends[i], &of_ends[j]) + if i == j { signs(i) } else { 0.0 });
        let small = small.partial_piv_lu().inverse();
        let along: Vec<f64> = ends.iter().map(|end| dot(end, from_last)).collect();
        let shares: Vec<f64> = (0..n).map(|i| (0..n).map(|j| small[(i, j)] * along[j]).sum()).collect();
        let backward: Vec<f64> = (0..p)
            .map(|j| {
                from_last[j] - of_ends.iter().zip(&shares).map(|(end, share)| end[j] * share).sum::<f64>()
            })
            .collect();
        let target_energy = self.energy + lift * self.target_mean;
        let of_forward = target_energy - dot(&with_target, from_target);
        let of_backward = self.last_energy - dot(&self.with_last, &backward);
        let of_means = 1.0 - self.n_rows * dot(&self.means, from_means);
        if !(of_forward > 0.0 && of_backward > 0.0 && of_means > 0.0) {
            return Ok(None);
        }
        let mut element = 0.0;
        let diagonal: Vec<f64> = (0..p)
            .map(|j| {
                let forward = if j == 0 { 1.0 } else { from_target[j - 1] };
                let rows = of_ends.iter().enumerate().map(|(i, end)| {
                    end[j]
                        * of_ends.iter().enumerate().map(|(k, other)| small[(i, k)] * other[j]).sum::<f64>()
                });
                element += rows.sum::<f64>() + forward * forward / of_forward;
                element -= backward[j] * backward[j] / of_backward;
                element + self.n_rows * from_means[j] * from_means[j] / of_means
            })
            .collect();
        // What cancelled on the way shows at the end: the matrix tells then.
        let forward = from_target[p - 1];
        let due = 1.0 / of_backward - forward * forward / of_forward;
        let closes = (element - due).abs() <= CLOSES * due.abs();
        Ok((closes && diagonal.iter().all(|element| *element > 0.0)).then_some(diagonal))
    }

    /// The solution for a right side; `None` if too much of it may be wrong.
    fn solve(&self, right: &[f64], about: About) -> Result<Option<Vec<f64>>> {
        let mut solution = vec![0.0; self.order];
        let mut left = right.to_vec();
        for _ in 0..MOST_DESCENTS {
            let step = self.descend(&left, about)?;
            solution.iter_mut().zip(&step).for_each(|(solution, step)| *solution += step);
            let product = self.product(&solution, about)?;
            left = right.iter().zip(&product).map(|(right, product)| right - product).collect();
            // What is left, solved for without heads and tails, is about what is wrong.
            let wrong = self.inverse.product(&left)?;
            if dot(&wrong, &wrong) <= TOLERANCE * TOLERANCE * dot(&solution, &solution) {
                return Ok(Some(solution));
            }
        }
        Ok(None)
    }

    /// Conjugate gradients (Hestenes and Stiefel 1952), conditioned by `T^-1`, as far as they lead.
    fn descend(&self, right: &[f64], about: About) -> Result<Vec<f64>> {
        let mut solution = vec![0.0; self.order];
        let mut left = right.to_vec();
        let mut conditioned = self.inverse.product(&left)?;
        let mut direction = conditioned.clone();
        let first = dot(&left, &conditioned);
        let mut size = first;
        for _ in 0..MOST_STEPS {
            let product = self.product(&direction, about)?;
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
            for (ours, due) in system.product(&v, About::Means).unwrap().iter().zip(&due) {
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
                let factor = Cholesky::new(&centred.gram, 0.0).unwrap().unwrap();
                let due = factor.solve(&centred.cross).unwrap();
                let found = solve(&runs, order, 0.0).unwrap().unwrap();
                for (ours, due) in found.weights.iter().zip(&due) {
                    assert!((ours - due).abs() < 1e-9, "{order}: {ours} {due}");
                }
                assert!((found.intercept - moments.intercepts(&due)[0]).abs() < 1e-9);
                let left = centred.energy[0] - due.row(0).dot(&centred.cross.column(0));
                let due = standard_errors(left, centred.rows, &factor.inverse_diagonal(order)).unwrap();
                for (ours, due) in found.errors.unwrap().iter().zip(&due) {
                    assert!((ours / due - 1.0).abs() < 1e-7, "{order}: {ours} {due}");
                }
            }
        }
    }

    /// What only the first windows hold cancels in what is left of them.
    #[test]
    fn errors_that_an_outlier_near_the_start_would_spoil_are_left_to_others() {
        for (at, size) in [(5, 1e5), (0, 3e4), (280, 1e6)] {
            let mut values = process(2_000, &[0.2, 0.3, -0.5]);
            values[at] += size;
            let centred = lagged_moments(&[&values], 300, 1).unwrap().centred();
            let factor = Cholesky::new(&centred.gram, 0.0).unwrap().unwrap();
            let due = factor.solve(&centred.cross).unwrap();
            let left = centred.energy[0] - due.row(0).dot(&centred.cross.column(0));
            let due = standard_errors(left, centred.rows, &factor.inverse_diagonal(300)).unwrap();
            let found = solve(&[&values], 300, 0.0).unwrap();
            for (ours, due) in found.into_iter().flat_map(|found| found.errors).flatten().zip(&due) {
                assert!((ours / due - 1.0).abs() < 1e-4, "{at} {size}: {ours} {due}");
            }
        }
    }

    #[test]
    fn lags_that_depend_on_each_other_are_left_to_others() {
        let wave: Vec<f64> = (0..4_000).map(|t| (t as f64 * 0.3).sin()).collect();
        assert_eq!(solve(&[&wave], 300, 0.0).unwrap(), None);
        assert_eq!(solve(&[&[0.0; 900]], 300, 0.0).unwrap(), None);
        assert_eq!(solve(&[&wave[..300]], 300, 0.0).unwrap(), None);
    }
}
