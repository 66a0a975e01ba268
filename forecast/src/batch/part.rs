//! Parts of a run: the one that is being filled, and how full ones are put away.

use super::BatchOptions;
use super::choices::Choices;
use super::journal::{Journal, PartRecord};
use super::sink::{self, Joined};
use super::work::Outcome;
use crate::Result;

/// A part that is being filled.
pub(super) struct Part {
    n_series: usize,
    outcomes: Vec<Outcome>,
}

impl Part {
    /// An empty one of so many series, at least one.
    pub(super) fn new(n_series: usize) -> Self {
        Part { n_series, outcomes: Vec::new() }
    }

    /// Series that it still takes, at least one.
    pub(super) fn room(&self) -> usize {
        self.n_series - self.outcomes.len()
    }

    /// Series that it, or the next one, takes after `n` more.
    pub(super) fn room_after(&self, n: usize) -> usize {
        match self.room().saturating_sub(n) {
            0 => self.n_series,
            room => room,
        }
    }

    /// Takes what became of the next series, no more than it has room for; returns all of them once it is full, and
    /// begins anew.
    pub(super) fn add(&mut self, outcomes: Vec<Outcome>) -> Option<Vec<Outcome>> {
        self.outcomes.extend(outcomes);
        (self.room() == 0).then(|| self.rest())
    }

    /// What it holds.
    pub(super) fn rest(&mut self) -> Vec<Outcome> {
        std::mem::take(&mut self.outcomes)
    }
}

/// Where parts are put away.
pub(super) struct Store<'a, 'b> {
    pub(super) options: &'a BatchOptions,
    pub(super) choices: &'a Choices,
    pub(super) journal: &'a mut Journal,
    pub(super) joined: &'a mut Joined<'b>,
}

impl Store<'_, '_> {
    /// Writes a part.
    pub(super) fn put_away(&mut self, mut outcomes: Vec<Outcome>) -> Result<()> {
        let failures =
            outcomes.iter_mut().flat_map(|outcome| std::mem::take(&mut outcome.failures)).collect();
        let of_one = |outcome: &Outcome| outcome.forecasts.iter().flatten().next().map(|one| one.mean.len());
        let rows: Vec<usize> = outcomes.iter().filter_map(of_one).collect();
        let record = PartRecord {
            n_series: outcomes.len(),
            n_forecast: rows.len(),
            n_rows: rows.iter().sum(),
            failures,
        };
        let table = sink::part(sink::columns(outcomes, self.choices), self.options.format)?;
        let path = self.journal.add(&record, &table)?;
        if table.is_empty() { Ok(()) } else { self.joined.append(self.journal, &table, &path) }
    }
}
