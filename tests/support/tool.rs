//! Programs of others: real senders and readers.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

/// A program of others, by name. A missing one fails the test: one that is skipped proves nothing.
#[track_caller]
pub fn tool(name: &str, package: &str) -> Command {
    let unpacked = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .map(|target| target.join("tools"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let program = unpacked
        .into_iter()
        .chain(std::env::split_paths(&path))
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    let program = program.unwrap_or_else(|| {
        panic!("{name} is missing: run `tests/setup test` (Debian package {package})")
    });
    Command::new(program)
}

/// Runs it to its end and returns what it printed; panics unless it succeeds.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Runs it to its end, however that is.
#[track_caller]
pub fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A program that runs until this value is dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it in the foreground.
    #[track_caller]
    pub fn start(command: &mut Command) -> Daemon {
        let child = command.spawn();
        Daemon(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Both fail only where the process is gone and reaped already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
