//! Every stage's own words → the one picture that metrics, health and the status page are made from.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use compact_str::{CompactString, ToCompactString};

use super::hearing::Conditions;
use super::{ReloadCounts, readings};
use crate::names::Names;
use crate::observe::ledger::{ListenerLedger, Snapshot};
use crate::observe::picture::{
    AgentState, ConfigurationState, ErrorCount, KafkaCondition, KafkaState, Picture, Reloads,
    Replay, RuleState, SpoolCondition, SpoolKind, SpoolState, TopicCondition, TopicState, View,
};
use crate::observe::rates::History;
use crate::pipeline::{Settings, SnmpAccess};
use crate::produce;
use crate::route::Router;
use crate::spool::Spool;
use crate::time::UnixMicros;

/// What is needed to draw the picture; shared with the status page's thread.
pub(super) struct Observer {
    pub agent_id: CompactString,
    pub started: UnixMicros,
    pub clock: Instant,
    pub spool: Arc<Spool>,
    pub router: Arc<Router>,
    /// Why there is a spool in memory where one on disk was asked for.
    pub spool_trouble: Option<String>,
    pub ledgers: Vec<Arc<ListenerLedger>>,
    pub listeners: Conditions,
    pub producer: produce::Watch,
    pub reloads: ReloadCounts,
    pub configuration: Mutex<ConfigurationState>,
    pub history: Mutex<History>,
    pub snmp: Arc<SnmpAccess>,
    pub settings: Arc<Settings>,
    pub names: Arc<Names>,
}

impl Observer {
    /// The ledger now.
    pub fn ledger(&self) -> Snapshot {
        let ledgers = self.ledgers.iter().map(Arc::as_ref);
        Snapshot::take(ledgers, || self.spool.counts())
    }

    /// Takes the ledger into the history, from which the rates are.
    pub fn note_rates(&self, ledger: &Snapshot) {
        let now_ms = self.clock.elapsed().as_millis() as u64;
        self.history().note(now_ms, ledger);
    }

    /// The configuration against what runs.
    pub fn configuration(&self) -> std::sync::MutexGuard<'_, ConfigurationState> {
        let configuration = self.configuration.lock();
        configuration.unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spool(&self) -> SpoolState {
        let now = UnixMicros::now();
        let oldest = self
            .spool
            .lanes()
            .iter()
            .filter_map(|lane| lane.oldest_received)
            .min();
        SpoolState {
            kind: if self.spool.is_on_disk() {
                SpoolKind::Disk
            } else {
                SpoolKind::Memory
            },
            bytes: self.spool.bytes(),
            bytes_max: self.spool.bytes_max(),
            oldest_pending_age_ms: age_ms(oldest, now),
            state: self.spool_condition(),
        }
    }
}

impl Observer {
    fn spool_condition(&self) -> SpoolCondition {
        if let Some(why) = self.spool.refusal(Instant::now()) {
            return SpoolCondition::Failed { why };
        }
        match self.spool.trouble().or_else(|| self.spool_trouble.clone()) {
            Some(why) => SpoolCondition::Degraded { why },
            None => SpoolCondition::Ready,
        }
    }
}

impl View for Observer {
    fn picture(&self) -> Picture {
        Picture {
            agent: AgentState {
                id: self.agent_id.clone(),
                version: env!("CARGO_PKG_VERSION").into(),
                started: self.started,
                uptime_ms: self.clock.elapsed().as_millis() as u64,
            },
            ledger: self.ledger(),
            listeners: self.listeners.now(),
            spool: self.spool(),
            kafka: kafka(&self.producer.state(), &self.spool),
            reloads: Reloads {
                succeeded: self.reloads.succeeded.load(Ordering::Relaxed),
                partial: self.reloads.partial.load(Ordering::Relaxed),
                failed: self.reloads.failed.load(Ordering::Relaxed),
            },
            configuration: self.configuration().clone(),
            rules: rules(&self.router),
            rates: self.history().rates(),
            readings: readings::all(
                &self.spool,
                &self.snmp.usm,
                &self.settings.config().mibs,
                &self.names,
            ),
        }
    }
}

/// What the operator's rules did.
fn rules(router: &Router) -> Vec<RuleState> {
    let counts = router.rule_counts().into_iter();
    let states = counts.map(|counts| RuleState {
        name: counts.name.into(),
        matched: counts.matched,
        dropped: counts.dropped,
    });
    states.collect()
}

fn age_ms(oldest: Option<UnixMicros>, now: UnixMicros) -> u64 {
    oldest.map_or(0, |oldest| {
        (now.as_millis() - oldest.as_millis()).max(0) as u64
    })
}

/// The producer's words and the lanes' numbers.
pub(super) fn kafka(state: &produce::State, spool: &Spool) -> KafkaState {
    let now = UnixMicros::now();
    let topics = spool.lanes().into_iter().map(|lane| {
        let mode = state.topics.iter().find(|topic| topic.topic == lane.topic);
        TopicState {
            topic: lane.topic.to_compact_string(),
            pending: lane.pending,
            bytes: lane.bytes,
            oldest_pending_age_ms: age_ms(lane.oldest_received, now),
            state: mode.map_or(TopicCondition::Untried, topic_condition),
        }
    });
    KafkaState {
        state: match &state.connection {
            produce::Connection::NotConfigured => KafkaCondition::NotConfigured,
            produce::Connection::Connecting { why } => {
                KafkaCondition::Connecting { why: why.clone() }
            }
            produce::Connection::Up => KafkaCondition::Up,
        },
        in_flight: state.topics.iter().map(|topic| topic.in_flight).sum(),
        restarts: state.producers_created.saturating_sub(1),
        topics: topics.collect(),
        replay: state.replay.map(|replay| Replay {
            records: replay.records,
            bytes: replay.bytes,
            bytes_per_second: replay.bytes_per_second,
            seconds_left: replay.seconds_left,
            bytes_per_second_max: replay.bytes_per_second_max,
        }),
        errors: errors(state),
    }
}

/// Every error name of the table, at 0 from the start.
fn errors(state: &produce::State) -> Vec<ErrorCount> {
    let count = |name: &str| state.errors.get(name).copied().unwrap_or(0);
    let mut names: Vec<&str> = produce::TABLE.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| ErrorCount {
            name: name.into(),
            total: count(name),
        })
        .collect()
}

fn topic_condition(topic: &produce::TopicState) -> TopicCondition {
    match topic.mode.as_str() {
        "sending" => TopicCondition::Flowing,
        mode => TopicCondition::Stalled {
            why: mode.to_owned(),
        },
    }
}
