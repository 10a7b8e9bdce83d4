//! Cisco's own header shapes: everything that stands in front of a `%FACILITY-SEVERITY-MNEMONIC:`.
//!
//! ```text
//!  IOS, IOS-XE  <189>123: hostname: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: text
//!                    45: 000123: 3w2d: %LINK-3-UPDOWN: text           two counters; uptime in place of a date
//!  IOS-XR       <189>123: hostname RP/0/RSP0/CPU0:Mar  1 18:48:50.483 : ifmgr[201]: %PKT_INFRA-LINK-3-UPDOWN : text
//!  NX-OS        <189>: 2021 Nov  6 16:16:05 UTC: %ETHPORT-5-IF_DOWN: text
//!               <190>2018 Apr 20 13:15:07 hostname %ETHPORT-5-IF_UP: text
//!  AireOS       <134>wlc1: *spamApTask0: Jul 15 12:34:56.039: %CAPWAP-3-ECHO_ERR: text
//!               <134>wlc1: *Dot1x_NW_MsgTask_0: Jul 15 12:34:56.039: #DOT1X-3-ABORT_AUTH: text
//!  UCS          <189>: 2026 Jul 15 12:34:56 CET: %UCSM-6-AUDIT: [session][internal] text
//!  IOS in XML   <190>82: R1: <ios-log-msg><facility>SYS</facility>...
//!  ASA, FTD     <166>Jul 29 2024 10:11:12 hostname : %ASA-6-302013: text
//!  CBS          <189>Jul 15 12:34:56 10.1.1.1 %LINK-W-Down:  gi1/0/1                                    small offices
//!  no code      <191>38: hostname: Mar  1 18:48:50.483: OSPF-1 ADJ   Gi0/0: text                        debugging
//!               <186>39: hostname: -Traceback= 23B5F24Cz 23B5F5E4z                                      behind an error
//! ```
//!
//! Evidence: the code, and nothing in front of it that none of these shapes has; without a code, a counter, a node or
//! NX-OS's colon in front of a time that ends in a colon. So `host Agent: %SYS-5-...` (Arista's
//! shape) is left to the next reader, which keeps the code and names no vendor. A `*` before the time says that the
//! clock was never set, a `.` that it lost its time source (Cisco, "Troubleshooting, Fault Management, and Logging":
//! time stamps on log messages).

pub(super) mod ftd;
mod header;
pub(super) mod ise;
pub(super) mod meraki;
pub(super) mod products;
pub(super) mod wsa;

use super::{Clock, Fidelity, Format, Message, Pri};
use crate::decode::reader::Reader;
use header::Header;

/// A code that starts later than this is a quotation in some text: the longest header, with two names of 63 bytes, is
/// shorter.
const HEADER_BYTES_MAX: usize = 200;

/// Longer words are no codes: the longest in Cisco's message guides has 60 bytes.
const CODE_BYTES_MAX: usize = 96;

pub(super) fn read<'a>(pri: Option<Pri>, input: Reader<'a>) -> Option<Message<'a>> {
    read_behind(b"", pri, input)
}

/// The same behind the counter that a relay took for the program, or behind nothing.
pub(super) fn read_behind<'a>(
    counter: &'a [u8],
    pri: Option<Pri>,
    input: Reader<'a>,
) -> Option<Message<'a>> {
    let Some((header, code, text)) = find_code(input.rest()) else {
        return read_without_code(counter, pri, input)
            .or_else(|| read_xml(counter, pri, input.rest()));
    };
    let header_bytes = header.len();
    let hash = input.rest().get(header_bytes) == Some(&b'#');
    let header = match Header::of_code(header, is_firewall(code), counter) {
        Some(header) if !header.open_word || is_firewall(code) => header,
        // A quotation, or somebody else's.
        _ => return read_without_code(counter, pri, input),
    };
    if hash && !header.has_task {
        return None;
    }
    if pri.is_none() && header.time.is_none() && !header.has_counter() {
        return None;
    }
    let mut message = Message::of(Format::Cisco, pri, text);
    // A code that the message ends with was cut: every sender writes a colon behind it.
    let is_whole = header_bytes + 1 + code.len() < input.rest().len();
    if !is_whole {
        message.text = input.rest().get(header_bytes..).unwrap_or_default();
    }
    header.tell(code, &mut message);
    message.event_code = Some(code).filter(|_| is_whole);
    Some(message)
}

/// A message without a code: debugging output, `last message repeated`, a daemon's line of IOS-XR, or all of it in XML.
/// What such lines count would be missing else.
fn read_without_code<'a>(
    counter: &'a [u8],
    pri: Option<Pri>,
    input: Reader<'a>,
) -> Option<Message<'a>> {
    let mut after = input;
    let header = Header::take(&mut after, counter)?;
    let mut message = Message::of(Format::Cisco, pri, after.rest());
    header.tell(b"", &mut message);
    Some(message)
}

/// The same behind a relay's header, which has found no more than its own time and name.
pub(super) fn refine(message: &mut Message<'_>) -> bool {
    if message.format == Format::Rfc5424 {
        return refine_rfc5424(message);
    }
    let is_bare = message.format == Format::Rfc3164 && message.app_name.is_none();
    let mut input = Reader::new(message.text);
    if !is_bare || message.vendor.is_some() || message.event_code.is_some() {
        return false;
    }
    let Some(header) = Header::take(&mut input, b"") else {
        return false;
    };
    let (relay, relayed) = (message.hostname, message.time);
    header.tell(b"", message);
    message.hostname = message.hostname.or(relay);
    message.time = message.time.or(relayed);
    message.text = input.rest();
    // The relay's time and name where the device says its own.
    message.fidelity = Fidelity::Changed;
    message.recognised(Format::Cisco);
    true
}

/// A line without a time that a relay wrote in the form of RFC 5424: its counter, its code or nothing stands in APP-NAME.
fn refine_rfc5424(message: &mut Message<'_>) -> bool {
    let mut counter = message.app_name.unwrap_or_default();
    if message.vendor.is_some_and(|vendor| vendor != "cisco") {
        return false;
    }
    if let (Some((code, b"")), None) = (split_code(counter), message.event_code) {
        message.event_code = Some(code);
        message.text = message.text.strip_prefix(b" ").unwrap_or(message.text);
        message.fidelity = Fidelity::Changed;
        counter = b"";
    }
    // What is longer than any number is none.
    let is_counter = counter.len() < 20 && counter.iter().all(u8::is_ascii_digit);
    let code = message.event_code.filter(|_| is_counter);
    let Some(code) = code else {
        return false;
    };
    let Some(header) = Header::of_code(b"", false, counter) else {
        return false;
    };
    header.tell_counter(code, message);
    message.app_name = None;
    true
}

/// An IOS message in XML: the header in front of it, and its text whole.
fn read_xml<'a>(counter: &'a [u8], pri: Option<Pri>, body: &'a [u8]) -> Option<Message<'a>> {
    let reach = body.get(..HEADER_BYTES_MAX).unwrap_or(body);
    // Every message without a code is asked: a searcher for the whole mark costs more to build than it saves.
    let is_mark = |at: &usize| {
        let rest = reach.get(*at..).unwrap_or_default();
        rest.starts_with(b"<ios-log-msg>")
    };
    let at = memchr::memchr_iter(b'<', reach).find(is_mark)?;
    let (header, text) = body.split_at_checked(at)?;
    let header = Header::of_code(header, false, counter)?;
    let mut message = Message::of(Format::Cisco, pri, text);
    message.hostname = header.hostname;
    (message.sequence, message.numbering) = (header.sequence, header.numbering);
    message.fidelity = Fidelity::Exact.changed_if(header.dropped || header.is_more_than_xml());
    message.vendor = Some("cisco");
    message.os = Some("ios");
    let mut clock = None;
    let parts = [header.log_sequence(), header.session()];
    products::xml(&mut message, parts, |time| {
        let mut inner = Header::default();
        inner.take_time(&mut Reader::new(time));
        inner.time
    });
    if message.time.is_some() {
        let unset = memchr::memmem::find(text, b"<time>*").is_some();
        let lost = memchr::memmem::find(text, b"<time>.").is_some();
        clock = Some(match unset || lost {
            true => Clock::Unsynchronized,
            false => Clock::Synchronized,
        });
    }
    message.clock = clock;
    Some(message)
}

/// The first code that starts a word within reach: what stands before it, the code, and the text behind it.
fn find_code(body: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let reach = body.get(..HEADER_BYTES_MAX).unwrap_or(body);
    memchr::memchr2_iter(b'%', b'#', reach).find_map(|at| {
        let (header, rest) = body.split_at_checked(at)?;
        if !matches!(header.last(), None | Some(b' ' | b':')) {
            return None;
        }
        let mut marked = Reader::new(rest);
        marked.byte();
        let (code, text) = split_marked(marked)?;
        Some((header, code, text))
    })
}

/// Splits `%FACILITY-SEVERITY-MNEMONIC: text` into the code without `%`, and the text. The facility may have a
/// subfacility (`PKT_INFRA-LINK`), the mnemonic may be a number (`ASA-6-302013`), and the colon may have a space in
/// front of it or be missing.
pub(super) fn split_code(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut input = Reader::new(text);
    input.eat(b'%').then_some(())?;
    split_marked(input)
}

/// What [`split_code`] does behind the mark; AireOS has `#` for it, too.
fn split_marked<'a>(mut input: Reader<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let code = input.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let has_severity = code
        .windows(3)
        .any(|three| matches!(three, [b'-', severity, b'-'] if is_severity(*severity)));
    let starts_well = code.first().is_some_and(u8::is_ascii_alphabetic);
    let ends_well = code.last().is_some_and(u8::is_ascii_alphanumeric);
    if !has_severity || !starts_well || !ends_well || code.len() > CODE_BYTES_MAX {
        return None;
    }
    let mut behind = input;
    behind.eat(b' ');
    if behind.eat(b':') {
        input = behind;
    } else if !matches!(input.peek(), None | Some(b' ')) {
        return None;
    }
    input.eat(b' ');
    Some((code, input.rest()))
}

/// A digit; or the first letter of the level's name, as the switches for small offices write it (`%LINK-W-Down:`).
fn is_severity(byte: u8) -> bool {
    matches!(
        byte,
        b'0'..=b'7' | b'A' | b'C' | b'D' | b'E' | b'I' | b'N' | b'W'
    )
}

/// Codes that nobody but Cisco's firewalls writes, whatever stands in front.
fn is_firewall(code: &[u8]) -> bool {
    [b"ASA-".as_slice(), b"FTD-", b"PIX-", b"FWSM-"]
        .iter()
        .any(|prefix| code.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::super::fields::tests::json;
    use super::super::{Fidelity, Numbering, read};
    use super::*;

    fn text(bytes: Option<&[u8]>) -> &str {
        bytes.map_or("~", |bytes| std::str::from_utf8(bytes).unwrap())
    }

    /// Host, process, code, system, counter, clock and text; `~` for what is not there.
    fn parts(input: &str) -> String {
        let message = read(input.as_bytes());
        format!(
            "{}|{}|{}|{}|{}|{}|{}",
            text(message.hostname),
            text(message.app_name),
            text(message.event_code),
            message.os.unwrap_or("~"),
            message
                .sequence
                .map_or("~".into(), |number| number.to_string()),
            message
                .clock
                .map_or("~".into(), |clock| format!("{clock:?}")),
            text(Some(message.text)),
        )
    }

    #[test]
    fn the_shapes_of_every_family_are_read() {
        for (input, expected) in [
            (
                "<189>123: hostname: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured",
                "hostname|~|SYS-5-CONFIG_I|ios|123|Unsynchronized|Configured",
            ),
            (
                "<189>123: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: Configured",
                "~|~|SYS-5-CONFIG_I|ios|123|Unsynchronized|Configured",
            ),
            (
                "<189>123: .Mar  1 18:48:50.483: %SYS-5-CONFIG_I: x",
                "~|~|SYS-5-CONFIG_I|ios|123|Unsynchronized|x",
            ),
            (
                "<189>1432: sw1: Jun  1 12:50:26.172: %LINEPROTO-5-UPDOWN: x",
                "sw1|~|LINEPROTO-5-UPDOWN|ios|1432|Synchronized|x",
            ),
            (
                "<189>*Mar  1 18:48:50.483: %SYS-5-CONFIG_I: x",
                "~|~|SYS-5-CONFIG_I|ios|~|Unsynchronized|x",
            ),
            (
                "<189>45: 000123: Mar  1 2024 18:48:50 CET: %SYS-5-CONFIG_I: x",
                "~|~|SYS-5-CONFIG_I|ios|45|Synchronized|x",
            ),
            (
                "<189>46: 3w2d: %LINK-3-UPDOWN: x",
                "~|~|LINK-3-UPDOWN|ios|46|~|x",
            ),
            (
                "<189>46: r1: 00:00:46: %LINK-3-UPDOWN: x",
                "r1|~|LINK-3-UPDOWN|ios|46|~|x",
            ),
            (
                "<189>46: r1: *00:00:46: %LINK-3-UPDOWN: x",
                "r1|~|LINK-3-UPDOWN|ios|46|Unsynchronized|x",
            ),
            ("<189>%SYS-5-CONFIG_I: x", "~|~|SYS-5-CONFIG_I|~|~|~|x"),
            (
                "<189>: 2021 Nov  6 16:16:05 UTC: %ETHPORT-5-IF_DOWN: x",
                "~|~|ETHPORT-5-IF_DOWN|nx-os|~|~|x",
            ),
            (
                "<190>2018 Apr 20 13:15:07 nexus-switch %ETHPORT-5-IF_UP: x",
                "nexus-switch|~|ETHPORT-5-IF_UP|nx-os|~|~|x",
            ),
            (
                "<190>sw01.pdx01: 2017 Jul 28 14:42:46 UTC: %AUTHPRIV-6-SYSTEM_MSG: x",
                "sw01.pdx01|~|AUTHPRIV-6-SYSTEM_MSG|nx-os|~|~|x",
            ),
            (
                "<166>%ASA-6-302013: Built",
                "~|~|ASA-6-302013|asa|~|~|Built",
            ),
            (
                "<166>Jul 29 2024 10:11:12: %ASA-6-302013: Built",
                "~|~|ASA-6-302013|asa|~|~|Built",
            ),
            (
                "<166>Jul 29 2024 10:11:12 asa1 : %ASA-6-302013: Built",
                "asa1|~|ASA-6-302013|asa|~|~|Built",
            ),
            (
                "<166>Jul 29 2024 10:11:12 asa1/admin : %ASA-6-302013: Built",
                "asa1/admin|~|ASA-6-302013|asa|~|~|Built",
            ),
            (
                "<189>Nov 22 01:20:01 10.1.1.1 %LINK-W-Down:  gi1/0/1",
                "10.1.1.1|~|LINK-W-Down|~|~|~| gi1/0/1",
            ),
            (
                "<166>Jul 29 2024 10:11:12 asa1: %ASA-6-302013: Built",
                "asa1|~|ASA-6-302013|asa|~|~|Built",
            ),
            (
                "<166>:Jul 29 10:11:12 EDT: %ASA-session-6-302013: Built",
                "~|~|ASA-session-6-302013|asa|~|~|Built",
            ),
            (
                "<166>2024-07-29T10:11:12Z ftd1 : %FTD-6-302013: Built",
                "ftd1|~|FTD-6-302013|ftd|~|~|Built",
            ),
            (
                "<189>RP/0/RSP0/CPU0:Mar  1 18:48:50.483 : ifmgr[201]: %PKT_INFRA-LINK-3-UPDOWN : x",
                "~|ifmgr|PKT_INFRA-LINK-3-UPDOWN|ios-xr|~|Synchronized|x",
            ),
            (
                "<149>2647599: vmx01 RP/0/RSP1/CPU0:Mar 28 15:08:30.941 UTC: bgp[1051]: %ROUTING-BGP-5-MAXPFX : x",
                "vmx01|bgp|ROUTING-BGP-5-MAXPFX|ios-xr|2647599|Synchronized|x",
            ),
            (
                "<187>94307: gw1.dev1 LC/0/2/CPU0:Jul  7 20:16:14.834 : ifmgr[214]: %PKT_INFRA-LINK-3-UPDOWN : x",
                "gw1.dev1|ifmgr|PKT_INFRA-LINK-3-UPDOWN|ios-xr|94307|Synchronized|x",
            ),
        ] {
            assert_eq!(parts(input), expected, "{input}");
            let message = read(input.as_bytes());
            assert_eq!(
                (message.format, message.vendor, message.error),
                (Format::Cisco, Some("cisco"), None)
            );
        }
    }

    #[test]
    fn a_word_between_time_and_colon_is_a_zone_where_the_host_has_its_place() {
        for zone in [
            "CST6",
            "Berlin",
            "EST5EDT",
            "cet",
            "Cet",
            "CET-1",
            "Europe/Berlin",
            "LAB",
        ] {
            for header in [
                format!("36: r9: Nov 22 01:40:01.111 {zone}:"),
                format!("Nov 22 01:40:02 r9 36: Nov 22 01:40:01.111 {zone}:"),
            ] {
                let input = format!("<189>{header} %BGP-5-ADJCHANGE: x");
                let expected = "r9|~|BGP-5-ADJCHANGE|ios|36|Synchronized|x";
                assert_eq!(parts(&input), expected, "{input}");
                let message = read(input.as_bytes());
                assert_eq!(message.time.unwrap().zone, Some(zone.as_bytes()));
                assert_eq!(message.fidelity, Fidelity::Changed, "{input}");
            }
        }
        let counted = "<189>36: Nov 22 01:40:01.111 cet: %BGP-5-ADJCHANGE: x";
        assert_eq!(parts(counted), "~|~|BGP-5-ADJCHANGE|ios|36|Synchronized|x");
        let nexus = "<189>: 2026 Nov 22 01:40:01 cet: %ETHPORT-5-IF_UP: x";
        assert_eq!(parts(nexus), "~|~|ETHPORT-5-IF_UP|nx-os|~|~|x");
        // A firewall's host stands there.
        let firewall = "<166>Jul 29 2024 10:11:12 FWALL: %ASA-6-302013: x";
        assert_eq!(parts(firewall), "FWALL|~|ASA-6-302013|asa|~|~|x");
        // And a relay's, with the counter behind it.
        let relayed = "<189>Jul 15 12:34:57 relay1 Jul 15 12:34:56 r1: 118: %SYS-5-CONFIG_I: x";
        assert_eq!(parts(relayed), "r1|~|SYS-5-CONFIG_I|ios|118|Synchronized|x");
    }

    #[test]
    fn an_offset_in_front_of_a_colon_leaves_host_and_counter() {
        for (zone, minutes) in [("GMT+1", 60), ("UTC+1", 60), ("+01", 60), ("-03", -180)] {
            let input = format!("<189>1: r1: Nov 22 01:00:00.1 {zone}: %BGP-5-ADJCHANGE: x");
            let expected = "r1|~|BGP-5-ADJCHANGE|ios|1|Synchronized|x";
            assert_eq!(parts(&input), expected, "{input}");
            let time = read(input.as_bytes()).time.unwrap();
            assert_eq!(time.offset_minutes, Some(minutes), "{input}");
        }
    }

    #[test]
    fn a_line_without_a_code_is_counted_and_its_header_is_read() {
        for (input, expected) in [
            (
                "<191>38: rtr7: Nov 22 01:20:01.111: OSPF-1 ADJ   Gi0/0: x",
                "rtr7|~|~|ios|38|Synchronized|OSPF-1 ADJ   Gi0/0: x",
            ),
            (
                "<191>38: rtr7: *Nov 22 01:20:01.111 CET: debug 100% of it",
                "rtr7|~|~|ios|38|Unsynchronized|debug 100% of it",
            ),
            (
                "<191>38: rtr7: Nov 22 01:20:01.111: a %SYS-5-CONFIG_I: is quoted",
                "rtr7|~|~|ios|38|Synchronized|a %SYS-5-CONFIG_I: is quoted",
            ),
            (
                "<191>38: rtr7: Nov 22 01:20:01.111 cet: 5 packets",
                "rtr7|~|~|ios|38|Synchronized|5 packets",
            ),
            (
                "<189>100: Nov 22 01:20:01: last message repeated 2 times",
                "~|~|~|ios|100|Synchronized|last message repeated 2 times",
            ),
            (
                "<191>39: r1: 3w2d: IP: s=10.0.0.1",
                "r1|~|~|ios|39|~|IP: s=10.0.0.1",
            ),
            (
                "<190>RP/0/RSP0/CPU0:Nov 22 01:20:01.111 : dumper[65771]: text",
                "~|dumper|~|ios-xr|~|Synchronized|text",
            ),
            (
                "<190>12: gw1 0/RP0/CPU0:Nov 22 01:20:01.111 UTC: dumper[65771]: text",
                "gw1|dumper|~|ios-xr|12|Synchronized|text",
            ),
            (
                "<189>: 2026 Nov 22 01:20:01 CET: last message repeated 3 times",
                "~|~|~|nx-os|~|~|last message repeated 3 times",
            ),
            (
                "<191>57: 2001:db8::5: Nov 22 01:20:01: text",
                "2001:db8::5|~|~|ios|57|Synchronized|text",
            ),
            (
                "<186>1440: -Traceback= 23B5F24Cz",
                "~|~|~|ios|1440|~|-Traceback= 23B5F24Cz",
            ),
            (
                "<186>1441: r1: -Process= \"Chunk Manager\", ipl= 4",
                "r1|~|~|ios|1441|~|-Process= \"Chunk Manager\", ipl= 4",
            ),
            (
                "<186>Nov 22 01:20:02 10.0.0.7 1440: -Traceback= 23B5F24Cz",
                "10.0.0.7|~|~|ios|1440|~|-Traceback= 23B5F24Cz",
            ),
            (
                "<191>Nov 22 01:20:02 10.0.0.7 38: Nov 22 01:20:01: text",
                "10.0.0.7|~|~|ios|38|Synchronized|text",
            ),
        ] {
            assert_eq!(parts(input), expected, "{input}");
            let message = read(input.as_bytes());
            assert_eq!((message.format, message.error), (Format::Cisco, None));
        }
    }

    #[test]
    fn what_has_no_counter_in_front_of_a_time_and_a_colon_is_somebody_elses() {
        for input in [
            "<13>38: text",
            "<13>38: host: text",
            "<13>38: host: -Trace",
            "<13>38: Nov 22 01:20:01 host app: text",
            "<13>12:34:56: text",
            "<13>: 2026: text",
            "<13>a/b: Nov 22 01:20:01: text",
            "<13>2026-11-22T01:20:01Z: text",
            "<13>Nov 22 01:20:01: text",
            "<13>Nov 22 01:20:01 h 38: text",
        ] {
            assert_ne!(read(input.as_bytes()).format, Format::Cisco, "{input}");
        }
    }

    #[test]
    fn a_padded_counter_that_stands_alone_has_holes_and_is_no_sequence() {
        use Numbering::{Either, Logged, Sent};
        for (input, sequence, log_sequence, numbering) in [
            ("000057:", None, Some("000057"), Logged),
            ("45: 000123:", Some(45), Some("000123"), Sent),
            ("000045: 000123:", Some(45), Some("000123"), Sent),
            ("57:", Some(57), None, Sent),
            ("0:", Some(0), None, Sent),
            ("99999:", Some(99_999), None, Sent),
            ("100000:", Some(100_000), None, Either),
            ("100000: 100123:", Some(100_000), Some("100123"), Sent),
        ] {
            let input = format!("<189>{input} *Nov 22 01:20:01: %SYS-5-CONFIG_I: x");
            let message = read(input.as_bytes());
            assert_eq!((message.sequence, message.os), (sequence, Some("ios")));
            assert_eq!(message.numbering, numbering, "{input}");
            let field = message.fields.and_then(|fields| fields.get("log_sequence"));
            let field = field.map(|value| value.bytes);
            assert_eq!(field, log_sequence.map(str::as_bytes), "{input}");
        }
    }

    #[test]
    fn an_origin_id_is_an_address_a_name_or_words_that_are_no_name() {
        for (origin, host) in [
            ("2001:db8::5", "2001:db8::5"),
            ("fe80::", "fe80::"),
            ("2001:db8:0:1:2:3:4:5", "2001:db8:0:1:2:3:4:5"),
            ("10.0.0.5", "10.0.0.5"),
            ("my router", "~"),
            ("lon/r1", "lon/r1"),
        ] {
            let input = format!("<189>57: {origin}: Nov 22 01:20:01: %SYS-5-CONFIG_I: x");
            let expected = format!("{host}|~|SYS-5-CONFIG_I|ios|57|Synchronized|x");
            assert_eq!(parts(&input), expected, "{input}");
        }
        let words = read(b"<189>57: my router: Nov 22 01:20:01: %SYS-5-CONFIG_I: x");
        assert_eq!(words.fidelity, Fidelity::Changed);
    }

    #[test]
    fn a_time_in_iso_form_says_nothing_of_the_system() {
        let input = "<189>2026-11-22T01:20:01Z r1 57: %SYS-5-CONFIG_I: x";
        assert_eq!(parts(input), "r1|~|SYS-5-CONFIG_I|ios|57|Synchronized|x");
    }

    #[test]
    fn a_relays_header_gives_way_to_the_devices_own() {
        let input =
            "<189>Mar  1 19:00:00 10.1.1.1 123: r1: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: x";
        assert_eq!(parts(input), "r1|~|SYS-5-CONFIG_I|ios|123|Unsynchronized|x");
        let message = read(input.as_bytes());
        assert_eq!(message.time.map(|time| time.minute), Some(48));
        assert_eq!(message.fidelity, Fidelity::Changed);
    }

    #[test]
    fn a_device_behind_a_relay_is_named_by_its_own_header() {
        for (header, host) in [
            ("relay1 Core-Rtr: 118:", "Core-Rtr"),
            ("relay1 core-rtr: 118:", "core-rtr"),
            ("relay1 corertr: 118:", "corertr"),
            ("relay1 R1: 118:", "R1"),
            ("relay1 CORE01: 118:", "CORE01"),
            ("relay1 Router: 118:", "Router"),
            ("relay1 192.0.2.7: 118:", "192.0.2.7"),
            ("relay1 118: core-rtr:", "core-rtr"),
            ("R1: 118:", "R1"),
        ] {
            let input = format!("<189>Jul 15 12:34:56 {header} %SYS-5-CONFIG_I: Configured");
            let expected = format!("{host}|~|SYS-5-CONFIG_I|ios|118|Synchronized|Configured");
            assert_eq!(parts(&input), expected, "{input}");
            assert_eq!(read(input.as_bytes()).format, Format::Cisco, "{input}");
        }
    }

    #[test]
    fn what_no_field_holds_is_said_to_be_left_out() {
        for (input, fidelity) in [
            (
                "<189>123: r1: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: x",
                Fidelity::Exact,
            ),
            (
                "<189>123: r1: *Mar  1 18:48:50.483 LAB: %SYS-5-CONFIG_I: x",
                Fidelity::Changed,
            ),
            (
                "<189>45: 000123: Mar  1 18:48:50: %SYS-5-CONFIG_I: x",
                Fidelity::Exact,
            ),
            (
                "<189>45: 000123: 000124: Mar  1 18:48:50: %SYS-5-CONFIG_I: x",
                Fidelity::Changed,
            ),
            ("<189>46: 3w2d: %LINK-3-UPDOWN: x", Fidelity::Exact),
            (
                "<189>RP/0/RSP0/CPU0:Mar  1 18:48:50.483 : a[1]: %A-3-B : x",
                Fidelity::Exact,
            ),
            (
                "<189>RP/0/RSP0/CPU0:Mar  1 18:48:50.483 : a[1]: b[2]: %A-3-B : x",
                Fidelity::Changed,
            ),
            (
                "<189>85: R1: [syslog@9 s_sn=\"5\" s_no=\"6\"]: *Sep 22 13:47:45: %A-3-B: x",
                Fidelity::Changed,
            ),
        ] {
            assert_eq!(read(input.as_bytes()).fidelity, fidelity, "{input}");
        }
    }

    #[test]
    fn what_stands_beside_host_and_time_is_in_the_fields() {
        for (input, expected) in [
            (
                "<189>45: 000123: r1: 3w2d: %LINK-3-UPDOWN: x",
                r#"{"uptime":"3w2d","log_sequence":"000123"}"#,
            ),
            (
                "<187>9: gw1 LC/0/2/CPU0:Jul  7 20:16:14.834 : ifmgr[214]: %A-3-B : x",
                r#"{"node":"LC/0/2/CPU0"}"#,
            ),
            (
                "<189>85: R1: [syslog@9 s_sn=\"5\"]: *Sep 22 13:47:45.672: %SYS-5-CONFIG_I: x",
                r#"{"session":"5"}"#,
            ),
            (
                "<189>85: R1: [syslog@9 s_id=\"R1:514\" s_sn=\"5\"]: *Sep 22 13:47:45: %SYS-5-CONFIG_I: x",
                r#"{"session_id":"R1:514","session":"5"}"#,
            ),
            (
                "<189>85: R1: [syslog@9 s_sn=\"5\" s_id =\"R1:514\"]: *Sep 22 13:47:45: %SYS-5-CONFIG_I: x",
                r#"{"session_id":"R1:514","session":"5"}"#,
            ),
            (
                "<189>2026 Nov 22 01:20:01 nx1 %$ VDC-2 %$ %VPC-2-PEER_KEEP_ALIVE_RECV_FAIL: x",
                r#"{"vdc":"2"}"#,
            ),
        ] {
            let fields = read(input.as_bytes()).fields.unwrap();
            assert_eq!(json(fields), expected, "{input}");
        }
        let plain = read(b"<189>123: r1: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: x");
        assert_eq!(plain.fields, None);
    }

    #[test]
    fn a_code_behind_what_cisco_never_writes_is_left_to_the_next_reader() {
        for input in [
            "<165>Feb  6 09:42:36 veos01 Ebra: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 Ebra: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 veos01 Ebra: 118: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:37 relay Feb  6 09:42:36 Ebra: %LINEPROTO-5-UPDOWN: x",
            "<165>Feb  6 09:42:36 h app[1]: %SYS-5-CONFIG_I: x",
            "<165>Feb  6 09:42:36 h someone logged \"x\" %SYS-5-CONFIG_I: x",
        ] {
            assert_eq!(read(input.as_bytes()).format, Format::Rfc3164, "{input}");
        }
    }

    #[test]
    fn percent_signs_in_text_are_no_codes() {
        for text in [
            "%",
            "%%01IFNET/4/LINK: x",
            "%SYS: x",
            "%SYS-9-X: x",
            "%SYS-X-Y: x",
            "%SYS-5-: x",
            "%-5-X: x",
            "%SYS-5-X;",
            "90% used",
        ] {
            assert_eq!(split_code(text.as_bytes()), None, "{text}");
        }
    }
}
