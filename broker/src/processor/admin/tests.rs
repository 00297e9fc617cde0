//! Every request that is not a send or a pull, with fields and bodies that nobody means: each is answered, and the broker goes on.

use boostermq_remoting::request::rows;

use crate::clients::fixture::messages::{Pulling, Sending, bodies};
use crate::clients::fixture::{TestBroker, request};

/// Sends, pulls and ends of transactions have tests of their own.
const HOT: [i32; 6] = [10, 11, 37, 310, 320, 361];

/// Fields of the requests of operators.
const NAMES: [&str; 36] = [
    "READ_AHEAD_MODE",
    "attributes",
    "beginTimestamp",
    "boundaryType",
    "clientAddr",
    "clientId",
    "commitOffset",
    "compareGroup",
    "consumerGroup",
    "count",
    "dataVersion",
    "defaultTopic",
    "destGroup",
    "endTimestamp",
    "filterGroups",
    "group",
    "groupName",
    "index",
    "isForce",
    "isOrder",
    "key",
    "masterFlushOffset",
    "maxNum",
    "msgId",
    "offset",
    "perm",
    "producerGroup",
    "queueId",
    "readQueueNums",
    "readable",
    "srcGroup",
    "statsKey",
    "statsName",
    "timestamp",
    "topic",
    "writeQueueNums",
];

#[tokio::test]
async fn whatever_is_asked_is_answered_and_nothing_is_harmed() {
    let broker = TestBroker::start(&[]).await;
    let mut client = broker.connect().await;
    client.store(&Sending { topic: "Kept", ..Sending::default() }).await;
    let long = "x".repeat(40_000);
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    let values =
        ["", "x", "-1", "0", "9223372036854775807", "../../etc/passwd", "%RETRY%", "a@b", "true", long.as_str()];
    let texts = [
        "",
        "x",
        "{}",
        "[]",
        "null",
        "{\"topic\":7}",
        "{\"topic\":\"../x\",\"consumerGroup\":\"../x\"}",
        "a=b\nc",
        "\\u12=1",
        "=",
        deep.as_str(),
    ];
    for row in rows().filter(|row| !HOT.contains(&row.code.0)) {
        for value in values {
            let fields: Vec<_> = NAMES.iter().map(|name| (*name, value)).collect();
            client.ask(row.code.0, &fields, "").await;
        }
        for text in texts {
            client.ask(row.code.0, &[("topic", "T"), ("group", "g")], text).await;
        }
        client.ask_command(request(row.code.0, &[], &[0xff, 0xfe, 0, 1])).await;
    }
    // Settings, messages and the store's folder are as they were.
    assert_eq!(bodies(&client.pull(&Pulling { topic: "Kept", ..Pulling::default() }).await), ["hello"]);
    let folder = broker.dir();
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["store"], "nothing was written beside the store");
    assert!(!folder.join("etc").exists() && !folder.join("store/etc").exists());
    broker.stop().await;
}
