//! The sockets of this host that listen, as the kernel lists them, and those that share a port with ours.
//!
//! ```text
//!  /proc/self/net/{udp,udp6,tcp,tcp6} ──▶ Listening: port, inode, drops      port, own inodes ──▶ rivals
//! ```
//!
//! A line (proc(5)): `sl local:port remote:port st tx:rx tr:when retransmits uid timeout inode ref pointer drops`, port
//! and state in hexadecimal.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};

/// A socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Its port.
    pub port: u16,
    /// Its number among all files: `/proc/PID/fd` names it as `socket:[inode]`.
    pub inode: u64,
    /// Datagrams that the kernel dropped since it was made; 0 for streams.
    pub dropped: u64,
}

/// `st` of a TCP socket that listens (TCP_LISTEN, include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// `st` of a UDP socket that no peer is set for (TCP_CLOSE, include/net/tcp_states.h).
const UNCONNECTED: &str = "07";

/// Every UDP socket at `port`. Empty too where the kernel does not show its list.
pub fn datagrams_at(port: u16) -> Vec<Listening> {
    at(port, ["udp", "udp6"], UNCONNECTED)
}

/// Every TCP socket that listens at `port`. Empty too where the kernel does not show its list.
pub fn streams_at(port: u16) -> Vec<Listening> {
    at(port, ["tcp", "tcp6"], LISTEN)
}

fn at(port: u16, tables: [&str; 2], state: &str) -> Vec<Listening> {
    let tables = tables.map(|name| fs::read_to_string(format!("/proc/self/net/{name}")));
    let lines = tables.iter().flatten().flat_map(|table| table.lines());
    lines
        .filter_map(|line| parse(line, state))
        .filter(|socket| socket.port == port)
        .collect()
}

/// How many UDP sockets of others are at `port`, beside ours. systemd sets SO_REUSEADDR on every socket, and a program
/// that does so too may bind the same port without an error: then only one of the two gets the datagrams.
pub(super) fn rivals(port: u16, ours: &[impl AsFd]) -> usize {
    let inodes: Vec<u64> = ours.iter().filter_map(inode).collect();
    if inodes.len() < ours.len() {
        return 0;
    }
    datagrams_at(port)
        .iter()
        .filter(|socket| !inodes.contains(&socket.inode))
        .count()
}

fn inode(socket: &impl AsFd) -> Option<u64> {
    let descriptor = socket.as_fd().as_raw_fd();
    let target = fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    let number = target.to_str()?.strip_prefix("socket:[")?;
    number.strip_suffix(']')?.parse().ok()
}

/// One line of a table, where it is of a socket in `state`.
fn parse(line: &str, state: &str) -> Option<Listening> {
    let mut fields = line.split_whitespace().skip(1);
    let (_, port) = fields.next()?.rsplit_once(':')?;
    if fields.nth(1)? != state {
        return None;
    }
    let inode = fields.nth(5)?.parse().ok()?;
    let drops = fields.nth(2).and_then(|drops| drops.parse().ok());
    Some(Listening {
        port: u16::from_str_radix(port, 16).ok()?,
        inode,
        dropped: drops.filter(|_| state == UNCONNECTED).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::SocketAddr;

    const UDP: &str = "  537: 00000000000000000000000000000000:0202 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31415 2 0000000000000000 17";
    const TCP: &str = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2718 1 0000000000000000 100 0 0 10 0";

    #[test]
    fn port_inode_and_drops_are_read_from_the_kernel_s_table() {
        let socket = |port, inode, dropped| Listening {
            port,
            inode,
            dropped,
        };
        assert_eq!(parse(UDP, UNCONNECTED), Some(socket(514, 31415, 17)));
        assert_eq!(parse(TCP, LISTEN), Some(socket(8080, 2718, 0)));
        assert_eq!(parse(TCP, UNCONNECTED), None);
        assert_eq!(parse("  sl  local_address rem_address   st", LISTEN), None);
        assert_eq!(parse("", LISTEN), None);
    }

    #[test]
    fn a_second_socket_at_the_port_is_a_rival_and_our_own_are_not() {
        let bind = |at: SocketAddr| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
            socket.set_reuse_address(true).unwrap();
            socket.bind(&at.into()).unwrap();
            let at = socket.local_addr().unwrap().as_socket().unwrap();
            (socket, at)
        };
        let (ours, at) = bind("127.0.0.1:0".parse().unwrap());
        assert_eq!(rivals(at.port(), &[&ours]), 0);
        let (other, _) = bind(at);
        assert_eq!(rivals(at.port(), &[&ours]), 1);
        assert_eq!(rivals(at.port(), &[&ours, &other]), 0);
    }
}
