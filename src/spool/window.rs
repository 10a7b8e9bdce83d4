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
    /// Records not yet acknowledged.
    pub pending: u64,
    /// When the oldest of them arrived.
    pub oldest_received: Option<UnixMicros>,
    /// Missing numbers that no report before has declared.
    pub declared: Vec<Declared>,
}

/// The room for a lane whose records are never given up ([`Spool::never_drop`]): one in so many of all bytes.
const KEPT_SHARE: u64 = 8;

/// What such a record is taken to need: a report of four topics and some losses.
const KEPT_RECORD_BYTES: u64 = 4096;

/// A lane whose records are never given up to make room, and how many it may hold: what is never given up must be
/// bounded where it comes in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kept {
    pub lane: LaneId,
    pending_max: u64,
}

impl Spool {
    /// From now on no record of `lane` is given up to make room or because of its age. In return the lane takes no more
    /// than its share of `bytes_max`, the bytes that all lanes may keep: beyond it [`Spool::append`] says `spool_full`.
    pub fn never_drop(&self, lane: LaneId, bytes_max: u64) {
        let pending_max = bytes_max / KEPT_SHARE / KEPT_RECORD_BYTES;
        self.lock().kept = Some(Kept { lane, pending_max });
    }

    /// What a report says of every lane. The losses that it lists count as declared when [`Spool::reported`] is called,
    /// and are listed again if this is called before.
    pub fn close_window(&self) -> Vec<LaneWindow> {
        let mut inner = self.lock();
        inner.lanes.iter_mut().map(Lane::close_window).collect()
    }

    /// The report that [`Spool::close_window`] was last called for is kept. `ends` are one past each lane's last number
    /// in it.
    pub fn reported(&self, ends: &[u64]) {
        let mut inner = self.lock();
        for (lane, end) in inner.lanes.iter_mut().zip(ends) {
            lane.reported(*end);
        }
    }

    /// Whether this record outlives the process or is with Kafka already; with the memory kind, whether it is there.
    pub fn is_kept(&self, (lane, number): (LaneId, Number)) -> bool {
        let inner = self.lock();
        let lane = inner.lanes.get(usize::from(lane.0));
        lane.is_some_and(|lane| lane.is_kept(number.0))
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
