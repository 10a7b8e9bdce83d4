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
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};
use tokio::net::{TcpListener, TcpStream};
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

/// The listening socket behind its limits.
#[derive(Debug)]
pub(super) struct Gate {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    limits: Limits,
}

impl Gate {
    pub(super) fn new(listener: TcpListener, limits: Limits) -> Self {
        Gate {
            listener,
            slots: Arc::new(Semaphore::new(limits.connections_max)),
            limits,
        }
    }
}

impl axum::serve::Listener for Gate {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
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
                    let _ = stream.try_write(BUSY);
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
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
pub(super) struct Guarded {
    /// Ends like a closed stream when the share is used up.
    stream: Take<TcpStream>,
    deadline: Pin<Box<Sleep>>,
    /// Free again when the connection is dropped.
    _slot: OwnedSemaphorePermit,
}

impl Guarded {
    fn new(stream: TcpStream, slot: OwnedSemaphorePermit, limits: &Limits) -> Self {
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

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_deadline(context)?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
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
