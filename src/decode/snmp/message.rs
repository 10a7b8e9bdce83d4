//! The envelope: version and community (RFC 1157, section 4; RFC 1901, section 3; RFC 3412, section 6).
//!
//! ```text
//!   v1, v2c   SEQUENCE { version INTEGER (0, 1), community OCTET STRING, PDU }
//!   v3        SEQUENCE { version INTEGER (3), msgGlobalData SEQUENCE, ... }
//! ```
//!
//! The community is found, and never handed on: a [`Notification`] only says where it stands, so that
//! [`super::mask`] can overwrite it.

use std::ops::Range;

use super::Anomalies;
use super::ber::{self, Cursor, Fault};
use super::pdu::{self, Notification, PduKind, Readable};

/// A message's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// RFC 1157.
    V1,
    /// RFC 1901.
    V2c,
    /// RFC 3412.
    V3,
}

/// Why a packet is no [`Notification`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is another PDU: a manager's request or an agent's answer that went to the wrong port.
    #[error("a {pdu} is neither a trap nor an inform: point the sender's managers elsewhere")]
    NotANotification {
        /// The PDU's name in the RFC.
        pdu: &'static str,
    },
    /// It could not be read up to its PDU.
    #[error(transparent)]
    ParseFailed(#[from] UnreadMessage),
}

/// How far a message could be read that has no readable PDU.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an SNMP notification: {} at byte {}", fault.reason, fault.at)]
pub struct UnreadMessage {
    /// What was expected where.
    pub fault: Fault,
    /// The version, where it was read.
    pub version: Option<Version>,
    /// What to do, where more can be said than the reason says.
    pub advice: Option<&'static str>,
}

/// What the envelope says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Envelope<'a> {
    pub version: Version,
    pub community: (usize, usize),
    /// Starts at the PDU.
    pub body: Cursor<'a>,
    pub end: usize,
    /// Whether the packet ends before the message does.
    pub cut: bool,
    pub anomalies: Anomalies,
}

impl Envelope<'_> {
    pub fn community(&self) -> Range<usize> {
        self.community.0..self.community.1
    }
}

/// Reads one datagram.
///
/// The community counts as found only if a PDU follows it: a damaged length would otherwise end it early or late, and the
/// rest of the secret, or a copy of it elsewhere, would be taken for something that may be shown. A PDU is what begins with
/// the identifier of one and either has all of its fields, or has some and ends where the message does.
pub fn read(packet: &[u8]) -> Result<Notification<'_>, Unread> {
    let envelope = envelope(packet)?;
    let mut body = envelope.body;
    let pdu = body.clipped_tlv().map_err(|fault| UnreadMessage {
        fault,
        version: Some(envelope.version),
        advice: None,
    })?;
    let Some(kind) = PduKind::from_tag(pdu.tag) else {
        return Err(match pdu::other_name(pdu.tag) {
            Some(name) => Unread::NotANotification { pdu: name },
            None => UnreadMessage {
                fault: Fault {
                    reason: "no PDU follows the community",
                    at: pdu.at,
                },
                version: Some(envelope.version),
                advice: None,
            }
            .into(),
        });
    };
    let notification = pdu::notification(&envelope, &body, kind, &pdu);
    let fits = !envelope.cut && !pdu.clipped && body.is_empty();
    let is_pdu = match notification.header.readable() {
        Readable::All => true,
        Readable::Some => fits,
        Readable::None => false,
    };
    if is_pdu {
        return Ok(notification);
    }
    let fault = Fault {
        reason: "what follows the community has the identifier of a PDU and not its fields",
        at: pdu.at,
    };
    Err(Unread::ParseFailed(UnreadMessage {
        fault,
        version: Some(envelope.version),
        advice: None,
    }))
}

fn envelope(packet: &[u8]) -> Result<Envelope<'_>, UnreadMessage> {
    let unread = |fault, version| UnreadMessage {
        fault,
        version,
        advice: None,
    };
    if packet.first().copied().map(u32::from) != Some(ber::SEQUENCE) {
        let fault = Fault {
            reason: "no SEQUENCE at the start",
            at: 0,
        };
        return Err(unread(fault, None));
    }
    let mut outside = Cursor::new(packet, 0);
    let message = outside.clipped_tlv().map_err(|fault| unread(fault, None))?;
    let mut anomalies = Anomalies::NONE;
    if message.clipped {
        anomalies.add(Anomalies::LENGTH_PAST_END);
    }
    if !outside.is_empty() {
        anomalies.add(Anomalies::TRAILING_BYTES);
    }
    let mut inside = message.open();
    let version = version(&mut inside).map_err(|fault| unread(fault, None))?;
    if version == Version::V3 {
        let fault = Fault {
            reason: "SNMPv3 is not configured",
            at: inside.at(),
        };
        return Err(UnreadMessage {
            advice: Some(
                "add a [[snmp.user]] with the name and the secrets that the device is set to",
            ),
            ..unread(fault, Some(version))
        });
    }
    let community = inside
        .expect(ber::OCTET_STRING, "no community (OCTET STRING)")
        .map_err(|fault| unread(fault, Some(version)))?
        .content_range();
    Ok(Envelope {
        version,
        community: (community.start, community.end),
        body: inside,
        end: outside.at(),
        cut: message.clipped,
        anomalies,
    })
}

fn version(inside: &mut Cursor<'_>) -> Result<Version, Fault> {
    let at = inside.at();
    let number = inside.expect(ber::INTEGER, "no version (INTEGER)")?;
    match ber::signed(number.content) {
        Some((0, _)) => Ok(Version::V1),
        Some((1, _)) => Ok(Version::V2c),
        Some((3, _)) => Ok(Version::V3),
        _ => Err(Fault {
            reason: "the version is none of 0 (v1), 1 (v2c) and 3 (v3)",
            at,
        }),
    }
}
