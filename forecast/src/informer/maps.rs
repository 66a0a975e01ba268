//! What a network looks at: the weights of every attention layer for one window.

use std::cell::RefCell;

use burn::tensor::Tensor;
use ndarray::Array3;

use super::network::Informer;
use super::pass::{Mode, Pass};
use crate::{Error, Result};

/// The weights of an attention layer.
///
/// A layer between which and the input the sequence was halved `n` times has keys and queries of about `2^n` steps
/// each. Cross attention of the last decoder layer has the queries of the horizon only.
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionMap {
    /// Such as `encoders.0.layers.1.attention`, as in the names of its tensors.
    pub layer: String,
    /// Shape `(head, query, key)`. A row sums to 1; but rows of masked ProbSparse attention whose query does not attend
    /// are 1 for each key up to the query, since such a layer adds values up.
    pub weights: Array3<f32>,
}

impl Informer {
    /// The weights of every attention layer, in the order of the pass.
    ///
    /// # Shapes
    /// As [`Informer::forward`], of one window.
    ///
    /// # Errors
    /// [`Error::Internal`] only.
    pub(crate) fn attention_maps(
        &self,
        x_enc: Tensor<3>,
        marks_enc: Tensor<3>,
        x_dec: Tensor<3>,
        marks_dec: Tensor<3>,
    ) -> Result<Vec<AttentionMap>> {
        let watched = RefCell::new(Vec::new());
        let pass = Pass::new(self.config(), Mode::evaluation()).watch(&watched);
        self.run([x_enc, marks_enc, x_dec, marks_dec], &pass);
        let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let map = |(layer, weights): (String, Tensor<3>)| {
            let shape = weights.dims();
            let values = weights.try_into_vec_as::<f32>().map_err(|error| internal(&error))?;
            let weights = Array3::from_shape_vec(shape, values).map_err(|error| internal(&error))?;
            Ok(AttentionMap { layer, weights })
        };
        self.attention_layers().into_iter().zip(watched.into_inner()).map(map).collect()
    }

    /// The names of the attention layers in the order of a pass.
    fn attention_layers(&self) -> Vec<String> {
        let of_encoder = |(i, n_layers): (usize, usize)| {
            (0..n_layers).map(move |j| format!("encoders.{i}.layers.{j}.attention"))
        };
        let encoders = self.encoders.iter().map(|encoder| encoder.layers.len()).enumerate();
        let of_decoder =
            |j: usize| ["self", "cross"].map(|kind| format!("decoder.layers.{j}.{kind}_attention"));
        encoders.flat_map(of_encoder).chain((0..self.decoder.layers.len()).flat_map(of_decoder)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::informer::config::{AttentionKind, InformerConfig};
    use crate::informer::network::Shape;
    use crate::informer::weights::to_weights;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn each_layer_has_a_map_whose_rows_sum_to_one_and_see_nothing_that_is_masked() {
        let device = Device::flex();
        let config = InformerConfig {
            lookback: 21,
            label_length: 9,
            d_model: 8,
            n_heads: 2,
            d_ff: 8,
            encoder_layers: vec![AttentionKind::Prob, AttentionKind::Full],
            decoder_layers: vec![AttentionKind::Prob, AttentionKind::Full],
            stacks: vec![2, 1],
            factor: 1,
            ..InformerConfig::default()
        };
        let shape = Shape { n_channels: 1, n_marks: 0, n_past: 0, n_outputs: 1, horizon: 5 };
        let network = Informer::new(&config, shape, &device).unwrap();
        let values: Vec<f32> = (0..21).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let x_enc = Tensor::<3>::from_data(TensorData::new(values, [1, 21, 1]), &device);
        let marks = |length: usize| Tensor::<3>::zeros([1, length, 0], &device);
        let x_dec = network.decoder_input(&x_enc);
        let maps = network.attention_maps(x_enc, marks(21), x_dec, marks(14)).unwrap();
        let told: Vec<_> = maps.iter().map(|map| (map.layer.as_str(), map.weights.dim())).collect();
        // Two encoders: 21 steps, halved to 11, and 10 steps.
        let due = [
            ("encoders.0.layers.0.attention", (2, 21, 21)),
            ("encoders.0.layers.1.attention", (2, 11, 11)),
            ("encoders.1.layers.0.attention", (2, 10, 10)),
            ("decoder.layers.0.self_attention", (2, 14, 14)),
            ("decoder.layers.0.cross_attention", (2, 14, 21)),
            ("decoder.layers.1.self_attention", (2, 14, 14)),
            ("decoder.layers.1.cross_attention", (2, 5, 21)),
        ];
        assert_eq!(told, due);
        let names = to_weights(&network).unwrap();
        let mut n_unlike = 0;
        for map in &maps {
            assert!(names.contains_key(&format!("{}.query.weight", map.layer)));
            let is_masked = map.layer.ends_with("self_attention");
            for ((_, query, key), weight) in map.weights.indexed_iter() {
                assert!((0.0..=1.0 + 1e-6).contains(weight));
                assert!(
                    !is_masked || key <= query || *weight < 1e-30,
                    "{} {query} {key} {weight}",
                    map.layer
                );
            }
            for (row, weights) in map.weights.rows().into_iter().enumerate() {
                let query = row % map.weights.dim().1;
                let sum = weights.sum();
                let is_sum = is_masked && (sum - (query + 1) as f32).abs() < 1e-4;
                assert!((sum - 1.0).abs() < 1e-5 || is_sum, "{} {query}: {sum}", map.layer);
                n_unlike += usize::from(weights.iter().any(|w| (w - weights[0]).abs() > 1e-6));
            }
        }
        assert!(n_unlike > 50, "{n_unlike}");
    }
}
