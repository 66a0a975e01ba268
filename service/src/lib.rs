//! The gRPC server of Longcast, as a library; the program `longcast` is its main user.
//!
//! A request passes the door ([`operation`]), becomes valid types ([`server`]), goes through a model of the
//! [`registry`] on a compute pool of its own, and comes back as a message; errors carry the path of the field that is
//! to blame.

mod crc32c;
pub mod jobs;
pub mod operation;
pub mod registry;
pub mod server;
pub mod session;

pub use crc32c::crc32c;
