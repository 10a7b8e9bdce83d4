//! SNMP over TCP (RFC 3430): net-snmp's own tools, and streams that hold no messages.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::support::agent::Agent;
use crate::support::kafka::Broker;
use crate::support::oracle::{assert_well_made, string};
use crate::support::settings::{Listener, Settings};
use crate::support::snmp;
use crate::support::tool::{run, tool};

const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";
const ENGINE: &str = "0x80000009030021541a2b3d";
const LEVEL: [&str; 8] = [
    "-v3", "-l", "authPriv", "-u", "operator", "-a", "SHA-256", "-A",
];
const USER: &str = r#"
[[snmp.user]]
name = "operator"
auth = "SHA-256"
auth_password = "auth-pass-plant3d"
priv = "AES-128"
priv_password = "priv-pass-plant3d"
"#;

/// One of net-snmp's tools, that sends `text` over TCP.
fn send(program: &str, version: &[&str], to: SocketAddr, text: &str) {
    let mut command = command(program, version);
    command.arg(format!("tcp:{to}"));
    match version {
        ["-v1", ..] => command.args(["1.3.6.1.4.1.9", "10.20.0.1", "2", "0", "12345"]),
        _ => command.args(["12345", LINK_DOWN]),
    };
    // net-snmp's inform ends with 0 only when it got the Response and could read it.
    run(command.args(["1.3.6.1.2.1.2.2.1.2.2", "s", text]));
}

fn command(program: &str, version: &[&str]) -> Command {
    let mut command = tool(program, "snmp");
    let state = format!(
        "{}/net-snmp-tcp-{}",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    command.env("MIBS", "").env("SNMP_PERSISTENT_DIR", state);
    command.args(version);
    if program == "snmpinform" {
        command.args(["-r", "0", "-t", "10"]);
    }
    command
}

fn v3(program: &str) -> Vec<&'static str> {
    let mut version = LEVEL.to_vec();
    version.extend(["auth-pass-plant3d", "-x", "AES", "-X", "priv-pass-plant3d"]);
    if program == "snmptrap" {
        version.extend(["-e", ENGINE]);
    }
    version
}

#[test]
fn net_snmps_traps_and_informs_of_every_version_arrive_over_tcp_and_informs_are_answered() {
    let broker = Broker::shared();
    let topic = broker.topic("snmp-tcp");
    let mut settings = Settings::new(&broker.address, vec![Listener::snmp_tcp()]);
    settings.more = USER.to_owned();
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let address = agent.listener("snmp-tcp");
    let v2c = ["-v2c", "-c", "plant3d"];
    send("snmptrap", &["-v1", "-c", "plant3d"], address, "v1 trap");
    send("snmptrap", &v2c, address, "v2c trap");
    send("snmpinform", &v2c, address, "v2c inform");
    send("snmptrap", &v3("snmptrap"), address, "v3 trap");
    send("snmpinform", &v3("snmpinform"), address, "v3 inform");

    let records = broker.read(&topic, 5);
    assert_well_made(&records);
    let mut got = Vec::new();
    for record in &records {
        let (event, snmp) = (&record.event, &record.event["snmp"]);
        assert_eq!(event["agent"]["transport"], "tcp");
        assert_eq!(event["device"]["address"], "127.0.0.1");
        assert_eq!(snmp["trap_oid"], LINK_DOWN, "{event:#}");
        let (version, pdu) = (string(&snmp["version"]), string(&snmp["pdu"]));
        assert_eq!(snmp["varbinds"][0]["value"], format!("{version} {pdu}"));
        got.push(format!("{version} {pdu}"));
        let payload = String::from_utf8_lossy(&record.payload);
        assert!(!payload.contains("plant3d"), "{payload}");
    }
    got.sort();
    let expected = ["v1 trap", "v2c inform", "v2c trap", "v3 inform", "v3 trap"];
    assert_eq!(got, expected);
    let ended = agent.stop();
    ended.assert_in_order();
    assert!(!ended.log.contains("plant3d"), "{}", ended.log);
    assert_eq!(ended.ledger.listener("snmp-tcp", "used"), 5);
    // The discovery of the v3 inform.
    assert!(ended.ledger.rejected("snmp-tcp", "discovery") >= 1);
}

#[test]
fn a_thousand_informs_on_one_connection_are_each_answered_once() {
    // All of one length, and so are their Responses.
    const NUMBERS: std::ops::RangeInclusive<u32> = 1001..=2000;
    let broker = Broker::shared();
    let topic = broker.topic("snmp-tcp-informs");
    let spool = tempfile::tempdir().expect("a folder");
    let settings = Settings::new(&broker.address, vec![Listener::snmp_tcp()]);
    let settings = settings.on_disk(&spool.path().join("spool"));
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let mut sender = TcpStream::connect(agent.listener("snmp-tcp")).expect("a connection");
    let informs: Vec<Vec<u8>> = NUMBERS
        .map(|number| snmp::numbered_inform("r1", number))
        .collect();
    // In pieces that end in the middle of messages.
    let mut writer = sender.try_clone().expect("a second handle");
    let stream = informs.concat();
    let writing = std::thread::spawn(move || {
        for piece in stream.chunks(1009) {
            writer.write_all(piece).expect("sent");
        }
    });
    let wait = Some(Duration::from_secs(20));
    sender.set_read_timeout(wait).expect("a timeout");
    // In any order, as RFC 3430 has it: one whose record is accepted already does not wait for another.
    let mut unanswered: BTreeSet<u32> = NUMBERS.collect();
    for _ in NUMBERS {
        let mut response = vec![0; informs[0].len()];
        sender.read_exact(&mut response).expect("a Response");
        let of = |number: &u32| snmp::is_response(&response, *number);
        let number = unanswered.iter().copied().find(|number| of(number));
        unanswered.remove(&number.expect("the Response to an inform of ours"));
    }
    writing.join().expect("all was sent");
    let records = broker.read(&topic, informs.len());
    assert_well_made(&records);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(
        ended.ledger.listener("snmp-tcp", "used"),
        informs.len() as u64
    );
}

#[test]
fn a_stream_that_holds_no_messages_is_closed_and_costs_the_others_nothing() {
    let broker = Broker::shared();
    let topic = broker.topic("snmp-tcp-broken");
    let settings = Settings::new(&broker.address, vec![Listener::snmp_tcp()]);
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let address = agent.listener("snmp-tcp");
    let trap = snmp::v2c_trap(b"plant3d", 2);
    let broken: [&[u8]; 3] = [
        b"<13>Nov 21 02:14:07 r1 syslog on the wrong port\n",
        &[0x30, 0x80, 2, 1, 1],
        &[0x30, 0x84, 0x7f, 0, 0, 0],
    ];
    for bytes in broken {
        let mut sender = TcpStream::connect(address).expect("a connection");
        let wait = Some(Duration::from_secs(20));
        sender.set_read_timeout(wait).expect("a timeout");
        // One whole trap, and what comes behind the broken bytes is never read as one.
        let stream = [&trap, bytes, &trap].concat();
        sender.write_all(&stream).expect("sent");
        let mut rest = Vec::new();
        match sender.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest, b"", "a trap has no reply"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    // The end of a stream in the middle of a message makes an event that says so.
    let mut sender = TcpStream::connect(address).expect("a connection");
    sender.write_all(&trap[..trap.len() - 5]).expect("sent");
    drop(sender);

    let records = broker.read(&topic, 4);
    assert_well_made(&records);
    let cut = records
        .iter()
        .filter(|record| record.event["truncated"] == true);
    assert_eq!(cut.count(), 1);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.listener("snmp-tcp", "used"), 4);
    assert_eq!(ended.ledger.rejected("snmp-tcp", "framing_lost"), 3);
    assert!(!ended.log.contains("plant3d"), "{}", ended.log);
}
