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
