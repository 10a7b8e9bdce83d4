//! One client after another: the one way out of a permanent failure.
//!
//! ```text
//!  open ──▶ Client ──fatal, or a row that says NewProducer──▶ await_reports ─▶ close ─▶ lanes go back ─┐
//!   ▲                                                                                                │
//!   └───────────────────────────────── a pause that grows (Backoff) ◀────────────────────────────────┘
//! ```
//!
//! In: a client's fatal error, or what a report asked for. Out: a new client, and lanes that begin again at their
//! lowest unacknowledged record.

use std::time::{Duration, Instant};

use super::{POLL_MS, Producer, Topic};
use crate::produce::client::Client;

/// How long a client with a fatal error may still hand in reports. librdkafka takes back what is queued and leaves
/// what is on its way: each report that comes in here is one record that need not be repeated.
const GRACE: Duration = Duration::from_secs(2);

impl Producer {
    pub(super) fn open(&mut self, now_ms: u64) {
        let configured = self.config.bootstrap_servers.is_some();
        if self.client.is_some() || !configured || now_ms < self.reopen_at_ms {
            return;
        }
        match Client::open(&self.config) {
            Ok(client) => {
                self.client = Some(client);
                self.producers_created += 1;
            }
            Err(why) => {
                self.reopen_later(now_ms);
                self.connection_lost(
                    "set-up",
                    format!("the Kafka client cannot be set up: {why}"),
                );
            }
        }
    }

    fn reopen_later(&mut self, now_ms: u64) {
        self.reopen_failures = self.reopen_failures.saturating_add(1);
        let jitter = self.jitter();
        let delay_ms = self.config.backoff.delay_ms(self.reopen_failures, jitter);
        self.reopen_at_ms = now_ms + delay_ms;
    }

    /// The one way out of a permanent failure.
    pub(super) fn replace_if_failed(&mut self, now_ms: u64, heartbeat: &impl Fn()) {
        let Some(client) = &self.client else {
            return;
        };
        let (failure, text) = match (client.fatal(), self.must_replace.take()) {
            (Some(fatal), _) => fatal,
            (None, Some(failure)) => (failure, String::new()),
            (None, None) => return,
        };
        let row = failure.row;
        let why = if text.is_empty() { row.words } else { &text };
        let why = format!("the producer is replaced: {why}");
        tracing::warn!(
            error = row.name,
            code = ?failure.code,
            what = row.words,
            text,
            "kafka producer failed, it is replaced and unacknowledged records are sent again"
        );
        self.await_reports(heartbeat);
        if let Some(client) = self.client.take() {
            client.close(|settled| self.settled.push(settled));
        }
        self.apply();
        self.acknowledge();
        self.must_replace = None;
        for topic in &mut self.topics {
            topic.lane.producer_gone();
            topic.feeding = None;
        }
        self.reopen_later(now_ms);
        self.connection_given_up(row.name, why);
    }

    fn await_reports(&mut self, heartbeat: &impl Fn()) {
        let deadline = Instant::now() + GRACE;
        let in_flight = |topics: &[Topic]| topics.iter().any(|topic| topic.lane.in_flight() > 0);
        while in_flight(&self.topics) && Instant::now() < deadline {
            heartbeat();
            if let Some(client) = &mut self.client {
                let settled = &mut self.settled;
                client.poll(Duration::from_millis(POLL_MS), |record| {
                    settled.push(record);
                });
            }
            self.apply();
            self.acknowledge();
        }
    }
}
