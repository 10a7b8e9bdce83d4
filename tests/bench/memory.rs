//! What learned engines cost, and what engine IDs cost that somebody made up.
//!
//! ```text
//!  10 000 devices, an address and an engine each ─▶ resident, and again after a load of theirs
//!  100 000 forged engine IDs, and every tenth packet a known device's ─▶ resident, and who arrived
//! ```

use std::net::UdpSocket;
use std::ops::Range;

use crate::secured::{Fleet, PASSPHRASE};
use crate::volley::{Volley, address};
use crate::{Bench, HOSTS, account, arrived, figure, process, trap};

/// Engines that are learned.
const LEARNED: u32 = 10_000;

/// Engine IDs that are made up.
const FORGED: u32 = 100_000;

/// Forged messages for each of a known device.
const FORGED_EACH: u64 = 10;

/// Messages a second of the flood.
const FLOOD_RATE: u64 = 20_000;

/// Prints what an agent needs for its devices, and what a flood changes.
pub fn measure(bench: &Bench) {
    println!("memory: {LEARNED} devices, then a flood from {FORGED} forged engine IDs");
    let topic = "bench.engines";
    let agent = bench.agent(topic, "disk");
    let mib = || process::resident_kib(agent.pid()).0 as f64 / 1024.0;
    figure("resident, idle", &format!("{:.1} MB", mib()), "");

    let link = trap::link();
    let fleet = Fleet::new(LEARNED, PASSPHRASE);
    let learned = u64::from(LEARNED);
    // Each twice: the second time its keys are known.
    for number in 0..2 * learned {
        let host = (number % learned) as u32;
        let socket = UdpSocket::bind((address(HOSTS + host), 0)).expect("a free UDP port");
        socket
            .send_to(
                &fleet.trap(number, &trap::pdu(&link, number)),
                agent.address,
            )
            .expect("a datagram sent over loopback");
    }
    bench.kafka.settle(topic, 2 * learned);
    figure(
        &format!("resident with {LEARNED} learned engines at as many addresses"),
        &format!("{:.1} MB", mib()),
        "wanted ≤ 64 MB",
    );

    let of_known = |numbers: Range<u64>| -> Vec<Vec<u8>> {
        numbers
            .map(|number| fleet.trap(number, &trap::pdu(&link, number)))
            .collect()
    };
    let known = u64::from(FORGED) / FORGED_EACH;
    let count = u64::from(FORGED) + known;
    let volley = Volley::new(agent.address, HOSTS);
    let flood = |packets: &[Vec<u8>]| {
        let used = process::cpu(agent.pid());
        volley.send(0..packets.len() as u64, FLOOD_RATE, &|number, out| {
            out.extend_from_slice(&packets[number as usize]);
        });
        bench.kafka.settle(topic, u64::MAX);
        let used = process::cpu(agent.pid()) - used;
        used.as_secs_f64() * 1e6 / packets.len() as f64
    };
    // The same load of known devices first: queues grow to what a load takes, whoever makes it.
    let first = 2 * learned + count;
    flood(&of_known(2 * learned..first));
    let before = mib();
    figure(
        &format!("resident after {count} traps of them at {FLOOD_RATE}/s"),
        &format!("{before:.1} MB"),
        "wanted ≤ 64 MB",
    );

    let stranger = Fleet::new(LEARNED + FORGED, "another pass phrase");
    let mut of_known = of_known(first..first + known).into_iter();
    let packets: Vec<Vec<u8>> = (0..count)
        .map(|number| match number % (FORGED_EACH + 1) {
            0 => of_known.next().expect("one for so many forged ones"),
            _ => stranger.trap(learned + number % u64::from(FORGED), &trap::pdu(&link, 0)),
        })
        .collect();
    let per_packet = flood(&packets);
    let after = mib();
    figure(
        "resident after as many at that rate, ten of eleven forged",
        &format!("{after:.1} MB"),
        &format!("{:+.1} MB, wanted: no growth", after - before),
    );
    let arrived = arrived::numbers(&bench.kafka, topic, first..first + known);
    figure(
        "traps of known devices that arrived during the flood",
        &arrived.distinct.to_string(),
        &format!("wanted {known}"),
    );
    println!(
        "    the flood: {FORGED} forged and {known} known at {FLOOD_RATE}/s, {per_packet:.2} µs CPU each"
    );
    println!("    {}\n", account(&agent.stop()));
}
