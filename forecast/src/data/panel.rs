//! Many series with the same channels and step: what every command starts from.

use std::path::Path;

use crate::data::covariates::{CovariateSchema, Covariates};
use crate::data::files::format::Format;
use crate::data::files::source::{Piece, pieces};
use crate::data::ingest::read::{self, ReadOptions};
use crate::data::series::Series;
use crate::data::time::frequency::Frequency;
use crate::data::time::opening::Opening;
use crate::data::time::step::Step;
use crate::{Error, Result};

/// Series that share channels and step.
#[derive(Debug, Clone)]
pub struct Panel {
    channels: Vec<String>,
    covariates: CovariateSchema,
    series: Vec<Series>,
    report: ReadReport,
}

/// What reading found and assumed: nothing is repaired silently.
#[derive(Debug, Clone)]
pub struct ReadReport {
    /// Rows in the file.
    pub n_rows: usize,
    /// The step of all series.
    pub step: Step,
    /// The opening times that all series keep to.
    pub opening: Option<Opening>,
    /// True if the step was told from the stamps.
    pub step_is_inferred: bool,
    /// Columns that were left out, and other assumptions, in words.
    pub notes: Vec<String>,
    /// Counts for each series, in the panel's order.
    pub counts: Vec<RowCounts>,
    /// Series that were left out, and why; empty unless [`ReadOptions::bad_series`] says so.
    pub left_out: Vec<LeftOut>,
}

/// A series that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeftOut {
    /// The series.
    pub unique_id: String,
    /// What is wrong with it, and the fix.
    pub error: String,
}

/// Rows of one series, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts {
    /// Rows in the file.
    pub rows: usize,
    /// Rows that were older than a row before them.
    pub out_of_order: usize,
    /// Rows beyond the first for one stamp.
    pub duplicates: usize,
    /// Steps of the grid without a row.
    pub absent: usize,
    /// Rows beyond the first for one step of the grid that they were resampled to.
    pub resampled: usize,
    /// Steps beyond the end of the series that have a row of what is known ahead.
    pub ahead: usize,
}

impl Default for ReadReport {
    fn default() -> Self {
        ReadReport {
            n_rows: 0,
            step: Step::Index(1),
            opening: None,
            step_is_inferred: false,
            notes: Vec::new(),
            counts: Vec::new(),
            left_out: Vec::new(),
        }
    }
}

impl ReadReport {
    /// Step and opening of all series.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        Frequency { step: self.step, opening: self.opening.clone() }
    }
}

impl Panel {
    /// Reads a file, the files that match a pattern such as `data/*.parquet`, or a folder of (Hive-partitioned)
    /// files: CSV, Parquet, Arrow IPC or JSON, text gzipped or not, in long or wide form.
    ///
    /// # Errors
    /// Each names the file, the series, the row or the column, and the fix; see [`Error`].
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions};
    /// let error = Panel::read("missing.csv", &ReadOptions::default()).unwrap_err();
    /// assert!(error.to_string().starts_with("cannot read \"missing.csv\""));
    /// ```
    pub fn read(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        let path = path.as_ref();
        read::panel(pieces(path, options.format)?, &path.display().to_string(), options)
    }

    /// Reads bytes, gzipped or not; `input` names them in messages. Their format is told from the first of them
    /// unless the options name it.
    ///
    /// # Errors
    /// As [`Panel::read`].
    pub fn read_bytes(bytes: &[u8], input: &str, options: &ReadOptions) -> Result<Self> {
        read::panel(vec![Piece::of_bytes(bytes, input, options.format)], input, options)
    }

    /// Reads CSV text; `input` names it in messages.
    ///
    /// # Errors
    /// As [`Panel::read`].
    pub fn read_csv(bytes: &[u8], input: &str, options: &ReadOptions) -> Result<Self> {
        read::panel(vec![Piece::of_bytes(bytes, input, Some(Format::Csv))], input, options)
    }

    /// A panel of series that are already regular.
    ///
    /// # Errors
    /// [`Error::WrongStep`], [`Error::WrongChannels`] if they differ, [`Error::BadOption`] if there are none or two have one id.
    pub fn new(channels: Vec<String>, series: Vec<Series>) -> Result<Self> {
        Self::of(channels, CovariateSchema::default(), series)
    }

    /// [`Panel::new`] of series with the covariates of a schema.
    pub(crate) fn of(channels: Vec<String>, schema: CovariateSchema, series: Vec<Series>) -> Result<Self> {
        let first = series.first().map_or(Step::Index(1).into(), |series| series.index().frequency());
        let Frequency { step, opening } = first;
        Self::from_parts(channels, schema, series, ReadReport { step, opening, ..ReadReport::default() })
    }

    fn check_covariates(&self) -> Result<()> {
        match self.series.iter().find(|series| !series.covariates().fits(&self.covariates)) {
            None => Ok(()),
            Some(series) => {
                let rule =
                    "they are not those of the panel; give a panel its covariates with with_covariates";
                Err(Error::option("covariates", format!("those of series \"{}\"", series.id()), rule))
            }
        }
    }

    pub(crate) fn from_parts(
        channels: Vec<String>,
        covariates: CovariateSchema,
        series: Vec<Series>,
        report: ReadReport,
    ) -> Result<Self> {
        if series.is_empty() {
            return Err(Error::option("series", 0, "there must be at least one"));
        }
        let frequency = report.frequency();
        let mut ids = std::collections::HashSet::with_capacity(series.len());
        for one in &series {
            let found = one.index().frequency();
            if found != frequency {
                return Err(Error::WrongStep {
                    series: one.id().to_string(),
                    found: found.to_string(),
                    expected: frequency.to_string(),
                });
            }
            if one.values().ncols() != channels.len() {
                return Err(Error::WrongChannels {
                    series: one.id().to_string(),
                    found: format!("{} columns", one.values().ncols()),
                    expected: channels.join(", "),
                });
            }
            if !ids.insert(one.id()) {
                return Err(Error::option("series id", one.id(), "each series needs an id of its own"));
            }
        }
        drop(ids);
        let panel = Panel { channels, covariates, series, report };
        panel.check_covariates()?;
        Ok(panel)
    }

    /// The same panel with other covariates, those of each series in the panel's order.
    ///
    /// # Errors
    /// [`Error::BadOption`] if they are not one for each series or not those of the schema; [`Error::Internal`] if
    /// they have other steps than their series.
    pub fn with_covariates(&self, schema: CovariateSchema, covariates: Vec<Covariates>) -> Result<Self> {
        if covariates.len() != self.series.len() {
            let rule = format!("there must be one for each of the {} series", self.series.len());
            return Err(Error::option("covariates", format!("{} of series", covariates.len()), rule));
        }
        let series = self.series.iter().cloned().zip(covariates);
        let series = series.map(|(series, own)| series.with_covariates(own)).collect::<Result<_>>()?;
        let panel = Panel { covariates: schema, series, ..self.clone() };
        panel.check_covariates()?;
        Ok(panel)
    }

    /// The same panel with more remarks in its report.
    pub(super) fn with_notes(mut self, notes: Vec<String>) -> Self {
        self.report.notes.extend(notes);
        self
    }

    /// The covariates that every series has; none by default.
    #[must_use]
    pub fn covariate_schema(&self) -> &CovariateSchema {
        &self.covariates
    }

    /// Nothing, if the covariates that are known ahead have a value at each of the `horizon` steps that follow the
    /// end of every series.
    ///
    /// # Errors
    /// [`Error::MissingAhead`] lists the series, the columns and the first stamps that each lacks.
    pub fn check_future(&self, horizon: usize) -> Result<()> {
        self.covariates.check_all_ahead(&self.series, horizon)
    }

    /// The names of the channels.
    #[must_use]
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// The series.
    #[must_use]
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The step that all series share.
    #[must_use]
    pub fn step(&self) -> Step {
        self.report.step
    }

    /// The step and the opening that all series share.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        self.report.frequency()
    }

    /// What reading found and assumed.
    #[must_use]
    pub fn report(&self) -> &ReadReport {
        &self.report
    }

    /// The same panel with each series cut by `cut`, called in order; values are shared.
    #[must_use]
    pub fn map_in_order(&self, cut: impl FnMut(&Series) -> Series) -> Self {
        Panel { series: self.series.iter().map(cut).collect(), ..self.clone() }
    }

    /// The same panel with other series of the same channels, grid and covariates.
    pub(crate) fn with_series(&self, series: Vec<Series>) -> Result<Self> {
        if series.len() != self.series.len() {
            return Err(Error::Internal(format!(
                "{} series in place of {}",
                series.len(),
                self.series.len()
            )));
        }
        Ok(Panel { series, ..self.clone() })
    }

    /// The same panel with the named channels, in that order.
    ///
    /// # Errors
    /// [`Error::WrongChannels`] if one of them is not there.
    pub fn select_channels(&self, channels: &[String]) -> Result<Self> {
        let wrong = || Error::WrongChannels {
            series: self.series.first().map_or_else(String::new, |s| s.id().to_string()),
            found: self.channels.join(", "),
            expected: channels.join(", "),
        };
        let at = |name: &String| self.channels.iter().position(|channel| channel == name);
        let columns: Vec<usize> = channels.iter().map(at).collect::<Option<_>>().ok_or_else(wrong)?;
        let series = self
            .series
            .iter()
            .map(|s| {
                let values = s.values().select(ndarray::Axis(1), &columns);
                s.with_values(values, channels)
            })
            .collect::<Result<_>>()?;
        Ok(Panel { channels: channels.to_vec(), series, ..self.clone() })
    }

    /// How a series and a channel are called in output: the id where there is one channel,
    /// the channel where there is one series, else `id/channel`.
    #[must_use]
    pub fn label(&self, series: &str, channel: usize) -> String {
        label(series, &self.channels, self.series.len(), channel)
    }
}

/// How a series and a channel are called in output.
pub(crate) fn label(series: &str, channels: &[String], n_series: usize, channel: usize) -> String {
    match (channels.len(), n_series) {
        (1, _) => series.to_string(),
        (_, 1) => channels[channel].clone(),
        _ => format!("{series}/{}", channels[channel]),
    }
}
