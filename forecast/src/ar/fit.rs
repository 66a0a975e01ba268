//! Fitting: complete stretches, their statistics, and the coefficients of every series and channel.

use ndarray::{Array1, Array2, Array3, Array4, s};
use rayon::prelude::*;

use super::Ar;
use super::anchor::Anchor;
use super::autocorrelation::{YuleWalker, autocovariances};
use super::cholesky::Deficient;
use super::choose::Choice;
use super::config::{ArConfig, Method, Strategy, Unstable};
use super::difference::{differences, undone};
use super::displaced;
use super::gram::lagged_moments;
use super::moments::Moments;
use super::order::{Criterion, best_on};
use super::ridge::Trial;
use super::segments::{complete_runs, longest_order, n_windows};
use super::shrink::{Shrinkage, best_share, first_part, mixed};
use super::solve::{Member, Solved, solve};
use super::stability::stabilised;
use crate::data::Series;
use crate::model::Training;
use crate::{Error, Result};

/// Lags of one model, at most: their Gram matrix takes 3 GB.
pub(super) const MOST_LAGS: usize = 20_000;
/// Ridges that are tried for lags that tell what all of them say. There is no noise in that: the least is only against
/// lags that are nearly the same; more of it draws to the anchor where the end of the series asks for that.
const RIDGES_OF_FEW: [f64; 3] = [1e-3, 1e-2, 0.1];
/// Lags from which on plain equations are solved without their matrix.
const LONG_ORDER: usize = 256;

/// Least squares for each series, or for all together, and each channel, or for all together.
///
/// # Errors
/// [`Error::TooFewRows`], [`Error::Singular`], each with the series; [`Error::BadOption`] for an order that no
/// memory can hold.
pub(crate) fn fit(config: &ArConfig, training: &Training<'_>) -> Result<Ar> {
    let order = config.order.unwrap_or(1);
    let n_channels = training.channels.len();
    let n_groups = if config.pool_channels == Some(true) { 1 } else { n_channels };
    let n_slots = if config.pooled { 1 } else { training.series.len() };
    let n_steps = config.n_steps(training.horizon);
    let columns = |series: &[Series], group: usize| -> Vec<Vec<f64>> {
        let channels = if n_groups == 1 { 0..n_channels } else { group..group + 1 };
        let columns = series.iter().flat_map(|one| channels.clone().map(move |channel| (one, channel)));
        columns.map(|(one, channel)| one.values().column(channel).to_vec()).collect()
    };
    let solve = |series: &[Series], columns: Vec<Vec<f64>>| {
        training.cancel.check()?;
        let order = order - config.n_differenced();
        Problem { name: name(series), config, order, n_steps }.solve(columns)
    };
    let shrinkage = config.shrinkage.filter(|_| training.series.len() > 1);
    let pooled = (0..n_groups).map(|group| match shrinkage {
        Some(shrinkage) => {
            let all = columns(training.series, group);
            let first = match shrinkage {
                Shrinkage::Chosen(_) => Some(solve(training.series, first_part(&all))?),
                Shrinkage::Share(_) => None,
            };
            Ok(Some((shrinkage, solve(training.series, all)?, first)))
        }
        None => Ok(None),
    });
    let pooled: Vec<Option<(Shrinkage, Solved, Option<Solved>)>> = pooled.collect::<Result<_>>()?;
    let solved: Vec<Solved> = (0..n_slots * n_groups)
        .into_par_iter()
        .map(|i| {
            let (slot, group) = (i / n_groups, i % n_groups);
            let series = if config.pooled { training.series } else { &training.series[slot..=slot] };
            let columns = columns(series, group);
            let Some((shrinkage, of_all, of_first)) = &pooled[group] else { return solve(series, columns) };
            let share = match (shrinkage, of_first) {
                (Shrinkage::Share(share), _) => *share,
                // What is too short to be fitted without its end has nothing of its own to say.
                (_, Some(of_first)) => match solve(series, first_part(&columns)) {
                    Ok(own) => best_share(&columns, &own, of_first)?,
                    Err(_) => 1.0,
                },
                (_, None) => 1.0,
            };
            match share < 1.0 {
                true => Ok(mixed(&solve(series, columns)?, of_all, share)),
                false => Ok(mixed(of_all, of_all, 1.0)),
            }
        })
        .collect::<Result<_>>()?;
    let mut ar = Ar {
        weights: Array4::zeros((n_slots, n_groups, n_steps, order)),
        intercepts: Array3::zeros((n_slots, n_groups, n_steps)),
        errors: solved
            .iter()
            .all(|one| one.errors.is_some())
            .then(|| Array3::zeros((n_slots, n_groups, order))),
        frequencies: solved
            .iter()
            .all(|one| one.frequencies.is_some())
            .then(|| Array3::zeros((n_slots, n_groups, order))),
        lags: Vec::new(),
        ridges: common_ridges(&solved),
    };
    for (i, solved) in solved.into_iter().enumerate() {
        let (slot, group) = (i / n_groups, i % n_groups);
        ar.intercepts.slice_mut(s![slot, group, ..]).assign(&solved.intercepts);
        // The window is oldest first.
        ar.weights.slice_mut(s![slot, group, .., ..]).assign(&solved.weights.slice(s![.., ..;-1]));
        for (all, one) in [(&mut ar.errors, solved.errors), (&mut ar.frequencies, solved.frequencies)] {
            if let (Some(all), Some(one)) = (all, one) {
                all.slice_mut(s![slot, group, ..]).assign(&Array1::from_vec(one));
            }
        }
    }
    Ok(ar.indexed())
}

/// The ridges that all sets of coefficients have.
fn common_ridges(solved: &[Solved]) -> Option<Vec<f64>> {
    let bits = |solved: &Solved| solved.ridges.iter().map(|ridge| ridge.to_bits()).collect::<Vec<_>>();
    let (first, others) = solved.split_first()?;
    others.iter().all(|other| bits(other) == bits(first)).then(|| first.ridges.clone())
}

/// One step ahead of one column of values, by a configuration without an open choice.
///
/// # Errors
/// As [`fit`].
pub(super) fn solve_one(config: &ArConfig, name: &str, values: Vec<f64>) -> Result<Solved> {
    let problem = Problem {
        name: name.to_string(),
        config,
        order: config.order.unwrap_or(1) - config.n_differenced(),
        n_steps: 1,
    };
    problem.solve(vec![values])
}

/// What the series are called in messages.
fn name(series: &[Series]) -> String {
    match series {
        [one] => one.id().to_string(),
        several => format!("{} and {} more", several[0].id(), several.len() - 1),
    }
}

/// One set of coefficients.
struct Problem<'a> {
    name: String,
    config: &'a ArConfig,
    /// Lags of the differences, or of the series where none are taken.
    order: usize,
    n_steps: usize,
}

impl Problem<'_> {
    fn solve(&self, mut columns: Vec<Vec<f64>>) -> Result<Solved> {
        let mean = mean(&columns);
        // Weights do not depend on where zero is, digits do.
        columns.iter_mut().flatten().for_each(|value| *value -= mean);
        let mut taken = Vec::new();
        for steps in self.config.difference.iter().flatten() {
            columns.iter_mut().for_each(|column| *column = differences(column, *steps));
            taken.push(*steps);
        }
        let runs: Vec<&[f64]> = columns.iter().flat_map(|column| complete_runs(column)).collect();
        let mut solved = match self.config.method {
            Method::LeastSquares => self.least_squares(&columns, &runs)?,
            Method::Autocorrelation => self.autocorrelation(&runs)?,
        };
        if self.config.unstable == Unstable::Project
            && self.n_steps == 1
            && let Some(stable) = stabilised(&solved.weights.row(0).to_vec())
        {
            // Forecasts return to the mean of the training range.
            solved.intercepts.fill(0.0);
            solved.weights.row_mut(0).assign(&Array1::from_vec(stable));
            (solved.errors, solved.frequencies) = (None, None);
        }
        for steps in taken.into_iter().rev() {
            (solved.weights, solved.intercepts) = undone(&solved.weights, &solved.intercepts, steps);
            (solved.errors, solved.frequencies) = (None, None);
        }
        let rest = solved.weights.rows().into_iter().map(|row| mean * (1.0 - row.sum()));
        solved.intercepts += &rest.collect::<Array1<f64>>();
        Ok(solved)
    }

    /// The mean over the look-backs, all from the moments of the longest.
    ///
    /// Lag 1 comes first, so the statistics of a shorter look-back are the leading part of those of the longest,
    /// over the windows that are complete for the longest.
    fn least_squares(&self, columns: &[Vec<f64>], runs: &[&[f64]]) -> Result<Solved> {
        let lengths: Vec<usize> = runs.iter().map(|run| run.len()).collect();
        let rows = n_windows(&lengths, self.order.saturating_add(self.n_steps));
        if rows < self.order + 1 {
            let longest = longest_order(&lengths, self.n_steps);
            return Err(Error::TooFewRows { series: self.name.clone(), rows, order: self.order, longest });
        }
        if self.order > MOST_LAGS {
            return Err(Error::option("order", self.order, format!("it must be at most {MOST_LAGS}")));
        }
        if let Some(found) = self.long(runs)? {
            return Ok(found);
        }
        let moments = lagged_moments(runs, self.order, self.n_steps)?;
        let mut members = self.config.members();
        members.iter_mut().for_each(|member| member.lookback -= self.config.n_differenced());
        let choice = self.config.choice()?;
        // Direct steps keep the lags that say what all lags say of them; one step keeps those that say most of it.
        let (of_forecast, of_series) = match self.config.strategy {
            Some(Strategy::Direct) => (choice, None),
            _ => (None, choice),
        };
        let is_open = members.iter().any(|member| member.ridge.is_none());
        let trial = (is_open || self.config.criterion == Some(Criterion::Validation))
            .then(|| Trial::new(columns, self.order, self.n_steps))
            .transpose()?;
        let n_members = members.len() as f64;
        let mut mean = Solved {
            weights: Array2::zeros((self.n_steps, self.order)),
            intercepts: Array1::zeros(self.n_steps),
            errors: None,
            frequencies: None,
            ridges: Vec::with_capacity(members.len()),
        };
        for member in &members {
            let part = (member.lookback < self.order).then(|| moments.leading(member.lookback));
            let part = part.as_ref().unwrap_or(&moments);
            let mut solved = match &of_series {
                None => self.dense(part, member, trial.as_ref())?,
                Some(choice) => self.sparse(part, member, trial.as_ref(), choice)?,
            };
            if let ([_], None) = (&members[..], of_forecast) {
                if let Some(choice) = of_series.filter(|_| self.config.stability > 0) {
                    solved.frequencies = choice.frequencies(runs, member, self.config.stability)?;
                }
                return Ok(solved);
            }
            mean.weights.slice_mut(s![.., ..member.lookback]).scaled_add(1.0 / n_members, &solved.weights);
            mean.intercepts.scaled_add(1.0 / n_members, &solved.intercepts);
            mean.ridges.extend(solved.ridges);
        }
        match of_forecast {
            Some(choice) => self.few_lags(&moments, &members, mean, trial.as_ref(), &choice),
            None => Ok(mean),
        }
    }

    /// The forecasts of all lags, as a few of them tell them best: the sparse solution whose targets are those forecasts
    /// instead of what came. It is as good as they are where they can be told, whatever the noise of the series.
    fn few_lags(
        &self,
        moments: &Moments,
        members: &[Member],
        all: Solved,
        trial: Option<&Trial>,
        choice: &Choice,
    ) -> Result<Solved> {
        let is_anchored = members.iter().all(|member| member.anchor != Anchor::None);
        let member = Member {
            lookback: self.order,
            anchor: if is_anchored { Anchor::Last } else { Anchor::None },
            ridge: None,
            season: None,
        };
        let told = moments.with_targets_of(&all.weights, &all.intercepts);
        let (lags, member) = choice.lags(&told, &member, None)?;
        let ridge = match trial {
            Some(trial) => trial.share_of_few(&member, &all, &lags, &RIDGES_OF_FEW)?,
            None => RIDGES_OF_FEW[0],
        };
        let member = Member { ridge: Some(ridge), ..member };
        let few = solve(&told, &member, None, Some(&lags))?.map_err(|deficient| self.singular(&deficient))?;
        Ok(Solved { ridges: all.ridges, ..few })
    }

    /// Plain least squares of many lags one step ahead, without their matrix; `None` for everything else, and where
    /// only the matrix tells what is wrong.
    fn long(&self, runs: &[&[f64]]) -> Result<Option<Solved>> {
        let [Member { lookback, anchor: Anchor::None, ridge: Some(ridge), .. }] = self.config.members()[..]
        else {
            return Ok(None);
        };
        let is_plain = self.config.criterion.is_none() && !self.config.is_sparse();
        let is_whole = lookback == self.order + self.config.n_differenced();
        if !(is_plain && is_whole && self.n_steps == 1 && self.order >= LONG_ORDER) {
            return Ok(None);
        }
        let found = displaced::solve(runs, self.order, ridge)?;
        Ok(found.map(|found| Solved {
            weights: Array1::from_vec(found.weights).insert_axis(ndarray::Axis(0)),
            intercepts: Array1::from_elem(1, found.intercept),
            errors: found.errors,
            frequencies: None,
            ridges: vec![ridge],
        }))
    }

    /// All lags of a look-back, its ridge chosen, or those of the order that its criterion chooses.
    fn dense(&self, moments: &Moments, member: &Member, trial: Option<&Trial>) -> Result<Solved> {
        let n_lags = moments.gram.nrows();
        let trial = trial.map(|trial| trial.leading(n_lags));
        let (mut member, mut criterion, mut order) = (*member, self.config.criterion, None);
        if let Some(trial) = &trial {
            if member.ridge.is_none() {
                member.ridge = Some(trial.best_share(&member, None)?.0);
            }
            if criterion == Some(Criterion::Validation) && trial.is_possible() {
                (criterion, order) = (None, Some(best_on(&trial.scored, &trial.fitted)?));
            }
        }
        let supports: Option<Vec<Vec<usize>>> = order.map(|order| vec![(0..order).collect()]);
        solve(moments, &member, criterion, supports.as_deref())?
            .map_err(|deficient| self.singular(&deficient))
    }

    /// The lags that a penalty leaves, fitted without it.
    fn sparse(
        &self,
        moments: &Moments,
        member: &Member,
        trial: Option<&Trial>,
        choice: &Choice,
    ) -> Result<Solved> {
        let (lags, member) = choice.lags(moments, member, trial)?;
        solve(moments, &member, None, Some(&lags))?.map_err(|deficient| self.singular(&deficient))
    }

    fn autocorrelation(&self, runs: &[&[f64]]) -> Result<Solved> {
        let rows: usize = runs.iter().map(|run| run.len()).sum();
        if rows < self.order + 1 {
            let longest = rows.saturating_sub(1);
            return Err(Error::TooFewRows { series: self.name.clone(), rows, order: self.order, longest });
        }
        let all = YuleWalker::solve(&autocovariances(runs, self.order)?)
            .ok_or_else(|| self.singular(&Deficient { rank: 0 }))?;
        let weights = match self.config.criterion {
            None => all.weights,
            Some(criterion) => {
                let order = criterion.best(&all.squared_errors, rows);
                let chosen = YuleWalker::solve(&autocovariances(runs, order)?);
                let mut weights = chosen.map(|chosen| chosen.weights).unwrap_or_default();
                weights.resize(self.order, 0.0);
                weights
            }
        };
        Ok(Solved {
            weights: Array1::from_vec(weights).insert_axis(ndarray::Axis(0)),
            intercepts: Array1::zeros(1),
            errors: None,
            frequencies: None,
            ridges: vec![0.0],
        })
    }

    fn singular(&self, deficient: &Deficient) -> Error {
        let reason = format!("only {} of its {} lags are independent", deficient.rank, self.order);
        Error::Singular { series: self.name.clone(), order: self.order, reason }
    }
}

/// The mean of the observed values; 0 if there is none.
fn mean(columns: &[Vec<f64>]) -> f64 {
    let observed = columns.iter().flatten().filter(|value| !value.is_nan());
    let (sum, n) = observed.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    if n > 0.0 { sum / n } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ModelConfig;
    use crate::ar::cholesky::Cholesky;
    use crate::ar::defaults::tests::shape;
    use crate::ar::lag_matrix::LagMatrix;
    use forecast_datasets::ArProcess;

    /// Direct steps of one column of values.
    fn direct(values: &[f64], settings: &[(&str, &str)]) -> Solved {
        let mut config = ModelConfig::parse("ar").unwrap();
        for (key, value) in settings.iter().chain(&[("strategy", "direct"), ("lookbacks", "9,18")]) {
            config = config.with(key, value).unwrap();
        }
        let ModelConfig::Ar(config) = config else { panic!("{config:?}") };
        let config = config.resolve(&shape("1h", 24, values.len())).unwrap();
        let problem = Problem { name: "s".to_string(), config: &config, order: 18, n_steps: 5 };
        problem.solve(vec![values.to_vec()]).unwrap()
    }

    #[test]
    fn few_lags_tell_the_forecast_of_all_and_all_of_them_tell_it_as_it_is() {
        let values = ArProcess { coefficients: vec![0.2, 0.3, -0.5], ..ArProcess::default() };
        let values = values.generate(3_000, 3).unwrap();
        let all = direct(&values, &[("ridge", "0.1")]);
        let same = direct(&values, &[("ridge", "0.1"), ("penalty", "sparse"), ("most_lags", "18")]);
        for (same, all) in same.weights.iter().zip(&all.weights) {
            assert!((same - all).abs() < 2e-3, "{same} {all}");
        }
        // Four and the anchor's are least squares of that forecast on windows less their last value.
        let few = direct(&values, &[("ridge", "0.1"), ("penalty", "sparse"), ("most_lags", "4")]);
        let windows = LagMatrix::new(&values, 18, 5);
        let last = windows.lags.column(0).insert_axis(ndarray::Axis(1)).to_owned();
        let (x, told) = (&windows.lags - &last, windows.lags.dot(&all.weights.t()) + &all.intercepts - &last);
        let ridge = RIDGES_OF_FEW[0] * x.t().dot(&x).diag().mean().unwrap();
        for (step, row) in few.weights.rows().into_iter().enumerate() {
            let lags: Vec<usize> = (1..18).filter(|lag| row[*lag].abs() > 0.0).collect();
            assert!((1..=4).contains(&lags.len()), "{row}");
            let x = x.select(ndarray::Axis(1), &lags);
            let factor = Cholesky::new(&x.t().dot(&x), ridge).unwrap().unwrap();
            let target = told.column(step).insert_axis(ndarray::Axis(1)).to_owned();
            let due = factor.solve(&x.t().dot(&target)).unwrap();
            for (lag, due) in lags.iter().zip(due.row(0)) {
                assert!((row[*lag] - due).abs() < 1e-9, "step {step}, lag {lag}: {} for {due}", row[*lag]);
            }
            assert!((row.sum() - 1.0).abs() < 1e-9, "{row}");
        }
    }
}
