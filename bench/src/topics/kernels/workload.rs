//! Work in a process of its own, ours and the peer's by the same questions, so that peaks of memory are those of the
//! work alone.

use std::io::{self, BufRead};
use std::time::Instant;

use forecast::workload::{Workload, WorkloadSizes};
use serde::{Deserialize, Serialize};

use crate::console;
use crate::error::{Error, Result};
use crate::measure::peak_bytes;

/// The command of the process that [`serve`] runs in.
pub(super) const COMMAND: &str = "workload";

/// What doing the work once took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Answer {
    /// Wall time.
    pub(super) seconds: f64,
    /// The peak resident memory of the process so far; `None` where the system does not tell.
    pub(super) peak_bytes: Option<f64>,
    /// The same before the work was built.
    pub(super) base_bytes: Option<f64>,
    /// What came out; it keeps the work from being left out.
    pub(super) checksum: f64,
}

/// Answers questions from standard input until it ends: the first one builds the work, each does it once.
pub(crate) fn serve() -> Result<()> {
    let base_bytes = peak_bytes();
    let mut work: Option<Workload> = None;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::file("cannot read", "standard input", error))?;
        let sizes: WorkloadSizes = serde_json::from_str(&line)?;
        let work = match &mut work {
            Some(work) => work,
            none => none.insert(Workload::new(&sizes)?),
        };
        let start = Instant::now();
        let checksum = work.run()?;
        let seconds = start.elapsed().as_secs_f64();
        let answer = Answer { seconds, peak_bytes: peak_bytes(), base_bytes, checksum };
        console::lines(&[serde_json::to_string(&answer)?])?;
    }
    Ok(())
}
