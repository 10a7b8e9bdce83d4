//! A spool looked at from outside, beside a running agent or without one: nothing is locked, nothing is changed.
//!
//! ```text
//!  <spool>/ lock          ──▶ holder
//!           topics/T/*.log ─▶ read ──▶ Found: Record · Damage · Missing · Gone · Torn
//!           topics/T/cursor ─▶ which of them are settled (saved once a second: a running agent is that much ahead)
//!           dead-letters  ──▶ dead_letter::Letters
//! ```
//!
//! In: a folder. Out: what lies there. A segment that vanishes while it is read was settled or dropped by the agent; one
//! that grows is read as far as it was when it was opened.

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cursor::{self, Cursor, CursorFound};
use super::dead_letter::Letters;
use super::disk::{Disk, Operation, RealDisk, SpoolError};
use super::given_up::OneRecord;
use super::segment::{self, HEADER_BYTES, HeaderRead, Step, Walk};
use super::topic_folder;
use crate::record::{Number, Origin};
use crate::time::UnixMicros;

/// Who uses the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// No process has its lock.
    Nobody,
    /// This process has.
    Process(u32),
    /// The system does not say.
    Unknown,
}

/// A spool's folder.
#[derive(Debug)]
pub struct Inspection {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

/// One topic's log.
#[derive(Debug)]
pub struct TopicLog {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// Its topic.
    pub topic: String,
    /// Its segments when it was opened, in order.
    pub segments: Vec<SegmentFile>,
    /// Files that were put aside because they are damaged, or in the way.
    pub aside: Vec<AsideFile>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFile {
    /// The number that it begins with, from its name.
    pub first: u64,
    /// Its size.
    pub bytes: u64,
    /// Where it lies.
    pub path: PathBuf,
}

/// A file that was put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideFile {
    /// Its name: `quarantine`, `cursor.damaged`, `….log.aside`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// One record of a log.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its number.
    pub number: Number,
    /// When it arrived.
    pub received: UnixMicros,
    /// Who made it.
    pub origin: Origin,
    /// The Kafka key.
    pub key: &'a [u8],
    /// The payload as it is sent.
    pub payload: &'a [u8],
}

/// What a log holds, in order.
#[derive(Debug)]
pub enum Found<'a> {
    /// A whole record.
    Record(Shown<'a>),
    /// Bytes that are no whole record. The numbers are those that are missing there.
    Damage {
        /// The file.
        segment: &'a Path,
        /// Where in the file.
        bytes: Range<u64>,
        /// What it held; empty where nothing is missing.
        numbers: Range<u64>,
    },
    /// Records that no segment has. Settled ones may be missing: they were dropped, or never given to a record.
    Missing(Range<u64>),
    /// A segment that is gone since the log was opened.
    Gone(Range<u64>),
    /// A record that was begun at the log's end: it is being written, or was when the process ended.
    Torn {
        /// The file.
        segment: &'a Path,
        /// Bytes behind the last whole record.
        bytes: u64,
    },
}

impl Inspection {
    /// Looks into `folder`.
    ///
    /// # Errors
    /// There is no spool, or it may not be read.
    pub fn open(folder: &Path) -> Result<Inspection, SpoolError> {
        Inspection::open_on(Arc::new(RealDisk), folder)
    }

    /// The same on any file system.
    pub fn open_on(disk: Arc<dyn Disk>, folder: &Path) -> Result<Inspection, SpoolError> {
        let topics = folder.join("topics");
        disk.list_folders(&topics)
            .map_err(SpoolError::at(Operation::List, &topics))?;
        Ok(Inspection {
            disk,
            folder: folder.to_path_buf(),
        })
    }

    /// The topics, by name.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn topics(&self) -> Result<Vec<String>, SpoolError> {
        let topics = self.folder.join("topics");
        let mut names = self
            .disk
            .list_folders(&topics)
            .map_err(SpoolError::at(Operation::List, &topics))?;
        names.sort();
        Ok(names)
    }

    /// One topic's log as it is now.
    ///
    /// # Errors
    /// It cannot be listed.
    pub fn log(&self, topic: &str) -> Result<TopicLog, SpoolError> {
        TopicLog::open(self.disk.clone(), &self.folder, topic)
    }

    /// The dead letters as they are now; `None` where there is no file.
    ///
    /// # Errors
    /// The file cannot be read, or a newer trapline wrote it.
    pub fn dead_letters(&self) -> Result<Option<Letters>, SpoolError> {
        Letters::open(self.disk.as_ref(), &self.folder)
    }

    /// Who has the spool's lock, without touching it.
    pub fn holder(&self) -> Holder {
        use std::os::unix::fs::MetadataExt;
        let inode = match std::fs::metadata(self.folder.join("lock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Holder::Nobody,
            Err(_) => return Holder::Unknown,
            Ok(metadata) => metadata.ino(),
        };
        match std::fs::read_to_string("/proc/locks") {
            Ok(locks) => holder_in(&locks, inode),
            Err(_) => Holder::Unknown,
        }
    }
}

/// Finds the lock on file `inode` in the text of proc_locks(5):
/// `1: FLOCK  ADVISORY  WRITE 4711 fd:01:786434 0 EOF`.
fn holder_in(locks: &str, inode: u64) -> Holder {
    for line in locks.lines() {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let is_flock = fields.next() == Some("FLOCK");
        let process = fields.nth(2).and_then(|process| process.parse().ok());
        let file = fields.next().and_then(|file| file.rsplit(':').next());
        if is_flock && file.and_then(|file| file.parse().ok()) == Some(inode) {
            return process.map_or(Holder::Unknown, Holder::Process);
        }
    }
    Holder::Nobody
}

/// The record `number` of `topic`, if its log has it.
pub(super) fn record(
    disk: &dyn Disk,
    spool: &Path,
    topic: &str,
    number: Number,
) -> Result<Option<OneRecord>, SpoolError> {
    let folder = topic_folder(spool, topic);
    let (segments, _) = list(disk, &folder)?;
    let mut record = None;
    read(disk, &segments, number.0, &mut |found| match found {
        Found::Record(shown) if shown.number == number => {
            record = Some(OneRecord {
                topic: topic.to_owned(),
                number,
                received: shown.received,
                key: shown.key.to_vec(),
                payload: shown.payload.to_vec(),
            });
            ControlFlow::Break(())
        }
        Found::Record(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    })?;
    Ok(record)
}

impl TopicLog {
    fn open(disk: Arc<dyn Disk>, spool: &Path, topic: &str) -> Result<TopicLog, SpoolError> {
        let folder = topic_folder(spool, topic);
        let (segments, aside) = list(disk.as_ref(), &folder)?;
        Ok(TopicLog {
            disk,
            folder,
            topic: topic.to_owned(),
            segments,
            aside,
        })
    }

    /// The cursor as it was last saved.
    ///
    /// # Errors
    /// It cannot be read, or a newer trapline wrote it.
    pub fn cursor(&self) -> Result<(Cursor, CursorFound), SpoolError> {
        cursor::load(self.disk.as_ref(), &self.folder)
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The number that the oldest segment begins with.
    pub fn first(&self) -> Option<u64> {
        self.segments.first().map(|segment| segment.first)
    }

    /// One past the last record: reads the newest segment.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn next(&self) -> Result<Option<u64>, SpoolError> {
        let Some(newest) = self.segments.last() else {
            return Ok(None);
        };
        let mut next = newest.first;
        self.read(newest.first, &mut |found| {
            if let Found::Record(record) = found {
                next = record.number.0 + 1;
            }
            ControlFlow::Continue(())
        })?;
        Ok(Some(next))
    }

    /// Tells `each` what the log holds from number `from` on, until it has enough.
    ///
    /// # Errors
    /// A file cannot be read, or a newer trapline wrote it.
    pub fn read(
        &self,
        from: u64,
        each: &mut dyn FnMut(Found<'_>) -> ControlFlow<()>,
    ) -> Result<(), SpoolError> {
        read(self.disk.as_ref(), &self.segments, from, each)
    }
}

/// The segments in order, and what was put aside.
fn list(disk: &dyn Disk, folder: &Path) -> Result<(Vec<SegmentFile>, Vec<AsideFile>), SpoolError> {
    let names = disk
        .list(folder)
        .map_err(SpoolError::at(Operation::List, folder))?;
    let (mut segments, mut aside) = (Vec::new(), Vec::new());
    for name in names {
        let path = folder.join(&name);
        let first = segment::parse_file_name(&name);
        let is_aside = name == "quarantine" || name == "cursor.damaged" || name.ends_with(".aside");
        if first.is_none() && !is_aside {
            continue;
        }
        let bytes = match disk.open_to_read(&path).and_then(|file| file.len()) {
            // It went while the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            length => length.map_err(SpoolError::at(Operation::Open, &path))?,
        };
        match first {
            Some(first) => segments.push(SegmentFile { first, bytes, path }),
            None => aside.push(AsideFile { name, bytes }),
        }
    }
    segments.sort_unstable_by_key(|segment| segment.first);
    aside.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok((segments, aside))
}

type Each<'e> = &'e mut dyn FnMut(Found<'_>) -> ControlFlow<()>;

fn read(
    disk: &dyn Disk,
    segments: &[SegmentFile],
    from: u64,
    each: Each<'_>,
) -> Result<(), SpoolError> {
    let mut expected: Option<u64> = None;
    for (index, segment) in segments.iter().enumerate() {
        let end = segments.get(index + 1).map(|next| next.first);
        if end.is_some_and(|end| end <= from) {
            continue;
        }
        let begin = expected.unwrap_or(segment.first);
        if begin < segment.first && each(Found::Missing(begin..segment.first)).is_break() {
            return Ok(());
        }
        let file = match disk.open_to_read(&segment.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let gone = segment.first..end.unwrap_or(segment.first);
                if each(Found::Gone(gone)).is_break() {
                    return Ok(());
                }
                expected = end;
                continue;
            }
            opened => opened.map_err(SpoolError::at(Operation::Open, &segment.path))?,
        };
        let mut reading = Reading {
            segment,
            file: file.as_ref(),
            end,
            from,
            next: begin.max(segment.first),
        };
        match reading.run(each)? {
            ControlFlow::Break(()) => return Ok(()),
            ControlFlow::Continue(()) => expected = Some(reading.next),
        }
    }
    Ok(())
}

/// One segment that is read.
struct Reading<'s> {
    segment: &'s SegmentFile,
    file: &'s dyn super::disk::DiskFile,
    /// Where the next segment begins; `None` in the newest.
    end: Option<u64>,
    from: u64,
    /// The number that comes next.
    next: u64,
}

impl Reading<'_> {
    fn run(&mut self, each: Each<'_>) -> Result<ControlFlow<()>, SpoolError> {
        let path = self.segment.path.as_path();
        let header = segment::Header::read(self.file);
        match header.map_err(SpoolError::at(Operation::Read, path))? {
            HeaderRead::Newer(found) => {
                return Err(SpoolError::NewerVersion {
                    path: path.to_path_buf(),
                    found: found.into(),
                    known: segment::VERSION.into(),
                });
            }
            HeaderRead::Good(header) if header.first == self.segment.first => {}
            // The agent is making it.
            HeaderRead::Damaged if self.end.is_none() && self.segment.bytes == 0 => {}
            HeaderRead::Good(_) | HeaderRead::Damaged => {
                let bytes = 0..HEADER_BYTES as u64;
                if self.damage(bytes, self.next, each).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        let length = self.file.len();
        let length = length.map_err(SpoolError::at(Operation::Stat, path))?;
        self.frames(length, each)
            .map_err(SpoolError::at(Operation::Read, path))
    }

    fn frames(&mut self, length: u64, each: Each<'_>) -> io::Result<ControlFlow<()>> {
        let mut walk = Walk::default();
        walk.seek(HEADER_BYTES as u64);
        let mut damaged = 0..0;
        loop {
            match walk.step(self.file, length)? {
                Step::Frame(frame) if self.end.is_none_or(|end| frame.number < end) => {
                    let number = frame.number;
                    if (number > self.next || !damaged.is_empty())
                        && self
                            .damage(std::mem::take(&mut damaged), number, each)
                            .is_break()
                    {
                        return Ok(ControlFlow::Break(()));
                    }
                    if number >= self.from.max(self.next) {
                        let shown = Shown {
                            number: Number(number),
                            received: frame.received,
                            origin: frame.origin,
                            key: frame.key,
                            payload: frame.payload,
                        };
                        if each(Found::Record(shown)).is_break() {
                            return Ok(ControlFlow::Break(()));
                        }
                    }
                    self.next = self.next.max(number + 1);
                    let size = frame.size;
                    walk.advance(size);
                }
                Step::Damage(bytes) => damaged = bytes,
                Step::Tail(bytes) => return self.tail(bytes, each),
                // The end, or frames that belong to the next segment.
                Step::Frame(_) | Step::End => {
                    let end = self.end.unwrap_or(self.next);
                    return Ok(match end > self.next || !damaged.is_empty() {
                        true => self.damage(damaged, end, each),
                        false => ControlFlow::Continue(()),
                    });
                }
            }
        }
    }

    /// Bytes up to the end that hold no whole frame. In the newest segment a frame may be on its way there.
    fn tail(&mut self, bytes: Range<u64>, each: Each<'_>) -> io::Result<ControlFlow<()>> {
        if let Some(end) = self.end {
            return Ok(self.damage(bytes, end, each));
        }
        let path = &self.segment.path;
        let scan = segment::scan(self.file, path, self.segment.first, 0)?;
        for damage in scan
            .damage
            .iter()
            .filter(|it| it.bytes.start >= bytes.start)
        {
            if self
                .damage(damage.bytes.clone(), damage.numbers.end, each)
                .is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        if scan.torn.is_none() && !scan.damage.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        Ok(each(Found::Torn {
            segment: path,
            bytes: scan.tail_bytes,
        }))
    }

    /// Says that the numbers up to `end` are not there.
    fn damage(&mut self, bytes: Range<u64>, end: u64, each: Each<'_>) -> ControlFlow<()> {
        let numbers = self.next..end.max(self.next);
        self.next = numbers.end;
        if bytes.is_empty() {
            return each(Found::Missing(numbers));
        }
        each(Found::Damage {
            segment: &self.segment.path,
            bytes,
            numbers,
        })
    }
}

#[cfg(test)]
mod tests;
