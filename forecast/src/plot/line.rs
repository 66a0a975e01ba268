//! Lines and bands over time, and how they are drawn.

use std::borrow::Cow;

use super::canvas::Point;
use super::frame::Frame;
use super::theme::{Colour, Dash};
use super::time_axis::{TimeAxis, step_width};
use crate::data::TimeIndex;
use crate::{Error, Result};

/// Values over time.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    /// The stamps.
    pub index: TimeIndex,
    /// One value a stamp, in the units of the series; the line breaks where one is NaN (or infinite).
    pub values: Cow<'a, [f64]>,
}

impl<'a> Line<'a> {
    /// A line through `values` at the stamps of `index`, borrowed or owned.
    pub fn new(index: TimeIndex, values: impl Into<Cow<'a, [f64]>>) -> Self {
        Line { index, values: values.into() }
    }

    /// Checks that there is one value a stamp.
    ///
    /// # Errors
    /// [`Error::BadOption`] with both numbers if there is not.
    pub(super) fn check(&self, field: &str) -> Result<()> {
        let (values, stamps) = (self.values.len(), self.index.len);
        if values == stamps {
            return Ok(());
        }
        let rule = format!("its time index has {stamps} stamps");
        Err(Error::option(format!("{field}.values"), format!("{values} values"), rule))
    }

    /// Draws the line.
    pub(super) fn draw(&self, frame: &mut Frame, axis: &TimeAxis, pen: Pen) {
        let points = self.index.stamps().zip(self.values.iter());
        let points = points.map(|(stamp, value)| (frame.px(axis.at(stamp)), frame.py(*value)));
        // Thinner where many values share a pixel, so that single spikes do not look like blocks.
        let dense = self.index.len as f64 > frame.plot.right - frame.plot.left;
        let pen = Pen { width: if dense { pen.width * 0.6 } else { pen.width }, ..pen };
        draw_points(frame, points.collect(), pen);
    }
}

/// A prediction interval around a forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// Its level in percent, between 0 and 100.
    pub level: f64,
    /// The lower ends, one a stamp of the forecast, in the units of the series; NaN where there is none.
    pub lower: Vec<f64>,
    /// The upper ends.
    pub upper: Vec<f64>,
}

impl Band {
    /// Checks the level, and that both ends have one value a stamp of the forecast.
    ///
    /// # Errors
    /// [`Error::BadOption`] if not.
    pub(super) fn check(&self, field: &str, stamps: usize) -> Result<()> {
        if !(self.level > 0.0 && self.level < 100.0) {
            let rule = "it must be between 0 and 100 percent";
            return Err(Error::option(format!("{field}.level"), self.level, rule));
        }
        for (name, values) in [("lower", &self.lower), ("upper", &self.upper)] {
            if values.len() != stamps {
                let rule = format!("the forecast has {stamps} stamps");
                let count = format!("{} values", values.len());
                return Err(Error::option(format!("{field}.{name}"), count, rule));
            }
        }
        Ok(())
    }

    /// Shades the band over the stamps of its forecast.
    pub(super) fn draw(
        &self,
        frame: &mut Frame,
        axis: &TimeAxis,
        index: &TimeIndex,
        paint: (Colour, f64),
    ) -> Result<()> {
        let mut xs: Vec<f64> = index.stamps().map(|stamp| frame.px(axis.at(stamp))).collect();
        let pixels = |ends: &[f64]| ends.iter().map(|v| frame.py(*v)).collect::<Vec<_>>();
        let (mut lower, mut upper) = (pixels(&self.lower), pixels(&self.upper));
        if let [x] = xs[..] {
            // An interval of one step has no length; it is drawn as a bar of a few pixels.
            xs = vec![x - 4.0, x + 4.0];
            lower.push(lower[0]);
            upper.push(upper[0]);
        }
        frame.canvas.fill_between(&xs, &lower, &upper, paint)
    }
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pen {
    /// In pixels.
    pub(super) width: f64,
    pub(super) colour: Colour,
    pub(super) dash: Dash,
}

/// Draws a line through points in pixels, broken where a height is not finite.
pub(super) fn draw_points(frame: &mut Frame, points: Vec<Point>, pen: Pen) {
    for run in points.split(|point| !point.1.is_finite()) {
        match run {
            [] => {}
            [_] => frame.canvas.stroke(run, pen.width, pen.colour),
            _ => frame.canvas.stroke_dashed(&thinned(run), pen.width, pen.colour, pen.dash),
        }
    }
}

/// At most four points a column of half a pixel: the first, the lowest, the highest and the last.
///
/// The picture is the same, and long series take no longer than short ones.
fn thinned(points: &[Point]) -> Vec<Point> {
    let mut out = Vec::with_capacity(points.len());
    for column in points.chunk_by(|a, b| (a.0 * 2.0).floor() as i64 == (b.0 * 2.0).floor() as i64) {
        if column.len() <= 4 {
            out.extend_from_slice(column);
            continue;
        }
        let by_height = |i: &usize, j: &usize| column[*i].1.total_cmp(&column[*j].1);
        let lowest = (0..column.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..column.len()).max_by(by_height).unwrap_or(0);
        let mut kept = [0, lowest, highest, column.len() - 1];
        kept.sort_unstable();
        out.extend(kept.map(|i| column[i]));
    }
    out
}

/// The position of the cutoff before a forecast: half a step before its first stamp.
pub(super) fn cutoff(axis: &TimeAxis, forecast: &TimeIndex) -> f64 {
    axis.at(forecast.start) - step_width(forecast) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Step, Zone};

    #[test]
    fn thinning_keeps_the_extremes_of_every_column() {
        let points: Vec<Point> =
            (0..10_000).map(|i| (f64::from(i) / 100.0, f64::from(i * 7919 % 1000))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= 4 * 201, "{}", thin.len());
        let highest = |points: &[Point]| points.iter().map(|p| p.1).fold(f64::MIN, f64::max);
        assert_eq!(highest(&thin).to_bits(), highest(&points).to_bits());
        assert_eq!(thinned(&points[..4]), points[..4]);
    }

    #[test]
    fn wrong_lengths_and_levels_are_told_with_their_numbers() {
        let index = TimeIndex::new(0, Step::Nanos(1), Zone::Local, 3);
        let message = Line::new(index, vec![1.0]).check("history").unwrap_err().to_string();
        assert_eq!(message, "history.values is 1 values, but its time index has 3 stamps");
        let band = |level, n| Band { level, lower: vec![0.0; n], upper: vec![1.0; 3] };
        assert!(band(80.0, 3).check("bands", 3).is_ok());
        assert!(band(80.0, 2).check("bands", 3).unwrap_err().to_string().contains("bands.lower"));
        for level in [0.0, 100.0, -1.0, f64::NAN] {
            assert!(band(level, 3).check("bands", 3).unwrap_err().is_user_error());
        }
    }
}
