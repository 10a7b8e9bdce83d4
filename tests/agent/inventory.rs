//! The operator's inventory, replaced while messages flow.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::device::{fleet, send_in_turn};
use crate::support::kafka::{Broker, Delivered};
use crate::support::oracle::{assert_well_made, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, wait_until};

/// Devices at 127.0.0.11, .12 and .13.
const DEVICES: u8 = 3;

/// Messages of each device that come under every inventory, at least.
const EACH: u64 = 100;

/// The inventory's file.
struct File {
    folder: TempDir,
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.path().join("inventory.csv")
    }

    /// In one step, as an editor or a deployment replaces it.
    fn write(&self, text: &str) {
        let beside = self.folder.path().join("new.csv");
        std::fs::write(&beside, text).expect("an inventory");
        std::fs::rename(&beside, self.path()).expect("an inventory");
    }

    /// Calls the devices `a1`, `a2`, `a3` for `a`.
    fn name(&self, letter: char) {
        let lines = (1..=DEVICES).map(|n| format!("127.0.0.{},{letter}{n}\n", 10 + n));
        self.write(&format!("address,hostname\n{}", lines.collect::<String>()));
    }
}

/// Waits for a log line behind the `from`-th whose message is `message`, and says how many lines there are then.
#[track_caller]
fn wait_for_log(agent: &Agent, from: usize, message: &str) -> usize {
    wait_until(message, SOON, || {
        let lines = agent.log_since(from);
        lines.iter().any(|line| line.field("message") == message)
    });
    agent.log_length()
}

/// Lets every device send [`EACH`] messages more.
#[track_caller]
fn go_on(sent: &AtomicU64) {
    let wanted = sent.load(Ordering::SeqCst) + EACH;
    wait_until("more messages", SOON, || {
        sent.load(Ordering::SeqCst) >= wanted
    });
}

/// By device, its keys in the order of its numbers, each once in a row; every number from 0 to below `count` is there,
/// once.
#[track_caller]
fn keys_in_order(records: &[Delivered], count: u64) -> BTreeMap<String, Vec<String>> {
    let mut by_device: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    for record in records {
        let device = string(&record.event["device"]["address"]).to_owned();
        let number = number_after(string(&record.event["message"]), "n=");
        let list = by_device.entry(device).or_default();
        list.push((number, record.key.clone()));
    }
    let in_order = |(device, mut list): (String, Vec<(u64, String)>)| {
        list.sort();
        let numbers: Vec<u64> = list.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (0..count).collect::<Vec<_>>(), "of {device}");
        let mut keys: Vec<String> = list.into_iter().map(|(_, key)| key).collect();
        keys.dedup();
        (device, keys)
    };
    by_device.into_iter().map(in_order).collect()
}

#[test]
fn an_inventory_is_replaced_by_a_change_and_by_a_reload_while_nothing_that_flows_is_lost() {
    let broker = Broker::shared();
    let (topic, told) = (broker.topic("inventory"), broker.topic("inventory-told"));
    let file = File {
        folder: TempDir::new().expect("a temporary folder"),
    };
    file.name('a');
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_udp()])
        .topic("syslog", &topic)
        .topic("device", &told);
    settings.identity = format!(
        "inventory_file = {:?}\nevents = [\"renamed\"]\nreverse_dns = \"off\"",
        file.path()
    );
    let agent = Agent::start(&settings);
    let devices = fleet(DEVICES, agent.listener("syslog-udp"));
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let from = sent.load(Ordering::SeqCst);
                let (numbers, before) = (from..from + 10, from * u64::from(DEVICES));
                send_in_turn(&agent, "syslog-udp", &devices, numbers, before);
                sent.store(from + 10, Ordering::SeqCst);
            }
        });
        // However this ends, the sender ends.
        let stopping = StopAtEnd(&stop);
        replace_again_and_again(&agent, &file, &sent);
        drop(stopping);
        sender.join().expect("the sender");
    });
    let count = sent.load(Ordering::SeqCst);
    let total = count * u64::from(DEVICES);
    let records = broker.read(&topic, usize::try_from(total).expect("some thousand"));
    assert_well_made(&records);
    let names = |n: u8| ["a", "b", "c"].map(|letter| format!("{letter}{n}"));
    let expected: BTreeMap<String, Vec<String>> = (1..=DEVICES)
        .map(|n| (format!("127.0.0.{}", 10 + n), names(n).to_vec()))
        .collect();
    assert_eq!(keys_in_order(&records, count), expected);

    let changes = broker.read(&told, 2 * usize::from(DEVICES));
    assert_well_made(&changes);
    let change = |record: &Delivered| {
        let before = string(&record.event["change"]["previous_hostname"]);
        assert_eq!(record.event["change"]["what"], "renamed");
        format!("{before} {}", record.key)
    };
    let mut changes: Vec<String> = changes.iter().map(change).collect();
    changes.sort();
    let expected = ["a1 b1", "a2 b2", "a3 b3", "b1 c1", "b2 c2", "b3 c3"];
    assert_eq!(changes, expected);
    agent.ledger().assert_balances();
    agent.stop().assert_in_order();
}

/// Under `a`, then `b` by a changed file; a file that is none, changed and reloaded; then `c` by a reload.
fn replace_again_and_again(agent: &Agent, file: &File, sent: &AtomicU64) {
    go_on(sent);
    let from = agent.log_length();
    file.name('b');
    let from = wait_for_log(agent, from, "inventory changed, the new one is in use");
    go_on(sent);

    file.write("this is no inventory\n");
    let used = "inventory changed and cannot be used, the old one stays in use";
    let from = wait_for_log(agent, from, used);
    agent.signal(libc::SIGHUP);
    let reloaded = "inventory not reloaded, the old one stays in use";
    let from = wait_for_log(agent, from, reloaded);
    go_on(sent);

    file.write("address,hostname\n127.0.0.11,c1\nnonsense,c9\n127.0.0.12,c2\n127.0.0.13,c3\n127.0.0.13,c4\n");
    agent.signal(libc::SIGHUP);
    let text = |from| {
        let lines = agent.log_since(from).into_iter();
        lines.map(|line| line.0.to_string()).collect::<String>()
    };
    for bad in ["inventory.csv:3: ", "inventory.csv:6: "] {
        wait_until(bad, SOON, || text(from).contains(bad));
    }
    wait_until("the second reload is counted", SOON, || {
        let metrics = agent.get("/metrics").body;
        metrics.contains("trapline_config_reloads_total{result=\"succeeded\"} 1")
            && metrics.contains("trapline_config_reloads_total{result=\"partial\"} 1")
    });
    go_on(sent);
}

/// Tells the sender to end when it goes out of scope.
struct StopAtEnd<'s>(&'s AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
