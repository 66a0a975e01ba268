//! The models that a server holds: revisions on disk, loaded and warmed up, swapped without a pause, found by name,
//! revision or alias.

mod choose;
mod entry;
mod error;
mod import;
mod loaded;
mod names;
mod record;
mod registry;
mod store;
mod unload;
mod update;
mod warm_up;

pub use choose::Traffic;
pub use error::RegistryError;
pub use import::Upload;
pub use loaded::{Loaded, Pin};
pub use names::Name;
pub use record::{ModelRecord, RevisionRecord};
pub use registry::{ModelView, Registry, RevisionState, RevisionView, Routed};
pub use unload::{Pinned, SessionMover};
