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
//! producer or a disk. Out: [`Batch`], a copy that the producer owns until the last of its records is settled, so the
//! spool's own memory is never lent out.
//!
//! Each topic has a *lane*: its own numbers, its own read position and its own set of settled numbers. A number is
//! taken only when there is room for its record, so numbers have no holes.
//!
//! - **memory**: what it holds is gone when the process ends (`check` and the start-up log say so). A record is
//!   accepted when it is appended.
//! - **disk**: the lanes in memory are the *tail* of a log ([`log`]). A record is accepted when `write` has returned
//!   for it (and the sync, with `fsync = always`); only then does the producer see it and may an inform be answered.
//!   There is one data path, whether Kafka is up or not: the producer reads the tail while it keeps up and the log
//!   when it does not. While the disk fails, records are accepted in memory, and written when it is back.

pub mod cursor;
pub mod disk;
#[cfg(test)]
mod forgetful;
mod frame;
mod lane;
pub mod log;
pub mod segment;
mod settled;
mod writer;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::observe::ledger::{LossReason, RecordCounts};
use crate::packet::Reason;
use crate::record::{LaneId, Number, Origin, Record};
use crate::time::UnixMicros;

use lane::Lane;

pub use frame::{Batch, Entry, KEY_BYTES_MAX};
pub use settled::Settled;

/// A segment's size. Small enough that `drop_oldest` gives up little at a time and that an idle lane costs little;
/// large enough for some hundred records, so that segments are rare beside records.
pub const SEGMENT_BYTES: usize = 64 * 1024;

/// The largest payload that is taken. Kafka's own default for a message is 1 MiB; the route stage cuts long before.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// What the spool keeps and what it does when it is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Memory that all lanes together may hold, in bytes, frames included. With the disk kind this is the tail.
    pub bytes_max: usize,
    /// What happens when it is full.
    pub when_full: WhenFull,
    /// The topics, one lane each; their place in the list is their [`LaneId`].
    pub topics: Vec<String>,
    /// The log on disk, if there is one.
    pub disk: Option<DiskConfig>,
}

impl Config {
    /// Default of `bytes_max` for the memory kind: some 40 000 events of 600 bytes. With the producer's window of
    /// 16 MiB beside it the agent stays below 64 MB through an outage.
    pub const BYTES_MAX_DEFAULT: usize = 24 * 1024 * 1024;

    /// The tail of the disk kind: 16 MiB holds a second at 20 000 a second, far longer than a disk's longest pause.
    pub const TAIL_BYTES_MAX: usize = 16 * 1024 * 1024;
}

/// How the log is kept on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskConfig {
    /// The spool's folder. It must belong to the user that the agent runs as.
    pub folder: PathBuf,
    /// Bytes that all logs together may take.
    pub bytes_max: u64,
    /// Bytes that are always left free on the file system.
    pub free_bytes_min: u64,
    /// Records older than this are given up. `None`: only the size counts.
    pub age_max: Option<Duration>,
    /// When what is written is also put on the disk.
    pub fsync: Fsync,
}

impl DiskConfig {
    /// Default of `bytes_max`: about five hours at 1 000 events of 600 bytes a second.
    pub const BYTES_MAX_DEFAULT: u64 = 10 * 1024 * 1024 * 1024;
    /// Default of `free_bytes_min`: other services of the host must not find a full disk because of us.
    pub const FREE_BYTES_MIN_DEFAULT: u64 = 1024 * 1024 * 1024;
    /// Default of `fsync`: at most a second of events can go with the power.
    pub const FSYNC_DEFAULT: Fsync = Fsync::Interval(Duration::from_secs(1));

    /// Every default, in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> DiskConfig {
        DiskConfig {
            folder: folder.into(),
            bytes_max: Self::BYTES_MAX_DEFAULT,
            free_bytes_min: Self::FREE_BYTES_MIN_DEFAULT,
            age_max: None,
            fsync: Self::FSYNC_DEFAULT,
        }
    }
}

/// When records that were written are also put on the disk. A killed process loses nothing under any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Never: a power cut loses what the kernel had not yet written by itself (some 30 s).
    Never,
    /// Every interval: a power cut loses at most that.
    Interval(Duration),
    /// Before a record is accepted: a power cut loses nothing that was accepted. Each batch waits for the disk.
    Always,
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
    /// Signalled when a record is there for the producer while it waits.
    arrived: Condvar,
    /// Signalled when a record is there for the writer while it waits.
    to_write: Condvar,
    /// The disk kind's readers, one a lane; only the producer uses them.
    readers: Vec<Mutex<LogReader>>,
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
    /// Counts segments as they are opened, over all lanes, so that the oldest can be found.
    segments_opened: u64,
    /// Used-up segments' buffers, kept so that a steady flow does not allocate.
    spare: Vec<Vec<u8>>,
    producer_waits: bool,
    writer_waits: bool,
    closed: bool,
    /// Bytes of all logs, as the writer last saw them.
    log_bytes: u64,
    /// What readers of the log could not read back, for the writer to keep aside.
    damage: Vec<(LaneId, Damage)>,
}

impl Spool {
    /// An empty memory spool. `config.disk` is not looked at.
    pub fn new(config: &Config) -> Spool {
        let lane = |topic: &String| Lane::new(topic.clone(), 0, Cursor::default());
        Spool::with(config, config.topics.iter().map(lane).collect(), Keeping::Memory, Vec::new())
    }

    fn with(config: &Config, lanes: Vec<Lane>, keeping: Keeping, readers: Vec<Mutex<LogReader>>) -> Spool {
        let inner = Inner {
            lanes,
            keeping,
            bytes: 0,
            bytes_max: config.bytes_max,
            when_full: config.when_full,
            log_is_full: false,
            segments_opened: 0,
            spare: Vec::new(),
            producer_waits: false,
            writer_waits: false,
            closed: false,
            log_bytes: 0,
            damage: Vec::new(),
        };
        Spool { inner: Mutex::new(inner), arrived: Condvar::new(), to_write: Condvar::new(), readers }
    }

    /// Takes a record: gives it the next number of its lane, writes the number into the payload's gap, and keeps it.
    /// With the memory kind it is accepted then, with the disk kind when the writer has written it.
    pub fn append(&self, record: &Record<'_>) -> Result<Number, Reason> {
        let mut inner = self.lock();
        let number = inner.append(record)?;
        let wake_writer = std::mem::take(&mut inner.writer_waits);
        let wake_producer = inner.keeping != Keeping::Disk && std::mem::take(&mut inner.producer_waits);
        drop(inner);
        if wake_writer {
            self.to_write.notify_one();
        }
        if wake_producer {
            self.arrived.notify_one();
        }
        Ok(number)
    }

    /// Whether this record is safe in the sense of the kind: in memory, or in the log. While the disk fails, new
    /// records are not.
    pub fn is_accepted(&self, (lane, number): (LaneId, Number)) -> bool {
        self.lock().lanes.get(usize::from(lane.0)).is_some_and(|lane| number.0 < lane.written())
    }

    /// Copies the next unread, unsettled records of `lane` into `batch` (which is cleared first) and moves the lane's
    /// read position behind them. Returns how many there were. Reads the log, and so may wait for the disk, where the
    /// lane is behind its memory: only the producer calls this.
    pub fn read(&self, id: LaneId, limit: ReadLimit, batch: &mut Batch) -> usize {
        batch.clear();
        let index = usize::from(id.0);
        let mut inner = self.lock();
        let Some(lane) = inner.lanes.get_mut(index) else { return 0 };
        match self.readers.get(index).filter(|_| lane.is_behind()) {
            None => lane.read(limit, batch),
            Some(reader) => {
                let (from, settled) = (lane.read_number(), lane.settled().clone());
                drop(inner);
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                self.read_log(id, from, &settled, limit, batch, &mut reader);
            }
        }
        batch.entries().len()
    }

    fn read_log(
        &self,
        id: LaneId,
        from: u64,
        settled: &Settled,
        limit: ReadLimit,
        batch: &mut Batch,
        reader: &mut LogReader,
    ) {
        let outcome = reader.read(from, settled, limit, batch);
        let mut inner = self.lock();
        let Some(lane) = inner.lanes.get_mut(usize::from(id.0)) else { return };
        match outcome {
            Ok(outcome) => {
                // What the log does not have any more, and memory has not, is gone: nothing is left to wait for.
                let gone = outcome.caught_up && batch.entries().is_empty();
                let next = if gone { outcome.next.max(lane.first_in_memory()) } else { outcome.next };
                lane.read_to(next, batch);
                for damage in outcome.damage {
                    lane.lose(damage.numbers.clone(), LossReason::Corrupt);
                    inner.damage.push((id, damage));
                    let Some(again) = inner.lanes.get_mut(usize::from(id.0)) else { return };
                    debug_assert!(again.read_number() >= from);
                    return self.settle_rest(inner, id);
                }
            }
            Err(error) => {
                batch.clear();
                inner.disk_fails(error.to_string());
            }
        }
    }
