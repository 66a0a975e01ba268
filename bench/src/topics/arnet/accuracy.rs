//! What each way to fit finds of the process, and what its forecasts lose by it, over several seeds.

use std::cell::RefCell;

use super::fit::{Fit, Fitted};
use super::peers::{Peers, ask};
use super::samples::{COEFFICIENTS, N_TRAINING, Sample, density};
use super::truth::{false_lags, forecast_mse, stpe};
use crate::console;
use crate::error::Result;
use crate::measure::Spread;
use crate::peer::Peer;
use crate::record::Record;

/// The most that the mean sTPE of solved AR-Net may be, in percent, and the orders that are held to it.
const MOST_STPE: f64 = 1.5;
const HELD: [usize; 3] = [10, 100, 1_000];
/// So many seeds of five have to be without a false lag at this order.
const FEWEST_CLEAN: f64 = 4.0;
const CLEAN_ORDER: usize = 1_000;
/// Orders from which on trainings by gradient take seconds, and their seeds.
const LONG: usize = 3_000;
const N_SEEDS_OF_LONG: usize = 2;

/// The order that `--quick` trains by gradient.
const QUICK: usize = 10;

/// Who fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Ours(Fit),
    /// A task of the script of numpy and others.
    Usual(&'static str),
    PyTorch,
}

#[derive(Debug, Clone, Copy)]
struct Method {
    name: &'static str,
    way: Way,
    /// Orders beyond are left out: their lag matrix takes gigabytes.
    longest: usize,
    /// Trained by gradient, which takes seconds where the others take milliseconds.
    is_trained: bool,
}

const fn method(name: &'static str, way: Way, longest: usize, is_trained: bool) -> Method {
    Method { name, way, longest, is_trained }
}

const METHODS: [Method; 6] = [
    method("classic_ar", Way::Ours(Fit::LeastSquares), usize::MAX, false),
    method("lstsq", Way::Usual("lstsq"), 1_000, false),
    method("arnet_gradient", Way::Ours(Fit::Gradient), usize::MAX, true),
    method("arnet_pytorch", Way::PyTorch, usize::MAX, true),
    method("arnet_solved", Way::Ours(Fit::Solved), usize::MAX, false),
    method("lasso", Way::Usual("lasso"), usize::MAX, false),
];

/// The records of every method that there is at one order.
pub(super) fn accuracy(
    order: usize,
    samples: &[Sample],
    peers: &Peers,
    is_quick: bool,
) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for method in METHODS.iter().filter(|method| order <= method.longest) {
        let n_seeds = match method.is_trained {
            true if is_quick => usize::from(order == QUICK),
            true if order >= LONG => N_SEEDS_OF_LONG,
            _ => samples.len(),
        };
        let samples = &samples[..n_seeds.min(samples.len())];
        let mut found = Vec::with_capacity(samples.len());
        for sample in samples {
            found.extend(method.fit(sample, order, peers)?.map(|fitted| Found::of(&fitted, sample)));
        }
        if !found.is_empty() {
            console::note(format!("arnet: {} of {order} lags, {} seeds", method.name, found.len()));
            records.extend(method.records(order, samples, &found));
        }
    }
    Ok(records)
}

/// What one fit is worth.
#[derive(Debug, Clone, Copy)]
struct Found {
    stpe: f64,
    n_false: f64,
    /// Over the error of the process's own coefficients on the same steps.
    mse_over_true: f64,
}

impl Found {
    fn of(fitted: &Fitted, sample: &Sample) -> Self {
        let mse = |weights: &[f64]| forecast_mse(weights, &sample.values, N_TRAINING);
        Found {
            stpe: stpe(&fitted.weights, &COEFFICIENTS),
            n_false: false_lags(&fitted.weights, &COEFFICIENTS) as f64,
            mse_over_true: mse(&fitted.weights) / mse(&COEFFICIENTS),
        }
    }
}

impl Method {
    /// A fit to a series; `None` where the peer takes no part.
    fn fit(&self, sample: &Sample, order: usize, peers: &Peers) -> Result<Option<Fitted>> {
        let asked = |peer: &Option<RefCell<Peer>>, task| {
            peer.as_ref().map(|peer| ask(peer, task, &sample.file, order, sample.seed)).transpose()
        };
        match self.way {
            Way::Ours(fit) => fit.of(sample.training(), order, density(order)).map(Some),
            Way::Usual(task) => asked(&peers.usual, task),
            Way::PyTorch => asked(&peers.torch, "train"),
        }
    }

    /// Means over the seeds.
    fn records(&self, order: usize, samples: &[Sample], found: &[Found]) -> Vec<Record> {
        let seeds: Vec<u64> = samples.iter().map(|sample| sample.seed).collect();
        let record = |what: &str, unit, of: fn(&Found) -> f64| {
            let spread = Spread::around_mean(found.iter().map(of));
            Record::new(&format!("{}_p{order}_{what}", self.name), unit, spread).of_seeds(&seeds)
        };
        let is_solved = self.way == Way::Ours(Fit::Solved);
        let of_stpe = record("stpe", "%", |found| found.stpe);
        let mut records = vec![
            if is_solved && HELD.contains(&order) { of_stpe.at_most(MOST_STPE) } else { of_stpe },
            record("false_lags", "lags", |found| found.n_false),
            record("mse_over_true", "x", |found| found.mse_over_true),
        ];
        if is_solved {
            let n_clean = found.iter().filter(|found| found.n_false < 0.5).count() as f64;
            let name = format!("{}_p{order}_clean_seeds", self.name);
            let clean = Record::new(&name, "seeds", Spread::of([n_clean])).of_seeds(&seeds);
            let is_held = order == CLEAN_ORDER && seeds.len() == 5;
            records.push(if is_held { clean.at_least(FEWEST_CLEAN) } else { clean });
        }
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn every_way_to_fit_finds_the_process() {
        let scratch = Scratch::new("arnet-accuracy").unwrap();
        let sample = Sample::new(3, &scratch).unwrap();
        for fit in [Fit::LeastSquares, Fit::Autocorrelation, Fit::Solved, Fit::SolvedQuick, Fit::Gradient] {
            let fitted = fit.of(sample.training(), 5, density(5)).unwrap();
            let found = Found::of(&fitted, &sample);
            assert!(found.stpe < 3.0 && (found.mse_over_true - 1.0).abs() < 0.01, "{fit:?}: {found:?}");
            let is_sparse = matches!(fit, Fit::Solved | Fit::SolvedQuick);
            assert_eq!(found.n_false as usize, if is_sparse { 0 } else { 2 }, "{fit:?}");
        }
    }

    #[test]
    fn records_are_means_that_name_their_seeds_and_the_solved_ones_are_held_to_bars() {
        let scratch = Scratch::new("arnet-records").unwrap();
        let samples: Vec<Sample> = (1..=5)
            .map(|seed| Sample { seed, values: Vec::new(), file: scratch.folder().join("none") })
            .collect();
        let found = |n_false| Found { stpe: 1.0 + n_false, n_false, mse_over_true: 1.0 };
        let found = [found(0.0), found(0.0), found(5.0), found(0.0), found(0.0)];
        let json =
            |method: &Method| crate::record::json(&method.records(CLEAN_ORDER, &samples, &found)).unwrap();
        let records: serde_json::Value = serde_json::from_str(&json(&METHODS[4])).unwrap();
        let brief = |i: usize, field: &str| records[i][field].clone();
        assert_eq!(brief(0, "name"), "arnet_solved_p1000_stpe");
        assert_eq!((brief(0, "value"), brief(0, "ok")), (2.0.into(), false.into()));
        assert_eq!(brief(0, "seeds"), serde_json::json!([1, 2, 3, 4, 5]));
        assert_eq!((brief(3, "value"), brief(3, "ok")), (4.0.into(), true.into()));
        assert_eq!(json(&METHODS[0]).matches("\"bar\": null").count(), 3);
    }
}
