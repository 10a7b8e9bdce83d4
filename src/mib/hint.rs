//! DISPLAY-HINT (RFC 2579, section 3.1): octets and numbers as the MIB wants them shown.
//!
//! ```text
//!  "1x:"       00 1b 21 aa bb cc   →  00:1b:21:aa:bb:cc
//!  "1d.1d.1d.1d/2d"   0a 00 00 01 02 02   →  10.0.0.1/514
//!  "d-2"       1234                →  12.34
//!  └ octets a piece, form, separator; the last piece repeats for what is left
//! ```
//!
//! A hint comes from a file and the octets from a device. What does not fit leaves the text as it was, and the caller
//! shows hex.

use std::fmt::Write;

/// The longest number that a piece in decimal or octal may make.
const NUMBER_OCTETS_MAX: usize = 8;

/// Decimal places of an integer hint: a 64-bit number has no more digits.
const PLACES_MAX: usize = 19;

/// One piece of a hint.
#[derive(Clone, Copy)]
struct Piece {
    /// Whether the first octet says how often it comes.
    repeats: bool,
    length: usize,
    form: u8,
    separator: Option<u8>,
    terminator: Option<u8>,
}

/// Whether a hint says nothing but "text": `255a`, `1t`.
pub fn is_text(hint: &str) -> bool {
    let digits = hint.trim_start_matches(|c: char| c.is_ascii_digit());
    digits.len() < hint.len() && matches!(digits, "a" | "t")
}

/// Appends octets as the hint says. `false`, and nothing appended, where it does not fit them.
pub fn octets(hint: &str, octets: &[u8], out: &mut String) -> bool {
    let start = out.len();
    let shown = write_octets(hint, octets, out).is_some();
    if !shown {
        out.truncate(start);
    }
    shown
}

fn write_octets(hint: &str, octets: &[u8], out: &mut String) -> Option<()> {
    let mut hint = hint.as_bytes();
    let mut rest = octets;
    let mut last = None;
    while !rest.is_empty() {
        let is_last = hint.is_empty();
        let piece = if is_last { last? } else { piece(&mut hint)? };
        // The last piece repeats until the octets are used up, so it has to use some.
        if piece.length == 0 && (is_last || piece.repeats) {
            return None;
        }
        last = Some(piece);
        let mut times = 1;
        if piece.repeats {
            let (&count, behind) = rest.split_first()?;
            rest = behind;
            times = usize::from(count);
        }
        for time in 0..times {
            let (part, behind) = rest.split_at_checked(piece.length.min(rest.len()))?;
            rest = behind;
            write_part(piece.form, part, out)?;
            let ends = piece.terminator.is_some() && time + 1 == times;
            if let Some(separator) = piece.separator
                && !rest.is_empty()
                && !ends
            {
                out.push(char::from(separator));
            }
            if rest.is_empty() {
                break;
            }
        }
        if let Some(terminator) = piece.terminator
            && !rest.is_empty()
        {
            out.push(char::from(terminator));
        }
    }
    Some(())
}

fn piece(hint: &mut &[u8]) -> Option<Piece> {
    let repeats = eat(hint, |octet| octet == b'*').is_some();
    let mut length = None;
    while let Some(digit) = eat(hint, |octet| octet.is_ascii_digit()) {
        let so_far: usize = length.unwrap_or_default();
        length = Some(
            so_far
                .saturating_mul(10)
                .saturating_add(usize::from(digit - b'0')),
        );
    }
    let form = eat(hint, |octet| {
        matches!(octet, b'x' | b'd' | b'o' | b'a' | b't')
    })?;
    let is_mark = |octet: u8| {
        octet != b'*' && !octet.is_ascii_digit() && octet.is_ascii_graphic() || octet == b' '
    };
    let separator = eat(hint, is_mark);
    let terminator = match separator {
        Some(_) if repeats => eat(hint, is_mark),
        _ => None,
    };
    Some(Piece {
        repeats,
        length: length?,
        form,
        separator,
        terminator,
    })
}

fn eat(text: &mut &[u8], wanted: impl Fn(u8) -> bool) -> Option<u8> {
    let (&first, rest) = text.split_first()?;
    if !wanted(first) {
        return None;
    }
    *text = rest;
    Some(first)
}

fn write_part(form: u8, part: &[u8], out: &mut String) -> Option<()> {
    match form {
        b'x' => hex(part, out),
        b'a' | b't' => {
            let text = std::str::from_utf8(part).ok()?;
            if text.chars().any(char::is_control) {
                return None;
            }
            out.push_str(text);
        }
        _ => {
            if part.len() > NUMBER_OCTETS_MAX {
                return None;
            }
            let number = part
                .iter()
                .fold(0_u64, |number, &octet| number << 8 | u64::from(octet));
            if form == b'd' {
                out.push_str(itoa::Buffer::new().format(number));
            } else {
                write!(out, "{number:o}").ok()?;
            }
        }
    }
    Some(())
}

/// Appends octets in hex. Digit by digit: a formatter takes several times as long, and addresses are in many traps.
pub(super) fn hex(octets: &[u8], out: &mut String) {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xf]);
    out.extend(digits.filter_map(|digit| char::from_digit(digit.into(), 16)));
}

/// Appends a number as the hint says: `d`, `d-2`, `x`, `o`, `b`. `false`, and nothing appended, for another hint and
/// for plain decimal, which needs none.
pub fn integer(hint: &str, number: i64, out: &mut String) -> bool {
    let sign = if number < 0 { "-" } else { "" };
    let size = number.unsigned_abs();
    match hint {
        "x" => write!(out, "{sign}{size:x}").is_ok(),
        "o" => write!(out, "{sign}{size:o}").is_ok(),
        "b" => write!(out, "{sign}{size:b}").is_ok(),
        _ => match hint.strip_prefix("d-").map(str::parse::<usize>) {
            Some(Ok(places @ 1..=PLACES_MAX)) => {
                let digits = places + 1;
                let start = out.len();
                let _ = write!(out, "{sign}{size:0digits$}");
                let point = out.len() - places;
                if out.is_char_boundary(point) && point > start {
                    out.insert(point, '.');
                }
                true
            }
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(hint: &str, value: &[u8]) -> Option<String> {
        let mut out = String::from("=");
        octets(hint, value, &mut out).then(|| out.split_off(1))
    }

    #[test]
    fn hints_of_the_standards_show_what_the_standards_say() {
        for (hint, value, text) in [
            (
                "1x:",
                &[0, 0x1b, 0x21, 0xaa, 0xbb, 0xcc][..],
                "00:1b:21:aa:bb:cc",
            ),
            ("1d.1d.1d.1d", &[10, 0, 0, 1], "10.0.0.1"),
            ("1d.1d.1d.1d/2d", &[10, 0, 0, 1, 2, 2], "10.0.0.1/514"),
            (
                "2d-1d-1d,1d:1d:1d.1d",
                &[7, 0xea, 11, 21, 2, 14, 7, 1],
                "2026-11-21,2:14:7.1",
            ),
            (
                "*1x:/1x:",
                &[3, 0xaa, 0xbb, 0xcc, 0xdd, 0xee],
                "aa:bb:cc/dd:ee",
            ),
            ("1a1x", b"A\x01\x02", "A0102"),
            ("2o", &[1, 0], "400"),
            ("0a[1d]", b"\x05", "[5"),
            ("255t", "zürich".as_bytes(), "zürich"),
            ("1x:", b"", ""),
        ] {
            assert_eq!(shown(hint, value).as_deref(), Some(text), "{hint}");
        }
    }

    #[test]
    fn what_does_not_fit_leaves_the_text_as_it_was() {
        for (hint, value) in [
            ("", &b"a"[..]),
            ("x", b"a"),
            ("1", b"a"),
            ("1q", b"a"),
            ("0x", b"a"),
            ("*0x:", b"\xffa"),
            ("255a", b"\xff\xfe"),
            ("255a", b"\x1b[31m"),
            ("20d", &[0xff; 20]),
        ] {
            let mut out = "kept".to_owned();
            assert!(!octets(hint, value, &mut out), "{hint}");
            assert_eq!(out, "kept");
        }
        assert!(is_text("255a") && is_text("1t") && !is_text("a") && !is_text("1x:"));
    }

    #[test]
    fn numbers_get_their_decimal_point() {
        for (hint, number, text) in [
            ("d-2", 1234, "12.34"),
            ("d-2", 5, "0.05"),
            ("d-1", -7, "-0.7"),
            ("x", 255, "ff"),
            ("b", 5, "101"),
        ] {
            let mut out = String::new();
            assert!(integer(hint, number, &mut out));
            assert_eq!(out, text);
        }
        for hint in ["d", "", "d-0", "d-99", "1x"] {
            assert!(!integer(hint, 1, &mut String::new()), "{hint}");
        }
        assert!(integer("d-19", i64::MIN, &mut String::new()));
    }

    proptest! {
        #[test]
        fn any_hint_and_any_octets_end_and_stay_small(
            hint in "[*0-9xdoat:./ -]{0,12}", value in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut out = String::new();
            octets(&hint, &value, &mut out);
            prop_assert!(out.len() <= 8 * value.len() + 16, "{hint} {out}");
        }
    }
}
