//! A schedule that ends with the time: what is left of it is spread over the steps that still fit.
//!
//! Of `N` planned steps `k` are done, and the last one stood at place `p` of the schedule, from 0 to `N - 1`. If `m`
//! more steps begin before the time limit, passes of validation counted in, and never more than `N - k`, then the next
//! one stands at
//!
//! `p' = p + (N - 1 - p) / m`,
//!
//! so that the last step that fits gets the last rate. While everything fits, `m = N - k` and `p' = k` exactly: the
//! rates are those without a limit, to the bit. The plain `max(k / N, elapsed / limit)` ends with the time too, but it
//! leaves out a part of the schedule with each pass of validation, and runs ahead of a plan that fits after one slow
//! step.

use std::time::Duration;

/// How long things take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// One step.
    pub(super) step: f64,
    /// One pass of validation; 0 without.
    pub(super) validation: f64,
}

/// Steps that are timed at least before a schedule follows them.
pub(super) const FEWEST_TIMED: usize = 3;

/// Seconds that steps are timed for before a schedule follows them: a fiftieth of the limit.
pub(super) fn shortest_timed(limit: Duration) -> Duration {
    limit / 50
}

impl Pace {
    /// How many more steps begin within `seconds`, where an epoch of `n_batches` has `n_batches_left` and validation
    /// follows each epoch.
    pub(super) fn n_fitting(self, seconds: f64, n_batches_left: usize, n_batches: usize) -> f64 {
        if self.step <= 0.0 {
            return f64::INFINITY;
        }
        let begun = |seconds: f64, most: usize| (seconds / self.step).ceil().clamp(0.0, most as f64);
        let epoch = |n_steps: usize| n_steps as f64 * self.step + self.validation;
        let after = seconds - epoch(n_batches_left);
        if after <= 0.0 {
            return begun(seconds, n_batches_left);
        }
        let n_epochs = (after / epoch(n_batches)).floor();
        let rest = after - n_epochs * epoch(n_batches);
        n_batches_left as f64 + n_epochs * n_batches as f64 + begun(rest, n_batches)
    }
}

/// How many places the schedule is ahead of the steps, for the step that follows `n_done` of `n_planned`; `ahead` is
/// the same for the step before, `n_fitting` how many more fit into the time, `None` for no limit.
pub(super) fn places_ahead(ahead: f64, n_done: usize, n_planned: usize, n_fitting: Option<f64>) -> f64 {
    if n_done == 0 || n_done >= n_planned {
        return 0.0;
    }
    let n_left = (n_planned - n_done) as f64;
    let n_left = n_fitting.map_or(n_left, |n_fitting| n_fitting.clamp(1.0, n_left));
    let (place, last) = ((n_done - 1) as f64 + ahead, (n_planned - 1) as f64);
    (place + (last - place) / n_left).min(last) - n_done as f64
}

#[cfg(test)]
// What is compared is the same to the bit, or a whole number.
#[allow(clippy::float_cmp)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;
    use std::time::Instant;

    use burn::tensor::{Device, Tensor};

    use super::*;
    use crate::Result;
    use crate::data::WindowOrder;
    use crate::nn::pipeline::device;
    use crate::nn::progress::{Control, TrainingEvent};
    use crate::nn::task::{BatchLoss, Task};
    use crate::nn::trainer::{TrainOptions, train};
    use crate::nn::training_state::CheckpointOptions;
    use crate::nn::{Begin, Mlp, Schedule, StopReason, TrainingReport};

    thread_local! {
        static STARTED: Instant = Instant::now();
        static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    }

    /// A clock that stands still but for [`pass`].
    fn now() -> Instant {
        STARTED.with(|started| *started + PASSED.get())
    }

    fn pass(seconds: f64) {
        PASSED.set(PASSED.get() + Duration::from_secs_f64(seconds));
    }

    /// A network of one weight, whose steps and passes of validation take as long as is said here.
    #[derive(Debug, Clone, Copy)]
    struct Timed {
        n_batches: usize,
        /// Of the first step of a run, and of every other.
        steps: [f64; 2],
        validation: f64,
        is_first: bool,
    }

    const TIMED: Timed = Timed { n_batches: 10, steps: [1.0, 1.0], validation: 0.0, is_first: true };

    impl Task<Mlp> for Timed {
        fn n_batches(&self) -> usize {
            self.n_batches
        }

        fn begin_epoch(&mut self, _order: WindowOrder) {}

        fn loss(&mut self, network: &Mlp, _batch_idx: usize) -> Result<BatchLoss> {
            pass(self.steps[usize::from(!std::mem::take(&mut self.is_first))]);
            Ok(square(network))
        }

        fn n_validation_batches(&self) -> usize {
            usize::from(self.validation > 0.0)
        }

        fn validation_loss(&mut self, network: &Mlp, _batch_idx: usize) -> Result<BatchLoss> {
            pass(self.validation);
            Ok(square(network))
        }
    }

    fn square(network: &Mlp) -> BatchLoss {
        let mean = network.forward(Tensor::ones([1, 1], &device(network))).square().mean();
        BatchLoss { mean, weight: 1.0, n_rows: 1 }
    }

    fn options(schedule: Schedule, n_epochs: usize, limit: Option<f64>) -> TrainOptions<'static> {
        let time_limit = limit.map(Duration::from_secs_f64);
        TrainOptions { schedule, n_epochs, time_limit, learning_rate: 1.0, now, ..TrainOptions::default() }
    }

    /// The learning rate of every step, and how it ended; asked to stop after `n_steps`.
    fn rates(mut task: Timed, options: &TrainOptions<'_>, n_steps: usize) -> (Vec<f64>, TrainingReport) {
        let mut rates = Vec::new();
        let mut watch = |event: &TrainingEvent| {
            if let TrainingEvent::Step(progress) = event {
                rates.push(progress.learning_rate);
                let most = options.time_limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64());
                assert!(progress.seconds_left <= most - 1.0, "{progress:?}");
            }
            if rates.len() == n_steps { Control::Stop } else { Control::Continue }
        };
        let network = Mlp::new(&[1, 1], 1, &Device::flex().autodiff());
        // A pool of one thread, which has the clock.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let report = pool.install(|| train(network, &mut task, options, &mut watch).unwrap().report);
        (rates, report)
    }

    #[test]
    fn without_a_limit_and_where_everything_fits_no_place_is_moved() {
        for n_planned in [1, 2, 3, 7, 1_000, 12_345] {
            for n_fitting in [None, Some(n_planned as f64), Some(f64::INFINITY)] {
                for n_done in 0..=n_planned {
                    assert_eq!(
                        places_ahead(0.0, n_done, n_planned, n_fitting),
                        0.0,
                        "{n_done} of {n_planned}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_last_step_that_fits_has_the_last_place() {
        for (n_planned, n_fitting) in [(10, 1), (10, 3), (1_000, 7), (100_000, 600), (20, 20), (20, 50)] {
            let n_steps = n_fitting.min(n_planned);
            let places = (1..n_steps).scan(0.0, |ahead, n_done| {
                *ahead = places_ahead(*ahead, n_done, n_planned, Some((n_fitting - n_done) as f64));
                Some(n_done as f64 + *ahead)
            });
            let places: Vec<f64> = std::iter::once(0.0).chain(places).collect();
            assert!(places.is_sorted(), "{places:?}");
            let (even, last) = ((n_planned - 1) as f64 / (n_steps.max(2) - 1) as f64, places[n_steps - 1]);
            assert!(places.windows(2).all(|pair| (pair[1] - pair[0] - even).abs() < 1e-6 * even));
            assert!(n_steps == 1 || (last - (n_planned - 1) as f64).abs() < 1e-6, "{last} of {n_planned}");
        }
    }

    /// One step after the other, with validation after each epoch, until the time is over.
    fn counted(pace: Pace, seconds: f64, n_batches_left: usize, n_batches: usize) -> usize {
        let (mut elapsed, mut left, mut n_steps) = (0.0, n_batches_left, 0);
        loop {
            if left == 0 {
                (elapsed, left) = (elapsed + pace.validation, n_batches);
            }
            if elapsed >= seconds {
                return n_steps;
            }
            (elapsed, left, n_steps) = (elapsed + pace.step, left - 1, n_steps + 1);
        }
    }

    #[test]
    fn the_steps_that_fit_are_those_of_a_count_step_by_step() {
        // Halves and quarters, whose sums are exact.
        for (step, validation) in [(1.0, 0.0), (0.5, 2.25), (0.25, 0.5), (2.0, 64.0)] {
            for n_batches in [1, 3, 10] {
                for n_batches_left in 0..=n_batches {
                    for seconds in (0..400).map(|i| f64::from(i) / 8.0) {
                        let pace = Pace { step, validation };
                        let ours = pace.n_fitting(seconds, n_batches_left, n_batches);
                        let due = counted(pace, seconds, n_batches_left, n_batches);
                        assert_eq!(ours, due as f64, "{pace:?} {seconds} {n_batches_left} of {n_batches}");
                    }
                }
            }
        }
        assert_eq!(Pace { step: 0.0, validation: 1.0 }.n_fitting(1.0, 1, 2), f64::INFINITY);
    }

    #[test]
    fn a_cycle_that_does_not_fit_goes_all_the_way_up_and_down_within_the_limit() {
        for schedule in [Schedule::OneCycle, Schedule::Cosine] {
            for (n_epochs, validation, slow_first) in
                [(100_000, 0.0, 1.0), (100, 6.0, 1.0), (100, 6.0, 8.0), (100, 300.0, 1.0), (30, 0.0, 1.0)]
            {
                let task = Timed { steps: [slow_first, 1.0], validation, ..TIMED };
                let (rates, report) = rates(task, &options(schedule, n_epochs, Some(200.0)), usize::MAX);
                let said = format!("{schedule:?}, {n_epochs} epochs, validation {validation}: {rates:.4?}");
                assert_eq!(report.stopped, StopReason::TimeLimit);
                assert_eq!(rates.len(), report.n_steps);
                let top = rates.iter().copied().fold(0.0, f64::max);
                if validation < 300.0 {
                    assert!(rates.len() > 120 && top > 0.99 && rates[rates.len() - 1] < 0.001, "{said}");
                } else {
                    // The first pass of validation takes all that is left.
                    assert_eq!(rates.len(), 10, "{said}");
                }
                let peak = rates.iter().position(|rate| *rate >= top).unwrap();
                assert!(rates[..peak].is_sorted() && rates[peak..].is_sorted_by(|a, b| a >= b), "{said}");
                assert_eq!(report.learning_rates.last(), rates.last());
            }
        }
    }

    #[test]
    fn what_fits_and_what_has_no_end_has_the_rates_of_a_training_without_a_limit() {
        let unlimited =
            |task, schedule, n_epochs| rates(task, &options(schedule, n_epochs, None), usize::MAX).0;
        // 3 epochs of 10 steps and 2 passes before the last step: 37.5 s beside a first step that seems to say 90.
        let task = Timed { steps: [3.0, 1.0], validation: 2.5, ..TIMED };
        for schedule in [Schedule::OneCycle, Schedule::Cosine, Schedule::Halving] {
            let (limited, report) = rates(task, &options(schedule, 3, Some(45.0)), usize::MAX);
            assert_eq!((limited, report.stopped), (unlimited(task, schedule, 3), StopReason::Done));
        }
        for schedule in [Schedule::Constant, Schedule::Halving, Schedule::StepDecay, Schedule::Plateau] {
            let (limited, report) = rates(TIMED, &options(schedule, 30, Some(45.0)), usize::MAX);
            assert_eq!((limited.len(), report.stopped), (45, StopReason::TimeLimit));
            assert_eq!(limited, unlimited(TIMED, schedule, 30)[..45], "{schedule:?}");
        }
    }

    #[test]
    fn time_that_is_over_after_an_epoch_ends_the_training_there() {
        let task = Timed { validation: 10.0, ..TIMED };
        let (rates, report) = rates(task, &options(Schedule::Constant, 30, Some(35.0)), usize::MAX);
        assert_eq!((rates.len(), report.stopped, report.validation.len()), (20, StopReason::TimeLimit, 2));
        // With the last epoch it is done.
        let (_, report) = self::rates(task, &options(Schedule::Constant, 2, Some(35.0)), usize::MAX);
        assert_eq!(report.stopped, StopReason::Done);
    }

    #[test]
    fn a_training_that_goes_on_takes_up_the_schedule_where_it_was() {
        let folder = std::env::temp_dir().join(format!("longcast-time-limit-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (path, about) = (folder.join("a.training"), BTreeMap::new());
        let limited = |limit, begin| TrainOptions {
            checkpoint: Some(CheckpointOptions { path: &path, every: Duration::ZERO, begin, about: &about }),
            ..options(Schedule::OneCycle, 1_000, limit)
        };
        // Stopped in the middle of its descent.
        let (before, _) = rates(TIMED, &limited(Some(100.0), Begin::Anew), 60);
        let (after, report) = rates(TIMED, &limited(Some(100.0), Begin::Resume), usize::MAX);
        let (last, next) = (before[59], after[0]);
        assert!((0.1..0.9).contains(&last) && next <= last && next > last - 0.03, "{last} {next}");
        assert_eq!((after.len(), report.stopped), (100, StopReason::TimeLimit));
        assert!(after.is_sorted_by(|a, b| a >= b) && after[99] < 0.001, "{after:.4?}");
        // Its time was up: with more of it, the schedule is that of all the planned steps again.
        let (more, _) = rates(TIMED, &limited(None, Begin::Resume), 2);
        let due = [160, 161].map(|step| Schedule::OneCycle.share(step, 10, 1_000));
        assert_eq!(more, due);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
