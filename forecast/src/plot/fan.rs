//! The fan chart: what was, what is forecast, and how sure that is.

use jiff::civil::Time;

use super::frame::{Axis, Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::line::{Band, Line, Pen, cutoff};
use super::theme::{FORECAST, INK, RULE};
use super::time_axis::{TimeAxis, WholeSteps};
use super::value_axis::{grouped, value_axis};
use crate::data::TimeIndex;
use crate::{Error, Result, Step};

/// The share of colour that each band adds to the wider ones below it.
const BAND: f64 = 0.2;

/// History and actual values are one series, drawn alike; the rule at the cutoff parts them.
const OBSERVED: Pen = Pen { width: 2.0, colour: INK, dash: None };

/// History and forecast with shaded intervals, and a rule at the cutoff.
///
/// Give as much of the history as should be seen: two horizons of it look well.
#[derive(Debug, Clone)]
pub struct FanChart<'a> {
    /// What the chart is about; cut where it is longer than the picture is wide.
    pub title: String,
    /// What the values are, with their unit: `load (kWh)`.
    pub value_label: String,
    /// What was observed up to the cutoff; may be empty.
    pub history: Line<'a>,
    /// What is forecast after it.
    pub forecast: Line<'a>,
    /// Intervals at the stamps of the forecast, in any order.
    pub bands: Vec<Band>,
    /// What came after the cutoff, where it is known.
    pub actual: Option<Line<'a>>,
}

impl FanChart<'_> {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a line or a band has not one value a stamp, a level is not between 0 and 100, the
    /// forecast is empty, or an integer index is mixed with times.
    pub fn render(&self) -> Result<Vec<u8>> {
        self.check()?;
        let time = self.time()?;
        let legend = self.legend();
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: time.axis.clone(),
            x_title: &time.title,
            side: Side::Values(self.value_axis(), &self.value_label),
        })?;
        let at = cutoff(&time, &self.forecast.index);
        frame.note_above(&format!("forecast from {}", spell(&self.forecast.index)), at)?;
        self.draw(&mut frame, &time, 1.0)?;
        frame.into_png()
    }

    /// The axis that all stamps lie on.
    pub(super) fn time(&self) -> Result<TimeAxis> {
        let mut indexes = vec![&self.history.index, &self.forecast.index];
        indexes.extend(self.actual.iter().map(|actual| &actual.index));
        TimeAxis::new(&indexes, WholeSteps::No)
    }

    /// The axis that all values lie on.
    pub(super) fn value_axis(&self) -> Axis {
        value_axis(self.values(), 0.25)
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        let lines = [Some(&self.history), Some(&self.forecast), self.actual.as_ref()];
        let values = lines.into_iter().flatten().flat_map(|line| line.values.iter());
        values.chain(self.bands.iter().flat_map(|band| band.lower.iter().chain(&band.upper))).copied()
    }

    /// Draws the data: bands, the rule at the cutoff, lines of `thickness` times the usual width.
    pub(super) fn draw(&self, frame: &mut Frame, time: &TimeAxis, thickness: f64) -> Result<()> {
        if !self.values().any(f64::is_finite) {
            frame.note("no observed and no forecast values")?;
        }
        for band in self.widest_first() {
            band.draw(frame, time, &self.forecast.index, (FORECAST, BAND))?;
        }
        frame.vertical(cutoff(time, &self.forecast.index), (1.4, RULE), Some((5.0, 5.0)));
        let pen = |pen: Pen| Pen { width: pen.width * thickness, ..pen };
        if let Some(actual) = &self.actual {
            actual.draw(frame, time, pen(OBSERVED));
        }
        self.history.draw(frame, time, pen(OBSERVED));
        self.forecast.draw(frame, time, pen(Pen { width: 2.6, colour: FORECAST, dash: None }));
        Ok(())
    }

    fn widest_first(&self) -> Vec<&Band> {
        let mut bands: Vec<&Band> = self.bands.iter().collect();
        bands.sort_by(|a, b| b.level.total_cmp(&a.level));
        bands
    }

    /// Checks that everything has one value a stamp.
    pub(super) fn check(&self) -> Result<()> {
        self.history.check("history")?;
        self.forecast.check("forecast")?;
        if let Some(actual) = &self.actual {
            actual.check("actual")?;
        }
        if self.forecast.index.len == 0 {
            return Err(Error::option("forecast", "empty", "it needs at least one step"));
        }
        let stamps = self.forecast.index.len;
        self.bands.iter().enumerate().try_for_each(|(i, band)| band.check(&format!("bands[{i}]"), stamps))
    }

    /// Keys for what is there.
    pub(super) fn legend(&self) -> Vec<Key> {
        let bands = self.widest_first();
        let mut keys = Vec::new();
        let observed = if self.actual.is_some() { "observed" } else { "history" };
        if self.history.index.len > 0 || self.actual.is_some() {
            keys.push(Key::new(observed, Sample::Line(INK, 2.0, None)));
        }
        keys.push(Key::new("forecast", Sample::Line(FORECAST, 2.6, None)));
        for (i, band) in bands.iter().enumerate().rev() {
            let layers = vec![(FORECAST, BAND); i + 1];
            keys.push(Key::new(format!("{} % interval", band.level), Sample::Area(layers)));
        }
        keys
    }
}

/// The first stamp of an index as people write it, as exact as its step asks for.
fn spell(index: &TimeIndex) -> String {
    let Some(civil) = index.civil(index.start) else {
        return grouped(index.start as f64, 0);
    };
    let day = 86_400_000_000_000;
    let pattern = match index.step.approximate_nanos() {
        _ if matches!(index.step, Step::Months(_)) => "%b %Y",
        step if step % day == 0 && civil.time() == Time::midnight() => "%a %-d %b %Y",
        step if step < 60_000_000_000 => "%a %-d %b %Y %H:%M:%S",
        _ => "%a %-d %b %Y %H:%M",
    };
    civil.strftime(pattern).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Zone;
    use crate::plot::canvas::testing::{count, decoded};
    use crate::plot::theme::PAPER;

    fn chart(step: &str, history: Vec<f64>, forecast: Vec<f64>) -> FanChart<'static> {
        let step = Step::try_from(step.to_string()).unwrap();
        let index = TimeIndex::new(0, step, Zone::Local, history.len());
        let future = index.future(forecast.len());
        let band = |level: f64, half: f64| Band {
            level,
            lower: forecast.iter().map(|v| v - half).collect(),
            upper: forecast.iter().map(|v| v + half).collect(),
        };
        FanChart {
            title: "Łast für Αθήνα".to_string(),
            value_label: "load (kWh)".to_string(),
            bands: vec![band(80.0, 20.0), band(95.0, 40.0)],
            history: Line::new(index, history),
            forecast: Line::new(future, forecast),
            actual: None,
        }
    }

    fn wave(n: usize) -> Vec<f64> {
        (0..n).map(|i| 100.0 + 30.0 * (i as f64 * 0.26).sin()).collect()
    }

    #[test]
    fn the_widest_band_is_the_lightest_and_the_same_data_give_the_same_bytes() {
        let chart = chart("1h", wave(336), wave(168));
        let png = chart.render().unwrap();
        assert_eq!(png, chart.render().unwrap());
        let wide = PAPER.mix(FORECAST, BAND);
        let (wide, narrow) = (count(&png, wide), count(&png, wide.mix(FORECAST, BAND)));
        assert!(wide > 10_000 && narrow > 10_000, "{wide} {narrow}");
        assert!(count(&png, FORECAST) > 500 && count(&png, INK) > 500);
    }

    #[test]
    fn a_missing_value_breaks_the_line() {
        let whole = chart("1h", vec![100.0; 48], wave(8)).render().unwrap();
        let mut broken = vec![100.0; 48];
        broken[10..30].fill(f64::NAN);
        let broken = chart("1h", broken, wave(8)).render().unwrap();
        assert!(count(&broken, INK) + 200 < count(&whole, INK));
    }

    #[test]
    fn every_odd_input_gives_a_picture() {
        let nan = f64::NAN;
        for step in ["1h", "1", "1mo", "1civil_day", "20ms"] {
            for (history, forecast) in [
                (vec![], vec![1.0]),
                (vec![1.0], vec![1.0]),
                (vec![nan; 50], vec![nan; 5]),
                (vec![7.0; 50], vec![7.0; 5]),
                (vec![-5.0, nan, -7.0], vec![-1e9, 0.0]),
                (vec![1e308, -1e308, f64::INFINITY], vec![1e-300]),
                (vec![1e-12, 2e-12], vec![1.5e-12]),
            ] {
                let actual = Line::new(
                    chart(step, history.clone(), forecast.clone()).forecast.index,
                    forecast.clone(),
                );
                let chart = FanChart { actual: Some(actual), ..chart(step, history, forecast) };
                decoded(&chart.render().unwrap());
            }
        }
        let long = "sehr ".repeat(200);
        let chart = FanChart { title: long.clone(), value_label: long, ..chart("1h", wave(9), wave(3)) };
        decoded(&chart.render().unwrap());
    }

    #[test]
    fn an_empty_forecast_and_wrong_lengths_are_user_errors() {
        let error = chart("1h", wave(5), vec![]).render().unwrap_err();
        assert_eq!(error.to_string(), "forecast is empty, but it needs at least one step");
        let mut short = chart("1h", wave(5), wave(3));
        short.bands[1].upper.pop();
        let error = short.render().unwrap_err();
        assert_eq!(error.to_string(), "bands[1].upper is 2 values, but the forecast has 3 stamps");
    }

    #[test]
    fn the_cutoff_is_told_as_exactly_as_the_step_asks_for() {
        let index = |step: &str| chart(step, vec![1.0], vec![1.0]).forecast.index;
        for (step, text) in [
            ("1h", "Thu 1 Jan 1970 01:00"),
            ("1D", "Fri 2 Jan 1970"),
            ("30s", "Thu 1 Jan 1970 00:00:30"),
            ("1mo", "Feb 1970"),
            ("1200", "1,200"),
        ] {
            assert_eq!(spell(&index(step)), text);
        }
    }
}
