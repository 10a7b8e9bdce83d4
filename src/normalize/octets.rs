//! Octets → text, as the MIB says or as they look.
//!
//! ```text
//!  DateAndTime ─▶ RFC 3339      "date"          BITS ─▶ hex, and the names of the bits that are set
//!  DISPLAY-HINT ▶ by the hint   "hint"          hint "255a", or none: as they are where printable, "text"
//!  InetAddress ─▶ address       "hint"          hint "255a": without NULs at the end, "text"; by the device's own
//!                                               character set, "charset"
//!                                               all else, and what does not fit: "hex"
//! ```

use encoding_rs::Encoding as Charset;

use crate::decode::charset;
use crate::mib::format::{Base, Convention};
use crate::mib::reader::Syntax;
use crate::mib::{date, hint, index};

/// Bits of one value that are named: more than any BITS has (RFC 2578, section 7.1.4, advises 128 at most).
const BITS_MAX: usize = 1024;

/// How octets were shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// They are text already; nothing was written.
    Text,
    /// They are text but for so many NULs at their end; nothing was written.
    TextAndNuls(usize),
    /// As text, by the device's character set.
    Charset,
    /// In hex.
    Hex,
    /// As the MIB's DISPLAY-HINT says.
    Hint,
    /// As RFC 3339.
    Date,
}

impl Encoding {
    /// As events write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Text | Encoding::TextAndNuls(_) => "text",
            Encoding::Charset => "charset",
            Encoding::Hex => "hex",
            Encoding::Hint => "hint",
            Encoding::Date => "date",
        }
    }
}

/// Appends octets of an object that a MIB file knows, unless they are text. Names of bits are [`write_bits`]'s.
///
/// `family` is the InetAddressType that stands beside an InetAddress, `charset` the device's own character set.
pub(super) fn write(
    octets: &[u8],
    syntax: &Syntax<'_>,
    family: Option<u64>,
    charset: Option<&'static Charset>,
    out: &mut String,
) -> Encoding {
    if syntax.convention == Convention::DateAndTime && date::rfc3339(octets, out) {
        return Encoding::Date;
    }
    if syntax.convention == Convention::InetAddress && write_address(octets, family, out) {
        return Encoding::Hint;
    }
    if syntax.base == Base::Bits {
        hex(octets, out);
        return Encoding::Hex;
    }
    match syntax.hint() {
        Some(hint) if hint::is_text(hint) => write_text(octets, charset, out),
        Some(hint) if !octets.is_empty() && hint::octets(hint, octets, out) => Encoding::Hint,
        None if is_text(octets) => Encoding::Text,
        _ => {
            hex(octets, out);
            Encoding::Hex
        }
    }
}

/// Appends an InetAddress, and says whether it is one. A type of another length is that of something else, and unknown(0)
/// says nothing: then the length tells. A dns(16) name is none, however long it is.
fn write_address(octets: &[u8], family: Option<u64>, out: &mut String) -> bool {
    let is_told_by_length = matches!(family, Some(0..=4));
    index::inet_address(octets, family, out)
        || (is_told_by_length && index::inet_address(octets, None, out))
}

/// Appends octets of an object that is text, unless they are as they should be. Many a device sends the NUL that ends the
/// text in its memory, or all of a field that is filled up with them, and letters of a character set of its own.
pub(super) fn write_text(
    octets: &[u8],
    charset: Option<&'static Charset>,
    out: &mut String,
) -> Encoding {
    if is_text(octets) {
        return Encoding::Text;
    }
    let nuls = octets.iter().rev().take_while(|octet| **octet == 0).count();
    let text = octets.get(..octets.len() - nuls).unwrap_or_default();
    if is_text(text) {
        return Encoding::TextAndNuls(nuls);
    }
    let start = out.len();
    if charset.is_some_and(|charset| charset::append(charset, text, out)) {
        if out.get(start..).unwrap_or_default().chars().all(printable) {
            return Encoding::Charset;
        }
        out.truncate(start);
    }
    hex(octets, out);
    Encoding::Hex
}

/// Appends the names of the bits that are set, where the object is BITS; the first bit is the highest of the first octet
/// (RFC 3417, section 8). A bit without a name is its number.
pub(super) fn write_bits(octets: &[u8], syntax: &Syntax<'_>, label: &mut String) {
    if syntax.base != Base::Bits {
        return;
    }
    let start = label.len();
    for (place, octet) in octets.iter().enumerate().take(BITS_MAX / 8) {
        for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
            if label.len() > start {
                label.push(',');
            }
            let number = place * 8 + bit;
            match syntax.label(number as i64) {
                Some(name) => label.push_str(name),
                None => label.push_str(itoa::Buffer::new().format(number)),
            }
        }
    }
}

/// Whether octets are printable UTF-8; line ends and tabs are, other control characters are not.
pub(super) fn is_text(octets: &[u8]) -> bool {
    let is_plain = octets.iter().all(|octet| (0x20..0x7f).contains(octet));
    is_plain || std::str::from_utf8(octets).is_ok_and(|text| text.chars().all(printable))
}

fn printable(c: char) -> bool {
    !c.is_control() || matches!(c, '\t' | '\n' | '\r')
}

/// Appends lower-case hex without separators.
pub(super) fn hex(octets: &[u8], out: &mut String) {
    for &octet in octets {
        for digit in [octet >> 4, octet & 0xf] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
}
