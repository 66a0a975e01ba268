//! Results into tables: of a part, and of all parts together.

use std::path::Path;

use ndarray::Array2;

use super::choices::Choices;
use super::journal::Journal;
use super::work::{Failure, Outcome};
use crate::data::{Cells, Format, TableWriter, encode};
use crate::file::{self, StreamedFile};
use crate::model::table_of;
use crate::{Forecast, Result};

/// The columns of a part: those of [`table`] for every model, beside each other; none if nothing was forecast.
pub(super) fn columns(outcomes: Vec<Outcome>, choices: &Choices) -> Vec<(String, Cells)> {
    let mut by_model: Vec<Vec<Forecast>> = choices.models.iter().map(|_| Vec::new()).collect();
    for outcome in outcomes {
        let Some(one) = outcome.forecasts.iter().flatten().next().map(without_values) else { continue };
        for (forecasts, forecast) in by_model.iter_mut().zip(outcome.forecasts) {
            forecasts.push(forecast.unwrap_or_else(|| one.clone()));
        }
    }
    let mut columns = Vec::new();
    for (model, forecasts) in choices.models.iter().zip(&by_model) {
        // Ids depend on how many series the whole run has, not on how many a part has.
        let of_model = table_of(forecasts, model.name(), choices.n_series);
        if columns.is_empty() {
            columns = of_model;
        } else {
            // The ids and stamps stand there already.
            columns.extend(of_model.into_iter().skip(2));
        }
    }
    columns
}

/// The same forecast with every value missing.
fn without_values(forecast: &Forecast) -> Forecast {
    let missing = |values: &Array2<f64>| Array2::from_elem(values.dim(), f64::NAN);
    let mut empty = forecast.clone();
    empty.mean = missing(&empty.mean);
    for interval in &mut empty.intervals {
        (interval.lower, interval.upper) = (missing(&interval.lower), missing(&interval.upper));
    }
    for quantile in &mut empty.quantiles {
        quantile.values = missing(&quantile.values);
    }
    empty
}

/// The table of a part as an Arrow file, with cells as they will stand in the output; empty without columns.
pub(super) fn part(columns: Vec<(String, Cells)>, format: Format) -> Result<Vec<u8>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let told = |(name, cells): (String, Cells)| match format {
        Format::Csv => (name, cells.with_told_stamps()),
        _ => (name, cells),
    };
    encode(&columns.into_iter().map(told).collect::<Vec<_>>(), Format::Arrow)
}

/// All parts together in one file, a row group each: written while the run goes on, and put in place at its end.
pub(super) struct Joined<'a> {
    output: &'a Path,
    format: Format,
    /// `None` before the first part with rows.
    writer: Option<TableWriter>,
}

impl<'a> Joined<'a> {
    /// Begins with the parts that are there.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if one cannot be read, or the file cannot be written.
    pub(super) fn new(journal: &Journal, output: &'a Path, format: Format) -> Result<Self> {
        let mut joined = Joined { output, format, writer: None };
        for part in journal.parts() {
            if let (_, Some(path)) = part? {
                joined.append(journal, &file::read(&path)?, &path)?;
            }
        }
        Ok(joined)
    }

    /// Adds a part; `path` names it in messages.
    pub(super) fn append(&mut self, journal: &Journal, table: &[u8], path: &Path) -> Result<()> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let temporary = journal.folder().join(".joined.partial");
                none.insert(TableWriter::over(StreamedFile::create_at(temporary, self.output)?, self.format)?)
            }
        };
        writer.append(table, &path.display().to_string())
    }

    /// Puts the file in place, if there is a row.
    pub(super) fn finish(self) -> Result<()> {
        self.writer.map_or(Ok(()), TableWriter::finish)
    }
}

/// Writes what failed to `errors`, a row each.
pub(super) fn write_errors(journal: &Journal, output: &Path, errors: &Path) -> Result<()> {
    let file = if errors.parent() == output.parent() {
        StreamedFile::create_at(journal.folder().join(".errors.partial"), errors)?
    } else {
        // The folder of the parts may lie on another file system.
        StreamedFile::create(errors)?
    };
    let mut writer = TableWriter::over(file, Format::Csv)?;
    for part in journal.parts() {
        let failures = part?.0.failures;
        if !failures.is_empty() {
            let column = |name: &str, of: fn(&Failure) -> &String| {
                (name.to_string(), Cells::Text(failures.iter().map(of).cloned().collect()))
            };
            writer.write(&[
                column("unique_id", |failure| &failure.unique_id),
                column("model", |failure| &failure.model),
                column("error", |failure| &failure.error),
            ])?;
        }
    }
    writer.finish()
}
