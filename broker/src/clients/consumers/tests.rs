//! Tests of consumer groups.

use std::time::Duration;

use boostermq_store::MessageFilter;

use super::super::groups_by_connection::GROUPS_PER_CONNECTION_MAX;
use super::*;

/// A topic, its tag and the version of the subscription.
type Wanted<'a> = (&'a str, &'a str, i64);

struct Table {
    consumers: Consumers,
    now: Instant,
}

impl Table {
    fn new() -> Self {
        Self { consumers: Consumers::default(), now: Instant::now() }
    }

    fn member(&self, id: u64, seconds: u64) -> Member {
        Member::for_test(id, &format!("client{id}"), self.now + Duration::from_secs(seconds))
    }

    /// A heartbeat of the connection `id`; whether the answer says that subscriptions are stale.
    fn beat(&self, id: u64, wanted: &[Wanted<'_>], subscriptions: Subscriptions) -> bool {
        let data = data(MessageModel::Clustering, wanted);
        self.consumers.heartbeat(&group("g"), &self.member(id, 0), &data, subscriptions).unwrap().is_stale
    }

    fn group(&self) -> Arc<ConsumerGroup> {
        self.consumers.find("g").unwrap()
    }

    /// Topics with their versions.
    fn topics(&self) -> Vec<(String, i64)> {
        self.group().all_subscription_data().into_iter().map(|(topic, data)| (topic, data.sub_version)).collect()
    }

    /// Groups that have something to hear, with the connections of their members.
    #[track_caller]
    fn told(&self, expected: &[(&str, &[u64])]) {
        let connections = |group: &ConsumerGroup| -> Vec<u64> {
            group.members().iter().map(|member| member.connection.id().0).collect()
        };
        let changed = self.consumers.take_changed();
        let mut told: Vec<(&str, Vec<u64>)> =
            changed.iter().map(|group| (group.name().as_str(), connections(group))).collect();
        told.sort_unstable();
        let expected: Vec<(&str, Vec<u64>)> = expected.iter().map(|(name, ids)| (*name, ids.to_vec())).collect();
        assert_eq!(told, expected);
    }
}

fn group(name: &str) -> Group {
    Group::parse(name).unwrap()
}

fn data(model: MessageModel, wanted: &[Wanted<'_>]) -> ConsumerData {
    let subscription = |&(topic, tag, sub_version): &Wanted<'_>| SubscriptionData {
        topic: topic.into(),
        sub_string: tag.into(),
        tags_set: if tag == "*" { Default::default() } else { [tag.to_owned()].into() },
        sub_version,
        ..SubscriptionData::default()
    };
    ConsumerData {
        group_name: "g".into(),
        consume_type: Some(ConsumeType::Passively),
        message_model: Some(model),
        consume_from_where: Some(ConsumeFromWhere::LastOffset),
        subscription_data_set: wanted.iter().map(subscription).collect(),
        ..ConsumerData::default()
    }
}

const FULL: Subscriptions = Subscriptions::Given(0);

#[test]
fn members_hear_of_comings_goings_and_topics_and_of_nothing_else() {
    let table = Table::new();
    let both = [("T", "*", 1), ("U", "*", 1)];
    for (id, wanted, told) in [
        (1, &[("T", "*", 1)][..], Some(&[1][..])),
        (1, &[("T", "*", 1)], None),
        (2, &[("T", "*", 1)], Some(&[1, 2])),
        // A newer version of a known subscription.
        (2, &[("T", "A", 2)], None),
        (2, &both, Some(&[1, 2])),
        (1, &both, None),
        (1, &[("U", "*", 1), ("U", "*", 1)], Some(&[1, 2])),
        (2, &[("U", "*", 1)], None),
        (2, &[], Some(&[1, 2])),
        (3, &[], Some(&[1, 2, 3])),
    ] {
        table.beat(id, wanted, FULL);
        table.told(&told.map(|ids| ("g", ids)).into_iter().collect::<Vec<_>>());
    }
    table.consumers.leave("g", ConnectionId(2));
    table.told(&[("g", &[1, 3])]);
    table.consumers.leave("g", ConnectionId(2));
    table.consumers.leave("other", ConnectionId(1));
    table.told(&[]);
    table.consumers.connection_closed(ConnectionId(3));
    table.told(&[("g", &[1])]);
    table.consumers.connection_closed(ConnectionId(3));
    // Nobody is left to be told.
    table.consumers.connection_closed(ConnectionId(1));
    table.told(&[]);
    assert!(table.consumers.find("g").is_none());
    assert!(!table.consumers.has_member(ConnectionId(1)));
}

#[test]
fn a_group_wants_what_its_last_full_heartbeat_said() {
    let table = Table::new();
    for (wanted, expected) in [
        (&[("T", "*", 5)][..], &[("T", 5)][..]),
        // Older and equal versions change nothing; newer ones do, whoever sends them.
        (&[("T", "A", 4)], &[("T", 5)]),
        (&[("T", "A", 5)], &[("T", 5)]),
        (&[("T", "A", 6)], &[("T", 6)]),
        (&[("T", "A", 6), ("U", "*", 1)], &[("T", 6), ("U", 1)]),
        (&[("U", "*", 3), ("U", "*", 2)], &[("U", 3)]),
        // A topic that was gone starts anew.
        (&[("T", "A", 2)], &[("T", 2)]),
        (&[], &[]),
    ] {
        table.beat(1, wanted, FULL);
        let expected: Vec<(String, i64)> =
            expected.iter().map(|(topic, version)| ((*topic).into(), *version)).collect();
        assert_eq!(table.topics(), expected, "{wanted:?}");
    }
}

#[test]
fn pulls_see_the_subscription() {
    let table = Table::new();
    assert!(table.consumers.find("g").is_none());
    table.beat(1, &[("T", "A", 1)], FULL);
    let (group, code) = (table.group(), |tag| boostermq_remoting::message::tags::tags_code(tag));
    let subscription = group.subscription("T").unwrap();
    assert!(subscription.matches_tags(code("A")) && !subscription.matches_tags(code("B")));
    assert!(group.subscription("U").is_none());
    assert!(!group.is_broadcasting());
    // Who holds a group sees it change.
    table.beat(1, &[("T", "B", 2)], FULL);
    assert!(group.subscription("T").unwrap().matches_tags(code("B")));
    let broadcasting = data(MessageModel::Broadcasting, &[("T", "B", 2)]);
    table.consumers.heartbeat(group.name(), &table.member(1, 0), &broadcasting, FULL).unwrap();
    assert!(group.is_broadcasting());
    assert_eq!(table.consumers.groups_of_topic("T"), std::slice::from_ref(group.name()));
    assert!(table.consumers.groups_of_topic("U").is_empty());
}

#[test]
fn an_unchanged_heartbeat_writes_nothing() {
    let table = Table::new();
    table.beat(1, &[("T", "A", 1)], FULL);
    let before = table.group().consumption.load_full();
    table.beat(1, &[("T", "A", 1)], FULL);
    table.beat(2, &[("T", "A", 1)], FULL);
    assert!(Arc::ptr_eq(&before, &table.group().consumption.load_full()));
    // One filter for all pulls, however many heartbeats came.
    table.beat(1, &[("T", "A", 1), ("U", "*", 1)], FULL);
    let subscription = |consumption: &Consumption| consumption.subscriptions["T"].subscription.clone();
    assert!(Arc::ptr_eq(&subscription(&before), &subscription(&table.group().consumption.load())));
}

#[test]
fn fingerprints_say_when_subscriptions_may_be_left_out() {
    use Subscriptions::{Given, LeftOut};
    let table = Table::new();
    let wanted = [("T", "*", 1)];
    for (id, sent, stale, topics) in [
        // A broker that was restarted knows nothing.
        (1, LeftOut(7), true, 0),
        (1, Given(7), false, 1),
        (1, LeftOut(7), false, 1),
        (2, LeftOut(7), false, 1),
        // A member whose heartbeat differs.
        (2, LeftOut(8), true, 1),
        (2, Given(8), true, 1),
        (2, Given(8), false, 1),
        // The other's was the last, so the first one's may have been undone.
        (1, LeftOut(7), true, 1),
    ] {
        let wanted = if matches!(sent, Given(_)) { &wanted[..] } else { &[] };
        assert_eq!(table.beat(id, wanted, sent), stale, "{id} {sent:?}");
        assert_eq!(table.topics().len(), topics, "{id} {sent:?}");
    }
    assert_eq!(table.group().members().len(), 2);
}

#[test]
fn the_end_of_an_old_connection_leaves_the_new_one() {
    let table = Table::new();
    for (id, seconds) in [(1, 0), (2, 5)] {
        let member = Member { client_id: "one".into(), ..table.member(id, seconds) };
        let wanted = data(MessageModel::Clustering, &[("T", "*", 1)]);
        table.consumers.heartbeat(&group("g"), &member, &wanted, FULL).unwrap();
    }
    let found = |client: &str| table.group().member(client).map(|member| member.connection.id().0);
    assert_eq!((found("one"), found("two")), (Some(2), None));
    table.consumers.connection_closed(ConnectionId(1));
    assert_eq!(found("one"), Some(2));
    assert_eq!(table.topics().len(), 1);
}

#[test]
fn silent_members_are_dropped_and_the_rest_is_told() {
    let table = Table::new();
    let wanted = data(MessageModel::Clustering, &[("T", "*", 1)]);
    for (name, id, seconds) in [("g", 1, 0), ("g", 2, 60), ("h", 1, 60), ("i", 3, 0)] {
        table.consumers.heartbeat(&group(name), &table.member(id, seconds), &wanted, FULL).unwrap();
    }
    table.consumers.take_changed();
    assert!(table.consumers.drop_silent(table.now).is_empty());
    table.told(&[]);
    let mut silent: Vec<u64> = table
        .consumers
        .drop_silent(table.now + Duration::from_secs(60))
        .iter()
        .map(|connection| connection.id().0)
        .collect();
    silent.sort_unstable();
    assert_eq!(silent, [1, 3]);
    table.told(&[("g", &[2])]);
    // A connection that still speaks for another group is not given up.
    assert!(table.consumers.has_member(ConnectionId(1)));
    assert!(!table.consumers.has_member(ConnectionId(3)));
    assert!(table.consumers.find("i").is_none());
}

#[test]
fn the_groups_of_a_connection_are_bounded() {
    let table = Table::new();
    let (member, wanted) = (table.member(1, 0), data(MessageModel::Clustering, &[]));
    let join = |number: usize| table.consumers.heartbeat(&group(&format!("g{number}")), &member, &wanted, FULL);
    for number in 0..GROUPS_PER_CONNECTION_MAX {
        join(number).unwrap();
    }
    assert_eq!(join(GROUPS_PER_CONNECTION_MAX), Err(TooManyGroups));
    assert!(table.consumers.find(&format!("g{GROUPS_PER_CONNECTION_MAX}")).is_none());
    join(0).unwrap();
}

/// Members of one group come and go on several threads; in the end exactly those that stayed are there.
#[test]
fn no_member_is_lost_while_others_leave() {
    let table = Table::new();
    let wanted = data(MessageModel::Clustering, &[("T", "*", 1)]);
    std::thread::scope(|scope| {
        for thread in 1..=4 {
            let (table, wanted) = (&table, &wanted);
            scope.spawn(move || {
                let member = table.member(thread, 0);
                for round in 0..2000 {
                    table.consumers.heartbeat(&group("g"), &member, wanted, FULL).unwrap();
                    let here = table.group().members();
                    assert!(here.iter().any(|here| here.connection.id().0 == thread), "round {round}");
                    table.consumers.connection_closed(ConnectionId(thread));
                }
                if thread % 2 == 0 {
                    table.consumers.heartbeat(&group("g"), &member, wanted, FULL).unwrap();
                }
            });
        }
    });
    let here: Vec<u64> = table.group().members().iter().map(|member| member.connection.id().0).collect();
    assert_eq!(here, [2, 4]);
}
