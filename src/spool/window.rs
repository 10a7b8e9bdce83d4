//! What reports are made of, and why they are never given up.
//!
//! ```text
//!             reported_to            accepted     close_window: numbers reported_to..accepted are new, and the losses
//!                  ▼                    ▼         that no report before has declared
//!  ▕ in a report that is kept │ new      │        reported: the report is in the log (or with Kafka): both forgotten
//! ```
//!
//! Both marks and the losses are in the cursor file, so whoever starts after a kill goes on where the last report that
//! was kept ends.

use super::declared::Declared;
use super::lane::Lane;
use super::{Inner, Spool};
use crate::observe::ledger::RecordCounts;
use crate::record::{LaneId, Number};
use crate::time::UnixMicros;

/// What a report says of a lane: the numbers that are new since the last report, and what became of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneWindow {
    /// Its topic.
    pub topic: String,
    /// Numbers below are in a report that is kept.
    pub reported_to: u64,
    /// Numbers below are accepted.
    pub accepted: u64,
    /// The lowest number that is not settled: all below are delivered, or declared as missing.
    pub low: u64,
    /// Its part of the ledger, at the same moment.
    pub counts: RecordCounts,
    /// When the oldest of them arrived.
    pub oldest_received: Option<UnixMicros>,
    /// Missing numbers that no report before has declared.
    pub declared: Vec<Declared>,
}

/// The room for a lane whose records are never given up ([`Spool::never_drop`]): one in so many of all bytes.
const KEPT_SHARE: u64 = 8;

/// What such a record is taken to need: a report of four topics and some losses.
const KEPT_RECORD_BYTES: u64 = 4096;

/// So many it may hold however little there is: on a disk that is full from the start the cap is zero, and the first
/// report is what finds the disk full and has it named.
const KEPT_RECORDS_MIN: u64 = 16;

/// A lane whose records are never given up to make room, and how many it may hold: what is never given up must be
/// bounded where it comes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub lane: LaneId,
    pending_max: u64,
}

impl Kept {
    fn share(bytes_max: u64) -> u64 {
        (bytes_max / KEPT_SHARE / KEPT_RECORD_BYTES).max(KEPT_RECORDS_MIN)
    }

    /// The lanes may keep more bytes than before.
    pub fn raise(&mut self, bytes_max: u64) {
        self.pending_max = self.pending_max.max(Kept::share(bytes_max));
    }
}

impl Spool {
    /// From now on no record of `lane` is given up to make room or because of its age. In return the lane takes no more
    /// than its share of `bytes_max`, the bytes that all lanes may keep: beyond it [`Spool::append`] says `spool_full`.
    pub fn never_drop(&self, lane: LaneId, bytes_max: u64) {
        let pending_max = Kept::share(bytes_max);
        self.lock().kept = Some(Kept { lane, pending_max });
    }

    /// What a report says of every lane. The losses that it lists count as declared when [`Spool::reported`] is called,
    /// and are listed again if this is called before.
    pub fn close_window(&self) -> Vec<LaneWindow> {
        let mut inner = self.lock();
        let lanes = inner.lanes.iter_mut().enumerate();
        lanes
            .map(|(index, lane)| lane.close_window(self.views.get(index)))
            .collect()
    }

    /// The report that [`Spool::close_window`] was last called for is kept ([`Spool::is_kept`]): a cursor that is saved from
    /// now on forgets what it tells. `ends` are one past each lane's last number in it.
    pub fn reported(&self, ends: &[u64]) {
        let mut inner = self.lock();
        for (lane, end) in inner.lanes.iter_mut().zip(ends) {
            lane.reported(*end);
        }
    }

    /// Whether this record outlives the process, and the power where anything is synced, or is with Kafka already; with the
    /// memory kind, whether it is there.
    pub fn is_kept(&self, (lane, number): (LaneId, Number)) -> bool {
        let inner = self.lock();
        let lane = inner.lanes.get(usize::from(lane.0));
        lane.is_some_and(|lane| lane.is_kept(number.0, inner.report_kept))
    }

    /// Has the writer see to it that this record is soon kept, as [`Spool::is_kept`] says.
    pub fn hurry(&self, record: (LaneId, Number)) {
        let wanted = self.lock().report_kept;
        self.is_safe(record, wanted);
    }
}

impl Inner {
    /// Whether `lane` is one that is never dropped from, and holds its share.
    pub(super) fn kept_is_full(&self, lane: LaneId) -> bool {
        let kept = self.kept.filter(|kept| kept.lane == lane);
        let pending = self.lanes.get(usize::from(lane.0)).map_or(0, Lane::pending);
        kept.is_some_and(|kept| pending >= kept.pending_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ledger::LossReason;
    use crate::packet::Reason;
    use crate::record::{Origin, Record};
    use crate::spool::declared::Why;
    use crate::spool::{Config, DiskConfig, Fsync, Opened, WhenFull};

    const REPORTS: LaneId = LaneId(1);

    fn config(disk: Option<DiskConfig>) -> Config {
        Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropOldest,
            topics: vec!["a".into(), "reports".into()],
            disk,
        }
    }

    fn append(spool: &Spool, lane: LaneId) -> Result<Number, Reason> {
        let payload = [b'x'; 1000];
        spool.append(&Record {
            lane,
            received: UnixMicros(1_000),
            key: b"r1",
            payload: &payload,
            number_at: 1,
            origin: Origin::Generated,
        })
    }

    #[test]
    fn a_spool_that_may_keep_nothing_takes_some_reports() {
        let spool = Spool::new(&config(None));
        spool.never_drop(REPORTS, 0);
        for _ in 0..KEPT_RECORDS_MIN {
            append(&spool, REPORTS).unwrap();
        }
        assert_eq!(append(&spool, REPORTS), Err(Reason::SpoolFull));
    }

    #[test]
    fn a_full_spool_gives_up_other_records_and_no_report() {
        let spool = Spool::new(&config(None));
        spool.never_drop(REPORTS, 1 << 20);
        for _ in 0..10 {
            append(&spool, REPORTS).unwrap();
        }
        for _ in 0..3000 {
            append(&spool, LaneId(0)).unwrap();
        }
        let [others, reports] = &spool.close_window()[..] else {
            panic!("two lanes");
        };
        let lost = others.counts.lost[LossReason::SpoolFull as usize];
        assert!(lost > 1000, "{lost}");
        assert_eq!(reports.counts.pending, 10);
        let declared: Vec<_> = others
            .declared
            .iter()
            .map(|range| (range.first, range.last))
            .collect();
        assert_eq!(declared, [(0, lost - 1)]);
        assert_eq!((others.accepted, others.low), (3000, lost));
    }

    #[test]
    fn reports_take_no_more_than_their_share() {
        let spool = Spool::new(&config(None));
        spool.never_drop(REPORTS, 1 << 20);
        let taken = (0..1000)
            .filter(|_| append(&spool, REPORTS).is_ok())
            .count();
        assert_eq!(taken as u64, (1 << 20) / KEPT_SHARE / KEPT_RECORD_BYTES);
        assert_eq!(append(&spool, REPORTS), Err(Reason::SpoolFull));
        assert!(append(&spool, LaneId(0)).is_ok());
    }

    #[test]
    fn a_loss_is_listed_until_a_report_that_lists_it_is_kept() {
        let spool = Spool::new(&config(None));
        append(&spool, LaneId(0)).unwrap();
        append(&spool, LaneId(0)).unwrap();
        let listed = |spool: &Spool| -> Vec<u64> {
            let lanes = spool.close_window();
            lanes[0].declared.iter().map(|range| range.count).collect()
        };
        _ = spool.give_up(LaneId(0), Number(0), "POISON: test", UnixMicros(0));
        assert_eq!(listed(&spool), [1]);
        _ = spool.give_up(LaneId(0), Number(1), "POISON: test", UnixMicros(0));
        assert_eq!(listed(&spool), [2]);
        spool.reported(&[2, 0]);
        assert_eq!(listed(&spool), [0; 0]);
        assert_eq!(spool.close_window()[0].reported_to, 2);
    }

    #[test]
    fn a_kill_forgets_neither_what_was_reported_nor_what_was_not_declared() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = DiskConfig::new(folder.path().join("spool"));
        (disk.free_bytes_min, disk.fsync) = (0, Fsync::Never);
        let config = config(Some(disk.clone()));
        let Opened {
            spool, mut writer, ..
        } = Spool::open(&config, &disk).unwrap();
        for _ in 0..5 {
            append(&spool, LaneId(0)).unwrap();
        }
        let later = std::time::Instant::now() + std::time::Duration::from_secs(10);
        writer.turn(UnixMicros(2_000), later);
        spool.close_window();
        spool.reported(&[5, 0]);
        append(&spool, LaneId(0)).unwrap();
        writer.turn(UnixMicros(2_000), later);
        _ = spool.give_up(LaneId(0), Number(2), "POISON: test", UnixMicros(0));
        spool.close_window();
        writer.turn(
            UnixMicros(2_000),
            later + std::time::Duration::from_secs(10),
        );
        drop((spool, writer));
        let opened = Spool::open(&config, &disk).unwrap();
        let lane = &opened.spool.close_window()[0];
        assert_eq!((lane.reported_to, lane.accepted), (5, 6));
        let declared: Vec<_> = lane
            .declared
            .iter()
            .map(|range| (range.first, range.why))
            .collect();
        assert_eq!(declared, [(2, Why::DeadLetter)]);
    }
}
