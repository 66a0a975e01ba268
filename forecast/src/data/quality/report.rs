//! The data-quality report: what is in a panel, before any model sees it.

use std::ops::Range;

use serde::Serialize;

use super::covariates::CovariateQuality;
use super::gaps::longest_gap;
use super::season::{season_length, season_strength, usual_seasons};
use crate::data::panel::{LeftOut, Panel, RowCounts};
use crate::data::scaler::{quantile, sorted};
use crate::data::series::Series;
use crate::data::time::frequency::Frequency;
use crate::data::time::index::TimeIndex;
use crate::data::time::opening::Opening;
use crate::data::time::step::Step;

/// A model looks back this many steps at least, if the series have them.
const SHORTEST_LOOKBACK: usize = 24;
/// A series should be this many lookbacks long, so that there is something to learn from.
const LOOKBACKS_A_SERIES: usize = 4;
/// A value this many scaled median absolute deviations from the median counts as an outlier.
const OUTLIER: f64 = 6.0;

/// The report on a panel.
#[derive(Debug, Clone, Serialize)]
pub struct Quality {
    /// Rows in the file.
    pub n_rows: usize,
    /// The step, as an alias.
    pub step: Step,
    /// The opening times that all series keep to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<Opening>,
    /// True if the step was told from the stamps.
    pub step_is_inferred: bool,
    /// What reading assumed and left out.
    pub notes: Vec<String>,
    /// The season that stands out, in steps; 1 if none does.
    pub season_length: usize,
    /// One report a covariate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covariates: Vec<CovariateQuality>,
    /// Series that could not be used, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Steps that a model should look back, if the shortest series allows it: two seasons, at least 24 steps.
    pub recommended_lookback: usize,
    /// One report a series.
    pub series: Vec<SeriesQuality>,
}

/// The report on one series.
#[derive(Debug, Clone, Serialize)]
pub struct SeriesQuality {
    /// The series.
    pub unique_id: String,
    /// First stamp.
    pub start: String,
    /// Last stamp.
    pub end: String,
    /// Steps of the grid.
    pub n_steps: usize,
    /// Rows in the file.
    pub n_rows: usize,
    /// Steps without a row.
    pub n_absent: usize,
    /// Rows beyond the first for one stamp.
    pub n_duplicates: usize,
    /// Rows that were older than a row before them.
    pub n_out_of_order: usize,
    /// One report a channel.
    pub channels: Vec<ChannelQuality>,
}

/// The report on one channel of a series.
#[derive(Debug, Clone, Serialize)]
pub struct ChannelQuality {
    /// The channel.
    pub channel: String,
    /// Values that were observed.
    pub n_observed: usize,
    /// Values that are missing, absent rows included.
    pub n_missing: usize,
    /// Runs of missing values.
    pub n_gaps: usize,
    /// Steps of the longest run of missing values.
    pub longest_gap: usize,
    /// First and last stamp of the longest run of missing values, the first of several; `None` without any.
    pub longest_gap_at: Option<(String, String)>,
    /// Values that are exactly zero.
    pub n_zeros: usize,
    /// Steps of the longest run of one repeated value.
    pub longest_constant_run: usize,
    /// Values more than 6 scaled median absolute deviations from the median.
    pub n_outliers: usize,
    /// Smallest value; `None` where nothing was observed.
    pub min: Option<f64>,
    /// Median value.
    pub median: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Usual seasons in steps, and how much the series repeats after each, from -1 to 1.
    pub seasons: Vec<(usize, f64)>,
}

impl Quality {
    /// Looks at every value of a panel.
    #[must_use]
    pub fn of(panel: &Panel) -> Self {
        let report = panel.report();
        let counts = report.counts.iter().copied().map(Some).chain(std::iter::repeat(None));
        let season_length = season_length(panel);
        Quality {
            n_rows: report.n_rows,
            step: report.step,
            opening: report.opening.clone(),
            step_is_inferred: report.step_is_inferred,
            notes: report.notes.clone(),
            season_length,
            covariates: CovariateQuality::of(panel),
            left_out: report.left_out.clone(),
            recommended_lookback: recommended_lookback(season_length, panel),
            series: panel
                .series()
                .iter()
                .zip(counts)
                .map(|(series, counts)| SeriesQuality::of(series, panel.channels(), counts))
                .collect(),
        }
    }

    /// Step and opening.
    #[must_use]
    pub fn frequency(&self) -> Frequency {
        Frequency { step: self.step, opening: self.opening.clone() }
    }
}

impl SeriesQuality {
    fn of(series: &Series, channels: &[String], counts: Option<RowCounts>) -> Self {
        let index = series.index();
        let seasons = usual_seasons(&index.frequency());
        let counts = counts.unwrap_or(RowCounts { rows: series.n_steps(), ..RowCounts::default() });
        SeriesQuality {
            unique_id: series.id().to_string(),
            start: index.format(index.start),
            end: index.format(index.end()),
            n_steps: series.n_steps(),
            n_rows: counts.rows,
            n_absent: counts.absent,
            n_duplicates: counts.duplicates,
            n_out_of_order: counts.out_of_order,
            channels: channels
                .iter()
                .zip(series.values().columns())
                .map(|(channel, values)| ChannelQuality::of(channel, &values.to_vec(), index, &seasons))
                .collect(),
        }
    }
}

impl ChannelQuality {
    fn of(channel: &str, values: &[f64], index: &TimeIndex, seasons: &[usize]) -> Self {
        let observed = sorted(values.iter().copied().filter(|v| !v.is_nan()).collect());
        let gaps = runs(values, |a, b| a.is_nan() && b.is_nan(), f64::is_nan);
        let longest = longest_gap(values.iter().map(|value| value.is_nan()));
        let constant = runs(values, |a, b| a.to_bits() == b.to_bits(), |v| !v.is_nan());
        let median = quantile(&observed, 0.5);
        let deviations = sorted(observed.iter().map(|v| (v - median).abs()).collect());
        // 1.4826 makes the median absolute deviation an estimate of a normal standard deviation.
        let far = OUTLIER * 1.4826 * quantile(&deviations, 0.5);
        let n_outliers = if far > 0.0 { deviations.iter().filter(|d| **d > far).count() } else { 0 };
        ChannelQuality {
            channel: channel.to_string(),
            n_observed: observed.len(),
            n_missing: values.len() - observed.len(),
            n_gaps: gaps.len(),
            longest_gap: longest.as_ref().map_or(0, Range::len),
            longest_gap_at: longest
                .map(|gap| [gap.start, gap.end - 1].map(|step| index.format(index.stamp(step))).into()),
            n_zeros: observed.iter().filter(|v| v.abs() == 0.0).count(),
            longest_constant_run: constant.into_iter().max().unwrap_or(0),
            n_outliers,
            min: observed.first().copied(),
            median: (!observed.is_empty()).then_some(median),
            max: observed.last().copied(),
            seasons: seasons
                .iter()
                .filter(|season| 3 * **season <= values.len())
                .map(|season| (*season, season_strength(values, *season)))
                .collect(),
        }
    }
}

/// Two seasons, but at most a quarter of the shortest series.
fn recommended_lookback(season_length: usize, panel: &Panel) -> usize {
    let shortest = panel.series().iter().map(Series::n_steps).min().unwrap_or(0);
    (2 * season_length).max(SHORTEST_LOOKBACK).min(shortest / LOOKBACKS_A_SERIES).max(1)
}

/// Lengths of the runs of neighbours that `same` joins, starting at values that `counts`.
fn runs(values: &[f64], same: fn(f64, f64) -> bool, counts: fn(f64) -> bool) -> Vec<usize> {
    values.chunk_by(|a, b| same(*a, *b)).filter(|run| counts(run[0])).map(<[f64]>::len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadOptions;

    #[test]
    fn the_longest_gap_is_told_with_its_place() {
        let csv = "ds,a,z\n2024-01-01,1,1\n2024-01-02,,2\n2024-01-03,3,3\n2024-01-06,,\n2024-01-07,5,4\n";
        let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
        // Three days in a row, and one before them.
        let quality = Quality::of(&panel.select_channels(&["z".to_string()]).unwrap());
        let channel = &quality.series[0].channels[0];
        assert_eq!((channel.n_gaps, channel.longest_gap), (1, 3));
        let place = Some(("2024-01-04 00:00:00".to_string(), "2024-01-06 00:00:00".to_string()));
        assert_eq!(channel.longest_gap_at, place);
    }

    #[test]
    fn the_lookback_is_two_seasons_if_the_shortest_series_allows_it() {
        let lookback = |n_steps: i32| {
            let rows: String = (0..n_steps)
                .map(|i| format!("{},{}\n", i64::from(i) * 3_600 + 1_700_000_000, i % 24))
                .collect();
            let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default());
            Quality::of(&panel.unwrap()).recommended_lookback
        };
        assert_eq!([600, 100, 3].map(lookback), [48, 25, 1]);
    }
}
