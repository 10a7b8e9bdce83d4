//! Claims about routing and cutting.

use super::*;
use crate::event::{Agent, Device, HostnameSource, Id, Rfc3339, SCHEMA, TimeSource};

fn config() -> Config {
    Config {
        topics: Config::TOPICS_DEFAULT.map(String::from),
        payload_bytes_max: 10_000,
    }
}

fn event<'a>(kind: Kind, message: &'a [u8]) -> Event<'a> {
    let at = Rfc3339::micros(UnixMicros(0));
    Event {
        schema: SCHEMA,
        id: Id(""),
        kind,
        time: at,
        time_source: TimeSource::Received,
        received: at,
        severity: None,
        severity_code: None,
        device: Device {
            hostname: Text(b"r1"),
            hostname_source: HostnameSource::Header,
            address: None,
            vendor: None,
            os: None,
            previous_hostname: None,
            labels: None,
        },
        event_code: None,
        message: Text(message),
        repeat_count: None,
        syslog: None,
        snmp: None,
        change: None,
        gap: None,
        storm: None,
        report: None,
        agent: Agent {
            id: "br17",
            version: "0",
            listener: None,
            transport: None,
        },
        parse_error: None,
        truncated: false,
        raw: None,
        raw_base64: None,
        raw_withheld: None,
    }
}

#[test]
fn kinds_that_share_a_topic_share_a_lane() {
    assert_eq!(
        config().lanes(),
        ["net.syslog", "net.snmp", "net.device", "net.agent"]
    );
    let router = Router::new(&config(), "br17", &Boot::at(UnixMicros(1)));
    let mut payload = Vec::new();
    let lane = |kind, payload: &mut Vec<u8>| {
        router
            .record(
                &mut event(kind, b"m"),
                UnixMicros(0),
                Origin::Packet,
                payload,
            )
            .unwrap()
            .lane
    };
    assert_eq!(
        lane(Kind::Gap, &mut payload),
        lane(Kind::Storm, &mut payload)
    );
    assert_ne!(
        lane(Kind::Gap, &mut payload),
        lane(Kind::Agent, &mut payload)
    );
}

#[test]
fn the_number_gap_stands_right_behind_the_id_prefix() {
    let router = Router::new(
        &config(),
        "br17",
        &Boot::at(UnixMicros(1_795_227_247_131_842)),
    );
    let mut payload = Vec::new();
    let mut event = event(Kind::SnmpTrap, b"m");
    let record = router
        .record(&mut event, UnixMicros(0), Origin::Packet, &mut payload)
        .unwrap();
    let before = std::str::from_utf8(&record.payload[..record.number_at]).unwrap();
    assert!(
        before.starts_with("{\"schema\":1,\"id\":\"br17-1M7XY3RGV"),
        "{before}"
    );
    assert!(before.ends_with("-1-"), "{before}");
    assert_eq!(record.payload[record.number_at], b'"');
    assert_eq!(record.key, b"r1");
}

#[test]
fn an_event_over_the_limit_is_cut_and_says_so() {
    let router = Router::new(&config(), "br17", &Boot::at(UnixMicros(1)));
    let long = vec![0u8; 60_000];
    let mut event = event(Kind::Syslog, &long);
    event.raw = Some(Text(&long));
    let mut payload = Vec::new();
    router
        .record(&mut event, UnixMicros(0), Origin::Packet, &mut payload)
        .unwrap();
    assert!(payload.len() <= 10_000);
    let value: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(value["truncated"], true);
    assert_eq!(value["message"].as_str().unwrap().len(), 625);
}

#[test]
fn a_cut_does_not_split_a_character() {
    assert_eq!(shortened("aé".as_bytes(), 2), b"a");
    assert_eq!(shortened("aé".as_bytes(), 3), "aé".as_bytes());
    assert_eq!(
        shortened(b"\x80\x80\x80\x80\x80\x80", 5),
        b"\x80\x80\x80\x80\x80"
    );
    assert_eq!(shortened(b"", 5), b"");
}

#[test]
fn an_event_that_cannot_be_cut_enough_is_an_error_with_both_sizes() {
    let router = Router::new(
        &Config {
            payload_bytes_max: 300,
            ..config()
        },
        "br17",
        &Boot::at(UnixMicros(1)),
    );
    let mut event = event(Kind::Syslog, b"m");
    let error = router
        .record(&mut event, UnixMicros(0), Origin::Packet, &mut Vec::new())
        .unwrap_err();
    assert!(error.to_string().contains("the limit is 300"), "{error}");
}

#[test]
fn a_later_boot_sorts_later() {
    let (first, second) = (
        Boot::at(UnixMicros(1_795_227_247_131_000)),
        Boot::at(UnixMicros(1_795_227_247_132_000)),
    );
    assert!(first.as_str() < second.as_str());
}
