//! Records on their way from the spool into the client.
//!
//! ```text
//!            ┌──────────────── each lane in turn, until nothing more goes ─────────────────────┐
//!            ▼                                                                                 │
//!  lane.feed: Nothing | One | Many ─▶ room in the window, pace ─▶ spool.read ─▶ slot ─▶ hand_over
//!                                                                                 ▲        │
//!                                              topic.feeding: next turn goes on ──┴─ Full ─┘
//! ```
//!
//! In: what the lanes allow and the window has room for. Out: records in flight, and those that the client refuses.

use super::{Producer, at_disk};
use crate::produce::client::{Sent, SlotId};
use crate::produce::lane::{Feed, Verdict, room};
use crate::record::LaneId;
use crate::spool::ReadLimit;

impl Producer {
    /// Hands over what the lanes and the window allow: a slot a lane in turn, until nothing more goes.
    pub(super) fn feed(&mut self, now_ms: u64) -> bool {
        let mut moved = false;
        self.advance_pace(now_ms);
        loop {
            let mut moved_now = false;
            for place in 0..self.topics.len() {
                let (index, bytes) = self.replaying.next_lane(place);
                moved_now |= self.feed_lane(index, bytes, now_ms);
            }
            if !moved_now {
                return moved;
            }
            moved = true;
        }
    }

    /// Hands over a slot of lane `index`, of at most so many bytes but always of one record. 0: nothing.
    fn feed_lane(&mut self, index: usize, bytes_max: usize, now_ms: u64) -> bool {
        let window = self.window();
        let (Some(client), Some(topic)) = (&mut self.client, self.topics.get_mut(index)) else {
            return false;
        };
        if topic.lane.wants_metadata(now_ms) {
            client.ask_about(index);
        }
        let feed = topic.lane.feed(now_ms);
        if let Some(slot) = topic.feeding.take() {
            return match feed {
                Feed::Nothing => {
                    client.finish(slot);
                    false
                }
                Feed::One | Feed::Many => self.hand_over(index, slot),
            };
        }
        let room = room(window, client.held(), index);
        let records = match feed {
            Feed::Nothing => 0,
            Feed::One => room.records.min(1),
            Feed::Many => room.records,
        };
        let bytes = room.bytes.min(bytes_max);
        if records == 0 || bytes == 0 || room.slots == 0 {
            return false;
        }
        let limit = ReadLimit { records, bytes };
        let Ok(lane) = u16::try_from(index).map(LaneId) else {
            return false;
        };
        let slot = client.load(lane, limit, |limit, batch| {
            let read = at_disk(&self.heartbeat, || self.spool.read(lane, limit, batch));
            self.replaying.spend(batch.bytes_len());
            read
        });
        slot.is_some_and(|slot| self.hand_over(index, slot))
    }

    /// Hands over a slot to its end, or as far as the client takes it.
    fn hand_over(&mut self, index: usize, slot: SlotId) -> bool {
        let mut moved = false;
        loop {
            let (Some(client), Some(topic)) = (&mut self.client, self.topics.get_mut(index)) else {
                return moved;
            };
            match client.send_next(slot) {
                Sent::Handed(number) => {
                    moved = true;
                    self.repeats += u64::from(topic.lane.handed(number));
                }
                Sent::Full => {
                    topic.feeding = Some(slot);
                    return false;
                }
                Sent::Done => {
                    client.finish(slot);
                    return moved;
                }
                // The fatal error is seen in this very turn; then the lane goes back.
                Sent::Fatal => {
                    client.finish(slot);
                    return false;
                }
                Sent::Refused(settled) => {
                    let Err(failure) = settled.result else {
                        continue;
                    };
                    let verdict = topic.lane.refused(settled.number, failure.row);
                    if verdict == Verdict::Keep {
                        client.finish(slot);
                        self.failed(&settled, failure, verdict);
                        return false;
                    }
                    moved = true;
                    self.failed(&settled, failure, verdict);
                }
            }
        }
    }
}
