//! Many SNMPv3 engines: those that authenticate are learned, and those that somebody makes up change nothing.

use std::net::UdpSocket;

use crate::secured::{Fleet, PASSPHRASE, USER, tlv};
use crate::support::agent::Agent;
use crate::support::kafka::Broker;
use crate::support::oracle::assert_well_made;
use crate::support::settings::{Listener, Settings};

const KNOWN: u64 = 500;
const FORGED: u64 = 20_000;

/// Forged messages between two of known devices.
const FORGED_EACH: u64 = 40;

/// Datagrams that are sent before the agent has to have them all: far fewer than its socket holds.
const AT_ONCE: u64 = 500;

/// What a table of 20 000 engines and keys would take, and far more than a heap that is warm grows by.
const GROWTH_BYTES_MAX: u64 = 6 * 1024 * 1024;

/// A linkDown whose sysUpTime is the number.
fn pdu(number: u64) -> Vec<u8> {
    let ticks = u32::try_from(number).expect("a small number") + 0x1000_0000;
    let ticks = tlv(0x43, &[&ticks.to_be_bytes()]);
    let up_time = tlv(0x30, &[&[6, 8, 0x2b, 6, 1, 2, 1, 1, 3, 0], &ticks]);
    let trap_oid = [
        &[6, 10, 0x2b, 6, 1, 6, 3, 1, 1, 4, 1, 0][..],
        &[6, 9, 0x2b, 6, 1, 6, 3, 1, 1, 5, 3],
    ];
    let bindings = tlv(0x30, &[&up_time, &tlv(0x30, &trap_oid)]);
    tlv(0xa7, &[&[2, 1, 1, 2, 1, 0, 2, 1, 0], &bindings])
}

#[test]
fn forged_engines_cost_no_memory_and_no_known_device_its_traps() {
    let broker = Broker::shared();
    let topic = broker.topic("snmpv3-engines");
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::new(&broker.address, vec![Listener::snmp_udp()]);
    settings.state_folder = Some(folder.path().join("state"));
    settings.more = format!(
        "[snmp]\nfailed = \"reject\"\n[[snmp.user]]\nname = \"{USER}\"\nauth = \"SHA-256\"\nauth_password = \"{PASSPHRASE}\"\n\
         priv = \"AES-128\"\npriv_password = \"{PASSPHRASE}\"\n"
    );
    let agent = Agent::start(&settings.topic("snmp_trap", &topic));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket
        .connect(agent.listener("snmp-udp"))
        .expect("an address");
    let mut sent = 0;
    let mut send = |packet: &[u8]| {
        socket.send(packet).expect("a datagram");
        sent += 1;
        if sent % AT_ONCE == 0 {
            agent.wait_until_received("snmp-udp", sent);
        }
    };

    let fleet = Fleet::new(KNOWN as u32, PASSPHRASE);
    for number in 0..KNOWN {
        send(&fleet.trap(number, &pdu(number)));
    }
    agent.wait_until_delivered(KNOWN);
    let before = agent.resident_bytes();

    // One address for all of them: what its strangers use up is missing to none whose keys are known.
    let strangers = Fleet::new((KNOWN + FORGED) as u32, "another pass phrase");
    let heard = FORGED / FORGED_EACH;
    for number in 0..FORGED {
        send(&strangers.trap(KNOWN + number, &pdu(0)));
        if number % FORGED_EACH == 0 {
            let number = KNOWN + number / FORGED_EACH;
            send(&fleet.trap(number, &pdu(number)));
        }
    }
    agent.wait_until_received("snmp-udp", KNOWN + FORGED + heard);
    agent.wait_until_delivered(KNOWN + heard);
    let growth = agent.resident_bytes().saturating_sub(before);
    assert!(growth <= GROWTH_BYTES_MAX, "{growth} bytes");

    let records = broker.read(&topic, (KNOWN + heard) as usize);
    assert_well_made(&records);
    let ticks = records
        .iter()
        .map(|record| record.event["snmp"]["uptime_ticks"].as_u64());
    let mut numbers: Vec<u64> = ticks
        .map(|ticks| ticks.expect("ticks") - 0x1000_0000)
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..KNOWN + heard), "each once");
    let ended = agent.stop();
    ended.assert_in_order();
    let rejected = |reason| ended.ledger.rejected("snmp-udp", reason);
    assert_eq!(rejected("wrongDigest") + rejected("usm_limited"), FORGED);
    assert_eq!(ended.ledger.listener("snmp-udp", "used"), KNOWN + heard);
}
