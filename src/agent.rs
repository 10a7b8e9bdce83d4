//! Wiring: opens the spool, binds, spawns, waits, and stops in flow order. The one place that sees every stage.
//!
//! ```text
//!  start:  spool ▶ producer ▶ listeners ▶ status page          stop:  listeners read empty ▶ producer drains ▶ ledger
//! ```
//!
//! A listener that cannot be bound does not keep the others from hearing: it is logged, shown as missing, tried again
//! every few seconds, and the agent goes on. The same holds for the status page. Only when nothing at all can be heard does
//! the start fail.

mod actions;
mod addresses;
mod devices;
mod dropped;
mod engine;
mod hearing;
mod kept;
mod lookups;
mod losses;
mod mibs;
mod picture;
mod readings;
mod report;
mod reports;
mod stop;
mod storms;

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use compact_str::ToCompactString;

use crate::config::{self, Resolved};
use crate::observe::health::{self, Health, Heartbeat, Heartbeats};
use crate::observe::ledger::Snapshot;
use crate::observe::mute::Mute;
use crate::pipeline::{Pipeline, Settings};
use crate::produce::{self, ProduceError};
use crate::receive::inherited::Inherited;
use crate::receive::socket::{Dropped, KernelDrops};
use crate::route::{Boot, Router};
use crate::spool::{Spool, WriterStop};
use crate::status;
use crate::time::UnixMicros;

use actions::Deeds;
use devices::{DeviceKeeper, Outlet};
use dropped::DroppedBefore;
use engine::KeptAccess;
use hearing::Hearing;
use kept::Kept;
use losses::Losses;
use mibs::MibWatch;
use picture::Observer;
use reports::Reports;
use storms::StormReports;

/// How often a status page that is missing is tried, as listeners are.
const TRY_STATUS_EVERY: Duration = Duration::from_secs(5);

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
    hearing: Hearing,
    dropped_before: Mutex<DroppedBefore>,
    writer: Option<RunningWriter>,
    producer: Option<produce::Handle>,
    observer: Arc<Observer>,
    losses: Mutex<Losses>,
    reports: Mutex<Reports>,
    storms: StormReports,
    mib_watch: MibWatch,
    status: Option<status::Running>,
    status_try_at: Instant,
    /// Lines about a status page that cannot be served: while nothing changes they say nothing new.
    status_told: Mute,
    admin: Option<status::RunningAdmin>,
    status_stop: tokio::sync::watch::Sender<bool>,
}

/// The spool's writer, while it runs.
struct RunningWriter {
    stop: Arc<WriterStop>,
    thread: JoinHandle<()>,
    heartbeat: Arc<Heartbeat>,
}

/// How often the configuration was read again.
#[derive(Debug, Default)]
struct ReloadCounts {
    succeeded: AtomicU64,
    partial: AtomicU64,
    failed: AtomicU64,
}

/// What became of a reload whose configuration was accepted.
#[derive(Debug)]
pub struct Reloaded {
    /// What is different, and since when.
    pub difference: config::Reload,
    /// Keys of what could not be read again, each of which was logged with its file: what it held before stays in use.
    pub not_read: Vec<String>,
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
    pub fn start_on(mut config: Resolved, inherited: Inherited) -> Result<Agent, AgentError> {
        let started = UnixMicros::now();
        addresses::adapt(&mut config);
        let heartbeats = Arc::new(Heartbeats::new(Instant::now()));
        let Kept {
            spool,
            writer,
            spool_trouble,
            previous_run,
        } = Kept::open(&config.spool, config.produce.window_records, &heartbeats);
        let losses = Losses::known(&spool.counts());
        let agent_id = &config.normalize.agent_id;
        // The standard library keys its maps by the kernel's random numbers; this is one of them.
        let boot = Boot::new(started, RandomState::new().hash_one(0));
        let router = Arc::new(Router::new(&config.route, agent_id, &boot));
        let mut reports = Reports::new(
            reports::Config {
                every: config.report_every,
                agent_id: agent_id.clone(),
                boot: boot.as_str().to_owned(),
                bytes_max: spool.bytes_max(),
            },
            spool.clone(),
            router.clone(),
            started,
        );
        // Before anything is received: it says where the numbers of this run begin.
        reports.start(previous_run);
        let settings = Arc::new(Settings::new(config.normalize.clone()));
        let producer_heartbeat = heartbeats.register("producer");
        let producing = produce::Config {
            topics: spool.topics(),
            ..config.produce.clone()
        };
        let producer = produce::spawn(
            producing,
            spool.clone(),
            kept::beat(producer_heartbeat.clone()),
        )?;

        let dropped_before = DroppedBefore::of_service();
        let mut hearing = Hearing::bind(&config, inherited, dropped_before.known());
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
        // The names have it, and let it go when its file changes; here it would stay in memory for good.
        config.identity.inventory = None;
        let storms = StormReports::new(config.storm, &devices.names, &spool, &router, agent_id);
        let pipeline = || pipeline(&spool, &router, &settings, &snmp, &devices, &storms);
        hearing.spawn(&pipeline, &heartbeats);
        let observer = Arc::new(Observer {
            agent_id: agent_id.to_compact_string(),
            started,
            clock: Instant::now(),
            spool: spool.clone(),
            router: router.clone(),
            spool_trouble,
            ledgers: hearing.ledgers.clone(),
            listeners: hearing.conditions.clone(),
            producer: producer.watch(),
            reloads: ReloadCounts::default(),
            configuration: Mutex::default(),
            history: Mutex::default(),
            snmp: snmp.access.clone(),
            settings: settings.clone(),
            names: devices.names.clone(),
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
            hearing,
            dropped_before: Mutex::new(dropped_before),
            writer,
            producer: Some(producer),
            producer_heartbeat,
            observer,
            losses: Mutex::new(losses),
            reports: Mutex::new(reports),
            storms,
            mib_watch: MibWatch::default(),
            status: None,
            status_try_at: Instant::now(),
            status_told: Mute::new(1, Duration::from_secs(3600)),
            admin: None,
            status_stop,
        };
        if agent.hearing.ears.is_empty() {
            let listeners = agent.config.listeners.len();
            agent.stop(&AtomicBool::new(true));
            return Err(AgentError::NothingToHear(listeners));
        }
        agent.serve_status(Instant::now());
        agent.serve_admin(status_stopping);
        Ok(agent)
    }

    fn serve_status(&mut self, now: Instant) {
        let (view, heartbeats) = (self.observer.clone(), self.heartbeats.clone());
        let stopping = self.status_stop.subscribe();
        self.status_try_at = now + TRY_STATUS_EVERY;
        match status::spawn(&self.config.status, view, heartbeats, stopping) {
            Ok(running) => self.status = running,
            Err(error) => {
                if let Some(skipped) = self.status_told.admit(now) {
                    tracing::error!(%error, skipped, "no status page, everything else goes on");
                }
            }
        }
    }

    /// Serves the status page where it could not be yet. To be called every second or so.
    pub fn serve_missing(&mut self, now: Instant) {
        let is_missing = self.status.is_none() && self.config.status.bind.is_some();
        if is_missing && now >= self.status_try_at {
            self.serve_status(now);
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
            names: self.devices.names.clone(),
        });
        match status::spawn_admin(&path, view, heartbeats, deeds, stopping) {
            Ok(running) => self.admin = Some(running),
            Err(error) => tracing::error!(%error, "no admin socket, everything else goes on"),
        }
    }

    /// Where the listener of this name is bound, if it is and has an address (a unix socket has none).
    pub fn address(&self, name: &str) -> Option<SocketAddr> {
        self.hearing
            .ears
            .iter()
            .find(|ear| ear.name == name)
            .and_then(|ear| ear.address)
    }

    /// What must be done every second: reads what the kernel dropped, says what was lost, and shows that
    /// the main thread lives.
    pub fn tick(&self) {
        self.main_heartbeat.beat();
        for drops in self.drops() {
            drops.poll();
        }
        self.snmp.tick(Instant::now());
        self.storms.tick(UnixMicros::now(), Instant::now());
        self.remember_dropped();
        let losses = self.losses.lock();
        let mut losses = losses.unwrap_or_else(PoisonError::into_inner);
        let ledger = self.ledger();
        losses.say(&ledger, Instant::now());
        self.observer.note_rates(&ledger);
        self.reports()
            .tick(&ledger, UnixMicros::now(), Instant::now());
    }

    fn drops(&self) -> impl Iterator<Item = &Arc<KernelDrops>> {
        let ears = self.hearing.ears.iter();
        ears.filter_map(|ear| ear.drops.as_ref())
    }

    /// Binds listeners that are missing, every few seconds. To be called every second or so.
    pub fn hear_missing(&mut self, now: Instant) {
        let Agent {
            hearing,
            config,
            spool,
            router,
            settings,
            snmp,
            devices,
            storms,
            heartbeats,
            ..
        } = self;
        let pipeline = || pipeline(spool, router, settings, snmp, devices, storms);
        hearing.try_again(now, &config.listeners, &pipeline, heartbeats);
    }

    fn reports(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the next process which of the kernel's drops are in the ledger already.
    fn remember_dropped(&self) {
        let counted = self.drops().flat_map(|drops| drops.counted());
        let counted: Vec<Dropped> = counted.collect();
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
            self.hearing.ears.len(),
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
    pub fn reload(&mut self, mut new: Resolved) -> Reloaded {
        addresses::adapt(&mut new);
        let difference = config::difference(&self.config, &new);
        let mut not_read = Vec::new();
        if new.normalize.mibs.refused() > 0 {
            not_read.push("snmp.mib_files".to_owned());
        }
        if new.identity.inventory.is_none() {
            not_read.push("identity.inventory_file".to_owned());
        }
        for path in new.normalize.mibs.fall_back_to(&self.config.normalize.mibs) {
            tracing::error!(file = %path.display(), "MIB file not reloaded, the old one stays in use");
        }
        // The ids of this run have it in them, and its reports are found by it.
        let agent_id = &self.config.normalize.agent_id;
        new.normalize.agent_id.clone_from(agent_id);
        self.settings.replace(new.normalize.clone());
        self.devices.replace(&new.identity, new.normalize.domain);
        if self.config.snmp != new.snmp {
            self.snmp.replace(&new.snmp);
        }
        self.hearing.try_soon();
        for ear in &self.hearing.ears {
            if let Some(listener) = new
                .listeners
                .iter()
                .find(|listener| listener.listener.name == ear.name)
            {
                ear.allow.set_allow(listener.allow.clone());
                if let (Some(acceptor), Some(tls)) = (&ear.tls, &listener.tls) {
                    acceptor.renew(tls);
                }
            }
        }
        let reloads = &self.observer.reloads;
        let count = match not_read.is_empty() {
            true => &reloads.succeeded,
            false => &reloads.partial,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let restart_needed = config::restart_needed(&self.config.effective, &new.effective);
        self.observer.configuration().restart_needed = restart_needed;
        self.config.effective = config::in_force(&self.config.effective, &new.effective);
        self.config.normalize = new.normalize;
        self.config.snmp = new.snmp;
        self.config.log = new.log;
        self.config.listeners = new.listeners;
        Reloaded {
            difference,
            not_read,
        }
    }

    /// Takes over MIB files that changed since they were opened. To be called every second or so.
    pub fn refresh_mibs(&mut self) {
        if let Some(mibs) = self.mib_watch.tick(&self.config.normalize.mibs) {
            self.config.normalize.mibs = mibs;
            self.settings.replace(self.config.normalize.clone());
        }
    }

    /// Shows whether reading the configuration again hangs.
    pub fn load_hangs(&self, hangs: bool) {
        self.observer.configuration().hangs = hangs;
    }

    /// Counts a reload whose configuration was refused.
    pub fn reload_failed(&self) {
        self.observer.reloads.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a receiving thread works with.
fn pipeline(
    spool: &Arc<Spool>,
    router: &Arc<Router>,
    settings: &Arc<Settings>,
    snmp: &KeptAccess,
    devices: &DeviceKeeper,
    storms: &StormReports,
) -> Pipeline {
    Pipeline::new(spool.clone(), router.clone(), settings.clone())
        .with_access(snmp.access.clone())
        .with_names(devices.names.clone())
        .with_storms(storms.limits())
}

#[cfg(test)]
mod tests;
