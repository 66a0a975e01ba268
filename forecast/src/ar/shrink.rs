//! Coefficients of each series drawn towards those of all: what a short series cannot tell, the others can.
//!
//! `w = (1 - s) w_series + s w_pooled`, the linear form of James and Stein (1961). The share `s` of each series is the
//! one whose forecasts of its last fifth err least, with both coefficients fitted on the rest.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::gram::lagged_moments;
use super::ridge::squared_error;
use super::segments::complete_runs;
use super::solve::Solved;
use crate::{Error, Result};

/// How far the coefficients of each series are drawn towards those of all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "it must be validation, or a share from 0 to 1")]
pub enum Shrinkage {
    /// As the last fifth of each series tells.
    Chosen(ByValidation),
    /// This share of the way.
    Share(f64),
}

/// The word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ByValidation {
    /// Chosen on the last fifth of each series.
    Validation,
}

/// Shares that are tried; of equal ones, the first.
const SHARES: [f64; 5] = [1.0, 0.75, 0.5, 0.25, 0.0];
/// Steps ahead that are scored, at most, evenly spaced.
const MOST_TARGETS: usize = 48;

impl Shrinkage {
    pub(super) fn check(self) -> Result<()> {
        match self {
            Shrinkage::Share(share) if !(0.0..=1.0).contains(&share) => {
                Err(Error::option("shrinkage", share, "it must be from 0 to 1, or validation"))
            }
            _ => Ok(()),
        }
    }
}

/// The columns without their last fifth.
pub(super) fn first_part(columns: &[Vec<f64>]) -> Vec<Vec<f64>> {
    columns.iter().map(|column| column[..cut(column)].to_vec()).collect()
}

fn cut(column: &[f64]) -> usize {
    column.len() - column.len() / 5
}

/// The share at which the mean of two forecasts of the last fifth of some columns errs least; all the way where there
/// is nothing to score.
pub(super) fn best_share(columns: &[Vec<f64>], own: &Solved, pooled: &Solved) -> Result<f64> {
    let (n_steps, order) = own.weights.dim();
    let runs: Vec<&[f64]> = columns
        .iter()
        .flat_map(|column| complete_runs(&column[cut(column).saturating_sub(order)..]))
        .collect();
    let every = n_steps.div_ceil(MOST_TARGETS);
    let scored = lagged_moments(&runs, order, n_steps)?.every_target(every);
    if scored.rows == 0 {
        return Ok(1.0);
    }
    let mut best = (f64::INFINITY, 1.0);
    for share in SHARES {
        let error = squared_error(&scored, &mixed(own, pooled, share).every_step(every));
        if error < best.0 {
            best = (error, share);
        }
    }
    Ok(best.1)
}

/// The coefficients that are `share` of the way.
pub(super) fn mixed(own: &Solved, pooled: &Solved, share: f64) -> Solved {
    Solved {
        weights: (1.0 - share) * &own.weights + share * &pooled.weights,
        intercepts: (1.0 - share) * &own.intercepts + share * &pooled.intercepts,
        errors: None,
        frequencies: None,
        ridges: own.ridges.clone(),
    }
}

impl Solved {
    /// Those of the first step and every `every`-th after it.
    fn every_step(&self, every: usize) -> Solved {
        let steps: Vec<usize> = (0..self.intercepts.len()).step_by(every.max(1)).collect();
        Solved {
            weights: self.weights.select(ndarray::Axis(0), &steps),
            intercepts: steps.iter().map(|step| self.intercepts[*step]).collect::<Array1<f64>>(),
            errors: None,
            frequencies: None,
            ridges: self.ridges.clone(),
        }
    }
}
