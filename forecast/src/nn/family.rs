//! A trained network as a family: windows of a memory in, forecasts of all channels out.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::TrainingReport;
use super::network::{Inputs, Network, Pass};
use crate::data::{CalendarFeatures, Scaler, TimeIndex};
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
    /// What follows a window whose last step is the one before `end`. Shapes: window and result `(step, channel)`.
    fn block(&self, window: &Array2<f32>, index: &TimeIndex, end: usize) -> Array2<f32> {
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
        let forecast = self.network.forward(Inputs { values: tensor(window), known_ahead }, Pass::Evaluation);
        let values: Vec<f32> = forecast.into_data().iter::<f32>().collect();
        Array2::from_shape_vec((horizon, self.n_channels), values)
            .unwrap_or_else(|_| Array2::from_elem((horizon, self.n_channels), f32::NAN))
    }
}

/// Takes one step; what is missing is 0, the center of the training range, as it was in training.
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

    fn observe(
        &self,
        _slot: usize,
        memory: &mut Memory,
        _index: &TimeIndex,
        step: &mut dyn Iterator<Item = f64>,
    ) {
        let Some(lags) = memory.lags_mut() else { return };
        take(lags, step);
    }

    fn observe_all(
        &self,
        _slot: usize,
        memory: &mut Memory,
        _index: &TimeIndex,
        steps: ArrayView2<'_, f64>,
        scalers: &[Scaler],
    ) {
        let Some(lags) = memory.lags_mut() else { return };
        for row in steps.rows() {
            take(lags, row.iter().zip(scalers).map(|(value, scaler)| scaler.scale(*value)));
        }
    }

    fn forecast(
        &self,
        _slot: usize,
        memory: &Memory,
        age: usize,
        index: &TimeIndex,
        mut out: ArrayViewMut2<'_, f64>,
    ) {
        let Some(lags) = memory.lags() else { return };
        let (lookback, block) = (self.network.lookback(), self.network.horizon());
        let mut window = Array2::zeros((lookback, self.n_channels));
        for channel in 0..self.n_channels {
            let steps = lags.window(channel, age);
            window.column_mut(channel).iter_mut().zip(steps).for_each(|(to, from)| *to = *from as f32);
        }
        let mut end = index.len - age;
        let n_steps = out.nrows();
        // What lies beyond the network's horizon follows from its own forecasts.
        for first in (0..n_steps).step_by(block) {
            let forecast = self.block(&window, index, end);
            let n = block.min(n_steps - first);
            let mut rows = out.slice_mut(s![first..first + n, ..]);
            rows.zip_mut_with(&forecast.slice(s![..n, ..]), |to, from| *to = f64::from(*from));
            end += block;
            let all = ndarray::concatenate![ndarray::Axis(0), window, forecast];
            window = all.slice(s![block.., ..]).to_owned();
        }
    }

    fn accepts(&self, memory: &Memory, n_channels: usize) -> bool {
        memory.lags().is_some_and(|lags| lags.is_sound(self.network.lookback(), n_channels))
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

    fn updates_online(&self) -> bool {
        false
    }

    fn training_report(&self) -> Option<&TrainingReport> {
        self.report.as_ref()
    }
}
