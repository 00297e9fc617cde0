//! The body of a heartbeat (34), and the subscriptions in it.

use std::collections::BTreeSet;

use super::lenient;

names! {
    /// Who decides when a message is consumed.
    ConsumeType {
        /// The application pulls.
        Actively = "CONSUME_ACTIVELY",
        /// The client library pushes.
        Passively = "CONSUME_PASSIVELY",
        /// The broker hands out messages.
        Pop = "CONSUME_POP",
    }

    /// Who gets a message.
    MessageModel {
        /// Every consumer of the group.
        Broadcasting = "BROADCASTING",
        /// One consumer of the group.
        Clustering = "CLUSTERING",
        /// Consumers by light topics they chose; new in 5.5.0.
        LiteSelective = "LITE_SELECTIVE",
    }

    /// Where a group without offsets starts.
    ConsumeFromWhere {
        /// After the newest message.
        LastOffset = "CONSUME_FROM_LAST_OFFSET",
        /// Deprecated, as the last offset.
        LastOffsetAndFromMinWhenBootFirst = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        /// Deprecated, as the first offset.
        MinOffset = "CONSUME_FROM_MIN_OFFSET",
        /// Deprecated, as the last offset.
        MaxOffset = "CONSUME_FROM_MAX_OFFSET",
        /// At the oldest message.
        FirstOffset = "CONSUME_FROM_FIRST_OFFSET",
        /// At a time the client asks for.
        Timestamp = "CONSUME_FROM_TIMESTAMP",
    }
}

bodies! {
    /// What a consumer wants of a topic: upstream `SubscriptionData`.
    SubscriptionData {
        /// Class filters, long gone.
        class_filter_mode: bool,
        /// Hashes of the tags; empty means all. Go hashes UTF-8 bytes, so for tags that are not ASCII only the tags themselves tell.
        #[serde(deserialize_with = "lenient::hashes")]
        code_set: BTreeSet<i32>,
        /// `TAG` or `SQL92`; nothing and an empty text mean `TAG`.
        #[serde(skip_serializing_if = "Option::is_none")]
        expression_type: Option<String>,
        /// The filter expression.
        sub_string: String,
        /// Version of the subscription: ms from Java, ns from Go.
        #[serde(deserialize_with = "lenient::integer")]
        sub_version: i64,
        /// The tags; empty means all.
        tags_set: BTreeSet<String>,
        /// The topic.
        topic: String,
    }

    /// One producer group of a client: upstream `ProducerData`.
    ProducerData {
        /// The group.
        group_name: String,
    }

    /// One consumer group of a client: upstream `ConsumerData`.
    ConsumerData {
        /// Where it starts without offsets.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        consume_from_where: Option<ConsumeFromWhere>,
        /// Who decides when a message is consumed.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        consume_type: Option<ConsumeType>,
        /// The group.
        group_name: String,
        /// Who gets a message.
        #[serde(deserialize_with = "lenient::named", skip_serializing_if = "Option::is_none")]
        message_model: Option<MessageModel>,
        /// What it wants.
        subscription_data_set: Vec<SubscriptionData>,
        /// Unit mode of the client.
        unit_mode: bool,
    }

    /// All groups of a client: upstream `HeartbeatData`.
    HeartbeatData {
        /// What the client calls itself.
        #[serde(rename = "clientID")]
        client_id: String,
        /// Its consumer groups.
        consumer_data_set: Vec<ConsumerData>,
        /// Hash of the rest; 0 from clients that always send all.
        #[serde(deserialize_with = "lenient::integer")]
        heartbeat_fingerprint: i32,
        /// Its producer groups.
        producer_data_set: Vec<ProducerData>,
        /// True when subscriptions are left out because they have not changed.
        without_sub: bool,
    }
}

impl SubscriptionData {
    /// The expression that takes every message.
    pub const SUB_ALL: &'static str = "*";

    /// True for a tag filter, the usual kind.
    #[must_use]
    pub fn is_tag_type(&self) -> bool {
        matches!(self.expression_type.as_deref(), None | Some("" | "TAG"))
    }
}
