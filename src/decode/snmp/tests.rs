//! Claims about the whole reader: what it reads, what it refuses, where it differs from the strict parser.

use proptest::prelude::*;

use super::samples::{OBJECT, link_down, tlv, trap_oid, uptime, v1, v2c, varbind};
use super::strict::{StrictVerdict, verdict};
use super::*;

fn values(packet: &[u8]) -> Vec<Value<'_>> {
    read(packet)
        .unwrap()
        .varbinds
        .iter()
        .map(|varbind| varbind.value)
        .collect()
}

fn names(anomalies: Anomalies) -> Vec<&'static str> {
    anomalies.names().collect()
}

#[test]
fn a_clean_v2c_trap_says_what_and_when_and_has_no_anomaly() {
    let packet = link_down();
    let notification = read(&packet).unwrap();
    assert_eq!(notification.version, Version::V2c);
    assert_eq!(notification.kind, PduKind::TrapV2);
    assert_eq!(&packet[notification.community.clone()], b"s3cr3t-c0mm");
    assert_eq!(notification.uptime, Some(12345));
    assert_eq!(names(notification.anomalies), Vec::<&str>::new());
    assert_eq!(notification.fault, None);
    let Header::V2 {
        trap_oid,
        request_id,
        trap_oid_at,
        ..
    } = &notification.header
    else {
        panic!("{:?}", notification.header)
    };
    assert_eq!(trap_oid.unwrap().to_string(), "1.3.6.1.6.3.1.1.5.3");
    assert_eq!(&packet[trap_oid_at.clone()], trap_oid.unwrap().0);
    assert_eq!(*request_id, Some(7));
}

#[test]
fn a_v1_trap_keeps_its_own_fields() {
    let packet = v1(b"public", 6, &[12], &[varbind(OBJECT, &[4, 2, b'h', b'i'])]);
    let notification = read(&packet).unwrap();
    let Header::V1(trap) = &notification.header else {
        panic!("{:?}", notification.header)
    };
    assert_eq!(trap.enterprise.unwrap().to_string(), "1.3.6.1.4.1.9.1");
    assert_eq!(trap.agent_addr, Some([10, 0, 0, 9]));
    assert_eq!((trap.generic_trap, trap.specific_trap), (Some(6), Some(12)));
    assert_eq!(notification.uptime, Some(12345));
    assert_eq!(values(&packet), [Value::OctetString(b"hi")]);
    assert!(notification.anomalies.is_empty());
}

#[test]
fn every_type_is_read() {
    let cases: Vec<(Vec<u8>, Value<'_>)> = vec![
        (vec![2, 1, 0xff], Value::Integer(-1)),
        (vec![4, 0], Value::OctetString(b"")),
        (vec![5, 0], Value::Null),
        (
            vec![6, 2, 0x88, 0x37],
            Value::ObjectIdentifier(Oid(&[0x88, 0x37])),
        ),
        (vec![0x40, 4, 10, 0, 0, 1], Value::IpAddress([10, 0, 0, 1])),
        (vec![0x41, 1, 5], Value::Counter32(5)),
        (vec![0x42, 1, 5], Value::Gauge32(5)),
        (vec![0x43, 1, 5], Value::TimeTicks(5)),
        (vec![0x44, 2, 9, 9], Value::Opaque(&[9, 9])),
        (
            vec![0x44, 7, 0x9f, 0x78, 4, 0x3f, 0xc0, 0, 0],
            Value::OpaqueFloat(1.5),
        ),
        (
            vec![0x44, 11, 0x9f, 0x79, 8, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0],
            Value::OpaqueDouble(1.5),
        ),
        (vec![0x44, 4, 0x9f, 0x76, 1, 5], Value::OpaqueCounter64(5)),
        (
            vec![0x44, 4, 0x9f, 0x7a, 1, 0xfb],
            Value::OpaqueInteger64(-5),
        ),
        (vec![0x44, 4, 0x9f, 0x7b, 1, 5], Value::OpaqueUnsigned64(5)),
        (vec![0x45, 1, 7], Value::NsapAddress(&[7])),
        (
            vec![0x46, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255],
            Value::Counter64(u64::MAX),
        ),
        (vec![0x47, 1, 5], Value::UInteger32(5)),
        (vec![0x80, 0], Value::NoSuchObject),
        (vec![0x81, 0], Value::NoSuchInstance),
        (vec![0x82, 0], Value::EndOfMibView),
    ];
    let mut list = vec![uptime(), trap_oid(3)];
    list.extend(cases.iter().map(|(bytes, _)| varbind(OBJECT, bytes)));
    let packet = v2c(0xa7, b"public", &list);
    let expected: Vec<Value<'_>> = cases.iter().map(|(_, value)| *value).collect();
    assert_eq!(&values(&packet)[2..], expected);
    assert!(read(&packet).unwrap().anomalies.is_empty());
}

#[test]
fn an_odd_varbind_costs_nothing_but_itself() {
    let good = varbind(OBJECT, &[2, 1, 7]);
    let odd: [(Vec<u8>, &str); 8] = [
        (varbind(OBJECT, &[0x40, 3, 1, 2, 3]), "bad_value"),
        (varbind(OBJECT, &[2, 0]), "bad_value"),
        (varbind(OBJECT, &[0xa9, 1, 0]), "unknown_type"),
        (varbind(OBJECT, &[6, 2, 0x2b, 0x81]), "bad_value"),
        (varbind(&[0x2b, 0x81], &[2, 1, 1]), "bad_oid"),
        (varbind(OBJECT, &[]), "bad_varbind"),
        (tlv(0x31, &[1, 2, 3]), "bad_varbind"),
        (varbind(OBJECT, &[2, 1, 1, 5, 0]), "extra_in_varbind"),
    ];
    for (bytes, anomaly) in odd {
        let list = [uptime(), trap_oid(3), bytes, good.clone()];
        let packet = v2c(0xa7, b"public", &list);
        let notification = read(&packet).unwrap();
        assert_eq!(names(notification.anomalies), [anomaly]);
        let read = values(&packet);
        assert_eq!((read.len(), read[3]), (4, Value::Integer(7)), "{anomaly}");
    }
}

#[test]
fn an_element_that_cannot_end_takes_the_rest_and_the_walk_ends() {
    let list = [uptime(), trap_oid(3), vec![0x30, 0x80, 1, 2, 3]];
    let packet = v2c(0xa7, b"public", &list);
    let read_values = values(&packet);
    assert_eq!(read_values[2], Value::Unreadable(&[0x30, 0x80, 1, 2, 3]));
    assert!(read(&packet).unwrap().fault.is_some());
}

#[test]
fn the_first_trap_oid_counts_and_a_missing_one_is_named() {
    let packet = v2c(0xa7, b"public", &[uptime(), trap_oid(3), trap_oid(4)]);
    let notification = read(&packet).unwrap();
    let Header::V2 { trap_oid: oid, .. } = notification.header else {
        panic!()
    };
    assert_eq!(oid.unwrap().to_string(), "1.3.6.1.6.3.1.1.5.3");
    assert_eq!(names(notification.anomalies), ["repeated_trap_oid"]);
    let packet = v2c(0xa7, b"public", &[varbind(OBJECT, &[5, 0])]);
    let notification = read(&packet).unwrap();
    assert_eq!(names(notification.anomalies), ["no_uptime", "no_trap_oid"]);
}

#[test]
fn pdus_in_the_wrong_message_version_are_read_and_named() {
    let mut trap = link_down();
    trap[4] = 0;
    assert_eq!(names(read(&trap).unwrap().anomalies), ["v2_pdu_in_v1"]);
    let mut trap = v1(b"public", 2, &[0], &[]);
    trap[4] = 1;
    assert_eq!(names(read(&trap).unwrap().anomalies), ["v1_pdu_in_v2c"]);
}

#[test]
fn other_pdus_are_no_notifications_and_say_their_name() {
    for (tag, name) in [
        (0xa0, "GetRequest-PDU"),
        (0xa1, "GetNextRequest-PDU"),
        (0xa2, "Response-PDU"),
        (0xa3, "SetRequest-PDU"),
        (0xa5, "GetBulkRequest-PDU"),
        (0xa8, "Report-PDU"),
    ] {
        let packet = v2c(tag, b"public", &[]);
        assert_eq!(read(&packet), Err(Unread::NotANotification { pdu: name }));
    }
}

#[test]
fn a_v3_message_is_recognised_and_nothing_of_it_is_read() {
    let packet = tlv(0x30, &[&[2, 1, 3][..], &tlv(0x30, &[2, 1, 9])].concat());
    let Err(Unread::ParseFailed(unread)) = read(&packet) else {
        panic!()
    };
    assert_eq!(unread.version, Some(Version::V3));
    assert_eq!(unread.fault.reason, "SNMPv3 is not configured");
    let says = unread.to_string();
    assert!(!says.contains("v1") && unread.advice.is_some(), "{says}");
}

#[test]
fn a_packet_cut_anywhere_is_either_unread_or_says_what_is_missing() {
    let packet = link_down();
    for length in 0..packet.len() {
        match read(&packet[..length]) {
            Ok(notification) => {
                assert!(notification.fault.is_some(), "{length}");
                assert!(
                    notification.anomalies.any_of(Anomalies::LENGTH_PAST_END),
                    "{length}"
                );
            }
            Err(Unread::ParseFailed(_)) => {}
            Err(other) => panic!("{length}: {other}"),
        }
    }
}

#[test]
fn no_more_than_the_limit_of_varbinds_is_walked() {
    let packet = v2c(0xa7, b"public", &vec![vec![0x30, 0]; 5000]);
    let notification = read(&packet).unwrap();
    assert_eq!(notification.varbinds.iter().count(), 1024);
    assert!(notification.anomalies.any_of(Anomalies::TOO_MANY_VARBINDS));
}

#[test]
fn an_inform_is_answered_with_itself_as_a_response_and_zeroed_errors() {
    let mut inform = v2c(0xa6, b"public", &[uptime(), trap_oid(3)]);
    let clean = inform.clone();
    let pdu_at = read(&inform).unwrap().pdu_at;
    let status_at = pdu_at + 7;
    inform[status_at] = 5;
    inform.extend([1, 2, 3]);
    let mut out = Vec::new();
    assert!(response(&inform, &read(&inform).unwrap(), &mut out));
    let mut expected = clean;
    expected[pdu_at] = 0xa2;
    assert_eq!(out, expected);
    assert_eq!(verdict(&out), StrictVerdict::Accepted);
}

#[test]
fn traps_and_cut_informs_are_not_answered() {
    let mut out = Vec::new();
    let trap = link_down();
    assert!(!response(&trap, &read(&trap).unwrap(), &mut out));
    let inform = v2c(0xa6, b"public", &[uptime(), trap_oid(3)]);
    let cut = &inform[..inform.len() - 1];
    assert!(!response(cut, &read(cut).unwrap(), &mut out));
    assert!(out.is_empty());
}

/// Whether a verdict is an acceptance.
fn strict_accepts(packet: &[u8]) -> bool {
    verdict(packet) == StrictVerdict::Accepted
}

#[test]
fn every_known_difference_to_the_strict_parser_still_stands() {
    let with = |name: &[u8], value: &[u8]| {
        v2c(
            0xa7,
            b"public",
            &[uptime(), trap_oid(3), varbind(name, value)],
        )
    };
    let value = |value: &[u8]| with(OBJECT, value);
    let patched = |mut packet: Vec<u8>, at: usize, octet: u8| {
        packet[at] = octet;
        packet
    };
    let base = link_down();
    let pdu_at = read(&base).unwrap().pdu_at;
    // What it is, the packet, whether we read it, whether the strict parser does.
    let table: Vec<(&str, Vec<u8>, bool, bool)> = vec![
        ("clean", base.clone(), true, true),
        (
            "negative request-id",
            patched(base.clone(), pdu_at + 4, 0xff),
            true,
            false,
        ),
        (
            "v1 negative specific-trap",
            v1(b"public", 6, &[0xff], &[]),
            true,
            false,
        ),
        (
            "unpadded Counter32",
            value(&[0x41, 4, 255, 255, 255, 255]),
            true,
            false,
        ),
        (
            "unpadded Gauge32",
            value(&[0x42, 4, 255, 255, 255, 255]),
            true,
            false,
        ),
        (
            "unpadded TimeTicks",
            value(&[0x43, 4, 255, 255, 255, 255]),
            true,
            false,
        ),
        (
            "unpadded Counter64",
            value(&[0x46, 8, 255, 255, 255, 255, 255, 255, 255, 255]),
            true,
            false,
        ),
        (
            "unsigned value in INTEGER",
            value(&[2, 5, 0, 255, 255, 255, 255]),
            true,
            false,
        ),
        (
            "community that is not UTF-8",
            v2c(0xa7, &[0xff, 0xfe, 1, 2], &[uptime(), trap_oid(3)]),
            true,
            false,
        ),
        (
            "IpAddress of 3 octets",
            value(&[0x40, 3, 1, 2, 3]),
            true,
            false,
        ),
        ("unknown application tag", value(&[0x4f, 1, 0]), true, true),
        ("unknown context tag", value(&[0x8a, 1, 0]), true, false),
        ("varbind without a value", value(&[]), true, false),
        ("empty OCTET STRING", value(&[4, 0]), true, true),
        ("empty OID", value(&[6, 0]), true, true),
        ("padded INTEGER", value(&[2, 2, 0, 1]), true, true),
        (
            "v2 PDU in a v1 message",
            patched(base.clone(), 4, 0),
            true,
            false,
        ),
        (
            "v1 PDU in a v2c message",
            patched(v1(b"public", 2, &[0], &[]), 4, 1),
            true,
            true,
        ),
        (
            "octets behind the message",
            [base.clone(), vec![1, 2]].concat(),
            true,
            true,
        ),
        (
            "a message cut in the last varbind",
            base[..base.len() - 1].to_vec(),
            true,
            false,
        ),
        (
            "a v1 trap without varbinds",
            v1(b"public", 2, &[0], &[]),
            true,
            true,
        ),
    ];
    for (what, packet, ours, strict) in table {
        assert_eq!(read(&packet).is_ok(), ours, "{what}: ours");
        assert_eq!(
            strict_accepts(&packet),
            strict,
            "{what}: strict says {:?}",
            verdict(&packet)
        );
    }
    // It accepts these and reads them otherwise.
    assert_eq!(
        strict_value(&value(&[4, 0])),
        "Value(Empty)",
        "an empty OCTET STRING loses its type"
    );
    assert_eq!(
        strict_value(&value(&[6, 0])),
        "Value(Empty)",
        "an empty OID loses its type"
    );
    let wrong = strict_names(&with(&[0x88, 0x37], &[5, 0]));
    assert_ne!(wrong[2], "2.999", "OID 2.999 is printed wrongly");
}

fn strict_message(packet: &[u8]) -> snmp_parser::SnmpMessage<'_> {
    use snmp_parser::asn1_rs::FromBer;
    match snmp_parser::SnmpGenericMessage::from_ber(packet) {
        Ok((_, snmp_parser::SnmpGenericMessage::V1(message)))
        | Ok((_, snmp_parser::SnmpGenericMessage::V2(message))) => message,
        other => panic!("{other:?}"),
    }
}

fn strict_value(packet: &[u8]) -> String {
    let message = strict_message(packet);
    let last = message.vars_iter().last().unwrap();
    format!("{:?}", last.val)
}

fn strict_names(packet: &[u8]) -> Vec<String> {
    let message = strict_message(packet);
    message
        .vars_iter()
        .map(|variable| variable.oid.to_id_string())
        .collect()
}

fn any_varbind() -> impl Strategy<Value = Vec<u8>> {
    let name = prop::collection::vec(1..0x7f_u8, 1..20).prop_map(|mut arcs| {
        arcs.insert(0, 0x2b);
        arcs
    });
    let text = prop::collection::vec(any::<u8>(), 1..300).prop_map(|octets| tlv(4, &octets));
    let number = any::<u8>().prop_map(|n| vec![2, 1, n]);
    let counter = any::<u32>().prop_map(|n| {
        let octets = [&[0][..], &n.to_be_bytes()].concat();
        let skip = octets[..4]
            .iter()
            .zip(&octets[1..])
            .take_while(|(here, next)| **here == 0 && **next < 0x80)
            .count();
        tlv(0x41, &octets[skip..])
    });
    let address = any::<[u8; 4]>().prop_map(|octets| tlv(0x40, &octets));
    (name, prop_oneof![text, number, counter, address])
        .prop_map(|(name, value)| varbind(&name, &value))
}

fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let list = prop::collection::vec(any_varbind(), 0..12);
    ("[!-~]{1,40}", list, 0..3).prop_map(|(community, mut list, shape)| {
        if shape == 0 {
            return v1(community.as_bytes(), 6, &[3], &list);
        }
        list.splice(0..0, [uptime(), trap_oid(3)]);
        let pdu = if shape == 1 { 0xa7 } else { 0xa6 };
        v2c(pdu, community.as_bytes(), &list)
    })
}

fn walk_all(packet: &[u8]) {
    let mut out = Vec::new();
    let Ok(notification) = read(packet) else {
        return;
    };
    for varbind in notification.varbinds {
        assert!(varbind.at.end <= packet.len());
        assert!(varbind.value_at.end <= packet.len());
        assert!(varbind.content_at.end <= packet.len());
    }
    mask::copy(packet, &notification, &mut out);
    assert_eq!(out.len(), packet.len());
    response(packet, &notification, &mut out);
}

proptest! {
    #[test]
    fn clean_packets_read_the_same_with_us_and_with_the_strict_parser(packet in any_packet()) {
        let notification = read(&packet).unwrap();
        prop_assert!(notification.anomalies.is_empty(), "{:?}", notification);
        let strict = strict_message(&packet);
        let version = match notification.version { Version::V1 => 0, Version::V2c => 1, Version::V3 => 3 };
        prop_assert_eq!(strict.version, version);
        prop_assert_eq!(strict.community.as_bytes(), &packet[notification.community.clone()]);
        let ours: Vec<String> = notification.varbinds.iter().map(|v| v.name.to_string()).collect();
        prop_assert_eq!(strict_names(&packet), ours);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        walk_all(&bytes);
        verdict(&bytes);
    }

    #[test]
    fn mutated_packets_are_read_without_panic(
        packet in any_packet(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut packet = packet;
        for (at, octet) in changes {
            let at = at.index(packet.len());
            packet[at] = octet;
        }
        walk_all(&packet);
        packet.truncate(cut.index(packet.len()));
        walk_all(&packet);
    }
}

/// Rows of captured packets that are no v1 or v2c notification although their capture calls them one, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[];

#[test]
fn captured_notifications_decode_as_another_dissector_reads_them() {
    let (mut notifications, mut expected) = (0, 0);
    // How many v1 and v2c notifications each file has.
    for (file, count) in [("packets.jsonl", 10), ("net-snmp-clients.jsonl", 11)] {
        let path = format!(
            "{}/../shared/corpus/snmp/{file}",
            env!("CARGO_MANIFEST_DIR")
        );
        let Ok(rows) = std::fs::read_to_string(&path) else {
            println!("skipped: {file} of the corpus is not here");
            continue;
        };
        expected += count;
        for row in rows.lines() {
            notifications += usize::from(captured(&serde_json::from_str(row).unwrap()));
        }
    }
    println!("{notifications} captured v1 and v2c notifications decoded");
    assert!(notifications >= expected, "{notifications} of {expected}");
}

/// Checks one row, and says whether it is a notification.
fn captured(row: &serde_json::Value) -> bool {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let id = text(&row["id"]);
    let hex = text(&row["hex"]);
    let packet: Vec<u8> = (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect();
    walk_all(&packet);
    let community_based = matches!(row["version"].as_str(), Some("v1" | "v2c"));
    let pdu = text(&row["pdu"]).to_lowercase();
    let is_notification = pdu.contains("trap") || pdu.contains("inform");
    let excepted = EXCEPTIONS.iter().any(|(except, _)| *except == id);
    if !community_based || !is_notification || excepted {
        let is_other = matches!(
            read(&packet),
            Err(_) | Ok(Notification { fault: Some(_), .. })
        );
        assert!(is_other || excepted, "{id} decodes after all");
        return false;
    }
    let notification = read(&packet).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(notification.fault, None, "{id}");
    let field = |name: &str| row["tshark"][name].as_str().map(str::to_owned);
    if let Some(names) = field("snmp.name") {
        let ours: Vec<String> = notification
            .varbinds
            .iter()
            .map(|varbind| varbind.name.to_string())
            .collect();
        assert_eq!(ours.join(","), names, "{id}");
    }
    if let Some(community) = field("snmp.community") {
        assert_eq!(
            &packet[notification.community.clone()],
            community.as_bytes()
        );
    }
    if let Header::V1(trap) = &notification.header {
        let oid = trap.enterprise.map(|oid| oid.to_string());
        let address = trap
            .agent_addr
            .map(|octets| std::net::Ipv4Addr::from(octets).to_string());
        let number = |number: Option<i64>| number.map(|number| number.to_string());
        for (name, ours) in [
            ("snmp.enterprise", oid),
            ("snmp.agent_addr", address),
            ("snmp.generic_trap", number(trap.generic_trap)),
            ("snmp.specific_trap", number(trap.specific_trap)),
        ] {
            if let Some(theirs) = field(name) {
                assert_eq!(ours, Some(theirs), "{id} {name}");
            }
        }
    }
    true
}
