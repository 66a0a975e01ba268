//! The most memory that a fit takes: each in a process of its own, which does nothing else.
//!
//! On both sides it is the peak resident memory of the whole process, from `exec` to exit, program and libraries
//! included, as `wait4` reports it to `peers/processes.py`, which starts them all.

use std::path::Path;

use super::fit::Fit;
use super::samples::{Sample, density, read};
use crate::console;
use crate::environment::{Python, own_path};
use crate::error::Result;
use crate::measure::Spread;
use crate::peer::{ARNET_ONCE, PROCESSES, Peer};
use crate::process::{measure, words};
use crate::record::Record;
use crate::scratch::Scratch;
use crate::topics::Setting;

/// The command of the process that [`once`] runs in.
const ONCE: &str = "arnet-once";
/// The most that least squares of 1,000 lags may take, in MB of 10^6 bytes.
const MOST_MB: f64 = 100.0;
/// How often ours is measured; theirs once, since they take gigabytes and up to half a minute.
const N_RUNS: usize = 3;
/// Tasks of the peers' script, and what records call them.
const RIVALS: [(&str, &str); 3] = [
    ("normal", "numpy, normal equations of the lag matrix"),
    ("lstsq", "numpy.linalg.lstsq on the lag matrix"),
    ("autoreg", "statsmodels AutoReg"),
];

/// Least squares of so many lags beside the same with a lag matrix.
pub(super) fn memory(setting: &Setting, sample: &Sample, scratch: &Scratch) -> Result<Vec<Record>> {
    let order = if setting.is_quick { 100 } else { 1_000 };
    console::note(format!("arnet: memory of fits of {order} lags"));
    let mut processes = Peer::start(&Python::system()?, PROCESSES)?;
    let (file, order_text) = (sample.file.display().to_string(), order.to_string());
    let mut peak_of = |command: &[String]| -> Result<f64> {
        Ok(1e-6 * measure(&mut processes, command, &scratch.folder().join("log"))?.peak_bytes)
    };
    let command = words(&own_path()?, &[ONCE, "--order", &order_text, &file]);
    let ours = (0..N_RUNS).map(|_| peak_of(&command)).collect::<Result<Vec<_>>>()?;
    let ours = Spread::of(ours);
    let name = format!("{}_p{order}_peak_memory", Fit::LeastSquares.name());
    let mut records = vec![Record::new(&name, "MB", ours).at_most(MOST_MB)];
    if setting.has_peers {
        let python = Python::with_packages()?;
        // The last one takes seconds at any order.
        let n_rivals = if setting.is_quick { RIVALS.len() - 1 } else { RIVALS.len() };
        for (task, peer) in &RIVALS[..n_rivals] {
            let arguments = ["-I", "-c", ARNET_ONCE.text(), task, &order_text, &file];
            let theirs = Spread::of([peak_of(&words(&python.path, &arguments))?]);
            records.push(Record::new(&format!("{name}_vs_{task}"), "MB", ours).beside(peer, theirs));
        }
    }
    Ok(records)
}

/// Reads a series and fits it once by least squares.
///
/// # Errors
/// Those of the file and of the fit.
pub(crate) fn once(path: &Path, order: usize) -> Result<()> {
    Fit::LeastSquares.of(&read(path)?, order, density(order)).map(|_| ())
}
