//! Which kind of address an InetAddress is: its InetAddressType, a variable binding of its own (RFC 4001, section 3).
//!
//! ```text
//!   peerType.7 = 16 (dns) ─┐ same row (index 7), same table, the nearest column before it
//!   peer.7     = "core"  ◀─┘ four octets, and no address
//! ```
//!
//! A packet is walked for types only when it has an address, and once.

use std::ops::Range;

use super::known::{self, Known};
use crate::decode::snmp::{Oid, Value, Varbind};
use crate::mib::Set;
use crate::mib::format::Convention;
use crate::mib::set::Trails;

/// Types that are kept of one packet. A notification has a few, and each address is compared with all.
const TYPES_MAX: usize = 32;

/// The InetAddressTypes of one packet.
#[derive(Debug, Default)]
pub(super) struct AddressTypes {
    is_sought: bool,
    found: Vec<Found>,
}

/// One of them, where its name stands in the packet.
#[derive(Debug)]
struct Found {
    object: Range<usize>,
    index: Range<usize>,
    family: u64,
}

/// Whether the object is an address of a kind that another variable binding tells.
pub(super) fn is_address(known: Option<&Known<'_>>, value: &Value<'_>) -> bool {
    let is_octets = matches!(value, Value::OctetString(_));
    is_octets && convention(known) == Some(Convention::InetAddress)
}

fn convention(known: Option<&Known<'_>>) -> Option<Convention> {
    Some(known?.syntax()?.convention)
}

impl AddressTypes {
    /// Forgets the last packet.
    pub fn clear(&mut self) {
        self.is_sought = false;
        self.found.clear();
    }

    /// Walks the packet's variable bindings, unless that was done.
    pub fn seek<'v>(
        &mut self,
        varbinds: impl Iterator<Item = Varbind<'v>>,
        mibs: &Set,
        trails: &mut Trails,
    ) {
        if std::mem::replace(&mut self.is_sought, true) {
            return;
        }
        for varbind in varbinds {
            let Value::Integer(family) = varbind.value else {
                continue;
            };
            let known = known::lookup(mibs, varbind.name.0, trails);
            if convention(known.as_ref()) != Some(Convention::InetAddressType) {
                continue;
            }
            let (Some(known), Ok(family)) = (known, u64::try_from(family)) else {
                continue;
            };
            let end = varbind.value_at.start;
            let start = end.saturating_sub(varbind.name.0.len());
            let index = start + known.octets();
            self.found.push(Found {
                object: start..index,
                index: index..end,
                family,
            });
            if self.found.len() == TYPES_MAX {
                return;
            }
        }
    }

    /// The type that stands before the address `name`, whose object takes the first `octets` of its name.
    pub fn of(&self, name: Oid<'_>, octets: usize, packet: &[u8]) -> Option<u64> {
        let (object, index) = name.0.split_at_checked(octets)?;
        let (table, column) = last_arc(object)?;
        // RFC 4001: the type is registered immediately before the address. One behind it is that of another column.
        let before = self.found.iter().filter_map(|found| {
            let (its_table, its_column) = last_arc(packet.get(found.object.clone())?)?;
            let is_beside = its_table == table && packet.get(found.index.clone())? == index;
            (is_beside && is_before(its_column, column)).then_some((its_column, found.family))
        });
        let nearest = before.reduce(|best, it| if is_before(best.0, it.0) { it } else { best });
        nearest.map(|(_, family)| family)
    }
}

/// Whether one arc, as it stands in an OID, is less than another: an arc of more octets is more.
fn is_before(arc: &[u8], other: &[u8]) -> bool {
    (arc.len(), arc) < (other.len(), other)
}

/// An OID's octets without its last arc, and that.
fn last_arc(oid: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, above) = oid.split_last()?;
    let start = above.iter().rposition(|octet| octet & 0x80 == 0);
    oid.split_at_checked(start.map_or(0, |end| end + 1))
}
