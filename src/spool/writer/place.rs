//! A folder that goes away under the running agent: unmounted, or removed.
//!
//! ```text
//!   in place ──a file is not there──▶ memory only, for 10 s ──▶ made anew, what memory holds is written there
//!      ▲                                    │ it is back
//!      └────────────────────────────────────┘ nothing is lost
//! ```
//!
//! Writes to an open file succeed when its name is gone, so the writer looks for its files each second.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Writer;
use crate::spool::cursor::Cursor;
use crate::spool::disk::{Operation, SpoolError};

/// How long a folder that is gone may come back before it is made anew: a file system that is mounted again takes
/// seconds, and until then what it holds is not lost.
const COMES_BACK: Duration = Duration::from_secs(10);

impl Writer {
    /// An error where the spool is not where it was.
    pub(super) fn check_place(&self) -> Result<(), SpoolError> {
        match self.missing_log()? {
            None => Ok(()),
            Some(path) => Err(gone(&path)),
        }
    }

    /// The same while the disk fails: what stays away for long is made anew.
    pub(super) fn find_place(&mut self, clock: Instant) -> Result<(), SpoolError> {
        let Some(path) = self.missing_log()? else {
            self.missing = None;
            return Ok(());
        };
        let since = *self.missing.get_or_insert(clock);
        if clock.saturating_duration_since(since) < COMES_BACK {
            return Err(gone(&path));
        }
        self.make_anew()?;
        self.missing = None;
        tracing::warn!(folder = %self.config.folder.display(), "the spool's folder was gone and is made anew");
        Ok(())
    }

    fn missing_log(&self) -> Result<Option<PathBuf>, SpoolError> {
        for log in &self.logs {
            if !log.is_in_place()? {
                return Ok(Some(log.folder().to_path_buf()));
            }
        }
        Ok(None)
    }

    fn make_anew(&mut self) -> Result<(), SpoolError> {
        let folder = self.config.folder.clone();
        if let Some(above) = folder.parent() {
            // Where this fails, the next line says what is missing.
            let _ = self.disk.create_folder(above);
        }
        for folder in [folder.clone(), folder.join("topics")] {
            self.disk
                .create_folder(&folder)
                .map_err(SpoolError::at(Operation::Create, &folder))?;
        }
        let lock = folder.join("lock");
        if let Err(error) = self.disk.open_to_read(&lock)
            && error.kind() == ErrorKind::NotFound
        {
            self.lock = self.disk.lock(&lock)?;
        }
        for index in 0..self.logs.len() {
            let Some(log) = self.logs.get_mut(index) else {
                continue;
            };
            if log.is_in_place()? {
                continue;
            }
            match log.make_anew() {
                Err(error @ SpoolError::SyncFailed { .. }) => self.recover(index, &error),
                made => made?,
            }
        }
        self.saved.fill(Cursor::default());
        self.has_reserve = false;
        Ok(())
    }
}

fn gone(path: &std::path::Path) -> SpoolError {
    SpoolError::new(Operation::Open, path, ErrorKind::NotFound.into())
}
