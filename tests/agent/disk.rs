//! Disks that are full, read-only, gone, somebody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::failing_disk::{Failing, FailingDisk};
use crate::support::kafka::{Broker, OwnBroker};
use crate::support::ledger::Ledger;
use crate::support::load::{Sent, send_paced};
use crate::support::mount::{Hog, ReadOnly, SmallDisk};
use crate::support::oracle::{number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::tally::{Tally, assert_nothing_missing};
use crate::support::wait::{SOON, wait_for, wait_until};

/// How long a test waits for a broker's return to be noticed and a backlog to be delivered on a busy machine.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(120);

/// Bytes behind each number, so that some thousand messages fill a small disk.
const BULKY: usize = 1400;

/// No more bulky records than these are in a segment of 8 MiB: an event says more than its message.
const RECORDS_OF_A_SEGMENT: u64 = 8 * 1024 * 1024 / (BULKY as u64 + 500);

#[test]
fn a_full_disk_gives_up_by_policy_and_counts_exactly_what_is_missing() {
    for policy in ["drop_oldest", "drop_newest"] {
        let Some(disk) = SmallDisk::mount() else {
            println!("SKIPPED: this user may not mount a tmpfs, so no disk can be filled");
            return;
        };
        full_disk(&FullDisk {
            disk: &disk,
            policy,
            events: 16_000,
            hogs: SmallDisk::fill,
            hogged: 4_000,
            hogged_per_second: 5000,
        });
    }
}

#[test]
fn a_full_disk_of_xfs_or_btrfs_costs_no_more_than_what_comes_whoever_eats_what_becomes_free() {
    let mount = |kind| {
        let disk = SmallDisk::mount_image(kind, 48 * 1024 * 1024);
        if disk.is_none() {
            println!(
                "SKIPPED: no {kind}: it takes root, mkfs.{kind} (tests/setup test), loop devices, a kernel that has it"
            );
        }
        disk
    };
    std::thread::scope(|scope| {
        for kind in ["xfs", "btrfs"] {
            let Some(disk) = mount(kind) else { continue };
            scope.spawn(move || {
                full_disk(&FullDisk {
                    disk: &disk,
                    policy: "drop_oldest",
                    events: 27_000,
                    hogs: SmallDisk::fill_again_and_again,
                    hogged: 2_000,
                    hogged_per_second: 400,
                });
            });
        }
    });
}

/// What fills a disk.
struct FullDisk<'d> {
    disk: &'d SmallDisk,
    policy: &'static str,
    /// More messages than it holds.
    events: u64,
    /// How others take the rest.
    hogs: fn(&SmallDisk) -> Hog,
    /// How many messages come meanwhile, and how fast.
    hogged: u64,
    hogged_per_second: u64,
}

fn full_disk(scene: &FullDisk<'_>) {
    let (policy, events, hogged) = (scene.policy, scene.events, scene.hogged);
    let own = OwnBroker::absent();
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "full")
        .reporting("reports")
        .on_disk(&scene.disk.folder().join("spool"));
    settings.when_full = policy;
    settings.disk.as_mut().expect("a disk").free_bytes_min = 4 * 1024 * 1024;
    let agent = Agent::start(&settings);
    let to = agent.listener("syslog-tcp");
    send_paced(to, "r1", 0..events, 5000, BULKY);
    wait_until_ended(&agent, events);
    let ledger = agent.ledger();
    match policy {
        "drop_newest" => assert!(
            turned_away(&ledger) > 0 && ledger.lost_total() == 0,
            "{:#}",
            ledger.0
        ),
        _ => assert!(ledger.lost("spool_full") > 0, "{:#}", ledger.0),
    }
    assert!(ledger.records("pending") > 1000, "{:#}", ledger.0);
    if policy == "drop_newest" {
        let ready = agent.get("/readyz");
        let refuses = ready
            .body
            .contains("spool: no record can be appended: the log");
        assert!(ready.status == 503 && refuses, "{}", ready.body);
    }

    // Others take the rest of the disk, to the last byte; then they give it back.
    let lost = ledger.lost_total();
    let hog = (scene.hogs)(scene.disk);
    send_paced(to, "r2", 0..hogged, scene.hogged_per_second, BULKY);
    wait_until_ended(&agent, events + hogged);
    if policy == "drop_oldest" {
        assert_eq!(agent.get("/readyz").status, 200);
        let lost = agent.ledger().lost_total() - lost;
        assert!(
            lost <= hogged + 2 * RECORDS_OF_A_SEGMENT,
            "{lost} for {hogged}"
        );
    }
    drop(hog);
    let broker = own.start();
    broker.create("full", &[]);
    broker.create("reports", &[]);
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    wait_until_all_is_well(&agent);

    // And it takes messages as before.
    let mut tries = 0;
    wait_until("the spool is no longer full", SOON, || {
        let refused = turned_away(&agent.ledger());
        send_paced(to, "r3", tries..tries + 1, 5000, 0);
        tries += 1;
        wait_until_ended(&agent, events + hogged + tries);
        turned_away(&agent.ledger()) == refused
    });
    send_paced(to, "r4", 0..1000, 5000, 0);
    wait_until_ended(&agent, events + hogged + tries + 1000);
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    let ended = agent.stop();
    ended.assert_in_order();
    let lines = ended.log.lines().count();
    assert!(lines < 100, "{lines} lines of log:\n{}", ended.log);
    let sent = [("r1", events), ("r2", hogged), ("r3", tries), ("r4", 1000)];
    assert_missing_is_counted(&broker, policy, &ended.ledger, &sent);
}

/// What is missing in Kafka is what the ledger says is lost or was turned away, to the record.
#[track_caller]
fn assert_missing_is_counted(broker: &Broker, policy: &str, ledger: &Ledger, sent: &[(&str, u64)]) {
    let delivered = ledger.of_packets("delivered");
    let mut tally = Tally::default();
    let mut ids = BTreeSet::new();
    let count = usize::try_from(delivered).expect("some thousands");
    broker.read_each("full", count, |record| {
        tally.take(&record);
        ids.insert(id_number(&record.event["id"]));
    });
    assert_eq!(tally.repeats(), 0, "the broker never failed");
    assert_eq!(tally.distinct(), delivered, "{:#}", ledger.0);
    let missing: BTreeMap<&str, Vec<u64>> = sent
        .iter()
        .map(|(name, sent)| (*name, tally.missing(name, *sent)))
        .collect();
    let missing_total: usize = missing.values().map(Vec::len).sum();
    let (lost, refused) = (ledger.lost_total(), turned_away(ledger));
    println!(
        "{policy}: {missing_total} missing, {lost} lost, {refused} turned away, {delivered} delivered"
    );
    assert_eq!(missing_total as u64, lost + refused, "{:#}", ledger.0);
    // An id is taken when a record is: what is missing among them was accepted and given up.
    let accepted = ledger.records("from_packets");
    let holes: BTreeSet<u64> = (0..accepted).filter(|id| !ids.contains(id)).collect();
    assert_eq!(holes.len() as u64, lost, "ids that are nowhere");
    assert_declared(broker, accepted, &holes);
    assert!(missing["r4"].is_empty(), "all was well by then");
    if policy == "drop_oldest" && refused > 0 {
        println!(
            "SKIPPED: the disk took no records for seconds, so that not only the oldest are missing"
        );
        return;
    }
    let r1 = &missing["r1"];
    let (first, last) = (r1[0], r1[r1.len() - 1]);
    assert_eq!(
        last - first + 1,
        r1.len() as u64,
        "of r1, one run is missing"
    );
    match policy {
        "drop_newest" => assert_eq!(last + 1, sent[0].1, "the newest"),
        // The segment that holds the record with which the Kafka client still tries is kept. What follows goes from the
        // oldest on: how far depends on whether the agent makes room while the others are still filling the disk.
        _ => {
            let is_kept = last + 1 < sent[0].1;
            let oldest_of_r2 = missing["r2"].first();
            assert!(
                first > 0 && (is_kept || oldest_of_r2 == Some(&0)),
                "the oldest: {first} to {last} of r1, r2 from {oldest_of_r2:?}"
            );
        }
    }
}

/// The agent's own reports account for everything that was accepted, and name exactly `holes` as given up.
#[track_caller]
fn assert_declared(broker: &Broker, accepted: u64, holes: &BTreeSet<u64>) {
    let expected = match holes.is_empty() {
        true => Answer::Complete,
        false => Answer::Declared,
    };
    let findings = audit(broker, &["full", "reports"], expected);
    let declared: BTreeSet<u64> = findings
        .declared_at_all("full")
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .collect();
    assert_eq!(&declared, holes, "declared, and nowhere");
    assert_eq!(findings.count("full", "produced"), accepted);
    assert_eq!(
        findings.count("full", "found"),
        accepted - holes.len() as u64
    );
    assert_eq!(findings.uncovered("full"), 0);
    findings.assert_in_order("full");
}

#[test]
fn a_spool_folder_that_cannot_be_used_at_the_start_is_named_and_memory_takes_its_place() {
    let broker = Broker::shared();
    let in_use = TempDir::new().expect("a temporary folder");
    let first = start_on(broker, in_use.path());
    wait_until("the first has its spool", SOON, || {
        in_use.path().join("topics").is_dir() && is_well(&first.0)
    });
    let closed = TempDir::new().expect("a temporary folder");
    let is_root = make_unusable(closed.path());
    let no_folder = tempfile::NamedTempFile::new().expect("a temporary file");
    let mut faults = vec![
        (in_use.path().to_owned(), "locked by"),
        (
            closed.path().to_owned(),
            if is_root {
                "belongs to user"
            } else {
                "not allowed"
            },
        ),
        (no_folder.path().join("spool"), "Not a directory"),
    ];
    let disk = SmallDisk::mount();
    match &disk {
        Some(disk) => {
            disk.make_read_only();
            faults.push((disk.folder().join("spool"), "read-only"));
        }
        None => println!("SKIPPED: this user may not mount a tmpfs, so no disk is read-only"),
    }
    for (folder, why) in faults {
        let (agent, topics) = start_on(broker, &folder);
        agent.wait_until_named(why, SOON);
        assert_works(broker, agent, &topics);
    }
    assert_works(broker, first.0, &first.1);
    // A start later, with the folder put right, it is used.
    if is_root {
        std::os::unix::fs::chown(closed.path(), Some(0), None).expect("root may");
        let (agent, topics) = start_on(broker, closed.path());
        wait_until("it has its spool", SOON, || {
            closed.path().join("topics").is_dir() && is_well(&agent)
        });
        assert_works(broker, agent, &topics);
    }
}

#[test]
fn a_spool_folder_that_goes_away_or_becomes_read_only_is_named_and_used_again_when_it_is_back() {
    let own = OwnBroker::absent();
    let above = TempDir::new().expect("a temporary folder");
    let (folder, away) = (above.path().join("spool"), above.path().join("away"));
    let settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "away")
        .reporting("reports")
        .on_disk(&folder);
    let agent = Agent::start(&settings);
    let to = agent.listener("syslog-tcp");
    let mut sent = 0;
    let mut send = |count: u64| {
        send_paced(to, "r1", sent..sent + count, 5000, BULKY);
        sent += count;
        wait_until_ended(&agent, sent);
        sent
    };
    send(3000);
    assert!(!agent.get("/readyz").body.contains("spool:"));

    // What comes meanwhile waits in memory, which has room for all of it.
    std::fs::rename(&folder, &away).expect("the folder is there");
    send(1500);
    agent.wait_until_named("spool:", SOON);
    send(1500);
    std::fs::rename(&away, &folder).expect("the folder is away");
    wait_until_spool_is_well(&agent);
    let mut total = send(3000);

    match ReadOnly::over(&folder) {
        Some(view) => {
            send(1500);
            agent.wait_until_named("read-only", SOON);
            send(1500);
            drop(view);
            wait_until_spool_is_well(&agent);
            total = send(3000);
        }
        None => println!("SKIPPED: this user may not mount, so no folder becomes read-only"),
    }
    let broker = own.start();
    broker.create("away", &[]);
    broker.create("reports", &[]);
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(
        ended.ledger.of_packets("delivered"),
        total,
        "{:#}",
        ended.ledger.0
    );
    let sent = Sent::from([("r1".to_owned(), total)]);
    assert_eq!(assert_nothing_missing(&broker, "away", "reports", &sent), 0);
}

#[test]
fn a_disk_that_does_not_answer_is_named_and_makes_no_agent_that_receives_unhealthy() {
    let disk = FailingDisk::build();
    let broker = Broker::shared();
    let topic = broker.topic("hanging");
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()])
        .topic("syslog", &topic)
        .on_disk(folder.path());
    settings.environment = disk.environment(folder.path());
    let agent = Agent::start(&settings);
    let to = agent.listener("syslog-tcp");
    send_paced(to, "r1", 0..100, 5000, 0);
    agent.wait_until_delivered(100);
    disk.set(Failing::Hanging);
    send_paced(to, "r1", 100..200, 5000, 0);
    agent.wait_until_received("syslog-tcp", 200);
    // No other thread may be silent for so long.
    agent.wait_until_named("the disk has not answered for 12 s", SOON);
    let health = agent.get("/healthz");
    assert_eq!(health.status, 200, "{}", health.body);
    assert_eq!(agent.get("/readyz").status, 200);
    send_paced(to, "r1", 200..300, 5000, 0);
    agent.wait_until_received("syslog-tcp", 300);
    disk.set(Failing::Nothing);
    wait_until_spool_is_well(&agent);
    agent.wait_until_delivered(300);
    agent.stop().assert_in_order();
    assert_eq!(broker.read(&topic, 300).len(), 300);
}

#[test]
fn a_disk_that_does_not_answer_reads_of_a_backlog_is_named_and_makes_no_agent_that_receives_unhealthy()
 {
    let disk = FailingDisk::build();
    let own = OwnBroker::absent();
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "unread")
        .on_disk(folder.path());
    settings.environment = disk.environment(folder.path());
    let first = Agent::start(&settings);
    send_paced(first.listener("syslog-tcp"), "r1", 0..500, 5000, 0);
    wait_until_ended(&first, 500);
    first.stop().ledger.assert_at_rest();

    // A new run has nothing in memory: the producer reads the log.
    let agent = Agent::start(&settings);
    wait_until_spool_is_well(&agent);
    disk.set(Failing::ReadsHang);
    let broker = own.start();
    broker.create("unread", &[]);
    agent.wait_until_named("the disk has not answered for 12 s", AFTER_AN_OUTAGE);
    let ready = agent.get("/readyz");
    assert!(ready.body.contains("not delivered"), "{}", ready.body);
    let health = agent.get("/healthz");
    assert_eq!(health.status, 200, "{}", health.body);
    send_paced(agent.listener("syslog-tcp"), "r1", 500..600, 5000, 0);
    agent.wait_until_received("syslog-tcp", 100);
    disk.set(Failing::Nothing);
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    agent.stop().assert_in_order();
    assert_eq!(broker.read("unread", 600).len(), 600);
}

#[test]
fn a_disk_that_fails_to_write_to_sync_and_to_read_is_named_and_costs_nothing_when_it_recovers() {
    let disk = FailingDisk::build();
    let own = OwnBroker::absent();
    let folder = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&own.address(), vec![Listener::syslog_tcp()])
        .topic("syslog", "failing")
        .reporting("reports")
        .on_disk(folder.path());
    settings.environment = disk.environment(folder.path());
    let mut sent = 0;
    let mut send = |agent: &Agent, so_far: u64, count: u64| {
        let to = agent.listener("syslog-tcp");
        send_paced(to, "r1", sent..sent + count, 5000, BULKY);
        sent += count;
        wait_until_ended(agent, so_far + count);
        so_far + count
    };
    let agent = Agent::start(&settings);
    let mut so_far = send(&agent, 0, 2000);
    for failing in [Failing::Writes, Failing::Syncs] {
        disk.set(failing);
        so_far = send(&agent, so_far, 1000);
        agent.wait_until_named("Input/output error", SOON);
        so_far = send(&agent, so_far, 1000);
        disk.set(Failing::Nothing);
        wait_until_spool_is_well(&agent);
        so_far = send(&agent, so_far, 1000);
    }
    let first = agent.stop();
    first.ledger.assert_at_rest();

    // A new run has nothing in memory: what it cannot read waits.
    let agent = Agent::start(&settings);
    wait_until_spool_is_well(&agent);
    disk.set(Failing::Reads);
    let broker = own.start();
    broker.create("failing", &[]);
    broker.create("reports", &[]);
    agent.wait_until_named("Input/output error", AFTER_AN_OUTAGE);
    send(&agent, 0, 1000);
    disk.set(Failing::Nothing);
    agent.wait_until_settled(AFTER_AN_OUTAGE);
    wait_until_spool_is_well(&agent);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.lost_total(), 0, "{:#}", ended.ledger.0);
    let sent = Sent::from([("r1".to_owned(), sent)]);
    assert_eq!(
        assert_nothing_missing(&broker, "failing", "reports", &sent),
        0
    );
}

/// The agent, and its topics: for events, for reports.
fn start_on(broker: &Broker, folder: &Path) -> (Agent, [String; 2]) {
    let topics = [broker.topic("folder"), broker.topic("reports")];
    let settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()])
        .topic("syslog", &topics[0])
        .reporting(&topics[1])
        .on_disk(folder);
    (Agent::start(&settings), topics)
}

/// It receives and delivers, wherever its spool is.
#[track_caller]
fn assert_works(broker: &Broker, agent: Agent, [topic, reports]: &[String; 2]) {
    send_paced(agent.listener("syslog-tcp"), "r1", 0..100, 5000, 0);
    wait_until_ended(&agent, 100);
    agent.wait_until_settled(SOON);
    let ended = agent.stop();
    ended.assert_in_order();
    let sent = Sent::from([("r1".to_owned(), 100)]);
    assert_eq!(assert_nothing_missing(broker, topic, reports, &sent), 0);
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

/// Waits until `count` packets have come to their end.
#[track_caller]
fn wait_until_ended(agent: &Agent, count: u64) {
    let ledger = wait_for("every packet has ended", SOON, || {
        let ledger = agent.ledger();
        ledger.assert_balances();
        let ended = ledger.listener("syslog-tcp", "received") == count && ledger.is_at_rest();
        ended.then_some(ledger)
    });
    ledger.assert_at_rest();
}

fn turned_away(ledger: &Ledger) -> u64 {
    ledger.rejected("syslog-tcp", "spool_full") + ledger.rejected("syslog-tcp", "spool_stalled")
}

fn is_well(agent: &Agent) -> bool {
    let ready = agent.get("/readyz");
    ready.status == 200 && !ready.body.contains("degraded")
}

#[track_caller]
fn wait_until_all_is_well(agent: &Agent) {
    wait_until("/readyz names nothing", SOON, || is_well(agent));
}

#[track_caller]
fn wait_until_spool_is_well(agent: &Agent) {
    wait_until("/readyz names no spool", SOON, || {
        !agent.get("/readyz").body.contains("spool:")
    });
}

/// The last part of an id: agent, boot, shard, number.
#[track_caller]
fn id_number(id: &serde_json::Value) -> u64 {
    number_after(string(id), "-")
}
