//! Rules that send elsewhere, drop and sample; limits that hold back; the agent's own log lines.

use std::collections::BTreeMap;

use crate::support::agent::Agent;
use crate::support::device::{UdpDevice, numbered};
use crate::support::kafka::{Broker, Delivered};
use crate::support::oracle::{assert_well_made, number_after, string};
use crate::support::settings::{Listener, Settings};
use crate::support::wait::{SOON, wait_until};

/// How many messages of each sort are sent.
const EACH: u64 = 200;

fn numbers(records: &[Delivered]) -> Vec<u64> {
    let messages = records.iter().map(|it| string(&it.event["message"]));
    messages
        .map(|message| number_after(message, "n="))
        .collect()
}

/// An RFC 5424 message with this PRI.
fn message(pri: u8, number: u64, text: &str) -> String {
    numbered("r1", number).replacen("<165>", &format!("<{pri}>"), 1) + text
}

#[test]
fn the_urgent_the_dropped_and_the_sampled_end_where_the_rules_say_and_all_are_counted() {
    let broker = Broker::shared();
    let (syslog, urgent) = (broker.topic("routes"), broker.topic("routes-urgent"));
    let mut settings =
        Settings::new(&broker.address, vec![Listener::syslog_udp()]).topic("syslog", &syslog);
    settings.more = format!(
        "[[route]]\nname = \"urgent\"\nseverity = \"error\"\ntopic = {urgent:?}\n\
         [[route]]\nname = \"chatter\"\ndevice = [\"r*\"]\nmessage_contains = [\"logged in\"]\naction = \"drop\"\n\
         [[route]]\nname = \"flows\"\nmessage_regex = 'flow [0-9]+$'\nsample = 10\n"
    );
    let agent = Agent::start(&settings);
    let device = UdpDevice::new(11, "r1", agent.listener("syslog-udp"));
    for number in 0..EACH {
        device.send(message(163, number, "").as_bytes());
        device.send(message(165, number, " logged in").as_bytes());
        device.send(message(165, number, " flow 17").as_bytes());
        device.send(message(165, 1_000 + number, "").as_bytes());
        agent.wait_until_received("syslog-udp", (number + 1) * 4);
    }

    let records = broker.read(&urgent, EACH as usize);
    assert_well_made(&records);
    assert_eq!(numbers(&records), (0..EACH).collect::<Vec<_>>());
    let records = broker.read(&syslog, (EACH + EACH / 10) as usize);
    assert_well_made(&records);
    let (plain, sampled): (Vec<u64>, Vec<u64>) =
        numbers(&records).into_iter().partition(|it| *it >= 1_000);
    assert_eq!(plain, (1_000..1_000 + EACH).collect::<Vec<_>>());
    assert_eq!(sampled, (0..EACH).step_by(10).collect::<Vec<_>>());

    let dropped = EACH + EACH / 10 * 9;
    let metrics = agent.get("/metrics").body;
    for line in [
        format!("trapline_route_matched_total{{rule=\"urgent\"}} {EACH}"),
        "trapline_route_dropped_total{rule=\"urgent\"} 0".to_owned(),
        format!("trapline_route_dropped_total{{rule=\"chatter\"}} {EACH}"),
        format!("trapline_route_matched_total{{rule=\"flows\"}} {EACH}"),
        format!(
            "trapline_route_dropped_total{{rule=\"flows\"}} {}",
            EACH / 10 * 9
        ),
        format!(
            "trapline_packets_rejected_total{{listener=\"syslog-udp\",reason=\"filtered\"}} {dropped}"
        ),
    ] {
        assert!(metrics.contains(&line), "{line} in {metrics}");
    }
    let delivered = EACH * 4 - dropped;
    agent.wait_until_settled(SOON).assert_balances();
    let ended = agent.stop();
    ended.assert_in_order();
    let ledger = &ended.ledger;
    assert_eq!(ledger.listener("syslog-udp", "received"), EACH * 4);
    assert_eq!(ledger.rejected("syslog-udp", "filtered"), dropped);
    assert_eq!(ledger.records("from_packets"), delivered);
}

#[test]
fn what_a_storm_holds_back_is_said_to_the_last_message_and_errors_pass() {
    let broker = Broker::shared();
    let (syslog, storm) = (broker.topic("storm"), broker.topic("storm-said"));
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_udp()])
        .topic("syslog", &syslog)
        .topic("storm", &storm)
        .topic("device", &broker.topic("storm-device"));
    settings.more = "[storm]\nevents_per_second = 1\nburst = 20".to_owned();
    let agent = Agent::start(&settings);
    let target = agent.listener("syslog-udp");
    let (loud, calm) = (
        UdpDevice::new(11, "r1", target),
        UdpDevice::new(12, "r2", target),
    );
    for number in 0..10 {
        calm.send_number(number);
    }
    for number in 0..EACH {
        loud.send(message(165, number, "").as_bytes());
        if number % 10 == 0 {
            loud.send(message(163, 1_000 + number, "").as_bytes());
        }
        let sent = 10 + number + 1 + number / 10 + 1;
        agent.wait_until_received("syslog-udp", sent);
    }
    let received = 10 + EACH + EACH / 10;
    wait_until("every packet has ended", SOON, || {
        agent.ledger().listener("syslog-udp", "in_hand") == 0
    });

    let ended = agent.stop();
    ended.assert_in_order();
    let ledger = &ended.ledger;
    assert_eq!(ledger.listener("syslog-udp", "received"), received);
    let held_back = ledger.rejected("syslog-udp", "held_back");
    assert!(
        (100..=EACH - 20).contains(&held_back),
        "{held_back} were held back"
    );
    let arrived = broker.read(&syslog, (received - held_back) as usize);
    assert_well_made(&arrived);
    let mut by_device: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (record, number) in arrived.iter().zip(numbers(&arrived)) {
        by_device.entry(&record.key).or_default().push(number);
    }
    assert_eq!(by_device["r2"], (0..10).collect::<Vec<_>>());
    let errors = by_device["r1"].iter().filter(|it| **it >= 1_000).count();
    assert_eq!(errors as u64, EACH / 10);

    let said = broker.read(&storm, broker.count(&storm));
    assert_well_made(&said);
    let mut told = 0;
    for record in &said {
        assert_eq!(record.event["kind"], "storm");
        assert_eq!(record.key, "r1");
        let count = |value: &serde_json::Value| value.as_u64().expect("a count");
        let storm = &record.event["storm"];
        let codes = storm["event_codes"].as_array().expect("a list");
        let of_codes: u64 = codes.iter().map(|code| count(&code["count"])).sum();
        assert_eq!(of_codes, count(&storm["held_back"]));
        told += of_codes;
    }
    assert_eq!(told, held_back);
}

#[test]
fn behind_a_relay_a_storming_device_takes_nothing_from_the_others_nor_from_the_relay() {
    let broker = Broker::shared();
    let (syslog, storm) = (broker.topic("relayed"), broker.topic("relayed-storm"));
    let mut settings = Settings::new(&broker.address, vec![Listener::syslog_udp()])
        .topic("syslog", &syslog)
        .topic("storm", &storm)
        .topic("device", &broker.topic("relayed-device"));
    settings.identity = "relays = [\"127.0.0.99\"]\nreverse_dns = \"off\"".to_owned();
    settings.more = "[storm]\nevents_per_second = 1\nburst = 20".to_owned();
    let agent = Agent::start(&settings);
    let relay = UdpDevice::new(99, "relay", agent.listener("syslog-udp"));
    let calm = 15;
    for number in 0..EACH {
        relay.send(numbered("loud", number).as_bytes());
        agent.wait_until_received("syslog-udp", number + 1);
    }
    // Each of these alone is below its limit; the relay's address has sent far more than one device may.
    for (nth, name) in ["r1", "r2", "r3"].into_iter().enumerate() {
        for number in 0..calm {
            relay.send(numbered(name, number).as_bytes());
        }
        agent.wait_until_received("syslog-udp", EACH + (nth as u64 + 1) * calm);
    }
    wait_until("every packet has ended", SOON, || {
        agent.ledger().listener("syslog-udp", "in_hand") == 0
    });
    let ended = agent.stop();
    ended.assert_in_order();
    let held_back = ended.ledger.rejected("syslog-udp", "held_back");
    assert!((100..=EACH - 20).contains(&held_back), "{held_back}");
    let arrived = broker.read(&syslog, (EACH + 3 * calm - held_back) as usize);
    for name in ["r1", "r2", "r3"] {
        let of: Vec<Delivered> = arrived
            .iter()
            .filter(|record| record.key == name)
            .cloned()
            .collect();
        assert_eq!(numbers(&of), (0..calm).collect::<Vec<_>>(), "{name}");
    }
    let said = broker.read(&storm, broker.count(&storm));
    assert_well_made(&said);
    assert!(said.iter().all(|record| record.key == "loud"));
    let told = said
        .iter()
        .filter_map(|record| record.event["storm"]["held_back"].as_u64());
    assert_eq!(told.sum::<u64>(), held_back);
}

#[test]
fn the_agents_own_log_lines_do_not_go_round() {
    let broker = Broker::shared();
    let topic = broker.topic("own-log");
    let settings =
        Settings::new(&broker.address, vec![Listener::syslog_udp()]).topic("syslog", &topic);
    let agent = Agent::start(&settings);
    // The host's syslog daemon has the address that it sends from.
    let daemon = UdpDevice::new(1, "br17", agent.listener("syslog-udp"));
    let line =
        |id: u32, number| format!("<30>Nov 21 02:14:07 br17 trapline[{id}]: n={number} listening");
    daemon.send(line(agent.id(), 1).as_bytes());
    daemon.send(line(agent.id() + 1, 2).as_bytes());

    let records = broker.read(&topic, 1);
    assert_eq!(numbers(&records), [2]);
    agent.wait_until_settled(SOON).assert_balances();
    let ended = agent.stop();
    ended.assert_in_order();
    assert_eq!(ended.ledger.rejected("syslog-udp", "own_log"), 1);
    assert_eq!(ended.ledger.listener("syslog-udp", "received"), 2);
}
