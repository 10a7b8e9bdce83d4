//! Whether records are taken at present, for whoever asks if the agent can do its work.
//!
//! ```text
//!   append ─┬─ taken ────▶ nothing is refused
//!           └─ refused ──▶ Refused { since, .. } ──refusal(now): is there room meanwhile?──▶ None, or why in words
//! ```
//!
//! In: what each append came to. Out: the reason why none is taken. A record that is too large, and one beyond the share
//! of a lane that is never dropped from, say nothing about others.

use std::time::{Duration, Instant};

use super::{Inner, Keeping, Spool, WhenFull, frame};
use crate::packet::Reason;
use crate::record::Record;

/// How long the memory before the disk may be full before that is said: the longest pause of a disk that works is
/// shorter, and a flood fills it for some milliseconds.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// The record that was refused, when the last one was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    /// What it needs.
    bytes: usize,
    /// Since when none was taken.
    since: Instant,
}

impl Spool {
    /// Why no record can be appended, if that is so: the last one was refused, and there is still no room. For people.
    pub fn refusal(&self, now: Instant) -> Option<String> {
        let inner = self.lock();
        let refused = inner.refused?;
        let lasts = now.saturating_duration_since(refused.since);
        if inner.has_room(refused.bytes) {
            return None;
        }
        let full = |of: &str| {
            format!(
                "{of}, and spool.when_full is \"drop_newest\": events are refused and counted as spool_full until Kafka has taken some"
            )
        };
        match (&inner.keeping, inner.when_full) {
            (keeping, _) if inner.log_is_full => {
                let why = full(
                    "the log has all that spool.bytes_max and the free space of its disk allow",
                );
                Some(match keeping {
                    Keeping::DiskFails(fails) => {
                        format!("{why}; what came before is in memory only: {fails}")
                    }
                    Keeping::Disk | Keeping::Memory => why,
                })
            }
            (Keeping::Memory, WhenFull::DropNewest) => {
                Some(full("its memory (spool.bytes_max) is full"))
            }
            (Keeping::Memory, WhenFull::DropOldest) => Some(
                "its memory (spool.bytes_max) is full of what is with the Kafka client: events are refused and counted as spool_full"
                    .to_owned(),
            ),
            (Keeping::Disk | Keeping::DiskFails(_), _) if lasts < STALLED_AFTER => None,
            (keeping @ (Keeping::Disk | Keeping::DiskFails(_)), _) => {
                let why = match keeping {
                    Keeping::DiskFails(why) => why,
                    Keeping::Disk | Keeping::Memory => "it has taken nothing meanwhile",
                };
                Some(format!(
                    "the memory before the disk is full for {} s, events are refused and counted as spool_stalled: {why}",
                    lasts.as_secs()
                ))
            }
        }
    }
}

impl Inner {
    /// Remembers that `record` was refused for `reason`.
    #[cold]
    pub(super) fn refuse(&mut self, record: &Record<'_>, reason: Reason) {
        if reason == Reason::TooLarge || self.kept_is_full(record.lane) {
            return;
        }
        let since = self.refused.map_or_else(Instant::now, |first| first.since);
        let bytes = frame::size_max(record);
        self.refused = Some(Refused { bytes, since });
    }

    /// Whether a record of so many bytes would be taken, by what stands in [`Inner::make_room`].
    fn has_room(&self, bytes: usize) -> bool {
        if self.log_is_full {
            return false;
        }
        if self.bytes + bytes <= self.bytes_max {
            return true;
        }
        let kept = self.kept.map(|kept| usize::from(kept.lane.0));
        let mut lanes = self.lanes.iter().enumerate();
        match (&self.keeping, self.when_full) {
            (Keeping::Memory, WhenFull::DropNewest) => false,
            (Keeping::Memory, WhenFull::DropOldest) => lanes
                .any(|(index, lane)| Some(index) != kept && lane.oldest_unread_segment().is_some()),
            (Keeping::Disk | Keeping::DiskFails(_), _) => {
                lanes.any(|(_, lane)| lane.oldest_written_segment().is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{LaneId, Number, Origin};
    use crate::spool::{Batch, Config, DiskConfig, ReadLimit};

    fn config(when_full: WhenFull, disk: Option<DiskConfig>) -> Config {
        Config {
            bytes_max: 256 * 1024,
            when_full,
            topics: vec!["t".to_owned()],
            disk,
        }
    }

    fn append(spool: &Spool) -> Result<Number, Reason> {
        spool.append(&Record {
            lane: LaneId(0),
            received: crate::time::UnixMicros(1),
            key: b"r1",
            payload: &[b' '; 1_000],
            number_at: 1,
            origin: Origin::Packet,
        })
    }

    /// Appends until one is refused.
    fn fill(spool: &Spool) -> Reason {
        loop {
            if let Err(reason) = append(spool) {
                return reason;
            }
        }
    }

    #[test]
    fn a_full_memory_spool_says_that_nothing_is_appended_until_kafka_has_taken_some() {
        let spool = Spool::new(&config(WhenFull::DropNewest, None));
        let now = Instant::now();
        assert_eq!(spool.refusal(now), None);
        assert_eq!(fill(&spool), Reason::SpoolFull);
        let why = spool.refusal(now).unwrap();
        assert!(why.contains("drop_newest"), "{why}");
        let mut batch = Batch::default();
        let limit = ReadLimit {
            records: 100,
            bytes: usize::MAX,
        };
        let read = spool.read(LaneId(0), limit, &mut batch) as u64;
        assert_eq!(spool.refusal(now), Some(why));
        spool.acknowledge(LaneId(0), 0..read);
        assert_eq!(spool.refusal(now), None);
    }

    #[test]
    fn a_memory_spool_that_gives_up_the_oldest_refuses_nothing() {
        let spool = Spool::new(&config(WhenFull::DropOldest, None));
        for _ in 0..1_000 {
            append(&spool).unwrap();
        }
        assert_eq!(spool.refusal(Instant::now()), None);
    }

    #[test]
    fn a_disk_that_takes_nothing_is_said_to_refuse_after_a_second_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskConfig::new(folder.path().join("spool"));
        // Its writer is not started.
        let mut opened = Spool::open(&config(WhenFull::DropOldest, None), &disk).unwrap();
        let spool = &opened.spool;
        assert_eq!(fill(spool), Reason::SpoolStalled);
        let now = Instant::now();
        assert_eq!(spool.refusal(now), None);
        let why = spool.refusal(now + Duration::from_secs(5)).unwrap();
        assert!(why.contains("full for 5 s"), "{why}");
        assert!(why.contains("spool_stalled"), "{why}");
        let clock = Instant::now();
        opened.writer.turn(crate::time::UnixMicros(2), clock);
        assert_eq!(spool.refusal(now + Duration::from_secs(6)), None);
    }
}
