//! The time window: is this message of now, or a recording? (RFC 3414, section 3.2 (7))
//!
//! ```text
//!   boots  below ours ─────────────▶ outside          boots  above ours ───────────▶ fresh: the engine was started again
//!   boots  equal: time  above the latest that was heard, or ≥ our notion − 150 s ─▶ within, else outside
//! ```
//!
//! Our notion of an engine's time is the latest that it said plus what passed since. A later one than that is always of now,
//! and becomes our notion, which so goes backwards too: a device's clock may run slow, and no recording is later than all
//! that was heard. Devices break this: some lose their boots when they are started, some never count them, some send 0 and
//! 0 for ever. [`WindowPolicy`] says what follows.
//!
//! What `learn_after_reboot` takes of what is outside, and marks and counts, each message of it: [`super::clock`].

use super::clock::EngineClock;

/// How far behind our notion of its time an engine may be, in seconds (RFC 3414, section 2.2.3).
pub const WINDOW_SECONDS: u64 = 150;

/// Boots that latched: such an engine needs a new ID or new secrets (RFC 3414, section 2.2.2).
pub const BOOTS_MAX: u32 = i32::MAX as u32;

/// What becomes of an authenticated message that stands outside the time window of its engine.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum WindowPolicy {
    /// It is refused as `notInTimeWindow`, as RFC 3414 says. A device that lost its boots counter stays refused until it
    /// counts beyond what it had, or its engine is forgotten.
    Strict,
    /// It is taken where the device may have been started since it was last heard: its time is not longer than it was
    /// silent, but for what clocks are wrong by. So a recording from just after a start can be played back once the device was silent for longer than its
    /// time says, and after it what was recorded of the same start, at the pace at which it was recorded. Any other
    /// recording is refused, and these too as soon as the device goes beyond the boots and time that it had.
    #[default]
    LearnAfterReboot,
    /// It is taken whatever it says: every recording can be played back.
    Ignore,
}

/// Why a message outside the window was taken all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Excuse {
    /// Boots and time are 0 and stay so: the device counts neither.
    BootsAndTimeZero,
    /// Boots went backwards, and are not yet beyond what they were.
    BootsBackwards,
    /// Boots are the same, and time began again and is not yet beyond what it was.
    BootsNotRaised,
    /// The policy takes everything.
    Ignored,
}

impl Excuse {
    /// All of them.
    pub const ALL: [Excuse; 4] = [
        Excuse::BootsAndTimeZero,
        Excuse::BootsBackwards,
        Excuse::BootsNotRaised,
        Excuse::Ignored,
    ];
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the window, or of an engine that was not known.
    Within,
    /// Outside, and taken by the policy.
    Excused(Excuse),
    /// Outside: refused.
    Outside,
}

/// Judges a message of another engine, that says `boots` and `time`.
pub fn judge(
    known: Option<&EngineClock>,
    boots: u32,
    time: u32,
    now: u64,
    policy: WindowPolicy,
) -> Standing {
    let is_latched = boots >= BOOTS_MAX;
    let is_within = known.is_none_or(|known| {
        boots > known.highest.boots || known.highest.is_of_now(boots, time, now)
    });
    if is_within && !is_latched {
        return Standing::Within;
    }
    let excuse = match (boots, time) {
        (0, 0) => Excuse::BootsAndTimeZero,
        _ if known.is_some_and(|known| boots < known.highest.boots) => Excuse::BootsBackwards,
        _ => Excuse::BootsNotRaised,
    };
    let may_be = || !is_latched && known.is_some_and(|known| known.may_be(boots, time, now));
    match policy {
        WindowPolicy::LearnAfterReboot if may_be() => Standing::Excused(excuse),
        WindowPolicy::Strict | WindowPolicy::LearnAfterReboot => Standing::Outside,
        WindowPolicy::Ignore if excuse == Excuse::BootsNotRaised => {
            Standing::Excused(Excuse::Ignored)
        }
        WindowPolicy::Ignore => Standing::Excused(excuse),
    }
}

/// Whether a message to ourselves, the authoritative engine, is in the window (RFC 3414, section 3.2 (7) a).
pub fn is_within_own(own_boots: u32, own_time: u32, boots: u32, time: u32) -> bool {
    own_boots < BOOTS_MAX
        && boots == own_boots
        && u64::from(own_time.abs_diff(time)) <= WINDOW_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn clock(boots: u32, time: u32) -> EngineClock {
        EngineClock::first(boots, time, NOW)
    }

    #[test]
    fn the_window_is_150_seconds_behind_and_boots_never_go_back() {
        let known = clock(5, 1000);
        for (boots, time, later, within) in [
            (5, 1000, 0, true),
            (5, 850, 0, true),
            (5, 849, 0, false),
            (5, 1000, 150, true),
            (5, 1000, 151, false),
            (5, 90_000, 0, true),
            (6, 0, 0, true),
            (4, 90_000, 0, false),
            (BOOTS_MAX, 0, 0, false),
        ] {
            let standing = judge(Some(&known), boots, time, NOW + later, WindowPolicy::Strict);
            assert_eq!(
                standing == Standing::Within,
                within,
                "{boots} {time} +{later}: {standing:?}"
            );
        }
        assert_eq!(
            judge(None, 0, 0, NOW, WindowPolicy::Strict),
            Standing::Within
        );
    }

    #[test]
    fn a_device_that_was_started_since_it_was_heard_is_learned_again_and_a_recording_is_not() {
        let policy = WindowPolicy::LearnAfterReboot;
        let known = clock(5, 1000);
        let hour = NOW + 3600;
        assert_eq!(
            judge(Some(&known), 1, 60, hour, policy),
            Standing::Excused(Excuse::BootsBackwards)
        );
        assert_eq!(
            judge(Some(&known), 5, 60, hour, policy),
            Standing::Excused(Excuse::BootsNotRaised)
        );
        assert_eq!(
            judge(Some(&known), 0, 0, hour, policy),
            Standing::Excused(Excuse::BootsAndTimeZero)
        );
        assert_eq!(
            judge(Some(&known), 4, 90_000, hour, policy),
            Standing::Outside,
            "it says to have been up for longer than it was silent"
        );
        assert_eq!(
            judge(Some(&known), 5, 700, NOW + 300, policy),
            Standing::Outside,
            "delayed by ten minutes"
        );
    }

    #[test]
    fn ignoring_takes_everything_and_still_says_so() {
        let known = clock(5, 1000);
        for (boots, time) in [(5, 1), (1, 1), (0, 0), (BOOTS_MAX, 7)] {
            let standing = judge(Some(&known), boots, time, NOW, WindowPolicy::Ignore);
            assert!(matches!(standing, Standing::Excused(_)), "{boots} {time}");
        }
    }

    #[test]
    fn a_clock_that_runs_slow_or_fast_is_followed_for_a_year() {
        for (seconds_a_day, messages_a_day) in [(-9, 24), (-9, 1), (-600, 24), (9, 24), (600, 1)] {
            let mut known = clock(5, 1000);
            for message in 1..=365 * messages_a_day {
                let passed = 86_400 * message / messages_a_day;
                let drifted = passed + seconds_a_day * message / messages_a_day;
                let now = NOW + u64::try_from(passed).unwrap();
                let time = u32::try_from(1000 + drifted).unwrap();
                let standing = judge(Some(&known), 5, time, now, WindowPolicy::Strict);
                assert_eq!(
                    standing,
                    Standing::Within,
                    "{seconds_a_day} s a day, {passed}"
                );
                known.hear(5, time, standing, now);
                let recorded = judge(Some(&known), 5, time - 151, now, WindowPolicy::Strict);
                assert_eq!(recorded, Standing::Outside);
            }
        }
    }

    #[test]
    fn our_own_window_is_150_seconds_to_both_sides() {
        assert!(is_within_own(3, 500, 3, 350));
        assert!(is_within_own(3, 500, 3, 650));
        assert!(!is_within_own(3, 500, 3, 349));
        assert!(!is_within_own(3, 500, 3, 651));
        assert!(!is_within_own(3, 500, 2, 500));
        assert!(!is_within_own(BOOTS_MAX, 500, BOOTS_MAX, 500));
    }
}
