//! Stems that rise and fall from zero, and labels at the largest of them.

use super::canvas::{Point, Rect};
use super::frame::Frame;
use super::text::{Align, text_width};
use super::theme::{Colour, INK, PAPER, RULE, TICK};
use crate::Result;

/// How many of the largest stems are labelled at most.
const LABELLED: usize = 6;
/// Shorter stems than this share of the longest are not labelled.
const WORTH_A_LABEL: f64 = 0.1;
/// Height of a label in pixels.
const LABEL_HEIGHT: f64 = 16.0;
/// The widest and the narrowest stem in pixels.
const WIDEST: f64 = 26.0;
const NARROWEST: f64 = 1.0;

/// What ends a stem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    /// A dot on a thin line, as weights are drawn.
    Dot,
    /// Nothing: the stem is a bar, as amounts are drawn.
    Flat,
}

/// Draws a stem from zero to each point, given in pixels with its colour; points that are not finite are left out.
/// `apart` is the distance between neighbours.
pub(super) fn draw_stems(frame: &mut Frame, stems: &[(Point, Colour)], apart: f64, head: Head) -> Result<()> {
    let zero = frame.py(0.0);
    for ((x, y), colour) in stems.iter().copied().filter(|(point, _)| point.1.is_finite()) {
        match head {
            Head::Dot => {
                frame.rule((x, zero), (x, y), ((apart * 0.4).clamp(NARROWEST, 2.6), colour), None);
                frame.canvas.stroke(&[(x, y)], (apart * 0.32).clamp(0.6, 3.4), colour);
            }
            Head::Flat => {
                let half = (apart * 0.8).clamp(NARROWEST, WIDEST) / 2.0;
                let area = Rect { left: x - half, top: y.min(zero), right: x + half, bottom: y.max(zero) };
                frame.canvas.fill(area, colour, 1.0)?;
            }
        }
    }
    frame.rule((frame.plot.left, zero), (frame.plot.right, zero), (1.3, RULE), None);
    Ok(())
}

/// Writes a text at the longest stems, where it does not run into another label or stem.
pub(super) fn label_longest(
    frame: &mut Frame,
    stems: &[Point],
    text: impl Fn(usize) -> String,
) -> Result<()> {
    let zero = frame.py(0.0);
    let length = |at: &usize| (stems[*at].1 - zero).abs();
    let mut longest: Vec<usize> = (0..stems.len()).filter(|at| length(at) > 0.0).collect();
    let most = longest.iter().map(length).fold(0.0, f64::max);
    longest.retain(|at| length(at) >= most * WORTH_A_LABEL);
    longest.sort_by(|a, b| length(b).total_cmp(&length(a)).then(a.cmp(b)));
    let mut taken: Vec<Rect> = Vec::new();
    for at in longest.into_iter().take(LABELLED * 2) {
        if taken.len() == LABELLED {
            break;
        }
        let text = text(at);
        let half = text_width(&text, TICK)? / 2.0;
        let x = stems[at].0.max(frame.plot.left + half).min(frame.plot.right - half);
        let y = stems[at].1 + if stems[at].1 < zero { -10.0 } else { 22.0 };
        let area =
            Rect { left: x - half - 4.0, top: y - LABEL_HEIGHT, right: x + half + 4.0, bottom: y + 4.0 };
        let hits_stem = stems.iter().enumerate().any(|(other, (x, y))| {
            other != at
                && overlap(&area, &Rect { left: *x, top: y.min(zero), right: *x, bottom: y.max(zero) })
        });
        if hits_stem || taken.iter().any(|other| overlap(&area, other)) {
            continue;
        }
        // Grid lines fade behind the label.
        frame.canvas.fill(area, PAPER, 0.8)?;
        frame.canvas.text(&text, (x, y), (TICK, INK), Align::Centre)?;
        taken.push(area);
    }
    Ok(())
}

fn overlap(a: &Rect, b: &Rect) -> bool {
    a.left <= b.right && b.left <= a.right && a.top <= b.bottom && b.top <= a.bottom
}
