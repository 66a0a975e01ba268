//! A whole process that forecasts with an Informer of 11 million weights, beside PyTorch's import, load and predict.

use std::cell::RefCell;
use std::fs;

use forecast::workload::{WorkloadKind, WorkloadSizes};

use super::super::Setting;
use super::sizes;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn};
use crate::peer::{INFORMER, PROCESSES, Peer};
use crate::process::{Process, longcast, measure, words};
use crate::record::Record;
use crate::scratch::Scratch;

/// The most that a forecast may take, in milliseconds.
const MAX_MS: f64 = 250.0;
/// Hours of the series; its network is trained for a step, which is enough to weigh as much as a good one.
const N_STEPS: usize = 400;

pub(super) fn run(setting: &Setting, python: Option<&Python>) -> Result<Vec<Record>> {
    let n_runs = if setting.is_quick { 3 } else { 11 };
    let longcast = longcast(setting.longcast.as_deref())?;
    let peer = RefCell::new(Peer::start(&Python::system()?, PROCESSES)?);
    console::note(format!("kernels: cold start, {n_runs} runs of each command, in turn"));

    let scratch = Scratch::new("informer-cold-start")?;
    let file = |name: &str| scratch.folder().join(name);
    let log = file("log");
    let WorkloadSizes { lookback, label_length, horizon, .. } = sizes(WorkloadKind::InformerInfer);
    fs::write(file("data.csv"), table())
        .map_err(|error| Error::file("cannot write", file("data.csv"), error))?;
    let [data, model, output] =
        ["data.csv", "m.longcast", "day.csv"].map(|name| file(name).display().to_string());
    let (lookback, label_length) = (format!("lookback={lookback}"), format!("label_length={label_length}"));
    let horizon = horizon.to_string();
    let fit =
        ["fit", "--model", "informer", "--set", "preset=code", "--set", &lookback, "--set", &label_length];
    let fit = [&fit[..], &["--time-limit", "0.001", "--horizon", &horizon, &data, "-o", &model]].concat();
    measure(&mut peer.borrow_mut(), &words(&longcast, &fit), &log)?;

    let ours = ["forecast", &model, "--horizon", &horizon, "--level", "80", "-o", &output];
    let mut commands = vec![words(&longcast, &ours)];
    if let Some(python) = python {
        let sizes = WorkloadSizes { n_batch: 1, ..sizes(WorkloadKind::InformerInfer) };
        let sizes = serde_json::to_string(&sizes)?;
        let weights = file("weights.pt").display().to_string();
        let python_words =
            |arguments: &[&str]| words(&python.path, &[&["-I", "-c", INFORMER.text()], arguments].concat());
        measure(&mut peer.borrow_mut(), &python_words(&["save", &weights, &sizes]), &log)?;
        commands.push(python_words(&["predict", &weights, &sizes, &output]));
    }
    let side = |command: &Vec<String>| -> Candidate<'_, Process> {
        let (command, peer, log) = (command.clone(), &peer, &log);
        Box::new(move || measure(&mut peer.borrow_mut(), &command, log))
    };
    let mut sides: Vec<Candidate<'_, Process>> = commands.iter().map(side).collect();
    let measured = in_turn(n_runs, &mut sides)?;
    Ok(records(&measured))
}

/// Seven channels of an hourly table.
fn table() -> String {
    let header: String = (0..7).map(|channel| format!(",c{channel}")).collect();
    let row = |step: usize| {
        let value = |channel: usize| {
            let angle = std::f64::consts::TAU * (step + channel) as f64 / 24.0;
            format!(",{:.3}", 10.0 * angle.sin() + ((step * 31 + channel * 7) % 17) as f64)
        };
        let cells: String = (0..7).map(value).collect();
        format!("2024-01-{:02} {:02}:00:00{cells}\n", 1 + step / 24, step % 24)
    };
    let rows: String = (0..N_STEPS).map(row).collect();
    format!("ds{header}\n{rows}")
}

/// Time and memory of our side, beside those of PyTorch if it was measured.
fn records(measured: &[Vec<Process>]) -> Vec<Record> {
    let times = |runs: &[Process]| Spread::of(runs.iter().map(|run| 1e3 * run.seconds));
    let peaks = |runs: &[Process]| Spread::of(runs.iter().map(|run| 1e-6 * run.peak_bytes));
    let mut time = Record::new("informer_cold_start", "ms", times(&measured[0]));
    let mut memory = Record::new("informer_cold_start_peak_memory", "MB", peaks(&measured[0]));
    if let Some(theirs) = measured.get(1) {
        let peer = "PyTorch: import, load, predict";
        (time, memory) = (time.beside(peer, times(theirs)), memory.beside(peer, peaks(theirs)));
    }
    vec![time.at_most(MAX_MS), memory]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_hourly_and_complete() {
        let panel = forecast::Panel::read_csv(table().as_bytes(), "t.csv", &Default::default()).unwrap();
        assert_eq!((panel.channels().len(), panel.series()[0].n_steps()), (7, N_STEPS));
    }
}
