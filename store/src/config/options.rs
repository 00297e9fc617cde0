//! From keys to what the store is told.

use boostermq_remoting::config::ByteSize;

use super::{FlushDiskType, StoreConfig};
use crate::options::{FlushMode, StoreOptions};
use crate::retention::RetentionOptions;

/// Sizes have ranges that fit; one that did not would be as large as can be.
fn narrow(size: ByteSize) -> u32 {
    u32::try_from(size.0).unwrap_or(u32::MAX)
}

/// Upstream lets the level be no higher than its default, and no lower than this makes sense (RocketMQ 5.5.0).
fn refuse_above(config: &StoreConfig) -> u32 {
    config.disk_space_warning_level_ratio.0.clamp(35, 90)
}

/// The levels are bounded as upstream bounds them (RocketMQ 5.5.0).
impl From<&StoreConfig> for RetentionOptions {
    fn from(config: &StoreConfig) -> Self {
        Self {
            keep_for: config.file_reserved_time.duration(),
            delete_hours: config.delete_when.hours().to_vec(),
            expire_above: config.disk_max_used_space_ratio.0,
            // A disk on which messages are refused is full enough to make room.
            force_above: config.disk_space_clean_forcibly_ratio.0.clamp(30, 85).min(refuse_above(config)),
            may_force: config.clean_file_forcibly_enable,
            interval: config.clean_resource_interval.duration(),
            batch_max: config.delete_file_batch_max,
            log_pause: config.delete_commit_log_files_interval.duration(),
            queue_pause: config.delete_consume_queue_files_interval.duration(),
        }
    }
}

/// Of a resolved configuration; what has no key keeps the store's own default.
impl From<&StoreConfig> for StoreOptions {
    fn from(config: &StoreConfig) -> Self {
        Self {
            commit_log_dir: config.store_path_commit_log.clone(),
            commit_log_file_size: config.mapped_file_size_commit_log.0,
            consume_queue_file_size: config.consume_queue_file_size().0,
            extension_file_size: config.mapped_file_size_consume_queue_ext.0,
            extension_enabled: config.enable_consume_queue_ext,
            flush_mode: match config.flush_disk_type {
                FlushDiskType::SyncFlush => FlushMode::Sync,
                FlushDiskType::AsyncFlush => FlushMode::Async,
            },
            flush_interval: config.flush_interval_commit_log.duration(),
            flush_least_pages: config.flush_commit_log_least_pages,
            flush_thorough_interval: config.flush_commit_log_thorough_interval.duration(),
            queue_flush_interval: config.flush_interval_consume_queue.duration(),
            queue_flush_thorough_interval: config.flush_consume_queue_thorough_interval.duration(),
            check_crc_on_recover: config.check_crc_on_recover,
            checksum_appended: config.enabled_append_prop_crc,
            checksum_verified: config.force_verify_prop_crc,
            light_queues: config.enable_lmq && config.enable_multi_dispatch,
            light_queues_max: config.enable_lmq_quota.then_some(config.max_lmq_consume_queue_num),
            busy_after: config.os_page_cache_busy_time_out_mills.duration(),
            max_message_size: narrow(config.max_message_size),
            index_enabled: config.message_index_enable,
            index_slots: config.max_hash_slot_num,
            index_entries: config.max_index_num,
            query_max_messages: config.max_msgs_num_batch,
            delay_levels: config.message_delay_level.delays().to_vec(),
            memory_max_ratio: config.access_message_in_memory_max_ratio.0,
            transfer_bytes_in_memory: narrow(config.max_transfer_bytes_on_message_in_memory),
            transfer_count_in_memory: config.max_transfer_count_on_message_in_memory,
            transfer_bytes_on_disk: narrow(config.max_transfer_bytes_on_message_in_disk),
            transfer_count_on_disk: config.max_transfer_count_on_message_in_disk,
            filter_scan_bytes: narrow(config.max_filter_message_size),
            disk_warning_ratio: refuse_above(config),
            retention: RetentionOptions::from(config),
            ..Self::new(&config.store_path_root_dir)
        }
    }
}
