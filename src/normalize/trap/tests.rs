//! Claims about a trap's event: what it says, and what it never says.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::json;

use super::*;
type Json = serde_json::Value;
use crate::decode::snmp::samples::{OBJECT, link_down, tlv, trap_oid, uptime, v1, v2c, varbind};
use crate::decode::snmp::{self, Unread};
use crate::normalize::DomainPolicy;
use crate::normalize::device::{Claim, NoNames};
use crate::packet::{Listener, Peer, Protocol, Transport};
use crate::time::UnixMicros;

/// `snmpTrapCommunity.0`.
const TRAP_COMMUNITY: &[u8] = &[0x2b, 6, 1, 6, 3, 18, 1, 4, 0];

fn config(raw: RawPolicy) -> Config {
    Config {
        raw,
        domain: DomainPolicy::Keep,
        utc_offset_minutes: 0,
        time_skew_seconds_max: 0,
        ..Config::for_agent("test")
    }
}

fn json_text(bytes: &[u8], raw: RawPolicy) -> Option<String> {
    json_with(bytes, &config(raw), &NoNames)
}

fn json_with(bytes: &[u8], config: &Config, names: &impl Names) -> Option<String> {
    let listener = Listener {
        index: 0,
        name: "snmp-udp".into(),
        protocol: Protocol::Snmp,
        transport: Transport::Udp,
    };
    let packet = Packet {
        bytes,
        peer: Peer::Inet(IpAddr::from([10, 0, 0, 1]), 40000),
        listener: &listener,
        received: UnixMicros(1_795_227_247_131_842),
        wholeness: Wholeness::Whole,
    };
    let decoded = match snmp::read(bytes) {
        Ok(notification) => Ok(notification),
        Err(Unread::ParseFailed(unread)) => Err(unread),
        Err(Unread::NotANotification { .. }) => return None,
    };
    let mut scratch = Scratch::default();
    let event = event(decoded.as_ref(), &packet, config, names, &mut scratch);
    let mut out = Vec::new();
    crate::event::write(&event, &mut out).unwrap();
    Some(String::from_utf8(out).unwrap())
}

fn event_of(bytes: &[u8]) -> Json {
    serde_json::from_str(&json_text(bytes, RawPolicy::Auto).unwrap()).unwrap()
}

#[test]
fn a_clean_link_down_reads_as_an_operator_would_say_it() {
    let event = event_of(&link_down());
    assert_eq!(event["kind"], "snmp_trap");
    assert_eq!(event["event_code"], "IF-MIB::linkDown");
    assert_eq!(event["message"], "linkDown ifIndex=2 ifAdminStatus=down(2)");
    assert_eq!(
        (&event["severity"], &event["severity_code"]),
        (&json!("error"), &json!(3))
    );
    assert_eq!(event["device"]["hostname"], "10.0.0.1");
    assert_eq!(event["device"]["hostname_source"], "address");
    assert_eq!(event["snmp"]["uptime_ticks"], 12345);
    assert_eq!(
        event["snmp"]["varbinds"][1],
        json!({"oid": "1.3.6.1.2.1.2.2.1.7.2", "name": "IF-MIB::ifAdminStatus", "index": "2",
            "type": "INTEGER", "value": "2", "number": 2, "label": "down"})
    );
    for absent in [
        "raw",
        "raw_base64",
        "raw_withheld",
        "parse_error",
        "truncated",
    ] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
    assert!(event["snmp"].get("anomalies").is_none());
}

#[test]
fn generic_v1_traps_map_as_rfc_3584_says_and_keep_address_and_enterprise() {
    for (generic, code) in [
        (0, "SNMPv2-MIB::coldStart"),
        (1, "SNMPv2-MIB::warmStart"),
        (2, "IF-MIB::linkDown"),
        (3, "IF-MIB::linkUp"),
        (4, "SNMPv2-MIB::authenticationFailure"),
        (5, "RFC1213-MIB::egpNeighborLoss"),
    ] {
        let event = event_of(&v1(b"s3cr3t", generic, &[0], &[]));
        assert_eq!(event["event_code"], code);
        let oid = format!("1.3.6.1.6.3.1.1.5.{}", generic + 1);
        assert_eq!(event["snmp"]["trap_oid"], oid);
        assert_eq!(event["device"]["vendor"], "cisco");
        let varbinds = &event["snmp"]["varbinds"];
        assert_eq!(varbinds[0]["name"], "SNMP-COMMUNITY-MIB::snmpTrapAddress");
        assert_eq!(varbinds[0]["value"], "10.0.0.9");
        assert_eq!(varbinds[1]["name"], "SNMPv2-MIB::snmpTrapEnterprise");
        assert_eq!(varbinds[1]["value"], "1.3.6.1.4.1.9.1");
        assert_eq!(varbinds.as_array().unwrap().len(), 2);
    }
}

#[test]
fn enterprise_traps_get_a_zero_and_their_number_however_large() {
    let oid = |specific: &[u8]| {
        let event = event_of(&v1(b"s3cr3t", 6, specific, &[]));
        event["snmp"]["trap_oid"].as_str().unwrap().to_owned()
    };
    assert_eq!(oid(&[12]), "1.3.6.1.4.1.9.1.0.12");
    assert_eq!(
        oid(&[0x7f, 0xff, 0xff, 0xff]),
        "1.3.6.1.4.1.9.1.0.2147483647"
    );
    assert_eq!(oid(&[0xff]), "1.3.6.1.4.1.9.1.0.4294967295");
    let event = event_of(&v1(b"s3cr3t", 7, &[0], &[]));
    assert_eq!(event["snmp"]["trap_oid"], Json::Null);
    assert_eq!(event["event_code"], Json::Null);
    assert_eq!(event["snmp"]["anomalies"], json!(["no_trap_oid"]));
    assert_eq!(event["message"], "trap without an OID");
}

#[test]
fn a_v1_trap_of_a_module_without_the_zero_is_still_named() {
    // ospfNbrStateChange is ospfTraps 2: 1.3.6.1.2.1.14.16.2.2.
    let mut packet = v1(b"s3cr3t", 6, &[2], &[]);
    let enterprise = [0x2b, 6, 1, 2, 1, 14, 16, 2];
    let at = packet
        .windows(9)
        .position(|w| w == [6, 7, 0x2b, 6, 1, 4, 1, 9, 1])
        .unwrap();
    packet.splice(at..at + 9, [&[6, 8][..], &enterprise].concat());
    let pdu_at = snmp::read(&packet).unwrap().pdu_at;
    packet[1] += 1;
    packet[pdu_at + 1] += 1;
    let event = event_of(&packet);
    assert_eq!(event["snmp"]["trap_oid"], "1.3.6.1.2.1.14.16.2.0.2");
    assert_eq!(event["event_code"], "OSPF-TRAP-MIB::ospfNbrStateChange");
}

#[test]
fn what_the_sender_appended_itself_is_not_appended_again() {
    let address = varbind(&[0x2b, 6, 1, 6, 3, 18, 1, 3, 0], &[0x40, 4, 1, 2, 3, 4]);
    let event = event_of(&v1(b"s3cr3t", 0, &[0], &[address]));
    let varbinds = event["snmp"]["varbinds"].as_array().unwrap();
    assert_eq!(varbinds.len(), 2);
    assert_eq!(varbinds[0]["value"], "1.2.3.4");
}

#[test]
fn octets_are_text_where_printable_and_hex_where_not() {
    let list = [
        uptime(),
        trap_oid(3),
        varbind(OBJECT, &tlv(4, "zürich ok".as_bytes())),
        varbind(OBJECT, &tlv(4, &[0, 0x1b, 0x21, 0xaa, 0xbb, 0xcc])),
        varbind(&[0x2b, 6, 1, 2, 1, 2, 2, 1, 6, 2], &tlv(4, b"ABCDEF")),
        varbind(
            OBJECT,
            &[0x46, 9, 0, 255, 255, 255, 255, 255, 255, 255, 255],
        ),
    ];
    let event = event_of(&v2c(0xa7, b"s3cr3t", &list));
    let shown = |at: usize| {
        let varbind = &event["snmp"]["varbinds"][at];
        (varbind["encoding"].clone(), varbind["value"].clone())
    };
    assert_eq!(shown(0), (json!("text"), json!("zürich ok")));
    assert_eq!(shown(1), (json!("hex"), json!("001b21aabbcc")));
    assert_eq!(shown(2), (json!("hex"), json!("414243444546")));
    assert_eq!(shown(3), (Json::Null, json!("18446744073709551615")));
    assert!(event["snmp"]["varbinds"][3].get("number").is_none());
}

#[test]
fn the_vendor_is_also_that_of_the_enterprise_which_a_device_sends_itself() {
    // snmpTrapEnterprise.0 = 1.3.6.1.4.1.9.1.
    let enterprise = varbind(
        &[0x2b, 6, 1, 6, 3, 1, 1, 4, 3, 0],
        &tlv(6, &[0x2b, 6, 1, 4, 1, 9, 1]),
    );
    let list = [uptime(), trap_oid(3), enterprise];
    let event = event_of(&v2c(0xa7, b"public", &list));
    assert_eq!(event["device"]["vendor"], "cisco");
    let event = event_of(&v2c(0xa7, b"public", &list[..2]));
    assert_eq!(event["device"]["vendor"], Json::Null);
}

#[test]
fn a_trap_address_of_zeros_is_none_and_the_agent_addr_counts() {
    let name = [0x2b, 6, 1, 6, 3, 18, 1, 3, 0];
    for (octets, expected) in [([0; 4], [10, 0, 0, 9]), ([10, 7, 7, 7], [10, 7, 7, 7])] {
        let named = varbind(&name, &tlv(0x40, &octets));
        let packet = v1(b"public", 2, &[0], &[named]);
        let notification = snmp::read(&packet).unwrap();
        assert_eq!(subject(&notification), Some(IpAddr::from(expected)));
    }
    let named = varbind(&name, &tlv(0x40, &[0; 4]));
    let packet = v2c(0xa7, b"public", &[uptime(), trap_oid(3), named]);
    assert_eq!(subject(&snmp::read(&packet).unwrap()), None);
}

/// A device whose character set the operator named.
struct Latin1(device::Facts);

impl Latin1 {
    fn new() -> Latin1 {
        Latin1(device::Facts {
            encoding: encoding_rs::Encoding::for_label(b"latin1"),
            ..device::Facts::default()
        })
    }
}

impl Names for Latin1 {
    fn identify<'n>(
        &'n self,
        _: &Claim<'_>,
        name: &mut Vec<u8>,
        _: &mut Vec<u8>,
    ) -> Option<device::Identity<'n>> {
        name.extend_from_slice(b"r1");
        Some(device::Identity {
            source: crate::event::HostnameSource::Inventory,
            facts: Some(&self.0),
        })
    }
}

/// Columns 1 to 6 of 1.3.6.1.3.9.1: two addresses with their types, a text, and octets without a hint.
fn with_mibs() -> Config {
    use crate::mib::format::{self, Base, Convention, Definition, Kind, Syntax};
    let column = |number, base, convention, hint: &str| Definition {
        oid: vec![1, 3, 6, 1, 3, 9, 1, number],
        module: "A-MIB".to_owned(),
        name: format!("column{number}"),
        kind: Kind::Column,
        syntax: Some(Syntax {
            base,
            convention,
            hint: hint.to_owned(),
            labels: Vec::new(),
        }),
        index: Vec::new(),
        units: String::new(),
        objects: Vec::new(),
        description: String::new(),
    };
    let (number, octets) = (Base::Integer, Base::OctetString);
    let columns = [
        column(1, number, Convention::InetAddressType, ""),
        column(2, octets, Convention::InetAddress, ""),
        column(3, number, Convention::InetAddressType, ""),
        column(4, octets, Convention::InetAddress, ""),
        column(5, octets, Convention::Other, "255t"),
        column(6, octets, Convention::Other, ""),
    ];
    let file = format::write(&columns, 0).unwrap();
    Config {
        mibs: crate::mib::Set::of(crate::mib::Mibdb::from_bytes(&file).unwrap()),
        ..config(RawPolicy::Auto)
    }
}

/// One value of a column: in row `row`.
fn cell(column: u8, row: u8, value: &[u8]) -> Vec<u8> {
    varbind(&[0x2b, 6, 1, 3, 9, 1, column, row], value)
}

fn event_by_mibs(list: &[Vec<u8>], names: &impl Names) -> Json {
    let packet = v2c(0xa7, b"s3cr3t", &[&[uptime(), trap_oid(3)], list].concat());
    serde_json::from_str(&json_with(&packet, &with_mibs(), names).unwrap()).unwrap()
}

/// How each octet string is shown, as `encoding value`.
fn octets_shown(event: &Json) -> Vec<String> {
    let list = event["snmp"]["varbinds"].as_array().unwrap().iter();
    let shown = list.filter_map(|it| {
        let (encoding, value) = (it["encoding"].as_str()?, it["value"].as_str()?);
        Some(format!("{encoding} {value}"))
    });
    shown.collect()
}

#[test]
fn an_inet_address_is_shown_by_the_type_that_stands_beside_it() {
    let r#type = |column, row, family| cell(column, row, &[2, 1, family]);
    let address = |column, row, octets: &[u8]| cell(column, row, &tlv(4, octets));
    let shown = |list: &[Vec<u8>]| octets_shown(&event_by_mibs(list, &NoNames));
    let name = b"core-1.branch.de";
    let as_address = "hint 636f:7265:2d31:2e62:7261:6e63:682e:6465";
    for (family, octets, expected) in [
        (16, &b"core"[..], "text core"),
        (1, b"core", "hint 99.111.114.101"),
        (16, name, "text core-1.branch.de"),
        (2, name, as_address),
        (16, b"core-rtr", "text core-rtr"),
        (3, b"core-rtr", "hint 99.111.114.101%762475634"),
        // A type that is unknown, or of addresses of another length, says nothing.
        (0, b"core", "hint 99.111.114.101"),
        (2, b"core", "hint 99.111.114.101"),
        (1, name, "text core-1.branch.de"),
        (5, b"core", "text core"),
    ] {
        let both = [r#type(1, 7, family), address(2, 7, octets)];
        assert_eq!(shown(&both), [expected], "{family} before {octets:?}");
        let [first, last] = both;
        assert_eq!(shown(&[last, first]), [expected], "{family} behind");
    }
    // The type of another column is none of its.
    for family in [2, 16] {
        let other = [address(2, 7, &[10, 0, 0, 1]), r#type(3, 7, family)];
        assert_eq!(shown(&other), ["hint 10.0.0.1"]);
    }
    // Of another row, and none at all.
    let other = [r#type(1, 8, 16), address(2, 7, b"core")];
    assert_eq!(shown(&other), ["hint 99.111.114.101"]);
    assert_eq!(shown(&[address(2, 7, name)]), ["text core-1.branch.de"]);
    let bytes = [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1]].concat();
    assert_eq!(shown(&[address(2, 7, &bytes)]), ["hint 2001:db8::1"]);
    // Two pairs in one row: each address has the type before it.
    let pairs = [
        r#type(1, 7, 1),
        r#type(3, 7, 16),
        address(2, 7, &[10, 0, 0, 1]),
        address(4, 7, b"core"),
    ];
    assert_eq!(shown(&pairs), ["hint 10.0.0.1", "text core"]);
}

#[test]
fn a_text_loses_the_nul_at_its_end_and_is_read_by_the_device_s_character_set() {
    let text = |column, octets: &[u8]| cell(column, 1, &tlv(4, octets));
    let alias = |octets: &[u8]| {
        let if_alias = [0x2b, 6, 1, 2, 1, 31, 1, 1, 1, 18, 2];
        varbind(&if_alias, &tlv(4, octets))
    };
    let nul = [text(5, b"eth0\0"), alias(b"uplink\0"), text(5, b"\0")];
    let event = event_by_mibs(&nul, &NoNames);
    assert_eq!(octets_shown(&event), ["text eth0", "text uplink", "text "]);
    assert_eq!(event["snmp"]["anomalies"], json!(["trailing_nul"]));
    assert!(event["message"].as_str().unwrap().contains("=eth0 "));
    // The octets are kept, since the text is not all of them.
    assert!(event["raw"].is_string() || event["raw_base64"].is_string());

    let padded = [
        text(5, b"Gi0/1\0\0\0\0"),
        alias(b"\0\0\0"),
        text(5, b"a\0b\0\0"),
    ];
    let event = event_by_mibs(&padded, &NoNames);
    assert_eq!(
        octets_shown(&event),
        ["text Gi0/1", "text ", "hex 6100620000"]
    );
    assert_eq!(event["snmp"]["anomalies"], json!(["trailing_nul"]));
    assert!(event["raw"].is_string() || event["raw_base64"].is_string());

    let latin1 = [text(5, b"B\xfcro"), alias(b"Geb\xe4ude\0\0")];
    let event = event_by_mibs(&latin1, &Latin1::new());
    assert_eq!(
        octets_shown(&event),
        ["charset B\u{fc}ro", "charset Geb\u{e4}ude"]
    );
    assert_eq!(event["snmp"]["anomalies"], json!(["charset"]));
    assert!(event["raw_base64"].is_string());
    let event = event_by_mibs(&latin1, &NoNames);
    assert_eq!(
        octets_shown(&event),
        ["hex 42fc726f", "hex 476562e47564650000"]
    );

    // What no MIB calls a text stays as it is, and so does what is none.
    let other = [
        text(6, b"eth0\0"),
        text(6, b"B\xfcro"),
        text(5, b"a\0b\0"),
        text(5, b"\xfc\x01"),
    ];
    let event = event_by_mibs(&other, &Latin1::new());
    let expected = ["hex 6574683000", "hex 42fc726f", "hex 61006200", "hex fc01"];
    assert_eq!(octets_shown(&event), expected);
    assert!(event["snmp"].get("anomalies").is_none());
}

#[test]
fn a_community_is_masked_in_its_field_in_its_varbind_and_wherever_else_it_stands() {
    let community = b"s3cr3t-c0mm";
    let list = [
        uptime(),
        trap_oid(3),
        varbind(TRAP_COMMUNITY, &tlv(4, b"0ther-s3cret")),
        varbind(OBJECT, &tlv(4, b"community s3cr3t-c0mm, or 0ther-s3cret")),
        varbind(TRAP_COMMUNITY, &[0x40, 3, 1, 2, 3]),
    ];
    let packet = [v2c(0xa7, community, &list), link_down()].concat();
    let text = json_text(&packet, RawPolicy::Always).unwrap();
    let event: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(event["snmp"]["varbinds"][0]["value"], "***");
    assert_eq!(event["snmp"]["varbinds"][0]["type"], "OCTET STRING");
    let masked = "community ***********, or ************";
    assert_eq!(event["snmp"]["varbinds"][1]["value"], masked);
    assert_eq!(event["snmp"]["varbinds"][2]["value"], "***");
    assert!(!shows(&text, community));
    assert!(!shows(&text, b"0ther-s3cret"));
    assert!(text.contains("community_repeated"));
}

#[test]
fn a_short_community_is_masked_in_its_field_only() {
    let list = [uptime(), trap_oid(3), varbind(OBJECT, &tlv(4, b"abc"))];
    let event = event_of(&v2c(0xa7, b"abc", &list));
    assert_eq!(event["snmp"]["varbinds"][0]["value"], "abc");
}

#[test]
fn a_packet_whose_community_cannot_be_found_sends_no_raw_under_any_policy() {
    let packet = link_down();
    for length in 0..20 {
        for raw in [RawPolicy::Auto, RawPolicy::Always, RawPolicy::Never] {
            let text = json_text(&packet[..length], raw).unwrap();
            assert!(!text.contains("raw\":"), "{length}: {text}");
            assert!(!text.contains("raw_base64"), "{length}: {text}");
            let withheld = text.contains("raw_withheld");
            assert_eq!(withheld, raw != RawPolicy::Never);
        }
    }
}

#[test]
fn v3_shows_nothing_that_was_not_authenticated() {
    let packet = tlv(
        0x30,
        &[&[2, 1, 3][..], &tlv(0x30, b"user-or-payload")].concat(),
    );
    let event = event_of(&packet);
    assert_eq!(event["snmp"]["version"], "v3");
    assert_eq!(event["parse_error"]["reason"], "SNMPv3 is not configured");
    assert!(!shows(&event.to_string(), b"user-or-payload"));
}

#[test]
fn a_message_is_one_line_of_bounded_length() {
    let long = tlv(4, &b"line\nbreak ".repeat(100));
    let mut list = vec![uptime(), trap_oid(3)];
    list.extend(vec![varbind(OBJECT, &long); 40]);
    let event = event_of(&v2c(0xa7, b"s3cr3t", &list));
    let message = event["message"].as_str().unwrap();
    assert!(message.len() < 2048 && !message.contains('\n'), "{message}");
    assert!(message.ends_with('…'));
    assert_eq!(event["snmp"]["varbinds"].as_array().unwrap().len(), 40);
}

/// Whether `secret` stands in the event as text, in hex, or in its base64 part.
fn shows(event: &str, secret: &[u8]) -> bool {
    let holds = |text: &[u8]| memchr::memmem::find(text, secret).is_some();
    let mut hex = String::new();
    octets::hex(secret, &mut hex);
    let parsed: Json = serde_json::from_str(event).unwrap();
    let raw = parsed["raw_base64"].as_str().unwrap_or_default();
    let mut strings = Vec::new();
    collect(&parsed, &mut strings);
    holds(event.as_bytes())
        || holds(&unbase64(raw))
        || strings
            .iter()
            .any(|text| holds(text.as_bytes()) || text.contains(&hex))
}

fn collect(value: &Json, out: &mut Vec<String>) {
    match value {
        Json::String(text) => out.push(text.clone()),
        Json::Array(items) => items.iter().for_each(|item| collect(item, out)),
        Json::Object(map) => map.values().for_each(|item| collect(item, out)),
        _ => {}
    }
}

fn unbase64(text: &str) -> Vec<u8> {
    let digit = |c: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            .iter()
            .position(|&letter| letter == c)
    };
    let bits: Vec<usize> = text.bytes().filter_map(digit).collect();
    bits.chunks(4)
        .flat_map(|chunk| {
            let word =
                chunk.iter().fold(0, |word, bits| word << 6 | bits) << (6 * (4 - chunk.len()));
            let octets = [(word >> 16) as u8, (word >> 8) as u8, word as u8];
            octets
                .into_iter()
                .take(chunk.len() - 1)
                .collect::<Vec<u8>>()
        })
        .collect()
}

#[test]
fn the_search_for_secrets_finds_them_in_each_form() {
    let hidden = |key: &str, text: &str| json!({ key: text }).to_string();
    assert!(shows(&hidden("message", "x s3cr3t y"), b"s3cr3t"));
    assert!(shows(&hidden("value", "00733363723374"), b"s3cr3t"));
    let base64 = Base64(b"ab s3cr3t").to_string();
    assert!(shows(&hidden("raw_base64", &base64), b"s3cr3t"));
    assert!(!shows(&hidden("message", "nothing"), b"s3cr3t"));
}

fn planted() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let text = "[a-zA-Z0-9_!#-]{8,24}".prop_map(String::into_bytes);
    let octets = prop::collection::vec(any::<u8>(), 8..24);
    (prop_oneof![4 => text, 1 => octets], 0..6).prop_map(|(community, shape)| {
        let near = [b"snmp-server community ".as_slice(), &community, b" RO"].concat();
        let list = [
            uptime(),
            trap_oid(3),
            varbind(OBJECT, &tlv(4, &near)),
            varbind(TRAP_COMMUNITY, &tlv(4, &community)),
            varbind(OBJECT, &[0x42, 1, 9]),
        ];
        let packet = match shape {
            0 => v1(&community, 6, &[3], &list[2..]),
            1 => v1(&community, 2, &[0], &list[3..]),
            2 => v2c(0xa6, &community, &list),
            3 => v2c(0xa7, &community, &list[..2]),
            4 => v2c(0xa7, &community, &[&list[..2], &list[3..]].concat()),
            _ => v2c(0xa7, &community, &list),
        };
        (packet, community)
    })
}

/// A community that has the identifier of a PDU in it: with the wrong length before it, what follows that octet is taken
/// for the PDU, and the community's copies elsewhere are of another text than its field.
#[test]
fn a_damaged_length_before_the_community_shows_nothing_of_its_copies() {
    let mut shown = Vec::new();
    for (tag, place) in [0xa4_u8, 0xa6, 0xa7]
        .into_iter()
        .flat_map(|tag| (0..10).map(move |place| (tag, place)))
    {
        let mut community = b"s3cr3t-c0m".to_vec();
        community[place] = tag;
        let near = [b"snmp-server community ".as_slice(), &community, b" RO"].concat();
        let damaged_name = [&[0x2b, 7], &TRAP_COMMUNITY[2..]].concat();
        let list = [
            uptime(),
            trap_oid(3),
            varbind(OBJECT, &tlv(4, &near)),
            varbind(&damaged_name, &tlv(4, &community)),
        ];
        let packets = [
            v2c(0xa7, &community, &list),
            v2c(0xa6, &community, &list),
            v1(&community, 6, &[3], &list[2..]),
        ];
        for (shape, mut packet) in packets.into_iter().enumerate() {
            let field = memchr::memmem::find(&packet, &community).unwrap();
            for length in 0..=255 {
                packet[field - 1] = length;
                let Some(text) = json_text(&packet, RawPolicy::Always) else {
                    continue;
                };
                if shows(&text, &community) {
                    shown.push((tag, place, shape, length));
                }
            }
        }
    }
    assert!(shown.is_empty(), "{} times: {shown:?}", shown.len());
}

#[test]
fn a_pdu_that_announces_too_much_is_read_where_its_own_fields_stand_as_they_must() {
    let mut packet = v2c(0xa7, b"s3cr3t-c0mm", &[uptime(), trap_oid(3)]);
    let pdu = packet.iter().position(|octet| *octet == 0xa7).unwrap();
    packet[pdu + 1] += 1;
    assert_eq!(event_of(&packet)["snmp"]["trap_oid"], "1.3.6.1.6.3.1.1.5.3");
    // The error-status, which is no INTEGER any more: nothing says that this is a PDU.
    packet[pdu + 5] = 4;
    let event = event_of(&packet);
    assert_eq!(event["snmp"]["trap_oid"], Json::Null);
    assert!(event["raw_withheld"].is_object(), "{event:#}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_event_shows_a_community_whatever_happens_to_its_packet(
        (packet, community) in planted(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut packet = packet;
        for (at, octet) in changes {
            // A field that no longer holds the planted secret makes its copies elsewhere ordinary text.
            let field = packet.windows(community.len()).position(|w| w == community).unwrap_or(0);
            let at = at.index(packet.len());
            if !(field..field + community.len()).contains(&at) {
                packet[at] = octet;
            }
        }
        if let Some(cut) = cut {
            packet.truncate(cut.index(packet.len()));
        }
        if let Some(text) = json_text(&packet, RawPolicy::Always) {
            prop_assert!(!shows(&text, &community), "{text}");
        }
    }

    #[test]
    fn any_bytes_become_an_event_or_are_another_pdu(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        json_text(&bytes, RawPolicy::Auto);
    }
}
