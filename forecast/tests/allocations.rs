//! Counts allocations: walking over windows, which are views, and observing a step ask the allocator for nothing,
//! and calendar features for nothing more the longer the range is.
#![allow(
    unsafe_code,
    reason = "a counting allocator cannot be written without; it forwards every call unchanged"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use forecast::data::{CalendarFeatures, Cells, Holidays, Series, TimeFeatures, TimeIndex, WindowSpec, Zone};
use forecast::{FitOptions, Model, ModelConfig, Panel, Step};
use ndarray::Array2;

thread_local! {
    // Per thread, so that the threads of the test harness do not count. A constant start value needs no
    // allocation of its own.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count of the calls that ask for memory.
struct Counting;

fn count() {
    // The thread may be past the end of its local values; then there is nothing left to count for.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: every call goes to the system's allocator with the arguments that it came with, and counting
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
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
