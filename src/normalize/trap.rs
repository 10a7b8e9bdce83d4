//! A notification as an event of kind `snmp_trap`.
//!
//! ```text
//!   Notification ─▶ mask::copy ─▶ masked octets ─┬▶ trap OID ─▶ event_code, severity
//!   (v1 or v2)                                   ├▶ varbinds ─▶ message, snmp.varbinds
//!                                                └▶ raw
//!   UnreadMessage ─▶ parse_error, raw_withheld
//! ```
//!
//! v1 traps become what RFC 3584, section 3.1, makes of them: a generic trap is 1.3.6.1.6.3.1.1.5.(generic+1), an
//! enterprise's is enterprise.0.specific; agent-addr and enterprise are appended as variable bindings. The community,
//! which a proxy would append as well, never is.
//!
//! Of version 3 the packet is the scoped PDU in the clear, so positions and `raw` are of that. A message that was not
//! authenticated as its user must be has no [`Notification`] at all.
//!
//! Everything shown is read from the masked copy of the packet. So one place alone decides what is secret.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::device::{self, Claim, Names};
use super::known;
use super::octets;
use super::varbind::List;
use super::{Config, RawPolicy, Scratch, mib};
use crate::decode::snmp::{
    Anomalies, Fault, Header, Notification, Oid, PduKind, SecurityLevel, TrapV1, UnreadMessage,
    Value, Version, mask,
};
use crate::event::{
    Agent, Base64, Device, Event, Id, Kind, ParseError, RawWithheld, Rfc3339, SCHEMA, Severity,
    SnmpPart, SnmpVersion, Text, TimeSource, TrapPdu, VarbindList,
};
use crate::packet::{Packet, Wholeness};

/// Length of `message`, in bytes, from which on no more variable bindings are added to it. All are in `varbinds`.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Characters of one value in `message`.
const VALUE_CHARS_MAX: usize = 200;

/// Octets of the longest UNITS in `message`; `units` in `varbinds` has all of it.
const UNITS_BYTES_MAX: usize = 24;

/// What `message` says of a variable binding that could not be read; its octets are in `varbinds`.
const UNREADABLE: &[u8] = b"(unreadable)";

/// 1.3.6.1.6.3.1.1.5: the generic traps (RFC 3418, section 2).
const SNMP_TRAPS: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 5];

/// 1.3.6.1.4.1: the next sub-identifier is the vendor's number.
const ENTERPRISES: &[u8] = &[0x2b, 6, 1, 4, 1];

/// 1.3.6.1.6.3.18.1.3.0: `snmpTrapAddress.0` (RFC 3584, section 3.1).
const SNMP_TRAP_ADDRESS: &[u8] = &[0x2b, 6, 1, 6, 3, 18, 1, 3, 0];

/// Vendors by IANA's enterprise number, named as syslog events name them.
const VENDORS: &[(u64, &str)] = &[
    (9, "cisco"),
    (318, "apc"),
    (2011, "huawei"),
    (2636, "juniper"),
    (3375, "f5"),
    (6527, "nokia"),
    (8072, "net-snmp"),
    (12356, "fortinet"),
    (14988, "mikrotik"),
    (25461, "paloalto"),
    (30065, "arista"),
];

/// Buffers that a trap's event borrows, reused for every packet.
#[derive(Debug, Default)]
pub struct Buffers {
    list: List,
    trap_oid: Vec<u8>,
    trap_oid_text: String,
    /// The trap's OID without the 0 that a v1 trap has before its last arc.
    without_zero: Vec<u8>,
    /// `MODULE::name` of the trap; empty where it is not known.
    name: String,
    /// Where the name without its module starts.
    short_name_at: usize,
    /// What the MIB says of the trap, in one sentence.
    description: String,
    severity: Option<Severity>,
    anomalies: Vec<&'static str>,
    /// Version 3: the sender's engine ID in hex, and its user.
    engine_id: String,
    user: Vec<u8>,
    /// Version 3: whom the notification is about.
    context_engine_id: String,
    context_name: Vec<u8>,
}

/// Makes the event of a notification, or of a packet that could not be read up to one.
///
/// The id is empty: whoever knows the lane sets it.
pub fn event<'a>(
    decoded: Result<&Notification<'_>, &UnreadMessage>,
    packet: &Packet<'a>,
    config: &'a Config,
    names: &'a (impl Names + ?Sized),
    scratch: &'a mut Scratch,
) -> Event<'a> {
    let Scratch {
        device,
        message,
        trap,
        ..
    } = scratch;
    let address = packet.peer.address();
    let is_trusted = address.is_some_and(|address| names.trusts(address));
    let claim = Claim {
        address,
        subject: decoded.ok().filter(|_| is_trusted).and_then(subject),
        engine_id: decoded.ok().and_then(sender_engine),
        received: packet.received,
        ..Claim::default()
    };
    let identified = device::identify(None, claim, config, names, device);
    let device = identified.device(packet);
    match decoded {
        Ok(notification) => {
            let charset = identified.facts.and_then(|facts| facts.encoding);
            let odd = trap.fill(notification, packet.bytes, config, charset);
            trap.write_message(message);
            read(notification, odd, device, packet, config, message, trap)
        }
        Err(unread) => {
            trap.clear();
            message.clear();
            message.extend_from_slice(b"SNMP packet could not be read: ");
            message.extend_from_slice(unread.fault.reason.as_bytes());
            if let Some(advice) = unread.advice {
                message.extend_from_slice(b": ");
                message.extend_from_slice(advice.as_bytes());
            }
            unreadable(unread, device, packet, config, message, trap)
        }
    }
}

impl Buffers {
    fn clear(&mut self) {
        self.list.clear();
        self.trap_oid.clear();
        self.trap_oid_text.clear();
        self.without_zero.clear();
        self.name.clear();
        self.description.clear();
        self.anomalies.clear();
        self.severity = None;
        self.engine_id.clear();
        self.user.clear();
        self.context_engine_id.clear();
        self.context_name.clear();
    }

    /// Takes over what the event needs, without secrets, and returns every anomaly.
    fn fill(
        &mut self,
        notification: &Notification<'_>,
        packet: &[u8],
        config: &Config,
        charset: Option<&'static encoding_rs::Encoding>,
    ) -> Anomalies {
        self.clear();
        self.list.charset = charset;
        if let Some(security) = &notification.security {
            octets::hex(security.engine_id, &mut self.engine_id);
            self.user.extend_from_slice(security.user);
            octets::hex(security.context_engine_id, &mut self.context_engine_id);
            self.context_name.extend_from_slice(security.context_name);
        }
        if !self.list.mibs.is_same(&config.mibs) {
            self.list.mibs = config.mibs.clone();
        }
        let mut odd = notification.anomalies;
        odd.add(mask::copy(packet, notification, &mut self.list.packet));
        self.list.varbinds = notification.varbinds.range();
        match &notification.header {
            Header::V1(trap) => {
                self.list.agent_addr = trap.agent_addr.filter(|octets| *octets != [0; 4]);
                let enterprise = trap.enterprise.is_some();
                self.list.enterprise = enterprise.then(|| trap.enterprise_at.clone());
                if !self.map_v1(trap) {
                    odd.add(Anomalies::NO_TRAP_OID);
                }
            }
            Header::V2 { trap_oid_at, .. } => {
                self.list.named_fields = true;
                let octets = self.list.octets(trap_oid_at);
                self.trap_oid.extend_from_slice(octets);
            }
        }
        Oid(&self.trap_oid).write(&mut self.trap_oid_text);
        self.find_name(config);
        odd.add(self.list.show());
        self.anomalies.extend(odd.names());
        odd
    }

    /// RFC 3584, section 3.1 (2) and (3); says whether the trap's fields allow it.
    fn map_v1(&mut self, trap: &TrapV1<'_>) -> bool {
        match (trap.generic_trap, trap.specific_trap, &self.list.enterprise) {
            (Some(generic @ 0..=5), ..) => {
                self.trap_oid.extend_from_slice(SNMP_TRAPS);
                // 0 to 5, as the pattern says.
                self.trap_oid.push(generic as u8 + 1);
                true
            }
            (Some(6), Some(specific), Some(enterprise)) => {
                let octets = self.list.packet.get(enterprise.clone());
                self.trap_oid.extend_from_slice(octets.unwrap_or_default());
                self.trap_oid.push(0);
                // A sub-identifier has no sign: the 32 bits as they were sent, as net-snmp takes them.
                push_sub_identifier(specific as u32, &mut self.trap_oid);
                true
            }
            _ => false,
        }
    }

    /// The trap's name, sentence and severity.
    ///
    /// A v1 trap's OID has a 0 before its last arc, and that of a notification whose module never knew v1 traps with
    /// such a 0 has none (RFC 3584, section 3.2 (1)); so the form without is sought as well.
    fn find_name(&mut self, config: &Config) {
        if let Some(enterprise) = &self.list.enterprise
            && let Some(specific) = self.trap_oid.get(enterprise.len() + 1..)
            && self.trap_oid.starts_with(self.list.octets(enterprise))
        {
            let enterprise = self.list.packet.get(enterprise.clone());
            self.without_zero
                .extend_from_slice(enterprise.unwrap_or_default());
            self.without_zero.extend_from_slice(specific);
        }
        let forms = [self.trap_oid.as_slice(), self.without_zero.as_slice()];
        let known = forms
            .into_iter()
            .find_map(|oid| known::exact(&config.mibs, oid, &mut self.list.trails));
        if let Some(known) = known {
            known.write_name(&mut self.name);
            self.description
                .push_str(known.description().unwrap_or_default());
        }
        self.short_name_at = self.name.rfind(':').map_or(0, |colon| colon + 1);
        let built_in = || {
            let entry = forms.into_iter().find_map(mib::exact)?;
            entry.severity
        };
        self.severity = config
            .severities
            .get(&self.name, &self.trap_oid_text)
            .or_else(built_in);
    }

    /// The vendor by the enterprise of a v1 trap, or by that which a proxy made a variable binding (RFC 3584, section 3.1
    /// (4)) or a device sent (RFC 3418, `snmpTrapEnterprise`), else by the trap's OID.
    fn vendor(&self) -> Option<&'static str> {
        let enterprise = self.list.enterprise.as_ref();
        let enterprise = enterprise.or(self.list.sent_enterprise.as_ref());
        [
            enterprise.map(|range| self.list.octets(range)),
            Some(self.trap_oid.as_slice()),
        ]
        .into_iter()
        .flatten()
        .filter(|oid| oid.starts_with(ENTERPRISES))
        .find_map(|oid| {
            let number = Oid(oid).arcs_after(ENTERPRISES.len()).next()?;
            let vendor = VENDORS.iter().find(|(known, _)| *known == number)?;
            Some(vendor.1)
        })
    }

    /// One line for people: `linkDown ifIndex=2 ifAdminStatus=down(2): A link went down`.
    fn write_message(&self, out: &mut Vec<u8>) {
        out.clear();
        match self.name.get(self.short_name_at..) {
            Some(name) if !name.is_empty() => out.extend_from_slice(name.as_bytes()),
            _ if self.trap_oid_text.is_empty() => out.extend_from_slice(b"trap without an OID"),
            _ => out.extend_from_slice(self.trap_oid_text.as_bytes()),
        }
        for line in self.list.lines() {
            if out.len() >= MESSAGE_BYTES_MAX {
                out.extend_from_slice(" …".as_bytes());
                return;
            }
            out.push(b' ');
            let Some(object) = line.object else {
                out.extend_from_slice(UNREADABLE);
                continue;
            };
            out.extend_from_slice(object.as_bytes());
            if !line.rest.is_empty() {
                out.push(b'.');
                out.extend_from_slice(line.rest.as_bytes());
            }
            out.push(b'=');
            let Some(value) = line.value else {
                out.extend_from_slice(UNREADABLE);
                continue;
            };
            if line.label.is_empty() {
                write_value(value, out);
            } else {
                out.extend_from_slice(line.label.as_bytes());
                out.push(b'(');
                out.extend_from_slice(value.as_bytes());
                out.push(b')');
            }
            if (1..=UNITS_BYTES_MAX).contains(&line.units.len()) {
                out.push(b' ');
                out.extend_from_slice(line.units.as_bytes());
            }
        }
        if !self.description.is_empty() {
            out.extend_from_slice(b": ");
            out.extend_from_slice(self.description.as_bytes());
        }
    }
}

/// One value on one line: cut, control characters as spaces, in quotes where it has blanks or is empty.
fn write_value(value: &str, out: &mut Vec<u8>) {
    let is_word = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
    if is_word && value.len() <= VALUE_CHARS_MAX {
        return out.extend_from_slice(value.as_bytes());
    }
    let quoted = value.is_empty() || value.contains(char::is_whitespace);
    if quoted {
        out.push(b'"');
    }
    for (place, c) in value.chars().enumerate() {
        if place == VALUE_CHARS_MAX {
            out.extend_from_slice("…".as_bytes());
            break;
        }
        let c = if c.is_control() { ' ' } else { c };
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    if quoted {
        out.push(b'"');
    }
}

fn push_sub_identifier(value: u32, out: &mut Vec<u8>) {
    for digit in (0..5).rev() {
        if digit == 0 || value >> (7 * digit) != 0 {
            let more = if digit > 0 { 0x80 } else { 0 };
            out.push((value >> (7 * digit)) as u8 & 0x7f | more);
        }
    }
}

/// The sender's engine, where it proved itself. With an inform the engine of the message is ours (RFC 3414, 1.5.1).
fn sender_engine<'n>(notification: &Notification<'n>) -> Option<&'n [u8]> {
    let security = notification.security.as_ref()?;
    let is_proved = security.level != SecurityLevel::NoAuthNoPriv;
    (is_proved && notification.kind != PduKind::Inform).then_some(security.engine_id)
}

/// Whose notification a relay brings: `snmpTrapAddress` (RFC 3584, section 3.1), else the agent-addr of a v1 trap. An
/// address of zeros is none.
fn subject(notification: &Notification<'_>) -> Option<IpAddr> {
    let mut varbinds = notification.varbinds.iter();
    let named = varbinds.find_map(|varbind| match varbind.value {
        Value::IpAddress(octets) if varbind.name.0 == SNMP_TRAP_ADDRESS => Some(octets),
        _ => None,
    });
    let named = named.filter(|octets| *octets != [0; 4]);
    let agent_addr = match &notification.header {
        Header::V1(trap) => trap.agent_addr,
        Header::V2 { .. } => None,
    };
    let octets = named.or(agent_addr)?;
    (octets != [0; 4]).then(|| IpAddr::from(octets))
}

fn read<'a>(
    notification: &Notification<'_>,
    odd: Anomalies,
    mut device: Device<'a>,
    packet: &Packet<'a>,
    config: &'a Config,
    message: &'a [u8],
    buffers: &'a Buffers,
) -> Event<'a> {
    let name = Some(buffers.name.as_str()).filter(|name| !name.is_empty());
    let security = notification.security;
    device.vendor = buffers.vendor().or(device.vendor);
    let trap_oid = Some(buffers.trap_oid_text.as_str()).filter(|text| !text.is_empty());
    let snmp = SnmpPart {
        version: version(notification.version),
        pdu: match notification.kind {
            PduKind::Inform => TrapPdu::Inform,
            PduKind::TrapV1 | PduKind::TrapV2 => TrapPdu::Trap,
        },
        trap_oid,
        uptime_ticks: notification.uptime,
        engine_id: security.map(|_| buffers.engine_id.as_str()),
        user: security.map(|_| Text(&buffers.user)),
        context_engine_id: security.map(|_| buffers.context_engine_id.as_str()),
        context_name: (!buffers.context_name.is_empty()).then_some(Text(&buffers.context_name)),
        security_level: Some(
            security
                .map_or(SecurityLevel::NoAuthNoPriv, |it| it.level)
                .as_str(),
        ),
        anomalies: &buffers.anomalies,
        varbinds: VarbindList(&buffers.list),
    };
    let mut event = base(device, packet, config, message, snmp);
    event.event_code = name.or(trap_oid).map(Text::from);
    event.severity = buffers.severity;
    event.severity_code = event.severity.map(|severity| severity as u8);
    event.parse_error = notification.fault.as_ref().map(parse_error);
    event.truncated |= odd.any_of(Anomalies::LENGTH_PAST_END);
    let keep = match config.raw {
        RawPolicy::Always => true,
        RawPolicy::Never => false,
        RawPolicy::Auto => {
            event.truncated || event.parse_error.is_some() || odd.any_of(Anomalies::LOSSY)
        }
    };
    if keep {
        let raw = buffers.list.packet.as_slice();
        match std::str::from_utf8(raw) {
            Ok(_) => event.raw = Some(Text(raw)),
            Err(_) => event.raw_base64 = Some(Base64(raw)),
        }
    }
    event
}

fn unreadable<'a>(
    unread: &UnreadMessage,
    device: Device<'a>,
    packet: &Packet<'a>,
    config: &'a Config,
    message: &'a [u8],
    buffers: &'a Buffers,
) -> Event<'a> {
    let snmp = SnmpPart {
        version: unread.version.map_or(SnmpVersion::Unknown, version),
        pdu: TrapPdu::Unknown,
        trap_oid: None,
        uptime_ticks: None,
        engine_id: None,
        user: None,
        context_engine_id: None,
        context_name: None,
        security_level: None,
        anomalies: &[],
        varbinds: VarbindList(&buffers.list),
    };
    let mut event = base(device, packet, config, message, snmp);
    event.parse_error = Some(parse_error(&unread.fault));
    if config.raw != RawPolicy::Never {
        event.raw_withheld = Some(withheld(unread, packet.bytes));
    }
    event
}

fn withheld(unread: &UnreadMessage, packet: &[u8]) -> RawWithheld {
    RawWithheld {
        reason: match unread.version {
            Some(Version::V3) => "the message was not authenticated, or not decrypted",
            _ => "a community may be in it at a place that could not be found",
        },
        length_bytes: u32::try_from(packet.len()).unwrap_or(u32::MAX),
        sha256: hex(&Sha256::digest(packet)),
        first_bytes: hex(packet.get(..4).unwrap_or(packet)),
    }
}

fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    octets::hex(octets, &mut text);
    text
}

fn base<'a>(
    device: Device<'a>,
    packet: &Packet<'a>,
    config: &'a Config,
    message: &'a [u8],
    snmp: SnmpPart<'a>,
) -> Event<'a> {
    Event {
        schema: SCHEMA,
        id: Id(""),
        kind: Kind::SnmpTrap,
        time: Rfc3339::micros(packet.received),
        time_source: TimeSource::Received,
        received: Rfc3339::micros(packet.received),
        severity: None,
        severity_code: None,
        device,
        event_code: None,
        message: Text(message),
        repeat_count: None,
        syslog: None,
        snmp: Some(snmp),
        change: None,
        gap: None,
        storm: None,
        report: None,
        agent: Agent {
            id: &config.agent_id,
            version: env!("CARGO_PKG_VERSION"),
            listener: Some(&packet.listener.name),
            transport: Some(packet.listener.transport),
        },
        parse_error: None,
        truncated: packet.wholeness != Wholeness::Whole,
        raw: None,
        raw_base64: None,
        raw_withheld: None,
    }
}

fn parse_error(fault: &Fault) -> ParseError {
    ParseError {
        reason: fault.reason,
        at_byte: u32::try_from(fault.at).unwrap_or(u32::MAX),
    }
}

fn version(version: Version) -> SnmpVersion {
    match version {
        Version::V1 => SnmpVersion::V1,
        Version::V2c => SnmpVersion::V2c,
        Version::V3 => SnmpVersion::V3,
    }
}

#[cfg(test)]
mod tests;
