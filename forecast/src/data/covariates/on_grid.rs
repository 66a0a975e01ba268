//! Covariates of one series onto its grid, and where the series ends and what is known ahead begins.

use std::ops::Range;

use ndarray::Array2;

use super::declaration::Known;
use super::schema::CovariateSchema;
use super::values::Covariates;
use crate::Result;
use crate::data::ingest::rows::SeriesRows;
use crate::data::time::stamp::Axis;
use crate::data::{Aggregation, Duplicates, TimeIndex};

/// What several rows for one step become.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) struct Policy {
    numbers: Aggregation,
    categories: Aggregation,
}

impl Policy {
    /// Numbers as the targets are merged, but never counted; the first category.
    pub(in crate::data) fn of_duplicates(duplicates: Duplicates) -> Self {
        let numbers = match duplicates {
            Duplicates::Error => Aggregation::First,
            Duplicates::Merge(aggregation) => aggregation,
        };
        Policy { numbers: not_counted(numbers), categories: Aggregation::First }
    }

    /// Numbers as the targets are resampled, but never counted; the last category.
    pub(in crate::data) fn of_resampling(aggregation: Aggregation) -> Self {
        Policy { numbers: not_counted(aggregation), categories: Aggregation::Last }
    }
}

fn not_counted(aggregation: Aggregation) -> Aggregation {
    if aggregation == Aggregation::Count { Aggregation::Mean } else { aggregation }
}

/// How many of a series' rows are steps of it: all up to the stamp of its last target value, if a later row has a
/// value that is known ahead; else all.
pub(in crate::data) fn n_rows_of_series(
    rows: &SeriesRows<'_>,
    n_channels: usize,
    schema: &CovariateSchema,
) -> usize {
    let n_future = schema.of(Known::Future).len();
    if n_future == 0 {
        return rows.len();
    }
    let last = (0..n_channels).filter_map(|channel| rows.column(channel).iter().rposition(|v| !v.is_nan()));
    let Some(last) = last.max() else { return rows.len() };
    let n_rows = last + rows.stamps[last..].iter().take_while(|stamp| **stamp == rows.stamps[last]).count();
    let first = n_channels + schema.of(Known::Past).len();
    let is_known = |column: usize| rows.column(column)[n_rows..].iter().any(|value| !value.is_nan());
    if (first..first + n_future).any(is_known) { n_rows } else { rows.len() }
}

/// The covariates of one series while its rows are put on a grid; NaN where a row is absent.
#[derive(Debug)]
pub(in crate::data) struct OnGrid<'a> {
    schema: &'a CovariateSchema,
    rows: &'a SeriesRows<'a>,
    first_column: usize,
    past: Array2<f64>,   // (n_steps, past covariate)
    future: Array2<f64>, // (n_steps + n_ahead, future covariate)
}

impl<'a> OnGrid<'a> {
    /// Covariates whose columns begin at `first_column`, for the steps of a series and those known ahead too.
    pub(in crate::data) fn new(
        schema: &'a CovariateSchema,
        rows: &'a SeriesRows<'a>,
        first_column: usize,
        [n_steps, n_known]: [usize; 2],
    ) -> Self {
        let empty = |n: usize, known: Known| Array2::from_elem((n, schema.of(known).len()), f64::NAN);
        let (past, future) = (empty(n_steps, Known::Past), empty(n_known, Known::Future));
        OnGrid { schema, rows, first_column, past, future }
    }

    /// Puts rows that fall on one step there; past covariates only on steps of the series.
    pub(in crate::data) fn set(&mut self, position: usize, group: Range<usize>, policy: Policy) {
        let rows = self.rows;
        let n_past = self.past.ncols();
        let merge = |at: usize| {
            let cells = &rows.column(self.first_column + at)[group.clone()];
            match (cells, &self.schema.columns()[at].vocabulary) {
                ([only], _) => *only,
                (several, None) => policy.numbers.merge(several),
                (several, Some(_)) => policy.categories.merge(several),
            }
        };
        if position < self.past.nrows() {
            for at in 0..n_past {
                self.past[[position, at]] = merge(at);
            }
        }
        for at in 0..self.future.ncols() {
            self.future[[position, at]] = merge(n_past + at);
        }
    }

    /// The covariates of the series on `index`.
    ///
    /// # Errors
    /// [`Error::VaryingStatic`](crate::Error::VaryingStatic), and as [`Covariates::new`].
    pub(in crate::data) fn finish(self, index: &TimeIndex, axis: &Axis) -> Result<Covariates> {
        if self.schema.is_empty() {
            return Ok(Covariates::none(index.len));
        }
        let OnGrid { schema, rows, first_column, past, future } = self;
        let first = first_column + past.ncols() + future.ncols();
        let values = schema.of(Known::Static).iter().enumerate().map(|(at, column)| {
            let values = rows.column(first + at).iter().copied();
            column.only_value(rows.id, values, |row| axis.tell(rows.stamps[row]))
        });
        let values = values.collect::<Result<_>>()?;
        Covariates::new(schema, rows.id, index, (past, future, values))
    }
}

#[cfg(test)]
// The expected numbers are copied or exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use crate::data::{CovariateDeclaration, ReadOptions};
    use crate::{Panel, Result};

    const DECLARED: &str = r#"{"covariates": {"p": "past", "f": "future",
        "k": {"known": "future", "kind": "categorical"}, "s": "static"}}"#;

    fn read(csv: &str, policy: [&str; 2]) -> Result<Panel> {
        let [duplicates, aggregate] = policy;
        let covariates: CovariateDeclaration = serde_json::from_str(DECLARED).unwrap();
        let options = ReadOptions {
            covariates,
            freq: (!aggregate.is_empty()).then(|| "10".parse().unwrap()),
            duplicates: duplicates.parse().unwrap(),
            aggregate: (!aggregate.is_empty()).then(|| aggregate.parse().unwrap()),
            ..ReadOptions::default()
        };
        Panel::read_csv(format!("ds,y,p,f,k,s\n{csv}").as_bytes(), "t.csv", &options)
    }

    fn text(values: ndarray::ArrayView1<'_, f64>) -> String {
        values.iter().map(f64::to_string).collect::<Vec<_>>().join(" ")
    }

    /// Past, future, categories of the first series.
    fn told(panel: &Panel) -> [String; 3] {
        let covariates = panel.series()[0].covariates();
        let (past, future) = (covariates.past(), covariates.future());
        [text(past.column(0)), text(future.column(0)), text(future.column(1))]
    }

    #[test]
    fn absent_rows_are_missing_and_rows_beyond_the_last_target_are_ahead() {
        let csv = "5,,,70,b,\n1,10,1,30,a,9\n2,20,2,40,b,\n4,40,4,60,a,9\n7,,8,90,,9\n";
        let panel = read(csv, ["error", ""]).unwrap();
        let series = &panel.series()[0];
        assert_eq!((series.n_steps(), series.covariates().n_ahead()), (4, 3));
        assert_eq!(told(&panel), ["1 2 NaN 4", "30 40 NaN 60 70 NaN 90", "0 1 NaN 0 1 NaN NaN"]);
        assert_eq!(series.covariates().static_values(), [9.0]);
        let counts = panel.report().counts[0];
        assert_eq!((counts.rows, counts.absent, counts.ahead, counts.out_of_order), (5, 1, 2, 3));
        assert!(panel.check_future(1).is_ok());
        let message = panel.check_future(3).unwrap_err().to_string();
        assert!(message.contains("\"f\" at 6; \"k\" at 6, 7") && message.contains("at most 1"), "{message}");
    }

    #[test]
    fn rows_without_targets_are_steps_if_nothing_is_known_ahead() {
        let panel = read("1,10,1,30,a,9\n2,20,2,40,b,\n3,,3,,,\n4,,,,,\n", ["error", ""]).unwrap();
        assert_eq!((panel.series()[0].n_steps(), panel.series()[0].covariates().n_ahead()), (4, 0));
        assert_eq!(told(&panel)[0], "1 2 3 NaN");
    }

    #[test]
    fn rows_of_one_stamp_are_merged_by_the_policy_and_categories_are_the_first() {
        let csv = "1,10,1,30,b,9\n1,30,3,50,a,9\n2,20,2,40,,9\n2,,4,,b,\n3,,,1,a,\n3,,,2,b,\n";
        let message = read(csv, ["error", ""]).unwrap_err().to_string();
        assert!(message.contains("2 rows for 1"), "{message}");
        assert_eq!(told(&read(csv, ["mean", ""]).unwrap()), ["2 3", "40 40 1.5", "1 1 0"]);
        assert_eq!(told(&read(csv, ["max", ""]).unwrap()), ["3 4", "50 40 2", "1 1 0"]);
        let counted = read(csv, ["count", ""]).unwrap();
        assert_eq!(told(&counted), ["2 3", "40 40 1.5", "1 1 0"]);
        assert_eq!(counted.series()[0].values().column(0).to_vec(), [2.0, 1.0]);
        assert_eq!(counted.report().counts[0].duplicates, 3);
    }

    #[test]
    fn resampling_takes_numbers_by_the_aggregation_and_the_last_category() {
        let csv = "11,1,1,30,b,9\n19,2,3,50,a,9\n21,3,2,40,a,9\n25,,4,60,,9\n32,,,7,b,\n38,,,8,a,\n";
        assert_eq!(told(&read(csv, ["error", "sum"]).unwrap()), ["4 6", "80 100 15", "0 0 0"]);
        let counted = read(csv, ["error", "count"]).unwrap();
        assert_eq!(told(&counted), ["2 3", "40 50 7.5", "0 0 0"]);
        assert_eq!(counted.series()[0].values().column(0).to_vec(), [2.0, 1.0]);
        let counts = counted.report().counts[0];
        assert_eq!((counts.absent, counts.resampled, counts.ahead), (0, 3, 1));
    }

    #[test]
    fn static_values_belong_to_a_series_and_may_not_vary_in_it() {
        let covariates: CovariateDeclaration =
            serde_json::from_str(r#"{"covariates": {"s": "static"}}"#).unwrap();
        let options = ReadOptions { covariates, ..ReadOptions::default() };
        let csv = "unique_id,ds,y,s\na,1,1,7\nb,1,2,8\na,2,3,\nb,2,4,8\n";
        let panel = Panel::read_csv(csv.as_bytes(), "t.csv", &options).unwrap();
        let values: Vec<_> = panel.series().iter().map(|s| s.covariates().static_values().to_vec()).collect();
        assert_eq!(values, [[7.0], [8.0]]);
        let message = read("1,1,1,1,a,5\n2,2,2,2,a,6\n", ["error", ""]).unwrap_err().to_string();
        assert!(message.contains("static covariate \"s\" is 5 at 1, but 6 at 2"), "{message}");
    }

    #[test]
    fn a_slice_shows_no_past_covariate_beyond_its_end_and_nothing_of_what_was_cut() {
        let csv = "1,10,1,30,a,9\n2,20,2,40,b,9\n3,30,3,50,a,9\n4,40,4,60,b,9\n5,,,70,a,9\n";
        let changed = csv.replace("3,30,3,", "3,31,99,").replace("4,40,4,", "4,41,98,");
        let [plain, changed] = [csv, &changed].map(|csv| read(csv, ["error", ""]).unwrap());
        for end in 0..3 {
            for is_compact in [false, true] {
                let cut = |panel: &Panel| {
                    let part = panel.series()[0].slice(0..end);
                    if is_compact { part.compact() } else { part }
                };
                let (a, b) = (cut(&plain), cut(&changed));
                assert_eq!((a.covariates().n_steps(), a.covariates().past()), (end, b.covariates().past()));
                assert_eq!(a.covariates().future(), plain.series()[0].covariates().future());
                assert_eq!((a.n_steps(), a.values()), (end, b.values()));
            }
        }
        let tail = plain.series()[0].tail(2);
        assert_eq!(text(tail.covariates().past().column(0)), "3 4");
        assert_eq!(text(tail.covariates().future().column(0)), "50 60 70");
    }

    #[test]
    fn all_series_that_lack_values_are_named() {
        let covariates: CovariateDeclaration =
            serde_json::from_str(r#"{"covariates": {"f": "future"}}"#).unwrap();
        let options = ReadOptions { covariates, ..ReadOptions::default() };
        let rows: String = (10..24).map(|i| format!("s{i},1,1,5\ns{i},2,1,6\ns{i},3,,7\n")).collect();
        let panel =
            Panel::read_csv(format!("unique_id,ds,y,f\n{rows}").as_bytes(), "t.csv", &options).unwrap();
        assert!(panel.check_future(1).is_ok());
        let message = panel.check_future(2).unwrap_err().to_string();
        assert!(message.starts_with("14 series lack covariates for the 2 steps to forecast: series \"s10\": \"f\" at 4; series \"s11\": \"f\" at 4;"), "{message}");
        assert!(
            message.contains("; and 4 more series; give rows") && message.ends_with("at most 1"),
            "{message}"
        );
        assert!(panel.check_future(usize::MAX).is_err());
    }
}
