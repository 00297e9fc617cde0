//! Where the consuming threads of a Java client stand, out of its stacks.
//!
//! ```text
//! ConsumeMessageThread_g_1    TID: 42 STATE: TIMED_WAITING
//! ConsumeMessageThread_g_1    java.lang.Thread.sleep(Native Method)
//! ConsumeMessageThread_g_1    app.Listener.consumeMessage(Listener.java:17)
//! ```

use std::collections::BTreeMap;

use crate::print::front;

/// Beginning of the names of threads that call listeners.
const THREAD: &str = "ConsumeMessageThread";
/// Code that stands in every stack.
const LIBRARIES: [&str; 6] = [
    "java.",
    "jdk.",
    "sun.",
    "org.apache.rocketmq.client.",
    "org.apache.rocketmq.common.",
    "org.apache.rocketmq.remoting.",
];

/// Characters of a group's name in the names of its threads (RocketMQ 5.5.0).
const GROUP_LENGTH: usize = 100;

/// One line for each place of the application where threads of this group stand, the most frequent first.
pub(crate) fn consuming(stacks: &str, group: &str) -> Vec<String> {
    let prefix = format!("{THREAD}_{}_", front(group, GROUP_LENGTH));
    // The innermost frames come first.
    let mut threads: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for line in stacks.lines().filter(|line| line.starts_with(&prefix)) {
        let Some((thread, frame)) = line.split_once(char::is_whitespace) else { continue };
        let frame = without_module(frame.trim());
        if !frame.contains('(') || frame.starts_with("TID:") {
            continue;
        }
        let (innermost, own) = threads.entry(thread).or_default();
        innermost.get_or_insert(frame);
        if !LIBRARIES.iter().any(|library| frame.starts_with(library)) {
            own.get_or_insert(frame);
        }
    }
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (innermost, own) in threads.values() {
        if let (Some(innermost), Some(own)) = (innermost, own) {
            *places.entry((*innermost, *own)).or_default() += 1;
        }
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let line = |((innermost, own), count): &((&str, &str), usize)| {
        if innermost == own {
            format!("{count} threads stand in {own}")
        } else {
            format!("{count} threads stand in {own}, which waits in {innermost}")
        }
    };
    places.iter().take(3).map(line).collect()
}

/// Takes `java.base@17/` or `app//` from a frame.
fn without_module(frame: &str) -> &str {
    let name = frame.find('(').unwrap_or(frame.len());
    match frame.get(..name).and_then(|name| name.rfind('/')) {
        Some(slash) => frame.get(slash + 1..).unwrap_or(frame),
        None => frame,
    }
}
