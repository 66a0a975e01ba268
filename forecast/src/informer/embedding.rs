//! The embedding of a sequence: `Conv1d(x_t) + PE(t) + time(marks_t)` (appendix B).
//!
//! `PE(t, 2j) = sin(t / 10000^(2j / d))`, `PE(t, 2j + 1) = cos(...)`. Time marks are features in [-0.5, 0.5] that
//! enter through a linear layer, or parts of the calendar, whose rows are taken from tables and added up.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::EmbeddingKind;
use super::draws::Draws;
use super::layers::{Conv, Linear};
use super::pass::{Pass, Site, Sites};
use super::sequence::Sequence;
use crate::kernels::{Activation, linear};

/// Rows of the tables of month (1 to 12), day of the month (1 to 31), day of the week (Monday is 0), hour, and
/// quarter of an hour: the marks of `fixed` and `learned` embeddings, in this order. The last may be left out.
pub(super) const CALENDAR: [usize; 5] = [13, 32, 7, 24, 4];

/// Marks that an embedding by tables takes: with the quarter of an hour or without.
pub(crate) fn n_calendar_marks(is_below_an_hour: bool) -> usize {
    if is_below_an_hour { CALENDAR.len() } else { CALENDAR.len() - 1 }
}

/// Embeds values and time marks.
#[derive(Module, Debug)]
pub(super) struct Embedding {
    pub(super) value: Conv,
    /// For features.
    pub(super) time: Option<Linear>,
    /// For parts of the calendar: learned tables one below the other, `(row, d_model)`.
    pub(super) calendar: Option<Param<Tensor<2>>>,
    /// The same of sines.
    sines: Option<Tensor<2>>,
    /// Shape `(length, d_model)`.
    position: Tensor<2>,
    n_marks: usize,
    #[module(skip)]
    site: Site,
}

/// What an embedding takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct EmbeddingShape {
    pub(super) n_channels: usize,
    /// None switches the embedding of time off.
    pub(super) n_marks: usize,
    pub(super) d_model: usize,
    /// The longest sequence.
    pub(super) length: usize,
}

impl Embedding {
    pub(super) fn new(
        kind: EmbeddingKind,
        shape: EmbeddingShape,
        draws: &mut Draws<'_>,
        sites: &mut Sites,
    ) -> Self {
        let EmbeddingShape { n_channels, n_marks, d_model, length } = shape;
        let value = Conv::normal(n_channels, d_model, draws);
        let tables = &CALENDAR[..n_marks.min(CALENDAR.len())];
        let (mut time, mut calendar, mut sines) = (None, None, None);
        match kind {
            _ if n_marks == 0 => {}
            EmbeddingKind::TimeF => time = Some(Linear::new(n_marks, d_model, draws)),
            EmbeddingKind::Learned => calendar = Some(draws.normal([tables.iter().sum(), d_model], 1.0)),
            EmbeddingKind::Fixed => {
                let tables = tables.iter().map(|n_rows| sinusoids(*n_rows, d_model, draws.device()));
                sines = Some(Tensor::cat(tables.collect(), 0));
            }
        }
        let position = sinusoids(length, d_model, draws.device());
        Embedding { value, time, calendar, sines, position, n_marks, site: sites.next() }
    }

    /// Shapes: `x` `(batch, length, channel)`, `marks` `(batch, length, mark)`.
    pub(super) fn forward(&self, x: Tensor<3>, marks: Tensor<3>, pass: &Pass<'_>) -> Sequence {
        let length = x.dims()[1];
        let position = self.position.clone().narrow(0, 0, length).unsqueeze::<3>(); // (1, length, d_model)
        let embedded = Sequence::new(self.value.forward(x) + position);
        let rows = match self.time(marks) {
            Some(time) => embedded.rows.clone() + time,
            None => embedded.rows.clone(),
        };
        embedded.with(pass.dropout(rows, self.site))
    }

    /// The time's part, `(batch * length, d_model)`.
    pub(super) fn time(&self, marks: Tensor<3>) -> Option<Tensor<2>> {
        let [n_batch, length, n_marks] = marks.dims();
        let marks = marks.reshape([n_batch * length, n_marks]);
        if let Some(time) = &self.time {
            return Some(time.forward(marks, Activation::None));
        }
        let tables = self.calendar.as_ref().map(Param::val).or_else(|| self.sines.clone())?;
        Some(linear(self.rows_taken(marks), tables, None, Activation::None))
    }

    /// One where a step takes a row of the tables, `(step, row)`: as a product the sum has a fixed order, and so has
    /// its gradient. A mark that no table has takes no row.
    fn rows_taken(&self, marks: Tensor<2>) -> Tensor<2> {
        let [n_steps, _] = marks.dims();
        let device = marks.device();
        let of_table = |(at, n_rows): (usize, &usize)| {
            let numbers: Vec<f32> = (0..*n_rows).map(|row| row as f32).collect();
            let numbers = Tensor::<2>::from_data(TensorData::new(numbers, [1, *n_rows]), &device);
            let mark = marks.clone().narrow(1, at, 1).expand([n_steps, *n_rows]);
            mark.equal(numbers.expand([n_steps, *n_rows])).float()
        };
        Tensor::cat(CALENDAR[..self.n_marks].iter().enumerate().map(of_table).collect(), 1)
    }
}

/// Sines and cosines of ever longer periods, `(position, d_model)`.
pub(super) fn sinusoids(n_positions: usize, d_model: usize, device: &Device) -> Tensor<2> {
    let value = |i: usize| {
        let (position, j) = (i / d_model, i % d_model);
        let angle = position as f64 / 10_000_f64.powf((j - j % 2) as f64 / d_model as f64);
        (if j % 2 == 0 { angle.sin() } else { angle.cos() }) as f32
    };
    let values: Vec<f32> = (0..n_positions * d_model).map(value).collect();
    Tensor::from_data(TensorData::new(values, [n_positions, d_model]), device)
}
