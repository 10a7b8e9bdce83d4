//! Wiring: opens the spool, binds, spawns, waits, and stops in flow order. The one place that sees every stage.
//!
//! ```text
//!  start:  spool ▶ producer ▶ listeners ▶ status page          stop:  listeners read empty ▶ producer drains ▶ ledger
//! ```
//!
//! A listener that cannot be bound does not keep the others from hearing: it is logged, shown as missing, and the
//! agent goes on. The same holds for the status page. Only when nothing at all can be heard does the start fail.

mod actions;
mod devices;
mod engine;
mod kept;
mod losses;
mod picture;
mod report;
mod reports;
mod storms;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use compact_str::{CompactString, ToCompactString};

use crate::config::{self, Resolved};
use crate::mib;
use crate::observe::health::{self, Health, Heartbeat, Heartbeats};
use crate::observe::ledger::{ListenerLedger, Snapshot};
use crate::observe::picture::{ListenerCondition, ListenerState, SocketBuffer};
use crate::packet::Transport;
use crate::pipeline::{Pipeline, Settings};
use crate::produce::{self, ProduceError};
use crate::receive::socket::KernelDrops;
use crate::receive::tcp::StreamListener;
use crate::receive::tls::Acceptor;
use crate::receive::udp::UdpListener;
use crate::receive::{AllowList, ReceiveError, Stop, tcp};
use crate::route::{Boot, Router};
use crate::spool::{Spool, WriterStop};
use crate::status;
use crate::time::UnixMicros;

use actions::Deeds;
use devices::{DeviceKeeper, Outlet};
use engine::KeptAccess;
use kept::{Kept, spool_bytes_max};
use losses::Losses;
use picture::Observer;
use reports::Reports;
use storms::StormReports;

/// How long a stop waits for the writer to take the last records to the log. It needs milliseconds; a disk that takes
/// longer must not hold up the end, and the writer has a last turn anyway.
const WRITE_WAIT: Duration = Duration::from_secs(2);

/// How long a stop waits for Kafka where only reports of the agent's own are pending. A disk spool keeps them for the
/// next start.
const REPORTS_DRAIN: Duration = Duration::from_secs(2);

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
    snmp: KeptAccess,
    devices: DeviceKeeper,
    heartbeats: Arc<Heartbeats>,
    main_heartbeat: Arc<Heartbeat>,
    producer_heartbeat: Arc<Heartbeat>,
    stop: Arc<Stop>,
    receivers: Vec<JoinHandle<()>>,
    ears: Vec<Ear>,
    writer: Option<RunningWriter>,
    producer: Option<produce::Handle>,
    observer: Arc<Observer>,
    losses: Mutex<Losses>,
    reports: Mutex<Reports>,
    storms: StormReports,
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
    /// None for a unix socket.
    address: Option<SocketAddr>,
    allow: AllowList,
    tls: Option<Arc<Acceptor>>,
    drops: Option<Arc<KernelDrops>>,
}

/// How often the configuration was read again.
#[derive(Debug, Default)]
struct ReloadCounts {
    succeeded: AtomicU64,
    failed: AtomicU64,
}

impl Agent {
    /// Starts everything that can start.
    ///
    /// # Errors
    /// No listener could be bound, or the Kafka client refused its settings.
    pub fn start(config: Resolved) -> Result<Agent, AgentError> {
        let started = UnixMicros::now();
        let heartbeats = Arc::new(Heartbeats::new(Instant::now()));
        let Kept {
            spool,
            writer,
            spool_trouble,
            previous_run,
        } = Kept::open(&config.spool, config.produce.window_records, &heartbeats);
        let agent_id = &config.normalize.agent_id;
        let boot = Boot::at(started);
        let router = Arc::new(Router::new(&config.route, agent_id, &boot));
        let mut reports = Reports::new(
            reports::Config {
                every: config.report_every,
                agent_id: agent_id.clone(),
                boot: boot.as_str().to_owned(),
                bytes_max: spool_bytes_max(&config.spool),
            },
            spool.clone(),
            router.clone(),
            started,
        );
        // Before anything is received: it says where the numbers of this run begin.
        reports.start(previous_run);
        let settings = Arc::new(Settings::new(config.normalize.clone()));
        let producer_heartbeat = heartbeats.register("producer");
        let beat = producer_heartbeat.clone();
        let producing = produce::Config {
            topics: spool.topics(),
            ..config.produce.clone()
        };
        let producer = produce::spawn(producing, spool.clone(), move || beat.beat())?;

        let mut hearing = Hearing::bind(&config);
        let snmp = KeptAccess::open(
            &config.snmp,
            config.state_folder.as_deref(),
            config.engine_id,
        );
        let outlet = Outlet {
            spool: spool.clone(),
            router: router.clone(),
            agent_id: agent_id.clone(),
        };
        let devices = DeviceKeeper::start(
            &config.identity,
            config.normalize.domain,
            config.state_folder.as_deref(),
            outlet,
            heartbeats.register("devices"),
        );
        let storms = StormReports::new(config.storm, &devices.names, &spool, &router, agent_id);
        let pipeline = || {
            Pipeline::new(spool.clone(), router.clone(), settings.clone())
                .with_access(snmp.access.clone())
                .with_names(devices.names.clone())
                .with_storms(storms.limits())
        };
        let stop = Arc::new(Stop::new());
        let receivers = hearing.spawn(&pipeline, &stop, &heartbeats);
        let observer = Arc::new(Observer {
            agent_id: agent_id.to_compact_string(),
            started,
            clock: Instant::now(),
            spool: spool.clone(),
            router: router.clone(),
            spool_bytes_max: spool_bytes_max(&config.spool),
            spool_trouble,
            ledgers: hearing.ledgers,
            listeners: hearing.states,
            producer: producer.watch(),
            reloads: ReloadCounts::default(),
            history: Mutex::default(),
            snmp: snmp.access.clone(),
        });
        let (status_stop, status_stopping) = tokio::sync::watch::channel(false);
        let mut agent = Agent {
            main_heartbeat: heartbeats.register("main"),
            config,
            spool,
            router,
            settings,
            snmp,
            devices,
            heartbeats,
            stop,
            receivers,
            ears: hearing.ears,
            writer,
            producer: Some(producer),
            producer_heartbeat,
            observer,
            losses: Mutex::default(),
            reports: Mutex::new(reports),
            storms,
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

    /// Where the listener of this name is bound, if it is and has an address (a unix socket has none).
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.ears
            .iter()
            .find(|ear| ear.name == name)
            .and_then(|ear| ear.address)
    }

    /// What must be done every second: reads what the kernel dropped, says what was lost, and shows that
    /// the main thread lives.
    pub fn tick(&self) {
        self.main_heartbeat.beat();
        for drops in self.ears.iter().filter_map(|ear| ear.drops.as_ref()) {
            drops.poll();
        }
        self.snmp.tick(Instant::now());
        self.storms.tick(UnixMicros::now(), Instant::now());
        let losses = self.losses.lock();
        let mut losses = losses.unwrap_or_else(PoisonError::into_inner);
        let ledger = self.ledger();
        losses.say(&ledger, Instant::now());
        self.observer.note_rates(&ledger);
        self.reports()
            .tick(&ledger, UnixMicros::now(), Instant::now());
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub fn reload(&mut self, mut new: Resolved) -> config::Reload {
        let difference = config::difference(&self.config, &new);
        for path in new.normalize.mibs.fall_back_to(&self.config.normalize.mibs) {
            tracing::error!(file = %path.display(), "MIB file not reloaded, the old one stays in use");
        }
        self.settings.replace(new.normalize.clone());
        self.devices.replace(&new.identity, new.normalize.domain);
        if self.config.snmp != new.snmp {
            self.snmp.access.replace(&new.snmp);
        }
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
        self.config.snmp = new.snmp;
        self.config.log = new.log;
        self.config.listeners = new.listeners;
        difference
    }

    /// Takes over MIB files that changed since they were opened. To be called every second or so.
    pub fn refresh_mibs(&mut self) {
        let Some((mibs, changes)) = self.config.normalize.mibs.refreshed() else {
            return;
        };
        for change in changes {
            match change {
                mib::set::Change::Taken(path) => {
                    tracing::info!(file = %path.display(), "MIB file changed, the new one is in use");
                }
                mib::set::Change::Refused(error) => {
                    tracing::error!(%error, "MIB file changed and cannot be used, what was known before stays in use");
                }
            }
        }
        self.config.normalize.mibs = mibs;
        self.settings.replace(self.config.normalize.clone());
    }

    /// Counts a reload whose configuration was refused.
    pub fn reload_failed(&self) {
        self.observer.reloads.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Stops in flow order: sockets are read empty, then the spool is delivered for as long as `shutdown.drain_seconds`
    /// allows, or until `cut_short` becomes true. What is left in a memory spool is lost, counted, and in the ledger that
    /// is returned. The last report goes into the spool before that, so that it is delivered with the rest: what happens
    /// after it is in the first report of the next run, or, with a memory spool, in the returned ledger only.
    pub fn stop(mut self, cut_short: &AtomicBool) -> Snapshot {
        self.stop_receiving();
        self.snmp.close();
        self.devices.begin_stop();
        self.while_alive(|agent| agent.devices.is_finished());
        self.devices.join();
        self.wait_for_writer();
        self.reports().stop(&self.ledger(), UnixMicros::now());
        self.wait_for_writer();
        self.drain(cut_short);
        self.tick();
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
        self.storms.say(UnixMicros::now());
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

    fn drain(&mut self, cut_short: &AtomicBool) {
        let pending = self.spool.counts().pending;
        let drain = match pending == self.reports().pending() {
            true => self.config.drain.min(REPORTS_DRAIN),
            false => self.config.drain,
        };
        if pending > 0 {
            tracing::info!(
                records = pending,
                seconds_max = drain.as_secs(),
                "delivering what is left"
            );
        }
        let Some(producer) = self.producer.take() else {
            return;
        };
        let mut deadline = Instant::now() + drain;
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

/// Listeners while they are bound and started.
struct Hearing {
    ledgers: Vec<Arc<ListenerLedger>>,
    states: Vec<ListenerState>,
    ears: Vec<Ear>,
    udp: Vec<UdpListener>,
    streams: Vec<StreamListener>,
}

impl Hearing {
    fn bind(config: &Resolved) -> Hearing {
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
            let bound = match listener.listener.transport {
                Transport::Udp | Transport::UnixDgram => hearing.bind_datagrams(listener, ledger),
                Transport::Tcp | Transport::Tls | Transport::UnixStream => {
                    hearing.bind_stream(listener, ledger)
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
        hearing
    }

    fn bind_datagrams(
        &mut self,
        config: &crate::receive::Config,
        ledger: Arc<ListenerLedger>,
    ) -> Result<ListenerCondition, ReceiveError> {
        let listener = UdpListener::bind(config.clone(), ledger)?;
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
            shards = config.shards,
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
        ledger: Arc<ListenerLedger>,
    ) -> Result<ListenerCondition, ReceiveError> {
        let listener = StreamListener::bind(config.clone(), ledger)?;
        let (address, shown) = match &config.unix {
            Some(unix) => (None, unix.path.display().to_compact_string()),
            None => {
                let address = local(config, listener.local_addr())?;
                (Some(address), address.to_compact_string())
            }
        };
        let name = config.listener.name.clone();
        tracing::info!(listener = %name, address = %shown, transport = config.listener.transport.as_str(), "listening");
        self.ears.push(Ear {
            name,
            address,
            allow: listener.allow(),
            tls: listener.tls(),
            drops: None,
        });
        self.streams.push(listener);
        Ok(ListenerCondition::Listening {
            address: shown,
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
