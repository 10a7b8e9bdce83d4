//! The properties that the client is made with.
//!
//! ```text
//!  Config ──fixed──▶ properties ─┐
//!  Config.options ───────────────┴─native_config──▶ ClientConfig (all but the brokers' addresses)
//!  key, value ──refusal──▶ librdkafka's objection, if it has one
//! ```
//!
//! In: our settings. Out: librdkafka's (its `CONFIGURATION.md`). Nothing here makes a client.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use super::Config;

/// librdkafka's `reconnect.backoff.max.ms`: 5 s after a broker is back it has been tried again.
const RECONNECT_BACKOFF_MS_MAX: &str = "5000";

/// librdkafka's `topic.metadata.propagation.max.ms`: how long a missing topic may be one that has just been made.
const TOPIC_PROPAGATION_MS_MAX: &str = "5000";

/// The properties that we set. Those that [`super::reserved`] does not name are defaults that options may change.
pub(super) fn fixed(config: &Config) -> Vec<(&'static str, String)> {
    // One record more than the window and a KiB for each, so that it is our window that limits, not this queue; and
    // one record of the largest size beyond it, which a read may return.
    let kbytes = config.window_bytes / 1024 + config.window_records + 2 * 1024;
    let own = [
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        ("enable.gapless.guarantee", "true".to_owned()),
        ("message.timeout.ms", "0".to_owned()),
        ("partitioner", "murmur2_random".to_owned()),
        ("compression.codec", config.compression.as_str().to_owned()),
        ("linger.ms", config.linger_ms.to_string()),
        ("batch.size", config.batch_bytes.to_string()),
        ("batch.num.messages", config.batch_records.to_string()),
        (
            "queue.buffering.max.messages",
            config.window_records.saturating_add(1).to_string(),
        ),
        ("queue.buffering.max.kbytes", kbytes.to_string()),
        ("client.id", "trapline".to_owned()),
        (
            "reconnect.backoff.max.ms",
            RECONNECT_BACKOFF_MS_MAX.to_owned(),
        ),
        (
            "topic.metadata.propagation.max.ms",
            TOPIC_PROPAGATION_MS_MAX.to_owned(),
        ),
        ("socket.keepalive.enable", "true".to_owned()),
        ("log.connection.close", "false".to_owned()),
    ];
    own.into()
}

/// Everything but the brokers' addresses.
pub(super) fn native_config(config: &Config) -> ClientConfig {
    let mut native = ClientConfig::new();
    for (key, value) in fixed(config) {
        native.set(key, value);
    }
    for (key, value) in &config.options.0 {
        native.set(key, value);
    }
    let is_tls = |(key, value): (&String, &String)| {
        key == "security.protocol" && value.to_ascii_lowercase().ends_with("ssl")
    };
    let has_ca = |key: &String| key.starts_with("ssl.ca.") || key.starts_with("ssl.keystore.");
    // The OpenSSL that is linked in does not know where this system keeps its certificates.
    if config.options.0.iter().any(is_tls) && !config.options.0.keys().any(has_ca) {
        native.set("ssl.ca.location", "probe");
    }
    let options = &config.options.0;
    let has_https_ca = options.keys().any(|key| key.starts_with("https.ca."));
    // Nor for the place where an OAuth token is fetched.
    if options.contains_key("sasl.oauthbearer.token.endpoint.url") && !has_https_ca {
        native.set("https.ca.location", "probe");
    }
    let debug = config.options.0.contains_key("debug");
    native.set_log_level(if debug {
        RDKafkaLogLevel::Debug
    } else {
        RDKafkaLogLevel::Info
    });
    native
}

/// librdkafka's objection to one property, if it has any.
pub(super) fn refusal(key: &str, value: &str) -> Option<String> {
    let mut native = ClientConfig::new();
    native.set(key, value);
    match native.create_native_config() {
        Ok(_) => None,
        Err(KafkaError::ClientConfig(_, why, ..)) => Some(why),
        Err(other) => Some(other.to_string()),
    }
}
