//! Aliases: which revisions share the calls, by weight, and which see copies of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Who answers the calls of an alias.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// Weights by revision; a revision of weight 3 gets three times the calls of one of weight 1.
    pub weights: BTreeMap<String, u32>,
    /// Revisions that compute a copy of each forecast, whose results are compared, not returned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<String>,
}

impl Traffic {
    /// Every call goes to one revision.
    #[must_use]
    pub fn all_to(revision: &str) -> Self {
        Traffic { weights: BTreeMap::from([(revision.to_string(), 1)]), shadows: Vec::new() }
    }

    /// The revision that answers for a key: the same for the same key, spread over keys by weight; `None` where no
    /// weight is positive.
    #[must_use]
    pub fn choose(&self, key: u64) -> Option<&str> {
        let total: u64 = self.weights.values().map(|weight| u64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        let mut at = mix(key) % total;
        for (revision, weight) in &self.weights {
            let weight = u64::from(*weight);
            if at < weight {
                return Some(revision);
            }
            at -= weight;
        }
        None
    }

    /// Every revision that is named.
    pub(super) fn revisions(&self) -> impl Iterator<Item = &str> {
        self.weights.keys().chain(&self.shadows).map(String::as_str)
    }
}

/// FNV-1a of the bytes of a key.
pub(super) fn hash(key: &str) -> u64 {
    key.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finaliser of SplitMix64: neighbours end up far apart.
fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_shared_by_weight_and_a_key_stays_where_it_is() {
        let weights = BTreeMap::from([("a".to_string(), 95), ("b".to_string(), 5), ("c".to_string(), 0)]);
        let traffic = Traffic { weights, shadows: Vec::new() };
        let n = 20_000;
        let of_b = (0..n).filter(|i| traffic.choose(hash(&format!("series-{i}"))) == Some("b")).count();
        // 5 % of 20,000 with a standard deviation of 31.
        assert!((850..1150).contains(&of_b), "{of_b}");
        assert_eq!(traffic.choose(hash("x")), traffic.choose(hash("x")));
        assert_eq!(Traffic::default().choose(7), None);
    }
}
