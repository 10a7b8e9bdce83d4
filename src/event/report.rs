//! Kind `agent`: what the agent says of a window of time, for `trapline audit` and for whoever keeps accounts.
//!
//! ```text
//!   started            window               window            stopped        the next run: started
//!   ├ numbers of runs  ├ numbers 0..4711    ├ 4711..4711      ├ 4711..4720   ├ 4720..4731 that were killed
//!   │ before           │ of this run        │ (none)          │              │ before a report had them
//! ```
//!
//! Windows follow each other without a gap: the numbers of each topic in all reports of a spool on disk are all the
//! numbers that were ever accepted. Lists, never maps: keys that vary explode a consumer's index.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Kind, Rfc3339};

/// What the ledger says of a window of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// What made the agent report.
    pub what: ReportKind,
    /// The run of the agent, as in its events' ids.
    pub boot: String,
    /// When the window began. RFC 3339, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub begin: Rfc3339,
    /// When it ended; the next one begins here.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub end: Rfc3339,
    /// Where records are kept: it says what a killed run leaves behind.
    pub spool: SpoolKind,
    /// Report `started` only, else null: whether the numbers of earlier runs are known to their end.
    pub previous_run: Option<PreviousRun>,
    /// Records made in the window, by kind of event. In `started` there are none.
    pub kinds: Vec<KindReport>,
    /// Packets of the window, by listener.
    pub listeners: Vec<ListenerReport>,
    /// Records of the window, all topics together.
    pub records: RecordReport,
    /// Numbers of the window, by topic.
    pub topics: Vec<TopicReport>,
    /// Numbers that will never be in Kafka, and that no report before has declared.
    pub lost: Vec<LostRange>,
}

/// What made the agent report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// It started. The numbers are those that earlier runs took and that no report covers.
    Started,
    /// A window ended.
    Window,
    /// It stops, and has received its last packet. What it delivers after that is in the next `started`.
    Stopped,
}

/// Where records are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpoolKind {
    /// On disk: numbers go on from run to run.
    Disk,
    /// In memory: every run begins at 0, and what a killed run had not delivered is gone.
    Memory,
}

/// What a run knows of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreviousRun {
    /// There was none: the spool is new.
    None,
    /// The log holds all of their numbers.
    Known,
    /// What they took after their last report cannot be known: the spool was in memory, or its cursor is gone.
    Unknown,
}

/// Records of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KindReport {
    /// The kind.
    pub kind: Kind,
    /// How many the spool took.
    pub records: u64,
}

/// One listener's side of the ledger in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListenerReport {
    /// The listener's name.
    pub name: String,
    /// Packets that the kernel dropped before the agent could read them.
    pub kernel_dropped: u64,
    /// Packets read.
    pub received: u64,
    /// Packets that became a record.
    pub used: u64,
    /// Packets that did not, by reason.
    pub rejected: Vec<Count>,
}

/// Records in the window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordReport {
    /// Taken by the spool.
    pub accepted: u64,
    /// Acknowledged by the broker.
    pub delivered: u64,
    /// Still in the spool at the end of the window.
    pub pending: u64,
    /// Set aside as not deliverable.
    pub dead_letter: u64,
    /// Lost, by reason.
    pub lost: Vec<Count>,
}

/// How many, for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// The named reason.
    pub reason: &'static str,
    /// How many.
    pub count: u64,
}

/// The numbers of one topic: the last parts of its events' ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TopicReport {
    /// The topic.
    pub topic: String,
    /// The first number that was accepted in the window; null where none was.
    pub first: Option<u64>,
    /// The last one. Between the two there is no hole.
    pub last: Option<u64>,
    /// The number that was not accepted yet at the end of the window.
    pub next: u64,
    /// All numbers below are delivered, or declared in `lost`.
    pub settled_to: u64,
    /// Records that Kafka has not acknowledged.
    pub pending: u64,
    /// How long the oldest of them has waited; null where none waits.
    pub oldest_pending_age_ms: Option<u64>,
}

/// Numbers that will never be in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LostRange {
    /// The topic.
    pub topic: String,
    /// The first number.
    pub first: u64,
    /// The last number.
    pub last: u64,
    /// Why: a reason of the ledger; `dead_letter`: set aside; `torn`: no record ever had the number.
    pub reason: &'static str,
    /// How many numbers between the two are missing: all, unless there were too many ranges to list each.
    pub count: u64,
}
