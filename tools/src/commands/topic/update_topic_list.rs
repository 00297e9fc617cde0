//! `updateTopicList`: makes or changes the topics that stand in a file.

use boostermq_remoting::body::{CreateTopicListRequestBody, TopicConfig};
use boostermq_remoting::fastjson;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::topic::UpdateAndCreateTopicList;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::list_file;
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "create topic to which broker"),
    CommandOption::one_of("c", "clusterName", "create topic to which cluster"),
    CommandOption::required(
        "f",
        "filename",
        "Path to a file with list of org.apache.rocketmq.common.TopicConfig in json format",
    ),
];

commands! {
    /// Makes or changes the topics of a file.
    UpdateTopicList = "updateTopicList", "create or update topic in batch", OPTIONS, update;
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topics: Vec<TopicConfig> = list_file::read(session, arguments.required("f")?, "topics")?;
    if topics.is_empty() {
        return Ok(());
    }
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let done =
        |address: &str| format!("submit batch of topic config to {address} success, please check the result later.");
    let body = Bytes::from(fastjson::to_vec(&CreateTopicListRequestBody { topic_config_list: topics }));
    targets::tell::<UpdateAndCreateTopicList>(session, &brokers, &NoHeader {}, body, done).await
}
