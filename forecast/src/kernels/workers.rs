//! Many operations in a row, begun on one of the threads that compute them.
//!
//! Begun elsewhere, every operation would wake a thread and wait for it, which takes longer than the small ones
//! themselves.

/// Does work on a thread of the pool, the one at hand or else the usual one.
pub(crate) fn on_a_worker<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::join(work, || ()).0
}
