//! How attention grows with the sequence, as charts.

use std::path::Path;

use forecast::plot::GrowthChart;

use crate::error::{Error, Result};
use crate::record::Record;

/// Writes the charts into a folder, which is made if it is not there.
pub(super) fn draw(records: &[Record], folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::file("cannot make the folder", folder, error))?;
    let charts = [
        ("probsparse-time", "Attention of 8 heads, d_model 512, forward", "time (ms)", ["", "_vs_full"]),
        (
            "probsparse-memory",
            "Peak memory of a process that attends",
            "memory (MB)",
            ["_peak_memory", "_peak_memory_vs_full"],
        ),
    ];
    for (file, title, value_label, [same, full]) in charts {
        let curves = [
            ("Longcast, ProbSparse", same, Record::value as fn(&Record) -> f64),
            ("PyTorch, ProbSparse", same, theirs),
            ("PyTorch, fused full attention", full, theirs),
        ];
        let curve = |(name, what, of): (&str, &str, fn(&Record) -> f64)| {
            (name.to_string(), points(records, what, of))
        };
        let curves: Vec<_> = curves.map(curve).into_iter().filter(|(_, points)| !points.is_empty()).collect();
        if curves.is_empty() {
            continue;
        }
        let chart = GrowthChart {
            title: title.to_string(),
            size_label: "length of the sequence (steps)".to_string(),
            value_label: value_label.to_string(),
            curves,
        };
        forecast::write_atomically(folder.join(format!("{file}.png")), &chart.render()?)?;
    }
    Ok(())
}

fn theirs(record: &Record) -> f64 {
    record.peer_value().unwrap_or(f64::NAN)
}

/// Lengths and figures of the records whose name ends so.
fn points(records: &[Record], what: &str, of: fn(&Record) -> f64) -> Vec<(f64, f64)> {
    let length =
        |record: &Record| record.name().strip_prefix("probsparse_L")?.strip_suffix(what)?.parse::<u32>().ok();
    let point = |record: &Record| Some((f64::from(length(record)?), of(record)));
    records.iter().filter_map(point).filter(|(_, value)| value.is_finite()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Spread;

    #[test]
    fn curves_take_the_records_of_their_name_and_side() {
        let record = |name: &str, value| Record::new(name, "ms", Spread::of([value]));
        let records = [
            record("probsparse_L512", 1.0).beside("p", Spread::of([3.0])),
            record("probsparse_L512_peak_memory", 7.0),
            record("probsparse_L2048", 5.0),
        ];
        assert_eq!(points(&records, "", Record::value), [(512.0, 1.0), (2048.0, 5.0)]);
        assert_eq!(points(&records, "", theirs), [(512.0, 3.0)]);
        let folder = std::env::temp_dir().join(format!("forecast-bench-growth-{}", std::process::id()));
        draw(&records, &folder).unwrap();
        assert!(folder.join("probsparse-time.png").exists() && folder.join("probsparse-memory.png").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
