//! What a model family has to do. It sees scaled, shape-checked numbers with a mask, so it cannot fail.

use std::fmt;
use std::path::Path;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::beside::Beside;
use super::cancel::Cancel;
use super::lags::Lags;
use super::memory::Memory;
use super::tensor::Tensors;
use crate::Result;
use crate::data::{InputColumns, InputRows, InputWidths, Scaler, Series, Step};
use crate::informer::AttentionMap;
use crate::nn::{DeviceKind, Marginal, TrainingReport};

/// What a family is fitted on: the training range of each series, scaled.
#[derive(Debug)]
pub(crate) struct Training<'a> {
    /// Scaled series, cut to the training range.
    pub(crate) series: &'a [Series],
    /// The channels of every series.
    pub(crate) channels: &'a [String],
    /// Steps ahead that the model is fitted for.
    pub(crate) horizon: usize,
    /// Where the validation range of each series begins, for families that are fitted once: they watch how they do
    /// there. The series then reach to its end. For others the series end before it.
    pub(crate) cuts: Option<&'a [usize]>,
    /// The file that a training keeps its state in, and whether it goes on from there.
    pub(crate) checkpoint: Option<(&'a Path, bool)>,
    /// Weights of another program, in place of a training.
    pub(crate) weights: Option<&'a Path>,
    /// Of the data.
    pub(crate) fingerprint: &'a str,
    /// Where a network is trained.
    pub(crate) device: DeviceKind,
    /// The covariates that the family takes.
    pub(crate) inputs: Option<&'a InputColumns>,
    /// Ends the fit.
    pub(crate) cancel: &'a Cancel,
}

/// What a saved model has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LoadShape {
    /// Sets of parameters: one, or one for each series.
    pub(crate) n_slots: usize,
    pub(crate) n_channels: usize,
    /// Steps ahead that it was fitted for.
    pub(crate) horizon: usize,
    /// Of the data.
    pub(crate) step: Step,
    /// Inputs that covariates are.
    pub(crate) inputs: InputWidths,
}

/// A fitted family. Object-safe: the service holds any of them behind one pointer.
pub(crate) trait Family: fmt::Debug + Send + Sync {
    /// Steps after which a fresh memory forecasts as well as any.
    fn lookback(&self) -> usize;

    /// A memory that has seen nothing, and will keep `kept` steps where the family keeps any.
    fn start(&self, n_channels: usize, kept: usize) -> Memory;

    /// Of the last `kept` steps of a history, those that a fresh memory is fed with, at least the lookback.
    fn steps_fed(&self, kept: usize) -> usize {
        kept
    }

    /// Of the steps that a memory of `kept` keeps, those whose covariates its forecasts look at.
    fn steps_told(&self, kept: usize) -> usize {
        kept.max(self.lookback())
    }

    /// Takes one step of scaled values, one a channel, NaN where missing; it is the last of the index.
    ///
    /// A missing value is replaced by the family's own forecast of it and counted. The memory is one that the family
    /// [accepts](Family::accepts), here and below: others are refused where they come in.
    fn observe(
        &self,
        slot: usize,
        memory: &mut Memory,
        beside: Beside<'_>,
        step: &mut dyn Iterator<Item = f64>,
    );

    /// Takes steps of a series one after another, each value on the scale of `scalers`; the last is the last of
    /// the index. Shape `(step, channel)`.
    fn observe_all(
        &self,
        slot: usize,
        memory: &mut Memory,
        beside: Beside<'_>,
        steps: ArrayView2<'_, f64>,
        scalers: &[Scaler],
    );

    /// Writes the scaled forecast as it would have been `age` steps ago, with what was known then; `age` is at
    /// most [`Memory::recall`]. The last step of the index is the last that the memory has seen. Shape
    /// `(horizon, channel)`.
    fn forecast(
        &self,
        slot: usize,
        memory: &Memory,
        age: usize,
        beside: Beside<'_>,
        out: ArrayViewMut2<'_, f64>,
    );

    /// True if a memory from outside has this family's shape.
    fn accepts(&self, memory: &Memory, n_channels: usize) -> bool;

    /// The rule of a family that forecasts each channel from its last steps alone.
    fn lag_rule(&self) -> Option<&dyn LagRule>;

    /// Everything that was learned.
    fn tensors(&self) -> Tensors;

    /// Steps ahead that are forecast from the window itself; those that follow take these as their window, block
    /// after block. 1 for a recursion, `usize::MAX` where every step is forecast from the window.
    fn n_direct_steps(&self) -> usize;

    /// Intercept and weights of a step ahead (0 is the first) on the scale of the model, lag 1 first, if the family
    /// is linear; `step` is less than [`Family::n_direct_steps`].
    fn coefficients(&self, slot: usize, channel: usize, step: usize) -> Option<(f64, Vec<f64>)>;

    /// Standard errors of the weights of the first step, lag 1 first, where they are known.
    fn standard_errors(&self, slot: usize, channel: usize) -> Option<Vec<f64>>;

    /// The share of fits on parts of the data that chose each lag, lag 1 first, where it is known.
    fn selection_frequency(&self, slot: usize, channel: usize) -> Option<Vec<f64>>;

    /// The size of the largest root of a recursion that grows without bound.
    fn unstable_root(&self, slot: usize, channel: usize) -> Option<f64>;

    /// The distribution of each of the next steps, scaled, `(step, channel)`, of a family whose intervals are its own;
    /// `None` where they come from its errors.
    fn marginals(&self, _memory: &Memory, _beside: Beside<'_>, _n_steps: usize) -> Option<Array2<Marginal>> {
        None
    }

    /// What attention layers look at when they forecast what follows the memory; empty without such layers.
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal) only.
    fn attention(&self, _memory: &Memory, _beside: Beside<'_>) -> Result<Vec<AttentionMap>> {
        Ok(Vec::new())
    }

    /// The ridge of each look-back where all series and channels have the same; none for other families.
    fn ridges(&self) -> Option<Vec<f64>> {
        None
    }

    /// True if [`Family::forecast_many`] costs less than as many forecasts.
    fn forecasts_in_batches(&self) -> bool {
        false
    }

    /// [`Family::forecast`] with `age` 0 of several memories, each into its own `out`, to the same bits.
    fn forecast_many(&self, memories: &[(usize, &Memory, Beside<'_>)], outs: &mut [Array2<f64>]) {
        for ((slot, memory, beside), out) in memories.iter().zip(outs) {
            self.forecast(*slot, memory, 0, *beside, out.view_mut());
        }
    }

    /// True if a step is taken and forgotten, false if each forecast reads a whole window again.
    fn updates_online(&self) -> bool {
        true
    }

    /// How far off what forecasts is from what was trained, where it is only close to it, in a sentence.
    fn approximation(&self) -> Option<String> {
        None
    }

    /// How the family was trained, if it was by gradient and has just been.
    fn training_report(&self) -> Option<&TrainingReport> {
        None
    }
}

/// A history without any complete lookback is fed from this many lookbacks before its end.
const MOST_LOOKBACKS: usize = 100;

/// Where the part of a history begins that a forecast depends on: the last stretch that begins with `lookback`
/// complete steps and holds `kept`, or the last [`MOST_LOOKBACKS`] times `kept` if there is none in them.
pub(crate) fn feed_start(history: &Series, lookback: usize, kept: usize) -> usize {
    let values = history.values();
    let n = values.nrows();
    let need = lookback.max(kept);
    // Most histories end with enough complete steps of one channel.
    if let Some(steps) = history.channel(0).filter(|_| values.ncols() == 1)
        && need <= n
        && need <= MOST_LOOKBACKS.saturating_mul(kept)
        && !has_missing(&steps[n - need..])
    {
        return n - need;
    }
    let mut complete = 0;
    let mut start = n;
    let first = start.saturating_sub(MOST_LOOKBACKS.saturating_mul(kept));
    while start > first && (complete < lookback || n - start < kept) {
        start -= 1;
        complete = if values.row(start).iter().any(|v| v.is_nan()) { 0 } else { complete + 1 };
    }
    start
}

/// Looks at all values, without a way out: many are looked at at a time.
pub(super) fn has_missing(values: &[f64]) -> bool {
    values.iter().fold(false, |any, value| any | value.is_nan())
}

/// Feeds a fresh memory of `kept` steps with the part of a history that a forecast can depend on, of whose steps
/// `inputs` has the covariates. Returns it and how many steps were fed.
pub(crate) fn prime(
    family: &dyn Family,
    slot: usize,
    history: &Series,
    scalers: &[Scaler],
    kept: usize,
    inputs: Option<&InputRows>,
) -> (Memory, usize) {
    let values = history.values();
    let mut memory = family.start(scalers.len(), kept);
    let start = feed_start(history, family.lookback(), family.steps_fed(kept));
    let beside = Beside::new(history.index(), inputs);
    family.observe_all(slot, &mut memory, beside, values.slice(s![start.., ..]), scalers);
    (memory, values.nrows() - start)
}

/// A family that forecasts each channel from its own last steps; everything else follows.
pub(crate) trait LagRule: fmt::Debug + Send + Sync {
    /// Steps that a forecast looks back, at least 1.
    fn lookback(&self) -> usize;

    /// Writes the forecast of one channel from its window, oldest first. Shapes `(lookback)`, `(horizon)`.
    fn forecast_channel(&self, slot: usize, channel: usize, window: &[f64], out: &mut [f64]);

    /// True if every step is forecast to be the one `lookback` steps before it.
    fn repeats(&self) -> bool {
        false
    }

    /// Everything that was learned.
    fn tensors(&self) -> Tensors {
        Tensors::new()
    }

    /// Steps ahead that are forecast from the window itself; see [`Family::n_direct_steps`].
    fn n_direct_steps(&self) -> usize {
        1
    }

    /// Intercept and weights of a step ahead (0 is the first), lag 1 first, if the rule is linear; `step` is less
    /// than [`LagRule::n_direct_steps`].
    fn coefficients(&self, _slot: usize, _channel: usize, _step: usize) -> Option<(f64, Vec<f64>)> {
        None
    }

    /// Standard errors of the weights of the first step, lag 1 first, where they are known.
    fn standard_errors(&self, _slot: usize, _channel: usize) -> Option<Vec<f64>> {
        None
    }

    /// The share of fits on parts of the data, from 0 to 1, that chose each lag, lag 1 first; only of rules that
    /// choose lags.
    fn selection_frequency(&self, _slot: usize, _channel: usize) -> Option<Vec<f64>> {
        None
    }

    /// The size of the largest root of a recursion that grows without bound.
    fn unstable_root(&self, _slot: usize, _channel: usize) -> Option<f64> {
        None
    }

    /// As [`Family::ridges`].
    fn ridges(&self) -> Option<Vec<f64>> {
        None
    }
}

/// Takes one step of scaled values; what is missing is forecast.
fn take(rule: &impl LagRule, slot: usize, lags: &mut Lags, step: impl Iterator<Item = f64>) {
    for (channel, observed) in step.enumerate() {
        let mut value = [observed];
        if observed.is_nan() {
            rule.forecast_channel(slot, channel, lags.window(channel, 0), &mut value);
        }
        lags.write(channel, value[0], observed.is_nan());
    }
    lags.advance();
}

impl<R: LagRule> Family for R {
    fn lookback(&self) -> usize {
        LagRule::lookback(self)
    }

    fn start(&self, n_channels: usize, kept: usize) -> Memory {
        Memory::Lags(Lags::new(LagRule::lookback(self), kept, n_channels))
    }

    fn observe(
        &self,
        slot: usize,
        memory: &mut Memory,
        _beside: Beside<'_>,
        step: &mut dyn Iterator<Item = f64>,
    ) {
        let Some(lags) = memory.lags_mut() else { return };
        take(self, slot, lags, step);
    }

    fn observe_all(
        &self,
        slot: usize,
        memory: &mut Memory,
        _beside: Beside<'_>,
        steps: ArrayView2<'_, f64>,
        scalers: &[Scaler],
    ) {
        let Some(lags) = memory.lags_mut() else { return };
        if let ([scaler], Some(values)) = (scalers, steps.column(0).as_slice())
            && !has_missing(values)
            && lags.fill(values.iter().map(|value| scaler.scale(*value)))
        {
            return;
        }
        for step in 0..steps.nrows() {
            let values = scalers.iter().enumerate();
            take(self, slot, lags, values.map(|(channel, scaler)| scaler.scale(steps[[step, channel]])));
        }
    }

    fn forecast(
        &self,
        slot: usize,
        memory: &Memory,
        age: usize,
        _beside: Beside<'_>,
        mut out: ArrayViewMut2<'_, f64>,
    ) {
        let Some(lags) = memory.lags() else { return };
        for channel in 0..lags.n_channels() {
            let mut out = out.column_mut(channel);
            let window = lags.window(channel, age);
            if let Some(path) = out.as_slice_mut() {
                self.forecast_channel(slot, channel, window, path);
                continue;
            }
            let mut path = vec![0.0; out.len()];
            self.forecast_channel(slot, channel, window, &mut path);
            out.iter_mut().zip(&path).for_each(|(out, value)| *out = *value);
        }
    }

    fn lag_rule(&self) -> Option<&dyn LagRule> {
        Some(self)
    }

    fn accepts(&self, memory: &Memory, n_channels: usize) -> bool {
        memory.lags().is_some_and(|lags| lags.is_sound(LagRule::lookback(self), n_channels))
    }

    fn tensors(&self) -> Tensors {
        LagRule::tensors(self)
    }

    fn n_direct_steps(&self) -> usize {
        LagRule::n_direct_steps(self)
    }

    fn coefficients(&self, slot: usize, channel: usize, step: usize) -> Option<(f64, Vec<f64>)> {
        LagRule::coefficients(self, slot, channel, step)
    }

    fn standard_errors(&self, slot: usize, channel: usize) -> Option<Vec<f64>> {
        LagRule::standard_errors(self, slot, channel)
    }

    fn selection_frequency(&self, slot: usize, channel: usize) -> Option<Vec<f64>> {
        LagRule::selection_frequency(self, slot, channel)
    }

    fn unstable_root(&self, slot: usize, channel: usize) -> Option<f64> {
        LagRule::unstable_root(self, slot, channel)
    }

    fn ridges(&self) -> Option<Vec<f64>> {
        LagRule::ridges(self)
    }
}
