//! What nobody should send, and secrets that must stay in.

use std::io::Write;
use std::net::TcpStream;

use crate::support::agent::Agent;
use crate::support::device::{UdpDevice, numbered, octet_counted, stream};
use crate::support::kafka::{Broker, Delivered};
use crate::support::oracle::{assert_well_made, base64, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::snmp::{v1_trap, v2c_inform, v2c_trap};
use crate::support::wait::{SOON, wait_until};

#[test]
fn odd_datagrams_are_counted_become_valid_events_and_cost_nobody_else_anything() {
    let broker = Broker::shared();
    let topic = broker.topic("odd-udp");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_udp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let stranger = UdpDevice::new(66, "stranger", agent.listener("syslog-udp"));
    let largest = vec![b'A'; 65_507];
    let odd: [&[u8]; 10] = [
        b"",
        b"\0",
        b"<",
        b"<999999999999999999999>1 - - - - - -",
        b"<13>1 - - - - - [a b=\"never closed",
        b"\xff\xfe\x00\x01\x80\x81\xc3\x28",
        &[0_u8; 9000],
        &[0xff_u8; 9000],
        &largest,
        b"<13>Nov 31 25:61:61 \xf0\x9f\x92 {\"json\":\"\\u0000\"}\r\n\n",
    ];
    for bytes in odd {
        stranger.send(bytes);
    }
    agent.wait_until_received("syslog-udp", 10);
    let device = UdpDevice::new(11, "r1", agent.listener("syslog-udp"));
    device.send_number(7);

    // The empty datagram is the only one that becomes no event.
    let records = broker.read(&topic, 10);
    assert_well_made(&records);
    assert_eq!(records.len(), 10);
    let last = records.iter().find(|record| record.key == "r1");
    let last = last.expect("the message behind the odd ones");
    assert_eq!(number_after(string(&last.event["message"]), "n="), 7);

    agent.wait_until_delivered(10);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.rejected("syslog-udp", "empty"), 1);
    assert_eq!(ended.ledger.listener("syslog-udp", "received"), 11);
}

#[test]
fn odd_streams_are_counted_and_other_streams_go_on() {
    let broker = Broker::shared();
    let topic = broker.topic("odd-tcp");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let target = agent.listener("syslog-tcp");
    let long = [b"<13>".as_slice(), &vec![b'x'; 300_000], b"\n"].concat();
    let odd: [&[u8]; 8] = [
        b"",
        b"\n\n\n",
        b"99999999999 <13>1 - - - - - -",
        b"18446744073709551616 x",
        b"0 0 0 ",
        b"100 <13>half a frame",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        &long,
    ];
    for bytes in odd {
        // The agent may close a stream that it cannot follow while we still write: that is its right.
        if let Ok(mut stream) = TcpStream::connect(target) {
            let _ = stream.write_all(bytes);
        }
    }
    let mut slow = TcpStream::connect(target).expect("a connection");
    slow.set_nodelay(true).expect("an option");
    for byte in octet_counted(&numbered("slow", 1)) {
        slow.write_all(&[byte]).expect("the agent reads");
    }
    stream(target, &octet_counted(&numbered("quick", 2)));

    wait_until("the two good messages are delivered", SOON, || {
        let events = read_what_is_there(&agent, broker, &topic);
        ["slow", "quick"]
            .iter()
            .all(|name| events.iter().any(|record| record.key == *name))
    });
    drop(slow);
    let ended = agent.stop();
    ended.assert_in_order();
    let delivered = ended.ledger.records("delivered");
    let records = broker.read(&topic, usize::try_from(delivered).expect("a few"));
    assert_well_made(&records);
    assert_eq!(records.len() as u64, delivered);
}

#[test]
fn a_sender_that_is_not_allowed_is_counted_and_nothing_of_it_is_delivered() {
    let broker = Broker::shared();
    let topic = broker.topic("allow");
    let mut listener = Listener::syslog_udp();
    listener.allow = vec!["127.0.0.11/32"];
    let settings = Settings::new(&broker.address, vec![listener]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let target = agent.listener("syslog-udp");
    let (known, stranger) = (
        UdpDevice::new(11, "r1", target),
        UdpDevice::new(66, "stranger", target),
    );
    for number in 0..20 {
        stranger.send_number(number);
        known.send_number(number);
    }

    let records = broker.read(&topic, 20);
    assert_well_made(&records);
    assert!(records.iter().all(|record| record.key == "r1"));
    agent.wait_until_received("syslog-udp", 40);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(
        ended.ledger.rejected("syslog-udp", "source_not_allowed"),
        20
    );
    assert_eq!(ended.ledger.records("delivered"), 20);
}

#[test]
fn a_community_string_leaves_the_agent_nowhere() {
    const COMMUNITY: &str = "br4nch-S3cret";
    let broker = Broker::shared();
    let topic = broker.topic("secret");
    let mut settings = Settings::new(&broker.address, vec![Listener::snmp_udp()]);
    settings.more = "[event]\nraw = \"always\"".to_owned();
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let device = UdpDevice::new(11, "r1", agent.listener("snmp-udp"));
    let secret = COMMUNITY.as_bytes();
    let whole = [v1_trap(secret), v2c_trap(secret, 2), v2c_inform(secret, 3)];
    let mut sent = 0;
    for packet in &whole {
        // Whole, and cut at every place from the community's end on: no error path may show what it could not read.
        for length in 7 + secret.len()..=packet.len() {
            device.send(&packet[..length]);
            sent += 1;
            agent.wait_until_received("snmp-udp", sent);
        }
    }
    wait_until("every packet has ended", SOON, || {
        agent.ledger().listener("snmp-udp", "in_hand") == 0
    });
    let used = agent.ledger().listener("snmp-udp", "used");
    assert!(used >= 3, "the three whole packets are used");

    agent.wait_until_delivered(used);
    let records = broker.read(&topic, usize::try_from(used).expect("a few"));
    assert_well_made(&records);
    for record in &records {
        assert_hidden("the event", &record.payload, COMMUNITY);
        assert_hidden("the key", record.key.as_bytes(), COMMUNITY);
        if let Some(raw) = record.event["raw_base64"].as_str() {
            assert_hidden("raw_base64", &base64(raw), COMMUNITY);
        }
    }
    for path in ["/", "/metrics", "/ledger", "/healthz", "/readyz"] {
        assert_hidden(path, agent.get(path).body.as_bytes(), COMMUNITY);
    }
    let ended = agent.stop();
    ended.assert_in_order();
    assert_hidden("the log", ended.log.as_bytes(), COMMUNITY);
    assert_hidden("stdout", ended.stdout.as_bytes(), COMMUNITY);
}

/// Neither as text nor in hex, whole or but for its last letter.
#[track_caller]
fn assert_hidden(place: &str, bytes: &[u8], secret: &str) {
    let known = &secret[..secret.len() - 1];
    let hex: String = known.bytes().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains(known), "{place} shows the community: {text}");
    assert!(
        !text.to_lowercase().replace([' ', ':'], "").contains(&hex),
        "{place} shows the community in hex: {text}"
    );
}

/// As many records as the agent says are delivered.
fn read_what_is_there(agent: &Agent, broker: &Broker, topic: &str) -> Vec<Delivered> {
    let delivered = agent.ledger().records("delivered");
    broker.read(topic, usize::try_from(delivered).expect("a few"))
}
