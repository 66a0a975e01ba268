//! A network that streams, as a family: a memory is what its recurrences carry.
//!
//! A forecast from a window is that of a fresh memory fed with it, so both have the same bits. Beyond a lookback the
//! memory reaches further back than any window.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayViewMut2, s};

use super::plain::{CHUNK, Plain};
use super::room::{Room, with_room};
use crate::data::{CalendarFeatures, InputWidths, Scaler};
use crate::model::{Beside, Family, LagRule, Memory, Recurrent, RecurrentShape, Tensors};
use crate::nn::{Marginal, TrainingReport};

/// A network in plain numbers, and what it is told beside values.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) plain: Plain,
    pub(super) calendar: CalendarFeatures,
    /// Inputs that covariates are.
    pub(super) widths: InputWidths,
    /// What was learned, for the model file.
    pub(super) tensors: Tensors,
    /// How it was trained, of a model that was not loaded.
    pub(super) report: Option<TrainingReport>,
}

/// Steps before the last whose forecasts can be made again.
const RECALL: usize = 24;

impl Stream {
    pub(super) fn n_channels(&self) -> usize {
        self.plain.shape().n_channels
    }

    /// Writes what is known of some steps, which may lie beyond the end of the index, into the room: what the head
    /// reads of steps to forecast. Shape `(step, mark)`.
    pub(super) fn mark_ahead(&self, beside: Beside<'_>, steps: Range<usize>, room: &mut Room) {
        self.features(beside, steps.clone(), room);
        let n_calendar = self.plain.shape().n_marks - self.widths.known;
        room.marks.clear();
        for (at, step) in steps.enumerate() {
            self.extend_known(beside, step, &room.features[at * n_calendar..][..n_calendar], &mut room.marks);
        }
    }

    /// The same of steps that the network takes, with what is known in the past only beside it, of those before
    /// `cutoff`. Shape `(step, mark and past input)`.
    pub(super) fn mark_seen(&self, beside: Beside<'_>, steps: Range<usize>, cutoff: usize, room: &mut Room) {
        self.features(beside, steps.clone(), room);
        let n_calendar = self.plain.shape().n_marks - self.widths.known;
        room.marks.clear();
        for (at, step) in steps.enumerate() {
            self.extend_known(beside, step, &room.features[at * n_calendar..][..n_calendar], &mut room.marks);
            match beside.inputs.filter(|_| step < cutoff) {
                Some(inputs) => inputs.extend_past(step, &mut room.marks),
                None => room.marks.resize(room.marks.len() + self.widths.past, 0.0),
            }
        }
    }

    /// Adds the time features of a step and the covariates that are known ahead of it.
    fn extend_known(&self, beside: Beside<'_>, step: usize, features: &[f64], marks: &mut Vec<f32>) {
        marks.extend(features.iter().map(|feature| *feature as f32));
        match beside.inputs {
            Some(inputs) => inputs.extend_known(step, marks),
            None => marks.resize(marks.len() + self.widths.known, 0.0),
        }
    }

    /// Writes the time features of some steps into the room.
    fn features(&self, beside: Beside<'_>, steps: Range<usize>, room: &mut Room) {
        let shape = (steps.len(), self.plain.shape().n_marks - self.widths.known);
        room.features.clear();
        room.features.resize(shape.0 * shape.1, 0.0);
        if shape.1 > 0
            && let Ok(features) = ArrayViewMut2::from_shape(shape, &mut room.features[..])
        {
            // Years beyond the calendar have no features.
            let _ = self.calendar.fill(beside.index, steps, features);
        }
    }

    /// Takes the steps that stand in the room, the last before `end` of the index; `came` is one that was filled, as it
    /// came. A network with a mask takes missing values as they are, and remembers the last observed one in their place.
    fn take(
        &self,
        memory: &mut Recurrent,
        (beside, end): (Beside<'_>, usize),
        room: &mut Room,
        came: Option<&[f64]>,
    ) {
        let (n_channels, width) = (self.n_channels(), self.plain.total_width());
        let n_steps = room.values.len() / n_channels;
        if n_steps == 0 {
            return;
        }
        self.mark_seen(beside, end.saturating_sub(n_steps)..end, end, room);
        let Room { numbers, outputs, values, points, marks, .. } = room;
        outputs.resize(n_steps * width, 0.0);
        self.plain.chunk(&mut memory.states, (&values[..], &marks[..]), outputs, numbers);
        for (values, output) in values.chunks_exact(n_channels).zip(outputs.chunks_exact(width)) {
            points.clear();
            let before = memory.filled(0);
            points.extend(values.iter().zip(before).map(|(value, last)| filled(*value, *last)));
            memory.push(points, came.unwrap_or(values).iter().copied(), output);
        }
        values.clear();
    }

    /// Takes the step that stands in the room, whose missing values the network's own forecasts replace.
    fn take_incomplete(&self, memory: &mut Recurrent, (beside, end): (Beside<'_>, usize), room: &mut Room) {
        // Out of the room while it is used, and back.
        let step = std::mem::take(&mut room.step);
        self.mark_ahead(beside, end.saturating_sub(1)..end, room);
        self.read_head((memory.output(0), memory.filled(0)), 1, room);
        self.take_points(room);
        room.values.clear();
        room.values.extend(step.iter().zip(&room.points).map(|(value, next)| filled(*value, *next)));
        self.take(memory, (beside, end), room, Some(&step));
        room.step = step;
    }
}

/// A value, or another where it is missing.
fn filled(value: f64, other: f64) -> f64 {
    if value.is_nan() { other } else { value }
}

impl Family for Stream {
    fn lookback(&self) -> usize {
        self.plain.shape().lookback
    }

    fn start(&self, n_channels: usize, _kept: usize) -> Memory {
        // One more to be read while the next is written.
        let shape = RecurrentShape {
            lookback: self.plain.shape().lookback,
            kept: RECALL + 1,
            n_channels,
            width: self.plain.total_width(),
        };
        Memory::Recurrent(Recurrent::new(self.plain.start(), shape))
    }

    /// What was taken is in the state; only forecasts that are made again look at steps once more.
    fn steps_told(&self, _kept: usize) -> usize {
        RECALL + 1
    }

    /// A window is what it was trained on, and no more.
    fn steps_fed(&self, _kept: usize) -> usize {
        self.plain.shape().lookback
    }

    fn observe(
        &self,
        _slot: usize,
        memory: &mut Memory,
        beside: Beside<'_>,
        step: &mut dyn Iterator<Item = f64>,
    ) {
        let Some(memory) = memory.recurrent_mut() else { return };
        with_room(|room| {
            room.step.clear();
            room.step.extend(step);
            if room.step.iter().any(|value| value.is_nan()) && !self.plain.has_mask() {
                self.take_incomplete(memory, (beside, beside.index.len), room);
            } else {
                room.values.clear();
                room.values.extend_from_slice(&room.step);
                self.take(memory, (beside, beside.index.len), room, None);
            }
        });
    }

    fn observe_all(
        &self,
        _slot: usize,
        memory: &mut Memory,
        beside: Beside<'_>,
        steps: ArrayView2<'_, f64>,
        scalers: &[Scaler],
    ) {
        let Some(memory) = memory.recurrent_mut() else { return };
        let first = beside.index.len.saturating_sub(steps.nrows());
        with_room(|room| {
            room.values.clear();
            for (at, row) in steps.rows().into_iter().enumerate() {
                let scaled = row.iter().zip(scalers).map(|(value, scaler)| scaler.scale(*value));
                if row.iter().any(|value| value.is_nan()) && !self.plain.has_mask() {
                    room.step.clear();
                    room.step.extend(scaled);
                    self.take(memory, (beside, first + at), room, None);
                    self.take_incomplete(memory, (beside, first + at + 1), room);
                    continue;
                }
                room.values.extend(scaled);
                if room.values.len() == CHUNK * scalers.len() {
                    self.take(memory, (beside, first + at + 1), room, None);
                }
            }
            self.take(memory, (beside, first + steps.nrows()), room, None);
        });
    }

    fn forecast(
        &self,
        _slot: usize,
        memory: &Memory,
        age: usize,
        beside: Beside<'_>,
        mut out: ArrayViewMut2<'_, f64>,
    ) {
        let Some(memory) = memory.recurrent() else { return };
        let (n_steps, n_channels, horizon) = (out.nrows(), self.n_channels(), self.n_direct_steps());
        if age > 0 && n_steps > horizon {
            // Only the newest step has the states that steps beyond the horizon follow from.
            out.slice_mut(s![horizon.., ..]).fill(f64::NAN);
        }
        with_room(|room| {
            self.ahead(memory, age, (beside, n_steps), room, &mut |first, points, _| {
                let rows = out.rows_mut().into_iter().skip(first);
                for (mut row, points) in rows.zip(points.chunks_exact(n_channels)) {
                    row.iter_mut().zip(points).for_each(|(to, from)| *to = *from);
                }
            });
        });
    }

    fn marginals(&self, memory: &Memory, beside: Beside<'_>, n_steps: usize) -> Option<Array2<Marginal>> {
        let memory = memory.recurrent().filter(|_| self.plain.has_own_intervals())?;
        let (head, n_channels) = (self.plain.head(), self.n_channels());
        let mut all = Array2::from_elem((n_steps, n_channels), Marginal::Point(f64::NAN));
        with_room(|room| {
            self.ahead(memory, 0, (beside, n_steps), room, &mut |first, _, parameters| {
                let each = parameters.chunks_exact(head.n_outputs());
                let places = all.iter_mut().skip(first * n_channels);
                places.zip(each).for_each(|(to, parameters)| *to = head.marginal(parameters));
            });
        });
        Some(all)
    }

    fn accepts(&self, memory: &Memory, n_channels: usize) -> bool {
        let (lookback, width) = (self.plain.shape().lookback, self.plain.total_width());
        memory.recurrent().is_some_and(|memory| {
            memory.is_sound(lookback, n_channels, width) && self.plain.accepts(&memory.states)
        })
    }

    fn lag_rule(&self) -> Option<&dyn LagRule> {
        None
    }

    fn tensors(&self) -> Tensors {
        self.tensors.clone()
    }

    fn n_direct_steps(&self) -> usize {
        self.plain.shape().horizon
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

    fn approximation(&self) -> Option<String> {
        let bound = self.plain.error_bound();
        (bound > 0.0).then(|| {
            format!(
                "the recurrences that forecast are off the trained kernels by {bound:.3} at most, added up over lags, in \
                 the worst channel of the worst layer; set recurrence = exact, or a higher max_order, for less"
            )
        })
    }

    fn training_report(&self) -> Option<&TrainingReport> {
        self.report.as_ref()
    }
}
