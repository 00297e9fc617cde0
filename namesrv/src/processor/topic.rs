//! Lists of topics, and changes to single ones.

use std::sync::Arc;

use boostermq_remoting::body::{TopicList, TopicRouteData};
use boostermq_remoting::fastjson;
use boostermq_remoting::names::BrokerName;
use boostermq_remoting::request::cluster::{
    AddWritePermOfBroker, AddWritePermOfBrokerResponseHeader, WipeWritePermOfBroker,
    WipeWritePermOfBrokerResponseHeader,
};
use boostermq_remoting::request::topic::{
    DeleteTopicInNamesrv, GetAllTopicListFromNameserver, GetHasUnitSubTopicList, GetHasUnitSubUnunitTopicList,
    GetSystemTopicListFromNs, GetTopicsByCluster, GetUnitTopicList, RegisterTopicInNamesrv,
};
use boostermq_remoting::router::{Handled, Request, Response, ResponseError};

use crate::NameServer;
use crate::route_table::{Queues, UnitKind};

fn list(topic_list: Vec<String>) -> Handled {
    Response::success().json(&TopicList { broker_addr: None, topic_list })
}

/// Refuses when the setting that allows such lists is off; the word is upstream's.
fn allowed(setting: bool) -> Result<(), ResponseError> {
    if setting { Ok(()) } else { Err(ResponseError::system("disable")) }
}

/// 206: every topic.
pub(crate) fn all(server: &Arc<NameServer>, _: Request<GetAllTopicListFromNameserver>) -> Handled {
    allowed(server.config.read().enable_all_topic_list)?;
    let topics = server.routes.read().topics();
    list(topics)
}

/// 224: the topics of a cluster; none for an unknown one.
pub(crate) fn of_cluster(server: &Arc<NameServer>, request: Request<GetTopicsByCluster>) -> Handled {
    allowed(server.config.read().enable_topic_list)?;
    let topics = server.routes.read().topics_of_cluster(&request.header.cluster);
    list(topics)
}

/// 304: names of clusters and brokers, which are topics too, and an address to ask for the rest.
pub(crate) fn system(server: &Arc<NameServer>, _: Request<GetSystemTopicListFromNs>) -> Handled {
    let (topic_list, address) = server.routes.read().system_topics();
    Response::success().json(&TopicList { broker_addr: address.map(|address| address.to_string()), topic_list })
}

/// 311: topics of units.
pub(crate) fn unit(server: &Arc<NameServer>, _: Request<GetUnitTopicList>) -> Handled {
    of_units(server, UnitKind::Unit)
}

/// 312: topics that units subscribe to.
pub(crate) fn unit_subscribed(server: &Arc<NameServer>, _: Request<GetHasUnitSubTopicList>) -> Handled {
    of_units(server, UnitKind::Subscribed)
}

/// 313: those of them that belong to no unit.
pub(crate) fn unit_subscribed_only(server: &Arc<NameServer>, _: Request<GetHasUnitSubUnunitTopicList>) -> Handled {
    of_units(server, UnitKind::SubscribedOnly)
}

fn of_units(server: &Arc<NameServer>, kind: UnitKind) -> Handled {
    allowed(server.config.read().enable_topic_list)?;
    let topics = server.routes.read().unit_topics(kind);
    list(topics)
}

/// 217: the queues of one topic, without a whole registration.
pub(crate) fn register(server: &Arc<NameServer>, request: Request<RegisterTopicInNamesrv>) -> Handled {
    if request.body.is_empty() {
        return Ok(Response::success());
    }
    let route: TopicRouteData = fastjson::from_slice(&request.body)
        .map_err(|error| ResponseError::system(format!("the topic's queues cannot be read: {error}")))?;
    let queues = route.queue_datas.into_iter().map(|queues| {
        let name = BrokerName::from(queues.broker_name);
        let queues = Queues {
            read: queues.read_queue_nums,
            write: queues.write_queue_nums,
            perm: queues.perm,
            topic_sys_flag: queues.topic_sys_flag,
        };
        (name, queues)
    });
    server.routes.write().register_topic(&request.header.topic, queues.collect());
    Ok(Response::success())
}

/// 216: takes a topic out, from one cluster or from all.
pub(crate) fn delete(server: &Arc<NameServer>, request: Request<DeleteTopicInNamesrv>) -> Handled {
    let header = &request.header;
    tracing::info!(peer = %request.peer(), topic = %header.topic, cluster = ?header.cluster_name, "a topic is deleted");
    server.routes.write().delete_topic(&header.topic, header.cluster_name.as_ref());
    Ok(Response::success())
}

/// 205: takes the right to write from all topics of a broker name.
pub(crate) fn wipe_write_perm(server: &Arc<NameServer>, request: Request<WipeWritePermOfBroker>) -> Handled {
    let name = &request.header.broker_name;
    let count = server.routes.write().wipe_write_perm(name);
    tracing::info!(peer = %request.peer(), broker = %name, count, "the right to write is taken from a broker's topics");
    Ok(Response::success().header(&WipeWritePermOfBrokerResponseHeader { wipe_topic_count: answer(count) }))
}

/// 327: gives it back.
pub(crate) fn add_write_perm(server: &Arc<NameServer>, request: Request<AddWritePermOfBroker>) -> Handled {
    let name = &request.header.broker_name;
    let count = server.routes.write().add_write_perm(name);
    tracing::info!(peer = %request.peer(), broker = %name, count, "the right to write is given to a broker's topics");
    Ok(Response::success().header(&AddWritePermOfBrokerResponseHeader { add_topic_count: answer(count) }))
}

fn answer(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
