//! Batches on their way from the data layer to a network: the next one is filled while the network works on this one.
//!
//! Never more than two are in memory, and both are filled again and again. What a batch holds depends on its number
//! alone, so it does not matter who fills it, or when.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use ndarray::{ArrayView, Dimension};

use crate::Result;
use crate::data::{Batch, BatchOptions, Batches, WindowOrder, WindowSet};

/// The batches of an epoch, over and over.
#[derive(Debug)]
pub(crate) struct Pipeline<'a> {
    batches: Batches<'a>,
    here: Batch,
    next: Batch,
    /// The number of the batch that is filled ahead.
    ahead: Option<usize>,
}

impl<'a> Pipeline<'a> {
    /// The batches of a set of windows; the order is that of the options until an epoch begins.
    ///
    /// # Errors
    /// As [`WindowSet::batches`].
    pub(crate) fn new(windows: &'a WindowSet<'a>, options: &BatchOptions<'a>) -> Result<Self> {
        let batches = windows.batches(options)?;
        Ok(Pipeline { batches, here: Batch::default(), next: Batch::default(), ahead: None })
    }

    /// Batches of an epoch, the last one included.
    pub(crate) fn n_batches(&self) -> usize {
        self.batches.n_batches()
    }

    /// Begins an epoch whose windows come in this order.
    pub(crate) fn begin_epoch(&mut self, order: WindowOrder) {
        self.batches = self.batches.reordered(order);
        self.ahead = None;
    }

    /// What `work` makes of the batch of this number, from 0, while the one after it is filled; an empty batch
    /// beyond the last.
    pub(crate) fn with<T>(&mut self, batch_idx: usize, work: impl FnOnce(&Batch) -> T) -> T {
        let Pipeline { batches, here, next, ahead } = self;
        if *ahead == Some(batch_idx) {
            std::mem::swap(here, next);
        } else {
            batches.fill_at(batch_idx, here);
        }
        *ahead = Some(batch_idx + 1).filter(|after| *after < batches.n_batches());
        let Some(after) = *ahead else {
            return work(here);
        };
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| {
                batches.fill_at(after, next);
            });
            work(here)
        })
    }
}

/// A part of a batch as a tensor of the same shape; it is copied.
pub(crate) fn tensor<const D: usize, I: Dimension>(
    part: ArrayView<'_, f32, I>,
    device: &Device,
) -> Tensor<D> {
    let values = part.as_slice().map_or_else(|| part.iter().copied().collect(), <[f32]>::to_vec);
    Tensor::from_data(TensorData::new(values, part.shape()), device)
}

/// The device that the inputs of a network have to go to: one with gradients for a network that is trained.
pub(crate) fn device<N: Module>(network: &N) -> Device {
    network.devices().into_iter().next().unwrap_or_else(Device::flex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{TimeIndex, WindowScaling, WindowSpec};
    use crate::{Panel, Series};
    use ndarray::Array2;

    #[test]
    fn batches_are_those_of_the_data_layer_in_any_order_and_on_any_number_of_threads() {
        let series = [23, 40].into_iter().enumerate().map(|(i, n)| {
            let index = TimeIndex::new(0, "1h".parse().unwrap(), Default::default(), n);
            let value = |(t, c): (usize, usize)| if (t + c) % 7 == 3 { f64::NAN } else { (t * t + c) as f64 };
            let values = Array2::from_shape_fn((n, 2), value);
            Series::new(format!("s{i}"), index, values, &["a".into(), "b".into()]).unwrap()
        });
        let panel = Panel::new(vec!["a".into(), "b".into()], series.collect()).unwrap();
        let spec = WindowSpec { lookback: 4, horizon: 2, stride: 1 };
        let set = WindowSet::new(spec, &panel, [0..23, 0..40]).unwrap();
        let options =
            BatchOptions { batch_size: 5, scaling: WindowScaling::Standard, ..BatchOptions::default() };
        let read = |batch: &Batch| (batch.inputs().to_owned(), batch.label_mask().to_owned());
        for n_threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let mut pipeline = Pipeline::new(&set, &options).unwrap();
            for epoch in 0..3 {
                let order = WindowOrder::Shuffled { seed: 1, epoch };
                pipeline.begin_epoch(order);
                let plain = set.batches(&BatchOptions { order, ..options }).unwrap();
                let n_batches = plain.n_batches();
                // The second epoch begins in its middle, and the third goes back and forth.
                let numbers: Vec<usize> = match epoch {
                    0 => (0..n_batches).collect(),
                    1 => (4..n_batches).collect(),
                    _ => vec![3, 1, 2, 3, n_batches - 1, 0, n_batches],
                };
                for batch_idx in numbers {
                    let mut due = Batch::default();
                    plain.fill_at(batch_idx, &mut due);
                    let found = pool.install(|| pipeline.with(batch_idx, read));
                    assert_eq!(found, read(&due), "epoch {epoch}, batch {batch_idx}");
                }
            }
        }
    }

    #[test]
    fn parts_of_batches_become_tensors_of_their_shape() {
        let array = ndarray::Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (100 * i + 10 * j + k) as f32);
        let found: Tensor<3> = tensor(array.view(), &Device::flex());
        assert_eq!(found.dims(), [2, 3, 4]);
        assert!(found.into_data().iter::<f32>().eq(array.iter().copied()));
        let turned: Tensor<3> = tensor(array.view().reversed_axes(), &Device::flex());
        assert!(turned.into_data().iter::<f32>().eq(array.t().iter().copied()));
    }
}
