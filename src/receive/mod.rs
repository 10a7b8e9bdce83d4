//! Sockets and streams → packets, handed to the pipeline on the thread that read them.
//!
//! ```text
//!   socket ─▶ udp (recvmmsg, one thread a shard) ─────────────────┐                        ┌─▶ sent, or
//!          │                                                      ├─▶ Sink::take ─▶ reply ─┴─▶ parking, sent when accepted
//!          └▶ tcp (one thread for all streams) ─▶ [tls] ─▶ framing┘       │
//!                                                                         └─▶ outcome ─▶ ledger
//! ```
//!
//! Unix sockets (see [`unix`]) take the same two ways: datagrams that of UDP, streams that of TCP.
//!
//! Nothing in here waits for a disk, a broker, a name server or a device: a device that logs over TCP must never be
//! held up, and a datagram that is not read in time is lost. Whatever is not taken is counted with its reason.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::packet::{Allow, Listener, Transport};

mod connection;
mod door;
pub mod framing;
pub mod inherited;
pub mod listening;
mod parking;
mod recvmmsg;
mod replies;
mod sendmsg;
pub mod socket;
mod sockopt;
pub mod steering;

pub mod tcp;
pub mod tls;
pub mod udp;
pub mod unix;

/// Bytes asked for as a UDP socket's receive buffer: 32 MiB holds 52 428 datagrams of 300 bytes (measured), two
/// seconds of what a busy branch sends, should the thread not run.
pub const RECEIVE_BUFFER_BYTES: usize = 32 * 1024 * 1024;

/// UDP sockets a listener: one thread was measured to read more than a branch can send.
pub const SHARDS: usize = 1;

/// Bytes of the longest datagram taken whole: no UDP payload can be longer (RFC 768: 65 535 with headers).
pub const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Bytes of the longest frame taken whole: 64 KiB, what a datagram could carry too. RFC 5425 asks for 8 192 at least.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Connections a stream listener holds at once: half of the 1 024 files that a process may usually open, so that spool
/// and Kafka find theirs.
pub const CONNECTIONS_MAX: usize = 512;

/// Connections of one address at once: a relay or a gateway opens dozens, and a single broken sender that never closes
/// must not use up the listener.
pub const CONNECTIONS_PER_PEER_MAX: usize = 64;

/// Seconds after which a connection that says nothing is closed: a day. A healthy device may be silent for hours, and
/// closing on it costs its next message; peers that are gone are found by TCP keepalive within minutes.
pub const IDLE_SECONDS_MAX: u64 = 24 * 60 * 60;

/// Seconds that a TLS handshake may take: a slow device over a slow line needs a few, and until then it holds a place.
pub const HANDSHAKE_SECONDS_MAX: u64 = 10;

/// One listener: what it is, where it listens, and its limits.
#[derive(Debug, Clone)]
pub struct Config {
    /// Its name, protocol and transport.
    pub listener: Listener,
    /// Address and port. `[::]:514` takes IPv4 as well; port 0 lets the kernel choose.
    pub bind: SocketAddr,
    /// Who may be heard. A reload replaces it while running (see [`AllowList`]).
    pub allow: Allow,
    /// Bytes asked for as receive buffer, each UDP socket. The kernel grants what it grants: [`socket::Buffer`] says so.
    pub receive_buffer_bytes: usize,
    /// UDP sockets, each with a thread; senders are spread over them by source address. Never changes while running.
    pub shards: usize,
    /// Bytes of the longest datagram taken whole; longer ones are cut.
    pub datagram_bytes_max: usize,
    /// Bytes of the longest frame taken whole; longer ones are cut.
    pub frame_bytes_max: usize,
    /// Connections at once; more are closed at once.
    pub connections_max: usize,
    /// Connections at once from one address; more are closed at once.
    pub connections_per_peer_max: usize,
    /// Seconds without a byte after which a connection is closed.
    pub idle_seconds_max: u64,
    /// Seconds that a TLS handshake may take.
    pub handshake_seconds_max: u64,
    /// Certificate and key, for transport `tls`.
    pub tls: Option<tls::Config>,
    /// Where a unix socket stands, for the transports that are one; `bind` says nothing then.
    pub unix: Option<unix::Config>,
}

impl Config {
    /// A listener with every default.
    pub fn new(listener: Listener, bind: SocketAddr) -> Self {
        Config {
            listener,
            bind,
            allow: Allow::default(),
            receive_buffer_bytes: RECEIVE_BUFFER_BYTES,
            shards: SHARDS,
            datagram_bytes_max: DATAGRAM_BYTES_MAX,
            frame_bytes_max: FRAME_BYTES_MAX,
            connections_max: CONNECTIONS_MAX,
            connections_per_peer_max: CONNECTIONS_PER_PEER_MAX,
            idle_seconds_max: IDLE_SECONDS_MAX,
            handshake_seconds_max: HANDSHAKE_SECONDS_MAX,
            tls: None,
            unix: None,
        }
    }
}

/// Why a listener could not start, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Somebody else listens there.
    #[error(
        "{name}: {transport} {bind} is taken by another process; `{command}` shows which one: stop it, or give this listener another port",
        command = holder_command(*transport, bind),
        transport = transport.as_str(),
    )]
    AddressInUse {
        /// The listener.
        name: String,
        /// Its transport.
        transport: Transport,
        /// Where it was to listen.
        bind: SocketAddr,
    },
    /// The port needs a right that the process lacks.
    #[error(
        "{name}: no right to bind port {port}; ports below 1024 need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE), a socket passed in by systemd, or take a port above 1023",
        port = bind.port(),
    )]
    PortNotPermitted {
        /// The listener.
        name: String,
        /// Where it was to listen.
        bind: SocketAddr,
    },
    /// The port needs a right that the process lacks, and somebody else listens there: the kernel looks at the right first.
    #[error(
        "{name}: another process listens at {transport} port {port}, and this one has no right to ports below 1024; `trapline doctor` as root names that process: stop it, start the port's socket unit (`systemctl list-units --all 'trapline*.socket'`) and restart trapline, or give this listener a port above 1023",
        transport = transport.as_str(),
        port = bind.port(),
    )]
    PortTaken {
        /// The listener.
        name: String,
        /// Its transport.
        transport: Transport,
        /// Where it was to listen.
        bind: SocketAddr,
    },
    /// The address is not one of this host's.
    #[error(
        "{name}: {ip} is not an address of this host (`ip address` lists them); [::] takes all of them",
        ip = bind.ip(),
    )]
    AddressNotLocal {
        /// The listener.
        name: String,
        /// Where it was to listen.
        bind: SocketAddr,
    },
    /// Another call on a socket failed.
    #[error("{name}: {what} on {bind} failed: {source}")]
    Socket {
        /// The listener.
        name: String,
        /// Where it listens.
        bind: SocketAddr,
        /// The call, in words.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The number of sockets handed in by systemd or asked for cannot work.
    #[error("{name}: {found} UDP sockets, expected 1 to {max}")]
    Shards {
        /// The listener.
        name: String,
        /// How many there are.
        found: usize,
        /// How many there may be.
        max: usize,
    },
    /// A unix socket could not be bound.
    #[error("{name}: {source}")]
    Unix {
        /// The listener.
        name: String,
        /// What is in the way.
        source: Box<unix::UnixError>,
    },
    /// Transport `tls` without certificate and key.
    #[error("{name}: a tls listener needs a certificate and a key, none is set")]
    TlsNotConfigured {
        /// The listener.
        name: String,
    },
    /// The operating system gave no thread, no memory for it or no event loop.
    #[error(
        "{name}: could not start the receiving thread: {source}; raise the limit on tasks, memory or files"
    )]
    Thread {
        /// The listener.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a listener, or several that share a thread, are not read.
#[derive(Debug)]
pub struct NotStarted<L> {
    /// What failed.
    pub error: ReceiveError,
    /// What is not read, as it was: still bound.
    pub listener: L,
}

fn holder_command(transport: Transport, bind: &SocketAddr) -> String {
    let kind = match transport {
        Transport::Udp => "u",
        Transport::Tcp | Transport::Tls => "t",
        Transport::UnixDgram | Transport::UnixStream => "x",
    };
    format!("ss -ln{kind}p 'sport = :{}'", bind.port())
}

/// A listener's `allow` list, shared by its threads and replaceable while they run. Read once a batch.
#[derive(Debug, Clone)]
pub struct AllowList(Arc<RwLock<Arc<Allow>>>);

impl AllowList {
    /// Starts with `allow`.
    pub fn new(allow: Allow) -> Self {
        AllowList(Arc::new(RwLock::new(Arc::new(allow))))
    }

    /// The list as it is now.
    pub fn current(&self) -> Arc<Allow> {
        let list = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&list)
    }

    /// Replaces the list; the next batch is judged by it.
    pub fn set_allow(&self, allow: Allow) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(allow);
    }
}

/// The wish to stop, told to every receiving thread at once. Never taken back.
#[derive(Debug, Default)]
pub struct Stop {
    is_wanted: AtomicBool,
    told: tokio::sync::Notify,
}

impl Stop {
    /// Nobody wants to stop yet.
    pub fn new() -> Self {
        Stop::default()
    }

    /// Asks every thread to read what is there and end.
    pub fn stop(&self) {
        self.is_wanted.store(true, Ordering::SeqCst);
        self.told.notify_waiters();
    }

    /// Whether [`Stop::stop`] was called.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::SeqCst)
    }

    /// Waits until [`Stop::stop`] is called; returns at once if it was.
    pub async fn wanted(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.is_wanted() {
            told.await;
        }
    }
}

#[cfg(test)]
mod fake;
