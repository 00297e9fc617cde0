//! A name server on a free port, and requests to it.

use std::collections::BTreeMap;
use std::time::Duration;

use boostermq_namesrv::config::NamesrvConfig;
use boostermq_namesrv::{Running, start};
use boostermq_remoting::body::{RegisterBrokerBody, TopicConfig};
use boostermq_remoting::code::RequestCode;
use boostermq_remoting::command::RemotingCommand;
use boostermq_remoting::fastjson;
use boostermq_remoting::net::client::Client;
use boostermq_remoting::request::NoHeader;
use bytes::Bytes;
use serde_json::Value;

pub(crate) const REGISTER_BROKER: i32 = 103;
pub(crate) const UNREGISTER_BROKER: i32 = 104;
pub(crate) const ROUTE: i32 = 105;
/// How long an answer may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(80);

/// A name server, a client connected to it, and a folder for its files.
pub(crate) struct World {
    pub(crate) server: Running,
    pub(crate) client: Client,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(change: impl FnOnce(&mut NamesrvConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = NamesrvConfig::default();
        config.server.bind_address = [127, 0, 0, 1].into();
        config.server.listen_port = 0;
        config.kv_config_path = folder.path().join("kvConfig.json");
        config.config_store_path = folder.path().join("namesrv.conf");
        change(&mut config);
        Self { server: start(config).await.unwrap(), client: Client::new(), folder }
    }

    pub(crate) fn address(&self) -> String {
        self.server.address().to_string()
    }

    pub(crate) async fn send(&self, command: RemotingCommand) -> RemotingCommand {
        self.client.call(&self.address(), command, PATIENCE).await.unwrap()
    }

    /// Asks with fields, and no body.
    pub(crate) async fn ask(&self, code: i32, fields: &[(&'static str, &str)]) -> RemotingCommand {
        self.send(request(code, fields, Bytes::new())).await
    }

    /// The route of a topic as `name:perm` and `name=id@address,...`; `none` when there is none.
    pub(crate) async fn route(&self, topic: &str) -> String {
        let answer = self.ask(ROUTE, &[("topic", topic)]).await;
        if answer.code == 17 {
            return "none".into();
        }
        assert_eq!(answer.code, 0, "{:?}", answer.remark);
        let route = json(&answer.body);
        let queues = route["queueDatas"].as_array().unwrap().iter();
        let queues = queues.map(|queues| format!("{}:{}", queues["brokerName"].as_str().unwrap(), queues["perm"]));
        let brokers = route["brokerDatas"].as_array().unwrap().iter().map(|broker| {
            let addresses: Vec<_> = broker["brokerAddrs"].as_object().unwrap().iter().collect();
            let addresses: Vec<_> =
                addresses.iter().map(|(id, address)| format!("{id}@{}", address.as_str().unwrap())).collect();
            format!("{}={}", broker["brokerName"].as_str().unwrap(), addresses.join(","))
        });
        queues.chain(brokers).collect::<Vec<_>>().join(" ")
    }

    /// Asks for a route until it is `wanted`.
    pub(crate) async fn route_becomes(&self, topic: &str, wanted: &str) {
        let becomes = async {
            while self.route(topic).await != wanted {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, becomes).await;
        assert!(in_time.is_ok(), "the route of {topic} did not become {wanted}");
    }
}

pub(crate) fn request(code: i32, fields: &[(&'static str, &str)], body: Bytes) -> RemotingCommand {
    let mut command = RemotingCommand::request(RequestCode(code), &NoHeader {}, body);
    command.fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).to_owned())).collect();
    command
}

pub(crate) fn json(body: &[u8]) -> Value {
    fastjson::parse(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
}

/// What a broker says of itself.
#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) body: RegisterBrokerBody,
    pub(crate) compress: bool,
}

impl Broker {
    /// A broker of `DefaultCluster` with topics of four queues.
    pub(crate) fn new(name: &str, id: i64, address: &str, topics: &[&str]) -> Self {
        let mut body = RegisterBrokerBody::default();
        let table = &mut body.topic_config_serialize_wrapper;
        table.data_version.counter = 1;
        table.topic_config_table =
            topics.iter().map(|topic| ((*topic).to_owned(), TopicConfig::new(topic, 4, 6))).collect();
        let fields = [
            ("brokerName", name.to_owned()),
            ("brokerAddr", address.to_owned()),
            ("clusterName", "DefaultCluster".to_owned()),
            ("haServerAddr", format!("{address}1")),
            ("brokerId", id.to_string()),
        ];
        Self { fields: fields.into(), body, compress: false }
    }

    pub(crate) fn with(mut self, field: &'static str, value: &str) -> Self {
        self.fields.insert(field, value.to_owned());
        self
    }

    pub(crate) fn register(&self) -> RemotingCommand {
        let body = self.body.encode(self.compress);
        let mut fields = self.fields.clone();
        fields.entry("bodyCrc32").or_insert((crc32fast::hash(&body) & 0x7FFF_FFFF).to_string());
        fields.insert("compressed", self.compress.to_string());
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(REGISTER_BROKER, &fields, body.into())
    }

    /// A request of this broker with the fields by which it is known.
    pub(crate) fn known_by(&self, code: i32, body: Bytes) -> RemotingCommand {
        let fields: Vec<_> = self.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        request(code, &fields, body)
    }
}
