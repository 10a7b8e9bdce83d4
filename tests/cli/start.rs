//! What can be missing at the start, and what goes on without it.

use std::net::{TcpListener, UdpSocket};

use crate::process::{Nobody, Running, end, folder, lines, trapline, write};

const TERM: libc::c_int = libc::SIGTERM;

/// A listener's section.
fn listener(name: &str, transport: &str, bind: &str) -> String {
    format!(
        "[[listener]]\nname = \"{name}\"\nprotocol = \"syslog\"\ntransport = \"{transport}\"\nbind = \"{bind}\"\n"
    )
}

const STATUS_OFF: &str = "[status]\nbind = \"off\"\n";

#[test]
fn a_port_in_use_names_the_command_that_shows_the_holder_and_is_taken_when_it_is_free() {
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (udp_at, tcp_at) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
    let folder = folder();
    let text = [
        STATUS_OFF,
        &listener("taken-udp", "udp", &udp_at.to_string()),
        &listener("taken-tcp", "tcp", &tcp_at.to_string()),
        &listener("free", "udp", "127.0.0.1:0"),
    ];
    let file = write(&folder, &text.concat());
    let agent = Running::start(&mut trapline(), &file);
    agent.line("listening");
    for (name, command) in [
        (
            "taken-udp",
            format!("`ss -lnup 'sport = :{}'`", udp_at.port()),
        ),
        (
            "taken-tcp",
            format!("`ss -lntp 'sport = :{}'`", tcp_at.port()),
        ),
    ] {
        let line = agent.line_of(name, "listener is missing");
        let error = line["error"].as_str().expect("text");
        assert!(error.contains(&command), "{error}");
    }
    drop((udp, tcp));
    for (name, at) in [("taken-udp", udp_at), ("taken-tcp", tcp_at)] {
        let line = agent.line_of(name, "listening");
        assert_eq!(line["address"], at.to_string());
    }
    agent.signal(TERM);
    let ended = agent.end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

#[test]
fn where_nothing_can_be_heard_the_agent_ends_with_1_and_every_line_keeps_the_log_s_form() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().unwrap().to_string();
    let folder = folder();
    let file = write(&folder, &[STATUS_OFF, &listener("a", "udp", &at)].concat());
    let ended = end(trapline().args(["run", "--config"]).arg(&file));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let lines = lines(&ended.err);
    let last = lines.last().expect("a line");
    assert_eq!(last["message"], "cannot run");
    let error = last["error"].as_str().expect("text");
    assert!(error.starts_with("nothing can be received"), "{error}");
    assert_eq!(ended.out, "");
}

#[test]
fn a_status_port_in_use_costs_the_status_page_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().unwrap();
    let folder = folder();
    let text = format!(
        "[status]\nbind = \"{at}\"\n{}",
        listener("a", "udp", "127.0.0.1:0")
    );
    let file = write(&folder, &text);
    let agent = Running::start(&mut trapline(), &file);
    agent.line("listening");
    let line = agent.line("no status page, everything else goes on");
    let error = line["error"].as_str().expect("text");
    let command = format!("`ss -lntp 'sport = :{}'`", at.port());
    assert!(error.contains(&command), "{error}");
    agent.signal(TERM);
    assert_eq!(agent.end().code, Some(0));
}

/// Whether the kernel lets everybody bind low ports here (some containers do).
fn low_ports_are_free() -> bool {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    first.is_ok_and(|first| first.trim().parse::<u16>().is_ok_and(|first| first <= 1))
}

#[test]
fn without_the_right_to_low_ports_the_capability_is_named_and_other_listeners_go_on() {
    let nobody = Nobody::new();
    let folder = nobody.folder();
    let text = [
        STATUS_OFF,
        &listener("low", "udp", "127.0.0.1:1"),
        &listener("high", "udp", "127.0.0.1:0"),
    ];
    let file = write(folder, &text.concat());
    let agent = Running::start(&mut nobody.trapline(), &file);
    agent.line_of("high", "listening");
    if low_ports_are_free() {
        println!("skipped in part: this kernel lets everybody bind port 1");
    } else {
        let line = agent.line_of("low", "listener is missing");
        let error = line["error"].as_str().expect("text");
        assert!(error.contains("CAP_NET_BIND_SERVICE"), "{error}");
    }
    agent.signal(TERM);
    assert_eq!(agent.end().code, Some(0));
}

#[test]
fn with_nothing_at_all_it_listens_on_what_the_environment_names() {
    let nobody = Nobody::new();
    let mut command = nobody.trapline();
    for (name, value) in [
        ("SYSLOG_UDP", "127.0.0.1:0"),
        ("SYSLOG_TCP", "127.0.0.1:0"),
        ("SYSLOG_CONN", "127.0.0.1:0"),
        ("SNMP_UDP", "127.0.0.1:0"),
    ] {
        command.env(format!("TRAPLINE_LISTENER__{name}__BIND"), value);
    }
    command.env("TRAPLINE_STATUS__BIND", "127.0.0.1:0");
    let agent = Running::start_without_file(&mut command);
    for name in ["syslog-udp", "syslog-tcp", "syslog-conn", "snmp-udp"] {
        agent.line_of(name, "listening");
    }
    assert!(agent.log().contains("kafka.bootstrap_servers: is not set"));
    agent.signal(TERM);
    assert_eq!(agent.end().code, Some(0));
}
