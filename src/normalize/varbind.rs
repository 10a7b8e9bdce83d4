//! Variable bindings as events show them, written one by one while the JSON is written.
//!
//! ```text
//!   masked packet ──▶ VarbindText (name, index, type, value, number, label) ──▶ event::Varbind ──▶ JSON
//! ```
//!
//! The list reads the masked copy of the packet, so that no community reaches an event by any way.

use std::cell::RefCell;
use std::fmt::Write;
use std::ops::Range;

use super::mib;
use crate::decode::snmp::{Oid, Value, Varbind, Varbinds, mask};
use crate::event;
use crate::event::Text;

/// `snmpTrapAddress.0` and `snmpTrapEnterprise.0`, which stand for what only a v1 trap has.
const TRAP_ADDRESS: &[u8] = &[0x2b, 6, 1, 6, 3, 18, 1, 3, 0];
const TRAP_ENTERPRISE: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 3, 0];

/// `sysUpTime.0` and `snmpTrapOID.0`, which events show as fields of their own.
const SYS_UP_TIME: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 3, 0];
const SNMP_TRAP_OID: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// Above this a double does not hold every whole number.
const EXACT_MAX: u64 = 1 << 53;

/// What stands for a community.
const MASK: &str = "***";

/// A packet without its secrets, and where its variable bindings stand in it.
#[derive(Debug, Default)]
pub(super) struct List {
    pub packet: Vec<u8>,
    pub varbinds: Range<usize>,
    /// v1 only: agent-addr, unless it is zero or unreadable.
    pub agent_addr: Option<[u8; 4]>,
    /// v1 only: where the enterprise's octets stand.
    pub enterprise: Option<Range<usize>>,
    /// Whether the first `sysUpTime.0` and `snmpTrapOID.0` are fields of the event, and so not in the list.
    pub named_fields: bool,
    text: RefCell<Buffer>,
}

#[derive(Debug, Default)]
struct Buffer {
    oid: String,
    value: String,
}

impl List {
    /// The sender's variable bindings, without the two that are fields of the event.
    pub fn sent(&self) -> impl Iterator<Item = Varbind<'_>> {
        let bytes = self.packet.get(self.varbinds.clone()).unwrap_or_default();
        let mut uptime = self.named_fields;
        let mut trap_oid = self.named_fields;
        Varbinds::new(bytes, self.varbinds.start)
            .into_iter()
            .filter(move |varbind| {
                let field = match varbind.value {
                    Value::TimeTicks(_) if varbind.name.0 == SYS_UP_TIME => &mut uptime,
                    Value::ObjectIdentifier(_) if varbind.name.0 == SNMP_TRAP_OID => &mut trap_oid,
                    _ => return true,
                };
                !std::mem::take(field)
            })
    }

    /// Octets of the masked packet.
    pub fn octets(&self, range: &Range<usize>) -> &[u8] {
        self.packet.get(range.clone()).unwrap_or_default()
    }

    /// What RFC 3584, section 3.1 (4) appends to a v1 trap, where the sender did not: never the community.
    fn appended(&self) -> [Option<(&'static [u8], Value<'_>)>; 2] {
        let lacks = |name: &[u8]| self.sent().all(|varbind| varbind.name.0 != name);
        let address = self.agent_addr.map(Value::IpAddress);
        let enterprise = self
            .enterprise
            .as_ref()
            .map(|range| Value::ObjectIdentifier(Oid(self.octets(range))));
        if address.is_none() && enterprise.is_none() {
            return [None, None];
        }
        [(TRAP_ADDRESS, address), (TRAP_ENTERPRISE, enterprise)]
            .map(|(name, value)| value.filter(|_| lacks(name)).map(|value| (name, value)))
    }
}

impl event::Varbinds for List {
    fn for_each(&self, write: &mut dyn FnMut(&event::Varbind<'_>) -> bool) {
        let Ok(mut buffer) = self.text.try_borrow_mut() else {
            return;
        };
        for varbind in self.sent() {
            if !one(varbind.name, &varbind.value, &mut buffer, write) {
                return;
            }
        }
        for (name, value) in self.appended().into_iter().flatten() {
            if !one(Oid(name), &value, &mut buffer, write) {
                return;
            }
        }
    }
}

fn one(
    name: Oid<'_>,
    value: &Value<'_>,
    buffer: &mut Buffer,
    write: &mut dyn FnMut(&event::Varbind<'_>) -> bool,
) -> bool {
    let Buffer { oid, value: text } = buffer;
    oid.clear();
    let entry = mib::lookup(name.0);
    let index_at = write_name(name, entry, oid);
    text.clear();
    let shown = show(name, value, entry, text);
    write(&event::Varbind {
        oid,
        name: entry.map(|entry| entry.name),
        index: index_at.and_then(|at| oid.get(at..)),
        r#type: shown.r#type,
        value: shown.octets.unwrap_or(Text(text.as_bytes())),
        encoding: shown.encoding,
        number: shown.number,
        label: shown.label,
    })
}

/// Appends the dotted name and says where its index starts.
fn write_name(name: Oid<'_>, entry: Option<&mib::Entry>, out: &mut String) -> Option<usize> {
    let Some(entry) = entry else {
        name.write(out);
        return None;
    };
    out.push_str(entry.oid);
    let known = out.len();
    let mut number = itoa::Buffer::new();
    for arc in name.arcs_after(entry.ber().len()) {
        out.push('.');
        out.push_str(number.format(arc));
    }
    (out.len() > known).then_some(known + 1)
}

/// A value as an event shows it.
pub(super) struct Shown<'v> {
    pub r#type: &'static str,
    /// Octets that are text already; where `None`, the text was written to the buffer.
    pub octets: Option<Text<'v>>,
    pub encoding: Option<&'static str>,
    pub number: Option<f64>,
    pub label: Option<&'static str>,
}

/// Shows one value, writing to `out` what is not text already.
///
/// Octets are shown as they are where they are printable UTF-8, else in lower-case hex without separators.
pub(super) fn show<'v>(
    name: Oid<'_>,
    value: &Value<'v>,
    entry: Option<&'static mib::Entry>,
    out: &mut String,
) -> Shown<'v> {
    let mut shown = Shown {
        r#type: type_name(value),
        octets: None,
        encoding: None,
        number: None,
        label: None,
    };
    if mask::is_trap_community(name) {
        out.push_str(MASK);
        return shown;
    }
    match *value {
        Value::Integer(number) | Value::OpaqueInteger64(number) => {
            out.push_str(itoa::Buffer::new().format(number));
            shown.number = (number.unsigned_abs() <= EXACT_MAX).then_some(number as f64);
            shown.label = entry.and_then(|entry| entry.label(number));
        }
        Value::Counter32(number)
        | Value::Gauge32(number)
        | Value::TimeTicks(number)
        | Value::Counter64(number)
        | Value::UInteger32(number)
        | Value::OpaqueCounter64(number)
        | Value::OpaqueUnsigned64(number) => {
            out.push_str(itoa::Buffer::new().format(number));
            shown.number = (number <= EXACT_MAX).then_some(number as f64);
        }
        Value::OpaqueFloat(number) => {
            let _ = write!(out, "{number}");
            shown.number = number.is_finite().then_some(f64::from(number));
        }
        Value::OpaqueDouble(number) => {
            let _ = write!(out, "{number}");
            shown.number = number.is_finite().then_some(number);
        }
        Value::ObjectIdentifier(oid) => oid.write(out),
        Value::IpAddress(octets) => {
            for (place, octet) in octets.into_iter().enumerate() {
                if place > 0 {
                    out.push('.');
                }
                out.push_str(itoa::Buffer::new().format(octet));
            }
        }
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {}
        Value::OctetString(octets)
            if is_text(octets) && entry.is_none_or(|e| e.octets == mib::Octets::AsTheyAre) =>
        {
            shown.octets = Some(Text(octets));
            shown.encoding = Some("text");
        }
        Value::OctetString(octets)
        | Value::Opaque(octets)
        | Value::NsapAddress(octets)
        | Value::Unknown(octets)
        | Value::Unreadable(octets) => {
            hex(octets, out);
            shown.encoding = Some("hex");
        }
    }
    shown
}

fn type_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Integer(_) => "INTEGER",
        Value::OctetString(_) => "OCTET STRING",
        Value::ObjectIdentifier(_) => "OBJECT IDENTIFIER",
        Value::Null => "NULL",
        Value::IpAddress(_) => "IpAddress",
        Value::Counter32(_) => "Counter32",
        Value::Gauge32(_) => "Gauge32",
        Value::TimeTicks(_) => "TimeTicks",
        Value::Opaque(_) => "Opaque",
        Value::OpaqueFloat(_) => "Opaque Float",
        Value::OpaqueDouble(_) => "Opaque Double",
        Value::OpaqueCounter64(_) => "Opaque Counter64",
        Value::OpaqueInteger64(_) => "Opaque Integer64",
        Value::OpaqueUnsigned64(_) => "Opaque Unsigned64",
        Value::NsapAddress(_) => "NsapAddress",
        Value::Counter64(_) => "Counter64",
        Value::UInteger32(_) => "UInteger32",
        Value::NoSuchObject => "noSuchObject",
        Value::NoSuchInstance => "noSuchInstance",
        Value::EndOfMibView => "endOfMibView",
        Value::Unknown(_) => "unknown",
        Value::Unreadable(_) => "unreadable",
    }
}

/// Whether octets are printable UTF-8; line ends and tabs are, other control characters are not.
fn is_text(octets: &[u8]) -> bool {
    let printable = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let is_plain = octets.iter().all(|octet| (0x20..0x7f).contains(octet));
    is_plain || std::str::from_utf8(octets).is_ok_and(|text| text.chars().all(printable))
}

/// Appends lower-case hex without separators.
pub(super) fn hex(octets: &[u8], out: &mut String) {
    for &octet in octets {
        for digit in [octet >> 4, octet & 0xf] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
}
