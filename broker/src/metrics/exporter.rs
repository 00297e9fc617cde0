//! Where pages go: to whoever asks by HTTP, or to the log.
//!
//! `GET /metrics` is the page, `/` an index, `/-/healthy` a word. A page is made on a thread of its own, one at a time, and serves all
//! who ask within a second. At most [`CONNECTIONS_MAX`] are connected; each may send [`HEAD_MAX`] bytes of header and has
//! [`PATIENCE`] for its request and for taking the answer, and what it does is never waited for by anybody else.
//!
//! Upstream: `PrometheusHttpServer`.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::net::server::bind;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore};

use super::{Metrics, scrape};
use crate::broker::Broker;
use crate::config::{BrokerConfig, MetricsExporterType};

/// Connections at once; further ones are closed as they come.
pub(super) const CONNECTIONS_MAX: usize = 32;
/// Bytes of a request's head; hyper takes no less.
const HEAD_MAX: usize = 8 * 1024;
/// How long a connection may last whose peer is slow.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a page serves those who ask again.
const FRESH: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;
/// Rest after an accept that failed, as it does without descriptors.
const REST: Duration = Duration::from_millis(100);

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const WORDS: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const INDEX: &str = "<html>\n<head><title>BoosterMQ broker</title></head>\n<body>\n<h1>BoosterMQ broker</h1>\n\
    <p><a href=\"metrics\">/metrics</a>: what Prometheus reads</p>\n<p><a href=\"-/healthy\">/-/healthy</a></p>\n</body>\n</html>\n";

/// Where the metrics of a broker go, before there is a broker.
pub(crate) enum Exporter {
    /// Nowhere.
    Off,
    /// To those who ask here.
    Http(TcpListener),
    /// To the log, each time that this is over.
    Log(Duration),
}

/// The last page.
#[derive(Default)]
struct Pages {
    last: Mutex<Option<(Instant, Bytes)>>,
}

impl Exporter {
    /// Takes the port, where metrics are served by HTTP.
    ///
    /// # Errors
    /// A sentence that names the settings, when the port cannot be taken.
    pub(crate) fn prepare(config: &BrokerConfig) -> anyhow::Result<Self> {
        Ok(match config.metrics_exporter_type {
            MetricsExporterType::Disable => Self::Off,
            MetricsExporterType::Log => {
                let every: Duration = config.metric_logging_exporter_interval_in_mills.into();
                Self::Log(every.max(Duration::from_millis(100)))
            }
            MetricsExporterType::Prom => {
                let address = address(config)?;
                Self::Http(bind(address, BACKLOG).map_err(|error| match error.kind() {
                    ErrorKind::AddrInUse => anyhow::anyhow!(
                        "{address} is taken by another process, so metrics cannot be served there; choose another metricsPromExporterPort"
                    ),
                    ErrorKind::AddrNotAvailable => anyhow::anyhow!(
                        "{address} is no address of this machine, so metrics cannot be served there; correct metricsPromExporterHost"
                    ),
                    _ => anyhow::anyhow!("metrics cannot be served: {error} (metricsPromExporterHost, metricsPromExporterPort)"),
                })?)
            }
        })
    }

    /// Serves until the task is ended.
    pub(crate) async fn run(self, broker: Arc<Broker>) {
        let Some(metrics) = broker.metrics.clone() else { return };
        match self {
            Self::Off => {}
            Self::Http(listener) => serve(listener, broker, metrics).await,
            Self::Log(every) => log(every, broker, metrics).await,
        }
    }
}

fn address(config: &BrokerConfig) -> anyhow::Result<SocketAddr> {
    let host = match config.metrics_prom_exporter_host.trim() {
        "" => config.broker_ip1.as_str(),
        host => host,
    };
    let found = (host, config.metrics_prom_exporter_port).to_socket_addrs().ok().and_then(|mut found| found.next());
    found
        .ok_or_else(|| anyhow::anyhow!("metricsPromExporterHost={host} is neither an IP address nor a known host name"))
}

pub(super) async fn serve(listener: TcpListener, broker: Arc<Broker>, metrics: Arc<Metrics>) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "metrics are served at /metrics");
    }
    let (pages, places) = (Arc::new(Pages::default()), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    // Connections end with this task.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection for metrics cannot be accepted");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (broker, metrics, pages) = (broker.clone(), metrics.clone(), pages.clone());
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let (broker, metrics, pages) = (broker.clone(), metrics.clone(), pages.clone());
                async move { Ok::<_, Infallible>(answer(&request, &broker, &metrics, &pages).await) }
            });
            let mut http = http1::Builder::new();
            // One request each: a connection that is kept open would take a place.
            http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD_MAX).keep_alive(false);
            // What goes wrong with a peer is the peer's.
            let _ = tokio::time::timeout(2 * PATIENCE, http.serve_connection(TokioIo::new(stream), answer)).await;
            drop(place);
        });
    }
}

async fn answer(
    request: &Request<Incoming>,
    broker: &Arc<Broker>,
    metrics: &Arc<Metrics>,
    pages: &Pages,
) -> Response<Full<Bytes>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let mut response = reply(StatusCode::METHOD_NOT_ALLOWED, WORDS, "only GET and HEAD are served\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => match pages.page(broker, metrics).await {
            Some(page) => reply(StatusCode::OK, TEXT, page),
            None => reply(
                StatusCode::INTERNAL_SERVER_ERROR,
                WORDS,
                "the page could not be made; the broker's log says why\n",
            ),
        },
        "/" => reply(StatusCode::OK, HTML, INDEX),
        "/-/healthy" => reply(StatusCode::OK, WORDS, "Exporter is healthy.\n"),
        _ => reply(StatusCode::NOT_FOUND, WORDS, "there are /metrics and /-/healthy\n"),
    }
}

fn reply(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

impl Pages {
    /// The page, made anew when the last one is old; `None` when making it failed.
    async fn page(&self, broker: &Arc<Broker>, metrics: &Arc<Metrics>) -> Option<Bytes> {
        let mut last = self.last.lock().await;
        if let Some((made, page)) = &*last
            && made.elapsed() < FRESH
        {
            return Some(page.clone());
        }
        let page = Bytes::from(make(broker, metrics).await?);
        *last = Some((Instant::now(), page.clone()));
        Some(page)
    }
}

/// Makes a page where waiting for a disk holds nobody up.
async fn make(broker: &Arc<Broker>, metrics: &Arc<Metrics>) -> Option<String> {
    let (broker, metrics) = (broker.clone(), metrics.clone());
    let made = tokio::task::spawn_blocking(move || scrape::page(&broker, &metrics)).await;
    made.inspect_err(|error| tracing::error!(%error, "the page of metrics could not be made")).ok()
}

async fn log(every: Duration, broker: Arc<Broker>, metrics: Arc<Metrics>) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(page) = make(&broker, &metrics).await else { continue };
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            tracing::info!(target: "boostermq_broker::metrics", "{line}");
        }
    }
}
