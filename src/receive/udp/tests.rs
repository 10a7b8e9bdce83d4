use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, UdpSocket as Sender};

use super::*;
use crate::observe::health::Heartbeats;
use crate::packet::{Protocol, Transport};
use crate::receive::fake::{FakeSink, Seen, ledger, listener, wait_until};
use crate::receive::steering::shard_of;

struct Running {
    to: SocketAddr,
    seen: Arc<Seen>,
    ledger: Arc<ListenerLedger>,
    allow: AllowList,
    drops: Arc<KernelDrops>,
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

fn config(bind: &str) -> Config {
    Config::new(listener(Transport::Udp), bind.parse().unwrap())
}

fn start(config: Config) -> Running {
    let ledger = ledger(Transport::Udp);
    run(
        UdpListener::bind(config, Arc::clone(&ledger)).unwrap(),
        ledger,
    )
}

fn run(listener: UdpListener, ledger: Arc<ListenerLedger>) -> Running {
    let to = listener.local_addr().unwrap();
    let (allow, drops) = (listener.allow(), listener.kernel_drops());
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(Stop::new()));
    let threads = listener
        .spawn(
            |shard| FakeSink::new(shard, &seen),
            &stop,
            &Heartbeats::new(Instant::now()),
        )
        .unwrap();
    Running {
        to,
        seen,
        ledger,
        allow,
        drops,
        stop,
        threads,
    }
}

impl Running {
    fn finish(&mut self) {
        self.stop.stop();
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
        let counts = self.ledger.counts();
        assert_eq!(counts.in_hand, 0);
        assert_eq!(counts.received, counts.used + counts.rejected_total());
    }

    fn rejected(&self, reason: Reason) -> u64 {
        self.ledger.counts().rejected[reason as usize]
    }
}

fn sender(address: &str) -> Sender {
    let sender = Sender::bind((address, 0)).unwrap();
    sender
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    sender
}

/// Whether this host has IPv6 at all; says so when a test has nothing to test.
fn has_ipv6() -> bool {
    let has = Sender::bind("[::1]:0").is_ok();
    if !has {
        eprintln!("SKIPPED: this host has no IPv6");
    }
    has
}

#[test]
fn numbered_datagrams_all_arrive_in_order_with_the_kernels_time() {
    let mut running = start(config("127.0.0.1:0"));
    let from = sender("127.0.0.1");
    let before = UnixMicros::now();
    for number in 0..5000 {
        let text = number.to_string();
        from.send_to(text.as_bytes(), running.to).unwrap();
        if number % 100 == 99 {
            // The default buffer of a test without rights holds 166.
            wait_until("a hundred more", || running.seen.count() > number);
        }
    }
    running.finish();
    let after = UnixMicros::now();
    let given = running.seen.given();
    assert_eq!(running.ledger.kernel_dropped(), 0);
    assert_eq!(given.len(), 5000);
    for (number, given) in given.iter().enumerate() {
        assert_eq!(given.text, number.to_string());
        assert_eq!(given.peer, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(before <= given.received && given.received <= after);
    }
    assert_eq!(running.ledger.counts().used, 5000);
}

#[test]
fn what_the_kernel_drops_is_counted_exactly_and_once() {
    let ledger = ledger(Transport::Udp);
    let mut small = config("127.0.0.1:0");
    small.receive_buffer_bytes = 4096;
    let listener = UdpListener::bind(small, Arc::clone(&ledger)).unwrap();
    let to = listener.local_addr().unwrap();
    let from = sender("127.0.0.1");
    for _ in 0..500 {
        from.send_to(&[b'x'; 300], to).unwrap();
    }
    listener.kernel_drops().poll();
    let dropped_first = ledger.kernel_dropped();
    assert!(dropped_first > 400, "{dropped_first}");
    listener.kernel_drops().poll();
    assert_eq!(ledger.kernel_dropped(), dropped_first);
    let known = listener.kernel_drops().counted();
    let again = KernelDrops::new(listener.sockets.clone(), Arc::clone(&ledger), &known);
    again.poll();
    assert_eq!(ledger.kernel_dropped(), dropped_first);
    let mut running = run(listener, ledger);
    running.finish();
    let received = running.ledger.counts().received;
    assert_eq!(received + running.ledger.kernel_dropped(), 500);
    assert!(running.seen.count() > 0);
}

#[test]
fn a_burst_at_the_stop_is_read_or_counted_to_the_last_datagram() {
    let mut running = start(config("127.0.0.1:0"));
    let (to, stop) = (running.to, Arc::clone(&running.stop));
    let flood = std::thread::spawn(move || {
        let from = sender("127.0.0.1");
        (0..20_000)
            .inspect(|number| {
                if *number == 10_000 {
                    stop.stop();
                }
            })
            .filter(|_| from.send_to(&[b'x'; 300], to).is_ok())
            .count() as u64
    });
    let sent = flood.join().unwrap();
    running.finish();
    // The handle on the drops keeps the socket open, so what came after the last read is still counted.
    running.drops.poll();
    let received = running.ledger.counts().received;
    assert!(received > 0);
    assert_eq!(received + running.ledger.kernel_dropped(), sent);
}

#[test]
fn the_buffer_says_what_was_granted() {
    let mut asked = config("127.0.0.1:0");
    asked.receive_buffer_bytes = 128 * 1024;
    let listener = UdpListener::bind(asked, ledger(Transport::Udp)).unwrap();
    let buffer = listener.buffer();
    assert_eq!(buffer.requested_bytes, 128 * 1024);
    assert_eq!(buffer.granted_bytes, 256 * 1024);
    assert_eq!(buffer.burst_datagrams, 204);
    assert!(!buffer.is_short());
}

#[test]
fn only_allowed_senders_are_heard_and_a_reload_changes_who_they_are() {
    let mut only = config("127.0.0.1:0");
    only.allow = Allow::Prefixes(vec!["127.0.0.2/32".parse().unwrap()]);
    let mut running = start(only);
    let (two, three) = (sender("127.0.0.2"), sender("127.0.0.3"));
    three.send_to(b"no", running.to).unwrap();
    two.send_to(b"yes", running.to).unwrap();
    wait_until("the allowed datagram", || running.seen.count() == 1);
    wait_until("the other one", || {
        running.rejected(Reason::SourceNotAllowed) == 1
    });
    running
        .allow
        .set_allow(Allow::Prefixes(vec!["127.0.0.3/32".parse().unwrap()]));
    three.send_to(b"now", running.to).unwrap();
    wait_until("the newly allowed", || running.seen.count() == 2);
    running.finish();
    assert_eq!(running.seen.texts(), ["yes", "now"]);
}

#[test]
fn an_empty_datagram_is_counted_as_empty() {
    let mut running = start(config("127.0.0.1:0"));
    sender("127.0.0.1").send_to(b"", running.to).unwrap();
    running.finish();
    assert_eq!(running.rejected(Reason::Empty), 1);
    assert_eq!(running.seen.count(), 0);
}

#[test]
fn a_datagram_above_the_limit_is_cut_and_says_so() {
    let mut short = config("127.0.0.1:0");
    short.datagram_bytes_max = 10;
    let mut running = start(short);
    let from = sender("127.0.0.1");
    from.send_to(b"0123456789", running.to).unwrap();
    from.send_to(b"0123456789a", running.to).unwrap();
    running.finish();
    let given = running.seen.given();
    assert_eq!(given[0].wholeness, Wholeness::Whole);
    assert_eq!(given[1].wholeness, Wholeness::Cut);
    assert_eq!(given[1].text, "0123456789");
    assert_eq!(running.ledger.cut.load(Ordering::Relaxed), 1);
}

#[test]
fn a_dual_stack_socket_hears_and_answers_both_and_shows_ipv4_as_ipv4() {
    if !has_ipv6() {
        return;
    }
    let mut running = start(config("[::]:0"));
    running.seen.accepted.store(u64::MAX, Ordering::SeqCst);
    let port = running.to.port();
    let (four, six) = (sender("127.0.0.1"), sender("::1"));
    four.send_to(b"inform 4", ("127.0.0.1", port)).unwrap();
    six.send_to(b"inform 6", ("::1", port)).unwrap();
    let mut buffer = [0; 100];
    let (length, _) = four.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"response to inform 4");
    let (length, _) = six.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"response to inform 6");
    running.finish();
    let peers: HashSet<_> = running
        .seen
        .given()
        .iter()
        .map(|given| given.peer)
        .collect();
    let expected = ["127.0.0.1", "::1"].map(|ip| Some(ip.parse::<IpAddr>().unwrap()));
    assert_eq!(peers, HashSet::from(expected));
    assert_eq!(running.ledger.replies_sent.load(Ordering::Relaxed), 2);
}

#[test]
fn an_inform_is_answered_from_the_address_that_it_was_sent_to() {
    for bind in ["0.0.0.0:0", "[::]:0"] {
        if bind.starts_with('[') && !has_ipv6() {
            continue;
        }
        let mut every = config(bind);
        every.listener.protocol = Protocol::Snmp;
        let mut running = start(every);
        // One that waits for its record, and one that does not.
        for (number, address) in [(0, "127.0.0.5"), (1, "127.0.0.6")] {
            let from = sender("127.0.0.1");
            // Such a socket hears nobody else.
            from.connect((address, running.to.port())).unwrap();
            running.seen.accepted.store(number, Ordering::SeqCst);
            from.send(format!("inform {number}").as_bytes()).unwrap();
            wait_until("the inform", || running.seen.count() as u64 > number);
            running.seen.accepted.store(u64::MAX, Ordering::SeqCst);
            let mut buffer = [0; 100];
            let length = from.recv(&mut buffer).expect("an answer");
            let expected = format!("response to inform {number}");
            assert_eq!(&buffer[..length], expected.as_bytes(), "{bind}");
        }
        running.finish();
    }
}

#[test]
fn a_reply_waits_until_its_record_is_accepted() {
    let mut running = start(config("127.0.0.1:0"));
    let from = sender("127.0.0.1");
    from.send_to(b"inform 0", running.to).unwrap();
    from.send_to(b"inform 1", running.to).unwrap();
    wait_until("both informs", || running.seen.count() == 2);
    from.set_nonblocking(true).unwrap();
    let mut buffer = [0; 100];
    assert!(from.recv_from(&mut buffer).is_err(), "answered too early");
    from.set_nonblocking(false).unwrap();
    for number in 0..2 {
        running.seen.accepted.store(number + 1, Ordering::SeqCst);
        let (length, _) = from.recv_from(&mut buffer).unwrap();
        let expected = format!("response to inform {number}");
        assert_eq!(&buffer[..length], expected.as_bytes());
    }
    from.send_to(b"inform 2", running.to).unwrap();
    running.finish();
    assert_eq!(running.ledger.replies_sent.load(Ordering::Relaxed), 2);
    assert_eq!(running.ledger.replies_dropped.load(Ordering::Relaxed), 1);
}

fn steered(bind: &str, target: &str) {
    const SHARDS: usize = 3;
    let mut three = config(bind);
    three.shards = SHARDS;
    let mut running = start(three);
    let to = SocketAddr::new(target.parse().unwrap(), running.to.port());
    let devices: Vec<String> = (2..20).map(|last| format!("127.0.0.{last}")).collect();
    // Each device uses several ports, as after a restart: the address alone decides.
    for round in 0..4 {
        for device in &devices {
            let from = sender(device);
            for number in 0..5 {
                let text = format!("{}", round * 5 + number);
                from.send_to(text.as_bytes(), to).unwrap();
            }
        }
    }
    running.finish();
    let mut by_device: HashMap<IpAddr, Vec<(usize, String)>> = HashMap::new();
    for given in running.seen.given() {
        let of_device = by_device.entry(given.peer.unwrap()).or_default();
        of_device.push((given.shard, given.text));
    }
    assert_eq!(by_device.len(), devices.len());
    let mut used = HashSet::new();
    for (address, given) in by_device {
        let shard = shard_of(address, SHARDS as u32) as usize;
        used.insert(shard);
        let expected: Vec<_> = (0..20).map(|number| (shard, number.to_string())).collect();
        assert_eq!(given, expected, "{address}");
    }
    assert_eq!(used.len(), SHARDS, "every shard has devices");
}

#[test]
fn a_device_always_reaches_the_same_shard_in_order() {
    steered("127.0.0.1:0", "127.0.0.1");
}

#[test]
fn a_device_reaches_the_same_shard_on_a_dual_stack_group_too() {
    if !has_ipv6() {
        return;
    }
    steered("[::]:0", "127.0.0.1");
}

#[test]
fn an_ipv6_source_is_steered_by_its_whole_address() {
    if !has_ipv6() {
        return;
    }
    let mut three = config("[::]:0");
    three.shards = 7;
    let mut running = start(three);
    let from = sender("::1");
    for _ in 0..10 {
        from.send_to(b"x", ("::1", running.to.port())).unwrap();
    }
    running.finish();
    let shard = shard_of("::1".parse().unwrap(), 7) as usize;
    let given = running.seen.given();
    assert_eq!(given.len(), 10);
    assert!(given.iter().all(|given| given.shard == shard), "{given:?}");
}

#[test]
fn a_taken_port_is_refused_with_the_command_that_shows_who_has_it() {
    let first = UdpListener::bind(config("127.0.0.1:0"), ledger(Transport::Udp)).unwrap();
    let taken = first.local_addr().unwrap();
    for shards in [1, 2] {
        let mut second = config(&taken.to_string());
        second.shards = shards;
        let error = UdpListener::bind(second, ledger(Transport::Udp)).unwrap_err();
        let text = error.to_string();
        let command = format!("ss -lnup 'sport = :{}'", taken.port());
        assert!(text.contains(&command), "{text}");
    }
}

#[test]
fn a_group_of_sockets_is_not_joined_by_a_second_agent() {
    let mut group = config("127.0.0.1:0");
    group.shards = 2;
    let first = UdpListener::bind(group.clone(), ledger(Transport::Udp)).unwrap();
    group.bind = first.local_addr().unwrap();
    let error = UdpListener::bind(group, ledger(Transport::Udp)).unwrap_err();
    assert!(
        matches!(error, ReceiveError::AddressInUse { .. }),
        "{error}"
    );
}

#[test]
fn an_address_of_another_host_is_refused_in_words() {
    let error = UdpListener::bind(config("192.0.2.1:0"), ledger(Transport::Udp)).unwrap_err();
    assert!(
        matches!(error, ReceiveError::AddressNotLocal { .. }),
        "{error}"
    );
}

#[test]
fn an_inherited_socket_keeps_its_queue_for_the_next_process() {
    let socket = Sender::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let copy = socket.try_clone().unwrap();
    let ledger = ledger(Transport::Udp);
    let listener = UdpListener::adopt(
        config("127.0.0.1:0"),
        vec![copy.into()],
        Arc::clone(&ledger),
        &[],
    )
    .unwrap();
    assert_eq!(listener.local_addr().unwrap(), to);
    let mut running = run(listener, ledger);
    let from = sender("127.0.0.1");
    from.send_to(b"first", to).unwrap();
    wait_until("the first", || running.seen.count() == 1);
    running.finish();
    from.send_to(b"second", to).unwrap();
    let mut buffer = [0; 10];
    let (length, _) = socket.recv_from(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"second");
    assert_eq!(running.seen.texts(), ["first"]);
}

#[test]
fn a_thread_that_hears_nothing_rests() {
    let mut running = start(config("127.0.0.1:0"));
    wait_until("a rest", || running.seen.rests.load(Ordering::SeqCst) > 0);
    running.finish();
}

#[test]
fn where_one_shard_gets_no_thread_none_reads_and_the_listener_can_be_started_later() {
    let mut config = config("127.0.0.1:0");
    config.shards = 3;
    let ledger = ledger(Transport::Udp);
    let listener = UdpListener::bind(config, Arc::clone(&ledger)).unwrap();
    let sender = Sender::bind("127.0.0.1:0").unwrap();
    sender
        .send_to(b"<13>x", listener.local_addr().unwrap())
        .unwrap();
    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(Stop::new()));
    let heartbeats = Heartbeats::new(Instant::now());
    let mut started = 0;
    let spawn = |builder: thread::Builder, run: Run| {
        started += 1;
        match started {
            3 => Err(io::Error::from(io::ErrorKind::WouldBlock)),
            _ => builder.spawn(run),
        }
    };
    let sink = |shard| FakeSink::new(shard, &seen);
    assert!(listener.start(sink, &stop, &heartbeats, spawn).is_err());
    assert_eq!(ledger.counts().received, 0);
    // The two that were there have ended, and nobody misses any of the three.
    let later = Instant::now() + Duration::from_secs(60);
    assert_eq!(heartbeats.pulses(later), []);
    let holders = listener.sockets.iter().map(Arc::strong_count);
    assert_eq!(holders.collect::<Vec<_>>(), [2; 3], "listener and drops");

    let sink = |shard| FakeSink::new(shard, &seen);
    let threads = listener.spawn(sink, &stop, &heartbeats).unwrap();
    wait_until("it is read", || ledger.counts().received == 1);
    stop.stop();
    for thread in threads {
        thread.join().unwrap();
    }
}
