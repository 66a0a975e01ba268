//! One workload, done in turn by us and by PyTorch, each in a process of its own.

use std::cell::RefCell;

use forecast::workload::{WorkloadKind, WorkloadSizes};
use serde::Serialize;

use super::workload::{Answer, COMMAND};
use crate::environment::Python;
use crate::error::Result;
use crate::measure::{Candidate, Spread, in_turn};
use crate::peer::{INFORMER, Peer};
use crate::record::Record;

/// Work, and what stands beside it.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The name of the record.
    pub(super) name: String,
    /// What is done by us.
    pub(super) sizes: WorkloadSizes,
    /// What is done by PyTorch.
    pub(super) rivals: Vec<Rival>,
    /// How often everyone does it.
    pub(super) n_runs: usize,
    /// How often everyone does it unmeasured before each run: where work takes milliseconds, threads of the one whose turn
    /// it was still look for more, and keep processors busy.
    pub(super) n_unmeasured: usize,
}

/// The same work, or work to the same end, by PyTorch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rival {
    /// What the name of the record ends in.
    pub(super) suffix: &'static str,
    pub(super) workload: WorkloadKind,
    /// What the record calls it.
    pub(super) peer: &'static str,
    /// The least that the ratio of times may be.
    pub(super) time_bar: Option<f64>,
    /// The least that the ratio of peaks may be.
    pub(super) memory_bar: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Question {
    #[serde(flatten)]
    sizes: WorkloadSizes,
}

impl Case {
    /// A record of time and one of memory for each rival, or ours alone without a Python.
    pub(super) fn measure(&self, python: Option<&Python>) -> Result<Vec<Record>> {
        let ours = RefCell::new(Peer::own(&[COMMAND])?);
        let rivals = if python.is_some() { &self.rivals[..] } else { &[] };
        let peers = python.into_iter().flat_map(|python| rivals.iter().map(move |_| python));
        let peers: Vec<_> =
            peers.map(|python| Peer::start(python, INFORMER).map(RefCell::new)).collect::<Result<_>>()?;
        let ask = |peer: &RefCell<Peer>, workload| -> Result<Answer> {
            let question = Question { sizes: WorkloadSizes { workload, ..self.sizes } };
            for _ in 0..self.n_unmeasured {
                let _: Answer = peer.borrow_mut().ask(&question)?;
            }
            peer.borrow_mut().ask(&question)
        };
        let mut sides: Vec<Candidate<'_, Answer>> = vec![Box::new(|| ask(&ours, self.sizes.workload))];
        for (rival, peer) in rivals.iter().zip(&peers) {
            sides.push(Box::new(move || ask(peer, rival.workload)));
        }
        let measured = in_turn(self.n_runs, &mut sides)?;
        Ok(self.records(&measured))
    }

    fn records(&self, measured: &[Vec<Answer>]) -> Vec<Record> {
        let ours = &measured[0];
        let alone =
            Rival { suffix: "", workload: self.sizes.workload, peer: "", time_bar: None, memory_bar: None };
        let with_peers = measured.len() > 1;
        let rivals = if with_peers { &self.rivals[..] } else { std::slice::from_ref(&alone) };
        let mut records = Vec::new();
        for (at, rival) in rivals.iter().enumerate() {
            let theirs = measured.get(at + 1);
            let name = |what: &str| format!("{}{what}{}", self.name, rival.suffix);
            let beside = |record: Record, of: fn(&[Answer]) -> Spread, bar: Option<f64>| {
                let record = match theirs {
                    Some(theirs) => record.beside(rival.peer, of(theirs)),
                    None => record,
                };
                match bar {
                    Some(bar) => record.ratio_at_least(bar),
                    None => record,
                }
            };
            records.push(beside(Record::new(&name(""), "ms", times(ours)), times, rival.time_bar));
            let peak = Record::new(&name("_peak_memory"), "MB", peaks(ours));
            records.push(beside(peak, peaks, rival.memory_bar));
        }
        let growth = Record::new(&format!("{}_memory_growth", self.name), "MB", growths(ours));
        records.push(growth);
        records
    }
}

fn times(answers: &[Answer]) -> Spread {
    Spread::of(answers.iter().map(|answer| 1e3 * answer.seconds))
}

/// Whole processes, with all that they have loaded.
fn peaks(answers: &[Answer]) -> Spread {
    Spread::of(answers.iter().map(|answer| 1e-6 * answer.peak_bytes.unwrap_or(f64::NAN)))
}

/// Without what was there before the work was built.
fn growths(answers: &[Answer]) -> Spread {
    let growth = |answer: &Answer| answer.peak_bytes.zip(answer.base_bytes).map(|(peak, base)| peak - base);
    Spread::of(answers.iter().map(|answer| 1e-6 * growth(answer).unwrap_or(f64::NAN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rival_has_its_records_and_bars_and_ours_stand_alone_without() {
        let rival = |suffix, time_bar| Rival {
            suffix,
            workload: WorkloadKind::ProbSparse,
            peer: "p",
            time_bar,
            memory_bar: Some(2.0),
        };
        let case = Case {
            name: "a".to_string(),
            sizes: super::super::sizes(WorkloadKind::ProbSparse),
            rivals: vec![rival("", Some(5.0)), rival("_vs_full", None)],
            n_runs: 1,
            n_unmeasured: 0,
        };
        let took = |seconds, peak| {
            vec![Answer { seconds, peak_bytes: Some(peak), base_bytes: Some(1e6), checksum: 0.0 }]
        };
        let all = [took(1.0, 5e6), took(4.0, 20e6), took(9.0, 6e6)];
        let names = |records: &[Record]| records.iter().map(|r| r.name().to_string()).collect::<Vec<_>>();
        let records = case.records(&all);
        assert_eq!(
            names(&records),
            ["a", "a_peak_memory", "a_vs_full", "a_peak_memory_vs_full", "a_memory_growth"]
        );
        let json = crate::record::json(&records).unwrap();
        assert_eq!((json.matches("\"ok\": true").count(), json.matches("\"ok\": false").count()), (1, 2));
        assert!(json.contains("\"value\": 4.0"), "{json}");
        assert_eq!(names(&case.records(&all[..1])), ["a", "a_peak_memory", "a_memory_growth"]);
    }
}
