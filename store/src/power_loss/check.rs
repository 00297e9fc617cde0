//! Opens the store on an image and holds what it finds against what was sent.

use std::collections::BTreeMap;
use std::path::Path;

use boostermq_remoting::message::property_name::KEYS;
use boostermq_remoting::message::record::Record;
use boostermq_remoting::names::LMQ_PREFIX;

use super::Seeded;
use super::history::{Observed, Read, Sent, clock_at, send};
use super::life::{Kind, open};
use crate::MessageStore;
use crate::index::{IndexQuery, KeyKind};

/// How the check is led astray, to see that it notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mutation {
    #[default]
    None,
    /// A message is acknowledged when it is appended.
    AckBeforeFlush,
    /// One message is dropped.
    Drop,
    /// Two messages of a queue change places.
    Swap,
}

/// What must be found and what may be.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// What may be found: everything that was appended.
    may: Vec<&'a Sent>,
    /// How many steps there were; what was kept by then must be found.
    steps: usize,
    /// What lies before in the log may have been deleted.
    trimmed_to: i64,
    /// Offsets before were given, by topic and queue, and may not be given again.
    floors: &'a Ends,
    /// Keys of messages that were refused, and may be found.
    pub(crate) refused: &'a [String],
}

/// One past the last offset, by topic and queue.
pub(crate) type Ends = BTreeMap<(String, u32), i64>;

impl<'a> Expected<'a> {
    /// What is expected after a crash when there were `steps` steps.
    pub(crate) fn at(sent: &'a [Sent], trims: &[(usize, i64)], floors: &'a Ends, steps: usize) -> Self {
        let trims = trims.iter().filter(|(began, _)| *began < steps);
        Self {
            may: sent.iter().filter(|sent| sent.began < steps || sent.kept == Some(0)).collect(),
            steps,
            trimmed_to: trims.map(|(_, min)| *min).max().unwrap_or(0),
            floors,
            refused: &[],
        }
    }

    /// What was promised, deleted since or not.
    fn kept(&self) -> impl Iterator<Item = &'a Sent> + '_ {
        self.may.iter().copied().filter(|sent| sent.kept.is_some_and(|kept| kept <= self.steps))
    }
}

fn place(sent: &Sent) -> (String, u32, i64) {
    (sent.topic.to_owned(), sent.queue_id, sent.queue_offset)
}

/// Whether what is found is what is expected.
pub(crate) fn compare(observed: &Observed, expected: &Expected<'_>) -> Result<(), String> {
    let may: BTreeMap<_, _> = expected.may.iter().map(|sent| (place(sent), *sent)).collect();
    for (place, read) in &observed.messages {
        if is_refused(read, expected.refused) {
            continue;
        }
        let Some(sent) = may.get(place) else { return Err(format!("{place:?} was never sent")) };
        if (sent.physical_offset, &sent.bytes) != (read.physical_offset, &read.bytes) {
            let differs = sent.bytes.iter().zip(&read.bytes).position(|(sent, read)| sent != read);
            return Err(format!(
                "{place:?} was sent at {} with {} bytes, and is found at {} with {}, different from {differs:?} on",
                sent.physical_offset,
                sent.bytes.len(),
                read.physical_offset,
                read.bytes.len()
            ));
        }
    }
    for sent in expected.kept() {
        if sent.physical_offset >= expected.trimmed_to && !observed.messages.contains_key(&place(sent)) {
            return Err(format!("{:?} at {} was acknowledged and is lost", place(sent), sent.physical_offset));
        }
        let queue = (sent.topic.to_owned(), sent.queue_id);
        let end = observed.ranges.get(&queue).map_or(0, |(_, max)| *max);
        if end <= sent.queue_offset {
            return Err(format!("{:?} was given, and {queue:?} ends at {end}", place(sent)));
        }
    }
    for (queue, floor) in expected.floors {
        let end = observed.ranges.get(queue).map_or(0, |(_, max)| *max);
        if end < *floor {
            return Err(format!("{queue:?} ended at {floor} and ends at {end}"));
        }
    }
    for ((topic, queue_id), (min, max)) in &observed.ranges {
        let is_there = |offset: &i64| observed.messages.contains_key(&(topic.clone(), *queue_id, *offset));
        if let Some(missing) = (*min..*max).find(|offset| !is_there(offset)) {
            return Err(format!("{topic}-{queue_id} has {min} to {max} without {missing}"));
        }
    }
    // What is left of the log is one piece of it: nothing is missing between its begin and its end.
    for sent in &expected.may {
        let is_in_log = sent.physical_offset >= observed.begin && sent.end() <= observed.end;
        if is_in_log && !observed.messages.contains_key(&place(sent)) {
            return Err(format!(
                "{:?} at {} is lost, but the log goes from {} to {}",
                place(sent),
                sent.physical_offset,
                observed.begin,
                observed.end
            ));
        }
    }
    Ok(())
}

fn is_refused(read: &Read, refused: &[String]) -> bool {
    let record = Record::parse(&read.bytes).ok();
    let key = record.as_ref().and_then(|record| record.properties().get(KEYS));
    key.is_some_and(|key| refused.iter().any(|refused| refused == key))
}

/// Whether messages are found by their keys.
fn compare_index(store: &MessageStore, observed: &Observed, sent: &[&Sent], seeded: &mut Seeded) -> Result<(), String> {
    let is_there = |sent: &&&Sent| observed.messages.get(&place(sent)).is_some_and(|read| read.bytes == sent.bytes);
    // By the topic that messages were sent to.
    let own = sent.iter().filter(|sent| !sent.topic.starts_with(LMQ_PREFIX));
    let found: Vec<_> = own.filter(is_there).collect();
    for _ in 0..found.len().min(3) {
        let sent = found[seeded.index(found.len())];
        let query = IndexQuery {
            topic: sent.topic,
            key: &sent.key,
            kind: KeyKind::Key,
            max_messages: 32,
            begin_timestamp: 0,
            end_timestamp: i64::MAX,
        };
        let records = store.query(&query).records;
        if records != [&sent.bytes[..]] {
            return Err(format!("key {} of {:?} finds {} records", sent.key, place(sent), records.len()));
        }
    }
    Ok(())
}

/// Opens the store under `root` and compares; then, in one of four cases, appends, closes, opens again and compares again. Returns what was
/// found first.
pub(crate) fn check(
    kind: Kind,
    root: &Path,
    expected: &Expected<'_>,
    now_ms: i64,
    mutation: Mutation,
    seeded: &mut Seeded,
) -> Result<Observed, String> {
    let clock = clock_at(now_ms);
    let store = open(kind, root, &clock).map_err(|error| format!("opening: {error}"))?;
    let mut observed = Observed::of(&store)?;
    mutate(&mut observed, mutation, seeded);
    compare(&observed, expected)?;
    compare_index(&store, &observed, &expected.may, seeded)?;
    if let Some(quarantine) = store.quarantines().first() {
        return Err(format!("what a loss of power tore is no damage: {quarantine:?}"));
    }

    // Opening twice is what costs most.
    if !seeded.happens(25) {
        return Ok(observed);
    }
    clock.advance(seeded.below(5000) as i64);
    let count = 1 + seeded.index(4);
    let more = send(&store, seeded, count, 0).map_err(|refused| format!("appending: {}", refused.why))?;
    let mut next: BTreeMap<_, _> = observed.ranges.iter().map(|(queue, (_, max))| (queue.clone(), *max)).collect();
    for sent in &more {
        let next = next.entry((sent.topic.to_owned(), sent.queue_id)).or_default();
        if *next != sent.queue_offset {
            return Err(format!("{:?} is not at the end {next}", place(sent)));
        }
        *next += 1;
    }
    if seeded.happens(50) {
        store.close().map_err(|error| format!("closing: {error}"))?;
    }
    drop(store);

    let mut wanted = observed.clone();
    for sent in &more {
        let read = Read { physical_offset: sent.physical_offset, bytes: sent.bytes.clone() };
        wanted.messages.insert(place(sent), read);
    }
    let store = open(kind, root, &clock).map_err(|error| format!("opening again: {error}"))?;
    let again = Observed::of(&store)?;
    if let Some(place) = wanted.messages.keys().find(|place| !again.messages.contains_key(place)) {
        return Err(format!("{place:?} was there before the second opening"));
    }
    if again.messages != wanted.messages {
        return Err("the second opening finds what was not there".to_owned());
    }
    let all: Vec<&Sent> = expected.may.iter().copied().chain(&more).collect();
    compare_index(&store, &again, &all, seeded).map_err(|error| format!("opened again: {error}"))?;
    Ok(observed)
}

fn mutate(observed: &mut Observed, mutation: Mutation, seeded: &mut Seeded) {
    let places: Vec<_> = observed.messages.keys().cloned().collect();
    match mutation {
        Mutation::None | Mutation::AckBeforeFlush => {}
        Mutation::Drop => {
            if !places.is_empty() {
                observed.messages.remove(&places[seeded.index(places.len())]);
            }
        }
        Mutation::Swap => {
            if let Some([one, other]) = places.array_windows().find(|[one, other]| one.0 == other.0 && one.1 == other.1)
            {
                let (first, second) = (observed.messages[one].clone(), observed.messages[other].clone());
                observed.messages.insert(one.clone(), second);
                observed.messages.insert(other.clone(), first);
            }
        }
    }
}
