//! A panel as a table in long form: a row for every step, also for those that the file had no row for.

use ndarray::{Array2, ArrayView2};

use crate::data::calendar_features::CalendarFeatures;
use crate::data::covariates::{CovariateColumn, Known};
use crate::data::files::cells::Cells;
use crate::data::panel::Panel;
use crate::data::series::Series;
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

/// Cells of calendar features that are made at once: 2 GiB.
const MOST_CELLS: usize = 1 << 28;

impl Panel {
    /// The columns `unique_id`, `ds`, the channels, and the covariates in the order of their schema; a row for every
    /// step of every series, then one for every step that something is known ahead for. Read again with the same
    /// columns and step, it is the same panel; only categories that no row kept are forgotten.
    ///
    /// What is missing is NaN, or empty text where categories are told; time stamps of an integer index are integers.
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions, data::{Cells, Format, encode}};
    /// let csv = b"ds,y\n2024-01-02,7\n2024-01-01,1.5\n2024-01-05,3\n2024-01-04,\n2024-01-03,2\n2024-01-07,4\n";
    /// let panel = Panel::read_csv(csv, "t.csv", &ReadOptions::default())?;
    /// let table = panel.table();
    /// let (name, Cells::Numbers(values)) = &table[2] else { panic!() };
    /// assert_eq!((name.as_str(), values.len(), values[1]), ("y", 7, 7.0));
    /// assert!(values[3].is_nan() && values[5].is_nan()); // the 4th had no value, the 6th no row
    /// let csv = encode(&table, Format::Csv)?;
    /// assert!(csv.starts_with(b"unique_id,ds,y\ny,2024-01-01 00:00:00,1.5\n"));
    /// # Ok::<(), forecast::Error>(())
    /// ```
    #[must_use]
    pub fn table(&self) -> Vec<(String, Cells)> {
        let ids = self.series().iter().flat_map(|series| vec![series.id().to_string(); n_rows(series)]);
        let stamps: Vec<i64> = self.series().iter().flat_map(stamps).collect();
        let zone = self.series().first().map_or(Zone::Local, |series| series.index().zone.clone());
        let stamps = match self.step() {
            Step::Index(_) => Cells::Integers(stamps),
            _ => Cells::Stamps(stamps, zone),
        };
        let mut table =
            vec![("unique_id".to_string(), Cells::Text(ids.collect())), ("ds".to_string(), stamps)];
        for (at, channel) in self.channels().iter().enumerate() {
            let values = self.series().iter().flat_map(|series| column(series, series.values(), at));
            table.push((channel.clone(), Cells::Numbers(values.collect())));
        }
        for known in [Known::Past, Known::Future, Known::Static] {
            for (at, covariate) in self.covariate_schema().of(known).iter().enumerate() {
                let values = self.series().iter().flat_map(|series| {
                    let covariates = series.covariates();
                    match known {
                        Known::Past => column(series, covariates.past(), at),
                        Known::Future => column(series, covariates.future(), at),
                        Known::Static => vec![covariates.static_values()[at]; n_rows(series)],
                    }
                });
                table.push((covariate.name.clone(), cells(covariate, values)));
            }
        }
        table
    }

    /// Calendar features as columns beside those of [`table`](Self::table), for the same rows.
    ///
    /// # Errors
    /// As [`CalendarFeatures::check`]; [`Error::BadOption`] if that would be more than 2^28 cells.
    pub fn calendar_table(&self, features: &CalendarFeatures) -> Result<Vec<(String, Cells)>> {
        features.check(self.step())?;
        let names = features.names(self.step());
        let n_rows: usize = self.series().iter().map(n_rows).sum();
        if n_rows.saturating_mul(names.len()) > MOST_CELLS {
            let rule = format!("for {n_rows} rows that is more than {MOST_CELLS} cells; use fewer");
            return Err(Error::option("calendar features", format!("{} columns", names.len()), rule));
        }
        let mut columns = vec![Vec::with_capacity(n_rows); names.len()];
        for series in self.series() {
            let n_rows = self::n_rows(series);
            let mut values = Array2::zeros((n_rows, names.len()));
            features.fill(series.index(), 0..n_rows, values.view_mut())?;
            for (column, values) in columns.iter_mut().zip(values.columns()) {
                column.extend(values);
            }
        }
        Ok(names.into_iter().zip(columns.into_iter().map(Cells::Numbers)).collect())
    }
}

/// Steps of a series, and those that something is known ahead for.
fn n_rows(series: &Series) -> usize {
    series.n_steps() + series.covariates().n_ahead()
}

fn stamps(series: &Series) -> Vec<i64> {
    series.index().slice(0..n_rows(series)).stamps().collect()
}

/// A column of a series, missing for steps beyond its end.
fn column(series: &Series, values: ArrayView2<'_, f64>, at: usize) -> Vec<f64> {
    let beyond = n_rows(series) - values.nrows();
    values.column(at).iter().copied().chain(std::iter::repeat_n(f64::NAN, beyond)).collect()
}

fn cells(covariate: &CovariateColumn, values: impl Iterator<Item = f64>) -> Cells {
    if covariate.vocabulary.is_none() {
        return Cells::Numbers(values.collect());
    }
    let tell = |value: f64| if value.is_nan() { String::new() } else { covariate.tell(value) };
    Cells::Text(values.map(tell).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReadOptions;
    use crate::data::{CovariateDeclaration, Format, encode};

    #[test]
    fn rows_ahead_gaps_and_categories_are_written_as_they_are_read() {
        let covariates: CovariateDeclaration = serde_json::from_str(
            r#"{"covariates": {"p": "past", "k": {"known": "future", "kind": "categorical"}, "s": "static"}}"#,
        )
        .unwrap();
        let options = ReadOptions { covariates, ..ReadOptions::default() };
        let csv =
            "unique_id,ds,y,k,p,s\nb,4,4,,0.5,\nb,3,3,01,,8\nb,6,,1,,\na,1,,x,2,\na,2,1,,3,7\na,4,9,y,4,7\n";
        let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &options).unwrap();
        let written = String::from_utf8(encode(&panel.table(), Format::Csv).unwrap()).unwrap();
        let rows: Vec<String> = written.lines().map(|line| line.replace("\"\"", "")).collect();
        assert_eq!(
            rows,
            [
                "unique_id,ds,y,p,k,s",
                "b,3,3.0,,01,8.0",
                "b,4,4.0,0.5,,8.0",
                "b,5,,,,8.0",
                "b,6,,,1,8.0",
                "a,1,,2.0,x,7.0",
                "a,2,1.0,3.0,,7.0",
                "a,3,,,,7.0",
                "a,4,9.0,4.0,y,7.0",
            ]
        );
        let features = CalendarFeatures { fourier: vec!["4:1".parse().unwrap()], ..Default::default() };
        let calendar = panel.calendar_table(&features).unwrap();
        let (name, Cells::Numbers(sines)) = &calendar[0] else { panic!() };
        assert_eq!((name.as_str(), sines.len()), ("sin-4-1", 8));
        assert!((sines[4] - 1.0).abs() < 1e-15); // "a" begins at 1 of 4
        let many = CalendarFeatures { time: crate::data::TimeFeatures::Informer, ..Default::default() };
        assert!(panel.calendar_table(&many).is_err());
    }
}
