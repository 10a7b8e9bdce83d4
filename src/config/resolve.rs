//! What was set + defaults → every stage's own `Config`.
//!
//! ```text
//!  Raw ──▶ agent, event ──▶ normalize::Config        each value: set? else the stage's default
//!      ──▶ snmp ──────────▶ normalize::Config (MIB files are opened here)
//!      ──▶ topics, route ─▶ route::Config            each problem: noted, and on to the next key
//!      ──▶ snmp ──────────▶ snmp::resolve
//!      ──▶ storm ─────────▶ names::storm::Rate
//!      ──▶ spool ─────────▶ spool::Config
//!      ──▶ kafka ─────────▶ kafka::resolve
//!      ──▶ [[listener]] ──▶ listener::resolve
//! ```
//!
//! Pure but for what values name: files (secrets, certificates), which are read here, and users, which are looked up.

use std::path::PathBuf;
use std::time::Duration;

use super::identity::{self, Identity};
use super::kafka;
use super::listener;
use super::mibs;
use super::problem::nearest;
use super::raw::Raw;
use super::reader::{Effective, Findings, Reader};
use super::route as rules;
use super::size;
use super::snmp;
use crate::event::Kind;
use crate::names::storm;
use crate::normalize::severity::Overrides;
use crate::normalize::{self, DomainPolicy, RawPolicy};
use crate::observe::log;
use crate::pipeline::AccessConfig;
use crate::produce;
use crate::receive;
use crate::route;
use crate::spool::{self, WhenFull};
use crate::status;
use crate::usm::EngineKey;

/// The whole configuration, ready for use.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// For the normalize stage.
    pub normalize: normalize::Config,
    /// Who devices are.
    pub identity: Identity,
    /// For the route stage.
    pub route: route::Config,
    /// The limit of each sender, where there is one.
    pub storm: Option<storm::Rate>,
    /// Who may send SNMP, for the pipelines.
    pub snmp: AccessConfig,
    /// Where the agent keeps what it learns of SNMPv3 engines, and its own engine.
    pub state_folder: Option<PathBuf>,
    /// The engine ID that the operator chose.
    pub engine_id: Option<EngineKey>,
    /// For the spool.
    pub spool: spool::Config,
    /// For the produce stage.
    pub produce: produce::Config,
    /// For the receive stage, one each.
    pub listeners: Vec<receive::Config>,
    /// For the status server.
    pub status: status::Config,
    /// For the log.
    pub log: log::Config,
    /// How often the agent reports; `None`: never.
    pub report_every: Option<Duration>,
    /// How long a stop may take to deliver what the spool still holds.
    pub drain: Duration,
    /// What each key says; `check` shows it, and a reload compares it.
    pub effective: Effective,
}

/// Seconds that a stop may take to deliver what is left: a pod is killed after 30, and closing the sockets takes a few.
pub const DRAIN_SECONDS_DEFAULT: u64 = 20;

/// Seconds between two reports of the agent.
pub const REPORT_SECONDS_DEFAULT: u64 = 60;

/// What [`log::Filter::default`] stands for.
const LOG_LEVEL_DEFAULT: &str = "info";

/// The longest agent id: as long as a host's name may be on Linux. It stands twice in every event.
pub const AGENT_ID_BYTES_MAX: usize = 64;

/// What resolving needs beside what was set.
pub(super) struct Surroundings<'s> {
    /// This host's name: the default of `agent.id`.
    pub host_name: &'s str,
    /// Permission bits of the configuration file, if there is one.
    pub file_mode: Option<u32>,
}

/// Resolves everything. Where a value is wrong, the default stands in and the findings say so.
pub(super) fn resolve(
    raw: &Raw,
    surroundings: &Surroundings<'_>,
    findings: &mut Findings,
) -> Resolved {
    let listeners = listener::resolve(&raw.listeners, findings);
    let listener_names = listener::names(&raw.listeners);
    let rules = rules::resolve(&raw.routes, &listener_names, findings);
    let mut reader = Reader::new(&raw.settings, findings);
    let route = route::Config {
        topics: topics(&mut reader),
        payload_bytes_max: kafka::payload_bytes_max(&mut reader),
        rules,
        listeners: listener_names,
    };
    rules::check_topics(&raw.routes, &route, reader.findings);
    let mut normalize = normalize(&mut reader, surroundings.host_name);
    let identity = identity::resolve(&mut reader, normalize.domain);
    let storm = storm(&mut reader);
    let report_every = report_every(&mut reader, &route);
    let state_folder = snmp::state_folder(&mut reader);
    let engine_id = snmp::own_engine_id(&mut reader);
    let spool = spool(&mut reader, &route);
    let status = status(&mut reader);
    listener::check_status(&raw.listeners, &listeners, &status, &mut reader);
    let log = log(&mut reader);
    let drain = Duration::from_secs(reader.number("shutdown.drain_seconds", DRAIN_SECONDS_DEFAULT));
    normalize.severities = mibs::severities(raw, findings);
    let produce = kafka::resolve(
        raw,
        surroundings.file_mode,
        &normalize.agent_id,
        &route,
        findings,
    );
    let snmp = snmp::resolve(raw, surroundings.file_mode, findings);
    Resolved {
        normalize,
        identity,
        route,
        storm,
        snmp,
        state_folder,
        engine_id,
        spool,
        produce,
        listeners,
        status,
        log,
        report_every,
        drain,
        effective: std::mem::take(&mut findings.effective),
    }
}

fn normalize(reader: &mut Reader<'_>, host_name: &str) -> normalize::Config {
    let default_id = agent_id_of_host(host_name);
    normalize::Config {
        agent_id: reader.parsed(
            "agent.id",
            default_id,
            |text| is_agent_id(text).then(|| text.to_owned()),
            "1 to 64 letters, digits, dots, - and _",
            |_| "choose a short name without spaces; it is part of every event's id".to_owned(),
        ),
        raw: reader.word("event.raw", RawPolicy::default()),
        domain: reader.word("event.domain", DomainPolicy::default()),
        utc_offset_minutes: utc_offset(reader),
        mibs: mibs::mibs(reader),
        severities: Overrides::default(),
        time_skew_seconds_max: reader.number_u32(
            "event.time_skew_seconds_max",
            normalize::Config::TIME_SKEW_SECONDS_MAX_DEFAULT,
        ),
    }
}

/// Events of a sender that may come at once.
const STORM_BURST_DEFAULT: u32 = 1000;

fn storm(reader: &mut Reader<'_>) -> Option<storm::Rate> {
    let rate = storm::Rate {
        events_per_second: reader.number_u32("storm.events_per_second", 0),
        burst: reader.number_u32("storm.burst", STORM_BURST_DEFAULT),
    };
    (rate.events_per_second > 0).then_some(rate)
}

fn report_every(reader: &mut Reader<'_>, route: &route::Config) -> Option<Duration> {
    const KEY: &str = "topics.agent";
    let seconds = reader.number("agent.report_seconds", REPORT_SECONDS_DEFAULT);
    let reports = route.topics.get(Kind::Agent as usize);
    let users = route.topics.iter().filter(|topic| Some(*topic) == reports);
    let by_rules = route.topics_of_rules();
    let is_shared = users.count() > 1 || reports.is_some_and(|topic| by_rules.contains(topic));
    if seconds > 0 && is_shared {
        let at = reader.place(KEY);
        let text = "reports share their topic with other events: a full spool gives them up too";
        reader.findings.warn(&at, KEY, text);
    }
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn is_agent_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=AGENT_ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// A host may be called anything; what an id does not allow becomes `-`.
fn agent_id_of_host(host_name: &str) -> String {
    let plain = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_') => letter,
        _ => '-',
    };
    let id: String = host_name
        .trim()
        .chars()
        .map(plain)
        .take(AGENT_ID_BYTES_MAX)
        .collect();
    if id.is_empty() {
        "trapline".to_owned()
    } else {
        id
    }
}

fn utc_offset(reader: &mut Reader<'_>) -> i16 {
    const KEY: &str = "event.utc_offset";
    let set = reader.text(KEY);
    let minutes = set.map_or(Some(0), size::utc_offset_minutes);
    if let (Some(text), None) = (set, minutes) {
        reader.problem(
            KEY,
            "an offset from UTC between -12:00 and +14:00",
            &format!("{text:?}"),
            "write hours and minutes with a sign, for example \"+01:00\" (names of zones are not known, and summer time is not followed)",
        );
    }
    let minutes = minutes.unwrap_or(0);
    let sign = if minutes < 0 { '-' } else { '+' };
    reader.note(
        KEY,
        &format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60),
    );
    minutes
}

/// The topic of each kind, in the order of [`Kind::ALL`].
fn topics(reader: &mut Reader<'_>) -> [String; Kind::ALL.len()] {
    let defaults = route::Config::TOPICS_DEFAULT;
    let keys = [
        "topics.syslog",
        "topics.snmp_trap",
        "topics.device",
        "topics.gap",
        "topics.storm",
        "topics.agent",
    ];
    std::array::from_fn(|kind| {
        let (Some(key), Some(default)) = (keys.get(kind), defaults.get(kind)) else {
            return String::new();
        };
        reader.parsed(
            key,
            (*default).to_owned(),
            |text| is_topic(text).then(|| text.to_owned()),
            "a Kafka topic: 1 to 249 letters, digits, dots, - and _",
            |_| format!("choose another name, for example \"{default}\""),
        )
    })
}

/// Kafka's own rule (org.apache.kafka.common.internals.Topic).
pub(super) fn is_topic(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=249).contains(&text.len()) && text.bytes().all(is_plain) && !matches!(text, "." | "..")
}

/// Where the spool is unless something else is said. The package's unit makes the folder above it.
const SPOOL_FOLDER_DEFAULT: &str = "/var/lib/trapline/spool";

fn spool(reader: &mut Reader<'_>, route: &route::Config) -> spool::Config {
    let kind = reader.word("spool.kind", "disk".to_owned());
    let disk = disk_spool(reader, kind == "disk");
    if disk.is_none() {
        let at = reader.place("spool.kind");
        let text = "the spool is in memory: what it holds is gone when the process ends, informs that were answered included";
        reader.findings.warn(&at, "spool.kind", text);
    }
    let bytes_max = match &disk {
        Some(_) => spool::Config::TAIL_BYTES_MAX,
        None => reader.size("spool.bytes_max", spool::Config::BYTES_MAX_DEFAULT),
    };
    spool::Config {
        bytes_max,
        when_full: reader.word("spool.when_full", WhenFull::default()),
        topics: route.lanes(),
        disk,
    }
}

/// The keys of the disk kind. With the memory kind they are read all the same, so that they are shown and judged.
fn disk_spool(reader: &mut Reader<'_>, wanted: bool) -> Option<spool::DiskConfig> {
    let folder = reader
        .text("spool.folder")
        .unwrap_or(SPOOL_FOLDER_DEFAULT)
        .to_owned();
    reader.note("spool.folder", &folder);
    if !folder.starts_with('/') {
        reader.problem(
            "spool.folder",
            "the path of a folder, starting with /",
            &format!("{folder:?}"),
            "write the whole path: a service has no working folder of its own",
        );
    }
    let interval = reader.number("spool.fsync_interval_ms", 1000);
    let fsync = match reader.word("spool.fsync", "interval".to_owned()).as_str() {
        "always" => spool::Fsync::Always,
        "never" => spool::Fsync::Never,
        _ => spool::Fsync::Interval(Duration::from_millis(interval)),
    };
    let inform_ack = match reader
        .word("spool.inform_ack", "written".to_owned())
        .as_str()
    {
        "synced" => spool::InformAck::Synced,
        _ => spool::InformAck::Written,
    };
    let free_bytes_min = reader.number(
        "spool.free_bytes_min",
        spool::DiskConfig::FREE_BYTES_MIN_DEFAULT,
    );
    let age = reader.number("spool.age_seconds_max", 0);
    let dead_letter_bytes_max = reader.number(
        "spool.dead_letter_bytes_max",
        spool::DiskConfig::DEAD_LETTER_BYTES_MAX_DEFAULT,
    );
    wanted.then(|| spool::DiskConfig {
        folder: folder.into(),
        bytes_max: reader.number("spool.bytes_max", spool::DiskConfig::BYTES_MAX_DEFAULT),
        free_bytes_min,
        age_max: (age > 0).then(|| Duration::from_secs(age)),
        fsync,
        inform_ack,
        cursor_records_max: spool::DiskConfig::CURSOR_RECORDS_MAX_DEFAULT,
        dead_letter_bytes_max,
    })
}

fn status(reader: &mut Reader<'_>) -> status::Config {
    const KEY: &str = "status.bind";
    const OFF: &str = "off";
    let default = status::Config::default().bind;
    let bind = match reader.text(KEY) {
        None => default,
        Some(OFF) => None,
        Some(text) => {
            let bind = text.parse().ok();
            if bind.is_none() {
                let advice = listener::bind_advice(text, "127.0.0.1", 9514);
                reader.problem(
                    KEY,
                    "an address and a port, or \"off\"",
                    &format!("{text:?}"),
                    advice,
                );
            }
            bind
        }
    };
    let shown = bind.map_or_else(|| OFF.to_owned(), |address| address.to_string());
    reader.note(KEY, &shown);
    let admin_socket = admin_socket(reader);
    status::Config { bind, admin_socket }
}

fn admin_socket(reader: &mut Reader<'_>) -> Option<PathBuf> {
    const KEY: &str = "status.admin_socket";
    const OFF: &str = "off";
    let default = status::ADMIN_SOCKET_DEFAULT;
    let text = reader.text(KEY).unwrap_or(default);
    let is_possible = text.starts_with('/') && text.len() <= status::ADMIN_SOCKET_BYTES_MAX;
    if text != OFF && !is_possible {
        reader.problem(
            KEY,
            "the path of a socket, starting with / and of at most 107 bytes, or \"off\"",
            &format!("{text:?}"),
            format!("write a whole and short path, for example \"{default}\""),
        );
    }
    reader.note(KEY, &text);
    (text != OFF).then(|| PathBuf::from(text))
}

fn log(reader: &mut Reader<'_>) -> log::Config {
    const LEVEL: &str = "log.level";
    let text = reader.text(LEVEL).unwrap_or(LOG_LEVEL_DEFAULT);
    let filter = text.parse().unwrap_or_else(|_| {
        let words = ["error", "warn", "info", "debug", "trace"];
        let advice = match nearest(text, words.into_iter()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write one of these words, or directives such as \"trapline::produce=debug\""
                .to_owned(),
        };
        let found = format!("{text:?}");
        reader.problem(LEVEL, "error, warn, info, debug or trace", &found, advice);
        log::Filter::default()
    });
    reader.note(LEVEL, &text);
    log::Config {
        filter,
        format: reader.word("log.format", log::Format::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_called_anything_and_the_id_is_still_one() {
        for host in [
            "br17",
            "br17.example.net",
            "",
            "  ",
            "büro 7",
            &"x".repeat(300),
        ] {
            assert!(is_agent_id(&agent_id_of_host(host)), "{host}");
        }
        assert_eq!(agent_id_of_host("br17.example.net\n"), "br17.example.net");
    }

    #[test]
    fn topics_follow_kafka_s_own_rule() {
        assert!(is_topic("net.syslog"));
        for bad in ["", ".", "..", "net syslog", "net/syslog", &"x".repeat(250)] {
            assert!(!is_topic(bad), "{bad}");
        }
    }
}
