//! What each past value adds to one forecast.

use super::canvas::Point;
use super::frame::{Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::stems::{Head, draw_stems, label_longest};
use super::theme::{Colour, PAPER, model_style};
use super::time_axis::{TimeAxis, WholeSteps, step_width};
use super::value_axis::value_axis;
use crate::data::TimeIndex;
use crate::{Error, Result};

/// How much paler bars of filled values are.
const PALER: f64 = 0.6;

/// A bar for each stamp of a look-back: upwards where its value raises the forecast, downwards where it lowers it. The
/// longest say how long before the forecast they are.
#[derive(Debug, Clone)]
pub struct ContributionChart {
    /// What the chart is about.
    pub title: String,
    /// What the bars measure, with the unit: `contribution (kW)`.
    pub value_label: String,
    /// The stamps of the look-back.
    pub window: TimeIndex,
    /// What each value adds, oldest first; NaN where it does not enter.
    pub contributions: Vec<f64>,
    /// True where the value was missing and is the model's own.
    pub filled: Vec<bool>,
    /// Steps from the last stamp to the one that is forecast.
    pub step: usize,
}

impl ContributionChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no stamp, or not one contribution and one mark a stamp.
    pub fn render(&self) -> Result<Vec<u8>> {
        let n = self.window.len;
        for (field, len) in [("contributions", self.contributions.len()), ("filled", self.filled.len())] {
            if len != n {
                return Err(Error::option(field, format!("{len} values"), format!("there are {n} stamps")));
            }
        }
        let time = TimeAxis::new(&[&self.window], WholeSteps::No)?;
        let (up, down) = (model_style(0).0, model_style(1).0);
        let mut legend = vec![
            Key::new("raises the forecast", Sample::Area(vec![(up, 1.0)])),
            Key::new("lowers it", Sample::Area(vec![(down, 1.0)])),
        ];
        if self.filled.contains(&true) {
            let pale = up.mix(PAPER, PALER);
            legend.push(Key::new("pale: missing, filled by the model", Sample::Area(vec![(pale, 1.0)])));
        }
        let finite = self.contributions.iter().copied().filter(|c| c.is_finite());
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: time.axis.clone(),
            x_title: &time.title,
            // A little more than the bars, so that labels have room.
            side: Side::Values(value_axis(finite.map(|c| c * 1.1).chain([0.0]), 0.0), &self.value_label),
        })?;
        let bars: Vec<(Point, Colour)> = self
            .window
            .stamps()
            .zip(self.contributions.iter().zip(&self.filled))
            .map(|(stamp, (contribution, filled))| {
                let y = if contribution.is_finite() { frame.py(*contribution) } else { f64::NAN };
                let colour = if *contribution < 0.0 { down } else { up };
                let colour = if *filled { colour.mix(PAPER, PALER) } else { colour };
                ((frame.px(time.at(stamp)), y), colour)
            })
            .collect();
        let apart = frame.px(time.at(self.window.start) + step_width(&self.window))
            - frame.px(time.at(self.window.start));
        draw_stems(&mut frame, &bars, apart, Head::Flat)?;
        let tips: Vec<Point> = bars.iter().map(|(tip, _)| *tip).collect();
        if tips.iter().all(|tip| tip.1.is_nan()) {
            frame.note("no contributions to show")?;
        }
        let frequency = self.window.frequency();
        label_longest(&mut frame, &tips, |at| {
            let before = n - 1 - at + self.step;
            match frequency.lag_in_words(before) {
                Some(words) => format!("{words} before"),
                None => format!("{before} before"),
            }
        })?;
        frame.into_png()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Step, Zone};
    use crate::plot::canvas::testing::{count, decoded};
    use crate::plot::theme::INK;

    fn chart(step: Step, contributions: Vec<f64>) -> ContributionChart {
        let n = contributions.len();
        ContributionChart {
            title: "Load, 2015-01-01 00:00".to_string(),
            value_label: "contribution (kW)".to_string(),
            window: TimeIndex::new(0, step, Zone::Local, n),
            contributions,
            filled: vec![false; n],
            step: 1,
        }
    }

    const HOUR: Step = Step::Nanos(3_600_000_000_000);

    #[test]
    fn what_raises_and_what_lowers_differ_in_colour_and_the_largest_are_labelled() {
        // Few enough for bars that are wider than a pixel.
        let mut contributions = vec![0.0; 100];
        (contributions[90], contributions[52], contributions[51]) = (90.0, 40.0, -50.0);
        let plain = chart(HOUR, contributions.clone());
        let png = plain.render().unwrap();
        assert_eq!(png, plain.render().unwrap());
        let silent = chart(HOUR, vec![0.0; 100]).render().unwrap();
        for (i, fewest) in [(0, 150), (1, 60)] {
            let drawn = count(&png, model_style(i).0) - count(&silent, model_style(i).0);
            assert!(drawn > fewest, "{drawn}");
        }
        assert!(count(&png, INK) > count(&silent, INK) + 60);
    }

    #[test]
    fn values_that_were_filled_are_pale() {
        let plain = chart(HOUR, vec![1.0, 2.0, -3.0]);
        let pale = model_style(0).0.mix(PAPER, PALER);
        let filled = ContributionChart { filled: vec![false, true, false], ..plain.clone() };
        assert_eq!(count(&plain.render().unwrap(), pale), 0);
        assert!(count(&filled.render().unwrap(), pale) > 1_000);
    }

    #[test]
    fn odd_inputs_give_a_picture_and_wrong_ones_an_error() {
        for step in [HOUR, Step::Index(1), Step::Months(1), Step::Nanos(1)] {
            for contributions in [
                vec![1.0],
                vec![-1.0, f64::NAN, 2.0],
                vec![0.0; 5],
                vec![f64::NAN; 3],
                vec![1e308, -1e308],
                (0..3000).map(|i| (f64::from(i) * 0.1).sin()).collect(),
            ] {
                decoded(&chart(step, contributions).render().unwrap());
            }
        }
        assert!(chart(HOUR, vec![]).render().unwrap_err().is_user_error());
        let uneven = ContributionChart { filled: vec![], ..chart(HOUR, vec![1.0]) };
        let message = uneven.render().unwrap_err().to_string();
        assert!(message.contains("0 values") && message.contains("1 stamps"), "{message}");
    }
}
