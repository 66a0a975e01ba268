//! `cold-start`: a whole process that forecasts with a saved model, from `exec` to exit.
//!
//! The model is an autoregression of order 168 on the bundled electricity load. Processes are started and measured
//! by `peers/processes.py`, on both sides alike; the file cache is warm.

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use super::Setting;
use crate::console;
use crate::environment::Python;
use crate::error::{Error, Result};
use crate::measure::{Candidate, Spread, in_turn};
use crate::peer::{PROCESSES, Peer};
use crate::process::{Process, longcast, measure, words};
use crate::record::Record;
use crate::scratch::Scratch;

/// The most that a forecast may take, in milliseconds.
const MAX_MS: f64 = 60.0;
/// The most memory that it may use, in MB of 10^6 bytes.
const MAX_MB: f64 = 80.0;

/// What Python runs to have its libraries at hand, with nothing read or forecast yet, and how the records end.
const IMPORTS: [(&str, &str); 2] =
    [("import pandas, statsmodels", ""), ("import pandas, statsmodels.api", "_vs_statsmodels_api")];

/// The wall time in ms and the peak memory in MB of one command.
#[derive(Debug, Clone, Copy)]
struct Cost {
    ms: Spread,
    mb: Spread,
}

pub(crate) fn run(setting: &Setting) -> Result<Vec<Record>> {
    let n_runs = if setting.is_quick { 5 } else { 21 };
    let longcast = longcast(setting.longcast.as_deref())?;
    let mut peer = Peer::start(&Python::system()?, PROCESSES)?;
    let python = if setting.has_peers { Some(Python::with_packages()?) } else { None };
    console::note(format!("cold-start: {n_runs} runs of each command, in turn"));

    let scratch = Scratch::new("cold-start")?;
    let file = |name: &str| scratch.folder().join(name);
    let (data, model) = (file("load.csv"), file("load.longcast"));
    let csv = forecast_datasets::find("electricity")?.csv()?;
    fs::write(&data, &csv).map_err(|error| Error::file("cannot write", &data, error))?;
    let [data, model, output] = [&data, &model, &file("week.csv")].map(|path| path.display().to_string());
    let fit = ["fit", "--model", "ar", "--order", "168", "--horizon", "168", &data, "-o", &model];
    measure(&mut peer, &words(&longcast, &fit), &file("log"))?;

    let options = ["--horizon", "168", "--level", "80,95", "-o", &output];
    let mut commands = vec![
        words(&longcast, &[&["forecast", model.as_str()], &options[..]].concat()),
        words(&longcast, &[&["forecast", model.as_str(), data.as_str()], &options[..]].concat()),
    ];
    if let Some(python) = &python {
        commands.extend(IMPORTS.map(|(script, _)| words(&python.path, &["-c", script])));
    }
    let costs = costs(n_runs, peer, &commands, &file("log"))?;
    Ok(records(costs[0], costs[1], &costs[2..]))
}

/// The records of the two forms, beside the costs of as many of [`IMPORTS`] as were measured.
fn records(saved: Cost, from_csv: Cost, peers: &[Cost]) -> Vec<Record> {
    let mut records = Vec::new();
    for (name, ours) in [("cold_start_forecast", saved), ("cold_start_forecast_from_csv", from_csv)] {
        for (import_idx, (script, suffix)) in IMPORTS.iter().enumerate().take(peers.len().max(1)) {
            let mut time = Record::new(&format!("{name}{suffix}"), "ms", ours.ms);
            let mut memory = Record::new(&format!("{name}_peak_memory{suffix}"), "MB", ours.mb);
            if let Some(theirs) = peers.get(import_idx) {
                let peer = format!("python -c \"{script}\"");
                (time, memory) = (time.beside(&peer, theirs.ms), memory.beside(&peer, theirs.mb));
            }
            if import_idx == 0 {
                (time, memory) = (time.at_most(MAX_MS), memory.at_most(MAX_MB));
            }
            records.extend([time, memory]);
        }
    }
    records
}

/// What each command costs, all run in turn.
fn costs(n_runs: usize, peer: Peer, commands: &[Vec<String>], log: &Path) -> Result<Vec<Cost>> {
    let peer = RefCell::new(peer);
    let mut candidates: Vec<Candidate<'_, Process>> = commands
        .iter()
        .map(|command| -> Candidate<'_, Process> {
            let peer = &peer;
            Box::new(move || measure(&mut peer.borrow_mut(), command, log))
        })
        .collect();
    let measured = in_turn(n_runs, &mut candidates)?;
    let cost = |runs: &Vec<Process>| Cost {
        ms: Spread::of(runs.iter().map(|run| 1e3 * run.seconds)),
        mb: Spread::of(runs.iter().map(|run| 1e-6 * run.peak_bytes)),
    };
    Ok(measured.iter().map(cost).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(ms: f64, mb: f64) -> Cost {
        Cost { ms: Spread::of([ms]), mb: Spread::of([mb]) }
    }

    #[test]
    fn both_forms_have_their_bars_with_and_without_peers() {
        let alone = records(cost(20.0, 20.0), cost(70.0, 90.0), &[]);
        let json = crate::record::json(&alone).unwrap();
        assert_eq!(alone.len(), 4);
        assert_eq!((json.matches("\"ok\": true").count(), json.matches("\"ok\": false").count()), (2, 2));
        let peers = [cost(700.0, 70.0), cost(2000.0, 170.0)];
        let beside = crate::record::json(&records(cost(20.0, 20.0), cost(70.0, 90.0), &peers)).unwrap();
        assert!(beside.contains("\"cold_start_forecast_peak_memory_vs_statsmodels_api\""), "{beside}");
        assert_eq!(
            (beside.matches("\"bar\": null").count(), beside.matches("\"ratio\": 35.0").count()),
            (4, 1)
        );
    }
}
