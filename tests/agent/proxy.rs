//! A network that drops, resets, stalls, cuts and crawls, under load.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::kafka::{OwnBroker, quiet_port};
use crate::support::load::{Load, total};
use crate::support::proxy::Proxy;
use crate::support::settings::{Listener, Settings};
use crate::support::tally::assert_nothing_missing;
use crate::support::wait::wait_until;

/// Records that may be with the Kafka client at once, and so the most that one fault may repeat.
const WINDOW_RECORDS: u64 = 1000;

/// How long a test waits until a fault is over for the agent.
const AFTER_A_FAULT: Duration = Duration::from_secs(60);

/// How often each fault happens.
const ROUNDS: u64 = 3;

const LOAD: Load<'_> = Load {
    devices: &["r1", "r2", "r3", "r4"],
    per_second: 2000,
    filling_bytes: 0,
};

/// What a network does to connections.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Drop,
    Reset,
    CutResponse,
    /// Nothing passes for a while, and then all of it.
    Stall,
    /// Nothing passes until the client has given the connection up.
    StallUntilGivenUp,
    /// Nothing passes, and then the connection breaks.
    StallThenReset,
    /// Less passes than comes.
    Crawl,
}

const FAULTS: [Fault; 7] = [
    Fault::Drop,
    Fault::Reset,
    Fault::CutResponse,
    Fault::Stall,
    Fault::StallUntilGivenUp,
    Fault::StallThenReset,
    Fault::Crawl,
];

#[test]
fn a_network_that_drops_resets_stalls_cuts_and_crawls_costs_nothing_and_repeats_little() {
    let (behind, front) = (quiet_port(), quiet_port());
    let own = OwnBroker::absent_with(&[format!("listener=AGENT:PLAINTEXT:{behind}:{front}")]);
    let broker = own.start();
    broker.create("proxy", &[]);
    broker.create("reports", &[]);
    let proxy = Proxy::start(front, SocketAddr::from(([127, 0, 0, 1], behind)));
    let spool = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&format!("127.0.0.1:{front}"), vec![Listener::syslog_tcp()])
        .topic("syslog", "proxy")
        .reporting("reports")
        .on_disk(spool.path());
    settings.kafka = "window_records = 1000";
    // The client's default is a minute.
    settings.more = "[kafka.options]\n\"socket.timeout.ms\" = \"3000\"".to_owned();
    let agent = Agent::start(&settings);
    let sent = LOAD.during(agent.listener("syslog-tcp"), |sent| {
        wait_until_caught_up(&agent, sent);
        for _ in 0..ROUNDS {
            for fault in FAULTS {
                println!("{fault:?}");
                happen(fault, &proxy, &agent);
                wait_until_caught_up(&agent, sent);
            }
        }
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), AFTER_A_FAULT);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), total(&sent));
    let repeats = assert_nothing_missing(&broker, "proxy", "reports", &sent);
    let faults = ROUNDS * FAULTS.len() as u64;
    println!(
        "{faults} faults, {} connections: {} messages, {repeats} repeats",
        proxy.accepted(),
        total(&sent)
    );
    assert!(repeats <= faults * WINDOW_RECORDS, "{repeats} repeats");
}

fn happen(fault: Fault, proxy: &Proxy, agent: &Agent) {
    let connections = proxy.accepted();
    let reconnected = || {
        wait_until("the client connects again", AFTER_A_FAULT, || {
            proxy.accepted() > connections
        });
    };
    match fault {
        Fault::Drop => {
            proxy.drop_all();
            reconnected();
        }
        Fault::Reset => {
            proxy.reset_all();
            reconnected();
        }
        Fault::CutResponse => {
            let before = proxy.cuts();
            proxy.cut_next_response();
            wait_until("a response is cut", AFTER_A_FAULT, || proxy.cuts() > before);
            reconnected();
        }
        Fault::Stall => {
            proxy.stall(true);
            wait_until_behind(agent);
            proxy.stall(false);
        }
        Fault::StallUntilGivenUp => {
            proxy.stall(true);
            reconnected();
            proxy.stall(false);
        }
        Fault::StallThenReset => {
            proxy.stall(true);
            wait_until_behind(agent);
            proxy.reset_all();
            proxy.stall(false);
            reconnected();
        }
        Fault::Crawl => {
            proxy.limit(4 * 1024);
            wait_until_behind(agent);
            proxy.limit(0);
        }
    }
}

/// Waits until more is waiting than may be with the client.
#[track_caller]
fn wait_until_behind(agent: &Agent) {
    wait_until("records are waiting", AFTER_A_FAULT, || {
        let ledger = agent.ledger();
        ledger.assert_balances();
        ledger.records("pending") > 2 * WINDOW_RECORDS
    });
}

/// Waits until what was sent when this began is delivered, and something more.
#[track_caller]
fn wait_until_caught_up(agent: &Agent, sent: &AtomicU64) {
    let before = sent.load(Ordering::SeqCst);
    wait_until("what was sent is delivered", AFTER_A_FAULT, || {
        let ledger = agent.ledger();
        ledger.records("delivered") > before + ledger.records("generated") + 100
    });
}
