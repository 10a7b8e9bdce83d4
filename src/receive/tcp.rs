//! Stream listeners → connections: one thread accepts and reads all of them, with one pipeline.
//!
//! ```text
//!   accept ─▶ allowed? ─▶ a seat free? ─▶ [TLS handshake] ─▶ Connection::serve ─▶ Sink::take
//!               └─ no ──────┴─ no ──────────┴─ failed ─▶ connections_refused, closed at once
//! ```
//!
//! The thread waits for bytes and for nothing else, so a device's window never fills because of us.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::{JoinError, JoinSet, LocalSet};

use crate::observe::health::Heartbeat;
use crate::observe::ledger::ListenerLedger;
use crate::observe::mute::Mute;
use crate::packet::{Peer, Sink, Transport};

use super::connection::Connection;
use super::door::{Arrived, Bound, Door};
use super::replies::Replies;
use super::socket::Ownership;
use super::{AllowList, Config, NotStarted, ReceiveError, Stop, tls};

/// The pause after `accept` failed for lack of files or memory: the waiting connection stays in the kernel's queue, and
/// asking again at once would burn a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Silence before the kernel asks whether a peer is still there. Then a device that lost its power is gone after
/// 60 + 3 · 10 seconds and its seat is free.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// A bound stream listener, ready to be read.
#[derive(Debug)]
pub struct StreamListener {
    config: Config,
    socket: Bound,
    ownership: Ownership,
    tls: Option<Arc<tls::Acceptor>>,
    allow: AllowList,
    ledger: Arc<ListenerLedger>,
}

impl StreamListener {
    /// Reads the TLS files, if it is a TLS listener, and binds.
    ///
    /// # Errors
    /// When the files are wrong, or the address is taken, forbidden or not ours.
    pub fn bind(config: Config, ledger: Arc<ListenerLedger>) -> Result<Self, ReceiveError> {
        let tls = acceptor(&config)?;
        let socket = Bound::bind(&config)?;
        Ok(Self::with(config, socket, Ownership::Own, tls, ledger))
    }

    /// Takes over the service manager's listening socket.
    ///
    /// # Errors
    /// When the TLS files are wrong.
    pub fn adopt(
        config: Config,
        inherited: OwnedFd,
        ledger: Arc<ListenerLedger>,
    ) -> Result<Self, ReceiveError> {
        let tls = acceptor(&config)?;
        let socket = Bound::Tcp(std::net::TcpListener::from(inherited));
        Ok(Self::with(
            config,
            socket,
            Ownership::Inherited,
            tls,
            ledger,
        ))
    }

    fn with(
        config: Config,
        socket: Bound,
        ownership: Ownership,
        tls: Option<Arc<tls::Acceptor>>,
        ledger: Arc<ListenerLedger>,
    ) -> Self {
        StreamListener {
            allow: AllowList::new(config.allow.clone()),
            config,
            socket,
            ownership,
            tls,
            ledger,
        }
    }

    /// Where it listens: the real port, also when port 0 was asked for.
    ///
    /// # Errors
    /// When the kernel does not say, or it is a unix socket, whose path stands in its configuration.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The list that a reload replaces. Open connections are judged by it at their next bytes.
    pub fn allow(&self) -> AllowList {
        self.allow.clone()
    }

    /// The TLS side, to be reloaded when the certificate changes.
    pub fn tls(&self) -> Option<Arc<tls::Acceptor>> {
        self.tls.clone()
    }
}

fn acceptor(config: &Config) -> Result<Option<Arc<tls::Acceptor>>, ReceiveError> {
    if config.listener.transport != Transport::Tls {
        return Ok(None);
    }
    match config.tls.clone() {
        Some(tls) => Ok(Some(Arc::new(tls::Acceptor::new(tls)))),
        None => {
            let name = config.listener.name.to_string();
            Err(ReceiveError::TlsNotConfigured { name })
        }
    }
}

/// Starts the thread that reads every stream listener. It ends when `stop` is wanted and all connections are read.
///
/// # Errors
/// When the system gives no thread or no event loop. The listeners come back as they were.
pub fn spawn<S: Sink + Send + 'static>(
    listeners: Vec<StreamListener>,
    sink: S,
    stop: &Arc<Stop>,
    heartbeat: Arc<Heartbeat>,
) -> Result<JoinHandle<()>, NotStarted<Vec<StreamListener>>> {
    let spawn = |builder: thread::Builder, run| builder.spawn(run);
    spawn_by(spawn, listeners, sink, stop, heartbeat)
}

/// What a thread runs.
type Run = Box<dyn FnOnce() + Send>;

fn spawn_by<S: Sink + Send + 'static>(
    spawn: impl FnOnce(thread::Builder, Run) -> io::Result<JoinHandle<()>>,
    listeners: Vec<StreamListener>,
    sink: S,
    stop: &Arc<Stop>,
    heartbeat: Arc<Heartbeat>,
) -> Result<JoinHandle<()>, NotStarted<Vec<StreamListener>>> {
    // The thread is given them when it is there: what a thread takes with it is gone where it cannot be started.
    let (give, given) = mpsc::sync_channel(1);
    let started = reading(&listeners, sink, stop, heartbeat, given)
        .and_then(|run| spawn(thread::Builder::new().name("streams".to_owned()), run));
    match started {
        Ok(thread) => {
            // It waits for nothing else, so there is somebody to be told.
            let _ = give.send(listeners);
            Ok(thread)
        }
        Err(source) => {
            let names: Vec<&str> = listeners
                .iter()
                .map(|listener| listener.config.listener.name.as_str())
                .collect();
            let name = names.join(", ");
            let error = ReceiveError::Thread { name, source };
            Err(NotStarted {
                error,
                listener: listeners,
            })
        }
    }
}

/// What the thread does: nothing, unless it is given the listeners.
fn reading<S: Sink + Send + 'static>(
    listeners: &[StreamListener],
    sink: S,
    stop: &Arc<Stop>,
    heartbeat: Arc<Heartbeat>,
    given: mpsc::Receiver<Vec<StreamListener>>,
) -> io::Result<Run> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let mut sockets = Vec::with_capacity(listeners.len());
    {
        let _entered = runtime.enter();
        for listener in listeners {
            sockets.push(listener.socket.door()?);
        }
    }
    let stop = Arc::clone(stop);
    let run = move || {
        let Ok(listeners) = given.recv() else {
            return;
        };
        let local = LocalSet::new();
        local.block_on(&runtime, async move {
            let sink = Rc::new(RefCell::new(sink));
            let beating = tokio::task::spawn_local(beat(Arc::clone(&heartbeat), Rc::clone(&sink)));
            let mut listening = JoinSet::new();
            for (listener, socket) in listeners.into_iter().zip(sockets) {
                let listening_here = Listening::new(listener, &sink, &stop);
                listening.spawn_local(listening_here.run(socket));
            }
            while let Some(ended) = listening.join_next().await {
                report_panic(ended);
            }
            beating.abort();
            heartbeat.finish();
        });
    };
    Ok(Box::new(run))
}

/// Shows that the thread's loop turns: a task that never yields would keep this one from running.
async fn beat<S: Sink>(heartbeat: Arc<Heartbeat>, sink: Rc<RefCell<S>>) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        heartbeat.beat();
        // A busy thread takes what was replaced into view with its messages; for an idle one nobody else does.
        sink.borrow_mut().rest();
    }
}

/// One listener at work.
struct Listening<S> {
    config: Rc<Config>,
    /// Held while it listens: a unix socket's file goes with it.
    bound: Bound,
    ownership: Ownership,
    tls: Option<Arc<tls::Acceptor>>,
    allow: AllowList,
    ledger: Arc<ListenerLedger>,
    seats: Rc<Seats>,
    sink: Rc<RefCell<S>>,
    replies: Rc<Replies>,
    stop: Arc<Stop>,
}

impl<S: Sink + 'static> Listening<S> {
    fn new(listener: StreamListener, sink: &Rc<RefCell<S>>, stop: &Arc<Stop>) -> Self {
        Listening {
            seats: Rc::new(Seats::new(
                listener.config.connections_max,
                listener.config.connections_per_peer_max,
                Arc::clone(&listener.ledger),
            )),
            replies: Replies::new(&listener.ledger),
            config: Rc::new(listener.config),
            bound: listener.socket,
            ownership: listener.ownership,
            tls: listener.tls,
            allow: listener.allow,
            ledger: listener.ledger,
            sink: Rc::clone(sink),
            stop: Arc::clone(stop),
        }
    }

    async fn run(self, socket: Door) {
        let mut connections = JoinSet::new();
        let releasing = Rc::clone(&self.replies).release(Rc::clone(&self.sink));
        let releasing = tokio::task::spawn_local(releasing);
        let wanted = self.stop.wanted();
        tokio::pin!(wanted);
        loop {
            tokio::select! {
                biased;
                () = &mut wanted => break,
                Some(ended) = connections.join_next() => report_panic(ended),
                accepted = socket.accept() => self.admit(accepted, &mut connections).await,
            }
        }
        if self.ownership == Ownership::Own {
            // Connections that the kernel has completed may hold messages already.
            for _ in 0..self.config.connections_max {
                let accepted = tokio::time::timeout(Duration::ZERO, socket.accept()).await;
                let Ok(accepted) = accepted else {
                    break;
                };
                // Each try would be one more pause, and there are hundreds.
                let is_the_last = accepted
                    .as_ref()
                    .is_err_and(|error| !is_about_one_peer(error));
                self.admit(accepted, &mut connections).await;
                if is_the_last {
                    break;
                }
            }
        }
        drop(socket);
        drop(self.bound);
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
        releasing.abort();
        self.replies.end();
    }

    async fn admit(&self, accepted: io::Result<(Arrived, Peer)>, connections: &mut JoinSet<()>) {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return self.accept_failed(&error).await,
        };
        if !self.allow.current().permits(&peer) {
            return self.refuse(peer, "its address is not in the allow list");
        }
        let seat = match Seats::take(&self.seats, peer.address()) {
            Ok(seat) => seat,
            Err(why) => return self.refuse(peer, why),
        };
        if let Arrived::Tcp(stream) = &stream {
            keep_alive(stream);
        }
        let connection = Connection {
            config: Rc::clone(&self.config),
            peer,
            allow: self.allow.clone(),
            ledger: Arc::clone(&self.ledger),
            sink: Rc::clone(&self.sink),
            replies: Rc::clone(&self.replies),
            stop: Arc::clone(&self.stop),
        };
        let tls = self.tls.as_ref().map(|tls| tls.current());
        connections.spawn_local(async move {
            let _seat = seat;
            match (stream, tls) {
                (Arrived::Tcp(stream), Some(tls)) => serve_tls(&tls, stream, connection).await,
                (Arrived::Tcp(stream), None) => {
                    count_accepted(&connection);
                    connection.serve(stream).await;
                }
                (Arrived::Unix(stream), _) => {
                    count_accepted(&connection);
                    connection.serve(stream).await;
                }
            }
        });
    }

    async fn accept_failed(&self, error: &io::Error) {
        static MUTE: Mute = Mute::usual();
        if let Some(skipped) = MUTE.admit(Instant::now()) {
            tracing::warn!(listener = %self.config.listener.name, %error, skipped, "accepting a connection failed, trying again");
        }
        if !is_about_one_peer(error) {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }

    fn refuse(&self, peer: Peer, why: &str) {
        refused(&self.config, &self.ledger, peer, why);
    }
}

/// Whether accept(2) tells of the one connection that it would have returned, and the next may be taken.
fn is_about_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

fn keep_alive(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    // It fails only when the connection is gone already, which the first read will say.
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}

async fn serve_tls<S: Sink>(
    tls: &tokio_rustls::TlsAcceptor,
    stream: TcpStream,
    connection: Connection<S>,
) {
    let config = Rc::clone(&connection.config);
    let time = Duration::from_secs(config.handshake_seconds_max);
    let handshake = tokio::time::timeout(time, tls.accept(stream));
    let shaken = tokio::select! {
        biased;
        shaken = handshake => Some(shaken),
        () = connection.stop.wanted() => None,
    };
    let why = match shaken {
        Some(Ok(Ok(stream))) => {
            count_accepted(&connection);
            return connection.serve(stream).await;
        }
        Some(Ok(Err(error))) => format!("the TLS handshake failed: {error}"),
        Some(Err(_)) => "the TLS handshake took too long".to_owned(),
        None => "the agent stopped in the middle of the TLS handshake".to_owned(),
    };
    refused(&config, &connection.ledger, connection.peer, &why);
}

fn count_accepted<S>(connection: &Connection<S>) {
    let accepted = &connection.ledger.connections_accepted;
    accepted.fetch_add(1, Ordering::Relaxed);
}

fn refused(config: &Config, ledger: &ListenerLedger, peer: Peer, why: &str) {
    static MUTE: Mute = Mute::usual();
    ledger.connections_refused.fetch_add(1, Ordering::Relaxed);
    if let Some(skipped) = MUTE.admit(Instant::now()) {
        tracing::warn!(listener = %config.listener.name, %peer, why, skipped, "refused a connection");
    }
}

fn report_panic(ended: Result<(), JoinError>) {
    static MUTE: Mute = Mute::usual();
    let Err(error) = ended else {
        return;
    };
    if let Some(skipped) = MUTE.admit(Instant::now()) {
        tracing::error!(%error, skipped, "a connection's task failed: please report this as a bug");
    }
}

/// How many connections there are, in all and from each address. The map has no more entries than there are seats.
/// Processes of this host have no address: only the limit for all counts for them.
struct Seats {
    max: usize,
    per_peer_max: usize,
    taken: Cell<usize>,
    by_peer: RefCell<HashMap<IpAddr, usize>>,
    ledger: Arc<ListenerLedger>,
}

impl Seats {
    fn new(max: usize, per_peer_max: usize, ledger: Arc<ListenerLedger>) -> Self {
        Seats {
            max,
            per_peer_max,
            taken: Cell::new(0),
            by_peer: RefCell::default(),
            ledger,
        }
    }

    fn take(seats: &Rc<Seats>, peer: Option<IpAddr>) -> Result<Seat, &'static str> {
        if seats.taken.get() >= seats.max {
            return Err("the listener has as many connections as connections_max allows");
        }
        if let Some(peer) = peer {
            let mut by_peer = seats.by_peer.borrow_mut();
            let of_peer = by_peer.get(&peer).copied().unwrap_or_default();
            if of_peer >= seats.per_peer_max {
                return Err(
                    "its address has as many connections as connections_per_peer_max allows",
                );
            }
            by_peer.insert(peer, of_peer + 1);
        }
        seats.taken.set(seats.taken.get() + 1);
        let open = &seats.ledger.connections_open;
        open.fetch_add(1, Ordering::Relaxed);
        Ok(Seat {
            seats: Rc::clone(seats),
            peer,
        })
    }
}

/// One connection's place, given back when it ends.
struct Seat {
    seats: Rc<Seats>,
    peer: Option<IpAddr>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let seats = &self.seats;
        seats.taken.set(seats.taken.get().saturating_sub(1));
        if let Some(peer) = self.peer {
            let mut by_peer = seats.by_peer.borrow_mut();
            match by_peer.get_mut(&peer) {
                Some(of_peer) if *of_peer > 1 => *of_peer -= 1,
                Some(_) => {
                    by_peer.remove(&peer);
                }
                None => {}
            }
        }
        let open = &seats.ledger.connections_open;
        open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
