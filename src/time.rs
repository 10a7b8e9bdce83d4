//! One instant, in the resolution that events carry.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// The wall clock. Only shells call this: decisions take the time as an argument.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// Milliseconds since the epoch, as Kafka's timestamps count.
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }
}
