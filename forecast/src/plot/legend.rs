//! The legend: a row of keys between the title and the plot, so that it never covers data.

use super::canvas::{Canvas, Rect};
use super::text::{Align, fitted, text_width};
use super::theme::{Colour, Dash, LABEL, MARGIN, SOFT_INK, WIDTH};
use crate::Result;

/// Height of one row of keys in pixels.
const ROW: f64 = 27.0;
/// Width of a sample in pixels.
const SAMPLE: f64 = 30.0;
/// White space between a sample and its name, and between two keys, in pixels.
const GAP: f64 = 9.0;
const BETWEEN: f64 = 28.0;
/// The longest name in pixels.
const LONGEST: f64 = 300.0;
const MAX_ROWS: usize = 3;

/// The sample of a key.
#[derive(Debug, Clone)]
pub(super) enum Sample {
    /// A line with its width in pixels.
    Line(Colour, f64, Dash),
    /// Layers of an area with their shares of colour, painted over each other.
    Area(Vec<(Colour, f64)>),
}

/// One entry of the legend.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) sample: Sample,
}

impl Key {
    pub(super) fn new(name: impl Into<String>, sample: Sample) -> Self {
        Key { name: name.into(), sample }
    }
}

/// Draws `keys` in rows from `top` down and returns where the rows end.
///
/// What does not fit into three rows is counted in words.
pub(super) fn draw_legend(canvas: &mut Canvas, keys: &[Key], top: f64) -> Result<f64> {
    let (mut x, mut row) = (MARGIN, 0);
    let right = WIDTH as f64 - MARGIN;
    for (i, key) in keys.iter().enumerate() {
        let name = fitted(&key.name, LABEL, LONGEST)?;
        let width = SAMPLE + GAP + text_width(&name, LABEL)?;
        // The last row keeps room for the words that count the rest.
        let reserved = if row + 1 == MAX_ROWS && i + 1 < keys.len() { 120.0 } else { 0.0 };
        if x > MARGIN && x + width > right - reserved {
            if row + 1 == MAX_ROWS {
                let rest = format!("and {} more", keys.len() - i);
                let at = (x, top + ROW * row as f64 + 19.0);
                canvas.text(&rest, at, (LABEL, SOFT_INK), Align::Left)?;
                break;
            }
            x = MARGIN;
            row += 1;
        }
        let y = top + ROW * row as f64;
        draw_sample(canvas, &key.sample, x, y)?;
        canvas.text(&name, (x + SAMPLE + GAP, y + 19.0), (LABEL, SOFT_INK), Align::Left)?;
        x += width + BETWEEN;
    }
    Ok(if keys.is_empty() { top } else { top + ROW * (row + 1) as f64 })
}

fn draw_sample(canvas: &mut Canvas, sample: &Sample, x: f64, y: f64) -> Result<()> {
    match sample {
        Sample::Line(colour, width, dash) => {
            let y = y + 13.5;
            // The round ends of the stroke stay inside the sample.
            canvas.stroke_dashed(&[(x + 2.0, y), (x + SAMPLE - 2.0, y)], width.max(2.5), *colour, *dash);
        }
        Sample::Area(layers) => {
            let area = Rect { left: x, top: y + 6.0, right: x + SAMPLE, bottom: y + 21.0 };
            for (colour, alpha) in layers {
                canvas.fill(area, *colour, *alpha)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::theme::INK;

    #[test]
    fn the_legend_never_takes_more_than_three_rows() {
        let mut canvas = Canvas::new();
        let key = |i: usize| Key::new(format!("model {i} with a name"), Sample::Line(INK, 2.0, None));
        for (n, rows) in [(0, 0.0), (1, 1.0), (6, 2.0), (200, 3.0)] {
            let keys: Vec<Key> = (0..n).map(key).collect();
            let end = draw_legend(&mut canvas, &keys, 10.0).unwrap();
            assert!((end - 10.0 - rows * ROW).abs() < 1e-9, "{n} keys end at {end}");
        }
    }
}
