//! One record as bytes, the same in memory and on disk.
//!
//! ```text
//!  offset  0       4        8        12       16      24        32     36
//!          magic   length   crc32c   key      number  received  flags  key…  payload…
//!          4 bytes u32 le   u32 le   length   u64 le  i64 le    u32 le
//!                  of the            u32 le           µs        bit 0: made by the agent
//!                  frame             └──────────────────── crc32c ───────────────────┘
//!                  └────── and ──────────────────────────────┘
//! ```
//!
//! The checksum covers the length and everything behind the checksum. Whoever appends a record fills it in, while its
//! bytes are in the cache; without a disk it stays zero. The format's version stands in the segment's header.

use std::ops::Range;

use super::PAYLOAD_BYTES_MAX;
use crate::record::{Origin, Record};
use crate::time::UnixMicros;

/// The first bytes of every frame. 0xFF occurs in no UTF-8 text, so no key and no payload can contain them, and the
/// search for the next whole frame behind a damaged one cannot be led astray by what devices send.
pub(super) const MAGIC: [u8; 4] = [0xFF, b'T', b'L', 0xFE];

/// Bytes before the key.
pub(super) const HEADER_BYTES: usize = 36;

/// The most digits that a number can have.
const NUMBER_DIGITS_MAX: usize = 20;

/// The longest key on disk: hostnames end at 255 bytes, and this is far above.
pub const KEY_BYTES_MAX: usize = 4096;

/// The longest frame that is believed when it is read from disk; it also bounds what a reader keeps in memory.
pub(super) const FRAME_BYTES_MAX: usize =
    HEADER_BYTES + KEY_BYTES_MAX + PAYLOAD_BYTES_MAX + NUMBER_DIGITS_MAX;

/// Flag: the agent made this record, no packet did.
const FLAG_GENERATED: u32 = 1;

/// The most bytes that `record` can need with its number written in.
pub(super) fn size_max(record: &Record<'_>) -> usize {
    HEADER_BYTES + record.key.len() + record.payload.len() + NUMBER_DIGITS_MAX
}

/// Whether a frame gets its checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sealing {
    /// It does: the frame goes to a disk, and is checked when it is read back.
    Sealed,
    /// It does not, which saves some 50 ns: the frame lives and dies in memory. [`check`] calls it corrupt.
    Open,
}

/// Appends `record` under `number` to `out` and returns the frame's size.
pub(super) fn write(
    record: &Record<'_>,
    number: u64,
    sealing: Sealing,
    out: &mut Vec<u8>,
) -> usize {
    let at = out.len();
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(number).as_bytes();
    let (before, after) = record
        .payload
        .split_at(record.number_at.min(record.payload.len()));
    let length = HEADER_BYTES + record.key.len() + record.payload.len() + digits.len();
    let flags = match record.origin {
        Origin::Packet => 0,
        Origin::Generated => FLAG_GENERATED,
    };
    let mut header = [0; HEADER_BYTES];
    put(&mut header, 0, &MAGIC);
    put(&mut header, 4, &(length as u32).to_le_bytes());
    put(&mut header, 12, &(record.key.len() as u32).to_le_bytes());
    put(&mut header, 16, &number.to_le_bytes());
    put(&mut header, 24, &record.received.0.to_le_bytes());
    put(&mut header, 32, &flags.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(record.key);
    out.extend_from_slice(before);
    out.extend_from_slice(digits);
    out.extend_from_slice(after);
    if let (Sealing::Sealed, Some(frame)) = (sealing, out.get_mut(at..)) {
        seal(frame);
    }
    length
}

fn put(header: &mut [u8; HEADER_BYTES], at: usize, field: &[u8]) {
    header[at..at + field.len()].copy_from_slice(field);
}

/// Whole frames of consecutive numbers, on their way to a disk.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    pub numbers: Range<u64>,
    pub frames: &'a [u8],
}

impl Part<'_> {
    /// The number that its first frame bears.
    pub fn first(&self) -> Option<u64> {
        Header::read(self.frames).map(|header| header.number)
    }

    /// Whether there are as many frames as it says. What is shipped takes its word: counting looks at each frame once
    /// more, which would be a good part of what a record costs.
    pub fn is_complete(&self) -> bool {
        let numbers = self.numbers.end.checked_sub(self.numbers.start);
        !cfg!(any(debug_assertions, test)) || numbers == Some(count(self.frames))
    }
}

/// Fills in the checksum of one frame.
pub(super) fn seal(frame: &mut [u8]) {
    let sum = checksum(frame).to_le_bytes();
    if let Some(field) = frame.get_mut(8..12) {
        field.copy_from_slice(&sum);
    }
}

/// How many frames there are, one behind the other.
fn count(mut frames: &[u8]) -> u64 {
    let mut count = 0;
    while let Some(frame) = read(frames) {
        frames = frames.get(frame.size..).unwrap_or_default();
        count += 1;
    }
    count
}

/// crc32c over the length and everything behind the checksum.
fn checksum(frame: &[u8]) -> u32 {
    let length = frame.get(4..8).unwrap_or_default();
    let rest = frame.get(12..).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c(length), rest)
}

/// The fixed part of a frame, as it stands there: nothing is checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub magic: [u8; 4],
    pub length: u32,
    pub crc: u32,
    pub key_length: u32,
    pub number: u64,
    pub received: UnixMicros,
    flags: u32,
}

impl Header {
    /// Reads the header at the start of `bytes`; `None` where there are too few bytes.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (crc, rest) = rest.split_first_chunk::<4>()?;
        let (key_length, rest) = rest.split_first_chunk::<4>()?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (received, rest) = rest.split_first_chunk::<8>()?;
        let (flags, _) = rest.split_first_chunk::<4>()?;
        Some(Header {
            magic: *magic,
            length: u32::from_le_bytes(*length),
            crc: u32::from_le_bytes(*crc),
            key_length: u32::from_le_bytes(*key_length),
            number: u64::from_le_bytes(*number),
            received: UnixMicros(i64::from_le_bytes(*received)),
            flags: u32::from_le_bytes(*flags),
        })
    }

    /// Whether a frame can begin with this header.
    pub fn is_plausible(&self) -> bool {
        let length = self.length as usize;
        self.magic == MAGIC
            && (HEADER_BYTES..=FRAME_BYTES_MAX).contains(&length)
            && self.key_length as usize <= length - HEADER_BYTES
    }
}

/// A frame read back.
#[derive(Debug)]
pub(super) struct Frame<'a> {
    pub number: u64,
    pub received: UnixMicros,
    pub origin: Origin,
    pub key: &'a [u8],
    pub payload: &'a [u8],
    pub size: usize,
}

/// Reads the frame at the start of `bytes`, which this process wrote: its checksum is not looked at. `None` where
/// there is none.
pub(super) fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    let header = Header::read(bytes)?;
    let size = header.length as usize;
    let body = bytes.get(HEADER_BYTES..size)?;
    let (key, payload) = body.split_at_checked(header.key_length as usize)?;
    let origin = match header.flags & FLAG_GENERATED {
        0 => Origin::Packet,
        _ => Origin::Generated,
    };
    Some(Frame {
        number: header.number,
        received: header.received,
        origin,
        key,
        payload,
        size,
    })
}

/// What stands at the start of some bytes from a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// A whole frame with the right checksum: [`read`] gives it.
    Whole,
    /// The beginning of a frame; so many bytes are needed to say more.
    Torn {
        /// Bytes from the frame's start.
        need: usize,
    },
    /// Not a frame, or a damaged one.
    Corrupt,
}

/// Looks at the frame at the start of `bytes`, which come from a disk.
pub(super) fn check(bytes: &[u8]) -> Checked {
    let Some(header) = Header::read(bytes) else {
        return Checked::Torn { need: HEADER_BYTES };
    };
    if !header.is_plausible() {
        return Checked::Corrupt;
    }
    let need = header.length as usize;
    let Some(whole) = bytes.get(..need) else {
        return Checked::Torn { need };
    };
    if checksum(whole) == header.crc {
        Checked::Whole
    } else {
        Checked::Corrupt
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LaneId;

    fn record(origin: Origin) -> Record<'static> {
        Record {
            lane: LaneId(0),
            received: UnixMicros(-5),
            key: b"lax-r1",
            payload: br#"{"id":"-","message":"up"}"#,
            number_at: 8,
            origin,
        }
    }

    fn sealed(origins: &[Origin]) -> Vec<u8> {
        let mut frames = Vec::new();
        for (number, origin) in (7..).zip(origins) {
            let size = write(&record(*origin), number, Sealing::Sealed, &mut frames);
            assert!(size <= size_max(&record(*origin)));
        }
        assert_eq!(count(&frames), origins.len() as u64);
        frames
    }

    #[test]
    fn what_is_written_and_sealed_is_read_back_checked() {
        let frames = sealed(&[Origin::Packet, Origin::Generated]);
        assert_eq!(check(&frames), Checked::Whole);
        let first = read(&frames).unwrap();
        assert_eq!(
            (first.number, first.received, first.origin),
            (7, UnixMicros(-5), Origin::Packet)
        );
        assert_eq!(first.key, b"lax-r1");
        assert_eq!(first.payload, br#"{"id":"-7","message":"up"}"#);
        let rest = &frames[first.size..];
        assert_eq!(check(rest), Checked::Whole);
        let second = read(rest).unwrap();
        assert_eq!((second.number, second.origin), (8, Origin::Generated));
        assert_eq!(first.size + second.size, frames.len());
    }

    #[test]
    fn every_cut_is_torn_and_says_how_much_is_missing() {
        let frame = sealed(&[Origin::Packet]);
        for cut in 0..frame.len() {
            let Checked::Torn { need } = check(&frame[..cut]) else {
                panic!("cut at {cut}");
            };
            let expected = if cut < HEADER_BYTES {
                HEADER_BYTES
            } else {
                frame.len()
            };
            assert_eq!(need, expected);
        }
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let frame = sealed(&[Origin::Packet]);
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(
                check(&damaged) != Checked::Whole,
                "bit {bit} went unnoticed"
            );
        }
    }

    #[test]
    fn a_frame_without_its_checksum_is_good_in_memory_and_corrupt_on_disk() {
        let mut frame = Vec::new();
        write(&record(Origin::Packet), 7, Sealing::Open, &mut frame);
        assert_eq!(read(&frame).map(|frame| frame.number), Some(7));
        assert_eq!(check(&frame), Checked::Corrupt);
    }
}
