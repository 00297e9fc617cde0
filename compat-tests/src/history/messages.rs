//! Rules about single messages, and about the messages of one producer: C1 to C4, C8 on the log, C10, and C6 for what
//! nobody acknowledged.

use std::collections::HashMap;
use std::time::Duration;

use super::{Line, MessageKey, Op, Phase, Rule, Rules, Server, Verdict};

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nobody knows.
    Open,
    /// Acknowledged, at this queue offset where one was said.
    Ok(Option<i64>),
    /// Refused.
    Fail,
}

struct Attempt<'a> {
    process: &'a str,
    end: End,
}

/// All that is known of one message.
struct Story<'a> {
    topic: &'a str,
    queue: u32,
    hash: u32,
    delay_ms: u64,
    invoked_ns: u64,
    /// Position of the first invocation among the lines.
    invoked_at: usize,
    attempts: Vec<Attempt<'a>>,
    /// Offsets at which it was found in the end.
    found: Vec<i64>,
}

impl Story<'_> {
    fn is_acknowledged(&self) -> bool {
        self.attempts.iter().any(|attempt| matches!(attempt.end, End::Ok(_)))
    }

    /// Attempts that may have stored a copy.
    fn copies_possible(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.end != End::Fail).count()
    }

    /// The end of its only attempt; a message that was tried again stands where its luck left it.
    fn only_end(&self) -> Option<End> {
        match self.attempts.as_slice() {
            [attempt] if self.delay_ms == 0 => Some(attempt.end),
            _ => None,
        }
    }
}

/// The messages of a history.
#[derive(Default)]
pub(super) struct Messages<'a> {
    stories: HashMap<MessageKey, Story<'a>>,
    /// In the order of their first attempts.
    order: Vec<MessageKey>,
    kills_ns: Vec<u64>,
}

impl<'a> Messages<'a> {
    /// Puts each message's lines together.
    pub(super) fn collect(lines: &'a [Line]) -> Self {
        let mut messages = Self::default();
        for (at, line) in lines.iter().enumerate() {
            match &line.op {
                Op::Send { .. } => messages.send(at, line),
                Op::Drain { message, offset, .. } => {
                    if let Some(story) = messages.stories.get_mut(message) {
                        story.found.push(*offset);
                    }
                }
                Op::Broker { event: Server::Killed, .. } => messages.kills_ns.push(line.ns),
                _ => {}
            }
        }
        messages
    }

    fn send(&mut self, at: usize, line: &'a Line) {
        let Op::Send { phase, topic, queue, message, hash, offset, delay_ms, .. } = &line.op else { return };
        let process = &*line.process;
        if *phase == Phase::Invoke {
            let order = &mut self.order;
            let story = self.stories.entry(*message).or_insert_with(|| {
                order.push(*message);
                Story {
                    topic,
                    queue: *queue,
                    hash: *hash,
                    delay_ms: *delay_ms,
                    invoked_ns: line.ns,
                    invoked_at: at,
                    attempts: Vec::new(),
                    found: Vec::new(),
                }
            });
            story.attempts.push(Attempt { process, end: End::Open });
            return;
        }
        let Some(story) = self.stories.get_mut(message) else { return };
        let is_open = |attempt: &&mut Attempt<'_>| attempt.process == process && attempt.end == End::Open;
        let Some(attempt) = story.attempts.iter_mut().rev().find(is_open) else { return };
        match phase {
            Phase::Ok => attempt.end = End::Ok(*offset),
            Phase::Fail => attempt.end = End::Fail,
            Phase::Info | Phase::Invoke => {}
        }
    }

    /// Judges them.
    pub(super) fn check(&self, lines: &[Line], rules: &Rules, verdict: &mut Verdict) {
        let mut seen_ns: HashMap<MessageKey, u64> = HashMap::new();
        for (at, line) in lines.iter().enumerate() {
            let (Op::Read { topic, queue, offset, message, hash, .. }
            | Op::Drain { topic, queue, offset, message, hash }) = &line.op
            else {
                continue;
            };
            let place = format!("{topic}/{queue} at {offset}");
            if let Some(why) = self.phantom(message, topic, *queue, at) {
                verdict.report(Rule::Phantom, format!("line {}: {message} read from {place}: {why}", at + 1));
                continue;
            }
            let Some(story) = self.stories.get(message) else { continue };
            if story.hash != *hash {
                let hashes = format!("{hash:08x} where {:08x} was sent", story.hash);
                verdict.report(Rule::Damaged, format!("line {}: {message} read from {place}: {hashes}", at + 1));
            }
            let elapsed = Duration::from_nanos(line.ns - story.invoked_ns);
            if elapsed + rules.delay_tolerance < Duration::from_millis(story.delay_ms) {
                let when = format!("{elapsed:?} after it was sent, with a delay of {} ms", story.delay_ms);
                verdict.report(Rule::Early, format!("line {}: {message} read from {place} {when}", at + 1));
            }
            seen_ns.entry(*message).or_insert(line.ns);
        }
        for key in &self.order {
            self.check_story(key, seen_ns.get(key).copied(), verdict);
        }
        self.check_order(verdict);
        self.check_survivors(verdict);
    }

    /// Why this message cannot have been read there and then.
    fn phantom(&self, message: &MessageKey, topic: &str, queue: u32, at: usize) -> Option<String> {
        let Some(story) = self.stories.get(message) else { return Some("nobody sent it".to_owned()) };
        if (story.topic, story.queue) != (topic, queue) {
            return Some(format!("it was sent to {}/{}", story.topic, story.queue));
        }
        if story.invoked_at > at {
            return Some(format!("it was sent later, in line {}", story.invoked_at + 1));
        }
        (story.copies_possible() == 0).then(|| "every attempt to send it was refused".to_owned())
    }

    fn check_story(&self, key: &MessageKey, seen_ns: Option<u64>, verdict: &mut Verdict) {
        let Some(story) = self.stories.get(key) else { return };
        let place = format!("{}/{}", story.topic, story.queue);
        if story.found.is_empty() && story.is_acknowledged() {
            let offsets = story.attempts.iter().filter_map(|attempt| match attempt.end {
                End::Ok(Some(offset)) => Some(format!(" at {offset}")),
                _ => None,
            });
            let offsets: String = offsets.collect();
            verdict.report(Rule::Lost, format!("{key} was acknowledged in {place}{offsets} and is not there"));
        }
        if story.found.len() > 1 {
            let is_explained_by_attempts = story.found.len() <= story.copies_possible();
            let is_explained_by_crash = story.delay_ms > 0 && self.kills_ns.iter().any(|kill| *kill > story.invoked_ns);
            if is_explained_by_attempts || is_explained_by_crash {
                verdict.counts.explained_copies += story.found.len() - 1;
            } else {
                let attempts = story.attempts.len();
                let what = format!("{key} stands in {place} at {:?} after {attempts} attempts", story.found);
                verdict.report(Rule::Duplicate, what);
            }
        }
        if let Some(seen_ns) = seen_ns.filter(|_| story.delay_ms > 0) {
            let elapsed_ms = (seen_ns - story.invoked_ns) / 1_000_000;
            verdict.counts.lateness_ms.push(elapsed_ms.saturating_sub(story.delay_ms));
        }
    }

    /// C4.
    fn check_order(&self, verdict: &mut Verdict) {
        let mut last: HashMap<(u32, &str, u32), (MessageKey, i64)> = HashMap::new();
        let mut keys: Vec<&MessageKey> = self.order.iter().collect();
        keys.sort_unstable();
        for key in keys {
            let Some(story) = self.stories.get(key) else { continue };
            let Some(End::Ok(Some(offset))) = story.only_end() else { continue };
            let place = (key.producer, story.topic, story.queue);
            if let Some((before, before_offset)) = last.insert(place, (*key, offset))
                && before_offset >= offset
            {
                let what =
                    format!("{}/{}: {before} at {before_offset}, then {key} at {offset}", story.topic, story.queue);
                verdict.report(Rule::Reordered, what);
            }
        }
    }

    /// C6 for messages of which nobody knows: what a connection carried after one that is gone is gone too.
    fn check_survivors(&self, verdict: &mut Verdict) {
        let mut gone: HashMap<(&str, &str, u32), MessageKey> = HashMap::new();
        for key in &self.order {
            let Some(story) = self.stories.get(key) else { continue };
            let (Some(End::Open), [attempt]) = (story.only_end(), story.attempts.as_slice()) else { continue };
            let place = (attempt.process, story.topic, story.queue);
            if story.found.is_empty() {
                gone.entry(place).or_insert(*key);
            } else if let Some(before) = gone.get(&place) {
                let (process, topic, queue) = place;
                let what = format!("{topic}/{queue}: {key} of {process} survived {before}, which was sent before it");
                verdict.report(Rule::Hole, what);
            }
        }
    }
}
