//! A trained network as a family: windows of a memory in, forecasts of all channels out.

use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::TrainingReport;
use super::marginal::Marginal;
use super::network::{Inputs, Network, Pass};
use crate::Result;
use crate::data::{CalendarFeatures, InputWidths, Scaler};
use crate::informer::AttentionMap;
use crate::kernels::{lead, lead_briefly};
use crate::model::{Beside, Family, LagRule, Lags, Memory, Tensors};

/// So many windows take milliseconds.
const FEW: usize = 8;

/// A network and what it is told beside values.
#[derive(Debug)]
pub(crate) struct NeuralFamily<N> {
    pub(crate) network: N,
    pub(crate) calendar: CalendarFeatures,
    pub(crate) n_channels: usize,
    /// Inputs that covariates are.
    pub(crate) widths: InputWidths,
    /// What was learned, for the model file.
    pub(crate) tensors: Tensors,
    /// How it was trained, of a model that was not loaded.
    pub(crate) report: Option<TrainingReport>,
}

impl<N: Network> NeuralFamily<N> {
    /// What the network sees of windows, NaN where missing.
    fn inputs(&self, windows: &[Window<'_>]) -> Inputs {
        let (lookback, horizon, n_windows) = (self.network.lookback(), self.network.horizon(), windows.len());
        let device = Device::flex();
        let tensor = |values: Vec<f32>, n_steps: usize| {
            let n_columns = values.len() / (n_windows * n_steps).max(1);
            Tensor::<3>::from_data(TensorData::new(values, [n_windows, n_steps, n_columns]), &device)
        };
        let n_calendar =
            windows.first().map_or(0, |window| self.calendar.n_columns(window.beside.index.step));
        let n_known = n_calendar + self.widths.known;
        let known_ahead = (n_known > 0).then(|| {
            let mut values = Vec::with_capacity(n_windows * (lookback + horizon) * n_known);
            for window in windows {
                let steps = window.end - lookback..window.end + horizon;
                let mut features = Array2::zeros((steps.len(), n_calendar));
                // Years beyond the calendar have no features.
                let _ = self.calendar.fill(window.beside.index, steps.clone(), features.view_mut());
                for (step, features) in steps.zip(features.rows()) {
                    values.extend(features.iter().map(|value: &f64| *value as f32));
                    match window.beside.inputs {
                        Some(inputs) => inputs.extend_known(step, &mut values),
                        None => values.resize(values.len() + self.widths.known, 0.0),
                    }
                }
            }
            tensor(values, lookback + horizon)
        });
        let n_past = self.widths.past;
        let past = (n_past > 0).then(|| {
            let mut values = Vec::with_capacity(n_windows * lookback * n_past);
            for window in windows {
                for step in window.end - lookback..window.end {
                    // Of what a forecast goes on from nothing of the kind is known.
                    match window.beside.inputs.filter(|_| step < window.cutoff) {
                        Some(inputs) => inputs.extend_past(step, &mut values),
                        None => values.resize(values.len() + n_past, 0.0),
                    }
                }
            }
            tensor(values, lookback)
        });
        // What is missing is 0, the center of the training range, as it was in training.
        let all = |of: fn(f32) -> f32| {
            let values = windows.iter().flat_map(|window| window.values.iter().map(|value| of(*value)));
            tensor(values.collect(), lookback)
        };
        let values = all(|value| if value.is_nan() { 0.0 } else { value });
        let mask = all(|value| if value.is_nan() { 0.0 } else { 1.0 });
        Inputs { values, mask, known_ahead, past }
    }

    /// What follows windows. Shape of a result `(step, channel)`.
    fn blocks(&self, windows: &[Window<'_>]) -> Vec<Array2<Marginal>> {
        let shape = (self.network.horizon(), self.n_channels);
        let head = self.network.head();
        let values = || -> Vec<f64> {
            let parameters = self.network.parameters(self.inputs(windows), Pass::Evaluation);
            parameters.into_data().iter::<f32>().map(f64::from).collect()
        };
        let values = if windows.len() > FEW { lead(values) } else { lead_briefly(values) };
        let block = shape.0 * shape.1 * head.n_outputs();
        (0..windows.len())
            .map(|at| {
                let own = values.get(at * block..(at + 1) * block).unwrap_or_default();
                let own = own.chunks(head.n_outputs()).map(|parameters| head.marginal(parameters));
                Array2::from_shape_vec(shape, own.collect())
                    .unwrap_or_else(|_| Array2::from_elem(shape, Marginal::Point(f64::NAN)))
            })
            .collect()
    }

    /// The last steps of a memory as they were `age` steps ago.
    fn window<'a>(&self, memory: &Memory, age: usize, beside: Beside<'a>) -> Window<'a> {
        let lookback = self.network.lookback();
        let observed = |(step, channel)| memory.observed(channel, age + lookback - 1 - step) as f32;
        let values = Array2::from_shape_fn((lookback, self.n_channels), observed);
        let cutoff = beside.index.len - age;
        Window { values, beside, end: cutoff, cutoff }
    }

    /// Forecasts from windows, block after block: what lies beyond the network's horizon follows from its own
    /// forecasts.
    fn follow(&self, mut windows: Vec<Window<'_>>, n_steps: usize) -> Vec<Array2<Marginal>> {
        let block = self.network.horizon();
        let none = Array2::from_elem((n_steps, self.n_channels), Marginal::Point(f64::NAN));
        let mut all = vec![none; windows.len()];
        for first in (0..n_steps).step_by(block) {
            let n = block.min(n_steps - first);
            for (at, forecast) in self.blocks(&windows).into_iter().enumerate() {
                all[at].slice_mut(s![first..first + n, ..]).assign(&forecast.slice(s![..n, ..]));
                let window = &mut windows[at];
                window.end += block;
                let points = forecast.mapv(|marginal| marginal.point() as f32);
                let both = ndarray::concatenate![ndarray::Axis(0), window.values, points];
                window.values = both.slice(s![block.., ..]).to_owned();
            }
        }
        all
    }
}

/// The last steps that a network sees.
struct Window<'a> {
    /// NaN where missing. Shape `(lookback, channel)`.
    values: Array2<f32>,
    beside: Beside<'a>,
    /// The step after its last one.
    end: usize,
    /// The first step that was not observed.
    cutoff: usize,
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

    fn observe(
        &self,
        _slot: usize,
        memory: &mut Memory,
        _beside: Beside<'_>,
        step: &mut dyn Iterator<Item = f64>,
    ) {
        let Some(lags) = memory.lags_mut() else { return };
        take(lags, step);
    }

    fn observe_all(
        &self,
        _slot: usize,
        memory: &mut Memory,
        _beside: Beside<'_>,
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
        beside: Beside<'_>,
        mut out: ArrayViewMut2<'_, f64>,
    ) {
        let forecasts = self.follow(vec![self.window(memory, age, beside)], out.nrows());
        forecasts.iter().for_each(|all| out.zip_mut_with(all, |to, from| *to = from.point()));
    }

    fn forecasts_in_batches(&self) -> bool {
        // Batches have points alone.
        !self.network.has_own_intervals()
    }

    fn forecast_many(&self, memories: &[(usize, &Memory, Beside<'_>)], outs: &mut [Array2<f64>]) {
        let windows = memories.iter().map(|(_, memory, beside)| self.window(memory, 0, *beside)).collect();
        let n_steps = outs.first().map_or(0, Array2::nrows);
        for (out, all) in outs.iter_mut().zip(self.follow(windows, n_steps)) {
            out.zip_mut_with(&all, |to, from| *to = from.point());
        }
    }

    fn marginals(&self, memory: &Memory, beside: Beside<'_>, n_steps: usize) -> Option<Array2<Marginal>> {
        if !self.network.has_own_intervals() {
            return None;
        }
        self.follow(vec![self.window(memory, 0, beside)], n_steps).pop()
    }

    fn attention(&self, memory: &Memory, beside: Beside<'_>) -> Result<Vec<AttentionMap>> {
        self.network.attention(self.inputs(&[self.window(memory, 0, beside)]))
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
