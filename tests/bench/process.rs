//! What a process used, read from the kernel: /proc/PID/stat, /proc/PID/status and /proc/PID/task (proc(5)).

use std::collections::BTreeMap;
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

/// CPU time of each of its threads so far, by name. Threads of one name are added up.
pub fn threads(pid: u32) -> BTreeMap<String, Duration> {
    let mut threads = BTreeMap::new();
    let folder = std::fs::read_dir(format!("/proc/{pid}/task")).expect("a living process");
    for thread in folder.flatten().map(|entry| entry.path()) {
        let read = |name| std::fs::read_to_string(thread.join(name)).ok();
        // A thread may end meanwhile.
        let (Some(name), Some(times)) = (read("comm"), read("schedstat")) else {
            continue;
        };
        let nanoseconds = times.split(' ').next().and_then(|text| text.parse().ok());
        *threads.entry(name.trim().to_owned()).or_default() +=
            Duration::from_nanos(nanoseconds.unwrap_or(0));
    }
    threads
}

/// What each thread used since `before`, in µs an event, the most first.
pub fn by_thread(pid: u32, before: &BTreeMap<String, Duration>, events: u64) -> String {
    let used = threads(pid).into_iter().map(|(name, now)| {
        let used = now.saturating_sub(before.get(&name).copied().unwrap_or_default());
        (used.as_secs_f64() * 1e6 / events.max(1) as f64, name)
    });
    let mut used: Vec<(f64, String)> = used.filter(|(each, _)| *each >= 0.01).collect();
    used.sort_by(|one, other| other.0.total_cmp(&one.0));
    let words = used.iter().map(|(each, name)| format!("{name} {each:.2}"));
    words.collect::<Vec<_>>().join(", ")
}
