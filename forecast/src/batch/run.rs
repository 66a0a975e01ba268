//! The run itself: while series are fitted those after them are read, and the parts before them are put away.

use std::fs;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, SyncSender};

use super::choices::Choices;
use super::identity::{Input, Manifest};
use super::journal::{Journal, PartRecord};
use super::part::{Part, Store};
use super::sink::{self, Joined};
use super::source::Source;
use super::work::{Outcome, Work};
use super::{BatchOptions, BatchReport, Progress, errors_beside};
use crate::file::cannot_write;
use crate::kernels::on_a_worker;
use crate::{Error, Result};

/// Fits and forecasts every series of `inputs` and writes the forecasts to `output`: the columns of
/// [`table`](crate::table()) for each model beside each other, one row for each series, channel and step.
///
/// `inputs` are files whose rows are grouped by series. `progress` is called once before the first series, with
/// what an earlier start has left, and after each series, from several threads.
///
/// A series or a model that fails has a row in the errors file (`unique_id`, `model`, `error`), and empty cells
/// in the output, or no rows there if every model failed. An errors file of an earlier run is removed if nothing
/// fails. Where no series can be forecast no output is written, and one that is there stays.
///
/// # Errors
/// [`Error::BadOption`] for the options, for a folder of parts that belongs to another run, and where the memory
/// limit is too small for a series; what [`SeriesReader`](crate::data::SeriesReader) says of the files; [`Error::Io`] if a file cannot be
/// written. Parts that are done stay, and the same call goes on after them.
pub fn run(
    inputs: &[PathBuf],
    output: &Path,
    options: &BatchOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<BatchReport> {
    options.check()?;
    let manifest = Manifest {
        longcast: env!("CARGO_PKG_VERSION").to_string(),
        settings: options.settings(),
        inputs: inputs.iter().map(|path| Input::of(path)).collect::<Result<_>>()?,
        choices: None,
    };
    let mut source = Source::open(inputs, options)?;
    let mut journal = Journal::open(output, manifest, options.restart)?;
    let n_resumed = journal.total().n_series;
    let computed = Joined::new(&journal, output, options.format).and_then(|mut joined| {
        let choices = compute(&mut source, (&mut journal, &mut joined), options, progress)?;
        Ok((choices, joined))
    });
    match computed {
        Ok((choices, joined)) => finish((journal, joined), output, options, choices, n_resumed),
        Err(error) => {
            journal.remove_if_untouched();
            Err(error)
        }
    }
}

/// Computes all parts that are not there yet.
fn compute(
    source: &mut Source,
    (journal, joined): (&mut Journal, &mut Joined<'_>),
    options: &BatchOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Choices> {
    let channels = source.channels().to_vec();
    let schema = source.covariate_schema().clone();
    let n_resumed = journal.total().n_series;
    let choices = match journal.choices() {
        Some(choices) => choices.clone(),
        None => {
            let choices = source.look(options, &channels)?;
            journal.begin(choices.clone())?;
            choices
        }
    };
    if choices.frequency != source.frequency() {
        let rule = format!("the run was begun with {}; give it with --freq", choices.frequency);
        return Err(Error::option("the step of the data", source.frequency(), rule));
    }
    source.skip(n_resumed)?;
    progress(Progress { n_done: n_resumed, n_resumed, n_expected: source.n_expected() });

    let work = Work::new(options, &choices, (&channels, &schema));
    let part = Part::new(options.series_per_part(channels.len()));
    let folder = journal.folder().to_path_buf();
    let mut store = Store { options, choices: &choices, journal, joined };
    // The disk is waited for by a thread of its own, while the others have something to compute. One full part at a
    // time is on its way to it.
    std::thread::scope(|scope| {
        let (full, parts) = mpsc::sync_channel::<Vec<Outcome>>(0);
        let stored = std::thread::Builder::new()
            .spawn_scoped(scope, move || parts.into_iter().try_for_each(|outcomes| store.put_away(outcomes)))
            .map_err(|source| cannot_write(&folder, source))?;
        // On a thread that computes: one that only waited for them would be woken for every shard.
        let computed = on_a_worker(|| fill(source, &work, part, &full, (n_resumed, progress)));
        drop(full);
        // Where no part can be put away, that is why no more were computed.
        stored.join().unwrap_or_else(|panic| resume_unwind(panic)).and(computed)
    })?;
    Ok(choices)
}

/// Computes the series that are left, part by part, until the end or until nobody takes the parts any more. What was
/// computed is put away before an error ends the run.
fn fill(
    source: &mut Source,
    work: &Work<'_>,
    mut part: Part,
    full: &SyncSender<Vec<Outcome>>,
    (n_resumed, progress): (usize, &(dyn Fn(Progress) + Sync)),
) -> Result<()> {
    let n_done = AtomicUsize::new(n_resumed);
    let mut shard = source.take(part.room())?;
    while let Some(now) = shard {
        let n_expected = source.n_expected();
        let room = part.room_after(now.len());
        let done = || {
            let n_done = 1 + n_done.fetch_add(1, Ordering::Relaxed);
            progress(Progress { n_done, n_resumed, n_expected: n_expected.map(|n| n.max(n_done)) });
        };
        let (outcomes, next) = rayon::join(|| work.shard(&now, &done), || source.take(room));
        if let Some(outcomes) = part.add(outcomes?)
            && full.send(outcomes).is_err()
        {
            return Ok(());
        }
        shard = next?;
    }
    let rest = part.rest();
    if !rest.is_empty() {
        // Whoever takes no more says why.
        let _ = full.send(rest);
    }
    Ok(())
}

/// Puts the parts together, writes what failed, and removes the folder.
fn finish(
    (journal, joined): (Journal, Joined<'_>),
    output: &Path,
    options: &BatchOptions,
    choices: Choices,
    n_resumed: usize,
) -> Result<BatchReport> {
    let errors = options.errors.clone().unwrap_or_else(|| errors_beside(output));
    let PartRecord { n_series, n_forecast, n_rows, .. } = *journal.total();
    let n_errors = journal.n_failures();
    if n_errors > 0 {
        sink::write_errors(&journal, output, &errors)?;
    } else {
        match fs::remove_file(&errors) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(cannot_write(&errors, source));
            }
            _ => {}
        }
    }
    joined.finish()?;
    journal.remove()?;
    Ok(BatchReport {
        n_series,
        n_forecast,
        n_errors,
        n_rows,
        n_resumed,
        step: choices.frequency.step,
        season_length: choices.season_length,
        models: choices.models,
        output: (n_rows > 0).then(|| output.to_path_buf()),
        errors: (n_errors > 0).then_some(errors),
    })
}
