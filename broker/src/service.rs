//! What the broker does with the requests of a connection: the two hot ones here, all others by the router.

use std::sync::Arc;

use boostermq_remoting::net::connection::Connection;
use boostermq_remoting::net::outbox::Outbox;
use boostermq_remoting::net::server::{Incoming, Service};
use boostermq_remoting::request::RequestKind;
use boostermq_remoting::request::pull::{LitePullMessage, PullMessage};
use boostermq_remoting::request::send::{SendBatchMessage, SendMessage, SendMessageV2};
use boostermq_remoting::request::transaction::EndTransaction;

use crate::broker::Broker;
use crate::processor::pull::PullSession;
use crate::processor::send::SendSession;

const SEND: i32 = SendMessage::ROW.code.0;
const SEND_V2: i32 = SendMessageV2::ROW.code.0;
const SEND_BATCH: i32 = SendBatchMessage::ROW.code.0;
const END_TRANSACTION: i32 = EndTransaction::ROW.code.0;
const PULL: i32 = PullMessage::ROW.code.0;
const LITE_PULL: i32 = LitePullMessage::ROW.code.0;

/// What is kept for a connection.
pub(crate) struct Session {
    /// Made with the first send: a consumer's connection does without.
    send: Option<Box<SendSession>>,
    pull: PullSession,
    /// Messages were appended since the answers were last written.
    appended: bool,
}

impl Session {
    fn append(&mut self, broker: &Arc<Broker>, connection: &Arc<Connection>, out: &mut Outbox) {
        if let Some(send) = self.send.as_mut().filter(|send| !send.is_empty()) {
            send.append(broker, connection, out);
            self.appended = true;
        }
    }
}

impl Service for Broker {
    type Session = Session;

    fn open(self: &Arc<Self>, _: &Arc<Connection>) -> Session {
        self.stats.connected();
        Session { send: None, pull: PullSession::default(), appended: false }
    }

    fn request(self: &Arc<Self>, session: &mut Session, incoming: &Incoming<'_>, out: &mut Outbox) {
        match incoming.header.code {
            SEND | SEND_V2 | SEND_BATCH => {
                let send = session.send.get_or_insert_with(|| Box::new(SendSession::new(self.metrics.as_ref())));
                send.send(self, incoming, out);
            }
            END_TRANSACTION => {
                let send = session.send.get_or_insert_with(|| Box::new(SendSession::new(self.metrics.as_ref())));
                send.end_transaction(self, incoming, out);
            }
            code @ (PULL | LITE_PULL) if !self.router.is_barred(incoming) => {
                session.append(self, incoming.connection, out);
                session.pull.pull(self, incoming, code == LITE_PULL, out);
            }
            _ => {
                // What was sent before this request is there when it is carried out.
                session.append(self, incoming.connection, out);
                self.router.handle(self, incoming, out);
            }
        }
    }

    fn end_of_read(self: &Arc<Self>, session: &mut Session, connection: &Arc<Connection>, out: &mut Outbox) {
        session.append(self, connection, out);
    }

    fn written(self: &Arc<Self>, session: &mut Session) {
        if std::mem::take(&mut session.appended) {
            // The producers have their answers; now whoever waits for the messages gets them.
            self.store.dispatch_now();
        }
    }

    fn close(self: &Arc<Self>, session: Session, connection: &Arc<Connection>) {
        if session.pull.has_held {
            self.holds.forget(connection.id());
        }
        self.stats.closed();
        crate::clients::connection_closed(self, connection);
    }
}
