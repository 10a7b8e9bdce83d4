//! Claims about routing and cutting.

use super::rules::{Pattern, Then, When};
use super::*;
use crate::event::{Agent, Device, HostnameSource, Id, Rfc3339, SCHEMA, TimeSource};

fn config() -> Config {
    Config {
        topics: Config::TOPICS_DEFAULT.map(String::from),
        payload_bytes_max: 10_000,
        ..Config::default()
    }
}

fn event<'a>(kind: Kind, message: &'a [u8]) -> Event<'a> {
    let at = Rfc3339::micros(UnixMicros(0));
    Event {
        schema: SCHEMA,
        id: Id(""),
        kind,
        time: at,
        time_source: TimeSource::Received,
        received: at,
        severity: None,
        severity_code: None,
        device: Device {
            hostname: Text(b"r1"),
            hostname_source: HostnameSource::Header,
            address: None,
            vendor: None,
            os: None,
            previous_hostname: None,
            labels: None,
        },
        event_code: None,
        message: Text(message),
        repeat_count: None,
        syslog: None,
        snmp: None,
        change: None,
        gap: None,
        storm: None,
        report: None,
        agent: Agent {
            id: "br17",
            version: "0",
            listener: None,
            transport: None,
        },
        parse_error: None,
        truncated: false,
        raw: None,
        raw_base64: None,
        raw_withheld: None,
    }
}

#[test]
fn kinds_that_share_a_topic_share_a_lane() {
    assert_eq!(
        config().lanes(),
        ["net.syslog", "net.snmp", "net.device", "net.agent"]
    );
    let router = Router::new(&config(), "br17", &Boot::new(UnixMicros(1), 0));
    let mut payload = Vec::new();
    let lane = |kind, payload: &mut Vec<u8>| {
        router
            .record(
                &mut event(kind, b"m"),
                UnixMicros(0),
                Origin::Packet,
                payload,
            )
            .unwrap()
            .lane
    };
    assert_eq!(
        lane(Kind::Gap, &mut payload),
        lane(Kind::Storm, &mut payload)
    );
    assert_ne!(
        lane(Kind::Gap, &mut payload),
        lane(Kind::Agent, &mut payload)
    );
}

#[test]
fn the_number_gap_stands_right_behind_the_id_prefix() {
    let router = Router::new(
        &config(),
        "br17",
        &Boot::new(UnixMicros(1_795_227_247_131_842), 0),
    );
    let mut payload = Vec::new();
    let mut event = event(Kind::SnmpTrap, b"m");
    let record = router
        .record(&mut event, UnixMicros(0), Origin::Packet, &mut payload)
        .unwrap();
    let before = std::str::from_utf8(&record.payload[..record.number_at]).unwrap();
    assert!(
        before.starts_with("{\"schema\":1,\"id\":\"br17-1M7XY3RGV"),
        "{before}"
    );
    assert!(before.ends_with("-1-"), "{before}");
    assert_eq!(record.payload[record.number_at], b'"');
    assert_eq!(record.key, b"r1");
}

#[test]
fn an_event_over_the_limit_is_cut_and_says_so() {
    let router = Router::new(&config(), "br17", &Boot::new(UnixMicros(1), 0));
    let long = vec![0u8; 60_000];
    let mut event = event(Kind::Syslog, &long);
    event.raw = Some(Text(&long));
    let mut payload = Vec::new();
    router
        .record(&mut event, UnixMicros(0), Origin::Packet, &mut payload)
        .unwrap();
    assert!(payload.len() <= 10_000);
    let value: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(value["truncated"], true);
    assert_eq!(value["message"].as_str().unwrap().len(), 625);
}

#[test]
fn a_cut_does_not_split_a_character() {
    assert_eq!(shortened("aé".as_bytes(), 2), b"a");
    assert_eq!(shortened("aé".as_bytes(), 3), "aé".as_bytes());
    assert_eq!(
        shortened(b"\x80\x80\x80\x80\x80\x80", 5),
        b"\x80\x80\x80\x80\x80"
    );
    assert_eq!(shortened(b"", 5), b"");
}

#[test]
fn an_event_that_cannot_be_cut_enough_is_an_error_with_both_sizes() {
    let router = Router::new(
        &Config {
            payload_bytes_max: 300,
            ..config()
        },
        "br17",
        &Boot::new(UnixMicros(1), 0),
    );
    let mut event = event(Kind::Syslog, b"m");
    let error = router
        .record(&mut event, UnixMicros(0), Origin::Packet, &mut Vec::new())
        .unwrap_err();
    assert!(error.to_string().contains("the limit is 300"), "{error}");
}

#[test]
fn a_later_boot_sorts_later() {
    let (first, second) = (
        Boot::new(UnixMicros(1_795_227_247_131_000), 0),
        Boot::new(UnixMicros(1_795_227_247_132_000), 0),
    );
    assert!(first.as_str() < second.as_str());
    let (most, least) = (
        Boot::new(UnixMicros(1_795_227_247_131_000), u64::MAX),
        second,
    );
    assert!(
        most.as_str() < least.as_str(),
        "whatever its random digits are"
    );
}

#[test]
fn two_runs_that_start_at_the_same_time_have_different_ids() {
    // A host without a clock of its own, and a spool in memory: time and numbers begin again.
    let boots: std::collections::BTreeSet<String> = (0..40)
        .map(|bit| Boot::new(UnixMicros(0), 1 << bit).as_str().to_owned())
        .collect();
    assert_eq!(boots.len(), 40, "each of the random bits counts");
    let boot = Boot::new(UnixMicros(1_795_227_247_131_000), 0x0123_4567_89AB_CDEF);
    assert_eq!(boot.as_str(), "1M7XY3RGVCY4TQKFF");
}

fn ruled(rules: Vec<(When, Then)>) -> (Config, Router) {
    let rules = rules
        .into_iter()
        .enumerate()
        .map(|(place, (when, then))| Rule {
            name: format!("rule-{place}"),
            when,
            then,
        });
    let config = Config {
        rules: rules.collect(),
        listeners: vec!["edge".into()],
        ..config()
    };
    let router = Router::new(&config, "br17", &Boot::new(UnixMicros(0), 0));
    (config, router)
}

fn topic(config: &Config, router: &Router, event: &mut Event<'_>) -> Result<String, RouteError> {
    let mut payload = Vec::new();
    // The event's borrows end with this call, so that the test can go on with another.
    let event = &mut event.clone();
    let record = router.record(event, UnixMicros(0), Origin::Packet, &mut payload)?;
    Ok(config.lanes()[usize::from(record.lane.0)].clone())
}

#[test]
fn the_first_rule_that_holds_decides_and_without_one_the_kind() {
    let urgent = When {
        severity: Some(crate::event::Severity::Error),
        ..When::default()
    };
    let chatter = When {
        event_codes: vec![Pattern::new("SYS-*").unwrap()],
        contains: vec!["Configured".into(), "Restarted".into()],
        regex: Some(rules::regex("from (console|vty[0-9])").unwrap()),
        ..When::default()
    };
    let (config, router) = ruled(vec![
        (urgent, Then::Topic("urgent.{listener}".into())),
        (chatter, Then::Drop),
    ]);
    let (mut plain, mut severe) = (event(Kind::Syslog, b"a"), event(Kind::Syslog, b"b"));
    severe.severity = Some(crate::event::Severity::Critical);
    severe.agent.listener = Some("edge");
    assert_eq!(topic(&config, &router, &mut plain).unwrap(), "net.syslog");
    assert_eq!(topic(&config, &router, &mut severe).unwrap(), "urgent.edge");
    severe.agent.listener = None;
    assert_eq!(
        topic(&config, &router, &mut severe).unwrap(),
        "urgent.agent"
    );
    let mut noise = event(Kind::Syslog, b"Configured from vty0");
    noise.event_code = Some(Text(b"SYS-5-CONFIG_I"));
    assert!(matches!(
        topic(&config, &router, &mut noise),
        Err(RouteError::Filtered { place: 1 })
    ));
    assert_eq!(router.rule_of(&noise), Some("rule-1"));
    noise.message = Text(b"Configured from snmp");
    assert_eq!(topic(&config, &router, &mut noise).unwrap(), "net.syslog");
    let dropped: Vec<u64> = router
        .rule_counts()
        .iter()
        .map(|rule| rule.dropped)
        .collect();
    assert_eq!(dropped, [0, 1]);
}

#[test]
fn a_sample_lets_one_of_n_go_on_to_the_rules_behind() {
    let (config, router) = ruled(vec![
        (When::default(), Then::Sample(10.try_into().unwrap())),
        (When::default(), Then::Topic("rest".into())),
    ]);
    let through = (0..100)
        .filter(|_| topic(&config, &router, &mut event(Kind::Syslog, b"a")).is_ok())
        .count();
    assert_eq!(through, 10);
}

#[test]
fn no_rule_takes_out_what_the_agent_says_of_itself() {
    let (config, router) = ruled(vec![(When::default(), Then::Drop)]);
    let mut report = event(Kind::Agent, b"report");
    assert_eq!(topic(&config, &router, &mut report).unwrap(), "net.agent");
    assert!(topic(&config, &router, &mut event(Kind::Device, b"new")).is_err());
}

#[test]
fn labels_devices_kinds_listeners_and_vendors_are_conditions_that_must_all_hold() {
    let labels = [("site".to_owned(), "lax".to_owned())].into();
    let when = When {
        kinds: vec![Kind::Syslog],
        listeners: vec!["edge".into()],
        devices: vec![Pattern::new("r*").unwrap()],
        labels: vec![("site".into(), Pattern::new("lax").unwrap())],
        vendors: vec!["cisco".into()],
        ..When::default()
    };
    let mut whole = event(Kind::Syslog, b"a");
    whole.agent.listener = Some("edge");
    whole.device.vendor = Some("cisco");
    whole.device.labels = Some(&labels);
    assert!(when.holds(&whole));
    let without = |change: fn(&mut Event<'_>)| {
        let mut event = whole.clone();
        change(&mut event);
        when.holds(&event)
    };
    assert!(!without(|event| event.kind = Kind::Gap));
    assert!(!without(|event| event.agent.listener = None));
    assert!(!without(|event| event.device.vendor = None));
    assert!(!without(|event| event.device.labels = None));
    assert!(!without(|event| event.device.hostname = Text(b"x1")));
}
