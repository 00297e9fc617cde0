use super::*;

const CLUSTER: &str = "C";

fn queues(perm: i32) -> Queues {
    Queues { read: 8, write: 8, perm, topic_sys_flag: 0 }
}

fn version(counter: i64, state_version: i64) -> DataVersion {
    DataVersion { counter, state_version, timestamp: 1 }
}

fn place(address: &str) -> Place {
    Place { cluster: CLUSTER.into(), address: address.into() }
}

/// A registration of two topics, T1 and T2, by its own connection.
fn broker(name: &str, id: i64, address: &str) -> Registration {
    Registration {
        place: place(address),
        name: name.into(),
        id: BrokerId(id),
        ha_address: format!("ha-{address}"),
        acting_master: None,
        zone: None,
        timeout: None,
        version: version(1, 0),
        topics: vec![("T1".into(), queues(6)), ("T2".into(), queues(6))],
        mappings: Vec::new(),
        filter_servers: Some(Vec::new()),
        connection: Arc::new(Connection::detached(1)),
    }
}

fn with(mut new: Registration, change: impl FnOnce(&mut Registration)) -> Registration {
    change(&mut new);
    new
}

#[derive(Default)]
struct World {
    table: RouteTable,
    delete_missing: bool,
}

impl World {
    fn of(brokers: impl IntoIterator<Item = Registration>) -> Self {
        let mut world = Self::default();
        for new in brokers {
            assert!(matches!(world.register(new), Registered::Accepted { .. }));
        }
        world
    }

    fn register(&mut self, new: Registration) -> Registered {
        self.table.register(new, self.delete_missing, start())
    }

    /// `name:perm` of every broker that holds the topic, and `name=id@address,...` of every broker in its route.
    fn route(&self, topic: &str) -> String {
        self.route_with(topic, RouteOptions::default())
    }

    fn route_with(&self, topic: &str, options: RouteOptions<'_>) -> String {
        let Some(route) = self.table.route(topic, options) else { return "none".into() };
        let queues = route.queues.iter().map(|(name, queues)| format!("{name}:{}", queues.perm));
        let brokers = route.brokers.iter().map(|(name, broker)| {
            let addresses: Vec<_> = broker.addresses.iter().map(|(id, address)| format!("{id}@{address}")).collect();
            format!("{name}={}", addresses.join(","))
        });
        queues.chain(brokers).collect::<Vec<_>>().join(" ")
    }

    /// `cluster=name,name` of every cluster.
    fn clusters(&self) -> String {
        let names = |names: &BTreeSet<BrokerName>| names.iter().map(BrokerName::as_str).collect::<Vec<_>>().join(",");
        let clusters = self.table.clusters().iter().map(|(cluster, members)| format!("{cluster}={}", names(members)));
        clusters.collect::<Vec<_>>().join(" ")
    }
}

/// The same moment for every test of one process.
fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn accepted(master: Option<(&str, &str)>) -> Registered {
    let master = master.map(|(address, ha)| (Arc::from(address), ha.to_owned()));
    Registered::Accepted { master, lowest: None }
}

#[test]
fn a_master_brings_topics_and_a_slave_learns_of_it() {
    let mut world = World::default();
    assert_eq!(world.register(broker("a", 0, "m")), accepted(None));
    assert_eq!(world.register(broker("a", 1, "s")), accepted(Some(("m", "ha-m"))));
    assert_eq!(world.register(broker("b", 0, "n")), accepted(None));
    assert_eq!(world.route("T1"), "a:6 b:6 a=0@m,1@s b=0@n");
    assert_eq!(world.route("unknown"), "none");
    assert_eq!(world.clusters(), "C=a,b");
    assert_eq!(world.table.members(&"a".into()).len(), 2);
    assert_eq!(world.table.members(&"x".into()).len(), 0);
}

#[test]
fn a_slave_alone_brings_topics_only_when_it_may_stand_in() {
    let world = World::of([broker("a", 1, "s")]);
    assert_eq!(world.route("T1"), "none");
    let mut world = World::of([with(broker("a", 1, "s"), |new| new.acting_master = Some(true))]);
    assert_eq!(world.route("T1"), "a:4 a=1@s", "without the right to write");
    // A slave of a higher number is not the one that counts.
    let other = |new: &mut Registration| {
        new.acting_master = Some(true);
        new.topics.push(("T3".into(), queues(6)));
    };
    world.register(with(broker("a", 2, "t"), other));
    assert_eq!(world.route("T3"), "none");
    let world = World::of([with(broker("a", 1, "s"), |new| new.acting_master = Some(false))]);
    assert_eq!(world.route("T1"), "a:6 a=1@s", "a new broker that does not stand in keeps what it says");
}

#[test]
fn a_slave_that_becomes_master_leaves_its_old_number() {
    let mut world = World::of([broker("a", 0, "m"), broker("a", 1, "s")]);
    world.table.unregister(&place("m"), &"a".into());
    assert_eq!(world.register(broker("a", 0, "s")), lowest_of(&[(0, "s")], None, Some("ha-s")));
    assert_eq!(world.route("T1"), "a:6 a=0@s");
}

fn lowest_of(addresses: &[(i64, &str)], offline: Option<&str>, ha: Option<&str>) -> Registered {
    Registered::Accepted { master: None, lowest: Some(lowest(addresses, offline, ha)) }
}

fn lowest(addresses: &[(i64, &str)], offline: Option<&str>, ha: Option<&str>) -> LowestChanged {
    LowestChanged {
        name: "a".into(),
        addresses: addresses.iter().map(|(id, address)| (BrokerId(*id), Arc::from(*address))).collect(),
        offline: offline.map(Arc::from),
        ha_address: ha.map(str::to_owned),
    }
}

#[test]
fn of_two_addresses_with_one_number_the_newer_state_wins() {
    let newer = |state| move |new: &mut Registration| new.version = version(1, state);
    for (holder, comer, route, outcome) in [
        (5, 4, "a:6 a=0@m", Registered::Outdated),
        (5, 5, "a:6 a=0@n", accepted(None)),
        (5, 6, "a:6 a=0@n", accepted(None)),
    ] {
        let mut world = World::of([with(broker("a", 0, "m"), newer(holder))]);
        assert_eq!(world.register(with(broker("a", 0, "n"), newer(comer))), outcome, "{holder} {comer}");
        assert_eq!(world.route("T1"), route);
    }
}

#[test]
fn one_topic_is_refused_before_the_whole_table_came() {
    let one = |new: &mut Registration| {
        new.topics = vec![("T3".into(), queues(6))];
        new.version = version(2, 0);
    };
    let mut world = World::default();
    assert_eq!(world.register(with(broker("a", 0, "m"), one)), Registered::Premature);
    assert_eq!((world.clusters().as_str(), world.table.brokers().len()), ("", 0), "nothing stays of it");
    world.register(broker("a", 0, "m"));
    assert_eq!(world.register(with(broker("a", 0, "m"), one)), accepted(None));
    assert_eq!(world.route("T3"), "a:6 a=0@m");
    assert_eq!(world.route("T1"), "a:6 a=0@m", "topics that are not named stay");
    // None at all is no single topic.
    assert_eq!(world.register(with(broker("b", 0, "n"), |new| new.topics.clear())), accepted(None));
}

#[test]
fn a_change_counts_only_with_a_new_version_or_for_what_is_missing() {
    let read_only = |counter| {
        move |new: &mut Registration| {
            new.version = version(counter, 0);
            new.topics = vec![("T1".into(), queues(4)), ("T2".into(), queues(4)), ("T3".into(), queues(4))];
        }
    };
    let mut world = World::of([broker("a", 0, "m"), with(broker("a", 0, "m"), read_only(1))]);
    assert_eq!(world.route("T1"), "a:6 a=0@m", "the version is the same");
    assert_eq!(world.route("T3"), "a:4 a=0@m", "but this one was missing");
    world.register(with(broker("a", 0, "m"), read_only(2)));
    assert_eq!(world.route("T1"), "a:4 a=0@m");
}

#[test]
fn topics_that_are_not_named_leave_only_when_that_is_set() {
    let fewer = |new: &mut Registration| {
        new.version = version(2, 0);
        new.topics = vec![("T2".into(), queues(6)), ("T3".into(), queues(6))];
    };
    for (delete_missing, route) in [(false, "a:6 b:6 a=0@m b=0@n"), (true, "b:6 b=0@n")] {
        let mut world = World::of([broker("a", 0, "m"), broker("b", 0, "n")]);
        world.delete_missing = delete_missing;
        world.register(with(broker("a", 0, "m"), fewer));
        assert_eq!(world.route("T1"), route);
    }
}

#[test]
fn static_topics_and_filter_servers_stand_in_the_route() {
    let mapping = serde_json::json!({ "bname": "a", "totalQueues": 8 });
    let rich = |new: &mut Registration| {
        new.mappings = vec![("T1".into(), "a".into(), mapping.clone()), ("T9".into(), "a".into(), mapping.clone())];
        new.filter_servers = Some(vec!["f:1".into()]);
    };
    let mut world = World::of([with(broker("a", 0, "m"), rich)]);
    let route = world.table.route("T1", RouteOptions::default()).unwrap();
    assert_eq!(route.mappings[&BrokerName::from("a")], mapping);
    assert_eq!(route.filter_servers[&Arc::<str>::from("m")], ["f:1"]);
    assert_eq!(world.route("T9"), "none");
    world.register(with(broker("a", 0, "m"), |new| new.filter_servers = None));
    assert_eq!(world.table.route("T1", RouteOptions::default()).unwrap().filter_servers.len(), 1);
    world.register(broker("a", 0, "m"));
    assert_eq!(world.table.route("T1", RouteOptions::default()).unwrap().filter_servers.len(), 0);
}

#[test]
fn with_the_last_address_go_name_topics_and_cluster() {
    let mut world = World::of([broker("a", 0, "m"), broker("a", 1, "s"), broker("b", 0, "n")]);
    assert_eq!(world.table.unregister(&place("other"), &"a".into()), None);
    assert_eq!(world.table.unregister(&place("n"), &"a".into()), None, "an address of another name");
    assert_eq!(world.route("T1"), "a:6 b:6 a=0@m,1@s b=0@n");
    let changed = world.table.unregister(&place("m"), &"a".into());
    assert_eq!(changed, Some(lowest(&[(1, "s")], Some("m"), None)));
    assert_eq!(world.route("T1"), "a:6 b:6 a=1@s b=0@n", "slaves stay in the route, and may be read");
    assert_eq!(world.table.unregister(&place("s"), &"a".into()), None);
    assert_eq!((world.route("T1").as_str(), world.clusters().as_str()), ("b:6 b=0@n", "C=b"));
    world.table.unregister(&place("n"), &"b".into());
    assert_eq!((world.table.topics().len(), world.clusters().as_str()), (0, ""));
}

#[test]
fn a_lost_master_takes_the_right_to_write_and_a_slave_stands_in() {
    let may = |new: &mut Registration| new.acting_master = Some(true);
    let mut world = World::of([with(broker("a", 0, "m"), may), with(broker("a", 2, "s"), may)]);
    let acting = RouteOptions { acting_master: true, zone: None };
    assert_eq!(world.route_with("T1", acting), "a:6 a=0@m,2@s");
    world.table.unregister(&place("m"), &"a".into());
    assert_eq!(world.route("T1"), "a:4 a=2@s");
    assert_eq!(world.route_with("T1", acting), "a:4 a=0@s");
    let members = format!("{}a", "rmq_sys_SYNC_BROKER_MEMBER_");
    world.table.register_topic(&members, vec![("a".into(), queues(4))]);
    assert_eq!(world.route_with(&members, acting), "a:4 a=2@s", "members see each other as they are");
}

#[test]
fn a_zone_leaves_out_masters_of_others() {
    let zone = |zone: &'static str| move |new: &mut Registration| new.zone = Some(zone.into());
    let world = World::of([
        with(broker("a", 0, "m"), zone("z1")),
        with(broker("b", 0, "n"), zone("Z2")),
        with(broker("c", 0, "o"), |new| new.zone = None),
        broker("d", 0, "p"),
        broker("d", 1, "q"),
    ]);
    let mut world = world;
    world.table.unregister(&place("p"), &"d".into());
    let route = |zone| world.route_with("T1", RouteOptions { acting_master: false, zone });
    assert_eq!(route(Some("z2")), "b:6 d:6 b=0@n d=1@q");
    assert_eq!(route(None), "a:6 b:6 c:6 d:6 a=0@m b=0@n c=0@o d=1@q");
}

#[test]
fn a_silent_broker_expires_after_its_own_time() {
    let fast = |new: &mut Registration| {
        new.timeout = Some(Duration::from_secs(10));
        new.connection = Arc::new(Connection::detached(2));
    };
    let mut world = World::of([broker("a", 0, "m"), with(broker("b", 0, "n"), fast)]);
    let after = |seconds| start() + Duration::from_secs(seconds);
    let expire = |world: &mut World, seconds| {
        let (_, connections) = world.table.expire(after(seconds));
        (connections.iter().map(|connection| connection.id().0).collect::<Vec<_>>(), world.clusters())
    };
    assert_eq!(expire(&mut world, 10), (vec![], "C=a,b".into()));
    assert!(world.table.heard(&place("n"), after(10)));
    assert!(!world.table.heard(&place("x"), after(10)));
    assert_eq!(expire(&mut world, 20), (vec![], "C=a,b".into()));
    assert_eq!(expire(&mut world, 21), (vec![2], "C=a".into()));
    assert_eq!(expire(&mut world, 120), (vec![], "C=a".into()));
    assert_eq!(expire(&mut world, 121), (vec![1], String::new()));
    assert_eq!(world.table.version(&place("m")), None);
}

#[test]
fn a_closed_connection_takes_only_what_registered_by_it_last() {
    let by = |id| move |new: &mut Registration| new.connection = Arc::new(Connection::detached(id));
    let mut world = World::of([
        with(broker("a", 0, "m"), by(1)),
        with(broker("b", 0, "n"), by(1)),
        // Came back by another connection before the old one was seen to close.
        with(broker("a", 0, "m"), by(2)),
    ]);
    world.table.connection_closed(ConnectionId(1));
    assert_eq!(world.clusters(), "C=a");
    world.table.connection_closed(ConnectionId(3));
    assert_eq!(world.clusters(), "C=a");
    assert_eq!(world.table.connection_closed(ConnectionId(2)), []);
    assert_eq!(world.clusters(), "");
}

#[test]
fn write_perm_is_wiped_and_set_until_the_broker_changes_something() {
    let mut world = World::of([broker("a", 0, "m"), broker("b", 0, "n")]);
    assert_eq!(world.table.wipe_write_perm(&"a".into()), 2);
    assert_eq!(world.table.wipe_write_perm(&"x".into()), 0);
    world.register(broker("a", 0, "m"));
    assert_eq!(world.route("T1"), "a:4 b:6 a=0@m b=0@n");
    assert_eq!(world.table.add_write_perm(&"a".into()), 2);
    assert_eq!(world.route("T1"), "a:6 b:6 a=0@m b=0@n");
    world.table.wipe_write_perm(&"a".into());
    world.register(with(broker("a", 0, "m"), |new| new.version = version(2, 0)));
    assert_eq!(world.route("T1"), "a:6 b:6 a=0@m b=0@n");
}

#[test]
fn single_topics_are_entered_and_deleted() {
    let elsewhere = |new: &mut Registration| new.place.cluster = "D".into();
    let mut world = World::of([broker("a", 0, "m"), with(broker("d", 0, "n"), elsewhere)]);
    world.table.register_topic("T3", vec![("a".into(), queues(6)), ("d".into(), queues(6))]);
    assert_eq!(world.route("T3"), "a:6 d:6 a=0@m d=0@n");
    world.table.register_topic("T4", vec![("a".into(), queues(6)), ("x".into(), queues(6))]);
    assert_eq!(world.route("T4"), "none", "nothing for a broker that is not there");
    world.table.delete_topic("T3", Some(&"none".into()));
    world.table.delete_topic("T3", Some(&CLUSTER.into()));
    assert_eq!(world.route("T3"), "d:6 d=0@n");
    world.table.delete_topic("T3", Some(&"D".into()));
    assert_eq!(world.route("T3"), "none");
    world.table.delete_topic("T1", None);
    assert_eq!(world.table.topics(), ["T2"]);
}

#[test]
fn lists_are_sorted_and_complete() {
    let flags = |new: &mut Registration| {
        let flagged = |topic: &str, topic_sys_flag| (topic.to_owned(), Queues { topic_sys_flag, ..queues(6) });
        new.topics = vec![flagged("unit", 1), flagged("both", 3), flagged("sub", 2), flagged("plain", 0)];
    };
    let elsewhere = |new: &mut Registration| new.place.cluster = "D".into();
    let world = World::of([with(broker("a", 0, "m"), flags), with(broker("d", 0, "n"), elsewhere)]);
    let table = &world.table;
    assert_eq!(table.topics(), ["T1", "T2", "both", "plain", "sub", "unit"]);
    assert_eq!(table.topics_of_cluster(&"D".into()), ["T1", "T2"]);
    assert_eq!(table.topics_of_cluster(&"none".into()), Vec::<String>::new());
    assert_eq!(table.unit_topics(UnitKind::Unit), ["both", "unit"]);
    assert_eq!(table.unit_topics(UnitKind::Subscribed), ["both", "sub"]);
    assert_eq!(table.unit_topics(UnitKind::SubscribedOnly), ["sub"]);
    assert_eq!(table.system_topics(), (["C", "a", "D", "d"].map(str::to_owned).to_vec(), Some("m".into())));
}

#[test]
fn the_table_does_not_grow_without_end() {
    let mut world = World::default();
    for number in 0..ADDRESSES_MAX {
        world.register(with(broker(&number.to_string(), 0, &number.to_string()), |new| new.topics.clear()));
    }
    assert_eq!(world.register(broker("one more", 0, "one more")), Registered::Full("broker addresses"));
    let again = with(broker("0", 0, "0"), |new| new.version = version(9, 0));
    assert_eq!(world.register(again), accepted(None), "known ones go on");
}
