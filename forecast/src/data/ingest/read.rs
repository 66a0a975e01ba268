//! From a table to a panel: which column is what, and rows sorted into regular series.

use std::str::FromStr;

use rayon::prelude::*;

use super::collect::Collector;
use super::columns::{Parts, assign};
use super::rows::Rows;
use crate::data::covariates::{CovariateDeclaration, CovariateSchema};
use crate::data::files::cells::Cells;
use crate::data::files::chunks::{Chunks, Pace};
use crate::data::files::format::Format;
use crate::data::files::frame::{Frame, Kind};
use crate::data::files::source::Piece;
use crate::data::grid::aggregate::{Aggregation, Duplicates, OutOfOrder};
use crate::data::grid::infer::Grid;
use crate::data::grid::regular::{Columns, Regular, regularise};
use crate::data::panel::{LeftOut, Panel, ReadReport};
use crate::data::quality::gaps::longest_gap_note;
use crate::data::time::opening::Opening;
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

/// How to read a file into a [`Panel`].
///
/// | field | default | meaning |
/// |---|---|---|
/// | `id_column` | `unique_id`, `item_id` or `series_id` | series id of a long frame |
/// | `time_column` | `ds`, `timestamp`, `date`, ... | time stamps |
/// | `target_columns` | `y`, `target`, `value`, else every column of numbers | the channels |
/// | `freq` | inferred | the step |
/// | `opening` | always open; business days if daily rows leave out every weekend | when the series have steps |
/// | `zone` | none, or the offset of the stamps | zone of local stamps and of calendar steps |
/// | `duplicates` | error | several rows for one stamp |
/// | `out_of_order` | sort | rows older than a row before them |
/// | `aggregate` | none | how rows are resampled to the steps of `freq`, which then has to be given |
/// | `time_format` | told from the stamps | form of the stamps in text, as of strftime: `%d.%m.%Y %H:%M` |
/// | `format` | told from the name or the first bytes | format of the files |
/// | `covariates` | none | columns that are not forecast themselves, and when they are known |
/// | `covariate_schema` | none | the covariates of a model, by whose categories the file is read; in place of `covariates` |
/// | `bad_series` | stop | a series that cannot be used ends the reading, or is left out and reported |
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The column with the series id of a long frame.
    pub id_column: Option<String>,
    /// The column with the time stamps.
    pub time_column: Option<String>,
    /// The columns with the values, one a channel.
    pub target_columns: Vec<String>,
    /// The step; inferred if `None`.
    pub freq: Option<Step>,
    /// When the series have steps; always if `None`.
    pub opening: Option<Opening>,
    /// The zone that stamps without an offset are in, and that all are told in.
    pub zone: Option<Zone>,
    /// What to do with several rows for one stamp.
    pub duplicates: Duplicates,
    /// What to do with rows that are older than a row before them.
    pub out_of_order: OutOfOrder,
    /// How rows become steps of `freq`; rows have to lie on its grid if `None`.
    pub aggregate: Option<Aggregation>,
    /// The form of stamps in text, as of strftime.
    pub time_format: Option<String>,
    /// The format of the files.
    pub format: Option<Format>,
    /// Columns that are not forecast themselves.
    pub covariates: CovariateDeclaration,
    /// The covariates of a model, in place of a declaration.
    pub covariate_schema: Option<CovariateSchema>,
    /// What to do with a series that cannot be used.
    pub bad_series: BadSeries,
}

/// What to do with a series that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BadSeries {
    /// End with its error.
    #[default]
    Stop,
    /// Leave it out, and report it.
    LeaveOut,
}

impl FromStr for BadSeries {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "stop" => Ok(BadSeries::Stop),
            "leave-out" => Ok(BadSeries::LeaveOut),
            _ => Err(Error::option("bad_series", format!("\"{text}\""), "it must be stop or leave-out")),
        }
    }
}

impl ReadOptions {
    /// Checks what can be checked without data.
    pub(in crate::data) fn check(&self) -> Result<()> {
        self.covariates.check()?;
        if self.covariate_schema.is_some() && !self.covariates.is_empty() {
            let rule = "the schema of a model names the covariates already; leave out one of the two";
            return Err(Error::option("covariates", self.covariate_names().join(", "), rule));
        }
        match (self.freq, self.aggregate) {
            (Some(step), _) if !step.is_positive() => Err(Error::option("freq", step, "it must be positive")),
            (None, Some(aggregation)) => {
                let rule = "the step to resample to has to be given with --freq";
                Err(Error::option("aggregate", aggregation, rule))
            }
            (_, Some(aggregation)) if self.opening.is_some() => {
                let rule = "rows are not resampled to opening times; leave out one of the two";
                Err(Error::option("aggregate", aggregation, rule))
            }
            _ => Ok(()),
        }
    }

    /// The covariates that are read.
    pub(in crate::data) fn covariate_names(&self) -> Vec<String> {
        match &self.covariate_schema {
            Some(schema) => schema.columns().iter().map(|column| column.name.clone()).collect(),
            None => self.covariates.columns().keys().cloned().collect(),
        }
    }
}

/// Reads files into a checked, regular panel; `input` names them all in messages.
pub(in crate::data) fn panel(pieces: Vec<Piece<'_>>, input: &str, options: &ReadOptions) -> Result<Panel> {
    options.check()?;
    let mut chunks = Chunks::new(pieces, Pace::default());
    let (mut collector, first) = start(&mut chunks, input, options)?;
    collect(&mut collector, first, &mut chunks)?;
    let schema = collector.covariates.settle(input)?;
    let mut rows = collector.take_all()?.sorted();
    let mut parts = collector.parts;
    rows.drop_empty(&mut parts, input)?;
    // Rows that all share a stamp have no step, but that is not what is wrong with them.
    let grid = Grid::of(options, rows.usable(), &rows.stamps.axis)
        .or_else(|error| rows.check_distinct(options).and(Err(error)))?;
    let step = grid.step;
    let mut report = ReadReport {
        n_rows: rows.n_rows(),
        step,
        opening: grid.opening(),
        step_is_inferred: options.freq.is_none(),
        notes: parts.notes,
        ..ReadReport::default()
    };
    report.notes.append(&mut chunks.notes);
    report.notes.extend(rows.stamps.axis.notes.iter().chain(&grid.notes).cloned());
    if let Some(aggregation) = options.aggregate {
        report.notes.push(format!("rows are resampled to steps of {step} by their {aggregation}"));
    }
    let columns = Columns { channels: &parts.targets, covariates: &schema };
    let regular = all_regular(&rows, 0..rows.n_series(), &grid, columns, options);
    let mut series = Vec::with_capacity(regular.len());
    for (rows, regular) in rows.all().zip(regular) {
        match regular {
            Ok(Regular { series: one, counts }) => {
                series.push(one);
                report.counts.push(counts);
            }
            Err(error) if options.bad_series == BadSeries::Stop => return Err(error),
            Err(error) => {
                report.left_out.push(LeftOut { unique_id: rows.id.to_string(), error: error.to_string() });
            }
        }
    }
    if let (true, Some(first)) = (series.is_empty(), report.left_out.first()) {
        let rule =
            format!("none of {} series can be used; the first: {}", report.left_out.len(), first.error);
        return Err(Error::option("the input", input, rule));
    }
    report.notes.extend(longest_gap_note(&series, &report.counts));
    Panel::from_parts(parts.targets, schema, series, report)
}

/// A collector and the first rows, which it does not hold yet, once it is known which column is what.
pub(in crate::data) fn start(
    chunks: &mut Chunks<'_>,
    input: &str,
    options: &ReadOptions,
) -> Result<(Collector, Frame)> {
    let Some(first) = chunks.next()? else {
        return Err(chunks.no_rows(input));
    };
    let parts = assign(&first, input, options)?;
    Ok((Collector::new(&first, parts, options)?, first))
}

/// Collects these rows and all that follow; some are read while those before them are collected.
pub(in crate::data) fn collect(
    collector: &mut Collector,
    first: Frame,
    chunks: &mut Chunks<'_>,
) -> Result<()> {
    let mut frame = Some(first);
    while let Some(rows) = frame {
        let (collected, next) = rayon::join(|| collector.push(&rows), || chunks.next());
        collected?;
        frame = next?;
    }
    Ok(())
}

/// Some series on their grids, in parallel, in order.
pub(in crate::data) fn all_regular(
    rows: &Rows,
    series: std::ops::Range<usize>,
    grid: &Grid,
    columns: Columns<'_>,
    options: &ReadOptions,
) -> Vec<Result<Regular>> {
    let axis = &rows.stamps.axis;
    let one = |at: usize| match rows.bad_cell(at) {
        Some(bad) => Err(bad.error()),
        None => regularise(&rows.series(at), axis, grid, columns, options),
    };
    series.into_par_iter().map(one).collect()
}

impl Rows {
    pub(in crate::data) fn check_distinct(&self, options: &ReadOptions) -> Result<()> {
        for rows in self.usable().filter(|_| options.duplicates == Duplicates::Error) {
            if let Some((stamp, same)) = rows.by_stamp().find(|(_, same)| same.len() > 1) {
                let stamp = self.stamps.axis.tell(stamp);
                return Err(Error::DuplicateStamp { series: rows.id.to_string(), stamp, count: same.len() });
            }
        }
        Ok(())
    }

    /// Leaves out told targets without any value; one that was asked for is an error.
    pub(in crate::data) fn drop_empty(&mut self, parts: &mut Parts, input: &str) -> Result<()> {
        let is_empty: Vec<bool> = (0..parts.targets.len()).map(|column| self.is_missing(column)).collect();
        let all_are = is_empty.iter().all(|empty| *empty);
        for (target, _) in parts.targets.iter().zip(&is_empty).filter(|(_, empty)| **empty) {
            if !parts.targets_are_told || all_are {
                let place = format!("column \"{target}\"");
                return Err(Error::AllMissing { series: input.to_string(), place, steps: self.n_rows() });
            }
            parts.notes.push(format!("column \"{target}\" is empty and not used"));
        }
        self.keep_columns(&is_empty.iter().map(|empty| !empty).collect::<Vec<_>>());
        let mut is_empty = is_empty.into_iter();
        parts.targets.retain(|_| !is_empty.next().unwrap_or(false));
        Ok(())
    }
}

/// The columns of a table as they stand in a file; time stamps in text stay text.
///
/// # Errors
/// As [`Panel::read`].
pub fn decode(bytes: &[u8], input: &str, format: Format) -> Result<Vec<(String, Cells)>> {
    let mut chunks = Chunks::new(vec![Piece::of_bytes(bytes, input, Some(format))], Pace::default());
    let mut columns: Vec<(String, Cells)> = Vec::new();
    while let Some(frame) = chunks.next()? {
        if columns.is_empty() {
            for name in frame.names() {
                let cells = match frame.kind(name)? {
                    Kind::Number | Kind::Integer => Cells::Numbers(Vec::new()),
                    Kind::Text if frame.is_told_number(name)? => Cells::Numbers(Vec::new()),
                    Kind::Stamp => {
                        let zone = frame.zone(name)?.map_or(Ok(Zone::Local), |zone| Zone::named(&zone))?;
                        Cells::Stamps(Vec::new(), zone)
                    }
                    Kind::Text | Kind::Other => Cells::Text(Vec::new()),
                };
                columns.push((name.to_string(), cells));
            }
        }
        for (name, cells) in &mut columns {
            match cells {
                Cells::Numbers(numbers) => frame.append_numbers(name, numbers)?,
                Cells::Stamps(stamps, _) => {
                    let added = frame.append_integers(name, stamps)?;
                    added.map_err(|row| Error::BadStamp {
                        input: input.to_string(),
                        row: frame.row_number(row),
                        column: name.clone(),
                        value: String::new(),
                        expected: "a time stamp, as in the other rows",
                    })?;
                }
                Cells::Integers(_) => {}
                Cells::Text(text) => frame.each_text(name, |_, cell| {
                    text.push(cell.unwrap_or_default().to_string());
                    Ok(())
                })?,
            }
        }
    }
    if columns.is_empty() {
        return Err(chunks.no_rows(input));
    }
    Ok(columns)
}
