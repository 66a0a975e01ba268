//! Holds the statistics and their solutions to numbers made with other code; `tests/golden/README.md` says which.

use std::path::{Path, PathBuf};

use ndarray::{Array1, Array2};
use safetensors::SafeTensors;

use super::cholesky::Cholesky;
use super::gram::lagged_moments;

fn files() -> Vec<PathBuf> {
    let in_tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = std::env::var_os("LONGCAST_GOLDEN").map_or(in_tree, PathBuf::from);
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| name(path).starts_with("arnet_series") && name(path).ends_with(".safetensors"));
    files.sort();
    assert!(!files.is_empty(), "no arnet_series*.safetensors");
    files
}

fn read(tensors: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let view = tensors.tensor(name).unwrap();
    let (numbers, rest) = view.data().as_chunks::<8>();
    assert!(view.dtype() == safetensors::Dtype::F64 && rest.is_empty(), "{name}");
    numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// `absolute` where numbers cancel, else relative.
fn check<'a>(
    ours: impl IntoIterator<Item = &'a f64>,
    golden: &[f64],
    absolute: f64,
    relative: f64,
    what: &str,
) {
    let ours: Vec<f64> = ours.into_iter().copied().collect();
    assert_eq!(ours.len(), golden.len(), "{what}");
    for (ours, golden) in ours.iter().zip(golden) {
        let difference = (ours - golden).abs();
        assert!(difference <= absolute + relative * golden.abs(), "{what}: {ours} {golden}");
    }
}

#[test]
fn statistics_and_solutions_are_those_of_other_code() {
    for path in files() {
        let bytes = std::fs::read(&path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let about: serde_json::Value =
            serde_json::from_str(&metadata.metadata().as_ref().unwrap()["golden"]).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let series = read(&tensors, "series");
        let mean = series.iter().sum::<f64>() / series.len() as f64;
        let shifted: Vec<f64> = series.iter().map(|value| value - mean).collect();
        let orders = about["config"]["p"].as_array().unwrap();
        assert!(!orders.is_empty(), "{}", path.display());
        for order in orders {
            let order = usize::try_from(order.as_u64().unwrap()).unwrap();
            let golden = |name: &str| read(&tensors, &format!("p{order}.{name}"));
            // From the series about its mean, the mean put back.
            let moments = lagged_moments(&[&shifted], order, 1).unwrap().shifted(mean);
            let what = |name: &str| format!("{} order {order} {name}", path.display());
            // The tolerance of the golden files, relative to the diagonal where products cancel.
            let scale = 1e-12 * moments.gram.diag().mean().unwrap_or(0.0);
            check(&moments.gram, &golden("gram"), scale, 1e-12, &what("gram"));
            check(&moments.cross, &golden("xty"), scale, 1e-12, &what("xty"));
            check(&moments.column_sums, &golden("colsum"), scale, 1e-12, &what("colsum"));

            let solve = |gram: &Array2<f64>, cross: &Array2<f64>| {
                Cholesky::new(gram, 0.0).unwrap().unwrap().solve(cross).unwrap()
            };
            let weights = solve(&moments.gram, &moments.cross);
            check(&weights, &golden("coef"), 1e-11, 0.0, &what("coef"));
            let rest = moments.energy[0] - weights.row(0).dot(&moments.cross.column(0));
            let centred = moments.centred();
            let weights = solve(&centred.gram, &centred.cross);
            let rest_centred = centred.energy[0] - weights.row(0).dot(&centred.cross.column(0));
            check(&[rest, rest_centred], &golden("sse"), 0.0, 1e-12, &what("sse"));
            let intercept: Array1<f64> = moments.intercepts(&weights);
            let all: Vec<f64> = weights.iter().chain(&intercept).copied().collect();
            check(&all, &golden("coef_with_intercept"), 1e-11, 0.0, &what("coef_with_intercept"));
        }
    }
}
