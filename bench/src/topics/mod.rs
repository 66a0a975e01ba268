//! The topics, one file or folder each; `published.rs` is what several of them stand beside.

pub(crate) mod arnet;
pub(crate) mod cold_start;
pub(crate) mod informer;
pub(crate) mod kernels;
pub(crate) mod ltsf;
pub(crate) mod panel;
pub(crate) mod published;
pub(crate) mod read;
pub(crate) mod service;
pub(crate) mod ssm;
pub(crate) mod stream;
pub(crate) mod windows;

use std::path::PathBuf;

/// How a topic is to measure.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Fewer runs.
    pub(crate) is_quick: bool,
    /// Peers are measured in the same run.
    pub(crate) has_peers: bool,
    /// Where the program `longcast` is, if not beside this one.
    pub(crate) longcast: Option<PathBuf>,
    /// Where charts go; none are drawn without.
    pub(crate) plots: Option<PathBuf>,
}
