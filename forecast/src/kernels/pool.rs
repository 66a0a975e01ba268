//! Memory that is used again: fresh pages cost more than many a kernel that writes them.
//!
//! Buffers of gradients and of what a backward pass has read come back here; the next operation of about the same
//! size gets them. What is held is bounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use burn::tensor::TensorData;

/// Shorter buffers are left to the allocator, which does not give their pages back.
const SHORTEST: usize = 1 << 14;

/// Numbers held at most: 512 MiB of them.
const MOST: usize = 1 << 27;

static POOL: Mutex<Pool> = Mutex::new(Pool { by_capacity: BTreeMap::new(), n_held: 0 });

struct Pool {
    by_capacity: BTreeMap<usize, Vec<Vec<f32>>>,
    n_held: usize,
}

/// A buffer of this length that holds any numbers: whoever takes it writes all of it.
pub(super) fn take(length: usize) -> Vec<f32> {
    if length < SHORTEST {
        return vec![0.0; length];
    }
    let found = POOL.lock().unwrap_or_else(PoisonError::into_inner).take(length);
    match found {
        Some(mut buffer) => {
            buffer.resize(length, 0.0);
            buffer
        }
        None => vec![0.0; length],
    }
}

/// A buffer of zeros.
pub(super) fn take_zeros(length: usize) -> Vec<f32> {
    let mut buffer = take(length);
    buffer.fill(0.0);
    buffer
}

/// Gives a buffer back.
pub(super) fn give(buffer: Vec<f32>) {
    let capacity = buffer.capacity();
    if capacity < SHORTEST {
        return;
    }
    POOL.lock().unwrap_or_else(PoisonError::into_inner).give(buffer);
}

/// Gives the memory of numbers back that came from an operation and are no longer needed.
pub(crate) fn reuse(data: TensorData) {
    if let Ok(values) = data.try_into_vec::<f32>() {
        give(values);
    }
}

impl Pool {
    /// The smallest buffer that is long enough and at most a quarter too long.
    fn take(&mut self, length: usize) -> Option<Vec<f32>> {
        let (&capacity, buffers) = self.by_capacity.range_mut(length..=length + length / 4).next()?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.by_capacity.remove(&capacity);
        }
        self.n_held -= buffer.as_ref().map_or(0, Vec::capacity);
        buffer
    }

    /// Where there is no more room, what is held is of sizes that nobody asks for any more: it goes.
    fn give(&mut self, buffer: Vec<f32>) {
        let capacity = buffer.capacity();
        if self.n_held.saturating_add(capacity) > MOST {
            self.by_capacity.clear();
            self.n_held = 0;
        }
        if capacity <= MOST {
            self.n_held += capacity;
            self.by_capacity.entry(capacity).or_default().push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Pool {
        Pool { by_capacity: BTreeMap::new(), n_held: 0 }
    }

    #[test]
    fn a_buffer_that_comes_back_is_used_again_and_the_longest_are_not_wasted() {
        let mut pool = empty();
        pool.give(vec![3.0; 40_000]);
        assert!(pool.take(20_000).is_none());
        assert!(pool.take(40_001).is_none());
        assert_eq!(pool.take(39_900).unwrap(), vec![3.0; 40_000]);
        assert_eq!((pool.n_held, pool.by_capacity.len()), (0, 0));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut pool = empty();
        // Room that is reserved and never written costs no memory.
        let third = MOST / 3;
        (0..7).for_each(|_| pool.give(Vec::with_capacity(third)));
        assert_eq!(pool.n_held, third);
        pool.give(Vec::with_capacity(MOST + 1));
        assert_eq!(pool.n_held, 0);
    }

    #[test]
    fn zeros_are_zeros() {
        let length = (1 << 15) + 7_777;
        give(vec![5.0; length]);
        assert_eq!(take_zeros(length), vec![0.0; length]);
    }
}
