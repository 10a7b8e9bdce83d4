//! Whether Kafka is connected, as far as anything has told.
//!
//! ```text
//!  an acknowledgement, an answer to a question ──▶ Up
//!  error events ─────────────────────────────────▶ Connecting { why }, and counts by name
//! ```
//!
//! In: the client's error events, acknowledgements, answers. Out: the [`Connection`] of the state, and log lines.

use std::time::Duration;

use super::Producer;
use crate::produce::Connection;

/// How often an idle agent without a connection asks whether a broker answers, and how long it waits.
const ASK_MS: u64 = 1_000;
const ASK_WAIT: Duration = Duration::from_millis(100);

impl Producer {
    pub(super) fn connected(&mut self) {
        if self.connection != Connection::Up {
            self.connection = Connection::Up;
            self.outage_told = false;
            tracing::info!("kafka is connected");
        }
    }

    pub(super) fn connection_lost(&mut self, why: String) {
        let known =
            matches!(&self.connection, Connection::Connecting { why: known } if *known == why);
        if known {
            return;
        }
        // One line for an outage; what changes during it is on the status page.
        if !std::mem::replace(&mut self.outage_told, true) {
            tracing::warn!(why, "kafka is not connected, records wait in the spool");
        }
        self.connection = Connection::Connecting { why };
    }

    /// Error events are about brokers and the client, never about a record.
    pub(super) fn note_errors(&mut self) {
        let Some(client) = &self.client else {
            return;
        };
        for event in client.take_errors() {
            let failure = event.failure();
            *self.errors.entry(failure.row.name).or_default() += 1;
            let all_down = failure.row.name == "_ALL_BROKERS_DOWN";
            // A single broker's trouble matters only while there is no connection at all; then it says more than
            // "all brokers are down".
            let silent = self.connection != Connection::Up;
            if all_down && !silent || silent && !all_down {
                self.connection_lost(format!("{} ({})", failure.row.words, event.reason));
            }
        }
        self.ask_whether_connected();
    }

    /// Without records in flight nothing says that the connection is back, so an idle agent asks.
    fn ask_whether_connected(&mut self) {
        let now_ms = self.now_ms();
        let idle = self.topics.iter().all(|topic| topic.lane.in_flight() == 0);
        if self.connection == Connection::Up || !idle || now_ms < self.ask_at_ms {
            return;
        }
        self.ask_at_ms = now_ms + ASK_MS;
        if let Some(client) = &self.client
            && client.is_answered(ASK_WAIT)
        {
            self.connected();
        }
    }
}
