//! Each rule red and green on short histories, and the mutations that a broken broker would make.

use std::sync::Arc;
use std::time::Duration;

use super::*;

const RULES: Rules = Rules { persist_interval: Duration::from_millis(100), delay_tolerance: Duration::from_millis(2) };

/// A history written a word at a time, each line a millisecond after the one before.
#[derive(Clone, Default)]
struct History(Vec<Line>, u64);

impl History {
    fn line(mut self, process: &str, op: Op) -> Self {
        let pause_ms = std::mem::take(&mut self.1) + 1;
        let ns = self.0.last().map_or(0, |line| line.ns) + pause_ms * 1_000_000;
        self.0.push(Line { ns, process: Arc::from(process), op });
        self
    }

    fn later(mut self, ms: u64) -> Self {
        self.1 += ms;
        self
    }

    fn send(self, sequence: u64, phase: Phase, offset: Option<i64>) -> Self {
        self.send_by("p1/1", sequence, phase, offset, 0)
    }

    fn send_by(self, process: &str, sequence: u64, phase: Phase, offset: Option<i64>, delay_ms: u64) -> Self {
        let message = MessageKey { producer: 1, sequence };
        let op = Op::Send {
            phase,
            topic: Arc::from("T"),
            queue: 0,
            message,
            hash: 7,
            offset,
            delay_ms,
            note: String::new(),
        };
        self.line(process, op)
    }

    fn sent(self, sequence: u64, offset: i64) -> Self {
        self.send(sequence, Phase::Invoke, None).send(sequence, Phase::Ok, Some(offset))
    }

    fn unknown(self, process: &str, sequence: u64) -> Self {
        self.send_by(process, sequence, Phase::Invoke, None, 0).send_by(process, sequence, Phase::Info, None, 0)
    }

    fn found(self, topic: &str, sequence: u64, offset: i64, hash: u32) -> Self {
        let message = MessageKey { producer: 1, sequence };
        self.line("drain", Op::Drain { topic: Arc::from(topic), queue: 0, offset, message, hash })
    }

    /// The queue as it is found in the end: these messages from offset 0 on.
    fn drained(mut self, sequences: &[u64]) -> Self {
        let count = sequences.len() as i64;
        for (offset, sequence) in (0..).zip(sequences) {
            self = self.found("T", *sequence, offset, 7);
        }
        self.line("drain", Op::Drained { topic: Arc::from("T"), queue: 0, min: 0, max: count })
    }

    fn read(self, sequence: u64, offset: i64) -> Self {
        let message = MessageKey { producer: 1, sequence };
        let op = Op::Read { group: Arc::from("G"), topic: Arc::from("T"), queue: 0, offset, message, hash: 7 };
        self.line("c1/1", op)
    }

    fn position(self, offset: i64) -> Self {
        self.line("c1/1", Op::Position { group: Arc::from("G"), topic: Arc::from("T"), queue: 0, offset })
    }

    fn bounds(self, max: i64) -> Self {
        self.line("check", Op::Bounds { topic: Arc::from("T"), queue: 0, min: 0, max })
    }

    fn commit(self, phase: Phase, offset: i64) -> Self {
        self.line("c1/1", Op::Commit { phase, group: Arc::from("G"), topic: Arc::from("T"), queue: 0, offset })
    }

    fn committed(self, offset: i64) -> Self {
        self.line("c1/1", Op::Committed { group: Arc::from("G"), topic: Arc::from("T"), queue: 0, offset })
    }

    fn broker(self, event: Server) -> Self {
        self.line("broker", Op::Broker { event, stalled_ms: 0, took_ms: 0 })
    }
}

#[track_caller]
fn assert_broken(case: &str, history: History, expected: &[Rule]) {
    let verdict = check(&history.0, &RULES);
    let mut broken: Vec<Rule> = verdict.violations.iter().map(|violation| violation.rule).collect();
    broken.dedup();
    assert_eq!(broken, expected, "{case}: {:#?}", verdict.violations);
}

fn empty() -> History {
    History::default()
}

#[test]
fn sends_and_what_is_found() {
    let three = || empty().sent(1, 0).sent(2, 1).sent(3, 2);
    for (case, history, expected) in [
        ("all there", three().drained(&[1, 2, 3]), &[][..]),
        ("the last one lost", three().drained(&[1, 2]), &[Rule::Lost]),
        ("all lost", three().drained(&[]), &[Rule::Lost]),
        ("never drained", three(), &[Rule::Lost]),
        ("one dropped, the next in its place", three().drained(&[1, 3]), &[Rule::Lost, Rule::OffsetReused]),
        ("nobody sent it", three().drained(&[1, 2, 3, 9]), &[Rule::Phantom]),
        ("sent elsewhere", three().drained(&[1, 2, 3]).found("U", 1, 0, 7), &[Rule::Phantom, Rule::Duplicate]),
        ("read before it was sent", empty().read(1, 0).sent(1, 0).drained(&[1]), &[Rule::Phantom]),
        (
            "refused, yet there",
            empty().send(1, Phase::Invoke, None).send(1, Phase::Fail, None).drained(&[1]),
            &[Rule::Phantom],
        ),
        ("refused and not there", empty().send(1, Phase::Invoke, None).send(1, Phase::Fail, None).drained(&[]), &[]),
        ("unknown and there", empty().unknown("p1/1", 1).drained(&[1]), &[]),
        ("unknown and not there", empty().unknown("p1/1", 1).drained(&[]), &[]),
        ("another body", empty().sent(1, 0).found("T", 1, 0, 8), &[Rule::Damaged]),
    ] {
        assert_broken(case, history, expected);
    }
}

#[test]
fn order_and_offsets() {
    for (case, history, expected) in [
        ("swapped", empty().sent(1, 1).sent(2, 0).drained(&[2, 1]), &[Rule::Reordered][..]),
        ("swapped answers", empty().sent(1, 1).sent(2, 0).drained(&[1, 2]), &[Rule::Reordered, Rule::OffsetReused]),
        (
            "minted twice",
            empty().sent(1, 0).broker(Server::Killed).sent(2, 0).drained(&[2]),
            &[Rule::Lost, Rule::Reordered, Rule::OffsetReused],
        ),
        (
            "read at an offset of another",
            empty().sent(1, 0).read(2, 0).drained(&[1]),
            &[Rule::Phantom, Rule::OffsetReused],
        ),
        ("tried again, and so out of order", empty().unknown("p1/1", 1).sent(2, 0).sent(1, 1).drained(&[2, 1]), &[]),
    ] {
        assert_broken(case, history, expected);
    }
}

#[test]
fn holes() {
    let gap = empty()
        .sent(1, 0)
        .sent(2, 2)
        .found("T", 1, 0, 7)
        .found("T", 2, 2, 7)
        .line("drain", Op::Drained { topic: Arc::from("T"), queue: 0, min: 0, max: 3 });
    let tail = |second: &str| empty().unknown("p1/1", 1).unknown(second, 2);
    for (case, history, expected) in [
        ("nothing at an offset", gap, &[Rule::Hole][..]),
        ("a later one survives", tail("p1/1").drained(&[2]), &[Rule::Hole]),
        ("a later one of another connection survives", tail("p1/2").drained(&[2]), &[]),
        ("the earlier one survives", tail("p1/1").drained(&[1]), &[]),
        (
            "a consumer is led past one",
            empty().sent(1, 0).sent(2, 1).position(0).read(2, 1).drained(&[1, 2]),
            &[Rule::Hole],
        ),
    ] {
        assert_broken(case, history, expected);
    }
}

#[test]
fn progress_of_groups() {
    let stored = || empty().commit(Phase::Invoke, 5).commit(Phase::Ok, 5);
    let again = || stored().later(200).commit(Phase::Invoke, 9).commit(Phase::Ok, 9);
    for (case, history, expected) in [
        ("nothing stored", empty().committed(-1).committed(0), &[][..]),
        ("nothing stored, something said", empty().committed(3), &[Rule::CommitLost]),
        ("as stored", again().committed(9).committed(9), &[]),
        ("fallen back", again().committed(5), &[Rule::CommitLost]),
        ("fallen back after a clean stop", again().broker(Server::Stopped).committed(5), &[Rule::CommitLost]),
        ("fallen back after a kill", again().broker(Server::Killed).committed(5), &[]),
        ("kept over a kill", again().broker(Server::Killed).committed(9), &[]),
        ("fallen back too far", again().broker(Server::Killed).committed(0), &[Rule::CommitLost]),
        ("fallen back late", again().later(200).broker(Server::Killed).committed(5), &[Rule::CommitLost]),
        ("fallen back twice", again().broker(Server::Killed).committed(5).committed(0), &[Rule::CommitLost]),
        (
            "fallen back late, on a slow disk",
            again()
                .later(200)
                .line("broker", Op::Broker { event: Server::Killed, stalled_ms: 20, took_ms: 0 })
                .committed(5),
            &[],
        ),
        (
            "two kills before somebody asks",
            again().broker(Server::Killed).later(300).broker(Server::Killed).committed(5),
            &[],
        ),
        (
            "confirmed just before a kill, read just after",
            stored().later(300).commit(Phase::Invoke, 9).broker(Server::Killed).commit(Phase::Ok, 9).committed(5),
            &[],
        ),
        ("no answer, done", stored().commit(Phase::Invoke, 9).commit(Phase::Info, 9).committed(9), &[]),
        ("no answer, not done", stored().commit(Phase::Invoke, 9).commit(Phase::Info, 9).committed(5), &[]),
        (
            "refused, yet done",
            stored().commit(Phase::Invoke, 9).commit(Phase::Fail, 9).committed(9),
            &[Rule::CommitLost],
        ),
    ] {
        assert_broken(case, history, expected);
    }
}

#[test]
fn duplicates() {
    let twice = || empty().unknown("p1/1", 1).send_by("p1/2", 1, Phase::Invoke, None, 0);
    let delayed =
        || empty().send_by("p1/1", 1, Phase::Invoke, None, 5).send_by("p1/1", 1, Phase::Ok, None, 5).later(20);
    let consumed = || empty().sent(1, 0).sent(2, 1).position(0).read(1, 0).read(2, 1);
    for (case, history, expected) in [
        ("two attempts, two copies", twice().send_by("p1/2", 1, Phase::Ok, Some(1), 0).drained(&[1, 1]), &[][..]),
        ("one attempt, two copies", empty().sent(1, 0).drained(&[1, 1]), &[Rule::Duplicate]),
        ("one of two refused", twice().send_by("p1/2", 1, Phase::Fail, None, 0).drained(&[1, 1]), &[Rule::Duplicate]),
        ("delivered again after a kill", delayed().broker(Server::Killed).drained(&[1, 1]), &[]),
        ("delivered again after a clean stop", delayed().broker(Server::Stopped).drained(&[1, 1]), &[Rule::Duplicate]),
        ("read again without reason", consumed().read(2, 1).drained(&[1, 2]), &[Rule::Duplicate]),
        ("read again from the front", consumed().position(0).read(1, 0).drained(&[1, 2]), &[]),
    ] {
        assert_broken(case, history, expected);
    }
    let verdict = check(&consumed().position(1).read(2, 1).drained(&[1, 2]).0, &RULES);
    assert_eq!((verdict.counts.redelivered, verdict.counts.reads), (1, 3));
}

#[test]
fn time_and_what_was_shown() {
    let delayed = || empty().send_by("p1/1", 1, Phase::Invoke, None, 50).send_by("p1/1", 1, Phase::Ok, None, 50);
    for (case, history, expected) in [
        ("in time", delayed().later(60).drained(&[1]), &[][..]),
        ("early", delayed().later(10).drained(&[1]), &[Rule::Early]),
        ("never", delayed().later(60).drained(&[]), &[Rule::Lost]),
        ("read and gone", empty().unknown("p1/1", 1).read(1, 0).drained(&[]), &[Rule::ShownThenLost]),
        ("an end falls", empty().bounds(2).bounds(1).drained(&[]), &[Rule::ShownThenLost]),
        ("the last end falls", empty().bounds(1).drained(&[]), &[Rule::ShownThenLost]),
        ("an end rises", empty().sent(1, 0).bounds(0).bounds(1).drained(&[1]), &[]),
    ] {
        let verdict = check(&history.0, &RULES);
        let mut broken: Vec<Rule> = verdict.violations.iter().map(|violation| violation.rule).collect();
        broken.dedup();
        assert_eq!(broken, expected, "{case}: {:#?}", verdict.violations);
    }
    assert_eq!(check(&delayed().later(60).drained(&[1]).0, &RULES).counts.lateness_ms.len(), 1);
}

#[test]
fn lines_survive_json() {
    let history = empty().sent(1, 0).later(3).read(1, 0).commit(Phase::Info, 1).broker(Server::Killed).drained(&[1]);
    for line in &history.0 {
        let text = serde_json::to_string(line).unwrap();
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), *line, "{text}");
    }
    let text = serde_json::to_string(&history.0[1]).unwrap();
    assert!(text.contains(r#""op":"send","phase":"ok""#) && text.contains(r#""producer":1,"sequence":1"#), "{text}");
}
