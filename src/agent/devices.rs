//! What has to be done about devices beside receiving: told, watched, kept, and the inventory read again.
//!
//! ```text
//!  every second ──▶ notices ──▶ at most 10 events
//!  every 5 s    ──▶ silent devices, gaps; has the inventory's file changed?
//!  every minute ──▶ the table of devices, to its file
//! ```
//!
//! A thread of its own: nothing that receives, and nothing that keeps the service manager content, waits for a file. It is
//! not missed while it waits for one itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use compact_str::CompactString;

use crate::config::Identity;
use crate::names::inventory::{self, OpenError, Parsed, Stamp};
use crate::names::notices::Said;
use crate::names::telling::Telling;
use crate::names::watch::{Clock, Watch};
use crate::names::{DnsPolicy, Names, dns, store};
use crate::normalize::{DomainPolicy, hostname};
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
    /// At the end: nothing is left to be told.
    told: AtomicBool,
}

#[derive(Default)]
struct Orders {
    stop: bool,
    /// Another configuration is in force.
    identity: Option<(Identity, DomainPolicy)>,
    /// What happens to the domain of a name, as it is in force.
    domain: DomainPolicy,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives names of reverse DNS the form of keys.
fn canonical(
    shared: &Arc<Shared>,
) -> impl Fn(&str) -> Option<CompactString> + Clone + Send + 'static {
    let shared = shared.clone();
    move |name| {
        let domain = shared.orders().domain;
        hostname::canonical(name.as_bytes(), domain)
    }
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
        let shared = Arc::new(Shared::default());
        shared.orders().domain = domain;
        // An earlier process may have kept them in another form.
        names.rewrite_dns_names(domain, UnixMicros::now());
        if identity.names.dns == DnsPolicy::On
            && let Err(error) = dns::spawn(&names, canonical(&shared))
        {
            tracing::error!(%error, "reverse DNS is not asked");
        }
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
        let mut orders = self.shared.orders();
        if identity.inventory.is_none() {
            let file = identity.inventory_file.as_deref().unwrap_or(Path::new(""));
            tracing::error!(file = %file.display(), "inventory not reloaded, the old one stays in use");
        }
        let inventory = identity.inventory.clone();
        self.names
            .reload(identity.names.clone(), inventory, UnixMicros::now());
        orders.identity = Some((identity.clone(), domain));
        orders.domain = domain;
        drop(orders);
        self.names.rewrite_dns_names(domain, UnixMicros::now());
    }

    /// Whether all that was to be told at the end is with the spool.
    pub fn has_told(&self) -> bool {
        self.shared.told.load(Ordering::Acquire) || self.is_finished()
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Asks it to tell what is left, to write the table and to end.
    pub fn begin_stop(&self) {
        self.names.resolver().close();
        let mut orders = self.shared.orders();
        orders.stop = true;
        self.shared.changed.notify_all();
    }

    /// Lets the thread go: one that still waits for its disk ends with the process.
    pub fn end(&mut self) {
        let is_finished = self.is_finished();
        let thread = self.thread.take();
        if !is_finished {
            tracing::error!(
                "the disk does not answer: what was learned of devices since their table was last written is not kept"
            );
        } else if thread.is_some_and(|thread| thread.join().is_err()) {
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
        let mut clock = Clock::new(UnixMicros::now(), Instant::now());
        // What an earlier process knew may be of a clock that was wrong.
        self.names.clock_was_set(&mut self.watch, UnixMicros::now());
        loop {
            heartbeat.beat();
            let (stop, identity) = wait_a_second(shared);
            if let Some((identity, domain)) = identity {
                // What could not be read is tried once more.
                let is_read = identity.inventory.is_some();
                self.inventory_seen = identity.inventory_seen.filter(|_| is_read);
                self.inventory_file = identity.inventory_file;
                self.domain = domain;
            }
            let now = UnixMicros::now();
            if clock.was_set(now, Instant::now()) {
                tracing::info!(
                    "the host's clock was set: how long devices are silent counts from here"
                );
                self.names.clock_was_set(&mut self.watch, now);
            }
            if stop || watched.elapsed() >= WATCH_EVERY {
                watched = Instant::now();
                self.names.watch(&mut self.watch, now);
                // At the end nobody asks the inventory any more.
                if !stop {
                    self.refresh_inventory(shared, heartbeat);
                }
            }
            self.tell(now);
            shared.told.store(stop, Ordering::Release);
            if stop || kept.elapsed() >= KEEP_EVERY {
                kept = Instant::now();
                let _slow = heartbeat.at_disk();
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
    fn refresh_inventory(&mut self, shared: &Shared, heartbeat: &Heartbeat) {
        self.refresh_inventory_by(inventory::open, shared, heartbeat);
    }

    fn refresh_inventory_by(
        &mut self,
        open: impl FnOnce(&Path, DomainPolicy) -> Result<Parsed, OpenError>,
        shared: &Shared,
        heartbeat: &Heartbeat,
    ) {
        let Some(path) = &self.inventory_file else {
            return;
        };
        let slow = heartbeat.at_disk();
        let seen = Stamp::of(path);
        if seen == self.inventory_seen {
            return;
        }
        self.inventory_seen = seen;
        let opened = open(path, self.domain);
        drop(slow);
        match opened {
            Ok(parsed) => {
                let orders = shared.orders();
                if orders.identity.is_some() {
                    // A reload came while this was read: it has read the file itself, and knows more than its lines.
                    return;
                }
                for bad in &parsed.bad_lines {
                    tracing::warn!(file = %path.display(), line = bad.line, why = bad.why, "inventory line skipped");
                }
                if parsed.bad_count > parsed.bad_lines.len() as u64 {
                    let lines = parsed.bad_numbers();
                    tracing::warn!(file = %path.display(), lines, "inventory lines skipped");
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
    let mut orders = shared.orders();
    while !orders.stop {
        let Some(left) = until.checked_duration_since(Instant::now()) else {
            break;
        };
        let waited = shared.changed.wait_timeout(orders, left);
        orders = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    (orders.stop, orders.identity.take())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::health::Heartbeats;
    use crate::route::{self, Boot};
    use crate::spool::{self, WhenFull};

    const ROUTER: [u8; 4] = [10, 0, 0, 1];

    fn identity(text: &str) -> Identity {
        let parsed = inventory::parse(text, DomainPolicy::Keep).ok();
        Identity {
            names: crate::names::Config::default(),
            inventory_file: None,
            inventory_seen: None,
            inventory: parsed.map(|parsed| Arc::new(parsed.inventory)),
        }
    }

    /// Without its thread.
    fn keeper(identity: &Identity) -> DeviceKeeper {
        let names = Arc::new(Names::new(identity.names.clone()));
        let keeper = DeviceKeeper {
            names,
            shared: Arc::default(),
            thread: None,
            heartbeat: Heartbeats::new(Instant::now()).register("devices"),
        };
        keeper.replace(identity, DomainPolicy::Keep);
        keeper
    }

    /// What its thread works with.
    fn keeping(keeper: &DeviceKeeper, identity: &Identity) -> Keeping {
        let route = route::Config::default();
        let spool = Spool::new(&spool::Config {
            bytes_max: 1 << 20,
            when_full: WhenFull::DropNewest,
            topics: route.lanes(),
            disk: None,
        });
        keeper.shared.orders().identity = None;
        Keeping {
            names: keeper.names.clone(),
            outlet: Outlet {
                spool: Arc::new(spool),
                router: Arc::new(Router::new(&route, "br17", &Boot::new(UnixMicros(0), 0))),
                agent_id: "br17".to_owned(),
            },
            domain: DomainPolicy::Keep,
            inventory_file: identity.inventory_file.clone(),
            inventory_seen: identity.inventory_seen,
            table: None,
            watch: Watch::default(),
            payload: Vec::new(),
        }
    }

    fn name(names: &Names) -> Option<String> {
        let line = names.said_of(ROUTER.into(), "")?;
        line.hostname.map(String::from)
    }

    #[test]
    fn a_reload_with_an_inventory_that_cannot_be_read_keeps_the_lines_before_and_one_without_has_none()
     {
        let keeper = keeper(&identity("address,hostname\n10.0.0.1,r1\n"));
        let mut unreadable = identity("no inventory at all");
        assert!(unreadable.inventory.is_none());
        unreadable.names.relays = vec!["10.9.9.9/32".parse().unwrap()];
        keeper.replace(&unreadable, DomainPolicy::Keep);
        assert_eq!(name(&keeper.names).as_deref(), Some("r1"));
        assert!(keeper.names.is_relay([10, 9, 9, 9].into()));
        let without = Identity {
            inventory: Some(Arc::default()),
            ..unreadable
        };
        keeper.replace(&without, DomainPolicy::Keep);
        assert_eq!(name(&keeper.names), None);
    }

    #[test]
    fn a_reload_that_comes_while_a_changed_inventory_is_read_stays_in_force() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.csv");
        fs::write(&file, "address,hostname\n10.0.0.1,r1\n").unwrap();
        let before = Identity {
            inventory_file: Some(file),
            ..identity("address,hostname\n")
        };
        let keeper = keeper(&before);
        let mut keeping = keeping(&keeper, &before);
        let mut after = identity("address,hostname\n10.0.0.1,r2\n");
        after.names.relays = vec!["10.9.9.9/32".parse().unwrap()];
        // The thread has not seen the order yet.
        keeper.replace(&after, DomainPolicy::Keep);
        keeping.refresh_inventory(&keeper.shared, &keeper.heartbeat);
        assert!(keeper.names.is_relay([10, 9, 9, 9].into()));
        assert_eq!(name(&keeper.names).as_deref(), Some("r2"));
    }

    #[test]
    fn a_reload_and_a_changed_inventory_at_the_same_moment_do_not_wait_for_each_other() {
        const ROUNDS: u32 = 200;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.csv");
        let before = Identity {
            inventory_file: Some(file.clone()),
            ..identity("address,hostname\n")
        };
        let keeper = keeper(&before);
        for number in 0..2_000_u32 {
            let address = std::net::Ipv4Addr::from(0x0a00_0000 + number).into();
            let now = UnixMicros(0);
            keeper.names.devices.with(address, now, |_, _| ());
            let name = format!("r{number}.example.net");
            keeper.names.take_dns_answer(address, &name, now);
        }
        let mut keeping = keeping(&keeper, &before);
        let shared = keeper.shared.clone();
        let heartbeat = keeper.heartbeat.clone();
        let (done, both) = std::sync::mpsc::channel();
        let reading = done.clone();
        thread::spawn(move || {
            for round in 0..ROUNDS {
                let text = format!("address,hostname\n10.0.0.1,r{round}\n");
                fs::write(&file, text).unwrap();
                // As the thread does at the end of each second.
                shared.orders().identity = None;
                keeping.inventory_seen = None;
                keeping.refresh_inventory(&shared, &heartbeat);
            }
            reading.send(())
        });
        thread::spawn(move || {
            for round in 0..ROUNDS {
                let policies = [DomainPolicy::Keep, DomainPolicy::Strip];
                keeper.replace(&before, policies[round as usize % 2]);
            }
            done.send(())
        });
        for _ in 0..2 {
            both.recv_timeout(Duration::from_secs(60))
                .expect("both come to their end");
        }
    }

    #[test]
    fn a_thread_that_waits_for_an_inventory_on_a_slow_disk_does_not_look_dead() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inventory.csv");
        fs::write(&file, "address,hostname\n10.0.0.1,r1\n").unwrap();
        let before = Identity {
            inventory_file: Some(file),
            ..identity("address,hostname\n")
        };
        let keeper = keeper(&before);
        let mut keeping = keeping(&keeper, &before);
        let heartbeats = Heartbeats::new(Instant::now());
        let heartbeat = heartbeats.register("devices");
        let missed = || {
            let later = Instant::now() + Duration::from_secs(3600);
            !heartbeats.pulses(later).is_empty()
        };
        let mut was_missed = true;
        let slow = |path: &Path, domain| {
            was_missed = missed();
            inventory::open(path, domain)
        };
        keeping.refresh_inventory_by(slow, &keeper.shared, &heartbeat);
        assert!(!was_missed);
        assert_eq!(name(&keeper.names).as_deref(), Some("r1"));
        assert!(missed(), "it is watched again");
    }

    #[test]
    fn names_by_reverse_dns_follow_a_reload_that_changes_what_happens_to_the_domain() {
        let nothing = identity("address,hostname\n");
        let keeper = keeper(&nothing);
        let (before, after) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let answer = |address, name: &str| {
            let name = canonical(&keeper.shared)(name).unwrap();
            let now = UnixMicros(0);
            keeper.names.devices.with(address, now, |_, _| ());
            keeper.names.take_dns_answer(address, &name, now);
        };
        answer(before, "R1.example.net.");
        keeper.replace(&nothing, DomainPolicy::Strip);
        answer(after, "R2.example.net.");
        let name = |address| keeper.names.devices.get(address).unwrap().standing.name;
        assert_eq!((name(before).as_str(), name(after).as_str()), ("r1", "r2"));
    }
}
