//! The ports of the listeners: who has them, and what the kernel dropped there.
//!
//! ```text
//!  /proc/net/{udp,udp6,tcp,tcp6} ──▶ sockets: port, inode, drops ─┐
//!  /proc/PID/fd/* ──▶ inode -> processes ─────────────────────────┴─▶ who listens where
//! ```
//!
//! Other users' descriptors are seen by root alone; without root the name is missing and the line says so.

use std::collections::BTreeSet;
use std::fs;

use super::Finding;
use crate::packet::Transport;
use crate::receive::Config;

/// A socket that listens, as /proc/net shows it (proc(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listening {
    port: u16,
    inode: u64,
    /// Datagrams that the kernel dropped; streams have none.
    dropped: u64,
}

/// `st` of a TCP socket that listens (TCP_LISTEN, include/net/tcp_states.h).
const LISTEN: &str = "0A";

/// `st` of a UDP socket that no peer is set for (TCP_CLOSE, include/net/tcp_states.h).
const UNCONNECTED: &str = "07";

pub(super) fn findings(listeners: &[Config]) -> Vec<Finding> {
    let read = |name: &str| fs::read_to_string(format!("/proc/net/{name}")).unwrap_or_default();
    let udp = [read("udp"), read("udp6")].concat();
    let tcp = [read("tcp"), read("tcp6")].concat();
    listeners
        .iter()
        .map(|listener| {
            let (kind, table, state) = match listener.listener.transport {
                Transport::Udp => ("udp", &udp, UNCONNECTED),
                Transport::Tcp | Transport::Tls => ("tcp", &tcp, LISTEN),
            };
            let port = listener.bind.port();
            let sockets: Vec<Listening> = table
                .lines()
                .filter_map(|line| parse(line, state))
                .filter(|socket| socket.port == port)
                .collect();
            let holders = holders(&sockets);
            judge(&format!("{kind} {port}"), &sockets, &holders)
        })
        .collect()
}

/// One line of the table, where it is of a socket in `state`.
fn parse(line: &str, state: &str) -> Option<Listening> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, _, st, ..] = fields.as_slice() else {
        return None;
    };
    if *st != state {
        return None;
    }
    let (_, port) = local.rsplit_once(':')?;
    Some(Listening {
        port: u16::from_str_radix(port, 16).ok()?,
        inode: fields.get(9)?.parse().ok()?,
        dropped: fields.get(12).and_then(|n| n.parse().ok()).unwrap_or(0),
    })
}

/// The processes that have one of the sockets open: `rsyslogd (812)`.
fn holders(sockets: &[Listening]) -> BTreeSet<String> {
    let wanted: BTreeSet<String> = sockets
        .iter()
        .map(|socket| format!("socket:[{}]", socket.inode))
        .collect();
    let mut found = BTreeSet::new();
    if wanted.is_empty() {
        return found;
    }
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|name| name.parse::<u32>().is_ok()) else {
            continue;
        };
        let descriptors = fs::read_dir(process.path().join("fd"));
        let has_one = descriptors.into_iter().flatten().flatten().any(|each| {
            fs::read_link(each.path()).is_ok_and(|target| {
                target
                    .to_str()
                    .is_some_and(|target| wanted.contains(target))
            })
        });
        if has_one {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.insert(format!("{} ({pid})", name.trim_end()));
        }
    }
    found
}

fn judge(place: &str, sockets: &[Listening], holders: &BTreeSet<String>) -> Finding {
    let dropped: u64 = sockets.iter().map(|socket| socket.dropped).sum();
    let drops = if dropped > 0 {
        format!("; the kernel has dropped {dropped} packets there")
    } else {
        String::new()
    };
    let names: Vec<&str> = holders.iter().map(String::as_str).collect();
    let names = names.join(", ");
    let is_of = |program: &str| {
        holders
            .iter()
            .any(|holder| holder.starts_with(&format!("{program} (")))
    };
    let strangers = holders
        .iter()
        .any(|holder| !holder.starts_with("trapline (") && !holder.starts_with("systemd ("));
    if sockets.is_empty() {
        Finding::warn(
            "port",
            format!("{place}: nobody listens"),
            "start the agent (systemctl start trapline) or its socket unit; the journal says what keeps them from it",
        )
    } else if holders.is_empty() {
        Finding::warn(
            "port",
            format!("{place}: somebody listens{drops}"),
            "run `trapline doctor` as root to see who",
        )
    } else if strangers {
        Finding::fail(
            "port",
            format!("{place}: {names} has it{drops}"),
            "stop that program or take the port from it, then start the socket unit and restart trapline; or give this listener another port",
        )
    } else if dropped > 0 {
        Finding::warn(
            "port",
            format!("{place}: {names}{drops}"),
            "raise ReceiveBuffer= of the socket unit, or receive_buffer_bytes and net.core.rmem_max",
        )
    } else if is_of("trapline") {
        Finding::ok("port", format!("{place}: {names}"))
    } else {
        Finding::warn(
            "port",
            format!("{place}: {names} holds it, and no agent reads it"),
            "start or restart the agent: systemctl restart trapline",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    const UDP: &str = "  537: 00000000000000000000000000000000:0202 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 31415 2 0000000000000000 17";
    const TCP: &str = "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 2718 1 0000000000000000 100 0 0 10 0";

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn port_inode_and_drops_are_read_from_the_kernel_s_table() {
        let udp = parse(UDP, UNCONNECTED).unwrap();
        assert_eq!((udp.port, udp.inode, udp.dropped), (514, 31415, 17));
        let tcp = parse(TCP, LISTEN).unwrap();
        assert_eq!((tcp.port, tcp.inode), (8080, 2718));
        assert_eq!(parse(TCP, UNCONNECTED), None);
        assert_eq!(parse("  sl  local_address rem_address", LISTEN), None);
        assert_eq!(parse("", LISTEN), None);
    }

    #[test]
    fn another_program_on_the_port_is_named_and_fails() {
        let sockets = [parse(UDP, UNCONNECTED).unwrap()];
        let finding = judge("udp 514", &sockets, &set(&["rsyslogd (812)"]));
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.what.contains("rsyslogd (812)"), "{finding:?}");
    }

    #[test]
    fn the_agent_beside_systemd_is_well_and_systemd_alone_is_not() {
        let mut socket = parse(UDP, UNCONNECTED).unwrap();
        socket.dropped = 0;
        let both = set(&["systemd (1)", "trapline (99)"]);
        assert_eq!(judge("p", &[socket.clone()], &both).level, Level::Ok);
        let alone = set(&["systemd (1)"]);
        assert_eq!(judge("p", &[socket.clone()], &alone).level, Level::Warn);
        assert_eq!(judge("p", &[socket], &set(&[])).level, Level::Warn);
        assert_eq!(judge("p", &[], &set(&[])).level, Level::Warn);
    }

    #[test]
    fn the_test_s_own_socket_is_found_with_its_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let sockets: Vec<Listening> = table
            .lines()
            .filter_map(|line| parse(line, LISTEN))
            .filter(|socket| socket.port == port)
            .collect();
        let own = format!("({})", std::process::id());
        let holders = holders(&sockets);
        assert!(
            holders.iter().any(|holder| holder.ends_with(&own)),
            "{holders:?}"
        );
    }
}
