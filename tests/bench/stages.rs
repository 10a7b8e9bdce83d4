//! `make bench`, first part: what decoding, normalising and writing JSON cost a message, in time and in allocations.
//!
//! Prints figures and asserts none. The messages are walked through the real pipeline into a real memory spool whose
//! records are acknowledged as they come, so the path from packet to spool is whole; the socket and Kafka are not in it.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use trapline::decode::snmp::{self, SecurityLevel};
use trapline::mib;
use trapline::normalize;
use trapline::packet::{Listener, Outcome, Packet, Peer, Protocol, Sink, Transport, Wholeness};
use trapline::pipeline::{AccessConfig, Pipeline, Settings, SnmpAccess};
use trapline::record::LaneId;
use trapline::route::{self, Boot, Router};
use trapline::spool::{self, Batch, ReadLimit, Spool, WhenFull};
use trapline::time::UnixMicros;
use trapline::usm::auth::AuthProtocol;
use trapline::usm::keys::Passphrase;
use trapline::usm::privacy::PrivProtocol;
use trapline::usm::users::{Credential, ExtensionPolicy};
use trapline::usm::{OwnEngine, UserConfig};

use cpu::thread_cpu;

mod cpu;
mod dialects;
mod message;
mod mibs;
#[expect(
    dead_code,
    reason = "memory is what the bench of the whole agent asks for"
)]
mod process;
mod secured;
#[expect(
    dead_code,
    reason = "the other trap and the numbers are for the bench of the whole agent"
)]
mod trap;

/// The product's allocator, with a counter in front.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// Safety: every call is passed on unchanged to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // Safety: the caller's contract is the same.
        unsafe { tikv_jemallocator::Jemalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // Safety: the caller's contract is the same.
        unsafe { tikv_jemallocator::Jemalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // Safety: the caller's contract is the same.
        unsafe { tikv_jemallocator::Jemalloc.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: u64 = 400_000;

const CISCO: &[u8] = b"<189>4711: lax-edge-1: *Nov 21 02:14:07.131 UTC: %LINEPROTO-5-UPDOWN: Line protocol on Interface \
GigabitEthernet0/2, changed state to down";

/// A v2c linkDown trap with four varbinds, as net-snmp's snmptrap sends it.
const TRAP: &str = "3081a3020101040e64656d6f2d636f6d6d756e697479a7818d020444549c4a020100020100307f300f06082b0601020101\
030043030663a33017060a2b06010603010104010006092b0601060301010503300f060a2b060102010202010102020102300f060a2b0601020102\
02010702020101300f060a2b0601020102020108020201023020060a2b06010201020201020204124769676162697445746865726e6574302f32";

/// exampleAlarm of TRAPLINE-EXAMPLE-MIB (`fixtures/mibs`): five varbinds, two with an index of five parts.
const ALARM: &str = "3081e4020101040e64656d6f2d636f6d6d756e697479a781ce0201070201000201003081c2300e06082b06010201010300430230\
393018060a2b060106030101040100060a2b0601040181fd5900013011060b2b0601040181fd590101000202019b3010060b2b06\
01040181fd590102000201ff301a060b2b0601040181fd59010400040b07ea0b15020e07012b0100302c06222b0601040181fd59\
0105010301040a000001001b21812a813b814c0a0000096574680406001b21aabbcc302706222b0601040181fd59010501060104\
0a000001001b21812a813b814c0a000009657468020102";

fn main() {
    let is_asked = |part| std::env::args().any(|argument| argument == part);
    // `cargo bench --bench stages -- dialects` leaves out the rest, and so do `link` and `secured`.
    if is_asked("dialects") {
        return dialects::measure();
    }
    println!(
        "\nstages: packet to spool on one thread, {ROUNDS} messages each, CPU time, best of 5"
    );
    if is_asked("link") {
        return link();
    }
    if is_asked("secured") {
        return secured();
    }
    let plain = || normalize::Config::for_agent("bench");
    let rfc5424 = message::message(4711, 300);
    measure(
        "RFC 5424, 300 bytes, 1 SD element",
        Protocol::Syslog,
        &rfc5424,
        plain(),
    );
    measure(
        "RFC 3164, Linux",
        Protocol::Syslog,
        b"<13>Nov 21 02:14:09 app-7 cron[991]: (root) CMD (run-parts /etc/cron.hourly)",
        plain(),
    );
    measure("Cisco IOS", Protocol::Syslog, CISCO, plain());
    decode_alone("SNMPv2c linkDown, 4 varbinds", &octets(TRAP));
    measure(
        "SNMPv2c linkDown, 4 varbinds",
        Protocol::Snmp,
        &octets(TRAP),
        plain(),
    );
    measure(
        "SNMPv2c, 5 varbinds, built-in names only",
        Protocol::Snmp,
        &octets(ALARM),
        plain(),
    );
    measure(
        "SNMPv2c, 5 varbinds, names of a MIB file",
        Protocol::Snmp,
        &octets(ALARM),
        normalize::Config {
            mibs: mibs("fixtures/mibs/TRAPLINE-EXAMPLE-MIB.txt"),
            ..plain()
        },
    );
    link();
    secured();
    mibs::measure();
    dialects::measure();
}

/// Traps of many engines.
fn secured() {
    // The same PDU: what stands behind version and community of the trap above.
    let trap = octets(TRAP);
    let pdu = trap.get(22..).unwrap_or_default();
    let fleet = secured::Fleet::new(ENGINES, secured::PASSPHRASE);
    let traps: Vec<Vec<u8>> = (0..u64::from(ENGINES) + SECURED)
        .map(|number| fleet.trap(number, pdu))
        .collect();
    let packets: Vec<&[u8]> = traps.iter().map(Vec::as_slice).collect();
    measure_each(
        "SNMPv3 linkDown, authPriv SHA-256 and AES-128, 4 varbinds",
        Protocol::Snmp,
        &packets,
        normalize::Config::for_agent("bench"),
        secured_access,
    );
}

/// The trap of `cargo bench --bench traps`.
fn link() {
    let (message, _) = trap::v2c(&trap::link());
    let normalize = normalize::Config {
        mibs: mibs("tests/bench/mibs/TRAPLINE-LINK-MIB.txt"),
        ..normalize::Config::for_agent("bench")
    };
    measure(
        "SNMPv2c linkWentDown, 5 varbinds, names of a MIB file",
        Protocol::Snmp,
        &message,
        normalize,
    );
}

/// Reading a trap and each of its varbinds, and nothing else: what other libraries call decoding.
fn decode_alone(name: &str, bytes: &[u8]) {
    let round = || {
        let before = thread_cpu();
        for _ in 0..ROUNDS {
            let trap = snmp::read(black_box(bytes)).expect("a trap");
            trap.varbinds.iter().for_each(|varbind| {
                black_box(varbind);
            });
        }
        (thread_cpu() - before).as_nanos() as f64 / ROUNDS as f64
    };
    let best = (0..5).map(|_| round()).fold(f64::MAX, f64::min);
    println!("  {name}, decoded and no more: {best:.0} ns");
}

/// SNMPv3 traps of a round, behind a first one of each engine. Another round has an agent that has heard none of them, or
/// they would be copies.
const SECURED: u64 = 100_000;

/// The engines that they come from.
const ENGINES: u32 = 1_000;

/// Access for the user of those traps.
fn secured_access() -> SnmpAccess {
    let secret = || Credential::Passphrase(Passphrase::new(secured::PASSPHRASE));
    let mut config = AccessConfig::default();
    config.usm.users.push(UserConfig {
        name: secured::USER.to_owned(),
        auth: Some((AuthProtocol::Sha256, secret())),
        privacy: Some((PrivProtocol::Aes128, secret())),
        extension: ExtensionPolicy::Auto,
        level_min: SecurityLevel::AuthPriv,
        engine_id: None,
    });
    SnmpAccess::new(&config, OwnEngine::NONE, 0, std::time::Instant::now())
}

fn octets(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// The names of a module of our own, as a compiled file.
fn mibs(module: &str) -> mib::Set {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join(module);
    let compiled = mib::compile::compile(&[module], false).expect("the module compiles");
    let octets = mib::format::write(&compiled.definitions, 0).expect("a file");
    mib::Set::of(mib::Mibdb::from_bytes(&octets).expect("a whole file"))
}

fn digit(character: u8) -> u8 {
    (character as char).to_digit(16).unwrap_or_default() as u8
}

fn measure(name: &str, protocol: Protocol, bytes: &[u8], normalize: normalize::Config) {
    measure_each(name, protocol, &[bytes], normalize, SnmpAccess::nobody);
}

/// The packets one after the other: one of them again and again, or several once a round.
fn measure_each(
    name: &str,
    protocol: Protocol,
    packets: &[&[u8]],
    normalize: normalize::Config,
    access: impl Fn() -> SnmpAccess,
) {
    let config = route::Config {
        topics: route::Config::TOPICS_DEFAULT.map(String::from),
        payload_bytes_max: route::Config::PAYLOAD_BYTES_MAX_DEFAULT,
        ..route::Config::default()
    };
    let spool = Arc::new(Spool::new(&spool::Config {
        bytes_max: 8 << 20,
        disk: None,
        when_full: WhenFull::DropOldest,
        topics: config.lanes(),
    }));
    let router = Arc::new(Router::new(
        &config,
        "bench",
        &Boot::new(UnixMicros::now(), 0),
    ));
    let settings = Arc::new(Settings::new(normalize));
    let listener = Listener {
        index: 0,
        name: "bench-udp".into(),
        protocol,
        transport: Transport::Udp,
    };
    // Each engine speaks from an address of its own.
    let packet = |index: usize| Packet {
        bytes: packets[index],
        peer: Peer::Inet(
            (0x0a14_0001 + index as u32 % ENGINES).to_be_bytes().into(),
            514,
        ),
        listener: &listener,
        received: UnixMicros::now(),
        wholeness: Wholeness::Whole,
    };
    let lane = LaneId(u16::from(protocol == Protocol::Snmp));
    let mut batch = Batch::default();
    let mut payload_bytes = 0;
    let first = ENGINES as usize % packets.len();
    let messages = if packets.len() == 1 {
        ROUNDS as usize
    } else {
        packets.len() - first
    };
    let mut round = || {
        let mut pipeline = Pipeline::new(spool.clone(), router.clone(), settings.clone())
            .with_access(access().into());
        let mut take = |number: usize| {
            let outcome = black_box(pipeline.take(&packet(number % packets.len()))).outcome;
            assert_eq!(outcome, Outcome::Used, "{name}");
        };
        (0..first).for_each(&mut take);
        let before = (thread_cpu(), ALLOCATIONS.load(Ordering::Relaxed));
        for number in 0..messages {
            take(first + number);
            if number % 1024 == 1023 {
                spool.read(
                    lane,
                    ReadLimit {
                        records: 4096,
                        bytes: 8 << 20,
                    },
                    &mut batch,
                );
                payload_bytes = batch
                    .entries()
                    .first()
                    .map_or(0, |entry| batch.payload(entry).len());
                if let (Some(first), Some(last)) = (batch.entries().first(), batch.entries().last())
                {
                    spool.acknowledge(lane, first.number.0..last.number.0 + 1);
                }
            }
        }
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before.1;
        (
            (thread_cpu() - before.0).as_nanos() as f64 / messages as f64,
            allocations as f64 / messages as f64,
        )
    };
    round();
    let rounds: Vec<(f64, f64)> = (0..5).map(|_| round()).collect();
    let best = rounds.iter().map(|(ns, _)| *ns).fold(f64::MAX, f64::min);
    let allocations = rounds
        .iter()
        .map(|(_, count)| *count)
        .fold(f64::MAX, f64::min);
    println!(
        "  {name}: {best:.0} ns and {allocations:.3} allocations a message ({} bytes in, {payload_bytes} out)",
        packets[0].len()
    );
}
