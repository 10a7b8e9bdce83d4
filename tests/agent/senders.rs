//! Programs of others: what they send arrives, and what they are told is true.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::support::agent::Agent;
use crate::support::kafka::{Broker, Delivered, quiet_port};
use crate::support::oracle::{assert_well_made, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::tool::{Daemon, output, run, tool};
use crate::support::wait::{SOON, wait_until};

#[test]
fn util_linux_logger_is_read_in_each_of_its_formats() {
    let broker = Broker::shared();
    let topic = broker.topic("logger");
    let listeners = vec![Listener::syslog_udp(), Listener::syslog_tcp()];
    let settings = Settings::new(&broker.address, listeners);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let ways: [(&str, &str, &[&str]); 4] = [
        ("syslog-udp", "rfc5424", &["--udp", "--rfc5424"]),
        ("syslog-udp", "rfc3164", &["--udp", "--rfc3164"]),
        (
            "syslog-tcp",
            "rfc5424",
            &["--tcp", "--octet-count", "--rfc5424"],
        ),
        ("syslog-tcp", "rfc3164", &["--tcp", "--rfc3164"]),
    ];
    for (way, (listener, _, flags)) in ways.iter().enumerate() {
        let lines = agent.folder().join(format!("lines-{way}"));
        write_numbered_lines(&lines, 0..50);
        let address = agent.listener(listener);
        run(to(
            address,
            tool("logger", "bsdutils").args(["--server", "127.0.0.1", "--port"]),
        )
        .args(*flags)
        .args(["--priority", "local7.warning", "--tag"])
        .arg(format!("way{way}"))
        .arg("--file")
        .arg(&lines));
    }

    let records = broker.read(&topic, 200);
    assert_well_made(&records);
    for (way, (_, format, _)) in ways.iter().enumerate() {
        let mine: Vec<&Delivered> = records
            .iter()
            .filter(|record| record.event["syslog"]["app_name"] == format!("way{way}"))
            .collect();
        for record in &mine {
            assert_eq!(
                record.event["syslog"]["format"], *format,
                "{:#}",
                record.event
            );
            assert_eq!(record.event["severity"], "warning");
            assert_eq!(record.event["syslog"]["facility"], "local7");
        }
        assert_eq!(
            numbers(&mine, "n="),
            (0..50).collect::<Vec<_>>(),
            "way {way}"
        );
    }
    agent.wait_until_delivered(200);
    agent.stop().assert_in_order();
}

#[test]
fn syslog_ngs_loggen_loses_nothing_by_datagram_or_stream() {
    let broker = Broker::shared();
    let topic = broker.topic("loggen");
    let listeners = vec![Listener::syslog_udp(), Listener::syslog_tcp()];
    let settings = Settings::new(&broker.address, listeners);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    // loggen sends one second's worth at once and then keeps its rate; so much fits into a default socket buffer.
    for (listener, kind, rate, count) in [
        ("syslog-udp", "--dgram", "150", "600"),
        ("syslog-tcp", "--stream", "10000", "10000"),
    ] {
        let address = agent.listener(listener);
        run(tool("loggen", "syslog-ng-core")
            .args([
                "--inet", kind, "--size", "300", "--rate", rate, "--number", count,
            ])
            .args([address.ip().to_string(), address.port().to_string()]));
    }

    let records = broker.read(&topic, 10_600);
    assert_well_made(&records);
    for (transport, count) in [("udp", 600), ("tcp", 10_000)] {
        let mine: Vec<&Delivered> = records
            .iter()
            .filter(|record| record.event["agent"]["transport"] == transport)
            .collect();
        assert_eq!(
            numbers(&mine, "seq: "),
            (0..count).collect::<Vec<_>>(),
            "{transport}"
        );
    }
    agent.wait_until_delivered(10_600);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.listener("syslog-udp", "kernel_dropped"), 0);
}

#[test]
fn rsyslog_forwards_to_it_in_both_framings() {
    let broker = Broker::shared();
    let topic = broker.topic("rsyslog");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let folder = agent.folder().to_owned();
    let lines = folder.join("lines");
    write_numbered_lines(&lines, 0..300);
    let config = folder.join("rsyslog.conf");
    let text = rsyslog_config(&folder, &lines, agent.listener("syslog-tcp"));
    std::fs::write(&config, text).expect("the configuration file");
    let _rsyslog = Daemon::start(
        tool("rsyslogd", "rsyslog")
            .arg("-n")
            .arg("-f")
            .arg(&config)
            .arg("-i")
            .arg(folder.join("rsyslog.pid")),
    );

    let records = broker.read(&topic, 600);
    assert_well_made(&records);
    for (framing, format) in [("counted", "rfc5424"), ("lines", "rfc3164")] {
        let mine: Vec<&Delivered> = records
            .iter()
            .filter(|record| record.event["syslog"]["format"] == format)
            .collect();
        assert_eq!(
            numbers(&mine, "n="),
            (0..300).collect::<Vec<_>>(),
            "{framing}"
        );
    }
    agent.wait_until_delivered(600);
    agent.stop().assert_in_order();
}

/// rsyslog reads a file and forwards each line twice: octet-counted in the syntax of RFC 5424, and as a line in the
/// older one.
fn rsyslog_config(folder: &Path, lines: &Path, target: SocketAddr) -> String {
    let (folder, lines, port) = (folder.display(), lines.display(), target.port());
    format!(
        r#"global(workDirectory="{folder}")
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="{lines}" tag="routerlog:" severity="warning" facility="local7")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="octet-counted"
       template="RSYSLOG_SyslogProtocol23Format")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" TCP_Framing="traditional"
       template="RSYSLOG_TraditionalForwardFormat")
"#
    )
}

#[test]
fn net_snmp_traps_arrive_and_informs_are_answered() {
    let broker = Broker::shared();
    let topic = broker.topic("net-snmp");
    let settings = Settings::new(&broker.address, vec![Listener::snmp_udp()]);
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let address = agent.listener("snmp-udp");
    let enterprise = ["1.3.6.1.4.1.9", "10.20.0.1", "2", "0", "12345"];
    run(snmp(address, "snmptrap", "1", &[])
        .args(enterprise)
        .args(IF_INDEX));
    run(snmp(address, "snmptrap", "2c", &[])
        .args(["12345", LINK_DOWN])
        .args(IF_INDEX));
    // net-snmp ends with 0 only when it got the Response.
    run(snmp(address, "snmpinform", "2c", &[])
        .args(["12345", LINK_DOWN])
        .args(IF_INDEX));

    let records = broker.read(&topic, 3);
    assert_well_made(&records);
    let mut kinds: Vec<(&str, &str)> = records
        .iter()
        .map(|record| &record.event["snmp"])
        .map(|snmp| (string(&snmp["version"]), string(&snmp["pdu"])))
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("v1", "trap"), ("v2c", "inform"), ("v2c", "trap")]);
    for record in &records {
        let snmp = &record.event["snmp"];
        assert_eq!(snmp["trap_oid"], LINK_DOWN, "{:#}", record.event);
        assert_eq!(snmp["uptime_ticks"], 12345);
        assert_eq!(snmp["varbinds"][0]["value"], "2");
        let shown = String::from_utf8_lossy(&record.payload);
        assert!(!shown.contains("plant3d"), "{shown}");
    }
    agent.wait_until_delivered(3);
    agent.stop().assert_in_order();
}

#[test]
fn net_snmps_inform_is_answered_when_its_event_is_on_the_disk() {
    let nobody = format!("127.0.0.1:{}", quiet_port());
    let spool = tempfile::tempdir().expect("a folder");
    let settings = Settings::new(&nobody, vec![Listener::snmp_udp()]);
    let mut settings = settings.on_disk(&spool.path().join("spool"));
    if let Some(disk) = &mut settings.disk {
        disk.inform_ack = "synced";
    }
    let agent = Agent::start(&settings.topic("snmp_trap", "nowhere"));
    let address = agent.listener("snmp-udp");
    for _ in 0..3 {
        // As long as a few syncs may take on a disk that others keep busy.
        run(snmp(address, "snmpinform", "2c", &["-r", "0", "-t", "20"])
            .args(["12345", LINK_DOWN])
            .args(IF_INDEX));
    }
    assert_eq!(agent.ledger().records("pending"), 3);
    agent.stop();
}

#[test]
fn an_inform_is_not_answered_when_there_is_no_room_to_keep_it() {
    let nobody = format!("127.0.0.1:{}", quiet_port());
    let mut settings = Settings::new(&nobody, vec![Listener::snmp_udp()]);
    settings.spool_bytes_max = 4 * 1024 * 1024;
    settings.when_full = "drop_newest";
    let agent = Agent::start(&settings.topic("snmp_trap", "nowhere"));
    let address = agent.listener("snmp-udp");
    let inform = || {
        output(
            snmp(address, "snmpinform", "2c", &["-r", "0", "-t", "2"])
                .args(["12345", LINK_DOWN])
                .args(IF_INDEX),
        )
    };
    assert!(inform().status.success(), "there is room for the first");

    let device = crate::support::device::UdpDevice::new(11, "r1", address);
    let trap = crate::support::snmp::v2c_trap(b"public", 2);
    let mut sent = 1;
    wait_until("the spool is full", SOON, || {
        for _ in 0..100 {
            device.send(&trap);
        }
        sent += 100;
        agent.wait_until_received("snmp-udp", sent);
        agent.ledger().rejected("snmp-udp", "spool_full") > 0
    });
    assert!(
        !inform().status.success(),
        "an inform was answered that nobody kept"
    );
    agent.ledger().assert_balances();
}

#[test]
fn kcat_reads_key_and_event_back() {
    let broker = Broker::shared();
    let topic = broker.topic("kcat");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_udp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let fleet = crate::support::device::fleet(3, agent.listener("syslog-udp"));
    for device in &fleet {
        device.send_number(17);
    }
    agent.wait_until_delivered(3);

    let printed = run(tool("kcat", "kcat")
        .args(["-b", &broker.address, "-t", &topic, "-C", "-q", "-e"])
        .args(["-o", "beginning", "-f", "%k %s\\n"]));
    let mut keys = Vec::new();
    for line in printed.lines() {
        let (key, event) = line.split_once(' ').expect("key and event");
        let event: serde_json::Value = serde_json::from_str(event).expect("one line of JSON");
        assert_eq!(event["device"]["hostname"], key);
        keys.push(key);
    }
    keys.sort_unstable();
    assert_eq!(keys, ["r1", "r2", "r3"]);
    agent.stop().assert_in_order();
}

const LINK_DOWN: &str = "1.3.6.1.6.3.1.1.5.3";

const IF_INDEX: [&str; 3] = ["1.3.6.1.2.1.2.2.1.1.2", "i", "2"];

/// A net-snmp command up to the address; MIBs are left out, so that nothing depends on which are installed.
/// Options must stand before the address: behind it, net-snmp takes them for variable bindings.
fn snmp(address: SocketAddr, program: &str, version: &str, options: &[&str]) -> Command {
    let mut command = tool(program, "snmp");
    command
        .env("MIBS", "")
        .args(["-v", version, "-c", "plant3d", "-Ln"])
        .args(options)
        .arg(address.to_string());
    command
}

fn to(address: SocketAddr, command: &mut Command) -> &mut Command {
    command.arg(address.port().to_string())
}

fn write_numbered_lines(file: &Path, numbers: std::ops::Range<u64>) {
    let lines: String = numbers
        .map(|n| format!("n={n} Interface Ethernet1/1 is down\n"))
        .collect();
    std::fs::write(file, lines).expect("a file of lines");
}

/// The numbers behind `mark`, in the order of the records.
#[track_caller]
fn numbers(records: &[&Delivered], mark: &str) -> Vec<u64> {
    records
        .iter()
        .map(|record| number_after(string(&record.event["message"]), mark))
        .collect()
}
