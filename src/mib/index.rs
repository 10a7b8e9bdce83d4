//! The sub-identifiers behind a column → the parts of its INDEX clause (RFC 2578, section 7.7).
//!
//! ```text
//!  tcpConnectionState . 1.4.10.0.0.1.443.1.4.10.0.0.9.51234
//!   └▶ LocalAddressType=1 (ipv4)  LocalAddress=10.0.0.1  LocalPort=443  RemAddressType=1 …
//! ```
//!
//! All or nothing: sub-identifiers that do not fit the clause to their end make no parts, and the event has the index
//! as numbers.

use std::fmt::Write;
use std::net::Ipv6Addr;
use std::ops::Range;

use super::format::{Convention, Form};
use super::hint;
use super::reader::{Component, Node};

/// Octets of the longest part: an OID has 128 sub-identifiers (RFC 2578, section 3.5).
const OCTETS_MAX: usize = 128;

/// Parts of an index, as ranges of one text. Reused for every varbind.
#[derive(Debug, Default, Clone)]
pub struct Parts {
    /// Names and values, one after the other.
    pub text: String,
    /// Where each stands.
    pub list: Vec<Part>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The name of the object in the INDEX clause.
    pub name: Range<usize>,
    /// Its value as text.
    pub value: Range<usize>,
    /// The name of its value, where it is an enumeration.
    pub label: Option<Range<usize>>,
}

impl Parts {
    /// Forgets the last ones.
    pub fn clear(&mut self) {
        self.text.clear();
        self.list.clear();
    }

    /// A part of the text.
    pub fn get(&self, range: &Range<usize>) -> &str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

/// Splits `arcs` into the parts of the column's index, and appends them. Without a fit there are none.
pub fn split(column: Node<'_>, mut arcs: impl Iterator<Item = u64>, parts: &mut Parts) {
    let (text_before, parts_before) = (parts.text.len(), parts.list.len());
    let mut family = None;
    let fits = column
        .components()
        .all(|component| one(&component, &mut arcs, &mut family, parts).is_some());
    if !fits || arcs.next().is_some() {
        parts.text.truncate(text_before);
        parts.list.truncate(parts_before);
    }
}

fn one(
    component: &Component<'_>,
    arcs: &mut impl Iterator<Item = u64>,
    family: &mut Option<u64>,
    parts: &mut Parts,
) -> Option<()> {
    let name = parts.append(component.name);
    let start = parts.text.len();
    let mut label = None;
    match component.form {
        Form::Integer => {
            let number = arcs.next()?;
            parts.text.push_str(itoa::Buffer::new().format(number));
            if component.syntax.convention == Convention::InetAddressType {
                *family = Some(number);
            }
            let value = i64::try_from(number).ok()?;
            label = component.syntax.label(value);
        }
        Form::CountedOid => {
            let count = usize::try_from(arcs.next()?).ok()?.min(OCTETS_MAX + 1);
            write_oid(arcs.take(count), count, &mut parts.text)?;
        }
        Form::ImpliedOid => write_oid(arcs, 0, &mut parts.text)?,
        Form::IpAddress | Form::Fixed | Form::Counted | Form::Implied => {
            let count = match component.form {
                Form::IpAddress => Some(4),
                Form::Fixed => Some(usize::from(component.size)),
                Form::Counted => Some(usize::try_from(arcs.next()?).ok()?),
                _ => None,
            };
            let mut octets = [0; OCTETS_MAX];
            let octets = take(arcs, count, &mut octets)?;
            if component.form == Form::IpAddress {
                hint::octets("1d.", octets, &mut parts.text);
            } else {
                write_octets(component, octets, *family, &mut parts.text);
            }
        }
    }
    let value = start..parts.text.len();
    let label = label.map(|label| parts.append(label));
    parts.list.push(Part { name, value, label });
    Some(())
}

fn write_oid(arcs: impl Iterator<Item = u64>, least: usize, out: &mut String) -> Option<()> {
    let mut count = 0;
    for arc in arcs {
        if count > 0 {
            out.push('.');
        }
        out.push_str(itoa::Buffer::new().format(arc));
        count += 1;
    }
    (count >= least && count <= OCTETS_MAX).then_some(())
}

/// Takes `count` octets, or all that are left.
fn take<'b>(
    arcs: &mut impl Iterator<Item = u64>,
    count: Option<usize>,
    room: &'b mut [u8; OCTETS_MAX],
) -> Option<&'b [u8]> {
    let mut used = 0;
    while count.is_none_or(|count| used < count) {
        let Some(arc) = arcs.next() else {
            if count.is_some() {
                return None;
            }
            break;
        };
        *room.get_mut(used)? = u8::try_from(arc).ok()?;
        used += 1;
    }
    room.get(..used)
}

fn write_octets(component: &Component<'_>, octets: &[u8], family: Option<u64>, out: &mut String) {
    if component.syntax.convention == Convention::InetAddress && inet_address(octets, family, out) {
        return;
    }
    let hint = component.syntax.hint();
    if hint.is_some_and(|hint| hint::octets(hint, octets, out)) {
        return;
    }
    match std::str::from_utf8(octets) {
        Ok(text) if !text.chars().any(char::is_control) => out.push_str(text),
        _ => hint::hex(octets, out),
    }
}

/// Appends an `InetAddress` (RFC 4001, section 3) by its type, or by its length where no type is known. `false`, and
/// nothing appended, where it is no address of that type.
///
/// Without a type, 16 or 20 printable octets are the name of a host: no network has addresses of such octets alone.
pub fn inet_address(octets: &[u8], family: Option<u64>, out: &mut String) -> bool {
    let is_name = || octets.len() >= 16 && octets.iter().all(u8::is_ascii_graphic);
    if family.is_none() && is_name() {
        return false;
    }
    let (address, zone) = match (family, octets.len()) {
        (Some(1) | None, 4) | (Some(2) | None, 16) => (octets, None),
        (Some(3) | None, 8) | (Some(4) | None, 20) => {
            let Some((address, zone)) = octets.split_last_chunk::<4>() else {
                return false;
            };
            (address, Some(u32::from_be_bytes(*zone)))
        }
        _ => return false,
    };
    if address.len() == 4 {
        hint::octets("1d.", address, out);
    } else if let Ok(address) = <[u8; 16]>::try_from(address) {
        let _ = write!(out, "{}", Ipv6Addr::from(address));
    } else {
        return false;
    }
    if let Some(zone) = zone {
        let _ = write!(out, "%{zone}");
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mib::Mibdb;
    use crate::mib::format::{self, Base, Definition, Kind, Syntax};

    fn component(name: &str, form: Form, size: u16, convention: Convention) -> format::Component {
        let labels = match convention {
            Convention::InetAddressType => vec![(1, "ipv4".to_owned()), (2, "ipv6".to_owned())],
            _ => Vec::new(),
        };
        let hint = if name == "mac" { "1x:" } else { "" };
        format::Component {
            name: name.to_owned(),
            form,
            size,
            syntax: Syntax {
                base: Base::OctetString,
                convention,
                hint: hint.to_owned(),
                labels,
            },
        }
    }

    fn shown(index: Vec<format::Component>, arcs: &[u64]) -> Vec<String> {
        let syntax = component("", Form::Integer, 0, Convention::Other).syntax;
        let column = Definition {
            oid: vec![1, 3, 9],
            module: "A-MIB".to_owned(),
            name: "column".to_owned(),
            kind: Kind::Column,
            syntax: Some(syntax),
            index,
            units: String::new(),
            objects: Vec::new(),
            description: String::new(),
        };
        let db = Mibdb::from_bytes(&format::write(&[column], 0).unwrap()).unwrap();
        let mut parts = Parts::default();
        split(
            db.longest(&[0x2b, 9]).unwrap().node,
            arcs.iter().copied(),
            &mut parts,
        );
        let of = |part: &Part| {
            let label = part
                .label
                .as_ref()
                .map(|label| format!("({})", parts.get(label)));
            format!(
                "{}={}{}",
                parts.get(&part.name),
                parts.get(&part.value),
                label.unwrap_or_default()
            )
        };
        parts.list.iter().map(of).collect()
    }

    #[test]
    fn each_form_of_an_index_is_read_to_its_end() {
        use Convention::{InetAddress, InetAddressType, Other};
        let connection = || {
            vec![
                component("type", Form::Integer, 0, InetAddressType),
                component("address", Form::Counted, 0, InetAddress),
                component("port", Form::Integer, 0, Other),
            ]
        };
        assert_eq!(
            shown(connection(), &[1, 4, 10, 0, 0, 1, 443]),
            ["type=1(ipv4)", "address=10.0.0.1", "port=443"]
        );
        let six = [&[2, 16, 0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1, 80]].concat();
        assert_eq!(shown(connection(), &six)[1], "address=2001:db8::1");
        let dns = [&[16, 4][..], &[97, 46, 100, 101], &[80]].concat();
        assert_eq!(shown(connection(), &dns)[1], "address=a.de");
        let mac = vec![
            component("mac", Form::Fixed, 6, Other),
            component("oid", Form::ImpliedOid, 0, Other),
        ];
        assert_eq!(
            shown(mac, &[0, 27, 33, 170, 187, 204, 1, 3]),
            ["mac=00:1b:21:aa:bb:cc", "oid=1.3"]
        );
        let named = vec![
            component("oid", Form::CountedOid, 0, Other),
            component("name", Form::Implied, 0, Other),
        ];
        assert_eq!(
            shown(named, &[2, 1, 3, 101, 116, 104]),
            ["oid=1.3", "name=eth"]
        );
        let address = vec![
            component("ip", Form::IpAddress, 0, Other),
            component("s", Form::Counted, 0, Other),
        ];
        assert_eq!(
            shown(address, &[10, 0, 0, 9, 2, 0, 255]),
            ["ip=10.0.0.9", "s=00ff"]
        );
    }

    #[test]
    fn what_does_not_fit_to_its_end_makes_no_parts() {
        let two = || {
            vec![
                component("a", Form::Counted, 0, Convention::Other),
                component("b", Form::Integer, 0, Convention::Other),
            ]
        };
        assert_eq!(shown(two(), &[1, 97, 5]).len(), 2);
        for arcs in [
            &[][..],
            &[1],
            &[1, 97],
            &[1, 256, 5],
            &[1, 97, 5, 6],
            &[u64::MAX, 1],
            &[200, 1],
        ] {
            assert!(shown(two(), arcs).is_empty(), "{arcs:?}");
        }
    }
}
