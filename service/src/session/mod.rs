//! Sessions: forecasts that follow a stream of observations, through reconnects and restarts.
//!
//! ```text
//! stream ──> Cell ──> Engine (pure) ──> forecasts
//!              │ one log write a batch
//!              └──> Log ──> segments on disk ──> Store, at the next start
//! ```
//!
//! [`Engine`] is a function of what it was created with and the batches it was given: no clock, no I/O, no threads.
//! Everything else keeps it alive: [`Cell`] lets one writer at a time in, [`Log`] holds what was given, and
//! [`Store`] finds all of it again.

mod batch;
mod cell;
mod engine;
mod error;
mod fallback;
mod figures;
mod intervals;
mod log;
mod medium;
mod models;
mod record;
mod restore;
mod scan;
mod series;
mod settings;
mod snapshot;
mod store;

pub use batch::{Batch, BatchView};
pub use cell::{Applied, Attachment, Cell, Durability, Issued};
pub use engine::{Engine, Refusal, Step, Trouble};
pub use error::SessionError;
pub use log::{Log, LogCore, LogOptions, LogState};
pub use medium::{Folder, Medium, MemoryMedium, Segment};
pub use models::{FindModel, PinnedModel};
pub use record::{Record, RecordKind};
pub use restore::{Restored, restore};
pub use scan::{Scanned, scan};
pub use series::SeriesState;
pub use settings::{Emission, Fallback, Settings, SlowReader, TimeAction, TimePolicy};
pub use snapshot::{decode_state, encode_state};
pub use store::{Limits, NewSession, Store, StoreOptions};
