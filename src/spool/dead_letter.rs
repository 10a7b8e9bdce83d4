//! Records that the broker will never take, kept with the reason: the file `dead-letters` in the spool's folder.
//!
//! ```text
//!  dead-letters
//!  offset  0            8        9      12       16
//!          "TRAPDLQ"FF  version  zeros  crc32c   letter│letter│letter…
//!          8 bytes      1 byte   3      u32 le
//!
//!  letter  0       4       8       12      14      16      20      28        36         44
//!          magic   length  crc32c  topic   reason  key     number  received  set aside  topic… reason… key… payload…
//!          4 bytes u32 le  u32 le  length  length  length  u64 le  i64 le    i64 le µs
//!                  of the          u16 le  u16 le  u32 le          µs
//!                  letter          └───────────────────────────── crc32c ──────────────────────────────────────────┘
//!                  └────── and ────┘
//! ```
//!
//! The header's checksum covers its first 12 bytes, and those keep their places in every later version. A letter's
//! covers its length and everything behind the checksum. The file is made (0600) with the first letter, appended to by
//! the producer's thread, and replaced as a whole when letters are sent again.
//!
//! In: a [`DeadLetter`]. Out: the same, through [`Letters`], also for commands that read beside a running agent. What
//! is torn at the end is cut by the next start; a damaged letter is passed and stays in the file for inspection.
//!
//! The file has a cap. When it is full the letters in it stay and new ones are refused: the first ones show when and
//! why it began, nearly always the later ones are the same again, and what was counted as set aside stays true.

mod file;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, Disk, DiskFile, Operation, SpoolError};
use super::frame::KEY_BYTES_MAX;
use super::{DiskConfig, PAYLOAD_BYTES_MAX};
use crate::record::Number;
use crate::time::UnixMicros;

pub(super) use file::{DeadLetters, LetterFile};
pub use file::{DeadLettersView, NotSetAside};

/// The file's name in the spool's folder.
pub const FILE_NAME: &str = "dead-letters";

/// The newest format version that is understood, and the one that is written.
pub const VERSION: u8 = 1;

const FILE_MAGIC: [u8; 8] = *b"TRAPDLQ\xFF";

/// Bytes before the first letter.
const FILE_HEADER_BYTES: usize = 16;

/// The first bytes of every letter; 0xFF occurs in no UTF-8 text (see the log's frame).
const MAGIC: [u8; 4] = [0xFF, b'D', b'L', 0xFE];

/// Bytes before a letter's topic.
const HEADER_BYTES: usize = 44;

/// Kafka's own limit for a topic's name is 249.
const TOPIC_BYTES_MAX: usize = 255;

/// Reasons are sentences of ours; what is longer is cut.
const REASON_BYTES_MAX: usize = 1024;

/// A number in decimal, which a payload has beside what was appended.
const NUMBER_DIGITS_MAX: usize = 20;

/// The longest letter that is believed when it is read.
const LETTER_BYTES_MAX: usize = HEADER_BYTES
    + TOPIC_BYTES_MAX
    + REASON_BYTES_MAX
    + KEY_BYTES_MAX
    + PAYLOAD_BYTES_MAX
    + NUMBER_DIGITS_MAX;

/// How much is read from the disk at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// A record that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadLetter<'a> {
    /// The topic that it was meant for.
    pub topic: &'a str,
    /// Its number in the topic's log.
    pub number: Number,
    /// When it arrived: the Kafka timestamp.
    pub received: UnixMicros,
    /// When it was set aside.
    pub set_aside: UnixMicros,
    /// Why: the error's name and what it means.
    pub reason: &'a str,
    /// The Kafka key.
    pub key: &'a [u8],
    /// The payload as it was sent.
    pub payload: &'a [u8],
}

impl DeadLetter<'_> {
    /// Appends it to `out`; returns how many bytes those are.
    fn write(&self, out: &mut Vec<u8>) -> usize {
        let topic = cut(self.topic, TOPIC_BYTES_MAX);
        let reason = cut(self.reason, REASON_BYTES_MAX);
        let length =
            HEADER_BYTES + topic.len() + reason.len() + self.key.len() + self.payload.len();
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&(length as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&(topic.len() as u16).to_le_bytes());
        out.extend_from_slice(&(reason.len() as u16).to_le_bytes());
        out.extend_from_slice(&(self.key.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.number.0.to_le_bytes());
        out.extend_from_slice(&self.received.0.to_le_bytes());
        out.extend_from_slice(&self.set_aside.0.to_le_bytes());
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(reason.as_bytes());
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.payload);
        let crc = checksum(out.get(start..).unwrap_or_default());
        if let Some(field) = out.get_mut(start + 8..start + 12) {
            field.copy_from_slice(&crc.to_le_bytes());
        }
        length
    }

    /// Its event's id, which ends in its number. `None` where the payload is no event of ours.
    pub fn id(&self) -> Option<&str> {
        let (at, length) = id_place(self.payload)?;
        std::str::from_utf8(self.payload.get(at..at + length)?).ok()
    }

    /// What its id has before the number. `None` where it does not end in its number.
    pub fn id_prefix(&self) -> Option<&str> {
        let prefix = self.id()?.strip_suffix(&self.number.0.to_string())?;
        prefix.ends_with('-').then_some(prefix)
    }

    /// The payload with `prefix` for an id, and where a number belongs behind it: what [`crate::record::Record`] wants.
    /// `None` where the payload is no event of ours.
    pub fn with_id_prefix(&self, prefix: &str) -> Option<(Vec<u8>, usize)> {
        let (at, length) = id_place(self.payload)?;
        let before = self.payload.get(..at)?;
        let after = self.payload.get(at + length..)?;
        let payload = [before, prefix.as_bytes(), after].concat();
        Some((payload, at + prefix.len()))
    }
}

/// Where the event's id stands in its JSON and how long it is. It is the second field of every event, before any text
/// of a device, and an id has no character that JSON escapes.
fn id_place(payload: &[u8]) -> Option<(usize, usize)> {
    const FIELD: &[u8] = b"\"id\":\"";
    let at = memchr::memmem::find(payload, FIELD)? + FIELD.len();
    let length = memchr::memchr(b'"', payload.get(at..)?)?;
    Some((at, length))
}

/// At most `bytes_max` bytes of `text`.
fn cut(text: &str, bytes_max: usize) -> &str {
    let mut ends = (0..=bytes_max.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

/// crc32c over the length and everything behind the checksum.
fn checksum(letter: &[u8]) -> u32 {
    let length = letter.get(4..8).unwrap_or_default();
    let rest = letter.get(12..).unwrap_or_default();
    crc32c::crc32c_append(crc32c::crc32c(length), rest)
}

/// What stands at the start of some bytes of the file.
#[derive(Debug, PartialEq, Eq)]
enum Checked<'a> {
    Whole(DeadLetter<'a>, usize),
    /// The beginning of a letter; so many bytes are needed to say more.
    Torn {
        need: usize,
    },
    Corrupt,
}

/// Reads the letter at the start of `bytes`.
fn check(bytes: &[u8]) -> Checked<'_> {
    let is_beginning = bytes.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
    if !is_beginning {
        return Checked::Corrupt;
    }
    let Some(length) = bytes
        .get(4..)
        .and_then(|rest| rest.first_chunk::<4>())
        .map(|length| u32::from_le_bytes(*length) as usize)
    else {
        return Checked::Torn { need: HEADER_BYTES };
    };
    if !(HEADER_BYTES..=LETTER_BYTES_MAX).contains(&length) {
        return Checked::Corrupt;
    }
    match bytes.get(..length) {
        None => Checked::Torn { need: length },
        Some(whole) => {
            read(whole).map_or(Checked::Corrupt, |letter| Checked::Whole(letter, length))
        }
    }
}

/// Reads a letter that has all of its bytes; `None` where they are damaged.
fn read(whole: &[u8]) -> Option<DeadLetter<'_>> {
    let rest = whole.get(8..)?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*crc) != checksum(whole) {
        return None;
    }
    let (topic_length, rest) = rest.split_first_chunk::<2>()?;
    let (reason_length, rest) = rest.split_first_chunk::<2>()?;
    let (key_length, rest) = rest.split_first_chunk::<4>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (received, rest) = rest.split_first_chunk::<8>()?;
    let (set_aside, rest) = rest.split_first_chunk::<8>()?;
    let (topic, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*topic_length)))?;
    let (reason, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*reason_length)))?;
    let (key, payload) = rest.split_at_checked(u32::from_le_bytes(*key_length) as usize)?;
    Some(DeadLetter {
        topic: std::str::from_utf8(topic).ok()?,
        number: Number(u64::from_le_bytes(*number)),
        received: UnixMicros(i64::from_le_bytes(*received)),
        set_aside: UnixMicros(i64::from_le_bytes(*set_aside)),
        reason: std::str::from_utf8(reason).ok()?,
        key,
        payload,
    })
}

/// The file's first bytes.
fn file_header() -> [u8; FILE_HEADER_BYTES] {
    let mut header = [0; FILE_HEADER_BYTES];
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[8] = VERSION;
    let crc = crc32c::crc32c(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The version in the file's header, where it is one of another program. A damaged header is taken for one of ours:
/// the letters have checksums of their own.
fn newer_version(file: &dyn DiskFile) -> io::Result<Option<u8>> {
    let mut header = [0; FILE_HEADER_BYTES];
    let length = disk::read_full_at(file, &mut header, 0)?;
    let [.., a, b, c, d] = header;
    let is_whole = length == FILE_HEADER_BYTES
        && header.starts_with(&FILE_MAGIC)
        && u32::from_le_bytes([a, b, c, d]) == crc32c::crc32c(&header[..12]);
    Ok(Some(header[8]).filter(|version| is_whole && *version != VERSION))
}

/// What comes next in the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A letter and the bytes of the file that it takes.
    Letter(DeadLetter<'a>, Range<u64>),
    /// Bytes that are no letter.
    Damage(Range<u64>),
    /// A letter that was begun at the end and not finished.
    Torn(Range<u64>),
    /// Nothing.
    End,
}

/// Reads the letters of a file one by one, from its beginning.
#[derive(Debug)]
pub struct Letters {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    end: u64,
    offset: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Letters {
    /// The letters in the spool's `folder` as they are now; `None` where none was ever set aside.
    ///
    /// # Errors
    /// The file cannot be read, or a newer trapline wrote it.
    pub fn open(disk: &dyn Disk, folder: &Path) -> Result<Option<Letters>, SpoolError> {
        let path = folder.join(FILE_NAME);
        let file = match disk.open_to_read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(SpoolError::at(Operation::Open, &path))?,
        };
        let end = file.len().map_err(SpoolError::at(Operation::Stat, &path))?;
        Letters::of(path, file, end).map(Some)
    }

    fn of(path: PathBuf, file: Arc<dyn DiskFile>, end: u64) -> Result<Letters, SpoolError> {
        let newer = newer_version(file.as_ref());
        if let Some(found) = newer.map_err(SpoolError::at(Operation::Read, &path))? {
            return Err(SpoolError::NewerVersion {
                path,
                found: found.into(),
                known: VERSION.into(),
            });
        }
        Ok(Letters {
            path,
            file,
            end,
            offset: FILE_HEADER_BYTES as u64,
            window: Vec::new(),
            window_at: 0,
        })
    }

    /// The size of the file when it was opened.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// What comes next; goes behind it.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn step(&mut self) -> Result<Step<'_>, SpoolError> {
        let start = self.offset;
        let found = self
            .find(start)
            .map_err(SpoolError::at(Operation::Read, &self.path))?;
        let (at, size) = match found {
            Found::End => return Ok(Step::End),
            Found::Torn => {
                self.offset = self.end;
                return Ok(Step::Torn(start..self.end));
            }
            Found::Letter { at, .. } if at > start => {
                self.offset = at;
                return Ok(Step::Damage(start..at));
            }
            Found::Damaged => {
                self.offset = self.end;
                return Ok(Step::Damage(start..self.end));
            }
            Found::Letter { at, size } => (at, size),
        };
        let end = at + size as u64;
        self.offset = end;
        let held = self.held(at, size);
        Ok(match check(held) {
            Checked::Whole(letter, _) => Step::Letter(letter, at..end),
            Checked::Torn { .. } | Checked::Corrupt => Step::Damage(at..end),
        })
    }

    /// Looks for the next whole letter at or behind `start`, and leaves it in the window.
    fn find(&mut self, start: u64) -> io::Result<Found> {
        if start >= self.end {
            return Ok(Found::End);
        }
        match self.check_at(start)? {
            Look::Whole(size) => return Ok(Found::Letter { at: start, size }),
            Look::Torn if self.next_magic(start + 1)?.is_none() => return Ok(Found::Torn),
            Look::Torn | Look::Corrupt => {}
        }
        let mut from = start + 1;
        while let Some(at) = self.next_magic(from)? {
            if let Look::Whole(size) = self.check_at(at)? {
                return Ok(Found::Letter { at, size });
            }
            from = at + 1;
        }
        match self.is_zero_from(start)? {
            true => Ok(Found::Torn),
            false => Ok(Found::Damaged),
        }
    }

    /// Whether there is nothing but zeros: the power went when the file had its length and not yet its bytes.
    fn is_zero_from(&mut self, start: u64) -> io::Result<bool> {
        let mut at = start;
        while at < self.end {
            let there = self.fill(at, 1)?;
            let window = self.held(at, usize::MAX);
            if there == 0 || window.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += window.len() as u64;
        }
        Ok(true)
    }

    fn check_at(&mut self, at: u64) -> io::Result<Look> {
        let mut need = HEADER_BYTES;
        loop {
            let there = self.fill(at, need)?;
            let look = match check(self.held(at, there)) {
                Checked::Whole(_, size) => Look::Whole(size),
                Checked::Corrupt => Look::Corrupt,
                Checked::Torn { need: more } if more > there && there >= need => {
                    need = more;
                    continue;
                }
                Checked::Torn { .. } => Look::Torn,
            };
            return Ok(look);
        }
    }

    /// Where the next beginning of a letter may be, at or behind `from`.
    fn next_magic(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.end {
            let there = self.fill(at, MAGIC.len())?;
            if there < MAGIC.len() {
                break;
            }
            let window = self.held(at, usize::MAX);
            if let Some(place) = memchr::memmem::find(window, &MAGIC) {
                return Ok(Some(at + place as u64));
            }
            at += (window.len() - (MAGIC.len() - 1)) as u64;
        }
        Ok(None)
    }

    /// Makes the window hold `need` bytes from `at` on; returns how many of them there are.
    fn fill(&mut self, at: u64, need: usize) -> io::Result<usize> {
        let held = self.held(at, need).len();
        if held < need && at + (held as u64) < self.end {
            let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            let mut window = std::mem::take(&mut self.window);
            window.resize(need.max(CHUNK_BYTES).min(left), 0);
            let read = disk::read_full_at(self.file.as_ref(), &mut window, at)?;
            window.truncate(read);
            (self.window, self.window_at) = (window, at);
        }
        Ok(self.held(at, need).len())
    }

    /// At most `length` bytes of the window from `at` on.
    fn held(&self, at: u64, length: usize) -> &[u8] {
        let from = at.checked_sub(self.window_at);
        let from = from.and_then(|from| usize::try_from(from).ok());
        let held = from.and_then(|from| self.window.get(from..));
        let held = held.unwrap_or_default();
        held.get(..length.min(held.len())).unwrap_or_default()
    }
}

enum Found {
    End,
    Torn,
    Damaged,
    Letter { at: u64, size: usize },
}

enum Look {
    Whole(usize),
    Torn,
    Corrupt,
}

impl DiskConfig {
    /// Default of `dead_letter_bytes_max`: some 60 records of the largest size, or 60 000 of the usual one. A record is
    /// set aside once in a blue moon; a source of many is a fault that the first of them show.
    pub const DEAD_LETTER_BYTES_MAX_DEFAULT: u64 = 64 * 1024 * 1024;
}
