//! How long a log's records have waited, by a clock that never jumps.
//!
//! ```text
//!   each second: where the log ends, and the instant ──▶ samples   5 100 at 30 s │ 5 600 at 31 s │ 6 050 at 32 s …
//!                an age ──▶ the last sample that is older ────────▶ every number below it is older
//! ```
//!
//! The wall clock may be months wrong until the network tells the time, and then jumps: by it a whole backlog would be
//! too old at once, though it came in minutes before. So a record's age is how long this process has kept it. Nobody
//! knows how long the host was off, so what earlier processes left is as old as this process: it goes later than by the
//! wall clock, and never too early.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many samples cover the age that is asked for: a record goes later by one such part of it at most.
const PARTS: u32 = 64;

/// The ages of one log's records.
#[derive(Debug)]
pub(super) struct Ages {
    age_max: Duration,
    /// Every number below the first was written before the second; both rise.
    samples: VecDeque<(u64, Instant)>,
}

impl Ages {
    /// For a log that ends before `next` when the process begins to count.
    pub fn new(age_max: Duration, next: u64, clock: Instant) -> Ages {
        Ages {
            age_max,
            samples: VecDeque::from([(next, clock)]),
        }
    }

    /// The log ends before `next` now.
    pub fn note(&mut self, next: u64, clock: Instant) {
        let is_known = self.samples.back().is_some_and(|(end, instant)| {
            *end >= next || clock.saturating_duration_since(*instant) < self.age_max / PARTS
        });
        if !is_known {
            self.samples.push_back((next, clock));
        }
    }

    /// Every number below this is older than the age.
    pub fn older_below(&mut self, clock: Instant) -> u64 {
        let is_older = |(_, instant): &(u64, Instant)| {
            clock.saturating_duration_since(*instant) > self.age_max
        };
        while self.samples.get(1).is_some_and(is_older) {
            self.samples.pop_front();
        }
        let oldest = self.samples.front();
        oldest
            .filter(|sample| is_older(sample))
            .map_or(0, |(end, _)| *end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_number_counts_as_old_too_early_and_each_does_soon(
            steps in prop::collection::vec((0u64..50, 0u64..40), 1..300)
        ) {
            const AGE: u64 = 640;
            let start = Instant::now();
            let at = |second: u64| start + Duration::from_secs(second);
            let mut ages = Ages::new(Duration::from_secs(AGE), 7, at(0));
            // When each number was written.
            let mut written = vec![0; 7];
            let mut now = 0;
            for (records, seconds) in steps {
                now += seconds;
                written.extend((0..records).map(|_| now));
                ages.note(written.len() as u64, at(now));
                let below = ages.older_below(at(now)) as usize;
                prop_assert!(written[..below].iter().all(|then| now - then > AGE));
                // A sample is missed for a part of the age, and notes are up to 40 seconds apart.
                let late = AGE + AGE / u64::from(PARTS) + 40;
                prop_assert!(written[below..].iter().all(|then| now - then <= late));
                prop_assert!(ages.samples.len() <= PARTS as usize + 3);
            }
        }
    }
}
