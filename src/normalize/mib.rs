//! The built-in names: a few hundred OIDs that every network shows → `MODULE::name`, enumerations, severity.
//!
//! ```text
//!   2b 06 01 02 01 02 02 01 08 │ 02      →  IF-MIB::ifOperStatus, index from octet 9 on, 2 = down
//!   └─── longest known prefix ─┘
//! ```
//!
//! A look-up compares the OID's first octets, as they stand in the packet, with a sorted table: 16 octets are one
//! number, so that a comparison is one instruction or two. No allocation, no text.

mod labels;
mod table;

use crate::event::Severity;

/// Octets of the longest known OID's BER form: what a `u128` holds. A longer one does not compile.
const BER_MAX: usize = 16;

/// The names of an enumeration's values.
pub type Labels = &'static [(i64, &'static str)];

/// How octets of an object are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Octets {
    /// As text where they are printable, else in hex.
    AsTheyAre,
    /// In hex, although they may be printable by chance: addresses and packed dates.
    Hex,
}

/// What is known of one OID.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The OID, dotted.
    pub oid: &'static str,
    /// `MODULE::name`.
    pub name: &'static str,
    /// Names of its values, where it is an enumeration.
    pub labels: Labels,
    /// How its octets are shown.
    pub octets: Octets,
    /// How severe it is, where it is a notification with a fixed meaning.
    pub severity: Option<Severity>,
    ber: [u8; BER_MAX],
    ber_octets: usize,
    /// `ber` as one number, which sorts as the octets do.
    key: u128,
    /// Octets of `name` up to the short name.
    module_octets: usize,
}

impl Entry {
    /// The OID's BER content.
    pub fn ber(&self) -> &[u8] {
        self.ber.get(..self.ber_octets).unwrap_or_default()
    }

    /// The name without its module.
    pub fn short_name(&self) -> &'static str {
        self.name.get(self.module_octets..).unwrap_or(self.name)
    }

    /// The name of an enumeration's value.
    pub fn label(&self, value: i64) -> Option<&'static str> {
        self.labels
            .iter()
            .find(|(number, _)| *number == value)
            .map(|(_, name)| *name)
    }
}

/// The entry with the longest OID that is `oid` or stands above it. `oid` is BER content.
pub fn lookup(oid: &[u8]) -> Option<&'static Entry> {
    let start = key(oid);
    let mut bound = start;
    // Each turn shortens what is sought by at least one octet.
    for _ in 0..=BER_MAX {
        let after = table::TABLE.partition_point(|entry| entry.key <= bound);
        let entry = table::TABLE.get(after.checked_sub(1)?)?;
        let shared = ((entry.key ^ start).leading_zeros() / 8) as usize;
        if shared >= entry.ber_octets && oid.len() >= entry.ber_octets {
            return Some(entry);
        }
        // Whatever stands above `oid` in the table is no longer than what this neighbour shares with it.
        bound = start & first_octets(shared.min(oid.len()));
    }
    None
}

/// The first 16 octets as a number, zeros behind a shorter OID.
fn key(oid: &[u8]) -> u128 {
    let mut octets = [0; BER_MAX];
    for (to, from) in octets.iter_mut().zip(oid) {
        *to = *from;
    }
    u128::from_be_bytes(octets)
}

/// A mask of the first `count` octets.
fn first_octets(count: usize) -> u128 {
    match 8 * BER_MAX.saturating_sub(count) {
        128 => 0,
        shift => u128::MAX << shift,
    }
}

/// Every entry.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    table::TABLE.iter()
}

/// The entry of exactly this OID.
pub fn exact(oid: &[u8]) -> Option<&'static Entry> {
    lookup(oid).filter(|entry| entry.ber().len() == oid.len())
}

/// The entry of exactly `parent` followed by `rest`.
pub fn exact_child(parent: &[u8], rest: &[u8]) -> Option<&'static Entry> {
    let mut joined = [0; BER_MAX];
    let length = parent.len().checked_add(rest.len())?;
    joined.get_mut(..parent.len())?.copy_from_slice(parent);
    joined.get_mut(parent.len()..length)?.copy_from_slice(rest);
    exact(joined.get(..length)?)
}

const fn object(oid: &'static str, name: &'static str) -> Entry {
    let (ber, ber_octets) = encode(oid);
    Entry {
        oid,
        name,
        labels: &[],
        octets: Octets::AsTheyAre,
        severity: None,
        ber,
        ber_octets,
        key: u128::from_be_bytes(ber),
        module_octets: short_name_at(name),
    }
}

/// Where the name behind `MODULE::` starts.
const fn short_name_at(name: &str) -> usize {
    let text = name.as_bytes();
    let mut at = text.len();
    while at > 0 && text[at - 1] != b':' {
        at -= 1;
    }
    at
}

const fn octets(oid: &'static str, name: &'static str) -> Entry {
    let mut entry = object(oid, name);
    entry.octets = Octets::Hex;
    entry
}

const fn enumerated(oid: &'static str, name: &'static str, labels: Labels) -> Entry {
    let mut entry = object(oid, name);
    entry.labels = labels;
    entry
}

const fn notification(oid: &'static str, name: &'static str, severity: Option<Severity>) -> Entry {
    let mut entry = object(oid, name);
    entry.severity = severity;
    entry
}

/// The BER content of a dotted OID. Runs when the crate is compiled: a table that does not fit does not compile.
const fn encode(oid: &str) -> ([u8; BER_MAX], usize) {
    let text = oid.as_bytes();
    let mut out = [0; BER_MAX];
    let mut used = 0;
    let mut arc = 0_u32;
    let mut arcs = 0;
    let mut first = 0;
    let mut at = 0;
    while at <= text.len() {
        if at < text.len() && text[at] != b'.' {
            arc = arc * 10 + (text[at] - b'0') as u32;
        } else {
            if arcs == 0 {
                first = arc;
            } else {
                let value = if arcs == 1 { first * 40 + arc } else { arc };
                let mut digit = 5;
                while digit > 0 {
                    digit -= 1;
                    if digit == 0 || value >> (7 * digit) != 0 {
                        let more = if digit > 0 { 0x80 } else { 0 };
                        out[used] = (value >> (7 * digit)) as u8 & 0x7f | more;
                        used += 1;
                    }
                }
            }
            arcs += 1;
            arc = 0;
        }
        at += 1;
    }
    (out, used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::snmp::Oid;

    #[test]
    fn the_table_is_sorted_without_repeats_and_each_octet_form_is_its_oid() {
        for pair in table::TABLE.windows(2) {
            assert!(pair[0].ber() < pair[1].ber(), "{}", pair[1].oid);
            assert!(pair[0].key < pair[1].key, "{}", pair[1].oid);
        }
        for entry in table::TABLE {
            assert_eq!(Oid(entry.ber()).to_string(), entry.oid);
            // `lookup` takes the zeros behind a short OID for none of its octets.
            assert_ne!(entry.ber().last(), Some(&0), "{}", entry.oid);
            assert!(entry.name.split("::").count() == 2, "{}", entry.name);
        }
    }

    #[test]
    fn a_lookup_finds_what_a_search_of_the_whole_table_finds() {
        let slow = |oid: &[u8]| {
            table::TABLE
                .iter()
                .filter(|entry| oid.starts_with(entry.ber()))
                .max_by_key(|entry| entry.ber().len())
                .map(|entry| entry.oid)
        };
        let tails: [&[u8]; 6] = [&[], &[0], &[2], &[0x7f], &[0x81, 1], &[1, 2, 3, 4]];
        for entry in table::TABLE {
            for keep in 0..=entry.ber().len() {
                for tail in tails {
                    let oid = [&entry.ber()[..keep], tail].concat();
                    assert_eq!(lookup(&oid).map(|entry| entry.oid), slow(&oid), "{oid:?}");
                }
            }
        }
        assert!(lookup(&[]).is_none());
    }

    #[test]
    fn an_oid_that_only_zeros_would_complete_is_not_taken_for_a_known_one() {
        for entry in table::TABLE {
            let above = &entry.ber()[..entry.ber().len() - 1];
            assert!(lookup(above).is_none_or(|found| found.ber().len() <= above.len()));
            let long = [entry.ber(), &[1; 40]].concat();
            assert!(lookup(&long).is_some());
        }
    }

    #[test]
    fn names_indexes_and_labels_are_those_of_the_modules() {
        let entry = lookup(&[0x2b, 6, 1, 2, 1, 2, 2, 1, 8, 2]).unwrap();
        assert_eq!(entry.name, "IF-MIB::ifOperStatus");
        assert_eq!(entry.label(7), Some("lowerLayerDown"));
        assert_eq!(entry.label(8), None);
        assert_eq!(
            exact(&[0x2b, 6, 1, 6, 3, 1, 1, 5, 3]).unwrap().short_name(),
            "linkDown"
        );
        assert!(exact(&[0x2b, 6, 1, 6, 3, 1, 1, 5, 3, 0]).is_none());
    }
}
