//! The back-test chart: forecasts from many cutoffs against what came.

use super::frame::{Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::line::{Band, Line, Pen, cutoff};
use super::theme::{Colour, Dash, FAINT_RULE, INK, model_style};
use super::time_axis::{TimeAxis, WholeSteps};
use super::value_axis::value_axis;
use crate::{Error, Result};

/// The share of colour that each band adds; bands of several models lie over each other.
const BAND: f64 = 0.12;
/// Rules at cutoffs closer than this many pixels would be a grey area, and are left out.
const CLOSEST_RULES: f64 = 6.0;

/// Actual values and the forecasts of several models from many cutoffs, which are faint vertical rules.
#[derive(Debug, Clone)]
pub struct BacktestChart<'a> {
    /// What the chart is about.
    pub title: String,
    /// What the values are, with their unit: `load (kWh)`.
    pub value_label: String,
    /// What was observed.
    pub actual: Line<'a>,
    /// The models, in the order of their colours.
    pub models: Vec<BacktestModel<'a>>,
}

/// The forecasts of one model.
#[derive(Debug, Clone)]
pub struct BacktestModel<'a> {
    /// Its name in the legend.
    pub name: String,
    /// One line a cutoff.
    pub forecasts: Vec<Line<'a>>,
    /// Intervals of each forecast; empty for none.
    pub bands: Vec<Vec<Band>>,
}

impl BacktestChart<'_> {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a line or a band has not one value a stamp, a level is not between 0 and 100, there
    /// are bands for some forecasts of a model only, there is no stamp at all, or an integer index is mixed with times.
    pub fn render(&self) -> Result<Vec<u8>> {
        self.check()?;
        let forecasts = || self.models.iter().flat_map(|model| &model.forecasts);
        let lines = || std::iter::once(&self.actual).chain(forecasts());
        let indexes: Vec<_> = lines().map(|line| &line.index).collect();
        let time = TimeAxis::new(&indexes, WholeSteps::No)?;
        let bands = self.models.iter().flat_map(|model| model.bands.iter().flatten());
        let ends = bands.flat_map(|band| band.lower.iter().chain(&band.upper));
        let values = lines().flat_map(|line| line.values.iter()).chain(ends);
        let values: Vec<f64> = values.copied().collect();

        let mut legend = vec![Key::new("actual", Sample::Line(INK, 2.0, None))];
        let keys = self.models.iter().enumerate().map(|(i, model)| {
            let (colour, dash) = model_style(i);
            Key::new(model.name.clone(), Sample::Line(colour, 2.2, dash))
        });
        legend.extend(keys);
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: time.axis.clone(),
            x_title: &time.title,
            side: Side::Values(value_axis(values.iter().copied(), 0.25), &self.value_label),
        })?;
        if !values.iter().any(|v| v.is_finite()) {
            frame.note("no observed and no forecast values")?;
        }
        let starts = forecasts().filter(|line| line.index.len > 0);
        draw_cutoffs(&mut frame, starts.map(|line| cutoff(&time, &line.index)).collect());
        for (i, model) in self.models.iter().enumerate() {
            model.draw_bands(&mut frame, &time, model_style(i).0)?;
        }
        self.actual.draw(&mut frame, &time, Pen { width: 2.0, colour: INK, dash: None });
        for (i, model) in self.models.iter().enumerate() {
            let (colour, dash): (Colour, Dash) = model_style(i);
            for forecast in &model.forecasts {
                forecast.draw(&mut frame, &time, Pen { width: 1.8, colour, dash });
            }
        }
        frame.into_png()
    }

    fn check(&self) -> Result<()> {
        self.actual.check("actual")?;
        for (i, model) in self.models.iter().enumerate() {
            let (bands, cutoffs) = (model.bands.len(), model.forecasts.len());
            if bands != 0 && bands != cutoffs {
                let rule = format!("the model has {cutoffs} forecasts; give bands for each or for none");
                return Err(Error::option(format!("models[{i}].bands"), format!("{bands} lists"), rule));
            }
            for (j, forecast) in model.forecasts.iter().enumerate() {
                forecast.check(&format!("models[{i}].forecasts[{j}]"))?;
                for band in model.bands.get(j).into_iter().flatten() {
                    band.check(&format!("models[{i}].bands[{j}]"), forecast.index.len)?;
                }
            }
        }
        Ok(())
    }
}

impl BacktestModel<'_> {
    fn draw_bands(&self, frame: &mut Frame, time: &TimeAxis, colour: Colour) -> Result<()> {
        for (forecast, bands) in self.forecasts.iter().zip(&self.bands) {
            for band in bands {
                band.draw(frame, time, &forecast.index, (colour, BAND))?;
            }
        }
        Ok(())
    }
}

/// Draws a rule at each cutoff, or none where they are too close to be told apart.
fn draw_cutoffs(frame: &mut Frame, mut cutoffs: Vec<f64>) {
    cutoffs.sort_by(f64::total_cmp);
    cutoffs.dedup();
    let (Some(first), Some(last)) = (cutoffs.first(), cutoffs.last()) else {
        return;
    };
    let width = frame.px(*last) - frame.px(*first);
    if width >= CLOSEST_RULES * (cutoffs.len() - 1) as f64 {
        for at in cutoffs {
            frame.vertical(at, (1.2, FAINT_RULE), Some((4.0, 4.0)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Step, TimeIndex, Zone};
    use crate::plot::canvas::testing::{count, decoded};

    fn chart(n_cutoffs: usize, value: impl Fn(usize) -> f64) -> BacktestChart<'static> {
        let n = 24 * (n_cutoffs + 1);
        let index = TimeIndex::new(0, Step::Nanos(3_600_000_000_000), Zone::Local, n);
        let values: Vec<f64> = (0..n).map(value).collect();
        let model = |name: &str, shift: f64| {
            let ranges = (1..=n_cutoffs).map(|i| 24 * i..24 * (i + 1));
            let shifted =
                |range: std::ops::Range<usize>| values[range].iter().map(|v| v + shift).collect::<Vec<_>>();
            let line = |range: std::ops::Range<usize>| Line::new(index.slice(range.clone()), shifted(range));
            BacktestModel { name: name.to_string(), forecasts: ranges.map(line).collect(), bands: vec![] }
        };
        BacktestChart {
            title: "Back-test".to_string(),
            value_label: "load (kWh)".to_string(),
            models: vec![model("seasonal naive", 2.0), model("ar", -2.0)],
            actual: Line::new(index, values),
        }
    }

    #[test]
    fn every_model_has_its_colour_and_cutoffs_are_rules() {
        let png = chart(5, |i| (i as f64 * 0.26).sin() * 9.0).render().unwrap();
        for i in 0..2 {
            assert!(count(&png, model_style(i).0) > 500);
        }
        assert!(count(&png, INK) > 500);
        assert_eq!(png, chart(5, |i| (i as f64 * 0.26).sin() * 9.0).render().unwrap());
    }

    #[test]
    fn odd_inputs_give_a_picture_and_empty_ones_an_error() {
        decoded(&chart(3, |_| f64::NAN).render().unwrap());
        decoded(&chart(3, |_| -7.0).render().unwrap());
        decoded(&chart(400, |i| (i % 24) as f64).render().unwrap());
        decoded(&chart(0, |i| i as f64).render().unwrap());
        let mut many = chart(2, |i| i as f64);
        many.models = (0..40)
            .map(|i| BacktestModel { name: format!("modèle {i}"), ..many.models[0].clone() })
            .collect();
        decoded(&many.render().unwrap());
        let empty = TimeIndex::new(0, Step::Index(1), Zone::Local, 0);
        let empty = BacktestChart { actual: Line::new(empty, vec![]), models: vec![], ..chart(1, |_| 0.0) };
        assert!(empty.render().unwrap_err().is_user_error());
    }

    #[test]
    fn bands_are_given_for_all_forecasts_of_a_model_or_none() {
        let mut chart = chart(2, |i| (i as f64 * 0.26).sin() * 9.0);
        let band = Band { level: 80.0, lower: vec![-12.0; 24], upper: vec![12.0; 24] };
        chart.models[0].bands = vec![vec![band.clone()]];
        let message = chart.render().unwrap_err().to_string();
        assert!(message.contains("models[0].bands") && message.contains("2 forecasts"), "{message}");
        chart.models[0].bands.push(vec![band]);
        decoded(&chart.render().unwrap());
    }
}
