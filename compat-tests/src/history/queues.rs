//! Rules about queues: what an offset names, what lies between the ends, what a consumer is led through. C5, C6, C8 for
//! reads, C12.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Line, MessageKey, Op, Phase, Rule, Server, Verdict};

type Place = (Arc<str>, u32);

#[derive(Default)]
struct Queue {
    /// What each offset was said to hold, and in which line first.
    named: HashMap<i64, (MessageKey, usize)>,
    /// What was found in the end.
    found: BTreeMap<i64, MessageKey>,
    /// The ends that were said to have been found.
    ends: Option<(i64, i64)>,
    /// Largest end that was ever shown, and in which line.
    shown_end: (i64, usize),
    /// Last read offset that each group has seen, plus one.
    reached: HashMap<Arc<str>, i64>,
}

/// All queues of a history.
#[derive(Default)]
pub(super) struct Queues {
    queues: HashMap<Place, Queue>,
    /// The offset that each consumer must get next.
    next: HashMap<(Arc<str>, Place), i64>,
}

impl Queues {
    /// Judges them.
    pub(super) fn check(mut self, lines: &[Line], verdict: &mut Verdict) {
        for (at, line) in lines.iter().enumerate() {
            match &line.op {
                Op::Send { phase: Phase::Ok, topic, queue, message, offset: Some(offset), .. } => {
                    self.name((topic.clone(), *queue), *offset, *message, at, verdict);
                }
                Op::Drain { topic, queue, offset, message, .. } => {
                    let place = (topic.clone(), *queue);
                    self.name(place.clone(), *offset, *message, at, verdict);
                    self.queues.entry(place).or_default().found.insert(*offset, *message);
                }
                Op::Drained { topic, queue, min, max } => {
                    self.queues.entry((topic.clone(), *queue)).or_default().ends = Some((*min, *max));
                }
                Op::Bounds { topic, queue, max, .. } => self.bounds(&(topic.clone(), *queue), *max, at, verdict),
                Op::Position { group, topic, queue, offset } => {
                    let place = (topic.clone(), *queue);
                    let reached = self.queues.entry(place.clone()).or_default().reached.get(group).copied();
                    let again = reached.map_or(0, |reached| (reached - offset).max(0));
                    verdict.counts.redelivered += usize::try_from(again).unwrap_or_default();
                    self.next.insert((line.process.clone(), place), *offset);
                }
                Op::Read { group, topic, queue, offset, message, .. } => {
                    let place = (topic.clone(), *queue);
                    self.name(place.clone(), *offset, *message, at, verdict);
                    self.read(&line.process, group, place, *offset, at, verdict);
                }
                // A consumer that outlives the broker asks anew where it stands.
                Op::Broker { event: Server::Killed | Server::Stopped, .. } => self.next.clear(),
                _ => {}
            }
        }
        let mut queues: Vec<(&Place, &Queue)> = self.queues.iter().collect();
        queues.sort_unstable_by_key(|(place, _)| *place);
        for (place, queue) in queues {
            queue.check_end(place, verdict);
        }
    }

    fn name(&mut self, place: Place, offset: i64, message: MessageKey, at: usize, verdict: &mut Verdict) {
        let (topic, number) = (place.0.clone(), place.1);
        let queue = self.queues.entry(place).or_default();
        let (first, line) = *queue.named.entry(offset).or_insert((message, at));
        if first != message {
            let what = format!(
                "{topic}/{number} at {offset}: {first} in line {}, then {message} in line {}",
                line + 1,
                at + 1
            );
            verdict.report(Rule::OffsetReused, what);
        }
    }

    fn bounds(&mut self, place: &Place, max: i64, at: usize, verdict: &mut Verdict) {
        let shown = &mut self.queues.entry(place.clone()).or_default().shown_end;
        if max >= shown.0 {
            *shown = (max, at);
            return;
        }
        let (topic, queue) = place;
        let what = format!("{topic}/{queue} ended at {} in line {}, at {max} in line {}", shown.0, shown.1 + 1, at + 1);
        verdict.report(Rule::ShownThenLost, what);
    }

    fn read(
        &mut self,
        process: &Arc<str>,
        group: &Arc<str>,
        place: Place,
        offset: i64,
        at: usize,
        verdict: &mut Verdict,
    ) {
        let (topic, queue) = place.clone();
        let reached = self.queues.entry(place.clone()).or_default().reached.entry(group.clone()).or_default();
        *reached = (*reached).max(offset + 1);
        let next = self.next.entry((process.clone(), place)).or_insert(offset);
        let where_from = || format!("line {}: {process} got {topic}/{queue} at {offset}", at + 1);
        if offset > *next {
            verdict.report(Rule::Hole, format!("{}, where {next} comes next", where_from()));
        } else if offset < *next {
            verdict.report(Rule::Duplicate, format!("{}, though it had got {} before", where_from(), *next - 1));
        }
        *next = offset + 1;
    }
}

impl Queue {
    fn check_end(&self, (topic, queue): &Place, verdict: &mut Verdict) {
        let Some((min, max)) = self.ends else { return };
        let place = format!("{topic}/{queue}");
        for offset in (min..max).filter(|offset| !self.found.contains_key(offset)) {
            verdict.report(Rule::Hole, format!("{place} at {offset} holds nothing, between {min} and {max}"));
        }
        if self.shown_end.0 > max {
            let what =
                format!("{place} ended at {} in line {}, at {max} when drained", self.shown_end.0, self.shown_end.1);
            verdict.report(Rule::ShownThenLost, what);
        }
        for (group, reached) in &self.reached {
            if *reached > max {
                let what = format!("{place}: group {group} had read up to {reached}; it ends at {max}");
                verdict.report(Rule::ShownThenLost, what);
            }
        }
    }
}
