//! The only queue: records go in numbered, and leave when the broker has acknowledged them.
//!
//! ```text
//!  receivers ──append(Record)──▶ lane 0 net.syslog ▕seg│seg│seg▏ ──read(Batch)──▶ producer
//!     (any thread, no wait)      lane 1 net.snmp   ▕seg▏              ▲               │
//!                                lane 2 net.device ▕▏                 └─ rewind ◀─────┤ after a fault
//!                                lane 3 net.agent  ▕▏ ◀───────── acknowledge(range) ──┘ after a delivery report
//!                                        │ writer thread (disk kind): one write a batch, sync, cursor, caps
//!                                        ▼
//!                                log of the topic on disk ──read(Batch)──▶ producer, while it is behind the memory
//! ```
//!
//! In: [`Record`], from any receiving thread; [`Spool::append`] copies it under a short lock and never waits for the
//! producer or a disk. Out: [`Batch`], which the producer has until the last of its records is settled. In a flow
//! of some thousands a second few records are copied again in between: a segment that is full never changes, and writer
//! and producer share it with the lane.
//!
//! Each topic has a *lane*: its own numbers, its own read position and its own set of settled numbers. A number is
//! taken only when there is room for its record, so numbers have no holes.
//!
//! A record that the broker will never take goes to the file of dead letters ([`dead_letter`]), where there is one;
//! [`requeue`] sends it again. [`inspect`] looks at a spool from outside.
//!
//! - **memory**: what it holds is gone when the process ends (`check` and the start-up log say so). A record is
//!   accepted when it is appended.
//! - **disk**: the lanes in memory are the *tail* of a log ([`log`]). A record is accepted when `write` has returned
//!   for it (and the sync, with `fsync = always`); only then does the producer see it and may an inform be answered.
//!   There is one data path, whether Kafka is up or not: the producer reads the tail while it keeps up and the log
//!   when it does not. While the disk fails, records are accepted in memory, and written when it is back.

mod batch;
mod behind;
mod config;
pub mod cursor;
pub mod dead_letter;
pub mod declared;
pub mod disk;
#[cfg(any(test, fuzzing))]
mod forgetful;
mod frame;
mod given_up;
mod hanging;
pub mod inspect;
mod lane;
pub mod log;
mod oldest;
mod refused;
pub mod requeue;
pub mod segment;
mod settled;
#[cfg(any(test, fuzzing))]
pub mod strange;
mod sync_lost;
mod window;
mod writer;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::observe::ledger::RecordCounts;
use crate::packet::Reason;
use crate::record::{Acceptance, LaneId, Number, Record};
use crate::time::UnixMicros;

use behind::ReadTrouble;
use cursor::Cursor;
use dead_letter::DeadLetters;
use frame::Sealing;
use lane::{Freed, Lane};
use log::{LogReader, LogView};
use refused::Refused;
use segment::Damage;
use window::Kept;

pub use batch::{Batch, Entry};
pub use config::{Config, DiskConfig, Fsync, InformAck, WhenFull};
pub use disk::SpoolError;
pub use frame::KEY_BYTES_MAX;
pub use given_up::GivenUp;
pub use settled::Settled;
pub use window::LaneWindow;
pub use writer::{Opened, Phase, Writer, WriterStop, topic_folder};

/// A segment's size. Small enough that `drop_oldest` gives up little at a time and that an idle lane costs little;
/// large enough for some hundred records, so that segments are rare beside records.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// The largest payload that is taken. Kafka's own default for a message is 1 MiB; the route stage cuts long before.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

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
    /// Bytes that it holds: in its log with the disk kind, else in memory.
    pub bytes: u64,
    /// About how many bytes those records take.
    pub pending_bytes: u64,
    /// When the oldest of them arrived. Of a record that only the log has, this is when the first of its batch arrived,
    /// or the first of its segment where it was not read yet since the start.
    pub oldest_received: Option<UnixMicros>,
    /// The number that the next record will get.
    pub next: Number,
}

/// The queue between receivers and producer. Shared by reference between threads.
#[derive(Debug)]
pub struct Spool {
    inner: Mutex<Inner>,
    /// Signalled when a record is there for the producer while it waits.
    arrived: Condvar,
    /// Signalled when a record is there for the writer while it waits.
    to_write: Condvar,
    /// The disk kind's readers, one a lane; only the producer uses them.
    readers: Vec<Mutex<LogReader>>,
    /// The disk kind's logs as others see them, one a lane.
    views: Vec<LogView>,
    /// The disk kind's file of what the broker will never take.
    dead_letters: Option<DeadLetters>,
    /// Bytes that all lanes together may keep. With the disk kind the writer raises it when there is more room.
    bytes_max: AtomicU64,
}

/// Where records are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Keeping {
    /// In memory only.
    Memory,
    /// In the log.
    Disk,
    /// In memory until the disk takes them again; the text says what is wrong.
    DiskFails(String),
}

#[derive(Debug)]
struct Inner {
    lanes: Vec<Lane>,
    keeping: Keeping,
    bytes: usize,
    bytes_max: usize,
    when_full: WhenFull,
    /// The log is full and its policy is `drop_newest`.
    log_is_full: bool,
    /// The last append, if it was refused.
    refused: Option<Refused>,
    /// Since when the writer is inside a call of the disk.
    on_disk: Option<Instant>,
    /// Since when the producer is.
    delivery_on_disk: Option<Instant>,
    /// Counts segments as they are opened, over all lanes, so that the oldest can be found.
    segments_opened: u64,
    /// Used-up segments' buffers, kept so that a steady flow does not allocate.
    spare: Vec<Vec<u8>>,
    producer_waits: bool,
    writer_waits: bool,
    inform_ack: InformAck,
    /// How safe a report has to be before what it tells is forgotten here.
    report_kept: InformAck,
    /// Somebody waits for a record to be written: the writer does not let records gather.
    urgent: bool,
    /// Somebody waits for a record to be on the disk: the writer syncs.
    sync_wanted: bool,
    closed: bool,
    /// Bytes of all logs, as the writer last saw them.
    log_bytes: u64,
    /// Bytes of all records that were ever taken, as they are counted for the pace of a replay.
    arrived_bytes: u64,
    /// Why a lane's log cannot be read at the producer's place, while it cannot.
    read_trouble: Vec<Option<ReadTrouble>>,
    /// What readers of the log could not read back, for the writer to keep aside.
    damage: Vec<(LaneId, Damage)>,
    /// Segments that were given up because they cannot be read, likewise.
    unreadable: Vec<(LaneId, Arc<Path>)>,
    kept: Option<Kept>,
}

impl Spool {
    /// An empty memory spool. `config.disk` is not looked at.
    pub fn new(config: &Config) -> Spool {
        let lane = |topic: &String| Lane::new(topic.clone(), 0, Cursor::default());
        Spool::with(
            config,
            config.topics.iter().map(lane).collect(),
            Keeping::Memory,
            Vec::new(),
            Vec::new(),
            InformAck::Written,
        )
    }

    fn with(
        config: &Config,
        lanes: Vec<Lane>,
        keeping: Keeping,
        readers: Vec<Mutex<LogReader>>,
        views: Vec<LogView>,
        inform_ack: InformAck,
    ) -> Spool {
        let inner = Inner {
            read_trouble: lanes.iter().map(|_| None).collect(),
            lanes,
            keeping,
            bytes: 0,
            bytes_max: config.bytes_max,
            when_full: config.when_full,
            log_is_full: false,
            refused: None,
            on_disk: None,
            delivery_on_disk: None,
            segments_opened: 0,
            spare: Vec::new(),
            producer_waits: false,
            writer_waits: false,
            inform_ack,
            report_kept: InformAck::Written,
            urgent: false,
            sync_wanted: false,
            closed: false,
            log_bytes: 0,
            arrived_bytes: 0,
            damage: Vec::new(),
            unreadable: Vec::new(),
            kept: None,
        };
        Spool {
            inner: Mutex::new(inner),
            arrived: Condvar::new(),
            to_write: Condvar::new(),
            readers,
            views,
            dead_letters: None,
            bytes_max: AtomicU64::new(config.bytes_max as u64),
        }
    }

    /// Takes a record: gives it the next number of its lane, writes the number into the payload's gap, and keeps it.
    /// With the memory kind it is accepted then, with the disk kind when the writer has written it.
    pub fn append(&self, record: &Record<'_>) -> Result<Number, Reason> {
        let mut inner = self.lock();
        let number = match inner.append(record) {
            Ok(number) => number,
            Err(reason) => {
                inner.refuse(record, reason);
                return Err(reason);
            }
        };
        inner.refused = None;
        let wake_writer = std::mem::take(&mut inner.writer_waits);
        let wake_producer =
            inner.keeping != Keeping::Disk && std::mem::take(&mut inner.producer_waits);
        drop(inner);
        if wake_writer {
            self.to_write.notify_one();
        }
        if wake_producer {
            self.arrived.notify_one();
        }
        Ok(number)
    }

    /// Whether the record is [`Acceptance::Accepted`].
    pub fn is_accepted(&self, record: (LaneId, Number)) -> bool {
        self.acceptance(record) == Acceptance::Accepted
    }

    /// Whether a failed sync took this record, or no sync can say whether the disk has it.
    pub fn is_lost(&self, (lane, number): (LaneId, Number)) -> bool {
        self.is_any_lost(lane, number.0..number.0 + 1)
    }

    /// The same of any of these.
    fn is_any_lost(&self, lane: LaneId, numbers: Range<u64>) -> bool {
        let inner = self.lock();
        let lane = inner.lanes.get(usize::from(lane.0));
        lane.is_some_and(|lane| lane.is_lost_by_sync(&numbers))
    }

    /// Whether the inform that became this record may be answered: the record is in memory, in the log, or on the disk,
    /// as kind and [`InformAck`] say. While the disk fails, new records are not. Where it may not, the writer is told
    /// that somebody waits.
    pub fn acceptance(&self, record: (LaneId, Number)) -> Acceptance {
        let inform_ack = self.lock().inform_ack;
        self.acceptance_as(record, inform_ack)
    }

    /// Whether this record is written, or on the disk. Where it is not, the writer is told that somebody waits for that.
    fn is_safe(&self, record: (LaneId, Number), wanted: InformAck) -> bool {
        self.acceptance_as(record, wanted) == Acceptance::Accepted
    }

    fn acceptance_as(&self, (lane, number): (LaneId, Number), wanted: InformAck) -> Acceptance {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(lane) = inner.lanes.get(usize::from(lane.0)) else {
            return Acceptance::Waiting;
        };
        if lane.is_lost_by_sync(&(number.0..number.0 + 1)) {
            return Acceptance::Lost;
        }
        if number.0 < lane.safe(wanted) {
            return Acceptance::Accepted;
        }
        inner.sync_wanted |= wanted == InformAck::Synced;
        let is_first = !std::mem::replace(&mut inner.urgent, true);
        // It waits for work, or lets records gather until the first who waits for one of them.
        if std::mem::take(&mut inner.writer_waits) || is_first {
            self.to_write.notify_one();
        }
        Acceptance::Waiting
    }

    /// Loses a record, as a failed sync does.
    #[cfg(test)]
    pub(crate) fn lose_by_sync(&self, (lane, number): (LaneId, Number)) {
        let numbers = number.0..number.0 + 1;
        let reason = crate::observe::ledger::LossReason::DiskSync;
        self.settle(lane, |lane| _ = lane.lose(numbers, reason));
    }

    /// The broker has acknowledged these numbers of `lane`. Numbers that were settled before are not counted again.
    pub fn acknowledge(&self, lane: LaneId, numbers: Range<u64>) {
        self.settle(lane, |lane| lane.deliver(numbers));
    }

    fn settle(&self, lane: LaneId, change: impl FnOnce(&mut Lane)) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let Some(lane) = inner.lanes.get_mut(usize::from(lane.0)) else {
            return;
        };
        change(lane);
        while let Some(freed) = lane.take_settled_segment() {
            inner.bytes -= freed.bytes;
            keep_spare(&mut inner.spare, freed);
        }
    }

    /// Moves the read position of `lane` back to its lowest unsettled record: what was read and not settled will be
    /// read again, and counted as `redelivered` then.
    pub fn rewind(&self, lane: LaneId) {
        if let Some(lane) = self.lock().lanes.get_mut(usize::from(lane.0)) {
            lane.rewind();
        }
    }

    /// Waits until a record is there that nobody has read, or the spool is closed, or `timeout` is over.
    /// Receivers pay for the wake-up only while somebody waits.
    pub fn wait(&self, timeout: Duration) {
        let mut inner = self.lock();
        // What cannot be read is tried again when the time is over.
        let mut lanes = inner.lanes.iter().zip(&inner.read_trouble);
        let has_unread = lanes.any(|(lane, trouble)| lane.has_unread() && trouble.is_none());
        if inner.closed || has_unread {
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

    /// What is still in memory is lost with the process: counts it as `lost{process_end}` and returns how many records
    /// those are. With the disk kind, records stay pending for the next start.
    pub fn abandon(&self) -> u64 {
        let mut inner = self.lock();
        match inner.keeping {
            Keeping::Memory => inner.lanes.iter_mut().map(Lane::abandon).sum(),
            Keeping::Disk | Keeping::DiskFails(_) => 0,
        }
    }

    /// The record side of the ledger.
    pub fn counts(&self) -> RecordCounts {
        let inner = self.lock();
        let mut counts = RecordCounts::default();
        inner
            .lanes
            .iter()
            .for_each(|lane| counts.add(&lane.counts()));
        counts
    }

    /// Bytes held now: in the logs with the disk kind, else in memory.
    pub fn bytes(&self) -> u64 {
        let inner = self.lock();
        match inner.keeping {
            Keeping::Memory => inner.bytes as u64,
            Keeping::Disk | Keeping::DiskFails(_) => inner.log_bytes,
        }
    }

    /// The cap of [`Spool::bytes`], as it is kept: with the disk kind what was configured, or less where little was free.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max.load(Ordering::Relaxed)
    }

    /// Whether records are kept on disk.
    pub fn is_on_disk(&self) -> bool {
        self.lock().keeping != Keeping::Memory
    }

    /// What is wrong with the disk, if anything: it does not take records or does not answer, or they cannot be read back.
    pub fn trouble(&self) -> Option<String> {
        let inner = self.lock();
        match &inner.keeping {
            Keeping::DiskFails(why) => Some(why.clone()),
            Keeping::Memory | Keeping::Disk => {
                let mut troubles = inner.read_trouble.iter().flatten();
                let unread = || troubles.next().map(|trouble| trouble.why.clone());
                inner.hanging(Instant::now()).or_else(unread)
            }
        }
    }

    /// Whether every record that was appended is where it is kept: nothing is on its way to the disk.
    pub fn is_at_rest(&self) -> bool {
        let inner = self.lock();
        let mut lanes = inner.lanes.iter();
        inner.keeping != Keeping::Disk || lanes.all(|lane| lane.written() == lane.next())
    }

    /// What did not get into the log is lost with the process: counts it as `lost{process_end}` and returns how many records
    /// those are. For the end of a process whose writer waits for a disk that does not answer. 0 with the memory kind.
    pub fn abandon_unwritten(&self) -> u64 {
        self.lock().abandon_unwritten()
    }

    /// Every lane, for the status page.
    pub fn lanes(&self) -> Vec<LaneView> {
        let inner = self.lock();
        let lanes = inner.lanes.iter().enumerate();
        lanes
            .map(|(index, lane)| lane.view(self.views.get(index)))
            .collect()
    }

    /// Bytes of keys and payloads of all records that were taken since the start, all lanes together.
    pub fn arrived_bytes(&self) -> u64 {
        self.lock().arrived_bytes
    }

    /// The topics, in the order of the lanes: those of the configuration, then those that only the disk still has
    /// records for.
    pub fn topics(&self) -> Vec<String> {
        self.lock()
            .lanes
            .iter()
            .map(|lane| lane.topic().to_owned())
            .collect()
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
        let fits = record.payload.len() <= PAYLOAD_BYTES_MAX && record.key.len() <= KEY_BYTES_MAX;
        if !fits || index >= self.lanes.len() {
            return Err(Reason::TooLarge);
        }
        if self.log_is_full || self.kept_is_full(record.lane) {
            return Err(Reason::SpoolFull);
        }
        while self.bytes + size > self.bytes_max {
            self.make_room()?;
        }
        let Some(lane) = self.lanes.get_mut(index) else {
            return Err(Reason::TooLarge);
        };
        if !lane.has_room(size) {
            let spare = self.spare.pop();
            let buffer = spare.unwrap_or_else(|| Vec::with_capacity(SEGMENT_BYTES));
            lane.open_segment(self.segments_opened, buffer);
            self.segments_opened += 1;
        }
        let sealing = match self.keeping {
            Keeping::Memory => Sealing::Open,
            Keeping::Disk | Keeping::DiskFails(_) => Sealing::Sealed,
        };
        let (number, bytes) = lane.append(record, sealing);
        self.bytes += bytes;
        self.arrived_bytes += (bytes - frame::HEADER_BYTES.min(bytes)) as u64;
        match self.keeping {
            Keeping::Memory => lane.accept_in_memory(),
            Keeping::DiskFails(_) => lane.accept_in_hand(),
            Keeping::Disk => {}
        }
        Ok(number)
    }

    /// Frees a segment's memory, by the kind's and the policy's rules.
    fn make_room(&mut self) -> Result<(), Reason> {
        let freed = match (&self.keeping, self.when_full) {
            (Keeping::Memory, WhenFull::DropNewest) => return Err(Reason::SpoolFull),
            (Keeping::Memory, WhenFull::DropOldest) => {
                let kept = self.kept.map(|kept| kept.lane);
                let lane = oldest(&mut self.lanes, kept, Lane::oldest_unread_segment)
                    .ok_or(Reason::SpoolFull)?;
                lane.drop_oldest_unread_segment()
            }
            (Keeping::Disk | Keeping::DiskFails(_), _) => {
                let lane = oldest(&mut self.lanes, None, Lane::oldest_written_segment)
                    .ok_or(Reason::SpoolStalled)?;
                lane.forget_first_segment()
            }
        };
        self.bytes -= freed.bytes;
        keep_spare(&mut self.spare, freed);
        Ok(())
    }

    /// The disk does not take records: from now on memory is all there is, until the writer says otherwise.
    fn disk_fails(&mut self, why: String) {
        if self.keeping == Keeping::Memory {
            return;
        }
        if self.keeping == Keeping::Disk {
            self.lanes.iter_mut().for_each(Lane::accept_in_hand);
        }
        self.keeping = Keeping::DiskFails(why);
    }

    fn abandon_unwritten(&mut self) -> u64 {
        match self.keeping {
            Keeping::Memory => return 0,
            // A disk that hangs gives no error: what is in hand was not accepted, and only what is accepted can be lost.
            Keeping::Disk => self.lanes.iter_mut().for_each(Lane::accept_in_hand),
            Keeping::DiskFails(_) => {}
        }
        self.lanes.iter_mut().map(Lane::abandon_unwritten).sum()
    }
}

/// The lane, other than `kept`, whose segment of the asked sort was opened first.
fn oldest(
    lanes: &mut [Lane],
    kept: Option<LaneId>,
    opened: impl Fn(&Lane) -> Option<u64>,
) -> Option<&mut Lane> {
    let kept = kept.map(|lane| usize::from(lane.0));
    let lanes = lanes.iter_mut().enumerate();
    let lanes = lanes
        .filter(|(index, _)| Some(*index) != kept)
        .filter_map(|(_, lane)| Some((opened(lane)?, lane)));
    lanes
        .min_by_key(|(opened, _)| *opened)
        .map(|(_, lane)| lane)
}

/// Keeps a few buffers: enough for a steady flow, little enough that a burst's memory is given back.
fn keep_spare(spare: &mut Vec<Vec<u8>>, freed: Freed) {
    let sizes = SEGMENT_BYTES..=SEGMENT_BYTES * 2;
    let buffer = freed
        .buffer
        .filter(|buffer| sizes.contains(&buffer.capacity()));
    if let Some(mut buffer) = buffer.filter(|_| spare.len() < 16) {
        buffer.clear();
        spare.push(buffer);
    }
}

#[cfg(test)]
mod tests;
