//! The files that values name: secrets, certificates, keys, the inventory; and the configuration's own. A pipe is as good
//! (`--config <(sops decrypt trapline.toml)`).
//!
//! ```text
//!  path ──read──▶ Kept { bytes, mode } ──▶ text of a secret · a PEM file's fingerprint · "others can read it"
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

/// The largest file that is read, the configuration included: more than any of them needs, and a device or log named by
/// mistake does not fill the memory.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How long the pipes of one configuration may take, all together, to give all they have: a command that decrypts a file
/// asks a key service first. Whoever starts the agent or types `check` waits for it.
const PIPES_WAIT_MAX: Duration = Duration::from_secs(5);

/// `/dev/null`, by which nothing is asked for in so many words (null(4)).
const NULL_DEVICE: u64 = libc::makedev(1, 3);

/// Until when pipes are waited for. One for all that is read for a configuration: ten pipes that hang take no longer than
/// one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(Instant);

/// Begins now.
impl Default for Deadline {
    fn default() -> Deadline {
        Deadline(Instant::now() + PIPES_WAIT_MAX)
    }
}

#[cfg(test)]
impl Deadline {
    /// It has come.
    pub fn over() -> Deadline {
        Deadline(Instant::now())
    }
}

/// A file's content, and who may read it.
#[derive(Clone)]
pub(super) struct Kept {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
}

impl Kept {
    /// Whether every user of this host can read it.
    pub fn is_world_readable(&self) -> bool {
        self.mode & 0o004 != 0
    }
}

/// Reads a whole file of this host, or what a pipe gives until the deadline.
pub(super) fn read(path: &Path, deadline: Deadline) -> io::Result<Kept> {
    read_up_to(FILE_BYTES_MAX, path, deadline)
}

/// The same of a file that may be larger.
pub(super) fn read_up_to(bytes_max: u64, path: &Path, deadline: Deadline) -> io::Result<Kept> {
    let file = open(path)?;
    let metadata = file.metadata()?;
    let kind = metadata.file_type();
    let bytes = if kind.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    } else if kind.is_file() {
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
        bytes
    } else if kind.is_fifo() {
        read_pipe(&file, bytes_max, deadline)?
    } else if kind.is_char_device() && metadata.rdev() == NULL_DEVICE {
        Vec::new()
    } else {
        return Err(no_regular_file());
    };
    if bytes.len() as u64 > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Kept {
        bytes,
        mode: metadata.mode(),
    })
}

/// Opens a file to be read, and never waits: opening a pipe as usual would take until somebody writes to it.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let opened = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path);
    opened.map_err(|error| match error.raw_os_error() {
        // A socket, or a device that is not there.
        Some(libc::ENXIO) => no_regular_file(),
        _ => error,
    })
}

/// Opens a file or a folder that others will open again; what a pipe gives is gone by then.
pub(super) fn open_lasting(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    match file.metadata()?.file_type().is_fifo() {
        true => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a pipe, which can be read only once",
        )),
        false => Ok(file),
    }
}

fn no_regular_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is a device or a socket")
}

/// Reads what is written to a pipe until its last writer closes it. One that gives nothing is most likely the output of a
/// command that failed, and an empty configuration would be a valid one.
fn read_pipe(mut pipe: &File, bytes_max: u64, Deadline(deadline): Deadline) -> io::Result<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let mut had_writer = false;
    while bytes.len() as u64 <= bytes_max {
        match pipe.read(&mut chunk) {
            Ok(0) if !bytes.is_empty() => break,
            Ok(0) if had_writer => {
                let text = "the pipe is empty";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
            }
            // Nobody writes to it yet.
            Ok(0) => {}
            Ok(length) => {
                bytes.extend_from_slice(chunk.get(..length).unwrap_or_default());
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The writer takes its time.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => had_writer = true,
            Err(error) => return Err(error),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let text = match had_writer {
                true => "what writes to this pipe does not come to its end",
                false => "nobody writes to this pipe",
            };
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        had_writer |= wait(pipe, left)?;
    }
    Ok(bytes)
}

/// Waits until a pipe has something to read or has lost its writer. Says whether that was so; a signal ends it as well.
fn wait(pipe: &File, time_max: Duration) -> io::Result<bool> {
    let mut asked = libc::pollfd {
        fd: pipe.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // Rounded up: 0 would not wait at all.
    let ms_max = i32::try_from(time_max.as_millis() + 1).unwrap_or(i32::MAX);
    // SAFETY: it points to one entry, as the number says, and that outlives the call.
    match unsafe { libc::poll(&raw mut asked, 1, ms_max) } {
        -1 => {
            let error = io::Error::last_os_error();
            let is_signal = error.kind() == io::ErrorKind::Interrupted;
            is_signal.then_some(false).ok_or(error)
        }
        ready => Ok(ready > 0),
    }
}

/// Why a file could not be read, and what to do.
pub(super) fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "create the file or correct the path",
        io::ErrorKind::PermissionDenied => {
            "run this command as root or as the agent's user (sudo -u trapline), and let that user read the file (owner root, group trapline, mode 0640)"
        }
        io::ErrorKind::IsADirectory => "name a file in that directory",
        io::ErrorKind::FileTooLarge => "name a file below 1 MiB; this is most likely another one",
        io::ErrorKind::InvalidInput => "name a regular file",
        io::ErrorKind::TimedOut => {
            "see whether the command that writes to it hangs, or name a regular file"
        }
        io::ErrorKind::UnexpectedEof => {
            "run the command that writes to it by itself, it has most likely failed"
        }
        _ => "make it readable for the agent's user",
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;
    use std::path::PathBuf;
    use std::thread;

    use super::*;

    fn within(ms: u64) -> Deadline {
        Deadline(Instant::now() + Duration::from_millis(ms))
    }

    fn pipe(folder: &Path) -> PathBuf {
        let path = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.expect("mkfifo").success());
        path
    }

    fn refused(path: &Path, ms: u64) -> String {
        let error = read(path, within(ms)).err().expect("it is refused");
        format!("{error}: {}", advice(&error))
    }

    #[test]
    fn a_pipe_is_read_to_the_end_of_its_writer_however_slowly_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let to = path.clone();
        let writing = thread::spawn(move || {
            let mut to = File::options().write(true).open(to).unwrap();
            for _ in 0..3 {
                to.write_all(b"[agent]\n").unwrap();
                thread::park_timeout(Duration::from_millis(20));
            }
        });
        let kept = read(&path, within(30_000)).unwrap();
        assert_eq!(kept.bytes, b"[agent]\n".repeat(3));
        writing.join().unwrap();
    }

    #[test]
    fn a_pipe_that_gives_nothing_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        assert!(refused(&path, 50).contains("nobody writes"));
        let mut both = File::options();
        let silent = both.read(true).write(true).open(&path).unwrap();
        assert!(refused(&path, 50).contains("does not come to its end"));
        drop(silent);
        let to = path.clone();
        let leaving = thread::spawn(move || drop(File::options().write(true).open(to)));
        assert!(refused(&path, 30_000).contains("empty"));
        leaving.join().unwrap();
    }

    #[test]
    fn where_the_time_is_up_a_pipe_is_not_waited_for_and_what_is_there_already_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = pipe(folder.path());
        let over = Deadline::over();
        let started = Instant::now();
        for _ in 0..10 {
            let error = read(&path, over).err().expect("nobody writes");
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        }
        assert!(started.elapsed() < PIPES_WAIT_MAX);
        let file = folder.path().join("secret");
        std::fs::write(&file, "s3cret").unwrap();
        assert_eq!(read(&file, over).unwrap().bytes, b"s3cret");
    }

    #[test]
    fn devices_sockets_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listening = UnixListener::bind(&path).unwrap();
        for path in [&path, Path::new("/dev/zero")] {
            let text = refused(path, 50);
            assert!(text.contains("name a regular file"), "{text}");
        }
        assert!(refused(folder.path(), 50).contains("in that directory"));
        let nothing = read(Path::new("/dev/null"), within(50)).unwrap();
        assert_eq!(nothing.bytes, b"");
    }
}
