//! The coefficients of an autoregression by lag.

use super::canvas::Rect;
use super::frame::{Frame, Layout, Side};
use super::step_axis::{step_axis, steps_of};
use super::text::{Align, text_width};
use super::theme::{FORECAST, INK, PAPER, RULE, TICK};
use super::value_axis::value_axis;
use crate::{Error, Result, Step};

/// How many of the largest coefficients are labelled at most.
const LABELLED: usize = 6;
/// Smaller coefficients than this share of the largest are not labelled.
const WORTH_A_LABEL: f64 = 0.1;
/// Height of a label in pixels.
const LABEL_HEIGHT: f64 = 16.0;

/// A stem for each coefficient; the largest carry their lag.
#[derive(Debug, Clone)]
pub struct CoefficientChart {
    /// What the chart is about.
    pub title: String,
    /// The step of the series, which gives the lags their length in words.
    pub step: Step,
    /// The coefficients, that of lag 1 first; NaN where there is none.
    pub coefficients: Vec<f64>,
}

impl CoefficientChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no coefficient.
    pub fn render(&self) -> Result<Vec<u8>> {
        let n = self.coefficients.len();
        if n == 0 {
            return Err(Error::option("coefficients", "empty", "the chart needs at least one"));
        }
        // Stems rise from zero, so zero is always there, and a little more so that labels have room.
        let finite = self.coefficients.iter().copied().filter(|c| c.is_finite());
        let values: Vec<f64> = finite.map(|c| c * 1.1).chain([0.0]).collect();
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &[],
            x: step_axis(self.step, n),
            x_title: &format!("lag in {}", steps_of(self.step)),
            side: Side::Values(value_axis(values, 0.0), "coefficient"),
        })?;
        let zero = frame.py(0.0);
        frame.rule((frame.plot.left, zero), (frame.plot.right, zero), (1.3, RULE), None);
        let apart = (frame.plot.right - frame.plot.left) / n as f64;
        let width = (apart * 0.4).clamp(1.0, 2.6);
        for (i, coefficient) in self.coefficients.iter().enumerate() {
            let (x, y) = (frame.px((i + 1) as f64), frame.py(*coefficient));
            if y.is_finite() {
                frame.rule((x, zero), (x, y), (width, FORECAST), None);
                frame.canvas.stroke(&[(x, y)], (apart * 0.32).clamp(0.6, 3.4), FORECAST);
            }
        }
        if !self.coefficients.iter().any(|c| c.is_finite()) {
            frame.note("no coefficients to show")?;
        }
        self.label_largest(&mut frame)?;
        frame.into_png()
    }

    /// Writes the lag at the largest coefficients, where it does not run into another label or stem.
    fn label_largest(&self, frame: &mut Frame) -> Result<()> {
        let size = |lag: &usize| self.coefficients[lag - 1].abs();
        let mut lags: Vec<usize> =
            (1..=self.coefficients.len()).filter(|lag| size(lag) > 0.0 && size(lag).is_finite()).collect();
        let largest = lags.iter().map(&size).fold(0.0, f64::max);
        lags.retain(|lag| size(lag) >= largest * WORTH_A_LABEL);
        lags.sort_by(|a, b| size(b).total_cmp(&size(a)).then(a.cmp(b)));
        let mut taken: Vec<Rect> = Vec::new();
        for lag in lags.into_iter().take(LABELLED * 2) {
            if taken.len() == LABELLED {
                break;
            }
            let coefficient = self.coefficients[lag - 1];
            let text = format!("lag {lag}");
            let half = text_width(&text, TICK)? / 2.0;
            let x = frame.px(lag as f64).clamp(frame.plot.left + half, frame.plot.right - half);
            let y = frame.py(coefficient) + if coefficient > 0.0 { -10.0 } else { 22.0 };
            let area =
                Rect { left: x - half - 4.0, top: y - LABEL_HEIGHT, right: x + half + 4.0, bottom: y + 4.0 };
            if taken.iter().any(|other| overlap(&area, other)) || self.hits_stem(frame, &area, lag) {
                continue;
            }
            // Grid lines fade behind the label.
            frame.canvas.fill(area, PAPER, 0.8)?;
            frame.canvas.text(&text, (x, y), (TICK, INK), Align::Centre)?;
            taken.push(area);
        }
        Ok(())
    }

    /// True if the stem of another lag crosses `area`.
    fn hits_stem(&self, frame: &Frame, area: &Rect, own: usize) -> bool {
        let zero = frame.py(0.0);
        self.coefficients.iter().enumerate().any(|(i, coefficient)| {
            let (x, y) = (frame.px((i + 1) as f64), frame.py(*coefficient));
            let stem = Rect { left: x, top: y.min(zero), right: x, bottom: y.max(zero) };
            i + 1 != own && overlap(area, &stem)
        })
    }
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};

    fn chart(step: &str, coefficients: Vec<f64>) -> CoefficientChart {
        CoefficientChart { title: "Coefficients".to_string(), step: step.parse().unwrap(), coefficients }
    }

    #[test]
    fn large_coefficients_are_labelled_and_equal_ones_only_some() {
        let mut coefficients = vec![0.001; 168];
        let plain = chart("1h", vec![0.0; 168]).render().unwrap();
        for lag in [1, 24, 168] {
            coefficients[lag - 1] = 0.5;
        }
        let chart = chart("1h", coefficients);
        let png = chart.render().unwrap();
        assert_eq!(png, chart.render().unwrap());
        assert!(count(&png, FORECAST) > 300);
        // Three labels of five to seven letters in ink, beside the title that both have.
        let labels = count(&png, INK).saturating_sub(count(&plain, INK));
        assert!((20..400).contains(&labels), "{labels}");
    }

    #[test]
    fn odd_inputs_give_a_picture_and_none_an_error() {
        for step in ["1h", "20ms", "1", "1mo"] {
            for coefficients in [
                vec![1.0],
                vec![-1.0, -0.5],
                vec![0.0; 5],
                vec![f64::NAN; 5],
                vec![1e308, -1e308, f64::INFINITY],
                (0..3000).map(|i| (f64::from(i) * 0.1).sin()).collect(),
            ] {
                decoded(&chart(step, coefficients).render().unwrap());
            }
        }
        assert!(chart("1h", vec![]).render().unwrap_err().is_user_error());
    }
}
