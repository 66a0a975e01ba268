//! The series of rows that are held: a code for each id, and runs of neighbours that share one.

use std::collections::HashMap;

use crate::data::files::frame::Runs;

/// Ids as they were met.
#[derive(Debug, Default)]
pub(super) struct Ids {
    known: HashMap<String, u32>,
    /// Those of the rows that are held, by code less [`Ids::first`].
    names: Vec<String>,
    /// Codes before it are of series that were taken.
    first: u32,
    /// Codes of the rows, each with how many neighbours have it.
    runs: Vec<(u32, usize)>,
}

/// The ids of rows that are taken: by code, and runs of the codes, both counted from the first of them.
pub(super) type Taken = (Vec<String>, Vec<(u32, usize)>);

impl Ids {
    /// Those of rows that all belong to one series.
    pub(super) fn of_one(name: String) -> Self {
        Ids { names: vec![name], ..Ids::default() }
    }

    /// Series whose rows are held.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// Codes before it are of series that were taken.
    pub(super) fn first(&self) -> u32 {
        self.first
    }

    /// Adds rows of the only series.
    pub(super) fn push_one(&mut self, n_rows: usize) {
        match self.runs.last_mut() {
            Some(run) => run.1 += n_rows,
            None => self.runs.push((self.first, n_rows)),
        }
    }

    /// Adds rows by their ids.
    pub(super) fn push(&mut self, of_rows: &[Runs]) {
        let Ids { known, names, first, runs } = self;
        for (cell, n) in of_rows.iter().flat_map(Runs::iter) {
            let last = runs.last_mut();
            if let Some(run) =
                last.filter(|run| run.0.checked_sub(*first).is_some_and(|at| names[at as usize] == cell))
            {
                run.1 += n;
                continue;
            }
            let code = known.get(cell).copied().unwrap_or_else(|| {
                let code = *first + names.len() as u32;
                known.insert(cell.to_string(), code);
                names.push(cell.to_string());
                code
            });
            runs.push((code, n));
        }
    }

    /// All that are held.
    pub(super) fn take_all(&mut self) -> Taken {
        (std::mem::take(&mut self.names), std::mem::take(&mut self.runs))
    }

    /// All but the last, or all of them.
    ///
    /// # Errors
    /// The id of a series whose rows do not stand side by side.
    pub(super) fn take_complete(&mut self, is_end: bool) -> Result<Taken, String> {
        let ascends = self.runs.is_sorted_by(|a, b| a.0 < b.0);
        if !ascends || self.runs.first().is_some_and(|run| run.0 < self.first) {
            return Err(self.not_together());
        }
        let n = if is_end { self.runs.len() } else { self.runs.len().saturating_sub(1) };
        let runs = self.runs.drain(..n).map(|(code, n)| (code - self.first, n)).collect();
        self.first += n as u32;
        Ok((self.names.drain(..n).collect(), runs))
    }

    fn not_together(&self) -> String {
        let mut newest = self.first;
        let late = self.runs.iter().map(|run| run.0).find(|code| {
            let is_late = *code < newest;
            newest = newest.max(*code);
            is_late
        });
        let name = self.known.iter().find(|(_, code)| Some(**code) == late).map(|(name, _)| name.clone());
        name.unwrap_or_default()
    }

    /// The codes of the last `n` rows.
    pub(super) fn last_codes(&self, n: usize) -> Vec<u32> {
        let mut codes = Vec::with_capacity(n);
        for (code, len) in self.runs.iter().rev() {
            codes.resize(n.min(codes.len() + len), *code);
        }
        codes.reverse();
        codes
    }
}
