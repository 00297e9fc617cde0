//! `setConsumeMode`: sets whether a group pulls or pops a topic.

use anyhow::anyhow;
use boostermq_remoting::body::{MessageRequestMode, SetMessageRequestModeRequestBody};
use boostermq_remoting::fastjson;
use boostermq_remoting::request::NoHeader;
use boostermq_remoting::request::pop::SetMessageRequestMode;
use bytes::Bytes;

use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "create subscription group to which broker"),
    CommandOption::optional("c", "clusterName", "create subscription group to which cluster"),
    CommandOption::required("t", "topicName", "topic name"),
    CommandOption::required("g", "groupName", "consumer group name"),
    CommandOption::required("m", "mode", "consume mode. PULL/POP"),
    CommandOption::optional("q", "popShareQueueNum", "num of queue which share in pop mode"),
];

commands! {
    /// Sets how a group consumes.
    SetConsumeMode = "setConsumeMode", "Set consume message mode. pull/pop etc.", OPTIONS, set;
}

async fn set(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (topic, group) = (arguments.required("t")?, arguments.required("g")?);
    let mode = arguments.required("m")?;
    let mode = MessageRequestMode::from_name(mode).ok_or_else(|| anyhow!("-m must be PULL or POP, not {mode}"))?;
    let shared = arguments.number("q")?.unwrap_or_default();
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let body = SetMessageRequestModeRequestBody {
        consumer_group: group.to_owned(),
        mode,
        pop_share_queue_num: shared,
        topic: topic.to_owned(),
    };
    let body = Bytes::from(fastjson::to_vec(&body));
    let done = |address: &str| format!("set consume mode to {address} success.");
    targets::tell::<SetMessageRequestMode>(session, &brokers, &NoHeader {}, body, done).await?;
    // Upstream ends this without a line feed.
    Ok(write!(session.out, "topic[{topic}] group[{group}] consume mode[{mode}] popShareQueueNum[{shared}]")?)
}
