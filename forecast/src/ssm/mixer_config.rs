//! The settings of a layer that mixes steps.

use serde::{Deserialize, Serialize};

use super::discretise::Discretisation;
use crate::{Error, Result};

/// The longest kernel, and the longest sequence that a layer can be made for.
pub const MAX_KERNEL: usize = 1 << 21;

/// First time steps of the papers.
const SHORTEST_STEP: f64 = 1e-3;
const LONGEST_STEP: f64 = 0.1;

/// The layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MixerKind {
    /// A state matrix that is diagonal plus a term of rank 1.
    S4,
    /// A diagonal state matrix.
    #[default]
    S4d,
    /// A long kernel of several scales, without a state.
    SgConv,
}

/// The first state matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateInit {
    /// HiPPO-LegS; for `s4d` its diagonal alone.
    Legs,
    /// `A_n = -1/2 + i pi n`.
    Lin,
    /// `A_n = -1/2 + i (N / pi) (N / (2 n + 1) - 1)`.
    Inv,
    /// `A_n = -(n + 1)`.
    Real,
    /// `inv` for the first half of the channels, `lin` for the rest.
    Diag,
}

/// Which steps a layer sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A step sees itself and those before it.
    #[default]
    Causal,
    /// A step sees all steps, by a second kernel that looks ahead; for encoders, no streaming.
    Both,
}

/// The settings of a layer that mixes steps.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `kind` | `s4d` | the layer | `s4`, `s4d`, `sgconv` |
/// | `d_state` | 64 | N, real numbers of state a channel | even, 2 to 512 |
/// | `init` | of the kind: `legs` for `s4`, `diag` for `s4d` | the first state matrix | `legs` for `s4`; all for `s4d` |
/// | `discretisation` | of the kind: `bilinear` for `s4`, `zoh` for `s4d` | from continuous time to steps | `bilinear` for `s4`; both for `s4d` |
/// | `dt_min` | of the lookback: 4 / lookback, from 0.001 to 0.1, so that states forget within it what they have seen; 0.001 for a layer alone | the shortest first time step of a channel | above 0, at most `dt_max` |
/// | `dt_max` | 0.1, at least 4 `dt_min` | the longest first time step of a channel | at most 100 |
/// | `direction` | `causal` | which steps a step sees | `causal`, `both` |
/// | `kernel_dim` | 32 | numbers of each scale of `sgconv` | 2 to 65,536 |
/// | `decay` | 2 | how much less each scale of `sgconv` weighs than the one before it | 1 to 16 |
/// | `state_rate` | 0.3 | learning rate of A, B, dt and the kernels of `sgconv`, as a share of that of all else | above 0, at most 1 |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MixerConfig {
    /// The layer.
    pub kind: MixerKind,
    /// N: real numbers of state for each channel.
    pub d_state: usize,
    /// The first state matrix; `None` for that of the kind.
    pub init: Option<StateInit>,
    /// From continuous time to steps; `None` for that of the kind.
    pub discretisation: Option<Discretisation>,
    /// The shortest first time step of a channel; `None` for what follows from the lookback.
    pub dt_min: Option<f64>,
    /// The longest first time step of a channel; `None` for what follows from the shortest.
    pub dt_max: Option<f64>,
    /// Which steps a step sees.
    pub direction: Direction,
    /// Numbers of each scale of `sgconv`.
    pub kernel_dim: usize,
    /// How much less each scale of `sgconv` weighs than the one before it.
    pub decay: f64,
    /// The learning rate of what a state is made of, as a share of that of all else.
    pub state_rate: f64,
}

impl Default for MixerConfig {
    fn default() -> Self {
        MixerConfig {
            kind: MixerKind::default(),
            d_state: 64,
            init: None,
            discretisation: None,
            dt_min: None,
            dt_max: None,
            direction: Direction::default(),
            kernel_dim: 32,
            decay: 2.0,
            state_rate: 0.3,
        }
    }
}

impl MixerConfig {
    /// Whether every setting is in its range; `prefix` stands before the names of settings in messages.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the first setting that is not.
    pub fn check(&self, prefix: &str) -> Result<()> {
        let bad = |field: &str, value: &dyn std::fmt::Display, rule: String| {
            let field = format!("{prefix}{field}");
            Err(Error::BadOption { field, value: value.to_string(), rule })
        };
        if self.d_state % 2 == 1 || !(2..=512).contains(&self.d_state) {
            let rule = "it has to be even, since states come in conjugate pairs, and 2 to 512";
            return bad("d_state", &self.d_state, rule.to_string());
        }
        let (dt_min, dt_max) = self.dt_range();
        if !(dt_max > 0.0 && dt_max <= 100.0) {
            return bad("dt_max", &dt_max, "it has to be above 0 and at most 100".to_string());
        }
        if !(dt_min > 0.0 && dt_min <= dt_max) {
            let rule = format!("it has to be above 0 and at most dt_max = {dt_max}; exchange the two");
            return bad("dt_min", &dt_min, rule);
        }
        if self.kind == MixerKind::S4 && self.init.is_some_and(|init| init != StateInit::Legs) {
            let init = self.init.map_or("", StateInit::name);
            return bad("init", &init, "s4 begins with legs alone; use kind s4d for the others".to_string());
        }
        if self.kind == MixerKind::S4 && self.discretisation == Some(Discretisation::Zoh) {
            let rule = "s4 has the bilinear rule alone; use kind s4d for zoh";
            return bad("discretisation", &"zoh", rule.to_string());
        }
        if !(2..=65_536).contains(&self.kernel_dim) {
            return bad("kernel_dim", &self.kernel_dim, "it has to be 2 to 65536".to_string());
        }
        if !(1.0..=16.0).contains(&self.decay) {
            return bad("decay", &self.decay, "it has to be 1 to 16".to_string());
        }
        if !(self.state_rate > 0.0 && self.state_rate <= 1.0) {
            return bad("state_rate", &self.state_rate, "it has to be above 0 and at most 1".to_string());
        }
        Ok(())
    }

    /// With the range of time steps that a lookback calls for. The slowest of first states has a time of 2 / dt_min
    /// steps, half the lookback: beyond it lies little that no loss has ever seen.
    pub(crate) fn resolved(&self, lookback: usize) -> Self {
        let slowest = (4.0 / lookback.max(1) as f64).clamp(SHORTEST_STEP, LONGEST_STEP);
        let dt_min = self.dt_min.unwrap_or(self.dt_max.map_or(slowest, |dt_max| slowest.min(dt_max)));
        let (dt_min, dt_max) = MixerConfig { dt_min: Some(dt_min), ..self.clone() }.dt_range();
        MixerConfig { dt_min: Some(dt_min), dt_max: Some(dt_max), ..self.clone() }
    }

    /// The range of first time steps; where nothing is said that of the papers.
    pub(crate) fn dt_range(&self) -> (f64, f64) {
        let dt_min = self.dt_min.unwrap_or(self.dt_max.map_or(SHORTEST_STEP, |most| SHORTEST_STEP.min(most)));
        (dt_min, self.dt_max.unwrap_or(f64::max(LONGEST_STEP, (4.0 * dt_min).min(100.0))))
    }

    /// The first state matrix that is used.
    pub(crate) fn first_states(&self) -> StateInit {
        self.init.unwrap_or(if self.kind == MixerKind::S4 { StateInit::Legs } else { StateInit::Diag })
    }

    /// The rule that is used.
    pub(crate) fn rule(&self) -> Discretisation {
        let is_s4 = self.kind == MixerKind::S4;
        self.discretisation.unwrap_or(if is_s4 { Discretisation::Bilinear } else { Discretisation::Zoh })
    }
}

impl StateInit {
    /// As it is written in settings.
    pub(crate) fn name(self) -> &'static str {
        match self {
            StateInit::Legs => "legs",
            StateInit::Lin => "lin",
            StateInit::Inv => "inv",
            StateInit::Real => "real",
            StateInit::Diag => "diag",
        }
    }
}

/// Whether a kernel can be this long.
///
/// # Errors
/// [`Error::BadOption`] for 0 and for more than [`MAX_KERNEL`].
pub(crate) fn check_length(field: &str, length: usize) -> Result<()> {
    if (1..=MAX_KERNEL).contains(&length) {
        return Ok(());
    }
    let rule = format!(
        "a kernel has 1 to {MAX_KERNEL} steps; use a shorter lookback, or stream the history through the state"
    );
    Err(Error::BadOption { field: field.to_string(), value: length.to_string(), rule })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl Fn(&mut MixerConfig)) -> String {
        let mut config = MixerConfig::default();
        change(&mut config);
        config.check("mixer.").unwrap_err().to_string()
    }

    #[test]
    fn settings_out_of_range_are_named_with_their_rule() {
        MixerConfig::default().check("").unwrap();
        let message = refused(|config| config.d_state = 7);
        assert!(message.starts_with("mixer.d_state is 7, but it has to be even"), "{message}");
        let message = refused(|config| (config.dt_min, config.dt_max) = (Some(0.1), Some(0.001)));
        assert!(
            message.contains("dt_min is 0.1, but it has to be above 0 and at most dt_max = 0.001"),
            "{message}"
        );
        assert!(refused(|config| config.dt_min = Some(f64::NAN)).contains("dt_min is NaN"));
        assert!(refused(|config| config.dt_max = Some(f64::INFINITY)).contains("dt_max is inf"));
        assert!(refused(|config| config.d_state = 514).contains("d_state"));
        assert!(refused(|config| config.kernel_dim = 1).contains("kernel_dim"));
        assert!(refused(|config| config.decay = 0.5).contains("decay"));
        assert!(refused(|config| config.state_rate = 0.0).contains("state_rate"));
        let s4 = |config: &mut MixerConfig| config.kind = MixerKind::S4;
        assert!(refused(|config| (s4(config), config.init = Some(StateInit::Lin)).1).contains("init is lin"));
        let zoh = |config: &mut MixerConfig| config.discretisation = Some(Discretisation::Zoh);
        assert!(refused(|config| (s4(config), zoh(config)).1).contains("s4 has the bilinear rule alone"));
    }

    #[test]
    fn states_forget_within_the_lookback_what_they_have_seen() {
        let range = |dt_min, dt_max, lookback| {
            let config = MixerConfig { dt_min, dt_max, ..MixerConfig::default() }.resolved(lookback);
            config.check("").unwrap();
            (config.dt_min.unwrap(), config.dt_max.unwrap())
        };
        assert_eq!(range(None, None, 400), (0.01, 0.1));
        assert_eq!(range(None, None, 100), (0.04, 0.16));
        assert_eq!(range(None, None, 1_000_000), (0.001, 0.1));
        assert_eq!(range(None, None, 1), (0.1, 0.4));
        assert_eq!(range(Some(0.002), None, 100), (0.002, 0.1));
        assert_eq!(range(None, Some(0.02), 100), (0.02, 0.02));
        assert_eq!(MixerConfig::default().dt_range(), (0.001, 0.1));
    }

    #[test]
    fn lengths_of_zero_and_beyond_the_bound_are_refused() {
        for length in [1, MAX_KERNEL] {
            check_length("length", length).unwrap();
        }
        for length in [0, MAX_KERNEL + 1] {
            let message = check_length("length", length).unwrap_err().to_string();
            assert!(
                message.contains(&format!("length is {length}, but a kernel has 1 to 2097152")),
                "{message}"
            );
        }
    }
}
