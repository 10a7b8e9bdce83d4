//! A topic that is not there, a record that the broker refuses, a spool that is full.

use std::collections::BTreeMap;

use crate::support::agent::Agent;
use crate::support::device::{UdpDevice, numbered, octet_counted, stream};
use crate::support::kafka::{Broker, quiet_port, unique};
use crate::support::oracle::{assert_well_made, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::snmp::v2c_trap;
use crate::support::wait::{SOON, wait_until};

#[test]
fn an_absent_topic_stops_only_itself_is_named_and_delivers_once_it_exists() {
    let broker = Broker::shared();
    let (absent, present) = (unique("absent"), broker.topic("present"));
    let listeners = vec![Listener::syslog_udp(), Listener::snmp_udp()];
    let settings = Settings::new(&broker.address, listeners)
        .topic("syslog", &absent)
        .topic("snmp_trap", &present);
    let agent = Agent::start(&settings);
    let router = UdpDevice::new(11, "r1", agent.listener("syslog-udp"));
    let switch = UdpDevice::new(12, "s1", agent.listener("snmp-udp"));
    for number in 0..50 {
        router.send_number(u64::from(number));
        switch.send(&v2c_trap(b"public", number));
    }

    let traps = broker.read(&present, 50);
    assert_well_made(&traps);
    let indexes: Vec<u64> = traps
        .iter()
        .map(|trap| trap.event["snmp"]["varbinds"][0]["value"].as_str())
        .map(|value| value.expect("a varbind").parse().expect("a number"))
        .collect();
    assert_eq!(indexes, (0..50).collect::<Vec<_>>());
    wait_until("the missing topic is named", SOON, || {
        ["/readyz", "/metrics"]
            .iter()
            .any(|path| agent.get(path).body.contains(&absent))
    });
    let ledger = agent.wait_until_delivered(50);
    ledger.assert_balances();
    assert_eq!(ledger.records("pending"), 50);

    broker.create(&absent, &[]);
    let messages = broker.read(&absent, 50);
    assert_well_made(&messages);
    let numbers: Vec<u64> = messages
        .iter()
        .map(|record| number_after(string(&record.event["message"]), "n="))
        .collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    agent.wait_until_delivered(100);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.records("delivered"), 100);
}

#[test]
fn one_record_too_large_for_the_topic_costs_only_itself() {
    let broker = Broker::shared();
    let topic = unique("small");
    broker.create(&topic, &[("max.message.bytes", "20000")]);
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()]);
    settings.compression = "none";
    // Batches stay below the topic's limit; only a record that is too large by itself is above it.
    settings.kafka = "batch_bytes = 10000";
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let frames: Vec<u8> = (0..400)
        .flat_map(|number| {
            let filling = if number == 200 {
                "x".repeat(40_000)
            } else {
                String::new()
            };
            octet_counted(&format!("{} {filling}", numbered("r1", number)))
        })
        .collect();
    stream(agent.listener("syslog-tcp"), &frames);
    agent.wait_until_received("syslog-tcp", 400);
    wait_until("everything but the large one is delivered", SOON, || {
        let ledger = agent.ledger();
        ledger.records("delivered") == 399 && ledger.records("pending") == 0
    });

    let ended = agent.stop();
    ended.assert_in_order();
    let set_aside = ended.ledger.records("dead_letter") + ended.ledger.lost("poison");
    assert_eq!(set_aside, 1, "{:#}", ended.ledger.0);
    let records = broker.read(&topic, 399);
    let mut times: BTreeMap<u64, u32> = BTreeMap::new();
    let mut firsts = Vec::new();
    for record in &records {
        let number = number_after(string(&record.event["message"]), "n=");
        let count = times.entry(number).or_default();
        *count += 1;
        if *count == 1 {
            firsts.push(number);
        }
    }
    let expected: Vec<u64> = (0..400).filter(|number| *number != 200).collect();
    assert_eq!(firsts, expected, "first occurrences, in order");
    // What was in flight when the broker refused may come again, and nothing else: a batch holds fewer than 40 of these
    // records, and at most five batches are under way.
    let repeats = records.len() - firsts.len();
    assert!(repeats <= 200, "{repeats} repeats");
}

#[test]
fn a_full_spool_drops_by_its_policy_and_counts_every_drop() {
    for (policy, kept_first) in [("drop_newest", true), ("drop_oldest", false)] {
        let nobody = format!("127.0.0.1:{}", quiet_port());
        let mut settings = Settings::new(&nobody, vec![Listener::syslog_tcp()]);
        settings.spool_bytes_max = 4 * 1024 * 1024;
        settings.when_full = policy;
        let agent = Agent::start(&settings.topic("syslog", "nowhere"));
        let frames: Vec<u8> = (0..20_000)
            .flat_map(|number| octet_counted(&numbered("r1", number)))
            .collect();
        stream(agent.listener("syslog-tcp"), &frames);
        agent.wait_until_received("syslog-tcp", 20_000);
        wait_until("every packet has ended", SOON, || {
            agent.ledger().listener("syslog-tcp", "in_hand") == 0
        });

        let ledger = agent.ledger();
        ledger.assert_balances();
        let refused = ledger.rejected("syslog-tcp", "spool_full");
        let pushed_out = ledger.lost("spool_full");
        let pending = ledger.records("pending");
        assert_eq!(refused + pushed_out + pending, 20_000, "{:#}", ledger.0);
        assert!(
            pending > 0 && pending < 20_000,
            "{policy}: {pending} pending"
        );
        assert_eq!(refused > 0, kept_first, "{policy}: {refused} refused");
        assert_eq!(
            pushed_out > 0,
            !kept_first,
            "{policy}: {pushed_out} pushed out"
        );
    }
}
