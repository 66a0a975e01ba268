//! Forecasts side by side: the best, the median and the worst, say.

use super::canvas::{Canvas, Rect};
use super::fan::FanChart;
use super::frame::{Frame, Side, draw_heading};
use super::text::{Align, fitted};
use super::theme::{HEIGHT, INK, LABEL, MARGIN, WIDTH};
use crate::{Error, Result};

/// More plots than this side by side are too narrow to read.
const MOST: usize = 4;
/// White space between two plots, in pixels.
const BETWEEN: f64 = 44.0;
/// Height of the heading of a plot.
const HEADING: f64 = 26.0;
/// Lines are thinner than in a chart of one forecast, or they would cover each other.
const THICKNESS: f64 = 0.65;

/// Some forecasts side by side, each with axes of its own.
#[derive(Debug, Clone)]
pub struct SampleChart<'a> {
    /// What the chart is about.
    pub title: String,
    /// One to four forecasts, each with its title as a heading; they share one legend.
    pub forecasts: Vec<FanChart<'a>>,
}

impl SampleChart<'_> {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no forecast or are more than four, and as [`FanChart::render`] for each.
    pub fn render(&self) -> Result<Vec<u8>> {
        let n = self.forecasts.len();
        if n == 0 || n > MOST {
            let rule = format!("the chart has room for 1 to {MOST}");
            return Err(Error::option("forecasts", n, rule));
        }
        self.forecasts.iter().try_for_each(FanChart::check)?;
        let legends = self.forecasts.iter().map(FanChart::legend);
        let legend = legends.max_by_key(Vec::len).unwrap_or_default();
        let mut canvas = Canvas::new();
        let top = draw_heading(&mut canvas, &self.title, &legend)? + HEADING;
        let width = (WIDTH as f64 - 2.0 * MARGIN - BETWEEN * (n - 1) as f64) / n as f64;
        for (i, forecast) in self.forecasts.iter().enumerate() {
            let left = MARGIN + (width + BETWEEN) * i as f64;
            let heading = fitted(&forecast.title, LABEL, width)?;
            canvas.text(&heading, (left, top + 4.0), (LABEL, INK), Align::Left)?;
            let area = Rect { left, top, right: left + width, bottom: HEIGHT as f64 };
            let time = forecast.time()?;
            let side = Side::Values(forecast.value_axis(), &forecast.value_label);
            let mut frame = Frame::inside(canvas, area, time.axis.clone(), &time.title, side)?;
            forecast.draw(&mut frame, &time, THICKNESS)?;
            canvas = frame.into_canvas();
        }
        canvas.into_png()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Step, TimeIndex, Zone};
    use crate::plot::canvas::testing::{count, decoded};
    use crate::plot::theme::FORECAST;
    use crate::plot::{Band, Line};

    fn forecast(step: &str, values: Vec<f64>, n_history: usize) -> FanChart<'static> {
        let step: Step = step.parse().unwrap();
        let index = TimeIndex::new(0, step, Zone::Local, n_history);
        let future = index.future(values.len());
        let shifted = |by: f64| values.iter().map(|v| v + by).collect::<Vec<_>>();
        FanChart {
            title: "best: 0.31 of seasonal naive's error".to_string(),
            value_label: "Łast, from 1 January 1970".to_string(),
            history: Line::new(index, (0..n_history).map(|i| i as f64).collect::<Vec<_>>()),
            actual: Some(Line::new(future.clone(), shifted(1.0))),
            bands: vec![Band { level: 80.0, lower: shifted(-2.0), upper: shifted(2.0) }],
            forecast: Line::new(future, values),
        }
    }

    #[test]
    fn each_plot_adds_its_line() {
        let chart = |n: usize| SampleChart {
            title: "A sample".to_string(),
            forecasts: (0..n).map(|_| forecast("1h", vec![30.0; 24], 48)).collect(),
        };
        let drawn: Vec<usize> =
            [1, 2, 4].into_iter().map(|n| count(&chart(n).render().unwrap(), FORECAST)).collect();
        assert!(drawn.iter().all(|n| *n > 300), "{drawn:?}");
        assert_eq!(chart(3).render().unwrap(), chart(3).render().unwrap());
        for n in [0, 5] {
            let message = chart(n).render().unwrap_err().to_string();
            assert_eq!(message, format!("forecasts is {n}, but the chart has room for 1 to 4"));
        }
    }

    #[test]
    fn odd_inputs_give_a_picture() {
        let long = FanChart { title: "sehr ".repeat(90), ..forecast("1mo", vec![1e300, f64::NAN], 3) };
        for forecasts in [
            vec![forecast("1", vec![5.0], 0), forecast("20ms", vec![f64::NAN; 3], 2), long],
            vec![forecast("1D", vec![7.0; 400], 1), forecast("15min", vec![-1e-12; 3], 90)],
        ] {
            decoded(&SampleChart { title: "Łast ".repeat(90), forecasts }.render().unwrap());
        }
    }
}
