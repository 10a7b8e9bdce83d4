//! Numbered syslog messages in, the same numbers out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::support::agent::Agent;
use crate::support::device::{fleet, line, names, numbered, octet_counted, send_in_turn, stream};
use crate::support::kafka::{Broker, Delivered, unique};
use crate::support::oracle::{assert_numbered, assert_well_made, string};
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, wait_until};

#[test]
fn numbered_datagrams_arrive_once_each_in_order_under_their_devices_key() {
    let broker = Broker::shared();
    let topic = broker.topic("numbered-udp");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_udp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let fleet = fleet(8, agent.listener("syslog-udp"));
    send_in_turn(&agent, "syslog-udp", &fleet, 0..500, 0);

    let records = broker.read(&topic, 4000);
    assert_well_made(&records);
    assert_numbered(&records, &names(&fleet), 500);
    for record in &records {
        let address = string(&record.event["device"]["address"]);
        let host = &record.key[1..];
        let host: u8 = host.parse().expect("the device's number");
        assert_eq!(address, format!("127.0.0.{}", 10 + host));
        assert_eq!(record.event["agent"]["transport"], "udp");
        assert_eq!(record.event["syslog"]["msg_id"], "IFDOWN");
        assert_eq!(record.event["severity"], "notice");
    }

    agent.wait_until_delivered(4000).assert_balances();
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.listener("syslog-udp", "received"), 4000);
    assert_eq!(ended.ledger.listener("syslog-udp", "kernel_dropped"), 0);
    assert_eq!(ended.ledger.records("delivered"), 4000);
}

#[test]
fn a_stream_may_mix_octet_counted_frames_and_lines() {
    let broker = Broker::shared();
    let topic = broker.topic("mixed-tcp");
    let settings = Settings::new(&broker.address, vec![Listener::syslog_tcp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let target = agent.listener("syslog-tcp");
    for name in ["s1", "s2"] {
        let frames: Vec<u8> = (0..1000)
            .flat_map(|number| {
                let message = numbered(name, number);
                // A line may only be followed by a frame that cannot be mistaken for more of it, and so may either.
                match number % 3 {
                    0 => line(&message),
                    _ => octet_counted(&message),
                }
            })
            .collect();
        stream(target, &frames);
    }

    let records = broker.read(&topic, 2000);
    assert_well_made(&records);
    assert_numbered(&records, &["s1".to_owned(), "s2".to_owned()], 1000);
    agent.wait_until_delivered(2000);
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.records("delivered"), 2000);
}

#[test]
fn every_codec_delivers_and_is_the_one_on_the_brokers_disk() {
    let broker = Broker::shared();
    // The numbers are those of Kafka's record batches.
    for (code, codec) in ["none", "gzip", "snappy", "lz4", "zstd"]
        .into_iter()
        .enumerate()
    {
        let topic = broker.topic(codec);
        let mut settings = Settings::new(&broker.address, vec![Listener::syslog_udp()]);
        settings.compression = codec;
        let agent = Agent::start(&settings.topic("syslog", &topic));
        let fleet = fleet(2, agent.listener("syslog-udp"));
        send_in_turn(&agent, "syslog-udp", &fleet, 0..200, 0);

        let records = broker.read(&topic, 400);
        assert_well_made(&records);
        assert_numbered(&records, &names(&fleet), 200);
        assert_eq!(
            broker.codecs(&topic),
            [u8::try_from(code).expect("a small number")],
            "{codec}"
        );
        agent.wait_until_delivered(400);
        agent.stop().assert_in_order();
    }
}

#[test]
fn two_members_of_a_group_share_the_devices_and_see_every_event_once() {
    let broker = Broker::shared();
    let topic = broker.topic("group");
    let group = unique("group");
    let members = [broker.member(&topic, &group), broker.member(&topic, &group)];
    wait_until("each member has half of the partitions", SOON, || {
        members.iter().all(|member| {
            // Assignments come only while somebody polls.
            assert!(member.poll(Duration::from_millis(50)).is_none());
            member
                .assignment()
                .is_ok_and(|partitions| partitions.count() == 3)
        })
    });

    let settings = Settings::new(&broker.address, vec![Listener::syslog_udp()]);
    let agent = Agent::start(&settings.topic("syslog", &topic));
    let fleet = fleet(40, agent.listener("syslog-udp"));
    send_in_turn(&agent, "syslog-udp", &fleet, 0..50, 0);
    let shares = read_together(members, 2000);

    assert!(
        shares.iter().all(|share| !share.is_empty()),
        "a member got nothing"
    );
    let keys = |share: &[Delivered]| -> BTreeSet<String> {
        share.iter().map(|record| record.key.clone()).collect()
    };
    assert!(
        keys(&shares[0]).is_disjoint(&keys(&shares[1])),
        "a device in two shares"
    );
    let all = shares.concat();
    assert_well_made(&all);
    assert_numbered(&all, &names(&fleet), 50);
    agent.wait_until_delivered(2000);
    agent.stop().assert_in_order();
}

/// Polls every member on a thread of its own until all together have `count` records.
fn read_together(members: [BaseConsumer; 2], count: usize) -> Vec<Vec<Delivered>> {
    let seen = Arc::new(AtomicUsize::new(0));
    let threads = members.map(|member| {
        let seen = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut share = Vec::new();
            wait_until("the group has read everything", SOON, || {
                while let Some(message) = member.poll(Duration::from_millis(50)) {
                    share.push(Delivered::new(&message.expect("the broker can be read")));
                    seen.fetch_add(1, Ordering::SeqCst);
                }
                seen.load(Ordering::SeqCst) >= count
            });
            share
        })
    });
    threads
        .into_iter()
        .map(|thread| thread.join().expect("a member"))
        .collect()
}
