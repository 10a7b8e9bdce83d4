//! What has to be done about devices beside receiving: told, watched, kept, and the inventory read again.
//!
//! ```text
//!  every second ──▶ notices ──▶ at most 10 events
//!  every 5 s    ──▶ silent devices, gaps; has the inventory's file changed?
//!  every minute ──▶ the table of devices, to its file
//! ```
//!
//! A thread of its own: nothing that receives, and nothing that keeps the service manager content, waits for a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::config::Identity;
use crate::names::inventory::{self, Stamp};
use crate::names::notices::Said;
use crate::names::telling::Telling;
use crate::names::watch::Watch;
use crate::names::{DnsPolicy, Names, dns, store};
use crate::normalize::{DomainPolicy, device};
use crate::observe::health::Heartbeat;
use crate::record::Origin;
use crate::route::{RouteError, Router};
use crate::spool::Spool;
use crate::time::UnixMicros;

/// How often silence and the inventory's file are looked at.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// How often the table is written. What was learned since is learned again after a kill.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// The table's file in the state folder.
const TABLE: &str = "devices.jsonl";

/// The thread that does it.
pub(super) struct DeviceKeeper {
    pub names: Arc<Names>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    heartbeat: Arc<Heartbeat>,
}

#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    stop: bool,
    /// Another configuration is in force.
    identity: Option<(Identity, DomainPolicy)>,
}

/// Where events of ours go.
pub(super) struct Outlet {
    pub spool: Arc<Spool>,
    pub router: Arc<Router>,
    pub agent_id: String,
}

struct Keeping {
    names: Arc<Names>,
    outlet: Outlet,
    domain: DomainPolicy,
    inventory_file: Option<PathBuf>,
    inventory_seen: Option<Stamp>,
    table: Option<PathBuf>,
    watch: Watch,
    payload: Vec<u8>,
}

impl DeviceKeeper {
    /// Reads what an earlier process knew, and starts.
    pub fn start(
        identity: &Identity,
        domain: DomainPolicy,
        state_folder: Option<&Path>,
        outlet: Outlet,
        heartbeat: Arc<Heartbeat>,
    ) -> DeviceKeeper {
        let names = Arc::new(Names::new(identity.names.clone()));
        let inventory = identity.inventory.clone().unwrap_or_default();
        names.replace(identity.names.clone(), inventory);
        let table = state_folder.and_then(|folder| open_table(folder, &names));
        if identity.names.dns == DnsPolicy::On {
            let canonical = move |name: &str| device::canonical(name.as_bytes(), domain);
            if let Err(error) = dns::spawn(&names, canonical) {
                tracing::error!(%error, "reverse DNS is not asked");
            }
        }
        let shared = Arc::new(Shared::default());
        let mut keeping = Keeping {
            names: names.clone(),
            outlet,
            domain,
            inventory_seen: identity.inventory_seen,
            inventory_file: identity.inventory_file.clone(),
            table,
            watch: Watch::default(),
            payload: Vec::new(),
        };
        let (orders, beat) = (shared.clone(), heartbeat.clone());
        let thread = thread::Builder::new()
            .name("devices".to_owned())
            .spawn(move || keeping.run(&orders, &beat));
        let thread = thread
            .inspect_err(|error| tracing::error!(%error, "devices are not watched"))
            .ok();
        DeviceKeeper {
            names,
            shared,
            thread,
            heartbeat,
        }
    }

    /// Puts another configuration into force. An inventory that cannot be read leaves the old one in use.
    pub fn replace(&self, identity: &Identity, domain: DomainPolicy) {
        // While this is held the thread puts nothing into force that it has read before.
        let mut orders = self
            .shared
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if identity.inventory.is_none() {
            let file = identity.inventory_file.as_deref().unwrap_or(Path::new(""));
            tracing::error!(file = %file.display(), "inventory not reloaded, the old one stays in use");
        }
        let inventory = identity.inventory.clone();
        self.names
            .reload(identity.names.clone(), inventory, UnixMicros::now());
        orders.identity = Some((identity.clone(), domain));
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks it to tell what is left, to write the table and to end.
    pub fn begin_stop(&self) {
        self.names.resolver().close();
        let mut orders = self
            .shared
            .orders
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        orders.stop = true;
        self.shared.changed.notify_all();
    }

    /// Waits for the end.
    pub fn join(&mut self) {
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread that watches devices had ended by a panic");
        }
        self.heartbeat.finish();
    }
}

/// The table's file, and what it holds. Without a folder everything is learned again at each start.
fn open_table(state_folder: &Path, names: &Names) -> Option<PathBuf> {
    let table = state_folder.join(TABLE);
    let opened = fs::create_dir_all(state_folder).and_then(|()| store::load(&table, names));
    match opened {
        Ok(loaded) if loaded.bad_lines > 0 => {
            tracing::warn!(file = %table.display(), devices = loaded.devices, bad_lines = loaded.bad_lines, "devices known from before, some lines could not be read");
            Some(table)
        }
        Ok(loaded) => {
            tracing::info!(devices = loaded.devices, "devices known from before");
            Some(table)
        }
        Err(error) => {
            tracing::warn!(folder = %state_folder.display(), %error, "what is learned of devices cannot be kept, and is learned again at each start");
            None
        }
    }
}

impl Keeping {
    fn run(&mut self, shared: &Shared, heartbeat: &Heartbeat) {
        let mut watched = Instant::now();
        let mut kept = Instant::now();
        loop {
            heartbeat.beat();
            let (stop, identity) = wait_a_second(shared);
            if let Some((identity, domain)) = identity {
                self.inventory_seen = identity.inventory_seen;
                self.inventory_file = identity.inventory_file;
                self.domain = domain;
            }
            let now = UnixMicros::now();
            if stop || watched.elapsed() >= WATCH_EVERY {
                watched = Instant::now();
                self.names.watch(&mut self.watch, now);
                self.refresh_inventory(shared);
            }
            self.tell(now);
            if stop || kept.elapsed() >= KEEP_EVERY {
                kept = Instant::now();
                self.keep_table();
            }
            if stop {
                return;
            }
        }
    }

    /// Makes events of what became known. What the spool does not take is counted by it as turned away.
    fn tell(&mut self, now: UnixMicros) {
        let Said { notices, skipped } = self.names.notices.take();
        for notice in &notices {
            self.append(&Telling::new(notice));
        }
        if skipped.total() > 0 {
            self.append(&Telling::of_skipped(&skipped, &self.outlet.agent_id, now));
        }
    }

    fn append(&mut self, telling: &Telling) {
        let Outlet {
            spool,
            router,
            agent_id,
        } = &self.outlet;
        let mut event = telling.event(agent_id);
        let record = router.record(
            &mut event,
            telling.at(),
            Origin::Generated,
            &mut self.payload,
        );
        let record = match record {
            Ok(record) => record,
            Err(RouteError::Filtered { .. }) => return,
            Err(error) => {
                tracing::error!(%error, "an event about a device could not be made");
                return;
            }
        };
        match spool.append(&record) {
            Ok(_) => router.count(event.kind),
            Err(reason) => self.names.notices.count_untold(reason.as_str()),
        }
    }

    /// A changed file is read; one that cannot be read leaves the old lines in use.
    fn refresh_inventory(&mut self, shared: &Shared) {
        let Some(path) = &self.inventory_file else {
            return;
        };
        let seen = Stamp::of(path);
        if seen == self.inventory_seen {
            return;
        }
        self.inventory_seen = seen;
        match inventory::open(path, self.domain) {
            Ok(parsed) => {
                for bad in &parsed.bad_lines {
                    tracing::warn!(file = %path.display(), line = bad.line, why = bad.why, "inventory line skipped");
                }
                if parsed.bad_count > parsed.bad_lines.len() as u64 {
                    let lines = parsed.bad_numbers();
                    tracing::warn!(file = %path.display(), lines, "inventory lines skipped");
                }
                let orders = shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
                if orders.identity.is_some() {
                    // A reload has read it meanwhile, or another file.
                    return;
                }
                let devices = parsed.inventory.len();
                let inventory = Arc::new(parsed.inventory);
                self.names.replace_inventory(inventory, UnixMicros::now());
                drop(orders);
                tracing::info!(file = %path.display(), devices, bad_lines = parsed.bad_count, "inventory changed, the new one is in use");
            }
            Err(error) => {
                tracing::error!(%error, "inventory changed and cannot be used, the old one stays in use");
            }
        }
    }

    fn keep_table(&self) {
        let Some(table) = &self.table else {
            return;
        };
        if let Err(error) = store::save(table, &self.names) {
            tracing::warn!(file = %table.display(), %error, "devices cannot be kept");
        }
    }
}

fn wait_a_second(shared: &Shared) -> (bool, Option<(Identity, DomainPolicy)>) {
    let until = Instant::now() + Duration::from_secs(1);
    let mut orders = shared.orders.lock().unwrap_or_else(PoisonError::into_inner);
    while !orders.stop {
        let Some(left) = until.checked_duration_since(Instant::now()) else {
            break;
        };
        let waited = shared.changed.wait_timeout(orders, left);
        orders = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    (orders.stop, orders.identity.take())
}
