//! The coefficients of an autoregression by lag.

use super::canvas::{Point, Rect};
use super::frame::{Axis, Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::stems::{Head, draw_stems, label_longest};
use super::step_axis::{step_axis, steps_of};
use super::text::Align;
use super::theme::{Colour, FORECAST, PAPER, RULE, SOFT_INK, TICK};
use super::value_axis::value_axis;
use crate::data::Frequency;
use crate::{Error, Result};

/// The share of the plot's height that the frequencies take, and the white space above them.
const STRIP: f64 = 0.16;
const STRIP_GAP: f64 = 0.08;

/// A stem for each coefficient, the largest with their lag in words; below them how often each lag was chosen, where
/// that is known.
#[derive(Debug, Clone)]
pub struct CoefficientChart {
    /// What the chart is about.
    pub title: String,
    /// The step and opening of the series, which give the lags their length in words.
    pub frequency: Frequency,
    /// The coefficients, that of lag 1 first; NaN where there is none.
    pub coefficients: Vec<f64>,
    /// A level in percent, and how far from zero chance alone brings each coefficient with it; where that is known.
    pub band: Option<(f64, Vec<f64>)>,
    /// The share of fits that chose each lag, from 0 to 1; where that is known.
    pub frequencies: Option<Vec<f64>>,
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
        let half_widths = self.band.as_ref().map_or(&[][..], |(_, half_widths)| half_widths);
        // Stems rise from zero, so zero is always there, and a little more so that labels have room.
        let finite = self.coefficients.iter().copied().filter(|c| c.is_finite());
        let values = finite.map(|c| c * 1.1).chain([0.0]);
        let values = values.chain(half_widths.iter().flat_map(|w| [*w, -w]));
        let legend: Vec<Key> = self.legend();
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: step_axis(&self.frequency, n),
            x_title: &format!("lag in {}", steps_of(&self.frequency)),
            side: Side::Values(self.with_room_for_strip(value_axis(values, 0.0)), "coefficient"),
        })?;
        for (i, half_width) in half_widths.iter().enumerate().take(n).filter(|(_, w)| w.is_finite()) {
            let (left, right) = (frame.px(i as f64 + 0.5), frame.px(i as f64 + 1.5));
            let area = Rect { left, top: frame.py(*half_width), right, bottom: frame.py(-half_width) };
            frame.canvas.fill(area, BAND, 1.0)?;
        }
        let stems: Vec<Point> = self
            .coefficients
            .iter()
            .enumerate()
            .map(|(i, c)| (frame.px((i + 1) as f64), if c.is_finite() { frame.py(*c) } else { f64::NAN }))
            .collect();
        let apart = (frame.plot.right - frame.plot.left) / n as f64;
        let coloured: Vec<(Point, Colour)> = stems.iter().map(|stem| (*stem, FORECAST)).collect();
        draw_stems(&mut frame, &coloured, apart, Head::Dot)?;
        if stems.iter().all(|stem| stem.1.is_nan()) {
            frame.note("no coefficients to show")?;
        }
        label_longest(&mut frame, &stems, |at| match self.frequency.lag_in_words(at + 1) {
            Some(words) => format!("{}: {words}", at + 1),
            None => format!("lag {}", at + 1),
        })?;
        self.draw_frequencies(&mut frame, apart)?;
        frame.into_png()
    }

    fn legend(&self) -> Vec<Key> {
        let band = self.band.as_ref().map(|(level, _)| {
            Key::new(format!("not told from 0 at {level} %"), Sample::Area(vec![(BAND, 1.0)]))
        });
        band.into_iter().collect()
    }

    /// The axis of the coefficients, longer by the strip where there is one.
    fn with_room_for_strip(&self, axis: Axis) -> Axis {
        let room = if self.frequencies.is_some() { STRIP + STRIP_GAP } else { 0.0 };
        Axis { lo: axis.hi - (axis.hi - axis.lo) / (1.0 - room), ..axis }
    }

    /// Draws a column for each lag into the strip: as high as the share of fits that chose it.
    fn draw_frequencies(&self, frame: &mut Frame, apart: f64) -> Result<()> {
        let Some(frequencies) = &self.frequencies else { return Ok(()) };
        let bottom = frame.plot.bottom;
        let height = (bottom - frame.plot.top) * STRIP;
        let strip = Rect { top: bottom - height, ..frame.plot };
        frame.canvas.fill(strip, PAPER, 1.0)?;
        let half = (apart * 0.8).clamp(1.0, 26.0) / 2.0;
        for (i, share) in frequencies.iter().enumerate().take(self.coefficients.len()) {
            let x = frame.px((i + 1) as f64);
            let top = bottom - height * share.clamp(0.0, 1.0);
            if top < bottom {
                frame.canvas.fill(Rect { left: x - half, top, right: x + half, bottom }, RULE, 1.0)?;
            }
        }
        frame.rule((strip.left, strip.top), (strip.right, strip.top), (1.0, BAND), None);
        frame.rule((strip.left, bottom), (strip.right, bottom), (1.3, RULE), None);
        for (text, y) in [("100 %", strip.top + 6.0), ("0 %", bottom + 6.0)] {
            frame.canvas.text(text, (strip.left - 12.0, y), (TICK, SOFT_INK), Align::Right)?;
        }
        let title = "chosen, share of fits on parts of the data";
        frame.canvas.text(title, (strip.left, strip.top - 8.0), (TICK, SOFT_INK), Align::Left)
    }
}

/// The band around zero.
const BAND: Colour = Colour(222, 226, 231);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};
    use crate::plot::theme::INK;

    fn chart(step: &str, coefficients: Vec<f64>) -> CoefficientChart {
        CoefficientChart {
            title: "Coefficients".to_string(),
            frequency: step.parse().unwrap(),
            coefficients,
            band: None,
            frequencies: None,
        }
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
    fn the_band_and_the_frequencies_have_their_place() {
        let plain = chart("1h", vec![0.5, -0.25, 0.01]);
        let area = |chart: &CoefficientChart, colour| count(&chart.render().unwrap(), colour);
        let band = Some((95.0, vec![0.1; 3]));
        let banded = CoefficientChart { band, ..plain.clone() };
        assert!(area(&banded, BAND) > area(&plain, BAND) + 50_000);
        let of = |shares: [f64; 3]| CoefficientChart { frequencies: Some(shares.into()), ..plain.clone() };
        let columns = |shares| area(&of(shares), RULE);
        // Columns of 26 x 80 pixels at the most.
        assert!(columns([1.0, 0.5, 0.0]) > columns([0.5, 0.5, 0.0]) + 700);
        assert!(columns([0.5, 0.5, 0.0]) > columns([0.0; 3]) + 1_400);
        assert!(area(&of([1.0; 3]), FORECAST) > 300);
    }

    #[test]
    fn odd_inputs_give_a_picture_and_none_an_error() {
        for step in ["1h", "20ms", "1", "1mo", "B", "1h, Mon-Fri 09:00-17:00"] {
            for coefficients in [
                vec![1.0],
                vec![-1.0, -0.5],
                vec![0.0; 5],
                vec![f64::NAN; 5],
                vec![1e308, -1e308, f64::INFINITY],
                (0..3000).map(|i| (f64::from(i) * 0.1).sin()).collect(),
            ] {
                let n = coefficients.len();
                let chart = chart(step, coefficients);
                decoded(&chart.render().unwrap());
                let band = Some((95.0, vec![f64::NAN; n / 2]));
                decoded(
                    &CoefficientChart { band, frequencies: Some(vec![2.0; n]), ..chart }.render().unwrap(),
                );
            }
        }
        assert!(chart("1h", vec![]).render().unwrap_err().is_user_error());
    }
}
