//! Commands about light topics, which only brokers of RocketMQ 5.5.0 and later serve. They really ask.

mod bodies;
mod get_broker_lite_info;
mod get_lite_client_info;
mod get_lite_group_info;
mod get_lite_topic_info;
mod get_parent_topic_info;
mod trigger_lite_dispatch;

pub use get_broker_lite_info::GetBrokerLiteInfo;
pub use get_lite_client_info::GetLiteClientInfo;
pub use get_lite_group_info::GetLiteGroupInfo;
pub use get_lite_topic_info::GetLiteTopicInfo;
pub use get_parent_topic_info::GetParentTopicInfo;
pub use trigger_lite_dispatch::TriggerLiteDispatch;

use boostermq_remoting::command::OwnedFields;
use boostermq_remoting::request::RequestKind;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::admin;
use crate::command::Session;

/// Asks every broker of a topic, and gives what those answered that did, with their names.
async fn ask_brokers<R: RequestKind, B: DeserializeOwned>(
    session: &mut Session<'_>,
    topic: &str,
    fields: &OwnedFields,
) -> anyhow::Result<Vec<(String, B)>> {
    let route = session.admin.route(topic).await?;
    let brokers: Vec<(&str, String)> = route
        .broker_datas
        .iter()
        .filter_map(|broker| Some((broker.broker_name.as_str(), admin::any_address(broker)?.to_owned())))
        .collect();
    let addresses: Vec<String> = brokers.iter().map(|(_, address)| address.clone()).collect();
    let answers = session
        .ask_all(&addresses, async |admin, address| {
            let answer = admin.call_fields::<R>(address, fields.clone(), Bytes::new()).await?;
            admin::read_body(address, &answer)
        })
        .await;
    let named = answers.into_iter().filter_map(|(address, body)| {
        let (name, _) = brokers.iter().find(|(_, known)| *known == address)?;
        Some(((*name).to_owned(), body))
    });
    Ok(named.collect())
}
