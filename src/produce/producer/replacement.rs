//! One client after another: the one way out of a permanent failure.
//!
//! ```text
//!  open ──▶ Client ──fatal, or a row that says NewProducer──▶ await_reports ─▶ close ─▶ lanes go back ─┐
//!   ▲                                                                                                │
//!   └──── a pause that grows (Backoff), or a short one where the cluster has refused a record ◀──────┘
//! ```
//!
//! In: a client's fatal error, or what a report asked for. Out: a new client, and lanes that begin again at their
//! lowest unacknowledged record. The old client is destroyed meanwhile; there are never more than one of each, so the
//! next one waits for its end.

use std::time::{Duration, Instant};

use super::{IDLE_WAIT, POLL_MS, Producer, Topic};
use crate::produce::client::Client;

/// How long a client with a fatal error may still hand in reports. librdkafka takes back what is queued and leaves
/// what is on its way: each report that comes in here is one record that need not be repeated.
const GRACE: Duration = Duration::from_secs(2);

/// The pause where the cluster has refused a record, which ends the client too (`enable.gapless.guarantee`). The cluster is
/// well, and each of these ends brings its lane on: the search for the record begins, or the record is given up. A
/// back-off would only let the other topics wait. What a pause is for is that a device whose messages are all refused makes
/// a few connections a second, and not hundreds.
const REFUSED_PAUSE_MS: u64 = 250;

impl Producer {
    pub(super) fn open(&mut self, now_ms: u64) {
        let configured = self.config.bootstrap_servers.is_some();
        if self.client.is_some() || !configured || now_ms < self.reopen_at_ms {
            return;
        }
        if self
            .closing
            .as_ref()
            .is_some_and(|closing| !closing.is_over())
        {
            self.reopen_at_ms = now_ms + IDLE_WAIT.as_millis() as u64;
            return;
        }
        self.closing = None;
        match Client::open(&self.config, &self.lines) {
            Ok(client) => {
                self.client = Some(client);
                self.has_refused = false;
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
    pub(super) fn replace_if_failed(&mut self, now_ms: u64) {
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
        // Other ends than these have a back-off between them.
        let admitted = match self.has_refused {
            true => self.replaced.admit(Instant::now()),
            false => Some(0),
        };
        if let Some(skipped) = admitted {
            tracing::warn!(
                error = row.name,
                code = ?failure.code,
                what = row.words,
                text,
                skipped,
                "kafka producer failed, it is replaced and unacknowledged records are sent again"
            );
        }
        self.await_reports();
        if let Some(client) = self.client.take() {
            self.closing = Some(client.close(|settled| self.settled.push(settled)));
        }
        self.apply();
        self.acknowledge();
        self.must_replace = None;
        for topic in &mut self.topics {
            topic.lane.producer_gone();
            topic.feeding = None;
        }
        if self.has_refused {
            self.reopen_failures = 0;
            self.reopen_at_ms = now_ms + REFUSED_PAUSE_MS;
        } else {
            self.reopen_later(now_ms);
            self.connection_given_up(row.name, why);
        }
    }

    fn await_reports(&mut self) {
        let deadline = Instant::now() + GRACE;
        let in_flight = |topics: &[Topic]| topics.iter().any(|topic| topic.lane.in_flight() > 0);
        while in_flight(&self.topics) && Instant::now() < deadline {
            self.beat();
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;
    use crate::produce::Config;
    use crate::produce::closing::Closing;
    use crate::produce::closing::tests::Stubborn;
    use crate::produce::handle::Shared;
    use crate::spool::{self, Spool, WhenFull};

    #[test]
    fn the_next_client_waits_for_the_end_of_the_one_before_and_the_thread_does_not() {
        let mut config = Config::new(vec!["t".to_owned()]);
        config.bootstrap_servers = Some("127.0.0.1:1".to_owned());
        let spool = Arc::new(Spool::new(&spool::Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropNewest,
            topics: config.topics.clone(),
            disk: None,
        }));
        let mut producer = Producer::new(config, spool, Arc::new(Shared::default()), |_| ());
        let (may_go, told) = mpsc::channel();
        producer.closing = Some(Closing::begin(Stubborn(told)));
        producer.open(0);
        assert!(producer.client.is_none());
        // Tried again after a rest, and not in a loop that burns a core.
        let reopen_at_ms = producer.reopen_at_ms;
        assert!(reopen_at_ms > 0);
        may_go.send(()).unwrap();
        let closing = producer.closing.as_ref().unwrap();
        assert!(closing.wait(Duration::from_secs(10), || ()));
        producer.open(reopen_at_ms);
        assert!(producer.client.is_some());
    }
}
