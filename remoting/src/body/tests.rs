//! Bodies as the reference and the official clients wrote them, read and written back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::fastjson;

/// Lines of `code request|response client body`, recorded from RocketMQ 5.5.0.
const GOLDEN: &str = include_str!("../../tests/golden/bodies.txt");

/// Reads and writes back; the result must say the same, save for members that only the Go client leaves out.
fn same<T: Serialize + DeserializeOwned>(text: &str) -> (serde_json::Value, serde_json::Value) {
    let value: T = fastjson::from_slice(text.as_bytes()).unwrap();
    (fastjson::parse(text.as_bytes()).unwrap(), fastjson::parse(&fastjson::to_vec(&value)).unwrap())
}

type Check = fn(&str) -> (serde_json::Value, serde_json::Value);

const CHECKS: &[(i32, &str, Check)] = &[
    (21, "response", same::<TopicConfigAndMappingSerializeWrapper>),
    (28, "response", same::<KvTable>),
    (34, "request", same::<HeartbeatData>),
    (38, "response", same::<GetConsumerListByGroupResponseBody>),
    (41, "request", same::<LockBatchRequestBody>),
    (41, "response", same::<LockBatchResponseBody>),
    (42, "request", same::<UnlockBatchRequestBody>),
    (46, "request", same::<CheckClientRequestBody>),
    (105, "response", same::<TopicRouteData>),
    (106, "response", same::<ClusterInfo>),
    (200, "request", same::<SubscriptionGroupConfig>),
    (201, "response", same::<SubscriptionGroupWrapper>),
    (202, "response", same::<TopicStatsTable>),
    (203, "response", same::<ConsumerConnection>),
    (204, "response", same::<ProducerConnection>),
    (206, "response", same::<TopicList>),
    (208, "response", same::<ConsumeStats>),
    (221, "response", same::<GetConsumerStatusBody>),
    (222, "response", same::<ResetOffsetBody>),
    (223, "response", same::<GetConsumerStatusBody>),
    (300, "response", same::<GroupList>),
    (305, "response", same::<TopicList>),
    (307, "response", same::<ConsumerRunningInfo>),
    (309, "response", same::<ConsumeMessageDirectlyResult>),
    (315, "response", same::<BrokerStatsData>),
    (317, "response", same::<ConsumeStatsList>),
    (321, "response", same::<QueryConsumeQueueResponseBody>),
    (328, "response", same::<ProducerTableInfo>),
    (351, "response", same::<TopicConfig>),
    (400, "request", same::<QueryAssignmentRequestBody>),
    (400, "response", same::<QueryAssignmentResponseBody>),
    (401, "request", same::<SetMessageRequestModeRequestBody>),
    (907, "response", same::<HaRuntimeInfo>),
    (2003, "response", same::<serde_json::Value>),
    (3001, "request", same::<UserInfo>),
    (3002, "request", same::<UserInfo>),
    (3006, "request", same::<AclInfo>),
    (3007, "request", same::<AclInfo>),
];

#[test]
fn golden_bodies_come_back_as_they_were() {
    let mut seen = std::collections::BTreeSet::new();
    for line in GOLDEN.lines() {
        let mut words = line.splitn(4, ' ');
        let (code, direction, client, text) =
            (words.next().unwrap(), words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let code: i32 = code.parse().unwrap();
        let check = CHECKS.iter().find(|row| row.0 == code && row.1 == direction);
        let (_, _, check) = check.unwrap_or_else(|| panic!("no type for the {direction} of {code}"));
        let (theirs, ours) = check(text);
        if client == "go" && direction == "request" {
            assert!(contains(&ours, &theirs), "{code} {direction}: {theirs} became {ours}");
        } else {
            assert_eq!(sorted(theirs), sorted(ours), "{code} {direction} of {client}");
        }
        seen.insert((code, direction));
    }
    assert_eq!(seen.len(), CHECKS.len(), "a check without a recorded body proves nothing");
}

/// Lists that are sets upstream have no order.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Array(items) => {
            let mut items: Vec<_> = items.into_iter().map(sorted).collect();
            items.sort_by_key(ToString::to_string);
            items.into()
        }
        serde_json::Value::Object(members) => members.into_iter().map(|(name, value)| (name, sorted(value))).collect(),
        other => other,
    }
}

/// True when everything in `part` stands in `whole` too; hashes that Go sends as text may have become numbers.
fn contains(whole: &serde_json::Value, part: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Number, Object, String};
    match (whole, part) {
        (Object(whole), Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| contains(whole, value)))
        }
        (Array(whole), Array(part)) => {
            whole.len() == part.len() && part.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        (Number(whole), String(part)) => whole.to_string() == *part,
        (whole, part) => whole == part,
    }
}

/// Bodies without sets and maps: ours have the same bytes, member order included.
const EXACT: &[(i32, &str)] = &[
    (41, "response"),
    (46, "request"),
    (105, "response"),
    (200, "request"),
    (204, "response"),
    (309, "response"),
    (315, "response"),
    (351, "response"),
    (400, "request"),
    (400, "response"),
    (401, "request"),
    (907, "response"),
    (3001, "request"),
    (3006, "request"),
];

#[test]
fn members_are_written_in_upstreams_order() {
    let mut seen = std::collections::BTreeSet::new();
    for line in GOLDEN.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let (code, direction, text) = (words[0].parse().unwrap(), words[1], words[3]);
        if !EXACT.contains(&(code, direction)) || text.contains("{0:") {
            continue;
        }
        let ours = match (code, direction) {
            (41, _) => written::<LockBatchResponseBody>(text),
            (46, _) => written::<CheckClientRequestBody>(text),
            (105, _) => written::<TopicRouteData>(text),
            (200, _) => written::<SubscriptionGroupConfig>(text),
            (204, _) => written::<ProducerConnection>(text),
            (309, _) => written::<ConsumeMessageDirectlyResult>(text),
            (315, _) => written::<BrokerStatsData>(text),
            (351, _) => written::<TopicConfig>(text),
            (400, "request") => written::<QueryAssignmentRequestBody>(text),
            (400, _) => written::<QueryAssignmentResponseBody>(text),
            (401, _) => written::<SetMessageRequestModeRequestBody>(text),
            (907, _) => written::<HaRuntimeInfo>(text),
            (3001, _) => written::<UserInfo>(text),
            _ => written::<AclInfo>(text),
        };
        assert_eq!(ours, text, "{code} {direction}");
        seen.insert((code, direction));
    }
    assert_eq!(seen.len(), EXACT.len());
}

fn written<T: Serialize + DeserializeOwned>(text: &str) -> String {
    let value: T = fastjson::from_slice(text.as_bytes()).unwrap();
    String::from_utf8(fastjson::to_vec(&value)).unwrap()
}

/// Reads a file of the reference, writes it back and compares it line by line. Maps of the reference have no order,
/// and ours quote integer keys.
fn same_file<T: Serialize + DeserializeOwned>(file: &[u8]) {
    fn lines(text: &str) -> Vec<String> {
        let line = |line: &str| match line.trim().trim_end_matches(',').split_once(':') {
            Some((key, rest)) if key.trim_matches('"').parse::<i64>().is_ok() => {
                format!("{}:{rest}", key.trim_matches('"'))
            }
            _ => line.trim_end_matches(',').to_owned(),
        };
        let mut lines: Vec<String> = text.lines().map(line).collect();
        lines.sort();
        lines
    }
    let value: T = fastjson::from_slice(file).unwrap();
    let ours = String::from_utf8(fastjson::to_pretty_vec(&value)).unwrap();
    assert_eq!(lines(&ours), lines(str::from_utf8(file).unwrap()));
}

#[test]
fn metadata_files_come_back_as_they_were() {
    same_file::<TopicConfigSerializeWrapper>(include_bytes!("../../tests/golden/config/topics.json"));
    same_file::<SubscriptionGroupWrapper>(include_bytes!("../../tests/golden/config/subscriptionGroup.json"));
    same_file::<ConsumerOffsetSerializeWrapper>(include_bytes!("../../tests/golden/config/consumerOffset.json"));
    same_file::<DelayOffsetSerializeWrapper>(include_bytes!("../../tests/golden/config/delayOffset.json"));
}

/// What a newer or a Java broker adds survives.
#[test]
fn unknown_members_of_metadata_survive() {
    fn survives<T: Serialize + DeserializeOwned>(text: &str) {
        let before: serde_json::Value = fastjson::parse(text.as_bytes()).unwrap();
        let after: serde_json::Value = serde_json::from_str(&written::<T>(text)).unwrap();
        fn within(part: &serde_json::Value, whole: &serde_json::Value) -> bool {
            match (part, whole) {
                (serde_json::Value::Object(part), serde_json::Value::Object(whole)) => {
                    part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| within(value, whole)))
                }
                _ => part == whole,
            }
        }
        assert!(within(&before, &after), "{before} became {after}");
    }
    survives::<TopicConfig>(r#"{"topicName":"T","mappingDetail":{"hostedQueues":{0:[{"gen":0}]}},"new":[1,"a",null]}"#);
    survives::<TopicConfigSerializeWrapper>(
        r#"{"new":{"a":1},"topicConfigTable":{"T":{"topicName":"T","newer":1.5}}}"#,
    );
    survives::<SubscriptionGroupConfig>(
        r#"{"groupName":"g","groupRetryPolicy":{"type":"EXPONENTIAL","newest":"x"},"new":true}"#,
    );
    survives::<SubscriptionGroupWrapper>(r#"{"forbiddenTable":{"g":{"T":4}},"new":{"a":{}}}"#);
    survives::<ConsumerOffsetSerializeWrapper>(
        r#"{"offsetTable":{"T@g":{0:5,"1":6}},"resetOffsetTable":{"T@g":{0:1}},"new":1}"#,
    );
    survives::<DelayOffsetSerializeWrapper>(r#"{"offsetTable":{1:5,18:6},"new":1}"#);
    survives::<MessageRequestModeSerializeWrapper>(r#"{"messageRequestModeMap":{},"new":1}"#);
}

#[test]
fn missing_members_take_upstreams_defaults() {
    let topic: TopicConfig =
        fastjson::from_slice(br#"{"topicName":"T","topicFilterType":"FUTURE","perm":null}"#).unwrap();
    assert_eq!(topic, TopicConfig::new("T", 16, 6));
    let group: SubscriptionGroupConfig = fastjson::from_slice(br#"{"groupName":"g"}"#).unwrap();
    assert_eq!(group, SubscriptionGroupConfig::new("g"));
    assert!(group.consume_enable && group.consume_from_min_enable && group.consume_broadcast_enable);
    assert_eq!((group.retry_queue_nums, group.retry_max_times, group.consume_timeout_minute), (1, 16, 15));
}

#[test]
fn heartbeats_of_every_client_are_read() {
    let go = br#"{"clientID":"1.2.3.4@5","producerDataSet":[{"groupName":"p"}],"consumerDataSet":[{"groupName":"g",
        "consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET",
        "subscriptionDataSet":[{"classFilterMode":false,"topic":"T","subString":"TagA","tagsSet":["TagA"],
        "codeSet":["2598919","-5"],"subVersion":1700000000000000000,"expressionType":""}],"unitMode":false}]}"#;
    let heartbeat: HeartbeatData = fastjson::from_slice(go).unwrap();
    assert_eq!(
        (heartbeat.client_id.as_str(), heartbeat.heartbeat_fingerprint, heartbeat.without_sub),
        ("1.2.3.4@5", 0, false)
    );
    let consumer = &heartbeat.consumer_data_set[0];
    assert_eq!(consumer.consume_type, Some(ConsumeType::Passively));
    assert_eq!(consumer.message_model, Some(MessageModel::Clustering));
    let subscription = &consumer.subscription_data_set[0];
    assert!(subscription.is_tag_type());
    assert_eq!(subscription.code_set, [-5, 2_598_919].into());
    assert_eq!(subscription.sub_version, 1_700_000_000_000_000_000);

    for (text, consume_type, codes) in [
        (r#"{"consumeType":"CONSUME_LATER","subscriptionDataSet":[{"codeSet":null,"subVersion":"7"}]}"#, None, vec![]),
        (
            r#"{"consumeType":2,"subscriptionDataSet":[{"tagsSet":null,"codeSet":[1,'2']}]}"#,
            Some(ConsumeType::Pop),
            vec![1, 2],
        ),
        (r#"{"consumeType":99,"subscriptionDataSet":[{"codeSet":[4294967295]}]}"#, None, vec![-1]),
        (r#"{"consumeType":-1,"subscriptionDataSet":[{}],"unitMode":null}"#, None, vec![]),
    ] {
        let consumer: ConsumerData =
            fastjson::from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(consumer.consume_type, consume_type, "{text}");
        assert_eq!(consumer.subscription_data_set[0].code_set, codes.into_iter().collect(), "{text}");
    }
    assert!(fastjson::from_slice::<SubscriptionData>(br#"{"codeSet":["x"]}"#).is_err());
}

#[test]
fn a_client_may_answer_by_position() {
    let result: ConsumeMessageDirectlyResult = fastjson::from_slice(
        br#"{"order":false,"autoCommit":true,"consumeResult":1,"remark":"","spentTimeMills":"3"}"#,
    )
    .unwrap();
    assert_eq!((result.consume_result, result.spent_time_mills), (Some(CmResult::Later), 3));
}

#[test]
fn integer_keys_are_read_in_every_form_and_written_quoted() {
    let offsets: ConsumerOffsetSerializeWrapper =
        fastjson::from_slice(br#"{"offsetTable":{"T@g":{0:5,"1":6}},"pullOffsetTable":{"T@g":{'2':7}}}"#).unwrap();
    assert_eq!(offsets.offset_table["T@g"], [(0, 5), (1, 6)].into());
    assert_eq!(offsets.pull_offset_table.as_ref().unwrap()["T@g"], [(2, 7)].into());
    assert_eq!(
        String::from_utf8(fastjson::to_vec(&offsets)).unwrap(),
        r#"{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"offsetTable":{"T@g":{"0":5,"1":6}},"pullOffsetTable":{"T@g":{"2":7}}}"#
    );
    for bad in [r#"{"offsetTable":{"T@g":{"x":1}}}"#, r#"{"offsetTable":{"T@g":{99999999999:1}}}"#] {
        assert!(fastjson::from_slice::<ConsumerOffsetSerializeWrapper>(bad.as_bytes()).is_err(), "{bad}");
    }
    let route: BrokerData =
        fastjson::from_slice(br#"{"brokerAddrs":{0:"a:1",1:"b:2"},"brokerName":"b","cluster":"c"}"#).unwrap();
    assert_eq!(
        String::from_utf8(fastjson::to_vec(&route)).unwrap(),
        r#"{"brokerAddrs":{"0":"a:1","1":"b:2"},"brokerName":"b","cluster":"c","enableActingMaster":false}"#
    );
}

#[test]
fn queues_are_ordered_as_clients_order_them() {
    let queue = |topic: &str, broker: &str, queue_id| MessageQueue {
        broker_name: broker.to_owned(),
        queue_id,
        topic: topic.to_owned(),
    };
    let ordered = [queue("A", "z", 9), queue("B", "a", 2), queue("B", "a", 10), queue("B", "b", 0)];
    assert!(ordered.is_sorted());
}

#[test]
fn a_version_moves_with_every_change() {
    let version = DataVersion::new(5);
    assert_eq!(version.next(3, 8), DataVersion { counter: 1, state_version: 3, timestamp: 8 });
    assert_ne!(version, version.next(0, 5));
}
