//! The ports of the listeners: who has them, and what the kernel dropped there.
//!
//! ```text
//!  receive::listening ──▶ sockets: port, inode, drops ─┐
//!  /proc/PID/fd/* ──▶ inode -> processes ──────────────┴─▶ who listens where
//! ```
//!
//! Other users' descriptors are seen by root alone; without root the name is missing and the line says so.

use std::collections::BTreeSet;
use std::fs;

use super::Finding;
use crate::packet::Transport;
use crate::receive::Config;
use crate::receive::listening::{Listening, datagrams_at, streams_at};

pub(super) fn findings(listeners: &[Config]) -> Vec<Finding> {
    listeners
        .iter()
        .filter(|listener| !listener.listener.transport.is_unix())
        .map(|listener| {
            let port = listener.bind.port();
            let (kind, sockets) = match listener.listener.transport {
                Transport::Udp | Transport::UnixDgram => ("udp", datagrams_at(port)),
                Transport::Tcp | Transport::Tls | Transport::UnixStream => {
                    ("tcp", streams_at(port))
                }
            };
            let holders = holders(&sockets);
            judge(&format!("{kind} {port}"), &sockets, &holders)
        })
        .collect()
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

    fn socket(dropped: u64) -> Listening {
        Listening {
            port: 514,
            inode: 31415,
            dropped,
        }
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn another_program_on_the_port_is_named_and_fails() {
        let finding = judge("udp 514", &[socket(0)], &set(&["rsyslogd (812)"]));
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.what.contains("rsyslogd (812)"), "{finding:?}");
    }

    #[test]
    fn the_agent_beside_systemd_is_well_and_systemd_alone_is_not() {
        let both = set(&["systemd (1)", "trapline (99)"]);
        assert_eq!(judge("p", &[socket(0)], &both).level, Level::Ok);
        assert_eq!(judge("p", &[socket(17)], &both).level, Level::Warn);
        let alone = set(&["systemd (1)"]);
        assert_eq!(judge("p", &[socket(0)], &alone).level, Level::Warn);
        assert_eq!(judge("p", &[socket(0)], &set(&[])).level, Level::Warn);
        assert_eq!(judge("p", &[], &set(&[])).level, Level::Warn);
    }

    #[test]
    fn the_test_s_own_socket_is_found_with_its_process() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sockets = streams_at(port);
        let own = format!("({})", std::process::id());
        let holders = holders(&sockets);
        assert!(
            holders.iter().any(|holder| holder.ends_with(&own)),
            "{holders:?}"
        );
    }
}
