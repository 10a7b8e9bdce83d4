//! Talking to the service manager: sd_notify(3) and the watchdog, in our own few lines.
//!
//! ```text
//!  States ──message──▶ "READY=1\nSTATUS=2 of 3 listeners bound" ──one datagram──▶ $NOTIFY_SOCKET
//!  $WATCHDOG_USEC, $WATCHDOG_PID ──▶ watchdog_interval
//! ```
//!
//! The protocol is a datagram of `NAME=value` lines to a unix socket, whose name starts with `/` or, in the abstract
//! namespace, with `@`. Without `$NOTIFY_SOCKET` nothing is sent, and that is no error.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long a datagram may wait for room in the manager's queue. A manager that hangs must not hang us.
const SEND_WAIT: Duration = Duration::from_secs(1);

/// Bytes of a status text that are sent; it is shown in one line of `systemctl status`.
const STATUS_BYTES_MAX: usize = 512;

/// One thing that the service manager is told (sd_notify(3), "Well-known assignments").
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Start or reload is complete.
    Ready,
    /// A reload begins. The time lets the manager tell it from an earlier one (`Type=notify-reload`).
    Reloading {
        /// `CLOCK_MONOTONIC` in microseconds: [`monotonic_usec`].
        monotonic_usec: u64,
    },
    /// Shutting down.
    Stopping,
    /// A line for people.
    Status(String),
    /// Still alive.
    Watchdog,
}

/// The datagram for these states.
pub fn message(states: &[State]) -> String {
    let lines: Vec<String> = states.iter().map(State::line).collect();
    lines.join("\n")
}

impl State {
    fn line(&self) -> String {
        match self {
            State::Ready => "READY=1".to_owned(),
            State::Reloading { monotonic_usec } => {
                format!("RELOADING=1\nMONOTONIC_USEC={monotonic_usec}")
            }
            State::Stopping => "STOPPING=1".to_owned(),
            // A line feed would start an assignment of its own.
            State::Status(text) => {
                let mut line = "STATUS=".to_owned();
                let room = line.len() + STATUS_BYTES_MAX;
                for each in text.chars() {
                    let each = if each.is_control() { ' ' } else { each };
                    if line.len() + each.len_utf8() > room {
                        break;
                    }
                    line.push(each);
                }
                line
            }
            State::Watchdog => "WATCHDOG=1".to_owned(),
        }
    }
}

/// Why the service manager could not be told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// The address is of a kind that is not spoken here.
    #[error("NOTIFY_SOCKET is {0:?}, expected a path or an abstract name that starts with '@'")]
    Address(String),
    /// The socket failed.
    #[error("the service manager could not be told through NOTIFY_SOCKET: {0}")]
    Socket(#[from] io::Error),
}

/// The way to the service manager, where there is one.
#[derive(Debug)]
pub struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
}

impl Notifier {
    /// Reads `$NOTIFY_SOCKET`.
    ///
    /// # Errors
    /// [`NotifyError`] when it is set and cannot be used.
    pub fn from_env() -> Result<Self, NotifyError> {
        Self::new(std::env::var("NOTIFY_SOCKET").ok().as_deref())
    }

    /// The same, with the variable's value as an argument.
    ///
    /// # Errors
    /// [`NotifyError`] when it is set and cannot be used.
    pub fn new(notify_socket: Option<&str>) -> Result<Self, NotifyError> {
        let Some(name) = notify_socket.filter(|name| !name.is_empty()) else {
            return Ok(Notifier { manager: None });
        };
        let address = address(name)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(SEND_WAIT))?;
        Ok(Notifier {
            manager: Some((socket, address)),
        })
    }

    /// Tells nobody.
    pub fn silent() -> Self {
        Notifier { manager: None }
    }

    /// Whether a service manager listens at all.
    pub fn is_connected(&self) -> bool {
        self.manager.is_some()
    }

    /// Tells the service manager; does nothing where there is none. Waits at most a second: not for receivers.
    ///
    /// # Errors
    /// [`NotifyError::Socket`] when the datagram was not taken.
    pub fn notify(&self, states: &[State]) -> Result<(), NotifyError> {
        if let Some((socket, address)) = &self.manager {
            socket.send_to_addr(message(states).as_bytes(), address)?;
        }
        Ok(())
    }
}

fn address(name: &str) -> Result<SocketAddr, NotifyError> {
    if let Some(name) = name.strip_prefix('@') {
        Ok(SocketAddr::from_abstract_name(name)?)
    } else if name.starts_with('/') {
        Ok(SocketAddr::from_pathname(name)?)
    } else {
        Err(NotifyError::Address(name.to_owned()))
    }
}

/// How often [`State::Watchdog`] is to be sent: half of what the manager waits (sd_watchdog_enabled(3)). `None` when no
/// watchdog is set, or it is meant for another process.
pub fn watchdog_interval(
    watchdog_usec: Option<&str>,
    watchdog_pid: Option<&str>,
    own_pid: u32,
) -> Option<Duration> {
    if watchdog_pid.is_some_and(|pid| pid.parse() != Ok(own_pid)) {
        return None;
    }
    let usec: u64 = watchdog_usec?.parse().ok()?;
    (usec > 0).then(|| Duration::from_micros(usec / 2))
}

/// [`watchdog_interval`] from this process's environment.
pub fn watchdog_interval_from_env() -> Option<Duration> {
    let usec = std::env::var("WATCHDOG_USEC").ok();
    let pid = std::env::var("WATCHDOG_PID").ok();
    watchdog_interval(usec.as_deref(), pid.as_deref(), std::process::id())
}

/// `CLOCK_MONOTONIC` in microseconds, which `std::time::Instant` does not give away.
pub fn monotonic_usec() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a valid timespec that outlives the call, and the clock exists on every Linux.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    debug_assert_eq!(result, 0);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    let nanos = u64::try_from(now.tv_nsec).unwrap_or_default();
    seconds * 1_000_000 + nanos / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 1024];
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        let length = socket.recv(&mut buffer).expect("a datagram");
        String::from_utf8_lossy(buffer.get(..length).expect("its bytes")).into_owned()
    }

    #[test]
    fn a_manager_at_a_path_reads_what_was_sent() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        let notifier = Notifier::new(path.to_str()).expect("connected");
        assert!(notifier.is_connected());
        notifier
            .notify(&[State::Ready, State::Status("2 of 3 listeners".into())])
            .expect("sent");
        assert_eq!(received(&manager), "READY=1\nSTATUS=2 of 3 listeners");
    }

    #[test]
    fn a_manager_in_the_abstract_namespace_reads_what_was_sent() {
        let name = format!("trapline-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("an address");
        let manager = UnixDatagram::bind_addr(&address).expect("a socket");
        let notifier = Notifier::new(Some(&format!("@{name}"))).expect("connected");
        let before = monotonic_usec();
        notifier
            .notify(&[State::Reloading {
                monotonic_usec: before,
            }])
            .expect("sent");
        assert_eq!(
            received(&manager),
            format!("RELOADING=1\nMONOTONIC_USEC={before}")
        );
        notifier.notify(&[State::Watchdog]).expect("sent");
        assert_eq!(received(&manager), "WATCHDOG=1");
        notifier.notify(&[State::Stopping]).expect("sent");
        assert_eq!(received(&manager), "STOPPING=1");
        assert!(monotonic_usec() >= before);
    }

    #[test]
    fn without_a_manager_nothing_is_sent_and_nothing_fails() {
        for name in [None, Some("")] {
            let notifier = Notifier::new(name).expect("no error");
            assert!(!notifier.is_connected());
            notifier.notify(&[State::Ready]).expect("no error");
        }
    }

    #[test]
    fn an_address_of_another_kind_and_a_manager_that_is_gone_are_errors() {
        let error = Notifier::new(Some("vsock:2:1234")).expect_err("refused");
        assert!(error.to_string().contains("vsock:2:1234"), "{error}");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("nobody");
        let notifier = Notifier::new(path.to_str()).expect("not tried yet");
        let error = notifier
            .notify(&[State::Ready])
            .expect_err("nobody is there");
        assert!(matches!(error, NotifyError::Socket(_)), "{error}");
    }

    #[test]
    fn a_status_stays_one_bounded_line() {
        let text = message(&[State::Status("a\nREADY=1\u{7}".into())]);
        assert_eq!(text, "STATUS=a READY=1 ");
        let long = message(&[State::Status("é".repeat(1000))]);
        assert_eq!(long.len(), "STATUS=".len() + STATUS_BYTES_MAX);
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_time_and_only_when_it_is_ours() {
        let half = Some(Duration::from_secs(15));
        assert_eq!(watchdog_interval(Some("30000000"), None, 7), half);
        assert_eq!(watchdog_interval(Some("30000000"), Some("7"), 7), half);
        assert_eq!(watchdog_interval(Some("30000000"), Some("8"), 7), None);
        assert_eq!(watchdog_interval(Some("30000000"), Some("x"), 7), None);
        assert_eq!(watchdog_interval(Some("0"), None, 7), None);
        assert_eq!(watchdog_interval(Some("soon"), None, 7), None);
        assert_eq!(watchdog_interval(None, Some("7"), 7), None);
    }
}
