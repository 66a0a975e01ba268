//! The part of a run that is being filled, and the full one before it that is not put away yet.

use super::BatchOptions;
use super::choices::Choices;
use super::journal::{Journal, PartRecord};
use super::sink::{self, Joined};
use super::work::Outcome;
use crate::Result;

/// A part that is being filled.
pub(super) struct Part<'a, 'b> {
    options: &'a BatchOptions,
    choices: &'a Choices,
    journal: &'a mut Journal,
    joined: &'a mut Joined<'b>,
    n_series: usize,
    outcomes: Vec<Outcome>,
    /// The part before it, if it still has to be put away.
    full: Vec<Outcome>,
}

impl<'a, 'b> Part<'a, 'b> {
    pub(super) fn new(
        options: &'a BatchOptions,
        choices: &'a Choices,
        (journal, joined): (&'a mut Journal, &'a mut Joined<'b>),
        n_series: usize,
    ) -> Self {
        Part { options, choices, journal, joined, n_series, outcomes: Vec::new(), full: Vec::new() }
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

    /// Takes what became of the next series, no more than it has room for. A part that is full is to be put away
    /// before the next one is.
    pub(super) fn add(&mut self, outcomes: Vec<Outcome>) {
        self.outcomes.extend(outcomes);
        if self.room() == 0 {
            self.full = std::mem::take(&mut self.outcomes);
        }
    }

    /// True if the part before it still has to be put away.
    pub(super) fn is_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// Writes the part that is full, if there is one.
    pub(super) fn put_away_full(&mut self) -> Result<()> {
        let mut outcomes = std::mem::take(&mut self.full);
        if outcomes.is_empty() {
            return Ok(());
        }
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

    /// Writes everything that there is.
    pub(super) fn put_away(&mut self) -> Result<()> {
        self.put_away_full()?;
        self.full = std::mem::take(&mut self.outcomes);
        self.put_away_full()
    }
}
