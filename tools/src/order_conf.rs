//! Which queues an ordered topic has on which broker, kept by name servers: `broker-a:4;broker-b:4`.

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::request::kv::{
    GetKvConfig, GetKvConfigRequestHeader, GetKvConfigResponseHeader, PutKvConfig, PutKvConfigRequestHeader,
};

use crate::admin::{self, Admin, AdminError};

/// Namespace of these settings. Upstream: `NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG`.
pub const NAMESPACE: &str = "ORDER_TOPIC_CONFIG";

/// Sets the whole setting of a topic on every name server.
///
/// # Errors
/// As [`Admin::tell_name_servers`].
pub async fn set(admin: &Admin, topic: &str, setting: &str) -> Result<(), AdminError> {
    let header = PutKvConfigRequestHeader {
        namespace: Some(NAMESPACE.to_owned()),
        key: Some(topic.to_owned()),
        value: Some(setting.to_owned()),
    };
    admin.tell_name_servers::<PutKvConfig>(&header).await
}

/// The setting of a topic; `None` when it has none.
///
/// # Errors
/// As [`Admin::name_server_call`].
pub async fn get(admin: &Admin, topic: &str) -> Result<Option<String>, AdminError> {
    let header = GetKvConfigRequestHeader { namespace: NAMESPACE.to_owned(), key: topic.to_owned() };
    match admin.name_server_call::<GetKvConfig>(&header).await {
        Ok((address, answer)) => Ok(admin::read_header::<GetKvConfigResponseHeader>(address, &answer)?.value),
        Err(error) if error.is(ResponseCode::QUERY_NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets what one broker has of a topic, `broker-a:4`, and leaves the others as they are.
///
/// # Errors
/// As [`get`] and [`set`].
pub async fn set_broker(admin: &Admin, topic: &str, broker_setting: &str) -> Result<(), AdminError> {
    let old = get(admin, topic).await?.unwrap_or_default();
    set(admin, topic, &merge(&old, broker_setting)).await
}

fn merge(old: &str, broker_setting: &str) -> String {
    let name = |piece: &str| piece.split(':').next().unwrap_or_default().to_owned();
    let others = old.split(';').filter(|piece| !piece.is_empty() && name(piece) != name(broker_setting));
    others.chain([broker_setting]).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::merge;

    #[test]
    fn one_broker_is_replaced() {
        for (old, merged) in [("", "b:8"), ("b:4", "b:8"), ("a:4;b:4", "a:4;b:8"), ("b:4;c:4;", "c:4;b:8")] {
            assert_eq!(merge(old, "b:8"), merged, "{old}");
        }
    }
}
