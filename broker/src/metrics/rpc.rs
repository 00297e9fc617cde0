//! How long requests take until they are answered, by request, answer and whether they were held.
//!
//! The counters of each kind lie in several parts, one for each of a few threads, so that connections do not wait for each
//! other's cache lines; a page adds them up. Kinds are never removed: requests and answers without a name share one each.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use boostermq_remoting::code::{RequestCode, ResponseCode};
use boostermq_remoting::router::{AnswerObserver, Question};
use parking_lot::Mutex;

use super::histogram::{Histogram, Steps};
use super::millis;

/// Bounds of latencies in milliseconds (RocketMQ 5.5.0).
const LATENCIES: [u64; 9] = [1, 3, 5, 7, 10, 100, 1000, 2000, 3000];
/// Parts of each counter.
const PARTS: usize = 4;
/// Stands for all codes without a name.
const NAMELESS: i32 = i32::MIN;

/// One kind of answered request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Answered {
    request: i32,
    response: i32,
    /// It was held until there was something to answer.
    pub(crate) was_held: bool,
    /// Nothing was written back.
    pub(crate) one_way: bool,
}

impl Answered {
    /// The request's name as the label says it.
    pub(crate) fn request_name(&self) -> String {
        RequestCode(self.request).name().unwrap_or("unknown").to_ascii_lowercase()
    }

    /// The answer's name as the label says it.
    pub(crate) fn response_name(&self) -> String {
        ResponseCode(self.response).name().unwrap_or("unknown").to_ascii_lowercase()
    }
}

/// A part of a counter in cache lines of its own.
#[repr(align(128))]
#[derive(Debug)]
struct Part(Histogram);

type Parts = [Part; PARTS];

/// The counters of all kinds.
#[derive(Debug, Default)]
pub(crate) struct RpcLatencies {
    by_kind: ArcSwap<HashMap<Answered, Arc<Parts>>>,
    changing: Mutex<()>,
}

impl RpcLatencies {
    /// As many requests were answered, each after this time.
    pub(crate) fn note(&self, question: &Question, response: ResponseCode, was_held: bool, took: Duration, times: u64) {
        let kind = Answered {
            request: if RequestCode(question.code).name().is_some() { question.code } else { NAMELESS },
            response: if response.name().is_some() { response.0 } else { NAMELESS },
            was_held,
            one_way: question.one_way,
        };
        let millis = millis(took);
        let add = |parts: &Parts| {
            if let Some(Part(histogram)) = parts.get(part_of_thread()) {
                histogram.note_times(millis, times);
            }
        };
        match self.by_kind.load().get(&kind) {
            Some(parts) => add(parts),
            None => add(&self.insert(kind)),
        }
    }

    fn insert(&self, kind: Answered) -> Arc<Parts> {
        let _guard = self.changing.lock();
        let mut table = HashMap::clone(&self.by_kind.load());
        let made = || Arc::new(std::array::from_fn(|_| Part(Histogram::new(&LATENCIES))));
        let parts = table.entry(kind).or_insert_with(made).clone();
        self.by_kind.store(Arc::new(table));
        parts
    }

    /// All kinds with what is counted of each, sorted.
    pub(crate) fn all(&self) -> Vec<(Answered, Steps)> {
        let table = self.by_kind.load();
        let merged = |(kind, parts): (&Answered, &Arc<Parts>)| {
            let mut parts = parts.iter().map(|Part(histogram)| histogram.steps());
            let mut sum = parts.next()?;
            parts.for_each(|part| sum.merge(&part));
            Some((*kind, sum))
        };
        let mut all: Vec<_> = table.iter().filter_map(merged).collect();
        all.sort_by_key(|(kind, _)| *kind);
        all
    }
}

impl AnswerObserver for RpcLatencies {
    fn answered(&self, question: &Question, response: ResponseCode, took: Duration) {
        self.note(question, response, false, took, 1);
    }
}

fn part_of_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PART: Cell<usize> = Cell::new(NEXT.fetch_add(1, Ordering::Relaxed) % PARTS);
    }
    PART.get()
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::frame::HeaderCodec;

    use super::*;

    #[test]
    fn answers_are_counted_by_kind_whatever_thread_wrote_them() {
        let latencies = RpcLatencies::default();
        let question = |code, one_way| Question { code, opaque: 1, codec: HeaderCodec::Json, one_way };
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope
                    .spawn(|| latencies.note(&question(11, false), ResponseCode(19), true, Duration::from_secs(15), 1));
            }
        });
        latencies.note(&question(310, true), ResponseCode::SUCCESS, false, Duration::from_micros(1900), 20);
        // Whatever somebody asks for, there is one kind for it.
        for code in 70_000..70_100 {
            latencies.answered(&question(code, false), ResponseCode(code), Duration::ZERO);
        }
        let seen: Vec<_> = latencies
            .all()
            .into_iter()
            .map(|(kind, steps)| {
                (kind.request_name(), kind.response_name(), kind.was_held, kind.one_way, steps.count(), steps.sum)
            })
            .collect();
        let expected = [
            ("unknown".to_owned(), "unknown".to_owned(), false, false, 100, 0),
            ("pull_message".to_owned(), "pull_not_found".to_owned(), true, false, 6, 90_000),
            ("send_message_v2".to_owned(), "success".to_owned(), false, true, 20, 20),
        ];
        assert_eq!(seen, expected);
    }
}
