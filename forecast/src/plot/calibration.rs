//! Calibration: the share of values inside the intervals of several models, against what their levels promise.

use super::frame::{Axis, Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::line::{Pen, draw_points};
use super::theme::{RULE, model_style};
use super::value_axis::round_ticks;
use crate::{Error, Result};

/// Width of the dots, before what a stroke adds to a single point.
const DOT: f64 = 4.4;

/// Nominal and measured coverage of several models. On the diagonal, intervals cover what they say; below it they are
/// too narrow, above it too wide.
#[derive(Debug, Clone)]
pub struct CalibrationChart {
    /// What the chart is about; say how many forecasts the shares are of.
    pub title: String,
    /// Name, and for each level nominal and measured coverage in percent; NaN where it is not known.
    pub models: Vec<(String, Vec<(f64, f64)>)>,
}

impl CalibrationChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if no model has a level, or a coverage is not between 0 and 100.
    pub fn render(&self) -> Result<Vec<u8>> {
        let points = || self.models.iter().flat_map(|(_, points)| points.iter().copied());
        if points().next().is_none() {
            return Err(Error::option(
                "models",
                "empty",
                "the chart needs the coverage of at least one level",
            ));
        }
        let shares = || points().flat_map(|(nominal, measured)| [nominal, measured]);
        if let Some(share) = shares().find(|share| !share.is_nan() && !(0.0..=100.0).contains(share)) {
            return Err(Error::option("coverage", share, "it must be between 0 and 100 percent"));
        }
        let axis = percent_axis(shares());
        let mut legend: Vec<Key> = self
            .models
            .iter()
            .enumerate()
            .map(|(i, (name, _))| {
                let (colour, dash) = model_style(i);
                Key::new(name.clone(), Sample::Line(colour, 2.4, dash))
            })
            .collect();
        legend.push(Key::new("measured = nominal", Sample::Line(RULE, 1.6, Some((5.0, 5.0)))));
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: axis.clone(),
            x_title: "nominal coverage (%)",
            side: Side::Values(axis.clone(), "measured coverage (%)"),
        })?;
        let corner = |frame: &Frame, at: f64| (frame.px(at), frame.py(at));
        let (from, to) = (corner(&frame, axis.lo), corner(&frame, axis.hi));
        frame.rule(from, to, (1.6, RULE), Some((5.0, 5.0)));
        if !points().any(|(_, measured)| measured.is_finite()) {
            frame.note("no observed value to measure coverage with")?;
        }
        for (i, (_, points)) in self.models.iter().enumerate() {
            let (colour, dash) = model_style(i);
            let mut points: Vec<(f64, f64)> = points.clone();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let at = |(nominal, measured): (f64, f64)| (frame.px(nominal), frame.py(measured));
            let points: Vec<_> =
                points.into_iter().filter(|(nominal, _)| !nominal.is_nan()).map(at).collect();
            for point in &points {
                draw_points(&mut frame, vec![*point], Pen { width: DOT, colour, dash: None });
            }
            if points.len() > 1 {
                draw_points(&mut frame, points, Pen { width: 2.4, colour, dash });
            }
        }
        frame.into_png()
    }
}

/// An axis from a multiple of ten below all shares to 100 percent.
fn percent_axis(shares: impl Iterator<Item = f64>) -> Axis {
    let least = shares.filter(|share| share.is_finite()).fold(100.0, f64::min);
    let lo = (((least - 5.0) / 10.0).floor() * 10.0).clamp(0.0, 80.0);
    Axis { lo, hi: 100.0, ticks: round_ticks(lo, 100.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};

    fn chart(models: Vec<Vec<(f64, f64)>>) -> CalibrationChart {
        CalibrationChart {
            title: "Calibration".to_string(),
            models: models
                .into_iter()
                .enumerate()
                .map(|(i, points)| (format!("modèle {i}"), points))
                .collect(),
        }
    }

    #[test]
    fn every_model_has_its_line_and_its_dots() {
        let levels = [50.0, 80.0, 95.0];
        let of = |scale: f64| levels.iter().map(|level| (*level, level * scale)).collect::<Vec<_>>();
        let png = chart(vec![of(0.9), of(0.97)]).render().unwrap();
        assert_eq!(png, chart(vec![of(0.9), of(0.97)]).render().unwrap());
        assert!((0..2).all(|i| count(&png, model_style(i).0) > 500));
        // The order of levels is the caller's.
        let turned = |scale: f64| of(scale).into_iter().rev().collect();
        assert_eq!(png, chart(vec![turned(0.9), turned(0.97)]).render().unwrap());
        // A single level has a dot.
        let single = |measured: f64| chart(vec![vec![(80.0, measured)]]).render().unwrap();
        let drawn = |measured: f64| count(&single(measured), model_style(0).0);
        assert!(drawn(70.0) > drawn(f64::NAN) + 40, "{} {}", drawn(70.0), drawn(f64::NAN));
    }

    #[test]
    fn odd_inputs_give_a_picture_and_empty_ones_an_error() {
        for models in [
            vec![vec![(80.0, f64::NAN)]],
            vec![vec![(99.999, 100.0)], vec![]],
            vec![vec![(1e-9, 0.0), (50.0, 100.0)]; 20],
        ] {
            decoded(&chart(models).render().unwrap());
        }
        for models in [vec![], vec![vec![]]] {
            let message = chart(models).render().unwrap_err().to_string();
            assert!(message.starts_with("models is empty"), "{message}");
        }
        let message = chart(vec![vec![(80.0, 100.5)]]).render().unwrap_err().to_string();
        assert_eq!(message, "coverage is 100.5, but it must be between 0 and 100 percent");
    }
}
