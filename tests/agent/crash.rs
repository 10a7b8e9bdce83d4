//! kill -9 under load, again and again, on one spool folder.
//!
//! ```text
//!  round 1: start ─ load ───────────────── kill -9      what is known of each number from outside:
//!  round 2: start ─ load ─ at rest ─ load ─ kill -9       - an inform was answered, or the ledger was at rest
//!  ...        same ports, same folder                        with everything that was sent, or the spool shows it
//!                                                            after the kill: it must arrive
//!  last:    start ─ everything delivered ─ SIGTERM        - one arrived: so must all that was sent before it
//! ```
//!
//! `TRAPLINE_TEST_CRASH_ROUNDS` sets how many rounds there are, `TRAPLINE_TEST_CRASH_SEED` repeats a run's random moments.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::ops::Range;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::agent::Agent;
use crate::support::audit::{Answer, audit};
use crate::support::device::{UdpDevice, numbered, octet_counted};
use crate::support::kafka::{Broker, Delivered, quiet_port};
use crate::support::oracle::{assert_well_made_with_repeats, number_after, string};
use crate::support::settings::{Listener, Settings, count_from_environment};
use crate::support::snmp::{is_response, numbered_inform};
use crate::support::tool::output;
use crate::support::wait::{SOON, pause, wait_for, wait_until};

/// Records that may be with the Kafka client at once.
const WINDOW_RECORDS: u64 = 1000;

/// What one kill may repeat: what was with the client, and what was acknowledged since the cursor was last saved, which
/// happens when as many are acknowledged as the window holds.
const REPEATS_MAX: u64 = 2 * WINDOW_RECORDS;

/// Datagrams on their way to the agent: what a default socket buffer holds.
const DATAGRAMS_AHEAD_MAX: u64 = 100;

/// What a device sends at most before a kill: what all of them send fits into memory, so that nothing is turned away
/// however long disk and broker let the round wait.
const SENT_MAX: u64 = 4000;

/// Numbers by device.
type Numbers<T> = BTreeMap<String, T>;

#[test]
fn killed_again_and_again_it_keeps_what_it_accepted_in_order_and_repeats_little() {
    let rounds = count_from_environment("TRAPLINE_TEST_CRASH_ROUNDS").unwrap_or(30);
    let mut random = Random::seeded();
    let broker = Broker::shared();
    let (syslog, snmp) = (broker.topic("crash"), broker.topic("crash-snmp"));
    let reports = broker.topic("crash-reports");
    let spool = TempDir::new().expect("a temporary folder");
    let listeners = vec![
        Listener::syslog_udp().at(quiet_port()),
        Listener::syslog_tcp().at(quiet_port()),
        Listener::snmp_udp().at(quiet_port()),
    ];
    let mut settings = Settings::new(&broker.address, listeners)
        .topic("syslog", &syslog)
        .topic("snmp_trap", &snmp)
        .reporting(&reports)
        .on_disk(spool.path());
    settings.kafka = "window_records = 1000";

    let mut senders = Senders::default();
    let mut known = Known::default();
    for round in 0..rounds {
        let agent = Agent::start(&settings);
        let mut sent: Numbers<Range<u64>> = Numbers::new();
        if round.is_multiple_of(3) {
            senders.load(&agent, random.below(1000), &mut sent, || {});
            wait_until_at_rest(&agent, &sent);
            for (device, numbers) in &sent {
                known.must_arrive(device, numbers.clone());
            }
        }
        let jitter = Duration::from_micros(random.below(20_000));
        // Most rounds end before Kafka has acknowledged anything; these end in the middle of the deliveries.
        let deliveries = round % 3 == 1;
        let delivered = agent.ledger().records("delivered") + 1 + random.below(2 * WINDOW_RECORDS);
        senders.load(&agent, random.below(1500), &mut sent, || {
            if deliveries {
                agent.wait_until_delivered(delivered);
            }
            pause(jitter);
            agent.signal(libc::SIGKILL);
        });
        agent.kill();
        known.rounds.push(sent);
        for record in pending(spool.path(), &syslog) {
            let number = number_after(string(&record["message"]), "n=");
            let device = string(&record["device"]["hostname"]);
            known.must_arrive(device, number..number + 1);
        }
    }

    let agent = Agent::start(&settings);
    let ledger = agent.wait_until_settled(SOON);
    let accepted = ledger.records("from_packets");
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.records("from_packets"), accepted);
    assert_eq!(
        ended.ledger.records("delivered"),
        accepted + ended.ledger.records("generated"),
        "{:#}",
        ended.ledger.0
    );

    let mut records = broker.read(&syslog, 0);
    let informs = broker.read(&snmp, 0);
    let ids = [&records, &informs].map(|records| count_ids(records));
    let answered = senders.answered.into_inner().expect("the lock");
    assert_informs_arrived(&informs, &answered);
    let arrived = first_occurrences_in_order(&records);
    known.check(&arrived);
    records.extend(informs);
    let distinct = assert_one_id_for_each_message(&records);
    assert_eq!(
        distinct as u64, accepted,
        "messages in Kafka, and in the ledger"
    );
    assert_well_made_with_repeats(&records);
    let repeats = (records.len() - distinct) as u64;
    let must: usize = known.must.values().map(BTreeSet::len).sum();
    println!(
        "{rounds} kills: {distinct} messages, {} informs answered, {must} messages known to be accepted, \
         {repeats} repeats",
        answered.len()
    );
    assert!(repeats <= rounds * REPEATS_MAX, "{repeats} repeats");
    let findings = audit(broker, &[&syslog, &snmp, &reports], Answer::Complete);
    for (topic, numbered) in [&syslog, &snmp].into_iter().zip(ids) {
        findings.assert_in_order(topic);
        assert_eq!(findings.count(topic, "produced"), numbered);
        assert_eq!(findings.count(topic, "found"), numbered);
        assert_eq!(findings.uncovered(topic), 0);
    }
    assert!(!answered.is_empty() && !known.must.is_empty());
}

/// What `trapline spool cat` shows of `topic` while no agent runs: accepted for sure.
#[track_caller]
fn pending(spool: &Path, topic: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trapline"));
    let command = command.args(["spool", "cat", topic, "--pending", "--folder"]);
    let ended = output(command.arg(spool));
    let complaint = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{complaint}");
    let lines = ended.stdout.split(|byte| *byte == b'\n');
    let records = lines.filter(|line| !line.is_empty());
    records
        .map(|line| serde_json::from_slice(line).expect("a record"))
        .collect()
}

/// The devices, whose numbers go on from round to round.
#[derive(Default)]
struct Senders {
    next: Numbers<u64>,
    next_inform: u32,
    /// Informs whose Response came.
    answered: Mutex<BTreeSet<u64>>,
}

impl Senders {
    /// All devices send until `enough` messages are sent and `end` has returned. Adds what was sent to `sent`.
    fn load(
        &mut self,
        agent: &Agent,
        enough: u64,
        sent: &mut Numbers<Range<u64>>,
        end: impl FnOnce(),
    ) {
        let (udp, tcp, snmp) = (
            agent.listener("syslog-udp"),
            agent.listener("syslog-tcp"),
            agent.listener("snmp-udp"),
        );
        let before = sent_over(sent, 'u');
        let stop = AtomicBool::new(false);
        let count = AtomicU64::new(0);
        let (stop, count, answered) = (&stop, &count, &self.answered);
        let next = &self.next;
        let from = |name: &str| next.get(name).copied().unwrap_or(0);
        let first_inform = self.next_inform;
        let (ended, informs) = std::thread::scope(|scope| {
            let datagrams = ["u1", "u2"].map(|name| (name, from(name)));
            let datagrams =
                scope.spawn(move || send_datagrams(agent, udp, datagrams, before, stop, count));
            let streams = ["t1", "t2"].map(|name| {
                let first = from(name);
                scope.spawn(move || (name, send_stream(tcp, name, first, stop, count)))
            });
            let informs = scope.spawn(move || send_informs(snmp, first_inform, stop, answered));
            wait_until("enough is sent", SOON, || {
                count.load(Ordering::SeqCst) >= enough
            });
            end();
            stop.store(true, Ordering::SeqCst);
            let mut ended = datagrams.join().expect("the datagrams' sender").to_vec();
            ended.extend(streams.map(|stream| stream.join().expect("a stream's sender")));
            (ended, informs.join().expect("the informs' sender"))
        });
        self.next_inform = informs;
        for (name, next) in ended {
            let first = self.next.insert(name.to_owned(), next).unwrap_or(0);
            sent.entry(name.to_owned()).or_insert(first..first).end = next;
        }
    }
}

/// Two devices in turn, never further ahead of the agent than the kernel can hold; until told, or until nobody
/// listens. Returns each device's next number.
fn send_datagrams(
    agent: &Agent,
    to: SocketAddr,
    devices: [(&'static str, u64); 2],
    before: u64,
    stop: &AtomicBool,
    count: &AtomicU64,
) -> [(&'static str, u64); 2] {
    let mut next = devices;
    let sockets = [
        UdpDevice::new(21, devices[0].0, to),
        UdpDevice::new(22, devices[1].0, to),
    ];
    let (mut sent, mut seen) = (before, before);
    while !stop.load(Ordering::SeqCst) {
        if sent - before >= 2 * SENT_MAX {
            pause(Duration::from_millis(2));
            continue;
        }
        if sent - seen >= DATAGRAMS_AHEAD_MAX {
            let Some(ledger) = agent.try_ledger() else {
                break;
            };
            seen = ledger.listener("syslog-udp", "received");
            continue;
        }
        for (device, (name, number)) in sockets.iter().zip(&mut next) {
            if device.try_send(numbered(name, *number).as_bytes()).is_err() {
                return next;
            }
            *number += 1;
            sent += 1;
            count.fetch_add(1, Ordering::SeqCst);
        }
        if sent.is_multiple_of(20) {
            pause(Duration::from_millis(2));
        }
    }
    next
}

/// One device over a stream of its own, until told or until the stream breaks. Returns its next number.
fn send_stream(
    to: SocketAddr,
    name: &str,
    first: u64,
    stop: &AtomicBool,
    count: &AtomicU64,
) -> u64 {
    let Ok(mut stream) = TcpStream::connect(to) else {
        return first;
    };
    let mut number = first;
    while !stop.load(Ordering::SeqCst) {
        if number - first >= SENT_MAX {
            pause(Duration::from_millis(2));
            continue;
        }
        let frame = octet_counted(&numbered(name, number));
        // A write that failed may have gone out in part; the agent never sees a whole frame of it.
        if stream.write_all(&frame).is_err() {
            break;
        }
        number += 1;
        count.fetch_add(1, Ordering::SeqCst);
        if number.is_multiple_of(10) {
            pause(Duration::from_millis(2));
        }
    }
    number
}

/// Informs one by one, each sent once and given half a second for its Response. Returns the next number.
fn send_informs(
    to: SocketAddr,
    first: u32,
    stop: &AtomicBool,
    answered: &Mutex<BTreeSet<u64>>,
) -> u32 {
    let socket = UdpSocket::bind("127.0.0.31:0").expect("a socket");
    socket.connect(to).expect("a target");
    let patience = Some(Duration::from_millis(500));
    socket.set_read_timeout(patience).expect("a timeout");
    let mut number = first;
    let mut packet = [0; 2048];
    while !stop.load(Ordering::SeqCst) {
        if socket.send(&numbered_inform("i1", number)).is_err() {
            break;
        }
        let asked = number;
        number += 1;
        match socket.recv(&mut packet) {
            Ok(length) => {
                if is_response(&packet[..length], asked) {
                    answered.lock().expect("the lock").insert(u64::from(asked));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => break,
            Err(_) => {}
        }
    }
    number
}

/// Waits until the ledger says that everything that was sent is accepted.
#[track_caller]
fn wait_until_at_rest(agent: &Agent, sent: &Numbers<Range<u64>>) {
    let ledger = wait_for("everything that was sent is accepted", SOON, || {
        let ledger = agent.ledger();
        let at_rest = ledger.listener("syslog-udp", "received") == sent_over(sent, 'u')
            && ledger.listener("syslog-tcp", "received") == sent_over(sent, 't')
            && ledger.is_at_rest();
        at_rest.then_some(ledger)
    });
    ledger.assert_at_rest();
}

/// How many messages devices whose name begins with `letter` have sent.
fn sent_over(sent: &Numbers<Range<u64>>, letter: char) -> u64 {
    let of_letter = sent.iter().filter(|(name, _)| name.starts_with(letter));
    of_letter
        .map(|(_, numbers)| numbers.end - numbers.start)
        .sum()
}

/// What is known from outside.
#[derive(Default)]
struct Known {
    /// Accepted for sure.
    must: Numbers<BTreeSet<u64>>,
    /// What was sent in each round.
    rounds: Vec<Numbers<Range<u64>>>,
}

impl Known {
    fn must_arrive(&mut self, device: &str, numbers: Range<u64>) {
        self.must
            .entry(device.to_owned())
            .or_default()
            .extend(numbers);
    }

    #[track_caller]
    fn check(&self, arrived: &Numbers<BTreeSet<u64>>) {
        for (device, must) in &self.must {
            let missing: Vec<_> = must.difference(&arrived[device]).collect();
            assert!(
                missing.is_empty(),
                "of {device}, accepted and missing: {missing:?}"
            );
        }
        for (round, sent) in self.rounds.iter().enumerate() {
            for (device, numbers) in sent {
                let got: Vec<u64> = arrived[device].range(numbers.clone()).copied().collect();
                let expected: Vec<u64> = numbers.clone().take(got.len()).collect();
                assert_eq!(got, expected, "round {round}: a hole in what {device} sent");
            }
        }
    }
}

/// Each device's numbers; where one occurs first, all below it that occur at all have occurred.
#[track_caller]
fn first_occurrences_in_order(records: &[Delivered]) -> Numbers<BTreeSet<u64>> {
    let mut arrived: Numbers<BTreeSet<u64>> = Numbers::new();
    for record in records {
        let number = number_after(string(&record.event["message"]), "n=");
        let seen = arrived.entry(record.key.clone()).or_default();
        let highest = seen.last().copied();
        if seen.insert(number) {
            assert!(
                highest < Some(number),
                "of {}: {number} after {highest:?}",
                record.key
            );
        }
    }
    arrived
}

#[track_caller]
fn assert_informs_arrived(informs: &[Delivered], answered: &BTreeSet<u64>) {
    let arrived: BTreeSet<u64> = informs.iter().map(serial).collect();
    let missing: Vec<_> = answered.difference(&arrived).collect();
    assert!(missing.is_empty(), "answered and missing: {missing:?}");
}

/// How many different ids there are.
fn count_ids(records: &[Delivered]) -> u64 {
    let ids = records.iter().map(|record| string(&record.event["id"]));
    ids.collect::<BTreeSet<_>>().len() as u64
}

fn serial(record: &Delivered) -> u64 {
    number_after(&String::from_utf8_lossy(&record.payload), "serial=")
}

/// The same message always has the same id and the same bytes, and no other message has it. Returns how many messages
/// there are.
#[track_caller]
fn assert_one_id_for_each_message(records: &[Delivered]) -> usize {
    let mut by_id: BTreeMap<&str, &Delivered> = BTreeMap::new();
    let mut by_message: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    for record in records {
        let id = string(&record.event["id"]);
        let number = match record.event["message"].as_str() {
            Some(message) if message.contains("n=") => number_after(message, "n="),
            _ => serial(record),
        };
        let first = by_id.entry(id).or_insert(record);
        assert_eq!(
            first.payload, record.payload,
            "two messages with the id {id}"
        );
        let known = by_message
            .entry((record.key.as_str(), number))
            .or_insert(id);
        assert_eq!(*known, id, "two ids of one message: {:#}", record.event);
    }
    by_message.len()
}

/// Xorshift (Marsaglia 2003).
struct Random(u64);

impl Random {
    fn seeded() -> Random {
        let seed = count_from_environment("TRAPLINE_TEST_CRASH_SEED").unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            now.expect("a clock after 1970").subsec_nanos().into()
        });
        println!("TRAPLINE_TEST_CRASH_SEED={seed}");
        Random(seed | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % end
    }
}
