//! Fixtures: one message, one expected event.
//!
//! ```text
//!  fixtures/syslog/CASE/  input.txt | input.hex     the packet: text without its last line feed, or hex with # comments
//!  fixtures/snmp/CASE/    settings.toml             received = "2026-11-21T02:14:07.131842Z"   when it arrived
//!                                                   peer = "10.20.0.1"                         who sent it
//!                                                   transport = "udp"
//!                                                   raw = "auto"  domain = "keep"  utc_offset_minutes = 0  time_skew_seconds_max = 604800  wholeness = "cut"   (optional)
//!                                                   mibs = ["EXAMPLE-MIB.txt"]                 modules of fixtures/mibs   (optional)
//!                         expected.json             the event, without `id` and `agent.version`,
//!                                                  or {"rejected": "reason"}
//! ```
//!
//! `UPDATE_GOLDEN=1 cargo test --test golden` writes what the events are now into `expected.json`; read the difference
//! before you commit it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use trapline::normalize::{Config, DomainPolicy, RawPolicy};
use trapline::packet::{Listener, Packet, Peer, Protocol, Transport, Wholeness};
use trapline::time::UnixMicros;

#[path = "golden/bytes.rs"]
mod bytes;
#[path = "golden/dialects.rs"]
mod dialects;
#[path = "support/schema.rs"]
mod schema;

/// Fewer cases than this mean that the fixtures were not found, not that there are few.
const CASES_MIN: usize = 10;

/// One case's `settings.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    received: String,
    peer: IpAddr,
    transport: Transport,
    #[serde(default)]
    wholeness: Bytes,
    #[serde(default)]
    raw: RawPolicy,
    #[serde(default)]
    domain: DomainPolicy,
    #[serde(default)]
    utc_offset_minutes: i16,
    #[serde(default)]
    mibs: Vec<String>,
    #[serde(default = "time_skew_seconds_max")]
    time_skew_seconds_max: u32,
}

fn time_skew_seconds_max() -> u32 {
    Config::TIME_SKEW_SECONDS_MAX_DEFAULT
}

/// [`Wholeness`], as a fixture writes it.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes {
    #[default]
    Whole,
    Cut,
    Half,
}

impl From<Bytes> for Wholeness {
    fn from(bytes: Bytes) -> Wholeness {
        match bytes {
            Bytes::Whole => Wholeness::Whole,
            Bytes::Cut => Wholeness::Cut,
            Bytes::Half => Wholeness::Half,
        }
    }
}

#[test]
fn every_fixture_becomes_the_event_that_it_expects() {
    let cases = cases();
    assert!(
        cases.len() >= CASES_MIN,
        "only {} cases below fixtures/",
        cases.len()
    );
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| !value.is_empty());
    let mut wrong = Vec::new();
    for (protocol, folder) in &cases {
        let event = run_case(*protocol, folder);
        let violations = schema::violations(&event);
        if !violations.is_empty() && event.get("rejected").is_none() {
            let lines = violations.join("\n    ");
            wrong.push(format!(
                "{}: not valid by the schema\n    {lines}",
                folder.display()
            ));
        }
        let expected = folder.join("expected.json");
        if update {
            // What is right stays as it is written.
            let known = std::fs::read_to_string(&expected).unwrap_or_default();
            let known = serde_json::from_str(&known).unwrap_or(Value::Null);
            if without_running(known) != without_running(event.clone()) {
                let text = format!("{:#}\n", without_running(event));
                std::fs::write(&expected, text).expect("the expectation is written");
            }
        } else {
            let expected: Value = serde_json::from_str(&read(&expected))
                .unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
            let lines = differences(&without_running(expected), &without_running(event));
            if !lines.is_empty() {
                wrong.push(format!("{}:\n{}", folder.display(), lines.join("\n")));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} findings in {} cases; `-` is expected, `+` is what came\n\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
}

/// The circumstances in which a case's packet arrives.
struct Case {
    settings: Settings,
    received: UnixMicros,
    config: Config,
    listener: Listener,
}

/// Shows the packet of one case to the pipeline: its event, or the reason why it becomes none.
fn run_case(protocol: Protocol, folder: &Path) -> Value {
    case(protocol, folder).event(&packet(folder))
}

fn case(protocol: Protocol, folder: &Path) -> Case {
    let settings: Settings = toml::from_str(&read(&folder.join("settings.toml")))
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let received: jiff::Timestamp = settings
        .received
        .parse()
        .unwrap_or_else(|error| panic!("{}: received: {error}", folder.display()));
    let config = Config {
        raw: settings.raw,
        domain: settings.domain,
        utc_offset_minutes: settings.utc_offset_minutes,
        mibs: mibs(&settings.mibs),
        time_skew_seconds_max: settings.time_skew_seconds_max,
        ..Config::for_agent("test")
    };
    let listener = Listener {
        index: 0,
        name: format!("{}-{}", name(protocol), settings.transport.as_str()).into(),
        protocol,
        transport: settings.transport,
    };
    Case {
        settings,
        received: UnixMicros(received.as_microsecond()),
        config,
        listener,
    }
}

impl Case {
    fn event(&self, bytes: &[u8]) -> Value {
        let packet = Packet {
            bytes,
            peer: Peer::Inet(self.settings.peer, 514),
            listener: &self.listener,
            received: self.received,
            wholeness: self.settings.wholeness.into(),
        };
        match trapline::pipeline::one_event(&packet, &self.config) {
            Ok(event) => event,
            Err(reason) => serde_json::json!({"rejected": reason.as_str()}),
        }
    }
}

/// Modules of `fixtures/mibs`, compiled as `trapline mib compile` does.
fn mibs(modules: &[String]) -> trapline::mib::Set {
    if modules.is_empty() {
        return trapline::mib::Set::default();
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mibs");
    let paths: Vec<PathBuf> = modules.iter().map(|name| folder.join(name)).collect();
    let compiled = trapline::mib::compile::compile(&paths, false).expect("the modules compile");
    assert!(compiled.findings.is_empty(), "{:?}", compiled.findings);
    let octets = trapline::mib::format::write(&compiled.definitions, 0).expect("a file");
    trapline::mib::Set::of(trapline::mib::Mibdb::from_bytes(&octets).expect("a whole file"))
}

/// The folder of a protocol's fixtures, and the first part of their listeners' names.
fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Syslog => "syslog",
        Protocol::Snmp => "snmp",
    }
}

/// Every folder below `fixtures/syslog` and `fixtures/snmp`, in the order of their names.
fn cases() -> Vec<(Protocol, PathBuf)> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut cases = Vec::new();
    for protocol in [Protocol::Syslog, Protocol::Snmp] {
        let folder = fixtures.join(name(protocol));
        let entries = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let folders = entries.map(|entry| entry.expect("an entry").path());
        cases.extend(
            folders
                .filter(|path| path.is_dir())
                .map(|path| (protocol, path)),
        );
    }
    cases.sort_by(|(_, a), (_, b)| a.cmp(b));
    cases
}

/// The packet's bytes: `input.txt` without the line feed that editors add, or `input.hex`.
fn packet(folder: &Path) -> Vec<u8> {
    let text = folder.join("input.txt");
    if text.exists() {
        let mut bytes = std::fs::read(&text).expect("input.txt can be read");
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        return bytes;
    }
    let text = read(&folder.join("input.hex"));
    let digits: String = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(str::chars)
        .filter(|letter| !letter.is_whitespace())
        .collect();
    hex(&digits).unwrap_or_else(|| panic!("{}: input.hex is not hex", folder.display()))
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect())?
}

/// The event without what differs from run to run and from version to version.
fn without_running(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        fields.remove("id");
    }
    if let Some(agent) = event.get_mut("agent").and_then(Value::as_object_mut) {
        agent.remove("version");
    }
    event
}

/// One line for each value that differs, with its path.
fn differences(expected: &Value, came: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    compare("", Some(expected), Some(came), &mut lines);
    lines
}

fn compare(path: &str, expected: Option<&Value>, came: Option<&Value>, lines: &mut Vec<String>) {
    match (expected, came) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
            names.sort();
            names.dedup();
            for name in names {
                compare(&format!("{path}.{name}"), a.get(name), b.get(name), lines);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => {
            for place in 0..a.len().max(b.len()) {
                compare(
                    &format!("{path}[{place}]"),
                    a.get(place),
                    b.get(place),
                    lines,
                );
            }
        }
        (a, b) if a != b => {
            let shown = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
            lines.push(format!("  {path}\n    - {}\n    + {}", shown(a), shown(b)));
        }
        _ => {}
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn a_difference_names_its_path_and_both_values() {
    let expected = serde_json::json!({"a": {"b": [1, 2]}, "same": 1, "gone": null});
    let came = serde_json::json!({"a": {"b": [1, 3, 4]}, "same": 1});
    let lines = differences(&expected, &came);
    assert_eq!(
        lines,
        [
            "  .a.b[1]\n    - 2\n    + 3",
            "  .a.b[2]\n    - absent\n    + 4",
            "  .gone\n    - null\n    + absent",
        ]
    );
    assert!(differences(&came, &came).is_empty());
    assert_eq!(hex("30ff"), Some(vec![0x30, 0xff]));
    assert_eq!(hex("30f"), None);
    assert_eq!(hex("3x"), None);
}
