//! Causes that lie in a broker: reads from disk, requests that wait.

use crate::doctor::facts::{Broker, Facts, Finding, finding};

/// A group that is further behind than this reads from disk, in bytes: few brokers have so much memory to spare.
const COLD_BYTES: i64 = 8 << 30;
/// A pull that waits so long for a thread is turned away, ms (RocketMQ 5.5.0: `waitTimeMillsInPullQueue`).
const PULL_WAIT_MS: i64 = 5_000;
/// A send that waits so long for the log shows a page cache that is busy, ms (RocketMQ 5.5.0:
/// `osPageCacheBusyTimeOutMills`).
const LOCK_WAIT_MS: i64 = 1_000;

pub(super) fn reads_from_disk(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    for queue in &facts.queues {
        if let Some(next) = queue.next.filter(|next| next.bytes_behind >= COLD_BYTES) {
            evidence.push(format!(
                "{}: what comes next lies {:.1} GiB before the end of the log",
                queue.name(),
                next.bytes_behind as f64 / f64::from(1 << 30),
            ));
        }
    }
    for broker in facts.brokers.iter().filter(|broker| broker.is_cold) {
        evidence.push(format!("{}: slows the group down, because it reads old messages", broker.name));
    }
    finding(
        "reads-from-disk",
        "The group is so far behind that its messages come from disk, not from memory.",
        evidence,
        "Let it catch up when little else is read, move it forward (mqadmin resetOffsetByTime, skipAccumulatedMessage) if old \
         messages do not matter, or lift its limit (mqadmin updateColdDataFlowCtrGroupConfig).",
    )
}

pub(super) fn flow_control(facts: &Facts) -> Option<Finding> {
    let mut evidence = Vec::new();
    for broker in &facts.brokers {
        let wait_ms = number(broker, "pullThreadPoolQueueHeadWaitTimeMills");
        if wait_ms >= PULL_WAIT_MS / 10 {
            evidence.push(format!(
                "{}: {} pulls wait for a thread, the first since {wait_ms} ms; they are turned away at {PULL_WAIT_MS} ms",
                broker.name,
                number(broker, "pullThreadPoolQueueSize"),
            ));
        }
        let lock_ms = number(broker, "pageCacheLockTimeMills");
        if lock_ms >= LOCK_WAIT_MS {
            evidence.push(format!("{}: a send holds the log since {lock_ms} ms: the disk is busy", broker.name));
        }
        let behind = number(broker, "dispatchBehindBytes");
        if behind > 64 << 20 {
            evidence.push(format!("{}: {behind} bytes of the log are not in the queues yet", broker.name));
        }
        if broker.runtime.get("brokerActive").is_some_and(|text| text == "false") {
            evidence.push(format!("{}: says that it is not active", broker.name));
        }
    }
    finding(
        "broker-flow-control",
        "A broker does not keep up, and lets requests wait or turns them away.",
        evidence,
        "Look at its disk and its load (mqadmin brokerStatus, top); move topics to other brokers.",
    )
}

fn number(broker: &Broker, key: &str) -> i64 {
    broker.runtime.get(key).and_then(|text| text.parse().ok()).unwrap_or_default()
}
