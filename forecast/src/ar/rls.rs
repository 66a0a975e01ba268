//! Recursive least squares with forgetting, on a few lags: coefficients that follow a stream.
//!
//! After each observation the coefficients minimise `sum_i f^(t-i) (y_i - b - w'x_i)^2` plus a weak pull to where
//! they started. Kept is not a covariance, which loses its symmetry and then its sign, but the triangular root `R` of
//! the information matrix, updated by Givens rotations (the square-root information form; Golub and Van Loan,
//! *Matrix Computations*, section 6.5.4, with forgetting): it is positive by construction, and errors of rounding are
//! forgotten with the data.
//!
//! Where the input says nothing new (a constant series), forgetting lets the information about the rest run out, and
//! the first lively value would throw the coefficients anywhere. So what is forgotten of the prior is given back, one
//! coefficient at a time: the information about each never falls below a quarter of the prior's (the covariance, in
//! units of the noise, is at most `4 / prior`), and coefficients that the data no longer tell return to where they
//! started.

mod triangle;

use serde::{Deserialize, Serialize};

use super::sparse::Problem;
use crate::{Error, Result};
use triangle::Triangle;

/// Settings of [`RecursiveLeastSquares`].
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `forgetting` | 1 | weight of an observation for each step that it is old; `1 / (1 - forgetting)` steps are remembered | `k / (k + 1)` to 1 for `k` inputs, above 0: as many steps as coefficients |
/// | `prior` | 1e-3 | how firmly coefficients are held where they start: as by observations whose squares sum to this, in the units of the series squared | 1e-12 to 1e12 |
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlsOptions {
    /// Weight of an observation for each step that it is old.
    pub forgetting: f64,
    /// How firmly coefficients are held where they start.
    pub prior: f64,
}

impl Default for RlsOptions {
    fn default() -> Self {
        RlsOptions { forgetting: 1.0, prior: 1e-3 }
    }
}

/// A linear model that learns from each observation; 8 `(k+1)(k+2)/2` bytes and a little more for `k` inputs.
///
/// It can be stored and taken up again with the same bits to follow.
///
/// # Example
/// ```
/// use forecast::ar::rls::{RecursiveLeastSquares, RlsOptions};
///
/// let mut model = RecursiveLeastSquares::new(1, RlsOptions::default())?;
/// for x in [1.0, 2.0, 4.0, 3.0] {
///     model.update(&[x], 10.0 + 2.0 * x);
/// }
/// assert!((model.predict(&[5.0]) - 20.0).abs() < 0.01);
/// assert_eq!(model.update(&[f64::NAN], 1.0), None); // nothing to learn from
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct RecursiveLeastSquares {
    state: Stored,
    /// A row on its way into the triangle; as long as the coefficients and the target.
    row: Vec<f64>,
}

/// What is stored: coefficient 0 is the intercept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    options: RlsOptions,
    /// Where coefficients return to that the data do not tell.
    origin: Vec<f64>,
    coefficients: Vec<f64>,
    /// `R` and the rotated target.
    triangle: Triangle,
    /// Whose share of the prior is given back next.
    next: usize,
}

/// With larger values and the smallest prior, products of coefficients and information could overflow.
const LARGEST: f64 = 1e100;

impl RecursiveLeastSquares {
    /// Starts knowing nothing but the prior: all coefficients zero, information `prior` on the diagonal. With
    /// forgetting 1, the coefficients are those of ridge regression with that strength, intercept included.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a setting out of its range, or more than 10,000 inputs.
    pub fn new(n_inputs: usize, options: RlsOptions) -> Result<Self> {
        let size = check_inputs(n_inputs)? + 1;
        options.check(size)?;
        let triangle = Triangle::diagonal(size, options.prior.sqrt());
        Stored { options, origin: vec![0.0; size], coefficients: vec![0.0; size], triangle, next: 0 }
            .try_into()
    }

    /// Starts at these coefficients, the intercept first, held there by the prior alone.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a setting out of its range, more than 10,000 inputs, no coefficient at all, or one that
    /// is not finite.
    pub fn at(coefficients: &[f64], options: RlsOptions) -> Result<Self> {
        let Some(n_inputs) = coefficients.len().checked_sub(1) else {
            return Err(Error::option("coefficients", "[]", "there must be an intercept at least"));
        };
        let size = check_inputs(n_inputs)? + 1;
        options.check(size)?;
        let triangle = Triangle::at(coefficients, options.prior.sqrt());
        let (origin, coefficients) = (coefficients.to_vec(), coefficients.to_vec());
        Stored { options, origin, coefficients, triangle, next: 0 }.try_into()
    }

    /// Starts from the statistics of a fit, on some of its columns: the coefficients are its least squares, as if
    /// every row had been observed and none forgotten, and they return to it where the data tell nothing.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a setting out of its range, a column that is not there, or columns that depend on
    /// each other.
    pub fn from_problem(problem: &Problem<'_>, columns: &[usize], options: RlsOptions) -> Result<Self> {
        let size = check_inputs(columns.len())? + 1;
        options.check(size)?;
        let triangle = Triangle(problem.root(columns)?);
        let mut model = RecursiveLeastSquares::try_from(Stored {
            options,
            origin: vec![0.0; size],
            coefficients: vec![0.0; size],
            triangle,
            next: 0,
        })?;
        model.state.triangle.solve(&mut model.state.coefficients);
        model.state.origin.clone_from(&model.state.coefficients);
        Ok(model)
    }

    /// The forecast of the target, in its units.
    ///
    /// `inputs` has the length that the model was made with; what is missing counts as zero, what is more is ignored.
    #[must_use]
    pub fn predict(&self, inputs: &[f64]) -> f64 {
        let [intercept, weights @ ..] = self.state.coefficients.as_slice() else { return f64::NAN };
        weights.iter().zip(inputs).fold(*intercept, |sum, (w, x)| sum + w * x)
    }

    /// Learns from one observation and returns the error of the forecast before it, target less forecast; allocates
    /// nothing.
    ///
    /// `None` if an input or the target is missing, infinite or above 1e100, or if there are not as many inputs as
    /// the model has: then nothing is learnt or forgotten.
    pub fn update(&mut self, inputs: &[f64], target: f64) -> Option<f64> {
        let is_usable = |v: &f64| v.abs() <= LARGEST;
        if inputs.len() + 1 != self.size() || !inputs.iter().chain([&target]).all(is_usable) {
            return None;
        }
        let error = target - self.predict(inputs);
        self.forget();
        self.row[0] = 1.0;
        self.row[1..=inputs.len()].copy_from_slice(inputs);
        self.row[inputs.len() + 1] = target;
        self.state.triangle.rotate(&mut self.row, 0);
        self.state.triangle.solve(&mut self.state.coefficients);
        Some(error)
    }

    /// The intercept, then one weight for each input.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.state.coefficients
    }

    fn size(&self) -> usize {
        self.state.coefficients.len()
    }

    /// Scales the information by the forgetting factor and gives back what one coefficient lost of its prior since
    /// its last turn: `prior (1 - f^size)`.
    fn forget(&mut self) {
        let RlsOptions { forgetting, prior } = self.state.options;
        if forgetting >= 1.0 {
            return;
        }
        self.state.triangle.scale(forgetting.sqrt());
        let (size, next) = (self.size(), self.state.next);
        let weight = (prior * (1.0 - forgetting.powi(size as i32))).sqrt();
        self.row.fill(0.0);
        self.row[next] = weight;
        self.row[size] = weight * self.state.origin[next];
        self.state.next = (next + 1) % size;
        self.state.triangle.rotate(&mut self.row, next);
    }
}

/// A triangle of more would not fit the rate of a stream, nor its memory.
const MOST_INPUTS: usize = 10_000;

fn check_inputs(n_inputs: usize) -> Result<usize> {
    match n_inputs {
        0..=MOST_INPUTS => Ok(n_inputs),
        _ => Err(Error::option("inputs", n_inputs, format!("there must be at most {MOST_INPUTS}"))),
    }
}

impl RlsOptions {
    fn check(&self, n_coefficients: usize) -> Result<()> {
        // Then what a coefficient loses of its prior between two turns is three quarters at most.
        let least = 1.0 - 1.0 / n_coefficients as f64;
        if !(self.forgetting > 0.0 && (least..=1.0).contains(&self.forgetting)) {
            let rule = format!(
                "it must be above 0 and from {least} to 1, to remember as many steps as coefficients"
            );
            return Err(Error::option("forgetting", self.forgetting, rule));
        }
        if !(1e-12..=1e12).contains(&self.prior) {
            return Err(Error::option("prior", self.prior, "it must be from 1e-12 to 1e12"));
        }
        Ok(())
    }
}

impl TryFrom<Stored> for RecursiveLeastSquares {
    type Error = Error;

    fn try_from(state: Stored) -> Result<Self> {
        let size = state.coefficients.len();
        state.options.check(size)?;
        let is_whole = size > 0
            && size <= MOST_INPUTS + 1
            && state.origin.len() == size
            && state.triangle.is_of(size)
            && state.next < size
            && state.origin.iter().chain(&state.coefficients).all(|v| v.is_finite());
        if !is_whole {
            let rule = "its parts must fit each other: start anew from the model";
            return Err(Error::option("stored recursive least squares", size, rule));
        }
        Ok(RecursiveLeastSquares { row: vec![0.0; size + 1], state })
    }
}

impl From<RecursiveLeastSquares> for Stored {
    fn from(model: RecursiveLeastSquares) -> Self {
        model.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use forecast_datasets::ArProcess;
    use ndarray::{Array1, Array2};

    const PHI: [f64; 4] = [0.6, -0.3, 0.2, 0.1];

    fn series(n_steps: usize) -> Vec<f64> {
        ArProcess { coefficients: PHI.to_vec(), intercept: 2.0, ..ArProcess::default() }
            .generate(n_steps, 8)
            .unwrap()
    }

    /// Lags 1 to 4 of step `t`.
    fn lags(y: &[f64], t: usize) -> [f64; 4] {
        [y[t - 1], y[t - 2], y[t - 3], y[t - 4]]
    }

    /// The error of each forecast before its step was learnt from.
    fn learn(model: &mut RecursiveLeastSquares, y: &[f64], steps: std::ops::Range<usize>) -> Vec<f64> {
        steps.map(|t| model.update(&lags(y, t), y[t]).unwrap()).collect()
    }

    fn problem(y: &[f64]) -> Problem<'static> {
        let x = Array2::from_shape_fn((y.len() - 4, 4), |(t, j)| y[t + 3 - j]);
        Problem::from_rows(x.view(), Array1::from(y[4..].to_vec()).view()).unwrap()
    }

    /// `(X'WX + prior I)^-1 X'Wy` by elimination, `W` being powers of the forgetting factor.
    fn batch(y: &[f64], options: RlsOptions) -> Vec<f64> {
        let mut system = Array2::<f64>::zeros((5, 6));
        let last = y.len() - 1;
        for t in 4..y.len() {
            let weight = options.forgetting.powi((last - t) as i32);
            let [a, b, c, d] = lags(y, t);
            let row = [1.0, a, b, c, d, y[t]];
            for i in 0..5 {
                for j in 0..6 {
                    system[[i, j]] += weight * row[i] * row[j];
                }
            }
        }
        (0..5).for_each(|i| system[[i, i]] += options.prior);
        for i in 0..5 {
            for k in (0..5).filter(|k| *k != i) {
                let share = system[[k, i]] / system[[i, i]];
                for j in 0..6 {
                    system[[k, j]] -= share * system[[i, j]];
                }
            }
        }
        (0..5).map(|i| system[[i, 5]] / system[[i, i]]).collect()
    }

    fn assert_close(model: &RecursiveLeastSquares, expected: &[f64], tolerance: f64) {
        assert_eq!(model.coefficients().len(), expected.len());
        for (a, b) in model.coefficients().iter().zip(expected) {
            assert!((a - b).abs() <= tolerance, "{:?} is not {expected:?}", model.coefficients());
        }
    }

    #[test]
    fn without_forgetting_it_is_the_batch_solution_after_100_000_steps() {
        let y = series(100_004);
        let options = RlsOptions::default();
        let mut model = RecursiveLeastSquares::new(4, options).unwrap();
        learn(&mut model, &y, 4..y.len());
        assert_close(&model, &batch(&y, options), 1e-8);
        // From the statistics of the first part, it is least squares on all, without a prior.
        let mut model =
            RecursiveLeastSquares::from_problem(&problem(&y[..1_004]), &[0, 1, 2, 3], options).unwrap();
        learn(&mut model, &y, 1_004..y.len());
        let plain = RlsOptions { prior: 0.0, ..options };
        assert_close(&model, &batch(&y, plain), 1e-8);
    }

    #[test]
    fn the_start_from_statistics_is_least_squares_on_the_chosen_columns() {
        let y = series(3_000);
        let problem = problem(&y);
        let model = RecursiveLeastSquares::from_problem(&problem, &[3, 0], RlsOptions::default()).unwrap();
        let [intercept, of_lag_4, of_lag_1] = model.coefficients() else { panic!() };
        let sse = |w1: f64, w4: f64, b: f64| problem.sse(&[w1, 0.0, 0.0, w4], b);
        let best = sse(*of_lag_1, *of_lag_4, *intercept);
        for (a, b, c) in [(1e-3, 0.0, 0.0), (0.0, 1e-3, 0.0), (0.0, 0.0, 1e-2), (1e-3, -1e-3, 1e-2)] {
            for sign in [1.0, -1.0] {
                assert!(sse(of_lag_1 + sign * a, of_lag_4 + sign * b, intercept + sign * c) > best);
            }
        }
    }

    #[test]
    fn forgetting_weighs_by_age() {
        let y = series(2_000);
        let options = RlsOptions { forgetting: 0.98, prior: 1e-9 };
        let mut model = RecursiveLeastSquares::new(4, options).unwrap();
        learn(&mut model, &y, 4..y.len());
        assert_close(&model, &batch(&y, options), 1e-8);
    }

    #[test]
    fn ten_million_updates_with_forgetting_leave_it_as_good_as_new() {
        let y = series(100_000);
        let options = RlsOptions { forgetting: 0.999, prior: 1e-3 };
        let mut model = RecursiveLeastSquares::new(4, options).unwrap();
        for _ in 0..100 {
            learn(&mut model, &y, 4..y.len());
        }
        // The last 30,000 steps weigh all but e^-30.
        let mut fresh = RecursiveLeastSquares::new(4, options).unwrap();
        learn(&mut fresh, &y, 70_000..y.len());
        assert_close(&model, fresh.coefficients(), 1e-8);
    }

    #[test]
    fn a_long_constant_stretch_does_not_wind_it_up() {
        let lively = series(4_000);
        let options = RlsOptions { forgetting: 0.99, prior: 1e-3 };
        let mut model = RecursiveLeastSquares::new(4, options).unwrap();
        learn(&mut model, &lively, 4..lively.len());
        let level = lively[3_999];
        for _ in 0..1_000_000 {
            model.update(&[level; 4], level).unwrap();
        }
        let size = model.size();
        let diagonal = (0..size).map(|i| model.state.triangle.row(i, size)[0]);
        assert!(diagonal.fold(f64::INFINITY, f64::min) >= (options.prior / 4.0).sqrt());
        assert!((model.predict(&[level; 4]) - level).abs() < 1e-4);
        assert!(model.coefficients().iter().all(|w| w.abs() < 2.0), "{:?}", model.coefficients());
        // The lively series again: no forecast is far off, and soon they are as good as any.
        let errors = learn(&mut model, &lively, 4..2_000);
        let largest = errors.iter().fold(0.0, |most: f64, e| most.max(e.abs()));
        let mse = errors[200..].iter().map(|e| e * e).sum::<f64>() / (errors.len() - 200) as f64;
        assert!(largest < 12.0 && (0.9..1.2).contains(&mse), "largest {largest}, mse {mse}");
    }

    #[test]
    fn what_cannot_be_used_is_not_learnt_from() {
        let mut model = RecursiveLeastSquares::new(2, RlsOptions { forgetting: 0.9, prior: 1.0 }).unwrap();
        model.update(&[1.0, 2.0], 3.0).unwrap();
        let before = model.clone();
        for (inputs, target) in [
            (&[1.0, f64::NAN][..], 1.0),
            (&[1.0, 2.0], f64::NAN),
            (&[f64::INFINITY, 2.0], 1.0),
            (&[1.0, 1e120], 1.0),
            (&[1.0], 1.0),
            (&[1.0, 2.0, 3.0], 1.0),
        ] {
            assert_eq!(model.update(inputs, target), None);
        }
        assert_eq!(model, before);
        for _ in 0..50 {
            model.update(&[1e100, -1e100], 1e100).unwrap();
            model.update(&[1e-100, 3.0], -1e100).unwrap();
        }
        assert!(model.coefficients().iter().all(|w| w.is_finite()));
    }

    #[test]
    fn a_stored_session_goes_on_with_the_same_bits() {
        let y = series(500);
        let mut model = RecursiveLeastSquares::new(4, RlsOptions { forgetting: 0.95, prior: 0.1 }).unwrap();
        learn(&mut model, &y, 4..300);
        let text = serde_json::to_string(&model).unwrap();
        let mut taken_up: RecursiveLeastSquares = serde_json::from_str(&text).unwrap();
        for t in 300..500 {
            let errors = [&mut model, &mut taken_up].map(|m| m.update(&lags(&y, t), y[t]).unwrap().to_bits());
            assert_eq!(errors[0], errors[1]);
        }
        assert_eq!(model, taken_up);
        for (from, to) in [("\"next\":", "\"next\":9"), ("\"origin\":[", "\"origin\":[1.0,"), ("0.95", "0.5")]
        {
            let altered = text.replacen(from, to, 1);
            assert!(
                altered != text && serde_json::from_str::<RecursiveLeastSquares>(&altered).is_err(),
                "{to}"
            );
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let message = |n, forgetting, prior| {
            RecursiveLeastSquares::new(n, RlsOptions { forgetting, prior }).unwrap_err().to_string()
        };
        assert!(
            message(2, 0.0, 1.0).contains("forgetting") && message(2, f64::NAN, 1.0).contains("forgetting")
        );
        assert!(message(4, 0.79, 1.0).contains("forgetting") && message(0, 0.0, 1.0).contains("forgetting"));
        assert!(message(2, 1.0, 0.0).contains("prior") && message(2, 1.0, f64::NAN).contains("prior"));
        assert!(message(usize::MAX, 1.0, 1.0).contains("inputs"));
        let y = series(100);
        let start = |columns: &[usize]| {
            RecursiveLeastSquares::from_problem(&problem(&y), columns, RlsOptions::default())
                .unwrap_err()
                .to_string()
        };
        assert!(start(&[0, 7]).contains("below 4") && start(&[2, 2]).contains("depend"));
    }
}
