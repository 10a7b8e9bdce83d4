//! One picture of the whole agent: what metrics, health and the status page are made from.
//!
//! ```text
//!  agent: asks every stage ──▶ Picture { ledger, listeners, spool, kafka, ... } ──▶ health · metrics · statement · status
//! ```
//!
//! The picture is plain data. A stage does not know that it is looked at: the agent translates each stage's own words
//! into these. Text in it (`why`) is for people, and holds no secret and no bytes of a stranger that were not cut.

use compact_str::CompactString;

use crate::observe::ledger;
use crate::observe::rates::Rates;
use crate::time::UnixMicros;

/// Where pictures come from. The agent implements it; the status server asks it once a request.
pub trait View: Send + Sync {
    /// The agent as it is now. May take short locks, and must not wait for Kafka, the disk or the network.
    fn picture(&self) -> Picture;
}

/// The agent at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Picture {
    /// Who is speaking.
    pub agent: AgentState,
    /// Packets and records.
    pub ledger: ledger::Snapshot,
    /// The configured listeners, bound or not.
    pub listeners: Vec<ListenerState>,
    /// The queue between the receivers and Kafka.
    pub spool: SpoolState,
    /// The way out.
    pub kafka: KafkaState,
    /// How often the configuration was read again.
    pub reloads: Reloads,
    /// What the configuration says otherwise than what runs.
    pub configuration: ConfigurationState,
    /// Single numbers of stages that need no label.
    pub readings: Vec<Reading>,
    /// The operator's rules, in their order.
    pub rules: Vec<RuleState>,
    /// How fast it goes.
    pub rates: Rates,
}

/// Who is speaking, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentState {
    /// The configured name, as in every event's `agent.id`.
    pub id: CompactString,
    /// The program's version.
    pub version: CompactString,
    /// When the process started.
    pub started: UnixMicros,
    /// How long ago that was by the monotonic clock, in milliseconds.
    pub uptime_ms: u64,
}

/// One configured listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerState {
    /// The configured name, as in the ledger.
    pub name: CompactString,
    /// Whether it can hear.
    pub state: ListenerCondition,
}

/// Whether a listener can hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerCondition {
    /// Its socket is bound.
    Listening {
        /// The local address and port, as text.
        address: CompactString,
        /// The receive buffer; absent for streams, whose flow control needs none of it.
        buffer: Option<SocketBuffer>,
    },
    /// It has no socket; devices that send to it are not heard.
    Missing {
        /// What went wrong and what to do, for people.
        why: String,
    },
}

/// A datagram socket's receive buffer: what was asked for and what the kernel gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketBuffer {
    /// Bytes that the configuration asks for, all shards together.
    pub requested_bytes: u64,
    /// Bytes that the kernel granted (`net.core.rmem_max` caps it), all shards together.
    pub granted_bytes: u64,
    /// How many datagrams of ordinary size the granted bytes hold.
    pub burst_datagrams: u64,
}

/// The spool as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpoolState {
    /// Where records wait.
    pub kind: SpoolKind,
    /// Bytes used.
    pub bytes: u64,
    /// The cap in bytes.
    pub bytes_max: u64,
    /// Age of the oldest record that the broker has not acknowledged, in milliseconds; 0 when none waits.
    pub oldest_pending_age_ms: u64,
    /// Whether it does what it is configured to do.
    pub state: SpoolCondition,
}

/// Where records wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SpoolKind {
    /// In segmented logs on disk: they survive the process.
    #[default]
    Disk,
    /// In memory: they end with the process.
    Memory,
}

impl SpoolKind {
    /// The name used in metrics and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            SpoolKind::Disk => "disk",
            SpoolKind::Memory => "memory",
        }
    }
}

/// Whether the spool does what it is configured to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SpoolCondition {
    /// It takes records and keeps them as configured.
    #[default]
    Ready,
    /// It takes records, with less than the configured safety.
    Degraded {
        /// What is wrong and what to do, for people.
        why: String,
    },
    /// No record can be appended: the agent is not ready.
    Failed {
        /// What is wrong and what to do, for people.
        why: String,
    },
}

/// The Kafka side.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KafkaState {
    /// The connection as a whole.
    pub state: KafkaCondition,
    /// Records handed to the client library and not yet acknowledged.
    pub in_flight: u64,
    /// How often the producer was closed and opened again after a permanent failure.
    pub restarts: u64,
    /// Every topic that has a lane in the spool.
    pub topics: Vec<TopicState>,
    /// How the replay of a backlog goes, while there is one.
    pub replay: Option<Replay>,
    /// Failed sends by the client library's error name. The agent lists the names that matter from the start, at 0.
    pub errors: Vec<ErrorCount>,
}

/// How the replay of a backlog goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replay {
    /// Records that wait and can be sent.
    pub records: u64,
    /// About how many bytes those are, before compression.
    pub bytes: u64,
    /// How fast the backlog shrinks, in bytes a second.
    pub bytes_per_second: u64,
    /// How long it takes at this speed; `None` while it does not shrink.
    pub seconds_left: Option<u64>,
    /// The configured cap (`replay.bytes_per_second`), if there is one.
    pub bytes_per_second_max: Option<u64>,
}

impl std::fmt::Display for Replay {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{} records of {} bytes wait, {} bytes a second fewer",
            self.records, self.bytes, self.bytes_per_second
        )?;
        match self.seconds_left {
            Some(seconds) => write!(formatter, ", {seconds} s left"),
            None => Ok(()),
        }
    }
}

/// The connection to the cluster as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KafkaCondition {
    /// No bootstrap servers are configured; records stay in the spool.
    #[default]
    NotConfigured,
    /// No broker has answered yet, or none does any more; it is tried again without end.
    Connecting {
        /// The last error in words.
        why: String,
    },
    /// The cluster answers, and does not let us in (authentication, TLS, authorisation).
    Refused {
        /// The broker's or library's words, and what to check.
        why: String,
    },
    /// At least one broker is connected.
    Up,
}

impl KafkaCondition {
    /// Every name, for metrics.
    pub const NAMES: [&'static str; 4] = ["not_configured", "connecting", "refused", "up"];

    /// The name used in metrics and on the page.
    pub fn as_str(&self) -> &'static str {
        match self {
            KafkaCondition::NotConfigured => "not_configured",
            KafkaCondition::Connecting { .. } => "connecting",
            KafkaCondition::Refused { .. } => "refused",
            KafkaCondition::Up => "up",
        }
    }
}

/// One topic: its lane in the spool and its state at the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicState {
    /// The topic's name.
    pub topic: CompactString,
    /// Records in its lane that are not acknowledged.
    pub pending: u64,
    /// Bytes that its lane uses.
    pub bytes: u64,
    /// Age of its oldest such record in milliseconds; 0 when none waits.
    pub oldest_pending_age_ms: u64,
    /// Whether records flow.
    pub state: TopicCondition,
}

/// Whether a topic's records flow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TopicCondition {
    /// Nothing was sent to it yet.
    #[default]
    Untried,
    /// The broker acknowledges.
    Flowing,
    /// The broker does not take its records now (unknown topic, no leader, no rights, quota); they are kept and tried
    /// again.
    Stalled {
        /// The broker's words and what to check.
        why: String,
    },
}

impl TopicCondition {
    /// Every name, for metrics.
    pub const NAMES: [&'static str; 3] = ["untried", "flowing", "stalled"];

    /// The name used in metrics and on the page.
    pub fn as_str(&self) -> &'static str {
        match self {
            TopicCondition::Untried => "untried",
            TopicCondition::Flowing => "flowing",
            TopicCondition::Stalled { .. } => "stalled",
        }
    }
}

/// How often one error was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCount {
    /// The error's name, of a small fixed set (`_MSG_TIMED_OUT`, `NOT_LEADER_FOR_PARTITION`).
    pub name: CompactString,
    /// How often, since the start.
    pub total: u64,
}

/// Outcomes of reading the configuration again (SIGHUP).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reloads {
    /// The new file is in force.
    pub succeeded: u64,
    /// The new file is in force, and something that it names could not be read again: what that held before is in use.
    pub partial: u64,
    /// The file was refused and the old one stayed in force.
    pub failed: u64,
}

/// The configuration against what runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigurationState {
    /// What was reloaded and only a restart puts into force, a sentence each, until the file says again what runs.
    pub restart_needed: Vec<String>,
    /// It is being read again, and what it is read from does not answer.
    pub hangs: bool,
}

/// What one rule of the operator's did since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleState {
    /// Its configured name.
    pub name: CompactString,
    /// Events that it matched.
    pub matched: u64,
    /// Those of them that it took out.
    pub dropped: u64,
}

/// One number of a stage, without labels: the agent adds it and [`super::metrics`] need not know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The metric's name without the prefix `trapline_` and without `_total`: `identity_conflicts`.
    pub name: &'static str,
    /// One sentence for the HELP line.
    pub help: &'static str,
    /// How the number behaves.
    pub kind: ReadingKind,
    /// The number.
    pub value: u64,
}

/// How a reading behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadingKind {
    /// It only grows while the process lives.
    Counter,
    /// It goes up and down.
    Gauge,
}

impl Reading {
    /// A number that only grows.
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Reading {
        Reading {
            name,
            help,
            kind: ReadingKind::Counter,
            value,
        }
    }

    /// A number that goes up and down.
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Reading {
        Reading {
            name,
            help,
            kind: ReadingKind::Gauge,
            value,
        }
    }
}

impl Picture {
    /// Packets read and not yet at an end, all listeners together.
    pub fn in_hand(&self) -> u64 {
        let counts = |listener: &ledger::ListenerSnapshot| listener.counts.in_hand;
        self.ledger.listeners.iter().map(counts).sum()
    }
}
