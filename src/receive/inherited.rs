//! Sockets that the service manager has bound and passed in → which listener each belongs to.
//!
//! ```text
//!  $LISTEN_PID, $LISTEN_FDS, $LISTEN_FDNAMES ──announced──▶ names of descriptors 3, 4, ...
//!                                        getsockname, SO_TYPE ──▶ Inherited ──take(listener)──▶ adopt
//!                                                                          └──left──▶ said in the log, closed
//! ```
//!
//! The protocol is sd_listen_fds(3). A socket is found by where it is bound and never by its name, so that a unit that
//! was edited cannot give a listener another port than its configuration says; the name is for messages.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use socket2::{Socket, Type};

use crate::packet::Transport;

/// The first descriptor that is passed in (`SD_LISTEN_FDS_START`, sd_listen_fds(3)).
const FIRST: RawFd = 3;

/// Descriptors that are taken over: 64 sockets each of 16 listeners, more than any host has use for.
const DESCRIPTORS_MAX: usize = 1024;

/// What systemd calls a descriptor without a name (sd_listen_fds_with_names(3)).
const NAMELESS: &str = "unknown";

/// The sockets that no listener has taken yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<Passed>,
}

/// One socket that was passed in.
#[derive(Debug)]
struct Passed {
    name: String,
    descriptor: OwnedFd,
    /// Where it is bound and what it takes; `None` for what is no internet socket.
    bound: Option<(Kind, SocketAddr)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Datagrams,
    Streams,
}

impl Inherited {
    /// No socket was passed in; every listener is bound by the agent.
    pub fn none() -> Self {
        Inherited::default()
    }

    /// What this process's environment announces. To be called once, before the process has opened anything: the
    /// descriptors become this value's own.
    pub fn from_env() -> Self {
        let variable = |name| std::env::var(name).ok();
        let names = announced(
            variable("LISTEN_PID").as_deref(),
            variable("LISTEN_FDS").as_deref(),
            variable("LISTEN_FDNAMES").as_deref(),
            std::process::id(),
        );
        let sockets = (FIRST..).zip(names).filter_map(|(number, name)| {
            let flags = set_close_on_exec(number);
            // SAFETY: the descriptor is open, as fcntl has said, and the service manager gave it to this process alone.
            let descriptor = flags.then(|| unsafe { OwnedFd::from_raw_fd(number) });
            descriptor.map(|descriptor| (name, descriptor))
        });
        Inherited::new(sockets)
    }

    /// These sockets, with their names.
    pub fn new(sockets: impl IntoIterator<Item = (String, OwnedFd)>) -> Self {
        let sockets = sockets.into_iter().map(|(name, descriptor)| {
            let socket = Socket::from(descriptor);
            let bound = bound(&socket);
            Passed {
                name,
                bound,
                descriptor: socket.into(),
            }
        });
        Inherited {
            sockets: sockets.collect(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Gives away the sockets for a listener at `bind`: every one of datagrams, the first one of streams. None: the
    /// agent has to bind by itself.
    pub fn take(&mut self, transport: Transport, bind: SocketAddr) -> Vec<OwnedFd> {
        let (kind, max) = match transport {
            Transport::Udp => (Kind::Datagrams, usize::MAX),
            Transport::Tcp | Transport::Tls => (Kind::Streams, 1),
            // A unix socket is a file of the agent's own.
            Transport::UnixDgram | Transport::UnixStream => return Vec::new(),
        };
        let mut taken = Vec::new();
        let mut left = Vec::new();
        for passed in self.sockets.drain(..) {
            let fits = passed
                .bound
                .is_some_and(|(of, at)| of == kind && is_same_place(at, bind));
            if fits && taken.len() < max {
                taken.push(passed.descriptor);
            } else {
                left.push(passed);
            }
        }
        self.sockets = left;
        taken
    }

    /// Says of each socket that no listener took that nobody reads it, and closes this process's end.
    pub fn close_left(self) {
        for passed in self.sockets {
            let address = passed
                .bound
                .map_or("no internet address".to_owned(), |(_, at)| at.to_string());
            tracing::warn!(
                socket = passed.name,
                address,
                "a socket was passed in that no listener is set for, nobody reads it: disable its unit or add a listener"
            );
        }
    }
}

/// The names of the descriptors that are meant for this process, in their order (sd_listen_fds_with_names(3)).
fn announced(
    listen_pid: Option<&str>,
    listen_fds: Option<&str>,
    listen_fdnames: Option<&str>,
    own_pid: u32,
) -> Vec<String> {
    if listen_pid.and_then(|pid| pid.parse().ok()) != Some(own_pid) {
        return Vec::new();
    }
    let count: usize = listen_fds
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    let mut names = listen_fdnames.unwrap_or_default().split(':');
    let name = || match names.next() {
        None | Some("") => NAMELESS.to_owned(),
        Some(name) => name.to_owned(),
    };
    std::iter::repeat_with(name)
        .take(count.min(DESCRIPTORS_MAX))
        .collect()
}

/// Keeps the descriptor from programs that this one might start. False: there is no such descriptor.
fn set_close_on_exec(number: RawFd) -> bool {
    // SAFETY: fcntl takes any number, and says EBADF for one that is no open descriptor.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) == 0 }
}

fn bound(socket: &Socket) -> Option<(Kind, SocketAddr)> {
    let at = socket.local_addr().ok()?.as_socket()?;
    let kind = socket.r#type().ok()?;
    if kind == Type::DGRAM {
        Some((Kind::Datagrams, at))
    } else if kind == Type::STREAM && socket.is_listener().unwrap_or(false) {
        Some((Kind::Streams, at))
    } else {
        None
    }
}

/// Whether a socket at `at` hears what a listener at `bind` is to hear. `[::]` and `0.0.0.0` are the same: systemd takes
/// the latter on a host without IPv6.
fn is_same_place(at: SocketAddr, bind: SocketAddr) -> bool {
    let place = |address: IpAddr| {
        let address = address.to_canonical();
        (!address.is_unspecified()).then_some(address)
    };
    at.port() == bind.port() && place(at.ip()) == place(bind.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYWHERE: &str = "127.0.0.1:0";

    fn datagrams() -> (OwnedFd, SocketAddr) {
        let socket = std::net::UdpSocket::bind(ANYWHERE).unwrap();
        let at = socket.local_addr().unwrap();
        (socket.into(), at)
    }

    fn streams() -> (OwnedFd, SocketAddr) {
        let socket = std::net::TcpListener::bind(ANYWHERE).unwrap();
        let at = socket.local_addr().unwrap();
        (socket.into(), at)
    }

    #[test]
    fn descriptors_of_another_process_are_not_taken() {
        assert_eq!(announced(Some("7"), Some("2"), Some("a:b"), 7), ["a", "b"]);
        assert!(announced(Some("8"), Some("2"), Some("a:b"), 7).is_empty());
        assert!(announced(None, Some("2"), None, 7).is_empty());
        assert!(announced(Some("7"), Some("two"), None, 7).is_empty());
    }

    #[test]
    fn a_descriptor_without_a_name_is_taken_and_their_number_is_limited() {
        assert_eq!(
            announced(Some("7"), Some("3"), Some("a::"), 7),
            ["a", NAMELESS, NAMELESS]
        );
        let many = announced(Some("7"), Some("4000000000"), None, 7);
        assert_eq!(many.len(), DESCRIPTORS_MAX);
    }

    #[test]
    fn a_listener_gets_the_sockets_of_its_place_and_kind_and_no_others() {
        let ((udp, at), (tcp, tcp_at)) = (datagrams(), streams());
        let mut inherited = Inherited::new([
            ("syslog-udp".to_owned(), udp),
            ("syslog-tcp".to_owned(), tcp),
        ]);
        assert!(inherited.take(Transport::Tcp, at).is_empty());
        let elsewhere = SocketAddr::new(at.ip(), at.port() ^ 1);
        assert!(inherited.take(Transport::Udp, elsewhere).is_empty());
        assert_eq!(inherited.take(Transport::Udp, at).len(), 1);
        assert!(inherited.take(Transport::Udp, at).is_empty());
        assert_eq!(inherited.len(), 1);
        assert_eq!(inherited.take(Transport::Tls, tcp_at).len(), 1);
        assert!(inherited.is_empty());
    }

    #[test]
    fn every_socket_of_a_reuseport_group_is_taken() {
        let group = |at: SocketAddr| {
            let socket = Socket::new(socket2::Domain::IPV4, Type::DGRAM, None).unwrap();
            socket.set_reuse_port(true).unwrap();
            socket.bind(&at.into()).unwrap();
            let at = socket.local_addr().unwrap().as_socket().unwrap();
            (OwnedFd::from(socket), at)
        };
        let (first, at) = group(ANYWHERE.parse().unwrap());
        let (second, _) = group(at);
        let mut inherited = Inherited::new([first, second].map(|each| ("u".to_owned(), each)));
        assert_eq!(inherited.take(Transport::Udp, at).len(), 2);
    }

    #[test]
    fn every_address_is_the_same_place_with_and_without_ipv6() {
        let place = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert!(is_same_place(place("0.0.0.0:514"), place("[::]:514")));
        assert!(is_same_place(place("[::]:514"), place("0.0.0.0:514")));
        assert!(is_same_place(
            place("[::ffff:10.0.0.1]:514"),
            place("10.0.0.1:514")
        ));
        assert!(!is_same_place(place("[::]:514"), place("10.0.0.1:514")));
        assert!(!is_same_place(place("[::]:514"), place("[::]:515")));
    }

    #[test]
    fn what_is_no_internet_socket_is_left() {
        let (unix, _peer) = std::os::unix::net::UnixDatagram::pair().unwrap();
        let mut inherited = Inherited::new([("odd".to_owned(), OwnedFd::from(unix))]);
        assert!(
            inherited
                .take(Transport::Udp, ANYWHERE.parse().unwrap())
                .is_empty()
        );
        assert_eq!(inherited.len(), 1);
        inherited.close_left();
    }
}
