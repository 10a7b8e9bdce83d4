//! `make bench`, the spool's part: what a record costs on its way through the disk spool, and what a disk does to it.
//!
//! ```text
//!  append (a receiver's thread) ─▶ tail ─▶ writer ─▶ log ─▶ read, acknowledge (a producer's thread)
//!                                          └ beside it: write() of the same bytes to a plain file
//! ```
//!
//! Prints figures and asserts none: machines differ, so what counts is the ratio within one run. CPU time is that of
//! the receiver's and the producer's calls, and all of the writer's thread. What the two others sleep between their
//! calls is the pace of this benchmark: a socket and the Kafka client wake them in the agent, whatever the spool is.
//! The system's own writeback threads are nobody's. BENCH_FOLDER chooses the disk (default: the
//! folder for temporary files), BENCH_SECONDS how long each rate is kept up, BENCH_BACKLOG_MIB the size of the backlog.

mod blocks;
mod cpu;
mod message;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use trapline::record::{LaneId, Origin, Record};
use trapline::spool::{Batch, Config, DiskConfig, Opened, ReadLimit, Spool, WhenFull, WriterStop};
use trapline::time::UnixMicros;

use cpu::thread_cpu;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const PAYLOAD_BYTES: usize = 800;

/// What receivers hand over at once in the paced runs, once a millisecond: 20 000 a second, what the figure is for.
const BURST: u64 = 20;

/// The same in a flood: 100 000 a second.
const BURST_FLOOD: u64 = 100;

/// What the producer takes at once: a slot of its window.
const LIMIT: ReadLimit = ReadLimit {
    records: 500,
    bytes: 192 * 1024,
};

/// How long the producer serves the Kafka client between two reads.
const PRODUCER_TURN: Duration = Duration::from_millis(5);

const LANE: LaneId = LaneId(0);

fn main() {
    let home = match std::env::var_os("BENCH_FOLDER") {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let home = home.expect("a temporary folder");
    println!(
        "\nspool on disk in {}, {PAYLOAD_BYTES}-byte payloads, fsync = interval",
        home.path().display()
    );
    let seconds = Duration::from_secs(number("BENCH_SECONDS", 8));
    cost(home.path(), BURST, seconds);
    cost(home.path(), BURST_FLOOD, seconds);
    pauses(home.path());
    backlog(home.path());
    blocks::measure();
}

/// The environment's word, or ours.
fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn config() -> Config {
    Config {
        bytes_max: Config::TAIL_BYTES_MAX,
        when_full: WhenFull::DropOldest,
        topics: ["a", "b", "c", "d", "e"].map(String::from).to_vec(),
        disk: None,
    }
}

fn open(folder: &Path) -> Opened {
    Spool::open(&config(), &DiskConfig::new(folder)).expect("a spool")
}

/// A spool with its writer running; the writer's CPU time is read in its own thread.
struct Running {
    spool: Arc<Spool>,
    stop: Arc<WriterStop>,
    writer: std::thread::JoinHandle<()>,
    writer_cpu_ns: Arc<AtomicU64>,
}

impl Running {
    fn start(opened: Opened) -> Running {
        let (stop, cpu) = (Arc::new(WriterStop::default()), Arc::new(AtomicU64::new(0)));
        let told = cpu.clone();
        let beat = move |_| told.store(thread_cpu().as_nanos() as u64, Ordering::Relaxed);
        Running {
            spool: opened.spool,
            writer: opened.writer.spawn(stop.clone(), beat).expect("a thread"),
            stop,
            writer_cpu_ns: cpu,
        }
    }

    fn end(self) {
        self.stop.stop();
        self.writer.join().expect("the writer ends");
    }
}

fn payload() -> Vec<u8> {
    let mut text =
        br#"{"schema":1,"id":"bench-1M7Z2Y1A25K9TQ0ZD-0-","kind":"syslog","message":""#.to_vec();
    while text.len() < PAYLOAD_BYTES - 8 {
        text.push(b'a' + (text.len() % 26) as u8);
    }
    text.extend(b"\"}");
    text
}

fn append(spool: &Spool, payload: &[u8], received: UnixMicros) -> bool {
    let record = Record {
        lane: LANE,
        received,
        key: b"lax-edge-1",
        payload,
        number_at: 35,
        origin: Origin::Packet,
    };
    spool.append(&record).is_ok()
}

/// This thread's CPU time in some calls, without what it takes to ask for the time.
struct Meter {
    cpu: Duration,
    asking: Duration,
}

impl Meter {
    fn new() -> Meter {
        let ask = |_| {
            let before = thread_cpu();
            thread_cpu() - before
        };
        Meter {
            cpu: Duration::ZERO,
            asking: (0..1000).map(ask).min().unwrap_or_default(),
        }
    }

    fn measure<T>(&mut self, call: impl FnOnce() -> T) -> T {
        let before = thread_cpu();
        let result = call();
        self.cpu += (thread_cpu() - before).saturating_sub(self.asking);
        result
    }
}

/// Bursts of so many a millisecond until `duration` is over, each with its time of arrival; returns how many and this
/// thread's CPU time in them.
fn paced(burst: u64, duration: Duration, mut one: impl FnMut(UnixMicros)) -> (u64, Duration) {
    let (start, mut meter) = (Instant::now(), Meter::new());
    let (mut count, mut due) = (0, Duration::ZERO);
    while start.elapsed() < duration {
        let now = UnixMicros::now();
        meter.measure(|| (0..burst).for_each(|_| one(now)));
        count += burst;
        due += Duration::from_millis(1);
        if let Some(wait) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(wait);
        }
    }
    (count, meter.cpu)
}

/// Reads and acknowledges what comes until `done` and nothing is left; returns this thread's CPU time in these calls.
fn consume(spool: &Spool, done: &AtomicBool) -> Duration {
    let (mut batch, mut meter) = (Batch::default(), Meter::new());
    loop {
        let last = done.load(Ordering::Acquire);
        let read = meter.measure(|| take_all(spool, &mut batch));
        if last && read == 0 && spool.is_at_rest() && spool.pending(LANE) == 0 {
            return meter.cpu;
        }
        std::thread::sleep(PRODUCER_TURN);
    }
}

/// Reads and acknowledges all that is there; returns how many records those were.
fn take_all(spool: &Spool, batch: &mut Batch) -> usize {
    let mut read = 0;
    loop {
        let count = spool.read(LANE, LIMIT, batch);
        let numbers = batch.entries().first().zip(batch.entries().last());
        let Some((first, last)) = numbers else {
            return read;
        };
        let numbers = first.number.0..last.number.0 + 1;
        read += count;
        batch.clear();
        spool.acknowledge(LANE, numbers);
    }
}

fn cost(home: &Path, burst: u64, duration: Duration) {
    let running = Running::start(open(&home.join(format!("cost at {burst}"))));
    let (payload, done) = (payload(), AtomicBool::new(false));
    let (records, receiver, producer) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| consume(&running.spool, &done));
        let (records, receiver) = paced(burst, duration, |now| {
            assert!(append(&running.spool, &payload, now))
        });
        done.store(true, Ordering::Release);
        (records, receiver, reader.join().expect("the reader ends"))
    });
    let writer = Duration::from_nanos(running.writer_cpu_ns.load(Ordering::Relaxed));
    running.end();
    let (raw_paced, raw) = (
        raw(home, burst, duration, 100),
        raw(home, burst, duration, 1000),
    );
    let each = |cpu: Duration| cpu.as_nanos() as f64 / records as f64;
    let all = each(receiver + writer + producer);
    println!(
        "  {}/s: {all:.0} ns CPU a record: append {:.0}, writer {:.0} (its waking up too), read and acknowledge {:.0}",
        burst * 1000,
        each(receiver),
        each(writer),
        each(producer)
    );
    println!(
        "  write() of the same bytes, fdatasync each second: {raw_paced:.0} ns with 100 records a write, {raw:.0} with 1000; \
         the whole spool is {:.2} and {:.2} times that",
        all / raw_paced,
        all / raw
    );
}

/// The bytes of the same records written to a plain file at the same rate, `together` records a write.
fn raw(home: &Path, burst: u64, duration: Duration, together: u64) -> f64 {
    use std::io::Write;
    let path = home.join("raw");
    let mut file = std::fs::File::create(&path).expect("a file");
    let record = vec![b'x'; PAYLOAD_BYTES + 60];
    let (mut run, mut held, mut synced) = (Vec::new(), 0, Instant::now());
    let (records, cpu) = paced(burst, duration, |_| {
        run.extend_from_slice(&record);
        held += 1;
        if held == together {
            file.write_all(&run).expect("written");
            run.clear();
            held = 0;
            if synced.elapsed() >= Duration::from_secs(1) {
                synced = Instant::now();
                file.sync_data().expect("synced");
            }
        }
    });
    drop(file);
    std::fs::remove_file(path).expect("removed");
    cpu.as_nanos() as f64 / records as f64
}

/// How long one append takes at worst while another process writes and syncs on the same disk.
fn pauses(home: &Path) {
    for (name, loaded) in [
        ("idle disk", false),
        ("disk loaded by another process", true),
    ] {
        let load = loaded.then(|| Load::start(&home.join("load")));
        let running = Running::start(open(&home.join(name)));
        let (payload, done) = (payload(), AtomicBool::new(false));
        let mut times = Vec::with_capacity(200_000);
        let mut turned_away = 0;
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| consume(&running.spool, &done));
            paced(BURST, Duration::from_secs(8), |now| {
                let before = Instant::now();
                turned_away += u64::from(!append(&running.spool, &payload, now));
                times.push(before.elapsed());
            });
            done.store(true, Ordering::Release);
            reader.join().expect("the reader ends");
        });
        running.end();
        drop(load);
        times.sort_unstable();
        let at = |part: f64| {
            times[((times.len() - 1) as f64 * part) as usize].as_nanos() as f64 / 1000.0
        };
        println!(
            "  longest pause of a receiving thread, {name}: {:.0} µs (99.9 %: {:.1} µs, 99.99 %: {:.1} µs), {turned_away} of {} turned away",
            at(1.0),
            at(0.999),
            at(0.9999),
            times.len()
        );
    }
}

/// A process that writes 64 MiB and syncs, again and again.
struct Load(std::process::Child, PathBuf);

impl Load {
    fn start(path: &Path) -> Load {
        let script =
            "while :; do dd if=/dev/zero of=\"$0\" bs=1M count=64 conv=fsync 2>/dev/null; done";
        let child = std::process::Command::new("sh")
            .args(["-c", script])
            .arg(path)
            .spawn()
            .expect("sh and dd");
        Load(child, path.to_path_buf())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(&self.1);
    }
}

fn backlog(home: &Path) {
    let mib = number("BENCH_BACKLOG_MIB", 1024);
    let (folder, payload) = (home.join("backlog"), payload());
    let running = Running::start(open(&folder));
    let start = Instant::now();
    let records = (mib << 20) / (PAYLOAD_BYTES as u64 + 50);
    for _ in 0..records {
        while !append(&running.spool, &payload, UnixMicros::now()) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    running.end();
    let written = start.elapsed();
    let start = Instant::now();
    let opened = open(&folder);
    let took = start.elapsed();
    println!(
        "  backlog of {mib} MiB, {records} records: written in {:.1} s, opened in {:.0} ms",
        written.as_secs_f64(),
        took.as_secs_f64() * 1000.0
    );
    let running = Running::start(opened);
    let (mut batch, mut read, start, cpu) = (Batch::default(), 0, Instant::now(), thread_cpu());
    while read < records {
        let count = running.spool.read(LANE, LIMIT, &mut batch);
        assert!(count > 0, "the backlog ends at {read}");
        if let Some((first, last)) = batch.entries().first().zip(batch.entries().last()) {
            running
                .spool
                .acknowledge(LANE, first.number.0..last.number.0 + 1);
        }
        read += count as u64;
    }
    println!(
        "  replay, uncapped: {:.0} records a second, {:.0} ns CPU a record",
        records as f64 / start.elapsed().as_secs_f64(),
        (thread_cpu() - cpu).as_nanos() as f64 / records as f64
    );
    running.end();
}
