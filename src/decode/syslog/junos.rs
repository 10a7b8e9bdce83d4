//! Junos behind a header of RFC 3164 or RFC 5424: routers, switches and SRX firewalls.
//!
//! ```text
//!  standard    <28>Jun 21 14:03:12  r1 rpd[2902]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 1.1.1.1 ...
//!              <4>Jul 20 21:23:00 r1 /kernel: tcp_auth_ok: Packet from ...          codes of the kernel are small
//!              <28>Jul  8 23:04:13  r1 alarmd[2449]: Alarm set: FPC color=RED, ...
//!              <28>Jul 15 12:34:56 r1 rpd[2902]: %DAEMON-4-RPD_BGP_...: text           `explicit-priority`
//!  a card's    <7>Jan 15 08:18:57  re0.r1 fpc1 NH: hold packet out failed, ID 6891  host and card, then the code
//!              <7>Jan 15 08:18:57  re0.r1 fpc3 fpc3 dcpfe: JPRDS_NH:text        twice, then a process in front of the code
//!              <14>Jul 15 12:34:56  srx1  (FPC Slot 1, PIC Slot 0) RT_FLOW: RT_FLOW_SESSION_CREATE: text
//!  structured  <14>1 2026-07-15T12:34:56.789Z srx1 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.129 reason="..."] text
//! ```
//!
//! Evidence: a daemon that only Junos has, a card, or an element `junos@2636` (2636 is Juniper's enterprise number).
//! `re0.` in front of a card's host is the routing engine that relays it, and no part of the name: one device has one
//! name. (Juniper, "System Log Explorer"; Junos, "structured-data" statement.)

use super::fields::Fields;
use super::{Message, Pri, priority, rfc3164};
use crate::decode::reader::Reader;

/// Daemons whose names nobody else uses (`bfdd` and `vrrpd` are FRRouting's too, `nsd` is a name server).
fn is_daemons(name: &[u8]) -> bool {
    matches!(
        name,
        b"/kernel"
            | b"RT_FLOW"
            | b"RT_IDP"
            | b"RT_UTM"
            | b"RT_AAMW"
            | b"RT_IDS"
            | b"RT_IPSEC"
            | b"RT_SCREEN"
            | b"alarmd"
            | b"chassisd"
            | b"cosd"
            | b"craftd"
            | b"dcd"
            | b"dfwd"
            | b"eswd"
            | b"idpd"
            | b"jddosd"
            | b"jlaunchd"
            | b"jsrpd"
            | b"kmd"
            | b"l2ald"
            | b"l2cpd"
            | b"lacpd"
            | b"lfmd"
            | b"mcsnoopd"
            | b"mgd"
            | b"mib2d"
            | b"pfed"
            | b"ppmd"
            | b"rmopd"
            | b"rpd"
            | b"utmd"
            | b"vccpd"
    )
}

/// Longer words in front of a colon are sentences; the longest code of the explorer has 58 bytes.
const CODE_BYTES_MAX: usize = 96;

pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if let Some(data) = message.structured_data {
        if !data.first_id().starts_with(b"junos@2636") {
            return false;
        }
        message.event_code = message.msg_id;
    } else if is_daemon(message) || take_services(message) {
        take_code(message);
    } else if message.app_name.is_some() || !take_card(message) {
        return false;
    }
    message.vendor = Some("juniper");
    message.os = Some("junos");
    true
}

fn is_daemon(message: &Message<'_>) -> bool {
    message.app_name.is_some_and(is_daemons)
}

/// Takes `(FPC Slot 1, PIC Slot 0) ` of a services card, and the tag behind it.
fn take_services(message: &mut Message<'_>) -> bool {
    let mut input = Reader::new(message.text);
    if message.app_name.is_some() || input.take(10) != Some(b"(FPC Slot ") {
        return false;
    }
    let behind = input.take_while(|byte| byte != b')' && byte != b'(');
    if behind.is_empty() || !input.eat(b')') {
        return false;
    }
    let card = message.text.get(1..10 + behind.len()).unwrap_or_default();
    message.fields = Some(Fields::parts(&["card"], [card, b"", b"", b""]));
    input.take_while(|byte| byte == b' ');
    rfc3164::take_tag(&mut input, message);
    message.text = input.rest();
    true
}

/// `RPD_BGP_NEIGHBOR_STATE_CHANGED` of `DAEMON-4-RPD_BGP_...`: an event has one code, whether or not the device puts
/// facility and severity in front (`explicit-priority`), which the PRI mostly says too; and whether it does.
fn bare(code: &[u8], pri: Option<Pri>) -> Option<(&[u8], bool)> {
    let at = code
        .windows(3)
        .position(|three| matches!(three, [b'-', b'0'..=b'7', b'-']))?;
    let (facility, level) = (code.get(..at)?, code.get(at + 1..at + 2)?);
    Some((code.get(at + 3..)?, priority::says(pri, facility, level)))
}

/// Moves `RPD_OSPF_NBRUP:`, `tcp_auth_ok:` or `Alarm set:` from the text's start to the event code.
fn take_code(message: &mut Message<'_>) {
    let pri = message.pri;
    if let Some((code, is_said)) = message.event_code.and_then(|code| bare(code, pri)) {
        message.event_code = Some(code);
        message.fidelity = message.fidelity.changed_if(!is_said);
        return;
    }
    let mut input = Reader::new(message.text);
    input.take_while(|byte| byte == b' ');
    for alarm in [b"Alarm set".as_slice(), b"Alarm cleared"] {
        let mut after = input;
        let code = after.take(alarm.len()).filter(|code| *code == alarm);
        if code.is_some() && after.eat(b':') {
            after.eat(b' ');
            message.event_code = code;
            message.text = after.rest();
            return;
        }
    }
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_code = code.contains(&b'_')
        && code.len() <= CODE_BYTES_MAX
        && code.first().is_some_and(u8::is_ascii_alphabetic);
    if is_code && input.eat(b':') {
        input.eat(b' ');
        message.event_code = Some(code);
        message.text = input.rest();
    }
}

/// Reads what a card logs behind `re0.host`: `fpc1 NH: text`, `fpc3 fpc3 dcpfe: JPRDS_NH:text`.
fn take_card(message: &mut Message<'_>) -> bool {
    let Some(host) = message.hostname else {
        return false;
    };
    let mut input = Reader::new(message.text);
    let Some(card) = take_card_name(&mut input) else {
        return false;
    };
    let second = take_card_name(&mut input);
    let mut process = second.unwrap_or(card);
    let mut code = take_word(&mut input);
    // The tag of a single card's process is what happened: what stands behind it (`PFE_FW_SYSLOG_IP: FW:`) is text.
    if let (Some(_), Some(tag)) = (second, code) {
        (process, code) = (tag, take_word(&mut input));
    }
    let other = second.filter(|second| *second != card);
    message.fields = Some(Fields::parts(
        &["card", "card_2"],
        [card, other.unwrap_or_default(), b"", b""],
    ));
    let relay = [b"re0.".as_slice(), b"re1."];
    let name = relay.iter().find_map(|relay| host.strip_prefix(*relay));
    message.fidelity = message.fidelity.changed_if(name.is_some());
    message.hostname = Some(name.unwrap_or(host));
    message.app_name = Some(process);
    message.event_code = code;
    message.text = input.rest();
    true
}

/// Takes `fpc1 `.
fn take_card_name<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    let name = after.take_while(|byte| byte.is_ascii_alphanumeric());
    let number = name.strip_prefix(b"fpc")?;
    (!number.is_empty() && number.iter().all(u8::is_ascii_digit) && after.eat(b' '))
        .then_some(())?;
    *input = after;
    Some(name)
}

/// Takes `NH: ` or `JPRDS_NH:`.
fn take_word<'a>(input: &mut Reader<'a>) -> Option<&'a [u8]> {
    let mut after = *input;
    let word = after.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (!word.is_empty() && word.len() <= CODE_BYTES_MAX && after.eat(b':')).then_some(())?;
    after.eat(b' ');
    *input = after;
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, read};

    fn text(bytes: Option<&[u8]>) -> &str {
        bytes.map_or("~", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_card_is_a_field_and_a_single_cards_tag_the_code() {
        for (text, parts_expected, fields) in [
            (
                "fpc2 PFE_FW_SYSLOG_IP: FW: x",
                "mx1|fpc2|PFE_FW_SYSLOG_IP|FW: x",
                r#"{"card":"fpc2"}"#,
            ),
            (
                "fpc5 PFE_FW_SYSLOG_IP: FW: x",
                "mx1|fpc5|PFE_FW_SYSLOG_IP|FW: x",
                r#"{"card":"fpc5"}"#,
            ),
            (
                "fpc1 fpc3 dcpfe: JPRDS_NH: x",
                "mx1|dcpfe|JPRDS_NH|x",
                r#"{"card":"fpc1","card_2":"fpc3"}"#,
            ),
            (
                "fpc3 fpc3 dcpfe: two words",
                "mx1|dcpfe|~|two words",
                r#"{"card":"fpc3"}"#,
            ),
        ] {
            let input = format!("<14>Nov 22 01:40:01 mx1 {text}");
            assert_eq!(parts(&input), parts_expected, "{input}");
            assert_eq!(json(read(input.as_bytes()).fields.unwrap()), fields);
        }
    }

    #[test]
    fn a_facility_in_front_of_a_code_is_kept_where_the_pri_says_another() {
        for (pri, fidelity) in [
            ("<28>", Fidelity::Exact),
            ("<29>", Fidelity::Changed),
            ("<36>", Fidelity::Changed),
            ("", Fidelity::Changed),
        ] {
            let input = format!("{pri}Jul 15 12:34:56 r1 rpd[2902]: %DAEMON-4-RPD_OSPF_NBRUP: x");
            assert_eq!(parts(&input), "r1|rpd|RPD_OSPF_NBRUP|x");
            assert_eq!(read(input.as_bytes()).fidelity, fidelity, "{input}");
        }
    }

    fn parts(input: &str) -> String {
        let message = read(input.as_bytes());
        assert_eq!(message.os, Some("junos"), "{input}");
        format!(
            "{}|{}|{}|{}",
            text(message.hostname),
            text(message.app_name),
            text(message.event_code),
            text(Some(message.text))
        )
    }

    #[test]
    fn every_shape_gives_host_process_code_and_text() {
        for (input, expected) in [
            (
                "<28>Jun 21 14:03:12  r1 rpd[2902]: RPD_OSPF_NBRUP: OSPF neighbor up",
                "r1|rpd|RPD_OSPF_NBRUP|OSPF neighbor up",
            ),
            (
                "<4>Jul 20 21:23:00 r1 /kernel: tcp_auth_ok: Packet from x",
                "r1|/kernel|tcp_auth_ok|Packet from x",
            ),
            (
                "<28>Jul  8 23:04:13  r1 alarmd[2449]: Alarm set: FPC color=RED",
                "r1|alarmd|Alarm set|FPC color=RED",
            ),
            (
                "<7>Jan 15 08:18:57  re0.r1 fpc1 NH: hold packet out failed, ID 1",
                "r1|fpc1|NH|hold packet out failed, ID 1",
            ),
            (
                "<7>Dec 10 00:00:01  re0.r1 fpc3 fpc3 dcpfe: JPRDS_NH:alloc(),631: x",
                "r1|dcpfe|JPRDS_NH|alloc(),631: x",
            ),
            (
                "<14>1 2026-07-15T12:34:56.789Z srx1 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.129 reason=\"idle\"] session closed",
                "srx1|RT_FLOW|RT_FLOW_SESSION_CLOSE|session closed",
            ),
            (
                "<28>Jul  8 23:04:13 r1 mgd[1]: no code, a sentence: x",
                "r1|mgd|~|no code, a sentence: x",
            ),
        ] {
            assert_eq!(parts(input), expected, "{input}");
        }
    }

    #[test]
    fn what_others_log_is_not_taken_for_junos() {
        for input in [
            "<28>Jul  8 23:04:13 h app[1]: SOME_CODE: x",
            "<28>Jul  8 23:04:13 h fpc NH: x",
            "<14>1 2026-07-15T12:34:56Z h a - m [other@32473 a=\"b\"] x",
        ] {
            assert_eq!(read(input.as_bytes()).vendor, None, "{input}");
        }
    }
}
