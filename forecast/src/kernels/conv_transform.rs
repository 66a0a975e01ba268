//! Convolutions with long kernels, by transforms.
//!
//! The spectra of the kernels are made once and used for every item of a batch. Threads take groups of channels, and
//! where these are few also parts of the items, and write their results side by side; these are then put in their places,
//! row by row. Parts follow from the shape alone, so that the number of threads changes no bit.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::fft_conv::{Convolution, Gradients};
use super::ring_transform::{Point, Ring, multiply_add, points, points_ref};
use super::{lanes, pool};

/// Numbers of the results of one go, about.
const GO: usize = 1 << 18;

/// Numbers of the spectra of kernels held at once, at most where one group of channels has fewer.
const HELD: usize = 1 << 26;

/// Blocks are about this many times as long as the kernel.
const LONG: usize = 4;

/// Fewer groups than this are cut into parts of the items as well, into so many at most.
const FEW_GROUPS: usize = 8;
const PARTS: usize = 4;

/// Rows that one thread puts in place at a time.
const ROWS: usize = 256;

/// Twiddle factors that are kept: at most for these many lengths.
const MOST_RINGS: usize = 16;

pub(super) fn forward(conv: Convolution, u: &[f32], kernel: &[f32], skip: Option<&[f32]>, out: &mut [f32]) {
    // A kernel that is short beside the sequence convolves it in blocks, which overlap by what the kernel sees.
    let is_long = LONG * conv.reach() > conv.length;
    let plan = Plan::new(conv, if is_long { conv.length } else { LONG * conv.reach() });
    let item = conv.length * conv.d;
    for stripe in plan.stripes() {
        let spectra = plan.spectra(&stripe, kernel);
        for (u, out) in u.chunks(plan.n_items * item).zip(out.chunks_mut(plan.n_items * item)) {
            let mut found = pool::take(stripe.len() * plan.group_results(u.len() / item));
            let tasks = plan.tasks(&mut found, u.len() / item).zip(spectra.par_chunks(plan.n_numbers));
            tasks.zip(stripe.clone()).for_each(|((found, spectrum), group)| {
                let parts = found.par_chunks_mut(plan.part_results()).zip(u.par_chunks(plan.part_inputs()));
                parts.for_each(|(found, u)| {
                    let channels = plan.channels(group);
                    lanes::dispatch(Convolve { plan: &plan, u, spectrum, found, channels });
                });
            });
            plan.put(&stripe, &found, skip.map(|skip| (skip, Some(u))), out);
            pool::give(found);
        }
        pool::give(spectra);
    }
}

/// The gradient of `u` is written over that of the output, go by go.
pub(super) fn backward(
    conv: Convolution,
    u: &[f32],
    kernel: &[f32],
    skip: Option<&[f32]>,
    mut gradient: Vec<f32>,
    [for_u, for_kernel]: [bool; 2],
) -> Gradients {
    let plan = Plan::new(conv, conv.length);
    let item = conv.length * conv.d;
    let mut of_kernel = for_kernel.then(|| pool::take(conv.d * conv.n_taps));
    for stripe in plan.stripes() {
        let spectra = plan.spectra(&stripe, kernel);
        // One after the other of each group, for each of its parts.
        let of_group = plan.n_parts * plan.n_numbers;
        let mut sums = pool::take_zeros(if for_kernel { stripe.len() * of_group } else { 0 });
        for first in (0..conv.n_batch).step_by(plan.n_items) {
            let n_items = plan.n_items.min(conv.n_batch - first);
            let items = first * item..(first + n_items) * item;
            let (u, gradient) = (&u[items.clone()], &mut gradient[items]);
            let mut found = pool::take(stripe.len() * plan.group_results(n_items));
            let tasks = plan.tasks(&mut found, n_items).zip(spectra.par_chunks(plan.n_numbers));
            let back = |((found, spectrum), group): ((&mut [f32], &[f32]), usize), sums: &mut [f32]| {
                let gradients = gradient.par_chunks(plan.part_inputs());
                let inputs = u.par_chunks(plan.part_inputs()).zip(gradients);
                let parts = found.par_chunks_mut(plan.part_results()).zip(inputs);
                let part = |(found, (u, gradient)): (&mut [f32], (&[f32], &[f32])), sums: &mut [f32]| {
                    let channels = plan.channels(group);
                    lanes::dispatch(Back { plan: &plan, u, gradient, spectrum, found, sums, channels });
                };
                if sums.is_empty() {
                    parts.for_each(|one| part(one, &mut []));
                } else {
                    parts.zip(sums.par_chunks_mut(plan.n_numbers)).for_each(|(one, sums)| part(one, sums));
                }
            };
            if for_kernel {
                let tasks = tasks.zip(stripe.clone()).zip(sums.par_chunks_mut(of_group));
                tasks.for_each(|(task, sums)| back(task, sums));
            } else {
                tasks.zip(stripe.clone()).for_each(|task| back(task, &mut []));
            }
            if for_u {
                plan.put(&stripe, &found, skip.map(|skip| (skip, None)), gradient);
            }
            pool::give(found);
        }
        pool::give(spectra);
        if let Some(of_kernel) = &mut of_kernel {
            let rows = plan.n_lanes * conv.n_taps;
            let first = stripe.start * rows;
            let last = (stripe.end * rows).min(of_kernel.len());
            let groups = of_kernel[first..last].par_chunks_mut(rows);
            groups.zip(sums.par_chunks_mut(of_group)).for_each(|(out, sums)| {
                let (sums, others) = sums.split_at_mut(plan.n_numbers);
                for other in others.chunks(plan.n_numbers) {
                    sums.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
                }
                lanes::dispatch(KernelGradient { plan: &plan, sums, out });
            });
        }
        pool::give(sums);
    }
    let of_u = for_u.then(|| std::mem::take(&mut gradient));
    pool::give(gradient);
    Gradients { u: of_u, kernel: of_kernel }
}

/// How a convolution is cut.
struct Plan {
    conv: Convolution,
    ring: Arc<Ring>,
    /// Channels of a group.
    n_lanes: usize,
    n_groups: usize,
    /// Numbers of a spectrum of one group.
    n_numbers: usize,
    /// Items of a batch that are done in one go.
    n_items: usize,
    /// Parts that these are cut into, and the items of each but the last.
    n_parts: usize,
    part_items: usize,
}

impl Plan {
    fn new(conv: Convolution, n_points: usize) -> Self {
        let (ring, n_lanes) = (ring(n_points), lanes::width());
        let n_items = (GO / (conv.length * conv.d)).clamp(1, conv.n_batch);
        let n_groups = conv.d.div_ceil(n_lanes);
        let most_parts = if n_groups < FEW_GROUPS { PARTS.min(n_items) } else { 1 };
        let part_items = n_items.div_ceil(most_parts);
        let n_parts = n_items.div_ceil(part_items);
        let n_numbers = ring.n_numbers(n_lanes);
        Plan { conv, n_lanes, n_groups, n_numbers, n_items, n_parts, part_items, ring }
    }

    /// Numbers of a part: of what goes in, all channels, and of the results of one group.
    fn part_inputs(&self) -> usize {
        self.part_items * self.conv.length * self.conv.d
    }

    fn part_results(&self) -> usize {
        self.group_results(self.part_items)
    }

    /// Groups whose spectra are held at once.
    fn stripes(&self) -> impl Iterator<Item = Range<usize>> {
        let n_at_once = (HELD / self.n_numbers).max(2);
        let n_groups = self.n_groups;
        (0..n_groups).step_by(n_at_once).map(move |first| first..(first + n_at_once).min(n_groups))
    }

    fn channels(&self, group: usize) -> Range<usize> {
        group * self.n_lanes..((group + 1) * self.n_lanes).min(self.conv.d)
    }

    /// Results of one group.
    fn group_results(&self, n_items: usize) -> usize {
        n_items * self.conv.length * self.n_lanes
    }

    fn tasks<'a>(&self, found: &'a mut [f32], n_items: usize) -> rayon::slice::ChunksMut<'a, f32> {
        found.par_chunks_mut(self.group_results(n_items))
    }

    /// The transformed kernels of these groups, divided by the number of points.
    fn spectra(&self, groups: &Range<usize>, kernel: &[f32]) -> Vec<f32> {
        let mut spectra = pool::take(groups.len() * self.n_numbers);
        spectra.par_chunks_mut(self.n_numbers).zip(groups.clone()).for_each(|(spectrum, group)| {
            let channels = self.channels(group);
            let kernel = &kernel[channels.start * self.conv.n_taps..channels.end * self.conv.n_taps];
            lanes::dispatch(Spectrum { plan: self, kernel, spectrum });
        });
        spectra
    }

    /// Puts the results of these groups in their places, plus factors times what is skipped: what stands there if nothing
    /// else is given.
    fn put(
        &self,
        groups: &Range<usize>,
        found: &[f32],
        skip: Option<(&[f32], Option<&[f32]>)>,
        out: &mut [f32],
    ) {
        let (d, n_lanes) = (self.conv.d, self.n_lanes);
        let channels = self.channels(groups.start).start..self.channels(groups.end - 1).end;
        let of_group = out.len() / d * n_lanes;
        out.par_chunks_mut(ROWS * d).enumerate().for_each(|(at, out)| {
            lanes::inlined(
                #[inline(always)]
                || {
                    for (row, out) in out.chunks_mut(d).enumerate() {
                        let row = at * ROWS + row;
                        let out = &mut out[channels.clone()];
                        if let Some((_, Some(from))) = skip {
                            out.copy_from_slice(&from[row * d..][channels.clone()]);
                        }
                        let factors = skip.map(|(factors, _)| &factors[channels.clone()]);
                        for (group, out) in out.chunks_mut(n_lanes).enumerate() {
                            let found = &found[group * of_group + row * n_lanes..][..out.len()];
                            let Some(factors) = factors else {
                                out.copy_from_slice(found);
                                continue;
                            };
                            let both = found.iter().zip(&factors[group * n_lanes..]);
                            out.iter_mut().zip(both).for_each(|(out, (x, factor))| *out = x + factor * *out);
                        }
                    }
                },
            );
        });
    }
}

/// The twiddle factors, made once.
pub(super) fn ring(length: usize) -> Arc<Ring> {
    static RINGS: Mutex<BTreeMap<usize, Arc<Ring>>> = Mutex::new(BTreeMap::new());
    let n_points = length.next_power_of_two();
    let mut rings = RINGS.lock().unwrap_or_else(PoisonError::into_inner);
    if rings.len() >= MOST_RINGS && !rings.contains_key(&n_points) {
        rings.clear();
    }
    rings.entry(n_points).or_insert_with(|| Arc::new(Ring::new(n_points))).clone()
}

/// The channels of one row, 0 in lanes beyond.
#[inline(always)]
pub(super) fn load<S: Simd>(simd: S, row: &[f32]) -> S::f32s {
    match S::as_simd_f32s(row) {
        ([whole], []) => *whole,
        _ => simd.partial_load_f32s(row),
    }
}

#[inline(always)]
pub(super) fn store<S: Simd>(row: &mut [f32], value: S::f32s) {
    if let [whole] = S::as_mut_simd_f32s(row).0 {
        *whole = value;
    }
}

struct Spectrum<'a> {
    plan: &'a Plan,
    /// Of the channels of the group, `(channel, tap)`.
    kernel: &'a [f32],
    spectrum: &'a mut [f32],
}

impl WithSimd for Spectrum<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Spectrum { plan, kernel, spectrum } = self;
        let (n_taps, reach) = (plan.conv.n_taps, plan.conv.reach());
        let scale = 1.0 / plan.ring.n_points() as f32;
        plan.ring.forward(
            simd,
            points::<S>(spectrum),
            #[inline(always)]
            |t: usize| {
                let mut lanes = [0.0; 16];
                if t < reach {
                    for (lane, row) in lanes.iter_mut().zip(kernel.chunks(n_taps)) {
                        *lane = row[t] * scale;
                    }
                }
                simd.partial_load_f32s(&lanes[..plan.n_lanes])
            },
        );
    }
}

struct Convolve<'a> {
    plan: &'a Plan,
    u: &'a [f32],
    spectrum: &'a [f32],
    /// `(item, step, lane)`.
    found: &'a mut [f32],
    channels: Range<usize>,
}

impl WithSimd for Convolve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Convolve { plan, u, spectrum, found, channels } = self;
        let (conv, n_lanes) = (plan.conv, plan.n_lanes);
        let (length, d) = (conv.length, conv.d);
        let n_points = plan.ring.n_points();
        let overlap = if n_points >= length { 0 } else { conv.reach() - 1 };
        let mut buffer = pool::take(plan.n_numbers);
        for (u, found) in u.chunks(length * d).zip(found.chunks_mut(length * n_lanes)) {
            for first in (0..length).step_by(n_points - overlap) {
                let (work, factor) = (points::<S>(&mut buffer), points_ref::<S>(spectrum));
                plan.ring.forward_multiply_back(
                    simd,
                    (work, factor),
                    #[inline(always)]
                    |t: usize| {
                        let at = (first + t).wrapping_sub(overlap);
                        if at < length {
                            load(simd, &u[conv.place(at) * d..][channels.clone()])
                        } else {
                            simd.splat_f32s(0.0)
                        }
                    },
                    #[inline(always)]
                    |_: usize, _: &[Point<S>]| (),
                    #[inline(always)]
                    |t: usize, value: S::f32s| {
                        // What the kernel sees before the block is summed in part only.
                        let at = (first + t).wrapping_sub(overlap);
                        if t >= overlap && at < length {
                            store::<S>(&mut found[conv.place(at) * n_lanes..][..n_lanes], value);
                        }
                    },
                );
            }
        }
        pool::give(buffer);
    }
}

struct Back<'a> {
    plan: &'a Plan,
    u: &'a [f32],
    gradient: &'a [f32],
    spectrum: &'a [f32],
    /// `(item, step, lane)`, the gradient of `u`.
    found: &'a mut [f32],
    /// The spectrum of the gradient of the kernel; empty if it is not wanted.
    sums: &'a mut [f32],
    channels: Range<usize>,
}

impl WithSimd for Back<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Back { plan, u, gradient, spectrum, found, sums, channels } = self;
        let (conv, n_lanes) = (plan.conv, plan.n_lanes);
        let (length, d) = (conv.length, conv.d);
        let for_kernel = !sums.is_empty();
        let mut of_u = pool::take(if for_kernel { plan.n_numbers } else { 0 });
        let mut buffer = pool::take(plan.n_numbers);
        let items = u.chunks(length * d).zip(gradient.chunks(length * d));
        for ((u, gradient), found) in items.zip(found.chunks_mut(length * n_lanes)) {
            let zero = simd.splat_f32s(0.0);
            if for_kernel {
                plan.ring.forward(
                    simd,
                    points::<S>(&mut of_u),
                    #[inline(always)]
                    |t: usize| {
                        if t < length { load(simd, &u[conv.place(t) * d..][channels.clone()]) } else { zero }
                    },
                );
            }
            let (u_points, sum_points) = (points_ref::<S>(&of_u), points::<S>(sums));
            let (work, factor) = (points::<S>(&mut buffer), points_ref::<S>(spectrum));
            // With time reversed, the gradient is convolved like `u` itself.
            plan.ring.forward_multiply_back(
                simd,
                (work, factor),
                #[inline(always)]
                |t: usize| {
                    if t < length {
                        load(simd, &gradient[conv.place(length - 1 - t) * d..][channels.clone()])
                    } else {
                        zero
                    }
                },
                #[inline(always)]
                |at: usize, block: &[Point<S>]| {
                    if for_kernel {
                        let places = at..at + block.len();
                        let both = block.iter().zip(&u_points[places.clone()]);
                        for (sum, (x, y)) in sum_points[places].iter_mut().zip(both) {
                            *sum = multiply_add(simd, *x, *y, *sum);
                        }
                    }
                },
                #[inline(always)]
                |t: usize, value: S::f32s| {
                    if t < length {
                        store::<S>(&mut found[conv.place(length - 1 - t) * n_lanes..][..n_lanes], value);
                    }
                },
            );
        }
        pool::give(buffer);
        pool::give(of_u);
    }
}

/// The gradient of the kernel from its spectrum: of lag j at step `L - 1 - j`.
struct KernelGradient<'a> {
    plan: &'a Plan,
    sums: &'a mut [f32],
    /// Of the channels of the group, `(channel, tap)`.
    out: &'a mut [f32],
}

impl WithSimd for KernelGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let KernelGradient { plan, sums, out } = self;
        let (length, n_taps, reach) = (plan.conv.length, plan.conv.n_taps, plan.conv.reach());
        out.fill(0.0);
        let scale = simd.splat_f32s(1.0 / plan.ring.n_points() as f32);
        plan.ring.back(
            simd,
            points::<S>(sums),
            #[inline(always)]
            |t: usize, value: S::f32s| {
                if t < length && length - 1 - t < reach {
                    let mut lanes = [0.0; 16];
                    simd.partial_store_f32s(&mut lanes[..plan.n_lanes], simd.mul_f32s(value, scale));
                    for (row, lane) in out.chunks_mut(n_taps).zip(lanes) {
                        row[length - 1 - t] = lane;
                    }
                }
            },
        );
    }
}
