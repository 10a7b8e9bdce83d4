//! One outage, and what the log was told of it.
//!
//! ```text
//!  cause, time ──▶ is_news ────────▶ true: a cause that was not told yet, write a line now
//!         time ──▶ wants_reminder ─▶ true: nothing was written for a minute, write a line again
//!         time ──▶ away_ms ────────▶ how long it has lasted
//! ```
//!
//! In: causes and the time in milliseconds of the caller's clock. Out: whether a line is due. A cause is a word of
//! ours and not librdkafka's sentence: the sentence changes with each try ("after 2ms in state CONNECT, 1 identical
//! error(s) suppressed"), the outage does not.

/// The pause between two lines that only say that it still lasts.
const REMIND_MS: u64 = 60_000;

/// An outage that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outage {
    since_ms: u64,
    /// When the last line was written, or when it began.
    told_at_ms: u64,
    /// The causes that were told. They are names in our own source, so there are no more of them than that.
    causes: Vec<&'static str>,
}

impl Outage {
    /// One that begins now, and of which nothing was told.
    pub fn new(now_ms: u64) -> Outage {
        Outage {
            since_ms: now_ms,
            told_at_ms: now_ms,
            causes: Vec::new(),
        }
    }

    /// Whether `cause` is to be told now: the first time that it is seen in this outage. It counts as told then.
    pub fn is_news(&mut self, cause: &'static str, now_ms: u64) -> bool {
        if self.causes.contains(&cause) {
            return false;
        }
        self.causes.push(cause);
        self.told_at_ms = now_ms;
        true
    }

    /// Whether it is time to say that it still lasts. That counts as told then.
    pub fn wants_reminder(&mut self, now_ms: u64) -> bool {
        let due = now_ms.saturating_sub(self.told_at_ms) >= REMIND_MS;
        if due {
            self.told_at_ms = now_ms;
        }
        due
    }

    /// How long it has lasted, in milliseconds.
    pub fn away_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once_however_often_they_take_turns() {
        let mut outage = Outage::new(5);
        assert!(outage.is_news("_ALL_BROKERS_DOWN", 5));
        assert!(outage.is_news("_TRANSPORT", 6));
        for now_ms in 7..1_000 {
            assert!(!outage.is_news("_ALL_BROKERS_DOWN", now_ms));
            assert!(!outage.is_news("_TRANSPORT", now_ms));
        }
        assert!(outage.is_news("_RESOLVE", 1_000));
    }

    #[test]
    fn an_outage_is_told_again_a_minute_after_its_last_line_and_not_before() {
        let mut outage = Outage::new(0);
        assert!(outage.is_news("_TRANSPORT", 10_000));
        assert!(!outage.wants_reminder(10_000 + REMIND_MS - 1));
        assert!(outage.wants_reminder(10_000 + REMIND_MS));
        assert!(!outage.wants_reminder(10_000 + REMIND_MS + 1));
        assert!(outage.wants_reminder(10_000 + 2 * REMIND_MS));
        assert_eq!(outage.away_ms(10_000 + 2 * REMIND_MS), 130_000);
    }

    #[test]
    fn an_outage_of_which_nothing_is_known_is_told_after_a_minute() {
        let mut outage = Outage::new(0);
        assert!(!outage.wants_reminder(REMIND_MS - 1));
        assert!(outage.wants_reminder(REMIND_MS));
    }
}
