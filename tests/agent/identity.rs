//! One device, however it is heard: one key.

use std::net::SocketAddr;
use std::process::Command;

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::device::UdpDevice;
use crate::support::kafka::{Broker, Delivered};
use crate::support::oracle::{assert_well_made, string};
use crate::support::settings::{Listener, Settings};
use crate::support::tool::{run, tool};

const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";
const ENGINE: &str = "0x80000009030021541a2b3c";

/// The device's address, and that of the relay which brings messages for it.
const DEVICE: u8 = 11;
const RELAY: u8 = 99;

fn trap(from: u8, to: SocketAddr, version: &[&str], subject: &[&str]) -> Command {
    let mut command = tool("snmptrap", "snmp");
    command
        .env("MIBS", "")
        .env("SNMP_PERSISTENT_DIR", env!("CARGO_TARGET_TMPDIR"))
        .arg(format!("--clientaddr=127.0.0.{from}"))
        .args(version)
        .arg(to.to_string())
        .args(["12345", LINK_DOWN])
        .args(["1.3.6.1.2.1.2.2.1.1.2", "i", "2"])
        .args(subject);
    command
}

fn source(record: &Delivered) -> String {
    string(&record.event["device"]["hostname_source"]).to_owned()
}

#[test]
fn syslog_and_traps_of_one_device_directly_and_behind_a_relay_have_one_key() {
    let broker = Broker::shared();
    let topic = broker.topic("one-key");
    let folder = TempDir::new().expect("a temporary folder");
    let inventory = folder.path().join("inventory.csv");
    std::fs::write(
        &inventory,
        "address,hostname,site\n127.0.0.11,LAX-Cor-R1,lax\n",
    )
    .expect("an inventory");
    let mut settings = Settings::new(
        &broker.address,
        vec![Listener::syslog_udp(), Listener::snmp_udp()],
    )
    .topic("syslog", &topic)
    .topic("snmp_trap", &topic);
    settings.identity = format!(
        "inventory_file = {inventory:?}\nrelays = [\"127.0.0.{RELAY}\"]\nevents = []\nreverse_dns = \"off\""
    );
    settings.more =
        "[[snmp.user]]\nname = \"fleet\"\nauth = \"SHA-256\"\nauth_password = \"at least eight\"\n"
            .to_owned();
    let agent = Agent::start(&settings);
    let (syslog, snmp) = (agent.listener("syslog-udp"), agent.listener("snmp-udp"));
    let v2c = ["-v2c", "-c", "public"];
    let v3 = [
        "-v3",
        "-u",
        "fleet",
        "-l",
        "authNoPriv",
        "-a",
        "SHA-256",
        "-A",
        "at least eight",
        "-e",
        ENGINE,
    ];
    let message = |name: &str| format!("<189>1 - {name} - - - - hello");

    let device = UdpDevice::new(DEVICE, "lax-cor-r1", syslog);
    device.send(message("lax-cor-r1").as_bytes());
    device.send(b"<189>7: *Mar  1 18:48:50: %SYS-5-CONFIG_I: no name in it");
    run(&mut trap(DEVICE, snmp, &v2c, &[]));
    run(&mut trap(DEVICE, snmp, &v3, &[]));
    // What was heard directly is known before a relay speaks of it.
    agent.wait_until_delivered(4);
    UdpDevice::new(RELAY, "relay", syslog).send(message("LAX-COR-R1").as_bytes());
    let subject = ["1.3.6.1.6.3.18.1.3.0", "a", "127.0.0.11"];
    run(&mut trap(RELAY, snmp, &v2c, &subject));
    run(&mut trap(RELAY, snmp, &v3, &[]));
    agent.wait_until_delivered(7);
    // Anybody can send UDP: neither the name nor the address of another is believed.
    UdpDevice::new(66, "forger", syslog).send(message("lax-cor-r1").as_bytes());
    run(&mut trap(66, snmp, &v2c, &subject));

    let records = broker.read(&topic, 9);
    assert_well_made(&records);
    let ours: Vec<&Delivered> = records
        .iter()
        .filter(|record| record.key == "lax-cor-r1")
        .collect();
    let mut sources: Vec<String> = ours.iter().map(|record| source(record)).collect();
    sources.sort();
    let all: Vec<String> = records
        .iter()
        .map(|record| format!("{} {}", record.key, record.event["device"]))
        .collect();
    assert_eq!(
        sources,
        [
            "header",
            "inventory",
            "inventory",
            "inventory",
            "inventory",
            "inventory",
            "inventory"
        ],
        "{all:#?}"
    );
    for record in &ours {
        assert_eq!(
            record.event["device"]["labels"]["site"], "lax",
            "{:#}",
            record.event
        );
    }
    let forged = records.iter().filter(|record| record.key == "127.0.0.66");
    assert_eq!(forged.count(), 2);
    let metrics = agent.get("/metrics").body;
    assert!(
        metrics.contains("\ntrapline_identity_conflicts_total 1\n"),
        "{metrics}"
    );
    agent.ledger().assert_balances();
    agent.stop().assert_in_order();
}

#[test]
fn what_becomes_known_of_a_device_is_told_and_a_changed_inventory_is_in_use_at_once() {
    let broker = Broker::shared();
    let (topic, told) = (broker.topic("named"), broker.topic("told"));
    let folder = TempDir::new().expect("a temporary folder");
    let inventory = folder.path().join("inventory.csv");
    let write = |text: &str| {
        // In one step, as an editor or a deployment replaces it.
        let beside = folder.path().join("new.csv");
        std::fs::write(&beside, text).expect("an inventory");
        std::fs::rename(&beside, &inventory).expect("an inventory");
    };
    write("address,hostname,silent_seconds\n127.0.0.11,r1,1\nnonsense,r2,\n");
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_udp()])
        .topic("syslog", &topic)
        .topic("device", &told)
        .topic("gap", &told);
    settings.identity = format!("inventory_file = {inventory:?}\nreverse_dns = \"off\"");
    let agent = Agent::start(&settings);
    let device = UdpDevice::new(DEVICE, "r1", agent.listener("syslog-udp"));
    let cisco =
        |number: u32| format!("<189>{number}: *Mar  1 18:48:50: %SYS-5-CONFIG_I: Configured");
    for number in [41, 42, 45] {
        device.send(cisco(number).as_bytes());
    }
    let records = broker.read(&told, 3);
    assert_well_made(&records);
    let what = |record: &Delivered| match string(&record.event["kind"]) {
        "gap" => format!("{}", record.event["gap"]),
        _ => string(&record.event["change"]["what"]).to_owned(),
    };
    let mut what: Vec<String> = records.iter().map(what).collect();
    what.sort();
    let gap = r#"{"counter":"sequence","first_missing":43,"last_missing":44}"#;
    assert_eq!(what, ["new", "silent", gap]);
    assert!(records.iter().all(|record| record.key == "r1"));

    write("address,hostname\n127.0.0.11,r7\n");
    agent.wait_for_line("the new inventory is in use", |line| {
        (line.field("message") == "inventory changed, the new one is in use").then_some(())
    });
    device.send(cisco(46).as_bytes());
    let records = broker.read(&topic, 4);
    let last = records
        .iter()
        .find(|record| record.event["syslog"]["sequence"] == 46);
    assert_eq!(last.expect("the last message").key, "r7");
    let ended = agent.stop();
    ended.assert_in_order();
    let bad = "inventory.csv:3: expected an address or a prefix";
    assert!(ended.log.contains(bad), "{}", ended.log);
}
