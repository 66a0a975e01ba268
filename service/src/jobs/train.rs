//! A training: a panel in, a revision of a model out.

use std::time::{Duration, Instant};

use forecast::nn::{Control, TrainingEvent};
use forecast::{FitOptions, Model, Panel};

use super::event::Training;
use super::job::{CHECKPOINT, Job, Task};
use super::jobs::Shared;
use super::names::segment;
use super::publish::NewRevision;
use super::request::checked_fit;
use super::run::{Outcome, Stopped, refused_by_library};
use crate::server::status::internal;

/// What of a job is done when the training of a network is; calibration is the rest.
const SHARE_OF_TRAINING: f64 = 0.95;

/// Fits, and makes a revision of it.
pub(super) fn run(shared: &Shared, job: &Job, panel: &Panel) -> Result<Outcome, Stopped> {
    let Task::Training { model: name, spec, makes_default } = &job.brief.task else {
        return Err(internal("it is no training").into());
    };
    let (config, options) = checked_fit(spec, "spec")?;
    let checkpoint = config.is_trained_once().then(|| job.folder.join(CHECKPOINT));
    let resume = checkpoint.is_some();
    let options = FitOptions { cancel: job.cancel.clone(), checkpoint, resume, ..options };
    let mut pace = Pace::new(shared.config.progress_every);
    let mut watch = |event: &TrainingEvent| {
        if pace.is_due() || matches!(event, TrainingEvent::Epoch { .. }) {
            tell(job, event);
        }
        Control::Continue
    };
    let fitted = Model::fit_watched(&config, panel, &options, &mut watch)
        .map_err(|error| refused_by_library(&error, "spec.settings"))?;
    let file = fitted.model.to_bytes().map_err(|error| refused_by_library(&error, "spec"))?;
    // From here on it has a result.
    if job.cancel.is_cancelled() {
        return Err(Stopped::Cancelled);
    }
    let model_id = segment(name, "models").unwrap_or_default();
    let revision = NewRevision { model_id, file, job: &job.name(), makes_default: *makes_default };
    let revision = shared.registry.publish(revision)?;
    let metrics = fitted.model.header().metrics.iter();
    let metrics =
        metrics.filter(|(_, value)| value.is_finite()).map(|(name, value)| (name.clone(), *value)).collect();
    Ok(Box::new(move |job| (job.revision, job.metrics) = (revision, metrics)))
}

fn tell(job: &Job, event: &TrainingEvent) {
    let at = event.progress();
    let (validation, is_best) = match event {
        TrainingEvent::Step(_) => (None, false),
        TrainingEvent::Epoch { validation, is_best, .. } => (*validation, *is_best),
    };
    let training = Training {
        epoch: at.epoch,
        n_epochs: at.n_epochs,
        batch: at.batch,
        n_batches: at.n_batches,
        loss: at.loss,
        validation,
        is_best,
        learning_rate: at.learning_rate,
        gradient_norm: at.gradient_norm,
        windows_per_second: at.windows_per_second,
        seconds_left: at.seconds_left,
    };
    let n_done = at.epoch.saturating_sub(1) * at.n_batches + at.batch;
    let share = n_done as f64 / (at.n_epochs * at.n_batches).max(1) as f64;
    let message = format!("epoch {} of {}, batch {} of {}", at.epoch, at.n_epochs, at.batch, at.n_batches);
    job.progress(&message, None, |job| {
        (job.progress, job.training) = (share * SHARE_OF_TRAINING, Some(training));
    });
}

/// Keeps events apart.
struct Pace {
    between: Duration,
    last: Option<Instant>,
}

impl Pace {
    fn new(between: Duration) -> Self {
        Pace { between, last: None }
    }

    /// Whether enough time has passed since it last was.
    fn is_due(&mut self) -> bool {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= self.between);
        if is_due {
            self.last = Some(Instant::now());
        }
        is_due
    }
}
