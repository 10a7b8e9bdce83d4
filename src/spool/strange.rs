//! Strange bytes for the readers of what lies on the disk: the entry points of the fuzzer (`tests/fuzz`), and of a test
//! that changes good bytes in ways that are the same in each run.
//!
//! ```text
//!   any bytes ──▶ frames │ segment │ cursor ──▶ no panic, no endless search, and what is claimed holds
//! ```

use std::path::Path;
use std::sync::Arc;

use super::ReadLimit;
use super::batch::Batch;
use super::cursor::{self, CursorFound};
use super::disk::{self, Disk};
use super::forgetful::ForgetfulDisk;
use super::frame::{self, Checked};
use super::log::{Config, Log};
use super::segment;

const FOLDER: &str = "/t";

fn disk_with(name: &str, bytes: &[u8]) -> Arc<dyn Disk> {
    let disk: Arc<dyn Disk> = Arc::new(ForgetfulDisk::default());
    let file = disk
        .create_new(&Path::new(FOLDER).join(name))
        .expect("a file");
    disk::write_all_at(file.as_ref(), bytes, 0).expect("written");
    disk
}

/// Frames one behind the other: one that is said to be whole can be read, lies within its bytes and has a number.
pub fn frames(mut bytes: &[u8]) {
    while frame::check(bytes) == Checked::Whole {
        let frame = frame::read(bytes).expect("a whole frame can be read");
        assert!(frame.size >= frame::HEADER_BYTES && frame.size <= bytes.len());
        assert_eq!(
            frame.key.len() + frame.payload.len() + frame::HEADER_BYTES,
            frame.size
        );
        bytes = bytes.get(frame.size..).unwrap_or_default();
    }
    if let Checked::Torn { need } = frame::check(bytes) {
        assert!(need > bytes.len(), "what is torn needs more");
    }
}

/// A folder with one segment of these bytes: it opens, or says that it is newer; what is read is in order; what is
/// missing is counted; a second opening finds the same; and it can be appended to.
pub fn segment(bytes: &[u8]) {
    let disk = disk_with(&segment::file_name(0), bytes);
    let Some(first) = contents(&disk) else {
        return;
    };
    let again = contents(&disk).expect("what opened once opens again");
    assert_eq!(first, again, "a second opening finds the same");
}

/// The numbers that can be read; `None` where the log does not open. The cursor is saved, as at a start.
fn contents(disk: &Arc<dyn Disk>) -> Option<Vec<u64>> {
    let mut opened = Log::open(disk.clone(), Path::new(FOLDER), Config::default()).ok()?;
    let totals = &opened.cursor.totals;
    let settled = totals.delivered + totals.dead_letter + totals.lost_total();
    assert_eq!(totals.accepted, totals.pending + settled);
    let limit = ReadLimit {
        records: 1000,
        bytes: 1 << 20,
    };
    let (mut reader, mut batch) = (opened.log.reader(), Batch::default());
    let (mut numbers, mut next) = (Vec::new(), opened.cursor.settled.low());
    loop {
        let range = next..opened.log.next();
        let outcome = reader
            .read(range, &opened.cursor.settled, limit, &mut batch)
            .ok()?;
        for entry in batch.entries() {
            let number = entry.number.0;
            assert!(numbers.last().is_none_or(|last| *last < number), "in order");
            numbers.push(number);
        }
        for damage in &outcome.damage {
            opened.cursor.settled.add(damage.numbers.clone());
        }
        if outcome.caught_up || outcome.next <= next {
            break;
        }
        next = outcome.next;
    }
    // Where the numbers come to their end nothing more can be taken, and nothing must break.
    if opened.log.next() < u64::MAX - 2 {
        let _ = opened.log.save_cursor(&opened.cursor);
    }
    Some(numbers)
}

/// A cursor file of these bytes: whole, damaged or newer; a whole one is the same after it is saved and read again.
pub fn cursor(bytes: &[u8]) {
    let disk = disk_with("cursor", bytes);
    let folder: Arc<Path> = Arc::from(Path::new(FOLDER));
    let Ok((cursor, CursorFound::Whole)) = cursor::load(disk.as_ref(), &folder) else {
        return;
    };
    let _ = cursor::save(disk.as_ref(), &folder, &cursor).expect("saved");
    let (again, found) = cursor::load(disk.as_ref(), &folder).expect("read");
    assert_eq!((again, found), (cursor, CursorFound::Whole));
}

/// The same for the JSON of a cursor, to which the checksum is put, so that what is behind it is reached.
pub fn cursor_text(json: &[u8]) {
    let mut bytes = json.to_vec();
    bytes.extend(format!("crc32c {:08x}\n", crc32c::crc32c(json)).bytes());
    cursor(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{LaneId, Origin, Record};
    use crate::time::UnixMicros;

    /// xorshift64*: the same changes in each run.
    struct Chance(u64);

    impl Chance {
        fn of(&mut self, most: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % most.max(1)
        }

        /// Flips, writes over, cuts, repeats and inserts, a few times.
        fn change(&mut self, good: &[u8]) -> Vec<u8> {
            let mut bytes = good.to_vec();
            for _ in 0..=self.of(4) {
                let at = self.of(bytes.len());
                let length = self.of(40).min(bytes.len() - at);
                match self.of(7) {
                    0 if !bytes.is_empty() => bytes[at] ^= 1 << self.of(8),
                    1 => bytes[at..at + length].fill([0, 0xFF, b'9'][self.of(3)]),
                    2 => bytes.truncate(at),
                    3 => {
                        let piece = bytes[at..at + length].to_vec();
                        let to = self.of(bytes.len());
                        bytes.splice(to..to, piece);
                    }
                    4 => drop(bytes.drain(at..at + length)),
                    5 => {
                        let number = [0, 1, u64::MAX, 1 << 32, u64::from(u32::MAX)][self.of(5)];
                        let number = number.to_le_bytes();
                        let end = (at + 8).min(bytes.len());
                        bytes[at..end].copy_from_slice(&number[..end - at]);
                    }
                    _ => bytes.extend(vec![0; self.of(100)]),
                }
            }
            bytes
        }
    }

    fn good_segment() -> Vec<u8> {
        let header = segment::Header {
            first: 0,
            created: UnixMicros(7),
        };
        let mut bytes = header.to_bytes().to_vec();
        let mut run = Vec::new();
        for number in 0..8 {
            let payload = "x".repeat(number as usize * 7 % 50);
            let record = Record {
                lane: LaneId(0),
                received: UnixMicros(number),
                key: b"r1",
                payload: payload.as_bytes(),
                number_at: 0,
                origin: Origin::Packet,
            };
            frame::write(&record, number as u64, frame::Sealing::Sealed, &mut run);
        }
        bytes.extend(run);
        bytes
    }

    #[test]
    fn no_change_to_a_segment_breaks_its_reader() {
        let (good, mut chance) = (good_segment(), Chance(7));
        segment(&good);
        for _ in 0..20_000 {
            segment(&chance.change(&good));
        }
    }

    #[test]
    fn no_change_to_frames_breaks_their_reader() {
        let (good, mut chance) = (good_segment()[segment::HEADER_BYTES..].to_vec(), Chance(8));
        frames(&good);
        for _ in 0..100_000 {
            frames(&chance.change(&good));
        }
    }

    #[test]
    fn no_change_to_a_cursor_breaks_its_reader() {
        let json = br#"{"version":1,"low":7,"settled":[[9,12],[20,21]],"counted_to":30,"totals":{"accepted":30,"from_packets":28,"generated":2,"delivered":9,"dead_letter":0,"redelivered":1,"lost":{"corrupt":2}}}"#;
        cursor_text(json);
        let mut chance = Chance(9);
        for _ in 0..20_000 {
            let changed = chance.change(json);
            cursor(&changed);
            cursor_text(&changed);
        }
    }

    #[test]
    fn the_frames_of_a_segment_with_right_checksums_and_wrong_numbers_are_read_or_counted() {
        let (good, mut chance) = (good_segment(), Chance(10));
        let changed_numbers = |chance: &mut Chance| {
            let (header, run) = good.split_at(segment::HEADER_BYTES);
            let mut run = run.to_vec();
            let at = chance.of(run.len() - 8);
            run[at..at + 8].copy_from_slice(&(chance.of(1 << 20) as u64).to_le_bytes());
            let mut at = 0;
            while let Some(size) = frame::read(&run[at..]).map(|frame| frame.size) {
                frame::seal(&mut run[at..at + size]);
                at += size;
            }
            [header, &run].concat()
        };
        for _ in 0..5_000 {
            segment(&changed_numbers(&mut chance));
        }
    }
}
