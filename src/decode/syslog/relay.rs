//! A relay that took a whole message for text and put its own header in front: the device's own is read instead.
//!
//! ```text
//!  Nov 22 01:20:01 relay │ <189>Nov 22 01:20:00 h2 app: x              a PRI of its own
//!                        │ 1 2026-11-22T01:20:00Z h2 app - - - x       RFC 5424
//!                        │ 2026-11-22T01:20:00Z h2 app[7]: x           a tag and its number behind time and host
//!                        │ Nov 22 2026 01:20:00 HW-1 %%01IFNET/4/...    a dialect behind time and host
//!  1 2026-11-22T01:20:01Z r1 57 - - - │  Nov 22 01:20:00: %SYS-5-CONFIG_I: x    rsyslog's form of a line of Cisco's,
//!                                                                              whose counter it takes for the program;
//!                                                                              its text begins with a space
//! ```
//!
//! Evidence: a header without a tag, and behind it another that is whole. A time alone is no header: many programs write one
//! at the start of their text, and behind one of ISO 8601 a thread and a class (`2026-11-22T01:20:00Z exec-1 com.Bar: x`), as
//! if these were host and tag: such a tag needs its number. What only the relay's header says (its time, its name) is left
//! out, and said to be.

use super::first_word::is_hosts;
use super::{BODIES, Fidelity, Format, HEADERS, Message, cisco, rfc3164, rfc5424, take_pri};
use crate::decode::reader::Reader;

/// The message behind a relay's header, and whether a body reader has been through it. `whole` is all of the message, with
/// the relay's header in front.
pub(super) fn inner<'a>(outer: &Message<'a>, whole: Reader<'a>) -> Option<(Message<'a>, bool)> {
    if outer.app_name.is_some_and(|name| !is_number(name)) {
        return None;
    }
    let text = outer.text_behind_space();
    let input = Reader::new(text);
    // Judged by the first bytes: most texts start otherwise.
    let found = match (outer.format, text) {
        (Format::Rfc3164 | Format::Rfc5424, [b'<', b'0'..=b'9', ..]) => {
            with_pri(input).map(|inner| (inner, false))
        }
        (
            Format::Rfc5424,
            [
                b'*' | b'.' | b':' | b'-' | b'[' | b'<' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z',
                ..,
            ],
        ) => cisco_line(outer, input).map(|inner| (inner, false)),
        (
            Format::Rfc3164,
            [b'A'..=b'Z', _, _, b' ' | b',', ..]
            | [b'1'..=b'9', b' ', ..]
            | [b'1'..=b'9', _, _, _, b'-' | b' ', ..],
        ) if outer.hostname.is_some() => without_pri(input),
        _ => None,
    };
    let (mut inner, refined) = found?;
    inner.pri = inner.pri.or(outer.pri);
    // Relays name the sender and the time where the message does not.
    inner.hostname = inner.hostname.or(outer.hostname);
    inner.time = inner.time.or(outer.time);
    inner.fidelity = Fidelity::Changed;
    if let Some(error) = &mut inner.error {
        // Counted from the text's first byte up to here; the text is the message's end.
        error.at += whole.at() + whole.rest().len().saturating_sub(text.len());
    }
    Some((inner, refined))
}

/// Programs that every host has and that write no number behind their names.
const NUMBERLESS: [&[u8]; 6] = [
    b"kernel",
    b"sudo",
    b"su",
    b"syslogd",
    b"rsyslogd",
    b"systemd",
];

/// Any header that has a time, behind a PRI.
fn with_pri<'a>(input: Reader<'a>) -> Option<Message<'a>> {
    let mut input = input;
    let (pri, _) = take_pri(&mut input);
    pri?;
    let read = HEADERS.iter().find_map(|read| read(pri, input));
    read.filter(|inner| inner.time.is_some() || inner.vendor.is_some())
}

/// Time and host, and behind them a tag or what a body reader knows; or all of RFC 5424.
fn without_pri<'a>(input: Reader<'a>) -> Option<(Message<'a>, bool)> {
    if let Some(inner) = rfc5424::read(None, input) {
        let is_whole = inner.error.is_none() && inner.hostname.is_some();
        return is_whole.then_some((inner, false));
    }
    let mut inner = rfc3164::read(None, input)?;
    let host = inner.hostname?;
    // What programs write at the start of their text has seldom a year and a zone both, and the words behind it are a
    // thread and a class.
    let is_iso = input.peek().is_some_and(|byte| byte.is_ascii_digit());
    let zoned = || inner.time.is_some_and(|time| time.offset_minutes.is_some());
    if is_iso && !(is_hosts(host) && zoned()) {
        return None;
    }
    let is_program = |tag: &[u8]| !is_iso || inner.proc_id.is_some() || NUMBERLESS.contains(&tag);
    let is_tagged = inner.app_name.is_some_and(is_program);
    if is_tagged || inner.text.starts_with(b"CISE_") {
        return Some((inner, false));
    }
    let refined = BODIES.iter().any(|refine| refine(&mut inner));
    (refined && inner.vendor.is_some()).then_some((inner, true))
}

/// A line of Cisco's behind RFC 5424: the counter stands in APP-NAME, or nothing does. A code alone, without time or
/// counter, may be quoted.
fn cisco_line<'a>(outer: &Message<'a>, input: Reader<'a>) -> Option<Message<'a>> {
    let counter = outer.app_name.unwrap_or_default();
    let mut inner = cisco::read_behind(counter, outer.pri, input)?;
    let is_counted = inner.sequence.is_some() || inner.fields.is_some();
    let is_whole = inner.time.is_some() || is_counted || inner.event_code.is_none();
    inner.msg_id = outer.msg_id;
    inner.structured_data = outer.structured_data;
    Some(inner).filter(|_| is_whole)
}

fn is_number(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn text(bytes: Option<&[u8]>) -> &str {
        bytes.map_or("~", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    fn parts(message: &Message<'_>) -> String {
        format!(
            "{}|{}|{}|{}",
            text(message.hostname),
            text(message.app_name),
            text(message.event_code),
            text(Some(message.text))
        )
    }

    #[test]
    fn a_whole_message_behind_a_relays_header_is_read_as_the_devices() {
        for (inner, expected) in [
            ("1 2026-11-22T01:20:00Z h2 app - - - x", "h2|app|~|x"),
            ("<13>1 2026-11-22T01:20:00Z h2 app - - - x", "h2|app|~|x"),
            ("2026-11-22T01:20:00Z h2 app[7]: x", "h2|app|~|x"),
            ("2026-11-22T01:20:00Z h2 kernel: x", "h2|kernel|~|x"),
            (
                "2026-11-22T01:20:00Z esx-1 Hostd: info hostd[7] [Originator@6876 sub=Vimsvc] x",
                "esx-1|Hostd|~|x",
            ),
            ("<189>Nov 22 01:20:00 h2 app: x", "h2|app|~|x"),
            ("<189>Nov 22 01:20:00 app: x", "relay|app|~|x"),
            ("Nov 22 01:20:00 h2 app: x", "h2|app|~|x"),
            (
                "Nov 22 2026 01:20:00 HW-1 %%01SSH/4/LOGIN(s)[1]:User",
                "HW-1|~|SSH/4/LOGIN|User",
            ),
            (
                "Nov 22 01:20:00 lb1 notice mcpd[1]: 01070638:5: Pool",
                "lb1|mcpd|01070638|Pool",
            ),
            (
                "<189>57: r1: Nov 22 01:20:00: %SYS-5-CONFIG_I: x",
                "r1|~|SYS-5-CONFIG_I|x",
            ),
        ] {
            let input = format!("<13>Nov 22 01:20:01 relay {inner}");
            let message = read(input.as_bytes());
            assert_eq!(parts(&message), expected, "{input}");
            assert_eq!(message.fidelity, Fidelity::Changed, "{input}");
            let second = message.time.map(|time| time.second);
            assert_eq!((second, message.error), (Some(0), None), "{input}");
        }
        let message = read(b"<13>Nov 22 01:20:01 relay <189>Nov 22 01:20:00 h2 app: x");
        let severity = message.pri.map(|pri| pri.severity);
        assert_eq!(
            severity,
            Some(5),
            "the device's own goes before the relay's"
        );
        let firewall = read(b"<14>Nov 22 01:20:01 relay Nov 22 01:20:00 PA-9 1,2026/11/22 01:20:00,007,TRAFFIC,end,1,2026/11/22 01:20:00,192.0.2.1");
        assert_eq!(
            (firewall.hostname, firewall.vendor),
            (Some(&b"PA-9"[..]), Some("paloalto"))
        );
    }

    #[test]
    fn a_counter_that_is_no_number_stays_the_programs_name() {
        let message = read(b"<189>1 2026-11-22T01:20:01Z h 99999999999999999999 - - - %SYS-5-X: x");
        assert_eq!(message.app_name, Some(&b"99999999999999999999"[..]));
    }

    #[test]
    fn what_a_program_writes_at_the_start_of_its_text_stays_there() {
        for inner in [
            "2026-11-22T01:20:00Z worker task: started",
            "2026-11-22T01:20:00Z worker-1 task: started",
            "2026-11-22T01:20:00.123Z http-nio-8080-exec-1 com.foo.Bar: started",
            "2026-11-22 01:20:00,123 worker-1 task: started",
            "Nov 22 01:20:00 INFO main: x",
            "Nov 22 01:20:00 some words",
            "1 2026-11-22T01:20:00Z h2",
            "1 of 2026",
            "<14>some words",
            "<b>bold</b>",
            "<189>",
        ] {
            let input = format!("<13>Nov 22 01:20:01 h9 {inner}");
            let message = read(input.as_bytes());
            assert_eq!(parts(&message), format!("h9|~|~|{inner}"));
        }
    }

    #[test]
    fn what_cannot_be_read_behind_a_relay_is_counted_from_the_messages_first_byte() {
        for relay in [
            "<13>Nov 22 01:20:01 relay ",
            "<13>1 2026-11-22T01:20:01Z relay - - - -  ",
        ] {
            let alone = "<13>1 2026-11-22T01:20:00Z h2 app - - [bad x";
            let at = read(alone.as_bytes()).error.unwrap().at;
            let input = format!("{relay}{alone}");
            let message = read(input.as_bytes());
            assert_eq!(message.hostname, Some(&b"h2"[..]));
            assert_eq!(message.error.unwrap().at, relay.len() + at, "{input}");
        }
    }

    #[test]
    fn rsyslogs_form_of_a_line_of_ciscos_keeps_its_counter() {
        let message = read(
            b"<189>1 2026-11-22T01:20:01+00:00 r1 57 - - - Nov 22 01:20:00.123: %SYS-5-CONFIG_I: x",
        );
        assert_eq!(parts(&message), "r1|~|SYS-5-CONFIG_I|x");
        assert_eq!(
            (message.vendor, message.sequence),
            (Some("cisco"), Some(57))
        );
        assert_eq!(message.fidelity, Fidelity::Changed);
        let named = read(
            b"<189>1 2026-11-22T01:20:01+00:00 192.0.2.7 - - - - 57: r1: Nov 22 01:20:00.123: %SYS-5-CONFIG_I: x",
        );
        assert_eq!(parts(&named), "r1|~|SYS-5-CONFIG_I|x");
        let program =
            read(b"<189>1 2026-11-22T01:20:01Z r1 app - - - Nov 22 01:20:00: %SYS-5-CONFIG_I: x");
        assert_eq!(program.app_name, Some(&b"app"[..]));
        assert_eq!(program.vendor, None);
    }

    /// The text, the counters and the system of a line of Cisco's that rsyslog wrote.
    fn relayed(line: &str) -> String {
        let (program, behind) = line.split_once(' ').unwrap();
        let input = format!("<189>1 2026-11-22T01:20:01+00:00 192.0.2.7 {program} - - - {behind}");
        let message = read(input.as_bytes());
        let log_sequence = message.fields.and_then(|fields| fields.get("log_sequence"));
        format!(
            "{}|{}|{}|{}",
            parts(&message),
            message.sequence.unwrap_or_default(),
            text(log_sequence.map(|value| value.bytes)),
            message.os.unwrap_or("~"),
        )
    }

    #[test]
    fn whatever_a_device_of_ciscos_puts_in_front_is_found_behind_rsyslogs_space() {
        for (line, expected) in [
            (
                "57  Nov 22 01:20:00.123: %SYS-5-CONFIG_I: x",
                "192.0.2.7|~|SYS-5-CONFIG_I|x|57|~|ios",
            ),
            (
                "57 r1: *Nov 22 01:20:00.123: %SYS-5-CONFIG_I: x",
                "r1|~|SYS-5-CONFIG_I|x|57|~|ios",
            ),
            (
                "57  r1: Nov 22 01:20:00.123: OSPF-1 ADJ   Gi0/0: x",
                "r1|~|~|OSPF-1 ADJ   Gi0/0: x|57|~|ios",
            ),
            (
                "-  57: r1: Nov 22 01:20:00.123: OSPF-1 ADJ   Gi0/0: x",
                "r1|~|~|OSPF-1 ADJ   Gi0/0: x|57|~|ios",
            ),
            (
                "45  000057: Nov 22 01:20:00.123: %SYS-5-CONFIG_I: x",
                "192.0.2.7|~|SYS-5-CONFIG_I|x|45|000057|ios",
            ),
            (
                "000057  Nov 22 01:20:00.123: %SYS-5-CONFIG_I: x",
                "192.0.2.7|~|SYS-5-CONFIG_I|x|0|000057|ios",
            ),
            (
                "57  3w2d: %SYS-5-CONFIG_I: x",
                "192.0.2.7|~|SYS-5-CONFIG_I|x|57|~|ios",
            ),
            (
                "57  %SYS-5-CONFIG_I: x",
                "192.0.2.7|~|SYS-5-CONFIG_I|x|57|~|ios",
            ),
            (
                "000057  %SYS-5-CONFIG_I: x",
                "192.0.2.7|~|SYS-5-CONFIG_I|x|0|000057|ios",
            ),
            (
                "57  -Traceback= 23B5F24Cz",
                "192.0.2.7|~|~|-Traceback= 23B5F24Cz|57|~|ios",
            ),
            (
                "57  r1 RP/0/RSP0/CPU0:Nov 22 01:20:00.123 : ifmgr[201]: %PKT_INFRA-LINK-3-UPDOWN : x",
                "r1|ifmgr|PKT_INFRA-LINK-3-UPDOWN|x|57|~|ios-xr",
            ),
            ("-  %ASA-6-302013: x", "192.0.2.7|~|ASA-6-302013|x|0|~|asa"),
            ("%ASA-6-302013  x", "192.0.2.7|~|ASA-6-302013|x|0|~|asa"),
        ] {
            assert_eq!(relayed(line), expected, "{line}");
        }
    }

    #[test]
    fn a_line_without_a_time_has_the_relays() {
        for input in [
            "<189>1 2026-11-22T01:20:01Z 192.0.2.7 57 - - -  3w2d: %SYS-5-CONFIG_I: x",
            "<189>1 2026-11-22T01:20:01Z 192.0.2.7 57 - - -  -Traceback= 23B5F24Cz",
            "<189>2026-11-22T01:20:01Z 192.0.2.7 57: -Traceback= 23B5F24Cz",
            "<189>2026-11-22T01:20:01Z 192.0.2.7 57: 3w2d: OSPF-1 ADJ   Gi0/0: x",
            "<13>2026-11-22T01:20:01Z 192.0.2.7 <189>57: 3w2d: %SYS-5-CONFIG_I: x",
        ] {
            let message = read(input.as_bytes());
            assert_eq!(message.sequence, Some(57), "{input}");
            assert_eq!(message.time.map(|time| time.second), Some(1), "{input}");
            assert_eq!(message.hostname, Some(&b"192.0.2.7"[..]), "{input}");
        }
    }

    #[test]
    fn a_space_in_front_stays_where_nothing_is_known() {
        for line in ["57  some text: x", "-  Nov 22 text", "-  %SYS-5", "app  %x"] {
            let (program, text) = line.split_once(' ').unwrap();
            let input = format!("<189>1 2026-11-22T01:20:01Z r1 {program} - - - {text}");
            let message = read(input.as_bytes());
            assert_eq!(message.text, text.as_bytes(), "{input}");
            assert_eq!(message.fidelity, Fidelity::Exact, "{input}");
        }
        let coded = read(b"<189>1 2026-11-22T01:20:01Z r1 app - - -  %SYS-5-CONFIG_I: x");
        assert_eq!(parts(&coded), "r1|app|SYS-5-CONFIG_I|x");
        assert_eq!(coded.fidelity, Fidelity::Exact);
    }
}
