//! Transforms of many channels at once, in which a product is a convolution without padding.
//!
//! Polynomials are taken modulo `z^M - i`: the product of two real ones of degree below M has its first M coefficients
//! in the real part and the rest in the imaginary part, so `2 M` outputs come from M complex points (the right-angle
//! convolution of Nussbaumer). The ring is split as `z^m - r = prod_q (z^(m/4) - i^q s)` with `s^4 = r`, down to
//! points: no reordering, and one twiddle factor for a whole block. Each lane of a vector is a channel of its own.

use pulp::Simd;

/// A complex number for every lane.
pub(super) type Point<S> = [<S as Simd>::f32s; 2];

/// Points of a block whose levels are all done while it is in the cache.
const BLOCK: usize = 1024;

/// The shortest transform.
pub(super) const FEWEST: usize = 16;

/// The twiddle factors for one number of points, a power of 2.
#[derive(Debug)]
pub(super) struct Ring {
    n_points: usize,
    /// Of each level from the outside in: `s`, `s^2`, `s^3` of every block, real and imaginary parts.
    levels: Vec<Vec<[f32; 6]>>,
    /// Where blocks of two points are left: `s` of each.
    pairs: Vec<[f32; 2]>,
}

impl Ring {
    /// For convolutions of which the first `length` outputs are wanted.
    pub(super) fn new(length: usize) -> Self {
        let n_points = length.next_power_of_two().max(FEWEST);
        // Angles as parts of a full turn: the ring itself is that of i.
        let mut angles = vec![0.25f64];
        let mut levels = Vec::new();
        let mut m = n_points;
        let root = |turns: f64| {
            let (sin, cos) = (std::f64::consts::TAU * turns).sin_cos();
            [cos as f32, sin as f32]
        };
        while m >= 4 {
            let twiddles = |angle: &f64| {
                let [a, b, c] = [1.0, 2.0, 3.0].map(|power| root(power * angle / 4.0));
                [a[0], a[1], b[0], b[1], c[0], c[1]]
            };
            levels.push(angles.iter().map(twiddles).collect());
            angles =
                angles.iter().flat_map(|angle| [0.0, 1.0, 2.0, 3.0].map(|q| (angle + q) / 4.0)).collect();
            m /= 4;
        }
        let pairs = if m == 2 { angles.iter().map(|angle| root(angle / 2.0)).collect() } else { Vec::new() };
        Ring { n_points, levels, pairs }
    }

    /// Points of a transform, `M`.
    pub(super) fn n_points(&self) -> usize {
        self.n_points
    }

    /// The numbers of one transform of `n_lanes` channels.
    pub(super) fn n_numbers(&self, n_lanes: usize) -> usize {
        2 * self.n_points * n_lanes
    }

    /// The transform of real coefficients: `source` gives number `t`, of M.
    #[inline(always)]
    pub(super) fn forward<S: Simd>(
        &self,
        simd: S,
        points: &mut [Point<S>],
        source: impl Fn(usize) -> S::f32s,
    ) {
        self.open(simd, points, source);
        let blocks = self.blocks();
        for at in 0..blocks.n_blocks {
            self.enter(simd, points, blocks, at);
            self.forward_block(simd, blocks.several::<S>(points, at, 1), blocks.level, at);
        }
    }

    /// `points` times `factor`, transformed back; `sink` gets the real part of coefficient `t`, `M` times as large.
    ///
    /// `visit` sees every block of points before it is multiplied, and where it begins.
    #[inline(always)]
    pub(super) fn forward_multiply_back<S: Simd>(
        &self,
        simd: S,
        (points, factor): (&mut [Point<S>], &[Point<S>]),
        source: impl Fn(usize) -> S::f32s,
        mut visit: impl FnMut(usize, &[Point<S>]),
        sink: impl FnMut(usize, S::f32s),
    ) {
        self.open(simd, points, source);
        let blocks = self.blocks();
        for (at, factor) in factor.chunks_exact(blocks.n_points).enumerate() {
            self.enter(simd, points, blocks, at);
            let block = blocks.several::<S>(points, at, 1);
            self.forward_block(simd, block, blocks.level, at);
            visit(at * blocks.n_points, block);
            for (x, y) in block.iter_mut().zip(factor) {
                *x = multiply(simd, *x, *y);
            }
            self.back_block(simd, block, blocks.level, at);
            self.leave(simd, points, blocks, at);
        }
        self.close(simd, points, sink);
    }

    /// The transform back; `sink` gets the real part of coefficient `t`, `M` times as large.
    #[inline(always)]
    pub(super) fn back<S: Simd>(&self, simd: S, points: &mut [Point<S>], sink: impl FnMut(usize, S::f32s)) {
        let blocks = self.blocks();
        for at in 0..blocks.n_blocks {
            self.back_block(simd, blocks.several::<S>(points, at, 1), blocks.level, at);
            self.leave(simd, points, blocks, at);
        }
        self.close(simd, points, sink);
    }

    /// The first level whose blocks stay in the cache.
    fn blocks(&self) -> Blocks {
        let (mut level, mut n_points) = (1, self.n_points / 4);
        while n_points > BLOCK {
            (level, n_points) = (level + 1, n_points / 4);
        }
        Blocks { level, n_points, n_blocks: 1 << (2 * level) }
    }

    /// The first level, of real numbers.
    #[inline(always)]
    fn open<S: Simd>(&self, simd: S, points: &mut [Point<S>], source: impl Fn(usize) -> S::f32s) {
        let quarter = self.n_points / 4;
        let w = splats(simd, &self.levels[0][0]);
        let [a, b, c, d] = quarters::<S>(points);
        for t in 0..quarter {
            let [x0, x1] = [source(t), source(t + quarter)];
            let [x2, x3] = [source(t + 2 * quarter), source(t + 3 * quarter)];
            let real = |x, at: usize| [simd.mul_f32s(x, w[at]), simd.mul_f32s(x, w[at + 1])];
            let zero = simd.splat_f32s(0.0);
            [a[t], b[t], c[t], d[t]] = spread(simd, [[x0, zero], real(x1, 0), real(x2, 2), real(x3, 4)]);
        }
    }

    /// The levels between the first one and the blocks in the cache, for what begins with this block. Depth comes first:
    /// what has been split goes on being split while some cache still holds it.
    #[inline(always)]
    fn enter<S: Simd>(&self, simd: S, points: &mut [Point<S>], blocks: Blocks, at: usize) {
        for level in 1..blocks.level {
            let n = 1 << (2 * (blocks.level - level));
            if at.is_multiple_of(n) {
                split(simd, blocks.several::<S>(points, at, n), &self.levels[level][at / n]);
            }
        }
    }

    /// What [`Ring::enter`] did, back, for what ends with this block.
    #[inline(always)]
    fn leave<S: Simd>(&self, simd: S, points: &mut [Point<S>], blocks: Blocks, at: usize) {
        for level in (1..blocks.level).rev() {
            let n = 1 << (2 * (blocks.level - level));
            if (at + 1).is_multiple_of(n) {
                join(simd, blocks.several::<S>(points, at + 1 - n, n), &self.levels[level][at / n]);
            }
        }
    }

    /// What [`Ring::open`] did, back; only real parts are computed in the end.
    #[inline(always)]
    fn close<S: Simd>(&self, simd: S, points: &mut [Point<S>], mut sink: impl FnMut(usize, S::f32s)) {
        let quarter = self.n_points / 4;
        let w = splats(simd, &self.levels[0][0]);
        let [a, b, c, d] = quarters::<S>(points);
        for t in 0..quarter {
            let [x0, x1, x2, x3] = gather(simd, [a[t], b[t], c[t], d[t]]);
            let real =
                |x: Point<S>, at: usize| simd.mul_add_e_f32s(x[1], w[at + 1], simd.mul_f32s(x[0], w[at]));
            sink(t, x0[0]);
            sink(t + quarter, real(x1, 0));
            sink(t + 2 * quarter, real(x2, 2));
            sink(t + 3 * quarter, real(x3, 4));
        }
    }

    /// All levels from this one on of one block.
    #[inline(always)]
    fn forward_block<S: Simd>(&self, simd: S, block: &mut [Point<S>], first: usize, at: usize) {
        let (mut m, mut n_blocks) = (block.len(), 1);
        for twiddles in &self.levels[first..] {
            let twiddles = &twiddles[at * n_blocks..];
            if m == 4 {
                split_points(simd, block, twiddles);
            } else {
                for (block, twiddles) in block.chunks_exact_mut(m).zip(twiddles) {
                    split(simd, block, twiddles);
                }
            }
            (m, n_blocks) = (m / 4, n_blocks * 4);
        }
        if m == 2 {
            for (pair, w) in block.chunks_exact_mut(2).zip(&self.pairs[at * n_blocks..]) {
                let x = multiply(simd, pair[1], splats(simd, w));
                (pair[0], pair[1]) = (add(simd, pair[0], x), sub(simd, pair[0], x));
            }
        }
    }

    /// What [`Ring::forward_block`] did, back.
    #[inline(always)]
    fn back_block<S: Simd>(&self, simd: S, block: &mut [Point<S>], first: usize, at: usize) {
        let depth = self.levels.len() - first;
        let mut n_blocks = 1 << (2 * depth);
        let mut m = block.len() / n_blocks;
        if m == 2 {
            for (pair, w) in block.chunks_exact_mut(2).zip(&self.pairs[at * n_blocks..]) {
                let x = sub(simd, pair[0], pair[1]);
                pair[0] = add(simd, pair[0], pair[1]);
                pair[1] = multiply_conjugate(simd, x, splats(simd, w));
            }
        }
        for twiddles in self.levels[first..].iter().rev() {
            (m, n_blocks) = (m * 4, n_blocks / 4);
            let twiddles = &twiddles[at * n_blocks..];
            if m == 4 {
                join_points(simd, block, twiddles);
            } else {
                for (block, twiddles) in block.chunks_exact_mut(m).zip(twiddles) {
                    join(simd, block, twiddles);
                }
            }
        }
    }
}

/// The blocks that stay in the cache.
#[derive(Debug, Clone, Copy)]
struct Blocks {
    level: usize,
    n_points: usize,
    n_blocks: usize,
}

impl Blocks {
    /// `n` blocks, from this one on.
    #[inline(always)]
    fn several<S: Simd>(self, points: &mut [Point<S>], at: usize, n: usize) -> &mut [Point<S>] {
        &mut points[at * self.n_points..][..n * self.n_points]
    }
}

#[inline(always)]
fn quarters<S: Simd>(points: &mut [Point<S>]) -> [&mut [Point<S>]; 4] {
    let quarter = points.len() / 4;
    let (a, rest) = points.split_at_mut(quarter);
    let (b, rest) = rest.split_at_mut(quarter);
    let (c, d) = rest.split_at_mut(quarter);
    [a, b, c, &mut d[..quarter]]
}

/// Numbers, each in all lanes; by a loop, since the closure of a map may stay a call.
#[inline(always)]
fn splats<S: Simd, const N: usize>(simd: S, numbers: &[f32; N]) -> [S::f32s; N] {
    let mut all = [simd.splat_f32s(0.0); N];
    for (all, number) in all.iter_mut().zip(numbers) {
        *all = simd.splat_f32s(*number);
    }
    all
}

/// One block into four.
#[inline(always)]
fn split<S: Simd>(simd: S, block: &mut [Point<S>], twiddles: &[f32; 6]) {
    let [w10, w11, w20, w21, w30, w31] = splats(simd, twiddles);
    let [a, b, c, d] = quarters::<S>(block);
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let x1 = multiply(simd, *b, [w10, w11]);
        let x2 = multiply(simd, *c, [w20, w21]);
        let x3 = multiply(simd, *d, [w30, w31]);
        [*a, *b, *c, *d] = spread(simd, [*a, x1, x2, x3]);
    }
}

/// Four blocks into one, four times as large.
#[inline(always)]
fn join<S: Simd>(simd: S, block: &mut [Point<S>], twiddles: &[f32; 6]) {
    let [w10, w11, w20, w21, w30, w31] = splats(simd, twiddles);
    let [a, b, c, d] = quarters::<S>(block);
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let [x0, x1, x2, x3] = gather(simd, [*a, *b, *c, *d]);
        *a = x0;
        *b = multiply_conjugate(simd, x1, [w10, w11]);
        *c = multiply_conjugate(simd, x2, [w20, w21]);
        *d = multiply_conjugate(simd, x3, [w30, w31]);
    }
}

/// [`split`] of blocks of four points.
#[inline(always)]
fn split_points<S: Simd>(simd: S, points: &mut [Point<S>], twiddles: &[[f32; 6]]) {
    for (four, twiddles) in points.as_chunks_mut::<4>().0.iter_mut().zip(twiddles) {
        let [w10, w11, w20, w21, w30, w31] = splats(simd, twiddles);
        let x1 = multiply(simd, four[1], [w10, w11]);
        let x2 = multiply(simd, four[2], [w20, w21]);
        let x3 = multiply(simd, four[3], [w30, w31]);
        *four = spread(simd, [four[0], x1, x2, x3]);
    }
}

/// [`join`] of blocks of four points.
#[inline(always)]
fn join_points<S: Simd>(simd: S, points: &mut [Point<S>], twiddles: &[[f32; 6]]) {
    for (four, twiddles) in points.as_chunks_mut::<4>().0.iter_mut().zip(twiddles) {
        let [w10, w11, w20, w21, w30, w31] = splats(simd, twiddles);
        let [x0, x1, x2, x3] = gather(simd, *four);
        let x1 = multiply_conjugate(simd, x1, [w10, w11]);
        let x2 = multiply_conjugate(simd, x2, [w20, w21]);
        *four = [x0, x1, x2, multiply_conjugate(simd, x3, [w30, w31])];
    }
}

/// `y_q = sum over p of i^(q p) x_p`.
#[inline(always)]
fn spread<S: Simd>(simd: S, [x0, x1, x2, x3]: [Point<S>; 4]) -> [Point<S>; 4] {
    let (even, even_less) = (add(simd, x0, x2), sub(simd, x0, x2));
    let (odd, odd_less) = (add(simd, x1, x3), sub(simd, x1, x3));
    [
        add(simd, even, odd),
        [simd.sub_f32s(even_less[0], odd_less[1]), simd.add_f32s(even_less[1], odd_less[0])],
        sub(simd, even, odd),
        [simd.add_f32s(even_less[0], odd_less[1]), simd.sub_f32s(even_less[1], odd_less[0])],
    ]
}

/// `x_p = sum over q of i^(-q p) y_q`.
#[inline(always)]
fn gather<S: Simd>(simd: S, [y0, y1, y2, y3]: [Point<S>; 4]) -> [Point<S>; 4] {
    let [x0, x1, x2, x3] = spread(simd, [y0, y1, y2, y3]);
    [x0, x3, x2, x1]
}

#[inline(always)]
fn add<S: Simd>(simd: S, x: Point<S>, y: Point<S>) -> Point<S> {
    [simd.add_f32s(x[0], y[0]), simd.add_f32s(x[1], y[1])]
}

#[inline(always)]
fn sub<S: Simd>(simd: S, x: Point<S>, y: Point<S>) -> Point<S> {
    [simd.sub_f32s(x[0], y[0]), simd.sub_f32s(x[1], y[1])]
}

/// `x y`.
#[inline(always)]
pub(super) fn multiply<S: Simd>(simd: S, x: Point<S>, y: Point<S>) -> Point<S> {
    [
        simd.negate_mul_add_e_f32s(x[1], y[1], simd.mul_f32s(x[0], y[0])),
        simd.mul_add_e_f32s(x[1], y[0], simd.mul_f32s(x[0], y[1])),
    ]
}

/// `sum + x y`.
#[inline(always)]
pub(super) fn multiply_add<S: Simd>(simd: S, x: Point<S>, y: Point<S>, sum: Point<S>) -> Point<S> {
    [
        simd.negate_mul_add_e_f32s(x[1], y[1], simd.mul_add_e_f32s(x[0], y[0], sum[0])),
        simd.mul_add_e_f32s(x[1], y[0], simd.mul_add_e_f32s(x[0], y[1], sum[1])),
    ]
}

/// `x` times the conjugate of `y`.
#[inline(always)]
fn multiply_conjugate<S: Simd>(simd: S, x: Point<S>, y: Point<S>) -> Point<S> {
    [
        simd.mul_add_e_f32s(x[1], y[1], simd.mul_f32s(x[0], y[0])),
        simd.negate_mul_add_e_f32s(x[0], y[1], simd.mul_f32s(x[1], y[0])),
    ]
}

/// A buffer of numbers as points.
#[inline(always)]
pub(super) fn points<S: Simd>(numbers: &mut [f32]) -> &mut [Point<S>] {
    S::as_mut_simd_f32s(numbers).0.as_chunks_mut::<2>().0
}

/// The same, to be read.
#[inline(always)]
pub(super) fn points_ref<S: Simd>(numbers: &[f32]) -> &[Point<S>] {
    S::as_simd_f32s(numbers).0.as_chunks::<2>().0
}

#[cfg(test)]
mod tests {
    use super::super::check::draw;
    use super::super::lanes;
    use super::*;
    use pulp::WithSimd;

    /// The low half of the product of two real polynomials, for one channel at a time.
    struct Product<'a>(&'a Ring, [&'a [f64]; 2], &'a mut Vec<f64>);

    impl WithSimd for Product<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Product(ring, [x, y], out) = self;
            let length = x.len();
            let source = |x: &[f64]| {
                let x = x.to_vec();
                move |t: usize| simd.splat_f32s(if t < length { x[t] as f32 } else { 0.0 })
            };
            let [mut a, mut b] = [(); 2].map(|()| vec![0.0; ring.n_numbers(S::F32_LANES)]);
            let (a, b) = (points::<S>(&mut a), points::<S>(&mut b));
            ring.forward(simd, a, source(x));
            let mut seen = 0;
            let scale = 1.0 / ring.n_points() as f64;
            let sink = |t: usize, value: S::f32s| {
                let lanes = pulp::bytemuck::bytes_of(&value);
                let number = f32::from_ne_bytes([lanes[0], lanes[1], lanes[2], lanes[3]]);
                if t < length {
                    out[t] = f64::from(number) * scale;
                }
            };
            ring.forward_multiply_back(
                simd,
                (&mut *b, &*a),
                source(y),
                |at, block| seen += usize::from(at == seen) * block.len(),
                sink,
            );
            assert_eq!(seen, ring.n_points());
        }
    }

    #[test]
    fn products_are_convolutions_at_every_size() {
        for length in [1, 5, 16, 17, 64, 100, 128, 300, 1000, 2048, 5000, 9000, 20_000] {
            let ring = Ring::new(length);
            let (x, y) = (draw(length, 1), draw(length, 2));
            let mut out = vec![0.0; length];
            lanes::dispatch(Product(&ring, [&x, &y], &mut out));
            for t in [0, length / 3, length / 2, length - 1] {
                let due: f64 = (0..=t).map(|s| x[s] * y[t - s]).sum();
                assert!(
                    (out[t] - due).abs() < 3e-5 * (1.0 + (length as f64).sqrt() / 10.0),
                    "{length}, {t}: {} for {due}",
                    out[t]
                );
            }
        }
    }
}
