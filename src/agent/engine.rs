//! SNMPv3 over restarts: our own engine, and the engines that were learned, in the state folder.
//!
//! ```text
//!   start   snmp-engine  ─▶ boots + 1 of this ID ─▶ replaced, on the disk ─▶ only then used
//!           snmp-engines ─▶ Usm::restore
//!   every minute, and at the end   Usm::learned ─▶ snmp-engines replaced        (on a thread of its own)
//! ```
//!
//! Where the folder cannot be used, the engine has a new random ID for this run: a new engine may begin at any boots, so
//! informs work all the same; their senders learn the new ID.
//!
//! All of it is opened without SNMPv3 users too, since a reload may bring the first ones, and an engine keeps its ID and
//! boots for as long as the process lives.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::pipeline::{AccessConfig, SnmpAccess};
use crate::time::UnixMicros;
use crate::usm::window::BOOTS_MAX;
use crate::usm::{EngineKey, OwnEngine, stored};

const OWN_FILE: &str = "snmp-engine";
const LEARNED_FILE: &str = "snmp-engines";

/// The largest file that is read: 16 384 engines take less than 2 MiB.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How often what was learned is written: a kill then costs no more than that.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// The enterprise number of RFC 5612, which is nobody's: the first octets of an engine ID of ours.
const ENTERPRISE: [u8; 5] = [0x80, 0x00, 0x7e, 0xd9, 0x05];

/// SNMP access, and what of it is kept.
pub(super) struct KeptAccess {
    pub access: Arc<SnmpAccess>,
    place: Place,
    writing: Mutex<Writing>,
    /// Held by the thread that writes: a second one would write the same file.
    file: Arc<Mutex<()>>,
}

/// Where state is kept.
enum Place {
    /// Nowhere: the operator wants none.
    Off,
    /// In this folder.
    Folder(PathBuf),
    /// Nowhere: this folder cannot be used.
    Unusable(PathBuf, io::Error),
}

impl Place {
    fn folder(&self) -> Option<&Path> {
        match self {
            Place::Folder(folder) => Some(folder),
            Place::Off | Place::Unusable(..) => None,
        }
    }
}

struct Writing {
    next: Instant,
    thread: Option<JoinHandle<()>>,
}

impl KeptAccess {
    /// Opens what is kept.
    pub fn open(
        config: &AccessConfig,
        folder: Option<&Path>,
        chosen: Option<EngineKey>,
    ) -> KeptAccess {
        let started = Instant::now();
        let own = folder.map(|folder| (folder, own_engine(folder, chosen)));
        let (own, place) = match own {
            Some((folder, Ok(own))) => (own, Place::Folder(folder.to_owned())),
            Some((folder, Err(error))) => {
                (random_engine(), Place::Unusable(folder.to_owned(), error))
            }
            None => (random_engine(), Place::Off),
        };
        let access = Arc::new(SnmpAccess::new(config, own, random(), started));
        if let Some(folder) = place.folder() {
            restore(&access, folder);
        }
        let kept = KeptAccess {
            access,
            place,
            writing: Mutex::new(Writing {
                next: started + KEEP_EVERY,
                thread: None,
            }),
            file: Arc::default(),
        };
        if kept.access.usm.has_users() {
            kept.announce();
        }
        kept
    }

    /// Puts other users, policies and communities into force.
    pub fn replace(&self, config: &AccessConfig) {
        let had_users = self.access.usm.has_users();
        self.access.replace(config);
        if !had_users && self.access.usm.has_users() {
            self.announce();
        }
    }

    /// Says which engine senders meet: once there is a user, for without any there is nobody to meet it.
    fn announce(&self) {
        let own = self.access.usm.own();
        let is_kept = self.place.folder().is_some();
        tracing::info!(engine_id = ?own.id, boots = own.boots, is_kept, "SNMPv3 engine");
        if let Place::Unusable(folder, error) = &self.place {
            tracing::warn!(folder = %folder.display(), %error, "SNMPv3 state cannot be kept; senders of informs will learn a new engine ID, and learned engines are forgotten at the end");
        }
    }

    /// Writes what was learned, if it is time and the last writing has ended. Does not wait for the disk.
    pub fn tick(&self, now: Instant) {
        let Some(folder) = self.place.folder() else {
            return;
        };
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = writing.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if now < writing.next || !is_idle {
            return;
        }
        writing.next = now + KEEP_EVERY;
        writing.thread = spawn(self.work(folder)).ok();
    }

    /// Begins to write what was learned, at the end. Does not wait for the disk.
    pub fn begin_close(&self) {
        self.close_on(spawn);
    }

    fn close_on(&self, spawn: impl FnOnce(Work) -> io::Result<JoinHandle<()>>) {
        let Some(folder) = self.place.folder() else {
            return;
        };
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match spawn(self.work(folder)) {
            Ok(thread) => writing.thread = Some(thread),
            // The main thread has to end the stop: it waits for no disk. A writing that goes on is still known.
            Err(error) => {
                tracing::warn!(%error, "no thread to write what was learned of SNMPv3 engines: what was learned last is not kept");
            }
        }
    }

    /// Writes what was learned.
    fn work(&self, folder: &Path) -> Work {
        let (access, file) = (Arc::clone(&self.access), Arc::clone(&self.file));
        let folder = folder.to_owned();
        Box::new(move || {
            let _only_one = file.lock().unwrap_or_else(PoisonError::into_inner);
            keep(&access, &folder);
        })
    }

    /// Whether that is done. A thread that still waits for the disk ends with the process.
    pub fn is_closed(&self) -> bool {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

/// What a thread of this stage does.
type Work = Box<dyn FnOnce() + Send>;

fn spawn(work: Work) -> io::Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name("snmp-state".to_owned());
    thread.spawn(work)
}

fn keep(access: &SnmpAccess, folder: &Path) {
    let unix = UnixMicros::now().0 / 1_000_000;
    let learned = access.usm.learned(access.now(), unix);
    if learned.is_empty() {
        // No file says that as well.
        return;
    }
    let text = stored::learned_to_text(&learned);
    if let Err(error) = replace(folder, LEARNED_FILE, &text) {
        tracing::warn!(folder = %folder.display(), %error, "learned SNMPv3 engines were not written");
    }
}

fn restore(access: &SnmpAccess, folder: &Path) {
    let read =
        read(folder, LEARNED_FILE).map(|text| text.as_deref().map(stored::learned_from_text));
    match read {
        Ok(None) => {}
        Ok(Some(Ok(learned))) => {
            let unix = UnixMicros::now().0 / 1_000_000;
            access.usm.restore(&learned, access.now(), unix);
            tracing::info!(engines = learned.len(), "SNMPv3 engines known from before");
        }
        Ok(Some(Err(error))) => {
            tracing::warn!(file = LEARNED_FILE, %error, "SNMPv3 engines are learned anew");
        }
        Err(error) => {
            tracing::warn!(file = LEARNED_FILE, %error, "SNMPv3 engines are learned anew");
        }
    }
}

/// Our engine with the boots of this run, which are on the disk when this returns.
fn own_engine(folder: &Path, chosen: Option<EngineKey>) -> io::Result<OwnEngine> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let known = match read(folder, OWN_FILE)?
        .as_deref()
        .map(stored::own_from_text)
    {
        None => Vec::new(),
        Some(Ok(known)) => known,
        // Its boots are not known, and an engine whose boots go back is refused by all that know it.
        Some(Err(error)) if chosen.is_some() => {
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Some(Err(error)) => {
            tracing::warn!(file = OWN_FILE, %error, "the agent's SNMPv3 engine has a new ID");
            Vec::new()
        }
    };
    let own = next_boot(&known, chosen, random_engine().id);
    let others = known.into_iter().filter(|engine| engine.id != own.id);
    let engines: Vec<OwnEngine> = std::iter::once(own).chain(others).collect();
    replace(folder, OWN_FILE, &stored::own_to_text(&engines))?;
    Ok(own)
}

/// The engine of this run: that of the last run, or the chosen one, with one boot more than it ever had. Boots that
/// latched (RFC 3414, section 2.2.2) need a new ID; one that the operator chose stays, and is refused by all.
fn next_boot(known: &[OwnEngine], chosen: Option<EngineKey>, fresh: EngineKey) -> OwnEngine {
    let id = chosen.or_else(|| known.first().map(|last| last.id));
    let id = id.unwrap_or(fresh);
    let before = known.iter().find(|engine| engine.id == id);
    let boots = before.map_or(1, |engine| engine.boots.saturating_add(1).min(BOOTS_MAX));
    match boots {
        BOOTS_MAX if chosen.is_none() => OwnEngine {
            id: fresh,
            boots: 1,
        },
        boots => OwnEngine { id, boots },
    }
}

fn random_engine() -> OwnEngine {
    let mut octets = ENTERPRISE.to_vec();
    octets.extend(random().to_be_bytes());
    octets.extend(random().to_be_bytes());
    OwnEngine {
        id: EngineKey::new(&octets).unwrap_or(EngineKey::NONE),
        boots: 1,
    }
}

/// The standard library keys its maps by the kernel's random numbers; this is one of them.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn read(folder: &Path, name: &str) -> io::Result<Option<String>> {
    let file = match File::open(folder.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, FILE_BYTES_MAX), &mut text)?;
    Ok(Some(text))
}

/// Puts `text` in the place of the file, whole or not at all, and returns when it is on the disk.
fn replace(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usm::SecurityLevel;
    use crate::usm::samples::Device;

    #[test]
    fn boots_are_counted_on_the_disk_and_the_id_stays() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("state");
        let first = own_engine(&below, None).unwrap();
        assert_eq!(first.boots, 1);
        for boots in 2..5 {
            let next = own_engine(&below, None).unwrap();
            assert_eq!((next.id, next.boots), (first.id, boots));
        }
        let chosen = EngineKey::new(&[0x80, 0, 0, 9, 5, 1]);
        assert_eq!(own_engine(&below, chosen).unwrap().boots, 1);
        assert_eq!(own_engine(&below, chosen).unwrap().boots, 2);
    }

    #[test]
    fn a_damaged_file_gives_a_new_engine_and_never_old_boots() {
        let folder = tempfile::tempdir().unwrap();
        let first = own_engine(folder.path(), None).unwrap();
        fs::write(folder.path().join(OWN_FILE), "trapline snmp-engine 1\n80").unwrap();
        assert!(own_engine(folder.path(), Some(first.id)).is_err());
        let next = own_engine(folder.path(), None).unwrap();
        assert_ne!(next.id, first.id);
    }

    #[test]
    fn boots_that_latched_begin_a_new_engine() {
        let latched = OwnEngine {
            id: EngineKey::new(&[1; 5]).unwrap(),
            boots: BOOTS_MAX,
        };
        let fresh = EngineKey::new(&[2; 5]).unwrap();
        let next = next_boot(&[latched], None, fresh);
        assert_eq!((next.id, next.boots), (fresh, 1));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error_and_not_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(own_engine(&file.join("below"), None).is_err());
        assert_ne!(random_engine().id, random_engine().id);
    }

    #[test]
    fn an_engine_id_that_is_chosen_again_goes_on_counting_its_boots() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = [1, 2].map(|last| EngineKey::new(&[0x80, 0, 0, 9, 5, last]));
        let boots = |chosen| own_engine(folder.path(), chosen).unwrap().boots;
        assert_eq!([boots(a), boots(a), boots(b)], [1, 2, 1]);
        assert_eq!([boots(a), boots(b), boots(None)], [3, 2, 3]);
    }

    #[test]
    fn the_first_users_of_a_reload_find_the_state_open() {
        let folder = tempfile::tempdir().unwrap();
        let chosen = EngineKey::new(&[0x80, 0, 0, 9, 5, 1]).unwrap();
        let device = Device::new(SecurityLevel::AuthPriv);
        let mut users = AccessConfig::default();
        users.usm.users.push(device.config());

        let nobody = AccessConfig::default();
        let kept = KeptAccess::open(&nobody, Some(folder.path()), Some(chosen));
        assert_eq!(kept.access.usm.own().id, chosen);
        kept.replace(&users);
        let message = device.message();
        let message = crate::decode::snmp::v3::read(&message).unwrap();
        let (source, now) = ([10, 0, 0, 1].into(), kept.access.now());
        let mut plain = Vec::new();
        let taken = kept.access.usm.take(&message, source, now, &mut plain);
        assert!(matches!(taken, Ok(crate::usm::Verdict::Accepted(_))));
        kept.begin_close();
        wait_until(|| kept.is_closed());

        let next = KeptAccess::open(&users, Some(folder.path()), Some(chosen));
        assert_eq!(next.access.usm.sizes().0, 1);
        assert_eq!(next.access.usm.own().boots, 2);
    }

    /// What is written here is opened once somebody reads it: as slow as a file can be.
    fn slow_file(folder: &Path) -> PathBuf {
        let new = folder.join(format!("{LEARNED_FILE}.new"));
        let made = std::process::Command::new("mkfifo").arg(&new).status();
        assert!(made.expect("mkfifo").success());
        new
    }

    fn wait_until(done: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(30);
        while !done() {
            assert!(Instant::now() < until, "not within 30 s");
            std::thread::park_timeout(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_end_does_not_wait_for_a_folder_that_does_not_answer() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptAccess::open(&AccessConfig::default(), Some(folder.path()), None);
        learn(&kept.access);
        let new = slow_file(folder.path());
        kept.begin_close();
        assert!(!kept.is_closed());
        fs::read(&new).unwrap();
        wait_until(|| kept.is_closed());
    }

    #[test]
    fn where_no_thread_is_left_the_end_writes_nothing_and_knows_of_the_writing_that_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KeptAccess::open(&AccessConfig::default(), Some(folder.path()), None);
        learn(&kept.access);
        let new = slow_file(folder.path());
        kept.tick(Instant::now() + KEEP_EVERY);
        let (ended, closing) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                kept.close_on(|_| Err(io::ErrorKind::WouldBlock.into()));
                ended.send(kept.is_closed()).unwrap();
            });
            let is_closed = closing.recv_timeout(Duration::from_secs(10));
            // Lets whoever writes go on.
            fs::read(&new).unwrap();
            assert_eq!(is_closed, Ok(false));
        });
        wait_until(|| kept.is_closed());
    }

    /// As from a file of an earlier run.
    fn learn(access: &SnmpAccess) {
        let engine = crate::usm::LearnedEngine {
            id: EngineKey::new(&[0x80, 0, 0, 9, 5, 7]).unwrap(),
            boots: 3,
            time: 4,
            heard: 5,
            excused: [None; crate::usm::clock::RUNS_MAX],
        };
        access.usm.restore(&[engine], access.now(), 6);
    }
}
