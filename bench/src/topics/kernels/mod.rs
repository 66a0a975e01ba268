//! `kernels`: steps of training, forecasts and attention beside PyTorch, and a forecast from a cold start.
//!
//! Every workload runs in a process of its own on both sides (`workload.rs`, `peers/informer.py`), so that peaks of
//! memory belong to it.

mod case;
mod charts;
mod cold_start;
mod growth;
mod workload;

use forecast::workload::{WorkloadKind, WorkloadSizes};

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::Result;
use crate::record::Record;
use case::{Case, Rival};

pub(crate) use workload::serve;

const PYTORCH: &str = "PyTorch, the same model";

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    // PyTorch is too large to install for the quick form.
    let has_peers = setting.has_peers && !setting.is_quick;
    let python = if has_peers { Some(Python::with_torch()?) } else { None };
    let mut records = Vec::new();
    for case in cases(setting.is_quick) {
        console::note(format!("kernels: {}, {} runs of each side, in turn", case.name, case.n_runs));
        records.extend(case.measure(python.as_ref())?);
    }
    records.extend(growth::records(&records));
    records.extend(cold_start::run(setting, python.as_ref())?);
    if let Some(folder) = &setting.plots {
        charts::draw(&records, folder)?;
    }
    Ok(records)
}

/// Sizes of the reference code: 7 channels, batches of 32, 8 heads.
fn sizes(workload: WorkloadKind) -> WorkloadSizes {
    WorkloadSizes {
        workload,
        n_batch: 32,
        lookback: 96,
        label_length: 48,
        horizon: 24,
        n_channels: 7,
        n_marks: 4,
        d_model: 512,
        n_heads: 8,
        d_ff: 2048,
        encoder_layers: 2,
        decoder_layers: 1,
        factor: 5,
        dropout: 0.05,
    }
}

fn cases(is_quick: bool) -> Vec<Case> {
    let n_runs = if is_quick { 3 } else { 11 };
    let case = |name: &str, sizes: WorkloadSizes, time_bar: f64, memory_bar: Option<f64>, n_runs| {
        let workload = sizes.workload;
        let rival = Rival { suffix: "", workload, peer: PYTORCH, time_bar: Some(time_bar), memory_bar };
        Case { name: name.to_string(), sizes, rivals: vec![rival], n_runs, n_unmeasured: 0 }
    };
    let train = sizes(WorkloadKind::InformerTrain);
    let small = WorkloadSizes { d_model: 64, d_ff: 256, ..train };
    let encoder = WorkloadSizes { dropout: 0.0, ..sizes(WorkloadKind::EncoderTrain) };
    let infer = WorkloadSizes { n_batch: 1, ..sizes(WorkloadKind::InformerInfer) };
    let memory_bar = Some(2.0);
    let mut cases = vec![
        case("informer_train_96_48_24_d64", small, 1.0 / 0.7, memory_bar, n_runs),
        Case { n_unmeasured: 1, ..case("informer_infer_b1_d512", infer, 2.0, memory_bar, 2 * n_runs) },
        case("encoder_train_d64", WorkloadSizes { d_model: 64, d_ff: 256, ..encoder }, 1.0, None, n_runs),
    ];
    if !is_quick {
        let long = WorkloadSizes { lookback: 336, label_length: 336, horizon: 720, ..train };
        cases.push(case("informer_train_96_48_24_d512", train, 1.0 / 0.7, memory_bar, n_runs));
        cases.push(case("informer_train_336_336_720_d512", long, 2.5, memory_bar, 5));
        cases.push(case("encoder_train_d512", encoder, 1.0, None, n_runs));
    }
    cases.extend(growth::cases(is_quick, n_runs));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_that_has_a_bar_is_measured_at_full_size() {
        let names: Vec<String> = cases(false).into_iter().map(|case| case.name).collect();
        for due in [
            "informer_train_96_48_24_d512",
            "informer_train_336_336_720_d512",
            "informer_train_96_48_24_d64",
            "informer_infer_b1_d512",
            "encoder_train_d512",
            "encoder_train_d64",
            "probsparse_L512",
            "probsparse_L2048",
            "probsparse_L8192",
        ] {
            assert!(names.iter().any(|name| name == due), "{due}");
        }
    }

    #[test]
    fn our_side_does_every_case_of_the_quick_form() {
        for Case { sizes, .. } in cases(true) {
            // As large as a test can be.
            let sizes = WorkloadSizes {
                n_batch: sizes.n_batch.min(2),
                d_model: 16,
                d_ff: 16,
                lookback: sizes.lookback.min(64),
                ..sizes
            };
            let mut work = forecast::workload::Workload::new(&sizes).unwrap();
            assert!(work.run().unwrap().is_finite());
        }
    }
}
