//! The peers of these experiments, as far as they take part, and what they are asked.

use std::cell::RefCell;
use std::path::Path;

use serde::Serialize;

use super::fit::Fitted;
use super::samples::density;
use crate::environment::Python;
use crate::error::Result;
use crate::peer::{ARNET, ARNET_TORCH, Peer};
use crate::topics::Setting;

/// The scripts that are running.
#[derive(Debug)]
pub(super) struct Peers {
    /// numpy, scipy, scikit-learn and statsmodels.
    pub(super) usual: Option<RefCell<Peer>>,
    /// PyTorch.
    pub(super) torch: Option<RefCell<Peer>>,
}

#[derive(Debug, Serialize)]
struct Question<'a> {
    task: &'a str,
    series: &'a Path,
    order: usize,
    density: f64,
    seed: u64,
}

impl Peers {
    /// Starts them; `--quick` leaves PyTorch out, whose packages are 6 GB.
    ///
    /// # Errors
    /// Those of the environment that they run in.
    pub(super) fn start(setting: &Setting) -> Result<Self> {
        let usual = setting.has_peers.then(|| Peer::start(&Python::with_packages()?, ARNET)).transpose()?;
        let is_trained = setting.has_peers && !setting.is_quick;
        let torch = is_trained.then(|| Peer::start(&Python::with_torch()?, ARNET_TORCH)).transpose()?;
        Ok(Peers { usual: usual.map(RefCell::new), torch: torch.map(RefCell::new) })
    }
}

/// A fit by a peer; the seed is that of a training, by which the series goes too.
///
/// # Errors
/// Those of the peer.
pub(super) fn ask(
    peer: &RefCell<Peer>,
    task: &str,
    series: &Path,
    order: usize,
    seed: u64,
) -> Result<Fitted> {
    peer.borrow_mut().ask(&Question { task, series, order, density: density(order), seed })
}
