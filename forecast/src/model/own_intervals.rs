//! Intervals of a network that forecasts distributions: its own quantiles, in place of those of its errors.

use ndarray::Array2;

use super::{Band, Beside, Forecast, ForecastOptions, Interval, Model, QuantilePath, State};
use crate::nn::Marginal;
use crate::{Error, Result};

impl Model {
    /// [`Model::forecast_from`] of a model whose intervals are those of its network.
    pub(super) fn forecast_with_own_intervals(
        &self,
        state: &State,
        options: &ForecastOptions,
    ) -> Result<Forecast> {
        options.check(self)?;
        if options.band == Band::WholePath && !options.levels.is_empty() {
            let rule =
                "the network's own intervals are those of single steps; fit with intervals = conformal";
            return Err(Error::option("band", "whole-path", rule));
        }
        let family = self.parts.family.as_ref();
        let bare = ForecastOptions { levels: Vec::new(), quantiles: Vec::new(), ..options.clone() };
        if options.levels.is_empty() && options.quantiles.is_empty() {
            return self.forecast_by(state, &bare, &|slot, memory, beside, out| {
                family.forecast(slot, memory, 0, beside, out.view_mut());
            });
        }
        let inputs = self.inputs_ahead(state, options.horizon)?;
        let beside = Beside::new(state.index(), inputs.as_ref());
        let Some(marginals) = family.marginals(&state.memory, beside, options.horizon) else {
            return Err(Error::Internal("a family without intervals of its own".to_string()));
        };
        // One pass tells both.
        let mut forecast = self.forecast_by(state, &bare, &|_, _, _, out| {
            out.iter_mut().zip(&marginals).for_each(|(out, marginal)| *out = marginal.point());
        })?;
        let quantile = |q: f64, asked: String| self.own_quantile(state, &marginals, q, &asked);
        for level in &options.levels {
            // As people write it: the tail of level 80 is the quantile 0.1, not the number just below.
            let tail = (1e12 * (1.0 - level / 100.0) / 2.0).round() / 1e12;
            let asked = format!("level {level}");
            let (lower, upper) = (quantile(tail, asked.clone())?, quantile(1.0 - tail, asked)?);
            forecast.intervals.push(Interval { level: *level, lower, upper });
        }
        for q in &options.quantiles {
            let values = quantile(*q, format!("quantile {q}"))?;
            forecast.quantiles.push(QuantilePath { level: *q, values });
        }
        Ok(forecast)
    }

    /// A quantile of every step, in the units of the series, `(horizon, channel)`; `asked` names it in messages.
    fn own_quantile(
        &self,
        state: &State,
        marginals: &Array2<Marginal>,
        q: f64,
        asked: &str,
    ) -> Result<Array2<f64>> {
        let scalers = &self.parts.scalers[self.slot(state.series())?.scale];
        let mut values = Array2::zeros(marginals.dim());
        for ((at, marginal), value) in marginals.indexed_iter().zip(&mut values) {
            let quantile = marginal.quantile(q).ok_or_else(|| {
                let rule = "the network has no quantiles so far out; fit with more of them, or with intervals = \
                            conformal";
                Error::option("levels", asked, rule)
            })?;
            *value = scalers[at.1].unscale(quantile);
        }
        Ok(values)
    }
}
