//! Columns as text: cell by cell, in runs of equal cells, or as what a reader makes of them.

use std::ops::Range;

use polars::prelude::DataType;
use rayon::prelude::*;

use super::text_part::{Runs, TextPart};
use super::{BadCell, Found, Frame, HEAD, cast, internal};
use crate::Result;
use crate::data::files::csv::CsvPart;
use crate::data::files::text::{has_decimal_comma, present};

/// A copy of a reader of cells, once it has read its share, and the rows that it refused and why.
type Outcome<R, E> = (R, Vec<(usize, E)>);

/// Some rows of a column of text, for one thread.
enum Share<'a> {
    Typed(Range<usize>),
    Csv(&'a CsvPart, usize),
    Constant(usize, &'a str),
}

impl Share<'_> {
    fn rows(&self) -> Range<usize> {
        match self {
            Share::Typed(rows) => rows.clone(),
            Share::Csv(part, _) => part.first_row()..part.first_row() + part.n_rows(),
            Share::Constant(n_rows, _) => 0..*n_rows,
        }
    }
}

impl Frame {
    /// True for a column of a text file whose first cells are numbers, all that are not empty.
    pub(in crate::data) fn is_told_number(&self, name: &str) -> Result<bool> {
        Ok(matches!(self.find(name)?, Found::Csv(..)) && self.begins_with_numbers(name)?)
    }

    /// Whether at least half of the cells of a column of text are numbers, of those that are there; `None` if none
    /// is.
    pub(in crate::data) fn has_numbers(&self, name: &str) -> Result<Option<bool>> {
        if self.begins_with_numbers(name)? {
            return Ok(Some(true));
        }
        let (mut n_cells, mut n_numbers) = (0, 0);
        self.each_text(name, |_, cell| {
            if let Some(cell) = present(cell) {
                n_cells += 1;
                // With a decimal comma it was meant to be one, which is said when it is read.
                n_numbers += usize::from(cell.parse::<f64>().is_ok() || has_decimal_comma(cell));
            }
            Ok(())
        })?;
        Ok((n_cells > 0).then_some(2 * n_numbers >= n_cells))
    }

    /// Adds what a reader makes of the cells of a column of text, in parallel: each part of the rows by a copy of the
    /// reader, which is returned in the order of the rows, with the rows that it refused and why. Those get `blank`.
    pub(in crate::data) fn append_read<T, R, E>(
        &self,
        name: &str,
        values: &mut Vec<T>,
        blank: T,
        reader: &R,
        read: impl Fn(&mut R, &str) -> std::result::Result<T, E> + Sync,
    ) -> Result<Vec<Outcome<R, E>>>
    where
        T: Copy + Send,
        R: Clone + Send + Sync,
        E: Send,
    {
        let shares = self.shares(name)?;
        let start = values.len();
        values.resize(start + self.n_rows(), blank);
        let mut rest = &mut values[start..];
        let mut tasks = Vec::with_capacity(shares.len());
        for share in &shares {
            let (first, others) = rest.split_at_mut(share.rows().len());
            tasks.push((share, first));
            rest = others;
        }
        let read = |(share, values): (&Share<'_>, &mut [T])| {
            let mut reader = reader.clone();
            let mut refused = Vec::new();
            let mut places = share.rows().zip(values);
            let _ = self.text_part(name, share)?.try_each(|cell| {
                let (row, place) = places.next().ok_or(())?;
                match read(&mut reader, cell.unwrap_or_default()) {
                    Ok(value) => *place = value,
                    Err(why) => refused.push((row, why)),
                }
                Ok::<(), ()>(())
            });
            Ok((reader, refused))
        };
        let done: Vec<Result<_>> = tasks.into_par_iter().map(read).collect();
        done.into_iter().collect()
    }

    /// A cell of a column of text that could not be read.
    pub(in crate::data) fn bad_cell(
        &self,
        name: &str,
        row: usize,
        stamp: Option<&'static str>,
    ) -> Result<BadCell> {
        let (input, column) = (self.input.clone(), name.to_string());
        let value = self.text(name, row)?.trim().to_string();
        Ok(BadCell { input, row: self.row_number(row), column, value, stamp })
    }

    /// Calls `each` with the row and the text of every cell of a column.
    pub(crate) fn each_text(
        &self,
        name: &str,
        mut each: impl FnMut(usize, Option<&str>) -> Result<()>,
    ) -> Result<()> {
        for share in self.shares(name)? {
            let mut rows = share.rows();
            self.text_part(name, &share)?.try_each(|cell| each(rows.next().unwrap_or_default(), cell))?;
        }
        Ok(())
    }

    /// The text of a cell; empty if it is missing.
    pub(in crate::data) fn text(&self, name: &str, row: usize) -> Result<String> {
        let shares = self.shares(name)?;
        let Some(share) = shares.iter().find(|share| share.rows().contains(&row)) else {
            return Ok(String::new());
        };
        let cell = match share {
            Share::Typed(_) => self.text_part(name, &Share::Typed(row..row + 1))?.cell(0).into_owned(),
            share => self.text_part(name, share)?.cell(row - share.rows().start).into_owned(),
        };
        Ok(cell)
    }

    /// The texts of a column, empty where one is missing, each with how many neighbours hold the same.
    pub(in crate::data) fn runs(&self, name: &str) -> Result<Vec<Runs>> {
        let shares = self.shares(name)?;
        let runs = shares.par_iter().map(|share| Ok(self.text_part(name, share)?.runs()));
        let runs: Vec<Result<Runs>> = runs.collect();
        runs.into_iter().collect()
    }

    /// True if the first cells of a column of text are numbers, all that are not empty.
    fn begins_with_numbers(&self, name: &str) -> Result<bool> {
        let (mut n_cells, mut n_numbers) = (0, 0);
        let share = self.shares(name)?.into_iter().next().map(|share| match share {
            Share::Typed(rows) => Share::Typed(rows.start..rows.end.min(HEAD)),
            other => other,
        });
        if let Some(share) = share {
            let mut rows = 0..HEAD;
            let _ = self.text_part(name, &share)?.try_each(|cell| {
                rows.next().ok_or(())?;
                let cell = cell.unwrap_or_default();
                n_cells += usize::from(!cell.is_empty());
                n_numbers += usize::from(cell.parse::<f64>().is_ok());
                Ok::<(), ()>(())
            });
        }
        Ok(n_cells > 0 && n_numbers == n_cells)
    }

    /// The rows of a column of text for threads, in order.
    fn shares(&self, name: &str) -> Result<Vec<Share<'_>>> {
        Ok(match self.find(name)? {
            Found::Csv(rows, at) => rows.parts().iter().map(|part| Share::Csv(part, at)).collect(),
            Found::Constant(text) => vec![Share::Constant(self.n_rows(), text)],
            Found::Typed(_) => self.ranges().into_iter().map(Share::Typed).collect(),
        })
    }

    fn text_part<'a>(&'a self, name: &str, share: &Share<'a>) -> Result<TextPart<'a>> {
        Ok(match share {
            Share::Csv(part, at) => TextPart::Csv(part, *at),
            Share::Constant(n_rows, text) => TextPart::Constant(*n_rows, text),
            Share::Typed(rows) => {
                let table = self.load(&[name], rows.clone())?;
                let column = table.column(name).map_err(internal)?;
                let text = cast(column.as_materialized_series(), &DataType::String)?;
                TextPart::Views(text.str().map_err(internal)?.clone())
            }
        })
    }
}
