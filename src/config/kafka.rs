//! `[kafka]` and its options → the produce stage's `Config`.
//!
//! ```text
//!  bootstrap_servers, linger_ms, ... ──────────────────────────────────────────────────────────────────────┐
//!  [kafka.options]       name = value ─┐                                                                   ├─▶ produce::Config
//!  [kafka.options_file]  name = path ──┴─▶ reserved? ─▶ readable? ─▶ security ─▶ does librdkafka take it? ─┘
//! ```
//!
//! What an option's value is, is not shown here: any of them may be a password.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::path::Path;

use super::files;
use super::problem::{Place, Problem, nearest};
use super::raw::{KafkaOption, OptionValue, Raw};
use super::reader::{Findings, Reader};
use super::schema;
use super::secret::Secret;
use super::security;
use crate::event;
use crate::produce::{self, Compression, Config, Headers, Options, ProduceConfigError};
use crate::route;

/// Largest Kafka message by default, in bytes: librdkafka's own `message.max.bytes`, a little below what brokers take
/// (1 048 588 with the batch around it).
pub const MESSAGE_BYTES_MAX_DEFAULT: usize = route::Config::PAYLOAD_BYTES_MAX_DEFAULT;

/// What of a message is not payload: the key (a hostname has 253 bytes at most) and headers, with room to spare.
const MESSAGE_OVERHEAD_BYTES: usize = 1024;

/// librdkafka's name of `kafka.message_bytes_max`. The stage has no setting for it, so it is passed as an option.
const MESSAGE_BYTES_MAX_OPTION: &str = "message.max.bytes";

/// Bytes of the largest payload, for the route stage.
pub(super) fn payload_bytes_max(reader: &mut Reader<'_>) -> usize {
    let message = reader.size("kafka.message_bytes_max", MESSAGE_BYTES_MAX_DEFAULT);
    message.saturating_sub(MESSAGE_OVERHEAD_BYTES)
}

/// Resolves the section and its options. `agent_id` and `topics` are known by then.
pub(super) fn resolve(
    raw: &Raw,
    file_mode: Option<u32>,
    agent_id: &str,
    route: &route::Config,
    findings: &mut Findings,
) -> Config {
    let problems_before = findings.problems.len();
    let mut options = options(raw, file_mode, findings);
    security::judge(raw, &mut options, findings);
    let message_bytes_max = route.payload_bytes_max + MESSAGE_OVERHEAD_BYTES;
    options.insert(
        MESSAGE_BYTES_MAX_OPTION.to_owned(),
        message_bytes_max.to_string(),
    );
    let mut reader = Reader::new(&raw.settings, findings);
    let config = Config {
        bootstrap_servers: bootstrap_servers(&mut reader),
        compression: reader.word("kafka.compression", Compression::default()),
        linger_ms: reader.number_u32("kafka.linger_ms", Config::LINGER_MS_DEFAULT),
        batch_bytes: reader.number_u32("kafka.batch_bytes", Config::BATCH_BYTES_DEFAULT),
        batch_records: reader.number_u32("kafka.batch_records", Config::BATCH_RECORDS_DEFAULT),
        window_records: reader.size("kafka.window_records", Config::WINDOW_RECORDS_DEFAULT),
        window_bytes: reader.size("kafka.window_bytes", Config::WINDOW_BYTES_DEFAULT),
        replay_bytes_per_second: NonZeroU64::new(reader.number("replay.bytes_per_second", 0)),
        options: Options(options),
        headers: headers(&mut reader, agent_id),
        ..Config::new(route.lanes())
    };
    judge(raw, &config, problems_before, findings);
    config
}

fn headers(reader: &mut Reader<'_>, agent_id: &str) -> Headers {
    match reader.word("kafka.headers", "none".to_owned()).as_str() {
        "standard" => Headers::Standard {
            schema: event::SCHEMA.to_string(),
            agent: agent_id.to_owned(),
        },
        _ => Headers::None,
    }
}

/// The options that brokers with encryption or a login ask for, to be suggested for a name that is close to one.
const OFTEN_SET: [&str; 11] = [
    "client.id",
    "sasl.mechanism",
    "sasl.oauthbearer.method",
    "sasl.password",
    "sasl.username",
    "security.protocol",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.endpoint.identification.algorithm",
    "ssl.key.location",
    "ssl.key.password",
];

/// Asks the produce stage what librdkafka says of each option, and of all together once nothing else is wrong.
fn judge(raw: &Raw, config: &Config, problems_before: usize, findings: &mut Findings) {
    let is_sound = findings.problems.len() == problems_before;
    for wrong in produce::check(config).err().unwrap_or_default() {
        let problem = match &wrong {
            ProduceConfigError::Refused { key, why } => {
                let option = raw.options.get(key);
                let at = option.map_or(Place::Absent, |option| option.at.clone());
                let shown = format!("{}.{key}", option.map_or(schema::OPTIONS, section));
                let is_unknown = why.contains("No such configuration property");
                let near = nearest(key, OFTEN_SET.into_iter()).filter(|_| is_unknown);
                let advice = match (key.as_str(), near) {
                    (_, Some(near)) => format!("did you mean \"{near}\"?"),
                    ("security.protocol", _) => {
                        "write plaintext, ssl, sasl_plaintext or sasl_ssl".to_owned()
                    }
                    _ => {
                        "correct its name or value; librdkafka's CONFIGURATION.md lists all of them"
                            .to_owned()
                    }
                };
                let why = format!("librdkafka refuses it: {}", why.trim_end_matches('.'));
                Problem::new(&at, &shown, why, advice)
            }
            ProduceConfigError::Together(_) if !is_sound => continue,
            ProduceConfigError::Together(why) => {
                let text = format!(
                    "librdkafka cannot work with these options: {}",
                    why.trim_end_matches('.')
                );
                Problem::new(
                    &option_named_in(raw, why),
                    schema::OPTIONS,
                    text,
                    "set or correct the options that it names",
                )
            }
            // Reserved options were taken out before, and the schema keeps the limits.
            other => Problem::new(
                &first_option(raw),
                "kafka",
                other.to_string(),
                "correct the keys that it names",
            ),
        };
        findings.problems.push(problem);
    }
}

/// Where the option stands that librdkafka's words name; where the options begin if they name none of them.
fn option_named_in(raw: &Raw, why: &str) -> Place {
    let named = raw.options.iter().filter(|(name, _)| why.contains(*name));
    named
        .max_by_key(|(name, _)| name.len())
        .map_or_else(|| first_option(raw), |(_, option)| option.at.clone())
}

/// Where the options begin.
fn first_option(raw: &Raw) -> Place {
    let places = raw.options.values().map(|option| option.at.clone());
    places.min().unwrap_or(Place::Absent)
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

fn options(raw: &Raw, file_mode: Option<u32>, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut taken = BTreeMap::new();
    for (name, option) in &raw.options {
        let key = format!("{}.{name}", section(option));
        if let Some(problem) = reserved(name, &key, &option.at) {
            findings.problems.push(problem);
            continue;
        }
        warn_if_readable(name, &key, option, file_mode, findings);
        match value(&key, option, findings) {
            Ok(value) => {
                taken.insert(name.clone(), value.expose().to_owned());
                findings
                    .effective
                    .note_masked(format!("{}.{name}", schema::OPTIONS), value);
            }
            Err(problem) => findings.problems.push(problem),
        }
    }
    taken
}

fn reserved(name: &str, key: &str, at: &Place) -> Option<Problem> {
    let why = match name {
        MESSAGE_BYTES_MAX_OPTION => "use kafka.message_bytes_max",
        _ => produce::reserved(name)?,
    };
    let text = format!("the option is reserved: {why}");
    let advice = if why.starts_with("use ") {
        "move the value there"
    } else {
        "take it out"
    };
    Some(Problem::new(at, key, text, advice))
}

fn section(option: &KafkaOption) -> &'static str {
    match option.value {
        OptionValue::Here(_) => schema::OPTIONS,
        OptionValue::File(_) => schema::OPTIONS_FILE,
    }
}

fn value(key: &str, option: &KafkaOption, findings: &mut Findings) -> Result<Secret, Problem> {
    match &option.value {
        OptionValue::Here(secret) => Ok(secret.clone()),
        OptionValue::File(path) => line_in_file(path, key, &option.at, "[kafka.options]", findings),
    }
}

/// The text of a secret's file. `elsewhere` is where the secret itself could stand, `advice` says what the file has to hold.
pub(super) fn secret_in_file(
    path: &str,
    key: &str,
    at: &Place,
    elsewhere: &str,
    advice: &str,
    findings: &mut Findings,
) -> Result<Secret, Problem> {
    if !path.starts_with('/') {
        // It may be the secret itself, put into the wrong table.
        return Err(Problem::expected(
            at,
            key,
            "the path of a file, starting with /",
            "text that does not start with / (not shown, it may be the secret itself)",
            format!(
                "write the path of the file that holds the value, or move the value to {elsewhere}"
            ),
        ));
    }
    let kept = files::read(Path::new(path), findings.deadline).map_err(|error| {
        Problem::new(
            at,
            key,
            format!("cannot read {path}: {error}"),
            files::advice(&error),
        )
    })?;
    if kept.is_world_readable() {
        findings.warn(
            at,
            key,
            format!("every user of this host can read {path}; run chmod o= {path}"),
        );
    }
    let text = String::from_utf8(kept.bytes).map_err(|_| {
        Problem::new(
            at,
            key,
            format!("{path} does not hold text (UTF-8)"),
            advice,
        )
    })?;
    // Editors and `echo` end a file with a line feed that is not part of the secret.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Problem::new(at, key, format!("{path} is empty"), advice));
    }
    Ok(Secret::new(text))
}

/// The secret of a file that holds nothing else.
pub(super) fn line_in_file(
    path: &str,
    key: &str,
    at: &Place,
    elsewhere: &str,
    findings: &mut Findings,
) -> Result<Secret, Problem> {
    let secret = secret_in_file(path, key, at, elsewhere, ALONE, findings)?;
    let text = secret.expose();
    // Of all values only PEM has lines. Anywhere else a second one, an empty one too, would be part of the password.
    if text.contains('\n') && !text.contains("-----BEGIN") {
        let lines = text.split('\n').count();
        let text = format!("{path} holds {lines} lines");
        return Err(Problem::new(at, key, text, ALONE));
    }
    Ok(secret)
}

/// What the file of one secret has to hold.
const ALONE: &str = "write the value alone into the file, as one line of text";

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
    if stands_here && produce::is_secret(name) && file_mode.is_some_and(|mode| mode & 0o004 != 0) {
        let text = format!(
            "what may be a secret stands in {file}, which every user of this host can read; run chmod o= {file}, or put the value into a \
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
    fn a_second_line_in_the_file_of_a_secret_is_refused_unless_it_is_pem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            let mut findings = Findings::default();
            let path = path.to_str().unwrap();
            line_in_file(path, "key", &Place::Absent, "elsewhere", &mut findings)
                .map(|secret| secret.expose().to_owned())
        };
        assert_eq!(read("hunter2\n").unwrap(), "hunter2");
        assert_eq!(read("hunter2\r\n").unwrap(), "hunter2");
        let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----";
        assert_eq!(read(&format!("{pem}\n")).unwrap(), pem);
        for wrong in ["hunter2\n\n", "\nhunter2", "user\nhunter2\n"] {
            let problem = read(wrong).unwrap_err().to_string();
            assert!(
                problem.contains("lines; write the value alone"),
                "{problem}"
            );
            assert!(!problem.contains("hunter2"), "{problem}");
        }
    }

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
}
