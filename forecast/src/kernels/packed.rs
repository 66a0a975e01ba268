//! Products with weights that no longer change: laid out once as the products read them.
//!
//! A product of few rows reads weights only a few times, so that laying them out would take as long as multiplying.
//! Here they lie in panels as wide as two registers, each row after row, one after the other: they stream through the
//! caches, and what the next rows of a panel need is fetched while these are multiplied. Sums of 12 rows and the
//! columns of a panel stay in registers (Goto and van de Geijn 2008, ACM TOMS 34(3), section 4, with registers along
//! the rows). Each number is summed in the order of the rows of the weights, [`BLOCK`] of them at a time, whatever the
//! number of threads and of other rows.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fused::{Context, Keep, Operation, is_fused};
use super::linear::sum_rows;
use super::product::{Matrix, MatrixMut, Target, Threads, Write, product};
use super::register::fuse;
use super::workers::Leader;
use super::{Activation, lanes, pool};

/// Rows of weights that are summed in one go: with a panel's columns they fill a part of the second cache.
const BLOCK: usize = 512;
/// Rows of the left-hand side that pass by a panel before the next one is fetched.
const ROWS: usize = 192;
/// Multiplications worth a part of their own.
const PART: usize = 1 << 19;
/// Numbers of a line of the cache.
const LINE: usize = 16;

/// Weights `(in, out)` that are read alone.
#[derive(Debug, Clone)]
pub(crate) struct Packed(Arc<Panels>);

#[derive(Debug)]
struct Panels {
    /// `(panel, row, column of the panel)`, from `start` on; 0 beyond the last column.
    values: Vec<f32>,
    /// Where a line of the cache begins.
    start: usize,
    n_rows: usize,
    n_columns: usize,
    /// Columns of a panel.
    width: usize,
}

impl Packed {
    /// The weights of a layer, shape `(in, out)`.
    pub(crate) fn of(weight: Tensor<2>) -> Self {
        let [n_rows, n_columns] = weight.dims();
        let weight = weight.into_data().convert::<f32>();
        Self::of_rows(weight.as_slice().unwrap_or(&[]), n_rows, n_columns)
    }

    fn of_rows(rows: &[f32], n_rows: usize, n_columns: usize) -> Self {
        let width = 2 * lanes::width();
        let n_panels = n_columns.div_ceil(width);
        let mut values = vec![0.0_f32; n_panels * n_rows * width + LINE];
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let panels = values[start..].par_chunks_mut((n_rows * width).max(1)).take(n_panels);
        panels.enumerate().for_each(|(at, panel)| {
            let columns = at * width..n_columns.min((at + 1) * width);
            for (to, from) in panel.chunks_mut(width).zip(rows.chunks(n_columns)) {
                to[..columns.len()].copy_from_slice(&from[columns.clone()]);
            }
        });
        Packed(Arc::new(Panels { values, start, n_rows, n_columns, width }))
    }

    /// The weights row by row.
    fn rows(&self) -> Vec<f32> {
        let Panels { values, start, n_rows, n_columns, width } = &*self.0;
        let mut rows = vec![0.0; n_rows * n_columns];
        for (at, panel) in values[*start..].chunks_exact((n_rows * width).max(1)).enumerate() {
            for (to, from) in rows.chunks_mut((*n_columns).max(1)).zip(panel.chunks(*width)) {
                let to = to.get_mut(at * width..).unwrap_or_default();
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        rows
    }

    /// The same as a tensor `(in, out)`.
    fn tensor(&self, like: &Tensor<2>) -> Tensor<2> {
        let data = TensorData::new(self.rows(), [self.0.n_rows, self.0.n_columns]);
        Tensor::from_data(data, (&like.device(), like.dtype()))
    }
}

/// `f(x weight + bias)`, as by [`linear`](super::linear).
///
/// # Shapes
/// `x` `(row, in)`, `bias` `(out)`; the result `(row, out)`.
pub(crate) fn linear_packed(
    x: Tensor<2>,
    weight: &Packed,
    bias: Tensor<1>,
    activation: Activation,
) -> Tensor<2> {
    let n_rows = x.dims()[0];
    if !is_fused(&x) || n_rows * weight.0.n_rows * weight.0.n_columns == 0 {
        let weight = weight.tensor(&x);
        return super::linear(x, weight, Some(bias), activation);
    }
    fuse([x.into_dispatch(), bias.into_dispatch()], Linear { n_rows, weight: weight.clone(), activation })
}

#[derive(Debug)]
struct Linear {
    n_rows: usize,
    weight: Packed,
    activation: Activation,
}

impl Operation<2> for Linear {
    fn shape(&self) -> Vec<usize> {
        vec![self.n_rows, self.weight.0.n_columns]
    }

    fn forward(&self, [x, bias]: [&[f32]; 2], out: &mut [f32], keep: Keep) -> Vec<Vec<f32>> {
        let activation = self.activation;
        if keep == Keep::ForBackward && activation != Activation::None {
            multiply(out, x, &self.weight, |_, _| {});
            let mut slopes = pool::take(out.len());
            activation.apply_with_slopes(out, Some(bias), &mut slopes);
            return vec![slopes];
        }
        multiply(out, x, &self.weight, |first, z| {
            activation.apply(z, Some(&bias[first..first + z.len()]));
        });
        Vec::new()
    }

    fn reads(&self) -> [bool; 2] {
        [false; 2]
    }

    fn backward(&self, context: &mut Context<'_, 2>) -> [Option<Vec<f32>>; 2] {
        let Panels { n_rows: n_in, n_columns: n_out, .. } = *self.weight.0;
        if let Some(slopes) = context.saved.first() {
            context.gradient.iter_mut().zip(slopes).for_each(|(dy, slope)| *dy *= slope);
        }
        let g = Matrix::rows(&context.gradient, self.n_rows, n_out);
        let x_gradient = context.wanted[0].then(|| {
            let rows = self.weight.rows();
            let weight = Matrix::rows(&rows, n_in, n_out).transposed();
            let mut gradient = pool::take(self.n_rows * n_in);
            let out = MatrixMut::rows(&mut gradient, self.n_rows, n_in);
            product(out, (g, weight), 1.0, Write::Over, Threads::All);
            gradient
        });
        let bias_gradient = context.wanted[1].then(|| {
            let mut gradient = pool::take_zeros(n_out);
            sum_rows(&mut gradient, &context.gradient);
            gradient
        });
        [x_gradient, bias_gradient]
    }
}

/// `out = x weight`, and then something with the columns of each row, some at a time, from the first of them on.
fn multiply(out: &mut [f32], x: &[f32], weight: &Packed, finish: impl Fn(usize, &mut [f32]) + Sync) {
    let Panels { n_rows: n_in, n_columns: n_out, width, .. } = *weight.0;
    let n_rows = out.len() / n_out;
    assert!(out.len() == n_rows * n_out && x.len() == n_rows * n_in, "shapes of a product");
    let n_panels = n_out.div_ceil(width);
    let n_together = PART.div_ceil(ROWS.min(n_rows) * n_in * width).min(n_panels);
    let n_groups = n_panels.div_ceil(n_together);
    let n_parts = n_rows.div_ceil(ROWS) * n_groups;
    let to = Target(out.as_mut_ptr());
    let do_part = |at: usize| {
        let (block, group) = (at / n_groups, at % n_groups);
        let rows = block * ROWS..n_rows.min((block + 1) * ROWS);
        let panels = group * n_together..n_panels.min((group + 1) * n_together);
        let x = &x[rows.start * n_in..rows.end * n_in];
        let (first, end) = (panels.start * width, n_out.min(panels.end * width));
        let out = to.column(rows.start * n_out + first);
        // These rows and columns lie in `out`, no other part has one of them, and there are as many rows in `x`.
        lanes::dispatch(Part { out, x, weight: &weight.0, panels });
        for row in 0..rows.len() {
            // SAFETY: the same rows and columns, which nothing else refers to any more.
            finish(first, unsafe { std::slice::from_raw_parts_mut(out.add(row * n_out), end - first) });
        }
    };
    if n_parts == 1 {
        return do_part(0);
    }
    let leader = Leader::here();
    (0..n_parts).into_par_iter().for_each(|at| {
        leader.keep_off();
        do_part(at);
    });
}

/// Some rows of a product, and the columns of some panels.
struct Part<'a> {
    /// The first row's first column.
    out: *mut f32,
    x: &'a [f32],
    weight: &'a Panels,
    panels: Range<usize>,
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { out, x, weight, panels } = self;
        let Panels { ref values, start, n_rows: n_in, n_columns: n_out, width } = *weight;
        let n_rows = x.len() / n_in;
        let n_tile = rows_of_a_tile::<S>();
        let mut edge = [0.0_f32; MOST_ROWS * 2 * MOST_LANES];
        for (at, panel) in panels.clone().enumerate() {
            let n_columns = width.min(n_out - panel * width);
            for first in (0..n_in).step_by(BLOCK) {
                let depth = BLOCK.min(n_in - first);
                let weights = &values[start + (panel * n_in + first) * width..][..depth * width];
                // The block after this one, a share of it for each tile, as often as the inner loop pauses.
                let n_fetches = depth / PAUSE * n_rows.div_ceil(n_tile);
                let n_lines = (depth * width / LINE).div_ceil(n_fetches.max(1));
                let mut next = weights.as_ptr().wrapping_add(weights.len());
                for row in (0..n_rows).step_by(n_tile) {
                    let n = n_tile.min(n_rows - row);
                    let x = &x[row * n_in + first..];
                    // SAFETY: by the caller's word these rows and columns lie in `out`.
                    let to = unsafe { out.add(row * n_out + at * width) };
                    let write = if first == 0 { Write::Over } else { Write::Add };
                    let tile = Tile { x, n_in, weights, depth, next, n_lines };
                    if n_columns == width {
                        // SAFETY: as above; n rows of x have `depth` numbers each.
                        unsafe { tile.run(simd, n, to, n_out, write) };
                    } else {
                        // SAFETY: `edge` has room for the rows of any tile.
                        unsafe { tile.run(simd, n, edge.as_mut_ptr(), width, Write::Over) };
                        for (i, from) in edge.chunks(width).take(n).enumerate() {
                            // SAFETY: as above, for the columns that there are.
                            let to = unsafe { std::slice::from_raw_parts_mut(to.add(i * n_out), n_columns) };
                            match write {
                                Write::Over => to.copy_from_slice(&from[..n_columns]),
                                Write::Add => lanes::add_inlined(to, &from[..n_columns]),
                            }
                        }
                    }
                    next = next.wrapping_add(depth / PAUSE * n_lines * LINE);
                }
            }
        }
    }
}

/// Registers hold 16 numbers at most.
const MOST_LANES: usize = 16;
/// Rows of a tile at most.
const MOST_ROWS: usize = 12;
/// Rows of weights after which lines are fetched that will be needed: a few at a time, for a core waits for few at once.
const PAUSE: usize = 4;

/// Rows whose sums, of two registers each, stay in registers beside two of weights and one of x.
#[inline(always)]
fn rows_of_a_tile<S: Simd>() -> usize {
    // Of 32-byte registers there are 16, of others 32.
    if S::F32_LANES == 8 { 6 } else { MOST_ROWS }
}

/// Some rows of a product, two registers of columns.
struct Tile<'a> {
    /// Rows `n_in` apart.
    x: &'a [f32],
    n_in: usize,
    weights: &'a [f32],
    depth: usize,
    next: *const f32,
    n_lines: usize,
}

impl Tile<'_> {
    /// # Safety
    /// `x` has `n` rows of `depth` numbers, `out` as many of two registers.
    #[inline(always)]
    unsafe fn run<S: Simd>(self, simd: S, n: usize, out: *mut f32, n_out: usize, write: Write) {
        macro_rules! of_rows {
            ($($n:literal)*) => {
                match n {
                    // SAFETY: by the caller's word.
                    $($n => unsafe { self.rows::<S, $n>(simd, out, n_out, write) },)*
                    _ => {}
                }
            };
        }
        of_rows!(1 2 3 4 5 6 7 8 9 10 11 12);
    }

    #[inline(always)]
    unsafe fn rows<S: Simd, const N: usize>(self, simd: S, out: *mut f32, n_out: usize, write: Write) {
        let Tile { x, n_in, weights, depth, next, n_lines } = self;
        debug_assert!(x.len() >= (N - 1) * n_in + depth && weights.len() == 2 * S::F32_LANES * depth);
        let mut sums = [[simd.splat_f32s(0.0); 2]; N];
        // A register for every third row; the others are one and two strides further.
        let mut x = std::array::from_fn::<_, 4, _>(|third| x.as_ptr().wrapping_add(3 * third * n_in));
        let (mut weights, mut next) = (weights.as_ptr(), next);
        macro_rules! step {
            ($k:literal) => {
                let of = |half: usize| weights.wrapping_add((2 * $k + half) * S::F32_LANES).cast::<S::f32s>();
                // SAFETY: weights, and rows of x, are as long as the loops, by the caller's word.
                let weight = unsafe { [of(0).read_unaligned(), of(1).read_unaligned()] };
                for (row, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: as above.
                    let x = simd.splat_f32s(unsafe { *x[row / 3].add(row % 3 * n_in + $k) });
                    sums[0] = simd.mul_add_e_f32s(x, weight[0], sums[0]);
                    sums[1] = simd.mul_add_e_f32s(x, weight[1], sums[1]);
                }
            };
        }
        macro_rules! advance {
            ($n:literal) => {
                weights = weights.wrapping_add($n * 2 * S::F32_LANES);
                x = x.map(|x| x.wrapping_add($n));
            };
        }
        for _ in 0..depth / PAUSE {
            for line in 0..n_lines {
                fetch(next.wrapping_add(line * LINE));
            }
            next = next.wrapping_add(n_lines * LINE);
            step!(0);
            step!(1);
            step!(2);
            step!(3);
            advance!(4);
        }
        for _ in 0..depth % PAUSE {
            step!(0);
            advance!(1);
        }
        for (row, sums) in sums.iter().enumerate() {
            for (half, sum) in sums.iter().enumerate() {
                // SAFETY: `out` has these rows and columns.
                unsafe {
                    let to = out.add(row * n_out + half * S::F32_LANES).cast::<S::f32s>();
                    let sum = match write {
                        Write::Over => *sum,
                        Write::Add => simd.add_f32s(to.read_unaligned(), *sum),
                    };
                    to.write_unaligned(sum);
                }
            }
        }
    }
}

/// Has a line brought into the second cache; any address will do.
///
/// Written out, since the compiler moves other loads around its own form, and then has too few registers.
#[inline(always)]
fn fetch(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: nothing is read or written.
    unsafe {
        std::arch::asm!("prefetcht1 [{}]", in(reg) address, options(nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: nothing is read or written.
    unsafe {
        std::arch::asm!("prfm pldl2keep, [{}]", in(reg) address, options(nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::super::check::{check, draw};
    use super::*;

    #[test]
    fn products_are_those_of_the_definition_and_of_each_row_alone() {
        for [n_rows, n_in, n_out] in
            [[1, 1, 1], [5, 3, 7], [13, 33, 32], [25, 70, 130], [12, 1_100, 48], [200, 65, 33]]
        {
            let numbers = |n: usize, seed| draw(n, seed).into_iter().map(|x| x as f32).collect::<Vec<_>>();
            let (x, weight) = (numbers(n_rows * n_in, 1), numbers(n_in * n_out, 2));
            let packed = Packed::of_rows(&weight, n_in, n_out);
            assert_eq!(packed.rows(), weight);
            let mut out = vec![f32::NAN; n_rows * n_out];
            multiply(&mut out, &x, &packed, |_, _| {});
            for (i, row) in out.chunks(n_out).enumerate() {
                let mut alone = vec![f32::NAN; n_out];
                multiply(&mut alone, &x[i * n_in..(i + 1) * n_in], &packed, |_, _| {});
                assert_eq!(row, alone, "row {i} of {n_rows} {n_in} {n_out}");
                for (j, value) in row.iter().enumerate() {
                    let product = |k: usize| f64::from(x[i * n_in + k]) * f64::from(weight[k * n_out + j]);
                    let due: f64 = (0..n_in).map(product).sum();
                    assert!((f64::from(*value) - due).abs() < 1e-4, "{i} {j}: {value} for {due}");
                }
            }
        }
    }

    #[test]
    fn layers_are_what_their_compositions_are_with_the_gradients_of_what_may_learn() {
        for activation in [Activation::None, Activation::Relu, Activation::Gelu, Activation::Elu] {
            for [n_rows, n_in, n_out] in [[1, 1, 1], [5, 3, 7], [300, 67, 71]] {
                let weight: Vec<f32> = draw(n_in * n_out, 3).into_iter().map(|x| x as f32).collect();
                let weight = Packed::of_rows(&weight, n_in, n_out);
                check(&[n_rows * n_in, n_out], |x| {
                    let rows = x[0].clone().reshape([n_rows, n_in]);
                    linear_packed(rows, &weight, x[1].clone(), activation).reshape([n_rows * n_out])
                });
            }
        }
    }
}
