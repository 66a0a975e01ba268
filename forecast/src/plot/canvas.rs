//! The drawing surface: three times as fine as the picture in both directions, averaged down when it is done.
//!
//! Areas are drawn by plotters; see `stroke.rs` and `text.rs` for the rest.

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::style::{Color, RGBColor};

use super::theme::{Colour, HEIGHT, PAPER, WIDTH};
use crate::{Error, Result};

/// Fine pixels along one side of a pixel of the picture.
const FINE: usize = 3;
/// The same, to compute with.
pub(super) const FINE_F: f64 = FINE as f64;
/// Width of the surface in fine pixels.
pub(super) const FINE_WIDTH: usize = WIDTH * FINE;
/// Height of the surface in fine pixels.
pub(super) const FINE_HEIGHT: usize = HEIGHT * FINE;

/// A point in pixels of the picture, from the top left.
pub(super) type Point = (f64, f64);

/// A rectangle in pixels of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rect {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// A picture in the making.
pub(super) struct Canvas {
    /// Red, green, blue of each fine pixel, row by row.
    pub(super) fine: Vec<u8>,
}

impl Canvas {
    /// A white canvas.
    pub(super) fn new() -> Self {
        Canvas { fine: vec![PAPER.0; FINE_WIDTH * FINE_HEIGHT * 3] }
    }

    /// Fills a rectangle; `alpha` in (0, 1] is the share of the new colour.
    pub(super) fn fill(&mut self, area: Rect, colour: Colour, alpha: f64) -> Result<()> {
        let fine = |v: f64| (v * FINE_F).round() as i32;
        let colour = RGBColor(colour.0, colour.1, colour.2).mix(alpha).filled();
        let corners = ((fine(area.left), fine(area.top)), (fine(area.right), fine(area.bottom)));
        self.backend().draw_rect(corners.0, corners.1, &colour, true).map_err(failed)
    }

    /// Fills the area between a lower and an upper line given at ascending x, wherever both are finite.
    ///
    /// Each column of fine pixels is touched once, so a transparent area shows no seams.
    pub(super) fn fill_between(
        &mut self,
        xs: &[f64],
        lower: &[f64],
        upper: &[f64],
        (colour, alpha): (Colour, f64),
    ) -> Result<()> {
        let (Some(first), Some(last)) = (xs.first(), xs.last()) else {
            return Ok(());
        };
        let at = |ys: &[f64], i: usize, share: f64| ys[i] + (ys[i + 1] - ys[i]) * share;
        let mut i = 0;
        for column in (first * FINE_F).round() as i64..(last * FINE_F).round() as i64 {
            let left = column as f64 / FINE_F;
            while i + 2 < xs.len() && xs[i + 1] <= left {
                i += 1;
            }
            let share = ((left - xs[i]) / (xs[i + 1] - xs[i])).clamp(0.0, 1.0);
            let (bottom, top) = (at(lower, i, share), at(upper, i, share));
            if bottom.is_finite() && top.is_finite() {
                self.fill(Rect { left, top, right: left + 1.0 / FINE_F, bottom }, colour, alpha)?;
            }
        }
        Ok(())
    }

    /// The surface as plotters sees it.
    pub(super) fn backend(&mut self) -> BitMapBackend<'_> {
        BitMapBackend::with_buffer(&mut self.fine, (FINE_WIDTH as u32, FINE_HEIGHT as u32))
    }

    /// The picture as PNG.
    ///
    /// # Errors
    /// [`Error::Internal`] if the encoder fails.
    pub(super) fn into_png(self) -> Result<Vec<u8>> {
        let pixels = self.averaged();
        let internal = |e: png::EncodingError| Error::Internal(format!("cannot encode a chart: {e}"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, WIDTH as u32, HEIGHT as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(internal)?;
        writer.write_image_data(&pixels).map_err(internal)?;
        writer.finish().map_err(internal)?;
        Ok(bytes)
    }

    /// Each pixel of the picture is the mean of its fine pixels.
    fn averaged(&self) -> Vec<u8> {
        let mut pixels = Vec::with_capacity(WIDTH * HEIGHT * 3);
        for rows in self.fine.chunks_exact(FINE_WIDTH * 3 * FINE) {
            let mut sums = vec![0u32; WIDTH * 3];
            for row in rows.chunks_exact(FINE_WIDTH * 3) {
                for (sums, fine) in sums.chunks_exact_mut(3).zip(row.chunks_exact(3 * FINE)) {
                    for (i, value) in fine.iter().enumerate() {
                        sums[i % 3] += u32::from(*value);
                    }
                }
            }
            let count = (FINE * FINE) as u32;
            pixels.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
        }
        pixels
    }
}

/// What plotters could not do.
pub(super) fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("cannot draw a chart: {error}"))
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// The pixels of a PNG of the right size that shows something, but not only that.
    pub(in crate::plot) fn decoded(bytes: &[u8]) -> Vec<[u8; 3]> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (WIDTH as u32, HEIGHT as u32));
        let pixels: Vec<[u8; 3]> = pixels.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
        let drawn = pixels.iter().filter(|p| **p != [255; 3]).count();
        let share = drawn as f64 / pixels.len() as f64;
        assert!((0.003..0.9).contains(&share), "{share} of the picture is drawn");
        let mut colours = pixels.clone();
        colours.sort_unstable();
        colours.dedup();
        assert!(colours.len() > 10, "{} colours", colours.len());
        pixels
    }

    /// How many pixels have this colour, but for rounding.
    pub(in crate::plot) fn count(bytes: &[u8], colour: Colour) -> usize {
        let near = |a: u8, b: u8| a.abs_diff(b) <= 2;
        let is = |p: &&[u8; 3]| near(p[0], colour.0) && near(p[1], colour.1) && near(p[2], colour.2);
        decoded(bytes).iter().filter(is).count()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{count, decoded};
    use super::*;
    use crate::plot::theme::{FORECAST, INK};

    #[test]
    fn transparent_areas_lie_over_each_other_without_seams() {
        let mut canvas = Canvas::new();
        let xs: Vec<f64> = (0..101).map(|i| 100.0 + f64::from(i) * 1.7).collect();
        let (lower, upper) = (vec![400.0; 101], vec![200.0; 101]);
        canvas.fill_between(&xs, &lower, &upper, (FORECAST, 0.2)).unwrap();
        canvas.stroke(&[(100.0, 500.0), (900.0, 640.0)], 4.0, INK);
        let png = canvas.into_png().unwrap();
        let once = PAPER.mix(FORECAST, 0.2);
        assert!(count(&png, once) >= 169 * 199);
        assert_eq!(count(&png, once.mix(FORECAST, 0.2)), 0);
    }

    #[test]
    fn bands_break_where_an_end_is_missing_and_need_two_points() {
        let area = |lower: &[f64]| {
            let mut canvas = Canvas::new();
            canvas.fill(Rect { left: 0.0, top: 0.0, right: 300.0, bottom: 30.0 }, INK, 1.0).unwrap();
            canvas.stroke(&[(0.0, 600.0), (99.0, 660.0)], 3.0, INK);
            let xs = [100.0, 200.0, 300.0, 400.0];
            let upper = vec![200.0; lower.len()];
            canvas.fill_between(&xs[..lower.len()], lower, &upper, (FORECAST, 1.0)).unwrap();
            count(&canvas.into_png().unwrap(), FORECAST)
        };
        assert_eq!(area(&[300.0; 4]), 300 * 100);
        assert!((9_900..=10_000).contains(&area(&[300.0, f64::NAN, 300.0, 300.0])));
        assert_eq!(area(&[300.0]) + area(&[]), 0);
    }

    #[test]
    fn drawing_outside_the_canvas_is_cut_off() {
        let mut canvas = Canvas::new();
        canvas.stroke(&[(-50.0, 300.0), (1300.0, 300.0), (600.0, -90.0)], 9.0, INK);
        canvas.fill(Rect { left: -10.0, top: 600.0, right: 5000.0, bottom: 9000.0 }, INK, 0.5).unwrap();
        canvas.stroke(&[(f64::NAN, 1.0), (5.0, f64::INFINITY)], 2.0, INK);
        decoded(&canvas.into_png().unwrap());
    }
}
