//! Where topics and brokers are.
//!
//! Bodies are strict JSON without blanks for every caller, which all official clients read: the Go client takes
//! `brokerAddrs` apart by hand (RocketMQ 5.5.0).

use std::collections::BTreeMap;
use std::sync::Arc;

use boostermq_remoting::body::{
    BrokerData, BrokerMemberGroup, ClusterInfo, GetBrokerMemberGroupResponseBody, QueueData, TopicRouteData,
};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::names::{BrokerId, BrokerName};
use boostermq_remoting::request::cluster::{GetBrokerClusterInfo, GetBrokerMemberGroup};
use boostermq_remoting::request::route::GetRouteinfoByTopic;
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::NameServer;
use crate::kv_config::ORDER_TOPIC_CONFIG;
use crate::processor::ZONE_NAME;
use crate::route_table::{Broker, Route, RouteOptions};

/// True when a caller wants only brokers of its own zone.
const ZONE_MODE: &str = "__ZONE_MODE";

/// 105: the route of a topic.
pub(crate) fn route_of_topic(server: &Arc<NameServer>, request: Request<GetRouteinfoByTopic>) -> Handled {
    let config = server.config.read();
    if config.need_wait_for_service && server.uptime() < config.wait_seconds_for_service.duration() {
        return Err(ResponseError::system("name server not ready"));
    }
    let topic = request.header.topic.as_str();
    let zone_mode = request.field(ZONE_MODE).is_some_and(|mode| mode.eq_ignore_ascii_case("true"));
    let zone = request.field(ZONE_NAME).filter(|zone| zone_mode && !zone.trim().is_empty());
    let options = RouteOptions { acting_master: config.support_acting_master, zone };
    let Some(route) = server.routes.read().route(topic, options) else {
        return Err(ResponseError::new(
            ResponseCode::TOPIC_NOT_EXIST,
            format!(
                "No topic route info in name server for the topic: {topic}\n\
                 See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
            ),
        ));
    };
    let order = if config.order_message_enable { server.kv.value(ORDER_TOPIC_CONFIG, topic) } else { None };
    Response::success().json(&body_of(route, order))
}

fn body_of(route: Route, order_topic_conf: Option<String>) -> TopicRouteData {
    let mappings = route.mappings.into_iter().map(|(name, mapping)| (name.as_str().to_owned(), mapping));
    let mappings: serde_json::Map<_, _> = mappings.collect();
    TopicRouteData {
        broker_datas: route.brokers.iter().map(|(name, broker)| broker_data(name, broker)).collect(),
        filter_server_table: route
            .filter_servers
            .into_iter()
            .map(|(address, servers)| (address.to_string(), servers))
            .collect(),
        order_topic_conf: order_topic_conf.map(|order| order.trim_end_matches(';').to_owned()),
        queue_datas: route
            .queues
            .into_iter()
            .map(|(name, queues)| QueueData {
                broker_name: name.as_str().to_owned(),
                perm: queues.perm,
                read_queue_nums: queues.read,
                topic_sys_flag: queues.topic_sys_flag,
                write_queue_nums: queues.write,
            })
            .collect(),
        topic_queue_mapping_by_broker: (!mappings.is_empty()).then_some(mappings.into()),
    }
}

fn broker_data(name: &BrokerName, broker: &Broker) -> BrokerData {
    BrokerData {
        broker_addrs: texts(&broker.addresses),
        broker_name: name.as_str().to_owned(),
        cluster: broker.cluster.as_str().to_owned(),
        enable_acting_master: broker.acting_master,
        zone_name: broker.zone.clone(),
    }
}

fn texts(addresses: &BTreeMap<BrokerId, Arc<str>>) -> BTreeMap<BrokerId, String> {
    addresses.iter().map(|(id, address)| (*id, address.to_string())).collect()
}

/// 106: all clusters and brokers.
pub(crate) fn cluster_info(server: &Arc<NameServer>, _: Request<GetBrokerClusterInfo>) -> Handled {
    let body = {
        let routes = server.routes.read();
        let brokers = routes.brokers().iter();
        let clusters = routes.clusters().iter();
        ClusterInfo {
            broker_addr_table: brokers
                .map(|(name, broker)| (name.as_str().to_owned(), broker_data(name, broker)))
                .collect(),
            cluster_addr_table: clusters
                .map(|(cluster, names)| {
                    (cluster.as_str().to_owned(), names.iter().map(|name| name.as_str().to_owned()).collect())
                })
                .collect(),
        }
    };
    Response::success().json(&body)
}

/// 901: the brokers of one name; none for an unknown name.
pub(crate) fn member_group(server: &Arc<NameServer>, request: Request<GetBrokerMemberGroup>) -> Handled {
    let header = request.header;
    let broker_addrs = texts(&server.routes.read().members(&header.broker_name));
    let broker_member_group = BrokerMemberGroup {
        broker_addrs,
        broker_name: header.broker_name.as_str().to_owned(),
        cluster: header.cluster_name.as_str().to_owned(),
    };
    Response::success().json(&GetBrokerMemberGroupResponseBody { broker_member_group })
}
