//! A path → a bound unix socket: for processes on this host, or in the same pod.
//!
//! ```text
//!   path ─▶ is something there? ─▶ a live socket ─▶ refused: another process listens
//!               │                └▶ a stale one ──▶ removed ─┐
//!               └─ nothing ─────────────────────────────────┴▶ bind ─▶ mode, owner, group ─▶ SocketFile
//! ```
//!
//! The folder may be one that others write to, so that the file can be exchanged behind our back for a link to another
//! one. Nothing is therefore given away by its path: the file is held first ([`HeldFile`]), and has to be a socket of our
//! own user.
//!
//! Unlike UDP, nothing is dropped when such a socket is full: the sender waits, or is told (EAGAIN). So a container's
//! own logs should come this way, where the receive buffer of UDP cannot be raised.
//!
//! The file is removed when the socket is closed, if it is still ours.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Who may write to a socket when nothing else is said: everybody, as to `/dev/log`. Its folder may say less.
pub const MODE: u32 = 0o666;

/// Bytes that a path may have: `sun_path` is 108 with the final zero (unix(7)).
pub const PATH_BYTES_MAX: usize = 107;

/// Connections that wait to be accepted, as for TCP.
const BACKLOG: i32 = 1024;

/// Bytes for one line of the user or group database: glibc asks for 1 024 to begin with, and a group has many members.
const ENTRY_BYTES_MAX: usize = 64 * 1024;

/// Where a unix socket stands, and who may write to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The socket's file.
    pub path: PathBuf,
    /// Permission bits. Writing to the socket needs the write bit.
    pub mode: u32,
    /// The file's owner: a user's name or number. `None`: the agent's user.
    pub owner: Option<String>,
    /// The file's group: a group's name or number. `None`: the agent's group.
    pub group: Option<String>,
}

impl Config {
    /// A socket at `path` that everybody may write to.
    pub fn new(path: PathBuf) -> Self {
        Config {
            path,
            mode: MODE,
            owner: None,
            group: None,
        }
    }

    /// Whether its owner or group has to be looked up.
    pub fn has_names(&self) -> bool {
        let mut both = [&self.owner, &self.group].into_iter().flatten();
        both.any(|asked| asked.parse::<u32>().is_err())
    }

    /// The same with numbers for names. A directory service is asked where the host has one, which may take long.
    ///
    /// # Errors
    /// This host knows no such user or group.
    pub fn looked_up(&self) -> Result<Config, UnixError> {
        let number = |asked: &Option<String>, database| {
            let id = id(&self.path, asked.as_deref(), database)?;
            Ok(id.map(|id| id.to_string()))
        };
        Ok(Config {
            owner: number(&self.owner, &USERS)?,
            group: number(&self.group, &GROUPS)?,
            ..self.clone()
        })
    }
}

/// Why a unix socket could not be bound, with what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum UnixError {
    /// Somebody listens there.
    #[error(
        "{path} is taken by another process; `ss -xlp | grep {path}` shows which one: stop it, or give this listener another path"
    )]
    Live {
        /// The socket's file.
        path: PathBuf,
    },
    /// What is there is no socket, and so is not ours to remove.
    #[error("{path} exists and is no socket; remove it, or give this listener another path")]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The path does not fit into a socket's address.
    #[error(
        "{path} has {bytes} bytes, a socket's path may have {PATH_BYTES_MAX}; choose a shorter one"
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        bytes: usize,
    },
    /// The folder is missing or closed to the agent.
    #[error(
        "{path} cannot be made: {source}; its folder must exist and be writable for the user that trapline runs as"
    )]
    Folder {
        /// The socket's file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// No such user or group.
    #[error(
        "{path}: there is no {kind} {name:?} on this host; write a name that `getent {database}` knows, or a number"
    )]
    Unknown {
        /// The socket's file.
        path: PathBuf,
        /// "user" or "group".
        kind: &'static str,
        /// Where such names stand.
        database: &'static str,
        /// What was asked for.
        name: String,
    },
    /// Somebody has put something else there between two calls.
    #[error(
        "{path} was exchanged for something else while the socket was made: others may write to its folder; choose one that is trapline's alone"
    )]
    Exchanged {
        /// The socket's file.
        path: PathBuf,
    },
    /// Another call failed.
    #[error("{path}: {what} failed: {source}")]
    Call {
        /// The socket's file.
        path: PathBuf,
        /// The call, in words.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The file of a bound socket; removed when it goes out of scope, unless another process has put its own there.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = identity(&self.path).is_ok_and(|now| now == self.identity);
        if is_ours {
            // If it cannot be removed, the next start finds it stale and removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The file of a socket that was just bound, held by a descriptor (`O_PATH`): what is done to it is done to this file,
/// whatever stands at its path by then.
#[derive(Debug)]
struct HeldFile {
    descriptor: OwnedFd,
    mode: u32,
    owner: u32,
    group: u32,
    /// Device and inode.
    identity: (u64, u64),
}

impl HeldFile {
    /// Holds what stands at `path`, which must be a socket of our own user.
    fn hold(path: &Path) -> Result<HeldFile, UnixError> {
        let looking = || call(path, "looking at the new socket");
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|error| looking()(io::Error::from(error)))?;
        let flags = libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        // SAFETY: the name ends with a zero and outlives the call.
        let descriptor = unsafe { libc::open(name.as_ptr(), flags) };
        if descriptor < 0 {
            return Err(looking()(io::Error::last_os_error()));
        }
        // SAFETY: it was just opened, and nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let file = fs::File::from(descriptor);
        let found = file.metadata().map_err(looking())?;
        // SAFETY: geteuid has no arguments and cannot fail.
        let ours = unsafe { libc::geteuid() };
        if !found.file_type().is_socket() || found.uid() != ours {
            let path = path.to_owned();
            return Err(UnixError::Exchanged { path });
        }
        Ok(HeldFile {
            mode: found.mode() & 0o7777,
            owner: found.uid(),
            group: found.gid(),
            identity: (found.dev(), found.ino()),
            descriptor: file.into(),
        })
    }

    /// Sets its permission bits. A descriptor of this kind takes no fchmod; the kernel's own name for it leads to the
    /// file and nowhere else (proc_pid_fd(5)).
    fn set_mode(&self, mode: u32) -> io::Result<()> {
        if self.mode == mode {
            return Ok(());
        }
        let name = format!("/proc/self/fd/{}", self.descriptor.as_raw_fd());
        fs::set_permissions(name, fs::Permissions::from_mode(mode))
    }

    /// Gives it to a user, a group, or both. Where it is theirs already the kernel is not asked: the package's unit allows
    /// no such call.
    fn give(&self, owner: Option<u32>, group: Option<u32>) -> io::Result<()> {
        let owner = owner.filter(|owner| *owner != self.owner);
        let group = group.filter(|group| *group != self.group);
        if owner.is_none() && group.is_none() {
            return Ok(());
        }
        // -1, which is u32::MAX, leaves one as it is (chown(2)).
        let (owner, group) = (owner.unwrap_or(u32::MAX), group.unwrap_or(u32::MAX));
        let descriptor = self.descriptor.as_raw_fd();
        // SAFETY: the descriptor is open for the length of the call, and the empty name ends with a zero.
        let given =
            unsafe { libc::fchownat(descriptor, c"".as_ptr(), owner, group, libc::AT_EMPTY_PATH) };
        match given {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// Binds a datagram socket.
pub(super) fn bind_datagrams(config: &Config) -> Result<(Socket, SocketFile), UnixError> {
    bind(config, Type::DGRAM)
}

/// Binds a stream socket, and listens.
pub(super) fn bind_stream(
    config: &Config,
) -> Result<(std::os::unix::net::UnixListener, SocketFile), UnixError> {
    let (socket, file) = bind(config, Type::STREAM)?;
    socket
        .listen(BACKLOG)
        .map_err(call(&config.path, "listening"))?;
    Ok((socket.into(), file))
}

/// Datagrams that a socket made now holds before its senders have to wait: the kernel takes one more than
/// `net.unix.max_dgram_qlen`. `None` where the kernel does not say.
pub(super) fn burst_datagrams() -> Option<usize> {
    let text = fs::read_to_string("/proc/sys/net/unix/max_dgram_qlen").ok()?;
    text.trim().parse::<usize>().ok()?.checked_add(1)
}

fn bind(config: &Config, kind: Type) -> Result<(Socket, SocketFile), UnixError> {
    let path = &config.path;
    let bytes = path.as_os_str().len();
    if bytes > PATH_BYTES_MAX {
        let path = path.clone();
        return Err(UnixError::TooLong { path, bytes });
    }
    let owner = id(path, config.owner.as_deref(), &USERS)?;
    let group = id(path, config.group.as_deref(), &GROUPS)?;
    let address = SockAddr::unix(path).map_err(call(path, "making an address"))?;
    make_room(path, &address)?;
    let socket = Socket::new(Domain::UNIX, kind, None).map_err(call(path, "making a socket"))?;
    // The kernel makes the file with the socket's own mode (and the umask), so at no moment may more write than should.
    // SAFETY: the descriptor is open for the length of the call.
    let _ = unsafe { libc::fchmod(socket.as_raw_fd(), config.mode) };
    socket
        .bind(&address)
        .map_err(|source| match source.kind() {
            io::ErrorKind::AddrInUse => UnixError::Live { path: path.clone() },
            _ => UnixError::Folder {
                path: path.clone(),
                source,
            },
        })?;
    let held = HeldFile::hold(path)?;
    let file = SocketFile {
        path: path.clone(),
        identity: held.identity,
    };
    // What the umask took away; while the file is ours, since a stranger's needs another right.
    held.set_mode(config.mode)
        .map_err(call(path, "setting its mode"))?;
    held.give(owner, group).map_err(call(
        path,
        "giving it to its owner and group (only root may give files away, and others only to groups of their own; the package's unit does not allow that either: `trapline doctor` says what to add to it)",
    ))?;
    Ok((socket, file))
}

/// Removes what an agent that was killed has left. A socket at which somebody listens stays.
fn make_room(path: &Path, address: &SockAddr) -> Result<(), UnixError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => {
            let path = path.to_owned();
            return Err(UnixError::Folder { path, source });
        }
        Ok(found) if !found.file_type().is_socket() => {
            return Err(UnixError::NotASocket {
                path: path.to_owned(),
            });
        }
        Ok(_) => {}
    }
    let probe = Socket::new(Domain::UNIX, Type::DGRAM, None)
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .map_err(call(path, "making a socket"))?;
    // A listening stream socket answers a datagram's connect with EPROTOTYPE; only nobody answers with "refused".
    let is_stale = probe
        .connect(address)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    if !is_stale {
        let path = path.to_owned();
        return Err(UnixError::Live { path });
    }
    fs::remove_file(path).map_err(call(path, "removing a stale socket"))
}

fn call(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> UnixError {
    let path = path.to_owned();
    move |source| UnixError::Call { path, what, source }
}

/// One of the host's two lists of names.
#[derive(Debug)]
pub struct Database {
    /// Of whom: "user" or "group".
    pub kind: &'static str,
    /// What `getent` calls it.
    pub name: &'static str,
    look_up: fn(&CString) -> Option<u32>,
}

/// The users of this host.
pub const USERS: Database = Database {
    kind: "user",
    name: "passwd",
    look_up: user,
};

/// The groups of this host.
pub const GROUPS: Database = Database {
    kind: "group",
    name: "group",
    look_up: group,
};

impl Database {
    /// The number of what is asked for by its name or its number; `None` where this host knows no such name. Any number
    /// will do: a file may belong to one that has no name.
    pub fn id(&self, asked: &str) -> Option<u32> {
        let named = || (self.look_up)(&CString::new(asked).ok()?);
        asked.parse().ok().or_else(named)
    }
}

fn id(path: &Path, asked: Option<&str>, database: &Database) -> Result<Option<u32>, UnixError> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    match database.id(asked) {
        Some(id) => Ok(Some(id)),
        None => Err(UnixError::Unknown {
            path: path.to_owned(),
            kind: database.kind,
            database: database.name,
            name: asked.to_owned(),
        }),
    }
}

fn user(name: &CString) -> Option<u32> {
    let mut buffer = vec![0; ENTRY_BYTES_MAX];
    let mut found = std::ptr::null_mut();
    // SAFETY: passwd is a plain C struct of integers and pointers, for which all zeroes is a value.
    let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
    // SAFETY: the name ends with a zero, and the buffer is given with its true length.
    let result = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    (result == 0 && !found.is_null()).then_some(entry.pw_uid)
}

fn group(name: &CString) -> Option<u32> {
    let mut buffer = vec![0; ENTRY_BYTES_MAX];
    let mut found = std::ptr::null_mut();
    // SAFETY: as above, for group.
    let mut entry: libc::group = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    let result = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            &raw mut entry,
            buffer.as_mut_ptr(),
            buffer.len(),
            &raw mut found,
        )
    };
    (result == 0 && !found.is_null()).then_some(entry.gr_gid)
}

#[cfg(test)]
mod tests;
