//! Reading: from memory where the producer keeps up, from the log where it is behind.
//!
//! ```text
//!   read ──▶ lane in memory? ──yes──▶ shared or copied under the lock
//!               │ no
//!               └──▶ place, end, settled (short lock) ──▶ LogReader (no lock) ──▶ counted (short lock)
//!                                                            └ error ──▶ again, for 30 s ──▶ the segment is given up
//! ```
//!
//! In: a lane and how much. Out: a [`Batch`], and what could not be read back, as `lost{corrupt}` and for the writer to
//! keep aside. Only the producer reads.

use std::io::ErrorKind;
use std::ops::Range;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use super::batch::Batch;
use super::disk::SpoolError;
use super::lane::Room;
use super::log::{LogReader, ReadOutcome};
use super::settled::Settled;
use super::{Inner, Keeping, ReadLimit, Spool};
use crate::observe::ledger::LossReason;
use crate::record::LaneId;

/// How long a segment that cannot be read is tried before it is given up, while the disk takes records: disks repeat a
/// failing read for some seconds by themselves, and a bus that was reset answers within twenty.
const UNREADABLE_MAX: Duration = Duration::from_secs(30);

/// How long a lane rests after a failed read: each may take a failing disk seconds.
const READ_AGAIN: Duration = Duration::from_millis(250);

/// So often a read goes on by itself that has passed settled or lost records only, before it comes back with nothing.
const EMPTY_READS_MAX: usize = 4;

/// So many of the settled ranges above the read position are copied for a read, which ends before the next of them.
/// Measured: 1 µs under the lock that receivers wait for, where a copy of ten thousand took 25 µs.
const RANGES_MAX: usize = 256;

/// Why a lane's log cannot be read at its place.
#[derive(Debug)]
pub(super) struct ReadTrouble {
    pub why: String,
    number: u64,
    since: Instant,
    tried: Instant,
}

/// A lane's state when a read of its log begins.
struct Behind {
    /// From the read position to where memory takes over, or to what is known of what is settled.
    numbers: Range<u64>,
    first_in_memory: u64,
    settled: Settled,
}

impl Spool {
    /// Puts the next unread, unsettled records of `lane` into `batch` (which is cleared first) and moves the lane's read
    /// position behind them. Returns how many there were. Reads the log, and so may wait for the disk, where the
    /// lane is behind its memory: only the producer calls this.
    pub fn read(&self, id: LaneId, limit: ReadLimit, batch: &mut Batch) -> usize {
        self.read_at(id, limit, batch, Instant::now())
    }

    /// The same at an instant of the caller's.
    pub(super) fn read_at(
        &self,
        id: LaneId,
        limit: ReadLimit,
        batch: &mut Batch,
        clock: Instant,
    ) -> usize {
        for _ in 0..EMPTY_READS_MAX {
            let moved = self.read_once(id, limit, batch, clock);
            if !moved || !batch.entries().is_empty() {
                break;
            }
        }
        batch.entries().len()
    }

    /// One read of memory or log. Says whether the read position has moved: what is settled or lost is passed, and a
    /// batch may be empty though there is more.
    fn read_once(&self, id: LaneId, limit: ReadLimit, batch: &mut Batch, clock: Instant) -> bool {
        batch.clear();
        let index = usize::from(id.0);
        let mut inner = self.lock();
        let trouble = inner.read_trouble.get(index).and_then(Option::as_ref);
        let rests = trouble.is_some_and(|trouble| clock < trouble.tried + READ_AGAIN);
        let room = match inner.bytes < inner.bytes_max / 2 {
            true => Room::Ample,
            false => Room::Scarce,
        };
        let Some(lane) = inner.lanes.get_mut(index) else {
            return false;
        };
        let number = lane.read_number();
        match self.readers.get(index).filter(|_| lane.is_behind()) {
            None => {
                lane.read(limit, room, batch);
                let moved = lane.read_number() > number;
                // What could not be read was given up meanwhile: nobody waits for it any more.
                inner.is_read_on(index);
                moved
            }
            Some(_) if rests => false,
            Some(reader) => {
                let (settled, until) = lane.settled().behind(number, RANGES_MAX);
                let from = Behind {
                    numbers: number..until.min(lane.first_in_memory()),
                    first_in_memory: lane.first_in_memory(),
                    settled,
                };
                drop(inner);
                let _on_disk = self.enter_disk_to_deliver();
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                self.read_log(id, &from, limit, batch, &mut reader, clock)
            }
        }
    }

    fn read_log(
        &self,
        id: LaneId,
        from: &Behind,
        limit: ReadLimit,
        batch: &mut Batch,
        reader: &mut LogReader,
        clock: Instant,
    ) -> bool {
        let outcome = reader.read(from.numbers.clone(), &from.settled, limit, batch);
        let mut inner = self.lock();
        match outcome {
            Ok(outcome) => inner.has_read(id, from, outcome, batch),
            Err(error) => {
                batch.clear();
                if inner.cannot_read(id, from, &error, clock) {
                    let (outcome, path) = reader.skip_segment(from.numbers.clone(), &from.settled);
                    inner.unreadable.extend(path.map(|path| (id, path)));
                    inner.has_read(id, from, outcome, batch);
                }
            }
        }
        // Counted: what is given up from here on was not read before.
        reader.release();
        let lane = inner.lanes.get(usize::from(id.0));
        lane.is_some_and(|lane| lane.read_number() > from.numbers.start)
    }
}

impl Inner {
    fn has_read(&mut self, id: LaneId, from: &Behind, outcome: ReadOutcome, batch: &Batch) {
        let index = usize::from(id.0);
        let Some(lane) = self.lanes.get_mut(index) else {
            return;
        };
        // What neither log nor memory had is gone, and was counted when it went: nothing to wait for. What memory has
        // forgotten since then came into the log behind our back, and is read next.
        let next = match outcome.caught_up {
            true => outcome.next.max(from.first_in_memory),
            false => outcome.next,
        };
        lane.read_to(next, batch);
        for damage in outcome.damage {
            lane.lose(damage.numbers.clone(), LossReason::Corrupt);
            self.damage.push((id, damage));
        }
        self.is_read_on(index);
    }

    /// The log could be read where it could not before, or does not have to be.
    fn is_read_on(&mut self, index: usize) {
        let trouble = self.read_trouble.get_mut(index).and_then(Option::take);
        if let (Some(_), Some(lane)) = (trouble, self.lanes.get(index)) {
            tracing::info!(topic = lane.topic(), "the spool's log is read on");
        }
    }

    /// Remembers that the log cannot be read; says whether it was tried for long enough.
    fn cannot_read(
        &mut self,
        id: LaneId,
        from: &Behind,
        error: &SpoolError,
        clock: Instant,
    ) -> bool {
        let index = usize::from(id.0);
        let number = from.numbers.start;
        let (Some(lane), Some(trouble)) = (self.lanes.get(index), self.read_trouble.get_mut(index))
        else {
            return false;
        };
        let here = trouble.take().filter(|trouble| trouble.number == number);
        if here.is_none() {
            tracing::error!(topic = lane.topic(), %error, "the spool's log cannot be read: what it holds waits");
        }
        // A disk that does not take records either may be away as a whole, and come back.
        let counts = self.keeping == Keeping::Disk && is_of_the_file(error);
        let since = here.filter(|_| counts).map_or(clock, |here| here.since);
        let given_up = clock.saturating_duration_since(since) >= UNREADABLE_MAX;
        if given_up {
            tracing::error!(topic = lane.topic(), %error, "a segment of the spool cannot be read: it is put aside, and its records are lost");
        }
        *trouble = Some(ReadTrouble {
            why: error.to_string(),
            number,
            since,
            tried: clock,
        });
        given_up
    }
}

/// Whether the trouble lies in the file, so that time does not heal it. Rights, a missing folder and a lack of open
/// files or memory are put right by somebody, and nothing has to be lost for them.
fn is_of_the_file(error: &SpoolError) -> bool {
    let SpoolError::Io { source, .. } = error else {
        return false;
    };
    let of_the_process = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EAGAIN];
    source.kind() != ErrorKind::NotFound
        && !source
            .raw_os_error()
            .is_some_and(|code| of_the_process.contains(&code))
}
