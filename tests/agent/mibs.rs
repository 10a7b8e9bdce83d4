//! Compiled MIB files of a running agent: each change is in force for the next trap, or leaves what was known.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use trapline::mib::format::{self, Definition, Kind};

use crate::support::agent::Agent;
use crate::support::kafka::Broker;
use crate::support::oracle::{assert_well_made, string};
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, wait_until};

/// A v2c trap: sysUpTime.0, and snmpTrapOID.0 = 1.3.6.1.4.1.32473.0.1.
const TRAP: &[u8] = b"\x30\x42\x02\x01\x01\x04\x06public\xa7\x35\x02\x01\x07\x02\x01\x00\x02\x01\x00\x30\x2a\
    \x30\x0e\x06\x08\x2b\x06\x01\x02\x01\x01\x03\x00\x43\x02\x30\x39\
    \x30\x18\x06\x0a\x2b\x06\x01\x06\x03\x01\x01\x04\x01\x00\x06\x0a\x2b\x06\x01\x04\x01\x81\xfd\x59\x00\x01";

/// A compiled file in which the trap has this name.
fn compiled(name: &str) -> Vec<u8> {
    let definition = Definition {
        oid: vec![1, 3, 6, 1, 4, 1, 32473, 0, 1],
        module: "SWAP-MIB".to_owned(),
        name: name.to_owned(),
        kind: Kind::Notification,
        syntax: None,
        index: Vec::new(),
        units: String::new(),
        objects: Vec::new(),
        description: String::new(),
    };
    format::write(&[definition], 0).expect("one definition fits")
}

/// Puts a file in place in one step, as `trapline mib compile` does.
fn put(path: &Path, octets: &[u8]) {
    let beside = path.with_extension("new");
    fs::write(&beside, octets).expect("own folder");
    fs::rename(&beside, path).expect("own folder");
}

struct Scene {
    agent: Agent,
    target: SocketAddr,
    device: UdpSocket,
    file: PathBuf,
    sent: u64,
}

impl Scene {
    /// One more trap, delivered before the next step.
    fn send(&mut self) {
        self.device
            .send_to(TRAP, self.target)
            .expect("a socket of our own");
        self.sent += 1;
        self.agent.wait_until_delivered(self.sent);
    }

    fn has_metric(&self, line: &str) -> bool {
        let page = self.agent.get("/metrics").body;
        page.lines().any(|each| each == line)
    }

    /// Waits for a line that says so of the file.
    fn wait_for_log(&self, from: usize, words: &str) {
        let file = self.file.display().to_string();
        wait_until(words, SOON, || {
            let mut lines = self.agent.log_since(from).into_iter();
            lines.any(|line| {
                let text = line.0.to_string();
                text.contains(words) && text.contains(&file)
            })
        });
    }

    /// Changes the file, and waits until the log says what became of it.
    fn change(&self, words: &str, refused: u8, change: impl FnOnce(&Path)) {
        let from = self.agent.log_length();
        change(&self.file);
        self.wait_for_log(from, words);
        wait_until("the metric follows", SOON, || {
            self.has_metric(&format!("trapline_mib_files_refused {refused}"))
        });
        assert!(self.has_metric("trapline_mib_files 1"));
    }

    fn reload(&self, result: &str) {
        self.agent.signal(libc::SIGHUP);
        let line = format!("trapline_config_reloads_total{{result={result:?}}} 1");
        wait_until("the reload is counted", SOON, || self.has_metric(&line));
    }
}

#[test]
fn a_new_mib_file_names_the_next_trap_and_a_damaged_or_removed_one_leaves_the_old_names() {
    let broker = Broker::shared();
    let topic = broker.topic("mibs");
    let folder = tempfile::tempdir().expect("a folder of our own");
    let file = folder.path().join("set.mibdb");
    fs::write(&file, compiled("first")).expect("own folder");
    let mut settings = Settings::new(&broker.address, vec![Listener::snmp_udp()]);
    settings.more = format!("[snmp]\nmib_files = [{file:?}]");
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let mut scene = Scene {
        target: agent.listener("snmp-udp"),
        device: UdpSocket::bind("127.0.0.1:0").expect("a free port"),
        agent,
        file,
        sent: 0,
    };
    scene.send();

    put(&scene.file, &compiled("at_sighup"));
    scene.reload("succeeded");
    scene.send();

    let taken = "MIB file changed, the new one is in use";
    scene.change(taken, 0, |file| put(file, &compiled("by_itself")));
    scene.send();

    let refused = "MIB file changed and cannot be used, what was known before stays in use";
    // In place, as `cp` does: the old octets are gone from the disk.
    scene.change(refused, 1, |file| {
        let whole = compiled("by_itself");
        fs::write(file, &whole[..whole.len() / 2]).expect("own folder");
    });
    scene.send();
    let from = scene.agent.log_length();
    scene.reload("partial");
    scene.wait_for_log(from, "MIB file not reloaded, the old one stays in use");
    scene.send();

    scene.change(refused, 1, |file| {
        fs::remove_file(file).expect("it is there");
    });
    scene.send();
    scene.change(taken, 0, |file| put(file, &compiled("whole_again")));
    scene.send();

    let records = broker.read(&topic, 7);
    assert_well_made(&records);
    let names: Vec<&str> = records
        .iter()
        .map(|record| string(&record.event["event_code"]))
        .collect();
    assert_eq!(
        names,
        [
            "SWAP-MIB::first",
            "SWAP-MIB::at_sighup",
            "SWAP-MIB::by_itself",
            "SWAP-MIB::by_itself",
            "SWAP-MIB::by_itself",
            "SWAP-MIB::by_itself",
            "SWAP-MIB::whole_again"
        ]
    );
    scene.agent.stop().assert_in_order();
}
