//! Operations on rows of plain numbers, without burn: what networks in plain numbers are made of.
//!
//! Each number is computed by the same operations in the same order however many rows there are, so that one row at a
//! time and many give the same bits.

use pulp::{Simd, WithSimd};

use super::{Activation, lanes};

/// `y = x W + b`, row by row.
///
/// # Shapes
/// `x` `(row, in)`, `weight` `(in, out)`, `bias` `(out)`, `y` `(row, out)`.
pub(crate) fn affine(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let n_out = bias.len();
    let n_in = weight.len() / n_out.max(1);
    for (x, y) in x.chunks_exact(n_in.max(1)).zip(y.chunks_exact_mut(n_out.max(1))) {
        y.copy_from_slice(bias);
        lanes::dispatch(AddProducts { x, weight, n_out, y });
    }
}

/// The first columns of [`affine`] for one row. Shapes: `x` `(in)`, `y` at most `(out)`.
pub(crate) fn affine_columns(x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let n_out = bias.len();
    y.copy_from_slice(&bias[..y.len()]);
    lanes::dispatch(AddProducts { x, weight, n_out, y });
}

/// `y += x W`, for as many columns as `y` has.
struct AddProducts<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    n_out: usize,
    y: &'a mut [f32],
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    // Plain loops: what they are compiled for is that of the caller.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let AddProducts { x, weight, n_out, y } = self;
        for (x, weight) in x.iter().zip(weight.chunks_exact(n_out)) {
            for (y, weight) in y.iter_mut().zip(weight) {
                *y += x * weight;
            }
        }
    }
}

/// `x = gelu(x)`, element by element.
pub(crate) fn gelu(x: &mut [f32]) {
    Activation::Gelu.apply(x, None);
}

/// `x += a sigmoid(b)` for rows `[a, b]` of `gates`. Shapes: `x` `(row, d)`, `gates` `(row, 2 d)`.
pub(crate) fn add_glu(x: &mut [f32], gates: &[f32], d: usize) {
    for (x, gates) in x.chunks_exact_mut(d.max(1)).zip(gates.chunks_exact(2 * d.max(1))) {
        let (value, gate) = gates.split_at(d);
        lanes::dispatch(AddGlu { x, value, gate });
    }
}

struct AddGlu<'a> {
    x: &'a mut [f32],
    value: &'a [f32],
    gate: &'a [f32],
}

impl WithSimd for AddGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AddGlu { x, value, gate } = self;
        let chunks =
            x.chunks_mut(S::F32_LANES).zip(value.chunks(S::F32_LANES)).zip(gate.chunks(S::F32_LANES));
        for ((x, value), gate) in chunks {
            let open = lanes::sigmoid(simd, simd.partial_load_f32s(gate));
            let gated = simd.mul_f32s(simd.partial_load_f32s(value), open);
            simd.partial_store_f32s(x, simd.add_f32s(simd.partial_load_f32s(x), gated));
        }
    }
}

/// Layer norm, row by row: `y = gain (x - mean) / sqrt(var + epsilon) + bias`. Shapes: `x` and `y` `(row, d)`.
pub(crate) fn layer_norm(x: &[f32], gain: &[f32], bias: &[f32], epsilon: f32, y: &mut [f32]) {
    let d = gain.len().max(1);
    let count = d as f32;
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact_mut(d)) {
        let mean = x.iter().sum::<f32>() / count;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / count;
        let factor = 1.0 / (variance + epsilon).sqrt();
        for ((y, x), (gain, bias)) in y.iter_mut().zip(x).zip(gain.iter().zip(bias)) {
            *y = (x - mean) * factor * gain + bias;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(n: usize, salt: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * i * 31 + salt * 17) % 101) as f32 / 25.0 - 2.0).collect()
    }

    #[test]
    fn rows_are_what_their_formulas_say_and_one_row_has_the_bits_of_many() {
        for (n_rows, n_in, n_out) in [(1, 1, 1), (3, 5, 7), (4, 33, 66)] {
            let (x, weight, bias) = (numbers(n_rows * n_in, 1), numbers(n_in * n_out, 2), numbers(n_out, 3));
            let mut y = vec![0.0; n_rows * n_out];
            affine(&x, &weight, &bias, &mut y);
            for (row, x) in x.chunks(n_in).enumerate() {
                for column in 0..n_out {
                    let sum: f64 =
                        (0..n_in).map(|i| f64::from(x[i]) * f64::from(weight[i * n_out + column])).sum();
                    let due = sum + f64::from(bias[column]);
                    assert!((f64::from(y[row * n_out + column]) - due).abs() < 1e-4 * due.abs().max(1.0));
                }
                let mut one = vec![0.0; n_out / 2 + 1];
                affine_columns(x, &weight, &bias, &mut one);
                assert_eq!(one, y[row * n_out..][..n_out / 2 + 1]);
            }
        }
    }

    #[test]
    fn gates_and_norms_are_what_their_formulas_say() {
        for d in [1, 7, 16, 37] {
            let (gates, start) = (numbers(3 * 2 * d, 1), numbers(3 * d, 4));
            let mut x = start.clone();
            add_glu(&mut x, &gates, d);
            for row in 0..3 {
                for i in 0..d {
                    let (a, b) = (f64::from(gates[2 * d * row + i]), f64::from(gates[2 * d * row + d + i]));
                    let due = f64::from(start[d * row + i]) + a / (1.0 + (-b).exp());
                    assert!((f64::from(x[d * row + i]) - due).abs() < 1e-6 * due.abs().max(1.0));
                }
            }
            let (gain, bias, mut y) = (numbers(d, 2), numbers(d, 3), vec![0.0; 3 * d]);
            layer_norm(&start, &gain, &bias, 1e-5, &mut y);
            for (x, y) in start.chunks(d).zip(y.chunks(d)) {
                let x: Vec<f64> = x.iter().map(|x| f64::from(*x)).collect();
                let mean = x.iter().sum::<f64>() / d as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
                for i in 0..d {
                    let due =
                        f64::from(gain[i]) * (x[i] - mean) / (variance + 1e-5).sqrt() + f64::from(bias[i]);
                    assert!((f64::from(y[i]) - due).abs() < 1e-4 * due.abs().max(1.0), "{} {due}", y[i]);
                }
            }
        }
    }
}
