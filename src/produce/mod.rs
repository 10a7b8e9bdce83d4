//! The produce stage: batches from the spool to Kafka, acknowledgements back.
//!
//! ```text
//!  spool ──read(Batch)──▶ producer ──slot──▶ client ──produceva──▶ librdkafka ──▶ broker
//!    ▲                     │    ▲               ▲                       │
//!    │ acknowledge(range)  │    │ reports       └── delivery reports ───┘
//!    │ give_up(number)     ▼    │
//!    └─ rewind(lane) ◀── lane: Open | Probing | Waiting  (one a topic; decides, does nothing)
//! ```
//!
//! In: records of the [`crate::spool::Spool`], lane by lane. Out: each of them in its topic, keyed, stamped with its
//! time of arrival; acknowledged in the spool when the broker has confirmed it, and never before.
//!
//! - `client` owns the Kafka client and the records that are with it: `handing` is one record's way into it, `inbox`
//!   what it reports, `settings` the properties that it is made with. `errors` is the table of its error codes.
//! - `lane` is the pure state machine of one topic, `producer` the thread around it, `handle` how others start, watch
//!   and stop that thread.
//! - `pace` holds a replay back to its cap, `replay` says how it goes.
//! - `options` says which settings pass through, `probe` tries the way to the cluster once.
//!
//! There is one way out of a permanent failure: purge, close the producer, open a new one, go back to every topic's
//! lowest unacknowledged record, send the failed range one by one, set the culprit aside, go on.

mod client;
mod closing;
pub mod embedded;
mod errors;
mod handing;
mod handle;
mod inbox;
mod lane;
#[cfg(test)]
mod logged;
mod options;
mod pace;
pub mod probe;
mod producer;
pub mod reading;
mod replay;
mod rights;
mod settings;

use std::collections::BTreeMap;
use std::num::NonZeroU64;

pub use errors::{Row, TABLE, Treatment};
pub use handle::{Handle, Stopped, Watch, spawn};
pub use lane::Backoff;
pub use options::{Options, ProduceConfigError, check, is_secret, reserved};

/// Where to produce to, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `host:port`, several separated by commas. Without it nothing is read from the spool.
    pub bootstrap_servers: Option<String>,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long a batch may wait for more records, in milliseconds.
    pub linger_ms: u32,
    /// How large a batch may become, in bytes before compression.
    pub batch_bytes: u32,
    /// How many records a batch may hold.
    pub batch_records: u32,
    /// How many records may be with the Kafka client at most, all topics together. Also the most that can be repeated
    /// after a fault.
    pub window_records: usize,
    /// How many bytes of keys and payloads may be with the Kafka client at most, all topics together.
    pub window_bytes: usize,
    /// How many bytes of keys and payloads a second may be sent above what arrives, while there is a backlog. `None`: as
    /// fast as the brokers take them.
    pub replay_bytes_per_second: Option<NonZeroU64>,
    /// The pause before a topic or a new producer is tried again.
    pub backoff: Backoff,
    /// Properties that pass through to librdkafka; TLS and SASL are set here.
    pub options: Options,
    /// Which headers a record carries.
    pub headers: Headers,
    /// The topics, in the order of the spool's lanes.
    pub topics: Vec<String>,
}

impl Config {
    /// Default of `linger_ms`: latency that nobody notices in a log, and batches large enough to compress well.
    pub const LINGER_MS_DEFAULT: u32 = 50;
    /// Default of `batch_bytes`: what brokers take by default (`message.max.bytes` is 1 048 588) without a topic's
    /// help, and librdkafka's own default.
    pub const BATCH_BYTES_DEFAULT: u32 = 1_000_000;
    /// Default of `batch_records`: librdkafka's own. The bytes fill up first.
    pub const BATCH_RECORDS_DEFAULT: u32 = 10_000;
    /// Default of `window_records`: one second at 20 000 a second. librdkafka needs some 200 bytes for each.
    pub const WINDOW_RECORDS_DEFAULT: usize = 20_000;
    /// Default of `window_bytes`: 16 MiB, so that agent and client stay below 64 MB through an outage.
    pub const WINDOW_BYTES_DEFAULT: usize = 16 * 1024 * 1024;

    /// The defaults, without a broker.
    pub fn new(topics: Vec<String>) -> Config {
        Config {
            bootstrap_servers: None,
            compression: Compression::default(),
            linger_ms: Self::LINGER_MS_DEFAULT,
            batch_bytes: Self::BATCH_BYTES_DEFAULT,
            batch_records: Self::BATCH_RECORDS_DEFAULT,
            window_records: Self::WINDOW_RECORDS_DEFAULT,
            window_bytes: Self::WINDOW_BYTES_DEFAULT,
            replay_bytes_per_second: None,
            backoff: Backoff::DEFAULT,
            options: Options::default(),
            headers: Headers::default(),
            topics,
        }
    }
}

/// How batches are compressed. The broker keeps what it gets unless the topic says otherwise.
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
pub enum Compression {
    /// Not at all: the least CPU, the most network.
    None,
    /// The smallest common denominator of old consumers; costs more CPU than lz4 and zstd.
    Gzip,
    /// Little CPU, moderate size.
    Snappy,
    /// Little CPU, moderate size; the default.
    #[default]
    Lz4,
    /// The smallest size for a thin WAN, for some more CPU; needs Kafka 2.1 or later.
    Zstd,
}

impl Compression {
    /// librdkafka's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Snappy => "snappy",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        }
    }
}

/// Which Kafka headers a record carries. The same facts are in its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Headers {
    /// None; they cost about 1 µs a record.
    #[default]
    None,
    /// `schema` (the event schema's version) and `agent` (its id), so that consumers can route without parsing. The
    /// event's kind is not known here: a record does not say it.
    Standard {
        /// The value of `schema`.
        schema: String,
        /// The value of `agent`.
        agent: String,
    },
}

/// Why the producer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ProduceError {
    /// Settings that cannot be used.
    #[error("the Kafka settings cannot be used: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<ProduceConfigError>),
    /// The system has no thread left.
    #[error(
        "the producer's thread cannot be started: {0}; check the limits of processes and memory"
    )]
    Thread(#[from] std::io::Error),
}

/// What the producer does at present, for the status page and metrics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// The connection.
    pub connection: Connection,
    /// Each topic, in the order of the lanes.
    pub topics: Vec<TopicState>,
    /// Errors since the start, by the name of their [`Row`]; one for each record or event that had it.
    pub errors: BTreeMap<&'static str, u64>,
    /// Producers made since the start; more than one means that permanent failures happened.
    pub producers_created: u64,
    /// Records that were handed to the Kafka client more than once. Some of them are in the topic twice, with the same
    /// id.
    pub repeats: u64,
    /// Records that were given up because the broker will never take them.
    pub given_up: u64,
    /// How the replay of a backlog goes, while there is one.
    pub replay: Option<Progress>,
}

/// How the replay of a backlog goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records that wait and can be sent: topics that do not take records are not counted.
    pub records: u64,
    /// About how many bytes those are, before compression.
    pub bytes: u64,
    /// How fast the backlog shrinks, measured over ten seconds.
    pub bytes_per_second: u64,
    /// How long it takes at this speed; `None` while it does not shrink.
    pub seconds_left: Option<u64>,
    /// The cap, if there is one.
    pub bytes_per_second_max: Option<u64>,
}

/// The connection to Kafka, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Connection {
    /// `bootstrap_servers` is not set: records stay in the spool.
    #[default]
    NotConfigured,
    /// There is none at present, and it is tried again and again.
    Connecting {
        /// Why, in words.
        why: String,
    },
    /// A broker has answered since the last failure.
    Up,
}

impl std::fmt::Display for Connection {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Connection::NotConfigured => {
                formatter.write_str("not configured: set kafka.bootstrap_servers")
            }
            Connection::Connecting { why } => write!(formatter, "connecting: {why}"),
            Connection::Up => formatter.write_str("up"),
        }
    }
}

/// One topic, for the status page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicState {
    /// Its name.
    pub topic: String,
    /// What it does, in words: `sending`, or what it waits for.
    pub mode: String,
    /// Records that are with the Kafka client.
    pub in_flight: u64,
}
