//! What a process used, read from the kernel: /proc/PID/stat and /proc/PID/status (proc(5)).

use std::time::Duration;

/// CPU time of a process so far, user and system together, all threads.
pub fn cpu(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a living process");
    // The command's name, in parentheses, may hold spaces; the numbers are behind the last parenthesis.
    let numbers: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |index: usize| {
        numbers
            .get(index)
            .and_then(|text| text.parse::<u64>().ok())
            .expect("a tick count")
    };
    // Safety: sysconf only reads a constant of the system.
    let ticks_per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64;
    Duration::from_secs_f64((ticks(11) + ticks(12)) as f64 / ticks_per_second)
}

/// Resident memory now and at its highest, in KiB.
pub fn resident_kib(pid: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a living process");
    let field = |name: &str| {
        let line = status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default();
        line.split_whitespace()
            .nth(1)
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    };
    (field("VmRSS:"), field("VmHWM:"))
}
