//! The event: the only type that knows the JSON shape. Schema version 1.
//!
//! ```text
//!  normalize ──Event<'_>──▶ json::write ──▶ {"schema":1,"id":"br17-01JD8Q0AB-0-▮","kind":"syslog",...}
//!                                                                          └ the spool writes the number here
//! ```
//!
//! Field names and types never vary with the input. What is absent is `null` inside a part and left out
//! where a whole part does not apply to the kind. `packaging/schema/event.schema.json` is generated from these
//! types, and every event that a test produces is validated against it.
//!
//! Text from devices is bytes; [`Text`] writes it as JSON text, and what is not UTF-8 becomes U+FFFD. The
//! pipeline keeps the original in `raw_base64` wherever that happened.

mod json;
mod report;
pub mod schema;
mod snmp;
mod syslog;
mod text;

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Serialize;

use crate::packet::Transport;
use crate::time::UnixMicros;

pub use json::{NUMBER_MARK, write};
pub use report::{
    Count, KindReport, ListenerReport, LostRange, PreviousRun, RecordReport, Report, ReportKind,
    SpoolKind, TopicReport,
};
pub use snmp::{
    IndexPart, IndexParts, Indexed, SnmpPart, SnmpVersion, TrapPdu, Varbind, VarbindList, Varbinds,
};
pub use syslog::{Clock, StructuredData, SyslogPart};
pub use text::{Base64, Rfc3339, Text};

/// The version in every event's `schema` field.
pub const SCHEMA: u8 = 1;

/// One event, borrowing everything it can from the packet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "trapline event", description = "One event of trapline, schema version 1.", extend("$id" = "urn:trapline:schema:event:1"))]
pub struct Event<'a> {
    /// Version of this schema: 1.
    pub schema: u8,
    /// `agent-boot-lane-number`: unique, made once, the same in every repeat. Numbers of one lane
    /// (one topic) of one boot have no holes.
    #[schemars(with = "String")]
    pub id: Id<'a>,
    /// What the event is.
    pub kind: Kind,
    /// When it happened, as far as `time_source` says. RFC 3339, always with zone.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Rfc3339,
    /// Whose clock `time` is.
    pub time_source: TimeSource,
    /// When the packet reached this host. RFC 3339 with microseconds, UTC.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub received: Rfc3339,
    /// Severity in words (RFC 5424, table 2); null where the message has none.
    pub severity: Option<Severity>,
    /// Severity as number, 0 (emergency) to 7 (debug).
    pub severity_code: Option<u8>,
    /// Which device it is about.
    pub device: Device<'a>,
    /// The device's own name for what happened: `ETHPORT-5-IF_DOWN_LINK_FAILURE`, `IF-MIB::linkDown`.
    #[schemars(with = "Option<String>")]
    pub event_code: Option<Text<'a>>,
    /// One line for people, without the header.
    #[schemars(with = "String")]
    pub message: Text<'a>,
    /// How often the device says it happened ("last message repeated N times").
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat_count: Option<u32>,
    /// Kind `syslog`: the header's fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub syslog: Option<SyslogPart<'a>>,
    /// Kind `snmp_trap`: the notification.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snmp: Option<SnmpPart<'a>>,
    /// Kind `device`: what became known or changed about a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<DeviceChange<'a>>,
    /// Kind `gap`: sequence numbers that never arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap<'a>>,
    /// Kind `storm`: what a rate limit held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storm: Option<Storm<'a>>,
    /// Kind `agent`: the ledger's counts of a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<&'a Report>,
    /// Which agent received it, and where.
    pub agent: Agent<'a>,
    /// Why the message could not be read whole. It is in `message` and `raw` all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parse_error: Option<ParseError>,
    /// True where bytes of the message are missing here: cut at a limit, or half received.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The bytes as received, where they are UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub raw: Option<Text<'a>>,
    /// The bytes as received, where they are not UTF-8. A trap's community octets are overwritten with `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub raw_base64: Option<Base64<'a>>,
    /// Stands for `raw` where a secret may be in it at a place that could not be found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw_withheld: Option<RawWithheld>,
}

/// `agent-boot-lane-`; the spool adds the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id<'a>(pub &'a str);

impl Serialize for Id<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A syslog message.
    Syslog,
    /// An SNMP trap or inform.
    SnmpTrap,
    /// Something became known or changed about a device.
    Device,
    /// Sequence numbers that never arrived.
    Gap,
    /// A rate limit's summary.
    Storm,
    /// The agent's own report.
    Agent,
}

impl Kind {
    /// Every kind, in schema order.
    pub const ALL: [Kind; 6] = [
        Kind::Syslog,
        Kind::SnmpTrap,
        Kind::Device,
        Kind::Gap,
        Kind::Storm,
        Kind::Agent,
    ];

    /// Its name, as events write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Syslog => "syslog",
            Kind::SnmpTrap => "snmp_trap",
            Kind::Device => "device",
            Kind::Gap => "gap",
            Kind::Storm => "storm",
            Kind::Agent => "agent",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Whose clock an event's `time` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeSource {
    /// The message's own time stamp.
    Device,
    /// The message's time stamp without a year or zone; what was missing was supplied.
    DeviceCompleted,
    /// The message has no usable time stamp: the time of arrival.
    Received,
    /// The message's time stamp is further from the time of arrival than `event.time_skew_seconds_max` allows, so the
    /// device's clock is wrong: the time of arrival.
    ReceivedSkewed,
}

/// Severity (RFC 5424, section 6.2.1, table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the RFC's own")]
pub enum Severity {
    Emergency,
    Alert,
    Critical,
    Error,
    Warning,
    Notice,
    Informational,
    Debug,
}

impl Severity {
    /// From the code of a PRI; codes above 7 do not exist.
    pub fn from_code(code: u8) -> Option<Severity> {
        use Severity::*;
        [
            Emergency,
            Alert,
            Critical,
            Error,
            Warning,
            Notice,
            Informational,
            Debug,
        ]
        .get(usize::from(code))
        .copied()
    }

    /// The severity of this name, as events write it.
    pub fn from_name(name: &str) -> Option<Severity> {
        (0..=7)
            .filter_map(Severity::from_code)
            .find(|severity| severity.as_str() == name)
    }

    /// Its name, as events write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Emergency => "emergency",
            Severity::Alert => "alert",
            Severity::Critical => "critical",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
            Severity::Informational => "informational",
            Severity::Debug => "debug",
        }
    }
}

/// Which device an event is about; `hostname` is the Kafka key.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Device<'a> {
    /// The device's name, lower-cased; its address where nothing better is known.
    #[schemars(with = "String")]
    pub hostname: Text<'a>,
    /// Why it is called so.
    pub hostname_source: HostnameSource,
    /// The address the packet came from; null for local senders.
    #[schemars(with = "Option<String>")]
    pub address: Option<IpAddr>,
    /// The vendor, where the message shows it: `cisco`, `juniper`.
    pub vendor: Option<&'a str>,
    /// The operating system, where the message shows it: `nx-os`, `junos`.
    pub os: Option<&'a str>,
    /// The name it had before, for 24 hours after a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_hostname: Option<&'a str>,
    /// Labels of the inventory; left out where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    pub labels: Option<&'a std::collections::BTreeMap<String, String>>,
}

/// Why a device carries its name, best source first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostnameSource {
    /// The operator's inventory says so.
    Inventory,
    /// The message's header says so.
    Header,
    /// `snmpTrapAddress`, agent-addr, engine ID or an address in the header, from a trusted relay.
    Relay,
    /// This address called itself so in other messages.
    Learned,
    /// Reverse DNS.
    Dns,
    /// Nothing better is known than the address.
    Address,
    /// The event is about the agent's own host.
    Agent,
}

/// Which agent received the packet.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Agent<'a> {
    /// The agent's configured name.
    pub id: &'a str,
    /// The agent's version.
    pub version: &'static str,
    /// The listener's name; null for events of the agent's own making.
    pub listener: Option<&'a str>,
    /// How the packet arrived; null for events of the agent's own making.
    pub transport: Option<Transport>,
}

/// Why a message could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ParseError {
    /// What was expected, in words.
    pub reason: &'static str,
    /// The byte at which reading stopped, counted from 0.
    pub at_byte: u32,
}

/// What stands for `raw` when it cannot be shown without the risk of showing a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RawWithheld {
    /// Why.
    pub reason: &'static str,
    /// Length of the packet.
    pub length_bytes: u32,
    /// SHA-256 of the packet, in hex.
    pub sha256: String,
    /// The first 4 bytes, in hex: enough to see what protocol it was.
    pub first_bytes: String,
}

/// Kind `device`: what became known or changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeviceChange<'a> {
    /// What happened.
    pub what: DeviceChangeKind,
    /// The name before, for a change of name.
    pub previous_hostname: Option<&'a str>,
    /// The name of another device that it uses, for a conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claimed_hostname: Option<&'a str>,
}

/// What happened to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceChangeKind {
    /// It was heard for the first time.
    New,
    /// Its name, and so its key, changed.
    Renamed,
    /// It has been silent for longer than its limit.
    Silent,
    /// It speaks again.
    Back,
    /// It was heard for the first time, and the inventory does not have it.
    Unknown,
    /// It goes on using the name of another device, and is not believed.
    Conflict,
    /// Several names speak from its address: a relay or NAT.
    Shared,
}

/// Kind `gap`: numbers that a device counted and that never arrived.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Gap<'a> {
    /// Which counter: `cisco_sequence`, `sequence_id`.
    pub counter: &'a str,
    /// The first number that is missing.
    pub first_missing: u64,
    /// The last number that is missing.
    pub last_missing: u64,
}

/// Kind `storm`: what a rate limit held back during one second.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Storm<'a> {
    /// How many messages were held back.
    pub held_back: u64,
    /// The event code that came most often, where there is one.
    pub top_event_code: Option<&'a str>,
    /// How many of which code, the most first.
    pub event_codes: &'a [HeldCode<'a>],
}

/// How many messages of one event code were held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HeldCode<'a> {
    /// The code; null for messages without one, and for codes beyond the first eight.
    pub event_code: Option<&'a str>,
    /// How many.
    pub count: u64,
}

impl From<UnixMicros> for Rfc3339 {
    fn from(at: UnixMicros) -> Self {
        Rfc3339::micros(at)
    }
}
