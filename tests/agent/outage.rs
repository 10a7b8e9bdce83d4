//! An outage that lasts: what it costs, and what comes after it.
//!
//! `TRAPLINE_TEST_OUTAGE_SECONDS` sets how long it lasts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::kafka::OwnBroker;
use crate::support::load::{Load, total};
use crate::support::settings::{Listener, Settings, count_from_environment};
use crate::support::tally::assert_nothing_missing;
use crate::support::wait::{SOON, wait_until};

/// What the agent may hold in memory, an outage of any length included.
const RESIDENT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Records that may be with the Kafka client at once, by default.
const WINDOW_RECORDS: u64 = 20_000;

/// Messages of 300 bytes.
const LOAD: Load<'_> = Load {
    devices: &["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10"],
    per_second: 5000,
    filling_bytes: 160,
};

#[test]
fn a_long_outage_at_5000_a_second_costs_disk_only_and_is_replayed_in_order_beside_live_traffic() {
    let seconds = count_from_environment("TRAPLINE_TEST_OUTAGE_SECONDS").unwrap_or(60);
    let own = OwnBroker::absent();
    let broker = own.start();
    broker.create("outage", &[]);
    broker.create("reports", &[]);
    let spool = TempDir::new().expect("a temporary folder");
    let settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "outage")
        .reporting("reports")
        .on_disk(spool.path());
    let mut settings = settings;
    settings.spool_bytes_max = 20 * 1024 * 1024 * 1024;
    let agent = Agent::start(&settings);
    let resident = AtomicU64::new(0);
    let mut figures = Vec::new();
    let sent = LOAD.during(agent.listener("syslog-tcp"), |sent| {
        let look = || resident.fetch_max(agent.resident_bytes(), Ordering::SeqCst);
        agent.wait_until_delivered(10_000);
        own.kill();
        let began = Instant::now();
        let outage = Duration::from_secs(seconds);
        wait_until("the outage is long enough", outage + SOON, || {
            look();
            began.elapsed() >= outage
        });
        let ledger = agent.ledger();
        ledger.assert_balances();
        let (backlog, outage_peak) = (ledger.records("pending"), agent.resident_bytes());
        assert!(
            backlog >= 9 * seconds * LOAD.per_second / 10,
            "{backlog} records are no outage of {seconds} s"
        );
        own.start();
        let (before, began) = (sent.load(Ordering::SeqCst), Instant::now());
        wait_until("the backlog is delivered", outage + 2 * SOON, || {
            look();
            let ledger = agent.ledger();
            ledger.assert_balances();
            ledger.records("pending") < 2 * LOAD.per_second
        });
        let took = began.elapsed();
        let live = sent.load(Ordering::SeqCst) - before;
        let speed = (backlog + live) * 1000 / u64::try_from(took.as_millis()).expect("some minutes").max(1);
        figures.push(format!(
            "{seconds} s without a broker: {backlog} records waiting, {outage_peak} bytes of memory at its end; delivered \
             within {} ms beside {live} new ones, {speed} a second",
            took.as_millis()
        ));
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), 2 * SOON);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), total(&sent));
    let repeats = assert_nothing_missing(&broker, "outage", "reports", &sent);
    let resident = resident.into_inner();
    println!(
        "{}; {} messages, {repeats} repeats, {resident} bytes of memory at most",
        figures.join(""),
        total(&sent)
    );
    assert!(repeats <= WINDOW_RECORDS, "{repeats} repeats");
    assert!(resident <= RESIDENT_BYTES_MAX, "{resident} bytes of memory");
}
