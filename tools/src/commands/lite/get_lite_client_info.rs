//! `getLiteClientInfo`: the light topics of a client.

use boostermq_remoting::request::lite;

use super::bodies::OfClient;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::print;

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("p", "parentTopic", "Parent topic name"),
    CommandOption::required("g", "group", "Consumer group"),
    CommandOption::required("c", "clientId", "Client id"),
    CommandOption::flag("s", "showDetail", "Show details"),
];

/// Light topics that are wanted of each broker (RocketMQ 5.5.0: default of `maxCount`).
const MOST: &str = "1000";

commands! {
    /// Shows a client's light topics.
    GetLiteClientInfo = "getLiteClientInfo", "Get lite client info.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let (parent, group) = (arguments.required("p")?, arguments.required("g")?);
    let client = arguments.required("c")?;
    let fields = vec![
        ("parentTopic".into(), parent.to_owned()),
        ("group".into(), group.to_owned()),
        ("clientId".into(), client.to_owned()),
        ("maxCount".into(), MOST.to_owned()),
    ];
    let answers = super::ask_brokers::<lite::GetLiteClientInfo, OfClient>(session, parent, &fields).await?;
    writeln!(session.out, "Lite Client Info: [{client}] [{group}] [{parent}]")?;
    writeln!(
        session.out,
        "{:<30} {:<20} {:<30} {:<30} ",
        "#Broker", "#LiteTopicCount", "#LastAccessTime", "#LastConsumeTime"
    )?;
    let text = |number: i64, text: String| if number > 0 { text } else { "N/A".to_owned() };
    for (broker, OfClient { last_access_time, last_consume_time, lite_topic_count, lite_topic_set }) in answers {
        let count = text(lite_topic_count.into(), lite_topic_count.to_string());
        let access = text(last_access_time, print::local_time(last_access_time));
        let consume = text(last_consume_time, print::local_time(last_consume_time));
        writeln!(session.out, "{broker:<30} {count:<20} {access:<30} {consume:<30} ")?;
        if arguments.has("s") && !lite_topic_set.is_empty() {
            let names = lite_topic_set.into_iter().collect::<Vec<_>>().join(", ");
            writeln!(session.out, "Lite Topics: [{names}]\n")?;
        }
    }
    Ok(())
}
