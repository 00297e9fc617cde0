//! Brokers come, change, fall silent and go.

use std::sync::OnceLock;

use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::config::Millis;
use boostermq_remoting::frame::{Split, split};
use boostermq_remoting::header::HeaderScratch;
use boostermq_remoting::net::client::Client;
use bytes::Bytes;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::support::{Broker, PATIENCE, UNREGISTER_BROKER, World, json, request};

const HEARTBEAT: i32 = 904;
const QUERY_DATA_VERSION: i32 = 322;

#[tokio::test]
async fn every_form_of_registration_brings_the_same_route() {
    for (compress, version) in [(false, 513), (true, 513), (true, 400), (false, 400)] {
        let world = World::new(|_| {}).await;
        let mut broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
        broker.compress = compress;
        let mut command = broker.register();
        command.version = version;
        let answer = world.send(command).await;
        assert_eq!((answer.code, answer.body.len()), (0, 0), "{:?}", answer.remark);
        assert_eq!(world.route("T1").await, "a:6 a=0@1.1.1.1:10911");
        assert_eq!(world.route("T3").await, "none");
    }
    // Compressed, though it says that it is not.
    let world = World::new(|_| {}).await;
    let mut broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
    broker.compress = true;
    let mut command = broker.register();
    command.fields.retain(|(name, _)| name != "compressed");
    command.fields.push(("compressed".into(), "false".into()));
    assert_eq!(world.send(command).await.code, 0);
    assert_eq!(world.route("T1").await, "a:6 a=0@1.1.1.1:10911");
    // Before 3.0.11 the body was the table alone.
    let world = World::new(|_| {}).await;
    let broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
    let table = serde_json::to_vec(&broker.body.topic_config_serialize_wrapper).unwrap();
    let mut command = broker.known_by(103, table.into());
    command.version = 36;
    assert_eq!(world.send(command).await.code, 0);
    assert_eq!(world.route("T1").await, "a:6 a=0@1.1.1.1:10911");
}

#[tokio::test]
async fn a_damaged_registration_changes_nothing() {
    let world = World::new(|_| {}).await;
    let broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
    let wrong_sum = world.send(broker.clone().with("bodyCrc32", "1").register()).await;
    assert_eq!((wrong_sum.code, wrong_sum.remark.as_deref()), (1, Some("crc32 not match")));
    let mut bad = broker.register();
    bad.body = Bytes::from_static(b"{\"topicConfigSerializeWrapper\":");
    bad.fields.retain(|(name, _)| name != "bodyCrc32");
    assert_eq!(world.send(bad).await.code, 1);
    let mut nameless = broker.register();
    nameless.fields.retain(|(name, _)| name != "brokerName");
    assert_eq!(world.send(nameless).await.code, 1);
    let one = world.send(Broker::new("a", 0, "1.1.1.1:10911", &["T1"]).register()).await;
    assert_eq!((one.code, one.remark.as_deref()), (1, Some("register broker failed")));
    assert_eq!(world.route("T1").await, "none");
    // Not checked when it is 0.
    assert_eq!(world.send(broker.with("bodyCrc32", "0").register()).await.code, 0);
    assert_eq!(world.route("T1").await, "a:6 a=0@1.1.1.1:10911");
}

#[tokio::test]
async fn a_slave_is_told_of_its_master_and_of_ordered_topics() {
    let world = World::new(|_| {}).await;
    assert_eq!(world.ask(100, &[("namespace", "ORDER_TOPIC_CONFIG"), ("key", "T1"), ("value", "a:4")]).await.code, 0);
    world.send(Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]).register()).await;
    let answer = world.send(Broker::new("a", 1, "2.2.2.2:10911", &["T1", "T2"]).register()).await;
    assert_eq!(answer.field("masterAddr"), Some("1.1.1.1:10911"));
    assert_eq!(answer.field("haServerAddr"), Some("1.1.1.1:109111"));
    assert_eq!(json(&answer.body), serde_json::json!({ "table": { "T1": "a:4" } }));
    assert_eq!(world.route("T1").await, "a:6 a=0@1.1.1.1:10911,1@2.2.2.2:10911");
    let members = world.ask(901, &[("clusterName", "DefaultCluster"), ("brokerName", "a")]).await;
    let members = json(&members.body)["brokerMemberGroup"]["brokerAddrs"].take();
    assert_eq!(members, serde_json::json!({ "0": "1.1.1.1:10911", "1": "2.2.2.2:10911" }));
}

#[tokio::test]
async fn a_broker_learns_whether_it_has_to_register() {
    let world = World::new(|_| {}).await;
    let broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
    let ask = |counter: i32| {
        let version = format!("{{\"counter\":{counter},\"stateVersion\":0,\"timestamp\":0}}");
        broker.known_by(QUERY_DATA_VERSION, version.into())
    };
    let unknown = world.send(ask(1)).await;
    assert_eq!((unknown.code, unknown.field("changed"), unknown.body.len()), (0, Some("true"), 0));
    world.send(broker.register()).await;
    assert_eq!(world.send(ask(1)).await.field("changed"), Some("false"));
    let older = world.send(ask(2)).await;
    assert_eq!(older.field("changed"), Some("true"));
    assert_eq!(json(&older.body)["counter"], 1);
}

#[tokio::test]
async fn a_broker_goes_when_it_says_so_or_its_connection_closes() {
    let world = World::new(|_| {}).await;
    let broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
    world.send(broker.register()).await;
    assert_eq!(world.send(broker.known_by(UNREGISTER_BROKER, Bytes::new())).await.code, 0);
    assert_eq!(world.route("T1").await, "none");

    let (first, second) = (Client::new(), Client::new());
    first.call(&world.address(), broker.register(), PATIENCE).await.unwrap();
    second.call(&world.address(), broker.register(), PATIENCE).await.unwrap();
    first.disconnect(&world.address());
    // The end of the first connection is seen before the start of one made after it is served.
    let other = Broker::new("b", 0, "3.3.3.3:10911", &["T1", "T2"]);
    let third = Client::new();
    third.call(&world.address(), other.register(), PATIENCE).await.unwrap();
    third.disconnect(&world.address());
    world.route_becomes("T1", "a:6 a=0@1.1.1.1:10911").await;
    second.disconnect(&world.address());
    world.route_becomes("T1", "none").await;
}

#[tokio::test]
async fn a_silent_broker_is_taken_out_and_cut_off() {
    let world = World::new(|config| config.scan_not_active_broker_interval = Millis(5)).await;
    let kept = Broker::new("b", 0, "2.2.2.2:10911", &["T1", "T2"]);
    world.send(kept.register()).await;
    let silent = Client::new();
    let broker = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]).with("heartbeatTimeoutMillis", "200");
    silent.call(&world.address(), broker.register(), PATIENCE).await.unwrap();
    let mut beat = broker.known_by(HEARTBEAT, Bytes::new());
    beat.flag |= 2;
    // On a slow machine it may have been cut off already.
    let _ = silent.one_way(&world.address(), beat).await;
    world.route_becomes("T1", "b:6 b=0@2.2.2.2:10911").await;
}

#[tokio::test]
async fn brokers_are_told_of_a_new_lowest_number() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slave = listener.local_addr().unwrap().to_string();
    let world = World::new(|config| config.notify_min_broker_id_changed = true).await;
    let master = Broker::new("a", 0, "1.1.1.1:10911", &["T1", "T2"]);
    world.send(master.register()).await;
    world.send(Broker::new("a", 1, &slave, &["T1", "T2"]).register()).await;
    world.send(master.known_by(UNREGISTER_BROKER, Bytes::new())).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut buffer = Vec::new();
    let notice = loop {
        if let Split::Whole(frame, _) = split(&buffer).unwrap() {
            break RemotingCommand::from_frame(&frame, &mut HeaderScratch::default()).unwrap();
        }
        assert_ne!(stream.read_buf(&mut buffer).await.unwrap(), 0);
    };
    assert_eq!((notice.code, notice.is_one_way()), (905, true));
    let fields = ["minBrokerId", "minBrokerAddr", "offlineBrokerAddr", "brokerName"].map(|name| notice.field(name));
    assert_eq!(fields, [Some("1"), Some(&*slave), Some("1.1.1.1:10911"), Some("a")]);
}

/// One runtime and one server for all cases of the property below.
fn shared() -> &'static (tokio::runtime::Runtime, World) {
    static SHARED: OnceLock<(tokio::runtime::Runtime, World)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let world = runtime.block_on(World::new(|_| {}));
        (runtime, world)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_body_is_answered(body in body(), compressed: bool, version in prop::sample::select(vec![36, 400, 513])) {
        let (runtime, world) = shared();
        let mut command = Broker::new("fuzz", 0, "9.9.9.9:1", &[]).known_by(103, body.into());
        command.fields.push(("compressed".into(), compressed.to_string()));
        command.version = version;
        let answer = runtime.block_on(world.send(command));
        prop_assert!([0, 1].contains(&answer.code));
        prop_assert!(!answer.remark.unwrap_or_default().contains("the handler of request"), "a panic");
    }
}

/// Any bytes, and registrations with some bytes changed.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let whole = |compress| Broker::new("fuzz", 0, "9.9.9.9:1", &["T1", "T2"]).body.encode(compress);
    let damaged = |compress| {
        let whole = whole(compress);
        prop::collection::vec((0..whole.len(), any::<u8>()), 0..4).prop_map(move |changes| {
            let mut bytes = whole.clone();
            changes.iter().for_each(|(at, byte)| bytes[*at] = *byte);
            bytes
        })
    };
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), damaged(false), damaged(true)]
}

#[tokio::test]
async fn unknown_codes_and_missing_fields_are_refused() {
    let world = World::new(|_| {}).await;
    for code in [0, 10, 11, 34, 1001, 99_999, -1] {
        let answer = world.send(request(code, &[], Bytes::new())).await;
        assert_eq!((answer.code, answer.remark), (3, Some(format!(" request type {code} not supported"))));
    }
    for code in [105, 101, 102, 104, 205, 216, 219, 224, 322, 327, 901, 904] {
        assert_eq!(world.ask(code, &[]).await.code, 1, "{code}");
    }
}
