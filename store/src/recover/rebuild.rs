//! Bringing the queues to agree with the records of a scan.
//!
//! In a queue, offsets and places in the log grow together. What a record says about itself is compared with that before a unit is
//! taken away for it: no checksum covers a record's number, and one flipped bit in it may not cost the units behind it.

use std::sync::Arc;

use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::QueueOffset;

use crate::commit_log::{Check, Found, Seen, look};
use crate::consume_queue::{ConsumeQueue, QueueError, READ_UNITS_MAX, Unit};
use crate::dispatch::{Place, QueueBuilder};
use crate::mapped_file::MappedFile;

/// Queues whose units are kept at hand.
const WINDOWS: usize = 64;

/// Why a scan was broken off.
pub(super) enum Broken {
    /// A queue lacks messages from before where the scan began: from this place in the log on.
    Behind(i64),
    /// A queue could not be read or written.
    Queue(QueueError),
}

impl From<QueueError> for Broken {
    fn from(error: QueueError) -> Self {
        Self::Queue(error)
    }
}

/// Units of one queue, read together.
#[derive(Default)]
struct Window {
    queue: Option<Arc<ConsumeQueue>>,
    from: i64,
    units: Vec<Unit>,
}

/// One scan's work on the queues.
pub(super) struct Rebuild<'a> {
    builder: &'a mut QueueBuilder,
    files: &'a [MappedFile],
    /// Units that are there are compared with the records; otherwise they are believed.
    compares: bool,
    /// Where the scan begins, if it can begin further back.
    start: Option<i64>,
    /// How records are looked at that units lead to.
    content: Check,
    windows: Vec<Window>,
}

impl<'a> Rebuild<'a> {
    pub(super) fn new(
        builder: &'a mut QueueBuilder,
        files: &'a [MappedFile],
        compares: bool,
        start: Option<i64>,
        content: Check,
    ) -> Self {
        let windows = std::iter::repeat_with(Window::default).take(WINDOWS).collect();
        Self { builder, files, compares, start, content, windows }
    }

    /// Brings the queues of one record to agree with it. Says what is wrong with the record if it cannot be right.
    pub(super) fn take(&mut self, seen: Seen<'_>) -> Result<Option<String>, Broken> {
        let (Seen::Record(record) | Seen::Damaged(record)) = seen;
        for place in self.builder.places_of(record) {
            let wrong = self.take_at(&place, seen)?;
            if wrong.is_some() {
                return Ok(wrong);
            }
        }
        Ok(None)
    }

    fn take_at(&mut self, place: &Place<'_>, seen: Seen<'_>) -> Result<Option<String>, Broken> {
        let (Seen::Record(record) | Seen::Damaged(record)) = seen;
        let Some(queue) = self.builder.queue_at(place) else { return Ok(None) };
        let max = queue.max_offset();
        if let Seen::Damaged(record) = seen {
            // Whoever was told of this number may not see another message under it.
            if place.queue_offset == max && self.follows(&queue, record) {
                queue.skip(max)?;
            }
            return Ok(None);
        }
        if place.queue_offset < max {
            return if self.compares { self.compare(&queue, place, record) } else { Ok(None) };
        }
        if !self.follows(&queue, record) {
            if is_last_right(self.files, &queue, self.content)? {
                // Of a queue that was deleted, and begun anew further on.
                return Ok(None);
            }
            queue.drop_last()?;
            self.forget_windows();
            let end = queue.max_physical_offset().map_or(0, |end| end.0);
            // What was taken away has been passed already, unless the scan saw everything: then this is a record after it.
            return if self.start.is_some() { Err(Broken::Behind(end)) } else { self.take_at(place, seen) };
        }
        // A queue without any message begins where it is found to. One that has some lacks others, unless the scan has seen
        // everything since its last: then they are damaged.
        if place.queue_offset > max
            && let (Some(start), Some(end)) = (self.start, queue.max_physical_offset())
            && end.0 < start
        {
            return Err(Broken::Behind(end.0));
        }
        self.builder.push_at(place, record, &[])?;
        Ok(None)
    }

    /// Whether `record` lies after all that the queue has.
    fn follows(&self, queue: &ConsumeQueue, record: &Record<'_>) -> bool {
        queue.max_physical_offset().is_none_or(|end| record.physical_offset() >= end)
    }

    /// Compares a record with what stands in its place.
    fn compare(
        &mut self,
        queue: &Arc<ConsumeQueue>,
        place: &Place<'_>,
        record: &Record<'_>,
    ) -> Result<Option<String>, Broken> {
        let unit = self.builder.unit_of(record);
        let standing = self.standing(queue, place.queue_offset)?;
        if standing.is_some_and(|standing| standing.is_of_same(&unit)) {
            return Ok(None);
        }
        // A unit of this very place tells of a record that power took before another was put there.
        let is_elsewhere = |standing: &Unit| !standing.is_blank() && standing.physical_offset != unit.physical_offset;
        if let Some(other) = standing.filter(|standing| is_elsewhere(standing) && self.is_of(place, standing)) {
            // Two records say that they are the same message. A queue that was begun anew begins at 0, and what it had before
            // lies before all that it has now.
            let begins_anew = place.queue_offset == QueueOffset::ZERO && other.physical_offset < unit.physical_offset;
            let is_of_before = queue.first_physical_offset()?.is_some_and(|first| unit.physical_offset < first);
            // A number in a light queue is a word in a text: of two the first counts, and the message is right all the same.
            if is_of_before || (place.is_light && !begins_anew) {
                return Ok(None);
            }
            if !begins_anew {
                return Ok(Some(format!(
                    "record says it is message {} of queue {} of {}, but the one at {} is",
                    record.queue_offset(),
                    record.queue_id(),
                    record.topic(),
                    other.physical_offset
                )));
            }
        }
        self.forget_windows();
        self.builder.push_at(place, record, &[])?;
        Ok(None)
    }

    fn forget_windows(&mut self) {
        self.windows.clear();
        self.windows.resize_with(WINDOWS, Window::default);
    }

    /// Whether the record that `unit` points to says that it has this place.
    fn is_of(&self, place: &Place<'_>, unit: &Unit) -> bool {
        leads_to(self.files, unit, place.topic, place.queue_id, place.queue_offset, self.content)
    }

    /// The unit at an offset, read with those that follow it: the next records want them.
    fn standing(&mut self, queue: &Arc<ConsumeQueue>, at: QueueOffset) -> Result<Option<Unit>, QueueError> {
        let place = queue.number() as usize % WINDOWS;
        let Some(window) = self.windows.get_mut(place) else { return Ok(None) };
        let is_it = window.queue.as_ref().is_some_and(|held| Arc::ptr_eq(held, queue));
        let index = usize::try_from(at.0 - window.from).ok().filter(|_| is_it);
        if let Some(unit) = index.and_then(|index| window.units.get(index)) {
            return Ok(Some(*unit));
        }
        queue.read_units(at, READ_UNITS_MAX, &mut window.units)?;
        window.queue = Some(Arc::clone(queue));
        window.from = at.0;
        Ok(window.units.first().copied())
    }
}

/// Whether the last unit of a queue leads to its message, or there is none, or it is blank, or its message has left the log: nothing
/// but the unit tells then that its number was given.
pub(super) fn is_last_right(files: &[MappedFile], queue: &ConsumeQueue, content: Check) -> Result<bool, QueueError> {
    let Some((offset, unit)) = queue.last_unit()? else { return Ok(true) };
    let has_left = files.first().is_some_and(|first| unit.physical_offset.0 < first.base());
    Ok(unit.is_blank() || has_left || leads_to(files, &unit, queue.topic().as_str(), queue.queue_id(), offset, content))
}

/// Whether a sound record stands where `unit` says, and has this place in this queue.
fn leads_to(
    files: &[MappedFile],
    unit: &Unit,
    topic: &str,
    queue_id: QueueId,
    offset: QueueOffset,
    content: Check,
) -> bool {
    let at = unit.physical_offset.0;
    let file = files.iter().find(|file| (file.base()..file.limit()).contains(&at));
    let Some(Found::Record(record)) = file.map(|file| look(file, at, content)) else { return false };
    record.has_place(topic, queue_id, offset)
}
