//! Cells of a column of text: what one thread reads at a time.

use std::borrow::Cow;

use polars::prelude::StringChunked;

use crate::data::files::csv::{CsvPart, plain};

/// Some cells of a column of text.
#[derive(Debug)]
pub(super) enum TextPart<'a> {
    /// Those of a column by its number.
    Csv(&'a CsvPart, usize),
    Views(StringChunked),
    /// As many of one text.
    Constant(usize, &'a str),
}

/// Texts of cells, each with how many neighbours hold the same; neighbours may be told apart although they are equal.
#[derive(Debug, Default)]
pub(in crate::data) struct Runs {
    texts: String,
    /// Where each text ends, and how many cells hold it.
    runs: Vec<(usize, usize)>,
}

impl TextPart<'_> {
    /// The text of a cell by its row among these; empty if it is missing.
    pub(super) fn cell(&self, row: usize) -> Cow<'_, str> {
        match self {
            TextPart::Csv(part, column) => plain(part.cell(row, *column)),
            TextPart::Views(text) => Cow::Borrowed(text.get(row).unwrap_or_default()),
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
            TextPart::Views(text) => text.iter().try_for_each(each),
            TextPart::Constant(n_rows, cell) => (0..*n_rows).try_for_each(|_| each(Some(cell))),
        }
    }

    /// The texts of all cells, empty where one is missing.
    pub(super) fn runs(&self) -> Runs {
        let mut runs = Runs::default();
        match self {
            TextPart::Csv(part, column) => {
                let mut cells = part.cells(*column);
                let Some(mut last) = cells.next() else { return runs };
                let mut n = 1;
                for cell in cells {
                    if cell != last {
                        runs.push(&plain(last), n);
                        (last, n) = (cell, 0);
                    }
                    n += 1;
                }
                runs.push(&plain(last), n);
            }
            TextPart::Views(text) if text.null_count() > 0 => {
                text.iter().for_each(|cell| runs.push(cell.unwrap_or_default(), 1));
            }
            TextPart::Views(text) => {
                for part in text.downcast_iter() {
                    // Equal views are equal texts; text that was stored once for many rows has equal views.
                    let views = part.views();
                    let mut start = 0;
                    while let Some(first) = views.get(start) {
                        let n = n_equal(&views[start..], first.as_u128(), |view| view.as_u128());
                        runs.push(part.value(start), n);
                        start += n;
                    }
                }
            }
            TextPart::Constant(n_rows, cell) => runs.push(cell, *n_rows),
        }
        runs
    }
}

/// How many of the first values are equal to one.
fn n_equal<T: Copy>(values: &[T], one: u128, bits: impl Fn(T) -> u128) -> usize {
    const AT_A_TIME: usize = 16;
    let differ = |some: &[T]| some.iter().fold(0, |differ, value| differ | (bits(*value) ^ one)) != 0;
    let whole =
        values.chunks_exact(AT_A_TIME).position(differ).unwrap_or(values.len() / AT_A_TIME) * AT_A_TIME;
    whole + values[whole..].iter().take_while(|value| bits(**value) == one).count()
}

impl Runs {
    fn push(&mut self, text: &str, n: usize) {
        self.texts.push_str(text);
        self.runs.push((self.texts.len(), n));
    }

    /// The texts and how many cells hold each, in the order of the rows.
    pub(in crate::data) fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        let mut start = 0;
        self.runs.iter().map(move |(end, n)| {
            let text = &self.texts[start..*end];
            start = *end;
            (text, *n)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_neighbours_are_counted_wherever_they_end() {
        for len in 0..70 {
            for end in 0..=len {
                let values: Vec<u128> = (0..len).map(|at| u128::from(at == end)).collect();
                assert_eq!(n_equal(&values, 0, |value| value), end);
            }
        }
    }

    #[test]
    fn runs_of_any_column_hold_its_cells() {
        let cells =
            [Some("a"), Some("a"), None, Some(""), Some("more than twelve bytes"), Some("b"), Some("b")];
        for cells in [&cells[..2], &cells, &cells[3..], &[]] {
            let views: StringChunked = cells.iter().copied().collect();
            let runs = TextPart::Views(views).runs();
            let told: Vec<&str> = runs.iter().flat_map(|(text, n)| std::iter::repeat_n(text, n)).collect();
            assert_eq!(told, cells.iter().map(|cell| cell.unwrap_or_default()).collect::<Vec<_>>());
        }
        let runs = TextPart::Constant(3, "x").runs();
        assert_eq!(runs.iter().collect::<Vec<_>>(), [("x", 3)]);
    }
}
