//! Which lags: a sparse path over the lags of one look-back, and the choice along it.

use ndarray::s;
use rayon::prelude::*;

use super::anchor::Anchor;
use super::gram::lagged_moments;
use super::moments::Moments;
use super::order::Criterion;
use super::ridge::Trial;
use super::solve::Member;
use super::sparse::{
    self, Lambdas, PathOptions, Penalty, Problem, Refit, StabilityOptions, forward, path, select, stability,
};
use crate::{Error, Result};

/// How lags are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Choice {
    /// Of a path; not looked at where lags are taken one after another.
    pub(super) penalty: Penalty,
    pub(super) strength: Strength,
    /// Lags that may stay.
    pub(super) most_lags: usize,
}

/// How strong the penalty is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Strength {
    /// Where the criterion is smallest along the path.
    Chosen(Criterion),
    /// As weak as the number of lags that may stay allows.
    Weakest,
    /// As given.
    Lambda(f64),
    /// No penalty: the lag that lowers the error most, one after another.
    Forward,
}

/// How exact the solutions of a path are of which only the last one's lags count.
const ROUGHLY: f64 = 1e-4;
/// Share of the mean diagonal that is added to it while lags are taken one after another: neighbours are nearly the same.
const FORWARD_RIDGE: f64 = 1e-3;
/// Supports that are tried, at most.
const MOST_TRIED: usize = 32;
/// Blocks of time that are split into halves, at most, and the memory of their statistics, in numbers.
const MOST_BLOCKS: usize = 20;
const MOST_NUMBERS: usize = 25_000_000;
/// More lags have to better the squared error by this much.
const MORE_IS_WORTHWHILE: f64 = 0.002;

/// Ascending, 0 for lag 1.
type Support = Vec<usize>;

impl Choice {
    /// The lags of a look-back that stay for each target, and the look-back with its ridge chosen.
    ///
    /// Each target has lags of its own, from the path of its own objective. A criterion chooses for one of them along the
    /// path; validation the fewest lags whose squared error is close enough to the least.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no rest of the data to validate on.
    pub(super) fn lags(
        &self,
        moments: &Moments,
        member: &Member,
        trial: Option<&Trial>,
    ) -> Result<(Vec<Support>, Member)> {
        let trial = trial.map(|trial| trial.leading(member.lookback));
        let anchored = for_choice(moments, member.anchor);
        let (supports, member) = match self.strength {
            Strength::Lambda(lambda) => {
                let paths = self.paths(&anchored, &Lambdas::Given(vec![lambda]))?;
                (paths.into_iter().map(|path| up_to(&path, usize::MAX)).collect(), *member)
            }
            Strength::Weakest => {
                let paths = self.paths(&anchored, &Lambdas::Auto)?;
                (paths.iter().map(|path| up_to(path, self.most_lags)).collect(), *member)
            }
            Strength::Forward => {
                let centred = anchored.centred();
                let ridge = FORWARD_RIDGE * centred.gram.diag().mean().unwrap_or(0.0);
                let of_target = |target: usize| {
                    forward(&centred.gram, centred.cross.column(target), ridge, self.most_lags)
                };
                ((0..centred.cross.ncols()).into_par_iter().map(of_target).collect(), *member)
            }
            Strength::Chosen(Criterion::Validation) => {
                let Some(trial) = trial.as_ref().filter(|trial| trial.is_possible()) else {
                    let rule = "there are too few complete rows to choose lags on a fifth of them; use bic";
                    return Err(Error::option("criterion", "validation", rule));
                };
                self.validated(trial, member)?
            }
            Strength::Chosen(criterion) => {
                let problem = Problem::of(&anchored, 0)?;
                let solutions = path(&problem, &self.options(Lambdas::Auto))?;
                let gamma = if criterion == Criterion::Ebic { 1.0 } else { 0.0 };
                let chosen = select(&problem, &solutions, sparse::Criterion::Bic { gamma })?;
                (vec![chosen.support.clone()], *member)
            }
        };
        let ridge = match (member.ridge, trial) {
            (None, Some(trial)) => Some(trial.best_share(&member, Some(&supports))?.0),
            (ridge, _) => ridge,
        };
        Ok((supports, Member { ridge, ..member }))
    }

    /// The fewest lags that do nearly as well as any on the last fifth.
    fn validated(&self, trial: &Trial, member: &Member) -> Result<(Vec<Support>, Member)> {
        let problem = Problem::owned(for_choice(&trial.fitted, member.anchor))?;
        let solutions = path(&problem, &self.options(Lambdas::Auto))?.into_iter();
        let mut candidates: Vec<Support> = solutions.map(|solution| solution.support).collect();
        candidates.dedup();
        let every = candidates.len().div_ceil(MOST_TRIED).max(1);
        let mut tried: Vec<Tried> = Vec::new();
        for support in candidates.into_iter().step_by(every) {
            let supports = vec![support];
            let (ridge, error) = match member.ridge {
                Some(ridge) => (ridge, trial.error(member, ridge, Some(&supports))?),
                None => trial.best_share(member, Some(&supports))?,
            };
            tried.push((error, ridge, supports));
        }
        let (_, ridge, supports) = fewest(tried).unwrap_or_default();
        Ok((supports, Member { ridge: Some(ridge), ..*member }))
    }

    /// The supports of the path of every target, the strongest penalty first.
    fn paths(&self, moments: &Moments, lambdas: &Lambdas) -> Result<Vec<Vec<Support>>> {
        let of_target = |target: usize| -> Result<Vec<Support>> {
            let solutions = path(&Problem::of(moments, target)?, &self.options(lambdas.clone()))?;
            Ok(solutions.into_iter().map(|solution| solution.support).collect())
        };
        (0..moments.cross.ncols()).into_par_iter().map(of_target).collect()
    }

    /// How often each lag is chosen for one step ahead from random halves of complete stretches; `None` where they are
    /// too short for four blocks.
    pub(super) fn frequencies(
        &self,
        runs: &[&[f64]],
        member: &Member,
        n_pairs: usize,
    ) -> Result<Option<Vec<f64>>> {
        let lookback = member.lookback;
        let rows: usize = runs.iter().map(|run| run.len().saturating_sub(lookback)).sum();
        let n_blocks = (MOST_NUMBERS / (lookback * lookback)).clamp(4, MOST_BLOCKS);
        let size = rows.div_ceil(n_blocks);
        if size <= lookback {
            return Ok(None);
        }
        // Rows of a block begin where those of the one before end, so that each row is in one.
        let block = |run: &'_ [f64], start: usize| -> Result<Problem<'static>> {
            let end = (start + size + lookback).min(run.len());
            let moments = lagged_moments(&[&run[start..end]], lookback, 1)?;
            Problem::owned(for_choice(&moments, member.anchor))
        };
        let starts = runs.iter().flat_map(|run| {
            let n_rows = run.len().saturating_sub(lookback);
            (0..n_rows).step_by(size).map(move |start| (*run, start))
        });
        let blocks: Vec<Problem<'static>> =
            starts.map(|(run, start)| block(run, start)).collect::<Result<_>>()?;
        if blocks.len() < 2 || blocks.len() > 4 * MOST_BLOCKS {
            return Ok(None);
        }
        let (lambdas, gamma) = match self.strength {
            Strength::Lambda(lambda) => (Lambdas::Given(vec![lambda]), 1.0),
            Strength::Chosen(Criterion::Bic) => (Lambdas::Auto, 0.0),
            Strength::Chosen(_) | Strength::Weakest | Strength::Forward => (Lambdas::Auto, 1.0),
        };
        let options = StabilityOptions { n_pairs, seed: 0, path: self.options(lambdas), gamma };
        stability(&blocks, &options).map(Some)
    }

    fn options(&self, lambdas: Lambdas) -> PathOptions {
        let (penalty, most_lags) = (self.penalty, self.most_lags);
        let options = PathOptions { penalty, lambdas, most_lags, ..PathOptions::default() };
        match self.strength {
            // Only which lags there are is asked.
            Strength::Weakest => PathOptions { refit: Refit::None, tolerance: ROUGHLY, ..options },
            _ => PathOptions { refit: Refit::Support, ..options },
        }
    }
}

/// What was tried: squared error, ridge, and the lags.
type Tried = (f64, f64, Vec<Support>);

/// The fewest lags whose error is close enough to the least.
fn fewest(tried: Vec<Tried>) -> Option<Tried> {
    let least = tried.iter().fold(f64::INFINITY, |least: f64, (error, ..)| least.min(*error));
    let is_good = |(error, ..): &Tried| *error <= least * (1.0 + MORE_IS_WORTHWHILE);
    tried
        .into_iter()
        .filter(is_good)
        .min_by_key(|(.., supports)| supports.iter().map(Vec::len).sum::<usize>())
}

/// The last support of a path with at most so many lags.
fn up_to(path: &[Support], most: usize) -> Support {
    path.iter().rfind(|support| support.len() <= most).cloned().unwrap_or_default()
}

/// The statistics that lags are chosen on: of anchored windows without an intercept, and without lag 1 where it is the
/// anchor.
fn for_choice(moments: &Moments, anchor: Anchor) -> Moments {
    let Some(weights) = anchor.weights(moments.gram.nrows()) else { return moments.clone() };
    let mut anchored = moments.anchored(&weights);
    anchored.column_sums.fill(0.0);
    anchored.target_sums.fill(0.0);
    if anchor == Anchor::Last {
        // Zero but for rounding.
        anchored.gram.slice_mut(s![0, ..]).fill(0.0);
        anchored.gram.slice_mut(s![.., 0]).fill(0.0);
        anchored.cross.slice_mut(s![0, ..]).fill(0.0);
    }
    anchored
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ar::sparse::Regulariser;
    use forecast_datasets::ArProcess;

    fn series() -> Vec<f64> {
        let mut coefficients = vec![0.0; 24];
        (coefficients[0], coefficients[23]) = (0.3, 0.6);
        ArProcess { coefficients, ..ArProcess::default() }.generate(6_000, 5).unwrap()
    }

    fn choice(strength: Strength) -> Choice {
        Choice { penalty: Penalty::ArNet(Regulariser::default()), strength, most_lags: 12 }
    }

    fn member(anchor: Anchor, ridge: Option<f64>) -> Member {
        Member { lookback: 48, anchor, ridge, season: None }
    }

    #[test]
    fn the_lags_of_the_process_are_found_by_every_criterion() {
        let values = series();
        let moments = lagged_moments(&[&values], 48, 1).unwrap();
        let trial = Trial::new(&[values], 48, 1).unwrap();
        for criterion in [Criterion::Ebic, Criterion::Bic, Criterion::Validation] {
            let choice = choice(Strength::Chosen(criterion));
            let (lags, _) = choice.lags(&moments, &member(Anchor::None, Some(0.0)), Some(&trial)).unwrap();
            assert_eq!(lags, [[0, 23]], "{criterion:?}");
        }
        let weak =
            choice(Strength::Lambda(1e-4)).lags(&moments, &member(Anchor::None, Some(0.0)), None).unwrap();
        let strong =
            choice(Strength::Lambda(1e3)).lags(&moments, &member(Anchor::None, Some(0.0)), None).unwrap();
        assert!(weak.0[0].len() > 2 && strong.0[0].is_empty());
    }

    #[test]
    fn each_of_several_targets_has_its_lags_up_to_the_most_that_may_stay() {
        let moments = lagged_moments(&[&series()], 48, 6).unwrap();
        for anchor in [Anchor::None, Anchor::Last] {
            for strength in [Strength::Weakest, Strength::Forward] {
                let (lags, _) = choice(strength).lags(&moments, &member(anchor, Some(0.0)), None).unwrap();
                assert!(
                    lags.len() == 6 && lags.iter().all(|lags| (6..=12).contains(&lags.len())),
                    "{lags:?}"
                );
                // A day before its target.
                assert!((0..6).all(|step| lags[step].contains(&(23 - step))), "{anchor:?}: {lags:?}");
            }
        }
    }

    #[test]
    fn more_lags_have_to_pay() {
        let tried = |errors: &[f64]| -> Vec<Tried> {
            let of = |(at, error): (usize, &f64)| (*error, 0.1, vec![(0..8 >> at).collect::<Vec<_>>()]);
            errors.iter().enumerate().map(of).collect()
        };
        let n_lags = |tried: Option<Tried>| tried.map(|(.., supports)| supports[0].len());
        assert_eq!(n_lags(fewest(tried(&[1.0, 1.001, 1.1]))), Some(4));
        assert_eq!(n_lags(fewest(tried(&[1.0, 1.003, 1.1]))), Some(8));
        assert_eq!(n_lags(fewest(Vec::new())), None);
    }

    #[test]
    fn frequencies_tell_the_lags_of_the_process_from_the_others() {
        let values = series();
        let choice = choice(Strength::Chosen(Criterion::Ebic));
        let member = member(Anchor::None, Some(0.0));
        let found = choice.frequencies(&[&values[..2_500], &values[2_500..]], &member, 6).unwrap().unwrap();
        assert!(found[0] > 0.99 && found[23] > 0.99);
        assert!((0..48).filter(|lag| ![0, 23].contains(lag)).all(|lag| found[lag] < 0.3), "{found:?}");
        assert_eq!(choice.frequencies(&[&values[..100]], &member, 6).unwrap(), None);
    }

    #[test]
    fn without_rows_to_validate_on_the_fix_is_said() {
        let moments = lagged_moments(&[&series()], 48, 1).unwrap();
        let choice = choice(Strength::Chosen(Criterion::Validation));
        let message = choice.lags(&moments, &member(Anchor::None, None), None).unwrap_err().to_string();
        assert!(message.contains("use bic"), "{message}");
    }
}
