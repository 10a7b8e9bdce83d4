//! A device's own numbering of its messages: which numbers never arrived.
//!
//! ```text
//!  41 42 45 46 44 ──▶ after two seconds: missing 43
//!         └ 43, 44 awaited ┘  └ late, no gap
//!  900 901 3 4    ──▶ restart, no gap
//! ```
//!
//! In: one number, the way and the time it came. Out: ranges that are missing for good. UDP may deliver out of order, so a
//! missing number is awaited for [`LATE_MICROS`]. Where a device is heard both directly and through relays, the numbers of
//! one way are followed: a relay may be an hour behind with what it kept. Of several relays all are followed together, since
//! a device may use them by turns, except for one that is at another place in the numbering.
//!
//! Of several names that speak from one address the numbers of one are followed: others may be of other devices behind NAT
//! or a relay that nobody listed. It is the address's own name, and while it has earned none the one that came first.
//!
//! A relay may also be behind by less than that. Numbers between its last one and those of a relay that is ahead are awaited
//! until it has come past them, or has brought none of them for [`BEHIND_MICROS`]:
//!
//! ```text
//!  relay a: 8500      8501      8502 8504 ──▶ missing 8503
//!  relay b:      9000      9001
//!           └ 8501 to 8999 awaited ┘
//! ```
//!
//! What no rule can tell from a loss: a device that shares its messages out to two relays of which one is behind. The numbers
//! that the other lacks are told as missing after two seconds, and come later.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use crate::normalize::device::Numbering;
use crate::time::UnixMicros;

/// How long a number may be late. Reordering on a path takes milliseconds; two seconds is far beyond it.
pub const LATE_MICROS: i64 = 2_000_000;

/// A relay that is behind and brings nothing for so long will not bring the rest. Relays that batch do so every few seconds.
pub const BEHIND_MICROS: i64 = 60 * 1_000_000;

/// Ranges that are awaited at once; of more the one that is due first is told at once as missing.
const AWAITED_MAX: usize = 4;

/// A number so far below the last one is no late message but a counter that began again.
const RESTART_BEHIND: u64 = 1_000;

/// A step ahead larger than this is a counter that was set, not a loss: no device loses a million messages between two.
const JUMP_MAX: u64 = 1_000_000;

/// A way, or a name, whose numbers are followed is given up for another when it brought none for so long: more than the pause of a
/// device that says little.
const WAY_MICROS: i64 = 600 * 1_000_000;

/// How a number came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// From the device itself.
    #[default]
    Direct,
    /// Through the relay of this address; devices may use several by turns.
    Relayed(IpAddr),
}

/// One counter of one device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence {
    /// The way whose numbers are followed, and when it last brought one.
    way: Way,
    way_heard: UnixMicros,
    last: Option<u64>,
    /// The name whose numbers are followed, where the device has not earned it.
    name: Option<NonZeroU32>,
    awaited: Vec<Awaited>,
    /// Numbers that never came, in all.
    pub missing: u64,
    /// How often it began again.
    pub restarts: u64,
    /// It counts what the device logs, sent or not, so that no number is missing.
    is_of_log: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Awaited {
    numbers: RangeInclusive<u64>,
    /// Then it is missing.
    until: UnixMicros,
    /// The relay that has yet to come past these numbers.
    behind: Option<IpAddr>,
}

impl Sequence {
    /// The counter of what a device logs.
    pub fn of_log() -> Sequence {
        Sequence {
            is_of_log: true,
            ..Sequence::default()
        }
    }

    /// Whether the device counts what it logs.
    pub fn is_of_log(&self) -> bool {
        self.is_of_log
    }

    /// Whether the number of a message that shows this is one of a counter whose numbers are to arrive. A device that was
    /// heard to count what it logs goes on with that where a line does not show it.
    pub fn is_followed(&mut self, numbering: Numbering) -> bool {
        self.is_of_log = match numbering {
            Numbering::Sent => false,
            Numbering::Logged => true,
            Numbering::Either => self.is_of_log,
        };
        if self.is_of_log {
            self.last = None;
        }
        !self.is_of_log
    }

    /// One more number, that came this way. Ranges that are now known to be missing go to `tell`.
    pub fn hear_by(
        &mut self,
        way: Way,
        number: u64,
        now: UnixMicros,
        mut tell: impl FnMut(RangeInclusive<u64>),
    ) {
        let is_followed = now.0.saturating_sub(self.way_heard.0) < WAY_MICROS;
        match (self.last, self.way, way) {
            (None, ..) => {}
            // Another way, but it has arrived.
            (Some(_), Way::Direct, Way::Relayed(_)) if is_followed => {
                self.expire(now, tell);
                return self.arrive_late(way, number, now);
            }
            // What is between the numbers of two ways says nothing.
            (Some(_), Way::Direct, Way::Relayed(_)) | (Some(_), Way::Relayed(_), Way::Direct) => {
                self.last = None;
            }
            // So far from each other, one of two relays sends what it has kept for long, and neither shows a loss or a
            // counter that began again: the one that brought the last number does.
            (Some(last), before, _)
                if before != way
                    && (number.abs_diff(last) > RESTART_BEHIND
                        || is_small_restart(number, last)) =>
            {
                if is_followed {
                    return self.expire(now, tell);
                }
                self.last = None;
            }
            (Some(_), ..) => {}
        }
        self.hear(way, number, now, &mut tell);
        // A late one of another relay does not lead.
        if way == self.way || self.last == Some(number) {
            (self.way, self.way_heard) = (way, now);
        }
    }

    /// The next number comes under the device's own name. What is between it and those of another name says nothing.
    pub(super) fn follow_own(&mut self, name: &str) {
        if let Some(followed) = self.name
            && followed != short(name)
        {
            self.last = None;
        }
        self.name = None;
    }

    /// Whether this is the name whose numbers are followed while the device has earned none: the first one, until it has
    /// brought no number for long. What is between those of two names says nothing.
    pub(super) fn follows(&mut self, name: &str, now: UnixMicros) -> bool {
        let name = Some(short(name));
        if self.name == name {
            return true;
        }
        if self.name.is_some() && now.0.saturating_sub(self.way_heard.0) < WAY_MICROS {
            return false;
        }
        if self.name.is_some() {
            // What the other's counter counts is its own affair.
            self.is_of_log = false;
        }
        (self.name, self.last) = (name, None);
        true
    }

    /// One more number, of a message that calls its sender otherwise. A device with two names and one counter goes on from
    /// the last number, or brings one that is awaited. Any other is of another device behind the same address; where it is
    /// not, what comes under the other name right after a loss counts as lost too.
    pub fn hear_of_other_name(
        &mut self,
        number: u64,
        now: UnixMicros,
        mut tell: impl FnMut(RangeInclusive<u64>),
    ) {
        if self.last.is_some_and(|last| number == last.wrapping_add(1)) {
            return self.hear_by(Way::Direct, number, now, tell);
        }
        self.expire(now, &mut tell);
        self.arrive_late(Way::Direct, number, now);
    }

    /// One more number of the ways that are followed.
    fn hear(
        &mut self,
        way: Way,
        number: u64,
        now: UnixMicros,
        mut tell: impl FnMut(RangeInclusive<u64>),
    ) {
        self.expire(now, &mut tell);
        self.come_past(way, number, now);
        let Some(last) = self.last else {
            self.last = Some(number);
            return;
        };
        if number == last.wrapping_add(1) {
            self.last = Some(number);
        } else if number > last && number - last <= JUMP_MAX {
            self.last = Some(number);
            let behind = self.way.relay().filter(|_| self.way != way);
            self.awaited.push(Awaited {
                numbers: last + 1..=number - 1,
                until: behind.map_or(late(now), |_| far_behind(now)),
                behind,
            });
        } else if number > last || last - number > RESTART_BEHIND || is_small_restart(number, last)
        {
            self.restarts += 1;
            self.last = Some(number);
            for awaited in std::mem::take(&mut self.awaited) {
                self.lose(awaited.numbers, &mut tell);
            }
        } else {
            self.arrive_late(way, number, now);
        }
        while self.awaited.len() > AWAITED_MAX {
            let due = (0..self.awaited.len())
                .min_by_key(|place| self.awaited.get(*place).map(|awaited| awaited.until));
            let first = self.awaited.remove(due.unwrap_or_default());
            self.lose(first.numbers, &mut tell);
        }
    }

    /// What a relay was behind with and has come past is no longer to be expected of it.
    fn come_past(&mut self, way: Way, number: u64, now: UnixMicros) {
        for awaited in &mut self.awaited {
            if awaited.behind.is_some()
                && awaited.behind == way.relay()
                && number > *awaited.numbers.end()
            {
                awaited.behind = None;
                awaited.until = awaited.until.min(late(now));
            }
        }
    }

    /// What has been awaited for too long goes to `tell`.
    pub fn expire(&mut self, now: UnixMicros, mut tell: impl FnMut(RangeInclusive<u64>)) {
        let mut place = 0;
        while let Some(awaited) = self.awaited.get(place) {
            if now < awaited.until {
                place += 1;
                continue;
            }
            let gone = self.awaited.remove(place);
            self.lose(gone.numbers, &mut tell);
        }
    }

    /// The wall clock was set: nothing came later than `now`.
    pub fn clock_was_set(&mut self, now: UnixMicros) {
        self.way_heard = self.way_heard.min(now);
        let awaited = self.awaited.iter_mut();
        awaited.for_each(|awaited| awaited.until = awaited.until.min(far_behind(now)));
    }

    fn lose(&mut self, numbers: RangeInclusive<u64>, tell: &mut impl FnMut(RangeInclusive<u64>)) {
        self.missing += numbers.end() - numbers.start() + 1;
        tell(numbers);
    }

    fn arrive_late(&mut self, way: Way, number: u64, now: UnixMicros) {
        let Some(index) = self
            .awaited
            .iter()
            .position(|awaited| awaited.numbers.contains(&number))
        else {
            return;
        };
        let Awaited {
            numbers,
            until,
            behind,
        } = self.awaited.remove(index);
        let (first, last) = numbers.into_inner();
        // The relay that is behind goes on, and has come past what lies below.
        let goes_on = behind.is_some() && behind == way.relay();
        if number < last {
            let above = Awaited {
                numbers: number + 1..=last,
                until: if goes_on { far_behind(now) } else { until },
                behind,
            };
            self.awaited.insert(index, above);
        }
        if first < number {
            let below = Awaited {
                numbers: first..=number - 1,
                until: if goes_on { until.min(late(now)) } else { until },
                behind: behind.filter(|_| !goes_on),
            };
            self.awaited.insert(index, below);
        }
    }
}

impl Way {
    fn relay(self) -> Option<IpAddr> {
        match self {
            Way::Direct => None,
            Way::Relayed(relay) => Some(relay),
        }
    }
}

/// A name in so few bytes that its sender's entry is no larger for it. Who looks for another of the same makes false gaps
/// of its own address, as it could without.
fn short(name: &str) -> NonZeroU32 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    NonZeroU32::new(hasher.finish() as u32).unwrap_or(NonZeroU32::MIN)
}

/// A reload within the first thousand numbers: counters begin at 0 or 1, and those came long ago.
fn is_small_restart(number: u64, last: u64) -> bool {
    number <= 1 && last > 1 + AWAITED_MAX as u64
}

/// Until then a number may come out of order.
fn late(now: UnixMicros) -> UnixMicros {
    UnixMicros(now.0.saturating_add(LATE_MICROS))
}

/// Until then a relay that is behind may bring it.
fn far_behind(now: UnixMicros) -> UnixMicros {
    UnixMicros(now.0.saturating_add(BEHIND_MICROS))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn missing(numbers: &[u64]) -> Vec<RangeInclusive<u64>> {
        let (mut sequence, mut found) = (Sequence::default(), Vec::new());
        for (step, number) in numbers.iter().enumerate() {
            let now = UnixMicros(step as i64);
            sequence.hear_by(Way::Direct, *number, now, |range| found.push(range));
        }
        sequence.expire(UnixMicros(LATE_MICROS * 2), |range| found.push(range));
        found
    }

    #[test]
    fn a_gap_is_told_with_its_numbers_and_a_late_message_closes_it() {
        assert_eq!(missing(&[41, 42, 45]), [43..=44]);
        assert_eq!(missing(&[41, 42, 45, 44]), [43..=43]);
        assert_eq!(missing(&[41, 45, 43]), [42..=42, 44..=44]);
        assert_eq!(missing(&[41, 42, 45, 44, 43]), []);
        assert_eq!(missing(&[7, 7, 8]), []);
    }

    #[test]
    fn a_counter_that_begins_again_is_no_gap() {
        assert_eq!(missing(&[90_000, 90_001, 3, 4]), []);
        assert_eq!(missing(&[500, 501, 1, 2]), []);
        assert_eq!(missing(&[5, u64::MAX, 6]), []);
    }

    #[test]
    fn numbers_that_a_relay_brings_are_followed_only_while_none_comes_directly() {
        let mut sequence = Sequence::default();
        let mut hear = |way, number, seconds: i64| {
            let (mut found, now) = (Vec::new(), UnixMicros(seconds * 1_000_000));
            sequence.hear_by(way, number, now, |range| found.push(range));
            found
        };
        let nothing: [RangeInclusive<u64>; 0] = [];
        let relayed = Way::Relayed([10, 0, 0, 9].into());
        assert_eq!(hear(Way::Direct, 9_000, 0), nothing);
        // What a relay kept during an outage, far behind, while the device goes on.
        for number in 3_001..3_100 {
            let seconds = i64::try_from(number).unwrap() - 3_000;
            assert_eq!(hear(relayed, number, seconds), nothing);
            assert_eq!(hear(Way::Direct, 6_000 + number, seconds), nothing);
        }
        assert_eq!(hear(Way::Direct, 9_102, 100), nothing);
        assert_eq!(hear(relayed, 9_100, 101), nothing, "it came by a relay");
        assert_eq!(hear(Way::Direct, 9_103, 103), [9_101..=9_101]);
        // Then through relays alone: a gap there is one, and the step from way to way is none.
        assert_eq!(hear(relayed, 9_300, 900), nothing);
        assert_eq!(hear(relayed, 9_302, 901), nothing);
        assert_eq!(hear(relayed, 9_303, 904), [9_301..=9_301]);
        assert_eq!(hear(Way::Direct, 9_900, 905), nothing);
        assert_eq!(hear(Way::Direct, 9_901, 908), nothing);
        assert_eq!((sequence.missing, sequence.restarts), (2, 0));
    }

    /// Numbers with the relay that brought them and the second; what was told of them in all.
    fn relayed(
        numbers: impl IntoIterator<Item = (u8, u64, i64)>,
    ) -> (Vec<RangeInclusive<u64>>, u64) {
        let (mut sequence, mut found, mut last) = (Sequence::default(), Vec::new(), 0);
        for (relay, number, seconds) in numbers {
            let way = Way::Relayed([10, 0, 0, relay].into());
            let now = UnixMicros(seconds * 1_000_000);
            sequence.hear_by(way, number, now, |range| found.push(range));
            last = seconds;
        }
        let end = UnixMicros((last + 100) * 1_000_000);
        sequence.expire(end, |range| found.push(range));
        (found, sequence.restarts)
    }

    #[test]
    fn what_a_second_relay_has_kept_for_long_is_no_gap_and_no_restart() {
        for live in [1, 2] {
            // One brings the present, the other by turns what lies thousands behind.
            let both = (0..100).flat_map(|step: i64| {
                let number = step as u64;
                [
                    (live, 9_000 + number, step),
                    (3 - live, 5_000 + number, step),
                ]
            });
            assert_eq!(relayed(both), (vec![], 0));
        }
        // It goes on where the other ends, when that has said nothing for long; its own gaps are ones then.
        let after = [
            (1, 9_000, 0),
            (2, 5_000, 1),
            (2, 5_001, 700),
            (2, 5_003, 701),
        ];
        assert_eq!(relayed(after), (vec![5_002..=5_002], 0));
    }

    #[test]
    fn a_device_that_uses_relays_by_turns_is_followed_through_all_of_them() {
        let turns = |numbers: &[u64]| {
            let by = |(step, number): (usize, &u64)| (step as u8 % 2, *number, step as i64 / 10);
            relayed(numbers.iter().enumerate().map(by).collect::<Vec<_>>())
        };
        assert_eq!(turns(&[41, 42, 43, 44, 45]), (vec![], 0));
        assert_eq!(turns(&[41, 42, 45, 46, 47]), (vec![43..=44], 0));
        assert_eq!(turns(&[41, 42, 45, 44, 43, 46]), (vec![], 0));
        // It began again: the first number comes by the one relay, and the other, which led, shows it.
        assert_eq!(turns(&[9_000, 9_001, 0, 1, 2, 3]), (vec![], 1));
    }

    #[test]
    fn what_a_relay_has_kept_is_no_gap_while_it_brings_it_though_another_is_ahead_by_some_hundreds()
    {
        // One begins with what it kept, from 8500 on, one a second; the other brings the present.
        let kept = (0..500).map(|step: u64| (1, 8_500 + step, step as i64));
        let live = (0..500).map(|step: u64| (2, 9_000 + step, step as i64));
        let both: Vec<_> = kept
            .zip(live)
            .flat_map(|(kept, live)| [kept, live])
            .collect();
        assert_eq!(relayed(both.clone()), (vec![], 0));
        // What neither brings is told of all the same, and what it stops at.
        let lost = [8_600, 8_601, 9_200, 9_300, 9_301, 9_400, 9_450, 9_460];
        let with_gaps = both.into_iter().filter(|(relay, number, _)| {
            !lost.contains(number) && (*relay == 2 || *number < 8_900)
        });
        let (mut found, restarts) = relayed(with_gaps.collect::<Vec<_>>());
        found.sort_by_key(|range| *range.start());
        let expected = [
            8_600..=8_601,
            8_900..=8_999,
            9_200..=9_200,
            9_300..=9_301,
            9_400..=9_400,
            9_450..=9_450,
            9_460..=9_460,
        ];
        assert_eq!((found.as_slice(), restarts), (&expected[..], 0));
    }

    #[test]
    fn the_first_numbers_that_another_relay_has_kept_are_no_counter_that_began_again() {
        let both = (0..300).flat_map(|step: i64| {
            let number = step as u64;
            [(1, 500 + number, step), (2, number, step)]
        });
        assert_eq!(relayed(both), (vec![], 0));
        let again = [(1, 500, 0), (2, 0, 1), (1, 1, 2), (2, 2, 3), (1, 4, 4)];
        assert_eq!(relayed(again), (vec![3..=3], 1));
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_was_left_out(lost in proptest::collection::btree_set(1u64..300, 0..80)) {
            let numbers: Vec<u64> = (0..=300).filter(|number| !lost.contains(number)).collect();
            let told: std::collections::BTreeSet<u64> = missing(&numbers).into_iter().flatten().collect();
            prop_assert_eq!(told, lost);
        }

        #[test]
        fn no_numbers_make_it_panic_or_grow(numbers in proptest::collection::vec(any::<u64>(), 0..200)) {
            let mut sequence = Sequence::default();
            for (step, number) in numbers.iter().enumerate() {
                let way = [Way::Direct, Way::Relayed([10, 0, 0, 8].into()), Way::Relayed([10, 0, 0, 9].into())];
                let (way, now) = (way[(step + *number as usize) % 3], UnixMicros(step as i64 * 1000));
                sequence.hear_by(way, *number, now, |_| ());
                prop_assert!(sequence.awaited.len() <= AWAITED_MAX);
            }
        }
    }
}
