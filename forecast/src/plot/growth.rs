//! Growth: a quantity of several candidates against a size, both by orders of magnitude.

use super::frame::{Axis, Frame, Layout, Side, Tick};
use super::legend::{Key, Sample};
use super::line::{Pen, draw_points};
use super::theme::model_style;
use super::value_axis::grouped;
use crate::{Error, Result};

/// Width of the dots, before what a stroke adds to a single point.
const DOT: f64 = 4.4;
/// Powers of ten from which on 2 and 5 have no ticks.
const MANY_POWERS: i32 = 3;
/// What is smaller or larger has no place on an axis.
const SMALLEST: f64 = 1e-12;
const LARGEST: f64 = 1e15;

/// How a quantity grows with a size. Equal distances are equal ratios: a power is a straight line, and its slope is the
/// exponent.
#[derive(Debug, Clone)]
pub struct GrowthChart {
    /// What the chart is about.
    pub title: String,
    /// What grows along the horizontal axis, with its unit.
    pub size_label: String,
    /// What is measured, with its unit.
    pub value_label: String,
    /// Name, and size and value of each measurement; a line breaks where a value is NaN.
    pub curves: Vec<(String, Vec<(f64, f64)>)>,
}

impl GrowthChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no measurement, or one is not positive or beyond the axes.
    pub fn render(&self) -> Result<Vec<u8>> {
        let points = || self.curves.iter().flat_map(|(_, points)| points.iter().copied());
        if points().next().is_none() {
            return Err(Error::option("curves", "empty", "the chart needs at least one measurement"));
        }
        for (field, number) in points().flat_map(|(size, value)| [("size", size), ("value", value)]) {
            let is_gap = field == "value" && number.is_nan();
            if !is_gap && !(SMALLEST..=LARGEST).contains(&number) {
                let rule = format!("it must be between {SMALLEST:e} and {LARGEST:e}");
                return Err(Error::option(field, number, rule));
            }
        }
        let names = self.curves.iter().map(|(name, _)| name.clone());
        let key = |(i, name)| {
            let (colour, dash) = model_style(i);
            Key::new(name, Sample::Line(colour, 2.4, dash))
        };
        let legend: Vec<Key> = names.enumerate().map(key).collect();
        let mut frame = Frame::new(Layout {
            title: &self.title,
            legend: &legend,
            x: power_axis(points().map(|(size, _)| size)),
            x_title: &self.size_label,
            side: Side::Values(power_axis(points().map(|(_, value)| value)), &self.value_label),
        })?;
        for (i, (_, points)) in self.curves.iter().enumerate() {
            let (colour, dash) = model_style(i);
            let mut points = points.clone();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let at = |(size, value): (f64, f64)| (frame.px(size.log10()), frame.py(value.log10()));
            let points: Vec<_> = points.into_iter().map(at).collect();
            for point in points.iter().filter(|point| point.1.is_finite()) {
                draw_points(&mut frame, vec![*point], Pen { width: DOT, colour, dash: None });
            }
            if points.len() > 1 {
                draw_points(&mut frame, points, Pen { width: 2.4, colour, dash });
            }
        }
        frame.into_png()
    }
}

/// An axis of the logarithms of some numbers, with ticks at powers of ten, and at 2 and 5 times those where there are
/// few.
fn power_axis(numbers: impl Iterator<Item = f64>) -> Axis {
    let (lo, hi) = numbers
        .filter(|number| number.is_finite())
        .map(f64::log10)
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), log| (lo.min(log), hi.max(log)));
    let (lo, hi) = if lo > hi { (0.0, 1.0) } else { (lo, hi) };
    let room = (0.04 * (hi - lo)).max(0.1);
    let (lo, hi) = (lo - room, hi + room);
    let powers = lo.floor() as i32..=hi.ceil() as i32;
    let factors: &[f64] = if hi - lo > f64::from(MANY_POWERS) { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let ticks = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
    let tick = |number: f64| Tick { at: number.log10(), label: written(number), context: None };
    Axis { lo, hi, ticks: ticks.map(tick).filter(|tick| (lo..=hi).contains(&tick.at)).collect() }
}

/// A power of ten, or a few times one: `0.001`, `2,000`, `5 M`.
fn written(number: f64) -> String {
    let (unit, suffix) = match number {
        n if n >= 0.999e9 => (1e9, " G"),
        n if n >= 0.999e6 => (1e6, " M"),
        _ => (1.0, ""),
    };
    let digits = (-(number / unit).log10().floor()).max(0.0) as usize;
    grouped(number / unit, digits) + suffix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};

    fn chart(curves: Vec<Vec<(f64, f64)>>) -> GrowthChart {
        let named = |(i, points)| (format!("way {i}"), points);
        GrowthChart {
            title: "Time by order".to_string(),
            size_label: "order".to_string(),
            value_label: "seconds".to_string(),
            curves: curves.into_iter().enumerate().map(named).collect(),
        }
    }

    #[test]
    fn ticks_are_powers_of_ten_and_between_them_where_these_are_few() {
        let labels = |numbers: [f64; 2]| {
            power_axis(numbers.into_iter()).ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>()
        };
        assert_eq!(labels([0.001, 2_000.0]), ["0.001", "0.01", "0.1", "1", "10", "100", "1,000"]);
        assert_eq!(labels([30.0, 700.0]), ["50", "100", "200", "500"]);
        assert_eq!(labels([1e5, 1e7]), ["100,000", "200,000", "500,000", "1 M", "2 M", "5 M", "10 M"]);
    }

    #[test]
    fn every_curve_is_drawn_whatever_the_order_of_its_points() {
        let of = |power: f64| [10.0, 100.0, 1_000.0].map(|n: f64| (n, n.powf(power) * 1e-5)).to_vec();
        let png = chart(vec![of(1.0), of(2.0)]).render().unwrap();
        let turned = |power: f64| of(power).into_iter().rev().collect();
        assert_eq!(png, chart(vec![turned(1.0), turned(2.0)]).render().unwrap());
        assert!((0..2).all(|i| count(&png, model_style(i).0) > 500));
        // One point, a gap, equal values.
        for points in [vec![(5.0, 1.0)], vec![(5.0, f64::NAN)], vec![(1.0, 3.0), (2.0, 3.0)]] {
            decoded(&chart(vec![points]).render().unwrap());
        }
    }

    #[test]
    fn what_has_no_place_on_the_axes_is_told() {
        for (curves, said) in [
            (vec![], "curves is empty"),
            (vec![vec![(0.0, 1.0)]], "size is 0"),
            (vec![vec![(1.0, -2.0)]], "value is -2"),
            (vec![vec![(f64::NAN, 1.0)]], "size is NaN"),
        ] {
            let message = chart(curves).render().unwrap_err().to_string();
            assert!(message.starts_with(said), "{message}");
        }
    }
}
