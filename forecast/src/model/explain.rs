//! One forecast split into the contributions of its lags.
//!
//! A linear model's forecast of step `h` is `b + w_1 x_1 + ... + w_p x_p`, with `x_i` the value at lag `i`; where
//! the model takes its own forecasts as lags of later ones, they are followed back to the values that they came from
//! (`traced.rs`). Told about the mean `m` of the training range it is
//!
//! `base + w_1 (x_1 - m) + ... + w_p (x_p - m)`, `base = b + m (w_1 + ... + w_p)`:
//!
//! the base is what the model forecasts where every lag is at the mean, and a lag contributes what its distance from
//! the mean changes. Without the mean the contributions of a load around 2,000 kW would all be large and cancel.

use super::coefficients::check_step;
use super::traced::traced;
use super::{ForecastOptions, Model, Warning};
use crate::data::{Series, TimeIndex};
use crate::{Error, Result};

/// The forecast of one step ahead of one channel as a sum: `base` and all contributions add up to `forecast`.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The series.
    pub series: String,
    /// The channel.
    pub channel: String,
    /// The step ahead, from 1.
    pub step: usize,
    /// The stamp of the step that is forecast.
    pub stamp: i64,
    /// The forecast of [`Model::forecast_series`], in the units of the series.
    pub forecast: f64,
    /// The forecast if the value at every lag were `center`.
    pub base: f64,
    /// Where contributions are counted from: the center of the scaling, which is the mean of the training range by
    /// default, its median with robust scaling, its smallest value with min-max, 0 without scaling and for rules that
    /// repeat values.
    pub center: f64,
    /// The stamps of the look-back, oldest first.
    pub window: TimeIndex,
    /// One for each lag whose weight is not zero, ascending.
    pub contributions: Vec<Contribution>,
    /// What each column that the model is regressed on adds, against its mean over the training range, the waves of a
    /// season together.
    /// The values of the lags are then those that the columns leave of the series.
    pub columns: Vec<(String, f64)>,
    /// What a reader of the forecast should know.
    pub warnings: Vec<Warning>,
}

/// What one past value adds to a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Steps back from the first step ahead: 1 is the last value that is known, whatever step is forecast.
    pub lag: usize,
    /// The stamp of the value.
    pub stamp: i64,
    /// The value, in the units of the series.
    pub value: f64,
    /// Where the value comes from.
    pub origin: ValueOrigin,
    /// How much the forecast grows if the value grows by 1; through a recursion's own forecasts too.
    pub weight: f64,
    /// `weight * (value - center)`, in the units of the series.
    pub contribution: f64,
}

/// Where a value that a forecast looks back at comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueOrigin {
    /// The series.
    Observed,
    /// It was missing, and is the model's own forecast of it.
    Filled,
}

impl Model {
    /// The forecast of `step` (from 1) after the end of a series, split into the contributions of its lags.
    ///
    /// The channels of the series are in the model's order, as for [`Model::forecast_series`].
    ///
    /// # Errors
    /// [`Error::BadOption`] for a family without coefficients, a channel beyond the last, a step below 1 or above
    /// 1,000,000; else as [`Model::forecast_series`].
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let rows: String = (0..300).map(|i| format!("{i},{}\n", [3.0, 5.0, 4.0][i % 3])).collect();
    /// # let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// let config = ModelConfig::parse("seasonal-naive")?.with("season_length", "3")?;
    /// let model = Model::fit(&config, &panel, &FitOptions::default())?.model;
    /// let next = model.explain(&panel.series()[0], 0, 1)?; // the values are 3, 5, 4, 3, 5, 4, ...
    /// let [only] = next.contributions[..] else { panic!() };
    /// assert_eq!((only.lag, only.value, only.weight), (3, 3.0, 1.0));
    /// assert!(next.base.abs() < 1e-9 && (only.contribution - 3.0).abs() < 1e-9);
    /// assert!((next.forecast - 3.0).abs() < 1e-9);
    /// assert!(model.explain(&panel.series()[0], 0, 0).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn explain(&self, series: &Series, channel: usize, step: usize) -> Result<Explanation> {
        check_step(step)?;
        let Some(name) = self.header().channels.get(channel) else {
            let n = self.header().channels.len();
            return Err(Error::option("channel", channel, format!("the model has {n}, counted from 0")));
        };
        let slot = self.slot(series.id())?;
        let family = self.parts.family.as_ref();
        let (intercept, weights) =
            traced(family, slot.family, channel, step).ok_or_else(|| self.without_coefficients())?;
        let state = self.start(series)?;
        let options = ForecastOptions { horizon: step, ..ForecastOptions::default() };
        let forecast = self.forecast_from(&state, &options)?;
        let scaler = self.parts.scalers[slot.scale][channel];
        // What has coefficients looks at lags.
        let memory = state.memory.lags().ok_or_else(|| self.without_coefficients())?;
        let scaled = memory.window(channel, 0); // oldest first
        let n_steps = series.n_steps();
        let window = series.index().slice(n_steps - scaled.len()..n_steps);
        let stamps: Vec<i64> = window.stamps().collect();
        let is_regressed = self.parts.regression.is_some();
        let entering = weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0);
        let contributions: Vec<Contribution> = entering
            .map(|(i, weight)| {
                let observed = series.values()[[n_steps - 1 - i, channel]];
                let at = scaled.len() - 1 - i;
                let in_memory = scaler.unscale(scaled[at]);
                let (value, origin) = match observed.is_nan() {
                    true => (in_memory, ValueOrigin::Filled),
                    false if is_regressed => (in_memory, ValueOrigin::Observed),
                    false => (observed, ValueOrigin::Observed),
                };
                let contribution = weight * (value - scaler.center);
                Contribution { lag: i + 1, stamp: stamps[at], value, origin, weight: *weight, contribution }
            })
            .collect();
        let columns = match &self.parts.regression {
            Some(regression) => self.column_contributions(regression, slot, &state, channel, step)?,
            None => Vec::new(),
        };
        let base = scaler.unscale(intercept);
        if !base.is_finite() || contributions.iter().any(|c| !c.contribution.is_finite()) {
            let rule = format!(
                "the forecast of series \"{}\" grows without bound within it; ask for an earlier step",
                series.id()
            );
            return Err(Error::option("step", step, rule));
        }
        Ok(Explanation {
            series: series.id().to_string(),
            channel: name.clone(),
            step,
            stamp: forecast.index.stamp(step - 1),
            forecast: forecast.mean[[step - 1, channel]],
            base,
            center: scaler.center,
            window,
            contributions,
            columns,
            warnings: forecast.warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::{FitOptions, ModelConfig, Panel};

    const STEPS: [usize; 6] = [1, 2, 5, 6, 13, 40];

    /// Two channels of two seasons, a trend and deterministic noise.
    fn panel(n: usize, ids: &[&str]) -> Panel {
        let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n);
        let channels = ["a".to_string(), "b".to_string()];
        let value = |seed: usize, t: usize, channel: usize| {
            let x = t as f64;
            let noise = ((t * 7919 + seed * 104_729 + channel * 31) % 1009) as f64 / 1009.0;
            50.0 + 0.01 * x + 8.0 * (x * 0.2618).sin() + 3.0 * noise * (1.0 + channel as f64)
        };
        let series = ids.iter().enumerate().map(|(seed, id)| {
            let values = Array2::from_shape_fn((n, 2), |(t, channel)| value(seed, t, channel));
            Series::new(*id, index.clone(), values, &channels).unwrap()
        });
        Panel::new(channels.to_vec(), series.collect()).unwrap()
    }

    fn fit(model: &str, settings: &[(&str, &str)], panel: &Panel) -> Model {
        let mut config = ModelConfig::parse(model).unwrap();
        for (key, value) in settings {
            config = config.with(key, value).unwrap();
        }
        let options = FitOptions { horizon: Some(6), season_length: Some(24), ..FitOptions::default() };
        Model::fit(&config, panel, &options).unwrap().model
    }

    /// Every family, and the ways that an autoregression can be set.
    fn models(panel: &Panel) -> Vec<Model> {
        let mut models: Vec<Model> =
            ["naive", "seasonal-naive", "drift", "window-mean"].map(|name| fit(name, &[], panel)).into();
        models.push(fit("ar", &[("order", "9")], panel));
        models.push(fit("ar", &[("order", "30"), ("strategy", "direct")], panel));
        models.push(fit("ar", &[("lookbacks", "4,12"), ("pool_channels", "false")], panel));
        models.push(fit("ar", &[("lookbacks", "3"), ("anchor", "mean")], panel));
        models.push(fit("ar", &[("order", "5"), ("anchor", "last"), ("strategy", "recursive")], panel));
        models.push(fit("ar", &[("order", "9"), ("pooled", "true")], panel));
        models.push(fit("ar", &[("order", "9"), ("fourier", "1D:2"), ("trend", "linear")], panel));
        models.push(fit("ar", &[("order", "9"), ("difference", "1")], panel));
        models.push(fit("ar-net", &[], panel));
        models.push(fit("ar-net", &[("order", "40")], panel));
        models
    }

    fn forecast(model: &Model, series: &Series, channel: usize, step: usize) -> f64 {
        let options = ForecastOptions { horizon: step, ..ForecastOptions::default() };
        model.forecast_series(series, &options).unwrap().mean[[step - 1, channel]]
    }

    /// Explains every channel at several steps and holds the sum against the forecast.
    fn check_sums(model: &Model, series: &Series) {
        for (step, channel) in STEPS.iter().flat_map(|step| [(*step, 0), (*step, 1)]) {
            let told = model.explain(series, channel, step).unwrap();
            let expected = forecast(model, series, channel, step);
            let columns: f64 = told.columns.iter().map(|(_, contribution)| contribution).sum();
            let sum = told.base + columns + told.contributions.iter().map(|c| c.contribution).sum::<f64>();
            let what = format!("{:?}, step {step}", model.header().config);
            assert!((sum - expected).abs() <= 1e-9 * expected.abs(), "{what}: {sum} is not {expected}");
            assert_eq!(told.forecast.to_bits(), expected.to_bits(), "{what}");
            assert_eq!(told.stamp, series.index().stamp(series.n_steps() + step - 1), "{what}");
        }
    }

    #[test]
    fn contributions_add_up_to_the_forecast_for_every_family_channel_and_step() {
        let panel = panel(700, &["s", "t"]);
        for model in models(&panel) {
            panel.series().iter().for_each(|series| check_sums(&model, series));
        }
    }

    #[test]
    fn weights_are_what_the_forecast_moves_by_when_a_value_moves() {
        let panel = panel(700, &["s"]);
        let series = &panel.series()[0];
        for model in models(&panel) {
            for step in STEPS {
                let told = model.explain(series, 1, step).unwrap();
                let expected = forecast(&model, series, 1, step);
                for lag in 1..=model.lookback() {
                    let mut values = series.values().to_owned();
                    values[[series.n_steps() - lag, 1]] += 1.0;
                    let moved = series.with_values(values, panel.channels()).unwrap();
                    let slope = forecast(&model, &moved, 1, step) - expected;
                    let weight = told.contributions.iter().find(|c| c.lag == lag).map_or(0.0, |c| c.weight);
                    let what = format!("{:?}, step {step}, lag {lag}", model.header().config);
                    assert!((weight - slope).abs() < 1e-9, "{what}: {weight} is not {slope}");
                }
            }
        }
    }

    #[test]
    fn the_base_is_the_forecast_where_every_lag_is_at_the_center() {
        let panel = panel(700, &["s"]);
        let series = &panel.series()[0];
        for model in models(&panel) {
            for step in STEPS {
                let told = model.explain(series, 0, step).unwrap();
                // What columns leave of a flat series is not flat.
                if !told.columns.is_empty() {
                    continue;
                }
                let flat = Array2::from_elem(series.values().dim(), told.center);
                let flat = series.with_values(flat, panel.channels()).unwrap();
                let expected = forecast(&model, &flat, 0, step);
                assert!((told.base - expected).abs() <= 1e-9 * expected.abs(), "{} {expected}", told.base);
            }
        }
    }

    #[test]
    fn what_was_missing_is_marked_and_has_the_models_own_value() {
        let panel = panel(700, &["s"]);
        let mut values = panel.series()[0].values().to_owned();
        for (step, channel) in [(699, 0), (696, 0), (695, 0), (698, 1)] {
            values[[step, channel]] = f64::NAN;
        }
        let series = panel.series()[0].with_values(values, panel.channels()).unwrap();
        for model in models(&panel) {
            check_sums(&model, &series);
        }
        let model = fit("ar", &[("order", "9")], &panel);
        let told = model.explain(&series, 0, 3).unwrap();
        let filled = told.contributions.iter().filter(|c| c.origin == ValueOrigin::Filled);
        assert_eq!(filled.map(|c| c.lag).collect::<Vec<_>>(), [1, 4, 5]);
        let own = forecast(&model, &series.slice(0..695), 0, 1);
        assert!((told.contributions[4].value - own).abs() < 1e-9 * own);
        assert_eq!(told.contributions[4].stamp, series.index().stamp(695));
        assert_eq!(told.warnings[0].reason, "MISSING_FILLED");
    }

    #[test]
    fn series_that_shared_coefficients_have_not_seen_are_explained_too() {
        let model = fit("ar", &[("order", "9"), ("pooled", "true")], &panel(700, &["s", "t"]));
        check_sums(&model, &panel(300, &["unseen"]).series()[0]);
    }

    #[test]
    fn steps_and_channels_that_are_not_there_and_unknown_series_are_errors() {
        let panel = panel(700, &["s", "t"]);
        let model = fit("ar", &[("order", "9")], &panel);
        let series = &panel.series()[0];
        let said =
            |series: &Series, channel, step| model.explain(series, channel, step).unwrap_err().to_string();
        assert!(said(series, 0, 0).starts_with("step is 0, but"));
        assert!(said(series, 0, 2_000_000).contains("between 1 and 1000000"));
        assert!(said(series, 2, 1).starts_with("channel is 2, but the model has 2"));
        assert!(said(&series.slice(0..5), 0, 1).contains("5 steps of history"));
        let unseen = Series::new("u", series.index().clone(), series.values().to_owned(), panel.channels());
        assert!(said(&unseen.unwrap(), 0, 1).contains("not fitted on series \"u\""));
    }
}
