//! `queryCq`: entries of a consume queue.

use std::io::{self, Write};

use anyhow::anyhow;
use boostermq_remoting::body::QueryConsumeQueueResponseBody;
use boostermq_remoting::fastjson;
use boostermq_remoting::names::{QueueId, Topic};
use boostermq_remoting::request::query::{QueryConsumeQueue, QueryConsumeQueueRequestHeader};

use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};

/// Entries that are shown when `-c` says nothing.
const DEFAULT_COUNT: i32 = 10;
/// What stands between entries.
const RULE: &str = "======================================";

const OPTIONS: &[CommandOption] = &[
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::required("q", "queue", "queue num, ie. 1"),
    CommandOption::required("i", "index", "start queue index."),
    CommandOption::optional("c", "count", "how many."),
    CommandOption::optional("b", "broker", "broker addr."),
    CommandOption::optional("g", "consumer", "consumer group."),
];

commands! {
    /// Shows entries of a queue.
    QueryCq = "queryCq", "Query cq command.", OPTIONS, query;
}

async fn query(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = arguments.required("t")?;
    let index = arguments.number("i")?.unwrap_or_default();
    let header = QueryConsumeQueueRequestHeader {
        topic: Topic::parse(topic)?,
        queue_id: QueueId(arguments.number("q")?.unwrap_or_default()),
        index,
        count: arguments.number("c")?.unwrap_or(DEFAULT_COUNT),
        consumer_group: arguments.text("g").map(str::to_owned),
    };
    let address = match arguments.text("b") {
        Some(address) => address.to_owned(),
        None => {
            let route = session.admin.route(topic).await?;
            let first = route.broker_datas.first().and_then(admin::any_address);
            first.map(str::to_owned).ok_or_else(|| anyhow!("No topic route data!"))?
        }
    };
    let queue: QueryConsumeQueueResponseBody =
        session.admin.call_body::<QueryConsumeQueue, _>(&address, &header).await?;
    Ok(print(session.out, index, &queue)?)
}

fn print(out: &mut dyn Write, index: i64, queue: &QueryConsumeQueueResponseBody) -> io::Result<()> {
    if let Some(data) = &queue.subscription_data {
        let text = fastjson::to_pretty_vec(data);
        writeln!(out, "Subscription data: \n{}\n{RULE}", String::from_utf8_lossy(&text))?;
    }
    if let Some(data) = &queue.filter_data {
        writeln!(out, "Filter data: \n{data}\n{RULE}")?;
    }
    writeln!(out, "Queue data: \nmax: {}, min: {}\n{RULE}", queue.max_queue_index, queue.min_queue_index)?;
    for (index, entry) in (index..).zip(&queue.queue_data) {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
        writeln!(
            out,
            "idx: {index}\nConsumeQueueData{{physicOffset={}, physicSize={}, tagsCode={}, extendDataJson='{}', \
             bitMap='{}', eval={}, msg='{}'}}\n{RULE}",
            entry.physic_offset,
            entry.physic_size,
            entry.tags_code,
            text(&entry.extend_data_json),
            text(&entry.bit_map),
            entry.eval,
            text(&entry.msg),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use boostermq_remoting::body::ConsumeQueueData;

    use super::*;
    use crate::tests::{golden, printed};

    #[test]
    fn prints_as_upstream() {
        let entry = |physic_offset, physic_size, tags_code| ConsumeQueueData {
            physic_offset,
            physic_size,
            tags_code,
            ..ConsumeQueueData::default()
        };
        let queue = QueryConsumeQueueResponseBody {
            max_queue_index: 80,
            queue_data: vec![
                entry(2_262_028_786, 264, 2_598_919),
                entry(2_262_032_981, 290, 97_536),
                entry(2_286_777_175, 267, 2_598_919),
                entry(2_286_778_243, 267, 2_598_919),
                entry(2_286_781_731, 268, 2_598_919),
            ],
            ..QueryConsumeQueueResponseBody::default()
        };
        assert_eq!(printed(|out| print(out, 0, &queue)), golden("queryCq"));
    }
}
