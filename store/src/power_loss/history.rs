//! What was sent to a store, what it acknowledged when, and what is found in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::message::record::{Record, Records};
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;

use super::Seeded;
use crate::clock::ManualClock;
use crate::fixture::record;
use crate::{AppendBatch, AppendReceipt, GetRequest, GetStatus, MessageStore};

/// Where messages are sent to.
pub(crate) const QUEUES: [(&str, u32); 4] = [("A", 0), ("A", 1), ("Orders", 0), ("%RETRY%someone", 0)];

/// Light queues in which some messages stand, too.
pub(crate) const LIGHT: [&str; 3] = ["%LMQ%a", "%LMQ%b.c", "%LMQ%$p$c"];

/// A topic that is deleted now and then, and not looked at.
pub(crate) const GONE: &str = "Gone";

/// A message that was sent, at one of its places.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) topic: &'static str,
    pub(crate) queue_id: u32,
    pub(crate) queue_offset: i64,
    pub(crate) physical_offset: i64,
    /// The record as it stands in the log.
    pub(crate) bytes: Vec<u8>,
    pub(crate) key: String,
    /// Steps there were before it was appended: it cannot be found after a crash before.
    pub(crate) began: usize,
    /// Steps there were when it was acknowledged, or seen by a reader: it must be found after a crash at or after that.
    pub(crate) kept: Option<usize>,
}

impl Sent {
    pub(crate) fn end(&self) -> i64 {
        self.physical_offset + self.bytes.len() as i64
    }
}

/// Messages that the store did not take: they may be found all the same, since nobody was told that they are not there.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) why: String,
    pub(crate) keys: Vec<String>,
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        refused.why
    }
}

/// A message before it is appended.
struct Draft {
    topic: &'static str,
    queue_id: u32,
    key: String,
    body: Vec<u8>,
    properties: Vec<u8>,
}

impl Draft {
    /// Sizes and contents that make recovery think: bodies of zeros, properties of more than a sector, records over pages.
    fn new(has_light_queues: bool, seeded: &mut Seeded) -> Self {
        let (topic, queue_id) = QUEUES[seeded.index(QUEUES.len())];
        let mut draft = Self::to(topic, queue_id, seeded);
        if has_light_queues && seeded.happens(50) {
            let names: Vec<_> = LIGHT.into_iter().filter(|_| seeded.happens(50)).collect();
            let list = format!("INNER_MULTI_DISPATCH\u{1}{}\u{2}", names.join(","));
            draft.properties.extend_from_slice(list.as_bytes());
        }
        draft
    }

    fn to(topic: &'static str, queue_id: u32, seeded: &mut Seeded) -> Self {
        let length = match seeded.below(10) {
            0..6 => seeded.index(200),
            6..9 => 200 + seeded.index(1300),
            _ => 1500 + seeded.index(2000),
        };
        let body =
            if seeded.happens(25) { vec![0; length] } else { (0..length).map(|_| seeded.next() as u8).collect() };
        let key = format!("k{:016x}", seeded.next());
        let mut properties = format!("KEYS\u{1}{key}\u{2}");
        if seeded.happens(10) {
            let filler: String = (0..seeded.index(2000)).map(|index| char::from(b'a' + (index % 26) as u8)).collect();
            properties += &format!("FILLER\u{1}{filler}\u{2}");
        }
        Self { topic, queue_id, key, body, properties: properties.into_bytes() }
    }
}

/// Appends `count` messages as one batch. What the store says about them, place by place, or its refusal as text.
pub(crate) fn send(
    store: &MessageStore,
    seeded: &mut Seeded,
    count: usize,
    began: usize,
) -> Result<Vec<Sent>, Refused> {
    let drafts = (0..count).map(|_| Draft::new(store.options().light_queues, seeded)).collect();
    append(store, drafts, began)
}

/// Appends a message to [`GONE`].
pub(crate) fn send_to_gone(store: &MessageStore, seeded: &mut Seeded) -> Result<(), String> {
    append(store, vec![Draft::to(GONE, 0, seeded)], 0).map(|_| ()).map_err(String::from)
}

fn append(store: &MessageStore, drafts: Vec<Draft>, began: usize) -> Result<Vec<Sent>, Refused> {
    let mut batch = AppendBatch::new();
    for draft in &drafts {
        let queue = store.queue(&Topic::parse(draft.topic).unwrap(), QueueId(draft.queue_id));
        let fields = record(draft.topic, QueueId(draft.queue_id), &draft.body, &draft.properties);
        batch.push(&queue, &fields).unwrap();
    }
    if let Err(error) = store.append(&mut batch) {
        return Err(Refused { why: error.to_string(), keys: drafts.into_iter().map(|draft| draft.key).collect() });
    }
    let sent = |(draft, receipt): (Draft, &AppendReceipt)| {
        let own = Sent {
            topic: draft.topic,
            queue_id: draft.queue_id,
            queue_offset: receipt.queue_offset.0,
            physical_offset: receipt.physical_offset.0,
            bytes: store.record_at(receipt.physical_offset).unwrap().to_vec(),
            key: draft.key,
            began,
            kept: None,
        };
        let record = Record::parse(&own.bytes).unwrap();
        let light = record.light_places().map(|(name, queue_offset)| Sent {
            topic: LIGHT.into_iter().find(|known| *known == name).unwrap(),
            queue_id: 0,
            queue_offset: queue_offset.0,
            ..own.clone()
        });
        let light: Vec<_> = light.collect();
        std::iter::once(own).chain(light)
    };
    Ok(drafts.into_iter().zip(batch.receipts()).flat_map(sent).collect())
}

/// A message that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) physical_offset: i64,
    pub(crate) bytes: Vec<u8>,
}

/// All that a store lets its readers find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Messages by topic, queue and offset in the queue.
    pub(crate) messages: BTreeMap<(String, u32, i64), Read>,
    /// First offset and one past the last, by topic and queue.
    pub(crate) ranges: BTreeMap<(String, u32), (i64, i64)>,
    /// Begin and end of the log.
    pub(crate) begin: i64,
    pub(crate) end: i64,
}

impl Observed {
    /// After all has been dispatched.
    pub(crate) fn of(store: &MessageStore) -> Result<Self, String> {
        settle(store);
        Self::now(store)
    }

    /// What has been dispatched so far.
    pub(crate) fn now(store: &MessageStore) -> Result<Self, String> {
        let (begin, end) = (store.min_physical_offset().0, store.max_physical_offset().0);
        let mut observed = Self { begin, end, ..Self::default() };
        for topic in store.topics().iter().filter(|topic| topic.as_str() != GONE) {
            for queue_id in 0..3 {
                if let Some(queue) = store.existing_queue(topic.as_str(), QueueId(queue_id)) {
                    let range = (queue.min_offset().0, queue.max_offset().0);
                    observed.ranges.insert((topic.as_str().to_owned(), queue_id), range);
                    observed.read_queue(store, topic.as_str(), queue_id, range)?;
                }
            }
        }
        Ok(observed)
    }

    fn read_queue(
        &mut self,
        store: &MessageStore,
        topic: &str,
        queue_id: u32,
        (mut next, max): (i64, i64),
    ) -> Result<(), String> {
        while next < max {
            let request = GetRequest {
                topic,
                queue_id: QueueId(queue_id),
                queue_offset: QueueOffset(next),
                max_messages: 32,
                filter: None,
            };
            let outcome = store.get(&request).map_err(|error| error.to_string())?;
            if outcome.next_begin_offset.0 <= next {
                return Err(format!("{topic}-{queue_id} at {next}: {outcome:?}"));
            }
            if outcome.status == GetStatus::Found {
                for record in outcome.slices.iter().flat_map(|slice| Records::new(slice)) {
                    let record = record.map_err(|error| format!("{topic}-{queue_id} at {next}: {error}"))?;
                    let queue_offset = record.offset_in(topic, QueueId(queue_id)).unwrap();
                    let place = (topic.to_owned(), queue_id, queue_offset.0);
                    let read = Read { physical_offset: record.physical_offset().0, bytes: record.bytes().to_vec() };
                    self.messages.insert(place, read);
                }
            }
            next = outcome.next_begin_offset.0;
        }
        Ok(())
    }
}

/// Dispatches until nothing is left that may be seen.
pub(crate) fn settle(store: &MessageStore) {
    while store.dispatched_offset() < store.confirm_offset() {
        store.dispatch_now();
        std::thread::yield_now();
    }
}

/// A clock that shows what a machine's would after everything before.
pub(crate) fn clock_at(now_ms: i64) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(now_ms))
}
