//! The name server's own settings, read and changed by request.
//!
//! A change is carried out whole or not at all. What may change by request follows from the declaration of each key
//! ([`boostermq_remoting::config::Change`]); what did is written to the file of the start, whose former content is kept beside it
//! as `.bak`. A file that cannot be written is no reason to keep an operator from a change that holds at once; the answer says
//! so then. Upstream: `Configuration` (RocketMQ 5.5.0).

use std::io;
use std::sync::Arc;

use boostermq_remoting::config::{Change, Config, Machine, write_back};
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::request::broker_config::{GetNamesrvConfig, UpdateNamesrvConfig};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::NameServer;
use crate::config::NamesrvConfig;

/// Keys no request may change, whatever `configBlackList` says: what decides where files are, and the list itself.
const NEVER: [&str; 4] = ["configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome"];

/// 319: every setting, as properties.
pub(crate) fn text(server: &Arc<NameServer>, _: Request<GetNamesrvConfig>) -> Handled {
    Ok(Response::success().body(server.config.snapshot().to_properties().to_wire_text().into_bytes()))
}

/// 318: changes settings, all of those given or none.
pub(crate) fn update(server: &Arc<NameServer>, request: Request<UpdateNamesrvConfig>) -> Handled {
    let peer = request.peer();
    let wanted =
        Properties::parse("request", &request.body).map_err(|error| ResponseError::system(error.to_string()))?;
    let _one_at_a_time = server.configuring.lock();
    let mut config = NamesrvConfig::clone(&server.config.snapshot());
    let black_list = config.config_black_list.clone();
    let update = |key: &str, value: &str| config.update(key, value);
    let change = Change::collect(&wanted, &NEVER, &black_list, &NamesrvConfig::rows(), update).map_err(|refusal| {
        tracing::warn!(%peer, %refusal, "a change of settings was refused");
        refusal
    })?;
    if change.is_empty() {
        return Ok(Response::success());
    }
    let unkept = keep(&config, &change).err().map(|error| error.to_string());
    if let Some(error) = &unkept {
        tracing::error!(%peer, error, path = %config.config_store_path.display(), "settings were not written");
        if !change.later.is_empty() {
            return Err(ResponseError::system(format!("{error}; nothing was changed")));
        }
    }
    for (key, value) in change.to_keep() {
        tracing::info!(%peer, key, value, "a setting was changed by request");
    }
    server.config.replace(config);
    let mut response = Response::success();
    response.remark = change.remark(unkept.as_deref()).map(Into::into);
    Ok(response)
}

/// Writes what changes into the file of the start, unless the next start would refuse that.
fn keep(config: &NamesrvConfig, change: &Change) -> io::Result<()> {
    let path = &config.config_store_path;
    write_back(path, &change.to_keep(), |text| {
        let given = Properties::parse(&path.to_string_lossy(), text).map_err(io::Error::other)?;
        NamesrvConfig::read(&given, &Machine::this()).map(|_| ()).map_err(io::Error::other)
    })
    .map_err(|error| io::Error::other(format!("the settings cannot be written to {}: {error}", path.display())))
}
