//! What the properties of a message ask of the broker, found in one pass.

use boostermq_remoting::message::properties::Properties;
use boostermq_remoting::message::property_name as property;
use boostermq_remoting::router::ResponseError;

use crate::broker::Broker;
use crate::metrics::MessageKind;
use crate::response_error;
use crate::timer::due::Wish;

/// What the broker looks for in the properties of a message.
pub(super) struct SeenProperties<'a> {
    pub(super) unique_key: Option<&'a str>,
    pub(super) delay_level: i32,
    pub(super) waits: bool,
    pub(super) is_transaction: bool,
    pub(super) is_timer: bool,
    /// When the sender wants the message delivered.
    pub(super) wish: Wish<'a>,
    pub(super) has_pop_check_point: bool,
    /// The light queues it is to stand in, too.
    light_queues: Option<&'a str>,
    /// It is one of a sequence.
    is_ordered: bool,
}

impl<'a> SeenProperties<'a> {
    pub(super) fn scan(properties: &'a str) -> Self {
        let mut seen = Self {
            unique_key: None,
            delay_level: 0,
            waits: true,
            is_transaction: false,
            is_timer: false,
            wish: Wish::default(),
            has_pop_check_point: false,
            light_queues: None,
            is_ordered: false,
        };
        for (name, value) in Properties(properties).iter() {
            match name {
                property::UNIQ_KEY => seen.unique_key = Some(value),
                property::WAIT => seen.waits = !value.eq_ignore_ascii_case("false"),
                property::DELAY => seen.delay_level = value.parse().unwrap_or(0),
                property::TRAN_MSG => seen.is_transaction = value.eq_ignore_ascii_case("true"),
                property::POP_CK => seen.has_pop_check_point = true,
                property::SHARDING_KEY => seen.is_ordered = true,
                property::INNER_MULTI_DISPATCH => seen.light_queues = Some(value),
                _ => seen.wish.note(name, value),
            }
        }
        let wish = &seen.wish;
        seen.is_timer = wish.delay_sec.is_some() || wish.delay_ms.is_some() || wish.deliver_ms.is_some();
        seen
    }

    /// The half message of a transaction. What clients before 4.6.1 try again keeps the mark of its transaction (RocketMQ 5.5.0).
    pub(super) fn is_half(&self, reconsume_times: i32) -> bool {
        self.is_transaction && !(reconsume_times > 0 && self.delay_level > 0)
    }

    /// What Prometheus is told the message is (RocketMQ 5.5.0).
    pub(super) const fn kind(&self) -> MessageKind {
        match self {
            Self { is_transaction: true, .. } => MessageKind::Transaction,
            Self { is_ordered: true, .. } => MessageKind::Fifo,
            Self { is_timer: true, .. } | Self { delay_level: 1.., .. } => MessageKind::Delay,
            _ => MessageKind::Normal,
        }
    }

    /// Looked at when the message comes, even if it gets into light queues later.
    pub(super) fn check_light_queues(&self, broker: &Broker) -> Result<(), ResponseError> {
        let Some(list) = self.light_queues else { return Ok(()) };
        broker.store.check_light_queues(list).map_err(response_error::from_light_queues)
    }
}
