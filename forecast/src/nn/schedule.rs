//! How the learning rate changes over the steps of a training.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The learning rate as a function of the step; what is set is its largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The same in every step.
    Constant,
    /// Times 0.9 after each epoch: AR-Net's first code.
    StepDecay,
    /// Times 0.5 after each epoch but the first: Informer's code, which multiplies by 0.5^(epoch - 1) once an epoch,
    /// counted from 1, is over.
    Halving,
    /// Half of a cosine, from the whole down to nothing (Loshchilov and Hutter 2017, arXiv 1608.03983, without
    /// restarts). With a time limit that not all steps fit into, it ends by then.
    Cosine,
    /// Up from a 25th in the first quarter of the steps, then down to a 10,000th, both along half a cosine (Smith
    /// and Topin 2018, arXiv 1708.07120; constants of AR-Net's later code). It ends by a time limit, too.
    OneCycle,
    /// Times 0.5 after each epoch that is the third in a row without a lower loss than the best before: of
    /// validation, or of training where there is none (PyTorch's `ReduceLROnPlateau` with a patience of 2).
    Plateau,
}

/// Where a training stands that [`Schedule::Plateau`] watches.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlateauState {
    best: Option<f64>,
    n_bad: usize,
    share: f64,
}

const PLATEAU_PATIENCE: usize = 2;
const PLATEAU_FACTOR: f64 = 0.5;
const DECAY: f64 = 0.9;
const WARM_UP: f64 = 0.25;
const FIRST_SHARE: f64 = 1.0 / 25.0;
const LAST_SHARE: f64 = 1.0 / 10_000.0;

impl Schedule {
    /// The share of the largest learning rate in step `step`, from 0, of `n_epochs` epochs of `n_batches` steps; what
    /// [`Schedule::Plateau`] takes off comes on top.
    ///
    /// # Example
    /// ```
    /// use forecast::nn::Schedule;
    ///
    /// assert_eq!(Schedule::Halving.share(7, 3, 10), 0.5); // in the third epoch
    /// assert!((Schedule::OneCycle.share(0, 4, 10) - 0.04).abs() < 1e-12);
    /// assert!((Schedule::OneCycle.share(9, 4, 10) - 1.0).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn share(self, step: usize, n_batches: usize, n_epochs: usize) -> f64 {
        self.share_ahead(step, 0.0, n_batches, n_epochs)
    }

    /// The same where a schedule that has an end is some places ahead of the steps; see `time_limit.rs`.
    pub(super) fn share_ahead(self, step: usize, ahead: f64, n_batches: usize, n_epochs: usize) -> f64 {
        let place = step as f64 + ahead;
        let epoch = (step / n_batches.max(1)) as f64;
        let n_steps = n_batches.saturating_mul(n_epochs).max(1) as f64;
        match self {
            Schedule::Constant | Schedule::Plateau => 1.0,
            Schedule::StepDecay => DECAY.powf(epoch),
            Schedule::Halving => 0.5f64.powf((epoch - 1.0).max(0.0)),
            Schedule::Cosine => half_cosine(1.0, 0.0, place / n_steps),
            Schedule::OneCycle => {
                let (top, last) = (WARM_UP * n_steps - 1.0, n_steps - 1.0);
                if place <= top {
                    half_cosine(FIRST_SHARE, 1.0, place / top.max(1.0))
                } else {
                    half_cosine(1.0, LAST_SHARE, (place - top) / (last - top))
                }
            }
        }
    }
}

impl Default for PlateauState {
    fn default() -> Self {
        PlateauState { best: None, n_bad: 0, share: 1.0 }
    }
}

impl PlateauState {
    /// The share of the learning rate after the epochs so far; 1 under every other schedule.
    pub(crate) fn share(&self, schedule: Schedule) -> f64 {
        if schedule == Schedule::Plateau { self.share } else { 1.0 }
    }

    /// Takes note of the loss of an epoch.
    pub(crate) fn observe(&mut self, loss: f64) {
        if self.best.is_none_or(|best| loss < best) {
            (self.best, self.n_bad) = (Some(loss), 0);
            return;
        }
        self.n_bad += 1;
        if self.n_bad > PLATEAU_PATIENCE {
            (self.share, self.n_bad) = (self.share * PLATEAU_FACTOR, 0);
        }
    }
}

/// From one value to another along half a cosine; `done` from 0 to 1.
fn half_cosine(from: f64, to: f64, done: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (PI * done).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten epochs of four steps, learning rate 0.003.
    fn check(schedule: Schedule, expected: &[(usize, f64)]) {
        for (step, expected) in expected {
            let ours = 0.003 * schedule.share(*step, 4, 10);
            assert!((ours / expected - 1.0).abs() < 1e-9, "{schedule:?} {step}: {ours} for {expected}");
        }
    }

    /// Expected numbers are those of `torch.optim.lr_scheduler` in PyTorch 2.15.0, around one step of Adam each.
    #[test]
    fn rates_are_those_of_pytorchs_schedulers() {
        check(Schedule::Constant, &[(0, 0.003), (39, 0.003)]);
        // StepLR(optimiser, 1, gamma=0.9), one step an epoch.
        let decay =
            [(0, 0.003), (3, 0.003), (4, 0.0027), (8, 0.002_43), (19, 0.001_968_3), (39, 0.001_162_261_467)];
        check(Schedule::StepDecay, &decay);
        // LambdaLR(optimiser, lambda epoch: 0.5 ** max(epoch - 1, 0)), one step an epoch.
        let halving = [(3, 0.003), (7, 0.003), (8, 0.0015), (12, 0.000_75), (39, 1.171_875e-5)];
        check(Schedule::Halving, &halving);
        // CosineAnnealingLR(optimiser, T_max=40).
        let cosine = [
            (0, 0.003),
            (1, 0.002_995_376_000_599_692_3),
            (10, 0.002_560_660_171_779_821),
            (20, 0.0015),
            (33, 0.000_221_039_753_468_861_7),
            (39, 4.623_999_400_308_054_5e-6),
        ];
        check(Schedule::Cosine, &cosine);
        // OneCycleLR(optimiser, 0.003, total_steps=40, pct_start=0.25, div_factor=25, final_div_factor=400).
        let one_cycle = [
            (0, 0.000_12),
            (1, 0.000_206_842_626_068_291_88),
            (3, 0.000_84),
            (8, 0.002_913_157_373_931_708),
            (9, 0.003),
            (10, 0.002_991_783_664_768_104_7),
            (24, 0.001_500_15),
            (37, 3.307_532_103_940_154e-5),
            (39, 3e-7),
        ];
        check(Schedule::OneCycle, &one_cycle);
    }

    /// `ReduceLROnPlateau(optimiser, factor=0.5, patience=2, threshold=0)`.
    #[test]
    fn plateaus_halve_the_rate_after_three_epochs_without_a_better_one() {
        let mut state = PlateauState::default();
        let losses = [5.0, 4.0, 4.0, 4.5, 4.1, 3.9, 4.0, 4.0, 3.9, 4.0, 4.0, 4.0, 1.0];
        let shares = losses.map(|loss| {
            state.observe(loss);
            state.share(Schedule::Plateau)
        });
        let due = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125];
        assert!(shares.iter().zip(due).all(|(ours, due)| (ours - due).abs() < 1e-12), "{shares:?}");
        assert!((state.share(Schedule::Cosine) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn shares_are_from_0_to_1_for_any_number_of_steps() {
        use Schedule::{Constant, Cosine, Halving, OneCycle, Plateau, StepDecay};
        for schedule in [Constant, StepDecay, Halving, Cosine, OneCycle, Plateau] {
            for (n_batches, n_epochs) in [(1, 1), (1, 2), (3, 1), (2, 2), (5, 7)] {
                for step in 0..n_batches * n_epochs {
                    let share = schedule.share(step, n_batches, n_epochs);
                    assert!((0.0..=1.0).contains(&share), "{schedule:?} {step} of {n_batches} x {n_epochs}");
                }
            }
        }
    }
}
