//! The gRPC server of Longcast, as a library; the program `longcast` is its main user.
//!
//! A request becomes valid types in [`convert`](server), goes through [`forecast::Model`] on a compute pool of
//! its own, and comes back as a message; errors carry the path of the field that is to blame.

mod crc32c;
pub mod jobs;
pub mod registry;
pub mod server;

pub use crc32c::crc32c;
