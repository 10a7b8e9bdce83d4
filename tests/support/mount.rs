//! File systems of a test's own: small ones, and ones that may not be written. They need root; without it a test says
//! that it is skipped.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::wait::{LOOK_EVERY, pause};

/// Bytes of the image that holds a file system; mkfs.xfs makes none that is smaller.
const IMAGE_BYTES: u64 = 320 * 1024 * 1024;

/// A small file system; unmounted with this value.
pub struct SmallDisk {
    /// The mount point is in here, or is this.
    #[expect(dead_code, reason = "held for its folder, which goes with it")]
    home: TempDir,
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts a tmpfs of 24 MiB, where this user may.
    pub fn mount() -> Option<SmallDisk> {
        let home = TempDir::new().expect("a temporary folder");
        let arguments = ["-t", "tmpfs", "-o", "size=24m", "tmpfs"];
        let folder = home.path().to_owned();
        mount(&arguments, &folder).then_some(SmallDisk { home, folder })
    }

    /// Makes a file system of `kind` (xfs, btrfs) in an image, mounts that, and fills it until `free` bytes are left;
    /// where there is its mkfs, this user may mount, and there are loop devices.
    pub fn mount_image(kind: &str, free: u64) -> Option<SmallDisk> {
        let home = TempDir::new().expect("a temporary folder");
        let (image, folder) = (home.path().join("image"), home.path().join("disk"));
        let file = File::create(&image).expect("a file");
        file.set_len(IMAGE_BYTES).expect("a sparse file");
        std::fs::create_dir(&folder).expect("a folder");
        let from = image.to_str().expect("a path in UTF-8");
        let made = Command::new(format!("mkfs.{kind}"))
            .args(["-q", from])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .output();
        let made = made.is_ok_and(|output| output.status.success());
        if !made || !mount(&["-t", kind, "-o", "loop", from], &folder) {
            return None;
        }
        let disk = SmallDisk { home, folder };
        let taken = free_bytes(disk.folder()).saturating_sub(free);
        let mut fallocate = Command::new("fallocate");
        let fallocate = fallocate.arg("-l").arg(taken.to_string());
        let done = fallocate.arg(disk.folder.join("taken")).status();
        assert!(done.is_ok_and(|status| status.success()), "fallocate");
        Some(disk)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Another process takes all that is free, to the last byte.
    pub fn fill(&self) -> Hog {
        let path = self.folder().join("hog");
        fill(&mut File::create(&path).expect("a file"));
        Hog { path, eats: None }
    }

    /// Another process takes all that is free, and goes on to take what becomes free.
    pub fn fill_again_and_again(&self) -> Hog {
        let mut hog = self.fill();
        let file = File::options().append(true).open(&hog.path);
        let mut file = file.expect("its file");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                fill(&mut file);
                pause(LOOK_EVERY);
            }
        });
        hog.eats = Some((stop, thread));
        hog
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

/// Another process that fills a disk; gives all of it back with this value.
pub struct Hog {
    path: PathBuf,
    eats: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Drop for Hog {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.eats.take() {
            stop.store(true, Ordering::SeqCst);
            thread.join().expect("it only writes");
        }
        std::fs::remove_file(&self.path).expect("the file that fills the disk");
    }
}

/// Writes until nothing more fits.
fn fill(file: &mut File) {
    for size in [64 * 1024, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Bytes that may be written there, as the file system says.
fn free_bytes(folder: &Path) -> u64 {
    let mut df = Command::new("df");
    let output = df.args(["-B1", "--output=avail"]).arg(folder).output();
    let text = String::from_utf8(output.expect("df").stdout).expect("UTF-8");
    let last = text.lines().last().expect("a figure");
    last.trim().parse().expect("a number")
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
