//! `[kafka]` and its options → what the produce stage needs.
//!
//! ```text
//!  bootstrap_servers, linger_ms, ... ──▶ Kafka
//!  [kafka.options]       name = value ─┐
//!  [kafka.options_file]  name = path ──┴─▶ reserved? ─▶ has a key of its own? ─▶ does librdkafka take it? ─▶ Kafka::options
//! ```
//!
//! No option's value is ever shown: any of them may be a password.

use std::path::Path;

use super::files;
use super::problem::{Place, Problem};
use super::raw::{KafkaOption, OptionValue, Raw};
use super::reader::{Findings, Reader};
use super::schema;
use super::secret::Secret;

/// What the produce stage is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    /// Where to start: `host:port`, separated by commas. `None`: events wait in the spool.
    pub bootstrap_servers: Option<String>,
    /// How batches are compressed: a word that librdkafka knows.
    pub compression: String,
    /// How long an event waits for others to share its batch.
    pub linger_ms: u64,
    /// Bytes of the largest batch.
    pub batch_bytes: usize,
    /// Records of the largest batch.
    pub batch_records: usize,
    /// Bytes of the largest event.
    pub message_bytes_max: usize,
    /// Whether records carry Kafka headers: `none` or `standard`.
    pub headers: String,
    /// Further librdkafka options.
    pub options: Vec<(String, Secret)>,
}

/// librdkafka options that `[kafka]` has a key for; two ways to say one thing would contradict each other.
const OWN_KEYS: &[(&str, &str)] = &[
    ("bootstrap.servers", "kafka.bootstrap_servers"),
    ("metadata.broker.list", "kafka.bootstrap_servers"),
    ("compression.type", "kafka.compression"),
    ("compression.codec", "kafka.compression"),
    ("linger.ms", "kafka.linger_ms"),
    ("queue.buffering.max.ms", "kafka.linger_ms"),
    ("batch.size", "kafka.batch_bytes"),
    ("batch.num.messages", "kafka.batch_records"),
    ("message.max.bytes", "kafka.message_bytes_max"),
];

/// Resolves the section and its options.
pub(super) fn resolve(raw: &Raw, file_mode: Option<u32>, findings: &mut Findings) -> Kafka {
    let options = options(raw, file_mode, findings);
    let mut reader = Reader::new(&raw.settings, findings);
    Kafka {
        bootstrap_servers: bootstrap_servers(&mut reader),
        compression: reader.word("kafka.compression", "lz4".to_owned()),
        linger_ms: reader.number("kafka.linger_ms", 50),
        batch_bytes: reader.size("kafka.batch_bytes", 1_000_000),
        batch_records: reader.size("kafka.batch_records", 10_000),
        message_bytes_max: reader.size("kafka.message_bytes_max", 1_000_000),
        headers: reader.word("kafka.headers", "none".to_owned()),
        options,
    }
}

fn bootstrap_servers(reader: &mut Reader<'_>) -> Option<String> {
    const KEY: &str = "kafka.bootstrap_servers";
    let servers = reader.list(KEY).unwrap_or_default();
    for (server, at) in servers {
        if let Some(odd) = odd_server(server) {
            let advice = "write host:port, for example \"kafka1.example.net:9092\"; several are separated by commas";
            let problem = Problem::expected(
                at,
                KEY,
                "Kafka brokers as host:port",
                &format!("{server:?} ({odd})"),
                advice,
            );
            reader.findings.problems.push(problem);
        }
    }
    let joined = servers
        .iter()
        .map(|(server, _)| server.as_str())
        .collect::<Vec<_>>()
        .join(",");
    reader.note(KEY, &joined);
    if joined.is_empty() {
        let at = reader.place(KEY);
        let text = "is not set: events wait in the spool and go nowhere; set it to your brokers as \"host:port,host:port\"";
        reader.findings.warn(&at, KEY, text);
        return None;
    }
    Some(joined)
}

/// What is odd about a broker's address, if anything. A scheme of Kafka's own may stand in front (librdkafka ignores it).
fn odd_server(server: &str) -> Option<&'static str> {
    let rest = match server.split_once("://") {
        Some(("PLAINTEXT" | "SSL" | "SASL_PLAINTEXT" | "SASL_SSL", rest)) => rest,
        Some(_) => return Some("it is a URL"),
        None => server,
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        Some(_) if rest.starts_with('[') && rest.ends_with(']') => (rest, None),
        Some(_) => return Some("an IPv6 address needs brackets"),
        None => (rest, None),
    };
    let is_plain = |letter: char| {
        letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':' | '[' | ']' | '%')
    };
    match port.map(str::parse::<u16>) {
        Some(Err(_) | Ok(0)) => Some("the port is not a number from 1 to 65535"),
        _ if host.is_empty() => Some("there is no host name"),
        _ if !host.chars().all(is_plain) => {
            Some("the host name has a letter that no host name has")
        }
        _ => None,
    }
}

fn options(raw: &Raw, file_mode: Option<u32>, findings: &mut Findings) -> Vec<(String, Secret)> {
    let mut taken = Vec::new();
    for (name, option) in &raw.options {
        let key = format!("{}.{name}", section(option));
        if let Some(problem) = refused(name, &key, &option.at) {
            findings.problems.push(problem);
            continue;
        }
        warn_if_readable(name, &key, option, file_mode, findings);
        match value(&key, option, findings) {
            Ok(value) => {
                if let Some(problem) = not_taken(name, &key, &value, &option.at) {
                    findings.problems.push(problem);
                }
                findings
                    .effective
                    .note_masked(format!("{}.{name}", schema::OPTIONS), value.clone());
                taken.push((name.clone(), value));
            }
            Err(problem) => findings.problems.push(problem),
        }
    }
    taken
}

fn section(option: &KafkaOption) -> &'static str {
    match option.value {
        OptionValue::Here(_) => schema::OPTIONS,
        OptionValue::File(_) => schema::OPTIONS_FILE,
    }
}

fn refused(name: &str, key: &str, at: &Place) -> Option<Problem> {
    if let Some((_, own)) = OWN_KEYS.iter().find(|(option, _)| *option == name) {
        return Some(Problem::new(
            at,
            key,
            "the option has a key of its own",
            format!("set {own} instead"),
        ));
    }
    None
}

fn not_taken(_name: &str, _key: &str, _value: &Secret, _at: &Place) -> Option<Problem> {
    None
}

fn value(key: &str, option: &KafkaOption, findings: &mut Findings) -> Result<Secret, Problem> {
    let path = match &option.value {
        OptionValue::Here(secret) => return Ok(secret.clone()),
        OptionValue::File(path) => path,
    };
    if !path.starts_with('/') {
        // It may be the secret itself, put into the wrong table.
        return Err(Problem::expected(
            &option.at,
            key,
            "the path of a file, starting with /",
            "text that does not start with / (not shown, it may be the secret itself)",
            format!(
                "write the path of the file that holds the value, or move the value to [{}]",
                schema::OPTIONS
            ),
        ));
    }
    let kept = files::read(Path::new(path)).map_err(|error| {
        Problem::new(
            &option.at,
            key,
            format!("cannot read {path}: {error}"),
            files::advice(&error),
        )
    })?;
    if kept.is_world_readable() {
        findings.warn(
            &option.at,
            key,
            format!("every user of this host can read {path}; run chmod o= {path}"),
        );
    }
    let advice = "write the value alone into the file, as one line of text";
    let text = String::from_utf8(kept.bytes).map_err(|_| {
        Problem::new(
            &option.at,
            key,
            format!("{path} does not hold text (UTF-8)"),
            advice,
        )
    })?;
    // Editors and `echo` end a file with a line feed that is not part of the secret.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Problem::new(
            &option.at,
            key,
            format!("{path} is empty"),
            advice,
        ));
    }
    Ok(Secret::new(text))
}

/// Whether an option of this name holds something that must not be known to others.
fn is_secret(name: &str) -> bool {
    [
        "password",
        "passphrase",
        "secret",
        "ssl.key.pem",
        "private.key.pem",
        "sasl.oauthbearer.config",
    ]
    .iter()
    .any(|part| name.contains(part))
}

fn warn_if_readable(
    name: &str,
    key: &str,
    option: &KafkaOption,
    file_mode: Option<u32>,
    findings: &mut Findings,
) {
    let Place::File { file, .. } = &option.at else {
        return;
    };
    let stands_here = matches!(option.value, OptionValue::Here(_));
    if stands_here && is_secret(name) && file_mode.is_some_and(|mode| mode & 0o004 != 0) {
        let text = format!(
            "a secret stands in {file}, which every user of this host can read; run chmod o= {file}, or put the value into a \
             file of its own and name that below [{}]",
            schema::OPTIONS_FILE
        );
        findings.warn(&option.at, key, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_brokers_are_told_from_what_cannot_be_one() {
        for good in [
            "k1",
            "k1:9092",
            "10.0.0.1:9092",
            "[2001:db8::1]:9092",
            "SASL_SSL://k1.example.net:9093",
        ] {
            assert_eq!(odd_server(good), None, "{good}");
        }
        for bad in [
            "http://k1:9092",
            "k1:",
            "k1:kafka",
            ":9092",
            "k1:0",
            "k 1:9092",
            "2001:db8::1:9092",
            "k1:99999",
        ] {
            assert!(odd_server(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn secrets_are_known_by_the_option_s_name() {
        for name in [
            "sasl.password",
            "ssl.key.password",
            "ssl.key.pem",
            "sasl.oauthbearer.client.secret",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["sasl.username", "ssl.ca.pem", "ssl.key.location"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
