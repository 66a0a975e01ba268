//! One mixer outside of a network: a convolution over whole sequences, and the same step by step.

use burn::tensor::{Device, Tensor, TensorData};

use super::{Mixer, MixerConfig, MixerState, Recurrence, StreamingForm};
use crate::kernels::{mean_square, reuse};
use crate::{Error, Result};

/// A layer of S4, S4D or SGConv with first weights: `y = k * u + D u`, each feature on its own.
///
/// # Example
/// ```
/// use forecast::ssm::{Layer, MixerConfig};
/// let layer = Layer::new(&MixerConfig::default(), 2, 8, 1)?;
/// let u: Vec<f32> = (0..16).map(|i| (i % 5) as f32).collect(); // (length, feature)
/// let y = layer.forward(&u, 1)?;
/// let (mut stream, mut step) = (layer.stream()?, [0.0; 2]);
/// for (u, y) in u.chunks(2).zip(y.chunks(2)) {
///     stream.step(u, &mut step)?;
///     assert!(step.iter().zip(y).all(|(a, b)| (a - b).abs() < 1e-4));
/// }
/// assert!(layer.forward(&u, 3).is_err()); // 16 numbers are no 3 sequences
/// # Ok::<(), forecast::Error>(())
/// ```
#[derive(Debug)]
pub struct Layer {
    /// On a device with gradients.
    trained: Mixer,
    /// On one without.
    mixer: Mixer,
    d_model: usize,
}

/// A layer that goes on step by step.
#[derive(Debug)]
pub struct LayerStream {
    recurrence: Recurrence,
    state: MixerState,
}

impl Layer {
    /// A layer for sequences of at most `max_length` steps, with first weights that follow from the seed.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a setting or a size that is out of range.
    pub fn new(config: &MixerConfig, d_model: usize, max_length: usize, seed: u64) -> Result<Self> {
        if d_model == 0 {
            return Err(Error::option("d_model", d_model, "it must be at least 1"));
        }
        let of = |device: &Device| Mixer::new(config, d_model, max_length, seed, device);
        Ok(Layer { trained: of(&Device::flex().autodiff())?, mixer: of(&Device::flex())?, d_model })
    }

    /// The outputs of sequences.
    ///
    /// # Shapes
    /// `u` and the result `(batch, length, d_model)`.
    ///
    /// # Errors
    /// [`Error::BadOption`] if `u` is not as many numbers.
    pub fn forward(&self, u: &[f32], n_batch: usize) -> Result<Vec<f32>> {
        numbers(self.mixer.forward(self.tensor(u.to_vec(), n_batch, &Device::flex())?))
    }

    /// The mean square of the outputs, and its gradient with respect to `u`, whose memory is used again; those of all
    /// weights are computed as well.
    ///
    /// # Shapes
    /// `u` and the gradient `(batch, length, d_model)`.
    ///
    /// # Errors
    /// As [`Layer::forward`].
    pub fn forward_backward(&self, u: Vec<f32>, n_batch: usize) -> Result<(f64, Vec<f32>)> {
        let u = self.tensor(u, n_batch, &Device::flex().autodiff())?.require_grad();
        let mean = mean_square(self.trained.forward(u.clone()));
        let mut gradients = mean.backward();
        let gradient =
            u.grad_remove(&mut gradients).ok_or_else(|| Error::Internal("no gradient".to_string()))?;
        reuse(u.into_data());
        Ok((f64::from(mean.into_scalar::<f32>()), numbers(gradient)?))
    }

    /// The kernel, from lag 0 on, of any length.
    ///
    /// # Shapes
    /// `(d_model, length)`.
    ///
    /// # Errors
    /// [`Error::BadOption`] for a length of 0 or beyond [`MAX_KERNEL`](super::MAX_KERNEL).
    pub fn kernel(&self, length: usize) -> Result<Vec<f32>> {
        numbers(self.mixer.kernel(length)?)
    }

    /// The layer step by step, exactly, from a state that has seen nothing.
    ///
    /// # Errors
    /// [`Error::BadOption`] with the setting that prevents it.
    pub fn stream(&self) -> Result<LayerStream> {
        let recurrence = self.mixer.recurrence(StreamingForm::Exact)?;
        let state = recurrence.start();
        Ok(LayerStream { recurrence, state })
    }

    fn tensor(&self, u: Vec<f32>, n_batch: usize, device: &Device) -> Result<Tensor<3>> {
        // No sequences, or more than there can be.
        let row = n_batch.checked_mul(self.d_model).unwrap_or(0);
        if row == 0 || u.is_empty() || !u.len().is_multiple_of(row) {
            let rule = format!("{} numbers are no steps of {n_batch} sequences of {}", u.len(), self.d_model);
            return Err(Error::option("batch", n_batch, rule));
        }
        let shape = [n_batch, u.len() / row, self.d_model];
        Ok(Tensor::from_data(TensorData::new(u, shape), device))
    }
}

impl LayerStream {
    /// Takes a step; asks the allocator for nothing once the thread has the room it computes in. Shapes: `u` and `y`
    /// `(d_model)`.
    ///
    /// # Errors
    /// [`Error::BadOption`] for slices of another length; the state is then as it was.
    pub fn step(&mut self, u: &[f32], y: &mut [f32]) -> Result<()> {
        self.check(u, y, u.len() == self.recurrence.d_model(), "a step has")?;
        self.recurrence.step(&mut self.state, u, y);
        Ok(())
    }

    /// Takes steps, with the bits of [`LayerStream::step`] one after another. Shapes: `u` and `y` `(step, d_model)`.
    ///
    /// # Errors
    /// As [`LayerStream::step`].
    pub fn steps(&mut self, u: &[f32], y: &mut [f32]) -> Result<()> {
        self.check(u, y, u.len().is_multiple_of(self.recurrence.d_model()), "each step has")?;
        self.recurrence.chunk(&mut self.state, u, y);
        Ok(())
    }

    fn check(&self, u: &[f32], y: &[f32], is_good: bool, what: &str) -> Result<()> {
        let d_model = self.recurrence.d_model();
        if !is_good {
            return Err(Error::option("u", format!("{} numbers", u.len()), format!("{what} {d_model}")));
        }
        if y.len() != u.len() {
            let rule = format!("there are {} of u", u.len());
            return Err(Error::option("y", format!("{} numbers", y.len()), rule));
        }
        Ok(())
    }
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::Internal(error.to_string()))
}
