//! A disk whose calls end in EIO, or do not end, when a test says so: a small library that is loaded into the agent before the C library.

use std::os::unix::fs::FileExt;
use std::path::Path;

use tempfile::NamedTempFile;

use super::preload::Preload;

/// Which calls fail; the numbers are the library's bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// None.
    Nothing = 0,
    /// All writes.
    Writes = 1,
    /// All reads.
    Reads = 2,
    /// All syncs.
    Syncs = 4,
    /// None, but no write and no sync comes back before something else is said.
    Hanging = 8,
    /// None, but no read comes back before something else is said.
    ReadsHang = 16,
}

/// The library and its switch.
pub struct FailingDisk {
    library: Preload,
    switch: NamedTempFile,
}

impl FailingDisk {
    /// Compiles the library.
    pub fn build() -> FailingDisk {
        let switch = NamedTempFile::new().expect("a temporary file");
        let disk = FailingDisk {
            library: Preload::build("failing_disk"),
            switch,
        };
        disk.set(Failing::Nothing);
        disk
    }

    /// What an agent is started with, so that files below `folder` are on this disk.
    pub fn environment(&self, folder: &Path) -> Vec<(&'static str, String)> {
        let text = |path: &Path| path.to_str().expect("a path in UTF-8").to_owned();
        vec![
            self.library.environment(),
            ("FAILING_DISK_SWITCH", text(self.switch.path())),
            ("FAILING_DISK_FOLDER", text(folder)),
        ]
    }

    /// From now on these calls fail, and no others.
    pub fn set(&self, failing: Failing) {
        let file = self.switch.as_file();
        file.write_all_at(&[failing as u8], 0).expect("one byte");
    }
}
