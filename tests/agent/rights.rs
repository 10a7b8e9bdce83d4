//! A broker that asks who is there, and what they may do. What it refuses is kept until somebody puts it right.

use std::time::Duration;

use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::UdpDevice;
use crate::support::kafka::{Broker, OwnBroker, quiet_port};
use crate::support::load::{Load, Sent, total};
use crate::support::oracle::number_after;
use crate::support::settings::{Listener, Settings};
use crate::support::snmp::numbered_inform;
use crate::support::tally::{assert_arrived, assert_nothing_missing};
use crate::support::tool::output;
use crate::support::wait::wait_until;

/// How long a test waits for a right or a password to be noticed: the client's pauses grow to some seconds.
const NOTICED: Duration = Duration::from_secs(90);

const LOAD: Load<'_> = Load {
    devices: &["r1", "r2"],
    per_second: 500,
    filling_bytes: 0,
};

/// Users of the mechanism PLAIN, who are in the broker's settings; those of SCRAM are made while it runs.
const PLAIN: &str = "listener.name.agent.plain.sasl.jaas.config=\
    org.apache.kafka.common.security.plain.PlainLoginModule required user_router=\"hunter2\";";
const SCRAM: &str = "listener.name.agent.scram-sha-256.sasl.jaas.config=\
    org.apache.kafka.common.security.scram.ScramLoginModule required;";

/// A broker with a guarded door for the agent. Those who come by the other one, as tests do, may do everything.
struct Guarded {
    own: OwnBroker,
    broker: Broker,
    /// The guarded door.
    address: String,
}

impl Guarded {
    fn start() -> Guarded {
        let port = quiet_port();
        let settings = [
            format!("listener=AGENT:SASL_PLAINTEXT:{port}"),
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256".to_owned(),
            PLAIN.to_owned(),
            SCRAM.to_owned(),
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
                .to_owned(),
            "super.users=User:ANONYMOUS".to_owned(),
        ];
        let own = OwnBroker::absent_with(&settings);
        let broker = own.start();
        Guarded {
            own,
            broker,
            address: format!("127.0.0.1:{port}"),
        }
    }

    /// `operation` is `Write`, `Describe` or `Create`.
    fn allow(&self, user: &str, operation: &str, topic: &str) {
        self.rights("--add", user, operation, topic);
    }

    fn forbid(&self, user: &str, operation: &str, topic: &str) {
        self.rights("--remove", user, operation, topic);
    }

    fn rights(&self, change: &str, user: &str, operation: &str, topic: &str) {
        let user = format!("User:{user}");
        let arguments = [change, "--allow-principal", &user, "--operation", operation];
        let mut arguments = [arguments.as_slice(), &["--topic", topic]].concat();
        if change == "--remove" {
            arguments.push("--force");
        }
        self.own
            .tool("org.apache.kafka.tools.AclCommand", &arguments);
    }

    /// Makes a user of the mechanism SCRAM, or gives it another password.
    fn password(&self, user: &str, password: &str) {
        let credentials = format!("SCRAM-SHA-256=[password={password}]");
        let change = ["--alter", "--add-config", &credentials];
        let whom = ["--entity-type", "users", "--entity-name", user];
        self.own.tool(
            "kafka.admin.ConfigCommand",
            &[change.as_slice(), whom.as_slice()].concat(),
        );
    }
}

#[test]
fn a_topic_without_rights_waits_is_named_and_delivers_when_they_are_granted() {
    const TRAPS: u32 = 100;
    let guarded = Guarded::start();
    let broker = &guarded.broker;
    broker.create("open", &[]);
    broker.create("closed", &[]);
    broker.create("reports", &[]);
    let spool = TempDir::new().expect("a temporary folder");
    let listeners = vec![Listener::syslog_tcp(), Listener::snmp_udp()];
    let mut settings = Settings::new(&guarded.address, listeners)
        .topic("syslog", "open")
        .topic("snmp_trap", "closed")
        .reporting("reports")
        .on_disk(spool.path());
    settings.more = options("PLAIN", "router", "hunter2");
    let agent = Agent::start(&settings);
    let switch = UdpDevice::new(51, "s1", agent.listener("snmp-udp"));
    let sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        for number in 0..TRAPS {
            switch.send(&numbered_inform("s1", number));
        }
        agent.wait_until_named("no right", NOTICED);
        assert_eq!(agent.ledger().records("delivered"), 0);

        guarded.allow("router", "Write", "open");
        guarded.allow("router", "Write", "reports");
        wait_until_flowing(&agent);
        agent.wait_until_named("topic closed: waiting: no right to write", NOTICED);
        // Its existence may be known, and still nothing be written.
        guarded.allow("router", "Describe", "closed");
        wait_until_flowing(&agent);
        agent.wait_until_named("topic closed: waiting: no right to write", NOTICED);
        assert!(agent.ledger().records("pending") >= u64::from(TRAPS));

        guarded.allow("router", "Write", "closed");
        broker.read("closed", TRAPS as usize);
        wait_until_all_is_well(&agent);

        // Taken away and given back while it flows.
        guarded.forbid("router", "Write", "open");
        agent.wait_until_named("topic open: waiting: no right to write", NOTICED);
        guarded.allow("router", "Write", "open");
        wait_until_flowing(&agent);
        wait_until_all_is_well(&agent);
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), NOTICED);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(
        ended.ledger.of_packets("delivered"),
        total(&sent) + u64::from(TRAPS)
    );
    assert_traps(broker, "closed", TRAPS);
    let repeats = assert_arrived(broker, "open", &sent);
    let findings = audit(broker, &["open", "closed", "reports"], Answer::Complete);
    findings.assert_accounts_for("open", total(&sent));
    findings.assert_accounts_for("closed", u64::from(TRAPS));
    println!("{} messages, {repeats} repeats", total(&sent));
    assert!(!ended.log.contains("hunter2"));
}

#[test]
fn a_wrong_password_put_right_at_the_broker_loses_nothing_and_needs_no_restart() {
    let guarded = Guarded::start();
    let broker = &guarded.broker;
    broker.create("password", &[]);
    broker.create("reports", &[]);
    guarded.allow("switch", "Write", "password");
    guarded.allow("switch", "Write", "reports");
    let spool = TempDir::new().expect("a temporary folder");
    let mut settings = Settings::new(&guarded.address, vec![Listener::syslog_tcp()])
        .topic("syslog", "password")
        .reporting("reports")
        .on_disk(spool.path());
    settings.more = options("SCRAM-SHA-256", "switch", "hunter2");
    let agent = Agent::start(&settings);
    let sent: Sent = LOAD.during(agent.listener("syslog-tcp"), |_| {
        // Nobody knows the user.
        agent.wait_until_named("authentication failed", NOTICED);
        guarded.password("switch", "another");
        agent.wait_until_named("authentication failed", NOTICED);
        assert_eq!(agent.ledger().records("delivered"), 0);
        guarded.password("switch", "hunter2");
        wait_until_flowing(&agent);
        wait_until_all_is_well(&agent);

        // Changed while it flows, it matters at the next connection.
        guarded.password("switch", "another");
        guarded.own.stop();
        guarded.own.start();
        agent.wait_until_named("authentication failed", NOTICED);
        guarded.password("switch", "hunter2");
        wait_until_flowing(&agent);
        wait_until_all_is_well(&agent);
    });
    agent.wait_until_all_settled("syslog-tcp", total(&sent), NOTICED);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.of_packets("delivered"), total(&sent));
    let repeats = assert_nothing_missing(broker, "password", "reports", &sent);
    println!("{} messages, {repeats} repeats", total(&sent));
    assert!(!ended.log.contains("hunter2"));
}

#[test]
fn doctor_tells_each_topic_s_rights_makes_none_and_names_the_step_that_fails() {
    let guarded = Guarded::start();
    for topic in ["open", "closed", "hidden"] {
        guarded.broker.create(topic, &[]);
    }
    guarded.allow("router", "Write", "open");
    guarded.allow("router", "Describe", "closed");
    // It may make topics, and must not make the one that is missing.
    guarded.allow("router", "Describe", "absent");
    guarded.allow("router", "Create", "absent");
    let folder = TempDir::new().expect("a temporary folder");
    let doctor = |password: &str| {
        let mut settings = Settings::new(&guarded.address, vec![Listener::syslog_udp()])
            .topic("syslog", "open")
            .topic("snmp_trap", "closed")
            .topic("device", "hidden")
            .reporting("absent")
            .on_disk(folder.path());
        settings.more = options("PLAIN", "router", password);
        let file = folder.path().join("trapline.toml");
        std::fs::write(&file, settings.toml()).expect("a file");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trapline"));
        let ended = output(command.arg("doctor").arg("--config").arg(&file));
        assert_eq!(ended.status.code(), Some(1));
        let text = String::from_utf8(ended.stdout).expect("UTF-8");
        assert!(!text.contains(password), "{text}");
        text
    };

    let text = doctor("hunter2");
    let has = |text: &str, line: &str| assert!(text.contains(line), "no {line:?} in:\n{text}");
    has(&text, "ok    kafka      SASL: the broker knows us");
    has(&text, "ok    kafka      metadata: the cluster names");
    has(&text, "ok    topic      open: 6 partitions");
    has(&text, "ok    rights     open: may be written to");
    has(&text, "ok    topic      closed: 6 partitions");
    has(&text, "fail  rights     closed: no right to write");
    has(&text, "fail  topic      hidden: ");
    has(&text, "fail  topic      absent: ");
    // A second look finds it missing still: the first one has not made it.
    has(&doctor("hunter2"), "fail  topic      absent: ");

    let text = doctor("hunter3");
    has(&text, "ok    kafka      connect ");
    has(&text, "fail  kafka      SASL: ");
    assert!(!text.contains("metadata:"), "{text}");
}

fn options(mechanism: &str, user: &str, password: &str) -> String {
    format!(
        "[kafka.options]\n\"security.protocol\" = \"sasl_plaintext\"\n\"sasl.mechanism\" = \"{mechanism}\"\n\
         \"sasl.username\" = \"{user}\"\n\"sasl.password\" = \"{password}\""
    )
}

#[track_caller]
fn wait_until_flowing(agent: &Agent) {
    let before = agent.ledger().records("delivered");
    wait_until("records are delivered", NOTICED, || {
        agent.ledger().records("delivered") > before + 100
    });
}

#[track_caller]
fn wait_until_all_is_well(agent: &Agent) {
    wait_until("/readyz names nothing", NOTICED, || {
        agent.get("/readyz").body.contains("\"ready\"")
    });
}

/// The traps' numbers in order, each at least once.
#[track_caller]
fn assert_traps(broker: &Broker, topic: &str, count: u32) {
    let records = broker.read(topic, count as usize);
    let mut firsts: Vec<u64> = Vec::new();
    for record in &records {
        let number = number_after(&String::from_utf8_lossy(&record.payload), "serial=");
        if !firsts.contains(&number) {
            firsts.push(number);
        }
    }
    assert_eq!(firsts, (0..u64::from(count)).collect::<Vec<_>>());
}
