//! The part of a run that is being filled.

use super::BatchOptions;
use super::choices::Choices;
use super::journal::{Journal, PartRecord};
use super::sink;
use super::work::Outcome;
use crate::Result;

/// A part that is being filled.
pub(super) struct Part<'a> {
    options: &'a BatchOptions,
    choices: &'a Choices,
    journal: &'a mut Journal,
    n_series: usize,
    outcomes: Vec<Outcome>,
}

impl<'a> Part<'a> {
    pub(super) fn new(
        options: &'a BatchOptions,
        choices: &'a Choices,
        journal: &'a mut Journal,
        n_series: usize,
    ) -> Self {
        Part { options, choices, journal, n_series, outcomes: Vec::new() }
    }

    /// Series that it still takes.
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

    /// Takes what became of the next series; a part that is full is put away.
    pub(super) fn add(&mut self, outcomes: Vec<Outcome>) -> Result<()> {
        self.outcomes.extend(outcomes);
        if self.room() == 0 { self.put_away() } else { Ok(()) }
    }

    /// Writes the part as it is, if anything is in it, and begins the next one.
    pub(super) fn put_away(&mut self) -> Result<()> {
        let mut outcomes = std::mem::take(&mut self.outcomes);
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
        self.journal.add(&record, &table)
    }
}
