//! The gRPC server of Longcast, as a library; the program `longcast` is its main user.
//!
//! A request becomes valid types in [`convert`](server), goes through [`forecast::Model`] on a compute pool of
//! its own, and comes back as a message; errors carry the path of the field that is to blame.

pub mod registry;
pub mod server;
pub mod session;
