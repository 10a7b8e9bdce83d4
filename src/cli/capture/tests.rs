//! Claims about captures: what is read from each format and link type, and what damaged ones end in.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::samples::{
    block, enhanced, ethernet, interface, ip_v4, ip_v6, pcap, section, simple, tcp, udp, v4,
};
use super::*;

const MESSAGE: &[u8] = b"<13>hello";

/// Packets with their octets, and how reading their file ended.
type Ended = (Vec<(Frame, Vec<u8>)>, Result<(), CaptureError>);

/// All packets of a file.
fn read(file: &[u8]) -> Ended {
    let (mut packets, mut octets) = (Vec::new(), Vec::new());
    let mut capture = match Capture::open(file) {
        Ok(capture) => capture,
        Err(error) => return (packets, Err(error)),
    };
    loop {
        match capture.next(&mut octets) {
            Ok(Some(frame)) => packets.push((frame, octets.clone())),
            Ok(None) => return (packets, Ok(())),
            Err(error) => return (packets, Err(error)),
        }
    }
}

/// What UDP carried in a frame, and from where to where.
fn carried(link: u32, frame: &[u8]) -> (SocketAddr, SocketAddr, Vec<u8>) {
    match payload(link, frame) {
        Payload::Udp(sent) => {
            assert!(!sent.is_cut);
            (sent.source, sent.target, sent.octets.to_vec())
        }
        other => panic!("{other:?}"),
    }
}

fn v4_ends() -> (SocketAddr, SocketAddr) {
    let end = |text: &str| text.parse().unwrap();
    (end("10.20.0.1:40000"), end("10.0.0.5:514"))
}

#[test]
fn pcap_is_read_in_either_order_with_its_times() {
    for order in [Order::Little, Order::Big] {
        let packets = [v4(514, MESSAGE), v4(162, b"second")];
        let file = pcap(order, 101, &packets);
        assert!(is_capture(&file));
        let (read, end) = read(&file);
        assert!(end.is_ok(), "{end:?}");
        let octets: Vec<&Vec<u8>> = read.iter().map(|(_, octets)| octets).collect();
        assert_eq!(octets, [&packets[0], &packets[1]]);
        let expected = Frame {
            number: 2,
            link: 101,
            time: Some(UnixMicros(1_795_227_248_000_123)),
            is_cut: false,
        };
        assert_eq!(read[1].0, expected);
    }
}

#[test]
fn nanoseconds_and_packets_that_were_cut_are_known() {
    let mut file = pcap(Order::Big, 101, &[v4(514, MESSAGE)]);
    file[..4].copy_from_slice(&[0xa1, 0xb2, 0x3c, 0x4d]);
    // The original length is the last field of the record's header.
    file[39] += 1;
    let (read, _) = read(&file);
    let at = UnixMicros(1_795_227_247_000_000);
    assert_eq!(read[0].0.time, Some(at), "123 ns");
    assert!(read[0].0.is_cut);
}

#[test]
fn pcapng_is_read_with_interfaces_of_their_own_resolution_and_unknown_blocks_between() {
    for order in [Order::Little, Order::Big] {
        let packet = v4(514, MESSAGE);
        let seconds = 1_795_227_247_u64;
        let file = [
            section(order),
            block(order, 4, b"name resolution"),
            interface(order, 101, None),
            interface(order, 1, Some(9)),
            enhanced(order, 0, seconds * 1_000_000 + 5, &packet),
            block(order, 0x0bad, b"a block of nobody's"),
            enhanced(order, 1, seconds * 1_000_000_000 + 5_000, &packet),
            simple(order, &packet),
            // A second section counts its interfaces anew.
            section(order),
            interface(order, 113, Some(0x80 | 10)),
            enhanced(order, 0, seconds << 10, &packet),
        ]
        .concat();
        assert!(is_capture(&file));
        let (read, end) = read(&file);
        assert!(end.is_ok(), "{end:?}");
        let at = |micros: i64| Some(UnixMicros(1_795_227_247_000_000 + micros));
        let found: Vec<(u64, u32, Option<UnixMicros>)> = read
            .iter()
            .map(|(frame, _)| (frame.number, frame.link, frame.time))
            .collect();
        let expected = [
            (1, 101, at(5)),
            (2, 1, at(5)),
            (3, 101, None),
            (4, 113, at(0)),
        ];
        assert_eq!(found, expected);
        assert!(read.iter().all(|(_, octets)| *octets == packet));
    }
}

#[test]
fn a_damaged_capture_says_where_and_what_and_keeps_what_came_before() {
    let order = Order::Little;
    let file = pcap(order, 101, &[v4(514, MESSAGE), v4(514, MESSAGE)]);
    let (before, end) = read(&file[..file.len() - 1]);
    assert_eq!(before.len(), 1);
    assert!(
        matches!(end, Err(CaptureError::Cut { number: 2 })),
        "{end:?}"
    );
    let mut huge = file.clone();
    huge[32..36].copy_from_slice(&[0xff; 4]);
    let error = read(&huge).1.unwrap_err().to_string();
    assert!(
        error.contains("packet 1: expected a packet of at most 256 KiB"),
        "{error}"
    );
    let nothing = [section(order), enhanced(order, 0, 0, b"x")].concat();
    let error = read(&nothing).1.unwrap_err().to_string();
    assert!(error.contains("an interface that was described"), "{error}");
    let long = [section(order), vec![1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]].concat();
    let error = read(&long).1.unwrap_err().to_string();
    assert!(error.contains("a block of 12 octets to 16 MiB"), "{error}");
}

#[test]
fn every_link_type_leads_to_the_datagram() {
    let v4 = v4(514, MESSAGE);
    let cooked = |kind: u16| [&[0; 14][..], &kind.to_be_bytes(), &v4].concat();
    let cooked_v2 = [&[8, 0][..], &[0; 18], &v4].concat();
    let (source, target) = v4_ends();
    for (link, frame) in [
        (1, ethernet(&[], 0x0800, &v4)),
        (1, ethernet(&[7], 0x0800, &v4)),
        (
            1,
            ethernet(&[7, 8], 0x0800, &[&v4[..], b"padding"].concat()),
        ),
        (0, [&[2, 0, 0, 0], &v4[..]].concat()),
        (101, v4.clone()),
        (228, v4.clone()),
        (113, cooked(0x0800)),
        (276, cooked_v2),
    ] {
        let expected = (source, target, MESSAGE.to_vec());
        assert_eq!(carried(link, &frame), expected, "link type {link}");
    }
    assert_eq!(payload(1, &ethernet(&[], 0x0806, &v4)), Payload::Other);
    assert_eq!(payload(1, &ethernet(&[1; 5], 0x0800, &v4)), Payload::Other);
    assert_eq!(payload(9999, &v4), Payload::UnknownLink);
}

#[test]
fn ipv6_is_read_through_its_extension_headers() {
    let ends = |link, frame: &[u8]| {
        let (source, target, octets) = carried(link, frame);
        assert_eq!(octets, MESSAGE);
        (source.to_string(), target.to_string())
    };
    let expected = (
        "[2001:db8::1]:40000".to_owned(),
        "[2001:db8::5]:514".to_owned(),
    );
    let datagram = udp(514, MESSAGE);
    let plain = ip_v6(17, &[], &datagram);
    assert_eq!(ends(229, &plain), expected);
    assert_eq!(ends(1, &ethernet(&[], 0x86dd, &plain)), expected);
    let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
    let options = [44, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // A fragment header on a packet that is whole (RFC 6946).
    let atomic = [17, 0, 0, 0, 0, 0, 0, 9];
    let extensions = [&hop_by_hop[..], &options, &atomic].concat();
    assert_eq!(ends(101, &ip_v6(0, &extensions, &datagram)), expected);
    let fragment = ip_v6(44, &[17, 0, 0, 1, 0, 0, 0, 9], &datagram);
    let source: IpAddr = "2001:db8::1".parse().unwrap();
    assert_eq!(payload(101, &fragment), Payload::Fragment { source });
    let endless = [60, 0, 0, 0, 0, 0, 0, 0].repeat(20);
    assert_eq!(
        payload(101, &ip_v6(60, &endless, &datagram)),
        Payload::Other
    );
}

#[test]
fn fragments_segments_and_cut_datagrams_are_told_apart() {
    let datagram = udp(514, MESSAGE);
    let source = IpAddr::from([10, 20, 0, 1]);
    for place in [0x2000, 0x0001, 0x2001] {
        let fragment = ip_v4(17, place, &datagram);
        assert_eq!(payload(101, &fragment), Payload::Fragment { source });
    }
    let whole = ip_v4(17, 0x4000, &datagram);
    assert!(
        matches!(payload(101, &whole), Payload::Udp(_)),
        "don't fragment"
    );
    match payload(101, &whole[..whole.len() - 2]) {
        Payload::Udp(sent) => assert_eq!((sent.octets, sent.is_cut), (&MESSAGE[..7], true)),
        other => panic!("{other:?}"),
    }
    match payload(101, &ip_v4(6, 0, &tcp(601, MESSAGE))) {
        Payload::Tcp(sent) => assert_eq!(sent.octets, MESSAGE),
        other => panic!("{other:?}"),
    }
    assert_eq!(payload(101, &ip_v4(1, 0, &datagram)), Payload::Other);
}

/// Every payload of the corpus, put into a capture, comes out of it as it was.
#[test]
fn what_the_corpus_holds_comes_out_of_a_capture_as_it_was() {
    let corpus = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/corpus/snmp/packets.jsonl"
    );
    let Ok(lines) = std::fs::read_to_string(corpus) else {
        println!("skipped: there is no {corpus}");
        return;
    };
    let packets: Vec<Vec<u8>> = lines
        .lines()
        .map(|line| {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let digits: Vec<u8> = case["hex"].as_str().unwrap().bytes().collect();
            let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16);
            digits.chunks(2).map(|pair| octet(pair).unwrap()).collect()
        })
        .collect();
    assert!(packets.len() > 10, "{}", packets.len());
    let frames: Vec<Vec<u8>> = packets
        .iter()
        .map(|packet| ethernet(&[7], 0x0800, &v4(162, packet)))
        .collect();
    let (read, end) = read(&pcap(Order::Little, 1, &frames));
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(read.len(), packets.len());
    for ((frame, octets), packet) in read.iter().zip(&packets) {
        assert_eq!(&carried(frame.link, octets).2, packet);
    }
}

proptest! {
    #[test]
    fn any_file_ends_and_no_packet_is_longer_than_its_file(
        order in prop_oneof![Just(Order::Little), Just(Order::Big)],
        is_ng: bool,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
    ) {
        let packet = ethernet(&[7], 0x86dd, &ip_v6(17, &[], &udp(514, MESSAGE)));
        let mut file = match is_ng {
            false => pcap(order, 1, &[packet.clone(), packet]),
            true => [
                section(order),
                interface(order, 1, Some(6)),
                enhanced(order, 0, 1, &packet),
                simple(order, &packet),
            ]
            .concat(),
        };
        for (at, octet) in changes {
            let at = at.index(file.len());
            file[at] = octet;
        }
        file.truncate(cut.index(file.len() + 1));
        for (frame, octets) in read(&file).0 {
            prop_assert!(octets.len() <= file.len());
            payload(frame.link, &octets);
        }
    }

    #[test]
    fn any_octets_of_any_link_type_are_a_payload_within_them(link in 0_u32..300, frame: Vec<u8>) {
        if let Payload::Udp(sent) | Payload::Tcp(sent) = payload(link, &frame) {
            prop_assert!(sent.octets.len() <= frame.len());
        }
    }
}

#[test]
fn a_time_beyond_what_can_be_written_is_none() {
    assert_eq!(
        Ticks::MICROS.at(MICROS_MAX as u64),
        Some(UnixMicros(MICROS_MAX))
    );
    assert_eq!(Ticks::MICROS.at(MICROS_MAX as u64 + 1), None);
    assert_eq!(Ticks { per_second: 1 }.at(u64::MAX), None);
}
