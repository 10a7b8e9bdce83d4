//! For tests: a pipeline that remembers what it was given, and waiting with a deadline.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::observe::ledger::ListenerLedger;
use crate::packet::{
    Listener, Outcome, Packet, Protocol, Reply, Sink, Transport, Verdict, Wholeness,
};
use crate::record::{Acceptance, LaneId, Number};
use crate::time::UnixMicros;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) shard: usize,
    pub(super) peer: Option<IpAddr>,
    pub(super) text: String,
    pub(super) wholeness: Wholeness,
    pub(super) received: UnixMicros,
}

/// What all sinks of a test share.
#[derive(Debug, Default)]
pub(super) struct Seen {
    given: Mutex<Vec<Given>>,
    /// Records below this number are accepted.
    pub(super) accepted: AtomicU64,
    /// How often nothing came.
    pub(super) rests: AtomicU64,
}

impl Seen {
    pub(super) fn given(&self) -> Vec<Given> {
        self.given.lock().unwrap().clone()
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.given().into_iter().map(|given| given.text).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.given.lock().unwrap().len()
    }
}

/// Answers what holds `inform`, after the record of the packet's number.
pub(super) struct FakeSink {
    pub(super) shard: usize,
    pub(super) seen: Arc<Seen>,
    pub(super) reply: Vec<u8>,
}

impl FakeSink {
    pub(super) fn new(shard: usize, seen: &Arc<Seen>) -> Self {
        FakeSink {
            shard,
            seen: Arc::clone(seen),
            reply: Vec::new(),
        }
    }
}

impl Sink for FakeSink {
    fn take(&mut self, packet: &Packet<'_>) -> Verdict<'_> {
        let text = String::from_utf8_lossy(packet.bytes).into_owned();
        let mut given = self.seen.given.lock().unwrap();
        let number = Number(given.len() as u64);
        self.reply = format!("response to {text}").into_bytes();
        let reply = text.contains("inform").then_some(Reply {
            bytes: &self.reply,
            after: Some((LaneId(0), number)),
        });
        given.push(Given {
            shard: self.shard,
            peer: packet.peer.address(),
            text,
            wholeness: packet.wholeness,
            received: packet.received,
        });
        Verdict {
            outcome: Outcome::Used,
            reply,
        }
    }

    fn rest(&mut self) {
        self.seen.rests.fetch_add(1, Ordering::SeqCst);
    }

    fn acceptance(&self, (_, Number(number)): (LaneId, Number)) -> Acceptance {
        match number < self.seen.accepted.load(Ordering::SeqCst) {
            true => Acceptance::Accepted,
            false => Acceptance::Waiting,
        }
    }
}

pub(super) fn listener(transport: Transport) -> Listener {
    Listener {
        index: 0,
        name: "under-test".into(),
        protocol: Protocol::Syslog,
        transport,
    }
}

pub(super) fn ledger(transport: Transport) -> Arc<ListenerLedger> {
    Arc::new(ListenerLedger::new(listener(transport)))
}

/// Waits until `is_so`, for at most 10 seconds.
#[track_caller]
pub(super) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
