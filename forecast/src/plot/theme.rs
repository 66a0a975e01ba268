//! Colours, sizes and the typeface: what all charts have in common.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

use crate::{Error, Result};

/// Width of a chart in pixels.
pub(super) const WIDTH: usize = 1200;
/// Height of a chart in pixels.
pub(super) const HEIGHT: usize = 675;
/// White space between the picture's edge and anything drawn, in pixels.
pub(super) const MARGIN: f64 = 36.0;

/// The name that the embedded typeface is registered under.
pub(super) const FAMILY: &str = "longcast-roboto";

static REGULAR: &[u8] = include_bytes!("font/Roboto-Regular.ttf");
static MEDIUM: &[u8] = include_bytes!("font/Roboto-Medium.ttf");

/// An opaque colour: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour(pub(super) u8, pub(super) u8, pub(super) u8);

impl Colour {
    /// This colour with a share in [0, 1] of another.
    pub(super) fn mix(self, other: Colour, share: f64) -> Colour {
        let mix = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
        Colour(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

/// The background.
pub(super) const PAPER: Colour = Colour(255, 255, 255);
/// Titles and what was observed.
pub(super) const INK: Colour = Colour(38, 43, 49);
/// Labels of axes and legends.
pub(super) const SOFT_INK: Colour = Colour(88, 96, 105);
/// Lines that carry no data but must be found: the zero line, the cutoff.
pub(super) const RULE: Colour = Colour(140, 148, 158);
/// Faint vertical rules.
pub(super) const FAINT_RULE: Colour = Colour(190, 196, 204);
/// Grid lines.
pub(super) const GRID: Colour = Colour(229, 232, 236);

/// One forecast, where there is only one.
pub(super) const FORECAST: Colour = MODELS[0];
/// Columns with hardly any step missing, and with all of them missing.
pub(super) const FEW_MISSING: Colour = Colour(0xF5, 0xA2, 0x4B);
pub(super) const ALL_MISSING: Colour = Colour(0xB5, 0x3A, 0x00);
/// Observed steps, behind the missing ones.
pub(super) const OBSERVED: Colour = Colour(0xC6, 0xDB, 0xEC);

/// The colours of Okabe and Ito (2008) that keep their contrast on white, the most distinct first.
const MODELS: [Colour; 6] = [
    Colour(0x00, 0x72, 0xB2), // blue
    Colour(0xD5, 0x5E, 0x00), // vermillion
    Colour(0x00, 0x9E, 0x73), // bluish green
    Colour(0xCC, 0x79, 0xA7), // reddish purple
    Colour(0xE6, 0x9F, 0x00), // orange
    Colour(0x56, 0xB4, 0xE9), // sky blue
];

/// Pen-down and pen-up lengths in pixels; a line without gaps has none.
pub(super) type Dash = Option<(f64, f64)>;

/// The colour and the dashes of model `i`: after six models the colours come again, dashed.
pub(super) fn model_style(i: usize) -> (Colour, Dash) {
    let dash = match i / MODELS.len() % 3 {
        0 => None,
        1 => Some((9.0, 6.0)),
        _ => Some((2.0, 5.0)),
    };
    (MODELS[i % MODELS.len()], dash)
}

/// Size and weight of a text.
#[derive(Clone, Copy)]
pub(super) struct Lettering {
    /// Height of the line in pixels, from the ascender to the descender.
    pub(super) size: f64,
    pub(super) style: FontStyle,
}

/// The title of a chart.
pub(super) const TITLE: Lettering = Lettering { size: 28.0, style: FontStyle::Bold };
/// Legends, titles of axes, names of rows.
pub(super) const LABEL: Lettering = Lettering { size: 19.0, style: FontStyle::Normal };
/// Ticks and notes.
pub(super) const TICK: Lettering = Lettering { size: 18.0, style: FontStyle::Normal };

/// Makes the embedded typeface known to plotters; only the first call does any work.
///
/// # Errors
/// [`Error::Internal`] if the embedded files are not fonts.
pub(super) fn register_fonts() -> Result<()> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = *REGISTERED.get_or_init(|| {
        // The medium weight stands in for bold, which is too dark beside thin lines.
        [(FontStyle::Normal, REGULAR), (FontStyle::Bold, MEDIUM)]
            .into_iter()
            .all(|(style, bytes)| register_font(FAMILY, style, bytes).is_ok())
    });
    if registered { Ok(()) } else { Err(Error::Internal("the embedded typeface cannot be read".to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eighteen_models_differ_in_colour_or_dashes() {
        for i in 0..18 {
            for j in 0..i {
                assert_ne!(model_style(i), model_style(j), "{i} {j}");
            }
        }
    }

    #[test]
    fn fonts_register_twice_without_harm() {
        register_fonts().unwrap();
        register_fonts().unwrap();
    }

    #[test]
    fn mixing_reaches_both_ends() {
        assert_eq!(INK.mix(PAPER, 0.0), INK);
        assert_eq!(INK.mix(PAPER, 1.0), PAPER);
    }
}
