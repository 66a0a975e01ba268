//! The models that a server holds: revisions on disk, loaded and warmed up, swapped without a pause, found by name,
//! revision or alias.

mod choose;
mod entry;
mod error;
mod load;
mod loaded;
mod names;
mod record;
mod registry;
mod store;
mod unload;
mod update;
mod upload;
mod views;
mod warm_up;

pub use choose::Traffic;
pub use error::RegistryError;
pub use loaded::{Loaded, Pin, ShadowFigures};
pub use names::Name;
pub use record::{ModelRecord, RevisionRecord};
pub use registry::{DEFAULT_ALIAS, Registry, RegistryLimits, Routed};
pub use unload::{OnUnload, SessionHolder, Unloaded};
pub use update::ModelChange;
pub use upload::Upload;
pub use views::{ModelView, RevisionState, RevisionView};
