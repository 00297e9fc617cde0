//! One life of a store, by chance: what it was asked, what it answered, and what it did to its disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::Seeded;
use super::history::{GONE, LIGHT, QUEUES, Sent, clock_at, send, send_to_gone, settle};
use crate::clock::{Clock, ManualClock};
use crate::io::watch::{Step, Watch};
use crate::{FlushMode, FlushOutcome, MessageStore, RetentionOptions, StoreOptions};
use boostermq_remoting::names::QueueId;
use boostermq_remoting::offsets::PhysicalOffset;

const START_MS: i64 = 1_700_000_000_000;
/// Nothing in these tests takes as long.
const FOREVER: Duration = Duration::from_secs(3600);

/// What kind of store lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) mode: FlushMode,
    pub(crate) file_size: u64,
    /// Whether old messages may go when the disk seems full.
    pub(crate) deletes: bool,
    /// Whether messages stand in light queues, too, and records end in a checksum, which is verified.
    pub(crate) has_marks: bool,
}

impl Kind {
    /// Stores with files of a few pages.
    pub(crate) fn any(seeded: &mut Seeded) -> Self {
        Self {
            mode: if seeded.happens(60) { FlushMode::Sync } else { FlushMode::Async },
            file_size: [8192, 12288, 20480][seeded.index(3)],
            deletes: true,
            has_marks: seeded.happens(50),
        }
    }

    /// Files of ten units and few index entries; nothing happens by time.
    pub(crate) fn options(self, root: &Path) -> StoreOptions {
        let retention = RetentionOptions {
            batch_max: 1,
            may_force: self.deletes,
            log_pause: Duration::ZERO,
            queue_pause: Duration::ZERO,
            ..RetentionOptions::default()
        };
        StoreOptions {
            retention,
            commit_log_file_size: self.file_size,
            consume_queue_file_size: 200,
            consume_queue_open_files: 16,
            flush_mode: self.mode,
            flush_interval: FOREVER,
            queue_flush_interval: FOREVER,
            queue_flush_thorough_interval: FOREVER,
            index_slots: 8,
            index_entries: 24,
            disk_warning_ratio: 101,
            light_queues: self.has_marks,
            checksum_appended: self.has_marks,
            checksum_verified: self.has_marks,
            ..StoreOptions::new(root)
        }
    }
}

/// What a life left.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) steps: Vec<Step>,
    /// What was sent in it, and what was there before.
    pub(crate) sent: Vec<Sent>,
    /// What was taken away when: steps there were before, and where the log began after.
    pub(crate) trims: Vec<(usize, i64)>,
    pub(crate) now_ms: i64,
}

/// Opens a store as all these tests do.
pub(crate) fn open(kind: Kind, root: &Path, clock: &Arc<ManualClock>) -> Result<MessageStore, String> {
    MessageStore::open(kind.options(root), Arc::clone(clock) as Arc<dyn Clock>).map_err(|error| error.to_string())
}

/// A store that lives.
struct Living<'a> {
    kind: Kind,
    root: &'a Path,
    watch: Arc<Watch>,
    clock: Arc<ManualClock>,
    store: Option<MessageStore>,
    sent: Vec<Sent>,
    trims: Vec<(usize, i64)>,
}

/// Lives for `acts` acts on what stands under `root`, which holds `sent`.
pub(crate) fn live(
    kind: Kind,
    root: &Path,
    sent: Vec<Sent>,
    now_ms: i64,
    acts: usize,
    seeded: &mut Seeded,
) -> Result<Life, String> {
    let watch = Watch::new(root);
    let clock = clock_at(now_ms.max(START_MS));
    let store = Some(open(kind, root, &clock)?);
    let mut living = Living { kind, root, watch, clock, store, sent, trims: Vec::new() };
    for _ in 0..acts {
        living.act(seeded)?;
    }
    match seeded.below(3) {
        0 => living.store().close().map_err(|error| error.to_string())?,
        _ => living.store = None,
    }
    let Living { watch, clock, sent, trims, .. } = living;
    Ok(Life { steps: watch.steps(), sent, trims, now_ms: clock.now_ms() })
}

impl Living<'_> {
    fn store(&self) -> &MessageStore {
        self.store.as_ref().unwrap()
    }

    fn act(&mut self, seeded: &mut Seeded) -> Result<(), String> {
        self.clock.advance(seeded.below(3000) as i64);
        match seeded.below(100) {
            0..60 => self.send(seeded)?,
            60..64 => self.trim(),
            64..66 => send_to_gone(self.store(), seeded)?,
            66 => {
                settle(self.store());
                self.note_visible();
                self.store().delete_topic(GONE).map_err(|error| error.to_string())?;
            }
            67..76 => {
                self.store().dispatch_now();
                self.note_visible();
            }
            76..84 => self.store().house_flush(false)?,
            84..90 => {
                let before = self.sent.len();
                self.store().flush().map_err(|error| error.to_string())?;
                self.keep(before, |_| true);
            }
            90..95 => {
                settle(self.store());
                self.note_visible();
                self.store = None;
                self.store = Some(open(self.kind, self.root, &self.clock)?);
            }
            _ => {
                self.store().close().map_err(|error| error.to_string())?;
                self.keep(self.sent.len(), |_| true);
                self.store = None;
                self.store = Some(open(self.kind, self.root, &self.clock)?);
            }
        }
        Ok(())
    }

    fn send(&mut self, seeded: &mut Seeded) -> Result<(), String> {
        let began = self.watch.len();
        let count = 1 + seeded.index(4);
        let sent = send(self.store(), seeded, count, began)?;
        let end = PhysicalOffset(sent.last().map_or(0, Sent::end));
        self.sent.extend(sent);
        let is_awaited = match self.kind.mode {
            FlushMode::Sync => seeded.happens(75),
            FlushMode::Async => seeded.happens(5),
        };
        if is_awaited {
            let (tell, told) = mpsc::channel();
            let done = Box::new(move |outcome| tell.send(outcome).unwrap());
            self.store().when_flushed(end, Instant::now() + FOREVER, done);
            let outcome = told.recv().unwrap();
            if outcome != FlushOutcome::Flushed {
                return Err(format!("waiting for {end}: {outcome:?}"));
            }
            self.keep(self.sent.len(), |sent| sent.end() <= end.0);
        }
        Ok(())
    }

    /// Deletes the oldest file of the log, if it may go.
    fn trim(&mut self) {
        settle(self.store());
        self.note_visible();
        let began = self.watch.len();
        if self.store().retention().look_as_if_used(90) > 0 {
            self.trims.push((began, self.store().min_physical_offset().0));
        }
    }

    /// From now on these messages may not be lost.
    fn keep(&mut self, before: usize, is_kept: impl Fn(&Sent) -> bool) {
        let now = self.watch.len();
        for sent in self.sent.iter_mut().take(before).filter(|sent| is_kept(sent)) {
            sent.kept.get_or_insert(now);
        }
    }

    /// Under SYNC_FLUSH nobody sees a message that could still be lost.
    fn note_visible(&mut self) {
        if self.kind.mode != FlushMode::Sync {
            return;
        }
        for (topic, queue_id) in QUEUES.into_iter().chain(LIGHT.map(|name| (name, 0))) {
            let max = self.store().max_queue_offset(topic, QueueId(queue_id)).0;
            self.keep(self.sent.len(), |sent| {
                sent.topic == topic && sent.queue_id == queue_id && sent.queue_offset < max
            });
        }
    }
}
