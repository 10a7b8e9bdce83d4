//! The writing side of the dead-letter file: one letter more, or all but some.
//!
//! ```text
//!  append   write at the end ─▶ sync ─▶ Ok: the record may be settled
//!  remove   what stays ─▶ dead-letters.new ─▶ sync ─▶ rename ─▶ sync the folder
//! ```

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CHUNK_BYTES, DeadLetter, FILE_HEADER_BYTES, FILE_NAME, Letters, Step, file_header};
use crate::spool::disk::{self, Disk, DiskFile, Operation, SpoolError};
use crate::time::UnixMicros;

/// Why a record could not be set aside. It is lost then.
#[derive(Debug, thiserror::Error)]
pub enum NotSetAside {
    /// A spool in memory has no file for it.
    #[error("the spool is in memory and has no dead-letter file")]
    InMemory,
    /// The file is full; what is in it stays.
    #[error(
        "the dead-letter file is full ({bytes} of {bytes_max} bytes): send its letters again (trapline spool requeue), or raise spool.dead_letter_bytes_max"
    )]
    Full {
        /// Its size.
        bytes: u64,
        /// The cap.
        bytes_max: u64,
    },
    /// The record was not found any more.
    #[error("the spool cannot read the record back")]
    Unreadable,
    /// The disk refused, or a newer version wrote the file.
    #[error(transparent)]
    Disk(#[from] SpoolError),
    /// The file could not be opened at start.
    #[error("the dead-letter file cannot be used: {0}")]
    Unusable(String),
}

/// The dead-letter file as status page and metrics show it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLettersView {
    /// Letters in the file.
    pub letters: u64,
    /// Its size.
    pub bytes: u64,
    /// Its cap.
    pub bytes_max: u64,
}

/// What is shown of the file to those who must not wait while it is written.
#[derive(Debug, Default)]
struct Shown {
    letters: AtomicU64,
    bytes: AtomicU64,
    bytes_max: u64,
}

impl Shown {
    fn view(&self) -> DeadLettersView {
        DeadLettersView {
            letters: self.letters.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_max: self.bytes_max,
        }
    }
}

/// The file and the order of those who change it.
#[derive(Debug)]
pub(in crate::spool) struct DeadLetters {
    file: Mutex<LetterFile>,
    shown: Arc<Shown>,
    /// Held by the one who sends letters again.
    pub requeueing: Mutex<()>,
}

impl DeadLetters {
    pub fn new(file: LetterFile) -> DeadLetters {
        DeadLetters {
            shown: file.shown.clone(),
            file: Mutex::new(file),
            requeueing: Mutex::new(()),
        }
    }

    /// How much there is. Waits for nobody.
    pub fn view(&self) -> DeadLettersView {
        self.shown.view()
    }

    /// Held from the writing of a letter until its record is settled, so that nobody takes a letter whose record is
    /// not.
    pub fn lock(&self) -> MutexGuard<'_, LetterFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tells a record from another one that has the same number (after a topic's log was removed).
type Likeness = (UnixMicros, u32);

/// The open file.
#[derive(Debug)]
pub(in crate::spool) struct LetterFile {
    disk: Arc<dyn Disk>,
    folder: Arc<Path>,
    path: PathBuf,
    /// `None` until the first letter.
    file: Option<Arc<dyn DiskFile>>,
    /// Where the next letter goes.
    end: u64,
    letters: u64,
    bytes_max: u64,
    shown: Arc<Shown>,
    /// Whether a letter is synced before its record is settled.
    sync: bool,
    /// Letters of records that are not settled: the process was killed between the two, and the records come again.
    unsettled: HashMap<(String, u64), Likeness>,
    /// Why the file is not touched.
    trouble: Option<String>,
}

impl LetterFile {
    /// Opens the file in `folder` where there is one, and cuts what is torn at its end. `is_unsettled` says whether the
    /// log will give out a record once more. Where the file cannot be used the spool works without it.
    pub fn open(
        disk: Arc<dyn Disk>,
        folder: &Path,
        bytes_max: u64,
        sync: bool,
        is_unsettled: impl Fn(&str, u64) -> bool,
    ) -> LetterFile {
        let mut file = LetterFile {
            disk,
            folder: Arc::from(folder),
            path: folder.join(FILE_NAME),
            file: None,
            end: FILE_HEADER_BYTES as u64,
            letters: 0,
            bytes_max,
            shown: Arc::new(Shown {
                bytes_max,
                ..Shown::default()
            }),
            sync,
            unsettled: HashMap::new(),
            trouble: None,
        };
        if let Err(error) = file.take_in(is_unsettled) {
            tracing::error!(%error, "dead letters cannot be kept: what the broker refuses is lost");
            file.trouble = Some(error.to_string());
        }
        file.show();
        file
    }

    fn take_in(&mut self, is_unsettled: impl Fn(&str, u64) -> bool) -> Result<(), SpoolError> {
        // A replacement that was not finished; the file itself is whole.
        let _ = self.disk.remove(&self.new_path());
        let file = match self.disk.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened.map_err(SpoolError::at(Operation::Open, &self.path))?,
        };
        let length = file
            .len()
            .map_err(SpoolError::at(Operation::Stat, &self.path))?;
        let mut letters = Letters::of(self.path.clone(), file.clone(), length)?;
        self.end = length.max(FILE_HEADER_BYTES as u64);
        let mut damaged_bytes = 0;
        loop {
            match letters.step()? {
                Step::Letter(letter, _) => {
                    self.letters += 1;
                    if is_unsettled(letter.topic, letter.number.0) {
                        let place = (letter.topic.to_owned(), letter.number.0);
                        self.unsettled.insert(place, likeness(&letter));
                    }
                }
                Step::Damage(bytes) => damaged_bytes += bytes.end - bytes.start,
                Step::Torn(bytes) => {
                    file.truncate(bytes.start)
                        .map_err(SpoolError::at(Operation::Truncate, &self.path))?;
                    self.end = bytes.start;
                }
                Step::End => break,
            }
        }
        if damaged_bytes > 0 {
            tracing::error!(
                damaged_bytes,
                "dead letters are damaged, these bytes of the file are passed over"
            );
        }
        if length < FILE_HEADER_BYTES as u64 {
            disk::write_all_at(file.as_ref(), &file_header(), 0)
                .map_err(SpoolError::at(Operation::Write, &self.path))?;
        }
        // What a process wrote that was killed may not be on the disk yet; from here on it counts as synced.
        self.synced(file.as_ref())?;
        self.synced_name()?;
        self.file = Some(file);
        Ok(())
    }

    fn show(&self) {
        let bytes = self.file.as_ref().map_or(0, |_| self.end);
        self.shown.letters.store(self.letters, Ordering::Relaxed);
        self.shown.bytes.store(bytes, Ordering::Relaxed);
    }

    /// How much there is.
    #[cfg(test)]
    pub fn view(&self) -> DeadLettersView {
        self.shown.view()
    }

    pub fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a letter. When this returns `Ok`, the letter survives the end of the process, and the power's unless the
    /// spool is never synced. A record that the file holds since before a kill is not written a second time.
    pub fn append(&mut self, letter: &DeadLetter<'_>) -> Result<(), NotSetAside> {
        if let Some(why) = &self.trouble {
            return Err(NotSetAside::Unusable(why.clone()));
        }
        let place = (letter.topic.to_owned(), letter.number.0);
        if self.unsettled.remove(&place) == Some(likeness(letter)) {
            return Ok(());
        }
        self.forget_if_gone();
        let mut bytes = Vec::new();
        let size = letter.write(&mut bytes) as u64;
        if self.end + size > self.bytes_max {
            return Err(NotSetAside::Full {
                bytes: self.end,
                bytes_max: self.bytes_max,
            });
        }
        let file = self.file()?;
        let written = disk::write_all_at(file.as_ref(), &bytes, self.end)
            .map_err(SpoolError::at(Operation::Write, &self.path))
            .and_then(|()| self.synced(file.as_ref()));
        if let Err(error) = written {
            // The record is counted as lost: no letter may say otherwise. The next one is written over what stays.
            let _ = file.truncate(self.end);
            return Err(error.into());
        }
        self.end += size;
        self.letters += 1;
        self.show();
        Ok(())
    }

    /// A file that was removed under us, or with its folder, takes what is written to it and shows it to nobody. While the
    /// spool itself is not there it may come back, and the file with it.
    fn forget_if_gone(&mut self) {
        let looked_up = self
            .file
            .as_ref()
            .map(|_| self.disk.open_to_read(&self.path));
        let is_gone = looked_up.and_then(Result::err);
        if is_gone.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
            && self.disk.list_folders(&self.folder.join("topics")).is_ok()
        {
            tracing::error!(file = %self.path.display(), letters = self.letters, "the file of dead letters was removed, and these with it");
            (self.file, self.end, self.letters) = (None, FILE_HEADER_BYTES as u64, 0);
            self.show();
        }
    }

    fn synced(&self, file: &dyn DiskFile) -> Result<(), SpoolError> {
        match self.sync {
            true => file
                .sync_data()
                .map_err(SpoolError::at(Operation::Sync, &self.path)),
            false => Ok(()),
        }
    }

    fn synced_name(&self) -> Result<(), SpoolError> {
        match self.sync {
            true => self
                .disk
                .sync_folder(&self.folder)
                .map_err(SpoolError::at(Operation::Sync, &self.folder)),
            false => Ok(()),
        }
    }

    /// The file, made if it is not there.
    fn file(&mut self) -> Result<Arc<dyn DiskFile>, SpoolError> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let file = match self.disk.create_new(&self.path) {
            // Somebody has put one there since we looked.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.take_in(|_, _| false)?;
                let taken_in = self.file.clone();
                return taken_in
                    .ok_or_else(|| SpoolError::new(Operation::Create, &self.path, error));
            }
            created => created.map_err(SpoolError::at(Operation::Create, &self.path))?,
        };
        let made = disk::write_all_at(file.as_ref(), &file_header(), 0)
            .map_err(SpoolError::at(Operation::Write, &self.path))
            .and_then(|()| self.synced_name());
        if let Err(error) = made {
            // It would stand in the way of the next attempt; if it cannot be removed, that attempt says so.
            let _ = self.disk.remove(&self.path);
            return Err(error);
        }
        self.end = FILE_HEADER_BYTES as u64;
        self.file = Some(file.clone());
        Ok(file)
    }

    /// The letters as they are now; `None` where there is no file.
    pub fn letters(&self) -> Result<Option<Letters>, NotSetAside> {
        if let Some(why) = &self.trouble {
            return Err(NotSetAside::Unusable(why.clone()));
        }
        let letters = self.file.as_ref();
        let letters = letters.map(|file| Letters::of(self.path.clone(), file.clone(), self.end));
        Ok(letters.transpose()?)
    }

    /// The record of this letter is still in its log and comes again: if it is refused again, it is a new letter.
    pub fn forget_unsettled(&mut self, letter: &DeadLetter<'_>) {
        self.unsettled
            .remove(&(letter.topic.to_owned(), letter.number.0));
    }

    /// Takes the letters at these places (in order) out of the file. A kill leaves the old file or the new one.
    pub fn remove(&mut self, places: &[Range<u64>]) -> Result<(), SpoolError> {
        let Some(old) = self.file.clone().filter(|_| !places.is_empty()) else {
            return Ok(());
        };
        let new_path = self.new_path();
        // What an earlier attempt left.
        let _ = self.disk.remove(&new_path);
        let new = self
            .disk
            .create_new(&new_path)
            .map_err(SpoolError::at(Operation::Create, &new_path))?;
        let end = self
            .copy_all_but(places, old.as_ref(), new.as_ref())
            .map_err(SpoolError::at(Operation::Write, &new_path))?;
        new.sync_data()
            .map_err(SpoolError::at(Operation::Sync, &new_path))?;
        self.disk
            .rename(&new_path, &self.path)
            .map_err(SpoolError::at(Operation::Rename, &self.path))?;
        self.file = Some(new);
        self.end = end;
        self.letters = self.letters.saturating_sub(places.len() as u64);
        self.show();
        self.disk
            .sync_folder(&self.folder)
            .map_err(SpoolError::at(Operation::Sync, &self.folder))
    }

    fn copy_all_but(
        &self,
        places: &[Range<u64>],
        old: &dyn DiskFile,
        new: &dyn DiskFile,
    ) -> io::Result<u64> {
        disk::write_all_at(new, &file_header(), 0)?;
        let mut to = FILE_HEADER_BYTES as u64;
        let mut from = to;
        let last = self.end..self.end;
        let mut chunk = vec![0; CHUNK_BYTES];
        for gap in places.iter().chain([&last]) {
            while from < gap.start {
                let left = usize::try_from(gap.start - from).unwrap_or(usize::MAX);
                let room = left.min(CHUNK_BYTES);
                let read =
                    disk::read_full_at(old, chunk.get_mut(..room).unwrap_or_default(), from)?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                disk::write_all_at(new, chunk.get(..read).unwrap_or_default(), to)?;
                from += read as u64;
                to += read as u64;
            }
            from = from.max(gap.end);
        }
        Ok(to)
    }

    fn new_path(&self) -> PathBuf {
        self.path.with_extension("new")
    }
}

fn likeness(letter: &DeadLetter<'_>) -> Likeness {
    (letter.received, crc32c::crc32c(letter.payload))
}
