//! Pulls: the hot path of reading, and what happens when there is nothing to read yet.
//!
//! Order of checks and answers: RocketMQ 5.5.0. Upstream:
//! `PullMessageProcessor`, `DefaultPullMessageResultHandler`.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boostermq_remoting::body::{ConsumeType, SubscriptionGroupConfig, TopicConfig};
use boostermq_remoting::code::ResponseCode;
use boostermq_remoting::header::{DecodeHeader, HeaderHead};
use boostermq_remoting::names::{LMQ_PREFIX, QueueId, Topic};
use boostermq_remoting::net::connection::Connection;
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::net::server::Incoming;
use boostermq_remoting::offsets::QueueOffset;
use boostermq_remoting::request::pull::{PullMessageRequestHeader, pull_flag};
use boostermq_remoting::router::{Question, Response, ResponseError};
use boostermq_store::{GetOutcome, GetRequest, GetStatus, MessageFilter};

use crate::broker::Broker;
use crate::config::Settings;
use crate::filter::{ExpressionType, RetryFilter, Subscription, compile};
use crate::long_polling::HeldPull;
use crate::metadata::is_system_group;
use crate::response_error::{self, Forbidden};
use crate::stats::counters::{GroupGets, QUEUES_KEPT, millis, read_latency};
use crate::stats::items::Item;

/// Most messages one pull may ask for; the store's own limits are lower (RocketMQ 5.5.0).
const MESSAGES_MAX: i32 = 1024;
/// Longest a pull is held: clients give up after 30 s.
const HOLD_MAX: Duration = Duration::from_secs(600);
/// How long a pull of old messages waits whose group has read its part of them (RocketMQ 5.5.0).
const OLD_PAUSE: Duration = Duration::from_secs(1);

/// What a connection keeps for its pulls: the group and topic it pulled last, so that the next pull finds them
/// without a look-up.
#[derive(Default)]
pub(crate) struct PullSession {
    last: Option<Known>,
    /// A pull of this connection was held at some time: closing it must look for more.
    pub(crate) has_held: bool,
}

struct Known {
    topics_generation: u64,
    groups_generation: u64,
    topic: Topic,
    config: Arc<TopicConfig>,
    group: Arc<SubscriptionGroupConfig>,
    gets: Arc<GroupGets>,
    /// What the time of reading is added to, by queue.
    latencies: Vec<Option<Arc<Item>>>,
}

impl Known {
    fn latency(&mut self, broker: &Broker, queue_id: QueueId) -> Arc<Item> {
        let at = queue_id.0 as usize;
        if let Some(Some(item)) = self.latencies.get(at) {
            return item.clone();
        }
        let (topic, group) = (counted_as(broker, self.topic.as_str()), counted_as(broker, &self.group.group_name));
        let item = read_latency(&broker.stats, topic, group, queue_id.0);
        if at < QUEUES_KEPT {
            self.latencies.resize(self.latencies.len().max(at + 1), None);
            if let Some(slot) = self.latencies.get_mut(at) {
                *slot = Some(item.clone());
            }
        }
        item
    }
}

/// A checked pull, ready to be carried out any number of times.
#[derive(Clone)]
pub(crate) struct Pull {
    pub(crate) topic: Topic,
    pub(crate) queue_id: QueueId,
    pub(crate) queue_offset: QueueOffset,
    pub(crate) max_messages: u32,
    /// Which messages are wanted; all without it.
    pub(crate) filter: Option<Arc<dyn MessageFilter>>,
    pub(crate) group: Arc<SubscriptionGroupConfig>,
    pub(crate) topic_sys_flag: i32,
    pub(crate) question: Question,
    /// What messages that are handed out are counted by.
    pub(crate) gets: Arc<GroupGets>,
    /// What the time of reading is added to.
    pub(crate) latency: Arc<Item>,
    /// When it came, where that is measured.
    pub(crate) came: Option<Instant>,
    /// It was held until there was something to read, or its time was over.
    pub(crate) was_held: bool,
}

impl PullSession {
    /// Carries a pull out: answers it, or holds it.
    pub(crate) fn pull(&mut self, broker: &Arc<Broker>, incoming: &Incoming<'_>, is_lite: bool, out: &mut Outbox) {
        let question = Question::of(incoming);
        let came = broker.metrics.as_ref().map(|_| Instant::now());
        match self.check(broker, incoming, is_lite, question) {
            Ok((mut pull, hold)) => {
                pull.came = came;
                let Some(pull) = limit_old(broker, incoming.connection, pull, out) else { return };
                let outcome = pull.read(broker, out);
                if let Some(outcome) = outcome {
                    // Nothing to read: hold the request, or answer what is.
                    match hold.filter(|_| pull.waits_after(outcome.status)) {
                        Some(hold) => {
                            self.has_held = true;
                            hold_pull(broker, incoming.connection, pull, hold, out);
                        }
                        None => pull.answer(broker, outcome, out),
                    }
                }
            }
            Err(error) => {
                if let (Some(metrics), Some(came)) = (&broker.metrics, came) {
                    metrics.answered(&question, error.code, false, came);
                }
                Response::from(error).write(&question, out);
            }
        }
    }

    /// Every check of upstream in its order; with the pull, how long it may be held.
    fn check(
        &mut self,
        broker: &Arc<Broker>,
        incoming: &Incoming<'_>,
        is_lite: bool,
        question: Question,
    ) -> Result<(Pull, Option<Duration>), ResponseError> {
        let header = PullMessageRequestHeader::decode(&incoming.header.fields)?;
        let settings = broker.settings.read();
        if settings.broker.broker_permission as i32 & TopicConfig::PERM_READ == 0 {
            return Err(response_error::forbidden(
                Forbidden::Broker,
                format!("the broker[{}] pulling message is forbidden", settings.broker.broker_ip1),
            ));
        }
        if is_lite && !settings.broker.lite_pull_message_enable {
            return Err(response_error::no_permission(format!(
                "the broker[{}] for lite pull consumer is forbidden",
                settings.broker.broker_ip1
            )));
        }
        self.find(broker, &header, incoming)?;
        let Some(known) = &mut self.last else {
            return Err(ResponseError::system("the topic was lost between two steps"));
        };
        let count = known.config.read_queue_nums;
        let queue_id = QueueId::from_wire(header.queue_id).filter(|_| header.queue_id < count).ok_or_else(|| {
            ResponseError::new(
                ResponseCode::INVALID_PARAMETER,
                format!(
                    "queueId[{}] is illegal, topic:[{}] topicConfig.readQueueNums:[{count}] consumer:[{}]",
                    header.queue_id,
                    header.topic,
                    incoming.connection.peer()
                ),
            )
        })?;
        let filter = find_filter(broker, &settings, &header, known)?;
        if settings.broker.reject_pull_consumer_enable
            && !is_pushed_to(broker, &header.consumer_group, incoming.connection)
        {
            return Err(ResponseError::new(
                ResponseCode::SUBSCRIPTION_NOT_EXIST,
                "the consumer's group info not exist, or the pull consumer is rejected by server",
            ));
        }
        if let Some(offset) = broker.offsets.take_reset(&header.consumer_group, &header.topic, queue_id) {
            let sys_flag = known.config.topic_sys_flag;
            return Err(moved(broker, &known.group, &known.topic, sys_flag, queue_id, QueueOffset(offset)));
        }
        if header.sys_flag & pull_flag::COMMIT_OFFSET != 0
            && let Some(offset) = header.commit_offset
        {
            broker.offsets.commit(&header.consumer_group, &header.topic, queue_id, offset);
        }
        let hold = (header.sys_flag & pull_flag::SUSPEND != 0).then(|| {
            if settings.broker.long_polling_enable {
                let asked = header.suspend_timeout_millis.unwrap_or(0).max(0) as u64;
                Duration::from_millis(asked).min(HOLD_MAX)
            } else {
                settings.broker.short_polling_time_mills.into()
            }
        });
        let pull = Pull {
            topic: known.topic.clone(),
            queue_id,
            queue_offset: QueueOffset(header.queue_offset),
            max_messages: header.max_msg_nums.clamp(1, MESSAGES_MAX) as u32,
            filter,
            group: known.group.clone(),
            topic_sys_flag: known.config.topic_sys_flag,
            question,
            gets: known.gets.clone(),
            latency: known.latency(broker, queue_id),
            came: None,
            was_held: false,
        };
        Ok((pull, hold))
    }

    /// Finds group and topic, and checks that they may be consumed.
    fn find(
        &mut self,
        broker: &Broker,
        header: &PullMessageRequestHeader<'_>,
        incoming: &Incoming<'_>,
    ) -> Result<(), ResponseError> {
        let (topics_generation, groups_generation) = (broker.topics.generation(), broker.groups.generation());
        if let Some(known) = &self.last
            && known.topics_generation == topics_generation
            && known.groups_generation == groups_generation
            && known.topic.as_str() == header.topic
            && known.group.group_name == header.consumer_group
            && known.gets.is_current(&broker.stats)
        {
            return Ok(());
        }
        let group = broker.find_or_create_group(&header.consumer_group)?;
        if !group.consume_enable {
            return Err(response_error::forbidden(
                Forbidden::Group,
                format!("subscription group no permission, {}", header.consumer_group),
            ));
        }
        let Some(config) = broker.topics.find(&header.topic) else {
            tracing::debug!(topic = %header.topic, peer = %incoming.connection.peer(), "a pull names an unknown topic");
            return Err(ResponseError::new(
                ResponseCode::TOPIC_NOT_EXIST,
                format!(
                    "topic[{}] not exist, apply first please! See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
                    header.topic
                ),
            ));
        };
        if config.perm & TopicConfig::PERM_READ == 0 {
            return Err(response_error::forbidden(
                Forbidden::Topic,
                format!("the topic[{}] pulling message is forbidden", header.topic),
            ));
        }
        let topic = Topic::parse_stored(&header.topic)
            .ok_or_else(|| ResponseError::system("the topic's name cannot stand in a path"))?;
        let (counted, counted_group) = (counted_as(broker, topic.as_str()), counted_as(broker, &group.group_name));
        let gets = Arc::new(GroupGets::new(&broker.stats, counted, counted_group));
        let latencies = Vec::new();
        self.last = Some(Known { topics_generation, groups_generation, topic, config, group, gets, latencies });
        Ok(())
    }
}

/// The name under which pulls are counted: light queues, and groups of such, are counted together unless each is wanted
/// (`enableLmqStats`). Anybody may name one, and there may be very many.
fn counted_as<'a>(broker: &Broker, name: &'a str) -> &'a str {
    if name.starts_with(LMQ_PREFIX) && !broker.settings.read().broker.enable_lmq_stats { LMQ_PREFIX } else { name }
}

/// True for members of a group that is pushed to, and for groups of the system: `rejectPullConsumerEnable` is not about
/// them.
fn is_pushed_to(broker: &Broker, group: &str, connection: &Connection) -> bool {
    is_system_group(group)
        || broker.consumers.find(group).is_some_and(|group| {
            group.mode().0 != Some(ConsumeType::Actively)
                || group.members().iter().any(|member| member.connection.id() == connection.id())
        })
}

/// What filters a pull: its own expression, or the group's from the heartbeat. Nothing filters when all is wanted.
fn find_filter(
    broker: &Broker,
    settings: &Settings,
    header: &PullMessageRequestHeader<'_>,
    known: &Known,
) -> Result<Option<Arc<dyn MessageFilter>>, ResponseError> {
    let filter: Arc<dyn MessageFilter> = if header.sys_flag & pull_flag::SUBSCRIPTION != 0 {
        let expression = header.subscription.as_deref().unwrap_or_default();
        match ExpressionType::parse(header.expression_type.as_deref()) {
            ExpressionType::Tag if expression.is_empty() || expression == "*" => return Ok(None),
            ExpressionType::Tag => match Subscription::parse(expression, ExpressionType::Tag, 0) {
                Ok(subscription) => Arc::new(subscription),
                Err(error) => return Err(not_parsed(header, &error)),
            },
            ExpressionType::Other(_) if expression.is_empty() => {
                return Err(not_parsed(header, &"the expression is empty"));
            }
            ExpressionType::Other(kind) => {
                check_enabled(settings, &kind)?;
                Arc::new(compile(&kind, expression).map_err(|error| not_parsed(header, &error))?)
            }
        }
    } else {
        let subscription = find_subscription(broker, header, known)?;
        match &subscription.expression_type {
            ExpressionType::Tag if subscription.wants_everything() => return Ok(None),
            ExpressionType::Tag => subscription,
            ExpressionType::Other(kind) => {
                let filter = find_registered(broker, header)?;
                check_enabled(settings, kind)?;
                filter
            }
        }
    };
    if settings.broker.filter_support_retry && filter.needs_record() && known.topic.is_retry() {
        // The topics that the messages came from decide.
        let group = header.consumer_group.to_string();
        return Ok(Some(Arc::new(RetryFilter { filters: broker.filters.clone(), group })));
    }
    Ok(Some(filter))
}

fn not_parsed(header: &PullMessageRequestHeader<'_>, error: &dyn Display) -> ResponseError {
    tracing::debug!(%error, group = %header.consumer_group, "a pull's subscription cannot be read");
    ResponseError::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed")
}

fn check_enabled(settings: &Settings, kind: &str) -> Result<(), ResponseError> {
    if settings.broker.enable_property_filter { Ok(()) } else { Err(response_error::filter_unsupported(kind)) }
}

/// The expression that a heartbeat of the group brought for the topic.
fn find_registered(
    broker: &Broker,
    header: &PullMessageRequestHeader<'_>,
) -> Result<Arc<dyn MessageFilter>, ResponseError> {
    let (filter, version) = broker.filters.find(&header.topic, &header.consumer_group).ok_or_else(|| {
        ResponseError::new(
            ResponseCode::FILTER_DATA_NOT_EXIST,
            "The broker's consumer filter data is not exist!Your expression may be wrong!",
        )
    })?;
    if version < header.sub_version.unwrap_or(0) {
        return Err(ResponseError::new(
            ResponseCode::FILTER_DATA_NOT_LATEST,
            "the consumer's consumer filter data not latest",
        ));
    }
    Ok(filter)
}

/// What the group's heartbeats say about the topic.
fn find_subscription(
    broker: &Broker,
    header: &PullMessageRequestHeader<'_>,
    known: &Known,
) -> Result<Arc<Subscription>, ResponseError> {
    let group = broker.consumers.find(&header.consumer_group).ok_or_else(|| {
        ResponseError::new(ResponseCode::SUBSCRIPTION_NOT_EXIST, "the consumer's group info not exist")
    })?;
    if group.is_broadcasting() && !known.group.consume_broadcast_enable {
        return Err(response_error::forbidden(
            Forbidden::Broadcast,
            format!("the consumer group[{}] can not consume by broadcast way", header.consumer_group),
        ));
    }
    if !broker.groups.may_read(&header.consumer_group, &header.topic) {
        return Err(response_error::forbidden(
            Forbidden::Subscription,
            format!("the consumer group[{}] is forbidden for topic[{}]", header.consumer_group, header.topic),
        ));
    }
    let subscription = group.subscription(&header.topic).ok_or_else(|| {
        ResponseError::new(ResponseCode::SUBSCRIPTION_NOT_EXIST, "the consumer's subscription not exist")
    })?;
    if subscription.version < header.sub_version.unwrap_or(0) {
        return Err(ResponseError::new(
            ResponseCode::SUBSCRIPTION_NOT_LATEST,
            "the consumer's subscription not latest",
        ));
    }
    Ok(subscription)
}

/// The refusal that sends a client to the offset it was reset to.
fn moved(
    broker: &Broker,
    group: &SubscriptionGroupConfig,
    topic: &Topic,
    topic_sys_flag: i32,
    queue_id: QueueId,
    offset: QueueOffset,
) -> ResponseError {
    let min = broker.store.min_queue_offset(topic.as_str(), queue_id);
    let max = broker.store.max_queue_offset(topic.as_str(), queue_id);
    ResponseError::new(ResponseCode::PULL_OFFSET_MOVED, "OFFSET_RESET")
        .field("suggestWhichBrokerId", group.broker_id)
        .field("nextBeginOffset", offset)
        .field("minOffset", min)
        .field("maxOffset", max)
        .field("topicSysFlag", topic_sys_flag)
        .field("groupSysFlag", group.group_sys_flag)
}

impl Pull {
    /// Reads once. An answer with messages is written at once; any other outcome is given back.
    pub(crate) fn read(&self, broker: &Broker, out: &mut Outbox) -> Option<GetOutcome> {
        let begun = Instant::now();
        let read = broker.store.get(&GetRequest {
            topic: self.topic.as_str(),
            queue_id: self.queue_id,
            queue_offset: self.queue_offset,
            max_messages: self.max_messages,
            filter: self.filter.as_deref(),
        });
        let took = begun.elapsed();
        broker.stats.read_took(took);
        let outcome = match read {
            Ok(outcome) => outcome,
            Err(error) => {
                tracing::error!(%error, "a pull cannot be served");
                self.answered(broker, ResponseCode::SYSTEM_ERROR);
                Response::from(ResponseError::system(error.to_string())).write(&self.question, out);
                return None;
            }
        };
        if outcome.status != GetStatus::Found {
            broker.stats.missed();
            return Some(outcome);
        }
        broker.stats.fetched(u64::from(outcome.message_count));
        self.gets.count(&broker.stats, i64::from(outcome.message_count), outcome.total_bytes as i64);
        self.latency.add(millis(took), 1);
        let (group, topic) = (&self.group.group_name, self.topic.as_str());
        if outcome.cold_bytes > 0 && broker.settings.read().store.cold_data_flow_control_enable {
            broker.cold_reads.note(group, outcome.cold_bytes as i64, broker.clock.now_ms());
        }
        broker.offsets.note_pulled(group, topic, self.queue_id, outcome.next_begin_offset.0);
        self.answer(broker, outcome, out);
        None
    }

    /// Whether a read that ended so is one to wait after: upstream's code 19.
    fn waits_after(&self, status: GetStatus) -> bool {
        match status {
            GetStatus::OffsetOverflowOne | GetStatus::OffsetFoundNull => true,
            // Nothing was ever written: only a pull at 0 waits, any other is sent to 0.
            GetStatus::NoMatchedLogicQueue | GetStatus::NoMessageInQueue => self.queue_offset == QueueOffset::ZERO,
            _ => false,
        }
    }

    /// Counts an answer for Prometheus.
    fn answered(&self, broker: &Broker, code: ResponseCode) {
        if let (Some(metrics), Some(came)) = (&broker.metrics, self.came) {
            metrics.answered(&self.question, code, self.was_held, came);
        }
    }

    /// Writes the answer to an outcome.
    pub(crate) fn answer(&self, broker: &Broker, outcome: GetOutcome, out: &mut Outbox) {
        let code = match outcome.status {
            GetStatus::Found => ResponseCode::SUCCESS,
            GetStatus::NoMatchedMessage | GetStatus::MessageWasRemoving => ResponseCode::PULL_RETRY_IMMEDIATELY,
            GetStatus::NoMatchedLogicQueue | GetStatus::NoMessageInQueue if self.queue_offset == QueueOffset::ZERO => {
                ResponseCode::PULL_NOT_FOUND
            }
            GetStatus::OffsetFoundNull | GetStatus::OffsetOverflowOne => ResponseCode::PULL_NOT_FOUND,
            GetStatus::NoMatchedLogicQueue
            | GetStatus::NoMessageInQueue
            | GetStatus::OffsetOverflowBadly
            | GetStatus::OffsetTooSmall => ResponseCode::PULL_OFFSET_MOVED,
        };
        self.answered(broker, code);
        if self.question.one_way {
            return;
        }
        let reads_slowly = broker.settings.read().broker.slave_read_enable;
        let suggested = match (reads_slowly, outcome.suggest_pulling_from_slave) {
            (false, _) => 0,
            (true, true) => self.group.which_broker_when_consume_slowly,
            (true, false) => self.group.broker_id,
        };
        let mut head = HeaderHead::answer(code, self.question.opaque);
        head.remark = Some(outcome.status.name());
        let fields = |sink: &mut boostermq_remoting::header::FieldSink<'_>| {
            sink.integer("suggestWhichBrokerId", suggested);
            sink.integer("nextBeginOffset", outcome.next_begin_offset.0);
            sink.integer("minOffset", outcome.min_offset.0);
            sink.integer("maxOffset", outcome.max_offset.0);
            sink.integer("topicSysFlag", i64::from(self.topic_sys_flag));
            sink.integer("groupSysFlag", i64::from(self.group.group_sys_flag));
        };
        out.frame(self.question.codec, &head, fields, outcome.slices, outcome.total_bytes);
    }
}

/// Gives a pull back that may be carried out now. One of old messages by a group that has read its part of them waits for a moment
/// and then reads a single one, or is told that the broker is busy where its client is one that tries again by itself.
fn limit_old(broker: &Arc<Broker>, connection: &Arc<Connection>, pull: Pull, out: &mut Outbox) -> Option<Pull> {
    let settings = broker.settings.read();
    let group = &pull.group.group_name;
    if !settings.store.cold_data_flow_control_enable || !broker.cold_reads.is_over(group, &settings.broker) {
        return Some(pull);
    }
    let at = broker.store.physical_offset(pull.topic.as_str(), pull.queue_id, pull.queue_offset);
    if at.ok().flatten().is_none_or(|at| broker.store.is_in_memory(at)) {
        return Some(pull);
    }
    let pulls_by_itself =
        broker.consumers.find(group).is_some_and(|group| group.mode().0 == Some(ConsumeType::Actively));
    let place = if pulls_by_itself { broker.cold_reads.place() } else { None };
    let Some(place) = place else {
        pull.answered(broker, ResponseCode::SYSTEM_BUSY);
        let remark = "This consumer group is reading cold data. It has been flow control";
        Response::with_code(ResponseCode::SYSTEM_BUSY, remark).write(&pull.question, out);
        return None;
    };
    let held = HeldPull {
        connection: connection.clone(),
        deadline: Instant::now() + OLD_PAUSE,
        pull: Pull { max_messages: 1, was_held: true, ..pull },
    };
    let broker = broker.clone();
    tokio::spawn(async move {
        tokio::time::sleep(OLD_PAUSE).await;
        answer_held(&broker, held);
        drop(place);
    });
    None
}

/// Parks a pull; a message that came in between has not been missed.
fn hold_pull(broker: &Arc<Broker>, connection: &Arc<Connection>, pull: Pull, hold: Duration, out: &mut Outbox) {
    let (topic, queue_id, offset) = (pull.topic.clone(), pull.queue_id, pull.queue_offset);
    let (group, question) = (pull.group.clone(), pull.question);
    let held = HeldPull {
        connection: connection.clone(),
        deadline: Instant::now() + hold,
        pull: Pull { was_held: true, ..pull },
    };
    if broker.holds.hold(held).is_err() {
        tracing::warn!(peer = %connection.peer(), "a pull is refused: too many are held");
        return Response::with_code(ResponseCode::SYSTEM_BUSY, "[OVERLOAD]system busy, start flow control for a while")
            .write(&question, out);
    }
    let max = broker.store.max_queue_offset(topic.as_str(), queue_id);
    if max > offset {
        broker.holds.release_readable(broker, topic.as_str(), queue_id, max);
    }
    if broker.offsets.has_reset(&group.group_name, topic.as_str(), queue_id) {
        broker.holds.release_group(broker, &group.group_name, topic.as_str(), queue_id);
    }
}

/// Carries a held pull out once more and answers it whatever comes of it. Runs wherever the wake-up happened.
pub(crate) fn answer_held(broker: &Broker, held: HeldPull) {
    let HeldPull { connection, pull, .. } = held;
    // Read before the connection is asked to write: nobody waits for it meanwhile.
    let mut answer = Outbox::default();
    let group = &pull.group;
    if let Some(offset) = broker.offsets.take_reset(&group.group_name, pull.topic.as_str(), pull.queue_id) {
        let sys_flag = pull.topic_sys_flag;
        let moved = moved(broker, group, &pull.topic, sys_flag, pull.queue_id, QueueOffset(offset));
        pull.answered(broker, moved.code);
        Response::from(moved).write(&pull.question, &mut answer);
    } else if let Some(outcome) = pull.read(broker, &mut answer) {
        pull.answer(broker, outcome, &mut answer);
    }
    connection.send(|out| out.append(&mut answer));
}

#[cfg(test)]
mod tests;
