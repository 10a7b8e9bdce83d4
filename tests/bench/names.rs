//! `make bench`, names: what it costs to know who a device is, with many of them.
//!
//! ```text
//!  100 000 inventory lines, 50 000 known devices ──▶ normalise one message of each in turn ──▶ ns and allocations an event
//!                                                └─▶ bytes a line, a device; the list; a flood of forged senders
//! ```
//!
//! Prints figures beside what is wanted of them, and asserts none. "All in turn" takes devices in an order in which no
//! memory is warm: the worst case, since real devices speak in bursts.

use std::alloc::{GlobalAlloc, Layout};
use std::fmt::Write;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trapline::decode::syslog;
use trapline::names::listing::Place;
use trapline::names::{Config, DnsPolicy, Names, View, inventory};
use trapline::normalize::{self, DomainPolicy, Scratch, device};
use trapline::packet::{Listener, Packet, Peer, Protocol, Transport, Wholeness};
use trapline::time::UnixMicros;

use cpu::thread_cpu;

mod cpu;

/// The product's allocator, with counters in front.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicI64 = AtomicI64::new(0);

// Safety: every call is passed on unchanged to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // Safety: the caller's contract is the same.
        unsafe { tikv_jemallocator::Jemalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // Safety: the caller's contract is the same.
        unsafe { tikv_jemallocator::Jemalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        // Safety: the caller's contract is the same.
        unsafe { tikv_jemallocator::Jemalloc.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LINES: u32 = 100_000;
const DEVICES: u32 = 50_000;

/// A step that visits every device once before it begins anew, far from the one before (it shares no factor with them).
const STRIDE: u32 = 27_457;

fn main() {
    println!(
        "\nnames: {LINES} inventory lines, {DEVICES} known devices, one thread, CPU time, best of 5"
    );
    let (names, view) = filled();
    let listener = Listener {
        index: 0,
        name: "bench-udp".into(),
        protocol: Protocol::Syslog,
        transport: Transport::Udp,
    };
    normalising(&view, &listener);
    listing(&names);
    flood(&names, &view, &listener);
}

/// Half of the devices have a line of their own, the others one of a prefix.
fn address(number: u32) -> IpAddr {
    let [_, high, middle, low] = number.to_be_bytes();
    match number % 2 {
        0 => [10, high, middle, low].into(),
        _ => [100, 64 + high, middle, low].into(),
    }
}

fn name(number: u32) -> String {
    format!("branch{}-sw{number}.example.net", number % 700)
}

fn filled() -> (Arc<Names>, View) {
    let mut text = "address,hostname,zone,vendor,silent_seconds,site,role\n".to_owned();
    for prefix in 0..100 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "100.64.{prefix}.0/24,,+01:00,,,site{prefix},access");
    }
    let _ = writeln!(text, "100.64.0.0/10,,,,,elsewhere,access");
    for line in 0..LINES - 101 {
        let number = line * 2;
        let address = address(number);
        let _ = writeln!(
            text,
            "{address},{},,cisco,3600,site{},access",
            name(number),
            line % 700
        );
    }
    let before = BYTES.load(Ordering::Relaxed);
    let start = Instant::now();
    let parsed = inventory::parse(&text, DomainPolicy::Keep).expect("an inventory");
    assert_eq!(parsed.bad_lines, []);
    println!(
        "  inventory: {} lines read in {} ms, {} bytes each (wanted: 512 at most)",
        parsed.inventory.len(),
        start.elapsed().as_millis(),
        (BYTES.load(Ordering::Relaxed) - before) / i64::from(LINES)
    );
    let config = Config {
        dns: DnsPolicy::Off,
        // Room for all of them, whichever shard they fall into.
        devices_max: 70_000,
        ..Config::default()
    };
    let names = Arc::new(Names::new(config.clone()));
    names.replace(config, Arc::new(parsed.inventory));
    let view = View::new(names.clone());
    let before = BYTES.load(Ordering::Relaxed);
    for number in 0..DEVICES {
        for seconds in [0, 30, 60] {
            let claimed = name(number);
            let claim = device::Claim {
                address: Some(address(number)),
                name: Some(&claimed),
                sequence: Some(seconds as u64 / 30),
                received: UnixMicros(seconds * 1_000_000),
                ..device::Claim::default()
            };
            let (mut name, mut previous) = (Vec::new(), Vec::new());
            device::Names::identify(&view, &claim, &mut name, &mut previous);
        }
    }
    names.notices.take();
    let counts = names.devices.counts();
    println!(
        "  devices: {} known, {} bytes each, with its numbering and its name (wanted: 512 at most)",
        counts.known,
        (BYTES.load(Ordering::Relaxed) - before) / i64::from(DEVICES)
    );
    (names, view)
}

/// Messages that are decoded before their normalising is timed: what one call of the kernel brings. They are as fresh in
/// the caches as a message is that was just received; what is known of their devices is not.
const BATCH: usize = 64;

/// Nanoseconds and allocations of one event.
#[derive(Clone, Copy)]
struct Cost {
    ns: f64,
    allocations: f64,
}

/// What normalising one message costs, of devices in the order of `devices`, the best of five rounds over all of them.
fn cost(lines: &[String], devices: &[u32], view: Option<&View>, listener: &Listener) -> Cost {
    let config = normalize::Config::for_agent("bench");
    let mut scratch = Scratch::default();
    let mut round = || {
        let (mut spent, mut allocations) = (Duration::ZERO, 0);
        for batch in devices.chunks(BATCH) {
            let messages: Vec<(u32, syslog::Message<'_>)> = batch
                .iter()
                .filter_map(|number| {
                    // Without a line for each there is one for all.
                    let line = lines.get(*number as usize).or(lines.first())?;
                    Some((*number, syslog::read(line.as_bytes())))
                })
                .collect();
            let senders: Vec<IpAddr> = batch.iter().copied().map(address).collect();
            let before = (thread_cpu(), ALLOCATIONS.load(Ordering::Relaxed));
            if let Some(view) = view {
                view.expect(senders.iter().copied());
            }
            for (number, message) in &messages {
                let packet = Packet {
                    bytes: b"",
                    peer: Peer::Inet(address(*number), 514),
                    listener,
                    received: UnixMicros(61_000_000),
                    wholeness: Wholeness::Whole,
                };
                let scratch = &mut scratch;
                let event = match view {
                    Some(view) => {
                        normalize::syslog::event(message, &packet, &config, view, scratch)
                    }
                    None => {
                        let nobody = &device::NoNames;
                        normalize::syslog::event(message, &packet, &config, nobody, scratch)
                    }
                };
                black_box(event.device.hostname);
            }
            allocations += ALLOCATIONS.load(Ordering::Relaxed) - before.1;
            spent += thread_cpu() - before.0;
        }
        Cost {
            ns: spent.as_nanos() as f64 / devices.len() as f64,
            allocations: allocations as f64 / devices.len() as f64,
        }
    };
    round();
    (0..5).map(|_| round()).fold(
        Cost {
            ns: f64::MAX,
            allocations: f64::MAX,
        },
        |best, one| Cost {
            ns: best.ns.min(one.ns),
            allocations: best.allocations.min(one.allocations),
        },
    )
}

/// Decoded message to event, without its JSON. The same messages in the same order are normalised by an agent that knows
/// nobody: the difference is what it costs to know who a device is.
fn normalising(view: &View, listener: &Listener) {
    println!(
        "  normalise a decoded message, without its JSON (wanted: 300 ns at most, no allocation):\n    \
         {:46}     whole  nobody known  naming alone  allocations",
        ""
    );
    let named: Vec<String> = (0..DEVICES)
        .map(|number| {
            format!(
                "<165>1 2026-11-21T02:14:07Z {} app 1 ID47 - hello",
                name(number)
            )
        })
        .collect();
    let unnamed = ["<165>1 2026-11-21T02:14:07Z - app 1 ID47 - hello".to_owned()];
    let scattered = |call: u32| (u64::from(call) * u64::from(STRIDE) % u64::from(DEVICES)) as u32;
    let all: Vec<u32> = (0..DEVICES).map(scattered).collect();
    let few: Vec<u32> = (0..DEVICES).map(|call| scattered(call % 1_000)).collect();
    let bursts: Vec<u32> = (0..DEVICES).map(|call| scattered(call / 10)).collect();
    for (what, lines, devices) in [
        ("named by its header, all in turn", named.as_slice(), &all),
        ("named by its header, in bursts of ten", &named, &bursts),
        ("named by its header, 1 000 of them in turn", &named, &few),
        ("without a name, all in turn", &unnamed, &all),
        ("without a name, 1 000 of them in turn", &unnamed, &few),
    ] {
        let whole = cost(lines, devices, Some(view), listener);
        let nobody = cost(lines, devices, None, listener);
        println!(
            "    {what:46} {:6.0} ns  {:9.0} ns  {:9.0} ns  {:11.3}",
            whole.ns,
            nobody.ns,
            whole.ns - nobody.ns,
            whole.allocations
        );
    }
}

/// The whole list, as `trapline devices` asks for it.
fn listing(names: &Names) {
    let (mut place, mut rows, mut pages) = (Some(Place::default()), 0, 0);
    let (mut longest, mut widest) = (Duration::ZERO, 0);
    let start = Instant::now();
    while let Some(at) = place {
        let (begun, before) = (Instant::now(), BYTES.load(Ordering::Relaxed));
        let page = names.list(&at, UnixMicros(61_000_000));
        widest = widest.max(BYTES.load(Ordering::Relaxed) - before);
        longest = longest.max(begun.elapsed());
        rows += page.devices.len();
        pages += 1;
        place = page.next.map(|next| next.parse().expect("a place"));
    }
    println!(
        "  list: {rows} rows in {pages} pages and {} ms; a page takes {} µs and {} kB at most",
        start.elapsed().as_millis(),
        longest.as_micros(),
        widest / 1000
    );
}

/// A million made-up addresses and names.
fn flood(names: &Names, view: &View, listener: &Listener) {
    let config = normalize::Config::for_agent("bench");
    let mut scratch = Scratch::default();
    let before = BYTES.load(Ordering::Relaxed);
    let mut most = 0;
    let start = thread_cpu();
    const FORGED: u32 = 1_000_000;
    for number in 0..FORGED {
        let line = format!("<165>1 2026-11-21T02:14:07Z forged{number} app 1 ID47 - hello");
        let packet = Packet {
            bytes: b"",
            peer: Peer::Inet(IpAddr::from((0xac10_0000_u32 + number).to_be_bytes()), 514),
            listener,
            received: UnixMicros(62_000_000),
            wholeness: Wholeness::Whole,
        };
        let message = syslog::read(line.as_bytes());
        let event = normalize::syslog::event(&message, &packet, &config, view, &mut scratch);
        black_box(event.device.hostname);
        if number % 1_000 == 0 {
            most = most.max(BYTES.load(Ordering::Relaxed) - before);
        }
    }
    println!(
        "  {FORGED} forged senders: {} ns each, {} kB more at most; {} devices known as before",
        (thread_cpu() - start).as_nanos() / u128::from(FORGED),
        most / 1000,
        names.devices.counts().known
    );
}
