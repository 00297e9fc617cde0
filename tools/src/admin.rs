//! Asks name servers and brokers, typed by the declarations of [`boostermq_remoting::request`].
//!
//! Requests for "the" name server go to the first that answers, in the order they were given; what every name server
//! must know is told to each. Upstream: `DefaultMQAdminExtImpl`, `MQClientAPIImpl`, `CommandUtil`.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use boostermq_remoting::body::{BrokerData, ClusterInfo, TopicRouteData};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::command::{OwnedFields, RemotingCommand};
use boostermq_remoting::fastjson::{self, FastjsonError};
use boostermq_remoting::header::{DecodeHeader, EncodeHeader, FieldError};
use boostermq_remoting::names::BrokerId;
use boostermq_remoting::net::client::{CallError, Client};
use boostermq_remoting::request::cluster::GetBrokerClusterInfo;
use boostermq_remoting::request::route::{GetRouteInfoRequestHeader, GetRouteinfoByTopic};
use boostermq_remoting::request::{NoHeader, RequestKind};
use bytes::Bytes;
use serde::de::DeserializeOwned;

/// How long a server may take to answer (RocketMQ 5.5.0: `timeoutMillis` of the admin client).
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// What upstream prints when nobody knows the cluster.
pub const UNKNOWN_CLUSTER: &str =
    "[error] Make sure the specified clusterName exists or the name server connected to is correct.";
/// Code of a query without a result; no server sends it.
pub const NO_MESSAGE: ResponseCode = ResponseCode::NO_MESSAGE;

/// Why a server could not be asked, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody answered.
    #[error(transparent)]
    Call(#[from] CallError),
    /// None of the name servers answered; the reason is that of the last.
    #[error("no name server answered: {0}; give the right addresses with -n or in NAMESRV_ADDR")]
    NameServers(CallError),
    /// The list of name servers is empty.
    #[error("no name server is given: use -n or NAMESRV_ADDR, such as 192.168.0.1:9876;192.168.0.2:9876")]
    NoNameServer,
    /// The server refused, or found nothing. The words are upstream's, since scripts look for them.
    #[error("CODE: {}  DESC: {remark}{}", code.0, advice(*code))]
    Refused {
        /// Its code.
        code: ResponseCode,
        /// Its reason.
        remark: String,
    },
    /// The header of the answer is not what it should be.
    #[error("the answer of {address} cannot be read: {source}; is it a broker or name server of RocketMQ's protocol?")]
    Header {
        /// The server.
        address: String,
        /// What is wrong.
        source: FieldError,
    },
    /// The body of the answer is not what it should be.
    #[error("the answer of {address} cannot be read: {source}; is it a broker or name server of RocketMQ's protocol?")]
    Body {
        /// The server.
        address: String,
        /// What is wrong.
        source: FastjsonError,
    },
}

impl AdminError {
    /// A refusal in the words of one that upstream's client makes up itself.
    #[must_use]
    pub fn refused(code: ResponseCode, remark: impl Into<String>) -> Self {
        Self::Refused { code, remark: remark.into() }
    }

    /// True when the server does not know what it was asked for, or has not built it.
    #[must_use]
    pub fn is_not_built(&self) -> bool {
        self.is(ResponseCode::REQUEST_CODE_NOT_SUPPORTED)
    }

    /// True when a server refused with this code.
    #[must_use]
    pub fn is(&self, wanted: ResponseCode) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted)
    }
}

/// What an operator may do about a code that does not say it itself.
const fn advice(code: ResponseCode) -> &'static str {
    match code {
        ResponseCode::TOPIC_NOT_EXIST => " (check the name with topicList, or create the topic with updateTopic)",
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED => " (this server does not serve it: ask one that does)",
        ResponseCode::SYSTEM_BUSY => " (the server is overloaded: try again)",
        ResponseCode::NO_PERMISSION => " (check the permissions of the topic, the broker and the user)",
        ResponseCode::NO_MESSAGE => " (check topic, id or key, and the time range)",
        _ => "",
    }
}

/// Asks the servers of a cluster.
#[derive(Debug)]
pub struct Admin {
    client: Client,
    name_servers: Vec<String>,
}

impl Admin {
    /// For a cluster with these name servers, separated by `;`, whose servers `client` calls.
    #[must_use]
    pub fn new(name_servers: &str, client: Client) -> Self {
        let addresses = name_servers.split(';').map(str::trim).filter(|address| !address.is_empty());
        Self { client, name_servers: addresses.map(str::to_owned).collect() }
    }

    /// The name servers, in the order they were given.
    #[must_use]
    pub fn name_servers(&self) -> &[String] {
        &self.name_servers
    }

    /// Asks a server and gives its answer back, whatever its code.
    ///
    /// # Errors
    /// [`AdminError::Call`] when there is no answer.
    pub async fn ask<R>(
        &self,
        address: &str,
        header: &R::Header,
        body: Bytes,
        timeout: Duration,
    ) -> Result<RemotingCommand, AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
    {
        let request = RemotingCommand::request(R::ROW.code, header, body);
        Ok(self.client.call(address, request, timeout).await?)
    }

    /// Asks a server for something it must do, with fields that no declared header has.
    ///
    /// # Errors
    /// As [`Admin::call`].
    pub async fn call_fields<R: RequestKind>(
        &self,
        address: &str,
        fields: OwnedFields,
        body: Bytes,
    ) -> Result<RemotingCommand, AdminError> {
        let mut request = RemotingCommand::request(R::ROW.code, &NoHeader {}, body);
        request.fields = fields;
        succeeded(self.client.call(address, request, CALL_TIMEOUT).await?)
    }

    /// Asks a server for something it must do.
    ///
    /// # Errors
    /// [`AdminError`] when there is no answer, or one that is not a success.
    pub async fn call<R>(&self, address: &str, header: &R::Header, body: Bytes) -> Result<RemotingCommand, AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
    {
        succeeded(self.ask::<R>(address, header, body, CALL_TIMEOUT).await?)
    }

    /// Asks a server for the header of its answer.
    ///
    /// # Errors
    /// As [`Admin::call`], and when the header cannot be read.
    pub async fn call_header<R>(&self, address: &str, header: &R::Header) -> Result<R::Response, AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
        R::Response: for<'a> DecodeHeader<'a>,
    {
        read_header(address, &self.call::<R>(address, header, Bytes::new()).await?)
    }

    /// Asks a server for the body of its answer.
    ///
    /// # Errors
    /// As [`Admin::call`], and when the body cannot be read.
    pub async fn call_body<R, B>(&self, address: &str, header: &R::Header) -> Result<B, AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
        B: DeserializeOwned,
    {
        read_body(address, &self.call::<R>(address, header, Bytes::new()).await?)
    }

    /// Asks the first name server that answers.
    ///
    /// # Errors
    /// [`AdminError`] when none answers, or the answer is not a success.
    pub async fn name_server_call<R>(&self, header: &R::Header) -> Result<(&str, RemotingCommand), AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
    {
        let mut last = AdminError::NoNameServer;
        for address in &self.name_servers {
            match self.ask::<R>(address, header, Bytes::new(), CALL_TIMEOUT).await {
                Ok(answer) => return Ok((address, succeeded(answer)?)),
                Err(AdminError::Call(error)) => last = AdminError::NameServers(error),
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Asks the first name server that answers, for the body of its answer.
    ///
    /// # Errors
    /// As [`Admin::name_server_call`], and when the body cannot be read.
    pub async fn name_server_body<R, B>(&self, header: &R::Header) -> Result<B, AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
        B: DeserializeOwned,
    {
        let (address, answer) = self.name_server_call::<R>(header).await?;
        read_body(address, &answer)
    }

    /// Tells every name server the same.
    ///
    /// # Errors
    /// [`AdminError`] of the first that did not do it; the others after it are told nevertheless.
    pub async fn tell_name_servers<R>(&self, header: &R::Header) -> Result<(), AdminError>
    where
        R: RequestKind<Header: EncodeHeader>,
    {
        let mut first = if self.name_servers.is_empty() { Err(AdminError::NoNameServer) } else { Ok(()) };
        for address in &self.name_servers {
            let told = self.call::<R>(address, header, Bytes::new()).await.map(|_| ());
            first = first.and(told);
        }
        first
    }

    /// Where a topic is.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with [`ResponseCode::TOPIC_NOT_EXIST`] when nobody knows it.
    pub async fn route(&self, topic: &str) -> Result<TopicRouteData, AdminError> {
        let header = GetRouteInfoRequestHeader { topic: topic.to_owned(), accept_standard_json_only: None };
        self.name_server_body::<GetRouteinfoByTopic, _>(&header).await
    }

    /// All brokers and clusters.
    ///
    /// # Errors
    /// As [`Admin::name_server_body`].
    pub async fn cluster_info(&self) -> Result<ClusterInfo, AdminError> {
        self.name_server_body::<GetBrokerClusterInfo, _>(&NoHeader {}).await
    }

    /// Addresses of the masters of a cluster; `None` when nobody knows the cluster.
    ///
    /// # Errors
    /// As [`Admin::cluster_info`].
    pub async fn masters(&self, cluster: &str) -> Result<Option<BTreeSet<String>>, AdminError> {
        let info = self.cluster_info().await?;
        let Some(names) = info.cluster_addr_table.get(cluster) else { return Ok(None) };
        let brokers = names.iter().filter_map(|name| info.broker_addr_table.get(name));
        Ok(Some(brokers.filter_map(|broker| master(broker).map(str::to_owned)).collect()))
    }
}

/// Calls under way at a time when many are made: enough to keep a broker busy, few enough that its clients hardly notice.
const SIDE_BY_SIDE: usize = 16;

/// Does the same for each of many items, a bounded number at a time, and gives the results in their order.
pub async fn side_by_side<I, T>(items: impl IntoIterator<Item = I>, work: impl AsyncFn(I) -> T) -> Vec<T> {
    let mut waiting = items.into_iter().enumerate();
    let mut running = Vec::with_capacity(SIDE_BY_SIDE);
    let mut results: Vec<Option<T>> = Vec::new();
    poll_fn(|context| {
        loop {
            while running.len() < SIDE_BY_SIDE
                && let Some((at, item)) = waiting.next()
            {
                results.push(None);
                running.push((at, Box::pin(work(item))));
            }
            let before = running.len();
            running.retain_mut(|(at, future)| match future.as_mut().poll(context) {
                Poll::Ready(result) => {
                    if let Some(place) = results.get_mut(*at) {
                        *place = Some(result);
                    }
                    false
                }
                Poll::Pending => true,
            });
            if running.is_empty() && before == 0 {
                return Poll::Ready(());
            }
            // What became ready made room for others, which must be polled once as well.
            if running.len() == before {
                return Poll::Pending;
            }
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

/// The master's address.
#[must_use]
pub fn master(broker: &BrokerData) -> Option<&str> {
    broker.broker_addrs.get(&BrokerId::MASTER).map(String::as_str)
}

/// The master's address, or a slave's when there is no master.
#[must_use]
pub fn any_address(broker: &BrokerData) -> Option<&str> {
    master(broker).or_else(|| broker.broker_addrs.values().next().map(String::as_str))
}

/// The answer when its code is a success.
///
/// # Errors
/// [`AdminError::Refused`] with the first line of the remark otherwise: upstream's servers add a link below.
pub fn succeeded(answer: RemotingCommand) -> Result<RemotingCommand, AdminError> {
    if answer.response_code() == ResponseCode::SUCCESS { Ok(answer) } else { Err(refusal(&answer)) }
}

/// The refusal that an answer with another code is.
#[must_use]
pub fn refusal(answer: &RemotingCommand) -> AdminError {
    let remark = answer.remark.as_deref().and_then(|remark| remark.lines().next()).unwrap_or_default();
    AdminError::refused(answer.response_code(), remark)
}

/// Reads the header of an answer.
///
/// # Errors
/// [`AdminError::Header`] when it cannot be read.
pub fn read_header<H: for<'a> DecodeHeader<'a>>(address: &str, answer: &RemotingCommand) -> Result<H, AdminError> {
    answer.header().map_err(|source| AdminError::Header { address: address.to_owned(), source })
}

/// Reads the JSON body of an answer.
///
/// # Errors
/// [`AdminError::Body`] when it cannot be read.
pub fn read_body<B: DeserializeOwned>(address: &str, answer: &RemotingCommand) -> Result<B, AdminError> {
    fastjson::from_slice(&answer.body).map_err(|source| AdminError::Body { address: address.to_owned(), source })
}
