//! Forecasts of any length from the memory of a stream: what the head says of the steps that follow one.
//!
//! The head reads what a step left behind and says all of its horizon at once. What lies beyond follows from its own
//! points, which the recurrences take like observations, block after block.

use super::plain::CHUNK;
use super::room::Room;
use super::stream::Stream;
use crate::model::{Beside, Recurrent};

/// Takes a block of a forecast: the number of its first step from 0, its points `(step, channel)`, and the parameters of
/// the head `(step, channel, parameter)`, of which quantiles are sorted.
pub(super) type TakeBlock<'a> = dyn FnMut(usize, &[f64], &[f64]) + 'a;

impl Stream {
    /// Writes the parameters of the head for some steps, no more than its horizon, into the room, where their marks
    /// stand. Shapes: `output` `(width)` and `last` `(channel)` are what the step before left behind and its values.
    pub(super) fn read_head(&self, (output, last): (&[f32], &[f64]), n_steps: usize, room: &mut Room) {
        room.parameters.resize(n_steps * self.n_channels() * self.plain.head().n_outputs(), 0.0);
        self.plain.parameters((output, last), &room.marks, &mut room.parameters, &mut room.numbers);
    }

    /// The parameters that stand in the room as points.
    pub(super) fn take_points(&self, room: &mut Room) {
        let head = self.plain.head();
        let each = room.parameters.chunks_exact_mut(head.n_outputs());
        room.points.clear();
        room.points.extend(each.map(|parameters| head.point_of(parameters)));
    }

    /// Forecasts what follows the step of this age; beyond the horizon only what follows the newest step, which alone
    /// has its states.
    pub(super) fn ahead(
        &self,
        memory: &Recurrent,
        age: usize,
        (beside, n_steps): (Beside<'_>, usize),
        room: &mut Room,
        take: &mut TakeBlock<'_>,
    ) {
        let (n_channels, horizon) = (self.n_channels(), self.plain.shape().horizon);
        let (first, mut end) = (n_steps.min(horizon), beside.index.len - age);
        let cutoff = end;
        self.mark_ahead(beside, end..end + first, room);
        self.read_head((memory.output(age), memory.filled(age)), first, room);
        self.take_points(room);
        take(0, &room.points, &room.parameters);
        if n_steps <= horizon || age > 0 {
            return;
        }
        let width = self.plain.total_width();
        let mut states = memory.states.clone();
        let mut block = room.points.clone();
        let mut output = vec![0.0; width];
        for at in (first..n_steps).step_by(horizon) {
            for steps in block.chunks(CHUNK * n_channels) {
                let n = steps.len() / n_channels;
                self.mark_seen(beside, end..end + n, cutoff, room);
                room.outputs.resize(n * width, 0.0);
                self.plain.chunk(&mut states, (steps, &room.marks[..]), &mut room.outputs, &mut room.numbers);
                output.copy_from_slice(&room.outputs[(n - 1) * width..]);
                end += n;
            }
            let n = horizon.min(n_steps - at);
            self.mark_ahead(beside, end..end + n, room);
            self.read_head((&output, &block[block.len() - n_channels..]), n, room);
            self.take_points(room);
            take(at, &room.points, &room.parameters);
            block.clone_from(&room.points);
        }
    }
}
