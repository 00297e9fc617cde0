//! What the store is told: plain values, resolved from configuration by whoever opens it.
//!
//! Owns the defaults of RocketMQ 5.5.0 for these values and nothing of keys, files or parsing.
//!
//! Upstream: `MessageStoreConfig`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::commit_log::Check;
use crate::consume_queue::RecordMarks;
use crate::retention::RetentionOptions;

/// When an appended message counts as kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlushMode {
    /// When it is in the page cache; it reaches the disk a little later (`ASYNC_FLUSH`).
    #[default]
    Async,
    /// When it is on disk; nobody can read it before (`SYNC_FLUSH`).
    Sync,
}

/// Everything a [`crate::MessageStore`] is configured by. Keys in parentheses are upstream's.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Folder of `abort`, `checkpoint` and `lock` (`storePathRootDir`).
    pub root: PathBuf,
    /// Folder of the log's files (`storePathCommitLog`).
    pub commit_log_dir: PathBuf,
    /// Folder of the consume queues; upstream has no key for it.
    pub consume_queue_dir: PathBuf,
    /// Folder of the index files; upstream has no key for it.
    pub index_dir: PathBuf,
    /// Bytes of one file of the log (`mappedFileSizeCommitLog`).
    pub commit_log_file_size: u64,
    /// Bytes of one file of a consume queue, rounded up to whole units (`mappedFileSizeConsumeQueue`).
    pub consume_queue_file_size: u64,
    /// Bytes of one extension file of a consume queue (`mappedFileSizeConsumeQueueExt`).
    pub extension_file_size: u64,
    /// Whether extension files are written (`enableConsumeQueueExt`). Those that are there are always read.
    pub extension_enabled: bool,
    /// Most open files of consume queues.
    pub consume_queue_open_files: usize,
    /// When a message counts as kept (`flushDiskType`).
    pub flush_mode: FlushMode,
    /// How often the log is flushed under [`FlushMode::Async`] (`flushIntervalCommitLog`).
    pub flush_interval: Duration,
    /// Pages of 4 KiB that make a flush worthwhile (`flushCommitLogLeastPages`).
    pub flush_least_pages: u32,
    /// After this time any number of pages is flushed (`flushCommitLogThoroughInterval`).
    pub flush_thorough_interval: Duration,
    /// How often consume queues are written (`flushIntervalConsumeQueue`).
    pub queue_flush_interval: Duration,
    /// How often consume queues are forced to disk (`flushConsumeQueueThoroughInterval`).
    pub queue_flush_thorough_interval: Duration,
    /// Whether recovery compares bodies with their CRC (`checkCRCOnRecover`).
    pub check_crc_on_recover: bool,
    /// Whether records end in a checksum over all of them (`enabledAppendPropCRC`).
    pub checksum_appended: bool,
    /// Whether that checksum is looked at where a record's content is, instead of that of the body; the body where there is none
    /// (`forceVerifyPropCRC`).
    pub checksum_verified: bool,
    /// Whether messages are put into the light queues they name (`enableLmq` and `enableMultiDispatch`).
    pub light_queues: bool,
    /// Most light queues; `None` without a limit (`maxLmqConsumeQueueNum`, where `enableLmqQuota`).
    pub light_queues_max: Option<u32>,
    /// An append that would wait longer for another one is refused as busy (`osPageCacheBusyTimeOutMills`).
    pub busy_after: Duration,
    /// Largest body in bytes (`maxMessageSize`). Checked by the broker; here it bounds what is read at once.
    pub max_message_size: u32,
    /// Whether there is an index at all (`messageIndexEnable`).
    pub index_enabled: bool,
    /// Hash slots of an index file (`maxHashSlotNum`).
    pub index_slots: u32,
    /// Entries of an index file, the unused first included (`maxIndexNum`).
    pub index_entries: u32,
    /// Most messages of an answer to a query (`maxMsgsNumBatch`).
    pub query_max_messages: u32,
    /// Delays of the levels 1, 2, … (`messageDelayLevel`).
    pub delay_levels: Vec<Duration>,
    /// Share of the memory, in percent, up to which the newest part of the log counts as cached
    /// (`accessMessageInMemoryMaxRatio`).
    pub memory_max_ratio: u32,
    /// Bytes of memory in the machine, which that share is of.
    pub physical_memory: u64,
    /// Most bytes of one pull from cached parts of the log (`maxTransferBytesOnMessageInMemory`).
    pub transfer_bytes_in_memory: u32,
    /// Most messages of one pull from cached parts of the log (`maxTransferCountOnMessageInMemory`).
    pub transfer_count_in_memory: u32,
    /// Most bytes of one pull from the rest of the log (`maxTransferBytesOnMessageInDisk`).
    pub transfer_bytes_on_disk: u32,
    /// Most messages of one pull from the rest of the log (`maxTransferCountOnMessageInDisk`).
    pub transfer_count_on_disk: u32,
    /// Bytes of a consume queue that one filtered pull looks at (`maxFilterMessageSize`).
    pub filter_scan_bytes: u32,
    /// Percent of the disk in use above which messages are refused (`diskSpaceWarningLevelRatio`).
    pub disk_warning_ratio: u32,
    /// When old files are deleted.
    pub retention: RetentionOptions,
}

impl StoreOptions {
    /// What a loss of power can cost under these options, in one sentence for whoever runs the store.
    #[must_use]
    pub fn durable_window(&self) -> String {
        match self.flush_mode {
            FlushMode::Sync => {
                "SYNC_FLUSH: a send is answered when it is on disk; a loss of power costs no answered message, \
                                save those sent with WAIT=false"
                    .to_owned()
            }
            FlushMode::Async => format!(
                "ASYNC_FLUSH: a killed process costs no answered message; a loss of power costs those of the last {} ms, \
                 and up to {} ms while fewer than {} KiB gather in that time",
                self.flush_interval.as_millis(),
                self.flush_thorough_interval.as_millis().max(self.flush_interval.as_millis()),
                u64::from(self.flush_least_pages) * 4,
            ),
        }
    }
}

/// `messageDelayLevel` as it is unless configured: 18 levels.
const DELAY_LEVELS_S: [u64; 18] =
    [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];

impl StoreOptions {
    /// The defaults of RocketMQ 5.5.0 for a store under `root`.
    #[must_use]
    pub fn new(root: impl AsRef<Path>) -> Self {
        let root = root.as_ref();
        Self {
            root: root.to_owned(),
            commit_log_dir: root.join("commitlog"),
            consume_queue_dir: root.join("consumequeue"),
            index_dir: root.join("index"),
            commit_log_file_size: 1 << 30,
            consume_queue_file_size: 300_000 * 20,
            extension_file_size: 48 << 20,
            extension_enabled: false,
            consume_queue_open_files: 1024,
            flush_mode: FlushMode::Async,
            flush_interval: Duration::from_millis(500),
            flush_least_pages: 4,
            flush_thorough_interval: Duration::from_secs(10),
            queue_flush_interval: Duration::from_secs(1),
            queue_flush_thorough_interval: Duration::from_secs(60),
            check_crc_on_recover: true,
            checksum_appended: false,
            checksum_verified: false,
            light_queues: false,
            light_queues_max: None,
            busy_after: Duration::from_secs(1),
            max_message_size: 4 << 20,
            index_enabled: true,
            index_slots: 5_000_000,
            index_entries: 20_000_000,
            query_max_messages: 64,
            delay_levels: DELAY_LEVELS_S.map(Duration::from_secs).to_vec(),
            memory_max_ratio: 40,
            physical_memory: physical_memory(),
            transfer_bytes_in_memory: 256 << 10,
            transfer_count_in_memory: 32,
            transfer_bytes_on_disk: 64 << 10,
            transfer_count_on_disk: 8,
            filter_scan_bytes: 16_000,
            disk_warning_ratio: 90,
            retention: RetentionOptions::default(),
        }
    }

    /// What records carry besides what their writers gave them.
    pub(crate) fn marks(&self) -> RecordMarks {
        RecordMarks {
            has_checksum: self.checksum_appended,
            is_verified: self.checksum_verified,
            has_light_queues: self.light_queues,
        }
    }

    /// How the content of records is looked at.
    pub(crate) fn content_check(&self) -> Check {
        if self.checksum_verified { Check::Record } else { Check::Body }
    }

    /// Bytes of the newest part of the log that count as cached.
    #[must_use]
    pub fn cached_bytes(&self) -> i64 {
        let bytes = self.physical_memory / 100 * u64::from(self.memory_max_ratio);
        i64::try_from(bytes).unwrap_or(i64::MAX)
    }

    /// How long a message of `level` is held back; levels past the last count as the last. `None` for level 0 and
    /// below, and without any levels.
    #[must_use]
    pub fn delay_of(&self, level: i32) -> Option<Duration> {
        let index = usize::try_from(level).ok()?.checked_sub(1)?;
        let last = self.delay_levels.len().checked_sub(1)?;
        self.delay_levels.get(index.min(last)).copied()
    }
}

/// Bytes of memory in this machine, as `/proc/meminfo` says; 8 GiB where it says nothing.
fn physical_memory() -> u64 {
    let read = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = read.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(8 << 30, |kib| kib.saturating_mul(1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_levels_start_at_one_and_end_at_the_last() {
        let options = StoreOptions::new("store");
        for (level, seconds) in [(1, 1), (2, 5), (18, 7200), (19, 7200), (i32::MAX, 7200)] {
            assert_eq!(options.delay_of(level), Some(Duration::from_secs(seconds)), "{level}");
        }
        assert_eq!(options.delay_of(0), None);
        assert_eq!(options.delay_of(-1), None);
        assert_eq!(StoreOptions { delay_levels: Vec::new(), ..options }.delay_of(1), None);
    }
}
