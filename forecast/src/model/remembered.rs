//! The last steps of a stream, as far as its state still has them: what another model goes on from.

use ndarray::Array2;

use super::{Model, State};
use crate::data::Series;
use crate::{Error, Result};

impl Model {
    /// The last steps that a state has seen and still has, in the units of the series, NaN where missing: at least the
    /// lookback of a model that looks at lags, once it has seen so many.
    ///
    /// Values went through the scaling of the model and back, so they may differ from those observed in the last bits.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a state of another model, and for a model that looks at covariates, or whose states
    /// keep what a regression leaves of the values.
    ///
    /// # Example
    /// ```
    /// # use forecast::{FitOptions, Model, ModelConfig, Panel, ReadOptions};
    /// # let rows: String = (0..300).map(|i| format!("{i},{}\n", [3.0, 5.0, 4.0][i % 3])).collect();
    /// # let panel = Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default())?;
    /// # let fit = |name: &str| {
    /// #     let fit = FitOptions { horizon: Some(1), ..FitOptions::default() };
    /// #     Model::fit(&ModelConfig::parse(name)?, &panel, &fit).map(|fitted| fitted.model)
    /// # };
    /// let (old, new) = (fit("window-mean")?, fit("naive")?);
    /// let mut state = old.start(&panel.series()[0])?;
    /// old.observe(&mut state, &[7.0])?;
    /// let mut state = new.start(&old.remembered(&state)?)?;
    /// let next = new.forecast_from(&state, &forecast::ForecastOptions { horizon: 1, ..Default::default() })?;
    /// assert!((next.mean[[0, 0]] - 7.0).abs() < 1e-12);
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn remembered(&self, state: &State) -> Result<Series> {
        if self.parts.regression.is_some() || self.parts.inputs.is_some() {
            let rule = "states of models with covariates, a trend or Fourier terms keep nothing that another model could \
                        go on from";
            return Err(Error::option("model", self.header().config.name(), rule));
        }
        self.check_memory(state)?;
        let scalers = &self.parts.scalers[self.slot(state.series())?.scale];
        let index = state.index();
        let n = state.memory.remembered().min(index.len);
        let values = Array2::from_shape_fn((n, scalers.len()), |(step, channel)| {
            scalers[channel].unscale(state.memory.observed(channel, n - 1 - step))
        });
        Series::new(state.series(), index.slice(index.len - n..index.len), values, &self.header().channels)
    }
}

#[cfg(test)]
mod tests {
    use crate::{FitOptions, Model, ModelConfig, Panel, ReadOptions};

    #[test]
    fn the_last_steps_are_those_that_were_observed() {
        let value = |i: usize| 100.0 + (i as f64 * 0.7).sin() * 10.0 + (i * i % 101) as f64 / 20.0;
        let rows: String = (0..600).map(|i| format!("{i},{}\n", value(i))).collect();
        let panel =
            Panel::read_csv(format!("ds,y\n{rows}").as_bytes(), "t.csv", &ReadOptions::default()).unwrap();
        let config = ModelConfig::parse("ar").unwrap().with("order", "7").unwrap();
        let fit = FitOptions { horizon: Some(3), ..FitOptions::default() };
        let model = Model::fit(&config, &panel, &fit).unwrap().model;
        let mut state = model.start(&panel.series()[0]).unwrap();
        let end = state.index().end();
        for i in 600..610 {
            let seen = if i == 604 { f64::NAN } else { value(i) };
            model.observe(&mut state, &[seen]).unwrap();
        }
        let remembered = model.remembered(&state).unwrap();
        assert_eq!(remembered.index().end(), end + 10);
        assert!(remembered.n_steps() >= 17);
        for (back, value_of) in (0..17).map(|back| (back, 609 - back)) {
            let got = remembered.values()[[remembered.n_steps() - 1 - back, 0]];
            let expected = if value_of == 604 { f64::NAN } else { value(value_of) };
            assert!((got - expected).abs() < 1e-9 || got.is_nan() && expected.is_nan(), "{back}: {got}");
        }
    }
}
