//! The Kafka client: one librdkafka producer and the records that are with it.
//!
//! ```text
//!            ┌ Client ──────────────────────────────────────────────────────────────┐
//!  load ────▶│ Slot { batch, next, held } ──Handing(pointer)──▶ BaseProducer         │
//!            │   ▲ free when next is at the end and held is 0        │ poll          │
//!  reports ◀─│   └────────────── Inbox ◀── Context::delivery ◀───────┘               │
//!            └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! In: batches of the spool. Out: what became of handing a record over ([`Sent`]), later its fate ([`Settled`]).
//!
//! # Why payloads need no copy
//!
//! A record's payload is handed over as a pointer (`msgflags` 0), so it must neither move nor change until librdkafka
//! is done with it. A [`Slot`] owns the batch that the pointers lead into: copies that are its own, and segments that it
//! shares with the spool, which nobody can change while they are shared. Only this file can reach a slot, and it changes
//! a batch only where all of its records that were handed over have had their delivery report (`held` is 0) and none is
//! left to hand over: when the slot becomes free, and while it is free. librdkafka reports each message that it accepted
//! exactly once, or not at all when the client is destroyed; and destruction (`rd_kafka_destroy`, which joins all of
//! librdkafka's threads) always comes before slots with unreported records are freed: the fields of [`Client`] are
//! dropped in order of declaration, topics, then producer, then slots. Destruction can take long, so the whole client,
//! slots included, goes to a thread of its own for that ([`Closing`]).

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::bindings as rd;
use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, Producer, PurgeConfig};

use super::Config;
use super::closing::Closing;
use super::errors::Failure;
use super::handing::{Handing, NativeHeader, Topic, native_headers};
use super::inbox::{Context, ErrorEvent, Inbox, Lines, Report};
use super::lane::Share;
use super::settings::native_config;
use crate::record::LaneId;
use crate::spool::{Batch, ReadLimit};

/// Records a slot may hold: few enough that a slot is soon free again.
pub(super) const SLOT_RECORDS_MAX: usize = 500;

/// Bytes a slot may hold: three full segments of the spool.
pub(super) const SLOT_BYTES_MAX: usize = 192 * 1024;

/// What the window sets aside for one slot: that many bytes, as copies or as its share of the spool's memory, and the
/// rest of segments that it holds for a part of them.
const SLOT_BUFFER_BYTES: usize = 256 * 1024;

/// Free slots that are kept when there is nothing to send; the memory of the others is given back.
const SLOTS_KEPT_WHEN_IDLE: usize = 4;

/// Bits of the opaque value that hold the place in the slot.
const ENTRY_BITS: u32 = 16;

/// How long closing waits for the reports of purged records.
const PURGE_TIME_MAX: Duration = Duration::from_secs(1);

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

/// One producer with all that it needs. Lives on one thread, and ends on another.
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
    pub fn open(config: &Config, lines: &Arc<Lines>) -> Result<Client, String> {
        let mut native = native_config(config);
        if let Some(servers) = &config.bootstrap_servers {
            native.set("bootstrap.servers", servers);
        }
        let inbox = Arc::new(Inbox::new(lines));
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
        // SAFETY: key and payload lie in the batch of slot `id`, or in a segment that it holds. It is not on the free
        // list, and `held`, which goes up below, keeps it off that list until the record's report is in; until then
        // nothing changes the batch.
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
        // What it shares with the spool is the spool's alone again, and is used again.
        slot.batch.clear();
    }

    /// Waits for `timeout`, serves the client, then tells `each` which records' fate became known.
    ///
    /// The wait is ours: rdkafka's counts in nanoseconds over librdkafka's milliseconds and so spins through the last
    /// of them, which was measured to burn a fifth of a core at any load.
    pub fn poll(&mut self, timeout: Duration, each: impl FnMut(Settled)) {
        std::thread::sleep(timeout);
        for _ in 0..EVENTS_MAX {
            let before = self.inbox.arrivals();
            self.producer.poll(Duration::ZERO);
            if self.inbox.arrivals() == before {
                break;
            }
        }
        self.take_reports(each);
    }

    fn take_reports(&mut self, mut each: impl FnMut(Settled)) {
        let mut reports = std::mem::take(&mut self.reports);
        self.inbox.swap_reports(&mut reports);
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
        self.inbox.take_errors()
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

    /// Takes back what is in flight, tells `each` of every report that is still coming, and begins to close the client.
    /// A record without a report was not settled either.
    pub fn close(mut self, each: impl FnMut(Settled)) -> Closing {
        // Blocking, it would wait for each of librdkafka's threads, and one may wait for a name server.
        self.producer
            .purge(PurgeConfig::default().queue().inflight().non_blocking());
        let deadline = Instant::now() + PURGE_TIME_MAX;
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(Duration::from_millis(10));
        }
        self.take_reports(each);
        Closing::begin(self)
    }
}

/// One call serves at most so many of the client's events, each of which reports a batch; the next call goes on.
const EVENTS_MAX: usize = 256;

/// How many slots there may be: their buffers fill the window of bytes, and each lane can have at least one.
pub(super) fn slots_max(config: &Config) -> usize {
    (config.window_bytes / SLOT_BUFFER_BYTES).max(2 * config.topics.len())
}

pub(super) fn create(
    native: &ClientConfig,
    inbox: &Arc<Inbox>,
) -> Result<BaseProducer<Context>, String> {
    let created = BaseProducer::from_config_and_context(native, Context(Arc::clone(inbox)));
    created.map_err(refused)
}

/// Why there is no client, without values: any of them may be a secret.
pub(super) fn refused(error: KafkaError) -> String {
    match error {
        // This one's own text holds the value.
        KafkaError::ClientConfig(_, _, key, _) => {
            format!("'{key}' is unknown, or has an impossible value")
        }
        KafkaError::ClientCreation(text) => text,
        other => other.to_string(),
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
    fn a_slot_is_free_again_only_when_all_its_records_are_reported() {
        let mut config = Config::new(vec!["t".to_owned()]);
        config.bootstrap_servers = Some("127.0.0.1:1".to_owned());
        let mut client = Client::open(&config, &Arc::default()).unwrap();
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
