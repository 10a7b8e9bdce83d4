//! Claims about Cisco's header shapes.

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
    let input = "<189>Mar  1 19:00:00 10.1.1.1 123: r1: *Mar  1 18:48:50.483: %SYS-5-CONFIG_I: x";
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
