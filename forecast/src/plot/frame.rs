//! The frame of a chart: title, legend, grid, ticks, and the map from data to pixels.

use super::canvas::{Canvas, Point, Rect};
use super::legend::{Key, draw_legend};
use super::text::{Align, fitted, text_width};
use super::theme::{Colour, Dash, GRID, HEIGHT, INK, LABEL, MARGIN, RULE, SOFT_INK, TICK, TITLE, WIDTH};
use crate::Result;

/// A labelled place on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tick {
    /// Position in the units of the axis.
    pub(super) at: f64,
    pub(super) label: String,
    /// A second line that holds from here to the next tick with one: the date below hours.
    pub(super) context: Option<String>,
}

/// A range of data and its ticks.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    pub(super) lo: f64,
    pub(super) hi: f64,
    pub(super) ticks: Vec<Tick>,
}

impl Axis {
    /// The place of `at` as a fraction of the axis; what lies far outside is put near its ends.
    fn share(&self, at: f64) -> f64 {
        ((at - self.lo) / (self.hi - self.lo)).clamp(-0.5, 1.5)
    }
}

/// What surrounds the data of a chart.
pub(super) struct Layout<'a> {
    pub(super) title: &'a str,
    pub(super) legend: &'a [Key],
    pub(super) x: Axis,
    /// What the horizontal axis shows, with its unit.
    pub(super) x_title: &'a str,
    pub(super) side: Side<'a>,
}

/// What stands at the left and right of the plot.
pub(super) enum Side<'a> {
    /// An axis of values, and what they are with their unit.
    Values(Axis, &'a str),
    /// Room in pixels for texts that the chart writes itself.
    Room { left: f64, right: f64 },
}

/// A canvas with its frame drawn, ready for data.
pub(super) struct Frame {
    pub(super) canvas: Canvas,
    /// The part of the canvas that belongs to the plot and its labels.
    area: Rect,
    /// Where the data go.
    pub(super) plot: Rect,
    y_title_end: f64,
    x: Axis,
    y: Axis,
}

impl Frame {
    /// Draws everything but the data.
    pub(super) fn new(layout: Layout<'_>) -> Result<Self> {
        let mut canvas = Canvas::new();
        let top = draw_heading(&mut canvas, layout.title, layout.legend)?;
        let area = Rect { left: MARGIN, top, right: WIDTH as f64 - MARGIN, bottom: HEIGHT as f64 };
        Frame::inside(canvas, area, layout.x, layout.x_title, layout.side)
    }

    /// Draws axes and grid into a part of a canvas, from its top left to its bottom right.
    pub(super) fn inside(
        mut canvas: Canvas,
        area: Rect,
        x: Axis,
        x_title: &str,
        side: Side<'_>,
    ) -> Result<Self> {
        let with_context = x.ticks.iter().any(|tick| tick.context.is_some());
        let bottom = area.bottom - if with_context { 78.0 } else { 76.0 };
        let (y, y_title, left, right) = match side {
            Side::Values(axis, title) => {
                let widths = axis.ticks.iter().map(|tick| text_width(&tick.label, TICK));
                let widest = widths.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
                (axis, title, MARGIN + widest + 12.0, MARGIN)
            }
            Side::Room { left, right } => (Axis { lo: 0.0, hi: 1.0, ticks: Vec::new() }, "", left, right),
        };
        let mut top = area.top + 18.0;
        if !y_title.is_empty() {
            // The name of the values lies level above them: no one has to turn their head.
            let y_title = fitted(y_title, LABEL, area.right - area.left)?;
            canvas.text(&y_title, (area.left, area.top + 30.0), (LABEL, SOFT_INK), Align::Left)?;
            top = area.top + 46.0;
        }
        let beyond = right - MARGIN;
        let left = area.left - MARGIN + left;
        let right = area.right - beyond;
        let right = right - overhang(&x, right - left, beyond)?;
        let plot = Rect { left, top, right, bottom };
        let y_title_end = area.left + text_width(y_title, LABEL)?;
        let mut frame = Frame { canvas, area, plot, y_title_end, x, y };
        frame.draw_grid()?;
        frame.draw_x_labels(x_title)?;
        Ok(frame)
    }

    /// The pixel column of a position on the horizontal axis.
    pub(super) fn px(&self, at: f64) -> f64 {
        self.plot.left + self.x.share(at) * (self.plot.right - self.plot.left)
    }

    /// The pixel row of a value.
    pub(super) fn py(&self, value: f64) -> f64 {
        self.plot.bottom - self.y.share(value) * (self.plot.bottom - self.plot.top)
    }

    fn draw_grid(&mut self) -> Result<()> {
        for tick in self.y.ticks.clone() {
            let y = self.py(tick.at);
            self.rule((self.plot.left, y), (self.plot.right, y), (1.0, GRID), None);
            let at = (self.plot.left - 12.0, y + 6.0);
            self.canvas.text(&tick.label, at, (TICK, SOFT_INK), Align::Right)?;
        }
        if self.y.lo < 0.0 && self.y.hi > 0.0 {
            let y = self.py(0.0);
            self.rule((self.plot.left, y), (self.plot.right, y), (1.3, RULE), None);
        }
        Ok(())
    }

    fn draw_x_labels(&mut self, title: &str) -> Result<()> {
        let bottom = self.plot.bottom;
        self.rule((self.plot.left, bottom), (self.plot.right, bottom), (1.3, RULE), None);
        let ticks = self.x.ticks.clone();
        let widths = ticks.iter().map(|tick| text_width(&tick.label, TICK));
        let widest = widths.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
        let apart = ticks.windows(2).map(|t| self.px(t[1].at) - self.px(t[0].at));
        let closest = apart.fold(f64::INFINITY, f64::min).max(1.0);
        // Labels that would touch are left out in turn; their ticks stay.
        let every = ((widest + 14.0) / closest).ceil().max(1.0) as usize;
        let mut context_end = f64::NEG_INFINITY;
        for (i, tick) in ticks.iter().enumerate() {
            let x = self.px(tick.at);
            self.rule((x, bottom), (x, bottom + 6.0), (1.3, RULE), None);
            if i % every == 0 {
                self.label_below(&tick.label, (x, bottom + 26.0))?;
            }
            if let Some(context) = &tick.context {
                let half = text_width(context, TICK)? / 2.0;
                if x - half > context_end + 14.0 {
                    context_end = self.label_below(context, (x, bottom + 47.0))?;
                }
            }
        }
        let title_width = text_width(title, LABEL)?;
        let right = self.area.right;
        // The title shares the row of the dates where there is room for both.
        let row = if context_end + 24.0 < right - title_width { 48.0 } else { 66.0 };
        let at = (right, bottom + row);
        self.canvas.text(title, at, (LABEL, SOFT_INK), Align::Right)
    }

    /// Writes a text centred below the plot, at most a little beyond its area; returns its right end.
    fn label_below(&mut self, text: &str, (x, y): Point) -> Result<f64> {
        let half = text_width(text, TICK)? / 2.0;
        let x = x.max(self.area.left + half).min(self.area.right + 30.0 - half);
        self.canvas.text(text, (x, y), (TICK, SOFT_INK), Align::Centre)?;
        Ok(x + half)
    }

    /// Draws a straight line in pixels.
    pub(super) fn rule(&mut self, a: Point, b: Point, (width, colour): (f64, Colour), dash: Dash) {
        self.canvas.stroke_dashed(&[a, b], width, colour, dash);
    }

    /// Draws a rule from the top to the bottom of the plot at a position of the horizontal axis.
    pub(super) fn vertical(&mut self, at: f64, stroke: (f64, Colour), dash: Dash) {
        let x = self.px(at);
        if x >= self.plot.left - 0.5 && x <= self.plot.right + 0.5 {
            self.rule((x, self.plot.top), (x, self.plot.bottom), stroke, dash);
        }
    }

    /// Writes a text above the plot at a position of the horizontal axis, unless the name of the values is in the way.
    pub(super) fn note_above(&mut self, text: &str, at: f64) -> Result<()> {
        let half = text_width(text, TICK)? / 2.0;
        let x = self.px(at).min(self.plot.right - half);
        if x - half < self.y_title_end + 20.0 {
            return Ok(());
        }
        let place = (x, self.plot.top - 16.0);
        self.canvas.text(text, place, (TICK, SOFT_INK), Align::Centre)
    }

    /// Writes a sentence into the middle of an empty plot.
    pub(super) fn note(&mut self, text: &str) -> Result<()> {
        let at = ((self.plot.left + self.plot.right) / 2.0, (self.plot.top + self.plot.bottom) / 2.0);
        self.canvas.text(text, at, (LABEL, SOFT_INK), Align::Centre)
    }

    /// The canvas, to draw another plot beside this one.
    pub(super) fn into_canvas(self) -> Canvas {
        self.canvas
    }

    /// The finished picture.
    pub(super) fn into_png(self) -> Result<Vec<u8>> {
        self.canvas.into_png()
    }
}

/// Writes the title and the legend of a chart; returns where they end.
pub(super) fn draw_heading(canvas: &mut Canvas, title: &str, legend: &[Key]) -> Result<f64> {
    let title = fitted(title, TITLE, WIDTH as f64 - 2.0 * MARGIN)?;
    canvas.text(&title, (MARGIN, 50.0), (TITLE, INK), Align::Left)?;
    draw_legend(canvas, legend, 66.0)
}

/// How much further a plot of this width has to end from the right edge of its area, for the label of its last tick to
/// stay inside; `beyond` is how far it ends from there already.
fn overhang(x: &Axis, width: f64, beyond: f64) -> Result<f64> {
    let Some(last) = x.ticks.last() else {
        return Ok(0.0);
    };
    let half = text_width(&last.label, TICK)? / 2.0;
    let after = (1.0 - x.share(last.at)) * width;
    Ok((half - after - beyond).max(0.0))
}
