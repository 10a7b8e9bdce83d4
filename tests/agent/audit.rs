//! The audit against losses that were declared, losses that were not, repeats, and an agent that was killed.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::Stdio;

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::UdpDevice;
use crate::support::kafka::{Broker, OwnBroker};
use crate::support::oracle::{number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::tool::tool;
use crate::support::wait::{SOON, wait_until};

/// Sends `count` messages, none faster than the agent reads.
fn send(agent: &Agent, device: &UdpDevice, count: u64) {
    let before = agent.ledger().listener("syslog-udp", "received");
    for number in 0..count {
        device.send_number(number);
        if number % 50 == 49 {
            agent.wait_until_received("syslog-udp", before + number + 1);
        }
    }
    agent.wait_until_received("syslog-udp", before + count);
}

/// Waits until everything is settled, and a report says so.
fn wait_until_reported(agent: &Agent) {
    let before = agent.wait_until_settled(SOON).records("generated");
    // The first one may have been under way already.
    wait_until("two more reports", SOON, || {
        agent.ledger().records("generated") >= before + 2
    });
}

#[test]
fn what_is_delivered_is_found_and_a_record_that_is_taken_away_is_missing_by_its_number() {
    let broker = Broker::shared();
    let (topic, reports) = (broker.topic("audited"), broker.topic("reports"));
    let settings = Settings::new(&broker.address, vec![Listener::syslog_udp()])
        .topic("syslog", &topic)
        .reporting(&reports);
    let agent = Agent::start(&settings);
    let device = UdpDevice::new(11, "r1", agent.listener("syslog-udp"));
    send(&agent, &device, 500);
    wait_until_reported(&agent);
    let ended = agent.stop();
    assert_eq!(ended.status.code(), Some(0), "log:\n{}", ended.log);
    let findings = audit(broker, &[&topic, &reports], Answer::Complete);
    assert_eq!(findings.count(&topic, "produced"), 500);
    assert_eq!(findings.count(&topic, "found"), 500);
    assert_eq!(findings.count(&topic, "repeated"), 0);
    assert_eq!(findings.uncovered(&topic), 0);
    findings.assert_in_order(&topic);

    // The same on another broker, but for one record, and with another twice.
    let other = OwnBroker::absent();
    let copy = other.start();
    let number = |payload: &str| -> u64 {
        let event: serde_json::Value = serde_json::from_str(payload).expect("an event");
        let id = event["id"].as_str().expect("an id").rsplit('-').next();
        id.and_then(|number| number.parse().ok()).expect("a number")
    };
    for name in [&topic, &reports] {
        copy.create(name, &[]);
        let mut lines = String::new();
        for record in broker.read(name, 1) {
            let payload = String::from_utf8(record.payload).expect("UTF-8");
            let times = match number(&payload) {
                _ if *name == reports => 1,
                137 => 0,
                211 => 2,
                _ => 1,
            };
            for _ in 0..times {
                lines.push_str(&format!("{}\t{payload}\n", record.key));
            }
        }
        let mut kcat = tool("kcat", "kcat");
        kcat.args(["-P", "-b", &copy.address, "-t", name, "-K", "\t"]);
        let mut kcat = kcat.stdin(Stdio::piped()).spawn().expect("kcat runs");
        let mut pipe = kcat.stdin.take().expect("a pipe");
        pipe.write_all(lines.as_bytes()).expect("kcat reads");
        drop(pipe);
        assert!(kcat.wait().expect("kcat's end").success());
    }
    // The reports alone say what was produced, and nothing of where it is.
    let findings = audit(&copy, &[&reports], Answer::Unread);
    assert_eq!(findings.ranges(&topic, "unread"), [(0, 499)]);
    let findings = audit(&copy, &[&topic, &reports], Answer::Missing);
    assert_eq!(findings.ranges(&topic, "missing"), [(137, 137)]);
    assert_eq!(findings.count(&topic, "repeated"), 1);
    assert_eq!(findings.count(&topic, "found"), 499);
}

#[test]
fn what_a_full_spool_gives_up_is_declared_with_its_exact_numbers_even_after_a_kill() {
    let own = OwnBroker::absent();
    let spool = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_udp()])
        .topic("syslog", "full")
        .reporting("reports")
        .on_disk(spool.path());
    settings.spool_bytes_max = 4 * 1024 * 1024;
    let agent = Agent::start(&settings);
    let device = UdpDevice::new(11, "r1", agent.listener("syslog-udp"));
    send(&agent, &device, 10_000);
    wait_until("the spool is full", SOON, || {
        let ledger = agent.ledger();
        ledger.lost("spool_full") > 0 && ledger.is_at_rest()
    });
    // Killed while nothing of what it said has reached Kafka.
    agent.kill();
    let agent = Agent::start(&settings);
    let broker = own.start();
    broker.create("full", &[]);
    broker.create("reports", &[]);
    let ledger = agent.wait_until_settled(SOON);
    // The cursor knew of each segment before it was gone.
    let lost = ledger.lost("spool_full");
    assert_eq!(ledger.lost_total(), lost, "{:#}", ledger.0);
    let ended = agent.stop();
    ended.assert_in_order();
    let findings = audit(&broker, &["full", "reports"], Answer::Declared);
    let arrived: BTreeSet<u64> = broker
        .read("full", 0)
        .iter()
        .map(|record| number_after(string(&record.event["message"]), "n="))
        .collect();
    // One device, one lane: the messages' numbers are the records'.
    let declared: BTreeSet<u64> = findings
        .declared("full", "spool_full")
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .collect();
    assert!(!declared.is_empty());
    assert_eq!(declared.len() as u64, lost);
    assert_eq!(
        declared,
        (0..10_000).filter(|n| !arrived.contains(n)).collect()
    );
    assert_eq!(findings.count("full", "produced"), 10_000);
    assert_eq!(findings.count("full", "found"), 10_000 - lost);
    findings.assert_in_order("full");
    assert_eq!(findings.ranges("reports", "missing"), []);
    assert!(findings.declared("reports", "spool_full").is_empty());
}
