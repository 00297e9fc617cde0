//! A producer: bursts of single messages, batches and delayed messages, tried again when nobody answered.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::cycle::Shared;
use super::message::{BODY_MAX, HEAD, Message, batch};
use super::peer::Peer;
use crate::harness::wire::Answer;
use crate::history::{MessageKey, Op, Phase};

const SEND_MESSAGE_V2: i32 = 310;
const SEND_BATCH_MESSAGE: i32 = 320;
const SUCCESS: i64 = 0;
/// Refusals after which the message is nowhere: busy, illegal, forbidden, no topic, bad parameter. All others may come
/// after the message was written.
const NOT_STORED: [i64; 5] = [2, 13, 16, 17, 29];
/// Delay level 1 of the default `messageDelayLevel`.
pub(super) const DELAY_MS: u64 = 1000;
/// Requests of one burst at most.
const BURST_MAX: usize = 16;
/// Messages of one batch at most.
const BATCH_MAX: usize = 16;
/// A refused producer comes back after so long.
const BACK_OFF: Duration = Duration::from_millis(20);

/// One request, and all that a second attempt needs.
struct Attempt {
    topic: Arc<str>,
    queue: u32,
    messages: Vec<Message>,
    is_batch: bool,
    is_delayed: bool,
    tries: u32,
}

pub(super) struct Producer {
    number: u32,
    random: fastrand::Rng,
    sequence: u64,
    connections: u32,
    /// Unanswered attempts that are to be made again, oldest first.
    again: Vec<Attempt>,
}

impl Producer {
    pub(super) fn new(number: u32, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { number, random, sequence: 0, connections: 0, again: Vec::new() }
    }

    /// Sends until the load ends.
    pub(super) fn run(mut self, shared: &Shared) {
        while !shared.is_over() {
            self.connections += 1;
            let process: Arc<str> = format!("p{}/{}", self.number, self.connections).into();
            if let Ok(mut peer) = Peer::open(&shared.producers_address) {
                while !shared.is_over() && self.burst(shared, &process, &mut peer).is_ok() {
                    std::thread::sleep(Duration::from_millis(self.random.u64(0..shared.options.idle_ms.max(1))));
                }
            } else {
                // The broker is away.
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Writes some requests together and waits for all answers. After an error the connection is of no use.
    fn burst(&mut self, shared: &Shared, process: &Arc<str>, peer: &mut Peer) -> Result<()> {
        let mut attempts = std::mem::take(&mut self.again);
        for _ in 0..self.random.usize(1..=BURST_MAX) {
            attempts.push(self.make(shared));
        }
        let mut open = HashMap::new();
        for attempt in attempts {
            let opaque = push(peer, shared, &attempt)?;
            shared.recorder.note(process, attempt.lines(Phase::Invoke, None, ""));
            open.insert(opaque, attempt);
        }
        let answered = peer.flush().and_then(|()| {
            while !open.is_empty() {
                let (opaque, answer) = peer.answer()?;
                if let Some(attempt) = open.remove(&opaque) {
                    self.answered(shared, process, attempt, &answer);
                }
            }
            Ok(())
        });
        if let Err(error) = &answered {
            let mut unanswered: Vec<(i64, Attempt)> = open.drain().collect();
            unanswered.sort_unstable_by_key(|(opaque, _)| *opaque);
            for (_, attempt) in unanswered {
                shared.recorder.note(process, attempt.lines(Phase::Info, None, &format!("{error:#}")));
                self.reconsider(attempt);
            }
        }
        answered
    }

    fn answered(&mut self, shared: &Shared, process: &Arc<str>, attempt: Attempt, answer: &Answer) {
        if answer.code == SUCCESS {
            let offset = answer.fields.get("queueOffset").and_then(|text| text.parse().ok());
            return shared.recorder.note(process, attempt.lines(Phase::Ok, offset, ""));
        }
        let phase = if NOT_STORED.contains(&answer.code) { Phase::Fail } else { Phase::Info };
        shared.recorder.note(process, attempt.lines(phase, None, &format!("{} {}", answer.code, answer.remark)));
        self.reconsider(attempt);
        std::thread::sleep(BACK_OFF);
    }

    /// As clients do: some give up, some try again.
    fn reconsider(&mut self, mut attempt: Attempt) {
        attempt.tries += 1;
        if attempt.tries < 3 && self.random.bool() {
            self.again.push(attempt);
        }
    }

    fn make(&mut self, shared: &Shared) -> Attempt {
        let topic = shared.topics[self.random.usize(..shared.topics.len())].clone();
        let queue = self.random.u32(..shared.options.queues);
        let kind = if shared.options.only_single { 50 } else { self.random.u32(..100) };
        let (is_batch, is_delayed) = (kind < 15, kind == 99);
        let more: &[(&str, &str)] = match kind {
            99 => &[("DELAY", "1")],
            90..99 => &[("WAIT", "false")],
            _ => &[("WAIT", "true")],
        };
        let count = if is_batch { self.random.usize(2..=BATCH_MAX) } else { 1 };
        let messages = (0..count).map(|_| self.message(is_batch, more)).collect();
        Attempt { topic, queue, messages, is_batch, is_delayed, tries: 0 }
    }

    fn message(&mut self, is_batch: bool, more: &[(&str, &str)]) -> Message {
        self.sequence += 1;
        let length = match self.random.u32(..100) {
            0..70 => self.random.usize(HEAD..1024),
            70..95 => self.random.usize(1024..8 * 1024),
            _ if is_batch => HEAD,
            _ => self.random.usize(8 * 1024..=BODY_MAX),
        };
        let key = MessageKey { producer: self.number, sequence: self.sequence };
        Message::new(key, length, more, &mut self.random)
    }
}

fn push(peer: &mut Peer, shared: &Shared, attempt: &Attempt) -> Result<i64> {
    let queue = attempt.queue.to_string();
    let born = shared.wall_clock_ms().to_string();
    let (code, properties, is_batch, body) = match attempt.messages.as_slice() {
        [message] if !attempt.is_batch => (SEND_MESSAGE_V2, message.properties.as_str(), "false", message.body.clone()),
        messages => (SEND_BATCH_MESSAGE, "WAIT\u{1}true\u{2}", "true", batch(messages)?),
    };
    let fields = [
        ("a", "soak"),
        ("b", &*attempt.topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", queue.as_str()),
        ("f", "0"),
        ("g", born.as_str()),
        ("h", "0"),
        ("i", properties),
        ("j", "0"),
        ("k", "false"),
        ("m", is_batch),
    ];
    peer.push(code, &fields, &body)
}

impl Attempt {
    /// A line for each message; those of a batch have consecutive offsets.
    fn lines(&self, phase: Phase, first_offset: Option<i64>, note: &str) -> Vec<Op> {
        // The offset of a delayed message is that of its waiting place.
        let first_offset = first_offset.filter(|_| !self.is_delayed);
        let line = |(at, message): (i64, &Message)| Op::Send {
            phase,
            topic: self.topic.clone(),
            queue: self.queue,
            message: message.key,
            hash: message.hash,
            offset: first_offset.map(|first| first + at),
            delay_ms: if self.is_delayed { DELAY_MS } else { 0 },
            note: note.to_owned(),
        };
        (0..).zip(&self.messages).map(line).collect()
    }
}
