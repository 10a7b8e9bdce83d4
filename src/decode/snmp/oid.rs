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
        for &octet in self.0 {
            if octet < 0x80 {
                open = 0;
                continue;
            }
            if open == 3 || open == 0 && octet == 0x80 {
                return false;
            }
            open += 1;
        }
        // The first sub-identifier is two arcs.
        open == 0 && (1..SUB_IDENTIFIERS_MAX).contains(&self.0.len())
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
        let mut number = itoa::Buffer::new();
        for (place, arc) in self.arcs().enumerate() {
            if place > 0 {
                out.push('.');
            }
            out.push_str(number.format(arc));
        }
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
