//! net-snmp's snmptrapd: it reads the same packets and writes a line of text for each. It makes no JSON, names nothing
//! (numeric OIDs), keeps nothing and sends nothing on, so it does less than the agent does.
//!
//! A user of version 3 has to be told to it once for each engine.

use std::fmt::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::running::Running;
use crate::secured::{self, PASSPHRASE, USER};

/// What each line begins with; no value holds it.
const LINE: &str = "TRAP-LINE ";

/// A running snmptrapd.
pub struct Snmptrapd {
    process: Running,
    /// Where it listens.
    pub address: SocketAddr,
    file: PathBuf,
}

impl Snmptrapd {
    /// Starts it with the user known for `engines` engines; `None` where it is not on this machine.
    pub fn start(folder: &Path, engines: u32) -> Option<Snmptrapd> {
        let folder = folder.join("snmptrapd");
        std::fs::create_dir_all(&folder).expect("a folder");
        let config = folder.join("snmptrapd.conf");
        std::fs::write(&config, text(engines)).expect("a configuration file");
        let file = folder.join("traps");
        let _ = std::fs::remove_file(&file);
        let address = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
        let address = address.expect("a port");
        let child = Command::new(program()?)
            .env("MIBS", "")
            .env("SNMP_PERSISTENT_DIR", folder.join("state"))
            .args(["-f", "-C", "-n", "-On", "-c"])
            .arg(&config)
            .arg("-Lf")
            .arg(&file)
            .arg(format!("udp:{address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("snmptrapd runs");
        let process = Running(child);
        let until = Instant::now() + Duration::from_secs(120);
        while UdpSocket::bind(address).is_ok() {
            assert!(Instant::now() < until, "snmptrapd did not bind its port");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Snmptrapd {
            process,
            address,
            file,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// The traps that it wrote, once it writes no more.
    pub fn written(&self) -> u64 {
        let size = || std::fs::metadata(&self.file).map_or(0, |file| file.len());
        let mut last = size();
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let now = size();
            if now == last {
                break;
            }
            last = now;
        }
        let text = std::fs::read(&self.file).unwrap_or_default();
        memchr::memmem::find_iter(&text, LINE).count() as u64
    }
}

fn text(engines: u32) -> String {
    let mut text = format!(
        "[snmp] serverRecvBuf 33554432\nauthCommunity log public\nauthUser log {USER} priv\n\
         doNotRetainNotificationLogs yes\nformat2 {LINE}%B %V %v\\n\n"
    );
    for engine in 0..engines {
        let id = secured::engine_id(engine);
        let id: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        writeln!(
            text,
            "createUser -e 0x{id} {USER} SHA-256 \"{PASSPHRASE}\" AES \"{PASSPHRASE}\""
        )
        .expect("text");
    }
    text
}

/// The one that `tests/setup bench` unpacked, or the system's.
fn program() -> Option<PathBuf> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let unpacked = target.join("tools/snmptrapd/usr/sbin/snmptrapd");
    let places = [unpacked, PathBuf::from("/usr/sbin/snmptrapd")];
    places.into_iter().find(|place| place.exists())
}
