//! A device's packets, the events that they become, and what the device is told.

use std::sync::Arc;
use std::time::Instant;

use crate::decode::snmp::v3::{self, SecurityLevel};
use crate::normalize;
use crate::packet::{Outcome, Packet, Peer, Protocol, Reason, Sink, Transport, Wholeness};
use crate::pipeline::{AccessConfig, Pipeline, Settings, SnmpAccess, listener};
use crate::record::{LaneId, Number};
use crate::route::{self, Boot, Router};
use crate::spool::{self, Batch, ReadLimit, Spool, WhenFull};
use crate::time::UnixMicros;
use crate::usm::privacy::PrivProtocol;
use crate::usm::samples::Device;
use crate::usm::{EngineKey, FailedPolicy, OwnEngine};

const OWN: [u8; 9] = [0x80, 0, 0x7e, 0xd9, 5, 1, 2, 3, 4];

/// A reply, and the record that it waits for.
type Told = (Vec<u8>, Option<Number>);

struct Bench {
    spool: Arc<Spool>,
    pipeline: Pipeline,
    /// That of another receiving thread.
    another: Pipeline,
}

impl Bench {
    fn new(device: &Device, failed: FailedPolicy) -> Bench {
        let route = route::Config::default();
        let spool = Arc::new(Spool::new(&spool::Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropNewest,
            topics: route.lanes(),
            disk: None,
        }));
        let config = normalize::Config {
            raw: normalize::RawPolicy::Always,
            ..normalize::Config::for_agent("test")
        };
        let router = Arc::new(Router::new(&route, "test", &Boot::new(UnixMicros(0), 0)));
        let mut access = AccessConfig::default();
        access.usm.users.push(device.config());
        access.usm.failed = failed;
        let own = OwnEngine {
            id: EngineKey::new(&OWN).unwrap(),
            boots: 3,
        };
        let access = SnmpAccess::new(&access, own, 0, Instant::now());
        let (access, settings) = (Arc::new(access), Arc::new(Settings::new(config)));
        let pipelines = [(); 2].map(|()| {
            Pipeline::new(spool.clone(), router.clone(), settings.clone())
                .with_access(access.clone())
        });
        let [pipeline, another] = pipelines;
        Bench {
            spool,
            pipeline,
            another,
        }
    }

    /// How a packet ends, and what its sender is told.
    fn take(&mut self, bytes: &[u8]) -> (Outcome, Option<Told>) {
        self.take_from(50_000, bytes)
    }

    fn take_from(&mut self, port: u16, bytes: &[u8]) -> (Outcome, Option<Told>) {
        let listener = listener(Protocol::Snmp, Transport::Udp);
        let verdict = self.pipeline.take(&Packet {
            bytes,
            peer: Peer::Inet([10, 0, 0, 1].into(), port),
            listener: &listener,
            received: UnixMicros(0),
            wholeness: Wholeness::Whole,
        });
        let reply = verdict.reply.map(|reply| {
            let number = reply.after.map(|(_, number)| number);
            (reply.bytes.to_vec(), number)
        });
        (verdict.outcome, reply)
    }

    fn events(&self) -> Vec<serde_json::Value> {
        let mut batch = Batch::default();
        let limit = ReadLimit {
            records: 100,
            bytes: 1 << 20,
        };
        self.spool.read(LaneId(1), limit, &mut batch);
        let entries = batch.entries().iter();
        entries
            .map(|entry| serde_json::from_slice(batch.payload(entry)).unwrap())
            .collect()
    }
}

#[test]
fn a_trap_says_who_sent_it_and_a_copy_of_it_is_no_second_event() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let packet = device.message();
    assert_eq!(bench.take(&packet), (Outcome::Used, None));
    let copy = Outcome::Rejected(Reason::Duplicate);
    assert_eq!(bench.take(&packet), (copy, None));
    assert_eq!(bench.take(&device.at(5, 1001).message()).0, Outcome::Used);

    let events = bench.events();
    assert_eq!(events.len(), 2);
    let snmp = &events[0]["snmp"];
    assert_eq!(snmp["version"], "v3");
    assert_eq!(snmp["user"], "fleet");
    assert_eq!(snmp["security_level"], "authPriv");
    assert_eq!(snmp["engine_id"], "8000000903001b54010203");
    assert_eq!(snmp["trap_oid"], "1.3.6.1.6.3.1.1.5.3");
    assert_eq!(snmp["uptime_ticks"], 99);
    assert_eq!(snmp.get("anomalies"), None, "{snmp}");
    assert!(events[0]["raw_base64"].is_string(), "{:#}", events[0]);
}

#[test]
fn a_message_that_fails_is_an_event_without_its_content_or_a_count_by_policy() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let wrong = Device {
        auth_passphrase: "another phrase",
        ..device.clone()
    }
    .message();
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    assert_eq!(bench.take(&wrong), (Outcome::Used, None));
    let event = &bench.events()[0];
    assert_eq!(event["parse_error"]["reason"], "wrongDigest");
    let says = event["message"].as_str().unwrap();
    assert!(
        says.contains("wrongDigest: the device has another auth password"),
        "{says}"
    );
    assert!(event["snmp"]["user"].is_null() && event["snmp"]["trap_oid"].is_null());
    assert!(event["raw_withheld"].is_object() && event.get("raw").is_none());
    assert_eq!(event["snmp"]["varbinds"], serde_json::json!([]));

    let mut bench = Bench::new(&device, FailedPolicy::Reject);
    let rejected = Outcome::Rejected(Reason::WrongDigest);
    assert_eq!(bench.take(&wrong), (rejected, None));
    assert!(bench.events().is_empty());
}

#[test]
fn a_trap_with_no_engine_or_with_ours_is_an_event_since_nobody_tells_its_sender() {
    let device = Device::new(SecurityLevel::AuthPriv);
    for engine_id in [&[][..], &OWN] {
        let trap = Device {
            engine_id: engine_id.to_vec(),
            boots: 3,
            time: 0,
            ..device.clone()
        };
        let mut bench = Bench::new(&device, FailedPolicy::Event);
        assert_eq!(bench.take(&trap.message()), (Outcome::Used, None));
        let event = &bench.events()[0];
        assert_eq!(event["parse_error"]["reason"], "unknownEngineID");

        // One that asks for a Report is told our engine, and sends again.
        let mut bench = Bench::new(&device, FailedPolicy::Event);
        let asks = Device {
            is_reportable: true,
            ..trap
        };
        let (outcome, reply) = bench.take(&asks.message());
        assert!(matches!(outcome, Outcome::Rejected(_)), "{outcome:?}");
        assert!(reply.is_some() && bench.events().is_empty());
    }
}

#[test]
fn a_trap_whose_sender_is_told_nothing_since_it_had_too_many_reports_is_an_event() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let asks = Device {
        engine_id: OWN.to_vec(),
        is_reportable: true,
        boots: 3,
        time: 0,
        ..device.clone()
    };
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let mut take = || bench.take(&asks.message());
    // A source is told 100 times a second.
    let untold = (0..100_000)
        .map(|_| take())
        .filter(|(_, reply)| reply.is_none());
    let outcomes: Vec<Outcome> = untold.map(|(outcome, _)| outcome).take(10).collect();
    assert_eq!(outcomes, [Outcome::Used; 10]);
    assert!(!bench.events().is_empty());
}

#[test]
fn a_repeated_inform_is_answered_for_the_record_that_it_made_first() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let inform = device.inform(&OWN, 3, 0).message();
    let (outcome, reply) = bench.take(&inform);
    assert_eq!(outcome, Outcome::Used);
    let (response, after) = reply.expect("a Response");
    assert_eq!(after, Some(Number(0)));
    let response = v3::read(&response).unwrap();
    assert_eq!(response.level, SecurityLevel::AuthPriv);
    assert_eq!(bench.take(&device.message()).0, Outcome::Used);

    let (outcome, reply) = bench.take(&inform);
    assert_eq!(outcome, Outcome::Rejected(Reason::Duplicate));
    assert_eq!(reply.expect("the Response again").1, Some(Number(0)));
    assert_eq!(bench.events().len(), 2);
}

#[test]
fn an_inform_that_is_played_back_from_another_port_is_no_second_event_and_a_retry_neither() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let duplicate = Outcome::Rejected(Reason::Duplicate);
    let inform = device.inform(&OWN, 3, 0);
    assert_eq!(bench.take(&inform.message()).0, Outcome::Used);
    let (outcome, reply) = bench.take_from(50_001, &inform.message());
    assert_eq!(outcome, duplicate);
    assert_eq!(reply.expect("what its sender was told").1, Some(Number(0)));

    // The same notification in another message: its sender had no answer.
    let retry = Device {
        id: inform.id + 1,
        request_id: Some(inform.id),
        ..inform.clone()
    };
    assert_ne!(retry.message(), inform.message());
    assert_eq!(bench.take(&retry.message()).0, duplicate);
    assert_eq!(bench.take_from(50_001, &retry.message()).0, duplicate);
    assert_eq!(bench.events().len(), 1);
}

#[test]
fn a_retry_is_known_whatever_fills_its_last_block_and_another_context_is_another_event() {
    let device = Device {
        privacy: PrivProtocol::Des,
        ..Device::new(SecurityLevel::AuthPriv)
    };
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let inform = device.inform(&OWN, 3, 0);
    assert_ne!(inform.scoped_pdu().len() % 8, 0, "there is padding");
    assert_eq!(bench.take(&inform.message()).0, Outcome::Used);
    for padding in [0, 0xaa, 0x30] {
        let retry = Device {
            id: inform.id + 1 + padding % 7,
            request_id: Some(inform.id),
            padding,
            ..inform.clone()
        };
        let (outcome, reply) = bench.take(&retry.message());
        assert_eq!(outcome, Outcome::Rejected(Reason::Duplicate), "{padding}");
        assert_eq!(reply.expect("the Response again").1, Some(Number(0)));
    }
    let another = Device {
        context_name: "vlan-18",
        ..inform.clone()
    };
    assert_eq!(bench.take(&another.message()).0, Outcome::Used);
    assert_eq!(bench.events().len(), 2);
}

#[test]
fn what_one_thread_had_is_a_copy_to_every_other_one() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let inform = device.inform(&OWN, 3, 0);
    for packet in [device.message(), inform.message()] {
        assert_eq!(bench.take(&packet).0, Outcome::Used);
        std::mem::swap(&mut bench.pipeline, &mut bench.another);
        let duplicate = Outcome::Rejected(Reason::Duplicate);
        let (outcome, reply) = bench.take_from(50_001, &packet);
        assert_eq!(outcome, duplicate);
        let is_inform = packet == inform.message();
        assert_eq!(reply.is_some(), is_inform, "an inform is answered again");
    }
    assert_eq!(bench.events().len(), 2);
}

#[test]
fn what_was_lost_before_it_was_safe_is_no_repeat_when_it_comes_again() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    for message in [device.inform(&OWN, 3, 0).message(), device.message()] {
        let number = Number(bench.spool.counts().accepted);
        assert_eq!(bench.take(&message).0, Outcome::Used);
        bench.spool.lose_by_sync((LaneId(1), number));
        assert_eq!(bench.take(&message).0, Outcome::Used);
        let again = Outcome::Rejected(Reason::Duplicate);
        assert_eq!(bench.take(&message).0, again);
    }
}

#[test]
fn discovery_and_time_are_answered_at_once_and_make_no_event() {
    let device = Device::new(SecurityLevel::AuthNoPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    let asks = Device {
        engine_id: Vec::new(),
        user: "",
        level: SecurityLevel::NoAuthNoPriv,
        pdu: 0xa0,
        ..device.inform(&[], 0, 0)
    };
    let (outcome, reply) = bench.take(&asks.message());
    assert_eq!(outcome, Outcome::Rejected(Reason::Discovery));
    assert_eq!(reply.expect("a Report").1, None, "it waits for nothing");
    let early = device.inform(&OWN, 0, 0).message();
    let (outcome, reply) = bench.take(&early);
    assert_eq!(outcome, Outcome::Rejected(Reason::NotInTimeWindow));
    assert!(reply.is_some());
    assert!(bench.events().is_empty());
}

#[test]
fn a_message_cut_short_is_an_event_with_its_place() {
    let device = Device::new(SecurityLevel::AuthPriv);
    let mut bench = Bench::new(&device, FailedPolicy::Reject);
    let packet = device.message();
    for length in [6, 20, 60, packet.len() - 1] {
        assert_eq!(bench.take(&packet[..length]), (Outcome::Used, None));
    }
    for event in bench.events() {
        assert!(event["parse_error"]["reason"].is_string(), "{event:#}");
        assert!(event["raw_withheld"].is_object(), "{event:#}");
    }
}

#[test]
fn an_event_names_the_context_and_the_engine_that_it_is_about() {
    let device = Device {
        context_name: "vlan-17",
        ..Device::new(SecurityLevel::AuthPriv)
    };
    let mut bench = Bench::new(&device, FailedPolicy::Event);
    bench.take(&device.message());
    let plain = Device {
        context_name: "",
        ..device.inform(&OWN, 3, 0)
    };
    bench.take(&plain.message());
    let events = bench.events();
    let snmp: Vec<&serde_json::Value> = events.iter().map(|event| &event["snmp"]).collect();
    let own_of_device = "8000000903001b54010203";
    assert_eq!(snmp.len(), 2, "{events:#?}");
    assert_eq!(snmp[0]["context_name"], "vlan-17");
    assert_eq!(snmp[0]["context_engine_id"], own_of_device);
    assert_eq!(snmp[1]["pdu"], "inform");
    assert!(snmp[1].get("context_name").is_none(), "the default context");
    // The authoritative engine of an inform is ours; whom it is about, its context says.
    assert_eq!(snmp[1]["engine_id"], "80007ed90501020304");
    assert_eq!(snmp[1]["context_engine_id"], own_of_device);
}
