//! Processes that the benchmarks measure: the shipped binary, and what stands beside it.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A process that is ended when the value goes out of scope.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The binary that was built for this run, or another that is to be measured: BENCH_TRAPLINE.
pub fn binary() -> OsString {
    std::env::var_os("BENCH_TRAPLINE").unwrap_or_else(|| env!("CARGO_BIN_EXE_trapline").into())
}

/// The agent with one listener.
pub struct Agent {
    process: Running,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Agent {
    /// Starts it with the configuration file `config`.
    pub fn start(config: &Path) -> Agent {
        let child = Command::new(binary())
            .args(["run", "--config"])
            .arg(config)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("trapline runs");
        let mut process = Running(child);
        let address = listening_address(&mut process.0);
        Agent { process, address }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Ends it in order, and returns its ledger: the last line that it prints.
    pub fn stop(mut self) -> String {
        // Safety: plain kill(2) on a child that has not been waited for.
        unsafe { libc::kill(self.pid() as i32, libc::SIGTERM) };
        let stdout = self.process.0.stdout.take().expect("a pipe");
        let lines = BufReader::new(stdout).lines();
        lines.map_while(Result::ok).last().unwrap_or_default()
    }
}

/// The address in the agent's own log line. Its later lines are read and thrown away, so that it never blocks.
fn listening_address(agent: &mut Child) -> SocketAddr {
    let mut lines = BufReader::new(agent.stderr.take().expect("a pipe"))
        .lines()
        .map_while(Result::ok);
    let line = lines
        .find(|line| line.contains("\"listening\""))
        .expect("a line that says where it listens");
    let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let address = line["address"]
        .as_str()
        .or(line["fields"]["address"].as_str())
        .expect("an address");
    let address = address.parse().expect("an address and port");
    std::thread::spawn(move || lines.for_each(drop));
    address
}
