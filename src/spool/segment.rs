//! One file of the log: a header, then frames one behind the other; and how to read one that is damaged.
//!
//! ```text
//!  00000000000000004711.log
//!  offset  0            8        9      12       16        24         32
//!          "TRAPLOG"FF  version  zeros  crc32c   first     created    frame│frame│frame…
//!          8 bytes      1 byte   3      u32 le   number    i64 le µs
//!                                                u64 le
//! ```
//!
//! The checksum covers the other 28 bytes. These 32 bytes keep their places in every later version, so that an older
//! program can always say which version it met.
//!
//! In: an open file and how many of its bytes count. Out: [`Walk`] gives its frames one by one, and each stretch of
//! bytes that is none; [`scan`] reads the newest segment after a start and says where it ends.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, DiskFile, Operation, SpoolError};
use super::frame::{self, Checked, FRAME_BYTES_MAX, Frame};
use crate::record::Origin;
use crate::time::UnixMicros;

const MAGIC: [u8; 8] = *b"TRAPLOG\xFF";

/// The newest format version that is understood, and the one that is written.
pub const VERSION: u8 = 1;

/// Bytes before the first frame.
pub const HEADER_BYTES: usize = 32;

/// How much is read from the disk at once: large enough that a read costs little beside its bytes.
const CHUNK_BYTES: usize = 256 * 1024;

/// A bad sector or page is at most this large. An unreadable chunk is read again in such pieces.
const PIECE_BYTES: usize = 4096;

/// How many false beginnings of frames are looked at in one search for the next whole frame. What devices send
/// contains none (see the frame's magic), so more of them means a disk full of old pieces; the search stays linear.
const FALSE_BEGINNINGS_MAX: usize = 1024;

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub first: u64,
    pub created: UnixMicros,
}

/// What stands where a header should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderRead {
    Good(Header),
    /// Cut short, or its checksum is wrong: the file's name has to do.
    Damaged,
    /// Whole, and of a version that is not known here.
    Newer(u8),
}

impl Header {
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..].copy_from_slice(&self.created.0.to_le_bytes());
        let crc = header_checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub fn read(file: &dyn DiskFile) -> io::Result<HeaderRead> {
        let mut bytes = [0; HEADER_BYTES];
        let length = disk::read_full_at(file, &mut bytes, 0)?;
        let crc = u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]);
        if length < HEADER_BYTES || !bytes.starts_with(&MAGIC) || crc != header_checksum(&bytes) {
            return Ok(HeaderRead::Damaged);
        }
        if bytes[8] != VERSION {
            return Ok(HeaderRead::Newer(bytes[8]));
        }
        let mut first = [0; 8];
        first.copy_from_slice(&bytes[16..24]);
        let mut created = [0; 8];
        created.copy_from_slice(&bytes[24..]);
        Ok(HeaderRead::Good(Header {
            first: u64::from_le_bytes(first),
            created: UnixMicros(i64::from_le_bytes(created)),
        }))
    }
}

fn header_checksum(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

/// The name of the segment that begins with record `first`.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}.log")
}

/// Whether a file of this name is a segment.
pub(super) fn is_segment(name: &str) -> bool {
    parse_file_name(name).is_some()
}

/// The number in a segment's name.
pub(super) fn parse_file_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| digits.parse().ok()).flatten()
}

/// Records that cannot be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Their numbers.
    pub numbers: Range<u64>,
    /// The file that holds what is left of them, or held it.
    pub segment: PathBuf,
    /// Where in the file; empty where the bytes are gone.
    pub bytes: Range<u64>,
}

impl Damage {
    /// How many records.
    pub fn records(&self) -> u64 {
        self.numbers.end - self.numbers.start
    }
}

/// What comes next in a segment.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A whole frame. [`Walk::advance`] goes behind it.
    Frame(Frame<'a>),
    /// Bytes that are no frame; a whole frame follows.
    Damage(Range<u64>),
    /// Bytes that are no whole frame, up to the end.
    Tail(Range<u64>),
    /// Nothing.
    End,
}

/// Reads a segment's frames through a window of bounded size.
#[derive(Debug, Default)]
pub(super) struct Walk {
    buffer: Vec<u8>,
    /// The window's bytes that count.
    filled: usize,
    /// Where in the window reading stands.
    begin: usize,
    /// Where in the file that is.
    offset: u64,
}

impl Walk {
    /// Stands at `offset` of a file; what was read of another is forgotten.
    pub fn seek(&mut self, offset: u64) {
        (self.filled, self.begin, self.offset) = (0, 0, offset);
    }

    /// Where in the file reading stands.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes forward by `bytes`, which were shown by the last step.
    pub fn advance(&mut self, bytes: usize) {
        self.begin += bytes;
        self.offset += bytes as u64;
    }

    /// What comes next in `file`, of which the first `end` bytes count.
    pub fn step(&mut self, file: &dyn DiskFile, end: u64) -> io::Result<Step<'_>> {
        if self.offset >= end {
            return Ok(Step::End);
        }
        if self.frame_here(file, end)? {
            return Ok(self.shown());
        }
        let start = self.offset;
        if self.find_frame(file, end)? {
            return Ok(Step::Damage(start..self.offset));
        }
        self.seek(end);
        Ok(Step::Tail(start..end))
    }

    fn window(&self) -> &[u8] {
        self.buffer.get(self.begin..self.filled).unwrap_or_default()
    }

    fn shown(&self) -> Step<'_> {
        frame::read(self.window()).map_or(Step::End, Step::Frame)
    }

    /// Whether a whole frame stands here; the window then holds all of it.
    fn frame_here(&mut self, file: &dyn DiskFile, end: u64) -> io::Result<bool> {
        loop {
            match frame::check(self.window()) {
                Checked::Whole => return Ok(true),
                Checked::Corrupt => return Ok(false),
                Checked::Torn { need } => {
                    let there = self.offset + need as u64 <= end;
                    if !there || !self.fill(file, end, need)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Searches behind this place for the next whole frame and stands before it.
    fn find_frame(&mut self, file: &dyn DiskFile, end: u64) -> io::Result<bool> {
        let mut false_beginnings = 0;
        self.fill(file, end, 1)?;
        self.advance(1);
        while self.offset < end && false_beginnings < FALSE_BEGINNINGS_MAX {
            self.fill(file, end, frame::MAGIC.len())?;
            match memchr::memmem::find(self.window(), &frame::MAGIC) {
                Some(at) => {
                    self.advance(at);
                    if self.frame_here(file, end)? {
                        return Ok(true);
                    }
                    false_beginnings += 1;
                    self.advance(1);
                }
                // The last bytes of the window may be the first of a magic.
                None => {
                    let passed = self.window().len().saturating_sub(frame::MAGIC.len() - 1);
                    self.advance(passed.max(1));
                }
            }
        }
        Ok(false)
    }

    /// Makes the window hold at least `need` bytes from here on, as far as there are so many before `end`.
    fn fill(&mut self, file: &dyn DiskFile, end: u64, need: usize) -> io::Result<bool> {
        let held = self.window().len();
        if held >= need {
            return Ok(true);
        }
        let from = self.begin.min(self.filled);
        self.buffer.copy_within(from..self.filled, 0);
        (self.begin, self.filled) = (0, held);
        let left = end.saturating_sub(self.offset + held as u64);
        let room = CHUNK_BYTES.max(need.min(FRAME_BYTES_MAX)) - held;
        let wanted = held + usize::try_from(left).map_or(room, |left| left.min(room));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        if let Some(room) = self.buffer.get_mut(held..wanted) {
            self.filled += read_around_bad_blocks(file, room, self.offset + held as u64)?;
        }
        Ok(self.filled >= need)
    }
}

/// Reads until `bytes` is full or the file ends. Where the disk cannot read some blocks, those come as zeros, and the
/// frames in them fail their checksums; where it can read none, that is an error, since then the disk may be gone.
fn read_around_bad_blocks(file: &dyn DiskFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let first_error = match disk::read_full_at(file, bytes, offset) {
        Err(error) if error.raw_os_error() == Some(libc::EIO) => error,
        read => return read,
    };
    let (mut filled, mut at, mut good) = (0, offset, false);
    for piece in bytes.chunks_mut(PIECE_BYTES) {
        match disk::read_full_at(file, piece, at) {
            Ok(length) => {
                good = true;
                filled += length;
                if length < piece.len() {
                    break;
                }
            }
            Err(_) => {
                piece.fill(0);
                filled += piece.len();
            }
        }
        at += piece.len() as u64;
    }
    if good { Ok(filled) } else { Err(first_error) }
}

/// What the newest segment holds.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes up to the end of the last whole frame.
    pub bytes: u64,
    /// One past the number of the last whole frame.
    pub end: u64,
    /// Stretches that are no frame, with the numbers that they held. The last may lie behind `bytes`.
    pub damage: Vec<Damage>,
    /// The number of a frame that was begun at the end and not finished.
    pub torn: Option<u64>,
    /// Bytes behind the last whole frame.
    pub tail_bytes: u64,
    /// Whole frames with numbers from `counted_to` on that the agent made itself.
    pub generated: u64,
}

/// Reads the frames of a segment from its first to its last, and finds out where it ends.
pub(super) fn scan(
    file: &dyn DiskFile,
    path: &Path,
    first: u64,
    counted_to: u64,
) -> io::Result<Scan> {
    let length = file.len()?;
    let mut scan = Scan {
        bytes: HEADER_BYTES as u64,
        end: first,
        ..Scan::default()
    };
    let mut walk = Walk::default();
    walk.seek(HEADER_BYTES as u64);
    let mut damaged = 0..0;
    loop {
        match walk.step(file, length)? {
            Step::Frame(frame) => {
                let size = frame.size;
                if frame.number >= scan.end {
                    if frame.number > scan.end || !damaged.is_empty() {
                        scan.push_damage(path, scan.end..frame.number, damaged);
                    }
                    let counts = frame.number >= counted_to && frame.origin == Origin::Generated;
                    scan.generated += u64::from(counts);
                    scan.end = frame.number + 1;
                }
                damaged = 0..0;
                walk.advance(size);
                scan.bytes = walk.offset();
            }
            Step::Damage(bytes) => damaged = bytes,
            Step::Tail(bytes) => {
                scan.tail_bytes = bytes.end - bytes.start;
                scan.read_tail(file, path, bytes)?;
                return Ok(scan);
            }
            Step::End => return Ok(scan),
        }
    }
}

impl Scan {
    /// What is cut off and was recognised as no frame, neither a damaged one nor one that was being written.
    pub fn unknown_tail(&self, path: &Path) -> Option<Damage> {
        let known = self.damage.last().map_or(0, |damage| damage.bytes.end);
        let bytes = self.bytes.max(known)..self.bytes + self.tail_bytes;
        (self.torn.is_none() && !bytes.is_empty()).then(|| Damage {
            numbers: self.end..self.end,
            segment: path.to_path_buf(),
            bytes,
        })
    }

    fn push_damage(&mut self, path: &Path, numbers: Range<u64>, bytes: Range<u64>) {
        self.damage.push(Damage {
            numbers,
            segment: path.to_path_buf(),
            bytes,
        });
    }

    /// Looks for frames among the bytes behind the last whole one: damaged ones are counted, and one that was begun
    /// and not finished is remembered, so that its number is not given out again.
    ///
    /// A frame is recognised when two of three things are right: its magic, its number, and that it ends where the
    /// file ends. So a single damaged field hides nothing.
    fn read_tail(&mut self, file: &dyn DiskFile, path: &Path, bytes: Range<u64>) -> io::Result<()> {
        let (mut at, mut number) = (bytes.start, self.end);
        let mut header = [0; frame::HEADER_BYTES];
        while at < bytes.end {
            let read = read_around_bad_blocks(file, &mut header, at)?;
            let Some(header) = header.get(..read).and_then(frame::Header::read) else {
                break;
            };
            let frame_end = at + u64::from(header.length);
            let right = [
                header.magic == frame::MAGIC,
                header.number == number,
                frame_end == bytes.end,
            ];
            if right.iter().filter(|right| **right).count() < 2 {
                break;
            }
            if frame_end > bytes.end {
                self.torn = Some(number);
                number += 1;
                at = bytes.end;
                break;
            }
            number += 1;
            at = frame_end.max(at + frame::HEADER_BYTES as u64);
        }
        let whole = self.end..self.torn.unwrap_or(number);
        if !whole.is_empty() {
            self.push_damage(path, whole, bytes.start..at);
        }
        Ok(())
    }
}

/// Appends damaged bytes to the file `quarantine` in `folder`, as far as it stays below `bytes_max`, each stretch
/// under a line that says where it comes from. Returns how many bytes were kept.
pub(super) fn quarantine(
    disk: &dyn Disk,
    folder: &Path,
    damage: &Damage,
    bytes_max: u64,
) -> Result<u64, SpoolError> {
    if damage.bytes.is_empty() {
        return Ok(0);
    }
    let path = folder.join("quarantine");
    let source = disk
        .open_to_read(&damage.segment)
        .map_err(SpoolError::at(Operation::Open, &damage.segment))?;
    let kept = match disk.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create_new(&path),
        opened => opened,
    };
    let kept = kept.map_err(SpoolError::at(Operation::Create, &path))?;
    let at = kept.len().map_err(SpoolError::at(Operation::Stat, &path))?;
    let name = damage.segment.file_name().unwrap_or_default();
    let mut text = format!(
        "\n# {} bytes {}..{} records {}..{}\n",
        name.to_string_lossy(),
        damage.bytes.start,
        damage.bytes.end,
        damage.numbers.start,
        damage.numbers.end
    )
    .into_bytes();
    let room = bytes_max.saturating_sub(at + text.len() as u64);
    let length = (damage.bytes.end - damage.bytes.start).min(room);
    if length == 0 {
        return Ok(0);
    }
    let head = text.len();
    text.resize(head + usize::try_from(length).unwrap_or(0), 0);
    let read = read_around_bad_blocks(
        source.as_ref(),
        text.get_mut(head..).unwrap_or_default(),
        damage.bytes.start,
    );
    let read = read.map_err(SpoolError::at(Operation::Read, &damage.segment))?;
    text.truncate(head + read);
    let zeros = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if damage.numbers.is_empty() && text.get(head..).is_none_or(zeros) {
        // Space that was taken and never written tells nobody anything.
        return Ok(0);
    }
    disk::write_all_at(kept.as_ref(), &text, at)
        .map_err(SpoolError::at(Operation::Write, &path))?;
    Ok(read as u64)
}
