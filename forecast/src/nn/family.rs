//! A trained network as a family: windows of a memory in, forecasts of all channels out.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::TrainingReport;
use super::marginal::Marginal;
use super::network::{Inputs, Network, Pass};
use crate::Result;
use crate::data::{CalendarFeatures, Scaler, TimeIndex};
use crate::informer::AttentionMap;
use crate::model::{Family, LagRule, Lags, Memory, Tensors};

/// A network and what it is told of the calendar.
#[derive(Debug)]
pub(crate) struct NeuralFamily<N> {
    pub(crate) network: N,
    pub(crate) calendar: CalendarFeatures,
    pub(crate) n_channels: usize,
    /// What was learned, for the model file.
    pub(crate) tensors: Tensors,
    /// How it was trained, of a model that was not loaded.
    pub(crate) report: Option<TrainingReport>,
}

impl<N: Network> NeuralFamily<N> {
    /// What the network sees of a window whose last step is the one before `end`; NaN where missing. Shape of the
    /// window `(step, channel)`.
    fn inputs(&self, window: &Array2<f32>, index: &TimeIndex, end: usize) -> Inputs {
        let (lookback, horizon) = (self.network.lookback(), self.network.horizon());
        let device = Device::flex();
        let tensor = |rows: &Array2<f32>| {
            let (n_steps, n_columns) = rows.dim();
            let values: Vec<f32> = rows.iter().copied().collect();
            Tensor::<3>::from_data(TensorData::new(values, [1, n_steps, n_columns]), &device)
        };
        let n_known = self.calendar.n_columns(index.step);
        let known_ahead = (n_known > 0).then(|| {
            let mut known = Array2::zeros((lookback + horizon, n_known));
            // Years beyond the calendar have no features.
            let _ = self.calendar.fill(index, end - lookback..end + horizon, known.view_mut());
            tensor(&known.mapv(|value: f64| value as f32))
        });
        // What is missing is 0, the center of the training range, as it was in training.
        let values = window.mapv(|value| if value.is_nan() { 0.0 } else { value });
        let mask = window.mapv(|value| if value.is_nan() { 0.0 } else { 1.0 });
        Inputs { values: tensor(&values), mask: tensor(&mask), known_ahead }
    }

    /// The last steps of a memory as they were `age` steps ago, NaN where missing, `(step, channel)`.
    fn window(&self, memory: &Memory, age: usize) -> Array2<f32> {
        let Memory::Lags(lags) = memory;
        let lookback = self.network.lookback();
        let observed = |(step, channel)| lags.observed(channel, age + lookback - 1 - step) as f32;
        Array2::from_shape_fn((lookback, self.n_channels), observed)
    }

    /// What follows a window whose last step is the one before `end`. Shapes: window and result `(step, channel)`.
    fn block(&self, window: &Array2<f32>, index: &TimeIndex, end: usize) -> Array2<Marginal> {
        let shape = (self.network.horizon(), self.n_channels);
        let head = self.network.head();
        let parameters = self.network.parameters(self.inputs(window, index, end), Pass::Evaluation);
        let values: Vec<f64> = parameters.into_data().iter::<f32>().map(f64::from).collect();
        let marginals = values.chunks(head.n_outputs()).map(|parameters| head.marginal(parameters)).collect();
        Array2::from_shape_vec(shape, marginals)
            .unwrap_or_else(|_| Array2::from_elem(shape, Marginal::Point(f64::NAN)))
    }

    /// What follows the memory as it was `age` steps ago, block after block, `(step, channel)`.
    fn follow(&self, memory: &Memory, age: usize, index: &TimeIndex, n_steps: usize) -> Array2<Marginal> {
        let block = self.network.horizon();
        let mut window = self.window(memory, age);
        let mut all = Array2::from_elem((n_steps, self.n_channels), Marginal::Point(f64::NAN));
        let mut end = index.len - age;
        // What lies beyond the network's horizon follows from its own forecasts.
        for first in (0..n_steps).step_by(block) {
            let forecast = self.block(&window, index, end);
            let n = block.min(n_steps - first);
            all.slice_mut(s![first..first + n, ..]).assign(&forecast.slice(s![..n, ..]));
            if first + block < n_steps {
                end += block;
                let points = forecast.mapv(|marginal| marginal.point() as f32);
                window = ndarray::concatenate![ndarray::Axis(0), window, points];
                window = window.slice(s![block.., ..]).to_owned();
            }
        }
        all
    }
}

/// Takes one step.
fn take(lags: &mut Lags, step: impl Iterator<Item = f64>) {
    for (channel, value) in step.enumerate() {
        lags.write(channel, if value.is_nan() { 0.0 } else { value }, value.is_nan());
    }
    lags.advance();
}

impl<N: Network> Family for NeuralFamily<N> {
    fn lookback(&self) -> usize {
        self.network.lookback()
    }

    fn start(&self, n_channels: usize, kept: usize) -> Memory {
        Memory::Lags(Lags::new(self.network.lookback(), kept, n_channels))
    }

    fn observe(&self, _slot: usize, memory: &mut Memory, step: &mut dyn Iterator<Item = f64>) {
        let Memory::Lags(lags) = memory;
        take(lags, step);
    }

    fn observe_all(&self, _slot: usize, memory: &mut Memory, steps: ArrayView2<'_, f64>, scalers: &[Scaler]) {
        let Memory::Lags(lags) = memory;
        for row in steps.rows() {
            take(lags, row.iter().zip(scalers).map(|(value, scaler)| scaler.scale(*value)));
        }
    }

    fn n_missing(&self, memory: &Memory) -> usize {
        let Memory::Lags(lags) = memory;
        lags.n_missing()
    }

    fn forecast(
        &self,
        _slot: usize,
        memory: &Memory,
        age: usize,
        index: &TimeIndex,
        mut out: ArrayViewMut2<'_, f64>,
    ) {
        let marginals = self.follow(memory, age, index, out.nrows());
        out.zip_mut_with(&marginals, |to, from| *to = from.point());
    }

    fn marginals(&self, memory: &Memory, index: &TimeIndex, n_steps: usize) -> Option<Array2<Marginal>> {
        self.network.has_own_intervals().then(|| self.follow(memory, 0, index, n_steps))
    }

    fn recall(&self, memory: &Memory) -> usize {
        let Memory::Lags(lags) = memory;
        lags.recall()
    }

    fn observed(&self, memory: &Memory, channel: usize, age: usize) -> f64 {
        let Memory::Lags(lags) = memory;
        lags.observed(channel, age)
    }

    fn accepts(&self, memory: &Memory, n_channels: usize) -> bool {
        let Memory::Lags(lags) = memory;
        lags.is_sound(self.network.lookback(), n_channels)
    }

    fn lag_rule(&self) -> Option<&dyn LagRule> {
        None
    }

    fn tensors(&self) -> Tensors {
        self.tensors.clone()
    }

    fn n_direct_steps(&self) -> usize {
        self.network.horizon()
    }

    fn coefficients(&self, _slot: usize, _channel: usize, _step: usize) -> Option<(f64, Vec<f64>)> {
        None
    }

    fn standard_errors(&self, _slot: usize, _channel: usize) -> Option<Vec<f64>> {
        None
    }

    fn selection_frequency(&self, _slot: usize, _channel: usize) -> Option<Vec<f64>> {
        None
    }

    fn unstable_root(&self, _slot: usize, _channel: usize) -> Option<f64> {
        None
    }

    fn attention(&self, memory: &Memory, index: &TimeIndex) -> Result<Vec<AttentionMap>> {
        self.network.attention(self.inputs(&self.window(memory, 0), index, index.len))
    }

    fn training_report(&self) -> Option<&TrainingReport> {
        self.report.as_ref()
    }
}
