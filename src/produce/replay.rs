//! Whether there is a backlog, and how its replay goes.
//!
//! ```text
//!  four times a second: Seen ──▶ Replay::observe ──▶ News: Began ── Goes, every 10 s ── Ended | Interrupted
//!                                     │              (for the log)
//!                                     ├──▶ has_backlog: the cap holds
//!                                     └──▶ progress: records, bytes, how fast it shrinks, time left
//! ```
//!
//! In: what is pending, whether it can be sent, the time. Out: whether that is a backlog, and words and numbers about
//! its replay. No clock, no Kafka, no spool.

use std::collections::VecDeque;

use super::Progress;

/// How long a backlog has to last before it counts, so that no burst is taken for one.
const LASTS_MS: u64 = 1_000;

/// What is always no backlog: less than one slot of the client's.
const FLOOR_BYTES: u64 = 64 * 1024;

/// A backlog is more than arrived within the last two seconds and two seconds of the cap.
const CAP_SECONDS: u64 = 2;

/// It is over when a quarter of that is left.
const OVER_PART: u64 = 4;

/// The time between two lines about a replay that goes on.
const TELL_MS: u64 = 10_000;

/// The time over which the speed is measured.
const SPEED_MS: u64 = 10_000;

/// What was seen at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// Whether a broker answers.
    pub is_connected: bool,
    /// Records that the broker has not acknowledged, of all topics.
    pub pending_records: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// Those of them whose topic takes records.
    pub moving_records: u64,
    /// Their bytes.
    pub moving_bytes: u64,
    /// Records that the broker has acknowledged since the spool began.
    pub delivered: u64,
    /// Bytes that arrived within the last two seconds.
    pub recent_bytes: u64,
}

/// What the log should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// A replay begins.
    Began(Progress),
    /// It goes on.
    Goes(Progress),
    /// There is no backlog any more.
    Ended {
        /// Records that were acknowledged meanwhile, new ones included.
        delivered: u64,
        /// How long it took.
        took_ms: u64,
    },
    /// What is left cannot be sent now.
    Interrupted {
        /// Records that were acknowledged meanwhile.
        delivered: u64,
        /// Records that are left.
        pending_records: u64,
    },
}

/// The state.
#[derive(Debug)]
pub(super) struct Replay {
    cap_bytes_per_second: Option<u64>,
    has_backlog: bool,
    /// Since when there seems to be one, while that has not lasted long enough.
    seems_since_ms: Option<u64>,
    is_new: bool,
    running: Option<Running>,
}

/// A replay that goes on.
#[derive(Debug)]
struct Running {
    began_ms: u64,
    delivered_before: u64,
    told_ms: u64,
    /// Time and bytes, four a second, of the last ten seconds.
    samples: VecDeque<(u64, u64)>,
    progress: Progress,
}

impl Replay {
    /// Nothing was seen yet.
    pub fn new(cap_bytes_per_second: Option<u64>) -> Replay {
        Replay {
            cap_bytes_per_second,
            has_backlog: false,
            seems_since_ms: None,
            is_new: true,
            running: None,
        }
    }

    /// Whether more is pending than live traffic explains.
    pub fn has_backlog(&self) -> bool {
        self.has_backlog
    }

    /// How the replay goes, while there is one.
    pub fn progress(&self) -> Option<Progress> {
        self.running.as_ref().map(|running| running.progress)
    }

    /// Takes in what is seen now.
    pub fn observe(&mut self, now_ms: u64, seen: Seen) -> Option<News> {
        self.judge(now_ms, &seen);
        let limit = match self.running {
            None => self.threshold(&seen),
            Some(_) => self.over(&seen),
        };
        let goes = self.has_backlog && seen.is_connected && seen.moving_bytes > limit;
        match (&mut self.running, goes) {
            (None, false) => None,
            (None, true) => {
                let running = Running::new(now_ms, &seen, self.cap_bytes_per_second);
                let progress = running.progress;
                self.running = Some(running);
                Some(News::Began(progress))
            }
            (Some(running), true) => running.go_on(now_ms, &seen),
            (Some(running), false) => {
                let delivered = seen.delivered.saturating_sub(running.delivered_before);
                let took_ms = now_ms.saturating_sub(running.began_ms);
                self.running = None;
                Some(match self.has_backlog {
                    true => News::Interrupted {
                        delivered,
                        pending_records: seen.pending_records,
                    },
                    false => News::Ended { delivered, took_ms },
                })
            }
        }
    }

    /// One begins when it has lasted for a second, or is there from the start; it ends at once.
    fn judge(&mut self, now_ms: u64, seen: &Seen) {
        let is_new = std::mem::take(&mut self.is_new);
        if self.has_backlog {
            self.has_backlog = seen.pending_bytes > self.over(seen);
            return;
        }
        if seen.pending_bytes <= self.threshold(seen) {
            self.seems_since_ms = None;
            return;
        }
        let since = *self.seems_since_ms.get_or_insert(now_ms);
        self.has_backlog = is_new || now_ms.saturating_sub(since) >= LASTS_MS;
        if self.has_backlog {
            self.seems_since_ms = None;
        }
    }

    fn threshold(&self, seen: &Seen) -> u64 {
        let cap = self.cap_bytes_per_second.unwrap_or(0);
        FLOOR_BYTES + seen.recent_bytes + cap.saturating_mul(CAP_SECONDS)
    }

    fn over(&self, seen: &Seen) -> u64 {
        self.threshold(seen) / OVER_PART
    }
}

impl Running {
    fn new(now_ms: u64, seen: &Seen, bytes_per_second_max: Option<u64>) -> Running {
        Running {
            began_ms: now_ms,
            delivered_before: seen.delivered,
            told_ms: now_ms,
            samples: VecDeque::from([(now_ms, seen.moving_bytes)]),
            progress: Progress {
                records: seen.moving_records,
                bytes: seen.moving_bytes,
                bytes_per_second: 0,
                seconds_left: None,
                bytes_per_second_max,
            },
        }
    }

    fn go_on(&mut self, now_ms: u64, seen: &Seen) -> Option<News> {
        self.samples.push_back((now_ms, seen.moving_bytes));
        let is_old = |(at_ms, _): &(u64, u64)| at_ms.saturating_add(SPEED_MS) < now_ms;
        while self.samples.len() > 2 && self.samples.front().is_some_and(is_old) {
            self.samples.pop_front();
        }
        let (since_ms, before) = self.samples.front().copied().unwrap_or_default();
        let passed_ms = now_ms.saturating_sub(since_ms).max(1);
        let gone = before.saturating_sub(seen.moving_bytes);
        let bytes_per_second = gone.saturating_mul(1000) / passed_ms;
        self.progress = Progress {
            records: seen.moving_records,
            bytes: seen.moving_bytes,
            bytes_per_second,
            seconds_left: seen.moving_bytes.checked_div(bytes_per_second),
            ..self.progress
        };
        if now_ms.saturating_sub(self.told_ms) < TELL_MS {
            return None;
        }
        self.told_ms = now_ms;
        Some(News::Goes(self.progress))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(bytes: u64) -> Seen {
        Seen {
            is_connected: true,
            pending_records: bytes / 500,
            pending_bytes: bytes,
            moving_records: bytes / 500,
            moving_bytes: bytes,
            delivered: 10_000 - bytes / 500,
            recent_bytes: 0,
        }
    }

    #[test]
    fn a_replay_begins_goes_on_every_ten_seconds_and_ends_with_its_totals() {
        let mut replay = Replay::new(Some(100_000));
        let mut news = Vec::new();
        for quarter in 0..=160 {
            let now_ms = 1_000 + quarter * 250;
            let left = 3_000_000_u64.saturating_sub(quarter * 25_000);
            news.extend(replay.observe(now_ms, seen(left)));
        }
        let [
            News::Began(began),
            News::Goes(first),
            News::Goes(second),
            News::Ended { delivered, took_ms },
        ] = news[..]
        else {
            panic!("{news:?}");
        };
        assert_eq!((began.records, began.bytes), (6_000, 3_000_000));
        assert_eq!(began.bytes_per_second_max, Some(100_000));
        assert_eq!(
            (first.bytes_per_second, first.seconds_left),
            (100_000, Some(20))
        );
        assert_eq!(second.seconds_left, Some(10));
        assert!((5_800..6_000).contains(&delivered), "{delivered}");
        assert!((29_000..30_000).contains(&took_ms), "{took_ms}");
        assert_eq!(replay.progress(), None);
    }

    #[test]
    fn a_burst_is_no_backlog_and_what_was_there_from_the_start_is_one_at_once() {
        let mut replay = Replay::new(None);
        assert_eq!(replay.observe(0, seen(0)), None);
        assert_eq!(replay.observe(250, seen(1_000_000)), None);
        assert_eq!(replay.observe(900, seen(1_000_000)), None);
        assert_eq!(replay.observe(1_100, seen(0)), None);
        assert_eq!(replay.observe(1_300, seen(1_000_000)), None);
        assert!(!replay.has_backlog());
        let news = replay.observe(2_300, seen(1_000_000));
        assert!(matches!(news, Some(News::Began(_))), "{news:?}");

        let mut replay = Replay::new(None);
        let news = replay.observe(0, seen(1_000_000));
        assert!(matches!(news, Some(News::Began(_))), "{news:?}");
    }

    #[test]
    fn what_live_traffic_explains_is_no_backlog() {
        let mut replay = Replay::new(None);
        for second in 0..10 {
            let live = Seen {
                recent_bytes: 2_000_000,
                ..seen(1_500_000)
            };
            assert_eq!(replay.observe(second * 1_000, live), None);
        }
        assert!(!replay.has_backlog());
    }

    #[test]
    fn a_backlog_without_a_broker_is_no_replay_and_an_outage_in_a_replay_interrupts_it() {
        let mut replay = Replay::new(Some(1));
        let away = Seen {
            is_connected: false,
            ..seen(1_000_000)
        };
        assert_eq!(replay.observe(0, away), None);
        assert!(replay.has_backlog());
        let news = replay.observe(250, seen(1_000_000));
        assert!(matches!(news, Some(News::Began(_))), "{news:?}");
        let news = replay.observe(500, away);
        let interrupted = News::Interrupted {
            delivered: 0,
            pending_records: 2_000,
        };
        assert_eq!(news, Some(interrupted));
        assert!(replay.has_backlog());
    }

    #[test]
    fn a_backlog_that_does_not_shrink_has_no_time_left() {
        let mut replay = Replay::new(None);
        for quarter in 0..20 {
            replay.observe(quarter * 250, seen(1_000_000));
        }
        let progress = replay.progress().expect("a replay");
        assert_eq!(
            (progress.bytes_per_second, progress.seconds_left),
            (0, None)
        );
    }
}
