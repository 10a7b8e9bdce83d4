//! SNMPv3 with net-snmp's own tools: every protocol, level and kind, rotations, failures, repeats, restarts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::agent::Agent;
use crate::support::kafka::{Broker, Delivered};
use crate::support::oracle::{assert_well_made, string};
use crate::support::settings::{Listener, Settings};
use crate::support::tool::{output, run, tool};
use crate::support::wait::{SOON, wait_until};

const AUTH: [&str; 6] = ["MD5", "SHA", "SHA-224", "SHA-256", "SHA-384", "SHA-512"];

/// As net-snmp calls them, as we do, and with which key extension. net-snmp has no 3DES.
const PRIV: [(&str, &str, &str); 6] = [
    ("DES", "DES", "auto"),
    ("AES", "AES-128", "auto"),
    ("AES-192", "AES-192", "blumenthal"),
    ("AES-256", "AES-256", "auto"),
    ("AES-192-C", "AES-192", "reeder"),
    ("AES-256-C", "AES-256", "auto"),
];

const AUTH_PASSWORD: &str = "auth-pass-plant3d";
const PRIV_PASSWORD: &str = "priv-pass-plant3d";
const ENGINE: &str = "0x80000009030021541a2b3c";
const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";

/// One user: its name, and what it is protected by.
struct User {
    name: String,
    auth: Option<&'static str>,
    privacy: Option<(&'static str, &'static str, &'static str)>,
}

impl User {
    fn new(
        auth: Option<&'static str>,
        privacy: Option<(&'static str, &'static str, &'static str)>,
    ) -> User {
        let name = match (auth, privacy) {
            (None, _) => "open".to_owned(),
            (Some(auth), None) => auth.to_owned(),
            (Some(auth), Some((privacy, ..))) => format!("{auth}-{privacy}"),
        };
        User {
            name,
            auth,
            privacy,
        }
    }

    fn every() -> Vec<User> {
        let mut users = vec![User::new(None, None)];
        for auth in AUTH {
            users.push(User::new(Some(auth), None));
            users.extend(PRIV.map(|privacy| User::new(Some(auth), Some(privacy))));
        }
        users
    }

    fn level(&self) -> &'static str {
        match (self.auth, self.privacy) {
            (None, _) => "noAuthNoPriv",
            (Some(_), None) => "authNoPriv",
            (Some(_), Some(_)) => "authPriv",
        }
    }

    /// As the configuration has it.
    fn toml(&self) -> String {
        let mut text = format!("[[snmp.user]]\nname = {:?}\n", self.name);
        if let Some(auth) = self.auth {
            text += &format!("auth = {auth:?}\nauth_password = {AUTH_PASSWORD:?}\n");
        }
        if let Some((_, privacy, extension)) = self.privacy {
            text += &format!(
                "priv = {privacy:?}\npriv_password = {PRIV_PASSWORD:?}\npriv_extension = {extension:?}\n"
            );
        }
        text
    }

    /// As net-snmp's tools have it.
    fn send(&self, program: &str, to: SocketAddr) -> Command {
        self.send_with(program, to, AUTH_PASSWORD, PRIV_PASSWORD)
    }

    fn send_with(&self, program: &str, to: SocketAddr, auth: &str, privacy: &str) -> Command {
        let mut command = tool(program, "snmp");
        command
            .env("MIBS", "")
            .env("SNMP_PERSISTENT_DIR", own_state())
            .args(["-v3", "-u", &self.name, "-l", self.level()]);
        if let Some(protocol) = self.auth {
            command.args(["-a", protocol, "-A", auth]);
        }
        if let Some((protocol, ..)) = self.privacy {
            command.args(["-x", protocol, "-X", privacy]);
        }
        if program == "snmptrap" {
            command.args(["-e", ENGINE]);
        } else {
            command.args(["-r", "2", "-t", "5"]);
        }
        command.arg(to.to_string()).args(["12345", LINK_DOWN]);
        command.args(["1.3.6.1.2.1.2.2.1.2.2", "s"]);
        command
    }
}

/// Where net-snmp keeps its own engine: a folder for each test, since its tools do not expect to run side by side.
fn own_state() -> PathBuf {
    let test = std::thread::current().id();
    let name = format!("net-snmp-{}-{test:?}", std::process::id());
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn settings(broker: &Broker, topic: &str, snmp: (PathBuf, String)) -> Settings {
    let mut settings = Settings::new(&broker.address, vec![Listener::snmp_udp()]);
    settings.state_folder = Some(snmp.0);
    settings.more = snmp.1;
    settings.topic("snmp_trap", topic)
}

/// A state folder of its own, and `[snmp]`; more keys and tables follow.
fn snmp(folder: &std::path::Path, more: &str) -> (PathBuf, String) {
    (folder.join("state"), format!("[snmp]\n{more}\n"))
}

/// The text of the one variable binding: what the sender put into it.
fn text(record: &Delivered) -> String {
    string(&record.event["snmp"]["varbinds"][0]["value"]).to_owned()
}

#[test]
fn every_protocol_and_level_arrives_as_trap_and_as_inform() {
    let broker = Broker::shared();
    let topic = broker.topic("snmpv3-matrix");
    let folder = tempfile::tempdir().expect("a folder");
    let users = User::every();
    let tables: String = users.iter().map(User::toml).collect();
    let agent = Agent::start(&settings(broker, &topic, snmp(folder.path(), &tables)));
    let address = agent.listener("snmp-udp");
    let mut sent = Vec::new();
    for user in &users {
        for program in ["snmptrap", "snmpinform"] {
            let text = format!("{} {program}", user.name);
            // net-snmp's inform ends with 0 only when it got the Response and could read it.
            run(user.send(program, address).arg(&text));
            sent.push(text);
        }
    }

    let records = broker.read(&topic, sent.len());
    assert_well_made(&records);
    let mut arrived: Vec<String> = records.iter().map(text).collect();
    arrived.sort();
    sent.sort();
    assert_eq!(arrived, sent, "each once");
    for record in &records {
        let snmp = &record.event["snmp"];
        let user = string(&snmp["user"]);
        let sender = users
            .iter()
            .find(|it| it.name == user)
            .expect("a user of ours");
        assert_eq!(snmp["security_level"], sender.level(), "{:#}", record.event);
        assert_eq!(snmp["trap_oid"], LINK_DOWN);
        assert_eq!(snmp["version"], "v3");
        if snmp["pdu"] == "trap" {
            assert_eq!(snmp["engine_id"], ENGINE.trim_start_matches("0x"));
        }
        assert_eq!(record.event["parse_error"], Value::Null);
        let payload = String::from_utf8_lossy(&record.payload);
        assert!(!payload.contains("plant3d"), "{payload}");
    }
    let ended = agent.stop();
    ended.assert_in_order();
    assert!(!ended.log.contains("plant3d"), "{}", ended.log);
    assert_eq!(ended.ledger.listener("snmp-udp", "used"), sent.len() as u64);
}

#[test]
fn each_failure_is_an_event_that_names_its_reason_and_is_counted() {
    let broker = Broker::shared();
    let topic = broker.topic("snmpv3-failures");
    let folder = tempfile::tempdir().expect("a folder");
    let user = User::new(Some("SHA-256"), Some(PRIV[1]));
    let agent = Agent::start(&settings(broker, &topic, snmp(folder.path(), &user.toml())));
    let address = agent.listener("snmp-udp");
    let stranger = User {
        name: "nobody".to_owned(),
        ..User::new(Some("SHA-256"), Some(PRIV[1]))
    };
    let lower = User {
        name: user.name.clone(),
        ..User::new(None, None)
    };
    run(stranger.send("snmptrap", address).arg("secret content"));
    run(lower.send("snmptrap", address).arg("secret content"));
    run(user
        .send_with("snmptrap", address, "another-pass", PRIV_PASSWORD)
        .arg("secret content"));
    run(user
        .send_with("snmptrap", address, AUTH_PASSWORD, "another-pass")
        .arg("secret content"));
    run(user.send("snmptrap", address).arg("right"));

    let records = broker.read(&topic, 5);
    assert_well_made(&records);
    let mut reasons: Vec<&str> = records
        .iter()
        .filter_map(|record| record.event["parse_error"]["reason"].as_str())
        .collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "decryptionError",
            "unknownUserName",
            "unsupportedSecLevel",
            "wrongDigest"
        ]
    );
    for record in &records {
        let payload = String::from_utf8_lossy(&record.payload);
        assert!(!payload.contains("secret content"), "{payload}");
    }
    let metrics = agent.get("/metrics").body;
    for name in [
        "unsupported_sec_levels",
        "unknown_user_names",
        "wrong_digests",
        "decryption_errors",
    ] {
        let line = format!("trapline_usm_stats_{name}_total 1");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    // An inform with a wrong password ends without a Response, and says why.
    let refused = output(
        user.send_with("snmpinform", address, "another-pass", PRIV_PASSWORD)
            .arg("x"),
    );
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("Authentication failure"), "{said}");
    agent.stop().assert_in_order();
}

#[test]
fn rejected_failures_are_counted_by_reason_and_make_no_event() {
    let broker = Broker::shared();
    let topic = broker.topic("snmpv3-reject");
    let folder = tempfile::tempdir().expect("a folder");
    let user = User::new(Some("SHA"), None);
    let more = format!(
        "failed = \"reject\"\ncommunities = [\"plant3d-1\"]\n{}",
        user.toml()
    );
    let agent = Agent::start(&settings(broker, &topic, snmp(folder.path(), &more)));
    let address = agent.listener("snmp-udp");
    run(user
        .send_with("snmptrap", address, "another-pass", "")
        .arg("x"));
    for community in ["plant3d-1", "plant3d-2"] {
        run(tool("snmptrap", "snmp")
            .env("MIBS", "")
            .env("SNMP_PERSISTENT_DIR", own_state())
            .args(["-v2c", "-c", community])
            .arg(address.to_string())
            .args(["12345", LINK_DOWN, "1.3.6.1.2.1.2.2.1.2.2", "s", community]));
    }
    agent.wait_until_received("snmp-udp", 3);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.rejected("snmp-udp", "wrongDigest"), 1);
    assert_eq!(
        ended.ledger.rejected("snmp-udp", "community_not_allowed"),
        1
    );
    assert_eq!(ended.ledger.listener("snmp-udp", "used"), 1);
    assert!(!ended.log.contains("plant3d"), "{}", ended.log);
}

#[test]
fn after_a_restart_the_engine_is_the_same_and_its_boots_have_grown() {
    let broker = Broker::shared();
    let topic = broker.topic("snmpv3-restart");
    let folder = tempfile::tempdir().expect("a folder");
    let user = User::new(Some("SHA-512"), Some(PRIV[3]));
    let settings = settings(broker, &topic, snmp(folder.path(), &user.toml()));
    let mut engines = Vec::new();
    for round in 0..3 {
        let agent = Agent::start(&settings);
        let address = agent.listener("snmp-udp");
        run(user
            .send("snmpinform", address)
            .arg(format!("inform {round}")));
        run(user.send("snmptrap", address).arg(format!("trap {round}")));
        agent.wait_until_delivered(2);
        let known = agent
            .log_since(0)
            .iter()
            .any(|line| line.field("message") == "SNMPv3 engines known from before");
        assert_eq!(known, round > 0);
        agent.stop().assert_in_order();
        let file = folder.path().join("state/snmp-engine");
        let text = std::fs::read_to_string(file).expect("the state file");
        let line = text.lines().nth(1).expect("an engine").to_owned();
        let (id, boots) = line.split_once(' ').expect("id and boots");
        engines.push((id.to_owned(), boots.to_owned()));
    }
    let boots: Vec<&str> = engines.iter().map(|(_, boots)| boots.as_str()).collect();
    assert_eq!(boots, ["1", "2", "3"]);
    assert!(engines.windows(2).all(|pair| pair[0].0 == pair[1].0));
    let records = broker.read(&topic, 6);
    assert_well_made(&records);
}

#[test]
fn an_inform_that_is_repeated_is_answered_again_and_is_one_event() {
    let broker = Broker::shared();
    let topic = broker.topic("snmpv3-repeat");
    let folder = tempfile::tempdir().expect("a folder");
    let user = User::new(Some("SHA-256"), Some(PRIV[1]));
    let agent = Agent::start(&settings(broker, &topic, snmp(folder.path(), &user.toml())));
    let address = agent.listener("snmp-udp");
    // A relay that loses the first Response to an inform: net-snmp then sends it again, with a new message id and salt.
    let relay = Lossy::start(address);
    run(user.send("snmpinform", relay.address).args(["v3 once"]));
    run(tool("snmpinform", "snmp")
        .env("MIBS", "")
        .env("SNMP_PERSISTENT_DIR", own_state())
        .args(["-v2c", "-c", "plant3d", "-r", "3", "-t", "1"])
        .arg(relay.address.to_string())
        .args(["12345", LINK_DOWN, "1.3.6.1.2.1.2.2.1.2.2", "s", "v2c once"]));
    wait_until("both were repeated", SOON, || {
        agent.ledger().rejected("snmp-udp", "duplicate") >= 2
    });
    let records = broker.read(&topic, 2);
    assert_well_made(&records);
    let mut texts: Vec<String> = records.iter().map(text).collect();
    texts.sort();
    assert_eq!(texts, ["v2c once", "v3 once"]);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.listener("snmp-udp", "used"), 2);
}

/// Whether it is an SNMPv3 message that is not encrypted: what leads the sender of an inform to our engine. In the header
/// msgFlags stand before msgSecurityModel 3.
fn is_report(packet: &[u8]) -> bool {
    packet
        .windows(6)
        .any(|six| six[..2] == [4, 1] && six[3..] == [2, 1, 3] && six[2] & 2 == 0)
}

/// Passes datagrams on in both ways, and loses the first Response of each sender.
struct Lossy {
    address: SocketAddr,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Lossy {
    fn start(agent: SocketAddr) -> Lossy {
        use std::sync::atomic::{AtomicBool, Ordering};
        let front = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let address = front.local_addr().expect("its address");
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let wanted = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let back = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
            let wait = Some(std::time::Duration::from_millis(10));
            for socket in [&front, &back] {
                socket.set_read_timeout(wait).expect("a timeout");
            }
            let mut buffer = [0; 2048];
            let mut sender = None;
            let mut lost = std::collections::HashSet::new();
            while !wanted.load(Ordering::Relaxed) {
                if let Ok((length, from)) = front.recv_from(&mut buffer) {
                    sender = Some(from);
                    back.send_to(&buffer[..length], agent).expect("passed on");
                }
                let (Ok((length, _)), Some(to)) = (back.recv_from(&mut buffer), sender) else {
                    continue;
                };
                let answer = &buffer[..length];
                if is_report(answer) || !lost.insert(to) {
                    front.send_to(answer, to).expect("passed back");
                }
            }
        });
        Lossy {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
