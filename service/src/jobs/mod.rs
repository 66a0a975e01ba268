//! Trainings and back-tests as jobs, and the data sets that they read.
//!
//! A job is a folder: the request as it was sent, the data, the log of its events, and the checkpoint of a training.
//! Its state is that of the last event, so a killed server finds every job as it stood; what ran goes on. Jobs are
//! led by threads of their own and compute on the pool of trainings.

mod backtest;
mod config;
mod data;
mod datasets;
mod event;
mod folder;
mod job;
#[allow(clippy::module_inception)]
mod jobs;
mod log;
pub mod message;
mod names;
mod publish;
mod request;
mod run;
mod series;
mod spec;
mod state;
mod train;
mod upload;

pub use config::JobsConfig;
pub use datasets::Datasets;
pub use event::{Event, Fold, JobState, ModelScores, Snapshot, Training};
pub use folder::JobsFolder;
pub use job::{Brief, Job, Kind, Reach, Task};
pub use jobs::Jobs;
pub use log::EventReader;
pub use publish::{NewRevision, Publish};
pub use request::JobRequest;
