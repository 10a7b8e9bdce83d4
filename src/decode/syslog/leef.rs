//! IBM's Log Event Extended Format (LEEF 1.0 and 2.0), behind any header or none.
//!
//! ```text
//!  LEEF:1.0|Vendor|Product|Version|EventID|src=10.0.0.1<TAB>dst=10.0.0.2<TAB>sev=5
//!  LEEF:2.0|Vendor|Product|Version|EventID|^|src=10.0.0.1^dst=10.0.0.2^sev=5          the separator: one byte, or xHH
//!  LEEF:2.0|Vendor|Product|Version|EventID|src=10.0.0.1<TAB>dst=10.0.0.2               no separator: it is optional
//! ```
//!
//! Evidence: `LEEF:`, a version and a bar. The parts of the header are fields too, the first three by CEF's names.

use super::cef::take_part;
use super::fields::{Escapes, Field, Fields, Syntax, Value, Walk};
use super::timestamp::{self, Stamp, ZoneWords};
use super::{Format, Message, vendor};
use crate::decode::reader::Reader;

const PARTS: [&str; 4] = ["deviceVendor", "deviceProduct", "deviceVersion", "eventId"];

/// Separators are told apart in the header; backslashes stand before `=`, `|` and themselves.
const ESCAPES: Escapes = Escapes::backslash(b"=|\\");

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    // A relay may have taken the mark for a tag.
    let tagged = message.app_name == Some(b"LEEF");
    if !tagged && input.take(5) != Some(b"LEEF:") {
        return false;
    }
    let version = input.take_while(|byte| byte.is_ascii_digit() || byte == b'.');
    if version.is_empty() || !input.eat(b'|') {
        return false;
    }
    if tagged {
        message.app_name = None;
    }
    let named = Separator::read(version, input);
    let syntax = Syntax::Leef {
        separator: named.as_ref().map_or(b'\t', |named| named.byte),
        names_separator: named.is_some(),
    };
    let is_unknown = named.is_some_and(|named| !named.is_known);
    let is_versioned = matches!(version, b"1.0" | b"2.0");
    message.fidelity = message.fidelity.changed_if(is_unknown || !is_versioned);
    let (mut text, mut host, mut time) = (None, None, None);
    let fields = Fields::read(syntax, input.rest(), |field| match field.name {
        b"deviceVendor" => message.vendor = vendor::named(field.value.bytes),
        b"eventId" => {
            message.event_code = Some(field.value.bytes);
            message.code_escapes = field.value.escapes;
        }
        b"msg" => text = Some(field.value),
        b"identHostName" => host = Some(field.value.bytes),
        b"devTime" => time = stamp(field.value.bytes),
        _ => {}
    });
    message.event_code = message.event_code.filter(|code| !code.is_empty());
    message.hostname = message.hostname.or(host);
    message.time = message.time.or(time);
    message.fields = fields;
    if let Some(text) = text.filter(|text| !text.bytes.is_empty()) {
        message.set_text(text);
    }
    message.recognised(Format::Leef);
    true
}

/// The sixth part of a 2.0 header.
struct Separator {
    byte: u8,
    /// Otherwise a tab stands in for what nobody can read.
    is_known: bool,
}

impl Separator {
    /// One byte, its number in hex (`x09`, `0x5E`), or nothing, which means a tab. `None` where an attribute stands there: the
    /// part is optional.
    fn read(version: &[u8], header: Reader<'_>) -> Option<Separator> {
        let mut input = header;
        version.starts_with(b"2").then_some(())?;
        for _ in PARTS {
            take_part(&mut input);
        }
        let written = take_part(&mut input);
        let byte = match written {
            [] => Some(b'\t'),
            [byte] => Some(*byte),
            [b'x' | b'X', digits @ ..] | [b'0', b'x' | b'X', digits @ ..] => hex(digits),
            _ => None,
        };
        if byte.is_none() && written.contains(&b'=') {
            return None;
        }
        Some(Separator {
            byte: byte.unwrap_or(b'\t'),
            is_known: byte.is_some(),
        })
    }
}

fn hex(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// `devTime`: milliseconds since 1970, or `Jul 15 2026 12:34:56`.
fn stamp(text: &[u8]) -> Option<Stamp<'_>> {
    let mut input = Reader::new(text);
    let stamp = timestamp::epoch(&mut input)
        .or_else(|| timestamp::bsd(&mut input, ZoneWords::Known))
        .or_else(|| timestamp::rfc3339(&mut input));
    stamp.filter(|_| input.is_empty())
}

/// The next part of the header, then the next attribute, past what has no `=`.
pub(super) fn next<'a>(
    walk: &mut Walk<'a>,
    separator: u8,
    names_separator: bool,
) -> Option<Field<'a>> {
    if let Some(name) = PARTS.get(walk.place) {
        (!walk.input.is_empty()).then_some(())?;
        let value = take_part(&mut walk.input);
        return Some(Field {
            name: name.as_bytes(),
            value: Value::with(value, ESCAPES),
        });
    }
    if walk.place == PARTS.len() && names_separator {
        take_part(&mut walk.input);
    }
    loop {
        walk.input
            .take_while(|byte| byte == separator || byte == b' ');
        if walk.input.is_empty() {
            return None;
        }
        let mut pair = Reader::new(walk.input.take_while(|byte| byte != separator));
        let name = pair.take_until(b'=').unwrap_or_default().trim_ascii();
        if !name.is_empty() {
            let value = Value::with(pair.rest(), ESCAPES);
            return Some(Field { name, value });
        }
        walk.passed_over = true;
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};
    use super::*;

    #[test]
    fn a_mark_that_a_relay_took_for_the_program_is_still_one() {
        let message = read(
            b"<14>1 2026-07-15T12:34:56Z h LEEF - - - 1.0|IBM|QRadar|7|logon|src=192.0.2.1\tmsg=x",
        );
        assert_eq!((message.format, message.app_name), (Format::Leef, None));
        assert_eq!(message.event_code, Some(&b"logon"[..]));
        assert_eq!(
            (message.text, message.fidelity),
            (&b"x"[..], Fidelity::Exact)
        );
        let other = read(b"<14>1 2026-07-15T12:34:56Z h LEEF - - - hello");
        assert_eq!(other.app_name, Some(&b"LEEF"[..]));
    }

    #[test]
    fn both_versions_are_read_with_the_separator_that_they_name() {
        for (text, expected) in [
            (
                "LEEF:1.0|Cisco|ASA|9|302013|src=10.0.0.1\tmsg=two words\tsev=5",
                r#"{"deviceVendor":"Cisco","deviceProduct":"ASA","deviceVersion":"9","eventId":"302013","src":"10.0.0.1","msg":"two words","sev":"5"}"#,
            ),
            (
                "LEEF:2.0|Cisco|ASA|9|302013|^|src=1^msg=two words^x=a\\=b",
                r#"{"deviceVendor":"Cisco","deviceProduct":"ASA","deviceVersion":"9","eventId":"302013","src":"1","msg":"two words","x":"a=b"}"#,
            ),
            (
                "LEEF:2.0|Cisco|ASA|9|302013|x7C|src=1|msg=two words||nothing|",
                r#"{"deviceVendor":"Cisco","deviceProduct":"ASA","deviceVersion":"9","eventId":"302013","src":"1","msg":"two words"}"#,
            ),
        ] {
            let message = read(text.as_bytes());
            assert_eq!((message.format, message.error), (Format::Leef, None));
            assert_eq!(message.vendor, Some("cisco"));
            assert_eq!(message.event_code, Some(&b"302013"[..]));
            assert_eq!(message.text, b"two words", "{text}");
            assert_eq!(json(message.fields.unwrap()), expected);
        }
    }

    #[test]
    fn the_separator_of_version_2_is_optional() {
        for (attributes, expected) in [
            ("src=1\tmsg=two words", r#""src":"1","msg":"two words"}"#),
            ("src=1", r#""src":"1"}"#),
            ("src=1|msg=2", r#""src":"1|msg=2"}"#),
            ("|src=1\tmsg=2", r#""src":"1","msg":"2"}"#),
            ("x09|src=1\tmsg=2", r#""src":"1","msg":"2"}"#),
            ("tab|src=1\tmsg=2", r#""src":"1","msg":"2"}"#),
            ("", r#""eventId":"5"}"#),
        ] {
            let input = format!("LEEF:2.0|V|P|1|5|{attributes}");
            let fields = json(read(input.as_bytes()).fields.unwrap());
            assert!(fields.ends_with(expected), "{attributes:?}: {fields}");
        }
        for unknown in [
            "LEEF:2.0|V|P|1|5|tab|src=1\tmsg=2",
            "LEEF:7.0|V|P|1|5|src=1\tmsg=2",
        ] {
            assert_eq!(read(unknown.as_bytes()).fidelity, Fidelity::Changed);
        }
    }

    #[test]
    fn a_cut_message_keeps_what_came_and_its_time_is_its_own() {
        let message = read(b"<13>Jul 15 12:34:56 h LEEF:1.0|IBM|X");
        assert_eq!(message.hostname, Some(&b"h"[..]));
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"deviceVendor":"IBM","deviceProduct":"X"}"#
        );
        let timed = read(b"LEEF:1.0|IBM|X|1|2|devTime=Jul 15 2026 12:34:56\tidentHostName=h2");
        assert_eq!(timed.time.unwrap().year, Some(2026));
        assert_eq!(timed.hostname, Some(&b"h2"[..]));
    }
}
