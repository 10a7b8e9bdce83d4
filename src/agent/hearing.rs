//! Listeners, from their configuration to the threads that read them.
//!
//! ```text
//!  receive::Config, sockets passed in ──▶ Hearing::bind ──▶ ears, ledgers, conditions ──▶ Hearing::spawn ──▶ threads
//!                                             ▲ └ missing                                                       │
//!                                             └──── every 5 s: Hearing::try_again ──▶ ... ──▶ Hearing::join ◀───┘
//! ```
//!
//! A listener that cannot be bound is logged and shown as missing; the others hear. It is tried again, since an address
//! may come later (DHCP, a virtual address that moves here) and a port may be taken for a moment only. One whose socket
//! was passed in is not: the service manager has the port. Where the system gives it no thread, its socket is kept, and the
//! thread is tried again.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use compact_str::{CompactString, ToCompactString};

use super::lookups::{Answer, Lookups};
use crate::config::Resolved;
use crate::observe::health::Heartbeats;
use crate::observe::ledger::ListenerLedger;
use crate::observe::mute::Mute;
use crate::observe::picture::{ListenerCondition, ListenerState, SocketBuffer};
use crate::packet::Transport;
use crate::pipeline::Pipeline;
use crate::receive::inherited::Inherited;
use crate::receive::socket::{Dropped, KernelDrops, Ownership};
use crate::receive::tcp::StreamListener;
use crate::receive::tls::Acceptor;
use crate::receive::udp::UdpListener;
use crate::receive::{self, AllowList, NotStarted, ReceiveError, Stop, tcp};

/// How often a missing listener is tried: an address that comes is heard soon, and a try costs some system calls.
const TRY_EVERY: Duration = Duration::from_secs(5);

/// The conditions of all listeners, in their order; shared with whoever shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions(Arc<Mutex<Vec<ListenerState>>>);

impl Conditions {
    /// As they are now.
    pub fn now(&self) -> Vec<ListenerState> {
        self.lock().clone()
    }

    fn set(&self, index: usize, state: ListenerCondition) {
        self.replace(index, state);
    }

    /// Sets one, and returns what it was before.
    fn replace(&self, index: usize, state: ListenerCondition) -> Option<ListenerCondition> {
        let mut listeners = self.lock();
        let listener = listeners.get_mut(index)?;
        Some(std::mem::replace(&mut listener.state, state))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<ListenerState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One bound listener, as far as the agent still has to do with it.
pub(super) struct Ear {
    /// Its place in the configuration.
    index: usize,
    pub name: CompactString,
    /// None for a unix socket.
    pub address: Option<SocketAddr>,
    pub allow: AllowList,
    pub tls: Option<Arc<Acceptor>>,
    pub drops: Option<Arc<KernelDrops>>,
    pub ownership: Ownership,
}

/// All listeners, and the threads that read them.
pub(super) struct Hearing {
    /// One a listener, in the order of the configuration.
    pub ledgers: Vec<Arc<ListenerLedger>>,
    pub conditions: Conditions,
    pub ears: Vec<Ear>,
    /// As they were configured at the start, in the same order.
    configs: Vec<receive::Config>,
    /// Places of those that are tried again.
    missing: Vec<usize>,
    try_at: Instant,
    lookups: Lookups,
    /// Lines about tries that fail: while nothing changes they say nothing new.
    told: Mute,
    /// Bound, and without a thread; each with its place.
    udp: Vec<(usize, UdpListener)>,
    streams: Vec<(usize, StreamListener)>,
    /// Places of the service manager's sockets among those, which wait for a thread, and what is said of them when they
    /// have one.
    unread: Vec<(usize, ListenerCondition)>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Hearing {
    pub fn bind(config: &Resolved, mut inherited: Inherited, known: &[Dropped]) -> Hearing {
        let mut hearing = Hearing {
            ledgers: Vec::new(),
            conditions: Conditions::default(),
            ears: Vec::new(),
            configs: config.listeners.clone(),
            missing: Vec::new(),
            try_at: Instant::now() + TRY_EVERY,
            lookups: Lookups::default(),
            told: Mute::new(10, Duration::from_secs(3600)),
            udp: Vec::new(),
            streams: Vec::new(),
            unread: Vec::new(),
            stop: Arc::new(Stop::new()),
            threads: Vec::new(),
        };
        for (index, listener) in config.listeners.iter().enumerate() {
            let ledger = Arc::new(ListenerLedger::new(listener.listener.clone()));
            hearing.ledgers.push(ledger.clone());
            let sockets = inherited.take(listener.listener.transport, listener.bind);
            let ownership = ownership(&sockets);
            let name = listener.listener.name.clone();
            let bound = hearing.bind_one(index, listener, sockets, known, ledger);
            let state = bound.unwrap_or_else(|error| {
                tracing::error!(listener = %name, %error, "listener is missing");
                if ownership == Ownership::Own {
                    hearing.missing.push(index);
                }
                missing(&error)
            });
            let state = ListenerState { name, state };
            hearing.conditions.lock().push(state);
        }
        inherited.close_left();
        hearing
    }

    fn bind_one(
        &mut self,
        index: usize,
        config: &receive::Config,
        inherited: Vec<OwnedFd>,
        known: &[Dropped],
        ledger: Arc<ListenerLedger>,
    ) -> Result<ListenerCondition, ReceiveError> {
        match config.listener.transport {
            Transport::Udp | Transport::UnixDgram => {
                self.bind_datagrams(index, config, inherited, known, ledger)
            }
            Transport::Tcp | Transport::Tls | Transport::UnixStream => {
                self.bind_stream(index, config, inherited, ledger)
            }
        }
    }

    /// Binds what is missing, where it is time and that is possible now. `in_force` are the listeners as a reload left
    /// them: what it changes without a restart holds for those that come later as well, and one that it has removed or
    /// moved is not bound any more.
    pub fn try_again(
        &mut self,
        now: Instant,
        in_force: &[receive::Config],
        pipeline: &dyn Fn() -> Pipeline,
        heartbeats: &Heartbeats,
    ) {
        let is_time = now >= self.try_at || self.lookups.has_answer();
        if (self.missing.is_empty() && self.unread.is_empty()) || !is_time {
            return;
        }
        self.try_at = now + TRY_EVERY;
        for index in std::mem::take(&mut self.missing) {
            let (Some(config), Some(ledger)) = (self.configs.get(index), self.ledgers.get(index))
            else {
                continue;
            };
            let (mut config, ledger) = (config.clone(), ledger.clone());
            let name = config.listener.name.clone();
            let changed = in_force.iter().find(|other| other.listener.name == name);
            let Some(changed) = changed.filter(|changed| is_same_place(changed, &config)) else {
                // Its port may belong to others by now, and a reload may yet take it back.
                self.missing.push(index);
                self.lookups.forget(index);
                let why = "removed or changed by a reload, which is in force after a restart";
                let why = format!("{name}: {why}");
                self.conditions
                    .set(index, ListenerCondition::Missing { why });
                continue;
            };
            config.allow = changed.allow.clone();
            // A renewal; other files are for the next start.
            if let (Some(tls), Some(read)) = (&mut config.tls, &changed.tls) {
                tls.renew(read);
            }
            let bound = match self.lookups.numbers(index, &config) {
                Answer::Pending => {
                    self.missing.push(index);
                    continue;
                }
                Answer::Unknown(error) => Err(error),
                Answer::Numbers(config) => self.bind_one(index, &config, Vec::new(), &[], ledger),
            };
            let state = match bound {
                Ok(state) => state,
                Err(error) => {
                    self.missing.push(index);
                    if let Some(skipped) = self.told.admit(now) {
                        tracing::warn!(listener = %name, %error, skipped, "listener is still missing");
                    }
                    missing(&error)
                }
            };
            self.conditions.set(index, state);
        }
        self.spawn(pipeline, heartbeats);
    }

    /// The next [`Hearing::try_again`] does not wait: somebody may have changed what was in the way.
    pub fn try_soon(&mut self) {
        self.try_at = Instant::now();
    }

    fn bind_datagrams(
        &mut self,
        index: usize,
        config: &receive::Config,
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
                index,
                name,
                address: None,
                allow: listener.allow(),
                tls: None,
                drops: None,
                ownership,
            });
            let address = path.to_compact_string();
            self.udp.push((index, listener));
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
            index,
            name,
            address: Some(address),
            allow: listener.allow(),
            tls: None,
            drops: Some(listener.kernel_drops()),
            ownership,
        });
        self.udp.push((index, listener));
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
        index: usize,
        config: &receive::Config,
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
            index,
            name,
            address,
            allow: listener.allow(),
            tls: listener.tls(),
            drops: None,
            ownership,
        });
        self.streams.push((index, listener));
        Ok(ListenerCondition::Listening {
            address: shown,
            buffer: None,
        })
    }

    /// Starts a thread for each socket of datagrams that has none, and one for all streams that have none.
    pub fn spawn(&mut self, pipeline: &dyn Fn() -> Pipeline, heartbeats: &Heartbeats) {
        for (index, listener) in std::mem::take(&mut self.udp) {
            match listener.spawn(|_| pipeline(), &self.stop, heartbeats) {
                Ok(shards) => {
                    self.threads.extend(shards);
                    self.is_read(index);
                }
                Err(NotStarted { error, listener }) => {
                    if self.not_read(index, &error) == Ownership::Inherited {
                        self.udp.push((index, *listener));
                    }
                }
            }
        }
        let streams = std::mem::take(&mut self.streams);
        if streams.is_empty() {
            return;
        }
        let (places, streams): (Vec<usize>, Vec<StreamListener>) = streams.into_iter().unzip();
        let heartbeat = heartbeats.register("streams");
        match tcp::spawn(streams, pipeline(), &self.stop, heartbeat.clone()) {
            Ok(thread) => {
                self.threads.push(thread);
                for index in places {
                    self.is_read(index);
                }
            }
            Err(NotStarted { error, listener }) => {
                // Nobody beats it, and nobody shall miss it.
                heartbeat.finish();
                for (index, listener) in places.into_iter().zip(listener) {
                    if self.not_read(index, &error) == Ownership::Inherited {
                        self.streams.push((index, listener));
                    }
                }
            }
        }
    }

    /// The listener is bound, and nobody reads it. Its own sockets are to be closed, so that senders can see it, and it is
    /// bound again later; where its sockets are the service manager's, they stay, what the kernel drops there is counted,
    /// and only its threads are tried again. Says which of both it is.
    fn not_read(&mut self, index: usize, error: &ReceiveError) -> Ownership {
        let mut ears = self.ears.iter();
        let ear = ears.find(|ear| ear.index == index);
        let ownership = ear.map_or(Ownership::Own, |ear| ear.ownership);
        let before = self.conditions.replace(index, missing(error));
        let is_known = self.unread.iter().any(|(unread, _)| *unread == index);
        if is_known {
            if let Some(skipped) = self.told.admit(Instant::now()) {
                tracing::warn!(%error, skipped, "listener still does not receive");
            }
        } else {
            tracing::error!(%error, "listener does not receive");
        }
        match (ownership, before) {
            (Ownership::Own, _) => {
                self.ears.retain(|ear| ear.index != index);
                self.missing.push(index);
            }
            (Ownership::Inherited, Some(before)) if !is_known => self.unread.push((index, before)),
            (Ownership::Inherited, _) => {}
        }
        ownership
    }

    /// The listener has its threads; it may have waited for them.
    fn is_read(&mut self, index: usize) {
        let waited = self.unread.iter().position(|(unread, _)| *unread == index);
        if let Some(at) = waited {
            let (_, state) = self.unread.swap_remove(at);
            self.conditions.replace(index, state);
            let name = self.configs.get(index).map(|config| &config.listener.name);
            tracing::info!(
                listener = name.map_or("", CompactString::as_str),
                "listener receives"
            );
        }
    }

    /// Asks every thread to read what is there and end.
    pub fn begin_stop(&mut self) {
        self.missing.clear();
        self.unread.clear();
        self.stop.stop();
    }

    /// Whether every thread has ended.
    pub fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Lets the threads go. One that has not ended does so with the process: nobody waits for it any more.
    pub fn join(&mut self) {
        for thread in self.threads.drain(..) {
            if !thread.is_finished() {
                let thread = thread.thread().name().unwrap_or_default();
                tracing::error!(
                    thread,
                    "a receiving thread does not end: what it still reads is not delivered"
                );
            } else if thread.join().is_err() {
                tracing::error!("a receiving thread had ended by a panic");
            }
        }
    }
}

/// Whether both listen at the same place.
fn is_same_place(one: &receive::Config, other: &receive::Config) -> bool {
    let path = |config: &receive::Config| config.unix.as_ref().map(|unix| unix.path.clone());
    one.listener.transport == other.listener.transport
        && one.bind == other.bind
        && path(one) == path(other)
}

fn missing(error: &ReceiveError) -> ListenerCondition {
    let why = error.to_string();
    ListenerCondition::Missing { why }
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
    config: &receive::Config,
    address: std::io::Result<SocketAddr>,
) -> Result<SocketAddr, ReceiveError> {
    address.map_err(|source| ReceiveError::Socket {
        name: config.listener.name.to_string(),
        bind: config.bind,
        what: "getsockname",
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::pipeline::Settings;
    use crate::route::{Boot, Router};
    use crate::spool::Spool;
    use crate::time::UnixMicros;

    #[test]
    fn a_receiving_thread_that_does_not_end_is_not_waited_for() {
        let config = crate::config::parse(
            "[[listener]]\nname = \"a\"\nbind = \"127.0.0.1:0\"\n",
            "host",
        );
        let mut hearing = Hearing::bind(&config.unwrap(), Inherited::none(), &[]);
        let (over, held) = std::sync::mpsc::channel::<()>();
        let stuck = std::thread::spawn(move || {
            let _ = held.recv();
        });
        hearing.threads.push(stuck);
        hearing.begin_stop();
        assert!(!hearing.is_over());
        hearing.join();
        assert!(hearing.is_over());
        drop(over);
    }

    #[test]
    fn the_service_manager_s_sockets_wait_for_a_thread_and_are_read_when_there_is_one() {
        let text = "[spool]\nkind = \"memory\"\n[[listener]]\nname = \"deaf\"\nbind = \"127.0.0.1:5514\"\n";
        let mut config = crate::config::parse(text, "host").unwrap();
        let sound = config.listeners[0].clone();
        // The system has not so much memory.
        config.listeners[0].datagram_bytes_max = usize::MAX;
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let passed_in = socket.try_clone().unwrap();
        let passed_in = [("trapline-deaf.socket".to_owned(), passed_in.into())];
        config.listeners[0].bind = socket.local_addr().unwrap();
        let mut hearing = Hearing::bind(&config, Inherited::new(passed_in), &[]);
        let ledger = hearing.ledgers[0].clone();
        let (spool, heartbeats) = (
            Arc::new(Spool::new(&config.spool)),
            Heartbeats::new(Instant::now()),
        );
        let router = Arc::new(Router::new(
            &config.route,
            "br17",
            &Boot::new(UnixMicros(0), 0),
        ));
        let settings = Arc::new(Settings::new(config.normalize.clone()));
        let pipeline = || Pipeline::new(spool.clone(), router.clone(), settings.clone());
        hearing.spawn(&pipeline, &heartbeats);
        let mut now = Instant::now();
        for _ in 0..2 {
            let state = hearing.conditions.now().remove(0).state;
            assert!(
                matches!(&state, ListenerCondition::Missing { why } if why.contains("thread")),
                "{state:?}"
            );
            assert_eq!((hearing.ears.len(), hearing.udp.len()), (1, 1));
            now += TRY_EVERY;
            hearing.try_again(now, &config.listeners, &pipeline, &heartbeats);
        }
        let fresh = socket.try_clone().unwrap();
        let sound = UdpListener::adopt(sound, vec![fresh.into()], ledger, &[]);
        hearing.udp = vec![(0, sound.unwrap())];
        hearing.try_again(now + TRY_EVERY, &config.listeners, &pipeline, &heartbeats);
        let state = hearing.conditions.now().remove(0).state;
        assert!(
            matches!(state, ListenerCondition::Listening { .. }),
            "{state:?}"
        );
        assert_eq!(hearing.threads.len(), 1);
        hearing.begin_stop();
        hearing.join();
    }
}
