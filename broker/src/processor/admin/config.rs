//! The broker's settings, shown and changed.
//!
//! A change is carried out whole or not at all. What may change by request follows from the declaration of each key
//! ([`boostermq_remoting::config::Change`]); what did is written to the file of the start, so that it holds after the next one,
//! too. A file that cannot be written, or was not given, is no reason to keep an operator from a change that holds at once; the
//! answer says so then. Upstream: `AdminBrokerProcessor`, `Configuration` (RocketMQ 5.5.0).

use std::io;
use std::path::Path;
use std::sync::Arc;

use boostermq_remoting::config::{Change, Machine, write_back};
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::broker_config::{GetBrokerConfig, UpdateBrokerConfig};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::StoreOptions;

use crate::broker::Broker;
use crate::config::Settings;

/// Keys that no request may change, whatever `configBlackList` says and whatever their type is.
const NEVER: [&str; 4] = ["brokerConfigPath", "brokerId", "configBlackList", "rocketmqHome"];

/// 26: every setting; secrets as stars.
pub(crate) fn get_broker_config(broker: &Arc<Broker>, _: Request<GetBrokerConfig>) -> Handled {
    let settings = broker.settings.snapshot();
    let version = broker.settings_version.lock().to_owned();
    let version = serde_json::to_string(&version).unwrap_or_default();
    Ok(Response::success().field("version", version).body(settings.to_properties().to_wire_text()))
}

/// 25: changes settings.
pub(crate) fn update_broker_config(broker: &Arc<Broker>, request: Request<UpdateBrokerConfig>) -> Handled {
    let peer = request.peer();
    let wanted = Properties::parse("", &request.body)
        .map_err(|error| ResponseError::system(format!("the properties cannot be read: {error}")))?;
    let _one_at_a_time = broker.changing_settings.lock();
    let mut settings = (*broker.settings.snapshot()).clone();
    let black_list = settings.broker.config_black_list.clone();
    let permission = settings.broker.broker_permission;
    let update = |key: &str, value: &str| settings.update(key, value);
    let change = Change::collect(&wanted, &NEVER, &black_list, &Settings::rows(), update).map_err(|refusal| {
        tracing::warn!(%peer, %refusal, "a change of settings was refused");
        refusal
    })?;
    if change.is_empty() {
        return Ok(Response::success());
    }
    let unkept = keep(&settings, &change).err().map(|error| error.to_string());
    if let Some(error) = unkept.as_ref().filter(|_| !change.later.is_empty()) {
        return Err(ResponseError::system(format!("{error}; nothing was changed")));
    }
    for (key, value) in change.to_keep() {
        tracing::info!(%peer, key, value, "a setting was changed by request");
    }
    let is_permission_new = settings.broker.broker_permission != permission;
    broker.store.set_retention(&StoreOptions::from(&settings.store));
    broker.settings.replace(settings);
    if is_permission_new {
        // Name servers take the topics' permissions anew only with a new version.
        broker.topics.renew_version().map_err(|error| ResponseError::system(error.to_string()))?;
    }
    {
        let mut version = broker.settings_version.lock();
        *version = version.next(0, broker.clock.now_ms());
    }
    let mut response = Response::success();
    if let Some(error) = &unkept {
        tracing::warn!(%peer, error, "settings were changed until the next start only");
    }
    response.remark = change.remark(unkept.as_deref()).map(Into::into);
    Ok(response)
}

/// Writes what changes into the file of the start, unless the next start would refuse that.
fn keep(settings: &Settings, change: &Change) -> io::Result<()> {
    let file = settings.given.source();
    if file.is_empty() {
        return Err(io::Error::other("the broker was started without a configuration file (-c)"));
    }
    write_back(Path::new(file), &change.to_keep(), |text| {
        let given = Properties::parse(file, text).map_err(io::Error::other)?;
        Settings::read(given, &Machine::this()).map(|_| ()).map_err(io::Error::other)
    })
    .map_err(|error| io::Error::other(format!("the settings cannot be written to {file}: {error}")))
}

#[cfg(test)]
mod tests;
