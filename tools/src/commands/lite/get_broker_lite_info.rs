//! `getBrokerLiteInfo`: how the light topics of brokers do.

use boostermq_remoting::fastjson;
use boostermq_remoting::request::lite;
use bytes::Bytes;

use super::bodies::OfBroker;
use crate::admin;
use crate::command::{Session, commands};
use crate::options::{Arguments, CommandOption};
use crate::targets::{self, Members};

const OPTIONS: &[CommandOption] = &[
    CommandOption::one_of("b", "brokerAddr", "Broker address"),
    CommandOption::one_of("c", "cluster", "Cluster name"),
    CommandOption::flag("d", "showDetail", "Show topic and group detail info"),
];

commands! {
    /// Shows light topics of brokers.
    GetBrokerLiteInfo = "getBrokerLiteInfo", "Get broker lite info.", OPTIONS, show;
}

async fn show(arguments: &Arguments, session: &mut Session<'_>) -> anyhow::Result<()> {
    let Some(brokers) = targets::brokers(arguments, session, Members::Masters).await? else { return Ok(()) };
    let answers = session
        .ask_all(&brokers, async |admin, address| {
            let answer = admin.call_fields::<lite::GetBrokerLiteInfo>(address, Vec::new(), Bytes::new()).await?;
            admin::read_body::<OfBroker>(address, &answer)
        })
        .await;
    write_line(
        session,
        [
            "#Broker",
            "#Store Type",
            "#Max LMQ",
            "#Current LMQ",
            "#SubscriptionCount",
            "#OrderInfoCount",
            "#CQTableSize",
            "#OffsetTableSize",
            "#eventMapSize",
        ],
    )?;
    for (address, of_broker) in answers {
        let numbers = [
            of_broker.max_lmq_num,
            of_broker.current_lmq_num,
            of_broker.lite_subscription_count,
            of_broker.order_info_count,
            of_broker.cq_table_size,
            of_broker.offset_table_size,
            of_broker.event_map_size,
        ];
        let [most, now, subscriptions, orders, queues, offsets, events] = &numbers.map(|number| number.to_string());
        let kind = of_broker.store_type.as_deref().unwrap_or("null");
        write_line(session, [&address, kind, most, now, subscriptions, orders, queues, offsets, events])?;
        if arguments.has("d") {
            let json = |text: Vec<u8>| String::from_utf8_lossy(&text).into_owned();
            writeln!(session.out, "Topic Meta: {}", json(fastjson::to_vec(&of_broker.topic_meta)))?;
            writeln!(session.out, "Group Meta: {}\n", json(fastjson::to_vec(&of_broker.group_meta)))?;
        }
    }
    Ok(())
}

fn write_line(session: &mut Session<'_>, cells: [&str; 9]) -> anyhow::Result<()> {
    let [broker, kind, most, now, subscriptions, orders, queues, offsets, events] = cells;
    Ok(writeln!(
        session.out,
        "{broker:<30} {kind:<17} {most:<10} {now:<14} {subscriptions:<20} {orders:<17} {queues:<15} {offsets:<18} \
         {events:<15}"
    )?)
}
