//! Wiring: opens the spool, binds, spawns, waits, and stops in flow order. The one place that sees every stage.
//!
//! ```text
//!  start:  spool ▶ producer ▶ listeners ▶ status page          stop:  listeners read empty ▶ producer drains ▶ ledger
//! ```
//!
//! A listener that cannot be bound does not keep the others from hearing: it is logged, shown as missing, and the
//! agent goes on. The same holds for the status page. Only when nothing at all can be heard does the start fail.

mod actions;
mod dropped;
mod losses;
mod picture;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use compact_str::{CompactString, ToCompactString};

use crate::config::{self, Resolved};
use crate::observe::health::{self, Health, Heartbeat, Heartbeats};
use crate::observe::ledger::{ListenerLedger, Snapshot};
use crate::observe::picture::{ListenerCondition, ListenerState, SocketBuffer};
use crate::packet::Transport;
use crate::pipeline::{Pipeline, Settings};
use crate::produce::{self, ProduceError};
use crate::receive::inherited::Inherited;
use crate::receive::socket::{Dropped, KernelDrops, Ownership};
use crate::receive::tcp::StreamListener;
use crate::receive::tls::Acceptor;
use crate::receive::udp::UdpListener;
use crate::receive::{AllowList, ReceiveError, Stop, tcp};
use crate::route::{Boot, Router};
use crate::spool::{self, Spool, WriterStop};
use crate::status;
use crate::time::UnixMicros;

use actions::Deeds;
use dropped::DroppedBefore;
use losses::Losses;
use picture::Observer;

/// How long a stop waits for the writer to take the last records to the log. It needs milliseconds; a disk that takes
/// longer must not hold up the end, and the writer has a last turn anyway.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// How long a stop may deliver while the next process's datagrams wait in sockets that outlive this one: they hold two
/// seconds of what a busy branch sends, and what is not delivered waits on disk.
const HANDOVER_DRAIN_MAX: Duration = Duration::from_secs(1);

/// Why the agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No configured listener could be bound; each reason was logged.
    #[error(
        "nothing can be received: no listener could be bound, of {0}; the errors above say why of each"
    )]
    NothingToHear(usize),
    /// The Kafka client refused to start.
    #[error(transparent)]
    Produce(#[from] ProduceError),
}

/// A running agent.
pub struct Agent {
    config: Resolved,
    spool: Arc<Spool>,
    router: Arc<Router>,
    settings: Arc<Settings>,
    heartbeats: Arc<Heartbeats>,
    main_heartbeat: Arc<Heartbeat>,
    producer_heartbeat: Arc<Heartbeat>,
    stop: Arc<Stop>,
    receivers: Vec<JoinHandle<()>>,
    ears: Vec<Ear>,
    dropped_before: Mutex<DroppedBefore>,
    writer: Option<RunningWriter>,
    producer: Option<produce::Handle>,
    observer: Arc<Observer>,
    losses: Mutex<Losses>,
    status: Option<status::Running>,
    admin: Option<status::RunningAdmin>,
    status_stop: tokio::sync::watch::Sender<bool>,
}

/// The spool's writer, while it runs.
struct RunningWriter {
    stop: Arc<WriterStop>,
    thread: JoinHandle<()>,
    heartbeat: Arc<Heartbeat>,
}

/// One bound listener, as far as the agent still has to do with it.
struct Ear {
    name: CompactString,
    address: SocketAddr,
    allow: AllowList,
    tls: Option<Arc<Acceptor>>,
    drops: Option<Arc<KernelDrops>>,
    ownership: Ownership,
}

/// How often the configuration was read again.
#[derive(Debug, Default)]
struct ReloadCounts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Agent {
    /// Starts everything that can start, on sockets of its own.
    ///
    /// # Errors
    /// No listener could be bound, or the Kafka client refused its settings.
    pub fn start(config: Resolved) -> Result<Agent, AgentError> {
        Agent::start_on(config, Inherited::none())
    }

    /// Starts everything that can start. A listener takes over the sockets that were passed in for its place; those
    /// without one are bound by the agent.
    ///
    /// # Errors
    /// No listener could be bound, or the Kafka client refused its settings.
    pub fn start_on(config: Resolved, inherited: Inherited) -> Result<Agent, AgentError> {
        let started = UnixMicros::now();
        let heartbeats = Arc::new(Heartbeats::new(Instant::now()));
        let Kept {
            spool,
            writer,
            spool_trouble,
        } = Kept::open(&config.spool, config.produce.window_records, &heartbeats);
        let agent_id = &config.normalize.agent_id;
        let router = Arc::new(Router::new(&config.route, agent_id, &Boot::at(started)));
        let settings = Arc::new(Settings::new(config.normalize.clone()));
        let producer_heartbeat = heartbeats.register("producer");
        let beat = producer_heartbeat.clone();
        let producing = produce::Config {
            topics: spool.topics(),
            ..config.produce.clone()
        };
        let producer = produce::spawn(producing, spool.clone(), move || beat.beat())?;

        let dropped_before = DroppedBefore::of_service();
        let mut hearing = Hearing::bind(&config, inherited, dropped_before.known());
        let pipeline = || Pipeline::new(spool.clone(), router.clone(), settings.clone());
        let stop = Arc::new(Stop::new());
        let receivers = hearing.spawn(&pipeline, &stop, &heartbeats);
        let observer = Arc::new(Observer {
            agent_id: agent_id.to_compact_string(),
            started,
            clock: Instant::now(),
            spool: spool.clone(),
            spool_bytes_max: config
                .spool
                .disk
                .as_ref()
                .map_or(config.spool.bytes_max as u64, |disk| disk.bytes_max),
            spool_trouble,
            ledgers: hearing.ledgers,
            listeners: hearing.states,
            producer: producer.watch(),
            reloads: ReloadCounts::default(),
            history: Mutex::default(),
        });
        let (status_stop, status_stopping) = tokio::sync::watch::channel(false);
        let mut agent = Agent {
            main_heartbeat: heartbeats.register("main"),
            config,
            spool,
            router,
            settings,
            heartbeats,
            stop,
            receivers,
            ears: hearing.ears,
            dropped_before: Mutex::new(dropped_before),
            writer,
            producer: Some(producer),
            producer_heartbeat,
            observer,
            losses: Mutex::default(),
            status: None,
            admin: None,
            status_stop,
        };
        if agent.ears.is_empty() {
            let listeners = agent.config.listeners.len();
            agent.stop(&AtomicBool::new(true));
            return Err(AgentError::NothingToHear(listeners));
        }
        agent.serve_status(status_stopping.clone());
        agent.serve_admin(status_stopping);
        Ok(agent)
    }

    fn serve_status(&mut self, stopping: tokio::sync::watch::Receiver<bool>) {
        let (view, heartbeats) = (self.observer.clone(), self.heartbeats.clone());
        match status::spawn(&self.config.status, view, heartbeats, stopping) {
            Ok(running) => self.status = running,
            Err(error) => tracing::error!(%error, "no status page, everything else goes on"),
        }
    }

    fn serve_admin(&mut self, stopping: tokio::sync::watch::Receiver<bool>) {
        let Some(path) = self.config.status.admin_socket.clone() else {
            return;
        };
        let (view, heartbeats) = (self.observer.clone(), self.heartbeats.clone());
        let deeds = Arc::new(Deeds {
            spool: self.spool.clone(),
            router: self.router.clone(),
        });
        match status::spawn_admin(&path, view, heartbeats, deeds, stopping) {
            Ok(running) => self.admin = Some(running),
            Err(error) => tracing::error!(%error, "no admin socket, everything else goes on"),
        }
    }

    /// Where the listener of this name is bound, if it is.
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.ears
            .iter()
            .find(|ear| ear.name == name)
            .map(|ear| ear.address)
    }

    /// What must be done every second: reads what the kernel dropped, says what was lost, and shows that
    /// the main thread lives.
    pub fn tick(&self) {
        self.main_heartbeat.beat();
        for drops in self.ears.iter().filter_map(|ear| ear.drops.as_ref()) {
            drops.poll();
        }
        self.remember_dropped();
        let losses = self.losses.lock();
        let mut losses = losses.unwrap_or_else(PoisonError::into_inner);
        let ledger = self.ledger();
        losses.say(&ledger, Instant::now());
        self.observer.note_rates(&ledger);
    }

    /// Tells the next process which of the kernel's drops are in the ledger already.
    fn remember_dropped(&self) {
        let drops = self.ears.iter().filter_map(|ear| ear.drops.as_ref());
        let counted: Vec<Dropped> = drops.flat_map(|drops| drops.counted()).collect();
        let before = self.dropped_before.lock();
        before
            .unwrap_or_else(PoisonError::into_inner)
            .remember(counted);
    }

    /// Whether all threads move (the same answer as `/healthz`).
    pub fn is_alive(&self) -> bool {
        matches!(
            health::healthz(&self.heartbeats.pulses(Instant::now())),
            Health::Alive
        )
    }

    /// One line for the service manager.
    pub fn status_line(&self) -> String {
        let counts = self.spool.counts();
        format!(
            "{} listeners, kafka {}, {} delivered, {} pending",
            self.ears.len(),
            picture::kafka(&self.observer.producer.state(), &self.spool)
                .state
                .as_str(),
            counts.delivered,
            counts.pending
        )
    }

    /// The ledger now.
    pub fn ledger(&self) -> Snapshot {
        self.observer.ledger()
    }

    /// Puts what a reload can change into force, and says in the log what it cannot.
    pub fn reload(&mut self, new: Resolved) -> config::Reload {
        let difference = config::difference(&self.config, &new);
        self.settings.replace(new.normalize.clone());
        for ear in &self.ears {
            if let Some(listener) = new
                .listeners
                .iter()
                .find(|listener| listener.listener.name == ear.name)
            {
                ear.allow.set_allow(listener.allow.clone());
            }
            if let Some(Err(error)) = ear.tls.as_ref().map(|tls| tls.reload()) {
                tracing::error!(listener = %ear.name, %error, "certificate not reloaded, the old one stays in use");
            }
        }
        self.observer
            .reloads
            .succeeded
            .fetch_add(1, Ordering::Relaxed);
        self.config.normalize = new.normalize;
        self.config.log = new.log;
        self.config.listeners = new.listeners;
        difference
    }

    /// Counts a reload whose configuration was refused.
    pub fn reload_failed(&self) {
        self.observer.reloads.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Stops in flow order: sockets are read empty, then the spool is delivered for as long as `shutdown.drain_seconds`
    /// allows, or until `cut_short` becomes true. What is left in a memory spool is lost, counted, and in the ledger that
    /// is returned.
    pub fn stop(mut self, cut_short: &AtomicBool) -> Snapshot {
        self.stop_receiving();
        self.wait_for_writer();
        self.drain(cut_short);
        let left = self.spool.abandon();
        if left > 0 {
            tracing::error!(
                records = left,
                "the memory spool ended with records that Kafka had not acknowledged"
            );
        }
        self.close_writer();
        self.main_heartbeat.finish();
        let ledger = self.ledger();
        let _ = self.status_stop.send(true);
        if let Some(status) = self.status.take() {
            let _ = status.thread.join();
        }
        if let Some(admin) = self.admin.take() {
            let _ = admin.thread.join();
        }
        ledger
    }

    fn stop_receiving(&mut self) {
        self.stop.stop();
        self.while_alive(|agent| agent.receivers.iter().all(JoinHandle::is_finished));
        for receiver in self.receivers.drain(..) {
            if receiver.join().is_err() {
                tracing::error!("a receiving thread had ended by a panic");
            }
        }
        self.tick();
    }

    /// What the listeners read last is on its way to the disk, and only then can the producer see it.
    fn wait_for_writer(&self) {
        let Some(writer) = &self.writer else {
            return;
        };
        let until = Instant::now() + WRITE_WAIT;
        self.while_alive(|agent| {
            agent.spool.is_at_rest() || writer.thread.is_finished() || Instant::now() >= until
        });
    }

    /// How long a stop may deliver what is left.
    fn drain_max(&self) -> Duration {
        let is_awaited = self
            .ears
            .iter()
            .any(|ear| ear.ownership == Ownership::Inherited);
        if is_awaited && self.writer.is_some() {
            self.config.drain.min(HANDOVER_DRAIN_MAX)
        } else {
            self.config.drain
        }
    }

    fn drain(&mut self, cut_short: &AtomicBool) {
        let drain_max = self.drain_max();
        let pending = self.spool.counts().pending;
        if pending > 0 {
            tracing::info!(
                records = pending,
                seconds_max = drain_max.as_secs(),
                "delivering what is left"
            );
        }
        let Some(producer) = self.producer.take() else {
            return;
        };
        let mut deadline = Instant::now() + drain_max;
        producer.begin_stop(deadline);
        self.while_alive(|_| producer.is_finished() || cut_short.load(Ordering::Relaxed));
        if !producer.is_finished() {
            deadline = Instant::now();
            producer.begin_stop(deadline);
            self.while_alive(|_| producer.is_finished());
        }
        if producer.stop(deadline).panicked {
            tracing::error!("the producer had ended by a panic");
        }
        self.producer_heartbeat.finish();
    }

    /// The last cursor is saved, so that the next start knows what Kafka has.
    fn close_writer(&mut self) {
        let Some(RunningWriter {
            stop,
            thread,
            heartbeat,
        }) = self.writer.take()
        else {
            return;
        };
        stop.stop();
        self.while_alive(|_| thread.is_finished());
        if thread.join().is_err() {
            tracing::error!("the spool's writer had ended by a panic");
        }
        heartbeat.finish();
        let pending = self.spool.counts().pending;
        if pending > 0 {
            tracing::info!(records = pending, "events wait on disk for the next start");
        }
    }

    /// Waits for threads to end, and keeps the watchdog and the kernel's counters fed meanwhile.
    fn while_alive(&self, done: impl Fn(&Agent) -> bool) {
        while !done(self) {
            self.tick();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The spool, and its writer where it is on disk.
struct Kept {
    spool: Arc<Spool>,
    writer: Option<RunningWriter>,
    /// Why a spool on disk was asked for and there is one in memory.
    spool_trouble: Option<String>,
}

impl Kept {
    /// Opens the spool on disk; where that cannot be, one in memory takes its place and the reason is kept.
    /// A kill repeats what was with the Kafka client, at most `window_records`, and at most as many more.
    fn open(config: &spool::Config, window_records: usize, heartbeats: &Heartbeats) -> Kept {
        let Some(mut disk) = config.disk.clone() else {
            return Kept::in_memory(config, None);
        };
        disk.cursor_records_max = window_records as u64;
        let opened = match Spool::open(config, &disk) {
            Ok(opened) => opened,
            Err(error) => return Kept::in_memory(config, Some(error.to_string())),
        };
        for (topic, found) in &opened.recoveries {
            if found.lost > 0 || found.torn_bytes > 0 {
                tracing::warn!(
                    topic,
                    lost = found.lost,
                    torn_bytes = found.torn_bytes,
                    "the spool was damaged; what was lost is counted"
                );
            }
        }
        let counts = opened.spool.counts();
        tracing::info!(folder = %disk.folder.display(), pending = counts.pending, "spool on disk");
        let stop = Arc::new(WriterStop::default());
        let heartbeat = heartbeats.register("spool-writer");
        let beat = heartbeat.clone();
        match opened.writer.spawn(stop.clone(), move || beat.beat()) {
            Ok(thread) => Kept {
                spool: opened.spool,
                writer: Some(RunningWriter {
                    stop,
                    thread,
                    heartbeat,
                }),
                spool_trouble: None,
            },
            Err(error) => Kept::in_memory(
                config,
                Some(format!("the writer's thread could not be started: {error}")),
            ),
        }
    }

    fn in_memory(config: &spool::Config, spool_trouble: Option<String>) -> Kept {
        if let Some(why) = &spool_trouble {
            tracing::error!(
                why,
                "the spool is in memory until the next start: what it holds is gone when the process ends"
            );
        }
        Kept {
            spool: Arc::new(Spool::new(config)),
            writer: None,
            spool_trouble,
        }
    }
}

/// Listeners while they are bound and started.
struct Hearing {
    ledgers: Vec<Arc<ListenerLedger>>,
    states: Vec<ListenerState>,
    ears: Vec<Ear>,
    udp: Vec<UdpListener>,
    streams: Vec<StreamListener>,
}

impl Hearing {
    fn bind(config: &Resolved, mut inherited: Inherited, known: &[Dropped]) -> Hearing {
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
                Transport::Udp => hearing.bind_datagrams(listener, sockets, known, ledger),
                Transport::Tcp | Transport::Tls => hearing.bind_stream(listener, sockets, ledger),
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
        let address = local(config, listener.local_addr())?;
        let (buffer, name) = (listener.buffer(), config.listener.name.clone());
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
            address,
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
        let address = local(config, listener.local_addr())?;
        let name = config.listener.name.clone();
        tracing::info!(listener = %name, %address, transport = config.listener.transport.as_str(), socket = ownership.as_str(), "listening");
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
            address: address.to_compact_string(),
            buffer: None,
        })
    }

    fn spawn(
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
