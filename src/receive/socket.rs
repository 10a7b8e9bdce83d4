//! An address → bound sockets, with what the kernel granted and what it drops.
//!
//! ```text
//!   Config ──▶ bind_udp ──▶ [UdpSocket; shards] + Buffer ──▶ KernelDrops::poll ──▶ ledger.kernel_dropped
//!          └─▶ bind_tcp ──▶ TcpListener                             (unix datagrams: the same, from `unix`)
//! ```

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::unix::{self, SocketFile};
use super::{Config, ReceiveError, listening, sendmsg, sockopt, steering};
use crate::observe::ledger::ListenerLedger;
use crate::packet::{self, Transport};

/// What one datagram of 300 bytes takes of the granted buffer (measured on Linux 6.18: the kernel charges the memory
/// that it allocated, not the bytes that came).
pub const BUFFER_BYTES_PER_DATAGRAM: usize = 1280;

/// Sockets in one group: far more than a machine has use for.
pub const SHARDS_MAX: usize = 64;

/// Connections that wait to be accepted: all devices of a branch that come back at once after an outage. The kernel cuts
/// it to `net.core.somaxconn` (4 096).
const BACKLOG: i32 = 1024;

/// Whose socket it is, which decides what happens to its queue at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Bound by the agent: it is read until empty, because its queue dies with it.
    Own,
    /// Passed in by the service manager, who keeps it: its queue is left to the next process.
    Inherited,
}

impl Ownership {
    /// The word for it in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Ownership::Own => "own",
            Ownership::Inherited => "inherited",
        }
    }
}

/// What was asked for as receive buffer, and what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Bytes asked for.
    pub requested_bytes: usize,
    /// Bytes granted, as `getsockopt` shows them: twice what was asked for when all was granted, because the kernel
    /// counts its own bookkeeping in (socket(7), SO_RCVBUF).
    pub granted_bytes: usize,
    /// Datagrams of 300 bytes that may arrive while the thread does not run.
    pub burst_datagrams: usize,
}

impl Buffer {
    /// Whether less was granted than asked for. Then `net.core.rmem_max` is to be raised, or CAP_NET_ADMIN given.
    pub fn is_short(&self) -> bool {
        self.granted_bytes < self.requested_bytes.saturating_mul(2)
    }
}

/// A bound datagram socket: UDP, or a unix socket.
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    ownership: Ownership,
    /// The kernel's identity of the socket, where it tells one.
    cookie: Option<u64>,
    /// A unix socket's file, which goes with it.
    file: Option<SocketFile>,
}

impl UdpSocket {
    /// Whose it is.
    pub fn ownership(&self) -> Ownership {
        self.ownership
    }

    /// Where it is bound.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        let address = self.socket.local_addr()?;
        address
            .as_socket()
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
    }

    /// How long a read waits for the first datagram.
    pub(super) fn set_wait(&self, wait: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(wait))
    }

    /// Sends without waiting: a full send buffer is an error.
    pub(super) fn send(&self, bytes: &[u8], way: Way) -> io::Result<()> {
        let Way { to, from } = way;
        let plain = || {
            self.socket
                .send_to_with_flags(bytes, &SockAddr::from(to), libc::MSG_DONTWAIT)
        };
        let sent = match from.map(|from| sendmsg::send_from(&self.socket, bytes, to, from)) {
            None => plain()?,
            // It was sent to a group or to all, and from there nothing can come.
            Some(Err(error)) if is_about_the_address(&error) => plain()?,
            Some(sent) => sent?,
        };
        if sent == bytes.len() {
            Ok(())
        } else {
            Err(io::Error::from(io::ErrorKind::WriteZero))
        }
    }

    /// Has the kernel drop, and count, whatever comes from now on. A unix socket's senders are told instead (EPIPE).
    pub(super) fn refuse_all(&self) -> io::Result<()> {
        if self.file.is_some() {
            return self.socket.shutdown(std::net::Shutdown::Read);
        }
        sockopt::attach_filter(&self.socket, &steering::refuse_all())
    }

    fn buffer(&self, requested_bytes: usize) -> io::Result<Buffer> {
        let granted_bytes = self.socket.recv_buffer_size()?;
        Ok(Buffer {
            requested_bytes,
            granted_bytes,
            burst_datagrams: granted_bytes / BUFFER_BYTES_PER_DATAGRAM,
        })
    }
}

/// The way of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    /// Whoever asked.
    pub to: SocketAddr,
    /// Which of our addresses was asked, in the form of `to`: a sender that is answered from another, or a firewall on the
    /// way, does not know the answer. `None`: the kernel chooses.
    pub from: Option<IpAddr>,
}

fn is_about_the_address(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::AddrNotAvailable
    )
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Binds the listener's UDP sockets: one, or a group that is steered by source address.
pub(super) fn bind_udp(config: &Config) -> Result<(Vec<UdpSocket>, Buffer), ReceiveError> {
    if let Some(place) = &config.unix {
        return bind_unix(config, place);
    }
    check_shards(config, config.shards)?;
    let is_group = config.shards > 1;
    if is_group && config.bind.port() != 0 {
        // With SO_REUSEPORT a second agent would bind without an error and take half of the devices.
        let probe = new_socket(config.bind, Type::DGRAM, Protocol::UDP)
            .map_err(failed(config, "making a socket"))?;
        probe
            .bind(&config.bind.into())
            .map_err(|source| bind_failed(config, source))?;
    }
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(config.shards);
    let mut bind = config.bind;
    for _ in 0..config.shards {
        let socket = new_socket(bind, Type::DGRAM, Protocol::UDP)
            .map_err(failed(config, "making a socket"))?;
        if is_group {
            socket
                .set_reuse_port(true)
                .map_err(failed(config, "SO_REUSEPORT"))?;
        }
        if is_group && sockets.is_empty() {
            let shards = u32::try_from(config.shards).unwrap_or(1);
            sockopt::attach_steering(&socket, &steering::program(shards))
                .map_err(failed(config, "SO_ATTACH_REUSEPORT_CBPF"))?;
        }
        request_buffer(&socket, config.receive_buffer_bytes)
            .map_err(failed(config, "SO_RCVBUF"))?;
        socket
            .bind(&bind.into())
            .map_err(|source| bind_failed(config, source))?;
        let socket = prepared(config, socket, Ownership::Own);
        bind = socket.local_addr().map_err(failed(config, "getsockname"))?;
        sockets.push(socket);
    }
    let buffer = granted(config, &sockets)?;
    Ok((sockets, buffer))
}

/// Binds a unix socket for datagrams. Its senders wait when it is full, so there is no buffer to ask for: what fits is
/// counted in datagrams.
fn bind_unix(
    config: &Config,
    place: &unix::Config,
) -> Result<(Vec<UdpSocket>, Buffer), ReceiveError> {
    let (socket, file) = unix::bind_datagrams(place).map_err(|source| ReceiveError::Unix {
        name: config.listener.name.to_string(),
        source: Box::new(source),
    })?;
    let mut socket = prepared(config, socket, Ownership::Own);
    socket.file = Some(file);
    let buffer = Buffer {
        requested_bytes: 0,
        granted_bytes: 0,
        burst_datagrams: unix::burst_datagrams().unwrap_or_default(),
    };
    Ok((vec![socket], buffer))
}

/// Takes over sockets that the service manager has bound; how many they are decides the shards.
pub(super) fn adopt_udp(
    config: &Config,
    inherited: Vec<OwnedFd>,
) -> Result<(Vec<UdpSocket>, Buffer), ReceiveError> {
    check_shards(config, inherited.len())?;
    let shards = u32::try_from(inherited.len()).unwrap_or(1);
    let mut sockets: Vec<UdpSocket> = Vec::with_capacity(inherited.len());
    for descriptor in inherited {
        let socket = Socket::from(descriptor);
        socket
            .set_nonblocking(false)
            .map_err(failed(config, "clearing O_NONBLOCK"))?;
        if shards > 1 && sockets.is_empty() {
            sockopt::attach_steering(&socket, &steering::program(shards))
                .map_err(failed(config, "SO_ATTACH_REUSEPORT_CBPF"))?;
        }
        raise_buffer(&socket, config.receive_buffer_bytes).map_err(failed(config, "SO_RCVBUF"))?;
        sockets.push(prepared(config, socket, Ownership::Inherited));
    }
    let buffer = granted(config, &sockets)?;
    Ok((sockets, buffer))
}

/// Binds the listener's stream socket.
pub(super) fn bind_tcp(config: &Config) -> Result<std::net::TcpListener, ReceiveError> {
    let socket = new_socket(config.bind, Type::STREAM, Protocol::TCP)
        .map_err(failed(config, "making a socket"))?;
    // Without it a restart fails for a minute while old connections are in TIME_WAIT. It does not let two agents
    // listen at once.
    socket
        .set_reuse_address(true)
        .map_err(failed(config, "SO_REUSEADDR"))?;
    socket
        .bind(&config.bind.into())
        .map_err(|source| bind_failed(config, source))?;
    socket
        .listen(BACKLOG)
        .map_err(|source| bind_failed(config, source))?;
    Ok(socket.into())
}

fn new_socket(bind: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(bind), kind, Some(protocol))?;
    if bind.is_ipv6() {
        // Not left to net.ipv6.bindv6only: [::] is documented to take IPv4 too.
        socket.set_only_v6(false)?;
    }
    Ok(socket)
}

fn request_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    let size = i32::try_from(bytes).unwrap_or(i32::MAX);
    match sockopt::set_receive_buffer_force(socket, size) {
        Ok(()) => Ok(()),
        Err(_) => socket.set_recv_buffer_size(bytes),
    }
}

/// Raises the buffer of a socket that has one already. Without the right to go above `net.core.rmem_max` a request would
/// be cut down to that, below what the service manager gave it (`ReceiveBuffer=`), so then it stays as it is.
fn raise_buffer(socket: &Socket, bytes: usize) -> io::Result<()> {
    if socket.recv_buffer_size()? < bytes.saturating_mul(2) {
        let size = i32::try_from(bytes).unwrap_or(i32::MAX);
        // Refused without CAP_NET_ADMIN; what there is then is shown like everywhere.
        let _ = sockopt::set_receive_buffer_force(socket, size);
    }
    Ok(())
}

/// What the kernel of a sandbox (gVisor, for one) does not know costs a figure, and never a listener. It is said once.
fn prepared(config: &Config, socket: Socket, ownership: Ownership) -> UdpSocket {
    let listener = config.listener.name.as_str();
    if let Err(error) = sockopt::set_timestamps(&socket) {
        tracing::warn!(
            listener,
            %error,
            "the kernel does not stamp datagrams (SO_TIMESTAMPNS): each counts as received when it is read"
        );
    }
    let address = socket.local_addr().ok();
    let address = address.and_then(|address| address.as_socket());
    if config.listener.protocol == packet::Protocol::Snmp
        && let Some(address) = address
        && let Err(error) = sockopt::set_packet_info(&socket, address.is_ipv6())
    {
        tracing::warn!(
            listener,
            %error,
            "the kernel does not say which address a datagram was sent to (IP_PKTINFO): informs may be answered from another"
        );
    }
    if let Err(error) = sockopt::dropped(&socket) {
        tracing::warn!(
            listener,
            %error,
            "the kernel does not say what it drops (SO_MEMINFO): what a full buffer loses cannot be counted"
        );
    }
    let cookie = sockopt::cookie(&socket).ok();
    UdpSocket {
        socket,
        ownership,
        cookie,
        file: None,
    }
}

fn granted(config: &Config, sockets: &[UdpSocket]) -> Result<Buffer, ReceiveError> {
    let mut smallest: Option<Buffer> = None;
    for socket in sockets {
        let buffer = socket
            .buffer(config.receive_buffer_bytes)
            .map_err(failed(config, "reading SO_RCVBUF"))?;
        smallest = match smallest {
            Some(known) if known.granted_bytes <= buffer.granted_bytes => Some(known),
            Some(_) | None => Some(buffer),
        };
    }
    let buffer = smallest.ok_or_else(|| shards_error(config, 0))?;
    if buffer.is_short() {
        tracing::warn!(
            listener = config.listener.name.as_str(),
            requested_bytes = buffer.requested_bytes,
            granted_bytes = buffer.granted_bytes,
            burst_datagrams = buffer.burst_datagrams,
            "receive buffer is smaller than asked for: raise net.core.rmem_max or give CAP_NET_ADMIN"
        );
    }
    Ok(buffer)
}

fn check_shards(config: &Config, found: usize) -> Result<(), ReceiveError> {
    if (1..=SHARDS_MAX).contains(&found) {
        Ok(())
    } else {
        Err(shards_error(config, found))
    }
}

fn shards_error(config: &Config, found: usize) -> ReceiveError {
    ReceiveError::Shards {
        name: config.listener.name.to_string(),
        found,
        max: SHARDS_MAX,
    }
}

fn failed(config: &Config, what: &'static str) -> impl FnOnce(io::Error) -> ReceiveError {
    let (name, bind) = (config.listener.name.to_string(), config.bind);
    move |source| ReceiveError::Socket {
        name,
        bind,
        what,
        source,
    }
}

fn bind_failed(config: &Config, source: io::Error) -> ReceiveError {
    let (name, bind) = (config.listener.name.to_string(), config.bind);
    let transport = config.listener.transport;
    match source.kind() {
        io::ErrorKind::AddrInUse => ReceiveError::AddressInUse {
            name,
            transport,
            bind,
        },
        io::ErrorKind::PermissionDenied if is_taken(transport, bind.port()) => {
            ReceiveError::PortTaken {
                name,
                transport,
                bind,
            }
        }
        io::ErrorKind::PermissionDenied => ReceiveError::PortNotPermitted { name, bind },
        io::ErrorKind::AddrNotAvailable => ReceiveError::AddressNotLocal { name, bind },
        _ => failed(config, "binding")(source),
    }
}

/// Whether any process has a socket at `port` that a listener of this kind would meet.
fn is_taken(transport: Transport, port: u16) -> bool {
    let sockets = match transport {
        Transport::Udp => listening::datagrams_at(port),
        Transport::Tcp | Transport::Tls => listening::streams_at(port),
        Transport::UnixDgram | Transport::UnixStream => Vec::new(),
    };
    !sockets.is_empty()
}

/// How many datagrams of one socket were counted as dropped, so that a socket which outlives the process is not
/// counted again by the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dropped {
    /// The kernel's identity of the socket (`SO_COOKIE`).
    pub cookie: u64,
    /// The kernel's counter when it was last read; it wraps at 2³².
    pub datagrams: u32,
}

/// Reads the kernel's drop counters of a listener's sockets into its ledger.
#[derive(Debug)]
pub struct KernelDrops {
    sockets: Vec<Arc<UdpSocket>>,
    /// The kernel's counter of each socket, as it was last read.
    counted: Mutex<Vec<u32>>,
    ledger: Arc<ListenerLedger>,
}

impl KernelDrops {
    /// Watches `sockets`. `known` is what an earlier process has counted already of sockets that outlived it.
    pub fn new(
        sockets: Vec<Arc<UdpSocket>>,
        ledger: Arc<ListenerLedger>,
        known: &[Dropped],
    ) -> Self {
        let counted = sockets
            .iter()
            .map(|socket| {
                let mut known = known.iter();
                let known = known.find(|known| Some(known.cookie) == socket.cookie);
                known.map_or(0, |known| known.datagrams)
            })
            .collect();
        KernelDrops {
            sockets,
            counted: Mutex::new(counted),
            ledger,
        }
    }

    /// Adds what was dropped since the last call to the ledger. To be called every second, at start and at the end.
    pub fn poll(&self) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for (socket, counted) in self.sockets.iter().zip(counted.iter_mut()) {
            // These descriptors are held open: a kernel that cannot say it was named when the socket was made.
            let Ok(now) = sockopt::dropped(socket) else {
                continue;
            };
            let more = now.wrapping_sub(*counted);
            *counted = now;
            self.ledger.add_kernel_dropped(u64::from(more));
        }
    }

    /// What was counted so far, to be given to the next process with inherited sockets.
    pub fn counted(&self) -> Vec<Dropped> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let sockets = self.sockets.iter().zip(counted.iter());
        sockets
            .filter_map(|(socket, datagrams)| {
                Some(Dropped {
                    cookie: socket.cookie?,
                    datagrams: *datagrams,
                })
            })
            .collect()
    }
}

/// The address as the pipeline knows it: IPv4-mapped IPv6 is IPv4.
pub(super) fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// Whether a datagram waits to be read.
pub(super) fn is_empty(socket: &UdpSocket) -> bool {
    let mut byte = [MaybeUninit::<u8>::uninit(); 1];
    let peeked = socket
        .socket
        .recv_with_flags(&mut byte, libc::MSG_PEEK | libc::MSG_DONTWAIT);
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::super::fake::listener;
    use super::*;

    #[test]
    fn a_refused_port_that_somebody_has_is_told_from_one_without_right() {
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let bind = other.local_addr().unwrap();
        let refused = |transport| {
            let config = Config::new(listener(transport), bind);
            bind_failed(&config, io::Error::from(io::ErrorKind::PermissionDenied)).to_string()
        };
        let text = refused(Transport::Udp);
        assert!(text.contains("another process listens at udp"), "{text}");
        // The same number is free for streams: then it is the right alone that is missing.
        let text = refused(Transport::Tcp);
        assert!(text.contains("no right to bind port"), "{text}");
    }
}
