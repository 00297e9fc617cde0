//! `getParentTopicInfo`: how many light topics a topic holds on each broker.

use boostermq_remoting::request::lite;

use super::bodies::OfParent;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;

const OPTIONS: &[CommandOption] = &[CommandOption::required("p", "parentTopic", "Parent topic name")];

commands! {
    /// Shows a topic of light topics.
    GetParentTopicInfo = "getParentTopicInfo", "Get parent topic info.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let parent = arguments.required("p")?;
    let fields = vec![("topic".into(), parent.to_owned())];
    let answers = super::ask_brokers::<lite::GetParentTopicInfo, OfParent>(session, parent, &fields).await?;
    writeln!(session.out, "Parent Topic Info: [{parent}]")?;
    let heads = ["#Broker Name", "#TTL", "#Lite Count", "#LMQ NUM", "#GROUPS"];
    let [broker, ttl, topics, queues, groups] = heads;
    writeln!(session.out, "{broker:<50} {ttl:<8} {topics:<14} {queues:<14} {groups:<100} ")?;
    for (broker, OfParent { ttl, groups, lmq_num, lite_topic_count }) in answers {
        let broker = print::front(&broker, 40);
        let groups = format!("[{}]", groups.into_iter().collect::<Vec<_>>().join(", "));
        writeln!(session.out, "{broker:<50} {ttl:<8} {lite_topic_count:<14} {lmq_num:<14} {groups:<100} ")?;
    }
    Ok(())
}
