//! Everything that was read, in little memory: which numbers are there, and what the reports say.
//!
//! ```text
//!  Seen, its place ──take──▶ agent ─▶ topic ─▶ boot ─▶ numbers found, repeated, out of order; by partition: the highest
//!                              └▶ reports in the order of their partition (an agent's reports have one key)
//! ```
//!
//! A number is a bit at the most ([`super::numbers`]); ids, keys and payloads are not kept.

use std::collections::{BTreeMap, BTreeSet};

use super::numbers::Numbers;
use super::record::{Report, Seen};

/// Runs of agents, by topic, that are told apart. A run leaves some; more of them means that what is in the topics is
/// not what agents wrote, and memory must not grow with it.
pub const RUNS_MAX: usize = 200_000;

/// Where a record was read.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// The topic.
    pub topic: &'p str,
    /// The partition. Its records come in the order of their offsets.
    pub partition: i32,
}

/// What was read of all topics.
#[derive(Debug, Default)]
pub struct History {
    pub(super) agents: BTreeMap<String, AgentHistory>,
    /// Topics whose oldest records Kafka has deleted: those before this time (ms since the epoch) may be gone.
    pub(super) expired_to_ms: BTreeMap<String, i64>,
    /// Records that are no events of an agent's.
    pub(super) foreign: u64,
    pub(super) records: u64,
    runs: usize,
    /// The topics that were read; `None`: all that there are.
    read: Option<BTreeSet<String>>,
    /// Only this agent counts.
    only: Option<String>,
}

/// One agent.
#[derive(Debug, Default)]
pub(super) struct AgentHistory {
    pub topics: BTreeMap<String, TopicHistory>,
    /// Each once, in the order of their first occurrence.
    pub reports: Vec<Report>,
}

/// One agent's events in one topic.
#[derive(Debug, Default)]
pub(super) struct TopicHistory {
    pub boots: BTreeMap<String, BootHistory>,
}

/// What one run of the agent numbered in one topic.
#[derive(Debug, Default)]
pub(super) struct BootHistory {
    pub found: Numbers,
    /// Those that came more than once.
    pub repeated: Numbers,
    /// How many came again, in all.
    pub repeats: u64,
    /// Those whose first occurrence stands behind that of a higher number.
    pub disordered: Numbers,
    /// The highest number of each partition so far.
    highest: BTreeMap<i32, u64>,
}

impl History {
    /// An empty one, for all agents or only one.
    pub fn new(only: Option<String>) -> History {
        History {
            only,
            ..History::default()
        }
    }

    /// Takes in one record.
    pub fn take(&mut self, place: Place<'_>, seen: Option<Seen>) {
        self.records += 1;
        let Some(seen) = seen else {
            self.foreign += 1;
            return;
        };
        if self.only.as_ref().is_some_and(|only| *only != seen.agent) {
            return;
        }
        let is_new_run = self
            .agents
            .get(&seen.agent)
            .and_then(|agent| agent.topics.get(place.topic)?.boots.get(&seen.boot))
            .is_none();
        if is_new_run {
            if self.runs >= RUNS_MAX {
                self.foreign += 1;
                return;
            }
            self.runs += 1;
        }
        let agent = self.agents.entry(seen.agent).or_default();
        let topic = agent.topics.entry(place.topic.to_owned()).or_default();
        let boot = topic.boots.entry(seen.boot).or_default();
        let is_first = boot.take(place.partition, seen.number);
        agent.reports.extend(seen.report.filter(|_| is_first));
    }

    /// Only `topics` are read: what other topics hold cannot be known.
    pub fn reads(&mut self, topics: impl IntoIterator<Item = String>) {
        self.read = Some(topics.into_iter().collect());
    }

    /// Whether `topic` is among those that were read.
    pub(super) fn was_read(&self, topic: &str) -> bool {
        self.read.as_ref().is_none_or(|read| read.contains(topic))
    }

    /// Kafka has deleted records of `topic` that were older than `until_ms`.
    pub fn expired(&mut self, topic: &str, until_ms: i64) {
        let known = self
            .expired_to_ms
            .entry(topic.to_owned())
            .or_insert(until_ms);
        *known = (*known).max(until_ms);
    }
}

impl BootHistory {
    /// Whether this is the first occurrence.
    fn take(&mut self, partition: i32, number: u64) -> bool {
        if !self.found.insert(number) {
            self.repeats += 1;
            self.repeated.insert(number);
            return false;
        }
        let highest = self.highest.entry(partition).or_insert(number);
        if number < *highest {
            self.disordered.insert(number);
        }
        *highest = number.max(*highest);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::numbers::Ranges;

    fn seen(number: u64) -> Option<Seen> {
        Some(Seen {
            agent: "a".into(),
            boot: "B".into(),
            number,
            report: None,
        })
    }

    #[test]
    fn repeats_and_disorder_are_told_apart_and_partitions_have_orders_of_their_own() {
        let mut history = History::default();
        for (partition, number) in [(0, 1), (1, 0), (0, 4), (0, 1), (0, 3), (1, 2), (0, 1)] {
            let topic = "t";
            history.take(Place { topic, partition }, seen(number));
        }
        let boot = &history.agents["a"].topics["t"].boots["B"];
        assert_eq!(boot.found.count(), 5);
        assert_eq!((boot.repeats, boot.repeated.count()), (2, 1));
        let disordered = boot.disordered.ranges();
        assert_eq!(disordered, Ranges::of(3..4));
    }

    #[test]
    fn another_agent_and_what_is_no_event_do_not_count() {
        let mut history = History::new(Some("b".to_owned()));
        let place = Place {
            topic: "t",
            partition: 0,
        };
        history.take(place, seen(1));
        history.take(place, None);
        assert!(history.agents.is_empty());
        assert_eq!((history.records, history.foreign), (2, 1));
    }
}
