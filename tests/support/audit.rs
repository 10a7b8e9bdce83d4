//! `trapline audit`, run on a test's topics: the agents' own account, held against what Kafka has.

use std::process::Command;

use serde_json::Value;

use super::kafka::Broker;
use super::tool::output;

/// What an audit is expected to say; the numbers are its exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Everything is there.
    Complete = 0,
    /// Something is missing, and reports say why.
    Declared = 1,
    /// Something is missing, and no report says why.
    Missing = 2,
    /// A topic that reports name was not read.
    Unread = 3,
}

/// Audits `topics`, the reports' among them ([`super::settings::Settings::reporting`]), and returns what it found.
#[track_caller]
pub fn audit(broker: &Broker, topics: &[&str], expected: Answer) -> Findings {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    // The agents' own configuration is none of the audit's business here.
    command.args(["audit", "--config", "/dev/null", "--json"]);
    command.args(["--bootstrap-servers", &broker.address]);
    command
        .env_remove("TRAPLINE_SOAK_ROUNDS")
        .env_remove("TRAPLINE_SOAK_SEED");
    for topic in topics {
        command.args(["--topic", topic]);
    }
    let ended = output(&mut command);
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(
        ended.status.code(),
        Some(expected as i32),
        "{topics:?}: {complaints}\n{text}"
    );
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {text}\n{complaints}"));
    Findings(found)
}

/// What an audit printed.
#[derive(Debug, Clone)]
pub struct Findings(pub Value);

impl Findings {
    /// All tallies of `topic`, over agents and windows.
    fn tallies<'f>(&'f self, topic: &'f str) -> impl Iterator<Item = &'f Value> {
        let agents = self.0["agents"].as_array().expect("agents");
        let windows = agents
            .iter()
            .flat_map(|agent| agent["windows"].as_array().expect("windows"));
        windows
            .flat_map(|window| window["topics"].as_array().expect("topics"))
            .filter(move |tally| tally["topic"] == topic)
    }

    /// The sum of a count over all windows: `produced`, `found`, `repeated`, `out_of_order`.
    pub fn count(&self, topic: &str, name: &str) -> u64 {
        self.tallies(topic)
            .map(|tally| tally[name].as_u64().expect("a count"))
            .sum()
    }

    /// Ranges of all windows: `missing`, `pending`, `expired`.
    pub fn ranges(&self, topic: &str, name: &str) -> Vec<(u64, u64)> {
        self.tallies(topic)
            .flat_map(|tally| ranges(&tally[name]))
            .collect()
    }

    /// Ranges that reports declare as missing for `reason`.
    pub fn declared(&self, topic: &str, reason: &str) -> Vec<(u64, u64)> {
        self.tallies(topic)
            .flat_map(|tally| tally["declared"].as_array().expect("a list"))
            .filter(|declared| declared["reason"] == reason)
            .flat_map(|declared| ranges(&declared["ranges"]))
            .collect()
    }

    /// Events that no report covers yet.
    pub fn uncovered(&self, topic: &str) -> u64 {
        let agents = self.0["agents"].as_array().expect("agents");
        agents
            .iter()
            .flat_map(|agent| agent["topics"].as_array().expect("topics"))
            .filter(|found| found["topic"] == topic)
            .map(|found| found["uncovered"].as_u64().expect("a count"))
            .sum()
    }

    /// Ranges that reports declare as missing, whatever the reason.
    pub fn declared_at_all(&self, topic: &str) -> Vec<(u64, u64)> {
        self.tallies(topic)
            .flat_map(|tally| tally["declared"].as_array().expect("a list"))
            .flat_map(|declared| ranges(&declared["ranges"]))
            .collect()
    }

    /// The reports say that `count` events were produced, and all of them are there, in order.
    #[track_caller]
    pub fn assert_accounts_for(&self, topic: &str, count: u64) {
        assert_eq!(self.count(topic, "produced"), count, "{:#}", self.0);
        assert_eq!(self.count(topic, "found"), count, "{:#}", self.0);
        assert_eq!(self.uncovered(topic), 0, "{:#}", self.0);
        self.assert_in_order(topic);
    }

    /// Nothing is out of order, in any topic and window.
    #[track_caller]
    pub fn assert_in_order(&self, topic: &str) {
        assert_eq!(self.count(topic, "out_of_order"), 0, "{:#}", self.0);
    }
}

fn ranges(list: &Value) -> Vec<(u64, u64)> {
    let pair = |pair: &Value| (pair[0].as_u64(), pair[1].as_u64());
    let ranges = list.as_array().expect("a list").iter().map(pair);
    ranges
        .map(|(first, last)| (first.expect("a number"), last.expect("a number")))
        .collect()
}
