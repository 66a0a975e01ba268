//! Which settings do best on the validation range of a cell; its test range is not looked at.
//!
//! Two rounds, each of one network a candidate with seed 1: what mixes and how windows are normalised, and then depth,
//! dropout and lookback of the best of these, one change at a time.

use forecast::ModelConfig;
use forecast::eval::Ltsf;
use forecast::nn::Control;

use crate::console;
use crate::error::{Error, Result};

/// A setting and its value.
type Pair = (&'static str, &'static str);
/// Settings of a candidate.
type Settings = Vec<Pair>;

const MIXERS: [&str; 3] = ["s4d", "s4", "sgconv"];
const NORMALISATIONS: [&str; 2] = ["last-value", "revin"];
const CHANGES: [Pair; 4] = [("n_layers", "1"), ("dropout", "0.1"), ("lookback", "96"), ("lookback", "720")];

/// The best settings for the first horizon of a protocol, beside those of `base`.
pub(super) fn choose(ltsf: &Ltsf, name: &str, base: &ModelConfig, is_quick: bool) -> Result<Settings> {
    best(&|settings| validate(ltsf, base, settings), name, is_quick)
}

/// The settings with the least error.
fn best(error_of: &dyn Fn(&[Pair]) -> Result<f64>, name: &str, is_quick: bool) -> Result<Settings> {
    let mut first = MIXERS.iter().flat_map(|mixer| {
        NORMALISATIONS.iter().map(move |form| vec![("mixer", *mixer), ("normalisation", *form)])
    });
    let n_first = if is_quick { 2 } else { MIXERS.len() * NORMALISATIONS.len() };
    let mut least: Option<(f64, Settings)> = None;
    let consider = |settings: Settings, least: &mut Option<(f64, Settings)>| -> Result<()> {
        let error = error_of(&settings)?;
        let told = settings.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>();
        console::note(format!("{name}: {error:.4} on the validation range with {}", told.join(" ")));
        // The first of equals; what is no number is never best.
        if error.is_finite() && least.as_ref().is_none_or(|(least, _)| error < *least) {
            *least = Some((error, settings));
        }
        Ok(())
    };
    for settings in first.by_ref().take(n_first) {
        consider(settings, &mut least)?;
    }
    for change in CHANGES.iter().take(if is_quick { 0 } else { CHANGES.len() }) {
        let Some((_, settings)) = &least else { break };
        let mut settings = settings.clone();
        settings.retain(|(key, _)| *key != change.0);
        settings.push(*change);
        consider(settings, &mut least)?;
    }
    least
        .map(|(_, settings)| settings)
        .ok_or_else(|| Error::Unexpected(format!("{name}: no candidate has an error of validation")))
}

/// The least error on the validation range that a training saw.
fn validate(ltsf: &Ltsf, base: &ModelConfig, settings: &[Pair]) -> Result<f64> {
    let mut config = base.clone();
    for (key, value) in settings {
        config = config.with(key, value)?;
    }
    let mut error = f64::NAN;
    ltsf.fit_watched(&config, &mut |_| Control::Continue, &mut |model| {
        let losses = model.training().map(|report| &report.validation[..]).unwrap_or_default();
        error = losses.iter().copied().fold(error, f64::min);
        Ok(())
    })?;
    Ok(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_the_first_round_is_changed_where_that_helps() {
        let error_of = |settings: &[Pair]| {
            let has = |key: &str, value: &str| settings.contains(&(key, value));
            let mut error = if has("mixer", "s4") { 1.0 } else { 2.0 };
            error += if has("normalisation", "revin") { 0.1 } else { 0.2 };
            error -= if has("dropout", "0.1") { 0.05 } else { 0.0 };
            Ok(if has("lookback", "720") { f64::NAN } else { error })
        };
        let found = best(&error_of, "cell", false).unwrap();
        assert_eq!(found, [("mixer", "s4"), ("normalisation", "revin"), ("dropout", "0.1")]);
        assert!(best(&|_| Ok(f64::NAN), "cell", true).is_err());
    }
}
