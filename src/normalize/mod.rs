//! Decoded message + packet → [`Event`](crate::event::Event): who, when, what.
//!
//! ```text
//!  decode::syslog::Message ──▶ syslog::event ──┐
//!                                              ├──▶ Event<'_> (borrows message, packet, scratch)
//!  decode::snmp::Notification ─▶ trap::event ──┘
//!            known: compiled MIB files, then the built-in names
//!            device::identify: inventory · header · (relay · learned · DNS) · address
//! ```

mod address_type;
pub mod device;
pub mod hostname;
mod known;
pub mod mib;
mod octets;
pub mod severity;
pub mod syslog;
pub mod trap;
mod varbind;
pub mod zone;

/// What normalising needs to know beside the message; made once at start, replaced by a reload.
#[derive(Debug, Clone)]
pub struct Config {
    /// The agent's name in every event.
    pub agent_id: String,
    /// When an event carries the bytes as received.
    pub raw: RawPolicy,
    /// What happens to the domain part of a hostname.
    pub domain: DomainPolicy,
    /// Zone of devices whose time stamps have none, in minutes east of UTC.
    pub utc_offset_minutes: i16,
    /// Compiled MIB files; the built-in names stand behind them.
    pub mibs: crate::mib::Set,
    /// Severities of notifications that differ from the built-in ones.
    pub severities: severity::Overrides,
    /// How far a device's time may be from the time of arrival, in seconds, and still be believed; 0 believes any.
    pub time_skew_seconds_max: u32,
}

impl Config {
    /// A week: a relay that was cut off delivers days later what devices said in time, and a clock that was never
    /// set is wrong by months or years.
    pub const TIME_SKEW_SECONDS_MAX_DEFAULT: u32 = 7 * 24 * 3600;

    /// Every default, under this agent's name.
    pub fn for_agent(agent_id: impl Into<String>) -> Config {
        Config {
            agent_id: agent_id.into(),
            raw: RawPolicy::default(),
            domain: DomainPolicy::default(),
            utc_offset_minutes: 0,
            mibs: crate::mib::Set::default(),
            severities: severity::Overrides::default(),
            time_skew_seconds_max: Self::TIME_SKEW_SECONDS_MAX_DEFAULT,
        }
    }
}

/// When an event carries `raw`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RawPolicy {
    /// Where something was not understood, was changed, or could not be rebuilt from the event's fields.
    #[default]
    Auto,
    /// In every event: about twice the bytes in Kafka.
    Always,
    /// In none: what was not understood is then only in `message`.
    Never,
}

/// What happens to the domain part of a hostname, whatever its source.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum DomainPolicy {
    /// `r1.branch.example.net` stays as it is.
    #[default]
    Keep,
    /// `r1.branch.example.net` becomes `r1`. Two devices that differ only in the domain then share a key.
    Strip,
}

/// Buffers of one pipeline, reused for every packet so that normalising does not allocate.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The names of its device.
    pub device: device::Buffers,
    /// Text that was put together: a trap's one-line message.
    pub message: Vec<u8>,
    /// An event code without the escapes of its dialect.
    pub code: Vec<u8>,
    /// The bytes as received, with secrets overwritten.
    pub raw: Vec<u8>,
    /// Names and OIDs as text.
    pub text: String,
    /// What a trap's event borrows.
    pub trap: trap::Buffers,
}
