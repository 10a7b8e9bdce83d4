//! `trapline explain` of a capture.

use std::path::{Path, PathBuf};

use crate::process::{Ended, end, end_with_input, folder, trapline};

/// An SNMPv1 linkDown trap, community `s3cr3t`.
const TRAP_V1: &str = "303902010004067333637233 74a42c06082b060106030101054004c00002010201020201004301073011300f060a2b06\
    0102010202010103020103";

/// A pcap file (link type 1, Ethernet) of these frames, one a second.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let words = |words: &[u32]| -> Vec<u8> {
        let octets = words.iter().flat_map(|word| word.to_le_bytes());
        octets.collect()
    };
    let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 0x4_0000, 1]);
    for (second, frame) in (1_795_227_247..).zip(frames) {
        let length = frame.len() as u32;
        file.extend(words(&[second, 123, length, length]));
        file.extend(frame);
    }
    file
}

/// An Ethernet frame with an IPv4 packet from 10.20.0.`last`.
fn frame(last: u8, protocol: u8, fragment: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u8 + 20;
    let mut frame = vec![2; 12];
    frame.extend([8, 0, 0x45, 0, 0, length, 0, 1, fragment, 0]);
    frame.extend([64, protocol, 0, 0, 10, 20, 0, last, 10, 0, 0, 5]);
    frame.extend(content);
    frame
}

fn udp(last: u8, port: u16, octets: &[u8]) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    let length = octets.len() as u8 + 8;
    let header = [0x9c, 0x40, high, low, 0, length, 0, 0];
    frame(last, 17, 0, &[&header, octets].concat())
}

fn tcp(last: u8, octets: &[u8]) -> Vec<u8> {
    let mut header = [0; 20];
    header[12] = 5 << 4;
    frame(last, 6, 0, &[&header, octets].concat())
}

fn trap() -> Vec<u8> {
    let digits: Vec<u8> = TRAP_V1.bytes().filter(|digit| *digit != b' ').collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(octet).collect()
}

/// Seven packets: syslog, a trap, a name look-up, a fragment, two messages in one segment, an acknowledgement, a trap.
fn capture() -> Vec<u8> {
    let stream = [b"<13>first\n<13>second".as_slice()].concat();
    pcap(&[
        udp(
            1,
            514,
            b"<189>7: *Mar  1 18:48:50: %SYS-5-CONFIG_I: Configured",
        ),
        udp(2, 162, &trap()),
        udp(3, 53, b"\x12\x34\x01\x00\x00\x01 a query"),
        frame(4, 17, 0x20, b"the first half"),
        tcp(5, &stream),
        tcp(6, b""),
        tcp(7, &trap()),
    ])
}

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let file = folder.join("some.pcap");
    std::fs::write(&file, bytes).expect("own folder");
    file
}

fn explain(file: &Path, more: &[&str]) -> Ended {
    end(trapline().arg("explain").arg(file).args(more))
}

#[test]
fn each_packet_that_is_syslog_or_snmp_is_explained_with_its_number_time_and_sender() {
    let folder = folder();
    let by_file = explain(&written(folder.path(), &capture()), &[]);
    let by_input = end_with_input(trapline().arg("explain"), &capture());
    for ended in [by_file, by_input] {
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        for part in [
            "packet 1, 2026-11-21T02:14:07.000123Z: udp from 10.20.0.1:40000 to 10.0.0.5:514\n",
            "\"event_code\": \"SYS-5-CONFIG_I\"",
            "packet 2, 2026-11-21T02:14:08.000123Z: udp from 10.20.0.2:40000 to 10.0.0.5:162\n",
            "\"event_code\": \"IF-MIB::linkDown\"",
            "\"received\": \"2026-11-21T02:14:08.000123Z\"",
            "packet 4: a fragment of an IP packet from 10.20.0.4",
            "\"message\": \"first\"",
            "\"message\": \"second\"",
            // It may go on in the next segment.
            "to 10.0.0.5:0, not all of it\n",
            "packet 7, ",
            "7 packets: 4 explained, 1 fragments, 2 neither syslog nor SNMP\n",
        ] {
            assert!(ended.out.contains(part), "{part} is not in\n{}", ended.out);
        }
        assert!(!ended.out.contains("packet 3"), "{}", ended.out);
        assert!(!ended.out.contains("s3cr3t"), "{}", ended.out);
    }
}

#[test]
fn one_packet_can_be_asked_for_and_what_it_is_not_is_said() {
    let folder = folder();
    let file = written(folder.path(), &capture());
    let second = explain(&file, &["--packet", "2"]);
    assert!(second.out.starts_with("packet 2, "), "{}", second.out);
    assert_eq!(second.out.matches("\nevent\n").count(), 1);
    let third = explain(&file, &["--packet", "3"]);
    assert_eq!(third.out, "packet 3: neither syslog nor SNMP\n");
    // Whatever one says that it is, its community is not shown.
    for packet in ["2", "7"] {
        let trap = explain(&file, &["--packet", packet, "--protocol", "syslog"]);
        assert!(trap.out.contains("IF-MIB::linkDown"), "{}", trap.out);
        assert!(!trap.out.contains("s3cr3t"), "{}", trap.out);
    }
    // Else it is read as what one says, whatever it looks like.
    let forced = explain(&file, &["--packet", "3", "--protocol", "syslog"]);
    assert!(forced.out.contains("\nevent\n"), "{}", forced.out);
    let none = explain(&file, &["--packet", "8"]);
    assert_eq!(none.code, Some(2));
    assert!(
        none.err.contains("there is no packet 8: the capture has 7"),
        "{}",
        none.err
    );
    let message = written(folder.path(), b"<13>one message");
    let wrong = explain(&message, &["--packet", "1"]);
    assert_eq!(wrong.code, Some(2), "{wrong:#?}");
}

#[test]
fn a_capture_that_was_cut_is_explained_up_to_there() {
    let folder = folder();
    let whole = capture();
    let cut = explain(&written(folder.path(), &whole[..whole.len() - 5]), &[]);
    assert_eq!(cut.code, Some(1), "{cut:#?}");
    assert!(cut.out.contains("packet 5, "), "{}", cut.out);
    assert!(cut.err.contains("ends within packet 7"), "{}", cut.err);
}
