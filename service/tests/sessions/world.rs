//! A model, sessions with random settings, and what happens to their series.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forecast::data::Zone;
use forecast::{FitOptions, Model, ModelConfig, Panel, Series, Step, TimeIndex};
use longcast::session::{
    Batch, Cell, Durability, Emission, Engine, Fallback, FindModel, LogOptions, MemoryMedium, NewSession,
    PinnedModel, Settings, SlowReader, Store, StoreOptions, TimeAction, TimePolicy, encode_series,
};
use ndarray::Array2;
use tonic::Status;

use crate::random::Random;

pub(crate) const HOUR: i64 = 3_600_000_000_000;
pub(crate) const START: i64 = 1_704_067_200_000_000_000;

/// An autoregression of three hours, with intervals two hours ahead and a season of four.
pub(crate) fn model() -> PinnedModel {
    static MODEL: OnceLock<Model> = OnceLock::new();
    let fit = || {
        let mut random = Random::new(1);
        let values = (0..600).map(|i| 50.0 + [0.0, 5.0, 9.0, 5.0][i % 4] + random.share());
        let panel =
            Panel::new(vec!["y".to_string()], vec![series("a", START - 600 * HOUR, values.collect())])
                .unwrap();
        let config = ModelConfig::parse("ar").unwrap().with("order", "3").unwrap();
        let options = FitOptions { horizon: Some(2), season_length: Some(4), ..FitOptions::default() };
        Model::fit(&config, &panel, &options).unwrap().model
    };
    let model = MODEL.get_or_init(fit).clone();
    PinnedModel { model, revision: "models/m/revisions/r".to_string(), guard: None }
}

/// A registry of that one model.
#[derive(Debug)]
pub(crate) struct OneModel;

impl FindModel for OneModel {
    fn find(&self, name: &str, _key: &str) -> Result<PinnedModel, Status> {
        let model = model();
        if name == model.revision { Ok(model) } else { Err(Status::not_found(format!("no model {name}"))) }
    }
}

/// Hours of one channel.
pub(crate) fn series(id: &str, start: i64, values: Vec<f64>) -> Series {
    let index = TimeIndex::new(start, Step::Nanos(HOUR), Zone::Local, values.len());
    let values = Array2::from_shape_vec((values.len(), 1), values).unwrap();
    Series::new(id, index, values, &["y".to_string()]).unwrap()
}

/// Settings with nothing special.
pub(crate) fn plain(name: &str) -> Settings {
    Settings {
        name: format!("sessions/{name}"),
        uid: 0,
        revision: model().revision,
        horizon: 2,
        levels: Vec::new(),
        coverages: Vec::new(),
        quantiles: Vec::new(),
        whole_path: false,
        adaptive: false,
        emission: Emission::Every(1),
        slow_reader: SlowReader::Conflate,
        durability: Durability::Sync,
        idle_ttl_ms: 86_400_000,
        policies: vec![TimePolicy::default(); 3],
        fallback: None,
        scored_every: 1,
        request_id: String::new(),
        created: START,
    }
}

/// Settings of any kind.
pub(crate) fn settings(random: &mut Random) -> Settings {
    use TimeAction::{Drop, Impute, Reject, Reset};
    let has_levels = random.once_in(2);
    let policy = |random: &mut Random| TimePolicy {
        late: random.pick(&[Reject, Drop, Reset]),
        duplicate: random.pick(&[Reject, Drop]),
        gap: random.pick(&[Reject, Drop, Impute, Impute, Reset]),
        off_grid: random.pick(&[Reject, Drop, Reset]),
        max_gap_steps: 1 + random.below(5),
    };
    Settings {
        levels: if has_levels { vec![80.0] } else { Vec::new() },
        coverages: if has_levels { vec![0.8] } else { Vec::new() },
        adaptive: has_levels && random.once_in(2),
        emission: random.pick(&[Emission::Every(1), Emission::Every(3), Emission::OnRequest]),
        slow_reader: random.pick(&[SlowReader::Conflate, SlowReader::Block]),
        durability: random.pick(&[Durability::Sync, Durability::Async]),
        policies: (0..3).map(|_| policy(random)).collect(),
        fallback: random.once_in(2).then_some(Fallback { mase_limit: 0.8, min_observations: 4 }),
        ..plain("s")
    }
}

/// Three series: one with a past, one with a start, one of which nothing is known.
pub(crate) fn histories() -> Vec<(String, Option<Series>)> {
    let past = (0..20).map(|i| 50.0 + f64::from(i % 4)).collect();
    vec![
        ("a".to_string(), Some(series("a", START - 20 * HOUR, past))),
        ("b".to_string(), Some(series("b", START, Vec::new()))),
        ("c".to_string(), None),
    ]
}

/// What happens, one row after the other: mostly the next hour of some series, now and then something odd.
pub(crate) fn happenings(random: &mut Random, n: usize) -> Batch {
    let mut clocks = [0i64; 3];
    let mut batch = Batch { first: 1, ..Batch::default() };
    for _ in 0..n {
        let at = random.below(3);
        let clock = &mut clocks[at];
        let off = match random.below(40) {
            0 => -HOUR,
            1 => -HOUR * (2 + random.below(3) as i64),
            2 => HOUR * (1 + random.below(6) as i64),
            3 => HOUR / 4,
            _ => 0,
        };
        let stamp = START + *clock * HOUR + off;
        *clock = (*clock).max((stamp - START) / HOUR + 1);
        let value = match random.below(40) {
            0 => f64::INFINITY,
            1 | 2 => f64::NAN,
            _ => 50.0 + [0.0, 5.0, 9.0, 5.0][*clock as usize % 4] + random.share(),
        };
        batch.series.push(if random.once_in(80) { 9 } else { at as u32 });
        batch.times.push(stamp);
        batch.values.push(value);
    }
    batch
}

/// Rows of a batch as a batch of its own, `from` counted from 1.
pub(crate) fn rows(all: &Batch, from: u64, n: usize) -> Batch {
    let start = usize::try_from(from - 1).unwrap();
    let end = (start + n).min(all.values.len());
    Batch {
        first: from,
        series: all.series[start..end].to_vec(),
        times: all.times[start..end].to_vec(),
        values: all.values[start..end].to_vec(),
        covariates: Vec::new(),
    }
}

/// The session that sees everything once, in order.
pub(crate) fn undisturbed(settings: &Settings, all: &Batch, n: usize) -> Engine {
    let mut engine = Engine::new(settings.clone(), model(), &histories()).unwrap();
    let view = all.view(1, 0).unwrap().rows(0, n);
    if n > 0 {
        engine.apply(view, &mut Vec::new(), &mut |_, _| {}).unwrap();
    }
    engine
}

/// Both have the same state and say the same of the future, bit for bit.
pub(crate) fn check_same(got: &Engine, expected: &Engine, what: &str) {
    assert_eq!(got.next_sequence(), expected.next_sequence(), "{what}");
    assert!(encode_series(got).unwrap() == encode_series(expected).unwrap(), "{what}: the states differ");
    for at in 0..got.series().len() {
        let numbers = |engine: &Engine| {
            engine.forecast(at, None).ok().map(|made| {
                let bounds = made.forecast.intervals.iter().flat_map(|i| i.lower.iter().chain(&i.upper));
                made.forecast.mean.iter().chain(bounds).map(|v| v.to_bits()).collect::<Vec<u64>>()
            })
        };
        assert_eq!(numbers(got), numbers(expected), "{what}: forecasts of series {at}");
    }
}

/// A server that writes small segments and states often.
pub(crate) fn options(random: &mut Random) -> StoreOptions {
    StoreOptions {
        log: LogOptions {
            segment_bytes: 200 + random.below(20_000) as u64,
            sync_interval: Duration::from_millis(random.pick(&[0, 1, 1000])),
        },
        snapshot_every: random.pick(&[1, 7, 1_000_000]),
        ..StoreOptions::default()
    }
}

/// A server on a disk.
pub(crate) fn store(medium: &MemoryMedium, options: StoreOptions) -> Store {
    Store::on(Box::new(medium.clone()), &OneModel, options).unwrap()
}

/// Makes the session of these settings.
pub(crate) fn create(store: &Store, settings: &Settings) -> (Arc<Cell>, Option<u64>) {
    let new = NewSession { settings: settings.clone(), model: model(), histories: histories() };
    store.create(new).unwrap()
}

/// What is safe of a session now.
pub(crate) fn durable(cell: &Cell) -> u64 {
    cell.durable_through(cell.log().map_or(0, |log| log.state().borrow().synced))
}

/// Waits until the log is safe up to a position.
pub(crate) fn wait(cell: &Cell, position: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(log) = cell.log() {
        runtime.block_on(log.synced(position)).unwrap();
    }
}
