//! What is due for one reader who conflates: series in line, each once.

use std::collections::VecDeque;

use super::cell::{Cell, Issued};
use super::error::SessionError;

/// The series whose forecasts one reader waits for.
#[derive(Debug, Default)]
pub struct Due {
    /// What the reader has seen of each series.
    seen: Vec<u64>,
    is_in_line: Vec<bool>,
    line: VecDeque<usize>,
    /// The series that the reader wants; all if empty.
    wanted: Vec<bool>,
}

impl Due {
    /// A reader who begins now, of some series; all if none are named.
    ///
    /// # Errors
    /// [`SessionError::NotFound`]; [`SessionError::Field`] for a series that is not there.
    pub fn new(cell: &Cell, wanted: &[u32]) -> Result<Self, SessionError> {
        let seen = cell
            .look(|engine| (0..engine.series().len()).map(|at| engine.due_count(at)).collect::<Vec<u64>>())?;
        let mut is_wanted = vec![wanted.is_empty(); seen.len()];
        for (i, at) in wanted.iter().enumerate() {
            let Some(is_wanted) = is_wanted.get_mut(*at as usize) else {
                let rule = format!("it is {at}, but the session has {} series", seen.len());
                return Err(SessionError::Field { field: format!("series_index[{i}]"), rule });
            };
            *is_wanted = true;
        }
        Ok(Due { is_in_line: vec![false; seen.len()], line: VecDeque::new(), wanted: is_wanted, seen })
    }

    /// Puts every series into the line.
    pub fn ask_for_all(&mut self) {
        for at in 0..self.seen.len() {
            self.ask_for(at);
        }
    }

    fn ask_for(&mut self, at: usize) {
        if self.wanted[at] && !self.is_in_line[at] {
            self.is_in_line[at] = true;
            self.line.push_back(at);
        }
    }

    /// Puts the series into the line that something was due of.
    ///
    /// # Errors
    /// [`SessionError::NotFound`].
    pub fn refresh(&mut self, cell: &Cell) -> Result<(), SessionError> {
        let is_due = |seen: &[u64]| {
            cell.look(|engine| {
                seen.iter()
                    .enumerate()
                    .filter(|(at, seen)| engine.due_count(*at) > **seen)
                    .map(|(at, _)| at)
                    .collect::<Vec<usize>>()
            })
        };
        for at in is_due(&self.seen)? {
            self.ask_for(at);
        }
        Ok(())
    }

    /// True if nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// The forecast of the next series in line; none if it has none yet.
    ///
    /// # Errors
    /// Those of [`Cell::issue`].
    pub fn next(&mut self, cell: &Cell) -> Result<Option<Issued>, SessionError> {
        while let Some(at) = self.line.pop_front() {
            self.is_in_line[at] = false;
            if let Some(issued) = cell.issue(at, &mut self.seen[at])? {
                return Ok(Some(issued));
            }
        }
        Ok(None)
    }
}
