mod snmp;

use std::io::{Read, Write};
use std::net::TcpStream as Sender;
use std::path::Path;

use super::*;
use crate::observe::health::Heartbeats;
use crate::packet::{Allow, Reason, Wholeness};
use crate::receive::fake::{FakeSink, Seen, ledger, listener, wait_until};

struct Running {
    to: SocketAddr,
    seen: Arc<Seen>,
    ledger: Arc<ListenerLedger>,
    allow: AllowList,
    tls: Option<Arc<tls::Acceptor>>,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

fn config(transport: Transport) -> Config {
    Config::new(listener(transport), "127.0.0.1:0".parse().unwrap())
}

fn start(config: Config) -> Running {
    let ledger = ledger(config.listener.transport);
    let listener = StreamListener::bind(config, Arc::clone(&ledger)).unwrap();
    let (to, allow, tls) = (
        listener.local_addr().unwrap(),
        listener.allow(),
        listener.tls(),
    );
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(Stop::new()));
    let heartbeat = Heartbeats::new(Instant::now()).register("streams");
    let thread = spawn(vec![listener], FakeSink::new(0, &seen), &stop, heartbeat).unwrap();
    Running {
        to,
        seen,
        ledger,
        allow,
        tls,
        stop,
        thread: Some(thread),
    }
}

impl Running {
    fn connect(&self) -> Sender {
        let sender = Sender::connect(self.to).unwrap();
        sender
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        sender.set_nodelay(true).unwrap();
        sender
    }

    fn finish(&mut self) {
        self.stop.stop();
        self.thread.take().unwrap().join().unwrap();
        let counts = self.ledger.counts();
        assert_eq!(counts.in_hand, 0);
        assert_eq!(counts.received, counts.used + counts.rejected_total());
        assert_eq!(self.read(&self.ledger.connections_open), 0);
    }

    fn read(&self, counter: &std::sync::atomic::AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.read(&self.ledger.connections_refused)
    }
}

/// Whether the other side has closed: an end or a reset, not a timeout.
fn is_closed(sender: &mut Sender) -> bool {
    match sender.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn numbered_frames_of_several_connections_all_arrive_in_order() {
    let mut running = start(config(Transport::Tcp));
    let to = running.to;
    let devices: Vec<_> = (0..4)
        .map(|device| {
            std::thread::spawn(move || {
                let mut sender = Sender::connect(to).unwrap();
                for number in 0..2000 {
                    let message = format!("<13>{device}:{number}");
                    let framed = match number % 3 {
                        0 => format!("{} {message}", message.len()),
                        1 => format!("{message}\n"),
                        _ => format!("{message}\r\n"),
                    };
                    sender.write_all(framed.as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for device in devices {
        device.join().unwrap();
    }
    wait_until("all frames", || running.seen.count() == 8000);
    running.finish();
    for device in 0..4 {
        let prefix = format!("<13>{device}:");
        let numbers: Vec<usize> = running
            .seen
            .texts()
            .iter()
            .filter_map(|text| text.strip_prefix(&prefix)?.parse().ok())
            .collect();
        assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
    }
    assert_eq!(running.read(&running.ledger.connections_accepted), 4);
}

#[test]
fn snmp_on_a_stream_is_refused_before_its_community_could_be_taken_for_a_line() {
    let mut running = start(config(Transport::Tcp));
    let mut sender = running.connect();
    // A v1 trap: the version's zero octet would end the first line right before the community.
    let trap = b"\x30\x29\x02\x01\x00\x04\x06s3cr3t\xa4\x1c\x06\x08rest of it, never read";
    for byte in trap {
        let _ = sender.write_all(&[*byte]);
    }
    assert!(is_closed(&mut sender), "the connection is still open");
    let reason = Reason::SnmpOverStream as usize;
    wait_until("it is counted", || {
        running.ledger.counts().rejected[reason] == 1
    });
    running.finish();
    assert_eq!(running.seen.count(), 0);
}

#[test]
fn hostile_peers_do_not_hold_up_others() {
    let mut running = start(config(Transport::Tcp));
    let _silent = running.connect();
    let mut slow = running.connect();
    slow.write_all(b"1").unwrap();
    let mut huge = running.connect();
    huge.write_all(b"99999999999 <13>").unwrap();
    let mut junk = running.connect();
    junk.write_all(&[0xff; 300_000]).unwrap();
    let flooding = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (mut flood, goes_on) = (running.connect(), Arc::clone(&flooding));
    let flood = std::thread::spawn(move || {
        while goes_on.load(Ordering::Relaxed) {
            flood.write_all(&b"<13>flood\n".repeat(1000)).unwrap();
        }
    });
    for byte in b"2 <13>one byte" {
        slow.write_all(&[*byte]).unwrap();
        running.connect().write_all(b"<13>good\n").unwrap();
    }
    let good = || {
        let texts = running.seen.texts();
        texts.iter().filter(|text| *text == "<13>good").count() == 14
    };
    wait_until("the good messages", good);
    wait_until("the slow message", || {
        running.seen.texts().contains(&"<13>one byte".to_owned())
    });
    flooding.store(false, Ordering::Relaxed);
    flood.join().unwrap();
    running.finish();
    assert_eq!(running.read(&running.ledger.cut), 1, "the junk line");
    assert_eq!(running.read(&running.ledger.half_frames), 1, "the huge one");
}

#[test]
fn a_half_frame_at_the_close_becomes_a_packet_and_is_counted() {
    let mut running = start(config(Transport::Tcp));
    running.connect().write_all(b"20 <13>half").unwrap();
    wait_until("the half", || running.seen.count() == 1);
    running.connect().write_all(b"<13>line").unwrap();
    wait_until("the line", || running.seen.count() == 2);
    running.finish();
    let given = running.seen.given();
    assert_eq!(given[0].wholeness, Wholeness::Half);
    assert_eq!(
        (given[1].text.as_str(), given[1].wholeness),
        ("<13>line", Wholeness::Whole)
    );
    assert_eq!(running.read(&running.ledger.half_frames), 1);
}

#[test]
fn a_line_that_the_stop_an_idle_close_or_a_reset_cuts_is_a_half() {
    let reset = |sender: Sender| {
        let socket = socket2::Socket::from(sender);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    };
    type UntilEnd = Box<dyn Fn(&mut Running, Sender)>;
    let ends: [(&str, u64, UntilEnd); 3] = [
        (
            "stop",
            3600,
            Box::new(|running, sender| {
                running.finish();
                drop(sender);
            }),
        ),
        (
            "idle",
            1,
            Box::new(|running, sender| {
                wait_until("the idle close", || running.seen.count() == 2);
                drop(sender);
                running.finish();
            }),
        ),
        (
            "reset",
            3600,
            Box::new(move |running, sender| {
                reset(sender);
                wait_until("the reset", || running.seen.count() == 2);
                running.finish();
            }),
        ),
    ];
    for (end, idle_seconds_max, until_end) in ends {
        let mut config = config(Transport::Tcp);
        config.idle_seconds_max = idle_seconds_max;
        let mut running = start(config);
        let mut sender = running.connect();
        sender.write_all(b"<13>one\n<13>two is cut he").unwrap();
        wait_until("the first", || running.seen.count() == 1);
        until_end(&mut running, sender);
        let given = running.seen.given();
        let given: Vec<_> = given
            .iter()
            .map(|given| (given.text.as_str(), given.wholeness))
            .collect();
        let expected = [
            ("<13>one", Wholeness::Whole),
            ("<13>two is cut he", Wholeness::Half),
        ];
        assert_eq!(given, expected, "{end}");
        assert_eq!(running.read(&running.ledger.half_frames), 1, "{end}");
    }
}

#[test]
fn a_frame_above_the_limit_is_cut_and_the_next_one_is_whole() {
    let mut running = start(config(Transport::Tcp));
    let long = format!("<13>{}", "x".repeat(100_000));
    let mut sender = running.connect();
    let framed = format!("{} {long}9 <13>after", long.len());
    sender.write_all(framed.as_bytes()).unwrap();
    wait_until("both", || running.seen.count() == 2);
    running.finish();
    let given = running.seen.given();
    assert_eq!(given[0].wholeness, Wholeness::Cut);
    assert_eq!(given[0].text.len(), super::super::FRAME_BYTES_MAX);
    assert_eq!(given[1].text, "<13>after");
    assert_eq!(running.read(&running.ledger.cut), 1);
}

#[test]
fn connections_above_the_limits_are_closed_at_once_and_seats_come_back() {
    let mut few = config(Transport::Tcp);
    few.connections_max = 3;
    few.connections_per_peer_max = 2;
    let mut running = start(few);
    let (first, _second) = (running.connect(), running.connect());
    assert!(
        is_closed(&mut running.connect()),
        "the third of one address"
    );
    let connect_from = |address: &str| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.unwrap();
        let from: SocketAddr = format!("{address}:0").parse().unwrap();
        socket.bind(&from.into()).unwrap();
        socket.connect(&running.to.into()).unwrap();
        Sender::from(socket)
    };
    let _third = connect_from("127.0.0.2");
    assert!(
        is_closed(&mut connect_from("127.0.0.3")),
        "the fourth of all"
    );
    assert_eq!(running.refused(), 2);
    drop(first);
    wait_until("a free seat", || {
        running.read(&running.ledger.connections_open) == 2
    });
    running.connect().write_all(b"<13>again\n").unwrap();
    wait_until("the message", || running.seen.count() == 1);
    running.finish();
}

#[test]
fn a_peer_that_is_not_allowed_is_refused_and_one_that_no_longer_is_loses_its_connection() {
    let mut running = start(config(Transport::Tcp));
    let mut early = running.connect();
    early.write_all(b"<13>early\n").unwrap();
    wait_until("the first message", || running.seen.count() == 1);
    running
        .allow
        .set_allow(Allow::Prefixes(vec!["192.0.2.0/24".parse().unwrap()]));
    assert!(is_closed(&mut running.connect()));
    assert_eq!(running.refused(), 1);
    early.write_all(b"<13>late\n").unwrap();
    assert!(is_closed(&mut early));
    running.finish();
    assert_eq!(running.seen.texts(), ["<13>early"]);
    let rejected = running.ledger.counts().rejected;
    assert_eq!(rejected[Reason::SourceNotAllowed as usize], 1);
}

#[test]
fn a_connection_that_says_nothing_is_closed_after_the_idle_limit() {
    let mut short = config(Transport::Tcp);
    short.idle_seconds_max = 1;
    let mut running = start(short);
    let began = Instant::now();
    assert!(is_closed(&mut running.connect()));
    assert!(began.elapsed() >= Duration::from_millis(900));
    running.finish();
}

#[test]
fn what_was_sent_before_the_stop_is_read() {
    let mut running = start(config(Transport::Tcp));
    let mut senders: Vec<_> = (0..20).map(|_| running.connect()).collect();
    for sender in &mut senders {
        sender.write_all(&b"<13>before\n".repeat(100)).unwrap();
    }
    running.finish();
    assert_eq!(running.seen.count(), 2000);
}

#[test]
fn a_peer_that_never_pauses_does_not_hold_up_the_stop() {
    let mut running = start(config(Transport::Tcp));
    let mut sender = running.connect();
    let flood = std::thread::spawn(move || while sender.write_all(b"<13>more\n").is_ok() {});
    wait_until("some messages", || running.seen.count() > 100);
    let began = Instant::now();
    running.finish();
    assert!(began.elapsed() < Duration::from_secs(8));
    flood.join().unwrap();
}

#[test]
fn a_socket_from_which_nothing_can_be_accepted_does_not_hold_up_the_stop() {
    let ledger = ledger(Transport::Tcp);
    // It does not listen: accepting fails each time, as it does without descriptors.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let at: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&at.into()).unwrap();
    let bound = Bound::Tcp(socket.into());
    let config = config(Transport::Tcp);
    let listener = StreamListener::with(config, bound, Ownership::Own, None, ledger);
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(Stop::new()));
    let heartbeat = Heartbeats::new(Instant::now()).register("streams");
    let thread = spawn(vec![listener], FakeSink::new(0, &seen), &stop, heartbeat).unwrap();
    let begun = Instant::now();
    stop.stop();
    thread.join().unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_taken_port_is_refused_with_the_command_that_shows_who_has_it() {
    let first = StreamListener::bind(config(Transport::Tcp), ledger(Transport::Tcp)).unwrap();
    let mut second = config(Transport::Tcp);
    second.bind = first.local_addr().unwrap();
    let error = StreamListener::bind(second.clone(), ledger(Transport::Tcp)).unwrap_err();
    let command = format!("ss -lntp 'sport = :{}'", second.bind.port());
    assert!(error.to_string().contains(&command), "{error}");
}

#[test]
fn listeners_that_get_no_thread_come_back_as_they_were_and_are_read_by_the_next() {
    let ledger = ledger(Transport::Tcp);
    let bind = || StreamListener::bind(config(Transport::Tcp), Arc::clone(&ledger)).unwrap();
    let listeners = vec![bind(), bind()];
    let addresses = |listeners: &[StreamListener]| -> Vec<SocketAddr> {
        let listeners = listeners.iter();
        listeners.map(|it| it.local_addr().unwrap()).collect()
    };
    let to = addresses(&listeners);
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(Stop::new()));
    let heartbeat = || Heartbeats::new(Instant::now()).register("streams");
    let no_thread = |_, _| Err(io::Error::from_raw_os_error(libc::EAGAIN));
    let sink = FakeSink::new(0, &seen);
    let NotStarted { error, listener } =
        spawn_by(no_thread, listeners, sink, &stop, heartbeat()).unwrap_err();
    assert!(
        matches!(&error, ReceiveError::Thread { name, .. } if name == "under-test, under-test"),
        "{error}"
    );
    assert_eq!(addresses(&listener), to);
    // They listen all the while: who connects before there is a thread is heard as well.
    let mut senders: Vec<Sender> = to.iter().map(|to| Sender::connect(to).unwrap()).collect();
    for (number, sender) in senders.iter_mut().enumerate() {
        sender
            .write_all(format!("<13>{number}\n").as_bytes())
            .unwrap();
    }
    let sink = FakeSink::new(0, &seen);
    let thread = spawn(listener, sink, &stop, heartbeat()).unwrap();
    wait_until("both are heard", || seen.count() == 2);
    stop.stop();
    thread.join().unwrap();
    let mut texts = seen.texts();
    texts.sort_unstable();
    assert_eq!(texts, ["<13>0", "<13>1"]);
}

/// A server certificate, an authority and a client certificate that it signed, written to `folder`.
struct Certificates {
    folder: std::path::PathBuf,
    server: rustls_pki_types::CertificateDer<'static>,
    client: (rustls_pki_types::CertificateDer<'static>, rcgen::KeyPair),
}

fn write_server(folder: &Path) -> rustls_pki_types::CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("server.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn certificates(folder: &Path) -> Certificates {
    let server = write_server(folder);
    let mut params = rcgen::CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca_certificate = params.self_signed(&ca_key).unwrap();
    std::fs::write(folder.join("ca.pem"), ca_certificate.pem()).unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let client_key = rcgen::KeyPair::generate().unwrap();
    let client = rcgen::CertificateParams::new(vec!["device".to_owned()])
        .unwrap()
        .signed_by(&client_key, &issuer)
        .unwrap();
    Certificates {
        folder: folder.to_owned(),
        server,
        client: (client.der().clone(), client_key),
    }
}

impl Certificates {
    fn pem(&self, name: &str) -> tls::Pem {
        let path = self.folder.join(name);
        let octets = std::fs::read(&path).unwrap();
        tls::Pem { path, octets }
    }

    /// What the files say now.
    fn read(&self, client_auth: tls::ClientAuth) -> Result<tls::Config, tls::TlsError> {
        tls::Config::new(
            &self.pem("server.pem"),
            &self.pem("server.key"),
            &client_auth,
        )
    }

    fn without_clients(&self) -> tls::Config {
        self.read(tls::ClientAuth::None).unwrap()
    }
}

type TlsSender = rustls::StreamOwned<rustls::ClientConnection, Sender>;

fn tls_sender(
    running: &Running,
    trusted: &rustls_pki_types::CertificateDer<'static>,
    client: Option<&(rustls_pki_types::CertificateDer<'static>, rcgen::KeyPair)>,
) -> TlsSender {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
            builder
                .with_client_auth_cert(vec![certificate.clone()], key)
                .unwrap()
        }
    };
    let name = "localhost".try_into().unwrap();
    let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(session, running.connect())
}

fn start_tls(tls: tls::Config) -> Running {
    let mut config = config(Transport::Tls);
    config.tls = Some(tls);
    start(config)
}

#[test]
fn messages_come_through_tls_and_a_failed_handshake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = certificates(folder.path());
    let mut running = start_tls(certificates.without_clients());
    let mut plain = running.connect();
    plain.write_all(b"<13>this is no handshake\n").unwrap();
    wait_until("the refusal", || running.refused() == 1);
    let mut sender = tls_sender(&running, &certificates.server, None);
    sender.write_all(b"11 <13>counted<13>line\n").unwrap();
    wait_until("the messages", || running.seen.count() == 2);
    drop(sender);
    running.finish();
    assert_eq!(running.seen.texts(), ["<13>counted", "<13>line"]);
    assert_eq!(running.read(&running.ledger.connections_accepted), 1);
}

#[test]
fn a_handshake_that_never_ends_is_refused_after_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(Transport::Tls);
    config.tls = Some(certificates(folder.path()).without_clients());
    config.handshake_seconds_max = 1;
    let mut running = start(config);
    assert!(is_closed(&mut running.connect()));
    wait_until("the refusal", || running.refused() == 1);
    running.finish();
}

#[test]
fn a_handshake_that_a_stop_ends_is_refused_so_that_every_connection_has_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = certificates(folder.path());
    let mut running = start_tls(certificates.without_clients());
    let mut sender = tls_sender(&running, &certificates.server, None);
    sender.write_all(b"<13>taken\n").unwrap();
    let _silent = [running.connect(), running.connect()];
    wait_until("the connections", || {
        running.seen.count() == 1 && running.read(&running.ledger.connections_open) == 3
    });
    running.finish();
    assert_eq!(running.read(&running.ledger.connections_accepted), 1);
    assert_eq!(running.refused(), 2);
}

#[test]
fn where_client_certificates_are_required_only_signed_devices_are_heard() {
    let folder = tempfile::tempdir().unwrap();
    let certificates = certificates(folder.path());
    let required = tls::ClientAuth::Required {
        ca: certificates.pem("ca.pem"),
    };
    let mut running = start_tls(certificates.read(required).unwrap());
    let mut stranger = tls_sender(&running, &certificates.server, None);
    // TLS 1.3 lets a client write before the server has looked at its certificate, so the write may succeed.
    let _ = stranger.write_all(b"<13>stranger\n");
    wait_until("the refusal", || running.refused() == 1);
    let mut device = tls_sender(&running, &certificates.server, Some(&certificates.client));
    device.write_all(b"<13>device\n").unwrap();
    wait_until("the message", || running.seen.count() == 1);
    running.finish();
    assert_eq!(running.seen.texts(), ["<13>device"]);
}

#[test]
fn a_renewed_certificate_is_taken_and_one_of_other_files_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let before = certificates(folder.path());
    let mut running = start_tls(before.without_clients());
    let tls = running.tls.clone().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    tls.renew(&certificates(elsewhere.path()).without_clients());
    let mut sender = tls_sender(&running, &before.server, None);
    sender.write_all(b"<13>old\n").unwrap();
    let new = write_server(folder.path());
    tls.renew(&before.without_clients());
    let mut sender_of_new = tls_sender(&running, &new, None);
    sender_of_new.write_all(b"<13>new\n").unwrap();
    wait_until("both", || running.seen.count() == 2);
    sender.write_all(b"<13>still open\n").unwrap();
    wait_until("the open one", || running.seen.count() == 3);
    running.finish();
}

#[test]
fn tls_without_a_certificate_or_with_a_broken_one_says_what_is_missing() {
    let error = StreamListener::bind(config(Transport::Tls), ledger(Transport::Tls)).unwrap_err();
    assert!(
        matches!(error, ReceiveError::TlsNotConfigured { .. }),
        "{error}"
    );
    let folder = tempfile::tempdir().unwrap();
    let certificates = certificates(folder.path());
    std::fs::write(folder.path().join("server.key"), "not a key").unwrap();
    let error = certificates.read(tls::ClientAuth::None).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("private key") && error.contains("server.key"),
        "{error}"
    );
}

#[test]
fn the_thread_of_streams_rests_while_none_says_anything() {
    let mut running = start(config(Transport::Tcp));
    wait_until("a rest", || running.seen.rests.load(Ordering::SeqCst) > 0);
    running.finish();
}
