//! Huawei VRP and H3C Comware, which write one shape with two version numbers.
//!
//! ```text
//!  <190>Jul 15 2026 12:34:56+02:00 SW-CORE %%01IFNET/4/LINK_STATE(l)[3]:The line protocol on ... has entered the UP state.
//!  <189>Jul 15 12:34:56 2026 H3C-SW %%10IFNET/3/PHY_UPDOWN: -Slot=1; Physical state on the interface changed to down.
//!                                   %% version module / severity / mnemonic (kind) [serial] : text
//!  <187>Jul 15 2026 12:34:56 SW-CORE DS/4/DATASYNC_CFGCHANGE:OID 1.3.6.1.4.1.2011.5.25.191.3.1 ...   a trap as text
//!  <189>Jul 15 12:34:56:123 2026 H3C-SW %%10SHELL/6/SHELL_CMD: ...                                  milliseconds
//! ```
//!
//! Evidence: `%%`, two digits, and a module with severity and mnemonic between slashes; without `%%` a module and behind the
//! colon an object of Huawei's or a `CID`. Version 01 is VRP's, 10 is
//! Comware's. (Huawei, "Log Reference": log format; H3C, "System Log Messages Reference": Comware V7 format.)

use super::fields::Fields;
use super::{Format, Message};
use crate::decode::reader::Reader;

/// `(l)` is a log, `(t)` a trap, `(d)` a debugging line, `(s)` security; the serial counts this module's lines.
const PARTS: &[&str] = &["version", "kind", "serial"];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let Some(head) = take_head(&mut input).or_else(|| trap(message, &mut input)) else {
        return false;
    };
    (message.vendor, message.os) = match head.version {
        b"10" => (Some("h3c"), Some("comware")),
        _ => (Some("huawei"), Some("vrp")),
    };
    message.event_code = Some(head.code);
    let parts = [head.version, head.kind, head.serial, b""];
    message.fields = (!head.version.is_empty()).then(|| Fields::parts(PARTS, parts));
    message.text = input.rest();
    message.recognised(Format::Huawei);
    true
}

struct Head<'a> {
    version: &'a [u8],
    code: &'a [u8],
    kind: &'a [u8],
    serial: &'a [u8],
}

/// Takes `DS/4/DATASYNC_CFGCHANGE:` in front of what only Huawei writes there.
fn trap<'a>(message: &Message<'a>, input: &mut Reader<'a>) -> Option<Head<'a>> {
    let mut after = Reader::new(message.text);
    let is_upper = message.text.first().is_some_and(u8::is_ascii_uppercase);
    (is_upper && message.app_name.is_none()).then_some(())?;
    after.take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let slash = after.eat(b'/');
    let severity = after.byte().is_some_and(|byte| byte.is_ascii_digit());
    (slash && severity && after.eat(b'/')).then_some(())?;
    after.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let code = message.text.get(..after.at())?;
    after.eat(b':').then_some(())?;
    after.eat(b' ');
    let starts: [&[u8]; 2] = [b"OID 1.3.6.1.4.1.2011.", b"CID=0x"];
    let is_ours = starts.iter().any(|start| after.rest().starts_with(start));
    is_ours.then_some(())?;
    *input = after;
    Some(Head {
        version: b"",
        code,
        kind: b"",
        serial: b"",
    })
}

/// Takes everything up to the colon, and one space behind it.
fn take_head<'a>(input: &mut Reader<'a>) -> Option<Head<'a>> {
    (input.eat(b'%') && input.eat(b'%')).then_some(())?;
    let version = input.take(2)?;
    let rest = input.rest();
    let module =
        input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let slash = input.eat(b'/');
    let severity = input.take_while(|byte| byte.is_ascii_digit());
    let second_slash = input.eat(b'/');
    // Comware 5 writes spaces in mnemonics (`LINK UPDOWN(l)`).
    let mnemonic = input.take_while(|byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'(' | b'[' | b':') || byte == b' '
    });
    let shaped = version.iter().all(u8::is_ascii_digit)
        && !module.is_empty()
        && slash
        && severity.len() == 1
        && second_slash
        && !mnemonic.is_empty();
    shaped.then_some(())?;
    let code = rest.get(..module.len() + severity.len() + mnemonic.len() + 2)?;
    let kind = between(input, b'(', b')');
    let serial = between(input, b'[', b']');
    input.eat(b':').then_some(())?;
    input.eat(b' ');
    Some(Head {
        version,
        code,
        kind,
        serial,
    })
}

/// Takes a short word in brackets; empty where there is none.
fn between<'a>(input: &mut Reader<'a>, open: u8, close: u8) -> &'a [u8] {
    let mut after = *input;
    if !after.eat(open) {
        return b"";
    }
    let word = after.take_while(|byte| byte.is_ascii_alphanumeric());
    if !after.eat(close) {
        return b"";
    }
    *input = after;
    word
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};
    use super::*;

    #[test]
    fn both_versions_are_read_behind_every_header_that_they_write() {
        for (input, host, code, text) in [
            (
                "<190>Jul 15 2026 12:34:56 SW-CORE %%01IFNET/4/LINK_STATE(l)[3]:The line is up.",
                "SW-CORE",
                "IFNET/4/LINK_STATE",
                "The line is up.",
            ),
            (
                "<29>2018-7-23 01:00:34.270.1 sw1 %%01IFNET/4/IF_STATE(l)[4997]:Interface down",
                "sw1",
                "IFNET/4/IF_STATE",
                "Interface down",
            ),
            (
                "<190>Jul 15 2026 12:34:56.120.3+02:00 DST sw1 %%01SSH/4/LOGIN(s)[1]:CID=0x1;User",
                "sw1",
                "SSH/4/LOGIN",
                "CID=0x1;User",
            ),
            (
                "<189>Jul 15 12:34:56 2026 H3C %%10IFNET/3/PHY_UPDOWN: -Slot=1; changed",
                "H3C",
                "IFNET/3/PHY_UPDOWN",
                "-Slot=1; changed",
            ),
            (
                "<189>Jul 15 12:34:56 2026 H3C %%10IFNET/4/LINK UPDOWN(l): up",
                "H3C",
                "IFNET/4/LINK UPDOWN",
                "up",
            ),
        ] {
            let message = read(input.as_bytes());
            assert_eq!(message.format, Format::Huawei, "{input}");
            assert_eq!(message.hostname, Some(host.as_bytes()), "{input}");
            assert_eq!(message.event_code, Some(code.as_bytes()));
            assert_eq!(message.text, text.as_bytes());
            assert!(message.time.is_some());
        }
    }

    #[test]
    fn a_trap_as_text_is_told_by_its_object() {
        for (text, code, rest) in [
            (
                "DS/4/DATASYNC_CFGCHANGE:OID 1.3.6.1.4.1.2011.5.25.191.3.1 changed",
                "DS/4/DATASYNC_CFGCHANGE",
                "OID 1.3.6.1.4.1.2011.5.25.191.3.1 changed",
            ),
            (
                "IFPDT/4/IF_STATE:CID=0x80fa;Interface is down.",
                "IFPDT/4/IF_STATE",
                "CID=0x80fa;Interface is down.",
            ),
        ] {
            let input = format!("<187>Nov 22 2026 01:20:01 HW-1 {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.os), (Some("huawei"), Some("vrp")));
            assert_eq!(message.event_code, Some(code.as_bytes()));
            assert_eq!(message.text, rest.as_bytes());
            assert_eq!((message.fields, message.fidelity), (None, Fidelity::Exact));
        }
        for other in ["A/4/B:OID 1.3.6.1.4.1.9.1 x", "I/O/x:CID=0x1", "A/4/B: x"] {
            let input = format!("<187>Nov 22 2026 01:20:01 HW-1 {other}");
            assert_eq!(read(input.as_bytes()).vendor, None, "{other}");
        }
    }

    #[test]
    fn comware_may_write_milliseconds_in_front_of_the_year() {
        let message =
            read(b"<189>Nov 22 01:20:01:123 2026 H3C-1 %%10SHELL/6/SHELL_CMD: -Line=vty0; x");
        assert_eq!((message.vendor, message.os), (Some("h3c"), Some("comware")));
        assert_eq!(message.hostname, Some(&b"H3C-1"[..]));
        let time = message.time.unwrap();
        assert_eq!((time.year, time.micros), (Some(2026), 123_000));
        assert_eq!(
            (time.fraction_digits, message.fidelity),
            (3, Fidelity::Exact)
        );
    }

    #[test]
    fn version_and_kind_are_fields_so_that_nothing_is_left_out() {
        let message = read(b"<190>Jul 15 2026 12:34:56 s %%01IFNET/4/LINK_STATE(l)[3]:up");
        assert_eq!(message.fidelity, Fidelity::Exact);
        assert_eq!(
            json(message.fields.unwrap()),
            r#"{"version":"01","kind":"l","serial":"3"}"#
        );
        assert_eq!((message.vendor, message.os), (Some("huawei"), Some("vrp")));
        let h3c = read(b"<190>Jul 15 12:34:56 2026 s %%10SHELL/5/SHELL_LOGIN: x");
        assert_eq!((h3c.vendor, h3c.os), (Some("h3c"), Some("comware")));
    }

    #[test]
    fn what_is_cut_or_only_alike_stays_text() {
        for text in [
            "%%01",
            "%%01IFNET/4",
            "%%01IFNET/4/LINK",
            "%%AAIFNET/4/L: x",
            "%%01/4/L: x",
        ] {
            let input = format!("<190>Jul 15 2026 12:34:56 s {text}");
            assert_eq!(read(input.as_bytes()).text, text.as_bytes());
        }
    }
}
