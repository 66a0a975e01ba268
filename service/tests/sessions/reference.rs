//! The state machine against a simple model of it: what each series has seen is kept as a list, and streamed anew.

use forecast::{ForecastOptions, Model, State};
use longcast::session::{Engine, TimeAction, TimePolicy};
use rayon::prelude::*;

use crate::random::Random;
use crate::world::{HOUR, START, happenings, histories, model, series, settings};

/// Cases of one run; `LONGCAST_FUZZ_CASES` asks for more.
const N_CASES: u64 = 3000;

/// A series as a list.
#[derive(Debug, Default)]
struct Listed {
    /// The stamp of the first step since the series began, and the values since then.
    start: Option<i64>,
    values: Vec<f64>,
    past: Vec<f64>,
    n_taken: u64,
    n_missing: u64,
    n_refused: u64,
    n_resets: u64,
}

impl Listed {
    fn take(&mut self, value: f64) {
        self.values.push(value);
        self.n_taken += 1;
        self.n_missing += u64::from(value.is_nan());
    }

    /// What the rules of the time policy say, word for word.
    fn observe(&mut self, policy: &TimePolicy, stamp: i64, value: f64) {
        if value.is_infinite() {
            self.n_refused += 1;
            return;
        }
        let Some(start) = self.start else {
            self.start = Some(stamp);
            return self.take(value);
        };
        let next = start + self.values.len() as i64 * HOUR;
        let last = next - HOUR;
        let is_new = self.values.is_empty() && self.past.is_empty();
        let n_missing = usize::try_from((stamp - next) / HOUR).unwrap_or(0);
        let action = if stamp == next {
            return self.take(value);
        } else if stamp == last && !is_new {
            policy.duplicate
        } else if stamp < last || (is_new && stamp < next) {
            policy.late
        } else if (stamp - next) % HOUR != 0 {
            policy.off_grid
        } else if policy.gap == TimeAction::Impute && n_missing > policy.max_gap_steps {
            TimeAction::Reset
        } else {
            policy.gap
        };
        match action {
            TimeAction::Reject | TimeAction::Drop => self.n_refused += 1,
            TimeAction::Impute => {
                (0..n_missing).for_each(|_| self.take(f64::NAN));
                self.take(value);
            }
            TimeAction::Reset => {
                self.n_resets += 1;
                self.start = Some(stamp);
                self.values.clear();
                self.past.clear();
                self.take(value);
            }
        }
    }

    /// The state of a stream of exactly these steps.
    fn state(&self, model: &Model, id: &str) -> Option<State> {
        let start = self.start?;
        let past = series(id, start - self.past.len() as i64 * HOUR, self.past.clone());
        let mut state = model.start(&past).unwrap();
        self.values.iter().for_each(|value| model.observe(&mut state, &[*value]).unwrap());
        Some(state)
    }
}

#[test]
fn the_state_machine_does_what_its_rules_say() {
    let n = std::env::var("LONGCAST_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(N_CASES);
    (0..n).into_par_iter().for_each(check);
}

fn check(seed: u64) {
    let mut random = Random::new(seed ^ 0xabcd);
    let settings = settings(&mut random);
    let n = 1 + random.below(150);
    let all = happenings(&mut random, n);
    let mut engine = Engine::new(settings.clone(), model(), &histories()).unwrap();
    let mut listed = [Listed::default(), Listed::default(), Listed::default()];
    listed[0].past = (0..20).map(|i| 50.0 + f64::from(i % 4)).collect();
    listed[0].start = Some(START);
    listed[1].start = Some(START);
    let mut n_out_of_range = 0;
    for (row, value) in all.values.iter().enumerate() {
        match listed.get_mut(all.series[row] as usize) {
            Some(series) => {
                series.observe(&settings.policies[all.series[row] as usize], all.times[row], *value)
            }
            None => n_out_of_range += 1,
        }
    }
    let (mut troubles, mut n_due) = (Vec::new(), [0u64; 3]);
    let view = all.view(1, 0).unwrap();
    engine.apply(view, &mut troubles, &mut |_, step| n_due[step.series] += 1).unwrap();
    assert_eq!(engine.next_sequence(), n as u64 + 1);
    let told: u64 = troubles.iter().filter(|t| t.series.is_none()).map(|t| t.count).sum();
    assert_eq!(told, n_out_of_range, "case {seed}");

    let (model, options) = (model().model, ForecastOptions { horizon: 2, ..ForecastOptions::default() });
    for (at, (got, expected)) in engine.series().iter().zip(&listed).enumerate() {
        let figures = got.figures();
        let counts = (figures.n_taken, figures.n_missing, figures.n_refused, figures.n_resets);
        let wanted = (expected.n_taken, expected.n_missing, expected.n_refused, expected.n_resets);
        assert_eq!(counts, wanted, "case {seed}, series {at}");
        let told: u64 = troubles.iter().filter(|t| t.series == Some(at)).map(|t| t.count).sum();
        assert!(told >= expected.n_refused + expected.n_resets, "case {seed}");
        if got.fallback().since.is_some() {
            continue;
        }
        let made = engine.forecast(at, None).map(|made| made.forecast.mean);
        let state = expected.state(&model, got.id());
        let forecast = state.and_then(|state| model.forecast_from(&state, &options).ok());
        match (made, forecast) {
            (Ok(got), Some(expected)) => {
                let bits =
                    |values: &ndarray::Array2<f64>| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&got), bits(&expected.mean), "case {seed}, series {at}");
            }
            (Err(_), None) => {}
            (got, expected) => {
                panic!("case {seed}, series {at}: {got:?}, not {:?}", expected.map(|f| f.mean))
            }
        }
    }
    if let longcast::session::Emission::Every(n) = settings.emission {
        // A row that imputes steps makes at most one forecast due.
        let most = listed.iter().map(|series| series.n_taken / u64::from(n));
        assert!(n_due.iter().zip(most).all(|(due, most)| *due <= most), "case {seed}: {n_due:?}");
        if n == 1 {
            let rows = |at: usize| listed[at].n_taken - imputed(&troubles, at);
            assert!((0..3).all(|at| n_due[at] >= rows(at).min(1)), "case {seed}");
        }
    }
}

fn imputed(troubles: &[longcast::session::Trouble], at: usize) -> u64 {
    let of = troubles.iter().filter(|t| t.series == Some(at) && t.action == TimeAction::Impute);
    of.map(|t| t.count).sum()
}
