//! The limits on who may talk to the status server, how long and how much.
//!
//! ```text
//!  accept ──▶ a slot free? ──yes──▶ Guarded { stream, slot, deadline, bytes left } ──▶ axum
//!                  │ no
//!                  └──▶ 503 and closed at once (a client whose request crosses it sees a reset)
//! ```
//!
//! A client that sends its request a byte a second (slowloris), or reads the answer as slowly, meets the deadline, and
//! its slot is free again.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

/// How long to wait when no connection can be taken at all (no descriptors left): without a pause the thread would spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What a client gets when all slots are taken.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\nretry-after: 1\r\n\
    content-length: 21\r\nconnection: close\r\n\r\ntoo many connections\n";

/// What one client, and all together, may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections open at a time.
    pub connections_max: usize,
    /// From accept to close.
    pub connection_time_max: Duration,
    /// Bytes read from one connection.
    pub request_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            // A scraper, a few probes and some people; with the bytes below, half a megabyte at worst.
            connections_max: 32,
            // An answer is made in milliseconds; Prometheus itself gives up after 10 s.
            connection_time_max: Duration::from_secs(10),
            // A browser's request with cookies of other services on this host fits; a flood of headers does not.
            request_bytes_max: 16 * 1024,
        }
    }
}

/// A socket that connections come from: TCP, or of this host.
pub(super) trait Door: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Who is at its other end, or who we are.
    type Address: std::fmt::Debug + Send;

    /// Waits for a connection.
    fn accept(&self)
    -> impl Future<Output = io::Result<(Self::Stream, Self::Address)>> + Send + '_;

    /// Writes what can be written at once.
    fn try_write(stream: &Self::Stream, bytes: &[u8]) -> io::Result<usize>;

    /// Where it listens.
    fn local_address(&self) -> io::Result<Self::Address>;
}

impl Door for TcpListener {
    type Stream = TcpStream;
    type Address = std::net::SocketAddr;

    async fn accept(&self) -> io::Result<(TcpStream, Self::Address)> {
        TcpListener::accept(self).await
    }

    fn try_write(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
        stream.try_write(bytes)
    }

    fn local_address(&self) -> io::Result<Self::Address> {
        self.local_addr()
    }
}

impl Door for UnixListener {
    type Stream = UnixStream;
    type Address = tokio::net::unix::SocketAddr;

    async fn accept(&self) -> io::Result<(UnixStream, Self::Address)> {
        UnixListener::accept(self).await
    }

    fn try_write(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
        stream.try_write(bytes)
    }

    fn local_address(&self) -> io::Result<Self::Address> {
        self.local_addr()
    }
}

/// The listening socket behind its limits.
#[derive(Debug)]
pub(super) struct Gate<D> {
    listener: D,
    slots: Arc<Semaphore>,
    limits: Limits,
}

impl<D: Door> Gate<D> {
    pub(super) fn new(listener: D, limits: Limits) -> Self {
        Gate {
            listener,
            slots: Arc::new(Semaphore::new(limits.connections_max)),
            limits,
        }
    }
}

impl<D: Door> axum::serve::Listener for Gate<D> {
    type Io = Guarded<D::Stream>;
    type Addr = D::Address;

    async fn accept(&mut self) -> (Guarded<D::Stream>, D::Address) {
        loop {
            let (stream, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) if is_of_the_connection(&error) => continue,
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match Arc::clone(&self.slots).try_acquire_owned() {
                Ok(slot) => return (Guarded::new(stream, slot, &self.limits), peer),
                // A fresh socket's buffer takes these bytes at once; if not, closing says enough.
                Err(_) => {
                    let _ = D::try_write(&stream, BUSY);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<D::Address> {
        self.listener.local_address()
    }
}

/// Whether accept(2) reports an error of the one connection that it would have returned.
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

/// A connection that ends at its deadline, and reads no more than its share.
#[derive(Debug)]
pub(super) struct Guarded<S> {
    /// Ends like a closed stream when the share is used up.
    stream: Take<S>,
    deadline: Pin<Box<Sleep>>,
    /// Free again when the connection is dropped.
    _slot: OwnedSemaphorePermit,
}

impl<S: AsyncRead> Guarded<S> {
    fn new(stream: S, slot: OwnedSemaphorePermit, limits: &Limits) -> Self {
        Guarded {
            stream: stream.take(limits.request_bytes_max),
            deadline: Box::pin(tokio::time::sleep(limits.connection_time_max)),
            _slot: slot,
        }
    }

    fn check_deadline(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_deadline(context)?;
        Pin::new(self.stream.get_mut()).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        Pin::new(self.stream.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(context)
    }
}
