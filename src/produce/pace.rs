//! How fast a backlog may be sent (`replay.bytes_per_second`): a token bucket that new arrivals fill as well.
//!
//! ```text
//!   time passes:      + bytes_per_second ─┐                     ┌ spend: what was handed to the Kafka client
//!   a record arrives: + its bytes ────────┴▶ credit, in bytes ──┤
//!                                            at most 1 s of the │ allowance: a part of the credit for each lane,
//!                                            first and 2 s of   │ the smallest backlog first; no limit while there
//!                                            the second         └ is no backlog
//! ```
//!
//! In: the time, how many bytes have arrived, whether there is a backlog, what was handed over. Out: how many bytes a
//! lane may hand over now. No clock, no Kafka, no spool.
//!
//! Every byte that arrives allows one byte to be sent, so that live traffic is never held up by the cap and the lag
//! always shrinks; the cap is what is sent above that. Bytes are those of keys and payloads before compression.

use std::num::NonZeroU64;

/// What arrived may be sent for so long; later it counts as backlog. Longer than any turn of the producer's loop, short
/// enough that a line that was blocked is not flooded with what was saved up.
const ARRIVALS_KEPT_MS: u64 = 2_000;

/// How finely [`ARRIVALS_KEPT_MS`] is cut.
const SLOT_MS: u64 = 250;

const SLOTS: usize = (ARRIVALS_KEPT_MS / SLOT_MS) as usize;

/// How much of the cap can be saved up while nothing is sent, in seconds of it.
const BURST_SECONDS: u64 = 1;

/// What has arrived within the last two seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// All that ever arrived, when it was last looked at.
    total: u64,
    /// By the slot of time, in turn.
    slots: [u64; SLOTS],
    /// The slot of now, counted from the clock's zero.
    slot: u64,
}

impl Arrivals {
    /// Nothing has arrived but the `total` of before.
    pub fn new(now_ms: u64, total: u64) -> Arrivals {
        Arrivals {
            total,
            slots: [0; SLOTS],
            slot: now_ms / SLOT_MS,
        }
    }

    /// So many bytes have arrived in all. Returns how many of them are new.
    pub fn advance(&mut self, now_ms: u64, total: u64) -> u64 {
        let slot = now_ms / SLOT_MS;
        for passed in (self.slot + 1..=slot).take(SLOTS) {
            *self.at(passed) = 0;
        }
        self.slot = self.slot.max(slot);
        let new = total.saturating_sub(self.total);
        self.total = self.total.max(total);
        *self.at(self.slot) += new;
        new
    }

    /// What arrived within the last two seconds, in bytes.
    pub fn recent(&self) -> u64 {
        self.slots.iter().sum()
    }

    fn at(&mut self, slot: u64) -> &mut u64 {
        &mut self.slots[(slot % SLOTS as u64) as usize]
    }
}

/// The bucket.
#[derive(Debug)]
pub(super) struct Pacer {
    bytes_per_second: u64,
    /// In thousandths of a byte, so that a millisecond at any rate is a whole number. Below 0 after a record that was
    /// larger than the credit.
    credit: i64,
    at_ms: u64,
    is_on: bool,
}

impl Pacer {
    /// An empty bucket. It does not limit anything until there is a backlog.
    pub fn new(bytes_per_second: NonZeroU64, now_ms: u64) -> Pacer {
        Pacer {
            bytes_per_second: bytes_per_second.get(),
            credit: 0,
            at_ms: now_ms,
            is_on: false,
        }
    }

    /// Whether there is a backlog. The bucket is empty when one begins.
    pub fn set_backlog(&mut self, there_is_one: bool) {
        if there_is_one && !self.is_on {
            self.credit = 0;
        }
        self.is_on = there_is_one;
    }

    /// Time has come to `now_ms`, and `new_bytes` have arrived meanwhile; `recent_bytes` did within two seconds.
    pub fn advance(&mut self, now_ms: u64, new_bytes: u64, recent_bytes: u64) {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let more = thousandths(new_bytes)
            .saturating_add(whole(self.bytes_per_second.saturating_mul(passed_ms)));
        let most = thousandths(
            self.bytes_per_second
                .saturating_mul(BURST_SECONDS)
                .saturating_add(recent_bytes),
        );
        self.credit = self.credit.saturating_add(more).min(most);
    }

    /// How many bytes the next of `lanes_left` lanes may hand over; the last one may have all that is left. 0: none. A
    /// lane may exceed it by the rest of one record, so that no record is too large to be sent.
    pub fn allowance(&self, lanes_left: usize) -> usize {
        if !self.is_on {
            return usize::MAX;
        }
        let bytes = usize::try_from(self.credit.max(0) / 1000).unwrap_or(usize::MAX);
        // A thousandth of a byte is enough to go on: what is sent too much is paid back before anything else goes.
        bytes
            .div_ceil(lanes_left.max(1))
            .max(usize::from(self.credit > 0))
    }

    /// So many bytes were handed over.
    pub fn spend(&mut self, bytes: usize) {
        if self.is_on {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.credit = self.credit.saturating_sub(thousandths(bytes));
        }
    }

    /// Whether nothing may be handed over until more time has passed or more has arrived.
    pub fn is_exhausted(&self) -> bool {
        self.is_on && self.credit <= 0
    }

    /// The most bytes that should be with the client while no broker answers: they all go out at once when one does.
    /// `None` while there is no backlog.
    pub fn window_bytes_max(&self) -> Option<usize> {
        let second = usize::try_from(self.bytes_per_second).unwrap_or(usize::MAX);
        self.is_on.then_some(second)
    }
}

fn thousandths(bytes: u64) -> i64 {
    whole(bytes.saturating_mul(1000))
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECORD: u64 = 700;

    /// One turn of a producer: so many milliseconds after the one before, so many bytes arrived, and whether it can
    /// send at all.
    type Turn = (u64, u64, bool);

    /// What came of a turn.
    #[derive(Debug, Clone, Copy)]
    struct Done {
        at_ms: u64,
        arrived: u64,
        sent: u64,
    }

    fn bucket(bytes_per_second: u64) -> (Pacer, Arrivals) {
        let rate = NonZeroU64::new(bytes_per_second).expect("a rate");
        let mut pacer = Pacer::new(rate, 0);
        pacer.set_backlog(true);
        (pacer, Arrivals::new(0, 0))
    }

    /// A producer with a backlog that never ends sends whole records while it may, shared among `lanes`.
    fn run(bytes_per_second: u64, lanes: usize, turns: &[Turn]) -> Vec<Done> {
        let (mut pacer, mut arrivals) = bucket(bytes_per_second);
        let (mut at_ms, mut total) = (0, 0);
        let turn = |&(after_ms, arrived, can_send): &Turn| {
            at_ms += after_ms;
            total += arrived;
            let new = arrivals.advance(at_ms, total);
            pacer.advance(at_ms, new, arrivals.recent());
            let mut sent = 0;
            let mut moved = can_send;
            while moved {
                moved = false;
                for lane in 0..lanes {
                    let mut left = pacer.allowance(lanes - lane);
                    while left > 0 {
                        pacer.spend(RECORD as usize);
                        sent += RECORD;
                        moved = true;
                        left = left.saturating_sub(RECORD as usize);
                    }
                }
            }
            Done {
                at_ms,
                arrived,
                sent,
            }
        };
        turns.iter().map(turn).collect()
    }

    fn sum(done: &[Done], of: impl Fn(&Done) -> u64) -> u64 {
        done.iter().map(of).sum()
    }

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        let turn = (
            1..400u64,
            prop_oneof![3 => 0..2_000u64, 1 => 0..300_000u64],
            prop::bool::weighted(0.8),
        );
        prop::collection::vec(turn, 1..200)
    }

    proptest! {
        #[test]
        fn in_no_window_is_more_sent_than_arrived_and_the_cap_allow(
            rate in 1..500_000u64, lanes in 1..5usize, turns in turns(), window in (0..200usize, 0..200usize)
        ) {
            let done = run(rate, lanes, &turns);
            let (from, to) = (window.0.min(window.1) % done.len(), window.0.max(window.1) % done.len());
            let window = done.get(from.min(to)..=from.max(to)).unwrap_or_default();
            let (first, last) = (window[0], window[window.len() - 1]);
            let earlier: Vec<Done> = done.iter().copied()
                .filter(|turn| turn.at_ms <= first.at_ms && turn.at_ms + ARRIVALS_KEPT_MS + SLOT_MS > first.at_ms)
                .collect();
            let arrived = sum(window, |turn| turn.arrived) + sum(&earlier, |turn| turn.arrived);
            let cap = rate * (last.at_ms - first.at_ms) / 1000 + rate * BURST_SECONDS;
            let sent = sum(window, |turn| turn.sent);
            // A record a lane may be cut short of the credit.
            prop_assert!(sent <= arrived + cap + RECORD * lanes as u64 + 1, "{sent} > {arrived} + {cap}");
        }

        #[test]
        fn while_it_can_send_the_lag_shrinks_at_the_rate_of_the_cap(
            rate in 1..500_000u64, lanes in 1..5usize, turns in turns()
        ) {
            let turns: Vec<Turn> = turns.into_iter().map(|(after, arrived, _)| (after, arrived, true)).collect();
            let done = run(rate, lanes, &turns);
            for end in 1..=done.len() {
                let so_far = &done[..end];
                let at_ms = so_far[end - 1].at_ms;
                let wanted = sum(so_far, |turn| turn.arrived) + rate * at_ms / 1000;
                // Less than a byte is left over.
                prop_assert!(sum(so_far, |turn| turn.sent) + 1 >= wanted, "{so_far:?}");
            }
        }

        #[test]
        fn arrivals_of_two_seconds_are_what_a_plain_sum_says(turns in turns()) {
            let mut arrivals = Arrivals::new(0, 0);
            let (mut at_ms, mut total, mut seen) = (0, 0, Vec::new());
            for (after_ms, bytes, _) in turns {
                at_ms += after_ms;
                total += bytes;
                seen.push((at_ms / SLOT_MS, bytes));
                prop_assert_eq!(arrivals.advance(at_ms, total), bytes);
                let kept = |slot: u64| slot + SLOTS as u64 > at_ms / SLOT_MS;
                let plain: u64 = seen.iter().filter(|(slot, _)| kept(*slot)).map(|(_, bytes)| bytes).sum();
                prop_assert_eq!(arrivals.recent(), plain);
            }
        }
    }

    #[test]
    fn without_a_backlog_nothing_is_limited_and_nothing_is_saved_up() {
        let (mut pacer, _) = bucket(1000);
        pacer.set_backlog(false);
        pacer.advance(60_000, 1_000_000, 1_000_000);
        pacer.spend(5_000_000);
        assert_eq!(pacer.allowance(3), usize::MAX);
        assert!(!pacer.is_exhausted());
        pacer.set_backlog(true);
        assert!(pacer.is_exhausted());
        pacer.advance(60_100, 0, 0);
        assert_eq!(pacer.allowance(1), 100);
    }

    #[test]
    fn a_record_larger_than_the_bucket_goes_and_is_paid_back() {
        let (mut pacer, _) = bucket(1000);
        pacer.advance(1, 0, 0);
        assert!(pacer.allowance(1) > 0);
        pacer.spend(3_000);
        pacer.advance(2_900, 0, 0);
        assert!(pacer.is_exhausted());
        pacer.advance(3_100, 0, 0);
        assert_eq!(pacer.allowance(1), 100);
    }

    #[test]
    fn what_one_lane_does_not_take_is_there_for_the_next() {
        let (mut pacer, _) = bucket(1000);
        pacer.advance(900, 0, 0);
        assert_eq!(pacer.allowance(3), 300);
        pacer.spend(60);
        assert_eq!(pacer.allowance(2), 420);
        assert_eq!(pacer.allowance(1), 840);
    }

    #[test]
    fn what_was_saved_up_while_nothing_could_be_sent_is_a_second_of_the_cap() {
        let (mut pacer, mut arrivals) = bucket(1000);
        let new = arrivals.advance(10, 50_000);
        pacer.advance(10, new, arrivals.recent());
        let new = arrivals.advance(3_600_000, 50_000);
        pacer.advance(3_600_000, new, arrivals.recent());
        assert_eq!(pacer.allowance(1), 1000);
    }
}
