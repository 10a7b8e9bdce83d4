//! Brokers that go, hang and come back; an outage longer than memory; disks that refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::{numbered, octet_counted};
use crate::support::kafka::{Broker, Delivered, OwnBroker};
use crate::support::oracle::{assert_well_made_with_repeats, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, pause, wait_until};

/// How long a test waits for a broker's return to be noticed and a backlog to be delivered on a busy machine.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(120);

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
    let to = agent.listener("syslog-tcp");
    let (stop, sent) = (
        AtomicBool::new(false),
        [AtomicU64::new(0), AtomicU64::new(0)],
    );
    std::thread::scope(|scope| {
        for (name, sent) in ["r1", "r2"].into_iter().zip(&sent) {
            let stop = &stop;
            scope.spawn(move || send_until(to, name, stop, sent));
        }
        // However this ends, the senders end.
        let _stopping = StopAtEnd(&stop);
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
    let sent = sent.map(|sent| sent.load(Ordering::SeqCst));
    wait_until_accepted(&agent, sent.iter().sum());
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(
        ended.ledger.records("delivered") - ended.ledger.records("generated"),
        sent.iter().sum::<u64>()
    );
    let findings = audit(&broker, &["faults", "reports"], Answer::Complete);
    findings.assert_in_order("faults");
    assert_eq!(findings.count("faults", "found"), sent.iter().sum::<u64>());
    let records = broker.read(
        "faults",
        usize::try_from(sent[0] + sent[1]).expect("some thousands"),
    );
    assert_well_made_with_repeats(&records);
    let repeats = assert_complete(&records, &[("r1", 0..sent[0]), ("r2", 0..sent[1])]);
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
        .on_disk(spool.path());
    settings.more = "[shutdown]\ndrain_seconds = 1".to_owned();
    let mut resident = 0;
    let mut filled = 0;
    for numbers in [0..EVENTS / 2, EVENTS / 2..EVENTS] {
        let agent = Agent::start(&settings);
        assert_eq!(agent.ledger().records("pending"), numbers.start);
        let looks = send_bulky(&agent, "r1", numbers.clone());
        resident = resident.max(looks);
        wait_until_accepted(&agent, numbers.end - numbers.start);
        let ledger = agent.ledger();
        ledger.assert_at_rest();
        assert_eq!(ledger.records("pending"), numbers.end, "{:#}", ledger.0);
        if numbers.end < EVENTS {
            let ended = agent.stop();
            assert_eq!(ended.status.code(), Some(0), "log:\n{}", ended.log);
            ended.ledger.assert_at_rest();
            assert_eq!(ended.ledger.records("pending"), numbers.end);
            assert_eq!(ended.ledger.lost_total(), 0);
            continue;
        }
        filled = folder_bytes(spool.path());
        let broker = own.start();
        broker.create("outage", &[]);
        wait_until("the backlog is delivered", AFTER_AN_OUTAGE, || {
            resident = resident.max(agent.resident_bytes());
            agent.ledger().records("pending") == 0
        });
        let ended = agent.stop();
        ended.assert_in_order();
        assert_eq!(ended.ledger.records("delivered"), EVENTS);
        let records = broker.read("outage", usize::try_from(EVENTS).expect("some thousands"));
        let repeats = assert_complete(&records, &[("r1", 0..EVENTS)]);
        assert_eq!(repeats, 0, "nothing failed while the broker was there");
    }
    println!("{filled} bytes on disk, {resident} bytes of memory at most");
    assert!(
        filled >= 60_000_000,
        "{filled} bytes are no outage longer than memory"
    );
    assert!(resident <= RESIDENT_BYTES_MAX, "{resident} bytes of memory");
}

#[test]
fn a_spool_folder_that_is_anothers_or_in_use_is_named_and_memory_takes_its_place() {
    let broker = Broker::shared();
    let topic = broker.topic("folder");
    let spool = TempDir::new().expect("a temporary folder");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()])
        .topic("syslog", &topic)
        .on_disk(spool.path());
    let first = Agent::start(&settings);
    wait_until("the first has its spool", SOON, || {
        let ready = first.get("/readyz");
        spool.path().join("topics").is_dir()
            && ready.status == 200
            && !ready.body.contains("degraded")
    });
    let second = Agent::start(&settings);
    serves_from_memory(&second, "locked by");

    let closed = TempDir::new().expect("a temporary folder");
    let is_root = make_unusable(closed.path());
    let third = Agent::start(
        &Settings::new(&broker.address, vec![Listener::syslog_tcp()])
            .topic("syslog", &topic)
            .on_disk(closed.path()),
    );
    serves_from_memory(
        &third,
        if is_root {
            "belongs to user"
        } else {
            "not allowed"
        },
    );

    for (agent, name) in [(&first, "r1"), (&second, "r2"), (&third, "r3")] {
        send_all(agent.listener("syslog-tcp"), name, 0..100);
        agent.wait_until_delivered(100);
    }
    for agent in [first, second, third] {
        let ended = agent.stop();
        ended.assert_in_order();
        assert_eq!(ended.ledger.records("delivered"), 100);
    }
    let records = broker.read(&topic, 300);
    let all = ["r1", "r2", "r3"].map(|name| (name, 0..100));
    assert_eq!(assert_complete(&records, &all), 0);
}

#[test]
fn a_full_disk_gives_up_by_policy_counts_it_and_recovers_when_there_is_space_again() {
    for policy in ["drop_oldest", "drop_newest"] {
        let Some(disk) = SmallDisk::mount() else {
            println!("SKIPPED: this user may not mount a tmpfs, so no disk can be filled");
            return;
        };
        full_disk(&disk, policy);
    }
}

fn full_disk(disk: &SmallDisk, policy: &'static str) {
    const EVENTS: u64 = 20_000;
    let own = OwnBroker::absent();
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "full")
        .on_disk(&disk.folder().join("spool"));
    settings.when_full = policy;
    settings.disk.as_mut().expect("a disk").free_bytes_min = 4 * 1024 * 1024;
    let agent = Agent::start(&settings);
    send_bulky(&agent, "r1", 0..EVENTS);
    agent.wait_until_received("syslog-tcp", EVENTS);
    wait_until("every packet has ended", SOON, || {
        agent.ledger().is_at_rest()
    });
    let ledger = agent.ledger();
    ledger.assert_at_rest();
    let turned_away = |ledger: &crate::support::ledger::Ledger| {
        ledger.rejected("syslog-tcp", "spool_full") + ledger.rejected("syslog-tcp", "spool_stalled")
    };
    println!(
        "{policy}: {} pending, {} turned away, lost {}",
        ledger.records("pending"),
        turned_away(&ledger),
        ledger.lost_total()
    );
    match policy {
        "drop_newest" => assert!(
            turned_away(&ledger) > 0 && ledger.lost_total() == 0,
            "{:#}",
            ledger.0
        ),
        _ => assert!(ledger.lost("spool_full") > 0, "{:#}", ledger.0),
    }
    assert!(ledger.records("pending") > 1000, "{:#}", ledger.0);

    // Others take the rest of the disk, to the last byte; then they give it back.
    let hog = disk.fill();
    send_bulky(&agent, "r2", 0..2000);
    agent.wait_until_received("syslog-tcp", EVENTS + 2000);
    agent.ledger().assert_balances();
    assert!(agent.get("/readyz").status == 200);
    std::fs::remove_file(hog).expect("the file that fills the disk");
    let broker = own.start();
    broker.create("full", &[]);
    let ledger = agent.wait_until_settled(AFTER_AN_OUTAGE);
    ledger.assert_at_rest();
    wait_until("the disk is no longer said to fail", SOON, || {
        !agent.get("/readyz").body.contains("degraded")
    });
    // And it takes messages as before.
    wait_until("the spool is no longer full", SOON, || {
        let refused = turned_away(&agent.ledger());
        send_all(agent.listener("syslog-tcp"), "r3", 0..1);
        pause(Duration::from_millis(50));
        wait_until("it has ended", SOON, || agent.ledger().is_at_rest());
        turned_away(&agent.ledger()) == refused
    });
    send_all(agent.listener("syslog-tcp"), "r4", 0..1000);
    wait_until("new messages arrive", SOON, || {
        agent.ledger().is_at_rest() && agent.ledger().records("pending") == 0
    });
    let ended = agent.stop();
    ended.assert_in_order();
    let ledger = &ended.ledger;
    let received = ledger.listener("syslog-tcp", "received");
    let counted = ledger.records("delivered") + ledger.lost_total() + turned_away(ledger);
    assert_eq!(received, counted, "{:#}", ledger.0);
    let delivered = usize::try_from(ledger.records("delivered")).expect("some thousands");
    let records = broker.read("full", delivered);
    let numbers = distinct_in_order(&records);
    assert_eq!(numbers["r4"], (0..1000).collect());
    let distinct: usize = numbers.values().map(BTreeSet::len).sum();
    // r3 sends the same number more than once.
    let tries = ledger.listener("syslog-tcp", "received") - EVENTS - 2000 - 1000;
    assert!(
        distinct <= delivered && delivered - distinct < usize::try_from(tries).expect("few") + 1,
        "{distinct} messages in Kafka, {delivered} delivered by the ledger"
    );
}

/// Tells senders to end when it goes out of scope.
struct StopAtEnd<'s>(&'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// The agent says why its spool is in memory, and works all the same.
#[track_caller]
fn serves_from_memory(agent: &Agent, why: &str) {
    wait_until("/readyz says degraded and why", SOON, || {
        let ready = agent.get("/readyz");
        ready.status == 200 && ready.body.contains("degraded") && ready.body.contains(why)
    });
}

/// Gives the folder to another user, or takes the right to write away. Says whether it could do the first.
fn make_unusable(folder: &Path) -> bool {
    if std::os::unix::fs::chown(folder, Some(65_534), None).is_ok() {
        return true;
    }
    let read_only = std::os::unix::fs::PermissionsExt::from_mode(0o500);
    std::fs::set_permissions(folder, read_only).expect("it is our folder");
    false
}

/// One device over a stream, some thousand messages a second, until told.
fn send_until(to: SocketAddr, name: &str, stop: &AtomicBool, sent: &AtomicU64) {
    let mut stream = TcpStream::connect(to).expect("a connection");
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        for _ in 0..4 {
            let frame = octet_counted(&numbered(name, number));
            stream.write_all(&frame).expect("the agent reads");
            number += 1;
        }
        pause(Duration::from_millis(5));
    }
    sent.store(number, Ordering::SeqCst);
}

fn send_all(to: SocketAddr, name: &str, numbers: Range<u64>) {
    let frames: Vec<u8> = numbers
        .flat_map(|number| octet_counted(&numbered(name, number)))
        .collect();
    crate::support::device::stream(to, &frames);
}

/// Messages of some 1 500 bytes, at most 5 000 a second. Returns the most memory that the agent held meanwhile.
fn send_bulky(agent: &Agent, name: &str, numbers: Range<u64>) -> u64 {
    let mut stream = TcpStream::connect(agent.listener("syslog-tcp")).expect("a connection");
    let filling = "x".repeat(1400);
    let mut resident = 0;
    for number in numbers {
        let frame = octet_counted(&format!("{} {filling}", numbered(name, number)));
        stream.write_all(&frame).expect("the agent reads");
        if number.is_multiple_of(10) {
            pause(Duration::from_millis(2));
        }
        if number.is_multiple_of(500) {
            resident = resident.max(agent.resident_bytes());
        }
    }
    resident
}

/// Waits until the ledger says that `count` messages of this run are accepted.
#[track_caller]
fn wait_until_accepted(agent: &Agent, count: u64) {
    wait_until("everything that was sent is accepted", SOON, || {
        let ledger = agent.ledger();
        ledger.listener("syslog-tcp", "used") >= count && ledger.is_at_rest()
    });
}

/// Each device's numbers; where one occurs first, it is above all that have occurred.
#[track_caller]
fn distinct_in_order(records: &[Delivered]) -> BTreeMap<String, BTreeSet<u64>> {
    let mut arrived: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    for record in records {
        let number = number_after(string(&record.event["message"]), "n=");
        let seen = arrived.entry(record.key.clone()).or_default();
        let highest = seen.last().copied();
        if seen.insert(number) {
            assert!(
                highest < Some(number),
                "of {}: {number} after {highest:?}",
                record.key
            );
        }
    }
    arrived
}

/// All of `expected` is there, first occurrences in order, and nothing else. Returns how many repeats there are.
#[track_caller]
fn assert_complete(records: &[Delivered], expected: &[(&str, Range<u64>)]) -> usize {
    let arrived = distinct_in_order(records);
    let expected: BTreeMap<String, BTreeSet<u64>> = expected
        .iter()
        .map(|(name, numbers)| ((*name).to_owned(), numbers.clone().collect()))
        .collect();
    for (name, numbers) in &expected {
        let missing: Vec<_> = numbers.difference(&arrived[name]).take(20).collect();
        assert!(missing.is_empty(), "of {name}, missing: {missing:?} ...");
    }
    assert_eq!(arrived, expected);
    records.len() - arrived.values().map(BTreeSet::len).sum::<usize>()
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

/// A file system of 24 MiB of the test's own; unmounted with this value.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]);
        let done = mount.arg(folder.path()).output();
        let is_mounted = done.is_ok_and(|output| output.status.success());
        is_mounted.then_some(SmallDisk(folder))
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file until nothing more fits.
    fn fill(&self) -> PathBuf {
        let path = self.folder().join("hog");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [64 * 1024, 512] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // `-l`: the agent may still have its files open. Fails only where the mount is gone already.
        let _ = Command::new("umount").arg("-l").arg(self.folder()).status();
    }
}
