//! `updateTopicPerm`: changes who may read and write a topic.

use anyhow::anyhow;
use boostermq_remoting::body::{BrokerData, QueueData, TopicConfig};
use boostermq_remoting::request::topic::UpdateAndCreateTopic;
use bytes::Bytes;

use super::update_topic::{header, topic_text};
use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::optional("b", "brokerAddr", "create topic to which broker"),
    CommandOption::optional("c", "clusterName", "create topic to which cluster"),
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("p", "perm", "set topic's permission(2|4|6), intro[2:W; 4:R; 6:RW]"),
];

commands! {
    /// Changes the permission of a topic.
    UpdateTopicPerm = "updateTopicPerm", "Update topic perm.", OPTIONS, update;
}

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let name = arguments.required("t")?;
    let perm: i32 = arguments.number("p")?.ok_or_else(|| anyhow!("Missing required option: p"))?;
    let route = session.admin.route(name).await?;
    let first = route.queue_datas.first().ok_or_else(|| anyhow!("{name} has no queue: see topicRoute"))?;
    if let Some(address) = arguments.text("b") {
        let is_master = |broker: &&BrokerData| admin::master(broker) == Some(address);
        let Some(broker) = route.broker_datas.iter().find(is_master) else {
            session.fail();
            return Ok(writeln!(session.out, "updateTopicPerm error broker not exit or broker is not master!.")?);
        };
        // Upstream gives the broker the queue numbers of the first one of the route.
        let queues = route.queue_datas.iter().find(|data| data.broker_name == broker.broker_name).unwrap_or(first);
        if queues.perm == perm {
            return Ok(writeln!(session.out, "new perm equals to the old one!")?);
        }
        let topic = topic(name, queues, perm);
        session.admin.call::<UpdateAndCreateTopic>(address, &header(&topic, &Vec::new())?, Bytes::new()).await?;
        writeln!(session.out, "update topic perm from {} to {perm} in {address} success.", queues.perm)?;
        return Ok(writeln!(session.out, "{}.", topic_text(&topic, Vec::new()))?);
    }
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    for address in &brokers {
        let broker = route.broker_datas.iter().find(|broker| admin::master(broker) == Some(address));
        let queues = broker
            .and_then(|broker| route.queue_datas.iter().find(|data| data.broker_name == broker.broker_name))
            .unwrap_or(first);
        let header = header(&topic(name, queues, perm), &Vec::new())?;
        let done = |address: &str| format!("update topic perm from {} to {perm} in {address} success.", queues.perm);
        let one = std::slice::from_ref(address);
        targets::tell::<UpdateAndCreateTopic>(session, one, &header, Bytes::new(), done).await?;
    }
    Ok(())
}

fn topic(name: &str, queues: &QueueData, perm: i32) -> TopicConfig {
    TopicConfig {
        read_queue_nums: queues.read_queue_nums,
        write_queue_nums: queues.write_queue_nums,
        topic_sys_flag: queues.topic_sys_flag,
        ..TopicConfig::new(name, 0, perm)
    }
}
