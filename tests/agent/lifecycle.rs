//! Start without a broker, stop under load, reload.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::{UdpDevice, fleet, names, numbered, send_in_turn};
use crate::support::kafka::{Broker, OwnBroker};
use crate::support::oracle::{assert_numbered, assert_well_made, numbers_by_key};
use crate::support::preload::Preload;
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, pause, wait_until};

#[test]
fn without_a_broker_it_receives_at_once_and_delivers_when_the_broker_comes() {
    let absent = OwnBroker::absent();
    let settings = Settings::new(&absent.address(), vec![Listener::syslog_udp()]);
    let agent = Agent::start(&settings.topic("syslog", "early"));
    let fleet = fleet(4, agent.listener("syslog-udp"));
    send_in_turn(&agent, "syslog-udp", &fleet, 0..300, 0);
    let ready = agent.get("/readyz");
    assert_eq!(ready.status, 200, "{}", ready.body);
    wait_until("/readyz says degraded", SOON, || {
        agent.get("/readyz").body.contains("degraded")
    });
    let ledger = agent.ledger();
    ledger.assert_balances();
    assert_eq!(ledger.records("delivered"), 0);
    assert_eq!(ledger.records("pending"), 1200);

    let broker = absent.start();
    broker.create("early", &[]);
    let records = broker.read("early", 1200);
    assert_well_made(&records);
    assert_numbered(&records, &names(&fleet), 300);
    agent.wait_until_delivered(1200);
    wait_until("/readyz is no longer degraded", SOON, || {
        !agent.get("/readyz").body.contains("degraded")
    });
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.records("delivered"), 1200);
}

#[test]
fn sigterm_under_load_delivers_or_reports_everything_that_was_sent_before() {
    let broker = Broker::shared();
    let (topic, reports) = (broker.topic("sigterm"), broker.topic("sigterm-reports"));
    let settings = Settings::new(&broker.address, vec![Listener::syslog_udp()])
        .topic("syslog", &topic)
        .reporting(&reports);
    let agent = Agent::start(&settings);
    let device = UdpDevice::new(11, "r1", agent.listener("syslog-udp"));
    let sent = Arc::new(AtomicU64::new(0));
    let sender = {
        let sent = Arc::clone(&sent);
        // Ends when the kernel says that nobody listens any more.
        std::thread::spawn(move || {
            for number in 0.. {
                let message = numbered(&device.name, number);
                if device.try_send(message.as_bytes()).is_err() {
                    return;
                }
                sent.store(number + 1, Ordering::SeqCst);
                if number % 20 == 0 {
                    pause(Duration::from_millis(2));
                }
            }
        })
    };
    agent.wait_until_received("syslog-udp", 2000);
    let before = sent.load(Ordering::SeqCst);
    agent.signal(libc::SIGTERM);
    let ended = agent.wait();
    sender.join().expect("the sender");

    ended.assert_in_order();
    let ledger = &ended.ledger;
    let received = ledger.listener("syslog-udp", "received");
    let dropped = ledger.listener("syslog-udp", "kernel_dropped");
    assert!(
        received + dropped >= before,
        "{before} sent before the signal, {received} received, {dropped} dropped by the kernel"
    );
    let delivered = ledger.records("delivered") - ledger.records("generated");
    let records = broker.read(&topic, usize::try_from(delivered).expect("some thousands"));
    assert_well_made(&records);
    assert_eq!(
        records.len() as u64,
        delivered,
        "the ledger's word against the broker's"
    );
    let numbers = &numbers_by_key(&records)["r1"];
    assert!(numbers.is_sorted_by(|a, b| a < b), "out of order or twice");
    let arrived: BTreeSet<u64> = numbers.iter().copied().collect();
    let missing = (0..before)
        .filter(|number| !arrived.contains(number))
        .count() as u64;
    let reported =
        dropped + ledger.lost("process_end") + ledger.rejected("syslog-udp", "spool_stalled");
    assert!(
        missing <= reported,
        "{missing} missing, {reported} reported"
    );
    assert_eq!(ledger.lost_total(), 0, "Kafka was there to the end");
    let findings = audit(broker, &[&topic, &reports], Answer::Complete);
    assert_eq!(findings.count(&topic, "found"), delivered);
}

#[test]
fn a_name_server_that_does_not_answer_holds_up_no_stop_and_costs_no_event() {
    let silent = Preload::build("silent_names");
    let broker = Broker::shared();
    let topic = broker.topic("silent-names");
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new("kafka.invalid:9092", vec![Listener::syslog_udp()])
        .topic("syslog", &topic)
        .on_disk(&folder.path().join("spool"));
    settings.environment = vec![silent.environment()];
    settings.more = "[shutdown]\ndrain_seconds = 1".to_owned();
    let agent = Agent::start(&settings);
    let fleet = fleet(2, agent.listener("syslog-udp"));
    send_in_turn(&agent, "syslog-udp", &fleet, 0..50, 0);
    agent.signal(libc::SIGTERM);
    let asked = Instant::now();
    let ended = agent.wait();
    let took = asked.elapsed();
    // A second of draining, one at most for the client, and what a busy machine and its disk add.
    assert!(took < Duration::from_secs(15), "{took:?}:\n{}", ended.log);
    assert_eq!(ended.status.code(), Some(0), "log:\n{}", ended.log);
    ended.ledger.assert_balances();
    assert_eq!(ended.ledger.records("pending"), 100);

    settings.bootstrap.clone_from(&broker.address);
    let agent = Agent::start(&settings);
    let records = broker.read(&topic, 100);
    assert_well_made(&records);
    assert_numbered(&records, &names(&fleet), 50);
    agent.wait_until_delivered(100);
    agent.stop().assert_in_order();
}

#[test]
fn a_kernel_that_neither_stamps_nor_counts_datagrams_costs_no_listener_and_is_named() {
    let kernel = Preload::build("sparse_kernel");
    let broker = Broker::shared();
    let topic = broker.topic("sparse");
    let mut settings =
        Settings::new(&broker.address, vec![Listener::syslog_udp()]).topic("syslog", &topic);
    settings.environment = vec![kernel.environment()];
    let agent = Agent::start(&settings);
    let fleet = fleet(2, agent.listener("syslog-udp"));
    for option in ["SO_TIMESTAMPNS", "SO_MEMINFO"] {
        agent.wait_for_line(option, |line| {
            let message = line.field("message").as_str()?;
            message.contains(option).then_some(())
        });
    }
    send_in_turn(&agent, "syslog-udp", &fleet, 0..300, 0);
    let records = broker.read(&topic, 600);
    assert_well_made(&records);
    assert_numbered(&records, &names(&fleet), 300);
    agent.wait_until_delivered(600);
    let ended = agent.stop();
    ended.assert_in_order();
}

#[test]
fn sighup_applies_a_good_file_and_a_bad_one_leaves_the_old_settings_at_work() {
    let broker = Broker::shared();
    let topic = broker.topic("reload");
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_udp()]);
    settings = settings.topic("syslog", &topic);
    let agent = Agent::start(&settings);
    let target = agent.listener("syslog-udp");
    let (first, second) = (
        UdpDevice::new(11, "r1", target),
        UdpDevice::new(12, "r2", target),
    );
    let rejected = || agent.ledger().rejected("syslog-udp", "source_not_allowed");
    first.send_number(0);
    second.send_number(0);
    agent.wait_until_delivered(2);

    settings.listeners[0].allow = vec!["127.0.0.12/32"];
    agent.write_config(&settings.toml());
    agent.signal(libc::SIGHUP);
    wait_until("the new list rejects the first device", SOON, || {
        first.send_number(1);
        rejected() > 0
    });

    agent.write_config("[listener\nthis is no TOML");
    let logged = agent.log_length();
    agent.signal(libc::SIGHUP);
    wait_until("the bad file is named in the log", SOON, || {
        agent.log_since(logged).iter().any(|line| {
            let level = line.field("level").as_str().unwrap_or_default();
            matches!(level, "ERROR" | "WARN") && line.0.to_string().contains("trapline.toml")
        })
    });
    let before = rejected();
    first.send_number(2);
    second.send_number(2);
    wait_until("the first device is still rejected", SOON, || {
        rejected() > before
    });
    wait_until("the second is still heard", SOON, || {
        let records = broker.read(&topic, 3);
        records.iter().filter(|record| record.key == "r2").count() == 2
    });
    assert_eq!(agent.listener("syslog-udp"), target);
    agent.stop().assert_in_order();
}
