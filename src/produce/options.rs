//! `[kafka.options]`: what passes through to librdkafka, what is reserved, what is secret.
//!
//! ```text
//!  options ──reserved(key)?──▶ refused, with the promise that would fall or the key to use
//!          ──settings::refusal──▶ refused by librdkafka: no such property, or not such a value
//!          ──is_secret(key)───▶ never printed
//! ```
//!
//! Nothing here connects to a broker.

use std::collections::BTreeMap;
use std::fmt;

use super::{Config, client, settings};

/// librdkafka properties that pass through to the client (its `CONFIGURATION.md`). Values of keys that hold secrets
/// are masked in the debug output.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Options(pub BTreeMap<String, String>);

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(key, value)| {
            let value = if is_secret(key) { "***" } else { value };
            (key, value)
        });
        formatter.debug_map().entries(shown).finish()
    }
}

/// Whether the value of `key` may hold a secret. It goes by words, so that keys of later versions are covered; a mask
/// too many costs nothing.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    const WORDS: &[&str] = &[
        "password",
        "passphrase",
        "secret",
        "token",
        "credential",
        ".pem",
        "oauthbearer.config",
        "oauthbearer.extensions",
        "kinit.cmd",
        "proxy",
        "jaas",
        "ssl_key",
    ];
    WORDS.iter().any(|word| key.contains(word))
}

const DURABLE: &str = "it would break 'acknowledged before forgotten'";
const ORDERED: &str = "it would break 'one device, one key, in order'";
const VANISHES: &str = "it would break 'nothing vanishes': records would end in the client";
const REPORTS: &str = "a record leaves the spool by its delivery report";
const WINDOW: &str = "the spool is the queue; use kafka.window_records and kafka.window_bytes";
const CALLBACK: &str = "it is a callback, which a configuration file cannot hold";

/// Why `key` is not free: which promise would fall, or which key of ours to use. `None` for keys that pass through.
pub fn reserved(key: &str) -> Option<&'static str> {
    let why = match key {
        "acks" | "request.required.acks" => DURABLE,
        "enable.idempotence"
        | "enable.gapless.guarantee"
        | "max.in.flight"
        | "max.in.flight.requests.per.connection"
        | "queuing.strategy"
        | "msg_order_cmp" => ORDERED,
        "partitioner" | "partitioner_cb" => {
            "it would break 'one device, one key, in order': murmur2_random is what Java clients use"
        }
        "message.timeout.ms" | "delivery.timeout.ms" => VANISHES,
        "retries" | "message.send.max.retries" => VANISHES,
        "delivery.report.only.error" | "produce.offset.report" | "dr_cb" | "dr_msg_cb" => REPORTS,
        "queue.buffering.max.messages"
        | "queue.buffering.max.kbytes"
        | "queue.buffering.backpressure.threshold" => WINDOW,
        "compression.codec" | "compression.type" => "use kafka.compression",
        "linger.ms" | "queue.buffering.max.ms" => "use kafka.linger_ms",
        "batch.size" => "use kafka.batch_bytes",
        "batch.num.messages" => "use kafka.batch_records",
        "bootstrap.servers" | "metadata.broker.list" => "use kafka.bootstrap_servers",
        "transactional.id" | "transaction.timeout.ms" => {
            "trapline does not use transactions; consumers tell repeats by the event's id"
        }
        "enabled_events" | "log.queue" | "opaque" | "default_topic_conf" | "interceptors" => {
            "trapline sets it for itself"
        }
        key if key.ends_with("_cb") => CALLBACK,
        "ssl_key" | "ssl_certificate" | "ssl_ca" | "ssl_engine_callback_data" => CALLBACK,
        _ => return None,
    };
    Some(why)
}

/// Why a Kafka setting cannot be used. Never holds the value of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProduceConfigError {
    /// The key is reserved.
    #[error("kafka.options: '{key}' is reserved: {why}; remove it")]
    Reserved {
        /// The key.
        key: String,
        /// The promise that would fall, or the key to use.
        why: &'static str,
    },
    /// librdkafka does not know the key or refuses the value.
    #[error("kafka.options: librdkafka refuses '{key}': {why}")]
    Refused {
        /// The key.
        key: String,
        /// librdkafka's words; without the value where the key holds a secret.
        why: String,
    },
    /// Each setting is possible, but not all of them together.
    #[error("kafka: librdkafka cannot be set up: {0}")]
    Together(String),
    /// A limit of ours.
    #[error("kafka: {0}")]
    Limit(&'static str),
}

/// Checks everything that can be checked without a broker, and reports all that is wrong.
pub fn check(config: &Config) -> Result<(), Vec<ProduceConfigError>> {
    let mut wrong: Vec<ProduceConfigError> = Vec::new();
    wrong.extend(limits(config).map(ProduceConfigError::Limit));
    for (key, value) in &config.options.0 {
        if let Some(why) = reserved(key) {
            let key = key.clone();
            wrong.push(ProduceConfigError::Reserved { key, why });
        } else if let Some(why) = settings::refusal(key, value) {
            let why = if is_secret(key) {
                "the value is not possible for this property (it is not shown)".to_owned()
            } else {
                why
            };
            let key = key.clone();
            wrong.push(ProduceConfigError::Refused { key, why });
        }
    }
    // Only a set-up without known faults says something new when it is tried as a whole.
    if wrong.is_empty() {
        wrong.extend(client::refusal_together(config).map(ProduceConfigError::Together));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn limits(config: &Config) -> impl Iterator<Item = &'static str> {
    let records = (!(1..=10_000_000).contains(&config.window_records))
        .then_some("window_records must be between 1 and 10000000");
    // librdkafka counts its queue in KiB, up to 2 TiB; one record of the largest size must fit.
    let bytes = (!(1 << 20..=1 << 40).contains(&config.window_bytes))
        .then_some("window_bytes must be between 1 MiB and 1 TiB");
    let topics = config
        .topics
        .iter()
        .any(|topic| topic.is_empty() || topic.contains('\0'))
        .then_some("a topic's name must not be empty or hold a NUL");
    let many = (config.topics.len() > usize::from(u16::MAX)).then_some("at most 65535 topics");
    records.into_iter().chain(bytes).chain(topics).chain(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[(&str, &str)]) -> Config {
        let options = options
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Config {
            options: Options(options.collect()),
            ..Config::new(vec!["net.syslog".to_owned()])
        }
    }

    #[test]
    fn the_default_set_up_is_one_that_librdkafka_takes() {
        assert_eq!(check(&with(&[])), Ok(()));
    }

    #[test]
    fn a_reserved_key_is_refused_with_the_promise_that_would_fall() {
        let wrong = check(&with(&[("acks", "1"), ("linger.ms", "5")])).unwrap_err();
        let text: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(text.len(), 2);
        assert!(
            text[0].contains("acknowledged before forgotten"),
            "{text:?}"
        );
        assert!(text[1].contains("kafka.linger_ms"), "{text:?}");
    }

    #[test]
    fn every_property_that_we_set_is_reserved_or_a_default_that_may_be_changed() {
        let free = [
            "client.id",
            "reconnect.backoff.max.ms",
            "topic.metadata.propagation.max.ms",
            "socket.keepalive.enable",
            "log.connection.close",
        ];
        for (key, _) in settings::fixed(&with(&[])) {
            assert!(reserved(key).is_some() || free.contains(&key), "{key}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_reported_at_once() {
        let mut config = with(&[("no.such.key", "1"), ("socket.timeout.ms", "soon")]);
        config.window_records = 0;
        let wrong = check(&config).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:?}");
    }

    #[test]
    fn settings_that_do_not_go_together_are_found_without_a_broker() {
        let config = with(&[
            ("security.protocol", "ssl"),
            ("ssl.ca.location", "/nowhere"),
        ]);
        let wrong = check(&config).unwrap_err();
        assert!(
            matches!(wrong.as_slice(), [ProduceConfigError::Together(_)]),
            "{wrong:?}"
        );
    }

    #[test]
    fn no_secret_is_printed() {
        let config = with(&[
            ("sasl.password", "hunter2"),
            ("ssl.key.pem", "hunter2"),
            ("ssl.key.password", "hunter2"),
            ("sasl.oauthbearer.client.secret", "hunter2"),
            ("security.protocol", "sasl_ssl"),
        ]);
        let shown = format!("{config:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("sasl_ssl"), "{shown}");
        let wrong = check(&config).unwrap_err();
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
    }
}
