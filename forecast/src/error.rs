//! The one error type of the library: each variant names the rule, the value and, where it helps, the fix.

mod wording;

use std::io;
use std::path::PathBuf;

use crate::data::LackingSeries;
use wording::{
    io_hint, known_ahead_fix, list_lacking, not_a_number_fix, told_gap, too_few_rows_fix, too_short_fix,
    who_lacks,
};

/// Everything that can go wrong in this crate.
///
/// Messages are lower case, name the series, the field and the value, and say what to do.
/// [`Error::is_user_error`] tells a user's mistake from ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read or written.
    #[error("{action} \"{}\": {source}{}", path.display(), io_hint(source))]
    Io {
        /// What was tried: `cannot read`, `cannot write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A folder holds nothing that could be read.
    #[error(
        "\"{}\" is a folder that holds no file of a known format; name a file or a pattern such as data/*.csv",
        path.display()
    )]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },
    /// The text of a file is not UTF-8.
    #[error(
        "\"{input}\" is not UTF-8: line {line} holds the byte 0x{byte:02x}; convert it first, for example with `iconv -f latin1 -t utf-8`"
    )]
    NotUtf8 {
        /// The file.
        input: String,
        /// One-based line of the first bad byte.
        line: usize,
        /// The first bad byte.
        byte: u8,
    },
    /// A file is not in the format that its name promises, or is damaged.
    #[error("cannot read \"{input}\" as {format}: {reason}")]
    Unreadable {
        /// The file.
        input: String,
        /// The format tried.
        format: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// The extension of a file names no format that can be read or written.
    #[error("\"{input}\" has no known format; use one of {known}")]
    UnknownFormat {
        /// The file or the format given.
        input: String,
        /// The formats that are known.
        known: &'static str,
    },
    /// A line of a text file has more or fewer cells than the header.
    #[error(
        "\"{input}\", row {row} has {found} cells, but the header has {expected}; complete the row, or quote cells that hold the separator"
    )]
    RaggedRow {
        /// The file.
        input: String,
        /// One-based row of data (the header does not count).
        row: usize,
        /// Cells of the row.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// Series of one panel have different steps.
    #[error(
        "series \"{series}\" has a step of {found}, but the panel has {expected}; read series of different steps apart, or give the step with --freq"
    )]
    MixedSteps {
        /// The series.
        series: String,
        /// Its step.
        found: String,
        /// The step of the others.
        expected: String,
    },
    /// No column looks like time stamps.
    #[error(
        "\"{input}\" has no time column: its columns are {columns}; name it ds, timestamp or date, or say which one it is with --time-col"
    )]
    NoTimeColumn {
        /// The file.
        input: String,
        /// The columns that it has.
        columns: String,
    },
    /// No column holds values to forecast.
    #[error(
        "\"{input}\" has no column of numbers to forecast: its columns are {columns}; say which one with --target-col"
    )]
    NoTarget {
        /// The file.
        input: String,
        /// The columns that it has.
        columns: String,
    },
    /// More than one column could be the target of a long frame.
    #[error(
        "\"{input}\" has ids in \"{id}\" and several columns of numbers ({columns}); say which one to forecast with --target-col"
    )]
    AmbiguousTarget {
        /// The file.
        input: String,
        /// The id column.
        id: String,
        /// The candidates.
        columns: String,
    },
    /// A column that was asked for is not there.
    #[error("\"{input}\" has no column \"{column}\"; its columns are {columns}")]
    NoSuchColumn {
        /// The file.
        input: String,
        /// The column that was asked for.
        column: String,
        /// The columns that it has.
        columns: String,
    },
    /// A cell of a value column is not a number.
    #[error(
        "\"{input}\", row {row}: \"{value}\" in column \"{column}\" is not a number; {}",
        not_a_number_fix(value)
    )]
    NotANumber {
        /// The file.
        input: String,
        /// One-based row of data (the header does not count).
        row: usize,
        /// The column.
        column: String,
        /// The cell.
        value: String,
    },
    /// A cell of the time column cannot be read.
    #[error("\"{input}\", row {row}: cannot read \"{value}\" in column \"{column}\" as {expected}")]
    BadStamp {
        /// The file.
        input: String,
        /// One-based row of data (the header does not count).
        row: usize,
        /// The time column.
        column: String,
        /// The cell.
        value: String,
        /// What was expected, with an example.
        expected: &'static str,
    },
    /// A series holds two rows for one stamp.
    #[error(
        "series \"{series}\" has {count} rows for {stamp}; keep one of them with --duplicates first, last or mean"
    )]
    DuplicateStamp {
        /// The series.
        series: String,
        /// The first repeated stamp.
        stamp: String,
        /// How many rows carry it.
        count: usize,
    },
    /// A series has rows that are older than a row before them, and the policy refuses those.
    #[error(
        "series \"{series}\" has {count} rows out of order; sort the file, or have them sorted with --out-of-order sort"
    )]
    OutOfOrder {
        /// The series.
        series: String,
        /// How many rows are older than one before them.
        count: usize,
    },
    /// A file is read series by series, but the rows of one do not stand side by side.
    #[error(
        "the rows of series \"{series}\" do not stand together, so the file cannot be read series by series; sort it by id, or raise --memory-limit so that it is read whole"
    )]
    NotTogether {
        /// The series.
        series: String,
    },
    /// The stamps of a series do not lie on one grid.
    #[error(
        "series \"{series}\" is irregular: {stamp} is not on the grid of {step} steps that starts at {start}; give its step with --freq, or resample it with --freq and --aggregate, for example --freq 1h --aggregate mean"
    )]
    Irregular {
        /// The series.
        series: String,
        /// The first stamp off the grid.
        stamp: String,
        /// The step.
        step: String,
        /// The first stamp of the series.
        start: String,
    },
    /// A row lies where the opening has no step.
    #[error(
        "series \"{series}\" has a row at {stamp}, which lies outside the opening {opening}; widen the opening with --open, or leave the row out"
    )]
    OutsideOpening {
        /// The series.
        series: String,
        /// The first stamp that is closed.
        stamp: String,
        /// The opening.
        opening: String,
    },
    /// The step cannot be told from the stamps.
    #[error(
        "series \"{series}\" has {steps} time stamps, too few to tell its step; give it with --freq, for example --freq 1h"
    )]
    UnknownStep {
        /// The series.
        series: String,
        /// How many stamps there are.
        steps: usize,
    },
    /// The grid between the first and the last stamp is absurdly long.
    #[error(
        "series \"{series}\" would need {steps} steps of {step} from {start} to {end}, but only {rows} rows were read; check its stamps or give a longer step with --freq"
    )]
    TooSparse {
        /// The series.
        series: String,
        /// Steps of the full grid.
        steps: usize,
        /// The step.
        step: String,
        /// First stamp.
        start: String,
        /// Last stamp.
        end: String,
        /// Rows that were read.
        rows: usize,
    },
    /// A value is infinite.
    #[error(
        "series \"{series}\" has an infinite value in \"{channel}\" at {stamp}; leave the cell empty where the value is missing"
    )]
    Infinite {
        /// The series.
        series: String,
        /// The channel.
        channel: String,
        /// The stamp.
        stamp: String,
    },
    /// Every value of a series is the same.
    #[error(
        "series \"{series}\" is constant: all {observed} observed values of \"{channel}\" are {value}; there is nothing to fit, use --model naive"
    )]
    Constant {
        /// The series.
        series: String,
        /// The channel.
        channel: String,
        /// How many values were observed.
        observed: usize,
        /// The value.
        value: f64,
    },
    /// A series or a window of it has no observed value.
    #[error("series \"{series}\" has no observed value in {place} ({steps} steps, all missing)")]
    AllMissing {
        /// The series.
        series: String,
        /// Which part was looked at.
        place: String,
        /// How many steps that part has.
        steps: usize,
    },
    /// A series is too short for what is asked.
    #[error("series \"{series}\" has {steps} steps, but lookback {lookback} + horizon {horizon} needs {}; {}", lookback.saturating_add(*horizon), too_short_fix(*steps, *horizon))]
    TooShort {
        /// The series.
        series: String,
        /// Steps that it has.
        steps: usize,
        /// Steps that the model looks back.
        lookback: usize,
        /// Steps ahead.
        horizon: usize,
    },
    /// A series is shorter than what a fitted model looks back.
    #[error(
        "series \"{series}\" has {steps} steps of history, but the model looks back {lookback}; give it at least that many"
    )]
    HistoryTooShort {
        /// The series.
        series: String,
        /// Steps of history.
        steps: usize,
        /// Steps that the model looks back.
        lookback: usize,
    },
    /// A series is too short for a back-test.
    #[error(
        "series \"{series}\" has {steps} steps, but lookback {lookback}, {}horizon {horizon} and {n_windows} windows {step_size} steps apart need {needed}; use fewer windows or a shorter lookback", told_gap(*gap)
    )]
    TooShortForBacktest {
        /// The series.
        series: String,
        /// Steps that it has.
        steps: usize,
        /// Steps that the model looks back.
        lookback: usize,
        /// Steps between a cutoff and the first scored step.
        gap: usize,
        /// Steps ahead.
        horizon: usize,
        /// Windows asked for.
        n_windows: usize,
        /// Steps from one cutoff to the next.
        step_size: usize,
        /// Steps needed.
        needed: usize,
    },
    /// Too few complete rows for the coefficients of an autoregression.
    #[error("series \"{series}\" gives {rows} complete rows for the {} coefficients of order {order}; {}", order + 1, too_few_rows_fix(*longest))]
    TooFewRows {
        /// The series.
        series: String,
        /// Rows without a missing value.
        rows: usize,
        /// The order.
        order: usize,
        /// The longest order that has as many rows as coefficients; 0 if none has.
        longest: usize,
    },
    /// The same because of steps that a covariate is missing at.
    #[error("series \"{series}\" gives {rows} complete rows for the {} coefficients of order {order}, since covariate \"{covariate}\" is missing at {missing} of {steps} steps; fill it in, leave it out, or {}", order + 1, too_few_rows_fix(*longest))]
    CovariateGaps {
        /// The series.
        series: String,
        /// The covariate that is missing most often.
        covariate: String,
        /// At how many steps it is missing.
        missing: usize,
        /// Steps of the training range.
        steps: usize,
        /// Rows without a missing value.
        rows: usize,
        /// The order.
        order: usize,
        /// The longest order that has as many rows as coefficients; 0 if none has.
        longest: usize,
    },
    /// The least-squares problem has no unique solution.
    #[error(
        "series \"{series}\": least squares of order {order} has no unique solution ({reason}); use a lower order, or a ridge such as ridge = 0.001"
    )]
    Singular {
        /// The series.
        series: String,
        /// The order.
        order: usize,
        /// What the solver said.
        reason: String,
    },
    /// A training by gradient descent came to a loss or a gradient that is no number.
    #[error(
        "series \"{series}\": the {what} of batch {batch} in epoch {epoch} is {loss}; use a smaller learning_rate, or --scaling standard where values are huge"
    )]
    Diverged {
        /// The series.
        series: String,
        /// What is no number: `loss`, `gradient`, `validation loss`.
        what: &'static str,
        /// The loss, or the length of the gradient.
        loss: f64,
        /// The epoch, from 1.
        epoch: usize,
        /// The batch of the epoch, from 1.
        batch: usize,
    },
    /// A static covariate has two values in one series.
    #[error(
        "series \"{series}\": static covariate \"{column}\" is {first}, but {other}; make it one value, or declare it past or future"
    )]
    VaryingStatic {
        /// The series.
        series: String,
        /// The covariate.
        column: String,
        /// The first value and its stamp.
        first: String,
        /// Another value and its stamp.
        other: String,
    },
    /// Covariates that are known ahead lack values for steps to forecast.
    #[error(
        "{} covariates for the {horizon} steps to forecast: {}; give rows with these stamps and no target{}",
        who_lacks(lacking, *n_series), list_lacking(lacking, *n_series), known_ahead_fix(*n_known)
    )]
    MissingAhead {
        /// Steps to forecast.
        horizon: usize,
        /// Steps until the first that lacks a value.
        n_known: usize,
        /// How many series lack values.
        n_series: usize,
        /// The first of them, with the columns that lack values, and the stamps.
        lacking: Vec<LackingSeries>,
    },
    /// A model name that is not known.
    #[error("unknown model \"{name}\"; known models are {known}")]
    UnknownModel {
        /// The name given.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// The caller has cancelled the computation.
    #[error("cancelled before it was done")]
    Cancelled,
    /// A setting is outside its range.
    #[error("{field} is {value}, but {rule}")]
    BadOption {
        /// The setting, as the user writes it.
        field: String,
        /// The value given.
        value: String,
        /// The rule that it breaks.
        rule: String,
    },
    /// A model knows no such series.
    #[error(
        "the model was not fitted on series \"{series}\"; it knows {known}; fit with pooled = true to forecast series that it has not seen"
    )]
    UnknownSeries {
        /// The series.
        series: String,
        /// Some that it knows.
        known: String,
    },
    /// The channels of the data are not the model's.
    #[error("series \"{series}\" has the channels {found}, but the model was fitted on {expected}")]
    WrongChannels {
        /// The series.
        series: String,
        /// Channels of the data.
        found: String,
        /// Channels of the model.
        expected: String,
    },
    /// The step of the data is not the model's.
    #[error("series \"{series}\" has a step of {found}, but the model was fitted on steps of {expected}")]
    WrongStep {
        /// The series.
        series: String,
        /// Step of the data.
        found: String,
        /// Step of the model.
        expected: String,
    },
    /// Intervals were asked for that the calibration cannot give.
    #[error(
        "{asked} needs {needed} calibration windows at step {step}, but the model has {available}; {fix}"
    )]
    NotCalibrated {
        /// What was asked for: `level 95`, `quantile 0.01`.
        asked: String,
        /// Windows needed.
        needed: usize,
        /// Horizon step, from 1.
        step: usize,
        /// Windows that the model has at that step.
        available: usize,
        /// What to do.
        fix: String,
    },
    /// A file is not a model of ours.
    #[error("\"{}\" is not a .longcast model: {reason}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A model file of a later version of the format.
    #[error(
        "\"{}\" has format version {found}, but this program reads versions up to {supported}; upgrade longcast to read it", path.display()
    )]
    FormatTooNew {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: u64,
        /// Latest version that can be read.
        supported: u64,
    },
    /// A model file that is cut off, altered, or over a bound.
    #[error("\"{}\" is damaged: {reason}; copy it again from where it was saved", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Something that should not happen: please report it.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// True if the input or the call was wrong, false if this program is to blame.
    ///
    /// # Example
    /// ```
    /// let error = forecast::Panel::read("nowhere.csv", &Default::default()).unwrap_err();
    /// assert!(error.is_user_error());
    /// ```
    #[must_use]
    pub fn is_user_error(&self) -> bool {
        match self {
            Error::Internal(_) => false,
            Error::Io { source, .. } => !matches!(
                source.kind(),
                io::ErrorKind::Other | io::ErrorKind::OutOfMemory | io::ErrorKind::Unsupported
            ),
            _ => true,
        }
    }

    /// The id of the series that is to blame, where it is one that cannot be used for what was asked: the same
    /// call may work without it.
    ///
    /// # Example
    /// ```
    /// let error = forecast::Error::TooShort { series: "a".into(), steps: 9, lookback: 8, horizon: 4 };
    /// assert_eq!(error.series(), Some("a"));
    /// assert_eq!(forecast::ModelConfig::parse("arima").unwrap_err().series(), None);
    /// ```
    #[must_use]
    pub fn series(&self) -> Option<&str> {
        match self {
            Error::Constant { series, .. }
            | Error::AllMissing { series, .. }
            | Error::TooShort { series, .. }
            | Error::HistoryTooShort { series, .. }
            | Error::TooShortForBacktest { series, .. }
            | Error::TooFewRows { series, .. }
            | Error::CovariateGaps { series, .. }
            | Error::Diverged { series, .. }
            | Error::Singular { series, .. } => Some(series),
            _ => None,
        }
    }

    pub(crate) fn option(field: impl Into<String>, value: impl ToString, rule: impl Into<String>) -> Self {
        Error::BadOption { field: field.into(), value: value.to_string(), rule: rule.into() }
    }
}
