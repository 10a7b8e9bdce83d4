//! A copy of a file that only this process has, mapped.
//!
//! ```text
//!  octets ──take──▶ a file without a name (O_TMPFILE)  ──map──▶ Mmap   the kernel keeps what is looked up
//!                   else anonymous memory              ──map──▶ Mmap   all of it stays
//! ```

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;

use memmap2::{Mmap, MmapMut};

/// Reads until `room` is full or the file ends, and says how much came.
pub(super) fn read_up_to(file: &mut File, room: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = room.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Where the private copy goes.
pub(super) enum Copy {
    /// A file without a name, which nobody else can open or shorten.
    Nameless(File),
    /// Memory of ours, where no such file can be made: a read-only root, a file system without O_TMPFILE.
    Memory(MmapMut, usize),
}

impl Copy {
    /// A file below the folder for temporary ones.
    pub fn nameless(_length: u64) -> io::Result<Copy> {
        File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_TMPFILE)
            .mode(0o600)
            .open(std::env::temp_dir())
            .map(Copy::Nameless)
    }

    /// Memory for this many octets.
    pub fn memory(length: u64) -> io::Result<Copy> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?;
        Ok(Copy::Memory(MmapMut::map_anon(length)?, 0))
    }

    /// Appends octets.
    pub fn take(&mut self, part: &[u8]) -> io::Result<()> {
        match self {
            Copy::Nameless(file) => file.write_all(part),
            Copy::Memory(map, used) => {
                let end = used.saturating_add(part.len());
                let room = map.get_mut(*used..end).ok_or(io::ErrorKind::FileTooLarge)?;
                room.copy_from_slice(part);
                *used = end;
                Ok(())
            }
        }
    }

    /// All that was taken, mapped, read-only.
    pub fn map(self) -> io::Result<Mmap> {
        match self {
            // Safety: the file has no name and is open nowhere else, so nobody can write or shorten it while it is
            // mapped. It was written to its full length.
            Copy::Nameless(file) => unsafe { Mmap::map(&file) },
            Copy::Memory(map, _) => map.make_read_only(),
        }
    }
}
