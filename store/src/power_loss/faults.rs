//! Calls that fail: the n-th, or all from the n-th on, for n = 1, 2, … until a whole life goes by without reaching it.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::check::{Ends, Expected, Mutation, check, compare};
use super::disk::{Disk, Image, Lie, write_image};
use super::history::{LIGHT, Observed, QUEUES, Sent, clock_at, send};
use super::life::{Kind, open};
use super::{Scratch, Seeded};
use crate::io::watch::{Fault, Kind as Call, Watch};
use crate::{FlushMode, FlushOutcome, GetRequest, MessageStore};
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::PhysicalOffset;

/// What came of a life with faults.
#[derive(Default)]
struct Outcome {
    sent: Vec<Sent>,
    /// Appending or waiting for the disk failed in a way that only a restart mends.
    is_poisoned: bool,
    refusals: Vec<String>,
    /// Keys of what was refused.
    refused: Vec<String>,
}

/// A life that puts up with refusals, and checks that what is refused is refused in order.
fn endure(kind: Kind, watch: &Watch, seeded: &mut Seeded) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let clock = clock_at(1_700_000_000_000);
    let store = match open(kind, watch.root(), &clock) {
        Ok(store) => store,
        Err(error) => {
            outcome.refusals.push(error);
            return Ok(outcome);
        }
    };
    for act in 0..14 {
        clock.advance(500);
        let began = watch.len();
        match send(&store, seeded, 3, began) {
            Ok(_) if outcome.is_poisoned => return Err("appended after a sync had failed".to_owned()),
            Ok(sent) => outcome.sent.extend(sent),
            Err(refused) => {
                outcome.refused.extend(refused.keys);
                outcome.refusals.push(refused.why);
            }
        }
        outcome.wait(kind, &store, watch)?;
        store.dispatch_now();
        if act % 5 == 4 {
            outcome.refusals.extend(store.flush().err().map(|error| error.to_string()));
        } else if act % 5 == 2 {
            outcome.refusals.extend(store.house_flush(false).err());
        }
        // Reads go on, whatever cannot be written.
        let found = Observed::now(&store)?;
        let all = outcome.sent.iter().map(|sent| Sent { kept: None, ..sent.clone() }).collect::<Vec<_>>();
        for ((topic, queue_id, offset), read) in &found.messages {
            let is_it =
                |sent: &&Sent| (sent.topic, sent.queue_id, sent.queue_offset) == (topic.as_str(), *queue_id, *offset);
            if all.iter().find(is_it).is_none_or(|sent| sent.bytes != read.bytes) {
                return Err(format!("{topic}-{queue_id} has another message at {offset}"));
            }
        }
        if let Some((queue, (min, max))) = found.ranges.iter().find(|((topic, queue_id), (min, max))| {
            (*min..*max).any(|offset| !found.messages.contains_key(&(topic.clone(), *queue_id, offset)))
        }) {
            return Err(format!("{queue:?} cannot be read from {min} to {max}"));
        }
    }
    outcome.refusals.extend(store.close().err().map(|error| error.to_string()));
    Ok(outcome)
}

impl Outcome {
    /// Waits for what was sent last, and notes what was acknowledged.
    fn wait(&mut self, kind: Kind, store: &MessageStore, watch: &Watch) -> Result<(), String> {
        let Some(end) = self.sent.last().map(Sent::end) else { return Ok(()) };
        if kind.mode == FlushMode::Async {
            return Ok(());
        }
        let (tell, told) = mpsc::channel();
        let deadline = Instant::now() + Duration::from_secs(3600);
        store.when_flushed(PhysicalOffset(end), deadline, Box::new(move |outcome| tell.send(outcome).unwrap()));
        match told.recv().unwrap() {
            FlushOutcome::Flushed => {
                let now = watch.len();
                if self.is_poisoned && self.sent.iter().any(|sent| sent.kept.is_none()) {
                    return Err("acknowledged after a sync had failed".to_owned());
                }
                self.sent.iter_mut().for_each(|sent| {
                    sent.kept.get_or_insert(now);
                });
            }
            FlushOutcome::Failed => self.is_poisoned = true,
            FlushOutcome::TimedOut => return Err("nothing takes an hour here".to_owned()),
        }
        Ok(())
    }
}

/// Goes through all lives with a fault. How many there were.
fn fail_each_call(mode: FlushMode, call: Call, error: Errno, count: u64) -> u64 {
    let kind = Kind { mode, file_size: 8192, deletes: false, has_marks: true };
    for first in 1.. {
        let here = format!("{mode:?}, {call:?} number {first}, {count} in a row, {error}");
        let scratch = Scratch::new();
        let root = scratch.path().join("life");
        write_image(&root, &Image::new());
        let watch = Watch::new(&root);
        let mut seeded = Seeded::new(first);
        watch.fail(Fault { kind: call, first, count, error });
        let outcome = endure(kind, &watch, &mut seeded).unwrap_or_else(|what| panic!("{here}: {what}"));
        let hit = watch.heal();
        let steps = watch.steps();
        drop(watch);

        // The process was started again, and the disk is well.
        let floors = Ends::new();
        let mut expected = Expected::at(&outcome.sent, &[], &floors, steps.len());
        expected.refused = &outcome.refused;
        let store = open(kind, &root, &clock_at(1_700_000_100_000)).unwrap_or_else(|what| panic!("{here}: {what}"));
        let again = Observed::of(&store).unwrap_or_else(|what| panic!("{here}: {what}"));
        compare(&again, &expected).unwrap_or_else(|what| panic!("{here}: {what}; {:?}", outcome.refusals));
        send(&store, &mut seeded, 2, 0).unwrap_or_else(|refused| panic!("{here}: {}", refused.why));
        store.close().unwrap_or_else(|what| panic!("{here}: {what}"));

        // Power failed on top of it.
        let mut disk = Disk::new(&root, &Image::new(), Lie::None);
        steps.iter().enumerate().for_each(|(number, step)| disk.apply(number, step));
        let image_root = scratch.path().join("image");
        for _ in 0..2 {
            write_image(&image_root, &disk.crash(&mut seeded));
            let checked = check(kind, &image_root, &expected, 1_700_000_100_000, Mutation::None, &mut seeded);
            checked.unwrap_or_else(|what| panic!("{here}, then no power: {what}; {:?}", outcome.refusals));
        }
        if hit == 0 {
            return first;
        }
    }
    0
}

#[test]
fn a20_any_call_finds_the_disk_full() {
    for mode in [FlushMode::Sync, FlushMode::Async] {
        for count in [1, u64::MAX] {
            let lives = fail_each_call(mode, Call::Space, Errno::NOSPC, count);
            assert!(lives > 50, "{lives} lives");
        }
    }
}

#[test]
fn a22_any_sync_fails() {
    for mode in [FlushMode::Sync, FlushMode::Async] {
        for count in [1, u64::MAX] {
            let lives = fail_each_call(mode, Call::Sync, Errno::IO, count);
            assert!(lives > 20, "{lives} lives");
        }
    }
}

#[test]
fn any_call_fails() {
    for mode in [FlushMode::Sync, FlushMode::Async] {
        let lives = fail_each_call(mode, Call::Any, Errno::IO, 2);
        assert!(lives > 80, "{lives} lives");
    }
}

#[test]
fn a23_what_cannot_be_read_is_an_error_to_who_asks_and_to_nobody_else() {
    for mode in [FlushMode::Sync, FlushMode::Async] {
        let kind = Kind { mode, file_size: 8192, deletes: false, has_marks: true };
        let scratch = Scratch::new();
        let root = scratch.path().join("life");
        write_image(&root, &Image::new());
        let mut seeded = Seeded::new(23);
        let mut sent = Vec::new();
        // Opened once more, so that nothing of the queues is left in memory.
        let clock = clock_at(1_700_000_000_000);
        for _ in 0..10 {
            let store = open(kind, &root, &clock).unwrap();
            sent.extend(send(&store, &mut seeded, 3, 0).map_err(|refused| refused.why).unwrap());
            store.close().unwrap();
        }
        let watch = Watch::new(&root);
        let store = open(kind, &root, &clock).unwrap();
        watch.fail(Fault { kind: Call::Read, first: 1, count: u64::MAX, error: Errno::IO });
        let mut refused = 0;
        for (topic, queue_id) in QUEUES.into_iter().chain(LIGHT.map(|name| (name, 0))) {
            let queue_id = QueueId(queue_id);
            let Some(queue) = store.existing_queue(topic, queue_id) else { continue };
            let queue_offset = queue.min_offset();
            let request = GetRequest { topic, queue_id, queue_offset, max_messages: 32, filter: None };
            let error = store.get(&request).unwrap_err().to_string();
            assert!(error.contains("reading") && error.contains("consumequeue"), "{error}");
            refused += 1;
        }
        assert!(refused > 4, "{refused} queues");
        // Who sends, and who reads what is in memory, notices nothing.
        let more = send(&store, &mut seeded, 4, 0).map_err(|refused| refused.why).unwrap();
        for sent in &more {
            assert_eq!(store.record_at(PhysicalOffset(sent.physical_offset)).unwrap(), sent.bytes);
        }
        sent.extend(more);
        assert!(watch.heal() > 0);
        // It passes: nothing was taken for lost, and nothing was written in the place of what could not be read.
        store.flush().unwrap();
        let floors = Ends::new();
        sent.iter_mut().for_each(|sent| sent.kept = Some(0));
        let expected = Expected::at(&sent, &[], &floors, 0);
        compare(&Observed::of(&store).unwrap(), &expected).unwrap();
        store.close().unwrap();
        let again = open(kind, &root, &clock).unwrap();
        compare(&Observed::of(&again).unwrap(), &expected).unwrap();
    }
}

#[test]
fn a23_a_start_that_cannot_read_refuses_and_can_be_tried_again() {
    let kind = Kind { mode: FlushMode::Sync, file_size: 8192, deletes: false, has_marks: true };
    let (scratch, clock) = (Scratch::new(), clock_at(1_700_000_000_000));
    let mut seeded = Seeded::new(24);
    let root = scratch.path().join("life");
    write_image(&root, &Image::new());
    let store = open(kind, &root, &clock).unwrap();
    let mut sent: Vec<Sent> = Vec::new();
    for _ in 0..20 {
        sent.extend(send(&store, &mut seeded, 3, 0).map_err(|refused| refused.why).unwrap());
    }
    store.flush().unwrap();
    drop(store);
    sent.iter_mut().for_each(|sent| sent.kept = Some(0));
    let floors = Ends::new();
    let expected = Expected::at(&sent, &[], &floors, 0);
    let mut refusals = 0;
    for first in 1.. {
        let watch = Watch::new(&root);
        watch.fail(Fault { kind: Call::Read, first, count: 1, error: Errno::IO });
        let opened = open(kind, &root, &clock);
        if watch.heal() == 0 {
            break;
        }
        match opened {
            Err(error) => refusals += usize::from(error.contains("failed")),
            // What can be made anew is.
            Ok(store) => compare(&Observed::of(&store).unwrap(), &expected).unwrap(),
        }
        let store = open(kind, &root, &clock).unwrap();
        compare(&Observed::of(&store).unwrap(), &expected).unwrap_or_else(|what| panic!("read {first}: {what}"));
    }
    assert!(refusals > 5, "{refusals} starts were refused");
}
