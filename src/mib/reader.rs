//! A `.mibdb` file → what is known of an OID. Nothing is copied out of the file, and nothing is allocated to look up.
//!
//! ```text
//!  file ──open──▶ header, length, checksum ──▶ a private copy without a name, mapped ──▶ Mibdb
//!  2b 06 01 02 01 02 02 01 08 │ 02  ──Mibdb::longest──▶ Node IF-MIB::ifOperStatus, 9 octets
//! ```
//!
//! A mapped file that somebody shortens kills the process that reads it, and `cp new.mibdb old.mibdb` shortens. So
//! the file is copied, while its checksum is computed, into one that has no name, and that one is mapped: the kernel
//! keeps only what is looked up in memory. Where no such file can be made, the octets are held in memory.
//!
//! The octets may be a stranger's: a checksum keeps out damage, not malice. Each read is checked, each walk goes down
//! the OID that is sought, so the worst file gives wrong names.

mod node;
mod trail;

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapMut};

use super::copy::{Copy, read_up_to};
use super::format::{
    CHECKED_FROM, FACTS_BYTES, FILE_BYTES_MAX, HEADER_BYTES, MAGIC, MODULE_BYTES, TREE_BYTES,
    VERSION,
};
pub use node::{Component, Node, Syntax};
use trail::Step;
pub use trail::Trail;

/// Arcs of one OID (RFC 2578, section 3.5).
const ARCS_MAX: usize = 128;

/// Octets that are read at once while a file is copied.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system said so.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {fault}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: Fault,
    },
}

impl OpenError {
    /// The file that cannot be used.
    pub fn path(&self) -> &Path {
        match self {
            OpenError::Read { path, .. } | OpenError::Fault { path, .. } => path,
        }
    }
}

/// What is wrong with a file's octets.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Fault {
    /// Something else.
    #[error(
        "this is no compiled MIB file; make one of MIB modules with `trapline mib compile DIR -o set.mibdb`"
    )]
    NotAMibdb,
    /// Made by another version.
    #[error(
        "expected layout {VERSION}, found {found}; compile the modules again with this version's `trapline mib compile`"
    )]
    Version {
        /// The layout's number in the file.
        found: u32,
    },
    /// Cut, or something was appended.
    #[error(
        "expected {expected} bytes, found {found}; the file was not copied whole, copy it again"
    )]
    Length {
        /// What the header says.
        expected: u64,
        /// What there is.
        found: u64,
    },
    /// Changed after it was written.
    #[error(
        "expected checksum {expected:08x}, found {found:08x}; the file is damaged, copy or compile it again"
    )]
    Checksum {
        /// What the header says.
        expected: u32,
        /// What the octets have.
        found: u32,
    },
    /// Too large.
    #[error("more than {FILE_BYTES_MAX} bytes, the limit of one file")]
    TooLarge,
    /// The checksum is right, the places in the header are not.
    #[error("its parts do not lie where the header says; compile the modules again")]
    Layout,
}

/// A compiled MIB file, open and checked.
#[derive(Debug)]
pub struct Mibdb {
    bytes: Mmap,
    layout: Layout,
}

/// Where the parts are. Each lies within the file; `at` are offsets.
#[derive(Debug, Clone, Copy)]
struct Layout {
    nodes: u32,
    modules: u32,
    tree_at: usize,
    facts_at: usize,
    modules_at: usize,
    pool_at: usize,
    made: u64,
}

/// The deepest named node on the way to an OID.
#[derive(Debug, Clone, Copy)]
pub struct Longest<'m> {
    /// The node.
    pub node: Node<'m>,
    /// How many of the OID's octets lead to it.
    pub octets: usize,
}

impl Mibdb {
    /// Opens a file, checks all of it, and keeps a private copy mapped.
    ///
    /// # Errors
    /// It cannot be read, or is not whole.
    pub fn open(path: &Path) -> Result<Mibdb, OpenError> {
        match Mibdb::copied(path, Copy::nameless) {
            // A folder for temporary files that is full or read-only is no reason to go without names.
            Err(OpenError::Read { .. }) => Mibdb::copied(path, Copy::memory),
            done => done,
        }
    }

    fn copied(path: &Path, room: fn(u64) -> io::Result<Copy>) -> Result<Mibdb, OpenError> {
        let error_of = |error| OpenError::Read {
            path: path.to_owned(),
            error,
        };
        let fault_of = |fault| OpenError::Fault {
            path: path.to_owned(),
            fault,
        };
        let mut options = File::options();
        // A pipe that nobody writes to would not be open before somebody did.
        let opened = options.read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let mut file = opened.map_err(error_of)?;
        let metadata = file.metadata().map_err(error_of)?;
        if metadata.is_dir() {
            return Err(error_of(io::ErrorKind::IsADirectory.into()));
        }
        if !metadata.is_file() {
            let text = "it is a pipe, a device or a socket; name a regular file";
            return Err(error_of(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        if metadata.len() > FILE_BYTES_MAX {
            return Err(fault_of(Fault::TooLarge));
        }
        let mut header = [0; HEADER_BYTES];
        let head = read_up_to(&mut file, &mut header).map_err(error_of)?;
        let head = header.get(..head).unwrap_or_default();
        let expected = expectation(head, metadata.len()).map_err(fault_of)?;
        let mut copy = room(expected.length).map_err(error_of)?;
        copy.take(head).map_err(error_of)?;
        let mut sum = crc32c::crc32c(head.get(CHECKED_FROM..).unwrap_or_default());
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut left = expected.length.saturating_sub(HEADER_BYTES as u64);
        while left > 0 {
            let wanted = usize::try_from(left)
                .unwrap_or(CHUNK_BYTES)
                .min(CHUNK_BYTES);
            let room = chunk.get_mut(..wanted).unwrap_or_default();
            let count = read_up_to(&mut file, room).map_err(error_of)?;
            if count == 0 {
                return Err(fault_of(Fault::Length {
                    expected: expected.length,
                    found: expected.length - left,
                }));
            }
            let part = room.get(..count).unwrap_or_default();
            sum = crc32c::crc32c_append(sum, part);
            copy.take(part).map_err(error_of)?;
            left -= count as u64;
        }
        if sum != expected.checksum {
            return Err(fault_of(Fault::Checksum {
                expected: expected.checksum,
                found: sum,
            }));
        }
        Mibdb::of(copy.map().map_err(error_of)?).map_err(fault_of)
    }

    /// A file's octets, held in memory: for tests and for what was just compiled.
    ///
    /// # Errors
    /// They are not whole.
    pub fn from_bytes(bytes: &[u8]) -> Result<Mibdb, Fault> {
        let expected = expectation(bytes, bytes.len() as u64)?;
        let found = crc32c::crc32c(bytes.get(CHECKED_FROM..).unwrap_or_default());
        if found != expected.checksum {
            let expected = expected.checksum;
            return Err(Fault::Checksum { expected, found });
        }
        let mut map = MmapMut::map_anon(bytes.len()).map_err(|_| Fault::TooLarge)?;
        map.copy_from_slice(bytes);
        Mibdb::of(map.make_read_only().map_err(|_| Fault::TooLarge)?)
    }

    fn of(bytes: Mmap) -> Result<Mibdb, Fault> {
        let layout = layout(&bytes).ok_or(Fault::Layout)?;
        Ok(Mibdb { bytes, layout })
    }

    /// When it was compiled, in seconds of Unix time.
    pub fn made(&self) -> u64 {
        self.layout.made
    }

    /// How many nodes its tree has.
    pub fn nodes(&self) -> u32 {
        self.layout.nodes
    }

    /// Its octets in all.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Its modules: name, and how many definitions are of it.
    pub fn modules(&self) -> impl Iterator<Item = (&str, u32)> {
        (0..self.layout.modules).filter_map(|number| {
            let at = self.layout.modules_at + number as usize * MODULE_BYTES;
            let name = self.string(self.number_at(at)?)?;
            Some((name, self.number_at(at + 4)?))
        })
    }

    /// The deepest named node that is `oid` or stands above it. `oid` is BER content.
    pub fn longest(&self, oid: &[u8]) -> Option<Longest<'_>> {
        self.walk(oid, Step::default(), |_| {})
    }

    /// Goes down from a place on the way to `oid`, and tells `each` where it comes to.
    fn walk(&self, oid: &[u8], from: Step, mut each: impl FnMut(Step)) -> Option<Longest<'_>> {
        let mut at = from;
        let mut value = 0_u64;
        let mut first = from.octets == 0;
        for (place, &octet) in oid.iter().enumerate().skip(from.octets) {
            if value >> 32 != 0 {
                break;
            }
            value = value << 7 | u64::from(octet & 0x7f);
            if octet & 0x80 != 0 {
                continue;
            }
            if std::mem::take(&mut first) {
                // Two arcs in one (X.690, 8.19.4).
                let top = (value / 40).min(2);
                let Some(child) = self.child(at.node, top) else {
                    break;
                };
                at.node = child;
                value -= top * 40;
            }
            let Some(child) = self.child(at.node, value) else {
                break;
            };
            (at.node, at.octets) = (child, place + 1);
            value = 0;
            let found = Node {
                db: self,
                number: child,
            };
            if found.is_named() {
                at.best = Some((child, at.octets));
            }
            each(at);
        }
        at.found(self)
    }

    /// Every named node, in no order that means anything.
    pub fn named(&self) -> impl Iterator<Item = Node<'_>> {
        (0..self.layout.nodes)
            .map(|number| Node { db: self, number })
            .filter(Node::is_named)
    }

    /// The named nodes of this name, `ifDescr` or `IF-MIB::ifDescr`. Looks at every node: for people, not for packets.
    pub fn by_name<'m>(&'m self, name: &'m str) -> impl Iterator<Item = Node<'m>> {
        let (module, name) = match name.split_once("::") {
            Some((module, name)) => (Some(module), name),
            None => (None, name),
        };
        self.named().filter(move |node| {
            node.name() == Some(name) && module.is_none_or(|module| node.module() == Some(module))
        })
    }

    fn child(&self, node: u32, arc: u64) -> Option<u32> {
        let start = self.first_child(node)?;
        let end = self.first_child(node.checked_add(1)?)?;
        if start <= node || end > self.layout.nodes || start >= end {
            return None;
        }
        let arc = u32::try_from(arc).ok()?;
        // Most children are numbered one after the other.
        let guess = arc
            .checked_sub(self.arc(start)?)
            .and_then(|step| start.checked_add(step));
        if let Some(guess) = guess
            && guess < end
            && self.arc(guess)? == arc
        {
            return Some(guess);
        }
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.arc(middle)?.cmp(&arc) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    fn arc(&self, node: u32) -> Option<u32> {
        self.number_at(self.layout.tree_at + node as usize * TREE_BYTES)
    }

    fn first_child(&self, node: u32) -> Option<u32> {
        self.number_at(self.layout.tree_at + node as usize * TREE_BYTES + 4)
    }

    /// The node whose children `node` is among: the last one whose first child does not stand behind it.
    fn parent(&self, node: u32) -> Option<u32> {
        let (mut low, mut high) = (0, node);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.first_child(middle.checked_add(1)?)? <= node {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < node).then_some(low)
    }

    fn number_at(&self, at: usize) -> Option<u32> {
        let octets = self.bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(octets.try_into().ok()?))
    }

    fn short_at(&self, at: usize) -> Option<u16> {
        let octets = self.bytes.get(at..at.checked_add(2)?)?;
        Some(u16::from_le_bytes(octets.try_into().ok()?))
    }

    fn octet_at(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// Where a piece of the pool stands in the file; `None` for offset 0.
    fn piece(&self, offset: u32) -> Option<usize> {
        (offset != 0).then(|| self.layout.pool_at + offset as usize)
    }

    fn string(&self, offset: u32) -> Option<&str> {
        let at = self.piece(offset)?;
        let length = usize::from(self.short_at(at)?);
        let octets = self.bytes.get(at + 2..(at + 2).checked_add(length)?)?;
        std::str::from_utf8(octets).ok()
    }
}

/// What the first octets promise.
struct Expectation {
    length: u64,
    checksum: u32,
}

fn expectation(head: &[u8], found: u64) -> Result<Expectation, Fault> {
    let number = |at: usize| -> Option<u32> {
        Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?))
    };
    if head.get(..MAGIC.len()) != Some(MAGIC.as_slice()) {
        return Err(Fault::NotAMibdb);
    }
    let version = number(8).ok_or(Fault::NotAMibdb)?;
    if version != VERSION {
        return Err(Fault::Version { found: version });
    }
    let expected = match (number(16), number(20)) {
        (Some(low), Some(high)) => u64::from(high) << 32 | u64::from(low),
        _ => HEADER_BYTES as u64,
    };
    if expected != found || found < HEADER_BYTES as u64 {
        return Err(Fault::Length { expected, found });
    }
    Ok(Expectation {
        length: expected,
        checksum: number(12).ok_or(Fault::NotAMibdb)?,
    })
}

/// Where the parts lie, if each lies within the file.
fn layout(file: &[u8]) -> Option<Layout> {
    let number = |at: usize| -> Option<usize> {
        let octets = file.get(at..at + 4)?;
        usize::try_from(u32::from_le_bytes(octets.try_into().ok()?)).ok()
    };
    let [nodes, modules] = [number(24)?, number(28)?];
    let [tree_at, facts_at] = [number(32)?, number(36)?];
    let [modules_at, pool_at] = [number(40)?, number(44)?];
    let fits = |at: usize, count: usize, size: usize| -> bool {
        let end = count
            .checked_mul(size)
            .and_then(|size| at.checked_add(size));
        at >= HEADER_BYTES && end.is_some_and(|end| end <= file.len())
    };
    let all_fit = fits(tree_at, nodes.checked_add(1)?, TREE_BYTES)
        && fits(facts_at, nodes, FACTS_BYTES)
        && fits(modules_at, modules, MODULE_BYTES)
        && fits(pool_at, 1, 1);
    let made = u64::from_le_bytes(file.get(48..56)?.try_into().ok()?);
    all_fit.then_some(Layout {
        nodes: u32::try_from(nodes).ok()?,
        modules: u32::try_from(modules).ok()?,
        tree_at,
        facts_at,
        modules_at,
        pool_at,
        made,
    })
}

#[cfg(test)]
mod tests;
