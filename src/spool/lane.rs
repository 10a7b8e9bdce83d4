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

mod view;

use std::collections::VecDeque;
use std::ops::Range;

use super::cursor::Cursor;
use super::declared::{Declarations, Why};
use super::frame::{self, Batch};
use super::oldest::Marks;
use super::settled::Settled;
use super::sync_lost::SyncLost;
use super::{ReadLimit, SEGMENT_BYTES};
use crate::observe::ledger::{LossReason, RecordCounts};
use crate::record::{Number, Origin, Record};
use crate::time::UnixMicros;

#[derive(Debug)]
struct Segment {
    /// Its place among all segments that were ever opened, in all lanes.
    opened: u64,
    first: u64,
    /// One past its last number.
    end: u64,
    bytes: Vec<u8>,
    /// How many of the bytes are in the log.
    written_bytes: usize,
}

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
    pub fn add(&mut self, origin: Origin) {
        match origin {
            Origin::Packet => self.from_packets += 1,
            Origin::Generated => self.generated += 1,
        }
    }

    fn total(self) -> u64 {
        self.from_packets + self.generated
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
    /// Records at or above `accepted`.
    in_hand: Origins,
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

/// What `drop_oldest` gave up.
pub(super) struct Dropped {
    pub bytes: usize,
    pub buffer: Vec<u8>,
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
            in_hand: Origins::default(),
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

    pub fn synced(&self) -> u64 {
        self.synced
    }

    /// Numbers below `number` survive a power cut.
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

    pub fn accepted(&self) -> u64 {
        self.accepted
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
        counts.in_hand = self.in_hand.from_packets;
        counts
    }

    pub fn pending(&self) -> u64 {
        self.counts.pending
    }

    /// Whether an accepted record waits to be read.
    pub fn has_unread(&self) -> bool {
        self.read.number < self.accepted
    }

    /// Whether the last segment takes a frame of this size. Where the one behind it was given up, it takes none any
    /// more: its numbers would have a hole that a read position behind it does not know.
    pub fn has_room(&self, size: usize) -> bool {
        self.segments.back().is_some_and(|segment| {
            segment.end == self.next && segment.bytes.len() + size <= SEGMENT_BYTES
        })
    }

    pub fn open_segment(&mut self, opened: u64, bytes: Vec<u8>) {
        let first = self.next;
        self.segments.push_back(Segment {
            opened,
            first,
            end: first,
            bytes,
            written_bytes: 0,
        });
    }

    /// Appends to the last segment, which the caller has made room in. Returns the number and the frame's size.
    pub fn append(&mut self, record: &Record<'_>) -> (Number, usize) {
        let number = self.next;
        let Some(segment) = self.segments.back_mut() else {
            return (Number(number), 0);
        };
        let size = frame::write(record, number, &mut segment.bytes);
        self.next += 1;
        segment.end = self.next;
        self.in_hand.add(record.origin);
        (Number(number), size)
    }

    /// Accepts everything that is in hand, without the log.
    pub fn accept_in_hand(&mut self) {
        let in_hand = self.in_hand;
        self.accept(self.next, in_hand);
    }

    /// The memory kind's acceptance: nothing will ever be written.
    pub fn accept_in_memory(&mut self) {
        self.accept_in_hand();
        self.written = self.next;
    }

    fn accept(&mut self, to: u64, origins: Origins) {
        self.accepted = self.accepted.max(to);
        self.in_hand.from_packets -= origins.from_packets;
        self.in_hand.generated -= origins.generated;
        self.counts.accepted += origins.total();
        self.counts.pending += origins.total();
        self.counts.from_packets += origins.from_packets;
        self.counts.generated += origins.generated;
    }

    /// Copies frames that are not in the log into `run` until it holds `bytes_max`; returns their numbers.
    pub fn copy_unwritten(&self, bytes_max: usize, run: &mut Vec<u8>) -> Range<u64> {
        let mut end = self.written;
        for segment in self
            .segments
            .iter()
            .filter(|segment| segment.end > self.written)
        {
            if run.len() >= bytes_max {
                break;
            }
            run.extend_from_slice(
                segment
                    .bytes
                    .get(segment.written_bytes..)
                    .unwrap_or_default(),
            );
            end = segment.end;
        }
        self.written..end
    }

    /// Bytes of the frames that are not in the log.
    pub fn unwritten_bytes(&self) -> usize {
        let unwritten = self.segments.iter().rev();
        unwritten
            .take_while(|segment| segment.end > self.written)
            .map(|segment| segment.bytes.len().saturating_sub(segment.written_bytes))
            .sum()
    }

    /// The log has `numbers`; `origins` are those among them that were not accepted before.
    pub fn mark_written(&mut self, numbers: Range<u64>, origins: Origins) {
        for segment in self
            .segments
            .iter_mut()
            .filter(|segment| segment.first < numbers.end)
        {
            segment.written_bytes = match segment.end <= numbers.end {
                true => segment.bytes.len(),
                false => segment.byte_of(numbers.end),
            };
        }
        self.written = self.written.max(numbers.end);
        self.accept(numbers.end, origins);
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

    /// Copies unread, accepted records that are not settled into `batch`.
    pub fn read(&mut self, limit: ReadLimit, batch: &mut Batch) {
        while batch.entries().len() < limit.records && self.read.number < self.accepted {
            let Some(segment) = self.segments.get(self.read.segment) else {
                break;
            };
            let Some(frame) = segment.bytes.get(self.read.byte..).and_then(frame::read) else {
                if self.read.segment + 1 == self.segments.len() {
                    break;
                }
                self.read = Position {
                    number: segment.end,
                    segment: self.read.segment + 1,
                    byte: 0,
                };
                continue;
            };
            if frame.number >= self.accepted {
                break;
            }
            if !self.settled.contains(frame.number) {
                let full = batch.bytes_len() + frame.key.len() + frame.payload.len() > limit.bytes;
                if full && !batch.entries().is_empty() {
                    break;
                }
                batch.push(&frame);
                self.counts.redelivered += u64::from(frame.number < self.read_max);
            }
            self.read.byte += frame.size;
            self.read.number = frame.number + 1;
        }
        self.read_max = self.read_max.max(self.read.number);
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
                    .map_or(0, |segment| segment.bytes.len());
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
    pub fn drop_oldest_unread_segment(&mut self) -> Dropped {
        let segment = self
            .first_unread_segment()
            .and_then(|index| self.segments.remove(index));
        let Some(segment) = segment else {
            return Dropped {
                bytes: 0,
                buffer: Vec::new(),
            };
        };
        self.lose(segment.first..segment.end, LossReason::SpoolFull);
        // The read position, if it stood at the start of the segment, now stands at the start of the one behind it.
        if self.read.number == segment.first {
            self.read.number = segment.end;
        }
        Dropped {
            bytes: segment.bytes.len(),
            buffer: segment.bytes,
        }
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
    pub fn forget_first_segment(&mut self) -> Dropped {
        self.note_forgotten();
        let Some(segment) = self.segments.pop_front() else {
            return Dropped {
                bytes: 0,
                buffer: Vec::new(),
            };
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
        Dropped {
            bytes: segment.bytes.len(),
            buffer: segment.bytes,
        }
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
        let bytes = segment.bytes.get(segment.byte_of(number)..);
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
    pub fn take_settled_segment(&mut self) -> Option<Vec<u8>> {
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
        Some(segment.bytes)
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

    /// Whether `number` is in the log, or acknowledged.
    pub fn is_kept(&self, number: u64) -> bool {
        number < self.written || self.settled.contains(number)
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

impl Segment {
    /// When the record of `number`, or the first one above it, arrived.
    fn received_of(&self, number: u64) -> Option<UnixMicros> {
        let frame = self
            .bytes
            .get(self.byte_of(number)..)
            .and_then(frame::read)?;
        Some(frame.received)
    }

    /// Where the frame of `number`, or of the first number above it, begins.
    fn byte_of(&self, number: u64) -> usize {
        let mut at = 0;
        while let Some(frame) = self
            .bytes
            .get(at..)
            .and_then(frame::read)
            .filter(|frame| frame.number < number)
        {
            at += frame.size;
        }
        at
    }
}
