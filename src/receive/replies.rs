//! Replies to the senders of a stream listener: back on the connection that the message came on.
//!
//! ```text
//!   Sink::take ─▶ reply ─┬─accepted───▶ Outgoing (one a connection) ─▶ Writing, by the connection's task
//!                        └─not yet─▶ Parking (one a listener) ─release─▶ Outgoing
//! ```
//!
//! A connection's task is never held up by a sender that does not read its replies: they stay parked up to its limits, and
//! what is above it is given up and counted.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Notify;

use crate::observe::ledger::ListenerLedger;
use crate::observe::mute::Mute;
use crate::packet::Sink;
use crate::record::{Acceptance, LaneId, Number};

use super::parking::Parking;

/// Room for replies that a connection keeps while it owes none: that of an inform or two.
const KEPT_BYTES_MAX: usize = 4 * 1024;

/// How often parked replies are looked at: the sender of an inform waits for us.
const RELEASE_EVERY: Duration = Duration::from_millis(2);

/// Bytes from which on no more replies wait for one connection to take them, beside what the kernel holds: hundreds of
/// usual ones. What is above it stays parked, so that 512 senders that read nothing cost 32 MiB, and one reply more each.
const OUTGOING_BYTES_MAX: usize = 64 * 1024;

/// The replies of one listener that wait for their record.
#[derive(Debug)]
pub(super) struct Replies {
    parking: RefCell<Parking<Rc<Outgoing>>>,
    has_parked: Notify,
    ledger: Arc<ListenerLedger>,
}

impl Replies {
    pub(super) fn new(ledger: &Arc<ListenerLedger>) -> Rc<Self> {
        Rc::new(Replies {
            parking: RefCell::default(),
            has_parked: Notify::new(),
            ledger: Arc::clone(ledger),
        })
    }

    /// Sends `bytes` when the record `after` is accepted and there is room; at once where there is none to wait for, and
    /// never where it is lost.
    pub(super) fn send(
        &self,
        to: &Rc<Outgoing>,
        bytes: &[u8],
        after: Option<(LaneId, Number)>,
        acceptance: impl Fn((LaneId, Number)) -> Acceptance,
    ) {
        let acceptance = after.map_or(Acceptance::Accepted, acceptance);
        if acceptance == Acceptance::Lost {
            return self.give_up(1);
        }
        let is_ready = acceptance == Acceptance::Accepted && to.has_room();
        let Some(record) = after.filter(|_| !is_ready) else {
            let refused = u64::from(!to.push(bytes));
            self.count_dropped(refused);
            return;
        };
        let mut parking = self.parking.borrow_mut();
        let given_up = parking.park(Rc::clone(to), record, bytes, Instant::now());
        self.has_parked.notify_one();
        self.give_up(given_up);
    }

    /// Moves parked replies to their connections as their records are accepted. Never ends.
    pub(super) async fn release<S: Sink>(self: Rc<Self>, sink: Rc<RefCell<S>>) {
        loop {
            self.has_parked.notified().await;
            while !self.parking.borrow().is_empty() {
                tokio::time::sleep(RELEASE_EVERY).await;
                let mut refused = 0;
                let given_up = self.parking.borrow_mut().release(
                    Instant::now(),
                    |to, record| match sink.borrow().acceptance(record) {
                        Acceptance::Accepted if !to.has_room() => Acceptance::Waiting,
                        acceptance => acceptance,
                    },
                    |to, bytes| refused += u64::from(!to.push(bytes)),
                );
                self.count_dropped(refused);
                self.give_up(given_up);
            }
        }
    }

    /// Counts what is still parked when the listener has ended.
    pub(super) fn end(&self) {
        let left = self.parking.borrow().len();
        self.count_dropped(u64::try_from(left).unwrap_or(u64::MAX));
    }

    fn give_up(&self, replies: u64) {
        static MUTE: Mute = Mute::usual();
        if replies == 0 {
            return;
        }
        self.count_dropped(replies);
        if let Some(skipped) = MUTE.admit(Instant::now()) {
            tracing::warn!(listener = %self.ledger.listener.name, replies, skipped, "informs stay unanswered: the spool does not accept their events, or their senders do not read what they are sent");
        }
    }

    fn count_dropped(&self, replies: u64) {
        add(&self.ledger.replies_dropped, replies);
    }
}

/// What one connection is to be sent, behind what is being written.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    bytes: RefCell<Vec<u8>>,
    /// Bytes in front of them, which are being written.
    in_writing: Cell<usize>,
    replies: Cell<u64>,
    is_closed: Cell<bool>,
    has_grown: Notify,
}

impl Outgoing {
    /// Whether another reply may come, of any length; one that is closed refuses it.
    fn has_room(&self) -> bool {
        self.bytes.borrow().len() + self.in_writing.get() < OUTGOING_BYTES_MAX
    }

    /// Whether `bytes` were taken.
    fn push(&self, bytes: &[u8]) -> bool {
        if self.is_closed.get() || !self.has_room() {
            return false;
        }
        let mut waiting = self.bytes.borrow_mut();
        waiting.extend_from_slice(bytes);
        self.replies.set(self.replies.get() + 1);
        self.has_grown.notify_one();
        true
    }
}

/// A connection's side of its replies.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) outgoing: Rc<Outgoing>,
    bytes: Vec<u8>,
    written: usize,
    /// Replies in `bytes`.
    replies: u64,
    ledger: Arc<ListenerLedger>,
}

impl Writing {
    pub(super) fn new(ledger: &Arc<ListenerLedger>) -> Self {
        Writing {
            outgoing: Rc::default(),
            bytes: Vec::new(),
            written: 0,
            replies: 0,
            ledger: Arc::clone(ledger),
        }
    }

    /// Writes whatever there is to write. Never ends.
    pub(super) async fn run(&mut self, stream: &mut (impl AsyncWrite + Unpin)) -> Infallible {
        loop {
            self.step(stream).await;
        }
    }

    /// Writes some of what there is; waits where there is nothing. Nothing is lost when it is not waited for to its end.
    pub(super) async fn step(&mut self, stream: &mut (impl AsyncWrite + Unpin)) {
        while self.bytes.is_empty() {
            self.refill();
            if self.bytes.is_empty() {
                self.outgoing.has_grown.notified().await;
            }
        }
        let unwritten = self.bytes.get(self.written..).unwrap_or_default();
        match stream.write(unwritten).await {
            Ok(0) => self.close(&io::Error::from(io::ErrorKind::WriteZero)),
            Ok(bytes) => self.written += bytes,
            Err(error) => self.close(&error),
        }
        if self.written >= self.bytes.len() {
            add(&self.ledger.replies_sent, self.replies);
            self.empty();
        }
    }

    /// Whether replies are to be written, or are parked for this connection: then another handle on `outgoing` is.
    pub(super) fn is_owing(&self) -> bool {
        !self.bytes.is_empty()
            || !self.outgoing.bytes.borrow().is_empty()
            || Rc::strong_count(&self.outgoing) > 1
    }

    fn refill(&mut self) {
        std::mem::swap(&mut self.bytes, &mut *self.outgoing.bytes.borrow_mut());
        self.replies = self.outgoing.replies.take();
        self.outgoing.in_writing.set(self.bytes.len());
    }

    fn empty(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.outgoing.in_writing.set(0);
        (self.written, self.replies) = (0, 0);
    }

    /// The sender no longer takes replies; what it still sends is read all the same.
    fn close(&mut self, error: &io::Error) {
        static MUTE: Mute = Mute::usual();
        if let Some(skipped) = MUTE.admit(Instant::now()) {
            tracing::info!(listener = %self.ledger.listener.name, %error, skipped, "sending a reply failed, its connection takes none any more");
        }
        self.give_up();
    }

    fn give_up(&mut self) {
        self.outgoing.is_closed.set(true);
        let unsent = self.replies + self.outgoing.replies.take();
        add(&self.ledger.replies_dropped, unsent);
        self.outgoing.bytes.borrow_mut().clear();
        self.empty();
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn add(counter: &std::sync::atomic::AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
