//! Claims about the walk from packet to record.

use super::*;
use std::net::IpAddr;

use crate::event::HostnameSource;
use crate::names::storm::Rate;
use crate::packet::{Peer, Wholeness};
use crate::route::rules::{Rule, Then, When};

/// An SNMPv2c coldStart inform, community `publ`.
const INFORM: [u8; 67] = [
    0x30, 0x41, 2, 1, 1, 4, 4, b'p', b'u', b'b', b'l', 0xa6, 0x36, 2, 4, 0x3b, 0x65, 0x19, 0x67, 2,
    1, 0, 2, 1, 0, 0x30, 0x28, 0x30, 0x0d, 6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0, 0x43, 1, 0x63, 0x30,
    0x17, 6, 0x0a, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0, 6, 9, 0x2b, 6, 1, 6, 3, 1, 1, 5, 1,
];

fn pipeline() -> (Arc<Spool>, Arc<Settings>, Pipeline) {
    let route = crate::route::Config::default();
    let spool = Arc::new(Spool::new(&crate::spool::Config {
        bytes_max: 1 << 20,
        when_full: crate::spool::WhenFull::DropNewest,
        topics: route.lanes(),
        disk: None,
    }));
    let settings = Arc::new(Settings::new(normalize::Config::for_agent("test")));
    let router = Arc::new(Router::new(
        &route,
        "test",
        &crate::route::Boot::new(UnixMicros(0), 0),
    ));
    (
        spool.clone(),
        settings.clone(),
        Pipeline::new(spool, router, settings),
    )
}

fn packet<'a>(bytes: &'a [u8], listener: &'a Listener) -> Packet<'a> {
    let peer = Peer::Inet(IpAddr::from([10, 0, 0, 1]), 514);
    Packet {
        bytes,
        peer,
        listener,
        received: UnixMicros(0),
        wholeness: Wholeness::Whole,
    }
}

fn payloads(spool: &Spool) -> Vec<serde_json::Value> {
    let mut batch = crate::spool::Batch::default();
    spool.read(
        LaneId(0),
        crate::spool::ReadLimit {
            records: 100,
            bytes: 1 << 20,
        },
        &mut batch,
    );
    batch
        .entries()
        .iter()
        .map(|entry| serde_json::from_slice(batch.payload(entry)).unwrap())
        .collect()
}

#[test]
fn anything_but_an_empty_packet_becomes_a_record() {
    let (spool, _, mut pipeline) = pipeline();
    let listener = listener(Protocol::Syslog, Transport::Udp);
    for bytes in [
        &b"<13>1 - r1 - - - - hello"[..],
        b"\xff\xfe\x00",
        b"<",
        b" ",
    ] {
        assert_eq!(
            pipeline.take(&packet(bytes, &listener)).outcome,
            Outcome::Used
        );
    }
    let empty = pipeline.take(&packet(b"", &listener)).outcome;
    assert_eq!(empty, Outcome::Rejected(Reason::Empty));
    let events = payloads(&spool);
    assert_eq!(events[0]["device"]["hostname"], "r1");
    assert_eq!(events[0]["id"], "test-000000000-0-0");
    assert_eq!(events[1]["raw_base64"], "//4A");
    assert_eq!(events.len(), 4);
}

#[test]
fn new_settings_are_used_from_the_next_packet_on() {
    let (spool, settings, mut pipeline) = pipeline();
    let listener = listener(Protocol::Syslog, Transport::Udp);
    let bytes = b"<13>1 - r1.example.net - - - - hello";
    pipeline.take(&packet(bytes, &listener));
    let mut config = normalize::Config::for_agent("test");
    config.domain = normalize::DomainPolicy::Strip;
    settings.replace(config);
    pipeline.take(&packet(bytes, &listener));
    let events = payloads(&spool);
    assert_eq!(events[0]["device"]["hostname"], "r1.example.net");
    assert_eq!(events[1]["device"]["hostname"], "r1");
}

#[test]
fn an_inform_whose_record_was_lost_is_a_new_one_when_it_comes_again() {
    let (spool, _, mut pipeline) = pipeline();
    let listener = listener(Protocol::Snmp, Transport::Udp);
    let mut take = |bytes| {
        let verdict = pipeline.take(&packet(bytes, &listener));
        (verdict.outcome, verdict.reply.and_then(|reply| reply.after))
    };
    let duplicate = Outcome::Rejected(Reason::Duplicate);
    let record = |number| (LaneId(1), Number(number));
    assert_eq!(take(&INFORM), (Outcome::Used, Some(record(0))));
    assert_eq!(take(&INFORM), (duplicate, Some(record(0))));
    spool.lose_by_sync(record(0));
    assert_eq!(take(&INFORM), (Outcome::Used, Some(record(1))));
    assert_eq!(take(&INFORM), (duplicate, Some(record(1))));
}

#[test]
fn an_inform_is_answered_for_its_own_record() {
    let (spool, _, mut pipeline) = pipeline();
    let listener = listener(Protocol::Snmp, Transport::Udp);
    let verdict = pipeline.take(&packet(&INFORM, &listener));
    let reply = verdict.reply.expect("a Response");
    assert_eq!(reply.bytes[11], 0xa2);
    assert_eq!(reply.after, Some((LaneId(1), Number(0))));
    assert!(spool.is_accepted((LaneId(1), Number(0))));
    assert!(!spool.is_accepted((LaneId(1), Number(1))));
}

#[test]
fn a_trap_on_a_syslog_listener_is_a_trap_whole_or_cut_and_its_community_stays_in() {
    let listener = listener(Protocol::Syslog, Transport::Udp);
    let trap = [
        &[0x30, 0x4b, 2, 1, 1, 4, 14][..],
        b"s3cr3t-c0mmuni",
        &[
            0xa7, 0x36, 2, 4, 0x3b, 0x65, 0x19, 0x67, 2, 1, 0, 2, 1, 0, 0x30, 0x28, 0x30, 0x0d, 6,
            8, 0x2b, 6,
        ],
        &[
            1, 2, 1, 1, 3, 0, 0x43, 1, 0x63, 0x30, 0x17, 6, 0x0a, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0,
            6, 9,
        ],
        &[0x2b, 6, 1, 6, 3, 1, 1, 5, 1],
    ]
    .concat();
    let config = normalize::Config {
        raw: normalize::RawPolicy::Always,
        ..normalize::Config::for_agent("test")
    };
    for length in 6..=trap.len() {
        let event = one_event(&packet(&trap[..length], &listener), &config).unwrap();
        assert_eq!(event["kind"], "snmp_trap", "{length} bytes: {event}");
        let text = event.to_string();
        assert!(
            !text.contains("s3cr3t") && !text.contains("czNjcjN0"),
            "{length} bytes: {text}"
        );
    }
}

#[test]
fn a_full_spool_rejects_the_packet_and_does_not_answer_the_inform() {
    let (_, settings, _) = pipeline();
    let route = crate::route::Config::default();
    let spool = Arc::new(Spool::new(&crate::spool::Config {
        bytes_max: 10,
        when_full: crate::spool::WhenFull::DropNewest,
        topics: route.lanes(),
        disk: None,
    }));
    let router = Arc::new(Router::new(
        &route,
        "test",
        &crate::route::Boot::new(UnixMicros(0), 0),
    ));
    let mut pipeline = Pipeline::new(spool, router, settings);
    let listener = listener(Protocol::Syslog, Transport::Udp);
    let verdict = pipeline.take(&packet(b"<13>hello", &listener));
    assert_eq!(verdict.outcome, Outcome::Rejected(Reason::SpoolFull));
    assert!(verdict.reply.is_none());
}

#[test]
fn the_address_is_the_name_of_a_device_that_gives_none() {
    let listener = listener(Protocol::Syslog, Transport::Udp);
    let event = one_event(
        &packet(b"hello", &listener),
        &normalize::Config::for_agent("test"),
    )
    .unwrap();
    assert_eq!(event["device"]["hostname"], "10.0.0.1");
    let source = serde_json::to_value(HostnameSource::Address).unwrap();
    assert_eq!(event["device"]["hostname_source"], source);
}

/// A pipeline with one rule for everything, and a limit of one event for each sender.
fn limited(then: Option<Then>, storms: Option<&Arc<Storms>>) -> Pipeline {
    let rules = then.map(|then| Rule {
        name: "all".into(),
        when: When::default(),
        then,
    });
    let route = crate::route::Config {
        rules: rules.into_iter().collect(),
        ..crate::route::Config::default()
    };
    let boot = crate::route::Boot::new(UnixMicros(0), 0);
    let router = Arc::new(Router::new(&route, "test", &boot));
    let (spool, settings, _) = pipeline();
    Pipeline::new(spool, router, settings).with_storms(storms.cloned())
}

#[test]
fn an_inform_that_a_rule_takes_out_is_answered_at_once_and_one_that_is_held_back_is_not() {
    let listener = listener(Protocol::Snmp, Transport::Udp);
    let mut dropping = limited(Some(Then::Drop), None);
    let verdict = dropping.take(&packet(&INFORM, &listener));
    assert_eq!(verdict.outcome, Outcome::Rejected(Reason::Filtered));
    assert_eq!(verdict.reply.expect("a Response").after, None);

    let storms = Arc::new(Storms::new(Rate {
        events_per_second: 1,
        burst: 1,
    }));
    let mut limited = limited(None, Some(&storms));
    let trap = {
        let mut trap = INFORM;
        trap[13] = 0xa7;
        trap
    };
    let verdict = limited.take(&packet(&trap, &listener));
    assert_eq!(verdict.outcome, Outcome::Used);
    let verdict = limited.take(&packet(&INFORM, &listener));
    assert_eq!(verdict.outcome, Outcome::Rejected(Reason::HeldBack));
    assert!(verdict.reply.is_none());
    let held = storms.take();
    assert_eq!((held.len(), held[0].count), (1, 1));
}

#[test]
fn what_a_rule_drops_costs_its_sender_no_token() {
    let storms = Arc::new(Storms::new(Rate {
        events_per_second: 1,
        burst: 1,
    }));
    let listener = listener(Protocol::Syslog, Transport::Udp);
    let dropped = packet(b"<14>x", &listener);
    let outcome = limited(Some(Then::Drop), Some(&storms))
        .take(&dropped)
        .outcome;
    assert_eq!(outcome, Outcome::Rejected(Reason::Filtered));
    let mut limited = limited(None, Some(&storms));
    assert_eq!(limited.take(&dropped).outcome, Outcome::Used);
    let outcome = limited.take(&dropped).outcome;
    assert_eq!(outcome, Outcome::Rejected(Reason::HeldBack));
}

#[test]
fn a_line_of_this_very_process_from_this_host_ends_as_own_log() {
    let (_, _, mut pipeline) = pipeline();
    let listener = listener(Protocol::Syslog, Transport::Udp);
    let line = format!(
        "<30>Nov 21 02:14:07 br17 trapline[{}]: x",
        std::process::id()
    );
    let from = |address: [u8; 4]| Packet {
        peer: Peer::Inet(IpAddr::from(address), 514),
        ..packet(line.as_bytes(), &listener)
    };
    let outcome = pipeline.take(&from([127, 0, 0, 1])).outcome;
    assert_eq!(outcome, Outcome::Rejected(Reason::OwnLog));
    assert_eq!(pipeline.take(&from([10, 0, 0, 1])).outcome, Outcome::Used);
}

#[test]
fn an_inventory_that_was_replaced_is_freed_when_the_last_thread_rests() {
    use crate::names::{inventory::Inventory, watch::Watch};

    let names = Arc::new(Names::new(names::Config::default()));
    let (_, _, pipeline) = pipeline();
    let mut pipeline = pipeline.with_names(names.clone());
    let inventory: Arc<Inventory> = Arc::default();
    let old = Arc::downgrade(&inventory);
    names.replace(names::Config::default(), inventory);
    pipeline.rest();
    names.replace(names::Config::default(), Arc::default());
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    assert!(old.upgrade().is_some(), "the pipeline has it in view");
    pipeline.rest();
    names.watch(&mut watch, UnixMicros(0));
    assert!(old.upgrade().is_none());
}
