//! Light topics, new in 5.5.0.
//!
//! Codes: RocketMQ 5.5.0.

use super::{Action, Permission};

requests! {
    /// Takes messages of the light topics a client chose.
    PopLiteMessage = 200070 "POP_LITE_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// Changes a client's choice of light topics.
    LiteSubscriptionCtl = 200071 "LITE_SUBSCRIPTION_CTL", Inline, Permission::InBody(Action::Sub);
    /// Tells that a message of a light topic is consumed.
    AckLiteMessage = 200072 "ACK_LITE_MESSAGE", Inline, Permission::TopicAndGroup("topic", "consumerGroup", Action::Sub);
    /// To a consumer, one way: a light topic was taken from it.
    NotifyUnsubscribeLite = 200073 "NOTIFY_UNSUBSCRIBE_LITE", Inline, Permission::Open;
    /// Shows how a broker's light topics do.
    GetBrokerLiteInfo = 200074 "GET_BROKER_LITE_INFO", Blocking, Permission::Cluster(Action::Get);
    /// Shows a topic that holds light topics.
    GetParentTopicInfo = 200075 "GET_PARENT_TOPIC_INFO", Blocking, Permission::Topic("topic", Action::Get);
    /// Shows a light topic.
    GetLiteTopicInfo = 200076 "GET_LITE_TOPIC_INFO", Blocking, Permission::Cluster(Action::Get);
    /// Shows a client's light topics.
    GetLiteClientInfo = 200077 "GET_LITE_CLIENT_INFO", Blocking, Permission::Cluster(Action::Get);
    /// Shows how far a group is with its light topics.
    GetLiteGroupInfo = 200078 "GET_LITE_GROUP_INFO", Blocking, Permission::Group("group", Action::Get);
    /// Wakes clients of light topics.
    TriggerLiteDispatch = 200079 "TRIGGER_LITE_DISPATCH", Blocking, Permission::Group("group", Action::Update);
}
