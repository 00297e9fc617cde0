//! `updateTopic`: makes or changes a topic on one broker, or on all masters of a cluster.

use std::fmt::Write as _;

use anyhow::{anyhow, bail};
use boostermq_remoting::body::TopicConfig;
use boostermq_remoting::message::tags::java_string_hash;
use boostermq_remoting::names::Topic;
use boostermq_remoting::request::topic::{CreateTopicRequestHeader, UpdateAndCreateTopic};
use bytes::Bytes;

use crate::admin::{Admin, UNKNOWN_CLUSTER};
use crate::command::{Running, Session, SubCommand};
use crate::options::{Arguments, CommandOption};
use crate::order_conf;
use crate::print::{self, DEFAULT_BUCKETS};

/// Queues of a topic when nothing else is said.
const DEFAULT_QUEUES: i32 = 8;
/// Template that upstream names in every request of this kind.
const DEFAULT_TOPIC: &str = "TBW102";

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "create topic to which broker"),
    CommandOption::one_of("c", "clusterName", "create topic to which cluster"),
    CommandOption::optional("a", "attributes", "attribute(+a=b,+c=d,-e)"),
    CommandOption::required("t", "topic", "topic name"),
    CommandOption::optional("r", "readQueueNums", "set read queue nums"),
    CommandOption::optional("w", "writeQueueNums", "set write queue nums"),
    CommandOption::optional("p", "perm", "set topic's permission(2|4|6), intro[2:W 4:R; 6:RW]"),
    CommandOption::optional("o", "order", "set topic's order(true|false)"),
    CommandOption::optional("u", "unit", "is unit topic (true|false)"),
    CommandOption::optional("s", "hasUnitSub", "has unit sub (true|false)"),
];

/// Makes or changes a topic.
pub struct UpdateTopic;

impl SubCommand for UpdateTopic {
    fn name(&self) -> &'static str {
        "updateTopic"
    }

    fn description(&self) -> &'static str {
        "Update or create topic."
    }

    fn options(&self) -> &'static [CommandOption] {
        OPTIONS
    }

    fn execute<'a>(&'a self, arguments: &'a Arguments, session: &'a mut Session<'_>) -> Running<'a> {
        Box::pin(update(arguments, session))
    }
}

/// Changes of attributes, `+name=value` and `-name`, in the order they were given: name with its sign, and value.
pub(super) type Changes = Vec<(String, String)>;

async fn update(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let topic = topic(arguments)?;
    let changes = changes(arguments.text("a").unwrap_or_default())?;
    let header = header(&topic, &changes)?;
    if let Some(address) = arguments.text("b") {
        session.admin.call::<UpdateAndCreateTopic>(address, &header, Bytes::new()).await?;
        if topic.order {
            let setting = format!("{}:{}", broker_name(&session.admin, address).await?, topic.write_queue_nums);
            order_conf::set_broker(&session.admin, &topic.topic_name, &setting).await?;
            writeln!(session.out, "set broker orderConf. isOrder=true, orderConf=[{setting}]")?;
        }
        writeln!(session.out, "create topic to {address} success.")?;
    } else {
        let cluster = arguments.required("c")?;
        let Some(masters) = session.admin.masters(cluster).await? else {
            session.fail();
            return Ok(writeln!(session.out, "{UNKNOWN_CLUSTER}")?);
        };
        for address in &masters {
            session.admin.call::<UpdateAndCreateTopic>(address, &header, Bytes::new()).await?;
            writeln!(session.out, "create topic to {address} success.")?;
        }
        if topic.order {
            let setting = cluster_setting(&session.admin, cluster, topic.write_queue_nums).await?;
            order_conf::set(&session.admin, &topic.topic_name, &setting).await?;
            writeln!(session.out, "set cluster orderConf. isOrder=true, orderConf=[{setting}]")?;
        }
    }
    Ok(writeln!(session.out, "{}", topic_text(&topic, changes))?)
}

fn topic(arguments: &Arguments) -> anyhow::Result<TopicConfig> {
    let name = arguments.required("t")?;
    Topic::check(name)?;
    let mut topic = TopicConfig::new(name, DEFAULT_QUEUES, TopicConfig::PERM_READ | TopicConfig::PERM_WRITE);
    topic.read_queue_nums = arguments.number("r")?.unwrap_or(DEFAULT_QUEUES);
    topic.write_queue_nums = arguments.number("w")?.unwrap_or(DEFAULT_QUEUES);
    topic.perm = arguments.number("p")?.unwrap_or(topic.perm);
    topic.order = arguments.truth("o");
    let flags = [("u", TopicConfig::SYS_FLAG_UNIT), ("s", TopicConfig::SYS_FLAG_UNIT_SUB)];
    topic.topic_sys_flag = flags.iter().filter(|(key, _)| arguments.truth(key)).map(|(_, bit)| bit).sum();
    Ok(topic)
}

fn changes(text: &str) -> anyhow::Result<Changes> {
    let mut changes = Changes::new();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let (name, value) = match piece.split_once('=') {
            Some((name, value)) if name.contains('+') && !value.is_empty() => (name, value),
            Some((name, _)) => bail!("add/alter attribute format is wrong: {name}; write +name=value"),
            None if piece.contains('-') => (piece, ""),
            None => bail!("delete attribute format is wrong: {piece}; write -name"),
        };
        if changes.iter().any(|(known, _)| known == name) {
            bail!("key duplication: {name}; name each attribute once");
        }
        changes.push((name.to_owned(), value.to_owned()));
    }
    print::hash_order(&mut changes, DEFAULT_BUCKETS, |(name, _)| java_string_hash(name));
    Ok(changes)
}

pub(super) fn header(topic: &TopicConfig, changes: &Changes) -> anyhow::Result<CreateTopicRequestHeader> {
    let mut attributes = String::new();
    for (name, value) in changes {
        let separator = if attributes.is_empty() { "" } else { "," };
        let equals = if value.is_empty() { "" } else { "=" };
        write!(attributes, "{separator}{name}{equals}{value}")?;
    }
    Ok(CreateTopicRequestHeader {
        topic: Topic::parse(&topic.topic_name)?,
        default_topic: Some(DEFAULT_TOPIC.to_owned()),
        read_queue_nums: topic.read_queue_nums,
        write_queue_nums: topic.write_queue_nums,
        perm: topic.perm,
        topic_filter_type: Some(topic.topic_filter_type.name().to_owned()),
        topic_sys_flag: Some(topic.topic_sys_flag),
        order: Some(topic.order),
        attributes: Some(attributes),
        force: Some(false),
    })
}

async fn broker_name(admin: &Admin, address: &str) -> anyhow::Result<String> {
    let info = admin.cluster_info().await?;
    let mut brokers = info.broker_addr_table.into_iter();
    let found = brokers.find(|(_, broker)| broker.broker_addrs.values().any(|known| known == address));
    found.map(|(name, _)| name).ok_or_else(|| anyhow!("no broker at {address} is registered: see clusterList"))
}

async fn cluster_setting(admin: &Admin, cluster: &str, queues: i32) -> anyhow::Result<String> {
    let mut info = admin.cluster_info().await?;
    let mut names = info.cluster_addr_table.remove(cluster).unwrap_or_default();
    print::string_order(&mut names);
    Ok(names.iter().map(|name| format!("{name}:{queues}")).collect::<Vec<_>>().join(";"))
}

/// The topic as Java prints it.
pub(super) fn topic_text(topic: &TopicConfig, changes: Changes) -> String {
    format!(
        "TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}, topicFilterType={}, \
         topicSysFlag={}, order={}, attributes={}]",
        topic.topic_name,
        topic.read_queue_nums,
        topic.write_queue_nums,
        print::permission(topic.perm),
        topic.topic_filter_type,
        topic.topic_sys_flag,
        topic.order,
        print::map_text(changes),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::parse;
    use crate::tests::golden;

    #[test]
    fn prints_as_upstream() {
        for (name, tokens) in [
            ("updateTopic", vec!["-b", "127.0.0.1:30911", "-t", "GoldAdm", "-r", "4", "-w", "4"]),
            ("updateTopic-c", vec!["-c", "DefaultCluster", "-t", "GoldAdm", "-a", "+message.type=FIFO"]),
        ] {
            let arguments = parse(OPTIONS, &tokens).unwrap();
            let changes = changes(arguments.text("a").unwrap_or_default()).unwrap();
            let text = topic_text(&topic(&arguments).unwrap(), changes);
            assert_eq!(Some(text.as_str()), golden(name).lines().nth(1), "{name}");
        }
    }

    #[test]
    fn attributes() {
        for (text, attributes) in [("", ""), ("+a=b", "+a=b"), ("-a", "-a"), ("+a=b=c,-d", "+a=b=c,-d")] {
            let changes = changes(text).unwrap();
            let header = header(&TopicConfig::new("T", 1, 6), &changes).unwrap();
            assert_eq!(header.attributes.as_deref(), Some(attributes));
        }
        for text in ["a=b", "a", "+a=b,+a=c", "+a=", "a,-b"] {
            assert!(changes(text).is_err(), "{text}");
        }
    }
}
