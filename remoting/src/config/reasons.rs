//! Why a key does nothing here: each reason once, as an operator reads it at start and in `CONFIG.md`.

/// Parts of the product that this version does not have.
macro_rules! absent {
    ($($name:ident = $part:literal;)*) => { $(
        #[doc = concat!("The key belongs to ", $part, ".")]
        pub const $name: &str = concat!("this version has no ", $part);
    )* };
}
absent! {
    ACCESS = "access control";
    ACCOUNTS = "accounting for billing";
    ACTING_MASTER = "replicas that act for a dead master";
    ADDRESS_SERVER = "discovery of servers by HTTP or DNS";
    BATCH_QUEUE = "batch queues";
    COMPACTION = "compacted topics";
    CONTAINER = "container of several brokers";
    CONTROLLER = "failover by a controller";
    DLEDGER = "commit log kept by Raft";
    HA = "replication";
    LAGGARD = "switch that stops groups which lag behind";
    LITE = "lite topics";
    MULTI_PATH = "commit log spread over several folders";
    OTLP = "export of metrics by OTLP";
    PLUGIN = "plug-ins around the message store";
    POP = "pop consumption";
    PROXY = "proxy through which broadcasting consumers come";
    REGISTRATION = "partial registration: each one carries all topics";
    STATIC_SUBSCRIPTION = "static subscriptions";
    STATIC_TOPIC = "static topics";
}

/// The product has no product environments to ask.
pub const CLUSTER_TEST: &str = "a name server knows its own routes only";
/// What is old, and how much of it may be read.
pub const COLD: &str = "which messages are old follows from how far they are from the end of the log, and limits for reading them do not adapt";
/// One thread dispatches, woken by each append.
pub const DISPATCH: &str = "one dispatcher feeds queues and index, woken by each append";
/// How long connecting may take.
pub const CONNECT: &str = "connecting to another server may always take three seconds";
/// How the store flushes.
pub const FLUSHER: &str = "the flusher is woken when there is something to flush, and commits in groups";
/// How the index is kept.
pub const INDEX: &str = "the index is always written to files, bounded, and rebuilt from the log where it lags";
/// There is no installation folder.
pub const INSTALLATION: &str = "a binary needs no installation folder, and the file is the one given with -c";
/// How many filter bits a message has.
pub const FILTER_BITS: &str =
    "the number of filter bits follows from expectConsumerNumUseFilter and maxErrorRateOfBloomFilter";
/// How far groups are behind is not kept.
pub const LAG: &str = "how far groups are behind is computed when somebody asks";
/// How lag is estimated.
pub const LAG_ESTIMATE: &str = "a lag is estimated from the entries at its beginning";
/// Relics of upstream that do nothing there either.
pub const LEGACY: &str = "a relic that has no effect in RocketMQ 5.5.0 either";
/// How the append lock works.
pub const LOCKS: &str = "one append lock guards log and queue offsets, held only while bytes are copied";
/// How logs are set up.
pub const LOGS: &str = "logging is chosen when the process starts";
/// How files are mapped.
pub const MAPPING: &str = "commit-log files are allocated ahead and mapped once; the operating system pages them";
/// How the first offset of a queue is kept.
pub const MIN_OFFSET: &str = "the first offset of a queue follows each deletion at once";
/// How name servers are tried.
pub const NAMESRV_SCAN: &str = "a broker talks to every name server it has, and connects anew when it must";
/// Netty is not used.
pub const NETTY: &str = "it tunes Netty, which is not used";
/// How groups hear of changes.
pub const NOTIFY: &str = "members hear of a change at once, and a closing connection knows its groups";
/// Old name servers.
pub const OLD_NAMESRV: &str = "requests are understood by name servers of all versions";
/// Requests in flight are not counted by permits.
pub const PERMITS: &str = "requests in flight are bounded by memory, not by permits";
/// Requests run where they are read.
pub const POOL: &str = "requests run where they are read; there is no pool of threads to size";
/// Requests do not queue.
pub const QUEUE: &str = "requests run as they are read and do not wait in a queue";
/// How consume queues are written.
pub const QUEUE_BUFFER: &str = "consume queues are written by positioned writes through a small buffer";
/// How recovery works.
pub const RECOVERY: &str = "a recovery always checks place and order of what it reads";
/// How deleted files are released.
pub const RETENTION_READERS: &str = "a deleted file lives on for those who still read it";
/// RocksDB is not used.
pub const ROCKSDB: &str = "metadata, queues and index are plain files; RocksDB is not used";
/// A store in RocksDB cannot be read.
pub const ROCKSDB_STORE: &str = "consume queues are kept in files; a store in RocksDB cannot be read";
/// How delayed messages are delivered.
pub const SCHEDULE: &str = "delayed messages of a level are delivered in order";
/// There is no second buffer before the page cache.
pub const STAGING: &str = "messages go straight to the mapped file";
/// When a broker shows itself.
pub const START: &str = "a broker serves as soon as its store has recovered";
/// Who sizes socket buffers.
pub const SOCKET_BUFFERS: &str = "the operating system sizes the buffers of each connection by its load";
/// How long subscriptions are known.
pub const SUBSCRIPTIONS: &str = "a subscription is known as long as a member of its group has it";
/// Threads of the network.
pub const THREADS: &str = "one thread per CPU serves all connections";
/// How timed messages are counted.
pub const TIMER_COUNTS: &str = "counts of timed messages follow each change, and are made anew after a crash";
/// Timed messages are never given up.
pub const TIMER_RETRIES: &str = "a timed message is tried until it is stored; one that cannot be read is passed over";
/// Who moves timed messages.
pub const TIMER_THREADS: &str = "one thread takes timed messages in and gives them out";
/// How the wheel is written.
pub const TIMER_WHEEL: &str = "of the wheel only the cells that changed are written";
/// Topic names have one limit.
pub const TOPIC_LENGTH: &str = "names of topics have the limits of the wire protocol, and records their version";
/// How pulled messages are sent.
pub const TRANSFER: &str = "pulled messages are sent from the mapped file without a copy";
/// What happens to a peer that does not read.
pub const UNREAD_ANSWERS: &str = "a connection whose answers are not read is not read from";
