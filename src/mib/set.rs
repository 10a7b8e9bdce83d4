//! The compiled MIB files of a configuration, and what happens when one changes.
//!
//! ```text
//!  paths ──open──▶ Set { file, file, … }      the first that knows an OID best wins
//!   └─ later: stamp differs? ──open──▶ whole: takes its place · damaged: the old one stays, and an error says so
//! ```

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::Kind;
use super::reader::{Longest, Mibdb, OpenError, Trail};

/// Files, in the order in which they count. Cheap to clone; an empty one knows nothing.
#[derive(Debug, Clone, Default)]
pub struct Set {
    files: Arc<[Member]>,
}

/// One file of a set.
#[derive(Debug, Clone)]
struct Member {
    path: PathBuf,
    stamp: Stamp,
    /// The last content that could be used, if there was one.
    db: Option<Arc<Mibdb>>,
    /// Whether what is there now could not be used.
    is_refused: bool,
}

/// What tells one content of a path from another: device, inode, length, and when it was changed. `None`: no file.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    ))
}

/// What became of a file that had changed.
#[derive(Debug)]
pub enum Change {
    /// Its new content is in use.
    Taken(PathBuf),
    /// Its new content cannot be used; what was there before stays in use.
    Refused(OpenError),
}

impl Set {
    /// Opens every file. Those that cannot be used are left out, each with its error.
    pub fn open<'p>(paths: impl IntoIterator<Item = &'p Path>) -> (Set, Vec<OpenError>) {
        let mut errors = Vec::new();
        let files = paths
            .into_iter()
            .map(|path| {
                // Before it is read: what changes while it is read is seen as changed.
                let stamp = stamp(path);
                let db = Mibdb::open(path).map_err(|error| errors.push(error)).ok();
                Member {
                    path: path.to_owned(),
                    stamp,
                    is_refused: db.is_none(),
                    db: db.map(Arc::new),
                }
            })
            .collect();
        (Set { files }, errors)
    }

    /// A set of one, held in memory.
    pub fn of(db: Mibdb) -> Set {
        let member = Member {
            path: PathBuf::new(),
            stamp: None,
            db: Some(Arc::new(db)),
            is_refused: false,
        };
        Set {
            files: Arc::new([member]),
        }
    }

    /// Whether it has no file that can be used.
    pub fn is_empty(&self) -> bool {
        self.files.iter().all(|member| member.db.is_none())
    }

    /// Whether it was made of no file at all, so that none can change.
    pub fn is_without_files(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether both are the very same.
    pub fn is_same(&self, other: &Set) -> bool {
        Arc::ptr_eq(&self.files, &other.files)
    }

    /// Its files that are in use.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &Mibdb)> {
        self.files
            .iter()
            .filter_map(|member| Some((member.path.as_path(), member.db.as_deref()?)))
    }

    /// How many of its files cannot be used as they are now. What an earlier content said may still be in use.
    pub fn refused(&self) -> usize {
        let refused = self.files.iter().filter(|member| member.is_refused);
        refused.count()
    }

    /// Takes over from `old` what could not be opened this time, and names it.
    pub fn fall_back_to(&mut self, old: &Set) -> Vec<PathBuf> {
        let mut kept = Vec::new();
        let files: Vec<Member> = self
            .files
            .iter()
            .map(|member| {
                let before = old.files.iter().find(|other| other.path == member.path);
                let Some(db) = before.and_then(|other| other.db.clone()) else {
                    return member.clone();
                };
                if member.db.is_some() {
                    return member.clone();
                }
                kept.push(member.path.clone());
                Member {
                    db: Some(db),
                    ..member.clone()
                }
            })
            .collect();
        if !kept.is_empty() {
            self.files = files.into();
        }
        kept
    }

    /// Looks whether a file changed, and opens those that did. `None`: none did.
    pub fn refreshed(&self) -> Option<(Set, Vec<Change>)> {
        let stamps: Vec<Stamp> = self
            .files
            .iter()
            .map(|member| stamp(&member.path))
            .collect();
        let has_changed = |(member, stamp): (&Member, &Stamp)| member.stamp != *stamp;
        if !self.files.iter().zip(&stamps).any(has_changed) {
            return None;
        }
        let mut changes = Vec::new();
        let mut renew = |(member, stamp): (&Member, Stamp)| {
            let mut member = member.clone();
            if member.stamp != stamp {
                let opened = Mibdb::open(&member.path);
                member.is_refused = opened.is_err();
                match opened {
                    Ok(db) => {
                        member.db = Some(Arc::new(db));
                        changes.push(Change::Taken(member.path.clone()));
                    }
                    Err(error) => changes.push(Change::Refused(error)),
                }
                member.stamp = stamp;
            }
            member
        };
        let files = self.files.iter().zip(stamps).map(&mut renew).collect();
        Some((Set { files }, changes))
    }

    /// The deepest named node that is `oid` or stands above it; of several files' the deepest, and the first of those.
    pub fn longest(&self, oid: &[u8]) -> Option<Longest<'_>> {
        let files = self.files.iter();
        deepest(files.filter_map(|member| member.db.as_deref()?.longest(oid)))
    }

    /// The same, in less time where `oid` stands close to the one before it.
    pub fn longest_along(&self, oid: &[u8], trails: &mut Trails) -> Option<Longest<'_>> {
        if !trails.of.as_ref().is_some_and(|of| of.is_same(self)) {
            trails.of = Some(self.clone());
            trails.files.clear();
            trails.files.resize_with(self.files.len(), Trail::default);
        }
        let files = self.files.iter().zip(&mut trails.files);
        deepest(files.filter_map(|(member, trail)| member.db.as_deref()?.longest_along(oid, trail)))
    }
}

/// The ways to the last OID in each file of a set.
#[derive(Debug, Default)]
pub struct Trails {
    of: Option<Set>,
    files: Vec<Trail>,
}

fn deepest<'m>(files: impl Iterator<Item = Longest<'m>>) -> Option<Longest<'m>> {
    let mut best: Option<Longest<'_>> = None;
    for found in files {
        if matches!(
            found.node.kind(),
            Kind::Scalar | Kind::Column | Kind::Notification
        ) {
            return Some(
                best.filter(|best| best.octets > found.octets)
                    .unwrap_or(found),
            );
        }
        if best.is_none_or(|best| best.octets < found.octets) {
            best = Some(found);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mib::format::{self, Definition};

    fn place(oid: &[u32], name: &str) -> Definition {
        Definition {
            oid: oid.to_vec(),
            module: "A-MIB".to_owned(),
            name: name.to_owned(),
            kind: Kind::Place,
            syntax: None,
            index: Vec::new(),
            units: String::new(),
            objects: Vec::new(),
            description: String::new(),
        }
    }

    fn write(path: &Path, name: &str, oid: &[u32]) {
        std::fs::write(path, format::write(&[place(oid, name)], 7).unwrap()).unwrap();
    }

    fn name_of(set: &Set) -> Option<&str> {
        set.longest(&[0x2b, 6, 1])?.node.name()
    }

    #[test]
    fn a_new_file_takes_its_place_and_a_damaged_one_leaves_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.mibdb");
        let (mut set, errors) = Set::open([path.as_path()]);
        assert_eq!((errors.len(), set.is_empty()), (1, true));
        assert!(set.refreshed().is_none());

        write(&path, "first", &[1, 3, 6]);
        let mut trails = Trails::default();
        let mut step = |taken: bool, name: &str| {
            let (next, changes) = set.refreshed().unwrap();
            assert_eq!(
                matches!(changes[..], [Change::Taken(_)]),
                taken,
                "{changes:?}"
            );
            set = next;
            assert_eq!(name_of(&set), Some(name));
            let along = set.longest_along(&[0x2b, 6, 1], &mut trails);
            assert_eq!(along.and_then(|found| found.node.name()), Some(name));
            assert_eq!(set.refused(), usize::from(!taken));
            assert!(set.refreshed().is_none());
        };
        step(true, "first");
        write(&path, "another", &[1, 3, 6]);
        step(true, "another");
        // In place, as `cp` does: the mapped octets are ours and do not change.
        std::fs::write(&path, b"TLMIBDB\n").unwrap();
        step(false, "another");
        std::fs::remove_file(&path).unwrap();
        step(false, "another");
        let (mut broken, errors) = Set::open([path.as_path()]);
        assert_eq!(errors.len(), 1);
        assert_eq!(broken.fall_back_to(&set), [path]);
        assert_eq!((name_of(&broken), broken.refused()), (Some("another"), 1));
    }

    #[test]
    fn the_deepest_name_wins_and_of_equal_ones_the_first_file_s() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        write(&paths[0], "short", &[1, 3]);
        write(&paths[1], "first", &[1, 3, 6]);
        write(&paths[2], "second", &[1, 3, 6]);
        let (set, errors) = Set::open(paths.iter().map(PathBuf::as_path));
        assert!(errors.is_empty());
        assert_eq!(name_of(&set), Some("first"));
        assert_eq!(set.files().count(), 3);
    }
}
