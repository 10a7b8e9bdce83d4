//! The files that values name: secrets, certificates, keys.
//!
//! ```text
//!  path ──read──▶ Kept { bytes, mode } ──▶ text of a secret · a PEM file's fingerprint · "others can read it"
//! ```

use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The largest file that is read, the configuration included: more than any of them needs, and a device or log named by
/// mistake does not fill the memory.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

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

/// Reads a whole file of this host.
pub(super) fn read(path: &Path) -> io::Result<Kept> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(Kept {
        bytes,
        mode: metadata.mode(),
    })
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
        _ => "make it readable for the agent's user",
    }
}
