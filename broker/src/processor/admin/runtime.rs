//! How the broker does, in upstream's words: what clusterList, brokerStatus and the exporter read.
//!
//! Keys and formats: RocketMQ 5.5.0. Keys of parts that are not there show what an idle
//! part of upstream shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::body::KvTable;
use boostermq_remoting::names::QueueId;
use boostermq_remoting::request::broker_config::GetBrokerRuntimeInfo;
use boostermq_remoting::router::{Handled, Request, Response};

use crate::broker::Broker;
use crate::schedule::SCHEDULE_TOPIC;
use crate::stats::Rate;

/// The version as tools print it.
const VERSION: &str = "V5_5_0";

pub(crate) fn get_broker_runtime_info(broker: &Arc<Broker>, _: Request<GetBrokerRuntimeInfo>) -> Handled {
    let mut table = BTreeMap::new();
    {
        let mut put = |key: &str, value: String| {
            table.insert(key.to_owned(), value);
        };
        totals(broker, &mut put);
        rates(broker, &mut put);
        log(broker, &mut put);
        levels(broker, &mut put);
        timer(broker, &mut put);
        idle_parts(&mut put);
    }
    Response::success().json(&KvTable { table })
}

fn totals(broker: &Broker, put: &mut impl FnMut(&str, String)) {
    let (messages, bytes, failures) = broker.stats.put_totals();
    let started_ms = broker.stats.started_ms();
    let seconds = (broker.clock.now_ms() - started_ms).max(0) / 1000;
    put("bootTimestamp", started_ms.to_string());
    put(
        "runtime",
        format!(
            "[ {} days, {} hours, {} minutes, {} seconds ]",
            seconds / 86_400,
            seconds / 3600 % 24,
            seconds / 60 % 60,
            seconds % 60
        ),
    );
    put("brokerVersionDesc", VERSION.to_owned());
    put("brokerActive", "true".to_owned());
    put("putMessageTimesTotal", messages.max(1).to_string());
    put("putMessageSizeTotal", bytes.to_string());
    put("putMessageFailedTimes", failures.to_string());
    put("putMessageAverageSize", format!("{:?}", bytes as f64 / messages.max(1) as f64));
    let puts = broker.stats.puts();
    put("putMessageEntireTimeMax", puts.longest_ms().to_string());
    put("putMessageDistributeTime", puts.distribution());
    put("putLatency99", format!("{:.2}", puts.percentile_ms(0.99)));
    put("putLatency999", format!("{:.2}", puts.percentile_ms(0.999)));
    put("getMessageEntireTimeMax", broker.stats.longest_get_ms().to_string());
    let (stored, handed_out) = broker.stats.days();
    for (name, counts) in [("msgPutTotal", stored), ("msgGetTotal", handed_out)] {
        for (moment, count) in ["YesterdayMorning", "TodayMorning", "TodayNow"].iter().zip(counts) {
            put(&format!("{name}{moment}"), count.to_string());
        }
    }
    let opens = broker.settings.read().broker.start_accept_send_request_time_stamp;
    put("startAcceptSendRequestTimeStamp", opens.to_string());
}

fn rates(broker: &Broker, put: &mut impl FnMut(&str, String)) {
    for (key, rate) in [
        ("putTps", Rate::Put),
        ("getFoundTps", Rate::GetFound),
        ("getMissTps", Rate::GetMissed),
        ("getTotalTps", Rate::Get),
        ("getTransferredTps", Rate::Transferred),
    ] {
        put(key, broker.stats.rates(rate));
    }
}

fn log(broker: &Broker, put: &mut impl FnMut(&str, String)) {
    let store = &broker.store;
    let (min, max) = (store.min_physical_offset(), store.max_physical_offset());
    put("commitLogMinOffset", min.to_string());
    put("commitLogMaxOffset", max.to_string());
    put("dispatchBehindBytes", max.since(store.dispatched_offset()).max(0).to_string());
    put("earliestMessageTimeStamp", store.earliest_log_timestamp().unwrap_or(-1).to_string());
    put("pageCacheLockTimeMills", store.append_held_ms().to_string());
    put("remainHowManyDataToFlush", human_bytes(max.since(store.flushed_offset()).max(0)));
    let usage = store.disk_usage();
    let path = store.options().commit_log_dir.display().to_string();
    put("commitLogDiskRatio", format!("{:?}", usage.commit_log));
    put(&format!("commitLogDiskRatio_{path}"), format!("{:?}", usage.commit_log));
    put("consumeQueueDiskRatio", format!("{:?}", usage.consume_queue));
    if let Some(capacity) = store.disk_capacity() {
        let text = format!("Total : {}, Free : {}.", human_bytes(capacity.total), human_bytes(capacity.free));
        put("commitLogDirCapacity", text);
    }
}

fn levels(broker: &Broker, put: &mut impl FnMut(&str, String)) {
    for (level, next) in broker.schedule.offsets() {
        let queue_id = QueueId::from_wire(level - 1).unwrap_or_default();
        let max = broker.store.max_queue_offset(SCHEDULE_TOPIC, queue_id);
        put(&format!("scheduleMessageOffset_{level}"), format!("{next},{max}"));
    }
}

/// How far the timer is behind and how much waits in it.
fn timer(broker: &Broker, put: &mut impl FnMut(&str, String)) {
    let look = broker.timer.as_ref().map(|timer| timer.look(&broker.store, broker.clock.now_ms())).unwrap_or_default();
    put("timerReadBehind", look.read_behind_s.to_string());
    put("timerOffsetBehind", look.offset_behind.to_string());
    put("timerCongestNum", look.pending.to_string());
    put("timerEnqueueTps", format!("{:?}", look.taken_in_per_second));
    put("timerDequeueTps", format!("{:?}", look.delivered_per_second));
}

/// Thread pools and buffers that this broker does without: nothing waits in them.
fn idle_parts(put: &mut impl FnMut(&str, String)) {
    for (pool, capacity) in
        [("send", 10_000), ("pull", 100_000), ("litePull", 100_000), ("query", 20_000), ("ack", 100_000)]
    {
        put(&format!("{pool}ThreadPoolQueueSize"), "0".to_owned());
        put(&format!("{pool}ThreadPoolQueueCapacity"), capacity.to_string());
        put(&format!("{pool}ThreadPoolQueueHeadWaitTimeMills"), "0".to_owned());
    }
    for (key, value) in [
        ("EndTransactionQueueSize", "0"),
        ("EndTransactionThreadPoolQueueCapacity", "100000"),
        ("dispatchMaxBuffer", "0"),
        ("remainTransientStoreBufferNumbs", "2147483647"),
    ] {
        put(key, value.to_owned());
    }
}

/// Bytes as upstream writes them for people: `512 B`, `1.5 KiB`.
fn human_bytes(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

#[cfg(test)]
mod tests;
