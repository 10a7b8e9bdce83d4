//! The producer's state as others see it: numbers and words.
//!
//! ```text
//!  lanes, connection, counts ──▶ State { connection, topics: [{ mode: "sending", in_flight }], .. } ──▶ Shared
//! ```
//!
//! In: what the thread keeps. Out: a [`State`] for the status page and metrics.

use super::Producer;
use crate::produce::handle::lock;
use crate::produce::lane::{Lane, Mode};
use crate::produce::{Config, Connection, State, TopicState};

/// After so long without an acknowledgement the state of a topic says so.
pub(super) const SILENT_MS: u64 = 10_000;

/// What is known of the connection before anything is tried.
pub(super) fn connection_at_start(config: &Config) -> Connection {
    match &config.bootstrap_servers {
        None => Connection::NotConfigured,
        Some(_) => Connection::Connecting {
            why: "no broker has answered yet".to_owned(),
        },
    }
}

/// The state before the thread runs.
pub fn state_at_start(config: &Config) -> State {
    let connection = connection_at_start(config);
    let topics = config.topics.iter().map(|name| TopicState {
        topic: name.clone(),
        mode: words(&Lane::default(), &connection, 0, 0),
        in_flight: 0,
    });
    State {
        topics: topics.collect(),
        connection: connection.clone(),
        ..State::default()
    }
}

impl Producer {
    pub(super) fn publish(&self, now_ms: u64) {
        let topics = self.topics.iter().zip(&self.config.topics);
        let topics = topics.map(|(topic, name)| TopicState {
            topic: name.clone(),
            mode: words(&topic.lane, &self.connection, now_ms, topic.progress_ms),
            in_flight: topic.lane.in_flight(),
        });
        *lock(&self.shared.state) = State {
            connection: self.connection.clone(),
            topics: topics.collect(),
            errors: self.errors.clone(),
            producers_created: self.producers_created,
            repeats: self.repeats,
            given_up: self.given_up,
            replay: self.replaying.progress(),
        };
    }
}

/// What a lane does, for people.
fn words(lane: &Lane, connection: &Connection, now_ms: u64, progress_ms: u64) -> String {
    let why = lane
        .why()
        .map_or("the topic is in trouble", |row| row.words);
    let silent_ms = now_ms.saturating_sub(progress_ms);
    match (lane.mode(), connection) {
        (_, Connection::NotConfigured) => "waiting: kafka.bootstrap_servers is not set".to_owned(),
        (Mode::Waiting { until_ms }, _) => {
            let seconds = until_ms.saturating_sub(now_ms).div_ceil(1_000);
            format!("waiting: {why}; next try in {seconds} s")
        }
        (_, Connection::Connecting { .. }) => "waiting for the connection".to_owned(),
        (Mode::Probing, _) if lane.is_searching() => format!("sending one by one: {why}"),
        (_, Connection::Up) if silent_ms >= SILENT_MS => format!(
            "waiting: no acknowledgement for {} s (a partition without leader, too few replicas in sync, or a slow broker)",
            silent_ms / 1_000
        ),
        (Mode::Probing | Mode::Open, Connection::Up) => "sending".to_owned(),
    }
}
