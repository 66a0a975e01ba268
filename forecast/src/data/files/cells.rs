//! Columns of a table outside of polars, and their JSON form.

use std::borrow::Cow;

use super::text::present;
use crate::data::time::zone::{Zone, format_stamp};
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
    let rows: Vec<Row> = rows(columns)?.collect();
    let mut bytes = serde_json::to_vec_pretty(&rows).map_err(|error| Error::Internal(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// JSON lines: one object a row.
///
/// # Errors
/// [`Error::Internal`] if columns differ in length.
pub(crate) fn encode_json_lines(columns: &[(String, Cells)]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for row in rows(columns)? {
        serde_json::to_writer(&mut bytes, &row).map_err(|error| Error::Internal(error.to_string()))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

type Row = serde_json::Map<String, serde_json::Value>;

fn rows(columns: &[(String, Cells)]) -> Result<impl Iterator<Item = Row>> {
    let n_rows = columns.first().map_or(0, |(_, cells)| cells.len());
    if columns.iter().any(|(_, cells)| cells.len() != n_rows) {
        return Err(Error::Internal("columns differ in length".to_string()));
    }
    let row = |row: usize| columns.iter().map(|(name, cells)| (name.clone(), cells.json(row))).collect();
    Ok((0..n_rows).map(row))
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

    /// How many cells there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Cells::Text(cells) => cells.len(),
            Cells::Numbers(cells) => cells.len(),
            Cells::Integers(cells) | Cells::Stamps(cells, _) => cells.len(),
        }
    }

    /// A cell as text; none where a number is missing.
    pub(crate) fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Cells::Text(cells) => Some(Cow::Borrowed(&cells[row])),
            Cells::Numbers(cells) => (!cells[row].is_nan()).then(|| cells[row].to_string().into()),
            Cells::Integers(cells) => Some(cells[row].to_string().into()),
            Cells::Stamps(cells, zone) => Some(format_stamp(cells[row], zone).into()),
        }
    }

    /// A cell as trimmed text, unless it means "missing".
    pub(crate) fn present(&self, row: usize) -> Option<Cow<'_, str>> {
        match self.text(row)? {
            Cow::Borrowed(cell) => present(Some(cell)).map(Cow::Borrowed),
            told => Some(told),
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
