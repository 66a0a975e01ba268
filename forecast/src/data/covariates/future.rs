//! What is known ahead from a table of its own: planned prices, a weather forecast.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array2, s};

use super::{CovariateDeclaration, CovariateSchema, Covariates, Known, OnGrid, Policy};
use crate::data::files::chunks::Chunks;
use crate::data::files::source::{Piece, pieces};
use crate::data::grid::aggregate::{Duplicates, OutOfOrder};
use crate::data::grid::regular::{irregular, spanning};
use crate::data::ingest::collect::Collector;
use crate::data::ingest::columns::keys;
use crate::data::ingest::read::{ReadOptions, collect};
use crate::data::ingest::rows::{Rows, SeriesRows};
use crate::data::panel::Panel;
use crate::data::series::Series;
use crate::data::time::stamp::Axis;
use crate::data::time::step::Step;
use crate::data::time::zone::Zone;
use crate::{Error, Result};

impl Panel {
    /// The same panel with values of covariates that are known ahead put after the ends of its series, from another
    /// file with the same id and time columns and a column for each of those covariates.
    ///
    /// The options say how to read the file; its covariates, step and zone are the panel's. Rows up to the end of a
    /// series and rows of other series are not used, and counted in the report. Where the panel knows a value ahead
    /// already, the file's counts, unless it is missing.
    ///
    /// # Errors
    /// As [`Panel::read`]; [`Error::BadOption`] if the panel has no covariate that is known ahead, if the file has
    /// no ids but the panel several series, or for a category that the panel does not have and that has no slot.
    ///
    /// # Example
    /// ```
    /// use forecast::{Panel, ReadOptions, data::{CovariateDeclaration, CovariateFlags}};
    /// let flags = CovariateFlags { future_col: vec!["price".into()], ..CovariateFlags::default() };
    /// let covariates = CovariateDeclaration::default().with_flags(&flags)?;
    /// let options = ReadOptions { covariates, ..ReadOptions::default() };
    /// let panel = Panel::read_csv(b"ds,y,price\n1,10,5\n2,20,6\n3,30,7\n", "t.csv", &options)?;
    /// assert!(panel.check_future(2).is_err());
    /// let panel = panel.with_future_bytes(b"ds,price\n4,8\n5,9\n", "next.csv", &ReadOptions::default())?;
    /// assert!(panel.check_future(2).is_ok());
    /// assert_eq!(panel.series()[0].covariates().future().column(0).to_vec(), [5.0, 6.0, 7.0, 8.0, 9.0]);
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn with_future(&self, path: impl AsRef<Path>, options: &ReadOptions) -> Result<Self> {
        let path = path.as_ref();
        join(self, pieces(path, options.format)?, &path.display().to_string(), options)
    }

    /// The same from bytes, gzipped or not; `input` names them in messages.
    ///
    /// # Errors
    /// As [`Panel::with_future`].
    pub fn with_future_bytes(&self, bytes: &[u8], input: &str, options: &ReadOptions) -> Result<Self> {
        join(self, vec![Piece::of_bytes(bytes, input, options.format)], input, options)
    }
}

fn join(panel: &Panel, pieces: Vec<Piece<'_>>, input: &str, options: &ReadOptions) -> Result<Panel> {
    let schema = CovariateSchema::try_from(panel.covariate_schema().of(Known::Future).to_vec())?;
    if schema.is_empty() {
        let rule = "the panel has no covariates that are known ahead; declare them with future-col";
        return Err(Error::option("the input", format!("\"{input}\""), rule));
    }
    if let Some(aggregation) = options.aggregate {
        let rule = "what is known ahead is not resampled; give rows on the grid of the series";
        return Err(Error::option("aggregate", aggregation, rule));
    }
    let its_zone = panel.series().first().map(|series| series.index().zone.clone());
    let options = ReadOptions {
        freq: Some(panel.step()),
        opening: None,
        zone: options.zone.clone().or(its_zone.filter(|zone| *zone != Zone::Local)),
        target_columns: Vec::new(),
        covariates: CovariateDeclaration::default(),
        covariate_schema: Some(schema.clone()),
        ..options.clone()
    };
    let (rows, has_ids) = read(pieces, input, &options)?;
    check_axis(&rows.stamps.axis, panel, input)?;
    if !has_ids && panel.series().len() > 1 {
        let rule = format!("the panel has {} series; name the column with --id-col", panel.series().len());
        return Err(Error::option("the id column", format!("not in \"{input}\""), rule));
    }
    let mut by_id: HashMap<&str, usize> =
        rows.all().enumerate().map(|(at, of_one)| (of_one.id, at)).collect();
    let mut n_before = 0;
    let covariates = panel.series().iter().map(|series| {
        let at = if has_ids { by_id.remove(series.id()) } else { by_id.drain().next().map(|(_, at)| at) };
        let Some(at) = at else { return Ok(series.covariates().clone()) };
        let of_one = rows.series(at);
        let ahead = after(&of_one, series.index().stamp(series.n_steps()));
        n_before += of_one.len() - ahead.len();
        let known = on_grid(&ahead, series, &rows.stamps.axis, &schema, &options)?;
        merged(panel.covariate_schema(), series, &known)
    });
    let covariates = covariates.collect::<Result<Vec<_>>>()?;
    let mut notes = Vec::new();
    if n_before > 0 {
        notes.push(format!("{n_before} rows of \"{input}\" up to the ends of the series are not used"));
    }
    if !by_id.is_empty() {
        notes.push(format!("{} series of \"{input}\" are not in the panel and not used", by_id.len()));
    }
    Ok(panel.with_covariates(panel.covariate_schema().clone(), covariates)?.with_notes(notes))
}

/// All rows of a file that has no targets, and whether it has ids.
fn read(pieces: Vec<Piece<'_>>, input: &str, options: &ReadOptions) -> Result<(Rows, bool)> {
    options.check()?;
    let mut chunks = Chunks::new(pieces, Default::default());
    let Some(first) = chunks.next()? else {
        return Err(chunks.no_rows(input));
    };
    let parts = keys(&first, input, options)?;
    let has_ids = parts.id.is_some();
    let mut collector = Collector::new(&first, parts, options)?;
    collect(&mut collector, first, &mut chunks)?;
    Ok((collector.take_all()?.sorted(), has_ids))
}

fn check_axis(axis: &Axis, panel: &Panel, input: &str) -> Result<()> {
    let is_index = matches!(panel.step(), Step::Index(_));
    let is_local = panel.series().iter().all(|series| series.index().zone == Zone::Local);
    let rule = match (axis.is_index, axis.zone == Zone::Local) {
        (its, _) if its != is_index && is_index => "the panel counts integers",
        (its, _) if its != is_index => "the panel has time stamps, no integers",
        (_, its) if its != is_local && is_local => {
            "its stamps have a zone, those of the panel have none; name it with --tz for both"
        }
        _ => return Ok(()),
    };
    Err(Error::option("the time column", format!("that of \"{input}\""), rule))
}

/// The rows from a stamp on.
fn after<'a>(rows: &SeriesRows<'a>, first: i64) -> SeriesRows<'a> {
    let from = rows.stamps.partition_point(|stamp| *stamp < first);
    SeriesRows {
        stamps: &rows.stamps[from..],
        range: rows.range.start + from..rows.range.end,
        ..rows.clone()
    }
}

/// What is known for the steps that follow a series. Shape `(step, future covariate)`.
fn on_grid(
    rows: &SeriesRows<'_>,
    series: &Series,
    axis: &Axis,
    schema: &CovariateSchema,
    options: &ReadOptions,
) -> Result<Covariates> {
    if rows.out_of_order > 0 && options.out_of_order == OutOfOrder::Error {
        return Err(Error::OutOfOrder { series: rows.id.to_string(), count: rows.out_of_order });
    }
    let next = series.index().slice(series.n_steps()..series.n_steps());
    if rows.stamps.is_empty() {
        return OnGrid::new(schema, rows, 0, [0, 0]).finish(&next, axis);
    }
    let ahead = spanning(next.clone(), rows, axis)?;
    let mut known = OnGrid::new(schema, rows, 0, [0, ahead.len]);
    for (stamp, group) in rows.by_stamp() {
        if group.len() > 1 && options.duplicates == Duplicates::Error {
            let stamp = axis.tell(stamp);
            return Err(Error::DuplicateStamp { series: rows.id.to_string(), stamp, count: group.len() });
        }
        let position = ahead.position(stamp).ok_or_else(|| irregular(rows, axis, &ahead, stamp))?;
        known.set(position, group, Policy::of_duplicates(options.duplicates));
    }
    known.finish(&next, axis)
}

/// The covariates of a series with what is known of the steps that follow it.
fn merged(schema: &CovariateSchema, series: &Series, known: &Covariates) -> Result<Covariates> {
    let (own, n_steps) = (series.covariates(), series.n_steps());
    let n_ahead = own.n_ahead().max(known.n_ahead());
    let mut future = Array2::from_elem((n_steps + n_ahead, own.future().ncols()), f64::NAN);
    future.slice_mut(s![..n_steps + own.n_ahead(), ..]).assign(&own.future());
    let ahead = future.slice_mut(s![n_steps..n_steps + known.n_ahead(), ..]);
    ndarray::Zip::from(ahead).and(known.future()).for_each(|cell, value| {
        *cell = if value.is_nan() { *cell } else { *value };
    });
    let parts = (own.past().to_owned(), future, own.static_values().to_vec());
    Covariates::new(schema, series.id(), series.index(), parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(csv: &str) -> Panel {
        let covariates: CovariateDeclaration = serde_json::from_str(
            r#"{"covariates": {"p": "past", "f": "future", "k": {"known": "future", "kind": "categorical"}}}"#,
        )
        .unwrap();
        let options = ReadOptions { covariates, ..ReadOptions::default() };
        Panel::read_csv(csv.as_bytes(), "t.csv", &options).unwrap()
    }

    const TWO: &str =
        "unique_id,ds,y,p,f,k\na,1,10,1,5,x\na,2,20,2,6,y\na,3,,,7,\nb,1,30,3,8,x\nb,2,40,4,9,y\n";

    fn joined(csv: &str, next: &str) -> Result<Panel> {
        panel(csv).with_future_bytes(next.as_bytes(), "next.csv", &ReadOptions::default())
    }

    fn ahead(panel: &Panel, series: usize) -> String {
        let covariates = panel.series()[series].covariates();
        let future = covariates.future();
        let rows = future.rows().into_iter().skip(covariates.n_steps());
        rows.map(|row| format!("{} {}", row[0], row[1])).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn values_are_put_after_the_ends_and_what_is_not_used_is_counted() {
        let next = "unique_id,ds,f,k\nb,4,1,x\na,3,,y\nc,3,5,x\na,2,99,x\na,4,70,x\nb,3,2,\n";
        let panel = joined(TWO, next).unwrap();
        assert_eq!(ahead(&panel, 0), "7 1, 70 0"); // 7 was known already, y is new
        assert_eq!(ahead(&panel, 1), "2 NaN, 1 0");
        assert_eq!(panel.series()[0].covariates().past().column(0).to_vec(), [1.0, 2.0]);
        assert_eq!(panel.series()[0].covariates().future()[[1, 0]].to_string(), "6");
        assert_eq!(
            panel.report().notes,
            [
                "1 rows of \"next.csv\" up to the ends of the series are not used",
                "1 series of \"next.csv\" are not in the panel and not used"
            ]
        );
        // Order and duplicates are as the options say.
        let policy = ReadOptions { out_of_order: OutOfOrder::Error, ..ReadOptions::default() };
        let error = self::panel(TWO).with_future_bytes(next.as_bytes(), "next.csv", &policy);
        assert!(matches!(error, Err(Error::OutOfOrder { series, count: 1 }) if series == "a"));
    }

    #[test]
    fn mistakes_are_named() {
        let error = |next: &str| joined(TWO, next).unwrap_err().to_string();
        let unseen = error("unique_id,ds,f,k\na,4,1,z\n");
        assert!(
            unseen.starts_with("\"next.csv\", row 1: covariate \"k\" is \"z\", but the model knows x, y")
        );
        assert!(error("unique_id,ds,f\na,4,1\n").contains("no column \"k\""));
        assert!(error("ds,f,k\n4,1,x\n").contains("the panel has 2 series"));
        assert!(error("unique_id,ds,f,k\na,4,1,x\na,4,2,x\n").contains("2 rows for 4"));
        assert!(error("unique_id,ds,f,k\na,2024-01-01,1,x\n").contains("the panel counts integers"));
        assert!(error("unique_id,ds,f,k\na,9000000,1,x\n").contains("would need"));
        assert!(error("unique_id,ds,f,k\na,4,inf,x\n").contains("infinite value in \"f\" at 4"));
        let hourly = "ds,y,p,f,k\n2024-01-01 00:00:00,1,1,1,x\n2024-01-01 01:00:00,2,2,2,x\n";
        let off = joined(hourly, "ds,f,k\n2024-01-01 02:30:00,1,x\n").unwrap_err().to_string();
        assert!(off.contains("2024-01-01 02:30:00 is not on the grid"), "{off}");
        let zoned = joined(hourly, "ds,f,k\n2024-01-01T02:00:00Z,1,x\n").unwrap_err().to_string();
        assert!(zoned.contains("its stamps have a zone"), "{zoned}");
        let none = Panel::read_csv(b"ds,y\n1,1\n2,2\n", "t.csv", &ReadOptions::default()).unwrap();
        let none = none.with_future_bytes(b"ds,f\n3,1\n", "next.csv", &ReadOptions::default());
        assert!(none.unwrap_err().to_string().contains("future-col"));
    }

    #[test]
    fn a_wide_panel_is_joined_without_ids_in_its_own_zone() {
        let csv = "ds,y,p,f,k\n2024-03-30T23:00:00+01:00,1,1,1,x\n2024-03-31T00:00:00+01:00,2,2,2,x\n";
        let next = "ds,f,k\n2024-03-31 01:00:00,5,x\n2024-03-31 02:00:00,6,x\n";
        let panel = joined(csv, next).unwrap();
        assert_eq!(ahead(&panel, 0), "5 0, 6 0");
        assert!(panel.check_future(2).is_ok());
    }
}
