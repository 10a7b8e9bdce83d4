//! Everything that `trapline status` shows, as the admin socket answers it.
//!
//! ```text
//!  Picture + Health + Process ──▶ Report ──JSON──▶ admin socket ──JSON──▶ Report ──▶ trapline status
//! ```
//!
//! In: the picture. Out: plain data with units in its names, and advice where somebody has to act. A newer agent may say
//! more than an older command reads, and the other way round: what is absent is empty.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::health::{self, Health};
use super::ledger::{ListenerSnapshot, Snapshot};
use super::picture::{
    KafkaCondition, KafkaState, ListenerCondition, ListenerState, Picture, SpoolCondition,
    SpoolState, TopicCondition, TopicState,
};
use super::process::Process;
use super::rates::{ListenerRates, Rate};
use super::statement::{self, protocol_name};

/// The agent at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Who is speaking.
    pub agent: AgentReport,
    /// `ready`, `degraded` or `not_ready`, as `/readyz` answers.
    pub status: String,
    /// Why it is not `ready`, and threads that do not move.
    pub reasons: Vec<String>,
    /// What the configuration says otherwise than what runs, and only a restart changes.
    pub restart_needed: Vec<String>,
    /// The configured listeners.
    pub listeners: Vec<ListenerReport>,
    /// Records that the spool took, a second.
    pub accepted_per_second: Rate,
    /// Records that the broker acknowledged, a second.
    pub delivered_per_second: Rate,
    /// The ledger as `/ledger` answers it.
    pub ledger: Map<String, Value>,
    /// Where records wait.
    pub spool: SpoolReport,
    /// The way out.
    pub kafka: KafkaReport,
    /// How the replay of a backlog goes, while there is one.
    pub replay: Option<ReplayReport>,
}

/// Who is speaking, and what it uses.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentReport {
    /// The configured name.
    pub id: String,
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// For how long it runs.
    pub uptime_ms: u64,
    /// Its memory.
    pub resident_bytes: Option<u64>,
    /// Its processor time.
    pub cpu_seconds: Option<f64>,
}

/// One configured listener.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ListenerReport {
    /// The configured name.
    pub name: String,
    /// `syslog` or `snmp`.
    pub protocol: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Where it is bound; absent where it is missing.
    pub address: Option<String>,
    /// Why it is missing, and what to do.
    pub missing: Option<String>,
    /// Packets that were read.
    pub received: u64,
    /// Packets that the kernel dropped.
    pub kernel_dropped: u64,
    /// Packets that became no record, by reason; only reasons that occurred.
    pub rejected: Map<String, Value>,
    /// Stream connections open now.
    pub connections_open: u64,
    /// How fast.
    pub per_second: ListenerRates,
}

/// The spool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SpoolReport {
    /// `disk` or `memory`.
    pub kind: String,
    /// Bytes used.
    pub bytes: u64,
    /// The cap.
    pub bytes_max: u64,
    /// Age of the oldest record that is not acknowledged; 0 when none waits.
    pub oldest_pending_age_ms: u64,
    /// What is wrong and what to do.
    pub trouble: Option<String>,
}

/// Kafka.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct KafkaReport {
    /// `not_configured`, `connecting`, `refused` or `up`.
    pub state: String,
    /// The last error in words.
    pub why: Option<String>,
    /// What to do.
    pub advice: Option<String>,
    /// Records handed to the client library and not acknowledged.
    pub in_flight: u64,
    /// How often the producer was replaced after a permanent failure.
    pub producer_restarts: u64,
    /// Every topic.
    pub topics: Vec<TopicReport>,
}

/// One topic.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TopicReport {
    /// Its name.
    pub topic: String,
    /// `untried`, `flowing` or `stalled`.
    pub state: String,
    /// The broker's words, and what to check.
    pub why: Option<String>,
    /// Records that are not acknowledged.
    pub pending: u64,
    /// Bytes of the spool that it uses.
    pub bytes: u64,
    /// Age of its oldest pending record; 0 when none waits.
    pub oldest_pending_age_ms: u64,
}

/// A replay.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplayReport {
    /// Records that wait and can be sent.
    pub records: u64,
    /// About how many bytes those are, before compression.
    pub bytes: u64,
    /// How fast the backlog shrinks.
    pub bytes_per_second: u64,
    /// How long it takes at this speed; absent while it does not shrink.
    pub seconds_left: Option<u64>,
    /// The cap, if there is one.
    pub bytes_per_second_max: Option<u64>,
}

impl Report {
    /// The report on what is seen now.
    pub fn new(picture: &Picture, health: &Health, process: &Process) -> Report {
        let readiness = health::readyz(picture);
        let mut reasons = readiness.reasons;
        if let Health::Stalled(pulses) = health {
            reasons.extend(pulses.iter().map(|pulse| {
                format!(
                    "thread {} has not moved for {} ms",
                    pulse.thread, pulse.age_ms
                )
            }));
        }
        let ledger = match statement::ledger_json(&picture.ledger) {
            Value::Object(ledger) => ledger,
            _ => Map::new(),
        };
        Report {
            agent: AgentReport {
                id: picture.agent.id.to_string(),
                version: picture.agent.version.to_string(),
                pid: std::process::id(),
                uptime_ms: picture.agent.uptime_ms,
                resident_bytes: process.resident_bytes,
                cpu_seconds: process.cpu_seconds,
            },
            status: readiness.status.as_str().to_owned(),
            reasons,
            restart_needed: picture.configuration.restart_needed.clone(),
            listeners: listeners(picture),
            accepted_per_second: picture.rates.accepted,
            delivered_per_second: picture.rates.delivered,
            ledger,
            spool: spool(&picture.spool),
            kafka: kafka(&picture.kafka),
            replay: picture.kafka.replay.map(|replay| ReplayReport {
                records: replay.records,
                bytes: replay.bytes,
                bytes_per_second: replay.bytes_per_second,
                seconds_left: replay.seconds_left,
                bytes_per_second_max: replay.bytes_per_second_max,
            }),
        }
    }
}

fn listeners(picture: &Picture) -> Vec<ListenerReport> {
    let states = picture.listeners.iter().enumerate();
    states
        .map(|(index, state)| {
            let rates = picture.rates.listeners.get(index);
            let per_second = rates.copied().unwrap_or_default();
            listener(state, account(&picture.ledger, state), per_second)
        })
        .collect()
}

/// The listener's part of the ledger.
fn account<'p>(ledger: &'p Snapshot, state: &ListenerState) -> Option<&'p ListenerSnapshot> {
    let mut accounts = ledger.listeners.iter();
    accounts.find(|it| it.listener.name == state.name)
}

fn listener(
    state: &ListenerState,
    account: Option<&ListenerSnapshot>,
    per_second: ListenerRates,
) -> ListenerReport {
    let (address, missing) = match &state.state {
        ListenerCondition::Listening { address, .. } => (Some(address.to_string()), None),
        ListenerCondition::Missing { why } => (None, Some(why.clone())),
    };
    let mut report = ListenerReport {
        name: state.name.to_string(),
        address,
        missing,
        per_second,
        ..ListenerReport::default()
    };
    if let Some(account) = account {
        report.protocol = protocol_name(account.listener.protocol).to_owned();
        report.transport = account.listener.transport.as_str().to_owned();
        report.received = account.counts.received;
        report.kernel_dropped = account.kernel_dropped;
        report.connections_open = account.connections_open;
        let occurred = statement::rejections(account).filter(|(_, count)| *count > 0);
        report.rejected = occurred
            .map(|(reason, count)| (reason.to_owned(), Value::from(count)))
            .collect();
    }
    report
}

fn spool(spool: &SpoolState) -> SpoolReport {
    SpoolReport {
        kind: spool.kind.as_str().to_owned(),
        bytes: spool.bytes,
        bytes_max: spool.bytes_max,
        oldest_pending_age_ms: spool.oldest_pending_age_ms,
        trouble: match &spool.state {
            SpoolCondition::Ready => None,
            SpoolCondition::Degraded { why } => Some(why.clone()),
            SpoolCondition::Failed { why } => Some(format!("no record can be appended: {why}")),
        },
    }
}

fn kafka(kafka: &KafkaState) -> KafkaReport {
    let (why, advice) = match &kafka.state {
        KafkaCondition::Up => (None, None),
        KafkaCondition::NotConfigured => (
            None,
            Some("set kafka.bootstrap_servers to your brokers, then restart the agent"),
        ),
        KafkaCondition::Connecting { why } => (
            Some(why.clone()),
            Some(
                "check that the brokers run and that this host reaches them; it is tried again without end",
            ),
        ),
        KafkaCondition::Refused { why } => (
            Some(why.clone()),
            Some("check the credentials and the security.protocol in [kafka.options]"),
        ),
    };
    KafkaReport {
        state: kafka.state.as_str().to_owned(),
        why,
        advice: advice.map(str::to_owned),
        in_flight: kafka.in_flight,
        producer_restarts: kafka.restarts,
        topics: kafka.topics.iter().map(topic).collect(),
    }
}

fn topic(topic: &TopicState) -> TopicReport {
    TopicReport {
        topic: topic.topic.to_string(),
        state: topic.state.as_str().to_owned(),
        why: match &topic.state {
            TopicCondition::Stalled { why } => Some(why.clone()),
            TopicCondition::Untried | TopicCondition::Flowing => None,
        },
        pending: topic.pending,
        bytes: topic.bytes,
        oldest_pending_age_ms: topic.oldest_pending_age_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::health::Pulse;

    #[test]
    fn what_is_not_known_by_one_side_is_empty_and_no_error() {
        let report: Report =
            serde_json::from_str(r#"{"agent":{"id":"br17","mood":"fine"},"weather":1}"#)
                .expect("a report");
        assert_eq!(report.agent.id, "br17");
        assert_eq!(report.kafka, KafkaReport::default());
    }

    #[test]
    fn a_report_survives_its_json_and_says_what_to_do() {
        let mut picture = Picture::default();
        picture.agent.id = "br17".into();
        picture.kafka.topics.push(TopicState {
            topic: "net.syslog".into(),
            pending: 3,
            bytes: 1800,
            oldest_pending_age_ms: 60_000,
            state: TopicCondition::Stalled {
                why: "the topic does not exist".into(),
            },
        });
        let stalled = Health::Stalled(vec![Pulse {
            thread: "produce".into(),
            age_ms: 11_000,
        }]);
        let report = Report::new(&picture, &stalled, &Process::default());
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(
            serde_json::from_str::<Report>(&text).expect("a report"),
            report
        );
        assert!(text.contains("set kafka.bootstrap_servers"), "{text}");
        assert!(text.contains("the topic does not exist"), "{text}");
        assert!(text.contains("thread produce has not moved"), "{text}");
    }
}
