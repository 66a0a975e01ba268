//! Error by step ahead, for several models.

use super::frame::{Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::line::{Pen, draw_points};
use super::step_axis::{step_axis, steps_of};
use super::theme::model_style;
use super::value_axis::value_axis;
use crate::{Error, Result, Step};

/// The error of several models at each step of the horizon.
#[derive(Debug, Clone)]
pub struct HorizonErrorChart {
    /// What the chart is about.
    pub title: String,
    /// Which error, with its unit: `MAE (kWh)`.
    pub error_label: String,
    /// The step of the series.
    pub step: Step,
    /// Name and error at the steps 1, 2, ... ahead; NaN where it is not known. Horizons may differ.
    pub models: Vec<(String, Vec<f64>)>,
}

impl HorizonErrorChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if no model has a step.
    pub fn render(&self) -> Result<Vec<u8>> {
        let horizon = self.models.iter().map(|(_, errors)| errors.len()).max().unwrap_or(0);
        if horizon == 0 {
            return Err(Error::option("models", "empty", "the chart needs the error of at least one step"));
        }
        let errors = || self.models.iter().flat_map(|(_, errors)| errors.iter().copied());
        let legend: Vec<Key> = self
            .models
            .iter()
            .enumerate()
            .map(|(i, (name, _))| {
                let (colour, dash) = model_style(i);
                Key::new(name.clone(), Sample::Line(colour, 2.4, dash))
            })
            .collect();
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: step_axis(&self.step.into(), horizon),
            x_title: &format!("{} ahead", steps_of(&self.step.into())),
            // Errors are compared by their ratio, which only an axis from zero shows.
            side: Side::Values(value_axis(errors(), 1.0), &self.error_label),
        })?;
        if !errors().any(f64::is_finite) {
            frame.note("no errors to show")?;
        }
        for (i, (_, errors)) in self.models.iter().enumerate() {
            let (colour, dash) = model_style(i);
            let steps = errors.iter().enumerate();
            let points = steps.map(|(i, error)| (frame.px((i + 1) as f64), frame.py(*error))).collect();
            draw_points(&mut frame, points, Pen { width: 2.4, colour, dash });
        }
        frame.into_png()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};

    fn chart(step: &str, models: Vec<Vec<f64>>) -> HorizonErrorChart {
        HorizonErrorChart {
            title: "Error by step ahead".to_string(),
            error_label: "MAE (kWh)".to_string(),
            step: step.parse().unwrap(),
            models: models
                .into_iter()
                .enumerate()
                .map(|(i, errors)| (format!("modèle {i}"), errors))
                .collect(),
        }
    }

    #[test]
    fn two_models_over_a_week_of_hours() {
        let errors = |scale: f64| (1..=168).map(|h| scale * f64::from(h).sqrt()).collect();
        let chart = chart("1h", vec![errors(10.0), errors(8.0)]);
        let png = chart.render().unwrap();
        assert_eq!(png, chart.render().unwrap());
        assert!((0..2).all(|i| count(&png, model_style(i).0) > 500));
    }

    #[test]
    fn odd_inputs_give_a_picture_and_empty_ones_an_error() {
        for step in ["1h", "15min", "1", "1mo"] {
            for models in [
                vec![vec![1.0]],
                vec![vec![f64::NAN; 10], vec![]],
                vec![vec![0.0; 3]],
                vec![vec![1e308, 1e-308], vec![5.0; 700]],
                vec![vec![-1.0, f64::NAN, 2.0]; 20],
            ] {
                decoded(&chart(step, models).render().unwrap());
            }
        }
        for models in [vec![], vec![vec![]]] {
            let message = chart("1h", models).render().unwrap_err().to_string();
            assert!(message.starts_with("models is empty"), "{message}");
        }
    }
}
