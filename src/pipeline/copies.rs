//! Authenticated messages that came before: a recording that is played back makes no second event.
//!
//! ```text
//!   engine, digest ─▶ fingerprint ─▶ either of two sets of 8 ─▶ New: claimed ─▶ settled with its record
//!                                                             ├▶ Claimed: another thread is at it
//!                                                             └▶ Record: a copy
//!
//!   sets: none ─▶ 512 ─▶ 1024 ... ─▶ 16 384        twice as many where one would forget what is within the time window
//! ```
//!
//! All threads share it: whoever plays back a message chooses the port from which it comes, and so the thread to which.
//! A message goes to the one of its two sets where more is old or empty, so that the table is nearly full before a set is.
//! The message is claimed before its event is made, so that two copies that come at once are one event.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

use crate::record::{LaneId, Number};
use crate::usm::window::WINDOW_SECONDS;

/// How long a message is known: twice the time window, since a device's clock may be as far behind ours.
const REMEMBERED_SECONDS: u64 = 2 * WINDOW_SECONDS;

/// Messages of one set: three lines of a processor's cache.
const WAYS: usize = 8;

/// Sets at first: 96 KiB, 27 messages a second for the time window.
const SETS_MIN: usize = 512;

/// Sets at most: 131 072 messages in 3 MiB. That is the time window at some 700 a second, far more than fleets send for long; a
/// storm of 10 000 a second is remembered for 13 s, and what is forgotten too early is counted. A table for the whole
/// window of such a storm would be 36 MiB, more than all else that the agent holds.
const SETS_MAX: usize = 16_384;

/// What is known of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is the first: whoever asked makes its event, and says how that went.
    New,
    /// Its event is being made.
    Claimed,
    /// It has a record.
    Record((LaneId, Number)),
}

/// What came lately.
#[derive(Debug, Default)]
pub(super) struct Copies {
    keys: RandomState,
    table: Mutex<Table>,
}

impl Copies {
    /// The fingerprint of a message. Its keys are random, so nobody can make two that are alike.
    pub fn fingerprint(&self, engine_id: &[u8], digest: &[u8]) -> u64 {
        self.keys.hash_one((engine_id, digest))
    }

    /// What is known of a message; a new one is claimed. Beside it stands whether another had to be forgotten that is
    /// within the time window still.
    pub fn claim(&self, fingerprint: u64, seconds: u64) -> (Seen, bool) {
        self.lock(|table| table.claim(fingerprint, seconds))
    }

    /// Whether this message came before. It is not claimed by that.
    pub fn knows(&self, fingerprint: u64, seconds: u64) -> bool {
        let is_of_late = |entry: &mut Entry| entry.is_younger(REMEMBERED_SECONDS, seconds as u32);
        self.lock(|table| table.known(fingerprint).is_some_and(is_of_late))
    }

    /// What became of a message that was claimed, or whose record was lost: its record, or nothing, and then it may come
    /// again.
    pub fn settle(&self, fingerprint: u64, record: Option<(LaneId, Number)>) {
        self.lock(|table| table.settle(fingerprint, record));
    }

    fn lock<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Claimed,
    Written,
}

/// One message, in 24 octets.
#[derive(Debug, Clone, Copy)]
struct Entry {
    fingerprint: u64,
    number: u64,
    /// Seconds of the agent's own clock, which counts 136 years.
    at: u32,
    lane: u16,
    state: State,
}

impl Entry {
    const EMPTY: Entry = Entry {
        fingerprint: 0,
        number: 0,
        at: 0,
        lane: 0,
        state: State::Empty,
    };

    fn claimed(fingerprint: u64, now: u32) -> Entry {
        Entry {
            fingerprint,
            at: now,
            state: State::Claimed,
            ..Entry::EMPTY
        }
    }

    /// Older ones first, and free ones before them.
    fn used(&self) -> (bool, u32) {
        (self.state != State::Empty, self.at)
    }

    fn is_younger(&self, age_seconds: u64, now: u32) -> bool {
        self.state != State::Empty && u64::from(now.saturating_sub(self.at)) <= age_seconds
    }
}

#[derive(Debug, Default)]
struct Table {
    /// None until something comes; then a power of two.
    sets: Vec<[Entry; WAYS]>,
}

impl Table {
    fn claim(&mut self, fingerprint: u64, seconds: u64) -> (Seen, bool) {
        // The lower half is what passed since the start.
        let now = seconds as u32;
        if self.sets.is_empty() {
            self.sets = vec![[Entry::EMPTY; WAYS]; SETS_MIN];
        }
        if let Some(entry) = self.known(fingerprint) {
            if !entry.is_younger(REMEMBERED_SECONDS, now) {
                // In the same place: a second entry beside it could be settled in its stead.
                *entry = Entry::claimed(fingerprint, now);
                return (Seen::New, false);
            }
            let record = (LaneId(entry.lane), Number(entry.number));
            return match entry.state {
                State::Written => (Seen::Record(record), false),
                State::Claimed | State::Empty => (Seen::Claimed, false),
            };
        }
        let mut place = self.place(fingerprint, now);
        if place.is_full && self.sets.len() < SETS_MAX {
            self.grow();
            place = self.place(fingerprint, now);
        }
        let oldest = self
            .sets
            .get_mut(place.set)
            .and_then(|set| set.iter_mut().min_by_key(|entry| entry.used()));
        if let Some(oldest) = oldest {
            *oldest = Entry::claimed(fingerprint, now);
        }
        (Seen::New, place.is_full)
    }

    /// The entry of a message that came, however long ago.
    fn known(&mut self, fingerprint: u64) -> Option<&mut Entry> {
        self.entry(fingerprint, |entry| {
            entry.state != State::Empty && entry.fingerprint == fingerprint
        })
    }

    fn settle(&mut self, fingerprint: u64, record: Option<(LaneId, Number)>) {
        match (self.known(fingerprint), record) {
            (Some(entry), Some((lane, number))) => {
                entry.state = State::Written;
                (entry.lane, entry.number) = (lane.0, number.0);
            }
            (Some(entry), None) => *entry = Entry::EMPTY,
            (None, _) => {}
        }
    }

    /// The entry of a message, in either of its sets.
    fn entry(&mut self, fingerprint: u64, is_it: impl Fn(&Entry) -> bool) -> Option<&mut Entry> {
        let sets = &self.sets;
        let has_it = |set: &usize| sets.get(*set).is_some_and(|set| set.iter().any(&is_it));
        let set = self.sets_of(fingerprint).into_iter().find(has_it)?;
        self.sets
            .get_mut(set)?
            .iter_mut()
            .find(|entry| is_it(entry))
    }

    /// The set for a new message: that with fewer within the time window.
    fn place(&self, fingerprint: u64, now: u32) -> Place {
        let needed = |set: &usize| {
            let entries = self.sets.get(*set).into_iter().flatten();
            let needed = entries.filter(|entry| entry.is_younger(WINDOW_SECONDS, now));
            needed.count()
        };
        let [one, other] = self.sets_of(fingerprint).map(|set| (needed(&set), set));
        let (needed, set) = one.min(other);
        Place {
            set,
            is_full: needed >= WAYS,
        }
    }

    fn sets_of(&self, fingerprint: u64) -> [usize; 2] {
        sets_of(fingerprint, self.sets.len())
    }

    /// Twice as many sets: what was in one set goes to two, so all of it has room.
    fn grow(&mut self) {
        let before = self.sets.len();
        let sets = vec![[Entry::EMPTY; WAYS]; before * 2];
        let old = std::mem::replace(&mut self.sets, sets);
        for (place, entries) in old.iter().enumerate() {
            for entry in entries.iter().filter(|entry| entry.state != State::Empty) {
                let [was_one, _] = sets_of(entry.fingerprint, before);
                let [one, other] = self.sets_of(entry.fingerprint);
                let set = if was_one == place { one } else { other };
                let mut entries = self.sets.get_mut(set).into_iter().flatten();
                if let Some(free) = entries.find(|free| free.state == State::Empty) {
                    *free = *entry;
                }
            }
        }
    }
}

/// Where a new message goes.
struct Place {
    set: usize,
    /// Whether all of both sets is within the time window.
    is_full: bool,
}

/// The two sets of a message: one by each half of its fingerprint. `count` is a power of two.
fn sets_of(fingerprint: u64, count: usize) -> [usize; 2] {
    [fingerprint, fingerprint >> 32].map(|half| half as usize & count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: (LaneId, Number) = (LaneId(1), Number(7));

    /// How many were forgotten while they were within the time window, and how many came twice and were known.
    fn storm(copies: &Copies, a_second: u64, seconds: u64) -> (u64, u64) {
        let (mut forgotten, mut known) = (0, 0);
        for message in 0..a_second * seconds {
            let second = message / a_second;
            let fingerprint = copies.fingerprint(b"engine", &message.to_be_bytes());
            let (seen, has_forgotten) = copies.claim(fingerprint, second);
            assert_eq!(seen, Seen::New);
            copies.settle(fingerprint, Some(RECORD));
            forgotten += u64::from(has_forgotten);
            if let Some(earlier) = message.checked_sub(a_second * (WINDOW_SECONDS - 1)) {
                let earlier = copies.fingerprint(b"engine", &earlier.to_be_bytes());
                let (seen, _) = copies.claim(earlier, second);
                known += u64::from(seen == Seen::Record(RECORD));
            }
        }
        (forgotten, known)
    }

    #[test]
    fn a_message_is_claimed_once_and_known_for_five_minutes() {
        let copies = Copies::default();
        let one = copies.fingerprint(b"engine", b"digest");
        assert_ne!(one, copies.fingerprint(b"enginedi", b"gest"));
        assert!(!copies.knows(one, 10));
        assert_eq!(copies.claim(one, 10).0, Seen::New);
        assert_eq!(copies.claim(one, 10).0, Seen::Claimed);
        copies.settle(one, None);
        assert_eq!(copies.claim(one, 10).0, Seen::New, "it made no event");
        copies.settle(one, Some(RECORD));
        assert_eq!(copies.claim(one, 310).0, Seen::Record(RECORD));
        assert!(copies.knows(one, 310) && !copies.knows(one, 311));
        assert_eq!(copies.claim(one, 311).0, Seen::New);
    }

    #[test]
    fn a_message_that_comes_again_after_that_time_is_settled_where_it_was_claimed() {
        // Sets 1 and 2; when it comes again there is more in the first of them.
        let (message, other) = ((2 << 32) | 1, (1 << 32) | 1);
        for record in [Some(RECORD), None] {
            let copies = Copies::default();
            assert_eq!(copies.claim(message, 0).0, Seen::New);
            copies.settle(message, Some((LaneId(1), Number(1))));
            assert_eq!(copies.claim(other, 400).0, Seen::New);
            assert_eq!(copies.claim(message, 400).0, Seen::New);
            copies.settle(message, record);
            let expected = record.map_or(Seen::New, Seen::Record);
            assert_eq!(copies.claim(message, 400).0, expected);
        }
    }

    #[test]
    fn the_table_grows_to_what_the_window_needs_and_costs_nothing_before() {
        let copies = Copies::default();
        assert!(copies.lock(|table| table.sets.is_empty()));
        assert_eq!(
            storm(&copies, 2, 1000),
            (0, (1000 - WINDOW_SECONDS + 1) * 2)
        );
        assert_eq!(copies.lock(|table| table.sets.len()), SETS_MIN);
        let copies = Copies::default();
        assert_eq!(
            storm(&copies, 200, 400),
            (0, (400 - WINDOW_SECONDS + 1) * 200)
        );
        assert!(copies.lock(|table| table.sets.len()) < SETS_MAX);
    }

    #[test]
    fn a_storm_takes_no_more_than_the_table_and_what_it_forgets_is_counted() {
        let copies = Copies::default();
        let (forgotten, _) = storm(&copies, 10_000, 40);
        assert_eq!(copies.lock(|table| table.sets.len()), SETS_MAX);
        assert_eq!(size_of::<Entry>() * WAYS * SETS_MAX, 3 << 20);
        let kept = (SETS_MAX * WAYS) as u64;
        assert!(forgotten >= 400_000 - kept, "{forgotten}");
        let newest = copies.fingerprint(b"engine", &399_999_u64.to_be_bytes());
        assert_eq!(copies.claim(newest, 40).0, Seen::Record(RECORD));
    }

    #[test]
    fn two_threads_that_have_the_same_message_at_once_make_one_event() {
        let copies = Copies::default();
        let fingerprints: Vec<u64> = (0..2000_u32)
            .map(|number| copies.fingerprint(b"engine", &number.to_be_bytes()))
            .collect();
        let claim = || {
            let claimed = fingerprints
                .iter()
                .filter(|fingerprint| copies.claim(**fingerprint, 1).0 == Seen::New);
            claimed.count()
        };
        let claimed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
            threads.into_iter().map(|it| it.join().unwrap()).sum()
        });
        assert_eq!(claimed, 2000);
    }
}
