//! Dell's switches (OS10, and OS9 that was Force10's), and SONiC, which runs on theirs and others'.
//!
//! ```text
//!  OS10   <189>1 2026-07-15T12:34:56.789123+00:00 sw1 dn_alm 1234 - - Node.1-Unit.1:PRI [event], Dell EMC (OS10) %IFM_ASTATE_UP: text
//!  OS9    <189>Jul 15 12:34:56 sw1 %STKUNIT0-M:CP %IFMGR-5-OSTATE_UP: text
//!  SONiC  <166>Jul 15 12:34:56.505646 sw1 INFO bgp#zebra[292]: text                      level container#process
//!         <166>1 2026-07-15T12:34:56.505646+00:00 sw1 bgp#zebra 292 - -  text
//! ```
//!
//! Evidence: `(OS10) %`; a unit of a stack or a route processor module in front of a second `%`; a name of one of SONiC's
//! containers in front of `#`. (Dell, "OS10 User Guide": system logs; "Dell Networking OS9 Command Reference": logging.)

use super::fields::Fields;
use super::{Message, cisco, rfc3164};
use crate::decode::reader::Reader;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    os10(message) || os9(message) || sonic(message)
}

fn os10(message: &mut Message<'_>) -> bool {
    const MARK: &[u8] = b"(OS10) %";
    if !message.text.starts_with(b"Node.") && !message.text.starts_with(b"Dell") {
        return false;
    }
    let Some(found) = memchr::memmem::find(message.text, MARK) else {
        return false;
    };
    let mut input = Reader::new(message.text);
    let head = input.take(found).unwrap_or_default();
    input.take(MARK.len());
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if code.is_empty() || !input.eat(b':') {
        return false;
    }
    input.eat(b' ');
    let mut parts = Reader::new(head);
    let node = match head.starts_with(b"Node.") {
        true => parts.take_to([b',']),
        false => b"",
    };
    // What stands behind the node is the product's name, which the vendor says.
    let product = parts.rest();
    let is_product = matches!(
        product,
        b", Dell EMC " | b", Dell " | b"Dell EMC " | b"Dell "
    );
    message.fidelity = message.fidelity.changed_if(!is_product);
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(&["node"], [node, b"", b"", b""]));
    message.text = input.rest();
    message.vendor = Some("dell");
    message.os = Some("os10");
    true
}

fn os9(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    if !input.eat(b'%') {
        return false;
    }
    let unit = input.take_while(|byte| byte.is_ascii_graphic() && byte != b'%');
    let known = unit.starts_with(b"STKUNIT") || unit.starts_with(b"RPM");
    if !known || !unit.contains(&b':') || !input.eat(b' ') {
        return false;
    }
    let Some((code, text)) = cisco::split_code(input.rest()) else {
        return false;
    };
    message.event_code = Some(code);
    message.fields = Some(Fields::parts(&["unit"], [unit, b"", b"", b""]));
    message.text = text;
    message.vendor = Some("dell");
    message.os = Some("os9");
    true
}

/// The vendor of the switch does not show.
fn sonic(message: &mut Message<'_>) -> bool {
    const CONTAINERS: [&[u8]; 12] = [
        b"bgp",
        b"database",
        b"dhcp_relay",
        b"lldp",
        b"mgmt-framework",
        b"pmon",
        b"radv",
        b"restapi",
        b"snmp",
        b"swss",
        b"syncd",
        b"teamd",
    ];
    let is_known = |name: &[u8]| {
        let mut input = Reader::new(name);
        let container = input.take_to([b'#']);
        !input.is_empty() && CONTAINERS.contains(&container)
    };
    if message.app_name.is_none() {
        take_leveled(message, is_known);
    }
    let found = message.app_name.is_some_and(is_known);
    if found {
        message.os = Some("sonic");
    }
    found
}

/// Takes `INFO bgp#zebra[292]: `, as the switch's own rsyslog forwards it.
fn take_leveled(message: &mut Message<'_>, is_known: impl Fn(&[u8]) -> bool) {
    const LEVELS: [&[u8]; 8] = [
        b"EMERG", b"ALERT", b"CRIT", b"ERR", b"WARNING", b"NOTICE", b"INFO", b"DEBUG",
    ];
    let mut input = Reader::new(message.text);
    let level = input.take_while(|byte| byte.is_ascii_uppercase());
    if !LEVELS.contains(&level) || !input.eat(b' ') {
        return;
    }
    let mut name = input;
    if !is_known(name.take_while(|byte| byte.is_ascii_graphic() && byte != b'[' && byte != b':')) {
        return;
    }
    if rfc3164::take_tag(&mut input, message) {
        message.fields = Some(Fields::parts(&["level"], [level, b"", b"", b""]));
        message.text = input.rest();
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    #[test]
    fn os10_puts_its_name_before_the_code_and_os9_its_unit() {
        for (input, os, code, fields) in [
            (
                "<189>1 2026-07-15T12:34:56.789123+00:00 sw1 dn_alm 1234 - - Node.1-Unit.1:PRI [event], Dell EMC (OS10) %IFM_ASTATE_UP: text",
                "os10",
                "IFM_ASTATE_UP",
                r#"{"node":"Node.1-Unit.1:PRI [event]"}"#,
            ),
            (
                "<189>Jul 15 12:34:56 sw1 %STKUNIT0-M:CP %IFMGR-5-OSTATE_UP: text",
                "os9",
                "IFMGR-5-OSTATE_UP",
                r#"{"unit":"STKUNIT0-M:CP"}"#,
            ),
        ] {
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.os), (Some("dell"), Some(os)));
            assert_eq!(message.hostname, Some(&b"sw1"[..]));
            assert_eq!(message.event_code, Some(code.as_bytes()));
            assert_eq!(message.text, b"text");
            assert_eq!(json(message.fields.unwrap()), fields);
        }
    }

    #[test]
    fn words_between_node_and_product_are_said_to_be_left_out() {
        for (head, fidelity) in [
            ("Node.1-Unit.1:PRI [event], Dell EMC ", Fidelity::Exact),
            ("Dell EMC ", Fidelity::Exact),
            ("Node.1 died, see disk 7, Dell EMC ", Fidelity::Changed),
            ("Dell something ", Fidelity::Changed),
        ] {
            let input = format!("<189>1 2026-07-15T12:34:56Z sw1 a 1 - - {head}(OS10) %FOO: y");
            let message = read(input.as_bytes());
            assert_eq!(message.event_code, Some(&b"FOO"[..]));
            assert_eq!(message.fidelity, fidelity, "{head}");
        }
    }

    #[test]
    fn sonic_shows_by_its_containers_and_its_vendor_does_not() {
        let message = read(b"<166>1 2026-07-15T12:34:56Z sw1 bgp#zebra 292 - - text");
        assert_eq!((message.vendor, message.os), (None, Some("sonic")));
        let other = read(b"<166>1 2026-07-15T12:34:56Z sw1 issue#12 292 - - text");
        assert_eq!(other.os, None);
    }

    #[test]
    fn what_is_cut_keeps_its_text() {
        for text in [
            "Node.1-Unit.1:PRI [event], Dell EMC (OS",
            "Dell (OS10) %IFM",
            "%STKUNIT0-M:CP %IFM",
        ] {
            let input = format!("<189>1 2026-07-15T12:34:56Z sw1 a 1 - - {text}");
            let message = read(input.as_bytes());
            assert_eq!((message.vendor, message.text), (None, text.as_bytes()));
        }
    }
}
