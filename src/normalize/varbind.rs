//! Variable bindings as events show them: each is looked up and put into words once, for `message` and for the JSON.
//!
//! ```text
//!   masked packet ──known──▶ Sheet: one text ─┬▶ Shown::line ──▶ message
//!                            and its ranges   └▶ event::Varbind, one by one ──▶ JSON
//! ```
//!
//! The list reads the masked copy of the packet, so that no community reaches an event by any way.

use std::fmt::Write;
use std::ops::Range;

use super::address_type::{self, AddressTypes};
use super::known::{self, Known};
use super::mib;
use super::octets::{self, Encoding, hex, is_text};
use crate::decode::snmp::{Anomalies, Oid, Value, Varbind, Varbinds, mask};
use crate::event;
use crate::event::{IndexPart, IndexParts, Text};
use crate::mib::index::{Part, Parts};
use crate::mib::set::Trails;
use crate::mib::{Set, hint};

/// `snmpTrapAddress.0` and `snmpTrapEnterprise.0`, which stand for what only a v1 trap has.
const TRAP_ADDRESS: &[u8] = &[0x2b, 6, 1, 6, 3, 18, 1, 3, 0];
const TRAP_ENTERPRISE: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 3, 0];

/// `sysUpTime.0` and `snmpTrapOID.0`, which events show as fields of their own.
const SYS_UP_TIME: &[u8] = &[0x2b, 6, 1, 2, 1, 1, 3, 0];
const SNMP_TRAP_OID: &[u8] = &[0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0];

/// Above this a double does not hold every whole number.
const EXACT_MAX: u64 = 1 << 53;

/// Variable bindings whose memory is kept for the next packet: few traps have more, and one packet can have 1 024.
const SHOWN_KEPT: usize = 64;

/// Bytes of text that are kept for the next packet: a variable binding takes some hundred.
const TEXT_BYTES_KEPT: usize = 16 * 1024;

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
    /// Where names were found.
    pub trails: Trails,
    /// The device's own character set, where the operator named one.
    pub charset: Option<&'static encoding_rs::Encoding>,
    /// v2c and v3: where the octets of `snmpTrapEnterprise.0` stand.
    pub sent_enterprise: Option<Range<usize>>,
    address_types: AddressTypes,
    /// The sender's variable bindings, then those that stand for what only a v1 trap has.
    shown: Vec<Shown>,
    /// How many of them are the sender's.
    sent: usize,
    sheet: Sheet,
}

/// What all variable bindings of a packet are shown as. One text for all, so that large
/// packets, one after the other, leave no more memory than the largest.
#[derive(Debug, Default)]
struct Sheet {
    text: String,
    index: Parts,
    charset: Option<&'static encoding_rs::Encoding>,
}

/// One variable binding: where in the sheet what is shown of it stands.
#[derive(Debug)]
struct Shown {
    oid: Range<usize>,
    /// What follows the known name, in `oid`; empty where nothing does.
    index: Range<usize>,
    /// `MODULE::name`; empty where nothing is known.
    name: Range<usize>,
    /// The name without its module.
    short_name: Range<usize>,
    /// Whether the name is only a place on the way, so that what follows is no index.
    is_place: bool,
    /// In the sheet's parts.
    index_parts: Range<usize>,
    r#type: &'static str,
    value: Range<usize>,
    /// Octets that are text already: where they stand in the packet. There is no `value` then.
    octets: Option<Range<usize>>,
    encoding: Option<Encoding>,
    number: Option<f64>,
    /// The name of the value, or of the bits that are set; empty where there is none.
    label: Range<usize>,
    /// A number by its hint; empty where there is none.
    display: Range<usize>,
    units: Option<Range<usize>>,
    has_name: bool,
    is_readable: bool,
}

/// A variable binding as `message` shows it.
#[derive(Debug)]
pub(super) struct Line<'l> {
    /// The object, without module and index; `None` where there is no name to be read.
    pub object: Option<&'l str>,
    /// What follows a name that is known only in part.
    pub rest: &'l str,
    /// `None` where it could not be read.
    pub value: Option<&'l str>,
    /// The name of the value; empty where there is none.
    pub label: &'l str,
    /// The units of a number; empty where there are none.
    pub units: &'l str,
}

/// Some of a sheet's parts.
#[derive(Debug)]
struct SomeParts<'s> {
    all: &'s Parts,
    list: &'s [Part],
}

impl event::Indexed for SomeParts<'_> {
    fn part(&self, place: usize) -> Option<IndexPart<'_>> {
        let part = self.list.get(place)?;
        Some(IndexPart {
            name: self.all.get(&part.name),
            value: self.all.get(&part.value),
            label: part.label.as_ref().map(|label| self.all.get(label)),
        })
    }
}

impl List {
    /// Forgets the last packet.
    pub fn clear(&mut self) {
        self.packet.clear();
        self.varbinds = 0..0;
        self.agent_addr = None;
        self.enterprise = None;
        self.sent_enterprise = None;
        self.charset = None;
        self.named_fields = false;
        self.address_types.clear();
        self.shown.clear();
        self.shown.shrink_to(SHOWN_KEPT);
        self.sent = 0;
        self.sheet.clear();
    }

    /// Looks every variable binding up, and puts it into words. Once a packet. Says what was odd about that.
    pub fn show(&mut self) -> Anomalies {
        // Taken out while the packet, which is in the same struct, is read; an empty one needs no memory.
        let mut sheet = std::mem::take(&mut self.sheet);
        let mut shown = std::mem::take(&mut self.shown);
        let mut trails = std::mem::take(&mut self.trails);
        let mut types = std::mem::take(&mut self.address_types);
        let mut sent_enterprise = None;
        let mut odd = Anomalies::NONE;
        sheet.charset = self.charset;
        for varbind in self.sent() {
            let Varbind { name, value, .. } = varbind;
            let known = known::lookup(&self.mibs, name.0, &mut trails);
            let mut family = None;
            if address_type::is_address(known.as_ref(), &value) {
                types.seek(self.sent(), &self.mibs, &mut trails);
                let octets = known.map_or(0, |known| known.octets());
                family = types.of(name, octets, &self.packet);
            }
            if name.0 == TRAP_ENTERPRISE && matches!(value, Value::ObjectIdentifier(_)) {
                sent_enterprise.get_or_insert(varbind.content_at.clone());
            }
            let one = sheet.show(name, &value, varbind.content_at, known.as_ref(), family);
            odd.add(one.odd());
            shown.push(one);
        }
        let sent = shown.len();
        for (name, value) in self.appended().into_iter().flatten() {
            let known = known::lookup(&self.mibs, name, &mut trails);
            shown.push(sheet.show(Oid(name), &value, 0..0, known.as_ref(), None));
        }
        (self.sheet, self.shown, self.trails) = (sheet, shown, trails);
        self.address_types = types;
        self.sent_enterprise = sent_enterprise;
        self.sent = sent;
        odd
    }

    /// The sender's variable bindings, without the two that are fields of the event, for people.
    pub fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.shown.iter().take(self.sent).map(|shown| {
            let get = |range: &Range<usize>| self.sheet.get(range);
            let object = if shown.name.is_empty() {
                &shown.oid
            } else {
                &shown.short_name
            };
            let value = match &shown.octets {
                Some(at) => std::str::from_utf8(self.octets(at)).unwrap_or_default(),
                None if shown.display.is_empty() => get(&shown.value),
                None => get(&shown.display),
            };
            let units = shown.units.as_ref().filter(|_| shown.number.is_some());
            Line {
                object: shown.has_name.then(|| get(object)),
                rest: if shown.is_place {
                    get(&shown.index)
                } else {
                    ""
                },
                value: shown.is_readable.then_some(value),
                label: get(&shown.label),
                units: units.map_or("", get),
            }
        })
    }

    /// The sender's variable bindings, without the two that are fields of the event.
    fn sent(&self) -> impl Iterator<Item = Varbind<'_>> {
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
        let get = |range: &Range<usize>| self.sheet.get(range);
        let some = |range: &Range<usize>| (!range.is_empty()).then(|| self.sheet.get(range));
        let parts = &self.sheet.index;
        for shown in &self.shown {
            let list = parts.list.get(shown.index_parts.clone());
            let index_parts = SomeParts {
                all: parts,
                list: list.unwrap_or_default(),
            };
            let goes_on = write(&event::Varbind {
                oid: get(&shown.oid),
                name: some(&shown.name),
                index: some(&shown.index),
                index_parts: (!index_parts.list.is_empty()).then_some(IndexParts(&index_parts)),
                r#type: shown.r#type,
                value: match &shown.octets {
                    Some(at) => Text(self.octets(at)),
                    None => Text(get(&shown.value).as_bytes()),
                },
                encoding: shown.encoding.map(Encoding::as_str),
                number: shown.number,
                label: some(&shown.label),
                display: some(&shown.display),
                units: shown.units.as_ref().map(get),
            });
            if !goes_on {
                return;
            }
        }
    }
}

impl Shown {
    /// What was odd about the value's octets.
    fn odd(&self) -> Anomalies {
        match self.encoding {
            Some(Encoding::TextAndNuls(_)) => Anomalies::TRAILING_NUL,
            Some(Encoding::Charset) => Anomalies::CHARSET,
            _ => Anomalies::NONE,
        }
    }
}

impl Sheet {
    fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(TEXT_BYTES_KEPT);
        self.index.clear();
        self.index.text.shrink_to(TEXT_BYTES_KEPT);
        self.index.list.shrink_to(SHOWN_KEPT);
    }

    fn get(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// Where the next text goes: an empty range.
    fn end(&self) -> Range<usize> {
        self.text.len()..self.text.len()
    }

    /// Adds one variable binding; `content_at` is where in the packet its value's content stands, `family` what kind of
    /// address it is.
    fn show(
        &mut self,
        name: Oid<'_>,
        value: &Value<'_>,
        content_at: Range<usize>,
        known: Option<&Known<'_>>,
        family: Option<u64>,
    ) -> Shown {
        let nothing = self.end();
        let mut shown = Shown {
            oid: nothing.clone(),
            index: nothing.clone(),
            name: nothing.clone(),
            short_name: nothing.clone(),
            is_place: false,
            index_parts: 0..0,
            r#type: type_name(value),
            value: nothing.clone(),
            octets: None,
            encoding: None,
            number: None,
            label: nothing.clone(),
            display: nothing,
            units: None,
            has_name: !name.0.is_empty(),
            is_readable: !matches!(value, Value::Unreadable(_)),
        };
        self.name(name, known, &mut shown);
        let start = self.text.len();
        shown.value = start..start;
        if mask::is_trap_community(name) {
            self.text.push_str(MASK);
            shown.value.end = self.text.len();
        } else {
            self.value(value, content_at, known, family, &mut shown);
        }
        if let Some(units) = known.and_then(Known::units) {
            let start = self.text.len();
            self.text.push_str(units);
            shown.units = Some(start..self.text.len());
        }
        shown
    }

    /// The OID, its name, and what follows the name.
    fn name(&mut self, name: Oid<'_>, known: Option<&Known<'_>>, shown: &mut Shown) {
        let text = &mut self.text;
        let start = text.len();
        let Some(known) = known else {
            name.write(text);
            shown.oid = start..text.len();
            return;
        };
        Oid(name.0.get(..known.octets()).unwrap_or_default()).write(text);
        let above = text.len();
        name.write_after(known.octets(), text);
        let end = text.len();
        shown.oid = start..end;
        shown.index = (above + 1).min(end)..end;
        shown.short_name = known.write_name(text);
        shown.name = end..text.len();
        shown.is_place = known.is_place();
        let parts = self.index.list.len();
        known.split_index(name, &mut self.index);
        shown.index_parts = parts..self.index.list.len();
    }

    /// The value. Octets are shown as the MIB says, else as they are where they are printable UTF-8, else in lower-case
    /// hex without separators.
    fn value(
        &mut self,
        value: &Value<'_>,
        content_at: Range<usize>,
        known: Option<&Known<'_>>,
        family: Option<u64>,
        shown: &mut Shown,
    ) {
        let out = &mut self.text;
        match *value {
            Value::Integer(number) | Value::OpaqueInteger64(number) => {
                out.push_str(itoa::Buffer::new().format(number));
                shown.value.end = out.len();
                shown.number = (number.unsigned_abs() <= EXACT_MAX).then_some(number as f64);
                self.describe(number, known, shown);
                return;
            }
            Value::Counter32(number)
            | Value::Gauge32(number)
            | Value::TimeTicks(number)
            | Value::Counter64(number)
            | Value::UInteger32(number)
            | Value::OpaqueCounter64(number)
            | Value::OpaqueUnsigned64(number) => {
                out.push_str(itoa::Buffer::new().format(number));
                shown.value.end = out.len();
                shown.number = (number <= EXACT_MAX).then_some(number as f64);
                if let Ok(number) = i64::try_from(number) {
                    self.describe(number, known, shown);
                }
                return;
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
            Value::OctetString(octets) => {
                self.octets(octets, content_at, known, family, shown);
                return;
            }
            Value::Opaque(octets)
            | Value::NsapAddress(octets)
            | Value::Unknown(octets)
            | Value::Unreadable(octets) => {
                hex(octets, out);
                shown.encoding = Some(Encoding::Hex);
            }
        }
        shown.value.end = self.text.len();
    }

    /// The name of a number, or how its hint shows it.
    fn describe(&mut self, number: i64, known: Option<&Known<'_>>, shown: &mut Shown) {
        let Some(known) = known else { return };
        let out = &mut self.text;
        let start = out.len();
        if let Some(label) = known.entry().and_then(|entry| entry.label(number)) {
            out.push_str(label);
            shown.label = start..out.len();
            return;
        }
        let Some(syntax) = known.syntax() else { return };
        if let Some(label) = syntax.label(number) {
            out.push_str(label);
            shown.label = start..out.len();
        } else if let Some(hint) = syntax.hint() {
            hint::integer(hint, number, out);
            shown.display = start..out.len();
        }
    }

    fn octets(
        &mut self,
        octets: &[u8],
        content_at: Range<usize>,
        known: Option<&Known<'_>>,
        family: Option<u64>,
        shown: &mut Shown,
    ) {
        let out = &mut self.text;
        let syntax = known.and_then(Known::syntax);
        let entry = known.and_then(Known::entry);
        let charset = self.charset;
        let encoding = if let Some(syntax) = &syntax {
            octets::write(octets, syntax, family, charset, out)
        } else if entry.is_some_and(|it| it.octets == mib::Octets::AsTheyAre) {
            octets::write_text(octets, charset, out)
        } else if is_text(octets) && entry.is_none() {
            Encoding::Text
        } else {
            hex(octets, out);
            Encoding::Hex
        };
        shown.encoding = Some(encoding);
        shown.octets = match encoding {
            Encoding::Text => Some(content_at),
            Encoding::TextAndNuls(nuls) => {
                Some(content_at.start..content_at.end.saturating_sub(nuls))
            }
            _ => None,
        };
        shown.value.end = out.len();
        if let Some(syntax) = &syntax
            && encoding == Encoding::Hex
        {
            octets::write_bits(octets, syntax, out);
            shown.label = shown.value.end..out.len();
        }
    }
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
