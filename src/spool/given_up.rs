//! A record that the broker will never take: written to the dead-letter file, and only then settled.
//!
//! ```text
//!  give_up(number, reason) ──▶ memory or log: the record ──▶ dead-letters ─┬ written ──▶ settled as dead_letter
//!                                                                          └ not ──────▶ settled as lost{poison}
//! ```

use super::dead_letter::{DeadLetter, DeadLetters, DeadLettersView, LetterFile, NotSetAside};
use super::lane::Lane;
use super::{Spool, frame, inspect};
use crate::observe::ledger::LossReason;
use crate::record::{LaneId, Number};
use crate::time::UnixMicros;

/// What became of a record that the broker will never take.
#[derive(Debug)]
pub enum GivenUp {
    /// It is in the dead-letter file, counted as `dead_letter`.
    SetAside,
    /// It is gone, counted as `lost{poison}`; this is why it could not be set aside.
    Lost(NotSetAside),
    /// It was settled before.
    Settled,
}

/// A copy of one record.
#[derive(Debug)]
pub(super) struct OneRecord {
    pub topic: String,
    pub number: Number,
    pub received: UnixMicros,
    pub key: Vec<u8>,
    pub payload: Vec<u8>,
}

impl OneRecord {
    fn new(topic: &str, frame: &frame::Frame<'_>) -> OneRecord {
        OneRecord {
            topic: topic.to_owned(),
            number: Number(frame.number),
            received: frame.received,
            key: frame.key.to_vec(),
            payload: frame.payload.to_vec(),
        }
    }

    fn letter<'a>(&'a self, reason: &'a str, now: UnixMicros) -> DeadLetter<'a> {
        DeadLetter {
            topic: &self.topic,
            number: self.number,
            received: self.received,
            set_aside: now,
            reason,
            key: &self.key,
            payload: &self.payload,
        }
    }
}

impl Spool {
    /// The broker will never take this record, for `reason`: it is set aside so that the rest goes on. First the letter
    /// is written, and only then is the record settled: a kill in between sets it aside once more under the same id.
    /// Where it cannot be written, the record is lost. Waits for the disk; only the producer calls this. Whoever calls
    /// says in the log which record it was and what became of it.
    pub fn give_up(&self, lane: LaneId, number: Number, reason: &str, now: UnixMicros) -> GivenUp {
        let numbers = number.0..number.0 + 1;
        // Whoever sends letters again may hold them and hang: that holds up the delivery as well.
        let _on_disk = self
            .dead_letters
            .as_ref()
            .map(|_| self.enter_disk_to_deliver());
        let mut letters = self.dead_letters.as_ref().map(DeadLetters::lock);
        let is_settled = |lane: &Lane| lane.settled().contains(number.0);
        if self
            .lock()
            .lanes
            .get(usize::from(lane.0))
            .is_none_or(is_settled)
        {
            return GivenUp::Settled;
        }
        let written = match &mut letters {
            None => Err(NotSetAside::InMemory),
            Some(letters) => self
                .read_back(lane, number, letters)
                .and_then(|record| letters.append(&record.letter(reason, now))),
        };
        match written {
            Ok(()) => {
                self.settle(lane, |lane| lane.set_aside(numbers));
                GivenUp::SetAside
            }
            Err(why) => {
                self.settle(lane, |lane| _ = lane.lose(numbers, LossReason::Poison));
                GivenUp::Lost(why)
            }
        }
    }

    /// One record that is not settled, from memory or from the log.
    fn read_back(
        &self,
        lane: LaneId,
        number: Number,
        letters: &LetterFile,
    ) -> Result<OneRecord, NotSetAside> {
        let inner = self.lock();
        let lane = inner.lanes.get(usize::from(lane.0));
        let lane = lane.ok_or(NotSetAside::Unreadable)?;
        let topic = lane.topic().to_owned();
        let held = lane
            .frame(number.0)
            .map(|frame| OneRecord::new(&topic, &frame));
        drop(inner);
        if let Some(record) = held {
            return Ok(record);
        }
        let found = inspect::record(letters.disk(), letters.folder(), &topic, number)?;
        found.ok_or(NotSetAside::Unreadable)
    }

    /// How much the dead-letter file holds; `None` with the memory kind. Waits for nobody.
    pub fn dead_letters(&self) -> Option<DeadLettersView> {
        self.dead_letters.as_ref().map(DeadLetters::view)
    }
}
