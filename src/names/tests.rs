//! Claims about who a device is.

use super::devices::News;
use super::*;
use crate::names::watch::Watch;
use crate::normalize::DomainPolicy;
use crate::normalize::device::Names as _;

const ROUTER: [u8; 4] = [10, 0, 0, 1];
const OTHER: [u8; 4] = [10, 0, 0, 2];
const RELAY: [u8; 4] = [10, 9, 9, 9];

fn names(inventory: &str) -> (Arc<Names>, View) {
    let names = Arc::new(Names::new(Config {
        relays: vec!["10.9.9.9/32".parse().unwrap()],
        ..Config::default()
    }));
    if !inventory.is_empty() {
        let parsed = inventory::parse(inventory, DomainPolicy::Keep).unwrap();
        assert_eq!(parsed.bad_lines, []);
        names.replace(names.known().1.config.clone(), Arc::new(parsed.inventory));
    }
    let view = View::new(names.clone());
    (names, view)
}

fn claim(address: [u8; 4], name: Option<&str>, seconds: i64) -> Claim<'_> {
    Claim {
        address: Some(address.into()),
        name,
        received: UnixMicros(seconds * 1_000_000),
        ..Claim::default()
    }
}

fn identify(view: &View, claim: Claim<'_>) -> String {
    let (mut name, mut previous) = (Vec::new(), Vec::new());
    let identity = view
        .identify(&claim, &mut name, &mut previous)
        .expect("an identity");
    let name = String::from_utf8(name).unwrap();
    format!("{name} {:?}", identity.source)
}

fn teach(view: &View, address: [u8; 4], name: &str) {
    for seconds in [0, 30, 60] {
        identify(view, claim(address, Some(name), seconds));
    }
}

#[test]
fn the_inventory_wins_then_the_header_then_what_was_learned_then_the_address() {
    let (_, view) = names("address,hostname\n10.0.0.2,inv\n");
    assert_eq!(
        identify(&view, claim(OTHER, Some("header"), 0)),
        "inv Inventory"
    );
    assert_eq!(identify(&view, claim(ROUTER, None, 0)), "10.0.0.1 Address");
    assert_eq!(identify(&view, claim(ROUTER, Some("r1"), 0)), "r1 Header");
    teach(&view, ROUTER, "r1");
    assert_eq!(identify(&view, claim(ROUTER, None, 61)), "r1 Learned");
}

#[test]
fn reverse_dns_names_a_sender_that_gives_no_name_and_the_first_event_did_not_wait() {
    let (names, view) = names("");
    assert_eq!(
        identify(&view, claim(ROUTER, None, 1000)),
        "10.0.0.1 Address"
    );
    names.take_dns_answer(ROUTER.into(), "r1.example.net", UnixMicros(1_001_000_000));
    assert_eq!(
        identify(&view, claim(ROUTER, None, 1002)),
        "r1.example.net Dns"
    );
}

#[test]
fn a_name_that_belongs_to_another_address_is_not_taken_and_the_conflict_is_counted() {
    let (names, view) = names("address,hostname\n10.0.0.7,core\n");
    assert_eq!(
        identify(&view, claim(OTHER, Some("core"), 0)),
        "10.0.0.2 Address"
    );
    teach(&view, ROUTER, "r1");
    assert_eq!(
        identify(&view, claim(OTHER, Some("r1"), 61)),
        "10.0.0.2 Address"
    );
    assert_eq!(names.conflicts(), 2);
    assert_eq!(
        names.devices.get(OTHER.into()).unwrap().standing.conflicts,
        2
    );
}

#[test]
fn a_relay_is_believed_whom_it_speaks_for_and_a_stranger_is_not() {
    let (_, view) = names("address,hostname,site\n10.0.0.2,inv,lax\n");
    teach(&view, ROUTER, "r1");
    let by = |address, name, subject: Option<[u8; 4]>| {
        let claim = claim(address, name, 61);
        let subject = subject.map(IpAddr::from);
        identify(&view, Claim { subject, ..claim })
    };
    assert_eq!(by(RELAY, Some("r1"), None), "r1 Header");
    assert_eq!(by(RELAY, None, Some(ROUTER)), "r1 Relay");
    assert_eq!(by(RELAY, None, Some(OTHER)), "inv Inventory");
    assert_eq!(by(RELAY, None, Some([10, 0, 0, 77])), "10.0.0.77 Relay");
    assert_eq!(by(RELAY, None, None), "10.9.9.9 Address");
    assert_eq!(by([10, 0, 0, 66], None, Some(ROUTER)), "10.0.0.66 Address");
}

#[test]
fn an_engine_that_was_heard_directly_is_the_same_device_behind_a_relay() {
    let (_, view) = names("");
    teach(&view, ROUTER, "r1");
    let engine_id = Some(&[0x80, 0, 0, 9, 1][..]);
    let by = |address| {
        let claim = claim(address, None, 61);
        identify(&view, Claim { engine_id, ..claim })
    };
    assert_eq!(by(ROUTER), "r1 Learned");
    assert_eq!(by(RELAY), "r1 Relay");
}

#[test]
fn labels_and_the_zone_come_from_the_inventory_by_address_and_behind_a_relay_by_name() {
    let (_, view) = names("address,hostname,zone,site\n10.0.0.1,r1,+01:00,lax\n");
    let facts = |claim: Claim<'_>| {
        let (mut name, mut previous) = (Vec::new(), Vec::new());
        let identity = view.identify(&claim, &mut name, &mut previous).unwrap();
        let labels = identity.facts.and_then(|facts| facts.labels.clone());
        labels.map(|labels| labels["site"].clone())
    };
    assert_eq!(facts(claim(ROUTER, None, 0)).as_deref(), Some("lax"));
    assert_eq!(facts(claim(RELAY, Some("r1"), 0)).as_deref(), Some("lax"));
    assert_eq!(facts(claim(OTHER, None, 0)), None);
}

#[test]
fn a_new_device_its_gap_its_silence_and_its_return_are_told_once_each() {
    let (names, view) =
        names("address,hostname,silent_seconds\n10.0.0.1,r1,100\n10.0.0.2,r2,100\n");
    let mut watch = Watch::default();
    names.watch(&mut watch, UnixMicros(0));
    for (seconds, number) in [(0, 1), (30, 2), (60, 5)] {
        let sequence = Some(number);
        identify(
            &view,
            Claim {
                sequence,
                ..claim(ROUTER, None, seconds)
            },
        );
    }
    let mut told = |seconds: i64| {
        names.watch(&mut watch, UnixMicros(seconds * 1_000_000));
        let said = names.notices.take().notices;
        said.into_iter()
            .map(|notice| (notice.name.to_string(), notice.news))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        told(63),
        [
            ("r1".into(), News::New),
            ("r1".into(), News::Missing(3..=4))
        ]
    );
    let never = News::Silent { last_heard: None };
    assert_eq!(told(150), [("r2".into(), never)]);
    let last_heard = Some(UnixMicros(60_000_000));
    assert_eq!(told(170), [("r1".into(), News::Silent { last_heard })]);
    assert_eq!(told(500), []);
    identify(&view, claim(ROUTER, None, 501));
    assert_eq!(told(502), [("r1".into(), News::Back)]);
}

#[test]
fn a_renamed_device_says_its_name_before_for_a_day() {
    let (_, view) = names("");
    teach(&view, ROUTER, "old");
    for seconds in [100, 130, 161] {
        identify(&view, claim(ROUTER, Some("new"), seconds));
    }
    let previous_at = |seconds| {
        let (mut name, mut previous) = (Vec::new(), Vec::new());
        view.identify(&claim(ROUTER, None, seconds), &mut name, &mut previous);
        (
            String::from_utf8(name).unwrap(),
            String::from_utf8(previous).unwrap(),
        )
    };
    assert_eq!(previous_at(200), ("new".into(), "old".into()));
    assert_eq!(previous_at(90_000), ("new".into(), String::new()));
}
