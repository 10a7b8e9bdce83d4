//! MIB files that change while the agent runs.
//!
//! ```text
//!  every second: the set in use ──▶ a thread: has a file changed? opened ──▶ a second later: the set that takes its place
//! ```
//!
//! On a thread of its own, which ends with each look: the files may be on storage that does not answer, and the main thread
//! must not wait for it.

use std::thread::{self, JoinHandle};

use crate::mib::set::{Change, Set};

type Refreshed = Option<(Set, Vec<Change>)>;

/// Who looks.
#[derive(Default)]
pub(super) struct MibWatch {
    look: Option<Look>,
}

/// One look at the files of a set.
struct Look {
    of: Set,
    thread: JoinHandle<Refreshed>,
}

impl MibWatch {
    /// Takes what came of the last look at files, and begins the next one, at those of `used`. Never waits. Out: what takes
    /// the place of `used`. To be called every second or so.
    pub fn tick(&mut self, used: &Set) -> Option<Set> {
        self.tick_by(Set::refreshed, used)
    }

    fn tick_by(
        &mut self,
        refreshed: impl FnOnce(&Set) -> Refreshed + Send + 'static,
        used: &Set,
    ) -> Option<Set> {
        let ended = self.look.take_if(|look| look.thread.is_finished());
        let found = ended.and_then(|look| {
            let refreshed = look.thread.join().ok().flatten();
            // A reload may have come meanwhile, and has read them itself.
            refreshed.filter(|_| look.of.is_same(used))
        });
        let found = found.map(|(mibs, changes)| {
            tell(&changes);
            mibs
        });
        // One at files that are not used any more may be at storage that never answers: it ends by itself, or with the
        // process.
        self.look.take_if(|look| !look.of.is_same(used));
        if self.look.is_none() && !used.is_without_files() {
            let of = found.as_ref().unwrap_or(used).clone();
            let set = of.clone();
            let thread = thread::Builder::new()
                .name("mibs".to_owned())
                .spawn(move || refreshed(&set));
            self.look = thread.ok().map(|thread| Look { of, thread });
        }
        found
    }
}

fn tell(changes: &[Change]) {
    for change in changes {
        match change {
            Change::Taken(path) => {
                tracing::info!(file = %path.display(), "MIB file changed, the new one is in use");
            }
            Change::Refused(error) => {
                tracing::error!(%error, "MIB file changed and cannot be used, what was known before stays in use");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    /// A look at storage that does not answer before this is sent.
    fn slow() -> (mpsc::Sender<()>, impl FnOnce(&Set) -> Refreshed + Send) {
        let (answer, answered) = mpsc::channel();
        let look = move |set: &Set| {
            let _ = answered.recv();
            set.refreshed()
        };
        (answer, look)
    }

    fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(Instant::now() < deadline, "nothing changed");
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    #[test]
    fn a_file_on_storage_that_does_not_answer_holds_nobody_up_and_is_taken_when_it_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.mibdb");
        let (used, _) = Set::open([path.as_path()]);
        std::fs::write(&path, "no MIB file").unwrap();
        let mut watch = MibWatch::default();
        let (answer, slow) = slow();
        assert!(watch.tick_by(slow, &used).is_none());
        for _ in 0..100 {
            assert!(watch.tick(&used).is_none());
        }
        // It is no MIB file, and that is known when it has been read.
        answer.send(()).unwrap();
        let set = until(|| watch.tick(&used));
        assert_eq!(set.refused(), 1);
    }

    #[test]
    fn what_a_look_found_before_a_reload_is_not_put_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.mibdb");
        let (before, _) = Set::open([path.as_path()]);
        let mut watch = MibWatch::default();
        std::fs::write(&path, "no MIB file").unwrap();
        assert!(watch.tick(&before).is_none());
        let (after, _) = Set::open([path.as_path()]);
        let is_of =
            |watch: &MibWatch, set| watch.look.as_ref().is_some_and(|look| look.of.is_same(set));
        until(|| {
            assert!(watch.tick(&after).is_none());
            is_of(&watch, &after).then_some(())
        });
    }

    #[test]
    fn a_look_that_hangs_at_files_of_before_keeps_nobody_from_looking_at_those_in_use() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["before.mibdb", "after.mibdb"].map(|name| folder.path().join(name));
        let [before, after] = [0, 1].map(|at: usize| Set::open([paths[at].as_path()]).0);
        std::fs::write(&paths[1], "no MIB file").unwrap();
        let mut watch = MibWatch::default();
        let (_answer, slow) = slow();
        assert!(watch.tick_by(slow, &before).is_none());
        let set = until(|| watch.tick(&after));
        assert_eq!(set.refused(), 1);
    }
}
