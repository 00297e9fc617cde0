//! Settings of the store: the table of its keys, and what depends on others.
//!
//! Upstream: `MessageStoreConfig`.

use std::path::PathBuf;

use boostermq_remoting::config::reasons::{
    BATCH_QUEUE, COLD, COMPACTION, CONTAINER, CONTROLLER, DISPATCH, DLEDGER, FILTER_BITS, FLUSHER, HA, INDEX, LAG,
    LAG_ESTIMATE, LEGACY, LOCKS, MAPPING, MIN_OFFSET, MULTI_PATH, QUEUE_BUFFER, RECOVERY, RETENTION_READERS, ROCKSDB,
    ROCKSDB_STORE, SCHEDULE, STAGING, START, TIMER_COUNTS, TIMER_RETRIES, TIMER_THREADS, TIMER_WHEEL, TOPIC_LENGTH,
};
use boostermq_remoting::config::{ByteSize, ConfigError, Days, Hours, Machine, Millis, Minutes, Percent, Seconds};
use boostermq_remoting::properties_file::Properties;

mod options;
#[cfg(test)]
mod tests;
mod values;

pub use values::{BrokerRole, DelayLevels, FlushDiskType, HoursOfDay};

/// What to do about a commit log in several folders.
const MULTI_PATH_REMEDY: &str =
    "one folder: move the files of the others into it, their names are told apart by the offset they begin at";

/// Bytes of one unit of a consume queue: a file holds a whole number of them.
const QUEUE_UNIT: u64 = 20;

boostermq_remoting::config! {
    /// Keys of the store.
    pub struct StoreConfig {
        // Where.
        /// Folder of the store. Filled at start with `store` in the home folder.
        store_path_root_dir: PathBuf = PathBuf::new(), "storePathRootDir", Restart;
        /// Folder of the commit log. Filled at start with `commitlog` in storePathRootDir. Lists of several folders are
        /// not supported.
        store_path_commit_log: PathBuf = PathBuf::new(), "storePathCommitLog", Restart;
        /// Folders of commit-log files that are only read.
        read_only_commit_log_store_paths: Option<String> = None, "readOnlyCommitLogStorePaths", Refused(MULTI_PATH);
        /// Kind of the store: `default` keeps consume queues in files.
        store_type: String = "default".into(), "storeType", Refused(ROCKSDB_STORE);

        // Sizes.
        /// Length of one commit-log file. A store keeps the length that it began with.
        mapped_file_size_commit_log: ByteSize =
            ByteSize::gib(1), "mappedFileSizeCommitLog", Restart, 4096..=i32::MAX as i64;
        /// Length of one consume-queue file; rounded up to whole units of 20 bytes.
        mapped_file_size_consume_queue: ByteSize =
            ByteSize(6_000_000), "mappedFileSizeConsumeQueue", Restart, 20..=i32::MAX as i64;
        /// Largest body of a message.
        max_message_size: ByteSize = ByteSize::mib(4), "maxMessageSize", Restart, 1..=i32::MAX as i64;
        /// Longest name of a topic.
        max_topic_length: u32 = 127, "maxTopicLength", Inert(TOPIC_LENGTH);
        /// Writes records of the second version for topics longer than 127 bytes.
        auto_message_version_on_topic_len: bool = true, "autoMessageVersionOnTopicLen", Inert(TOPIC_LENGTH);
        /// Writes the index by which messages are found by key.
        message_index_enable: bool = true, "messageIndexEnable", Restart;
        /// Hash slots of one index file.
        max_hash_slot_num: u32 = 5_000_000, "maxHashSlotNum", Restart, 1..=i32::MAX as i64;
        /// Entries of one index file.
        max_index_num: u32 = 20_000_000, "maxIndexNum", Restart, 2..=i32::MAX as i64;
        /// Counts the index when deciding how far a recovery must go back.
        message_index_safe: bool = false, "messageIndexSafe", Inert(INDEX);
        /// Writes index files beside an index in RocksDB.
        index_file_write_enable: bool = true, "indexFileWriteEnable", Inert(INDEX);
        /// Answers queries from index files.
        index_file_read_enable: bool = true, "indexFileReadEnable", Inert(INDEX);
        /// Most messages in one answer to a query by unique key.
        default_query_max_num: u32 = 32, "defaultQueryMaxNum", Live, 1..=i32::MAX as i64;
        /// Most messages in one answer to a query by key.
        max_msgs_num_batch: u32 = 64, "maxMsgsNumBatch", Restart, 1..=i32::MAX as i64;

        // Flushing.
        /// When a send is answered: once stored in memory, or once it is on disk.
        flush_disk_type: FlushDiskType = FlushDiskType::AsyncFlush, "flushDiskType", Restart;
        /// How long a send waits for the disk under SYNC_FLUSH.
        sync_flush_timeout: Millis = Millis(5000), "syncFlushTimeout", Restart, 1..=i64::MAX;
        /// Sleeps between flushes instead of waiting to be woken.
        flush_commit_log_timed: bool = true, "flushCommitLogTimed", Inert(FLUSHER);
        /// Time between two flushes of the commit log under ASYNC_FLUSH.
        flush_interval_commit_log: Millis = Millis(500), "flushIntervalCommitLog", Restart, 1..=i64::MAX;
        /// Pages of 4 KiB that must have gathered for a flush.
        flush_commit_log_least_pages: u32 = 4, "flushCommitLogLeastPages", Restart;
        /// Time after which a flush happens however little has gathered.
        flush_commit_log_thorough_interval: Millis = Millis(10_000), "flushCommitLogThoroughInterval", Restart;
        /// Time between two flushes of consume queues.
        flush_interval_consume_queue: Millis = Millis(1000), "flushIntervalConsumeQueue", Restart, 1..=i64::MAX;
        /// Pages of a consume queue that must have gathered for a flush.
        flush_consume_queue_least_pages: u32 = 2, "flushConsumeQueueLeastPages", Inert(QUEUE_BUFFER);
        /// Time after which every consume queue is flushed however little has gathered.
        flush_consume_queue_thorough_interval: Millis = Millis(60_000), "flushConsumeQueueThoroughInterval", Restart;
        /// Wakes the flusher with each message.
        wake_flush_when_put_message: bool = false, "wakeFlushWhenPutMessage", Inert(FLUSHER);
        /// Wakes the committer with each message.
        wake_commit_when_put_message: bool = true, "wakeCommitWhenPutMessage", Inert(STAGING);
        /// How long a send may take in the store.
        put_message_timeout: Millis = Millis(8000), "putMessageTimeout", Inert(FLUSHER);
        /// Flushes only while the store may be written.
        enable_running_flags_in_flush: bool = false, "enableRunningFlagsInFlush", Inert(FLUSHER);
        /// Sends that may wait for the disk.
        max_async_put_message_requests: u32 = 5000, "maxAsyncPutMessageRequests", Inert(FLUSHER);

        // Reading.
        /// Most bytes of one pull that reads recent messages.
        max_transfer_bytes_on_message_in_memory: ByteSize =
            ByteSize::kib(256), "maxTransferBytesOnMessageInMemory", Restart, 1..=i32::MAX as i64;
        /// Most messages of one pull that reads recent messages.
        max_transfer_count_on_message_in_memory: u32 =
            32, "maxTransferCountOnMessageInMemory", Restart, 1..=i32::MAX as i64;
        /// Most bytes of one pull that reads old messages.
        max_transfer_bytes_on_message_in_disk: ByteSize =
            ByteSize::kib(64), "maxTransferBytesOnMessageInDisk", Restart, 1..=i32::MAX as i64;
        /// Most messages of one pull that reads old messages.
        max_transfer_count_on_message_in_disk: u32 = 8, "maxTransferCountOnMessageInDisk", Restart, 1..=i32::MAX as i64;
        /// Share of the machine's memory up to which messages from the end of the log count as recent.
        access_message_in_memory_max_ratio: Percent = Percent(40), "accessMessageInMemoryMaxRatio", Restart, 0..=100;
        /// Share of the machine's memory in which messages count as hot.
        access_message_in_memory_hot_ratio: Percent =
            Percent(26), "accessMessageInMemoryHotRatio", Inert(COLD), 0..=100;
        /// Bytes of a consume queue that one pull may walk past filtered messages.
        max_filter_message_size: ByteSize = ByteSize(16_000), "maxFilterMessageSize", Restart, 20..=i32::MAX as i64;
        /// A limit of messages in one pull.
        pull_batch_max_message_count: u32 = 160, "pullBatchMaxMessageCount", Inert(LEGACY);
        /// Consume-queue files that one pull may look through.
        travel_cq_file_num_when_get_message: u32 = 1, "travelCqFileNumWhenGetMessage", Inert(QUEUE_BUFFER);
        /// Entries of a queue looked at to estimate how many messages of it a group that wants some tags only has before it.
        max_consume_queue_scan: u32 = 20_000, "maxConsumeQueueScan", Live;
        /// Messages that it wants among those, after which no more are looked at.
        sample_count_threshold: u32 = 5000, "sampleCountThreshold", Live;
        /// Samples of one estimate.
        sample_steps: u32 = 32, "sampleSteps", Inert(LAG_ESTIMATE);
        /// Counts how far pulls lag behind the end of the log.
        disk_fall_recorded: bool = true, "diskFallRecorded", Inert(LAG);
        /// Lets consumers read what replicas do not have yet.
        read_un_committed: bool = false, "readUnCommitted", Inert(HA);

        // Keeping and deleting.
        /// Time for which a commit-log file is kept after its last write.
        file_reserved_time: Hours = Hours(72), "fileReservedTime", Live;
        /// Hours of the day at which expired files are deleted, as `04` or `02;14`.
        delete_when: HoursOfDay = HoursOfDay::at(4), "deleteWhen", Live;
        /// Use of the disk from which expired files are deleted at any hour.
        disk_max_used_space_ratio: Percent = Percent(75), "diskMaxUsedSpaceRatio", Live, 10..=95;
        /// Use of the disk from which the oldest files are deleted even before they expire.
        disk_space_clean_forcibly_ratio: Percent = Percent(85), "diskSpaceCleanForciblyRatio", Live, 0..=100;
        /// Use of the disk from which sends are refused.
        disk_space_warning_level_ratio: Percent = Percent(90), "diskSpaceWarningLevelRatio", Live, 0..=100;
        /// Allows deleting files before they expire when the disk fills.
        clean_file_forcibly_enable: bool = true, "cleanFileForciblyEnable", Live;
        /// Time between two looks for files to delete.
        clean_resource_interval: Millis = Millis(10_000), "cleanResourceInterval", Live, 1..=i64::MAX;
        /// Pause between two deletions of commit-log files.
        delete_commit_log_files_interval: Millis = Millis(100), "deleteCommitLogFilesInterval", Live;
        /// Pause between two deletions of consume-queue files.
        delete_consume_queue_files_interval: Millis = Millis(100), "deleteConsumeQueueFilesInterval", Live;
        /// Commit-log files deleted in one go.
        delete_file_batch_max: u32 = 10, "deleteFileBatchMax", Live, 1..=i32::MAX as i64;
        /// Upper bound of deleteFileBatchMax.
        max_batch_delete_files_num: u32 = 50, "maxBatchDeleteFilesNum", Inert(RETENTION_READERS);
        /// Time that readers of a deleted file get.
        destroy_maped_file_interval_forcibly: Millis =
            Millis(120_000), "destroyMapedFileIntervalForcibly", Inert(RETENTION_READERS);
        /// Time between two tries to delete a file that was in use.
        redelete_hanged_file_interval: Millis = Millis(120_000), "redeleteHangedFileInterval", Inert(RETENTION_READERS);
        /// Use of a disk that several brokers share from which their files are deleted.
        logical_disk_space_clean_forcibly_threshold: f64 =
            0.8, "logicalDiskSpaceCleanForciblyThreshold", Inert(CONTAINER);
        /// Brokers of one container that share a disk.
        replicas_per_disk_partition: u32 = 1, "replicasPerDiskPartition", Inert(CONTAINER);
        /// Drops offset history of deleted messages.
        enable_clean_expired_offset: bool = false, "enableCleanExpiredOffset", Inert(RETENTION_READERS);
        /// Pause between two corrections of the first offset of a queue.
        correct_logic_min_offset_sleep_interval: Millis =
            Millis(1), "correctLogicMinOffsetSleepInterval", Inert(MIN_OFFSET);
        /// Time after which the first offset is corrected in any case.
        correct_logic_min_offset_force_interval: Millis =
            Millis(300_000), "correctLogicMinOffsetForceInterval", Inert(MIN_OFFSET);

        // Delay levels.
        /// Delays of the levels 1 to N, separated by blanks, with the units s, m, h and d.
        message_delay_level: DelayLevels = DelayLevels::default(), "messageDelayLevel", Restart;
        /// Time between two writes of the progress of delayed delivery.
        flush_delay_offset_interval: Millis = Millis(10_000), "flushDelayOffsetInterval", Restart, 1..=i64::MAX;
        /// Counts messages of delay levels when they are delivered.
        enable_schedule_message_stats: bool = true, "enableScheduleMessageStats", Live;
        /// Delivers delayed messages side by side.
        enable_schedule_async_deliver: bool = false, "enableScheduleAsyncDeliver", Inert(SCHEDULE);
        /// Deliveries of one level in flight.
        schedule_async_deliver_max_pending_limit: u32 = 2000, "scheduleAsyncDeliverMaxPendingLimit", Inert(SCHEDULE);
        /// Failed deliveries after which a level waits.
        schedule_async_deliver_max_resend_num_to_blocked: u32 =
            3, "scheduleAsyncDeliverMaxResendNum2Blocked", Inert(SCHEDULE);

        // Recovery.
        /// Checks the body of each record that a recovery reads.
        check_crc_on_recover: bool = true, "checkCRCOnRecover", Restart;
        /// Checks that each record stands where it says.
        check_commit_log_offset_on_recover: bool = false, "checkCommitLogOffsetOnRecover", Inert(RECOVERY);
        /// Checks records by the checksum over the whole of them; those without one by their body.
        force_verify_prop_crc: bool = false, "forceVerifyPropCRC", Restart;
        /// Adds a checksum over the whole record to its properties.
        enabled_append_prop_crc: bool = false, "enabledAppendPropCRC", Restart;
        /// Commit-log files that a recovery reads back.
        commit_log_recover_max_num: u32 = 10, "commitLogRecoverMaxNum", Inert(RECOVERY);
        /// The same, for queues in RocksDB.
        max_recovery_commitlog_files: u32 = 30, "maxRecoveryCommitlogFiles", Inert(RECOVERY);
        /// Begins a recovery at the last checkpoint of queues.
        enable_accelerated_recovery: bool = false, "enableAcceleratedRecovery", Inert(RECOVERY);
        /// Logs units that a recovery writes again.
        enable_log_consume_queue_repeatedly_build_when_recover: bool =
            false, "enableLogConsumeQueueRepeatedlyBuildWhenRecover", Inert(RECOVERY);
        /// Looks into consume queues to find where dispatching goes on.
        recheck_reput_offset_from_cq: bool = false, "recheckReputOffsetFromCq", Inert(RECOVERY);

        // Locks and memory.
        /// Time in the append lock from which sends are answered busy.
        os_page_cache_busy_time_out_mills: Millis = Millis(1000), "osPageCacheBusyTimeOutMills", Restart;
        /// Kind of the append lock.
        use_reentrant_lock_when_put_message: bool = true, "useReentrantLockWhenPutMessage", Inert(LOCKS);
        /// Another kind of the append lock.
        use_abs_lock: bool = false, "useABSLock", Inert(LOCKS);
        /// Collisions at which that lock changes its way.
        spin_lock_collision_retreat_optimal_degree: u32 = 1000, "spinLockCollisionRetreatOptimalDegree", Inert(LOCKS);
        /// Locks under which queue offsets are given out.
        topic_queue_lock_num: u32 = 32, "topicQueueLockNum", Inert(LOCKS);
        /// Logs stacks when the append lock is held long.
        debug_lock_enable: bool = false, "debugLockEnable", Inert(LOCKS);
        /// Gathers messages outside the page cache first.
        transient_store_pool_enable: bool = false, "transientStorePoolEnable", Inert(STAGING);
        /// Buffers of the length of a commit-log file for that.
        transient_store_pool_size: u32 = 5, "transientStorePoolSize", Inert(STAGING);
        /// Refuses sends when no buffer is free.
        fast_fail_if_no_buffer_in_store_pool: bool = false, "fastFailIfNoBufferInStorePool", Inert(STAGING);
        /// Time between two commits of gathered messages.
        commit_interval_commit_log: Millis = Millis(200), "commitIntervalCommitLog", Inert(STAGING);
        /// Pages that must have gathered for a commit.
        commit_commit_log_least_pages: u32 = 4, "commitCommitLogLeastPages", Inert(STAGING);
        /// Time after which a commit happens in any case.
        commit_commit_log_thorough_interval: Millis = Millis(200), "commitCommitLogThoroughInterval", Inert(STAGING);
        /// Writes the commit log by write calls.
        write_without_mmap: bool = false, "writeWithoutMmap", Inert(MAPPING);
        /// Buffers for that.
        shared_byte_buffer_num: u32 = 16, "sharedByteBufferNum", Inert(MAPPING);
        /// Touches every page of a new file.
        warm_maped_file_enable: bool = false, "warmMapedFileEnable", Inert(MAPPING);
        /// Pages touched between two flushes.
        flush_least_pages_when_warm_maped_file: u32 = 4096, "flushLeastPagesWhenWarmMapedFile", Inert(MAPPING);
        /// Lets the operating system read the commit log ahead.
        data_read_ahead_enable: bool = true, "dataReadAheadEnable", Restart;
        /// Maps old files anew to free their memory.
        mapped_file_swap_enable: bool = true, "mappedFileSwapEnable", Inert(MAPPING);
        /// Age at which a commit-log file is mapped anew in any case.
        commit_log_force_swap_map_interval: Millis =
            Millis(43_200_000), "commitLogForceSwapMapInterval", Inert(MAPPING);
        /// Time without use after which it is mapped anew.
        commit_log_swap_map_interval: Millis = Millis(3_600_000), "commitLogSwapMapInterval", Inert(MAPPING);
        /// Newest commit-log files that keep their map.
        commit_log_swap_map_reserve_file_num: u32 = 100, "commitLogSwapMapReserveFileNum", Inert(MAPPING);
        /// Age at which a consume-queue file is mapped anew in any case.
        logic_queue_force_swap_map_interval: Millis =
            Millis(43_200_000), "logicQueueForceSwapMapInterval", Inert(MAPPING);
        /// Time without use after which it is mapped anew.
        logic_queue_swap_map_interval: Millis = Millis(3_600_000), "logicQueueSwapMapInterval", Inert(MAPPING);
        /// Newest files of a queue that keep their map.
        logic_queue_swap_map_reserve_file_num: u32 = 20, "logicQueueSwapMapReserveFileNum", Inert(MAPPING);
        /// Time after which a replaced map is released.
        clean_swaped_map_interval: Millis = Millis(300_000), "cleanSwapedMapInterval", Inert(MAPPING);

        // Dispatching.
        /// Dispatches messages with several threads.
        enable_build_consume_queue_concurrently: bool = false, "enableBuildConsumeQueueConcurrently", Inert(DISPATCH);
        /// Threads for that.
        batch_dispatch_request_thread_pool_nums: u32 = 16, "batchDispatchRequestThreadPoolNums", Inert(DISPATCH);
        /// Threads that fill consume queues.
        dispatch_cq_threads: u32 = 10, "dispatchCqThreads", Inert(DISPATCH);
        /// Units that may wait for them.
        dispatch_cq_cache_num: u32 = 4096, "dispatchCqCacheNum", Inert(DISPATCH);
        /// Dispatches apart from sending.
        enable_async_reput: bool = true, "enableAsyncReput", Inert(DISPATCH);
        /// Dispatches on the thread that sends.
        dispatch_from_sender_thread: bool = false, "dispatchFromSenderThread", Inert(DISPATCH);
        /// Waiting index entries at which dispatching slows down.
        put_msg_index_hight_water: u32 = 600_000, "putMsgIndexHightWater", Inert(DISPATCH);
        /// Writes consume queues by write calls.
        put_consume_queue_data_by_file_channel: bool = true, "putConsumeQueueDataByFileChannel", Inert(QUEUE_BUFFER);
        /// Finds batches through a cache.
        search_bcq_by_cache_enable: bool = true, "searchBcqByCacheEnable", Inert(BATCH_QUEUE);
        /// Length of one file of a batch queue.
        mapper_file_size_batch_consume_queue: ByteSize =
            ByteSize(13_800_000), "mapperFileSizeBatchConsumeQueue", Inert(BATCH_QUEUE);
        /// Writes extension files beside consume queues.
        enable_consume_queue_ext: bool = false, "enableConsumeQueueExt", Restart;
        /// Length of one extension file.
        mapped_file_size_consume_queue_ext: ByteSize =
            ByteSize::mib(48), "mappedFileSizeConsumeQueueExt", Restart, 24..=i32::MAX as i64;
        /// Filter bits of one message.
        bit_map_length_consume_queue_ext: u32 = 64, "bitMapLengthConsumeQueueExt", Inert(FILTER_BITS);

        // Light queues.
        /// Keeps light queues.
        enable_lmq: bool = false, "enableLmq", Restart;
        /// Puts messages into the light queues they name, where enableLmq keeps these.
        enable_multi_dispatch: bool = false, "enableMultiDispatch", Restart;
        /// Light queues in all, where enableLmqQuota limits them.
        max_lmq_consume_queue_num: u32 = 20_000, "maxLmqConsumeQueueNum", Restart;
        /// Limits light queues to maxLmqConsumeQueueNum.
        enable_lmq_quota: bool = false, "enableLmqQuota", Restart;

        // Timed messages.
        /// Delivers messages at a given time.
        timer_wheel_enable: bool = true, "timerWheelEnable", Restart;
        /// Precision of that time.
        timer_precision_ms: Millis = Millis(1000), "timerPrecisionMs", Restart, 1..=3_600_000;
        /// Longest delay.
        timer_max_delay_sec: Seconds = Seconds(259_200), "timerMaxDelaySec", Live, 0..=i32::MAX as i64;
        /// Slots after which a long delay is put back.
        timer_roll_window_slot: u32 = 172_800, "timerRollWindowSlot", Restart;
        /// Time between two flushes of the wheel.
        timer_flush_interval_ms: Millis = Millis(1000), "timerFlushIntervalMs", Live;
        /// Threads that read due messages.
        timer_get_message_thread_num: u32 = 3, "timerGetMessageThreadNum", Inert(TIMER_THREADS);
        /// Threads that store due messages.
        timer_put_message_thread_num: u32 = 3, "timerPutMessageThreadNum", Inert(TIMER_THREADS);
        /// Passes messages between them by a ring.
        timer_enable_disruptor: bool = false, "timerEnableDisruptor", Inert(TIMER_THREADS);
        /// Checks the counts of timed messages.
        timer_enable_check_metrics: bool = true, "timerEnableCheckMetrics", Inert(TIMER_COUNTS);
        /// Hour of that check.
        timer_check_metrics_when: String = "05".into(), "timerCheckMetricsWhen", Inert(TIMER_COUNTS);
        /// Delivers delay levels by the wheel.
        timer_intercept_delay_level: bool = false, "timerInterceptDelayLevel", Inert(LEGACY);
        /// Writes the wheel as a whole.
        timer_wheel_snapshot_flush: bool = false, "timerWheelSnapshotFlush", Inert(TIMER_WHEEL);
        /// Time between two such writes.
        timer_wheel_snapshot_interval_ms: Millis = Millis(10_000), "timerWheelSnapshotIntervalMs", Inert(TIMER_WHEEL);
        /// Takes in no timed messages.
        timer_stop_enqueue: bool = false, "timerStopEnqueue", Live;
        /// Delivers no timed messages.
        timer_stop_dequeue: bool = false, "timerStopDequeue", Live;
        /// Drops messages that cannot be delivered.
        timer_skip_unknown_error: bool = false, "timerSkipUnknownError", Inert(TIMER_RETRIES);
        /// Reads messages before they are due.
        timer_warm_enable: bool = false, "timerWarmEnable", Inert(TIMER_THREADS);
        /// Tries a delivery until it succeeds.
        timer_enable_retry_until_success: bool = false, "timerEnableRetryUntilSuccess", Inert(TIMER_RETRIES);
        /// Messages of one slot from which sends are refused.
        timer_congest_num_each_slot: u32 = i32::MAX as u32, "timerCongestNumEachSlot", Live;
        /// Topics whose counts are checked fully.
        timer_metric_small_threshold: u32 = 1_000_000, "timerMetricSmallThreshold", Inert(TIMER_COUNTS);
        /// Time between two log lines of progress.
        timer_progress_log_interval_ms: Millis = Millis(10_000), "timerProgressLogIntervalMs", Inert(TIMER_COUNTS);
        /// Time between two looks which pages are in memory.
        timer_cold_data_check_interval_ms: Millis = Millis(60_000), "timerColdDataCheckIntervalMs", Inert(COLD);
        /// Length of one file of the timer log.
        mapped_file_size_timer_log: ByteSize = ByteSize::mib(100), "mappedFileSizeTimerLog", Restart, 4096..=i32::MAX as i64;
        /// Milliseconds after a start before the broker shows itself to name servers; -1 for none.
        disappear_time_after_start: i32 = -1, "disappearTimeAfterStart", Inert(START);
        /// Keeps timed messages in RocksDB.
        timer_rocksdb_enable: bool = false, "timerRocksDBEnable", Refused(ROCKSDB_STORE);
        /// Stops looking for due messages there.
        timer_rocksdb_stop_scan: bool = false, "timerRocksDBStopScan", Inert(ROCKSDB);
        /// Precision there.
        timer_rocksdb_precision_ms: Millis = Millis(1000), "timerRocksDBPrecisionMs", Inert(ROCKSDB);
        /// Messages a second put back there.
        timer_rocksdb_roll_max_tps: f64 = 8000.0, "timerRocksDBRollMaxTps", Inert(ROCKSDB);
        /// Messages a second delivered from there.
        timer_rocksdb_time_expired_max_tps: f64 = 200_000.0, "timerRocksDBTimeExpiredMaxTps", Inert(ROCKSDB);
        /// Time between two rounds of putting back.
        timer_rocksdb_roll_interval_hours: Hours = Hours(1), "timerRocksDBRollIntervalHours", Inert(ROCKSDB);
        /// Time ahead that a round covers.
        timer_rocksdb_roll_range_hours: Hours = Hours(2), "timerRocksDBRollRangeHours", Inert(ROCKSDB);
        /// Recalls messages from the wheel.
        timer_recall_to_time_wheel_enable: bool = true, "timerRecallToTimeWheelEnable", Inert(ROCKSDB);
        /// Recalls messages from RocksDB.
        timer_recall_to_timeline_enable: bool = true, "timerRecallToTimelineEnable", Inert(ROCKSDB);
        /// Threads that take messages in, least.
        timer_reput_service_core_pool_size: u32 = 6, "timerReputServiceCorePoolSize", Inert(ROCKSDB);
        /// Threads that take messages in, most.
        timer_reput_service_max_pool_size: u32 = 6, "timerReputServiceMaxPoolSize", Inert(ROCKSDB);
        /// Messages that may wait for them.
        timer_reput_service_queue_capacity: u32 = 10_000, "timerReputServiceQueueCapacity", Inert(ROCKSDB);
        /// Adds the topic to the key of a recall.
        append_topic_for_timer_delete_key: bool = false, "appendTopicForTimerDeleteKey", Live;

        // Transactions.
        /// Keeps half messages in RocksDB.
        trans_rocksdb_enable: bool = false, "transRocksDBEnable", Refused(ROCKSDB_STORE);
        /// Keeps them in their topic as well.
        trans_write_origin_trans_half_enable: bool = true, "transWriteOriginTransHalfEnable", Inert(ROCKSDB);

        // Replication.
        /// What the broker is to its replicas. `SLAVE` is refused: replication is not in this version.
        broker_role: BrokerRole = BrokerRole::AsyncMaster, "brokerRole", Restart;
        /// Port that replicas are told to connect to. Filled at start with listenPort + 1 where the key is absent.
        ha_listen_port: u16 = 10_912, "haListenPort", Restart;
        /// Master to copy from.
        ha_master_address: Option<String> = None, "haMasterAddress", Inert(HA);
        /// Time between two signs of life to a replica.
        ha_send_heartbeat_interval: Millis = Millis(5000), "haSendHeartbeatInterval", Inert(HA);
        /// Silence after which a replica's connection is closed.
        ha_housekeeping_interval: Millis = Millis(20_000), "haHousekeepingInterval", Inert(HA);
        /// Bytes sent to a replica at once.
        ha_transfer_batch_size: ByteSize = ByteSize::kib(32), "haTransferBatchSize", Inert(HA);
        /// Lag up to which a replica counts as in step.
        ha_max_gap_not_in_sync: ByteSize = ByteSize::mib(256), "haMaxGapNotInSync", Inert(HA);
        /// Time behind after which it no longer counts.
        ha_max_time_slave_not_catchup: Millis = Millis(15_000), "haMaxTimeSlaveNotCatchup", Inert(HA);
        /// Limits what replicas copy.
        ha_flow_control_enable: bool = false, "haFlowControlEnable", Inert(HA);
        /// Bytes that replicas may copy in a second.
        max_ha_transfer_byte_in_second: ByteSize = ByteSize::mib(100), "maxHaTransferByteInSecond", Inert(HA);
        /// How long a send waits for replicas.
        slave_timeout: Millis = Millis(3000), "slaveTimeout", Inert(HA);
        /// Copies of a message, this one included.
        total_replicas: u32 = 1, "totalReplicas", Inert(HA);
        /// Copies that must exist before a send is answered.
        in_sync_replicas: u32 = 1, "inSyncReplicas", Refused(HA);
        /// Fewest copies for which that number is lowered.
        min_in_sync_replicas: u32 = 1, "minInSyncReplicas", Refused(HA);
        /// Requires a copy on all replicas in step.
        all_ack_in_sync_state_set: bool = false, "allAckInSyncStateSet", Refused(HA);
        /// Lowers the number of copies when replicas are missing.
        enable_auto_in_sync_replicas: bool = false, "enableAutoInSyncReplicas", Inert(HA);
        /// Replicas check the offset that a pull asks for.
        offset_check_in_slave: bool = false, "offsetCheckInSlave", Inert(HA);
        /// Reads only what another system has confirmed.
        duplication_enable: bool = false, "duplicationEnable", Inert(HA);
        /// Takes over the master's flushed offset at start.
        sync_master_flush_offset_when_startup: bool = false, "syncMasterFlushOffsetWhenStartup", Inert(HA);
        /// Most that is sent again to a replica.
        max_slave_resend_length: ByteSize = ByteSize::mib(256), "maxSlaveResendLength", Inert(HA);
        /// Copies only from the master's last file.
        sync_from_last_file: bool = false, "syncFromLastFile", Inert(HA);
        /// Copies without ever counting as in step.
        async_learner: bool = false, "asyncLearner", Inert(CONTROLLER);
        /// Bytes compared between two copies.
        max_checksum_range: ByteSize = ByteSize::gib(1), "maxChecksumRange", Inert(HA);
        /// File of the terms of masters.
        store_path_epoch_file: Option<String> = None, "storePathEpochFile", Inert(CONTROLLER);
        /// File of the broker's identity.
        store_path_broker_identity: Option<String> = None, "storePathBrokerIdentity", Inert(CONTROLLER);

        // DLedger.
        /// Keeps the commit log by Raft.
        enable_dleger_commit_log: bool = false, "enableDLegerCommitLog", Refused(DLEDGER);
        /// Folder of that log.
        store_path_dledger_commit_log: Option<String> = None, "storePathDLedgerCommitLog", Inert(DLEDGER);
        /// Name of its group.
        dleger_group: Option<String> = None, "dLegerGroup", Inert(DLEDGER);
        /// Its members.
        dleger_peers: Option<String> = None, "dLegerPeers", Inert(DLEDGER);
        /// This member.
        dleger_self_id: Option<String> = None, "dLegerSelfId", Inert(DLEDGER);
        /// The member that should lead.
        preferred_leader_id: Option<String> = None, "preferredLeaderId", Inert(DLEDGER);
        /// Sends entries together.
        enable_batch_push: bool = false, "enableBatchPush", Inert(DLEDGER);

        // Compaction.
        /// Keeps only the last message of each key, in topics that ask for it.
        enable_compaction: bool = true, "enableCompaction", Inert(COMPACTION);
        /// Length of one compacted file.
        compaction_mapped_file_size: ByteSize = ByteSize::mib(100), "compactionMappedFileSize", Inert(COMPACTION);
        /// Length of one file of its queues.
        compaction_cq_mapped_file_size: ByteSize = ByteSize::mib(10), "compactionCqMappedFileSize", Inert(COMPACTION);
        /// Time between two compactions.
        compaction_schedule_internal: Millis = Millis(900_000), "compactionScheduleInternal", Inert(COMPACTION);
        /// Memory for the keys of one compaction.
        max_offset_map_size: ByteSize = ByteSize::mib(100), "maxOffsetMapSize", Inert(COMPACTION);
        /// Threads that compact.
        compaction_thread_num: u32 = 6, "compactionThreadNum", Inert(COMPACTION);

        // Cold data.
        /// Limits how much groups read of messages that are not in memory any more.
        cold_data_flow_control_enable: bool = false, "coldDataFlowControlEnable", Live;
        /// Looks which pages are in memory.
        cold_data_scan_enable: bool = false, "coldDataScanEnable", Inert(COLD);

        // RocksDB.
        /// Keeps an index in RocksDB.
        index_rocksdb_enable: bool = false, "indexRocksDBEnable", Inert(ROCKSDB);
        /// Days back that a query there may go.
        max_rocksdb_index_query_days: Days = Days(7), "maxRocksDBIndexQueryDays", Inert(ROCKSDB);
        /// Reads units there in a row.
        iterator_when_use_rocksdb_consume_queue: bool = true, "iteratorWhenUseRocksdbConsumeQueue", Inert(ROCKSDB);
        /// Time between two removals of units left behind.
        clean_rocksdb_dirty_cq_interval_min: Minutes = Minutes(60), "cleanRocksDBDirtyCQIntervalMin", Inert(ROCKSDB);
        /// Time between two log lines of statistics.
        stat_rocksdb_cq_interval_sec: Seconds = Seconds(10), "statRocksDBCQIntervalSec", Inert(ROCKSDB);
        /// Time between two flushes of its memory.
        mem_table_flush_interval_ms: Millis = Millis(3_600_000), "memTableFlushIntervalMs", Inert(ROCKSDB);
        /// Writes each change of metadata at once.
        real_time_persist_rocksdb_config: bool = true, "realTimePersistRocksDBConfig", Inert(ROCKSDB);
        /// Writes its log.
        enable_rocksdb_log: bool = false, "enableRocksDBLog", Inert(ROCKSDB);
        /// Writes consume queues to files and RocksDB both.
        rocksdb_cq_double_write_enable: bool = false, "rocksdbCQDoubleWriteEnable", Inert(ROCKSDB);
        /// Kinds of consume queues that are loaded.
        combine_cq_loading_cq_types: String =
            "default;defaultRocksDB".into(), "combineCQLoadingCQTypes", Inert(ROCKSDB);
        /// Kind from which pulls read.
        combine_cq_prefer_cq_type: String = "default".into(), "combineCQPreferCQType", Inert(ROCKSDB);
        /// Kind that gives out offsets.
        combine_assign_offset_cq_type: String = "default".into(), "combineAssignOffsetCQType", Inert(ROCKSDB);
        /// Compares the kinds.
        combine_cq_enable_check_self: bool = false, "combineCQEnableCheckSelf", Inert(ROCKSDB);
        /// Commit-log files read to bring them in step.
        combine_cq_max_extra_search_commit_log_files: u32 = 3, "combineCQMaxExtraSearchCommitLogFiles", Inert(ROCKSDB);
        /// Keeps light queues in RocksDB alone.
        combine_cq_use_rocksdb_for_lmq: bool = false, "combineCQUseRocksdbForLmq", Inert(ROCKSDB);
        /// Compression of its oldest files.
        bottom_most_compression_type_for_consume_queue_store: String =
            "zstd".into(), "bottomMostCompressionTypeForConsumeQueueStore", Inert(ROCKSDB);
        /// Compression of its files.
        rocksdb_compression_type: String = "lz4".into(), "rocksdbCompressionType", Inert(ROCKSDB);
        /// Writes between two flushes of its log.
        rocksdb_flush_wal_frequency: u32 = 1024, "rocksdbFlushWalFrequency", Inert(ROCKSDB);
        /// Length at which its log begins a new file.
        rocksdb_wal_file_rolling_threshold: ByteSize =
            ByteSize::gib(1), "rocksdbWalFileRollingThreshold", Inert(ROCKSDB);
        /// Keeps it in a folder of its own.
        use_separate_store_path_for_rocksdb_cq: bool = false, "useSeparateStorePathForRocksdbCQ", Inert(ROCKSDB);
    }
}

impl StoreConfig {
    /// Longest delay of a timed message in milliseconds.
    #[must_use]
    pub fn timer_max_delay_ms(&self) -> i64 {
        i64::try_from(self.timer_max_delay_sec.0).unwrap_or(i64::MAX).saturating_mul(1000)
    }

    /// Fills in what the file leaves open. To be called once, after reading.
    ///
    /// # Errors
    /// [`ConfigError`] for a commit log spread over several folders, or a role that needs replication.
    pub fn resolve(&mut self, given: &Properties, machine: &Machine) -> Result<(), ConfigError> {
        if self.store_path_root_dir.as_os_str().is_empty() {
            self.store_path_root_dir = machine.home.join("store");
        }
        if self.store_path_commit_log.as_os_str().is_empty() {
            self.store_path_commit_log = self.store_path_root_dir.join("commitlog");
        }
        let commit_log = self.store_path_commit_log.to_string_lossy().into_owned();
        if commit_log.contains(',') {
            return Err(ConfigError::unfit(given, "storePathCommitLog", commit_log, MULTI_PATH_REMEDY));
        }
        if self.broker_role == BrokerRole::Slave {
            let right = "ASYNC_MASTER or SYNC_MASTER: this version has no replication";
            return Err(ConfigError::unfit(given, "brokerRole", self.broker_role.as_str(), right));
        }
        Ok(())
    }

    /// Length of one consume-queue file: `mappedFileSizeConsumeQueue` rounded up to whole units.
    #[must_use]
    pub const fn consume_queue_file_size(&self) -> ByteSize {
        ByteSize(self.mapped_file_size_consume_queue.0.div_ceil(QUEUE_UNIT) * QUEUE_UNIT)
    }
}
