//! Huawei VRP and H3C Comware, which write one shape with two version numbers.
//!
//! ```text
//!  <190>Jul 15 2026 12:34:56+02:00 SW-CORE %%01IFNET/4/LINK_STATE(l)[3]:The line protocol on ... has entered the UP state.
//!  <189>Jul 15 12:34:56 2026 H3C-SW %%10IFNET/3/PHY_UPDOWN: -Slot=1; Physical state on the interface changed to down.
//!                                   %% version module / severity / mnemonic (kind) [serial] : text
//! ```
//!
//! Evidence: `%%`, two digits, and a module with severity and mnemonic between slashes. Version 01 is VRP's, 10 is
//! Comware's. (Huawei, "Log Reference": log format; H3C, "System Log Messages Reference": Comware V7 format.)

use super::fields::Fields;
use super::{Format, Message};
use crate::decode::reader::Reader;

/// `(l)` is a log, `(t)` a trap, `(d)` a debugging line, `(s)` security; the serial counts this module's lines.
const PARTS: &[&str] = &["version", "kind", "serial"];

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    let Some(head) = take_head(&mut input) else {
        return false;
    };
    (message.vendor, message.os) = match head.version {
        b"10" => (Some("h3c"), Some("comware")),
        _ => (Some("huawei"), Some("vrp")),
    };
    message.event_code = Some(head.code);
    message.fields = Some(Fields::parts(
        PARTS,
        [head.version, head.kind, head.serial, b""],
    ));
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
