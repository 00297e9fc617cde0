//! `cloneGroupOffset`: gives a group what another one has consumed of a topic.
//!
//! Upstream's tool copies the offsets of all topics of the group, its retry topic included, wherever the one that was named
//! is; here only that topic is touched.

use anyhow::anyhow;
use boostermq_remoting::body::MessageQueue;
use boostermq_remoting::names::{Group, QueueId, Topic};
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::offset::{UpdateConsumerOffset, UpdateConsumerOffsetRequestHeader};
use bytes::Bytes;

use crate::admin;
use crate::command::{Session, commands};
use crate::groups;
use crate::options::{Arguments, CommandOption};

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("s", "srcGroup", "set source consumer group"),
    CommandOption::required("d", "destGroup", "set destination consumer group"),
    CommandOption::required("t", "topic", "set the topic"),
    CommandOption::optional("o", "offline", "the group or the topic is offline"),
];

commands! {
    /// Copies the offsets of a group.
    CloneGroupOffset = "cloneGroupOffset", "Clone offset from other group.", OPTIONS, copy;
}

async fn copy(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (from, to) = (Group::parse(arguments.required("s")?)?, Group::parse(arguments.required("d")?)?);
    let topic = Topic::parse(arguments.required("t")?)?;
    let (stats, unasked) = groups::stats(&session.admin, &from, None, None).await?;
    for (address, error) in &unasked {
        session.complain_of(address, error);
    }
    let route = session.admin.route(topic.as_str()).await?;
    let address_of = |queue: &MessageQueue| {
        let broker = route.broker_datas.iter().find(|broker| broker.broker_name == queue.broker_name);
        broker.and_then(admin::any_address).ok_or_else(|| anyhow!("the broker {} is not there", queue.broker_name))
    };
    let mut copied = 0;
    for (queue, offsets) in stats.offset_table.0.iter().filter(|(queue, _)| queue.topic == topic.as_str()) {
        let header = UpdateConsumerOffsetRequestHeader {
            consumer_group: to.clone(),
            topic: topic.clone(),
            queue_id: QueueId::from_wire(queue.queue_id),
            commit_offset: Some(QueueOffset(offsets.consumer_offset)),
        };
        session.admin.call::<UpdateConsumerOffset>(address_of(queue)?, &header, Bytes::new()).await?;
        copied += 1;
    }
    if copied == 0 {
        // Upstream calls that a success.
        return Err(anyhow!("{from} has no offsets of {topic}: nothing was copied; see consumerProgress -g {from}"));
    }
    // Upstream ends this without a line feed.
    write!(session.out, "clone group offset success. srcGroup[{from}], destGroup=[{to}], topic[{topic}]")?;
    Ok(())
}
