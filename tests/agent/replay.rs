//! After an outage: the backlog comes within its cap while live traffic goes on, and what is urgent overtakes it.

use std::io::Write;
use std::net::TcpStream;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::{UdpDevice, numbered, octet_counted};
use crate::support::kafka::{Delivered, OwnBroker};
use crate::support::oracle::{assert_well_made, numbers_by_key};
use crate::support::settings::{Listener, Settings};
use crate::support::snmp::v2c_trap;
use crate::support::wait::{SOON, pause, wait_until};

/// How long a test waits for a broker's return to be noticed and a capped backlog to be delivered.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(120);

/// A stretch of the replay: twice as long as what a broker on a busy machine may keep silent for.
const WINDOW: Duration = Duration::from_secs(6);

/// An agent without a broker, whose replay is capped.
fn capped(own: &OwnBroker, spool: &TempDir, bytes_per_second: u64) -> Agent {
    let listeners = vec![Listener::syslog_tcp(), Listener::snmp_udp()];
    let mut settings = Settings::new(&own.address(), listeners)
        .topic("syslog", "bulk")
        .topic("snmp_trap", "urgent")
        .reporting("reports")
        .on_disk(spool.path());
    settings.more = format!("[replay]\nbytes_per_second = {bytes_per_second}");
    Agent::start(&settings)
}

#[test]
fn an_urgent_event_of_a_topic_of_its_own_overtakes_the_backlog_of_another() {
    const BACKLOG: usize = 2_000;
    let own = OwnBroker::absent();
    let spool = TempDir::new().expect("a temporary folder");
    let agent = capped(&own, &spool, 150_000);
    send(&agent, "r1", 0..BACKLOG as u64);
    let switch = UdpDevice::new(12, "s1", agent.listener("snmp-udp"));
    for index in 0..20 {
        switch.send(&v2c_trap(b"public", index));
    }
    wait_until_pending(&agent, BACKLOG as u64 + 20);

    let broker = own.start();
    broker.create("bulk", &[]);
    broker.create("urgent", &[]);
    broker.create("reports", &[]);
    // The traps of the outage itself are there while most of the backlog is not.
    assert_well_made(&broker.read("urgent", 20));
    let overtaken = BACKLOG - broker.count("bulk");
    assert!(overtaken > BACKLOG / 2, "{overtaken} of {BACKLOG}");

    wait_until("the replay has begun", AFTER_AN_OUTAGE, || {
        broker.count("bulk") > BACKLOG / 20
    });
    let sent = Instant::now();
    switch.send(&v2c_trap(b"public", 99));
    broker.read("urgent", 21);
    let took = sent.elapsed();
    let pending = BACKLOG - broker.count("bulk");
    println!("overtook {overtaken}, then {pending} of {BACKLOG}, the live one within {took:?}");
    assert!(pending > BACKLOG / 3, "{pending} of {BACKLOG}");

    let status = agent.status();
    assert!(status.contains("replay   "), "{status}");
    assert!(status.contains("KiB/s above what arrives"), "{status}");
    assert!(agent.get("/readyz").body.contains("\"replay\""));
    let metrics = agent.get("/metrics").body;
    assert!(metrics.contains("trapline_replay_active 1"), "{metrics}");
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    for message in [
        "replay begins",
        "replay goes on",
        "replay ends, no backlog is left",
    ] {
        agent.wait_for_line(message, |line| {
            (line.field("message") == message).then_some(())
        });
    }
    let ended = agent.stop();
    ended.assert_in_order();
    let records = broker.read("bulk", BACKLOG);
    assert_well_made(&records);
    let numbers = numbers_by_key(&records);
    assert_eq!(numbers["r1"], (0..BACKLOG as u64).collect::<Vec<_>>());
    let findings = audit(&broker, &["bulk", "urgent", "reports"], Answer::Complete);
    findings.assert_accounts_for("bulk", BACKLOG as u64);
    findings.assert_accounts_for("urgent", 21);
}

#[test]
fn a_capped_replay_beside_live_traffic_stays_within_its_cap_and_the_lag_shrinks() {
    const BACKLOG: u64 = 2_000;
    const CAP: u64 = 250_000;
    let own = OwnBroker::absent();
    let spool = TempDir::new().expect("a temporary folder");
    let agent = capped(&own, &spool, CAP);
    send(&agent, "r1", 0..BACKLOG);
    wait_until_pending(&agent, BACKLOG);
    let broker = own.start();
    broker.create("bulk", &[]);
    broker.create("urgent", &[]);
    broker.create("reports", &[]);

    let (stop, live) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut seen: Vec<Seen> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| send_live(&agent, "r2", &stop, &live));
        // However this ends, the sender ends.
        let _stopping = StopAtEnd(&stop);
        let begun = Instant::now();
        wait_until("the backlog is delivered", AFTER_AN_OUTAGE, || {
            let sent = live.load(Ordering::SeqCst);
            let ledger = agent.ledger();
            ledger.assert_balances();
            seen.push(Seen {
                at: begun.elapsed(),
                live: sent,
                delivered: ledger.records("delivered"),
                pending: ledger.records("pending"),
            });
            ledger.records("delivered") > BACKLOG && ledger.records("pending") < 200
        });
    });
    let live = live.load(Ordering::SeqCst);
    agent.wait_until_received("syslog-tcp", BACKLOG + live);
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    let ended = agent.stop();
    ended.assert_in_order();
    let records = broker.read(
        "bulk",
        usize::try_from(BACKLOG + live).expect("some thousands"),
    );
    assert_well_made(&records);
    let numbers = numbers_by_key(&records);
    assert_eq!(numbers["r1"], (0..BACKLOG).collect::<Vec<_>>());
    assert_eq!(numbers["r2"], (0..live).collect::<Vec<_>>());
    let findings = audit(&broker, &["bulk", "urgent", "reports"], Answer::Complete);
    findings.assert_accounts_for("bulk", BACKLOG + live);
    assert_within_cap(&seen, record_bytes(&records), CAP);
}

/// One look at the agent.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Duration,
    /// Live messages sent so far.
    live: u64,
    delivered: u64,
    pending: u64,
}

/// In every [`WINDOW`] of the replay: above what was sent live no more than the cap and what it may save up, and at its
/// end less is pending than at its beginning.
#[track_caller]
fn assert_within_cap(seen: &[Seen], record_bytes: f64, cap: u64) {
    let first = seen.iter().position(|look| look.delivered > 0);
    let seen = &seen[first.expect("something was delivered")..];
    let (first, last) = (seen[0], seen[seen.len() - 1]);
    let mut windows = 0;
    for (index, from) in seen.iter().enumerate() {
        let later = seen[index..].iter();
        let Some(to) = later.clone().find(|to| to.at >= from.at + WINDOW) else {
            break;
        };
        windows += 1;
        let seconds = (to.at - from.at).as_secs_f64();
        let above = (to.delivered - from.delivered) as f64 - (to.live - from.live) as f64;
        // What arrived in the two seconds before may still be answered, a second of the cap may be saved up, and what
        // was with the client when the window began is delivered in it.
        let earlier = seen[..=index].iter().rev();
        let before = earlier
            .clone()
            .find(|look| look.at + Duration::from_millis(2500) <= from.at);
        let recent = from.live - before.unwrap_or(&first).live;
        let allowed = cap as f64 * (seconds + 2.0) * 1.1 / record_bytes + recent as f64;
        assert!(
            above <= allowed,
            "{above} above live, {allowed} allowed: {from:?} {to:?}"
        );
        assert!(to.pending < from.pending, "the lag grows: {from:?} {to:?}");
    }
    let seconds = (last.at - first.at).as_secs_f64();
    let backlog_bytes = first.pending as f64 * record_bytes;
    let at_cap = backlog_bytes / cap as f64;
    println!(
        "{windows} windows; {backlog_bytes} bytes of backlog in {seconds:.1} s, {at_cap:.1} s at the cap"
    );
    assert!(windows > 3, "{windows} windows");
    assert!(
        seconds > at_cap * 0.6,
        "{seconds} s are faster than the cap: {at_cap} s"
    );
    assert!(
        seconds < at_cap * 3.0,
        "{seconds} s are far slower than the cap: {at_cap} s"
    );
}

/// Bytes of key and payload of a record, on average.
fn record_bytes(records: &[Delivered]) -> f64 {
    let bytes = records
        .iter()
        .map(|record| record.key.len() + record.payload.len());
    bytes.sum::<usize>() as f64 / records.len() as f64
}

/// Tells the sender to end when it goes out of scope.
struct StopAtEnd<'s>(&'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Some 100 messages a second, until told.
fn send_live(agent: &Agent, name: &str, stop: &AtomicBool, sent: &AtomicU64) {
    let mut stream = TcpStream::connect(agent.listener("syslog-tcp")).expect("a connection");
    while !stop.load(Ordering::SeqCst) {
        let number = sent.load(Ordering::SeqCst);
        // Counted first: a look in between must not see it delivered and not yet sent.
        sent.store(number + 1, Ordering::SeqCst);
        stream
            .write_all(&bulky(name, number))
            .expect("the agent reads");
        pause(Duration::from_millis(10));
    }
}

fn send(agent: &Agent, name: &str, numbers: Range<u64>) {
    let mut stream = TcpStream::connect(agent.listener("syslog-tcp")).expect("a connection");
    for number in numbers {
        stream
            .write_all(&bulky(name, number))
            .expect("the agent reads");
    }
}

/// A message of some 1 500 bytes.
fn bulky(name: &str, number: u64) -> Vec<u8> {
    let filling = "x".repeat(1400);
    octet_counted(&format!("{} {filling}", numbered(name, number)))
}

#[track_caller]
fn wait_until_pending(agent: &Agent, count: u64) {
    wait_until(&format!("{count} records pending"), SOON, || {
        let ledger = agent.ledger();
        ledger.of_packets("pending") == count && ledger.is_at_rest()
    });
}
