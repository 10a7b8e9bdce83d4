//! Devices: senders with addresses and numbers of their own.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};

use super::agent::Agent;

/// How many datagrams may be on their way. A default socket buffer holds 166 of them, so none is lost to the kernel
/// while a busy machine lets the receiver wait.
const WINDOW: u64 = 100;

/// One device that sends datagrams from an address of its own.
#[derive(Debug)]
pub struct UdpDevice {
    socket: UdpSocket,
    /// What it calls itself.
    pub name: String,
}

impl UdpDevice {
    /// A device at 127.0.0.`host` that sends to `target`.
    pub fn new(host: u8, name: &str, target: SocketAddr) -> UdpDevice {
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, host), 0)).expect("a socket");
        socket.connect(target).expect("a target");
        UdpDevice {
            socket,
            name: name.to_owned(),
        }
    }

    /// Sends one datagram.
    pub fn send(&self, bytes: &[u8]) {
        self.try_send(bytes).expect("somebody listens");
    }

    /// Sends one datagram; fails once the kernel has told that nobody listens (ICMP port unreachable).
    pub fn try_send(&self, bytes: &[u8]) -> std::io::Result<()> {
        let sent = self.socket.send(bytes)?;
        assert_eq!(sent, bytes.len());
        Ok(())
    }

    /// Sends one numbered RFC 5424 message.
    pub fn send_number(&self, number: u64) {
        self.send(numbered(&self.name, number).as_bytes());
    }
}

/// Devices `r1`, `r2`, ... at addresses of their own.
pub fn fleet(count: u8, target: SocketAddr) -> Vec<UdpDevice> {
    (1..=count)
        .map(|n| UdpDevice::new(10 + n, &format!("r{n}"), target))
        .collect()
}

/// The devices' names, sorted.
pub fn names(fleet: &[UdpDevice]) -> Vec<String> {
    let mut names: Vec<String> = fleet.iter().map(|device| device.name.clone()).collect();
    names.sort();
    names
}

/// Every device sends the numbers `from..to` in turn, never further ahead of the agent than the kernel can hold.
/// `before` is what `listener` had received when this began.
#[track_caller]
pub fn send_in_turn(
    agent: &Agent,
    listener: &str,
    fleet: &[UdpDevice],
    numbers: std::ops::Range<u64>,
    before: u64,
) {
    let mut sent = before;
    let mut seen = before;
    for number in numbers {
        for device in fleet {
            if sent - seen >= WINDOW {
                agent.wait_until_received(listener, sent);
                seen = sent;
            }
            device.send_number(number);
            sent += 1;
        }
    }
    agent.wait_until_received(listener, sent);
}

/// An RFC 5424 message of device `name` that carries `number`.
pub fn numbered(name: &str, number: u64) -> String {
    format!(
        "<165>1 2026-11-21T02:14:07.123Z {name} ifmgr 42 IFDOWN [origin ip=\"10.20.0.1\"] n={number} Interface Ethernet1/1 is down (Link failure)"
    )
}

/// Octet counting (RFC 6587, section 3.4.1).
pub fn octet_counted(message: &str) -> Vec<u8> {
    format!("{} {message}", message.len()).into_bytes()
}

/// Non-transparent framing with a line feed (RFC 6587, section 3.4.2).
pub fn line(message: &str) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

/// Opens a stream, writes everything and closes it.
pub fn stream(target: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect(target).expect("a connection");
    stream.write_all(bytes).expect("the agent reads");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("the stream's end");
}
