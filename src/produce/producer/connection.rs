//! Whether Kafka is connected, as far as anything has told.
//!
//! ```text
//!  an acknowledgement, an answer to a question ──▶ Up
//!  error events ─────────────────────────────────▶ counts by name, and Connecting { why } where all brokers are down,
//!                                                  or nothing answers any more
//! ```
//!
//! In: the client's error events, acknowledgements, answers. Out: the [`Connection`] of the state, and log lines: one
//! for each cause of an outage, one a minute while it lasts ([`Outage`] decides), one at its end.

use std::time::Duration;

use super::Producer;
use super::outage::Outage;
use super::picture::SILENT_MS;
use crate::produce::Connection;
use crate::produce::errors::Row;

/// How often an idle agent without a connection asks whether a broker answers, and how long it waits.
const ASK_MS: u64 = 1_000;
const ASK_WAIT: Duration = Duration::from_millis(100);

impl Producer {
    /// Something has answered.
    pub(super) fn connected(&mut self) {
        if self.connection == Connection::Up {
            return;
        }
        self.connection = Connection::Up;
        let now_ms = self.now_ms();
        let away_ms = self
            .outage
            .take()
            .map_or(0, |outage| outage.away_ms(now_ms));
        tracing::info!(away_ms, "kafka is connected");
    }

    /// Nothing answers. `cause` stays the same while the words of `why` change with each try.
    pub(super) fn connection_lost(&mut self, cause: &'static str, why: String) {
        let now_ms = self.now_ms();
        self.connection = Connection::Connecting { why };
        let outage = self.outage.get_or_insert_with(|| Outage::new(now_ms));
        if outage.is_news(cause, now_ms) {
            self.tell_outage(now_ms);
        }
    }

    /// As [`Producer::connection_lost`], for a cause that has a line of its own in the log.
    pub(super) fn connection_given_up(&mut self, cause: &'static str, why: String) {
        let now_ms = self.now_ms();
        self.connection = Connection::Connecting { why };
        let outage = self.outage.get_or_insert_with(|| Outage::new(now_ms));
        // What is said of it is said already.
        let _ = outage.is_news(cause, now_ms);
    }

    /// Says once a minute that an outage still lasts.
    pub(super) fn remind_of_outage(&mut self, now_ms: u64) {
        let outage = self.outage.as_mut();
        if outage.is_some_and(|outage| outage.wants_reminder(now_ms)) {
            self.tell_outage(now_ms);
        }
    }

    fn tell_outage(&self, now_ms: u64) {
        if let (Connection::Connecting { why }, Some(outage)) = (&self.connection, &self.outage) {
            tracing::warn!(
                why,
                away_ms = outage.away_ms(now_ms),
                "kafka is not connected, records wait in the spool"
            );
        }
    }

    /// Error events are about brokers and the client, never about a record.
    pub(super) fn note_errors(&mut self) {
        let Some(client) = &self.client else {
            return;
        };
        for event in client.take_errors() {
            self.note_error(event.failure().row, &event.reason);
        }
        self.ask_whether_connected();
    }

    fn note_error(&mut self, row: &'static Row, reason: &str) {
        *self.errors.entry(row.name).or_default() += 1;
        let up = self.connection == Connection::Up;
        // A single broker's trouble matters only while nothing answers; then it says more than "all brokers are down".
        let matters = match row.name {
            "_ALL_BROKERS_DOWN" => up,
            _ => !up || self.is_silent(),
        };
        if matters {
            let why = format!("{} ({reason})", row.words);
            self.connection_lost(row.name, why);
        }
    }

    /// Whether records are with the client and nothing was acknowledged for long. librdkafka does not say "all brokers
    /// are down" for each outage: of a broker that came back and refuses the credentials, for one, it tells only that.
    fn is_silent(&self) -> bool {
        let now_ms = self.now_ms();
        let mut waiting = self
            .topics
            .iter()
            .filter(|topic| topic.lane.in_flight() > 0)
            .peekable();
        waiting.peek().is_some()
            && waiting.all(|topic| now_ms.saturating_sub(topic.progress_ms) >= SILENT_MS)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rdkafka::types::RDKafkaErrorCode as Code;

    use super::*;
    use crate::produce::Config;
    use crate::produce::errors::row;
    use crate::produce::handle::Shared;
    use crate::produce::logged::logged;
    use crate::spool::{self, Spool, WhenFull};

    fn producer() -> Producer {
        let mut config = Config::new(vec!["net.syslog".to_owned()]);
        config.bootstrap_servers = Some("127.0.0.1:1".to_owned());
        let spool = Spool::new(&spool::Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropNewest,
            topics: config.topics.clone(),
            disk: None,
        });
        Producer::new(config, Arc::new(spool), Arc::new(Shared::default()), |_| ())
    }

    #[test]
    fn an_outage_is_one_line_whatever_its_details_and_its_end_is_another() {
        let mut producer = producer();
        let lines = logged(|| {
            for tries in 1..100 {
                let why = format!("refused (after {tries} ms, {tries} identical error(s))");
                producer.connection_lost("_TRANSPORT", why);
                producer.remind_of_outage(tries);
            }
            producer.connected();
            producer.connected();
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("kafka is not connected"), "{lines:?}");
        assert!(lines[0].contains("after 1 ms"), "{lines:?}");
        assert!(lines[1].contains("kafka is connected"), "{lines:?}");
        assert!(lines[1].contains("\"away_ms\":"), "{lines:?}");
    }

    #[test]
    fn a_long_outage_is_told_again_with_its_latest_details() {
        let mut producer = producer();
        let lines = logged(|| {
            producer.connection_lost("_TRANSPORT", "refused (1)".to_owned());
            producer.connection_lost("_TRANSPORT", "refused (2)".to_owned());
            producer.remind_of_outage(3_600_000);
            producer.remind_of_outage(3_600_001);
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].contains("refused (2)"), "{lines:?}");
        assert!(lines[1].contains("\"away_ms\":3600000"), "{lines:?}");
    }

    #[test]
    fn the_state_has_the_details_that_the_log_spares() {
        let mut producer = producer();
        producer.connection_lost("_TRANSPORT", "refused (1)".to_owned());
        producer.connection_lost("_TRANSPORT", "refused (2)".to_owned());
        let why = "refused (2)".to_owned();
        assert_eq!(producer.connection, Connection::Connecting { why });
    }

    #[test]
    fn one_brokers_trouble_counts_when_nothing_is_acknowledged_any_more() {
        let mut producer = producer();
        let refused = row(Code::Authentication);
        producer.connected();
        producer.note_error(refused, "bad password");
        assert_eq!(producer.connection, Connection::Up, "nothing waits");
        producer.topics[0].lane.handed(0);
        producer.topics[0].progress_ms = producer.now_ms();
        producer.note_error(refused, "bad password");
        assert_eq!(producer.connection, Connection::Up, "others may answer");
        producer.start -= Duration::from_millis(SILENT_MS);
        producer.note_error(refused, "bad password");
        let Connection::Connecting { why } = &producer.connection else {
            panic!("{:?}", producer.connection);
        };
        assert!(
            why.contains("authentication failed") && why.contains("bad password"),
            "{why}"
        );
    }

    #[test]
    fn a_producer_that_is_replaced_has_a_line_of_its_own_and_gets_no_second_one() {
        let mut producer = producer();
        let lines = logged(|| {
            producer.connection_given_up("_FENCED", "the producer is replaced".to_owned());
            producer.connection_lost("_FENCED", "fenced".to_owned());
        });
        assert!(lines.is_empty(), "{lines:?}");
    }
    #[test]
    fn a_record_that_is_refused_is_no_trouble_of_its_topic() {
        let mut producer = producer();
        let refused = |producer: &mut Producer, code| {
            producer.topics[0].lane.handed(0);
            producer.topics[0].lane.reported(0, Err(row(code)));
            logged(|| producer.rewind(0))
        };
        let lines = refused(&mut producer, Code::MessageSizeTooLarge);
        assert!(lines.is_empty(), "{lines:?}");
        let lines = refused(&mut producer, Code::TopicAuthorizationFailed);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}
