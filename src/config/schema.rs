//! The keys that a configuration may have: one table for the file, the environment, suggestions and reload.
//!
//! ```text
//!  path              what may stand there                                        what a reload does
//!  kafka.linger_ms   a whole number of milliseconds from 0 to 900000             restart
//!  log.level         text                                                        applied
//!  listener.bind     text (the part before the last dot is the [[listener]])     restart
//! ```
//!
//! Ranges stand here with their reasons, so that a value is judged alike wherever it comes from. Defaults do not: they
//! belong to the stages.

use super::problem::nearest;
use super::size;

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Section and name, for example `kafka.linger_ms`. Keys of a listener start with `listener.`.
    pub path: &'static str,
    /// What may stand there.
    pub shape: Shape,
    /// What a reload does with a change.
    pub on_reload: OnReload,
}

/// What may stand at a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any text; the stage that uses it says more.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number.
    Number(Range),
    /// A number of bytes, also as text with a unit: `24 MiB`.
    Bytes(Range),
    /// A list of texts; one text with commas between its parts is the same.
    List,
    /// A list of texts in which a comma is a comma; one text is a list of one.
    Texts,
    /// Text that is never shown, neither as a value nor in a problem.
    Secret,
    /// A list of such texts.
    Secrets,
}

/// From where to where a number may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// What is counted.
    pub unit: &'static str,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// Why not less and not more.
    pub reason: &'static str,
}

/// What a reload (SIGHUP) does with a changed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReload {
    /// It takes effect at once; nothing is interrupted.
    Applied,
    /// The old value stays until the agent is started again; the reload names the key.
    Restart,
}

/// Sections, in the order of the shipped file. `route` and `listener` are lists of tables, the two of Kafka's options and that of severities take any name.
pub const SECTIONS: &[&str] = &[
    "agent", "kafka", "topics", "route", "event", "storm", "identity", "snmp", "spool", "replay",
    "status", "log", "shutdown", "listener",
];

/// librdkafka options by name; their values may be secret.
pub const OPTIONS: &str = "kafka.options";
/// librdkafka options by name; each value is the path of a file that holds the option's value.
pub const OPTIONS_FILE: &str = "kafka.options_file";
/// Severities by notification.
pub const SEVERITY: &str = "snmp.severity";
/// The list of tables, one a listener.
pub const LISTENER: &str = "listener";
/// The list of tables, one for each set of secrets of an SNMPv3 user.
pub const SNMP_USER: &str = "snmp.user";
/// The list of tables, one a rule, in the order in which they are asked.
pub const ROUTE: &str = "route";
/// The one table inside a listener.
pub const LISTENER_TLS: &str = "listener.tls";

const fn key(path: &'static str, shape: Shape) -> Key {
    Key {
        path,
        shape,
        on_reload: OnReload::Restart,
    }
}

const fn live(path: &'static str, shape: Shape) -> Key {
    Key {
        path,
        shape,
        on_reload: OnReload::Applied,
    }
}

const fn range(unit: &'static str, min: u64, max: u64, reason: &'static str) -> Range {
    Range {
        unit,
        min,
        max,
        reason,
    }
}

const MIB: u64 = 1024 * 1024;

/// Severities as events write them, the worst first.
const SEVERITIES: &[&str] = &[
    "emergency",
    "alert",
    "critical",
    "error",
    "warning",
    "notice",
    "informational",
    "debug",
];

const SECURITY_LEVELS: &[&str] = &["noAuthNoPriv", "authNoPriv", "authPriv"];

/// Every key with a fixed name, in the order of the shipped file.
pub const KEYS: &[Key] = &[
    key("agent.id", Shape::Text),
    key("agent.state_folder", Shape::Text),
    key(
        "agent.report_seconds",
        Shape::Number(range(
            "seconds",
            0,
            3600,
            "0 means no reports, and what a longer window holds is known too late",
        )),
    ),
    key("kafka.bootstrap_servers", Shape::List),
    key(
        "kafka.compression",
        Shape::Choice(&["none", "gzip", "snappy", "lz4", "zstd"]),
    ),
    key(
        "kafka.linger_ms",
        Shape::Number(range(
            "milliseconds",
            0,
            10_000,
            "every event waits so long for others to share its batch",
        )),
    ),
    key(
        "kafka.batch_bytes",
        Shape::Bytes(range(
            "bytes",
            1024,
            8 * MIB,
            "a batch must fit into kafka.window_bytes twice, once on its way and once being filled",
        )),
    ),
    key(
        "kafka.batch_records",
        Shape::Number(range("records", 1, 1_000_000, "librdkafka takes no more")),
    ),
    key(
        "kafka.window_records",
        Shape::Number(range(
            "records",
            100,
            1_000_000,
            "fewer would wait for every answer, more are memory beside the spool (some 200 bytes each)",
        )),
    ),
    key(
        "kafka.window_bytes",
        Shape::Bytes(range(
            "bytes",
            2 * MIB,
            1024 * MIB,
            "a batch and a largest record must fit, and it is memory beside the spool",
        )),
    ),
    key(
        "kafka.message_bytes_max",
        Shape::Bytes(range(
            "bytes",
            4096,
            MIB,
            "below it an event cannot be cut small enough, above it the spool does not take its record",
        )),
    ),
    key("kafka.headers", Shape::Choice(&["none", "standard"])),
    key("topics.syslog", Shape::Text),
    key("topics.snmp_trap", Shape::Text),
    key("topics.device", Shape::Text),
    key("topics.gap", Shape::Text),
    key("topics.storm", Shape::Text),
    key("topics.agent", Shape::Text),
    key("route.name", Shape::Text),
    key("route.kind", Shape::List),
    key("route.listener", Shape::List),
    key("route.device", Shape::List),
    key("route.label", Shape::List),
    key("route.vendor", Shape::List),
    key("route.severity", Shape::Choice(SEVERITIES)),
    key("route.event_code", Shape::List),
    key("route.message_contains", Shape::Texts),
    key("route.message_regex", Shape::Text),
    key("route.topic", Shape::Text),
    key("route.action", Shape::Choice(&["drop"])),
    key(
        "route.sample",
        Shape::Number(range(
            "events",
            2,
            1_000_000,
            "one of so many goes on, and one of one is all of them",
        )),
    ),
    live("event.raw", Shape::Choice(&["auto", "always", "never"])),
    live("event.domain", Shape::Choice(&["keep", "strip"])),
    live("event.utc_offset", Shape::Text),
    live(
        "event.time_skew_seconds_max",
        Shape::Number(range(
            "seconds",
            0,
            4_000_000_000,
            "0 believes every clock; a limit keeps one that was never set out of the events' time",
        )),
    ),
    key(
        "storm.events_per_second",
        Shape::Number(range(
            "events a second",
            0,
            1_000_000,
            "0 means no limit, and no device sends more",
        )),
    ),
    key(
        "storm.burst",
        Shape::Number(range(
            "events",
            1,
            1_000_000,
            "a device that starts or fails says much at once, and a longer burst is a storm",
        )),
    ),
    live("identity.inventory_file", Shape::Text),
    live("identity.relays", Shape::List),
    key("identity.reverse_dns", Shape::Choice(&["on", "off"])),
    key(
        "identity.devices_max",
        Shape::Number(range(
            "devices",
            100,
            10_000_000,
            "each that is heard takes half a kilobyte of memory",
        )),
    ),
    live(
        "identity.silent_seconds",
        Shape::Number(range(
            "seconds",
            0,
            10 * 365 * 86_400,
            "0 means that silence is not told, unless the inventory has a limit for a device",
        )),
    ),
    live("identity.events", Shape::List),
    live("snmp.mib_files", Shape::List),
    live("snmp.communities", Shape::Secrets),
    live("snmp.communities_file", Shape::Text),
    live("snmp.security_level", Shape::Choice(SECURITY_LEVELS)),
    live(
        "snmp.time_window",
        Shape::Choice(&["strict", "learn_after_reboot", "ignore"]),
    ),
    live("snmp.failed", Shape::Choice(&["reject", "event"])),
    key("snmp.engine_id", Shape::Text),
    live("snmp.user.name", Shape::Text),
    live(
        "snmp.user.auth",
        Shape::Choice(&[
            "MD5", "SHA-1", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512",
        ]),
    ),
    live("snmp.user.auth_password", Shape::Secret),
    live("snmp.user.auth_password_file", Shape::Text),
    live("snmp.user.auth_key", Shape::Secret),
    live("snmp.user.auth_key_file", Shape::Text),
    live(
        "snmp.user.priv",
        Shape::Choice(&["DES", "3DES", "AES-128", "AES", "AES-192", "AES-256"]),
    ),
    live("snmp.user.priv_password", Shape::Secret),
    live("snmp.user.priv_password_file", Shape::Text),
    live("snmp.user.priv_key", Shape::Secret),
    live("snmp.user.priv_key_file", Shape::Text),
    live(
        "snmp.user.priv_extension",
        Shape::Choice(&["auto", "blumenthal", "reeder"]),
    ),
    live("snmp.user.security_level", Shape::Choice(SECURITY_LEVELS)),
    live("snmp.user.engine_id", Shape::Text),
    key("spool.kind", Shape::Choice(&["disk", "memory"])),
    key("spool.folder", Shape::Text),
    key(
        "spool.bytes_max",
        Shape::Bytes(range(
            "bytes",
            4 * MIB,
            1024 * 1024 * MIB,
            "each topic needs room for its largest record, and a disk must be able to hold it",
        )),
    ),
    key(
        "spool.when_full",
        Shape::Choice(&["drop_oldest", "drop_newest"]),
    ),
    key(
        "spool.fsync",
        Shape::Choice(&["interval", "always", "never"]),
    ),
    key(
        "spool.fsync_interval_ms",
        Shape::Number(range(
            "milliseconds",
            10,
            60_000,
            "more often is what \"always\" is for, and a longer interval is a longer loss when the power goes",
        )),
    ),
    key("spool.inform_ack", Shape::Choice(&["written", "synced"])),
    key(
        "spool.free_bytes_min",
        Shape::Bytes(range(
            "bytes",
            0,
            1024 * 1024 * MIB,
            "it is space on the spool's file system that is left to others",
        )),
    ),
    key(
        "spool.age_seconds_max",
        Shape::Number(range(
            "seconds",
            0,
            10 * 365 * 86_400,
            "0 means that age does not count",
        )),
    ),
    key(
        "replay.bytes_per_second",
        Shape::Bytes(range(
            "bytes",
            0,
            1024 * MIB,
            "0 means as fast as the brokers take them, and no line is faster than that",
        )),
    ),
    key(
        "spool.dead_letter_bytes_max",
        Shape::Bytes(range(
            "bytes",
            0,
            1024 * 1024 * MIB,
            "0 means that what the broker will never take is lost at once",
        )),
    ),
    key("status.bind", Shape::Text),
    key("status.admin_socket", Shape::Text),
    live("log.level", Shape::Text),
    key(
        "log.format",
        Shape::Choice(&["auto", "text", "json", "journald"]),
    ),
    key(
        "shutdown.drain_seconds",
        Shape::Number(range(
            "seconds",
            0,
            3600,
            "service managers end a process that takes longer (systemd: TimeoutStopSec=, Kubernetes: 30 s)",
        )),
    ),
    key("listener.name", Shape::Text),
    key("listener.protocol", Shape::Choice(&["syslog", "snmp"])),
    key(
        "listener.transport",
        Shape::Choice(&["udp", "tcp", "tls", "unix_dgram", "unix_stream"]),
    ),
    key("listener.bind", Shape::Text),
    key("listener.path", Shape::Text),
    key("listener.mode", Shape::Text),
    key("listener.owner", Shape::Text),
    key("listener.group", Shape::Text),
    live("listener.allow", Shape::List),
    key(
        "listener.receive_buffer_bytes",
        Shape::Bytes(range(
            "bytes",
            4096,
            1024 * MIB,
            "the kernel takes no larger number and doubles what it is given",
        )),
    ),
    key(
        "listener.shards",
        Shape::Number(range(
            "sockets",
            1,
            64,
            "each is a thread of its own, and one was measured to read 250000 datagrams a second",
        )),
    ),
    key(
        "listener.frame_bytes_max",
        Shape::Bytes(range(
            "bytes",
            480,
            MIB,
            "RFC 5424 asks every receiver for 480, and no event may be larger than 1 MiB",
        )),
    ),
    key(
        "listener.connections_max",
        Shape::Number(range(
            "connections",
            1,
            65_536,
            "each holds an open file and a buffer",
        )),
    ),
    key(
        "listener.connections_per_peer_max",
        Shape::Number(range(
            "connections",
            1,
            65_536,
            "each holds an open file and a buffer",
        )),
    ),
    key(
        "listener.idle_seconds_max",
        Shape::Number(range(
            "seconds",
            10,
            30 * 86_400,
            "a device that is closed too early loses its next message, one that is never closed holds its place",
        )),
    ),
    key("listener.tls.certificate_file", Shape::Text),
    key("listener.tls.key_file", Shape::Text),
    key("listener.tls.client_ca_file", Shape::Text),
];

/// The key of this path.
pub fn find(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The names that may stand directly in the table `section`.
pub fn names_in(section: &str) -> impl Iterator<Item = &'static str> {
    let tables = [OPTIONS, OPTIONS_FILE, SEVERITY, LISTENER_TLS, SNMP_USER].into_iter();
    let paths = KEYS.iter().map(|key| key.path).chain(tables);
    paths.filter_map(move |path| {
        let (table, name) = path.rsplit_once('.')?;
        (table == section).then_some(name)
    })
}

/// The table within a section that goes by this name, or by one that is close to it.
pub fn inner_table(name: &str) -> Option<&'static str> {
    let tables = [OPTIONS, OPTIONS_FILE, SEVERITY, LISTENER_TLS, SNMP_USER];
    let last = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    let near = nearest(name, tables.into_iter().map(last))?;
    tables.into_iter().find(|path| last(path) == near)
}

/// The section of another table in which a key of this name stands, where there is exactly one.
pub fn section_of(name: &str) -> Option<&'static str> {
    let mut sections = KEYS
        .iter()
        .filter_map(|key| key.path.rsplit_once('.'))
        .filter(|(_, known)| *known == name)
        .map(|(section, _)| section);
    let only = sections.next()?;
    sections.next().is_none().then_some(only)
}

impl Shape {
    /// What may stand there, in words.
    pub fn expected(self) -> String {
        match self {
            Shape::Text => "text in quotes".to_owned(),
            Shape::Choice(words) => words
                .iter()
                .map(|word| format!("\"{word}\""))
                .collect::<Vec<_>>()
                .join(" or "),
            Shape::Number(range) => format!(
                "a whole number of {} from {} to {}",
                range.unit, range.min, range.max
            ),
            Shape::Bytes(range) => format!(
                "a number of bytes from {} to {}",
                size::shown(range.min),
                size::shown(range.max)
            ),
            Shape::List | Shape::Texts | Shape::Secrets => {
                "text or a list of texts, in quotes".to_owned()
            }
            Shape::Secret => "text in quotes".to_owned(),
        }
    }
}
