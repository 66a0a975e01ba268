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

mod options;
mod triangle;

use serde::{Deserialize, Serialize};

use super::sparse::Problem;
use crate::{Error, Result};
pub use options::RlsOptions;
use triangle::Triangle;

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
mod tests;
