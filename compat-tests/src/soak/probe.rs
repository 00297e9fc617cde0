//! How slow the disk is: a small file is written and synced over and over. What a broker cannot have written for the
//! disk's sake is not its fault.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const PAUSE: Duration = Duration::from_millis(50);

/// A thread that writes and syncs.
pub(super) struct Probe {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    began: Instant,
    is_over: AtomicBool,
    /// When the sync that is under way began, in ms since `began`; [`NONE`] when there is none.
    under_way_since_ms: AtomicU64,
    /// Longest sync that ended since it was last asked, ms.
    worst_ms: AtomicU64,
}

const NONE: u64 = u64::MAX;

impl Probe {
    /// Starts on a file of its own in `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let path = folder.join("probe");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let shared = Arc::new(Shared {
            began: Instant::now(),
            is_over: AtomicBool::new(false),
            under_way_since_ms: AtomicU64::new(NONE),
            worst_ms: AtomicU64::new(0),
        });
        let thread = std::thread::spawn({
            let shared = shared.clone();
            move || {
                while !shared.is_over.load(Ordering::Acquire) {
                    let began_ms = shared.now_ms();
                    shared.under_way_since_ms.store(began_ms, Ordering::Release);
                    // A disk that fails is noticed elsewhere.
                    let _ = file.write_all_at(&began_ms.to_be_bytes(), 0).and_then(|()| file.sync_all());
                    shared.worst_ms.fetch_max(shared.now_ms() - began_ms, Ordering::AcqRel);
                    shared.under_way_since_ms.store(NONE, Ordering::Release);
                    std::thread::sleep(PAUSE);
                }
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The longest that a sync took since this was last asked, in ms; one that is under way counts.
    pub(super) fn worst_ms(&self) -> u64 {
        let ended = self.shared.worst_ms.swap(0, Ordering::AcqRel);
        match self.shared.under_way_since_ms.load(Ordering::Acquire) {
            NONE => ended,
            since => ended.max(self.shared.now_ms().saturating_sub(since)),
        }
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NONE - 1)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
