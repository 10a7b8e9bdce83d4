//! The real binary as a process: started on a configuration file, watched through its log, asked over HTTP, ended by a
//! signal.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::ledger::Ledger;
use super::settings::Settings;
use super::wait::{LOOK_EVERY, SOON, pause, wait_for, wait_until};

/// The admin socket, in the agent's own folder.
const ADMIN_SOCKET: &str = "admin.sock";

/// A running agent. Dropping it kills it; [`Agent::stop`] ends it in order.
pub struct Agent {
    child: Child,
    folder: TempDir,
    log: Log,
    readers: Vec<JoinHandle<()>>,
    stdout: Arc<Mutex<String>>,
}

/// What an agent left behind.
pub struct Ended {
    /// How it ended.
    pub status: ExitStatus,
    /// Its last ledger.
    pub ledger: Ledger,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr.
    pub log: String,
}

/// An HTTP answer.
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Agent {
    /// Starts the binary and returns at once.
    pub fn start(settings: &Settings) -> Agent {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("trapline.toml");
        std::fs::write(&file, settings.toml()).expect("the configuration file");
        let mut child = Command::new(env!("CARGO_BIN_EXE_trapline"))
            .args(["run", "--config"])
            .arg(&file)
            .current_dir(folder.path())
            // Agents that run beside each other must not fight over the default path.
            .env(
                "TRAPLINE_STATUS__ADMIN_SOCKET",
                folder.path().join(ADMIN_SOCKET),
            )
            .env(
                "TRAPLINE_AGENT__STATE_FOLDER",
                settings
                    .state_folder
                    .clone()
                    .unwrap_or_else(|| folder.path().join("state")),
            )
            .envs(settings.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let log = Log::default();
        let stdout = Arc::new(Mutex::new(String::new()));
        let stderr_pipe = child.stderr.take().expect("stderr is a pipe");
        let mut stdout_pipe = child.stdout.take().expect("stdout is a pipe");
        let (log_end, stdout_end) = (log.clone(), Arc::clone(&stdout));
        let readers = vec![
            std::thread::spawn(move || log_end.read(stderr_pipe)),
            std::thread::spawn(move || {
                let mut text = String::new();
                stdout_pipe
                    .read_to_string(&mut text)
                    .expect("UTF-8 on stdout");
                *stdout_end.lock().expect("stdout's lock") = text;
            }),
        ];
        Agent {
            child,
            folder,
            log,
            readers,
            stdout,
        }
    }

    /// The address that a listener is bound to, from the log.
    #[track_caller]
    pub fn listener(&self, name: &str) -> SocketAddr {
        self.wait_for_line(&format!("listener {name} is bound"), |line| {
            (line.field("message") == "listening" && line.field("listener") == name)
                .then(|| line.address())
        })
    }

    /// The address of the status page, from the log.
    #[track_caller]
    pub fn status_page(&self) -> SocketAddr {
        self.wait_for_line("the status page is bound", |line| {
            (line.field("message") == "status page").then(|| line.address())
        })
    }

    /// Waits for a log line for which `choose` gives a value.
    #[track_caller]
    pub fn wait_for_line<T>(&self, what: &str, choose: impl Fn(&Line) -> Option<T>) -> T {
        wait_for(what, SOON, || self.log.lines().iter().find_map(&choose))
    }

    /// How many log lines there are so far.
    pub fn log_length(&self) -> usize {
        self.log.lines().len()
    }

    /// The log lines from the `from`-th on.
    pub fn log_since(&self, from: usize) -> Vec<Line> {
        self.log.lines().split_off(from)
    }

    /// Asks the status page.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        get(self.status_page(), path).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Where its admin socket is.
    pub fn admin_socket(&self) -> PathBuf {
        self.folder.path().join(ADMIN_SOCKET)
    }

    /// What `trapline status` prints of it.
    #[track_caller]
    pub fn status(&self) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_trapline"))
            .args(["status", "--socket"])
            .arg(self.folder.path().join(ADMIN_SOCKET))
            .output()
            .expect("the binary starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The ledger now.
    #[track_caller]
    pub fn ledger(&self) -> Ledger {
        let answer = self.get("/ledger");
        assert_eq!(answer.status, 200, "{}", answer.body);
        Ledger(serde_json::from_str(&answer.body).expect("the ledger is JSON"))
    }

    /// The ledger now, unless the process is gone.
    pub fn try_ledger(&self) -> Option<Ledger> {
        let answer = get(self.status_page(), "/ledger").ok()?;
        serde_json::from_str(&answer.body).ok().map(Ledger)
    }

    /// Waits until the ledger says that nothing is pending and no packet is in hand, and returns that ledger.
    #[track_caller]
    pub fn wait_until_settled(&self, within: Duration) -> Ledger {
        wait_for("nothing pending, nothing in hand", within, || {
            let ledger = self.ledger();
            (ledger.records("pending") == 0 && ledger.is_at_rest()).then_some(ledger)
        })
    }

    /// The same when the listener has taken all of `count` packets: what streams have sent may still wait in the kernel
    /// while nothing is pending.
    #[track_caller]
    pub fn wait_until_all_settled(&self, listener: &str, count: u64, within: Duration) -> Ledger {
        let what = format!("{count} packets of {listener} used, nothing pending, nothing in hand");
        wait_for(&what, within, || {
            let ledger = self.ledger();
            // What is turned away is counted, and never comes.
            let stalled = ledger.rejected(listener, "spool_stalled");
            assert_eq!(stalled, 0, "the disk took no records for seconds");
            let taken = ledger.listener(listener, "used") >= count && ledger.is_at_rest();
            (taken && ledger.records("pending") == 0).then_some(ledger)
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory that the process holds now, in bytes (proc(5): VmRSS).
    pub fn resident_bytes(&self) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(&file).expect("the process runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or_else(|| panic!("no VmRSS in {text}")) * 1024
    }

    /// kill -9, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it still runs");
        self.child.wait().expect("the child's state");
    }

    /// Waits until the ledger says that `count` records are delivered, and returns that ledger.
    #[track_caller]
    pub fn wait_until_delivered(&self, count: u64) -> Ledger {
        wait_for(&format!("{count} records delivered"), SOON, || {
            let ledger = self.ledger();
            (ledger.records("delivered") >= count).then_some(ledger)
        })
    }

    /// Waits until the ledger says that the listener has read `count` packets.
    #[track_caller]
    pub fn wait_until_received(&self, listener: &str, count: u64) {
        wait_until(
            &format!("{count} packets received on {listener}"),
            SOON,
            || self.ledger().listener(listener, "received") >= count,
        );
    }

    /// Waits until `/readyz` says degraded and why. The status stays 200, since events are received.
    #[track_caller]
    pub fn wait_until_named(&self, words: &str, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            self.ledger().assert_balances();
            let ready = self.get("/readyz");
            assert_eq!(ready.status, 200, "{}", ready.body);
            if ready.body.contains("degraded") && ready.body.contains(words) {
                return;
            }
            let seconds = within.as_secs();
            assert!(
                Instant::now() < deadline,
                "waited {seconds} s in vain for {words:?}: {}",
                ready.body
            );
            pause(LOOK_EVERY);
        }
    }

    /// Replaces the configuration file.
    pub fn write_config(&self, text: &str) {
        std::fs::write(self.config_file(), text).expect("the configuration file");
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("trapline.toml")
    }

    /// A folder of this test's own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: libc::c_int) {
        let id = libc::pid_t::try_from(self.child.id()).expect("a process id");
        // SAFETY: kill takes two integers; the child is not reaped before `self` is gone, so the id is still its own.
        let result = unsafe { libc::kill(id, signal) };
        assert_eq!(result, 0, "kill: {}", std::io::Error::last_os_error());
    }

    /// Whether the process still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("the child's state").is_none()
    }

    /// SIGTERM, then what it left behind.
    #[track_caller]
    pub fn stop(self) -> Ended {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Waits for the process to end by itself.
    #[track_caller]
    pub fn wait(mut self) -> Ended {
        wait_until("the agent ends", SOON, || !self.is_alive());
        let status = self.child.wait().expect("the child's state");
        for reader in self.readers.drain(..) {
            reader.join().expect("the pipe is read to its end");
        }
        let stdout = self.stdout.lock().expect("stdout's lock").clone();
        let last = stdout.lines().last().unwrap_or_default();
        let ledger = serde_json::from_str(last).unwrap_or_else(|error| {
            panic!("the last line of stdout is no ledger ({error}): {last:?}")
        });
        Ended {
            status,
            ledger: Ledger(ledger),
            stdout: stdout.clone(),
            log: self.log.text(),
        }
    }
}

impl Ended {
    /// It ended as it should: exit code 0, and a ledger in which nothing is open.
    #[track_caller]
    pub fn assert_in_order(&self) {
        assert_eq!(self.status.code(), Some(0), "log:\n{}", self.log);
        self.ledger.assert_closed();
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = self.log.text();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines
                .get(lines.len().saturating_sub(40)..)
                .unwrap_or_default();
            eprintln!("the agent's last log lines:\n{}", last.join("\n"));
        }
        // Both fail only where the process is gone and reaped already, and then there is nothing left to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One log line.
#[derive(Debug, Clone)]
pub struct Line(pub Value);

impl Line {
    /// A field, wherever the format puts it; null where there is none.
    pub fn field(&self, name: &str) -> &Value {
        match &self.0[name] {
            Value::Null => &self.0["fields"][name],
            value => value,
        }
    }

    #[track_caller]
    fn address(&self) -> SocketAddr {
        let address = self.field("address").as_str().unwrap_or_default();
        address
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {address:?} in {}", self.0))
    }
}

/// What came on stderr so far.
#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn read(&self, pipe: impl Read) {
        for line in BufReader::new(pipe).split(b'\n') {
            let line = line.expect("stderr can be read");
            let mut bytes = self.0.lock().expect("the log's lock");
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("the log's lock")).into_owned()
    }

    /// The lines that are JSON objects; a panic's text is not.
    fn lines(&self) -> Vec<Line> {
        self.text()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(Value::is_object)
            .map(Line)
            .collect()
    }
}

/// One GET request of its own connection.
fn get(address: SocketAddr, path: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Ok(Answer {
        status: status.ok_or_else(|| std::io::Error::other(format!("not HTTP: {head:?}")))?,
        body: body.to_owned(),
    })
}
