//! The SNMPv3 message (RFC 3412, section 6; RFC 3414, section 2.4): its header, the parameters of the User-based
//! Security Model, and where the scoped PDU stands. Nothing is checked or decrypted here.
//!
//! ```text
//!   SEQUENCE ─ version 3
//!            ─ SEQUENCE { msgID, msgMaxSize, msgFlags, msgSecurityModel }                       header
//!            ─ OCTET STRING ─ SEQUENCE { engine ID, boots, time, user, digest, salt }           USM
//!            ─ SEQUENCE { contextEngineID, contextName, PDU }  or  OCTET STRING (encrypted)     scoped PDU
//! ```
//!
//! [`read`] takes the message apart, [`scoped`] a scoped PDU that is in the clear, by nature or after decryption.

use std::ops::Range;

use super::ber::{self, Cursor, Fault, Tlv};
use super::message::{Envelope, Version};
use super::pdu::{self, Notification, PduKind};
use super::{Anomalies, UnreadMessage};

/// Octets of the longest engine ID (RFC 3411, SnmpEngineID).
pub const ENGINE_ID_BYTES_MAX: usize = 32;

/// Octets of the longest user name (RFC 3414, msgUserName).
const USER_BYTES_MAX: usize = 32;

/// How a message is protected (RFC 3411, SnmpSecurityLevel).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub enum SecurityLevel {
    /// Anybody can have written and read it.
    #[default]
    #[serde(rename = "noAuthNoPriv")]
    NoAuthNoPriv,
    /// Only somebody with the key can have written it.
    #[serde(rename = "authNoPriv")]
    AuthNoPriv,
    /// Only somebody with the keys can have written or read it.
    #[serde(rename = "authPriv")]
    AuthPriv,
}

impl SecurityLevel {
    /// The RFC's name.
    pub fn as_str(self) -> &'static str {
        match self {
            SecurityLevel::NoAuthNoPriv => "noAuthNoPriv",
            SecurityLevel::AuthNoPriv => "authNoPriv",
            SecurityLevel::AuthPriv => "authPriv",
        }
    }
}

/// Who sent a notification, as far as its security level proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Security<'a> {
    /// msgAuthoritativeEngineID.
    pub engine_id: &'a [u8],
    /// msgUserName.
    pub user: &'a [u8],
    /// What protected the message.
    pub level: SecurityLevel,
    /// contextEngineID: the engine that the notification is about.
    pub context_engine_id: &'a [u8],
    /// contextName: the part of it; empty is the default.
    pub context_name: &'a [u8],
}

/// A message, borrowing the packet. Positions are offsets into the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// msgID: a Response or Report carries it again.
    pub id: i32,
    /// msgMaxSize: the largest answer that the sender takes.
    pub size_max: i32,
    /// What protects it.
    pub level: SecurityLevel,
    /// Whether a Report may be sent about it.
    pub is_reportable: bool,
    /// msgAuthoritativeEngineID; empty where the sender asks for ours.
    pub engine_id: &'a [u8],
    /// msgAuthoritativeEngineBoots.
    pub boots: u32,
    /// msgAuthoritativeEngineTime.
    pub time: u32,
    /// msgUserName.
    pub user: &'a [u8],
    /// msgAuthenticationParameters: the digest.
    pub digest: &'a [u8],
    /// Where the digest stands.
    pub digest_at: usize,
    /// msgPrivacyParameters: the salt.
    pub salt: &'a [u8],
    /// The scoped PDU.
    pub data: Data<'a>,
    /// The message without what stands behind it: what the digest is about.
    pub whole: &'a [u8],
    /// What is odd so far.
    pub anomalies: Anomalies,
}

/// msgData.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data<'a> {
    /// A scoped PDU, its SEQUENCE included.
    Plain(&'a [u8]),
    /// Octets that decrypt to one.
    Encrypted(&'a [u8]),
}

/// A scoped PDU. Positions are offsets into the octets that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopedPdu<'a> {
    /// contextEngineID: whose notification it is, where a proxy sent it.
    pub context_engine_id: &'a [u8],
    /// contextName.
    pub context_name: &'a [u8],
    /// The PDU's element.
    pub pdu: Tlv<'a>,
    /// Behind the PDU.
    after: Cursor<'a>,
    end: usize,
    anomalies: Anomalies,
}

/// Reads a packet that says to be version 3.
///
/// # Errors
/// Where it stopped to be an SNMPv3 message of the User-based Security Model. A message must be whole: its digest is
/// about all of it.
pub fn read(packet: &[u8]) -> Result<Message<'_>, UnreadMessage> {
    parse(packet).map_err(|fault| UnreadMessage {
        fault,
        version: Some(Version::V3),
        advice: None,
    })
}

/// Whether the packet says to be version 3, however it goes on.
pub fn is_v3(packet: &[u8]) -> bool {
    let mut outside = Cursor::new(packet, 0);
    let version = outside
        .clipped_tlv()
        .and_then(|message| message.open().expect(ber::INTEGER, ""));
    version.is_ok_and(|version| matches!(ber::signed(version.content), Some((3, _))))
}

fn parse(packet: &[u8]) -> Result<Message<'_>, Fault> {
    let mut outside = Cursor::new(packet, 0);
    let message = outside.expect(ber::SEQUENCE, "no SEQUENCE at the start")?;
    let mut anomalies = Anomalies::NONE;
    if !outside.is_empty() {
        anomalies.add(Anomalies::TRAILING_BYTES);
    }
    let whole = packet.get(..outside.at()).unwrap_or(packet);
    let mut inside = message.open();
    inside.expect(ber::INTEGER, "no version (INTEGER)")?;

    let mut header = inside
        .expect(ber::SEQUENCE, "no msgGlobalData (SEQUENCE)")?
        .open();
    let id = number(&mut header, "msgID is no number of 31 bits")?;
    let size_max = number(&mut header, "msgMaxSize is no number of 31 bits")?;
    let flags_at = header.at();
    let flags = header.expect(ber::OCTET_STRING, "no msgFlags (OCTET STRING)")?;
    let flags = flags.content.first().copied().unwrap_or_default();
    let level = match flags & 3 {
        0 => SecurityLevel::NoAuthNoPriv,
        1 => SecurityLevel::AuthNoPriv,
        3 => SecurityLevel::AuthPriv,
        _ => {
            return Err(Fault {
                reason: "msgFlags ask for privacy without authentication",
                at: flags_at,
            });
        }
    };
    let model_at = header.at();
    if number(&mut header, "msgSecurityModel is no number of 31 bits")? != 3 {
        return Err(Fault {
            reason: "the security model is not the User-based one (3)",
            at: model_at,
        });
    }

    let parameters = inside.expect(ber::OCTET_STRING, "no msgSecurityParameters")?;
    let mut usm = parameters
        .open()
        .expect(ber::SEQUENCE, "no UsmSecurityParameters (SEQUENCE)")?
        .open();
    let engine_id = octets(
        &mut usm,
        ENGINE_ID_BYTES_MAX,
        "no engine ID of 0 to 32 octets",
    )?;
    let boots = number(
        &mut usm,
        "msgAuthoritativeEngineBoots is no number of 31 bits",
    )?;
    let time = number(
        &mut usm,
        "msgAuthoritativeEngineTime is no number of 31 bits",
    )?;
    let user = octets(&mut usm, USER_BYTES_MAX, "no msgUserName of 0 to 32 octets")?;
    let digest = octets(&mut usm, usize::MAX, "no msgAuthenticationParameters")?;
    let salt = octets(&mut usm, usize::MAX, "no msgPrivacyParameters")?;

    let data = inside.tlv()?;
    let data = match (data.tag, level) {
        (ber::OCTET_STRING, SecurityLevel::AuthPriv) => Data::Encrypted(data.content),
        (ber::SEQUENCE, SecurityLevel::NoAuthNoPriv | SecurityLevel::AuthNoPriv) => {
            let element = data.at..data.content_at + data.content.len();
            Data::Plain(packet.get(element).unwrap_or_default())
        }
        _ => {
            return Err(Fault {
                reason: "the scoped PDU is not as encrypted as msgFlags say",
                at: data.at,
            });
        }
    };
    Ok(Message {
        id,
        size_max,
        level,
        is_reportable: flags & 4 != 0,
        engine_id: engine_id.content,
        boots: boots.unsigned_abs(),
        time: time.unsigned_abs(),
        user: user.content,
        digest: digest.content,
        digest_at: digest.content_at,
        salt: salt.content,
        data,
        whole,
        anomalies,
    })
}

impl<'a> Message<'a> {
    /// Where the digest stands in [`Message::whole`].
    pub fn digest_range(&self) -> Range<usize> {
        self.digest_at..self.digest_at + self.digest.len()
    }

    /// What stands before the digest, and behind it.
    pub fn around_digest(&self) -> (&'a [u8], &'a [u8]) {
        let Range { start, end } = self.digest_range();
        let before = self.whole.get(..start).unwrap_or_default();
        (before, self.whole.get(end..).unwrap_or_default())
    }
}

/// Reads a scoped PDU that is in the clear. Octets behind it are what a cipher's blocks were filled with.
///
/// # Errors
/// It is none: most often it was decrypted with another key.
pub fn scoped(octets: &[u8]) -> Result<ScopedPdu<'_>, Fault> {
    let mut outside = Cursor::new(octets, 0);
    let sequence = outside.expect(ber::SEQUENCE, "no scoped PDU (SEQUENCE)")?;
    let mut inside = sequence.open();
    let engine = self::octets(&mut inside, usize::MAX, "no contextEngineID")?;
    let name = self::octets(&mut inside, usize::MAX, "no contextName")?;
    let pdu = inside.clipped_tlv()?;
    if !(0xa0..=0xa8).contains(&pdu.tag) {
        return Err(Fault {
            reason: "no PDU follows contextName",
            at: pdu.at,
        });
    }
    Ok(ScopedPdu {
        context_engine_id: engine.content,
        context_name: name.content,
        pdu,
        after: inside,
        end: outside.at(),
        anomalies: Anomalies::NONE,
    })
}

impl<'a> ScopedPdu<'a> {
    /// Its notification, or the name of what else it is.
    ///
    /// # Errors
    /// It is a request, a Response or a Report.
    pub fn notification(&self, message: &Message<'a>) -> Result<Notification<'a>, &'static str> {
        let Some(kind) = PduKind::from_tag(self.pdu.tag) else {
            return Err(pdu::other_name(self.pdu.tag).unwrap_or("PDU of no kind"));
        };
        let envelope = Envelope {
            version: Version::V3,
            community: (0, 0),
            body: self.after,
            end: self.end,
            cut: false,
            anomalies: self.anomalies.and(message.anomalies),
        };
        let mut notification = pdu::notification(&envelope, &self.after, kind, &self.pdu);
        notification.security = Some(Security {
            engine_id: message.engine_id,
            user: message.user,
            level: message.level,
            context_engine_id: self.context_engine_id,
            context_name: self.context_name,
        });
        Ok(notification)
    }

    /// The PDU's request-id, where it has one.
    pub fn request_id(&self) -> Option<i32> {
        if self.pdu.tag == 0xa4 {
            return None;
        }
        number(&mut self.pdu.open(), "").ok()
    }
}

fn octets<'a>(
    cursor: &mut Cursor<'a>,
    bytes_max: usize,
    missing: &'static str,
) -> Result<Tlv<'a>, Fault> {
    let tlv = cursor.expect(ber::OCTET_STRING, missing)?;
    if tlv.content.len() > bytes_max {
        return Err(Fault {
            reason: missing,
            at: tlv.at,
        });
    }
    Ok(tlv)
}

fn number(cursor: &mut Cursor<'_>, missing: &'static str) -> Result<i32, Fault> {
    let tlv = cursor.expect(ber::INTEGER, missing)?;
    let number = ber::signed(tlv.content).and_then(|(number, _)| i32::try_from(number).ok());
    number.filter(|number| *number >= 0).ok_or(Fault {
        reason: missing,
        at: tlv.at,
    })
}
