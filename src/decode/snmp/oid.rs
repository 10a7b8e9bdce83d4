//! Object identifiers as they stand in the packet.
//!
//! ```text
//!   2b 06 01 04 01 89 11     →  1 . 3 . 6 . 1 . 4 . 1 . 1169
//!   └ 40·X+Y: 1.3               └ seven bits an octet, the top bit says that another follows
//! ```
//!
//! The first sub-identifier holds two arcs: below 40 it is 0.Y, below 80 it is 1.Y, and everything from 80 on is
//! 2.Y, however large (X.690, 8.19.4): `88 37` is 2.999.

use super::Anomalies;

/// Sub-identifiers of one OID (RFC 2578, section 3.5).
pub const SUB_IDENTIFIERS_MAX: usize = 128;

/// An object identifier: the content octets of its BER form, not yet checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Oid<'a>(pub &'a [u8]);

impl<'a> Oid<'a> {
    /// What is odd about it. With [`Anomalies::BAD_OID`] only its readable start is iterated and written.
    pub fn check(&self) -> Anomalies {
        if self.is_usual() {
            return Anomalies::NONE;
        }
        self.check_each()
    }

    fn check_each(&self) -> Anomalies {
        let mut anomalies = Anomalies::NONE;
        let mut arcs = self.arcs();
        let mut count = 0;
        for value in arcs.by_ref() {
            count += 1;
            if value > u64::from(u32::MAX) {
                anomalies.add(Anomalies::LARGE_SUB_IDENTIFIER);
            }
        }
        if arcs.padded {
            anomalies.add(Anomalies::PADDED_OID);
        }
        if count == 0 || !arcs.rest.is_empty() {
            anomalies.add(Anomalies::BAD_OID);
        }
        anomalies
    }

    /// Whether it is not too long, ends, and each sub-identifier takes at most four octets (28 bits) and has no padding.
    /// Then nothing is odd about it; of other OIDs this says nothing.
    fn is_usual(&self) -> bool {
        // Octets so far of the sub-identifier that has not ended.
        let mut open = 0;
        let mut goes_on = |octet: u8| {
            if octet < 0x80 {
                open = 0;
                return true;
            }
            let is_usual = open < 3 && (open > 0 || octet != 0x80);
            open += 1;
            is_usual
        };
        let (eights, last) = self.0.as_chunks::<8>();
        for eight in eights {
            // Eight sub-identifiers of one octet each, as in nearly every OID, are seen at once; the first of them may
            // end one that is open.
            let [first, ..] = *eight;
            let is_usual = match u64::from_ne_bytes(*eight) & 0x8080_8080_8080_8080 {
                0 => goes_on(first),
                _ => eight.iter().all(|octet| goes_on(*octet)),
            };
            if !is_usual {
                return false;
            }
        }
        // The first sub-identifier is two arcs.
        last.iter().all(|octet| goes_on(*octet))
            && open == 0
            && (1..SUB_IDENTIFIERS_MAX).contains(&self.0.len())
    }

    /// Its arcs: 1, 3, 6, 1, ... The iteration ends where the octets make no sense or the limit is reached.
    pub fn arcs(&self) -> Arcs<'a> {
        Arcs {
            rest: self.0,
            second: None,
            count: 0,
            padded: false,
        }
    }

    /// The arcs behind its first `octets` octets, which must end with a sub-identifier.
    pub fn arcs_after(&self, octets: usize) -> Arcs<'a> {
        Arcs {
            rest: self.0.get(octets..).unwrap_or_default(),
            // Not the first octet, so there are no two arcs in it.
            count: octets.max(1),
            ..self.arcs()
        }
    }

    /// Whether it is `prefix` or stands below it. Both in their shortest form, as all senders but broken ones write.
    pub fn starts_with(&self, prefix: &[u8]) -> bool {
        self.0.starts_with(prefix)
    }

    /// Appends the dotted text.
    pub fn write(&self, out: &mut String) {
        let mut arcs = self.arcs();
        if let Some(first) = arcs.next() {
            out.push_str(itoa::Buffer::new().format(first));
            write_behind(arcs, out);
        }
    }

    /// Appends the dotted text of the arcs behind its first `octets` octets, a dot before each.
    pub fn write_after(&self, octets: usize, out: &mut String) {
        write_behind(self.arcs_after(octets), out);
    }
}

/// Appends arcs, a dot before each. They are gathered, since there are many and each is short.
fn write_behind(mut arcs: Arcs<'_>, out: &mut String) {
    let mut dotted = Dotted::new();
    loop {
        while dotted.has_room()
            && let Some(arc) = arcs.next_small()
        {
            dotted.add(arc);
        }
        dotted.take(out);
        let Some(arc) = arcs.next() else {
            return;
        };
        out.push('.');
        out.push_str(itoa::Buffer::new().format(arc));
    }
}

/// Arcs below 128 as text.
struct Dotted {
    text: [u8; Dotted::ROOM],
    used: usize,
}

impl Dotted {
    /// Of the arcs of most OIDs.
    const ROOM: usize = 64;

    /// A dot and the digits of each arc, and how many octets they are.
    const SMALL: [([u8; 4], u8); 128] = {
        let mut table = [([b'.', 0, 0, 0], 0); 128];
        let mut arc = 0;
        while arc < table.len() {
            let digits = [
                b'0' + (arc / 100) as u8,
                b'0' + (arc / 10 % 10) as u8,
                b'0' + (arc % 10) as u8,
            ];
            table[arc] = match arc {
                0..10 => ([b'.', digits[2], 0, 0], 2),
                10..100 => ([b'.', digits[1], digits[2], 0], 3),
                _ => ([b'.', digits[0], digits[1], digits[2]], 4),
            };
            arc += 1;
        }
        table
    };

    fn new() -> Dotted {
        Dotted {
            text: [0; Dotted::ROOM],
            used: 0,
        }
    }

    /// Whether one more arc fits.
    fn has_room(&self) -> bool {
        self.used <= Dotted::ROOM - 4
    }

    /// Adds an arc, where there is room.
    fn add(&mut self, arc: u8) {
        let room = self.text.get_mut(self.used..);
        let room = room.and_then(<[u8]>::first_chunk_mut);
        if let (Some((text, octets)), Some(room)) = (Dotted::SMALL.get(usize::from(arc)), room) {
            *room = *text;
            self.used += usize::from(*octets);
        }
    }

    /// Appends what was gathered.
    fn take(&mut self, out: &mut String) {
        let text = self.text.get(..self.used).unwrap_or_default();
        // Dots and digits are text.
        out.push_str(std::str::from_utf8(text).unwrap_or_default());
        self.used = 0;
    }
}

impl std::fmt::Display for Oid<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (place, arc) in self.arcs().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            write!(f, "{arc}")?;
        }
        Ok(())
    }
}

/// The arcs of an OID, one after the other.
#[derive(Debug, Clone)]
pub struct Arcs<'a> {
    rest: &'a [u8],
    second: Option<u64>,
    count: usize,
    padded: bool,
}

impl Arcs<'_> {
    /// The next arc if it is one octet of its own and none of the first two arcs, as nearly all are.
    #[inline]
    fn next_small(&mut self) -> Option<u8> {
        let (&octet, rest) = self.rest.split_first()?;
        let is_behind = self.second.is_none() && (1..SUB_IDENTIFIERS_MAX).contains(&self.count);
        if octet >= 0x80 || !is_behind {
            return None;
        }
        self.rest = rest;
        self.count += 1;
        Some(octet)
    }

    /// One sub-identifier; `None`, and nothing taken, where it does not end or does not fit 64 bits.
    fn sub_identifier(&mut self) -> Option<u64> {
        // Nearly every octet is a sub-identifier of its own.
        if let Some((&octet, rest)) = self.rest.split_first()
            && octet < 0x80
        {
            self.rest = rest;
            return Some(u64::from(octet));
        }
        self.long_sub_identifier()
    }

    fn long_sub_identifier(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for (place, &octet) in self.rest.iter().enumerate() {
            if value >> 57 != 0 {
                return None;
            }
            value = value << 7 | u64::from(octet & 0x7f);
            if octet & 0x80 == 0 {
                self.padded |= self.rest.first() == Some(&0x80);
                self.rest = self.rest.get(place + 1..)?;
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Arcs<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.count >= SUB_IDENTIFIERS_MAX {
            return None;
        }
        let value = match self.second.take() {
            Some(second) => second,
            None => {
                let value = self.sub_identifier()?;
                if self.count == 0 {
                    let first = (value / 40).min(2);
                    self.second = Some(value - first * 40);
                    first
                } else {
                    value
                }
            }
        };
        self.count += 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(arcs: &[u64]) -> Vec<u8> {
        let mut numbers = vec![u128::from(arcs[0]) * 40 + u128::from(arcs[1])];
        numbers.extend(arcs[2..].iter().map(|&arc| u128::from(arc)));
        let mut out = Vec::new();
        for number in numbers {
            let digits = (1..).find(|d| number >> (7 * d) == 0).unwrap();
            for digit in (0..digits).rev() {
                let more = if digit > 0 { 0x80 } else { 0 };
                out.push((number >> (7 * digit)) as u8 & 0x7f | more);
            }
        }
        out
    }

    fn text(bytes: &[u8]) -> String {
        let mut out = String::new();
        Oid(bytes).write(&mut out);
        assert_eq!(out, Oid(bytes).to_string());
        out
    }

    #[test]
    fn the_first_octets_hold_two_arcs_and_2_999_is_right() {
        assert_eq!(text(&[0x2b, 6, 1, 4, 1, 0x89, 0x11]), "1.3.6.1.4.1.1169");
        assert_eq!(text(&[0x88, 0x37]), "2.999");
        assert_eq!(text(&[0]), "0.0");
        assert_eq!(text(&[39]), "0.39");
        assert_eq!(text(&[79]), "1.39");
        assert_eq!(text(&[80]), "2.0");
    }

    #[test]
    fn broken_oids_show_their_readable_start_and_are_named() {
        assert_eq!(text(&[0x2b, 6, 0x81]), "1.3.6");
        assert_eq!(Oid(&[0x2b, 6, 0x81]).check(), Anomalies::BAD_OID);
        assert_eq!(Oid(&[]).check(), Anomalies::BAD_OID);
        assert_eq!(Oid(&[0x2b, 0x80, 6]).check(), Anomalies::PADDED_OID);
        assert_eq!(text(&[0x2b, 0x80, 6]), "1.3.6");
        let large = [0x2b, 0x90, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(text(&large), "1.3.4294967296");
        assert_eq!(Oid(&large).check(), Anomalies::LARGE_SUB_IDENTIFIER);
        assert_eq!(Oid(&[0x2b; 127]).check(), Anomalies::NONE);
        assert_eq!(Oid(&[0x2b; 128]).check(), Anomalies::BAD_OID);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_written(first in 0..3_u64, second in 0..40_u64, more in prop::collection::vec(any::<u32>(), 0..126)) {
            let mut arcs = vec![first, second];
            arcs.extend(more.into_iter().map(u64::from));
            let bytes = encode(&arcs);
            let expected: Vec<String> = arcs.iter().map(u64::to_string).collect();
            prop_assert_eq!(text(&bytes), expected.join("."));
            prop_assert_eq!(Oid(&bytes).check(), Anomalies::NONE);
        }

        #[test]
        fn any_bytes_are_written_within_the_limits(bytes: Vec<u8>) {
            let written = text(&bytes);
            prop_assert!(written.split('.').count() <= SUB_IDENTIFIERS_MAX);
            Oid(&bytes).check();
        }

        #[test]
        fn the_short_way_to_see_that_nothing_is_odd_says_what_the_long_way_says(
            bytes in prop::collection::vec(prop::sample::select(vec![0, 1, 0x2b, 0x7f, 0x80, 0x81, 0xff]), 0..140),
        ) {
            for length in [bytes.len(), bytes.len().min(9)] {
                let oid = Oid(&bytes[..length]);
                prop_assert_eq!(oid.check(), oid.check_each());
            }
        }
    }
}
