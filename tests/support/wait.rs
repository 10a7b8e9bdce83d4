//! The one way in which tests wait: for a condition, with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for something that should happen soon. Generous, because the machine may be busy: it costs
/// time only where a test fails.
pub const SOON: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
pub const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks at `condition` until it gives a value; panics with `what` when `within` has passed.
#[track_caller]
pub fn wait_for<T>(what: &str, within: Duration, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "waited {} s in vain: {what}",
            within.as_secs()
        );
        pause(LOOK_EVERY);
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub fn wait_until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, within, || condition().then_some(()));
}

/// Gives the processor away for `length`. Only for pacing a sender and for looking again: no test relies on its length.
pub fn pause(length: Duration) {
    std::thread::park_timeout(length);
}
