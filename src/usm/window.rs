//! The time window: is this message of now, or a recording? (RFC 3414, section 3.2 (7))
//!
//! ```text
//!   boots  below ours ─────────────▶ outside          boots  above ours ───────────▶ fresh: the engine was started again
//!   boots  equal: time  above the latest that was heard, or ≥ our notion − 150 s ─▶ within, else outside
//! ```
//!
//! Our notion of an engine's time is the latest that it said plus what passed since. A later one than that is always of now,
//! and becomes our notion, which so goes backwards too: a device's clock may run slow, and no recording is later than all
//! that was heard. Devices break this: some lose their boots
//! when they are started, some never count them, some send 0 and 0 for ever. [`WindowPolicy`] says what follows.

/// How far behind our notion of its time an engine may be, in seconds (RFC 3414, section 2.2.3).
pub const WINDOW_SECONDS: u64 = 150;

/// By how much the clocks of a device and of this host may differ over a silence, in seconds.
const DRIFT_SECONDS: u64 = 10;

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
    /// It is taken, and the engine learned anew, where the device may have been started since it was last heard: its time
    /// is not longer than it was silent. So a recording from just after a start can be played back once the device was
    /// silent for longer than its time says; any other recording is refused.
    #[default]
    LearnAfterReboot,
    /// It is taken whatever it says: every recording can be played back.
    Ignore,
}

/// What is known of an engine's clock. Seconds are of the caller's own clock, which never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineClock {
    /// snmpEngineBoots.
    pub boots: u32,
    /// latestReceivedEngineTime: the latest snmpEngineTime that it said.
    pub time: u32,
    /// When it said so.
    pub at: u64,
    /// When an authenticated message last came.
    pub heard: u64,
}

/// Why a message outside the window was taken all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Excuse {
    /// Boots and time are 0 and stay so: the device counts neither.
    BootsAndTimeZero,
    /// Boots went backwards.
    BootsBackwards,
    /// Boots are the same, and time began again.
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
    let ignored = |outside| match outside {
        true if policy == WindowPolicy::Ignore => Standing::Excused(Excuse::Ignored),
        true => Standing::Outside,
        false => Standing::Within,
    };
    let Some(known) = known else {
        return ignored(boots >= BOOTS_MAX);
    };
    if boots > known.boots {
        return ignored(boots >= BOOTS_MAX);
    }
    let notion = u64::from(known.time) + now.saturating_sub(known.at);
    let is_of_now = time > known.time || u64::from(time) + WINDOW_SECONDS >= notion;
    if boots == known.boots && boots < BOOTS_MAX && is_of_now {
        return Standing::Within;
    }
    let excuse = match (boots, time) {
        (0, 0) => Excuse::BootsAndTimeZero,
        _ if boots < known.boots => Excuse::BootsBackwards,
        _ => Excuse::BootsNotRaised,
    };
    let silent = now.saturating_sub(known.heard);
    match policy {
        WindowPolicy::Strict => Standing::Outside,
        WindowPolicy::LearnAfterReboot if boots >= BOOTS_MAX => Standing::Outside,
        WindowPolicy::LearnAfterReboot if u64::from(time) <= silent + DRIFT_SECONDS => {
            Standing::Excused(excuse)
        }
        WindowPolicy::LearnAfterReboot => Standing::Outside,
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

impl EngineClock {
    /// The clock of an engine that is heard for the first time.
    pub fn first(boots: u32, time: u32, now: u64) -> EngineClock {
        EngineClock {
            boots,
            time,
            at: now,
            heard: now,
        }
    }

    /// Takes over what a message said that was taken; backwards only where that was excused as a new start.
    pub fn hear(&mut self, boots: u32, time: u32, standing: Standing, now: u64) {
        let restarted = matches!(
            standing,
            Standing::Excused(
                Excuse::BootsAndTimeZero | Excuse::BootsBackwards | Excuse::BootsNotRaised
            )
        );
        let is_later = (boots, time) > (self.boots, self.time);
        if is_later || restarted {
            *self = EngineClock::first(boots, time, now);
        }
        self.heard = now;
    }
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
    fn a_clock_goes_forward_with_what_is_heard_and_back_only_after_an_excuse() {
        let mut known = clock(5, 1000);
        known.hear(5, 900, Standing::Within, NOW + 10);
        assert_eq!((known.boots, known.time, known.heard), (5, 1000, NOW + 10));
        known.hear(6, 3, Standing::Within, NOW + 20);
        assert_eq!((known.boots, known.time), (6, 3));
        known.hear(1, 7, Standing::Excused(Excuse::BootsBackwards), NOW + 30);
        assert_eq!((known.boots, known.time), (1, 7));
        known.hear(1, 2, Standing::Excused(Excuse::Ignored), NOW + 40);
        assert_eq!((known.boots, known.time), (1, 7));
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
