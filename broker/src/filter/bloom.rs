//! Which bits stand for a group in the filter bits of a message.
//!
//! ```text
//! positions of "GROUP#TOPIC"   hash = murmur3_128, low 64 bits; low = its low 32 bits, high = its high 32 bits
//!                              position i of k: low + i * high, turned positive, modulo the number of bits
//! bits                         bit p is bit p % 8 of byte p / 8
//! ```
//! Bits that are set say that a group *may* want a message, bits that are not that it does not. The number of bits follows
//! from how many groups are expected and how often a wrong "may" is allowed. Never decides who is asked. Upstream:
//! `BloomFilter`, `BitsArray` (RocketMQ 5.5.0).

use serde::{Deserialize, Serialize};

/// Sizes and hashes of all filter bits of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bloom {
    bits: u32,
    hashes: u32,
}

/// Which bits stand for one group and topic, as `consumerFilter.json` keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct BloomPositions {
    /// Of how many bits.
    pub(crate) bit_num: u32,
    /// Which.
    pub(crate) bit_pos: Vec<u32>,
}

impl Bloom {
    /// For `groups` groups and `error_percent` wrong answers in a hundred, from 1 to 99.
    pub(crate) fn new(error_percent: u32, groups: u32) -> Self {
        let error_rate = f64::from(error_percent.clamp(1, 99)) / 100.0;
        // Written as upstream computes it: another rounding would be another filter.
        let log = |base: f64, value: f64| value.ln() / base.ln();
        let hashes = log(0.5, error_rate).ceil() as u32;
        let bits = (f64::from(groups.max(1)) * log(2.0, 1.0 / error_rate) * log(2.0, std::f64::consts::E)).ceil();
        Self { bits: (8.0 * (bits / 8.0).ceil()) as u32, hashes: hashes.max(1) }
    }

    /// The bits that stand for a group that reads a topic.
    pub(crate) fn positions(self, group: &str, topic: &str) -> BloomPositions {
        let hash = murmur3_128_low(format!("{group}#{topic}").as_bytes());
        let (low, high) = (hash as u32 as i32, (hash >> 32) as u32 as i32);
        let position = |number: u32| {
            let combined = low.wrapping_add((number as i32).wrapping_mul(high));
            (if combined < 0 { !combined } else { combined }).cast_unsigned() % self.bits
        };
        BloomPositions { bit_num: self.bits, bit_pos: (1..=self.hashes).map(position).collect() }
    }

    /// No bits.
    pub(crate) fn none(self, bits: &mut Vec<u8>) {
        bits.clear();
        bits.resize((self.bits / 8) as usize, 0);
    }

    /// Sets the bits at these positions.
    pub(crate) fn set(positions: &BloomPositions, bits: &mut [u8]) {
        for position in &positions.bit_pos {
            if let Some(byte) = bits.get_mut((position / 8) as usize) {
                *byte |= 1 << (position % 8);
            }
        }
    }

    /// True unless one of the positions is not set: then the group does not want the message. Bits of another size say nothing.
    pub(crate) fn may_hold(positions: &BloomPositions, bits: &[u8]) -> bool {
        let is_set =
            |position: &u32| bits.get((position / 8) as usize).is_some_and(|byte| byte & 1 << (position % 8) != 0);
        bits.len() * 8 != positions.bit_num as usize || positions.bit_pos.iter().all(is_set)
    }

    /// True when the positions were computed with these sizes.
    pub(crate) fn fits(self, positions: &BloomPositions) -> bool {
        positions.bit_num == self.bits
            && positions.bit_pos.len() == self.hashes as usize
            && positions.bit_pos.iter().all(|position| *position < self.bits)
    }
}

/// The first half of MurmurHash3 x64 128 with the seed 0.
fn murmur3_128_low(bytes: &[u8]) -> u64 {
    const C1: u64 = 0x87C3_7B91_1142_53D5;
    const C2: u64 = 0x4CF5_AD43_2745_937F;
    let first = |word: u64| word.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    let second = |word: u64| word.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    let (mut low, mut high) = (0_u64, 0_u64);
    let (blocks, rest) = bytes.as_chunks::<16>();
    let words = |block: &[u8; 16]| {
        let both = u128::from_le_bytes(*block);
        (both as u64, (both >> 64) as u64)
    };
    for block in blocks {
        let (one, two) = words(block);
        low = (low ^ first(one)).rotate_left(27).wrapping_add(high).wrapping_mul(5).wrapping_add(0x52DC_E729);
        high = (high ^ second(two)).rotate_left(31).wrapping_add(low).wrapping_mul(5).wrapping_add(0x3849_5AB5);
    }
    let mut last = [0; 16];
    // Zeroes behind the rest change nothing.
    last.iter_mut().zip(rest).for_each(|(place, byte)| *place = *byte);
    let (one, two) = words(&last);
    low ^= first(one) ^ bytes.len() as u64;
    high ^= second(two) ^ bytes.len() as u64;
    low = low.wrapping_add(high);
    high = high.wrapping_add(low);
    mixed(low).wrapping_add(mixed(high))
}

const fn mixed(mut word: u64) -> u64 {
    word = (word ^ (word >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    word = (word ^ (word >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    word ^ (word >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_upstreams() {
        // From the consumerFilter.json of a broker of RocketMQ 5.5.0 with its defaults.
        let bloom = Bloom::new(20, 32);
        for (group, positions) in [("GH", [99, 46, 38]), ("GI", [99, 43, 44])] {
            let expected = BloomPositions { bit_num: 112, bit_pos: positions.into() };
            assert_eq!(bloom.positions(group, "ProbeT"), expected);
            assert!(bloom.fits(&expected));
        }
        assert!(!Bloom::new(10, 32).fits(&bloom.positions("g", "t")));
    }

    #[test]
    fn bits_are_upstreams() {
        // Of a message that both groups wanted, from the extension file of the same broker.
        let expected = [0, 0, 0, 0, 0x40, 0x58, 0, 0, 0, 0, 0, 0, 8, 0];
        let bloom = Bloom::new(20, 32);
        let (one, two) = (bloom.positions("GH", "ProbeT"), bloom.positions("GI", "ProbeT"));
        let mut bits = vec![7; 3];
        bloom.none(&mut bits);
        assert!(!Bloom::may_hold(&one, &bits));
        Bloom::set(&one, &mut bits);
        assert!(Bloom::may_hold(&one, &bits) && !Bloom::may_hold(&two, &bits));
        Bloom::set(&two, &mut bits);
        assert_eq!(bits, expected);
        assert!(Bloom::may_hold(&one, &bits[..13]), "bits of another size");
    }

    #[test]
    fn sizes_are_whole_bytes_and_positions_inside() {
        for error in [0, 1, 20, 50, 99, 100] {
            for groups in [0, 1, 32, 10_000] {
                let bloom = Bloom::new(error, groups);
                assert_eq!(bloom.bits % 8, 0);
                for length in 0..40 {
                    assert!(bloom.fits(&bloom.positions(&"g".repeat(length), "topic")), "{bloom:?} {length}");
                }
            }
        }
    }
}
