//! What is known of an engine's clock: its highest boots and time, and the starts that lie below.
//!
//! ```text
//!   message taken ─▶ hear ─▶ highest (boots, time, when) │ excused: newest start, the one before, one that went on
//!   message outside the window ─▶ may_be ─▶ whether the engine may have been started since it was heard
//! ```
//!
//! What `learn_after_reboot` takes of what is outside, and marks and counts, each message of it:
//!
//! ```text
//!   a new start   time ≤ seconds since the engine was last heard (+ a hundredth), and at least one: "started since then"
//!   ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
//!   after it      highest (boots, time) stays ─ passed ─▶ all is as before
//!     same boots      window as above, and time ≤ what passed since that start (+ 10 s and a hundredth)
//!     higher boots    time ≤ seconds since it was last heard (+ 10 s and a hundredth)
//!     a start before  as the same boots, and in step with it: later ones are forgotten once it says a later time
//!     else            a new start, or outside
//!   ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
//!   a clock that stands still (time ≤ 10 s, and no later one was heard of these boots)
//! ```
//!
//! So whoever plays back a recorded start to a silent engine opens the window for what was recorded after that start, no
//! faster than it was recorded, until the device itself is heard; and for nothing else. A message "moves" the clock when it
//! is later than what was heard, or begins a new start. Only such a one counts as having heard the engine: a copy that is
//! within the window makes no later start look too old.
//!
//! Of a device that does not raise its boots, a recorded start looks like one more restart. So the starts before the newest
//! one are kept beside it, [`RUNS_MAX`] in all: the device goes on with its own, whatever was played back since. A start
//! of which but one message was heard makes way first, so no number of first messages drives out one that went on, over
//! a restart of ours neither.
//!
//! What cannot be told from such a device: whoever goes on playing what he recorded of an earlier start, at its pace. A
//! new start that does not raise the boots is outside meanwhile, until the device has been up for longer than what was
//! played; and more than two starts that are played on drive out one that nobody heard of meanwhile.

use super::window::{Excuse, Standing, WINDOW_SECONDS};

/// By how much the clocks of a device and of this host may differ at once, in seconds: roundings and delays.
const DRIFT_SECONDS: u64 = 10;

/// By which part of what passed they may differ besides: a hundredth, far more than any crystal is wrong by.
const DRIFT_PART: u64 = 100;

/// One start of an engine, as far as it was heard. Seconds are of the caller's own clock, which never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// snmpEngineBoots.
    pub boots: u32,
    /// latestReceivedEngineTime: the latest snmpEngineTime that it said.
    pub time: u32,
    /// When it said so.
    pub at: u64,
}

/// A start that the policy excused: it is below the highest that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExcusedRun {
    /// What was heard of it.
    pub run: Run,
    /// When the engine was started, by what the first message of it said.
    pub begun: u64,
    /// Whether a later message of it was heard than the first.
    pub goes_on: bool,
}

/// Starts that are kept of an engine beside the highest: the newest one, the one before, and one that went on.
pub const RUNS_MAX: usize = 3;

/// What is known of an engine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineClock {
    /// The highest boots, and the latest time of these.
    pub highest: Run,
    /// What it says now, where that is less, and what it said before that: the newest start first.
    pub excused: [Option<ExcusedRun>; RUNS_MAX],
    /// When an authenticated message last moved either.
    pub heard: u64,
}

impl Run {
    /// Whether a message is of this start, and in its window.
    pub(super) fn is_of_now(&self, boots: u32, time: u32, now: u64) -> bool {
        let notion = u64::from(self.time) + now.saturating_sub(self.at);
        boots == self.boots && (time > self.time || u64::from(time) + WINDOW_SECONDS >= notion)
    }

    /// Goes forward to what a message says, and says whether it did.
    fn hear(&mut self, boots: u32, time: u32, now: u64) -> bool {
        let is_later = (boots, time) > (self.boots, self.time);
        if is_later {
            *self = Run {
                boots,
                time,
                at: now,
            };
        }
        is_later
    }
}

impl ExcusedRun {
    fn first(boots: u32, time: u32, now: u64) -> ExcusedRun {
        ExcusedRun {
            run: Run {
                boots,
                time,
                at: now,
            },
            begun: now.saturating_sub(time.into()),
            goes_on: false,
        }
    }

    /// Goes forward to what a message says, and says whether it did.
    fn hear(&mut self, boots: u32, time: u32, now: u64) -> bool {
        let is_later = self.run.hear(boots, time, now);
        self.goes_on |= is_later;
        is_later
    }

    /// Whether a message is of this start: in its window, and not from later than it can be up.
    fn is_of_now(&self, boots: u32, time: u32, now: u64) -> bool {
        let passed = now.saturating_sub(self.begun);
        self.run.is_of_now(boots, time, now)
            && u64::from(time) <= passed + DRIFT_SECONDS + passed / DRIFT_PART
    }

    /// Whether it is besides as late as it should be, if the engine's clock never stood still.
    fn is_in_step(&self, boots: u32, time: u32, now: u64) -> bool {
        let passed = now.saturating_sub(self.run.at);
        let behind = WINDOW_SECONDS + passed / DRIFT_PART;
        self.is_of_now(boots, time, now)
            && u64::from(time) + behind >= u64::from(self.run.time) + passed
    }
}

impl EngineClock {
    /// The clock of an engine that is heard for the first time.
    pub fn first(boots: u32, time: u32, now: u64) -> EngineClock {
        EngineClock {
            highest: Run {
                boots,
                time,
                at: now,
            },
            excused: [None; RUNS_MAX],
            heard: now,
        }
    }

    /// Whether a message that is outside the window may be the device's all the same. The module's head has the rule.
    pub(super) fn may_be(&self, boots: u32, time: u32, now: u64) -> bool {
        let silent = now.saturating_sub(self.heard);
        let [newest, ..] = self.excused;
        let mut known = self.excused.iter().flatten();
        if newest.is_some_and(|newest| newest.is_of_now(boots, time, now))
            || known.any(|excused| excused.is_in_step(boots, time, now))
        {
            return true;
        }
        let current = match newest {
            Some(newest) if boots > newest.run.boots => {
                return u64::from(time) <= silent + DRIFT_SECONDS + silent / DRIFT_PART;
            }
            Some(newest) => newest.run,
            None => self.highest,
        };
        let stands_still = boots == current.boots
            && u64::from(time) <= DRIFT_SECONDS
            && u64::from(current.time) <= DRIFT_SECONDS;
        stands_still || self.may_be_started(time, now)
    }

    /// Whether the engine may have been started since it was heard.
    fn may_be_started(&self, time: u32, now: u64) -> bool {
        let silent = now.saturating_sub(self.heard);
        // Below a hundred seconds no clock is wrong by one: of an engine that is heard, no recorded start is believed.
        silent > 0 && u64::from(time) <= silent + silent / DRIFT_PART
    }

    /// Takes over what a message said that was taken.
    pub fn hear(&mut self, boots: u32, time: u32, standing: Standing, now: u64) {
        let has_moved = match standing {
            Standing::Within => {
                let has_passed = self.highest.hear(boots, time, now);
                if has_passed {
                    self.excused = [None; RUNS_MAX];
                }
                has_passed
            }
            Standing::Excused(Excuse::Ignored) | Standing::Outside => false,
            Standing::Excused(_) => self.hear_excused(boots, time, now),
        };
        if has_moved {
            self.heard = now;
        }
    }

    /// The same of what is below the highest. Says whether it moved anything.
    fn hear_excused(&mut self, boots: u32, time: u32, now: u64) -> bool {
        let [newest, before, oldest] = self.excused;
        let in_step =
            |it: &Option<ExcusedRun>| it.is_some_and(|it| it.is_in_step(boots, time, now));
        let place = self.excused.iter().position(in_step).or_else(|| {
            // A clock that stood still for a while; of one that may have begun anew that is not believed.
            let is_newest = newest.is_some_and(|newest| newest.is_of_now(boots, time, now));
            (is_newest && !self.may_be_started(time, now)).then_some(0)
        });
        let known = place.and_then(|place| Some((place, self.excused.get_mut(place)?.as_mut()?)));
        if let Some((place, excused)) = known {
            let is_later = excused.hear(boots, time, now);
            if is_later {
                // No recording is later than all that was heard of its start: what began since was none of the device's.
                self.excused.rotate_left(place);
                let since = self.excused.iter_mut().rev().take(place);
                since.for_each(|excused| *excused = None);
            }
            return is_later;
        }
        let goes_on = before.is_some_and(|before| before.goes_on);
        let kept = if goes_on { before } else { oldest.or(before) };
        let first = ExcusedRun::first(boots, time, now);
        self.excused = [Some(first), newest, kept];
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::window::{WindowPolicy, judge};
    use super::*;

    const NOW: u64 = 1_000_000;

    fn clock(boots: u32, time: u32) -> EngineClock {
        EngineClock::first(boots, time, NOW)
    }

    #[test]
    fn a_clock_goes_forward_with_what_is_heard_and_an_excuse_is_kept_beside_it() {
        let mut known = clock(5, 1000);
        known.hear(5, 900, Standing::Within, NOW + 10);
        assert_eq!(known, clock(5, 1000), "a copy moves nothing");
        known.hear(6, 3, Standing::Within, NOW + 20);
        assert_eq!(known, EngineClock::first(6, 3, NOW + 20));
        known.hear(1, 7, Standing::Excused(Excuse::BootsBackwards), NOW + 30);
        assert_eq!(known.excused[0], Some(ExcusedRun::first(1, 7, NOW + 30)));
        assert_eq!((known.highest.boots, known.heard), (6, NOW + 30));
        known.hear(1, 2, Standing::Excused(Excuse::Ignored), NOW + 40);
        assert_eq!(known.excused[0], Some(ExcusedRun::first(1, 7, NOW + 30)));
        known.hear(6, 50, Standing::Within, NOW + 50);
        assert_eq!(known, EngineClock::first(6, 50, NOW + 50));
    }

    /// What becomes of a message, and what it teaches.
    fn take(known: &mut EngineClock, boots: u32, time: u32, now: u64) -> Standing {
        let standing = judge(
            Some(known),
            boots,
            time,
            now,
            WindowPolicy::LearnAfterReboot,
        );
        if standing != Standing::Outside {
            known.hear(boots, time, standing, now);
        }
        standing
    }

    #[test]
    fn a_recorded_start_opens_nothing_but_what_followed_it_and_no_faster() {
        const BACKWARDS: Standing = Standing::Excused(Excuse::BootsBackwards);
        let mut known = clock(5, 100_000);
        let hour = NOW + 3600;
        assert_eq!(take(&mut known, 2, 30, hour), BACKWARDS);
        for (boots, time, later, expected) in [
            (2, 5000, 1, Standing::Outside),
            (3, 500, 1, Standing::Outside),
            (4, 80_000, 1, Standing::Outside),
            (5, 99_000, 1, Standing::Outside),
            (5, 100_000, 1, Standing::Outside),
            (2, 90, 60, BACKWARDS),
            (2, 200, 61, Standing::Outside),
            (2, 3660, 3600, BACKWARDS),
            (2, 3500, 3600, Standing::Outside),
            // The device itself: what was excused is closed again.
            (5, 107_300, 3700, Standing::Within),
            (2, 3850, 3800, Standing::Outside),
            (2, 31, 3701, Standing::Outside),
        ] {
            let standing = take(&mut known, boots, time, hour + later);
            assert_eq!(standing, expected, "{boots} {time} +{later}");
        }
        assert_eq!(known.excused, [None; RUNS_MAX]);
    }

    #[test]
    fn a_recorded_start_is_not_taken_while_the_device_is_heard() {
        let mut known = clock(5, 1000);
        for (boots, time) in [(5, 0), (5, 3), (1, 0), (0, 0), (4, 10)] {
            assert_eq!(take(&mut known, boots, time, NOW), Standing::Outside);
            assert_eq!(
                take(&mut known, boots, time + 6, NOW + 5),
                Standing::Outside
            );
        }
        assert_eq!(
            take(&mut known, 5, 3, NOW + 5),
            Standing::Excused(Excuse::BootsNotRaised)
        );
    }

    #[test]
    fn a_recorded_start_does_not_silence_the_start_that_is_under_way() {
        let day = NOW + 86_400;
        for (boots, recorded) in [(1, (1, 30)), (2, (1, 20))] {
            let mut known = clock(3, 100_000);
            assert_ne!(take(&mut known, boots, 50_000, day), Standing::Outside);
            let (recorded_boots, recorded_time) = recorded;
            // Played back again and again: none of them was heard of for longer than the device itself.
            for again in 1..10 {
                let now = day + 300 * again;
                let standing = take(&mut known, recorded_boots, recorded_time, now);
                assert_ne!(standing, Standing::Outside, "{again}");
            }
            let now = day + 2720;
            assert_ne!(take(&mut known, boots, 52_720, now), Standing::Outside);
            let followed = take(&mut known, recorded_boots, 90, now + 40);
            assert_eq!(followed, Standing::Outside, "the device was heard");
        }
    }

    #[test]
    fn a_recorded_start_does_not_silence_a_device_of_which_one_message_was_heard() {
        let mut known = clock(1, 100_000);
        for (boots, time, now) in [(1, 5000, 10_000), (1, 9000, 14_000), (1, 3, 20_000)] {
            assert_ne!(take(&mut known, boots, time, NOW + now), Standing::Outside);
        }
        assert_ne!(take(&mut known, 1, 3, NOW + 20_300), Standing::Outside);
        assert_ne!(take(&mut known, 1, 400, NOW + 20_397), Standing::Outside);
    }

    #[test]
    fn a_copy_from_before_a_restart_does_not_take_the_place_of_the_new_start() {
        let mut known = clock(1, 100_000);
        assert_ne!(take(&mut known, 1, 50_000, NOW + 60_000), Standing::Outside);
        assert_ne!(take(&mut known, 1, 5, NOW + 60_010), Standing::Outside);
        // The last message of the start before, within its window; and one that is beyond it.
        assert_ne!(take(&mut known, 1, 50_000, NOW + 60_050), Standing::Outside);
        assert_eq!(take(&mut known, 1, 50_000, NOW + 60_151), Standing::Outside);
        assert_ne!(take(&mut known, 1, 400, NOW + 60_405), Standing::Outside);
    }

    #[test]
    fn a_new_start_is_not_taken_for_more_of_an_earlier_one() {
        let mut known = clock(1, 100_000);
        for (time, now) in [(5, 100_000), (20, 300_000), (1020, 301_000), (25, 400_000)] {
            assert_ne!(take(&mut known, 1, time, NOW + now), Standing::Outside);
            // It was up for longer than that when it was recorded.
            let recorded = take(&mut known, 1, 50_000, NOW + now + 50);
            assert_eq!(recorded, Standing::Outside, "{now}");
        }
        assert_ne!(take(&mut known, 1, 105, NOW + 400_080), Standing::Outside);
    }

    #[test]
    fn a_start_whose_first_traps_were_lost_is_taken_though_its_clock_runs_fast() {
        // Started a second after its last trap, or in the same one; then silent for a day, 50 millionths fast.
        for started in [0, 1] {
            let mut known = clock(1, 1_000_000);
            let now = NOW + started + 100_000;
            assert_ne!(take(&mut known, 1, 100_005, now), Standing::Outside);
            let mut known = clock(9, 1_000_000);
            assert_ne!(take(&mut known, 1, 5, NOW + 5), Standing::Outside);
            let now = NOW + 5 + started + 1_000_000;
            assert_ne!(take(&mut known, 2, 1_000_050, now), Standing::Outside);
        }
    }

    #[test]
    fn a_copy_from_before_a_new_start_does_not_lock_the_device_out() {
        let mut known = clock(5, 1000);
        assert_ne!(take(&mut known, 1, 20, NOW + 60), Standing::Outside);
        assert_eq!(take(&mut known, 5, 1000, NOW + 100), Standing::Within);
        assert_ne!(take(&mut known, 1, 70, NOW + 110), Standing::Outside);
        let mut known = clock(5, 1000);
        assert_eq!(take(&mut known, 5, 1000, NOW + 100), Standing::Within);
        assert_ne!(take(&mut known, 1, 60, NOW + 110), Standing::Outside);
    }

    #[test]
    fn clocks_that_stand_still_are_taken_marked_however_often_they_are_heard() {
        for times in [&[0][..], &[0, 1, 0, 3]] {
            for boots in [0, 1] {
                let mut known = EngineClock::first(boots, 0, NOW);
                let mut excused = 0;
                for message in 0..10_000_usize {
                    let (now, time) = (NOW + message as u64 / 10, times[message % times.len()]);
                    let standing = take(&mut known, boots, time, now);
                    assert_ne!(standing, Standing::Outside, "{boots} {time} {now}");
                    excused += u64::from(standing != Standing::Within);
                }
                assert!(excused > 8000, "{excused}");
            }
        }
    }

    proptest! {
        /// Whatever a device does to its boots when it is started, it is heard: it is only marked.
        #[test]
        fn no_device_that_is_honest_of_its_time_is_refused(
            steps in prop::collection::vec(
                (0..100_000_u64, prop::option::weighted(0.2, (0..6_u32, any::<prop::sample::Index>()))),
                1..200,
            ),
            fast_by in -5000..5000_i64,
        ) {
            // The device's own clock, in millionths: half of a hundredth is far more than a crystal is wrong by.
            let (mut now, mut clock, mut boots) = (NOW, 7_000_000_000_u64, 3);
            let mut known = EngineClock::first(boots, 7000, now);
            for (passed, start) in steps {
                now += passed;
                clock += passed * 1_000_000u64.saturating_add_signed(fast_by);
                if let Some((next, ago)) = start {
                    now += 1;
                    let ago = ago.index(passed as usize + 1) as u64;
                    (boots, clock) = (next, ago * 1_000_000u64.saturating_add_signed(fast_by));
                }
                let time = u32::try_from(clock / 1_000_000).unwrap();
                let standing = take(&mut known, boots, time, now);
                prop_assert_ne!(standing, Standing::Outside, "{} {} {:?}", boots, time, known);
            }
        }
    }

    proptest! {
        /// Recorded starts of each boots, however often and when: a device of which two messages were heard goes on.
        #[test]
        fn no_recorded_starts_silence_a_device(
            boots in 0..=3_u32,
            steps in prop::collection::vec((0..5000_u64, prop::option::weighted(0.8, 0..=3_u32)), 1..200),
        ) {
            let begun = NOW + 50_000;
            let mut known = clock(3, 1_000_000);
            for now in [begun + 50_000, begun + 50_100] {
                take(&mut known, boots, u32::try_from(now - begun).unwrap(), now);
            }
            let mut now = begun + 50_100;
            for (passed, played) in steps {
                now += passed;
                if let Some(recorded) = played {
                    take(&mut known, recorded, 3 + 7 * recorded, now);
                    continue;
                }
                let time = u32::try_from(now - begun).unwrap();
                let standing = take(&mut known, boots, time, now);
                prop_assert_ne!(standing, Standing::Outside, "{} {:?}", time, known);
            }
        }
    }

    #[test]
    fn what_is_played_of_an_earlier_start_hides_a_start_that_does_not_raise_the_boots_and_no_other()
    {
        let mut known = clock(1, 1_000_000);
        let (played, started) = (NOW + 10_000, NOW + 11_000);
        let time = |since: u64, now: u64| u32::try_from(now - since).unwrap();
        let mut stopped = played;
        for now in (played + 10..started + 500).step_by(100) {
            assert_ne!(
                take(&mut known, 1, time(played, now), now),
                Standing::Outside
            );
            if now > started + 100 {
                let own = take(&mut known, 1, time(started, now + 50), now + 50);
                assert_eq!(own, Standing::Outside);
                let raised = take(&mut known.clone(), 2, time(started, now + 50), now + 50);
                assert_eq!(raised, Standing::Within);
            }
            stopped = now;
        }
        // Then until it has been up for longer than what was played.
        let played_to = stopped - played;
        for (up, is_hidden) in [(played_to, true), (played_to + 1, false)] {
            let standing = take(&mut known, 1, time(0, up), started + up);
            assert_eq!(standing == Standing::Outside, is_hidden, "{up}");
        }
    }
}
