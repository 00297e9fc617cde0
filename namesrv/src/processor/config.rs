//! The name server's own settings, read and changed by request.
//!
//! A request may change only settings that take effect at once, and never a path or the list of what it may not
//! change: the history of upstream shows what else comes of it. What it changes is written to the file of the start,
//! whose former content is kept beside it as `.bak`. Upstream: `Configuration` (facts/protocol-admin.md 5).

use std::io;
use std::sync::Arc;

use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::config::{Config, Outcome};
use boostermq_remoting::properties_file::Properties;
use boostermq_remoting::replace_file::{Former, replace_file, sibling};
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
    let changed = apply(&mut config, &wanted).inspect_err(|error| {
        tracing::warn!(%peer, %error, "a change of settings was refused");
    })?;
    if changed.is_empty() {
        return Ok(Response::success());
    }
    keep(&config, &changed).map_err(|error| {
        tracing::error!(%peer, %error, path = %config.config_store_path.display(), "settings were not written");
        ResponseError::system(format!("the settings cannot be written: {error}; nothing was changed"))
    })?;
    for (key, value) in &changed {
        tracing::info!(%peer, key, value, "a setting was changed");
    }
    server.config.replace(config);
    Ok(Response::success())
}

/// Puts what may change into `config`, and answers the settings that now differ. A key that is unknown, or does
/// nothing here, is passed over: tools of other versions send such, and expect no failure.
fn apply(config: &mut NamesrvConfig, wanted: &Properties) -> Result<Vec<(String, String)>, ResponseError> {
    let blacklist = config.config_black_list.clone();
    let barred = |key: &str| NEVER.contains(&key) || blacklist.split(';').any(|entry| entry.trim() == key);
    if let Some((key, _)) = wanted.iter().find(|(key, _)| barred(key)) {
        return Err(no_permission(format!("Can not update config in black list: {key}")));
    }
    let mut changed = Vec::new();
    for (key, value) in wanted.iter() {
        let before = config.value_text(key);
        match config.update(key, value) {
            Ok(Outcome::Applied) => {
                if let Some(text) = config.value_text(key).filter(|text| Some(text) != before.as_ref()) {
                    changed.push((key.to_owned(), text));
                }
            }
            Ok(Outcome::AfterRestart) if before.as_deref() == Some(value.trim()) => {}
            Ok(Outcome::AfterRestart) => {
                return Err(no_permission(format!("{key} is set at start only: write it to the configuration file")));
            }
            Ok(Outcome::NoEffect(why)) => tracing::info!(key, why, "a setting without effect was passed over"),
            Ok(Outcome::UnknownKey) => tracing::warn!(key, "an unknown setting was passed over"),
            Err(error) => return Err(ResponseError::new(ResponseCode::INVALID_PARAMETER, error.to_string())),
        }
    }
    Ok(changed)
}

fn no_permission(remark: String) -> ResponseError {
    ResponseError::new(ResponseCode::NO_PERMISSION, remark)
}

/// Writes the changed settings into the file of the start; all else in it stays, comments only in the `.bak`.
fn keep(config: &NamesrvConfig, changed: &[(String, String)]) -> io::Result<()> {
    let path = &config.config_store_path;
    let former = match std::fs::read(path) {
        Ok(former) => Some(former),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let source = path.to_string_lossy();
    let mut properties = Properties::parse(&source, former.as_deref().unwrap_or_default())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    for (key, value) in changed {
        properties.insert(key.as_str(), value.as_str());
    }
    if let Some(former) = &former {
        // Copied: a name server that starts in between must find its file.
        replace_file(&sibling(path, ".bak"), former, Former::Dropped)?;
    }
    Ok(replace_file(path, properties.to_file_text().as_bytes(), Former::Dropped)?)
}
