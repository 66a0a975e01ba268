//! Panels of many series as Parquet files.

use forecast::data::{Cells, Format, Zone, encode};

use crate::run::wave;

const HOUR: i64 = 3_600_000_000_000;
const START: i64 = 1_704_067_200_000_000_000;

/// One series: its id, and hour and value of each row.
pub(crate) type Rows = (String, Vec<(usize, f64)>);

/// Waves of hours, each of its own length: 400, 401, ...
pub(crate) fn waves(n: usize) -> Vec<Rows> {
    let rows = |seed: usize| wave(400 + seed % 7, seed as u64).into_iter().enumerate().collect();
    (0..n).map(|at| (format!("load-{at:03}"), rows(at))).collect()
}

/// A series that no model can read or fit, one for each way.
pub(crate) fn bad() -> Vec<Rows> {
    let of =
        |id: &str, values: &[f64]| -> Rows { (id.to_string(), values.iter().copied().enumerate().collect()) };
    let mut doubled = of("doubled", &wave(400, 1));
    doubled.1.insert(7, (6, 1.0));
    vec![
        of("short", &[1.0, 2.0, 3.0]),
        of("missing", &[f64::NAN; 400]),
        of("infinite", &[&wave(400, 2)[..], &[f64::INFINITY]].concat()),
        doubled,
    ]
}

/// A series that seasonal naive can forecast and an autoregression cannot fit.
pub(crate) fn constant() -> Rows {
    ("constant".to_string(), (0..400).map(|hour| (hour, 5.0)).collect())
}

/// The bytes of a long Parquet file, series after series.
pub(crate) fn parquet(series: &[Rows]) -> Vec<u8> {
    let rows = || series.iter().flat_map(|(id, rows)| rows.iter().map(move |row| (id, row)));
    let stamps = rows().map(|(_, (hour, _))| START + HOUR * i64::try_from(*hour).unwrap()).collect();
    let columns = [
        ("unique_id".to_string(), Cells::Text(rows().map(|(id, _)| id.clone()).collect())),
        ("ds".to_string(), Cells::Stamps(stamps, Zone::Local)),
        ("y".to_string(), Cells::Numbers(rows().map(|(_, (_, value))| *value).collect())),
    ];
    encode(&columns, Format::Parquet).unwrap()
}
