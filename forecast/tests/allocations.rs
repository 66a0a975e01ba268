//! Counts allocations and the bytes that are held: walking over windows, which are views, filling a batch again,
//! observing a step and learning from it ask the allocator for nothing, calendar features for nothing more the longer
//! the range is, and windows of a long series take little more than the series.
#![allow(
    unsafe_code,
    reason = "a counting allocator cannot be written without; it forwards every call unchanged"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use forecast::ar::rls::{RecursiveLeastSquares, RlsOptions};
use forecast::data::{
    Batch, BatchOptions, CalendarFeatures, Cells, Exogenous, Holidays, Scaler, Scaling, Series, TimeFeatures,
    TimeIndex, WindowOrder, WindowScaling, WindowSet, WindowSpec, Zone,
};
use forecast::{FitOptions, Model, ModelConfig, Panel, Step};
use ndarray::Array2;

thread_local! {
    // Per thread, so that the threads of the test harness do not count. A constant start value needs no
    // allocation of its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    // What the thread took less what it gave back, and the most that this has been.
    static HELD: Cell<i64> = const { Cell::new(0) };
    static MOST_HELD: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, with a count of the calls that ask for memory and of the bytes that are held.
struct Counting;

fn count() {
    // The thread may be past the end of its local values; then there is nothing left to count for.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

fn hold(taken: usize, given_back: usize) {
    let Ok(held) = HELD.try_with(|held| {
        held.set(held.get() + taken as i64 - given_back as i64);
        held.get()
    }) else {
        return;
    };
    let _ = MOST_HELD.try_with(|most| most.set(most.get().max(held)));
}

// SAFETY: every call goes to the system's allocator with the arguments that it came with, and counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // For a moment, both may be there.
        hold(size, 0);
        hold(0, layout.size());
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(0, layout.size());
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `run` asks for memory on this thread.
fn allocations_of<T>(run: impl FnOnce() -> T) -> (u64, T) {
    let before = ALLOCATIONS.get();
    let result = run();
    (ALLOCATIONS.get() - before, result)
}

/// The most bytes that `run` holds at a time on this thread, on top of what was there.
fn most_held_by<T>(run: impl FnOnce() -> T) -> (u64, T) {
    let before = HELD.get();
    MOST_HELD.set(before);
    let result = run();
    (u64::try_from(MOST_HELD.get() - before).unwrap_or(0), result)
}

fn panel(n_steps: usize, n_channels: usize) -> forecast::Result<Panel> {
    let index = TimeIndex::new(0, Step::Index(1), Default::default(), n_steps);
    let channels: Vec<String> = (0..n_channels).map(|channel| format!("c{channel}")).collect();
    // Whole numbers below 2^53 and without a period that the lags could repeat.
    let value = |(step, channel): (usize, usize)| ((step * step + channel) % 10_007) as f64;
    let values = Array2::from_shape_fn((n_steps, n_channels), value);
    let series = Series::new("s", index, values, &channels)?;
    Panel::new(channels, vec![series])
}

#[test]
fn the_counter_counts() {
    let (n, buffer) = allocations_of(|| black_box(vec![1u8; 1000]));
    assert_eq!((n, buffer.len()), (1, 1000));
    let (most, buffer) = most_held_by(|| {
        drop(black_box(vec![1u8; 3_000]));
        black_box(vec![1u8; 1_000])
    });
    assert_eq!((most, buffer.len()), (3_000, 1_000));
}

#[test]
fn a_million_windows_are_walked_without_an_allocation() {
    const N_WINDOWS: usize = 1_000_000;
    let spec = WindowSpec { lookback: 512, horizon: 24, stride: 1 };
    let n_steps = spec.lookback + spec.horizon + N_WINDOWS - 1;
    let panel = panel(n_steps, 2).unwrap();
    let series = &panel.series()[0];
    let windows = spec.windows(series, spec.lookback..n_steps).unwrap();
    assert_eq!(windows.len(), N_WINDOWS);
    let (n_allocations, (n_windows, sum)) = allocations_of(|| {
        windows.fold((0, 0.0), |(n, sum), window| {
            // The ends of input and label are read, so that the windows are really made.
            let ends = window.input[[0, 0]] + window.label[[spec.horizon - 1, 1]];
            (n + 1, sum + ends)
        })
    });
    assert_eq!((n_windows, n_allocations), (N_WINDOWS, 0));
    let expected: f64 =
        (0..N_WINDOWS).map(|i| series.values()[[i, 0]] + series.values()[[n_steps - N_WINDOWS + i, 1]]).sum();
    // The same numbers in the same order, all of them whole: equal to the last bit.
    assert_eq!(sum.to_bits(), expected.to_bits());
}

#[test]
fn epochs_of_batches_allocate_nothing_once_the_buffers_are_there() {
    let panel = panel(5_000, 3).unwrap();
    let scalers = [Scaler::fit(Scaling::Standard, &panel.series()[0], 0..4_000)];
    let spec = WindowSpec { lookback: 96, horizon: 24, stride: 7 };
    let set = WindowSet::new(spec, &panel, std::iter::once(0..5_000)).unwrap();
    let calendar = CalendarFeatures { fourier: vec!["24:2".parse().unwrap()], ..Default::default() };
    let exogenous = Exogenous::new(&panel, &calendar, std::iter::once(0..4_000)).unwrap();
    let mut batch = Batch::default();
    let mut pass = |scaling, order| {
        let exogenous = Some(&exogenous);
        let options = BatchOptions { batch_size: 32, order, scalers: Some(&scalers), scaling, exogenous };
        let (mut batches, mut n_windows) = (set.batches(&options).unwrap(), 0);
        while batches.fill(&mut batch) {
            n_windows += batch.n_rows();
        }
        n_windows
    };
    // 4,881 cutoffs, every seventh.
    assert_eq!(pass(WindowScaling::None, WindowOrder::InTime), 698);
    for scaling in [WindowScaling::None, WindowScaling::Standard, WindowScaling::Mean, WindowScaling::Last] {
        let orders = (0..3).map(|epoch| WindowOrder::Shuffled { seed: 1, epoch });
        for order in orders.chain([WindowOrder::InTime]) {
            assert_eq!(allocations_of(|| pass(scaling, order)), (0, 698), "{scaling:?}, {order:?}");
        }
    }
}

/// All ten million windows as views, and one in a thousand of their batches, in shuffled order: to copy them all
/// would be 190 GB.
#[test]
fn windows_of_ten_million_steps_take_little_more_memory_than_the_series() {
    const N_STEPS: usize = 10_000_000;
    const SERIES_BYTES: u64 = 8 * N_STEPS as u64;
    let spec = WindowSpec { lookback: 4_096, horizon: 720, stride: 1 };
    let n_windows = N_STEPS - spec.lookback - spec.horizon + 1;
    let (most, (n_walked, n_rows)) = most_held_by(|| {
        let index = TimeIndex::new(0, Step::Index(1), Default::default(), N_STEPS);
        let values = Array2::from_shape_fn((N_STEPS, 1), |(step, _)| (step % 1_009) as f64);
        let series = Series::new("long", index, values, &["y".to_string()]).unwrap();
        let panel = Panel::new(vec!["y".to_string()], vec![series]).unwrap();
        let set = WindowSet::new(spec, &panel, std::iter::once(0..N_STEPS)).unwrap();
        assert_eq!(set.n_windows(), n_windows);
        let walked = set.windows(WindowOrder::InTime).filter(|(_, w)| w.label[[0, 0]] < 2_000.0).count();

        let order = WindowOrder::Shuffled { seed: 1, epoch: 0 };
        let options = BatchOptions { order, scaling: WindowScaling::Standard, ..BatchOptions::default() };
        let batches = set.batches(&options).unwrap();
        let (mut batch, mut n_rows) = (Batch::default(), 0);
        for batch_idx in (0..batches.n_batches()).step_by(1_000) {
            assert!(batches.fill_at(batch_idx, &mut batch));
            n_rows += batch.n_rows();
        }
        (walked, n_rows)
    });
    assert_eq!((n_walked, n_rows), (n_windows, 313 * 32));
    // The series and the buffers of one batch, 32 x 4,816 values and masks of 4 bytes: 1.5 % more.
    assert!((SERIES_BYTES..SERIES_BYTES * 103 / 100).contains(&most), "{most} bytes for {SERIES_BYTES}");
}

#[test]
fn observing_a_step_allocates_nothing_also_where_its_value_is_missing() {
    const N_STEPS: u32 = 10_000;
    let panel = panel(2_000, 1).unwrap();
    let config = ModelConfig::parse("ar").unwrap().with("order", "24").unwrap();
    let options = FitOptions { horizon: Some(4), ..FitOptions::default() };
    let model = Model::fit(&config, &panel, &options).unwrap().model;
    let mut state = model.start(&panel.series()[0]).unwrap();
    let n_steps = state.index().len;
    let (n_allocations, ()) = allocations_of(|| {
        for step in 0..N_STEPS {
            let value = if step % 13 == 0 { f64::NAN } else { f64::from(step % 97) };
            model.observe(&mut state, &[value]).unwrap();
        }
    });
    assert_eq!((state.index().len - n_steps, n_allocations), (10_000, 0));
}

#[test]
fn a_season_that_a_stream_is_regressed_on_is_looked_up() {
    let panel = panel(2_000, 2).unwrap();
    let config = ModelConfig::parse("ar").unwrap().with("order", "24").unwrap();
    let config = config.with("fourier", "24:3").unwrap();
    let options = FitOptions { horizon: Some(4), ..FitOptions::default() };
    let model = Model::fit(&config, &panel, &options).unwrap().model;
    let mut state = model.start(&panel.series()[0]).unwrap();
    let mut next = [0.0; 2];
    let (n_allocations, ()) = allocations_of(|| {
        for step in 0..10_000u32 {
            model.observe(&mut state, &[f64::from(step % 97), f64::from(step % 89)]).unwrap();
            model.next_step(&state, &mut next).unwrap();
        }
    });
    let options = forecast::ForecastOptions { horizon: 1, ..Default::default() };
    let mean = model.forecast_from(&state, &options).unwrap().mean;
    for (next, mean) in next.iter().zip(&mean) {
        assert!((next - mean).abs() <= 1e-12 * mean.abs(), "{next} {mean}");
    }
    assert_eq!(n_allocations, 0);
}

#[test]
fn a_forecast_of_the_next_step_and_learning_from_it_allocate_nothing() {
    let panel = panel(3_000, 1).unwrap();
    let config = ModelConfig::parse("ar-net").unwrap().with("order", "200").unwrap();
    let options = FitOptions { horizon: Some(4), ..FitOptions::default() };
    let model = Model::fit(&config, &panel, &options).unwrap().model;
    let mut state = model.start(&panel.series()[0]).unwrap();
    let mut learner = model.start_learning(&state, &RlsOptions::default()).unwrap();
    let mut next = [0.0];
    let (n_allocations, ()) = allocations_of(|| {
        for step in 0..10_000u32 {
            model.observe(&mut state, &[f64::from(step % 97)]).unwrap();
            model.next_step(&state, &mut next).unwrap();
            model.learn(&mut learner, &state).unwrap();
        }
    });
    let options = forecast::ForecastOptions { horizon: 1, ..Default::default() };
    assert_eq!(next[0].to_bits(), model.forecast_from(&state, &options).unwrap().mean[[0, 0]].to_bits());
    assert_eq!(n_allocations, 0);
}

#[test]
fn a_recurrent_stream_allocates_nothing_and_its_state_stays_as_small_as_it_is() {
    let panel = panel(2_000, 2).unwrap();
    let small = [("lookback", "48"), ("d_model", "8"), ("d_state", "8"), ("epochs", "1"), ("stride", "20")];
    for (mixer, head) in [
        ("s4", "point"),
        ("s4d", "point"),
        ("sgconv", "gaussian"),
        ("s4d", "quantiles"),
        ("s4d", "student-t"),
    ] {
        let config = ModelConfig::parse("ssm").unwrap().with("mixer", mixer).unwrap();
        let config = config.with("head", head).unwrap();
        let config = small.iter().fold(config, |config, (key, value)| config.with(key, value).unwrap());
        let options = FitOptions { horizon: Some(4), ..FitOptions::default() };
        let model = Model::fit(&config, &panel, &options).unwrap().model;
        assert!(model.updates_online());
        let mut state = model.start(&panel.series()[0]).unwrap();
        let mut next = [0.0; 2];
        // The room that a thread computes in comes with its first step.
        model.observe(&mut state, &[1.0, f64::NAN]).unwrap();
        model.next_step(&state, &mut next).unwrap();
        let n_bytes = state.n_bytes();
        let (n_allocations, ()) = allocations_of(|| {
            for step in 0..10_000u32 {
                let value = if step % 13 == 0 { f64::NAN } else { f64::from(step % 97) };
                model.observe(&mut state, &[value, 2.0]).unwrap();
                model.next_step(&state, &mut next).unwrap();
            }
        });
        assert_eq!((n_allocations, state.n_bytes()), (0, n_bytes), "{mixer}, {head}");
        let options = forecast::ForecastOptions { horizon: 1, ..Default::default() };
        assert_eq!(next[1].to_bits(), model.forecast_from(&state, &options).unwrap().mean[[0, 1]].to_bits());
    }
}

#[test]
fn calendar_features_of_many_steps_allocate_as_little_as_those_of_one() {
    const N_STEPS: usize = 10_000;
    let table = [("ds", "2024-12-25"), ("holiday", "christmas")]
        .map(|(name, cell)| (name.to_string(), Cells::Text(vec![cell.to_string()])));
    let features = CalendarFeatures {
        time: TimeFeatures::Informer,
        fourier: vec!["1D:4".parse().unwrap(), "7D:3".parse().unwrap()],
        holidays: Holidays::from_table(&table, "holidays.csv").unwrap(),
    };
    let zone = Zone::named("Europe/Rome").unwrap();
    let index = TimeIndex::new(1_735_000_000_000_000_000, "15min".parse().unwrap(), zone, 1);
    let mut out = Array2::zeros((N_STEPS, features.n_columns(index.step)));
    let [one, many] = [1, N_STEPS].map(|n_steps| {
        let rows = out.slice_mut(ndarray::s![..n_steps, ..]);
        allocations_of(|| features.fill(&index, 0..n_steps, rows).unwrap()).0
    });
    assert_eq!(one, many);
    let n_quarters = out.column(out.ncols() - 1).iter().filter(|on| **on > 0.5).count();
    assert_eq!(n_quarters, 96);
}

#[test]
fn coefficients_follow_a_stream_without_an_allocation() {
    let options = RlsOptions { forgetting: 0.999, ..RlsOptions::default() };
    let mut model = RecursiveLeastSquares::new(24, options).unwrap();
    let (n_allocations, learnt) = allocations_of(|| {
        let mut inputs = [0.0; 24];
        for t in 0..10_000u32 {
            inputs[t as usize % 24] = f64::from(t * t % 101);
            let target = if t % 10 == 0 { f64::NAN } else { inputs[3] };
            black_box(model.update(&inputs, target));
        }
        model.predict(&inputs) - inputs[3]
    });
    assert!(n_allocations == 0 && learnt.abs() < 1.0, "{n_allocations} allocations, error {learnt}");
}
