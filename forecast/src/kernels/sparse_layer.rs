//! A layer of ProbSparse attention, from the steps that its queries are made of to what it puts out:
//! `y = m (attend(x W_q + b_q, K, V) W_o + b_o)`, with the factors `m` of dropout.
//!
//! Few queries attend, so little of both linear layers' work is left. Without a mask, `c` the mean of a head's values
//! and `a` what one of its selected queries finds, a step is `b_o + sum over heads c W_o`, and where heads selected it
//! that `+ sum over them (a - c) W_o`. Selected queries alone have gradients. Of the six products of all steps that the
//! two layers take, forward and backward, one is left.
//!
//! Backward, with `g = m dy`, `s` its sum over steps and `g'` the steps that a head selected: `da = g' W_o^T`,
//! `dc = s W_o^T - sum da`, `dW_o = c^T s + (a - c)^T g'`, `db_o = s`; then attention as in `sparse.rs`; then
//! `dx = dq W_q^T` where a query was selected, and `dW_q = x'^T dq` with the steps `x'` that it was made of.

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::attention::{AttentionShape, Mask, put};
use super::dropout::Draws;
use super::fused::{Context, Keep, Operation, is_fused};
use super::heads::{HeadGradients, columns};
use super::prob_sparse::{ProbSparse, prob_sparse_attention};
use super::product::{Matrix, MatrixMut, Threads, Write, product};
use super::register::fuse;
use super::sparse::{Sparse, gathered, numbered};
use super::{Activation, Dropout, lanes, linear, linear_dropped, pool};

/// Weights `(in, out)` and bias `(out)` of a linear layer.
pub(crate) type Affine = (Tensor<2>, Tensor<1>);

/// ProbSparse attention of the queries `x W + b`.
///
/// # Shapes
/// `x` `(batch * L_Q, in)`; `k` and `v` `(batch, L_K, heads * d)`; the result `(batch, L_Q, heads * d)`.
pub(crate) fn prob_sparse_queries(
    x: Tensor<2>,
    (weight, bias): Affine,
    [k, v]: [Tensor<3>; 2],
    options: &ProbSparse<'_>,
) -> Tensor<3> {
    let Some(operation) = SparseLayer::of(&x, &k, options, None) else {
        let n_batch = k.dims()[0];
        let q = linear(x, weight, Some(bias), Activation::None);
        let [n_rows, width] = q.dims();
        return prob_sparse_attention(q.reshape([n_batch, n_rows / n_batch.max(1), width]), k, v, options);
    };
    let [x, weight] = [x, weight].map(Tensor::into_dispatch);
    let [k, v] = [k, v].map(Tensor::into_dispatch);
    fuse([x, weight, bias.into_dispatch(), k, v], operation)
}

/// What the heads of [`prob_sparse_queries`] find, through a linear layer with dropout.
///
/// # Shapes
/// As there; the result `(batch * L_Q, out)`.
pub(crate) fn prob_sparse_layer(
    x: Tensor<2>,
    query: Affine,
    [k, v]: [Tensor<3>; 2],
    output: Affine,
    dropout: Dropout,
    options: &ProbSparse<'_>,
) -> Tensor<2> {
    let out = Output { n_out: output.1.dims()[0], draws: dropout.draws() };
    let operation = SparseLayer::of(&x, &k, options, Some(out)).filter(|_| options.mask == Mask::None);
    let Some(operation) = operation else {
        let found = prob_sparse_queries(x, query, [k, v], options);
        let [n_batch, n_queries, width] = found.dims();
        let found = found.reshape([n_batch * n_queries, width]);
        return linear_dropped(found, output.0, Some(output.1), Activation::None, dropout);
    };
    let [x, query_weight, output_weight] = [x, query.0, output.0].map(Tensor::into_dispatch);
    let [query_bias, output_bias] = [query.1, output.1].map(Tensor::into_dispatch);
    let [k, v] = [k, v].map(Tensor::into_dispatch);
    fuse([x, query_weight, query_bias, k, v, output_weight, output_bias], operation)
}

/// Inputs: x, weight and bias of the queries, k, v and, of seven, weight and bias of the output.
#[derive(Debug)]
struct SparseLayer {
    attention: Sparse,
    n_in: usize,
    output: Option<Output>,
}

#[derive(Debug, Clone, Copy)]
struct Output {
    n_out: usize,
    draws: Option<Draws>,
}

/// Elements that one thread drops at a time.
const CHUNK: usize = 1 << 15;

impl SparseLayer {
    /// The operation, where there is a kernel for it.
    fn of(x: &Tensor<2>, k: &Tensor<3>, options: &ProbSparse<'_>, output: Option<Output>) -> Option<Self> {
        let ([n_rows, n_in], [n_batch, n_keys, width]) = (x.dims(), k.dims());
        let (n_queries, n_heads) = (n_rows / n_batch.max(1), options.n_heads);
        let shape = AttentionShape { n_batch, n_queries, n_keys, n_heads, d: width / n_heads.max(1) };
        let attention = Sparse::of(shape, options)?;
        let is_empty = n_in == 0 || output.is_some_and(|output| output.n_out == 0);
        (is_fused(x) && !is_empty).then_some(SparseLayer { attention, n_in, output })
    }

    /// Numbers of what a head holds of its selected queries.
    fn of_head(&self) -> usize {
        self.attention.n_top * self.attention.shape.d
    }

    /// Which steps a head of a sequence selected; `top` is `(batch, head, n_top)`.
    fn selected(&self, top: &[f32], batch: usize, head: usize) -> Vec<usize> {
        let n_top = self.attention.n_top;
        numbered(&top[(batch * self.attention.shape.n_heads + head) * n_top..][..n_top])
    }

    /// A head's steps in all sequences, `(batch * n_top, width)`, of rows `(batch * L_Q, width)`.
    fn selected_rows(&self, rows: &[f32], width: usize, top: &[f32], head: usize) -> Vec<f32> {
        let Sparse { shape: AttentionShape { n_batch, n_queries, .. }, n_top, .. } = self.attention;
        let mut selected = pool::take(n_batch * n_top * width);
        for (batch, to) in selected.chunks_mut(n_top * width).enumerate() {
            let rows = Matrix::rows(&rows[batch * n_queries * width..], n_queries, width);
            let queries = self.selected(top, batch, head);
            to.chunks_mut(width).zip(queries).for_each(|(to, query)| to.copy_from_slice(rows.row(query)));
        }
        selected
    }

    /// What a head holds in all sequences, `(batch * n_top, d)`, of values `(batch, head, n_top, d)`.
    fn head_rows(&self, values: &[f32], head: usize) -> Vec<f32> {
        let of_head = self.of_head();
        let mut rows = pool::take(values.len() / self.attention.shape.n_heads);
        let from = values.chunks(of_head).skip(head).step_by(self.attention.shape.n_heads);
        rows.chunks_mut(of_head).zip(from).for_each(|(to, from)| to.copy_from_slice(from));
        rows
    }

    /// Adds to the steps of a sequence that its heads selected what they hold, `(head, n_top, d)`, times `weight`,
    /// `(heads * d, width)`; `rows` `(L_Q, width)`.
    fn add_products(&self, rows: &mut [f32], batch: usize, top: &[f32], held: &[f32], weight: &[f32]) {
        let Sparse { shape: AttentionShape { n_heads, d, .. }, n_top, .. } = self.attention;
        let width = weight.len() / (n_heads * d);
        let mut products = pool::take(n_top * width);
        let heads = held.chunks(n_top * d).zip(weight.chunks(d * width)).enumerate();
        heads.for_each(|(head, (held, weight))| {
            let factors = (Matrix::rows(held, n_top, d), Matrix::rows(weight, d, width));
            let out = MatrixMut::rows(&mut products, n_top, width);
            product(out, factors, 1.0, Write::Over, Threads::One);
            for (query, product) in self.selected(top, batch, head).into_iter().zip(products.chunks(width)) {
                lanes::add(&mut rows[query * width..][..width], product);
            }
        });
        pool::give(products);
    }

    /// Every step as attention has it, `(batch, L_Q, heads * d)`.
    fn write_found(&self, v: &[f32], top: &[f32], found: &[f32], out: &mut [f32]) {
        let AttentionShape { n_queries, n_keys, n_heads, d, .. } = self.attention.shape;
        let shape = self.attention.shape;
        let batches = out.par_chunks_mut(n_queries * shape.width()).zip(v.par_chunks(n_keys * shape.width()));
        batches.enumerate().for_each(|(batch, (out, v))| {
            let heads = shape.heads_mut(out).into_par_iter().enumerate();
            heads.for_each(|(head, mut rows)| {
                self.attention.common(shape.head(v, head), &mut rows);
                let found = found[(batch * n_heads + head) * self.of_head()..].chunks(d);
                let queries = self.selected(top, batch, head);
                queries.into_iter().zip(found).for_each(|(query, found)| rows[query].copy_from_slice(found));
            });
        });
    }

    /// Every step after the output layer. What the heads found becomes what is more than the mean of their values;
    /// returns the means, `(batch, heads * d)`.
    fn write_output(
        &self,
        Output { n_out, draws }: Output,
        [v, weight, bias]: [&[f32]; 3],
        top: &[f32],
        found: &mut [f32],
        out: &mut [f32],
    ) -> Vec<f32> {
        let AttentionShape { n_batch, n_queries, n_keys, n_heads, d } = self.attention.shape;
        let (width, of_sequence) = (n_heads * d, n_heads * self.of_head());
        let mut means = pool::take_zeros(n_batch * width);
        let batches = means.par_chunks_mut(width).zip(v.par_chunks(n_keys * width));
        batches.zip(found.par_chunks_mut(of_sequence)).for_each(|((means, v), found)| {
            lanes::add(means, v);
            means.iter_mut().for_each(|mean| *mean /= n_keys as f32);
            for (found, mean) in found.chunks_mut(self.of_head()).zip(means.chunks(d)) {
                found.chunks_mut(d).for_each(|row| row.iter_mut().zip(mean).for_each(|(x, mean)| *x -= mean));
            }
        });
        let mut common = pool::take(n_batch * n_out);
        let factors = (Matrix::rows(&means, n_batch, width), Matrix::rows(weight, width, n_out));
        product(MatrixMut::rows(&mut common, n_batch, n_out), factors, 1.0, Write::Over, Threads::All);
        let batches = out.par_chunks_mut(n_queries * n_out).zip(common.par_chunks_mut(n_out));
        batches.zip(found.par_chunks(of_sequence)).enumerate().for_each(|(batch, ((out, common), found))| {
            lanes::add(common, bias);
            out.chunks_mut(n_out).for_each(|row| row.copy_from_slice(common));
            self.add_products(out, batch, top, found, weight);
            if let Some(draws) = draws {
                draws.multiply_in_place(batch * n_queries * n_out, out);
            }
        });
        pool::give(common);
        means
    }

    /// Gradients of what selected queries found, `(head, batch, n_top, d)`, of the means of values, `(batch, heads * d)`,
    /// and of weight and bias of the output layer.
    fn output_backward(
        &self,
        Output { n_out, draws }: Output,
        weight: &[f32],
        [top, found, means]: [&[f32]; 3],
        gradient: &mut [f32],
    ) -> [Vec<f32>; 4] {
        let AttentionShape { n_batch, n_queries, n_heads, d, .. } = self.attention.shape;
        let (width, n_selected) = (n_heads * d, n_batch * self.attention.n_top);
        if let Some(draws) = draws {
            let chunks = gradient.par_chunks_mut(CHUNK).enumerate();
            chunks.for_each(|(at, chunk)| draws.multiply_in_place(at * CHUNK, chunk));
        }
        let mut sums = pool::take_zeros(n_batch * n_out);
        let batches = sums.par_chunks_mut(n_out).zip(gradient.par_chunks(n_queries * n_out));
        batches.for_each(|(sum, gradient)| lanes::add(sum, gradient));
        let mut bias_gradient = vec![0.0; n_out];
        lanes::add(&mut bias_gradient, &sums);

        let mut slopes = pool::take(width * n_selected);
        let mut weight_gradient = pool::take(width * n_out);
        let heads = slopes.par_chunks_mut(n_selected * d).zip(weight_gradient.par_chunks_mut(d * n_out));
        heads.zip(weight.par_chunks(d * n_out)).enumerate().for_each(|(head, ((slopes, dw), weight))| {
            let (dy, held) = (self.selected_rows(gradient, n_out, top, head), self.head_rows(found, head));
            let dy_rows = Matrix::rows(&dy, n_selected, n_out);
            let weight = Matrix::rows(weight, d, n_out).transposed();
            let out = MatrixMut::rows(slopes, n_selected, d);
            product(out, (dy_rows, weight), 1.0, Write::Over, Threads::All);
            let held_rows = Matrix::rows(&held, n_selected, d).transposed();
            let out = MatrixMut::rows(dw, d, n_out);
            product(out, (held_rows, dy_rows), 1.0, Write::Over, Threads::All);
            [dy, held].into_iter().for_each(pool::give);
        });

        let mut mean_slopes = pool::take(n_batch * width);
        let sum_rows = Matrix::rows(&sums, n_batch, n_out);
        let out = MatrixMut::rows(&mut mean_slopes, n_batch, width);
        let transposed = Matrix::rows(weight, width, n_out).transposed();
        product(out, (sum_rows, transposed), 1.0, Write::Over, Threads::All);
        for (head, slopes) in slopes.chunks(n_selected * d).enumerate() {
            for (slopes, means) in slopes.chunks(self.of_head()).zip(mean_slopes.chunks_mut(width)) {
                let mean = &mut means[head * d..][..d];
                slopes.chunks(d).for_each(|row| mean.iter_mut().zip(row).for_each(|(x, row)| *x -= row));
            }
        }
        let mean_rows = Matrix::rows(means, n_batch, width).transposed();
        let out = MatrixMut::rows(&mut weight_gradient, width, n_out);
        product(out, (mean_rows, sum_rows), 1.0, Write::Add, Threads::All);
        pool::give(sums);
        [slopes, mean_slopes, weight_gradient, bias_gradient]
    }

    /// Gradients of x, and of weight and bias of the queries, from that of the selected queries,
    /// `(batch, head, n_top, d)`.
    fn query_backward(&self, x: &[f32], weight: &[f32], top: &[f32], dq: &[f32]) -> [Vec<f32>; 3] {
        let AttentionShape { n_batch, n_queries, n_heads, d, .. } = self.attention.shape;
        let (n_in, width, n_selected) = (self.n_in, n_heads * d, n_batch * self.attention.n_top);
        let (mut transposed, mut bias_gradient) = (pool::take(width * n_in), vec![0.0; width]);
        let heads = transposed.par_chunks_mut(d * n_in).zip(bias_gradient.par_chunks_mut(d));
        heads.enumerate().for_each(|(head, (dw, db))| {
            let (x, dq) = (self.selected_rows(x, n_in, top, head), self.head_rows(dq, head));
            let factors = (Matrix::rows(&dq, n_selected, d).transposed(), Matrix::rows(&x, n_selected, n_in));
            product(MatrixMut::rows(dw, d, n_in), factors, 1.0, Write::Over, Threads::All);
            lanes::add(db, &dq);
            [x, dq].into_iter().for_each(pool::give);
        });
        let weight_gradient = columns(Matrix::rows(&transposed, width, n_in)); // (in, heads * d)
        let weight = columns(Matrix::rows(weight, n_in, width)); // (heads * d, in)
        let mut x_gradient = pool::take_zeros(x.len());
        let batches =
            x_gradient.par_chunks_mut(n_queries * n_in).zip(dq.par_chunks(n_heads * self.of_head()));
        batches.enumerate().for_each(|(batch, (dx, dq))| self.add_products(dx, batch, top, dq, &weight));
        [transposed, weight].into_iter().for_each(pool::give);
        [x_gradient, weight_gradient, bias_gradient]
    }
}

impl<const N: usize> Operation<N> for SparseLayer {
    fn shape(&self) -> Vec<usize> {
        let AttentionShape { n_batch, n_queries, .. } = self.attention.shape;
        match self.output {
            Some(output) => vec![n_batch * n_queries, output.n_out],
            None => vec![n_batch, n_queries, self.attention.shape.width()],
        }
    }

    fn forward(&self, inputs: [&[f32]; N], out: &mut [f32], _keep: Keep) -> Vec<Vec<f32>> {
        let (shape, n_top) = (self.attention.shape, self.attention.n_top);
        let AttentionShape { n_batch, n_queries, n_keys, n_heads, d } = shape;
        let (width, of_head, n_in) = (shape.width(), self.of_head(), self.n_in);
        let [x, weight, bias, k, v] = std::array::from_fn(|at| inputs[at]);

        let mut q = pool::take(n_batch * n_queries * width);
        let factors = (Matrix::rows(x, n_batch * n_queries, n_in), Matrix::rows(weight, n_in, width));
        product(MatrixMut::rows(&mut q, n_batch * n_queries, width), factors, 1.0, Write::Over, Threads::All);
        q.par_chunks_mut(n_queries * width).for_each(|q| Activation::None.apply(q, Some(bias)));

        // (batch, head, n_top): the numbers of the queries, as bits, and the logarithms of their sums; with their
        // widths, the queries and what they find.
        let n_heads_of_all = n_batch * n_heads;
        let [mut top, mut log_sums] = [(); 2].map(|()| pool::take(n_heads_of_all * n_top));
        let [mut queries, mut found] = [(); 2].map(|()| pool::take(n_heads_of_all * of_head));
        let numbers = top.par_chunks_mut(n_top).zip(log_sums.par_chunks_mut(n_top));
        let rows = queries.par_chunks_mut(of_head).zip(found.par_chunks_mut(of_head));
        numbers.zip(rows).enumerate().for_each(|(at, ((top, log_sums), (queries, found)))| {
            let (batch, head) = (at / n_heads, at % n_heads);
            let q = shape.head(&q[batch * n_queries * width..][..n_queries * width], head);
            let [k, v] = [k, v].map(|x| shape.head(&x[batch * n_keys * width..][..n_keys * width], head));
            let selected = self.attention.choose(q, k, queries, top);
            self.attention.attend([Matrix::rows(queries, n_top, d), k, v], &selected, found, log_sums);
        });
        pool::give(q);
        let Some(output) = self.output else {
            self.write_found(v, &top, &found, out);
            pool::give(found);
            return vec![top, log_sums, queries];
        };
        let means = self.write_output(output, [v, inputs[5], inputs[6]], &top, &mut found, out);
        vec![top, log_sums, queries, found, means]
    }

    fn reads(&self) -> [bool; N] {
        std::array::from_fn(|at| at != 2 && at != 6)
    }

    fn backward(&self, context: &mut Context<'_, N>) -> [Option<Vec<f32>>; N] {
        let (shape, n_top) = (self.attention.shape, self.attention.n_top);
        let AttentionShape { n_batch, n_queries, n_keys, n_heads, d } = shape;
        let (of_head, of_queries, of_keys) =
            (self.of_head(), n_queries * shape.width(), n_keys * shape.width());
        let [x, weight, _, k, v] = std::array::from_fn(|at| context.inputs[at]);
        let [top, log_sums, queries] = std::array::from_fn(|at| &context.saved[at][..]);
        let output = self.output.map(|output| {
            let saved = [top, &context.saved[3], &context.saved[4]];
            self.output_backward(output, context.inputs[5], saved, &mut context.gradient)
        });
        let dy = &context.gradient;

        let mut dq = pool::take(queries.len());
        let [mut dk, mut dv] = [k, v].map(|x| pool::take(x.len()));
        let to = dk.par_chunks_mut(of_keys).zip(dv.par_chunks_mut(of_keys));
        let batches = to.zip(dq.par_chunks_mut(n_heads * of_head)).enumerate();
        batches.for_each(|(batch, ((dk, dv), dq))| {
            let [dk, dv] = [dk, dv].map(|x| shape.heads_mut(x).into_par_iter());
            let heads = dk.zip(dv).zip(dq.par_chunks_mut(of_head)).enumerate();
            heads.for_each(|(head, ((mut k_rows, mut v_rows), dq))| {
                let at = batch * n_heads + head;
                let [k, v] = [k, v].map(|x| shape.head(&x[batch * of_keys..][..of_keys], head));
                let selected = self.selected(top, batch, head);
                let queries = Matrix::rows(&queries[at * of_head..][..of_head], n_top, d);
                let log_sums = &log_sums[at * n_top..][..n_top];
                let mut buffer = pool::take_zeros(2 * n_keys * d);
                let (dk, dv) = buffer.split_at_mut(n_keys * d);
                let to = HeadGradients { q: dq, k: dk, v: dv };
                match &output {
                    Some([slopes, means, ..]) => {
                        let slopes = &slopes[(head * n_batch + batch) * of_head..][..of_head];
                        let slopes = Matrix::rows(slopes, n_top, d);
                        self.attention.attend_backward([queries, k, v], &selected, slopes, log_sums, to);
                        let mean = &means[batch * shape.width() + head * d..][..d];
                        for row in dv.chunks_mut(d) {
                            row.iter_mut().zip(mean).for_each(|(x, mean)| *x += mean / n_keys as f32);
                        }
                    }
                    None => {
                        let dy = shape.head(&dy[batch * of_queries..][..of_queries], head);
                        let slopes = gathered(dy, &selected);
                        let slopes = Matrix::rows(&slopes, n_top, d);
                        self.attention.attend_backward([queries, k, v], &selected, slopes, log_sums, to);
                        self.attention.common_backward(dy, &selected, dv);
                    }
                }
                put(&mut k_rows, dk);
                put(&mut v_rows, dv);
                pool::give(buffer);
            });
        });

        let [dx, query_weight, query_bias] = self.query_backward(x, weight, top, &dq);
        pool::give(dq);
        let mut gradients = vec![dx, query_weight, query_bias, dk, dv];
        if let Some([slopes, means, weight, bias]) = output {
            [slopes, means].into_iter().for_each(pool::give);
            gradients.extend([weight, bias]);
        }
        let mut gradients = gradients.into_iter();
        std::array::from_fn(|_| gradients.next())
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    #[test]
    fn both_forms_are_what_their_parts_are_at_any_size() {
        for [n_batch, n_queries, n_keys, n_heads, d, n_in, n_out, n_top] in [
            [1, 1, 1, 1, 1, 1, 1, 1],
            [2, 23, 13, 3, 7, 5, 6, 4],
            [3, 29, 29, 2, 16, 33, 9, 5],
            [1, 37, 37, 1, 33, 8, 17, 20],
            [2, 12, 12, 4, 3, 12, 12, 12],
        ] {
            let (width, n_samples) = (n_heads * d, 3);
            let draw = |i: usize| (crate::data::mix(i as u64) % n_keys as u64) as u32;
            let samples: Vec<u32> = (0..n_queries * n_samples).map(draw).collect();
            let of_keys = n_batch * n_keys * width;
            let lengths = [n_batch * n_queries * n_in, n_in * width, width, of_keys, of_keys];
            let inputs = |x: &[Tensor<1>]| {
                let query = (x[1].clone().reshape([n_in, width]), x[2].clone());
                let keys = [&x[3], &x[4]].map(|x| x.clone().reshape([n_batch, n_keys, width]));
                (x[0].clone().reshape([n_batch * n_queries, n_in]), query, keys)
            };
            let masks = if n_queries == n_keys { &[Mask::None, Mask::Causal][..] } else { &[Mask::None] };
            for mask in masks {
                let options = ProbSparse { n_heads, samples: &samples, n_samples, n_top, mask: *mask };
                check(&lengths, |x| {
                    let (x, query, keys) = inputs(x);
                    prob_sparse_queries(x, query, keys, &options).reshape([n_batch * n_queries * width])
                });
                for rate in [0.0, 0.3] {
                    let lengths = [&lengths[..], &[width * n_out, n_out]].concat();
                    check(&lengths, |x| {
                        let output = (x[5].clone().reshape([width, n_out]), x[6].clone());
                        let (x, query, keys) = inputs(x);
                        let dropped = Dropout { rate, seed: 5 };
                        prob_sparse_layer(x, query, keys, output, dropped, &options)
                            .reshape([n_batch * n_queries * n_out])
                    });
                }
            }
        }
    }
}
