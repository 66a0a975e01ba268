//! Numbers that look random, each a function of its stream and its position: the same whatever was drawn before.
//!
//! Stream and position are mixed by the last step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom
//! number generators", OOPSLA 2014). The bits are statistically even, not secret.

/// The mixing function of SplitMix64, a permutation of the 64-bit numbers.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number from 0 to below 1, evenly.
pub(crate) fn unit(stream: u64, i: u64) -> f64 {
    (mix(stream ^ i) >> 11) as f64 / (1u64 << 53) as f64
}

/// A normal number with mean 0 and this standard deviation, from places `2 i` and `2 i + 1` of the stream (Box and
/// Muller 1958).
pub(crate) fn normal(stream: u64, i: u64, deviation: f64) -> f64 {
    // The first number is above 0, so that its logarithm is finite.
    let radius = (-2.0 * (1.0 - unit(stream, 2 * i)).ln()).sqrt();
    deviation * radius * (std::f64::consts::TAU * unit(stream, 2 * i + 1)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of the numbers to this power.
    fn moment(values: &[f64], power: i32) -> f64 {
        values.iter().map(|x| x.powi(power)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn numbers_have_their_spread_and_follow_from_stream_and_position() {
        let even: Vec<f64> = (0..20_000).map(|i| unit(7, i)).collect();
        assert!(even.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((moment(&even, 1) - 0.5).abs() < 0.01 && (moment(&even, 2) - 1.0 / 3.0).abs() < 0.01);
        let normals: Vec<f64> = (0..20_000).map(|i| normal(7, i, 0.5)).collect();
        assert!(moment(&normals, 1).abs() < 0.02 && (moment(&normals, 2) / 0.25 - 1.0).abs() < 0.05);
        // A fourth moment of 3 tells normal numbers from even ones, which have 1.8.
        assert!((moment(&normals, 4) / 0.0625 - 3.0).abs() < 0.2, "{}", moment(&normals, 4));
        assert_eq!(unit(7, 3).to_bits(), even[3].to_bits());
        assert_ne!(unit(8, 3).to_bits(), even[3].to_bits());
    }
}
