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
    /// What follows windows, the last step of each being the one before its end. Shapes: windows and results
    /// `(step, channel)`.
    fn blocks(&self, windows: &[Array2<f32>], ends: &[(&TimeIndex, usize)]) -> Vec<Array2<f32>> {
        let (lookback, horizon, n_windows) = (self.network.lookback(), self.network.horizon(), windows.len());
        let device = Device::flex();
        let tensor = |values: Vec<f32>, n_steps: usize| {
            let n_columns = values.len() / (n_windows * n_steps).max(1);
            Tensor::<3>::from_data(TensorData::new(values, [n_windows, n_steps, n_columns]), &device)
        };
        let n_known = ends.first().map_or(0, |(index, _)| self.calendar.n_columns(index.step));
        let known_ahead = (n_known > 0).then(|| {
            let mut values = Vec::with_capacity(n_windows * (lookback + horizon) * n_known);
            for (index, end) in ends {
                let mut known = Array2::zeros((lookback + horizon, n_known));
                // Years beyond the calendar have no features.
                let _ = self.calendar.fill(index, end - lookback..end + horizon, known.view_mut());
                values.extend(known.iter().map(|value: &f64| *value as f32));
            }
            tensor(values, lookback + horizon)
        });
        let values = tensor(windows.iter().flat_map(|window| window.iter().copied()).collect(), lookback);
        let forecast = self.network.forward(Inputs { values, known_ahead }, Pass::Evaluation);
        let values: Vec<f32> = forecast.into_data().iter::<f32>().collect();
        let block = horizon * self.n_channels;
        (0..n_windows)
            .map(|at| {
                let own = values.get(at * block..(at + 1) * block).map(<[f32]>::to_vec);
                own.and_then(|own| Array2::from_shape_vec((horizon, self.n_channels), own).ok())
                    .unwrap_or_else(|| Array2::from_elem((horizon, self.n_channels), f32::NAN))
            })
            .collect()
    }

    /// The last steps of a memory, as it was some steps ago. Shape `(lookback, channel)`.
    fn window(&self, memory: &Memory, age: usize) -> Array2<f32> {
        let mut window = Array2::zeros((self.network.lookback(), self.n_channels));
        let Some(lags) = memory.lags() else { return window };
        for channel in 0..self.n_channels {
            let steps = lags.window(channel, age);
            window.column_mut(channel).iter_mut().zip(steps).for_each(|(to, from)| *to = *from as f32);
        }
        window
    }

    /// Forecasts from windows, block after block: what lies beyond the network's horizon follows from its own
    /// forecasts.
    fn follow(
        &self,
        mut windows: Vec<Array2<f32>>,
        mut ends: Vec<(&TimeIndex, usize)>,
        outs: &mut [ArrayViewMut2<'_, f64>],
    ) {
        let block = self.network.horizon();
        let n_steps = outs.first().map_or(0, |out| out.nrows());
        for first in (0..n_steps).step_by(block) {
            let forecasts = self.blocks(&windows, &ends);
            let n = block.min(n_steps - first);
            for (at, forecast) in forecasts.into_iter().enumerate() {
                let mut rows = outs[at].slice_mut(s![first..first + n, ..]);
                rows.zip_mut_with(&forecast.slice(s![..n, ..]), |to, from| *to = f64::from(*from));
                ends[at].1 += block;
                let all = ndarray::concatenate![ndarray::Axis(0), windows[at], forecast];
                windows[at] = all.slice(s![block.., ..]).to_owned();
            }
        }
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
        out: ArrayViewMut2<'_, f64>,
    ) {
        self.follow(vec![self.window(memory, age)], vec![(index, index.len - age)], &mut [out]);
    }

    fn forecasts_in_batches(&self) -> bool {
        true
    }

    fn forecast_many(&self, memories: &[(usize, &Memory, &TimeIndex)], outs: &mut [Array2<f64>]) {
        let windows = memories.iter().map(|(_, memory, _)| self.window(memory, 0)).collect();
        let ends = memories.iter().map(|(_, _, index)| (*index, index.len)).collect();
        let mut outs: Vec<_> = outs.iter_mut().map(Array2::view_mut).collect();
        self.follow(windows, ends, &mut outs);
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
