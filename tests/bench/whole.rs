//! `make bench`, second part: the whole agent against Apache Kafka, and rsyslog beside it in the same run.
//!
//! ```text
//!  load (20 000/s, 300 bytes) ──UDP──▶ trapline | rsyslogd ──▶ Kafka on the same machine
//!                                      └ CPU time and memory of the process, from /proc
//! ```
//!
//! Prints figures and asserts none: machines differ, so what counts is the ratio within one run. It fails only where
//! something did not work at all. Rate and duration: BENCH_RATE, BENCH_SECONDS.

mod cpu;
mod kafka;
mod load;
mod message;
mod process;
mod running;
mod shares;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use kafka::Kafka;
use running::{Agent, Running};
use shares::Shares;

const MESSAGE_BYTES: usize = 300;

fn main() {
    let rate = setting("BENCH_RATE", 20_000);
    let seconds = setting("BENCH_SECONDS", 20);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kafka = Kafka::start(folder.path());
    println!(
        "\nwhole agent: {rate}/s for {seconds} s, {MESSAGE_BYTES}-byte RFC 5424 over UDP, lz4, Kafka on the same machine"
    );
    let memory = trapline(folder.path(), &kafka, "memory", rate, seconds);
    let disk = trapline(folder.path(), &kafka, "disk", rate, seconds);
    println!("  the spool on disk adds {:.2} µs an event", disk - memory);
    let rsyslog = rsyslog(folder.path(), &kafka, rate, seconds);
    println!(
        "  CPU per event, rsyslog : trapline = {:.2} : 1 with the spool in memory, {:.2} : 1 on disk (in this run)",
        rsyslog / memory,
        rsyslog / disk
    );
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Runs the load against our agent; returns µs of CPU per event.
fn trapline(folder: &Path, kafka: &Kafka, spool: &str, rate: u64, seconds: u64) -> f64 {
    let topic = format!("bench.{spool}");
    kafka.create(&topic);
    let config = folder.join("trapline.toml");
    let text = format!(
        "[agent]\nid = \"bench\"\n[kafka]\nbootstrap_servers = \"{}\"\n[topics]\nsyslog = \"{topic}\"\n\
         [spool]\nkind = \"{spool}\"\nfolder = \"{}\"\nfree_bytes_min = 0\n[status]\nbind = \"off\"\nadmin_socket = \"off\"\n[log]\nformat = \"json\"\n[[listener]]\nname = \"syslog-udp\"\nprotocol = \"syslog\"\n\
         transport = \"udp\"\nbind = \"127.0.0.1:0\"\n",
        kafka.address,
        folder.join("spool").display()
    );
    std::fs::write(&config, text).expect("a configuration file");
    let agent = Agent::start(&config);
    let pid = agent.pid();
    println!(
        "  trapline ({spool} spool): resident idle {:.1} MB",
        process::resident_kib(pid).0 as f64 / 1024.0
    );
    let Load {
        sent,
        found,
        cpu_us: per_event,
    } = under_load(pid, agent.address, kafka, &topic, rate, seconds);
    let (resident, highest) = process::resident_kib(pid);
    println!(
        "  trapline ({spool} spool): {per_event:.2} µs CPU per event; {found} of {sent} in Kafka; resident {:.1} MB, at most {:.1} MB; \
         payload {MESSAGE_BYTES} bytes in, {} bytes out",
        resident as f64 / 1024.0,
        highest as f64 / 1024.0,
        kafka.payload_bytes(&topic)
    );
    println!("  trapline ({spool} spool): ledger {}", agent.stop());
    per_event
}

/// What came of a load.
struct Load {
    sent: u64,
    found: u64,
    /// CPU time per event in µs, user and system, all threads of the process.
    cpu_us: f64,
}

/// Sends a short load to warm up, then the measured one, and waits until Kafka holds it.
fn under_load(
    pid: u32,
    target: SocketAddr,
    kafka: &Kafka,
    topic: &str,
    rate: u64,
    seconds: u64,
) -> Load {
    let warm_up = load::send(target, rate, Duration::from_secs(2), MESSAGE_BYTES);
    let before = kafka.settle(topic, warm_up);
    let mut shares = Shares::begin(pid, kafka.pid());
    let sent = load::send(target, rate, Duration::from_secs(seconds), MESSAGE_BYTES);
    shares.sent();
    let found = kafka.settle(topic, before + sent) - before;
    let spent = shares.end(sent);
    println!(
        "  sent at {:.0}/s, generator {:.0} % of a core; µs CPU per event by threads: {}; Kafka {:.2} µs",
        sent as f64 / spent.sending.as_secs_f64(),
        spent.generator_percent,
        spent.by_thread,
        spent.kafka_us
    );
    Load {
        sent,
        found,
        cpu_us: spent.agent_us,
    }
}

/// The same load against rsyslog with its Kafka output; returns µs of CPU per event.
fn rsyslog(folder: &Path, kafka: &Kafka, rate: u64, seconds: u64) -> f64 {
    kafka.create("bench.rsyslog");
    let port = std::net::UdpSocket::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port")
        .port();
    let config = folder.join("rsyslog.conf");
    let text = format!(
        r#"global(workDirectory="{folder}" maxMessageSize="8k" net.enableDNS="off")
module(load="imudp" batchSize="64")
module(load="omkafka")
input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="4m")
template(name="event" type="list" option.jsonf="on") {{
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="received" name="timegenerated" dateFormat="rfc3339" format="jsonf")
  property(outname="severity" name="syslogseverity-text" format="jsonf")
  property(outname="severity_code" name="syslogseverity" format="jsonf" datatype="number")
  property(outname="facility" name="syslogfacility-text" format="jsonf")
  property(outname="hostname" name="hostname" format="jsonf")
  property(outname="address" name="fromhost-ip" format="jsonf")
  property(outname="app_name" name="app-name" format="jsonf")
  property(outname="proc_id" name="procid" format="jsonf")
  property(outname="msg_id" name="msgid" format="jsonf")
  property(outname="structured_data" name="structured-data" format="jsonf")
  property(outname="message" name="msg" format="jsonf")
}}
template(name="key" type="string" string="%hostname%")
main_queue(queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="1024")
action(type="omkafka" broker="{address}" topic="bench.rsyslog" template="event" dynaKey="on" key="key" partitions.auto="on"
  confParam=["compression.codec=lz4", "linger.ms=50", "queue.buffering.max.messages=200000", "acks=all"])
"#,
        folder = folder.display(),
        address = kafka.address
    );
    std::fs::write(&config, text).expect("a configuration file");
    let child = Command::new(rsyslogd())
        .args(["-n", "-i", "NONE", "-f"])
        .arg(&config)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("rsyslogd (packages rsyslog and rsyslog-kafka)");
    let rsyslogd = Running(child);
    let pid = rsyslogd.0.id();
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    wait_until_bound(port);
    let Load {
        sent,
        found,
        cpu_us: per_event,
    } = under_load(pid, target, kafka, "bench.rsyslog", rate, seconds);
    println!(
        "  rsyslog:  {per_event:.2} µs CPU per event; {found} of {sent} in Kafka; resident at most {:.1} MB; {} bytes out",
        process::resident_kib(pid).1 as f64 / 1024.0,
        kafka.payload_bytes("bench.rsyslog")
    );
    per_event
}

/// The rsyslogd that `tests/setup test` unpacked, with its Kafka output beside it.
fn rsyslogd() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let unpacked = target.join("tools/rsyslogd");
    if unpacked.exists() {
        unpacked
    } else {
        PathBuf::from("/usr/sbin/rsyslogd")
    }
}

/// Waits until some process holds this UDP port: binding it fails.
fn wait_until_bound(port: u16) {
    let until = Instant::now() + Duration::from_secs(20);
    while std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < until, "rsyslogd did not bind its port");
        std::thread::sleep(Duration::from_millis(50));
    }
}
