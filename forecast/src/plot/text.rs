//! Text: written by plotters in the embedded typeface, measured, and cut to the room that there is.

use plotters::backend::DrawingBackend;
use plotters::style::{FontDesc, FontFamily, RGBColor, TextStyle};

use super::canvas::{Canvas, FINE_F, Point, failed};
use super::theme::{Colour, FAMILY, Lettering, register_fonts};
use crate::Result;

/// Which part of a text lies at the given x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Centre,
    Right,
}

impl Canvas {
    /// Writes `text` with its base line at `at.1`.
    pub(super) fn text(
        &mut self,
        text: &str,
        at: Point,
        (lettering, colour): (Lettering, Colour),
        align: Align,
    ) -> Result<()> {
        let width = text_width(text, lettering)?;
        let left = match align {
            Align::Left => at.0,
            Align::Centre => at.0 - width / 2.0,
            Align::Right => at.0 - width,
        };
        let colour = RGBColor(colour.0, colour.1, colour.2);
        let style = TextStyle::from(font(lettering)?).color(&colour);
        // Plotters puts the base line half the size of the font below the place that it is given.
        let top = at.1 - lettering.size / 2.0;
        let corner = ((left * FINE_F).round() as i32, (top * FINE_F).round() as i32);
        self.backend().draw_text(text, &style, corner).map_err(failed)
    }
}

/// The width of `text` in pixels.
pub(super) fn text_width(text: &str, lettering: Lettering) -> Result<f64> {
    let ((left, _), (right, _)) = font(lettering)?.layout_box(text).map_err(failed)?;
    Ok(f64::from(right - left) / FINE_F)
}

/// `text` without control characters, cut with an ellipsis where it would be wider than `room` pixels.
pub(super) fn fitted(text: &str, lettering: Lettering, room: f64) -> Result<String> {
    // Far more letters than any chart has room for; longer texts are not worth measuring.
    let mut letters: Vec<char> =
        text.chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let whole: String = letters.iter().collect();
    if text.chars().nth(500).is_none() && text_width(&whole, lettering)? <= room {
        return Ok(whole);
    }
    while letters.pop().is_some() {
        let cut = format!("{}…", letters.iter().collect::<String>().trim_end());
        if text_width(&cut, lettering)? <= room {
            return Ok(cut);
        }
    }
    Ok(String::new())
}

/// The font of some lettering. Texts are measured before anything is drawn, so the typeface is made known here.
fn font(lettering: Lettering) -> Result<FontDesc<'static>> {
    register_fonts()?;
    Ok(FontDesc::new(FontFamily::Name(FAMILY), lettering.size * FINE_F, lettering.style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::theme::{LABEL, TITLE};

    #[test]
    fn long_texts_are_cut_and_short_ones_are_not() {
        let text = "Überschuss für Łódź, Αθήνα und Москва";
        assert_eq!(fitted(text, TITLE, 1000.0).unwrap(), text);
        let cut = fitted(&text.repeat(100), TITLE, 300.0).unwrap();
        assert!(cut.ends_with('…') && text_width(&cut, TITLE).unwrap() <= 300.0, "{cut}");
        assert_eq!(fitted("two\nlines", LABEL, 300.0).unwrap(), "two lines");
        assert_eq!(fitted(text, LABEL, 1.0).unwrap(), "");
        assert_eq!(fitted("", LABEL, 1.0).unwrap(), "");
    }

    #[test]
    fn digits_have_one_width() {
        let width = |text: &str| text_width(text, LABEL).unwrap();
        assert!((width("1111") - width("8888")).abs() < 0.5);
        assert!(width("kWh") > 20.0);
    }

    #[test]
    fn letters_beyond_the_typeface_do_no_harm() {
        let mut canvas = Canvas::new();
        let style = (LABEL, Colour(0, 0, 0));
        canvas.text("東京 🌧 \u{0}", (1190.0, 2.0), style, Align::Centre).unwrap();
    }
}
