//! Reading alone: each dialect's example of `fixtures/syslog`, beside syslog_loose and rsyslog on the same bytes in the same
//! run; and what the worst that a stranger can write behind it costs.
//!
//! ```text
//!  fixtures/syslog/dialects.toml ──first ordinary line──▶ read: ns | syslog_loose: ns | rsyslogd: CPU, TCP to /dev/null
//!                                  line + pattern × n ──▶ read, and fields written: ns a byte at 1 KB and at 64 KB
//! ```

use std::hint::black_box;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use trapline::decode::syslog;

use crate::{ROUNDS, process, thread_cpu};

/// What is wanted, in ns: of RFC 5424, and of any dialect.
const RFC5424_NS_MAX: f64 = 400.0;
const DIALECT_NS_MAX: f64 = 600.0;

/// Lines that rsyslogd is given of each dialect: some hundred ms of CPU time, which is counted in steps of 10 ms.
const RSYSLOG_LINES: usize = 60_000;

/// What strangers may repeat: separators, quotes and escapes of every syntax, names that repeat, names that do not.
const PATTERNS: [&str; 14] = [
    "=",
    "a=",
    "a=b ",
    "a_2=b ",
    "\"",
    "\\\"",
    ",",
    "a=b,",
    "[",
    "]",
    "[a b=\"c\"]",
    "\\",
    "|",
    "%x: ",
];

/// Prints both tables.
pub fn measure() {
    let mut lines = lines();
    // Nothing that any body reader knows: what stands between this and a reader's own work is all that remembering a
    // device's last dialect could ever save.
    let no_evidence = b"<13>1 - r1 - - - - hello".to_vec();
    lines.insert(0, ("no evidence".to_owned(), no_evidence));
    if let Some(name) = std::env::args()
        .skip_while(|argument| argument != "only")
        .nth(1)
    {
        lines.retain(|(known, _)| known.starts_with(&name));
        return again(&lines);
    }
    let mut rsyslog = Rsyslog::start();
    println!(
        "  decode alone, one line of each dialect (wanted: {RFC5424_NS_MAX} ns for RFC 5424, {DIALECT_NS_MAX} ns for each other):"
    );
    println!(
        "    {:32}{:>6}{:>8}{:>14}{:>8}{:>20}",
        "", "bytes", "ns", "syslog_loose", "ratio", "rsyslogd, all of it"
    );
    let (mut slow, mut slowest) = (0, 0.0_f64);
    for (name, line) in &lines {
        let text = String::from_utf8_lossy(line);
        let ours = best_ns(|| {
            black_box(syslog::read(black_box(line)));
        });
        let loose = best_ns(|| {
            let either = syslog_loose::Variant::Either;
            black_box(syslog_loose::parse_message(black_box(&text), either));
        });
        let theirs = rsyslog.as_mut().map(|rsyslog| rsyslog.cpu_ns(line));
        let theirs = theirs.map_or("-".to_owned(), |ns| format!("{ns:.0}"));
        let wanted = if name == "RFC 5424" {
            RFC5424_NS_MAX
        } else {
            DIALECT_NS_MAX
        };
        slow += usize::from(ours > wanted);
        slowest = slowest.max(ours);
        println!(
            "    {name:32}{:>6}{ours:>8.0}{loose:>14.0}{:>8.1}{theirs:>20}{}",
            line.len(),
            loose / ours,
            if ours > wanted {
                "  above what is wanted"
            } else {
                ""
            }
        );
    }
    println!(
        "    {} dialects, {slow} above what is wanted, the slowest {slowest:.0} ns",
        lines.len()
    );
    println!(
        "  the worst of {} patterns behind each line, read and its fields written, ns a byte:",
        PATTERNS.len()
    );
    println!("    {:32}{:>8}{:>8}", "", "1 KB", "64 KB");
    for (name, line) in &lines {
        let [small, large] = [1 << 10, 1 << 16].map(|bytes| worst(line, bytes));
        println!(
            "    {name:32}{:>8.2}{:>8.2}   {:?}",
            small.0, large.0, large.1
        );
    }
}

/// Only ours and often, for a profiler: `dialects only "RFC 5424"`.
fn again(lines: &[(String, Vec<u8>)]) {
    for (name, line) in lines {
        let ns = (0..20).map(|_| {
            best_ns(|| {
                black_box(syslog::read(black_box(line)));
            })
        });
        println!("    {name:32}{:>6.0} ns", ns.fold(f64::MAX, f64::min));
    }
}

/// Name and first ordinary line of each dialect.
fn lines() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/syslog");
    let text = std::fs::read_to_string(folder.join("dialects.toml")).expect("the index");
    let index: toml::Table = text.parse().expect("TOML");
    let dialects = index["dialect"].as_array().expect("dialects");
    let line = |dialect: &toml::Value| {
        let case = dialect["ordinary"][0].as_str().expect("a case");
        let mut line = std::fs::read(folder.join(case).join("input.txt")).expect("a line");
        line.pop_if(|byte| *byte == b'\n');
        (dialect["name"].as_str().expect("a name").to_owned(), line)
    };
    dialects.iter().map(line).collect()
}

/// The highest cost a byte, and of which pattern.
fn worst(line: &[u8], bytes: usize) -> (f64, &'static str) {
    let of = |pattern: &'static str| {
        let times = bytes.saturating_sub(line.len()) / pattern.len();
        let text = [line, pattern.repeat(times).as_bytes()].concat();
        let rounds = (1 << 19) / text.len().max(1) + 1;
        let run = || {
            let start = thread_cpu();
            for _ in 0..rounds {
                let message = syslog::read(black_box(&text));
                if let Some(fields) = &message.fields {
                    serde_json::to_writer(std::io::sink(), fields).expect("written");
                }
                black_box(message);
            }
            (thread_cpu() - start).as_nanos() as f64 / (rounds * text.len()) as f64
        };
        ((0..3).map(|_| run()).fold(f64::MAX, f64::min), pattern)
    };
    let all = PATTERNS.into_iter().map(of);
    all.fold(
        (0.0, ""),
        |most, next| if next.0 > most.0 { next } else { most },
    )
}

fn best_ns(mut work: impl FnMut()) -> f64 {
    let rounds = ROUNDS / 16;
    let run = |work: &mut dyn FnMut()| {
        let start = thread_cpu();
        (0..rounds).for_each(|_| work());
        (thread_cpu() - start).as_nanos() as f64 / rounds as f64
    };
    (0..5).map(|_| run(&mut work)).fold(f64::MAX, f64::min)
}

/// A running rsyslogd: reads from TCP, parses, and writes what it found to /dev/null.
struct Rsyslog {
    child: Child,
    stream: TcpStream,
    _folder: tempfile::TempDir,
}

impl Rsyslog {
    /// `None`, said plainly, where there is none.
    fn start() -> Option<Self> {
        let target = std::env::var_os("CARGO_TARGET_DIR");
        let target = target.map_or_else(|| PathBuf::from("target"), PathBuf::from);
        let programs = [
            target.join("tools/rsyslogd"),
            PathBuf::from("/usr/sbin/rsyslogd"),
        ];
        let Some(program) = programs.into_iter().find(|program| program.exists()) else {
            println!("  no rsyslogd here: `tests/setup test` unpacks one");
            return None;
        };
        let folder = tempfile::tempdir().expect("a folder");
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = SocketAddr::from(([127, 0, 0, 1], port.expect("a port").port()));
        let config = folder.path().join("rsyslog.conf");
        let text = format!(
            r#"global(workDirectory="{}" maxMessageSize="8k" net.enableDNS="off")
module(load="imptcp")
template(name="event" type="string"
  string="%timereported:::date-rfc3339% %hostname% %app-name% %procid% %msgid% %structured-data% %msg%\n")
main_queue(queue.type="FixedArray" queue.size="100000" queue.dequeueBatchSize="1024")
input(type="imptcp" address="127.0.0.1" port="{}")
action(type="omfile" file="/dev/null" template="event")
"#,
            folder.path().display(),
            address.port()
        );
        std::fs::write(&config, text).expect("a configuration file");
        let child = Command::new(program)
            .args(["-n", "-i", "NONE", "-f"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rsyslogd starts");
        let until = Instant::now() + Duration::from_secs(20);
        let stream = loop {
            match TcpStream::connect(address) {
                Ok(stream) => break stream,
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => panic!("rsyslogd does not listen: {error}"),
            }
        };
        Some(Rsyslog {
            child,
            stream,
            _folder: folder,
        })
    }

    /// CPU time of the whole process a line, in ns: receiving, parsing, formatting, writing to nowhere.
    fn cpu_ns(&mut self, line: &[u8]) -> f64 {
        let frame = [format!("{} ", line.len()).as_bytes(), line].concat();
        let block = frame.repeat(100);
        let before = process::cpu(self.child.id());
        for _ in 0..RSYSLOG_LINES / 100 {
            self.stream.write_all(&block).expect("rsyslogd reads");
        }
        // It is done when it uses no more.
        let mut used = process::cpu(self.child.id());
        loop {
            std::thread::sleep(Duration::from_millis(150));
            let now = process::cpu(self.child.id());
            if now == used {
                break;
            }
            used = now;
        }
        (used - before).as_nanos() as f64 / RSYSLOG_LINES as f64
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
