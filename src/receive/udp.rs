//! Datagrams → packets: one thread a socket, that reads, hands on, and answers.
//!
//! ```text
//!   recvmmsg ─▶ begin(n) ─▶ each: allowed? empty? ─▶ Sink::take ─▶ reply ─accepted?─▶ sent
//!      ▲                                                             └─not yet─▶ parking ─▶ sent when it is
//!      └──────────── end(tally) ◀──────────────────────────────────────────────────┘
//! ```

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use memmap2::MmapMut;

use crate::observe::health::{Heartbeat, Heartbeats};
use crate::observe::ledger::{ListenerLedger, Tally};
use crate::observe::mute::Mute;
use crate::packet::{Allow, Outcome, Packet, Peer, Reason, Reply, Sink, Wholeness};
use crate::record::Acceptance;
use crate::time::UnixMicros;

use super::parking::Parking;
use super::recvmmsg::{Batch, Datagram};
use super::socket::{self, Buffer, Dropped, KernelDrops, Ownership, UdpSocket, Way};
use super::{AllowList, Config, NotStarted, ReceiveError, Stop, listening};

/// How long a read waits when nothing comes: how late a thread sees that it is to stop.
const WAIT: Duration = Duration::from_millis(250);

/// How long a read waits while replies are parked: the sender of an inform waits for us.
const WAIT_PARKED: Duration = Duration::from_millis(2);

/// How often parked replies are looked at under load: at each batch it would cost more than reading does.
const RELEASE_EVERY: Duration = Duration::from_millis(1);

/// How long own sockets are read after the wish to stop, and how long parked replies may still wait: a full buffer is
/// read in a tenth of it.
const DRAIN_MAX: Duration = Duration::from_secs(1);

/// The first pause after a read that failed, doubled each time up to [`PAUSE_MAX`], so that a lasting failure (an
/// interface that is down) does not burn a core.
const PAUSE_MIN: Duration = Duration::from_millis(10);

/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A bound UDP listener, ready to be read.
#[derive(Debug)]
pub struct UdpListener {
    config: Config,
    sockets: Vec<Arc<UdpSocket>>,
    buffer: Buffer,
    allow: AllowList,
    ledger: Arc<ListenerLedger>,
    drops: Arc<KernelDrops>,
}

impl UdpListener {
    /// Binds `config.shards` sockets.
    ///
    /// # Errors
    /// When the address is taken, forbidden or not ours, or the kernel refuses an option.
    pub fn bind(config: Config, ledger: Arc<ListenerLedger>) -> Result<Self, ReceiveError> {
        let (sockets, buffer) = socket::bind_udp(&config)?;
        Ok(Self::with(config, sockets, buffer, ledger, &[]))
    }

    /// Takes over the service manager's sockets; their number decides the shards. `known` is what an earlier process
    /// counted on them.
    ///
    /// # Errors
    /// When there are none or too many, or the kernel refuses an option.
    pub fn adopt(
        config: Config,
        inherited: Vec<OwnedFd>,
        ledger: Arc<ListenerLedger>,
        known: &[Dropped],
    ) -> Result<Self, ReceiveError> {
        let (sockets, buffer) = socket::adopt_udp(&config, inherited)?;
        let rivals = listening::rivals(config.bind.port(), &sockets);
        if rivals > 0 {
            tracing::warn!(
                listener = config.listener.name.as_str(),
                port = config.bind.port(),
                rivals,
                "another program has a socket at the same port and may get the datagrams: `trapline doctor` as root names it"
            );
        }
        Ok(Self::with(config, sockets, buffer, ledger, known))
    }

    fn with(
        config: Config,
        sockets: Vec<UdpSocket>,
        buffer: Buffer,
        ledger: Arc<ListenerLedger>,
        known: &[Dropped],
    ) -> Self {
        let sockets: Vec<_> = sockets.into_iter().map(Arc::new).collect();
        let drops = Arc::new(KernelDrops::new(
            sockets.clone(),
            Arc::clone(&ledger),
            known,
        ));
        drops.poll();
        UdpListener {
            allow: AllowList::new(config.allow.clone()),
            config,
            sockets,
            buffer,
            ledger,
            drops,
        }
    }

    /// Where it listens: the real port, also when port 0 was asked for.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match self.sockets.first() {
            Some(socket) => socket.local_addr(),
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    /// The smallest receive buffer of its sockets.
    pub fn buffer(&self) -> Buffer {
        self.buffer
    }

    /// How many sockets, and threads, it has.
    pub fn shards(&self) -> usize {
        self.sockets.len()
    }

    /// The list that a reload replaces.
    pub fn allow(&self) -> AllowList {
        self.allow.clone()
    }

    /// The kernel's drops; somebody must [`KernelDrops::poll`] them every second.
    pub fn kernel_drops(&self) -> Arc<KernelDrops> {
        Arc::clone(&self.drops)
    }

    /// Starts one thread a socket. `sink` makes the pipeline of each shard. All of them start, or none does: a shard that
    /// nobody reads would still get its share of the senders. The sockets close when every thread has ended and every
    /// handle on the kernel's drops is gone.
    ///
    /// # Errors
    /// When the system gives no thread, or no memory for it. The listener comes back as it was.
    pub fn spawn<S: Sink + Send + 'static>(
        self,
        sink: impl FnMut(usize) -> S,
        stop: &Arc<Stop>,
        heartbeats: &Heartbeats,
    ) -> Result<Vec<JoinHandle<()>>, NotStarted<Box<UdpListener>>> {
        let spawn = |builder: thread::Builder, run| builder.spawn(run);
        match self.start(sink, stop, heartbeats, spawn) {
            Ok(threads) => Ok(threads),
            Err(source) => Err(NotStarted {
                error: ReceiveError::Thread {
                    name: self.config.listener.name.to_string(),
                    source,
                },
                listener: Box::new(self),
            }),
        }
    }

    /// Has every thread wait at its gate until the last one is there.
    fn start<S: Sink + Send + 'static>(
        &self,
        mut sink: impl FnMut(usize) -> S,
        stop: &Arc<Stop>,
        heartbeats: &Heartbeats,
        mut spawn: impl FnMut(thread::Builder, Run) -> io::Result<JoinHandle<()>>,
    ) -> io::Result<Vec<JoinHandle<()>>> {
        let mut waiting = Vec::with_capacity(self.sockets.len());
        for (shard, socket) in self.sockets.iter().enumerate() {
            let name = format!("udp-{}-{shard}", self.config.listener.index);
            let heartbeat = heartbeats.register(name.clone());
            let (gate, opened) = mpsc::sync_channel(1);
            let started = Batch::room(self.config.datagram_bytes_max).and_then(|room| {
                let thread = Thread {
                    hands: Hands {
                        socket: Arc::clone(socket),
                        sink: sink(shard),
                        config: self.config.clone(),
                        ledger: Arc::clone(&self.ledger),
                        parking: Parking::default(),
                        reply: Vec::new(),
                    },
                    allow: self.allow.clone(),
                    stop: Arc::clone(stop),
                    wait: Duration::ZERO,
                    released: Instant::now(),
                    pause: PAUSE_MIN,
                    heartbeat: Arc::clone(&heartbeat),
                };
                let run = self.reading(thread, room, opened);
                spawn(thread::Builder::new().name(name), Box::new(run))
            });
            match started {
                Ok(thread) => waiting.push((thread, gate, heartbeat)),
                Err(error) => {
                    // Nobody beats it, and nobody shall miss it.
                    heartbeat.finish();
                    leave(waiting);
                    return Err(error);
                }
            }
        }
        let open = |(thread, gate, _): (_, mpsc::SyncSender<()>, _)| {
            // It waits for nothing else, so there is somebody to be told.
            let _ = gate.send(());
            thread
        };
        Ok(waiting.into_iter().map(open).collect())
    }

    /// What a thread does: nothing, unless its gate is opened.
    fn reading<S: Sink + Send + 'static>(
        &self,
        mut thread: Thread<S>,
        room: MmapMut,
        opened: mpsc::Receiver<()>,
    ) -> impl FnOnce() + Send + 'static {
        let (bytes_max, drops) = (self.config.datagram_bytes_max, Arc::clone(&self.drops));
        move || {
            if opened.recv().is_ok() {
                thread.run(Batch::new(bytes_max, room));
                drops.poll();
            }
            thread.heartbeat.finish();
        }
    }
}

/// What a thread runs.
type Run = Box<dyn FnOnce() + Send>;

/// Closes the gates of threads that wait there, and waits for their end.
fn leave(waiting: Vec<(JoinHandle<()>, mpsc::SyncSender<()>, Arc<Heartbeat>)>) {
    for (thread, gate, heartbeat) in waiting {
        drop(gate);
        if thread.join().is_err() {
            heartbeat.finish();
        }
    }
}

struct Thread<S> {
    hands: Hands<S>,
    allow: AllowList,
    stop: Arc<Stop>,
    /// What the socket's timeout is set to.
    wait: Duration,
    /// When parked replies were last looked at.
    released: Instant,
    pause: Duration,
    heartbeat: Arc<Heartbeat>,
}

impl<S: Sink> Thread<S> {
    fn run(&mut self, mut batch: Batch) {
        while !self.stop.is_wanted() {
            self.turn(&mut batch);
        }
        let deadline = Instant::now() + DRAIN_MAX;
        if self.hands.socket.ownership() == Ownership::Own {
            self.drain(&mut batch, deadline);
            // What comes from here on is counted as dropped by the kernel instead of dying unseen with the queue.
            if let Err(error) = self.hands.socket.refuse_all() {
                tracing::warn!(listener = %self.hands.config.listener.name, %error, "late datagrams will not be counted");
            }
            self.drain(&mut batch, Instant::now() + DRAIN_MAX);
        }
        while !self.hands.parking.is_empty() && Instant::now() < deadline {
            self.hands.release(Instant::now());
            thread::sleep(WAIT_PARKED);
        }
        let unsent = u64::try_from(self.hands.parking.len()).unwrap_or(u64::MAX);
        add(&self.hands.ledger.replies_dropped, unsent);
    }

    /// One read and what follows from it.
    fn turn(&mut self, batch: &mut Batch) {
        self.heartbeat.beat();
        let wait = if self.hands.parking.is_empty() {
            WAIT
        } else {
            WAIT_PARKED
        };
        let read = match self.set_wait(wait) {
            Ok(()) => batch.receive(&self.hands.socket),
            Err(error) => Err(error),
        };
        match read {
            Ok(received) => {
                self.pause = PAUSE_MIN;
                self.hands.take(batch, received, &self.allow.current());
            }
            Err(error) if is_quiet(&error) => self.hands.sink.rest(),
            Err(error) => self.pause(&error),
        }
        if self.hands.parking.is_empty() {
            return;
        }
        let now = Instant::now();
        if now.saturating_duration_since(self.released) >= RELEASE_EVERY {
            self.released = now;
            self.hands.release(now);
        }
    }

    fn drain(&mut self, batch: &mut Batch, deadline: Instant) {
        while !socket::is_empty(&self.hands.socket) && Instant::now() < deadline {
            self.turn(batch);
        }
    }

    fn set_wait(&mut self, wait: Duration) -> io::Result<()> {
        if self.wait != wait {
            self.hands.socket.set_wait(wait)?;
            self.wait = wait;
        }
        Ok(())
    }

    fn pause(&mut self, error: &io::Error) {
        static MUTE: Mute = Mute::usual();
        if let Some(skipped) = MUTE.admit(Instant::now()) {
            tracing::warn!(listener = %self.hands.config.listener.name, %error, skipped, "reading datagrams failed, trying again");
        }
        thread::sleep(self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }
}

/// What takes datagrams and sends replies.
struct Hands<S> {
    socket: Arc<UdpSocket>,
    sink: S,
    config: Config,
    ledger: Arc<ListenerLedger>,
    parking: Parking<Way>,
    /// The present reply, copied out of the pipeline's buffer.
    reply: Vec<u8>,
}

impl<S: Sink> Hands<S> {
    fn take(&mut self, batch: &Batch, received: usize, allow: &Allow) {
        self.ledger
            .begin(u64::try_from(received).unwrap_or(u64::MAX));
        self.sink.expect(batch.senders());
        let mut tally = Tally::default();
        for datagram in batch.datagrams() {
            tally.add(self.take_one(&datagram, allow));
        }
        self.ledger.end(&tally);
    }

    fn take_one(&mut self, datagram: &Datagram<'_>, allow: &Allow) -> Outcome {
        let peer = match datagram.from.map(socket::canonical) {
            Some((address, port)) => Peer::Inet(address, port),
            None => Peer::Local,
        };
        if !allow.permits(&peer) {
            return Outcome::Rejected(Reason::SourceNotAllowed);
        }
        if datagram.bytes.is_empty() {
            return Outcome::Rejected(Reason::Empty);
        }
        let wholeness = if datagram.is_cut {
            add(&self.ledger.cut, 1);
            Wholeness::Cut
        } else {
            Wholeness::Whole
        };
        let verdict = self.sink.take(&Packet {
            bytes: datagram.bytes,
            peer,
            listener: &self.config.listener,
            received: datagram.received.unwrap_or_else(UnixMicros::now),
            wholeness,
        });
        let outcome = verdict.outcome;
        if let (Some(Reply { bytes, after }), Some(to)) = (verdict.reply, datagram.from) {
            let from = datagram.to;
            let way = Way { to, from };
            self.reply.clear();
            self.reply.extend_from_slice(bytes);
            let waits = after.map(|record| (record, self.sink.acceptance(record)));
            match waits {
                None | Some((_, Acceptance::Accepted)) => {
                    send(&self.socket, &self.ledger, way, &self.reply);
                }
                Some((_, Acceptance::Lost)) => self.give_up(1),
                Some((record, Acceptance::Waiting)) => {
                    let given_up = self.parking.park(way, record, &self.reply, Instant::now());
                    self.give_up(given_up);
                }
            }
        }
        outcome
    }

    fn release(&mut self, now: Instant) {
        let Hands {
            socket,
            sink,
            ledger,
            parking,
            ..
        } = self;
        let given_up = parking.release(
            now,
            |_, record| sink.acceptance(record),
            |way, bytes| send(socket, ledger, way, bytes),
        );
        self.give_up(given_up);
    }

    fn give_up(&self, replies: u64) {
        static MUTE: Mute = Mute::usual();
        if replies == 0 {
            return;
        }
        add(&self.ledger.replies_dropped, replies);
        if let Some(skipped) = MUTE.admit(Instant::now()) {
            tracing::warn!(listener = %self.config.listener.name, replies, skipped, "informs stay unanswered: the spool does not accept their events");
        }
    }
}

fn send(socket: &UdpSocket, ledger: &ListenerLedger, way: Way, bytes: &[u8]) {
    static MUTE: Mute = Mute::usual();
    match socket.send(bytes, way) {
        Ok(()) => add(&ledger.replies_sent, 1),
        Err(error) => {
            add(&ledger.replies_dropped, 1);
            if let Some(skipped) = MUTE.admit(Instant::now()) {
                tracing::warn!(listener = %ledger.listener.name, to = %way.to, %error, skipped, "sending a reply failed");
            }
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// Nothing came in time, or a signal did.
fn is_quiet(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests;
