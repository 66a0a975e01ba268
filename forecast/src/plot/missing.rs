//! Where observations are missing, one strip a series.

use super::canvas::Rect;
use super::frame::{Frame, Layout, Side};
use super::legend::{Key, Sample};
use super::strip::{draw_strip, shade, share_in_words};
use super::text::{Align, fitted, text_width};
use super::theme::{INK, LABEL, Lettering, MARGIN, OBSERVED, SOFT_INK, TICK};
use super::time_axis::{TimeAxis, WholeSteps};
use crate::data::TimeIndex;
use crate::{Error, Result};

/// The most rows drawn.
const MAX_ROWS: usize = 40;
/// The widest name in pixels.
const WIDEST_NAME: f64 = 260.0;

/// Which steps of each series are observed, missing, or outside the series.
#[derive(Debug, Clone)]
pub struct MissingMap {
    /// What the chart is about.
    pub title: String,
    /// The common grid of all rows.
    pub index: TimeIndex,
    /// A name and one entry a step: observed (`Some(true)`), missing (`Some(false)`), or outside the series (`None`).
    pub rows: Vec<(String, Vec<Option<bool>>)>,
}

impl MissingMap {
    /// The chart as PNG, 1200 x 675 pixels; at most 40 rows are drawn, the others are counted.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no row or no stamp, or a row has not one entry a stamp.
    pub fn render(&self) -> Result<Vec<u8>> {
        self.check()?;
        let time = TimeAxis::new(&[&self.index], WholeSteps::Yes)?;
        let shown = &self.rows[..self.rows.len().min(MAX_ROWS)];
        let names = shown.iter().map(|(name, _)| fitted(name, LABEL, WIDEST_NAME));
        let names = names.collect::<Result<Vec<_>>>()?;
        let widths = names.iter().map(|name| text_width(name, LABEL));
        let widest = widths.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
        let legend = [
            Key::new("observed", Sample::Area(vec![(OBSERVED, 1.0)])),
            Key::new("some steps missing", Sample::Area(vec![(shade(0.01), 1.0)])),
            Key::new("all steps missing", Sample::Area(vec![(shade(1.0), 1.0)])),
        ];
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: time.axis.clone(),
            x_title: &time.title,
            side: Side::Room { left: MARGIN + widest + 16.0, right: MARGIN + 84.0 },
        })?;
        let plot = frame.plot;
        let bottom = plot.bottom - 10.0 - if self.rows.len() > MAX_ROWS { 26.0 } else { 0.0 };
        let pitch = (bottom - plot.top - 20.0) / shown.len() as f64;
        frame.canvas.text("missing", (plot.right + 84.0, plot.top + 8.0), (TICK, SOFT_INK), Align::Right)?;
        for (i, ((_, steps), name)) in shown.iter().zip(&names).enumerate() {
            let middle = plot.top + 20.0 + pitch * (i as f64 + 0.5);
            let half = (pitch * 0.38).min(90.0);
            let strip = Rect { top: middle - half, bottom: middle + half, ..plot };
            draw_strip(&mut frame, strip, steps)?;
            let lettering = if pitch < 18.0 { Lettering { size: 14.0, ..LABEL } } else { LABEL };
            let base = middle + lettering.size * 0.32;
            frame.canvas.text(name, (plot.left - 16.0, base), (lettering, INK), Align::Right)?;
            let share = share_in_words(steps);
            frame.canvas.text(&share, (plot.right + 84.0, base), (lettering, INK), Align::Right)?;
        }
        if let Some(rest) = self.rest_in_words() {
            frame.canvas.text(&rest, (plot.left, plot.bottom - 12.0), (TICK, SOFT_INK), Align::Left)?;
        }
        frame.into_png()
    }

    fn check(&self) -> Result<()> {
        if self.rows.is_empty() {
            return Err(Error::option("rows", "empty", "the map needs at least one series"));
        }
        for (name, steps) in &self.rows {
            if steps.len() != self.index.len {
                let rule = format!("the common grid has {} stamps", self.index.len);
                let count = format!("{} steps of \"{name}\"", steps.len());
                return Err(Error::option("rows", count, rule));
            }
        }
        Ok(())
    }

    /// A sentence about the rows that are not drawn.
    fn rest_in_words(&self) -> Option<String> {
        let rest = self.rows.get(MAX_ROWS..).filter(|rest| !rest.is_empty())?;
        let gaps = rest.iter().filter(|(_, steps)| steps.contains(&Some(false))).count();
        Some(format!("and {} more series, {gaps} of them with missing steps", rest.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Step, Zone};
    use crate::plot::canvas::testing::{count, decoded};

    fn map(step: Step, rows: Vec<Vec<Option<bool>>>) -> MissingMap {
        let index = TimeIndex::new(0, step, Zone::Local, rows.first().map_or(0, Vec::len));
        let name = |i: usize| format!("Zähler {i} ") + &"ś".repeat(i);
        let rows = rows.into_iter().enumerate().map(|(i, row)| (name(i), row)).collect();
        MissingMap { title: "Missing".to_string(), index, rows }
    }

    const HOUR: Step = Step::Nanos(3_600_000_000_000);

    #[test]
    fn one_missing_step_among_26_000_is_seen() {
        let mut steps = vec![Some(true); 26_304];
        let whole = map(HOUR, vec![steps.clone()]).render().unwrap();
        for i in [0, 17, 20_000, 26_303] {
            steps[i] = Some(false);
            let broken = map(HOUR, vec![steps.clone()]).render().unwrap();
            let lost = count(&whole, OBSERVED) - count(&broken, OBSERVED);
            assert!((150..1000).contains(&lost), "step {i}: {lost} pixels");
            steps[i] = Some(true);
        }
    }

    #[test]
    fn what_is_outside_a_series_stays_white() {
        let whole = map(HOUR, vec![vec![Some(true); 1000]]).render().unwrap();
        let half = [vec![None; 500], vec![Some(true); 500]].concat();
        let half = map(HOUR, vec![half]).render().unwrap();
        assert!(count(&half, OBSERVED) < count(&whole, OBSERVED) * 6 / 10);
        assert_eq!(
            half,
            map(HOUR, vec![[vec![None; 500], vec![Some(true); 500]].concat()]).render().unwrap()
        );
    }

    #[test]
    fn odd_inputs_give_a_picture_and_wrong_ones_an_error() {
        for step in [HOUR, Step::Index(1), Step::Months(1), Step::Nanos(1)] {
            for row in [vec![None], vec![Some(false)], vec![Some(true); 3], vec![None; 5000]] {
                decoded(&map(step, vec![row]).render().unwrap());
            }
        }
        let many = map(HOUR, vec![vec![Some(false), None, Some(true)]; 57]);
        assert_eq!(many.rest_in_words().unwrap(), "and 17 more series, 17 of them with missing steps");
        decoded(&many.render().unwrap());
        assert!(map(HOUR, vec![]).render().unwrap_err().is_user_error());
        assert!(map(HOUR, vec![vec![]]).render().unwrap_err().is_user_error());
        let uneven = map(HOUR, vec![vec![None; 3], vec![None; 2]]).render().unwrap_err().to_string();
        assert!(uneven.contains("2 steps of \"Zähler 1 ś\"") && uneven.contains("3 stamps"), "{uneven}");
    }
}
