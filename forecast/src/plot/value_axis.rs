//! Round numbers along an axis of values, and how numbers are written.

use super::frame::{Axis, Tick};

/// Numbers are clamped to this size, so that sums and differences of them stay finite.
const LARGEST: f64 = 1e300;

/// An axis that holds all finite `values` with a little room, and round ticks.
///
/// Zero is on it if the smallest value is positive but less than `zero_within` of the largest;
/// 1.0 always brings zero in. Without finite values the axis goes from 0 to 1.
pub(super) fn value_axis(values: impl IntoIterator<Item = f64>, zero_within: f64) -> Axis {
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values.into_iter().filter(|v| v.is_finite()) {
        let value = value.clamp(-LARGEST, LARGEST);
        lo = lo.min(value);
        hi = hi.max(value);
    }
    if lo > hi {
        (lo, hi) = (0.0, 1.0);
    }
    if lo > 0.0 && lo <= hi * zero_within {
        lo = 0.0;
    }
    let size = lo.abs().max(hi.abs());
    // Differences near the precision of the numbers themselves cannot be told apart by ticks.
    if hi - lo <= (size * 1e-12).max(1e-290) {
        let room = if size > 1e-280 { size * 0.1 } else { 1.0 };
        (lo, hi) = (lo - room, hi + room);
    } else {
        let room = (hi - lo) * 0.05;
        // Room below zero would suggest that values could be negative.
        lo = if lo >= 0.0 { (lo - room).max(0.0) } else { lo - room };
        hi += room;
    }
    Axis { lo, hi, ticks: round_ticks(lo, hi) }
}

/// Four to ten ticks at multiples of 1, 2, 2.5 or 5 times a power of ten.
pub(super) fn round_ticks(lo: f64, hi: f64) -> Vec<Tick> {
    let rough = (hi - lo) / 6.0;
    let power = 10f64.powf(rough.log10().floor());
    // Steps of 2.5 need one more digit than their neighbours, so they must fit clearly better.
    let cost = |(m, odd): &(f64, f64)| (m * power / rough).ln().abs() + odd;
    let step = [(1.0, 0.0), (2.0, 0.0), (2.5, 0.1), (5.0, 0.0), (10.0, 0.0)]
        .into_iter()
        .min_by(|a, b| cost(a).total_cmp(&cost(b)))
        .map_or(rough, |(m, _)| m * power);
    let (first, last) = ((lo / step).ceil() as i64, (hi / step).floor() as i64);
    let values: Vec<f64> = (first..=last).map(|i| i as f64 * step).collect();
    let labels = format_values(&values, step);
    values.into_iter().zip(labels).map(|(at, label)| Tick { at, label, context: None }).collect()
}

/// The texts of ticks `step` apart: `1,250`, `1.2 M`, `0.005`, `2.5e−7`.
fn format_values(values: &[f64], step: f64) -> Vec<String> {
    let largest = values.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    if largest >= 1e15 || (largest < 1e-4 && largest > 0.0) {
        let exponent = largest.log10().floor();
        let digits = decimals(step / 10f64.powf(exponent));
        return values.iter().map(|v| minus(&scientific(*v, digits))).collect();
    }
    let unit = [(1e12, " T"), (1e9, " G"), (1e6, " M")]
        .into_iter()
        .find(|(unit, _)| largest >= *unit && decimals(step / unit) <= 3);
    let (unit, suffix) = unit.unwrap_or((1.0, ""));
    let digits = decimals(step / unit);
    values
        .iter()
        .map(|v| match grouped(v / unit, digits) {
            // Zero needs no unit.
            zero if *v == 0.0 => zero,
            text => text + suffix,
        })
        .collect()
}

/// Digits after the point that a multiple of `step` needs.
fn decimals(step: f64) -> usize {
    let mut digits = 0;
    let mut scaled = step;
    while digits < 12 && (scaled - scaled.round()).abs() > scaled * 1e-6 {
        scaled *= 10.0;
        digits += 1;
    }
    digits
}

fn scientific(value: f64, digits: usize) -> String {
    if value == 0.0 { "0".to_string() } else { format!("{value:.digits$e}") }
}

/// A number with `digits` decimals and commas between thousands.
pub(super) fn grouped(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(w, f)| (w, Some(f)));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    minus(&out)
}

/// The sign for minus is as wide as plus; a hyphen is easily missed.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lo: f64, hi: f64) -> Vec<String> {
        value_axis([lo, hi], 0.0).ticks.into_iter().map(|tick| tick.label).collect()
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(labels(1010.0, 2240.0), ["1,000", "1,200", "1,400", "1,600", "1,800", "2,000", "2,200"]);
        assert_eq!(labels(0.0, 5.9e6), ["0", "1 M", "2 M", "3 M", "4 M", "5 M", "6 M"]);
        assert_eq!(labels(-0.9, 0.5), ["−0.75", "−0.50", "−0.25", "0.00", "0.25", "0.50"]);
        assert_eq!(labels(0.0, 6e-7)[1], "1e−7");
        assert_eq!(grouped(-1234567.891, 1), "−1,234,567.9");
    }

    #[test]
    fn every_range_has_a_few_distinct_ticks_inside() {
        let ranges = [
            (0.0, 0.0),
            (5.0, 5.0),
            (-3.0, -3.0),
            (0.0, 1.0),
            (-1.0, 7.3),
            (999.0, 1001.0),
            (1e9, 1e9 + 3.0),
            (1e16, 1e16 + 2.0),
            (-1e308, 1e308),
            (1e-320, 3e-320),
            (1e-9, 2e-9),
            (0.1234, 0.1235),
            (-5e14, 3e15),
            (f64::NAN, f64::INFINITY),
            (2.0e6, 2.0000001e6),
            (-40.0, 0.0),
        ];
        for (lo, hi) in ranges {
            let axis = value_axis([lo, hi], 0.0);
            let n = axis.ticks.len();
            assert!((4..=10).contains(&n), "{lo} {hi}: {n} ticks");
            assert!(axis.ticks.iter().all(|t| t.at >= axis.lo && t.at <= axis.hi), "{lo} {hi}");
            let mut labels: Vec<_> = axis.ticks.iter().map(|t| t.label.clone()).collect();
            labels.dedup();
            assert_eq!(labels.len(), n, "{lo} {hi}: {labels:?}");
        }
    }

    #[test]
    fn zero_is_brought_in_only_where_it_is_near() {
        assert!(value_axis([1.0, 10.0], 0.25).lo.abs() < 1e-12);
        assert!(value_axis([9.0, 10.0], 0.25).lo > 8.0);
        assert!(value_axis([9.0, 10.0], 1.0).lo.abs() < 1e-12);
    }
}
