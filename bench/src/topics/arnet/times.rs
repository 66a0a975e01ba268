//! The time of each way to fit beside each of its rivals, taken in turn.

use super::fit::{Fit, Fitted};
use super::peers::{Peers, ask};
use super::samples::{Sample, density};
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn};
use crate::record::Record;

/// Weights of two sides that fit the same may differ by this much: peers fit no intercept to a series of mean 0.
const TOLERANCE: f64 = 1e-4;
/// Rivals with a lag matrix hold 800 MB at this order, and take minutes beyond.
const LONGEST_MATRIX: usize = 1_000;
/// Orders from which on bars beside numpy, scipy and scikit-learn hold.
const HELD: usize = 1_000;

/// Up to this order `--quick` measures what takes seconds beyond.
const QUICK: usize = 10;

/// A peer's way to fit, and the record that sets ours beside it.
struct Rival {
    ours: Fit,
    task: &'static str,
    suffix: &'static str,
    peer: &'static str,
    bar: f64,
    /// Whether the weights have to be the same.
    is_same: bool,
    has_matrix: bool,
    is_slow: bool,
}

const RIVALS: [Rival; 6] = [
    Rival {
        ours: Fit::LeastSquares,
        task: "normal",
        suffix: "_vs_normal",
        peer: "numpy, normal equations of the lag matrix",
        bar: 20.0,
        is_same: true,
        has_matrix: true,
        is_slow: false,
    },
    Rival {
        ours: Fit::LeastSquares,
        task: "lstsq",
        suffix: "_vs_lstsq",
        peer: "numpy.linalg.lstsq on the lag matrix",
        bar: 100.0,
        is_same: true,
        has_matrix: true,
        is_slow: true,
    },
    Rival {
        ours: Fit::LeastSquares,
        task: "autoreg",
        suffix: "_vs_autoreg",
        peer: "statsmodels AutoReg",
        bar: 200.0,
        is_same: true,
        has_matrix: true,
        is_slow: true,
    },
    // The exact solution is held to ten times the time of the approximate one.
    Rival {
        ours: Fit::LeastSquares,
        task: "toeplitz",
        suffix: "_vs_toeplitz",
        peer: "scipy, FFT and solve_toeplitz",
        bar: 0.1,
        is_same: false,
        has_matrix: false,
        is_slow: false,
    },
    Rival {
        ours: Fit::Autocorrelation,
        task: "toeplitz",
        suffix: "_vs_toeplitz",
        peer: "scipy, FFT and solve_toeplitz",
        bar: 1.0 / 1.5,
        is_same: true,
        has_matrix: false,
        is_slow: false,
    },
    Rival {
        ours: Fit::SolvedQuick,
        task: "lasso",
        suffix: "_vs_lasso",
        peer: "scipy and scikit-learn, FFT and coordinate descent for one penalty",
        bar: 1.0 / 1.5,
        is_same: false,
        has_matrix: false,
        is_slow: false,
    },
];

/// Ours that take milliseconds, in the order in which they are measured.
const OURS: [Fit; 4] = [Fit::LeastSquares, Fit::Autocorrelation, Fit::Solved, Fit::SolvedQuick];

/// Each way to fit beside each of its rivals: the quick ones many times, then the slow ones a few.
pub(super) fn times(order: usize, sample: &Sample, peers: &Peers, is_quick: bool) -> Result<Vec<Record>> {
    let mut records = quick(order, sample, peers, if is_quick { 3 } else { 21 })?;
    if is_quick && order > QUICK {
        return Ok(records);
    }
    // At this order the slowest takes half a minute.
    let n_runs = if is_quick || order >= LONGEST_MATRIX { 1 } else { 3 };
    records.extend(slow(order, sample, peers, n_runs)?);
    Ok(records)
}

/// Ours alone, and beside the rivals that take milliseconds or a second.
fn quick(order: usize, sample: &Sample, peers: &Peers, n_runs: usize) -> Result<Vec<Record>> {
    let (measured, rivals) = contest(order, sample, peers, n_runs, false)?;
    let alone = |(fit, runs): (&Fit, &Vec<Fitted>)| Record::new(&name(*fit, order), "ms", spread(runs));
    let mut records: Vec<Record> = OURS.iter().zip(&measured).map(alone).collect();
    records.extend(beside(order, &measured, &rivals)?);
    Ok(records)
}

/// Ours beside the rivals that take seconds, and trainings by gradient.
fn slow(order: usize, sample: &Sample, peers: &Peers, n_runs: usize) -> Result<Vec<Record>> {
    let (measured, rivals) = contest(order, sample, peers, n_runs, true)?;
    let mut records = beside(order, &measured, &rivals)?;
    match &measured[OURS.len() + rivals.len()..] {
        [gradient, torch] => {
            let record = |fit: Fit, runs: &[Fitted]| {
                let record = Record::new(&(name(fit, order) + "_vs_pytorch"), "ms", spread(runs));
                record.beside("PyTorch, ten epochs", spread(torch))
            };
            let bar = if order <= 1_000 { 200.0 } else { 100.0 };
            let solved = OURS.iter().position(|fit| *fit == Fit::Solved).unwrap_or_default();
            records.push(record(Fit::Solved, &measured[solved]).ratio_at_least(bar));
            records.push(record(Fit::Gradient, gradient));
        }
        [gradient] => records.push(Record::new(&name(Fit::Gradient, order), "ms", spread(gradient))),
        _ => {}
    }
    Ok(records)
}

/// All of [`OURS`], then the rivals of one pace, then, of the slow ones, our training and PyTorch's.
///
/// # Shapes
/// `(side, run)`.
fn contest(
    order: usize,
    sample: &Sample,
    peers: &Peers,
    n_runs: usize,
    is_slow: bool,
) -> Result<(Vec<Vec<Fitted>>, Vec<&'static Rival>)> {
    let (values, density) = (sample.training(), density(order));
    let is_done = |rival: &&Rival| rival.is_slow == is_slow && (!rival.has_matrix || order <= LONGEST_MATRIX);
    let mut rivals: Vec<&Rival> = Vec::new();
    let mut sides: Vec<Candidate<'_, Fitted>> = Vec::new();
    for fit in OURS {
        sides.push(Box::new(move || fit.of(values, order, density)));
    }
    if let Some(peer) = &peers.usual {
        rivals.extend(RIVALS.iter().filter(is_done));
        for rival in &rivals {
            let task = rival.task;
            sides.push(Box::new(move || ask(peer, task, &sample.file, order, sample.seed)));
        }
    }
    if is_slow {
        sides.push(Box::new(move || Fit::Gradient.of(values, order, density)));
        if let Some(torch) = &peers.torch {
            sides.push(Box::new(move || ask(torch, "train", &sample.file, order, sample.seed)));
        }
    }
    let measured = in_turn(n_runs, &mut sides)?;
    drop(sides);
    Ok((measured, rivals))
}

/// The records of rivals, which lie behind [`OURS`].
fn beside(order: usize, measured: &[Vec<Fitted>], rivals: &[&Rival]) -> Result<Vec<Record>> {
    let record = |(rival, theirs): (&&Rival, &Vec<Fitted>)| -> Result<Record> {
        let at = OURS.iter().position(|fit| *fit == rival.ours).unwrap_or_default();
        let (ours, name) = (&measured[at], name(rival.ours, order) + rival.suffix);
        if rival.is_same {
            check(&name, &ours[0], &theirs[0], rival.peer)?;
        }
        let record = Record::new(&name, "ms", spread(ours)).beside(rival.peer, spread(theirs));
        Ok(if order >= HELD { record.ratio_at_least(rival.bar) } else { record })
    };
    rivals.iter().zip(&measured[OURS.len()..]).map(record).collect()
}

fn name(fit: Fit, order: usize) -> String {
    format!("{}_p{order}", fit.name())
}

fn spread(runs: &[Fitted]) -> Spread {
    Spread::of(runs.iter().map(|run| 1e3 * run.seconds))
}

fn check(record: &str, ours: &Fitted, theirs: &Fitted, peer: &'static str) -> Result<()> {
    let pairs = ours.weights.iter().zip(&theirs.weights);
    match pairs.into_iter().find(|(a, b)| a.is_nan() || b.is_nan() || (*a - *b).abs() > TOLERANCE) {
        Some((a, b)) => Err(Error::Differs { record: record.to_string(), ours: *a, peer, theirs: *b }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_that_differ_are_no_comparison() {
        let fitted = |weight| Fitted { seconds: 1.0, weights: vec![0.5, weight] };
        assert!(check("r", &fitted(0.1), &fitted(0.100_01), "p").is_ok());
        for odd in [0.2, f64::NAN] {
            let message = check("r", &fitted(0.1), &fitted(odd), "p").unwrap_err().to_string();
            assert!(message.contains("r: ours") && message.contains("0.1"), "{message}");
        }
    }

    #[test]
    fn a_rival_stands_beside_the_way_that_does_the_same() {
        let took = |seconds| vec![Fitted { seconds, weights: vec![0.1] }];
        // Ours in their order, then the one rival: ten times the time of the second of ours.
        let measured = [took(1.0), took(0.002), took(3.0), took(4.0), took(0.02)];
        let rival = RIVALS.iter().find(|rival| rival.ours == Fit::Autocorrelation).unwrap();
        let json = crate::record::json(&beside(1_000, &measured, &[rival]).unwrap()).unwrap();
        assert!(json.contains("\"autocorrelation_ar_p1000_vs_toeplitz\""), "{json}");
        assert!(json.contains("\"ratio\": 10.0") && json.contains("\"ok\": true"), "{json}");
        let below = crate::record::json(&beside(100, &measured, &[rival]).unwrap()).unwrap();
        assert!(below.contains("\"bar\": null"), "{below}");
    }
}
