//! What is still to be written to one peer: frames whose heads stand in one buffer and whose bodies may be
//! slices of the mapped log, so that message bytes are copied by the kernel only.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::Bytes;

use crate::frame::HeaderCodec;
use crate::header::{FieldSink, HeaderHead, write_frame};

/// Slices handed to the kernel in one call.
const SLICES_PER_WRITE: usize = 128;
/// A buffer that grew past this is given back once it is empty.
const HEADS_KEPT: usize = 256 * 1024;
/// A body shorter than this is copied beside its head: one slice less costs more than the copy.
const COPY_BELOW: usize = 512;

#[derive(Debug)]
enum Part {
    /// `heads[start..end]`.
    Heads { start: usize, end: usize },
    /// A body kept alive by its owner.
    Slice(Bytes),
}

/// The unwritten answers of a connection, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    heads: Vec<u8>,
    parts: VecDeque<Part>,
    /// Bytes of the first part that are already written.
    written: usize,
    pending: usize,
}

impl Outbox {
    /// Bytes still to be written.
    #[must_use]
    pub const fn pending(&self) -> usize {
        self.pending
    }

    /// True when nothing is to be written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// Bytes of memory held, slices of the log not counted.
    #[must_use]
    pub fn held(&self) -> usize {
        self.heads.capacity()
    }

    /// Appends a frame whose body is the concatenation of `body`.
    pub fn frame(
        &mut self,
        codec: HeaderCodec,
        head: &HeaderHead<'_>,
        fields: impl FnOnce(&mut FieldSink<'_>),
        body: impl IntoIterator<Item = Bytes>,
        body_length: usize,
    ) {
        let start = self.heads.len();
        write_frame(&mut self.heads, codec, head, fields, body_length);
        self.push_heads(start);
        for slice in body {
            self.push_slice(slice);
        }
    }

    /// Appends whole frames as bytes.
    pub fn bytes(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.heads.len();
        write(&mut self.heads);
        self.push_heads(start);
    }

    fn push_heads(&mut self, start: usize) {
        let end = self.heads.len();
        self.pending += end - start;
        match self.parts.back_mut() {
            Some(Part::Heads { end: last, .. }) if *last == start => *last = end,
            _ => self.parts.push_back(Part::Heads { start, end }),
        }
    }

    fn push_slice(&mut self, slice: Bytes) {
        if slice.len() < COPY_BELOW {
            let start = self.heads.len();
            self.heads.extend_from_slice(&slice);
            self.push_heads(start);
        } else {
            self.pending += slice.len();
            self.parts.push_back(Part::Slice(slice));
        }
    }

    /// Moves everything from `other` to the end of this one.
    pub fn append(&mut self, other: &mut Outbox) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            std::mem::swap(self, other);
            return;
        }
        let mut written = std::mem::take(&mut other.written);
        for part in other.parts.drain(..) {
            match part {
                Part::Heads { start, end } => {
                    let from = self.heads.len();
                    self.heads.extend_from_slice(other.heads.get(start + written..end).unwrap_or_default());
                    self.push_heads(from);
                }
                Part::Slice(mut slice) => {
                    bytes::Buf::advance(&mut slice, written);
                    self.push_slice(slice);
                }
            }
            written = 0;
        }
        other.pending = 0;
        other.heads.clear();
        other.heads.shrink_to(HEADS_KEPT);
    }

    /// Offers what is to be written to `write`, a vectored write, until all is gone or it would block.
    ///
    /// # Errors
    /// What `write` answers, save `WouldBlock` and `Interrupted`; a write of no bytes is `WriteZero`.
    pub fn write_with(&mut self, mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<()> {
        while self.pending > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
            let mut count = 0;
            let mut skip = self.written;
            for (part, slot) in self.parts.iter().zip(&mut slices) {
                let bytes = match part {
                    Part::Heads { start, end } => self.heads.get(*start..*end).unwrap_or_default(),
                    Part::Slice(slice) => slice.as_ref(),
                };
                *slot = IoSlice::new(bytes.get(skip..).unwrap_or_default());
                skip = 0;
                count += 1;
            }
            match write(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.forget(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Drops the first `written` bytes.
    fn forget(&mut self, written: usize) {
        self.pending = self.pending.saturating_sub(written);
        let mut rest = self.written + written;
        while let Some(part) = self.parts.front() {
            let length = match part {
                Part::Heads { start, end } => end - start,
                Part::Slice(slice) => slice.len(),
            };
            if rest < length {
                break;
            }
            rest -= length;
            self.parts.pop_front();
        }
        self.written = rest;
        if self.pending == 0 {
            self.heads.clear();
            self.heads.shrink_to(HEADS_KEPT);
            self.parts.shrink_to(1024);
        }
    }

    /// Gives back all memory when nothing is to be written.
    pub(crate) fn release(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }
}
