//! Variable bindings as events show them, written one by one while the JSON is written.
//!
//! ```text
//!   masked packet ──known──▶ name, index and its parts, type, value, number, label ──▶ event::Varbind ──▶ JSON
//! ```
//!
//! The list reads the masked copy of the packet, so that no community reaches an event by any way.

use std::cell::RefCell;
use std::fmt::Write;
use std::ops::Range;

use super::known::{self, Known};
use super::mib;
use super::octets::{self, Encoding, hex, is_text};
use crate::decode::snmp::{Oid, Value, Varbind, Varbinds, mask};
use crate::event;
use crate::event::{IndexPart, IndexParts, Text};
use crate::mib::index::Parts;
use crate::mib::{Set, hint};

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
    /// What names are looked up in.
    pub mibs: Set,
    text: RefCell<Buffer>,
}

#[derive(Debug, Default)]
struct Buffer {
    oid: String,
    name: String,
    index: Parts,
    text: Rendering,
}

/// What one value is shown as, where it is not text already. Reused for every varbind.
#[derive(Debug, Default)]
pub(super) struct Rendering {
    /// The value.
    pub value: String,
    /// The name of the value, or of the bits that are set; empty where there is none.
    pub label: String,
    /// A number by its hint; empty where there is none.
    pub display: String,
}

impl Rendering {
    fn clear(&mut self) {
        self.value.clear();
        self.label.clear();
        self.display.clear();
    }
}

impl event::Indexed for Parts {
    fn part(&self, place: usize) -> Option<IndexPart<'_>> {
        let part = self.list.get(place)?;
        Some(IndexPart {
            name: self.get(&part.name),
            value: self.get(&part.value),
            label: part.label.as_ref().map(|label| self.get(label)),
        })
    }
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
            if !one(varbind.name, &varbind.value, &self.mibs, &mut buffer, write) {
                return;
            }
        }
        for (name, value) in self.appended().into_iter().flatten() {
            if !one(Oid(name), &value, &self.mibs, &mut buffer, write) {
                return;
            }
        }
    }
}

fn one(
    name: Oid<'_>,
    value: &Value<'_>,
    mibs: &Set,
    buffer: &mut Buffer,
    write: &mut dyn FnMut(&event::Varbind<'_>) -> bool,
) -> bool {
    let known = known::lookup(mibs, name.0);
    buffer.oid.clear();
    buffer.name.clear();
    buffer.index.clear();
    let mut index_at = None;
    if let Some(known) = &known {
        index_at = write_name(name, known.octets(), &mut buffer.oid);
        known.write_name(&mut buffer.name);
        known.split_index(name, &mut buffer.index);
    } else {
        name.write(&mut buffer.oid);
    }
    let shown = show(name, value, known.as_ref(), &mut buffer.text);
    let Buffer {
        oid,
        name,
        index,
        text,
    } = buffer;
    write(&event::Varbind {
        oid,
        name: known.map(|_| name.as_str()),
        index: index_at.and_then(|at| oid.get(at..)),
        index_parts: (!index.list.is_empty()).then_some(IndexParts(index)),
        r#type: shown.r#type,
        value: shown.octets.unwrap_or(Text(text.value.as_bytes())),
        encoding: shown.encoding.map(Encoding::as_str),
        number: shown.number,
        label: Some(text.label.as_str()).filter(|label| !label.is_empty()),
        display: Some(text.display.as_str()).filter(|display| !display.is_empty()),
        units: known.as_ref().and_then(Known::units),
    })
}

/// Appends the dotted name, whose first `octets` are known, and says where its index starts.
fn write_name(name: Oid<'_>, octets: usize, out: &mut String) -> Option<usize> {
    Oid(name.0.get(..octets)?).write(out);
    let known = out.len();
    let mut number = itoa::Buffer::new();
    for arc in name.arcs_after(octets) {
        out.push('.');
        out.push_str(number.format(arc));
    }
    (out.len() > known).then_some(known + 1)
}

/// A value as an event shows it, beside what was written to a [`Rendering`].
pub(super) struct Shown<'v> {
    pub r#type: &'static str,
    /// Octets that are text already; where `None`, the text is in the rendering.
    pub octets: Option<Text<'v>>,
    pub encoding: Option<Encoding>,
    pub number: Option<f64>,
}

/// Shows one value, writing to `out` what is not text already.
///
/// Octets are shown as the MIB says, else as they are where they are printable UTF-8, else in lower-case hex without
/// separators.
pub(super) fn show<'v>(
    name: Oid<'_>,
    value: &Value<'v>,
    known: Option<&Known<'_>>,
    out: &mut Rendering,
) -> Shown<'v> {
    out.clear();
    let mut shown = Shown {
        r#type: type_name(value),
        octets: None,
        encoding: None,
        number: None,
    };
    if mask::is_trap_community(name) {
        out.value.push_str(MASK);
        return shown;
    }
    match *value {
        Value::Integer(number) | Value::OpaqueInteger64(number) => {
            out.value.push_str(itoa::Buffer::new().format(number));
            shown.number = (number.unsigned_abs() <= EXACT_MAX).then_some(number as f64);
            describe(number, known, out);
        }
        Value::Counter32(number)
        | Value::Gauge32(number)
        | Value::TimeTicks(number)
        | Value::Counter64(number)
        | Value::UInteger32(number)
        | Value::OpaqueCounter64(number)
        | Value::OpaqueUnsigned64(number) => {
            out.value.push_str(itoa::Buffer::new().format(number));
            shown.number = (number <= EXACT_MAX).then_some(number as f64);
            if let Ok(number) = i64::try_from(number) {
                describe(number, known, out);
            }
        }
        Value::OpaqueFloat(number) => {
            let _ = write!(out.value, "{number}");
            shown.number = number.is_finite().then_some(f64::from(number));
        }
        Value::OpaqueDouble(number) => {
            let _ = write!(out.value, "{number}");
            shown.number = number.is_finite().then_some(number);
        }
        Value::ObjectIdentifier(oid) => oid.write(&mut out.value),
        Value::IpAddress(octets) => {
            for (place, octet) in octets.into_iter().enumerate() {
                if place > 0 {
                    out.value.push('.');
                }
                out.value.push_str(itoa::Buffer::new().format(octet));
            }
        }
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {}
        Value::OctetString(octets) => {
            let encoding = write_octets(octets, known, out);
            shown.octets = (encoding == Encoding::Text).then_some(Text(octets));
            shown.encoding = Some(encoding);
        }
        Value::Opaque(octets)
        | Value::NsapAddress(octets)
        | Value::Unknown(octets)
        | Value::Unreadable(octets) => {
            hex(octets, &mut out.value);
            shown.encoding = Some(Encoding::Hex);
        }
    }
    shown
}

/// The name of a number, or how its hint shows it.
fn describe(number: i64, known: Option<&Known<'_>>, out: &mut Rendering) {
    let Some(known) = known else { return };
    if let Some(label) = known.entry().and_then(|entry| entry.label(number)) {
        return out.label.push_str(label);
    }
    let Some(syntax) = known.syntax() else { return };
    match (syntax.label(number), syntax.hint()) {
        (Some(label), _) => out.label.push_str(label),
        (None, Some(hint)) => {
            hint::integer(hint, number, &mut out.display);
        }
        (None, None) => {}
    }
}

fn write_octets(octets: &[u8], known: Option<&Known<'_>>, out: &mut Rendering) -> Encoding {
    if let Some(syntax) = known.and_then(Known::syntax) {
        return octets::write(octets, &syntax, &mut out.value, &mut out.label);
    }
    let entry = known.and_then(Known::entry);
    if is_text(octets) && entry.is_none_or(|entry| entry.octets == mib::Octets::AsTheyAre) {
        return Encoding::Text;
    }
    hex(octets, &mut out.value);
    Encoding::Hex
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
