//! The readers against inputs and answers that nobody here wrote.
//!
//! ```text
//!  ../shared/corpus/syslog/  go-syslog       RFC 5424, RFC 3164: every field
//!                            napalm-logs     lines of switches and routers: host, time, event code, message
//!                            SC4S            lines of 40 products: host, vendor
//!                            telegraf        packets and the fields that telegraf extracts from them
//!                            pcap-payloads   what devices really sent: a hostname, or a reason why there is none
//! ```
//!
//! The corpus lies beside the project where it was fetched, and is no part of it; without it these tests say that they
//! skipped. Every floor here can only rise: who makes a reader better raises it. What differs stands in a table of
//! exceptions with its reason, and one that no longer differs fails the test.

#[path = "corpus/go_syslog.rs"]
mod go_syslog;
#[path = "corpus/napalm_logs.rs"]
mod napalm_logs;
#[path = "corpus/payloads.rs"]
mod payloads;
#[path = "corpus/rates.rs"]
mod rates;
#[path = "corpus/sc4s.rs"]
mod sc4s;
#[path = "corpus/telegraf.rs"]
mod telegraf;

use std::path::PathBuf;

use serde_json::Value;
use trapline::names::{self, Names, inventory};
use trapline::normalize::Config;
use trapline::packet::{Listener, Packet, Peer, Protocol, Transport, Wholeness};
use trapline::pipeline::SnmpAccess;
use trapline::receive::framing::{EndOfStream, Framer, Step};
use trapline::time::UnixMicros;

/// When every packet of the corpus arrives: shortly after most of its stamps without a year.
const RECEIVED: &str = "2026-11-21T15:00:00Z";

/// Who sends all of it.
const SENDER: [u8; 4] = [192, 0, 2, 1];

/// Where `name` of the corpus lies; `None`, said plainly, where there is no corpus.
fn place(name: &str) -> Option<PathBuf> {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../shared/corpus/syslog", name]
        .iter()
        .collect();
    if !path.exists() {
        println!("SKIPPED: no corpus at {}", path.display());
        return None;
    }
    Some(path)
}

fn corpus(name: &str) -> Option<Vec<Value>> {
    let lines = std::fs::read_to_string(place(name)?).expect("the corpus is text");
    let parse = |line| serde_json::from_str(line).expect("the corpus is JSON lines");
    Some(lines.lines().map(parse).collect())
}

/// The event that the pipeline makes of one packet.
fn event(bytes: &[u8]) -> Value {
    event_at(bytes, RECEIVED)
}

fn event_at(bytes: &[u8], received: &str) -> Value {
    event_with(bytes, received, None)
}

/// The same, where the inventory says the sender's vendor.
fn event_with(bytes: &[u8], received: &str, vendor: Option<&str>) -> Value {
    let received: jiff::Timestamp = received.parse().expect("an instant");
    let listener = Listener {
        index: 0,
        name: "corpus".into(),
        protocol: Protocol::Syslog,
        transport: Transport::Udp,
    };
    let packet = Packet {
        bytes,
        peer: Peer::Inet(SENDER.into(), 514),
        listener: &listener,
        received: UnixMicros(received.as_microsecond()),
        wholeness: Wholeness::Whole,
    };
    // The corpus is years old.
    let config = Config {
        time_skew_seconds_max: 0,
        ..Config::for_agent("corpus")
    };
    let names = Names::new(names::Config::default());
    if let Some(vendor) = vendor {
        let [a, b, c, d] = SENDER;
        let text = format!("address,vendor\n{a}.{b}.{c}.{d},{vendor}\n");
        let inventory = inventory::parse(&text, config.domain).expect("an inventory");
        assert!(inventory.bad_lines.is_empty(), "{:?}", inventory.bad_lines);
        names.replace(names::Config::default(), inventory.inventory.into());
    }
    let access = SnmpAccess::nobody();
    trapline::pipeline::one_event_with(&packet, &config, access, names.into()).expect("an event")
}

/// The hostname that the message itself gives, not its sender's address.
fn own_hostname(event: &Value) -> Option<&str> {
    let device = &event["device"];
    (device["hostname_source"] == "header")
        .then(|| device["hostname"].as_str())
        .flatten()
}

/// The frames of a stream.
fn frames(stream: &[u8]) -> Vec<Vec<u8>> {
    let (mut framer, mut left, mut frames) = (Framer::new(65_536), stream, Vec::new());
    loop {
        match framer.next(left, EndOfStream::Reached) {
            Step::NeedMore | Step::Lost { .. } => return frames,
            Step::Skip { consumed } => left = &left[consumed..],
            Step::Frame {
                bytes, consumed, ..
            } => {
                frames.push(left[bytes].to_vec());
                left = &left[consumed..];
            }
        }
    }
}

/// `bytes` without the octet count of a stream, where a case writes one (RFC 6587).
fn unframed(bytes: &[u8]) -> Vec<u8> {
    let counted = bytes.iter().position(|byte| !byte.is_ascii_digit());
    match counted {
        Some(count @ 1..) if bytes[count..].starts_with(b" <") => bytes[count + 1..].to_vec(),
        _ => bytes.to_vec(),
    }
}

/// Differences that are meant: the case, the column, and why. Each must occur.
type Exception = (&'static str, &'static str, &'static str);

/// What became of the exceptions of one table.
struct Exceptions {
    table: &'static [Exception],
    used: Vec<usize>,
}

impl Exceptions {
    fn of(table: &'static [Exception]) -> Self {
        Exceptions {
            table,
            used: vec![0; table.len()],
        }
    }

    /// Whether a difference of this case (by the start of its name) in this column is meant.
    fn covers(&mut self, case: &str, column: &str) -> bool {
        let found = self
            .table
            .iter()
            .position(|(name, of, _)| case.starts_with(name) && *of == column);
        found.inspect(|place| self.used[*place] += 1).is_some()
    }

    fn print(&self) {
        for ((case, column, reason), used) in self.table.iter().zip(&self.used) {
            println!("  {used} x {case}, {column}: {reason}");
            assert!(
                *used > 0,
                "{case} no longer differs in {column}: take it from the list"
            );
        }
    }
}
