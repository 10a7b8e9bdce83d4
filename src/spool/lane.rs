//! One topic in memory: segments of frames, a read position, the settled numbers, its part of the ledger.
//!
//! ```text
//!          low                    read           written    next
//!           ▼                      ▼                ▼         ▼
//!  ▕ 3 4 5 6 7 8│9 10 11 12 13 14 15 16│17 18 19 20 21 22 23▏
//!   └ segment ─┘└ read, not settled ──┘└ unread ────┘└ in hand: the writer has them before it
//! ```
//!
//! With the memory kind this is all there is, and `written` follows `next`. With the disk kind it is the tail of the
//! log: what is written may be forgotten here to make room, and a reader that has fallen behind the oldest segment
//! reads the log instead ([`Lane::is_behind`]).

mod run;
mod segment;
mod view;

use std::collections::VecDeque;
use std::ops::Range;

use super::batch::Batch;
use super::cursor::Cursor;
use super::declared::{Declarations, Why};
use super::frame::{self, Sealing};
use super::oldest::Marks;
use super::settled::Settled;
use super::sync_lost::SyncLost;
use super::{InformAck, ReadLimit};
use crate::observe::ledger::{LossReason, RecordCounts};
use crate::record::{Number, Origin, Record};
use crate::time::UnixMicros;

pub(super) use run::Run;
use segment::Segment;
pub(super) use segment::{Freed, Shared};

/// What is left of a closed segment is shared with a batch where it is at least so much, and copied where it is less:
/// a batch keeps all of the segment in memory, and may keep twice what it needs.
const SHARED_BYTES_MIN: usize = super::SEGMENT_BYTES / 2;

/// Where the next read begins.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    number: u64,
    /// The segment that holds `number`, as its place in the deque, and the byte of the frame in it.
    segment: usize,
    byte: usize,
}

/// Records by who made them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Origins {
    pub from_packets: u64,
    pub generated: u64,
}

impl Origins {
    /// Counts one more.
    fn add(&mut self, origin: Origin) {
        match origin {
            Origin::Packet => self.from_packets += 1,
            Origin::Generated => self.generated += 1,
        }
    }

    fn total(self) -> u64 {
        self.from_packets + self.generated
    }

    /// Those that were added since it was `earlier`.
    fn since(self, earlier: Origins) -> Origins {
        Origins {
            from_packets: self.from_packets - earlier.from_packets,
            generated: self.generated - earlier.generated,
        }
    }
}

#[derive(Debug)]
pub(super) struct Lane {
    topic: String,
    segments: VecDeque<Segment>,
    next: u64,
    /// Numbers below are in the log (memory kind: `next`).
    written: u64,
    /// Numbers below are on the disk, or were settled before.
    synced: u64,
    /// Numbers below are accepted: written, or taken while the disk fails.
    accepted: u64,
    /// Of the records that this process appended.
    appended: Origins,
    /// Of those among them that lie below `accepted`; the others are in hand.
    accepted_of: Origins,
    read: Position,
    /// One past the highest number that was ever read: what is read again below it is a repeat.
    read_max: u64,
    settled: Settled,
    sync_lost: SyncLost,
    counts: RecordCounts,
    /// When records arrived that only the log has.
    marks: Marks,
    /// Numbers below are in a report that is kept.
    reported_to: u64,
    /// Losses that no report has declared.
    undeclared: Declarations,
    /// Losses that a report declares which is not yet known to be kept.
    declaring: Declarations,
}

/// How much of the memory of all lanes is in use, as far as a reader is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Little: a segment may be shared, since it will be settled long before its memory is needed.
    Ample,
    /// Half of it or more: records are copied. Room is made by forgetting segments, and one that a batch shares would
    /// not give its memory back.
    Scarce,
}

/// What became of a segment that a batch might share.
enum Sharing {
    /// It is shared, and read.
    Done,
    /// It is for the next batch: this one holds half of what it may, and has no room for all of it.
    NextTime,
    /// It cannot be shared: its frames are to be copied.
    Copied,
}

impl Lane {
    /// An empty lane that goes on where `cursor` and its log end.
    pub fn new(topic: String, next: u64, cursor: Cursor) -> Lane {
        let Cursor {
            settled,
            mut totals,
            reported_to,
            undeclared,
            counted_to: _,
        } = cursor;
        totals.pending = totals
            .accepted
            .saturating_sub(totals.delivered + totals.dead_letter + totals.lost_total());
        totals.earlier = totals.from_packets;
        let read = Position {
            number: settled.low().min(next),
            segment: 0,
            byte: 0,
        };
        Lane {
            topic,
            segments: VecDeque::new(),
            next,
            written: next,
            synced: next,
            accepted: next,
            appended: Origins::default(),
            accepted_of: Origins::default(),
            read,
            read_max: read.number,
            settled,
            sync_lost: SyncLost::default(),
            counts: totals,
            marks: Marks::default(),
            reported_to,
            undeclared,
            declaring: Declarations::default(),
        }
    }

    pub fn next(&self) -> u64 {
        self.next
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    /// Numbers below `number` survive a power cut, or were settled.
    pub fn mark_synced(&mut self, number: u64) {
        self.synced = self.synced.max(number.min(self.written));
    }

    /// A sync cannot say whether the disk has these: nobody is told that it does.
    pub fn pass_over(&mut self, numbers: Range<u64>) {
        for unsure in self.settled.unsettled_in(numbers) {
            self.sync_lost.add(unsure);
        }
    }

    /// Whether a failed sync took one of these numbers, or a sync passed it over.
    pub fn is_lost_by_sync(&self, numbers: &Range<u64>) -> bool {
        self.sync_lost.contains_any(numbers)
    }

    pub fn read_max(&self) -> u64 {
        self.read_max
    }

    pub fn topic(&self) -> &str {
        &self.topic
    }

    pub fn settled(&self) -> &Settled {
        &self.settled
    }

    pub fn counts(&self) -> RecordCounts {
        let mut counts = self.counts.clone();
        counts.in_hand = self.appended.since(self.accepted_of).from_packets;
        counts
    }

    pub fn pending(&self) -> u64 {
        self.counts.pending
    }

    /// Whether an accepted record waits to be read. Those that were given up above the read position do not,
    /// once all below them are settled.
    pub fn has_unread(&self) -> bool {
        self.read.number.max(self.settled.low()) < self.accepted
    }

    /// Whether the last segment takes a frame of this size. Where the one behind it was given up, it takes none any
    /// more: its numbers would have a hole that a read position behind it does not know.
    pub fn has_room(&self, size: usize) -> bool {
        let last = self.segments.back();
        last.is_some_and(|segment| segment.end == self.next && segment.has_room(size))
    }

    pub fn open_segment(&mut self, opened: u64, buffer: Vec<u8>) {
        if let Some(last) = self.segments.back_mut() {
            last.close(self.appended);
        }
        let segment = Segment::open(opened, self.next, buffer);
        self.segments.push_back(segment);
    }

    /// Appends to the last segment, which the caller has made room in. Returns the number and the frame's size.
    pub fn append(&mut self, record: &Record<'_>, sealing: Sealing) -> (Number, usize) {
        let number = self.next;
        let Some(segment) = self.segments.back_mut() else {
            return (Number(number), 0);
        };
        let size = segment.append(record, sealing);
        self.next = segment.end;
        self.appended.add(record.origin);
        (Number(number), size)
    }

    /// Accepts everything that is in hand, without the log.
    pub fn accept_in_hand(&mut self) {
        self.accept(self.next, self.appended);
    }

    /// The memory kind's acceptance: nothing will ever be written.
    pub fn accept_in_memory(&mut self) {
        self.accept_in_hand();
        self.written = self.next;
    }

    /// Accepts what lies below `to`; `origins` are those of all records up to there.
    fn accept(&mut self, to: u64, origins: Origins) {
        if to <= self.accepted {
            return;
        }
        let new = origins.since(self.accepted_of);
        (self.accepted, self.accepted_of) = (to, origins);
        self.counts.accepted += new.total();
        self.counts.pending += new.total();
        self.counts.from_packets += new.from_packets;
        self.counts.generated += new.generated;
    }

    /// Bytes of the frames that are not in the log.
    pub fn unwritten_bytes(&self) -> usize {
        let unwritten = self.segments.iter().rev();
        unwritten
            .take_while(|segment| segment.end > self.written)
            .map(|segment| segment.frames.len().saturating_sub(segment.written_bytes))
            .sum()
    }

    /// After a failed sync: the records from `number` on are written again.
    pub fn unwrite(&mut self, number: u64) {
        self.written = self.written.min(number);
        self.synced = self.synced.min(number);
        for segment in self
            .segments
            .iter_mut()
            .filter(|segment| segment.end > number)
        {
            segment.written_bytes = segment.byte_of(number);
        }
    }

    /// The lowest number that is still in memory.
    pub fn first_in_memory(&self) -> u64 {
        self.segments
            .front()
            .map_or(self.next, |segment| segment.first)
    }

    /// Whether the next record to read is only in the log any more.
    pub fn is_behind(&self) -> bool {
        self.read.number < self.first_in_memory() && self.has_unread()
    }

    pub fn read_number(&self) -> u64 {
        self.read.number
    }

    /// A read of the log has come to `number`, and gave out records below it.
    pub fn read_to(&mut self, number: u64, batch: &Batch) {
        let repeated = batch
            .entries()
            .iter()
            .filter(|entry| entry.number.0 < self.read_max)
            .count();
        self.counts.redelivered += repeated as u64;
        if let Some(first) = batch.entries().first() {
            self.note_received(first.number.0, first.received);
        }
        self.seek(number);
        self.read_max = self.read_max.max(number);
    }

    /// Adds unread, accepted records that are not settled to `batch`: a closed segment that was never read is shared
    /// where there is room, anything else is copied.
    pub fn read(&mut self, limit: ReadLimit, room: Room, batch: &mut Batch) {
        while batch.entries().len() < limit.records && self.read.number < self.accepted {
            let sharing = match room {
                Room::Ample => self.share_segment(limit, batch),
                Room::Scarce => Sharing::Copied,
            };
            match sharing {
                Sharing::Done => {}
                Sharing::NextTime => break,
                Sharing::Copied if self.copy_frames(limit, batch) => {}
                Sharing::Copied => break,
            }
            if !self.next_segment() {
                break;
            }
        }
        self.read_max = self.read_max.max(self.read.number);
    }

    /// Shares what is left of the segment at the read position with `batch`, where it can be.
    fn share_segment(&mut self, limit: ReadLimit, batch: &mut Batch) -> Sharing {
        let Position { number, byte, .. } = self.read;
        let Some(segment) = self.segments.get(self.read.segment) else {
            return Sharing::Copied;
        };
        // What was read before may be settled here and there, and a batch that holds it for a few records keeps much.
        let is_new = segment.end <= self.accepted && number >= self.read_max;
        let left = segment.frames.len().saturating_sub(byte);
        let shared = (is_new && left >= SHARED_BYTES_MIN).then(|| segment.share(byte));
        let Some(shared) = shared.flatten() else {
            return Sharing::Copied;
        };
        let records = batch.entries().len() as u64 + segment.end - number;
        if records > limit.records as u64 || batch.bytes_len() + left > limit.bytes {
            let is_half_full = batch.entries().len() >= limit.records.div_ceil(2)
                || batch.bytes_len() >= limit.bytes.div_ceil(2);
            return match is_half_full {
                true => Sharing::NextTime,
                false => Sharing::Copied,
            };
        }
        let settled = &self.settled;
        batch.share(shared, |number| !settled.contains(number));
        (self.read.number, self.read.byte) = (segment.end, segment.frames.len());
        Sharing::Done
    }

    /// Copies what is left of the segment at the read position; says whether that was all of it.
    fn copy_frames(&mut self, limit: ReadLimit, batch: &mut Batch) -> bool {
        let Some(segment) = self.segments.get(self.read.segment) else {
            return false;
        };
        while let Some(frame) = segment.frames.get(self.read.byte..).and_then(frame::read) {
            if frame.number >= self.accepted || batch.entries().len() >= limit.records {
                return false;
            }
            if !self.settled.contains(frame.number) {
                let full = batch.bytes_len() + frame.key.len() + frame.payload.len() > limit.bytes;
                if full && !batch.entries().is_empty() {
                    return false;
                }
                batch.push(&frame);
                self.counts.redelivered += u64::from(frame.number < self.read_max);
            }
            self.read.byte += frame.size;
            self.read.number = frame.number + 1;
        }
        true
    }

    /// Goes behind the segment at the read position, which is read; says whether there is another.
    fn next_segment(&mut self) -> bool {
        let next = self.read.segment + 1;
        let here = self.segments.get(self.read.segment);
        let Some(here) = here.filter(|_| next < self.segments.len()) else {
            return false;
        };
        self.read = Position {
            number: here.end,
            segment: next,
            byte: 0,
        };
        true
    }

    /// Goes back to the lowest record that is not settled.
    pub fn rewind(&mut self) {
        let low = self.settled.low();
        if low < self.read.number {
            self.seek(low);
        }
    }

    /// Puts the read position to `number`, in memory where it is, before the first segment where only the log has it.
    fn seek(&mut self, number: u64) {
        let index = self
            .segments
            .iter()
            .position(|segment| segment.end > number);
        self.read = match index.and_then(|index| Some((index, self.segments.get(index)?))) {
            Some((segment, held)) => Position {
                number,
                segment,
                byte: held.byte_of(number),
            },
            None => {
                let byte = self
                    .segments
                    .back()
                    .map_or(0, |segment| segment.frames.len());
                Position {
                    number,
                    segment: self.segments.len().saturating_sub(1),
                    byte,
                }
            }
        };
    }

    /// When the oldest segment that the producer has not begun to read was opened.
    pub fn oldest_unread_segment(&self) -> Option<u64> {
        self.segments
            .get(self.first_unread_segment()?)
            .map(|segment| segment.opened)
    }

    /// Gives up the oldest segment that the producer has not begun to read (memory kind).
    pub fn drop_oldest_unread_segment(&mut self) -> Freed {
        let segment = self
            .first_unread_segment()
            .and_then(|index| self.segments.remove(index));
        let Some(segment) = segment else {
            return Freed::default();
        };
        self.lose(segment.first..segment.end, LossReason::SpoolFull);
        // The read position, if it stood at the start of the segment, now stands at the start of the one behind it.
        if self.read.number == segment.first {
            self.read.number = segment.end;
        }
        segment.into_freed()
    }

    fn first_unread_segment(&self) -> Option<usize> {
        let index = self.read.segment + usize::from(self.read.byte > 0);
        let segment = self.segments.get(index)?;
        (segment.end > segment.first).then_some(index)
    }

    /// When the first segment was opened, if the log has all of it, so that memory may forget it.
    pub fn oldest_written_segment(&self) -> Option<u64> {
        let segment = self.segments.front()?;
        (segment.end <= self.written && segment.end > segment.first).then_some(segment.opened)
    }

    /// Forgets the first segment, which the log has.
    pub fn forget_first_segment(&mut self) -> Freed {
        self.note_forgotten();
        let Some(segment) = self.segments.pop_front() else {
            return Freed::default();
        };
        match self.read.segment {
            0 if self.read.number >= segment.end => self.read.byte = 0,
            0 => {
                self.read = Position {
                    number: self.read.number,
                    segment: 0,
                    byte: 0,
                }
            }
            _ => self.read.segment -= 1,
        }
        segment.into_freed()
    }

    /// The broker has acknowledged these.
    pub fn deliver(&mut self, numbers: Range<u64>) {
        let settled = self.settle(numbers);
        self.counts.delivered += settled;
    }

    /// These were written to the dead-letter file.
    pub fn set_aside(&mut self, numbers: Range<u64>) {
        let accepted = numbers.start..numbers.end.min(self.accepted);
        for aside in self.settled.unsettled_in(accepted) {
            self.undeclared.add(aside, Why::DeadLetter);
        }
        let settled = self.settle(numbers);
        self.counts.dead_letter += settled;
    }

    /// The frame of `number`, if it is in memory.
    pub fn frame(&self, number: u64) -> Option<frame::Frame<'_>> {
        let mut segments = self.segments.iter();
        let segment = segments.find(|segment| segment.end > number)?;
        let bytes = segment.frames.get(segment.byte_of(number)..);
        let frame = bytes.and_then(frame::read);
        frame.filter(|frame| frame.number == number)
    }

    /// These are lost: counted, and declared by the next report.
    pub fn lose(&mut self, numbers: Range<u64>, reason: LossReason) -> u64 {
        let accepted = numbers.start..numbers.end.min(self.accepted);
        for lost in self.settled.unsettled_in(accepted) {
            if reason == LossReason::DiskSync {
                self.sync_lost.add(lost.clone());
            }
            self.undeclared.add(lost, Why::Lost(reason));
        }
        let settled = self.settle(numbers);
        self.counts.lost[reason as usize] += settled;
        settled
    }

    /// Settles `numbers`, as far as they were accepted; returns how many were not settled before.
    fn settle(&mut self, numbers: Range<u64>) -> u64 {
        let end = numbers.end.min(self.accepted);
        let settled = if numbers.start < end {
            self.settled.add(numbers.start..end)
        } else {
            0
        };
        self.counts.pending -= settled;
        settled
    }

    /// What the disk never took, when the process ends.
    pub fn abandon_unwritten(&mut self) -> u64 {
        self.lose(self.written..self.accepted, LossReason::ProcessEnd)
    }

    /// What is left when a memory spool ends.
    pub fn abandon(&mut self) -> u64 {
        self.lose(0..self.accepted, LossReason::ProcessEnd)
    }

    /// Takes the first segment out if all of it is settled.
    pub fn take_settled_segment(&mut self) -> Option<Freed> {
        let first = self.segments.front()?;
        if first.end > self.settled.low() || first.end == first.first {
            return None;
        }
        let segment = self.segments.pop_front()?;
        // Delivered while the disk failed: the log goes on behind it.
        self.written = self.written.max(segment.end);
        self.synced = self.synced.max(segment.end);
        if self.read.segment > 0 {
            self.read.segment -= 1;
        } else {
            self.read = Position {
                number: self.read.number.max(segment.end),
                segment: 0,
                byte: 0,
            };
        }
        Some(segment.into_freed())
    }

    /// What a crash must find: which records are settled, and what was counted of those that are in the log.
    pub fn cursor(&self) -> Cursor {
        Cursor {
            settled: self.settled.clone(),
            counted_to: self.accepted,
            totals: self.counts.clone(),
            reported_to: self.reported_to,
            undeclared: {
                let mut undeclared = self.declaring.clone();
                undeclared.extend(self.undeclared.clone());
                undeclared
            },
        }
    }

    /// The report of the last window is kept; it covers the numbers below `end`.
    pub fn reported(&mut self, end: u64) {
        self.reported_to = self.reported_to.max(end);
        self.declaring = Declarations::default();
    }

    /// Whether `number` is in the log, or on the disk where that is `wanted`; or acknowledged.
    pub fn is_kept(&self, number: u64, wanted: InformAck) -> bool {
        let is_there = number < self.safe(wanted) || self.settled.contains(number);
        is_there && !self.is_lost_by_sync(&(number..number + 1))
    }

    /// One past the last number that is as safe as this.
    pub fn safe(&self, wanted: InformAck) -> u64 {
        match wanted {
            InformAck::Written => self.written,
            InformAck::Synced => self.synced,
        }
    }

    /// Record `number`, which only the log will have, arrived at `received`.
    pub fn note_received(&mut self, number: u64, received: UnixMicros) {
        self.marks.forget_below(self.settled.low());
        self.marks.note(number, received);
    }

    /// Memory's first segment is about to be forgotten: keeps the time of the oldest record, and of one a segment among
    /// those that are with the client and can become the oldest before anything is read again.
    fn note_forgotten(&mut self) {
        let low = self.settled.low();
        let Some(segment) = self.segments.front().filter(|segment| segment.end > low) else {
            return;
        };
        let number = segment.first.max(low);
        let received = segment.received_of(number);
        if let Some(received) = received.filter(|_| number == low || number < self.read.number) {
            self.note_received(number, received);
        }
    }
}
