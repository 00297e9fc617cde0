//! Which half messages have ended: a bit for each number of the half queue, from some way before the progress on.
//!
//! ```text
//! base (multiple of 64)                 progress                    end of the half queue
//! | HISTORY numbers: commits again ...  | open or ended ...         |
//! ```
//! A million open transactions are 128 KiB.

use std::collections::VecDeque;

/// Numbers before the progress that are remembered.
const HISTORY: i64 = 1 << 22;
/// Numbers of one word.
const WORD: i64 = 64;

/// The bits.
#[derive(Debug, Default)]
pub(super) struct EndedHalves {
    base: i64,
    words: VecDeque<u64>,
}

impl EndedHalves {
    /// Nothing has ended; numbers are remembered from some way before `progress` on.
    pub(super) fn new(progress: i64) -> Self {
        Self { base: base_for(progress), words: VecDeque::new() }
    }

    /// The first number that is remembered.
    pub(super) const fn base(&self) -> i64 {
        self.base
    }

    /// Whether the half message with this number has ended; false for numbers that are forgotten.
    pub(super) fn contains(&self, offset: i64) -> bool {
        let Some((word, bit)) = self.place(offset) else { return false };
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    /// It has ended. A number before the base is not remembered.
    pub(super) fn insert(&mut self, offset: i64) {
        let Some((word, bit)) = self.place(offset) else { return };
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    /// It is open after all.
    pub(super) fn reopen(&mut self, offset: i64) {
        if let Some((word, bit)) = self.place(offset)
            && let Some(word) = self.words.get_mut(word)
        {
            *word &= !bit;
        }
    }

    /// A half message was stored under this number. An earlier one, of a queue that has begun anew since, is forgotten.
    pub(super) fn begin(&mut self, offset: i64) {
        if offset < self.base {
            *self = Self::new(offset);
        }
        self.reopen(offset);
    }

    /// The first number from `from` on that has not ended, at most `end`.
    pub(super) fn next_open(&self, from: i64, end: i64) -> i64 {
        let mut next = from;
        while next < end {
            let Some((word, _)) = self.place(next) else { return next };
            let Some(bits) = self.words.get(word) else { return next };
            let shift = (next - self.base) % WORD;
            let ended = i64::from((!(bits >> shift)).trailing_zeros());
            if ended < WORD - shift {
                return (next + ended).min(end);
            }
            next += WORD - shift;
        }
        end
    }

    /// Forgets what lies too far before the progress.
    pub(super) fn forget_before(&mut self, progress: i64) {
        let base = base_for(progress);
        while self.base < base {
            if self.words.pop_front().is_none() {
                self.base = base;
                return;
            }
            self.base += WORD;
        }
    }

    fn place(&self, offset: i64) -> Option<(usize, u64)> {
        let from_base = offset.checked_sub(self.base).filter(|from_base| *from_base >= 0)?;
        Some((usize::try_from(from_base / WORD).ok()?, 1 << (from_base % WORD)))
    }
}

const fn base_for(progress: i64) -> i64 {
    let base = progress.saturating_sub(HISTORY);
    if base < 0 { 0 } else { base - base % WORD }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_open_one_is_found() {
        let mut ended = EndedHalves::new(0);
        for offset in (0..200).filter(|offset| ![3, 64, 130, 199].contains(offset)) {
            ended.insert(offset);
        }
        for (from, end, expected) in [
            (0, 1000, 3),
            (3, 1000, 3),
            (4, 1000, 64),
            (65, 1000, 130),
            (131, 1000, 199),
            (131, 150, 150),
            (200, 1000, 200),
            (500, 1000, 500),
            (1000, 1000, 1000),
        ] {
            assert_eq!(ended.next_open(from, end), expected, "from {from} to {end}");
        }
    }

    #[test]
    fn a_full_word_is_passed_over() {
        let mut ended = EndedHalves::new(0);
        (0..256).for_each(|offset| ended.insert(offset));
        assert_eq!((ended.next_open(0, 300), ended.next_open(64, 128), ended.next_open(63, 64)), (256, 128, 64));
    }

    #[test]
    fn what_is_far_behind_is_forgotten() {
        let mut ended = EndedHalves::new(HISTORY + 1000);
        assert_eq!(ended.base(), 960);
        ended.insert(5);
        ended.insert(1000);
        assert_eq!((ended.contains(5), ended.contains(1000)), (false, true));
        ended.forget_before(HISTORY + 1024);
        assert_eq!((ended.base(), ended.contains(1000)), (1024, false));
        ended.insert(1 << 23);
        ended.forget_before(i64::MAX);
        assert!(!ended.contains(1 << 23));
        ended.insert(i64::MAX - 1);
        assert!(ended.contains(i64::MAX - 1));
    }

    #[test]
    fn a_queue_that_begins_anew_begins_open() {
        let mut ended = EndedHalves::new(HISTORY * 3);
        ended.insert(HISTORY * 3);
        ended.reopen(0);
        assert!(ended.contains(HISTORY * 3));
        ended.begin(0);
        assert_eq!((ended.base(), ended.contains(HISTORY * 3)), (0, false));
        ended.insert(7);
        ended.begin(7);
        assert!(!ended.contains(7));
    }
}
