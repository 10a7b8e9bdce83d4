//! `make bench`, first part: what decoding, normalising and writing JSON cost a message, in time and in allocations.
//!
//! Prints figures and asserts none. The messages are walked through the real pipeline into a real memory spool whose
//! records are acknowledged as they come, so the path from packet to spool is whole; the socket and Kafka are not in it.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trapline::names::{self, Names};
use trapline::normalize;
use trapline::packet::{Listener, Packet, Peer, Protocol, Sink, Transport, Wholeness};
use trapline::pipeline::{Pipeline, Settings};
use trapline::record::LaneId;
use trapline::route::{self, Boot, Router};
use trapline::spool::{self, Batch, ReadLimit, Spool, WhenFull};
use trapline::time::UnixMicros;

mod message;

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

fn main() {
    println!(
        "\nstages: packet to spool on one thread, {ROUNDS} messages each, CPU time, best of 5"
    );
    let trap: Vec<u8> = TRAP
        .as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect();
    let rfc5424 = message::message(4711, 300);
    measure(
        "RFC 5424, 300 bytes, 1 SD element",
        Protocol::Syslog,
        &rfc5424,
    );
    measure(
        "RFC 3164, Linux",
        Protocol::Syslog,
        b"<13>Nov 21 02:14:09 app-7 cron[991]: (root) CMD (run-parts /etc/cron.hourly)",
    );
    measure("Cisco IOS", Protocol::Syslog, CISCO);
    measure("SNMPv2c linkDown, 4 varbinds", Protocol::Snmp, &trap);
    decode_only(&rfc5424);
}

/// CPU time of this thread so far: what a stage costs, however busy the machine is with other things.
fn thread_cpu() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // Safety: the pointer is to a timespec of our own.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn digit(character: u8) -> u8 {
    (character as char).to_digit(16).unwrap_or_default() as u8
}

/// Reading alone, beside syslog_loose on the same bytes in the same run.
fn decode_only(message: &[u8]) {
    let text = std::str::from_utf8(message).expect("text");
    let ours = best_ns(|| {
        black_box(trapline::decode::syslog::read(black_box(message)));
    });
    let loose = best_ns(|| {
        black_box(syslog_loose::parse_message(
            black_box(text),
            syslog_loose::Variant::Either,
        ));
    });
    println!(
        "  decode alone, RFC 5424: ours {ours:.0} ns, syslog_loose {loose:.0} ns ({:.1} : 1)",
        loose / ours
    );
}

fn best_ns(mut work: impl FnMut()) -> f64 {
    let rounds = ROUNDS / 4;
    let run = |work: &mut dyn FnMut()| {
        let start = thread_cpu();
        (0..rounds).for_each(|_| work());
        (thread_cpu() - start).as_nanos() as f64 / rounds as f64
    };
    (0..5).map(|_| run(&mut work)).fold(f64::MAX, f64::min)
}

fn measure(name: &str, protocol: Protocol, bytes: &[u8]) {
    let config = route::Config {
        topics: route::Config::TOPICS_DEFAULT.map(String::from),
        payload_bytes_max: route::Config::PAYLOAD_BYTES_MAX_DEFAULT,
    };
    let spool = Arc::new(Spool::new(&spool::Config {
        bytes_max: 8 << 20,
        disk: None,
        when_full: WhenFull::DropOldest,
        topics: config.lanes(),
    }));
    let router = Arc::new(Router::new(&config, "bench", &Boot::at(UnixMicros::now())));
    let settings = Arc::new(Settings::new(normalize::Config::for_agent("bench")));
    let mut pipeline = Pipeline::new(
        spool.clone(),
        router,
        settings,
        Arc::new(Names::new(names::Config::default())),
    );
    let listener = Listener {
        index: 0,
        name: "bench-udp".into(),
        protocol,
        transport: Transport::Udp,
    };
    let packet = Packet {
        bytes,
        peer: Peer::Inet([10, 20, 0, 1].into(), 514),
        listener: &listener,
        received: UnixMicros::now(),
        wholeness: Wholeness::Whole,
    };
    let lane = LaneId(u16::from(protocol == Protocol::Snmp));
    let mut batch = Batch::default();
    let mut payload_bytes = 0;
    let mut round = || {
        let before = (thread_cpu(), ALLOCATIONS.load(Ordering::Relaxed));
        for number in 0..ROUNDS {
            black_box(pipeline.take(&packet));
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
            (thread_cpu() - before.0).as_nanos() as f64 / ROUNDS as f64,
            allocations as f64 / ROUNDS as f64,
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
        bytes.len()
    );
}
