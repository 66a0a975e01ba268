//! What a linear model has learned, by lag: weights, what is known of their certainty, in the units of the series.

use super::Model;
use super::forecast::MAX_HORIZON;
use crate::{Error, Result};

/// The families whose forecasts are weighted sums of lags.
const LINEAR: &str =
    "naive, seasonal-naive, drift, window-mean, ar, ar-net, and neural-ar without hidden layers";

/// The coefficients of one series and channel for one step ahead.
#[derive(Debug, Clone, PartialEq)]
pub struct Coefficients {
    /// The series.
    pub series: String,
    /// The channel.
    pub channel: String,
    /// The step ahead, from 1.
    pub step: usize,
    /// Steps ahead that have coefficients of their own; 1 for a recursion, whose one set serves all steps,
    /// `None` where every step has its own.
    pub n_steps: Option<usize>,
    /// Steps that the model looks back.
    pub lookback: usize,
    /// What is added to the weighted lags, in the units of the series.
    pub intercept: f64,
    /// The lags that enter the forecast, ascending: those whose weight is not zero, or that were chosen at times. Of a
    /// model that is regressed on columns, lags of what these leave of the series.
    pub lags: Vec<Coefficient>,
    /// The columns that the model is regressed on, and what one unit of each adds to the series; mostly none.
    pub columns: Vec<(String, f64)>,
}

/// The weight of one lag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficient {
    /// Steps back from the first step ahead: 1 is the last value that is known, whatever step is forecast.
    pub lag: usize,
    /// How much the forecast grows if that value grows by 1.
    pub weight: f64,
    /// The standard error of the weight, where it is known: see [`Model::standard_errors`].
    pub standard_error: Option<f64>,
    /// The share of fits on parts of the data that chose the lag, from 0 to 1; only of models that choose lags.
    pub frequency: Option<f64>,
}

impl Coefficients {
    /// Steps from a lag to the step that is forecast.
    ///
    /// For the first step that is the lag itself. A recursion's one set of coefficients is that of the first step.
    #[must_use]
    pub fn distance(&self, lag: usize) -> usize {
        if self.n_steps == Some(1) { lag } else { lag.saturating_add(self.step - 1) }
    }
}

impl Model {
    /// The coefficients of a training series and channel for a step ahead, from 1, in the units of the series.
    ///
    /// A direct model has coefficients of its own for each step it was fitted for; a recursion has one set, whatever
    /// the step.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a family without coefficients, a series or channel beyond the last, and a step that
    /// has no coefficients of its own.
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let rows: String = (0..300).map(|i| format!("{i},{}\n", [3.0, 5.0, 4.0][i % 3])).collect();
    /// # let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// let config = ModelConfig::parse("seasonal-naive")?.with("season_length", "3")?;
    /// let model = Model::fit(&config, &panel, &FitOptions::default())?.model;
    /// let second = model.coefficients_at(0, 0, 2)?;
    /// let [only] = second.lags[..] else { panic!() };
    /// assert_eq!((only.lag, only.weight), (2, 1.0));
    /// assert_eq!(second.distance(only.lag), 3); // a season before the step that is forecast
    /// assert!(model.coefficients_at(0, 0, 0).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn coefficients_at(&self, series: usize, channel: usize, step: usize) -> Result<Coefficients> {
        check_step(step)?;
        let header = self.header();
        let beyond = |field: &str, at: usize, n: usize| {
            Error::option(field, at, format!("the model has {n}, counted from 0"))
        };
        let (Some(id), Some(scalers)) = (header.series.get(series), self.parts.scalers.get(series)) else {
            return Err(beyond("series", series, header.series.len()));
        };
        let (Some(name), Some(scaler)) = (header.channels.get(channel), scalers.get(channel)) else {
            return Err(beyond("channel", channel, header.channels.len()));
        };
        let family = self.parts.family.as_ref();
        let slot = self.family_slot(series);
        let n_direct = family.n_direct_steps();
        if n_direct > 1 && step > n_direct {
            let rule = format!(
                "the model has coefficients of its own for the steps 1 to {n_direct}, and forecasts later ones block after block"
            );
            return Err(Error::option("step", step, rule));
        }
        let own = if n_direct == 1 { 0 } else { step - 1 };
        let (intercept, weights) =
            family.coefficients(slot, channel, own).ok_or_else(|| self.without_coefficients())?;
        let errors = family.standard_errors(slot, channel);
        let frequencies = family.selection_frequency(slot, channel);
        let at = |values: &Option<Vec<f64>>, i: usize| values.as_ref()?.get(i).copied();
        let coefficient = |(i, weight): (usize, &f64)| Coefficient {
            lag: i + 1,
            weight: *weight,
            standard_error: at(&errors, i),
            frequency: at(&frequencies, i),
        };
        let lags = weights.iter().enumerate().map(coefficient);
        // y = center + spread * (b + w . (lags - center) / spread)
        let sum: f64 = weights.iter().sum();
        Ok(Coefficients {
            series: id.clone(),
            channel: name.clone(),
            step,
            n_steps: (n_direct < usize::MAX).then_some(n_direct),
            lookback: weights.len(),
            intercept: scaler.center * (1.0 - sum) + scaler.spread * intercept,
            columns: self.regression_weights(series, channel),
            lags: lags.filter(|c| c.weight != 0.0 || c.frequency.is_some_and(|f| f > 0.0)).collect(),
        })
    }

    /// The intercept and all weights of [`Model::coefficients_at`] the first step, lag 1 first, those of lags that do
    /// not enter too; `None` for families without.
    #[must_use]
    pub fn coefficients(&self, series: usize, channel: usize) -> Option<(f64, Vec<f64>)> {
        let first = self.coefficients_at(series, channel, 1).ok()?;
        let mut weights = vec![0.0; first.lookback];
        first.lags.iter().for_each(|c| weights[c.lag - 1] = c.weight);
        Some((first.intercept, weights))
    }

    /// Standard errors of [`Model::coefficients`], lag 1 first, in the units of the series; `None` where they are not
    /// known: of other families, direct, anchored and averaged coefficients, and files of older versions.
    #[must_use]
    pub fn standard_errors(&self, series: usize, channel: usize) -> Option<Vec<f64>> {
        self.parts.family.standard_errors(self.family_slot(series), channel)
    }

    /// Confidence intervals of [`Model::coefficients`], lag 1 first: where the weights lie with a probability of
    /// `level` percent, in large samples. `None` where [`Model::standard_errors`] is.
    ///
    /// # Errors
    /// [`Error::BadOption`] if the level does not lie between 0 and 100.
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let mut state = 1u32;
    /// # let mut next = || { state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); state >> 16 };
    /// # let rows: String = (0..300).map(|i| format!("{i},{}\n", next())).collect();
    /// # let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// let config = ModelConfig::parse("ar")?.with("order", "2")?;
    /// let model = Model::fit(&config, &panel, &FitOptions::default())?.model;
    /// let (_, weights) = model.coefficients(0, 0).unwrap();
    /// let intervals = model.coefficient_intervals(0, 0, 95.0)?.unwrap();
    /// let errors = model.standard_errors(0, 0).unwrap();
    /// assert!((intervals[1].1 - weights[1] - 1.96 * errors[1]).abs() < 1e-4);
    /// assert!(model.coefficient_intervals(0, 0, 100.0).is_err());
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn coefficient_intervals(
        &self,
        series: usize,
        channel: usize,
        level: f64,
    ) -> Result<Option<Vec<(f64, f64)>>> {
        if !(level > 0.0 && level < 100.0) {
            return Err(Error::option(
                "level",
                level,
                "it must lie between 0 and 100 percent, both excluded",
            ));
        }
        let width = crate::ar::normal_half_width(level / 100.0);
        let weights = self.coefficients(series, channel).map(|(_, weights)| weights);
        let errors = self.standard_errors(series, channel);
        Ok(weights.zip(errors).map(|(weights, errors)| {
            weights.iter().zip(&errors).map(|(w, e)| (w - width * e, w + width * e)).collect()
        }))
    }

    /// What is said of a family whose forecasts are not weighted sums of lags.
    pub(super) fn without_coefficients(&self) -> Error {
        let rule = format!("it has no coefficients of lags; the models that have them are {LINEAR}");
        Error::option("the model", self.header().config.name(), rule)
    }
}

/// A step ahead, from 1.
pub(super) fn check_step(step: usize) -> Result<()> {
    if (1..=MAX_HORIZON).contains(&step) {
        return Ok(());
    }
    Err(Error::option("step", step, format!("it must lie between 1 and {MAX_HORIZON}")))
}

#[cfg(test)]
// The expected numbers are exact in binary.
#[allow(clippy::float_cmp)]
mod tests {
    use std::sync::Arc;

    use super::super::{LagRule, Parts};
    use super::*;
    use crate::{FitOptions, ForecastOptions, ModelConfig, Panel, ReadOptions};

    fn panel() -> Panel {
        let y = |i: u64| (i * i * 31 + i * 7) % 97 + (i % 24) * 5;
        let rows: String = (0..500).map(|i| format!("{i},{},{}\n", y(i), 2 * y(i + 3) + 1)).collect();
        Panel::read_csv(format!("ds,a,b\n{rows}").as_bytes(), "t.csv", &ReadOptions::default()).unwrap()
    }

    fn fit(settings: &[(&str, &str)]) -> Model {
        let mut config = ModelConfig::parse("ar").unwrap();
        for (key, value) in settings {
            config = config.with(key, value).unwrap();
        }
        let options = FitOptions { horizon: Some(4), season_length: Some(24), ..FitOptions::default() };
        Model::fit(&config, &panel(), &options).unwrap().model
    }

    #[test]
    fn each_step_of_a_direct_model_is_its_intercept_and_weighted_lags() {
        let (panel, model) = (panel(), fit(&[("order", "6"), ("strategy", "direct")]));
        let values = panel.series()[0].values();
        let options = ForecastOptions { horizon: 4, ..ForecastOptions::default() };
        let forecast = model.forecast_series(&panel.series()[0], &options).unwrap();
        for (step, channel) in (1..=4).flat_map(|step| [(step, 0), (step, 1)]) {
            let own = model.coefficients_at(0, channel, step).unwrap();
            assert_eq!((own.step, own.n_steps, own.lookback), (step, Some(4), 6));
            assert_eq!(own.distance(2), step + 1);
            let sum: f64 = own.lags.iter().map(|c| c.weight * values[[500 - c.lag, channel]]).sum();
            let expected = forecast.mean[[step - 1, channel]];
            assert!((own.intercept + sum - expected).abs() < 1e-9 * expected.abs(), "step {step}");
        }
        assert_ne!(
            model.coefficients_at(0, 0, 1).unwrap().lags,
            model.coefficients_at(0, 0, 2).unwrap().lags
        );
        let message = model.coefficients_at(0, 0, 5).unwrap_err().to_string();
        assert!(message.starts_with("step is 5, but") && message.contains("the steps 1 to 4"), "{message}");
    }

    #[test]
    fn a_recursion_has_one_set_with_standard_errors_for_every_step() {
        let model = fit(&[("order", "6")]);
        let first = model.coefficients_at(0, 1, 1).unwrap();
        let later = model.coefficients_at(0, 1, 900).unwrap();
        assert_eq!((&first.lags, first.intercept, later.distance(6)), (&later.lags, later.intercept, 6));
        assert_eq!(first.lags.iter().map(|c| c.lag).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        let (intercept, weights) = model.coefficients(0, 1).unwrap();
        assert_eq!(first.intercept, intercept);
        assert!(first.lags.iter().zip(&weights).all(|(c, w)| c.weight == *w && c.frequency.is_none()));
        let errors = model.standard_errors(0, 1).unwrap();
        assert!(first.lags.iter().zip(&errors).all(|(c, error)| c.standard_error == Some(*error)));
    }

    /// A rule with these weights, lag 1 first, and these shares of fits that chose them.
    #[derive(Debug)]
    struct Chosen(Option<Vec<f64>>, Vec<f64>);

    impl LagRule for Chosen {
        fn lookback(&self) -> usize {
            6
        }

        fn forecast_channel(&self, _slot: usize, _channel: usize, _window: &[f64], _out: &mut [f64]) {}

        fn coefficients(&self, _slot: usize, _channel: usize, _step: usize) -> Option<(f64, Vec<f64>)> {
            self.0.clone().map(|weights| (0.5, weights))
        }

        fn selection_frequency(&self, _slot: usize, _channel: usize) -> Option<Vec<f64>> {
            Some(self.1.clone())
        }
    }

    fn with(rule: Chosen) -> Model {
        let parts = Arc::try_unwrap(fit(&[("order", "6")]).parts).unwrap();
        Model { parts: Arc::new(Parts { family: Box::new(rule), ..parts }) }
    }

    #[test]
    fn of_a_model_that_chooses_lags_only_those_are_listed_that_were_chosen_at_times() {
        let weights = vec![0.5, 0.0, 0.0, -0.25, 0.0, 0.0];
        let model = with(Chosen(Some(weights.clone()), vec![1.0, 0.0, 0.25, 0.75, 0.0, 0.0]));
        let listed = model.coefficients_at(0, 0, 1).unwrap();
        let lags: Vec<_> = listed.lags.iter().map(|c| (c.lag, c.weight, c.frequency)).collect();
        assert_eq!(lags, [(1, 0.5, Some(1.0)), (3, 0.0, Some(0.25)), (4, -0.25, Some(0.75))]);
        assert_eq!(model.coefficients(0, 0).unwrap().1, weights);
    }

    #[test]
    fn a_family_without_coefficients_says_which_have_them() {
        let model = with(Chosen(None, Vec::new()));
        for error in [
            model.coefficients_at(0, 0, 1).unwrap_err(),
            model.explain(&panel().series()[0], 0, 1).unwrap_err(),
        ] {
            let message = error.to_string();
            assert!(message.contains("it has no coefficients") && message.contains("naive"), "{message}");
        }
        assert_eq!(model.coefficients(0, 0), None);
        // Every family but networks has them.
        let others: Vec<_> = ModelConfig::NAMES.iter().filter(|name| !LINEAR.contains(**name)).collect();
        assert_eq!(others, [&"informer", &"ssm"]);
    }

    #[test]
    fn series_channels_and_steps_that_are_not_there_are_named() {
        let model = fit(&[("order", "6")]);
        for ((series, channel, step), expected) in [
            ((1, 0, 1), "series is 1, but the model has 1"),
            ((0, 2, 1), "channel is 2, but the model has 2"),
            ((0, 0, 0), "step is 0, but"),
            ((0, 0, usize::MAX), "between 1 and 1000000"),
        ] {
            let message = model.coefficients_at(series, channel, step).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
