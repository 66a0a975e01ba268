//! Smooth lines.
//!
//! Plotters draws thin lines one pixel wide, and thick ones ragged at sharp corners; so strokes are drawn here, by the
//! distance of each fine pixel from the line.

use super::canvas::{Canvas, FINE_F, FINE_HEIGHT, FINE_WIDTH, Point};
use super::theme::{Colour, Dash};

/// How much wider than its line a single point is drawn, to be found at all.
const DOT: f64 = 2.2;

impl Canvas {
    /// Draws a line through `points` with round corners; a single point gives a dot.
    pub(super) fn stroke(&mut self, points: &[Point], width: f64, colour: Colour) {
        if let [point] = points {
            self.segment(*point, *point, width * DOT, colour);
        }
        for pair in points.windows(2) {
            self.segment(pair[0], pair[1], width, colour);
        }
    }

    /// Draws a line through `points`, dashed if asked to.
    pub(super) fn stroke_dashed(&mut self, points: &[Point], width: f64, colour: Colour, dash: Dash) {
        let Some((down, up)) = dash else {
            return self.stroke(points, width, colour);
        };
        // How far the pen has come in the current pair of dash and gap.
        let mut phase = 0.0;
        for pair in points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            let along = |s: f64| (a.0 + (b.0 - a.0) * s / length, a.1 + (b.1 - a.1) * s / length);
            let mut done = 0.0;
            while done < length {
                let pen_down = phase < down;
                let left = if pen_down { down - phase } else { down + up - phase };
                let step = left.min(length - done);
                if pen_down {
                    self.segment(along(done), along(done + step), width, colour);
                }
                done += step;
                phase = if step < left {
                    phase + step
                } else if pen_down {
                    down
                } else {
                    0.0
                };
            }
        }
    }

    /// Draws a segment with round ends, smooth at its edges.
    fn segment(&mut self, a: Point, b: Point, width: f64, colour: Colour) {
        let (a, b) = ((a.0 * FINE_F, a.1 * FINE_F), (b.0 * FINE_F, b.1 * FINE_F));
        let half = width * FINE_F / 2.0;
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let square = dx * dx + dy * dy;
        if !square.is_finite() {
            return;
        }
        // The walk goes along the longer side; across it, a slope of at most 45 degrees bounds the reach.
        let steep = dy.abs() >= dx.abs();
        let (from, to, slide) = if steep { (a.1, b.1, dx) } else { (a.0, b.0, dy) };
        let reach = (half + 1.0) * std::f64::consts::SQRT_2;
        for major in (from.min(to) - reach).floor() as i64..=(from.max(to) + reach).ceil() as i64 {
            let share = ((major as f64 + 0.5 - from) / (to - from)).clamp(0.0, 1.0);
            // A dot has no direction: 0 / 0 is at its centre.
            let share = if share.is_nan() { 0.0 } else { share };
            let centre = (if steep { a.0 } else { a.1 }) + slide * share;
            for minor in (centre - reach).floor() as i64..=(centre + reach).ceil() as i64 {
                let (x, y) = if steep { (minor, major) } else { (major, minor) };
                let (px, py) = (x as f64 + 0.5 - a.0, y as f64 + 0.5 - a.1);
                let nearest = if square > 0.0 { ((px * dx + py * dy) / square).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (px - nearest * dx).hypot(py - nearest * dy);
                self.blend((x, y), colour, (half - distance + 0.5).clamp(0.0, 1.0));
            }
        }
    }

    fn blend(&mut self, (x, y): (i64, i64), colour: Colour, cover: f64) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else {
            return;
        };
        if cover <= 0.0 || x >= FINE_WIDTH || y >= FINE_HEIGHT {
            return;
        }
        let at = (y * FINE_WIDTH + x) * 3;
        let below = Colour(self.fine[at], self.fine[at + 1], self.fine[at + 2]);
        let mixed = below.mix(colour, cover);
        self.fine[at..at + 3].copy_from_slice(&[mixed.0, mixed.1, mixed.2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::count;
    use crate::plot::theme::INK;

    fn ink(draw: impl Fn(&mut Canvas)) -> usize {
        let mut canvas = Canvas::new();
        draw(&mut canvas);
        // A slanted line for the shades of grey that every picture is expected to have.
        canvas.stroke(&[(0.0, 0.0), (1200.0, 100.0)], 3.0, INK.mix(Colour(255, 255, 255), 0.3));
        count(&canvas.into_png().unwrap(), INK)
    }

    #[test]
    fn a_line_is_as_wide_as_asked_in_every_direction() {
        for (x, y) in [(500.0, 0.0), (0.0, 500.0), (300.0, 400.0), (400.0, -300.0)] {
            let line = [(300.0, 350.0 - y / 2.0), (300.0 + x, 350.0 + y / 2.0)];
            let area = ink(|canvas| canvas.stroke(&line, 10.0, INK));
            // The smooth edges are not counted: up to a pixel on each side.
            assert!((3_900..=5_100).contains(&area), "{x} {y}: {area}");
        }
    }

    #[test]
    fn dashes_leave_gaps_and_a_single_point_is_a_dot() {
        let line = [(100.0, 300.0), (400.0, 300.0), (700.0, 300.0)];
        let solid = ink(|canvas| canvas.stroke_dashed(&line, 6.0, INK, None));
        let dashed = ink(|canvas| canvas.stroke_dashed(&line, 6.0, INK, Some((10.0, 20.0))));
        assert!(dashed > solid / 5 && dashed < solid * 3 / 5, "{dashed} of {solid}");
        assert!((60..=110).contains(&ink(|canvas| canvas.stroke(&[(300.0, 300.0)], 5.0, INK))));
        assert_eq!(ink(|canvas| canvas.stroke(&[], 5.0, INK)), 0);
    }
}
