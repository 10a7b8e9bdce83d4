use std::io::Write;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::observe::health::Heartbeats;
use crate::observe::ledger::ListenerLedger;
use crate::packet::{Transport, Wholeness};
use crate::receive::fake::{FakeSink, Seen, ledger, listener, wait_until};
use crate::receive::tcp::{self, StreamListener};
use crate::receive::udp::UdpListener;
use crate::receive::{self, ReceiveError, Stop};

struct Place {
    folder: TempDir,
    config: Config,
}

impl Place {
    fn new() -> Place {
        let folder = TempDir::new().unwrap();
        let config = Config::new(folder.path().join("app.sock"));
        Place { folder, config }
    }

    fn path(&self) -> &Path {
        &self.config.path
    }

    fn listener(&self, transport: Transport) -> receive::Config {
        let mut config = receive::Config::new(listener(transport), "[::]:0".parse().unwrap());
        config.unix = Some(self.config.clone());
        config
    }

    fn mode(&self) -> u32 {
        fs::metadata(self.path()).unwrap().permissions().mode() & 0o777
    }
}

struct Running {
    seen: Arc<Seen>,
    ledger: Arc<ListenerLedger>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    fn start(config: receive::Config) -> Running {
        let (seen, stop) = (Arc::new(Seen::default()), Arc::new(Stop::new()));
        let ledger = ledger(config.listener.transport);
        let heartbeats = Heartbeats::new(Instant::now());
        let threads = if config.listener.transport == Transport::UnixDgram {
            let listener = UdpListener::bind(config, Arc::clone(&ledger)).unwrap();
            let sink = |shard| FakeSink::new(shard, &seen);
            listener.spawn(sink, &stop, &heartbeats).unwrap()
        } else {
            let listener = StreamListener::bind(config, Arc::clone(&ledger)).unwrap();
            let sink = FakeSink::new(0, &seen);
            let heartbeat = heartbeats.register("streams");
            vec![tcp::spawn(vec![listener], sink, &stop, heartbeat).unwrap()]
        };
        Running {
            seen,
            ledger,
            stop,
            threads,
        }
    }

    fn finish(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let counts = self.ledger.counts();
        assert_eq!(counts.in_hand, 0);
        assert_eq!(counts.received, counts.used + counts.rejected_total());
    }
}

#[test]
fn datagrams_arrive_whole_in_order_and_a_fast_sender_waits_instead_of_losing() {
    let place = Place::new();
    let mut running = Running::start(place.listener(Transport::UnixDgram));
    let sender = UnixDatagram::unbound().unwrap();
    for number in 0..5000 {
        let message = format!("<13>app[1]: {number}");
        sender.send_to(message.as_bytes(), place.path()).unwrap();
    }
    wait_until("all datagrams", || running.seen.count() == 5000);
    running.finish();
    for (number, given) in running.seen.given().iter().enumerate() {
        assert_eq!(given.text, format!("<13>app[1]: {number}"));
        assert_eq!(given.peer, None);
        assert_eq!(given.wholeness, Wholeness::Whole);
        assert!(given.received.0 > 0);
    }
    assert_eq!(running.ledger.counts().used, 5000);
    assert_eq!(running.ledger.kernel_dropped(), 0);
}

#[test]
fn a_datagram_longer_than_the_limit_is_cut_and_says_so() {
    let place = Place::new();
    let mut running = Running::start(place.listener(Transport::UnixDgram));
    let sender = UnixDatagram::unbound().unwrap();
    let long = vec![b'x'; receive::DATAGRAM_BYTES_MAX + 1];
    sender.send_to(&long, place.path()).unwrap();
    wait_until("the datagram", || running.seen.count() == 1);
    running.finish();
    let given = running.seen.given();
    assert_eq!(given[0].wholeness, Wholeness::Cut);
    assert_eq!(given[0].text.len(), receive::DATAGRAM_BYTES_MAX);
}

#[test]
fn streams_are_framed_as_those_of_tcp_are() {
    let place = Place::new();
    let mut running = Running::start(place.listener(Transport::UnixStream));
    let mut sender = UnixStream::connect(place.path()).unwrap();
    for number in 0..1000 {
        let message = format!("<13>{number}");
        let framed = match number % 2 {
            0 => format!("{} {message}", message.len()),
            _ => format!("{message}\n"),
        };
        sender.write_all(framed.as_bytes()).unwrap();
    }
    drop(sender);
    wait_until("all frames", || running.seen.count() == 1000);
    running.finish();
    let expected: Vec<String> = (0..1000).map(|number| format!("<13>{number}")).collect();
    assert_eq!(running.seen.texts(), expected);
    assert!(
        running
            .seen
            .given()
            .iter()
            .all(|given| given.peer.is_none())
    );
}

#[test]
fn connections_of_this_host_are_limited_in_all_and_not_by_address() {
    let place = Place::new();
    let mut config = place.listener(Transport::UnixStream);
    (config.connections_max, config.connections_per_peer_max) = (3, 1);
    let mut running = Running::start(config);
    let mut senders: Vec<UnixStream> = (0..3)
        .map(|_| UnixStream::connect(place.path()).unwrap())
        .collect();
    for sender in &mut senders {
        sender.write_all(b"<13>hello\n").unwrap();
    }
    wait_until("three messages", || running.seen.count() == 3);
    let _fourth = UnixStream::connect(place.path()).unwrap();
    let refused = &running.ledger.connections_refused;
    wait_until("the fourth is refused", || {
        refused.load(std::sync::atomic::Ordering::Relaxed) == 1
    });
    drop(senders);
    running.finish();
}

#[test]
fn a_stopped_listener_reads_what_is_there_tells_senders_and_takes_its_file_along() {
    let place = Place::new();
    for transport in [Transport::UnixDgram, Transport::UnixStream] {
        let mut running = Running::start(place.listener(transport));
        assert!(place.path().exists());
        running.finish();
        assert!(!place.path().exists(), "{transport:?}");
        let sender = UnixDatagram::unbound().unwrap();
        assert!(sender.send_to(b"late", place.path()).is_err());
    }
}

#[test]
fn what_a_killed_agent_left_behind_is_removed() {
    let place = Place::new();
    for transport in [Transport::UnixDgram, Transport::UnixStream] {
        // Closing a socket leaves its file.
        drop(UnixListener::bind(place.path()).unwrap());
        let mut running = Running::start(place.listener(transport));
        running.finish();
        drop(UnixDatagram::bind(place.path()).unwrap());
        let mut running = Running::start(place.listener(transport));
        running.finish();
    }
}

fn refusal(place: &Place) -> String {
    let config = place.listener(Transport::UnixDgram);
    let error = UdpListener::bind(config, ledger(Transport::UnixDgram)).unwrap_err();
    assert!(matches!(error, ReceiveError::Unix { .. }));
    let config = place.listener(Transport::UnixStream);
    StreamListener::bind(config, ledger(Transport::UnixStream)).unwrap_err();
    error.to_string()
}

#[test]
fn a_socket_at_which_somebody_listens_is_left_alone() {
    let place = Place::new();
    let live = UnixDatagram::bind(place.path()).unwrap();
    assert!(refusal(&place).contains("is taken by another process"));
    drop(live);
    fs::remove_file(place.path()).unwrap();
    let _live = UnixListener::bind(place.path()).unwrap();
    assert!(refusal(&place).contains("is taken by another process"));
    assert!(place.path().exists());
}

#[test]
fn a_file_that_is_no_socket_is_never_removed() {
    let place = Place::new();
    fs::write(place.path(), "precious").unwrap();
    assert!(refusal(&place).contains("is no socket"));
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious");
    fs::remove_file(place.path()).unwrap();
    let elsewhere = place.folder.path().join("elsewhere.sock");
    drop(UnixDatagram::bind(&elsewhere).unwrap());
    std::os::unix::fs::symlink(&elsewhere, place.path()).unwrap();
    assert!(refusal(&place).contains("is no socket"));
    assert!(elsewhere.exists());
}

#[test]
fn a_file_that_somebody_else_has_put_there_stays() {
    let place = Place::new();
    let mut running = Running::start(place.listener(Transport::UnixDgram));
    fs::remove_file(place.path()).unwrap();
    let _other = UnixDatagram::bind(place.path()).unwrap();
    running.finish();
    assert!(place.path().exists());
}

#[test]
fn mode_owner_and_group_are_as_asked_whatever_the_umask() {
    let mut place = Place::new();
    place.config.mode = 0o660;
    let owner = fs::metadata(place.folder.path()).unwrap();
    place.config.owner = Some(owner.uid().to_string());
    place.config.group = Some(owner.gid().to_string());
    for kind in [Type::DGRAM, Type::STREAM] {
        let bound = bind(&place.config, kind).unwrap();
        assert_eq!(place.mode(), 0o660);
        let found = fs::metadata(place.path()).unwrap();
        assert_eq!((found.uid(), found.gid()), (owner.uid(), owner.gid()));
        drop(bound);
    }
    place.config.mode = MODE;
    let _bound = bind(&place.config, Type::DGRAM).unwrap();
    assert_eq!(place.mode(), 0o666);
}

#[test]
fn what_was_put_in_the_place_of_the_socket_is_given_to_nobody() {
    let place = Place::new();
    let victim = place.folder.path().join("victim");
    fs::write(&victim, "").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();
    let exchanged = |path: &Path| {
        let held = HeldFile::hold(path);
        assert!(
            matches!(&held, Err(UnixError::Exchanged { .. })),
            "{held:?}"
        );
    };
    exchanged(&victim);
    std::os::unix::fs::symlink(&victim, place.path()).unwrap();
    exchanged(place.path());
    fs::remove_file(place.path()).unwrap();

    // Exchanged later: what is held is what was held.
    let (_socket, _file) = bind(&place.config, Type::DGRAM).unwrap();
    let held = HeldFile::hold(place.path()).unwrap();
    let aside = place.folder.path().join("aside");
    fs::rename(place.path(), &aside).unwrap();
    std::os::unix::fs::symlink(&victim, place.path()).unwrap();
    held.set_mode(0o640).unwrap();
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!((mode(&victim), mode(&aside)), (0o600, 0o640));
}

#[test]
fn names_of_users_and_groups_are_looked_up() {
    let place = Place::new();
    assert_eq!(id(place.path(), Some("root"), &USERS).unwrap(), Some(0));
    assert_eq!(id(place.path(), Some("root"), &GROUPS).unwrap(), Some(0));
    assert_eq!(id(place.path(), Some("4711"), &GROUPS).unwrap(), Some(4711));
    assert_eq!(id(place.path(), None, &USERS).unwrap(), None);
    let error = id(place.path(), Some("no-such-group"), &GROUPS).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no group \"no-such-group\"") && text.contains("getent group"));
}

#[test]
fn what_cannot_be_bound_says_why() {
    let mut place = Place::new();
    let folder = place.folder.path().to_owned();
    place.config.path = folder.join("missing/app.sock");
    assert!(refusal(&place).contains("its folder must exist"));
    place.config.path = folder.join("x".repeat(PATH_BYTES_MAX));
    assert!(refusal(&place).contains("a socket's path may have 107"));
}

#[test]
fn the_kernel_says_how_many_datagrams_fit() {
    let place = Place::new();
    let fit = burst_datagrams().unwrap();
    let (_socket, _file) = bind_datagrams(&place.config).unwrap();
    let sender = UnixDatagram::unbound().unwrap();
    sender.set_nonblocking(true).unwrap();
    let sent = (0..fit + 10)
        .take_while(|_| sender.send_to(b"<13>x", place.path()).is_ok())
        .count();
    // A sender's own buffer may be the narrower limit where the queue is long.
    assert!(sent > 0 && sent <= fit, "{sent} of {fit}");
}
