//! What an audit found: agents, their windows, the topics of each, and the answer in one word.

use super::numbers::Ranges;
use super::record::{Time, What};

/// What the audit found.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Each agent, by name.
    pub agents: Vec<AgentFindings>,
    /// Records that were read.
    pub records: u64,
    /// Those of them that are no events of an agent's.
    pub foreign: u64,
}

/// The audit's answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// Everything that was produced is there, or may still come.
    Complete,
    /// Something is missing, and reports say so.
    Declared,
    /// Something is not there, and is so old that Kafka may have deleted it: whether it was there cannot be known.
    Expired,
    /// An agent has events, and none of its reports was read: what it produced cannot be known.
    Unreported,
    /// Reports name topics that were not read: whether their records are there cannot be known.
    Unread,
    /// Something is missing, and no report says so.
    Missing,
}

/// One agent.
#[derive(Debug, Clone)]
pub struct AgentFindings {
    /// Its name.
    pub agent: String,
    /// Its windows, in the order of its reports.
    pub windows: Vec<WindowFindings>,
    /// By topic: what does not belong to a window.
    pub topics: Vec<TopicFindings>,
    /// Runs that could not know what the run before them left.
    pub unknown: Vec<Unknown>,
    /// Its reports that were read, those of other times than the wanted ones too.
    pub reports: usize,
}

/// A run that could not know what the run before it took after its last report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The run.
    pub boot: String,
    /// When it started.
    pub at: Time,
}

/// One window.
#[derive(Debug, Clone)]
pub struct WindowFindings {
    /// The run that reported; `None` for a gap between reports.
    pub boot: Option<String>,
    /// What made it report; `None` for a gap.
    pub what: Option<What>,
    /// When it began.
    pub begin: Time,
    /// When it ended.
    pub end: Time,
    /// Its numbers by topic; topics without numbers are left out.
    pub topics: Vec<Tally>,
}

/// One topic in one window.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// The topic.
    pub topic: String,
    /// Records that were accepted.
    pub produced: u64,
    /// Those that are there.
    pub found: u64,
    /// Those that are not, and no report says why.
    pub missing: Ranges,
    /// Those that are not, by the reason that a report gives.
    pub declared: Vec<(String, Ranges)>,
    /// Those that may still come.
    pub pending: Ranges,
    /// Those that Kafka may have deleted by now.
    pub expired: Ranges,
    /// Those of a topic that was not read.
    pub unread: Ranges,
    /// Numbers that came more than once.
    pub repeated: u64,
    /// Numbers that stand behind a higher one of their partition.
    pub out_of_order: u64,
}

/// One topic of one agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicFindings {
    /// The topic.
    pub topic: String,
    /// Records that came again, each time counted.
    pub repeats: u64,
    /// Events that no report covers yet.
    pub uncovered: u64,
}

impl Tally {
    /// More of the same topic.
    pub(super) fn add(&mut self, more: &Tally) {
        self.produced += more.produced;
        self.found += more.found;
        self.repeated += more.repeated;
        self.out_of_order += more.out_of_order;
        self.declared.extend(more.declared.iter().cloned());
        for (sum, more) in [
            (&mut self.missing, &more.missing),
            (&mut self.pending, &more.pending),
            (&mut self.expired, &more.expired),
            (&mut self.unread, &more.unread),
        ] {
            *sum = std::mem::take(sum).with(more);
        }
    }
}

impl Findings {
    /// The answer over all agents.
    pub fn answer(&self) -> Answer {
        let tallies = || self.agents.iter().flat_map(AgentFindings::tallies);
        match () {
            () if tallies().any(|tally| !tally.missing.is_empty()) => Answer::Missing,
            () if tallies().any(|tally| !tally.unread.is_empty()) => Answer::Unread,
            () if self.agents.iter().any(|agent| agent.reports == 0) => Answer::Unreported,
            () if tallies().any(|tally| !tally.expired.is_empty()) => Answer::Expired,
            () if tallies().any(|tally| !tally.declared.is_empty()) => Answer::Declared,
            () => Answer::Complete,
        }
    }

    /// Whether there is a report at all.
    pub fn has_reports(&self) -> bool {
        self.agents.iter().any(|agent| !agent.windows.is_empty())
    }
}

impl AgentFindings {
    /// Every topic of every window.
    pub fn tallies(&self) -> impl Iterator<Item = &Tally> {
        self.windows.iter().flat_map(|window| &window.topics)
    }
}
