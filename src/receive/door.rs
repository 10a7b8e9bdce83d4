//! What a stream listener accepts from: a TCP port, or a unix socket.
//!
//! ```text
//!   Bound::{Tcp, Unix} ─▶ Door::accept ─▶ (Arrived, Peer)
//! ```

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::socket;
use super::unix::{self, SocketFile};
use super::{Config, ReceiveError};
use crate::packet::Peer;

/// A bound stream socket, not yet read.
#[derive(Debug)]
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    Unix {
        socket: std::os::unix::net::UnixListener,
        /// Removed with the last handle on the socket.
        _file: SocketFile,
    },
}

impl Bound {
    pub(super) fn bind(config: &Config) -> Result<Bound, ReceiveError> {
        let Some(place) = &config.unix else {
            return Ok(Bound::Tcp(socket::bind_tcp(config)?));
        };
        let (socket, file) = unix::bind_stream(place).map_err(|source| ReceiveError::Unix {
            name: config.listener.name.to_string(),
            source: Box::new(source),
        })?;
        Ok(Bound::Unix {
            socket,
            _file: file,
        })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Bound::Tcp(socket) => socket.local_addr(),
            Bound::Unix { .. } => Err(io::Error::from(io::ErrorKind::Unsupported)),
        }
    }

    /// To be called inside the runtime that is to accept.
    pub(super) fn door(&self) -> io::Result<Door> {
        match self {
            Bound::Tcp(socket) => {
                let socket = socket.try_clone()?;
                socket.set_nonblocking(true)?;
                Ok(Door::Tcp(TcpListener::from_std(socket)?))
            }
            Bound::Unix { socket, .. } => {
                let socket = socket.try_clone()?;
                socket.set_nonblocking(true)?;
                Ok(Door::Unix(UnixListener::from_std(socket)?))
            }
        }
    }
}

/// A stream socket of the receiving thread's runtime.
pub(super) enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// One accepted connection.
pub(super) enum Arrived {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Door {
    pub(super) async fn accept(&self) -> io::Result<(Arrived, Peer)> {
        match self {
            Door::Tcp(socket) => {
                let (stream, from) = socket.accept().await?;
                let (address, port) = socket::canonical(from);
                Ok((Arrived::Tcp(stream), Peer::Inet(address, port)))
            }
            Door::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                Ok((Arrived::Unix(stream), Peer::Local))
            }
        }
    }
}
