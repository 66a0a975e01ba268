//! The paper's experiments as charts, from the records of a run.

use std::path::Path;

use forecast::plot::GrowthChart;

use crate::error::{Error, Result};
use crate::record::Record;

/// A curve of a chart: what it is called, and how its records are: a name before the size and one after it.
type Curve = (&'static str, &'static str, &'static str);

const COEFFICIENTS: [Curve; 4] = [
    ("Classic-AR", "classic_ar_p", "_stpe"),
    ("AR-Net solved", "arnet_solved_p", "_stpe"),
    ("AR-Net by gradient", "arnet_gradient_p", "_stpe"),
    ("AR-Net by PyTorch", "arnet_pytorch_p", "_stpe"),
];
const TIMES: [Curve; 5] = [
    ("Classic-AR, exact", "classic_ar_p", ""),
    ("Classic-AR, autocorrelations", "autocorrelation_ar_p", ""),
    ("AR-Net solved, with its path", "arnet_solved_p", ""),
    ("AR-Net solved, autocorrelations", "autocorrelation_arnet_p", ""),
    ("AR-Net by gradient", "arnet_gradient_p", "_vs_pytorch"),
];
const BY_ORDER: [Curve; 2] = [
    ("Classic-AR, exact", "classic_ar_by_order_p", ""),
    ("AR-Net solved, autocorrelations", "autocorrelation_arnet_by_order_p", ""),
];
const BY_LENGTH: [Curve; 2] = [
    ("Classic-AR, exact", "classic_ar_by_length_n", ""),
    ("AR-Net solved, autocorrelations", "autocorrelation_arnet_by_length_n", ""),
];

/// Writes the charts into a folder, which is made if it is not there.
pub(super) fn draw(records: &[Record], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file("cannot make the folder", folder, error))?;
    for (file, title, size_label, value_label, curves) in [
        (
            "arnet-coefficients",
            "Error of the coefficients of an AR(3), 100,000 values",
            "lags",
            "sTPE (%)",
            &COEFFICIENTS[..],
        ),
        ("arnet-times", "Time of a fit to 100,000 values", "lags", "time (ms)", &TIMES),
        ("arnet-by-order", "Time of a fit to 100,000 values", "lags", "time (ms)", &BY_ORDER),
        ("arnet-by-length", "Time of a fit of 1,000 lags", "values", "time (ms)", &BY_LENGTH),
    ] {
        let curves: Vec<_> =
            curves.iter().map(|curve| (curve.0.to_string(), points(records, *curve))).collect();
        let curves: Vec<_> = curves.into_iter().filter(|(_, points)| !points.is_empty()).collect();
        if curves.is_empty() {
            continue;
        }
        let chart = GrowthChart {
            title: title.to_string(),
            size_label: size_label.to_string(),
            value_label: value_label.to_string(),
            curves,
        };
        forecast::write_atomically(folder.join(format!("{file}.png")), &chart.render()?)?;
    }
    Ok(())
}

/// Sizes and figures of the records of a curve.
fn points(records: &[Record], (_, before, after): Curve) -> Vec<(f64, f64)> {
    let size = |record: &Record| record.name().strip_prefix(before)?.strip_suffix(after)?.parse::<u32>().ok();
    records.iter().filter_map(|record| Some((f64::from(size(record)?), record.value()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Spread;

    #[test]
    fn a_curve_takes_the_records_of_its_name_alone() {
        let record = |name: &str, value| Record::new(name, "ms", Spread::of([value]));
        let records = [
            record("classic_ar_p10", 1.0),
            record("classic_ar_p100", 2.0),
            record("classic_ar_p100_vs_lstsq", 3.0),
            record("classic_ar_p100_stpe", 4.0),
        ];
        assert_eq!(points(&records, TIMES[0]), [(10.0, 1.0), (100.0, 2.0)]);
        assert_eq!(points(&records, COEFFICIENTS[0]), [(100.0, 4.0)]);
        let folder = std::env::temp_dir().join("forecast-bench-charts");
        draw(&records, &folder).unwrap();
        assert!(folder.join("arnet-times.png").exists() && !folder.join("arnet-by-order.png").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
