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

mod apply;
mod batch;
mod cell;
mod create;
mod engine;
mod error;
mod fallback;
mod figures;
mod housekeeping;
mod intervals;
mod log;
mod log_core;
mod medium;
mod models;
mod observe;
mod readers;
mod record;
mod restore;
mod scan;
mod series;
mod settings;
mod snapshot;
mod store;
mod trouble;

pub use apply::{Applied, Writer};
pub use batch::{Batch, BatchView, MAX_ROWS};
pub use cell::{Attachment, Cell, Durability, Issued, MOST_ISSUED, Watcher};
pub use create::NewSession;
pub use engine::{Engine, Made, Step};
pub use error::SessionError;
pub use fallback::Season;
pub use figures::{Coverage, Figures};
pub use log::{Log, LogOptions, LogState};
pub use log_core::LogCore;
pub use medium::{Folder, Medium, MemoryMedium, Segment};
pub use models::{FindModel, PinnedModel};
pub use readers::Due;
pub use record::{Record, RecordKind, write_batch, write_delete, write_epoch, write_state};
pub use restore::{Found, Lost, Restored, restore};
pub use scan::{Scanned, scan};
pub use series::{FallbackState, SeriesState};
pub use settings::{Emission, Fallback, Settings, SlowReader, TimeAction, TimePolicy};
pub use snapshot::{decode_settings, decode_state, encode_series, encode_state};
pub use store::{Limits, Store, StoreOptions};
pub use trouble::{Refusal, Trouble};
