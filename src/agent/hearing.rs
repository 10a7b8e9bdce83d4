//! Listeners, from their configuration to the threads that read them.
//!
//! ```text
//!  receive::Config, sockets passed in ──▶ Hearing::bind ──▶ ears, ledgers, conditions ──▶ Hearing::spawn ──▶ threads
//! ```
//!
//! A listener that cannot be bound is logged and shown as missing; the others hear.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use compact_str::{CompactString, ToCompactString};

use crate::config::Resolved;
use crate::observe::health::Heartbeats;
use crate::observe::ledger::ListenerLedger;
use crate::observe::picture::{ListenerCondition, ListenerState, SocketBuffer};
use crate::packet::Transport;
use crate::pipeline::Pipeline;
use crate::receive::inherited::Inherited;
use crate::receive::socket::{Dropped, KernelDrops, Ownership};
use crate::receive::tcp::StreamListener;
use crate::receive::tls::Acceptor;
use crate::receive::udp::UdpListener;
use crate::receive::{AllowList, ReceiveError, Stop, tcp};

/// One bound listener, as far as the agent still has to do with it.
pub(super) struct Ear {
    pub name: CompactString,
    /// None for a unix socket.
    pub address: Option<SocketAddr>,
    pub allow: AllowList,
    pub tls: Option<Arc<Acceptor>>,
    pub drops: Option<Arc<KernelDrops>>,
    pub ownership: Ownership,
}

/// Listeners while they are bound and started.
pub(super) struct Hearing {
    pub ledgers: Vec<Arc<ListenerLedger>>,
    pub states: Vec<ListenerState>,
    pub ears: Vec<Ear>,
    udp: Vec<UdpListener>,
    streams: Vec<StreamListener>,
}

impl Hearing {
    pub fn bind(config: &Resolved, mut inherited: Inherited, known: &[Dropped]) -> Hearing {
        let mut hearing = Hearing {
            ledgers: Vec::new(),
            states: Vec::new(),
            ears: Vec::new(),
            udp: Vec::new(),
            streams: Vec::new(),
        };
        for listener in &config.listeners {
            let ledger = Arc::new(ListenerLedger::new(listener.listener.clone()));
            hearing.ledgers.push(ledger.clone());
            let transport = listener.listener.transport;
            let sockets = inherited.take(transport, listener.bind);
            let bound = match transport {
                Transport::Udp | Transport::UnixDgram => {
                    hearing.bind_datagrams(listener, sockets, known, ledger)
                }
                Transport::Tcp | Transport::Tls | Transport::UnixStream => {
                    hearing.bind_stream(listener, sockets, ledger)
                }
            };
            let name = listener.listener.name.clone();
            let state = bound.unwrap_or_else(|error| {
                tracing::error!(listener = %name, %error, "listener is missing");
                ListenerCondition::Missing {
                    why: error.to_string(),
                }
            });
            hearing.states.push(ListenerState { name, state });
        }
        inherited.close_left();
        hearing
    }

    fn bind_datagrams(
        &mut self,
        config: &crate::receive::Config,
        inherited: Vec<OwnedFd>,
        known: &[Dropped],
        ledger: Arc<ListenerLedger>,
    ) -> Result<ListenerCondition, ReceiveError> {
        let ownership = ownership(&inherited);
        let listener = if inherited.is_empty() {
            UdpListener::bind(config.clone(), ledger)?
        } else {
            UdpListener::adopt(config.clone(), inherited, ledger, known)?
        };
        let (buffer, name) = (listener.buffer(), config.listener.name.clone());
        if let Some(unix) = &config.unix {
            let path = unix.path.display();
            tracing::info!(
                listener = %name,
                %path,
                transport = config.listener.transport.as_str(),
                burst_datagrams = buffer.burst_datagrams,
                "listening, a faster sender waits"
            );
            self.ears.push(Ear {
                name,
                address: None,
                allow: listener.allow(),
                tls: None,
                drops: None,
                ownership,
            });
            let address = path.to_compact_string();
            self.udp.push(listener);
            return Ok(ListenerCondition::Listening {
                address,
                buffer: None,
            });
        }
        let address = local(config, listener.local_addr())?;
        tracing::info!(
            listener = %name,
            %address,
            transport = "udp",
            socket = ownership.as_str(),
            shards = listener.shards(),
            buffer_requested_bytes = buffer.requested_bytes,
            buffer_granted_bytes = buffer.granted_bytes,
            burst_datagrams = buffer.burst_datagrams,
            "listening"
        );
        self.ears.push(Ear {
            name,
            address: Some(address),
            allow: listener.allow(),
            tls: None,
            drops: Some(listener.kernel_drops()),
            ownership,
        });
        self.udp.push(listener);
        let buffer = SocketBuffer {
            requested_bytes: buffer.requested_bytes as u64,
            granted_bytes: buffer.granted_bytes as u64,
            burst_datagrams: buffer.burst_datagrams as u64,
        };
        Ok(ListenerCondition::Listening {
            address: address.to_compact_string(),
            buffer: Some(buffer),
        })
    }

    fn bind_stream(
        &mut self,
        config: &crate::receive::Config,
        inherited: Vec<OwnedFd>,
        ledger: Arc<ListenerLedger>,
    ) -> Result<ListenerCondition, ReceiveError> {
        let ownership = ownership(&inherited);
        let listener = match inherited.into_iter().next() {
            Some(socket) => StreamListener::adopt(config.clone(), socket, ledger)?,
            None => StreamListener::bind(config.clone(), ledger)?,
        };
        let (address, shown) = match &config.unix {
            Some(unix) => (None, unix.path.display().to_compact_string()),
            None => {
                let address = local(config, listener.local_addr())?;
                (Some(address), address.to_compact_string())
            }
        };
        let name = config.listener.name.clone();
        tracing::info!(listener = %name, address = %shown, transport = config.listener.transport.as_str(), socket = ownership.as_str(), "listening");
        self.ears.push(Ear {
            name,
            address,
            allow: listener.allow(),
            tls: listener.tls(),
            drops: None,
            ownership,
        });
        self.streams.push(listener);
        Ok(ListenerCondition::Listening {
            address: shown,
            buffer: None,
        })
    }

    pub fn spawn(
        &mut self,
        pipeline: &dyn Fn() -> Pipeline,
        stop: &Arc<Stop>,
        heartbeats: &Heartbeats,
    ) -> Vec<JoinHandle<()>> {
        let mut threads = Vec::new();
        for listener in self.udp.drain(..) {
            match listener.spawn(|_| pipeline(), stop, heartbeats) {
                Ok(shards) => threads.extend(shards),
                Err(error) => tracing::error!(%error, "listener does not receive"),
            }
        }
        if !self.streams.is_empty() {
            let streams = std::mem::take(&mut self.streams);
            match tcp::spawn(streams, pipeline(), stop, heartbeats.register("streams")) {
                Ok(thread) => threads.push(thread),
                Err(error) => tracing::error!(%error, "streams are not received"),
            }
        }
        threads
    }
}

/// Whose sockets a listener has that was given these.
fn ownership(inherited: &[OwnedFd]) -> Ownership {
    if inherited.is_empty() {
        Ownership::Own
    } else {
        Ownership::Inherited
    }
}

fn local(
    config: &crate::receive::Config,
    address: std::io::Result<SocketAddr>,
) -> Result<SocketAddr, ReceiveError> {
    address.map_err(|source| ReceiveError::Socket {
        name: config.listener.name.to_string(),
        bind: config.bind,
        what: "getsockname",
        source,
    })
}
