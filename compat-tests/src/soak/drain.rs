//! Looks at every queue from outside: where it ends, and in the end at all it holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::consumer::Pull;
use super::cycle::Shared;
use super::message::records;
use super::peer::Peer;
use crate::history::{MessageKey, Op};

const GET_MAX_OFFSET: i32 = 30;
const GET_MIN_OFFSET: i32 = 31;
const SUCCESS: i64 = 0;
const PULL_NOT_FOUND: i64 = 19;
/// Delayed messages that are not there so long after the last was due are lost.
const DELAYS_END: Duration = Duration::from_secs(60);

/// Notes where every queue begins and ends.
pub(super) fn bounds(shared: &Shared) -> Result<()> {
    let process: Arc<str> = "bounds".into();
    let mut peer = Peer::open(&shared.broker_address)?;
    for topic in &shared.topics {
        for queue in 0..shared.options.queues {
            let (min, max) = ends(&mut peer, topic, queue)?;
            shared.recorder.note(&process, [Op::Bounds { topic: topic.clone(), queue, min, max }]);
        }
    }
    Ok(())
}

fn ends(peer: &mut Peer, topic: &str, queue: u32) -> Result<(i64, i64)> {
    let queue = queue.to_string();
    let mut ask = |code| -> Result<i64> {
        let answer = peer.call(code, &[("topic", topic), ("queueId", &queue)], b"")?;
        ensure!(answer.code == SUCCESS, "{topic}/{queue}: {answer:?}");
        Peer::number(&answer, "offset")
    };
    Ok((ask(GET_MIN_OFFSET)?, ask(GET_MAX_OFFSET)?))
}

/// Reads all queues to their ends, and again until every message of `delayed` was seen.
pub(super) fn drain(shared: &Shared, mut delayed: HashSet<MessageKey>) -> Result<()> {
    let process: Arc<str> = "drain".into();
    let mut peer = Peer::open(&shared.broker_address)?;
    let deadline = Instant::now() + DELAYS_END;
    let mut next: HashMap<(Arc<str>, u32), (i64, i64)> = HashMap::new();
    loop {
        for topic in &shared.topics {
            for queue in 0..shared.options.queues {
                let (min, max) = ends(&mut peer, topic, queue)?;
                let reached = next.entry((topic.clone(), queue)).or_insert((min, min));
                while reached.1 < max {
                    reached.1 = read(shared, &process, &mut peer, topic, queue, reached.1, &mut delayed)?;
                }
            }
        }
        if delayed.is_empty() || Instant::now() > deadline {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let ends = next.into_iter().map(|((topic, queue), (min, max))| Op::Drained { topic, queue, min, max });
    shared.recorder.note(&process, ends);
    Ok(())
}

/// Reads some messages from `offset` on, and returns the offset after them.
fn read(
    shared: &Shared,
    process: &Arc<str>,
    peer: &mut Peer,
    topic: &Arc<str>,
    queue: u32,
    offset: i64,
    delayed: &mut HashSet<MessageKey>,
) -> Result<i64> {
    let answer = Pull { group: "SoakDrain", topic, queue, offset, hold_ms: 0 }.ask(peer)?;
    if answer.code == PULL_NOT_FOUND {
        // A hole: the rules find it by what is missing.
        return Ok(offset + 1);
    }
    ensure!(answer.code == SUCCESS, "{topic}/{queue} at {offset}: {answer:?}");
    let found = records(&answer.body)?;
    let lines = found.into_iter().map(|stored| {
        delayed.remove(&stored.key);
        let topic = Arc::from(stored.topic);
        let (message, hash) = (stored.key, stored.hash);
        Op::Drain { topic, queue: stored.queue, offset: stored.offset, message, hash }
    });
    shared.recorder.note(process, lines);
    Ok(Peer::number(&answer, "nextBeginOffset")?.max(offset + 1))
}
