//! What the host gives: buffers, a clock, names, room for the spool.
//!
//! ```text
//!  net.core.rmem_max   adjtimex   /etc/resolv.conf   statvfs, the spool's folder ──▶ findings
//! ```

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use super::Finding;
use crate::receive::RECEIVE_BUFFER_BYTES;
use crate::spool::{self, DiskConfig, inspect};

pub(super) fn findings() -> Vec<Finding> {
    let rmem_max = fs::read_to_string("/proc/sys/net/core/rmem_max");
    let names = fs::read_to_string("/etc/resolv.conf");
    vec![
        buffers(rmem_max.ok().and_then(|text| text.trim().parse().ok())),
        clock(),
        resolver(&names.unwrap_or_default()),
    ]
}

fn buffers(rmem_max: Option<usize>) -> Finding {
    match rmem_max {
        Some(bytes) if bytes >= RECEIVE_BUFFER_BYTES => {
            Finding::ok("buffers", format!("net.core.rmem_max is {bytes}"))
        }
        Some(bytes) => Finding::warn(
            "buffers",
            format!(
                "net.core.rmem_max is {bytes}, sockets that the agent binds itself ask for {RECEIVE_BUFFER_BYTES}"
            ),
            format!(
                "sysctl -w net.core.rmem_max={RECEIVE_BUFFER_BYTES}; the package's /usr/lib/sysctl.d/60-trapline.conf does so at boot. Sockets of systemd units do not need it"
            ),
        ),
        None => Finding::warn(
            "buffers",
            "net.core.rmem_max cannot be read here",
            "in a container the host's value counts; `trapline status` shows what was granted",
        ),
    }
}

/// Whether something keeps the kernel's clock right: what receives time stamps must not be wrong about them.
fn clock() -> Finding {
    // SAFETY: all zeros is a valid timex, which asks for nothing to be changed (adjtimex(2)).
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is valid and outlives the call; with modes 0 nothing is changed and no right is needed.
    let result = unsafe { libc::adjtimex(&raw mut state) };
    let advice = "install and start chrony or systemd-timesyncd: `received` is this clock";
    if result < 0 {
        let error = io::Error::last_os_error();
        Finding::warn("clock", format!("its state is not known: {error}"), advice)
    } else if state.status & libc::STA_UNSYNC != 0 {
        Finding::warn("clock", "nothing keeps it synchronized", advice)
    } else {
        let error_ms = state.esterror / 1000;
        Finding::ok(
            "clock",
            format!("synchronized, estimated error {error_ms} ms"),
        )
    }
}

fn resolver(resolv_conf: &str) -> Finding {
    let servers: Vec<&str> = resolv_conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .map(str::trim)
        .filter(|server| {
            let address = server.split('%').next().unwrap_or_default();
            address.parse::<IpAddr>().is_ok()
        })
        .collect();
    if servers.is_empty() {
        Finding::warn(
            "names",
            "/etc/resolv.conf has no name server",
            "brokers are found by address or /etc/hosts only, and devices get no names from DNS",
        )
    } else {
        Finding::ok("names", format!("name servers {}", servers.join(", ")))
    }
}

pub(super) fn spool(config: &spool::Config) -> Vec<Finding> {
    let Some(disk) = &config.disk else {
        return vec![Finding::ok(
            "spool",
            "in memory: what waits is gone when the process ends",
        )];
    };
    let folder = &disk.folder;
    let shown = folder.display();
    let mut findings = vec![match inspect::Inspection::open(folder) {
        Ok(spool) => {
            let holder = match spool.holder() {
                inspect::Holder::Nobody => "no agent uses it".to_owned(),
                inspect::Holder::Process(pid) => format!("process {pid} uses it"),
                inspect::Holder::Unknown => "who uses it is not known".to_owned(),
            };
            Finding::ok("spool", format!("{shown}: {holder}"))
        }
        Err(_) if !folder.exists() => Finding::warn(
            "spool",
            format!("{shown} is not there yet"),
            "the agent makes it at its first start, where its user may",
        ),
        Err(error) => Finding::warn(
            "spool",
            error.to_string(),
            "run `trapline doctor` as root or as the agent's user",
        ),
    }];
    let existing = folder.ancestors().find(|path| path.exists());
    if let Some(free_bytes) = existing.and_then(|path| free_bytes(path).ok()) {
        findings.push(room(disk, free_bytes));
    }
    findings
}

fn room(disk: &DiskConfig, free_bytes: u64) -> Finding {
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let (free, kept) = (mib(free_bytes), mib(disk.free_bytes_min));
    if free_bytes <= disk.free_bytes_min {
        Finding::fail(
            "disk",
            format!("{free} MiB free, and the spool does not grow where {kept} MiB are not free"),
            "make room, or lower spool.free_bytes_min",
        )
    } else {
        Finding::ok(
            "disk",
            format!("{free} MiB free, {kept} MiB of them are left alone"),
        )
    }
}

/// Bytes that a user without privileges may still take on the file system of `path`.
fn free_bytes(path: &Path) -> io::Result<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: all zeros is a valid statvfs.
    let mut state: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` ends with a zero, `state` is valid, and both outlive the call.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut state) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(state.f_bavail.saturating_mul(state.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn a_small_rmem_max_is_named_with_the_number_that_is_asked_for() {
        let finding = buffers(Some(212_992));
        assert_eq!(finding.level, Level::Warn);
        assert!(finding.advice.unwrap().contains("33554432"));
        assert_eq!(buffers(Some(RECEIVE_BUFFER_BYTES)).level, Level::Ok);
        assert_eq!(buffers(None).level, Level::Warn);
    }

    #[test]
    fn name_servers_are_read_and_comments_are_not() {
        let finding =
            resolver("# nameserver 192.0.2.1\nnameserver 192.0.2.53\nnameserver fe80::1%eth0\n");
        assert_eq!(finding.what, "name servers 192.0.2.53, fe80::1%eth0");
        assert_eq!(resolver("search example.net\n").level, Level::Warn);
    }

    #[test]
    fn a_disk_without_room_fails() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("[spool]\nfolder = \"{}\"\n", folder.path().display());
        let config = crate::config::parse(&text, "host").unwrap().spool;
        let disk = config.disk.clone().unwrap();
        assert_eq!(room(&disk, disk.free_bytes_min).level, Level::Fail);
        assert_eq!(room(&disk, disk.free_bytes_min + 1).level, Level::Ok);
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!(spool(&config).len(), 2);
    }

    #[test]
    fn the_clock_s_state_can_be_asked_without_privileges() {
        assert_eq!(clock().about, "clock");
    }
}
