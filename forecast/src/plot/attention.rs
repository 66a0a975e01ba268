//! What a network looks at: the weights of its attention layers, a picture for each head.

use super::canvas::{Canvas, Rect};
use super::frame::draw_heading;
use super::legend::{Key, Sample};
use super::text::{Align, fitted, text_width};
use super::theme::{FORECAST, GRID, HEIGHT, INK, LABEL, MARGIN, PAPER, RULE, SOFT_INK, TICK, WIDTH};
use crate::informer::AttentionMap;
use crate::{Error, Result};

/// Layers and heads that are drawn, at most: more would be too small to read.
const MOST_LAYERS: usize = 5;
const MOST_HEADS: usize = 8;
/// White space between two pictures, in pixels.
const GAP: f64 = 10.0;
/// Room for the number of a head, and for what stands below the pictures.
const HEADING: f64 = 26.0;
const BELOW: f64 = 44.0;
const WIDEST_NAME: f64 = 200.0;

/// The attention of one window: queries from top to bottom, keys from left to right, oldest first.
///
/// Each picture has its own scale, from no weight to its largest one, by their roots, so that small weights are seen
/// beside large ones.
#[derive(Debug, Clone)]
pub struct AttentionChart {
    /// What the chart is about.
    pub title: String,
    /// The layers, the first five of which are drawn, each with its first eight heads.
    pub maps: Vec<AttentionMap>,
}

impl AttentionChart {
    /// The chart as PNG, 1200 x 675 pixels.
    ///
    /// # Errors
    /// [`Error::BadOption`] if there is no layer, or one without weights.
    pub fn render(&self) -> Result<Vec<u8>> {
        let shown = &self.maps[..self.maps.len().min(MOST_LAYERS)];
        if shown.is_empty() {
            return Err(Error::option("maps", "empty", "the chart needs at least one attention layer"));
        }
        if let Some(empty) = shown.iter().find(|map| map.weights.is_empty()) {
            let rule = "a layer needs at least one head, query and key";
            return Err(Error::option("maps", &empty.layer, rule));
        }
        let mut canvas = Canvas::new();
        let legend = [
            Key::new("no weight", Sample::Area(vec![(GRID, 1.0)])),
            Key::new("the largest weight of the head", Sample::Area(vec![(FORECAST, 1.0)])),
        ];
        let top = draw_heading(&mut canvas, &self.title, &legend)? + HEADING + 8.0;
        let names = shown.iter().map(|map| fitted(&named(&map.layer), LABEL, WIDEST_NAME));
        let names = names.collect::<Result<Vec<_>>>()?;
        let widths = names.iter().map(|name| text_width(name, LABEL)).collect::<Result<Vec<_>>>()?;
        let left = MARGIN + widths.into_iter().fold(0.0, f64::max) + 16.0;
        let n_heads = shown.iter().map(|map| map.weights.dim().0.min(MOST_HEADS)).max().unwrap_or(1);
        let width = (WIDTH as f64 - MARGIN - left + GAP) / n_heads as f64 - GAP;
        let height = (HEIGHT as f64 - BELOW - top + GAP) / shown.len() as f64 - GAP;
        for head in 0..n_heads {
            let at = (left + (width + GAP) * head as f64 + width / 2.0, top - 9.0);
            canvas.text(&format!("head {}", head + 1), at, (TICK, SOFT_INK), Align::Centre)?;
        }
        for (row, (map, name)) in shown.iter().zip(&names).enumerate() {
            let top = top + (height + GAP) * row as f64;
            let base = top + height / 2.0 + 6.0;
            canvas.text(name, (left - 14.0, base), (LABEL, INK), Align::Right)?;
            for head in 0..map.weights.dim().0.min(MOST_HEADS) {
                let left = left + (width + GAP) * head as f64;
                let area = Rect { left, top, right: left + width, bottom: top + height };
                draw(&mut canvas, map, head, area)?;
            }
        }
        let note = "queries from top to bottom, keys from left to right, the oldest first";
        let at = (WIDTH as f64 - MARGIN, HEIGHT as f64 - 16.0);
        canvas.text(note, at, (LABEL, SOFT_INK), Align::Right)?;
        canvas.into_png()
    }
}

/// `encoder 1, layer 2` for `encoders.0.layers.1.attention`; what has another form stays as it is.
fn named(layer: &str) -> String {
    let number = |text: &str| text.parse::<usize>().map(|at| at + 1).unwrap_or_default();
    match layer.split('.').collect::<Vec<_>>()[..] {
        ["encoders", "0", "layers", at, _] => format!("encoder {}", number(at)),
        ["encoders", encoder, "layers", at, _] => {
            format!("stack {}, encoder {}", number(encoder), number(at))
        }
        ["decoder", "layers", at, kind] => {
            let kind = kind.split('_').next().unwrap_or(kind);
            format!("decoder {}, {kind}", number(at))
        }
        _ => layer.to_string(),
    }
}

/// The weights of one head, each pixel the largest of those that fall on it.
fn draw(canvas: &mut Canvas, map: &AttentionMap, head: usize, area: Rect) -> Result<()> {
    let weights = map.weights.index_axis(ndarray::Axis(0), head);
    let (n_queries, n_keys) = weights.dim();
    let largest = weights.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    let cells = |pixels: f64, n: usize| (pixels.floor() as usize).clamp(1, n);
    let (n_rows, n_columns) =
        (cells(area.bottom - area.top, n_queries), cells(area.right - area.left, n_keys));
    let (high, wide) =
        ((area.bottom - area.top) / n_rows as f64, (area.right - area.left) / n_columns as f64);
    canvas.fill(area, GRID, 1.0)?;
    for row in 0..n_rows {
        for column in 0..n_columns {
            let of =
                |at: usize, n: usize, n_cells: usize| at * n / n_cells..((at + 1) * n / n_cells).max(at + 1);
            let queries = of(row, n_queries, n_rows);
            let keys = of(column, n_keys, n_columns);
            let some = weights.slice(ndarray::s![
                queries.start..queries.end.min(n_queries),
                keys.start..keys.end.min(n_keys)
            ]);
            let share = f64::from(some.iter().copied().fold(0.0, f32::max) / largest).sqrt();
            if share < 0.004 {
                continue;
            }
            let (left, top) = (area.left + wide * column as f64, area.top + high * row as f64);
            let cell = Rect { left, top, right: left + wide, bottom: top + high };
            canvas.fill(cell, GRID.mix(FORECAST, share), 1.0)?;
        }
    }
    let corners = [
        (area.left, area.top),
        (area.right, area.top),
        (area.right, area.bottom),
        (area.left, area.bottom),
        (area.left, area.top),
    ];
    canvas.stroke(&corners, 1.0, RULE.mix(PAPER, 0.3));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::canvas::testing::{count, decoded};
    use ndarray::Array3;

    fn map(layer: &str, shape: (usize, usize, usize)) -> AttentionMap {
        let weight = |(head, query, key): (usize, usize, usize)| {
            if key == (query + head) % shape.2 { 1.0 } else { 0.0 }
        };
        AttentionMap { layer: layer.to_string(), weights: Array3::from_shape_fn(shape, weight) }
    }

    fn chart(maps: Vec<AttentionMap>) -> Result<Vec<u8>> {
        AttentionChart { title: "Attention".to_string(), maps }.render()
    }

    #[test]
    fn each_head_is_drawn_and_the_picture_repeats() {
        let maps = vec![
            map("encoders.0.layers.0.attention", (4, 96, 96)),
            map("decoder.layers.0.cross_attention", (4, 24, 48)),
        ];
        let png = chart(maps.clone()).unwrap();
        assert_eq!(png, chart(maps.clone()).unwrap());
        let mut fewer = maps;
        fewer[0].weights = fewer[0].weights.slice(ndarray::s![..2, .., ..]).to_owned();
        let drawn = count(&png, FORECAST);
        assert!(drawn > 500 && count(&chart(fewer).unwrap(), FORECAST) < drawn);
    }

    #[test]
    fn layers_are_told_in_words() {
        for (layer, told) in [
            ("encoders.0.layers.1.attention", "encoder 2"),
            ("encoders.2.layers.0.attention", "stack 3, encoder 1"),
            ("decoder.layers.0.self_attention", "decoder 1, self"),
            ("decoder.layers.1.cross_attention", "decoder 2, cross"),
            ("other", "other"),
        ] {
            assert_eq!(named(layer), told);
        }
    }

    #[test]
    fn odd_sizes_give_a_picture_and_nothing_an_error() {
        for shape in [(1, 1, 1), (9, 3, 700), (16, 1_100, 1_100)] {
            decoded(&chart(vec![map("encoders.0.layers.0.attention", shape); 7]).unwrap());
        }
        assert!(chart(Vec::new()).unwrap_err().to_string().contains("maps is empty"));
        assert!(chart(vec![map("a", (2, 0, 3))]).unwrap_err().to_string().contains("maps is a"));
    }
}
