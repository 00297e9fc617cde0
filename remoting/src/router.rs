//! From a code to its handler: decode, run on the right executor, answer.
//!
//! A server lists its routes once ([`Router::builder`]). A declared code it does not serve is listed as refused,
//! with the reason; a test of that server sees to it that no code is forgotten. Upstream: `NettyRequestProcessor`
//! and its registrations (RocketMQ 5.5.0).

use std::any::Any;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::code::{Language, RequestCode, ResponseCode};
use crate::command::{OwnedFields, collect_fields, write_fields};
use crate::config::{ChangeRefusal, ConfigError};
use crate::frame::HeaderCodec;
use crate::header::{DecodeHeader, EncodeHeader, FieldError, FieldProblem, HeaderHead};
use crate::net::connection::{Connection, Port};
use crate::net::outbox::Outbox;
use crate::net::server::Incoming;
use crate::request::{Executor, RequestKind};

/// What an answer needs from its question.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// What is asked for.
    pub code: i32,
    /// Pairs answer and question.
    pub opaque: i32,
    /// Codec of both.
    pub codec: HeaderCodec,
    /// Nothing is ever written back.
    pub one_way: bool,
}

impl Question {
    /// The question of a request that arrived.
    #[must_use]
    pub const fn of(incoming: &Incoming<'_>) -> Self {
        Self {
            code: incoming.header.code,
            opaque: incoming.header.opaque,
            codec: incoming.frame.codec,
            one_way: incoming.header.is_one_way(),
        }
    }
}

/// A request in its handler's hands.
#[derive(Debug)]
pub struct Request<R: RequestKind> {
    /// The typed header.
    pub header: R::Header,
    /// The ext fields as they came, for what the header does not declare.
    pub fields: OwnedFields,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// Language of the client.
    pub language: Language,
    /// Version ordinal of the client.
    pub version: i32,
    /// The connection it came by.
    pub connection: Arc<Connection>,
}

impl<R: RequestKind> Request<R> {
    /// The peer's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.connection.peer()
    }

    /// The value of an ext field that the header does not declare.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// Its code; not every code but 0 is a failure.
    pub code: ResponseCode,
    /// Free text.
    pub remark: Option<Cow<'static, str>>,
    /// Ext fields.
    pub fields: OwnedFields,
    /// The body, as slices that may belong to the mapped log.
    pub body: Vec<Bytes>,
}

impl Response {
    /// Code 0 and nothing else.
    #[must_use]
    pub const fn success() -> Self {
        Self { code: ResponseCode::SUCCESS, remark: None, fields: Vec::new(), body: Vec::new() }
    }

    /// A code and the text that explains it.
    #[must_use]
    pub fn with_code(code: ResponseCode, remark: impl Into<Cow<'static, str>>) -> Self {
        Self { code, remark: Some(remark.into()), fields: Vec::new(), body: Vec::new() }
    }

    /// Adds a typed header.
    #[must_use]
    pub fn header(mut self, header: &impl EncodeHeader) -> Self {
        self.fields.extend(collect_fields(header));
        self
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = vec![body.into()];
        self
    }

    /// Sets the body to the JSON text of `value`.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON.
    pub fn json(self, value: &impl serde::Serialize) -> Result<Self, ResponseError> {
        let text = crate::fastjson::try_to_vec(value)
            .map_err(|error| ResponseError::system(format!("the answer cannot be written as JSON: {error}")))?;
        Ok(self.body(text))
    }

    /// Writes the answer to `question`, unless it wants none.
    pub fn write(self, question: &Question, out: &mut Outbox) {
        if question.one_way {
            return;
        }
        let mut head = HeaderHead::answer(self.code, question.opaque);
        head.remark = self.remark.as_deref();
        let length = self.body.iter().map(Bytes::len).sum();
        out.frame(question.codec, &head, |sink| write_fields(&self.fields, sink), self.body, length);
    }
}

/// A refusal: code, remark, and ext fields where upstream adds some.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {remark}")]
pub struct ResponseError {
    /// The code.
    pub code: ResponseCode,
    /// The text a client shows.
    pub remark: Cow<'static, str>,
    /// Ext fields.
    pub fields: OwnedFields,
}

impl ResponseError {
    /// A refusal.
    #[must_use]
    pub fn new(code: ResponseCode, remark: impl Into<Cow<'static, str>>) -> Self {
        Self { code, remark: remark.into(), fields: Vec::new() }
    }

    /// [`ResponseCode::SYSTEM_ERROR`].
    #[must_use]
    pub fn system(remark: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ResponseCode::SYSTEM_ERROR, remark)
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, name: &'static str, value: impl ToString) -> Self {
        self.fields.push((name.into(), value.to_string()));
        self
    }
}

impl From<ResponseError> for Response {
    fn from(error: ResponseError) -> Self {
        Self { code: error.code, remark: Some(error.remark), fields: error.fields, body: Vec::new() }
    }
}

impl From<FieldError> for ResponseError {
    // A bad name is upstream's 29; a missing or unreadable field is its 1 (RocketMQ 5.5.0).
    fn from(error: FieldError) -> Self {
        match &error.problem {
            FieldProblem::Name(name) => Self::new(ResponseCode::INVALID_PARAMETER, name.to_string()),
            _ => Self::system(error.to_string()),
        }
    }
}

impl From<ChangeRefusal> for ResponseError {
    // Upstream's 16 for what a request may not change, its 29 for what cannot be understood.
    fn from(refusal: ChangeRefusal) -> Self {
        let code = match &refusal {
            ChangeRefusal::Barred { .. }
            | ChangeRefusal::AtStartOnly { .. }
            | ChangeRefusal::Value(ConfigError::Refused { .. }) => ResponseCode::NO_PERMISSION,
            ChangeRefusal::Unknown { .. } | ChangeRefusal::Value(ConfigError::BadValue { .. }) => {
                ResponseCode::INVALID_PARAMETER
            }
        };
        Self::new(code, refusal.to_string())
    }
}

/// What a handler returns.
pub type Handled = Result<Response, ResponseError>;
type Waiting = Pin<Box<dyn Future<Output = Handled> + Send>>;
type Answers<S> = dyn Fn(&Arc<S>, Untyped) -> Handled + Send + Sync;
type AnswersLater<S> = dyn Fn(Arc<S>, Untyped) -> Waiting + Send + Sync;

enum Handler<S> {
    Inline(Box<Answers<S>>),
    Blocking(Arc<Answers<S>>),
    Waiting(Box<AnswersLater<S>>),
}

/// A request before its header is read.
struct Untyped {
    fields: OwnedFields,
    decoded: Box<dyn Any + Send>,
    body: Bytes,
    language: Language,
    version: i32,
    connection: Arc<Connection>,
}

impl Untyped {
    fn typed<R: RequestKind>(self) -> Result<Request<R>, ResponseError>
    where
        R::Header: Send,
    {
        let header = self.decoded.downcast::<R::Header>();
        let header = *header.map_err(|_| ResponseError::system("the header was decoded as another request's"))?;
        Ok(Request {
            header,
            fields: self.fields,
            body: self.body,
            language: self.language,
            version: self.version,
            connection: self.connection,
        })
    }
}

type Decoder = fn(&crate::header::Fields<'_>) -> Result<Box<dyn Any + Send>, FieldError>;

struct Route<S> {
    decode: Decoder,
    handler: Handler<S>,
}

/// Threads and queue of the requests that may be slow.
#[derive(Clone, Copy, Debug)]
pub struct BlockingLimits {
    /// Requests carried out at once.
    pub at_once: usize,
    /// Requests carried out or waiting; more are answered with the flow-control code.
    pub queued: usize,
}

/// Is told of every answer that a router writes.
pub trait AnswerObserver: Send + Sync {
    /// A request was answered so long after it came; nothing was written when it is one-way.
    fn answered(&self, question: &Question, response: ResponseCode, took: Duration);
}

/// An answer to come, and who is told of it.
struct Watched {
    question: Question,
    told: Option<(Arc<dyn AnswerObserver>, Instant)>,
}

impl Watched {
    fn write(&self, response: Response, out: &mut Outbox) {
        if let Some((observer, came)) = &self.told {
            observer.answered(&self.question, response.code, came.elapsed());
        }
        response.write(&self.question, out);
    }
}

/// The routes of one server.
pub struct Router<S> {
    routes: HashMap<i32, Route<S>>,
    refused: BTreeMap<RequestCode, &'static str>,
    main_port_only: Vec<RequestCode>,
    slow: Arc<SlowRequests>,
    queued: Arc<Semaphore>,
    observer: Option<Arc<dyn AnswerObserver>>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Requests that may be slow, in the order in which they came, and the threads that carry them out.
///
/// A thread goes on until nothing waits. So many requests at once, as tools send them, wake a few threads once, and not one for
/// each; and the thread that did the work also writes the answer. Network threads have connections to serve.
struct SlowRequests {
    at_once: usize,
    state: Mutex<SlowState>,
}

#[derive(Default)]
struct SlowState {
    waiting: VecDeque<Work>,
    /// Threads at work, or about to be.
    threads: usize,
}

impl SlowRequests {
    fn new(at_once: usize) -> Self {
        Self { at_once: at_once.max(1), state: Mutex::default() }
    }

    /// Has `work` done by a blocking thread of the runtime that the caller is in.
    fn push(self: &Arc<Self>, work: Work) {
        let mut state = self.state.lock();
        state.waiting.push_back(work);
        if state.threads >= self.at_once {
            return;
        }
        state.threads += 1;
        drop(state);
        let slow = self.clone();
        drop(tokio::task::spawn_blocking(move || slow.run()));
    }

    fn run(&self) {
        while let Some(work) = self.next() {
            // Handlers are guarded by themselves; a thread that is counted must not end here whatever happens.
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                tracing::error!("an answer could not be written; its client waits in vain");
            }
        }
    }

    /// The next work; without any, the thread no longer counts.
    fn next(&self) -> Option<Work> {
        let mut state = self.state.lock();
        let work = state.waiting.pop_front();
        if work.is_none() {
            state.threads -= 1;
        }
        work
    }
}

impl<S> fmt::Debug for Router<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routes", &self.routes.len())
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

fn decoder<R: RequestKind>(fields: &crate::header::Fields<'_>) -> Result<Box<dyn Any + Send>, FieldError>
where
    R::Header: for<'a> DecodeHeader<'a> + Send,
{
    R::Header::decode(fields).map(|header| Box::new(header) as Box<dyn Any + Send>)
}

impl<S: Send + Sync + 'static> Router<S> {
    /// An empty table.
    #[must_use]
    pub fn builder(limits: BlockingLimits) -> Self {
        Self {
            routes: HashMap::new(),
            refused: BTreeMap::new(),
            main_port_only: Vec::new(),
            slow: Arc::new(SlowRequests::new(limits.at_once)),
            queued: Arc::new(Semaphore::new(limits.queued)),
            observer: None,
        }
    }

    /// Tells somebody of every answer; without it nothing is measured.
    #[must_use]
    pub fn observed_by(mut self, observer: Option<Arc<dyn AnswerObserver>>) -> Self {
        self.observer = observer;
        self
    }

    fn add<R: RequestKind>(mut self, handler: Handler<S>) -> Self
    where
        R::Header: for<'a> DecodeHeader<'a> + Send,
    {
        let twice = self.routes.insert(R::ROW.code.0, Route { decode: decoder::<R>, handler });
        assert!(twice.is_none(), "{} has two routes", R::ROW.name);
        self
    }

    /// Serves a request with a function that does not wait; it runs where the request's declaration says.
    #[must_use]
    pub fn on<R: RequestKind>(self, _: R, handler: fn(&Arc<S>, Request<R>) -> Handled) -> Self
    where
        R::Header: for<'a> DecodeHeader<'a> + Send,
    {
        let call = move |state: &Arc<S>, request: Untyped| handler(state, request.typed()?);
        match R::ROW.executor {
            Executor::Inline => self.add::<R>(Handler::Inline(Box::new(call))),
            Executor::Blocking => self.add::<R>(Handler::Blocking(Arc::new(call))),
            Executor::Waiting => panic!("{} is declared as waiting: use on_waiting", R::ROW.name),
        }
    }

    /// Serves a request with a function that waits.
    #[must_use]
    pub fn on_waiting<R: RequestKind, F>(self, _: R, handler: fn(Arc<S>, Request<R>) -> F) -> Self
    where
        R::Header: for<'a> DecodeHeader<'a> + Send,
        F: Future<Output = Handled> + Send + 'static,
    {
        assert_eq!(R::ROW.executor, Executor::Waiting, "{} is not declared as waiting", R::ROW.name);
        self.add::<R>(Handler::Waiting(Box::new(move |state, request| {
            Box::pin(async move { handler(state, request.typed()?).await })
        })))
    }

    /// Lists declared codes that this server does not serve, and why.
    #[must_use]
    pub fn refuse(mut self, reason: &'static str, codes: &[i32]) -> Self {
        self.refused.extend(codes.iter().map(|code| (RequestCode(*code), reason)));
        self
    }

    /// Codes that the fast port answers as unsupported.
    #[must_use]
    pub fn main_port_only(mut self, codes: &[i32]) -> Self {
        self.main_port_only.extend(codes.iter().map(|code| RequestCode(*code)));
        self
    }

    /// True when the code has a route.
    #[must_use]
    pub fn serves(&self, code: RequestCode) -> bool {
        self.routes.contains_key(&code.0)
    }

    /// Every code that is refused, with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (RequestCode, &'static str)> + '_ {
        self.refused.iter().map(|(code, reason)| (*code, *reason))
    }

    /// True when `incoming` came by the fast port and may not.
    #[must_use]
    pub fn is_barred(&self, incoming: &Incoming<'_>) -> bool {
        incoming.connection.port() == Port::Fast && self.main_port_only.contains(&RequestCode(incoming.header.code))
    }

    /// Carries a request out, or sees to it that it is. A panic in a handler answers as a system error.
    pub fn handle(&self, state: &Arc<S>, incoming: &Incoming<'_>, out: &mut Outbox) {
        let told = self.observer.as_ref().map(|observer| (Arc::clone(observer), Instant::now()));
        let answer = Watched { question: Question::of(incoming), told };
        let code = RequestCode(incoming.header.code);
        let Some(route) = self.routes.get(&code.0).filter(|_| !self.is_barred(incoming)) else {
            return answer.write(not_supported(code), out);
        };
        let decoded = match (route.decode)(&incoming.header.fields) {
            Ok(decoded) => decoded,
            Err(error) => return answer.write(ResponseError::from(error).into(), out),
        };
        let request = Untyped {
            fields: incoming
                .header
                .fields
                .iter()
                .map(|(name, value)| (name.to_owned().into(), value.to_owned()))
                .collect(),
            decoded,
            body: Bytes::copy_from_slice(incoming.frame.body),
            language: incoming.header.language,
            version: incoming.header.version,
            connection: incoming.connection.clone(),
        };
        match &route.handler {
            Handler::Inline(handler) => answer.write(guarded(code, || handler(state, request)), out),
            Handler::Blocking(handler) => {
                let Ok(place) = self.queued.clone().try_acquire_owned() else {
                    return answer.write(overloaded(), out);
                };
                let (handler, state, connection) = (handler.clone(), state.clone(), request.connection.clone());
                self.slow.push(Box::new(move || {
                    let response = guarded(code, || handler(&state, request));
                    drop(place);
                    connection.send(|out| answer.write(response, out));
                }));
            }
            Handler::Waiting(handler) => {
                let Ok(place) = self.queued.clone().try_acquire_owned() else {
                    return answer.write(overloaded(), out);
                };
                let connection = request.connection.clone();
                let waiting = tokio::spawn(handler(state.clone(), request));
                tokio::spawn(async move {
                    let response = match waiting.await {
                        Ok(Ok(response)) => response,
                        Ok(Err(error)) => error.into(),
                        Err(_) => panicked(code),
                    };
                    drop(place);
                    connection.send(|out| answer.write(response, out));
                });
            }
        }
    }
}

fn guarded(code: RequestCode, call: impl FnOnce() -> Handled) -> Response {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => error.into(),
        Err(_) => panicked(code),
    }
}

fn panicked(code: RequestCode) -> Response {
    tracing::error!(%code, "a handler panicked; its request is answered as a system error");
    Response::with_code(ResponseCode::SYSTEM_ERROR, format!("the handler of request {code} failed"))
}

fn overloaded() -> Response {
    Response::with_code(ResponseCode::SYSTEM_BUSY, "[OVERLOAD]system busy, start flow control for a while")
}

/// The answer to a code nobody serves, in upstream's words.
#[must_use]
pub fn not_supported(code: RequestCode) -> Response {
    Response::with_code(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, format!(" request type {} not supported", code.0))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Long enough for what must happen.
    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn slow_requests_run_a_few_at_once_in_their_order_and_outlive_a_panic() {
        let slow = Arc::new(SlowRequests::new(2));
        let (began, beginnings) = mpsc::channel();
        let mut gates = Vec::new();
        for number in 0..6 {
            let (open, gate) = mpsc::channel::<()>();
            gates.push(open);
            let began = began.clone();
            slow.push(Box::new(move || {
                began.send(number).unwrap();
                gate.recv().unwrap();
                assert!(number != 1, "this one breaks");
            }));
        }
        let next = || beginnings.recv_timeout(PATIENCE).unwrap();
        let mut first = [next(), next()];
        first.sort_unstable();
        assert_eq!(first, [0, 1]);
        assert_eq!(slow.state.lock().waiting.len(), 4, "two run, and only two");
        for (number, gate) in gates.iter().enumerate() {
            gate.send(()).unwrap();
            if number < 4 {
                assert_eq!(next(), number + 2);
            }
        }
        let idle = async {
            while slow.state.lock().threads > 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, idle).await.unwrap();
    }
}
