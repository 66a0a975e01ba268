//! Columns of a table outside of polars, and their JSON form.

use super::time::{Zone, format_stamp};
use crate::{Error, Result};

/// One column of a table to be written.
#[derive(Debug, Clone)]
pub enum Cells {
    /// Text.
    Text(Vec<String>),
    /// Numbers; NaN becomes an empty cell or `null`.
    Numbers(Vec<f64>),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Time stamps in nanoseconds, told in a zone.
    Stamps(Vec<i64>, Zone),
}

/// A JSON array with one object a row.
///
/// # Errors
/// [`Error::Internal`] if columns differ in length.
pub(crate) fn encode_json(columns: &[(String, Cells)]) -> Result<Vec<u8>> {
    let n_rows = columns.first().map_or(0, |(_, cells)| cells.len());
    if columns.iter().any(|(_, cells)| cells.len() != n_rows) {
        return Err(Error::Internal("columns differ in length".to_string()));
    }
    let rows: Vec<serde_json::Map<String, serde_json::Value>> = (0..n_rows)
        .map(|row| columns.iter().map(|(name, cells)| (name.clone(), cells.json(row))).collect())
        .collect();
    let mut bytes = serde_json::to_vec_pretty(&rows).map_err(|error| Error::Internal(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

impl Cells {
    /// The same with time stamps as the text that they are in text files.
    pub(crate) fn with_told_stamps(self) -> Self {
        match self {
            Cells::Stamps(stamps, zone) => {
                Cells::Text(stamps.into_iter().map(|stamp| format_stamp(stamp, &zone)).collect())
            }
            other => other,
        }
    }

    fn len(&self) -> usize {
        match self {
            Cells::Text(cells) => cells.len(),
            Cells::Numbers(cells) => cells.len(),
            Cells::Integers(cells) | Cells::Stamps(cells, _) => cells.len(),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Cells::Text(cells) => cells[row].clone().into(),
            Cells::Numbers(cells) => cells[row].into(),
            Cells::Integers(cells) => cells[row].into(),
            Cells::Stamps(cells, zone) => format_stamp(cells[row], zone).into(),
        }
    }
}
