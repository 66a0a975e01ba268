//! Losses by epoch of a training.

use super::frame::{Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::line::{Pen, draw_points};
use super::step_axis::step_axis;
use super::theme::{FAINT_RULE, model_style};
use super::value_axis::value_axis;
use crate::nn::TrainingReport;
use crate::{Error, Result, Step};

/// The loss of training, and of validation, after each epoch, with a rule at the epoch whose weights were kept.
#[derive(Debug, Clone)]
pub struct LossCurveChart {
    /// What the chart is about.
    pub title: String,
    /// Which loss: `mean squared error (scaled)`.
    pub loss_label: String,
    /// How the training went.
    pub report: TrainingReport,
}

impl LossCurveChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if no epoch was done.
    pub fn render(&self) -> Result<Vec<u8>> {
        let TrainingReport { losses, validation, best_epoch, .. } = &self.report;
        let n_epochs = losses.len().max(validation.len());
        if n_epochs == 0 {
            return Err(Error::option("losses", "empty", "the chart needs the loss of at least one epoch"));
        }
        let lines = [("training", losses), ("validation", validation)];
        let lines = || lines.into_iter().filter(|(_, losses)| !losses.is_empty()).enumerate();
        let legend: Vec<Key> = lines()
            .map(|(i, (name, _))| {
                let (colour, dash) = model_style(i);
                Key::new(name, Sample::Line(colour, 2.4, dash))
            })
            .collect();
        let values = losses.iter().chain(validation).copied();
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: step_axis(&Step::Index(1).into(), n_epochs),
            x_title: "epoch",
            // What a training still gains is small beside what it has gained: zero only where it is near.
            side: Side::Values(value_axis(values.clone(), 0.3), &self.loss_label),
        })?;
        if !values.clone().any(f64::is_finite) {
            frame.note("no losses to show")?;
        }
        if let Some(best) = best_epoch.filter(|best| (1..=n_epochs).contains(best)) {
            frame.vertical(best as f64, (1.6, FAINT_RULE), Some((5.0, 5.0)));
            frame.note_above(&format!("kept: epoch {best}"), best as f64)?;
        }
        for (i, (_, losses)) in lines() {
            let (colour, dash) = model_style(i);
            let epochs = losses.iter().enumerate();
            let points = epochs.map(|(i, loss)| (frame.px((i + 1) as f64), frame.py(*loss))).collect();
            draw_points(&mut frame, points, Pen { width: 2.4, colour, dash });
        }
        frame.into_png()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};

    fn chart(losses: Vec<f64>, validation: Vec<f64>, best_epoch: Option<usize>) -> LossCurveChart {
        LossCurveChart {
            title: "Training of load".to_string(),
            loss_label: "mean squared error (scaled)".to_string(),
            report: TrainingReport { losses, validation, best_epoch, ..TrainingReport::default() },
        }
    }

    #[test]
    fn both_curves_and_the_epoch_that_was_kept_are_drawn() {
        let of = |a: f64, b: f64| -> Vec<f64> {
            (1..=24).map(|e| 0.3 + a / f64::from(e) + b * f64::from(e)).collect()
        };
        let png = chart(of(0.6, 0.0), of(0.5, 0.008), Some(8)).render().unwrap();
        assert_eq!(png, chart(of(0.6, 0.0), of(0.5, 0.008), Some(8)).render().unwrap());
        assert!((0..2).all(|i| count(&png, model_style(i).0) > 500));
        let alone = chart(of(0.6, 0.0), Vec::new(), None).render().unwrap();
        assert_eq!(count(&alone, model_style(1).0), 0);
        assert_ne!(chart(of(0.6, 0.0), of(0.5, 0.008), None).render().unwrap(), png);
    }

    #[test]
    fn odd_losses_give_a_picture_and_none_an_error() {
        for losses in [vec![1.0], vec![f64::NAN; 4], vec![0.0; 3], vec![1e308, 1e-308], vec![0.5; 10_000]] {
            decoded(&chart(losses.clone(), losses, Some(1)).render().unwrap());
        }
        decoded(&chart(vec![1.0, 2.0], vec![3.0], Some(9)).render().unwrap());
        let message = chart(Vec::new(), Vec::new(), None).render().unwrap_err().to_string();
        assert!(message.starts_with("losses is empty"), "{message}");
    }
}
