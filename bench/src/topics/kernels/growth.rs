//! ProbSparse attention alone, of ever longer sequences.

use forecast::workload::{WorkloadKind, WorkloadSizes};

use super::case::{Case, Rival};
use super::{PYTORCH, sizes};
use crate::measure::Spread;
use crate::record::Record;

/// The full sizes, and those that are in the quick form.
const LENGTHS: [usize; 6] = [512, 1_024, 2_048, 4_096, 8_192, 16_384];
const QUICK: [usize; 2] = [512, 2_048];
/// Where the bars are.
const LONG: usize = 8_192;
const TIMES: f64 = 5.0;
/// How much faster than `L log L` time, and than `L` memory, may grow from the shortest length to the longest: a
/// quadratic would be 22 and 32 times.
const SLACK: f64 = 1.5;

pub(super) fn name(length: usize) -> String {
    format!("probsparse_L{length}")
}

pub(super) fn cases(is_quick: bool, n_runs: usize) -> Vec<Case> {
    let lengths = if is_quick { &QUICK[..] } else { &LENGTHS };
    let case = |length: &usize| {
        let bar = (*length == LONG).then_some(TIMES);
        let rival =
            |suffix, workload, peer| Rival { suffix, workload, peer, time_bar: bar, memory_bar: None };
        let workload = WorkloadKind::ProbSparse;
        Case {
            name: name(*length),
            sizes: WorkloadSizes { n_batch: 1, lookback: *length, ..sizes(workload) },
            rivals: vec![
                rival("", workload, PYTORCH),
                rival("_vs_full", WorkloadKind::FullAttention, "PyTorch, fused full attention"),
            ],
            n_runs,
            n_unmeasured: 1,
        }
    };
    lengths.iter().map(case).collect()
}

/// How time and memory grow from the shortest length to the longest, over what `L log L` and `L` grow.
pub(super) fn records(records: &[Record]) -> Vec<Record> {
    let value = |length: usize, what: &str| {
        let name = format!("{}{what}", name(length));
        records.iter().find(|record| record.name() == name).map(Record::value)
    };
    let measured: Vec<usize> = LENGTHS.into_iter().filter(|length| value(*length, "").is_some()).collect();
    let (Some(first), Some(last)) = (measured.first().copied(), measured.last().copied()) else {
        return Vec::new();
    };
    let growth = |record: &str, what: &str, due: fn(f64) -> f64| {
        let grown = value(last, what)? / value(first, what)? / (due(last as f64) / due(first as f64));
        Some(Record::new(record, "x", Spread::of([grown])).at_most(SLACK))
    };
    let time = growth("probsparse_growth_over_L_log_L", "", |length| length * length.ln());
    let memory = growth("probsparse_memory_growth_over_L", "_memory_growth", |length| length);
    time.into_iter().chain(memory).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_misses_its_bars_and_l_log_l_reaches_them() {
        let of = |time: fn(f64) -> f64, memory: fn(f64) -> f64| {
            let all: Vec<Record> = [512, 16_384]
                .into_iter()
                .flat_map(|length| {
                    let l = length as f64;
                    let record = |what: &str, value| {
                        Record::new(&format!("{}{what}", name(length)), "ms", Spread::of([value]))
                    };
                    [record("", time(l)), record("_memory_growth", memory(l))]
                })
                .collect();
            crate::record::json(&records(&all)).unwrap()
        };
        let good = of(|l| 3.0 * l * l.ln(), |l| 2.0 * l);
        assert_eq!(good.matches("\"ok\": true").count(), 2, "{good}");
        let bad = of(|l| l * l, |l| l * l);
        assert_eq!(bad.matches("\"ok\": false").count(), 2, "{bad}");
        assert!(records(&[]).is_empty());
    }
}
