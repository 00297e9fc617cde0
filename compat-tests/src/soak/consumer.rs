//! A consumer: reads every queue in the name of one group and stores how far it has come.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::cycle::Shared;
use super::message::records;
use super::peer::Peer;
use crate::harness::wire::Answer;
use crate::history::{Op, Phase};

const PULL_MESSAGE: i32 = 11;
const QUERY_CONSUMER_OFFSET: i32 = 14;
const UPDATE_CONSUMER_OFFSET: i32 = 15;
const SUCCESS: i64 = 0;
const PULL_NOT_FOUND: i64 = 19;
const PULL_RETRY_IMMEDIATELY: i64 = 20;
const PULL_OFFSET_MOVED: i64 = 21;
const QUERY_NOT_FOUND: i64 = 22;
/// Bits of a pull's `sysFlag`: may be held, carries the subscription.
const HELD: u32 = 2;
const SUBSCRIPTION: u32 = 4;

/// How a pull is asked.
pub(super) struct Pull<'a> {
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) queue: u32,
    pub(super) offset: i64,
    /// How long it may be held; 0 for not at all.
    pub(super) hold_ms: u32,
}

impl Pull<'_> {
    pub(super) fn ask(&self, peer: &mut Peer) -> Result<Answer> {
        let (queue, offset, hold) = (self.queue.to_string(), self.offset.to_string(), self.hold_ms.to_string());
        let flag = if self.hold_ms > 0 { SUBSCRIPTION | HELD } else { SUBSCRIPTION }.to_string();
        let fields = [
            ("consumerGroup", self.group),
            ("topic", self.topic),
            ("queueId", &queue),
            ("queueOffset", &offset),
            ("maxMsgNums", "32"),
            ("sysFlag", &flag),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", &hold),
            ("subscription", "*"),
            ("subVersion", "0"),
            ("expressionType", "TAG"),
        ];
        peer.call(PULL_MESSAGE, &fields, b"")
    }
}

pub(super) struct Consumer {
    group: Arc<str>,
    random: fastrand::Rng,
    connections: u32,
}

/// Where a consumer stands in one queue.
struct Place {
    topic: Arc<str>,
    queue: u32,
    next: i64,
    stored: i64,
}

impl Consumer {
    pub(super) fn new(group: Arc<str>, seed: u64) -> Self {
        Self { group, random: fastrand::Rng::with_seed(seed), connections: 0 }
    }

    /// Reads until the load ends.
    pub(super) fn run(mut self, shared: &Shared) {
        while !shared.is_over() {
            self.connections += 1;
            let process: Arc<str> = format!("{}/{}", self.group, self.connections).into();
            // An error ends the connection; what it was about stands in the history, or the broker is away.
            if self.session(shared, &process).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn session(&mut self, shared: &Shared, process: &Arc<str>) -> Result<()> {
        let mut peer = Peer::open(&shared.broker_address)?;
        let mut places = Vec::new();
        for topic in &shared.topics {
            for queue in 0..shared.options.queues {
                places.push(self.begin(shared, process, &mut peer, topic.clone(), queue)?);
            }
        }
        while !shared.is_over() {
            for place in &mut places {
                self.read(shared, process, &mut peer, place)?;
                if place.next > place.stored && self.random.u32(..3) == 0 {
                    self.store(shared, process, &mut peer, place)?;
                }
            }
            std::thread::sleep(Duration::from_millis(self.random.u64(0..10)));
        }
        Ok(())
    }

    /// Asks where the group stands.
    fn begin(
        &self,
        shared: &Shared,
        process: &Arc<str>,
        peer: &mut Peer,
        topic: Arc<str>,
        queue: u32,
    ) -> Result<Place> {
        let number = queue.to_string();
        let fields = [("consumerGroup", &*self.group), ("topic", &*topic), ("queueId", &number)];
        let answer = peer.call(QUERY_CONSUMER_OFFSET, &fields, b"")?;
        let offset = match answer.code {
            SUCCESS => Peer::number(&answer, "offset")?,
            QUERY_NOT_FOUND => -1,
            _ => bail!("{answer:?}"),
        };
        let (group, next) = (self.group.clone(), offset.max(0));
        shared.recorder.note(
            process,
            [
                Op::Committed { group: group.clone(), topic: topic.clone(), queue, offset },
                Op::Position { group, topic: topic.clone(), queue, offset: next },
            ],
        );
        Ok(Place { topic, queue, next, stored: next })
    }

    fn read(&mut self, shared: &Shared, process: &Arc<str>, peer: &mut Peer, place: &mut Place) -> Result<()> {
        let hold_ms = if self.random.u32(..8) == 0 { 50 } else { 0 };
        let pull = Pull { group: &self.group, topic: &place.topic, queue: place.queue, offset: place.next, hold_ms };
        let answer = pull.ask(peer)?;
        match answer.code {
            SUCCESS => {}
            PULL_NOT_FOUND | PULL_RETRY_IMMEDIATELY => return Ok(()),
            PULL_OFFSET_MOVED => {
                place.next = Peer::number(&answer, "nextBeginOffset")?;
                let (group, topic) = (self.group.clone(), place.topic.clone());
                let op = Op::Position { group, topic, queue: place.queue, offset: place.next };
                shared.recorder.note(process, [op]);
                return Ok(());
            }
            _ => bail!("{answer:?}"),
        }
        let found = records(&answer.body)?;
        // Topic, queue and offset are the record's own: a record of another queue is for the rules to see.
        let lines: Vec<Op> = found
            .into_iter()
            .map(|stored| Op::Read {
                group: self.group.clone(),
                topic: stored.topic.into(),
                queue: stored.queue,
                offset: stored.offset,
                message: stored.key,
                hash: stored.hash,
            })
            .collect();
        shared.recorder.note(process, lines);
        place.next = Peer::number(&answer, "nextBeginOffset")?;
        Ok(())
    }

    /// Stores how far the group has come.
    fn store(&self, shared: &Shared, process: &Arc<str>, peer: &mut Peer, place: &mut Place) -> Result<()> {
        let line = |phase| Op::Commit {
            phase,
            group: self.group.clone(),
            topic: place.topic.clone(),
            queue: place.queue,
            offset: place.next,
        };
        shared.recorder.note(process, [line(Phase::Invoke)]);
        let (queue, offset) = (place.queue.to_string(), place.next.to_string());
        let fields =
            [("consumerGroup", &*self.group), ("topic", &*place.topic), ("queueId", &queue), ("commitOffset", &offset)];
        match peer.call(UPDATE_CONSUMER_OFFSET, &fields, b"") {
            Ok(answer) if answer.code == SUCCESS => shared.recorder.note(process, [line(Phase::Ok)]),
            Ok(answer) => {
                shared.recorder.note(process, [line(Phase::Info)]);
                bail!("{answer:?}");
            }
            Err(error) => {
                shared.recorder.note(process, [line(Phase::Info)]);
                return Err(error);
            }
        }
        place.stored = place.next;
        Ok(())
    }
}
