//! Tests of whether members want the same.

use super::*;

struct Group {
    agreement: Agreement,
    members: HashMap<ConnectionId, Member>,
    now: Instant,
}

/// A member's topics and filters.
type Wanted<'a> = &'a [(&'a str, &'a str)];

impl Group {
    fn new() -> Self {
        Self { agreement: Agreement::default(), members: HashMap::new(), now: Instant::now() }
    }

    fn hears(&mut self, id: u64, client: &str, data: &ConsumerData) -> Option<News> {
        self.now += Duration::from_secs(1);
        self.members.insert(ConnectionId(id), Member::for_test(id, client, self.now));
        self.agreement.heard(ConnectionId(id), data, &self.members)
    }

    fn loses(&mut self, id: u64) -> Option<News> {
        self.members.remove(&ConnectionId(id));
        self.agreement.left(&[ConnectionId(id)], &self.members)
    }
}

fn wants(wanted: Wanted<'_>) -> ConsumerData {
    let subscription = |(topic, expression): &(&str, &str)| SubscriptionData {
        topic: (*topic).to_owned(),
        sub_string: (*expression).to_owned(),
        expression_type: Some(if expression.contains('=') { "SQL92" } else { "TAG" }.to_owned()),
        tags_set: expression.split("||").map(|tag| tag.trim().to_owned()).filter(|tag| tag != "*").collect(),
        ..SubscriptionData::default()
    };
    ConsumerData {
        consume_type: Some(ConsumeType::Passively),
        message_model: Some(MessageModel::Clustering),
        subscription_data_set: wanted.iter().map(subscription).collect(),
        ..ConsumerData::default()
    }
}

fn differ(how: &str) -> Option<News> {
    Some(News::Differ(how.into()))
}

#[test]
fn a_difference_is_named_and_said_once() {
    for (a, b, expected) in [
        (wants(&[("T", "*")]), wants(&[("T", "*")]), None),
        (wants(&[("T", "A || B"), ("U", "*")]), wants(&[("U", "*"), ("T", "B||A")]), None),
        (wants(&[("T", "A")]), wants(&[("T", "B")]), differ("a subscribes to T by A, b by B")),
        (wants(&[("T", "*")]), wants(&[("T", "B")]), differ("a subscribes to T by *, b by B")),
        (wants(&[("T", "x = 1")]), wants(&[("T", "x = 1")]), None),
        (wants(&[("T", "x = 1")]), wants(&[("T", "x")]), differ("a subscribes to T by SQL92 x = 1, b by x")),
        (wants(&[("T", "*"), ("U", "*")]), wants(&[("U", "*")]), differ("a subscribes to T, b does not")),
        (wants(&[("U", "*")]), wants(&[("T", "*"), ("U", "*")]), differ("b subscribes to T, a does not")),
        (
            wants(&[("T", "*")]),
            ConsumerData { message_model: Some(MessageModel::Broadcasting), ..wants(&[]) },
            differ("a consumes as CLUSTERING, b as BROADCASTING"),
        ),
        (
            wants(&[("T", "*")]),
            ConsumerData { consume_type: Some(ConsumeType::Actively), ..wants(&[("T", "*")]) },
            differ("a consumes as CONSUME_PASSIVELY, b as CONSUME_ACTIVELY"),
        ),
    ] {
        let mut group = Group::new();
        assert_eq!(group.hears(1, "a", &a), None);
        assert_eq!(group.hears(2, "b", &b), expected);
        for _ in 0..3 {
            assert_eq!((group.hears(1, "a", &a), group.hears(2, "b", &b)), (None, None));
        }
        assert_eq!(group.agreement.disagreement().is_some(), expected.is_some());
        assert_eq!(group.loses(2), expected.map(|_| News::Settled));
        assert_eq!(group.loses(1), None);
        assert!(group.agreement.kinds.is_empty() && group.agreement.by_connection.is_empty());
    }
}

#[test]
fn those_who_pull_may_want_different_things() {
    let pulls = |wanted: Wanted<'_>| ConsumerData { consume_type: Some(ConsumeType::Actively), ..wants(wanted) };
    let mut group = Group::new();
    assert_eq!(group.hears(1, "a", &pulls(&[("T", "*")])), None);
    assert_eq!(group.hears(2, "b", &pulls(&[("U", "A")])), None);
}

#[test]
fn every_change_is_news() {
    let mut group = Group::new();
    let (all, a, b) = (wants(&[("T", "*")]), wants(&[("T", "A")]), wants(&[("T", "B")]));
    assert_eq!(group.hears(1, "x", &all), None);
    assert_eq!(group.hears(2, "y", &all), None);
    assert_eq!(group.hears(3, "z", &a), differ("x subscribes to T by *, z by A"));
    assert_eq!(group.hears(3, "z", &b), differ("x subscribes to T by *, z by B"));
    assert_eq!(group.hears(2, "y", &b), differ("x subscribes to T by *, y by B"));
    assert_eq!(group.loses(3), None);
    assert_eq!(group.hears(1, "x", &b), Some(News::Settled));
    assert_eq!(group.hears(1, "x", &b), None);
}

#[test]
fn a_clients_old_connection_does_not_count() {
    let mut group = Group::new();
    let (before, after) = (wants(&[("T", "A")]), wants(&[("T", "B")]));
    assert_eq!(group.hears(1, "a", &before), None);
    assert_eq!(group.hears(2, "a", &after), None);
    assert_eq!(group.hears(3, "b", &before), differ("a subscribes to T by B, b by A"));
    assert_eq!(group.hears(3, "b", &after), Some(News::Settled));
    assert_eq!(group.loses(1), None);
}

#[test]
fn long_names_are_cut() {
    let mut group = Group::new();
    let long = "ü".repeat(5000);
    group.hears(1, "a", &wants(&[("T", &long)]));
    let Some(News::Differ(how)) = group.hears(2, &"b".repeat(1024), &wants(&[("T", "*")])) else { panic!() };
    assert!(how.chars().count() < 3 * (SHOWN + 20), "{how}");
}

#[test]
fn so_much_is_said_and_no_more() {
    let (speaker, now) = (Speaker::default(), Instant::now());
    for _ in 0..SENTENCES_MAX {
        assert_eq!(speaker.take(now), Some(0));
    }
    for _ in 0..3 {
        assert_eq!(speaker.take(now + WINDOW / 2), None);
    }
    assert_eq!((speaker.take(now + WINDOW), speaker.take(now + WINDOW)), (Some(3), Some(0)));
}
