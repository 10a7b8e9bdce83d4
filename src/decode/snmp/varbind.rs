//! Variable bindings: names and values (RFC 3416, section 3; RFC 2578, section 7.1).
//!
//! ```text
//!   30 0e  06 08 2b 06 01 02 01 01 03 00   43 02 30 39
//!   SEQ    name: 1.3.6.1.2.1.1.3.0         value: TimeTicks 12345
//! ```
//!
//! The list is walked each time it is needed, so that it needs no memory. A variable binding that cannot be read
//! becomes [`Value::Unreadable`] with its octets, and reading goes on at the next.

use super::ber::{self, Cursor, Tlv};
use super::{Anomalies, Oid};

/// Variable bindings that are read of one packet. Traps carry fewer than fifty; a datagram of empty elements holds
/// 32 000 of them, and their JSON would exceed what a broker takes in one record.
pub const VARBINDS_MAX: usize = 1024;

/// A value, borrowing its octets.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names are the SMI's own")]
pub enum Value<'a> {
    Integer(i64),
    OctetString(&'a [u8]),
    ObjectIdentifier(Oid<'a>),
    Null,
    IpAddress([u8; 4]),
    Counter32(u64),
    /// Unsigned32 has the same tag.
    Gauge32(u64),
    TimeTicks(u64),
    /// An Opaque that wraps none of the types below.
    Opaque(&'a [u8]),
    /// Opaque, wrapping `9f 78` (draft-perkins-opaque-01, as net-snmp sends it).
    OpaqueFloat(f32),
    /// Opaque, wrapping `9f 79`.
    OpaqueDouble(f64),
    /// Opaque, wrapping `9f 76`.
    OpaqueCounter64(u64),
    /// Opaque, wrapping `9f 7a`.
    OpaqueInteger64(i64),
    /// Opaque, wrapping `9f 7b`.
    OpaqueUnsigned64(u64),
    /// RFC 1442; withdrawn, and still sent.
    NsapAddress(&'a [u8]),
    Counter64(u64),
    /// RFC 1442; withdrawn, and still sent.
    UInteger32(u64),
    NoSuchObject,
    NoSuchInstance,
    EndOfMibView,
    /// A type that SNMP does not have: the whole TLV.
    Unknown(&'a [u8]),
    /// Octets that do not fit their type, or a variable binding that is none: the whole TLV, or what is left of it.
    Unreadable(&'a [u8]),
}

/// One variable binding.
#[derive(Debug, Clone, PartialEq)]
pub struct Varbind<'a> {
    /// The name; empty where it could not be read.
    pub name: Oid<'a>,
    /// The value.
    pub value: Value<'a>,
    /// What is odd about both.
    pub anomalies: Anomalies,
    /// Where the whole element stands in the packet.
    pub at: std::ops::Range<usize>,
    /// Where everything behind the name stands in the packet; the whole content where there is no name.
    pub value_at: std::ops::Range<usize>,
    /// Where the value's content stands in the packet; empty where the value could not be read.
    pub content_at: std::ops::Range<usize>,
}

/// A list of variable bindings, not yet walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Varbinds<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Varbinds<'a> {
    /// The content of a `VarBindList` that stands at `at` in the packet.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Varbinds { bytes, at }
    }

    /// An empty list.
    pub const EMPTY: Varbinds<'static> = Varbinds { bytes: &[], at: 0 };

    /// Walks the list from its start, up to [`VARBINDS_MAX`].
    pub fn iter(&self) -> Elements<'a> {
        Elements {
            cursor: Cursor::new(self.bytes, self.at),
            left: VARBINDS_MAX,
        }
    }

    /// Where the list's content stands in the packet.
    pub fn range(&self) -> std::ops::Range<usize> {
        self.at..self.at + self.bytes.len()
    }
}

impl<'a> IntoIterator for Varbinds<'a> {
    type Item = Varbind<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

/// A walk along a list.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    cursor: Cursor<'a>,
    left: usize,
}

impl Elements<'_> {
    /// Whether the walk ended at [`VARBINDS_MAX`] with something left.
    pub fn stopped_early(&self) -> bool {
        self.left == 0 && !self.cursor.is_empty()
    }

    /// Where in the packet the walk stands.
    pub fn at(&self) -> usize {
        self.cursor.at()
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Varbind<'a>;

    fn next(&mut self) -> Option<Varbind<'a>> {
        if self.cursor.is_empty() || self.left == 0 {
            return None;
        }
        self.left -= 1;
        let start = self.cursor.at();
        let rest = self.cursor.rest();
        let Ok(element) = self.cursor.clipped_tlv() else {
            // Without a length there is no telling where the next one starts: this one takes the rest.
            self.left = 0;
            self.cursor = Cursor::new(&[], start + rest.len());
            return Some(unreadable(rest, start, start..start + rest.len()));
        };
        let whole = rest.get(..self.cursor.at() - start).unwrap_or_default();
        if element.tag != ber::SEQUENCE || element.clipped {
            return Some(unreadable(whole, start, element.content_range()));
        }
        Some(varbind(whole, &element))
    }
}

fn unreadable(whole: &[u8], start: usize, value_at: std::ops::Range<usize>) -> Varbind<'_> {
    Varbind {
        name: Oid::default(),
        value: Value::Unreadable(whole),
        anomalies: Anomalies::BAD_VARBIND,
        at: start..start + whole.len(),
        content_at: value_at.end..value_at.end,
        value_at,
    }
}

fn varbind<'a>(whole: &'a [u8], element: &Tlv<'a>) -> Varbind<'a> {
    let mut inside = element.open();
    let at = element.at..element.at + whole.len();
    let Ok(name) = inside.expect(ber::OBJECT_IDENTIFIER, "a name") else {
        return unreadable(whole, element.at, element.content_range());
    };
    let name_oid = Oid(name.content);
    let value_at = inside.at()..element.content_range().end;
    let mut anomalies = name_oid.check();
    let mut content_at = value_at.end..value_at.end;
    let rest = inside.rest();
    let value = match inside.tlv() {
        Ok(tlv) => {
            content_at = tlv.content_range();
            let used = rest.get(..inside.at() - value_at.start).unwrap_or_default();
            if !inside.is_empty() {
                anomalies.add(Anomalies::EXTRA_IN_VARBIND);
            }
            let (value, odd) = value(&tlv, used);
            anomalies.add(odd);
            value
        }
        Err(_) => {
            anomalies.add(Anomalies::BAD_VARBIND);
            Value::Unreadable(rest)
        }
    };
    Varbind {
        name: name_oid,
        value,
        anomalies,
        at,
        value_at,
        content_at,
    }
}

/// Reads one value; `whole` is its TLV, for what cannot be read.
fn value<'a>(tlv: &Tlv<'a>, whole: &'a [u8]) -> (Value<'a>, Anomalies) {
    let content = tlv.content;
    let unsigned = |width: usize, make: fn(u64) -> Value<'a>| {
        ber::unsigned(content, width).map(|(number, odd)| (make(number), odd))
    };
    let empty = |value: Value<'a>| content.is_empty().then_some((value, Anomalies::NONE));
    let read = match tlv.tag {
        ber::INTEGER => ber::signed(content).map(|(number, odd)| (Value::Integer(number), odd)),
        ber::OCTET_STRING => Some((Value::OctetString(content), Anomalies::NONE)),
        ber::NULL => empty(Value::Null),
        ber::OBJECT_IDENTIFIER => object_identifier(content),
        0x40 => <[u8; 4]>::try_from(content)
            .ok()
            .map(|octets| (Value::IpAddress(octets), Anomalies::NONE)),
        0x41 => unsigned(4, Value::Counter32),
        0x42 => unsigned(4, Value::Gauge32),
        0x43 => unsigned(4, Value::TimeTicks),
        0x44 => Some(opaque(content)),
        0x45 => Some((Value::NsapAddress(content), Anomalies::NONE)),
        0x46 => unsigned(8, Value::Counter64),
        0x47 => unsigned(4, Value::UInteger32),
        0x80 => empty(Value::NoSuchObject),
        0x81 => empty(Value::NoSuchInstance),
        0x82 => empty(Value::EndOfMibView),
        _ => Some((Value::Unknown(whole), Anomalies::UNKNOWN_TYPE)),
    };
    read.unwrap_or((Value::Unreadable(whole), Anomalies::BAD_VALUE))
}

/// An OID as value. An empty one is kept as such: agents send it where they have nothing to say.
fn object_identifier(content: &[u8]) -> Option<(Value<'_>, Anomalies)> {
    let oid = Oid(content);
    let odd = oid.check();
    if odd.any_of(Anomalies::BAD_OID) && !content.is_empty() {
        return None;
    }
    Some((Value::ObjectIdentifier(oid), odd))
}

/// What an Opaque wraps; an Opaque that wraps nothing known is octets, and that is nothing odd.
fn opaque(content: &[u8]) -> (Value<'_>, Anomalies) {
    let plain = (Value::Opaque(content), Anomalies::NONE);
    let mut inside = Cursor::new(content, 0);
    let Ok(tlv) = inside.tlv() else {
        return plain;
    };
    let clean = |value| (value, Anomalies::NONE);
    let wrapped = match tlv.tag {
        0x9f76 => ber::unsigned(tlv.content, 8).map(|(n, odd)| (Value::OpaqueCounter64(n), odd)),
        0x9f78 => <[u8; 4]>::try_from(tlv.content)
            .ok()
            .map(|octets| clean(Value::OpaqueFloat(f32::from_be_bytes(octets)))),
        0x9f79 => <[u8; 8]>::try_from(tlv.content)
            .ok()
            .map(|octets| clean(Value::OpaqueDouble(f64::from_be_bytes(octets)))),
        0x9f7a => ber::signed(tlv.content).map(|(number, _)| clean(Value::OpaqueInteger64(number))),
        0x9f7b => ber::unsigned(tlv.content, 8).map(|(n, odd)| (Value::OpaqueUnsigned64(n), odd)),
        _ => None,
    };
    match wrapped {
        Some(wrapped) if inside.is_empty() => wrapped,
        _ => plain,
    }
}
