//! Tests of transactions, against a whole broker.

use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::message::Message;
use boostermq_remoting::message::record::RecordFields;

use super::*;
use crate::clients::fixture::messages::{Sending, messages, number, properties};
use crate::clients::fixture::{TestBroker, TestClient, heartbeat};

/// The fixture's messages were born long ago: they are old enough to be asked about, and not too old.
const QUICK: [(&str, &str); 3] =
    [("transactionCheckInterval", "20"), ("transactionOpBatchInterval", "20"), ("fileReservedTime", "10000000")];
const QUIET: [(&str, &str); 3] =
    [("transactionCheckInterval", "3600000"), ("transactionOpBatchInterval", "20"), ("fileReservedTime", "10000000")];
/// A producer of the group `g_p`, as [`heartbeat`] says it.
const HALF: [(&str, &str); 5] =
    [("TRAN_MSG", "true"), ("PGROUP", "g_p"), ("UNIQ_KEY", "u"), ("TAGS", "A"), ("KEYS", "k")];
const COMMIT: &str = "8";
const ROLL_BACK: &str = "12";

fn half() -> Sending<'static> {
    Sending { queue_id: 2, properties: &HALF, body: b"half", ..Sending::default() }
}

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    HALF.iter().chain(more).copied().collect()
}

/// What a client takes from the answer to a half message, or from a question, to end the transaction.
#[derive(Clone, Debug)]
struct Handle {
    physical: String,
    offset: String,
    is_from_check: bool,
}

impl Handle {
    fn of_answer(answer: &RemotingCommand) -> Self {
        let id: boostermq_remoting::message::id::OffsetMessageId = answer.field("msgId").unwrap().parse().unwrap();
        let offset = answer.field("queueOffset").unwrap().to_owned();
        Self { physical: id.physical_offset.0.to_string(), offset, is_from_check: false }
    }

    fn of_question(question: &RemotingCommand) -> Self {
        assert_eq!(question.code, 39);
        assert!(question.is_one_way());
        Self {
            physical: question.field("commitLogOffset").unwrap().to_owned(),
            offset: question.field("tranStateTableOffset").unwrap().to_owned(),
            is_from_check: true,
        }
    }
}

async fn prepare(client: &mut TestClient, sending: &Sending<'_>) -> Handle {
    Handle::of_answer(&client.store(sending).await)
}

fn ending<'a>(handle: &'a Handle, decision: &'a str, group: &'a str) -> [(&'static str, &'a str); 6] {
    [
        ("producerGroup", group),
        ("tranStateTableOffset", &handle.offset),
        ("commitLogOffset", &handle.physical),
        ("commitOrRollback", decision),
        ("fromTransactionCheck", if handle.is_from_check { "true" } else { "false" }),
        ("msgId", "u"),
    ]
}

async fn end(client: &mut TestClient, handle: &Handle, decision: &str) -> RemotingCommand {
    client.ask(37, &ending(handle, decision, "g_p"), "").await
}

#[track_caller]
fn end_ok<'a>(client: &'a mut TestClient, handle: &'a Handle, decision: &'a str) -> impl Future<Output = ()> + 'a {
    let caller = std::panic::Location::caller();
    async move {
        let answer = end(client, handle, decision).await;
        assert_eq!(answer.code, 0, "{caller}: {:?}", answer.remark);
    }
}

/// The next question about a transaction.
async fn asked(client: &mut TestClient) -> RemotingCommand {
    loop {
        let question = client.pushed().await;
        if question.code == 39 {
            return question;
        }
    }
}

/// What the queues hold.
async fn stored(broker: &TestBroker, client: &mut TestClient, topic: &str) -> Vec<Message> {
    broker.dispatched().await;
    client.everything(topic, if topic == "T" { 2 } else { 0 }).await
}

/// Waits until a queue holds so many messages; all of them.
async fn grown(broker: &TestBroker, client: &mut TestClient, topic: &str, count: i64) -> Vec<Message> {
    while broker.broker().store.max_queue_offset(topic, QUEUE).0 < count {
        broker.broker().store.dispatch_now();
        tokio::task::yield_now().await;
    }
    stored(broker, client, topic).await
}

fn bodies(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| std::str::from_utf8(&message.body).unwrap()).collect()
}

#[tokio::test]
async fn a_half_message_is_seen_once_it_is_committed() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let answer = client.store(&half()).await;
    assert_eq!((number(&answer, "queueId"), number(&answer, "queueOffset")), (2, 0));
    assert_eq!(answer.field("transactionId"), Some("u"));
    assert!(stored(&broker, &mut client, "T").await.is_empty());
    let waiting = stored(&broker, &mut client, HALF_TOPIC).await.remove(0);
    assert_eq!(waiting.sys_flag.0, 0);
    let property = |name| waiting.properties.get(name).map(str::to_owned);
    assert_eq!(
        ["REAL_TOPIC", "REAL_QID", "__transactionId__", "PGROUP", "TRAN_MSG"].map(property),
        ["T", "2", "u", "g_p", "true"].map(|text| Some(text.to_owned()))
    );
    assert_eq!(broker.broker().transactions.counts.open("T"), 1);

    let handle = Handle::of_answer(&answer);
    end_ok(&mut client, &handle, COMMIT).await;
    let committed = stored(&broker, &mut client, "T").await.remove(0);
    assert_eq!((committed.topic.as_str(), committed.queue_id, &committed.body[..]), ("T", QueueId(2), &b"half"[..]));
    assert_eq!((committed.sys_flag.0, committed.prepared_transaction_offset.to_string()), (8, handle.physical));
    assert_eq!((committed.flag, committed.born_timestamp), (waiting.flag, waiting.born_timestamp));
    assert_eq!(committed.born_host, waiting.born_host);
    let mut expected = waiting.properties.clone();
    expected.remove("REAL_TOPIC");
    expected.remove("REAL_QID");
    assert_eq!(committed.properties, expected);

    let op = stored(&broker, &mut client, OP_TOPIC).await.remove(0);
    assert_eq!((&op.body[..], op.physical_offset > committed.physical_offset), (&b"0,"[..], true));
    assert_eq!(op.properties.iter().collect::<Vec<_>>(), [("WAIT", "true"), ("TAGS", "d")]);
    assert_eq!(broker.broker().transactions.counts.open("T"), 0);
    broker.stop().await;
}

#[tokio::test]
async fn what_is_rolled_back_is_never_seen() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    for _ in 0..3 {
        let handle = prepare(&mut client, &half()).await;
        end_ok(&mut client, &handle, ROLL_BACK).await;
    }
    let ops = client.wait_for(OP_TOPIC, 0, 0).await;
    assert!(ops.iter().all(|op| op.properties.get("TAGS") == Some("d")));
    assert!(stored(&broker, &mut client, "T").await.is_empty());
    // A commit takes along what waits.
    let (first, second) = (prepare(&mut client, &half()).await, prepare(&mut client, &half()).await);
    end_ok(&mut client, &first, ROLL_BACK).await;
    end_ok(&mut client, &second, COMMIT).await;
    let broker = broker.restart(&QUIET).await;
    let mut client = broker.connect().await;
    let ops = stored(&broker, &mut client, OP_TOPIC).await;
    let mut ended: Vec<i64> = ops.iter().flat_map(|message| op::offsets(&message.body)).collect();
    ended.sort_unstable();
    assert_eq!(ended, [0, 1, 2, 3, 4]);
    broker.stop().await;
}

#[tokio::test]
async fn ends_that_do_not_fit_are_refused_and_change_nothing() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    client.store(&half()).await;
    let handle = prepare(&mut client, &half()).await;
    let plain = client.store(&Sending { properties: &[("PGROUP", "g_p")], ..half() }).await;
    let changed = |change: fn(&mut Handle)| {
        let mut handle = handle.clone();
        change(&mut handle);
        handle
    };
    for (what, handle, group, remark) in [
        ("another group", handle.clone(), "other", "The producer group wrong"),
        (
            "another number",
            changed(|handle| handle.offset = "0".into()),
            "g_p",
            "The transaction state table offset wrong",
        ),
        (
            "no record",
            changed(|handle| handle.physical = "1".into()),
            "g_p",
            "Find prepared transaction message failed",
        ),
        (
            "before the log",
            changed(|handle| handle.physical = "-9".into()),
            "g_p",
            "Find prepared transaction message failed",
        ),
        (
            "past the log",
            changed(|handle| handle.physical = i64::MAX.to_string()),
            "g_p",
            "Find prepared transaction message failed",
        ),
        ("no half message", Handle::of_answer(&plain), "g_p", "Find prepared transaction message failed"),
    ] {
        for decision in [COMMIT, ROLL_BACK] {
            let answer = client.ask(37, &ending(&handle, decision, group), "").await;
            assert_eq!((answer.code, answer.remark.as_deref()), (1, Some(remark)), "{what}");
        }
    }
    // Who does not know yet gets no answer, and neither does nonsense.
    for decision in ["0", "4", "-1"] {
        client.send(37, &ending(&handle, decision, "g_p"), "").await;
    }
    end_ok(&mut client, &handle, COMMIT).await;
    assert_eq!(bodies(&stored(&broker, &mut client, "T").await), ["half", "half"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_time_of_its_own_that_is_over_leaves_the_end_to_the_questions() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let own = with(&[("CHECK_IMMUNITY_TIME_IN_SECONDS", "7")]);
    let handle = prepare(&mut client, &Sending { properties: &own, ..half() }).await;
    for decision in [COMMIT, ROLL_BACK] {
        assert_eq!(end(&mut client, &handle, decision).await.code, 604);
    }
    end_ok(&mut client, &Handle { is_from_check: true, ..handle }, COMMIT).await;
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn half_messages_can_be_forbidden() {
    let broker = TestBroker::start(&[("rejectTransactionMessage", "true")]).await;
    let mut client = broker.connect().await;
    let answer = client.ask_command(half().request()).await;
    let remark = answer.remark.unwrap_or_default();
    assert!(answer.code == 16 && remark.contains("sending transaction message is forbidden"), "{remark}");
    // What an old client tries again is an ordinary message.
    let again = with(&[("DELAY", "1")]);
    client.store(&Sending { properties: &again, reconsume_times: 1, ..half() }).await;
    assert_eq!(client.wait_for("T", 2, 0).await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn the_first_decision_stands() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let mut handles = Vec::new();
    for decisions in [[COMMIT, COMMIT], [COMMIT, ROLL_BACK], [ROLL_BACK, COMMIT], [ROLL_BACK, ROLL_BACK]] {
        let handle = prepare(&mut client, &half()).await;
        for decision in decisions {
            end_ok(&mut client, &handle, decision).await;
        }
        handles.push(handle);
    }
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 2);
    assert_eq!(broker.broker().transactions.counts.open("T"), 0);
    // In one read: the second is refused while the first is not stored yet.
    let handle = prepare(&mut client, &half()).await;
    let mut commands = [0, 1].map(|_| crate::clients::fixture::request(37, &ending(&handle, COMMIT, "g_p"), b""));
    let [first, second] = &mut commands;
    client.put(&mut [first, second]).await;
    assert_eq!((client.next_answer().await.code, client.next_answer().await.code), (0, 0));
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 3);
    handles.push(handle);

    let broker = broker.restart(&QUIET).await;
    let mut client = broker.connect().await;
    for handle in &handles {
        end_ok(&mut client, handle, COMMIT).await;
    }
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 3);
    let new = prepare(&mut client, &half()).await;
    end_ok(&mut client, &new, COMMIT).await;
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 4);
    broker.stop().await;
}

#[tokio::test]
async fn a_producer_of_the_group_is_asked_and_its_answer_counts() {
    let broker = TestBroker::start(&QUICK).await;
    let mut client = broker.connect().await;
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    let original = prepare(&mut client, &half()).await;
    let question = asked(&mut client).await;
    let handle = Handle::of_question(&question);
    assert_ne!(handle.offset, original.offset);
    let field = |name| question.field(name).map(str::to_owned).unwrap_or_default();
    assert_eq!(
        ["topic", "msgId", "transactionId", "bname"].map(field),
        [HALF_TOPIC, "u", "u", "broker-t"].map(str::to_owned)
    );
    let message = messages(&question).remove(0);
    assert_eq!((message.topic.as_str(), message.queue_id, &message.body[..]), ("T", QueueId(2), &b"half"[..]));
    assert_eq!(
        (message.queue_offset.0.to_string(), message.physical_offset.0.to_string()),
        (handle.offset.clone(), handle.physical.clone())
    );
    assert_eq!(message.offset_id().to_string(), field("offsetMsgId"));
    assert_eq!(message.properties.get("TRANSACTION_CHECK_TIMES"), Some("1"));

    end_ok(&mut client, &handle, COMMIT).await;
    // The producer's own end, late, and one more answer.
    end_ok(&mut client, &original, COMMIT).await;
    end_ok(&mut client, &handle, COMMIT).await;
    let committed = stored(&broker, &mut client, "T").await;
    // A round of questions that had begun may still copy it once.
    let copies = broker.broker().store.max_queue_offset(HALF_TOPIC, QUEUE).0 + 1;
    assert_eq!(committed.len(), 1);
    assert_eq!((committed[0].flag, committed[0].properties.get("TRAN_PREPARED_QUEUE_OFFSET")), (7, None));
    // Nobody asks any more: the next question is about the next transaction.
    let next = with(&[("UNIQ_KEY", "next")]);
    client.store(&Sending { properties: &next, ..half() }).await;
    let mut question = asked(&mut client).await;
    while question.field("msgId") == Some("u") {
        let number: i64 = question.field("tranStateTableOffset").unwrap().parse().unwrap();
        assert!(number < copies, "asked after its end");
        question = asked(&mut client).await;
    }
    end_ok(&mut client, &Handle::of_question(&question), ROLL_BACK).await;
    broker.stop().await;
}

#[tokio::test]
async fn another_producer_of_the_group_settles_what_a_dead_one_left() {
    let broker = TestBroker::start(&QUICK).await;
    let mut dead = broker.connect().await;
    dead.ask_ok(34, &[], &heartbeat("a", "g", "CLUSTERING", &["T"])).await;
    dead.store(&half()).await;
    drop(dead);
    let mut heir = broker.connect().await;
    heir.ask_ok(34, &[], &heartbeat("b", "g", "CLUSTERING", &["T"])).await;
    let question = asked(&mut heir).await;
    end_ok(&mut heir, &Handle::of_question(&question), COMMIT).await;
    assert_eq!(heir.wait_for("T", 2, 0).await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn what_nobody_settles_is_put_aside_and_can_be_taken_up_again() {
    let keys: Vec<_> = QUICK.iter().copied().chain([("transactionCheckMax", "3")]).collect();
    let broker = TestBroker::start(&keys).await;
    let mut client = broker.connect().await;
    let original = prepare(&mut client, &half()).await;
    let aside = grown(&broker, &mut client, GIVEN_UP_TOPIC, 1).await.remove(0);
    assert_eq!((aside.properties.get("TRANSACTION_CHECK_TIMES"), &aside.body[..]), (Some("3"), &b"half"[..]));
    let copies = stored(&broker, &mut client, HALF_TOPIC).await;
    let times: Vec<_> = copies.iter().map(|copy| copy.properties.get("TRANSACTION_CHECK_TIMES")).collect();
    assert_eq!(times, [None, Some("1"), Some("2"), Some("3")]);
    assert!(copies.iter().skip(1).all(|copy| copy.properties.get("TRAN_PREPARED_QUEUE_OFFSET") == Some("0")));
    assert_eq!(broker.broker().transactions.counts.open("T"), 0);

    let id = aside.offset_id().to_string();
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    client.ask_ok(323, &[("msgId", &id), ("topic", GIVEN_UP_TOPIC)], "").await;
    let question = asked(&mut client).await;
    assert_eq!(messages(&question)[0].properties.get("TRANSACTION_CHECK_TIMES"), Some("1"));
    end_ok(&mut client, &Handle::of_question(&question), COMMIT).await;
    let committed = client.wait_for("T", 2, 0).await.remove(0);
    for id in ["", "x", &original.physical, &committed.offset_id().to_string()] {
        assert_eq!(client.ask(323, &[("msgId", id)], "").await.code, 1, "{id}");
    }
    broker.stop().await;
}

#[tokio::test]
async fn open_transactions_are_asked_about_after_a_restart_and_settled_ones_are_not() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    for decision in [COMMIT, ROLL_BACK, COMMIT] {
        let handle = prepare(&mut client, &half()).await;
        end_ok(&mut client, &handle, decision).await;
    }
    let open = with(&[("UNIQ_KEY", "open")]);
    client.store(&Sending { properties: &open, ..half() }).await;
    let broker = broker.restart(&QUICK).await;
    let mut client = broker.connect().await;
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    let question = asked(&mut client).await;
    assert_eq!(question.field("msgId"), Some("open"));
    end_ok(&mut client, &Handle::of_question(&question), COMMIT).await;
    client.wait_for("T", 2, 2).await;
    // The progress of both queues comes to their ends.
    let offsets = &broker.broker().offsets;
    loop {
        broker.dispatched().await;
        let store = &broker.broker().store;
        let ends = [HALF_TOPIC, OP_TOPIC].map(|topic| Some(store.max_queue_offset(topic, QUEUE).0));
        if [HALF_TOPIC, OP_TOPIC].map(|topic| offsets.query(GROUP, topic, QUEUE)) == ends {
            break;
        }
        tokio::task::yield_now().await;
    }
    broker.stop().await;
}

#[tokio::test]
async fn a_half_message_that_makes_no_sense_holds_up_nobody() {
    let broker = TestBroker::start(&QUICK).await;
    let mut client = broker.connect().await;
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    for text in [
        properties(&[]),
        properties(&[("REAL_TOPIC", "../x"), ("REAL_QID", "0"), ("PGROUP", "g_p")]),
        properties(&[("REAL_TOPIC", "T"), ("REAL_QID", "many"), ("PGROUP", "g_p")]),
        properties(&[("REAL_TOPIC", HALF_TOPIC), ("REAL_QID", "0"), ("PGROUP", "g_p")]),
        properties(&[("TRAN_PREPARED_QUEUE_OFFSET", "99"), ("TRANSACTION_CHECK_TIMES", "x")]),
    ] {
        let broker = broker.broker();
        let mut batch = AppendBatch::new();
        let fields = RecordFields {
            born_timestamp: 1_700_000_000_000,
            properties: text.as_bytes(),
            ..RecordFields::plain(HALF_TOPIC, QUEUE, broker.identity.address, b"bad")
        };
        batch.push(&queue(&broker.store, HALF_TOPIC), &fields).unwrap();
        broker.store.append(&mut batch).unwrap();
        let bad = batch.receipts()[0];
        let handle = Handle {
            physical: bad.physical_offset.0.to_string(),
            offset: bad.queue_offset.0.to_string(),
            is_from_check: true,
        };
        assert_eq!(end(&mut client, &handle, COMMIT).await.code, 1, "{text}");
    }
    client.store(&half()).await;
    let question = asked(&mut client).await;
    assert_eq!(question.field("msgId"), Some("u"));
    end_ok(&mut client, &Handle::of_question(&question), COMMIT).await;
    assert_eq!(bodies(&client.wait_for("T", 2, 0).await), ["half"]);
    broker.stop().await;
}

#[tokio::test]
async fn a_forged_copy_is_a_transaction_of_its_own() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let first = prepare(&mut client, &half()).await;
    end_ok(&mut client, &first, COMMIT).await;
    // Sent on with everything that the consumer saw.
    let forged =
        with(&[("TRAN_PREPARED_QUEUE_OFFSET", "0"), ("TRANSACTION_CHECK_TIMES", "15"), ("REAL_TOPIC", "Other")]);
    let second = prepare(&mut client, &Sending { properties: &forged, ..half() }).await;
    end_ok(&mut client, &second, COMMIT).await;
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 2);
    broker.stop().await;
}

#[tokio::test]
async fn who_wants_to_be_left_in_peace_is_not_asked() {
    let broker = TestBroker::start(&QUICK).await;
    let mut client = broker.connect().await;
    client.ask_ok(34, &[], &heartbeat("c", "g", "CLUSTERING", &["T"])).await;
    let peace = with(&[("CHECK_IMMUNITY_TIME_IN_SECONDS", "10000000000"), ("UNIQ_KEY", "peace")]);
    let original = prepare(&mut client, &Sending { properties: &peace, ..half() }).await;
    grown(&broker, &mut client, HALF_TOPIC, 3).await;
    client.store(&half()).await;
    // The one behind it is asked about meanwhile.
    let question = asked(&mut client).await;
    assert_eq!(question.field("msgId"), Some("u"));
    end_ok(&mut client, &Handle::of_question(&question), ROLL_BACK).await;
    end_ok(&mut client, &original, COMMIT).await;
    assert_eq!(client.wait_for("T", 2, 0).await.len(), 1);
    let copies = stored(&broker, &mut client, HALF_TOPIC).await;
    let copies: Vec<_> = copies.iter().filter(|copy| copy.properties.get("UNIQ_KEY") == Some("peace")).collect();
    assert!(copies.len() >= 3);
    assert!(copies.iter().all(|copy| copy.properties.get("TRANSACTION_CHECK_TIMES").is_none()));
    broker.stop().await;
}

#[tokio::test]
async fn a_delay_begins_with_the_commit() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let delayed = with(&[("DELAY", "1")]);
    let handle = prepare(&mut client, &Sending { properties: &delayed, ..half() }).await;
    end_ok(&mut client, &handle, COMMIT).await;
    let waiting = stored(&broker, &mut client, crate::schedule::SCHEDULE_TOPIC).await.remove(0);
    let delivered = client.wait_for("T", 2, 0).await.remove(0);
    assert!(delivered.store_timestamp >= waiting.store_timestamp + 1000);
    assert_eq!((delivered.sys_flag.0, &delivered.body[..]), (8, &b"half"[..]));
    broker.stop().await;
}

#[tokio::test]
async fn a_time_of_its_own_counts_from_the_commit() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let timed = with(&[("TIMER_DELAY_MS", "1500")]);
    let sending = Sending { properties: &timed, ..half() };
    let handle = prepare(&mut client, &sending).await;
    let before_ms = broker.broker().clock.now_ms();
    end_ok(&mut client, &handle, COMMIT).await;
    let delivered = client.wait_for("T", 2, 0).await.remove(0);
    assert!(delivered.store_timestamp >= before_ms + 1500, "early: {delivered:?}");
    assert_eq!((delivered.sys_flag.0, &delivered.body[..]), (8, &b"half"[..]));
    // A time that no timer takes is refused at once, not when it is too late.
    let never = with(&[("TIMER_DELAY_SEC", "999999999")]);
    assert_eq!(client.ask_command(Sending { properties: &never, ..half() }.request()).await.code, 13);
    broker.stop().await;
}

#[tokio::test]
async fn a_full_disk_leaves_the_transaction_open() {
    let broker = TestBroker::start(&QUIET).await;
    let mut client = broker.connect().await;
    let handle = prepare(&mut client, &half()).await;
    broker.broker().store.set_writeable(false);
    assert_eq!(end(&mut client, &handle, COMMIT).await.code, 14);
    broker.broker().store.set_writeable(true);
    assert_eq!(broker.broker().transactions.counts.open("T"), 1);
    end_ok(&mut client, &handle, COMMIT).await;
    assert_eq!(stored(&broker, &mut client, "T").await.len(), 1);
    broker.stop().await;
}
