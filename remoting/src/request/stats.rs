//! Statistics.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::{Group, Topic};

crate::header! {
    /// Header: upstream `GetConsumeStatsRequestHeader`.
    GetConsumeStatsRequestHeader {
        /// The group.
        consumer_group: Group = "consumerGroup",
        /// One topic only.
        topic: Option<String> = "topic",
        /// These topics only, separated by `;`.
        topic_list: Option<String> = "topicList",
    }

    /// Header: upstream `GetConsumeStatsInBrokerHeader`.
    GetConsumeStatsInBrokerHeader {
        /// Groups that consume in order; absent means false.
        is_order: Option<bool> = "isOrder",
    }

    /// Header: upstream `QueryConsumeTimeSpanRequestHeader`.
    QueryConsumeTimeSpanRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// The group.
        group: Group = "group",
    }

    /// Header: upstream `ViewBrokerStatsDataRequestHeader`.
    ViewBrokerStatsDataRequestHeader {
        /// The statistic, such as `TOPIC_PUT_NUMS`.
        stats_name: String = "statsName",
        /// The thing counted, such as a topic, or `topic@group`.
        stats_key: String = "statsKey",
    }
}

requests! {
    /// Shows how far a group is; body `ConsumeStats`.
    GetConsumeStats = 208 "GET_CONSUME_STATS", Blocking, Permission::Group("consumerGroup", Action::Get),
        GetConsumeStatsRequestHeader => NoHeader;
    /// Shows the times of first, last and consumed messages; body `QueryConsumeTimeSpanBody`.
    QueryConsumeTimeSpan = 303 "QUERY_CONSUME_TIME_SPAN", Blocking, Permission::TopicAndGroup("topic", "group", Action::Get),
        QueryConsumeTimeSpanRequestHeader => NoHeader;
    /// Shows one statistic; body `BrokerStatsData`.
    ViewBrokerStatsData = 315 "VIEW_BROKER_STATS_DATA", Inline, Permission::Cluster(Action::Get),
        ViewBrokerStatsDataRequestHeader => NoHeader;
    /// Shows how far all groups are; body `ConsumeStatsList`.
    GetBrokerConsumeStats = 317 "GET_BROKER_CONSUME_STATS", Blocking, Permission::Cluster(Action::Get),
        GetConsumeStatsInBrokerHeader => NoHeader;
}
