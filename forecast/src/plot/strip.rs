//! One row of the missing-data map: many steps to a column of pixels, and no gap lost.

use super::canvas::Rect;
use super::frame::Frame;
use super::theme::{ALL_MISSING, Colour, FEW_MISSING, OBSERVED};
use crate::Result;

/// A gap is drawn at least this many pixels wide.
const NARROWEST: f64 = 2.0;

/// The colour of a column with this share of its steps missing; a single step is already far from none.
pub(super) fn shade(share: f64) -> Colour {
    if share > 0.0 { FEW_MISSING.mix(ALL_MISSING, share) } else { OBSERVED }
}

/// Draws one series: first what is observed, then the gaps over it, widened so that none gets lost.
pub(super) fn draw_strip(frame: &mut Frame, strip: Rect, steps: &[Option<bool>]) -> Result<()> {
    let columns = (strip.right - strip.left).floor() as usize;
    let width = (strip.right - strip.left) / columns as f64;
    let mut gaps = Vec::new();
    for column in 0..columns {
        // A column shows every step that it touches, so that short series fill all columns.
        let from = column * steps.len() / columns;
        let to = ((column + 1) * steps.len()).div_ceil(columns).max(from + 1);
        let inside = steps[from..to.min(steps.len())].iter().flatten();
        let (mut known, mut missing) = (0usize, 0usize);
        for observed in inside {
            known += 1;
            missing += usize::from(!observed);
        }
        if known == 0 {
            continue;
        }
        let left = strip.left + column as f64 * width;
        let right = left + width;
        frame.canvas.fill(Rect { left, right, ..strip }, OBSERVED, 1.0)?;
        if missing > 0 {
            let right = (left + NARROWEST.max(width)).min(strip.right);
            gaps.push((
                Rect { left: right - NARROWEST.max(width), right, ..strip },
                missing as f64 / known as f64,
            ));
        }
    }
    // The darkest come last, so that the widened edge of a light one cannot hide them.
    gaps.sort_by(|a, b| a.1.total_cmp(&b.1));
    gaps.iter().try_for_each(|(area, share)| frame.canvas.fill(*area, shade(*share), 1.0))
}

/// The share of missing steps: `3.2 %`; `< 0.1 %` is not none.
pub(super) fn share_in_words(steps: &[Option<bool>]) -> String {
    let known = steps.iter().flatten().count();
    let missing = steps.iter().flatten().filter(|observed| !**observed).count();
    let percent = 100.0 * missing as f64 / known as f64;
    match (known, missing) {
        (0, _) => "no steps".to_string(),
        (_, 0) => "0 %".to_string(),
        _ if missing == known => "100 %".to_string(),
        _ if percent < 0.1 => "< 0.1 %".to_string(),
        // Rounding must not say that all is missing.
        _ => format!("{:.1} %", percent.min(99.9)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_without_rounding_something_to_nothing() {
        let mut steps = vec![Some(true); 26_000];
        assert_eq!(share_in_words(&steps), "0 %");
        steps[17] = Some(false);
        assert_eq!(share_in_words(&steps), "< 0.1 %");
        steps[1000..].fill(None);
        assert_eq!(share_in_words(&steps), "0.1 %");
        assert_eq!(share_in_words(&[None]), "no steps");
        assert_eq!(share_in_words(&[Some(false)]), "100 %");
    }

    #[test]
    fn more_missing_is_darker_and_a_single_step_is_not_none() {
        assert_eq!(shade(0.0), OBSERVED);
        assert_eq!((shade(1e-9), shade(1.0)), (FEW_MISSING, ALL_MISSING));
    }
}
