//! The few file operations that the log needs, and their errors in words.
//!
//! ```text
//!   log, segment, cursor ──▶ Disk / DiskFile ──▶ RealDisk (files)
//!                                          └───▶ a disk in memory that forgets and fails (tests)
//! ```
//!
//! In: paths and bytes. Out: plain [`io::Result`]s; [`SpoolError`] says which operation on which path failed and what
//! to do. Everything is created for the owner alone: files 0600, folders 0700, since records hold device messages.

use std::fmt::Debug;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, IoSlice};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of the spool. Reads and writes name their place, so that threads share it without a position.
pub trait DiskFile: Debug + Send + Sync {
    /// Writes some of `bytes` at `offset`; returns how many.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Writes some of what stands in `parts`, one behind the other, at `offset`; returns how many bytes.
    fn write_parts_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.write_at(parts.first().map_or(&[], |part| &**part), offset)
    }
    /// Reads some bytes at `offset`; 0 at the end.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Returns when data and length are on the disk.
    fn sync_data(&self) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether there is no byte in it.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Cuts the file, or fills it with zeros, to `length` bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// A folder that is open.
pub trait DiskFolder: Debug {
    /// Returns when creations, renames and removals in it are on the disk.
    fn sync(&self) -> io::Result<()>;
}

/// Keeps a folder for one process; given back when dropped.
pub trait DiskLock: Debug + Send + Sync {}

/// A file system.
pub trait Disk: Debug + Send + Sync {
    /// Makes the folder (mode 0700) if it is not there; its parent must be.
    fn create_folder(&self, folder: &Path) -> io::Result<()>;
    /// The names of the files in `folder`, in any order; names that are not UTF-8 are left out.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// The names of the folders in `folder`, likewise.
    fn list_folders(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// Makes a new file (mode 0600); an error if it exists.
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing. Links are not followed.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading only. Links are not followed.
    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames within a folder, replacing `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Unlinks a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Opens a folder, for a sync: an error says nothing about what is in it.
    fn open_folder(&self, folder: &Path) -> io::Result<Box<dyn DiskFolder>>;
    /// Returns when creations, renames and removals in `folder` are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.open_folder(folder)?.sync()
    }
    /// Bytes that this process may still write to the file system of `folder`.
    fn free_bytes(&self, folder: &Path) -> io::Result<u64>;
    /// The user id that owns `folder`, and ours.
    fn owner(&self, folder: &Path) -> io::Result<Owner>;
    /// Locks the file `path` (made if it is not there) for this process, without waiting.
    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, SpoolError>;
}

/// Who owns a folder, beside who we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The folder's user id.
    pub folder: u32,
    /// The process's effective user id.
    pub process: u32,
}

/// What the spool was doing when the disk refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Making a folder or a file.
    Create,
    /// Opening a file.
    Open,
    /// Listing a folder.
    List,
    /// Reading.
    Read,
    /// Writing.
    Write,
    /// Waiting for the disk to have it.
    Sync,
    /// Cutting a file.
    Truncate,
    /// Renaming a file.
    Rename,
    /// Unlinking a file.
    Remove,
    /// Locking the spool.
    Lock,
    /// Asking for owner or free space.
    Stat,
}

impl Operation {
    /// The operation as a verb, for texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "create",
            Operation::Open => "open",
            Operation::List => "list",
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Sync => "sync",
            Operation::Truncate => "truncate",
            Operation::Rename => "rename",
            Operation::Remove => "remove",
            Operation::Lock => "lock",
            Operation::Stat => "stat",
        }
    }
}

/// Why the spool on disk cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The disk is full, or the quota is.
    #[error(
        "no space left to {} {}: free some space there, or lower spool.bytes_max",
        .operation.as_str(), .path.display()
    )]
    NoSpace {
        /// What was tried.
        operation: Operation,
        /// On which file or folder.
        path: PathBuf,
    },
    /// The file system is mounted read-only (Linux does that by itself when a disk fails).
    #[error(
        "cannot {} {}: the file system is read-only; look into the kernel's log for disk errors, then remount it",
        .operation.as_str(), .path.display()
    )]
    ReadOnly {
        /// What was tried.
        operation: Operation,
        /// On which file or folder.
        path: PathBuf,
    },
    /// The process may not.
    #[error(
        "not allowed to {} {}: give the folder to the user that trapline runs as (chown -R)",
        .operation.as_str(), .path.display()
    )]
    Denied {
        /// What was tried.
        operation: Operation,
        /// On which file or folder.
        path: PathBuf,
    },
    /// Anything else: a failing disk, a folder that is not there.
    #[error("cannot {} {}: {source}; check the disk and that the spool's folder exists", .operation.as_str(), .path.display())]
    Io {
        /// What was tried.
        operation: Operation,
        /// On which file or folder.
        path: PathBuf,
        /// The system's own words.
        source: io::Error,
    },
    /// The disk did not confirm that it has some records. What is still in memory is to be written again
    /// ([`super::log::Log::resume_at`]); the rest may be lost with the next power cut.
    #[error(
        "{}: {source}; look into the kernel's log for disk errors",
        not_kept(.numbers, .path)
    )]
    SyncFailed {
        /// The log's folder.
        path: PathBuf,
        /// The records in doubt.
        numbers: Range<u64>,
        /// The system's own words.
        source: io::Error,
    },
    /// A newer trapline wrote it. It is left untouched.
    #[error(
        "{} has format version {found}, this trapline knows versions up to {known}: run the newer trapline again, or move the folder away",
        .path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version that is understood here.
        known: u64,
    },
    /// Another process uses the spool.
    #[error("{} is locked by {holder}: stop it, or give this agent another spool folder", .path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as it wrote itself into the file.
        holder: String,
    },
    /// The folder belongs to somebody else. It is left untouched.
    #[error(
        "{} belongs to user {}, trapline runs as user {}: run it as the owner, or chown -R the folder",
        .path.display(), .owner.folder, .owner.process
    )]
    ForeignOwner {
        /// The folder.
        path: PathBuf,
        /// Who owns it, and who we are.
        owner: Owner,
    },
    /// Records were handed over that do not follow the ones before; nothing was written.
    #[error("the log of {} expects record {expected} next, and was handed record {found}", .path.display())]
    OutOfOrder {
        /// The log's folder.
        path: PathBuf,
        /// The number that must come next.
        expected: u64,
        /// The number that came.
        found: u64,
    },
}

/// What a failed sync may have cost. All may have been on the disk before.
fn not_kept(numbers: &Range<u64>, path: &Path) -> String {
    let path = path.display();
    match numbers.is_empty() {
        true => format!("the disk cannot sync {path}"),
        false => format!(
            "the disk did not keep records {}..{} of {path}",
            numbers.start, numbers.end
        ),
    }
}

/// Whether the disk refused because it, or the quota, is full.
pub(super) fn is_for_want_of_room(source: &io::Error) -> bool {
    matches!(
        source.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}

impl SpoolError {
    /// Puts an error of the system into words.
    pub fn new(operation: Operation, path: &Path, source: io::Error) -> SpoolError {
        let path = path.to_path_buf();
        match source.kind() {
            _ if is_for_want_of_room(&source) => SpoolError::NoSpace { operation, path },
            ErrorKind::ReadOnlyFilesystem => SpoolError::ReadOnly { operation, path },
            ErrorKind::PermissionDenied => SpoolError::Denied { operation, path },
            _ => SpoolError::Io {
                operation,
                path,
                source,
            },
        }
    }

    /// For `map_err`.
    pub(super) fn at(operation: Operation, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
        move |source| SpoolError::new(operation, path, source)
    }
}

/// Refuses a folder that belongs to another user. Root is refused too: files of root's in the service's spool would
/// lock the service out of it.
pub fn check_owner(disk: &dyn Disk, folder: &Path) -> Result<(), SpoolError> {
    let owner = disk
        .owner(folder)
        .map_err(SpoolError::at(Operation::Stat, folder))?;
    if owner.folder == owner.process {
        return Ok(());
    }
    Err(SpoolError::ForeignOwner {
        path: folder.to_path_buf(),
        owner,
    })
}

/// Writes all of `bytes` at `offset`.
pub(super) fn write_all_at(
    file: &dyn DiskFile,
    mut bytes: &[u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write_at(bytes, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = bytes.get(written..).unwrap_or_default();
                offset += written as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `parts`, one behind the other, at `offset`.
pub(super) fn write_all_parts_at(
    file: &dyn DiskFile,
    parts: &[&[u8]],
    mut offset: u64,
) -> io::Result<()> {
    let filled = parts.iter().filter(|part| !part.is_empty());
    let mut slices: Vec<IoSlice<'_>> = filled.map(|part| IoSlice::new(part)).collect();
    let mut left = &mut slices[..];
    while !left.is_empty() {
        match file.write_parts_at(left, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                IoSlice::advance_slices(&mut left, written);
                offset += written as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Reads until `bytes` is full or the file ends; returns how many bytes came.
pub(super) fn read_full_at(
    file: &dyn DiskFile,
    bytes: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(room) = bytes.get_mut(filled..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn names(folder: &Path, wanted: fn(&std::fs::FileType) -> bool) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if wanted(&entry.file_type()?) {
            names.extend(entry.file_name().into_string().ok());
        }
    }
    Ok(names)
}

/// So many parts one call of the system takes: Linux' own limit (`UIO_MAXIOV`). The rest is another call's.
const PARTS_MAX: usize = 1024;

/// The operating system's file systems.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile(File);

#[derive(Debug)]
struct RealFolder(File);

/// The open lock file; the kernel drops the lock with it, however the process ends.
#[derive(Debug)]
struct RealLock(#[expect(dead_code, reason = "held for its lock")] File);

impl DiskLock for RealLock {}

impl DiskFile for RealFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn write_parts_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let parts = parts.get(..PARTS_MAX).unwrap_or(parts);
        let place = libc::off_t::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: an IoSlice is an iovec (its documentation promises the layout), and there are so many of them, each of
        // which borrows the bytes it leads to; the call keeps neither.
        let written = unsafe {
            libc::pwritev(
                self.0.as_raw_fd(),
                parts.as_ptr().cast(),
                parts.len() as libc::c_int,
                place,
            )
        };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

impl DiskFolder for RealFolder {
    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

impl Disk for RealDisk {
    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            made => made,
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        names(folder, std::fs::FileType::is_file)
    }

    fn list_folders(&self, folder: &Path) -> io::Result<Vec<String>> {
        names(folder, std::fs::FileType::is_dir)
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        options.custom_flags(libc::O_NOFOLLOW);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NOFOLLOW);
        Ok(Arc::new(RealFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn open_folder(&self, folder: &Path) -> io::Result<Box<dyn DiskFolder>> {
        Ok(Box::new(RealFolder(File::open(folder)?)))
    }

    fn free_bytes(&self, folder: &Path) -> io::Result<u64> {
        let path = std::ffi::CString::new(folder.as_os_str().as_bytes())?;
        // SAFETY: an all-zero `statvfs` is a valid value of this plain C struct.
        let mut answer: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: `path` ends with a NUL and `answer` is a struct of the right type; both outlive the call.
        let status = unsafe { libc::statvfs(path.as_ptr(), &mut answer) };
        if status != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(answer.f_bavail.saturating_mul(answer.f_frsize))
    }

    fn owner(&self, folder: &Path) -> io::Result<Owner> {
        let folder = std::fs::metadata(folder)?.uid();
        // SAFETY: geteuid has no arguments and cannot fail.
        let process = unsafe { libc::geteuid() };
        Ok(Owner { folder, process })
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, SpoolError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        options.mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options
            .open(path)
            .map_err(SpoolError::at(Operation::Lock, path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(SpoolError::Locked {
                    path: path.to_path_buf(),
                    holder: holder(&file),
                });
            }
            Err(TryLockError::Error(error)) => {
                return Err(SpoolError::new(Operation::Lock, path, error));
            }
        }
        // The lock is ours whether or not the name can be written: the name is only for the error of others.
        let _ = file.set_len(0);
        let _ = file.write_at(format!("process {}\n", std::process::id()).as_bytes(), 0);
        Ok(Box::new(RealLock(file)))
    }
}

/// Who wrote itself into the lock file; only printable ASCII is believed.
fn holder(file: &File) -> String {
    let mut bytes = [0; 32];
    let length = file.read_at(&mut bytes, 0).unwrap_or(0);
    let text: String = bytes
        .iter()
        .take(length)
        .map(|&byte| char::from(byte))
        .filter(|character| character.is_ascii_graphic() || *character == ' ')
        .collect();
    if text.is_empty() {
        "another process".into()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn files_are_made_for_the_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("t");
        RealDisk.create_folder(&folder).unwrap();
        RealDisk.create_folder(&folder).unwrap();
        let path = folder.join("f");
        RealDisk.create_new(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert!(RealDisk.create_new(&path).is_err());
        assert_eq!(RealDisk.list(&folder).unwrap(), ["f"]);
        assert!(RealDisk.free_bytes(&folder).unwrap() > 0);
        check_owner(&RealDisk, &folder).unwrap();
    }

    #[test]
    fn the_second_lock_is_refused_and_names_the_holder() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("lock");
        let held = RealDisk.lock(&path).unwrap();
        let refused = RealDisk.lock(&path).unwrap_err().to_string();
        let expected = format!("is locked by process {}", std::process::id());
        assert!(refused.contains(&expected), "{refused}");
        drop(held);
        RealDisk.lock(&path).unwrap();
    }

    /// Takes at most so many bytes a call.
    #[derive(Debug)]
    struct Slow(Arc<dyn DiskFile>, usize);

    impl DiskFile for Slow {
        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            self.0.write_at(&bytes[..bytes.len().min(self.1)], offset)
        }
        fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
            self.0.read_at(bytes, offset)
        }
        fn sync_data(&self) -> io::Result<()> {
            self.0.sync_data()
        }
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn truncate(&self, length: u64) -> io::Result<()> {
            self.0.truncate(length)
        }
    }

    #[test]
    fn parts_are_written_one_behind_the_other_however_little_a_call_takes() {
        let home = tempfile::tempdir().unwrap();
        let texts: Vec<Vec<u8>> = (0..2 * PARTS_MAX + 7)
            .map(|number| number.to_string().repeat(number % 5).into_bytes())
            .collect();
        let parts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
        let expected = [&b"head"[..], &texts.concat()].concat();
        let whole = RealDisk.create_new(&home.path().join("whole")).unwrap();
        let slow = RealDisk.create_new(&home.path().join("slow")).unwrap();
        for file in [whole.clone(), Arc::new(Slow(slow, 3))] {
            write_all_at(file.as_ref(), b"head", 0).unwrap();
            write_all_parts_at(file.as_ref(), &parts, 4).unwrap();
            let mut read = vec![0; expected.len() + 1];
            let length = read_full_at(file.as_ref(), &mut read, 0).unwrap();
            assert_eq!(read[..length], expected);
        }
        write_all_parts_at(whole.as_ref(), &[], 4).unwrap();
        let only_read = RealDisk.open_to_read(&home.path().join("whole")).unwrap();
        assert!(write_all_parts_at(only_read.as_ref(), &parts, 0).is_err());
    }

    #[test]
    fn a_link_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (target, link) = (home.path().join("target"), home.path().join("link"));
        std::fs::write(&target, b"x").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(RealDisk.open(&link).is_err());
        assert!(RealDisk.open_to_read(&link).is_err());
        assert_eq!(RealDisk.list(home.path()).unwrap(), ["target"]);
    }

    #[test]
    fn errors_say_what_to_do() {
        let path = Path::new("/spool/net.syslog/x.log");
        let text = |code| {
            SpoolError::new(Operation::Write, path, io::Error::from_raw_os_error(code)).to_string()
        };
        assert!(text(libc::ENOSPC).contains("free some space"));
        assert!(text(libc::EROFS).contains("read-only"));
        assert!(text(libc::EACCES).contains("chown"));
        assert!(text(libc::EIO).contains("cannot write /spool/net.syslog/x.log"));
    }
}
