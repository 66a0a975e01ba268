//! Work of a known size, run as often as one likes: what `forecast-bench kernels` measures.
//!
//! A training step is what a fit does with a batch that is filled: forward pass, loss, backward pass, a step of Adam.

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::data::mix;
use crate::data::random::unit;
use crate::informer::{self, AttentionKind, InformerConfig, keys, n_selected};
use crate::kernels::{Dropout, Mask, ProbSparse, attention, lead, lead_briefly, prob_sparse_attention};
use crate::nn::Steps;
use crate::{Error, Result};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkloadKind {
    /// A step of training an Informer.
    InformerTrain,
    /// The forecast of a batch of windows by an Informer.
    InformerInfer,
    /// A step of training encoder layers with full attention.
    EncoderTrain,
    /// ProbSparse attention of a sequence to itself, forward.
    ProbSparse,
    /// Full attention of a sequence to itself, forward.
    FullAttention,
}

/// What is done, and how large it is; each kind looks at the sizes that it has.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorkloadSizes {
    /// What is done.
    pub workload: WorkloadKind,
    /// Windows of a batch.
    pub n_batch: usize,
    /// Steps of the input.
    pub lookback: usize,
    /// Last steps of the lookback that the decoder starts from.
    pub label_length: usize,
    /// Steps that are forecast.
    pub horizon: usize,
    /// Channels, in and out.
    pub n_channels: usize,
    /// Time marks of a step.
    pub n_marks: usize,
    /// Width of the network.
    pub d_model: usize,
    /// Heads of attention.
    pub n_heads: usize,
    /// Width of the two-layer network after each attention.
    pub d_ff: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Of ProbSparse attention.
    pub factor: usize,
    /// Share of activations set to 0 while training.
    pub dropout: f64,
}

/// Work that is ready to be done.
pub struct Workload {
    /// Of some milliseconds, as a forecast is.
    is_brief: bool,
    run: Box<dyn FnMut() -> Result<f64> + Send>,
}

impl std::fmt::Debug for Workload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workload").finish_non_exhaustive()
    }
}

impl Workload {
    /// Builds the network and its input, of random numbers.
    ///
    /// # Errors
    /// [`Error::BadOption`] if a size is out of range.
    ///
    /// # Example
    /// ```
    /// use forecast::workload::{Workload, WorkloadKind, WorkloadSizes};
    /// let sizes = WorkloadSizes {
    ///     workload: WorkloadKind::InformerTrain,
    ///     n_batch: 2, lookback: 8, label_length: 4, horizon: 3, n_channels: 1, n_marks: 4,
    ///     d_model: 8, n_heads: 2, d_ff: 8, encoder_layers: 2, decoder_layers: 1, factor: 5, dropout: 0.0,
    /// };
    /// let mut work = Workload::new(&sizes)?;
    /// let (first, second) = (work.run()?, work.run()?);
    /// assert!(second < first); // the loss of the same batch after one step
    /// # Ok::<(), forecast::Error>(())
    /// ```
    pub fn new(sizes: &WorkloadSizes) -> Result<Self> {
        let config = sizes.config();
        config.check()?;
        let run: Box<dyn FnMut() -> Result<f64> + Send> = match sizes.workload {
            WorkloadKind::InformerTrain => sizes.informer_train(&config)?,
            WorkloadKind::InformerInfer => sizes.informer_infer(&config)?,
            WorkloadKind::EncoderTrain => sizes.encoder_train(&config),
            WorkloadKind::ProbSparse | WorkloadKind::FullAttention => sizes.attention(),
        };
        let is_brief = matches!(
            sizes.workload,
            WorkloadKind::InformerInfer | WorkloadKind::ProbSparse | WorkloadKind::FullAttention
        );
        Ok(Workload { is_brief, run })
    }

    /// Does the work once; returns the loss before the step, or the sum of what came out.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub fn run(&mut self) -> Result<f64> {
        let run = || (self.run)();
        if self.is_brief { lead_briefly(run) } else { lead(run) }
    }
}

impl WorkloadSizes {
    fn config(&self) -> InformerConfig {
        // An encoder alone sees what full attention sees.
        let kind = match self.workload {
            WorkloadKind::EncoderTrain | WorkloadKind::FullAttention => AttentionKind::Full,
            _ => AttentionKind::Prob,
        };
        InformerConfig {
            lookback: self.lookback,
            label_length: self.label_length,
            d_model: self.d_model,
            n_heads: self.n_heads,
            d_ff: self.d_ff,
            encoder_layers: vec![kind; self.encoder_layers],
            decoder_layers: vec![kind; self.decoder_layers],
            factor: self.factor,
            dropout: self.dropout,
            ..InformerConfig::default()
        }
    }

    fn shape(&self) -> informer::Shape {
        let WorkloadSizes { n_channels, n_marks, horizon, .. } = *self;
        informer::Shape { n_channels, n_marks, n_past: 0, n_outputs: n_channels, horizon }
    }

    fn informer_train(&self, config: &InformerConfig) -> Result<Box<dyn FnMut() -> Result<f64> + Send>> {
        let device = Device::flex().autodiff();
        let mut steps = Steps::new(informer::Informer::new(config, self.shape(), &device)?);
        let inputs = self.inputs(&device);
        let target = self.numbers(9, [self.n_batch, self.horizon, self.n_channels], &device);
        Ok(Box::new(move || {
            steps.step(|network, step| (informer::forecast(network, &inputs, Some(step)), target.clone()))
        }))
    }

    fn informer_infer(&self, config: &InformerConfig) -> Result<Box<dyn FnMut() -> Result<f64> + Send>> {
        let device = Device::flex();
        let network = informer::Informer::new(config, self.shape(), &device)?.for_forecasts();
        let inputs = self.inputs(&device);
        Ok(Box::new(move || sum(informer::forecast(&network, &inputs, None))))
    }

    fn encoder_train(&self, config: &InformerConfig) -> Box<dyn FnMut() -> Result<f64> + Send> {
        let device = Device::flex().autodiff();
        let mut steps = Steps::new(informer::EncoderLayers::new(config, &device));
        let shape = [self.n_batch, self.lookback, self.d_model];
        let [x, target] = [1, 2].map(|stream| self.numbers(stream, shape, &device));
        Box::new(move || steps.step(|network, step| (network.forward(x.clone(), step), target.clone())))
    }

    fn attention(&self) -> Box<dyn FnMut() -> Result<f64> + Send> {
        let WorkloadSizes { workload, lookback: length, n_heads, factor, .. } = *self;
        let shape = [self.n_batch, length, self.d_model];
        let [q, k, v] = [1, 2, 3].map(|stream| self.numbers(stream, shape, &Device::flex()));
        let mut n_runs = 0;
        Box::new(move || {
            n_runs += 1;
            let (q, k, v) = (q.clone(), k.clone(), v.clone());
            if workload == WorkloadKind::FullAttention {
                return sum(attention(q, k, v, n_heads, Mask::None, Dropout::NONE));
            }
            let n = n_selected(factor, length);
            let samples = keys(n_runs, length, n, length);
            let options = ProbSparse { n_heads, samples: &samples, n_samples: n, n_top: n, mask: Mask::None };
            sum(prob_sparse_attention(q, k, v, &options))
        })
    }

    /// Values and time marks of encoder and decoder.
    fn inputs(&self, device: &Device) -> [Tensor<3>; 2] {
        let n_known = self.lookback + self.horizon;
        [(1, self.lookback, self.n_channels), (2, n_known, self.n_marks)]
            .map(|(stream, length, width)| self.numbers(stream, [self.n_batch, length, width], device))
    }

    /// Even numbers of variance 1.
    fn numbers(&self, stream: u64, shape: [usize; 3], device: &Device) -> Tensor<3> {
        let stream = mix(stream);
        let n = shape.iter().product::<usize>() as u64;
        let values: Vec<f32> =
            (0..n).map(|i| ((2.0 * unit(stream, i) - 1.0) * 3.0_f64.sqrt()) as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// The sum of all numbers, which makes sure that they are there.
fn sum(x: Tensor<3>) -> Result<f64> {
    let values = x.try_into_vec_as::<f32>().map_err(|error| Error::Internal(error.to_string()))?;
    Ok(values.into_iter().map(f64::from).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(workload: WorkloadKind) -> WorkloadSizes {
        WorkloadSizes {
            workload,
            n_batch: 2,
            lookback: 20,
            label_length: 7,
            horizon: 5,
            n_channels: 3,
            n_marks: 4,
            d_model: 8,
            n_heads: 2,
            d_ff: 12,
            encoder_layers: 2,
            decoder_layers: 1,
            factor: 1,
            dropout: 0.1,
        }
    }

    #[test]
    fn training_lowers_the_loss_and_forecasts_repeat() {
        for kind in [WorkloadKind::InformerTrain, WorkloadKind::EncoderTrain] {
            let mut work = Workload::new(&WorkloadSizes { dropout: 0.0, ..sizes(kind) }).unwrap();
            let losses: Vec<f64> = (0..30).map(|_| work.run().unwrap()).collect();
            assert!(losses[29] < losses[0], "{kind:?}: {losses:?}");
        }
        for kind in [WorkloadKind::InformerInfer, WorkloadKind::FullAttention] {
            let mut work = Workload::new(&sizes(kind)).unwrap();
            assert_eq!(work.run().unwrap().to_bits(), work.run().unwrap().to_bits(), "{kind:?}");
        }
        // Other keys are drawn each time.
        let mut work = Workload::new(&sizes(WorkloadKind::ProbSparse)).unwrap();
        assert_ne!(work.run().unwrap().to_bits(), work.run().unwrap().to_bits());
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        let bad = WorkloadSizes { n_heads: 3, ..sizes(WorkloadKind::InformerTrain) };
        let message = Workload::new(&bad).unwrap_err().to_string();
        assert!(message.contains("n_heads is 3, but it must divide d_model"), "{message}");
    }
}
