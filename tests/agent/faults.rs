//! A broker that goes, hangs and comes back; an outage longer than memory.

use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::kafka::OwnBroker;
use crate::support::ledger::Ledger;
use crate::support::load::{Load, Sent, send_paced, total};
use crate::support::settings::{Listener, Settings};
use crate::support::tally::assert_nothing_missing;
use crate::support::wait::{SOON, wait_for, wait_until};

/// How long a test waits for a broker's return to be noticed and a backlog to be delivered on a busy machine.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(120);

const LOAD: Load<'_> = Load {
    devices: &["r1", "r2"],
    per_second: 1500,
    filling_bytes: 0,
};

#[test]
fn a_broker_that_stops_is_killed_or_hangs_under_load_costs_nothing_and_repeats_little() {
    let own = OwnBroker::absent();
    let broker = own.start();
    broker.create("faults", &[]);
    broker.create("reports", &[]);
    let spool = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "faults")
        .reporting("reports")
        .on_disk(spool.path());
    settings.kafka = "window_records = 1000";
    let agent = Agent::start(&settings);
    let sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        let more_is_delivered = || {
            let before = agent.ledger().records("delivered");
            wait_until("records are delivered again", AFTER_AN_OUTAGE, || {
                agent.ledger().records("delivered") > before + 200
            });
        };
        more_is_delivered();
        own.stop();
        own.start();
        more_is_delivered();
        own.kill();
        own.start();
        more_is_delivered();
        own.signal(libc::SIGSTOP);
        let silent = Instant::now();
        wait_until("the broker has been deaf for 20 s", SOON, || {
            agent.ledger().assert_balances();
            silent.elapsed() >= Duration::from_secs(20)
        });
        own.signal(libc::SIGCONT);
        more_is_delivered();
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), AFTER_AN_OUTAGE);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), total(&sent));
    let repeats = assert_nothing_missing(&broker, "faults", "reports", &sent);
    println!("{sent:?} messages, {repeats} repeats");
    // Three faults, and each may repeat what was with the client.
    assert!(repeats <= 3 * 1000, "{repeats} repeats");
}

#[test]
fn an_outage_longer_than_memory_and_a_restart_in_it_lose_nothing_and_stay_small() {
    const EVENTS: u64 = 36_000;
    const RESIDENT_BYTES_MAX: u64 = 96 * 1024 * 1024;
    let own = OwnBroker::absent();
    let spool = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "outage")
        .reporting("reports")
        .on_disk(spool.path());
    settings.more = "[shutdown]\ndrain_seconds = 1".to_owned();
    let mut resident = 0;
    let mut filled = 0;
    for numbers in [0..EVENTS / 2, EVENTS / 2..EVENTS] {
        let agent = Agent::start(&settings);
        assert_eq!(agent.ledger().of_packets("pending"), numbers.start);
        for part in numbers.clone().step_by(500) {
            send_paced(
                agent.listener("syslog-tcp"),
                "r1",
                part..part + 500,
                5000,
                1400,
            );
            // The next stream begins where this one has been read to its end, so the order is known.
            agent.wait_until_received("syslog-tcp", part + 500 - numbers.start);
            resident = resident.max(agent.resident_bytes());
        }
        let ledger = wait_until_accepted(&agent, numbers.end - numbers.start);
        ledger.assert_at_rest();
        assert_eq!(ledger.of_packets("pending"), numbers.end, "{:#}", ledger.0);
        if numbers.end < EVENTS {
            let ended = agent.stop();
            assert_eq!(ended.status.code(), Some(0), "log:\n{}", ended.log);
            ended.ledger.assert_at_rest();
            assert_eq!(ended.ledger.of_packets("pending"), numbers.end);
            assert_eq!(ended.ledger.lost_total(), 0);
            continue;
        }
        filled = folder_bytes(spool.path());
        let broker = own.start();
        broker.create("outage", &[]);
        broker.create("reports", &[]);
        wait_until("the backlog is delivered", AFTER_AN_OUTAGE, || {
            resident = resident.max(agent.resident_bytes());
            let ledger = agent.ledger();
            ledger.records("delivered") >= EVENTS && ledger.records("pending") == 0
        });
        let ended = agent.stop();
        ended.assert_in_order();
        assert_eq!(ended.ledger.of_packets("delivered"), EVENTS);
        let sent = Sent::from([("r1".to_owned(), EVENTS)]);
        let repeats = assert_nothing_missing(&broker, "outage", "reports", &sent);
        assert_eq!(repeats, 0, "nothing failed while the broker was there");
    }
    println!("{filled} bytes on disk, {resident} bytes of memory at most");
    assert!(
        filled >= 60_000_000,
        "{filled} bytes are no outage longer than memory"
    );
    assert!(resident <= RESIDENT_BYTES_MAX, "{resident} bytes of memory");
}

/// Waits until the ledger says that `count` messages of this run are accepted, and returns that ledger.
#[track_caller]
fn wait_until_accepted(agent: &Agent, count: u64) -> Ledger {
    wait_for("everything that was sent is accepted", SOON, || {
        let ledger = agent.ledger();
        let accepted = ledger.listener("syslog-tcp", "used") >= count && ledger.is_at_rest();
        accepted.then_some(ledger)
    })
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sizes = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let about = entry.metadata().expect("its size");
        if about.is_dir() {
            folder_bytes(&entry.path())
        } else {
            about.len()
        }
    });
    sizes.sum()
}
