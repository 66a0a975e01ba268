//! Columns of text, some rows at a time: what one thread reads.

use std::borrow::Cow;

use polars::prelude::StringChunked;

use crate::data::files::csv::{CsvPart, plain};

/// Some cells of a column of text.
#[derive(Debug)]
pub(super) enum TextPart<'a> {
    /// Those of a column by its number.
    Csv(&'a CsvPart, usize),
    /// Those from a row on.
    Views(usize, StringChunked),
    /// As many of one text.
    Constant(usize, &'a str),
}

impl TextPart<'_> {
    /// Rows before these.
    pub(super) fn first_row(&self) -> usize {
        match self {
            TextPart::Csv(part, _) => part.first_row(),
            TextPart::Views(first_row, _) => *first_row,
            TextPart::Constant(..) => 0,
        }
    }

    pub(super) fn n_rows(&self) -> usize {
        match self {
            TextPart::Csv(part, _) => part.n_rows(),
            TextPart::Views(_, text) => text.len(),
            TextPart::Constant(n_rows, _) => *n_rows,
        }
    }

    /// The text of a cell by its row among these; empty if it is missing.
    pub(super) fn cell(&self, row: usize) -> Cow<'_, str> {
        match self {
            TextPart::Csv(part, column) => plain(part.cell(row, *column)),
            TextPart::Views(_, text) => Cow::Borrowed(text.get(row).unwrap_or_default()),
            TextPart::Constant(_, cell) => Cow::Borrowed(cell),
        }
    }

    /// Calls `each` with every cell, in order, up to the first error.
    pub(super) fn try_each<E>(&self, mut each: impl FnMut(Option<&str>) -> Result<(), E>) -> Result<(), E> {
        match self {
            TextPart::Csv(part, column) => part.cells(*column).try_for_each(|cell| match plain(cell) {
                Cow::Borrowed(cell) => each(Some(cell)),
                Cow::Owned(cell) => each(Some(&cell)),
            }),
            TextPart::Views(_, text) => text.iter().try_for_each(each),
            TextPart::Constant(n_rows, cell) => (0..*n_rows).try_for_each(|_| each(Some(cell))),
        }
    }

    /// The texts of cells, empty where one is missing, each with how many neighbours hold the same; neighbours may be
    /// told apart although they are equal.
    pub(super) fn runs(&self) -> Vec<(Cow<'_, str>, usize)> {
        let mut runs = Vec::new();
        match self {
            TextPart::Csv(part, column) => {
                let mut cells = part.cells(*column);
                let Some(mut last) = cells.next() else { return runs };
                let mut n = 1;
                for cell in cells {
                    if cell != last {
                        runs.push((plain(last), n));
                        (last, n) = (cell, 0);
                    }
                    n += 1;
                }
                runs.push((plain(last), n));
            }
            TextPart::Views(_, text) if text.null_count() > 0 => {
                runs.extend(text.iter().map(|cell| (Cow::Borrowed(cell.unwrap_or_default()), 1)));
            }
            TextPart::Views(_, text) => {
                for part in text.downcast_iter() {
                    let mut start = 0;
                    // Equal views are equal texts; text that was stored once for many rows has equal views.
                    let same = part.views().chunk_by(|a, b| a.as_u128() == b.as_u128());
                    for same in same {
                        runs.push((Cow::Borrowed(part.value(start)), same.len()));
                        start += same.len();
                    }
                }
            }
            TextPart::Constant(n_rows, cell) => runs.push((Cow::Borrowed(cell), *n_rows)),
        }
        runs
    }
}
