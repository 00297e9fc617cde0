//! Tables made of a snapshot: heads, rows, and what rows are sorted by. Pure.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use boostermq_remoting::names::RETRY_TOPIC_PREFIX;

use super::snapshot::{GroupLoad, QueueLoad, Snapshot};
use crate::doctor::span;
use crate::output;

/// Which table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum View {
    Brokers,
    Topics,
    Groups,
    /// What one broker, by its address, says of itself.
    Broker(String),
    /// Groups of one topic.
    Topic(String),
    /// Queues of one group.
    Group(String),
}

/// A table.
#[derive(Clone, Debug, Default)]
pub(super) struct Grid {
    pub(super) title: String,
    pub(super) heads: &'static [&'static str],
    pub(super) lines: Vec<Line>,
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// What it is called, from look to look.
    pub(super) key: String,
    /// The table that it leads to.
    pub(super) leads_to: Option<View>,
    pub(super) cells: Vec<Cell>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Count(i64),
    /// With one digit behind the point; `None` when not known.
    Rate(Option<f64>),
    /// A part of one, shown in percent.
    Part(Option<f64>),
    /// A span, ms; `None` when not known.
    Span(Option<i64>),
}

impl Cell {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => grouped(*count),
            Self::Rate(Some(rate)) => format!("{rate:.1}"),
            Self::Part(Some(part)) => format!("{:.0}%", part * 100.0),
            Self::Span(Some(ms)) => span(*ms),
            Self::Rate(None) | Self::Part(None) | Self::Span(None) => "-".to_owned(),
        }
    }

    pub(super) const fn is_number(&self) -> bool {
        !matches!(self, Self::Text(_))
    }

    fn number(&self) -> f64 {
        match self {
            Self::Text(_) => 0.0,
            Self::Count(count) => *count as f64,
            Self::Rate(value) | Self::Part(value) => value.unwrap_or(-1.0),
            Self::Span(value) => value.map_or(-1.0, |ms| ms as f64),
        }
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            _ => self.number().total_cmp(&other.number()),
        }
    }

    pub(super) fn to_output(&self) -> output::Cell {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Count(count) => (*count).into(),
            Self::Rate(value) | Self::Part(value) => output::Cell::shown(self.text(), *value),
            Self::Span(value) => output::Cell::shown(self.text(), *value),
        }
    }
}

/// `1,234,567`.
fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if count < 0 {
        text.push('-');
    }
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The table of a view.
pub(super) fn grid(snapshot: &Snapshot, view: &View) -> Grid {
    match view {
        View::Brokers => brokers(snapshot),
        View::Topics => topics(snapshot),
        View::Groups => groups(snapshot),
        View::Broker(address) => broker(snapshot, address),
        View::Topic(topic) => topic_groups(snapshot, topic),
        View::Group(group) => group_queues(snapshot, group),
    }
}

/// The column that a view is sorted by at first, and whether the largest comes first.
pub(super) const fn first_order(view: &View) -> (usize, bool) {
    match view {
        View::Brokers | View::Broker(_) => (0, false),
        View::Topics => (1, true),
        View::Groups => (4, true),
        View::Topic(_) => (1, true),
        View::Group(_) => (5, true),
    }
}

fn brokers(snapshot: &Snapshot) -> Grid {
    let lines = snapshot.brokers.iter().map(|broker| {
        let state = match (broker.is_up(), broker.runtime.get("brokerActive").map(String::as_str)) {
            (false, _) => "no answer",
            (true, Some("false")) => "not active",
            (true, _) => "up",
        };
        let text = |key: &str| broker.runtime.get(key).cloned().unwrap_or_default();
        Line {
            key: broker.address.clone(),
            leads_to: broker.is_up().then(|| View::Broker(broker.address.clone())),
            cells: vec![
                Cell::Text(broker.name.clone()),
                Cell::Count(broker.id),
                Cell::Text(broker.address.clone()),
                Cell::Text(broker.cluster.clone()),
                Cell::Text(text("brokerVersionDesc")),
                Cell::Rate(broker.number("putTps")),
                Cell::Rate(broker.number("getTransferredTps")),
                Cell::Rate(broker.number("putLatency99")),
                Cell::Part(broker.number("commitLogDiskRatio")),
                Cell::Count(broker.number("dispatchBehindBytes").unwrap_or_default() as i64),
                Cell::Text(state.to_owned()),
            ],
        }
    });
    Grid {
        title: format!("Brokers ({})", snapshot.brokers.len()),
        heads: &[
            "Broker", "ID", "Address", "Cluster", "Version", "In/s", "Out/s", "Put99 ms", "Disk", "Behind B", "State",
        ],
        lines: lines.collect(),
    }
}

fn topics(snapshot: &Snapshot) -> Grid {
    let mut of_topic: BTreeMap<&str, (BTreeSet<&str>, i64)> = BTreeMap::new();
    for (group, queue) in queues(snapshot) {
        let (groups, lag) = of_topic.entry(&queue.topic).or_default();
        groups.insert(&group.name);
        *lag += queue.lag();
    }
    let lines = snapshot.topics.iter().map(|topic| {
        let (groups, lag) = of_topic.get(topic.name.as_str()).map_or((0, 0), |(groups, lag)| (groups.len(), *lag));
        Line {
            key: topic.name.clone(),
            leads_to: Some(View::Topic(topic.name.clone())),
            cells: vec![
                Cell::Text(topic.name.clone()),
                Cell::Rate(topic.in_tps),
                Cell::Count(topic.end),
                count(groups),
                Cell::Count(lag),
            ],
        }
    });
    Grid {
        title: format!("Topics ({})", snapshot.topics.len()),
        heads: &["Topic", "In/s", "Messages", "Groups", "Lag"],
        lines: lines.collect(),
    }
}

fn groups(snapshot: &Snapshot) -> Grid {
    let lines = snapshot.groups.iter().map(|group| {
        let of_applications = |topic: &&str| !topic.starts_with(RETRY_TOPIC_PREFIX);
        let topics = group.queues.iter().map(|queue| queue.topic.as_str());
        let topics: BTreeSet<&str> = topics.filter(of_applications).collect();
        Line {
            key: group.name.clone(),
            leads_to: Some(View::Group(group.name.clone())),
            cells: vec![
                Cell::Text(group.name.clone()),
                Cell::Rate(Some(group.out_tps)),
                count(topics.len()),
                count(group.queues.len()),
                Cell::Count(group.lag()),
                Cell::Span(group.behind_ms(snapshot.at_ms)),
            ],
        }
    });
    Grid {
        title: format!("Groups ({})", snapshot.groups.len()),
        heads: &["Group", "Out/s", "Topics", "Queues", "Lag", "Behind"],
        lines: lines.collect(),
    }
}

fn broker(snapshot: &Snapshot, address: &str) -> Grid {
    let broker = snapshot.brokers.iter().find(|broker| broker.address == address);
    let runtime = broker.map(|broker| &broker.runtime);
    let lines = runtime.into_iter().flatten().map(|(key, value)| Line {
        key: key.clone(),
        leads_to: None,
        cells: vec![Cell::Text(key.clone()), Cell::Text(value.clone())],
    });
    Grid {
        title: format!("Broker {} {address}", broker.map_or("gone", |broker| broker.name.as_str())),
        heads: &["Key", "Value"],
        lines: lines.collect(),
    }
}

fn topic_groups(snapshot: &Snapshot, topic: &str) -> Grid {
    let mut lines = Vec::new();
    for group in &snapshot.groups {
        let queues: Vec<&QueueLoad> = group.queues.iter().filter(|queue| queue.topic == topic).collect();
        if queues.is_empty() {
            continue;
        }
        let hottest = queues.iter().max_by_key(|queue| queue.lag());
        lines.push(Line {
            key: group.name.clone(),
            leads_to: Some(View::Group(group.name.clone())),
            cells: vec![
                Cell::Text(group.name.clone()),
                Cell::Count(queues.iter().map(|queue| queue.lag()).sum()),
                Cell::Span(queues.iter().filter_map(|queue| queue.behind_ms(snapshot.at_ms)).max()),
                count(queues.len()),
                Cell::Text(hottest.map_or_else(String::new, |queue| format!("{}:{}", queue.broker, queue.queue_id))),
            ],
        });
    }
    Grid {
        title: format!("Groups of topic {topic} ({})", lines.len()),
        heads: &["Group", "Lag", "Behind", "Queues", "Furthest behind"],
        lines,
    }
}

fn group_queues(snapshot: &Snapshot, group: &str) -> Grid {
    let found = snapshot.groups.iter().find(|one| one.name == group);
    let lines = found.into_iter().flat_map(|group| &group.queues).map(|queue| Line {
        key: format!("{}@{}:{}", queue.topic, queue.broker, queue.queue_id),
        leads_to: None,
        cells: vec![
            Cell::Text(queue.topic.clone()),
            Cell::Text(queue.broker.clone()),
            Cell::Count(i64::from(queue.queue_id)),
            Cell::Count(queue.end),
            Cell::Count(queue.committed),
            Cell::Count(queue.lag()),
            Cell::Span(queue.behind_ms(snapshot.at_ms)),
        ],
    });
    let members: Vec<String> = snapshot
        .members
        .iter()
        .map(|member| format!("{} {} {}", member.client_id, member.address, member.language))
        .collect();
    let members = if members.is_empty() { "no member".to_owned() } else { members.join(" | ") };
    Grid {
        title: format!("Group {group}: {members}"),
        heads: &["Topic", "Broker", "Queue", "End", "Committed", "Lag", "Behind"],
        lines: lines.collect(),
    }
}

fn queues(snapshot: &Snapshot) -> impl Iterator<Item = (&GroupLoad, &QueueLoad)> {
    snapshot.groups.iter().flat_map(|group| group.queues.iter().map(move |queue| (group, queue)))
}

fn count(count: usize) -> Cell {
    Cell::Count(i64::try_from(count).unwrap_or(i64::MAX))
}
