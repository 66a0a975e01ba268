//! The paper's experiments as charts, from the records of a run.

use std::path::Path;

use forecast::plot::GrowthChart;

use crate::error::{Error, Result};
use crate::record::Record;

/// What of a record is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    /// The peer's figure of the same record.
    Peer,
    /// How far our figure lies above 1, in percent.
    Excess,
}

/// A curve of a chart: what it is called, and its records: a name before the size and one after it.
struct Curve(&'static str, &'static str, &'static str, Side);

struct Chart {
    file: &'static str,
    title: &'static str,
    size_label: &'static str,
    value_label: &'static str,
    curves: &'static [Curve],
}

const CHARTS: [Chart; 6] = [
    Chart {
        file: "arnet-coefficients",
        title: "Error of the coefficients of an AR(3), 100,000 values",
        size_label: "lags",
        value_label: "sTPE (%)",
        curves: &[
            Curve("least squares", "classic_ar_p", "_stpe", Side::Ours),
            Curve("AR-Net solved", "arnet_solved_p", "_stpe", Side::Ours),
            Curve("AR-Net by gradient", "arnet_gradient_p", "_stpe", Side::Ours),
            Curve("PyTorch", "arnet_pytorch_p", "_stpe", Side::Ours),
            Curve("lasso", "lasso_p", "_stpe", Side::Ours),
        ],
    },
    Chart {
        file: "arnet-forecasts",
        title: "What forecasts lose by the coefficients found, 100,000 values",
        size_label: "lags",
        value_label: "squared error above the true model's (%)",
        curves: &[
            Curve("least squares", "classic_ar_p", "_mse_over_true", Side::Excess),
            Curve("AR-Net solved", "arnet_solved_p", "_mse_over_true", Side::Excess),
            Curve("AR-Net by gradient", "arnet_gradient_p", "_mse_over_true", Side::Excess),
            Curve("PyTorch", "arnet_pytorch_p", "_mse_over_true", Side::Excess),
            Curve("lasso", "lasso_p", "_mse_over_true", Side::Excess),
        ],
    },
    Chart {
        file: "arnet-times",
        title: "Time of least squares, 100,000 values",
        size_label: "lags",
        value_label: "time (ms)",
        curves: &[
            Curve("exact", "classic_ar_p", "", Side::Ours),
            Curve("autocorrelations", "autocorrelation_ar_p", "", Side::Ours),
            Curve("scipy Toeplitz", "autocorrelation_ar_p", "_vs_toeplitz", Side::Peer),
            Curve("numpy normal", "classic_ar_p", "_vs_normal", Side::Peer),
            Curve("numpy lstsq", "classic_ar_p", "_vs_lstsq", Side::Peer),
            Curve("AutoReg", "classic_ar_p", "_vs_autoreg", Side::Peer),
        ],
    },
    Chart {
        file: "arnet-times-sparse",
        title: "Time of sparse fits, 100,000 values",
        size_label: "lags",
        value_label: "time (ms)",
        curves: &[
            Curve("solved", "arnet_solved_p", "", Side::Ours),
            Curve("autocorrelations", "autocorrelation_arnet_p", "", Side::Ours),
            Curve("by gradient", "arnet_gradient_p", "", Side::Ours),
            Curve("by gradient", "arnet_gradient_p", "_vs_pytorch", Side::Ours),
            Curve("PyTorch", "arnet_gradient_p", "_vs_pytorch", Side::Peer),
            Curve("scikit-learn lasso", "autocorrelation_arnet_p", "_vs_lasso", Side::Peer),
        ],
    },
    Chart {
        file: "arnet-by-order",
        title: "Time of a fit to 100,000 values",
        size_label: "lags",
        value_label: "time (ms)",
        curves: &[
            Curve("Classic-AR, exact", "classic_ar_by_order_p", "", Side::Ours),
            Curve("AR-Net, autocorrelations", "autocorrelation_arnet_by_order_p", "", Side::Ours),
        ],
    },
    Chart {
        file: "arnet-by-length",
        title: "Time of a fit of 1,000 lags",
        size_label: "values",
        value_label: "time (ms)",
        curves: &[
            Curve("Classic-AR, exact", "classic_ar_by_length_n", "", Side::Ours),
            Curve("AR-Net, autocorrelations", "autocorrelation_arnet_by_length_n", "", Side::Ours),
        ],
    },
];

/// Writes the charts that there are records for into a folder, which is made if it is not there.
pub(super) fn draw(records: &[Record], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file("cannot make the folder", folder, error))?;
    for chart in &CHARTS {
        let curves = chart.curves.iter().map(|curve| (curve.0.to_string(), curve.points(records)));
        let curves: Vec<_> = curves.filter(|(_, points)| !points.is_empty()).collect();
        if curves.is_empty() {
            continue;
        }
        let drawn = GrowthChart {
            title: chart.title.to_string(),
            size_label: chart.size_label.to_string(),
            value_label: chart.value_label.to_string(),
            curves,
        };
        forecast::write_atomically(folder.join(format!("{}.png", chart.file)), &drawn.render()?)?;
    }
    Ok(())
}

impl Curve {
    /// Sizes and figures of its records; what is not positive has no place on the axis and is left out.
    fn points(&self, records: &[Record]) -> Vec<(f64, f64)> {
        let Curve(_, before, after, side) = self;
        let point = |record: &Record| {
            let size = record.name().strip_prefix(before)?.strip_suffix(after)?.parse::<u32>().ok()?;
            let value = match side {
                Side::Ours => record.value(),
                Side::Peer => record.peer_value()?,
                Side::Excess => 100.0 * (record.value() - 1.0),
            };
            (value > 0.0).then_some((f64::from(size), value))
        };
        records.iter().filter_map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Spread;

    #[test]
    fn a_curve_takes_the_side_of_the_records_of_its_name() {
        let record = |name: &str, value| Record::new(name, "ms", Spread::of([value]));
        let records = [
            record("classic_ar_p10", 1.0),
            record("classic_ar_p100", 2.0),
            record("classic_ar_p100_vs_lstsq", 3.0).beside("numpy", Spread::of([70.0])),
            record("classic_ar_p100_stpe", 4.0),
            record("lasso_p10_mse_over_true", 1.5),
            record("lasso_p100_mse_over_true", 0.9),
        ];
        let points = |before, after, side| Curve("a", before, after, side).points(&records);
        assert_eq!(points("classic_ar_p", "", Side::Ours), [(10.0, 1.0), (100.0, 2.0)]);
        assert_eq!(points("classic_ar_p", "_stpe", Side::Ours), [(100.0, 4.0)]);
        assert_eq!(points("classic_ar_p", "_vs_lstsq", Side::Peer), [(100.0, 70.0)]);
        assert_eq!(points("lasso_p", "_mse_over_true", Side::Excess), [(10.0, 50.0)]);
        let folder = std::env::temp_dir().join("forecast-bench-charts");
        draw(&records, &folder).unwrap();
        assert!(folder.join("arnet-times.png").exists() && !folder.join("arnet-by-order.png").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
