//! `trapline demo`: the main job with nothing installed.
//!
//! ```text
//!  device messages ──UDP, TCP, trap, inform──▶ the real agent ──▶ Kafka cluster inside this process ──▶ read back, printed
//! ```
//!
//! The agent is the one that `trapline run` starts, on free ports of 127.0.0.1. Whether the demo succeeded is decided
//! by what the topics hold and by the inform's Response, not by what the agent says of itself.

use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::output::{Output, complain};
use crate::agent::{Agent, AgentError};
use crate::config;
use crate::produce::embedded::{Consumed, EmbeddedCluster, EmbeddedError};

/// How long the demo waits for its events. The embedded cluster answers within a second.
const DEADLINE: Duration = Duration::from_secs(30);

const PARTITIONS: i32 = 3;

/// The topic of the agent's own reports.
const REPORTS: &str = "net.agent";

/// One at the start, one at the stop.
const REPORTS_EXPECTED: usize = 2;

/// Sent over UDP, one datagram each.
const DATAGRAMS: [&str; 5] = [
    "<165>1 2026-11-21T02:14:07.123Z lax-edge-1 rpd 4242 BGP_PREFIX_THRESH [junos@2636.1.1.1.2.57 peer=\"192.0.2.7\"] \
     peer 192.0.2.7 exceeded 90% of its prefix limit",
    "<189>118: *Nov 21 02:14:07.131 UTC: %LINEPROTO-5-UPDOWN: Line protocol on Interface GigabitEthernet0/2, changed \
     state to down",
    "<187>: 2026 Nov 21 02:14:07 UTC: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down (Link failure)",
    "<166>Nov 21 2026 02:14:08 fw-lax-1 : %ASA-6-302013: Built outbound TCP connection 4711 for outside:198.51.100.9/443",
    "hello, this is no syslog at all",
];

/// Sent over one TCP connection: the first octet-counted, the second ended by a line feed (RFC 6587).
const FRAMES: [&str; 2] = [
    "<13>Nov 21 02:14:09 app-7 cron[991]: (root) CMD (run-parts)",
    "<11>Nov 21 02:14:10 app-7 kernel: eth0: link is down",
];

/// A v2c linkDown trap as net-snmp's snmptrap sends it, community `demo-community`.
const TRAP: &str = "3081a3020101040e64656d6f2d636f6d6d756e697479a7818d020444549c4a020100020100307f300f06082b0601020101\
030043030663a33017060a2b06010603010104010006092b0601060301010503300f060a2b060102010202010102020102300f060a2b0601020102\
02010702020101300f060a2b0601020102020108020201023020060a2b06010201020201020204124769676162697445746865726e6574302f32";

/// A v2c coldStart inform as net-snmp's snmpinform sends it; it wants a Response.
const INFORM: &str = "304b020101040e64656d6f2d636f6d6d756e697479a63602043b6519670201000201003028300d06082b060102010103\
004301633017060a2b06010603010104010006092b0601060301010501";

/// Why the demo could not show what it is for.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("the embedded Kafka cluster failed: {0}")]
    Cluster(#[from] EmbeddedError),
    #[error("the demo's configuration is wrong: {0}")]
    Config(String),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error("listener {0} is not bound")]
    NotBound(&'static str),
    #[error("sending to the agent failed: {0}")]
    Send(#[from] std::io::Error),
    #[error("{found} of {expected} events came back from Kafka within {} s", DEADLINE.as_secs())]
    Missing { found: usize, expected: usize },
    #[error("the inform was not answered")]
    NotAnswered,
}

/// Runs the command.
pub(super) fn run() -> ExitCode {
    let mut output = Output::default();
    match demo(&mut output) {
        Ok(()) => output.end(),
        Err(error) => {
            complain(&format!("trapline: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn demo(output: &mut Output) -> Result<(), DemoError> {
    let topics: Vec<String> = ["net.syslog", "net.snmp", "net.device", REPORTS]
        .map(String::from)
        .to_vec();
    let cluster = EmbeddedCluster::start(&topics, PARTITIONS)?;
    writeln!(
        output,
        "kafka     embedded cluster at {}",
        cluster.bootstrap_servers()
    );
    let agent = Agent::start(configuration(&cluster.bootstrap_servers())?)?;
    let answered = send(&agent, output)?;
    let expected = DATAGRAMS.len() + FRAMES.len() + 2;
    let (reports, events): (Vec<String>, Vec<String>) =
        topics.into_iter().partition(|topic| topic == REPORTS);
    let records = cluster.read_back(&events, expected, DEADLINE)?;
    show(&records, output);
    let ledger = agent.stop(&AtomicBool::new(false));
    writeln!(output, "\nthe agent's own reports, for `trapline audit`");
    show(
        &cluster.read_back(&reports, REPORTS_EXPECTED, DEADLINE)?,
        output,
    );
    writeln!(
        output,
        "\nledger\n{}",
        crate::observe::statement::ledger_text(&ledger)
    );
    if records.len() != expected {
        return Err(DemoError::Missing {
            found: records.len(),
            expected,
        });
    }
    if !answered {
        return Err(DemoError::NotAnswered);
    }
    writeln!(
        output,
        "all {expected} messages are in Kafka, and the inform was answered"
    );
    Ok(())
}

/// Nothing of this host's own agent is touched: the disk spool's default folder may hold events that wait for Kafka.
fn configuration(bootstrap_servers: &str) -> Result<config::Resolved, DemoError> {
    let text = format!(
        "[agent]\nid = \"demo\"\nstate_folder = \"off\"\n[identity]\nreverse_dns = \"off\"\nevents = []\n[kafka]\nbootstrap_servers = \"{bootstrap_servers}\"\n[status]\nbind = \"off\"\nadmin_socket = \"off\"\n\
         [spool]\nkind = \"memory\"\n\
         [log]\nlevel = \"warn\"\n\
         [[listener]]\nname = \"syslog-udp\"\nprotocol = \"syslog\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"syslog-tcp\"\nprotocol = \"syslog\"\ntransport = \"tcp\"\nbind = \"127.0.0.1:0\"\n\
         [[listener]]\nname = \"snmp-udp\"\nprotocol = \"snmp\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n"
    );
    config::parse(&text, "demo")
        .map_err(|problems| DemoError::Config(problems.iter().map(ToString::to_string).collect()))
}

/// Sends everything, and says whether the inform was answered.
fn send(agent: &Agent, output: &mut Output) -> Result<bool, DemoError> {
    let address = |name| agent.address(name).ok_or(DemoError::NotBound(name));
    let (udp, tcp, snmp) = (
        address("syslog-udp")?,
        address("syslog-tcp")?,
        address("snmp-udp")?,
    );
    writeln!(
        output,
        "agent     syslog on udp {udp} and tcp {tcp}, traps on udp {snmp}\n"
    );
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for datagram in DATAGRAMS {
        writeln!(output, "udp    ▶  {datagram}");
        socket.send_to(datagram.as_bytes(), udp)?;
    }
    let mut stream = TcpStream::connect(tcp)?;
    let [counted, line] = FRAMES;
    for frame in [format!("{} {counted}", counted.len()), format!("{line}\n")] {
        writeln!(output, "tcp    ▶  {}", frame.trim_end());
        stream.write_all(frame.as_bytes())?;
    }
    writeln!(output, "trap   ▶  SNMPv2c linkDown, ifIndex 2");
    socket.send_to(&from_hex(TRAP), snmp)?;
    writeln!(output, "inform ▶  SNMPv2c coldStart");
    inform(&socket, snmp, output)
}

fn inform(socket: &UdpSocket, snmp: SocketAddr, output: &mut Output) -> Result<bool, DemoError> {
    let request = from_hex(INFORM);
    socket.send_to(&request, snmp)?;
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut response = [0; 512];
    let length = socket.recv(&mut response).unwrap_or_default();
    let answered = length == request.len();
    writeln!(
        output,
        "       ◀  {}\n",
        if answered {
            "Response: the event is safe"
        } else {
            "no Response"
        }
    );
    Ok(answered)
}

fn show(records: &[Consumed], output: &mut Output) {
    for record in records {
        let key = String::from_utf8_lossy(&record.key);
        writeln!(
            output,
            "kafka  ◀  {} partition {} offset {} key {key}",
            record.topic, record.partition, record.offset
        );
        writeln!(
            output,
            "          {}",
            String::from_utf8_lossy(&record.payload)
        );
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_never_opens_the_hosts_own_spool_or_state() {
        let config = configuration("127.0.0.1:9092").expect("a configuration");
        assert_eq!((config.spool.disk, config.state_folder), (None, None));
        assert_eq!(config.status.bind, None);
    }
}
