//! `allocateMQ`: which consumer of a list would get which queue of a topic, by upstream's default strategy.

use boostermq_remoting::body::MessageQueue;
use boostermq_remoting::fastjson;

use crate::command::{Session, commands};
use crate::consumer;
use crate::options::{Arguments, CommandOption};
use crate::print;

const OPTIONS: &[CommandOption] =
    &[CommandOption::required("t", "topic", "topic name"), CommandOption::required("i", "ipList", "ipList")];

commands! {
    /// Shows how queues would be shared out.
    AllocateMq = "allocateMQ", "Allocate MQ.", OPTIONS, allocate;
}

async fn allocate(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let consumers: Vec<&str> = arguments.required("i")?.split(',').collect();
    let queues = consumer::queues(&session.admin, arguments.required("t")?).await?;
    let queues = queues.into_iter().map(|queue| MessageQueue {
        broker_name: queue.broker_name,
        queue_id: queue.queue_id.to_wire(),
        topic: queue.topic.as_str().to_owned(),
    });
    Ok(writeln!(session.out, "{}", text(&consumers, &queues.collect::<Vec<_>>()))?)
}

/// JSON in the order of a Java map.
fn text(consumers: &[&str], queues: &[MessageQueue]) -> String {
    let mut names = consumers.to_vec();
    print::string_order(&mut names);
    names.dedup();
    let shares = names.into_iter().map(|name| {
        // Upstream looks for the first place of a name that is there twice.
        let index = consumers.iter().position(|consumer| *consumer == name).unwrap_or_default();
        let share = fastjson::to_vec(&share(index, consumers.len(), queues));
        format!("{}:{}", serde_json::Value::from(name), String::from_utf8_lossy(&share))
    });
    format!("{{\"result\":{{{}}}}}", shares.collect::<Vec<_>>().join(","))
}

/// The queues of the consumer at `index` of `count`: each gets a stretch, the first ones one more.
fn share(index: usize, count: usize, queues: &[MessageQueue]) -> &[MessageQueue] {
    let (least, more) = (queues.len() / count.max(1), queues.len() % count.max(1));
    let begin = index * least + index.min(more);
    let end = begin + least + usize::from(index < more);
    queues.get(begin..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::golden;

    fn queues(ids: &[i32]) -> Vec<MessageQueue> {
        let queue =
            |id: &i32| MessageQueue { broker_name: "broker-a".into(), queue_id: *id, topic: "GoldNormal".into() };
        ids.iter().map(queue).collect()
    }

    #[test]
    fn prints_as_upstream() {
        let text = text(&["10.0.0.1", "10.0.0.2"], &queues(&[1, 0, 3, 2]));
        assert_eq!(format!("{text}\n"), golden("allocateMQ"));
    }

    #[test]
    fn all_queues_are_shared_out() {
        let queues = queues(&[0, 1, 2, 3, 4]);
        for (count, sizes) in [(1, vec![5]), (2, vec![3, 2]), (3, vec![2, 2, 1]), (6, vec![1, 1, 1, 1, 1, 0])] {
            let shares: Vec<usize> = (0..count).map(|index| share(index, count, &queues).len()).collect();
            assert_eq!(shares, sizes, "{count}");
        }
    }
}
