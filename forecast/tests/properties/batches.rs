//! Windows and batches over random panels: each window once, none outside its range, the same for all threads.

use std::ops::Range;

use forecast::data::{
    Batch, BatchOptions, Scaler, Scaling, WindowOrder, WindowScaling, WindowSet, WindowSpec,
};
use forecast::{Panel, Series, Step, TimeIndex};
use ndarray::Array2;
use rayon::prelude::*;

use crate::random::Draws;

const KINDS: [WindowScaling; 4] =
    [WindowScaling::None, WindowScaling::Standard, WindowScaling::Mean, WindowScaling::Last];

/// A panel of up to five series with up to three channels, label ranges, and windows of which there are some.
struct Case {
    panel: Panel,
    labels: Vec<Range<usize>>,
    spec: WindowSpec,
    scalers: Vec<Vec<Scaler>>,
}

impl Case {
    fn draw(draws: &mut Draws) -> Self {
        let spec = WindowSpec {
            lookback: draws.between(1, 12),
            horizon: draws.between(1, 6),
            stride: draws.between(1, 4),
        };
        let channels: Vec<String> = (0..draws.between(1, 3)).map(|channel| format!("c{channel}")).collect();
        let (mut series, mut labels) = (Vec::new(), Vec::new());
        for i in 0..draws.between(1, 5) {
            // The first one has a window, the others may be too short.
            let n_steps = if i == 0 { draws.between(18, 60) } else { draws.between(1, 60) };
            let values: Vec<f64> = (0..n_steps * channels.len())
                .map(|_| if draws.chance(20) { f64::NAN } else { 100.0 * draws.unit() - 30.0 })
                .collect();
            let values = Array2::from_shape_vec((n_steps, channels.len()), values).unwrap();
            let index = TimeIndex::new(0, Step::Index(1), Default::default(), n_steps);
            series.push(Series::new(format!("s{i}"), index, values, &channels).unwrap());
            let start = draws.between(0, n_steps);
            labels.push(if i == 0 { 0..n_steps } else { start..draws.between(start, n_steps) });
        }
        let panel = Panel::new(channels, series).unwrap();
        let fit = |(s, l): (&Series, &Range<usize>)| Scaler::fit(Scaling::Standard, s, l.clone());
        let scalers = panel.series().iter().zip(&labels).map(fit).collect();
        Case { panel, labels, spec, scalers }
    }

    fn set(&self) -> WindowSet<'_> {
        WindowSet::new(self.spec, &self.panel, self.labels.iter().cloned()).unwrap()
    }

    fn options(&self, draws: &mut Draws) -> BatchOptions<'_> {
        let shuffled = WindowOrder::Shuffled { seed: draws.between(0, 9) as u64, epoch: 3 };
        BatchOptions {
            batch_size: draws.between(1, 40),
            order: draws.one_of(&[WindowOrder::InTime, shuffled]),
            scalers: draws.chance(50).then_some(&self.scalers[..]),
            scaling: draws.one_of(&KINDS),
            exogenous: None,
        }
    }

    /// Series and cutoff of every window, by the definition.
    fn cutoffs(&self) -> Vec<(usize, usize)> {
        let WindowSpec { lookback, horizon, stride } = self.spec;
        let of_series = |(i, labels): (usize, &Range<usize>)| {
            let first = labels.start.max(lookback);
            let cutoffs = (first..labels.end).filter(move |c| (c - first).is_multiple_of(stride));
            let end = labels.end;
            cutoffs.filter(move |c| c + horizon <= end).map(move |cutoff| (i, cutoff))
        };
        self.labels.iter().enumerate().flat_map(of_series).collect()
    }
}

/// Everything that a batch holds, floating-point numbers by their bits.
fn bits(batch: &Batch) -> (Vec<(usize, usize)>, Vec<u32>, Vec<u64>) {
    let cutoffs = batch.series().iter().copied().zip(batch.cutoffs().iter().copied()).collect();
    let parts = [batch.inputs(), batch.input_mask(), batch.labels(), batch.label_mask()];
    let values = parts.iter().flat_map(|part| part.iter().map(|v| v.to_bits())).collect();
    let scalers = batch.scalers().iter().flat_map(|s| [s.center.to_bits(), s.spread.to_bits()]).collect();
    (cutoffs, values, scalers)
}

#[test]
fn every_window_of_every_range_is_in_one_batch_and_no_other_is() {
    for seed in 0..300 {
        let mut draws = Draws::new(seed);
        let case = Case::draw(&mut draws);
        let (set, options, expected) = (case.set(), case.options(&mut draws), case.cutoffs());
        let (mut batches, mut batch, mut found) =
            (set.batches(&options).unwrap(), Batch::default(), Vec::new());
        while batches.fill(&mut batch) {
            found.extend(bits(&batch).0);
            let is_last = found.len() == expected.len();
            assert!(batch.n_rows() == options.batch_size || is_last, "seed {seed}");
            let (lookback, n_channels) = (case.spec.lookback, case.panel.channels().len());
            assert_eq!(batch.inputs().dim(), (batch.n_rows(), lookback, n_channels));
            assert_eq!(batch.label_mask().dim(), (batch.n_rows(), case.spec.horizon, n_channels));
        }
        for (series, cutoff) in &found {
            assert!(*cutoff >= case.spec.lookback.max(case.labels[*series].start), "seed {seed}");
            assert!(cutoff + case.spec.horizon <= case.labels[*series].end, "seed {seed}");
        }
        if options.order != WindowOrder::InTime {
            found.sort_unstable();
        }
        assert_eq!(found, expected, "seed {seed}, {options:?}");
        let windows = (0..case.labels.len()).filter(|i| expected.iter().all(|(series, _)| series != i));
        assert_eq!(set.too_short(), windows.collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_pass_is_the_same_for_any_number_of_threads() {
    for seed in 0..20 {
        let mut draws = Draws::new(seed);
        let case = Case::draw(&mut draws);
        let (set, options) = (case.set(), case.options(&mut draws));
        let (mut batches, mut batch, mut expected) =
            (set.batches(&options).unwrap(), Batch::default(), Vec::new());
        while batches.fill(&mut batch) {
            expected.push(bits(&batch));
        }
        let batches = &set.batches(&options).unwrap();
        for n_threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let fill = |batch: &mut Batch, batch_idx| batches.fill_at(batch_idx, batch).then(|| bits(batch));
            let found: Option<Vec<_>> = pool.install(|| {
                (0..batches.n_batches()).into_par_iter().map_init(Batch::default, fill).collect()
            });
            assert_eq!(found.as_ref(), Some(&expected), "seed {seed}, {n_threads} threads");
        }
    }
}

#[test]
fn what_was_observed_comes_back_from_its_batch_and_what_is_missing_is_0() {
    for seed in 0..200 {
        let mut draws = Draws::new(7_000 + seed);
        let case = Case::draw(&mut draws);
        let (set, options) = (case.set(), case.options(&mut draws));
        let (mut batches, mut batch) = (set.batches(&options).unwrap(), Batch::default());
        while batches.fill(&mut batch) {
            for (row, (series, cutoff)) in bits(&batch).0.into_iter().enumerate() {
                let values = case.panel.series()[series].values();
                let parts = [
                    (batch.inputs(), batch.input_mask(), cutoff - case.spec.lookback),
                    (batch.labels(), batch.label_mask(), cutoff),
                ];
                for (scaled, mask, first_step) in parts {
                    for ((step, channel), scaled) in scaled.index_axis(ndarray::Axis(0), row).indexed_iter() {
                        let (value, scaler) =
                            (values[[first_step + step, channel]], batch.scalers()[[row, channel]]);
                        assert_eq!(
                            mask[[row, step, channel]].to_bits(),
                            f32::from(!value.is_nan()).to_bits()
                        );
                        assert!(scaled.is_finite() && (*scaled == 0.0 || !value.is_nan()), "seed {seed}");
                        // One rounding to 32 bits, in the units of the series, and a little of 64 bits.
                        let scaled = f64::from(*scaled);
                        let bound = scaler.spread * scaled.abs() * f64::from(f32::EPSILON) + 1e-11;
                        let back = scaler.unscale(scaled);
                        assert!(
                            value.is_nan() || (back - value).abs() <= bound,
                            "seed {seed}: {back} is not {value}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn what_lies_at_or_after_a_cutoff_changes_neither_inputs_nor_scalers() {
    for seed in 0..100 {
        let mut draws = Draws::new(9_000 + seed);
        let case = Case::draw(&mut draws);
        let (series, cutoff) = draws.one_of(&case.cutoffs());
        let changed = case.panel.map_in_order(|s| {
            let mut values = s.values().to_owned();
            let later = values.rows_mut().into_iter().skip(cutoff);
            later.for_each(|mut row| row.mapv_inplace(|v| if v.is_nan() { 1e6 } else { -3.0 * v }));
            Series::new(s.id(), s.index().clone(), values, case.panel.channels()).unwrap()
        });
        let past = |panel: &Panel, scaling| {
            let set = WindowSet::new(case.spec, panel, case.labels.iter().cloned()).unwrap();
            let number =
                set.windows(WindowOrder::InTime).position(|(i, w)| (i, w.cutoff) == (series, cutoff));
            let options = BatchOptions { batch_size: 1, scaling, ..BatchOptions::default() };
            let mut batch = Batch::default();
            assert!(set.batches(&options).unwrap().fill_at(number.unwrap(), &mut batch));
            let scalers: Vec<_> =
                batch.scalers().iter().flat_map(|s| [s.center.to_bits(), s.spread.to_bits()]).collect();
            (batch.inputs().to_owned(), batch.input_mask().to_owned(), scalers)
        };
        for scaling in KINDS {
            assert_eq!(past(&case.panel, scaling), past(&changed, scaling), "seed {seed}, {scaling:?}");
        }
    }
}
