//! ArcSight's Common Event Format (CEF Implementation Standard, version 25), behind any header or none.
//!
//! ```text
//!  CEF:0|Vendor|Product|Version|EventClassId|Name|Severity|src=10.0.0.1 msg=two words cs1Label=Rule act=blocked \= kept
//!       └ \| and \\ are escapes                            └ a value ends where the next ` name=` starts; \= \\ \n \r
//! ```
//!
//! Evidence: `CEF:`, a version and a bar. The parts of the header are fields too, by the standard's own names.

use super::fields::{Escapes, Field, Fields, Syntax, Value, Walk};
use super::timestamp::{self, Stamp, ZoneWords};
use super::{Format, Message, vendor};
use crate::decode::reader::{self, Reader};

/// The header's parts in order, by the names of the standard's field dictionary.
const PARTS: [&str; 6] = [
    "deviceVendor",
    "deviceProduct",
    "deviceVersion",
    "deviceEventClassId",
    "name",
    "severity",
];

const HEADER_ESCAPES: Escapes = Escapes::backslash(b"|\\");
const VALUE_ESCAPES: Escapes = Escapes::backslash(b"=\\|nr");

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    // Behind a header without a host and with a space behind the colon the mark looks like a tag.
    let tagged = message.app_name.filter(|name| *name == b"CEF");
    let tagged = tagged.and_then(|_| take_version(&mut input));
    let Some(version) = tagged.or_else(|| take_mark(&mut input)) else {
        return false;
    };
    if tagged.is_some() {
        message.app_name = None;
    }
    // Versions 0 and 1 differ in nothing that is read here; no field says any other.
    let is_known = matches!(version, b"0" | b"1");
    message.fidelity = message.fidelity.changed_if(!is_known);
    let (mut name, mut text, mut host, mut time) = (None, None, None, None);
    let fields = Fields::read(Syntax::Cef, input.rest(), |field| match field.name {
        b"deviceVendor" => message.vendor = vendor::named(field.value.bytes),
        b"deviceEventClassId" => {
            message.event_code = Some(field.value.bytes);
            message.code_escapes = field.value.escapes;
        }
        b"name" => name = name.or(Some(field.value)),
        b"msg" => text = Some(field.value),
        b"dvchost" => host = Some(field.value.bytes),
        b"rt" => time = stamp(field.value.bytes),
        _ => {}
    });
    message.event_code = message.event_code.filter(|code| !code.is_empty());
    message.hostname = message.hostname.or(host);
    message.time = message.time.or(time);
    message.fields = fields;
    if let Some(text) = text.or(name).filter(|text| !text.bytes.is_empty()) {
        message.set_text(text);
    }
    message.recognised(Format::Cef);
    true
}

/// Takes `CEF:0|` and returns the version; some write a space behind the colon.
fn take_mark<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    (input.take(4)? == b"CEF:").then_some(())?;
    input.eat(b' ');
    take_version(input)
}

fn take_version<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let version = input.take_while(|byte| byte.is_ascii_digit());
    (!version.is_empty() && input.eat(b'|')).then_some(version)
}

/// `rt`: milliseconds since 1970, or `Jul 15 2026 12:34:56.789 UTC`.
fn stamp(text: &[u8]) -> Option<Stamp<'_>> {
    let mut input = Reader::new(text);
    let stamp = timestamp::epoch(&mut input)
        .or_else(|| timestamp::bsd(&mut input, ZoneWords::Known))
        .or_else(|| timestamp::rfc3339(&mut input));
    stamp.filter(|_| input.is_empty())
}

/// The next part of the header, then the next pair of the extension.
pub(super) fn next<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    if walk.input.is_empty() {
        return None;
    }
    let Some(name) = PARTS.get(walk.place) else {
        return take_pair(walk);
    };
    let value = take_part(&mut walk.input);
    Some(Field {
        name: name.as_bytes(),
        value: Value::with(value, HEADER_ESCAPES),
    })
}

/// Takes what stands before the next bar that is no escape, and the bar; all, where the message was cut.
pub(super) fn take_part<'a>(input: &mut Reader<'a>) -> &'a [u8] {
    let (rest, start) = (input.rest(), input.at());
    while let Some(found) = memchr::memchr2(b'|', b'\\', input.rest()) {
        input.take(found);
        let end = input.at() - start;
        if input.byte() == Some(b'|') {
            return rest.get(..end).unwrap_or_default();
        }
        input.byte();
    }
    input.take_while(|_| true);
    rest
}

/// Takes `name=value`, past what is none. A value may hold spaces and `=`: it ends before the last word in front of an
/// `=`, where that word is a name.
pub(super) fn take_pair<'a>(walk: &mut Walk<'a>) -> Option<Field<'a>> {
    let input = &mut walk.input;
    input.take_while(|byte| byte == b' ');
    let name = match take_name(input) {
        Some(name) => name,
        None => {
            let before = take_to_equals(input)?;
            let name = last_word(before);
            walk.passed_over |= before.len() > name.len();
            name
        }
    };
    let value = take_value(input);
    Some(Field { name, value })
}

/// Takes `name=` where it comes next, as it does behind every value.
fn take_name<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    let name = after.take_while(is_of_name);
    if name.is_empty() || !after.eat(b'=') {
        return None;
    }
    *input = after;
    Some(name)
}

/// Takes everything up to an `=` behind a name, and the `=`.
fn take_to_equals<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let (rest, start) = (input.rest(), input.at());
    let mut word_at = 0;
    while let Some(part) = input.take_until(b'=') {
        // Only what stands behind the last `=` is new.
        let end = input.at() - start - 1;
        let new = memchr::memrchr(b' ', part).map(|at| end - part.len() + at + 1);
        word_at = new.unwrap_or(word_at);
        if is_name(rest.get(word_at..end).unwrap_or_default()) {
            return rest.get(..end);
        }
        word_at = end + 1;
    }
    None
}

/// Takes a value: up to the space in front of the next name, or all of it. Only an `=` is searched for, and the name is
/// looked for backwards from it: one pass, because no two names share a byte.
fn take_value<'a>(input: &mut Reader<'a>) -> Value<'a> {
    let all = input.rest();
    let mut ahead = Reader::new(all);
    // The byte behind the last backslash: a space there is the value's own.
    let mut escaped_at = None;
    let mut value_bytes = all.len();
    while let Some(found) = memchr::memchr2(b'=', b'\\', ahead.rest()) {
        ahead.take(found);
        let at = ahead.at();
        if ahead.byte() == Some(b'\\') {
            escaped_at = Some(at + 1);
            ahead.byte();
            continue;
        }
        let space = space_before_name(all.get(..at).unwrap_or_default());
        if let Some(space) = space.filter(|space| escaped_at != Some(*space)) {
            value_bytes = space;
            break;
        }
    }
    let bytes = input.take(value_bytes).unwrap_or_default().trim_ascii_end();
    match escaped_at {
        Some(_) => Value {
            bytes,
            escapes: VALUE_ESCAPES,
        },
        None => Value::plain(bytes),
    }
}

/// Where the space is in front of the name that `before` ends with.
fn space_before_name(before: &[u8]) -> Option<usize> {
    let name = before.iter().rev().take_while(|byte| is_of_name(**byte));
    let name_bytes = name.count();
    reader::count(name_bytes);
    let space = before.len().checked_sub(name_bytes + 1)?;
    (name_bytes > 0 && before.get(space) == Some(&b' ')).then_some(space)
}

fn last_word(bytes: &[u8]) -> &[u8] {
    let at = memchr::memrchr(b' ', bytes).map_or(0, |at| at + 1);
    bytes.get(at..).unwrap_or_default()
}

fn is_name(word: &[u8]) -> bool {
    !word.is_empty() && word.iter().all(|byte| is_of_name(*byte))
}

/// The standard's names are letters and digits; vendors add `_`, `.`, `-` and brackets. Looked up, because every byte of
/// every name is asked.
fn is_of_name(byte: u8) -> bool {
    const NAME: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let letter = byte as u8;
            table[byte] = letter.is_ascii_alphanumeric()
                || matches!(letter, b'_' | b'.' | b'-' | b'[' | b']');
            byte += 1;
        }
        table
    };
    NAME.get(usize::from(byte)).is_some_and(|is| *is)
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};
    use super::*;

    #[test]
    fn header_and_extension_are_read_with_their_escapes() {
        let message = read(
            br"<134>Jul 15 12:34:56 fw1 CEF:0|Trend Micro|Pro\|duct|1.0|100|Worm \\ found|10|src=10.0.0.1 act=blocked a \= dst=1.1.1.1 msg=two\nlines request=/a?b=c&d=e cs1=",
        );
        assert_eq!(
            (message.format, message.vendor),
            (Format::Cef, Some("trendmicro"))
        );
        assert_eq!(message.hostname, Some(&b"fw1"[..]));
        assert_eq!(message.event_code, Some(&b"100"[..]));
        assert_eq!(message.text, br"two\nlines");
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"deviceVendor":"Trend Micro","deviceProduct":"Pro|duct","deviceVersion":"1.0","deviceEventClassId":"100","name":"Worm \\ found","severity":"10","src":"10.0.0.1","act":"blocked a =","dst":"1.1.1.1","msg":"two\nlines","request":"/a?b=c&d=e","cs1":""}"#
        );
    }

    #[test]
    fn a_value_ends_where_the_next_name_starts() {
        for (text, value) in [
            ("one", "one"),
            ("two words next=1", "two words"),
            ("a=b c=d", "a=b"),
            (r"one\ two=1 next=1", r"one\ two=1"),
            (r"one\\ two=1", r"one\\"),
            (r"one \=two next[0]=1", r"one \=two"),
            (r"one \two=1", r"one \two=1"),
            ("one = two é=1  next=", "one = two é=1"),
            ("next=1", "next=1"),
            (" next=1", ""),
            ("", ""),
        ] {
            let taken = take_value(&mut Reader::new(text.as_bytes()));
            assert_eq!(
                taken,
                Value::with(value.as_bytes(), VALUE_ESCAPES),
                "{text}"
            );
        }
    }

    #[test]
    fn a_message_without_a_header_is_no_error() {
        let message =
            read(b"CEF:0|Infoblox|NIOS|8.4|1203|Blacklist|7|dvchost=dns1 rt=1784118896789 name=x");
        assert_eq!((message.error, message.text), (None, &b"Blacklist"[..]));
        assert_eq!(message.hostname, Some(&b"dns1"[..]));
        assert_eq!(message.time.unwrap().micros, 789_000);
    }

    #[test]
    fn a_version_that_is_none_of_the_standards_is_kept() {
        for (start, fidelity) in [
            ("CEF:0|", Fidelity::Exact),
            ("CEF: 1|", Fidelity::Exact),
            ("CEF:7|", Fidelity::Changed),
        ] {
            let input = format!("{start}V|P|1|5|name|3|src=1 msg=x");
            assert_eq!(read(input.as_bytes()).fidelity, fidelity, "{start}");
        }
    }

    #[test]
    fn a_cut_message_keeps_what_came() {
        for (text, expected) in [
            ("CEF:0|", None),
            ("CEF:0|Cis", Some(r#"{"deviceVendor":"Cis"}"#)),
            (
                "CEF:0|a|b|c|d|e\\",
                Some(
                    r#"{"deviceVendor":"a","deviceProduct":"b","deviceVersion":"c","deviceEventClassId":"d","name":"e\\"}"#,
                ),
            ),
        ] {
            let message = read(text.as_bytes());
            assert_eq!(message.format, Format::Cef);
            assert_eq!(message.fields.map(json).as_deref(), expected, "{text}");
        }
        for text in ["CEF:x|a", "CEF:0", "XCEF:0|a|b"] {
            assert_ne!(read(text.as_bytes()).format, Format::Cef, "{text}");
        }
    }
}
