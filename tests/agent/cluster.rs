//! Three brokers, of which one goes, comes back or hangs, under load.
//!
//! `TRAPLINE_TEST_LEADER_KILLS` sets how many leaders are killed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::TopicReplication;
use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::cluster::{Cluster, NODES};
use crate::support::device::UdpDevice;
use crate::support::kafka::{PARTITIONS, unique};
use crate::support::load::{Load, total};
use crate::support::oracle::{number_after, partition};
use crate::support::settings::{Listener, Settings, count_from_environment};
use crate::support::snmp::numbered_inform;
use crate::support::tally::{assert_arrived, assert_nothing_missing};
use crate::support::wait::wait_until;

/// Records that may be with the Kafka client at once, and so the most that one fault may repeat.
const WINDOW_RECORDS: u64 = 1000;

/// How long a test waits for new leaders, or for a backlog.
const AFTER_A_FAULT: Duration = Duration::from_secs(120);

/// Their keys fall into six partitions.
const DEVICES: &[&str] = &["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8"];

const LOAD: Load<'_> = Load {
    devices: DEVICES,
    per_second: 1000,
    filling_bytes: 0,
};

#[test]
fn leaders_killed_in_turn_and_a_rolling_restart_lose_nothing_keep_order_and_repeat_little() {
    let kills = count_from_environment("TRAPLINE_TEST_LEADER_KILLS").unwrap_or(3);
    let cluster = Cluster::shared();
    let topic = cluster.brokers.topic("leaders");
    let reports = cluster.brokers.topic("reports");
    let spool = TempDir::new().expect("a temporary folder");
    let agent = Agent::start(&settings(&cluster, &topic, &reports, &spool));
    let mut faults = 0;
    let sent = LOAD.during(agent.listener("syslog-tcp"), |sent| {
        wait_until_caught_up(&agent, sent);
        for kill in 0..kills {
            // Another partition each time, so that its leader is another node most times.
            let at = i32::try_from(kill % 6).expect("below 6");
            let leader = cluster.leader(&topic, at);
            cluster.kill(leader);
            // Two of three are enough.
            wait_until_caught_up(&agent, sent);
            cluster.start(leader);
            cluster.wait_until_in_sync(&topic);
            wait_until_caught_up(&agent, sent);
            faults += 1;
        }
        for node in NODES {
            cluster.stop(node);
            cluster.start(node);
            cluster.wait_until_in_sync(&topic);
            wait_until_caught_up(&agent, sent);
            faults += 1;
        }
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), AFTER_A_FAULT);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), total(&sent));
    let repeats = assert_nothing_missing(&cluster.brokers, &topic, &reports, &sent);
    println!(
        "{kills} leaders killed, 3 restarted: {} messages, {repeats} repeats",
        total(&sent)
    );
    assert!(repeats <= faults * WINDOW_RECORDS, "{repeats} repeats");
}

#[test]
fn a_leader_that_hangs_for_a_minute_stops_only_what_it_leads_and_costs_nothing() {
    const HANGS: Duration = Duration::from_secs(60);
    const TRAPS: u32 = 200;
    let cluster = Cluster::shared();
    let topic = cluster.brokers.topic("hangs");
    let reports = cluster.brokers.topic("reports");
    let hung = cluster.leader(&topic, partition(b"r1", PARTITIONS));
    // Kept by the two others only, so nothing of it depends on the node that hangs.
    let others: Vec<i32> = NODES.into_iter().filter(|node| *node != hung).collect();
    let elsewhere = unique("elsewhere");
    let assignment = vec![others.as_slice(); usize::try_from(PARTITIONS).expect("six")];
    cluster
        .brokers
        .create_on(&elsewhere, TopicReplication::Variable(&assignment), &[]);
    let spool = TempDir::new().expect("a temporary folder");
    let mut settings = settings(&cluster, &topic, &reports, &spool).topic("snmp_trap", &elsewhere);
    settings.listeners.push(Listener::snmp_udp());
    let agent = Agent::start(&settings);
    let switch = UdpDevice::new(41, "s1", agent.listener("snmp-udp"));
    let sent = LOAD.during(agent.listener("syslog-tcp"), |sent| {
        wait_until_caught_up(&agent, sent);
        switch.send(&numbered_inform("s1", 0));
        cluster.brokers.read(&elsewhere, 1);
        cluster.freeze(hung);
        let since = Instant::now();
        for number in 1..TRAPS {
            switch.send(&numbered_inform("s1", number));
        }
        // A broker answers a connection's requests one after the other. So these traps wait behind what the same leader
        // cannot acknowledge until the cluster gives the hung node up, after some 9 s; not for a minute.
        let nothing_waits = format!("trapline_topic_records_pending{{topic=\"{elsewhere}\"}} 0");
        wait_until("the other topic's traps are delivered", HANGS, || {
            let used = agent.ledger().listener("snmp-udp", "used");
            let metrics = agent.get("/metrics").body;
            used == u64::from(TRAPS) && metrics.lines().any(|line| line == nothing_waits)
        });
        let took = since.elapsed();
        println!(
            "the other topic's traps were delivered within {} ms",
            took.as_millis()
        );
        assert!(took < HANGS, "the other topic waited for the hung node");
        let traps = cluster.brokers.read(&elsewhere, TRAPS as usize);
        let numbers: Vec<u64> = traps
            .iter()
            .map(|trap| number_after(&String::from_utf8_lossy(&trap.payload), "serial="))
            .collect();
        assert_eq!(numbers, (0..u64::from(TRAPS)).collect::<Vec<_>>());
        wait_until("the node has hung for a minute", HANGS * 2, || {
            agent.ledger().assert_balances();
            since.elapsed() >= HANGS
        });
        println!(
            "after a minute {} of {} messages were waiting",
            agent.ledger().records("pending"),
            sent.load(Ordering::SeqCst)
        );
        cluster.thaw(hung);
        wait_until_caught_up(&agent, sent);
        cluster.wait_until_in_sync(&topic);
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), AFTER_A_FAULT);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(
        ended.ledger.of_packets("delivered"),
        total(&sent) + u64::from(TRAPS)
    );
    let repeats = assert_arrived(&cluster.brokers, &topic, &sent);
    let topics = [topic.as_str(), &elsewhere, &reports];
    let findings = audit(&cluster.brokers, &topics, Answer::Complete);
    findings.assert_accounts_for(&topic, total(&sent));
    findings.assert_accounts_for(&elsewhere, u64::from(TRAPS));
    println!(
        "a minute's hang: {} messages, {repeats} repeats",
        total(&sent)
    );
    // The client may give up on a batch more than once in a minute.
    assert!(repeats <= 2 * WINDOW_RECORDS, "{repeats} repeats");
}

fn settings(cluster: &Cluster, topic: &str, reports: &str, spool: &TempDir) -> Settings {
    let mut settings = Settings::new(&cluster.brokers.address, vec![Listener::syslog_tcp()])
        .topic("syslog", topic)
        .reporting(reports)
        .on_disk(spool.path());
    settings.kafka = "window_records = 1000";
    settings
}

/// Waits until what was sent when this began is delivered, and something more.
#[track_caller]
fn wait_until_caught_up(agent: &Agent, sent: &AtomicU64) {
    let before = sent.load(Ordering::SeqCst);
    wait_until("what was sent is delivered", AFTER_A_FAULT, || {
        let ledger = agent.ledger();
        ledger.assert_balances();
        ledger.records("delivered") > before + ledger.records("generated")
    });
    // Once more than everything: a lane that stands still while others deliver more is not caught up.
    wait_until("little is waiting", AFTER_A_FAULT, || {
        agent.ledger().records("pending") < WINDOW_RECORDS
    });
}
