//! Intervals of a session: those of the model, or adaptive ones, and how often they hold.

use forecast::model::{Adaptive, AdaptiveOptions};
use forecast::{ForecastOptions, Model, State};

use super::figures::Figures;
use super::settings::Settings;

/// Calibrated intervals are judged at every so many steps: each costs the errors of the last forecasts.
pub(super) const JUDGED_EVERY: u64 = 64;

/// What to ask the library for.
pub(super) fn options(settings: &Settings, horizon: usize) -> ForecastOptions {
    ForecastOptions {
        horizon,
        levels: if settings.adaptive { Vec::new() } else { settings.levels.clone() },
        quantiles: settings.quantiles.clone(),
        band: match settings.whole_path {
            true => forecast::Band::WholePath,
            false => forecast::Band::EachStep,
        },
    }
}

/// Adaptive intervals for a state, if the session has such.
///
/// # Errors
/// Those of [`Model::start_adaptive`].
pub(super) fn start(model: &Model, settings: &Settings, state: &State) -> forecast::Result<Option<Adaptive>> {
    if !settings.adaptive {
        return Ok(None);
    }
    let options = AdaptiveOptions { horizon: settings.horizon, levels: settings.levels.clone() };
    model.start_adaptive(state, &options).map(Some)
}

/// Judges the intervals of the next step by its outcome, before the state takes it.
pub(super) fn judge(
    model: &Model,
    settings: &Settings,
    state: &State,
    adaptive: Option<&Adaptive>,
    figures: &mut Figures,
    values: &[f64],
) {
    if let Some(adaptive) = adaptive {
        adaptive.judge(values, &mut |level, is_inside| figures.judge(level, is_inside));
        return;
    }
    if settings.levels.is_empty() || !figures.n_taken.is_multiple_of(JUDGED_EVERY) {
        return;
    }
    let options = ForecastOptions { quantiles: Vec::new(), ..options(settings, 1) };
    // A state that is short of its lookback has no forecast to judge.
    let Ok(forecast) = model.forecast_from(state, &options) else { return };
    for (level, interval) in forecast.intervals.iter().enumerate() {
        for (channel, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            let (lower, upper) = (interval.lower[[0, channel]], interval.upper[[0, channel]]);
            figures.judge(level, lower <= *value && *value <= upper);
        }
    }
}
