//! `getLiteTopicInfo`: where a light topic begins and ends on each broker, and who subscribes to it.

use boostermq_remoting::request::lite;

use super::bodies::{ClientGroup, OfTopic};
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("p", "parentTopic", "Parent topic name"),
    CommandOption::required("l", "liteTopic", "Lite topic name"),
    CommandOption::flag("s", "showClientId", "Show all clientId"),
];

commands! {
    /// Shows a light topic.
    GetLiteTopicInfo = "getLiteTopicInfo", "Get lite topic info.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, light) = (arguments.required("p")?, arguments.required("l")?);
    let fields = vec![("parentTopic".into(), parent.to_owned()), ("liteTopic".into(), light.to_owned())];
    let answers = super::ask_brokers::<lite::GetLiteTopicInfo, OfTopic>(session, parent, &fields).await?;
    writeln!(session.out, "Lite Topic Info: [{parent}] [{light}] [%LMQ%${parent}${light}]")?;
    writeln!(
        session.out,
        "{:<50} {:<14} {:<14} {:<30} {:<12} {:<18} ",
        "#Broker Name", "#MinOffset", "#MaxOffset", "#LastUpdate", "#Sharding", "#SubClientCount"
    )?;
    for (broker, OfTopic { subscriber, topic_offset, sharding_to_broker }) in answers {
        let offsets = topic_offset.unwrap_or_default();
        let time = offsets.last_update_timestamp;
        let time = if time > 0 { print::local_time(time) } else { "-".to_owned() };
        writeln!(
            session.out,
            "{:<50} {:<14} {:<14} {time:<30} {sharding_to_broker:<12} {:<18} ",
            print::front(&broker, 40),
            offsets.min_offset,
            offsets.max_offset,
            subscriber.len()
        )?;
        if arguments.has("s") {
            let names = subscriber.iter().map(|ClientGroup { client_id, group }| format!("{client_id}@{group}"));
            writeln!(session.out, "[{}]", names.collect::<Vec<_>>().join(", "))?;
        }
    }
    Ok(())
}
