//! Informs that came before: a repeated one is answered again and makes no second event.
//!
//! ```text
//!   sender's address and port, user and context or community, PDU ─▶ fingerprint ─▶ seen? ─▶ its record
//! ```
//!
//! Its sender had no answer, and asks again with another message. The request-id alone does not tell a repeat: there are
//! devices that send the same one for ever. So all of the PDU is in the fingerprint, and a new event that shares the number
//! is not taken for an old one. The same message once more, played back from elsewhere, is known by
//! [`super::copies::Copies`].

use std::collections::VecDeque;
use std::collections::hash_map::{HashMap, RandomState};
use std::hash::{BuildHasher, Hash};

use crate::record::{LaneId, Number};
use crate::time::UnixMicros;

/// Messages that are remembered, some 60 bytes each: more than a storm of informs brings while one is repeated.
const REMEMBERED_MAX: usize = 8192;

/// How long one is remembered: senders give up sooner (net-snmp after 6 s, Cisco IOS by default after 60 s).
const REMEMBERED_MICROS: i64 = 300 * 1_000_000;

/// What came lately to one thread. All of one sender comes to the same thread.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    keys: RandomState,
    seen: HashMap<u64, (LaneId, Number)>,
    order: VecDeque<(u64, i64)>,
}

impl Repeats {
    /// The fingerprint of a message. Its keys are random, so nobody can make two that are alike.
    pub fn fingerprint(&self, parts: impl Hash) -> u64 {
        self.keys.hash_one(parts)
    }

    /// The record of the same message, if it came lately.
    pub fn find(&mut self, fingerprint: u64, now: UnixMicros) -> Option<(LaneId, Number)> {
        while let Some((oldest, at)) = self.order.front().copied()
            && now.0.saturating_sub(at) > REMEMBERED_MICROS
        {
            self.order.pop_front();
            self.seen.remove(&oldest);
        }
        self.seen.get(&fingerprint).copied()
    }

    /// Forgets a message: it is a new one when it comes again.
    pub fn forget(&mut self, fingerprint: u64) {
        self.seen.remove(&fingerprint);
        self.order.retain(|(it, _)| *it != fingerprint);
    }

    /// Remembers a message and its record.
    pub fn remember(&mut self, fingerprint: u64, record: (LaneId, Number), now: UnixMicros) {
        if self.order.len() >= REMEMBERED_MAX
            && let Some((oldest, _)) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.seen.insert(fingerprint, record);
        self.order.push_back((fingerprint, now.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: (LaneId, Number) = (LaneId(1), Number(7));

    #[test]
    fn a_message_is_remembered_for_five_minutes() {
        let mut repeats = Repeats::default();
        let one = repeats.fingerprint(("10.0.0.1", b"inform"));
        assert_eq!(repeats.find(one, UnixMicros(0)), None);
        repeats.remember(one, RECORD, UnixMicros(0));
        assert_eq!(repeats.find(one, UnixMicros(300_000_000)), Some(RECORD));
        assert_eq!(repeats.find(one, UnixMicros(300_000_001)), None);
        assert!(repeats.seen.is_empty() && repeats.order.is_empty());
    }

    #[test]
    fn what_is_forgotten_is_new_again_for_as_long_as_any_other() {
        let mut repeats = Repeats::default();
        repeats.remember(7, RECORD, UnixMicros(0));
        repeats.forget(7);
        assert_eq!(repeats.find(7, UnixMicros(0)), None);
        repeats.remember(7, RECORD, UnixMicros(1));
        assert_eq!(repeats.find(7, UnixMicros(300_000_001)), Some(RECORD));
    }

    #[test]
    fn a_storm_is_remembered_as_far_as_there_is_room() {
        let mut repeats = Repeats::default();
        for number in 0..100_000_u64 {
            repeats.remember(number, RECORD, UnixMicros(0));
        }
        assert_eq!(repeats.seen.len(), REMEMBERED_MAX);
        assert_eq!(repeats.order.len(), REMEMBERED_MAX);
        assert_eq!(repeats.find(99_999, UnixMicros(0)), Some(RECORD));
    }
}
