//! Which names of a message's fields or parameters stand more than once.
//!
//! ```text
//!  reading   name ──Names::add──▶ a bit of 64 or 4096: a repeat is possible, or certainly none      one pass, no table
//!  writing   names ──Table::of──▶ sorted by hash and name ──first, has_numbered──▶ `name_2`        only where possible
//! ```
//!
//! A sender chooses the names, so the table is sorted and not hashed into slots: n names cost n·log n comparisons whatever
//! they are. All of it is on the stack.

use crate::decode::reader;

/// Names of one message that the table takes.
pub(super) const NAMES_MAX: usize = 256;

/// Finds a repeat in one pass: a bit for each name seen. Two names can share a bit; so a repeat is only a reason to look
/// closer, and no repeat is certain.
///
/// `WORDS` are of 64 bits. One is enough for the few parameters of an element; with 64 words, 50 different names share a
/// bit in a quarter of all messages, 20 in a twentieth.
#[derive(Debug)]
pub(super) struct Names<const WORDS: usize> {
    seen: [u64; WORDS],
    repeats: bool,
}

impl<const WORDS: usize> Names<WORDS> {
    pub(super) fn new() -> Self {
        Names {
            seen: [0; WORDS],
            repeats: false,
        }
    }

    pub(super) fn add(&mut self, name: &[u8]) {
        // The upper bits of a product are the mixed ones: six choose the word, six the bit.
        let mixed = ends(name).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bit = 1_u64 << (mixed >> 58);
        if let Some(word) = self.seen.get_mut((mixed >> 52) as usize % WORDS.max(1)) {
            self.repeats |= *word & bit != 0;
            *word |= bit;
        }
    }

    pub(super) fn may_repeat(&self) -> bool {
        self.repeats
    }
}

/// The first and last bytes of a name and its length in one word: all of a name of up to eight bytes.
fn ends(name: &[u8]) -> u64 {
    let length = name.len() as u64;
    if let (Some(first), Some(last)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        return u64::from_le_bytes(*first)
            ^ u64::from_le_bytes(*last).rotate_left(29)
            ^ length.rotate_left(57);
    }
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
        return u64::from(first) ^ (u64::from(last) << 32) ^ length.rotate_left(57);
    }
    let bytes = name.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
    bytes | length << 32
}

/// One name of the table.
#[derive(Clone, Copy)]
struct Entry<'a> {
    hash: u32,
    place: u16,
    name: &'a [u8],
}

/// All names of a message, found by what they are.
pub(super) struct Table<'a> {
    /// By hash, then name, then place; the unused ones at the end.
    sorted: [Entry<'a>; NAMES_MAX],
    used: usize,
    /// For each place the first place of its name.
    firsts: [u16; NAMES_MAX],
    /// For each place the next one of its name; 0 behind the last.
    nexts: [u16; NAMES_MAX],
}

impl<'a> Table<'a> {
    pub(super) fn of(names: impl Iterator<Item = &'a [u8]>) -> Self {
        let unused = Entry {
            hash: 0,
            place: 0,
            name: b"",
        };
        let mut table = Table {
            sorted: [unused; NAMES_MAX],
            used: 0,
            firsts: [0; NAMES_MAX],
            nexts: [0; NAMES_MAX],
        };
        for (slot, name) in table.sorted.iter_mut().zip(names) {
            *slot = Entry {
                hash: Hash::of(name).0,
                place: table.used as u16,
                name,
            };
            table.used += 1;
        }
        let used = table.sorted.get_mut(..table.used).unwrap_or_default();
        used.sort_unstable_by(|a, b| {
            reader::count(0);
            let key = |entry: &Entry<'a>| (entry.hash, entry.name, entry.place);
            key(a).cmp(&key(b))
        });
        let (mut first, mut last): (Option<&Entry<'_>>, u16) = (None, 0);
        for entry in used.iter() {
            let known = first.filter(|first| first.hash == entry.hash && first.name == entry.name);
            let group = known.unwrap_or(entry);
            if let Some(slot) = table.firsts.get_mut(usize::from(entry.place)) {
                *slot = group.place;
            }
            if let (Some(_), Some(slot)) = (known, table.nexts.get_mut(usize::from(last))) {
                *slot = entry.place;
            }
            (first, last) = (Some(group), entry.place);
        }
        table
    }

    /// The next place at which the name of the field at `place` stands.
    pub(super) fn next(&self, place: usize) -> Option<usize> {
        let next = self.nexts.get(place).copied().map(usize::from);
        next.filter(|next| *next > 0)
    }

    /// The place at which the name of the field at `place` stands first.
    pub(super) fn first(&self, place: usize) -> usize {
        self.firsts.get(place).copied().map_or(place, usize::from)
    }

    /// Whether a field of the message is called `name_number` itself.
    pub(super) fn has_numbered(&self, name: &[u8], number: u16) -> bool {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(number).as_bytes();
        let hash = Hash::of(name).and(b"_").and(digits);
        let used = self.sorted.get(..self.used).unwrap_or_default();
        let wanted = || name.iter().chain(b"_").chain(digits);
        let start = used.partition_point(|entry| {
            reader::count(0);
            let order = entry.hash.cmp(&hash.0);
            order.then_with(|| entry.name.iter().cmp(wanted())).is_lt()
        });
        let found = used.get(start);
        found.is_some_and(|entry| entry.hash == hash.0 && entry.name.iter().eq(wanted()))
    }
}

/// FNV-1a: a name's hash goes on with what stands behind it.
#[derive(Clone, Copy)]
struct Hash(u32);

impl Hash {
    fn of(bytes: &[u8]) -> Self {
        Hash(0x811c_9dc5).and(bytes)
    }

    fn and(self, bytes: &[u8]) -> Self {
        let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        Hash(bytes.iter().fold(self.0, step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeat_is_always_seen_and_different_names_mostly_not() {
        let names: Vec<String> = (0..40).map(|n| format!("src_field_{n}_x")).collect();
        let mut seen = Names::<64>::new();
        names.iter().for_each(|name| seen.add(name.as_bytes()));
        for name in &names {
            let mut again = Names::<64>::new();
            again.add(name.as_bytes());
            assert!(!again.may_repeat());
            again.add(name.as_bytes());
            assert!(again.may_repeat());
        }
        let firewall = "date time devname devid eventtime tz logid type subtype level vd srcip srcport srcintf \
            srcintfrole dstip dstport dstintf dstintfrole policyid policytype sessionid proto action service";
        let mut seen = Names::<64>::new();
        firewall
            .split_whitespace()
            .for_each(|name| seen.add(name.as_bytes()));
        assert!(!seen.may_repeat());
    }

    #[test]
    fn the_table_knows_where_a_name_stood_first_and_which_are_numbered() {
        let names: [&[u8]; 6] = [b"a", b"b", b"a", b"a_2", b"", b"a"];
        let table = Table::of(names.into_iter());
        let firsts: Vec<usize> = (0..6).map(|place| table.first(place)).collect();
        assert_eq!(firsts, [0, 1, 0, 3, 4, 0]);
        let nexts: Vec<Option<usize>> = (0..6).map(|place| table.next(place)).collect();
        assert_eq!(nexts, [Some(2), None, Some(5), None, None, None]);
        assert!(table.has_numbered(b"a", 2));
        assert!(!table.has_numbered(b"a", 3) && !table.has_numbered(b"b", 2));
        let none = Table::of(std::iter::empty());
        assert!(!none.has_numbered(b"", 2));
    }

    /// Names that share all but their last bytes, names that share their hash, one name: none costs more than sorting.
    #[test]
    fn no_choice_of_names_costs_more_than_sorting() {
        let counted = |names: &[String]| {
            reader::steps_of(|| {
                let table = Table::of(names.iter().map(|name| name.as_bytes()));
                names
                    .iter()
                    .for_each(|name| _ = table.has_numbered(name.as_bytes(), 2));
            })
        };
        type Make = fn(usize) -> String;
        let makes: [Make; 4] = [
            |n| format!("{}{n}", "a".repeat(200)),
            |_| "same".to_owned(),
            |n| format!("a_{n}"),
            |n| "a_2".repeat(n % 9),
        ];
        for make in makes {
            let of = |count: usize| (0..count).map(make).collect::<Vec<_>>();
            let (half, whole) = (counted(&of(NAMES_MAX / 2)), counted(&of(NAMES_MAX)));
            assert!(
                whole <= half * 5 / 2 + 64,
                "{half} steps, {whole} for twice the names"
            );
        }
    }
}
