//! Consumer groups and their configuration.
//!
//! Codes and fields: RocketMQ 5.5.0.

use super::{Action, NoHeader, Permission};
use crate::names::{Group, Topic};

crate::header! {
    /// Header: upstream `GetAllSubscriptionGroupRequestHeader`. Without any field the whole table is wanted.
    GetAllSubscriptionGroupRequestHeader {
        /// First entry of the page.
        group_seq: Option<i32> = "groupSeq",
        /// Entries of the page.
        max_group_num: Option<i32> = "maxGroupNum",
        /// Version of the pages so far, JSON.
        data_version: Option<String> = "dataVersion",
    }

    /// Answer: upstream `GetAllSubscriptionGroupResponseHeader`.
    GetAllSubscriptionGroupResponseHeader {
        /// Entries of the whole table.
        total_group_num: i32 = "totalGroupNum",
    }

    /// Header: upstream `DeleteSubscriptionGroupRequestHeader`.
    DeleteSubscriptionGroupRequestHeader {
        /// The group.
        group_name: Group = "groupName",
        /// Its offsets go too.
        clean_offset: Option<bool> = "cleanOffset",
    }

    /// Header: upstream `GetSubscriptionGroupConfigRequestHeader`.
    GetSubscriptionGroupConfigRequestHeader {
        /// The group.
        group: Group = "group",
    }

    /// Header: upstream `UpdateGroupForbiddenRequestHeader`.
    UpdateGroupForbiddenRequestHeader {
        /// The group.
        group: Group = "group",
        /// The topic.
        topic: Topic = "topic",
        /// Whether the group may read the topic; absent only asks.
        readable: Option<bool> = "readable",
    }

    /// Header: upstream `QueryTopicsByConsumerRequestHeader`.
    QueryTopicsByConsumerRequestHeader {
        /// The group.
        group: Group = "group",
    }

    /// Header: upstream `QuerySubscriptionByConsumerRequestHeader`.
    QuerySubscriptionByConsumerRequestHeader {
        /// The group.
        group: Group = "group",
        /// The topic.
        topic: Option<String> = "topic",
    }
}

requests! {
    /// Makes or changes a group; body `SubscriptionGroupConfig`.
    UpdateAndCreateSubscriptiongroup = 200 "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP", Blocking, Permission::InBody(Action::Create);
    /// Makes or changes several groups; body `SubscriptionGroupList`.
    UpdateAndCreateSubscriptiongroupList = 225 "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST", Blocking, Permission::InBody(Action::Create);
    /// Hands out all groups, whole or in pages; body `SubscriptionGroupWrapper`.
    GetAllSubscriptiongroupConfig = 201 "GET_ALL_SUBSCRIPTIONGROUP_CONFIG", Blocking, Permission::Cluster(Action::Get),
        GetAllSubscriptionGroupRequestHeader => GetAllSubscriptionGroupResponseHeader;
    /// Removes a group.
    DeleteSubscriptiongroup = 207 "DELETE_SUBSCRIPTIONGROUP", Blocking, Permission::Group("groupName", Action::Delete),
        DeleteSubscriptionGroupRequestHeader => NoHeader;
    /// Shows a group; body `SubscriptionGroupConfig`.
    GetSubscriptiongroupConfig = 352 "GET_SUBSCRIPTIONGROUP_CONFIG", Inline, Permission::Group("group", Action::Get),
        GetSubscriptionGroupConfigRequestHeader => NoHeader;
    /// Forbids a group to read a topic, or allows it again; body `GroupForbidden`.
    UpdateAndGetGroupForbidden = 353 "UPDATE_AND_GET_GROUP_FORBIDDEN", Blocking, Permission::TopicAndGroup("topic", "group", Action::Update),
        UpdateGroupForbiddenRequestHeader => NoHeader;
    /// Lists the topics that a group has consumed; body `TopicList`.
    QueryTopicsByConsumer = 343 "QUERY_TOPICS_BY_CONSUMER", Blocking, Permission::Group("group", Action::Get),
        QueryTopicsByConsumerRequestHeader => NoHeader;
    /// Shows a group's subscription to a topic; body `QuerySubscriptionResponseBody`.
    QuerySubscriptionByConsumer = 345 "QUERY_SUBSCRIPTION_BY_CONSUMER", Inline, Permission::Group("group", Action::Get),
        QuerySubscriptionByConsumerRequestHeader => NoHeader;
    /// Declared upstream, served by nobody.
    SuspendConsumer = 209 "SUSPEND_CONSUMER", Inline, Permission::Cluster(Action::Update);
    /// Declared upstream, served by nobody.
    ResumeConsumer = 210 "RESUME_CONSUMER", Inline, Permission::Cluster(Action::Update);
    /// Declared upstream, served by nobody.
    ResetConsumerOffsetInConsumer = 211 "RESET_CONSUMER_OFFSET_IN_CONSUMER", Inline, Permission::Cluster(Action::Update);
    /// Declared upstream, served by nobody.
    ResetConsumerOffsetInBroker = 212 "RESET_CONSUMER_OFFSET_IN_BROKER", Inline, Permission::Cluster(Action::Update);
    /// Declared upstream, served by nobody.
    AdjustConsumerThreadPool = 213 "ADJUST_CONSUMER_THREAD_POOL", Inline, Permission::Cluster(Action::Update);
    /// Declared upstream, served by nobody.
    WhoConsumeTheMessage = 214 "WHO_CONSUME_THE_MESSAGE", Inline, Permission::Cluster(Action::Get);
}
