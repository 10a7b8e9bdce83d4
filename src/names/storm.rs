//! A limit for each sender, so that one device in a loop does not fill the spool for all.
//!
//! ```text
//!  Event ──▶ error or worse? ─yes─▶ goes on
//!            └ no ─▶ its source's bucket ─a token─▶ goes on
//!                                        └ none ──▶ held back: counted for its device and code ──once a second──▶ Summary
//! ```
//!
//! A source is an address; behind a trusted relay it is the device that the message names. Nothing is held back without
//! being counted here, and what is counted here is told ([`Storms::take`]).
//!
//! Addresses can be made up, so the buckets stand in a table of fixed size. Where there is no place the bucket goes that
//! has the most tokens: a newcomer's, never that of a device that storms. A full bucket is as good as none.

mod held;

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::event::{Event, Severity};
use crate::time::UnixMicros;

pub use held::{Summary, Telling};

use held::Held;

/// Events a second that say what was held back; what there is beyond is told in the last of them.
pub const EVENTS_MAX: usize = 5;

/// Sources that are counted one by one, 16 bytes each.
const SOURCES_MAX: usize = 16_384;

/// Buckets of one set: where a source's can be.
const WAYS: usize = 8;

/// How fast a bucket fills, and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Events a second that may go on; at least 1.
    pub events_per_second: u32,
    /// Events that may come at once; at least 1.
    pub burst: u32,
}

impl Rate {
    /// How long a token takes.
    fn token_nanos(self) -> i64 {
        1_000_000_000 / i64::from(self.events_per_second.max(1))
    }

    /// How long an empty bucket takes to be full.
    fn burst_nanos(self) -> i64 {
        self.token_nanos()
            .saturating_mul(i64::from(self.burst.max(1)))
    }
}

/// A bucket of tokens, by the moment at which it is full again (the generic cell rate algorithm, ITU-T I.371).
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Whose it is; 0 is nobody's.
    source: u64,
    full_at_nanos: i64,
}

impl Bucket {
    fn take(&mut self, rate: Rate, now_nanos: i64) -> bool {
        let burst = rate.burst_nanos();
        // A clock that was set back must not leave a bucket empty until it comes there again.
        let full_at = self
            .full_at_nanos
            .clamp(now_nanos, now_nanos.saturating_add(burst));
        let after = full_at.saturating_add(rate.token_nanos());
        let is_there = after - now_nanos <= burst;
        self.full_at_nanos = if is_there { after } else { full_at };
        is_there
    }
}

type Set = [Bucket; WAYS];

/// The limits of all senders, shared by all receiving threads.
#[derive(Debug)]
pub struct Storms {
    rate: Rate,
    keys: RandomState,
    sets: Box<[Mutex<Set>]>,
    held: Mutex<Held>,
}

impl Storms {
    /// Full buckets.
    pub fn new(rate: Rate) -> Storms {
        Storms {
            rate,
            keys: RandomState::new(),
            sets: (0..SOURCES_MAX / WAYS).map(|_| Mutex::default()).collect(),
            held: Mutex::default(),
        }
    }

    /// Whether the event may go on. If not, it is counted for the next summary. `is_relayed` says that a trusted relay
    /// brought it.
    pub fn admits(&self, event: &Event<'_>, is_relayed: bool, now: UnixMicros) -> bool {
        if event
            .severity
            .is_some_and(|severity| severity <= Severity::Error)
        {
            return true;
        }
        let device = &event.device;
        let source = match device.address {
            Some(address) if !is_relayed => self.keys.hash_one(address),
            address => self.keys.hash_one((address, device.hostname.0)),
        };
        // 0 is nobody.
        let source = source | 1;
        if self.take_token(source, now) {
            return true;
        }
        self.held().add(source, event);
        false
    }

    fn take_token(&self, source: u64, now: UnixMicros) -> bool {
        let place = (source >> 32) as usize % self.sets.len();
        let Some(set) = self.sets.get(place) else {
            return true;
        };
        let mut set = set.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match set.iter().position(|bucket| bucket.source == source) {
            Some(way) => set.get_mut(way),
            None => {
                let fullest = set.iter_mut().min_by_key(|bucket| bucket.full_at_nanos);
                fullest.map(|bucket| {
                    *bucket = Bucket {
                        source,
                        full_at_nanos: 0,
                    };
                    bucket
                })
            }
        };
        bucket.is_none_or(|bucket| bucket.take(self.rate, now.0.saturating_mul(1000)))
    }

    /// What was held back since it was last asked: at most [`EVENTS_MAX`] summaries that say all of it.
    pub fn take(&self) -> Vec<Summary> {
        self.held().take()
    }

    /// Takes a summary back that could not be told, so that the next one says it.
    pub fn give_back(&self, summary: Summary) {
        self.held().merge(summary);
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
