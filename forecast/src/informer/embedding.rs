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
#[cfg(test)]
use crate::kernels::{Activation, linear};
use crate::kernels::{linear_at, taps3};

/// Rows of the tables of month (1 to 12), day of the month (1 to 31), day of the week (Monday is 0), hour, and
/// quarter of an hour: the marks of `fixed` and `learned` embeddings, in this order. The last may be left out.
pub(super) const CALENDAR: [usize; 5] = [13, 32, 7, 24, 4];

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
        let [n_batch, length, _] = x.dims();
        let position = self.position.clone().narrow(0, 0, length); // (length, d_model)
        let (mut columns, mut weight, mut bias) = (taps3(x), self.value.weight.val(), self.value.bias.val());
        // What is added up is one product of matrices side by side.
        if let Some((of_time, time_weight, time_bias)) = self.of_time(marks) {
            columns = Tensor::cat(vec![columns, of_time], 1); // (batch * length, 3 channels + time)
            weight = Tensor::cat(vec![weight, time_weight], 0);
            bias = time_bias.map_or(bias.clone(), |time_bias| bias + time_bias);
        }
        let dropout = pass.dropout_at(self.site);
        Sequence { rows: linear_at(columns, weight, bias, position, dropout), n_batch }
    }

    /// What the marks are as columns of a linear layer, `(batch * length, column)`, with its weights and its bias.
    fn of_time(&self, marks: Tensor<3>) -> Option<(Tensor<2>, Tensor<2>, Option<Tensor<1>>)> {
        let [n_batch, length, n_marks] = marks.dims();
        if self.n_marks == 0 {
            return None;
        }
        let marks = marks.reshape([n_batch * length, n_marks]);
        if let Some(time) = &self.time {
            return Some((marks, time.weight.val(), Some(time.bias.val())));
        }
        let tables = self.calendar.as_ref().map(Param::val).or_else(|| self.sines.clone())?;
        Some((self.rows_taken(marks), tables, None))
    }

    /// The time's part alone, `(batch * length, d_model)`.
    #[cfg(test)]
    pub(super) fn time(&self, marks: Tensor<3>) -> Option<Tensor<2>> {
        let (columns, weight, bias) = self.of_time(marks)?;
        Some(linear(columns, weight, bias, Activation::None))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::informer::config::InformerConfig;
    use crate::informer::pass::Mode;

    fn embedding(kind: EmbeddingKind, n_marks: usize, device: &Device) -> Embedding {
        let shape = EmbeddingShape { n_channels: 2, n_marks, d_model: 6, length: 5 };
        Embedding::new(kind, shape, &mut Draws::new(3, device), &mut Sites::default())
    }

    fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.try_into_vec_as::<f32>().unwrap()
    }

    /// One step after the other, table by table.
    #[test]
    fn parts_of_the_calendar_take_their_rows() {
        let device = Device::flex();
        let steps = [[1.0, 31.0, 0.0, 23.0, 3.0], [12.0, 1.0, 6.0, 0.0, 0.0], [7.0, 15.0, 3.0, 9.0, 2.0]];
        for n_marks in [4, 5] {
            let marks: Vec<f32> = steps.iter().flat_map(|marks| marks[..n_marks].to_vec()).collect();
            let marks = Tensor::<3>::from_data(TensorData::new(marks, [1, 3, n_marks]), &device);
            let learned = embedding(EmbeddingKind::Learned, n_marks, &device);
            let table = numbers(learned.calendar.as_ref().unwrap().val());
            assert_eq!(table.len(), CALENDAR[..n_marks].iter().sum::<usize>() * 6);
            let ours = numbers(learned.time(marks.clone()).unwrap());
            let fixed = numbers(embedding(EmbeddingKind::Fixed, n_marks, &device).time(marks).unwrap());
            for (step, marks) in steps.iter().enumerate() {
                for j in 0..6 {
                    let (mut due, mut due_fixed, mut first) = (0.0, 0.0, 0);
                    for (mark, n_rows) in marks.iter().zip(&CALENDAR[..n_marks]) {
                        due += table[(first + *mark as usize) * 6 + j];
                        let angle = f64::from(*mark) / 10_000_f64.powf((j / 2 * 2) as f64 / 6.0);
                        due_fixed += if j % 2 == 0 { angle.sin() } else { angle.cos() };
                        first += n_rows;
                    }
                    assert!((ours[step * 6 + j] - due).abs() < 1e-5);
                    assert!((f64::from(fixed[step * 6 + j]) - due_fixed).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn marks_that_no_table_has_take_no_row() {
        let device = Device::flex();
        let marks = [f32::NAN, 32.0, -1.0, 2.5];
        let marks = Tensor::<3>::from_data(TensorData::new(marks.to_vec(), [1, 1, 4]), &device);
        let time = embedding(EmbeddingKind::Learned, 4, &device).time(marks).unwrap();
        assert_eq!(numbers(time), [0.0; 6]);
    }

    #[test]
    fn without_marks_steps_differ_by_their_position_alone() {
        let device = Device::flex();
        let embedding = embedding(EmbeddingKind::TimeF, 0, &device);
        let pass = Pass::new(&InformerConfig::default(), Mode::evaluation());
        let x = Tensor::<3>::ones([2, 4, 2], &device);
        let rows = numbers(embedding.forward(x, Tensor::zeros([2, 4, 0], &device), &pass).rows);
        let position = numbers(sinusoids(4, 6, &device));
        for (i, value) in rows.iter().enumerate() {
            let (step, j) = (i / 6 % 4, i % 6);
            // Step 0 has sin 0 = 0 and cos 0 = 1.
            let due = rows[j] - position[j] + position[step * 6 + j];
            assert!((value - due).abs() < 1e-5, "{i}");
        }
    }
}
