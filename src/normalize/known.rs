//! What is known of an OID: by the compiled MIB files, else by the built-in names.
//!
//! ```text
//!  1.3.6.1.2.1.2.2.1.8.2 ──▶ files: an object or notification? ──▶ that
//!                            else the longer prefix: files or built-in table; of equal ones the built-in
//! ```

use std::ops::Range;

use crate::decode::snmp::Oid;
use crate::mib::Set;
use crate::mib::format::Kind;
use crate::mib::index::{self, Parts};
use crate::mib::reader::{Longest, Syntax};
use crate::mib::set::Trails;
use crate::normalize::mib::{self, Entry};

/// The deepest name on the way to an OID.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known<'m> {
    /// Of the built-in table.
    Builtin(&'static Entry),
    /// Of a compiled file.
    File(Longest<'m>),
}

/// Looks an OID up. It is BER content.
pub(super) fn lookup<'m>(mibs: &'m Set, oid: &[u8], trails: &mut Trails) -> Option<Known<'m>> {
    let found = mibs.longest_along(oid, trails);
    if let Some(found) = found
        && is_meant(found.node.kind())
    {
        return Some(Known::File(found));
    }
    let entry = mib::lookup(oid);
    match (found, entry) {
        (Some(found), Some(entry)) if found.octets > entry.ber().len() => Some(Known::File(found)),
        (_, Some(entry)) => Some(Known::Builtin(entry)),
        (found, None) => found.map(Known::File),
    }
}

/// What a varbind or a trap is named after; all else is a place on the way.
fn is_meant(kind: Kind) -> bool {
    kind.has_values() || kind == Kind::Notification
}

/// What is known of exactly this OID.
pub(super) fn exact<'m>(mibs: &'m Set, oid: &[u8], trails: &mut Trails) -> Option<Known<'m>> {
    lookup(mibs, oid, trails).filter(|known| known.octets() == oid.len())
}

impl<'m> Known<'m> {
    /// How many of the OID's octets lead to it.
    pub fn octets(&self) -> usize {
        match self {
            Known::Builtin(entry) => entry.ber().len(),
            Known::File(found) => found.octets,
        }
    }

    /// Appends `MODULE::name`, and says where in `out` the name stands.
    pub fn write_name(&self, out: &mut String) -> Range<usize> {
        let short = match self {
            Known::Builtin(entry) => {
                out.push_str(entry.name);
                entry.short_name().len()
            }
            Known::File(found) => {
                let name = found.node.name().unwrap_or_default();
                out.push_str(found.node.module().unwrap_or_default());
                out.push_str("::");
                out.push_str(name);
                name.len()
            }
        };
        out.len() - short..out.len()
    }

    /// Whether it is only a place above what was sought, so that what follows is no index.
    pub fn is_place(&self) -> bool {
        matches!(self, Known::File(found) if !is_meant(found.node.kind()))
    }

    /// How its values are shown, where a file says it.
    pub fn syntax(&self) -> Option<Syntax<'m>> {
        match self {
            Known::Builtin(_) => None,
            Known::File(found) => found.node.syntax(),
        }
    }

    /// The built-in entry.
    pub fn entry(&self) -> Option<&'static Entry> {
        match self {
            Known::Builtin(entry) => Some(entry),
            Known::File(_) => None,
        }
    }

    /// The MIB's UNITS.
    pub fn units(&self) -> Option<&'m str> {
        match self {
            Known::Builtin(_) => None,
            Known::File(found) => found.node.units(),
        }
    }

    /// One sentence about a notification.
    pub fn description(&self) -> Option<&'m str> {
        match self {
            Known::Builtin(_) => None,
            Known::File(found) => found.node.description(),
        }
    }

    /// Splits the index of `oid`, which it was found for, and appends the parts.
    pub fn split_index(&self, oid: Oid<'_>, parts: &mut Parts) {
        if let Known::File(found) = self
            && found.node.kind() == Kind::Column
        {
            index::split(found.node, oid.arcs_after(found.octets), parts);
        }
    }
}
