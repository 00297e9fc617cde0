//! The broker's settings, shown and changed.
//!
//! Upstream: `AdminBrokerProcessor`, `Configuration` (facts/protocol-admin.md 5). Only keys that may change while the
//! broker runs are changed; addresses and paths never are (facts/reliability.md 3).

use std::sync::Arc;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::config::Outcome;
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::broker_config::{GetBrokerConfig, UpdateBrokerConfig};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};
use boostermq_store::StoreOptions;

use crate::broker::Broker;
use crate::response_error;

pub(crate) fn get_broker_config(broker: &Arc<Broker>, _: Request<GetBrokerConfig>) -> Handled {
    let settings = broker.settings.snapshot();
    let version = broker.settings_version.lock().to_owned();
    let version = serde_json::to_string(&version).unwrap_or_default();
    Ok(Response::success().field("version", version).body(settings.to_properties().to_wire_text()))
}

pub(crate) fn update_broker_config(broker: &Arc<Broker>, request: Request<UpdateBrokerConfig>) -> Handled {
    let wanted = Properties::parse("", &request.body)
        .map_err(|error| ResponseError::system(format!("the properties cannot be read: {error}")))?;
    let _one_at_a_time = broker.changing_settings.lock();
    let mut settings = (*broker.settings.snapshot()).clone();
    let black_list = settings.broker.config_black_list.clone();
    let permission = settings.broker.broker_permission;
    for (key, value) in wanted.iter() {
        if black_list.split(';').any(|barred| barred.trim() == key) {
            return Err(response_error::no_permission(format!("Can not update config in black list: {key}")));
        }
        match settings.update(key, value).map_err(|error| ResponseError::system(error.to_string()))? {
            Outcome::Applied => {}
            Outcome::UnknownKey => {
                return Err(ResponseError::system(format!("{key} is not a known key; see CONFIG.md")));
            }
            // Nothing is half done: a key that cannot change now refuses the whole request.
            Outcome::AfterRestart => {
                return Err(response_error::no_permission(format!(
                    "{key} takes effect at the next start only: change it in the configuration file"
                )));
            }
            Outcome::NoEffect(why) => {
                return Err(ResponseError::new(
                    ResponseCode::NO_PERMISSION,
                    format!("{key} does nothing in this broker: {why}"),
                ));
            }
        }
    }
    tracing::info!(peer = %request.peer(), keys = ?wanted.iter().map(|(key, _)| key).collect::<Vec<_>>(), "settings changed");
    let is_permission_new = settings.broker.broker_permission != permission;
    broker.store.set_retention(&StoreOptions::from(&settings.store));
    broker.settings.replace(settings);
    if is_permission_new {
        // Name servers take the topics' permissions anew only with a new version.
        broker.topics.renew_version().map_err(|error| ResponseError::system(error.to_string()))?;
    }
    let mut version = broker.settings_version.lock();
    *version = version.next(0, broker.clock.now_ms());
    Ok(Response::success())
}

#[cfg(test)]
mod tests;
