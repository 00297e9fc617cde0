//! How slow the machine is: a small file is written and synced over and over. What a broker cannot have written for the
//! disk's sake, or because no processor was free, is not its fault.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const PAUSE_MS: u64 = 50;
const PAUSE: Duration = Duration::from_millis(PAUSE_MS);

/// A thread that writes and syncs.
pub(super) struct Probe {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    began: Instant,
    is_over: AtomicBool,
    /// When the round that is under way began, in ms since `began`: a sync and a pause.
    under_way_since_ms: AtomicU64,
    /// By how much the longest round since it was last asked was longer than its pause, ms.
    worst_ms: AtomicU64,
}

impl Probe {
    /// Starts on a file of its own in `folder`.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let path = folder.join("probe");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        let shared = Arc::new(Shared {
            began: Instant::now(),
            is_over: AtomicBool::new(false),
            under_way_since_ms: AtomicU64::new(0),
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
                    std::thread::sleep(PAUSE);
                    shared.worst_ms.fetch_max(shared.over_ms(), Ordering::AcqRel);
                }
            }
        });
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The longest that a sync, or a pause beyond its time, took since this was last asked, in ms; one that is under way counts.
    pub(super) fn worst_ms(&self) -> u64 {
        self.shared.worst_ms.swap(0, Ordering::AcqRel).max(self.shared.over_ms())
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// By how much the round that is under way is longer than its pause, in ms.
    fn over_ms(&self) -> u64 {
        let took_ms = self.now_ms().saturating_sub(self.under_way_since_ms.load(Ordering::Acquire));
        took_ms.saturating_sub(PAUSE_MS)
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
