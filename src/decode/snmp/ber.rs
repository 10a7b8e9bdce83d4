//! A tolerant reader of BER: one TLV at a time, over bytes that strangers wrote (X.690; RFC 3417, section 8).
//!
//! ```text
//!   30 82 01 0a  02 01 01  04 06 'p' 'u' ...
//!   └┬┘└───┬───┘
//!  identifier  length (short, or 8n and n octets; more octets than needed are allowed, RFC 3417 section 8 (1))
//! ```
//!
//! The reader descends only where its caller opens a content with a new [`Cursor`], and callers do so to a fixed
//! depth (message, PDU, list, variable binding, value, Opaque). So nothing recurses, and no stranger chooses a depth.

use super::Anomalies;
use crate::decode::reader::{self, Reader};

/// INTEGER.
pub const INTEGER: u32 = 0x02;
/// OCTET STRING.
pub const OCTET_STRING: u32 = 0x04;
/// NULL.
pub const NULL: u32 = 0x05;
/// OBJECT IDENTIFIER.
pub const OBJECT_IDENTIFIER: u32 = 0x06;
/// SEQUENCE.
pub const SEQUENCE: u32 = 0x30;

/// Identifier octets that are read, the first included: SNMP's longest has two (`9f 78`, Opaque Float).
const IDENTIFIER_OCTETS_MAX: usize = 4;

/// Length octets that are read behind the first: a length that needs more than 8 does not fit a `u64`.
const LENGTH_OCTETS_MAX: u8 = 8;

/// Where reading stopped, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What was expected, in words.
    pub reason: &'static str,
    /// The byte of the packet, counted from 0.
    pub at: usize,
}

/// One element: identifier, length, content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tlv<'a> {
    /// The identifier octets, read as one number: `0x30`, `0x9f78`.
    pub tag: u32,
    /// Where the identifier stands in the packet.
    pub at: usize,
    /// Where the content stands in the packet.
    pub content_at: usize,
    /// The content.
    pub content: &'a [u8],
    /// Whether the content is shorter than announced, because the bytes end.
    pub clipped: bool,
}

impl<'a> Tlv<'a> {
    /// Opens the content.
    pub fn open(&self) -> Cursor<'a> {
        Cursor::new(self.content, self.content_at)
    }

    /// Where the content stands in the packet.
    pub fn content_range(&self) -> std::ops::Range<usize> {
        self.content_at..self.content_at + self.content.len()
    }
}

/// A cursor over a run of TLVs that knows where in the packet it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at `bytes`, which stand at `at` in the packet.
    pub fn new(bytes: &'a [u8], at: usize) -> Self {
        Cursor { rest: bytes, at }
    }

    /// Where in the packet the next TLV starts.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left to read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next TLV, complete. Nothing is taken where it fails.
    #[inline]
    pub fn tlv(&mut self) -> Result<Tlv<'a>, Fault> {
        match self.short() {
            Some(tlv) => Ok(tlv),
            None => self.long(Past::Refused),
        }
    }

    /// The next TLV; where its length goes past the end, as much of its content as there is.
    #[inline]
    pub fn clipped_tlv(&mut self) -> Result<Tlv<'a>, Fault> {
        match self.short() {
            Some(tlv) => Ok(tlv),
            None => self.long(Past::Clipped),
        }
    }

    /// The next TLV, which must carry this tag.
    #[inline]
    pub fn expect(&mut self, tag: u32, missing: &'static str) -> Result<Tlv<'a>, Fault> {
        let before = *self;
        let tlv = self.tlv()?;
        if tlv.tag == tag {
            return Ok(tlv);
        }
        *self = before;
        Err(Fault {
            reason: missing,
            at: tlv.at,
        })
    }

    /// The next TLV if it is complete and has one identifier octet and one length octet, as nearly all have.
    #[inline]
    fn short(&mut self) -> Option<Tlv<'a>> {
        let (&[tag, length], behind) = self.rest.split_first_chunk()?;
        if tag & 0x1f == 0x1f || length >= 0x80 {
            return None;
        }
        let (content, rest) = behind.split_at_checked(usize::from(length))?;
        reader::count(2 + content.len());
        let at = self.at;
        self.rest = rest;
        self.at = at + 2 + content.len();
        Some(Tlv {
            tag: u32::from(tag),
            at,
            content_at: at + 2,
            content,
            clipped: false,
        })
    }

    /// The next TLV, whatever it looks like. Nothing is taken where it fails.
    fn long(&mut self, past: Past) -> Result<Tlv<'a>, Fault> {
        let at = self.at;
        let fault = |reason| Fault { reason, at };
        let mut reader = Reader::new(self.rest);
        let tag = identifier(&mut reader).map_err(fault)?;
        let announced = length(&mut reader).map_err(fault)?;
        let content_at = at + reader.at();
        let present = reader.rest().len();
        let clipped = announced > present;
        if clipped && past == Past::Refused {
            return Err(fault("a length goes past the end of what holds it"));
        }
        let content = reader.take(announced.min(present)).unwrap_or_default();
        self.rest = reader.rest();
        self.at = content_at + content.len();
        Ok(Tlv {
            tag,
            at,
            content_at,
            content,
            clipped,
        })
    }
}

/// What becomes of a TLV whose length goes past the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Past {
    /// It has what there is.
    Clipped,
    /// It is a fault.
    Refused,
}

fn identifier(reader: &mut Reader<'_>) -> Result<u32, &'static str> {
    const ENDS: &str = "the bytes end where an element should start";
    let first = reader.byte().ok_or(ENDS)?;
    let mut tag = u32::from(first);
    if first & 0x1f != 0x1f {
        return Ok(tag);
    }
    for _ in 1..IDENTIFIER_OCTETS_MAX {
        let octet = reader.byte().ok_or(ENDS)?;
        tag = tag << 8 | u32::from(octet);
        if octet & 0x80 == 0 {
            return Ok(tag);
        }
    }
    Err("an identifier of more than 4 octets")
}

fn length(reader: &mut Reader<'_>) -> Result<usize, &'static str> {
    const ENDS: &str = "the bytes end within a length";
    let first = reader.byte().ok_or(ENDS)?;
    if first < 0x80 {
        return Ok(usize::from(first));
    }
    let octets = first & 0x7f;
    if octets == 0 {
        return Err("an indefinite length (RFC 3417, section 8, forbids it)");
    }
    if octets > LENGTH_OCTETS_MAX {
        return Err("a length of more than 8 octets");
    }
    let mut length = 0_u64;
    for _ in 0..octets {
        length = length << 8 | u64::from(reader.byte().ok_or(ENDS)?);
    }
    // What does not fit is past any end, and the caller sees it as that.
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

/// A signed number: the content of INTEGER. `None` where it is empty or needs more than 64 bits.
pub fn signed(content: &[u8]) -> Option<(i64, Anomalies)> {
    let first = *content.first()?;
    let fill = if first & 0x80 == 0 { 0x00 } else { 0xff };
    let mut anomalies = Anomalies::NONE;
    let mut digits = content;
    while let [lead, next, ..] = digits
        && *lead == fill
        && (next ^ fill) & 0x80 == 0
    {
        anomalies.add(Anomalies::PADDED_INTEGER);
        digits = digits.get(1..)?;
    }
    if digits.len() > 8 {
        return None;
    }
    let start = if fill == 0 { 0_i64 } else { -1 };
    let value = digits
        .iter()
        .fold(start, |value, &octet| value << 8 | i64::from(octet));
    if i32::try_from(value).is_err() {
        anomalies.add(Anomalies::WIDE_INTEGER);
    }
    Some((value, anomalies))
}

/// An unsigned number of a type with `width` octets: the content of Counter32 (4), Counter64 (8) and the like.
/// `None` where it is empty or needs more than 64 bits.
pub fn unsigned(content: &[u8], width: usize) -> Option<(u64, Anomalies)> {
    let first = *content.first()?;
    let mut anomalies = Anomalies::NONE;
    if first & 0x80 != 0 {
        anomalies.add(Anomalies::UNPADDED_UNSIGNED);
    }
    let zeros = content.iter().take_while(|&&octet| octet == 0).count();
    let digits = content.get(zeros..)?;
    let needed = match digits.first() {
        None => 1,
        Some(top) => digits.len() + usize::from(top & 0x80 != 0),
    };
    if content.len() > needed {
        anomalies.add(Anomalies::PADDED_INTEGER);
    }
    if digits.len() > 8 {
        return None;
    }
    if digits.len() > width {
        anomalies.add(Anomalies::WIDE_INTEGER);
    }
    let value = digits
        .iter()
        .fold(0_u64, |value, &octet| value << 8 | u64::from(octet));
    Some((value, anomalies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(bytes: &[u8]) -> Result<Tlv<'_>, Fault> {
        Cursor::new(bytes, 0).tlv()
    }

    #[test]
    fn lengths_are_read_short_and_long_even_with_more_octets_than_needed() {
        assert_eq!(one(&[4, 2, 7, 8]).unwrap().content, [7, 8]);
        assert_eq!(one(&[4, 0x81, 2, 7, 8]).unwrap().content, [7, 8]);
        assert_eq!(one(&[4, 0x83, 0, 0, 2, 7, 8]).unwrap().content, [7, 8]);
        assert_eq!(
            one(&[4, 0x88, 0, 0, 0, 0, 0, 0, 0, 1, 9]).unwrap().content,
            [9]
        );
        assert_eq!(one(&[0x9f, 0x78, 1, 9]).unwrap().tag, 0x9f78);
    }

    #[test]
    fn a_length_past_the_end_is_a_fault_and_takes_nothing() {
        let mut cursor = Cursor::new(&[4, 5, 1, 2], 10);
        assert_eq!(cursor.tlv().unwrap_err().at, 10);
        assert_eq!(cursor.at(), 10);
        let clipped = cursor.clipped_tlv().unwrap();
        assert!(clipped.clipped);
        assert_eq!(clipped.content, [1, 2]);
        assert!(one(&[4, 0x88, 255, 255, 255, 255, 255, 255, 255, 255, 1]).is_err());
    }

    #[test]
    fn indefinite_and_absurd_forms_are_refused_in_words() {
        let reason = |bytes| one(bytes).unwrap_err().reason;
        assert!(reason(&[0x30, 0x80, 0, 0]).contains("indefinite"));
        assert!(reason(&[0x30, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0]).contains("8 octets"));
        assert!(reason(&[0x9f, 0xff, 0xff, 0xff, 0xff, 0]).contains("identifier"));
        assert!(reason(&[]).contains("start"));
        assert!(reason(&[4]).contains("length"));
    }

    #[test]
    fn integers_of_odd_width_keep_their_value_and_name_the_oddity() {
        let wide = Anomalies::WIDE_INTEGER;
        let padded = Anomalies::PADDED_INTEGER;
        let unpadded = Anomalies::UNPADDED_UNSIGNED;
        let none = Anomalies::NONE;
        assert_eq!(signed(&[0xff]), Some((-1, none)));
        assert_eq!(signed(&[0x80, 0, 0, 0]), Some((-2_147_483_648, none)));
        assert_eq!(signed(&[0, 0xff]), Some((255, none)));
        assert_eq!(signed(&[0, 0x7f]), Some((127, padded)));
        assert_eq!(signed(&[0xff, 0xff]), Some((-1, padded)));
        let five = [0, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(signed(&five), Some((4_294_967_295, wide)));
        assert_eq!(signed(&[1; 9]), None);
        assert_eq!(signed(&[0; 64]), Some((0, padded)));
        assert_eq!(signed(&[]), None);
        assert_eq!(unsigned(&five, 4), Some((4_294_967_295, none)));
        assert_eq!(unsigned(&[0xff; 4], 4), Some((4_294_967_295, unpadded)));
        assert_eq!(unsigned(&[0xff; 8], 8), Some((u64::MAX, unpadded)));
        assert_eq!(unsigned(&[0, 1], 4), Some((1, padded)));
        assert_eq!(unsigned(&[0], 4), Some((0, none)));
        assert_eq!(unsigned(&[1, 0, 0, 0, 0], 4), Some((1 << 32, wide)));
        assert_eq!(unsigned(&[1; 9], 8), None);
        assert_eq!(unsigned(&[], 4), None);
    }

    proptest! {
        #[test]
        fn numbers_in_their_shortest_form_come_back_without_an_anomaly(value: i32, count: u32) {
            let bytes = value.to_be_bytes();
            let skip = (0..3).take_while(|&i| {
                let fill = if value < 0 { 0xff } else { 0 };
                bytes[i] == fill && (bytes[i + 1] ^ fill) & 0x80 == 0
            }).count();
            prop_assert_eq!(signed(&bytes[skip..]), Some((i64::from(value), Anomalies::NONE)));
            let mut padded = vec![0];
            padded.extend(count.to_be_bytes());
            let skip = (0..4).take_while(|&i| padded[i] == 0 && padded[i + 1] & 0x80 == 0).count();
            prop_assert_eq!(unsigned(&padded[skip..], 4), Some((u64::from(count), Anomalies::NONE)));
        }

        #[test]
        fn any_bytes_end_and_each_element_lies_within_them(bytes: Vec<u8>) {
            let mut cursor = Cursor::new(&bytes, 0);
            let mut end = 0;
            while let Ok(tlv) = cursor.tlv() {
                prop_assert!(tlv.at >= end);
                end = tlv.content_range().end;
                prop_assert!(end <= bytes.len());
            }
        }
    }
}
