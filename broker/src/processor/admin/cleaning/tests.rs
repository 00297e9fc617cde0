//! Tests of cleaning on request and of full disks, against a whole broker.

use boostermq_remoting::names::{QueueId, Topic};

use crate::clients::fixture::messages::{Pulling, Sending, number};
use crate::clients::fixture::{TestBroker, TestClient};

const CLEAN_QUEUES: i32 = 306;
const CLEAN_TOPICS: i32 = 316;
const DELETE_FILES: i32 = 329;
const DELETE_TOPIC: i32 = 215;
const MIN_OFFSET: i32 = 31;
const UPDATE: i32 = 25;

/// Each message of these takes a file of the log for itself.
const FILE_EACH: [(&str, &str); 2] = [("mappedFileSizeCommitLog", "65536"), ("deleteCommitLogFilesInterval", "0")];

async fn fill(client: &mut TestClient, topic: &str, queue_id: i32, count: usize) {
    for _ in 0..count {
        client.store(&Sending { topic, queue_id, body: &[b'x'; 60_000], ..Sending::default() }).await;
    }
}

async fn min_offset(client: &mut TestClient) -> i64 {
    number(&client.ask(MIN_OFFSET, &[("topic", "T"), ("queueId", "0")], "").await, "offset")
}

#[tokio::test]
async fn expired_files_are_deleted_when_asked_and_consumers_are_led_on() {
    let broker = TestBroker::start(&FILE_EACH).await;
    let store = &broker.broker().store;
    let mut client = broker.connect().await;
    fill(&mut client, "T", 0, 4).await;
    broker.dispatched().await;
    store.flush().unwrap();
    client.ask_ok(DELETE_FILES, &[], "").await;
    assert_eq!((store.look_for_room(), min_offset(&mut client).await), (0, 0), "nothing has expired");
    client.ask_ok(UPDATE, &[], "fileReservedTime=0").await;
    client.ask_ok(DELETE_FILES, &[], "").await;
    // By the store's own thread, which was woken, or by this look.
    store.look_for_room();
    assert_eq!(min_offset(&mut client).await, 3);
    let answer = client.pull(&Pulling { offset: 0, ..Pulling::default() }).await;
    assert_eq!((answer.code, number(&answer, "nextBeginOffset"), number(&answer, "minOffset")), (21, 3, 3));
    assert_eq!(client.wait_for("T", 0, 3).await.len(), 1);
    assert_eq!(store.stats().expired_files, 3);
    // The log of the next process begins there, too.
    let broker = broker.restart(&FILE_EACH).await;
    let mut client = broker.connect().await;
    assert_eq!(min_offset(&mut client).await, 3);
    fill(&mut client, "T", 0, 1).await;
    assert_eq!(client.wait_for("T", 0, 4).await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn queues_of_topics_in_use_stay_and_the_others_go() {
    let broker = TestBroker::start(&FILE_EACH).await;
    let store = &broker.broker().store;
    let mut client = broker.connect().await;
    fill(&mut client, "Gone", 0, 1).await;
    fill(&mut client, "Fewer", 3, 1).await;
    fill(&mut client, "T", 0, 2).await;
    fill(&mut client, "Last", 0, 1).await;
    broker.dispatched().await;
    store.flush().unwrap();
    for code in [CLEAN_QUEUES, CLEAN_TOPICS] {
        client.ask_ok(code, &[], "").await;
    }
    let mut topics: Vec<_> = store.topics().iter().map(Topic::to_string).collect();
    topics.sort();
    assert_eq!(topics, ["Fewer", "Gone", "Last", "T"], "all have messages");

    client.ask_ok(UPDATE, &[], "fileReservedTime=0").await;
    client.ask_ok(DELETE_FILES, &[], "").await;
    store.look_for_room();
    // A topic that is deleted while a message of it is left in the log, as after a crash: its queue comes back.
    client.ask_ok(DELETE_TOPIC, &[("topic", "Gone")], "").await;
    let _ = store.queue(&Topic::parse("Gone").unwrap(), QueueId(0));
    let fewer = [
        ("topic", "Fewer"),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "3"),
        ("writeQueueNums", "3"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("topicSysFlag", "0"),
        ("order", "false"),
    ];
    client.ask_ok(17, &fewer, "").await;
    client.ask_ok(CLEAN_QUEUES, &[], "").await;
    assert!(store.existing_queue("Fewer", QueueId(3)).is_none(), "the topic has three queues now");
    assert_eq!(store.max_queue_offset("T", QueueId(0)).0, 2, "the next message is number two");
    client.ask_ok(CLEAN_TOPICS, &[], "").await;
    assert!(store.existing_queue("Gone", QueueId(0)).is_none());
    fill(&mut client, "T", 0, 1).await;
    assert_eq!(client.wait_for("T", 0, 2).await.len(), 1);
    broker.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_sends_with_place_fullness_and_level_and_pulls_go_on() {
    let broker = TestBroker::start(&[]).await;
    let store = &broker.broker().store;
    let mut client = broker.connect().await;
    client.store(&Sending::default()).await;
    broker.dispatched().await;
    // No disk is as empty as this level asks for.
    let mut options = store.options().clone();
    options.disk_warning_ratio = 0;
    options.retention.may_force = false;
    store.set_retention(&options);
    store.look_for_room();
    let answer = client.ask_command(Sending::default().request()).await;
    let remark = answer.remark.unwrap_or_default();
    assert_eq!(answer.code, 14, "{remark}");
    let place = store.options().commit_log_dir.display().to_string();
    for part in ["service not available now", &place, " % full", "above 0 %", "CL: ", "CQ: ", "INDEX: "] {
        assert!(remark.contains(part), "{part} is not in {remark}");
    }
    assert_eq!(client.everything("T", 0).await.len(), 1);
    // A changed setting brings the level back.
    client.ask_ok(UPDATE, &[], "diskSpaceWarningLevelRatio=90").await;
    options.disk_warning_ratio = 101;
    options.retention.force_above = 101;
    store.set_retention(&options);
    store.look_for_room();
    client.store(&Sending::default()).await;
    assert_eq!(client.wait_for("T", 0, 1).await.len(), 1);
    broker.stop().await;
}
