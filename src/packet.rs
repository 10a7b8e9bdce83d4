//! What a receiver hands to the pipeline, and what it gets back.
//!
//! ```text
//!   socket ──▶ Packet { bytes, peer, listener, received } ──▶ Sink::take ──▶ Verdict { outcome, reply }
//! ```
//!
//! A packet is one datagram, or one frame of a stream. Every packet ends in exactly one
//! [`Outcome`]; the owner of the socket counts it in the ledger and sends the reply, if there is one.

use std::net::IpAddr;

use compact_str::CompactString;
use ipnet::IpNet;

use crate::record::{Acceptance, LaneId, Number};
use crate::time::UnixMicros;

/// One datagram or one frame, borrowed from the receiver's buffer.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// The datagram's payload, or the frame without its framing.
    pub bytes: &'a [u8],
    /// Who sent it.
    pub peer: Peer,
    /// The listener that received it.
    pub listener: &'a Listener,
    /// When it arrived: the kernel's stamp for datagrams, the read's clock for streams.
    pub received: UnixMicros,
    /// Whether the receiver already knows that bytes are missing.
    pub wholeness: Wholeness,
}

/// Whether the packet reached us complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wholeness {
    /// All bytes that the sender framed are here.
    #[default]
    Whole,
    /// The frame or datagram was longer than the limit; what follows the limit was discarded.
    /// The event says `truncated: true`.
    Cut,
    /// The stream ended before the announced length. The event says `truncated: true`.
    Half,
}

/// The sender, as far as the socket tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// An address and port; IPv4-mapped IPv6 addresses are already turned into IPv4.
    Inet(IpAddr, u16),
    /// A process on this host (unix socket).
    Local,
}

impl Peer {
    /// The sender's address, where it has one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Peer::Inet(address, _) => Some(*address),
            Peer::Local => None,
        }
    }
}

/// The address without its port; `local` where there is none.
impl std::fmt::Display for Peer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Peer::Inet(address, _) => address.fmt(formatter),
            Peer::Local => formatter.write_str("local"),
        }
    }
}

/// A listener's identity: what events, metrics and logs say about where a packet came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its place in the ledger.
    pub index: usize,
    /// The configured name, for example `syslog-udp`.
    pub name: CompactString,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// How bytes arrive.
    pub transport: Transport,
}

/// What a listener expects to read. (RFC 5424 / RFC 3164 and dialects; RFC 1157 / 3416 notifications.)
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// Syslog in any dialect.
    Syslog,
    /// SNMP traps and informs.
    Snmp,
}

/// How bytes arrive.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// One message a datagram (RFC 5426, RFC 3417).
    Udp,
    /// A framed stream (RFC 6587, RFC 3430).
    Tcp,
    /// A framed stream under TLS (RFC 5425).
    Tls,
    /// One message a datagram of a unix socket: a process on this host.
    UnixDgram,
    /// A framed stream of a unix socket.
    UnixStream,
}

impl Transport {
    /// The name used in events, metrics and configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::UnixDgram => "unix_dgram",
            Transport::UnixStream => "unix_stream",
        }
    }

    /// Whether senders open a connection.
    pub fn is_stream(self) -> bool {
        match self {
            Transport::Udp | Transport::UnixDgram => false,
            Transport::Tcp | Transport::Tls | Transport::UnixStream => true,
        }
    }

    /// Whether it is a unix socket, which has a path instead of an address and port.
    pub fn is_unix(self) -> bool {
        matches!(self, Transport::UnixDgram | Transport::UnixStream)
    }
}

/// Which senders a listener accepts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Allow {
    /// Everybody. What is dropped elsewhere is still counted.
    #[default]
    Anyone,
    /// Only these prefixes; others end as [`Reason::SourceNotAllowed`] before anything is decoded.
    Prefixes(Vec<IpNet>),
}

impl Allow {
    /// Whether `peer` may be heard. Local peers always are.
    pub fn permits(&self, peer: &Peer) -> bool {
        match (self, peer.address()) {
            (Allow::Anyone, _) | (_, None) => true,
            (Allow::Prefixes(prefixes), Some(address)) => {
                prefixes.iter().any(|net| net.contains(&address))
            }
        }
    }
}

/// How a packet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It became exactly one record, and the spool took it.
    Used,
    /// It did not, for this reason.
    Rejected(Reason),
}

macro_rules! reasons {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum $name { $($(#[$doc])* $variant,)+ }
        impl $name {
            /// Every variant, in the order in which counters are kept and printed.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();
            /// The name used in the ledger, in metrics and in events.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }
        }
    };
}
pub(crate) use reasons;

reasons! {
    /// Why a packet did not become a record. Each is a counter of the ledger.
    Reason {
        /// The sender is not in the listener's `allow` list.
        SourceNotAllowed = "source_not_allowed",
        /// A datagram or frame without a single byte.
        Empty = "empty",
        /// The spool was full and its policy is `drop_newest`.
        SpoolFull = "spool_full",
        /// The spool's ring in memory was full because its writer did not keep up.
        SpoolStalled = "spool_stalled",
        /// The event is larger than the spool takes, after cutting.
        TooLarge = "too_large",
        /// The event could not be written as JSON. Its types rule this out; it has a name so that it would be seen.
        NotWritten = "not_written",
        /// SNMP that is neither a trap nor an inform (a stray GetRequest or Response).
        NotANotification = "not_a_notification",
        /// An SNMP community that is not in `snmp.communities`.
        CommunityNotAllowed = "community_not_allowed",
        /// SNMPv3: somebody asked for our engine ID, which is the first step of an inform; it was answered.
        Discovery = "discovery",
        /// SNMPv3: the user has no such security level, or must not be heard at so low a one.
        UnsupportedSecLevel = "unsupportedSecLevel",
        /// SNMPv3: a recording, a delayed message, or an inform whose sender is only learning our time.
        NotInTimeWindow = "notInTimeWindow",
        /// SNMPv3: no user of this name is configured.
        UnknownUserName = "unknownUserName",
        /// SNMPv3: an inform to another engine than ours, or a trap that says to be from ours.
        UnknownEngineId = "unknownEngineID",
        /// SNMPv3: the digest is of another secret, or the message was changed under way.
        WrongDigest = "wrongDigest",
        /// SNMPv3: it could not be decrypted.
        DecryptionError = "decryptionError",
        /// SNMPv3: its source asks for more work than strangers may.
        UsmLimited = "usm_limited",
        /// SNMP on a stream listener that reads syslog: the connection is closed before anything of it is shown.
        SnmpOverStream = "snmp_over_stream",
        /// On a stream of SNMP messages, bytes with which none begins: where the next one would begin cannot be told, so
        /// the connection is closed (RFC 3430, section 2.1).
        FramingLost = "framing_lost",
        /// One part of a message that was put together with others.
        Merged = "merged",
        /// A repeated inform, answered again, or an authenticated trap that came twice: its event exists already.
        Duplicate = "duplicate",
        /// A rule of the operator's took it out.
        Filtered = "filtered",
        /// A rate limit held it back; a summary event says how many.
        HeldBack = "held_back",
        /// A log line of this process that the host's syslog daemon sent back.
        OwnLog = "own_log",
    }
}

/// What the pipeline says about one packet.
#[derive(Debug)]
pub struct Verdict<'s> {
    /// The one end of the packet.
    pub outcome: Outcome,
    /// What to send back to the sender, if anything.
    pub reply: Option<Reply<'s>>,
}

/// Bytes for the sender: an inform's Response, or an SNMPv3 Report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'s> {
    /// The message to send: a datagram, or the next message on the packet's connection.
    pub bytes: &'s [u8],
    /// The record that must be accepted first; until then the socket's owner parks the reply. None where it
    /// waits for nothing: a Report, or the Response to an inform that a rule of the operator's takes out.
    pub after: Option<(LaneId, Number)>,
}

/// The pipeline, as a receiver sees it: synchronous, without I/O, never waiting.
pub trait Sink {
    /// Packets of these senders are next, in this order: what is known of each can be brought near meanwhile.
    fn expect(&mut self, _senders: impl Iterator<Item = IpAddr> + Clone) {}

    /// Takes one packet to its end.
    fn take(&mut self, packet: &Packet<'_>) -> Verdict<'_>;

    /// Nothing has come for some time: called about every second until something does. What was replaced meanwhile is let
    /// go, since its memory is freed only when nobody holds it any more.
    fn rest(&mut self) {}

    /// Whether the spool has accepted this record, so that its reply may go out.
    fn acceptance(&self, record: (LaneId, Number)) -> Acceptance;
}
