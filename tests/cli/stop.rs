//! How the agent ends: signals, Kafka that is not there, and readers that do not read.

use std::net::UdpSocket;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Ended, Running, folder, trapline, write};
use crate::wait::{SOON, wait_until};

/// A configuration whose Kafka refuses connections, with one listener.
fn config(folder: &TempDir, drain_seconds: u64) -> PathBuf {
    let text = format!(
        "[agent]\nreport_seconds = 0\n[kafka]\nbootstrap_servers = \"127.0.0.1:1\"\n[shutdown]\ndrain_seconds = {drain_seconds}\n[spool]\nkind = \"memory\"\n[status]\nbind = \
         \"off\"\n[[listener]]\nname = \"a\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n"
    );
    write(folder, &text)
}

/// Sends `count` messages to the agent's listener.
fn send(agent: &Running, count: usize) {
    let line = agent.line("listening");
    let address = line["address"].as_str().expect("an address");
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for number in 0..count {
        let message = format!("<13>1 - r1 app - - - n={number}");
        socket
            .send_to(message.as_bytes(), address)
            .expect("it listens");
    }
}

/// The ledger on stdout: `count` records were accepted, and all of them are lost with the process.
#[track_caller]
fn assert_lost(ended: &Ended, count: u64) {
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.out.lines().count(), 1, "{}", ended.out);
    let ledger: Value = serde_json::from_str(&ended.out).expect("the ledger is JSON");
    assert_eq!(ledger["balanced"], true, "{ledger:#}");
    assert_eq!(ledger["records"]["accepted"], count, "{ledger:#}");
    assert_eq!(
        ledger["records"]["lost"]["process_end"], count,
        "{ledger:#}"
    );
}

#[test]
fn without_kafka_it_ends_within_the_drain_time_and_says_what_is_left() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let folder = folder();
        let agent = Running::start(&mut trapline(), &config(&folder, 1));
        send(&agent, 3);
        agent.line("kafka is not connected, records wait in the spool");
        let asked = Instant::now();
        agent.signal(signal);
        let ended = agent.end();
        assert!(asked.elapsed() < Duration::from_secs(10), "{ended:#?}");
        assert_lost(&ended, 3);
    }
}

#[test]
fn a_second_signal_ends_the_wait_for_kafka() {
    let folder = folder();
    let mut agent = Running::start(&mut trapline(), &config(&folder, 3600));
    send(&agent, 3);
    agent.signal(libc::SIGTERM);
    agent.line("delivering what is left");
    wait_until("the agent ends after a second signal", SOON, || {
        agent.signal(libc::SIGINT);
        agent.has_ended()
    });
    let ended = agent.end();
    assert!(ended.err.contains("stopping at once"), "{}", ended.err);
    assert_lost(&ended, 3);
}

#[test]
fn a_signal_that_comes_twice_in_the_same_moment_is_one() {
    let folder = folder();
    let agent = Running::start(&mut trapline(), &config(&folder, 1));
    send(&agent, 1);
    agent.signal(libc::SIGTERM);
    agent.signal(libc::SIGINT);
    let ended = agent.end();
    assert!(!ended.err.contains("stopping at once"), "{}", ended.err);
    assert_lost(&ended, 1);
}

#[test]
fn a_closed_stdout_and_stderr_keep_it_from_nothing() {
    let folder = folder();
    let file = config(&folder, 0);
    let mut child = std::process::Command::new("sh")
        .args(["-c", "exec \"$0\" run --config \"$1\" >&- 2>&-"])
        .arg(env!("CARGO_BIN_EXE_trapline"))
        .arg(&file)
        .spawn()
        .expect("a shell");
    let id = libc::pid_t::try_from(child.id()).expect("a process id");
    wait_until("signals are handled", SOON, || handles_sigterm(id));
    // SAFETY: kill takes two integers; the child is not reaped yet.
    unsafe { libc::kill(id, libc::SIGTERM) };
    assert_eq!(child.wait().expect("the child's state").code(), Some(0));
}

#[test]
fn a_reader_that_never_reads_does_not_hold_up_the_end() {
    let folder = folder();
    let file = config(&folder, 0);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    fill(&writer);
    let mut child = trapline()
        .args(["run", "--config"])
        .arg(&file)
        .stdout(Stdio::from(writer.try_clone().expect("a descriptor")))
        .stderr(Stdio::from(writer))
        .spawn()
        .expect("the binary starts");
    let id = libc::pid_t::try_from(child.id()).expect("a process id");
    wait_until("signals are handled", SOON, || handles_sigterm(id));
    // SAFETY: kill takes two integers; the child is not reaped yet.
    unsafe { libc::kill(id, libc::SIGTERM) };
    wait_until("it ends", SOON, || {
        child.try_wait().expect("the child's state").is_some()
    });
    // The ledger could not be printed, and that is a failure.
    assert_eq!(child.wait().expect("the child's state").code(), Some(1));
    drop(reader);
}

/// Whether the process has a handler for SIGTERM (proc(5), SigCgt).
fn handles_sigterm(id: libc::pid_t) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
    caught.is_some_and(|caught| caught & (1 << (libc::SIGTERM - 1)) != 0)
}

/// Writes until the pipe is full: no byte more fits, so whoever writes to it now waits.
fn fill(writer: &std::io::PipeWriter) {
    use std::os::fd::AsRawFd;
    let descriptor = writer.as_raw_fd();
    let byte = [b'x'];
    // SAFETY: the descriptor is open as long as `writer`, and `byte` is one byte long.
    unsafe {
        let flags = libc::fcntl(descriptor, libc::F_GETFL);
        libc::fcntl(descriptor, libc::F_SETFL, flags | libc::O_NONBLOCK);
        while libc::write(descriptor, byte.as_ptr().cast(), 1) == 1 {}
        libc::fcntl(descriptor, libc::F_SETFL, flags);
    }
}
