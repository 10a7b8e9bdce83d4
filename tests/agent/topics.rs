//! A topic that is not there, a record that the broker refuses, a spool that is full.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::{UdpDevice, numbered, octet_counted, stream};
use crate::support::kafka::{Broker, quiet_port, unique};
use crate::support::oracle::{assert_well_made, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::snmp::v2c_trap;
use crate::support::tool::output;
use crate::support::wait::{SOON, wait_for, wait_until};

#[test]
fn an_absent_topic_stops_only_itself_is_named_and_delivers_once_it_exists() {
    let broker = Broker::shared();
    let (absent, present) = (unique("absent"), broker.topic("present"));
    let reports = broker.topic("reports");
    let listeners = vec![Listener::syslog_udp(), Listener::snmp_udp()];
    let settings = Settings::new(&broker.address, listeners)
        .topic("syslog", &absent)
        .topic("snmp_trap", &present)
        .reporting(&reports);
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
    wait_until("only the missing topic's are pending", SOON, || {
        let ledger = agent.ledger();
        ledger.assert_balances();
        ledger.records("pending") == 50 && ledger.of_packets("delivered") == 50
    });

    broker.create(&absent, &[]);
    let messages = broker.read(&absent, 50);
    assert_well_made(&messages);
    let numbers: Vec<u64> = messages
        .iter()
        .map(|record| number_after(string(&record.event["message"]), "n="))
        .collect();
    assert_eq!(numbers, (0..50).collect::<Vec<_>>());
    agent.wait_until_settled(SOON);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), 100);
    let findings = audit(broker, &[&absent, &present, &reports], Answer::Complete);
    findings.assert_accounts_for(&absent, 50);
    findings.assert_accounts_for(&present, 50);
}

#[test]
fn one_record_too_large_for_the_topic_costs_only_itself() {
    let broker = Broker::shared();
    let (topic, reports) = (unique("small"), broker.topic("reports"));
    broker.create(&topic, &[("max.message.bytes", "20000")]);
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()]);
    settings.compression = "none";
    // Batches stay below the topic's limit; only a record that is too large by itself is above it.
    settings.kafka = "batch_bytes = 10000";
    let agent = Agent::start(&settings.topic("syslog", &topic).reporting(&reports));
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
        ledger.records("pending") == 0 && ledger.of_packets("delivered") == 399
    });

    let ended = agent.stop();
    ended.assert_in_order();
    // A spool in memory has no dead-letter file.
    assert_eq!(ended.ledger.lost("poison"), 1, "{:#}", ended.ledger.0);
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
    let findings = audit(broker, &[&topic, &reports], Answer::Declared);
    assert_eq!(findings.declared(&topic, "poison"), [(200, 200)]);
    assert_eq!(findings.declared_at_all(&topic), [(200, 200)]);
    assert_eq!(findings.count(&topic, "found"), 399);
    assert_eq!(findings.count(&topic, "repeated"), repeats as u64);
    findings.assert_in_order(&topic);
}

/// `trapline spool` on `folder`, to its end: exit code, standard output, standard error.
fn spool(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    let command = command.arg("spool").args(arguments);
    let output = output(command.arg("--folder").arg(folder));
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn what_the_topic_refuses_is_a_dead_letter_and_is_sent_again_once_the_topic_takes_it() {
    let broker = Broker::shared();
    let home = tempfile::tempdir().expect("a temporary folder");
    let folder = home.path().join("spool");
    let (topic, reports) = (unique("refused"), broker.topic("reports"));
    broker.create(&topic, &[("max.message.bytes", "20000")]);
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()]);
    settings.compression = "none";
    settings.kafka = "batch_bytes = 10000";
    let settings = settings.topic("syslog", &topic).reporting(&reports);
    let settings = settings.on_disk(&folder);
    let agent = Agent::start(&settings);
    let frames: Vec<u8> = (0..200)
        .flat_map(|number| {
            let filling = "x".repeat(if number == 100 { 40_000 } else { 0 });
            octet_counted(&format!("{} {filling}", numbered("r1", number)))
        })
        .collect();
    stream(agent.listener("syslog-tcp"), &frames);
    wait_until("one is set aside, the others are delivered", SOON, || {
        let ledger = agent.ledger();
        ledger.records("dead_letter") == 1 && ledger.of_packets("delivered") >= 199
    });
    agent.ledger().assert_balances();
    assert!(
        agent
            .get("/metrics")
            .body
            .contains("\ntrapline_dead_letters 1")
    );

    // Beside the running agent.
    let (code, letters, error) = spool(&folder, &["cat", "--dead-letters"]);
    assert_eq!(code, Some(0), "{error}");
    let letter: Value = serde_json::from_str(&letters).expect("one letter");
    assert_eq!(letter["topic"], topic.as_str());
    let reason = string(&letter["reason"]);
    assert!(reason.starts_with("MSG_SIZE_TOO_LARGE: "), "{reason}");
    let message = string(&letter["payload"]["message"]);
    assert_eq!(number_after(message, "n="), 100);
    let (code, verdict, error) = spool(&folder, &["verify"]);
    assert_eq!(code, Some(0), "{verdict}{error}");
    let (code, _, error) = spool(&folder, &["requeue", "--all"]);
    assert_eq!(code, Some(1), "{error}");
    assert!(error.contains("uses this spool"), "{error}");
    // Asked over its socket it does it itself: the letter is refused again and comes back, under its new id.
    let socket = agent.admin_socket();
    let socket = socket.to_str().expect("a path in UTF-8");
    let (code, moved, error) = spool(&folder, &["requeue", "--all", "--socket", socket]);
    assert_eq!(code, Some(0), "{error}");
    let moved: Vec<&str> = moved.split_whitespace().collect();
    assert_eq!(
        moved[..2],
        [topic.as_str(), string(&letter["payload"]["id"])]
    );
    let again = wait_for("the letter comes back", SOON, || {
        let (_, letters, _) = spool(&folder, &["cat", "--dead-letters"]);
        serde_json::from_str::<Value>(&letters).ok()
    });
    assert_eq!(again["payload"]["id"], moved[3]);
    let letter = again;
    agent.stop().assert_in_order();

    broker.alter(&topic, "max.message.bytes", "1000000");
    let (code, moved, error) = spool(&folder, &["requeue", "--all"]);
    assert_eq!(code, Some(0), "{error}");
    let old_id = string(&letter["payload"]["id"]);
    let moved: Vec<&str> = moved.split_whitespace().collect();
    assert_eq!(moved[..3], [topic.as_str(), old_id, "->"], "{moved:?}");
    let (_, letters, _) = spool(&folder, &["cat", "--dead-letters"]);
    assert_eq!(letters, "");
    let (_, pending, _) = spool(&folder, &["cat", &topic]);
    let pending: Value = serde_json::from_str(&pending).expect("one record");
    assert_eq!(pending["id"], moved[3]);

    let agent = Agent::start(&settings);
    let ledger = agent.wait_until_settled(SOON);
    assert_eq!(ledger.records("dead_letter"), 2);
    agent.stop().assert_in_order();
    let records = broker.read(&topic, 200);
    let again = records.iter().find(|record| record.event["id"] == moved[3]);
    let again = again.expect("the letter is delivered");
    assert_eq!(again.event["message"], letter["payload"]["message"]);
    assert_eq!(again.key, string(&letter["key"]));
    let numbers: BTreeSet<u64> = records
        .iter()
        .map(|record| number_after(string(&record.event["message"]), "n="))
        .collect();
    assert_eq!(numbers, (0..200).collect());
    // The letter and its first copy have ids that are nowhere; the second copy is a record like others.
    let findings = audit(broker, &[&topic, &reports], Answer::Declared);
    let refused = [100, 200].map(|number| (number, number));
    assert_eq!(findings.declared(&topic, "dead_letter"), refused);
    assert_eq!(findings.declared_at_all(&topic), refused);
    assert_eq!(findings.count(&topic, "produced"), 202);
    assert_eq!(findings.count(&topic, "found"), 200);
    findings.assert_in_order(&topic);
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
        let ready = agent.get("/readyz");
        let refuses = ready.body.contains("spool: no record can be appended");
        assert_eq!(refuses, kept_first, "{policy}: {}", ready.body);
        let status = if kept_first { 503 } else { 200 };
        assert_eq!(ready.status, status, "{policy}: {}", ready.body);
    }
}
