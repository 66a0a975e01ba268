//! Channels that are computed side by side: the numbers of a state space for 16 of them at a time.

/// Channels that are computed side by side.
pub(super) const WIDTH: usize = 16;

/// The numbers of one quantity for the channels of a block.
pub(super) type Lanes = [f32; WIDTH];

/// A form whose blocks of channels have nothing to do with each other.
pub(super) trait Blocks: Sync {
    /// Numbers of the state of a block.
    fn n_state(&self) -> usize;

    /// One step of a block.
    fn step(&self, block: usize, state: &mut [f32], u: &Lanes) -> Lanes;
}

/// The numbers of all channels in blocks: `S` of each state and `C` of each channel.
#[derive(Debug)]
pub(super) struct Coefficients<const S: usize, const C: usize> {
    /// States of a channel.
    n: usize,
    states: Vec<[Lanes; S]>,
    channels: Vec<[Lanes; C]>,
}

impl<const S: usize, const C: usize> Coefficients<S, C> {
    /// Nothing but 0, also where the last block has no channel.
    pub(super) fn zeros(n_states: usize, n_channels: usize) -> Self {
        let n_blocks = n_channels.div_ceil(WIDTH);
        Coefficients {
            n: n_states,
            states: vec![[[0.0; WIDTH]; S]; n_states * n_blocks],
            channels: vec![[[0.0; WIDTH]; C]; n_blocks],
        }
    }

    /// Writes the numbers of each state of a channel, and those of the channel itself.
    pub(super) fn put(&mut self, channel: usize, states: impl Iterator<Item = [f64; S]>, own: [f64; C]) {
        let (block, lane) = (channel / WIDTH, channel % WIDTH);
        let write = |to: &mut [Lanes], from: &[f64]| {
            for (to, from) in to.iter_mut().zip(from) {
                to[lane] = *from as f32;
            }
        };
        for (to, from) in self.states[block * self.n..(block + 1) * self.n].iter_mut().zip(states) {
            write(to, &from);
        }
        write(&mut self.channels[block], &own);
    }

    /// The numbers of the states and of the channels of a block.
    pub(super) fn of(&self, block: usize) -> (&[[Lanes; S]], &[Lanes; C]) {
        (&self.states[block * self.n..(block + 1) * self.n], &self.channels[block])
    }

    /// Numbers of the state of a block: real and imaginary parts.
    pub(super) fn n_state(&self) -> usize {
        self.n * 2 * WIDTH
    }
}

/// `d u + (re - im)`: what the real part of a sum of products and the input come to.
#[inline(always)]
pub(super) fn with_input(d: &Lanes, u: &Lanes, re: &Lanes, im: &Lanes) -> Lanes {
    let mut y = [0.0; WIDTH];
    for i in 0..WIDTH {
        y[i] = d[i].mul_add(u[i], re[i] - im[i]);
    }
    y
}
