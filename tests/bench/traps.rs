//! `make bench`, fourth part: SNMP traps through the whole agent to Apache Kafka, and net-snmp's snmptrapd beside it.
//!
//! ```text
//!  volley (prepared packets, in bursts) ──UDP──▶ trapline | snmptrapd ──▶ Kafka | a file
//!                                               └ CPU time and memory of the process, from /proc
//!  loss: sent = the ledger's received = delivered = numbers found in Kafka
//! ```
//!
//! Prints figures with what is wanted beside them, and asserts none: machines differ, so what counts is the ratio within
//! one run. Seconds of each load: BENCH_SECONDS; another binary: BENCH_TRAPLINE. Parts by name: `cargo bench --bench traps -- cpu load memory`.

mod arrived;
mod cpu;
mod kafka;
mod memory;
mod process;
mod running;
mod secured;
mod shares;
mod snmptrapd;
mod trap;
mod volley;

use std::ops::Range;
use std::path::PathBuf;

use kafka::Kafka;
use running::Agent;
use secured::{Fleet, PASSPHRASE};
use shares::Shares;
use snmptrapd::Snmptrapd;
use volley::{Fill, Volley};

/// Devices of the CPU figures: each has an engine and a key of its own.
const DEVICES: u32 = 1_000;

/// Addresses that the traps come from.
const HOSTS: u32 = 50;

/// Seconds of load before one that is measured.
const WARM_UP_SECONDS: u64 = 2;

fn main() {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let is_asked = |part: &str| asked.is_empty() || asked.iter().any(|it| it == part);
    let seconds = std::env::var("BENCH_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(10);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let bench = Bench {
        kafka: Kafka::start(folder.path()),
        folder: folder.path().to_owned(),
        seconds,
    };
    bench.kafka.create(OTHER_TOPIC);
    bench.compile_mibs();
    println!(
        "\ntraps: whole agent, real sockets, Kafka and the generator on the same {} cores",
        std::thread::available_parallelism().map_or(0, usize::from)
    );
    println!(
        "  the trap: linkWentDown, 5 varbinds, names of a compiled MIB file; events pass to Kafka as JSON, lz4\n"
    );
    if is_asked("cpu") {
        bench.cpu();
    }
    if is_asked("load") {
        bench.load();
    }
    if is_asked("memory") {
        memory::measure(&bench);
    }
}

/// Events that are about devices and about the agent.
const OTHER_TOPIC: &str = "bench.other";

/// One line: what was measured, what came out, what is wanted.
pub fn figure(what: &str, value: &str, wanted: &str) {
    println!("  {what:<64} {value:>12}   {wanted}");
}

/// Where everything runs.
pub struct Bench {
    folder: PathBuf,
    kafka: Kafka,
    seconds: u64,
}

/// What is sent, and how fast.
struct Load<'f> {
    name: &'f str,
    rate: u64,
    fill: Fill<'f>,
}

impl Bench {
    fn compile_mibs(&self) {
        let link = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/bench/mibs/TRAPLINE-LINK-MIB.txt"
        );
        let example = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/fixtures/mibs/TRAPLINE-EXAMPLE-MIB.txt"
        );
        let output = std::process::Command::new(running::binary())
            .args(["mib", "compile", link, example, "-o"])
            .arg(self.mibs())
            .output()
            .expect("trapline runs");
        assert!(output.status.success(), "{output:?}");
    }

    fn mibs(&self) -> PathBuf {
        self.folder.join("set.mibdb")
    }

    /// An agent that knows the user of the devices and sends to `topic`, with a state of its own.
    fn agent(&self, topic: &str, spool: &str) -> Agent {
        self.kafka.create(topic);
        let place = self.folder.join(topic);
        std::fs::create_dir_all(&place).expect("a folder");
        let text = format!(
            "[agent]\nid = \"bench\"\nstate_folder = \"{place}/state\"\n[kafka]\nbootstrap_servers = \"{broker}\"\n\
             [topics]\nsnmp_trap = \"{topic}\"\ndevice = \"{OTHER_TOPIC}\"\nagent = \"{OTHER_TOPIC}\"\n\
             [identity]\nreverse_dns = \"off\"\n[spool]\nkind = \"{spool}\"\nfolder = \"{place}/spool\"\nfree_bytes_min = 0\n\
             [status]\nbind = \"off\"\nadmin_socket = \"off\"\n[log]\nformat = \"json\"\n\
             [[listener]]\nname = \"snmp-udp\"\nprotocol = \"snmp\"\ntransport = \"udp\"\nbind = \"127.0.0.1:0\"\n\
             [snmp]\nmib_files = [\"{mibs}\"]\n[[snmp.user]]\nname = \"{user}\"\nauth = \"SHA-256\"\n\
             auth_password = \"{PASSPHRASE}\"\npriv = \"AES-128\"\npriv_password = \"{PASSPHRASE}\"\n",
            place = place.display(),
            broker = self.kafka.address,
            mibs = self.mibs().display(),
            user = secured::USER,
        );
        let config = place.join("trapline.toml");
        std::fs::write(&config, text).expect("a configuration file");
        Agent::start(&config)
    }

    fn numbers(&self, rate: u64) -> (Range<u64>, Range<u64>) {
        let warm_up = rate * WARM_UP_SECONDS;
        (0..warm_up, warm_up..warm_up + rate * self.seconds)
    }

    /// CPU time of an event, for both versions and both kinds of spool, and snmptrapd's on the same packets.
    fn cpu(&self) {
        println!("CPU time of an event ({} s each)", self.seconds);
        let template = trap::v2c(&trap::link());
        let v2c = Load {
            name: "v2c",
            rate: 20_000,
            fill: &|number, out| number_v2c(&template, number, out),
        };
        self.versus(&v2c, 0, "wanted ≤ 8 µs");
        let template = trap::v2c(&trap::alarm());
        let alarm = Load {
            name: "v2c alarm",
            rate: 20_000,
            fill: &|number, out| number_v2c(&template, number, out),
        };
        let what = "v2c exampleAlarm (indexes of five parts), 20000/s, spool memory";
        self.whole("bench.alarm", "memory", what, "", &alarm);
        println!();
        let rate = 10_000;
        let traps = secured_traps(self.numbers(rate).1.end);
        let v3 = Load {
            name: "authPriv",
            rate,
            fill: &|number, out| copy_v3(&traps, number, out),
        };
        self.versus(&v3, DEVICES, "wanted ≤ 14 µs");
    }

    fn versus(&self, load: &Load<'_>, engines: u32, wanted: &str) {
        let name = load.name;
        let mut ours = Vec::new();
        for spool in ["memory", "disk"] {
            let what = format!("{name}, {}/s, spool {spool}", load.rate);
            ours.push(self.whole(&format!("bench.{name}.{spool}"), spool, &what, wanted, load));
        }
        let Some(theirs) = self.snmptrapd(load, engines) else {
            println!("  {name}: no snmptrapd on this machine, so no comparison");
            return;
        };
        for (spool, ours) in ["memory", "disk"].into_iter().zip(ours) {
            let what =
                format!("{name}: CPU an event, snmptrapd to a file : trapline to Kafka ({spool})");
            figure(&what, &format!("{:.1} : 1", theirs / ours), "");
        }
        println!();
    }

    /// Loads that have to arrive whole.
    fn load(&self) {
        println!(
            "load without loss ({} s, spool on disk; two cores for generator, agent and Kafka together)",
            self.seconds
        );
        let template = trap::v2c(&trap::link());
        let v2c = Load {
            name: "v2c",
            rate: 50_000,
            fill: &|number, out| number_v2c(&template, number, out),
        };
        self.whole("bench.load.v2c", "disk", "v2c, 50000/s", "", &v2c);
        let rate = 10_000;
        let traps = secured_traps(self.numbers(rate).1.end);
        let v3 = Load {
            name: "authPriv",
            rate,
            fill: &|number, out| copy_v3(&traps, number, out),
        };
        self.whole("bench.load.v3", "disk", "authPriv, 10000/s", "", &v3);
        println!();
    }

    /// One load through one agent, to the end; returns µs of CPU per event.
    fn whole(&self, topic: &str, spool: &str, what: &str, wanted: &str, load: &Load<'_>) -> f64 {
        let agent = self.agent(topic, spool);
        let (warm_up, numbers) = self.numbers(load.rate);
        let volley = Volley::new(agent.address, HOSTS);
        volley.send(warm_up.clone(), load.rate, load.fill);
        let before = self.kafka.settle(topic, warm_up.end);
        let mut shares = Shares::begin(agent.pid(), self.kafka.pid());
        volley.send(numbers.clone(), load.rate, load.fill);
        shares.sent();
        let events = self.kafka.settle(topic, numbers.end) - before;
        let spent = shares.end(events);
        let memory = process::resident_kib(agent.pid()).1 as f64 / 1024.0;
        let arrived = arrived::numbers(&self.kafka, topic, 0..numbers.end);
        let rate = (numbers.end - numbers.start) as f64 / spent.sending.as_secs_f64();
        figure(what, &format!("{:.2} µs", spent.agent_us), wanted);
        println!(
            "    sent {} at {rate:.0}/s; {}; in Kafka {} numbers, {} missing, {} twice",
            numbers.end,
            account(&agent.stop()),
            arrived.distinct,
            arrived.missing,
            arrived.repeated
        );
        println!(
            "    resident at most {memory:.1} MB; {} bytes in, {} bytes out",
            packet_bytes(load),
            self.kafka.payload_bytes(topic)
        );
        println!(
            "    of a core: generator {:.0} %, agent {:.0} %, Kafka {:.0} %; the agent by threads, µs an event: {}",
            spent.generator_percent,
            spent.agent_us * rate / 1e4,
            spent.kafka_us * rate / 1e4,
            spent.by_thread
        );
        spent.agent_us
    }

    /// The same packets at the same rate; returns µs of CPU for each that it wrote.
    fn snmptrapd(&self, load: &Load<'_>, engines: u32) -> Option<f64> {
        let snmptrapd = Snmptrapd::start(&self.folder, engines)?;
        let (warm_up, numbers) = self.numbers(load.rate);
        let volley = Volley::new(snmptrapd.address, HOSTS);
        volley.send(warm_up, load.rate, load.fill);
        let before = (snmptrapd.written(), process::cpu(snmptrapd.pid()));
        volley.send(numbers.clone(), load.rate, load.fill);
        let written = snmptrapd.written() - before.0;
        let used = process::cpu(snmptrapd.pid()) - before.1;
        let per_event = used.as_secs_f64() * 1e6 / written.max(1) as f64;
        let sent = numbers.end - numbers.start;
        let what = format!("{}, {}/s, snmptrapd to a file", load.name, load.rate);
        figure(&what, &format!("{per_event:.2} µs"), "");
        println!(
            "    sent {sent}, written {written}; its user is listed for {engines} engines; resident at most {:.1} MB",
            process::resident_kib(snmptrapd.pid()).1 as f64 / 1024.0
        );
        Some(per_event)
    }
}

fn packet_bytes(load: &Load<'_>) -> usize {
    let mut packet = Vec::new();
    (load.fill)(0, &mut packet);
    packet.len()
}

/// Puts the number into the prepared message.
fn number_v2c((template, at): &(Vec<u8>, usize), number: u64, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(template);
    out[start + at..start + at + 4].copy_from_slice(&trap::ticks(number));
}

/// All traps of a load, in turn from each device.
fn secured_traps(count: u64) -> Vec<Vec<u8>> {
    let fleet = Fleet::new(DEVICES, PASSPHRASE);
    let link = trap::link();
    (0..count)
        .map(|number| fleet.trap(number, &trap::pdu(&link, number)))
        .collect()
}

fn copy_v3(traps: &[Vec<u8>], number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&traps[number as usize]);
}

/// The ledger in words.
pub fn account(ledger: &str) -> String {
    let ledger: serde_json::Value = serde_json::from_str(ledger).expect("the ledger");
    let (listener, records) = (&ledger["listeners"][0], &ledger["records"]);
    let balance = match ledger["balanced"].as_bool() {
        Some(true) => "the ledger balances",
        _ => "THE LEDGER DOES NOT BALANCE",
    };
    format!(
        "received {}, lost by the kernel {}, rejected {}; delivered {}, pending {}, lost {}; {balance}",
        listener["received"],
        listener["kernel_dropped"],
        listener["rejected"],
        records["delivered"],
        records["pending"],
        records["lost"]
    )
}
