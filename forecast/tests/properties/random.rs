//! Random inputs that are the same in every run and on every machine.

/// A stream of random numbers by SplitMix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Draws(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: usize, high: usize) -> usize {
        low + usize::try_from(self.bits() % (high - low + 1) as u64).unwrap()
    }

    /// True in `percent` of a hundred draws.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.between(0, 99) < percent
    }

    /// A fraction in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Any finite number: signed zeros, subnormals and the largest ones too.
    pub(crate) fn finite(&mut self) -> f64 {
        let special = [0.0, -0.0, 5e-324, -f64::MIN_POSITIVE, f64::MAX, f64::MIN, 0.1 + 0.2, 1.0];
        if self.chance(10) {
            return special[self.between(0, special.len() - 1)];
        }
        let value = f64::from_bits(self.bits());
        if value.is_finite() { value } else { self.finite() }
    }

    /// One of several values.
    pub(crate) fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.between(0, values.len() - 1)].clone()
    }

    /// The numbers below `n` in random order.
    pub(crate) fn shuffled(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.between(0, i));
        }
        order
    }
}
