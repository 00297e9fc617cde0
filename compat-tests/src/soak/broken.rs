//! A broken broker, made of a sound one and a proxy before it. The rules must notice.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::harness::wire::{Answer, Frame};

const SEND_MESSAGE_V2: i64 = 310;
/// How long a send that was answered early waits before the broker gets it.
const UNFLUSHED: Duration = Duration::from_millis(300);
/// The one send that is spoiled comes after so many.
const SPARED: usize = 10;

/// Which promise is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Sends are acknowledged while they still wait in memory, and a kill takes those.
    AckBeforeFlush,
    /// One message is acknowledged and dropped.
    DropOne,
    /// Two acknowledgements carry each other's queue offset.
    SwapOffsets,
}

impl std::str::FromStr for Broken {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ack-before-flush" => Ok(Self::AckBeforeFlush),
            "drop-one" => Ok(Self::DropOne),
            "swap-offsets" => Ok(Self::SwapOffsets),
            _ => Err("ack-before-flush, drop-one and swap-offsets are known".to_owned()),
        }
    }
}

/// Stands between producers and broker.
pub(super) struct Proxy {
    address: String,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    broken: Broken,
    broker: String,
    is_over: AtomicBool,
    sends: AtomicUsize,
    /// Offset of the next message in each topic and queue, as far as answers tell.
    next: Mutex<HashMap<(String, String), i64>>,
    fired: AtomicUsize,
}

impl Proxy {
    pub(super) fn start(broken: Broken, broker: String) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let shared = Arc::new(Shared {
            broken,
            broker,
            is_over: AtomicBool::new(false),
            sends: AtomicUsize::new(0),
            next: Mutex::default(),
            fired: AtomicUsize::new(0),
        });
        let accepting = std::thread::spawn({
            let shared = shared.clone();
            move || {
                for client in listener.incoming().map_while(Result::ok) {
                    if shared.is_over.load(Ordering::Acquire) {
                        return;
                    }
                    // Without a broker the connection is closed, as the broker's own would be.
                    if let Ok(broker) = TcpStream::connect(&shared.broker) {
                        let shared = shared.clone();
                        std::thread::spawn(move || relay(&shared, &client, &broker));
                    }
                }
            }
        });
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    pub(super) fn address(&self) -> String {
        self.address.clone()
    }

    /// How often it broke its promise.
    pub(super) fn fired(&self) -> usize {
        self.shared.fired.load(Ordering::Acquire)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(&self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// One client's connection.
struct Link<'a> {
    shared: &'a Shared,
    client: Mutex<TcpStream>,
    /// Where each unanswered send goes.
    places: Mutex<HashMap<i64, (String, String)>>,
    /// Sends that were answered here: the broker's own answers go nowhere.
    answered: Mutex<HashSet<i64>>,
}

fn relay(shared: &Shared, client: &TcpStream, broker: &TcpStream) {
    let Ok(writer) = client.try_clone() else { return };
    let link = Link { shared, client: Mutex::new(writer), places: Mutex::default(), answered: Mutex::default() };
    let (sender, receiver) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || hand_on(receiver, broker));
        scope.spawn(|| {
            // Any error ends the connection on both sides, below.
            let _ = link.answers(broker);
            let _ = client.shutdown(Shutdown::Both);
        });
        let _ = link.requests(client, &sender);
        drop(sender);
    });
}

/// Gives requests to the broker when their time has come, in their order.
fn hand_on(requests: Receiver<(Instant, Frame)>, mut broker: &TcpStream) {
    for (when, frame) in requests {
        std::thread::sleep(when.saturating_duration_since(Instant::now()));
        if frame.to_bytes().is_ok_and(|bytes| broker.write_all(&bytes).is_err()) {
            break;
        }
    }
    let _ = broker.shutdown(Shutdown::Both);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Link<'_> {
    fn requests(&self, mut client: &TcpStream, broker: &Sender<(Instant, Frame)>) -> Result<()> {
        loop {
            let frame = Frame::read(&mut client)?;
            let header = frame.json()?;
            let opaque = header.get("opaque").and_then(Value::as_i64).context("no opaque")?;
            let field = |name: &str| header.get("extFields")?.get(name)?.as_str().map(str::to_owned);
            let mut when = Instant::now();
            if header.get("code").and_then(Value::as_i64) == Some(SEND_MESSAGE_V2)
                && let (Some(topic), Some(queue)) = (field("b"), field("e"))
            {
                let place = (topic, queue);
                match self.shared.broken {
                    Broken::AckBeforeFlush => {
                        let offset = self.shared.take_next(&place);
                        lock(&self.answered).insert(opaque);
                        self.acknowledge(opaque, &place.1, offset)?;
                        when += UNFLUSHED;
                    }
                    Broken::DropOne if self.shared.is_the_one() => {
                        let offset = self.shared.take_next(&place);
                        self.acknowledge(opaque, &place.1, offset)?;
                        continue;
                    }
                    Broken::DropOne | Broken::SwapOffsets => {
                        lock(&self.places).insert(opaque, place);
                    }
                }
            }
            if broker.send((when, frame)).is_err() {
                return Ok(());
            }
        }
    }

    fn answers(&self, mut broker: &TcpStream) -> Result<()> {
        let mut held: Option<(Frame, (String, String))> = None;
        loop {
            let frame = Frame::read(&mut broker)?;
            let Some((opaque, answer)) = Answer::of(frame.clone())? else { continue };
            if lock(&self.answered).remove(&opaque) {
                continue;
            }
            let Some(place) = lock(&self.places).remove(&opaque) else {
                self.write(&frame)?;
                continue;
            };
            if let Some(offset) = answer.fields.get("queueOffset").and_then(|text| text.parse::<i64>().ok()) {
                let mut next = lock(&self.shared.next);
                let next = next.entry(place.clone()).or_default();
                *next = (*next).max(offset + 1);
            }
            match held.take() {
                Some((first, first_place)) if first_place == place && answer.code == 0 => {
                    let (first, second) = swapped(first, frame)?;
                    self.shared.fired.fetch_add(1, Ordering::AcqRel);
                    self.write(&first)?;
                    self.write(&second)?;
                }
                // Held only when another answer for this queue is sure to follow.
                None if answer.code == 0 && self.is_to_be_swapped(&place) => held = Some((frame, place)),
                kept => {
                    held = kept;
                    self.write(&frame)?;
                }
            }
        }
    }

    fn is_to_be_swapped(&self, place: &(String, String)) -> bool {
        self.shared.broken == Broken::SwapOffsets
            && self.shared.sends.fetch_add(1, Ordering::AcqRel) >= SPARED
            && self.shared.fired.load(Ordering::Acquire) == 0
            && lock(&self.places).values().any(|waiting| waiting == place)
    }

    fn acknowledge(&self, opaque: i64, queue: &str, offset: i64) -> Result<()> {
        let fields = json!({"msgId": "", "queueId": queue, "queueOffset": offset.to_string()});
        let header = json!({"code": 0, "extFields": fields, "flag": 1, "language": "JAVA", "opaque": opaque,
            "serializeTypeCurrentRPC": "JSON", "version": 513});
        self.shared.fired.fetch_add(1, Ordering::AcqRel);
        self.write(&Frame { codec: 0, header: serde_json::to_vec(&header)?, body: Vec::new() })
    }

    fn write(&self, frame: &Frame) -> Result<()> {
        Ok(lock(&self.client).write_all(&frame.to_bytes()?)?)
    }
}

impl Shared {
    fn take_next(&self, place: &(String, String)) -> i64 {
        let mut next = lock(&self.next);
        let next = next.entry(place.clone()).or_default();
        *next += 1;
        *next - 1
    }

    /// True once: for the send after those that are spared.
    fn is_the_one(&self) -> bool {
        self.sends.fetch_add(1, Ordering::AcqRel) == SPARED
    }
}

/// The two answers, each with the other's queue offset.
fn swapped(first: Frame, second: Frame) -> Result<(Frame, Frame)> {
    let offset = |header: &Map<String, Value>| {
        header.get("extFields").and_then(|fields| fields.get("queueOffset")).cloned().context("no queueOffset")
    };
    let (mut one, mut two) = (first.json()?, second.json()?);
    let (of_one, of_two) = (offset(&one)?, offset(&two)?);
    for (header, offset) in [(&mut one, of_two), (&mut two, of_one)] {
        if let Some(Value::Object(fields)) = header.get_mut("extFields") {
            fields.insert("queueOffset".to_owned(), offset);
        }
    }
    let with = |frame: Frame, header| -> Result<Frame> { Ok(Frame { header: serde_json::to_vec(&header)?, ..frame }) };
    Ok((with(first, one)?, with(second, two)?))
}
