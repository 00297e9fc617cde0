//! Brokers come, are heard, and go.

use std::sync::Arc;
use std::time::Duration;

use boostermq_remoting::body::{
    DataVersion, KvTable, RegisterBrokerBody, TopicConfig, TopicConfigAndMappingSerializeWrapper,
    TopicConfigSerializeWrapper,
};
use boostermq_remoting::code::version;
use boostermq_remoting::fastjson;
use boostermq_remoting::message::record::body_crc;
use boostermq_remoting::names::BrokerName;
use boostermq_remoting::request::cluster::{
    BrokerHeartbeat, QueryDataVersion, QueryDataVersionResponseHeader, RegisterBroker, RegisterBrokerResponseHeader,
    UnregisterBroker,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::kv_config::ORDER_TOPIC_CONFIG;
use crate::processor::ZONE_NAME;
use crate::route_table::{Place, Queues, Registered, Registration};
use crate::{NameServer, now};

/// First byte of a zlib stream, and of no JSON text. A broker of 5.5.0 with `compressedRegister` sends such a body and
/// says that it is not compressed; upstream's name server refuses it.
const ZLIB: u8 = 0x78;

/// 103: enters a broker with its topics, or refreshes it.
pub(crate) fn register(server: &Arc<NameServer>, request: Request<RegisterBroker>) -> Handled {
    let (peer, name, id) = (request.peer(), request.header.broker_name.clone(), request.header.broker_id);
    let address = request.header.broker_addr.clone();
    enter(server, request).inspect_err(|error| {
        tracing::warn!(%peer, broker = %name, %id, address, %error, "a registration was refused");
    })
}

fn enter(server: &Arc<NameServer>, request: Request<RegisterBroker>) -> Handled {
    let header = &request.header;
    let crc = header.body_crc32.unwrap_or(0);
    if crc != 0 && u32::try_from(crc) != Ok(body_crc(&request.body)) {
        return Err(ResponseError::system("crc32 not match"));
    }
    let compressed = header.compressed.unwrap_or(false) || request.body.first() == Some(&ZLIB);
    let body = decode(&request.body, compressed, request.version)?;
    let wrapper = body.topic_config_serialize_wrapper;
    let config = server.config.snapshot();
    let new = Registration {
        place: Place { cluster: header.cluster_name.clone(), address: header.broker_addr.as_str().into() },
        name: header.broker_name.clone(),
        id: header.broker_id,
        ha_address: header.ha_server_addr.clone().unwrap_or_default(),
        acting_master: header.enable_acting_master,
        zone: request.field(ZONE_NAME).filter(|zone| !zone.is_empty()).map(str::to_owned),
        timeout: header
            .heartbeat_timeout_millis
            .and_then(|millis| u64::try_from(millis).ok())
            .filter(|millis| *millis > 0)
            .map(Duration::from_millis),
        version: wrapper.data_version,
        topics: wrapper.topic_config_table.into_iter().map(queues_of).collect(),
        mappings: wrapper
            .topic_queue_mapping_info_map
            .into_iter()
            .map(|(topic, mapping)| {
                let name = mapping.get("bname").and_then(|name| name.as_str()).unwrap_or(header.broker_name.as_str());
                (topic, BrokerName::from(name), mapping)
            })
            .collect(),
        filter_servers: body.filter_server_list,
        connection: request.connection.clone(),
    };
    let registered = server.routes.write().register(new, config.delete_topic_with_broker_registration, now());
    if !request.connection.is_open() {
        // It closed meanwhile, and may have been taken out of the table before this entry was in it.
        server.forget_connection(&request.connection);
    }
    let mut answer = RegisterBrokerResponseHeader { ha_server_addr: None, master_addr: None };
    match registered {
        Registered::Accepted { master, lowest } => {
            server.tell(lowest);
            if let Some((address, ha_address)) = master {
                answer.master_addr = Some(address.to_string());
                answer.ha_server_addr = Some(ha_address);
            }
        }
        Registered::Outdated => {}
        Registered::Premature => return Err(ResponseError::system("register broker failed")),
        Registered::Full(what) => {
            return Err(ResponseError::system(format!("register broker failed: too many {what} in this name server")));
        }
    }
    let response = Response::success().header(&answer);
    match server.kv.namespace(ORDER_TOPIC_CONFIG).filter(|_| config.return_order_topic_config_to_broker) {
        Some(table) => response.json(&KvTable { table }),
        None => Ok(response),
    }
}

/// What a registration's body says; no list of filter servers when it may not carry one.
struct Body {
    topic_config_serialize_wrapper: TopicConfigAndMappingSerializeWrapper,
    filter_server_list: Option<Vec<String>>,
}

fn decode(body: &[u8], compressed: bool, sender: i32) -> Result<Body, ResponseError> {
    if sender < version::V3_0_11 {
        let wrapper: TopicConfigSerializeWrapper = if body.is_empty() {
            TopicConfigSerializeWrapper::default()
        } else {
            fastjson::from_slice(body)
                .map_err(|error| ResponseError::system(format!("the registration's body cannot be read: {error}")))?
        };
        let topic_config_serialize_wrapper = TopicConfigAndMappingSerializeWrapper {
            data_version: wrapper.data_version,
            topic_config_table: wrapper.topic_config_table,
            ..TopicConfigAndMappingSerializeWrapper::default()
        };
        return Ok(Body { topic_config_serialize_wrapper, filter_server_list: None });
    }
    let body = if body.is_empty() {
        RegisterBrokerBody::default()
    } else {
        RegisterBrokerBody::decode(body, compressed, sender)
            .map_err(|error| ResponseError::system(error.to_string()))?
    };
    Ok(Body {
        topic_config_serialize_wrapper: body.topic_config_serialize_wrapper,
        filter_server_list: Some(body.filter_server_list),
    })
}

/// A topic's own name counts; the key of the table stands in for one that is missing.
fn queues_of((key, topic): (String, TopicConfig)) -> (String, Queues) {
    let queues = Queues {
        read: topic.read_queue_nums,
        write: topic.write_queue_nums,
        perm: topic.perm,
        topic_sys_flag: topic.topic_sys_flag,
    };
    (if topic.topic_name.is_empty() { key } else { topic.topic_name }, queues)
}

/// 104: takes a broker's address out. Upstream only queues this; here it is done when it is answered.
pub(crate) fn unregister(server: &Arc<NameServer>, request: Request<UnregisterBroker>) -> Handled {
    let header = request.header;
    let place = Place { cluster: header.cluster_name, address: header.broker_addr.into() };
    let lowest = server.routes.write().unregister(&place, &header.broker_name);
    server.tell(lowest);
    Ok(Response::success())
}

/// 904: a broker is alive.
pub(crate) fn heartbeat(server: &Arc<NameServer>, request: Request<BrokerHeartbeat>) -> Handled {
    let place = Place { cluster: request.header.cluster_name, address: request.header.broker_addr.into() };
    server.routes.write().heard(&place, now());
    Ok(Response::success())
}

/// 322: whether a broker has to register anew; it is alive, at any rate.
pub(crate) fn query_data_version(server: &Arc<NameServer>, request: Request<QueryDataVersion>) -> Handled {
    let theirs: DataVersion = fastjson::from_slice(&request.body)
        .map_err(|error| ResponseError::system(format!("the data version cannot be read: {error}")))?;
    let place = Place { cluster: request.header.cluster_name, address: request.header.broker_addr.into() };
    let ours = {
        let mut routes = server.routes.write();
        routes.heard(&place, now());
        routes.version(&place).copied()
    };
    let response = Response::success().header(&QueryDataVersionResponseHeader { changed: ours != Some(theirs) });
    match ours {
        Some(ours) => response.json(&ours),
        None => Ok(response),
    }
}
