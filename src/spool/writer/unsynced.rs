//! How long a log's records have waited for the disk, where `fsync = interval`.
//!
//! ```text
//!   each turn: where the log ends ──▶ samples   from 5 100 at 30.00 s │ from 5 600 at 30.07 s │ from 6 050 at 30.13 s …
//!              what is done (synced, settled) ─▶ the first sample that is not done ──▶ since when something waits
//! ```
//!
//! A record counts as waiting from its sample's instant on, or a little longer than it does: never too short.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A sample covers such a part of the interval: a record counts as so much older at most.
const PARTS: u32 = 16;

/// What of one log waits.
#[derive(Debug)]
pub(super) struct Unsynced {
    interval: Duration,
    /// Where the log ended last.
    end: u64,
    /// The numbers from the first on were written at the second or later; both rise.
    samples: VecDeque<(u64, Instant)>,
}

impl Unsynced {
    /// For a log that ends before `next`, all of it synced.
    pub fn new(interval: Duration, next: u64) -> Unsynced {
        Unsynced {
            interval,
            end: next,
            samples: VecDeque::new(),
        }
    }

    /// The log ends before `next` now.
    pub fn note(&mut self, next: u64, clock: Instant) {
        if next <= self.end {
            return;
        }
        let joins = self.samples.back().is_some_and(|(_, instant)| {
            clock.saturating_duration_since(*instant) < self.interval / PARTS
        });
        if !joins {
            self.samples.push_back((self.end, clock));
        }
        self.end = next;
    }

    /// What lies below `done` waits for nothing. Returns when the oldest of the others has waited for the interval.
    pub fn due(&mut self, done: u64) -> Option<Instant> {
        while self.samples.get(1).is_some_and(|(from, _)| *from <= done) {
            self.samples.pop_front();
        }
        if done >= self.end {
            self.samples.clear();
        }
        let (_, instant) = self.samples.front()?;
        Some(*instant + self.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_due_when_it_has_waited_for_the_interval_or_a_part_of_it_earlier(
            steps in prop::collection::vec((0u64..50, 0u64..200, 0u64..60), 1..200)
        ) {
            const INTERVAL: Duration = Duration::from_millis(640);
            let start = Instant::now();
            let mut unsynced = Unsynced::new(INTERVAL, 7);
            let mut written = vec![start; 7];
            let (mut now, mut done) = (start, 0);
            for (records, milliseconds, settled) in steps {
                now += Duration::from_millis(milliseconds);
                written.extend((0..records).map(|_| now));
                unsynced.note(written.len() as u64, now);
                done = written.len().min(done + settled as usize).max(7);
                let due = unsynced.due(done as u64);
                let exact = written.get(done).map(|oldest| *oldest + INTERVAL);
                prop_assert_eq!(due.is_some(), exact.is_some());
                prop_assert!(due <= exact);
                prop_assert!(due.map(|due| due + INTERVAL / PARTS) >= exact);
                prop_assert!(unsynced.samples.len() <= written.len());
            }
        }
    }

    #[test]
    fn what_is_written_again_after_a_failed_sync_is_no_younger() {
        let start = Instant::now();
        let mut unsynced = Unsynced::new(Duration::from_secs(1), 0);
        unsynced.note(10, start);
        unsynced.note(5, start + Duration::from_millis(500));
        unsynced.note(12, start + Duration::from_millis(900));
        assert_eq!(unsynced.due(0), Some(start + Duration::from_secs(1)));
        assert_eq!(unsynced.due(12), None);
    }
}
