//! The wheel: for each tick of time, where in the timer log its messages begin and end.
//!
//! ```text
//! ROOT/timerwheel: 1,209,600 cells of 32 bytes; tick t stands in cell t mod 1,209,600; all numbers big-endian
//!  0            8             16            24        28
//!  | tick i64   | first i64   | last i64    | num i32 | 0 i32 |
//! ```
//! A tick is a time in milliseconds divided by `timerPrecisionMs`. `first` and `last` are positions in the timer log, whose
//! units are chained from the last to the first. A cell whose tick is another one than was asked for is empty.
//!
//! In memory there are only the ticks that have messages, so an idle wheel costs nothing and the next tick with a message
//! is at hand. Never here: what a message is, when it is due.
//!
//! Upstream: `TimerWheel`, `Slot`.

use std::collections::{BTreeMap, BTreeSet};

/// Cells of the wheel: two weeks of seconds, whatever the precision (RocketMQ 5.5.0).
pub(super) const CELLS: i64 = 7 * 86_400 * 2;
/// Bytes of a cell.
pub(super) const CELL_SIZE: usize = 32;
/// Bytes of the file.
pub(super) const WHEEL_SIZE: u64 = CELLS as u64 * CELL_SIZE as u64;

/// What waits for one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Position of the first unit in the timer log.
    pub(super) first: i64,
    /// Position of the last one.
    pub(super) last: i64,
    /// Messages, less those that are recalled.
    pub(super) count: i32,
}

/// All ticks that have messages, and which cells of the file are stale.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    slots: BTreeMap<i64, Slot>,
    stale: BTreeSet<i64>,
    pending: i64,
}

impl Wheel {
    /// Reads the cells of a wheel file that belong to `from` or a later tick. Nothing is stale then.
    pub(super) fn read(file: &[u8], from: i64) -> Self {
        /// Bytes compared with zeros at once: most of a wheel is empty.
        const PAGE: usize = 4096;
        let mut wheel = Self::default();
        for (page_at, page) in (0_i64..).zip(file.chunks(PAGE)).filter(|(_, page)| *page != &[0; PAGE][..page.len()]) {
            let first_cell = page_at * (PAGE / CELL_SIZE) as i64;
            for (index, cell) in (first_cell..).zip(page.chunks_exact(CELL_SIZE)) {
                if let Some((tick, slot)) = decode(cell)
                    && tick >= from
                    && tick % CELLS == index
                {
                    wheel.pending += i64::from(slot.count);
                    wheel.slots.insert(tick, slot);
                }
            }
        }
        wheel
    }

    /// What waits for `tick`.
    pub(super) fn slot(&self, tick: i64) -> Option<Slot> {
        self.slots.get(&tick).copied()
    }

    /// All ticks that have messages, the earliest first.
    pub(super) fn slots(&self) -> impl Iterator<Item = (i64, Slot)> {
        self.slots.iter().map(|(tick, slot)| (*tick, *slot))
    }

    /// The earliest tick that has messages.
    pub(super) fn first_tick(&self) -> Option<i64> {
        self.slots.first_key_value().map(|(tick, _)| *tick)
    }

    /// Messages of all ticks, less those that are recalled.
    pub(super) fn pending(&self) -> i64 {
        self.pending
    }

    /// Adds the unit at `position`, which counts `change` messages. A unit that is there already changes nothing: units come in
    /// the order of the log.
    pub(super) fn add(&mut self, tick: i64, position: i64, change: i32) {
        let empty = Slot { first: position, last: -1, count: 0 };
        let slot = self.slots.entry(tick).or_insert(empty);
        if position > slot.last {
            slot.last = position;
            slot.count = slot.count.saturating_add(change);
            self.pending += i64::from(change);
            self.stale.insert(tick.rem_euclid(CELLS));
        }
    }

    /// Forgets a tick whose messages were given out.
    pub(super) fn remove(&mut self, tick: i64) {
        if let Some(slot) = self.slots.remove(&tick) {
            self.pending -= i64::from(slot.count);
            self.stale.insert(tick.rem_euclid(CELLS));
        }
    }

    /// Marks all cells of a file that held `before` as stale: for a wheel that was made anew.
    pub(super) fn replace(&mut self, before: &Self) {
        self.stale.extend(before.slots.keys().map(|tick| tick.rem_euclid(CELLS)));
    }

    /// Whether the file lacks something.
    pub(super) fn is_stale(&self) -> bool {
        !self.stale.is_empty()
    }

    /// The stale cells as they should stand in the file, which counts as written; neighbours come as one piece.
    pub(super) fn take_stale(&mut self) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = Vec::new();
        for index in std::mem::take(&mut self.stale) {
            let bytes = self.latest_of(index).map_or([0; CELL_SIZE], |(tick, slot)| encode(tick, &slot));
            match pieces.last_mut() {
                Some(piece) if piece.end() == index => piece.bytes.extend_from_slice(&bytes),
                _ => pieces.push(Piece { first_cell: index, bytes: bytes.to_vec() }),
            }
        }
        pieces
    }

    /// The pieces could not be written after all.
    pub(super) fn mark_stale(&mut self, pieces: &[Piece]) {
        self.stale.extend(pieces.iter().flat_map(|piece| piece.first_cell..piece.end()));
    }

    /// The latest tick with messages that stands in this cell. Two may share it only when the earlier is long overdue.
    fn latest_of(&self, index: i64) -> Option<(i64, Slot)> {
        let first = self.first_tick()?;
        let (last, _) = self.slots.last_key_value()?;
        let mut tick = last - (last - index).rem_euclid(CELLS);
        while tick >= first {
            if let Some(slot) = self.slots.get(&tick) {
                return Some((tick, *slot));
            }
            tick -= CELLS;
        }
        None
    }
}

/// Neighbouring cells, to be written at once.
#[derive(Debug)]
pub(super) struct Piece {
    first_cell: i64,
    /// Whole cells.
    pub(super) bytes: Vec<u8>,
}

impl Piece {
    /// Where the piece begins in the file.
    pub(super) fn position(&self) -> u64 {
        self.first_cell.cast_unsigned() * CELL_SIZE as u64
    }

    fn end(&self) -> i64 {
        self.first_cell + (self.bytes.len() / CELL_SIZE) as i64
    }
}

fn encode(tick: i64, slot: &Slot) -> [u8; CELL_SIZE] {
    let mut cell = [0; CELL_SIZE];
    cell[..8].copy_from_slice(&tick.to_be_bytes());
    cell[8..16].copy_from_slice(&slot.first.to_be_bytes());
    cell[16..24].copy_from_slice(&slot.last.to_be_bytes());
    cell[24..28].copy_from_slice(&slot.count.to_be_bytes());
    cell
}

fn decode(cell: &[u8]) -> Option<(i64, Slot)> {
    let number = |at: usize| cell.get(at..at + 8)?.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
    let (tick, first, last) = (number(0)?, number(8)?, number(16)?);
    let count = i32::from_be_bytes(*cell.get(24..28)?.first_chunk()?);
    (tick > 0 && first >= 0 && last >= first).then_some((tick, Slot { first, last, count }))
}
