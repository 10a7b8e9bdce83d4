//! Trap-PDU, SNMPv2-Trap-PDU and InformRequest-PDU (RFC 1157, section 4.1.6; RFC 3416, sections 4.2.6 and 4.2.7).
//!
//! ```text
//!   a4  enterprise OID, agent-addr, generic-trap, specific-trap, time-stamp, VarBindList
//!   a7  request-id, error-status, error-index, VarBindList        (SNMPv2-Trap)
//!   a6  the same                                                  (InformRequest; answered with a2)
//! ```

use std::ops::Range;

use super::ber::{self, Cursor, Fault, Tlv};
use super::message::{Envelope, Version};
use super::v3::Security;
use super::{Anomalies, Oid, Value, Varbinds};

/// `sysUpTime.0`.
pub const SYS_UP_TIME: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 3, 0];
/// `snmpTrapOID.0`.
pub const SNMP_TRAP_OID: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// Which notification PDU it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PduKind {
    /// Trap-PDU of SNMPv1.
    TrapV1,
    /// SNMPv2-Trap-PDU.
    TrapV2,
    /// InformRequest-PDU: the sender waits for a Response.
    Inform,
}

impl PduKind {
    pub(super) fn from_tag(tag: u32) -> Option<PduKind> {
        match tag {
            0xa4 => Some(PduKind::TrapV1),
            0xa6 => Some(PduKind::Inform),
            0xa7 => Some(PduKind::TrapV2),
            _ => None,
        }
    }
}

/// The names of the other PDUs.
pub(super) fn other_name(tag: u32) -> Option<&'static str> {
    match tag {
        0xa0 => Some("GetRequest-PDU"),
        0xa1 => Some("GetNextRequest-PDU"),
        0xa2 => Some("Response-PDU"),
        0xa3 => Some("SetRequest-PDU"),
        0xa5 => Some("GetBulkRequest-PDU"),
        0xa8 => Some("Report-PDU"),
        _ => None,
    }
}

/// One notification, borrowing the packet. Every position is an offset into the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification<'a> {
    /// The message's version.
    pub version: Version,
    /// Where the community's octets stand. They are never handed out.
    pub community: Range<usize>,
    /// What follows the message in the datagram starts here.
    pub end: usize,
    /// Which PDU.
    pub kind: PduKind,
    /// Where the PDU's identifier stands.
    pub pdu_at: usize,
    /// The PDU's own fields.
    pub header: Header<'a>,
    /// `sysUpTime.0`, or the time-stamp of v1, in hundredths of a second.
    pub uptime: Option<u32>,
    /// The variable bindings, `sysUpTime.0` and `snmpTrapOID.0` among them.
    pub varbinds: Varbinds<'a>,
    /// What is odd, the variable bindings included.
    pub anomalies: Anomalies,
    /// What could not be read, and so is missing here: the first of it.
    pub fault: Option<Fault>,
    /// Version 3: who sent it, as far as that is proved.
    pub security: Option<Security<'a>>,
}

/// A PDU's own fields; `None` where one could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header<'a> {
    /// Trap-PDU.
    V1(TrapV1<'a>),
    /// SNMPv2-Trap-PDU and InformRequest-PDU.
    V2 {
        /// The sender's number; the Response carries it.
        request_id: Option<i64>,
        /// Where the octets of error-status stand.
        error_status: Option<Range<usize>>,
        /// Where the octets of error-index stand.
        error_index: Option<Range<usize>>,
        /// The first `snmpTrapOID.0`.
        trap_oid: Option<Oid<'a>>,
        /// Where its octets stand.
        trap_oid_at: Range<usize>,
    },
}

/// How many of a header's fields could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readable {
    All,
    Some,
    None,
}

impl Header<'_> {
    /// How much of it there is. The time-stamp of v1 is no part of it.
    pub(super) fn readable(&self) -> Readable {
        let fields: &[bool] = match self {
            Header::V1(trap) => &[
                trap.enterprise.is_some(),
                trap.agent_addr.is_some(),
                trap.generic_trap.is_some(),
                trap.specific_trap.is_some(),
            ],
            Header::V2 {
                request_id,
                error_status,
                error_index,
                ..
            } => &[
                request_id.is_some(),
                error_status.is_some(),
                error_index.is_some(),
            ],
        };
        match fields.iter().filter(|is_there| **is_there).count() {
            0 => Readable::None,
            count if count == fields.len() => Readable::All,
            _ => Readable::Some,
        }
    }
}

/// The fields of a Trap-PDU (RFC 1157, section 4.1.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrapV1<'a> {
    /// The kind of device, or of trap.
    pub enterprise: Option<Oid<'a>>,
    /// Where the enterprise's octets stand.
    pub enterprise_at: Range<usize>,
    /// The device's own address; all zero where it says nothing.
    pub agent_addr: Option<[u8; 4]>,
    /// 0 (coldStart) to 6 (enterpriseSpecific).
    pub generic_trap: Option<i64>,
    /// The number that the enterprise gave to it.
    pub specific_trap: Option<i64>,
}

/// Reads the PDU `tlv`, behind which `after` stands.
pub(super) fn notification<'a>(
    envelope: &Envelope<'a>,
    after: &Cursor<'a>,
    kind: PduKind,
    tlv: &Tlv<'a>,
) -> Notification<'a> {
    let mut fields = Fields {
        cursor: tlv.open(),
        anomalies: envelope.anomalies,
        fault: None,
    };
    if tlv.clipped {
        fields.anomalies.add(Anomalies::LENGTH_PAST_END);
    }
    if !after.is_empty() {
        fields.anomalies.add(Anomalies::EXTRA_IN_PDU);
    }
    if kind == PduKind::TrapV1 && envelope.version == Version::V2c {
        fields.anomalies.add(Anomalies::V1_PDU_IN_V2C);
    }
    if kind == PduKind::TrapV1 && envelope.version == Version::V3 {
        fields.anomalies.add(Anomalies::V1_PDU_IN_V3);
    }
    if kind != PduKind::TrapV1 && envelope.version == Version::V1 {
        fields.anomalies.add(Anomalies::V2_PDU_IN_V1);
    }
    let (header, uptime) = match kind {
        PduKind::TrapV1 => fields.trap_v1(),
        PduKind::TrapV2 | PduKind::Inform => (fields.header_v2(), None),
    };
    let varbinds = fields.varbinds();
    let mut notification = Notification {
        version: envelope.version,
        community: envelope.community(),
        end: envelope.end,
        kind,
        pdu_at: tlv.at,
        header,
        uptime,
        varbinds,
        anomalies: fields.anomalies,
        fault: fields.fault,
        security: None,
    };
    notification.walk();
    if envelope.cut {
        // Whatever else could not be read follows from this.
        notification.fault = Some(Fault {
            reason: "the packet ends before the length it announces",
            at: envelope.end,
        });
    } else if notification.anomalies.any_of(Anomalies::LENGTH_PAST_END) {
        notification.fault.get_or_insert(Fault {
            reason: "the PDU or its list announces more octets than the message has",
            at: tlv.at,
        });
    }
    notification
}

impl<'a> Notification<'a> {
    /// Looks at every variable binding once: for the two that say what and when, and for what is odd.
    fn walk(&mut self) {
        let mut elements = self.varbinds.iter();
        let mut uptimes = 0;
        let mut trap_oids = 0;
        for varbind in elements.by_ref() {
            self.anomalies.add(varbind.anomalies);
            if varbind.anomalies.any_of(Anomalies::BAD_VARBIND) && self.fault.is_none() {
                self.fault = Some(Fault {
                    reason: "a variable binding is not a SEQUENCE of a name and a value",
                    at: varbind.at.start,
                });
            }
            let Header::V2 {
                trap_oid,
                trap_oid_at,
                ..
            } = &mut self.header
            else {
                continue;
            };
            match varbind.value {
                Value::TimeTicks(ticks) if varbind.name.0 == SYS_UP_TIME => {
                    uptimes += 1;
                    if uptimes == 1 {
                        self.uptime = u32::try_from(ticks).ok();
                    }
                }
                Value::ObjectIdentifier(oid) if varbind.name.0 == SNMP_TRAP_OID => {
                    trap_oids += 1;
                    if trap_oids == 1 {
                        *trap_oid = Some(oid);
                        *trap_oid_at = varbind.content_at;
                    }
                }
                _ => {}
            }
        }
        if elements.stopped_early() {
            self.anomalies.add(Anomalies::TOO_MANY_VARBINDS);
            self.fault.get_or_insert(Fault {
                reason: "more than 1024 variable bindings",
                at: elements.at(),
            });
        }
        if self.kind == PduKind::TrapV1 {
            return;
        }
        if uptimes > 1 || trap_oids > 1 {
            self.anomalies.add(Anomalies::REPEATED_TRAP_OID);
        }
        if uptimes == 0 {
            self.anomalies.add(Anomalies::NO_UPTIME);
        }
        if trap_oids == 0 {
            self.anomalies.add(Anomalies::NO_TRAP_OID);
        }
    }
}

/// The header's fields, one after the other. One that is not what it should be is left out.
struct Fields<'a> {
    cursor: Cursor<'a>,
    anomalies: Anomalies,
    fault: Option<Fault>,
}

impl<'a> Fields<'a> {
    /// The next field, whatever its type. Once one cannot be read, none can.
    fn next(&mut self) -> Option<Tlv<'a>> {
        if self.fault.is_some() {
            return None;
        }
        match self.cursor.tlv() {
            Ok(tlv) => Some(tlv),
            Err(fault) => {
                self.fault = Some(fault);
                None
            }
        }
    }

    /// Takes the next field and reads it.
    fn field<T>(&mut self, read: impl FnOnce(&Tlv<'a>) -> Option<(T, Anomalies)>) -> Option<T> {
        let tlv = self.next()?;
        match read(&tlv) {
            Some((value, odd)) => {
                self.anomalies.add(odd);
                Some(value)
            }
            None => {
                self.anomalies.add(Anomalies::BAD_FIELD);
                None
            }
        }
    }

    fn integer(&mut self) -> Option<i64> {
        self.field(|tlv| {
            (tlv.tag == ber::INTEGER)
                .then(|| ber::signed(tlv.content))
                .flatten()
        })
    }

    /// Where the octets of an INTEGER stand, for the Response.
    fn integer_at(&mut self) -> Option<Range<usize>> {
        self.field(|tlv| {
            (tlv.tag == ber::INTEGER && ber::signed(tlv.content).is_some())
                .then(|| (tlv.content_range(), Anomalies::NONE))
        })
    }

    fn header_v2(&mut self) -> Header<'a> {
        Header::V2 {
            request_id: self.integer(),
            error_status: self.integer_at(),
            error_index: self.integer_at(),
            trap_oid: None,
            trap_oid_at: 0..0,
        }
    }

    fn trap_v1(&mut self) -> (Header<'a>, Option<u32>) {
        let enterprise = self.field(|tlv| {
            let oid = Oid(tlv.content);
            let odd = oid.check();
            let good = tlv.tag == ber::OBJECT_IDENTIFIER && !odd.any_of(Anomalies::BAD_OID);
            good.then(|| ((oid, tlv.content_range()), odd))
        });
        let agent_addr = self.field(|tlv| {
            let octets = <[u8; 4]>::try_from(tlv.content).ok()?;
            (tlv.tag == 0x40).then_some((octets, Anomalies::NONE))
        });
        let generic_trap = self.integer();
        let specific_trap = self.integer();
        let uptime = self.field(|tlv| {
            let (ticks, odd) = ber::unsigned(tlv.content, 4)?;
            let ticks = u32::try_from(ticks).ok()?;
            (tlv.tag == 0x43).then_some((ticks, odd))
        });
        let (enterprise, enterprise_at) = enterprise.unzip();
        let header = Header::V1(TrapV1 {
            enterprise,
            enterprise_at: enterprise_at.unwrap_or_default(),
            agent_addr,
            generic_trap,
            specific_trap,
        });
        (header, uptime)
    }

    fn varbinds(&mut self) -> Varbinds<'a> {
        if self.fault.is_some() {
            return Varbinds::EMPTY;
        }
        match self.cursor.clipped_tlv() {
            Ok(list) if list.tag == ber::SEQUENCE => {
                if list.clipped {
                    self.anomalies.add(Anomalies::LENGTH_PAST_END);
                }
                if !self.cursor.is_empty() {
                    self.anomalies.add(Anomalies::EXTRA_IN_PDU);
                }
                Varbinds::new(list.content, list.content_at)
            }
            Ok(other) => {
                self.fault = Some(Fault {
                    reason: "no list of variable bindings (SEQUENCE)",
                    at: other.at,
                });
                Varbinds::EMPTY
            }
            Err(fault) => {
                self.fault = Some(fault);
                Varbinds::EMPTY
            }
        }
    }
}

/// Writes the Response-PDU that acknowledges an inform (RFC 3416, section 4.2.7), and says whether there is one.
///
/// It is the received message with the PDU's identifier changed and error-status and error-index set to 0; octets
/// behind the message are left out. There is none for a trap, nor for an inform that is cut or has no list of variable
/// bindings; one odd variable binding does not keep an inform from being acknowledged.
pub fn response(packet: &[u8], notification: &Notification<'_>, out: &mut Vec<u8>) -> bool {
    const RESPONSE: u8 = 0xa2;
    out.clear();
    let Header::V2 {
        request_id: Some(_),
        error_status: Some(status),
        error_index: Some(index),
        ..
    } = &notification.header
    else {
        return false;
    };
    let cut = notification.anomalies.any_of(Anomalies::LENGTH_PAST_END);
    let no_list = notification.varbinds == Varbinds::EMPTY;
    if notification.kind != PduKind::Inform || cut || no_list {
        return false;
    }
    let Some(message) = packet.get(..notification.end) else {
        return false;
    };
    out.extend_from_slice(message);
    for zero in [status, index] {
        if let Some(octets) = out.get_mut(zero.clone()) {
            octets.fill(0);
        }
    }
    match out.get_mut(notification.pdu_at) {
        Some(tag) => {
            *tag = RESPONSE;
            true
        }
        None => {
            out.clear();
            false
        }
    }
}
