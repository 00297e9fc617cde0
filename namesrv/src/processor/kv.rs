//! Key-value settings.

use std::sync::Arc;

use boostermq_remoting::body::KvTable;
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::request::kv::{
    DeleteKvConfig, GetKvConfig, GetKvConfigResponseHeader, GetKvlistByNamespace, PutKvConfig,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::NameServer;
use crate::kv_config::KvConfigError;

fn failed(error: KvConfigError) -> ResponseError {
    tracing::error!(%error, "a key-value setting was not changed");
    ResponseError::system(error.to_string())
}

/// 100: sets a key.
pub(crate) fn put(server: &Arc<NameServer>, request: Request<PutKvConfig>) -> Handled {
    let header = &request.header;
    let (Some(namespace), Some(key)) = (&header.namespace, &header.key) else {
        return Err(ResponseError::system("namespace or key is null"));
    };
    let value = header.value.as_deref().unwrap_or_default();
    server.kv.put(namespace, key, value).map_err(failed)?;
    tracing::info!(peer = %request.peer(), namespace, key, value, "a key-value setting was put");
    Ok(Response::success())
}

/// 101: the value of a key.
pub(crate) fn value(server: &Arc<NameServer>, request: Request<GetKvConfig>) -> Handled {
    let header = request.header;
    match server.kv.value(&header.namespace, &header.key) {
        Some(value) => Ok(Response::success().header(&GetKvConfigResponseHeader { value: Some(value) })),
        None => Err(ResponseError::new(
            ResponseCode::QUERY_NOT_FOUND,
            format!("No config item, Namespace: {} Key: {}", header.namespace, header.key),
        )),
    }
}

/// 102: takes a key out, or finds it gone.
pub(crate) fn delete(server: &Arc<NameServer>, request: Request<DeleteKvConfig>) -> Handled {
    let header = &request.header;
    server.kv.delete(&header.namespace, &header.key).map_err(failed)?;
    tracing::info!(peer = %request.peer(), header.namespace, header.key, "a key-value setting was deleted");
    Ok(Response::success())
}

/// 219: all keys of a namespace.
pub(crate) fn namespace(server: &Arc<NameServer>, request: Request<GetKvlistByNamespace>) -> Handled {
    let namespace = &request.header.namespace;
    match server.kv.namespace(namespace) {
        Some(table) => Response::success().json(&KvTable { table }),
        None => {
            Err(ResponseError::new(ResponseCode::QUERY_NOT_FOUND, format!("No config item, Namespace: {namespace}")))
        }
    }
}
