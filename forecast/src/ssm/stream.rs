//! A network that streams, as a family: a memory is what its recurrences carry.
//!
//! A forecast from a window is that of a fresh memory fed with it, so both have the same bits. Beyond a lookback the
//! memory reaches further back than any window.

use std::cell::Cell;
use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::plain::{CHUNK, Plain};
use crate::data::{CalendarFeatures, Scaler, TimeIndex};
use crate::model::{Family, LagRule, Memory, Recurrent, RecurrentShape, Tensors};
use crate::nn::TrainingReport;

/// A network in plain numbers, and what it is told of the calendar.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(super) plain: Plain,
    pub(super) calendar: CalendarFeatures,
    /// What was learned, for the model file.
    pub(super) tensors: Tensors,
    /// How it was trained, of a model that was not loaded.
    pub(super) report: Option<TrainingReport>,
}

/// Steps before the last whose forecasts can be made again.
const RECALL: usize = 24;

/// Room that a thread computes in, kept so that a step asks the allocator for nothing.
#[derive(Debug, Default)]
struct Room {
    /// Of the plain network.
    numbers: Vec<f32>,
    /// What the head reads of some steps. Shape `(step, width)`.
    outputs: Vec<f32>,
    /// Values of some steps, filled. Shape `(step, channel)`.
    values: Vec<f64>,
    /// One step as it came. Shape `(channel)`.
    step: Vec<f64>,
    /// Forecasts of the next step. Shape `(channel)`.
    next: Vec<f64>,
    /// Time features as the calendar gives them, and as the network takes them. Shape `(step, mark)`.
    features: Vec<f64>,
    marks: Vec<f32>,
}

thread_local! {
    // Taken out while in use: work that a thread begins while it waits for other work finds an empty one.
    static ROOM: Cell<Room> = const {
        Cell::new(Room {
            numbers: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
            step: Vec::new(),
            next: Vec::new(),
            features: Vec::new(),
            marks: Vec::new(),
        })
    };
}

/// What `work` makes with the room of this thread.
fn with_room<T>(work: impl FnOnce(&mut Room) -> T) -> T {
    let mut room = ROOM.take();
    let made = work(&mut room);
    ROOM.set(room);
    made
}

impl Stream {
    fn n_channels(&self) -> usize {
        self.plain.shape().n_channels
    }

    /// Writes the time features of some steps, which may lie beyond the end of the index, into the room.
    fn mark(&self, index: &TimeIndex, steps: Range<usize>, room: &mut Room) {
        let shape = (steps.len(), self.plain.shape().n_marks);
        room.features.clear();
        room.features.resize(shape.0 * shape.1, 0.0);
        if shape.1 > 0
            && let Ok(features) = ArrayViewMut2::from_shape(shape, &mut room.features[..])
        {
            // Years beyond the calendar have no features.
            let _ = self.calendar.fill(index, steps, features);
        }
        room.marks.clear();
        room.marks.extend(room.features.iter().map(|feature| *feature as f32));
    }

    /// Takes the filled steps that stand in the room; they are the last before `end` of the index.
    fn take(
        &self,
        memory: &mut Recurrent,
        (index, end): (&TimeIndex, usize),
        room: &mut Room,
        observed: impl Fn(usize, usize) -> f64,
    ) {
        let (n_channels, width) = (self.n_channels(), self.plain.total_width());
        let n_steps = room.values.len() / n_channels;
        if n_steps == 0 {
            return;
        }
        self.mark(index, end.saturating_sub(n_steps)..end, room);
        let Room { numbers, outputs, values, marks, .. } = room;
        outputs.resize(n_steps * width, 0.0);
        self.plain.chunk(&mut memory.states, (&values[..], &marks[..]), outputs, numbers);
        for (step, (values, output)) in
            values.chunks_exact(n_channels).zip(outputs.chunks_exact(width)).enumerate()
        {
            memory.push(values, (0..n_channels).map(|channel| observed(step, channel)), output);
        }
        values.clear();
    }

    /// Takes the step that stands in the room, whose missing values the network's own forecasts replace.
    fn take_incomplete(&self, memory: &mut Recurrent, (index, end): (&TimeIndex, usize), room: &mut Room) {
        // Out of the room while it is used, and back.
        let step = std::mem::take(&mut room.step);
        self.mark(index, end.saturating_sub(1)..end, room);
        room.next.resize(self.n_channels(), 0.0);
        let before = (memory.output(0), memory.filled(0));
        self.plain.forecast(before, &room.marks, &mut room.next, &mut room.numbers);
        room.values.clear();
        let filled =
            step.iter().zip(&room.next).map(|(value, next)| if value.is_nan() { *next } else { *value });
        room.values.extend(filled);
        self.take(memory, (index, end), room, |_, channel| step[channel]);
        room.step = step;
    }

    /// Writes a forecast of any length that follows the step of this age.
    fn forecast_after(
        &self,
        memory: &Recurrent,
        age: usize,
        index: &TimeIndex,
        mut out: ArrayViewMut2<'_, f64>,
        room: &mut Room,
    ) {
        let (n_channels, horizon) = (self.n_channels(), self.plain.shape().horizon);
        let (n_steps, mut end) = (out.nrows(), index.len - age);
        let first = n_steps.min(horizon);
        self.mark(index, end..end + first, room);
        room.values.resize(first * n_channels, 0.0);
        let after = (memory.output(age), memory.filled(age));
        self.plain.forecast(after, &room.marks, &mut room.values, &mut room.numbers);
        write(&mut out, 0, &room.values, n_channels);
        if n_steps <= horizon {
            return;
        }
        // What lies beyond the network's horizon follows from its own forecasts; only the newest step has the states.
        if age > 0 {
            out.slice_mut(s![first.., ..]).fill(f64::NAN);
            return;
        }
        let width = self.plain.total_width();
        let mut states = memory.states.clone();
        let mut block = room.values.clone();
        let mut output = vec![0.0; width];
        let mut at = first;
        while at < n_steps {
            for steps in block.chunks(CHUNK * n_channels) {
                let n = steps.len() / n_channels;
                self.mark(index, end..end + n, room);
                room.outputs.resize(n * width, 0.0);
                self.plain.chunk(&mut states, (steps, &room.marks[..]), &mut room.outputs, &mut room.numbers);
                output.copy_from_slice(&room.outputs[(n - 1) * width..]);
                end += n;
            }
            let n = horizon.min(n_steps - at);
            self.mark(index, end..end + n, room);
            let last = block[block.len() - n_channels..].to_vec();
            block.resize(n * n_channels, 0.0);
            self.plain.forecast((&output[..], &last[..]), &room.marks, &mut block, &mut room.numbers);
            write(&mut out, at, &block, n_channels);
            at += n;
        }
    }
}

/// Writes rows of `block`, `(step, channel)`, from row `first` on.
fn write(out: &mut ArrayViewMut2<'_, f64>, first: usize, block: &[f64], n_channels: usize) {
    for (mut row, block) in out.rows_mut().into_iter().skip(first).zip(block.chunks_exact(n_channels)) {
        row.iter_mut().zip(block).for_each(|(to, from)| *to = *from);
    }
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

    /// A window is what it was trained on, and no more.
    fn steps_fed(&self, _kept: usize) -> usize {
        self.plain.shape().lookback
    }

    fn observe(
        &self,
        _slot: usize,
        memory: &mut Memory,
        index: &TimeIndex,
        step: &mut dyn Iterator<Item = f64>,
    ) {
        let Some(memory) = memory.recurrent_mut() else { return };
        with_room(|room| {
            room.step.clear();
            room.step.extend(step);
            if room.step.iter().any(|value| value.is_nan()) {
                self.take_incomplete(memory, (index, index.len), room);
            } else {
                room.values.clear();
                room.values.extend_from_slice(&room.step);
                self.take(memory, (index, index.len), room, |_, _| 0.0);
            }
        });
    }

    fn observe_all(
        &self,
        _slot: usize,
        memory: &mut Memory,
        index: &TimeIndex,
        steps: ArrayView2<'_, f64>,
        scalers: &[Scaler],
    ) {
        let Some(memory) = memory.recurrent_mut() else { return };
        let first = index.len.saturating_sub(steps.nrows());
        with_room(|room| {
            room.values.clear();
            for (at, row) in steps.rows().into_iter().enumerate() {
                let scaled = row.iter().zip(scalers).map(|(value, scaler)| scaler.scale(*value));
                if row.iter().any(|value| value.is_nan()) {
                    room.step.clear();
                    room.step.extend(scaled);
                    self.take(memory, (index, first + at), room, |_, _| 0.0);
                    self.take_incomplete(memory, (index, first + at + 1), room);
                    continue;
                }
                room.values.extend(scaled);
                if room.values.len() == CHUNK * scalers.len() {
                    self.take(memory, (index, first + at + 1), room, |_, _| 0.0);
                }
            }
            self.take(memory, (index, first + steps.nrows()), room, |_, _| 0.0);
        });
    }

    fn forecast(
        &self,
        _slot: usize,
        memory: &Memory,
        age: usize,
        index: &TimeIndex,
        out: ArrayViewMut2<'_, f64>,
    ) {
        let Some(memory) = memory.recurrent() else { return };
        with_room(|room| self.forecast_after(memory, age, index, out, room));
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
