//! `make bench`, first part: what decoding, normalising and writing JSON cost a message, in time and in allocations.
//!
//! Prints figures and asserts none. The messages are walked through the real pipeline into a real memory spool whose
//! records are acknowledged as they come, so the path from packet to spool is whole; the socket and Kafka are not in it.

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use trapline::decode::snmp::SecurityLevel;
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

mod message;
mod secured;

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
    println!(
        "\nstages: packet to spool on one thread, {ROUNDS} messages each, CPU time, best of 5"
    );
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
            mibs: mibs(),
            ..plain()
        },
    );
    // The same PDU: what stands behind version and community of the trap above.
    let trap = octets(TRAP);
    let pdu = trap.get(22..).unwrap_or_default();
    let fleet = secured::Fleet::new(ENGINES, secured::PASSPHRASE);
    let traps: Vec<Vec<u8>> = (0..SECURED).map(|number| fleet.trap(number, pdu)).collect();
    let packets: Vec<&[u8]> = traps.iter().map(Vec::as_slice).collect();
    measure_each(
        "SNMPv3 linkDown, authPriv SHA-256 and AES-128, 4 varbinds",
        Protocol::Snmp,
        &packets,
        plain(),
        secured_access(),
    );
    println!("  decode alone:");
    decode_only("RFC 5424", &rfc5424);
    for (name, line) in DIALECTS {
        decode_only(name, line.as_bytes());
    }
}

/// SNMPv3 traps: more than the agent remembers, so that none is taken for a repeat.
const SECURED: u64 = 16_384;

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

/// One ordinary line of each dialect.
const DIALECTS: &[(&str, &str)] = &[
    (
        "RFC 3164",
        "<13>Nov 21 02:14:09 app-7 cron[991]: (root) CMD (run-parts /etc/cron.hourly)",
    ),
    (
        "Cisco IOS",
        "<189>4711: lax-edge-1: *Nov 21 02:14:07.131 UTC: %LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/2, changed state to down",
    ),
    (
        "Cisco IOS-XR",
        "<187>94307: core-r1 LC/0/2/CPU0:Nov 21 02:14:07.834 : ifmgr[214]: %PKT_INFRA-LINK-3-UPDOWN : Interface TenGigE0/2/0/4, changed state to Down",
    ),
    (
        "Cisco NX-OS",
        "<189>: 2026 Nov 21 02:14:07 UTC: %ETHPORT-5-IF_DOWN_LINK_FAILURE: Interface Ethernet1/1 is down (Link failure)",
    ),
    (
        "Cisco ASA",
        "<166>Nov 21 2026 02:14:07 fw1 : %ASA-6-302013: Built outbound TCP connection 12 for outside:198.51.100.7/443 to inside:10.3.3.3/51515",
    ),
    (
        "Cisco ISE",
        "<181>Nov 21 02:14:07 ise-1 CISE_Failed_Attempts 0000004711 2 0 2026-11-21 02:14:07.789 +00:00 0000008150 5400 NOTICE Failed-Attempt: Authentication failed, ConfigVersionId=12, Device IP Address=10.4.4.4, UserName=guest, Step=11001",
    ),
    (
        "Meraki",
        "<134>1 1795227247.774247 mx84-branch7 flows src=10.5.5.5 dst=198.51.100.7 mac=00:00:5E:00:53:03 protocol=tcp sport=51515 dport=443 pattern: allow all",
    ),
    (
        "Junos",
        "<28>Nov 21 02:14:07  core-r2 rpd[2902]: RPD_BGP_NEIGHBOR_STATE_CHANGED: BGP peer 192.0.2.9 (External AS 64500) changed state from Established to Idle",
    ),
    (
        "Junos structured",
        "<14>1 2026-11-21T02:14:07.789Z srx-7 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.129 reason=\"TCP FIN\" source-address=\"10.6.6.6\" destination-address=\"198.51.100.7\"] session closed",
    ),
    (
        "Arista EOS",
        "<165>Nov 21 02:14:07 leaf-4 Ebra: %LINEPROTO-5-UPDOWN: Line protocol on Interface Ethernet28, changed state to down",
    ),
    (
        "Huawei VRP",
        "<190>Nov 21 2026 02:14:07+02:00 sw-core1 %%01IFNET/4/LINK_STATE(l)[3]:The line protocol IP on the interface Vlanif10 has entered the UP state.",
    ),
    (
        "Nokia SR OS",
        "<188>Nov 21 02:14:07 pe-3 TMNX: 247 Base PORT-MINOR-etherAlarmSet-2017 [Port 1/1/1]:  Alarm Local Fault Set",
    ),
    (
        "Fortinet",
        "<189>date=2026-11-21 time=02:14:07 devname=\"fg-branch7\" devid=\"FG100E4Q17000001\" tz=\"+0200\" logid=\"0100032002\" type=\"event\" subtype=\"system\" level=\"alert\" vd=\"root\" user=\"root\" msg=\"login failed\"",
    ),
    (
        "CEF",
        "<134>Nov 21 02:14:07 waf-2 CEF:0|Imperva|SecureSphere|13.0|100|Signature hit|High|src=10.8.8.8 spt=51515 act=block cs1Label=Policy cs1=web default msg=two words",
    ),
    (
        "LEEF",
        "<13>Nov 21 02:14:07 ids-3 LEEF:1.0|Cisco|Firepower|7.2|1:2003|src=10.8.8.8\tdst=198.51.100.7\tsev=5\tmsg=Policy violation",
    ),
    (
        "Palo Alto",
        "<14>Nov 21 02:14:07 pa-edge1 1,2026/11/21 02:14:07,007200001056,TRAFFIC,end,2561,2026/11/21 02:14:07,10.8.8.8,198.51.100.7,203.0.113.5,198.51.100.7,allow-web,alice,,ssl,vsys1,trust,untrust,ethernet1/1,ethernet1/2,to-siem,2026/11/21 02:14:07,36459,1,39681,443,32326,443,0x400053,tcp,allow,43135,24629,18506,189,2026/11/21 02:12:37,30,business",
    ),
    (
        "Check Point",
        "time=1795227247|hostname=cp-gw1|severity=Medium|product=Firewall|action=Drop|ifdir=inbound|ifname=eth1|loguid={0x0,0x0,0x0,0x1}|origin=192.0.2.1|sequencenum=64|version=5|dst=198.51.100.7|",
    ),
    (
        "Sophos",
        "<30>device=\"SFW\" date=2026-11-21 time=02:14:07 timezone=\"CET\" device_name=\"XG430\" device_id=C42 log_id=010101600001 log_type=\"Firewall\" log_subtype=\"Denied\" src_ip=192.0.2.7 dst_ip=198.51.100.7 message=\"Invalid packet\"",
    ),
    (
        "SonicWall",
        "<134>  id=firewall sn=18B1690729A8 time=\"2026-11-21 02:14:07 UTC\" fw=192.0.2.1 pri=6 c=1024 m=97 msg=\"Web site hit\" n=32886 src=192.0.2.7:51515:X0 dst=198.51.100.7:443:X1",
    ),
    (
        "ArubaOS",
        "<187>Nov 21 02:14:07 2026 wc1 authmgr[4130]: <124198> <4130> <ERRS> <wc1 192.0.2.1>  Missing server in attribute list, auth=VPN",
    ),
    (
        "F5 BIG-IP",
        "<133>Nov 21 02:14:07 lb1 notice mcpd[6789]: 01070638:5: Pool /Common/web member /Common/m1:80 monitor status down.",
    ),
    (
        "Extreme EXOS",
        "<142>Nov 21 02:14:07 sw1 <Info:vlan.msgs.portLinkStateUp> Port 7 link UP at speed 1 Gbps and full-duplex",
    ),
    (
        "Dell OS10",
        "<189>1 2026-11-21T02:14:07.789123+00:00 os10-tor1 dn_alm 1234 - - Node.1-Unit.1:PRI [event], Dell EMC (OS10) %IFM_ASTATE_UP: Interface admin state up :ethernet1/1/1",
    ),
    (
        "UniFi",
        "<27>Nov 21 02:14:07 sw-attic,18e8294876c3,v4.0.66.10832 switch: TRAPMGR: Cold Start: Unit: 0",
    ),
    (
        "VMware ESXi",
        "<166>2026-11-21T02:14:07.789Z esx1 Hostd: info hostd[2099999] [Originator@6876 sub=Vimsvc.ha-eventmgr opID=1a2b user=root] Event 123 : User root logged in",
    ),
    (
        "NetScaler",
        "<134> 11/21/2026:02:14:07 GMT ns1 0-PPE-0 : default TCP CONN_TERMINATE 4711 0 :  Source 192.0.2.7:51515 - Destination 198.51.100.7:443",
    ),
    (
        "MikroTik",
        "<30>Nov 21 02:14:07 rb4011 firewall,info input: in:ether1 out:(unknown 0), proto TCP (SYN), 198.51.100.7:51515->192.0.2.1:22, len 60",
    ),
];

fn octets(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// The names of our own module, as a compiled file.
fn mibs() -> mib::Set {
    let module =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/mibs/TRAPLINE-EXAMPLE-MIB.txt");
    let compiled = mib::compile::compile(&[module], false).expect("the module compiles");
    let octets = mib::format::write(&compiled.definitions, 0).expect("a file");
    mib::Set::of(mib::Mibdb::from_bytes(&octets).expect("a whole file"))
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
fn decode_only(name: &str, message: &[u8]) {
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
        "    {name:18} ours {ours:4.0} ns, syslog_loose {loose:4.0} ns ({:.1} : 1), {} bytes",
        loose / ours,
        message.len()
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

fn measure(name: &str, protocol: Protocol, bytes: &[u8], normalize: normalize::Config) {
    measure_each(name, protocol, &[bytes], normalize, SnmpAccess::nobody());
}

/// The packets one after the other, again and again.
fn measure_each(
    name: &str,
    protocol: Protocol,
    packets: &[&[u8]],
    normalize: normalize::Config,
    access: SnmpAccess,
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
    let router = Arc::new(Router::new(&config, "bench", &Boot::at(UnixMicros::now())));
    let settings = Arc::new(Settings::new(normalize));
    let mut pipeline = Pipeline::new(spool.clone(), router, settings).with_access(access.into());
    let listener = Listener {
        index: 0,
        name: "bench-udp".into(),
        protocol,
        transport: Transport::Udp,
    };
    let packet = |bytes| Packet {
        bytes,
        peer: Peer::Inet([10, 20, 0, 1].into(), 514),
        listener: &listener,
        received: UnixMicros::now(),
        wholeness: Wholeness::Whole,
    };
    let lane = LaneId(u16::from(protocol == Protocol::Snmp));
    let mut batch = Batch::default();
    let mut payload_bytes = 0;
    // It goes on from round to round, so that no packet comes again while it is remembered.
    let mut next = 0;
    let mut round = || {
        let before = (thread_cpu(), ALLOCATIONS.load(Ordering::Relaxed));
        for number in 0..ROUNDS {
            let bytes = packets[next];
            next = (next + 1) % packets.len();
            let outcome = black_box(pipeline.take(&packet(bytes))).outcome;
            assert_eq!(outcome, Outcome::Used, "{name}");
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
        packets[0].len()
    );
}
