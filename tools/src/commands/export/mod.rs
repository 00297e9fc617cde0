//! Commands that write what a cluster knows into files.

mod export_configs;
mod export_metadata;
mod export_metrics;
mod export_pop_record;
mod rocks_db;
mod user_tables;

pub use export_configs::ExportConfigs;
pub use export_metadata::ExportMetadata;
pub use export_metrics::ExportMetrics;
pub use export_pop_record::ExportPopRecord;
pub use rocks_db::{CheckRocksdbCqWriteProgress, ExportMetadataInRocksDb, RocksDbConfigToJson};
