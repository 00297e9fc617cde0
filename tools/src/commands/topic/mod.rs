//! Commands about topics.

mod allocate_mq;
mod delete_topic;
mod static_topic;
mod topic_cluster_list;
mod topic_list;
mod topic_route;
mod topic_status;
mod update_order_conf;
mod update_topic;
mod update_topic_list;
mod update_topic_perm;

pub use allocate_mq::AllocateMq;
pub use delete_topic::DeleteTopic;
pub use static_topic::{RemappingStaticTopic, UpdateStaticTopic};
pub use topic_cluster_list::TopicClusterList;
pub use topic_list::TopicList;
pub use topic_route::TopicRoute;
pub use topic_status::TopicStatus;
pub use update_order_conf::UpdateOrderConf;
pub use update_topic::UpdateTopic;
pub use update_topic_list::UpdateTopicList;
pub use update_topic_perm::UpdateTopicPerm;
