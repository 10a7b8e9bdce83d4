//! The Kafka client: the only file that calls librdkafka.
//!
//! ```text
//!            ┌ Client ──────────────────────────────────────────────────────────────┐
//!  load ────▶│ Slot { batch, next, held } ──produceva(pointer)──▶ BaseProducer       │
//!            │   ▲ free when next is at the end and held is 0        │ poll          │
//!  reports ◀─│   └────────────── Inbox ◀── Context::delivery ◀───────┘               │
//!            └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! # Why payloads need no copy
//!
//! A record's payload is handed over as a pointer (`msgflags` 0), so it must neither move nor change until librdkafka
//! is done with it. A [`Slot`] owns the batch that the pointers lead into. Only this file can reach a slot, and
//! it changes a batch in one place, [`Client::load`], which takes slots of the free list only. A slot is on the free
//! list when all its records that were handed over have had their delivery report (`held` is 0). librdkafka reports
//! each message that it accepted exactly once, or not at all when the client is destroyed; and destruction
//! (`rd_kafka_destroy`, which joins all of librdkafka's threads) always comes before the slots are freed: the fields of
//! [`Client`] are dropped in order of declaration, topics, then producer, then slots.

use std::ffi::{CString, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext, PurgeConfig};

use super::errors::{Row, row};
use super::lane::Share;
use super::{Config, Headers};
use crate::record::LaneId;
use crate::spool::{Batch, ReadLimit};

/// Records a slot may hold: few enough that a slot is soon free again, and 9 bits of the opaque value.
pub(super) const SLOT_RECORDS_MAX: usize = 500;

/// Bytes a slot may hold. Its buffer grows by doubling, so 192 KiB keeps it at 256 KiB in most cases.
pub(super) const SLOT_BYTES_MAX: usize = 192 * 1024;

/// What the window sets aside for one slot: the buffer that [`SLOT_BYTES_MAX`] leads to.
const SLOT_BUFFER_BYTES: usize = 256 * 1024;

/// Free slots that are kept when there is nothing to send; the memory of the others is given back.
const SLOTS_KEPT_WHEN_IDLE: usize = 4;

/// Bits of the opaque value that hold the place in the slot.
const ENTRY_BITS: u32 = 16;

/// How long closing waits for the reports of purged records.
const PURGE_TIME_MAX: Duration = Duration::from_secs(1);

/// The same line of librdkafka's is logged once in this time.
const LOG_MUTE: Duration = Duration::from_secs(30);

/// How many kinds of lines the mute tells apart; librdkafka has some dozens.
const LOG_KINDS_MAX: usize = 64;

/// How many error events are kept between two polls; more of them say nothing new.
const ERRORS_KEPT_MAX: usize = 64;

/// librdkafka's `reconnect.backoff.max.ms`: 5 s after a broker is back it has been tried again.
const RECONNECT_BACKOFF_MS_MAX: &str = "5000";

/// librdkafka's `topic.metadata.propagation.max.ms`: how long a missing topic may be one that has just been made.
const TOPIC_PROPAGATION_MS_MAX: &str = "5000";

/// A slot's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotId(usize);

/// Records on their way: a batch of one lane.
#[derive(Debug, Default)]
struct Slot {
    batch: Batch,
    lane: u16,
    /// The next record to hand over.
    next: usize,
    /// Records handed over and not reported.
    held: usize,
    /// Whether it is on the free list.
    free: bool,
}

/// What became of handing over a slot's next record.
#[derive(Debug)]
pub(super) enum Sent {
    /// It is in flight.
    Handed(u64),
    /// There is no next record.
    Done,
    /// The client's queue is full. The record is still the next.
    Full,
    /// The client has a fatal error and takes nothing any more. The record is still the next.
    Fatal,
    /// The client does not take it. The record behind it is the next now.
    Refused(Settled),
}

/// A record whose fate is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    pub lane: LaneId,
    pub number: u64,
    /// Of the payload.
    pub bytes: usize,
    pub result: Result<(), Failure>,
}

/// An error code and its row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure {
    pub code: Code,
    pub row: &'static Row,
}

impl Failure {
    fn new(code: Code) -> Failure {
        Failure {
            code,
            row: row(code),
        }
    }
}

/// An error event of the client's: about a broker, the cluster or the client itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ErrorEvent {
    pub code: Code,
    pub reason: String,
}

impl ErrorEvent {
    pub fn failure(&self) -> Failure {
        Failure::new(self.code)
    }
}

#[derive(Debug, Clone, Copy)]
struct Report {
    opaque: usize,
    error: Option<Code>,
}

/// Where callbacks leave what they were told. They run on the thread that polls, so the locks are never waited for.
#[derive(Default)]
pub(super) struct Inbox {
    reports: Mutex<Vec<Report>>,
    errors: Mutex<Errors>,
    log: Mutex<Vec<LogKind>>,
}

#[derive(Default)]
struct Errors {
    events: Vec<ErrorEvent>,
    /// The event that rdkafka is about to tell a second time.
    echo: Option<ErrorEvent>,
}

struct LogKind {
    facility: String,
    last: Instant,
    suppressed: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inbox {
    /// rdkafka 0.39 calls the error callback twice for each event (`Client::poll_event`, then
    /// `BaseProducer::handle_error_event`), one after the other: the second call is its echo.
    fn error(&self, event: ErrorEvent) {
        let mut errors = lock(&self.errors);
        if errors.echo.as_ref() == Some(&event) {
            errors.echo = None;
            return;
        }
        errors.echo = Some(event.clone());
        if errors.events.len() < ERRORS_KEPT_MAX {
            errors.events.push(event);
        }
    }

    /// Whether a line of this kind may be written at `now`, and how many were held back since the last one.
    fn may_log(&self, facility: &str, now: Instant) -> Option<u64> {
        let mut kinds = lock(&self.log);
        if let Some(kind) = kinds.iter_mut().find(|kind| kind.facility == facility) {
            if now.duration_since(kind.last) < LOG_MUTE {
                kind.suppressed += 1;
                return None;
            }
            kind.last = now;
            return Some(std::mem::take(&mut kind.suppressed));
        }
        if kinds.len() >= LOG_KINDS_MAX {
            return None;
        }
        kinds.push(LogKind {
            facility: facility.to_owned(),
            last: now,
            suppressed: 0,
        });
        Some(0)
    }
}

struct Context(Arc<Inbox>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let Some(suppressed) = self.0.may_log(facility, Instant::now()) else {
            return;
        };
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => {
                tracing::warn!(facility, message, suppressed, "kafka client");
            }
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => {
                tracing::info!(facility, message, suppressed, "kafka client");
            }
            RDKafkaLogLevel::Debug => {
                tracing::debug!(facility, message, suppressed, "kafka client");
            }
        }
    }

    // Statistics are off unless asked for in the options; then they must not cost a parse.
    fn stats_raw(&self, _: &[u8]) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(ErrorEvent {
            code: error.rdkafka_error_code().unwrap_or(Code::Fail),
            reason: reason.to_owned(),
        });
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let error = result
            .as_ref()
            .err()
            .map(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Fail));
        lock(&self.0.reports).push(Report { opaque, error });
    }
}

/// A topic of a client: spares librdkafka a search by name for each record.
struct Topic(*mut rd::rd_kafka_topic_t);

impl Topic {
    fn new(producer: &BaseProducer<Context>, name: &str) -> Option<Topic> {
        let name = CString::new(name).ok()?;
        // SAFETY: the client's handle is valid while `producer` lives; `name` is copied; a null configuration means the
        // default one.
        let topic = unsafe {
            rd::rd_kafka_topic_new(
                producer.client().native_ptr(),
                name.as_ptr(),
                std::ptr::null_mut(),
            )
        };
        (!topic.is_null()).then_some(Topic(topic))
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: the handle came from rd_kafka_topic_new, is given back once, and before its client is destroyed
        // (see the order of the fields of `Client`). Messages in flight hold references of their own.
        unsafe { rd::rd_kafka_topic_destroy(self.0) }
    }
}

/// Headers as librdkafka wants them.
struct NativeHeader {
    name: &'static std::ffi::CStr,
    value: String,
}

/// One producer with all that it needs. Lives on one thread.
pub(super) struct Client {
    // The order of these three fields matters: see the head of this file.
    topics: Vec<Topic>,
    producer: BaseProducer<Context>,
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    held: Vec<Share>,
    headers: Vec<NativeHeader>,
    topic_names: Vec<String>,
    inbox: Arc<Inbox>,
    reports: Vec<Report>,
}

impl Client {
    /// Makes a producer. It connects in the background. The error says why in librdkafka's words.
    pub fn open(config: &Config) -> Result<Client, String> {
        let mut native = native_config(config);
        if let Some(servers) = &config.bootstrap_servers {
            native.set("bootstrap.servers", servers);
        }
        let inbox = Arc::new(Inbox::default());
        let producer = create(&native, &inbox)?;
        let topics: Option<Vec<Topic>> = config
            .topics
            .iter()
            .map(|name| Topic::new(&producer, name))
            .collect();
        let topics = topics.ok_or("a topic's name is not possible")?;
        Ok(Client {
            held: vec![Share::default(); topics.len()],
            topics,
            producer,
            slots: Vec::new(),
            free: Vec::new(),
            headers: native_headers(&config.headers),
            topic_names: config.topics.clone(),
            inbox,
            reports: Vec::new(),
        })
    }

    /// What each lane holds of the window.
    pub fn held(&self) -> &[Share] {
        &self.held
    }

    /// Takes a free slot and lets `read` fill its batch with records of `lane`. `None` when it read nothing.
    pub fn load(
        &mut self,
        lane: LaneId,
        limit: ReadLimit,
        read: impl FnOnce(ReadLimit, &mut Batch) -> usize,
    ) -> Option<SlotId> {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            SlotId(self.slots.len() - 1)
        });
        let slot = self.slots.get_mut(id.0)?;
        slot.lane = lane.0;
        slot.next = 0;
        slot.held = 0;
        slot.free = false;
        let limit = ReadLimit {
            records: limit.records.min(SLOT_RECORDS_MAX),
            bytes: limit.bytes.min(SLOT_BYTES_MAX),
        };
        if read(limit, &mut slot.batch) == 0 {
            slot.free = true;
            self.free.push(id);
            return None;
        }
        let share = self.held.get_mut(usize::from(lane.0))?;
        share.records += slot.batch.entries().len();
        share.bytes += slot.batch.bytes_len();
        share.slots += 1;
        Some(id)
    }

    /// Hands over the next record of a slot.
    pub fn send_next(&mut self, id: SlotId) -> Sent {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return Sent::Done;
        };
        let lane = usize::from(slot.lane);
        let (Some(entry), Some(topic)) =
            (slot.batch.entries().get(slot.next), self.topics.get(lane))
        else {
            return Sent::Done;
        };
        let record = Handing {
            topic,
            key: slot.batch.key(entry),
            payload: slot.batch.payload(entry),
            // 0 would mean "now" to librdkafka, and -1 no time at all.
            timestamp_ms: entry.received.as_millis().max(1),
            opaque: id.0 << ENTRY_BITS | slot.next,
            headers: &self.headers,
        };
        let number = entry.number.0;
        let bytes = record.payload.len();
        // SAFETY: key and payload lie in the batch of slot `id`. It is not on the free list, and `held`, which goes up
        // below, keeps it off that list until the record's report is in; until then nothing changes the batch.
        match unsafe { record.hand_over(&self.producer) } {
            Ok(()) => {
                slot.held += 1;
                slot.next += 1;
                Sent::Handed(number)
            }
            Err(Code::QueueFull) => Sent::Full,
            Err(Code::Fatal) => Sent::Fatal,
            Err(code) => {
                slot.next += 1;
                Sent::Refused(Settled {
                    lane: LaneId(slot.lane),
                    number,
                    bytes,
                    result: Err(Failure::new(code)),
                })
            }
        }
    }

    /// Says that no more of this slot is to be handed over. It becomes free when its last report is in.
    pub fn finish(&mut self, id: SlotId) {
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.next = slot.batch.entries().len();
        }
        self.free_if_done(id);
    }

    fn free_if_done(&mut self, id: SlotId) {
        let Some(slot) = self.slots.get_mut(id.0) else {
            return;
        };
        if slot.free || slot.held > 0 || slot.next < slot.batch.entries().len() {
            return;
        }
        slot.free = true;
        self.free.push(id);
        if let Some(share) = self.held.get_mut(usize::from(slot.lane)) {
            share.records = share.records.saturating_sub(slot.batch.entries().len());
            share.bytes = share.bytes.saturating_sub(slot.batch.bytes_len());
            share.slots = share.slots.saturating_sub(1);
        }
    }

    /// Serves the client for `timeout`, then tells `each` which records' fate became known.
    pub fn poll(&mut self, timeout: Duration, each: impl FnMut(Settled)) {
        self.producer.poll(timeout);
        self.take_reports(each);
    }

    fn take_reports(&mut self, mut each: impl FnMut(Settled)) {
        let mut reports = std::mem::take(&mut self.reports);
        std::mem::swap(&mut reports, &mut *lock(&self.inbox.reports));
        for report in reports.drain(..) {
            let id = SlotId(report.opaque >> ENTRY_BITS);
            let place = report.opaque & ((1 << ENTRY_BITS) - 1);
            let Some(slot) = self.slots.get_mut(id.0) else {
                continue;
            };
            let Some(entry) = slot.batch.entries().get(place) else {
                continue;
            };
            each(Settled {
                lane: LaneId(slot.lane),
                number: entry.number.0,
                bytes: slot.batch.payload(entry).len(),
                result: report.error.map_or(Ok(()), |code| Err(Failure::new(code))),
            });
            slot.held = slot.held.saturating_sub(1);
            self.free_if_done(id);
        }
        self.reports = reports;
    }

    /// Error events since the last call.
    pub fn take_errors(&self) -> Vec<ErrorEvent> {
        std::mem::take(&mut lock(&self.inbox.errors).events)
    }

    /// The client's fatal error, if it has one: the code and librdkafka's words.
    pub fn fatal(&self) -> Option<(Failure, String)> {
        let fatal = self.producer.client().fatal_error();
        fatal.map(|(code, text)| (Failure::new(code), text))
    }

    /// Sends what waits for company now, as if linger were 0, for about `time`.
    pub fn hurry(&self, time: Duration) {
        let time_ms = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the client's handle is valid while `producer` lives. With delivery reports as events, which is how
        // BaseProducer sets it up, the call only waits; its result says whether all was sent, which the reports say too.
        unsafe {
            rd::rd_kafka_flush(self.producer.client().native_ptr(), time_ms);
        }
    }

    /// Asks the cluster about a lane's topic and does not wait for the answer: it changes what librdkafka knows of the
    /// topic when it comes in.
    pub fn ask_about(&self, lane: usize) {
        if let Some(topic) = self.topic_names.get(lane) {
            // The result can only be "timed out" or "no broker".
            let _ = self
                .producer
                .client()
                .fetch_metadata(Some(topic), Duration::ZERO);
        }
    }

    /// Whether a broker answers within `timeout`.
    pub fn is_answered(&self, timeout: Duration) -> bool {
        self.topic_names.first().is_some_and(|topic| {
            let client = self.producer.client();
            client.fetch_metadata(Some(topic), timeout).is_ok()
        })
    }

    /// Gives back the memory of free slots but for the few that are used next.
    pub fn shrink(&mut self) {
        for id in self.free.iter().rev().skip(SLOTS_KEPT_WHEN_IDLE) {
            if let Some(slot) = self.slots.get_mut(id.0) {
                slot.batch = Batch::default();
            }
        }
    }

    /// Takes back what is in flight, tells `each` of every report that is still coming, and closes the client. A
    /// record without a report was not settled either.
    pub fn close(mut self, each: impl FnMut(Settled)) {
        self.producer
            .purge(PurgeConfig::default().queue().inflight());
        let deadline = Instant::now() + PURGE_TIME_MAX;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(Duration::from_millis(10));
        }
        self.take_reports(each);
        // `self` ends here: topics, producer, slots, in this order.
    }
}

/// One record as produceva takes it.
struct Handing<'a> {
    topic: &'a Topic,
    key: &'a [u8],
    payload: &'a [u8],
    timestamp_ms: i64,
    opaque: usize,
    headers: &'a [NativeHeader],
}

/// Topic, key, payload, time, opaque value, flags, and up to two headers.
const PARTS_MAX: usize = 8;

impl Handing<'_> {
    /// Hands the record to the client without copying its payload.
    ///
    /// # Safety
    ///
    /// When this returns `Ok`, the payload's bytes must stay where they are, unchanged, until the record's delivery
    /// report is in or the client is destroyed.
    unsafe fn hand_over(&self, producer: &BaseProducer<Context>) -> Result<(), Code> {
        use rd::rd_kafka_vtype_t as Type;
        use rd::rd_kafka_vu_s__bindgen_ty_1 as Value;
        let part = |vtype, u| rd::rd_kafka_vu_t { vtype, u };
        let bytes = |bytes: &[u8]| Value {
            mem: rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_1 {
                // librdkafka only reads through this pointer.
                ptr: bytes.as_ptr().cast_mut().cast::<c_void>(),
                size: bytes.len(),
            },
        };
        let opaque = self.opaque as *mut c_void;
        let mut parts = [part(Type::RD_KAFKA_VTYPE_END, Value { i: 0 }); PARTS_MAX];
        let fixed = [
            part(Type::RD_KAFKA_VTYPE_RKT, Value { rkt: self.topic.0 }),
            part(Type::RD_KAFKA_VTYPE_KEY, bytes(self.key)),
            part(Type::RD_KAFKA_VTYPE_VALUE, bytes(self.payload)),
            part(
                Type::RD_KAFKA_VTYPE_TIMESTAMP,
                Value {
                    i64_: self.timestamp_ms,
                },
            ),
            part(Type::RD_KAFKA_VTYPE_OPAQUE, Value { ptr: opaque }),
            // Neither F_COPY nor F_FREE: the payload stays ours.
            part(Type::RD_KAFKA_VTYPE_MSGFLAGS, Value { i: 0 }),
        ];
        let headers = self.headers.iter().map(|header| {
            let header = rd::rd_kafka_vu_s__bindgen_ty_1__bindgen_ty_2 {
                name: header.name.as_ptr(),
                val: header.value.as_ptr().cast::<c_void>(),
                size: header.value.len().cast_signed(),
            };
            part(Type::RD_KAFKA_VTYPE_HEADER, Value { header })
        });
        let mut count = 0;
        for (to, from) in parts.iter_mut().zip(fixed.into_iter().chain(headers)) {
            *to = from;
            count += 1;
        }
        // SAFETY: the client and the topic handle are alive (both belong to the same `Client`); the first `count` parts
        // are set, each with the member of the union that its type names; key and headers are copied by the call;
        // the payload lives as long as the caller promises.
        unsafe {
            let error =
                rd::rd_kafka_produceva(producer.client().native_ptr(), parts.as_ptr(), count);
            if error.is_null() {
                return Ok(());
            }
            let code = rd::rd_kafka_error_code(error);
            rd::rd_kafka_error_destroy(error);
            Err(code.into())
        }
    }
}

/// How many slots there may be: their buffers fill the window of bytes, and each lane can have at least one.
pub(super) fn slots_max(config: &Config) -> usize {
    (config.window_bytes / SLOT_BUFFER_BYTES).max(2 * config.topics.len())
}

fn native_headers(headers: &Headers) -> Vec<NativeHeader> {
    match headers {
        Headers::None => Vec::new(),
        Headers::Standard { schema, agent } => vec![
            NativeHeader {
                name: c"schema",
                value: schema.clone(),
            },
            NativeHeader {
                name: c"agent",
                value: agent.clone(),
            },
        ],
    }
}

/// The properties that we set. Those that [`super::reserved`] does not name are defaults that options may change.
pub(super) fn fixed(config: &Config) -> Vec<(&'static str, String)> {
    // One record more than the window and a KiB for each, so that it is our window that limits, not this queue; and
    // one record of the largest size beyond it, which a read may return.
    let kbytes = config.window_bytes / 1024 + config.window_records + 2 * 1024;
    let own = [
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        ("enable.gapless.guarantee", "true".to_owned()),
        ("message.timeout.ms", "0".to_owned()),
        ("partitioner", "murmur2_random".to_owned()),
        ("compression.codec", config.compression.as_str().to_owned()),
        ("linger.ms", config.linger_ms.to_string()),
        ("batch.size", config.batch_bytes.to_string()),
        ("batch.num.messages", config.batch_records.to_string()),
        (
            "queue.buffering.max.messages",
            config.window_records.saturating_add(1).to_string(),
        ),
        ("queue.buffering.max.kbytes", kbytes.to_string()),
        ("client.id", "trapline".to_owned()),
        (
            "reconnect.backoff.max.ms",
            RECONNECT_BACKOFF_MS_MAX.to_owned(),
        ),
        (
            "topic.metadata.propagation.max.ms",
            TOPIC_PROPAGATION_MS_MAX.to_owned(),
        ),
        ("socket.keepalive.enable", "true".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    own.into()
}

/// Everything but the brokers' addresses.
fn native_config(config: &Config) -> ClientConfig {
    let mut native = ClientConfig::new();
    for (key, value) in fixed(config) {
        native.set(key, value);
    }
    for (key, value) in &config.options.0 {
        native.set(key, value);
    }
    let is_tls = |(key, value): (&String, &String)| {
        key == "security.protocol" && value.to_ascii_lowercase().ends_with("ssl")
    };
    let has_ca = |key: &String| key.starts_with("ssl.ca.") || key.starts_with("ssl.keystore.");
    // The OpenSSL that is linked in does not know where this system keeps its certificates.
    if config.options.0.iter().any(is_tls) && !config.options.0.keys().any(has_ca) {
        native.set("ssl.ca.location", "probe");
    }
    let debug = config.options.0.contains_key("debug");
    native.set_log_level(if debug {
        RDKafkaLogLevel::Debug
    } else {
        RDKafkaLogLevel::Info
    });
    native
}

fn create(native: &ClientConfig, inbox: &Arc<Inbox>) -> Result<BaseProducer<Context>, String> {
    let created = BaseProducer::from_config_and_context(native, Context(Arc::clone(inbox)));
    created.map_err(|error| match error {
        // This one's own text holds the value, which may be a secret.
        KafkaError::ClientConfig(_, _, key, _) => format!("'{key}' has an impossible value"),
        KafkaError::ClientCreation(text) => text,
        other => other.to_string(),
    })
}

/// librdkafka's objection to one property, if it has any.
pub(super) fn refusal(key: &str, value: &str) -> Option<String> {
    let mut native = ClientConfig::new();
    native.set(key, value);
    match native.create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(_, why, ..)) => Some(why),
        Err(other) => Some(other.to_string()),
    }
}

/// librdkafka's objection to all properties together, if it has any. The client that is made for it has no broker to
/// connect to.
pub(super) fn refusal_together(config: &Config) -> Option<String> {
    create(&native_config(config), &Arc::new(Inbox::default())).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_told_twice_counts_once() {
        let inbox = Inbox::default();
        let event = |code, reason: &str| ErrorEvent {
            code,
            reason: reason.to_owned(),
        };
        for _ in 0..2 {
            inbox.error(event(Code::Resolve, "a"));
            inbox.error(event(Code::Resolve, "a"));
        }
        inbox.error(event(Code::Fatal, "b"));
        inbox.error(event(Code::Fatal, "b"));
        let events = lock(&inbox.errors).events.clone();
        assert_eq!(events.len(), 3, "{events:?}");
    }

    #[test]
    fn the_same_kind_of_line_is_logged_once_in_its_time_and_says_how_many_were_held_back() {
        let inbox = Inbox::default();
        let start = Instant::now();
        assert_eq!(inbox.may_log("FAIL", start), Some(0));
        assert_eq!(inbox.may_log("FAIL", start), None);
        assert_eq!(inbox.may_log("ERROR", start), Some(0));
        assert_eq!(inbox.may_log("FAIL", start + LOG_MUTE), Some(1));
    }

    #[test]
    fn a_slot_is_free_again_only_when_all_its_records_are_reported() {
        let mut config = Config::new(vec!["t".to_owned()]);
        config.bootstrap_servers = Some("127.0.0.1:1".to_owned());
        let mut client = Client::open(&config).unwrap();
        let spool = crate::spool::Spool::new(&crate::spool::Config {
            bytes_max: 1 << 20,
            when_full: crate::spool::WhenFull::DropNewest,
            topics: config.topics.clone(),
            disk: None,
        });
        for _ in 0..3 {
            let record = crate::record::Record {
                lane: LaneId(0),
                received: crate::time::UnixMicros(1),
                key: b"k",
                payload: b"{}",
                number_at: 1,
                origin: crate::record::Origin::Packet,
            };
            spool.append(&record).unwrap();
        }
        let limit = ReadLimit {
            records: 10,
            bytes: 1_000,
        };
        let read = |limit, batch: &mut Batch| spool.read(LaneId(0), limit, batch);
        let slot = client.load(LaneId(0), limit, read).unwrap();
        while let Sent::Handed(_) = client.send_next(slot) {}
        client.finish(slot);
        assert!(client.free.is_empty());
        assert_eq!(client.held()[0].records, 3);
        client.producer.purge(PurgeConfig::default().queue());
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut settled = Vec::new();
        while settled.len() < 3 && Instant::now() < deadline {
            client.poll(Duration::from_millis(5), |record| settled.push(record));
        }
        let numbers: Vec<u64> = settled.iter().map(|record| record.number).collect();
        assert_eq!(numbers, [0, 1, 2]);
        assert_eq!(client.free, [slot]);
        assert_eq!(client.held()[0], Share::default());
    }
}
