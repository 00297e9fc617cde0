//! Tells brokers that the lowest number under their name changed: who acts as master, and whom to copy from.
//!
//! Off the path of every request: a broker that cannot be reached delays only the notices behind it, a little.
//! Upstream: `RouteInfoManager.notifyMinBrokerIdChanged` (RocketMQ 5.5.0).

use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::net::client::Client;
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::cluster::{NotifyMinBrokerIdChange, NotifyMinBrokerIdChangeRequestHeader};
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::route_table::LowestChanged;

/// Notices that may wait; one broker leaving makes one.
pub(crate) const WAITING_MAX: usize = 1024;
/// How long handing over one notice may take.
const TIMEOUT: Duration = Duration::from_millis(300);

/// Sends what arrives until the server stops.
pub(crate) async fn run(client: Client, mut notices: mpsc::Receiver<LowestChanged>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            notice = notices.recv() => match notice {
                Some(notice) => send(&client, notice).await,
                None => return,
            },
            _ = stop.changed() => return,
        }
    }
}

async fn send(client: &Client, notice: LowestChanged) {
    let targets = targets(&notice);
    let Some((lowest, address)) = notice.addresses.into_iter().next() else { return };
    let header = NotifyMinBrokerIdChangeRequestHeader {
        min_broker_id: Some(lowest),
        broker_name: Some(notice.name.as_str().to_owned()),
        min_broker_addr: Some(address.to_string()),
        offline_broker_addr: notice.offline.map(|offline| offline.to_string()),
        ha_broker_addr: notice.ha_address,
    };
    let command = RemotingCommand::request(NotifyMinBrokerIdChange::ROW.code, &header, Bytes::new());
    tracing::info!(broker = %notice.name, %lowest, "the lowest number of a broker name changed");
    for target in targets {
        match tokio::time::timeout(TIMEOUT, client.one_way(&target, command.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "a broker was not told of a new lowest number"),
            Err(_) => tracing::warn!(%target, "a broker was not told of a new lowest number within {TIMEOUT:?}"),
        }
    }
}

/// All members when one left or only one is there; all but the newcomer when one came.
fn targets(notice: &LowestChanged) -> Vec<Arc<str>> {
    let all = notice.offline.is_some() || notice.addresses.len() == 1;
    notice.addresses.values().skip(usize::from(!all)).cloned().collect()
}
