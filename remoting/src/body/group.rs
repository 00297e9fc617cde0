//! Bodies about consumer groups, and the file `subscriptionGroup.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DataVersion, lenient};

names! {
    /// How long a message waits before it is tried again.
    #[derive(Default)]
    GroupRetryPolicyType {
        /// Ever longer.
        Exponential = "EXPONENTIAL",
        /// By a list.
        #[default]
        Customized = "CUSTOMIZED",
    }
}

bodies! {
    /// Waits that grow: upstream `ExponentialRetryPolicy`.
    ExponentialRetryPolicy {
        /// First wait, ms.
        initial: i64,
        /// Longest wait, ms.
        max: i64,
        /// How much longer each wait is than the one before.
        multiplier: i64,
    }

    /// Waits by a list: upstream `CustomizedRetryPolicy`.
    CustomizedRetryPolicy {
        /// Wait before each attempt, ms; the last one repeats.
        next: Vec<i64>,
    }

    /// How long a message waits before it is tried again: upstream `GroupRetryPolicy`. Without either policy upstream's list of waits counts.
    GroupRetryPolicy {
        /// Used when the type says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        customized_retry_policy: Option<CustomizedRetryPolicy>,
        /// Used when the type says so.
        #[serde(skip_serializing_if = "Option::is_none")]
        exponential_retry_policy: Option<ExponentialRetryPolicy>,
        /// Which of the two.
        #[serde(rename = "type", deserialize_with = "lenient::named_or_default")]
        policy_type: GroupRetryPolicyType,
        /// Members that this version does not know.
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    /// A subscription that is fixed by configuration: upstream `SimpleSubscriptionData`.
    SimpleSubscriptionData {
        /// Filter expression.
        #[serde(skip_serializing_if = "Option::is_none")]
        expression: Option<String>,
        /// `TAG` or `SQL92`.
        #[serde(skip_serializing_if = "Option::is_none")]
        expression_type: Option<String>,
        /// The topic.
        topic: String,
        /// Version of the subscription.
        version: i64,
    }
}

/// Configuration of one consumer group: upstream `SubscriptionGroupConfig`; an entry of `subscriptionGroup.json` and of code
/// 201, the body of 200.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionGroupConfig {
    /// Attributes; 5.5.0 defines none.
    pub attributes: BTreeMap<String, String>,
    /// Broker that consumers read from first; 0 is the master.
    pub broker_id: i64,
    /// Every consumer may get every message.
    pub consume_broadcast_enable: bool,
    /// The group may consume at all.
    pub consume_enable: bool,
    /// A new group may start at the first message.
    pub consume_from_min_enable: bool,
    /// Pop hands out the messages of a queue in order.
    pub consume_message_orderly: bool,
    /// Minutes a client may take over one message.
    pub consume_timeout_minute: i32,
    /// Name of the group.
    pub group_name: String,
    /// How long a message waits before it is tried again.
    pub group_retry_policy: GroupRetryPolicy,
    /// Bits: unit 1.
    pub group_sys_flag: i32,
    /// Consumers are told when others come or go.
    pub notify_consumer_ids_changed_enable: bool,
    /// How often a message is tried again.
    pub retry_max_times: i32,
    /// Queues of the retry topic.
    pub retry_queue_nums: i32,
    /// Subscriptions that are fixed by configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data_set: Option<Vec<SimpleSubscriptionData>>,
    /// Broker to read from when the consumer lags.
    pub which_broker_when_consume_slowly: i64,
    /// Members that this version does not know.
    #[serde(flatten)]
    pub others: BTreeMap<String, Value>,
}

impl Default for SubscriptionGroupConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: 0,
            consume_broadcast_enable: true,
            consume_enable: true,
            consume_from_min_enable: true,
            consume_message_orderly: false,
            consume_timeout_minute: 15,
            group_name: String::new(),
            group_retry_policy: GroupRetryPolicy::default(),
            group_sys_flag: 0,
            notify_consumer_ids_changed_enable: true,
            retry_max_times: 16,
            retry_queue_nums: 1,
            subscription_data_set: None,
            which_broker_when_consume_slowly: 1,
            others: BTreeMap::new(),
        }
    }
}

impl SubscriptionGroupConfig {
    /// A group with upstream's defaults.
    #[must_use]
    pub fn new(group_name: &str) -> Self {
        Self { group_name: group_name.to_owned(), ..Self::default() }
    }
}

bodies! {
    /// A broker's groups and their version: upstream `SubscriptionGroupWrapper`; the file `subscriptionGroup.json` and
    /// the answer to 201.
    SubscriptionGroupWrapper {
        /// Version of the table.
        data_version: DataVersion,
        /// By group and topic, bits of what is forbidden: bit 2 is reading.
        forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
        /// Configurations by group.
        subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
        /// Members that this version does not know.
        #[serde(flatten)]
        others: BTreeMap<String, Value>,
    }

    /// Groups to be made or changed together (225): upstream `SubscriptionGroupList`.
    SubscriptionGroupList {
        /// The groups.
        group_config_list: Vec<SubscriptionGroupConfig>,
    }

    /// Names of groups: upstream `GroupList`.
    GroupList {
        /// The names.
        group_list: Vec<String>,
    }

    /// Whether a group may read a topic (353): upstream `GroupForbidden`.
    GroupForbidden {
        /// The group.
        group: String,
        /// It may.
        readable: bool,
        /// The topic.
        topic: String,
    }
}
