//! What the operating system says about this process.
//!
//! ```text
//!  /proc/self/stat    field 14 utime, 15 stime, in 1/100 s         (proc_pid_stat(5))
//!  /proc/self/status  VmRSS: <n> kB, Threads: <n>                  (proc_pid_status(5))
//!  /proc/self/limits  Max open files  <soft>  <hard>  files        (proc_pid_limits(5))
//!  /proc/self/fd      one entry a descriptor
//! ```
//!
//! A figure that cannot be read is absent, never 0.

use std::fs;

/// Clock ticks a second in /proc/self/stat: `USER_HZ`, 100 on every Linux that this program is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// The process's own use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Process {
    /// Memory in RAM, in bytes.
    pub resident_bytes: Option<u64>,
    /// Processor time, user and system, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub open_fds: Option<u64>,
    /// How many may be open (the soft limit).
    pub max_fds: Option<u64>,
}

impl Process {
    /// Reads /proc. Kernel memory, not the disk: it does not wait.
    pub fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let status = text("/proc/self/status");
        Process {
            resident_bytes: resident_bytes(&status),
            cpu_seconds: cpu_seconds(&text("/proc/self/stat")),
            threads: status_number(&status, "Threads:"),
            // The directory's own descriptor is among the entries.
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            max_fds: max_fds(&text("/proc/self/limits")),
        }
    }
}

fn status_number(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

fn resident_bytes(status: &str) -> Option<u64> {
    status_number(status, "VmRSS:")?.checked_mul(1024)
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the name in parentheses, which may hold blanks and parentheses itself.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn max_fds(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_a_name_with_blanks() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 2231 0 0 0 123 77 0 0 20 0 9 0 1000 2000 300";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        let status = "Name:\ttrapline\nVmRSS:\t   12040 kB\nThreads:\t7\n";
        assert_eq!(resident_bytes(status), Some(12040 * 1024));
        assert_eq!(status_number(status, "Threads:"), Some(7));
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax open files   1024   524288   files\n";
        assert_eq!(max_fds(limits), Some(1024));
    }

    #[test]
    fn what_cannot_be_read_is_absent() {
        assert_eq!(cpu_seconds(""), None);
        assert_eq!(resident_bytes("VmRSS: many kB"), None);
        assert_eq!(max_fds("Max open files  unlimited unlimited files"), None);
    }

    #[test]
    fn this_process_has_memory_threads_and_descriptors() {
        let process = Process::read();
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 0));
        assert!(process.threads.is_some_and(|threads| threads > 0));
        assert!(process.open_fds.is_some_and(|fds| fds > 0));
        assert!(process.cpu_seconds.is_some());
    }
}
