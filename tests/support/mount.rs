//! File systems of a test's own: small ones, and ones that may not be written. They need root; without it a test says
//! that it is skipped.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A file system of 24 MiB; unmounted with this value.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one, where this user may.
    pub fn mount() -> Option<SmallDisk> {
        let folder = TempDir::new().expect("a temporary folder");
        let arguments = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"];
        mount(&arguments, folder.path()).then_some(SmallDisk(folder))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file until nothing more fits.
    pub fn fill(&self) -> PathBuf {
        let path = self.folder().join("hog");
        let mut file = std::fs::File::create(&path).expect("a file");
        for size in [64 * 1024, 512] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }

    /// Makes all of it read-only; only while no file on it is open for writing.
    pub fn make_read_only(&self) {
        assert!(mount(&["-o", "remount,ro", "tmpfs"], self.folder()));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(self.folder());
    }
}

/// A folder that may not be written through its name: files that are open already are not touched. Ends with this value.
pub struct ReadOnly(PathBuf);

impl ReadOnly {
    /// Lays a read-only view of `folder` over it, where this user may.
    pub fn over(folder: &Path) -> Option<ReadOnly> {
        let from = folder.to_str().expect("a path in UTF-8");
        if !mount(&["--bind", from], folder) {
            return None;
        }
        let view = ReadOnly(folder.to_owned());
        mount(&["-o", "remount,bind,ro"], folder).then_some(view)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mut mount = Command::new("mount");
    let done = mount.args(arguments).arg(folder).output();
    done.is_ok_and(|output| output.status.success())
}

fn unmount(folder: &Path) {
    // `-l`: the agent may still have its files open. Fails only where the mount is gone already.
    let _ = Command::new("umount").arg("-l").arg(folder).status();
}
