//! Room that a thread computes in, kept so that a step of a stream asks the allocator for nothing.

use std::cell::Cell;

/// What a stream computes in.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Of the plain network.
    pub(super) numbers: Vec<f32>,
    /// What the head reads of some steps. Shape `(step, width)`.
    pub(super) outputs: Vec<f32>,
    /// Values of some steps, filled. Shape `(step, channel)`.
    pub(super) values: Vec<f64>,
    /// One step as it came. Shape `(channel)`.
    pub(super) step: Vec<f64>,
    /// Of some steps ahead the parameters of the head. Shape `(step, channel, parameter)`.
    pub(super) parameters: Vec<f64>,
    /// The same as one number each. Shape `(step, channel)`.
    pub(super) points: Vec<f64>,
    /// Time features of some steps, and with covariates what the network takes. Shapes `(step, feature)`, `(step, mark)`.
    pub(super) features: Vec<f64>,
    pub(super) marks: Vec<f32>,
}

thread_local! {
    // Taken out while in use: work that a thread begins while it waits for other work finds an empty one.
    static ROOM: Cell<Room> = const {
        Cell::new(Room {
            numbers: Vec::new(),
            outputs: Vec::new(),
            values: Vec::new(),
            step: Vec::new(),
            parameters: Vec::new(),
            points: Vec::new(),
            features: Vec::new(),
            marks: Vec::new(),
        })
    };
}

/// What `work` makes with the room of this thread.
pub(super) fn with_room<T>(work: impl FnOnce(&mut Room) -> T) -> T {
    let mut room = ROOM.take();
    let made = work(&mut room);
    ROOM.set(room);
    made
}
