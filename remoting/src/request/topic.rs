//! Topics: their configuration on brokers, their registration with name servers, lists of them.
//!
//! Codes and fields: RocketMQ 5.5.0. Requests to name
//! servers take topics as they come: a name server checks no names.

use super::{Action, NoHeader, Permission};
use crate::names::{ClusterName, Topic};

crate::header! {
    /// Header: upstream `CreateTopicRequestHeader`.
    CreateTopicRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// Template topic, always `TBW102`; ignored.
        default_topic: Option<String> = "defaultTopic",
        /// Queues that may be read.
        read_queue_nums: i32 = "readQueueNums",
        /// Queues that may be written.
        write_queue_nums: i32 = "writeQueueNums",
        /// Bits: read 4, write 2, inherit 1.
        perm: i32 = "perm",
        /// `SINGLE_TAG`, `MULTI_TAG`.
        topic_filter_type: Option<String> = "topicFilterType",
        /// Bits: unit 1, unit subscription 2.
        topic_sys_flag: Option<i32> = "topicSysFlag",
        /// The order of messages matters more than being available.
        order: Option<bool> = "order",
        /// Changes of attributes, `+name=value,-name`.
        attributes: Option<String> = "attributes",
        /// Static topics only.
        force: Option<bool> = "force",
    }

    /// Header: upstream `GetAllTopicConfigRequestHeader`. Without any field the whole table is wanted.
    GetAllTopicConfigRequestHeader {
        /// First entry of the page.
        topic_seq: Option<i32> = "topicSeq",
        /// Entries of the page.
        max_topic_num: Option<i32> = "maxTopicNum",
        /// Version of the pages so far, JSON.
        data_version: Option<String> = "dataVersion",
    }

    /// Answer: upstream `GetAllTopicConfigResponseHeader`.
    GetAllTopicConfigResponseHeader {
        /// Entries of the whole table.
        total_topic_num: Option<i32> = "totalTopicNum",
    }

    /// Header: upstream `GetTopicStatsInfoRequestHeader`.
    GetTopicStatsInfoRequestHeader {
        /// The topic.
        topic: Topic = "topic",
    }

    /// Header: upstream `GetTopicConfigRequestHeader`.
    GetTopicConfigRequestHeader {
        /// The topic.
        topic: Topic = "topic",
        /// With the mapping of a static topic.
        lo: Option<bool> = "lo",
    }

    /// Header: upstream `DeleteTopicRequestHeader`. Broken names may be deleted, so the handler checks.
    DeleteTopicRequestHeader {
        /// The topic.
        topic: String = "topic",
    }

    /// Header: upstream `QueryTopicConsumeByWhoRequestHeader`.
    QueryTopicConsumeByWhoRequestHeader {
        /// The topic.
        topic: Topic = "topic",
    }

    /// Header: upstream `RegisterTopicRequestHeader`.
    RegisterTopicRequestHeader {
        /// The topic.
        topic: String = "topic",
    }

    /// Header: upstream `DeleteTopicFromNamesrvRequestHeader`.
    DeleteTopicFromNamesrvRequestHeader {
        /// The topic.
        topic: String = "topic",
        /// Only on the brokers of this cluster.
        cluster_name: Option<ClusterName> = "clusterName",
    }

    /// Header: upstream `GetTopicsByClusterRequestHeader`.
    GetTopicsByClusterRequestHeader {
        /// The cluster.
        cluster: ClusterName = "cluster",
    }
}

requests! {
    /// Makes or changes a topic.
    UpdateAndCreateTopic = 17 "UPDATE_AND_CREATE_TOPIC", Waiting, Permission::Topic("topic", Action::Create),
        CreateTopicRequestHeader => NoHeader;
    /// Makes or changes several topics; body `CreateTopicListRequestBody`.
    UpdateAndCreateTopicList = 18 "UPDATE_AND_CREATE_TOPIC_LIST", Waiting, Permission::InBody(Action::Create);
    /// Hands out all topics, whole or in pages; body `TopicConfigAndMappingSerializeWrapper`.
    GetAllTopicConfig = 21 "GET_ALL_TOPIC_CONFIG", Blocking, Permission::Cluster(Action::Get),
        GetAllTopicConfigRequestHeader => GetAllTopicConfigResponseHeader;
    /// Declared upstream, served by nobody.
    GetTopicConfigList = 22 "GET_TOPIC_CONFIG_LIST", Inline, Permission::Cluster(Action::Get);
    /// Declared upstream, served by nobody.
    GetTopicNameList = 23 "GET_TOPIC_NAME_LIST", Inline, Permission::Cluster(Action::Get);
    /// Shows where the queues of a topic begin and end; body `TopicStatsTable`.
    GetTopicStatsInfo = 202 "GET_TOPIC_STATS_INFO", Blocking, Permission::Topic("topic", Action::Get),
        GetTopicStatsInfoRequestHeader => NoHeader;
    /// Removes a topic from a broker.
    DeleteTopicInBroker = 215 "DELETE_TOPIC_IN_BROKER", Blocking, Permission::Topic("topic", Action::Delete),
        DeleteTopicRequestHeader => NoHeader;
    /// Lists the groups that consume a topic; body `GroupList`.
    QueryTopicConsumeByWho = 300 "QUERY_TOPIC_CONSUME_BY_WHO", Blocking, Permission::Topic("topic", Action::Get),
        QueryTopicConsumeByWhoRequestHeader => NoHeader;
    /// Lists a broker's own topics; body `TopicList`.
    GetSystemTopicListFromBroker = 305 "GET_SYSTEM_TOPIC_LIST_FROM_BROKER", Inline, Permission::Cluster(Action::List);
    /// Removes queues of topics that are gone.
    CleanUnusedTopic = 316 "CLEAN_UNUSED_TOPIC", Blocking, Permission::Cluster(Action::Update);
    /// Shows a topic; body `TopicConfig`.
    GetTopicConfig = 351 "GET_TOPIC_CONFIG", Inline, Permission::Topic("topic", Action::Get),
        GetTopicConfigRequestHeader => NoHeader;
    /// Lists all topics of a name server; body `TopicList`.
    GetAllTopicListFromNameserver = 206 "GET_ALL_TOPIC_LIST_FROM_NAMESERVER", Blocking, Permission::Cluster(Action::List);
    /// Removes a topic from a name server.
    DeleteTopicInNamesrv = 216 "DELETE_TOPIC_IN_NAMESRV", Inline, Permission::Cluster(Action::Update),
        DeleteTopicFromNamesrvRequestHeader => NoHeader;
    /// Registers one topic; body `TopicRouteData`.
    RegisterTopicInNamesrv = 217 "REGISTER_TOPIC_IN_NAMESRV", Inline, Permission::Cluster(Action::Update),
        RegisterTopicRequestHeader => NoHeader;
    /// Lists the topics of a cluster; body `TopicList`.
    GetTopicsByCluster = 224 "GET_TOPICS_BY_CLUSTER", Blocking, Permission::Cluster(Action::List),
        GetTopicsByClusterRequestHeader => NoHeader;
    /// Lists the topics named after clusters and brokers; body `TopicList`.
    GetSystemTopicListFromNs = 304 "GET_SYSTEM_TOPIC_LIST_FROM_NS", Inline, Permission::Cluster(Action::List);
    /// Lists topics of units; body `TopicList`.
    GetUnitTopicList = 311 "GET_UNIT_TOPIC_LIST", Blocking, Permission::Cluster(Action::List);
    /// Lists topics subscribed from units; body `TopicList`.
    GetHasUnitSubTopicList = 312 "GET_HAS_UNIT_SUB_TOPIC_LIST", Blocking, Permission::Cluster(Action::List);
    /// Lists topics of no unit subscribed from units; body `TopicList`.
    GetHasUnitSubUnunitTopicList = 313 "GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST", Blocking, Permission::Cluster(Action::List);
}
