//! Damage without chance: the same number gives the same damage. Shared by the fuzz tests of all crates.

/// What is written over a field.
const NUMBERS: [i64; 9] = [0, 1, -1, i64::MAX, i64::MIN, i32::MAX as i64, i32::MIN as i64, 1 << 16, 1 << 40];

/// A repeatable source of numbers.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    /// Cuts, flips, repeats, swaps or overwrites a few places.
    pub(crate) fn damage(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                2 if !bytes.is_empty() => bytes[at] = [0, 0xff, 0x7f, 0x80, b'"', b'\\', b'{'][self.below(7)],
                3 => bytes.extend_from_within(at..),
                4 => bytes.rotate_left(at),
                _ => bytes.insert(at, self.below(256) as u8),
            }
        }
        bytes.truncate(seed.len().max(4096));
        bytes
    }

    /// As [`Dice::damage`], for files of fixed places: what is not hit stays where it is.
    #[allow(dead_code, reason = "not every crate has such files")]
    pub(crate) fn damage_in_place(&mut self, seed: &[u8]) -> Vec<u8> {
        if self.below(16) == 0 || seed.is_empty() {
            return self.damage(seed);
        }
        let mut bytes = seed.to_vec();
        let end = bytes.len();
        for _ in 0..=self.below(4) {
            let at = self.below(end);
            let width = [1, 2, 4, 4, 8, 8][self.below(6)].min(end - at);
            match self.below(6) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 | 2 => {
                    let number = NUMBERS[self.below(NUMBERS.len())].to_be_bytes();
                    bytes[at..at + width].copy_from_slice(&number[8 - width..]);
                }
                3 => {
                    // A little more or less than what stands there.
                    let step = self.below(41) as u8;
                    bytes[at] = bytes[at].wrapping_add(step).wrapping_sub(20);
                }
                4 => {
                    let length = self.below((end - at).min(600)) + 1;
                    let from = self.below(end - length + 1);
                    bytes.copy_within(from..from + length, at.min(end - length));
                }
                _ => {
                    let length = self.below((end - at).min(600)) + 1;
                    bytes[at..end.min(at + length)].fill(0);
                }
            }
        }
        bytes
    }
}
