//! A client on its way out, on a thread of its own.
//!
//! ```text
//!  Client::close ──its last reports are taken──▶ Closing::begin ──▶ thread "kafka-close": topics, producer, slots
//!                                                    └ is_over, wait ◀─────────────────────┘
//! ```
//!
//! In: what is to be destroyed. Out: whether it is. `rd_kafka_destroy` joins all threads of librdkafka, and one of them
//! may sit in `getaddrinfo` for as long as the host's resolver has patience: with a name server that does not answer that
//! is half a minute. Whoever stops the agent does not wait for that, and a thread with a heartbeat must not.

use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often somebody who waits looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A client that is being destroyed. What it lent to librdkafka is freed by the same thread, behind that.
pub(super) struct Closing(Option<JoinHandle<()>>);

impl Closing {
    /// Destroys `client` in the background. Where the system has no thread left, it is destroyed here.
    pub fn begin(client: impl Send + 'static) -> Closing {
        let thread = std::thread::Builder::new()
            .name("kafka-close".to_owned())
            .spawn(move || drop(client));
        Closing(thread.ok())
    }

    /// Whether all of it is gone.
    pub fn is_over(&self) -> bool {
        self.0.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Waits for that, at most for `time_max`, and calls `between` meanwhile. Returns whether it is over.
    pub fn wait(&self, time_max: Duration, between: impl Fn()) -> bool {
        let deadline = Instant::now() + time_max;
        while !self.is_over() {
            if Instant::now() >= deadline {
                return false;
            }
            between();
            std::thread::sleep(LOOK_EVERY);
        }
        true
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    /// Cannot be destroyed until it is told so.
    pub struct Stubborn(pub Receiver<()>);

    impl Drop for Stubborn {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    #[test]
    fn what_cannot_be_destroyed_yet_holds_nobody_up() {
        let (may_go, told) = mpsc::channel();
        let closing = Closing::begin(Stubborn(told));
        assert!(!closing.wait(Duration::from_millis(20), || ()));
        assert!(!closing.is_over());
        may_go.send(()).unwrap();
        assert!(closing.wait(Duration::from_secs(10), || ()));
    }
}
