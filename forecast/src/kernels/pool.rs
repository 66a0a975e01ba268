//! Memory that is used again: fresh pages cost more than many a kernel that writes them.
//!
//! Buffers of gradients and of what a backward pass has read come back here; the next operation of about the same
//! size gets them. A training holds all of them, for each of its steps needs what the one before did; else what is held
//! is bounded.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::tensor::TensorData;

/// Shorter buffers are left to the allocator, which does not give their pages back.
const SHORTEST: usize = 1 << 14;

/// Numbers held at most where nothing is trained: 512 MiB of them.
const MOST: usize = 1 << 27;

/// Numbers held beyond which a training lets go of some when it needs fresh ones, which bounds its peak: 1.25 GiB.
const MUCH: usize = 5 << 26;

static POOL: Mutex<Pool> = Mutex::new(Pool { by_capacity: BTreeMap::new(), n_held: 0, n_trainings: 0 });

struct Pool {
    by_capacity: BTreeMap<usize, Vec<Vec<f32>>>,
    n_held: usize,
    n_trainings: usize,
}

/// A training under way: while there is one, all memory that comes back is held.
#[derive(Debug)]
pub(crate) struct Holding(());

impl Holding {
    pub(crate) fn begin() -> Self {
        pool().n_trainings += 1;
        Holding(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let mut pool = pool();
        pool.n_trainings -= 1;
        let n_too_many = if pool.n_trainings == 0 { pool.n_held.saturating_sub(MOST) } else { 0 };
        let gone = pool.let_go(n_too_many);
        drop(pool);
        drop(gone);
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A buffer of this length that holds any numbers: whoever takes it writes all of it.
pub(super) fn take(length: usize) -> Vec<f32> {
    if length < SHORTEST {
        return vec![0.0; length];
    }
    let (found, gone) = pool().take(length);
    // The system takes it back while nobody waits.
    drop(gone);
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
    let refused = pool().give(buffer);
    drop(refused);
}

/// Gives the memory of numbers back that came from an operation and are no longer needed.
pub(crate) fn reuse(data: TensorData) {
    if let Ok(values) = data.try_into_vec::<f32>() {
        give(values);
    }
}

impl Pool {
    /// The smallest buffer that is long enough and at most a quarter too long. Where there is none, and much is held, as
    /// much of it goes as a fresh one takes.
    fn take(&mut self, length: usize) -> (Option<Vec<f32>>, Vec<Vec<f32>>) {
        let found = self.by_capacity.range(length..=length + length / 4).next();
        match found.map(|(capacity, _)| *capacity) {
            Some(capacity) => (self.remove(capacity), Vec::new()),
            None if self.n_held > MUCH => (None, self.let_go(length)),
            None => (None, Vec::new()),
        }
    }

    /// Holds a buffer, or returns it where there is no room.
    fn give(&mut self, buffer: Vec<f32>) -> Option<Vec<f32>> {
        let capacity = buffer.capacity();
        if self.n_trainings == 0 && self.n_held.saturating_add(capacity) > MOST {
            return Some(buffer);
        }
        self.n_held += capacity;
        self.by_capacity.entry(capacity).or_default().push(buffer);
        None
    }

    fn remove(&mut self, capacity: usize) -> Option<Vec<f32>> {
        let buffers = self.by_capacity.get_mut(&capacity)?;
        let buffer = buffers.pop();
        if buffers.is_empty() {
            self.by_capacity.remove(&capacity);
        }
        self.n_held -= buffer.as_ref().map_or(0, Vec::capacity);
        buffer
    }

    /// Buffers of `n` numbers or a little more: the longest of those that are not longer, or the shortest.
    fn let_go(&mut self, n: usize) -> Vec<Vec<f32>> {
        let (mut gone, mut n_gone) = (Vec::new(), 0);
        while n_gone < n {
            let fitting = self.by_capacity.range(..=n - n_gone).next_back();
            let Some((&capacity, _)) = fitting.or_else(|| self.by_capacity.first_key_value()) else { break };
            gone.extend(self.remove(capacity));
            n_gone += capacity;
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Pool {
        Pool { by_capacity: BTreeMap::new(), n_held: 0, n_trainings: 0 }
    }

    /// Room that is reserved and never written costs no memory.
    fn room(capacity: usize) -> Vec<f32> {
        Vec::with_capacity(capacity)
    }

    #[test]
    fn a_buffer_that_comes_back_is_used_again_and_the_longest_are_not_wasted() {
        let mut pool = empty();
        assert!(pool.give(vec![3.0; 40_000]).is_none());
        assert!(pool.take(20_000).0.is_none());
        assert!(pool.take(40_001).0.is_none());
        assert_eq!(pool.take(39_900).0.unwrap(), vec![3.0; 40_000]);
        assert_eq!((pool.n_held, pool.by_capacity.len()), (0, 0));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut pool = empty();
        let third = MOST / 3;
        let n_refused = (0..7).filter_map(|_| pool.give(room(third))).count();
        assert_eq!((pool.n_held, n_refused), (3 * third, 4));
        assert!(pool.give(room(MOST + 1)).is_some());
        // What is held is still there for whoever asks.
        assert_eq!(pool.take(third).0.unwrap().capacity(), third);
    }

    #[test]
    fn a_training_holds_all_and_lets_go_of_as_much_as_it_needs_afresh() {
        let mut pool = Pool { n_trainings: 1, ..empty() };
        let [large, small] = [MUCH / 2, MUCH / 10];
        assert!((0..3).all(|_| pool.give(room(large)).is_none() && pool.give(room(small)).is_none()));
        let (found, gone) = pool.take(large / 2 + small);
        assert!(found.is_none());
        let gone: Vec<usize> = gone.iter().map(Vec::capacity).collect();
        assert_eq!(gone, [small, small, small, large]);
        assert_eq!(pool.n_held, 2 * large);
        assert_eq!(pool.take(large).0.unwrap().capacity(), large);
        // Little is held now: nothing goes.
        let (found, gone) = pool.take(small);
        assert!(found.is_none() && gone.is_empty());
    }

    #[test]
    fn the_end_of_a_training_lets_go_of_what_is_too_much() {
        let mut pool = Pool { n_trainings: 1, ..empty() };
        (0..5).for_each(|_| assert!(pool.give(room(MOST / 2)).is_none()));
        let too_many = pool.n_held - MOST;
        assert_eq!(pool.let_go(too_many).len(), 3);
        assert_eq!(pool.n_held, MOST / 2 * 2);
    }

    #[test]
    fn zeros_are_zeros() {
        let length = (1 << 15) + 7_777;
        give(vec![5.0; length]);
        assert_eq!(take_zeros(length), vec![0.0; length]);
    }
}
