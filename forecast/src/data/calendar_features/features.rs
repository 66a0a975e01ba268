//! Calendar features as the columns of one matrix, for any steps of a grid, the future included.

use std::ops::Range;

use ndarray::ArrayViewMut2;
use serde::{Deserialize, Serialize};

use super::fourier::{Clock, FourierTerm, MOST_HARMONICS};
use super::holidays::Holidays;
use super::tables::CalendarTable;
use super::time_feature::{TimeFeature, TimeFeatures};
use crate::data::TimeIndex;
use crate::{Error, Result, Step};

/// Which calendar features are used.
///
/// | field | default | meaning | range |
/// |---|---|---|---|
/// | `time` | `none` | time features, `informer` or `none` | not for an integer index |
/// | `fourier` | none | Fourier terms, such as `1D:4` | 1000 sines in all, no two alike |
/// | `holidays` | none | a 0/1 column for each name of the user's file, on all steps of its days | steps of at most a day |
///
/// Columns come in that order. A part of a year, month or day is told in the zone of the index.
///
/// # Example
/// ```
/// use forecast::data::{CalendarFeatures, TimeFeatures, TimeIndex};
/// use ndarray::Array2;
/// let features = CalendarFeatures { fourier: vec!["1D:1".parse()?], ..CalendarFeatures::default() };
/// let index = TimeIndex::new(0, "6h".parse()?, Default::default(), 4);
/// assert_eq!(features.names(index.step), ["sin-1D-1", "cos-1D-1"]);
/// let mut out = Array2::zeros((2, 2));
/// features.fill(&index, 4..6, out.view_mut())?; // 00:00 and 06:00 of the day after the end
/// assert_eq!((out[[0, 0]], out[[1, 0]]), (0.0, 1.0));
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalendarFeatures {
    /// The time features.
    pub time: TimeFeatures,
    /// The Fourier terms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fourier: Vec<FourierTerm>,
    /// The holidays.
    #[serde(skip_serializing_if = "Holidays::is_empty")]
    pub holidays: Holidays,
}

impl CalendarFeatures {
    /// Nothing, if the features can be told on a grid of this step.
    ///
    /// # Errors
    /// [`Error::BadOption`] for time features or holidays of an integer index, holidays of steps longer than a
    /// day, a term that [`FourierTerm::check`] refuses, too many terms, or two that share a column.
    pub fn check(&self, step: Step) -> Result<()> {
        let is_index = matches!(step, Step::Index(_));
        if is_index && self.time != TimeFeatures::None {
            let rule = "an integer index has no calendar; leave time features out, or use Fourier terms";
            return Err(Error::option("time features", "informer", rule));
        }
        let is_long = is_index || step.approximate_nanos() > 86_400_000_000_000;
        if is_long && !self.holidays.is_empty() {
            let rule = format!(
                "a step of {step} is not part of one day; give a column of your own, known in the future"
            );
            return Err(Error::option("holidays", format!("{} names", self.holidays.names().len()), rule));
        }
        self.check_fourier(&self.clocks(step)?)
    }

    /// The names of the columns on a grid of this step; empty if nothing is chosen.
    #[must_use]
    pub fn names(&self, step: Step) -> Vec<String> {
        let time = self.time_features(step).iter().map(|feature| feature.name().to_string());
        let time = time.chain(self.tables(step).iter().map(|table| table.name().to_string()));
        let fourier = self.fourier.iter().flat_map(FourierTerm::names);
        time.chain(fourier).chain(self.holidays.names().map(|name| format!("holiday-{name}"))).collect()
    }

    /// How many columns there are on a grid of this step.
    #[must_use]
    pub fn n_columns(&self, step: Step) -> usize {
        let others = self.time_features(step).len() + self.tables(step).len() + self.holidays.names().len();
        self.fourier.iter().fold(others, |n, term| n.saturating_add(term.order.saturating_mul(2)))
    }

    /// Writes the features of the steps at `range`, which may reach beyond the end of the index.
    ///
    /// # Shapes
    /// `out`: `(range.len(), n_columns)`, in the order of [`names`](Self::names).
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Error::Internal`] if `out` has another shape.
    pub fn fill(
        &self,
        index: &TimeIndex,
        range: Range<usize>,
        mut out: ArrayViewMut2<'_, f64>,
    ) -> Result<()> {
        self.check(index.step)?;
        if out.dim() != (range.len(), self.n_columns(index.step)) {
            return Err(Error::Internal(format!(
                "calendar features of {} steps in {} columns do not fit into {:?}",
                range.len(),
                self.n_columns(index.step),
                out.dim()
            )));
        }
        let (time, clocks) = (self.time_features(index.step), self.clocks(index.step)?);
        let tables = self.tables(index.step);
        for (i, mut row) in range.zip(out.rows_mut()) {
            let stamp = index.stamp(i);
            let civil = index.civil(stamp);
            let mut cells = row.iter_mut();
            if let Some(at) = civil {
                time.iter().zip(cells.by_ref()).for_each(|(feature, cell)| *cell = feature.value(at));
                tables.iter().zip(cells.by_ref()).for_each(|(table, cell)| *cell = table.position(at) as f64);
            }
            for (term, clock) in self.fourier.iter().zip(&clocks) {
                clock.fill(clock.phase(stamp, civil), cells.by_ref().take(2 * term.order));
            }
            if let Some(at) = civil {
                self.holidays.fill(at, cells);
            }
        }
        Ok(())
    }

    /// What to tell the user about a forecast of `horizon` steps: that the holidays end before it does.
    #[must_use]
    pub fn note(&self, index: &TimeIndex, horizon: usize) -> Option<String> {
        let last = self.holidays.last_day()?;
        let end = index.civil(index.stamp(index.len.saturating_add(horizon).saturating_sub(1)))?.date();
        (end > last).then(|| {
            format!(
                "the holidays end on {last}, but the forecast reaches {end}: later days count as no holiday"
            )
        })
    }

    fn time_features(&self, step: Step) -> &'static [TimeFeature] {
        match self.time {
            TimeFeatures::None | TimeFeatures::Tables => &[],
            TimeFeatures::Informer => TimeFeature::of_step(step),
        }
    }

    fn tables(&self, step: Step) -> &'static [CalendarTable] {
        match self.time {
            TimeFeatures::None | TimeFeatures::Informer => &[],
            TimeFeatures::Tables => CalendarTable::of_step(step),
        }
    }

    pub(super) fn clocks(&self, step: Step) -> Result<Vec<Clock>> {
        self.fourier.iter().map(|term| term.clock(step)).collect()
    }

    fn check_fourier(&self, clocks: &[Clock]) -> Result<()> {
        let n_harmonics = self.fourier.iter().fold(0usize, |n, term| n.saturating_add(term.order));
        if n_harmonics > MOST_HARMONICS {
            let rule = format!("there may be at most {MOST_HARMONICS} sines in all; use lower orders");
            return Err(Error::option("fourier", format!("{n_harmonics} sines"), rule));
        }
        let terms: Vec<_> = self.fourier.iter().zip(clocks).collect();
        for (at, (later, later_clock)) in terms.iter().enumerate() {
            for (earlier, clock) in &terms[..at] {
                let Some((k, l)) = clock.meets(**later_clock) else { continue };
                let reaches = |order: usize, k: i64| i64::try_from(order).is_ok_and(|order| order >= k);
                if reaches(earlier.order, k) && reaches(later.order, l) {
                    let (earlier, later) = (earlier.period, later.period);
                    let rule = format!(
                        "its column sin-{later}-{l} repeats sin-{earlier}-{k}; use an order below {l} for {later}, or leave it out"
                    );
                    return Err(Error::option("fourier", terms[at].0, rule));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Cells, Zone};
    use ndarray::Array2;

    #[test]
    fn tables_are_columns_of_positions() {
        let tables = CalendarFeatures { time: TimeFeatures::Tables, ..CalendarFeatures::default() };
        let hours = index("1h", "UTC", "2024-02-29T22:00", 2);
        assert_eq!(tables.names(hours.step), ["month", "day", "weekday", "hour"]);
        let mut out = Array2::from_elem((3, 4), f64::NAN);
        tables.fill(&hours, 1..4, out.view_mut()).unwrap();
        assert_eq!(out, ndarray::array![[2.0, 29.0, 3.0, 23.0], [3.0, 1.0, 4.0, 0.0], [3.0, 1.0, 4.0, 1.0]]);
    }

    fn index(step: &str, zone: &str, start: &str, len: usize) -> TimeIndex {
        let zone = Zone::try_from(zone.to_string()).unwrap();
        let start = zone.nanos(start.parse().unwrap()).unwrap();
        let step = match step.parse().unwrap() {
            Step::Nanos(86_400_000_000_000) if zone.has_uneven_days() => Step::Days(1),
            step => step,
        };
        TimeIndex::new(start, step, zone, len)
    }

    fn filled(features: &CalendarFeatures, index: &TimeIndex, range: Range<usize>) -> Array2<f64> {
        let mut out = Array2::from_elem((range.len(), features.n_columns(index.step)), f64::NAN);
        features.fill(index, range, out.view_mut()).unwrap();
        out
    }

    fn informer() -> CalendarFeatures {
        CalendarFeatures { time: TimeFeatures::Informer, ..CalendarFeatures::default() }
    }

    fn fourier(terms: &[&str]) -> CalendarFeatures {
        let fourier = terms.iter().map(|term| term.parse().unwrap()).collect();
        CalendarFeatures { fourier, ..CalendarFeatures::default() }
    }

    fn holidays(days: &[(&str, &str)]) -> CalendarFeatures {
        let (ds, names) = days.iter().map(|(day, name)| (day.to_string(), name.to_string())).unzip();
        let table = [("ds".into(), Cells::Text(ds)), ("holiday".into(), Cells::Text(names))];
        let holidays = Holidays::from_table(&table, "h.csv").unwrap();
        CalendarFeatures { holidays, ..CalendarFeatures::default() }
    }

    #[test]
    fn a_part_of_the_grid_has_the_rows_of_the_whole() {
        let features = CalendarFeatures {
            time: TimeFeatures::Informer,
            ..CalendarFeatures {
                fourier: fourier(&["1D:3", "7D:2"]).fourier,
                ..holidays(&[("2024-10-27", "x")])
            }
        };
        let index = index("30min", "Europe/Rome", "2024-10-26T20:00:00", 100);
        let whole = filled(&features, &index, 0..150);
        assert!(whole.iter().all(|v| v.is_finite()));
        for range in [0..0, 3..9, 90..150, 149..150] {
            let part = filled(&features, &index, range.clone());
            assert_eq!(part, whole.slice(ndarray::s![range.clone(), ..]), "{range:?}");
            // Another series whose grid starts there agrees.
            let other = TimeIndex { len: 1, ..index.slice(range.clone()) };
            assert_eq!(filled(&features, &other, 0..range.len()), part, "{range:?}");
        }
    }

    #[test]
    fn a_daily_term_follows_the_clock_through_daylight_saving() {
        let index = index("1h", "Europe/Rome", "2024-03-30T12:00:00", 48);
        let rows = filled(&fourier(&["1D:1"]), &index, 0..48);
        // 23 hours after noon it is noon again.
        assert_eq!(rows.row(0), rows.row(23));
        assert_eq!(rows.row(0), rows.row(47));
    }

    #[test]
    fn terms_of_two_periods_may_not_share_a_column() {
        let step = "1h".parse().unwrap();
        assert!(fourier(&["1D:4", "7D:6"]).check(step).is_ok());
        let message = fourier(&["1D:4", "7D:7"]).check(step).unwrap_err().to_string();
        assert_eq!(
            message,
            "fourier is 7D:7, but its column sin-7D-7 repeats sin-1D-1; use an order below 7 for 7D, or leave it out"
        );
        assert!(fourier(&["24:1", "1D:1"]).check(step).is_err());
        assert!(fourier(&["8766h:600", "8760h:600"]).check(step).unwrap_err().to_string().contains("1200"));
    }

    #[test]
    fn a_holiday_covers_the_steps_of_its_civil_day_also_of_25_hours() {
        let features = holidays(&[("2024-10-27", "clock"), ("2024-10-28", "other")]);
        let index = index("1h", "Europe/Rome", "2024-10-26T20:00:00", 10);
        assert_eq!(features.names(index.step), ["holiday-clock", "holiday-other"]);
        let rows = filled(&features, &index, 0..40);
        let on: Vec<usize> = (0..40).filter(|i| rows[[*i, 0]] > 0.5).collect();
        assert_eq!(on, (4..29).collect::<Vec<_>>());
        assert!((rows.sum() - 36.0).abs() < 1e-12); // 25 hours and the first 11 of the next day
        assert!(features.note(&index, 30).is_none());
        let note = features.note(&index, 60).unwrap();
        assert!(note.contains("2024-10-28, but the forecast reaches 2024-10-29"), "{note}");
        assert!(features.check("1W".parse().unwrap()).unwrap_err().to_string().contains("of one day"));
        assert!(features.check(Step::Days(1)).is_ok() && features.check(Step::Index(1)).is_err());
    }

    #[test]
    fn an_integer_index_has_fourier_terms_only() {
        let index = TimeIndex::new(-7, Step::Index(2), Zone::Local, 3);
        let rows = filled(&fourier(&["5:2"]), &index, 0..9);
        for (i, row) in rows.rows().into_iter().enumerate() {
            let angle = std::f64::consts::TAU * (2.0 * i as f64 - 7.0) / 10.0;
            assert!((row[0] - angle.sin()).abs() < 1e-14 && (row[3] - (2.0 * angle).cos()).abs() < 1e-14);
        }
        assert!(informer().check(index.step).unwrap_err().to_string().contains("integer index"));
        assert_eq!(filled(&CalendarFeatures::default(), &index, 0..3).dim(), (3, 0));
    }

    #[test]
    fn features_survive_json_and_default_ones_take_no_room() {
        let features = CalendarFeatures { time: TimeFeatures::Informer, ..fourier(&["1D:4", "168:2"]) };
        let json = serde_json::to_string(&features).unwrap();
        assert_eq!(json, r#"{"time":"informer","fourier":["1D:4","168:2"]}"#);
        assert_eq!(serde_json::from_str::<CalendarFeatures>(&json).unwrap(), features);
        assert!(serde_json::from_str::<CalendarFeatures>(r#"{"times":"informer"}"#).is_err());
    }

    #[test]
    fn an_output_of_another_shape_is_an_error() {
        let index = index("1h", "", "2024-01-01T00:00:00", 4);
        let mut out = Array2::zeros((4, 3));
        assert!(informer().fill(&index, 0..4, out.view_mut()).is_err());
    }
}
