//! The only queue: records go in numbered, and leave when the broker has acknowledged them.
//!
//! ```text
//!  receivers ──append(Record)──▶ lane 0 net.syslog ▕seg│seg│seg▏ ──read(Batch)──▶ producer
//!     (any thread, no wait)      lane 1 net.snmp   ▕seg▏              ▲               │
//!                                lane 2 net.device ▕▏                 └─ rewind ◀─────┤ after a fault
//!                                lane 3 net.agent  ▕▏ ◀───────── acknowledge(range) ──┘ after a delivery report
//! ```
//!
//! In: [`Record`], from any receiving thread; [`Spool::append`] copies it under a short lock and never waits for the
//! producer or a disk. Out: [`Batch`], a copy that the producer owns until the last of its records is settled, so the
//! spool's own memory is never lent out.
//!
//! Each topic has a *lane*: its own numbers, its own read position and its own set of settled numbers. A record's
//! bytes are freed when its whole segment is settled. A number is taken only when there is room for its record, so
//! numbers have no holes.
//!
//! This is the memory kind: what it holds is gone when the process ends (`check` and the start-up log say so).

mod frame;
mod lane;
mod settled;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::observe::ledger::{LossReason, RecordCounts};
use crate::packet::Reason;
use crate::record::{LaneId, Number, Origin, Record};
use crate::time::UnixMicros;

use lane::Lane;

pub use frame::{Batch, Entry};

/// A segment's size. Small enough that `drop_oldest` gives up little at a time and that an idle lane costs little;
/// large enough for some hundred records, so that segments are rare beside records.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// The largest payload that is taken. Kafka's own default for a message is 1 MiB; the route stage cuts long before.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// What the spool keeps and what it does when it is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Memory that all lanes together may hold, in bytes, frames included.
    pub bytes_max: usize,
    /// What happens when it is full.
    pub when_full: WhenFull,
    /// The topics, one lane each; their place in the list is their [`LaneId`].
    pub topics: Vec<String>,
}

impl Config {
    /// Default of `bytes_max`: some 40 000 events of 600 bytes. With the producer's window of 16 MiB beside it the
    /// agent stays below 64 MB through an outage.
    pub const BYTES_MAX_DEFAULT: usize = 24 * 1024 * 1024;
}

/// What happens to records when the spool is full.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The oldest records that are not already with the Kafka client are given up, a segment at a time, and counted
    /// as `lost{spool_full}`. After an outage the newest events are there.
    #[default]
    DropOldest,
    /// New packets are turned away and counted as `rejected{spool_full}`. After an outage the first events are there.
    DropNewest,
}

/// How much one read may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    /// At most so many records.
    pub records: usize,
    /// At most so many bytes of payload and key; one record is returned even if it is larger.
    pub bytes: usize,
}

/// A lane as the status page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneView {
    /// Its topic.
    pub topic: String,
    /// Records not yet acknowledged.
    pub pending: u64,
    /// Bytes that it holds.
    pub bytes: usize,
    /// When the oldest of them arrived.
    pub oldest_received: Option<UnixMicros>,
    /// The number that the next record will get.
    pub next: Number,
}

/// The queue between receivers and producer. Shared by reference between threads.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
    /// Signalled when a record arrives while the producer waits.
    arrived: Condvar,
}

#[derive(Debug)]
struct Inner {
    lanes: Vec<Lane>,
    bytes: usize,
    bytes_max: usize,
    when_full: WhenFull,
    /// Counts segments as they are opened, over all lanes, so that `drop_oldest` finds the oldest.
    segments_opened: u64,
    counts: RecordCounts,
    /// A used-up segment's buffer, kept so that a steady flow does not allocate.
    spare: Vec<Vec<u8>>,
    producer_waits: bool,
    closed: bool,
}

impl Spool {
    /// An empty memory spool.
    pub fn new(config: &Config) -> Spool {
        let inner = Inner {
            lanes: config
                .topics
                .iter()
                .map(|topic| Lane::new(topic.clone()))
                .collect(),
            bytes: 0,
            bytes_max: config.bytes_max,
            when_full: config.when_full,
            segments_opened: 0,
            counts: RecordCounts::default(),
            spare: Vec::new(),
            producer_waits: false,
            closed: false,
        };
        Spool {
            inner: Mutex::new(inner),
            arrived: Condvar::new(),
        }
    }

    /// Takes a record: gives it the next number of its lane, writes the number into the payload's gap, and keeps it.
    /// With the memory kind, a record that has a number is accepted.
    pub fn append(&self, record: &Record<'_>) -> Result<Number, Reason> {
        let mut inner = self.lock();
        let number = inner.append(record)?;
        let wake = std::mem::take(&mut inner.producer_waits);
        drop(inner);
        if wake {
            self.arrived.notify_one();
        }
        Ok(number)
    }

    /// Whether this record is accepted: from now on only the loss policies or its delivery can end it.
    pub fn is_accepted(&self, (lane, number): (LaneId, Number)) -> bool {
        self.lock()
            .lanes
            .get(usize::from(lane.0))
            .is_some_and(|lane| number.0 < lane.next())
    }

    /// Copies the next unread, unsettled records of `lane` into `batch` (which is cleared first) and moves the lane's
    /// read position behind them. Returns how many there were.
    pub fn read(&self, lane: LaneId, limit: ReadLimit, batch: &mut Batch) -> usize {
        batch.clear();
        let mut inner = self.lock();
        let Some(lane) = inner.lanes.get_mut(usize::from(lane.0)) else {
            return 0;
        };
        let repeated = lane.read(limit, batch);
        inner.counts.redelivered += repeated;
        batch.entries().len()
    }

    /// The broker has acknowledged these numbers of `lane`. Numbers that were settled before are not counted again.
    pub fn acknowledge(&self, lane: LaneId, numbers: std::ops::Range<u64>) {
        let mut inner = self.lock();
        let settled = inner.settle(lane, numbers);
        inner.counts.delivered += settled;
        inner.counts.pending -= settled;
    }

    /// The broker will never take this record: it is given up so that the rest goes on. The memory kind has no place
    /// to keep it, so it counts as `lost{poison}`; whoever calls says in the log which record it was and why.
    pub fn give_up(&self, lane: LaneId, number: Number) {
        let mut inner = self.lock();
        let settled = inner.settle(lane, number.0..number.0 + 1);
        inner.counts.lost[LossReason::Poison as usize] += settled;
        inner.counts.pending -= settled;
    }

    /// Moves the read position of `lane` back to its lowest unsettled record: what was read and not settled will be
    /// read again, and counted as `redelivered` then.
    pub fn rewind(&self, lane: LaneId) {
        if let Some(lane) = self.lock().lanes.get_mut(usize::from(lane.0)) {
            lane.rewind();
        }
    }

    /// Waits until a record arrives that nobody has read, or the spool is closed, or `timeout` is over.
    /// Receivers pay for the wake-up only while somebody waits.
    pub fn wait(&self, timeout: Duration) {
        let mut inner = self.lock();
        if inner.closed || inner.lanes.iter().any(Lane::has_unread) {
            return;
        }
        inner.producer_waits = true;
        let waited = self.arrived.wait_timeout_while(inner, timeout, |inner| {
            inner.producer_waits && !inner.closed
        });
        waited
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .producer_waits = false;
    }

    /// Wakes the producer for good: `wait` returns at once from now on.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// What is still here is lost with the process: counts it as `lost{process_end}` and returns how many records.
    pub fn abandon(&self) -> u64 {
        let mut inner = self.lock();
        let left = std::mem::take(&mut inner.counts.pending);
        inner.counts.lost[LossReason::ProcessEnd as usize] += left;
        left
    }

    /// The record side of the ledger.
    pub fn counts(&self) -> RecordCounts {
        self.lock().counts.clone()
    }

    /// Bytes held now.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Every lane, for the status page.
    pub fn lanes(&self) -> Vec<LaneView> {
        self.lock().lanes.iter().map(Lane::view).collect()
    }

    /// Records of `lane` that are not settled yet.
    pub fn pending(&self, lane: LaneId) -> u64 {
        self.lock()
            .lanes
            .get(usize::from(lane.0))
            .map_or(0, Lane::pending)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn append(&mut self, record: &Record<'_>) -> Result<Number, Reason> {
        let size = frame::size_max(record);
        let index = usize::from(record.lane.0);
        if record.payload.len() > PAYLOAD_BYTES_MAX || index >= self.lanes.len() {
            return Err(Reason::TooLarge);
        }
        while self.bytes + size > self.bytes_max {
            match self.when_full {
                WhenFull::DropNewest => return Err(Reason::SpoolFull),
                WhenFull::DropOldest => self.drop_oldest_segment()?,
            }
        }
        if !self.lanes[index].has_room(size) {
            let spare = self.spare.pop();
            let buffer = spare.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES));
            self.lanes[index].open_segment(self.segments_opened, buffer);
            self.segments_opened += 1;
        }
        let (number, bytes) = self.lanes[index].append(record);
        self.bytes += bytes;
        self.counts.accepted += 1;
        self.counts.pending += 1;
        match record.origin {
            Origin::Packet => self.counts.from_packets += 1,
            Origin::Generated => self.counts.generated += 1,
        }
        Ok(number)
    }

    /// Gives up the oldest segment that the producer has not begun to read, over all lanes.
    fn drop_oldest_segment(&mut self) -> Result<(), Reason> {
        let oldest = self
            .lanes
            .iter_mut()
            .filter_map(|lane| Some((lane.oldest_unread_segment()?, lane)));
        let (_, lane) = oldest
            .min_by_key(|(opened, _)| *opened)
            .ok_or(Reason::SpoolFull)?;
        let dropped = lane.drop_oldest_unread_segment();
        self.counts.lost[LossReason::SpoolFull as usize] += dropped.records;
        self.counts.pending -= dropped.records;
        self.bytes -= dropped.bytes;
        keep_spare(&mut self.spare, dropped.buffer);
        Ok(())
    }

    fn settle(&mut self, lane: LaneId, numbers: std::ops::Range<u64>) -> u64 {
        let Some(lane) = self.lanes.get_mut(usize::from(lane.0)) else {
            return 0;
        };
        let settled = lane.settle(numbers);
        while let Some(buffer) = lane.take_settled_segment() {
            self.bytes -= buffer.len();
            keep_spare(&mut self.spare, buffer);
        }
        settled
    }
}

/// Keeps a few buffers: enough for a steady flow, little enough that a burst's memory is given back.
fn keep_spare(spare: &mut Vec<Vec<u8>>, mut buffer: Vec<u8>) {
    if spare.len() < 16 && buffer.capacity() <= SEGMENT_BYTES * 2 {
        buffer.clear();
        spare.push(buffer);
    }
}

#[cfg(test)]
mod tests;
