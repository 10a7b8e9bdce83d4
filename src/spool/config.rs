//! What the spool is told: how much it keeps, where, and what it does when that is full or the power goes.

use std::path::PathBuf;
use std::time::Duration;

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
    /// Bytes that all logs together may take. With the default it is half of what is free, where that is less; it rises
    /// with what becomes free, and never falls.
    pub bytes_max: u64,
    /// Bytes that are left free on the file system. Where fewer are free the logs do not grow.
    pub free_bytes_min: u64,
    /// Records that have waited for longer than this are given up, as far as this process knows: what earlier ones left
    /// has waited since the start. `None`: only the size counts.
    pub age_max: Option<Duration>,
    /// When what is written is also put on the disk.
    pub fsync: Fsync,
    /// When an inform may be answered.
    pub inform_ack: InformAck,
    /// How many records may be settled before the cursor is saved, if a second is not over sooner: so many are sent
    /// again after a kill, and as many as were with the Kafka client.
    pub cursor_records_max: u64,
    /// Bytes that the file of dead letters may take, beside `bytes_max`. When it is full the letters in it stay, and
    /// what the broker refuses from then on is counted as `lost{poison}`; 0: that is so from the start.
    pub dead_letter_bytes_max: u64,
}

impl DiskConfig {
    /// Default of `bytes_max`: about five hours at 1 000 events of 600 bytes a second.
    pub const BYTES_MAX_DEFAULT: u64 = 10 * 1024 * 1024 * 1024;
    /// Default of `free_bytes_min`: other services of the host must not find a full disk because of us.
    pub const FREE_BYTES_MIN_DEFAULT: u64 = 1024 * 1024 * 1024;
    /// Default of `fsync`: at most a second of events can go with the power.
    pub const FSYNC_DEFAULT: Fsync = Fsync::Interval(Duration::from_secs(1));

    /// Default of `cursor_records_max`: a second at 20 000 a second.
    pub const CURSOR_RECORDS_MAX_DEFAULT: u64 = 20_000;

    /// Every default, in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> DiskConfig {
        DiskConfig {
            folder: folder.into(),
            bytes_max: Self::BYTES_MAX_DEFAULT,
            free_bytes_min: Self::FREE_BYTES_MIN_DEFAULT,
            age_max: None,
            fsync: Self::FSYNC_DEFAULT,
            inform_ack: InformAck::default(),
            cursor_records_max: Self::CURSOR_RECORDS_MAX_DEFAULT,
            dead_letter_bytes_max: Self::DEAD_LETTER_BYTES_MAX_DEFAULT,
        }
    }
}

/// When records that were written are also put on the disk. A killed process loses nothing under any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fsync {
    /// Never: a power cut loses what the kernel had not yet written by itself (some 30 s).
    Never,
    /// When a record that Kafka does not have has waited for so long: a power cut loses at most what came within that.
    Interval(Duration),
    /// Before a record is accepted: a power cut loses nothing that was accepted. Each batch waits for the disk.
    Always,
}

/// When an inform may be answered: what its sender, which forgets it then, can rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InformAck {
    /// When its event is written: it survives the end of the process, and a power cut as far as [`Fsync`] says.
    #[default]
    Written,
    /// When its event is on the disk: it survives a power cut too. The writer syncs for it within some 10 ms, together
    /// with all that came until then; each such sync wears the disk.
    Synced,
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
