//! The binary as a process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

use crate::wait::{SOON, wait_for, wait_until};

/// The binary, without any setting of the environment that the tests run in.
pub fn trapline() -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_trapline")))
}

fn clean(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("TRAPLINE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// The binary as a user who may do nothing that root may, and a folder that this user can read.
pub struct Nobody {
    folder: TempDir,
}

impl Nobody {
    /// A copy of the binary where everybody can run it: the build's own folder may be closed to others.
    pub fn new() -> Nobody {
        let folder = folder();
        open(folder.path(), 0o755);
        let binary = folder.path().join("trapline");
        std::fs::copy(env!("CARGO_BIN_EXE_trapline"), &binary).expect("a copy of the binary");
        open(&binary, 0o755);
        Nobody { folder }
    }

    /// The folder that this user can read.
    pub fn folder(&self) -> &TempDir {
        &self.folder
    }

    /// The binary, to be run without any right.
    pub fn trapline(&self) -> Command {
        let binary = self.folder.path().join("trapline");
        // SAFETY: geteuid has no arguments and cannot fail.
        let is_root = unsafe { libc::geteuid() } == 0;
        if !is_root {
            return clean(Command::new(binary));
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--clear-groups", "--inh-caps=-all"])
            .args(["--bounding-set=-all", "--"])
            .arg(binary);
        clean(command)
    }
}

fn open(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, permissions).expect("own file");
}

/// A temporary folder.
pub fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

/// Writes a configuration file that everybody may read.
pub fn write(folder: &TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("trapline.toml");
    std::fs::write(&file, text).expect("own folder");
    file
}

/// What a command that has ended left behind.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn end(command: &mut Command) -> Ended {
    let ended = Ended::from(command.output().expect("the command starts"));
    assert!(!ended.err.contains("panicked"), "{ended:#?}");
    ended
}

/// Runs a command to its end with `input` as standard input.
#[track_caller]
pub fn end_with_input(command: &mut Command, input: &[u8]) -> Ended {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("the command starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let input = input.to_vec();
    // A command that has read enough closes the pipe, and then the rest is nobody's loss.
    let feeder = std::thread::spawn(move || _ = stdin.write_all(&input));
    let ended = Ended::from(child.wait_with_output().expect("the command ends"));
    feeder.join().expect("the feeder ends");
    assert!(!ended.err.contains("panicked"), "{ended:#?}");
    ended
}

/// A running `trapline run`.
pub struct Running {
    child: Child,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts it; its log is read.
    #[track_caller]
    pub fn start(command: &mut Command, config: &Path) -> Running {
        Self::spawn(command.args(["run", "--config"]).arg(config))
    }

    /// Starts it without naming a file.
    #[track_caller]
    pub fn start_without_file(command: &mut Command) -> Running {
        Self::spawn(command.arg("run"))
    }

    #[track_caller]
    fn spawn(command: &mut Command) -> Running {
        // Agents that run beside each other must not fight over the default path.
        const ADMIN_SOCKET: &str = "TRAPLINE_STATUS__ADMIN_SOCKET";
        if !command.get_envs().any(|(name, _)| name == ADMIN_SOCKET) {
            command.env(ADMIN_SOCKET, "off");
        }
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("the command starts");
        let log = Arc::new(Mutex::new(String::new()));
        let (pipe, end) = (child.stderr.take().expect("stderr is a pipe"), log.clone());
        let reader = Some(std::thread::spawn(move || read_lines(pipe, &end)));
        Running { child, log, reader }
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.log.lock().expect("the log's lock").clone()
    }

    /// Waits for the log line with this message.
    #[track_caller]
    pub fn line(&self, message: &str) -> Value {
        self.line_where(message, |line| line["message"] == message)
    }

    /// Waits for the log line with this message about this listener.
    #[track_caller]
    pub fn line_of(&self, listener: &str, message: &str) -> Value {
        let what = format!("{message} of {listener}");
        self.line_where(&what, |line| {
            line["message"] == message && line["listener"] == listener
        })
    }

    #[track_caller]
    fn line_where(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait_for(&format!("a log line: {what}"), SOON, || {
            lines(&self.log()).into_iter().find(&is_it)
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let id = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: kill takes two integers; the child is not reaped before `self` is gone, so the id is its own.
        unsafe { libc::kill(id, signal) };
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the child's state").is_some()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ended {
        wait_until("the agent ends", SOON, || self.has_ended());
        let mut out = String::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            std::io::Read::read_to_string(&mut pipe, &mut out).expect("UTF-8 on stdout");
        }
        if let Some(reader) = self.reader.take() {
            reader.join().expect("stderr is read to its end");
        }
        let ended = Ended {
            code: self.child.wait().expect("the child's state").code(),
            out,
            err: self.log(),
        };
        assert!(!ended.err.contains("panicked"), "{ended:#?}");
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where the process is gone and reaped already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(pipe: ChildStderr, log: &Mutex<String>) {
    for line in BufReader::new(pipe).lines() {
        let line = line.expect("UTF-8 on stderr") + "\n";
        log.lock().expect("the log's lock").push_str(&line);
    }
}

/// The lines of a log, each of which must be a JSON object.
#[track_caller]
pub fn lines(log: &str) -> Vec<Value> {
    log.lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"))
        })
        .collect()
}
